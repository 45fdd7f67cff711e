"""Recordings in, a table of prints out: as many as there are, on one machine or on a cluster.

The recordings of a source are cut into ranges. The prints of a range are worked out together and depend on nothing
outside of it, so that the table is the same to the byte whoever works on which range.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import torch

from motionprint.errors import CheckpointError, DatasetError, SettingsError
from motionprint.evaluation.prints import Frames, encode_frames, require_known
from motionprint.fanout import ordered
from motionprint.preprocessing import RecipeCounts, recorded_ranges
from motionprint.preprocessing.time import windows
from motionprint.progress import Report
from motionprint.readers import DEFAULT, ReadSettings, open_files, read_from
from motionprint.readers.source import Source
from motionprint.rigs import map_to
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset
from motionprint.store.atomic import new_file
from motionprint.store.dataset import count_sequences, open_part, walk_dataset
from motionprint.training import Run, load_run

__all__ = ["Embedded", "embed"]

RECORDINGS = 512
"""Recordings of a data set that make a range at most."""
FRAMES = 1 << 18
"""Frames of a data set that make a range at most, but for a single recording that is longer."""
FILES = 16
"""Motion files that make a range."""
ROW_GROUP = 4096
"""Prints of a row group: what is written together, and all that is held meanwhile."""


@dataclass(frozen=True)
class Embedded:
    """What `embed` has written."""

    path: Path
    prints: int
    """Rows of the table."""
    size: int
    """R: values of a print."""
    recordings: int
    """Recordings that were read."""
    counts: RecipeCounts
    """What the recipe did to them."""
    mapped: int = 0
    """Recordings of other rigs that were brought onto the run's skeleton."""


def embed(
    run: Run,
    sources: Sequence[str | Path],
    out: str | Path,
    *,
    features: str = "states",
    window: float | None = None,
    stride: float | None = None,
    reading: ReadSettings = DEFAULT,
    map_rigs: bool = False,
    allow_missing: bool = False,
    scheduler: str | None = None,
    overwrite: bool = False,
    report: Report | None = None,
) -> Embedded:
    """Prints of data set folders, motion files, folders and archives of motion files, as a Parquet table.

    Without ``window`` a recording gives one print; one that is so long that the recipe would not read it whole gives
    one print a window of the training length instead. With it (seconds), every recording gives a print for each window,
    one every ``stride`` seconds (by default, a window). ``reading`` says of motion files what they do not say
    themselves: the same as when the run's data set was prepared.

    With ``map_rigs`` recordings of other rigs are brought onto the run's skeleton, by what their joints' names mean
    (`motionprint.rigs.map_to`); with ``allow_missing`` joints that a rig does not have are missing values. A model that
    comes with motionprint does so unasked; ``mapped`` says for how many.

    Missing values (NaN) reach the encoder as zero, the value of what is hidden. A window in which nothing was recorded
    gives no print. How often either happened stands in ``counts``.

    The table has name, source, person, start, end (seconds), label, subject, print (R values). It is written bit by
    bit: the memory that this takes does not depend on the number of recordings of a data set folder. Of a folder or an
    archive of motion files, the names of all files are held.

    ``scheduler`` is the address or the scheduler file of a Dask cluster whose workers read the run and the sources
    by the same paths; the table is then the same to the byte (docs/clusters.md says under which conditions).

    Raises
    ------
    SkeletonMismatchError
        If a recording has other joints than the run, naming those that differ, or cannot be brought onto its skeleton.
    DatasetError
        If a recording has no recorded joint, or no root, in any frame, no recording is found, ``out`` exists, or the
        cluster fails.
    SettingsError
        If ``stride`` is given without ``window``, ``allow_missing`` without ``map_rigs``, either number is not above 0,
        the features are unknown, or the run or the workers do not suit a cluster.
    """
    require_known(features)
    if stride is not None and window is None:
        raise SettingsError("expected --window with --stride, found --stride alone")
    map_rigs = map_rigs or run.shipped
    if allow_missing and not map_rigs:
        raise SettingsError("expected --map-rigs with --allow-missing, found --allow-missing alone")
    how = _How(features, window, stride, reading, len(sources), map_rigs, allow_missing)
    with new_file(out, overwrite=overwrite) as unfinished, ExitStack() as stack:
        opened: dict[str, MotionDataset | Source] = {}
        ranges = stack.enter_context(closing(_ranges(sources, how, opened)))
        if scheduler is None:
            work: Callable[[_Range], _Part] = partial(_work_here, run, how, opened)
        else:
            work = partial(_work_there, _job(run, how))
        parts = stack.enter_context(closing(ordered(work, ranges, scheduler, packages=("torch",))))
        table = stack.enter_context(_Table(unfinished, {"model": run.model_hash, "features": features}))
        source, done = 0, 0
        for part in parts:
            table.take(part)
            source, done = part.range.number, part.recordings + (done if part.range.number == source else 0)
            if report is not None:
                report(done, part.range.total, f"{part.range.source}: {part.last}")
        if not table.prints:
            raise DatasetError(
                f"{', '.join(map(str, sources)) or 'no source given'}: expected at least one recording, found none"
            )
    return Embedded(Path(out), table.prints, table.size, table.recordings, table.counts, table.mapped)


