"""Deep LSTM: the baseline of Zhu et al., "Co-occurrence Feature Learning for Skeleton Based Action Recognition Using
Regularized Deep LSTM Networks", AAAI 2016.

The whole skeleton is read at each time step by

    LSTM -> fully connected -> LSTM -> fully connected -> LSTM

each LSTM layer bidirectional, each fully connected one of tanh units; then

    o_t = W h_t + b     o = sum_t o_t     p = softmax(o)     loss = -ln p_class

Without regularisation, or with plain dropout on what goes from layer to layer (``dropout``). Not to be confused with
Co-deep LSTM (methods/co_lstm.py), the same network with co-occurrence regularisation and in-depth dropout, nor with
networks over body parts (methods/hbrnn.py). What is left out of the paper is listed in docs/methods/deep_lstm.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Classifier, cross_entropy
from motionprint.networks import DeepLstm, averaged, summed
from motionprint.skeleton import Skeleton

__all__ = ["DeepLSTM", "DeepLSTMSettings"]


@dataclass(frozen=True)
class DeepLSTMSettings:
    """Units of each layer, and the dropout."""

    first_units: int = 60
    """Units of one direction of the first LSTM layer."""
    second_units: int = 60
    """Units of the fully connected layer above it."""
    third_units: int = 60
    """Units of one direction of the second LSTM layer."""
    fourth_units: int = 60
    """Units of the fully connected layer above it."""
    fifth_units: int = 60
    """Units of one direction of the last LSTM layer."""
    dropout: float = 0.0
    """Share of the outputs of each layer dropped on the way to the next one, never on the recurrent path."""

    def __post_init__(self) -> None:
        for name in ("first_units", "second_units", "third_units", "fourth_units", "fifth_units"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"expected dropout in [0, 1), found {self.dropout}")


# not checked against the paper's text: see docs/methods/deep_lstm.md
_PAPER = {"first_units": 100, "second_units": 100, "third_units": 110, "fourth_units": 110, "fifth_units": 200}


class DeepLSTM(Classifier):
    """Deep LSTM (Zhu et al. 2016): three LSTM layers, two layers between them; outputs added up over time."""

    Settings = DeepLSTMSettings
    presets: ClassVar[Mapping[str, DeepLSTMSettings]] = {
        "small": DeepLSTMSettings(),
        "small-dropout": DeepLSTMSettings(dropout=0.2),
        "paper": DeepLSTMSettings(**_PAPER),
        "paper-dropout": DeepLSTMSettings(**_PAPER, dropout=0.5),
    }
    schedule: ClassVar[Mapping[str, Any]] = {
        "steps": 400,
        "learning_rate": 3e-3,
    }  # found on training subjects only: docs/methods/deep_lstm.md

    def __init__(self, skeleton: Skeleton, inputs: int, settings: DeepLSTMSettings, classes: int) -> None:
        super().__init__(skeleton, inputs, settings, classes)
        self.settings = settings
        lstm_units = (settings.first_units, settings.third_units, settings.fifth_units)
        connected_units = (settings.second_units, settings.fourth_units)
        self.layers = DeepLstm(inputs, lstm_units, connected_units, dropout=settings.dropout)
        self.classifier = nn.Linear(2 * settings.fifth_units, classes)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"layers": self.layers, "classifier": self.classifier}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """The cross-entropy, for both networks."""
        loss = cross_entropy(batch, self.scores(batch.seen, batch.packing))
        return {"layers": loss, "classifier": loss}

    def scores(self, frames: Tensor, packing: Packing) -> Tensor:
        outputs = self.classifier(self.layers(frames, packing))  # o_t, (rows, C)
        return summed(outputs, packing)  # o, (N, C)

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        features = averaged(self.layers(frames, packing), packing)
        return {"F": features, "states": features}
