"""The files of an index folder: a manifest, the run that made the prints, and one generation of prints and rows.

    index.json                 the manifest: which generation counts, and what it was made of
    run/                       the run, as `load_run` opens it
    prints-GENERATION.usearch  the prints in a graph of neighbours (HNSW), under keys
    table-GENERATION.parquet   a row for each key: where the print comes from

Whoever changes an index writes the files of the next generation beside the others and then replaces the manifest. A
reader takes what the manifest names; what it has opened it keeps, though the name may be gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError
from motionprint.readers import ReadSettings
from motionprint.skeleton import Skeleton
from motionprint.store.atomic import flush, refused, replaced

__all__ = ["MANIFEST", "RUN", "Manifest", "Origin", "Settings", "Snapshot", "new_graph", "open_snapshot", "publish"]

MANIFEST = "index.json"
RUN = "run"
ADDING = ".adding"
"""Where the prints of recordings that are being added lie meanwhile."""
FORMAT = 1
"""Of the manifest: it rises when older versions could not read what is written."""

CONNECTIVITY = 16
"""Neighbours that a print has in the graph."""
EXPANSION_ADD = 128
"""Candidates that are looked at for the neighbours of a new print."""
EXPANSION_SEARCH = 128
"""Candidates that are looked at for a query."""

ATTEMPTS = 20
"""How often files are looked for that a new generation has just taken the place of."""


@dataclass(frozen=True)
class Settings:
    """How prints are made, of recordings and of queries."""

    features: str = "states"
    """The encoder's last states, the paper's print F, or both side by side."""
    window: float | None = None
    """Seconds of a window; none where a recording gives one print."""
    stride: float | None = None
    """Seconds from window to window."""
    map_rigs: bool = False
    """Whether other rigs are brought onto the run's skeleton."""
    allow_missing: bool = False
    """Whether joints that a rig does not have are missing values."""


@dataclass(frozen=True)
class Origin:
    """A source that was added: where recordings lie, and how they are read."""

    given: str
    """As it was given."""
    path: str
    """The same, absolute."""
    kind: str
    """`dataset`, `file` (of one or several recordings), or `files`: a folder or an archive of them."""
    reading: ReadSettings
    """What was said of the files."""

    def place(self, file: str, given: bool = True) -> str:
        """Where a recording lies, by its file below the origin."""
        top = self.given if given else self.path
        return f"{top}/{file}" if self.kind == "files" else top


@dataclass(frozen=True)
class Manifest:
    """What ``index.json`` says."""

    generation: int
    """Which one counts, from 1."""
    prints: int
    """How many there are."""
    size: int
    """R: values of a print."""
    next_key: int
    """The key that the next print gets."""
    model: str
    """The hash of the run's weights."""
    trained: str | None
    """Where the run lay."""
    settings: Settings
    origins: tuple[Origin, ...]
    files: Mapping[str, tuple[int, str]]
    """The bytes and the sha256 of each file of the generation."""
    versions: Mapping[str, str]
    """Of what wrote it."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One generation, opened."""

    manifest: Manifest
    table: Any
    """A pyarrow table: key, origin, name, source, person, start, end (s), label, subject; keys ascend."""
    keys: npt.NDArray[np.int64]
    graph: Any
    """A usearch index over the keys; None where there is no print."""


def table_name(generation: int) -> str:
    """The file with the rows of a generation."""
    return f"table-{generation:08}.parquet"


def graph_name(generation: int) -> str:
    """The file with the prints of a generation."""
    return f"prints-{generation:08}.usearch"


def new_graph(size: int) -> Any:
    """A graph without prints, for prints of so many values."""
    from usearch.index import Index

    return Index(
        ndim=size,
        metric="cos",
        dtype="f16",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )


# ---- reading -----------------------------------------------------------------------------------------------------


def open_snapshot(folder: Path, *, mapped: bool = True) -> Snapshot:
    """The generation that counts now; its graph is mapped from the disk, or (to change it) read into memory.

    Raises
    ------
    DatasetError
        If it is not an index folder, or a file is missing or not what was written: cut short, altered.
    """
    for _ in range(ATTEMPTS):
        manifest = _read_manifest(folder)
        try:
            return _open(folder, manifest, mapped)
        except (FileNotFoundError, DatasetError) as error:
            if _read_manifest(folder) != manifest:
                continue  # a new generation has taken its place meanwhile
            if isinstance(error, DatasetError):
                raise
            raise DatasetError(f"{error.filename}: expected a file of the index, found none") from error
    raise DatasetError(f"{folder}: expected an index at rest for a moment, found a new generation at every look")


def _open(folder: Path, manifest: Manifest, mapped: bool) -> Snapshot:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, (size, digest) in manifest.files.items():
        _check(folder / name, size, digest)
    file = folder / table_name(manifest.generation)
    try:
        texts = ["name", "source", "label", "subject"]
        table = pq.read_table(file, read_dictionary=texts)
        keys = table.column("key").to_numpy().astype(np.int64)
        origins = table.column("origin").to_numpy()
        for name in ("person", "start", "end", *texts):
            table.column(name)
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise DatasetError(f"{file}: expected the rows of an index: {' '.join(str(error).split())}") from error
    if len(keys) != manifest.prints or (np.diff(keys) <= 0).any():
        raise DatasetError(f"{file}: expected {manifest.prints} rows with ascending keys, found {len(keys)}")
    if len(keys) and not (origins.min() >= 0 and origins.max() < len(manifest.origins)):
        raise DatasetError(f"{file}: expected one of {len(manifest.origins)} origins in each row, found others")
    graph = _open_graph(folder / graph_name(manifest.generation), manifest, mapped) if manifest.prints else None
    return Snapshot(manifest, table, keys, graph)


