"""STA-LSTM: Song, Lan, Xing, Zeng and Liu, "An End-to-End Spatio-Temporal Attention Model for Human Action Recognition
from Skeleton Data", AAAI 2017.

Three networks read the frames x_t of K joints. One says which joints matter in a frame (joint-selection gates alpha),
one says how much a frame matters (the frame-selection gate beta), and the main one classifies what they select:

    s_t = U_s tanh(W_xs x_t + W_hs h^s_{t-1} + b_s) + b_us     alpha_tk = exp(s_tk) / sum_j exp(s_tj)
    beta_t = max(0, w_xp x_t + w_hp h^p_{t-1} + b_p)
    x'_tk = K alpha_tk x_tk     z_t = W h_t + b     o = sum_t beta_t z_t     p = softmax(o)

h^s, h^p and h are outputs of LSTMs over x, x and x' (of one, one and three layers). The regularised loss:

    L = - log p_y + lambda_1 sum_k (1 - (1/T) sum_t alpha_tk)^2 + (lambda_2 / T) sum_t |beta_t| + lambda_3 ||W||_1

Not to be confused with attention as transformers have it (queries against keys): gates here come from an LSTM's last
output, and nothing is compared. Left out is the training of the three networks in turn: all are trained together.
Differences from the paper are numbered in docs/methods/attention_lstm.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Classifier, cross_entropy
from motionprint.networks import RecurrentLayers, averaged, summed
from motionprint.networks.recurrent import dropout
from motionprint.skeleton import Skeleton

__all__ = ["AttentionLstm", "AttentionLstmSettings"]


@dataclass(frozen=True)
class AttentionLstmSettings:
    """Sizes of the three networks, and the weights of the regularised loss."""

    units: int = 100
    """Units of a layer of each network."""
    layers: int = 3
    """Recurrent layers of the main network."""
    dropout: float = 0.5
    """Share of values dropped between layers of the main network and before its output, never on the recurrent path."""
    attention: Literal["both", "spatial", "temporal", "none"] = "both"
    """Which gates there are: both, one of them, or none, which leaves the main network alone."""
    lambda_spatial: float = 0.001
    """lambda_1: weight of joints that are neglected over a whole sequence."""
    lambda_temporal: float = 0.0001
    """lambda_2: weight of the size of the frame-selection gates."""
    lambda_weights: float = 0.000005
    """lambda_3: weight of the sum of the absolute values of all connection weights."""

    def __post_init__(self) -> None:
        for name in ("units", "layers"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"expected dropout in [0, 1), found {self.dropout}")
        known = ("both", "spatial", "temporal", "none")
        if self.attention not in known:
            raise SettingsError(f"expected attention to be one of {', '.join(known)}, found {self.attention!r}")
        for name in ("lambda_spatial", "lambda_temporal", "lambda_weights"):
            if not getattr(self, name) >= 0:
                raise SettingsError(f"expected {name} of at least 0, found {getattr(self, name):g}")


class AttentionLstm(Classifier):
    """STA-LSTM (Song et al. 2017): an LSTM that is told which joints and which frames to look at."""

    Settings = AttentionLstmSettings
    presets: ClassVar[Mapping[str, AttentionLstmSettings]] = {
        "small": AttentionLstmSettings(),
        "paper": AttentionLstmSettings(lambda_weights=0.0005),
    }
    schedule: ClassVar[Mapping[str, Any]] = {
        "steps": 400,
        "learning_rate": 2e-3,
    }  # found on training subjects only: docs/methods/attention_lstm.md

    def __init__(self, skeleton: Skeleton, inputs: int, settings: AttentionLstmSettings, classes: int) -> None:
        super().__init__(skeleton, inputs, settings, classes)
        self.settings = settings
        self.spatial: _Spatial | None = None
        self.temporal: _Temporal | None = None
        if settings.attention in ("both", "spatial"):
            self.spatial = _Spatial(inputs, settings.units)
        if settings.attention in ("both", "temporal"):
            self.temporal = _Temporal(inputs, settings.units)
        self.main = _Main(inputs, settings, classes)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        gates = {"spatial": self.spatial, "temporal": self.temporal}
        return {**{name: network for name, network in gates.items() if network is not None}, "main": self.main}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """The regularised cross-entropy, for all networks."""
        packing = batch.packing
        joints, times = self.gates(batch.seen, packing)
        logits, _ = self.main(batch.seen, joints, times, packing)
        loss = cross_entropy(batch, logits)
        if joints is not None:
            neglect = (1 - averaged(joints, packing)).square().sum(1)  # (N,)
            loss = loss + self.settings.lambda_spatial * batch.mean(neglect)
        if times is not None:
            size = averaged(times.abs(), packing)[:, 0]  # (N,): the l2 norm of one number is its size
            loss = loss + self.settings.lambda_temporal * batch.mean(size)
        weights = torch.stack([weight.abs().sum() for weight in self.parameters() if weight.dim() > 1]).sum()
        # a part of the batch contributes its share of what does not depend on the batch
        loss = loss + self.settings.lambda_weights * batch.mean(weights.expand(packing.count))
        return dict.fromkeys(self.networks, loss)

    def gates(self, frames: Tensor, packing: Packing) -> tuple[Tensor | None, Tensor | None]:
        """Joint-selection gates (rows, K) and frame-selection gates (rows, 1), of those that there are."""
        joints = None if self.spatial is None else self.spatial(frames, packing)
        times = None if self.temporal is None else self.temporal(frames, packing)
        return joints, times

    def scores(self, frames: Tensor, packing: Packing) -> Tensor:
        logits: Tensor = self.main(frames, *self.gates(frames, packing), packing)[0]
        return logits  # (N, C)

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        features: Tensor = self.main(frames, *self.gates(frames, packing), packing)[1]
        return {"F": features, "states": features}


class _Spatial(nn.Module):
    """alpha: the joint-selection gates."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.rnn = RecurrentLayers(inputs, units, 1, bidirectional=False, cell="lstm")
        self.hidden = nn.Linear(inputs + units, units)  # W_xs, W_hs, b_s
        self.output = nn.Linear(units, inputs // 3)  # U_s, b_us

    def forward(self, frames: Tensor, packing: Packing) -> Tensor:
        hidden = torch.tanh(self.hidden(_with_context(self.rnn, frames, packing)))
        return cast(Tensor, self.output(hidden)).softmax(1)  # (rows, K)


class _Temporal(nn.Module):
    """beta: the frame-selection gate."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.rnn = RecurrentLayers(inputs, units, 1, bidirectional=False, cell="lstm")
        self.output = nn.Linear(inputs + units, 1)
        nn.init.ones_(self.output.bias)  # where it is zero for all frames nothing would be learnt

    def forward(self, frames: Tensor, packing: Packing) -> Tensor:
        return torch.relu(self.output(_with_context(self.rnn, frames, packing)))  # (rows, 1)


class _Main(nn.Module):
    """The network that classifies."""

    def __init__(self, inputs: int, settings: AttentionLstmSettings, classes: int) -> None:
        super().__init__()
        self.rnn = RecurrentLayers(
            inputs,
            settings.units,
            settings.layers,
            bidirectional=False,
            cell="lstm",
            dropout=settings.dropout,
        )
        self.output = nn.Linear(settings.units, classes)
        self.dropout = settings.dropout

    def forward(
        self, frames: Tensor, joints: Tensor | None, times: Tensor | None, packing: Packing
    ) -> tuple[Tensor, Tensor]:
        """Logits o (N, C), and what they are made of: beta_t h_t averaged over a sequence's frames (N, H)."""
        if joints is not None:
            frames = frames * (joints.shape[1] * joints).repeat_interleave(3, dim=1)  # x'
        states = self.rnn.outputs([frames], packing)  # (rows, H)
        if self.training and self.dropout:
            states = dropout(states, self.dropout, packing)
        selected = self.output(states), states
        if times is not None:
            selected = times * selected[0], times * selected[1]
        return summed(selected[0], packing), averaged(selected[1], packing)


def _with_context(rnn: RecurrentLayers, frames: Tensor, packing: Packing) -> Tensor:
    """(rows, D + H) each frame, and what an LSTM has said up to the frame before it."""
    outputs = rnn.outputs([frames], packing)
    before = torch.cat([outputs.new_zeros(packing.count, rnn.hidden), outputs[packing.before]])
    return torch.cat([frames, before], dim=1)
