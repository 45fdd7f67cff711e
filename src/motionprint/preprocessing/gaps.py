"""Missing values: short gaps filled on request, and where the root was in frames that lack it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["fill_gaps", "first_complete", "follow", "recorded_joints"]

Points = npt.NDArray[np.floating[Any]]


def recorded_joints(positions: Points) -> npt.NDArray[np.bool_]:
    """(T, J) which joints of (T, J, 3) are recorded; one that lacks a coordinate is not."""
    return np.asarray(~np.isnan(positions).any(axis=2))


def fill_gaps(positions: Points, longest: int) -> Points:
    """Positions (T, J, 3) with every gap of up to ``longest`` frames filled by linear interpolation, joint by joint.

    A gap has a recorded frame before and one after it. All coordinates of a joint that is still missing are NaN.
    """
    known = recorded_joints(positions)
    filled = np.where(known[..., None], positions, np.nan).astype(positions.dtype)
    if longest < 1:
        return filled
    frames = len(positions)
    times = np.arange(frames)[:, None]
    before = np.maximum.accumulate(np.where(known, times, -1), axis=0)  # (T, J) the last recorded frame
    after = np.minimum.accumulate(np.where(known, times, frames)[::-1], axis=0)[::-1]  # the next one
    short = ~known & (before >= 0) & (after < frames) & (after - before - 1 <= longest)
    time, joint = np.nonzero(short)
    start, end = before[short], after[short]
    weight = ((time - start) / (end - start))[:, None]
    filled[time, joint] = (1 - weight) * positions[start, joint] + weight * positions[end, joint]
    return filled


def follow(points: Points) -> npt.NDArray[np.float64] | None:
    """One joint's points (T, 3) in every frame: between recorded frames on a line, before and after them at rest.

    None where it was never recorded.
    """
    recorded = np.flatnonzero(~np.isnan(points).any(axis=1))
    if not len(recorded):
        return None
    times = np.arange(len(points))
    return np.stack([np.interp(times, recorded, points[recorded, axis]) for axis in range(3)], axis=1)


def first_complete(positions: Points, joints: Sequence[int]) -> int:
    """The first frame of (T, J, 3) in which all of these joints are recorded; 0 where there is none."""
    return int(recorded_joints(positions[:, list(joints)]).all(axis=1).argmax())
