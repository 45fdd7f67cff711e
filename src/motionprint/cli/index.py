"""`motionprint index`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from motionprint.cli.counts import say_counts, say_mapped
from motionprint.cli.progress import progress, quiet_option
from motionprint.cli.reading import print_options


@click.command(
    "index",
    epilog="\b\nExample:\n  motionprint index runs/cmu data/cmu takes --out indexes/cmu --window 2 --stride 0.5",
)
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.argument("sources", metavar="SOURCE...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", metavar="INDEX", type=click.Path(path_type=Path), required=True, help="The index folder.")
@click.option("--overwrite", is_flag=True, help="Replace INDEX where it exists.")
@click.option("--add", is_flag=True, help="Add the sources to INDEX; recordings that are in it already are replaced.")
@click.option("--remove", metavar="NAME", multiple=True, help="Remove recordings of this name, or source, from INDEX.")
@click.option(
    "--features",
    type=click.Choice(["states", "F", "both"]),
    help="The encoder's last states, the paper's print F, or both side by side.  [default: states]",
)
@print_options
@quiet_option
def command(
    run: Path | None,
    sources: tuple[Path, ...],
    out: Path,
    overwrite: bool,
    add: bool,
    remove: tuple[str, ...],
    features: str | None,
    window: float | None,
    stride: float | None,
    device: str,
    map_rigs: bool,
    allow_missing: bool,
    quiet: bool,
    **reading: Any,
) -> None:
    """Make an index of recordings, by the prints of RUN, for `motionprint search`.

    A SOURCE is what `embed` takes: a data set folder, a motion file, or a folder or .zip archive of motion files. One
    print a recording, or one a window. INDEX holds the run, and is asked without it.
    """
    if remove and (run is not None or sources or add or overwrite):
        raise click.UsageError("--remove goes with --out alone: no RUN, no SOURCE, no --add, no --overwrite")
    if not remove and (run is None or not sources):
        raise click.UsageError("expected RUN and at least one SOURCE")
    if (add or remove) and any((features, window, stride, map_rigs, allow_missing)):
        raise click.UsageError("--features, --window, --stride and --map-rigs are those that the index was made with")
    if add and overwrite:
        raise click.UsageError("--add and --overwrite exclude each other")
    if stride is not None and window is None:
        raise click.UsageError("--stride needs --window")
    from motionprint.readers import ReadSettings
    from motionprint.search import build_index, open_index
    from motionprint.training import load_run

    if remove:
        done = open_index(out).remove(remove)
        click.echo(f"{out}: {done.removed} prints removed, {done.prints} are left")
        return
    assert run is not None
    settings = ReadSettings(**reading)
    loaded = load_run(run, device)
    if allow_missing and not (map_rigs or loaded.shipped):
        raise click.UsageError("--allow-missing goes with --map-rigs")
    with progress(quiet) as report:
        if add:
            index = open_index(out)
            done = index.add(sources, run=loaded, reading=settings, report=report)
        else:
            done = build_index(
                loaded,
                sources,
                out,
                features=features or "states",
                window=window,
                stride=stride,
                reading=settings,
                map_rigs=map_rigs,
                allow_missing=allow_missing,
                overwrite=overwrite,
                report=report,
            )
    replaced = f" ({done.removed} were replaced)" if done.removed else ""
    text = f"{done.added} prints of {done.size} values, of {done.recordings} recordings, added{replaced}"
    click.echo(f"{out}: {text}; {done.prints} in all" if add else f"{out}: {text}")
    if not quiet:
        say_mapped(done, loaded)
        say_counts(done.counts, done.recordings)
