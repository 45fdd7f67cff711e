"""The encoder of LongT GAN with a softmax layer: S and S+P of Zheng et al., AAAI 2018, "Experiments".

    F = Enc(x)     p = softmax(W F + b)

Started at random and trained as a whole this is the paper's S; started from a pre-trained encoder (``motionprint train
--init RUN``) it is S+P. Not to be confused with U, the linear probe on fixed prints (docs/evaluation.md). What the
paper leaves open (learning rates, when to stop) is listed in docs/methods/softmax.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Classifier, cross_entropy
from motionprint.networks import Cell, Encoder
from motionprint.skeleton import Skeleton

__all__ = ["Softmax", "SoftmaxSettings"]


@dataclass(frozen=True)
class SoftmaxSettings:
    """Sizes of the encoder, and what the softmax layer reads."""

    encoder_units: int = 128
    """Units of one direction of one layer of the encoder."""
    layers: int = 2
    """Recurrent layers of the encoder."""
    cell: Cell = "gru"
    """gru or lstm."""
    dropout: float = 0.2
    """Share of values dropped between layers, never on the recurrent path."""
    print_tanh: bool = True
    """Whether a tanh follows the fully connected layer that gives F."""
    reads: Literal["F", "states"] = "F"
    """What the softmax layer reads: the paper's print F, or the encoder's last states."""

    def __post_init__(self) -> None:
        for name in ("encoder_units", "layers"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        for name, allowed in (("cell", ("gru", "lstm")), ("reads", ("F", "states"))):
            if getattr(self, name) not in allowed:
                raise SettingsError(f"expected {name} to be one of {', '.join(allowed)}, found {getattr(self, name)!r}")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"expected dropout in [0, 1), found {self.dropout}")


class Softmax(Classifier):
    """S and S+P (Zheng et al. 2018): an encoder and a softmax layer, all weights trained with labels."""

    Settings = SoftmaxSettings
    presets: ClassVar[Mapping[str, SoftmaxSettings]] = {
        "small": SoftmaxSettings(),
        "paper": SoftmaxSettings(encoder_units=400),
        "paper-wide": SoftmaxSettings(encoder_units=800),
    }

    def __init__(self, skeleton: Skeleton, inputs: int, settings: SoftmaxSettings, classes: int) -> None:
        super().__init__(skeleton, inputs, settings, classes)
        self.settings = settings
        self.encoder = Encoder(
            inputs,
            settings.encoder_units,
            inputs,  # R = D
            layers=settings.layers,
            cell=settings.cell,
            dropout=settings.dropout,
            tanh=settings.print_tanh,
        )
        self.classifier = nn.Linear(inputs if settings.reads == "F" else 2 * settings.encoder_units, classes)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"encoder": self.encoder, "classifier": self.classifier}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """The cross-entropy, for both networks."""
        loss = cross_entropy(batch, self.scores(batch.seen, batch.packing))
        return {"encoder": loss, "classifier": loss}

    def scores(self, frames: Tensor, packing: Packing) -> Tensor:
        logits: Tensor = self.classifier(self.encode(frames, packing)[self.settings.reads])
        return logits  # (N, C)

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        prints, states = self.encoder(frames, packing)
        return {"F": prints, "states": states}
