"""Motion prediction: after Luo, Peng, Huang, Alahi, Fei-Fei, "Unsupervised Learning of Long-Term Motion Dynamics for
Videos", CVPR 2017, section 3.

An encoder reads the beginning of a sequence, m frames; a decoder has to tell from the print alone the sequence of 3D
motions that follows:

    F = Enc(x_1 .. x_m)     d^_1 .. d^_h = Dec(F)
    L = sum over k = 1 .. h of || (x_m+k - x_m+k-1) - d^_k ||^2 / h

In the paper the motions are "atomic 3D flows", dense scene flow of RGB-D video quantised in space, eight of them, and
encoder and decoder are LSTM networks with convolutions before and after. A joint's displacement from frame to frame is
what a flow is on a skeleton; it needs neither estimating nor quantising, so joints stand in place of pixels and the
convolutions are left out.

Not to be confused with `next_frame`, which reads every frame before it predicts the next, nor with the composite
model of Srivastava et al. 2015, which predicts (and reconstructs) the frames themselves. Missing values are zero in
what is read, and a displacement from or to one weighs nothing. Differences from the paper are numbered in
docs/methods/motion_prediction.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Method
from motionprint.networks import Cell, Decoder, Encoder
from motionprint.skeleton import Skeleton

__all__ = ["MotionPrediction", "MotionPredictionSettings"]


@dataclass(frozen=True)
class MotionPredictionSettings:
    """Sizes of motion prediction, and how far it looks ahead."""

    encoder_units: int = 128
    """Units of one direction of one layer of the encoder."""
    decoder_units: int = 128
    """Units of one layer of the decoder."""
    layers: int = 2
    """Recurrent layers of each network."""
    cell: Cell = "lstm"
    """gru or lstm."""
    dropout: float = 0.2
    """Share of values dropped between layers, never on the recurrent path."""
    print_tanh: bool = True
    """Whether a tanh follows the fully connected layer that gives F."""
    horizon: int = 8
    """Motions predicted in each sequence, one a frame; at most half of a sequence's frames, rounded down."""

    def __post_init__(self) -> None:
        for name in ("encoder_units", "decoder_units", "layers", "horizon"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        if self.cell not in ("gru", "lstm"):
            raise SettingsError(f"expected cell to be one of gru, lstm, found {self.cell!r}")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"expected dropout in [0, 1), found {self.dropout}")


class MotionPrediction(Method):
    """Motion prediction (after Luo et al. 2017): prints that tell the motions to come."""

    Settings = MotionPredictionSettings
    presets: ClassVar[Mapping[str, MotionPredictionSettings]] = {
        "small": MotionPredictionSettings(),
        "paper": MotionPredictionSettings(encoder_units=400, decoder_units=800),
    }

    def __init__(self, skeleton: Skeleton, inputs: int, settings: MotionPredictionSettings) -> None:
        super().__init__(skeleton, inputs, settings)
        self.settings = settings
        shape = {"layers": settings.layers, "cell": settings.cell, "dropout": settings.dropout}
        # R = D: the print is read as the data of the decoder's first time step
        self.encoder = Encoder(inputs, settings.encoder_units, inputs, tanh=settings.print_tanh, **shape)  # type: ignore[arg-type]
        self.decoder = Decoder(inputs, settings.decoder_units, **shape)  # type: ignore[arg-type]

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"encoder": self.encoder, "decoder": self.decoder}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """The squared error of the predicted motions, for both networks; a sequence of one frame adds nothing."""
        motions = self.motions(batch)
        error = (motions.weights * (motions.frames - self.predict(batch)).square()).sum()
        return {"encoder": error, "decoder": error}

    def predict(self, batch: Batch) -> Tensor:
        """(h rows, D) the motions expected after the observed frames, packed like those of `motions`."""
        observed = batch.cut(self._observed)
        prints, _ = self.encoder(observed.seen, observed.packing)  # (N, R)
        predicted = batch.packing.resized(self._predicted)
        nothing = prints.new_zeros(predicted.rows, prints.shape[1])  # F is all that the decoder is told
        return cast(Tensor, self.decoder(prints, nothing, predicted))

    def motions(self, batch: Batch) -> Batch:
        """The motions that follow the observed frames, as a batch: (h rows, D) displacements a frame.

        One is known where the values that it leads from and to are.
        """
        before = batch.cut(self._predicted, lambda lengths: self._observed(lengths) - 1)
        after = batch.cut(self._predicted, self._observed)
        known = None if before.known is None or after.known is None else before.known & after.known
        return replace(after, frames=after.frames - before.frames, known=known, unseen=None)

    def _predicted(self, lengths: Any) -> Any:
        """How many motions are predicted in sequences of so many frames."""
        return (lengths // 2).clip(max=self.settings.horizon)

    def _observed(self, lengths: Any) -> Any:
        """How many frames the encoder reads of sequences of so many: all before those whose motions are predicted."""
        return lengths - self._predicted(lengths)

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        prints, states = self.encoder(frames, packing)
        return {"F": prints, "states": states}
