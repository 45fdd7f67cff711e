"""Which place the right print has among others, and what prints are called: shared by `missing.py` and `noise.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

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


def called(row: Mapping[str, Any]) -> str:
    """What the prints of a row are called in a table."""
    hiding = row["prints"] == "states" and any(name.startswith("encoder_hide") for name in row["changes"])
    return "states, hiding" if hiding else str(row["prints"])