# ---- ranges --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _How:
    """What is done with every recording."""

    features: str
    window: float | None
    stride: float | None
    reading: ReadSettings
    sources: int
    """How many sources there are in all."""
    map_rigs: bool = False
    allow_missing: bool = False


@dataclass(frozen=True)
class _Range:
    """Recordings of a source whose prints are worked out together."""

    number: int
    """Which of the sources it is, from 0."""
    source: str
    """The source as it was given."""
    path: str
    """Where the data set folder, or the folder, file or archive of motion files lies."""
    total: int | None = None
    """Recordings of the whole source, where that is known."""
    index: Any = None
    """Of a data set: the rows of its index, a pandas table."""
    written: tuple[int, int] | None = None
    """Of a data set: what tells its frames from those of another one in the same place."""
    files: tuple[str, ...] = ()
    """The motion files, where it is no data set."""


def _ranges(
    sources: Sequence[str | Path], how: _How, opened: dict[str, MotionDataset | Source]
) -> Generator[_Range, None, None]:
    """All ranges of all sources in their order; ``opened`` holds the source of the last one."""
    for number, given in enumerate(map(str, sources)):
        opened.clear()
        if (Path(given) / "index.parquet").is_file():
            how.reading.refuse(
                given, "a data set folder: it has its own", *(each.name for each in fields(ReadSettings))
            )
            path, total = os.path.abspath(given), count_sequences(given)
            for part in walk_dataset(given, 8 * RECORDINGS):
                for first, last in _cut(part.lengths):
                    chosen = opened[path] = part[first:last]
                    yield _Range(number, given, path, total, chosen.index, chosen.written)
        else:
            with open_files(given, how.reading) as (source, names):
                path = os.path.abspath(source.path)
                opened[path] = source
                while files := tuple(islice(names, FILES)):
                    yield _Range(number, given, path, files=files)


def _cut(lengths: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Numbers [first, last) of recordings (N,) with so many frames each."""
    frames = np.concatenate([[0], np.cumsum(lengths)])
    first = 0
    while first < len(lengths):
        fitting = int(np.searchsorted(frames, frames[first] + FRAMES, side="right")) - 1
        last = max(first + 1, min(first + RECORDINGS, fitting))
        yield first, last
        first = last


# ---- the work on a range -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """The prints of a range."""

    range: _Range
    rows: Any
    """A pyarrow table."""
    recordings: int
    last: str
    """The name of the last recording."""
    counts: RecipeCounts
    mapped: int
    """Recordings that had other joints."""


def _work(run: Run, how: _How, source: MotionDataset | Source, part: _Range) -> _Part:
    counts = RecipeCounts()
    rows: list[tuple[Any, ...]] = []
    recordings, mapped, last = 0, 0, ""

    def pieces() -> Iterator[Frames]:
        nonlocal recordings, mapped, last
        for recording in _sequences(source, how, part):
            sequence = map_to(recording, run.skeleton, allow_missing=how.allow_missing) if how.map_rigs else recording
            recordings, last = recordings + 1, sequence.name
            mapped += recording.skeleton.joint_names != sequence.skeleton.joint_names
            if how.window is None:
                ranges = run.recipe.pieces(sequence, counts)
            else:
                stride = how.window if how.stride is None else how.stride
                ranges = windows(len(sequence), sequence.fps, how.window, stride)
                ranges = recorded_ranges(sequence, ranges, counts)
            place = _place(part.source, sequence, how.sources)
            for start, end in ranges:
                where = (sequence.name, place, sequence.person, start / sequence.fps, end / sequence.fps)
                rows.append((*where, sequence.label, sequence.subject))
                yield run.recipe.apply(sequence, (start, end), counts)

    prints = list(encode_frames(run, pieces(), how.features))
    return _Part(part, _rows(rows, prints), recordings, last, counts, mapped)


def _sequences(source: MotionDataset | Source, how: _How, part: _Range) -> Iterable[SkeletonSequence]:
    if isinstance(source, MotionDataset):
        return source
    return (sequence for name in part.files for sequence in read_from(source, name, how.reading))


def _place(source: str, sequence: SkeletonSequence, sources: int) -> str:
    """Where a recording comes from: its file, below the source that was given where there are several."""
    if sequence.source is None or (sources > 1 and Path(source).name == sequence.source):
        return source
    return sequence.source if sources == 1 else f"{source}/{sequence.source}"


def _work_here(run: Run, how: _How, opened: dict[str, MotionDataset | Source], part: _Range) -> _Part:
    return _work(run, how, opened[part.path], part)


# ---- on a cluster --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Job:
    """What a worker needs besides a range."""

    how: _How
    run: str
    device: str
    model_hash: str
    threads: int
    """Threads of a matrix product: with another number it may be cut otherwise, and round otherwise."""
    token: str
    """Another one for every command."""


def _job(run: Run, how: _How) -> _Job:
    if run.folder is None:
        raise SettingsError("expected a run that was loaded from a folder with a scheduler, found one in memory")
    how = replace(how, reading=how.reading.anywhere())
    return _Job(how, os.path.abspath(run.folder), str(run.device), run.model_hash, torch.get_num_threads(), uuid4().hex)


_alone = threading.Lock()
"""A worker's threads take turns: the number of threads of a matrix product belongs to the process."""


def _work_there(job: _Job, part: _Range) -> _Part:
    with _alone:
        before = torch.get_num_threads()
        torch.set_num_threads(job.threads)
        try:
            return _work(_run(job.run, job.device, job.model_hash), job.how, _source(job, part), part)
        finally:
            torch.set_num_threads(before)


@lru_cache(maxsize=1)
def _run(folder: str, device: str, model_hash: str) -> Run:
    run = load_run(folder, device)
    if run.model_hash != model_hash:
        raise CheckpointError(
            f"{folder}: expected the weights {model_hash[:12]} of where the command was given, "
            f"found {run.model_hash[:12]}"
        )
    return run


def _source(job: _Job, part: _Range) -> MotionDataset | Source:
    try:
        os.stat(part.path)
    except OSError as error:
        raise DatasetError(
            f"{part.path}: expected every worker to read it at the same place as where the command was given, "
            f"found: {error.strerror}"
        ) from error
    return _files(part.path, job.token) if part.index is None else open_part(part.path, part.index, part.written)


@lru_cache(maxsize=1)
def _files(path: str, token: str) -> Source:
    """A source of motion files, opened once for all of its ranges.

    Not by the time of the folder, which is that of before when a file comes into a folder within it.
    """
    return Source.open(path)


# ---- the table -----------------------------------------------------------------------------------------------------


def _schema(size: int) -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("name", pa.string()),
            ("source", pa.string()),
            ("person", pa.int64()),
            ("start", pa.float64()),
            ("end", pa.float64()),
            ("label", pa.string()),
            ("subject", pa.string()),
            ("print", pa.list_(pa.float32(), size)),
        ]
    )


