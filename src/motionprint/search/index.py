"""An index of prints: built, added to, removed from, and asked what is most like a motion.

Prints are compared by the cosine distance, 1 - cos, as they are (docs/decisions/0012-search-index.md), in a graph of
neighbours (HNSW: Malkov and Yashunin 2018) by the package usearch, or one by one where exact answers are wanted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import CheckpointError, DatasetError, SettingsError
from motionprint.evaluation import encode
from motionprint.evaluation.probes import require_finite
from motionprint.progress import Report
from motionprint.readers import DEFAULT, ReadSettings
from motionprint.rigs import map_to
from motionprint.search.changes import Indexed, Next, add_sources, columns
from motionprint.search.folder import RUN, Manifest, Origin, Settings, Snapshot, open_snapshot
from motionprint.search.recordings import Recordings
from motionprint.sequence import SkeletonSequence
from motionprint.store.atomic import held, new_file, new_folder
from motionprint.training import Run, load_run
from motionprint.training.run import save_run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Hit", "Indexed", "MotionIndex", "build_index", "cut", "open_index", "write_hits"]

COLUMNS = ("name", "source", "person", "start", "end", "label", "subject", "distance")
"""What is written of a hit."""

ENDINGS = (".csv", ".parquet", ".jsonl")
"""The endings that the name of a table of hits may have."""

TAKEN = 64
"""Rows of the table that are looked up at once."""

Prints = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Hit:
    """A part of a recording that is like a query."""

    name: str
    """What the recording is called."""
    source: str
    """The motion file, as it was given to the index and below that; of a data set, its folder."""
    person: int
    start: float
    """Seconds."""
    end: float
    """Seconds."""
    label: str | None
    subject: str | None
    distance: float
    """1 - cos of both prints: 0 for the same direction, 1 at a right angle."""
    origin: int
    """Which of the index's sources it is of."""
    file: str
    """The file below that source."""


def build_index(
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
    overwrite: bool = False,
    report: Report | None = None,
) -> Indexed:
    """An index folder over the prints of recordings; it holds the run, and needs no other file to be asked.

    Sources, windows and the rest are those of `motionprint.evaluation.embed`, and so are the errors.

    Raises
    ------
    DatasetError
        If no recording is found, ``out`` exists, or another process writes into it.
    SettingsError
        If the settings do not go together.
    """
    settings = Settings(features, window, window if stride is None else stride, map_rigs or run.shipped, allow_missing)
    inputs = [*sources, *([run.folder] if run.folder is not None else [])]
    with held(out, "index"), new_folder(out, overwrite, kind="index", inputs=inputs) as building:
        save_run(run, building / RUN)
        trained = None if run.folder is None else os.path.abspath(run.folder)
        empty = Manifest(0, 0, 0, 0, run.model_hash, trained, settings, (), {}, {})
        done = add_sources(building, Snapshot(empty, None, np.zeros(0, np.int64), None), run, sources, reading, report)
    return replace(done, path=Path(out))


def open_index(folder: str | Path, device: str = "cpu") -> MotionIndex:
    """Open an index folder, to ask it or to change it.

    Raises
    ------
    DatasetError
        If it is not an index folder, or a file is missing or damaged.
    """
    return MotionIndex(Path(folder), open_snapshot(Path(folder)), device)


