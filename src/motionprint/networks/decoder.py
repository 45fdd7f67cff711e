"""Dec: a recurrent network that reads a print, then frames with hidden parts, and inpaints each."""

from __future__ import annotations

from typing import Literal, cast

from torch import Tensor, nn

from motionprint.batches import Packing
from motionprint.networks.recurrent import Cell, RecurrentLayers

__all__ = ["Decoder"]


class Decoder(nn.Module):
    """Inpainted frames from a frame, its past and a print; never from the future (Zheng et al. 2018, "Decoder").

    One that ``sees_future`` reads in both directions, with half of its units (H, even) in each, so that its layers are
    as wide. The print comes before the first frame for both: the backward direction reads it last.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        *,
        layers: int = 2,
        cell: Cell = "gru",
        dropout: float = 0.0,
        output: Literal["linear", "recurrent"] = "linear",
        sees_future: bool = False,
        outputs: int | None = None,
    ) -> None:
        super().__init__()
        outputs = inputs if outputs is None else outputs  # one that is told what is hidden reads more than it writes
        if sees_future:
            self.rnn = RecurrentLayers(inputs, hidden // 2, layers, bidirectional=True, cell=cell, dropout=dropout)
        else:
            self.rnn = RecurrentLayers(inputs, hidden, layers, bidirectional=False, cell=cell, dropout=dropout)
        self.output: nn.Module
        if output == "linear":
            self.output = nn.Linear(hidden, outputs)
        else:
            self.output = RecurrentLayers(hidden, outputs, 1, bidirectional=False, cell=cell)

    def forward(self, prints: Tensor, masked: Tensor, packing: Packing) -> Tensor:
        """The inpainted frames.

        Parameters
        ----------
        prints
            (N, D) read as the data of the first time step.
        masked
            (rows, D) packed frames, hidden values zero.
        packing
            How the rows of ``masked`` are packed.

        Returns
        -------
        (rows, D): row t holds the output after reading masked frame t (where the future is seen, all of them).
        """
        longer = packing.longer
        outputs = self.rnn.outputs([prints, masked], longer)  # (N + rows, H): time 0 is the print's
        if isinstance(self.output, RecurrentLayers):
            return self.output.outputs([outputs], longer)[packing.count :]  # (rows, D)
        return cast(Tensor, self.output(outputs[packing.count :]))  # (rows, D)
