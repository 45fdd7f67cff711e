"""Which joints are missing, in what gaps; gaps drawn to judge by are what was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from motionprint.errors import SettingsError
from motionprint.repair.gaps import HIDDEN, Gap, draw_gap, find_gaps, joint_numbers, missing
from motionprint.skeleton import SKELETONS, Skeleton

KINECT = SKELETONS["kinect20"]


def test_a_joint_that_lacks_a_coordinate_is_missing():
    positions = np.ones((4, 3, 3), dtype=np.float32)
    positions[1, 2, 0] = np.nan
    positions[3, 1] = np.nan
    positions[2, 0] = 0
    positions[0, 0] = [0, 0, 1e-9]  # no zero
    assert np.argwhere(missing(positions)).tolist() == [[1, 2], [3, 1]]
    assert np.argwhere(missing(positions, zeros=True)).tolist() == [[1, 2], [2, 0], [3, 1]]
    whole = missing(positions, joints=[2])
    assert whole[:, 2].all() and np.argwhere(whole[:, :2]).tolist() == [[3, 1]]
    with pytest.raises(SettingsError, match=r"^joints: expected numbers below 3, found 3$"):
        missing(positions, joints=[0, 3])
    with pytest.raises(SettingsError, match=r"^joints: expected numbers below 3, found -1$"):
        missing(positions, joints=[-1])


def test_joints_are_called_by_their_names_or_by_body_parts():
    assert joint_numbers(KINECT, ["hand_left", "left arm", "head"]) == (3, 4, 5, 6, 7)
    assert joint_numbers(KINECT, []) == ()
    two = Skeleton(("a", "b"), (-1, 0))
    assert joint_numbers(two, ["b"]) == (1,)
    with pytest.raises(SettingsError, match=r"^joints: expected some of a, b; found 'left arm'$"):
        joint_numbers(two, ["left arm"])
    with pytest.raises(SettingsError, match=r"expected some of left arm, right arm, .*, hip_center, .*; found 'hnad'$"):
        joint_numbers(KINECT, ["hnad"])


def test_gaps_come_joint_by_joint_and_know_their_ends():
    gone = np.zeros((10, 3), dtype=bool)
    gone[[0, 1, 4, 9], 0] = True
    gone[:, 2] = True
    gaps = find_gaps(gone)
    assert gaps == [Gap(0, 0, 2, 10), Gap(0, 4, 5, 10), Gap(0, 9, 10, 10), Gap(2, 0, 10, 10)]
    assert [gap.inside for gap in gaps] == [False, True, False, False]
    assert [len(gap) for gap in gaps] == [2, 1, 1, 10]
    assert gaps[0].seconds(20.0) == 0.1
    assert find_gaps(np.zeros((0, 3), dtype=bool)) == []


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_gaps_are_all_that_is_missing_and_never_touch(gone: np.ndarray):
    again = np.zeros_like(gone)
    for gap in find_gaps(gone):
        assert not again[max(0, gap.start - 1) : gap.end + 1, gap.joint].any()
        again[gap.start : gap.end, gap.joint] = True
    assert (again == gone).all()


@given(st.sampled_from(HIDDEN), st.floats(0.01, 3), st.integers(1, 120), st.integers(0, 1000))
def test_a_drawn_gap_is_what_was_asked_for(hidden: str, seconds: float, frames: int, seed: int):
    gone = draw_gap(KINECT, frames, 30.0, seconds, hidden, np.random.default_rng(seed))
    length = max(1, round(30 * seconds))
    if gone is None:
        assert frames < length + 4
        return
    assert frames >= length + 4
    gaps = find_gaps(gone)
    joints = tuple(gap.joint for gap in gaps)
    assert {(gap.start, gap.end) for gap in gaps} == {(gaps[0].start, gaps[0].start + length)}
    assert gaps[0].start >= 2 and gaps[0].end <= frames - 2
    parts = [set(part) <= set(joints) for part in KINECT.body_parts]
    count = sum(len(part) for part, hides in zip(KINECT.body_parts, parts, strict=True) if hides)
    if hidden == "joint":
        assert len(joints) == 1
    else:
        assert count == len(joints) and sum(parts) in {"part": (1,), "parts": (2, 3), "body": (5,)}[hidden]


def test_draws_depend_on_the_seed_alone_and_reach_everything():
    draws = [draw_gap(KINECT, 20, 15.0, 0.5, "joint", np.random.default_rng(seed)) for seed in range(400)]
    again = [draw_gap(KINECT, 20, 15.0, 0.5, "joint", np.random.default_rng(seed)) for seed in range(400)]
    assert all((one == other).all() for one, other in zip(draws, again, strict=True))
    gaps = [find_gaps(gone)[0] for gone in draws]
    assert {gap.joint for gap in gaps} == set(range(20))
    assert {gap.start for gap in gaps} == set(range(2, 11))  # 8 frames of 20, two recorded on both sides


def test_gaps_that_cannot_be_drawn_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(SettingsError, match=r"^unknown gap 'leg': expected one of joint, part, parts, body$"):
        draw_gap(KINECT, 20, 15.0, 0.5, "leg", rng)
    with pytest.raises(SettingsError, match=r"^expected gaps longer than 0 s, found 0$"):
        draw_gap(KINECT, 20, 15.0, 0.0, "joint", rng)
    with pytest.raises(SettingsError, match=r"^expected a skeleton with five body parts"):
        draw_gap(Skeleton(("a", "b"), (-1, 0)), 20, 15.0, 0.5, "part", rng)
