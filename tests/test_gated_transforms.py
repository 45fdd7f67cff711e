"""Gated transformations: the machine against sums over all states of its mapping units, contrastive divergence against
derivatives by hand and finite differences, and a toy that it solves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from motionprint.batches import Batch, pack
from motionprint.errors import SettingsError
from motionprint.methods.gated_transforms import GatedBoltzmannMachine, GatedTransforms, GatedTransformsSettings
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.training.loop import gradients

KINECT = SKELETONS["kinect20"]
INPUTS = 60


def _machine(inputs: int = 4, factors: int = 5, mappings: int = 3, seed: int = 0) -> GatedBoltzmannMachine:
    torch.manual_seed(seed)
    machine = GatedBoltzmannMachine(inputs, factors, mappings, 0.7).double()
    with torch.no_grad():
        machine.output_bias.normal_()
        machine.mapping_bias.normal_()
    return machine


def _method(**changes: object) -> GatedTransforms:
    torch.manual_seed(0)
    sizes: dict[str, object] = {"factors": 6, "mappings": 5, "gain": 2.0}
    return GatedTransforms(KINECT, INPUTS, GatedTransformsSettings(**{**sizes, **changes})).double()  # type: ignore[arg-type]


def _sequences(lengths: tuple[int, ...], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, (length, INPUTS)).astype(np.float32) for length in lengths]


def _batch(sequences: list[np.ndarray]) -> Batch:
    batch, _ = pack(sequences)
    return Batch(batch.frames.double(), batch.hidden, batch.packing, batch.known)


def _energy(machine: GatedBoltzmannMachine, x: Tensor, y: Tensor, h: Tensor) -> Tensor:
    """E(y, h; x) of single vectors, the three-way weights written out as one table of D x D x K."""
    weights = torch.einsum("if,jf,kf->ijk", machine.of_input, machine.of_output, machine.of_mapping)
    three = torch.einsum("ijk,i,j,k->", weights, x, y, h)
    return 0.5 * (y - machine.output_bias).square().sum() - three - h @ machine.mapping_bias


def _states(mappings: int) -> list[Tensor]:
    return [torch.tensor(bits, dtype=torch.float64) for bits in itertools.product((0.0, 1.0), repeat=mappings)]


def test_free_energy_and_conditionals_are_those_of_the_energy() -> None:
    machine = _machine()
    x, y = torch.randn(2, 7, 4, dtype=torch.float64)
    for each_x, each_y, free, logits in zip(x, y, machine.free_energy(x, y), machine.logits(x, y), strict=True):
        energies = torch.stack([_energy(machine, each_x, each_y, h) for h in _states(3)])
        torch.testing.assert_close(free, -torch.logsumexp(-energies, 0), rtol=1e-12, atol=1e-12)
        expected = torch.softmax(-energies, 0) @ torch.stack(_states(3))  # p(h = 1 | x, y)
        torch.testing.assert_close(torch.sigmoid(logits), expected, rtol=1e-12, atol=1e-12)
        for h in _states(3):  # the energy is least at the mean of p(y | x, h), and a unit parabola about it
            mean = machine.outputs(each_x[None], h[None])[0]
            rise = _energy(machine, each_x, each_y, h) - _energy(machine, each_x, mean, h)
            torch.testing.assert_close(rise, 0.5 * (each_y - mean).square().sum(), rtol=1e-10, atol=1e-10)


def _by_hand(machine: GatedBoltzmannMachine, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """The derivatives of the free energy of one pair, as outer products."""
    fx, fy = x @ machine.of_input, y @ machine.of_output
    h = 1 / (1 + torch.exp(-(machine.mapping_bias + machine.of_mapping @ (fx * fy))))
    fh = h @ machine.of_mapping
    return {
        "of_input": -torch.outer(x, fy * fh),
        "of_output": -torch.outer(y, fx * fh),
        "of_mapping": -torch.outer(h, fx * fy),
        "output_bias": machine.output_bias - y,
        "mapping_bias": -h,
    }


@pytest.mark.parametrize("centre", ["sequence", "none"])
def test_the_gradient_is_that_of_contrastive_divergence(centre: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = _method(centre=centre)
    sequences = _sequences((5, 2, 1, 4))
    batch = _batch(sequences)
    model = torch.randn(batch.packing.rows - 4, INPUTS, dtype=torch.float64)
    monkeypatch.setattr(GatedTransforms, "sample", lambda *_: model)
    gradients(method.networks, method.objectives(batch))
    expected = {name: torch.zeros_like(weight) for name, weight in method.machine.named_parameters()}
    order = [0, 3, 1, 2]  # longest first
    later = batch.later.packing
    for place, number in enumerate(order):
        frames = torch.from_numpy(sequences[number]).double()
        frames = 2.0 * (frames - (frames.mean(0) if centre == "sequence" else 0))
        own = model[later.sequence == place]
        for x, y, made in zip(frames[:-1], frames[1:], own, strict=True):
            with torch.no_grad():
                data, fantasy = _by_hand(method.machine, x, y), _by_hand(method.machine, x, made)
            for name in expected:
                expected[name] += (data[name] - fantasy[name]) / (len(frames) - 1) / 4
    for name, weight in method.machine.named_parameters():
        assert expected[name].abs().max() > 0, name
        torch.testing.assert_close(
            weight.grad, expected[name], rtol=1e-9, atol=1e-11, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_derivatives_of_the_free_energy_are_its_finite_differences() -> None:
    machine = _machine()
    x, y = torch.randn(2, 6, 4, dtype=torch.float64)
    machine.free_energy(x, y).sum().backward()  # type: ignore[no-untyped-call]
    step = 1e-6
    with torch.no_grad():
        for name, weight in machine.named_parameters():
            flat = weight.view(-1)
            for place in range(len(flat)):
                values = []
                for sign in (1, -1):
                    flat[place] += sign * step
                    values.append(machine.free_energy(x, y).sum())
                    flat[place] -= sign * step
                found = (values[0] - values[1]) / (2 * step)
                assert weight.grad is not None
                torch.testing.assert_close(weight.grad.view(-1)[place], found, rtol=1e-6, atol=1e-6, msg=name)


def test_samples_follow_the_conditionals() -> None:
    """Of many draws from one pair, the mean is that of p(y | x, h) over p(h | x, y), the variance what it must be."""
    torch.manual_seed(0)
    skeleton = Skeleton(("a", "b"), (-1, 0))
    method = GatedTransforms(skeleton, 6, GatedTransformsSettings(factors=4, mappings=3, initial=0.5)).double()
    batch = _batch([np.zeros((2, 6), np.float32)] * 40000)
    x, y = (torch.randn(1, 6, dtype=torch.float64).expand(40000, 6) for _ in range(2))
    found = method.sample(batch.later, x, y)
    assert not found.requires_grad
    with torch.no_grad():
        on = torch.sigmoid(method.machine.logits(x, y))[0]
        chances = torch.stack([torch.where(h > 0, on, 1 - on).prod() for h in _states(3)])
        means = method.machine.outputs(x[:8], torch.stack(_states(3)))  # (8, D)
    mean = chances @ means
    variance = 1 + chances @ (means - mean).square()
    assert ((found.mean(0) - mean).abs() < 5 * (variance / 40000).sqrt()).all()
    assert ((found.var(0) / variance - 1).abs() < 0.05).all()


def test_what_stands_at_a_missing_value_changes_nothing() -> None:
    method = _method()
    sequences = _sequences((6, 4))
    sequences[0][2:5, 7] = np.nan
    batch = _batch(sequences)
    assert batch.known is not None
    other = Batch(batch.frames.masked_fill(~batch.known, 1e6), batch.hidden, batch.packing, batch.known)
    found = []
    for each in (batch, other):
        torch.manual_seed(3)
        gradients(method.networks, method.objectives(each))
        found.append([p.grad.clone() for p in method.parameters() if p.grad is not None])
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)


def test_a_missing_value_is_left_out_of_the_machine() -> None:
    """The free energy of what is known is that of a machine without the other units."""
    machine, smaller = _machine(), _machine(inputs=3)
    with torch.no_grad():
        smaller.of_input.copy_(machine.of_input[:3])
        smaller.of_output.copy_(machine.of_output[:3])
        smaller.of_mapping.copy_(machine.of_mapping)
        smaller.output_bias.copy_(machine.output_bias[:3])
        smaller.mapping_bias.copy_(machine.mapping_bias)
    x, y = torch.randn(2, 5, 4, dtype=torch.float64)
    x[:, 3] = y[:, 3] = 0
    known = torch.tensor([True, True, True, False]).expand(5, 4)
    torch.testing.assert_close(machine.free_energy(x, y, known), smaller.free_energy(x[:, :3], y[:, :3]))


def test_features_are_the_mean_over_the_pairs_of_each_sequence_alone() -> None:
    method = _method()
    sequences = _sequences((9, 2, 1, 7))
    batch, order = pack(sequences)
    found = method.encode(batch.frames.double(), batch.packing)
    for place, number in enumerate(order):
        frames = torch.from_numpy(sequences[number]).double()
        frames = 2.0 * (frames - frames.mean(0))
        pairs = list(itertools.pairwise(frames)) or [(frames[0], frames[0])]
        units = [torch.sigmoid(method.machine.logits(x[None], y[None]))[0] for x, y in pairs]
        torch.testing.assert_close(found["F"][place], torch.stack(units).mean(0), rtol=0, atol=1e-12)
        assert torch.equal(found["F"], found["states"])


def test_sequences_of_one_frame_alone_cost_nothing() -> None:
    method = _method()
    objectives = method.objectives(_batch(_sequences((1, 1))))
    gradients(method.networks, objectives)
    assert objectives["machine"].item() == 0
    assert all(p.grad is not None and not p.grad.any() for p in method.parameters())


def _turning(count: int, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Pairs of frames: four joints at random places, turned about the vertical by 60 degrees one way or the other."""
    rng = np.random.default_rng(seed)
    way = np.arange(count) % 2
    sequences = []
    for turn in np.where(way, 1, -1) * np.pi / 3:
        x, y, z = rng.uniform(-0.5, 0.5, (3, 4))
        angle = turn * np.arange(2)[:, None]  # (T, 1)
        turned = [np.cos(angle) * x + np.sin(angle) * z, 0 * angle + y, np.cos(angle) * z - np.sin(angle) * x]
        sequences.append(np.stack(turned, 2).reshape(2, 12).astype(np.float32))  # (T, D)
    return sequences, way


