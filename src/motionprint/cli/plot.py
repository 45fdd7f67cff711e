"""`motionprint plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from motionprint.cli.choices import one_of
from motionprint.cli.progress import progress, quiet_option
from motionprint.cli.reading import reading_options


def _kinds() -> list[str]:
    from motionprint.pictures import KINDS

    return list(KINDS)


def _kind(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    return value if value is None else one_of(_kinds)(context, parameter, value)


@click.command("plot", epilog="\b\nExample:\n  motionprint plot walk.bvh --out walk.gif --from 2 --to 6")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The picture to make: .png, .svg, .pdf; of motion .gif or .mp4 as well, a film in real time.",
)
@click.option("--gif", is_flag=False, flag_value="", metavar="[FILE]", help="Film one recording: --out FILE, a GIF.")
@click.option("--mp4", is_flag=False, flag_value="", metavar="[FILE]", help="The same as MP4; FILE is SOURCE's name.")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@click.option(
    "--kind",
    callback=_kind,
    help="Of motion: strip, trajectories, film; of a run: curves, confusion; of rows: labels, bars.  "
    "[default: what suits SOURCE and OUT]",
)
@click.option("--name", "names", multiple=True, help="Which recording, of a source of several; may be repeated.")
@click.option("--from", "start", type=click.FloatRange(min=0), help="Seconds of the motion at which to begin.")
@click.option("--to", "end", type=click.FloatRange(min=0, min_open=True), help="Seconds at which to end.")
@click.option("--joints", help="With trajectories: which joints, separated by commas.")
@click.option(
    "--moments", type=click.IntRange(min=1, max=100), default=8, show_default=True, help="Figures of a strip."
)
@click.option("--data", "dataset", type=click.Path(path_type=Path), help="The data set of a confusion matrix.")
@click.option("--task", default="linear", show_default=True, help="Of a label curve: linear, knn1, knn5, supervised.")
@click.option("--title", default="", help="What stands above.")
@reading_options
@quiet_option
def command(
    source: Path,
    out: Path | None,
    gif: str | None,
    mp4: str | None,
    overwrite: bool,
    kind: str | None,
    names: tuple[str, ...],
    start: float | None,
    end: float | None,
    joints: str | None,
    moments: int,
    dataset: Path | None,
    task: str,
    title: str,
    quiet: bool,
    **reading: Any,
) -> None:
    """Draw SOURCE: motion as stick figures, trajectories or a film; a run's training; result rows.

    SOURCE is a motion file, a folder or .zip archive of them, a data set folder; a run folder; a predictions.csv; or a
    file of rows (.jsonl).
    """
    from motionprint.pictures import plot
    from motionprint.readers import ReadSettings

    target = _target(source, out, {".gif": gif, ".mp4": mp4})
    with progress(quiet) as report:
        drawn = plot(
            source,
            target,
            kind=kind,
            names=names,
            joints=[] if joints is None else [word.strip() for word in joints.split(",") if word.strip()],
            start=start,
            end=end,
            moments=moments,
            dataset=dataset,
            task=task,
            title=title,
            reading=ReadSettings(**reading),
            overwrite=overwrite,
            report=report,
        )
    click.echo(f"{target}: {drawn}")


def _target(source: Path, out: Path | None, films: dict[str, str | None]) -> Path:
    """What is to be written: OUT, or the film of an ending; one that has no name is called after the source."""
    asked = {ending: name for ending, name in films.items() if name is not None}
    if len(asked) > 1:
        raise click.UsageError("--gif and --mp4 are two films: ask for one at a time")
    for ending, name in asked.items():
        if name and out is not None:
            raise click.UsageError(f"--out and {ending.replace('.', '--')} {name} are two names: give one")
        out = Path(name) if name else out or Path(source.resolve().stem + ending)
        if out.suffix.lower() != ending:
            raise click.UsageError(f"{out}: expected a name that ends in {ending}, as {ending.replace('.', '--')} says")
    if out is None:
        raise click.UsageError("Missing option '--out'.")
    return out
