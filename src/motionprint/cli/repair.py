"""`motionprint repair`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from motionprint.cli.progress import progress, quiet_option
from motionprint.cli.reading import reading_options


@click.command(
    "repair",
    epilog="\b\nExample:\n  motionprint repair runs/repair walk.c3d --out walk_whole.c3d",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The file to make (.bvh, .c3d, .trc, .npz, .csv)."
)
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@click.option(
    "--joints", metavar="NAME,...", help="Take these for missing in all frames: joints, or body parts as 'left arm'."
)
@click.option("--zeros", is_flag=True, help="Take a joint at exactly (0, 0, 0) for missing.")
@click.option(
    "--gaps",
    type=click.Choice(["auto", "model", "line", "spline", "beside"]),
    default="auto",
    show_default=True,
    help="Who fills: the network, an interpolation, or each what it is better at.",
)
@click.option(
    "--short",
    type=click.FloatRange(min=0),
    default=0.5,
    show_default=True,
    help="Seconds up to which auto interpolates.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@reading_options
@quiet_option
def command(
    run: Path,
    file: Path,
    out: Path,
    overwrite: bool,
    joints: str | None,
    zeros: bool,
    gaps: str,
    short: float,
    device: str,
    quiet: bool,
    **reading: Any,
) -> None:
    """Fill what the motion file FILE lacks with RUN, which pretrain --preset repair has made.

    Filled are joints that a frame lacks, and those named with --joints. What was recorded keeps its numbers, and bones
    keep their lengths. OUT is written in the format of its extension.
    """
    from motionprint.readers import ReadSettings
    from motionprint.repair import repair_file
    from motionprint.training import load_run

    with progress(quiet) as report:
        done = repair_file(
            load_run(run, device),
            file,
            out,
            joints=() if joints is None else [name.strip() for name in joints.split(",")],
            zeros=zeros,
            gaps=gaps,
            short=short,
            reading=ReadSettings(**reading),
            overwrite=overwrite,
            report=report,
        )
    if not done.gaps:
        click.echo(f"{out}: nothing was missing; written as it was read")
        return
    by = " and ".join(f"{count} by {'the ' if way == 'model' else ''}{way}" for way, count in done.gaps.items())
    click.echo(
        f"{out}: filled {done.filled.sum():,} of {done.filled.size:,} points, in {sum(done.gaps.values())} gaps: {by}"
    )
