"""Which labelled recordings teach, when only a few do, and which are held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError

__all__ = ["draw_labelled", "hold_out"]


def draw_labelled(
    names: Sequence[str], labels: Sequence[str] | npt.NDArray[Any], per_class: int, sampling: int
) -> npt.NDArray[np.intp]:
    """Which training recordings are labelled when only a few of each class are.

    The draw depends on the training recordings' names and labels and on the sampling's number alone, so that every
    method and every kind of feature is given the same ones; fewer labels are a subset of more. A class with fewer
    recordings than asked for gives all it has.

    Returns
    -------
    numpy.ndarray
        Sorted positions in ``names``.

    Raises
    ------
    SettingsError
        If fewer than one label a class, or a negative sampling, is asked for.
    """
    if per_class < 1:
        raise SettingsError(f"expected at least 1 label a class, found {per_class}")
    if sampling < 0:
        raise SettingsError(f"expected a sampling of 0 or more, found {sampling}")
    classes = np.asarray(labels, dtype=np.str_)
    by_name = np.argsort(np.asarray(names, dtype=np.str_), kind="stable")
    random = np.random.default_rng(sampling)
    drawn = [
        by_name[classes[by_name] == label][random.permutation(int((classes == label).sum()))[:per_class]]
        for label in np.unique(classes)
    ]
    return np.sort(np.concatenate(drawn)) if drawn else np.zeros(0, dtype=np.intp)


def hold_out(
    names: Sequence[str], labels: Sequence[str] | npt.NDArray[Any], share: float, seed: int
) -> npt.NDArray[np.intp]:
    """Which labelled recordings are held out to see when training is enough: of each class that share, rounded down.

    None at all where that would leave a class without one: then there are too few labels to spare any.

    Returns
    -------
    numpy.ndarray
        Sorted positions in ``names``.
    """
    classes = np.asarray(labels, dtype=np.str_)
    by_name = np.argsort(np.asarray(names, dtype=np.str_), kind="stable")
    random = np.random.default_rng([seed, 1])
    held = []
    for label in np.unique(classes):
        members = by_name[classes[by_name] == label]
        count = int(share * len(members) + 1e-9)
        if not count:
            return np.zeros(0, dtype=np.intp)
        held.append(members[random.permutation(len(members))[:count]])
    return np.sort(np.concatenate(held)) if held else np.zeros(0, dtype=np.intp)
