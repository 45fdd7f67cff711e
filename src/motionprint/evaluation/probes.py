"""How much a simple classifier finds in fixed prints: a linear layer, and nearest neighbours.

    linear   StandardScaler, then multinomial logistic regression, C = 1 (the softmax layer of Zheng et al. 2018, U)
    knn1     StandardScaler, then the nearest neighbour by cosine
    knn5     the same with five neighbours, one vote each; a tie goes to the tied class with the nearest member

Scaler and classifier are fitted on training recordings only. Not fine-tuning: the prints never change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError, SettingsError
from motionprint.store.labelled import draw_labelled

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

__all__ = [
    "PROBES",
    "LinearProbe",
    "NeighbourProbe",
    "accuracy",
    "draw_labelled",
    "fit_probe",
    "require_finite",
    "unit_vectors",
]

Floats = npt.NDArray[np.floating[Any]]

PROBES = ("linear", "knn1", "knn5")
"""The probes that `fit_probe` knows."""

MAX_ITERATIONS = 10_000
"""Of L-BFGS: standardised prints with C = 1 need some hundreds; scikit-learn warns where that is not enough."""

TOLERANCE = 1e-6
"""Of the gradient, where L-BFGS ends. At scikit-learn's 1e-4 accuracies still moved by one point with the rounding
(raw coordinates on NW-UCLA: 58.1 in float64, 59.0 in float32); from 1e-5 on they stand still."""

CHUNK = 1024
"""Test prints compared with the training prints at once, so that memory does not grow with their product."""


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of the training prints, a value each."""

    mean: npt.NDArray[np.float64]
    """(R,)"""
    scale: npt.NDArray[np.float64]
    """(R,) the standard deviation; 1 where a value is constant."""

    @classmethod
    def fit(cls, prints: Floats) -> Scaler:
        """Measure training prints (N, R).

        A value whose spread over the training prints is within the rounding error of float32 is constant: it is
        centred, not blown up to unit variance (the hips' direction after alignment is such a value).
        """
        values = np.asarray(prints, dtype=np.float64)
        mean, scale = values.mean(axis=0), values.std(axis=0)
        rounding = 10 * float(np.finfo(np.float32).eps) * float(np.abs(values).max())
        return cls(mean, np.where(scale > rounding, scale, 1.0))

    def apply(self, prints: Floats) -> npt.NDArray[np.float64]:
        """Prints (N, R) in standard deviations from the training prints' mean."""
        scaled: npt.NDArray[np.float64] = (np.asarray(prints, dtype=np.float64) - self.mean) / self.scale
        return scaled


@dataclass(frozen=True)
class LinearProbe:
    """A fitted scaler and logistic regression."""

    scaler: Scaler
    model: LogisticRegression

    def predict(self, prints: Floats) -> npt.NDArray[np.str_]:
        """The class of each print (N, R)."""
        return np.asarray(self.model.predict(self.scaler.apply(prints)), dtype=np.str_)


@dataclass(frozen=True)
class NeighbourProbe:
    """The training prints, scaled and of unit length, with their classes."""

    scaler: Scaler
    directions: npt.NDArray[np.float64]
    """(N, R)"""
    labels: npt.NDArray[np.str_]
    """(N,)"""
    neighbours: int
    """How many vote; all of them where there are fewer training prints."""

    def predict(self, prints: Floats) -> npt.NDArray[np.str_]:
        """The class of each print (N, R)."""
        classes, numbers = np.unique(self.labels, return_inverse=True)
        voters = min(self.neighbours, len(self.labels))
        found: list[npt.NDArray[np.intp]] = []
        for start in range(0, len(prints), CHUNK):
            similarity = unit_vectors(self.scaler.apply(prints[start : start + CHUNK])) @ self.directions.T
            nearest = np.argpartition(-similarity, voters - 1, axis=1)[:, :voters]
            order = np.argsort(-np.take_along_axis(similarity, nearest, axis=1), axis=1, kind="stable")
            found.append(_vote(numbers[np.take_along_axis(nearest, order, axis=1)], len(classes)))
        return classes[np.concatenate(found)] if found else classes[:0]


def fit_probe(task: str, prints: Floats, labels: Sequence[str] | npt.NDArray[Any]) -> LinearProbe | NeighbourProbe:
    """Fit one of `PROBES` on training prints (N, R) and their classes.

    Raises
    ------
    SettingsError
        If the probe is unknown.
    DatasetError
        If there are fewer than two classes, the numbers of prints and labels differ, or a print is not finite.
    """
    if task not in PROBES:
        raise SettingsError(f"expected a probe among {', '.join(PROBES)}, found {task!r}")
    classes = np.asarray(labels, dtype=np.str_)
    if prints.ndim != 2 or len(prints) != len(classes):
        raise DatasetError(f"expected one label a print, found prints {prints.shape} and {len(classes)} labels")
    if len(names := np.unique(classes)) < 2:
        found = f"only {str(names[0])!r}" if len(names) else "none"
        raise DatasetError(f"a probe needs at least two classes among the labelled training recordings, found {found}")
    require_finite(prints, "training")
    scaler = Scaler.fit(prints)
    scaled = scaler.apply(prints)
    if task != "linear":
        return NeighbourProbe(scaler, unit_vectors(scaled), classes, neighbours=int(task.removeprefix("knn")))
    from sklearn.linear_model import LogisticRegression

    return LinearProbe(scaler, LogisticRegression(C=1.0, tol=TOLERANCE, max_iter=MAX_ITERATIONS).fit(scaled, classes))


def accuracy(probe: LinearProbe | NeighbourProbe, prints: Floats, labels: Sequence[str] | npt.NDArray[Any]) -> float:
    """The fraction of prints (N, R) whose class the probe finds.

    Raises
    ------
    DatasetError
        If a print is not finite.
    """
    require_finite(prints, "test")
    return float(np.mean(probe.predict(prints) == np.asarray(labels, dtype=np.str_)))


def require_finite(prints: Floats, which: str) -> None:
    """Refuse prints (N, R) that hold NaN or inf.

    Raises
    ------
    DatasetError
        With the number of such prints.
    """
    bad = ~np.isfinite(prints).all(axis=1)
    if bad.any():
        raise DatasetError(
            f"expected finite {which} prints, found NaN or inf in {int(bad.sum())} of {len(prints)},"
            f" first in number {int(bad.argmax())}"
        )


def unit_vectors(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Vectors (N, R) of length 1; a zero vector stays zero, as far from everything as a right angle."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: npt.NDArray[np.float64] = vectors / np.where(length > 0, length, 1.0)
    return unit


def _vote(neighbours: npt.NDArray[np.intp], classes: int) -> npt.NDArray[np.intp]:
    """The winning class number of each row (N, k), nearest neighbour first."""
    rows = np.arange(len(neighbours))
    votes = np.zeros((len(neighbours), classes), dtype=np.intp)
    for place in range(neighbours.shape[1]):
        np.add.at(votes, (rows, neighbours[:, place]), 1)
    theirs = np.take_along_axis(votes, neighbours, axis=1)  # (N, k) votes of each neighbour's class
    winner: npt.NDArray[np.intp] = neighbours[rows, theirs.argmax(axis=1)]  # argmax takes the first, the nearest
    return winner
