"""Several persons in one recording: which of them a data set holds, and as how many sequences.

Depth cameras record interactions of two, and see people, and things, that come and go. Three ways:

- ``each``: one sequence a person;
- ``first``: the main actor alone, who has the most motion energy;
- ``pair``: the two with the most, in the order of the file, as one sequence of twice the joints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from motionprint.errors import DatasetError, SettingsError
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

__all__ = ["HOW", "motion_energy", "persons", "stacked"]

HOW = ("each", "first", "pair")
"""The ways to hold several persons."""


def persons(sequences: Sequence[SkeletonSequence], how: str) -> list[SkeletonSequence]:
    """The persons of one recording as the sequences that a data set holds of it.

    With ``first`` and ``pair`` each sequence says in the column ``persons`` how many there were, so that nobody
    vanishes unseen. Where a recording has one person only, the second of a pair is missing (NaN).

    Raises
    ------
    SettingsError
        If ``how`` is none of `HOW`.
    DatasetError
        If two persons who are to be a pair differ in their frame rate.
    SkeletonMismatchError
        If they differ in their joints.
    """
    if how not in HOW:
        raise SettingsError(f"persons: expected one of {', '.join(HOW)}, found {how!r}")
    if how == "each" or not sequences:
        return list(sequences)
    ranked = sorted(range(len(sequences)), key=lambda number: -motion_energy(sequences[number]))  # stable: first wins
    chosen = [sequences[number] for number in sorted(ranked[: 1 if how == "first" else 2])]
    found = chosen[0] if how == "first" else _pair(chosen)
    return [replace(found, extra={**found.extra, "persons": len(sequences)})]


def motion_energy(sequence: SkeletonSequence) -> float:
    """The sum over joints and frames of the squared displacement to the next frame, in square metres.

    A displacement that a missing value makes unknown counts as none.
    """
    steps = np.diff(sequence.positions.astype(np.float64), axis=0)
    return float(np.nansum(steps**2))


def stacked(skeleton: Skeleton) -> Skeleton:
    """The skeleton of two persons: joints ``a.NAME`` of the first, then ``b.NAME`` of the second.

    The second person's root hangs on the first one's, so that there is one tree. Each of the five body parts holds that
    part of both. Hips and spine, by which a body is aligned, are the first person's: both turn together.
    """
    count = len(skeleton)

    def both(part: Sequence[int]) -> tuple[int, ...]:
        return (*part, *(count + joint for joint in part))

    second = (skeleton.root if parent == -1 else count + parent for parent in skeleton.parents)
    pairs = skeleton.left_right
    return Skeleton(
        joint_names=(*(f"a.{name}" for name in skeleton.joint_names), *(f"b.{name}" for name in skeleton.joint_names)),
        parents=(*skeleton.parents, *second),
        body_parts=tuple(both(part) for part in skeleton.body_parts),
        left_right=(*pairs, *((count + left, count + right) for left, right in pairs)),
        hips=skeleton.hips,
        spine=skeleton.spine,
        name=f"{skeleton.name}_pair" if skeleton.name else "",
    )


def _pair(chosen: Sequence[SkeletonSequence]) -> SkeletonSequence:
    """One or two persons as one sequence, as long as the longer one; NaN where a person is not there."""
    first, second = chosen[0], chosen[-1]
    first.skeleton.require_same(second.skeleton, f"{second.name}, person {second.person}")
    if first.fps != second.fps:
        raise DatasetError(
            f"{second.name}: expected two persons of one frame rate, found {first.fps:g} and {second.fps:g} frames/s"
        )
    joints = len(first.skeleton)
    positions = np.full((max(len(first), len(second)), 2 * joints, 3), np.nan, dtype=np.float32)
    for place, sequence in enumerate(chosen):
        positions[: len(sequence), place * joints : (place + 1) * joints] = sequence.positions
    return replace(first, positions=positions, skeleton=stacked(first.skeleton), person=0)
