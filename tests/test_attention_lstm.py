"""STA-LSTM: gates, classifier and regularised loss against loops over frames with plain nn.LSTM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motionprint.batches import Batch, pack
from motionprint.corpora.synthetic import generate
from motionprint.errors import SettingsError
from motionprint.methods import CLASSIFIERS, AttentionLstm
from motionprint.methods.attention_lstm import AttentionLstmSettings
from motionprint.persons import stacked
from motionprint.preprocessing import Recipe
from motionprint.skeleton import SKELETONS
from motionprint.training.loop import gradients

SBU = SKELETONS["sbu15"]
EXACT = {"rtol": 1e-9, "atol": 1e-11}
CLASSES = ("clap", "kick", "pick_up", "squat", "walk", "wave")
KINDS = ["both", "spatial", "temporal", "none"]


def _method(inputs: int = 48, **changes: object) -> AttentionLstm:
    torch.manual_seed(0)
    sizes: dict[str, object] = {"units": 5, "dropout": 0.0, "lambda_spatial": 0.3, "lambda_temporal": 0.2}
    settings = AttentionLstmSettings(**{**sizes, "lambda_weights": 0.1, **changes})  # type: ignore[arg-type]
    return AttentionLstm(SBU, inputs, settings, 3).double().eval()


def _sequences(lengths: tuple[int, ...] = (9, 3, 1, 7), inputs: int = 48, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, (length, inputs)).astype(np.float32) for length in lengths]


def _batch(sequences: list[np.ndarray]) -> tuple[Batch, np.ndarray]:
    batch, order = pack(sequences, labels=np.arange(len(sequences)) % 3)
    return replace(batch, frames=batch.frames.double()), order


def _reference(method: AttentionLstm, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """o (C,), the features (H,), alpha (T, K) and beta (T,) of one sequence (T, D)."""
    T, H = len(x), method.settings.units
    alphas = torch.ones(T, 16, dtype=torch.float64)
    betas = torch.ones(T, dtype=torch.float64)
    if method.spatial is not None:
        said = method.spatial.rnn.cell(x[:, None])[0][:, 0]
        rows = []
        for t in range(T):
            before = said[t - 1] if t else torch.zeros(H, dtype=torch.float64)
            hidden = torch.tanh(method.spatial.hidden(torch.cat([x[t], before])))
            powers = torch.exp(method.spatial.output(hidden))
            rows.append(powers / powers.sum())
        alphas = torch.stack(rows)
    if method.temporal is not None:
        said = method.temporal.rnn.cell(x[:, None])[0][:, 0]
        values = []
        for t in range(T):
            before = said[t - 1] if t else torch.zeros(H, dtype=torch.float64)
            values.append(method.temporal.output(torch.cat([x[t], before]))[0].clamp_min(0))
        betas = torch.stack(values)
    selected = torch.stack(
        [torch.cat([16 * alphas[t, k] * x[t, 3 * k : 3 * k + 3] for k in range(16)]) for t in range(T)]
    )
    if method.spatial is None:
        selected = x
    states = method.main.rnn.cell(selected[:, None])[0][:, 0]
    logits = torch.stack([betas[t] * method.main.output(states[t]) for t in range(T)]).sum(0)
    return logits, (betas[:, None] * states).mean(0), alphas, betas


@pytest.mark.parametrize("attention", KINDS)
def test_scores_loss_and_gradients_are_those_of_the_equations(attention: str) -> None:
    method, sequences = _method(attention=attention), _sequences()
    batch, order = _batch(sequences)
    scores, features = method.scores(batch.frames, batch.packing), method.encode(batch.frames, batch.packing)["F"]
    losses = []
    for place, number in enumerate(order):
        logits, over_time, alphas, betas = _reference(method, torch.from_numpy(sequences[number]).double())
        torch.testing.assert_close(scores[place], logits, **EXACT)
        torch.testing.assert_close(features[place], over_time, **EXACT)
        loss = logits.logsumexp(0) - logits[number % 3]
        if method.spatial is not None:
            loss = loss + 0.3 * sum((1 - alphas[:, k].sum() / len(alphas)) ** 2 for k in range(16))
        if method.temporal is not None:
            loss = loss + 0.2 / len(betas) * sum(beta.norm() for beta in betas)
        losses.append(loss)
    weights = [parameter for name, parameter in method.named_parameters() if "weight" in name]
    total = torch.stack(losses).mean() + 0.1 * sum(weight.abs().sum() for weight in weights)
    objectives = method.objectives(batch)
    assert (
        set(objectives)
        == set(method.networks)
        == {"main", *({"both": KINDS[1:3]}.get(attention, [attention]))} - {"none"}
    )
    torch.testing.assert_close(objectives["main"], total, **EXACT)
    gradients(method.networks, objectives)
    parameters = list(method.parameters())
    for parameter, expected in zip(parameters, torch.autograd.grad(total, parameters), strict=True):
        assert expected.abs().max() > 0
        torch.testing.assert_close(parameter.grad, expected, **EXACT)


def test_gates_select_joints_and_frames() -> None:
    method = _method()
    batch, _ = _batch(_sequences())
    joints, times = method.gates(batch.frames, batch.packing)
    assert joints is not None
    assert times is not None
    assert joints.shape == (20, 16)  # the root's path is a joint more
    torch.testing.assert_close(joints.sum(1), torch.ones(20, dtype=torch.float64))
    assert (times >= 0).all()
    assert method.temporal is not None
    nn.init.constant_(method.temporal.output.bias, -100)  # a gate that is shut for all frames
    assert not method.scores(batch.frames, batch.packing).any()


def test_two_persons_are_one_body_of_twice_the_joints() -> None:
    method = AttentionLstm(stacked(SBU), 90, AttentionLstmSettings(units=4), 3)
    batch, _ = pack(_sequences(inputs=90))
    joints, _ = method.gates(batch.frames, batch.packing)
    assert joints is not None
    assert joints.shape == (20, 30)
    assert method.scores(batch.frames, batch.packing).shape == (4, 3)


def test_order_and_neighbours_change_nothing() -> None:
    method, sequences = _method(), _sequences()
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


def test_shares_of_a_batch_add_up() -> None:
    """The weights' absolute values too, of which each part counts its share."""
    method = _method(dropout=0.5).train()
    batch, _ = _batch(sorted(_sequences((9, 8, 7, 5, 2)), key=len, reverse=True))
    assert batch.labels is not None
    parts = []
    for rank in range(2):
        packing = batch.packing.every(rank, 2)
        rows = packing.rows_in_whole
        parts.append(Batch(batch.frames[rows], batch.hidden[rows], packing, labels=batch.labels[rank::2]))

    def found(of: Batch) -> list[Tensor]:
        torch.manual_seed(1)
        objectives = method.objectives(of)
        gradients(method.networks, objectives)
        return [objectives["main"].detach(), *(p.grad.clone() for p in method.parameters() if p.grad is not None)]

    for whole, one, other in zip(found(batch), *map(found, parts), strict=True):
        torch.testing.assert_close(one + other, whole, **EXACT)


