"""The deep LSTM network: Zhu et al., AAAI 2016, figure 1.

Three bidirectional LSTM layers, with a fully connected layer of tanh units between each and the next.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from motionprint.batches import Packing
from motionprint.networks.in_depth import InDepthLstm
from motionprint.networks.recurrent import RecurrentLayers, dropout

__all__ = ["DeepLstm"]


class DeepLstm(nn.Module):
    """Packed frames to what the softmax layer reads of each: LSTM, fully connected, LSTM, fully connected, LSTM."""

    def __init__(
        self,
        inputs: int,
        lstm_units: Sequence[int],
        connected_units: Sequence[int],
        *,
        dropout: float = 0.0,
        in_depth_dropout: float = 0.0,
    ) -> None:
        """The layers, by their units.

        Parameters
        ----------
        inputs
            D: numbers a frame.
        lstm_units
            Units of one direction of the three LSTM layers.
        connected_units
            Units of the two layers between them.
        dropout
            Share of the outputs of each layer that is dropped on the way to the next, or to the softmax layer.
        in_depth_dropout
            Share of gates, cells and outputs of the last LSTM layer that is dropped on the way to the softmax layer.
        """
        super().__init__()
        first, second, third = lstm_units
        between, above = connected_units
        self.first = RecurrentLayers(inputs, first, 1, bidirectional=True, cell="lstm")
        self.between = nn.Linear(2 * first, between)
        self.second = RecurrentLayers(between, second, 1, bidirectional=True, cell="lstm")
        self.above = nn.Linear(2 * second, above)
        self.third = InDepthLstm(above, third, in_depth_dropout)
        self.dropout = dropout

    def forward(self, frames: Tensor, packing: Packing) -> Tensor:
        """(rows, 2 H) the outputs of the last LSTM layer, of packed frames (rows, D)."""
        rows = self._kept(self.first.outputs([frames], packing), packing)
        rows = self._kept(torch.tanh(self.between(rows)), packing)
        rows = self._kept(self.second.outputs([rows], packing), packing)
        rows = self._kept(torch.tanh(self.above(rows)), packing)
        return self._kept(self.third.outputs(rows, packing), packing)

    def _kept(self, values: Tensor, packing: Packing) -> Tensor:
        return dropout(values, self.dropout, packing) if self.training and self.dropout else values

    @property
    def input_weights(self) -> list[list[Tensor]]:
        """Layer by layer from the input on, the matrices by which units read the layer below, (units, inputs) each.

        Of an LSTM layer there are eight: of input gate, forget gate, cell and output gate, in both directions.
        """

        def of_lstm(layer: RecurrentLayers) -> list[Tensor]:
            return [
                gate for way in ("", "_reverse") for gate in getattr(layer.cell, f"weight_ih_l0{way}").chunk(4, dim=0)
            ]

        return [
            of_lstm(self.first),
            [self.between.weight],
            of_lstm(self.second),
            [self.above.weight],
            of_lstm(self.third.layer),
        ]
