"""What HBRNN, DBRNN, Deep LSTM and Co-deep LSTM have in common: what they must solve, and what must change nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motionprint.batches import Batch, Crops, pack
from motionprint.corpora.synthetic import _perform
from motionprint.errors import SettingsError
from motionprint.methods import CLASSIFIERS, Classifier
from motionprint.persons import stacked
from motionprint.preprocessing import Frames, Recipe
from motionprint.skeleton import SKELETONS
from motionprint.training.loop import gradients

NAMES = ("hbrnn", "dbrnn", "deep_lstm", "co_lstm")
KINECT = SKELETONS["kinect20"]
INPUTS = 60
CLASSES = 4
EXACT = {"rtol": 1e-9, "atol": 1e-11}
CPU = torch.device("cpu")
REPOSITORY = Path(__file__).resolve().parents[1]


def _method(name: str, preset: str = "small", **changes: object) -> Classifier:
    torch.manual_seed(0)
    kind = CLASSIFIERS[name]
    return kind(KINECT, INPUTS, replace(kind.presets[preset], **changes), CLASSES)


def _sequences(lengths: tuple[int, ...], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, (length, INPUTS)).astype(np.float32) for length in lengths]


def _double(batch: Batch) -> Batch:
    return replace(batch, frames=batch.frames.double())


def _train(method: Classifier, batches: Iterator[Batch], rate: float) -> float:
    """The last loss."""
    optimiser = torch.optim.Adam(method.parameters(), lr=rate)
    loss = torch.zeros(())
    for batch in batches:
        objectives = method.objectives(batch)
        gradients(method.networks, objectives)
        nn.utils.clip_grad_norm_(method.parameters(), 5)
        optimiser.step()
        loss = next(iter(objectives.values()))
    return loss.item()


@pytest.mark.parametrize("name", NAMES)
def test_it_overfits_one_batch(name: str) -> None:
    """Random sequences with random labels, without what is there against overfitting."""
    off = {"hbrnn": "weight_noise", "dbrnn": "weight_noise", "deep_lstm": "dropout", "co_lstm": "in_depth_dropout"}
    method = _method(name, **{off[name]: 0.0}).train()
    rng = np.random.default_rng(0)
    lengths = tuple(rng.integers(3, 12, 16).tolist())
    batch, _ = pack(_sequences(lengths), labels=rng.integers(0, CLASSES, 16))
    if isinstance(method, CLASSIFIERS["co_lstm"]):
        method.settings = replace(method.settings, lambda_1=0.0, lambda_2=0.0)
    assert _train(method, (batch for _ in range(60)), 5e-3) < 0.05
    assert batch.labels is not None
    assert torch.equal(method.eval().scores(batch.seen, batch.packing).argmax(1), batch.labels)


@pytest.fixture(scope="module")
def synthetic() -> tuple[Recipe, list[list[np.ndarray]], list[np.ndarray]]:
    """Six actions of six people to train on, and of four others to judge by."""
    labels = ("clap", "jump", "kick", "punch", "squat", "wave")
    found = [
        [_perform(0, label, person, time) for label in labels for person in people for time in (1, 2)]
        for people in (range(6), range(6, 10))
    ]
    recipe = Recipe(SKELETONS["cmu31"]).fit(found[0])
    numbers = [np.array([labels.index(str(each.label)) for each in sequences]) for sequences in found]
    return recipe, [[recipe.apply(each) for each in sequences] for sequences in found], numbers


@pytest.mark.parametrize("name", NAMES)
def test_it_recognises_actions_of_people_whom_it_has_not_seen(
    name: str, synthetic: tuple[Recipe, list[list[np.ndarray]], list[np.ndarray]]
) -> None:
    recipe, sequences, labels = synthetic
    crops = Crops(
        Frames(([each] for each in sequences[0]), recipe.inputs),
        [],
        batch_size=18,
        crops=1,
        shortest=10,
        longest=35,
        hidden_parts=None,
        seed=0,
        labels=labels[0],
    )
    torch.manual_seed(0)
    kind = CLASSIFIERS[name]
    method = kind(recipe.skeleton, recipe.inputs, kind.presets["small"], 6).train()
    _train(method, (crops.batch(step, CPU) for step in range(100)), 5e-3)
    batch, _ = pack(sequences[1], labels=labels[1])
    with torch.no_grad():
        right = method.eval().scores(batch.seen, batch.packing).argmax(1) == batch.labels
    assert right.double().mean() > 0.6  # chance: 0.17


@pytest.mark.parametrize("name", NAMES)
def test_neither_padding_nor_order_nor_neighbours_change_anything(name: str) -> None:
    method = _method(name).double().eval()
    sequences = _sequences((9, 2, 1, 7, 7))
    batch, order = pack(sequences)
    frames = batch.frames.double()
    together = method.encode(frames, batch.packing)
    scores = method.scores(frames, batch.packing)
    assert scores.shape == (5, CLASSES)
    for place, i in enumerate(order):
        alone, _ = pack([sequences[i]])
        single = method.encode(alone.frames.double(), alone.packing)
        for feature in ("F", "states"):
            torch.testing.assert_close(single[feature][0], together[feature][place], **EXACT)
        torch.testing.assert_close(method.scores(alone.frames.double(), alone.packing)[0], scores[place], **EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_the_classifier_reads_the_features(name: str) -> None:
    """The scores of a sequence of T frames are T times those of its features."""
    method = _method(name).double().eval()
    batch, _ = pack(_sequences((9, 2, 7)))
    frames = batch.frames.double()
    lengths = torch.tensor(batch.packing.lengths, dtype=torch.float64)[:, None]
    expected = lengths * method.networks["classifier"](method.encode(frames, batch.packing)["F"])
    torch.testing.assert_close(method.scores(frames, batch.packing), expected, **EXACT)


def _found(method: Classifier, batch: Batch) -> list[Tensor]:
    torch.manual_seed(1)
    objectives = method.objectives(_double(batch))
    gradients(method.networks, objectives)
    values = [objective.detach() for objective in objectives.values()]
    return values + [weight.grad.clone() for weight in method.parameters() if weight.grad is not None]


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_at_missing_values_changes_nothing(name: str) -> None:
    method = _method(name).double().train()
    sequences = _sequences((9, 4, 7))
    missing = np.random.default_rng(2)
    for sequence in sequences:
        sequence[(missing.random((len(sequence), INPUTS // 3)) < 0.3).repeat(3, axis=1)] = np.nan
    batch, _ = pack(sequences, labels=np.array([0, 3, 1]))
    assert batch.known is not None
    other = replace(batch, frames=torch.where(batch.known, batch.frames, torch.tensor(7.0)))
    for value, expected in zip(_found(method, other), _found(method, batch), strict=True):
        assert torch.isfinite(value).all()
        assert torch.equal(value, expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [2, 3])
def test_objectives_and_gradients_of_the_shares_add_up(name: str, size: int) -> None:
    method = (_method(name, "small-dropout") if name == "deep_lstm" else _method(name)).double().train()
    lengths = (9, 30, 14, 7)
    crops = Crops(
        Frames(([sequence] for sequence in _sequences(lengths)), INPUTS),
        [],
        batch_size=4,
        crops=1,
        shortest=3,
        longest=12,
        hidden_parts=None,
        seed=3,
        labels=np.array([0, 1, 2, 3]),
    )
    expected = _found(method, crops.batch(0, CPU))
    added = [_found(method, crops.batch(0, CPU, (rank, size))) for rank in range(size)]
    for number, value in enumerate(expected):
        torch.testing.assert_close(sum(each[number] for each in added), value, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_networks_are_disjoint_and_each_gets_the_gradient_of_the_one_loss(name: str) -> None:
    method = _method(name).double().eval()
    owned = [id(weight) for network in method.networks.values() for weight in network.parameters()]
    assert len(owned) == len(set(owned))
    assert set(owned) == {id(weight) for weight in method.parameters()}
    batch = _double(pack(_sequences((9, 4, 7)), labels=np.array([0, 3, 1]))[0])
    objectives = method.objectives(batch)
    assert set(objectives) == set(method.networks)
    expected = torch.autograd.grad(next(iter(objectives.values())), list(method.parameters()), retain_graph=True)
    gradients(method.networks, objectives)
    for weight, gradient in zip(method.parameters(), expected, strict=True):
        assert weight.grad is not None
        assert gradient.abs().max() > 0
        torch.testing.assert_close(weight.grad, gradient, **EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_two_persons_and_a_root_path_are_read_to_the_last_number(name: str) -> None:
    skeleton = stacked(SKELETONS["sbu15"])
    inputs = 3 * len(skeleton) + 3
    kind = CLASSIFIERS[name]
    torch.manual_seed(0)
    method = kind(skeleton, inputs, kind.presets["small"], CLASSES).double().eval()
    frames = torch.randn(5, inputs, dtype=torch.float64, requires_grad=True)
    packing = pack([np.zeros((5, inputs), np.float32)])[0].packing
    (by_input,) = torch.autograd.grad(method.scores(frames, packing).square().sum(), frames)
    assert (by_input != 0).all()


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("hbrnn", {"limb_units": 0}, "expected limb_units of at least 1, found 0"),
        ("hbrnn", {"weight_noise": -0.1}, "expected weight_noise of at least 0, found -0.1"),
        ("dbrnn", {"last_units": 0}, "expected last_units of at least 1, found 0"),
        ("dbrnn", {"last": "gru"}, "expected last to be one of lstm, tanh, found 'gru'"),
        ("dbrnn", {"weight_noise": float("nan")}, "expected weight_noise of at least 0, found nan"),
        ("deep_lstm", {"fourth_units": 0}, "expected fourth_units of at least 1, found 0"),
        ("deep_lstm", {"dropout": 1.0}, r"expected dropout in \[0, 1\), found 1.0"),
        ("co_lstm", {"groups": 0}, "expected groups of at least 1, found 0"),
        ("co_lstm", {"regularised_layers": 6}, r"expected regularised_layers in 0\.\.5, found 6"),
        ("co_lstm", {"third_units": 61}, "expected third_units to be a multiple of groups = 5, found 61"),
        ("co_lstm", {"lambda_2": -1.0}, "expected lambda_2 of at least 0, found -1.0"),
        ("co_lstm", {"in_depth_dropout": -0.1}, r"expected in_depth_dropout in \[0, 1\), found -0.1"),
    ],
)
def test_impossible_settings_are_refused(name: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        CLASSIFIERS[name].Settings(**changes)


@pytest.mark.parametrize("name", NAMES)
def test_each_line_that_the_page_quotes_stands_in_the_code(name: str) -> None:
    lines, found = [], 0
    for line in (REPOSITORY / "docs" / "methods" / f"{name}.md").read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"In `(src/.*\.py)`:", line):
            lines = [each.strip() for each in (REPOSITORY / heading[1]).read_text(encoding="utf-8").splitlines()]
        elif row := re.fullmatch(r"\|.*\| `(.+)` \|", line):
            assert row[1] in lines
            found += 1
    assert found >= 6
