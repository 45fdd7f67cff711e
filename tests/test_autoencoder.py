"""Autoencoder and composite model: gradients against plain nn.GRU, and what may and what may not reach a decoder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from motionprint.batches import Batch, Packing, pack
from motionprint.errors import SettingsError
from motionprint.methods import METHODS, Autoencoder, Composite, Method
from motionprint.methods.autoencoder import AutoencoderSettings
from motionprint.methods.composite import CompositeSettings
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.training.loop import gradients

KINECT = SKELETONS["kinect20"]
INPUTS = 60
LENGTHS = (9, 4, 1, 7, 2)

Sequences = list[npt.NDArray[np.float32]]


def _autoencoder(**changes: Any) -> Autoencoder:
    torch.manual_seed(0)
    settings = AutoencoderSettings(**{"encoder_units": 5, "decoder_units": 6, "dropout": 0.0, **changes})
    return Autoencoder(KINECT, INPUTS, settings).double()


def _composite(**changes: Any) -> Composite:
    torch.manual_seed(0)
    settings = CompositeSettings(**{"encoder_units": 5, "decoder_units": 6, "dropout": 0.0, **changes})
    return Composite(KINECT, INPUTS, settings).double()


def _sequences(lengths: tuple[int, ...] = LENGTHS, holes: bool = False) -> Sequences:
    rng = np.random.default_rng(0)
    sequences = [rng.uniform(-1, 1, (length, INPUTS)).astype(np.float32) for length in lengths]
    for sequence in sequences if holes else ():
        sequence[rng.random(sequence.shape) < 0.2] = np.nan
    return sequences


def _batch(sequences: Sequences) -> Batch:
    batch, _ = pack(sequences)
    return replace(batch, frames=batch.frames.double())


# ---- an independent reference: plain nn.GRU, one sequence at a time, each network's loss from a graph of its own ----


def _enc(method: Method, x: Tensor) -> Tensor:
    encoder = method.networks["encoder"]
    _, state = encoder.rnn.cell(x[:, None])  # x (T, D); state (2 layers x 2 directions, 1, H)
    return torch.tanh(encoder.output(torch.cat([state[-2, 0], state[-1, 0]])))


def _dec(decoder: nn.Module, first: Tensor, inputs: Tensor) -> Tensor:
    outputs, _ = decoder.rnn.cell(torch.cat([first[None], inputs])[:, None])
    return decoder.output(outputs[1:, 0])


def _one_late(x: Tensor, conditional: bool) -> Tensor:
    late = torch.zeros_like(x)
    for t in range(1, len(x) if conditional else 0):
        late[t] = x[t - 1]
    return late


def _squared(x: Tensor, known: Tensor, found: Tensor) -> Tensor:
    """The mean over frames of the sum over what is known; nothing of no frames."""
    errors = [((x[t] - found[t]) ** 2)[known[t]].sum() for t in range(len(x))]
    return sum(errors, start=torch.zeros((), dtype=x.dtype)) / max(len(x), 1)


def _compare(method: Method, batch: Batch, losses: dict[str, list[Tensor]]) -> None:
    """The objectives and gradients of a batch are those of the means of the sequences' losses."""
    objectives = method.objectives(batch)
    gradients(method.networks, objectives)
    assert list(objectives) == list(losses)
    for name, network in method.networks.items():
        loss = torch.stack(losses[name]).mean()
        torch.testing.assert_close(objectives[name], loss, rtol=1e-12, atol=1e-12)
        expected = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
        for (parameter, weight), reference in zip(network.named_parameters(), expected, strict=True):
            assert weight.grad is not None
            assert reference.abs().max() > 0, (name, parameter)
            torch.testing.assert_close(weight.grad, reference, rtol=1e-10, atol=1e-12, msg=f"{name}.{parameter}")


