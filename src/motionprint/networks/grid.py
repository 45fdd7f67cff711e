"""A recurrent layer over a grid: each step reads the step before it in space and the one before it in time.

The steps of a diagonal (those of one s + t) do not depend on each other, and are computed at once: of S steps in space
and T frames, S + T - 1 operations one after another instead of S T. As in `motionprint.networks.scan`, the derivatives
are written out: what a diagonal owes is three products of matrices and a handful of products by elements.

Source: Liu, Shahroudy, Xu and Wang, "Spatio-Temporal LSTM with Trust Gates for 3D Human Action Recognition", ECCV 2016,
equations 4 to 11.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from motionprint.batches import Packing

__all__ = ["Grid", "GridLstm", "grid"]


class Grid(NamedTuple):
    """The steps (s, t) of N sequences, diagonal after diagonal, s after s, sequence after sequence: M places.

    Shorter sequences are as long as the longest here: what is computed past their end is read by nobody. States lie
    in R rows: those of the places, with N rows of zeros before each diagonal, which stand for the steps outside the
    grid; so the states before a diagonal's steps, in space or in time, are rows that follow each other.
    """

    sequences: int
    """N."""
    rows: int
    """R: rows of states."""
    diagonals: tuple[tuple[int, int, int, int], ...]
    """For each diagonal its first place, the end of its places, the row of its first state, that of its first state
    before in space; the one before in time is N rows further."""
    into: Tensor
    """(M,) the number of the packed step (row S + s) at each place; any where there is none."""
    out_of: Tensor
    """(packed rows times S,) the place of each packed step."""
    states: Tensor
    """(M,) the row of each place's state."""
    space: Tensor
    """(M,) the row of the state before it in space."""


@lru_cache(maxsize=16)
def grid(steps: int, lengths: tuple[int, ...], device: torch.device) -> Grid:
    """The grid of sequences of so many frames, longest first, with so many steps in space for each frame."""
    frames, count = lengths[0], len(lengths)
    ranges = [(max(0, d - frames + 1), min(steps - 1, d)) for d in range(steps + frames - 1)]
    s = np.concatenate([np.arange(first, last + 1) for first, last in ranges])
    t = np.concatenate([np.full(last - first + 1, d) for d, (first, last) in enumerate(ranges)]) - s
    ends = np.cumsum([last - first + 1 for first, last in ranges]) * count
    edges = list(pairwise([0, *ends.tolist()]))
    rows = [start + (d + 2) * count for d, (start, _) in enumerate(edges)]
    before = [0, *(rows[d - 1] + (ranges[d][0] - 1 - ranges[d - 1][0]) * count for d in range(1, len(rows)))]
    diagonals = tuple((*edge, row, space) for edge, row, space in zip(edges, rows, before, strict=True))
    cell = np.empty((steps, frames), np.int64)
    cell[s, t] = np.arange(len(s))
    time, sequence = Packing(lengths).of_row
    row = np.zeros((frames, count), np.int64)
    row[time, sequence] = np.arange(len(time))
    tables = (
        row[t] * steps + s[:, None],  # (M / N, N)
        cell[:, time].T * count + sequence[:, None],  # (packed rows, S)
        np.concatenate([row + np.arange(end - start) for start, end, row, _ in diagonals]),
        np.concatenate([space + np.arange(end - start) for start, end, _, space in diagonals]),
    )
    into, out_of, states, space = (torch.from_numpy(table.reshape(-1)).to(device) for table in tables)
    return Grid(count, rows[-1] + edges[-1][1] - edges[-1][0], diagonals, into, out_of, states, space)


class GridLstm(nn.Module):
    """One layer of an LSTM with a forget gate for space, one for time, and a trust gate or none."""

    def __init__(self, inputs: int, units: int, trust_lambda: float | None) -> None:
        super().__init__()
        kinds = 5 if trust_lambda is None else 6
        # x' of the input, p of the context, where there are trust gates; then u, i, f_S, f_T, o
        self.input = nn.Linear(inputs, kinds * units)
        self.context = nn.Linear(2 * units, kinds * units)
        self.trust_lambda = trust_lambda
        """lambda of the trust gates, or None."""

    def forward(self, places: Tensor, grid: Grid) -> tuple[Tensor, Tensor | None]:
        """States h and trust (M, H) at all places, of the inputs (M, inputs) there. The trust has no derivative."""
        found = _Scan.apply(self.input(places), self.context.weight, self.context.bias, grid, self.trust_lambda)  # type: ignore[no-untyped-call]
        return cast("tuple[Tensor, Tensor | None]", found)


