"""What holds of every method, whatever it minimises. A new one needs a line here only where sizes are not enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from motionprint.batches import Batch, pack
from motionprint.methods import METHODS, Method
from motionprint.preprocessing import Frames
from motionprint.skeleton import SKELETONS
from motionprint.training.loop import gradients

KINECT = SKELETONS["kinect20"]
INPUTS = 60
EXACT = {"rtol": 0.0, "atol": 1e-10}

Sequences = list[npt.NDArray[np.float32]]

SMALL: dict[str, dict[str, Any]] = {}
"""By method, further settings; those of every method are small sizes (NAME_units), and nothing is dropped."""

FALLS_TO: dict[str, float] = {"gated_transforms": 0.2}  # a difference of free energies: noise is left of it
"""By method, the share of its first value that an encoder's objective must fall to on one batch; 0.1 unless named."""

SAMPLING = {"gated_transforms"}
"""Methods that draw for each value: the order of the sequences is part of what is drawn."""

STEPPED = sorted(name for name, kind in METHODS.items() if not kind.closed)


def _sequences(lengths: tuple[int, ...] = (9, 4, 1, 7, 7), seed: int = 0) -> Sequences:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, (length, INPUTS)).astype(np.float32) for length in lengths]


def _method(name: str, units: int = 5, seed: int = 0, **changes: Any) -> Method:
    """A small one without dropout; a closed one is solved on some random sequences."""
    kind = METHODS[name]
    settings = kind.presets["small"]
    for field in fields(settings):
        if field.name.endswith("_units"):
            changes.setdefault(field.name, units)
        elif field.name == "dropout":
            changes.setdefault(field.name, 0.0)
    torch.manual_seed(seed)
    method = kind(KINECT, INPUTS, replace(settings, **{**changes, **SMALL.get(name, {})}))
    if kind.closed:
        method.solve(Frames(([sequence] for sequence in _sequences((12,) * 30, 1)), INPUTS), None, seed)
    return method


def _batch(method: Method, sequences: Sequences) -> tuple[Batch, npt.NDArray[np.intp]]:
    """In float64; where the method hides something, the first of its parts."""
    parts = method.hidden_inputs
    hidden = parts[:1].repeat(len(sequences), axis=0) if len(parts) else None
    batch, order = pack(sequences, hidden)
    return replace(batch, frames=batch.frames.double()), order


def _with_holes(sequences: Sequences) -> Sequences:
    """Three joints in ten are missing, and all of them in one frame."""
    rng = np.random.default_rng(2)
    found = [sequence.copy() for sequence in sequences]
    for sequence in found:
        sequence[(rng.random((len(sequence), INPUTS // 3)) < 0.3).repeat(3, axis=1)] = np.nan
    found[0][3] = np.nan
    return found


def _found(method: Method, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Objectives by network, gradients by parameter; what is drawn is the same for all."""
    torch.manual_seed(3)
    objectives = method.objectives(batch)
    gradients(method.networks, objectives)
    return dict(objectives), {name: p.grad.clone() for name, p in method.named_parameters() if p.grad is not None}


def _alike(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], **close: float) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, **(close or EXACT), msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("name", sorted(METHODS))
def test_networks_are_disjoint_and_cover_all_parameters(name: str) -> None:
    method = _method(name)
    owned = [id(p) for network in method.networks.values() for p in network.parameters()]
    assert len(owned) == len(set(owned))
    assert set(owned) == {id(p) for p in method.parameters()}
    expected = set() if method.closed else set(method.networks)
    assert set(method.objectives(pack(_sequences())[0])) == expected


@pytest.mark.parametrize("name", STEPPED)
def test_every_network_gets_the_gradient_of_its_own_objective_alone(name: str) -> None:
    method = _method(name).double()
    batch, _ = _batch(method, _with_holes(_sequences()))
    for network, module in method.networks.items():
        torch.manual_seed(3)
        own = method.objectives(batch)[network]  # a graph of its own
        expected = torch.autograd.grad(own, list(module.parameters()), allow_unused=True)
        _found(method, batch)
        for (parameter, weight), gradient in zip(module.named_parameters(), expected, strict=True):
            assert weight.grad is not None
            wanted = torch.zeros_like(weight) if gradient is None else gradient
            torch.testing.assert_close(weight.grad, wanted, rtol=1e-10, atol=1e-12, msg=f"{network}.{parameter}")


@pytest.mark.parametrize("name", sorted(METHODS))
def test_features_do_not_depend_on_padding_order_and_neighbours(name: str) -> None:
    method = _method(name).double().eval()
    sequences = _sequences()
    batch, order = _batch(method, sequences)
    with torch.no_grad():
        together = method.encode(batch.frames, batch.packing)
        for place, i in enumerate(order):
            alone, _ = _batch(method, [sequences[i]])
            _alike(method.encode(alone.frames, alone.packing), {k: v[place : place + 1] for k, v in together.items()})
        turned, turned_order = _batch(method, sequences[::-1])
        at = [list(turned_order).index(len(sequences) - 1 - i) for i in order]
        found = method.encode(turned.frames, turned.packing)
    _alike({key: value[at] for key, value in found.items()}, together)
    assert set(together) == {"F", "states"}


@pytest.mark.parametrize("name", sorted(set(STEPPED) - SAMPLING))
def test_objectives_are_means_over_sequences_whatever_their_order(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = _method(name).double()
    # what is drawn for one sequence is drawn for all
    monkeypatch.setattr(Batch, "normal", lambda batch, columns: batch.frames.new_ones(batch.packing.count, columns))
    sequences = _with_holes(_sequences())
    found = _found(method, _batch(method, sequences)[0])
    turned = _found(method, _batch(method, sequences[::-1])[0])
    alone = [_found(method, _batch(method, [sequence])[0]) for sequence in sequences]
    for kind in (0, 1):
        _alike(turned[kind], found[kind])
        means = {key: torch.stack([each[kind][key] for each in alone]).mean(0) for key in found[kind]}
        _alike(means, found[kind])


@pytest.mark.parametrize("name", STEPPED)
def test_what_stands_at_a_missing_value_changes_nothing(name: str) -> None:
    method = _method(name).double()
    batch, _ = _batch(method, _with_holes(_sequences()))
    assert batch.known is not None
    expected = _found(method, batch)
    anything = 100 * torch.randn_like(batch.frames)
    found = _found(method, replace(batch, frames=torch.where(batch.known, batch.frames, anything)))
    for kind in (0, 1):
        _alike(found[kind], expected[kind], rtol=0.0, atol=0.0)


@pytest.mark.parametrize("name", STEPPED)
def test_it_overfits_one_batch(name: str) -> None:
    """Smooth movements, all joints of a sequence alike but for their sign: little to remember."""
    method = _method(name, units=24)
    rng = np.random.default_rng(0)
    sequences = []
    for length in (12, 10, 8, 6):
        phase, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.6)
        wave = 0.8 * np.sin(phase + speed * np.arange(length))
        sequences.append((wave[:, None] * rng.choice([-1, 1], INPUTS)).astype(np.float32))
    batch = replace(_batch(method, sequences)[0], frames=pack(sequences)[0].frames)
    optimiser = torch.optim.Adam(method.parameters(), lr=0.01)
    values = []
    for _ in range(300):
        objectives = method.objectives(batch)
        values.append(objectives.get("encoder", next(iter(objectives.values()))).item())
        gradients(method.networks, objectives)
        optimiser.step()
    assert np.mean(values[-10:]) < FALLS_TO.get(name, 0.1) * values[0]
