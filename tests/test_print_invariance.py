"""A print is that of its sequence: padding, batch order and neighbours never change it.

What is left is rounding: kernels for matrix products of few rows sum in another order than those of many. States and
prints lie in (-1, 1), where float32 is spaced by 6e-8; over the steps of a recurrence such differences add up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionprint.evaluation import prints
from motionprint.methods import Inpainting
from motionprint.skeleton import SKELETONS
from motionprint.training import Run, configure

KINECT = SKELETONS["kinect20"]
TOLERANCE = 1e-6
TRAINED = 1.5
"""Weights are drawn this many times as large as those that training starts from: after training a preset's are 1.1 to
1.2 times as large, and the larger the weights, the more of a rounding error reaches the next step."""

Frames = npt.NDArray[np.float32]


def _run(cell: str, seed: int, **sizes: int) -> Run:
    config, recipe = configure(KINECT, changes={"cell": cell})
    torch.manual_seed(seed)
    method = Inpainting(KINECT, recipe.inputs, replace(Inpainting.presets["small"], cell=cell, **sizes)).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for weight in method.parameters():
            weight.mul_(TRAINED)
    return Run(config, recipe, method, 0)


def _frames(length: int, random: np.random.Generator) -> Frames:
    """Joints that swing, (T, D) in [-1, 1]."""
    rate, phase, size = (random.uniform(low, high, 60) for low, high in ((0.5, 6), (0, 6), (0.1, 1)))
    return (size * np.sin(rate * np.arange(length)[:, None] / 15 + phase)).astype(np.float32)


def _encode(run: Run, sequences: list[Frames], **limits: int) -> Frames:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in limits.items():
            patch.setattr(prints, name, value)
        return np.concatenate(list(prints.encode_frames(run, sequences, "both")))


@pytest.fixture(scope="module", params=["gru", "lstm"])
def small(request: pytest.FixtureRequest) -> Run:
    """The small preset's encoder."""
    return _run(request.param, 0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_print_alone_is_that_in_any_company(small: Run, data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(1, 60), min_size=1, max_size=24), label="lengths")
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), label="seed"))
    limits = {
        "BATCH": data.draw(st.integers(1, 24), label="sequences of a batch"),
        "ROWS": data.draw(st.integers(1, 400), label="frames of a batch"),
        "POOL": data.draw(st.integers(1, 24), label="sequences of a pool"),
        "POOL_ROWS": data.draw(st.integers(1, 400), label="frames of a pool"),
    }
    order = data.draw(st.permutations(range(len(lengths))), label="order")
    sequences = [_frames(length, random) for length in lengths]
    alone = np.concatenate([_encode(small, [sequence]) for sequence in sequences])
    together = _encode(small, [sequences[number] for number in order], **limits)
    np.testing.assert_allclose(together, alone[order], rtol=0, atol=TOLERANCE)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(length=st.integers(1, 60), place=st.integers(0, 20), seed=st.integers(0, 2**32 - 1))
def test_other_neighbours_of_the_same_lengths_change_nothing_at_all(
    small: Run, length: int, place: int, seed: int
) -> None:
    """The same products are computed then: not a bit may come from a neighbour."""
    random = np.random.default_rng(seed)
    sequence, lengths = _frames(length, random), random.integers(1, 61, 20)
    found = []
    for _ in range(2):
        neighbours = [_frames(int(each), random) for each in lengths]
        found.append(_encode(small, [*neighbours[:place], sequence, *neighbours[place:]])[place])
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_print_alone_is_that_in_company_at_the_sizes_of_the_paper(cell: str) -> None:
    run = _run(cell, 1, encoder_units=400)
    random = np.random.default_rng(2)
    sequences = [_frames(int(length), random) for length in [60, 60, 1, 2, *random.integers(1, 61, 44)]]
    alone = np.concatenate([_encode(run, [sequence]) for sequence in sequences])
    for limits in ({}, {"BATCH": 3}, {"BATCH": 17, "POOL": 20}):
        np.testing.assert_allclose(_encode(run, sequences, **limits), alone, rtol=0, atol=TOLERANCE)
    assert np.abs(alone[:, None] - alone[None]).max(axis=2)[~np.eye(len(alone), dtype=bool)].min() > 1e-2  # all differ


def test_states_and_f_are_both_compared(small: Run) -> None:
    found: dict[str, Any] = {
        features: np.concatenate(list(prints.encode_frames(small, [_frames(9, np.random.default_rng(0))], features)))
        for features in ("states", "F", "both")
    }
    np.testing.assert_array_equal(found["both"], np.concatenate([found["states"], found["F"]], axis=1))
    assert found["states"].shape == (1, 256) and found["F"].shape == (1, 60)
