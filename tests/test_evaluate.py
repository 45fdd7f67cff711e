"""Evaluation of small real runs on a small data set whose answers are known."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionprint.errors import DatasetError, SettingsError, SkeletonMismatchError
from motionprint.evaluation import clustering, evaluate, read_rows, write_rows
from motionprint.evaluation.probes import accuracy, draw_labelled, fit_probe
from motionprint.evaluation.raw import RAW_FRAMES, raw_prints
from motionprint.evaluation.rows import KEYS
from motionprint.evaluation.warping import warped_frames, warping_distances
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import MotionDataset, write_dataset
from motionprint.training import Run, pretrain

EVALUATE = importlib.import_module("motionprint.evaluation.evaluate")  # the package's own name is the function
SKELETON = SKELETONS["kinect20"]
CLASSES = ("bow", "kick", "wave")
SUBJECTS = ("s1", "s2", "s3", "s4")
TINY = {"encoder_units": 8, "decoder_units": 8, "discriminator_units": 4, "batch_size": 8}
"""A run of a second."""


def recordings() -> list[SkeletonSequence]:
    """Four subjects, three classes, two takes: another body part moves in each class."""
    random = np.random.default_rng(0)
    rest = random.normal(size=(len(SKELETON), 3)).astype(np.float32)
    made = []
    for subject in SUBJECTS:
        for number, label in enumerate(CLASSES):
            for take in range(2):
                frames = 10 + int(random.integers(8))
                positions = rest + 0.02 * random.normal(size=(frames, len(SKELETON), 3))
                swing = 0.5 * np.sin(np.linspace(0, np.pi, frames))[:, None, None]
                moving = list(SKELETON.body_parts[number])
                positions[:, moving] += swing
                made.append(
                    SkeletonSequence(
                        positions.astype(np.float32),
                        15.0,
                        SKELETON,
                        name=f"{label}_{subject}_{take}",
                        label=label,
                        subject=subject,
                    )
                )
    return made


def by_subject(sequences: list[SkeletonSequence]) -> dict[str, list[dict[str, list[str]]]]:
    """A protocol: s1 and s2 train, s3 and s4 test; and one without the training recordings of s1."""
    train = [sequence.name for sequence in sequences if sequence.subject in ("s1", "s2")]
    test = [sequence.name for sequence in sequences if sequence.subject in ("s3", "s4")]
    return {
        "cross-subject": [{"train": train, "test": test}],
        "without-s1": [{"train": [name for name in train if "s1" not in name], "test": test}],
    }


Change = Callable[[SkeletonSequence], SkeletonSequence]


def dataset(folder: Path, change: Change = lambda sequence: sequence) -> MotionDataset:
    """The recordings as a data set, each of them changed."""
    sequences = [change(sequence) for sequence in recordings()]
    return write_dataset(folder, sequences, protocols=by_subject(sequences))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> MotionDataset:
    return dataset(tmp_path_factory.mktemp("evaluate") / "data")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, data: MotionDataset) -> Run:
    """Fitted under cross-subject."""
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    return pretrain(data, folder, protocol="cross-subject", steps=3, changes=TINY, seed=5, device="cpu")


@pytest.fixture(scope="module")
def run_on_all(tmp_path_factory: pytest.TempPathFactory, data: MotionDataset) -> Run:
    return pretrain(data, tmp_path_factory.mktemp("evaluate") / "run", steps=1, changes=TINY, device="cpu")


def the(rows: list[dict[str, Any]], **keys: Any) -> dict[str, Any]:
    """The only row with these values."""
    found = [row for row in rows if all(row[key] == value for key, value in keys.items())]
    assert len(found) == 1, f"{len(found)} rows with {keys}"
    return found[0]


PER_PRINT = [(task, "accuracy") for task in ("linear", "knn1", "knn5")]
PER_PRINT += [("retrieval", metric) for metric in ("map", "precision10")]
PER_PRINT += [(task, metric) for task in ("ward", "kmeans") for metric in ("acc", "nmi")]
INPAINT = [(task, unit) for task in ("inpaint_hidden", "inpaint_all") for unit in ("rmse_scaled", "rmse_cm")]


def test_all_rows_of_a_run_stand_beside_those_of_an_untrained_encoder_and_of_raw_coordinates(data, run):
    rows = evaluate(run, data, features=("states", "F"), command="the command")
    expected = [("inpainting", "F", kind, *task) for kind in ("states", "F") for task in PER_PRINT]
    expected += [("random", None, kind, *task) for kind in ("states", "F") for task in PER_PRINT]
    expected += [("raw", None, None, *task) for task in PER_PRINT]
    expected += [("inpainting", how, None, *task) for how in ("F", "zeroed", "shuffled") for task in INPAINT]
    expected += [("first_frame", None, None, *task) for task in INPAINT]
    keys = ("method", "condition", "features", "task", "metric")
    assert [tuple(row[key] for key in keys) for row in rows] == expected
    for row in rows:
        assert list(row) == list(KEYS)
        shared = {
            "protocol": "cross-subject",
            "fold": 0,
            "sampling": 0,
            "labels_per_class": None,
            "seed": 5,
            "n_train": 12,
            "n_test": 12,
            "duplicates": 0,
            "transductive": False,
            "command": "the command",
            "device": "cpu",
        }
        assert {key: row[key] for key in shared} == shared
        assert row["dataset"] == data.name
        assert row["recipe"]["alignment"] == "heading"
        assert row["recipe"]["max_length"] == 35
        assert row["recipe"]["fps"] == 15.0
        assert (row["recipe"]["scaling"], row["recipe"]["scale"]) == ("set", run.recipe.scale)
        assert row["seconds"] >= 0
        if row["metric"] in ("accuracy", "map", "precision10", "acc", "nmi"):
            assert 0 <= row["value"] <= 1
    settings = {(row["method"], row["preset"], row["loss"], row["steps"]) for row in rows}
    without = {("raw", None, None, None), ("first_frame", None, None, None)}
    assert settings == {("inpainting", "small", "joint", 3), ("random", "small", None, 0), *without}
    for row in rows:
        assert row["fitted_on"] == {"dataset": row["dataset"], "protocol": "cross-subject", "fold": 0}
        if row["method"] == "inpainting":
            assert row["changes"]["encoder_units"] == run.config["settings"]["encoder_units"] != 128
            assert row["model"] == run.model_hash


def test_raw_coordinates_of_classes_that_move_other_parts_are_told_apart(data, run):
    rows = evaluate(run, data)
    assert {the(rows, method="raw", task=task)["value"] for task in ("linear", "knn1", "knn5")} == {1.0}
    assert the(rows, method="raw", task="ward", metric="acc")["value"] == 1.0
    assert the(rows, method="raw", task="retrieval", metric="map")["value"] > 0.9


def test_a_scale_of_each_recordings_own_is_said_in_every_row(tmp_path, data):
    changes = TINY | {"scaling": "axes"}
    run = pretrain(data, tmp_path / "run", protocol="cross-subject", steps=1, changes=changes, device="cpu")
    rows = evaluate(run, data)
    assert {(row["recipe"]["scaling"], row["recipe"]["scale"]) for row in rows} == {("axes", None)}


def test_dynamic_time_warping_is_judged_on_request_with_all_labels_and_with_few(data, run):
    rows = evaluate(run, data, labels_per_class=(1, "all"), samplings=3, baselines=False, dtw=True)
    found = [row for row in rows if row["method"] == "dtw"]
    assert [(row["labels_per_class"], row["sampling"], row["n_train"]) for row in found] == [
        (1, 0, 3),
        (1, 1, 3),
        (1, 2, 3),
        (None, 0, 12),
    ]
    for row in found:
        assert (row["task"], row["metric"], row["n_test"], row["seed"]) == ("knn1", "accuracy", 12, 5)
        nothing = ("features", "preset", "loss", "condition", "steps", "changes", "model")
        assert {row[key] for key in nothing} == {None}
    train, test = (
        data.subset([i for i, s in enumerate(data.subjects) if s in half]) for half in (("s1", "s2"), ("s3", "s4"))
    )
    compared = [warped_frames(run.recipe, half) for half in (test, train)]
    distances = np.concatenate(list(warping_distances(*compared)))
    for row in found:
        drawn = np.arange(12)
        if row["labels_per_class"]:
            drawn = draw_labelled(train.names, np.array(train.labels), 1, row["sampling"])
        nearest = [train.labels[drawn[each]] for each in distances[:, drawn].argmin(axis=1)]
        assert row["value"] == np.mean(np.array(nearest) == test.labels)
    assert not [row for row in evaluate(run, data) if row["method"] == "dtw"]


def test_dynamic_time_warping_without_its_package_is_refused_before_anything_is_encoded(data, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "dtaidistance", None)
    calls: list[str] = []
    with pytest.raises(SettingsError, match="needs the package dtaidistance: pip install dtaidistance"):
        evaluate(run, data, dtw=True, report=lambda done, total, text: calls.append(text))
    assert not calls


def test_shuffled_labels_are_found_by_chance(tmp_path, run):
    values = []
    for seed in range(8):
        random = np.random.default_rng(seed)
        shuffled = dataset(
            tmp_path / str(seed), lambda sequence, random=random: replace(sequence, label=str(random.choice(CLASSES)))
        )
        rows = evaluate(run, shuffled, baselines=False)
        values += [row["value"] for row in rows if row["metric"] == "accuracy"]
    assert abs(np.mean(values) - 1 / 3) < 0.15  # 96 independent answers: three standard errors


def test_rows_are_written_and_read(tmp_path, data, run):
    rows = evaluate(run, data)
    write_rows(rows, tmp_path / "rows.jsonl")
    assert read_rows(tmp_path / "rows.jsonl") == rows


def test_a_few_labels_are_the_same_for_every_method_and_give_what_a_probe_on_them_gives(data, run):
    rows = evaluate(run, data, features=("states", "both"), labels_per_class=(1, 9), samplings=3)
    assert {(row["task"], row["metric"]) for row in rows} == set(PER_PRINT[:3])
    assert len(rows) == 5 * 3 * 2 * 3  # kinds of prints, probes, numbers of labels, samplings
    assert {(row["labels_per_class"], row["n_train"], row["n_test"]) for row in rows} == {(1, 3, 12), (9, 12, 12)}
    train, test = (
        data.subset([i for i, s in enumerate(data.subjects) if s in half]) for half in (("s1", "s2"), ("s3", "s4"))
    )
    prints = raw_prints(run.recipe, train)
    labels = np.array(train.labels)
    for sampling in range(3):
        drawn = draw_labelled(train.names, labels, 1, sampling)
        expected = accuracy(
            fit_probe("linear", prints[drawn], labels[drawn]), raw_prints(run.recipe, test), test.labels
        )
        row = the(rows, method="raw", task="linear", labels_per_class=1, sampling=sampling)
        assert row["value"] == expected


def test_few_and_all_labels_come_in_one_call(data, run):
    rows = evaluate(run, data, labels_per_class=(2, "all"), samplings=2, baselines=False)
    found = [(row["labels_per_class"], row["sampling"]) for row in rows if row["task"] == "linear"]
    assert found == [(2, 0), (2, 1), (None, 0)]
    assert {row["task"] for row in rows if row["labels_per_class"] is None} >= {"ward", "kmeans", "inpaint_hidden"}
    assert {row["method"] for row in rows} == {"inpainting"}


def test_a_run_trained_without_f_is_tested_without_it(tmp_path, data):
    changes = TINY | {"condition": "none", "adversary": "none"}
    run = pretrain(data, tmp_path / "run", protocol="cross-subject", steps=1, changes=changes, device="cpu")
    rows = evaluate(run, data, baselines=False)
    assert {(row["condition"], row["loss"]) for row in rows} == {("none", "elementwise")}
    assert [(row["task"], row["metric"]) for row in rows][-4:] == INPAINT


def test_what_is_fitted_never_sees_a_test_recording(tmp_path, data, run, monkeypatch):
    """Other test recordings, the same training: every scaler, classifier and neighbour is the same, bit for bit."""

    def other(sequence: SkeletonSequence) -> SkeletonSequence:
        if sequence.subject not in ("s3", "s4"):
            return sequence
        longer = np.concatenate([sequence.positions * 3, sequence.positions[::-1] + 1])
        return replace(sequence, positions=longer, label=CLASSES[0])

    fitted: list[list[Any]] = []

    def spy(task: str, prints: np.ndarray, labels: np.ndarray) -> Any:
        probe = fit_probe(task, prints, labels)
        weights = [probe.model.coef_, probe.model.intercept_] if task == "linear" else [probe.directions, probe.labels]
        fitted.append([probe.scaler.mean, probe.scaler.scale, *weights])
        return probe

    monkeypatch.setattr(EVALUATE, "fit_probe", spy)
    evaluate(run, data, labels_per_class=(1, "all"), samplings=2)
    before = fitted.copy()
    fitted.clear()
    rows = evaluate(run, dataset(tmp_path / "other", other), labels_per_class=(1, "all"), samplings=2)
    assert len(before) == len(fitted) == 3 * 3 * 3
    for one, two in zip(before, fitted, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)
    assert not [row for row in rows if row["task"] in ("ward", "kmeans")]  # its test recordings are of one class


def test_a_run_fitted_on_test_recordings_is_refused_with_their_number_and_a_remedy(data, run_on_all):
    message = (
        r"was fitted on 12 of the 12 test recordings of cross-subject, fold 0 "
        r"\(bow_s3_0, bow_s3_1, kick_s3_0, \.\.\.\): "
        r"pretrain with --protocol cross-subject --fold 0, or say --transductive"
    )
    with pytest.raises(DatasetError, match=message):
        evaluate(run_on_all, data, protocol="cross-subject")
    with pytest.raises(DatasetError, match=r"12 of the 12 test recordings of subjects:s1,s2"):
        evaluate(run_on_all, data, protocol="subjects:s1,s2")


def test_transductive_rows_say_so_and_others_do_not(data, run, run_on_all):
    rows = evaluate(run_on_all, data, protocol="cross-subject", transductive=True)
    assert {row["transductive"] for row in rows} == {True}
    rows = evaluate(run, data, transductive=True, baselines=False)
    assert {row["transductive"] for row in rows} == {False}  # allowed, but nothing was seen


def test_the_guard_goes_by_content_not_by_name(tmp_path, run_on_all):
    renamed = dataset(tmp_path / "renamed", lambda sequence: replace(sequence, name="x" + sequence.name))
    with pytest.raises(
        DatasetError, match=r"fitted on 12 of the 12 test recordings of cross-subject, fold 0 \(xbow_s3_0"
    ):
        evaluate(run_on_all, renamed, protocol="cross-subject")


@pytest.fixture(scope="module")
def with_copies(tmp_path_factory: pytest.TempPathFactory) -> MotionDataset:
    """Two test recordings equal one of s1's each; the protocol `without-s1` leaves s1 out of training."""
    originals = {sequence.name: sequence for sequence in recordings()}

    def change(sequence: SkeletonSequence) -> SkeletonSequence:
        if sequence.name in ("bow_s3_0", "wave_s4_1"):
            return replace(
                sequence, positions=originals[sequence.name.replace("s3", "s1").replace("s4", "s1")].positions
            )
        return sequence

    return dataset(tmp_path_factory.mktemp("copies") / "data", change)


