"""What is missing in packed frames, on a straight line between what is known before and after it."""

from __future__ import annotations

import torch
from torch import Tensor

from motionprint.batches import Packing

__all__ = ["on_a_line"]


def on_a_line(frames: Tensor, missing: Tensor, packing: Packing) -> tuple[Tensor, Tensor]:
    """Frames with every gap filled by linear interpolation, and how far each value is from a known one.

    What stands at a missing value is not read. Before the first and after the last known frame of a joint its line is
    at rest; where it is known in no frame, it is zero.

    Parameters
    ----------
    frames
        (rows, D) packed frames, three values a joint.
    missing
        (rows, D / 3) True where a joint is not known.
    packing
        How the rows are packed.

    Returns
    -------
    line
        (rows, D) the frames, missing values on the line.
    distance
        (rows, D / 3) frames to the nearest one in which the joint is known: 0 where it is; infinite where none is.
    """
    length, count, joints = len(packing.sizes), packing.count, missing.shape[1]
    time, sequence = packing.time, packing.sequence
    known = missing.new_zeros(length, count, joints)
    known[time, sequence] = ~missing
    values = frames.new_zeros(length, count, joints, 3)
    values[time, sequence] = frames.view(-1, joints, 3).masked_fill(missing[..., None], 0)
    times = torch.arange(length, device=frames.device)[:, None, None]
    before = torch.where(known, times, -1).cummax(dim=0).values
    after = torch.where(known, times, length).flip(0).cummin(dim=0).values.flip(0)
    begun, ends = before >= 0, after < length
    spot = [at[..., None].expand(-1, -1, -1, 3) for at in (before.clamp(min=0), after.clamp(max=length - 1))]
    start, end = (values.gather(0, each) for each in spot)
    share = torch.where(begun & ends, (times - before) / (after - before).clamp(min=1), (~begun).to(torch.float32))
    line = start + share[..., None].to(frames.dtype) * (end - start)
    line = line.masked_fill(~(begun | ends)[..., None], 0)
    far = torch.full_like(share, torch.inf)
    distance = torch.minimum(torch.where(begun, times - before, far), torch.where(ends, after - times, far))
    return line[time, sequence].flatten(1), distance[time, sequence].to(frames.dtype)
