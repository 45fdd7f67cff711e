"""The recordings of an index, read again from the sources that they were added from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from motionprint.errors import DatasetError
from motionprint.readers import read_all, read_from
from motionprint.readers.source import Source, is_archive
from motionprint.search.folder import Origin
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset, open_dataset

__all__ = ["Recordings"]


class Recordings:
    """Recordings of sources, by their numbers; the data sets and the last file that were read stay at hand."""

    def __init__(self, origins: Sequence[Origin]) -> None:
        self._origins = origins
        self._datasets: dict[int, tuple[MotionDataset, dict[str, int]]] = {}
        self._last: tuple[tuple[int, str], dict[tuple[str, int], SkeletonSequence]] | None = None

    def part(self, origin: int, file: str, name: str, person: int, start: float, end: float) -> SkeletonSequence:
        """The part of a recording from ``start`` to ``end`` (seconds; infinity for its end).

        Raises
        ------
        DatasetError
            If the source, or the recording in it, is gone.
        """
        whole = self._whole(origin, file, name, person)
        if whole is not None:
            first, last = round(start * whole.fps), len(whole)
            if np.isfinite(end):
                last = min(last, round(end * whole.fps))
            if first < last:
                return replace(whole, positions=whole.positions[first:last])
        where = self._origins[origin].place(file, given=False)
        raise DatasetError(f"{where}: expected {name} to {end:g} s, as it was indexed, found another content")

    def _whole(self, number: int, file: str, name: str, person: int) -> SkeletonSequence | None:
        """A recording, None where there is no longer one of this name and person."""
        origin = self._origins[number]
        if self._last is not None and self._last[0] == (number, file):
            return self._last[1].get((name, person))
        if number not in self._datasets and not _there(origin, file):
            where = origin.place(file, given=False)
            raise DatasetError(f"{where}: expected the recording {name} that was indexed, found no such file")
        if origin.kind == "dataset":
            if number not in self._datasets:
                opened = open_dataset(origin.path)
                self._datasets[number] = opened, {each: place for place, each in enumerate(opened.names)}
            dataset, places = self._datasets[number]
            found = dataset[places[name]] if name in places else None
            return found if found is not None and found.person == person else None
        self._last = (number, file), {(each.name, each.person): each for each in _read(origin, file)}
        return self._last[1].get((name, person))


def _there(origin: Origin, file: str) -> bool:
    path = Path(origin.path)
    if origin.kind == "files":
        if not path.exists():
            return False
        with Source.open(path) as source:
            return source.stamp(file) is not None
    above = next((each for each in path.parents if is_archive(each)), None) if not path.exists() else None
    return path.exists() or (above is not None and above.is_file())


def _read(origin: Origin, file: str) -> Iterator[SkeletonSequence]:
    if origin.kind == "file":
        yield from read_all(origin.path, origin.reading)
        return
    with Source.open(origin.path) as source:
        yield from read_from(source, file, origin.reading)
