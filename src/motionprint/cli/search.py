"""`motionprint search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from motionprint.cli.picture import new_picture
from motionprint.cli.progress import quiet_option
from motionprint.cli.reading import reading_options
from motionprint.cli.tables import print_table
from motionprint.errors import DatasetError, MotionprintError

if TYPE_CHECKING:
    from motionprint.search import Hit, MotionIndex
    from motionprint.sequence import SkeletonSequence

DRAWN = 8
"""Hits in a picture at most."""

LONGER = 1.5
"""How many times longer than a window a query may be before it is said that they do not go together."""


@click.command(
    "search",
    epilog="\b\nExample:\n  motionprint search indexes/cmu walk.bvh --from 1 --to 3 -k 5 --picture hits.png",
)
@click.argument("index", type=click.Path(path_type=Path))
@click.argument("query")
@click.option("-k", "hits", type=click.IntRange(min=1), default=10, show_default=True, help="Hits to show.")
@click.option("--from", "start", type=float, metavar="SECONDS", help="Where the query begins in its recording.")
@click.option("--to", "end", type=float, metavar="SECONDS", help="Where it ends.")
@click.option("--person", type=click.IntRange(min=0), help="Whose motion, where the recording has several [the first].")
@click.option("--exact", is_flag=True, help="Compare with every print: slower, and nothing is overlooked.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the hits too (.csv, .parquet, .jsonl).")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the query and the hits (.png, .svg, .pdf).")
@click.option("--overwrite", is_flag=True, help="Replace these files where they exist.")
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@reading_options
@quiet_option
def command(
    index: Path,
    query: str,
    hits: int,
    start: float | None,
    end: float | None,
    person: int | None,
    exact: bool,
    out: Path | None,
    picture: Path | None,
    overwrite: bool,
    device: str,
    quiet: bool,
    **reading: Any,
) -> None:
    """Find what is most like QUERY among the recordings of INDEX.

    QUERY is a motion file, or the name of a recording that is in INDEX. Of hits of one recording that overlap in
    time, only the likest is shown. Say of a motion file (--unit, --fps) what was said of those in the index.
    """
    from motionprint.readers import ReadSettings
    from motionprint.search import cut, open_index, write_hits

    opened = open_index(index, device)
    settings = ReadSettings(**reading)
    there = Path(query).exists() or any(above.is_file() for above in Path(query).parents)  # or in an archive
    if not there and query not in opened:
        raise DatasetError(f"{query}: expected a motion file, or the name of a recording in {index}, found neither")
    if not there:
        settings.refuse(query, "a recording of the index: it is read as it was", *reading)
        found = opened.search(query, hits, start=start, end=end, person=person, exact=exact)
        motion = opened.find(query, person) if picture is not None or not quiet else None
    else:
        motion = _read(query, index, settings, person)
        found = opened.search(motion, hits, start=start, end=end, exact=exact)
    if motion is not None:
        motion = cut(motion, start, end)
        _say_length(opened, motion, quiet)
    with new_picture(picture, overwrite, out) as drawing:
        if drawing is not None and motion is not None:
            _draw(opened, motion, found, drawing)
        if out is not None:
            write_hits(found, out, overwrite)
    _print(index, opened, query, found)


def _read(query: str, index: Path, settings: Any, person: int | None) -> SkeletonSequence:
    """The person of a motion file that is asked for."""
    from motionprint.readers import read_all

    if Path(query).is_dir():
        raise DatasetError(f"{query}: expected a motion file, or the name of a recording in {index}, found a folder")
    persons = list(read_all(query, settings))
    if person is None:
        return persons[0]
    if not (chosen := [each for each in persons if each.person == person]):
        known = ", ".join(str(each.person) for each in persons)
        raise DatasetError(f"{query}: expected a person among {known}, found {person}")
    return chosen[0]


def _say_length(opened: MotionIndex, motion: SkeletonSequence, quiet: bool) -> None:
    window = opened.settings.window
    if not quiet and window is not None and motion.duration > LONGER * window:
        click.echo(
            f"note: the query lasts {motion.duration:.1f} s, the index has windows of {window:g} s: --from and --to "
            "cut the query",
            err=True,
        )


def _draw(opened: MotionIndex, motion: SkeletonSequence, found: list[Hit], picture: Path) -> None:
    """The query and the hits whose recordings are still there."""
    from motionprint.pictures import motion_strips

    sequences, texts = [motion], [f"query\n{motion.name}"]
    for rank, hit in enumerate(found[:DRAWN], start=1):
        try:
            sequences.append(opened.recording(hit))
        except MotionprintError as error:
            click.echo(f"note: not drawn: {error}", err=True)
            continue
        label = f"\n{hit.label}" if hit.label else ""
        texts.append(f"{rank}: {hit.name}\n{hit.start:.1f} to {hit.end:.1f} s, {hit.distance:.3f}{label}")
    motion_strips(sequences, picture, texts=texts)


def _print(index: Path, opened: MotionIndex, query: str, found: list[Hit]) -> None:
    lines = [
        (
            str(rank),
            hit.name,
            hit.source,
            hit.label or "",
            str(hit.person),
            f"{hit.start:.2f}",
            f"{hit.end:.2f}",
            f"{hit.distance:.4f}",
        )
        for rank, hit in enumerate(found, start=1)
    ]
    title = f"{index}: {len(found)} hits for {query} among {len(opened)} prints"
    print_table(title, ("", "name", "source", "label", "person", "from, s", "to, s", "distance"), lines, left=4)
