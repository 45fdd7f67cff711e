"""The model that comes with motionprint: it is found by name, takes any rig, and is small."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import motionprint as mp
from motionprint.cli import main
from motionprint.corpora.synthetic import _perform
from motionprint.errors import CheckpointError, SkeletonMismatchError
from motionprint.evaluation import embed, encode, evaluate
from motionprint.evaluation.prints import read_prints
from motionprint.rigs import map_to
from motionprint.skeleton import SKELETONS
from motionprint.store import write_dataset
from motionprint.training import load_run, save_run, train
from motionprint.training.run import SHIPPED, run_folder
from motionprint.writers import write

NAME = "motionprint:cmu-small"
RIGS = ("cmu31", "kinect20", "openpose25")
ACTIONS = ("walk", "wave", "squat", "kick", "jump")


@pytest.fixture(scope="module")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same five recordings as BVH of three rigs, which differ in names, order and number of joints."""
    folder = tmp_path_factory.mktemp("rigs")
    for action in ACTIONS:
        recording = replace(_perform(3, action, 6, 1), name=action)
        for rig in RIGS:
            mapped = map_to(recording, SKELETONS[rig], allow_missing=True)
            there = ~np.isnan(mapped.positions).any(axis=(0, 2))
            write(_only(mapped, there), folder / f"{action}_{rig}.bvh")
    return folder


def _only(sequence: mp.SkeletonSequence, joints: np.ndarray) -> mp.SkeletonSequence:
    """The recording without joints that it lacks, whose children hang on their parents: BVH has no missing values."""
    skeleton = sequence.skeleton
    kept = list(np.flatnonzero(joints))

    def above(joint: int) -> int:
        return next((kept.index(each) for each in skeleton.ancestors(joint) if each in kept), -1)

    parents = [above(joint) for joint in kept]
    smaller = mp.Skeleton.from_tree([skeleton.joint_names[joint] for joint in kept], parents)
    return replace(sequence, positions=sequence.positions[:, kept], skeleton=smaller)