def _rows(rows: Sequence[tuple[Any, ...]], prints: Sequence[npt.NDArray[np.float32]]) -> Any:
    """A table of rows and their prints (n, R); None where there is no row."""
    import pyarrow as pa

    if not rows:
        return None
    size = prints[0].shape[1]
    schema = _schema(size)
    columns = [pa.array(values, schema.field(place).type) for place, values in enumerate(zip(*rows, strict=True))]
    columns.append(pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(prints).ravel()), size))
    return pa.Table.from_arrays(columns, schema=schema)


class _Table:
    """The file of prints, written a row group at a time: its bytes do not show where ranges ended."""

    def __init__(self, file: Path, metadata: dict[str, str]) -> None:
        self.prints = 0
        self.size = 0
        self.recordings = 0
        self.mapped = 0
        self.counts = RecipeCounts()
        self._file = file
        self._metadata = metadata
        self._writer: Any = None
        self._waiting: Any = None  # rows that do not fill a group yet

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._waiting is not None and len(self._waiting):
            self._write(self._waiting)
        if self._writer is not None:
            self._writer.close()

    def take(self, part: _Part) -> None:
        """Write what fills a group, and keep the rest."""
        import pyarrow as pa

        self.recordings += part.recordings
        self.mapped += part.mapped
        self.counts.add(part.counts)
        if part.rows is None:
            return
        self.prints += len(part.rows)
        self.size = part.rows.schema.field("print").type.list_size
        rows = part.rows if self._waiting is None else pa.concat_tables([self._waiting, part.rows])
        full = len(rows) - len(rows) % ROW_GROUP
        for start in range(0, full, ROW_GROUP):
            self._write(rows.slice(start, ROW_GROUP))
        self._waiting = rows.slice(full).combine_chunks()

    def _write(self, rows: Any) -> None:
        import pyarrow.parquet as pq

        if self._writer is None:
            texts = [name for name in rows.schema.names if name != "print"]  # prints repeat nothing
            schema = rows.schema.with_metadata(self._metadata)
            self._writer = pq.ParquetWriter(self._file, schema, use_dictionary=texts, write_statistics=texts)
        group = rows.combine_chunks().replace_schema_metadata(self._metadata)
        self._writer.write_table(group, row_group_size=ROW_GROUP)
