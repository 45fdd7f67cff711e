"""`motionprint prepare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from motionprint.cli.choices import one_of
from motionprint.cli.progress import progress, quiet_option
from motionprint.cli.reading import reading_options

if TYPE_CHECKING:
    from motionprint.prepare import Prepared


LISTED = 20
"""Recordings left out that are named; ``prepare.json`` has them all."""


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
@click.option(
    "--labels",
    metavar="WHERE",
    help="For `folder`: subfolders, none, a CSV file (file, label, subject, start, end) or a pattern of file names "
    "({label}_{subject}_{take}); for `cmu`: none or its trial index; for `bandai_namco`: action or style.",
)
@click.option("--classes", type=int, help="How many classes; for `hdm05`: 130 or 65.  [default: 130]")
@click.option(
    "--least-per-class",
    metavar="N",
    type=click.IntRange(min=1),
    help="Recordings of a class that has fewer than N lose their label; they stay in the data set.",
)
@click.option(
    "--persons",
    type=click.Choice(["each", "first", "pair"]),
    help="Several persons in a recording: a sequence each, the main actor, or two as one; else as the corpus says.",
)
@click.option(
    "--map-to", metavar="SKELETON", help="Bring recordings of different rigs onto a skeleton: a name, or a TOML file."
)
@click.option(
    "--allow-missing", is_flag=True, help="With --map-to: joints that a rig does not have become missing values."
)
@click.option("--strict", is_flag=True, help="Fail if any recording is left out.")
@click.option("--resume", is_flag=True, help="Go on with what a prepare that failed or was killed has left.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that read files.")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Read on a Dask cluster: the address of its scheduler, or its scheduler file.",
)
@click.option("--skip-unreadable", is_flag=True, hidden=True)
@quiet_option
@click.pass_obj
def command(
    command_line: str,
    /,
    corpus: str,
    source: Path | None,
    out: Path,
    quiet: bool,
    skip_unreadable: bool,
    **options: Any,
) -> None:
    """Turn a corpus of recordings into the data set folder OUT.

    CORPUS is one of hdm05, berkeley_mhad, nw_ucla, cmu, cmu8, bandai_namco, ntu_rgbd, ntu_rgbd_120, msr_action3d, sbu,
    utd_mhad, mhad_dmocap, synthetic and folder (files of your own). SOURCE is a folder, a file or a .zip archive;
    `synthetic` is generated and takes none. Files that cannot be read are left out and named.
    """
    from motionprint.corpora import CORPORA
    from motionprint.prepare import prepare

    if source is None and CORPORA[corpus].needs_source:
        raise click.UsageError(f"{corpus} needs a SOURCE: {CORPORA[corpus].layout}")
    if source is not None and not CORPORA[corpus].needs_source:
        raise click.UsageError(f"{corpus} is generated and takes no SOURCE, found {source}")
    if options["allow_missing"] and options["map_to"] is None:
        raise click.UsageError("--allow-missing goes with --map-to")
    known = CORPORA[corpus].classes
    if options["classes"] is not None and options["classes"] not in known:
        expected = " or ".join(map(str, known)) or f"none, since {corpus} leaves no choice"
        raise click.UsageError(f"--classes: found {options['classes']}, expected {expected}")
    if options["scheduler"] is not None and options["jobs"] > 1:
        raise click.UsageError("--scheduler takes no --jobs: its workers read")
    if skip_unreadable:
        click.echo("note: --skip-unreadable is deprecated: prepare always does so; --strict is the contrary", err=True)
    with progress(quiet) as report:
        summary = prepare(corpus, source, out, report=report, command=command_line, **options)
    _print_summary(summary)


def _print_summary(summary: Prepared) -> None:
    click.echo(
        f"{summary.folder}: {summary.sequences} sequences, {summary.classes} classes, {summary.subjects} subjects, "
        f"{summary.joints} joints, {summary.frames} frames, {summary.seconds / 60:.1f} minutes"
    )
    if summary.left_out:
        files = len({left_out.source for left_out in summary.left_out})
        click.echo(f"left out, wholly or in part: {files} of {summary.recordings} recordings")
    for left_out in summary.left_out[:LISTED]:
        click.echo(f"left out: {left_out.name}: {left_out.reason}")
    if len(summary.left_out) > LISTED:
        click.echo(f"left out: ... and {len(summary.left_out) - LISTED} more, all in prepare.json")
    if summary.small_classes:
        click.echo(_unlabelled(summary))
    if summary.duplicates:
        click.echo(f"duplicates: {_counted(summary.duplicates, 'group')} of equal recordings (named in prepare.json)")
    for protocol, folds in summary.across.items():
        if any(folds):
            counts = ", ".join(map(str, folds))
            of = "" if len(folds) == 1 else f" (of {len(folds)} folds)"
            click.echo(f"duplicates: {protocol}{of}: {counts} that test equal one that trains")
    if summary.passed_over:
        named = ", ".join(summary.passed_over[:3]) + (", ..." if len(summary.passed_over) > 3 else "")
        click.echo(f"passed over, no motion by content: {_counted(summary.passed_over, 'file')}: {named}")
    if summary.missing_values:
        click.echo(f"missing: {summary.missing_values} values in {summary.missing_sequences} sequences")


def _unlabelled(summary: Prepared) -> str:
    small = [f"{name} ({size})" for name, size in summary.small_classes.items()]
    named = ", ".join(small[:LISTED]) + (f", ... and {len(small) - LISTED} more" if len(small) > LISTED else "")
    return (
        f"unlabelled: {summary.unlabelled} of {summary.sequences} sequences, {sum(summary.small_classes.values())} of "
        f"them since their class has too few: {named}"
    )


def _counted(things: Sequence[object], what: str) -> str:
    return f"{len(things)} {what}{'s' * (len(things) != 1)}"
