"""Rotations as 3 x 3 matrices that turn column vectors: ``turned = matrix @ vector``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError

__all__ = ["euler_to_matrix"]

_AXES = {"X": 0, "Y": 1, "Z": 2}


def euler_to_matrix(
    angles: npt.ArrayLike, order: str, *, degrees: bool = True, before: npt.ArrayLike | None = None
) -> npt.NDArray[np.float64]:
    """The product of rotations about coordinate axes, as BVH means it: "ZXY" is Rz @ Rx @ Ry.

    Read from left to right each rotation is about the axes that the ones before it have turned; read from right
    to left each is about the fixed axes, which is how ASF means it (there "XYZ" is Rz @ Ry @ Rx: hand over the
    reversed order and the reversed angles).

    Parameters
    ----------
    angles
        (..., n) one angle for each letter of ``order``.
    order
        n letters of X, Y and Z; none for the identity, and a letter may return ("ZXZ").
    degrees
        Degrees, or else radians.
    before
        (3, 3) a matrix that stands left of the product, at no cost.

    Returns
    -------
    matrices : float64 (..., 3, 3)
        In memory the nine components come first, which is how ``forward_kinematics`` likes them.

    Raises
    ------
    SettingsError
        If ``order`` has other letters or not as many as there are angles.
    """
    values = np.asarray(angles, dtype=np.float64)
    letters = order.upper()
    if values.ndim == 0 or values.shape[-1] != len(letters) or not set(letters) <= set(_AXES):
        raise SettingsError(
            f"rotation order {order!r}: expected letters of XYZ, one for each angle, found shape {values.shape}"
        )
    matrices = np.empty((3, 3, *values.shape[:-1]))  # rows, columns, ...
    matrices[:] = np.reshape(np.eye(3) if before is None else before, (3, 3, *(1,) * (values.ndim - 1)))
    turns = np.deg2rad(values) if degrees else values
    for position, letter in enumerate(letters):
        cos, sin = np.cos(turns[..., position]), np.sin(turns[..., position])
        axis = _AXES[letter]
        first, second = (axis + 1) % 3, (axis + 2) % 3
        # a rotation about one axis, multiplied from the right, mixes only the two other columns
        one, other = matrices[:, first], matrices[:, second]
        matrices[:, first], matrices[:, second] = cos * one + sin * other, cos * other - sin * one
    return np.moveaxis(matrices, (0, 1), (-2, -1))
