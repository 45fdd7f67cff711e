"""A folder of 21 recordings in sub-folders by label becomes a data set, a run and rows, in each of several formats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from motionprint.cli import main
from motionprint.readers import read
from motionprint.skeleton import SKELETONS
from motionprint.store import open_dataset

from .conftest import ACTIONS, bvh_text

MARKERS = """
joints = ["Hips", "Spine", "Head", "LeftArm", "LeftHand", "RightArm", "RightHand",
          "LeftUpLeg", "LeftFoot", "RightUpLeg", "RightFoot"]
parents = ["", "Hips", "Spine", "Spine", "LeftArm", "Spine", "RightArm", "Hips", "LeftUpLeg", "Hips", "RightUpLeg"]

[body_parts]
left_arm = ["LeftArm", "LeftHand"]
right_arm = ["RightArm", "RightHand"]
left_leg = ["LeftUpLeg", "LeftFoot"]
right_leg = ["RightUpLeg", "RightFoot"]
trunk = ["Hips", "Spine", "Head"]
"""


def call(*words: object) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*map(str, words), "--quiet"])
    assert stop.value.code == 0, words


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    seed = 0
    for action in ACTIONS:
        (folder / "bvh" / action).mkdir(parents=True)
        for take in range(7):
            seed += 1
            (folder / "bvh" / action / f"{take}.bvh").write_text(bvh_text(action, seed), encoding="utf-8")
    (folder / "body.toml").write_text(MARKERS, encoding="utf-8")
    return folder


def _as_mat(folder: Path) -> None:
    """20 Kinect joints of a body that moves as the recordings do: theirs where there is one, else the parent's."""
    kinect = SKELETONS["kinect20"]
    theirs = {"hip_center": "Hips", "spine": "Spine", "head": "Head", "shoulder_left": "LeftArm"}
    theirs |= {"wrist_left": "LeftHand", "shoulder_right": "RightArm", "wrist_right": "RightHand"}
    theirs |= {"hip_left": "LeftUpLeg", "ankle_left": "LeftFoot", "hip_right": "RightUpLeg", "ankle_right": "RightFoot"}
    order = [3, 2, 1, 0, *range(4, 20)]  # the file's: head, shoulder centre, spine, hip centre, ...
    for path in sorted((folder / "bvh").glob("*/*.bvh")):
        [recording] = read(path)
        frames = np.zeros((len(recording), 20, 3))
        for joint, name in enumerate(kinect.joint_names):
            place = theirs.get(name)
            if place is None:
                frames[:, joint] = frames[:, kinect.parents[joint]] + 0.01
            else:
                frames[:, joint] = recording.positions[:, recording.skeleton.joint_names.index(place)]
        target = folder / "mat" / path.parent.name / f"{path.stem}.mat"
        target.parent.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(target, {"d_skel": frames[:, order].transpose(1, 2, 0)})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bvh", "c3d", "csv", "mat"])
def test_from_files_to_accuracies(recordings: Path, tmp_path: Path, kind: str) -> None:
    options: list[object] = []
    if kind in ("c3d", "csv"):
        call("convert", recordings / "bvh", recordings / kind, "--format", kind)
        options = ["--skeleton", recordings / "body.toml"]
    elif kind == "mat":
        _as_mat(recordings)
    data, run, rows = tmp_path / "data", tmp_path / "run", tmp_path / "rows.jsonl"
    call("prepare", "folder", recordings / kind, "--out", data, *options)
    dataset = open_dataset(data)
    assert len(dataset) == 21 and sorted(set(dataset.labels)) == sorted(ACTIONS)
    assert len(dataset.skeleton) == {"bvh": 16, "c3d": 11, "csv": 11, "mat": 20}[kind]
    assert len(dataset.skeleton.body_parts) == 5
    if kind in ("c3d", "csv"):
        [original] = read(recordings / "bvh" / f"{dataset.names[0]}.bvh")
        joints = [original.skeleton.joint_names.index(name) for name in dataset.skeleton.joint_names]
        np.testing.assert_allclose(dataset[0].positions, original.positions[:, joints], atol=1e-6)
        assert dataset.fps == 30
    call("pretrain", data, "--out", run, "--steps", 2, "--protocol", "kfold:3")
    call("evaluate", run, data, "--out", rows)
    found = [json.loads(line) for line in rows.read_text().splitlines()]
    linear = {row["method"]: row["value"] for row in found if row["task"] == "linear" and row["features"] != "F"}
    assert set(linear) == {"inpainting", "random", "raw"}
    assert linear["raw"] > 0.8  # three plain movements
