"""Motion files in, recordings out: one module a format, one literal table.

A format is recognised by what a file holds; its extension only decides where the content does not, and lets a
damaged file be refused by the reader it was meant for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from motionprint.errors import ReadError
from motionprint.readers import amc, bvh, mat, msr, ntu, nw_ucla, sbu
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source, is_archive
from motionprint.sequence import SkeletonSequence

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


READERS: dict[str, Reader] = {
    "amc": amc,
    "bvh": bvh,
    "nw_ucla": nw_ucla,
    "ntu": ntu,
    "msr": msr,
    "sbu": sbu,
    "mat": mat,
}
"""The formats by name, in the order in which content is tried."""

AMBIGUOUS = (".json", ".txt", ".csv", ".tsv", ".mat", ".npz", ".npy", ".xml")
"""Extensions that motion shares with everything else: in a folder such files are passed over unless recognised."""

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
    with open_files(path) as (source, names):
        for name in names:
            yield from read_from(source, name, settings)


@contextmanager
def open_files(path: str | Path) -> Iterator[tuple[Source, Iterator[str]]]:
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
        yield source, _names(source, inner, path)


def _names(source: Source, inner: str | None, path: str | Path) -> Iterator[str]:
    if inner is not None or source.is_single:
        yield inner or source.names()[0]
        return
    found = False
    for name in motion_names(source):
        found = True
        yield name
    if not found:
        raise ReadError(f"expected motion files, found none; {_known()}", file=str(path))


def read_from(source: Source, name: str, settings: ReadSettings = DEFAULT) -> list[SkeletonSequence]:
    """The recordings in one file of a source; the rest as ``read`` has it."""
    data = source.read_bytes(name)
    reader = READERS[format_of(data, name, source.label(name))]
    return reader.read(source, name, data, settings)


def motion_names(source: Source) -> Iterator[str]:
    """The files of a source that are motion by their extension, or, where that says little, by their content too."""
    extensions = tuple(extension for reader in READERS.values() for extension in reader.EXTENSIONS)
    for name in source.names():
        lower = name.lower()
        if not lower.endswith(extensions):
            continue
        if not lower.endswith(AMBIGUOUS) or _recognised(source.read_bytes(name)) is not None:
            yield name


def format_of(data: bytes, name: str, file: str) -> str:
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
    named = [key for key, reader in READERS.items() if name.lower().endswith(reader.EXTENSIONS)]
    if len(named) == 1:  # an extension that several formats share says of none what is wrong with the file
        return named[0]
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
