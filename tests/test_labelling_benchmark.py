"""What benchmarks/labelling.py measures is right."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def labelling(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_module("labelling")


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy(labelling: ModuleType) -> None:
    chances = np.array([[0.75, 0.25]] * 4 + [[0.05, 0.95]] * 4)
    assert labelling.calibration_error(chances, np.array([0, 0, 0, 1, 1, 1, 1, 1])) == pytest.approx(0.5 * 0.05)
    assert labelling.calibration_error(np.tile([1.0, 0.0], (5, 1)), np.ones(5, dtype=int)) == 1.0


def test_the_surer_half_and_the_sure_are_those_of_most_confidence(labelling: ModuleType) -> None:
    chances = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.45, 0.55]])
    found = labelling.judged(chances, np.array([0, 1, 1, 0]))
    assert (found["accuracy"], found["accuracy_surer_half"]) == (0.5, 1.0)
    assert (found["accuracy_sure"], found["share_sure"]) == (1.0, 0.5)
    assert labelling.judged(chances[[1, 3]], np.array([0, 1]))["accuracy_sure"] is None


def test_a_class_that_was_never_labelled_counts_as_wrong(labelling: ModuleType) -> None:
    values = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0) + np.arange(12, dtype=np.float32)[:, None] * 1e-3
    truth = np.repeat([0, 1, 2], 4)
    pool = labelling.Pool(values, truth, values)
    for judge in (pool.measure, pool.measure_probe):
        assert judge(np.array([0, 1, 4, 5]), 3, truth)["accuracy"] == pytest.approx(2 / 3)


def test_rounds_grow_and_repeat_nothing(labelling: ModuleType) -> None:
    values = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    pool = labelling.Pool(values, np.arange(30) % 3, values)
    for way in labelling.WAYS:
        last: set[int] = set()
        for number, labelled in enumerate(labelling.rounds(pool, way, 3, 4, 0), start=1):
            assert len(set(labelled)) == len(labelled) == 3 * number
            assert last <= set(labelled)
            last = set(labelled)
    random, probe = (list(labelling.rounds(pool, way, 3, 2, 1)) for way in ("random", "probe"))
    assert all(np.array_equal(one, other) for one, other in zip(random, probe, strict=True))
