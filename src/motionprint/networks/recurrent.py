"""Recurrent layers over packed frames: a bidirectional or one-directional GRU or LSTM.

Frames are packed as in ``torch.nn.utils.rnn.PackedSequence``: time-major, the longest sequence first, so that no
step computes on padding. The weights are those of ``nn.GRU`` and ``nn.LSTM``, by name and by layout.

On a CPU the GRU runs through a scan of our own: one matrix product for all inputs of a layer, one small product a
step for both directions, the derivatives of all gates at once, one product for the gradient of the recurrent
weights. The equations are those of ``nn.GRU`` (Cho et al. 2014, with the reset gate after the product):

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)      z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
    n = tanh(W_in x + b_in + r (W_hn h + b_hn))     h' = (1 - z) n + z h

On any other device, and for the LSTM, PyTorch's own kernels serve.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from motionprint.batches import Packing

__all__ = ["Cell", "RecurrentLayers"]

Cell = Literal["gru", "lstm"]


def dropout(values: Tensor, share: float, packing: Packing) -> Tensor:
    """Values (rows, H) of which a share, drawn at random, is zero; the others are divided by 1 - share.

    What is drawn is drawn for the whole batch that the packing is a part of, so that its parts, computed by several
    processes, drop what one process would.
    """
    keep = values.new_empty(packing.whole.rows, values.shape[1]).bernoulli_(1 - share)
    if packing.part is not None:
        keep = keep[packing.rows_in_whole]
    return values * keep.div_(1 - share)


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
        if isinstance(self.cell, nn.GRU) and frames.device.type == "cpu":
            outputs = self._scan(frames, packing)  # (rows, directions H)
        else:
            packed = PackedSequence(frames, packing.batch_sizes)
            outputs = cast(PackedSequence, self.cell(packed)[0]).data  # (rows, directions H)
        states = outputs[packing.last]
        if self.directions == 2:
            states = torch.cat([states[:, : self.hidden], outputs[: packing.count, self.hidden :]], dim=1)
        return outputs, states

    def _scan(self, frames: Tensor, packing: Packing) -> Tensor:
        outputs = frames
        suffixes = ["", "_reverse"][: self.directions]
        for layer in range(self.cell.num_layers):
            if layer and self.cell.dropout and self.training:
                outputs = dropout(outputs, self.cell.dropout, packing)
            w_ih, w_hh, b_ih, b_hh = (
                [getattr(self.cell, f"{kind}_l{layer}{suffix}") for suffix in suffixes]
                for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            inputs = [functional.linear(outputs, w, b) for w, b in zip(w_ih, b_ih, strict=True)]  # (rows, 3H)
            if self.directions == 2:
                inputs[1] = inputs[1][packing.reverse]
            states = _gru_scan(torch.stack(inputs, dim=1), torch.stack(w_hh), torch.stack(b_hh), packing)
            outputs = states[:, 0] if self.directions == 1 else _in_time(states, packing)
        return outputs


def _in_time(states: Tensor, packing: Packing) -> Tensor:
    """(rows, 2, H) -> (rows, 2H): the backward direction's states put back into the order of time."""
    return torch.cat([states[:, 0], states[:, 1][packing.reverse]], dim=1)


def _gru_scan(inputs: Tensor, weight: Tensor, bias: Tensor, packing: Packing) -> Tensor:
    """The states (rows, n, H) of n independent directions.

    ``inputs`` (rows, n, 3H) holds W_i x + b_i; ``weight`` (n, 3H, H) and ``bias`` (n, 3H) the recurrent side.

    A custom autograd function is not told which gradients ``backward(inputs=...)`` wants. The recurrent weights
    therefore enter the graph through a node of their own, ``_Weights``, which autograd leaves out when nobody asks
    for them; the scan itself only ever returns gradients with respect to the gates.
    """
    saved: dict[str, Tensor] = {}
    tap = _Weights.apply(weight, bias, saved, len(inputs))  # type: ignore[no-untyped-call]
    states = _Scan.apply(inputs, tap, weight.detach(), bias.detach(), packing, saved)  # type: ignore[no-untyped-call]
    return cast(Tensor, states)


