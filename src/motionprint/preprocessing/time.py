"""Frames in time: resampling to one frame rate, sub-sampling to a length, cutting into windows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError

__all__ = ["resample", "resample_to", "subsample", "windows"]

Positions = npt.NDArray[np.float64]


def resample(positions: Positions, fps: float, target_fps: float) -> Positions:
    """Positions (T, J, 3) at ``fps`` brought to ``target_fps`` by linear interpolation between frames.

    The first frame stays the first; frames after the last recorded one are never invented. At the same frame rate
    nothing changes, and at a whole multiple of it frames are picked.
    """
    count = int(np.floor((len(positions) - 1) * target_fps / fps + 1e-6)) + 1
    times: npt.NDArray[np.float64] = np.arange(count) * np.float64(fps / target_fps)
    return _interpolate(positions, times)


def resample_to(positions: Positions, count: int) -> Positions:
    """Positions (T, J, 3) at ``count`` equally spaced times from first to last frame, by linear interpolation."""
    return _interpolate(positions, np.linspace(0, len(positions) - 1, count))


def _interpolate(positions: Positions, times: npt.NDArray[np.float64]) -> Positions:
    times = np.clip(np.where(np.abs(times - np.round(times)) < 1e-6, np.round(times), times), 0, len(positions) - 1)
    before = np.floor(times).astype(np.intp)
    after = np.minimum(before + 1, len(positions) - 1)
    weight = (times - before).reshape(-1, *[1] * (positions.ndim - 1))
    whole = weight == 0  # keeps a missing neighbour from spoiling a recorded frame
    return np.where(whole, positions[before], (1 - weight) * positions[before] + weight * positions[after])


def subsample(positions: Positions, longest: int | None) -> Positions:
    """Every k-th frame, with the smallest k that leaves at most ``longest`` frames (all of them for None)."""
    if longest is None:
        return positions
    return positions[:: -(-len(positions) // longest)]


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
