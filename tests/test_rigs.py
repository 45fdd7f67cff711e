"""Recordings of different rigs onto one skeleton: what joints are called, and where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionprint.errors import DatasetError, SettingsError, SkeletonMismatchError
from motionprint.prepare import prepare
from motionprint.readers import Source, motion_names, read, read_from
from motionprint.rigs import PLACES, map_to, mapping
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.store import open_dataset

KINECT, CMU, MHAD = SKELETONS["kinect20"], SKELETONS["cmu31"], SKELETONS["mhad35"]

# One body under the names of many tools: pelvis, neck, head, then of the left side clavicle, shoulder, elbow, wrist,
# hand, hip, knee, ankle, foot ("-" where the tool has none); the right side is named alike.
RIGS = {
    "MotionBuilder": "Hips Neck Head LeftShoulder LeftArm LeftForeArm LeftHand LeftHandMiddle1 LeftUpLeg LeftLeg "
    "LeftFoot LeftToeBase",
    "Mixamo": "mixamorig:Hips mixamorig:Neck mixamorig:Head mixamorig:LeftShoulder mixamorig:LeftArm "
    "mixamorig:LeftForeArm mixamorig:LeftHand mixamorig:LeftHandMiddle1 mixamorig:LeftUpLeg "
    "mixamorig:LeftLeg mixamorig:LeftFoot mixamorig:LeftToeBase",
    "BioVision": "Hips Neck Head LeftCollar LeftShoulder LeftElbow LeftWrist LeftHand LeftHip LeftKnee LeftAnkle "
    "LeftToe",
    "Unreal": "pelvis neck_01 head clavicle_l upperarm_l lowerarm_l hand_l middle_01_l thigh_l calf_l foot_l ball_l",
    "Biped": "Bip01 Pelvis|Bip01 Neck|Bip01 Head|Bip01 L Clavicle|Bip01 L UpperArm|Bip01 L Forearm|"
    "Bip01 L Hand|Bip01 L Palm|Bip01 L Thigh|Bip01 L Calf|Bip01 L Foot|Bip01 L Toe0",
    "Blender": "pelvis neck head collar.L upper_arm.L forearm.L hand.L palm.L thigh.L shin.L foot.L toe.L",
    "Daz": "hip neck head lCollar lShldr lForeArm lHand lPalm lThigh lShin lFoot lToe",
    "OptiTrack": "Hip Neck Head LShoulder LUArm LFArm LHand LPalm LThigh LShin LFoot LToe",
    "VRM": "J_Bip_C_Hips J_Bip_C_Neck J_Bip_C_Head J_Bip_L_Shoulder J_Bip_L_UpperArm J_Bip_L_LowerArm "
    "J_Bip_L_Hand J_Bip_L_Middle1 J_Bip_L_UpperLeg J_Bip_L_LowerLeg J_Bip_L_Foot J_Bip_L_ToeBase",
    "SMPL": "pelvis neck head left_collar left_shoulder left_elbow left_wrist left_hand left_hip left_knee "
    "left_ankle left_foot",
    "SMPL, short": "Pelvis Neck Head L_Collar L_Shoulder L_Elbow L_Wrist L_Hand L_Hip L_Knee L_Ankle L_Foot",
    "Kinect": "hip_center shoulder_center head - shoulder_left elbow_left wrist_left hand_left hip_left "
    "knee_left ankle_left foot_left",
    "Kinect v2": "SpineBase SpineShoulder Head - ShoulderLeft ElbowLeft WristLeft HandLeft HipLeft KneeLeft "
    "AnkleLeft FootLeft",
    "Azure": "PELVIS NECK HEAD CLAVICLE_LEFT SHOULDER_LEFT ELBOW_LEFT WRIST_LEFT HAND_LEFT HIP_LEFT "
    "KNEE_LEFT ANKLE_LEFT FOOT_LEFT",
    "Xsens": "Pelvis Neck Head LeftShoulder LeftUpperArm LeftForeArm LeftHand LeftPalm LeftUpperLeg "
    "LeftLowerLeg LeftFoot LeftToe",
    "Acclaim": "root thorax upperneck - lclavicle lhumerus lradius lwrist lhipjoint lfemur ltibia lfoot",
    "midpoints": "- - Head - LeftShoulder LeftElbow LeftWrist LeftHand LeftHip LeftKnee LeftAnkle LeftFoot",
}
PLACED = ("pelvis", "neck", "head", "clavicle", "shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot")
WHERE = (
    (0, 1, 0), (0, 1.5, 0), (0, 1.7, 0), (0.05, 1.5, 0), (0.2, 1.5, 0), (0.4, 1.4, 0), (0.6, 1.3, 0), (0.7, 1.3, 0),
    (0.1, 1, 0), (0.1, 0.5, 0), (0.1, 0.1, 0), (0.1, 0, 0.1),
)  # fmt: skip
"""Metres, on the left side; facing z, so that left is +x."""
IN_KINECT = {"pelvis": "hip_center", "neck": "shoulder_center", "head": "head"}


def other_side(name: str) -> str:
    """The right joint's name for a left one's."""
    for left, right in (
        ("Left", "Right"),
        ("left", "right"),
        ("LEFT", "RIGHT"),
        ("_L_", "_R_"),
        ("L_", "R_"),
        (" L ", " R "),
    ):
        if left in name:
            return name.replace(left, right)
    if name.endswith(("_l", ".L")):
        return name[:-1] + ("r" if name[-1] == "l" else "R")
    return {"l": "r", "L": "R"}[name[0]] + name[1:]


def body(names: str, seed: int = 0) -> SkeletonSequence:
    """The body under a tool's names: joints in a random order, as a star around the first one."""
    found: dict[str, tuple[float, float, float]] = {}
    for name, place, (x, y, z) in zip(names.split("|" if "|" in names else None), PLACED, WHERE, strict=True):
        if name != "-":
            found[name] = (x, y, z)
            if place not in IN_KINECT:
                found[other_side(name)] = (-x, y, z)
    order = np.random.default_rng(seed).permutation(len(found))
    names_in_order = [list(found)[at] for at in order]
    positions = np.array([[found[name] for name in names_in_order]] * 2, dtype=np.float32)
    return SkeletonSequence(positions, 30.0, Skeleton(tuple(names_in_order), (-1, *[0] * (len(found) - 1))))


