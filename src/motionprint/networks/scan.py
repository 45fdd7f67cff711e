"""The recurrences over packed rows on a CPU: forward, inference and backward passes of a GRU's and an LSTM's layer.

All n directions of a layer run side by side, each in its own order of time (the backward one reads its rows mirrored).
Rows are packed: time-major, the longest sequence first, so that the rows of a step are one block and no step computes
on padding. A step costs one product with the recurrent weights, added into the gates in place, and four or five
point-wise operations on blocks that stay in the cache; everything else is done for all rows at once: one product for
the inputs, the derivatives of all gates, and in `backward` what each gate owes to the loss, from which the caller takes
every weight gradient in one product.

The equations are those of ``nn.GRU`` (Cho et al. 2014, with the reset gate after the product) and ``nn.LSTM``
(Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000), the layout of the weights is theirs:

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)      z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
    n = tanh(W_in x + b_in + r (W_hn h + b_hn))     h' = (1 - z) n + z h

    i, f, o = sigmoid(W_i x + b_i + W_h h + b_h)    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    c' = f c + i g                                  h' = o tanh(c')

R rows, N sequences, H units, K inputs. ``gates`` is (n, R, 4H): of a GRU r, z, W_hn h + b_hn and n; of an LSTM i, f,
g and o.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from motionprint.batches import Packing

__all__ = ["GruScan", "LstmScan", "Scan", "Weights", "bf16_instructions", "padded_rows"]

Weights = tuple[Tensor, Tensor, Tensor, Tensor]
"""Of one direction of a layer, as PyTorch has them: input (gates H, K), recurrent (gates H, H), the biases of both."""


_ROWS, _STEP = 128, 16
"""Matrices of low precision have a multiple of this many rows, those of one step of that many: a kernel for them is
made anew for each shape, which takes longer than the product itself, so that shapes must recur."""


def padded_rows(rows: int, low: torch.dtype | None) -> int:
    """How many rows a table of ``rows`` has as a factor of matrix products."""
    return rows if low is None else -(-rows // _ROWS) * _ROWS


@cache
def bf16_instructions() -> bool:
    """Whether the processor multiplies matrices of bfloat16 by instructions of its own (AMX or AVX512-BF16)."""
    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in names)


def _mm(left: Tensor, right: Tensor) -> Tensor:
    """left @ right; of bfloat16 without instructions for it, in float32 and rounded: PyTorch's own way is very slow."""
    if left.dtype != torch.bfloat16 or bf16_instructions():
        return left @ right
    return (left.float() @ right.float()).bfloat16()


