"""How many groups there are, where nobody says: the bend of the curve of what is left within them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["SAMPLE", "choose_count", "knee", "within"]

SAMPLE = 2000
"""Prints that the number is chosen by at most, drawn from the seed: a tree of them takes a second."""

MOST = 50
"""Groups at most: what a person still looks through."""


def choose_count(prints: npt.NDArray[np.floating[Any]], seed: int = 0) -> int:
    """How many groups the prints (N, R) fall into: 2 to `MOST`, but 1 where there are fewer than four.

    Ward's tree says what is left within k groups for every k. That curve falls steeply while groups come apart, and
    slowly once they are cut to pieces; the number is where it lies farthest below the line between its ends (the knee
    of Satopaa, Albrecht, Irwin and Raghavan 2011, without smoothing). docs/exploring.md has what it was chosen among.
    """
    rows = np.arange(len(prints))
    if len(rows) > SAMPLE:
        rows = np.random.default_rng(seed).choice(len(rows), SAMPLE, replace=False)
    return knee(within(np.asarray(prints, np.float64)[rows])[:MOST])


def knee(left: npt.NDArray[np.float64]) -> int:
    """The number of groups, from 1, at which what is ``left`` within them lies farthest below the line of its ends."""
    if len(left) < 4 or not left[0] > left[-1]:
        return 1
    height = (left - left[-1]) / (left[0] - left[-1])  # 1 at one group, 0 at the last number
    place = np.linspace(0, 1, len(left))
    return int(np.argmax(1 - place - height)) + 1


def within(prints: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(N,) what is left within 1, 2, ... N groups: the sum of squared distances to the mean of one's own group."""
    from scipy.cluster.hierarchy import ward

    if len(prints) < 2:
        return np.zeros(len(prints))
    heights = np.asarray(ward(prints)[:, 2])  # rising; a join adds half of the square of its height
    return np.concatenate([[0.0], np.cumsum(heights**2 / 2)])[::-1]
