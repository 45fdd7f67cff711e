"""`motionprint report`."""

from __future__ import annotations

from pathlib import Path

import click

from motionprint.cli.choices import several
from motionprint.cli.progress import progress, quiet_option


@click.command("report", epilog="\b\nExample:\n  motionprint report results/paper results/small --out report")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to make.")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it is an earlier report.")
@click.option(
    "--figures",
    default="png,pdf",
    show_default=True,
    callback=several(["png", "svg", "pdf"]),
    help="What each figure is written as: some of png, svg, pdf, separated by commas.",
)
@quiet_option
def command(results: tuple[Path, ...], out: Path, overwrite: bool, figures: tuple[str, ...], quiet: bool) -> None:
    """Turn RESULTS, folders or files of result rows, into tables and figures, beside what was published.

    OUT gets each table as Markdown, LaTeX and CSV, the figures, and index.md with all of it.
    """
    from motionprint.experiments.report import write_report
    from motionprint.experiments.report.text import plural

    with progress(quiet) as report:
        done = write_report(results, out, endings=figures, overwrite=overwrite, report=report)
    counts = (
        f"{plural(len(done.tables), 'table')} and {plural(len(done.figures), 'figure')} of {plural(done.rows, 'row')}"
    )
    missing = f"; missing: {done.missing}, which it names" if done.missing else ""
    click.echo(f"{out / 'index.md'}: {counts}{missing}")
