"""Fourier temporal pyramids: Wang, Liu, Wu, Yuan, "Mining Actionlet Ensemble for Action Recognition with Depth
Cameras", CVPR 2012, 3D joint position features and Fourier temporal pyramid; Vemulapalli, Arrate, Chellappa, "Human
Action Recognition by Representing 3D Skeletons as Points in a Lie Group", CVPR 2014, temporal modelling.

Signals are the relative positions of all pairs of joints, p_ij = p_i - p_j (Wang et al., equation 1), or the joints'
positions around the root. A sequence is cut into 1, 2 and 4 segments; of each segment of n frames and each signal x the
features are the Fourier coefficients of low frequency,

    X_k = 1/n sum_t x_t exp(-2 pi i k t / n),   k = 0 .. K - 1

and a linear support vector machine reads their magnitudes, which do not tell when in the segment something happens. The
coefficients are linear in x, so those of a pair are the difference of those of its joints.

Left out: actionlets (subsets of joints, mined for each class and weighed by multiple kernels) and the occupancy
patterns of depth images of Wang et al.; the Lie group and the time warping of Vemulapalli et al., whose comparison has
the same pyramid on plain joint positions. Not to be confused with temporal pyramid pooling (maxima or means of
segments). Differences are numbered in docs/methods/temporal_pyramid.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Classifier
from motionprint.methods.svm import LinearSvm
from motionprint.networks import summed
from motionprint.preprocessing import Frames
from motionprint.skeleton import Skeleton

__all__ = ["TemporalPyramid", "TemporalPyramidSettings"]


@dataclass(frozen=True)
class TemporalPyramidSettings:
    """The signals, the pyramid and the classifier."""

    positions: Literal["pairs", "joints"] = "joints"
    """The signals: relative positions of all pairs of joints, or positions around the root."""
    levels: int = 3
    """Levels of the pyramid: 1, 2, 4, ... segments."""
    coefficients: int = 4
    """Fourier coefficients of each segment, from frequency 0 on; zero where a segment is too short for one."""
    parts: Literal["magnitude", "complex"] = "magnitude"
    """What is kept of a coefficient: its magnitude, or real and imaginary part."""
    penalty: float = 0.01
    """C of the support vector machine: what a training sequence within the margin costs."""

    def __post_init__(self) -> None:
        for name in ("levels", "coefficients"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        for name, allowed in (("positions", ("pairs", "joints")), ("parts", ("magnitude", "complex"))):
            if getattr(self, name) not in allowed:
                raise SettingsError(f"expected {name} to be one of {', '.join(allowed)}, found {getattr(self, name)!r}")
        if not self.penalty > 0:
            raise SettingsError(f"expected penalty above 0, found {self.penalty:g}")

    @property
    def segments(self) -> int:
        """Segments of all levels together."""
        return (1 << self.levels) - 1


class TemporalPyramid(Classifier):
    """Fourier temporal pyramids (Wang et al. 2012) of joint positions, and a linear support vector machine."""

    Settings = TemporalPyramidSettings
    presets: ClassVar[Mapping[str, TemporalPyramidSettings]] = {
        "small": TemporalPyramidSettings(),
        "paper": TemporalPyramidSettings(positions="pairs"),
    }
    closed = True

    def __init__(self, skeleton: Skeleton, inputs: int, settings: TemporalPyramidSettings, classes: int) -> None:
        super().__init__(skeleton, inputs, settings, classes)
        self.settings = settings
        self._joints = len(skeleton)
        signals = inputs
        self._pairs: tuple[list[int], list[int]] | None = None
        if settings.positions == "pairs":
            pairs = list(combinations(range(self._joints), 2))
            self._pairs = [i for i, _ in pairs], [j for _, j in pairs]
            signals += 3 * (len(pairs) - self._joints)
        numbers = 2 if settings.parts == "complex" else 1
        self.classifier = LinearSvm(numbers * settings.segments * settings.coefficients * signals, classes)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """None: what `solve` finds are no parameters."""
        return {}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """None: the classifier is fitted at once."""
        return {}

    def solve(self, frames: Frames, labels: npt.NDArray[np.int64] | None, seed: int) -> Mapping[str, int]:
        """Fit the classifier; held are the features of each sequence, never its frames.

        Returns
        -------
        counts
            ``unconverged``: 1 where the support vector machine's fit ended before it converged, else 0.

        Raises
        ------
        ValueError
            If there are no labels.
        DatasetError
            If there are fewer than two classes among them.
        """
        features = np.zeros((len(frames), len(self.classifier.mean)), np.float32)
        for number in range(len(frames)):
            sequence = torch.from_numpy(frames.read(number))
            features[number] = self._features(sequence, Packing((len(sequence),)))[0].numpy()
        return {"unconverged": self.classifier.fit(features, labels, self.settings.penalty, seed)}

    def scores(self, frames: Tensor, packing: Packing) -> Tensor:
        scores: Tensor = self.classifier(self.encode(frames, packing)["F"])
        return scores  # (N, C)

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        features = self.classifier.standardised(self._features(frames, packing))
        return {"F": features, "states": features}

    def _features(self, frames: Tensor, packing: Packing) -> Tensor:
        """(N, R) the coefficients of each sequence."""
        longest = packing.lengths[0]
        padded = frames.new_zeros(packing.count, longest, frames.shape[1])
        padded[packing.sequence, packing.time] = _filled(frames, packing)
        maps = np.zeros((packing.count, 2 * self.settings.segments * self.settings.coefficients, longest), np.float32)
        for number, length in enumerate(packing.lengths):
            maps[number, :, :length] = _pyramid(length, self.settings.levels, self.settings.coefficients)
        found = torch.from_numpy(maps).to(padded) @ padded  # (N, 2 segments K, D): real, then imaginary parts
        if self._pairs is not None:
            body = found[..., : 3 * self._joints].reshape(*found.shape[:2], self._joints, 3)
            relative = body[:, :, self._pairs[0]] - body[:, :, self._pairs[1]]
            found = torch.cat([relative.flatten(2), found[..., 3 * self._joints :]], 2)
        if self.settings.parts == "magnitude":
            real, imaginary = found.chunk(2, 1)
            found = (real.square() + imaginary.square()).sqrt()
        return found.flatten(1)


def _filled(frames: Tensor, packing: Packing) -> Tensor:
    """Frames (rows, D) with a value's mean over the sequence where it is missing: it then adds to frequency 0 only.

    Exactly zero is what stands at a missing value (and at the root, whose mean is zero).
    """
    missing = frames == 0
    mean = summed(frames, packing) / summed((~missing).to(frames), packing).clamp(min=1)
    return torch.where(missing, mean[packing.sequence], frames)


@lru_cache(maxsize=1024)
def _pyramid(length: int, levels: int, coefficients: int) -> npt.NDArray[np.float32]:
    """(2 segments K, T) the map from a signal to its coefficients: all real parts, then all imaginary parts.

    Where there are fewer frames than segments, each segment still holds one, and neighbours share it.
    """
    rows = []
    for level in range(levels):
        segments = 2**level
        for segment in range(segments):
            start = segment * length // segments
            end = max((segment + 1) * length // segments, start + 1)
            time = np.arange(end - start)
            waves = np.zeros((coefficients, length), complex)
            for k in range(min(coefficients, (end - start) // 2 + 1)):  # up to half the frame rate
                waves[k, start:end] = np.exp(-2j * np.pi * k * time / (end - start)) / (end - start)
            rows.append(waves)
    found = np.concatenate(rows)
    return np.concatenate([found.real, found.imag]).astype(np.float32)