def _split(sequences: Sequences) -> list[tuple[Tensor, Tensor]]:
    """Values, zero where missing, and which are known."""
    found = [torch.from_numpy(sequence).double() for sequence in sequences]
    return [(x.nan_to_num(0.0), ~x.isnan()) for x in found]


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("reverse", [True, False])
def test_the_autoencoder_follows_the_gradient_of_the_reconstruction(reverse: bool, holes: bool) -> None:
    method = _autoencoder(reverse=reverse)
    sequences = _sequences(holes=holes)
    losses = []
    for x, known in _split(sequences):
        found = _dec(method.decoder, _enc(method, x), torch.zeros_like(x))
        losses.append(_squared(x, known, found.flip(0) if reverse else found))
    _compare(method, _batch(sequences), {"encoder": losses, "decoder": losses})


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize(
    ("changes", "cuts"),
    [
        ({}, [(4, 9), (2, 4), (1, 1), (3, 7), (1, 2)]),
        ({"reverse": False}, [(4, 9), (2, 4), (1, 1), (3, 7), (1, 2)]),
        ({"conditional": "future"}, [(4, 9), (2, 4), (1, 1), (3, 7), (1, 2)]),
        ({"conditional": "both"}, [(4, 9), (2, 4), (1, 1), (3, 7), (1, 2)]),
        ({"conditional": "both", "reverse": False}, [(4, 9), (2, 4), (1, 1), (3, 7), (1, 2)]),
        ({"past": 3, "future": 2}, [(3, 5), (3, 4), (1, 1), (3, 5), (2, 2)]),
        ({"past": 4}, [(4, 9), (4, 4), (1, 1), (4, 7), (2, 2)]),
        ({"future": 3}, [(4, 7), (2, 4), (1, 1), (3, 6), (1, 2)]),
    ],
)
def test_the_composite_model_routes_each_loss(
    changes: dict[str, Any], cuts: list[tuple[int, int]], holes: bool
) -> None:
    """``cuts``: of each sequence, where the past and where the future ends."""
    method = _composite(**changes)
    sequences = _sequences(holes=holes)
    conditional, reverse = changes.get("conditional", "none"), changes.get("reverse", True)
    past, future = [], []
    for (x, known), (middle, end) in zip(_split(sequences), cuts, strict=True):
        first = _enc(method, x[:middle])
        target = x[:middle].flip(0) if reverse else x[:middle]
        found = _dec(method.decoder, first, _one_late(target, conditional == "both"))
        past.append(_squared(x[:middle], known[:middle], found.flip(0) if reverse else found))
        found = _dec(method.predictor, first, _one_late(x[middle:end], conditional != "none"))
        future.append(_squared(x[middle:end], known[middle:end], found))
    both = [one + other for one, other in zip(past, future, strict=True)]
    _compare(method, _batch(sequences), {"encoder": both, "decoder": past, "predictor": future})


@pytest.mark.parametrize("conditional", ["none", "both"])
def test_without_a_future_the_predictor_learns_nothing(conditional: str) -> None:
    for sequences in (_sequences((1, 1, 1)), _sequences((1,))):
        method = _composite(conditional=conditional)
        objectives = method.objectives(_batch(sequences))
        assert objectives["predictor"].item() == 0
        assert torch.equal(objectives["encoder"], objectives["decoder"])
        gradients(method.networks, objectives)
        assert all(p.grad is not None and not p.grad.any() for p in method.predictor.parameters())
        assert all(p.grad is not None and p.grad.any() for p in method.decoder.output.parameters())


