"""DBRNN-L: Du, Wang, Wang, "Hierarchical Recurrent Neural Network for Skeleton Based Action Recognition", CVPR 2015.

The deep bidirectional network that the paper compares its hierarchical one with: as many recurrent layers, each of
which reads the whole body.

    bl1, bl2, bl3: tanh units     bl4: LSTM (DBRNN-L), or tanh units too (DBRNN-T, ``last = "tanh"``)

    O_t = W h_t + b     A = sum_t O_t     p = softmax(A)     loss = -ln p_class

h_t are the outputs of both directions of bl4. Not to be confused with HBRNN-L (methods/hbrnn.py), nor with the
unidirectional DURNN. What is left out of the paper is listed in docs/methods/dbrnn.md, with the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Classifier, cross_entropy
from motionprint.networks import RecurrentLayers, TanhLayers, averaged, noisy, summed
from motionprint.skeleton import Skeleton

__all__ = ["DBRNN", "DBRNNSettings"]


@dataclass(frozen=True)
class DBRNNSettings:
    """Units of one direction of each layer, and the noise."""

    first_units: int = 60
    """The first layer (bl1)."""
    second_units: int = 60
    """The second layer (bl2)."""
    third_units: int = 60
    """The third layer (bl3)."""
    last_units: int = 60
    """The last layer (bl4)."""
    last: Literal["lstm", "tanh"] = "lstm"
    """The units of the last layer: lstm (DBRNN-L) or tanh (DBRNN-T)."""
    weight_noise: float = 0.02
    """Standard deviation of the normal noise on every weight of the recurrent layers in a training step."""

    def __post_init__(self) -> None:
        for name in ("first_units", "second_units", "third_units", "last_units"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        if self.last not in ("lstm", "tanh"):
            raise SettingsError(f"expected last to be one of lstm, tanh, found {self.last!r}")
        if not 0 <= self.weight_noise < float("inf"):
            raise SettingsError(f"expected weight_noise of at least 0, found {self.weight_noise}")


class _Layers(nn.Module):
    """Packed frames (rows, D) to the outputs (rows, 2 H) of bl4."""

    def __init__(self, inputs: int, settings: DBRNNSettings) -> None:
        super().__init__()
        self.first = TanhLayers([inputs], settings.first_units)
        self.second = TanhLayers([2 * settings.first_units], settings.second_units)
        self.third = TanhLayers([2 * settings.second_units], settings.third_units)
        below, units = 2 * settings.third_units, settings.last_units
        self.last: TanhLayers | RecurrentLayers
        if settings.last == "tanh":
            self.last = TanhLayers([below], units)
        else:
            self.last = RecurrentLayers(below, units, 1, bidirectional=True, cell="lstm")

    def forward(self, frames: Tensor, packing: Packing) -> Tensor:
        rows = [frames]
        for layer in (self.first, self.second, self.third):
            rows = layer(rows, packing)
        if isinstance(self.last, RecurrentLayers):
            return self.last.outputs(rows, packing)
        outputs: Tensor = self.last(rows, packing)[0]
        return outputs


class DBRNN(Classifier):
    """DBRNN-L (Du et al. 2015): four bidirectional layers over the whole body; outputs added up over time."""

    Settings = DBRNNSettings
    presets: ClassVar[Mapping[str, DBRNNSettings]] = {
        "small": DBRNNSettings(),
        # the paper's numbers of units could not be looked up: see docs/methods/dbrnn.md
        "paper": DBRNNSettings(first_units=120, second_units=120, third_units=120, last_units=120),
    }
    schedule: ClassVar[Mapping[str, Any]] = {
        "steps": 400,
        "learning_rate": 3e-3,
    }  # found on training subjects only: docs/methods/dbrnn.md

    def __init__(self, skeleton: Skeleton, inputs: int, settings: DBRNNSettings, classes: int) -> None:
        super().__init__(skeleton, inputs, settings, classes)
        self.settings = settings
        self.layers = _Layers(inputs, settings)
        self.classifier = nn.Linear(2 * settings.last_units, classes)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"layers": self.layers, "classifier": self.classifier}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """The cross-entropy, for both networks."""
        loss = cross_entropy(batch, self.scores(batch.seen, batch.packing))
        return {"layers": loss, "classifier": loss}

    def scores(self, frames: Tensor, packing: Packing) -> Tensor:
        outputs = self.classifier(noisy(self.layers, self.settings.weight_noise, frames, packing))  # O_t, (rows, C)
        return summed(outputs, packing)  # A, (N, C)

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        features = averaged(noisy(self.layers, self.settings.weight_noise, frames, packing), packing)
        return {"F": features, "states": features}
