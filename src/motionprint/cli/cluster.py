"""`motionprint cluster`."""

from __future__ import annotations

from pathlib import Path

import click

from motionprint.cli.picture import new_picture
from motionprint.cli.progress import progress, quiet_option
from motionprint.cli.tables import print_table

DRAWN = 12
"""Groups that are drawn at most, the largest ones."""


def _count(context: click.Context, option: click.Parameter, value: str) -> int | None:
    """A number of clusters; None chooses it."""
    if value == "auto":
        return None
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise click.BadParameter(f"expected auto or a number from 1, found {value!r}")
    return int(value)


@click.command(
    "cluster",
    epilog="\b\nExample:\n  motionprint cluster runs/takes data/takes --out clusters.csv --picture clusters.png",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-k", "count", metavar="auto|N", default="auto", show_default=True, callback=_count, help="How many.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The table to make (.csv).")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the representatives (.png, .svg, .pdf).")
@click.option("--overwrite", is_flag=True, help="Replace OUT and the picture where they exist.")
@click.option(
    "--near",
    type=click.FloatRange(min=0),
    help="How near near-duplicates are, of the usual distance to the nearest; 0: equal positions.  [default: 0.2]",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is drawn at random.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@quiet_option
def command(
    run: Path,
    dataset: Path,
    count: int | None,
    out: Path,
    picture: Path | None,
    overwrite: bool,
    near: float | None,
    seed: int,
    device: str,
    quiet: bool,
) -> None:
    """Group the recordings of DATASET by their prints, and find those that are there twice.

    The table has name, source, label, cluster, distance to the cluster's representative, representative (true, false)
    and near_duplicate_of. Labels group nothing: they only say how pure the clusters are.
    """
    from motionprint.exploring import find_groups, write_groups
    from motionprint.exploring.groups import NEAR
    from motionprint.store import open_dataset
    from motionprint.store.atomic import new_file
    from motionprint.training import load_run

    opened = open_dataset(dataset)
    near = NEAR if near is None else near
    with new_file(out, overwrite) as table, new_picture(picture, overwrite, out) as drawing:
        with progress(quiet) as report:
            found = find_groups(load_run(run, device), opened, count=count, near=near, seed=seed, report=report)
        if drawing is not None:
            from motionprint.pictures import motion_strips

            drawn = found.groups[:DRAWN]
            texts = [f"cluster {each.number}: {each.size}\n{opened.names[each.representative]}" for each in drawn]
            motion_strips([opened[each.representative] for each in drawn], drawing, texts=texts)
        write_groups(found, table)
    rows = [
        (
            str(each.number),
            opened.names[each.representative],
            each.label or "-",
            str(each.size),
            "-" if each.purity is None else f"{100 * each.purity:.0f}",
        )
        for each in found.groups
    ]
    how = "as many as the prints suggest" if found.chosen else "as many as asked for"
    title = f"{out}: {len(found.names)} recordings in {len(found.groups)} clusters ({found.algorithm}, {how})"
    print_table(title, ("cluster", "representative", "commonest label", "size", "purity, %"), rows, left=3)
    if found.purity is not None:
        click.echo(f"purity over all: {100 * found.purity:.1f} %")
    click.echo(f"near-duplicates: {int((found.copy_of >= 0).sum())}")
