"""The readers on real recordings: every known quirk, two formats of the same motion against each other."""

from __future__ import annotations

import numpy as np
import pytest

from motionprint.readers import ReadSettings, Source, motion_names, read, read_from
from motionprint.skeleton import SKELETONS

# A BVH joint lies where the ASF's bone before it ends.
SAME_PLACE = {
    "root": "Hips", "lhipjoint": "LeftUpLeg", "lfemur": "LeftLeg", "ltibia": "LeftFoot", "lfoot": "LeftToeBase",
    "ltoes": "LeftToeBase_end", "rhipjoint": "RightUpLeg", "rfemur": "RightLeg", "rtibia": "RightFoot",
    "rfoot": "RightToeBase", "rtoes": "RightToeBase_end", "lowerback": "Spine", "upperback": "Spine1",
}  # fmt: skip
# The conversion gives the thorax no length: what hangs on it agrees with itself, not with the rest of the body.
SAME_SHAPE = {
    "thorax": "LeftShoulder", "lclavicle": "LeftArm", "lhumerus": "LeftForeArm", "lradius": "LeftHand",
    "rclavicle": "RightArm", "rhumerus": "RightForeArm", "rradius": "RightHand", "lowerneck": "Neck1",
    "upperneck": "Head", "head": "Head_end",
}  # fmt: skip


def _joints(sequence, names):
    return sequence.positions[:, [sequence.skeleton.joint_names.index(name) for name in names]].astype(np.float64)


def _bone_changes(sequence):
    """By how many metres each bone's length changes over the recording."""
    children = [joint for joint, parent in enumerate(sequence.skeleton.parents) if parent != -1]
    parents = [sequence.skeleton.parents[joint] for joint in children]
    lengths = np.linalg.norm(sequence.positions[:, children] - sequence.positions[:, parents], axis=-1)
    return lengths.max(axis=0) - lengths.min(axis=0)


def _tallest(sequence):
    """The largest distance, over the frames, from the lowest to the highest joint."""
    heights = sequence.positions[..., 1]
    return float((heights.max(axis=1) - heights.min(axis=1)).max())


@pytest.mark.parametrize("trial", range(1, 11))
def test_cmu_as_bvh_and_as_asf_amc_is_the_same_motion(shared_datasets, trial):
    [amc] = read(shared_datasets / "cmu_asfamc_120fps.zip" / f"subjects/02/02_{trial:02d}.amc")
    [bvh] = read(shared_datasets / "cmu_bvh_120fps_subject_02.zip" / f"02/02_{trial:02d}.bvh", unit="cmu")
    assert amc.fps == bvh.fps == 120
    assert len(bvh) == len(amc) + 1  # a T-pose comes first
    ours, theirs = _joints(amc, SAME_PLACE), _joints(bvh, SAME_PLACE.values())[1:]
    path, other = ours[:, 0] - ours[:, 0].mean(axis=0), theirs[:, 0] - theirs[:, 0].mean(axis=0)
    assert (path * other).sum() / (other**2).sum() == pytest.approx(1.0, abs=1e-5)  # one scale
    np.testing.assert_allclose(ours, theirs, atol=1e-4)  # m
    ours, theirs = _joints(amc, SAME_SHAPE), _joints(bvh, SAME_SHAPE.values())[1:]
    np.testing.assert_allclose((ours - ours[:, :1])[:, 1:7], (theirs - theirs[:, :1])[:, 1:7], atol=1e-4)
    np.testing.assert_allclose((ours - ours[:, :1])[:, 7:], (theirs - theirs[:, :1])[:, 7:], atol=1e-4)


def test_hdm05(shared_datasets):
    with Source.open(shared_datasets / "hdm05_11classes.zip") as source:
        names = list(motion_names(source))
        assert len(names) == 288
        assert [name for name in names if name.endswith(".AMC")] == [
            "sneak2StepsLStart/HDM_bk_sneak2StepsLStart_006_120.AMC"
        ]
        some = [*names[::12], *(name for name in names if name.endswith(".AMC"))]
        sequences = [sequence for name in some for sequence in read_from(source, name)]
    for sequence in sequences:
        assert sequence.skeleton.joint_names == SKELETONS["cmu31"].joint_names
        assert sequence.skeleton.parents == SKELETONS["cmu31"].parents
        assert sequence.fps == 120
        assert _bone_changes(sequence).max() < 1e-5
        assert 1.4 < _tallest(sequence) < 2.3  # arms may be raised
        assert -0.2 < sequence.positions[..., 1].min() < 0.3  # the floor is at zero