@pytest.mark.parametrize("output", ["linear", "recurrent"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_nothing_of_the_sequence_reaches_the_decoders_but_through_the_print(cell: str, output: str) -> None:
    """Other sequences of the same lengths and prints are given back alike."""
    one, other = _batch(_sequences()), _batch([sequence[::-1] / 2 for sequence in _sequences()])
    prints = torch.randn(one.packing.count, INPUTS, dtype=torch.float64)
    composite = _composite(cell=cell, output=output)
    for batches in (
        [composite.past(b) for b in (one, other)],
        [composite.future(b) for b in (one, other)],
    ):
        assert not torch.equal(batches[0].frames, batches[1].frames)
    found = [
        (composite.reconstruct(composite.past(b), prints), composite.predict(composite.future(b), prints))
        for b in (one, other)
    ]
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)
    # and the print does
    turned = composite.predict(composite.future(one), prints.flip(1))
    assert not torch.isclose(turned, found[0][1]).all()


def test_the_last_frame_is_given_back_first() -> None:
    method = _autoencoder()
    packing = Packing((4, 2))
    prints = torch.randn(2, INPUTS, dtype=torch.float64)
    found = method.reconstruct(prints, packing)
    shorter = method.reconstruct(prints, Packing((3, 1)))
    # a longer sequence's frames after the first are what a shorter one's all are
    torch.testing.assert_close(found[(packing.time > 0)], shorter, rtol=0, atol=1e-12)


def test_features_are_those_of_the_whole_sequence() -> None:
    sequences = _sequences()
    batch = _batch(sequences)
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
    for method in (_autoencoder(), _composite()):
        found = method.encode(batch.frames, batch.packing)
        expected = torch.stack([_enc(method, torch.from_numpy(sequences[i]).double()) for i in order])
        torch.testing.assert_close(found["F"], expected, rtol=0, atol=1e-12)
        torch.testing.assert_close(torch.tanh(method.encoder.output(found["states"])), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("share", [(0, 1), (0, 3), (1, 3)])
def test_a_packing_whose_lengths_are_on_the_device_gives_the_same(share: tuple[int, int]) -> None:
    for method in (_autoencoder(), _composite(conditional="both")):
        batch = _batch(_sequences((9, 7, 7, 2, 1)))
        packing = batch.packing.every(*share) if share[1] > 1 else batch.packing
        frames = batch.frames[packing.rows_in_whole]
        host = replace(batch, frames=frames, hidden=torch.zeros_like(frames, dtype=torch.bool), packing=packing)
        placed = replace(host, packing=replace(packing, placed=torch.tensor(packing.lengths)))
        expected = method.objectives(host)
        for name, value in method.objectives(placed).items():
            assert torch.equal(value, expected[name])


@pytest.mark.parametrize("name", ["autoencoder", "composite"])
def test_any_skeleton_will_do(name: str) -> None:
    kind = METHODS[name]
    method = kind(Skeleton(("a", "b"), (-1, 0)), 6, kind.presets["small"])
    assert method.hidden_inputs.shape == (0, 0)


@pytest.mark.parametrize(
    ("settings", "changes", "message"),
    [
        (AutoencoderSettings, {"encoder_units": 0}, "expected encoder_units of at least 1, found 0"),
        (AutoencoderSettings, {"cell": "rnn"}, "expected cell to be one of gru, lstm, found 'rnn'"),
        (AutoencoderSettings, {"output": "none"}, "expected output to be one of linear, recurrent, found 'none'"),
        (AutoencoderSettings, {"dropout": 1.0}, r"expected dropout in \[0, 1\), found 1.0"),
        (CompositeSettings, {"layers": 0}, "expected layers of at least 1, found 0"),
        (CompositeSettings, {"past": 0}, "expected past of at least 1, found 0"),
        (CompositeSettings, {"future": -1}, "expected future of at least 1, found -1"),
        (
            CompositeSettings,
            {"conditional": "past"},
            "expected conditional to be one of none, future, both, found 'past'",
        ),
        (CompositeSettings, {"dropout": -0.1}, r"expected dropout in \[0, 1\), found -0.1"),
    ],
)
def test_impossible_settings_are_refused(settings: type[Any], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(**changes)


@pytest.mark.parametrize("name", ["autoencoder", "composite"])
def test_sizes_are_those_of_inpainting(name: str) -> None:
    """The comparison is on the same networks and settings."""
    ours, theirs = METHODS[name].presets, METHODS["inpainting"].presets
    assert [*ours, "repair"] == list(theirs)  # a repairer is no method to compare
    for preset, settings in ours.items():
        for field in ("encoder_units", "decoder_units", "layers", "cell", "dropout", "print_tanh", "output"):
            assert getattr(settings, field) == getattr(theirs[preset], field), (preset, field)
