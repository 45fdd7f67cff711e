"""Slow feature analysis: the paper's example is solved, the constraints hold, and a batch's make-up changes nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.linalg import eigh

from motionprint.batches import pack
from motionprint.errors import DatasetError, SettingsError
from motionprint.methods import METHODS, SlowFeatures
from motionprint.methods.slow_features import SlowFeaturesSettings
from motionprint.preprocessing import Frames
from motionprint.skeleton import Skeleton

POINT = Skeleton(("root",), (-1,))
Sequences = list[npt.NDArray[np.float32]]


def _solved(sequences: Sequences, **changes: object) -> SlowFeatures:
    inputs = sequences[0].shape[1]
    method = SlowFeatures(POINT, inputs, SlowFeaturesSettings(**changes))  # type: ignore[arg-type]
    assert method.solve(Frames([[sequence] for sequence in sequences], inputs), None, 0) == {}
    return method


def _waves(lengths: tuple[int, ...], inputs: int = 5) -> Sequences:
    random = np.random.default_rng(0)
    mixing = random.normal(size=(inputs, inputs))
    found = []
    for length in lengths:
        time = np.arange(length)[:, None] + random.uniform(0, 50)
        waves = np.sin(time * 0.05 * 2.0 ** np.arange(inputs)) + 0.2 * random.normal(size=inputs)
        found.append((0.2 * waves @ mixing).astype(np.float32))
    return found


def test_the_example_of_the_paper_is_solved() -> None:
    """x1 = sin t + cos^2 11t, x2 = cos 11t: the slowest quadratic function is x1 - x2^2 = sin t."""
    time = np.linspace(0, 2 * np.pi, 2000)
    inputs = np.stack([np.sin(time) + np.cos(11 * time) ** 2, np.cos(11 * time)], 1).astype(np.float32)
    method = _solved([inputs], components=2, expansion="quadratic", signals=5)
    slowest = method.signals(torch.from_numpy(inputs))[:, 0].numpy()
    assert abs(np.corrcoef(slowest, np.sin(time))[0, 1]) > 0.9999
    linear = _solved([inputs], components=2, expansion="linear", signals=2)
    assert abs(np.corrcoef(linear.signals(torch.from_numpy(inputs))[:, 0].numpy(), np.sin(time))[0, 1]) < 0.95


def test_a_slow_wave_is_found_in_a_mixture() -> None:
    random = np.random.default_rng(1)
    time = np.linspace(0, 4 * np.pi, 900)
    sources = np.stack([np.sin(time), 3 * np.sin(17 * time), 2 * random.normal(size=900)], 1)
    mixed = (sources @ random.normal(size=(3, 6))).astype(np.float32)
    method = _solved([mixed], components=3, expansion="linear", signals=1)
    assert abs(np.corrcoef(method.signals(torch.from_numpy(mixed))[:, 0].numpy(), np.sin(time))[0, 1]) > 0.999


@pytest.mark.parametrize("expansion", ["linear", "quadratic"])
def test_the_signals_are_those_of_the_eigenproblem(expansion: str) -> None:
    """An independent reference: no reduction, so that the plain generalised eigenproblem gives the same functions."""
    sequences = _waves((300, 80, 200), 3)
    method = _solved(sequences, components=3, expansion=expansion, signals=9)
    functions = []
    for sequence in sequences:
        x = sequence.astype(np.float64)
        columns = [x[:, i] for i in range(3)]
        if expansion == "quadratic":
            columns += [x[:, i] * x[:, j] for i in range(3) for j in range(i, 3)]
        functions.append(np.stack(columns, 1))
    everything = np.concatenate(functions)
    differences = np.concatenate([np.diff(each, axis=0) for each in functions])
    slowness, weights = eigh(differences.T @ differences / len(differences), np.cov(everything.T, bias=True))
    expected = (everything - everything.mean(0)) @ weights
    found = method.double().signals(torch.from_numpy(np.concatenate(sequences)).double()).numpy()
    assert found.shape == expected.shape
    signs = np.sign((found * expected).sum(0))
    np.testing.assert_allclose(found, signs * expected, atol=2e-3)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-3)  # equations 2 to 4 of the paper
    np.testing.assert_allclose(found.T @ found / len(found), np.eye(found.shape[1]), atol=2e-3)
    assert (np.diff(slowness) >= 0).all()


def test_the_print_is_mean_and_spread_over_time() -> None:
    sequences = _waves((60, 1, 30))
    method = _solved(sequences, components=5, expansion="linear", signals=3).double()
    for sequence in sequences:
        batch, _ = pack([sequence])
        signals = method.signals(batch.seen.double())
        expected = torch.cat([signals.mean(0), signals.std(0, correction=0)])
        found = method.encode(batch.seen.double(), batch.packing)
        torch.testing.assert_close(found["F"][0], expected, rtol=0, atol=1e-9)
        assert torch.equal(found["F"], found["states"])


def test_neighbours_order_and_padding_change_nothing() -> None:
    sequences = _waves((9, 2, 40, 1, 9))
    sequences[2][3:7, 1:3] = np.nan
    method = _solved(sequences, components=4, expansion="quadratic", signals=8).double()
    batch, order = pack(sequences)
    together = method.encode(batch.seen.double(), batch.packing)["F"]
    assert together.isfinite().all()
    for place, i in enumerate(order):
        alone, _ = pack([sequences[i]])
        found = method.encode(alone.seen.double(), alone.packing)["F"][0]
        torch.testing.assert_close(found, together[place], rtol=0, atol=1e-10)


def test_missing_values_move_nothing() -> None:
    """A joint that is missing now and then is read as standing at its mean: the slowest signal stays the slow one."""
    random = np.random.default_rng(1)
    time = np.linspace(0, 4 * np.pi, 900)
    mixed = (np.stack([np.sin(time), np.sin(17 * time)], 1) @ random.normal(size=(2, 6)) + 5).astype(np.float32)
    mixed[100:200, 3:] = np.nan
    method = _solved([mixed], components=2, expansion="linear", signals=1)
    signals = method.signals(torch.from_numpy(np.nan_to_num(mixed)))[:, 0].numpy()
    assert abs(np.corrcoef(signals[200:], np.sin(time)[200:])[0, 1]) > 0.99


def test_weights_load_into_a_method_that_was_never_solved() -> None:
    sequences = _waves((50, 30))
    method = _solved(sequences)
    other = SlowFeatures(POINT, 5, SlowFeaturesSettings())
    other.load_state_dict(method.state_dict())
    batch, _ = pack(sequences)
    assert torch.equal(other.encode(batch.seen, batch.packing)["F"], method.encode(batch.seen, batch.packing)["F"])
    assert not list(method.parameters()) and method.networks == {} and method.objectives(batch) == {}
    assert METHODS["slow_features"].closed


def test_components_without_variance_are_left_out() -> None:
    sequences = [np.repeat(sequence[:, :2], 3, axis=1) for sequence in _waves((80, 50))]
    method = _solved(sequences, components=6, expansion="quadratic", signals=20)
    found = method.signals(torch.from_numpy(sequences[0]))
    assert found.isfinite().all() and int((found.std(0) > 1e-3).sum()) == 5  # x, y, xx, xy, yy


def test_what_cannot_be_solved_is_named() -> None:
    with pytest.raises(DatasetError, match=r"^expected a training sequence of at least two frames, found none$"):
        _solved(_waves((1, 1)))
    with pytest.raises(DatasetError, match=r"^expected training sequences that differ from their mean, found none$"):
        _solved([np.full((9, 4), 0.5, np.float32)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"components": 0}, "expected components of at least 1, found 0"),
        ({"signals": 0}, "expected signals of at least 1, found 0"),
        ({"expansion": "cubic"}, "expected expansion to be one of linear, quadratic, found 'cubic'"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        SlowFeaturesSettings(**changes)  # type: ignore[arg-type]
