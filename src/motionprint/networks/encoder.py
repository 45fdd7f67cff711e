"""Enc: a bidirectional recurrent network over a whole sequence, and a fully connected layer that gives the print."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motionprint.batches import Packing
from motionprint.networks.recurrent import Cell, RecurrentLayers

__all__ = ["Encoder"]


class Encoder(nn.Module):
    """Frames to a print F, through the last states of the last layer (Zheng et al. 2018, "Encoder")."""

    def __init__(
        self,
        inputs: int,
        hidden: int,
        prints: int,
        *,
        layers: int = 2,
        cell: Cell = "gru",
        dropout: float = 0.0,
        tanh: bool = True,
    ) -> None:
        super().__init__()
        self.rnn = RecurrentLayers(inputs, hidden, layers, bidirectional=True, cell=cell, dropout=dropout)
        self.output = nn.Linear(2 * hidden, prints)
        self.tanh = tanh

    def forward(self, frames: Tensor, packing: Packing) -> tuple[Tensor, Tensor]:
        """The print F (N, R) and the states (N, 2H) that it is made from, of packed frames (rows, D)."""
        states = self.rnn.last_states(frames, packing)
        prints = self.output(states)
        return torch.tanh(prints) if self.tanh else prints, states
