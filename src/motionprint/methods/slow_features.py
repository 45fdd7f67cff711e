"""Slow feature analysis: Wiskott and Sejnowski, "Slow Feature Analysis: Unsupervised Learning of Invariances", Neural
Computation 14, 2002, learning problem and algorithm; the principle of slowness: Foldiak, "Learning Invariance from
Transformation Sequences", Neural Computation 3, 1991.

Of all functions g_j of a given family, those whose outputs y_j(t) = g_j(x(t)) vary most slowly:

    minimise  D(y_j) = < (dy_j/dt)^2 >                                            (1)
    with      < y_j > = 0,   < y_j^2 > = 1,   < y_i y_j > = 0 for i < j           (2) to (4)

The family is linear in z = h(x) - < h(x) >, where h is the identity or all monomials of first and second degree of the
(reduced, normalised) inputs. Then the solution is the generalised eigenproblem of the covariances of the differences
and of the values, smallest eigenvalues first:

    A w = lambda B w,   A = < dz dz^T >,   B = < z z^T >,   y_j = w_j^T z

scipy.linalg.eigh solves it. No library of slow feature analysis is used: sksfa is not on the package index, and the
whole is an eigenproblem. The print is the mean and the standard deviation over time of the slowest signals. Left out:
the repetition on the outputs of a first stage (the paper's networks of several layers), and Foldiak's trace rule, which
learns with a running average in place of the eigenproblem.

Not to be confused with principal components (largest variance, time does not matter), nor with the whitening that this
begins with. Differences from the paper are numbered in docs/methods/slow_features.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.errors import DatasetError, SettingsError
from motionprint.methods.method import Method
from motionprint.networks import averaged
from motionprint.preprocessing import Frames
from motionprint.skeleton import Skeleton

__all__ = ["SlowFeatures", "SlowFeaturesSettings"]

Matrix = npt.NDArray[np.float64]

NOTHING = 1e-9
"""Variances below this share of the largest count as none: their directions are left out of the eigenproblem."""


@dataclass(frozen=True)
class SlowFeaturesSettings:
    """How many components are expanded, how, and how many slow signals are kept."""

    components: int = 24
    """Principal components that the inputs are reduced to, normalised to unit variance; all where there are fewer."""
    expansion: Literal["linear", "quadratic"] = "linear"
    """linear, or all monomials of first and second degree of the components."""
    signals: int = 100
    """Slowest signals that the print is made of; all where there are fewer."""

    def __post_init__(self) -> None:
        for name in ("components", "signals"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        if self.expansion not in ("linear", "quadratic"):
            raise SettingsError(f"expected expansion to be one of linear, quadratic, found {self.expansion!r}")


class SlowFeatures(Method):
    """Slow feature analysis (Wiskott and Sejnowski 2002): the mean and spread over time of the slowest signals."""

    Settings = SlowFeaturesSettings
    presets: ClassVar[Mapping[str, SlowFeaturesSettings]] = {
        "small": SlowFeaturesSettings(),
        "paper": SlowFeaturesSettings(components=10, expansion="quadratic"),
    }
    closed = True

    mean: Tensor
    """(D,) of the inputs."""
    reduction: Tensor
    """(D, M) principal directions, divided by the standard deviations along them."""
    expanded_mean: Tensor
    """(K,) of the expanded components."""
    directions: Tensor
    """(K, S) w of the slowest signals."""

    def __init__(self, skeleton: Skeleton, inputs: int, settings: SlowFeaturesSettings) -> None:
        super().__init__(skeleton, inputs, settings)
        self.settings = settings
        components = min(settings.components, inputs)  # M
        pairs = components * (components + 1) // 2 if settings.expansion == "quadratic" else 0
        expanded = components + pairs  # K
        signals = min(settings.signals, expanded)  # S
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("reduction", torch.zeros(inputs, components))
        self.register_buffer("expanded_mean", torch.zeros(expanded))
        self.register_buffer("directions", torch.zeros(expanded, signals))

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """None: what `solve` finds are no parameters."""
        return {}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """None: the minimum is found at once."""
        return {}

    def solve(self, frames: Frames, labels: npt.NDArray[np.int64] | None, seed: int) -> Mapping[str, int]:
        """Find the slowest signals, in three passes over the sequences; nothing is drawn at random.

        Raises
        ------
        DatasetError
            If no sequence has two frames, or nothing moves.
        """
        if not (frames.lengths > 1).any():
            raise DatasetError("expected a training sequence of at least two frames, found none")
        sequences = range(len(frames))
        count, total = np.zeros(len(self.mean)), np.zeros(len(self.mean))
        for number in sequences:
            known = _read(frames, number)
            count += (known != 0).sum(axis=0)
            total += known.sum(axis=0)
        mean = total / np.maximum(count, 1)
        covariance = np.zeros((len(mean), len(mean)))
        for number in sequences:
            centred = _centred(_read(frames, number), mean)
            covariance += centred.T @ centred
        reduction = _whitening(covariance / frames.lengths.sum(), self.reduction.shape[1])
        expanded = len(self.expanded_mean)
        sums, second, change = np.zeros(expanded), np.zeros((expanded, expanded)), np.zeros((expanded, expanded))
        for number in sequences:
            z = self._expanded(torch.from_numpy(_centred(_read(frames, number), mean) @ reduction)).numpy()
            dz = np.diff(z, axis=0)
            sums += z.sum(axis=0)
            second += z.T @ z
            change += dz.T @ dz
        expanded_mean = sums / frames.lengths.sum()
        values = second / frames.lengths.sum() - np.outer(expanded_mean, expanded_mean)  # B
        differences = change / (frames.lengths - 1).sum()  # A
        directions = _slowest(differences, values, self.directions.shape[1])
        for name, found in (
            ("mean", mean),
            ("reduction", reduction),
            ("expanded_mean", expanded_mean),
            ("directions", directions),
        ):
            getattr(self, name).copy_(torch.from_numpy(found))
        return {}

    def signals(self, frames: Tensor) -> Tensor:
        """(rows, S) y_j of packed frames (rows, D), the slowest first; of unit variance over the training frames."""
        # exactly zero is what stands at a missing value: it is read as the mean, so that it moves nothing
        centred = (frames - self.mean).masked_fill(frames == 0, 0)
        return (self._expanded(centred @ self.reduction) - self.expanded_mean) @ self.directions

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        """The mean over time of each signal, then its standard deviation: (N, 2 S)."""
        signals = self.signals(frames)  # (rows, S)
        mean = averaged(signals, packing)
        spread = averaged((signals - mean[packing.sequence]).square(), packing)
        prints = torch.cat([mean, spread.sqrt()], 1)  # (N, 2 S)
        return {"F": prints, "states": prints}

    def _expanded(self, components: Tensor) -> Tensor:
        """(rows, K) h of components (rows, M)."""
        if self.settings.expansion == "linear":
            return components
        first, second = torch.triu_indices(components.shape[1], components.shape[1], device=components.device)
        return torch.cat([components, components[:, first] * components[:, second]], 1)


def _read(frames: Frames, number: int) -> Matrix:
    """(T, D) a sequence in float64, zero where a value is missing."""
    return frames.read(number).astype(np.float64)


def _centred(values: Matrix, mean: Matrix) -> Matrix:
    return np.asarray(np.where(values == 0, 0, values - mean))


def _whitening(covariance: Matrix, components: int) -> Matrix:
    """(D, M) the directions of largest variance, divided by the standard deviation; zero where there is none."""
    variances, directions = np.linalg.eigh(covariance)
    variances, directions = variances[::-1][:components], directions[:, ::-1][:, :components]
    if not variances[0] > 0:
        raise DatasetError("expected training sequences that differ from their mean, found none")
    kept = variances > NOTHING * variances[0]
    scale = np.where(kept, 1 / np.sqrt(np.where(kept, variances, 1)), 0)
    return np.asarray(_signed(directions) * scale)


def _slowest(differences: Matrix, values: Matrix, signals: int) -> Matrix:
    """(K, S) w of the smallest eigenvalues, with w^T B w = 1; zero where B has fewer directions than S."""
    from scipy.linalg import eigh

    variances, basis = np.linalg.eigh(values)
    basis = basis[:, variances > NOTHING * variances[-1]]  # B is singular where components depend on each other
    _, found = eigh(basis.T @ differences @ basis, basis.T @ values @ basis)
    found = _signed(basis @ found[:, :signals])
    return np.pad(found, ((0, 0), (0, signals - found.shape[1])))


def _signed(directions: Matrix) -> Matrix:
    """The same directions, the largest number of each positive: eigenvectors have no sign of their own."""
    largest = np.abs(directions).argmax(axis=0)
    return np.asarray(directions * np.where(directions[largest, np.arange(directions.shape[1])] < 0, -1, 1))
