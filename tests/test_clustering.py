"""Clusters and their scores, against answers found by hand and by trying everything."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from motionprint.errors import DatasetError, SettingsError
from motionprint.evaluation.clustering import (
    ALGORITHMS,
    assignment_accuracy,
    cluster,
    normalised_mutual_information,
)


def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Prints (90, 4) in three far heaps, in a mixed order, and their classes."""
    random = np.random.default_rng(0)
    labels = random.permutation(np.repeat(["jump", "run", "walk"], 30))
    centres = {"jump": 0.0, "run": 20.0, "walk": -20.0}
    prints = np.array([centres[label] for label in labels])[:, None] + random.normal(size=(90, 4))
    return prints.astype(np.float32), labels


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_far_heaps_are_found(algorithm):
    prints, labels = blobs()
    clusters = cluster(algorithm, prints, 3)
    assert assignment_accuracy(clusters, labels) == 1.0
    assert normalised_mutual_information(clusters, labels) == pytest.approx(1.0)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_prints_that_say_nothing_score_near_chance(algorithm):
    random = np.random.default_rng(1)
    labels = np.repeat(["a", "b"], 300)
    clusters = cluster(algorithm, random.normal(size=(600, 5)), 2)
    assert assignment_accuracy(clusters, labels) < 0.58
    assert normalised_mutual_information(clusters, labels) < 0.03


def test_k_means_repeats_with_its_seed():
    prints = np.random.default_rng(2).normal(size=(80, 3))
    np.testing.assert_array_equal(cluster("kmeans", prints, 5, seed=3), cluster("kmeans", prints, 5, seed=3))


def test_prints_are_clustered_as_they_are():
    random = np.random.default_rng(0)
    wide = np.repeat([0.0, 100.0], 20)  # the large value decides, as it would not once standardised
    narrow = np.tile([0.0, 1.0], 20)
    prints = np.stack([wide + random.normal(size=40), *[narrow + 0.01 * random.normal(size=40) for _ in range(9)]], 1)
    for algorithm in ALGORITHMS:
        assert assignment_accuracy(cluster(algorithm, prints, 2), wide.astype(str)) == 1.0


def test_the_names_of_clusters_do_not_matter():
    assert assignment_accuracy([7, 7, 2, 2], ["a", "a", "b", "b"]) == 1.0
    assert assignment_accuracy([0, 0, 1, 1, 1], ["a", "b", "a", "b", "b"]) == pytest.approx(3 / 5)


def test_a_class_takes_one_cluster_only():
    # Two clusters of one class: purity would be 1, a one-to-one assignment finds half of them.
    assert assignment_accuracy([0, 0, 1, 1], ["a"] * 4) == 0.5
    assert assignment_accuracy([0, 0, 0, 0], ["a", "a", "b", "b"]) == 0.5


def test_the_assignment_is_the_best_of_all():
    random = np.random.default_rng(4)
    clusters, labels = random.integers(0, 5, 60), random.integers(0, 5, 60)
    best = max(np.mean(np.array(renamed)[clusters] == labels) for renamed in permutations(range(5)))
    assert assignment_accuracy(clusters, labels.astype(str)) == pytest.approx(best)


def test_mutual_information_by_hand():
    # H(class) = ln 2, H(cluster) = 1.5 ln 2 (4, 2, 2 of 8), the clusters decide the class: I = ln 2
    clusters, labels = [0, 0, 0, 0, 1, 1, 2, 2], list("aaaabbbb")
    assert normalised_mutual_information(clusters, labels) == pytest.approx(1 / 1.25)
    assert normalised_mutual_information([0, 1, 0, 1], list("aabb")) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("clusters", [1, 5])
def test_numbers_of_clusters_that_cannot_be_are_refused(clusters):
    with pytest.raises(DatasetError, match=f"found {clusters} clusters and 4 prints"):
        cluster("ward", np.eye(4), clusters)


def test_prints_that_are_not_finite_are_refused():
    prints = np.eye(4)
    prints[2, 0] = np.nan
    with pytest.raises(DatasetError, match="finite test prints, found NaN or inf in 1 of 4, first in number 2"):
        cluster("kmeans", prints, 2)


def test_labels_of_another_number_are_refused():
    with pytest.raises(DatasetError, match="expected one label a recording, found 3 recordings and 2 labels"):
        assignment_accuracy([0, 1, 1], ["a", "b"])


def test_an_unknown_algorithm_is_answered_with_the_known_ones():
    with pytest.raises(SettingsError, match="expected a clustering among ward, kmeans, found 'dbscan'"):
        cluster("dbscan", np.eye(4), 2)
