"""Whether classes fall apart by themselves: clusters of the test prints, scored against the labels afterwards.

Two algorithms, Ward's agglomerative clustering and k-means, both with as many clusters as there are classes, on the
prints as they are (not standardised). ACC is the fraction of recordings in the right place under the best one-to-one
assignment of clusters to classes (Xie, Girshick, Farhadi 2016, section 4.3); NMI is the normalised mutual information
(arithmetic mean of the two entropies). Labels choose nothing; they only say how many clusters and score them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError, SettingsError
from motionprint.evaluation.probes import require_finite

__all__ = ["ALGORITHMS", "WARD_LIMIT", "assignment_accuracy", "cluster", "normalised_mutual_information"]

ALGORITHMS = ("ward", "kmeans")
"""The algorithms that `cluster` knows."""

WARD_LIMIT = 20_000
"""Ward compares every pair of prints: beyond this many (1.6 GB of distances) `evaluate` leaves it out and says so."""


def cluster(
    algorithm: str, prints: npt.NDArray[np.floating[Any]], clusters: int, seed: int = 0
) -> npt.NDArray[np.intp]:
    """The cluster of each print (N, R), numbered from 0.

    Ward is deterministic; k-means keeps the best of 10 starts drawn from ``seed``.

    Raises
    ------
    SettingsError
        If the algorithm is unknown.
    DatasetError
        If there are fewer prints than clusters, fewer than two clusters, or a print is not finite.
    """
    if algorithm not in ALGORITHMS:
        raise SettingsError(f"expected a clustering among {', '.join(ALGORITHMS)}, found {algorithm!r}")
    if not 2 <= clusters <= len(prints):
        raise DatasetError(
            f"expected 2 clusters or more and a print for each, found {clusters} clusters and {len(prints)} prints"
        )
    require_finite(prints, "test")
    from sklearn.cluster import AgglomerativeClustering, KMeans

    model = (
        AgglomerativeClustering(n_clusters=clusters, linkage="ward")
        if algorithm == "ward"
        else KMeans(n_clusters=clusters, n_init=10, random_state=seed % 2**32)
    )
    return np.asarray(model.fit_predict(np.asarray(prints, dtype=np.float64)), dtype=np.intp)


def assignment_accuracy(clusters: Sequence[int] | npt.NDArray[Any], labels: Sequence[str] | npt.NDArray[Any]) -> float:
    """ACC: the fraction in the right place under the best one-to-one assignment of clusters to classes."""
    from scipy.optimize import linear_sum_assignment

    _, row = np.unique(np.asarray(clusters), return_inverse=True)
    _, column = np.unique(np.asarray(labels, dtype=np.str_), return_inverse=True)
    if len(row) != len(column) or not len(row):
        raise DatasetError(f"expected one label a recording, found {len(row)} recordings and {len(column)} labels")
    together = np.zeros((row.max() + 1, column.max() + 1), dtype=np.intp)
    np.add.at(together, (row, column), 1)
    best = linear_sum_assignment(together, maximize=True)
    return float(together[best].sum() / len(row))


def normalised_mutual_information(
    clusters: Sequence[int] | npt.NDArray[Any], labels: Sequence[str] | npt.NDArray[Any]
) -> float:
    """NMI: mutual information of clusters and classes over the mean of their entropies, in [0, 1]."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(np.asarray(labels, dtype=np.str_), np.asarray(clusters)))
