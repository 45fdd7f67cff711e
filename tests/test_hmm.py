"""HOJ3D and hidden Markov models: likelihoods are hmmlearn's, discriminants scikit-learn's, subjects are crossed."""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hmmlearn.hmm import CategoricalHMM
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from motionprint.batches import pack
from motionprint.corpora import synthetic
from motionprint.errors import DatasetError, SettingsError
from motionprint.methods import CLASSIFIERS, Hmm
from motionprint.methods.hmm import ABSENT, HmmSettings
from motionprint.preprocessing import Frames, Recipe
from motionprint.skeleton import Skeleton

BODY = Skeleton(("root", "lhip", "rhip", "head", "hand", "foot"), (-1, 0, 0, 0, 3, 1), hips=(1, 2))
Sequences = list[npt.NDArray[np.float32]]


def _method(inputs: int = 18, classes: int = 3, **changes: object) -> Hmm:
    settings: dict[str, object] = {"words": 12, "states": 3, "iterations": 10, **changes}
    return Hmm(BODY, inputs, HmmSettings(**settings), classes)  # type: ignore[arg-type]


def _solved(sequences: Sequences, labels: list[int], **changes: object) -> Hmm:
    method = _method(**changes)
    method.solve(Frames([[each] for each in sequences], 18), np.array(labels), 0)
    return method


def _sequences(lengths: tuple[int, ...]) -> Sequences:
    random = np.random.default_rng(0)
    found = [random.uniform(-1, 1, (length, 18)).astype(np.float32) for length in lengths]
    for sequence in found:
        sequence[:, :3] = 0  # the root
    return found


def _frame(**joints: tuple[float, float, float]) -> torch.Tensor:
    positions = {"lhip": (0.1, 0.0, 0.0), "rhip": (-0.1, 0.0, 0.0), **joints}
    return torch.tensor([positions.get(name, (0.0, 0.0, 0.0)) for name in BODY.joint_names]).view(1, 18)


def test_the_scores_are_hmmlearns() -> None:
    """Likelihoods of the forward recursion from the kept tensors, beside those of a model rebuilt from them."""
    sequences = _sequences((9, 2, 40, 1, 9, 17))
    method = _solved(sequences, [0, 1, 2, 0, 1, 2])
    batch, order = pack(sequences)
    found = method.scores(batch.seen, batch.packing)
    for label in range(3):
        model = CategoricalHMM(3, n_features=12)
        for name, weights in (
            ("startprob_", method.start),
            ("transmat_", method.change),
            ("emissionprob_", method.emission),
        ):
            probabilities = weights[label].double().exp().numpy()
            setattr(model, name, probabilities / probabilities.sum(-1, keepdims=True))
        for place, i in enumerate(order):
            words = method._words(torch.from_numpy(sequences[i])).numpy()
            assert found[place, label].item() == pytest.approx(model.score(words[:, None]), abs=1e-3)


def test_the_discriminants_are_scikit_learns() -> None:
    random = np.random.default_rng(3)
    sequences = _sequences((60, 80, 70, 90))
    labels = [0, 1, 2, 1]
    for sequence, label in zip(sequences, labels, strict=True):
        sequence[:, 9:12] = random.normal(size=3) * 0 + np.eye(3)[label] + 0.3 * random.normal(size=(len(sequence), 3))
    method = _solved(sequences, labels)
    frames = torch.from_numpy(np.concatenate(sequences))
    told = np.repeat(labels, [len(each) for each in sequences])
    histograms = method.histograms(frames.double()).numpy()
    reduced = method._reduced(frames).numpy()
    expected = LinearDiscriminantAnalysis(solver="eigen", shrinkage=1e-3).fit(histograms, told).transform(histograms)
    for column in range(2):
        assert abs(np.corrcoef(reduced[:, column], expected[:, column])[0, 1]) > 0.99
    within = sum(np.cov(reduced[told == label].T, bias=True) * (told == label).mean() for label in range(3))
    np.testing.assert_allclose(within, np.eye(2), atol=0.1)