@pytest.mark.parametrize("tool", RIGS)
@pytest.mark.parametrize("seed", range(3))
def test_joints_are_where_they_are_under_any_tools_names(tool: str, seed: int) -> None:
    mapped = map_to(body(RIGS[tool], seed), KINECT)
    expected = {}
    for place, (x, y, z) in zip(PLACED, WHERE, strict=True):
        if place in IN_KINECT:
            expected[IN_KINECT[place]] = (x, y, z)
        elif place != "clavicle":
            expected[f"{place}_left"], expected[f"{place}_right"] = (x, y, z), (-x, y, z)
    expected["spine"] = (0, 1 + 0.17 * 0.5, 0)  # as low as Kinect's is
    wanted = np.array([expected[name] for name in KINECT.joint_names])
    np.testing.assert_allclose(mapped.positions, [wanted, wanted], atol=1e-6)
    assert mapped.skeleton == KINECT and mapped.fps == 30


def test_one_name_means_different_places_in_different_rigs() -> None:
    """The same joint name, beside others: each kind of rig answers for itself."""
    rigs = {
        tool: mapping(body(RIGS[tool]), KINECT)
        for tool in ("MotionBuilder", "BioVision", "OptiTrack", "SMPL", "Acclaim")
    }
    assert rigs["MotionBuilder"]["shoulder_left"] == {"LeftArm": 1.0}  # LeftShoulder is its collar bone
    assert rigs["BioVision"]["shoulder_left"] == {"LeftShoulder": 1.0}
    assert rigs["MotionBuilder"]["ankle_left"] == {"LeftFoot": 1.0}
    assert rigs["SMPL"]["foot_left"] == {"left_foot": 1.0}
    assert rigs["MotionBuilder"]["wrist_left"] == {"LeftHand": 1.0}
    assert rigs["BioVision"]["hand_left"] == {"LeftHand": 1.0}
    assert rigs["OptiTrack"]["hip_center"] == {"Hip": 1.0}
    assert rigs["Acclaim"]["knee_left"] == {"lfemur": 1.0}  # the bone's end
    assert rigs["Acclaim"]["foot_left"] == {"lfoot": 1.0} and rigs["Acclaim"]["hip_left"] == {"lhipjoint": 1.0}


