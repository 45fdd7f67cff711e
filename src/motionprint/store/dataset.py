"""A data set folder, opened without reading its frames."""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError, SettingsError
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton
from motionprint.store.mapped import MappedRows

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "COLUMNS",
    "FILES",
    "MotionDataset",
    "check_prepare",
    "count_sequences",
    "open_dataset",
    "open_part",
    "walk_dataset",
]

FILES = ("positions.npy", "index.parquet", "skeleton.json", "protocols.json", "prepare.json")
"""What a data set folder holds."""

COLUMNS = ("name", "offset", "length", "label", "subject", "person", "fps", "source", "sha256")
"""The columns that every ``index.parquet`` has; a corpus's own come after them."""


_BLOCK = 4096
"""Sequences whose rows of the index are at hand while a data set is walked through."""


class MotionDataset:
    """The sequences of a data set folder: ``len``, ``[i]``, ``[i:j]``, iteration.

    Frames are read when a sequence is asked for; a slice or a subset is a view that reads none. Objects are made by
    `open_dataset`; they can be sent to other processes, which open the folder themselves.
    """

    folder: Path
    """Where it lies."""
    skeleton: Skeleton
    """The joints of all of its sequences."""
    index: pd.DataFrame
    """One row a sequence: the contract's columns, then the corpus's own."""
    prepare: dict[str, Any]
    """How it was made: ``prepare.json``."""

    def __init__(
        self,
        folder: Path,
        positions: MappedRows,
        index: pd.DataFrame,
        skeleton: Skeleton,
        protocols: dict[str, list[dict[str, list[str]]]],
        prepare: dict[str, Any],
        rows: npt.NDArray[np.int64] | None = None,
        stamps: dict[str, _Stamp] | None = None,
    ) -> None:
        self.folder = folder
        self.index = index
        self.skeleton = skeleton
        self.prepare = prepare
        self._positions = positions  # (sum of T, J, 3)
        self._protocols = protocols
        self._rows = rows  # of the whole data set, where this is a part of it
        self._stamps = stamps or {}  # of its files when they were opened

    def __len__(self) -> int:
        """The number of sequences N."""
        return len(self.index)

    def __repr__(self) -> str:
        part = "" if self._rows is None else "part of "
        return f"MotionDataset({part}{str(self.folder)!r}: {len(self)} sequences, {len(self.skeleton)} joints)"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.folder.resolve(), self._rows)

    @overload
    def __getitem__(self, item: SupportsIndex) -> SkeletonSequence: ...

    @overload
    def __getitem__(self, item: slice) -> MotionDataset: ...

    def __getitem__(self, item: SupportsIndex | slice) -> SkeletonSequence | MotionDataset:
        """The sequence number ``item`` (from the end where negative), or a view of a slice of them."""
        if isinstance(item, slice):
            return self.subset(np.arange(len(self))[item])
        try:
            number = operator.index(item)
        except TypeError:
            raise TypeError(f"expected a number or a slice of sequences, found {item!r}; see subset()") from None
        if not -len(self) <= number < len(self):
            raise IndexError(f"sequence {number} of {len(self)}")
        return self._sequence(number % len(self))

    def __iter__(self) -> Iterator[SkeletonSequence]:
        return (self._sequence(number) for number in range(len(self)))

    def _sequence(self, number: int) -> SkeletonSequence:
        self._refuse_shorter()
        row = {key: column[number].as_py() for key, column in self._columns.items()}
        start = int(row["offset"])
        return SkeletonSequence(
            self._positions.read(start, start + int(row["length"])),
            fps=float(row["fps"]),
            skeleton=self.skeleton,
            name=row["name"],
            person=int(row["person"]),
            label=row["label"],
            subject=row["subject"],
            source=row["source"],
            extra={key: value for key, value in row.items() if key not in COLUMNS},
        )

    @cached_property
    def _columns(self) -> dict[str, pa.Array]:
        """The index by column, null where a value is missing: a row of a pandas table is slow to get at."""
        import pyarrow as pa

        return {str(key): pa.array(column, from_pandas=True) for key, column in self.index.items()}

    def check_unchanged(self) -> None:
        """Refuse a folder whose frames or index are no longer the files that were opened.

        Raises
        ------
        DatasetError
            If one was removed, replaced or written to: the text names it.
        """
        for name, opened in self._stamps.items():
            file = self.folder / name
            try:
                found = _stamp(file)
            except OSError as error:
                raise DatasetError(f"{file}: is gone since the data set was opened: {error.strerror}") from error
            if found != opened:
                raise DatasetError(
                    f"{file}: has changed since the data set was opened: expected {_said(opened)}, found {_said(found)}"
                )

    @property
    def written(self) -> tuple[int, int] | None:
        """Bytes of its frames' file, and when that was written to (ns), as they were when it was opened."""
        return self._stamps.get("positions.npy")

    def _refuse_shorter(self) -> None:
        """Frames past the end of a file that was cut cannot be read: the system ends a process that tries."""
        opened = self._stamps.get("positions.npy")
        try:
            shorter = opened is not None and os.stat(self.folder / "positions.npy").st_size < opened[0]
        except OSError:  # removed: what is mapped can still be read
            return
        if shorter:
            self.check_unchanged()

    def subset(self, indices: Sequence[int] | npt.NDArray[Any]) -> MotionDataset:
        """A view of the sequences with these numbers, in this order (or of those where a mask is True).

        Its protocols are those of the whole, without the sequences that are not in it.
        """
        chosen = np.asarray(indices)
        if chosen.dtype == np.bool_:
            if chosen.shape != (len(self),):
                raise DatasetError(f"{self.folder}: expected a mask of {len(self)} values, found {chosen.shape}")
            chosen = np.flatnonzero(chosen)
        chosen = chosen.astype(np.int64).reshape(-1)
        if chosen.size and not (-len(self) <= chosen.min() and chosen.max() < len(self)):
            raise IndexError(f"sequences {chosen.min()} to {chosen.max()} of {len(self)}")
        chosen = chosen % max(len(self), 1)
        rows = chosen if self._rows is None else self._rows[chosen]
        everything = np.array_equal(chosen, np.arange(len(self)))
        index = self.index.copy() if everything else self.index.iloc[chosen].reset_index(drop=True)
        return MotionDataset(
            self.folder, self._positions, index, self.skeleton, self._protocols, self.prepare, rows, self._stamps
        )

    @property
    def name(self) -> str:
        """The corpus that it was prepared from, or the folder's name."""
        return str(self.prepare.get("corpus") or self.folder.name)

    @property
    def names(self) -> list[str]:
        """(N,) what each sequence is called."""
        return list(self._columns["name"].to_pylist())

    @property
    def labels(self) -> list[str | None]:
        """(N,) the action class of each sequence, None where it has none."""
        return list(self._columns["label"].to_pylist())

    @property
    def subjects(self) -> list[str | None]:
        """(N,) who moves, None where not known."""
        return list(self._columns["subject"].to_pylist())

    @property
    def sources(self) -> list[str | None]:
        """(N,) the file that each sequence was read from, None where not known."""
        return list(self._columns["source"].to_pylist())

    @property
    def sha256(self) -> list[str]:
        """(N,) the hash of each sequence's positions: equal recordings have equal hashes."""
        return list(self._columns["sha256"].to_pylist())

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(N,) frames of each sequence."""
        return self.index["length"].to_numpy(dtype=np.int64)

    @property
    def fps(self) -> float | None:
        """Frames/s, where all sequences have the same; None where they differ (each sequence has its own ``fps``)."""
        rates = self.index["fps"].unique()
        return float(rates[0]) if len(rates) == 1 else None

    @property
    def defaults(self) -> dict[str, Any]:
        """The preprocessing that suits it: ``alignment``, ``max_length``, ``window_over`` where it has its own.

        Raises
        ------
        DatasetError
            If ``prepare.json`` says something else.
        """
        check_prepare(self.folder / "prepare.json", self.prepare)
        return {"alignment": "heading", "max_length": 35, **self.prepare.get("preprocessing", {})}

    @property
    def left_out(self) -> dict[str, str]:
        """What was left out when it was made: name -> why.

        Raises
        ------
        DatasetError
            If ``prepare.json`` says something else.
        """
        check_prepare(self.folder / "prepare.json", self.prepare)
        return {each["name"]: each["reason"] for each in self.prepare.get("left_out", [])}

    @cached_property
    def protocols(self) -> dict[str, list[dict[str, list[str]]]]:
        """Its own protocols: for each fold the names that train and the names that test."""
        if self._rows is None:
            return self._protocols
        here = set(self.names)
        return {
            protocol: [
                {side: [name for name in names if name in here] for side, names in fold.items()} for fold in folds
            ]
            for protocol, folds in self._protocols.items()
        }


def open_dataset(folder: str | Path) -> MotionDataset:
    """Open a data set folder; no frame is read.

    Raises
    ------
    DatasetError
        If it is not a data set folder, or its files do not agree with each other: the text names what differs.
    """
    path, positions, skeleton = _frames(folder)
    stamps = _stamps(path)
    index = _index(path / "index.parquet", len(positions))
    protocols = _json(path / "protocols.json")
    if protocols:
        _check_protocols(path / "protocols.json", protocols, set(index["name"]))
    return MotionDataset(path, positions, index, skeleton, protocols, _json(path / "prepare.json"), stamps=stamps)


def walk_dataset(folder: str | Path, size: int = _BLOCK) -> Iterator[MotionDataset]:
    """A data set folder part by part, of ``size`` sequences each: not even its index is held as a whole.

    Parts know no protocols, and names are not looked at across parts. To send one to another process, send its
    ``index`` and ``written``, and `open_part` it there.

    Raises
    ------
    DatasetError
        As `open_dataset`, once the part is reached that is at fault.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, positions, skeleton = _frames(folder)
    stamps = _stamps(path)
    where = path / "index.parquet"
    frames = 0
    try:
        with pq.ParquetFile(where) as file:
            _check_columns(where, file.schema_arrow.names)
            wanted = [name for name in file.schema_arrow.names if name != "sha256"]
            for batch in file.iter_batches(size, columns=wanted):
                index = batch.to_pandas()
                _check_texts(where, index)
                frames = _check_numbers(where, index, frames)
                yield MotionDataset(path, positions, index, skeleton, {}, {}, stamps=stamps)
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{where}: expected a Parquet table: {' '.join(str(error).split())}") from error
    _check_frames(where, frames, len(positions))