class _Weights(torch.autograd.Function):
    """Nothing forward; backward, the gradients of the recurrent weights from those of W_h h + b_h."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor, saved: dict[str, Tensor], rows: int) -> Tensor:
        ctx.saved = saved
        return weight.new_zeros(()).expand(rows, *bias.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        gradient = gradients[0].transpose(0, 1)  # (n, rows, 3H)
        previous = ctx.saved["previous"].transpose(0, 1)  # (n, rows, H)
        return torch.bmm(gradient.transpose(1, 2), previous), gradient.sum(1), None, None


class _Scan(torch.autograd.Function):
    """The recurrence over packed rows, all directions at once."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,  # (rows, n, 3H)
        tap: Tensor,
        weight: Tensor,  # (n, 3H, H)
        bias: Tensor,  # (n, 3H)
        packing: Packing,
        saved: dict[str, Tensor],
    ) -> Tensor:
        rows, n, _ = inputs.shape
        hidden = weight.shape[2]
        gates = inputs[..., : 2 * hidden] + bias[:, : 2 * hidden]  # r and z before the sigmoid, but for W_h h
        candidate = inputs[..., 2 * hidden :].clone()  # n before the tanh
        recurrent = bias[:, 2 * hidden :].expand(rows, n, hidden).contiguous()  # W_hn h + b_hn
        states = inputs.new_empty(rows, n, hidden)
        previous = inputs.new_zeros(rows, n, hidden)
        transposed = weight.transpose(1, 2).contiguous()  # (n, H, 3H)
        start = 0
        for step, size in enumerate(packing.sizes):
            end = start + size
            gate, new = gates[start:end], candidate[start:end]
            if step:
                before = states[start - packing.sizes[step - 1] : start - packing.sizes[step - 1] + size]
                previous[start:end] = before
                product = torch.bmm(before.transpose(0, 1), transposed).transpose(0, 1)  # (size, n, 3H)
                gate += product[..., : 2 * hidden]
                recurrent[start:end] += product[..., 2 * hidden :]
            gate.sigmoid_()
            new.addcmul_(gate[..., :hidden], recurrent[start:end]).tanh_()
            torch.lerp(new, previous[start:end], gate[..., hidden:], out=states[start:end])
            start = end
        saved["previous"] = previous
        ctx.packing = packing
        ctx.save_for_backward(gates, candidate, recurrent, previous, weight)
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        gates, candidate, recurrent, previous, weight = ctx.saved_tensors
        hidden = weight.shape[2]
        reset, update = gates[..., :hidden], gates[..., hidden:]
        # d state / d (gate before its sigmoid or tanh), for all rows at once
        by_candidate = (1 - update) * (1 - candidate.square())
        by_gate = gates.new_empty(*gates.shape[:2], 3, hidden)
        torch.mul(by_candidate * recurrent, reset * (1 - reset), out=by_gate[:, :, 0])
        torch.mul(previous - candidate, update * (1 - update), out=by_gate[:, :, 1])
        torch.mul(by_candidate, reset, out=by_gate[:, :, 2])
        total = gradients[0].clone()  # d loss / d state: from above, and from the next step
        by_recurrent = torch.empty_like(by_gate)  # d loss / d (W_h h + b_h)
        end = len(total)
        for step in range(len(ctx.packing.sizes) - 1, -1, -1):
            size = ctx.packing.sizes[step]
            start = end - size
            gradient = total[start:end]
            torch.mul(gradient.unsqueeze(2), by_gate[start:end], out=by_recurrent[start:end])
            if step:
                flat = by_recurrent[start:end].flatten(2).transpose(0, 1)  # (n, size, 3H)
                before = total[start - ctx.packing.sizes[step - 1] : start - ctx.packing.sizes[step - 1] + size]
                before.addcmul_(gradient, update[start:end])
                before += torch.bmm(flat, weight).transpose(0, 1)
            end = start
        by_inputs = by_recurrent.clone()
        torch.mul(total, by_candidate, out=by_inputs[:, :, 2])
        return by_inputs.flatten(2), by_recurrent.flatten(2), None, None, None, None
