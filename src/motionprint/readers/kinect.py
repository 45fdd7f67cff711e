"""What the readers of depth cameras share: how a joint that was not seen is written."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["zeros_missing"]


def zeros_missing(positions: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """(..., 3) positions as float32, in which a joint at exactly (0, 0, 0) is missing: NaN.

    A depth camera stands at the origin, where nobody's joint can be; its software writes zeros for what it did not see.
    """
    found = np.array(positions, dtype=np.float32)
    found[(found == 0).all(axis=-1)] = np.nan
    return found
