"""Raw coordinates as prints: what any network has to beat.

They go through the recipe that the model under test was fitted with, so that both see the same root, alignment,
scale and clipping; every recording is brought to the same 16 moments and laid out flat.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from motionprint.preprocessing import Recipe
from motionprint.sequence import SkeletonSequence

__all__ = ["RAW_FRAMES", "raw_prints"]

RAW_FRAMES = 16
"""Moments of each recording, evenly spaced from its first to its last frame."""


def raw_prints(recipe: Recipe, sequences: Iterable[SkeletonSequence]) -> npt.NDArray[np.float32]:
    """Coordinates as prints (N, 16 D), through a fitted recipe; missing values are zero, as networks read them.

    Raises
    ------
    SkeletonMismatchError
        If a recording has other joints than the recipe.
    DatasetError
        If the root of a recording is missing in all frames.
    """
    prints = [np.nan_to_num(recipe.apply(sequence, frames=RAW_FRAMES).reshape(-1)) for sequence in sequences]
    return np.stack(prints) if prints else np.zeros((0, RAW_FRAMES * recipe.inputs), dtype=np.float32)