def _open_graph(file: Path, manifest: Manifest, mapped: bool) -> Any:
    from usearch.index import Index

    try:
        facts = Index.metadata(str(file)) or {}
        if (facts.get("count_present"), facts.get("dimensions")) != (manifest.prints, manifest.size):
            raise ValueError(
                f"{manifest.prints} of {manifest.size} values, "
                f"found {facts.get('count_present')} of {facts.get('dimensions')}"
            )
        graph = new_graph(manifest.size)
        (graph.view if mapped else graph.load)(str(file))
    except (RuntimeError, ValueError, OSError) as error:
        raise DatasetError(f"{file}: expected the prints of an index: {error}") from error
    # the file's own numbers come with it, but for how far is looked
    graph.expansion_add, graph.expansion_search = EXPANSION_ADD, EXPANSION_SEARCH
    return graph


def _check(file: Path, size: int, digest: str) -> None:
    """Refuse a file that is not what the manifest names: a graph is followed without a look at where it leads."""
    with file.open("rb") as opened:
        found = opened.seek(0, 2)
        if found != size:
            raise DatasetError(f"{file}: damaged, expected {size} bytes, found {found}")
        opened.seek(0)
        if hashlib.file_digest(opened, "sha256").hexdigest() != digest:
            raise DatasetError(f"{file}: damaged, its content does not have the checksum that it was written with")


def _read_manifest(folder: Path) -> Manifest:
    file = folder / MANIFEST
    if not file.is_file():
        found = "none" if folder.is_dir() else "a file" if folder.exists() else "nothing"
        raise DatasetError(f"{folder}: expected an index folder with {MANIFEST}, found {found}")
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(table, dict) or table.get("kind") != "motionprint index":
            raise ValueError("not the manifest of an index")
        if table["format"] != FORMAT:
            raise ValueError(f"format {table['format']}, this version reads {FORMAT}")
        manifest = Manifest(
            **{name: int(table[name]) for name in ("generation", "prints", "size", "next_key")},
            model=str(table["model"]),
            trained=table["trained"],
            settings=Settings(**table["settings"]),
            origins=tuple(_origin(each) for each in table["origins"]),
            files={str(name): (int(size), str(digest)) for name, (size, digest) in table["files"].items()},
            versions=dict(table["versions"]),
        )
        for seconds in (manifest.settings.window, manifest.settings.stride):
            if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds < float("inf")):
                raise ValueError(f"a window and a stride above 0 s, found {seconds!r}")
        if manifest.size < 1 or set(manifest.files) != _files(manifest.generation, manifest.prints):
            raise ValueError(f"files of generation {manifest.generation}, found {', '.join(manifest.files)}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{file}: expected the manifest of an index: {' '.join(str(error).split())}") from error
    return manifest


def _files(generation: int, prints: int) -> set[str]:
    return {table_name(generation), *([graph_name(generation)] if prints else [])}


def _origin(table: dict[str, Any]) -> Origin:
    reading = dict(table["reading"])
    if isinstance(reading.get("skeleton"), dict):
        reading["skeleton"] = Skeleton.from_dict(reading["skeleton"])
    return Origin(str(table["given"]), str(table["path"]), str(table["kind"]), ReadSettings(**reading))


# ---- writing -----------------------------------------------------------------------------------------------------


def publish(folder: Path, manifest: Manifest, table: Any, graph: Any) -> Manifest:
    """Write a generation and let the manifest name it, whose ``files`` are found here; older files are removed."""
    import pyarrow.parquet as pq

    generation = manifest.generation
    written = {}
    try:
        names = _files(generation, manifest.prints)
        for name in sorted(names):
            file = folder / name
            if name == graph_name(generation):
                graph.save(str(file))
            else:
                pq.write_table(table, file, use_dictionary=["name", "source", "label", "subject"])
            flush(file)
            with file.open("rb") as opened:
                written[name] = (file.stat().st_size, hashlib.file_digest(opened, "sha256").hexdigest())
        manifest = Manifest(**{**_shallow(manifest), "files": written})
        with replaced(folder / MANIFEST) as unfinished:
            unfinished.write_text(json.dumps(_plain(manifest), indent=1) + "\n", encoding="utf-8")
    except BaseException as error:
        for name in _files(generation, 1):
            (folder / name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise DatasetError(refused(folder, error)) from error
        if isinstance(error, RuntimeError):  # of usearch, which does not say what the system said
            raise DatasetError(f"{folder}: cannot be written: {error}; is there room?") from error
        raise
    for file in (*folder.glob("prints-*.usearch"), *folder.glob("table-*.parquet")):
        if file.name not in written:
            with contextlib.suppress(OSError):  # where a reader's file cannot be removed, the next writer does
                file.unlink()
    return manifest


def _shallow(manifest: Manifest) -> dict[str, Any]:
    return {each.name: getattr(manifest, each.name) for each in fields(manifest)}


def _plain(manifest: Manifest) -> dict[str, Any]:
    table = {"kind": "motionprint index", "format": FORMAT, **_shallow(manifest)}
    table["settings"] = asdict(manifest.settings)
    table["origins"] = [
        {
            "given": each.given,
            "path": each.path,
            "kind": each.kind,
            "reading": {one.name: _value(getattr(each.reading, one.name)) for one in fields(ReadSettings)},
        }
        for each in manifest.origins
    ]
    return table


def _value(given: object) -> Any:
    if isinstance(given, Skeleton):
        return given.to_dict()
    return str(given) if isinstance(given, Path) else given
