"""Filling gaps without a trained network: by what is recorded before and after, or by what other recordings show.

A filler is called as ``filler(positions, skeleton, fps)`` with positions (T, J, 3) in metres, y up, NaN where missing,
and gives float64 positions of the same shape without NaN. A joint that is recorded in a frame keeps its numbers; one
that lacks a coordinate is missing. `FILLERS` holds those that need nothing else; `fit_pca` and `fit_nearest` make one
from training recordings.

Both of the latter guess a pose from the joints that are recorded in the same frame, whatever the time. What such a
guess misses on the edges of a gap, where the truth is known, is taken off inside of it, on a line from edge to edge: so
filled frames join recorded ones, and a gap in which nothing is recorded is filled as `line` would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError
from motionprint.repair.gaps import find_gaps, missing
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton
from motionprint.store import MotionDataset

__all__ = ["FILLERS", "FITTED", "Filler", "Poses", "beside", "fit_nearest", "fit_pca", "line", "spline"]

Positions = npt.NDArray[np.floating[Any]]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

Filler = Callable[[Positions, Skeleton, float], Floats]
"""Positions (T, J, 3) with NaN, their skeleton, frames/s -> positions without NaN."""

POSES = 10_000
"""Poses that are kept at most of training recordings, evenly spaced."""

KEPT = 0.9999
"""The share of the variance that the components of `fit_pca` have."""

NEIGHBOURS = 40
"""Poses that `fit_nearest` takes the mean of."""


def line(positions: Positions, skeleton: Skeleton, fps: float) -> Floats:
    """Gaps on a straight line at constant speed; before the first and after the last recorded frame, at rest.

    Raises
    ------
    DatasetError
        If a joint is recorded in no frame, naming it.
    """

    def between(times: Floats, recorded: npt.NDArray[np.int64], points: Floats) -> Floats:
        return np.stack([np.interp(times, recorded, points[:, axis]) for axis in range(3)], axis=1)

    return _by_joint(positions, skeleton, between)


def spline(positions: Positions, skeleton: Skeleton, fps: float) -> Floats:
    """Gaps on a cubic spline through all recorded frames, kept within the box in which the joint was recorded.

    Before the first and after the last recorded frame a joint is at rest. The box keeps a long gap from swinging
    far out where a joint is fast on both edges.

    Raises
    ------
    DatasetError
        If a joint is recorded in no frame, naming it.
    """
    return _by_joint(positions, skeleton, _cubic)


def beside(positions: Positions, skeleton: Skeleton, fps: float) -> Floats:
    """Gaps along with the nearest joint in the skeleton that is recorded throughout them: `spline` fills the offset.

    Marker software calls it a pattern fill. Nearest is what the fewest bones lie between; a gap in which no other joint
    is recorded throughout, edges included, is filled as by `spline`.

    Raises
    ------
    DatasetError
        If a joint is recorded in no frame, naming it.
    """
    gone = missing(positions)
    recorded = np.where(gone[..., None], np.nan, positions.astype(np.float64))
    filled = spline(recorded, skeleton, fps)
    for gap in find_gaps(gone):
        around = slice(max(0, gap.start - 1), gap.end + 1)
        whole = [joint for joint in range(len(skeleton)) if not gone[around, joint].any()]
        if whole:
            near = min(whole, key=lambda joint: skeleton.bones_between(gap.joint, joint))
            both = np.flatnonzero(~gone[:, gap.joint] & ~gone[:, near])
            offsets = recorded[both, gap.joint] - recorded[both, near]
            times = np.arange(gap.start, gap.end)
            filled[times, gap.joint] = recorded[times, near] + _cubic(times.astype(np.float64), both, offsets)
    return filled


FILLERS: dict[str, Filler] = {"line": line, "spline": spline, "beside": beside}
"""The fillers that need no training recordings, by name."""


def _cubic(times: Floats, recorded: npt.NDArray[np.int64], points: Floats) -> Floats:
    """A cubic spline through points (n, 3), at times among them or outside, where it rests; kept within their box."""
    from scipy.interpolate import CubicSpline

    held = np.clip(times, recorded[0], recorded[-1])  # far out, a cubic is too large for a number
    found = CubicSpline(recorded, points)(held) if len(recorded) > 1 else np.repeat(points, len(times), axis=0)
    found[times < recorded[0]], found[times > recorded[-1]] = points[0], points[-1]  # to the bit
    return np.asarray(np.clip(found, points.min(axis=0), points.max(axis=0)))


def _by_joint(
    positions: Positions, skeleton: Skeleton, between: Callable[[Floats, npt.NDArray[np.int64], Floats], Floats]
) -> Floats:
    """Each joint with gaps, filled by ``between(missing frames, recorded frames, points of those)``."""
    gone = missing(positions)
    filled = positions.astype(np.float64)
    for joint in np.flatnonzero(gone.any(axis=0)).tolist():
        recorded = np.flatnonzero(~gone[:, joint])
        if not len(recorded):
            raise DatasetError(
                f"{skeleton.joint_names[joint]}: expected a frame in which it is recorded to fill its gaps from, "
                f"found it missing in all {len(gone)}"
            )
        times = np.flatnonzero(gone[:, joint])
        filled[times, joint] = between(times.astype(np.float64), recorded, filled[recorded, joint])
    return filled


# ---- fitted on training recordings -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Poses:
    """Poses of training recordings, to guess missing joints by."""

    skeleton: Skeleton
    """The joints of all of them."""
    positions: Floats
    """(N, J, 3) metres, y up."""
    reference: Floats
    """(J, 3) the mean pose, around its middle, that poses are turned onto about the vertical."""

    @classmethod
    def of(cls, recordings: Sequence[SkeletonSequence] | MotionDataset, most: int = POSES) -> Poses:
        """The complete frames of recordings, or ``most`` of them, evenly spaced.

        Raises
        ------
        DatasetError
            If no frame has all joints.
        SkeletonMismatchError
            If the recordings do not have the same joints.
        """
        if not len(recordings):
            raise DatasetError("expected training recordings to fit a filler on, found none")
        skeleton = recordings[0].skeleton
        step = -(-sum(len(recordings[number]) for number in range(len(recordings))) // most)
        found = []
        for number in range(len(recordings)):
            skeleton.require_same(recordings[number].skeleton, recordings[number].name or "sequence")
            frames = recordings[number].positions[number % step :: step].astype(np.float64)
            found.append(frames[~missing(frames).any(axis=1)])
        positions = np.concatenate(found)
        if not len(positions):
            raise DatasetError("expected a frame of the training recordings with all joints, found none")
        reference = _centred(positions[0], np.ones(len(skeleton), dtype=np.bool_))[0]
        for _ in range(5):  # the mean of poses that are turned onto their mean: it hardly moves after two
            reference = _turned_onto(reference, positions, np.ones(len(skeleton), dtype=np.bool_))[0].mean(axis=0)
        return cls(skeleton, positions, reference)


Guess = Callable[[Floats], Floats]
"""Values of the recorded joints (n, K) -> values of the missing ones (n, M)."""
Fit = Callable[[Floats, Floats], Guess]
"""Training poses' values of recorded joints (N, K), and of missing ones (N, M), for one choice of what is missing."""


