"""Skeletons that are written by hand: what is wrong in them is named."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionprint.errors import SettingsError
from motionprint.skeleton import SKELETONS, Skeleton, only_parts

PARTS = {
    "openpose25": {
        "left arm": "LShoulder LElbow LWrist",
        "left leg": "LHip LKnee LAnkle LBigToe LSmallToe LHeel",
        "trunk": "Nose Neck MidHip REye LEye REar LEar",
        "ends": "LHip RHip MidHip Neck",
    },
    "openpose18": {
        "left arm": "LShoulder LElbow LWrist",
        "left leg": "LHip LKnee LAnkle",
        "trunk": "Nose Neck REye LEye REar LEar",
        "ends": "LHip RHip",
    },
    "coco17": {
        "left arm": "left_shoulder left_elbow left_wrist",
        "left leg": "left_hip left_knee left_ankle",
        "trunk": "nose left_eye right_eye left_ear right_ear",
        "ends": "left_hip right_hip",
    },
    "mediapipe33": {
        "left arm": "left_shoulder left_elbow left_wrist left_pinky left_index left_thumb",
        "left leg": "left_hip left_knee left_ankle left_heel left_foot_index",
        "trunk": "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear "
        "right_ear mouth_left mouth_right",
        "ends": "left_hip right_hip",
    },
    "xsens23": {
        "left arm": "LeftShoulder LeftUpperArm LeftForeArm LeftHand",
        "left leg": "LeftUpperLeg LeftLowerLeg LeftFoot LeftToe",
        "trunk": "Pelvis L5 L3 T12 T8 Neck Head",
        "ends": "LeftUpperLeg RightUpperLeg Pelvis T8",
    },
    "h36m17": {
        "left arm": "LShoulder LElbow LWrist",
        "left leg": "LHip LKnee LFoot",
        "trunk": "Hip Spine Thorax Neck Head",
        "ends": "LHip RHip Hip Thorax",
    },
    "smpl24": {
        "left arm": "left_collar left_shoulder left_elbow left_wrist left_hand",
        "left leg": "left_hip left_knee left_ankle left_foot",
        "trunk": "pelvis spine1 spine2 spine3 neck head",
        "ends": "left_hip right_hip pelvis spine3",
    },
}
"""Of the trackers' skeletons: the joints of the left side and the trunk; hips, then, where there is one, the spine."""

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


OWN = Skeleton.from_tree(
    ("Hips", "LeftArm", "RightArm", "LeftUpLeg", "RightUpLeg", "Tail"), (-1, 0, 0, 0, 0, 0), name="dog"
)


def own_with(folder: Path, text: str) -> Skeleton:
    (folder / "parts.toml").write_text(text, encoding="utf-8")
    return Skeleton.from_toml(folder / "parts.toml", OWN)


def test_a_toml_file_without_joints_says_what_is_otherwise_in_a_recordings_own(tmp_path: Path) -> None:
    assert OWN.body_parts == ((1,), (2,), (3,), (4,), (0, 5)) and OWN.hips == (3, 4)
    found = own_with(tmp_path, '[body_parts]\nleft_leg = ["LeftUpLeg", "Tail"]\n')
    assert found.body_parts == ((1,), (2,), (3, 5), (4,), (0,))  # the tail left the trunk
    assert (found.joint_names, found.parents, found.hips, found.name) == (OWN.joint_names, OWN.parents, (3, 4), "dog")
    found = own_with(
        tmp_path, 'hips = ["LeftArm", "Tail"]\nspine = ["Hips", "Tail"]\nleft_right = [["Tail", "Hips"]]\n'
    )
    assert (found.hips, found.spine, found.left_right) == ((1, 5), (0, 5), ((5, 0),))
    assert found.body_parts == OWN.body_parts
    assert own_with(tmp_path, "") == OWN


