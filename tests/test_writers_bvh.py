"""BVH written from positions: what is read back is where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from motionprint.errors import SettingsError
from motionprint.kinematics import forward_kinematics
from motionprint.readers import bvh as reader
from motionprint.readers import read
from motionprint.readers.bvh import parse
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.writers import bvh

EXACT = 1e-4  # m


def reread(data: bytes) -> tuple[npt.NDArray[np.float32], Skeleton, float | None]:
    motion = parse(data, "x.bvh")
    [joints] = motion.persons
    skeleton = Skeleton(tuple(joint.name for joint in joints), tuple(joint.parent for joint in joints))
    return reader.positions_of(joints, motion.values, 0.01), skeleton, motion.frame_time


def require_round_trip(sequence: SkeletonSequence) -> bytes:
    """The file, whose joints, tree, rate and positions are those of the recording."""
    data = bvh.encode(sequence)
    positions, skeleton, frame_time = reread(data)
    names = sequence.skeleton.joint_names
    assert sorted(skeleton.joint_names) == sorted(names)
    order = [skeleton.joint_names.index(name) for name in names]
    assert [
        skeleton.joint_names[skeleton.parents[joint]] if skeleton.parents[joint] >= 0 else "" for joint in order
    ] == [names[parent] if parent >= 0 else "" for parent in sequence.skeleton.parents]
    assert frame_time == pytest.approx(1 / sequence.fps)
    np.testing.assert_allclose(positions[:, order], sequence.positions, atol=EXACT, rtol=0)
    return data


def channels(data: bytes) -> dict[str, int]:
    return {joint.name: len(joint.channels) for joint in parse(data, "x.bvh").persons[0]}


@st.composite
def moving_bodies(draw: st.DrawFn) -> SkeletonSequence:
    """A random tree whose joints all turn at random."""
    joints = draw(st.integers(1, 12))
    frames = draw(st.integers(1, 6))
    parents = [-1, *(draw(st.integers(0, joint - 1)) for joint in range(1, joints))]
    order = draw(st.permutations(range(joints)))  # in any order, the root anywhere
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    offsets = random.normal(0, 0.3, (joints, 3))
    flat = draw(st.sampled_from(["no", "line", "plane", "zero"]))
    if flat == "line":
        offsets[:, 1:] = 0  # all children of a joint on one line
    elif flat == "plane":
        offsets[:, 2] = 0
    elif flat == "zero":
        offsets[::2] = 0
    quarter = draw(st.booleans())  # turns by multiples of 90 degrees: gimbal lock, half turns
    angles = (
        random.integers(-2, 3, (frames * joints, 3)) * 90.0
        if quarter
        else random.uniform(-180, 180, (frames * joints, 3))
    )
    turns = Rotation.from_euler("ZXY", angles, degrees=True).as_matrix().reshape(frames, joints, 3, 3)
    positions = forward_kinematics(turns, offsets, parents, random.normal(0, 2, (frames, 3)))
    place = {joint: at for at, joint in enumerate(order)}
    return SkeletonSequence(
        positions[:, order],
        draw(st.sampled_from([15.0, 29.97, 120.0])),
        Skeleton(
            tuple(f"joint {joint}" for joint in order),
            tuple(-1 if parents[joint] == -1 else place[parents[joint]] for joint in order),
        ),
    )


@settings(max_examples=200, deadline=None)
@given(moving_bodies())
def test_rotations_of_any_rig_are_found_again(sequence: SkeletonSequence) -> None:
    data = require_round_trip(sequence)
    assert set(channels(data).values()) <= {3, 6} and sum(count == 6 for count in channels(data).values()) == 1


@settings(max_examples=100, deadline=None)
@given(moving_bodies(), st.integers(0, 2**32), st.sampled_from([1e-6, 3e-5, 1e-4, 0.1]))
def test_any_positions_at_all_are_exact(sequence: SkeletonSequence, seed: int, size: float) -> None:
    noise = np.random.default_rng(seed).normal(0, size, sequence.positions.shape).astype(np.float32)
    require_round_trip(SkeletonSequence(sequence.positions + noise, sequence.fps, sequence.skeleton))


ARM = Skeleton(("Hips", "Arm", "Hand", "Hand_end"), (-1, 0, 1, 2))


def arm(**changes: Any) -> SkeletonSequence:
    """An arm of two bones and an end site that turns about z by 10 degrees a frame."""
    angle = np.deg2rad(np.arange(5) * 10.0)
    way = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    positions = np.stack(
        [0 * way, way * [0, 0, 0] + [0, 0.5, 0], way * 0.3 + [0, 0.5, 0], way * 0.5 + [0, 0.5, 0]], axis=1
    )
    return SkeletonSequence(**{"positions": positions, "fps": 25.0, "skeleton": ARM, **changes})


def test_the_file_as_it_stands() -> None:
    lines = bvh.encode(arm()).decode().splitlines()
    values = [[float(word) for word in line.split()] for line in lines[23:]]
    np.testing.assert_allclose(values, [[0, 0, 0, 0, 0, 0, 10 * frame, 0, 0, 0, 0, 0] for frame in range(5)], atol=1e-4)
    assert lines[:23] == [
        "HIERARCHY",
        "ROOT Hips",
        "{",
        "\tOFFSET 0.00000 0.00000 0.00000",
        "\tCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation",
        "\tJOINT Arm",
        "\t{",
        "\t\tOFFSET 0.00000 50.00000 0.00000",
        "\t\tCHANNELS 3 Zrotation Xrotation Yrotation",
        "\t\tJOINT Hand",
        "\t\t{",
        "\t\t\tOFFSET 30.00000 0.00000 0.00000",
        "\t\t\tCHANNELS 3 Zrotation Xrotation Yrotation",
        "\t\t\tEnd Site",
        "\t\t\t{",
        "\t\t\t\tOFFSET 20.00000 0.00000 0.00000",
        "\t\t\t}",
        "\t\t}",
        "\t}",
        "}",
        "MOTION",
        "Frames: 5",
        "Frame Time: 0.04",
    ]  # fmt: skip


def test_a_bone_that_changes_its_length_alone_gets_positions() -> None:
    positions = arm().positions.copy()
    positions[:, 2:] += np.linspace(0, 0.1, 5)[:, None, None] * (positions[:, 2:3] - positions[:, 1:2])
    data = require_round_trip(arm(positions=positions))
    assert channels(data) == {"Hips": 6, "Arm": 3, "Hand": 6, "Hand_end": 0}


def test_an_end_that_changes_its_place_becomes_a_joint_of_the_same_name() -> None:
    positions = arm().positions.copy()
    positions[:, 3] *= np.linspace(1, 1.2, 5)[:, None]
    assert channels(require_round_trip(arm(positions=positions)))["Hand_end"] == 6


def test_angles_do_not_jump() -> None:
    angle = np.deg2rad(np.arange(60) * 15.0)  # two turns and a half
    way = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    positions = np.stack([0 * way, way, 2 * way, 3 * way], axis=1)
    turns = parse(bvh.encode(arm(positions=positions)), "x.bvh").values[:, 3]
    np.testing.assert_allclose(turns, np.arange(60) * 15.0, atol=1e-4)


def test_a_thousand_joints_below_each_other() -> None:
    joints = 1000
    skeleton = Skeleton(tuple(f"j{joint}" for joint in range(joints)), tuple(range(-1, joints - 1)))
    random = np.random.default_rng(0)
    steps = random.normal(0, 1, (3, joints, 3))
    steps *= 0.01 / np.linalg.norm(steps, axis=2, keepdims=True)
    require_round_trip(SkeletonSequence(steps.cumsum(axis=1), 30.0, skeleton))


def with_missing() -> npt.NDArray[np.float32]:
    positions = arm().positions.copy()
    positions[2, 1, 0] = positions[4, 3] = np.nan
    return positions


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"positions": with_missing()},
            "BVH: expected complete positions, since it has no missing values, found none of Arm in frame 3, and 1 "
            "more like it",
        ),
        *(
            (
                {"skeleton": Skeleton(("Hips", name, "Hand", "Hand_end"), ARM.parents)},
                "BVH: expected joint names of printable text without braces and without blanks around, found "
                + ascii(name),
            )
            for name in ("", " Arm", "Arm  1", "Arm\n1", "Arm{", "}", "a\x1ab", "\ud800")
        ),
    ],
)
def test_what_bvh_cannot_hold_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        bvh.encode(arm(**changes))
    assert str(error.value) == message


def test_any_skeleton_can_be_written() -> None:
    for skeleton in SKELETONS.values():
        positions = np.random.default_rng(1).normal(0, 1, (4, len(skeleton), 3))
        require_round_trip(SkeletonSequence(positions, 30.0, skeleton))


@pytest.mark.parametrize(
    ("file", "shifting"),
    [
        ("formats.zip/bvh/mocapbank.bvh", 1),
        ("formats.zip/bvh/walk01.bvh", 1),
        ("formats.zip/bvh/freebvh.bvh", 1),
        ("formats.zip/bvh/Geno_bind.bvh", 1),
        ("formats.zip/mvnx/xsens.bvh", 1),
        ("cmu_bvh_120fps_subject_02.zip/02/02_01.bvh", 1),
        ("berkeley_mhad_30fps.zip/skl_s01_a01_r01.bvh", 1),
        ("cmu_asfamc_120fps.zip/subjects/02/02_01.amc", 3),  # joints are the ends of bones: siblings move
        ("nw_ucla.zip/all_sqe/a01_s01_e00_v01.json", 20),  # bones change their length
    ],
)
def test_real_recordings(shared_datasets: Path, tmp_path: Path, file: str, shifting: int) -> None:
    [sequence] = read(shared_datasets / file)
    data = require_round_trip(sequence)
    assert sum(count == 6 for count in channels(data).values()) == shifting
    (tmp_path / "again.bvh").write_bytes(data)
    [again] = read(tmp_path / "again.bvh")
    assert again.fps == sequence.fps and again.skeleton.joint_names == sequence.skeleton.joint_names
