"""An exact quantile of more numbers than memory holds."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["Quantile"]

Values = npt.NDArray[np.float32]


class Quantile:
    """A quantile of float32 numbers >= 0 that are shown twice: the bits that ``np.quantile`` finds in all of them.

    Such numbers sort like the integers that their bits are. Shown first (`count`), they are counted by their upper 16
    bits; then (`narrow`) it is known which of these bins hold the two numbers that the quantile lies between; shown
    again (`refine`), the numbers in these bins are counted by their lower 16 bits. Memory is that of the counters.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.total = 0
        """Numbers that were counted."""
        self._upper = np.zeros(1 << 16, np.int64)
        self._lower: dict[int, npt.NDArray[np.int64]] = {}
        self._ranks = (0, 0)

    def count(self, values: Values) -> float:
        """Count numbers, and say which is the largest."""
        self.total += values.size
        np.add.at(self._upper, values.ravel().view(np.uint32) >> 16, 1)
        return float(values.max(initial=0))

    def narrow(self) -> float:
        """The least of the numbers that must be shown again (others may be); all have been counted."""
        low = math.floor((self.total - 1) * self.share)
        self._ranks = (low, min(low + 1, self.total - 1))
        bins = np.searchsorted(np.cumsum(self._upper), self._ranks, side="right")
        self._lower = {int(upper): np.zeros(1 << 16, np.int64) for upper in bins}
        return float((bins[:1].astype(np.uint32) << 16).view(np.float32)[0])

    def refine(self, values: Values) -> None:
        """Count again those numbers that matter."""
        bits = values.ravel().view(np.uint32)
        for upper, counters in self._lower.items():
            np.add.at(counters, bits[bits >> 16 == upper] & 0xFFFF, 1)

    @property
    def value(self) -> float:
        """The quantile; all that matter have been shown again."""
        before, after = (self._number(rank) for rank in self._ranks)
        weight = (self.total - 1) * self.share - self._ranks[0]
        apart = after - before
        # as NumPy interpolates: in float32, and from the nearer side
        return float(before + apart * np.float32(weight) if weight < 0.5 else after - apart * np.float32(1 - weight))

    def _number(self, rank: int) -> np.float32:
        """The number with this rank among all numbers in order."""
        upper = int(np.searchsorted(np.cumsum(self._upper), rank, side="right"))
        inside = rank - int(self._upper[:upper].sum())
        lower = int(np.searchsorted(np.cumsum(self._lower[upper]), inside, side="right"))
        return np.float32(np.array(upper << 16 | lower, np.uint32).view(np.float32))