def test_copies_within_a_protocols_own_training_set_are_counted_and_not_refused(tmp_path, with_copies):
    run = pretrain(with_copies, tmp_path / "run", protocol="cross-subject", steps=1, changes=TINY, device="cpu")
    rows = evaluate(run, with_copies)
    assert {(row["duplicates"], row["transductive"]) for row in rows} == {(2, False)}
    with pytest.raises(
        DatasetError, match=r"2 of the 12 test recordings of without-s1, fold 0 \(bow_s3_0, wave_s4_1\)"
    ):
        evaluate(run, with_copies, protocol="without-s1")
    rows = evaluate(run, with_copies, protocol="without-s1", transductive=True, baselines=False)
    assert {(row["duplicates"], row["transductive"], row["n_train"]) for row in rows} == {(0, True, 6)}


def test_a_run_fitted_without_the_copies_is_judged_under_both_protocols(tmp_path, with_copies):
    run = pretrain(with_copies, tmp_path / "run", protocol="without-s1", steps=1, changes=TINY, device="cpu")
    for protocol, duplicates in (("without-s1", 0), ("cross-subject", 2)):
        rows = evaluate(run, with_copies, protocol=protocol, baselines=False)
        assert {(row["protocol"], row["duplicates"], row["transductive"]) for row in rows} == {
            (protocol, duplicates, False)
        }


