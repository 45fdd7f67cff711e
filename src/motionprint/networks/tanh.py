"""The plain recurrent network: layers of tanh units that read a sequence in both directions.

Layers of one size that read different inputs at once, as those of the body parts do, are one loop over time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from motionprint.batches import Packing

__all__ = ["TanhLayers"]


class TanhLayers(nn.Module):
    """L layers side by side: h_t = tanh(W_x x_t + W_h h_t-1 + b) in both directions (Schuster and Paliwal 1997).

    The weights are those of ``nn.RNN``, by name and by layout, which only holds them.
    """

    def __init__(self, inputs: Sequence[int], hidden: int) -> None:
        super().__init__()
        self.cells = nn.ModuleList(nn.RNN(each, hidden, bidirectional=True) for each in inputs)
        self.hidden = hidden
        """H: units of one direction of one layer."""

    def forward(self, blocks: Sequence[Tensor], packing: Packing) -> list[Tensor]:
        """(rows, 2 H) the outputs of each layer, both directions side by side, of its packed rows (rows, inputs)."""
        by_input, recurrent = [], []
        for cell, rows in zip(self.cells, blocks, strict=True):
            for suffix, read in (("", rows), ("_reverse", rows[packing.reverse])):
                w_ih, w_hh, b_ih, b_hh = (
                    getattr(cell, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                )
                by_input.append(torch.addmm(b_ih + b_hh, read, w_ih.t()))
                recurrent.append(w_hh)
        states = cast(Tensor, _Recurrence.apply(torch.stack(by_input), torch.stack(recurrent), packing))  # type: ignore[no-untyped-call]
        forwards, backwards = states[0::2], states[1::2][:, packing.reverse]
        return list(torch.cat([forwards, backwards], dim=2))


class _Recurrence(torch.autograd.Function):
    """h_t = tanh(a_t + W h_t-1) for 2 L recurrences at once, a and h (2 L, rows, H), W (2 L, H, H)."""

    @staticmethod
    def forward(ctx: Any, by_input: Tensor, weights: Tensor, packing: Packing) -> Tensor:
        states = by_input.clone()
        transposed = weights.transpose(1, 2)
        steps = _steps(states, packing)
        for step, state in enumerate(steps):
            if step:
                state.baddbmm_(steps[step - 1][:, : state.shape[1]], transposed)
            state.tanh_()
        ctx.packing = packing
        ctx.save_for_backward(states, weights)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        states, weights = ctx.saved_tensors
        packing: Packing = ctx.packing
        owed = gradient.clone()  # d loss / d h at first, step by step d loss / d a
        steps, slopes = _steps(owed, packing), _steps(1 - states.square(), packing)
        for step in range(len(steps) - 1, -1, -1):
            steps[step].mul_(slopes[step])
            if step:
                steps[step - 1][:, : steps[step].shape[1]].baddbmm_(steps[step], weights)
        by_weight = owed[:, packing.count :].transpose(1, 2) @ states[:, packing.before]
        return owed, by_weight, None


def _steps(values: Tensor, packing: Packing) -> list[Tensor]:
    """Views (., n, H) of the rows of each time step, of values (., rows, H)."""
    ends = [0]
    for size in packing.sizes:
        ends.append(ends[-1] + size)
    return [values[:, ends[step] : ends[step + 1]] for step in range(len(packing.sizes))]
