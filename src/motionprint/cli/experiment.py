"""`motionprint experiment`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from motionprint.cli.choices import one_of
from motionprint.cli.progress import progress, quiet_option
from motionprint.errors import DatasetError


def _experiments() -> list[str]:
    from motionprint.experiments.grids import EXPERIMENTS

    return list(EXPERIMENTS)


def _words(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """A callback for names separated by commas."""
    return None if value is None else tuple(word.strip() for word in value.split(",") if word.strip())


@click.command(
    "experiment",
    epilog="\b\nExample:\n  motionprint experiment table2 --data data --out results --jobs 2 --targets mhad,nw_ucla",
)
@click.argument("name", callback=one_of(_experiments), metavar="table1|table2|table3|figure3|ablations")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="A folder of data set folders.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder of results, new or not.")
@click.option("--preset", default="small", show_default=True, help="Sizes and budget: small or paper.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes of this machine.")
@click.option("--scheduler", help="A Dask cluster in their place: its address or scheduler file.")
@click.option(
    "--samplings",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Draws of few labelled recordings, and seeds of training with labels.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Seeds of pre-training.")
@click.option("--targets", callback=_words, metavar="NAME,...", help="Only these data sets and protocols.")
@click.option("--methods", callback=_words, metavar="NAME,...", help="Only these methods.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@quiet_option
@click.pass_obj
def command(command_line: str, /, name: str, data: Path, out: Path, quiet: bool, **options: Any) -> None:
    """Run a table or a figure of the paper on what the data sets in DATA allow; say what is missing.

    Its cells (a training each) are kept in OUT: the same command goes on where it was ended, and runs again only what
    has other data, settings or code. `motionprint report` makes tables and figures of OUT.
    """
    from motionprint.experiments import experiment

    if options["scheduler"] is not None and options["jobs"] > 1:
        raise click.UsageError("--scheduler takes no --jobs: its workers train")
    with progress(quiet) as report:
        outcome = experiment(name, data, out, report=report, command=command_line, **options)
    for line in outcome.missing:
        click.echo(f"missing: {line['what']}: {line['why']}; to be had: {line['where']}")
    new = outcome.cells - outcome.found - len(outcome.failed)
    click.echo(f"{out}: {outcome.cells} cells of {name}: {new} new, {outcome.found} done before")
    for failure in outcome.failed:
        click.echo(f"failed: {failure}", err=True)
    if outcome.failed:
        raise DatasetError(f"{len(outcome.failed)} of {outcome.cells} cells failed; the same command tries them again")
