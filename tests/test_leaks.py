"""No test recording reaches what is fitted: of every method, a twin data set gives the same weights, bit for bit.

In the twin the test recordings hold absurd values, have other lengths, and are of a class that nobody else is of.
Shuffled labels are then found by chance: whatever did better would have seen an answer.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from motionprint.corpora.synthetic import generate
from motionprint.evaluation import evaluate
from motionprint.evaluation.probes import LinearProbe, fit_probe
from motionprint.evaluation.retrieval import retrieval
from motionprint.evaluation.warping import warped_frames
from motionprint.methods import CLASSIFIERS, METHODS, Classifier, Method
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset, write_dataset
from motionprint.store.labelled import draw_labelled
from motionprint.training import Run, load_run, pretrain, train

EVALUATE = importlib.import_module("motionprint.evaluation.evaluate")  # the packages' own names are the functions
TRAIN = importlib.import_module("motionprint.training.train")

TEACHERS = ("s01", "s02", "s03")
TESTED = ("s04", "s05")
PROTOCOL = "subjects:" + ",".join(TEACHERS)

TRAINING = {"batch_size": 8, "crops": 2, "precision": "float32", "checkpoint_every": 100}
"""Of every run: three steps on a part of the recordings."""

SIZES = {"units": 5, "factors": 6, "mappings": 4, "components": 4, "signals": 12, "words": 8, "joints": 4}
"""By field, small sizes; those of fields that end in _units are 5 too."""

SHUFFLES = 48
"""How many times labels are shuffled, so that a standard error can be measured."""


@pytest.fixture(scope="module")
def sequences() -> list[SkeletonSequence]:
    """Three classes by five people, three times each, short."""
    made = generate(seed=0)
    kinds = sorted({str(each.label) for each in made})[:3]
    chosen = [each for each in made if each.label in kinds and each.subject in (*TEACHERS, *TESTED)]
    return [replace(each, positions=each.positions[:40]) for each in chosen]


@pytest.fixture(scope="module")
def plain(sequences: list[SkeletonSequence], tmp_path_factory: pytest.TempPathFactory) -> MotionDataset:
    return write_dataset(tmp_path_factory.mktemp("leaks") / "plain", sequences)


@pytest.fixture(scope="module")
def twin(sequences: list[SkeletonSequence], tmp_path_factory: pytest.TempPathFactory) -> MotionDataset:
    """The same training recordings, and test recordings that nobody could mistake for the others."""
    return write_dataset(tmp_path_factory.mktemp("leaks") / "twin", _absurd(sequences, TESTED))


@pytest.fixture(scope="module")
def taught_otherwise(sequences: list[SkeletonSequence], tmp_path_factory: pytest.TempPathFactory) -> MotionDataset:
    """The control: one training recording is another, its label kept."""
    [first, *others] = sequences
    assert first.subject in TEACHERS
    changed = [replace(_absurd([first], TEACHERS)[0], label=first.label), *others]
    return write_dataset(tmp_path_factory.mktemp("leaks") / "control", changed)


def _absurd(sequences: list[SkeletonSequence], subjects: tuple[str, ...]) -> list[SkeletonSequence]:
    """The recordings of some people are noise of kilometres, of other lengths, with gaps, and of one class."""
    made = []
    for number, sequence in enumerate(sequences):
        if sequence.subject in subjects:
            random = np.random.default_rng(number)
            shape = (20 + 3 * (number % 11), *sequence.positions.shape[1:])
            wild = random.normal(0, 1e3, shape).astype(np.float32)
            wild[5:8, -1] = np.nan
            sequence = replace(sequence, positions=wild, label="sentinel")
        made.append(sequence)
    return made


def _small(kind: type[Method] | type[Classifier]) -> dict[str, Any]:
    """The smallest sizes that a method works with."""
    names = [field.name for field in fields(kind.presets["small"])]
    return {name: SIZES.get(name, 5) for name in names if name in SIZES or name.endswith("_units")}


def _fitted(run: Run) -> dict[str, Any]:
    """All that was fitted, and all that says on what."""
    told = ("fitted", "held_out", "classes", "labelled", "counts", "training", "settings")
    return {"weights": run.model_hash, "recipe": run.recipe, **{key: run.config.get(key) for key in told}}


@pytest.fixture(scope="module")
def pretrained(plain: MotionDataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """A run of each method without labels, trained when it is asked for first."""
    runs: dict[str, Run] = {}
    folder = tmp_path_factory.mktemp("leaks")

    def run_of(name: str) -> Run:
        if name not in runs:
            runs[name] = _pretrained(name, plain, folder / name)
        return runs[name]

    return run_of


def _pretrained(name: str, data: MotionDataset, out: Path) -> Run:
    steps = None if METHODS[name].closed else 3
    changes = _small(METHODS[name]) | TRAINING
    return pretrain(data, out, method=name, protocol=PROTOCOL, changes=changes, steps=steps, device="cpu")


def _trained(name: str, data: MotionDataset, out: Path, **options: Any) -> Run:
    steps = None if CLASSIFIERS[name].closed else 3
    changes = _small(CLASSIFIERS[name]) | TRAINING | {"validate_every": 1}
    options = {"changes": changes, "steps": steps, "device": "cpu", **options}
    return train(data, out, method=name, protocol=PROTOCOL, **options)


# ---- weights -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_no_test_recording_reaches_weights_learned_without_labels(
    pretrained: Callable[[str], Run],
    twin: MotionDataset,
    taught_otherwise: MotionDataset,
    tmp_path: Path,
    name: str,
) -> None:
    expected = _fitted(pretrained(name))
    assert _fitted(_pretrained(name, twin, tmp_path / "twin")) == expected
    control = _fitted(_pretrained(name, taught_otherwise, tmp_path / "control"))  # what is compared can differ
    assert control["weights"] != expected["weights"] and control["recipe"] != expected["recipe"]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_no_test_recording_reaches_weights_learned_with_labels(
    plain: MotionDataset, twin: MotionDataset, taught_otherwise: MotionDataset, tmp_path: Path, name: str
) -> None:
    run = _trained(name, plain, tmp_path / "plain")
    found = _fitted(_trained(name, twin, tmp_path / "twin"))
    assert found == _fitted(run)
    assert "sentinel" not in found["classes"] and (CLASSIFIERS[name].closed or found["held_out"])
    control = _fitted(_trained(name, taught_otherwise, tmp_path / "control"))
    assert control["weights"] != found["weights"] and control["recipe"] != found["recipe"]
    [row] = evaluate(load_run(tmp_path / "twin"), twin)
    assert row["value"] == 0  # a class that nobody was told


# ---- what is chosen ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels_per_class", [None, 2, 8])
def test_who_teaches_and_who_is_held_out_does_not_depend_on_test_recordings(
    plain: MotionDataset,
    twin: MotionDataset,
    tmp_path: Path,
    labels_per_class: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Seen(Exception):
        pass

    def spy(training: MotionDataset, out: Path, configured: object, *, lessons: Any, **options: Any) -> Run:
        found.append(
            (
                training.names,
                lessons.recordings.names,
                lessons.labels.tolist(),
                lessons.held_out.names,
                lessons.held_labels.tolist(),
            )
        )
        raise Seen

    found: list[tuple[list[Any], ...]] = []
    monkeypatch.setattr(TRAIN, "train_folder", spy)
    for data in (plain, twin):
        with pytest.raises(Seen):
            train(data, tmp_path, protocol=PROTOCOL, labels_per_class=labels_per_class, sampling=1)
    assert found[0] == found[1]
    names, taught, _, held, _ = found[0]
    people = dict(zip(plain.names, plain.subjects, strict=True))
    assert {people[name] for name in names} == set(TEACHERS)
    assert not set(taught) & set(held) and {*taught, *held} <= set(names)
    assert len(taught) + len(held) == (27 if labels_per_class is None else 3 * labels_per_class)
    assert bool(held) == (labels_per_class != 2)


# ---- prints and probes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_no_test_recording_reaches_prints_and_probes_of_the_others(
    pretrained: Callable[[str], Run],
    plain: MotionDataset,
    twin: MotionDataset,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Prints of training recordings, few labels drawn, scalers, classifiers, neighbours, galleries, warped frames."""
    fitted: list[list[npt.NDArray[Any]]] = []

    def spy_probe(task: str, prints: npt.NDArray[np.float32], labels: npt.NDArray[np.str_]) -> Any:
        probe = fit_probe(task, prints, labels)
        last: list[Any] = [probe.scaler.mean, probe.scaler.scale]
        if isinstance(probe, LinearProbe):
            last += [probe.model.coef_, probe.model.intercept_]
        else:
            last += [probe.directions, probe.labels]
        fitted.append([prints, labels, *last])
        return probe

    def spy_retrieval(gallery: Any, labels: Any, queries: Any, asked: Any) -> dict[str, float]:
        fitted.append([gallery, labels])
        return retrieval(gallery, labels, queries, asked)

    def spy_warping(recipe: Any, recordings: MotionDataset) -> list[npt.NDArray[np.float64]]:
        frames = warped_frames(recipe, recordings)
        if set(recordings.subjects) <= set(TEACHERS):
            fitted.append(list(frames))
        return frames

    monkeypatch.setattr(EVALUATE, "fit_probe", spy_probe)
    monkeypatch.setattr(EVALUATE, "retrieval", spy_retrieval)
    monkeypatch.setattr(EVALUATE, "warped_frames", spy_warping)
    first = name == next(iter(METHODS))  # what is not of the method's is looked at once
    if first:
        pytest.importorskip("dtaidistance")
    options = {"features": ("states", "F"), "labels_per_class": (2, "all"), "samplings": 2}
    rows = evaluate(pretrained(name), plain, baselines=first, dtw=first, **options)
    assert len(rows) > 18 and {row["n_test"] for row in rows} == {18}
    before = fitted.copy()
    fitted.clear()
    evaluate(pretrained(name), twin, baselines=first, dtw=first, **options)
    kinds = 5 if first else 2  # states and F of the run, of an untrained one, and raw coordinates
    assert len(before) == len(fitted) == kinds * (3 * 3 + 1) + first
    for one, two in zip(before, fitted, strict=True):
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)


