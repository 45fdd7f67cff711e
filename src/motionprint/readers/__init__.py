"""Motion files in, recordings out: one module a format, one literal table.

A format is recognised by what a file holds; its extension only decides where the content does not, and lets a
damaged file be refused by the reader it was meant for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from motionprint.errors import ReadError
from motionprint.readers import (
    amc,
    arrays,
    bvh,
    c3d,
    mat,
    mediapipe,
    msr,
    mvnx,
    ntu,
    nw_ucla,
    openpose,
    optitrack,
    qualisys,
    refused,
    sbu,
    table,
    trc,
)
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source, is_archive
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

__all__ = [
    "AMBIGUOUS",
    "DEFAULT",
    "READERS",
    "ReadSettings",
    "Reader",
    "Source",
    "format_of",
    "motion_names",
    "open_files",
    "read",
    "read_all",
    "read_from",
    "recording_name",
    "series_of",
]


class Reader(Protocol):
    """What the module of a format has."""

    TITLE: str
    """What messages call the format."""
    EXTENSIONS: tuple[str, ...]
    """Lower case, with the dot."""

    def recognises(self, data: bytes) -> bool:
        """Whether the content is of this format."""
        ...

    def read(self, source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
        """The recordings in a file, one a person, whose bytes are ``data``."""
        ...


class Series(Protocol):
    """What the module of a format has that writes one file a frame."""

    def series_of(self, name: str) -> tuple[str, int] | None:
        """What the names of a recording's files begin with, and the number of the frame; None for a file of its own."""
        ...

    def recording_name(self, name: str) -> str | None:
        """What the recording is called of which a file is a frame; None for a file of its own."""
        ...


READERS: dict[str, Reader] = {
    "amc": amc,
    "bvh": bvh,
    "c3d": c3d,
    "trc": trc,
    "mvnx": mvnx,
    "nw_ucla": nw_ucla,
    "ntu": ntu,
    "msr": msr,
    "sbu": sbu,
    "mat": mat,
    "openpose": openpose,
    "mediapipe": mediapipe,
    "optitrack": optitrack,
    "qualisys": qualisys,
    "table": table,
    "arrays": arrays,
}
"""The formats by name, in the order in which content is tried."""

AMBIGUOUS = (".json", ".txt", ".csv", ".tsv", ".mat", ".npz", ".npy", ".xml")
"""Extensions that motion shares with everything else: in a folder such files are passed over unless recognised."""

SERIES: dict[str, Series] = {"openpose": openpose}
"""The formats of which a file holds one frame."""

_DATA_SET = "prepare.json"
"""What every data set folder holds beside its ``positions.npy``."""

DEFAULT = ReadSettings()
"""What the files and their formats say."""


def read(
    path: str | Path,
    *,
    skeleton: object = None,
    unit: str | None = None,
    fps: float | None = None,
    up: str | None = None,
    columns: str | None = None,
) -> list[SkeletonSequence]:
    """All recordings in a motion file, or in all motion files of a folder or a ``.zip``.

    Parameters
    ----------
    path
        A file, a folder, an archive, or a file in an archive (``hdm05.zip/walk/HDM_bd_walk_001_120.amc``).
    skeleton, unit, fps, up, columns
        What to take in place of what a file says, or for what it does not say: see `ReadSettings`.

    Returns
    -------
    recordings : list of SkeletonSequence
        One a person (or take), metres, y up.

    Raises
    ------
    ReadError
        If a file cannot be read; the text begins with its name and line.
    DatasetError
        If an archive cannot be trusted or read.
    SettingsError
        If a setting is none, or not for this format.
    """
    return list(read_all(path, ReadSettings(skeleton, unit, fps, up, columns)))


def read_all(path: str | Path, settings: ReadSettings = DEFAULT) -> Iterator[SkeletonSequence]:
    """What ``read`` gives, one recording after another, so that a large archive need not fit into memory.

    Of a folder or an archive the files with a motion format's extension are read; a ``.json``, ``.txt``, ``.csv`` and
    the like that is no motion is passed over, since such an extension says nothing.
    """
    with open_files(path, settings) as (source, names):
        for name in names:
            yield from read_from(source, name, settings)


@contextmanager
def open_files(path: str | Path, settings: ReadSettings = DEFAULT) -> Iterator[tuple[Source, Iterator[str]]]:
    """The source of a motion file, a folder or an archive, and the names in it that ``read_all`` reads, one by one.

    Raises
    ------
    ReadError
        If there is nothing; while names are taken, if none is that of a motion file.
    """
    outer, inner = _in_archive(Path(path))
    if not outer.exists():
        raise ReadError("expected a motion file, found nothing", file=str(path))
    with Source.open(outer) as source:
        yield source, _names(source, inner, path, settings)


