"""Next-frame prediction: after Ranzato et al., "Video (language) modeling: a baseline for generative models of natural
videos", arXiv:1412.6604, 2014, section 2.

A one-directional recurrent network reads a sequence and says at each frame what the next one will be:

    h_t = RNN(x_t, h_t-1)     x^_t+1 = W h_t + b     L = || x_t+1 - x^_t+1 ||^2

The paper quantises image patches into a dictionary and predicts the next patch's entry with a softmax, because squared
error in pixels blurs; a frame of a skeleton is a few dozen numbers that move little from frame to frame, and the error
here is the squared one. Its convolutions over neighbouring patches have no meaning on joints and are left out.

Not to be confused with `motion_prediction`, where a decoder has to tell many frames from a print alone, nor with the
composite model of Srivastava et al. 2015. Missing values are zero in what is read and weigh nothing in L. Differences
from the paper are numbered in docs/methods/next_frame.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Method
from motionprint.networks import Cell, RecurrentLayers, averaged
from motionprint.skeleton import Skeleton

__all__ = ["NextFrame", "NextFrameSettings"]


@dataclass(frozen=True)
class NextFrameSettings:
    """Sizes of next-frame prediction."""

    units: int = 128
    """Units of one layer of the recurrent network."""
    layers: int = 2
    """Recurrent layers."""
    cell: Cell = "gru"
    """gru or lstm."""
    dropout: float = 0.2
    """Share of values dropped between layers, never on the recurrent path."""

    def __post_init__(self) -> None:
        for name in ("units", "layers"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        if self.cell not in ("gru", "lstm"):
            raise SettingsError(f"expected cell to be one of gru, lstm, found {self.cell!r}")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"expected dropout in [0, 1), found {self.dropout}")


class NextFrame(Method):
    """Next-frame prediction (after Ranzato et al. 2014): features that tell what comes next."""

    Settings = NextFrameSettings
    presets: ClassVar[Mapping[str, NextFrameSettings]] = {
        "small": NextFrameSettings(),
        "paper": NextFrameSettings(units=800),
    }

    def __init__(self, skeleton: Skeleton, inputs: int, settings: NextFrameSettings) -> None:
        super().__init__(skeleton, inputs, settings)
        self.settings = settings
        self.recurrent = RecurrentLayers(
            inputs,
            settings.units,
            settings.layers,
            bidirectional=False,
            cell=settings.cell,
            dropout=settings.dropout,
        )
        self.output = nn.Linear(settings.units, inputs)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"recurrent": self.recurrent, "output": self.output}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """The squared error of the predicted frames, for both networks; a sequence of one frame adds nothing."""
        following = batch.later
        error = (following.weights * (following.frames - self.predict(batch)).square()).sum()
        return {"recurrent": error, "output": error}

    def predict(self, batch: Batch) -> Tensor:
        """(rows - N, D) for each row after the first frame, what was expected there after the frame before it."""
        outputs = self.recurrent.outputs([batch.seen], batch.packing)  # (rows, H)
        return cast(Tensor, self.output(outputs[batch.packing.before]))

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        """F: the mean of the last layer's outputs over the frames; states: its output after the last frame."""
        outputs, states = self.recurrent(frames, packing)
        return {"F": averaged(outputs, packing), "states": states}