def test_every_shipped_model_has_what_it_needs_and_no_more() -> None:
    models = Path(mp.__file__).parent / "models"
    assert sorted(path.name for path in models.iterdir()) == sorted(SHIPPED)
    for name in SHIPPED:
        folder = run_folder(f"motionprint:{name}")
        assert sorted(path.name for path in folder.iterdir()) == [
            "README.md",
            "config.json",
            "log.csv",
            "model.safetensors",
        ]
        assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
        card = (folder / "README.md").read_text(encoding="utf-8")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for word in ("mocap.cs.cmu.edu", "EIA-0196217", "not good for", config["command"], config["versions"]["torch"]):
            assert word in card
        assert card == (Path(__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_card_says_what_the_rows_say() -> None:
    """Five lines a data set: the model, its networks untrained, raw; a model of the set itself, raw with all joints."""
    repository = Path(__file__).parents[1]
    text = (repository / "benchmarks" / "figures" / "cmu-small.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    card = (repository / "docs" / "models.md").read_text(encoding="utf-8")
    lines = [line for line in card.splitlines() if re.search(r"\| \d+\.\d \| \d+\.\d \| \d+\.\d \|$", line)]
    assert len(lines) == 15 and len(rows) == 3 * 6 * 3
    own = {"linear": "accuracy", "knn1": "accuracy", "retrieval": "map"}
    for number, dataset in enumerate(("nw_ucla", "msr_action3d", "mhad_dmocap")):
        for line, (shipped, method) in zip(
            lines[5 * number :],
            ((True, "inpainting"), (True, "random"), (True, "raw"), (False, "inpainting"), (False, "raw")),
            strict=False,
        ):
            found = [float(cell) for cell in line.split("|")[3:6]]
            for task, printed in zip(own, found, strict=True):
                [row] = [
                    row
                    for row in rows
                    if (row["dataset"], row["method"], row["task"]) == (dataset, method, task)
                    and row["metric"] == own[task]
                    and (row["fitted_on"]["dataset"] == "cmu+synthetic") == shipped
                ]
                assert round(100 * row["value"], 1) == printed
                assert "motionprint:cmu-small" in row["command"] or not shipped
                assert not row["commit"].endswith("-dirty")


def test_it_is_loaded_by_name_wherever_a_run_is() -> None:
    run = load_run(NAME)
    assert run.shipped and run.folder is not None and run.folder.name == "cmu-small"
    assert run.skeleton == SKELETONS["body14"] and run.steps == run.config["training"]["steps"]
    recording = map_to(_perform(0, "wave", 6, 1), run.skeleton)
    encoder = mp.MotionEncoder.load(NAME)
    np.testing.assert_array_equal(encoder.transform([recording]), encode(run, [recording]))


def test_an_unknown_model_is_answered_with_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match=r"^motionprint:big: expected .*, one of motionprint:cmu-small, found no"):
        load_run("motionprint:big")
    assert run_folder(tmp_path / "motionprint:big") == tmp_path / "motionprint:big"  # a path is a path
    monkeypatch.chdir(tmp_path)
    save_run(load_run(NAME), tmp_path / "copy")
    assert not load_run("copy").shipped


def test_bvh_of_three_rigs_give_prints_that_know_the_motion(
    rigs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["embed", NAME, str(rigs), "--out", str(tmp_path / "prints.parquet")])
    assert stop.value.code == 0
    told = capsys.readouterr()
    assert "15 prints of 256 values, of 15 recordings" in told.out
    assert "15 recordings of other rigs were brought onto the 14 joints of body14" in told.err
    table, prints, _ = read_prints(tmp_path / "prints.parquet")
    assert np.isfinite(prints).all()
    actions = np.array([name.split("_")[0] for name in table["name"]])
    own_rig = np.array([name.split("_")[1] for name in table["name"]])
    standard = (prints - prints.mean(axis=0)) / (prints.std(axis=0) + 1e-8)
    standard /= np.linalg.norm(standard, axis=1, keepdims=True)
    likeness = standard @ standard.T
    likeness[own_rig[:, None] == own_rig] = -np.inf  # of another rig
    assert (actions[likeness.argmax(axis=1)] == actions).all()


def test_the_unit_of_a_file_does_not_matter(rigs: Path) -> None:
    run = load_run(NAME)
    [walk] = mp.read(rigs / "walk_cmu31.bvh")
    walk = map_to(walk, run.skeleton)
    inches = replace(walk, positions=walk.positions / np.float32(0.0254))
    np.testing.assert_allclose(encode(run, [inches]), encode(run, [walk]), atol=1e-4)


def test_a_run_of_ones_own_maps_only_when_told(rigs: Path, tmp_path: Path) -> None:
    save_run(load_run(NAME), tmp_path / "copy")
    run = load_run(tmp_path / "copy")
    with pytest.raises(SkeletonMismatchError):
        embed(run, [rigs / "walk_cmu31.bvh"], tmp_path / "prints.parquet")
    done = embed(run, [rigs / "walk_cmu31.bvh"], tmp_path / "prints.parquet", map_rigs=True)
    assert (done.recordings, done.mapped) == (1, 1)


def test_a_data_set_of_other_joints_is_refused_with_what_helps(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", [replace(_perform(3, "walk", 6, 1), name="walk")])
    with pytest.raises(SkeletonMismatchError, match=r"prepare --map-to body14 \(map_to=\) brings .* the run's joints$"):
        evaluate(load_run(NAME), data)
    with pytest.raises(SkeletonMismatchError, match="prepare --map-to body14"):
        train(data, tmp_path / "run", init=load_run(NAME))


def test_info_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["info", NAME, "--json"])
    assert stop.value.code == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["joints"], facts["protocol"]) == ("run", 14, None)
    with pytest.raises(SystemExit) as stop:
        main(["info", "motionprint:big"])
    assert stop.value.code == 1
    assert "one of motionprint:cmu-small" in capsys.readouterr().err
