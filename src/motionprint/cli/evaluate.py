"""`motionprint evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from motionprint.cli.choices import one_or_all, several
from motionprint.cli.progress import progress, quiet_option
from motionprint.cli.tables import print_table


@click.command(
    "evaluate",
    epilog="\b\nExample:\n  motionprint evaluate runs/mhad data/mhad --out rows.jsonl --labels-per-class 1,2,5,all",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file of result rows (JSON lines).")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@click.option("--protocol", help="Which recordings train and which test. Without it: the run's own.")
@click.option("--fold", type=click.IntRange(min=0), help="Which fold of the protocol. Without it: the run's own.")
@click.option(
    "--features",
    default="states",
    show_default=True,
    callback=several(["states", "F", "both"]),
    help="Some of states, F, both, separated by commas.",
)
@click.option(
    "--labels-per-class",
    default="all",
    show_default=True,
    callback=one_or_all,
    metavar="N,...",
    help="How many labelled recordings a class, separated by commas: 1,2,5,all.",
)
@click.option(
    "--samplings",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="How often the few labelled recordings are drawn.",
)
@click.option("--dtw", is_flag=True, help="Judge dynamic time warping too; slow (package dtaidistance).")
@click.option("--transductive", is_flag=True, help="Allow a run that was trained on test recordings; rows say so.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@quiet_option
@click.pass_obj
def command(
    command_line: str,
    /,
    run: Path,
    dataset: Path,
    out: Path,
    overwrite: bool,
    protocol: str | None,
    fold: int | None,
    features: tuple[str, ...],
    labels_per_class: tuple[int | Literal["all"], ...],
    samplings: int,
    dtw: bool,
    transductive: bool,
    device: str,
    quiet: bool,
) -> None:
    """Measure the prints of RUN on DATASET, beside raw coordinates and an untrained encoder.

    Linear probe, nearest neighbour, retrieval, clustering and inpainting error; the table shows mean and standard
    deviation, OUT has every row with what made it.
    """
    from motionprint.evaluation.evaluate import evaluate
    from motionprint.evaluation.rows import write_rows
    from motionprint.store import open_dataset
    from motionprint.store.atomic import new_file
    from motionprint.training import load_run

    with new_file(out, overwrite=overwrite) as unfinished:
        with progress(quiet) as report:
            rows = evaluate(
                load_run(run, device),
                open_dataset(dataset),
                protocol=protocol,
                fold=fold,
                features=features,
                labels_per_class=labels_per_class,
                samplings=samplings,
                transductive=transductive,
                dtw=dtw,
                report=report,
                command=command_line,
            )
        write_rows(rows, unfinished)
    _print_summary(rows)


def _print_summary(rows: list[dict[str, Any]]) -> None:
    from motionprint.evaluation.rows import summarise

    table = summarise(rows).astype(object)
    lines = [
        (
            line["method"],
            line["features"] or "",
            str(line["labels_per_class"] or "all"),
            line["condition"] or "",
            line["task"],
            line["metric"],
            f"{line['mean']:.3f}",
            "" if line["n"] == 1 else f"{line['sd']:.3f}",
            str(line["n"]),
        )
        for line in table.where(table.notna(), None).to_dict("records")
    ]
    first = rows[0]
    title = f"{first['dataset']}, {first['protocol']}, fold {first['fold']}: {first['n_test']} test recordings"
    if first["duplicates"]:
        title += f" ({first['duplicates']} of them copies of training recordings)"
    if first["transductive"]:
        title += "; trained on test recordings (transductive)"
    columns = ("method", "features", "labels", "condition", "task", "metric", "mean", "sd", "n")
    print_table(title, columns, lines, left=6)
