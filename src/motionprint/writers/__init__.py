"""Recordings in, motion files out: one module a format, one literal table.

What was written reads back: the same joints, frame rate and missing values, and positions to the precision of the
format. A writer turns a recording into bytes and knows nothing of files; `write` here does the rest.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from motionprint.errors import DatasetError, SettingsError
from motionprint.sequence import SkeletonSequence
from motionprint.writers import bvh, c3d, csv, npz, trc

__all__ = ["WRITERS", "Writer", "encode", "write", "writer_of"]


class Writer(Protocol):
    """What the module of a format has."""

    TITLE: str
    """What messages call the format."""
    EXTENSIONS: tuple[str, ...]
    """Lower case, with the dot."""

    def encode(self, sequence: SkeletonSequence) -> bytes:
        """The content of the file that holds a recording; a SettingsError says what the format cannot hold."""
        ...


WRITERS: dict[str, Writer] = {
    "bvh": bvh,
    "c3d": c3d,
    "trc": trc,
    "npz": npz,
    "csv": csv,
}
"""The formats by name."""

MAX_METRES = 1_000_000
"""How far from the origin a joint may be: readers take no number above 10⁹, which in millimetres is this."""


def write(sequences: SkeletonSequence | Sequence[SkeletonSequence], path: str | Path, overwrite: bool = False) -> None:
    """Write a recording into a motion file, in the format of its extension.

    Parameters
    ----------
    sequences
        A recording, or a list of one, as ``read`` gives it.
    path
        Where to; the file is written under a temporary name beside it and renamed, so that it is whole or not there.
    overwrite
        Whether a file that is there already may be replaced.

    Raises
    ------
    SettingsError
        If the extension is that of no format, if there is not exactly one recording, if it has no frame, or if the
        format cannot hold it.
    DatasetError
        If the file exists and may not be replaced, or the system refuses to write it.
    """
    writer = writer_of(path)
    if writer is None:
        known = ", ".join(f"{each.TITLE} ({' '.join(each.EXTENSIONS)})" for each in WRITERS.values())
        raise SettingsError(f"{path}: unknown format to write; expected one of {known}")
    given = [sequences] if isinstance(sequences, SkeletonSequence) else list(sequences)
    if len(given) != 1:
        raise SettingsError(f"{path}: expected one recording a file, found {len(given)}: write each to its own")
    _refuse(Path(path), overwrite)
    try:
        data = encode(given[0], writer)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    _place(data, Path(path), overwrite)


def encode(sequence: SkeletonSequence, writer: Writer) -> bytes:
    """The content of the file that holds a recording; a SettingsError says what the format cannot hold."""
    _require_sensible(sequence)
    return writer.encode(sequence)


def writer_of(path: str | Path) -> Writer | None:
    """The writer of the format that a file's extension names, if any."""
    name = Path(path).name.lower()
    return next((writer for writer in WRITERS.values() if name.endswith(writer.EXTENSIONS)), None)


def _require_sensible(sequence: SkeletonSequence) -> None:
    """Refuse what no reader would read again."""
    if not len(sequence):
        raise SettingsError("expected at least one frame, found none")
    if not 1e-6 <= sequence.fps <= 1e6:
        raise SettingsError(f"expected a frame rate from 1e-06 to 1e+06 frames/s, found {sequence.fps:g}")
    far = np.abs(sequence.positions) > MAX_METRES
    if far.any():
        frame, joint, axis = np.argwhere(far)[0]
        found = f"{sequence.positions[frame, joint, axis]:g} m in frame {frame + 1}"
        raise SettingsError(f"expected positions below {MAX_METRES:,} m, found {found}")


def _refuse(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise DatasetError(f"{path}: expected a file to write, found a folder")
    if os.path.lexists(path) and not overwrite:
        raise DatasetError(f"{path}: exists; overwrite=True replaces it")


def _place(data: bytes, path: Path, overwrite: bool) -> None:
    """Write to a hidden name beside ``path``, then rename."""
    writing = path.with_name(f".{path.stem}.writing-{secrets.token_hex(4)}{path.suffix}")
    try:
        try:
            with writing.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            _refuse(path, overwrite)  # perhaps somebody else has written it meanwhile
            writing.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                writing.unlink()
            raise
    except OSError as error:
        raise DatasetError(f"{path}: cannot be written: {error.strerror or error}") from error
