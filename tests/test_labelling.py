"""A few labels in, labels for the rest out: what is learned, how sure it is, what is asked next, what is refused."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import LogisticRegression

from motionprint.cli import main
from motionprint.errors import DatasetError, SettingsError, SkeletonMismatchError
from motionprint.labelling import Prints, label, read_labels, suggest
from motionprint.labelling.classifier import (
    ENOUGH,
    USUAL_TEMPERATURE,
    cross_validate,
    held_out_scores,
    learn,
    probabilities,
    temperature,
)
from motionprint.labelling.given import Given
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import MotionDataset, open_dataset, write_dataset
from motionprint.training import Run, configure, load_run, save_run, train_on

KINECT = SKELETONS["kinect20"]
TINY = {"encoder_units": 4, "decoder_units": 4, "discriminator_units": 2, "steps": 2, "batch_size": 4}
CLASSES = ("kick", "sit", "wave")
EACH = 8
"""Recordings of a class."""


def _recording(action: int, number: int) -> SkeletonSequence:
    """One of three motions that differ in which joints swing, and how they stand."""
    random = np.random.default_rng([action, number])
    time = np.arange(24)[:, None, None] / 15
    body = np.random.default_rng(7).normal(size=(len(KINECT), 3)) * 0.4
    swing = np.zeros((len(KINECT), 3))
    swing[4 * action + 4 : 4 * action + 8] = 0.5
    positions = (
        body + swing * (1 + np.sin(4 * time + random.uniform(0, 1))) + random.normal(scale=0.01, size=body.shape)
    )
    return SkeletonSequence(
        positions.astype(np.float32),
        15.0,
        KINECT,
        name=f"{CLASSES[action]}{number}",
        label=CLASSES[action] if number < 2 else None,
        subject="s",
        source=f"takes/{CLASSES[action]}{number}.json",
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> MotionDataset:
    """24 recordings of three actions, two of each with a label."""
    recordings = [_recording(action, number) for action in range(3) for number in range(EACH)]
    return write_dataset(tmp_path_factory.mktemp("labelling") / "data", recordings)


@pytest.fixture(scope="module")
def run(dataset: MotionDataset) -> Run:
    config, recipe = configure(KINECT, changes=TINY)
    return train_on(list(dataset), config, recipe, device="cpu")


@pytest.fixture(scope="module")
def run_folder(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelling") / "run"
    save_run(run, folder)
    return folder


def _blobs(each: int = 30, classes: int = 3, apart: float = 6.0, seed: int = 0) -> tuple[Any, npt.NDArray[np.intp]]:
    """Prints (N, 6) around a centre a class, and their classes."""
    random = np.random.default_rng(seed)
    truth = np.repeat(np.arange(classes), each)
    centres = random.normal(size=(classes, 6))
    centres *= apart / np.linalg.norm(centres, axis=1, keepdims=True)
    return (centres[truth] + random.normal(size=(len(truth), 6))).astype(np.float32), truth


def _few(truth: npt.NDArray[np.intp], each: int) -> npt.NDArray[np.intp]:
    """The first labels of each class; -1 for the others."""
    known = np.full(len(truth), -1, dtype=np.intp)
    for number in np.unique(truth):
        known[np.flatnonzero(truth == number)[:each]] = number
    return known


# ---- learning ----------------------------------------------------------------------------------------------------


def test_separable_classes_are_found_from_one_label_each() -> None:
    values, truth = _blobs()
    prints = Prints.of(values)
    scores = learn(prints, _few(truth, 1)).scores(prints.scaled)
    assert scores.shape == (90, 3)
    assert (scores.argmax(axis=1) == truth).all()


def test_two_classes_have_a_score_each() -> None:
    values, truth = _blobs(classes=2)
    prints = Prints.of(values)
    scores = learn(prints, _few(truth, 1)).scores(prints.scaled)
    assert scores.shape == (60, 2)
    assert (scores.argmax(axis=1) == truth).all()


def test_labels_travel_along_neighbours_where_the_labels_alone_are_wrong() -> None:
    """Two parallel strips, labelled at opposite ends: the two labels alone would cut both strips in half."""
    along = np.linspace(0, 1, 60)
    values = np.concatenate([np.column_stack([along, 0 * along]), np.column_stack([along, 0 * along + 1])])
    truth = np.repeat([0, 1], 60)
    known = np.full(120, -1)
    known[[0, 119]] = [0, 1]
    prints = Prints.of(values)
    alone = LogisticRegression().fit(prints.scaled[[0, 119]], [0, 1]).predict(prints.scaled)
    assert np.mean(alone == truth) < 0.9
    found = learn(prints, known).scores(prints.scaled).argmax(axis=1)
    assert np.mean(found == truth) > np.mean(alone == truth)


def test_held_out_labels_are_not_read() -> None:
    """Labels drawn at random for prints so long that any label could be learned by heart: found as by chance, 1/3."""
    random = np.random.default_rng(1)
    known = random.integers(3, size=90)
    prints = Prints.of(random.normal(size=(90, 200)))
    assert (learn(prints, known).scores(prints.scaled).argmax(axis=1) == known).all()  # by heart
    scores, testable = held_out_scores(prints, known, 0)
    assert len(testable) == 90
    assert np.mean(scores.argmax(axis=1) == known[testable]) < 0.5


def test_the_only_label_of_a_class_is_never_held_out() -> None:
    values, truth = _blobs()
    known = _few(truth, 4)
    known[np.flatnonzero(known == 2)[1:]] = -1
    scores, testable = held_out_scores(Prints.of(values), known, 0)
    assert sorted(known[testable]) == [0] * 4 + [1] * 4
    assert np.isfinite(scores).all()
    none, nothing = held_out_scores(Prints.of(values), _few(truth, 1), 0)
    assert none.shape == (0, 3)
    assert not len(nothing)


def test_an_accuracy_is_said_from_enough_labels_on_with_wilsons_interval() -> None:
    truth = np.zeros(ENOUGH, dtype=np.intp)
    scores = np.tile([1.0, 0.0], (ENOUGH, 1))
    scores[0] = [0, 1]
    assert cross_validate(scores[1:], truth[1:]) is None
    checked = cross_validate(scores, truth)
    assert checked is not None
    assert (checked.correct, checked.tested, checked.accuracy) == (9, 10, 0.9)
    assert cross_validate(scores, truth, single=5).accuracy == 9 / 15  # type: ignore[union-attr]
    assert (round(checked.low, 4), round(checked.high, 4)) == (0.5958, 0.9821)  # Wilson 1927, n = 10, p = 0.9


def test_temperature_makes_probabilities_true() -> None:
    """Labels drawn from softmax(scores / 3): the temperature is 3, and without any label the usual one."""
    random = np.random.default_rng(0)
    scores = random.normal(scale=6, size=(20_000, 3))
    chances = probabilities(scores, 3.0)
    truth = (random.random((20_000, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    assert temperature(scores, truth) == pytest.approx(3.0, rel=0.02)
    assert temperature(scores[:0], truth[:0]) == pytest.approx(USUAL_TEMPERATURE, rel=1e-3)
    assert np.allclose(chances.sum(axis=1), 1)


# ---- what to label next -------------------------------------------------------------------------------------------


def test_without_labels_each_group_is_suggested_once() -> None:
    values, truth = _blobs(classes=5)
    chosen = suggest(Prints.of(values), np.full(150, -1), None, 5)
    assert sorted(truth[chosen]) == [0, 1, 2, 3, 4]


def test_suggestions_go_where_no_label_is() -> None:
    values, truth = _blobs(classes=5)
    known = _few(truth, 1)
    known[truth > 2] = -1
    chosen = suggest(Prints.of(values), known, None, 2)
    assert sorted(truth[chosen]) == [3, 4]


def test_with_labels_the_doubtful_are_suggested_the_most_doubtful_first() -> None:
    values, truth = _blobs(classes=2)
    chances = np.tile([0.99, 0.01], (60, 1))
    chances[[20, 40, 50]] = [[0.5, 0.5], [0.52, 0.48], [0.6, 0.4]]
    known = _few(truth, 4)
    chosen = suggest(Prints.of(values), known, chances, 12)
    margins = chances[chosen, 0]
    assert (known[chosen] < 0).all()
    assert (np.diff(margins) >= 0).all()
    assert suggest(Prints.of(values), known, chances, 52)[:3].tolist() == [20, 40, 50]


def test_suggestions_repeat_nothing_even_among_equal_prints() -> None:
    values = np.repeat(np.eye(4, dtype=np.float32), 6, axis=0)
    for chances in (None, np.full((24, 2), 0.5)):
        known = np.full(24, -1)
        known[:8] = [0, 1] * 4
        for count in (1, 9, 20, 100):
            chosen = suggest(Prints.of(values), known, chances, count)
            assert len(set(chosen)) == len(chosen) == min(count, 16)
            assert (known[chosen] < 0).all()


def test_one_print_is_suggested() -> None:
    assert suggest(Prints.of(np.ones((1, 3), np.float32)), np.array([-1]), None, 5).tolist() == [0]


def test_suggestions_need_a_label_or_none_for_each_print() -> None:
    with pytest.raises(SettingsError, match="for each of 90 prints"):
        suggest(Prints.of(_blobs()[0]), np.zeros(3, dtype=np.intp), None, 1)


# ---- the whole ---------------------------------------------------------------------------------------------------


def test_the_rest_of_a_data_set_is_labelled(run: Run, dataset: MotionDataset) -> None:
    found = label(run, dataset)
    assert (found.given, found.predicted, found.abstained) == (6, 18, 0)
    assert found.classes == CLASSES
    assert found.cross_validated is None  # six labels are not enough
    assert [each.label for each in found.proposals] == [name for name in CLASSES for _ in range(EACH)]
    for each in found.proposals:
        assert each.given == (each.name[-1] in "01")
        assert each.confidence is not None
        if each.given:
            assert (each.confidence, each.second) == (1.0, None)
        else:
            assert each.second != each.label
            assert each.second_confidence is not None
            assert each.second_confidence <= each.confidence


def test_labels_of_a_program_count_in_place_of_the_data_sets_own(run: Run, dataset: MotionDataset) -> None:
    names = {name: "up" if name.startswith("wave") else "other" for name in dataset.names if name[-1] in "34567"}
    found = label(run, dataset, names)
    assert found.given == 15
    assert found.cross_validated is not None
    assert found.cross_validated.tested == 15
    assert {each.label for each in found.proposals if each.name.startswith("wave")} == {"up"}


def test_what_is_too_doubtful_stays_without_a_label(run: Run, dataset: MotionDataset) -> None:
    sure = label(run, dataset)
    doubt = sorted(each.confidence or 0 for each in sure.proposals if not each.given)
    found = label(run, dataset, min_confidence=(doubt[8] + doubt[9]) / 2)
    assert found.abstained == 9
    for each in found.proposals:
        assert (each.label is None) == (not each.given and (each.confidence or 0) <= doubt[8])


def test_the_order_of_the_labels_changes_nothing(run: Run, dataset: MotionDataset) -> None:
    names = {name: str(each) for name, each in zip(dataset.names, dataset.labels, strict=True) if each}
    assert label(run, dataset, dict(reversed(names.items()))) == label(run, dataset, names)


def test_without_any_label_one_of_each_action_is_suggested(run: Run, dataset: MotionDataset) -> None:
    found = label(run, dataset, {}, suggestions=3)
    assert (found.given, found.predicted, found.abstained) == (0, 0, 24)
    assert sorted(name[:-1] for name in found.suggested) == list(CLASSES)
    one = label(run, dataset, {"kick0": "kick"}, suggestions=2)
    assert one.predicted == 0
    assert "kick0" not in one.suggested


# ---- tables ------------------------------------------------------------------------------------------------------


def _table(folder: Path, text: str) -> Path:
    file = folder / "some.csv"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "text",
    [
        "name,label\nkick0,kick\nwave3,wave\n",
        "name;label\nkick0;kick\nwave3;wave\n",
        "file,label,subject\ntakes/kick0.json,kick,s\n./takes/wave3.json,wave,\n",
        "name,source,person,start,end,label\nkick0,,0,0.0,1.6,kick\nsit0,,0,0,1,\nwave3,,0,0,1.6,wave\n",
        "name,label,given\nkick0,kick,true\nwave3,wave,TRUE\nsit0,sit,false\n",
        "name,label\nkick0,kick\nkick0,kick\nwave3,wave\n",
    ],
)
def test_labels_are_read(tmp_path: Path, dataset: MotionDataset, text: str) -> None:
    assert read_labels(_table(tmp_path, text), dataset).labels == {"kick0": "kick", "wave3": "wave"}


@pytest.mark.parametrize("text", ["", "name,label\n", "name,label\nkick0,\n"])
def test_a_table_may_give_no_label(tmp_path: Path, dataset: MotionDataset, text: str) -> None:
    assert read_labels(_table(tmp_path, text), dataset) == Given({}, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\nkick0,kick\nclap1,clap\n", r"some.csv:3: expected a name of .*data, found 'clap1'"),
        ("file,label\ntakes/clap.json,clap\n", r"some.csv:2: expected a file of .*data, found 'takes/clap.json'"),
        ("name,label\n,kick\n", r"some.csv:2: expected the name of a sequence, found none"),
        (
            "name,label\nkick0,kick\nkick0,sit\n",
            r"some.csv:3: expected one label for kick0, found 'sit' and in .*:2 'kick'",
        ),
        (
            "recording,label\nkick0,kick\n",
            r"some.csv:1: expected the columns name \(or file\) and label; found recording",
        ),
        ("name,class\nkick0,kick\n", r"some.csv:1: expected the columns name \(or file\) and label; found name, class"),
        ("name,label,label\nkick0,kick,sit\n", r"some.csv:1: expected the columns"),
        ("name,label\nkick0\n", r"some.csv:2: expected 2 values, found 1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, dataset: MotionDataset, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_labels(_table(tmp_path, text), dataset)


def test_what_is_no_table_is_refused(tmp_path: Path, dataset: MotionDataset) -> None:
    with pytest.raises(DatasetError, match=r"none.csv: expected a CSV file of labels, found no such file"):
        read_labels(tmp_path / "none.csv", dataset)
    with pytest.raises(DatasetError, match=r"expected a CSV file of labels, found a folder or an archive"):
        read_labels(tmp_path, dataset)
    (tmp_path / "some.csv").write_bytes(b"name,label\nkick0,\xff\n")
    with pytest.raises(DatasetError, match=r"some.csv: expected UTF-8 text"):
        read_labels(tmp_path / "some.csv", dataset)


def test_segments_are_told_apart_by_their_times(tmp_path: Path) -> None:
    first = replace(_recording(0, 0), name="kick0[0-1]", extra={"start": 0.0, "end": 1.0})
    second = replace(_recording(0, 1), name="kick0[1-]", source=first.source, extra={"start": 1.0, "end": None})
    cut = write_dataset(tmp_path / "cut", [first, second])
    head = "file,start,end,label\n"
    found = read_labels(_table(tmp_path, head + "takes/kick0.json,0.00,1.001,a\ntakes/kick0.json,1,,b\n"), cut).labels
    assert found == {"kick0[0-1]": "a", "kick0[1-]": "b"}
    assert read_labels(_table(tmp_path, head + "takes/kick0.json,,,a\n"), cut).labels == dict.fromkeys(cut.names, "a")
    with pytest.raises(
        DatasetError, match=r"some.csv:2: expected a segment of .*cut, found takes/kick0.json from 5 to 6 s"
    ):
        read_labels(_table(tmp_path, head + "takes/kick0.json,5,6,a\n"), cut)
    with pytest.raises(DatasetError, match=r"some.csv:2: expected start in seconds, found 'soon'"):
        read_labels(_table(tmp_path, head + "takes/kick0.json,soon,6,a\n"), cut)


def test_the_table_says_what_the_library_says_and_can_be_read_again(
    tmp_path: Path, run: Run, dataset: MotionDataset
) -> None:
    out = tmp_path / "labels.csv"
    found = label(run, dataset, None, out, suggestions=4, min_confidence=0.5)
    with out.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert list(rows[0]) == [
        "name",
        "source",
        "label",
        "confidence",
        "given",
        "second",
        "second_confidence",
        "suggested",
    ]
    assert [row["name"] for row in rows] == dataset.names
    for row, each in zip(rows, found.proposals, strict=True):
        assert row["label"] == (each.label or "")
        assert float(row["confidence"]) == pytest.approx(each.confidence, abs=1e-4)
        assert row["given"] == str(each.given).lower()
        assert row["suggested"] == str(each.suggested or "")
    assert sorted(int(row["suggested"]) for row in rows if row["suggested"]) == [1, 2, 3, 4]
    # proposals are not taken for labels that somebody gave
    given = {name: each for name, each in zip(dataset.names, dataset.labels, strict=True) if each}
    again = read_labels(out, dataset)
    assert again == Given(given, found.predicted)
    assert label(run, dataset, out).passed_over == found.predicted > 0
    with pytest.raises(DatasetError, match="exists; --overwrite replaces it"):
        label(run, dataset, None, out)
    label(run, dataset, None, out, overwrite=True)
    assert "suggested" not in out.read_text(encoding="utf-8").splitlines()[0]


# ---- what is refused ---------------------------------------------------------------------------------------------


def test_what_cannot_be_learned_is_refused(tmp_path: Path, run: Run, dataset: MotionDataset) -> None:
    one = _table(tmp_path, "name,label\nkick0,kick\n")
    with pytest.raises(
        DatasetError, match=r"some.csv: expected labels of two classes or more, found only 'kick' \(--sug"
    ):
        label(run, dataset, one)
    with pytest.raises(DatasetError, match=r"data: expected labels of two classes or more, found none"):
        label(run, dataset, {})
    everything = {name: name[:-1] for name in dataset.names}
    with pytest.raises(DatasetError, match=r"expected sequences without a label, found one for each of 24"):
        label(run, dataset, everything, suggestions=3)
    with pytest.raises(DatasetError, match=r"labels: expected names of .*data, found 'clap0' and 1 more"):
        label(run, dataset, {"clap0": "clap", "clap1": "clap", "kick0": "kick"})


def test_settings_that_cannot_work_are_refused(run: Run, dataset: MotionDataset) -> None:
    for options, message in (
        ({"suggestions": -1}, "expected 0 suggestions or more, found -1"),
        ({"min_confidence": 1.5}, "expected a least confidence from 0 to 1, found 1.5"),
        ({"min_confidence": float("nan")}, "expected a least confidence from 0 to 1, found nan"),
        ({"features": "G"}, "unknown features 'G'"),
    ):
        with pytest.raises(SettingsError, match=message):
            label(run, dataset, **options)


def test_a_run_of_another_skeleton_is_refused(dataset: MotionDataset, few: Path) -> None:
    other = open_dataset(few)
    config, recipe = configure(other.skeleton, changes=TINY)
    run = train_on(list(other), config, recipe, device="cpu")
    with pytest.raises(SkeletonMismatchError):
        label(run, dataset)
    with pytest.raises(SkeletonMismatchError, match=r"prepare --map-to body14 \(map_to=\) brings recordings onto"):
        label(load_run("motionprint:cmu-small"), dataset)


def test_a_source_that_is_not_known_stays_empty(tmp_path: Path, run: Run, dataset: MotionDataset) -> None:
    write_dataset(tmp_path / "data", [replace(each, source=None) for each in dataset])
    found = label(run, tmp_path / "data", suggestions=1)
    assert {each.source for each in found.proposals} == {""}
    table = _table(tmp_path, "file,label\nNone,clap\n")
    with pytest.raises(DatasetError, match=r"some.csv:2: expected a file of .*data, found 'None'"):
        read_labels(table, open_dataset(tmp_path / "data"))


def test_nothing_is_left_of_an_output_that_failed(tmp_path: Path, run: Run, dataset: MotionDataset) -> None:
    with pytest.raises(DatasetError):
        label(run, dataset, {}, tmp_path / "labels.csv")
    assert not list(tmp_path.iterdir())


# ---- the command -------------------------------------------------------------------------------------------------


class Result(NamedTuple):
    status: Any
    out: str
    err: str


def _invoke(capsys: pytest.CaptureFixture[str], *arguments: object) -> Result:
    with pytest.raises(SystemExit) as stop:
        main([*map(str, arguments), "--quiet"])
    captured = capsys.readouterr()
    return Result(stop.value.code, captured.out, captured.err)


def test_the_command_says_what_was_done(
    tmp_path: Path, run_folder: Path, dataset: MotionDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.csv"
    done = _invoke(capsys, "label", run_folder, dataset.folder, "--out", out, "--suggest", 2)
    expected = label(load_run(run_folder), dataset, suggestions=2)
    assert done.status == 0, done.err
    assert done.out.splitlines() == [
        f"{out}: 6 labels given of 3 classes, 18 predicted, 0 left without",
        "cross-validation: not enough labels",
        "label next:",
        *(f"  {name}" for name in expected.suggested),
    ]
    some = {name: name[:-1] for name in dataset.names if name[-1] in "0123"}
    table = _table(tmp_path, "name,label\n" + "".join(f"{name},{each}\n" for name, each in some.items()))
    done = _invoke(capsys, "label", run_folder, dataset.folder, "--labels", table, "--out", out, "--overwrite")
    checked = label(load_run(run_folder), dataset, some).cross_validated
    assert checked is not None
    assert done.out.splitlines() == [
        f"{out}: 12 labels given of 3 classes, 12 predicted, 0 left without",
        f"cross-validation: {checked.correct} of 12 given labels found, {100 * checked.accuracy:.1f} % "
        f"({100 * checked.low:.1f} to {100 * checked.high:.1f} %)",
    ]
    done = _invoke(capsys, "label", run_folder, dataset.folder, "--labels", out, "--out", tmp_path / "again.csv")
    assert done.err == f"{out}: 12 labels not taken: they do not say true under given\n"


def test_the_command_fails_in_one_line(
    tmp_path: Path, run_folder: Path, dataset: MotionDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "some.csv"
    done = _invoke(capsys, "label", run_folder, dataset.folder, "--labels", gone, "--out", tmp_path / "labels.csv")
    assert done.status == 1
    assert done.err == f"motionprint: {gone}: expected a CSV file of labels, found no such file\n"
    assert not (tmp_path / "labels.csv").exists()
