"""Probes on prints whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from motionprint.errors import DatasetError, SettingsError
from motionprint.evaluation import probes
from motionprint.evaluation.probes import PROBES, LinearProbe, accuracy, draw_labelled, fit_probe


def blobs(seed: int, count: int = 40, spread: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Prints (3 count, 12) around three far corners, and their classes."""
    random = np.random.default_rng(seed)
    labels = np.repeat(["jump", "run", "walk"], count)
    centres = np.random.default_rng(99).normal(size=(3, 12))
    prints = np.repeat(centres, count, axis=0) + spread * random.normal(size=(3 * count, 12))
    return prints.astype(np.float32), labels


@pytest.mark.parametrize("task", PROBES)
def test_separable_prints_are_told_apart(task):
    train, train_labels = blobs(0)
    test, test_labels = blobs(1)
    assert accuracy(fit_probe(task, train, train_labels), test, test_labels) == 1.0


@pytest.mark.parametrize("task", PROBES)
def test_shuffled_labels_are_told_apart_by_chance(task):
    found = []
    for seed in range(10):
        train, train_labels = blobs(seed, spread=5.0)
        test, test_labels = blobs(100 + seed, spread=5.0)
        shuffled = np.random.default_rng(seed).permutation(train_labels)
        found.append(accuracy(fit_probe(task, train, shuffled), test, test_labels))
    assert abs(np.mean(found) - 1 / 3) < 0.06  # 1,200 answers: 0.06 is more than four standard errors


def test_linear_is_standard_scaler_and_logistic_regression():
    train, train_labels = blobs(0, spread=2.0)
    test, _ = blobs(1, spread=2.0)
    scaler = StandardScaler().fit(train.astype(np.float64))
    model = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000)
    model.fit(scaler.transform(train.astype(np.float64)), train_labels)
    probe = fit_probe("linear", train, train_labels)
    assert isinstance(probe, LinearProbe)
    # where the gradient of the mean loss is below 1e-6, weights are within N C times that of the optimum
    np.testing.assert_allclose(probe.model.coef_, model.coef_, atol=120e-6)
    np.testing.assert_array_equal(probe.predict(test), model.predict(scaler.transform(test.astype(np.float64))))


def test_one_neighbour_is_the_nearest_by_cosine_of_standardised_prints(monkeypatch):
    monkeypatch.setattr(probes, "CHUNK", 7)  # several chunks, the last one incomplete
    train, train_labels = blobs(0, spread=3.0)
    test, _ = blobs(1, spread=3.0)
    scaler = StandardScaler().fit(train.astype(np.float64))
    model = KNeighborsClassifier(1, metric="cosine").fit(scaler.transform(train.astype(np.float64)), train_labels)
    expected = model.predict(scaler.transform(test.astype(np.float64)))
    np.testing.assert_array_equal(fit_probe("knn1", train, train_labels).predict(test), expected)


def test_five_neighbours_vote_and_the_nearest_class_breaks_a_tie():
    angle = np.radians([0, 1, 2, 3, 4, 180, 181, 182, 183, 184, 185])  # degrees on a circle: two far groups
    train = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    probe = fit_probe("knn5", train, ["b", "a", "a", "b", "c"] + ["c"] * 6)
    assert probe.predict(train[:1]) == ["b"]  # two of b, two of a, and b is the nearest
    assert probe.predict(train[1:2]) == ["a"]
    assert probe.predict(train[8:9]) == ["c"]


def test_five_neighbours_of_one_label_a_class_are_the_nearest():
    train, labels = blobs(0, count=1)
    test, _ = blobs(1, spread=3.0)
    np.testing.assert_array_equal(
        fit_probe("knn5", train, labels).predict(test), fit_probe("knn1", train, labels).predict(test)
    )


@pytest.mark.parametrize("task", PROBES)
def test_constant_and_rounding_values_are_not_blown_up(task):
    train, labels = blobs(0)
    test, test_labels = blobs(1)
    noise = np.random.default_rng(5).normal(size=(len(train), 1)) * 1e-8
    train = np.hstack([train, np.full((len(train), 1), 3.0), noise]).astype(np.float32)
    test = np.hstack([test, np.full((len(test), 1), 3.0), np.full((len(test), 1), 1e-3)]).astype(np.float32)
    probe = fit_probe(task, train, labels)
    assert probe.scaler.scale[-2:].tolist() == [1.0, 1.0]
    assert accuracy(probe, test, test_labels) == 1.0


