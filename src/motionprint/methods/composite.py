"""The composite model: Srivastava, Mansimov, Salakhutdinov, "Unsupervised Learning of Video Representations using
LSTMs", ICML 2015, "A Composite Model", which Zheng et al. (AAAI 2018) call "Unsupervised LSTM" and compare with LongT
GAN: on the same networks and settings.

An encoder reads the first P of a sequence's frames, its past, and gives a print F. Each of two decoders reads F as the
data of the first time step, then zeros: one gives the past back, the last frame first, the other the S frames that
follow, the future:

    F = Enc(x_1, ..., x_P)
    x^_P, x^_P-1, ..., x^_1   = Dec(F, 0, 0, ...)
    x^_P+1, ..., x^_P+S       = Pre(F, 0, 0, ...)

    L_past = || x - x^ ||^2 over 1..P     L_future = || x - x^ ||^2 over P+1..P+S

    Enc minimises L_past + L_future
    Dec minimises L_past
    Pre minimises L_future

A conditional decoder ("Conditional Decoder") reads, in place of the zeros, the frame that it should have given a step
before; for its first frame it reads zeros, as it has given none, also where that frame is x_P+1.

Not to be confused with the autoencoder, which gives back all that its encoder read and nothing else, nor with
next-frame prediction, where every frame is told from those before it: here the whole future is told from one print.
Missing values are zero in all inputs and weigh nothing. How sequences of any length are cut in two, and the other
differences from the paper, are numbered in docs/methods/composite.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Method
from motionprint.networks import Cell, Decoder, Encoder
from motionprint.skeleton import Skeleton

__all__ = ["Composite", "CompositeSettings"]


@dataclass(frozen=True)
class CompositeSettings:
    """Sizes of the composite model, and what is its past and its future."""

    encoder_units: int = 128
    """Units of one direction of one layer of the encoder."""
    decoder_units: int = 128
    """Units of one layer of each decoder."""
    layers: int = 2
    """Recurrent layers of each network."""
    cell: Cell = "gru"
    """gru or lstm."""
    dropout: float = 0.2
    """Share of values dropped between layers, never on the recurrent path."""
    print_tanh: bool = True
    """Whether a tanh follows the fully connected layer that gives F."""
    output: Literal["linear", "recurrent"] = "linear"
    """The decoders' output layer: linear, or a third recurrent layer of D units."""
    past: int | None = None
    """Frames of a sub-sequence that the encoder reads, where there are so many; none is half of them."""
    future: int | None = None
    """Frames predicted after the past, where there are so many; none is all that follow."""
    reverse: bool = True
    """Whether the past is given back with its last frame first, as in the paper."""
    conditional: Literal["none", "future", "both"] = "none"
    """Which decoders read the frame before too: none, that of the future, or both."""

    def __post_init__(self) -> None:
        for name in ("encoder_units", "decoder_units", "layers"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        for name, allowed in (
            ("cell", ("gru", "lstm")),
            ("output", ("linear", "recurrent")),
            ("conditional", ("none", "future", "both")),
        ):
            if getattr(self, name) not in allowed:
                raise SettingsError(f"expected {name} to be one of {', '.join(allowed)}, found {getattr(self, name)!r}")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"expected dropout in [0, 1), found {self.dropout}")
        for name in ("past", "future"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")


class Composite(Method):
    """The composite model (Srivastava et al. 2015): prints that tell a sequence's past and its future."""

    Settings = CompositeSettings
    presets: ClassVar[Mapping[str, CompositeSettings]] = {
        "small": CompositeSettings(),
        "paper": CompositeSettings(encoder_units=400, decoder_units=800),
        "paper-wide": CompositeSettings(encoder_units=800, decoder_units=800),
    }

    def __init__(self, skeleton: Skeleton, inputs: int, settings: CompositeSettings) -> None:
        super().__init__(skeleton, inputs, settings)
        self.settings = settings
        shape = {"layers": settings.layers, "cell": settings.cell, "dropout": settings.dropout}
        # R = D: the print is read as the data of the first time step
        self.encoder = Encoder(inputs, settings.encoder_units, inputs, tanh=settings.print_tanh, **shape)  # type: ignore[arg-type]
        self.decoder = Decoder(inputs, settings.decoder_units, output=settings.output, **shape)  # type: ignore[arg-type]
        self.predictor = Decoder(inputs, settings.decoder_units, output=settings.output, **shape)  # type: ignore[arg-type]

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"encoder": self.encoder, "decoder": self.decoder, "predictor": self.predictor}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """L_past and L_future, and their sum for the encoder."""
        past, future = self.past(batch), self.future(batch)
        prints, _ = self.encoder(past.seen, past.packing)  # (N, R)
        reconstructed = self.reconstruct(past, prints)  # x^_1 .. x^_P, (rows, D)
        predicted = self.predict(future, prints)  # x^_P+1 .. x^_P+S, (rows, D)
        reconstruction = (past.weights * (past.frames - reconstructed).square()).sum()  # L_past
        prediction = (future.weights * (future.frames - predicted).square()).sum()  # L_future
        return {"encoder": reconstruction + prediction, "decoder": reconstruction, "predictor": prediction}

    def past(self, batch: Batch) -> Batch:
        """What the encoder reads: the first half of every sequence, or ``past`` frames, and at least one."""
        return batch.cut(self._past)

    def future(self, batch: Batch) -> Batch:
        """What is predicted: all that follows the past, or ``future`` frames of it; of some sequences nothing."""
        return batch.cut(self._future, self._past)

    def _past(self, lengths: Any) -> Any:
        """How many frames the encoder reads of sequences of so many."""
        if self.settings.past is None:
            return (lengths // 2).clip(min=1)
        return lengths.clip(max=self.settings.past)

    def _future(self, lengths: Any) -> Any:
        """How many frames are predicted in sequences of so many."""
        left = lengths - self._past(lengths)
        return left if self.settings.future is None else left.clip(max=self.settings.future)

    def reconstruct(self, past: Batch, prints: Tensor) -> Tensor:
        """Dec(prints): the frames (rows, D) of the past in its order."""
        conditional = self.settings.conditional == "both"
        if not self.settings.reverse:
            return _decoded(self.decoder, prints, past.only_known(past.frames), past.packing, conditional)
        mirrored = past.only_known(past.frames)[past.packing.reverse]
        return _decoded(self.decoder, prints, mirrored, past.packing, conditional)[past.packing.reverse]

    def predict(self, future: Batch, prints: Tensor) -> Tensor:
        """Pre(prints): the frames (rows, D) of the future."""
        conditional = self.settings.conditional != "none"
        return _decoded(self.predictor, prints, future.only_known(future.frames), future.packing, conditional)

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        """Features of whole sequences, not of their past alone."""
        prints, states = self.encoder(frames, packing)
        return {"F": prints, "states": states}


def _decoded(decoder: Decoder, prints: Tensor, frames: Tensor, packing: Packing, conditional: bool) -> Tensor:
    """(rows, D) what a decoder gives for packed frames (rows, D) that it reads, if at all, one step late."""
    inputs = torch.zeros_like(frames)
    if conditional:  # when a decoder gives its first frame it has given none before
        inputs[len(frames) - len(packing.before) :] = frames[packing.before]
    decoded: Tensor = decoder(prints, inputs, packing)
    return decoded
