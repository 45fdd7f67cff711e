"""`motionprint segment`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from motionprint.cli.picture import new_picture
from motionprint.cli.progress import progress, quiet_option
from motionprint.cli.reading import reading_options
from motionprint.cli.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from motionprint.exploring import Segment
    from motionprint.sequence import SkeletonSequence

DRAWN = 12
"""Segments that are drawn at most: the longest ones, in the order of time."""
LISTED = 40
"""Segments that are listed at most; the table that --out makes has all."""


@click.command(
    "segment",
    epilog="\b\nExample:\n  motionprint segment runs/takes long.bvh --out segments.csv --picture segments.png",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--name", help="Which recording of a data set folder. Without it: all.")
@click.option("--out", type=click.Path(path_type=Path), help="The table to make (.csv).")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the segments (.png, .svg, .pdf).")
@click.option("--overwrite", is_flag=True, help="Replace OUT and the picture where they exist.")
@click.option("--window", type=click.FloatRange(min=0, min_open=True), help="Seconds of a window.  [default: 1]")
@click.option(
    "--stride", type=click.FloatRange(min=0, min_open=True), help="Seconds from window to window.  [default: 0.1]"
)
@click.option(
    "--penalty",
    type=click.FloatRange(min=0, min_open=True),
    help="What a cut has to save: less cuts more often.  [default: 0.35]",
)
@click.option(
    "--alike",
    type=click.FloatRange(min=-1, max=1),
    help="The cosine from which on segments share a group.  [default: 0.95]",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@reading_options
@quiet_option
def command(
    run: Path,
    recording: Path,
    name: str | None,
    out: Path | None,
    picture: Path | None,
    overwrite: bool,
    window: float | None,
    stride: float | None,
    penalty: float | None,
    alike: float | None,
    device: str,
    quiet: bool,
    **reading: Any,
) -> None:
    """Cut a long RECORDING where the movement changes, and say which segments are alike.

    RECORDING is a motion file or a data set folder. The table has file, start and end in seconds, an empty label,
    recording, actor (its person), frames and group; once labels are filled in, `prepare folder --labels` reads it.
    """
    from motionprint.exploring import SegmentSettings, find_segments, write_segments
    from motionprint.exploring.segments import open_recordings
    from motionprint.readers import ReadSettings
    from motionprint.store.atomic import new_file
    from motionprint.training import load_run

    given = {"window": window, "stride": stride, "penalty": penalty, "alike": alike}
    settings = SegmentSettings(**{key: value for key, value in given.items() if value is not None})
    recordings = open_recordings(recording, name=name, reading=ReadSettings(**reading))
    with (
        new_file(out, overwrite) if out is not None else nullcontext() as table,
        new_picture(picture, overwrite, out) as drawing,
    ):
        with progress(quiet) as report:
            found = find_segments(load_run(run, device), recordings, settings, report=report)
        if drawing is not None:
            _draw(found.segments, recordings, drawing)
        if table is not None:
            write_segments(found, table)
    rows = [
        (each.name, str(each.person), f"{each.start:.2f}", f"{each.end:.2f}", str(each.frames), str(each.group))
        for each in found.segments[:LISTED]
    ]
    groups = len({each.group for each in found.segments})
    title = f"{recording}: {len(found.segments)} segments of {groups} groups"
    print_table(title, ("name", "person", "start, s", "end, s", "frames", "group"), rows)
    if len(found.segments) > LISTED:
        click.echo(f"... and {len(found.segments) - LISTED} more: --out writes all")
    for short in found.short:
        click.echo(f"note: {short}: shorter than a window of {settings.window:g} s: one segment", err=True)


def _draw(segments: Sequence[Segment], recordings: Iterable[SkeletonSequence], picture: Path) -> None:
    """The longest segments as rows of figures."""
    from dataclasses import replace

    from motionprint.pictures import motion_strips

    longest = sorted(sorted(range(len(segments)), key=lambda number: -segments[number].frames)[:DRAWN])
    drawn = {(segments[number].name, segments[number].person) for number in longest}
    by_name = {(each.name, each.person): each for each in recordings if (each.name, each.person) in drawn}
    parts, texts = [], []
    for each in (segments[number] for number in longest):
        whole = by_name[each.name, each.person]
        first = round(each.start * whole.fps)
        parts.append(replace(whole, positions=whole.positions[first : first + each.frames]))
        texts.append(f"{each.start:.1f} to {each.end:.1f} s\ngroup {each.group}")
    motion_strips(parts, picture, texts=texts)
