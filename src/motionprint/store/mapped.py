"""Rows of a file on disk, read at any place, of which few stay in memory however many are read."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MappedRows"]

_RESIDENT = 8 << 20
"""Bytes that may have become resident before the pages are handed back."""

_AROUND = 1 << 16
"""Bytes that Linux maps around a page that is touched, where they are in its cache already."""


class MappedRows:
    """A memory map, read by copying rows out of it.

    The pages of a file that a process has touched count as its memory until they are needed elsewhere, so that reading
    through a map looks, and is accounted, like holding the file. Here the pages go back to the system's cache every now
    and then; they are not lost, and come again at the cost of a page fault. Where there is no ``madvise`` (Windows)
    they stay, which is only a matter of accounting.
    """

    def __init__(self, rows: npt.NDArray[np.float32], *, scattered: bool = False) -> None:
        """Of an ``np.memmap``, or an array where nothing can be mapped; ``scattered``: what is read lies far apart."""
        self._rows: npt.NDArray[np.float32] = np.asarray(rows)
        mapping: Any = getattr(rows, "_mmap", None)
        self._mapping: mmap.mmap | None = mapping if hasattr(mapping, "madvise") else None
        self._touched = 0
        if scattered and self._mapping is not None:
            self._mapping.madvise(mmap.MADV_RANDOM)  # reading ahead would read what nobody asks for

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of all rows."""
        return self._rows.shape

    def read(self, start: int, end: int) -> npt.NDArray[np.float32]:
        """A copy of the rows [start, end)."""
        found = np.array(self._rows[start:end])
        self._hand_back(found.nbytes + _AROUND)
        return found

    def take(self, numbers: npt.NDArray[np.int64], runs: int) -> npt.NDArray[np.float32]:
        """Copies of the rows with these numbers, which lie in ``runs`` neighbourhoods."""
        found: npt.NDArray[np.float32] = self._rows.take(numbers, axis=0)
        self._hand_back(found.nbytes + _AROUND * runs)
        return found

    def _hand_back(self, touched: int) -> None:
        self._touched += touched
        if self._touched > _RESIDENT and self._mapping is not None:
            self._touched = 0
            self._mapping.madvise(mmap.MADV_DONTNEED)
