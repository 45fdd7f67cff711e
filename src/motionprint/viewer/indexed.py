"""What an index folder holds, as a map shows it: its prints, and the motion of each, read again from its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from motionprint.errors import DatasetError, ReadError
from motionprint.readers import Source as Files
from motionprint.readers import read_all, read_from
from motionprint.search import Origin, open_index
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset, open_dataset
from motionprint.viewer.sources import Source, spread
from motionprint.viewer.tables import Items

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["IndexedMotions", "of_index"]


class IndexedMotions(Sequence[SkeletonSequence]):
    """The parts of recordings that the rows of an index speak of; each is read when it is asked for.

    Rows of one file are best asked for one after the other: the recordings of the last file are at hand.
    """

    def __init__(self, folder: Path, rows: pd.DataFrame, origins: Sequence[Origin]) -> None:
        self.folder = folder
        self.rows = rows.to_dict("records")
        self.origins = origins
        self._datasets: dict[int, tuple[MotionDataset, dict[str, int]]] = {}
        self._last: tuple[tuple[int, str], dict[tuple[str, int], SkeletonSequence]] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, item: int) -> SkeletonSequence: ...

    @overload
    def __getitem__(self, item: slice) -> Sequence[SkeletonSequence]: ...

    def __getitem__(self, item: int | slice) -> SkeletonSequence | Sequence[SkeletonSequence]:
        """The motion of a row.

        Raises
        ------
        DatasetError
            If its source is gone, or holds something else by now.
        """
        if isinstance(item, slice):
            return [self[number] for number in range(len(self))[item]]
        row = self.rows[item]
        origin = self.origins[int(row["origin"])]
        where = origin.place(str(row["source"]))
        try:
            whole = self._whole(row, origin)
        except (DatasetError, ReadError) as error:
            raise DatasetError(
                f"{self.folder}: {where}, which it was made of, cannot be read again: {error}"
            ) from error
        if whole is not None:
            first = round(float(row["start"]) * whole.fps)
            last = min(len(whole), round(float(row["end"]) * whole.fps))
            if first < last:
                return replace(whole, positions=whole.positions[first:last])
        raise DatasetError(
            f"{self.folder}: {where}: expected {row['name']} to {row['end']:g} s, as it was indexed, "
            "found another content"
        )

    def _whole(self, row: dict[Any, Any], origin: Origin) -> SkeletonSequence | None:
        """The recording of a row, None where there is no longer one of this name and person."""
        number, file = int(row["origin"]), str(row["source"])
        if origin.kind == "dataset":
            if number not in self._datasets:
                dataset = open_dataset(origin.path)
                self._datasets[number] = dataset, {name: place for place, name in enumerate(dataset.names)}
            dataset, places = self._datasets[number]
            return dataset[places[row["name"]]] if row["name"] in places else None
        if self._last is None or self._last[0] != (number, file):
            found = {(each.name, each.person): each for each in _read(origin, file)}
            self._last = (number, file), found
        return self._last[1].get((row["name"], int(row["person"])))


def _read(origin: Origin, file: str) -> Iterator[SkeletonSequence]:
    if origin.kind == "file":
        yield from read_all(origin.path, origin.reading)
        return
    with Files.open(origin.path) as source:
        yield from read_from(source, file, origin.reading)


def of_index(folder: str | Path, limit: int) -> Source:
    """What is shown of an index: its prints and rows, and the motion of each.

    Raises
    ------
    DatasetError
        If it is not an index folder, a file is damaged, or nothing is in it.
    """
    index = open_index(folder)
    if not len(index):
        raise DatasetError(f"{folder}: expected prints in the index, found none")
    snapshot = index._snapshot
    shown = np.arange(len(index)) if len(index) <= limit else spread(len(index), limit)
    rows = snapshot.table.take(shown).to_pandas()
    for name in ("name", "source", "label", "subject"):
        rows[name] = rows[name].astype(object)  # from a dictionary
    prints = np.asarray(snapshot.graph.get(snapshot.keys[shown]), np.float32)
    origins = index.origins
    rows["place"] = [origins[row.origin].place(row.source) for row in rows.itertuples()]
    items = Items(
        rows["name"].tolist(),
        rows["place"].tolist(),
        rows["person"].tolist(),
        rows["start"].round(3).tolist(),
        rows["end"].round(3).tolist(),
    )
    motions = IndexedMotions(Path(folder), rows, origins)
    of = f"prints of {Path(index.trained).name if index.trained else 'a run'} ({index.settings.features})"
    return Source(str(folder), Path(folder).name, len(index), items, motions, rows, prints, of)
