"""Hidden Markov models of histograms of 3D joints: Xia, Chen, Aggarwal, "View Invariant Human Action Recognition Using
Histograms of 3D Joints", CVPR Workshops 2012, the whole of it. (Wu and Shao, CVPR 2014, keep the Markov chain and put a
deep belief network in place of the emissions: that is not built here.)

A frame becomes a histogram of the directions in which the joints lie from the hip centre (HOJ3D): spherical
coordinates with the vertical as their axis and the line of the hips as azimuth 0, in 7 x 12 = 84 bins; each joint votes
for the bins around it with a Gaussian's weight. Linear discriminant analysis with the classes of the frames reduces it
to C - 1 numbers, k-means makes these a word, and the words o_1 .. o_T of a sequence are the observations of one
discrete hidden Markov model a class:

    score_c = log P(o_1 .. o_T | pi_c, A_c, B_c)         alpha_1(i) = pi(i) B(i, o_1)
                                                         alpha_t(j) = sum_i alpha_t-1(i) A(i, j) B(j, o_t)

hmmlearn fits the models (Baum-Welch); the scores come from the kept tensors, by the forward recursion above in
logarithms. The class of the largest likelihood is the answer. Not to be confused with SMIJ's histograms (method smij),
which count joints over time. Differences are numbered in docs/methods/hmm.md.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.errors import DatasetError, SettingsError
from motionprint.methods.method import Classifier
from motionprint.preprocessing import Frames
from motionprint.skeleton import Skeleton

__all__ = ["Hmm", "HmmSettings"]

INCLINATIONS = tuple(math.radians(degrees) for degrees in (0, 15, 45, 75, 105, 135, 165, 180))
"""Edges of the bins from straight up to straight down, as in the paper."""

AZIMUTHS = 12
"""Bins of 30 degrees around the vertical."""

BINS = (len(INCLINATIONS) - 1) * AZIMUTHS

ABSENT = -1e9
"""Added to the score of a class that no training sequence belongs to."""

KMEANS_FRAMES = 50_000
"""Frames, drawn evenly, that the words are found from."""

SHRINKAGE = 1e-3
"""Share of the mean within-class variance that is added to each direction of the discriminant analysis: some bins are
never met."""


@dataclass(frozen=True)
class HmmSettings:
    """Histograms, words and Markov models."""

    spread: float = 15.0
    """Degrees: standard deviation of the Gaussian that a joint votes with."""
    words: int = 60
    """Words that frames are quantised to; fewer where there are fewer different frames."""
    states: int = 6
    """Hidden states of each class's model."""
    iterations: int = 30
    """Of Baum-Welch, at most."""
    smoothing: float = 0.01
    """Observations of each start, change of state and word that are counted before any was made."""

    def __post_init__(self) -> None:
        for name in ("words", "states", "iterations"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        for name in ("spread", "smoothing"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"expected {name} above 0, found {getattr(self, name):g}")


class Hmm(Classifier):
    """HOJ3D and a discrete hidden Markov model a class (Xia et al. 2012)."""

    Settings = HmmSettings
    presets: ClassVar[Mapping[str, HmmSettings]] = {
        "small": HmmSettings(),
        "paper": HmmSettings(words=125),
    }
    closed = True

    mean: Tensor
    """(84,) of the training histograms."""
    discriminants: Tensor
    """(84, C - 1) the directions of the discriminant analysis."""
    centres: Tensor
    """(W, C - 1) the words."""
    start: Tensor
    """(C, S) log pi."""
    change: Tensor
    """(C, S, S) log A, from row to column."""
    emission: Tensor
    """(C, S, W) log B."""
    offset: Tensor
    """(C,) 0, or what keeps a class that was never seen from being the answer."""

    def __init__(self, skeleton: Skeleton, inputs: int, settings: HmmSettings, classes: int) -> None:
        super().__init__(skeleton, inputs, settings, classes)
        self.settings = settings
        self._count, self._hips = len(skeleton), skeleton.hips
        self._voters = [joint for joint in range(len(skeleton)) if joint not in (skeleton.root, *(skeleton.hips or ()))]
        if not self._voters:
            raise SettingsError("hmm needs a skeleton with joints beside its root and hips, found none")
        words, states, kept = settings.words, settings.states, max(1, min(classes - 1, BINS))
        self.register_buffer("mean", torch.zeros(BINS))
        self.register_buffer("discriminants", torch.zeros(BINS, kept))
        self.register_buffer("centres", torch.zeros(words, kept))
        self.register_buffer("start", torch.full((classes, states), -math.log(states)))
        self.register_buffer("change", torch.full((classes, states, states), -math.log(states)))
        self.register_buffer("emission", torch.full((classes, states, words), -math.log(words)))
        self.register_buffer("offset", torch.zeros(classes))

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """None: what `solve` finds are no parameters."""
        return {}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """None: there are no steps."""
        return {}

    def solve(self, frames: Frames, labels: npt.NDArray[np.int64] | None, seed: int) -> Mapping[str, int]:
        """Find discriminants, words and a model a class; held at a time are the words of one class's sequences.

        Returns
        -------
        counts
            ``unconverged``: classes whose model still gained likelihood in the last iteration.

        Raises
        ------
        ValueError
            If there are no labels.
        SettingsError
            If the package hmmlearn is missing.
        DatasetError
            If there are fewer than two classes among the labels.
        """
        if labels is None:
            raise ValueError("expected the classes of the training sequences, found none")
        present = np.unique(labels)
        if len(present) < 2:
            raise DatasetError(f"expected training sequences of at least two classes, found {len(present)}")
        categorical = _hmmlearn()
        self._find_discriminants(frames, labels)
        self._find_words(frames, seed)
        self.offset.fill_(ABSENT)
        unconverged = 0
        for label in present.tolist():
            of_class = np.flatnonzero(labels == label)
            words = [
                self._words(_read(frames, number).to(self.mean.device)).cpu().numpy() for number in of_class.tolist()
            ]
            model = self._model(categorical, seed + label)
            with _quiet():
                model.fit(np.concatenate(words)[:, None], [len(each) for each in words])
            unconverged += _gains(model.monitor_)
            self.start[label] = torch.from_numpy(np.log(model.startprob_)).to(self.start)
            self.change[label] = torch.from_numpy(np.log(model.transmat_)).to(self.change)
            self.emission[label] = torch.from_numpy(np.log(model.emissionprob_)).to(self.emission)
            self.offset[label] = 0
        return {"unconverged": unconverged}

    def scores(self, frames: Tensor, packing: Packing) -> Tensor:
        """(N, C) log-likelihoods (natural logarithms) of each sequence's words under each class's model."""
        emitted = self.emission[:, :, self._words(frames)].permute(2, 0, 1)  # (rows, C, S)
        alpha = self.start + emitted[: packing.count]  # (N, C, S)
        first = packing.count
        for count in packing.sizes[1:]:  # the sequences that have a next frame are the first ones
            moved = torch.logsumexp(alpha[:count, :, :, None] + self.change, 2)
            alpha = torch.cat([moved + emitted[first : first + count], alpha[count:]])
            first += count
        return torch.logsumexp(alpha, 2) + self.offset

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        """The log-likelihoods: nothing else reads the sequence."""
        scores = self.scores(frames, packing)
        return {"F": scores, "states": scores}

    def histograms(self, frames: Tensor) -> Tensor:
        """(rows, 84) HOJ3D of packed frames (rows, D), of sum 1; zero where no joint is known.

        The recipe's y axis is the vertical. A joint at exactly the root has no direction and no vote, and that is
        where missing ones stand. Without known hips azimuth 0 is the x axis.
        """
        joints = frames[:, : 3 * self._count].reshape(-1, self._count, 3)  # (rows, J, 3)
        x, y, z = joints[:, self._voters].unbind(2)  # (rows, V)
        azimuth = torch.atan2(z, x)
        if self._hips is not None:
            left, right = joints[:, self._hips[0]], joints[:, self._hips[1]]
            line = left - right
            known = (left != 0).any(1) & (right != 0).any(1)
            azimuth = azimuth - torch.where(known, torch.atan2(line[:, 2], line[:, 0]), 0)[:, None]
        inclination = torch.atan2((x.square() + z.square()).sqrt(), y)
        votes = (joints[:, self._voters] != 0).any(2).to(frames)  # (rows, V)
        up = _mass(inclination, torch.tensor(INCLINATIONS).to(frames), self.settings.spread)  # (rows, V, 7)
        edges = torch.arange(AZIMUTHS + 1).to(frames) * (2 * math.pi / AZIMUTHS)
        azimuth = azimuth.remainder(2 * math.pi)
        turned = torch.stack([azimuth - 2 * math.pi, azimuth, azimuth + 2 * math.pi])  # the circle closes
        around = _mass(turned, edges, self.settings.spread).sum(0)  # (rows, V, 12)
        weights = votes[:, :, None] * up / up.sum(2, keepdim=True)
        histogram = (weights.transpose(1, 2) @ (around / around.sum(2, keepdim=True))).flatten(1)
        return histogram / votes.sum(1, keepdim=True).clamp(min=1)

    def _words(self, frames: Tensor) -> Tensor:
        """(rows,) the number of the nearest word."""
        centres = self.centres.double()
        return (centres.square().sum(1) - 2 * self._reduced(frames) @ centres.T).argmin(1)

    def _reduced(self, frames: Tensor) -> Tensor:
        """(rows, C - 1) histograms along the discriminants.

        In float64, so that no frame gets another word from how its batch is rounded.
        """
        return (self.histograms(frames.double()) - self.mean.double()) @ self.discriminants.double()

    def _find_discriminants(self, frames: Frames, labels: npt.NDArray[np.int64]) -> None:
        """Linear discriminant analysis of the frames, in one pass: sums of each class, and of all products."""
        from scipy.linalg import eigh

        classes = len(self.offset)
        sums, counts, products = np.zeros((classes, BINS)), np.zeros(classes), np.zeros((BINS, BINS))
        for number, label in enumerate(labels.tolist()):
            found = self.histograms(_read(frames, number).double()).cpu().numpy()
            sums[label] += found.sum(axis=0)
            counts[label] += len(found)
            products += found.T @ found
        means = sums / np.maximum(counts, 1)[:, None]
        within = (products - (counts[:, None] * means).T @ means) / counts.sum()
        mean = sums.sum(axis=0) / counts.sum()
        between = (counts[:, None] * (means - mean)).T @ (means - mean) / counts.sum()
        within += (SHRINKAGE * np.trace(within) / BINS + 1e-12) * np.eye(BINS)
        _, directions = eigh(between, within)  # of within-class variance 1, the most telling last
        self.mean.copy_(torch.from_numpy(mean))
        self.discriminants.copy_(torch.from_numpy(directions[:, ::-1][:, : self.discriminants.shape[1]].copy()))

    def _find_words(self, frames: Frames, seed: int) -> None:
        """k-means of frames drawn evenly from all sequences."""
        from sklearn.cluster import KMeans

        total = int(frames.lengths.sum())
        random = np.random.default_rng(seed)
        drawn = np.sort(random.permutation(total)[:KMEANS_FRAMES]) if total > KMEANS_FRAMES else np.arange(total)
        reduced = []
        for number, start in enumerate(frames.starts.tolist()):
            first, last = np.searchsorted(drawn, (start, start + frames.lengths[number]))
            if first < last:
                rows = _read(frames, number)[torch.from_numpy(drawn[first:last] - start)]
                reduced.append(self._reduced(rows.to(self.mean.device)).cpu().numpy())
        points = np.concatenate(reduced)
        count = min(len(self.centres), len(np.unique(points, axis=0)))
        seed %= 2**32  # scikit-learn takes no larger one
        found = KMeans(count, n_init=1, random_state=seed).fit(points).cluster_centers_
        self.centres.fill_(1e9)  # what is left over is nearest to nothing
        self.centres[:count] = torch.from_numpy(found).to(self.centres)

    def _model(self, categorical: Any, seed: int) -> Any:
        """A model of hmmlearn before it is fitted."""
        prior = 1 + self.settings.smoothing
        return categorical(
            self.settings.states,
            n_features=self.settings.words,
            n_iter=self.settings.iterations,
            startprob_prior=prior,
            transmat_prior=prior,
            emissionprob_prior=prior,
            random_state=seed % 2**32,
        )


def _read(frames: Frames, number: int) -> Tensor:
    """(T, D) zero where a value is missing."""
    return torch.from_numpy(frames.read(number))


def _gains(monitor: Any) -> bool:
    """Whether the likelihood still grew when a fit ended: hmmlearn says "converged" of any that used all iterations."""
    last = list(monitor.history)[-2:]
    return len(last) < 2 or bool(last[1] - last[0] >= monitor.tol)


def _mass(values: Tensor, edges: Tensor, spread: float) -> Tensor:
    """(..., B) what of a Gaussian around each value (...), rad, lies between the edges (B + 1,)."""
    below = torch.erf((edges - values[..., None]) / (math.sqrt(2) * math.radians(spread)))
    return below.diff(dim=-1) / 2


def _hmmlearn() -> Any:
    try:
        from hmmlearn.hmm import CategoricalHMM
    except ImportError as error:
        raise SettingsError("method hmm needs the package hmmlearn: pip install hmmlearn") from error
    return CategoricalHMM


@contextmanager
def _quiet() -> Iterator[None]:
    """hmmlearn logs each model that is small for its data or has not converged: these are counted instead."""
    logger = logging.getLogger("hmmlearn")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