def test_berkeley_mhad(shared_datasets):
    with Source.open(shared_datasets / "berkeley_mhad_30fps.zip") as source:
        names = [name for name in motion_names(source) if "_a" in name]
        assert len(names) == 498
        sequences = [sequence for name in names[::20] for sequence in read_from(source, name)]
    for sequence in sequences:
        assert sequence.skeleton.joint_names == SKELETONS["mhad35"].joint_names
        assert sequence.skeleton.parents == SKELETONS["mhad35"].parents
        assert sequence.fps == 30
        assert _bone_changes(sequence).max() < 1e-5
        assert 1.3 < _tallest(sequence) < 2.3
        assert -0.3 < sequence.positions[..., 1].min() < 0.3  # so the root's OFFSET (up to 1 m) is not in it


def test_nw_ucla(shared_datasets):
    with Source.open(shared_datasets / "nw_ucla.zip") as source:
        names = list(motion_names(source))
        assert len(names) == 1484
        lengths = {
            name: len(read_from(source, f"all_sqe/{name}.json")[0]) for name in ("a02_s09_e04_v02", "a02_s09_e04_v03")
        }
        assert lengths == {"a02_s09_e04_v02": 1, "a02_s09_e04_v03": 1}
        missing = [int(np.isnan(read_from(source, name)[0].positions).sum()) for name in names if "/a04_" in name]
        assert sorted(missing)[-3:] == [0, 18, 18]  # two files of a04 have joints at (0, 0, 0), six each
        sequences = [read_from(source, name)[0] for name in names[::50]]
    assert {sequence.fps for sequence in sequences} == {15.0}
    assert 1.3 < np.median([_tallest(sequence) for sequence in sequences]) < 2.0


def test_cmu_01_01_has_thousands_of_exponents_none_of_them_misread(shared_datasets):
    [sequence] = read(shared_datasets / "cmu_asfamc_120fps.zip" / "subjects/01/01_01.amc")
    assert sequence.positions.shape == (2751, 31, 3)
    assert _bone_changes(sequence).max() < 1e-5
    steps = np.linalg.norm(np.diff(sequence.positions, axis=0), axis=-1)
    assert steps.max() < 0.2  # m a frame: a misread angle would throw a limb across the body


def test_thinned_cmu_with_renumbered_frames(shared_datasets):
    [thin] = read(shared_datasets / "cmu_asfamc_30fps.zip" / "subjects/02/02_01.amc", fps=30)
    [full] = read(shared_datasets / "cmu_asfamc_120fps.zip" / "subjects/02/02_01.amc")
    assert thin.fps == 30
    np.testing.assert_allclose(thin.positions, full.positions[::4], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "shape", "fps", "height"),
    [
        ("cmu_12_01_walk", (524, 38, 3), 120, None),
        ("freebvh", (69, 70, 3), 30, (1.5, 1.9)),
        ("Geno_bind", (2, 96, 3), 60, (1.5, 1.9)),  # six channels at every joint, equal to the OFFSETs
        ("mocapbank", (455, 24, 3), 30, (1.5, 1.9)),
        ("rotation_first_root", (4, 6, 3), 25, None),
        ("walk01", (101, 24, 3), 24, (1.5, 2.0)),
    ],
)
def test_bvh_of_several_tools(shared_datasets, name, shape, fps, height):
    [sequence] = read(shared_datasets / "formats.zip" / f"bvh/{name}.bvh")
    assert sequence.positions.shape == shape
    assert sequence.fps == fps
    assert _bone_changes(sequence).max() < 1e-4
    if height:
        assert height[0] < _tallest(sequence) < height[1]


