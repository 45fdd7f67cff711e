"""Deep LSTM: the equations one sequence at a time with PyTorch's own layers, and what dropout drops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from motionprint.batches import Packing, pack
from motionprint.methods.deep_lstm import DeepLSTM, DeepLSTMSettings
from motionprint.networks import deep_lstm as network
from motionprint.skeleton import SKELETONS
from motionprint.training.loop import gradients

KINECT = SKELETONS["kinect20"]
SIZES = {"first_units": 3, "second_units": 4, "third_units": 5, "fourth_units": 6, "fifth_units": 7}


def _reference(method: DeepLSTM, x: Tensor, masks: list[Tensor]) -> Tensor:
    """The sum over time of o_t (C,) of one sequence x (T, D); a mask (T, .) for what each of five layers gives."""
    layers = method.layers
    rows = layers.first.cell(x[:, None])[0][:, 0] * masks[0]
    rows = torch.tanh(rows @ layers.between.weight.t() + layers.between.bias) * masks[1]
    rows = layers.second.cell(rows[:, None])[0][:, 0] * masks[2]
    rows = torch.tanh(rows @ layers.above.weight.t() + layers.above.bias) * masks[3]
    rows = layers.third.layer.cell(rows[:, None])[0][:, 0] * masks[4]
    return torch.stack([method.classifier(h) for h in rows]).sum(0)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_scores_and_gradients_are_those_of_the_equations(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Tensor] = []

    def drop(values: Tensor, share: float, packing: Packing) -> Tensor:
        drawn.append((torch.rand_like(values) >= share) / (1 - share))
        return values * drawn[-1]

    monkeypatch.setattr(network, "dropout", drop)
    torch.manual_seed(0)
    method = DeepLSTM(KINECT, 60, DeepLSTMSettings(**SIZES, dropout=share), 4).double().train()
    rng = np.random.default_rng(0)
    sequences = [rng.uniform(-1, 1, (length, 60)).astype(np.float32) for length in (9, 1, 7)]
    labels = np.array([2, 0, 3])
    batch, order = pack(sequences, labels=labels)
    batch = replace(batch, frames=batch.frames.double())
    gradients(method.networks, method.objectives(batch))
    assert len(drawn) == (5 if share else 0)
    ones = [torch.ones(17, 1, dtype=torch.float64)] * 5
    sums = torch.stack(
        [
            _reference(
                method,
                torch.from_numpy(sequences[i]).double(),
                [mask[batch.packing.sequence == place] for mask in drawn or ones],
            )
            for place, i in enumerate(order)
        ]
    )
    chosen = torch.softmax(sums, dim=1)[torch.arange(3), torch.from_numpy(labels[order])]
    expected = torch.autograd.grad(-chosen.log().mean(), list(method.parameters()))
    for (name, weight), reference in zip(method.named_parameters(), expected, strict=True):
        assert reference.abs().max() > 0, name
        torch.testing.assert_close(weight.grad, reference, rtol=1e-9, atol=1e-12, msg=name)


def test_the_baseline_has_no_dropout_and_the_other_presets_have() -> None:
    presets = DeepLSTM.presets
    assert presets["small"].dropout == presets["paper"].dropout == 0
    for name in ("small", "paper"):
        assert replace(presets[f"{name}-dropout"], dropout=0) == presets[name]
        assert presets[f"{name}-dropout"].dropout > 0
