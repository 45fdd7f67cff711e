"""Protocols: who trains, who tests, and that nobody does both."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from motionprint.errors import DatasetError
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton
from motionprint.store import MotionDataset, write_dataset
from motionprint.store.protocols import known_protocols, n_folds, resolve

DOT = Skeleton.from_tree(["a"], [-1])


def make(path: Path, count: int = 30, labels: str = "ab", subjects: int = 6, own: bool = True) -> MotionDataset:
    names = [f"n{number:02}" for number in range(count)]
    return write_dataset(
        path,
        (
            SkeletonSequence(
                np.full((2, 1, 3), number, np.float32),
                30,
                DOT,
                name=name,
                label=labels[number % len(labels)] if labels else None,
                subject=f"s{number // len(labels or '1') % subjects}" if subjects else None,
            )
            for number, name in enumerate(names)
        ),
        protocols={"own": [{"train": names[1:3], "test": names[:1]}, {"train": names[:1], "test": names[5:3:-1]}]}
        if own
        else None,
    )


@pytest.fixture
def dataset(tmp_path: Path) -> MotionDataset:
    return make(tmp_path / "data")


def test_without_a_protocol_all_train_and_none_tests(dataset: MotionDataset) -> None:
    split = resolve(dataset, None)
    assert split.train.tolist() == list(range(30))
    assert len(split.test) == 0
    assert (split.protocol, split.fold, split.duplicates, n_folds(dataset, None)) == (None, 0, 0, 1)
    with pytest.raises(DatasetError, match="fold 1: expected a protocol that has folds"):
        resolve(dataset, None, 1)


def test_the_data_sets_own_protocol_is_taken_by_name(dataset: MotionDataset) -> None:
    assert n_folds(dataset, "own") == 2
    first, second = resolve(dataset, "own"), resolve(dataset, "own", 1)
    assert (first.train.tolist(), first.test.tolist()) == ([1, 2], [0])
    assert (second.train.tolist(), second.test.tolist()) == ([0], [4, 5])


def test_kfold_tests_each_sequence_once_with_classes_in_proportion(dataset: MotionDataset) -> None:
    splits = [resolve(dataset, "kfold:5", fold) for fold in range(n_folds(dataset, "kfold:5"))]
    assert sorted(itertools.chain.from_iterable(split.test.tolist() for split in splits)) == list(range(30))
    labels = np.array(dataset.labels)
    for split in splits:
        assert sorted([*split.train, *split.test]) == list(range(30))
        assert (labels[split.test] == "a").sum() == (labels[split.test] == "b").sum() == 3
    assert splits[0].test.tolist() != [0, 1, 2, 3, 4, 5]  # shuffled
    again = resolve(dataset, "kfold:5", 2)
    assert again.test.tolist() == splits[2].test.tolist()


def test_kfold_needs_no_labels(tmp_path: Path) -> None:
    unlabelled = make(tmp_path / "u", 7, labels="", own=False)
    tests = [resolve(unlabelled, "kfold:3", fold).test.tolist() for fold in range(3)]
    assert sorted(itertools.chain.from_iterable(tests)) == list(range(7))
    assert sorted(len(test) for test in tests) == [2, 2, 3]


def test_kfold_takes_classes_rarer_than_its_folds(tmp_path: Path) -> None:
    rare = make(tmp_path / "r", 8, labels="aaaaaaab", own=False)
    distinct = make(tmp_path / "d", 8, labels="abcdefgh", own=False)
    for each in (rare, distinct):
        tests = [resolve(each, "kfold:4", fold).test.tolist() for fold in range(4)]
        assert sorted(itertools.chain.from_iterable(tests)) == list(range(8))


def test_kfold_subjects_keeps_a_subject_together(dataset: MotionDataset) -> None:
    subjects = np.array(dataset.subjects)
    tested: list[str] = []
    for fold in range(3):
        split = resolve(dataset, "kfold-subjects:3", fold)
        assert not set(subjects[split.train]) & set(subjects[split.test])
        tested += sorted(set(subjects[split.test]))
    assert sorted(tested) == [f"s{number}" for number in range(6)]


def test_the_subjects_named_train(dataset: MotionDataset) -> None:
    split = resolve(dataset, "subjects:s0, s2,s5")
    subjects = np.array(dataset.subjects)
    assert set(subjects[split.train]) == {"s0", "s2", "s5"}
    assert set(subjects[split.test]) == {"s1", "s3", "s4"}
    assert n_folds(dataset, "subjects:s0") == 1


def test_copies_of_training_sequences_among_the_test_ones_are_counted(tmp_path: Path) -> None:
    values = [0, 1, 2, 0, 0, 3]
    copies = write_dataset(
        tmp_path / "c",
        [
            SkeletonSequence(np.full((2, 1, 3), value), 30, DOT, name=f"n{number}", subject="ab"[number > 2])
            for number, value in enumerate(values)
        ],
    )
    assert resolve(copies, "subjects:a").duplicates == 2
    assert resolve(copies, "subjects:b").duplicates == 1
    assert resolve(copies.subset([1, 2, 3, 4, 5]), "subjects:a").duplicates == 0


def test_protocols_of_a_part_count_within_the_part(dataset: MotionDataset) -> None:
    part = dataset.subset([5, 2, 0])
    split = resolve(part, "own")
    assert (split.train.tolist(), split.test.tolist()) == ([1], [2])
    with pytest.raises(DatasetError, match=r"own, fold 0: leaves no sequence of .* to test"):
        resolve(dataset.subset([1, 2]), "own")


@pytest.mark.parametrize(
    ("protocol", "fold", "text"),
    [
        ("xview", 0, "unknown protocol 'xview': expected one of own, kfold:K, kfold-subjects:K, subjects:A,B,..."),
        ("", 0, "unknown protocol '': expected one of own"),
        ("kfold", 0, "protocol 'kfold': expected kfold:K with a whole number K of at least 2"),
        ("kfold:1", 0, "expected kfold:K with a whole number K of at least 2"),
        ("kfold-subjects:x", 0, "expected kfold-subjects:K with a whole number K of at least 2"),
        ("kfold:31", 0, "kfold:31: expected at least 31 sequences, found 30"),
        ("kfold-subjects:7", 0, "kfold-subjects:7: expected at least 7 subjects, found 6"),
        ("kfold:5", 5, "kfold:5: expected a fold from 0 to 4, found 5"),
        ("own", -1, "own: expected a fold from 0 to 1, found -1"),
        ("subjects:s0,s9,x", 0, "expected subjects among s0, s1, s2, s3, s4, s5; found s9, x"),
        ("subjects:", 0, "expected subjects among s0, s1, s2, s3, s4, s5; found none"),
        ("subjects:s0,s1,s2,s3,s4,s5", 0, "leaves no sequence of"),
    ],
)
def test_what_cannot_be_split_is_said(dataset: MotionDataset, protocol: str, fold: int, text: str) -> None:
    with pytest.raises(DatasetError) as error:
        resolve(dataset, protocol, fold)
    assert text in str(error.value)


@pytest.mark.parametrize("protocol", ["kfold-subjects:2", "subjects:s0"])
def test_protocols_of_subjects_need_subjects(tmp_path: Path, protocol: str) -> None:
    anonymous = make(tmp_path / "a", subjects=0, own=False)
    with pytest.raises(DatasetError, match=f"{protocol}: expected a subject for each sequence, found none for n00"):
        resolve(anonymous, protocol)
    assert known_protocols(anonymous) == ["kfold:K", "kfold-subjects:K", "subjects:A,B,..."]
