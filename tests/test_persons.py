"""Several persons in a recording: each, the main actor, a pair; the skeleton of two."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from motionprint.corpora.corpus import Corpus, Recording
from motionprint.errors import DatasetError, SettingsError, SkeletonMismatchError
from motionprint.persons import motion_energy, persons, stacked
from motionprint.prepare import prepare
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import BODY_PARTS, SKELETONS, Skeleton
from motionprint.store import open_dataset

SBU = SKELETONS["sbu15"]


def person(number: int, speed: float, frames: int = 4, **facts: object) -> SkeletonSequence:
    """All joints move by ``speed`` metres a frame along x; person ``number`` stands at z = number."""
    positions = np.zeros((frames, len(SBU), 3), np.float32)
    positions[..., 0] = speed * np.arange(frames)[:, None]
    positions[..., 2] = number
    return SkeletonSequence(positions, **{"fps": 15, "skeleton": SBU, "name": "a", "person": number, **facts})  # type: ignore[arg-type]


def test_motion_energy_is_the_sum_of_squared_steps() -> None:
    assert motion_energy(person(0, 0.5, frames=4)) == pytest.approx(3 * 15 * 0.25)
    assert motion_energy(person(0, 0.5, frames=1)) == 0.0
    gaps = person(0, 0.5).positions.copy()
    gaps[1, 3] = np.nan  # two of three steps of one joint are unknown
    assert motion_energy(SkeletonSequence(gaps, 15, SBU)) == pytest.approx((3 * 15 - 2) * 0.25)
    assert motion_energy(SkeletonSequence(np.full((3, 15, 3), np.nan), 15, SBU)) == 0.0


def test_each_leaves_them_as_they_are() -> None:
    three = [person(0, 0.1), person(1, 0.3), person(2, 0.2)]
    assert persons(three, "each") == three
    assert persons([], "each") == persons([], "first") == persons([], "pair") == []


def test_first_is_the_one_who_moves_most() -> None:
    (found,) = persons([person(0, 0.1), person(1, 0.3), person(2, 0.2)], "first")
    assert (found.person, found.extra) == (1, {"persons": 3})
    np.testing.assert_array_equal(found.positions, person(1, 0.3).positions)
    (found,) = persons([person(0, 0.2), person(1, 0.2)], "first")
    assert found.person == 0  # the first of equals


def test_a_pair_is_the_two_who_move_most_in_the_order_of_the_file() -> None:
    (found,) = persons([person(0, 0.1), person(1, 0.2), person(2, 0.3)], "pair")
    assert found.positions.shape == (4, 30, 3)
    np.testing.assert_array_equal(found.positions[:, :15], person(1, 0.2).positions)
    np.testing.assert_array_equal(found.positions[:, 15:], person(2, 0.3).positions)
    assert (found.person, found.extra, found.skeleton) == (0, {"persons": 3}, stacked(SBU))


def test_who_is_missing_in_a_pair_is_nan() -> None:
    (found,) = persons([person(0, 0.1)], "pair")
    assert not np.isnan(found.positions[:, :15]).any() and np.isnan(found.positions[:, 15:]).all()
    (found,) = persons([person(0, 0.1), person(1, 0.1, frames=2)], "pair")
    assert np.isnan(found.positions).any(axis=(1, 2)).tolist() == [False, False, True, True]


def test_what_is_no_pair_is_named() -> None:
    with pytest.raises(DatasetError, match="a: expected two persons of one frame rate, found 15 and 30 frames/s"):
        persons([person(0, 0.1), person(1, 0.1, fps=30)], "pair")
    other = SkeletonSequence(np.ones((4, 20, 3)), 15, SKELETONS["kinect20"], name="a", person=1)
    with pytest.raises(SkeletonMismatchError, match="a, person 1: expected the skeleton of 15 joints, found 20"):
        persons([person(0, 0.1), other], "pair")
    with pytest.raises(SettingsError, match="persons: expected one of each, first, pair, found 'two'"):
        persons([person(0, 0.1)], "two")


@pytest.mark.parametrize("name", SKELETONS)
def test_the_skeleton_of_two(name: str) -> None:
    one = SKELETONS[name]
    two, count = stacked(one), len(one)
    assert two.name == f"{name}_pair" and len(two) == 2 * count
    assert two.joint_names[:count] == tuple(f"a.{joint}" for joint in one.joint_names)
    assert two.joint_names[count:] == tuple(f"b.{joint}" for joint in one.joint_names)
    assert two.parents.count(-1) == 1 and two.root == one.root
    for joint, parent in enumerate(one.parents):
        assert two.parents[joint] == parent
        assert two.parents[count + joint] == (one.root if parent == -1 else count + parent)
    for part, both in zip(one.body_parts, two.body_parts, strict=True):
        assert both == (*part, *(count + joint for joint in part))
    assert sorted(joint for part in two.body_parts for joint in part) == list(range(2 * count))
    sides = {(two.joint_names[left][:2], two.joint_names[right][:2]) for left, right in two.left_right}
    assert sides == {("a.", "a."), ("b.", "b.")} and len(two.left_right) == 2 * len(one.left_right)
    assert (two.hips, two.spine) == (one.hips, one.spine)
    assert Skeleton.from_dict(json.loads(two.to_json())) == two
    assert len(two.body_parts) == len(BODY_PARTS)


# ---- in a data set -----------------------------------------------------------------------------------------------


def toy(files: dict[str, list[SkeletonSequence]], **facts: object) -> Corpus:
    def recordings(source: object, options: object) -> list[Recording]:
        return [Recording(name, f"{name}.toy", partial(list, found)) for name, found in files.items()]

    given = {"name": "toy", "title": "t", "obtain": "o", "layout": "l", "needs_source": False, **facts}
    return Corpus(recordings=recordings, **given)  # type: ignore[arg-type]


TWO = {"alone": [person(0, 0.1)], "both": [person(0, 0.1), person(1, 0.3)]}


@pytest.mark.parametrize(
    ("how", "names", "numbers", "joints"),
    [
        ("each", ["alone", "both_p0", "both_p1"], [0, 0, 1], 15),
        ("first", ["alone", "both"], [0, 1], 15),
        ("pair", ["alone", "both"], [0, 0], 30),
    ],
)
def test_prepare_holds_them_as_the_corpus_says(
    tmp_path: Path, how: str, names: list[str], numbers: list[int], joints: int
) -> None:
    summary = prepare(toy(TWO, persons=how), None, tmp_path / "data")
    dataset = open_dataset(tmp_path / "data")
    assert dataset.names == names and [each.person for each in dataset] == numbers
    assert summary.joints == len(dataset.skeleton) == joints
    assert json.loads((tmp_path / "data" / "prepare.json").read_text())["options"]["persons"] == how
    if how == "each":
        assert "persons" not in dataset.index
    else:
        assert dataset.index["persons"].tolist() == [1, 2]
    assert summary.missing_values == (4 * 15 * 3 if how == "pair" else 0)


def test_ghosts_are_left_out_by_name_before_anybody_is_chosen(tmp_path: Path) -> None:
    def ghosts(bodies: object) -> dict[int, str]:
        return {1: "no person: a chair"} if len(bodies) > 1 else {}  # type: ignore[arg-type]

    for how, names in (("each", ["alone", "both"]), ("first", ["alone", "both"]), ("pair", ["alone", "both"])):
        summary = prepare(toy(TWO, persons=how, ghosts=ghosts), None, tmp_path / how)
        assert [vars(each) for each in summary.left_out] == [
            {"name": "both_p1", "source": "both.toy", "reason": "no person: a chair"}
        ]
        assert open_dataset(tmp_path / how).names == names
        assert [each.person for each in open_dataset(tmp_path / how)] == [0, 0]


def test_what_is_to_be_left_out_is_not_read(tmp_path: Path) -> None:
    def recordings(source: object, options: object) -> list[Recording]:
        return [
            Recording("good", "good.toy", partial(list, TWO["alone"])),
            Recording("bad", "bad.toy", partial(pytest.fail, "it was read"), left_out="named in list.txt"),
        ]

    corpus = Corpus("toy", "t", "o", "l", recordings, needs_source=False)  # type: ignore[arg-type]
    summary = prepare(corpus, None, tmp_path / "data")
    assert [(each.name, each.reason) for each in summary.left_out] == [("bad", "named in list.txt")]


def test_an_unknown_way_is_refused(takes: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="persons: expected one of each, first, pair, found 'both'"):
        prepare("folder", takes, tmp_path / "data", persons="both")
    prepare("folder", takes, tmp_path / "data", persons="pair")
    assert len(open_dataset(tmp_path / "data").skeleton) == 2 * 16
