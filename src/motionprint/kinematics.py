"""From joint rotations to joint positions, all frames at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError

__all__ = ["forward_kinematics", "parents_first", "y_up"]


def forward_kinematics(
    local_rotations: npt.ArrayLike,
    offsets: npt.ArrayLike,
    parents: Sequence[int],
    root_translation: npt.ArrayLike,
    joint_translations: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float32]:
    """Joint positions of a body whose joints turn.

    With G the rotation of a joint in the world and p its position::

        G_root = R_root               p_root = root_translation
        G_j = G_parent(j) @ R_j       p_j = p_parent(j) + G_parent(j) @ offset_j

    Parameters
    ----------
    local_rotations
        (T, J, 3, 3) the rotation R of each joint relative to its parent.
    offsets
        (J, 3) where each joint lies in the frame of its parent; the root's is not used.
    parents
        (J,) the number of each joint's parent, -1 for the root, in any order.
    root_translation
        (T, 3) where the root is.
    joint_translations
        (T, J, 3) in place of ``offsets``, for joints that also shift.

    Returns
    -------
    positions : float32 (T, J, 3)
        In the unit of the offsets; computed in float64.

    Raises
    ------
    SettingsError
        If the shapes disagree or the parents form a cycle.
    """
    local = np.asarray(local_rotations, dtype=np.float64)
    shifts = np.asarray(offsets if joint_translations is None else joint_translations, dtype=np.float64)
    roots = np.asarray(root_translation, dtype=np.float64)
    frames, joints = (local.shape[0], len(parents)) if local.ndim else (0, 0)
    expected = (joints, 3) if joint_translations is None else (frames, joints, 3)
    if local.shape != (frames, joints, 3, 3) or shifts.shape != expected or roots.shape != (frames, 3):
        raise SettingsError(
            f"forward kinematics: expected rotations (T, {joints}, 3, 3), offsets or translations {expected} and root "
            f"({frames}, 3), found {local.shape}, {shifts.shape} and {roots.shape}"
        )
    # components first, frames last: a product of 3 x 3 matrices is then a few sums over long rows
    turns = np.ascontiguousarray(local.transpose(1, 2, 3, 0))  # (J, 3, 3, T)
    positions = np.empty((joints, 3, frames))
    world = np.empty((joints, 3, 3, frames))
    for joint in parents_first(parents):
        parent = parents[joint]
        if parent == -1:
            world[joint] = turns[joint]
            positions[joint] = roots.T
        else:
            world[joint] = sum(world[parent][:, k, None] * turns[joint][None, k] for k in range(3))
            shift = shifts[..., joint, :].T  # (3,) or (3, T)
            positions[joint] = positions[parent] + sum(world[parent][:, k] * shift[k] for k in range(3))
    return np.ascontiguousarray(positions.transpose(2, 0, 1), dtype=np.float32)


def parents_first(parents: Sequence[int]) -> list[int]:
    """The numbers of the joints, every parent before its children.

    Raises
    ------
    SettingsError
        If a parent does not exist or the parents form a cycle.
    """
    children: list[list[int]] = [[] for _ in parents]
    order = []
    for joint, parent in enumerate(parents):
        if not -1 <= parent < len(parents):
            raise SettingsError(f"parents: expected numbers from -1 to {len(parents) - 1}, found {parent}")
        if parent == -1:
            order.append(joint)
        else:
            children[parent].append(joint)
    for joint in order:  # grows while it is walked
        order.extend(children[joint])
    if len(order) != len(parents):
        left = min(set(range(len(parents))) - set(order))
        raise SettingsError(f"parents: expected a tree, found that joint {left} does not lead to a root")
    return order


_TO_Y_UP = {"x": ([1, 0, 2], [-1, 1, 1]), "y": ([0, 1, 2], [1, 1, 1]), "z": ([0, 2, 1], [1, 1, -1])}
"""Upward axis -> which component becomes x, y, z, and with which sign: rotations, never mirror images."""


def y_up(positions: npt.NDArray[np.float32], up: str) -> npt.NDArray[np.float32]:
    """(..., 3) positions turned by a quarter so that the axis ``up`` (x, y or z) becomes y."""
    if up == "y":
        return positions
    order, signs = _TO_Y_UP[up]
    return np.ascontiguousarray(positions[..., order] * np.array(signs, dtype=positions.dtype))
