"""A hybrid multi-layer perceptron: Cho and Chen, "Classifying and Visualizing Motion Capture Sequences using Deep
Neural Networks", VISAPP 2014, sections 3 and 4.

Each frame t is described by itself, for every joint and for the root:

    PO_t = x_t                                  positions relative to the root
    TD_t = x_t - x_{t-m+1}, x_t where t < m     temporal differences
    NT_t                                        the root's path, scaled into [-1, 1] within the sequence

One network classifies the frame's features v and restores them; its lower layers serve both:

    h = f(W_2 f(W_1 v + b_1) + b_2)     p(c | v) = softmax(V h + d)     v^ = V_1 f(V_2 h + d_2) + d_1

    L = (1 - lambda) (- log p(c | v)) + lambda || v - v^ ||^2

A sequence belongs to the class that its frames, on average, say it does.

Not to be confused with a classifier on an autoencoder's codes: both objectives train the lower layers at once. Left out
are layer-wise pre-training and the autoencoder of two dimensions that draws pictures. Differences from the paper are
numbered in docs/methods/mlp.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from motionprint.batches import Batch, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Classifier
from motionprint.networks import averaged
from motionprint.networks.recurrent import dropout
from motionprint.skeleton import Skeleton

__all__ = ["Mlp", "MlpSettings"]


@dataclass(frozen=True)
class MlpSettings:
    """Sizes of the perceptron, its features and its two objectives."""

    first_units: int = 400
    """Units of the first hidden layer."""
    second_units: int = 200
    """Units of the second hidden layer."""
    dropout: float = 0.5
    """Share of the values of the second hidden layer that the classifier does not see in training."""
    lambda_reconstruction: float = 0.1
    """lambda: the share of the reconstruction in the loss; 0 is a plain perceptron."""
    difference_frames: int = 5
    """m: temporal differences are to the frame m - 1 earlier."""
    rule: Literal["sum", "product"] = "sum"
    """How frames decide together: by the mean of their probabilities, or of the logarithms of these."""

    def __post_init__(self) -> None:
        for name in ("first_units", "second_units"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        if self.difference_frames < 2:
            raise SettingsError(f"expected difference_frames of at least 2, found {self.difference_frames}")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"expected dropout in [0, 1), found {self.dropout}")
        if not 0 <= self.lambda_reconstruction < 1:
            raise SettingsError(f"expected lambda_reconstruction in [0, 1), found {self.lambda_reconstruction}")
        if self.rule not in ("sum", "product"):
            raise SettingsError(f"expected rule to be one of sum, product, found {self.rule!r}")


class Mlp(Classifier):
    """A hybrid perceptron (Cho and Chen 2014): it classifies frames and restores them."""

    Settings = MlpSettings
    presets: ClassVar[Mapping[str, MlpSettings]] = {
        "small": MlpSettings(),
        "paper": MlpSettings(first_units=1000, second_units=500),
    }
    schedule: ClassVar[Mapping[str, Any]] = {"steps": 300}  # found on training subjects only: docs/methods/mlp.md

    def __init__(self, skeleton: Skeleton, inputs: int, settings: MlpSettings, classes: int) -> None:
        super().__init__(skeleton, inputs, settings, classes)
        self.settings = settings
        self.joints = 3 * len(skeleton)
        """Inputs that are joints; any after them are the root's path."""
        features = 2 * self.joints + inputs - self.joints
        first, second = settings.first_units, settings.second_units
        self.encoder = nn.Sequential(nn.Linear(features, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU())
        self.classifier = nn.Linear(second, classes)
        self.decoder = nn.Sequential(nn.Linear(second, first), nn.ReLU(), nn.Linear(first, features))

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"encoder": self.encoder, "classifier": self.classifier, "decoder": self.decoder}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """The hybrid loss, averaged over a sequence's frames, then over sequences; for all networks."""
        if batch.labels is None:
            raise ValueError("expected a batch with labels, found none")
        share = self.settings.lambda_reconstruction
        features = self.features(batch.seen, batch.packing)
        hidden = self.encoder(features)
        labels = batch.labels[batch.packing.sequence]
        errors = functional.cross_entropy(self._logits(hidden, batch.packing), labels, reduction="none")  # (rows,)
        loss = (1 - share) * (batch.frame_weights * errors).sum()
        if share:
            target = self.features(batch.only_known(batch.frames), batch.packing)
            weights = batch.frame_weights[:, None] * self._known(batch)
            loss = loss + share * (weights * (target - self.decoder(hidden)).square()).sum()
        return {"encoder": loss, "classifier": loss, "decoder": loss}

    def scores(self, frames: Tensor, packing: Packing) -> Tensor:
        """Logarithms of the classes' probabilities, averaged over frames as the rule says."""
        logits = self._logits(self.encoder(self.features(frames, packing)), packing)
        if self.settings.rule == "product":
            return averaged(logits.log_softmax(1), packing)
        return averaged(logits.softmax(1), packing).clamp_min(torch.finfo(logits.dtype).tiny).log()

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        features = averaged(self.encoder(self.features(frames, packing)), packing)  # (N, H)
        return {"F": features, "states": features}

    def _logits(self, hidden: Tensor, packing: Packing) -> Tensor:
        if self.training and self.settings.dropout:
            hidden = dropout(hidden, self.settings.dropout, packing)
        logits: Tensor = self.classifier(hidden)
        return logits  # (rows, C)

    def features(self, frames: Tensor, packing: Packing) -> Tensor:
        """PO, TD and, where the root's path is among the inputs, NT of each frame: (rows, V)."""
        joints = frames[:, : self.joints]
        rows, earlier = _earlier(packing, self.settings.difference_frames - 1)
        differences = joints.index_add(0, rows, joints[earlier], alpha=-1)
        found = [joints, differences]
        if frames.shape[1] > self.joints:
            found.append(_normalised(frames[:, self.joints :], packing))
        return torch.cat(found, dim=1)

    def _known(self, batch: Batch) -> Tensor:
        """(rows, V) or (rows, 1): 1 where a feature is made of known values, else 0."""
        known = batch.known
        if known is None:
            return torch.ones_like(batch.frames[:, :1])
        joints = known[:, : self.joints].to(batch.frames.dtype)
        rows, earlier = _earlier(batch.packing, self.settings.difference_frames - 1)
        differences = joints.index_copy(0, rows, joints[rows] * joints[earlier])
        return torch.cat([joints, differences, known[:, self.joints :].to(batch.frames.dtype)], dim=1)


def _earlier(packing: Packing, frames: int) -> tuple[Tensor, Tensor]:
    """The rows of all frames from number ``frames`` on, and for each the row of its sequence so many frames earlier."""
    earlier = packing.resized(lambda lengths: (lengths - frames).clip(min=0))
    return packing.rows_of(earlier, lambda lengths: lengths.clip(max=frames)), packing.rows_of(earlier)


def _normalised(path: Tensor, packing: Packing) -> Tensor:
    """The root's path (rows, 3), moved and scaled, alike on all axes, so that within a sequence it fills [-1, 1]."""
    at = packing.sequence[:, None].expand(-1, path.shape[1])
    empty = path.new_zeros(packing.count, path.shape[1])
    lowest = empty.scatter_reduce(0, at, path, "amin", include_self=False)
    highest = empty.scatter_reduce(0, at, path, "amax", include_self=False)
    half = ((highest - lowest) / 2).amax(1, keepdim=True)  # (N, 1)
    half = torch.where(half > 0, half, torch.ones_like(half))  # one that stays where it is
    middle = (highest + lowest) / 2
    return (path - middle[packing.sequence]) / half[packing.sequence]
