"""Dynamic time warping against the plain dynamic programme."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from motionprint.errors import SettingsError
from motionprint.evaluation import warping
from motionprint.evaluation.warping import warped_frames, warping_distances
from motionprint.preprocessing import Recipe
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS

KINECT = SKELETONS["kinect20"]


def plain(a: np.ndarray, b: np.ndarray) -> float:
    """The equation of the module, cell by cell."""
    best = np.full((len(a) + 1, len(b) + 1), np.inf)
    best[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            before = min(best[i, j + 1], best[i + 1, j], best[i, j])
            best[i + 1, j + 1] = ((a[i] - b[j]) ** 2).sum() + before
    return float(best[-1, -1] ** 0.5)


def sequences(count: int, seed: int, values: int = 6) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(int(random.integers(1, 14)), values)) for _ in range(count)]


def test_distances_are_those_of_the_dynamic_programme(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, gallery = sequences(11, 0), sequences(7, 1)
    expected = [[plain(query, each) for each in gallery] for query in queries]
    for chunk in (4, 64):
        monkeypatch.setattr(warping, "CHUNK", chunk)
        found = list(warping_distances(queries, gallery))
        assert len(found) == -(-11 // chunk)
        np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-12)


def test_a_slower_copy_is_at_no_distance() -> None:
    (fast,) = sequences(1, 3)
    slow = np.repeat(fast, 3, axis=0)
    other = slow + 1
    assert np.concatenate(list(warping_distances([slow], [other, fast])))[0].argmin() == 1
    assert np.concatenate(list(warping_distances([slow], [fast]))) == 0


def test_frames_are_those_of_the_recipe_and_zero_where_missing() -> None:
    random = np.random.default_rng(0)
    positions = random.normal(0, 0.3, (30, 20, 3)).astype(np.float32)
    positions[4:9, 7] = np.nan
    sequence = SkeletonSequence(positions, 15.0, KINECT, name="walk")
    recipe = Recipe(KINECT, max_length=35, window_over=60).fit([sequence])
    (found,) = warped_frames(recipe, [sequence])
    expected = recipe.apply(sequence)
    assert np.isnan(expected).any() and found.dtype == np.float64
    np.testing.assert_array_equal(found, np.where(np.isnan(expected), 0, expected))
    long = replace(sequence, positions=np.concatenate([positions] * 3))  # windows of 30, taken whole
    assert len(recipe.pieces(long)) > 1
    assert warped_frames(recipe, [long])[0].shape == (30, 60)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dtaidistance", None)
    with pytest.raises(
        SettingsError, match=r"^dynamic time warping needs the package dtaidistance: pip install dtaidis"
    ):
        list(warping_distances(sequences(1, 0), sequences(1, 1)))
