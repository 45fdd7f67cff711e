"""A linear support vector machine on standardised features, fitted by scikit-learn and kept as tensors.

    s = W (f - m) / d + b

One against the rest, squared hinge loss, L2 penalty (liblinear: Fan et al. 2008, "LIBLINEAR: a library for large linear
classification"). Not to be confused with the linear probe of the evaluation, which is logistic regression.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from motionprint.errors import DatasetError

__all__ = ["LinearSvm"]

ABSENT = -1e9
"""Score of a class that no training sequence belongs to: never the largest, and finite."""

MAX_ITERATIONS = 10_000
"""Of liblinear; where that is not enough `LinearSvm.fit` says so."""


class LinearSvm(nn.Module):
    """Standardisation and a linear layer with the weights that liblinear finds.

    All that is fitted is held in buffers of sizes known beforehand, so that it loads like any network's weights.
    """

    mean: Tensor
    """(R,) of the training features."""
    scale: Tensor
    """(R,) their standard deviations; 1 where a feature is constant."""
    weight: Tensor
    """(C, R)"""
    bias: Tensor
    """(C,)"""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("weight", torch.zeros(classes, features))
        self.register_buffer("bias", torch.zeros(classes))

    def standardised(self, features: Tensor) -> Tensor:
        """Features (N, R) in standard deviations from the training features' mean."""
        return (features - self.mean) / self.scale

    def forward(self, standardised: Tensor) -> Tensor:
        """(N, C) signed distances from the hyperplanes, in margins, of standardised features (N, R)."""
        return standardised @ self.weight.T + self.bias

    def fit(
        self, features: npt.NDArray[np.float32], labels: npt.NDArray[np.int64] | None, penalty: float, seed: int
    ) -> int:
        """Set the weights from training features (P, R) and their classes (P,).

        Parameters
        ----------
        penalty
            C of the machine: what a training sequence within the margin costs.
        seed
            Of the order in which liblinear visits the sequences.

        Returns
        -------
        unconverged
            1 where liblinear ended before it converged, else 0.

        Raises
        ------
        ValueError
            If there are no labels.
        DatasetError
            If there are fewer than two classes among them.
        """
        if labels is None:
            raise ValueError("expected the classes of the training sequences, found none")
        present = np.unique(labels)
        if len(present) < 2:
            raise DatasetError(f"expected training sequences of at least two classes, found {len(present)}")
        mean = features.mean(axis=0, dtype=np.float64)
        spread = features.std(axis=0, dtype=np.float64)
        rounding = 10 * float(np.finfo(np.float32).eps) * max(float(np.abs(features).max()), 1e-30)
        self._set("mean", mean)
        self._set("scale", np.where(spread > rounding, spread, 1.0))
        given = self.standardised(torch.from_numpy(features).to(self.mean)).cpu().numpy()
        weight = np.zeros(tuple(self.weight.shape))
        bias = np.full(len(weight), ABSENT)
        weight[present], bias[present], unconverged = self._hyperplanes(given, labels, penalty, seed)
        self._set("weight", weight)
        self._set("bias", bias)
        return unconverged

    def _hyperplanes(
        self, features: npt.NDArray[Any], labels: npt.NDArray[np.int64], penalty: float, seed: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int]:
        """Weights and biases, a row a class that is present, in the order of their numbers; 1 where unconverged."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.svm import LinearSVC

        seed %= 2**32  # scikit-learn takes no larger one
        machine = LinearSVC(C=penalty, dual="auto", max_iter=MAX_ITERATIONS, random_state=seed)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", ConvergenceWarning)
            machine.fit(features, labels)
        weight, bias = machine.coef_, machine.intercept_
        if len(weight) == 1:  # of two classes scikit-learn keeps the second one's hyperplane
            weight, bias = np.concatenate([-weight, weight]), np.concatenate([-bias, bias])
        return weight, bias, int(bool(said))

    def _set(self, name: str, values: npt.NDArray[np.float64]) -> None:
        getattr(self, name).copy_(torch.from_numpy(values))
