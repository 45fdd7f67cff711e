"""`motionprint prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from motionprint.cli.choices import one_of
from motionprint.cli.progress import progress, quiet_option
from motionprint.cli.reading import reading_options

if TYPE_CHECKING:
    from motionprint.prepare import Prepared


def _corpora() -> list[str]:
    from motionprint.corpora import CORPORA

    return list(CORPORA)


@click.command(
    "prepare",
    epilog="\b\nExample:\n  motionprint prepare hdm05 HDM05_cut_amc.zip --out data/hdm05",
)
@click.argument("corpus", callback=one_of(_corpora))
@click.argument("source", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The data set folder to make.")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@reading_options
@click.option("--labels", metavar="WHERE", help="For `folder`: subfolders, none, or a CSV file (file, label, subject).")
@click.option(
    "--persons",
    type=click.Choice(["each", "first", "pair"]),
    help="Several persons in a recording: a sequence each, the main actor, or two as one; else as the corpus says.",
)
@click.option("--skip-unreadable", is_flag=True, help="Leave out files that cannot be read, by name, and go on.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that read files.")
@quiet_option
@click.pass_obj
def command(command_line: str, /, corpus: str, source: Path | None, out: Path, quiet: bool, **options: Any) -> None:
    """Turn a corpus of recordings into the data set folder OUT.

    CORPUS is one of hdm05, berkeley_mhad, nw_ucla, ntu_rgbd, ntu_rgbd_120, msr_action3d, sbu, utd_mhad, mhad_dmocap,
    synthetic and folder (files of your own). SOURCE is a folder, a file or a .zip archive; `synthetic` is generated
    and takes none.
    """
    from motionprint.corpora import CORPORA
    from motionprint.prepare import prepare

    if source is None and CORPORA[corpus].needs_source:
        raise click.UsageError(f"{corpus} needs a SOURCE: {CORPORA[corpus].layout}")
    if source is not None and not CORPORA[corpus].needs_source:
        raise click.UsageError(f"{corpus} is generated and takes no SOURCE, found {source}")
    with progress(quiet) as report:
        summary = prepare(corpus, source, out, report=report, command=command_line, **options)
    _print_summary(summary)


def _print_summary(summary: Prepared) -> None:
    click.echo(
        f"{summary.folder}: {summary.sequences} sequences, {summary.classes} classes, {summary.subjects} subjects, "
        f"{summary.joints} joints, {summary.frames} frames, {summary.seconds / 60:.1f} minutes"
    )
    for left_out in summary.left_out:
        click.echo(f"left out: {left_out.name}: {left_out.reason}")
    if summary.duplicates:
        click.echo(f"duplicates: {len(summary.duplicates)} groups of equal recordings (named in prepare.json)")
    if summary.missing_values:
        click.echo(f"missing: {summary.missing_values} values in {summary.missing_sequences} sequences")
