"""Where a series of vectors changes: cuts that leave the vectors between two of them near their mean.

The sum of squared distances to the mean of one's own piece, and a penalty for each cut, are minimised exactly. The
search is that of Killick, Fearnhead and Eckley 2012 ("Optimal detection of changepoints with a linear computational
cost", PELT): a dynamic programme that drops the beginnings of a piece that can never be best again. The cost of a piece
is had from running sums, so that no matrix of all pairs is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError

__all__ = ["change_points"]


def change_points(vectors: npt.NDArray[np.floating[Any]], penalty: float, least: int = 1) -> list[int]:
    """The numbers, rising, of the vectors (n, R) that begin a new piece; the first one is not among them.

    Parameters
    ----------
    penalty
        What a cut has to save of the sum of squared distances.
    least
        Vectors of a piece at least.

    Raises
    ------
    SettingsError
        If the penalty is not above 0, or ``least`` not at least 1.
    """
    if not penalty > 0 or least < 1:
        raise SettingsError(f"expected a penalty above 0 and pieces of at least 1, found {penalty:g} and {least}")
    count = len(vectors)
    centred = np.asarray(vectors, np.float64) - np.mean(vectors, axis=0, dtype=np.float64)  # running sums stay small
    sums = np.concatenate([np.zeros((1, centred.shape[1])), np.cumsum(centred, axis=0)])  # (n + 1, R)
    squares = np.concatenate([[0.0], np.cumsum(np.einsum("ij,ij->i", centred, centred))])
    lengths = np.einsum("ij,ij->i", sums, sums)
    best = np.full(count + 1, np.inf)  # of the vectors before each place
    best[0] = -penalty
    begun = np.zeros(count + 1, np.intp)  # where the last piece of that begins
    starts, expiry = np.array([], np.intp), np.array([], np.intp)
    for end in range(least, count + 1):
        if np.isfinite(best[end - least]):
            starts, expiry = np.append(starts, end - least), np.append(expiry, count + 1)
        products = (sums[starts[0] : end] @ sums[end])[starts - starts[0]]  # a slice: picked rows would be copied
        inside = lengths[end] + lengths[starts] - 2 * products  # of each piece's sum, the squared length
        costs = squares[end] - squares[starts] - inside / (end - starts)
        totals = best[starts] + costs
        first = int(np.argmin(totals))
        best[end], begun[end] = totals[first] + penalty, starts[first]
        # a beginning that is worse than a cut here never wins again, once a piece that begins here is long enough
        expiry = np.where(totals > best[end], np.minimum(expiry, end + least), expiry)
        starts, expiry = starts[expiry > end + 1], expiry[expiry > end + 1]
    cuts, place = [], count
    while count >= least and begun[place] > 0:
        place = int(begun[place])
        cuts.append(place)
    return cuts[::-1]
