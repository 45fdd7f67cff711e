"""The hybrid perceptron: its features, its loss and its scores, against loops over frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from motionprint.batches import Batch, pack
from motionprint.corpora.synthetic import generate
from motionprint.errors import SettingsError
from motionprint.methods import CLASSIFIERS, Mlp
from motionprint.methods.mlp import MlpSettings
from motionprint.persons import stacked
from motionprint.preprocessing import Recipe
from motionprint.skeleton import SKELETONS
from motionprint.training.loop import gradients

SBU = SKELETONS["sbu15"]
EXACT = {"rtol": 1e-9, "atol": 1e-11}


def _method(inputs: int = 48, **changes: object) -> Mlp:
    torch.manual_seed(0)
    sizes: dict[str, object] = {"first_units": 7, "second_units": 5, "dropout": 0.0, "difference_frames": 4}
    return Mlp(SBU, inputs, MlpSettings(**{**sizes, **changes}), 3).double().eval()  # type: ignore[arg-type]


def _sequences(lengths: tuple[int, ...] = (9, 3, 1, 7), inputs: int = 48, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, (length, inputs)).astype(np.float32) for length in lengths]


def _batch(sequences: list[np.ndarray]) -> tuple[Batch, np.ndarray]:
    batch, order = pack(sequences, labels=np.arange(len(sequences)) % 3)
    return replace(batch, frames=batch.frames.double()), order


def _features(x: Tensor) -> Tensor:
    """PO, TD with m = 4, and NT, of one sequence (T, 48)."""
    rows = []
    path = x[:, 45:]
    low, high = path.min(0).values, path.max(0).values
    half = max((high - low).max().item() / 2, 0.0) or 1.0
    for t in range(len(x)):
        earlier = x[t - 3, :45] if t >= 3 else torch.zeros(45, dtype=torch.float64)
        rows.append(torch.cat([x[t, :45], x[t, :45] - earlier, (path[t] - (low + high) / 2) / half]))
    return torch.stack(rows)


def _hidden(method: Mlp, v: Tensor) -> Tensor:
    first, _, second, _ = method.encoder
    return torch.relu(second(torch.relu(first(v))))


@pytest.mark.parametrize("rule", ["sum", "product"])
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_scores_loss_and_gradients_are_those_of_the_equations(rule: str, share: float) -> None:
    method, sequences = _method(rule=rule, lambda_reconstruction=share), _sequences()
    batch, order = _batch(sequences)
    scores, features = method.scores(batch.frames, batch.packing), method.encode(batch.frames, batch.packing)["F"]
    losses = []
    for place, number in enumerate(order):
        v = _features(torch.from_numpy(sequences[number]).double())
        hidden = _hidden(method, v)
        probabilities = torch.softmax(method.classifier(hidden), 1)
        together = probabilities.mean(0).log() if rule == "sum" else probabilities.log().mean(0)
        torch.testing.assert_close(scores[place], together, **EXACT)
        torch.testing.assert_close(features[place], hidden.mean(0), **EXACT)
        restored = method.decoder[2](torch.relu(method.decoder[0](hidden)))
        frames = -(1 - share) * probabilities[:, number % 3].log() + share * (v - restored).square().sum(1)
        losses.append(frames.mean())
    loss = torch.stack(losses).mean()
    objectives = method.objectives(batch)
    torch.testing.assert_close(objectives["encoder"], loss, **EXACT)
    gradients(method.networks, objectives)
    parameters = list(method.parameters())
    for parameter, expected in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
        torch.testing.assert_close(
            parameter.grad, torch.zeros_like(parameter) if expected is None else expected, **EXACT
        )


def test_a_root_that_stays_where_it_is_has_a_path_of_zeros() -> None:
    sequences = _sequences()
    for sequence in sequences:
        sequence[:, 45:] = 0.25
    batch, _ = _batch(sequences)
    assert not _method().features(batch.frames, batch.packing)[:, 90:].any()


def test_without_the_roots_path_there_is_no_trajectory_and_two_persons_are_one_body() -> None:
    for skeleton, inputs in ((SBU, 45), (stacked(SBU), 90)):
        method = Mlp(skeleton, inputs, MlpSettings(first_units=4, second_units=4), 3)
        batch, _ = pack(_sequences(inputs=inputs))
        assert method.features(batch.frames, batch.packing).shape[1] == 2 * inputs
        assert method.scores(batch.frames, batch.packing).shape == (4, 3)


def test_order_and_neighbours_change_nothing() -> None:
    method, sequences = _method(), _sequences()
    batch, order = _batch(sequences)
    together = method.scores(batch.frames, batch.packing)
    for place, number in enumerate(order):
        alone, _ = _batch([sequences[number]])
        torch.testing.assert_close(method.scores(alone.frames, alone.packing)[0], together[place], **EXACT)


def test_values_at_missing_places_change_nothing_and_weigh_nothing() -> None:
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
    # a difference counts where both of its frames are known
    weights = method._known(replace(batch, known=known))
    for row in range(len(known)):
        t, n = int(batch.packing.time[row]), int(batch.packing.sequence[row])
        assert torch.equal(weights[row, :45], known[row, :45].double())
        assert torch.equal(weights[row, 90:], known[row, 45:].double())
        earlier = (batch.packing.time == t - 3) & (batch.packing.sequence == n)
        both = known[row, :45] & known[earlier][0, :45] if t >= 3 else known[row, :45]
        assert torch.equal(weights[row, 45:90], both.double())


def test_shares_of_a_batch_add_up() -> None:
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
        return [objectives["encoder"].detach(), *(p.grad.clone() for p in method.parameters() if p.grad is not None)]

    for whole, one, other in zip(found(batch), *map(found, parts), strict=True):
        torch.testing.assert_close(one + other, whole, **EXACT)


def _train(method: Mlp, batch: Batch, steps: int) -> None:
    optimiser = torch.optim.Adam(method.parameters(), lr=3e-3)
    for _ in range(steps):
        gradients(method.networks, method.objectives(batch))
        optimiser.step()


def test_it_overfits_one_batch() -> None:
    torch.manual_seed(0)
    method = Mlp(SBU, 45, MlpSettings(first_units=64, second_units=32, dropout=0.0), 4)
    labels = np.arange(16) % 4
    batch, order = pack(_sequences(tuple(range(3, 19)), inputs=45), labels=labels)
    _train(method, batch, 100)
    assert (method.scores(batch.frames, batch.packing).argmax(1).numpy() == labels[order]).all()
    features = method.features(batch.frames, batch.packing)
    restored = method.decoder(method.encoder(features))
    assert functional.mse_loss(restored, features) < 0.8 * features.var()


def test_it_recognises_actions_of_people_it_has_not_seen() -> None:
    """Every third recording of the data set ``synthetic``, eight people against two: 19 classes, chance 5 %."""
    recordings = list(generate())[::3]
    names = sorted({recording.label or "" for recording in recordings})
    people = sorted({recording.subject or "" for recording in recordings})
    halves = [[r for r in recordings if (r.subject in people[-2:]) == tests] for tests in (False, True)]
    recipe = Recipe(recordings[0].skeleton).fit(halves[0])
    batches = [
        pack([recipe.apply(r) for r in half], labels=np.array([names.index(r.label or "") for r in half]))[0]
        for half in halves
    ]
    torch.manual_seed(0)
    method = Mlp(recipe.skeleton, recipe.inputs, MlpSettings(first_units=64, second_units=32), len(names))
    _train(method.train(), batches[0], 60)
    found = method.eval().scores(batches[1].frames, batches[1].packing).argmax(1)
    assert (found == batches[1].labels).double().mean() > 0.6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first_units": 0}, "expected first_units of at least 1, found 0"),
        ({"difference_frames": 1}, "expected difference_frames of at least 2, found 1"),
        ({"dropout": 1.0}, r"expected dropout in \[0, 1\), found 1.0"),
        ({"lambda_reconstruction": 1.0}, r"expected lambda_reconstruction in \[0, 1\), found 1.0"),
        ({"rule": "vote"}, "expected rule to be one of sum, product, found 'vote'"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        MlpSettings(**changes)  # type: ignore[arg-type]


def test_preset_sizes() -> None:
    paper = CLASSIFIERS["mlp"].presets["paper"]
    assert (paper.first_units, paper.second_units) == (1000, 500)


def test_a_batch_without_labels_is_refused() -> None:
    batch, _ = _batch(_sequences())
    with pytest.raises(ValueError, match="expected a batch with labels, found none"):
        _method().objectives(replace(batch, labels=None))