def _train(method: AttentionLstm, batch: Batch, steps: int) -> None:
    optimiser = torch.optim.Adam(method.parameters(), lr=1e-2)
    for _ in range(steps):
        gradients(method.networks, method.objectives(batch))
        optimiser.step()


@pytest.mark.parametrize("attention", ["both", "none"])
def test_it_overfits_one_batch(attention: str) -> None:
    torch.manual_seed(0)
    settings = AttentionLstmSettings(units=24, layers=1, dropout=0.0, attention=attention)  # type: ignore[arg-type]
    method = AttentionLstm(SBU, 45, settings, 4)
    labels = np.arange(16) % 4
    batch, order = pack(_sequences((9, 8, 6, 5) * 4, inputs=45), labels=labels)
    _train(method, batch, 100)
    assert (method.scores(batch.frames, batch.packing).argmax(1).numpy() == labels[order]).all()


def test_it_recognises_actions_of_people_it_has_not_seen() -> None:
    """Six actions of the data set ``synthetic``, eight people against two: chance 17 %."""
    recordings = [recording for recording in list(generate())[::3] if recording.label in CLASSES]
    names = sorted({recording.label or "" for recording in recordings})
    people = sorted({recording.subject or "" for recording in recordings})
    halves = [[r for r in recordings if (r.subject in people[-2:]) == tests] for tests in (False, True)]
    recipe = Recipe(recordings[0].skeleton, max_length=18).fit(halves[0])
    batches = [
        pack([recipe.apply(r) for r in half], labels=np.array([names.index(r.label or "") for r in half]))[0]
        for half in halves
    ]
    torch.manual_seed(0)
    settings = AttentionLstmSettings(units=32, layers=1, dropout=0.0)
    method = AttentionLstm(recipe.skeleton, recipe.inputs, settings, len(names))
    _train(method.train(), batches[0], 80)
    found = method.eval().scores(batches[1].frames, batches[1].packing).argmax(1)
    assert (found == batches[1].labels).double().mean() > 0.7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": 0}, "expected units of at least 1, found 0"),
        ({"layers": 0}, "expected layers of at least 1, found 0"),
        ({"dropout": 1.0}, r"expected dropout in \[0, 1\), found 1.0"),
        ({"attention": "all"}, "expected attention to be one of both, spatial, temporal, none, found 'all'"),
        ({"lambda_spatial": -1.0}, "expected lambda_spatial of at least 0, found -1"),
        ({"lambda_weights": float("nan")}, "expected lambda_weights of at least 0, found nan"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        AttentionLstmSettings(**changes)  # type: ignore[arg-type]


def test_preset_sizes_are_the_papers() -> None:
    paper = CLASSIFIERS["attention_lstm"].presets["paper"]
    assert (paper.units, paper.layers, paper.dropout) == (100, 3, 0.5)
    assert (paper.lambda_spatial, paper.lambda_temporal, paper.lambda_weights) == (0.001, 0.0001, 0.0005)
