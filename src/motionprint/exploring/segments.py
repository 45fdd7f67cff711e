"""A long recording in segments: cut where the movement changes, and which of them are alike."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError, SettingsError
from motionprint.evaluation.prints import encode_frames
from motionprint.evaluation.probes import unit_vectors
from motionprint.exploring.changes import change_points
from motionprint.preprocessing import recorded_ranges
from motionprint.preprocessing.time import windows
from motionprint.progress import Report
from motionprint.readers import DEFAULT, ReadSettings, read_all
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.atomic import new_file
from motionprint.training import Run

__all__ = [
    "Alike",
    "Segment",
    "SegmentSettings",
    "Segmentation",
    "cut_windows",
    "find_segments",
    "open_recordings",
    "write_segments",
]

Floats = npt.NDArray[np.float64]

COLUMNS = ("file", "start", "end", "label", "recording", "actor", "frames", "group")
"""Of the table of segments: no other names than a table of labels may have for columns of its own."""


@dataclass(frozen=True)
class SegmentSettings:
    """How recordings are cut. docs/exploring.md has what the numbers were chosen by."""

    window: float = 1.0
    """Seconds of a window, each of which has a print; a segment lasts three quarters of one at least."""
    stride: float = 0.1
    """Seconds from window to window: how finely cuts are placed."""
    penalty: float = 0.35
    """What a cut has to save, in squared distance of prints of length 1, times the windows in a window's time."""
    alike: float = 0.95
    """The cosine of their mean prints from which on a segment resembles an earlier one."""

    def __post_init__(self) -> None:
        if not (0 < self.stride <= self.window < np.inf):
            raise SettingsError(
                f"expected a window of at least the stride, both above 0 s, found {self.window:g} and {self.stride:g}"
            )
        if not (0 < self.penalty < np.inf):
            raise SettingsError(f"expected a penalty above 0, found {self.penalty:g}")
        if not -1 <= self.alike <= 1:
            raise SettingsError(f"expected alike to be a cosine from -1 to 1, found {self.alike:g}")


@dataclass(frozen=True)
class Segment:
    """A part of a recording in which the movement stays the same."""

    name: str
    """Of the recording."""
    source: str | None
    """The file that the recording was read from."""
    person: int
    """Which of the persons in its file this is."""
    start: float
    """Seconds."""
    end: float
    """Seconds: the next one starts here."""
    frames: int
    """Frames from start to before the end."""
    group: int
    """Segments of one number are alike; numbers rise in the order in which they first come, from 0."""


@dataclass(frozen=True)
class Segmentation:
    """Recordings in segments."""

    segments: tuple[Segment, ...]
    """In the order of the recordings and of time."""
    recordings: int
    """How many there were."""
    short: tuple[str, ...]
    """The names of those that are shorter than a window: each is one segment."""


def open_recordings(
    path: str | Path, *, name: str | None = None, reading: ReadSettings = DEFAULT
) -> Sequence[SkeletonSequence] | MotionDataset:
    """The recordings of a motion file (one a person), or of a data set folder: the one called ``name``, or all.

    Raises
    ------
    ReadError
        If the file cannot be read.
    DatasetError
        If the folder cannot be read, or has no recording of that name, which only a data set folder takes.
    """
    if not (Path(path) / "index.parquet").is_file():
        if name is not None:
            raise DatasetError(f"{path}: expected a data set folder with --name, found none")
        return list(read_all(path, reading))
    reading.refuse(str(path), "a data set folder: it has its own", *(each.name for each in fields(ReadSettings)))
    dataset = open_dataset(path)
    if name is None:
        return dataset
    if name not in dataset.names:
        raise DatasetError(f"{path}: expected a recording called {name!r}, found none; motionprint info names some")
    return dataset.subset([dataset.names.index(name)])