# ---- chance ------------------------------------------------------------------------------------------------------


def _shuffled(sequences: list[SkeletonSequence], seed: int, folder: Path) -> MotionDataset:
    """The training recordings have each other's labels, the test recordings their own."""
    teachers = [number for number, each in enumerate(sequences) if each.subject in TEACHERS]
    order = np.random.default_rng(seed).permutation(teachers)
    labels = {number: sequences[other].label for number, other in zip(teachers, order, strict=True)}
    made = [replace(each, label=labels.get(number, each.label)) for number, each in enumerate(sequences)]
    return write_dataset(folder, made)


def _require_chance(shuffled: list[float], true: float) -> None:
    """Shuffled labels within four standard errors of chance, one of three classes, and true ones beyond.

    Errors are measured over the shuffles: test recordings of a class have the same neighbours, so that answers within
    a shuffle are not independent.
    """
    error = float(np.std(shuffled, ddof=1) / np.sqrt(len(shuffled)))
    assert abs(np.mean(shuffled) - 1 / 3) < 4 * error < true - 1 / 3


def test_shuffled_training_labels_give_chance_to_every_probe(
    pretrained: Callable[[str], Run], plain: MotionDataset, sequences: list[SkeletonSequence], tmp_path: Path
) -> None:
    pytest.importorskip("dtaidistance")

    def values(data: MotionDataset) -> Mapping[tuple[str, str], float]:
        rows = evaluate(run, data, baselines=False, dtw=True)
        return {
            (row["method"], row["task"]): row["value"]
            for row in rows
            if row["metric"] == "accuracy" and row["task"] in ("linear", "knn1")
        }

    run = pretrained("slow_features")
    true = values(plain)
    assert set(true) == {("slow_features", "linear"), ("slow_features", "knn1"), ("dtw", "knn1")}
    found = [values(_shuffled(sequences, seed, tmp_path / str(seed))) for seed in range(SHUFFLES)]
    for kind in true:
        _require_chance([each[kind] for each in found], true[kind])


def test_shuffled_training_labels_give_chance_to_a_supervised_method(
    plain: MotionDataset, sequences: list[SkeletonSequence], tmp_path: Path
) -> None:
    def value(data: MotionDataset, name: str) -> float:
        run = _trained("temporal_pyramid", data, tmp_path / f"{name}-run")
        return float(evaluate(run, data)[0]["value"])

    found = [value(_shuffled(sequences, seed, tmp_path / str(seed)), str(seed)) for seed in range(SHUFFLES)]
    _require_chance(found, value(plain, "plain"))


def test_few_labels_are_drawn_from_those_that_train_alone(plain: MotionDataset, twin: MotionDataset) -> None:
    """The draw of the probes, by names and labels of training recordings."""
    drawn = []
    for data in (plain, twin):
        half = data.subset([number for number, each in enumerate(data.subjects) if each in TEACHERS])
        places = [draw_labelled(half.names, np.array(half.labels), 2, sampling) for sampling in range(5)]
        drawn.append([[half.names[place] for place in each] for each in places])
    assert drawn[0] == drawn[1]
    assert len({tuple(names) for names in drawn[0]}) > 1
