"""Motion files in one format -> motion files in another."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from motionprint.errors import DatasetError, ReadError, SettingsError, SkeletonMismatchError
from motionprint.progress import Report
from motionprint.readers import ReadSettings, Source, open_files, read_from, recording_name
from motionprint.rigs import map_to as onto
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton
from motionprint.store.atomic import new_files
from motionprint.writers import WRITERS, Writer, encode, writer_of

__all__ = ["Converted", "convert"]


@dataclass(frozen=True)
class Converted:
    """What `convert` has made."""

    files: list[Path]
    """The files written, in the order of the source."""
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """Files of the source that could not be read or written, and why."""


def convert(
    source: str | Path,
    target: str | Path,
    *,
    format: str | None = None,
    overwrite: bool = False,
    fps: float | None = None,
    unit: str | None = None,
    up: str | None = None,
    skeleton: object = None,
    columns: str | Path | None = None,
    map_to: Skeleton | str | Path | None = None,
    allow_missing: bool = False,
    strict: bool = False,
    report: Report | None = None,
) -> Converted:
    """Write a motion file, or all motion files of a folder or archive, in another format.

    Whatever goes wrong, nothing is left behind, and what was to be overwritten is still there. Of a file of several
    persons each is written on its own: ``walk_p0.bvh``, ``walk_p1.bvh``.

    Parameters
    ----------
    source
        A file, a folder, an archive, or a file in an archive.
    target
        The file to write, in the format of its extension; with ``format`` a folder, in which files are called as in the
        source (with their extensions, where they differ in nothing else); a recording of one file a frame has one name.
    format
        The format to write, one of `WRITERS` by name.
    overwrite
        Replace files that exist.
    fps, unit, up, skeleton, columns
        What the files do not say: see `ReadSettings`.
    map_to, allow_missing
        The skeleton that all are brought onto: see `motionprint.rigs.map_to`.
    strict
        With ``format``: stop at the first file that cannot be read or written, in place of leaving it out by name.
    report
        Called with (done, total, text) after each file.

    Raises
    ------
    ReadError
        If the file cannot be read; of several, where ``strict``.
    SettingsError
        If the format is none, or cannot hold a recording; the text begins with the file.
    SkeletonMismatchError
        If a recording has not what ``map_to`` needs.
    DatasetError
        If a file to write exists, two files would have one name, or no file can be converted.
    """
    settings = ReadSettings(skeleton, unit, fps, up, None if columns is None else str(columns))
    joints = None if map_to is None else Skeleton.resolve(map_to)
    if allow_missing and joints is None:
        raise SettingsError("allow_missing: expected map_to with it, found none")
    target, writer = Path(target), _writer(Path(target), format)
    folder = target.parent if format is None else target
    if os.path.lexists(folder) and not folder.is_dir():
        raise DatasetError(f"{folder}: expected a folder to write into, found a file")
    with open_files(source, settings) as (opened, found):
        names = list(found)
        if format is None and len(names) > 1:
            raise SettingsError(
                f"{source}: expected one file to write {target}, found {len(names)}; with format= (--format) it is a "
                "folder for all of them"
            )
        wanted = [PurePosixPath(target.name)] if format is None else _mirrored(names, writer)
        read = _on_disk(opened, names)
        for file in wanted:
            if os.path.lexists(folder / file) and not overwrite:
                raise DatasetError(f"{folder / file}: exists; --overwrite replaces it")
            if _identity(folder / file) in read:
                raise DatasetError(f"{folder / file}: expected another file to write than the one that is read")
        made: dict[Path, None] = {}
        left_out: list[tuple[str, str]] = []
        with new_files(folder, overwrite) as building:
            for number, (name, file) in enumerate(zip(names, wanted, strict=True), start=1):
                try:
                    persons = _encoded(opened, name, settings, joints, allow_missing, writer)
                except (ReadError, DatasetError, SkeletonMismatchError, SettingsError) as error:
                    if strict or format is None:
                        raise
                    left_out.append((name, str(error)))
                    persons = []
                for person, data in enumerate(persons):
                    each = file if len(persons) == 1 else file.with_stem(f"{file.stem}_p{person}")
                    if folder / each in made:
                        raise DatasetError(
                            f"{opened.label(name)}: expected a name of its own, found {each} a second time"
                        )
                    (building / each).parent.mkdir(parents=True, exist_ok=True)
                    (building / each).write_bytes(data)
                    made[folder / each] = None
                if report is not None:
                    report(number, len(names), "converting")
            if not made:
                why = f"; the first, {left_out[0][0]}: {left_out[0][1]}" if left_out else ": nobody in them"
                raise DatasetError(f"{source}: none of {len(names)} files can be converted{why}")
    return Converted(list(made), left_out)


def _on_disk(source: Source, names: Sequence[str]) -> set[tuple[int, int]]:
    """Which files are read: what no file to write may be."""
    paths = [source.path] if source.path.is_file() else [source.path / name for name in names]
    return {found for path in paths if (found := _identity(path)) is not None}


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and number of a file, whatever it is called; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _writer(target: Path, format: str | None) -> Writer:
    if format is not None:
        if format not in WRITERS:
            raise SettingsError(f"unknown format {format!r} to write: expected one of {', '.join(WRITERS)}")
        return WRITERS[format]
    writer = writer_of(target)
    if writer is not None:
        return writer
    known = ", ".join(extension for writer in WRITERS.values() for extension in writer.EXTENSIONS)
    raise SettingsError(f"{target}: expected a file to write that ends in one of {known}, or format= (--format)")


def _mirrored(names: Sequence[str], writer: Writer) -> list[PurePosixPath]:
    """The names of the files to write: those read with another ending, or another one more where two would be one."""
    stems = Counter(recording_name(name) for name in names)
    extension = writer.EXTENSIONS[0]
    return [
        PurePosixPath(stem + extension) if stems[stem] == 1 else PurePosixPath(name + extension)
        for name in names
        for stem in [recording_name(name)]
    ]


def _encoded(
    source: Source, name: str, settings: ReadSettings, joints: Skeleton | None, allow_missing: bool, writer: Writer
) -> list[bytes]:
    """The content of the file of each person in one file of the source."""
    sequences: list[SkeletonSequence] = read_from(source, name, settings)
    if joints is not None:
        sequences = [onto(sequence, joints, allow_missing=allow_missing) for sequence in sequences]
    try:
        return [encode(sequence, writer) for sequence in sequences]
    except SettingsError as error:
        raise SettingsError(f"{source.label(name)}: {error}") from error