def test_a_joint_votes_for_the_bins_around_its_direction() -> None:
    method = _method(spread=1.0)
    up = method.histograms(_frame(head=(0.0, 1.0, 0.0))).view(7, 12)
    assert up[0].sum() == pytest.approx(1, abs=1e-3)
    ahead = method.histograms(_frame(head=(np.cos(0.25), 0.0, np.sin(0.25)))).view(7, 12)
    assert ahead[3, 0] == pytest.approx(1, abs=1e-3)  # 75 to 105 degrees from the vertical, the first 30 of azimuth
    edge = method.histograms(_frame(head=(1.0, 0.0, 0.0))).view(7, 12)
    assert edge[3, 0] == pytest.approx(0.5, abs=1e-3) and edge[3, 11] == pytest.approx(0.5, abs=1e-3)
    wide = _method(spread=20.0).histograms(_frame(head=(1.0, 0.0, 0.0), foot=(0.0, -1.0, 0.3)))
    assert wide.sum().item() == pytest.approx(1, abs=1e-6) and int((wide > 0.01).sum()) > 4


def test_histograms_do_not_depend_on_where_the_body_faces_nor_on_its_size() -> None:
    frames = torch.from_numpy(_sequences((20,))[0]).double()
    method = _method()
    expected = method.histograms(frames)
    turn = torch.tensor([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0], [-0.8, 0.0, 0.6]], dtype=torch.float64)
    turned = (0.5 * frames.view(20, 6, 3) @ turn.T).reshape(20, 18)
    torch.testing.assert_close(method.histograms(turned), expected, rtol=0, atol=1e-9)
    tilt = torch.tensor([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    tilted = (frames.view(20, 6, 3) @ tilt.T).reshape(20, 18)
    assert (method.histograms(tilted) - expected).abs().max() > 0.1


def test_missing_joints_have_no_vote() -> None:
    whole = _frame(head=(0.0, 1.0, 0.2))
    method = _method()
    both = method.histograms(_frame(head=(0.0, 1.0, 0.2), hand=(1.0, 0.0, 0.0)))
    assert not torch.allclose(both, method.histograms(whole))
    assert method.histograms(whole).sum().item() == pytest.approx(1, abs=1e-6)
    assert not method.histograms(torch.zeros(1, 18)).any()


def test_neighbours_order_and_padding_change_nothing() -> None:
    sequences = _sequences((9, 2, 40, 1, 9))
    sequences[2][5:9, 9:12] = np.nan
    method = _solved(sequences, [0, 1, 2, 0, 1]).double()
    batch, order = pack(sequences)
    together = method.scores(batch.seen.double(), batch.packing)
    assert together.isfinite().all()
    for place, i in enumerate(order):
        alone, _ = pack([sequences[i]])
        found = method.scores(alone.seen.double(), alone.packing)[0]
        torch.testing.assert_close(found, together[place], rtol=0, atol=1e-9)
    assert torch.equal(method.encode(batch.seen.double(), batch.packing)["F"], together)


def test_the_order_of_poses_is_what_a_markov_chain_tells() -> None:
    """Two classes of the same three poses, one the other way round.

    The discriminants see single frames, which tell these two classes apart by nothing: three more classes, each of one
    pose, make words of the poses.
    """
    random = np.random.default_rng(0)
    poses = random.uniform(-1, 1, (3, 18))
    poses[:, :3] = 0
    sequences, labels = [], []
    for number in range(40):
        turn = 1 - 2 * (number % 2)
        steps = (turn * np.arange(24 + number % 5) // 2 + random.integers(3)) % 3
        sequences.append((poses[steps] + 0.02 * random.normal(size=(len(steps), 18))).astype(np.float32))
        sequences[-1][:, :3] = 0
        labels.append(number % 2)
    held = [(poses[[pose] * 20] + 0.02 * random.normal(size=(20, 18))).astype(np.float32) for pose in range(3)]
    for each in held:
        each[:, :3] = 0
    method = _solved([*sequences[:20], *held], [*labels[:20], 2, 3, 4], classes=5, iterations=50, states=6)
    batch, order = pack(sequences[20:])
    assert method.scores(batch.seen, batch.packing).argmax(1).tolist() == [labels[20:][i] for i in order]


def test_it_recognises_actions_of_people_whom_it_never_saw() -> None:
    everything = [each for each in synthetic.generate() if str(each.extra["repetition"]) == "1"]
    train = [each for each in everything if each.subject < "s06"]  # type: ignore[operator]
    test = [each for each in everything if each.subject >= "s06"]  # type: ignore[operator]
    recipe = Recipe(train[0].skeleton).fit(train)
    names = sorted({str(each.label) for each in train})
    frames = Frames([[recipe.apply(each)] for each in train], recipe.inputs)
    method = Hmm(recipe.skeleton, recipe.inputs, HmmSettings(), len(names))
    method.solve(frames, np.array([names.index(str(each.label)) for each in train]), 0)
    batch, order = pack([recipe.apply(each) for each in test])
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
    assert CLASSIFIERS["hmm"].closed


def test_a_seed_of_any_size_is_taken() -> None:
    frames, labels = Frames([[each] for each in _sequences((9, 5, 12, 30))], 18), np.array([0, 1, 2, 1])
    for seed in (2**32 - 1, 2**63):
        _method().solve(frames, labels, seed)


def test_models_that_have_not_converged_are_counted_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    frames, labels = Frames([[each] for each in _sequences((9, 5, 12, 30))], 18), np.array([0, 1, 0, 1])
    for iterations, unconverged in ((1, 2), (3, 2), (300, 0)):
        assert _method(iterations=iterations, classes=2).solve(frames, labels, 0) == {"unconverged": unconverged}
    assert not caplog.records


def test_a_class_that_nobody_showed_is_never_the_answer() -> None:
    sequences = _sequences((9, 5, 12, 30))
    method = _solved(sequences, [0, 2, 0, 2])
    batch, _ = pack(sequences)
    assert (method.scores(batch.seen, batch.packing)[:, 1] < ABSENT / 2).all()


def test_fewer_different_frames_than_words_are_no_failure() -> None:
    sequences = [np.repeat(each[:1], 6, 0) for each in _sequences((1, 1, 1))]
    method = _solved(sequences, [0, 1, 2])
    assert int((method.centres[:, 0] < 1e6).sum()) == 3
    batch, order = pack(sequences)
    assert method.scores(batch.seen, batch.packing).argmax(1).tolist() == [int(i) for i in order]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hmmlearn.hmm", None)
    with pytest.raises(SettingsError, match=r"^method hmm needs the package hmmlearn: pip install hmmlearn$"):
        _solved(_sequences((9, 5)), [0, 1])


def test_what_cannot_be_solved_is_named() -> None:
    sequences = _sequences((9, 5))
    with pytest.raises(DatasetError, match=r"^expected training sequences of at least two classes, found 1$"):
        _solved(sequences, [1, 1])
    with pytest.raises(ValueError, match=r"^expected the classes of the training sequences, found none$"):
        _method().solve(Frames([sequences], 18), None, 0)
    with pytest.raises(SettingsError, match=r"^hmm needs a skeleton with joints beside its root and hips, found none$"):
        Hmm(Skeleton(("a",), (-1,)), 3, HmmSettings(), 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": 0}, "expected words of at least 1, found 0"),
        ({"states": 0}, "expected states of at least 1, found 0"),
        ({"iterations": 0}, "expected iterations of at least 1, found 0"),
        ({"spread": 0.0}, "expected spread above 0, found 0"),
        ({"smoothing": -1.0}, "expected smoothing above 0, found -1"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        HmmSettings(**changes)  # type: ignore[arg-type]
