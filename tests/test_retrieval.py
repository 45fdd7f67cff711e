"""Mean average precision and precision at 10 of rankings whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler, normalize

from motionprint.errors import DatasetError
from motionprint.evaluation import retrieval
from motionprint.evaluation.retrieval import ranked

SQUARE = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
"""A gallery of mean 0 and standard deviation 1, which standardising leaves as it is."""


def test_a_ranking_written_out_by_hand() -> None:
    """Cosines with (2, 1): first number 0, then 1, 2, 3; of class a are ranks 1 and 4."""
    found = retrieval(SQUARE, ["a", "b", "b", "a"], np.array([[2.0, 1.0]]), ["a"])
    assert found["map"] == pytest.approx((1 / 1 + 2 / 4) / 2)
    assert found["precision10"] == pytest.approx(2 / 4)  # fewer than ten to look at
    found = retrieval(SQUARE, ["a", "b", "b", "a"], np.array([[2.0, 1.0], [2.0, 1.0]]), ["a", "b"])
    assert found["map"] == pytest.approx(((1 / 1 + 2 / 4) / 2 + (1 / 2 + 2 / 3) / 2) / 2)


def test_a_class_that_the_gallery_lacks_counts_as_0() -> None:
    found = retrieval(SQUARE, ["a", "b", "b", "a"], np.array([[2.0, 1.0], [2.0, 1.0]]), ["a", "c"])
    assert found["map"] == pytest.approx((1 / 1 + 2 / 4) / 4)
    assert found["precision10"] == pytest.approx(1 / 4)


def test_separable_classes_are_retrieved_whole_and_shuffled_ones_by_chance() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c", "d"], 50)
    centres = {name: 20 * axis for name, axis in zip("abcd", np.eye(4), strict=True)}
    prints = np.stack([centres[label] for label in labels]) + random.normal(size=(200, 4))
    assert retrieval(prints[::2], labels[::2], prints[1::2], labels[1::2]) == {"map": 1.0, "precision10": 1.0}
    noise = random.normal(size=(800, 30))
    chance = random.choice(list("abcd"), 800)
    found = retrieval(noise[:400], chance[:400], noise[400:], chance[400:])
    assert found["map"] == pytest.approx(0.25, abs=0.03)
    assert found["precision10"] == pytest.approx(0.25, abs=0.03)  # four standard errors of 4,000 draws


def test_it_agrees_with_an_independent_reference() -> None:
    random = np.random.default_rng(1)
    gallery, queries = random.normal(size=(90, 7)), random.normal(size=(301, 7))
    known, asked = random.choice(list("abc"), 90), random.choice(list("abc"), 301)
    scaler = StandardScaler().fit(gallery)
    similarity = normalize(scaler.transform(queries)) @ normalize(scaler.transform(gallery)).T
    found = retrieval(gallery, known, queries, asked)
    expected = [average_precision_score(known == label, row) for label, row in zip(asked, similarity, strict=True)]
    assert found["map"] == pytest.approx(np.mean(expected), rel=1e-12)
    first = np.argsort(-similarity, axis=1)[:, :10]
    assert found["precision10"] == pytest.approx(np.mean(known[first] == asked[:, None]), rel=1e-12)


@pytest.mark.parametrize(
    ("gallery", "queries", "message"),
    [
        (SQUARE[:0], SQUARE, r"expected training prints with one label each, found prints \(0, 2\) and 0 labels"),
        (SQUARE, SQUARE[:0], r"expected test prints with one label each, found prints \(0, 2\) and 0 labels"),
        (np.where(SQUARE == -1, np.inf, SQUARE), SQUARE, "expected finite training prints, found NaN or inf in 3 of 4"),
    ],
)
def test_what_cannot_be_ranked_is_refused(gallery: np.ndarray, queries: np.ndarray, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        retrieval(gallery, ["a"] * len(gallery), queries, ["a"] * len(queries))


def test_labels_and_prints_must_be_as_many() -> None:
    with pytest.raises(DatasetError, match=r"expected test prints with one label each, found prints \(4, 2\) and 1"):
        retrieval(SQUARE, ["a"] * 4, SQUARE, ["a"])


def test_distances_are_ranked_by_their_negative() -> None:
    distances = np.array([[3.0, 1.0, 2.0], [1.0, 1.0, 0.5]])
    precision, first = ranked(-distances, np.array(["a", "b", "a"]), np.array(["a", "b"]))
    assert precision == pytest.approx([(1 / 2 + 2 / 3) / 2, 1 / 3])  # equal ones keep the gallery's order
    assert first == pytest.approx([2 / 3, 1 / 3])
