"""Dynamic time warping (Sakoe and Chiba 1978): the nearest neighbour without any learning.

The distance of two sequences a (T, D) and b (U, D) is that of the best way to walk through both, from their first
frames to their last, one frame of one or of both at a time:

    d(i, j) = |a_i - b_j|^2 + min(d(i-1, j), d(i, j-1), d(i-1, j-1))      distance = sqrt d(T, U)

No window and no step penalty. Computed by the package dtaidistance. Not to be confused with soft-DTW (Cuturi and
Blondel 2017), or with one warping for each dimension: all values of a frame are warped together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError
from motionprint.preprocessing import Recipe
from motionprint.sequence import SkeletonSequence

__all__ = ["require_warping", "warped_frames", "warping_distances"]

CHUNK = 64
"""Queries compared with the whole gallery between two reports of progress."""

Frames = npt.NDArray[np.float64]


def require_warping() -> Any:
    """The module of dtaidistance that compares sequences of vectors.

    Raises
    ------
    SettingsError
        If the package, or its compiled part, is not installed.
    """
    try:
        from dtaidistance import dtw_cc, dtw_ndim  # noqa: F401
    except ImportError as error:
        raise SettingsError("dynamic time warping needs the package dtaidistance: pip install dtaidistance") from error
    return dtw_ndim


def warped_frames(recipe: Recipe, sequences: Iterable[SkeletonSequence]) -> list[Frames]:
    """What is compared of each recording: the frames (T, D) of a fitted recipe, zero where missing.

    A recording that the recipe cuts into windows is taken whole, as for raw coordinates, and thinned to its length.
    """
    return [np.nan_to_num(recipe.apply(sequence)).astype(np.float64) for sequence in sequences]


def warping_distances(queries: Sequence[Frames], gallery: Sequence[Frames]) -> Iterator[Frames]:
    """Distances (n, G) of n queries after another, in their order, to all of the gallery.

    Raises
    ------
    SettingsError
        If the package dtaidistance is not installed.
    """
    compare = require_warping().distance_matrix_fast
    for start in range(0, len(queries), CHUNK):
        part = queries[start : start + CHUNK]
        block = ((0, len(part)), (len(part), len(part) + len(gallery)))
        found = compare([*part, *gallery], block=block, compact=True, parallel=False)
        yield np.asarray(found, dtype=np.float64).reshape(len(part), len(gallery))
