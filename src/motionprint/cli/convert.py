"""`motionprint convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from motionprint.cli.progress import progress, quiet_option
from motionprint.cli.reading import reading_options


@click.command("convert", epilog="\b\nExample:\n  motionprint convert cmu.zip kinect --format bvh --map-to kinect20")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--format", metavar="NAME", help="Write files of this format into the folder TARGET: bvh, c3d, ...")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@reading_options
@click.option("--map-to", metavar="SKELETON", help="Bring recordings onto a skeleton: a name, or a TOML file.")
@click.option(
    "--allow-missing", is_flag=True, help="With --map-to: joints that a rig does not have become missing values."
)
@click.option("--strict", is_flag=True, help="With --format: stop at the first file that cannot be converted.")
@quiet_option
def command(source: Path, target: Path, format: str | None, quiet: bool, **options: Any) -> None:
    """Write the motion file SOURCE as TARGET, in the format of its extension.

    With --format, SOURCE may be a folder or an archive too, and TARGET is a folder; files that cannot be converted are
    left out and named. Of several persons in a file each becomes a file, NAME_p0, NAME_p1, ...
    """
    from motionprint.convert import convert
    from motionprint.writers import WRITERS

    if format is not None and format not in WRITERS:
        raise click.UsageError(f"--format: found {format!r}, expected one of {', '.join(WRITERS)}")
    if options["allow_missing"] and options["map_to"] is None:
        raise click.UsageError("--allow-missing goes with --map-to")
    with progress(quiet) as report:
        done = convert(source, target, format=format, report=report, **options)
    for name, reason in done.left_out:
        click.echo(f"left out: {name}: {reason}")
    first = str(done.files[0])
    click.echo(first if len(done.files) == 1 else f"{first} and {len(done.files) - 1} more")
