"""Frames in time: resampling to one frame rate, sub-sampling to a length, cutting into windows."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError

__all__ = ["read", "resample", "resample_to", "resampled_reading", "subsample", "windows"]

Positions = npt.NDArray[np.float64]
Times = npt.NDArray[np.float64]
Recorded = npt.NDArray[np.floating[Any]]


def resample(positions: Recorded, fps: float, target_fps: float) -> Positions:
    """Positions (T, J, 3) at ``fps`` brought to ``target_fps`` by linear interpolation between frames.

    The first frame stays the first; frames after the last recorded one are never invented. At the same frame rate
    nothing changes, and at a whole multiple of it frames are picked.
    """
    return at_times(positions, resampled_times(len(positions), fps, target_fps))


def resample_to(positions: Positions, count: int) -> Positions:
    """Positions (T, J, 3) at ``count`` equally spaced times from first to last frame, by linear interpolation."""
    return at_times(positions, np.linspace(0, len(positions) - 1, count))


def resampled_times(frames: int, fps: float, target_fps: float) -> Times:
    """The times, in frames, at which a recording of so many frames is read to be brought to ``target_fps``."""
    count = math.floor((frames - 1) * target_fps / fps + 1e-6) + 1
    times: Times = np.arange(count) * np.float64(fps / target_fps)
    return times


def at_times(positions: Recorded, times: Times) -> Positions:
    """Positions (T, J, 3) at times that count frames, by linear interpolation, computed in float64."""
    return read(positions, reading(len(positions), times))


class Reading(NamedTuple):
    """Which frames a series of times needs, and how much of each."""

    before: npt.NDArray[np.intp]
    """(T,) the frame at each time, or the last one before it."""
    between: npt.NDArray[np.intp]
    """Which of the times lie between two frames; no others: a missing neighbour must not spoil a recorded frame."""
    after: npt.NDArray[np.intp]
    """The frame after each of these."""
    weight: Times
    """How much of it counts."""


def reading(frames: int, times: Times) -> Reading:
    """What to read of so many frames for times that count frames."""
    whole = np.rint(times)
    times = np.clip(np.where(np.abs(times - whole) < 1e-6, whole, times), 0, frames - 1)
    before = times.astype(np.intp)
    weight = times - before
    between = np.flatnonzero(weight)
    return Reading(before, between, np.minimum(before[between] + 1, frames - 1), weight[between])


def read(positions: Recorded, what: Reading) -> Positions:
    """Positions (T, J, 3), interpolated in float64."""
    found = positions.take(what.before, axis=0).astype(np.float64)
    if len(what.between):
        weight = what.weight.reshape(-1, *[1] * (positions.ndim - 1))
        after = positions.take(what.after, axis=0).astype(np.float64)
        found[what.between] = (1 - weight) * found[what.between] + weight * after
    return found


@lru_cache(maxsize=1024)
def resampled_reading(frames: int, fps: float, target_fps: float, longest: int | None) -> Reading:
    """What to read of so many frames to bring them to ``target_fps`` and leave at most ``longest``; lengths recur."""
    return reading(frames, subsample(resampled_times(frames, fps, target_fps), longest))


Frames = TypeVar("Frames", bound=npt.NDArray[Any])


def subsample(frames: Frames, longest: int | None) -> Frames:
    """Every k-th frame, with the smallest k that leaves at most ``longest`` frames (all of them for None)."""
    if longest is None:
        return frames
    return cast(Frames, frames[:: -(-len(frames) // longest)])


def windows(frames: int, fps: float, window: float, stride: float) -> list[tuple[int, int]]:
    """Frame ranges [start, end) of ``window`` seconds, one every ``stride`` seconds, the last one at the very end.

    A recording shorter than a window is one range.
    """
    if not (0 < window < np.inf and 0 < stride < np.inf):
        raise SettingsError(f"expected a window and a stride above 0 s, found {window:g} and {stride:g}")
    length = max(2, round(window * fps))
    if frames <= length:
        return [(0, frames)]
    step = max(1, round(stride * fps))
    starts = list(range(0, frames - length + 1, step))
    if starts[-1] != frames - length:
        starts.append(frames - length)
    return [(start, start + length) for start in starts]