def test_a_run_fitted_on_everything_needs_a_protocol(data, run_on_all):
    message = r"was fitted on everything and has no protocol of its own: give one of cross-subject, without-s1, kfold:K"
    with pytest.raises(SettingsError, match=message):
        evaluate(run_on_all, data)


def test_protocol_and_fold_come_from_the_run(tmp_path, data):
    run = pretrain(data, tmp_path / "run", protocol="kfold:4", fold=2, steps=1, changes=TINY, device="cpu")
    rows = evaluate(run, data, baselines=False)
    assert {(row["protocol"], row["fold"], row["n_train"], row["n_test"]) for row in rows} == {("kfold:4", 2, 18, 6)}
    assert evaluate(run, data, protocol="kfold:4", baselines=False)[0]["fold"] == 2
    with pytest.raises(DatasetError, match=r"was fitted on 6 of the 6 test recordings of kfold:4, fold 0"):
        evaluate(run, data, fold=0)


def test_an_unknown_protocol_is_answered_with_the_known_ones(data, run):
    with pytest.raises(DatasetError, match=r"unknown protocol 'cross-moon': expected one of cross-subject, without-s1"):
        evaluate(run, data, protocol="cross-moon")


def test_another_skeleton_is_refused_naming_the_joints(tmp_path, run):
    other = SKELETONS["cmu31"]
    sequences = [
        SkeletonSequence(np.ones((5, len(other), 3), np.float32), 15.0, other, name=f"r{i}", label="a")
        for i in range(4)
    ]
    with pytest.raises(SkeletonMismatchError, match=other.joint_names[1]):
        evaluate(run, write_dataset(tmp_path / "data", sequences), protocol="kfold:2")


