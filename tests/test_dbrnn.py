"""DBRNN-L and DBRNN-T: the equations one sequence at a time with PyTorch's own layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from motionprint.batches import pack
from motionprint.methods.dbrnn import DBRNN, DBRNNSettings
from motionprint.networks import RecurrentLayers
from motionprint.skeleton import SKELETONS
from motionprint.training.loop import gradients

KINECT = SKELETONS["kinect20"]


def _reference(method: DBRNN, x: Tensor) -> Tensor:
    """A (C,) of one sequence x (T, D)."""
    layers = method.layers
    last = layers.last.cell if isinstance(layers.last, RecurrentLayers) else layers.last.cells[0]
    rows = x[:, None]
    for cell in (layers.first.cells[0], layers.second.cells[0], layers.third.cells[0], last):
        rows = cell(rows)[0]
    return torch.stack([method.classifier(h) for h in rows[:, 0]]).sum(0)


@pytest.mark.parametrize("last", ["lstm", "tanh"])
def test_scores_and_gradients_are_those_of_the_equations(last: Literal["lstm", "tanh"]) -> None:
    torch.manual_seed(0)
    settings = DBRNNSettings(first_units=3, second_units=4, third_units=5, last_units=6, last=last, weight_noise=0.0)
    method = DBRNN(KINECT, 60, settings, 4).double()
    rng = np.random.default_rng(0)
    sequences = [rng.uniform(-1, 1, (length, 60)).astype(np.float32) for length in (9, 1, 7)]
    labels = np.array([2, 0, 3])
    batch, order = pack(sequences, labels=labels)
    batch = replace(batch, frames=batch.frames.double())
    sums = torch.stack([_reference(method, torch.from_numpy(sequences[i]).double()) for i in order])
    torch.testing.assert_close(method.scores(batch.seen, batch.packing), sums, rtol=1e-11, atol=1e-12)
    gradients(method.networks, method.objectives(batch))
    chosen = torch.softmax(sums, dim=1)[torch.arange(3), torch.from_numpy(labels[order])]
    expected = torch.autograd.grad(-chosen.log().mean(), list(method.parameters()))
    for (name, weight), reference in zip(method.named_parameters(), expected, strict=True):
        assert reference.abs().max() > 0, name
        torch.testing.assert_close(weight.grad, reference, rtol=1e-9, atol=1e-12, msg=name)
