"""What can go wrong, as one tree.

    ValueError
    └── MotionprintError
        ├── ReadError              a file: the text begins with its name, ``:line`` where there is one
        ├── DatasetError           a data set folder, a source of recordings, a protocol
        ├── SkeletonMismatchError  joints other than those a model was trained on
        ├── CheckpointError        a run folder that is damaged, incomplete or of another kind
        ├── DivergenceError        training whose numbers are no longer finite, or explode
        ├── SettingsError          a setting, or a combination of settings, that cannot work
        └── OtherProcessError      another of the processes that train together has failed, and has said why

Every message says where, what was found and what was expected, in one line.
"""

from __future__ import annotations

__all__ = [
    "CheckpointError",
    "DatasetError",
    "DivergenceError",
    "MotionprintError",
    "OtherProcessError",
    "ReadError",
    "SettingsError",
    "SkeletonMismatchError",
]


class MotionprintError(ValueError):
    """Any failure that motionprint foresees: bad input, bad settings, damaged files."""


class ReadError(MotionprintError):
    """A motion file cannot be read; the text begins with ``file`` or ``file:line``."""

    def __init__(self, message: str, *, file: str | None = None, line: int | None = None) -> None:
        where = "" if file is None else f"{file}: " if line is None else f"{file}:{line}: "
        super().__init__(where + message)
        self.file = file
        self.line = line


class DatasetError(MotionprintError):
    """A data set folder, a source of recordings or a protocol does not hold what it should."""


class SkeletonMismatchError(MotionprintError):
    """A recording's joints are not those of the model or the data set."""


class CheckpointError(MotionprintError):
    """A run folder is damaged, incomplete, or does not fit what is asked of it."""


class DivergenceError(MotionprintError):
    """Training cannot go on: a number of a step is not finite, or far larger than at the first step."""


class SettingsError(MotionprintError):
    """A setting, or a combination of settings, that cannot work."""


class OtherProcessError(MotionprintError):
    """Another of the processes that train together has failed, and has said why: this one need not."""
