"""Motion files in, recordings out: one module a format, one literal table.

A format is recognised by what a file holds; its extension only decides where the content does not, and lets a
damaged file be refused by the reader it was meant for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import amc, bvh, nw_ucla
from motionprint.readers.source import Source, is_archive
from motionprint.sequence import SkeletonSequence

__all__ = ["READERS", "Reader", "Source", "format_of", "motion_names", "open_files", "read", "read_all", "read_from"]


class Reader(Protocol):
    """What the module of a format has."""

    TITLE: str
    """What messages call the format."""
    EXTENSIONS: tuple[str, ...]
    """Lower case, with the dot."""

    def recognises(self, data: bytes) -> bool:
        """Whether the content is of this format."""
        ...

    def read(
        self,
        source: Source,
        name: str,
        data: bytes,
        *,
        skeleton: object = None,
        unit: str | None = None,
        fps: float | None = None,
    ) -> list[SkeletonSequence]:
        """The recordings in a file, one a person, whose bytes are ``data``."""
        ...


READERS: dict[str, Reader] = {
    "amc": amc,
    "bvh": bvh,
    "nw_ucla": nw_ucla,
}
"""The formats by name."""


def read(
    path: str | Path, *, skeleton: object = None, unit: str | None = None, fps: float | None = None
) -> list[SkeletonSequence]:
    """All recordings in a motion file, or in all motion files of a folder or a ``.zip``.

    Parameters
    ----------
    path
        A file, a folder, an archive, or a file in an archive (``hdm05.zip/walk/HDM_bd_walk_001_120.amc``).
    skeleton
        For AMC: the path of the ASF, where it is not found by its name.
    unit
        For BVH, which does not say it: m, cm (the default), mm, inch or cmu (1/0.45 inch).
    fps
        Frames/s, in place of what the file says or its format implies.

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
    return list(read_all(path, skeleton=skeleton, unit=unit, fps=fps))


def read_all(
    path: str | Path, *, skeleton: object = None, unit: str | None = None, fps: float | None = None
) -> Iterator[SkeletonSequence]:
    """What ``read`` gives, one recording after another, so that a large archive need not fit into memory.

    Of a folder or an archive the files with a motion format's extension are read; a ``.json`` that is no motion is
    passed over, since that extension says nothing.
    """
    with open_files(path) as (source, names):
        for name in names:
            yield from read_from(source, name, skeleton=skeleton, unit=unit, fps=fps)


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
        if not name.lower().endswith(".json") or nw_ucla.recognises(source.read_bytes(name)):
            found = True
            yield name
    if not found:
        raise ReadError(f"expected motion files, found none; {_known()}", file=str(path))


def read_from(
    source: Source, name: str, *, skeleton: object = None, unit: str | None = None, fps: float | None = None
) -> list[SkeletonSequence]:
    """The recordings in one file of a source; the rest as ``read`` has it."""
    if fps is not None and not (math.isfinite(fps) and 0 < fps <= 1e6):
        raise SettingsError(f"expected fps= to be a positive number of frames/s, found {fps}")
    data = source.read_bytes(name)
    reader = READERS[format_of(data, name, source.label(name))]
    return reader.read(source, name, data, skeleton=skeleton, unit=unit, fps=fps)


def motion_names(source: Source) -> list[str]:
    """The files of a source whose extension is that of a motion format."""
    extensions = tuple(extension for reader in READERS.values() for extension in reader.EXTENSIONS)
    return [name for name in source.names() if name.lower().endswith(extensions)]


def format_of(data: bytes, name: str, file: str) -> str:
    """The name in ``READERS`` of the format of a file.

    Raises
    ------
    ReadError
        If it is empty or of no known format.
    """
    if not data.strip():
        raise ReadError("expected a motion file, found an empty file", file=file)
    for key, reader in READERS.items():
        if reader.recognises(data):
            return key
    for key, reader in READERS.items():
        if name.lower().endswith(reader.EXTENSIONS):
            return key
    if name.lower().endswith(".asf"):
        raise ReadError("expected a motion, found a skeleton: read the .amc that belongs to it", file=file)
    raise ReadError(f"unknown format; {_known()}", file=file)


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
