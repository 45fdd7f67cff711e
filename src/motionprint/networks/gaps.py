"""What is missing in packed frames, on a smooth path between what is known before and after it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from motionprint.batches import Packing

__all__ = ["REACH", "across_gaps"]

REACH = 16
"""Frames after which the speed at the edge of a gap says nothing more."""


MARGIN = 2
"""Frames on each side of a gap that a bridge is drawn by: a place and a speed."""


def across_gaps(
    frames: Tensor, missing: Tensor, packing: Packing, between: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Frames with every gap bridged, and how far each value is from a known one.

    What is bridged is where a joint lies to the nearest one that is known wherever it is missing, and two frames to
    both sides of that; where there is none, the joint itself. A bridge is the straight line between the known frames
    beside a gap, and on each edge a bulge that lets it begin with the speed v of the two known frames there:
    L u (1 - u)^2 (v - slope of the line), where u L frames lie between a frame and the edge, and L is the length of the
    gap or `REACH`. Up to that length it is the cubic Hermite spline. Before the first and after the last known frame of
    a joint the line is at rest; where it is known in no frame, the joint is zero. What stands at a missing value is not
    read.

    Parameters
    ----------
    frames
        (rows, D) packed frames, three values a joint.
    missing
        (rows, D / 3) True where a joint is not known.
    packing
        How the rows are packed.
    between
        (D / 3, D / 3) how far it is from each joint (row) to each other one, infinite for one that it is not drawn
        beside; none of two finite numbers in a row may be equal. None: each joint itself is bridged.

    Returns
    -------
    bridged
        (rows, D) the frames, missing values on the bridge.
    distance
        (rows, D / 3) frames to the nearest one in which the joint is known: 0 where it is; infinite where none is.
    """
    length, count, joints = len(packing.sizes), packing.count, missing.shape[1]
    time, sequence = packing.time, packing.sequence
    known = missing.new_zeros(length, count, joints)
    known[time, sequence] = ~missing
    values = frames.new_zeros(length, count, joints, 3)
    values[time, sequence] = frames.view(-1, joints, 3).masked_fill(missing[..., None], 0)
    given, beside = values, torch.zeros_like(values)
    if between is not None:
        gone = missing.new_zeros(length, count, joints)
        gone[time, sequence] = missing
        beside = _beside(values, gone, between)
        values = values - beside
    times = torch.arange(length, device=frames.device)[:, None, None]
    before = torch.where(known, times, -1).cummax(dim=0).values
    after = torch.where(known, times, length).flip(0).cummin(dim=0).values.flip(0)
    begun, ends = before >= 0, after < length

    def at(numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The values in frames of these numbers (T, N, joints), and whether they are known."""
        inside = numbers.clamp(0, length - 1)
        there = known.gather(0, inside) & (inside == numbers)
        return values.gather(0, inside[..., None].expand(-1, -1, -1, 3)), there

    start, end = at(before)[0], at(after)[0]
    span = (after - before).to(frames.dtype)
    share = torch.where(begun & ends, (times - before) / span, (~begun).to(frames.dtype))
    slope = torch.where((begun & ends)[..., None], (end - start) / span[..., None], 0)
    bridged = start + share[..., None] * (end - start)
    reach = torch.where(begun & ends, span, float(REACH)).clamp(max=REACH)
    for edge, beyond, away, side in ((start, before - 1, times - before, begun), (end, after + 1, after - times, ends)):
        further, there = at(beyond)
        speed = (edge - further) - slope * (1 if edge is start else -1)
        near = (away / reach).clamp(max=1)
        bulge = (reach * near * (1 - near).square())[..., None] * speed
        bridged = bridged + bulge.masked_fill(~(side & there)[..., None], 0)
    bridged = (bridged + beside).masked_fill(~(begun | ends)[..., None], 0)
    bridged = torch.where(known[..., None], given, bridged)  # to the bit
    far = torch.full_like(span, torch.inf)
    distance = torch.minimum(torch.where(begun, times - before, far), torch.where(ends, after - times, far))
    return bridged[time, sequence].flatten(1), distance[time, sequence]


def _beside(values: Tensor, gone: Tensor, between: Tensor) -> Tensor:
    """(T, N, J, 3) for each joint, the one that it is bridged beside; zero where there is none.

    ``values`` has the joints, and ``gone`` (T, N, J) says which are missing.
    """
    around = functional.max_pool1d(gone.permute(1, 2, 0).to(values.dtype), 2 * MARGIN + 1, 1, MARGIN)  # (N, J, T)
    lacking = around @ gone.transpose(0, 1).to(
        values.dtype
    )  # (N, J, J) frames in which the other is needed, and missing
    far, near = torch.where(lacking > 0, torch.inf, between).min(dim=2)  # (N, J)
    places = near[None, :, :, None].expand(len(values), -1, -1, 3)
    return values.gather(2, places).masked_fill(torch.isinf(far)[..., None], 0)
