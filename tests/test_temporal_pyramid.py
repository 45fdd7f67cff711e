"""Fourier temporal pyramids: the coefficients are NumPy's, short sequences have them too, and subjects are crossed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from motionprint.batches import pack
from motionprint.corpora import synthetic
from motionprint.errors import DatasetError, SettingsError
from motionprint.methods import CLASSIFIERS, TemporalPyramid
from motionprint.methods.svm import ABSENT
from motionprint.methods.temporal_pyramid import TemporalPyramidSettings
from motionprint.preprocessing import Frames, Recipe
from motionprint.skeleton import Skeleton

LIMB = Skeleton(("a", "b", "c"), (-1, 0, 1))
Sequences = list[npt.NDArray[np.float32]]


def _method(inputs: int = 9, classes: int = 3, **changes: object) -> TemporalPyramid:
    return TemporalPyramid(LIMB, inputs, TemporalPyramidSettings(**changes), classes)  # type: ignore[arg-type]


def _sequences(lengths: tuple[int, ...], inputs: int = 9) -> Sequences:
    random = np.random.default_rng(0)
    return [random.uniform(-1, 1, (length, inputs)).astype(np.float32) for length in lengths]


def _solved(sequences: Sequences, labels: list[int], **changes: object) -> TemporalPyramid:
    method = _method(sequences[0].shape[1], **changes)
    method.solve(Frames([[each] for each in sequences], sequences[0].shape[1]), np.array(labels), 0)
    return method


def _reference(signals: npt.NDArray[np.float64], levels: int, count: int) -> npt.NDArray[np.complex128]:
    """(segments, K, signals) by NumPy's transform, of sequences with as many frames as segments at least."""
    found = []
    for level in range(levels):
        edges = [segment * len(signals) // 2**level for segment in range(2**level + 1)]
        for start, end in pairwise(edges):
            waves = np.fft.rfft(signals[start:end], axis=0)[:count] / (end - start)
            found.append(np.pad(waves, ((0, count - len(waves)), (0, 0))))
    return np.stack(found)


@pytest.mark.parametrize("length", [4, 5, 13, 35])
@pytest.mark.parametrize("positions", ["joints", "pairs"])
@pytest.mark.parametrize("parts", ["magnitude", "complex"])
def test_the_features_are_fourier_coefficients(length: int, positions: str, parts: str) -> None:
    sequence = _sequences((length,), 12)[0]  # three joints, and the root's path
    batch, _ = pack([sequence])
    found = _method(12, positions=positions, parts=parts).double().encode(batch.seen.double(), batch.packing)["F"][0]
    signals = sequence.astype(np.float64)
    if positions == "pairs":
        a, b, c, path = np.split(signals, 4, axis=1)
        signals = np.concatenate([a - b, a - c, b - c, path], axis=1)
    waves = _reference(signals, 3, 4).reshape(28, -1)
    expected = np.abs(waves) if parts == "magnitude" else np.concatenate([waves.real, waves.imag])
    np.testing.assert_allclose(found.numpy(), expected.ravel(), atol=1e-6)


def test_sequences_shorter_than_the_segments_have_features() -> None:
    sequences = _sequences((1, 2, 3))
    batch, order = pack(sequences)
    found = _method(coefficients=2).encode(batch.seen, batch.packing)["F"].view(3, 7, 2, 9)
    assert found.isfinite().all()
    single = found[list(order).index(0)]
    np.testing.assert_allclose(single[:, 0].numpy(), np.abs(np.repeat(sequences[0], 7, 0)), rtol=1e-6)
    assert not single[:, 1].any()  # one frame has no other frequency


def test_neighbours_order_and_padding_change_nothing() -> None:
    sequences = _sequences((9, 2, 40, 1, 9))
    sequences[2][5:9, 3:6] = np.nan
    method = _solved(sequences, [0, 1, 2, 0, 1], positions="pairs").double()
    batch, order = pack(sequences)
    together = method.scores(batch.seen.double(), batch.packing)
    for place, i in enumerate(order):
        alone, _ = pack([sequences[i]])
        found = method.scores(alone.seen.double(), alone.packing)[0]
        torch.testing.assert_close(found, together[place], rtol=0, atol=1e-9)


def test_a_missing_value_adds_to_no_frequency_but_the_mean() -> None:
    sequence = np.full((12, 9), 0.5, np.float32)
    sequence[3:7, 3:6] = np.nan
    batch, _ = pack([sequence])
    found = _method().encode(batch.seen, batch.packing)["F"].view(7, 4, 9)
    torch.testing.assert_close(found[:, 0], torch.full((7, 9), 0.5))
    assert found[:, 1:].abs().max() < 1e-6


@pytest.mark.parametrize("classes", [2, 3])
def test_the_scores_are_scikit_learns(classes: int) -> None:
    sequences = _sequences(tuple(range(5, 35)))
    labels = [i % classes for i in range(30)]
    method = _solved(sequences, labels)
    batch, order = pack(sequences)
    with torch.no_grad():
        raw = _method().encode(batch.seen, batch.packing)["F"].numpy()
        found = method.scores(batch.seen, batch.packing).numpy()
    given, told = StandardScaler().fit_transform(raw), np.array(labels)[order]
    machine = LinearSVC(C=0.01, max_iter=10_000, dual="auto").fit(given, told)
    expected = machine.decision_function(given)
    if classes == 2:
        expected = np.stack([-expected, expected], 1)
        assert (found[:, 2] == ABSENT).all()  # a class that nobody showed is never the answer
    np.testing.assert_allclose(found[:, :classes], expected, atol=0.02)


def test_machines_that_have_not_converged_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, labels = Frames([[each] for each in _sequences(tuple(range(5, 35)))], 9), np.arange(30) % 3
    assert _method().solve(frames, labels, 0) == {"unconverged": 0}
    monkeypatch.setattr("motionprint.methods.svm.MAX_ITERATIONS", 1)
    assert _method().solve(frames, labels, 0) == {"unconverged": 1}


def test_a_seed_of_any_size_is_taken() -> None:
    frames, labels = Frames([[each] for each in _sequences((9, 5, 12, 30))], 9), np.array([0, 1, 2, 1])
    for seed in (2**32, 2**63):
        _method().solve(frames, labels, seed)


def test_it_recognises_actions_of_people_whom_it_never_saw() -> None:
    everything = [each for each in synthetic.generate() if str(each.extra["repetition"]) == "1"]
    train = [each for each in everything if each.subject < "s06"]  # type: ignore[operator]
    test = [each for each in everything if each.subject >= "s06"]  # type: ignore[operator]
    recipe = Recipe(train[0].skeleton).fit(train)
    names = sorted({str(each.label) for each in train})
    frames = Frames([[recipe.apply(each)] for each in train], recipe.inputs)
    method = TemporalPyramid(recipe.skeleton, recipe.inputs, TemporalPyramidSettings(), len(names))
    method.solve(frames, np.array([names.index(str(each.label)) for each in train]), 0)
    batch, order = pack([recipe.apply(each) for each in test])
    with torch.no_grad():
        found = method.scores(batch.seen, batch.packing).argmax(1).tolist()
    right = np.mean([names[label] == test[i].label for label, i in zip(found, order, strict=True)])
    assert right > 10 / 19  # ten times chance


def test_weights_load_into_a_method_that_was_never_solved_and_the_seed_is_all() -> None:
    sequences = _sequences((9, 5, 12, 30))
    method, again, other = _solved(sequences, [0, 1, 2, 1]), _solved(sequences, [0, 1, 2, 1]), _method()
    other.load_state_dict(method.state_dict())
    batch, _ = pack(sequences)
    for each in (again, other):
        assert torch.equal(each.scores(batch.seen, batch.packing), method.scores(batch.seen, batch.packing))
    assert not list(method.parameters()) and method.networks == {} and method.objectives(batch) == {}
    assert CLASSIFIERS["temporal_pyramid"].closed


def test_what_cannot_be_solved_is_named() -> None:
    sequences = _sequences((9, 5))
    with pytest.raises(DatasetError, match=r"^expected training sequences of at least two classes, found 1$"):
        _solved(sequences, [1, 1])
    with pytest.raises(ValueError, match=r"^expected the classes of the training sequences, found none$"):
        _method().solve(Frames([sequences], 9), None, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"levels": 0}, "expected levels of at least 1, found 0"),
        ({"coefficients": 0}, "expected coefficients of at least 1, found 0"),
        ({"positions": "bones"}, "expected positions to be one of pairs, joints, found 'bones'"),
        ({"parts": "phase"}, "expected parts to be one of magnitude, complex, found 'phase'"),
        ({"penalty": 0.0}, "expected penalty above 0, found 0"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        TemporalPyramidSettings(**changes)  # type: ignore[arg-type]
