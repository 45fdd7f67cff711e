"""Which labels would help most: sequences amid what is not covered yet, later the doubtful ones.

    cover   k-means of all prints into as many clusters as there are labels and suggestions; of the largest clusters
            with the fewest labels the print next to the centre (near to TypiClust, Hacohen et al. 2022)
    doubt   of the prints whose two likeliest labels are the nearest to equal, five for each suggestion: k-means into
            as many clusters as suggestions, weighted by the doubt; of each the print next to its centre (Zhdanov 2019)

Cover comes first, until there are four labels a class on average. How it was chosen: docs/decisions/0013-labelling.md.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError
from motionprint.labelling.classifier import Known, Prints, Scores

__all__ = ["suggest"]

COVERED = 4
"""Labels a class, on average, from which on doubt decides."""
DOUBTFUL = 5
"""The most doubtful prints for each suggestion, among which it is chosen."""

Numbers = npt.NDArray[np.intp]


def suggest(prints: Prints, known: Known, chances: Scores | None, count: int, seed: int = 0) -> Numbers:
    """The prints whose labels would help most, at most ``count`` of those that have none, the most helpful first.

    Parameters
    ----------
    prints
        N of them.
    known
        (N,) the class number of each, -1 where it has no label.
    chances
        (N, K) the probability of each class, None where nothing could be learned yet.
    count
        How many; all that have no label where there are fewer.
    seed
        Of k-means.

    Raises
    ------
    SettingsError
        If the numbers of prints, labels and probabilities differ.
    """
    if len(known) != len(prints) or (chances is not None and len(chances) != len(prints)):
        raise SettingsError(f"expected a label or -1, and probabilities, for each of {len(prints)} prints")
    rest = np.flatnonzero(known < 0)
    count = min(count, len(rest))
    if not count:
        return np.zeros(0, dtype=np.intp)
    if chances is None or len(prints) - len(rest) < COVERED * chances.shape[1]:
        return _cover(prints.unit, known, count, seed)
    return _doubt(prints.unit, rest, chances[rest], count, seed)


def _cover(unit: npt.NDArray[np.float64], known: Known, count: int, seed: int) -> Numbers:
    clusters = min(len(unit), int((known >= 0).sum()) + count)
    cluster, distance = _k_means(unit, clusters, seed)
    free = known < 0
    size, taken = np.bincount(cluster, minlength=clusters), np.bincount(cluster[~free], minlength=clusters)
    chosen: list[int] = []
    while len(chosen) < count:  # more than once where equal prints leave fewer clusters than were asked for
        for each in np.lexsort((-size, taken)):
            left = np.flatnonzero((cluster == each) & free)
            if len(left) and len(chosen) < count:
                chosen.append(int(left[distance[left].argmin()]))
                free[chosen[-1]] = False
    return np.array(chosen, dtype=np.intp)


def _doubt(unit: npt.NDArray[np.float64], rest: Numbers, chances: Scores, count: int, seed: int) -> Numbers:
    likeliest = np.sort(chances, axis=1)
    margin = likeliest[:, -1] - likeliest[:, -2]  # 0 to 1; the smaller, the more doubtful
    doubtful = np.argsort(margin, kind="stable")[: DOUBTFUL * count]
    margin, rest = margin[doubtful], rest[doubtful]
    cluster, distance = _k_means(unit[rest], count, seed, weights=1 - margin + 1e-9)
    central = [
        members[distance[members].argmin()] for members in map(np.flatnonzero, cluster == np.unique(cluster)[:, None])
    ]
    others = np.setdiff1d(np.arange(len(rest)), central)[
        : count - len(central)
    ]  # where equal prints leave fewer clusters
    return rest[np.sort(np.concatenate([central, others]).astype(np.intp))]  # in the order of doubt


def _k_means(
    points: npt.NDArray[np.float64], clusters: int, seed: int, weights: npt.NDArray[np.float64] | None = None
) -> tuple[Numbers, npt.NDArray[np.float64]]:
    """The cluster of each point (n, R), and its squared distance from the centre."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Number of distinct clusters", category=ConvergenceWarning)
        found = KMeans(clusters, n_init=1, random_state=seed).fit(points, sample_weight=weights)
    return found.labels_.astype(np.intp), ((points - found.cluster_centers_[found.labels_]) ** 2).sum(axis=1)
