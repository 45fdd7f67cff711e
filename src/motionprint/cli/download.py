"""`motionprint download`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from motionprint.cli.choices import one_of
from motionprint.cli.progress import progress, quiet_option

if TYPE_CHECKING:
    from motionprint.download import Fetched


def _corpora() -> list[str]:
    from motionprint.corpora import CORPORA

    return list(CORPORA)


@click.command("download", epilog="\b\nExample:\n  motionprint download cmu --to archives")
@click.argument("corpus", callback=one_of(_corpora))
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder for the files.  [default: this one]",
)
@quiet_option
def command(corpus: str, to: Path, quiet: bool) -> None:
    """Fetch what may be fetched of CORPUS, and say where the rest is to be had.

    A download that was cut is continued by the next one. Archives are not unpacked: `prepare` takes them as they are.
    """
    from motionprint.corpora import CORPORA
    from motionprint.download import download

    chosen = CORPORA[corpus]
    click.echo(f"{chosen.title}\nobtain: {chosen.obtain}\nlayout: {chosen.layout}")
    if not chosen.needs_source:
        click.echo(f"nothing to fetch: motionprint prepare {corpus} generates it")
    elif not chosen.downloads:
        click.echo("nothing that motionprint may fetch: get it there")
    with progress(quiet) as report:
        fetched = download(corpus, to, report=report)
    for file in fetched:
        click.echo(_said(file))
        click.echo(f"next: motionprint prepare {corpus} {file.path} --out DATASET")


def _said(file: Fetched) -> str:
    how = {
        "published": "as published",
        "recorded": "as recorded before",
        "first": f"none is known to compare with; recorded in {file.path.name}.sha256",
    }[file.checked]
    there = "was there" if file.was_there else f"from {file.url}"
    return f"{file.path}: {file.size} bytes, {there}, sha256 {file.sha256} ({how})"