def test_msr_action3d(shared_datasets):
    with Source.open(shared_datasets / "msr_action3d.zip") as source:
        names = list(motion_names(source))
        assert len(names) == 567
        zeros, heights, energy = {}, [], []
        for name in names:
            positions = read_from(source, name)[0].positions
            missing = np.isnan(positions).all(axis=-1)
            assert (missing.all(axis=1) == missing.any(axis=1)).all()  # whole frames, no single joints
            if missing.any():
                zeros[name[:11]] = int(missing.all(axis=1).sum())
            else:
                heights.append(np.ptp(positions[..., 1], axis=1).max())
            if name.startswith(("a01", "a02", "a05")):  # who is asked to use one arm uses the right one
                steps = np.nansum(np.diff(positions, axis=0) ** 2, axis=(0, 2))
                energy.append(
                    steps[[SKELETONS["kinect20"].joint_names.index(f"hand_{side}") for side in ("left", "right")]]
                )
    assert len(zeros) == 20 and zeros["a13_s09_e02"] == 38 and zeros["a13_s09_e03"] == 740
    assert 1.4 < np.median(heights) < 2.1
    left, right = np.mean(energy, axis=0)
    assert right > 5 * left


def test_sbu(shared_datasets):
    with Source.open(shared_datasets / "sbu_interaction.zip") as source:
        names = list(motion_names(source))
        assert len(names) == 282
        persons = [person for name in names[::10] for person in read_from(source, name)]
    bones = [joint for joint, parent in enumerate(SKELETONS["sbu15"].parents) if parent != -1]
    above = [SKELETONS["sbu15"].parents[joint] for joint in bones]
    varies, heights = [], []
    for person in persons:
        lengths = np.linalg.norm(person.positions[:, bones] - person.positions[:, above], axis=-1)
        varies.append(np.median(lengths.std(axis=0) / lengths.mean(axis=0)))
        heights.append(np.ptp(person.positions[..., 1], axis=1).max())
    assert np.median(varies) < 0.015  # so it is space, not the image: see the reader
    assert 1.2 < np.median(heights) < 2.0


def test_ntu_rgbd(shared_datasets):
    with Source.open(shared_datasets / "ntu_rgbd_samples.zip") as source:
        names = list(motion_names(source))
        bodies = {name: read_from(source, name) for name in names}
    assert len(names) == 12
    assert sorted(len(found) for found in bodies.values()) == [1] * 10 + [2] * 2
    assert {len(found[0]) for found in bodies.values()} >= {103, 158, 104, 99, 54, 82}
    standing = [_tallest(found[0]) for found in bodies.values()]
    assert min(standing) > 1.0 and max(standing) < 2.0
    for [first, *_] in bodies.values():
        lengths = np.linalg.norm(first.positions[:, 5] - first.positions[:, 4], axis=-1)
        assert 0.15 < np.median(lengths) < 0.35  # m, an upper arm


def test_mhad_16_joints(shared_datasets):
    with Source.open(shared_datasets / "berkeley_mhad_16joints.zip") as source:
        names = list(motion_names(source))
        assert len(names) == 1318
        optical = [read_from(source, name)[0] for name in names if name.startswith("Mocap/")][::60]
        depth = [read_from(source, name, ReadSettings(up="z"))[0] for name in names if name.startswith("D-")][::60]
    for sequence in (*optical, *depth):
        assert sequence.skeleton is SKELETONS["mhad16"] and sequence.fps == 30
        assert 1.0 < _tallest(sequence) < 2.3
        # no mirror image: who faces forward (toes) has the left hip to the left
        names = sequence.skeleton.joint_names
        at = {name: sequence.positions[:, number].astype(float) for number, name in enumerate(names)}
        forward = at["LeftToeBase"] - at["LeftFoot"] + at["RightToeBase"] - at["RightFoot"]
        left = np.cross(at["Neck"] - at["Hips"], forward)
        assert np.mean((left * (at["LeftUpLeg"] - at["RightUpLeg"])).sum(axis=-1) > 0) > 0.7
    floor = [sequence.positions[..., 1].min() for sequence in optical]
    assert -0.1 < np.median(floor) < 0.15