def find_segments(
    run: Run,
    recordings: Iterable[SkeletonSequence],
    settings: SegmentSettings | None = None,
    *,
    report: Report | None = None,
) -> Segmentation:
    """Cut recordings where the prints of short windows change.

    Windows slide over a recording; their prints, of length 1, are cut by `change_points`, and a cut lies half-way
    between the middles of the windows beside it. A segment gets the group of the earlier one whose mean print is most
    like its own, in whichever of the recordings, if that is ``alike`` enough, and a new group if not. Memory grows with
    the seconds of the recordings, by one print a stride.

    Raises
    ------
    SkeletonMismatchError
        If a recording has other joints than the run.
    DatasetError
        If there is no recording, or one has no recorded joint, or no root, in any frame.
    """
    settings = settings or SegmentSettings()
    segments: list[Segment] = []
    short: list[str] = []
    groups = Alike(settings.alike)
    count = 0
    for count, sequence in enumerate(recordings, start=1):  # noqa: B007  (the number of recordings is wanted)
        run.require_joints(sequence)
        ranges = recorded_ranges(sequence, windows(len(sequence), sequence.fps, settings.window, settings.stride))
        if sequence.duration < settings.window:
            short.append(sequence.name)
        vectors = _vectors(run, sequence, ranges, report)  # (n, R)
        cuts = cut_windows(vectors, settings)
        places = [0, *cuts, len(ranges)]
        middles = [(start + end) / 2 for start, end in ranges]
        frames = [0, *(round((middles[cut - 1] + middles[cut]) / 2) for cut in cuts), len(sequence)]
        for number in range(len(places) - 1):
            group = groups.of(vectors[places[number] : places[number + 1]].mean(axis=0))
            start, end = frames[number], frames[number + 1]
            where = (sequence.name, sequence.source, sequence.person, start / sequence.fps, end / sequence.fps)
            segments.append(Segment(*where, end - start, group))
    if not count:
        raise DatasetError("expected at least one recording, found none")
    return Segmentation(tuple(segments), count, tuple(short))


def cut_windows(vectors: Floats, settings: SegmentSettings) -> list[int]:
    """The numbers of the windows, of vectors (n, R) of length 1, that begin a new segment."""
    inside = max(1, round(settings.window / settings.stride))
    return change_points(vectors, settings.penalty * inside, max(1, round(0.75 * inside)))


def _vectors(run: Run, sequence: SkeletonSequence, ranges: list[tuple[int, int]], report: Report | None) -> Floats:
    """(n, R) the prints of windows, of length 1."""

    def frames() -> Iterator[npt.NDArray[np.float32]]:
        for number, piece in enumerate(ranges):
            if report is not None:
                report(number + 1, len(ranges), sequence.name or "windows")
            yield run.recipe.apply(sequence, piece)

    return unit_vectors(np.concatenate(list(encode_frames(run, frames(), "states"))).astype(np.float64))


class Alike:
    """Groups of segments, made as they come."""

    def __init__(self, alike: float) -> None:
        self._alike = alike
        self._vectors: Floats = np.empty((0, 0))  # a row a segment, then room for more
        self._groups: list[int] = []

    def of(self, vector: Floats) -> int:
        """The group of a segment by its mean print (R,)."""
        vector = unit_vectors(vector[None])[0]
        group, count = max(self._groups, default=-1) + 1, len(self._groups)
        if count:
            likeness = self._vectors[:count] @ vector
            nearest = int(np.argmax(likeness))
            if likeness[nearest] >= self._alike:
                group = self._groups[nearest]
        if count == len(self._vectors):  # twice the room: grown by a row each time, all would be copied each time
            self._vectors.resize((2 * count or 1, len(vector)), refcheck=False)
        self._vectors[count] = vector
        self._groups.append(group)
        return group


def write_segments(found: Segmentation, out: str | Path, *, overwrite: bool = False) -> None:
    """Write a CSV file with a row a segment.

    The columns: file, start, end (seconds), label (nothing yet), recording, actor (its person), frames, group. Once
    labels are filled in, ``prepare folder --labels`` reads it, and keeps the last four.

    Raises
    ------
    DatasetError
        If ``out`` exists and may not be overwritten.
    """
    with new_file(out, overwrite) as building, building.open("w", encoding="utf-8", newline="") as file:
        table: Any = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for each in found.segments:
            where = [each.source or "", repr(each.start), repr(each.end), ""]
            table.writerow([*where, each.name, each.person, each.frames, each.group])