def test_a_data_set_without_labels_is_refused(tmp_path, run):
    unlabelled = dataset(tmp_path / "data", lambda sequence: replace(sequence, label=None))
    with pytest.raises(DatasetError, match=r"expected labels to evaluate with, found none on 24 recordings"):
        evaluate(run, unlabelled)


@pytest.mark.parametrize(("half", "which"), [(("s1", "s2"), "training"), (("s3", "s4"), "test")])
def test_a_half_without_labels_is_refused(tmp_path, run, half, which):
    partly = dataset(tmp_path / "data", lambda s: replace(s, label=None) if s.subject in half else s)
    with pytest.raises(DatasetError, match=rf"cross-subject, fold 0: {which} recordings: expected labels, found none"):
        evaluate(run, partly)


def test_one_class_to_train_on_is_refused(tmp_path, run):
    alike = dataset(tmp_path / "data", lambda s: replace(s, label="walk") if s.subject in ("s1", "s2") else s)
    message = r"cross-subject, fold 0: expected at least two classes among the training recordings, found only 'walk'"
    with pytest.raises(DatasetError, match=message):
        evaluate(run, alike)


def test_recordings_without_a_label_are_judged_by_inpainting_alone(tmp_path, run):
    partly = dataset(tmp_path / "data", lambda s: replace(s, label=None) if s.name.endswith("1") else s)
    rows = evaluate(run, partly)
    counts = {(row["task"].startswith("inpaint"), row["n_train"], row["n_test"]) for row in rows}
    assert counts == {(False, 6, 6), (True, 12, 12)}