def fit_pca(recordings: Sequence[SkeletonSequence] | MotionDataset, kept: float = KEPT) -> Filler:
    """A filler by the principal components of poses: the mean of what is missing, given what is recorded.

    Poses lie around the middle of their recorded joints, turned about the vertical onto the mean pose. The components
    that have the share ``kept`` of their variance, and the same noise in all other directions, make a normal
    distribution (Tipping and Bishop 1999, "Probabilistic principal component analysis"); missing coordinates are its
    conditional mean.

    Raises
    ------
    DatasetError
        If no frame of the recordings has all joints; the filler itself, if a joint is recorded in no frame, and there
        is a frame in which no joint is.
    """

    def fit(known: Floats, sought: Floats) -> Guess:
        from sklearn.decomposition import PCA

        values = np.concatenate([known, sought], axis=1)  # (N, K + M)
        if values.std(axis=0).max() < 1e-9:  # m: one pose, again and again
            return lambda given: np.repeat(sought[:1], len(given), axis=0)
        model = PCA(kept, svd_solver="covariance_eigh").fit(values)
        width = known.shape[1]
        covariance = model.get_covariance()
        # 1e-10 of the largest variance is what float32 positions are rounded by, not movement
        inverse = np.linalg.pinv(covariance[:width, :width], rcond=1e-10, hermitian=True)
        weights = covariance[width:, :width] @ inverse  # (M, K)
        mean = model.mean_
        return lambda given: np.asarray(mean[width:] + (given - mean[:width]) @ weights.T)

    return _fitted(Poses.of(recordings), fit)


def fit_nearest(recordings: Sequence[SkeletonSequence] | MotionDataset, neighbours: int = NEIGHBOURS) -> Filler:
    """A filler by the nearest poses: the mean of the ``neighbours`` whose recorded joints lie nearest, by 1 / distance.

    Poses lie around the middle of their recorded joints, turned about the vertical onto the mean pose.

    Raises
    ------
    DatasetError
        If no frame of the recordings has all joints; the filler itself, if a joint is recorded in no frame, and there
        is a frame in which no joint is.
    """

    def fit(known: Floats, sought: Floats) -> Guess:
        from sklearn.neighbors import KNeighborsRegressor

        model = KNeighborsRegressor(min(neighbours, len(known)), weights="distance", algorithm="brute")
        model.fit(known, sought)
        return lambda given: np.asarray(model.predict(given))

    return _fitted(Poses.of(recordings), fit)


FITTED: dict[str, Callable[[Sequence[SkeletonSequence] | MotionDataset], Filler]] = {
    "pca": fit_pca,
    "nearest": fit_nearest,
}
"""What makes the fillers that need training recordings, by name."""


