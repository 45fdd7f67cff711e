"""`motionprint plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from motionprint.cli.choices import one_of
from motionprint.cli.progress import progress, quiet_option
from motionprint.cli.reading import reading_options


def _kinds() -> list[str]:
    from motionprint.pictures import KINDS

    return list(KINDS)


def _kind(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    return value if value is None else one_of(_kinds)(context, parameter, value)


@click.command("plot", epilog="\b\nExample:\n  motionprint plot walk.bvh --out walk.gif --from 2 --to 6")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The picture to make: .png, .svg, .pdf; of motion .gif or .mp4 as well, a film in real time.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@click.option(
    "--kind",
    callback=_kind,
    help="Of motion: strip, trajectories, film; of a run: curves, confusion; of rows: labels, bars.  "
    "[default: what suits SOURCE and OUT]",
)
@click.option("--name", "names", multiple=True, help="Which recording, of a source of several; may be repeated.")
@click.option("--from", "start", type=click.FloatRange(min=0), help="Seconds of the motion at which to begin.")
@click.option("--to", "end", type=click.FloatRange(min=0, min_open=True), help="Seconds at which to end.")
@click.option("--joints", help="With trajectories: which joints, separated by commas.")
@click.option(
    "--moments", type=click.IntRange(min=1, max=100), default=8, show_default=True, help="Figures of a strip."
)
@click.option("--data", "dataset", type=click.Path(path_type=Path), help="The data set of a confusion matrix.")
@click.option("--task", default="linear", show_default=True, help="Of a label curve: linear, knn1, knn5, supervised.")
@click.option("--title", default="", help="What stands above.")
@reading_options
@quiet_option
def command(
    source: Path,
    out: Path,
    overwrite: bool,
    kind: str | None,
    names: tuple[str, ...],
    start: float | None,
    end: float | None,
    joints: str | None,
    moments: int,
    dataset: Path | None,
    task: str,
    title: str,
    quiet: bool,
    **reading: Any,
) -> None:
    """Draw SOURCE: motion as stick figures, trajectories or a film; a run's training; result rows.

    SOURCE is a motion file, a folder or .zip archive of them, a data set folder; a run folder; a predictions.csv; or a
    file of rows (.jsonl).
    """
    from motionprint.pictures import plot
    from motionprint.readers import ReadSettings

    with progress(quiet) as report:
        drawn = plot(
            source,
            out,
            kind=kind,
            names=names,
            joints=[] if joints is None else [word.strip() for word in joints.split(",") if word.strip()],
            start=start,
            end=end,
            moments=moments,
            dataset=dataset,
            task=task,
            title=title,
            reading=ReadSettings(**reading),
            overwrite=overwrite,
            report=report,
        )
    click.echo(f"{out}: {drawn}")