def chain(names: str, heights: list[float]) -> SkeletonSequence:
    """A spine of joints one above the other, with hips and shoulders."""
    joints = names.split()
    parents = [*range(-1, len(joints) - 1), 0, 0, len(joints) - 1, len(joints) - 1]
    points = [(0.0, height, 0.0) for height in heights] + [(0.1, 1, 0), (-0.1, 1, 0), (0.2, 1.5, 0), (-0.2, 1.5, 0)]
    skeleton = Skeleton((*joints, "LeftHip", "RightHip", "LeftShoulder", "RightShoulder"), tuple(parents))
    return SkeletonSequence(np.array([points], dtype=np.float32), 30.0, skeleton)


TRUNK = Skeleton(("Pelvis", "SpineA", "SpineB", "SpineC", "Neck"), (-1, 0, 1, 2, 3))


@pytest.mark.parametrize(
    ("names", "heights"),
    [
        ("Hips Neck", [1.0, 1.8]),
        ("Hips Spine Neck", [1.0, 1.1, 1.8]),
        ("Hips Spine Spine1 Spine2 Spine3 Spine4 Neck", [1.0, 1.0, 1.3, 1.3, 1.35, 1.7, 1.8]),
    ],
)
def test_a_spine_is_divided_along_the_recordings_own(names: str, heights: list[float]) -> None:
    mapped = map_to(chain(names, heights), TRUNK)
    np.testing.assert_allclose(mapped.positions[0, :, 1], [1.0, 1.2, 1.4, 1.6, 1.8], atol=1e-6)


def test_a_spine_of_the_same_names_is_taken_as_it_is() -> None:
    sequence = chain("Hips Spine_A Spine_B Spine_C Neck", [1.0, 1.1, 1.2, 1.3, 1.8])
    np.testing.assert_allclose(map_to(sequence, TRUNK).positions[0, :, 1], [1.0, 1.1, 1.2, 1.3, 1.8], atol=1e-6)


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_a_skeleton_onto_itself_changes_nothing(skeleton: Skeleton) -> None:
    random = np.random.default_rng(0).normal(0, 1, (3, len(skeleton), 3)).astype(np.float32)
    random[1, 2] = np.nan
    sequence = SkeletonSequence(random, 30.0, skeleton)
    np.testing.assert_array_equal(map_to(sequence, skeleton).positions, random)
    # and under other names of the same places
    renamed = Skeleton(tuple(f"rig:{name}" for name in skeleton.joint_names), skeleton.parents)
    again = map_to(SkeletonSequence(random, 30.0, renamed), skeleton, allow_missing=True).positions
    np.testing.assert_allclose(again, random, atol=1e-6)


SIDES = ("left", "right")


