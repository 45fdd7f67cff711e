"""Co-deep LSTM: the regularisation written out gate by gate, group by group, input by input, and what it does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from motionprint.batches import pack
from motionprint.methods.co_lstm import CoLSTM, CoLSTMSettings
from motionprint.methods.deep_lstm import DeepLSTM, DeepLSTMSettings
from motionprint.skeleton import SKELETONS
from motionprint.training.loop import gradients

KINECT = SKELETONS["kinect20"]
SIZES = {"first_units": 4, "second_units": 6, "third_units": 4, "fourth_units": 6, "fifth_units": 8}


def _regularisation(method: CoLSTM) -> Tensor:
    """The two terms in loops; gates are i, f, c, o in the order of ``nn.LSTM``."""
    settings, layers = method.settings, method.layers
    cells = [layers.first.cell, layers.second.cell, layers.third.layer.cell]
    lstm = [
        [
            getattr(cell, f"weight_ih_l0{way}")[gate * h : (gate + 1) * h]
            for way in ("", "_reverse")
            for gate in range(4)
        ]
        for cell, h in zip(cells, (4, 4, 8), strict=True)
    ]
    by_layer = [lstm[0], [layers.between.weight], lstm[1], [layers.above.weight], lstm[2]]
    total = torch.zeros((), dtype=torch.float64)
    for layer in by_layer[: settings.regularised_layers]:
        for weight in layer:
            total = total + settings.lambda_1 * weight.abs().sum()
            size = len(weight) // settings.groups
            for group in range(settings.groups):
                for column in weight[group * size : (group + 1) * size].t():
                    total = total + settings.lambda_2 * column.square().sum().sqrt()
    return total


@pytest.mark.parametrize("layers", [0, 1, 3, 5])
def test_the_loss_and_its_gradients_are_deep_lstms_and_the_regularisation(layers: int) -> None:
    torch.manual_seed(0)
    settings = CoLSTMSettings(
        **SIZES, groups=2, regularised_layers=layers, lambda_1=0.3, lambda_2=0.7, in_depth_dropout=0.0
    )
    method = CoLSTM(KINECT, 60, settings, 4).double().train()
    plain = DeepLSTM(KINECT, 60, DeepLSTMSettings(**SIZES), 4).double().train()
    plain.load_state_dict(method.state_dict())
    rng = np.random.default_rng(0)
    sequences = [rng.uniform(-1, 1, (length, 60)).astype(np.float32) for length in (9, 1, 7)]
    batch, _ = pack(sequences, labels=np.array([2, 0, 3]))
    batch = replace(batch, frames=batch.frames.double())
    objective = method.objectives(batch)["layers"]
    gradients(plain.networks, plain.objectives(batch))
    regularisation = _regularisation(method)
    torch.testing.assert_close(objective, plain.objectives(batch)["layers"] + regularisation, rtol=1e-11, atol=1e-12)
    added = (
        torch.autograd.grad(regularisation, list(method.parameters()), allow_unused=True)
        if layers
        else [None] * len(list(method.parameters()))
    )
    gradients(method.networks, method.objectives(batch))
    for (name, weight), other, extra in zip(method.named_parameters(), plain.parameters(), added, strict=True):
        assert other.grad is not None
        expected = other.grad if extra is None else other.grad + extra
        torch.testing.assert_close(weight.grad, expected, rtol=1e-9, atol=1e-12, msg=name)


def test_the_regularisation_leaves_inputs_unread_but_those_that_tell() -> None:
    """Two classes that one joint tells apart: with it the cells read that joint and no other; without it, all."""
    rng = np.random.default_rng(0)
    sequences = [rng.uniform(-0.2, 0.2, (5, 60)).astype(np.float32) for _ in range(16)]
    labels = np.arange(16) % 2
    for sequence, label in zip(sequences, labels, strict=True):
        sequence[:, 6:9] += 0.8 * label - 0.4
    batch, _ = pack(sequences, labels=labels)
    joint = torch.zeros(60, dtype=torch.bool)
    joint[6:9] = True
    read = []
    for weight in (0.0, 0.003):
        torch.manual_seed(0)
        settings = CoLSTMSettings(
            **SIZES, groups=2, regularised_layers=1, lambda_1=0.0, lambda_2=weight, in_depth_dropout=0.0
        )
        method = CoLSTM(KINECT, 60, settings, 2)
        optimiser = torch.optim.Adam(method.parameters(), lr=1e-2)
        for _ in range(150):
            gradients(method.networks, method.objectives(batch))
            optimiser.step()
        assert batch.labels is not None
        assert torch.equal(method.scores(batch.seen, batch.packing).argmax(1), batch.labels)
        with torch.no_grad():
            cells = torch.stack([method.layers.input_weights[0][gate] for gate in (2, 6)])  # forwards, backwards
            norms = cells.view(2, 2, 2, 60).norm(dim=2)  # (directions, groups, inputs)
            read.append((norms[..., joint].amax().item(), norms[..., ~joint].mean().item()))
    assert read[0][1] > 0.2
    assert read[1][0] > 0.2
    assert read[1][1] < 0.01


def test_a_weight_of_zero_has_a_finite_gradient() -> None:
    settings = CoLSTMSettings(**SIZES, groups=2, lambda_1=0.1, lambda_2=0.1)
    method = CoLSTM(KINECT, 60, settings, 4)
    torch.nn.init.zeros_(method.layers.between.weight)
    method._regularisation().backward()
    assert method.layers.between.weight.grad is not None
    assert not method.layers.between.weight.grad.any()
