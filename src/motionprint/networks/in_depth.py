"""A bidirectional LSTM layer with in-depth dropout: Zhu et al., AAAI 2016, "In-depth Dropout for LSTM".

Gates, cells and outputs are dropped on the way to the next layer and never on the way to the next time step. Two
values of each are therefore computed. Those of the recurrence know no dropout (equations of the plain LSTM):

    i, f, o = sigmoid(...)     g = tanh(...)     c_t = f c_t-1 + i g     h_t = o tanh(c_t)

and what the next layer reads comes from them, with a mask m_q of its own for each of the five quantities:

    i^ = m_i i     f^ = m_f f     o^ = m_o o     c^_t = m_c (f^ c_t-1 + i^ g)     h^_t = m_h o^ tanh(c^_t)

Not to be confused with dropout between layers (Zaremba et al. 2014), which drops h alone, nor with recurrent dropout
(Semeniuta et al. 2016), which drops along time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motionprint.batches import Packing
from motionprint.networks.recurrent import RecurrentLayers, dropout

__all__ = ["InDepthLstm"]


class InDepthLstm(nn.Module):
    """One bidirectional LSTM layer; in training its outputs are those with in-depth dropout.

    The weights are those of ``nn.LSTM``, by name and by layout.
    """

    def __init__(self, inputs: int, hidden: int, share: float) -> None:
        super().__init__()
        self.layer = RecurrentLayers(inputs, hidden, 1, bidirectional=True, cell="lstm")
        self.share = share
        """The share of each of the five quantities that is dropped."""

    def outputs(self, rows: Tensor, packing: Packing) -> Tensor:
        """(rows, 2 H) the outputs of both directions of packed rows (rows, inputs)."""
        if not (self.training and self.share):
            return self.layer.outputs([rows], packing)
        gates, before = self._recurrence(rows, packing)
        dropped = [self._dropped(gates[way], before[way], packing) for way in (0, 1)]
        return torch.cat([dropped[0], dropped[1][packing.reverse]], dim=1)

    def _dropped(self, gates: tuple[Tensor, ...], before: Tensor, packing: Packing) -> Tensor:
        """h^ (rows, H) of one direction, from i, f, g, o and c_t-1, (rows, H) each."""
        enter, forget, new, output = gates
        enter, forget, output = (dropout(gate, self.share, packing) for gate in (enter, forget, output))
        cells = dropout(forget * before + enter * new, self.share, packing)  # c^
        return dropout(output * torch.tanh(cells), self.share, packing)  # h^

    def _recurrence(self, rows: Tensor, packing: Packing) -> tuple[list[tuple[Tensor, ...]], Tensor]:
        """For each direction, in the order in which it reads: i, f, g, o of all rows, and c_t-1 (2, rows, H)."""
        w_ih, w_hh, b_ih, b_hh = (self._stacked(name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        read = torch.stack([rows, rows[packing.reverse]])  # (2, rows, inputs)
        by_input = torch.baddbmm((b_ih + b_hh)[:, None], read, w_ih.transpose(1, 2))  # (2, rows, 4 H)
        state = cell = rows.new_zeros(2, packing.count, self.layer.hidden)
        found, before = [], []
        end = 0
        for size in packing.sizes:
            start, end = end, end + size
            state, cell = state[:, :size], cell[:, :size]  # sequences that have ended are the last ones
            total = torch.baddbmm(by_input[:, start:end], state, w_hh.transpose(1, 2))  # (2, n, 4 H)
            enter, forget, new, output = total.chunk(4, dim=2)
            gates = torch.sigmoid(enter), torch.sigmoid(forget), torch.tanh(new), torch.sigmoid(output)
            found.append(torch.cat(gates, dim=2))
            before.append(cell)
            cell = gates[1] * cell + gates[0] * gates[2]
            state = gates[3] * torch.tanh(cell)
        return [way.chunk(4, dim=1) for way in torch.cat(found, dim=1)], torch.cat(before, dim=1)

    def _stacked(self, name: str) -> Tensor:
        """(2, ...) a weight of the forward and of the backward direction."""
        cell = self.layer.cell
        return torch.stack([getattr(cell, f"{name}_l0"), getattr(cell, f"{name}_l0_reverse")])
