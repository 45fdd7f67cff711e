"""The recurrent autoencoder: Srivastava, Mansimov, Salakhutdinov, "Unsupervised Learning of Video Representations using
LSTMs", ICML 2015, "LSTM Autoencoder Model", as Zheng et al. (AAAI 2018) compare it with LongT GAN: on the same networks
and settings.

An encoder reads a whole sequence x of T frames and gives its print F. A decoder reads F as the data of the first time
step, then zeros, and gives the sequence back, the last frame first:

    F = Enc(x)     x^_T, x^_T-1, ..., x^_1 = Dec(F, 0, 0, ...)

    L = || x - x^ ||^2

    Enc and Dec minimise L

Not to be confused with inpainting (LongT GAN), whose decoder reads the frames that it restores: here nothing of x
reaches the decoder but through F. Nor with an autoencoder of single frames, or a denoising one: the encoder sees all
of x. The paper's conditional decoder, which reads the frame before, is left out here because it would (composite.py has
it). Missing values are zero in what the encoder reads and weigh nothing. Differences from the paper are numbered in
docs/methods/autoencoder.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Method
from motionprint.networks import Cell, Decoder, Encoder
from motionprint.skeleton import Skeleton

__all__ = ["Autoencoder", "AutoencoderSettings"]


@dataclass(frozen=True)
class AutoencoderSettings:
    """Sizes of the autoencoder, and the order of its output."""

    encoder_units: int = 128
    """Units of one direction of one layer of the encoder."""
    decoder_units: int = 128
    """Units of one layer of the decoder."""
    layers: int = 2
    """Recurrent layers of each network."""
    cell: Cell = "gru"
    """gru or lstm."""
    dropout: float = 0.2
    """Share of values dropped between layers, never on the recurrent path."""
    print_tanh: bool = True
    """Whether a tanh follows the fully connected layer that gives F."""
    output: Literal["linear", "recurrent"] = "linear"
    """The decoder's output layer: linear, or a third recurrent layer of D units."""
    reverse: bool = True
    """Whether the decoder gives the last frame first, as in the paper."""

    def __post_init__(self) -> None:
        for name in ("encoder_units", "decoder_units", "layers"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        for name, allowed in (("cell", ("gru", "lstm")), ("output", ("linear", "recurrent"))):
            if getattr(self, name) not in allowed:
                raise SettingsError(f"expected {name} to be one of {', '.join(allowed)}, found {getattr(self, name)!r}")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"expected dropout in [0, 1), found {self.dropout}")


class Autoencoder(Method):
    """The recurrent autoencoder (Srivastava et al. 2015): prints that a decoder can tell the whole sequence from."""

    Settings = AutoencoderSettings
    presets: ClassVar[Mapping[str, AutoencoderSettings]] = {
        "small": AutoencoderSettings(),
        "paper": AutoencoderSettings(encoder_units=400, decoder_units=800),
        "paper-wide": AutoencoderSettings(encoder_units=800, decoder_units=800),
    }

    def __init__(self, skeleton: Skeleton, inputs: int, settings: AutoencoderSettings) -> None:
        super().__init__(skeleton, inputs, settings)
        self.settings = settings
        shape = {"layers": settings.layers, "cell": settings.cell, "dropout": settings.dropout}
        # R = D: the print is read as the data of the first time step
        self.encoder = Encoder(inputs, settings.encoder_units, inputs, tanh=settings.print_tanh, **shape)  # type: ignore[arg-type]
        self.decoder = Decoder(inputs, settings.decoder_units, output=settings.output, **shape)  # type: ignore[arg-type]

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"encoder": self.encoder, "decoder": self.decoder}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """L, for both networks."""
        prints, _ = self.encoder(batch.seen, batch.packing)  # (N, R)
        reconstructed = self.reconstruct(prints, batch.packing)  # x^, (rows, D)
        loss = (batch.weights * (batch.frames - reconstructed).square()).sum()  # L
        return {"encoder": loss, "decoder": loss}

    def reconstruct(self, prints: Tensor, packing: Packing) -> Tensor:
        """Dec(prints, 0, 0, ...): frames (rows, D) in the order of the sequences, of prints (N, R)."""
        nothing = torch.zeros(packing.rows, prints.shape[1], dtype=prints.dtype, device=prints.device)
        reconstructed: Tensor = self.decoder(prints, nothing, packing)
        return reconstructed[packing.reverse] if self.settings.reverse else reconstructed

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        prints, states = self.encoder(frames, packing)
        return {"F": prints, "states": states}
