"""Values of frames, added up or averaged over the frames of each sequence."""

from __future__ import annotations

from torch import Tensor

from motionprint.batches import Packing

__all__ = ["averaged", "summed"]


def summed(values: Tensor, packing: Packing) -> Tensor:
    """(N, C) the sums of values (rows, C) over the frames of each sequence."""
    return values.new_zeros(packing.count, values.shape[1]).index_add(0, packing.sequence, values)


def averaged(values: Tensor, packing: Packing) -> Tensor:
    """(N, C) the means of values (rows, C) over the frames of each sequence."""
    return summed(values, packing) / (packing.time[packing.last] + 1).to(values.dtype)[:, None]