def _fitted(poses: Poses, fit: Fit) -> Filler:
    @lru_cache(maxsize=32)
    def guess_of(pattern: bytes) -> Guess:
        sought = np.frombuffer(pattern, dtype=np.bool_)
        turned, _, _ = _turned_onto(poses.reference, poses.positions, ~sought)
        return fit(_flat(turned[:, ~sought]), _flat(turned[:, sought]))

    def fill(positions: Positions, skeleton: Skeleton, fps: float) -> Floats:
        poses.skeleton.require_same(skeleton, "recording")
        gone = missing(positions)
        recorded = np.where(gone[..., None], np.nan, positions.astype(np.float64))
        inside, first, last = _guesses(poses.reference, guess_of, recorded, gone)
        filled = recorded.copy()
        for gap in find_gaps(gone):
            rows = slice(gap.start, gap.end)
            guessed = inside[rows, gap.joint]
            before, after = max(0, gap.start - 1), min(gap.end, len(gone) - 1)
            edges = [guessed[:1] if gap.start == 0 else first[before : before + 1, gap.joint]]
            edges += [guessed[-1:] if gap.end == len(gone) else last[after : after + 1, gap.joint]]
            filled[rows, gap.joint] = _joined(
                np.concatenate([edges[0], guessed, edges[1]]), recorded[before, gap.joint], recorded[after, gap.joint]
            )
        return line(filled, skeleton, fps)  # frames without anything, of joints that are recorded nowhere

    return fill


def _joined(guessed: Floats, before: Floats, after: Floats) -> Floats:
    """The guesses of a gap (n + 2, 3), edges included, moved so that they meet what is recorded on the edges (3,).

    NaN stands for what is not there; a whole gap without guesses lies on the line between the edges.
    """
    times = np.arange(len(guessed))
    known = np.flatnonzero(~np.isnan(guessed).any(axis=1))
    ends = np.stack([before, after])  # (2, 3)
    there = np.flatnonzero(~np.isnan(ends).any(axis=1))
    if len(known):
        smooth = np.stack([np.interp(times, known, guessed[known, axis]) for axis in range(3)], axis=1)
    elif len(there):
        smooth = np.zeros((len(times), 3))
    else:
        return guessed[1:-1]
    places = there * (len(times) - 1)
    if len(there):
        misses = ends[there] - smooth[places]  # (1 or 2, 3)
        smooth += np.stack([np.interp(times, places, misses[:, axis]) for axis in range(3)], axis=1)
    return smooth[1:-1]


def _guesses(
    reference: Floats, guess_of: Callable[[bytes], Guess], recorded: Floats, gone: Mask
) -> tuple[Floats, Floats, Floats]:
    """(T, J, 3) each: a guess of what is missing from each frame, also of what is missing from the next, the previous.

    The latter two tell on the edge of a gap what the same guess misses there. NaN where there is no guess: what is
    recorded, and frames in which nothing is.
    """
    following, preceding = gone.copy(), gone.copy()
    following[:-1] |= gone[1:]
    preceding[1:] |= gone[:-1]
    found = np.full((3, *recorded.shape), np.nan)
    masks = np.stack([gone, following, preceding])  # (3, T, J)
    patterns, which = np.unique(masks.reshape(-1, masks.shape[2]), axis=0, return_inverse=True)
    which = which.reshape(masks.shape[:2])  # (3, T)
    for number, pattern in enumerate(patterns):
        if not pattern.any() or pattern.all():
            continue
        kind, frames = np.nonzero(which == number)
        known = ~pattern
        turned, middle, turns = _turned_onto(reference, recorded[frames], known)
        values = guess_of(pattern.tobytes())(_flat(turned[:, known]))  # (n, M)
        placed = values.reshape(len(frames), -1, 3) @ turns + middle  # turned back
        at_kind, at_frame = kind[:, None], frames[:, None]
        found[at_kind, at_frame, np.flatnonzero(pattern)] = placed
    return found[0], found[1], found[2]


def _flat(points: Floats) -> Floats:
    return points.reshape(len(points), -1)


def _centred(points: Floats, known: Mask) -> tuple[Floats, Floats]:
    """Points (..., J, 3) around the middle (..., 1, 3) of the joints that are known (J,)."""
    middle = points[..., known, :].mean(axis=-2, keepdims=True)
    return points - middle, middle


def _turned_onto(reference: Floats, points: Floats, known: Mask) -> tuple[Floats, Floats, Floats]:
    """Poses (N, J, 3) around their middles (N, 1, 3) and turned about the vertical by (N, 3, 3) onto the reference.

    Only the joints that are known (J,) are looked at: the turn brings them nearest to those of the reference (the
    least squares of Procrustes, in the plane).
    """
    centred, middle = _centred(points, known)
    x, z = centred[:, known, 0], centred[:, known, 2]  # (N, K)
    onto, _ = _centred(reference, known)
    along = (x * onto[known, 0] + z * onto[known, 2]).sum(axis=1)
    across = (z * onto[known, 0] - x * onto[known, 2]).sum(axis=1)
    angle = np.arctan2(across, along)  # about y, from z to x
    turns = np.zeros((len(points), 3, 3))
    turns[:, 0, 0] = turns[:, 2, 2] = np.cos(angle)
    turns[:, 0, 2], turns[:, 2, 0] = np.sin(angle), -np.sin(angle)
    turns[:, 1, 1] = 1
    return centred @ turns.transpose(0, 2, 1), middle, turns
