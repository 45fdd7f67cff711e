"""Recurrent layers over packed frames: a bidirectional or one-directional GRU or LSTM.

Frames are packed as in ``torch.nn.utils.rnn.PackedSequence``: time-major, the longest sequence first, so that no
step computes on padding. The weights are those of ``nn.GRU`` and ``nn.LSTM``, by name and by layout.

On a CPU a layer is one pass of our own (`motionprint.networks.scan`); on any other device PyTorch's kernels serve.

How a pass enters the graph: a custom autograd function is not told which gradients ``backward(inputs=...)`` wants,
and would compute all of them. So a layer is three nodes. `_Run` does the work and returns, backward, what the gates owe
to the loss; `_Frames` and `_Weights` compute nothing forward, and backward make the gradients of the inputs and of the
weights from it. Autograd leaves out those of the two that nobody asks for.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import PackedSequence

from motionprint.batches import Packing
from motionprint.networks.scan import GruScan, LstmScan, Scan, Weights, padded_rows

__all__ = ["Cell", "RecurrentLayers"]

Cell = Literal["gru", "lstm"]


def dropout(values: Tensor, share: float, packing: Packing) -> Tensor:
    """Values (rows, H) of which a share, drawn at random, is zero; the others are divided by 1 - share.

    Random numbers of 16 bits are enough, four to a draw, which costs a tenth of what ``functional.dropout`` does; the
    share is that to a 65536th, and what is left is divided by what really stays. What is drawn is drawn for the whole
    batch that the packing is a part of, so that its parts, computed by several processes, drop what one process would.
    """
    dropped = round(share * 65536)
    rows, columns = packing.whole.rows, values.shape[1]
    drawn = torch.empty(-(-rows * columns // 4), dtype=torch.int64, device=values.device).random_(-(2**63), None)
    bits = drawn.view(torch.int16)[: rows * columns].view(rows, columns)
    if packing.part is not None:
        bits = bits[packing.rows_in_whole]
    return cast(Tensor, _Dropped.apply(values, bits >= dropped - 32768, 65536 / (65536 - dropped)))  # type: ignore[no-untyped-call]


class _Dropped(torch.autograd.Function):
    """values x kept x scale."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        ctx.save_for_backward(kept)
        return (values * kept).mul_(scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return (gradient * ctx.saved_tensors[0]).mul_(ctx.scale), None, None


class RecurrentLayers(nn.Module):
    """A stack of recurrent layers with dropout between them, never on the recurrent path (Zaremba et al. 2014)."""

    def __init__(
        self, inputs: int, hidden: int, layers: int, *, bidirectional: bool, cell: Cell = "gru", dropout: float = 0.0
    ) -> None:
        super().__init__()
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.cell = kind(inputs, hidden, layers, bidirectional=bidirectional, dropout=dropout if layers > 1 else 0.0)
        self.directions = 2 if bidirectional else 1
        self.hidden = hidden
        """H: units of one direction of one layer."""
        self.low: torch.dtype | None = None
        """What matrix products are computed in, in training (``torch.bfloat16``), or None."""

    def forward(self, frames: Tensor, packing: Packing) -> tuple[Tensor, Tensor]:
        """Outputs of the last layer for all packed frames, and its last states.

        Parameters
        ----------
        frames
            (rows, inputs) packed frames.
        packing
            How the rows are packed.

        Returns
        -------
        outputs
            (rows, directions x H), in the order of the rows.
        states
            (N, directions x H): the forward direction after a sequence's last frame, the backward one after its first.
        """
        outputs = self.outputs([frames], packing)
        states = outputs[packing.last]
        if self.directions == 2:
            states = torch.cat([states[:, : self.hidden], outputs[: packing.count, self.hidden :]], dim=1)
        return outputs, states

    def outputs(self, blocks: Sequence[Tensor], packing: Packing) -> Tensor:
        """(rows, directions x H) the last layer's outputs; ``blocks`` (., inputs), one after another, are the rows."""
        if blocks[0].device.type != "cpu":
            return self._kernels(_rows(blocks), packing)
        if self.directions == 2:  # the backward direction reads its rows mirrored, which mixes the blocks
            blocks = [_rows(blocks)]
        return self._layers(blocks, packing, last=False)

    def last_states(self, frames: Tensor, packing: Packing) -> Tensor:
        """(N, directions x H) the last layer's last states: the second value of `forward`, without the first."""
        if frames.device.type != "cpu":
            return self(frames, packing)[1]  # type: ignore[no-any-return]
        return self._layers([frames], packing, last=True)

    def _kernels(self, rows: Tensor, packing: Packing) -> Tensor:
        """The same by PyTorch's kernels; of low precision, all that they compute is."""
        if self.low is None or not self.training:
            return cast(PackedSequence, self.cell(PackedSequence(rows, packing.batch_sizes))[0]).data
        cell = self.cell  # automatic casting would take float16 for recurrent kernels, whatever it is told
        # by their names, as `functional_call` swaps them there: the list `_flat_weights` stays as it was
        weights = [getattr(cell, name).to(self.low) for name in cell._flat_weights_names]
        state = rows.new_zeros(cell.num_layers * self.directions, packing.count, self.hidden, dtype=self.low)
        details = (True, cell.num_layers, cell.dropout, True, cell.bidirectional)
        with (
            warnings.catch_warnings()
        ):  # the cast weights do not lie side by side: the measurement of `auto` sees what it costs
            warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
            if isinstance(cell, nn.GRU):
                found, _ = torch.gru(rows.to(self.low), packing.batch_sizes, state, weights, *details)
            else:
                found, _, _ = torch.lstm(rows.to(self.low), packing.batch_sizes, (state, state), weights, *details)
        return found.to(rows.dtype)

    def _layers(self, blocks: Sequence[Tensor], packing: Packing, last: bool) -> Tensor:
        top = self.cell.num_layers - 1
        for layer in range(top + 1):
            if layer and self.cell.dropout and self.training:
                blocks = [dropout(blocks[0], self.cell.dropout, packing)]
            blocks = [self._layer(blocks, packing, layer, last and layer == top)]
        return blocks[0]

    def _layer(self, blocks: Sequence[Tensor], packing: Packing, layer: int, last: bool) -> Tensor:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        suffixes = ["", "_reverse"][: self.directions]
        weights = [
            cast(Weights, tuple(getattr(self.cell, f"{name}_l{layer}{suffix}") for name in names))
            for suffix in suffixes
        ]
        kind = GruScan if isinstance(self.cell, nn.GRU) else LstmScan
        flat = [weight for direction in weights for weight in direction]
        low = self.low if self.training else None
        if not (torch.is_grad_enabled() and any(each.requires_grad for each in (*blocks, *flat))):
            return _outputs(kind(_rows(blocks), weights, packing, low), last)
        ends = np.cumsum([len(block) for block in blocks]).tolist()
        edges = list(zip([0, *ends[:-1]], ends, strict=True))
        rows = padded_rows(ends[-1], low)
        if len(blocks) == 1:
            edges = [(0, rows)]
        shared = _Shared(edges, kind.owed_shape(len(weights), rows, self.hidden), low or flat[0].dtype)
        detached = [weight.detach() for weight in flat]
        taps = [
            _Frames.apply(shared, number, block, *detached[::4])  # type: ignore[no-untyped-call]
            for number, block in enumerate(blocks)
        ]
        tap = _Weights.apply(shared, *flat)  # type: ignore[no-untyped-call]
        details = (kind, packing, low, last, [block.detach() for block in blocks])
        return cast(Tensor, _Run.apply(shared, details, detached, tap, *taps))  # type: ignore[no-untyped-call]


class _Shared:
    """What the three nodes of a layer know in common."""

    scan: Scan
    """The pass."""

    def __init__(self, edges: list[tuple[int, int]], shape: tuple[int, int, int, int], dtype: torch.dtype) -> None:
        self.edges = edges
        """Where each block of rows begins and ends."""
        self.shape = shape
        """(n, kinds, R, gates H) of what the gates owe, which goes from node to node."""
        self.dtype = dtype
        """Its type."""

    def tap(self, rows: int) -> Tensor:
        """Zeros that take no memory, for autograd to know the shape of what will come back."""
        return torch.zeros((), dtype=self.dtype).expand(*self.shape[:2], rows, self.shape[3])


def _rows(blocks: Sequence[Tensor]) -> Tensor:
    return blocks[0] if len(blocks) == 1 else torch.cat(list(blocks))


def _outputs(scan: Scan, last: bool) -> Tensor:
    """(N, n H) the last states, or (R, n H) the outputs in the order of the rows."""
    if last:
        return torch.cat(list(scan.states[:, scan.packing.last]), dim=1)
    if len(scan.states) == 1:
        return scan.states[0]
    return torch.cat([scan.states[0], scan.states[1][scan.packing.reverse]], dim=1)


class _Run(torch.autograd.Function):
    """A layer's pass; backward, what its gates owe to the loss, for whoever wants it."""

    @staticmethod
    def forward(ctx: Any, shared: _Shared, details: Any, flat: list[Tensor], *taps: Tensor) -> Tensor:
        kind, packing, low, last, blocks = details
        shared.scan = kind(_rows(blocks), _by_fours(flat), packing, low)
        ctx.shared, ctx.last = shared, last
        ctx.save_for_backward(*flat)
        return _outputs(shared.scan, last)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        scan: Scan = ctx.shared.scan
        n, hidden, packing = len(scan.states), scan.hidden, scan.packing
        total = torch.zeros_like(scan.states) if ctx.last else torch.empty_like(scan.states)
        if ctx.last:
            total[:, packing.last] = gradient.view(-1, n, hidden).transpose(0, 1)
        else:
            total[0] = gradient[:, :hidden]
            if n == 2:
                total[1] = gradient[packing.reverse, hidden:]
        owed = scan.backward(total, _by_fours(ctx.saved_tensors))
        return (None, None, None, owed, *(owed[:, :, start:end] for start, end in ctx.shared.edges))


class _Frames(torch.autograd.Function):
    """Nothing forward; backward, the gradient of one block of a layer's inputs."""

    @staticmethod
    def forward(ctx: Any, shared: _Shared, number: int, block: Tensor, *w_ih: Tensor) -> Tensor:
        ctx.shared, ctx.rows = shared, len(block)
        ctx.save_for_backward(*w_ih)
        start, end = shared.edges[number]
        return shared.tap(end - start)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, owed: Tensor) -> Any:
        scan: Scan = ctx.shared.scan
        found = scan.input_gradient(owed[0], ctx.saved_tensors[0], ctx.rows)
        if len(owed) == 2:
            found += scan.input_gradient(owed[1], ctx.saved_tensors[1], ctx.rows)[scan.packing.reverse]
        return (None, None, found, *[None] * len(owed))


class _Weights(torch.autograd.Function):
    """Nothing forward; backward, the gradients of a layer's weights."""

    @staticmethod
    def forward(ctx: Any, shared: _Shared, *flat: Tensor) -> Tensor:
        ctx.shared = shared
        return shared.tap(shared.shape[2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, owed: Tensor) -> Any:
        scan: Scan = ctx.shared.scan
        found = [scan.weight_gradients(each, direction) for direction, each in enumerate(owed)]
        return (None, *(gradient for direction in found for gradient in direction))


def _by_fours(flat: Sequence[Tensor]) -> list[Weights]:
    return [cast(Weights, tuple(flat[first : first + 4])) for first in range(0, len(flat), 4)]