def test_a_toml_file_with_joints_is_no_mere_correction(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert Skeleton.from_toml(path, OWN) == Skeleton.from_toml(path)
    assert not only_parts(path)
    (tmp_path / "parts.toml").write_text('hips = ["a", "b"]\n')
    assert only_parts(tmp_path / "parts.toml")
    with pytest.raises(SettingsError, match="expected a list of joint names under `joints`"):
        Skeleton.from_toml(tmp_path / "parts.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[body_parts]\ntrunk = ["Nose"]\n', "`body_parts.trunk` names 'Nose', which is not one of `joints`"),
        ('left_right = ["Hips"]\n', "expected a list of pairs of joint names under `left_right`"),
        ('left_right = [["Hips"]]\n', "expected two different joint names under `left_right`, found \\['Hips'\\]"),
        (
            '[body_parts]\nleft_arm = ["Hips"]\nright_arm = ["Hips"]\n',
            "skeleton 'dog': expected five disjoint body parts",
        ),
        (
            '[body_parts]\nleft_arm = []\nright_arm = []\nleft_leg = []\nright_leg = []\ntrunk = ["Hips"]\n',
            "expected joints in at least two of the `body_parts`, found 1 in one",
        ),
    ],
)
def test_what_is_wrong_in_a_correction_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        own_with(tmp_path, text)


def test_parts_that_nothing_tells_are_given_whole(tmp_path: Path) -> None:
    (tmp_path / "parts.toml").write_text('[body_parts]\ntrunk = ["a"]\n')
    with pytest.raises(SettingsError, match="expected `body_parts` to have the keys left_arm"):
        Skeleton.from_toml(tmp_path / "parts.toml", Skeleton(("a", "b"), (-1, 0)))


@pytest.mark.parametrize("skeleton", [*SKELETONS.values(), OWN], ids=str)
def test_the_inverse_of_to_toml(tmp_path: Path, skeleton: Skeleton) -> None:
    path = tmp_path / f"{skeleton.name}.toml"
    path.write_text(skeleton.to_toml(joints=True), encoding="utf-8")
    assert Skeleton.from_toml(path) == skeleton
    path.write_text(skeleton.to_toml(), encoding="utf-8")
    assert Skeleton.from_toml(path, Skeleton(skeleton.joint_names, skeleton.parents, name=skeleton.name)) == skeleton


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=2, max_size=6, unique=True))
def test_any_name_survives_toml(names: list[str]) -> None:
    skeleton = Skeleton(tuple(names), (-1, *[0] * (len(names) - 1)), hips=(0, 1))
    table = tomllib.loads(skeleton.to_toml(joints=True))
    assert table["joints"] == names and table["hips"] == names[:2]


MARKERS = Skeleton(("LFHD", "C7", "LSHO", "RSHO", "LELB", "LASI", "RASI", "LKNE", "RKNE", "X1"), (-1, *[0] * 9))


def test_the_toml_of_a_marker_set_is_a_proposal_to_complete(tmp_path: Path) -> None:
    assert MARKERS.body_parts == ()
    text = MARKERS.to_toml()
    assert '# in no part yet: "X1"' in text and "# hips = [two joint names]: not derived from the names" in text
    (tmp_path / "body.toml").write_text('hips = ["LASI", "RASI"]\n' + text)
    found = Skeleton.from_toml(tmp_path / "body.toml", MARKERS)
    assert found.body_parts == ((2, 4), (3,), (7,), (8,), (0, 1, 5, 6)) and found.hips == (5, 6)