def test_ward_is_left_out_where_it_would_compare_too_many_pairs(data, run, monkeypatch):
    monkeypatch.setattr(EVALUATE, "WARD_LIMIT", 11)
    tasks = {row["task"] for row in evaluate(run, data, baselines=False)}
    assert "ward" not in tasks
    assert "kmeans" in tasks
    assert clustering.WARD_LIMIT > 10_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": ("G",)}, "unknown features 'G': expected among states, F, both"),
        ({"features": "states"}, "expected a list of features, found 'states'"),
        ({"features": ()}, r"expected a list of features, found \(\)"),
        ({"labels_per_class": (0,)}, "expected labels_per_class of 1 or more, or 'all', found 0"),
        ({"labels_per_class": ("few",)}, "expected labels_per_class of 1 or more, or 'all', found 'few'"),
        ({"labels_per_class": (True,)}, "expected labels_per_class of 1 or more, or 'all', found True"),
        ({"samplings": 0}, "expected at least 1 sampling, found 0"),
    ],
)
def test_options_that_cannot_be_are_refused(data, run, options, message):
    with pytest.raises(SettingsError, match=message):
        evaluate(run, data, **options)


def test_progress_only_grows_and_ends_whole(data, run):
    calls: list[tuple[int, int | None, str]] = []
    evaluate(run, data, report=lambda done, total, text: calls.append((done, total, text)))
    done = [call[0] for call in calls]
    assert done == sorted(done)
    assert len({call[1] for call in calls}) == 1
    assert calls[-1][0] == calls[-1][1]
    assert done[-2] < done[-1]
    assert calls[0][2] == "inpainting states: encoding 24 recordings"


def test_evaluation_repeats_itself(data, run):
    values = [[row["value"] for row in evaluate(run, data)] for _ in range(2)]
    assert values[0] == values[1]


def test_raw_prints_are_sixteen_moments_of_what_the_model_reads(run):
    sequence = recordings()[0]
    frames = np.repeat(sequence.positions[:1], 31, axis=0)
    joint = 5
    frames[:, joint, 1] = np.linspace(0.0, 0.3, 31)  # one joint rises evenly, from the root's height
    frames[:, :, 1] -= frames[:, SKELETON.root, 1][:, None] if joint != SKELETON.root else 0
    prints = raw_prints(run.recipe, [replace(sequence, positions=frames)] * 2)
    assert prints.shape == (2, RAW_FRAMES * 3 * len(SKELETON))
    assert prints.dtype == np.float32
    heights = prints[0].reshape(RAW_FRAMES, len(SKELETON), 3)[:, joint, 1]
    np.testing.assert_allclose(np.diff(heights), 0.3 / 15 / run.recipe.scale, rtol=1e-4)
    assert raw_prints(run.recipe, []).shape == (0, prints.shape[1])
