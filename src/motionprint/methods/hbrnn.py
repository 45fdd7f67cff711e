"""HBRNN-L: Du, Wang, Wang, "Hierarchical Recurrent Neural Network for Skeleton Based Action Recognition", CVPR 2015.

Five body parts are read by five bidirectional recurrent networks (bl1); what they give is fused step by step, side by
side at each time step, and read by others:

    bl1: left arm, right arm, left leg, right leg, trunk        tanh units
    bl2: each limb with the trunk                               tanh units
    bl3: both arms (upper body), both legs (lower body)         tanh units
    bl4: the whole body                                         LSTM

    O_t = W h_t + b     A = sum_t O_t     p = softmax(A)     loss = -ln p_class

h_t are the outputs of both directions of bl4. Not to be confused with the unidirectional HURNN-L, nor with networks
that read the whole body from the start (DBRNN-L, in methods/dbrnn.py). What is left out of the paper (peepholes of the
LSTM, smoothing of the recordings) is listed in docs/methods/hbrnn.md, with the reasons.
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
from motionprint.networks import RecurrentLayers, TanhLayers, averaged, noisy, summed
from motionprint.skeleton import BODY_PARTS, Skeleton

__all__ = ["HBRNN", "HBRNNSettings"]

_LIMBS, _TRUNK = 4, 4
"""How many of the body parts are limbs, and the number of the trunk."""


@dataclass(frozen=True)
class HBRNNSettings:
    """Units of one direction of each network of a level, and the noise."""

    part_units: int = 30
    """Each of the five networks of body parts (bl1)."""
    limb_units: int = 30
    """Each of the four networks of a limb with the trunk (bl2)."""
    half_units: int = 60
    """Each of the two networks of the upper and the lower body (bl3)."""
    body_units: int = 60
    """The LSTM of the whole body (bl4)."""
    weight_noise: float = 0.02
    """Standard deviation of the normal noise on every weight of the recurrent networks in a training step."""

    def __post_init__(self) -> None:
        for name in ("part_units", "limb_units", "half_units", "body_units"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        if not 0 <= self.weight_noise < float("inf"):
            raise SettingsError(f"expected weight_noise of at least 0, found {self.weight_noise}")


class _Hierarchy(nn.Module):
    """Packed frames (rows, D) to the outputs (rows, 2 H) of bl4."""

    places: list[list[int]]
    """The inputs of each body part."""
    order: Tensor
    """The same, one part after another, on the device."""

    def __init__(self, places: list[list[int]], settings: HBRNNSettings) -> None:
        super().__init__()
        self.places = places
        self.register_buffer("order", torch.tensor([place for part in places for place in part]), persistent=False)
        part, limb, half = 2 * settings.part_units, 2 * settings.limb_units, 2 * settings.half_units
        self.parts = TanhLayers([len(each) for each in places], settings.part_units)  # bl1
        self.limbs = TanhLayers([2 * part] * _LIMBS, settings.limb_units)  # bl2
        self.halves = TanhLayers([2 * limb] * 2, settings.half_units)  # bl3
        self.body = RecurrentLayers(2 * half, settings.body_units, 1, bidirectional=True, cell="lstm")  # bl4

    def forward(self, frames: Tensor, packing: Packing) -> Tensor:
        by_part = torch.split(frames[:, self.order], [len(each) for each in self.places], dim=1)
        parts = self.parts(by_part, packing)
        limbs = self.limbs([torch.cat([part, parts[_TRUNK]], dim=1) for part in parts[:_LIMBS]], packing)
        left_arm, right_arm, left_leg, right_leg = limbs
        upper, lower = self.halves(
            [torch.cat([left_arm, right_arm], dim=1), torch.cat([left_leg, right_leg], dim=1)], packing
        )
        return self.body.outputs([torch.cat([upper, lower], dim=1)], packing)


class HBRNN(Classifier):
    """HBRNN-L (Du et al. 2015): body parts, limbs with the trunk, halves, the body; outputs added up over time."""

    Settings = HBRNNSettings
    presets: ClassVar[Mapping[str, HBRNNSettings]] = {
        "small": HBRNNSettings(),
        # the paper's numbers of units could not be looked up: see docs/methods/hbrnn.md
        "paper": HBRNNSettings(part_units=60, limb_units=60, half_units=120, body_units=120),
    }
    schedule: ClassVar[Mapping[str, Any]] = {
        "steps": 400,
        "learning_rate": 3e-3,
    }  # found on training subjects only: docs/methods/hbrnn.md

    def __init__(self, skeleton: Skeleton, inputs: int, settings: HBRNNSettings, classes: int) -> None:
        super().__init__(skeleton, inputs, settings, classes)
        self.settings = settings
        self.hierarchy = _Hierarchy(_places(skeleton, inputs), settings)
        self.classifier = nn.Linear(2 * settings.body_units, classes)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"hierarchy": self.hierarchy, "classifier": self.classifier}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """The cross-entropy, for both networks."""
        loss = cross_entropy(batch, self.scores(batch.seen, batch.packing))
        return {"hierarchy": loss, "classifier": loss}

    def scores(self, frames: Tensor, packing: Packing) -> Tensor:
        outputs = self.classifier(noisy(self.hierarchy, self.settings.weight_noise, frames, packing))  # O_t, (rows, C)
        return summed(outputs, packing)  # A, (N, C)

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        features = averaged(noisy(self.hierarchy, self.settings.weight_noise, frames, packing), packing)
        return {"F": features, "states": features}


def _places(skeleton: Skeleton, inputs: int) -> list[list[int]]:
    """The inputs of each body part; what comes after the joints' (the root's path) belongs to the trunk."""
    skeleton.require_body_parts()
    places = [[3 * joint + axis for joint in part for axis in range(3)] for part in skeleton.body_parts]
    places[_TRUNK] += range(3 * len(skeleton), inputs)
    empty = [name for name, place in zip(BODY_PARTS, places, strict=True) if not place]
    if empty:
        raise SettingsError(f"expected a joint in each body part, found none in {', '.join(empty)}")
    return places