class Scan(ABC):
    """One pass of a layer over a batch: what it computed, and what its backward passes need of that.

    Parameters
    ----------
    rows
        (R, K) the layer's inputs.
    weights
        Of each direction.
    low
        The type that the factors of matrix products, and what comes out of each, are rounded to (``torch.bfloat16``),
        or None. Within a product sums are made in float32; states, gates and all else keep the type of the inputs.
    """

    def __init__(self, rows: Tensor, weights: Sequence[Weights], packing: Packing, low: torch.dtype | None) -> None:
        self.packing = packing
        self.low = low
        self.hidden = weights[0][1].shape[1]
        self.rows = len(rows)
        self.gates = rows.new_empty(len(weights), self.rows, 4 * self.hidden)  # (n, R, 4H)
        self.states = rows.new_empty(len(weights), self.rows, self.hidden)  # (n, R, H)
        self.factors = self._factors(self.states)
        """The states as matrix products take them."""
        self._previous: Tensor | None = None
        self._scratch: Tensor | None = None
        forward = self._factors(rows)
        if low is not None:
            forward[: self.rows] = rows
        self.inputs = [forward]
        """(R, K) for each direction, in its order of time, as matrix products take them."""
        if len(weights) == 2:
            mirrored = self._factors(rows) if low is not None else torch.empty_like(rows)
            torch.index_select(forward, 0, packing.reverse, out=mirrored[: self.rows])
            self.inputs.append(mirrored)
        for gates, x, (w_ih, _, b_ih, b_hh) in zip(self.gates, self.inputs, weights, strict=True):
            self._input_products(gates, x, self._rounded(w_ih), b_ih, b_hh)
        self._run(self._recurrent(weights))

    def _rounded(self, values: Tensor) -> Tensor:
        return values if self.low is None else values.to(self.low)

    def _factors(self, values: Tensor) -> Tensor:
        """(..., R, L): the table itself, or a place of type ``low`` for it, with rows of zeros up to a round number."""
        if self.low is None:
            return values
        rows = padded_rows(values.shape[-2], self.low)
        place = values.new_empty(*values.shape[:-2], rows, values.shape[-1], dtype=self.low)
        place[..., values.shape[-2] :, :] = 0
        return place

    def _recurrent(self, weights: Sequence[Weights]) -> Tensor:
        """(n, gates H, H) the recurrent weights as matrix products take them."""
        return torch.stack([self._rounded(w_hh) for _, w_hh, _, _ in weights])

    def _product(self, into: Tensor, left: Tensor, right: Tensor) -> None:
        """``into`` (M, L) is increased by left @ right; rows of left past M have no place in it."""
        if self.low is None:
            torch.addmm(into, left, right, out=into)
        else:
            into.add_(_mm(left, right)[: len(into)])

    def _step_product(self, into: Tensor, left: Tensor, right: Tensor) -> None:
        """``into`` (n, M, L) is increased by left @ right for each direction; of left, rows past M are left out."""
        if self.low is None:
            torch.baddbmm(into, left, right, out=into)
            return
        n, rows = left.shape[:2]
        if self._scratch is None or self._scratch.shape[-1] != right.shape[-1]:
            self._scratch = left.new_empty(n, -(-self.packing.count // _STEP) * _STEP, right.shape[-1])
        found = self._scratch[:, :rows]
        for each, one, other in zip(found, left, right, strict=True):  # a batched product would copy what is strided
            if bf16_instructions():
                torch.mm(one, other, out=each)
            else:
                each.copy_(_mm(one, other))
        into.add_(found[:, : into.shape[1]])

    def _blocks(self, values: Tensor) -> tuple[Tensor, ...]:
        """Views (n, N_t, L) of the rows of each step."""
        return torch.split(values[:, : self.rows], list(self.packing.sizes), dim=1)

    def _before(self, values: Tensor) -> list[Tensor]:
        """For each step but the first, views of the rows of the step before that have a next one."""
        return [block[:, :size] for block, size in zip(self._blocks(values), self.packing.sizes[1:], strict=False)]

    def _steps(self, factors: Tensor, *, before: bool) -> Sequence[Tensor]:
        """The rows of each step (or those before each step but the first) as left factors of a step's product."""
        if self.low is None:
            return self._before(factors) if before else self._blocks(factors)
        found, start = [], 0
        sizes = self.packing.sizes
        for size, taken in zip(sizes, sizes[1:] if before else sizes, strict=False):
            # rows that belong to other steps are computed and not used; there may be none left at the end
            count = -(-taken // _STEP) * _STEP
            found.append(factors[:, start : start + count])
            start += size
        return found

    @property
    def previous(self) -> Tensor:
        """(n, R - N, H) the states that the rows after the first step start from, as matrix products take them."""
        if self._previous is None:
            first = self.packing.count
            found = self._factors(self.states[:, first:])
            if self.low is None:
                found = torch.empty_like(found)
            for each, states in zip(found, self.factors, strict=True):
                torch.index_select(states, 0, self.packing.before, out=each[: self.rows - first])
            self._previous = found
        return self._previous

    @abstractmethod
    def _input_products(self, gates: Tensor, x: Tensor, w_ih: Tensor, b_ih: Tensor, b_hh: Tensor) -> None:
        """Fill the gates (R, 4H) of a direction with all that does not depend on a state."""

    @abstractmethod
    def _run(self, w_hh: Tensor) -> None:
        """Go through the steps: gates and states."""

    @abstractmethod
    def backward(self, total: Tensor, weights: Sequence[Weights]) -> Tensor:
        """What the gates owe: the derivative of the loss with respect to them, before their sigmoid or tanh.

        ``total`` (n, R, H) holds its derivative with respect to the states by way of all but the next state; it is
        used up. The result has the shape `owed_shape`, as matrix products take it.
        """

    @staticmethod
    @abstractmethod
    def owed_shape(directions: int, rows: int, hidden: int) -> tuple[int, int, int, int]:
        """(n, kinds, R, gates H): what `backward` returns."""

    @abstractmethod
    def input_gradient(self, owed: Tensor, w_ih: Tensor, rows: int) -> Tensor:
        """(rows, K): the derivative with respect to the first inputs; ``owed`` (kinds, rows or more, gates H)."""

    @abstractmethod
    def weight_gradients(self, owed: Tensor, direction: int) -> Weights:
        """Of one direction; ``owed`` (kinds, R, gates H)."""

    def _owed(self, total: Tensor) -> Tensor:
        rows = padded_rows(self.rows, self.low)
        owed = total.new_empty(self.owed_shape(len(total), rows, self.hidden), dtype=self.low or total.dtype)
        owed[:, :, self.rows :] = 0
        return owed

    def _recurrent_gradient(self, owed: Tensor, direction: int) -> Tensor:
        """(gates H, H): one product over all rows that have one before."""
        first, previous = self.packing.count, self.previous[direction]
        return _mm(owed[first : first + len(previous)].t(), previous[: len(owed) - first])

    def _with_biases(self, w_ih: Tensor, w_hh: Tensor, by_input: Tensor, by_recurrent: Tensor) -> Weights:
        kind = self.states.dtype
        b_hh = by_recurrent.sum(0, dtype=kind)
        b_ih = b_hh.clone() if by_input is by_recurrent else by_input.sum(0, dtype=kind)
        return w_ih.to(kind), w_hh.to(kind), b_ih, b_hh


class GruScan(Scan):
    """One layer of ``nn.GRU``."""

    def _input_products(self, gates: Tensor, x: Tensor, w_ih: Tensor, b_ih: Tensor, b_hh: Tensor) -> None:
        H = self.hidden
        gates[:, : 2 * H] = b_ih[: 2 * H] + b_hh[: 2 * H]
        gates[:, 2 * H : 3 * H] = b_hh[2 * H :]
        gates[:, 3 * H :] = b_ih[2 * H :]
        self._product(gates[:, : 2 * H], x, w_ih[: 2 * H].t())
        self._product(gates[:, 3 * H :], x, w_ih[2 * H :].t())

    def _run(self, w_hh: Tensor) -> None:
        H = self.hidden
        transposed = w_hh.transpose(1, 2)  # (n, H, 3H)
        # tanh(v) = 2 sigmoid(2 v) - 1: the sigmoid is the quicker kernel
        self.gates[..., 3 * H :].mul_(2)
        minus_one = self.gates.new_full((), -1.0)
        products = self._blocks(self.gates[..., : 3 * H])
        both = self._blocks(self.gates[..., : 2 * H])
        reset, update, inner, new = (self._blocks(part) for part in torch.split(self.gates, H, dim=2))
        states, before = self._blocks(self.states), self._before(self.states)
        factors, left = self._blocks(self.factors), self._steps(self.factors, before=True)
        for step, state in enumerate(states):
            if step:
                self._step_product(products[step], left[step - 1], transposed)
            both[step].sigmoid_()
            candidate = new[step].addcmul_(reset[step], inner[step], value=2).sigmoid_()
            torch.add(minus_one, candidate, alpha=2, out=candidate)
            if step:
                torch.lerp(candidate, before[step - 1], update[step], out=state)
            else:
                torch.addcmul(candidate, candidate, update[step], value=-1, out=state)
            if self.low is not None:
                factors[step].copy_(state)

    def backward(self, total: Tensor, weights: Sequence[Weights]) -> Tensor:
        H = self.hidden
        reset, update, inner, candidate = torch.split(self.gates, H, dim=2)
        owed = self._owed(total)  # (n, 2, R, 3H): r, z, W_hn h + b_hn; r, z, n
        # at first the derivatives of the state by each; what each owes takes their place step by step
        values = owed[:, 0] if self.low is None else torch.empty_like(self.gates[..., : 3 * H])
        by_reset, by_update, by_inner = torch.split(values, H, dim=2)
        by_candidate = torch.ops.aten.tanh_backward(1 - update, candidate)
        torch.mul(by_candidate, reset, out=by_inner)
        torch.ops.aten.sigmoid_backward.grad_input(by_candidate * inner, reset, grad_input=by_reset)
        difference = self.states - candidate  # z (h - n)
        torch.addcmul(difference, difference, update, value=-1, out=by_update)
        w_hh = self._recurrent(weights)  # (n, 3H, H)
        gradients, before, updates = self._blocks(total), self._before(total), self._blocks(update)
        blocks, flat = self._blocks(values.view(len(values), self.rows, 3, H)), self._blocks(values)
        factors, left = self._blocks(owed[:, 0]), self._steps(owed[:, 0], before=False)
        for step in range(len(gradients) - 1, -1, -1):
            gradient = gradients[step]
            blocks[step].mul_(gradient.unsqueeze(2))
            if self.low is not None:
                factors[step].copy_(flat[step])
            if step:
                before[step - 1].addcmul_(gradient, updates[step])
                self._step_product(before[step - 1], left[step], w_hh)
        owed[:, 1, : self.rows, : 2 * H] = owed[:, 0, : self.rows, : 2 * H]
        torch.mul(by_candidate, total, out=owed[:, 1, : self.rows, 2 * H :])
        return owed

    @staticmethod
    def owed_shape(directions: int, rows: int, hidden: int) -> tuple[int, int, int, int]:
        return directions, 2, rows, 3 * hidden

    def input_gradient(self, owed: Tensor, w_ih: Tensor, rows: int) -> Tensor:
        return _mm(owed[1], self._rounded(w_ih))[:rows].to(self.states.dtype)

    def weight_gradients(self, owed: Tensor, direction: int) -> Weights:
        w_ih = _mm(owed[1].t(), self.inputs[direction])
        return self._with_biases(w_ih, self._recurrent_gradient(owed[0], direction), owed[1], owed[0])


class LstmScan(Scan):
    """One layer of ``nn.LSTM``."""

    cells: Tensor
    """(n, R, H) c after each row."""
    squashed: Tensor
    """(n, R, H) tanh(c)."""

    def _input_products(self, gates: Tensor, x: Tensor, w_ih: Tensor, b_ih: Tensor, b_hh: Tensor) -> None:
        gates[:] = b_ih + b_hh
        self._product(gates, x, w_ih.t())

    def _run(self, w_hh: Tensor) -> None:
        H = self.hidden
        transposed = w_hh.transpose(1, 2)  # (n, H, 4H)
        self.cells, self.squashed = torch.empty_like(self.states), torch.empty_like(self.states)
        gates, first_two = self._blocks(self.gates), self._blocks(self.gates[..., : 2 * H])
        enter, forget, new, output = (self._blocks(part) for part in torch.split(self.gates, H, dim=2))
        cells, squashed, states = (self._blocks(each) for each in (self.cells, self.squashed, self.states))
        cell_before, left = self._before(self.cells), self._steps(self.factors, before=True)
        factors = self._blocks(self.factors)
        for step, state in enumerate(states):
            if step:
                self._step_product(gates[step], left[step - 1], transposed)
            first_two[step].sigmoid_()
            new[step].tanh_()
            output[step].sigmoid_()
            torch.mul(enter[step], new[step], out=cells[step])
            if step:
                cells[step].addcmul_(forget[step], cell_before[step - 1])
            torch.tanh(cells[step], out=squashed[step])
            torch.mul(output[step], squashed[step], out=state)
            if self.low is not None:
                factors[step].copy_(state)

    def backward(self, total: Tensor, weights: Sequence[Weights]) -> Tensor:
        enter, forget, new, output = torch.split(self.gates, self.hidden, dim=2)
        owed = self._owed(total)  # (n, 1, R, 4H)
        # at first d c / d (i, f, g) and d h / d o; what each owes takes their place step by step
        values = owed[:, 0] if self.low is None else torch.empty_like(self.gates)
        by_enter, by_forget, by_new, by_output = torch.split(values, self.hidden, dim=2)
        torch.ops.aten.sigmoid_backward.grad_input(new, enter, grad_input=by_enter)
        first = self.packing.count  # c before the first row is zero, and so is its derivative by f
        by_forget[:, :first] = 0
        cells = self.cells[:, self.packing.before]
        torch.ops.aten.sigmoid_backward.grad_input(cells, forget[:, first:], grad_input=by_forget[:, first:])
        torch.ops.aten.tanh_backward.grad_input(enter, new, grad_input=by_new)
        torch.ops.aten.sigmoid_backward.grad_input(self.squashed, output, grad_input=by_output)
        w_hh = self._recurrent(weights)  # (n, 4H, H)
        by_cell = self._blocks(torch.ops.aten.tanh_backward(output, self.squashed))  # d h / d c
        cell_total = torch.zeros_like(total)  # d loss / d c
        gradients, before, forgets = self._blocks(total), self._before(total), self._blocks(forget)
        by_cells, cells_before = self._blocks(cell_total), self._before(cell_total)
        blocks = self._blocks(values.view(len(values), self.rows, 4, self.hidden)[:, :, :3])
        outputs, flat = self._blocks(by_output), self._blocks(values)
        factors, left = self._blocks(owed[:, 0]), self._steps(owed[:, 0], before=False)
        for step in range(len(gradients) - 1, -1, -1):
            gradient, cell = gradients[step], by_cells[step]
            cell.addcmul_(gradient, by_cell[step])
            blocks[step].mul_(cell.unsqueeze(2))
            outputs[step].mul_(gradient)
            if self.low is not None:
                factors[step].copy_(flat[step])
            if step:
                torch.mul(cell, forgets[step], out=cells_before[step - 1])
                self._step_product(before[step - 1], left[step], w_hh)
        return owed

    @staticmethod
    def owed_shape(directions: int, rows: int, hidden: int) -> tuple[int, int, int, int]:
        return directions, 1, rows, 4 * hidden

    def input_gradient(self, owed: Tensor, w_ih: Tensor, rows: int) -> Tensor:
        return _mm(owed[0], self._rounded(w_ih))[:rows].to(self.states.dtype)

    def weight_gradients(self, owed: Tensor, direction: int) -> Weights:
        w_ih = _mm(owed[0].t(), self.inputs[direction])
        return self._with_biases(w_ih, self._recurrent_gradient(owed[0], direction), owed[0], owed[0])
