"""Motion as the page reads it: whole millimetres, as differences from frame to frame, deflated (docs/viewer.md)."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["MISSING", "Millimetres", "as_base64", "bits", "deflated", "in_millimetres", "played", "with_missing"]

RATE = 15.0
"""Frames/s that are played at most."""
MISSING = -32768
"""What stands for a missing joint where values are not differences."""
FARTHEST = 32_000
"""Millimetres from where the root began beyond which values are clipped: they are 16 bits wide."""


class Millimetres(NamedTuple):
    """A recording as it is packed."""

    values: npt.NDArray[np.int16]
    """(T, J, 3); of a missing joint what it was in the frame before, at first 0."""
    missing: npt.NDArray[np.bool_]
    """(T, J)."""


def played(frames: int, fps: float, most: int) -> tuple[int, float]:
    """Every which frame is played, and frames/s then: at most `RATE`, and at most ``most`` frames in all."""
    step = max(1, math.ceil(fps / RATE - 1e-6), -(-frames // most))
    return step, fps / step


def in_millimetres(positions: npt.NDArray[np.floating[Any]], root: int | None) -> Millimetres:
    """Positions (T, J, 3), metres, y up, NaN where missing, as whole millimetres.

    The ground position (x, z) of the root ``root`` in the first frame that has it is taken away; with None, nothing.
    """
    missing = np.isnan(positions).any(axis=2)  # (T, J)
    metres = np.where(missing[..., None], 0.0, positions.astype(np.float64))
    if root is not None and not missing[:, root].all():
        first = metres[int(np.argmin(missing[:, root])), root]
        metres -= np.array([first[0], 0.0, first[2]])
    whole = np.rint(1000 * metres).clip(-FARTHEST, FARTHEST).astype(np.int16)
    if missing.any():
        whole[missing] = 0
        frames = np.where(missing, 0, np.arange(len(whole))[:, None])
        whole = np.take_along_axis(whole, np.maximum.accumulate(frames, axis=0)[..., None], axis=0)
    return Millimetres(whole, missing)


def with_missing(motion: Millimetres) -> npt.NDArray[np.int16]:
    """(T, J, 3) with -32768 where a joint is missing."""
    return np.where(motion.missing[..., None], np.int16(MISSING), motion.values)


def deflated(motions: Iterable[npt.NDArray[np.int16]]) -> bytes:
    """Motions (T, J, 3) one after the other as differences to the frame before, all low bytes before all high bytes."""
    parts = []
    for values in motions:
        change = values.copy()
        change[1:] -= values[:-1]  # wraps around; so does the sum that undoes it
        parts.append(change.ravel())
    everything = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    planes = everything.astype("<i2").view(np.uint8).reshape(-1, 2).T
    return zlib.compress(planes.tobytes(), 6)


def as_base64(values: bytes | npt.NDArray[Any]) -> str:
    """Bytes, or an array's little-endian bytes, as text."""
    raw = values if isinstance(values, bytes) else np.asarray(values, values.dtype.newbyteorder("<")).tobytes()
    return base64.b64encode(raw).decode("ascii")


def bits(mask: npt.NDArray[np.bool_]) -> str:
    """A mask as base64 of its bits, the least significant first."""
    return as_base64(np.packbits(mask.ravel(), bitorder="little"))
