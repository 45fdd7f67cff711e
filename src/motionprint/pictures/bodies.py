"""Bodies as a viewer sees them: from the front, turned a little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from motionprint.preprocessing.space import rotation_to_front
from motionprint.skeleton import Skeleton

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TURN", "Floats", "are_markers", "draw_bones", "seen"]

TURN = 40.0
"""Degrees that the body is turned from facing the viewer."""

Floats = npt.NDArray[np.floating[Any]]


def seen(original: Floats, inpainted: Floats, skeleton: Skeleton) -> tuple[Floats, Floats]:
    """(T, J, 2) each: to the right and up, in metres, from where the viewer stands; each frame about its root."""
    truth, found = original.astype(np.float64), inpainted.astype(np.float64)
    root = truth[:, skeleton.root].copy()
    if np.nanmax(np.ptp(root, axis=0), initial=0.0) < 1e-6:
        root[:, 1] = np.nanmin(np.where(np.isnan(truth[..., 1]), np.inf, truth[..., 1]), axis=1)
    else:
        root[:, 1] = 0.0
    turn = np.radians(TURN)
    view = np.array([[np.cos(turn), 0.0, np.sin(turn)], [0.0, 1.0, 0.0]])  # (2, 3)
    front = rotation_to_front(truth[0], skeleton, "heading")
    if front is not None:
        view = view @ front
    return (truth - root[:, None]) @ view.T, (found - root[:, None]) @ view.T


def are_markers(parents: tuple[int, ...]) -> bool:
    """Whether nothing joins the joints but that they hang on one: markers, which are drawn as points."""
    return len(parents) > 3 and all(parent == -1 or parents[parent] == -1 for parent in parents)


def draw_bones(
    ax: Axes, joints: Floats, parents: tuple[int, ...], drawn: npt.NDArray[np.bool_], color: str, **style: Any
) -> None:
    """The bones whose lower joints are ``drawn``, or markers as points; one to a missing joint is left out."""
    from matplotlib.collections import LineCollection

    if are_markers(parents):
        there = joints[drawn & np.isfinite(joints).all(axis=1)]
        ax.scatter(there[:, 0], there[:, 1], s=5.0, color=color, linewidths=0)
        return
    ends = [(joint, parent) for joint, parent in enumerate(parents) if parent != -1 and drawn[joint]]
    lines = [joints[list(pair)] for pair in ends if np.isfinite(joints[list(pair)]).all()]
    style = {"linewidth": 2.0, "capstyle": "round", "joinstyle": "round", **style}
    ax.add_collection(LineCollection(lines, colors=color, **style), autolim=False)
