"""How well gaps were filled: how far from the truth, with what bones, how smoothly, and how well the edges join.

Each measure gives one number for each place that it looks at, so that the means of many recordings can be taken over
all places at once. ``gone`` (T, J) says which joints of ``filled`` (T, J, 3), in metres, were filled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.repair.gaps import find_gaps
from motionprint.skeleton import Skeleton

__all__ = ["bone_drift", "distances", "jerk", "jumps"]

Positions = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def distances(truth: Positions, filled: Positions, gone: Mask) -> Floats:
    """Centimetres between each filled point and the truth; points that the truth lacks (NaN) do not count.

    The mean and the root of the mean square of these are the errors that are reported.
    """
    found = 100 * np.linalg.norm(filled[gone].astype(np.float64) - truth[gone], axis=1)
    return np.asarray(found[~np.isnan(found)])


def bone_drift(filled: Positions, gone: Mask, skeleton: Skeleton) -> Floats:
    """Centimetres by which each bone with a filled end is longer or shorter, in each frame, than it was recorded.

    That is the median of its lengths in the frames of the same recording that have both of its ends; a bone that no
    frame has does not count.
    """
    children = [joint for joint, parent in enumerate(skeleton.parents) if parent != -1]
    parents = [skeleton.parents[joint] for joint in children]
    lengths = 100 * np.linalg.norm(filled[:, children].astype(np.float64) - filled[:, parents], axis=2)  # (T, J - 1)
    touched = gone[:, children] | gone[:, parents]
    found = []
    for bone in range(len(children)):
        recorded = lengths[~touched[:, bone], bone]
        recorded = recorded[~np.isnan(recorded)]
        if len(recorded):
            found.append(np.abs(lengths[touched[:, bone], bone] - np.median(recorded)))
    return np.concatenate(found) if found else np.zeros(0)


def jerk(positions: Positions, gone: Mask, fps: float) -> Floats:
    """m/s³: the size of the third difference in time wherever one of its four frames was filled.

    Compare the mean with that of the truth at the same places: more is jitter, less is too smooth.
    """
    if len(positions) < 4:
        return np.zeros(0)
    found = np.linalg.norm(np.diff(positions.astype(np.float64), n=3, axis=0), axis=2) * fps**3  # (T - 3, J)
    touched = gone[:-3] | gone[1:-2] | gone[2:-1] | gone[3:]
    found = found[touched]
    return np.asarray(found[~np.isnan(found)])


def jumps(positions: Positions, gone: Mask) -> Floats:
    """Centimetres between the point of a gap next to an edge and where the two recorded frames beside it lead.

    For both edges of each gap that have two recorded frames beside them, on a straight line at constant speed. Compare
    the mean with that of the truth.
    """
    found = []
    for gap in find_gaps(gone):
        for near, step in ((gap.start - 1, -1), (gap.end, 1)):
            beyond = near + step
            if min(near, beyond) >= 0 and max(near, beyond) < len(gone) and not gone[beyond, gap.joint]:
                inside, edge, outside = positions[[near - step, near, beyond], gap.joint].astype(np.float64)
                found.append(100 * np.linalg.norm(inside - (2 * edge - outside)))
    sizes = np.array(found)
    return sizes[~np.isnan(sizes)]