def test_body_parts_that_are_needed_and_not_known_are_asked_for_by_an_example(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        MARKERS.require_body_parts()
    text = str(error.value)
    assert "\n" not in text and "(LFHD, C7, LSHO, RSHO, LELB, LASI, RASI, LKNE and 2 more)" in text
    for command in ("motionprint info FILE --skeleton --toml > body.toml", "--skeleton body.toml"):
        assert command in text
    example = text.partition("as in ")[2].partition("; then")[0]  # is what it says it is
    for word in ("[body_parts]", "right_arm", "left_leg", "right_leg", "trunk", "left_arm"):
        example = example.replace(word, f"\n{word}")
    (tmp_path / "body.toml").write_text(example)
    names = ("C7", "LASI", "RASI", "LSHO", "LELB", "RSHO", "RELB", "LKNE", "RKNE")
    assert Skeleton.from_toml(tmp_path / "body.toml", Skeleton(names, (-1, *[0] * 8))).hips == (1, 2)
    OWN.require_body_parts()


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


def _mirrored(name: str) -> str:
    """The name of the joint on the other side."""
    for left, right in (("Left", "Right"), ("left", "right")):
        if left in name or right in name:
            return name.replace(right, "\0").replace(left, right).replace("\0", left)
    if len(name) > 2 and name[0] in "LR" and name[1].isupper() and name[2].islower():
        return "LR"[name[0] == "L"] + name[1:]
    return name


@pytest.mark.parametrize("name", PARTS)
def test_the_parts_of_a_trackers_skeleton(name: str) -> None:
    skeleton, expected = SKELETONS[name], PARTS[name]
    joints = skeleton.joint_names
    assert len(joints) == int("".join(filter(str.isdigit, name.replace("h36m", ""))))
    parts = [[joints[joint] for joint in part] for part in skeleton.body_parts]
    left_arm, left_leg, trunk = (expected[part].split() for part in ("left arm", "left leg", "trunk"))
    assert parts[0] == left_arm and parts[2] == left_leg and parts[4] == trunk
    assert sorted(parts[1]) == sorted(map(_mirrored, left_arm))
    assert sorted(parts[3]) == sorted(map(_mirrored, left_leg))
    assert sorted(joint for part in parts for joint in part) == sorted(joints)
    ends = [*(skeleton.hips or ()), *(skeleton.spine or ())]
    assert [joints[joint] for joint in ends] == expected["ends"].split()


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_left_and_right_of_a_built_in_skeleton_mirror_each_other(skeleton: Skeleton) -> None:
    joints, parents = skeleton.joint_names, skeleton.parents
    mirror = dict(skeleton.left_right) | {right: left for left, right in skeleton.left_right}
    for joint, name in enumerate(joints):
        if skeleton.name in PARTS:
            assert joints[mirror.get(joint, joint)] == _mirrored(name)
        if parents[joint] != -1:  # the tree is the same on both sides
            parent = parents[joint]
            assert parents[mirror.get(joint, joint)] == mirror.get(parent, parent)
    for left, right in skeleton.left_right:
        sides = [next(number for number, part in enumerate(skeleton.body_parts) if j in part) for j in (left, right)]
        assert sides in ([0, 1], [2, 3], [4, 4])


def test_a_body_whose_arms_hang_on_a_root_with_the_name_of_a_neck() -> None:
    names = ["Neck", "LArm", "RArm", "LLeg", "RLeg"]
    assert Skeleton.from_tree(names, [-1, 0, 0, 0, 0]).spine is None
    assert Skeleton.from_tree([*names, "Head"], [-1, 0, 0, 0, 0, 0]).spine == (0, 5)


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (("LEye", "REye"), ((0, 1),)),
        (("LBigToe", "RBigToe"), ((0, 1),)),
        (("ns:LHeel", "ns:RHeel"), ((0, 1),)),
        (("L5", "R5"), ()),
        (("Lumbar", "Rumbar"), ()),
        (("LUMBAR", "RUMBAR"), ()),
    ],
)
def test_a_capital_before_a_capital_is_a_side(names: tuple[str, str], pairs: tuple[tuple[int, int], ...]) -> None:
    body = ["LArm", "RArm", "LLeg", "RLeg", "Hips"]
    skeleton = Skeleton.from_tree([*names, *body], [6, 6, 6, 6, 6, 6, -1])
    assert skeleton.left_right == (*pairs, (2, 3), (4, 5))
