"""ST-LSTM: the grid's equations and derivatives, the walk over the body, the frames that are read, the trust gates."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from motionprint.batches import Batch, pack
from motionprint.corpora.synthetic import generate
from motionprint.errors import SettingsError
from motionprint.methods import CLASSIFIERS, StLstm
from motionprint.methods.st_lstm import StLstmSettings, _sampled, walk
from motionprint.networks.grid import GridLstm
from motionprint.persons import stacked
from motionprint.preprocessing import Recipe
from motionprint.skeleton import SKELETONS
from motionprint.training.loop import gradients

KINECT = SKELETONS["kinect20"]
SBU = SKELETONS["sbu15"]
EXACT = {"rtol": 1e-9, "atol": 1e-11}
CHANGES: list[dict[str, object]] = [{}, {"trust_gates": False}, {"tree": False}, {"layers": 3}]


def _method(inputs: int = 45, seed: int = 0, **changes: object) -> StLstm:
    torch.manual_seed(seed)
    sizes: dict[str, object] = {"units": 5, "frames": 4, "dropout": 0.0}
    return StLstm(SBU, inputs, StLstmSettings(**{**sizes, **changes}), 3).double().eval()  # type: ignore[arg-type]


def _sequences(lengths: tuple[int, ...] = (9, 3, 4, 7), inputs: int = 45, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, (length, inputs)).astype(np.float32) for length in lengths]


def _batch(sequences: list[np.ndarray]) -> tuple[Batch, np.ndarray]:
    batch, order = pack(sequences, labels=np.arange(len(sequences)) % 3)
    return replace(batch, frames=batch.frames.double()), order


# ---- an independent reference: the paper's equations, one sequence and one step at a time ---------------------------


def _layer(layer: GridLstm, steps: list[list[Tensor]]) -> list[list[Tensor]]:
    """States of a layer, [t][j], of its inputs [t][j]."""
    H = layer.context.weight.shape[1] // 2
    gated = layer.trust_lambda is not None
    h: dict[tuple[int, int], Tensor] = {}
    c: dict[tuple[int, int], Tensor] = {}
    zero = torch.zeros(H, dtype=torch.float64)
    for t, row in enumerate(steps):
        for j, x in enumerate(row):
            context = torch.cat([h.get((j - 1, t), zero), h.get((j, t - 1), zero)])
            of_input, of_context = layer.input(x).split(H), layer.context(context).split(H)
            a, b = of_input[-5:], of_context[-5:]
            u = torch.tanh(a[0] + b[0])
            i, f_s, f_t, o = (torch.sigmoid(p + q) for p, q in zip(a[1:], b[1:], strict=True))
            c_s, c_t = c.get((j - 1, t), zero), c.get((j, t - 1), zero)
            if gated:
                trust = torch.exp(-layer.trust_lambda * (torch.tanh(of_context[0]) - torch.tanh(of_input[0])) ** 2)
                c[j, t] = trust * i * u + (1 - trust) * f_s * c_s + (1 - trust) * f_t * c_t
            else:
                c[j, t] = i * u + f_s * c_s + f_t * c_t
            h[j, t] = o * torch.tanh(c[j, t])
    return [[h[j, t] for j in range(len(row))] for t, row in enumerate(steps)]


def _reference(method: StLstm, x: Tensor) -> tuple[Tensor, Tensor]:
    """Top states (T, S, H) and probabilities (T, S, C) of one sequence (T, D)."""
    length, most = len(x), method.settings.frames
    parts = min(length, most)
    edges = [k * length // parts for k in range(parts + 1)]
    read = [a + (b - a) // 2 for a, b in pairwise(edges)]
    steps = [[x[t, 3 * joint : 3 * joint + 3] for joint in method.visits] for t in read]
    for layer in method.layers:
        steps = _layer(layer, steps)  # type: ignore[arg-type]
    top = torch.stack([torch.stack(row) for row in steps])
    return top, torch.softmax(method.output(top), -1)


@pytest.mark.parametrize("changes", CHANGES)
def test_scores_loss_and_gradients_are_those_of_the_equations(changes: dict[str, object]) -> None:
    method, sequences = _method(**changes), _sequences()
    batch, order = _batch(sequences)
    gradients(method.networks, method.objectives(batch))
    found = [parameter.grad for parameter in method.parameters()]
    scores, features = method.scores(batch.frames, batch.packing), method.encode(batch.frames, batch.packing)["F"]
    losses = []
    for place, number in enumerate(order):
        top, probabilities = _reference(method, torch.from_numpy(sequences[number]).double())
        torch.testing.assert_close(scores[place].exp(), probabilities.mean((0, 1)), **EXACT)
        torch.testing.assert_close(features[place], top.mean((0, 1)), **EXACT)
        losses.append(-probabilities[..., number % 3].log().mean())
    loss = torch.stack(losses).mean()
    torch.testing.assert_close(method.objectives(batch)["layers"], loss, **EXACT)
    for gradient, expected in zip(found, torch.autograd.grad(loss, list(method.parameters())), strict=True):
        assert expected.abs().max() > 0
        torch.testing.assert_close(gradient, expected, **EXACT)


def test_the_walk_goes_over_every_bone_twice() -> None:
    assert walk((-1, 0, 1, 0)) == (0, 1, 2, 1, 0, 3, 0)
    for skeleton in (*SKELETONS.values(), stacked(SBU)):
        visits = walk(skeleton.parents)
        assert len(visits) == 2 * len(skeleton) - 1
        assert set(visits) == set(range(len(skeleton)))
        assert visits[0] == visits[-1] == skeleton.root
        assert all(skeleton.parents[a] == b or skeleton.parents[b] == a for a, b in pairwise(visits))


def test_the_roots_path_is_a_joint_at_the_root_and_two_persons_are_one_tree() -> None:
    method = _method(inputs=48)
    at = method.visits.index(15)
    assert method.visits[at - 1] == method.visits[at + 1] == SBU.root
    assert _method(inputs=48, tree=False).visits == tuple(range(16))
    pair = stacked(SBU)
    method = StLstm(pair, 90, StLstmSettings(units=4), 3)
    batch, _ = pack(_sequences(inputs=90))
    assert method.scores(batch.frames, batch.packing).shape == (4, 3)


@pytest.mark.parametrize("draw", [False, True])
def test_one_frame_of_each_part_is_read(draw: bool) -> None:
    batch, _ = pack(_sequences((9, 7, 4, 3)))
    seen: list[set[int]] = [set() for _ in range(4)]
    for seed in range(40):
        torch.manual_seed(seed)
        sampled, rows = _sampled(batch.packing, 4, draw)
        assert sampled.lengths == (4, 4, 4, 3)
        assert torch.equal(batch.packing.sequence[rows], sampled.sequence)
        time = batch.packing.time[rows]
        for part in range(4):
            chosen = int(time[(sampled.sequence == 0) & (sampled.time == part)])
            assert part * 9 // 4 <= chosen < (part + 1) * 9 // 4
            seen[part].add(chosen)
        assert time[sampled.sequence == 2].tolist() == [0, 1, 2, 3]
    assert seen == ([{0, 1}, {2, 3}, {4, 5}, {6, 7, 8}] if draw else [{1}, {3}, {5}, {7}])


@pytest.mark.parametrize("changes", [{}, {"trust_gates": False}])
def test_order_and_neighbours_change_nothing(changes: dict[str, object]) -> None:
    method, sequences = _method(**changes), _sequences()
    batch, order = _batch(sequences)
    together = method.scores(batch.frames, batch.packing)
    for place, number in enumerate(order):
        alone, _ = _batch([sequences[number]])
        torch.testing.assert_close(method.scores(alone.frames, alone.packing)[0], together[place], **EXACT)


def test_values_at_missing_places_change_nothing() -> None:
    method = _method()
    batch, _ = _batch(_sequences())
    known = torch.rand(batch.frames.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    found = []
    for value in (0.0, 7.0):
        holed = replace(batch, frames=batch.frames.masked_fill(~known, value), known=known)
        gradients(method.networks, method.objectives(holed))
        found.append([parameter.grad.clone() for parameter in method.parameters() if parameter.grad is not None])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("lengths", "frames", "shares"),
    [
        ((9, 8, 7, 5, 2), 3, 2),
        ((11, 10, 9, 8), 10, 2),  # of one share only a sequence is longer than what is read
        ((5, 4, 3, 2), 10, 2),
    ],
)
def test_shares_of_a_batch_add_up(lengths: tuple[int, ...], frames: int, shares: int) -> None:
    """With frames and dropped values drawn: what several processes rely on."""
    method = _method(dropout=0.5, frames=frames).train()
    batch, _ = _batch(_sequences(lengths))
    parts = []
    for rank in range(shares):
        packing = batch.packing.every(rank, shares)
        rows = packing.rows_in_whole
        parts.append(replace(batch, frames=batch.frames[rows], hidden=batch.hidden[rows], packing=packing))
        assert batch.labels is not None
        parts[-1] = replace(parts[-1], labels=batch.labels[rank::shares])

    def found(of: Batch) -> list[Tensor]:
        torch.manual_seed(1)
        objective = method.objectives(of)
        gradients(method.networks, objective)
        return [objective["layers"].detach(), *(p.grad.clone() for p in method.parameters() if p.grad is not None)]

    for whole, *each in zip(found(batch), *map(found, parts), strict=True):
        torch.testing.assert_close(torch.stack(each).sum(0), whole, **EXACT)


def _train(method: StLstm, batch: Batch, steps: int, rate: float) -> None:
    optimiser = torch.optim.Adam(method.parameters(), lr=rate)
    for _ in range(steps):
        gradients(method.networks, method.objectives(batch))
        optimiser.step()


def test_it_overfits_one_batch() -> None:
    torch.manual_seed(0)
    method = StLstm(SBU, 45, StLstmSettings(units=16, frames=3, dropout=0.0, tree=False), 4).eval()
    labels = np.arange(16) % 4
    batch, order = pack(_sequences((5, 4, 3, 3) * 4), labels=labels)
    _train(method, batch, 60, 0.03)
    assert (method.scores(batch.frames, batch.packing).argmax(1).numpy() == labels[order]).all()


def test_it_recognises_actions_of_people_it_has_not_seen() -> None:
    """Four actions of the data set ``synthetic``, eight people against two: chance 25 %."""
    names = ["bow", "kick", "sit_down", "wave"]
    recordings = [recording for recording in generate() if recording.label in names][::2]
    people = sorted({recording.subject or "" for recording in recordings})
    halves = [[r for r in recordings if (r.subject in people[-2:]) == tests] for tests in (False, True)]
    recipe = Recipe(recordings[0].skeleton, max_length=12).fit(halves[0])
    batches = [
        pack([recipe.apply(r) for r in half], labels=np.array([names.index(r.label or "") for r in half]))[0]
        for half in halves
    ]
    torch.manual_seed(0)
    settings = StLstmSettings(units=16, layers=1, frames=6, dropout=0.0)
    method = StLstm(recipe.skeleton, recipe.inputs, settings, len(names)).train()
    _train(method, batches[0], 120, 0.03)
    found = method.eval().scores(batches[1].frames, batches[1].packing).argmax(1)
    assert (found == batches[1].labels).double().mean() > 0.75


def test_a_corrupted_joint_gets_small_trust() -> None:
    """Of a layer that predicts bodies at rest, as its context can: all inputs are trusted but the one that is wrong."""
    method = _method(units=8, frames=6)
    layer = method.layers[0]
    assert isinstance(layer, GridLstm)
    at_rest = torch.full((3,), 0.3, dtype=torch.float64)
    with torch.no_grad():  # p = x' of a joint at rest, whatever the context
        layer.input.weight.mul_(3)
        layer.context.weight[:8] = 0
        layer.context.bias[:8] = layer.input(at_rest)[:8]
    clean = np.full((6, 45), 0.3, np.float32)
    corrupted = clean.copy()
    corrupted[3, 3 * 8 : 3 * 8 + 3] = (-1, 1, -1)
    visits = [step for step, joint in enumerate(method.visits) if joint == 8]
    trusts = []
    for sequence in (clean, corrupted):
        batch, _ = _batch([sequence])
        trust, sampled = method.trust(batch.frames, batch.packing)
        assert sampled.lengths == (6,)
        trusts.append(trust.mean(2))  # (T, S)
    assert trusts[0].min() > 0.999
    assert trusts[1][3, visits].max() < 0.8
    trusts[1][3, visits] = 1
    assert trusts[1].min() > 0.999


def test_without_trust_gates_there_is_no_trust() -> None:
    batch, _ = _batch(_sequences())
    with pytest.raises(SettingsError, match="expected trust_gates, found none"):
        _method(trust_gates=False).trust(batch.frames, batch.packing)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": 0}, "expected units of at least 1, found 0"),
        ({"frames": 0}, "expected frames of at least 1, found 0"),
        ({"dropout": 1.0}, r"expected dropout in \[0, 1\), found 1.0"),
        ({"trust_lambda": 0.0}, "expected trust_lambda above 0, found 0"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        StLstmSettings(**changes)  # type: ignore[arg-type]


def test_preset_sizes_are_the_papers() -> None:
    paper = CLASSIFIERS["st_lstm"].presets["paper"]
    assert (paper.units, paper.layers, paper.frames, paper.dropout, paper.trust_lambda) == (128, 2, 20, 0.5, 0.5)


def test_a_batch_without_labels_is_refused() -> None:
    batch, _ = _batch(_sequences())
    with pytest.raises(ValueError, match="expected a batch with labels, found none"):
        _method().objectives(replace(batch, labels=None))
