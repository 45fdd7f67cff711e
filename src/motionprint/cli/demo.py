"""`motionprint demo`."""

from __future__ import annotations

from pathlib import Path

import click

from motionprint.cli.progress import progress, quiet_option
from motionprint.cli.tables import print_table


@click.command("demo", epilog="\b\nExample:\n  motionprint demo --out motionprint-demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("motionprint-demo"),
    show_default=True,
    help="The folder to make: data set, run, rows and picture.",
)
@click.option("--overwrite", is_flag=True, help="Replace what OUT holds of an earlier demo.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of weights, batches and hiding."
)
@click.option("--steps", type=click.IntRange(min=1), help="Batches to train on, in place of about two minutes' worth.")
@quiet_option
@click.pass_obj
def command(command_line: str, /, out: Path, overwrite: bool, seed: int, steps: int | None, quiet: bool) -> None:
    """Pre-train LongT GAN on the built-in data set, compare its prints, and draw what it inpaints.

    Offline, on two CPU cores, in a few minutes. The data set is procedural motion, a stand-in for recordings.
    """
    from motionprint.demo import COLUMNS, run_demo

    with progress(quiet) as report:
        result = run_demo(out, steps=steps, seed=seed, overwrite=overwrite, report=report, command=command_line)
    print_table(result.title, ("prints", *COLUMNS), result.lines)
    click.echo(result.inpainting)
    click.echo(f"picture: {result.picture}")
