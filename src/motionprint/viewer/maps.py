"""Prints, or coordinates, as points in the plane, with neighbours and clusters: all by the cosine.

Rows are brought to length 1, so that the Euclidean distances that all of it works with rank as the cosine does.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError
from motionprint.progress import Report

__all__ = ["MAPS", "Kind", "Neighbours", "clusters", "directions", "neighbours", "project"]

Kind = Literal["auto", "umap", "tsne", "pca"]
MAPS: tuple[Kind, ...] = ("auto", "umap", "tsne", "pca")

VALUES = 50
"""Values a row above which UMAP and t-SNE see the first so many principal components."""
FEW = 10
"""Points below which only PCA has something to say."""
NEIGHBOURS = 12
APPROXIMATE_ABOVE = 20_000
"""Points above which neighbours are found by an approximate index."""
CLUSTERS = 8
"""Clusters where no classes say how many."""

Floats = npt.NDArray[np.float32]


def directions(prints: Floats) -> Floats:
    """Rows (N, R) brought to length 1; a row of zeros stays one."""
    values = np.asarray(prints, np.float32)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(lengths, 1e-12), np.float32)


def project(rows: Floats, kind: Kind, report: Report | None = None) -> tuple[str, Floats]:
    """What the map is made by, and points (N, 2) in [0, 1], of rows (N, R): the same distance in x and in y.

    ``auto`` is UMAP where umap-learn is installed, else t-SNE. Fewer than ten rows get a PCA.

    Raises
    ------
    SettingsError
        If UMAP is asked for and not installed, or UMAP or t-SNE for fewer than ten rows.
    """
    if kind in ("umap", "tsne") and len(rows) < FEW:
        raise SettingsError(f"--map {kind}: expected at least {FEW} sequences, found {len(rows)}: take pca")
    if kind == "auto":
        kind = "pca" if len(rows) < FEW else "umap" if _has_umap() else "tsne"
    if kind == "umap" and not _has_umap():
        raise SettingsError("--map umap needs the package umap-learn: pip install motionprint[maps]; or take tsne")
    names = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
    if report is not None:
        report(0, None, f"{names[kind]} of {len(rows)} points")
    components = _components(rows, 2 if kind == "pca" else VALUES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the seed that costs UMAP its threads, and of equal points
        if kind == "umap":
            from umap import UMAP

            points = UMAP(random_state=0, n_neighbors=min(15, len(rows) - 1)).fit_transform(components)
        elif kind == "tsne":
            from sklearn.manifold import TSNE

            points = TSNE(random_state=0, perplexity=min(30.0, (len(rows) - 1) / 3)).fit_transform(components)
        else:
            points = components
    return names[kind], _in_square(np.asarray(points, np.float64))


def _has_umap() -> bool:
    from importlib.util import find_spec

    return find_spec("umap") is not None


def _components(rows: Floats, count: int) -> Floats:
    """The first principal components (N, count), zero where there are fewer; rows of as few values stay as they are."""
    if rows.shape[1] <= count and count > 2:
        return rows
    from sklearn.decomposition import PCA

    most = min(count, *rows.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a variance of nothing, where all rows are equal
        found = PCA(most, random_state=0).fit_transform(rows)
    return np.pad(np.nan_to_num(found), ((0, 0), (0, max(0, 2 - most)))).astype(np.float32)


def _in_square(points: npt.NDArray[np.float64]) -> Floats:
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    placed = 0.5 + (points - (low + high) / 2) / (extent if extent > 0 else 1.0)
    return np.asarray(placed.clip(0, 1), np.float32)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest other rows of each row, the nearest first."""

    ids: npt.NDArray[np.int32]
    """(N, k)."""
    distances: Floats
    """(N, k) 1 - cosine."""


def neighbours(rows: Floats, count: int = NEIGHBOURS) -> Neighbours:
    """The nearest other rows of each of rows (N, R) of length 1."""
    k = min(count, len(rows) - 1)
    if k < 1:
        return Neighbours(np.zeros((len(rows), 0), np.int32), np.zeros((len(rows), 0), np.float32))
    if len(rows) > APPROXIMATE_ABOVE:
        ids = _approximate(rows, k)
    else:
        from sklearn.neighbors import NearestNeighbors

        ids = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows).kneighbors(return_distance=False)
    distances = np.empty(ids.shape, np.float32)
    for start in range(0, len(rows), 512):  # from the rows themselves: of equal ones it is exactly 0
        there = rows[start : start + 512, None] - rows[ids[start : start + 512]]  # (512, k, R)
        distances[start : start + 512] = (there * there).sum(axis=2) / 2
    return Neighbours(ids.astype(np.int32), distances)


def _approximate(rows: Floats, k: int) -> npt.NDArray[Any]:
    from usearch.index import Index

    index = Index(ndim=rows.shape[1], metric="cos", dtype="f32")
    keys = np.arange(len(rows))
    index.add(keys, rows)
    found = np.asarray(index.search(rows, k + 1).keys).astype(np.int64)  # (N, k + 1)
    # without the row itself; where equal rows have crowded it out, without the last
    others = np.where(found == keys[:, None], len(rows), found)
    last = np.argmax(others == len(rows), axis=1)
    last[~(others == len(rows)).any(axis=1)] = k
    keep = np.arange(k + 1)[None] != last[:, None]
    return np.asarray(others[keep].reshape(len(rows), k))


def clusters(rows: Floats, count: int | None) -> npt.NDArray[np.intp] | None:
    """The k-means cluster of each of rows (N, R); None where there are too few to form any."""
    k = min(CLUSTERS if count is None or count < 2 else count, len(rows) // 2)
    if k < 2:
        return None
    from sklearn.cluster import KMeans

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fewer distinct rows than clusters
        found = KMeans(k, n_init=3, random_state=0).fit_predict(_components(rows, VALUES))
    return np.asarray(found, np.intp)
