"""Co-deep LSTM: Zhu et al., "Co-occurrence Feature Learning for Skeleton Based Action Recognition Using Regularized
Deep LSTM Networks", AAAI 2016.

The network of Deep LSTM (methods/deep_lstm.py), and two things more. First, the units of a layer form K groups, and
each group is to read few of the inputs, the same for all of its units: joints that move together in some actions.
For each matrix W of those by which the input gate, the forget gate, the cell and the output gate read the layer below,
with W_k the rows of group k,

    loss = -ln p_class + lambda_1 sum_W ||W||_1 + lambda_2 sum_W sum_k ||W_k^T||_2,1     ||V||_2,1 = sum_i ||V_i||_2

Second, in-depth dropout in the last LSTM layer (motionprint.networks.in_depth): gates, cells and outputs are dropped
on the way to the softmax layer, never along time. Not to be confused with HCN (Li et al. 2018), convolutions "for
co-occurrence features". What the paper leaves open or is left out of it is listed in docs/methods/co_lstm.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Classifier, cross_entropy
from motionprint.networks import DeepLstm, averaged, summed
from motionprint.skeleton import Skeleton

__all__ = ["CoLSTM", "CoLSTMSettings"]


@dataclass(frozen=True)
class CoLSTMSettings:
    """Units of each layer, the regularisation and the dropout."""

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
    groups: int = 5
    """K: the groups that the units of a regularised layer form."""
    regularised_layers: int = 3
    """How many of the five layers are regularised, from the input on."""
    lambda_1: float = 1e-5
    """Weight of the absolute values of the matrices."""
    lambda_2: float = 1e-4
    """Weight of their norms by group and input."""
    in_depth_dropout: float = 0.2
    """Share of gates, cells and outputs of the last LSTM layer dropped on the way to the softmax layer."""

    def __post_init__(self) -> None:
        units = self._units
        for name, number in (*units.items(), ("groups", self.groups)):
            if number < 1:
                raise SettingsError(f"expected {name} of at least 1, found {number}")
        if not 0 <= self.regularised_layers <= len(units):
            raise SettingsError(f"expected regularised_layers in 0..{len(units)}, found {self.regularised_layers}")
        for name, number in list(units.items())[: self.regularised_layers]:
            if number % self.groups:
                raise SettingsError(f"expected {name} to be a multiple of groups = {self.groups}, found {number}")
        for name in ("lambda_1", "lambda_2"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise SettingsError(f"expected {name} of at least 0, found {getattr(self, name)}")
        if not 0 <= self.in_depth_dropout < 1:
            raise SettingsError(f"expected in_depth_dropout in [0, 1), found {self.in_depth_dropout}")

    @property
    def _units(self) -> dict[str, int]:
        """The five layers' units, from the input on."""
        names = ("first_units", "second_units", "third_units", "fourth_units", "fifth_units")
        return {name: getattr(self, name) for name in names}


class CoLSTM(Classifier):
    """Co-deep LSTM (Zhu et al. 2016): Deep LSTM with co-occurrence regularisation and in-depth dropout."""

    Settings = CoLSTMSettings
    presets: ClassVar[Mapping[str, CoLSTMSettings]] = {
        "small": CoLSTMSettings(),
        # weights, groups and shares could not be looked up: see docs/methods/co_lstm.md
        "paper": CoLSTMSettings(
            first_units=100, second_units=100, third_units=110, fourth_units=110, fifth_units=200, in_depth_dropout=0.5
        ),
    }
    schedule: ClassVar[Mapping[str, Any]] = {
        "steps": 400,
        "learning_rate": 3e-3,
    }  # found on training subjects only: docs/methods/co_lstm.md

    def __init__(self, skeleton: Skeleton, inputs: int, settings: CoLSTMSettings, classes: int) -> None:
        super().__init__(skeleton, inputs, settings, classes)
        self.settings = settings
        lstm_units = (settings.first_units, settings.third_units, settings.fifth_units)
        connected_units = (settings.second_units, settings.fourth_units)
        self.layers = DeepLstm(inputs, lstm_units, connected_units, in_depth_dropout=settings.in_depth_dropout)
        self.classifier = nn.Linear(2 * settings.fifth_units, classes)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"layers": self.layers, "classifier": self.classifier}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """The cross-entropy and the regularisation, for both networks."""
        # the regularisation belongs to the whole batch: each of its sequences carries an equal share of it
        regularisation = batch.mean(self._regularisation().expand(batch.packing.count))
        loss = cross_entropy(batch, self.scores(batch.seen, batch.packing)) + regularisation
        return {"layers": loss, "classifier": loss}

    def _regularisation(self) -> Tensor:
        """Lambda_1 sum ||W||_1 + lambda_2 sum_k ||W_k^T||_2,1 of the regularised layers."""
        absolute = norms = self.classifier.weight.new_zeros(())
        for layer in self.layers.input_weights[: self.settings.regularised_layers]:
            for weight in layer:  # (units, inputs)
                groups = weight.view(self.settings.groups, -1, weight.shape[1])  # (K, units / K, inputs)
                absolute = absolute + weight.abs().sum()
                norms = norms + torch.linalg.vector_norm(groups, dim=1).sum()
        regularisation: Tensor = self.settings.lambda_1 * absolute + self.settings.lambda_2 * norms
        return regularisation

    def scores(self, frames: Tensor, packing: Packing) -> Tensor:
        outputs = self.classifier(self.layers(frames, packing))  # o_t, (rows, C)
        return summed(outputs, packing)  # o, (N, C)

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        features = averaged(self.layers(frames, packing), packing)
        return {"F": features, "states": features}