class MotionIndex:
    """An index folder, opened by `open_index`: what was in it then is searched, whatever others write meanwhile."""

    def __init__(self, folder: Path, snapshot: Snapshot, device: str = "cpu") -> None:
        self.folder = folder
        """Where it lies."""
        self._snapshot = snapshot
        self._device = device
        self._run: Run | None = None

    def __len__(self) -> int:
        """The number of prints."""
        return self._snapshot.manifest.prints

    def __repr__(self) -> str:
        return f"MotionIndex({str(self.folder)!r}: {len(self)} prints, generation {self.generation})"

    @property
    def generation(self) -> int:
        """How often its content was written: another number, another content."""
        return self._snapshot.manifest.generation

    @property
    def settings(self) -> Settings:
        """How prints are made."""
        return self._snapshot.manifest.settings

    @property
    def origins(self) -> tuple[Origin, ...]:
        """The sources that were added."""
        return self._snapshot.manifest.origins

    @property
    def model_hash(self) -> str:
        """The hash of the weights that made its prints."""
        return self._snapshot.manifest.model

    @property
    def trained(self) -> str | None:
        """Where the run lay that it was built with."""
        return self._snapshot.manifest.trained

    @property
    def run(self) -> Run:
        """The run that makes its prints.

        Raises
        ------
        CheckpointError
            If the run in the index is damaged, or another one than made the prints.
        """
        if self._run is None:
            found = load_run(self.folder / RUN, self._device)
            self._require(found)
            self._run = found
        return self._run

    def _require(self, run: Run) -> None:
        if run.model_hash != self.model_hash:
            raise CheckpointError(
                f"{self.folder}: expected the run that made its prints, model {self.model_hash[:12]}, "
                f"found {run.folder or 'a run'}, model {run.model_hash[:12]}"
            )

    # ---- what is in it --------------------------------------------------------------------------------------------

    def rows(self, numbers: npt.NDArray[np.intp] | None = None) -> pd.DataFrame:
        """Where prints come from, by their numbers, or all: origin (number of the source), name, source (the file below
        it), person, start, end (seconds), label, subject."""
        table = self._snapshot.table.drop_columns(["key"])
        found: pd.DataFrame = (table if numbers is None else table.take(numbers)).to_pandas()
        texts = [name for name in found if found[name].dtype == "category"]
        return found.astype(dict.fromkeys(texts, object))

    def prints(self, numbers: npt.NDArray[np.intp] | None = None) -> Prints:
        """(n, R) prints by their numbers, or all, as they are kept: with 16 bits a value.

        Raises
        ------
        DatasetError
            If the index is empty.
        """
        self._require_prints()
        keys = self._snapshot.keys if numbers is None else self._snapshot.keys[numbers]
        return np.asarray(self._snapshot.graph.get(keys), np.float32)

    def _require_prints(self) -> None:
        if not len(self):
            raise DatasetError(f"{self.folder}: expected prints in the index, found none")

    # ---- asking ---------------------------------------------------------------------------------------------------

    def search(
        self,
        query: SkeletonSequence | str,
        k: int = 10,
        *,
        start: float | None = None,
        end: float | None = None,
        person: int | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """The ``k`` parts of recordings that are most like a motion, the likest first; fewer where there are no more.

        Of hits of one recording that overlap in time, only the likest is kept. The motion has one print; one that is
        so long that the recipe cuts it has the mean of its windows'.

        Parameters
        ----------
        query
            A recording, or the name of one in the index, which is read again; itself is then no hit.
        start, end
            Seconds that cut the query.
        person
            Whom to ask for, where the index has several persons of that name; else the first.
        exact
            Whether to compare the query with every print.

        Raises
        ------
        DatasetError
            If the index is empty, no recording has the name, several have it, or its source is gone.
        SkeletonMismatchError
            If the query has other joints than the run.
        SettingsError
            If ``k`` is below 1, or the query is cut to fewer than two frames, or beyond its end.
        """
        if k < 1:
            raise SettingsError(f"expected at least 1 hit to look for, found {k}")
        self._require_prints()
        own: Hit | None = None
        if isinstance(query, str):
            own = self._named(query, person)
            query = self.recording(replace(own, start=0.0, end=np.inf))
        motion = cut(query, start, end)
        if own is not None:
            own = replace(own, start=start or 0.0, end=query.duration if end is None else end)
        return self._nearest(self.print_of(motion), k, exact, own)

    def print_of(self, motion: SkeletonSequence) -> Prints:
        """The print (R,) of a motion, as the index makes them."""
        if self.settings.map_rigs:
            motion = map_to(motion, self.run.skeleton, allow_missing=self.settings.allow_missing)
        vector: Prints = encode(self.run, [motion], self.settings.features)[0]
        return vector

    def _nearest(self, vector: Prints, k: int, exact: bool, own: Hit | None) -> list[Hit]:
        snapshot, settings = self._snapshot, self.settings
        require_finite(vector[None], "query")
        # where windows overlap, about so many of them are of one hit
        overlapping = 1.0 if settings.window is None or settings.stride is None else settings.window / settings.stride
        count = min(len(self), int(np.ceil((k + 1) * max(1.0, overlapping))))
        while True:
            found = snapshot.graph.search(vector, count, exact=exact, threads=1)
            order = np.argsort(found.distances, kind="stable")
            rows = np.searchsorted(snapshot.keys, found.keys[order].astype(np.int64))
            hits = list(islice(_without_overlaps(self._hits(rows, found.distances[order]), own), k))
            if len(hits) == k or count == len(self):
                return hits
            count = min(len(self), 4 * count)

    def _hits(self, rows: npt.NDArray[np.intp], distances: npt.NDArray[np.float32]) -> Iterator[Hit]:
        for start in range(0, len(rows), TAKEN):  # most often the first few of them are enough
            part = slice(start, start + TAKEN)
            table = self._snapshot.table.take(rows[part])
            for row, distance in zip(table.to_pylist(), distances[part], strict=True):
                yield self._hit(row, max(0.0, float(distance)))

    def _hit(self, row: dict[str, Any], distance: float) -> Hit:
        origin, file = int(row["origin"]), str(row["source"])
        return Hit(
            row["name"],
            self.origins[origin].place(file),
            int(row["person"]),
            row["start"],
            row["end"],
            row["label"],
            row["subject"],
            distance,
            origin,
            file,
        )

    def __contains__(self, name: str) -> bool:
        """Whether a recording of this name is in it."""
        import pyarrow.compute as pc

        return bool(pc.any(pc.equal(self._snapshot.table.column("name").cast("string"), name)).as_py())

    def _named(self, name: str, person: int | None) -> Hit:
        """A print of the only recording of a name."""
        import pyarrow.compute as pc

        table = self._snapshot.table
        rows = table.filter(pc.equal(table.column("name").cast("string"), name)).to_pylist()
        if not rows:
            raise DatasetError(f"{self.folder}: expected the name of a recording in the index, found {name!r}")
        hits = [self._hit(row, 0.0) for row in rows]
        places = sorted({self.origins[hit.origin].place(hit.file, given=False) for hit in hits})
        if len(places) > 1:
            raise DatasetError(
                f"{self.folder}: expected one recording called {name!r}, found {len(places)}: {', '.join(places[:3])}"
            )
        persons = sorted({hit.person for hit in hits})
        if person is not None and person not in persons:
            raise DatasetError(
                f"{name}: expected a person among {', '.join(map(str, persons))} in the index, found {person}"
            )
        return next(hit for hit in hits if hit.person == (persons[0] if person is None else person))

    def find(self, name: str, person: int | None = None) -> SkeletonSequence:
        """The recording of a name, read again from its source; errors as those of `search`."""
        return self.recording(replace(self._named(name, person), start=0.0, end=np.inf))

    def recording(self, hit: Hit) -> SkeletonSequence:
        """The part of a recording that a hit is, read again from its source.

        Raises
        ------
        DatasetError
            If the source, or the recording in it, is gone.
        """
        return Recordings(self.origins).part(hit.origin, hit.file, hit.name, hit.person, hit.start, hit.end)

    # ---- changing -------------------------------------------------------------------------------------------------

    def add(
        self,
        sources: Sequence[str | Path],
        *,
        run: Run | None = None,
        reading: ReadSettings = DEFAULT,
        report: Report | None = None,
    ) -> Indexed:
        """Add recordings, made into prints as the index's others; those that are in it already are replaced.

        Readers that have it open go on with what they have; this one sees the new content.

        Parameters
        ----------
        run
            The run to check: it must be the one that the index was built with.

        Raises
        ------
        CheckpointError
            If ``run`` is another one.
        DatasetError
            If another process writes into the index, or no recording is found; then nothing has changed.
        """
        if run is not None:
            self._require(run)
        with held(self.folder, "index"):
            before = open_snapshot(self.folder, mapped=False)
            if before.manifest.model != self.model_hash:
                raise CheckpointError(f"{self.folder}: was replaced by an index of another run since it was opened")
            done = add_sources(self.folder, before, self.run if run is None else run, sources, reading, report)
        self._snapshot = open_snapshot(self.folder)
        return done

    def remove(self, names: Iterable[str]) -> Indexed:
        """Remove recordings, by their names or by their sources as hits give them.

        Raises
        ------
        DatasetError
            If a name is not in the index (nothing has changed then), or another process writes into it.
        """
        wanted = set(names)
        with held(self.folder, "index"):
            before = open_snapshot(self.folder, mapped=False)
            origins = before.manifest.origins
            found = [
                wanted & {name, origins[origin].place(file)}
                for name, origin, file in columns(before.table, "name", "origin", "source")
            ]
            unknown = sorted(wanted - set().union(*found))
            if unknown or not wanted:
                raise DatasetError(
                    f"{self.folder}: expected names or sources of recordings in the index, "
                    f"found {', '.join(map(repr, unknown)) or 'none'}"
                )
            following = Next(self.folder, before)
            following.remove(np.array([bool(each) for each in found], dtype=bool))
            following.publish()
        self._snapshot = open_snapshot(self.folder)
        return Indexed(self.folder, len(self), self._snapshot.manifest.size, removed=following.removed)


def cut(motion: SkeletonSequence, start: float | None = None, end: float | None = None) -> SkeletonSequence:
    """The part of a recording between two times (seconds); at least two frames.

    Raises
    ------
    SettingsError
        If the part begins or ends beyond the recording, or is shorter than two frames.
    """
    name, duration = motion.name or "query", motion.duration
    first, last = 0.0 if start is None else start, duration if end is None else end
    if not 0 <= first < duration:
        raise SettingsError(f"{name}: expected --from within the recording's {duration:g} s, found {first:g} s")
    if not first < last <= duration + 1e-6:
        raise SettingsError(
            f"{name}: expected --to after --from ({first:g} s) and within the recording's {duration:g} s, "
            f"found {last:g} s"
        )
    frames = slice(round(first * motion.fps), round(last * motion.fps))
    part = replace(motion, positions=motion.positions[frames])
    if len(part) < 2:
        raise SettingsError(f"{name}: expected a query of at least 2 frames, found {len(part)}")
    return part


def write_hits(hits: Sequence[Hit], out: str | Path, overwrite: bool = False) -> None:
    """Write hits as a table: .csv, .parquet or .jsonl, by the name's ending.

    Raises
    ------
    SettingsError
        If the ending is another.
    DatasetError
        If the file exists and ``overwrite`` is false.
    """
    import pandas as pd

    ending = Path(out).suffix.lower()
    if ending not in ENDINGS:
        raise SettingsError(f"{out}: expected a name that ends in one of {', '.join(ENDINGS)}")
    table = pd.DataFrame([[getattr(hit, name) for name in COLUMNS] for hit in hits], columns=list(COLUMNS))
    with new_file(out, overwrite=overwrite) as unfinished:
        if ending == ".csv":
            table.to_csv(unfinished, index=False)
        elif ending == ".jsonl":
            table.to_json(unfinished, orient="records", lines=True, force_ascii=False)
        else:
            table.to_parquet(unfinished, index=False)


def _without_overlaps(hits: Iterable[Hit], own: Hit | None) -> Iterator[Hit]:
    """Hits, nearest first, without those that overlap a nearer one of the same recording, or the query itself."""
    taken: dict[tuple[Any, ...], list[tuple[float, float]]] = {}

    def recording(hit: Hit) -> tuple[Any, ...]:
        return hit.origin, hit.file, hit.name, hit.person

    if own is not None:
        taken[recording(own)] = [(own.start, own.end)]
    for hit in hits:
        others = taken.setdefault(recording(hit), [])
        if all(hit.end <= start or end <= hit.start for start, end in others):
            others.append((hit.start, hit.end))
            yield hit