class _Scan(torch.autograd.Function):
    """The pass over the diagonals."""

    @staticmethod
    def forward(
        ctx: Any, summed: Tensor, weight: Tensor, bias: Tensor, grid: Grid, trust_lambda: float | None
    ) -> tuple[Tensor, Tensor | None]:
        N, H = grid.sequences, weight.shape[1] // 2
        skip = 0 if trust_lambda is None else H  # columns of p, or of x'
        gates = bias.expand(len(summed), -1).clone()
        gates[:, skip:] += summed[:, skip:]
        squashed = torch.tanh(summed[:, :skip])  # x'
        states, cells = summed.new_zeros(2, grid.rows, H)
        squashed_cells = summed.new_empty(len(summed), H)
        trust = None if trust_lambda is None else summed.new_empty(len(summed), H)
        of_space, of_time = weight[:, :H].t(), weight[:, H:].t()
        for start, end, row, space in grid.diagonals:
            here, size = gates[start:end], end - start
            here.addmm_(states[space : space + size], of_space)
            here.addmm_(states[space + N : space + N + size], of_time)
            here[:, : skip + H].tanh_()
            here[:, skip + H :].sigmoid_()
            u, i, f_space, f_time, o = torch.split(here[:, skip:], H, dim=1)
            new = i * u
            cell = f_space * cells[space : space + size]
            cell.addcmul_(f_time, cells[space + N : space + N + size])
            if trust is None:
                cell += new
            else:  # trust i u + (1 - trust)(f_S c + f_T c)
                error = torch.sub(here[:, :H], squashed[start:end], out=trust[start:end])
                error.square_().mul_(-cast(float, trust_lambda)).exp_()
                cell.lerp_(new, error)
            cells[row : row + size] = cell
            torch.tanh(cell, out=squashed_cells[start:end])
            torch.mul(o, squashed_cells[start:end], out=states[row : row + size])
        ctx.grid, ctx.trust_lambda = grid, trust_lambda
        ctx.save_for_backward(weight, gates, squashed, states, cells, squashed_cells, trust)
        found = states[grid.states]
        if trust is not None:
            ctx.mark_non_differentiable(trust)
        return found, trust

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Any) -> Any:
        weight, gates, squashed, states, cells, squashed_cells, trust = ctx.saved_tensors
        grid: Grid = ctx.grid
        N, H = grid.sequences, weight.shape[1] // 2
        skip = 0 if trust is None else H
        u, i, f_space, f_time, o = torch.split(gates[:, skip:], H, dim=1)
        time = grid.space + N
        cell_space, cell_time = cells[grid.space], cells[time]
        # the derivatives of a step's cell by what its gates are made of; those of its state by o and by its cell
        by_cell = torch.empty_like(gates)
        taken, kept = (1, 1) if trust is None else (trust, 1 - trust)
        parts = torch.split(by_cell[:, skip:], H, dim=1)
        torch.mul(taken * i, 1 - u.square(), out=parts[0])
        torch.mul(taken * u, i - i.square(), out=parts[1])
        torch.mul(kept * cell_space, f_space - f_space.square(), out=parts[2])
        torch.mul(kept * cell_time, f_time - f_time.square(), out=parts[3])
        kept_space, kept_time = kept * f_space, kept * f_time
        by_input = squashed
        if trust is not None:
            predicted = gates[:, :H]
            by_error = i * u - f_space * cell_space - f_time * cell_time  # of the cell by the trust
            by_error *= -2 * ctx.trust_lambda * trust * (predicted - squashed)
            torch.mul(by_error, 1 - predicted.square(), out=by_cell[:, :H])
            by_input = by_error * (squashed.square() - 1)
        state_by_output = squashed_cells * (o - o.square())
        state_by_cell = o * (1 - squashed_cells.square())
        totals = gradient.new_zeros(grid.rows, H)  # of the loss by the states
        totals[grid.states] = gradient
        by_cells = torch.zeros_like(totals)  # of the loss by the cells
        kinds = gates.shape[1] // H
        owed = by_cell.view(len(gates), kinds, H)  # each diagonal's takes the place of its factors
        flat = by_cell
        of_space, of_time = weight[:, :H], weight[:, H:]
        for start, end, row, space in reversed(grid.diagonals):
            size = end - start
            total, cell = totals[row : row + size], by_cells[row : row + size]
            cell.addcmul_(total, state_by_cell[start:end])
            owed[start:end, :-1].mul_(cell.unsqueeze(1))
            torch.mul(total, state_by_output[start:end], out=flat[start:end, -H:])
            if not start:
                break
            totals[space : space + size].addmm_(flat[start:end], of_space)
            totals[space + N : space + N + size].addmm_(flat[start:end], of_time)
            by_cells[space : space + size].addcmul_(cell, kept_space[start:end])
            by_cells[space + N : space + N + size].addcmul_(cell, kept_time[start:end])
        by_weight = torch.cat([flat.t() @ states[grid.space], flat.t() @ states[time]], dim=1)
        by_bias = flat.sum(0)
        if trust is not None:
            torch.mul(by_cells[grid.states], by_input, out=flat[:, :H])
        return flat, by_weight, by_bias, None, None
