"""Dis: the encoder's architecture, smaller, with one logit a sequence."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from motionprint.batches import Packing
from motionprint.networks.recurrent import Cell, RecurrentLayers

__all__ = ["Discriminator"]


class Discriminator(nn.Module):
    """Packed frames to a logit a sequence: positive for real, negative for made up (Zheng et al. 2018)."""

    def __init__(self, inputs: int, hidden: int, *, layers: int = 2, cell: Cell = "gru", dropout: float = 0.0) -> None:
        super().__init__()
        self.rnn = RecurrentLayers(inputs, hidden, layers, bidirectional=True, cell=cell, dropout=dropout)
        self.output = nn.Linear(2 * hidden, 1)

    def forward(self, frames: Tensor, packing: Packing) -> Tensor:
        """(N,) logits of packed frames (rows, D)."""
        return cast(Tensor, self.output(self.rnn.last_states(frames, packing))).squeeze(1)
