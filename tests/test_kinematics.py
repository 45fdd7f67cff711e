"""Rotations and forward kinematics against known answers, SciPy, and what must hold for any body."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.transform import Rotation

from motionprint.errors import SettingsError
from motionprint.kinematics import forward_kinematics, parents_first
from motionprint.rotations import euler_to_matrix

ANGLES = st.floats(-720, 720, allow_nan=False)


@st.composite
def bodies(draw):
    """Random rotations, offsets, a random tree in random order (a child may come before its parent), a path."""
    joints, frames = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    tree = [-1] + [draw(st.integers(0, joint - 1)) for joint in range(1, joints)]
    order = draw(st.permutations(range(joints)))  # order[old] is the new number
    parents = [0] * joints
    for joint, parent in enumerate(tree):
        parents[order[joint]] = -1 if parent == -1 else order[parent]
    angles = draw(arrays.arrays(np.float64, (frames, joints, 3), elements=ANGLES))
    lengths = st.floats(-2, 2, allow_nan=False, width=32)
    offsets = draw(arrays.arrays(np.float64, (joints, 3), elements=lengths))
    root = draw(arrays.arrays(np.float64, (frames, 3), elements=lengths))
    return euler_to_matrix(angles, "ZXY"), offsets, parents, root


def test_a_quarter_turn_about_each_axis_takes_the_next_axis_to_the_one_after():
    for axis, letter in enumerate("XYZ"):
        matrix = euler_to_matrix([90.0], letter)
        after, last = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
        np.testing.assert_allclose(matrix @ after, last, atol=1e-15)
        np.testing.assert_allclose(matrix @ last, -after, atol=1e-15)


@pytest.mark.parametrize("order", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "ZXZ", "XY", "Z"])
def test_every_order_agrees_with_scipy(order):
    angles = np.random.default_rng(0).uniform(-360, 360, (50, len(order)))
    expected = Rotation.from_euler(order, angles, degrees=True).as_matrix()  # upper case: about the turned axes
    np.testing.assert_allclose(euler_to_matrix(angles, order), expected, atol=1e-12)
    np.testing.assert_allclose(euler_to_matrix(np.deg2rad(angles), order, degrees=False), expected, atol=1e-12)


def test_reversed_order_and_angles_are_turns_about_the_fixed_axes():
    angles = np.array([10.0, 20.0, 30.0])
    expected = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()  # lower case: about the fixed axes
    np.testing.assert_allclose(euler_to_matrix(angles[::-1], "ZYX"), expected, atol=1e-12)


def test_a_matrix_before_the_product_and_no_angles_at_all():
    before = euler_to_matrix([25.0], "Y")
    np.testing.assert_allclose(
        euler_to_matrix([10.0, 20.0], "XZ", before=before), before @ euler_to_matrix([10.0, 20.0], "XZ"), atol=1e-15
    )
    np.testing.assert_array_equal(euler_to_matrix(np.zeros((2, 0)), ""), np.broadcast_to(np.eye(3), (2, 3, 3)))


@pytest.mark.parametrize(("angles", "order"), [([1.0, 2.0], "XYZ"), ([1.0], "W"), (1.0, "X")])
def test_an_order_that_does_not_fit_is_refused(angles, order):
    with pytest.raises(SettingsError, match=rf"rotation order '{order}': expected letters of XYZ, one for each angle"):
        euler_to_matrix(angles, order)


@given(
    st.text("XYZ", max_size=4).flatmap(
        lambda order: st.tuples(st.just(order), st.lists(ANGLES, min_size=len(order), max_size=len(order)))
    )
)
def test_rotations_keep_lengths_and_handedness(case):
    order, angles = case
    matrix = euler_to_matrix(np.array(angles), order)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1.0)


def test_an_arm_bent_at_the_elbow():
    # shoulder at (1, 2, 3), upper arm 2 along x, forearm 1 along x: raised by 90 degrees about z, then bent by 90
    local = euler_to_matrix([[[90.0], [90.0], [0.0]]], "Z")
    offsets = [[9.0, 9.0, 9.0], [2.0, 0.0, 0.0], [1.0, 0.0, 0.0]]  # the root's own offset plays no part
    positions = forward_kinematics(local, offsets, [-1, 0, 1], [[1.0, 2.0, 3.0]])
    assert positions.dtype == np.float32
    np.testing.assert_allclose(positions[0], [[1, 2, 3], [1, 4, 3], [0, 4, 3]], atol=1e-6)


def _one_by_one(local, offsets, parents, root):
    positions = np.empty((len(local), len(parents), 3))
    for frame in range(len(local)):
        for joint in range(len(parents)):
            chain = [joint]
            while parents[chain[-1]] != -1:
                chain.append(parents[chain[-1]])
            turned, place = local[frame, chain[-1]], root[frame]
            for below in chain[-2::-1]:
                place = place + turned @ offsets[below]
                turned = turned @ local[frame, below]
            positions[frame, joint] = place
    return positions


@settings(max_examples=50)
@given(bodies())
def test_any_tree_agrees_with_walking_each_chain(body):
    np.testing.assert_allclose(forward_kinematics(*body), _one_by_one(*body), atol=1e-5)


@settings(max_examples=50)
@given(bodies())
def test_bones_keep_their_lengths_whatever_the_rotations(body):
    local, offsets, parents, root = body
    positions = forward_kinematics(local, offsets, parents, root)
    for joint, parent in enumerate(parents):
        if parent == -1:
            np.testing.assert_allclose(positions[:, joint], root, atol=1e-6)
        else:
            lengths = np.linalg.norm(positions[:, joint] - positions[:, parent], axis=1)
            np.testing.assert_allclose(lengths, np.linalg.norm(offsets[joint]), atol=1e-5)


@settings(max_examples=50)
@given(bodies(), ANGLES)
def test_turning_the_root_turns_the_body_about_it(body, angle):
    local, offsets, parents, root = body
    turn = euler_to_matrix([angle], "Y")
    turned_local = local.copy()
    turned_local[:, parents.index(-1)] = turn @ local[:, parents.index(-1)]
    around = forward_kinematics(local, offsets, parents, root) - root[:, None]
    turned = forward_kinematics(turned_local, offsets, parents, root) - root[:, None]
    np.testing.assert_allclose(turned, around @ turn.T, atol=1e-5)


@settings(max_examples=25)
@given(bodies())
def test_translations_equal_to_the_offsets_change_nothing(body):
    local, offsets, parents, root = body
    translations = np.broadcast_to(offsets, (len(local), *offsets.shape))
    np.testing.assert_array_equal(
        forward_kinematics(local, offsets, parents, root, joint_translations=translations),
        forward_kinematics(local, offsets, parents, root),
    )


def test_a_joint_that_shifts():
    translations = [[[0, 0, 0], [0, 1, 0]], [[0, 0, 0], [0, 3, 0]]]
    local = np.broadcast_to(np.eye(3), (2, 2, 3, 3))
    positions = forward_kinematics(local, np.zeros((2, 3)), [-1, 0], np.zeros((2, 3)), translations)
    np.testing.assert_array_equal(positions[:, 1], [[0, 1, 0], [0, 3, 0]])


def test_shapes_and_trees_that_cannot_be_are_refused():
    turns = np.broadcast_to(np.eye(3), (4, 2, 3, 3))
    with pytest.raises(SettingsError, match=r"expected rotations \(T, 2, 3, 3\).* found \(4, 2, 3, 3\), \(3, 3\)"):
        forward_kinematics(turns, np.zeros((3, 3)), [-1, 0], np.zeros((4, 3)))
    with pytest.raises(SettingsError, match=r"expected a tree, found that joint 1 does not lead to a root"):
        parents_first([-1, 2, 1])
    with pytest.raises(SettingsError, match=r"expected numbers from -1 to 1, found 5"):
        parents_first([-1, 5])
    assert parents_first([2, 0, -1]) == [2, 0, 1]