def _names(source: Source, inner: str | None, path: str | Path, settings: ReadSettings) -> Iterator[str]:
    if inner is not None or source.is_single:
        yield inner or source.names()[0]
        return
    found = False
    for name in motion_names(source, settings):
        found = True
        yield name
    if not found and (others := refused.summary(source.names())) is not None:
        raise ReadError(f"expected motion files, found {others}", file=str(path))
    if not found:
        raise ReadError(f"expected motion files, found none; {_known()}", file=str(path))


def read_from(source: Source, name: str, settings: ReadSettings = DEFAULT) -> list[SkeletonSequence]:
    """The recordings in one file of a source; the rest as ``read`` has it."""
    data = source.read_bytes(name)
    reader = READERS[format_of(data, name, source.label(name), settings)]
    parts = settings.parts()
    if parts is None:
        return reader.read(source, name, data, settings)
    sequences = reader.read(source, name, data, replace(settings, skeleton=None))
    return [replace(each, skeleton=Skeleton.from_toml(parts, each.skeleton)) for each in sequences]


def motion_names(source: Source, settings: ReadSettings = DEFAULT) -> Iterator[str]:
    """The files of a source that are motion by their extension, or, where that says little, by their content too.

    Of a recording that is written as one file a frame the first one stands for all. A table that has half or more of
    the columns that ``settings.columns`` names for positions is motion. What lies in a data set folder is none: its
    ``positions.npy`` holds all recordings without saying where one ends.
    """
    extensions = tuple(extension for reader in READERS.values() for extension in reader.EXTENSIONS)
    begun: set[str] = set()
    names = source.names()
    data_sets = {name.removesuffix(_DATA_SET) for name in names if f"/{name}".endswith(f"/{_DATA_SET}")}
    for name in names:
        lower = name.lower()
        if not lower.endswith(extensions) or (series := series_of(name)) in begun:
            continue
        if name.removesuffix("positions.npy") in data_sets:
            continue
        if not lower.endswith(AMBIGUOUS) or _is_motion(source.read_bytes(name), lower, settings):
            if series is not None:
                begun.add(series)
            yield name


def recording_name(name: str) -> str:
    """What the recording in a file is called: the file without its extension, or what its frames are called."""
    called = (each.recording_name(name) for each in SERIES.values())
    return next(filter(None, called), str(PurePosixPath(name).with_suffix("")))


def series_of(name: str) -> str | None:
    """What the files of a recording share of which this is, by its name, one frame; None for a file of its own."""
    return next((found[0] for each in SERIES.values() if (found := each.series_of(name)) is not None), None)


def _is_motion(data: bytes, lower: str, settings: ReadSettings) -> bool:
    if _recognised(data) is not None:
        return True
    columns = settings.columns if lower.endswith(table.EXTENSIONS) else None
    return columns is not None and table.has_columns(data, columns)


def format_of(data: bytes, name: str, file: str, settings: ReadSettings = DEFAULT) -> str:
    """The name in ``READERS`` of the format of a file.

    Raises
    ------
    ReadError
        If it is empty or of no known format.
    """
    if not data.strip():
        raise ReadError("expected a motion file, found an empty file", file=file)
    if (found := _recognised(data)) is not None:
        return found
    if settings.columns is not None and name.lower().endswith(table.EXTENSIONS):
        return "table"
    if (other := refused.refused_by_content(data) or refused.refused_by_name(name)) is not None:
        raise ReadError(f"expected motion that can be read; {other}", file=file)
    meant = [key for key, reader in READERS.items() if name.lower().endswith(reader.EXTENSIONS)]
    if len(meant) == 1:
        return meant[0]
    if name.lower().endswith((".csv", ".tsv")):  # of all that may be meant, the reader that says how to name columns
        return "table"
    if name.lower().endswith(".asf"):
        raise ReadError("expected a motion, found a skeleton: read the .amc that belongs to it", file=file)
    raise ReadError(f"unknown format; {_known()}", file=file)


def _recognised(data: bytes) -> str | None:
    return next((key for key, reader in READERS.items() if reader.recognises(data)), None)


def _known() -> str:
    known = ", ".join(f"{reader.TITLE} ({' '.join(reader.EXTENSIONS)})" for reader in READERS.values())
    return f"expected one of {known}"


def _in_archive(path: Path) -> tuple[Path, str | None]:
    """An archive and the name in it, for a path that leads into an archive; else the path itself."""
    if not path.exists():
        for above in path.parents:
            if above.is_file() and is_archive(above):
                return above, path.relative_to(above).as_posix()
    return path, None
