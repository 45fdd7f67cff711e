"""`motionprint embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from motionprint.cli.counts import say_counts, say_mapped
from motionprint.cli.progress import progress, quiet_option
from motionprint.cli.reading import print_options


@click.command(
    "embed",
    epilog="\b\nExample:\n  motionprint embed runs/cmu takes/*.bvh --out prints.parquet --window 4 --stride 2",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The table of prints to make (.parquet).")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@click.option(
    "--features",
    type=click.Choice(["states", "F", "both"]),
    default="states",
    show_default=True,
    help="The encoder's last states, the paper's print F, or both side by side.",
)
@print_options
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Work on a Dask cluster: the address of its scheduler, or its scheduler file.",
)
@quiet_option
def command(
    run: Path,
    sources: tuple[Path, ...],
    out: Path,
    overwrite: bool,
    features: str,
    window: float | None,
    stride: float | None,
    device: str,
    map_rigs: bool,
    allow_missing: bool,
    scheduler: str | None,
    quiet: bool,
    **reading: Any,
) -> None:
    """Turn recordings into prints with the encoder of RUN, a run folder or motionprint:cmu-small.

    A SOURCE is a data set folder, a motion file, or a folder or .zip archive of motion files. One print a recording,
    or one a window; the table has name, source, person, start and end in seconds, label, subject and print. Say of
    motion files (--unit, --fps) what was said when the run's data set was prepared.
    """
    from motionprint.evaluation import embed
    from motionprint.readers import ReadSettings
    from motionprint.training import load_run

    if stride is not None and window is None:
        raise click.UsageError("--stride needs --window")
    loaded = load_run(run, device)
    if allow_missing and not (map_rigs or loaded.shipped):
        raise click.UsageError("--allow-missing goes with --map-rigs")
    with progress(quiet) as report:
        done = embed(
            loaded,
            sources,
            out,
            features=features,
            window=window,
            stride=stride,
            reading=ReadSettings(**reading),
            map_rigs=map_rigs,
            allow_missing=allow_missing,
            scheduler=scheduler,
            overwrite=overwrite,
            report=report,
        )
    click.echo(f"{out}: {done.prints} prints of {done.size} values, of {done.recordings} recordings")
    if not quiet:
        say_mapped(done, loaded)
        say_counts(done.counts, done.recordings)