def open_part(folder: str | Path, index: pd.DataFrame, written: tuple[int, int] | None) -> MotionDataset:
    """The sequences of a data set folder that these rows of its index, from `walk_dataset`, describe.

    Raises
    ------
    DatasetError
        If its frames are not those that the part was made of, whose ``written`` this is, or not a data set's.
    """
    path, positions, skeleton = _frames(folder)
    stamps = {} if written is None else {"positions.npy": written}
    part = MotionDataset(path, positions, index, skeleton, {}, {}, stamps=stamps)
    part.check_unchanged()
    frames = int((index["offset"] + index["length"]).max())
    if frames > len(positions):
        raise DatasetError(f"{path / 'positions.npy'}: expected at least {frames} frames, found {len(positions)}")
    return part


def count_sequences(folder: str | Path) -> int:
    """How many sequences a data set folder holds; only the end of its index is read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = Path(folder) / "index.parquet"
    try:
        return int(pq.read_metadata(where).num_rows)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{where}: expected a Parquet table: {' '.join(str(error).split())}") from error


def _frames(folder: str | Path) -> tuple[Path, MappedRows, Skeleton]:
    """The folder, its positions (sum of T, J, 3) and their joints."""
    path = Path(folder)
    if not path.is_dir():
        raise DatasetError(f"{folder}: expected a data set folder, found {'a file' if path.exists() else 'nothing'}")
    missing = [name for name in FILES if not (path / name).is_file()]
    if missing:
        raise DatasetError(
            f"{folder}: expected a data set folder with {', '.join(FILES)}; missing {', '.join(missing)}"
        )
    try:
        skeleton = Skeleton.from_dict(_json(path / "skeleton.json"))
    except SettingsError as error:
        raise DatasetError(f"{path / 'skeleton.json'}: {error}") from error
    return path, MappedRows(_positions(path / "positions.npy", len(skeleton))), skeleton


def _reopen(folder: Path, rows: npt.NDArray[np.int64] | None) -> MotionDataset:
    dataset = open_dataset(folder)
    return dataset if rows is None else dataset.subset(rows)


_Stamp = tuple[int, int]
"""Bytes of a file, and when it was last written to (ns). Not its inode, which some network file systems change."""


def _stamp(file: Path) -> _Stamp:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def _stamps(folder: Path) -> dict[str, _Stamp]:
    return {name: _stamp(folder / name) for name in ("positions.npy", "index.parquet")}


def _said(stamp: _Stamp) -> str:
    written = datetime.fromtimestamp(stamp[1] / 1e9).isoformat(" ", "milliseconds")
    return f"{stamp[0]} bytes written at {written}"


def _json(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: expected JSON: {error}") from error
    if not isinstance(table, dict):
        raise DatasetError(f"{path}: expected a JSON object, found {type(table).__name__}")
    return table


def _positions(path: Path, joints: int) -> npt.NDArray[np.float32]:
    try:
        if path.stat().st_size == 0:
            raise ValueError("the file is empty")
        positions = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, OverflowError, SyntaxError, TokenError) as error:  # what a damaged header leads to
        raise DatasetError(f"{path}: expected an array of positions: {' '.join(str(error).split())}") from error
    if positions.dtype != np.float32 or positions.ndim != 3 or positions.shape[1:] != (joints, 3):
        raise DatasetError(
            f"{path}: expected float32 (frames, {joints}, 3) for the skeleton's {joints} joints, "
            f"found {positions.dtype} {positions.shape}"
        )
    return positions


def _index(path: Path, frames: int) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        index = pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DatasetError(f"{path}: expected a Parquet table: {' '.join(str(error).split())}") from error
    _check_columns(path, index.columns)
    _check_texts(path, index)
    names = index["name"]
    if pc.count_distinct(pa.array(names, from_pandas=True)).as_py() < len(names):  # without an object for each name
        raise DatasetError(f"{path}: expected unique names, found {names[names.duplicated()].iloc[0]} more than once")
    _check_frames(path, _check_numbers(path, index, 0), frames)
    pa.default_memory_pool().release_unused()  # what reading took beside the table itself
    return index


def _check_columns(path: Path, columns: Iterable[str]) -> None:
    missing = sorted(set(COLUMNS) - set(columns), key=COLUMNS.index)
    if missing:
        raise DatasetError(f"{path}: expected the columns {', '.join(COLUMNS)}; missing {', '.join(missing)}")


def _check_frames(path: Path, frames: int, found: int) -> None:
    if frames != found:
        raise DatasetError(f"{path}: lengths sum to {frames} frames, positions.npy holds {found}")


def _check_texts(path: Path, index: pd.DataFrame) -> None:

    for column in ("name", "sha256", "label", "subject", "source"):
        if column in index:
            _require_text(path, column, index[column])


def _check_numbers(path: Path, index: pd.DataFrame, first: int) -> int:
    """Refuse rows that do not lie one after the other from frame ``first`` on; the frame after them comes back."""
    import pandas as pd

    names = index["name"]
    for column in ("offset", "length", "person"):
        if not pd.api.types.is_integer_dtype(index[column]) or index[column].hasnans:
            raise DatasetError(f"{path}: expected whole numbers under {column}")
    try:
        rates = index["fps"].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{path}: expected numbers under fps: {error}") from error
    offsets, lengths = index["offset"].to_numpy(dtype=np.int64), index["length"].to_numpy(dtype=np.int64)
    for row in np.flatnonzero(lengths < 1)[:1]:
        raise DatasetError(f"{path}: {names[row]}: expected a length of at least 1, found {lengths[row]}")
    for row in np.flatnonzero(~(np.isfinite(rates) & (rates > 0)))[:1]:
        raise DatasetError(f"{path}: {names[row]}: expected a positive fps, found {rates[row]}")
    expected = first + np.concatenate([[0], np.cumsum(lengths)])
    for row in np.flatnonzero(offsets != expected[:-1])[:1]:
        raise DatasetError(f"{path}: {names[row]}: expected offset {expected[row]}, found {offsets[row]}")
    return int(expected[-1])


def _require_text(path: Path, column: str, values: pd.Series[Any]) -> None:
    import pyarrow as pa

    try:
        array = pa.array(values, from_pandas=True)
        array.validate(full=True)  # only here is it decoded
    except (ValueError, TypeError, pa.ArrowException) as error:
        raise DatasetError(f"{path}: expected text under {column}: {error}") from error
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    if not text or (array.null_count and column in ("name", "sha256")):
        wrong = next(value for value in values.tolist() if not isinstance(value, str))
        raise DatasetError(f"{path}: expected text under {column}, found {wrong}")


def _check_protocols(path: Path, protocols: dict[str, Any], known: set[str]) -> None:
    for protocol, folds in protocols.items():
        if not isinstance(folds, list) or not folds:
            raise DatasetError(f"{path}: {protocol}: expected a list of folds, found {type(folds).__name__}")
        for number, fold in enumerate(folds):
            if not isinstance(fold, dict) or set(fold) != {"train", "test"}:
                raise DatasetError(f"{path}: {protocol}, fold {number}: expected the names that train and that test")
            for side in ("train", "test"):
                if not isinstance(fold[side], list) or not all(isinstance(name, str) for name in fold[side]):
                    raise DatasetError(f"{path}: {protocol}, fold {number}: expected a list of names under {side}")
            train, test = set(fold["train"]), set(fold["test"])
            if not train | test <= known:
                raise DatasetError(
                    f"{path}: {protocol}, fold {number}: {min((train | test) - known)} is not in index.parquet"
                )
            if train & test:
                raise DatasetError(f"{path}: {protocol}, fold {number}: {min(train & test)} both trains and tests")


_PREPROCESSING = {"alignment": str, "max_length": int | None, "window_over": int}
"""What a data set may say of its preprocessing, and the types of the values."""


def check_prepare(path: Path, table: dict[str, Any]) -> None:
    """Refuse a ``prepare.json`` whose ``preprocessing`` or ``left_out`` nobody could use."""
    given = table.get("preprocessing", {})
    if not isinstance(given, dict):
        raise DatasetError(f"{path}: preprocessing: expected an object, found {given!r}")
    for key, value in given.items():
        if key not in _PREPROCESSING:
            raise DatasetError(f"{path}: preprocessing: expected {', '.join(_PREPROCESSING)}; found {key!r}")
        if not isinstance(value, _PREPROCESSING[key]) or isinstance(value, bool):
            raise DatasetError(f"{path}: preprocessing: {key}: expected another value than {value!r}")
    left_out = table.get("left_out", [])
    if not isinstance(left_out, list) or not all(
        isinstance(each, dict) and isinstance(each.get("name"), str) and isinstance(each.get("reason"), str)
        for each in left_out
    ):
        raise DatasetError(f"{path}: left_out: expected a list of objects with name and reason")
