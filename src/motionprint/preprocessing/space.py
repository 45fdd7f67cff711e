"""Body in space: the root removed, the first frame turned to face one way."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from motionprint.skeleton import Skeleton

__all__ = ["ALIGNMENTS", "Alignment", "rotation_to_front"]

Alignment = Literal["none", "heading", "body"]
ALIGNMENTS: tuple[Alignment, ...] = ("none", "heading", "body")

Matrix = npt.NDArray[np.float64]


def rotation_to_front(first_frame: Matrix, skeleton: Skeleton, alignment: Alignment) -> Matrix | None:
    """The rotation (3, 3) that turns a body so that its hips lie along the x axis.

    Parameters
    ----------
    first_frame
        (J, 3) metres, y up.
    skeleton
        Says which joints are the hips and the spine.
    alignment
        ``heading`` turns about the vertical, by the hips. ``body`` turns about all three axes: the spine becomes the y
        axis, and what of the hips is at right angles to it the x axis.

    Returns
    -------
    The rotation, to be applied as ``points @ rotation.T``; the identity for ``none``; None where the joints that it
    needs are unknown or missing, coincide, or stand one above the other.
    """
    if alignment == "none":
        return np.eye(3)
    if skeleton.hips is None or (alignment == "body" and skeleton.spine is None):
        return None
    left, right = skeleton.hips
    across = first_frame[left] - first_frame[right]
    if alignment == "heading":
        up = np.array([0.0, 1.0, 0.0])
    else:
        assert skeleton.spine is not None
        low, high = skeleton.spine
        up = first_frame[high] - first_frame[low]
    width, length = _length(across), _length(up)
    if not math.isfinite(width) or not math.isfinite(length) or length < 1e-6:
        return None
    up = up / length
    level = across - (across @ up) * up
    size = _length(level)
    if size < max(1e-6, 0.05 * width):
        return None
    level = level / size
    # level x up; np.cross would take longer than all the rest of a short recording's preprocessing
    (a, b, c), (d, e, f) = level.tolist(), up.tolist()
    return np.array([[a, b, c], [d, e, f], [b * f - c * e, c * d - a * f, a * e - b * d]])


def _length(vector: Matrix) -> float:
    return math.sqrt(vector @ vector)
