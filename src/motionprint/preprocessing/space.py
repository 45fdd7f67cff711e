"""Body in space: the root removed, the first frame turned to face one way."""

from __future__ import annotations

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
    left, right = first_frame[list(skeleton.hips)]
    across = left - right
    if alignment == "heading":
        up = np.array([0.0, 1.0, 0.0])
    else:
        assert skeleton.spine is not None
        low, high = first_frame[list(skeleton.spine)]
        up = high - low
    length = float(np.linalg.norm(up))
    if not np.isfinite(across).all() or not np.isfinite(length) or length < 1e-6:
        return None
    up = up / length
    level = across - (across @ up) * up
    size = float(np.linalg.norm(level))
    if size < max(1e-6, 0.05 * float(np.linalg.norm(across))):
        return None
    level = level / size
    return np.stack([level, up, np.cross(level, up)])
