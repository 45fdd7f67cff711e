"""SMIJ: the joint that moves is the most informative one, distances are Levenshtein's, and subjects are crossed."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch

from motionprint.batches import pack
from motionprint.corpora import synthetic
from motionprint.errors import DatasetError, SettingsError
from motionprint.methods import CLASSIFIERS, Smij
from motionprint.methods.smij import SmijSettings, edit_distances
from motionprint.preprocessing import Frames, Recipe
from motionprint.skeleton import Skeleton

CHAIN = Skeleton(("root", "hip", "knee", "foot", "arm", "hand"), (-1, 0, 1, 2, 0, 4))
Sequences = list[npt.NDArray[np.float32]]


def _method(inputs: int = 18, classes: int = 3, **changes: object) -> Smij:
    return Smij(CHAIN, inputs, SmijSettings(**changes), classes)  # type: ignore[arg-type]


def _solved(sequences: Sequences, labels: list[int], **changes: object) -> Smij:
    method = _method(**changes)
    method.solve(Frames([[each] for each in sequences], 18), np.array(labels), 0)
    return method


def _sequences(lengths: tuple[int, ...]) -> Sequences:
    random = np.random.default_rng(0)
    found = [random.uniform(-1, 1, (length, 18)).astype(np.float32) for length in lengths]
    for sequence in found:
        sequence[:, :3] = 0  # the root
    return found


def _bending(angles: npt.NDArray[np.float64], joint: str) -> npt.NDArray[np.float32]:
    """A body of which one angle (T,), rad, changes: at the knee or at the arm."""
    positions = np.zeros((len(angles), 6, 3))
    positions[:, 1:4] = (0, -0.2, 0), (0, -0.6, 0), (0, -1, 0)
    positions[:, 4:] = (0.3, 0.3, 0), (0.3, 0.7, 0)
    at, after, length = {"knee": (2, 3, 0.4), "arm": (4, 5, 0.4)}[joint]
    back = positions[:, 1 if joint == "knee" else 0] - positions[:, at]
    start = np.arctan2(back[:, 1], back[:, 0])
    turned = np.stack([np.cos(start + angles), np.sin(start + angles), 0 * angles], 1)
    positions[:, after] = positions[:, at] + length * turned
    return positions.reshape(len(angles), 18).astype(np.float32)


def test_an_angle_is_that_between_the_bones_that_meet_at_a_joint() -> None:
    method = _method()
    assert method.angles == [(1, 0, 4), (0, 1, 2), (1, 2, 3), (0, 4, 5)]
    wanted = np.linspace(0.1, 3.0, 20)
    for joint, column in (("knee", 2), ("arm", 3)):
        found, known = method._angles_of(torch.from_numpy(_bending(wanted, joint)))
        np.testing.assert_allclose(found[:, column].numpy(), wanted, atol=1e-5)
        assert known.all()
    # neither moving, turning nor scaling the body changes an angle
    frames = _sequences((9,))[0].reshape(9, 6, 3)
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    expected, _ = method._angles_of(torch.from_numpy(frames.reshape(9, 18)))
    found, _ = method._angles_of(torch.from_numpy((0.3 * frames @ turn.T).astype(np.float32).reshape(9, 18)))
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-5)


def test_the_joint_that_bends_is_the_most_informative_one_of_its_segment() -> None:
    swing = 1.5 + np.sin(np.arange(12))
    first, second = _bending(swing, "knee"), _bending(swing, "arm")
    batch, _ = pack([np.concatenate([first, second]), second[:1]])
    found = _method(segments=2, joints=2).most_informative(batch.seen, batch.packing)
    assert found[0].tolist() == [[2, -1], [3, -1]]  # the others stand still
    assert (found[1] == -1).all()  # in one frame nothing moves


def test_the_joints_are_ranked_by_the_variance_of_their_angles() -> None:
    """An independent reference, segment by segment."""
    sequence = _sequences((23,))[0]
    batch, _ = pack([sequence])
    method = _method(segments=5, joints=4)
    found = method.most_informative(batch.seen, batch.packing)[0]
    joints = sequence.reshape(23, 6, 3).astype(np.float64)
    for segment in range(5):
        inside = joints[segment * 23 // 5 : (segment + 1) * 23 // 5]
        variances = []
        for before, at, after in method.angles:
            one, other = inside[:, before] - inside[:, at], inside[:, after] - inside[:, at]
            cosine = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
            variances.append(np.arccos(cosine).var())
        assert found[segment].tolist() == np.argsort(variances)[::-1].tolist()


def _levenshtein(one: list[int], other: list[int]) -> int:
    table = [[i + j for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            changed = table[i - 1][j - 1] + (one[i - 1] != other[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, changed)
    return table[-1][-1]


def test_distances_are_levenshteins() -> None:
    random = torch.Generator().manual_seed(0)
    words, references = (torch.randint(0, 4, (count, 7, 3), generator=random) for count in (5, 6))
    found = edit_distances(words, references)
    for i in range(5):
        for j in range(6):
            each = [_levenshtein(words[i, :, n].tolist(), references[j, :, n].tolist()) for n in range(3)]
            assert found[i, j].item() == pytest.approx(sum(each) / 3 / 7)
    assert not edit_distances(words, words).diagonal().any()
    assert edit_distances(torch.zeros(1, 7, 1), torch.ones(1, 7, 1)).item() == 1


@pytest.mark.parametrize("reads", ["distances", "ranks", "histogram"])
def test_neighbours_order_and_padding_change_nothing(reads: str) -> None:
    sequences = _sequences((9, 2, 40, 1, 9))
    sequences[2][5:9, 3:6] = np.nan
    method = _solved(sequences, [0, 1, 2, 0, 1], reads=reads, segments=4).double()
    batch, order = pack(sequences)
    together = method.scores(batch.seen.double(), batch.packing)
    assert together.isfinite().all()
    for place, i in enumerate(order):
        alone, _ = pack([sequences[i]])
        found = method.scores(alone.seen.double(), alone.packing)[0]
        torch.testing.assert_close(found, together[place], rtol=0, atol=1e-9)


def test_a_missing_joint_is_no_movement() -> None:
    still = _bending(np.full(20, 1.0), "knee")
    still[5:8, 9:12] = still[11, 15:18] = np.nan
    batch, _ = pack([still])
    assert (_method(segments=2).most_informative(batch.seen, batch.packing) == -1).all()


def test_the_root_path_is_not_read() -> None:
    sequence = _sequences((15,))[0]
    longer = np.concatenate([sequence, np.random.default_rng(0).normal(size=(15, 3)).astype(np.float32)], 1)
    batch, path = pack([sequence])[0], pack([longer])[0]
    found = [_method(each.frames.shape[1]).most_informative(each.seen, each.packing) for each in (batch, path)]
    assert torch.equal(*found)


def test_actions_that_differ_in_who_moves_are_told_apart() -> None:
    """Who moves first is all that differs: no pose, and no histogram, tells these two classes."""
    random = np.random.default_rng(0)
    sequences, labels = [], []
    for number in range(40):
        parts = [_bending(1.5 + np.sin(np.arange(15) + random.uniform(0, 6)), joint) for joint in ("knee", "arm")]
        sequences.append(np.concatenate(parts[:: 1 - 2 * (number % 2)]))
        labels.append(number % 2)
    batch, order = pack(sequences[20:])
    for changes in ({}, {"reads": "ranks"}, {"classifier": "nearest"}):
        method = _solved(sequences[:20], labels[:20], segments=6, **changes)
        assert method.scores(batch.seen, batch.packing).argmax(1).tolist() == [labels[20:][i] for i in order], changes


def test_the_nearest_reference_of_a_training_sequence_is_itself() -> None:
    sequences = _sequences((9, 12, 30, 25))
    method = _solved(sequences, [0, 2, 1, 2], classifier="nearest", segments=6)
    batch, order = pack(sequences)
    scores = method.scores(batch.seen, batch.packing)
    assert [scores[place, [0, 2, 1, 2][i]].item() for place, i in enumerate(order)] == [0.0] * 4


def test_machines_that_have_not_converged_are_counted_and_a_seed_of_any_size_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames, labels = Frames([[each] for each in _sequences(tuple(range(5, 25)))], 18), np.arange(20) % 2
    assert _method().solve(frames, labels, 2**63) == {"unconverged": 0}
    monkeypatch.setattr("motionprint.methods.svm.MAX_ITERATIONS", 1)
    assert _method().solve(frames, labels, 2**63) == {"unconverged": 1}


def test_references_are_drawn_where_there_are_more_sequences() -> None:
    sequences = _sequences(tuple(range(5, 25)))
    method = _solved(sequences, [0, 1] * 10, references=8)
    assert method.references.shape == (8, 16, 4)
    assert (method.reference_labels >= 0).all() and len(method.references.unique(dim=0)) == 8


def test_it_recognises_actions_of_people_whom_it_never_saw() -> None:
    everything = [each for each in synthetic.generate() if str(each.extra["repetition"]) == "1"]
    train = [each for each in everything if each.subject < "s06"]  # type: ignore[operator]
    test = [each for each in everything if each.subject >= "s06"]  # type: ignore[operator]
    recipe = Recipe(train[0].skeleton).fit(train)
    names = sorted({str(each.label) for each in train})
    frames = Frames([[recipe.apply(each)] for each in train], recipe.inputs)
    method = Smij(recipe.skeleton, recipe.inputs, SmijSettings(), len(names))
    method.solve(frames, np.array([names.index(str(each.label)) for each in train]), 0)
    batch, order = pack([recipe.apply(each) for each in test])
    found = method.scores(batch.seen, batch.packing).argmax(1).tolist()
    right = np.mean([names[label] == test[i].label for label, i in zip(found, order, strict=True)])
    assert right > 5 / 19  # five times chance: who moves most is little of what an action is


def test_weights_load_into_a_method_that_was_never_solved_and_the_seed_is_all() -> None:
    sequences = _sequences((9, 5, 12, 30))
    method, again, other = _solved(sequences, [0, 1, 2, 1]), _solved(sequences, [0, 1, 2, 1]), _method()
    other.load_state_dict(method.state_dict())
    batch, _ = pack(sequences)
    for each in (again, other):
        assert torch.equal(each.scores(batch.seen, batch.packing), method.scores(batch.seen, batch.packing))
        assert torch.equal(
            each.encode(batch.seen, batch.packing)["F"], each.encode(batch.seen, batch.packing)["states"]
        )
    assert not list(method.parameters()) and method.networks == {} and method.objectives(batch) == {}
    assert CLASSIFIERS["smij"].closed and math.prod(method.references.shape) == 500 * 16 * 4


def test_what_cannot_be_solved_is_named() -> None:
    sequences = _sequences((9, 5))
    with pytest.raises(DatasetError, match=r"^expected training sequences of at least two classes, found 1$"):
        _solved(sequences, [1, 1])
    with pytest.raises(ValueError, match=r"^expected the classes of the training sequences, found none$"):
        _method().solve(Frames([sequences], 18), None, 0)
    with pytest.raises(SettingsError, match=r"^smij needs a skeleton with two bones that meet at a joint, found none$"):
        Smij(Skeleton(("a", "b"), (-1, 0)), 6, SmijSettings(), 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segments": 0}, "expected segments of at least 1, found 0"),
        ({"joints": 0}, "expected joints of at least 1, found 0"),
        ({"references": 0}, "expected references of at least 1, found 0"),
        ({"reads": "bag"}, "expected reads to be one of distances, ranks, histogram, found 'bag'"),
        ({"classifier": "tree"}, "expected classifier to be one of svm, nearest, found 'tree'"),
        (
            {"classifier": "nearest", "reads": "ranks"},
            "expected reads distances beside classifier nearest, found ranks",
        ),
        ({"penalty": -1.0}, "expected penalty above 0, found -1"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        SmijSettings(**changes)  # type: ignore[arg-type]
