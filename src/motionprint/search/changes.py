"""The next generation of an index folder: the one before, with recordings added or removed.

Prints are those of `motionprint.evaluation.embed`, source by source, and go from its table into the graph, which alone
holds all of them at once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError
from motionprint.evaluation import embed
from motionprint.evaluation.probes import require_finite
from motionprint.preprocessing import RecipeCounts
from motionprint.progress import Report
from motionprint.readers import ReadSettings
from motionprint.readers.source import is_archive
from motionprint.search.folder import ADDING, Manifest, Origin, Snapshot, new_graph, publish
from motionprint.store.atomic import refused
from motionprint.training import Run
from motionprint.training.run import versions

__all__ = ["Indexed", "Next", "add_sources", "columns"]

BATCH = 1 << 14
"""Prints that are put into the graph between two reports."""


@dataclass(frozen=True)
class Indexed:
    """What `build_index`, `MotionIndex.add` or `MotionIndex.remove` has done."""

    path: Path
    prints: int
    """Prints in the index now."""
    size: int
    """R: values of a print."""
    recordings: int = 0
    """Recordings that were read and added."""
    added: int = 0
    """Prints that were added."""
    removed: int = 0
    """Prints that were removed, or replaced by those added."""
    mapped: int = 0
    """Recordings of other rigs that were brought onto the run's skeleton."""
    counts: RecipeCounts = field(default_factory=RecipeCounts)
    """What the recipe did to what was added."""


def _schema() -> Any:
    import pyarrow as pa

    text = pa.string()
    kinds = {"key": pa.int64(), "origin": pa.int32(), "name": text, "source": text, "person": pa.int64()}
    return pa.schema({**kinds, "start": pa.float64(), "end": pa.float64(), "label": text, "subject": text})


class Next:
    """The next generation while it is made of the one before."""

    def __init__(self, folder: Path, before: Snapshot) -> None:
        self.folder = folder
        self.manifest = before.manifest
        self.origins = list(before.manifest.origins)
        self.table = before.table.cast(_schema()) if before.table is not None else _schema().empty_table()
        self.graph = before.graph
        self.size = before.manifest.size
        self.next_key = before.manifest.next_key
        self.added = self.removed = 0
        self._known = set(self._recordings(self.table))

    def remove(self, gone: npt.NDArray[np.bool_]) -> None:
        """Remove rows, and the prints under their keys."""
        import pyarrow as pa

        if gone.any():
            self.graph.remove(self.table.column("key").to_numpy()[gone])
            self.table = self.table.filter(pa.array(~gone))
            self.removed += int(gone.sum())

    def add(self, origin: Origin, prints: Path, report: Report | None) -> None:
        """Add a file of prints of one source, in place of those that are there of the same recordings."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if origin not in self.origins:
            self.origins.append(origin)
        with pq.ParquetFile(prints) as file:
            names = [name for name in file.schema_arrow.names if name != "print"]
            rows, total = file.read(columns=names), file.metadata.num_rows
            keys = np.arange(self.next_key, self.next_key + total)
            rows = rows.append_column("key", pa.array(keys))
            rows = rows.append_column("origin", pa.array(np.full(total, self.origins.index(origin), np.int32)))
            rows = rows.select(_schema().names).replace_schema_metadata(None)
            here = set(self._recordings(rows))
            if here & self._known:  # else the rows need not be gone through: there may be thousands of sources
                self.remove(np.array([each in here for each in self._recordings(self.table)], dtype=bool))
            self._known |= here
            if self.graph is None:
                self.size = int(file.schema_arrow.field("print").type.list_size)
                self.graph = new_graph(self.size)
            done = 0
            for batch in file.iter_batches(BATCH, columns=["print"]):
                vectors = batch.column("print").flatten().to_numpy().reshape(len(batch), -1)
                require_finite(vectors, "indexed")
                self.graph.add(keys[done : done + len(batch)], vectors)
                done += len(batch)
                if report is not None:
                    report(done, total, f"{origin.given}: putting prints in their places")
        self.table = pa.concat_tables([self.table, rows.cast(_schema())])
        self.next_key += total
        self.added += total

    def _recordings(self, table: Any) -> list[tuple[str, str, int]]:
        """Which recording each row is of, whatever source it was found through: a folder's are called by their way."""
        return [
            (self.origins[origin].place(file, given=False), name.rpartition("/")[2], person)
            for origin, file, name, person in columns(table, "origin", "source", "name", "person")
        ]

    def publish(self) -> Manifest:
        """Write it, for all who open the index from now on."""
        manifest = replace(
            self.manifest,
            generation=self.manifest.generation + 1,
            prints=len(self.table),
            size=self.size,
            next_key=self.next_key,
            origins=tuple(self.origins),
            versions=versions(),
        )
        return publish(self.folder, manifest, self.table, self.graph)


def columns(table: Any, *names: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a pyarrow table, of some of its columns."""
    return zip(*(table.column(name).to_pylist() for name in names), strict=True)


def add_sources(
    folder: Path,
    before: Snapshot,
    run: Run,
    sources: Sequence[str | Path],
    reading: ReadSettings,
    report: Report | None,
) -> Indexed:
    """Write the generation that has the recordings of the sources too."""
    if not sources:
        raise DatasetError("no source given: expected at least one recording, found none")
    settings = before.manifest.settings
    following = Next(folder, before)
    recordings, mapped, counts = 0, 0, RecipeCounts()
    for source in sources:
        with _emptied(folder / ADDING) as adding:
            prints = adding / "prints.parquet"
            done = embed(
                run,
                [source],
                prints,
                features=settings.features,
                window=settings.window,
                stride=settings.stride,
                reading=reading,
                map_rigs=settings.map_rigs,
                allow_missing=settings.allow_missing,
                report=report,
            )
            following.add(_origin(source, reading), prints, report)
        recordings, mapped = recordings + done.recordings, mapped + done.mapped
        counts.add(done.counts)
    manifest = following.publish()
    changed = (recordings, following.added, following.removed, mapped)
    return Indexed(folder, manifest.prints, manifest.size, *changed, counts)


@contextlib.contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """A new folder, gone afterwards; what a killed process has left in its place is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir()
    except OSError as error:
        raise DatasetError(refused(folder, error)) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _origin(source: str | Path, reading: ReadSettings) -> Origin:
    path = Path(source)
    if (path / "index.parquet").is_file():
        kind = "dataset"
    else:
        kind = "files" if path.is_dir() or (path.is_file() and is_archive(path)) else "file"
    return Origin(str(source), os.path.abspath(source), kind, reading.anywhere())