@pytest.mark.parametrize("target", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize("source", SKELETONS.values(), ids=lambda skeleton: skeleton.name)
def test_any_built_in_skeleton_onto_any_other(source: Skeleton, target: Skeleton) -> None:
    positions = np.random.default_rng(0).normal(0, 1, (2, len(source), 3))
    found = mapping(SkeletonSequence(positions, 30.0, source), target)
    assert list(found) == list(target.joint_names)
    for name, parts in found.items():
        if parts:
            assert sum(parts.values()) == pytest.approx(1) and all(0 < share <= 1 for share in parts.values())
            if (side := _side(name)) is not None:  # a collar bone between two shoulders lies nearer to its own
                of = {each: sum(share for part, share in parts.items() if _side(part) == each) for each in SIDES}
                assert of[side] > sum(of.values()) - of[side], (name, parts)
    limbs = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    if target is KINECT:
        assert all(found[f"{limb}_{side}"] for limb in limbs for side in ("left", "right"))


def _side(name: str) -> str | None:
    from motionprint.rigs import _words

    return _words(name)[0] or None


def test_a_trunk_that_branches_into_hips_or_shoulders() -> None:
    """The torso of OpenNI hangs from the neck and branches into the hips: half-way between neck and pelvis."""
    target = Skeleton(("neck", "torso", "hip_left", "hip_right", "chest", "shoulder_left", "shoulder_right"),
                      (-1, 0, 1, 1, 2, 4, 4))  # fmt: skip
    mapped = map_to(body(RIGS["Kinect"]), target).positions
    np.testing.assert_allclose(mapped[0, 1], [0, 1.25, 0], atol=1e-6)
    target = Skeleton(("torso", "neck", "hip_left", "hip_right"), (-1, 0, 0, 0))
    np.testing.assert_allclose(map_to(body(RIGS["midpoints"]), target).positions[0, 0], [0, 1.25, 0], atol=1e-6)


def test_what_is_missing_stays_missing_and_spreads_no_further() -> None:
    sequence = body(RIGS["MotionBuilder"])
    positions = sequence.positions.copy()
    names = sequence.skeleton.joint_names
    positions[1, names.index("LeftForeArm")] = np.nan
    positions[0, names.index("Hips"), 1] = np.nan
    mapped = map_to(SkeletonSequence(positions, 30.0, sequence.skeleton), KINECT).positions
    assert {KINECT.joint_names[joint] for joint in np.flatnonzero(np.isnan(mapped[1]).any(axis=1))} == {"elbow_left"}
    assert {KINECT.joint_names[joint] for joint in np.flatnonzero(np.isnan(mapped[0]).any(axis=1))} == {
        "hip_center",
        "spine",
    }


def test_joints_that_cannot_be_found_are_named() -> None:
    sequence = body(RIGS["Kinect"])
    absent = "ltoes, rtoes, head, lhand, lfingers, lthumb, rhand, rfingers, rthumb"
    with pytest.raises(SkeletonMismatchError) as error:
        map_to(sequence, CMU)
    text = str(error.value)
    assert text.startswith(f"sequence: expected joints that tell where {absent} of cmu31 lie, found ")
    assert "\n" not in text and text.endswith("; allow_missing (--allow-missing) makes them missing values")
    mapped = map_to(sequence, CMU, allow_missing=True).positions
    lost = np.isnan(mapped).all(axis=(0, 2))
    assert [name for name, gone in zip(CMU.joint_names, lost, strict=True) if gone] == absent.split(", ")
    assert np.isnan(mapped).sum() == 9 * 3 * 2


def test_what_has_nothing_in_common_is_refused_even_so() -> None:
    box = SkeletonSequence(np.zeros((2, 2, 3)), 30.0, Skeleton(("box", "lid"), (-1, 0)), name="crate")
    with pytest.raises(
        SkeletonMismatchError, match=r"^crate: expected joints that tell where hip_center, .* found box, lid$"
    ):
        map_to(box, KINECT, allow_missing=True)


def test_every_synonym_stands_for_one_place() -> None:
    names = [name for synonyms in PLACES.values() for name in synonyms.split()]
    assert len(names) == len(set(names))
    assert all(name == name.lower() and name.isalnum() for name in names)


# ---- prepare -----------------------------------------------------------------------------------------------------


def test_prepare_brings_rigs_together(takes: Path, tmp_path: Path) -> None:
    """The takes have no knees: a target that they fill, in one process and in several."""
    target = tmp_path / "small.toml"
    names = [
        "pelvis",
        "head",
        "l_shoulder",
        "l_wrist",
        "r_shoulder",
        "r_wrist",
        "l_thigh",
        "l_foot",
        "r_thigh",
        "r_foot",
    ]
    parents = ["", "pelvis", "pelvis", "l_shoulder", "pelvis", "r_shoulder", "pelvis", "l_thigh", "pelvis", "r_thigh"]
    target.write_text(f"joints = {names}\nparents = {parents}\n")
    for jobs in (1, 2):
        prepare("folder", takes, tmp_path / f"data{jobs}", map_to=target, jobs=jobs)
    one, two = (open_dataset(tmp_path / f"data{jobs}") for jobs in (1, 2))
    assert one.skeleton.joint_names == tuple(names) and len(one) == 18
    assert one.prepare["options"]["map_to"] == str(target)
    [take] = read(takes / "wave" / "anna_0.bvh")
    number = one.names.index("wave/anna_0")
    np.testing.assert_array_equal(
        one[number].positions[:, [2, 3, 6]],
        take.positions[:, [take.skeleton.joint_names.index(name) for name in ("LeftArm", "LeftHand", "LeftUpLeg")]],
    )
    for mine, theirs in zip(one, two, strict=True):
        np.testing.assert_array_equal(mine.positions, theirs.positions)


def test_prepare_says_what_cannot_be_brought_together(takes: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"none of 18 recordings can be used; .*: expected joints that tell where elbow_l"
    ):
        prepare("folder", takes, tmp_path / "data", map_to="kinect20")
    with pytest.raises(SettingsError, match=r"unknown skeleton 'nobody': expected a \.toml file or one of cmu31"):
        prepare("folder", takes, tmp_path / "data", map_to="nobody")
    with pytest.raises(SettingsError, match="allow_missing: expected map_to with it, found none"):
        prepare("folder", takes, tmp_path / "data", allow_missing=True)
    assert not (tmp_path / "data").exists()
    prepare("folder", takes, tmp_path / "data", map_to="kinect20", allow_missing=True)
    assert np.isnan(open_dataset(tmp_path / "data")[0].positions).any()


def test_prepare_hints_at_it_where_rigs_differ(takes: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    text = (takes / "wave" / "anna_0.bvh").read_text()
    (mixed / "a.bvh").write_text(text)
    (mixed / "b.bvh").write_text(text.replace("LeftHand", "LeftWrist"))
    with pytest.raises(DatasetError, match=r"a data set has one skeleton: --map-to \(map_to=\) brings others onto it$"):
        prepare("folder", mixed, tmp_path / "data")


# ---- real recordings ---------------------------------------------------------------------------------------------


def where(sequence: SkeletonSequence, *names: str) -> npt.NDArray[np.float64]:
    joints = [sequence.skeleton.joint_names.index(name) for name in names]
    return sequence.positions[:, joints].astype(np.float64)


def bone(sequence: SkeletonSequence, one: str, other: str) -> float:
    both = where(sequence, one, other)
    return float(np.nanmedian(np.linalg.norm(both[:, 0] - both[:, 1], axis=1)))


def require_a_person(sequence: SkeletonSequence, tall: float = 1.0) -> None:
    """Upright, left on the left, with the bones of a person (``tall``: of its size against a grown-up's)."""
    upright = (where(sequence, "head") - where(sequence, "ankle_left"))[:, 0, 1].argmax()
    height = dict(zip(sequence.skeleton.joint_names, sequence.positions[upright, :, 1], strict=True))
    assert height["head"] > height["shoulder_center"] > height["spine"] > height["knee_left"] > height["ankle_left"]
    for side in ("left", "right"):
        for one, other, least, most in (
            ("hip", "knee", 0.3, 0.55), ("knee", "ankle", 0.3, 0.55), ("shoulder", "elbow", 0.2, 0.4),
            ("elbow", "wrist", 0.12, 0.35), ("ankle", "foot", 0.03, 0.3), ("wrist", "hand", 0, 0.2),
        ):  # fmt: skip
            assert least * tall <= bone(sequence, f"{one}_{side}", f"{other}_{side}") <= most * tall, (one, side)
    assert 0.1 * tall < bone(sequence, "hip_left", "hip_right") < 0.4 * tall
    assert 0.2 * tall < bone(sequence, "shoulder_left", "shoulder_right") < 0.55 * tall
    # feet point forwards: with up they tell which side is left, whatever the names say
    forward = (where(sequence, "foot_left", "foot_right") - where(sequence, "ankle_left", "ankle_right")).mean(axis=1)
    left = np.cross([0, 1, 0], forward)
    for part in ("hip", "shoulder"):
        across = where(sequence, f"{part}_left", f"{part}_right")
        assert np.nanmedian(((across[:, 0] - across[:, 1]) * left).sum(axis=1)) > 0, part


@pytest.mark.parametrize(
    ("file", "size"),
    [
        ("bvh/walk01.bvh", 1.0),
        ("bvh/freebvh.bvh", 1.0),
        ("bvh/mocapbank.bvh", 1.0),
        ("bvh/Geno_bind.bvh", 1.0),
        ("bvh/cmu_12_01_walk.bvh", 1 / 5.64),  # its unit is CMU's, not a centimetre
        ("mvnx/xsens.bvh", 1.0),
    ],
)
def test_bvh_of_six_tools(shared_datasets: Path, file: str, size: float) -> None:
    [sequence] = read(shared_datasets / "formats.zip" / file)
    require_a_person(map_to(sequence, KINECT), size)


def test_bvh_without_arms_is_refused(shared_datasets: Path) -> None:
    [sequence] = read(shared_datasets / "formats.zip" / "bvh/rotation_first_root.bvh")
    with pytest.raises(
        SkeletonMismatchError, match="expected joints that tell where spine, shoulder_center, shoulder_left"
    ):
        map_to(sequence, KINECT)


@pytest.mark.parametrize("trial", [1, 4, 10])
def test_cmu_as_asf_amc_and_as_bvh_is_the_same_on_one_skeleton(shared_datasets: Path, trial: int) -> None:
    [amc] = read(shared_datasets / "cmu_asfamc_120fps.zip" / f"subjects/02/02_{trial:02d}.amc")
    [bvh] = read(shared_datasets / "cmu_bvh_120fps_subject_02.zip" / f"02/02_{trial:02d}.bvh", unit="cmu")
    ours, theirs = map_to(amc, KINECT), map_to(bvh, KINECT)
    require_a_person(ours)
    require_a_person(theirs)
    legs = [f"{joint}_{side}" for joint in ("hip", "knee", "ankle", "foot") for side in ("left", "right")]
    np.testing.assert_allclose(where(ours, "hip_center", *legs), where(theirs, "hip_center", *legs)[1:], atol=1e-4)
    # the conversion has no thorax: all above it is lower by that bone, and else the same
    above = ["head", *(f"{joint}_{side}" for joint in ("shoulder", "elbow", "wrist") for side in ("left", "right"))]
    np.testing.assert_allclose(
        where(ours, *above) - where(ours, "shoulder_center"),
        (where(theirs, *above) - where(theirs, "shoulder_center"))[1:],
        atol=1e-4,
    )
    # nor a wrist bone, and it is by that bone, and by the spine's share of the thorax, that they differ
    apart = where(ours, "shoulder_center", "spine") - where(theirs, "shoulder_center", "spine")[1:]
    assert np.linalg.norm(apart[:, 0], axis=1) == pytest.approx(amc_bone(amc, "thorax"), abs=1e-4)
    assert np.linalg.norm(apart[:, 1], axis=1).max() < 0.03


def amc_bone(sequence: SkeletonSequence, name: str) -> float:
    joint = sequence.skeleton.joint_names.index(name)
    return bone(sequence, name, sequence.skeleton.joint_names[sequence.skeleton.parents[joint]])


@pytest.mark.parametrize(
    ("archive", "every"), [("berkeley_mhad_30fps.zip", 60), ("hdm05_11classes.zip", 40), ("nw_ucla.zip", 200)]
)
def test_corpora_on_one_skeleton(shared_datasets: Path, archive: str, every: int) -> None:
    with Source.open(shared_datasets / archive) as source:
        for name in list(motion_names(source))[1::every]:
            for sequence in read_from(source, name):
                if archive != "nw_ucla.zip":
                    require_a_person(map_to(sequence, KINECT))
                elif len(sequence) > 10:
                    np.testing.assert_array_equal(map_to(sequence, KINECT).positions, sequence.positions)
                    found = map_to(sequence, MHAD, allow_missing=True).positions
                    lost = {MHAD.joint_names[joint] for joint in np.flatnonzero(np.isnan(found).all(axis=(0, 2)))}
                    assert lost == {"Head_end", "RightHand_end", "LeftHand_end", "RightToeBase_end", "LeftToeBase_end"}
