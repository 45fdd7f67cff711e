"""Gated transformations: Memisevic and Hinton, "Learning to represent spatial transformations with factored
higher-order Boltzmann machines", Neural Computation 22, 2010 (unfactored: CVPR 2007).

A Boltzmann machine of the next frame y, given a frame x: binary mapping units h gate how x becomes y, through F
factors. With Gaussian outputs of unit variance, W^x and W^y (D, F), W^h (K, F), biases b (D,) and c (K,):

    E(y, h; x) = 1/2 || y - b ||^2 - sum over f of (x W^x)_f (y W^y)_f (h W^h)_f - h c
    p(h_k = 1 | x, y) = sigmoid(c + ((x W^x) * (y W^y)) W^h^T)_k
    p(y | x, h) = N(b + ((x W^x) * (h W^h)) W^y^T, I)
    F(y; x) = -log sum over h of exp -E = 1/2 || y - b ||^2 - sum over k of softplus(c + ((x W^x) * (y W^y)) W^h^T)_k

Training follows contrastive divergence with one step: h is drawn from p(h | x, y), then y~ from p(y | x, h), and with
that y~ held fixed the gradient is that of F(y; x) - F(y~; x).

Not to be confused with a gated autoencoder (Memisevic 2011), which reconstructs y and minimises the error, nor with
the gates of recurrent cells. A missing value's unit is left out of the machine of its pair. Differences from the paper
are numbered in docs/methods/gated_transforms.md.
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
from motionprint.methods.method import Method
from motionprint.networks import summed
from motionprint.skeleton import Skeleton

__all__ = ["GatedBoltzmannMachine", "GatedTransforms", "GatedTransformsSettings"]


@dataclass(frozen=True)
class GatedTransformsSettings:
    """Sizes of a factored gated Boltzmann machine, and the scale of what it sees."""

    factors: int = 128
    """Products of one filter of a frame and one of the next that the mapping units read."""
    mappings: int = 64
    """Binary units that say how a frame became the next; as many values has a print."""
    centre: Literal["sequence", "none"] = "sequence"
    """What is subtracted from the frames: the mean of their sequence, or nothing."""
    gain: float = 20.0
    """What is then multiplied, so that a unit standard deviation suits what a frame does not tell of the next."""
    initial: float = 0.1
    """Standard deviation of the filters' random start."""

    def __post_init__(self) -> None:
        for name in ("factors", "mappings"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        if self.centre not in ("sequence", "none"):
            raise SettingsError(f"expected centre to be one of sequence, none, found {self.centre!r}")
        for name in ("gain", "initial"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"expected {name} above 0, found {getattr(self, name)}")


class GatedBoltzmannMachine(nn.Module):
    """p(y, h | x) of the factored three-way energy, with Gaussian y and binary h."""

    def __init__(self, inputs: int, factors: int, mappings: int, initial: float) -> None:
        super().__init__()
        self.of_input = nn.Parameter(initial * torch.randn(inputs, factors))  # W^x
        self.of_output = nn.Parameter(initial * torch.randn(inputs, factors))  # W^y
        self.of_mapping = nn.Parameter(initial * torch.randn(mappings, factors))  # W^h
        self.output_bias = nn.Parameter(torch.zeros(inputs))  # b
        self.mapping_bias = nn.Parameter(torch.zeros(mappings))  # c

    def logits(self, x: Tensor, y: Tensor) -> Tensor:
        """(rows, K) log-odds of the mapping units, of pairs of frames (rows, D)."""
        return self.mapping_bias + ((x @ self.of_input) * (y @ self.of_output)) @ self.of_mapping.T

    def outputs(self, x: Tensor, h: Tensor) -> Tensor:
        """(rows, D) means of p(y | x, h), of frames (rows, D) and mapping units (rows, K)."""
        return self.output_bias + ((x @ self.of_input) * (h @ self.of_mapping)) @ self.of_output.T

    def free_energy(self, x: Tensor, y: Tensor, known: Tensor | None = None) -> Tensor:
        """(rows,) F(y; x); y must be zero where ``known`` (rows, D) says that a value is missing."""
        distances = y - self.output_bias
        if known is not None:
            distances = distances.masked_fill(~known, 0)
        return 0.5 * distances.square().sum(1) - functional.softplus(self.logits(x, y)).sum(1)


class GatedTransforms(Method):
    """Gated transformations (Memisevic and Hinton 2010): prints that tell how frames become the next ones."""

    Settings = GatedTransformsSettings
    presets: ClassVar[Mapping[str, GatedTransformsSettings]] = {
        "small": GatedTransformsSettings(),
        "paper": GatedTransformsSettings(factors=200, mappings=100),
    }

    def __init__(self, skeleton: Skeleton, inputs: int, settings: GatedTransformsSettings) -> None:
        super().__init__(skeleton, inputs, settings)
        self.settings = settings
        self.machine = GatedBoltzmannMachine(inputs, settings.factors, settings.mappings, settings.initial)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"machine": self.machine}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """F(y; x) - F(y~; x), a mean over pairs and sequences: its gradient is the one of contrastive divergence."""
        x, y, following = self.pairs(batch)
        model = self.sample(following, x, y)
        known = following.known
        contrast = self.machine.free_energy(x, y, known) - self.machine.free_energy(x, model, known)  # (rows - N,)
        return {"machine": (following.frame_weights * contrast).sum()}

    def pairs(self, batch: Batch) -> tuple[Tensor, Tensor, Batch]:
        """Frames x and those that follow them y, (rows - N, D) each, scaled, and the batch that y are the rows of."""
        x = self.scaled(batch.seen, batch.packing)
        y = self.scaled(batch.only_known(batch.frames), batch.packing)
        return x[batch.packing.before], y[batch.packing.count :], batch.later

    def scaled(self, frames: Tensor, packing: Packing) -> Tensor:
        """(rows, D) what the machine is shown of frames: differences from the mean of their sequence, times the gain.

        A value of exactly zero is missing, or one of the root: it stays zero, and is no part of the mean.
        """
        gain: float = self.settings.gain
        if self.settings.centre == "none":
            return gain * frames
        there = frames != 0
        means = summed(frames, packing) / summed(there.to(frames.dtype), packing).clip(min=1)  # (N, D)
        return gain * (frames - means[packing.sequence]).masked_fill(~there, 0)

    def sample(self, following: Batch, x: Tensor, y: Tensor) -> Tensor:
        """(rows - N, D) y~: one step of Gibbs sampling from y, with x held fixed; no gradient enters it."""
        with torch.no_grad():
            like: dict[str, Any] = {"dtype": x.dtype, "device": x.device}
            uniform = following.packing.draw_rows(lambda rows: torch.rand(rows, self.settings.mappings, **like))
            noise = following.packing.draw_rows(lambda rows: torch.randn(rows, x.shape[1], **like))
            h = (uniform < torch.sigmoid(self.machine.logits(x, y))).to(x.dtype)  # (rows - N, K)
            return following.only_known(self.machine.outputs(x, h) + noise)  # y~

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        """F and states: the mean over pairs of frames of p(h = 1 | x, y); of a single frame, paired with itself."""
        scaled = self.scaled(frames, packing)
        later = packing.resized(lambda lengths: lengths - 1)
        found = torch.sigmoid(self.machine.logits(scaled[packing.before], scaled[packing.count :]))  # (rows - N, K)
        alone = torch.sigmoid(self.machine.logits(scaled[: packing.count], scaled[: packing.count]))  # (N, K)
        sums = summed(found, later)
        pairs = torch.tensor(later.lengths, dtype=sums.dtype, device=sums.device)[:, None]
        means = torch.where(pairs > 0, sums / pairs.clip(min=1), alone)
        return {"F": means, "states": means}
