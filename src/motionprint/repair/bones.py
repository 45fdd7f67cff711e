"""Bones keep their lengths: filled joints are moved to where the recorded ones say that they must be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionprint.kinematics import parents_first
from motionprint.skeleton import Skeleton

__all__ = ["keep_bones"]

Floats = npt.NDArray[np.float64]

SPREAD = 0.1
"""How much the length of a bone may vary: the middle 80 % of its recorded lengths, as a share of their median."""

ROUNDS = 50
"""How often all bones are gone through at most."""

EXACT = 1e-4
"""Metres: bones that are off by less are done."""


def keep_bones(positions: Floats, filled: npt.NDArray[np.bool_], skeleton: Skeleton) -> Floats:
    """Positions (T, J, 3) in which bones with a filled end are as long as they were recorded.

    Where two joints stay as far from each other as the ends of a bone do (`SPREAD`), a filled frame gets the length of
    the recorded frames before and after it, on a line between them. A bone that no frame has gets the median length of
    its mirror image on the other side of the body, and an end that was never recorded moves alone; without such an
    image the bone is left as it was filled. First every filled joint is moved along its bone, from the root outwards;
    where a recorded joint hangs on a filled one, all bones are then gone through again and again until they fit,
    `ROUNDS` times at most (Müller et al. 2007, "Position based dynamics"). Recorded joints do not move.

    Parameters
    ----------
    filled
        (T, J) True where a joint was filled.
    """
    frames = np.flatnonzero(filled.any(axis=1))
    moved = positions[frames]
    never = np.asarray(filled.all(axis=0))
    bones = []
    for joint in parents_first(skeleton.parents):
        parent = skeleton.parents[joint]
        lengths = None if parent == -1 else _lengths(positions, filled, skeleton, joint, parent)
        if lengths is None:
            continue
        ends = filled[frames][:, [joint, parent]]  # what may move
        if never[joint] or never[parent]:
            ends &= never[[joint, parent]]
        if ends.any():
            bones.append((joint, parent, lengths[frames], ends))
    for joint, parent, lengths, ends in bones:
        only = ends[:, 0]
        gap = moved[only, joint] - moved[only, parent]
        moved[only, joint] -= _excess(gap, lengths[only])
    for _ in range(ROUNDS):
        worst = 0.0
        for joint, parent, lengths, ends in bones:
            share = ends / np.maximum(ends.sum(axis=1, keepdims=True), 1)  # of what is to be moved
            excess = _excess(moved[:, joint] - moved[:, parent], lengths)
            worst = max(worst, float(np.abs(excess[ends.any(axis=1)]).max(initial=0.0)))
            moved[:, joint] -= share[:, :1] * excess
            moved[:, parent] += share[:, 1:] * excess
        if worst < EXACT:
            break
    found = positions.copy()
    found[frames] = np.where(filled[frames][..., None], moved, found[frames])
    return found


def _lengths(
    positions: Floats, filled: npt.NDArray[np.bool_], skeleton: Skeleton, joint: int, parent: int
) -> Floats | None:
    """(T,) the length of a bone in every frame, in metres; None where it is no bone, or nobody knows its length."""
    known, lengths = _recorded(positions, filled, joint, parent)
    if not len(known):
        across = {one: other for pair in skeleton.left_right for one, other in (pair, pair[::-1])}
        joint, parent = across.get(joint, joint), across.get(parent, parent)
        if skeleton.parents[joint] != parent:
            return None
        _, lengths = _recorded(positions, filled, joint, parent)
        if len(lengths):
            known, lengths = np.zeros(1, np.intp), np.median(lengths, keepdims=True)
    return np.asarray(np.interp(np.arange(len(positions)), known, lengths)) if len(lengths) else None


def _recorded(
    positions: Floats, filled: npt.NDArray[np.bool_], joint: int, parent: int
) -> tuple[npt.NDArray[np.intp], Floats]:
    """The frames that have both joints, and how far these are apart, in metres; no lengths where it is no bone."""
    known = np.flatnonzero(~(filled[:, joint] | filled[:, parent]))
    if not len(known):
        return known, np.zeros(0)
    lengths = np.linalg.norm(positions[known, joint] - positions[known, parent], axis=1)
    low, middle, high = np.quantile(lengths, [0.1, 0.5, 0.9])
    if high - low > SPREAD * middle:
        return known, np.zeros(0)
    return known, np.asarray(lengths)


def _excess(gap: Floats, lengths: Floats) -> Floats:
    """What of vectors (N, 3) is longer than they should be; negative where they are shorter."""
    size = np.linalg.norm(gap, axis=1)
    return np.asarray(gap * (1 - lengths / np.maximum(size, 1e-9))[:, None])
