"""How near prints are to the right ones, and what prints are called: shared by `missing.py` and `noise.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.evaluation.probes import Scaler

Floats = npt.NDArray[np.floating[Any]]


def cosines(prints: Floats, others: Floats) -> npt.NDArray[np.float64]:
    """(N, M) the cosine of each of (N, R) with each of (M, R)."""
    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (prints, others))
    return np.asarray(one.astype(np.float64) @ other.T.astype(np.float64))


def own_ranks(queries: Floats, gallery: Floats) -> npt.NDArray[np.int64]:
    """(N,) the place, from 1, of number n of the gallery (N, R) among all of it, by cosine with query n.

    Of equal cosines the own one comes last: a tie is no hit.
    """
    found = cosines(queries, gallery)
    return np.asarray((found >= np.diag(found)[:, None]).sum(axis=1))


def likeness(found: Floats, whole: Floats, scaler: Scaler) -> dict[str, float]:
    """How near each of (N, R) prints is to its own of (N, R) others, and how near those are to each other."""
    ranks = own_ranks(scaler.apply(found), scaler.apply(whole))
    among = cosines(whole, whole)
    return {
        "cosine": float(np.diag(cosines(found, whole)).mean()),
        "cosine_of_others": float(among[~np.eye(len(among), dtype=bool)].mean()),
        "top1_plain": float(np.mean(own_ranks(found, whole) == 1)),
        "top1": float(np.mean(ranks == 1)),
        "mrr": float(np.mean(1 / ranks)),
        "median_rank": float(np.median(ranks)),
    }


def called(row: Mapping[str, Any]) -> str:
    """What the prints of a row are called in a table."""
    hiding = row["prints"] == "states" and any(name.startswith("encoder_hide") for name in row["changes"])
    return "states, hiding" if hiding else str(row["prints"])
