"""Layers of tanh units, and values over time: against PyTorch's own, one sequence at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from motionprint.batches import Packing
from motionprint.networks import RecurrentLayers, TanhLayers, averaged, noisy, summed
from motionprint.networks.tanh import _Recurrence

PACKING = Packing((6, 4, 4, 1))
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def test_outputs_and_gradients_are_those_of_rnn_one_sequence_at_a_time() -> None:
    torch.manual_seed(0)
    layers = TanhLayers([3, 5], 4).double()
    blocks = [torch.randn(PACKING.rows, inputs, dtype=torch.float64, requires_grad=True) for inputs in (3, 5)]
    wanted = torch.randn(2, PACKING.rows, 8, dtype=torch.float64)  # the loss is a product with it
    found = torch.stack(layers(blocks, PACKING))
    leaves = [*blocks, *layers.parameters()]
    gradients = torch.autograd.grad((found * wanted).sum(), leaves)

    expected = torch.zeros_like(found)
    for number, (cell, rows) in enumerate(zip(layers.cells, blocks, strict=True)):
        assert isinstance(cell, nn.RNN)
        for sequence in range(PACKING.count):
            places = (PACKING.sequence == sequence).nonzero()[:, 0]
            expected = expected.index_put((torch.tensor(number), places), cell(rows[places][:, None])[0][:, 0])
    torch.testing.assert_close(found, expected, **EXACT)
    references = torch.autograd.grad((expected * wanted).sum(), leaves)
    for gradient, reference in zip(gradients, references, strict=True):
        assert reference.abs().max() > 0
        torch.testing.assert_close(gradient, reference, **EXACT)


def test_the_recurrence_has_the_gradient_of_finite_differences() -> None:
    torch.manual_seed(0)
    by_input = torch.randn(2, PACKING.rows, 3, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, w: _Recurrence.apply(a, w, PACKING), (by_input, weights))


def test_sums_and_means_are_those_of_each_sequence() -> None:
    values = torch.randn(PACKING.rows, 2, dtype=torch.float64)
    for sequence in range(PACKING.count):
        own = values[PACKING.sequence == sequence]
        torch.testing.assert_close(summed(values, PACKING)[sequence], own.sum(0), **EXACT)
        torch.testing.assert_close(averaged(values, PACKING)[sequence], own.mean(0), **EXACT)


class _Product(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2000, dtype=torch.float64))

    def forward(self, frames: torch.Tensor, packing: Packing) -> torch.Tensor:
        return frames * self.weight


class _Layer(nn.Module):
    """An LSTM as other devices compute it."""

    def __init__(self, low: torch.dtype | None) -> None:
        super().__init__()
        self.rnn = RecurrentLayers(3, 4, 1, bidirectional=True, cell="lstm")
        self.rnn.low = low

    def forward(self, frames: torch.Tensor, packing: Packing) -> torch.Tensor:
        return self.rnn._kernels(frames, packing)


@pytest.mark.parametrize("low", [None, torch.bfloat16])
def test_weight_noise_reaches_the_kernels_of_other_devices_in_either_precision(low: torch.dtype | None) -> None:
    torch.manual_seed(0)
    network, frames = _Layer(low), torch.ones(PACKING.rows, 3)
    quiet = noisy(network, 0.0, frames, PACKING)
    found = noisy(network, 0.5, frames, PACKING)
    assert (found - quiet).abs().max() > 0.1
    found.sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in network.parameters())
    assert torch.equal(network(frames, PACKING), quiet)
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    assert not network(frames, PACKING).any()  # no noise is left


def test_weight_noise_has_its_deviation_and_leaves_the_weights_and_what_is_no_training() -> None:
    torch.manual_seed(0)
    network = _Product()
    ones = torch.ones(1, 2000, dtype=torch.float64)
    found = noisy(network, 0.1, ones, PACKING)
    assert np.isclose((found - 1).std().item(), 0.1, rtol=0.1)
    found.sum().backward()
    assert network.weight.grad is not None
    torch.testing.assert_close(network.weight.grad, ones[0])  # of the weights themselves
    assert torch.equal(network.weight.detach(), ones[0])
    assert torch.equal(noisy(network, 0.0, ones, PACKING), ones)
    assert torch.equal(noisy(network.eval(), 0.1, ones, PACKING), ones)
