"""What an index folder holds, as a map shows it: its prints, and the motion of each, read again from its source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from motionprint.errors import DatasetError, ReadError
from motionprint.search import Origin, Recordings, open_index
from motionprint.sequence import SkeletonSequence
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
        self._recordings = Recordings(origins)

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
        what = (row[column] for column in ("origin", "source", "name", "person", "start", "end"))
        try:
            return self._recordings.part(*what)
        except (DatasetError, ReadError) as error:
            raise DatasetError(f"{self.folder}: a recording in it cannot be read again: {error}") from error


def of_index(folder: str | Path, limit: int) -> Source:
    """What is shown of an index: its prints and rows, and the motion of each.

    Raises
    ------
    DatasetError
        If it is not an index folder, a file is damaged, or nothing is in it.
    """
    index = open_index(folder)
    shown = np.arange(len(index)) if len(index) <= limit else spread(len(index), limit)
    prints, rows = index.prints(shown), index.rows(shown)
    origins = index.origins
    rows["place"] = [origins[origin].place(file) for origin, file in zip(rows["origin"], rows["source"], strict=True)]
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
