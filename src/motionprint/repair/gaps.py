"""What is missing from a recording: which joints in which frames, in what gaps, and gaps made to judge fillers by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError
from motionprint.skeleton import BODY_PARTS, Skeleton

__all__ = ["HIDDEN", "Gap", "draw_gap", "find_gaps", "joint_numbers", "missing"]

HIDDEN = ("joint", "part", "parts", "body")
"""What `draw_gap` can hide: one joint, one body part, two or three of them, all joints."""

MARGIN = 2
"""Frames that `draw_gap` leaves on each side of a gap: so many give a speed on both of its edges."""


@dataclass(frozen=True)
class Gap:
    """A run of frames in which one joint is missing."""

    joint: int
    """The number of the joint."""
    start: int
    """The first frame without it."""
    end: int
    """The frame after the last one without it."""
    frames: int
    """The frames T of the whole recording."""

    def __len__(self) -> int:
        """Frames without the joint."""
        return self.end - self.start

    def seconds(self, fps: float) -> float:
        """How long it is, at ``fps`` frames/s."""
        return len(self) / fps

    @property
    def inside(self) -> bool:
        """Whether the joint is recorded both before and after it."""
        return self.start > 0 and self.end < self.frames


def missing(
    positions: npt.NDArray[np.floating[Any]], *, zeros: bool = False, joints: Sequence[int] | None = None
) -> npt.NDArray[np.bool_]:
    """(T, J) which joints of (T, J, 3) are missing: those that lack a coordinate (NaN).

    Parameters
    ----------
    zeros
        Whether a joint at exactly (0, 0, 0) is missing too, as many trackers write it.
    joints
        The numbers of joints that are taken to be missing in all frames.

    Raises
    ------
    SettingsError
        If there is no joint of such a number.
    """
    gone = np.isnan(positions).any(axis=2)
    if zeros:
        gone |= (positions == 0).all(axis=2)
    for joint in joints or ():
        if not 0 <= joint < gone.shape[1]:
            raise SettingsError(f"joints: expected numbers below {gone.shape[1]}, found {joint}")
        gone[:, joint] = True
    return np.asarray(gone)


def joint_numbers(skeleton: Skeleton, names: Sequence[str]) -> tuple[int, ...]:
    """The numbers, ascending, of joints given by their own names or by those of body parts (``left arm``).

    Raises
    ------
    SettingsError
        If a name is neither a joint's nor a body part's; the text lists both.
    """
    parts = dict(zip(BODY_PARTS, skeleton.body_parts, strict=False))
    found: set[int] = set()
    for name in names:
        if name in skeleton.joint_names:
            found.add(skeleton.joint_names.index(name))
        elif name in parts:
            found.update(parts[name])
        else:
            known = ", ".join([*parts, *skeleton.joint_names])
            raise SettingsError(f"joints: expected some of {known}; found {name!r}")
    return tuple(sorted(found))


def find_gaps(gone: npt.NDArray[np.bool_]) -> list[Gap]:
    """The gaps of each joint in turn, ascending in time, from what is missing (T, J)."""
    steps = np.diff(gone.astype(np.int8), axis=0, prepend=0, append=0)  # (T + 1, J)
    joints, starts = np.nonzero(steps.T == 1)
    _, ends = np.nonzero(steps.T == -1)
    return [
        Gap(joint, start, end, len(gone))
        for joint, start, end in zip(joints.tolist(), starts.tolist(), ends.tolist(), strict=True)
    ]


def draw_gap(
    skeleton: Skeleton, frames: int, fps: float, seconds: float, hidden: str, rng: np.random.Generator
) -> npt.NDArray[np.bool_] | None:
    """(T, J) one gap to judge a filler by, drawn at random: some joints, missing from the same frames.

    Parameters
    ----------
    frames, fps
        Of the recording: frames T, frames/s.
    seconds
        How long the gap is, to the nearest frame and at least one.
    hidden
        What is missing, one of `HIDDEN`.

    Returns
    -------
    None where the recording is too short to have two recorded frames on both sides of the gap.

    Raises
    ------
    SettingsError
        If ``hidden`` is unknown, the length is not above 0, or the skeleton has no body parts to hide.
    """
    if not seconds > 0:
        raise SettingsError(f"expected gaps longer than 0 s, found {seconds:g}")
    joints = _drawn_joints(skeleton, hidden, rng)
    length = max(1, round(seconds * fps))
    room = frames - 2 * MARGIN - length
    if room < 0:
        return None
    start = MARGIN + int(rng.integers(room + 1))
    gone = np.zeros((frames, len(skeleton)), dtype=np.bool_)
    gone[start : start + length, joints] = True
    return gone


def _drawn_joints(skeleton: Skeleton, hidden: str, rng: np.random.Generator) -> list[int]:
    if hidden not in HIDDEN:
        raise SettingsError(f"unknown gap {hidden!r}: expected one of {', '.join(HIDDEN)}")
    if hidden == "joint":
        return [int(rng.integers(len(skeleton)))]
    if hidden == "body":
        return list(range(len(skeleton)))
    skeleton.require_body_parts()
    parts = [part for part in skeleton.body_parts if part]
    count = 1 if hidden == "part" else int(rng.integers(2, 4))
    return sorted(joint for part in rng.permutation(len(parts))[:count] for joint in parts[part])
