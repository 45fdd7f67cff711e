"""One recording of one person: what every reader returns and everything else takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import MotionprintError
from motionprint.skeleton import Skeleton

__all__ = ["SkeletonSequence"]


@dataclass(frozen=True, eq=False)
class SkeletonSequence:
    """The joints of one person over time.

    Raises
    ------
    MotionprintError
        If the shapes disagree, the frame rate is not positive, or a position is infinite.
    """

    positions: npt.NDArray[np.float32]
    """(T, J, 3) float32, metres, y up; NaN marks a missing value."""
    fps: float
    """Frames/s."""
    skeleton: Skeleton
    """The joints that the second axis of ``positions`` counts."""
    name: str = ""
    """What the recording is called: unique within a data set."""
    person: int = 0
    """Which of the persons in its file this is, from 0."""
    label: str | None = None
    """The action class, where known."""
    subject: str | None = None
    """Who moves, where known."""
    source: str | None = None
    """The file that it was read from, relative to its folder or archive."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """A corpus's own columns (view, repetition, ...)."""

    def __post_init__(self) -> None:
        positions = np.asarray(self.positions, dtype=np.float32)
        where = self.name or self.source or "sequence"
        joints = len(self.skeleton.joint_names)
        if positions.ndim != 3 or positions.shape[1:] != (joints, 3):
            raise MotionprintError(
                f"{where}: expected positions of shape (frames, {joints}, 3), found {np.shape(self.positions)}"
            )
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise MotionprintError(f"{where}: expected a positive frame rate, found {self.fps}")
        if np.isinf(positions).any():
            frame = int(np.isinf(positions).any(axis=(1, 2)).argmax())
            raise MotionprintError(f"{where}: expected finite positions or NaN, found inf in frame {frame}")
        object.__setattr__(self, "positions", positions)

    def __len__(self) -> int:
        """The number of frames T."""
        return len(self.positions)

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the end of the last one."""
        return len(self.positions) / self.fps
