"""Writing a data set folder, one sequence after another: memory does not grow with the frames."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from motionprint.errors import DatasetError
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton
from motionprint.store.atomic import new_folder
from motionprint.store.dataset import COLUMNS, MotionDataset, check_prepare, open_dataset

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DatasetWriter", "Protocols", "duplicates", "write_dataset"]

Protocols = dict[str, list[dict[str, list[str]]]]
"""Protocol -> folds -> ``train`` and ``test`` -> names."""

ROW_GROUP = 1 << 14
"""Sequences of a row group of the index: whoever walks through it holds the bytes of a whole group."""


class DatasetWriter:
    """Fills a folder with a data set: ``append`` each sequence, then ``finish``.

    Parameters
    ----------
    folder
        An existing empty folder, such as `new_folder` gives.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.skeleton: Skeleton | None = None
        self.frames = 0
        """Frames written so far."""
        self._first = ""
        self._names: set[str] = set()
        self._columns: dict[str, list[Any]] = {column: [] for column in COLUMNS}
        self._extra: dict[str, dict[int, Any]] = {}
        self._file = (folder / "positions.npy").open("wb")
        self._data_start = 0

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        """Sequences written so far."""
        return len(self._names)

    def append(self, sequence: SkeletonSequence) -> str:
        """Write one sequence; its sha256 comes back.

        Raises
        ------
        DatasetError
            If it has no name or one that is taken, no frame, or an own column with the name of one of the contract's.
        SkeletonMismatchError
            If its joints are not those of the first sequence: the text names both and the joints that differ.
        """
        self._check(sequence)
        positions = np.ascontiguousarray(sequence.positions, dtype="<f4")
        data = positions.tobytes()
        digest = hashlib.sha256(data).hexdigest()
        self._file.write(data)
        row = len(self._names)
        self._names.add(sequence.name)
        for key, value in zip(
            COLUMNS,
            (
                *(sequence.name, self.frames, len(positions), sequence.label, sequence.subject, sequence.person),
                *(float(sequence.fps), sequence.source, digest),
            ),
            strict=True,
        ):
            self._columns[key].append(value)
        for key, value in sequence.extra.items():
            self._extra.setdefault(key, {})[row] = value
        self.frames += len(positions)
        return digest

    def _check(self, sequence: SkeletonSequence) -> None:
        if not sequence.name or sequence.name in self._names:
            problem = f"found {sequence.name} more than once" if sequence.name else "found one without a name"
            raise DatasetError(f"{sequence.source or 'data set'}: expected a name for each sequence, {problem}")
        if len(sequence) == 0:
            raise DatasetError(f"{sequence.name}: expected at least one frame, found none")
        reserved = sorted(set(sequence.extra) & set(COLUMNS))
        if reserved:
            raise DatasetError(
                f"{sequence.name}: expected other names for its own columns, found {', '.join(reserved)}"
            )
        if self.skeleton is None:
            self.skeleton, self._first = sequence.skeleton, sequence.source or sequence.name
            self._header()
            self._data_start = self._file.tell()
        else:
            self.skeleton.require_same(sequence.skeleton, f"{sequence.source or sequence.name} beside {self._first}")

    def _header(self) -> None:
        """Write the array's header for the frames so far; NumPy leaves room for the number of frames to grow."""
        assert self.skeleton is not None
        table = {"descr": "<f4", "fortran_order": False, "shape": (self.frames, len(self.skeleton), 3)}
        np.lib.format.write_array_header_1_0(self._file, table)

    def table(self) -> pd.DataFrame:
        """The index of what has been written."""
        import pandas as pd

        columns: dict[str, Any] = dict(self._columns)
        for key, values in self._extra.items():
            columns[key] = [values.get(row) for row in range(len(self))]
        return pd.DataFrame(columns)

    def finish(self, protocols: Protocols, prepare: dict[str, Any]) -> None:
        """Write the header's final shape, the index, the skeleton, the protocols and how it was made.

        Raises
        ------
        DatasetError
            If nothing has been written, or ``prepare`` declares a preprocessing that is none.
        """
        check_prepare(self.folder / "prepare.json", prepare)
        if self.skeleton is None:
            raise DatasetError("expected at least one sequence for a data set, found none")
        self._file.seek(0)
        self._header()
        if self._file.tell() != self._data_start:
            raise DatasetError(f"positions.npy: {self.frames} frames do not fit its header")
        self._file.close()
        _write_index(self.folder / "index.parquet", self.table())
        (self.folder / "skeleton.json").write_text(self.skeleton.to_json() + "\n", encoding="utf-8")
        _write_json(self.folder / "protocols.json", protocols)
        _write_json(self.folder / "prepare.json", prepare)


def write_dataset(
    folder: str | Path,
    sequences: Iterable[SkeletonSequence],
    *,
    protocols: Protocols | Callable[[pd.DataFrame], Protocols] | None = None,
    prepare: dict[str, Any] | None = None,
    overwrite: bool = False,
) -> MotionDataset:
    """Write sequences of one skeleton as a data set folder, and open it.

    Parameters
    ----------
    sequences
        Taken one after another, never held together; each with a name of its own.
    protocols
        The data set's own protocols, or a function that makes them from the index.
    prepare
        What ``prepare.json`` says: ``preprocessing`` (``alignment``, ``max_length``), where defaults should differ.

    Raises
    ------
    DatasetError
        If ``folder`` exists, there is no sequence, names repeat, or skeletons differ (SkeletonMismatchError).
    """
    with new_folder(folder, overwrite) as building, DatasetWriter(building) as writer:
        for sequence in sequences:
            writer.append(sequence)
        table = writer.table()
        made = protocols(table) if callable(protocols) else protocols
        writer.finish(made or {}, {"duplicates": duplicates(table), **(prepare or {})})
    return open_dataset(folder)


def duplicates(index: pd.DataFrame) -> list[list[str]]:
    """Groups of sequences that are equal number for number, by name."""
    repeated = index[index["sha256"].duplicated(keep=False)]
    return [group["name"].tolist() for _, group in repeated.groupby("sha256", sort=False)]


def _write_index(path: Path, table: pd.DataFrame) -> None:
    """The types of the contract's columns are fixed: a column without any value would have none otherwise."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = {"offset": pa.int64(), "length": pa.int64(), "person": pa.int64(), "fps": pa.float64()}
    arrays = {}
    for column in table.columns:
        kind = numbers.get(column, pa.string()) if column in COLUMNS else None
        try:
            arrays[column] = pa.array(table[column], type=kind, from_pandas=True)
        except pa.ArrowException as error:
            raise DatasetError(f"{path.name}: column {column}: expected values of one type: {error}") from error
    pq.write_table(pa.table(arrays), path, row_group_size=ROW_GROUP)


def _write_json(path: Path, table: Any) -> None:
    path.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
