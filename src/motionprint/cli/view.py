"""`motionprint view`."""

from __future__ import annotations

import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from motionprint.cli.progress import progress, quiet_option

if TYPE_CHECKING:
    from motionprint.viewer import View

PAGE = Path("view.html")
"""What is written where nothing is said."""


@click.command("view", epilog="\b\nExample:\n  motionprint view data/cmu --run runs/cmu --serve --save labels.csv")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="The data set of a CSV file; another one for a run.")
@click.option("--run", type=click.Path(path_type=Path), help="Map the prints of this run, in place of coordinates.")
@click.option("--labels", type=click.Path(path_type=Path), help="A CSV file of labels or clusters to colour by.")
@click.option("--out", type=click.Path(path_type=Path), help=f"The page to make, one HTML file [{PAGE}].")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@click.option("--serve", is_flag=True, help="Serve the page to this machine until Ctrl-C, in place of a file.")
@click.option("--port", type=click.IntRange(0, 65535), help="With --serve: the port [any that is free].")
@click.option(
    "--save", type=click.Path(path_type=Path), help="With --serve: the CSV file that labels given by hand go to."
)
@click.option("--open/--no-open", "show", default=None, help="Open it in the browser [where this is a terminal].")
@click.option(
    "--map",
    "kind",
    type=click.Choice(["auto", "umap", "tsne", "pca"]),
    default="auto",
    show_default=True,
    help="How the map is made; auto is UMAP where umap-learn is installed, else t-SNE.",
)
@click.option(
    "--colour", metavar="NAME", help="label, subject, cluster, confidence, given, or a column of the data set."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    help="Show at most so many, evenly spread.",
)
@quiet_option
def command(
    path: Path,
    data: Path | None,
    run: Path | None,
    labels: Path | None,
    out: Path | None,
    overwrite: bool,
    serve: bool,
    port: int | None,
    save: Path | None,
    show: bool | None,
    kind: Any,
    colour: str | None,
    limit: int,
    quiet: bool,
) -> None:
    """Show a map of recordings in the browser, where each point plays its motion.

    PATH is a data set, a run (its losses and what it inpaints come too), an index, or a CSV file of labels or clusters
    with its --data. The page is one file, which asks no other host for anything.
    """
    if serve and (out is not None or overwrite):
        raise click.UsageError("--serve goes without --out and --overwrite: what is served is no file")
    if not serve and (port is not None or save is not None):
        raise click.UsageError("--port and --save go with --serve")
    from motionprint.errors import DatasetError
    from motionprint.store.atomic import new_file, refused
    from motionprint.viewer import pack

    def packed() -> View:
        with progress(quiet) as report:
            return pack(path, data=data, run=run, labels=labels, map=kind, colour=colour, limit=limit, report=report)

    if serve:
        _serve(packed, save, port or 0, show)
        return
    out = out or PAGE
    with new_file(out, overwrite=overwrite) as unfinished:
        view = packed()
        try:
            unfinished.write_text(view.page, encoding="utf-8")
        except OSError as error:
            raise DatasetError(refused(out, error)) from error
    size = out.stat().st_size / 1e6
    click.echo(f"{out}: {view.summary}, {size:.1f} MB")
    if _wanted(show):
        webbrowser.open(out.absolute().as_uri())


def _serve(packed: Callable[[], View], save: Path | None, port: int, show: bool | None) -> None:
    """Serve a page until Ctrl-C."""
    from motionprint.viewer import Labels, ViewServer

    if save is not None:
        Labels.check(save)  # and the port, before the work
    with ViewServer(port) as server:
        view = packed()
        labels = None if save is None else Labels(save, view.items)
        server.show(view, labels)
        click.echo(f"{server.address} shows {view.summary}; Ctrl-C ends it")
        if _wanted(show):  # a browser without windows ends only when its user does
            threading.Thread(target=webbrowser.open, args=(server.address,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            if labels is not None:
                count = len(labels.given())
                click.echo(f"{save}: {count} labelled sequence{'' if count == 1 else 's'}")


def _wanted(show: bool | None) -> bool:
    return sys.stdout.isatty() if show is None else show
