"""Outputs that are either whole or not there: built beside their final name, renamed at the end.

Whatever ends the work early (an error, Ctrl-C, SIGTERM) removes what was built; an output that was to be replaced is
then still the old one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from motionprint.errors import DatasetError

__all__ = ["OURS", "new_file", "new_folder"]

OURS = ("prepare.json", "config.json")
"""A folder that holds one of these was written by motionprint, so that overwriting it removes nothing else."""


@contextlib.contextmanager
def new_folder(out: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """A folder to fill, which gets the name ``out`` once the block ends without an error.

    Raises
    ------
    DatasetError
        If ``out`` exists and may not be overwritten, or is not empty and not a folder that motionprint wrote.
    """
    target = Path(os.path.abspath(out))
    _refuse_existing(target, out, overwrite)
    if target.exists():
        if not target.is_dir():
            raise DatasetError(f"{out}: expected a folder to replace, found a file")
        if any(target.iterdir()) and not any((target / name).exists() for name in OURS):
            raise DatasetError(
                f"{out}: expected a folder that motionprint wrote to replace, found none of {_ours()} in it"
            )
    with _signals(), _parents(target):
        building = _beside(target, "building")
        building.mkdir()
        try:
            yield building
            _refuse_existing(target, out, overwrite)
            _replace_folder(building, target)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise


@contextlib.contextmanager
def new_file(out: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """A path to write a file to, which gets the name ``out`` once the block ends without an error.

    Raises
    ------
    DatasetError
        If ``out`` exists and may not be overwritten, or is a folder.
    """
    target = Path(os.path.abspath(out))
    if target.is_dir():
        raise DatasetError(f"{out}: expected a file to write, found a folder")
    _refuse_existing(target, out, overwrite)
    with _signals(), _parents(target):
        building = _beside(target, "building")
        try:
            yield building
            _refuse_existing(target, out, overwrite)
            building.replace(target)
        except BaseException:
            building.unlink(missing_ok=True)
            raise


def _ours() -> str:
    return " or ".join(OURS)


def _refuse_existing(target: Path, out: str | Path, overwrite: bool) -> None:
    if os.path.lexists(target) and not overwrite:
        raise DatasetError(f"{out}: exists; --overwrite replaces it")


def _beside(target: Path, what: str) -> Path:
    """A hidden name that is not taken, with the suffix of the target, which some writers go by."""
    return target.with_name(f".{target.stem}.{what}-{secrets.token_hex(4)}{target.suffix}")


def _replace_folder(building: Path, target: Path) -> None:
    if not target.exists():
        building.rename(target)
        return
    old = _beside(target, "old")
    target.rename(old)
    try:
        building.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _parents(target: Path) -> Iterator[None]:
    """Make the folders above the target; remove those made, where they stay empty, if the block fails."""
    made = [folder for folder in target.parents if not folder.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"{target.parent}: cannot be made: {error.strerror}") from error
    try:
        yield
    except BaseException:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Let SIGTERM end the block as an exception, where nobody else has a use for it."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
