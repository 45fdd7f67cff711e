"""Errors, bones, third differences and edges of gaps, against answers found by hand."""

from __future__ import annotations

import numpy as np
import pytest

from motionprint.repair.measures import bone_drift, distances, jerk, jumps
from motionprint.skeleton import Skeleton

ARM = Skeleton(("shoulder", "elbow", "hand"), (-1, 0, 1))


def still(frames: int = 10) -> np.ndarray:
    """(T, 3, 3) an arm at rest: 30 cm, then 25 cm."""
    return np.repeat(np.array([[[0, 0, 0], [0.3, 0, 0], [0.3, 0.25, 0]]]), frames, axis=0)


def gap(start: int, end: int, joints: list[int], frames: int = 10) -> np.ndarray:
    gone = np.zeros((frames, 3), dtype=bool)
    gone[start:end, joints] = True
    return gone


def test_distances_are_in_centimetres_and_of_filled_points_alone():
    truth, filled = still(), still()
    filled[4, 2] += [0.03, 0, 0.04]
    filled[6, 2] += 1  # not judged
    assert distances(truth, filled, gap(4, 6, [2])) == pytest.approx([5, 0])
    truth[5, 2] = np.nan
    assert distances(truth, filled, gap(4, 6, [2])) == pytest.approx([5])


def test_bones_drift_from_the_recordings_own_median():
    filled = still()
    filled[4, 1] = [0.33, 0, 0]  # the upper arm is 3 cm longer; the forearm as long as the root of 3² + 25²
    found = bone_drift(filled, gap(4, 6, [1]), ARM)
    assert sorted(found) == pytest.approx([0, 0, np.hypot(3, 25) - 25, 3])
    filled[:3, 2, 1] += 0.5  # a minority of recorded frames says otherwise
    assert sorted(bone_drift(filled, gap(4, 6, [1]), ARM)) == pytest.approx([0, 0, np.hypot(3, 25) - 25, 3])


def test_a_bone_that_was_never_recorded_has_no_length_to_drift_from():
    assert bone_drift(still(), gap(0, 10, [2]), ARM) == pytest.approx(np.zeros(0))
    assert bone_drift(still(), gap(0, 10, [1, 2]), ARM).size == 0
    assert bone_drift(still()[:, :1], gap(0, 5, [0])[:, :1], Skeleton(("a",), (-1,))).size == 0


def test_jerk_is_the_third_derivative_in_metres_and_seconds():
    times = np.arange(10) / 20.0
    positions = still()
    positions[:, 2, 0] += 2 * times**3  # the third derivative is 12 everywhere
    positions[:, 2, 1] += 1.5 * times**2 + times  # and 0 of what is smoother
    assert jerk(positions, gap(4, 5, [2]), 20.0) == pytest.approx([12] * 4)  # four differences contain a frame
    assert jerk(positions, gap(4, 5, [1]), 20.0) == pytest.approx([0] * 4)
    assert jerk(positions, gap(0, 1, [2]), 20.0) == pytest.approx([12])
    assert jerk(positions[:3], gap(1, 2, [2], 3), 20.0).size == 0


def test_an_edge_jumps_by_what_the_recorded_frames_beside_it_do_not_lead_to():
    positions = still()
    positions[:, 2, 0] += 0.1 * np.arange(10)
    gone = gap(4, 7, [2])
    assert jumps(positions, gone) == pytest.approx([0, 0])
    positions[4, 2] += [0, 0.03, 0.04]
    assert jumps(positions, gone) == pytest.approx([5, 0])
    positions[6, 2] += [0.02, 0, 0]
    assert jumps(positions, gone) == pytest.approx([5, 2])
    assert jumps(positions, gap(0, 7, [2])) == pytest.approx([2])  # one edge
    assert jumps(positions, gap(1, 9, [2])).size == 0  # one recorded frame beside either edge
    assert jumps(positions, gap(0, 10, [2])).size == 0