def _told_apart(method: GatedTransforms) -> float:
    """How many of new sequences the nearest of the two ways' mean prints gets right."""
    prints, ways = [], []
    for seed in (1, 2):
        sequences, way = _turning(200, seed)
        batch, order = pack(sequences)
        with torch.no_grad():
            prints.append(method.encode(batch.frames, batch.packing)["F"])
        ways.append(torch.from_numpy(way[order]))
    means = torch.stack([prints[0][ways[0] == way].mean(0) for way in (0, 1)])
    return (torch.cdist(prints[1], means).argmin(1) == ways[1]).double().mean().item()


def test_mapping_units_tell_which_way_things_turn() -> None:
    """A toy: where the joints are tells nothing, only how frames follow each other does."""
    torch.manual_seed(0)
    settings = GatedTransformsSettings(factors=48, mappings=24, gain=5.0, centre="none")
    method = GatedTransforms(Skeleton(("a", "b", "c", "d"), (-1, 0, 0, 0)), 12, settings)
    sequences, _ = _turning(512, 0)
    batch, _ = pack(sequences)

    def reconstruction() -> float:
        with torch.no_grad():
            x, y, _ = method.pairs(batch)
            return (method.machine.outputs(x, torch.sigmoid(method.machine.logits(x, y))) - y).square().mean().item()

    untrained, before = _told_apart(method), reconstruction()
    optimiser = torch.optim.Adam(method.parameters(), lr=2e-3)
    for _ in range(300):
        gradients(method.networks, method.objectives(batch))
        optimiser.step()
    assert reconstruction() < before / 20
    assert untrained < 0.8
    assert _told_apart(method) > 0.97


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factors": 0}, "expected factors of at least 1, found 0"),
        ({"mappings": 0}, "expected mappings of at least 1, found 0"),
        ({"gain": 0.0}, "expected gain above 0, found 0.0"),
        ({"initial": -1.0}, "expected initial above 0, found -1.0"),
        ({"centre": "mean"}, "expected centre to be one of sequence, none, found 'mean'"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        GatedTransformsSettings(**changes)  # type: ignore[arg-type]
