"""Skeletons that are written by hand: what is wrong in them is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionprint.errors import SettingsError
from motionprint.skeleton import SKELETONS, Skeleton

KEYS = ("left_arm", "right_arm", "left_leg", "right_leg", "trunk")
JOINTS = ["a", "b", "c", "d", "e", "f"]
PARENTS = ["", "a", "a", "a", "a", "a"]


def write(folder: Path, **changes: Any) -> Path:
    """A TOML skeleton: `a` with five joints at it."""
    table = {"joints": JOINTS, "parents": PARENTS, "hips": ["d", "e"], "spine": ["a", "f"], **changes}
    parts = dict(zip(KEYS, (["b"], ["c"], ["d"], ["e"], ["a", "f"]), strict=True)) | table.pop("body_parts", {})
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    lines += ["[body_parts]", *(f"{key} = {json.dumps(value)}" for key, value in parts.items())]
    path = folder / "body.toml"
    path.write_text("\n".join(lines))
    return path


def test_a_toml_file_says_everything(tmp_path: Path) -> None:
    found = Skeleton.from_toml(write(tmp_path))
    assert found == Skeleton.resolve(str(tmp_path / "body.toml"))
    assert found.joint_names == tuple(JOINTS) and found.parents == (-1, 0, 0, 0, 0, 0) and found.name == "body"
    assert found.body_parts == ((1,), (2,), (3,), (4,), (0, 5))
    assert (found.hips, found.spine) == ((3, 4), (0, 5))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"joints": 5}, "expected a list of joint names under `joints`"),
        ({"joints": "abcdef"}, "expected a list of joint names under `joints`"),
        ({"parents": [0]}, "expected a list of joint names under `parents`"),
        ({"parents": ["", *"zzzzz"]}, "`parents` names 'z', which is not one of `joints`"),
        ({"hips": []}, "expected two different joint names under `hips`, found \\[\\]"),
        ({"hips": ["d"]}, "expected two different joint names under `hips`"),
        ({"hips": ["d", "d"]}, "expected two different joint names under `hips`"),
        ({"hips": ["d", "b", "e"]}, "expected two different joint names under `hips`"),
        ({"hips": 5}, "expected a list of joint names under `hips`, found 5"),
        ({"hips": "de"}, "expected a list of joint names under `hips`, found 'de'"),
        ({"hips": [3, 4]}, "expected a list of joint names under `hips`"),
        ({"hips": ["d", "z"]}, "`hips` names 'z', which is not one of `joints`"),
        ({"spine": []}, "expected two different joint names under `spine`"),
        ({"spine": {"low": "a", "high": "f"}}, "body.toml: "),
        ({"body_parts": {"left_arm": 5}}, "expected a list of joint names under `body_parts.left_arm`, found 5"),
        ({"body_parts": {"left_arm": "b"}}, "expected a list of joint names under `body_parts.left_arm`"),
        ({"body_parts": {"trunk": ["a", 5]}}, "expected a list of joint names under `body_parts.trunk`"),
        ({"body_parts": {"trunk": ["z"]}}, "`body_parts.trunk` names 'z', which is not one of `joints`"),
        ({"body_parts": {"tail": ["a"]}}, "expected `body_parts` to have the keys left_arm, right_arm"),
    ],
)
def test_what_is_wrong_in_a_toml_file_is_named(tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(SettingsError, match=text) as error:
        Skeleton.from_toml(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_body_parts_that_are_no_table_are_named(tmp_path: Path) -> None:
    (tmp_path / "body.toml").write_text('joints = ["a"]\nparents = [""]\nbody_parts = 5\n')
    with pytest.raises(SettingsError, match="expected `body_parts` to have the keys left_arm"):
        Skeleton.from_toml(tmp_path / "body.toml")


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=str)
def test_the_inverse_of_to_dict(skeleton: Skeleton) -> None:
    assert Skeleton.from_dict(json.loads(skeleton.to_json())) == skeleton


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"parents": (-1, 0, "b")}, "expected a number for each parent"),
        ({"parents": (-1, 0, 1.0)}, "expected a number for each parent"),
        ({"hips": (1, 3)}, r"hips: expected two different joint numbers below 3, found \(1, 3\)"),
        ({"hips": (-1, 2)}, "hips: expected two different joint numbers below 3"),
        ({"hips": (1, 1)}, "hips: expected two different joint numbers below 3"),
        ({"hips": (1,)}, "hips: expected two different joint numbers below 3"),
        ({"hips": ("b", "c")}, "hips: expected two different joint numbers below 3"),
        ({"hips": (1.0, 2.0)}, "hips: expected two different joint numbers below 3"),
        ({"spine": (0, 3)}, "spine: expected two different joint numbers below 3"),
        ({"spine": (0, 0)}, "spine: expected two different joint numbers below 3"),
        ({"left_right": ((1, 2), (1, 9))}, r"left_right: expected two different joint numbers below 3, found \(1, 9\)"),
        ({"left_right": ((2, 2),)}, "left_right: expected two different joint numbers below 3"),
        ({"body_parts": ((0,), (1,), (2,), (), (9,))}, "expected five disjoint body parts of joint numbers below 3"),
        ({"body_parts": ((0,), (1,), (2,), (), ("a",))}, "expected five disjoint body parts of joint numbers below 3"),
    ],
)
def test_joints_that_do_not_exist_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        Skeleton(**{"joint_names": ("a", "b", "c"), "parents": (-1, 0, 0), **changes})


def test_numbers_of_numpy_are_numbers() -> None:
    one, two = np.arange(1, 3)
    assert Skeleton(("a", "b", "c"), (-1, 0, 0), hips=(one, two)).hips == (1, 2)


@pytest.mark.parametrize(
    ("name", "counts", "hips", "spine"),
    [
        ("kinect20", (4, 4, 4, 4, 4), ("hip_left", "hip_right"), ("hip_center", "shoulder_center")),
        ("kinect25", (6, 6, 4, 4, 5), ("hip_left", "hip_right"), ("spine_base", "spine_shoulder")),
        ("sbu15", (3, 3, 3, 3, 3), ("hip_left", "hip_right"), ("torso", "neck")),
        ("mhad16", (3, 3, 4, 4, 2), ("LeftUpLeg", "RightUpLeg"), ("Hips", "Neck")),
    ],
)
def test_the_body_parts_of_depth_cameras(
    name: str, counts: tuple[int, ...], hips: tuple[str, str], spine: tuple[str, str]
) -> None:
    skeleton = SKELETONS[name]
    names = skeleton.joint_names
    assert tuple(map(len, skeleton.body_parts)) == counts and sum(counts) == len(skeleton)
    sides = [[("left" in names[j].lower(), "right" in names[j].lower()) for j in part] for part in skeleton.body_parts]
    for part, side in zip(sides, ((True, False), (False, True)) * 2 + ((False, False),), strict=True):
        assert set(part) == {side}
    legs = {names[joint] for part in skeleton.body_parts[2:4] for joint in part}
    assert not any(word in joint.lower() for joint in legs for word in ("arm", "hand", "shoulder", "elbow", "wrist"))
    for limb in skeleton.body_parts[:4]:  # each hangs together, from one joint of the trunk
        outside = {skeleton.parents[joint] for joint in limb} - set(limb)
        assert len(outside) == 1 and outside <= set(skeleton.body_parts[4])
    assert skeleton.hips is not None and tuple(names[joint] for joint in skeleton.hips) == hips
    assert skeleton.spine is not None and tuple(names[joint] for joint in skeleton.spine) == spine
    assert len(skeleton.left_right) == counts[0] + counts[2]


def test_mhad16_has_the_parents_of_its_authors() -> None:
    assert SKELETONS["mhad16"].parents == (-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 9, 13, 14)
