"""How well the neighbours of a print are of its class: mean average precision, and precision at 10.

Test prints are the queries, training prints the gallery. All of the gallery is ranked by the cosine of prints that are
standardised by the gallery's mean and standard deviation, as for the nearest neighbours; a gallery print is relevant if
it is of the query's class. With rel(k) 1 where the print at rank k is relevant and 0 elsewhere, R relevant prints and
P(k) the share of relevant ones among the first k (Manning, Raghavan, Schuetze 2008, section 8.4):

    AP  = 1/R sum_k P(k) rel(k)      map = the mean of AP over the queries      precision10 = the mean of P(10)

A query whose class the gallery lacks counts as 0. Prints of equal cosine keep the gallery's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError
from motionprint.evaluation.probes import Scaler, require_finite, unit_vectors

__all__ = ["ranked", "retrieval"]

Floats = npt.NDArray[np.floating[Any]]
Labels = Sequence[str] | npt.NDArray[Any]

FIRST = 10
"""Ranks that `precision10` looks at; all of them in a smaller gallery."""

CHUNK = 128
"""Queries ranked at once, so that memory does not grow with the product of both numbers."""


def retrieval(gallery: Floats, gallery_labels: Labels, queries: Floats, query_labels: Labels) -> dict[str, float]:
    """``map`` and ``precision10`` of queries (Q, R) in a gallery (G, R), and the classes of both.

    Raises
    ------
    DatasetError
        If there is no query or an empty gallery, the numbers of prints and labels differ, or a print is not finite.
    """
    known, asked = np.asarray(gallery_labels, dtype=np.str_), np.asarray(query_labels, dtype=np.str_)
    for prints, labels, which in ((gallery, known, "training"), (queries, asked, "test")):
        if prints.ndim != 2 or len(prints) != len(labels) or not len(labels):
            raise DatasetError(
                f"expected {which} prints with one label each, found prints {prints.shape} and {len(labels)} labels"
            )
        require_finite(prints, which)
    scaler = Scaler.fit(gallery)
    directions = unit_vectors(scaler.apply(gallery))  # (G, R)
    precisions, firsts = [], []
    for start in range(0, len(queries), CHUNK):
        similarity = unit_vectors(scaler.apply(queries[start : start + CHUNK])) @ directions.T
        found = ranked(similarity, known, asked[start : start + CHUNK])
        precisions.append(found[0])
        firsts.append(found[1])
    return {"map": float(np.concatenate(precisions).mean()), "precision10": float(np.concatenate(firsts).mean())}


def ranked(
    similarity: Floats, gallery_labels: npt.NDArray[np.str_], query_labels: npt.NDArray[np.str_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Average precision (Q,) and precision at 10 (Q,) of queries, by how like they are (Q, G) to what is in a gallery.

    The likest comes first, whatever the number means: the negative of a distance will do.
    """
    order = np.argsort(-similarity, axis=1, kind="stable")
    relevant = gallery_labels[order] == query_labels[:, None]  # (Q, G)
    share = relevant.cumsum(axis=1) / np.arange(1, similarity.shape[1] + 1)  # P(k)
    precision = (share * relevant).sum(axis=1) / np.maximum(relevant.sum(axis=1), 1)
    return precision, share[:, min(FIRST, similarity.shape[1]) - 1]