def test_scaler_and_classifier_never_see_test_prints():
    train, labels = blobs(0, spread=1.0)
    test, test_labels = blobs(1)
    for task in PROBES:
        first, second = fit_probe(task, train, labels), fit_probe(task, train, labels)
        accuracy(first, test, test_labels)
        accuracy(second, test * 1000 + 7, test_labels[::-1])
        np.testing.assert_array_equal(first.predict(test), second.predict(test))


def test_logistic_regression_converges_on_prints_as_wide_as_the_papers():
    random = np.random.default_rng(0)
    labels = np.repeat([f"c{number}" for number in range(10)], 102)
    prints = random.normal(size=(1020, 512)) + np.repeat(random.normal(size=(10, 512)), 102, axis=0) * 0.2
    probe = fit_probe("linear", prints, labels)  # a ConvergenceWarning would be an error here
    assert isinstance(probe, LinearProbe)
    assert int(np.max(probe.model.n_iter_)) < probes.MAX_ITERATIONS


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["walk"] * 4, "needs at least two classes among the labelled training recordings, found only 'walk'"),
        (["walk"] * 3, r"expected one label a print, found prints \(4, 2\) and 3 labels"),
    ],
)
def test_training_labels_that_cannot_serve_are_refused(labels, message):
    with pytest.raises(DatasetError, match=message):
        fit_probe("linear", np.eye(4, 2), labels)


def test_no_training_prints_are_refused():
    with pytest.raises(DatasetError, match="at least two classes among the labelled training recordings, found none"):
        fit_probe("knn1", np.zeros((0, 3)), [])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_prints_that_are_not_finite_are_refused(bad):
    train, labels = blobs(0)
    probe = fit_probe("knn1", train, labels)
    train[5, 2] = bad
    with pytest.raises(DatasetError, match="finite training prints, found NaN or inf in 1 of 120, first in number 5"):
        fit_probe("linear", train, labels)
    with pytest.raises(DatasetError, match="finite test prints, found NaN or inf in 1 of 120, first in number 5"):
        accuracy(probe, train, labels)


def test_an_unknown_probe_is_answered_with_the_known_ones():
    with pytest.raises(SettingsError, match="expected a probe among linear, knn1, knn5, found 'svm'"):
        fit_probe("svm", np.eye(2), ["a", "b"])


NAMES = [f"r{number:02d}" for number in range(20)]
LABELS = ["a"] * 10 + ["b"] * 8 + ["c"] * 2


def test_a_draw_gives_each_class_its_number_or_all_it_has():
    drawn = draw_labelled(NAMES, LABELS, 3, 0)
    assert [LABELS[position] for position in drawn] == ["a"] * 3 + ["b"] * 3 + ["c"] * 2
    assert sorted(set(drawn.tolist())) == drawn.tolist()


def test_a_draw_depends_on_names_labels_and_sampling_alone():
    order = np.random.default_rng(3).permutation(20)
    names, labels = [NAMES[i] for i in order], [LABELS[i] for i in order]
    np.random.seed(4)  # the global state has no say
    expected = {NAMES[position] for position in draw_labelled(NAMES, LABELS, 3, 2)}
    assert {names[position] for position in draw_labelled(names, labels, 3, 2)} == expected


def test_samplings_differ_and_fewer_labels_are_a_subset_of_more():
    draws = [tuple(draw_labelled(NAMES, LABELS, 2, sampling)) for sampling in range(10)]
    assert len(set(draws)) > 5
    assert set(draw_labelled(NAMES, LABELS, 1, 7)) < set(draw_labelled(NAMES, LABELS, 5, 7))


@pytest.mark.parametrize(
    ("per_class", "sampling", "message"),
    [(0, 0, "at least 1 label a class, found 0"), (1, -1, "a sampling of 0 or more, found -1")],
)
def test_a_draw_of_nothing_is_refused(per_class, sampling, message):
    with pytest.raises(SettingsError, match=message):
        draw_labelled(NAMES, LABELS, per_class, sampling)
