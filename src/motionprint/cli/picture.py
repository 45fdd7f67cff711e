"""The picture that a command draws beside what it finds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from motionprint.errors import SettingsError

__all__ = ["new_picture"]


@contextlib.contextmanager
def new_picture(picture: Path | None, overwrite: bool, table: Path | None) -> Iterator[Path | None]:
    """A path to draw to, which gets its name once the block ends without an error; None where none was asked for.

    A name that will not do is refused here, before the work. ``table`` is the file that is written beside it.
    """
    if picture is None:
        yield None
        return
    from motionprint.pictures.figure import check_ending
    from motionprint.store.atomic import new_file

    check_ending(picture)
    if table is not None and os.path.abspath(table) == os.path.abspath(picture):
        raise SettingsError(f"{picture}: expected a picture apart from --out, found the same path")
    with new_file(picture, overwrite) as unfinished:
        yield unfinished
