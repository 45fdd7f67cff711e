"""Which sequences train and which test, under a name.

A data set brings its own protocols (``protocols.json``); three more work on any:

- ``kfold:K``: K folds, each with the classes in the same proportions; the shuffle is fixed.
- ``kfold-subjects:K``: K folds, each subject in one test fold only.
- ``subjects:A,B,C``: these subjects train, the others test.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError
from motionprint.store.dataset import MotionDataset

__all__ = ["Split", "known_protocols", "n_folds", "resolve"]

_GENERAL = ("kfold:K", "kfold-subjects:K", "subjects:A,B,...")


@dataclass(frozen=True, eq=False)
class Split:
    """One fold of a protocol."""

    protocol: str | None
    """Its name; None where everything trains."""
    fold: int
    """From 0."""
    train: npt.NDArray[np.int64]
    """Numbers of the sequences that train, ascending."""
    test: npt.NDArray[np.int64]
    """Numbers of the sequences that test, ascending."""
    duplicates: int
    """Test sequences that equal a training sequence number for number."""


def resolve(dataset: MotionDataset, protocol: str | None, fold: int = 0) -> Split:
    """The sequences of a data set that train and that test under a protocol; without one, all train and none tests.

    Raises
    ------
    DatasetError
        If the protocol or the fold is not known (the text names those that are), if the data set lacks the
        subjects or the number of sequences that the protocol needs, or if nothing would train or test.
    """
    if protocol is None:
        if fold != 0:
            raise DatasetError(f"fold {fold}: expected a protocol that has folds, found none")
        return Split(None, 0, np.arange(len(dataset)), np.arange(0), 0)
    count = n_folds(dataset, protocol)
    if not 0 <= fold < count:
        raise DatasetError(f"{protocol}: expected a fold from 0 to {count - 1}, found {fold}")
    kind, _, argument = protocol.partition(":")
    if protocol in dataset.protocols:
        train, test = _own(dataset, protocol, fold)
    elif kind == "kfold":
        train, test = _kfold(dataset, count, fold)
    elif kind == "kfold-subjects":
        train, test = _kfold_subjects(dataset, count, fold)
    else:
        train, test = _subjects(dataset, argument)
    for side, numbers in (("train", train), ("test", test)):
        if not len(numbers):
            raise DatasetError(f"{protocol}, fold {fold}: leaves no sequence of {dataset.folder} to {side}")
    hashes = dataset.index["sha256"]
    copies = int(hashes.iloc[test].isin(hashes.iloc[train]).sum())
    return Split(protocol, fold, np.sort(train), np.sort(test), copies)


def n_folds(dataset: MotionDataset, protocol: str | None) -> int:
    """How many folds a protocol has.

    Raises
    ------
    DatasetError
        If it is not known, or written in another way than `kfold:K`, `kfold-subjects:K` or `subjects:A,B`.
    """
    if protocol is None:
        return 1
    if protocol in dataset.protocols:
        return len(dataset.protocols[protocol])
    kind, _, argument = protocol.partition(":")
    if kind == "subjects":
        return 1
    if kind not in ("kfold", "kfold-subjects"):
        raise DatasetError(f"unknown protocol {protocol!r}: expected one of {', '.join(known_protocols(dataset))}")
    if not (argument.isascii() and argument.isdigit() and int(argument) >= 2):
        raise DatasetError(f"protocol {protocol!r}: expected {kind}:K with a whole number K of at least 2")
    return int(argument)


def known_protocols(dataset: MotionDataset) -> list[str]:
    """The names that `resolve` takes: the data set's own, then the general ones."""
    return [*dataset.protocols, *_GENERAL]


Halves = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def _own(dataset: MotionDataset, protocol: str, fold: int) -> Halves:
    numbers = {name: number for number, name in enumerate(dataset.names)}
    sides = dataset.protocols[protocol][fold]
    train, test = (np.array([numbers[name] for name in sides[side]], dtype=np.int64) for side in ("train", "test"))
    return train, test


def _kfold(dataset: MotionDataset, count: int, fold: int) -> Halves:
    from sklearn.model_selection import StratifiedKFold

    if count > len(dataset):
        raise DatasetError(f"kfold:{count}: expected at least {count} sequences, found {len(dataset)}")
    labels = ["" if label is None else f"={label}" for label in dataset.labels]
    if count > max(labels.count(label) for label in set(labels)):
        labels = [""] * len(labels)  # no class reaches all folds: nothing to keep in proportion
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        folds = list(StratifiedKFold(count, shuffle=True, random_state=0).split(np.zeros(len(labels)), labels))
    train, test = folds[fold]
    return train.astype(np.int64), test.astype(np.int64)


def _kfold_subjects(dataset: MotionDataset, count: int, fold: int) -> Halves:
    from sklearn.model_selection import GroupKFold

    subjects = _known_subjects(dataset, f"kfold-subjects:{count}")
    if count > len(set(subjects)):
        raise DatasetError(f"kfold-subjects:{count}: expected at least {count} subjects, found {len(set(subjects))}")
    train, test = list(GroupKFold(count).split(np.zeros(len(subjects)), groups=subjects))[fold]
    return train.astype(np.int64), test.astype(np.int64)


def _subjects(dataset: MotionDataset, argument: str) -> Halves:
    chosen = {subject.strip() for subject in argument.split(",") if subject.strip()}
    subjects = _known_subjects(dataset, f"subjects:{argument}")
    known = sorted(set(subjects))
    unknown = sorted(chosen - set(known))
    if unknown or not chosen:
        found = ", ".join(unknown) if unknown else "none"
        raise DatasetError(f"subjects:{argument}: expected subjects among {', '.join(known)}; found {found}")
    trains = np.array([subject in chosen for subject in subjects])
    return np.flatnonzero(trains), np.flatnonzero(~trains)


def _known_subjects(dataset: MotionDataset, protocol: str) -> list[str]:
    subjects = [subject for subject in dataset.subjects if subject is not None]
    if len(subjects) != len(dataset):
        name = next(n for n, subject in zip(dataset.names, dataset.subjects, strict=True) if subject is None)
        raise DatasetError(f"{protocol}: expected a subject for each sequence, found none for {name}")
    return subjects
