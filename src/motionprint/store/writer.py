"""Writing a data set folder, one sequence after another: memory does not grow with the frames."""

from __future__ import annotations

import hashlib
import io
import json
import os
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

__all__ = ["DatasetWriter", "Protocols", "Row", "across", "duplicates", "write_dataset"]

Protocols = dict[str, list[dict[str, list[str]]]]
"""Protocol -> folds -> ``train`` and ``test`` -> names."""

Row = dict[str, Any]
"""A row of the index: the contract's columns, and the corpus's own under `extra`."""

ROW_GROUP = 1 << 14
"""Sequences of a row group of the index: whoever walks through it holds the bytes of a whole group."""


class DatasetWriter:
    """Fills a folder with a data set: ``append`` each sequence, then ``finish``.

    Parameters
    ----------
    folder
        An existing empty folder, such as `new_folder` gives.
    resume
        Whether to keep the frames that an earlier writer, which was ended, has left in it: `restore` what is known of
        them before anything else, in their order.
    """

    def __init__(self, folder: Path, *, resume: bool = False) -> None:
        self.folder = folder
        self.skeleton: Skeleton | None = None
        self.frames = 0
        """Frames written so far."""
        self.last_row: Row = {}
        """The row of the sequence that was appended last."""
        self._first = ""
        self._names: set[str] = set()
        self._columns: dict[str, list[Any]] = {column: [] for column in COLUMNS}
        self._extra: dict[str, dict[int, Any]] = {}
        file = folder / "positions.npy"
        self._file = file.open("r+b" if resume and file.exists() else "w+b")
        self._restoring = resume
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
        if self._restoring:
            self._restored()
        self._check(sequence)
        positions = np.ascontiguousarray(sequence.positions, dtype="<f4")
        data = positions.data.cast("B")
        self._file.write(data)
        digest = hashlib.sha256(data).hexdigest()
        self.last_row = {
            **{"name": sequence.name, "offset": self.frames, "length": len(positions), "label": sequence.label},
            **{"subject": sequence.subject, "person": sequence.person, "fps": float(sequence.fps)},
            **{"source": sequence.source, "sha256": digest, "extra": dict(sequence.extra)},
        }
        self._add(self.last_row)
        return digest

    def flush(self) -> None:
        """Hand what has been written to the system: it is there even if this process is killed."""
        self._file.flush()

    def restore(self, skeleton: Skeleton, first: str, rows: list[Row]) -> bool:
        """Take over sequences that an earlier writer has appended, by their rows; False if their frames are not there.

        Frames are read and must have the sha256 of their row.

        Parameters
        ----------
        skeleton, first
            The skeleton of the data set, and what messages call its first sequence.
        """
        if self.skeleton is None:
            self.skeleton, self._first = skeleton, first
            self._data_start = len(self._header())
            self._file.seek(self._data_start)
        for row in rows:
            data = self._file.read(int(row["length"]) * len(skeleton) * 12)
            if hashlib.sha256(data).hexdigest() != row["sha256"]:
                return False
        for row in rows:
            self._add(row)
        return True

    def _restored(self) -> None:
        """Cut off what was not taken over."""
        self._restoring = False
        width = 0 if self.skeleton is None else len(self.skeleton) * 12
        if self._names:
            self._file.truncate(self._data_start + self.frames * width)
            self._file.seek(0, os.SEEK_END)
        else:
            self.skeleton = None
            self._file.seek(0)
            self._file.truncate()

    def _add(self, row: Row) -> None:
        number = len(self._names)
        self._names.add(row["name"])
        for key in COLUMNS:
            self._columns[key].append(row[key])
        for key, value in row["extra"].items():
            self._extra.setdefault(key, {})[number] = value
        self.frames += row["length"]

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
            self._data_start = self._file.write(self._header())
        else:
            self.skeleton.require_same(sequence.skeleton, f"{sequence.source or sequence.name} beside {self._first}")

    def _header(self) -> bytes:
        """The array's header for the frames so far; NumPy leaves room for the number of frames to grow."""
        assert self.skeleton is not None
        table = {"descr": "<f4", "fortran_order": False, "shape": (self.frames, len(self.skeleton), 3)}
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, table)
        return header.getvalue()

    def table(self) -> pd.DataFrame:
        """The index of what has been written."""
        import pandas as pd

        columns: dict[str, Any] = dict(self._columns)
        for key, values in self._extra.items():
            columns[key] = [values.get(row) for row in range(len(self))]
        return pd.DataFrame(columns)

    def finish(self, protocols: Protocols, prepare: dict[str, Any], table: pd.DataFrame | None = None) -> None:
        """Write the header's final shape, the index, the skeleton, the protocols and how it was made.

        ``table`` is what ``table`` gives, where it is at hand.

        Raises
        ------
        DatasetError
            If nothing has been written, or ``prepare`` declares a preprocessing that is none.
        """
        check_prepare(self.folder / "prepare.json", prepare)
        if self._restoring:
            self._restored()
        if self.skeleton is None:
            raise DatasetError("expected at least one sequence for a data set, found none")
        self._file.seek(0)
        if self._file.write(self._header()) != self._data_start:
            raise DatasetError(f"positions.npy: {self.frames} frames do not fit its header")
        self._file.close()
        _write_index(self.folder / "index.parquet", self.table() if table is None else table)
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


def across(index: pd.DataFrame, protocols: Protocols) -> dict[str, list[int]]:
    """For each fold of each protocol how many sequences that test equal one that trains, number for number."""
    hashes = dict(zip(index["name"], index["sha256"], strict=True))

    def count(fold: dict[str, list[str]]) -> int:
        train = {hashes[name] for name in fold["train"]}
        return sum(hashes[name] in train for name in fold["test"])

    return {protocol: [count(fold) for fold in folds] for protocol, folds in protocols.items()}


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
