"""What the readers of marker sets share: unique names, units by their names, and the markers that a skeleton names.

A marker set is a list of points without a tree. A skeleton (`skeleton=`) says which markers to take, their parents and
body parts. Without one all markers are taken, in the file's order, as a star: the first marker is the root, the others
are its children, and there are no body parts, since a star says nothing of a body.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.readers.lines import MAX_JOINTS
from motionprint.readers.settings import ReadSettings
from motionprint.skeleton import Skeleton, some

__all__ = ["distinct", "metres_of", "pick", "shown"]

_UNITS = {
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 0.001),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 0.01),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    **dict.fromkeys(("in", "inch", "inches"), 0.0254),
    **dict.fromkeys(("ft", "foot", "feet"), 0.3048),
}
"""Metres of each unit of length that marker files name."""


def distinct(names: Sequence[str]) -> list[str]:
    """The names, each once: one without text becomes ``marker_N`` (its place from 1), a repeated one ``NAME_2``, ..."""
    taken, seen = set(names), set()
    counts: dict[str, int] = {}
    found = []
    for place, name in enumerate(names, start=1):
        unique = stem = name or f"marker_{place}"
        if name in seen if name else stem in taken:
            count = counts.get(stem, 1) + 1
            while (unique := f"{stem}_{count}") in taken:
                count += 1
            counts[stem] = count
        seen.add(name)
        taken.add(unique)
        found.append(unique)
    return found


def metres_of(unit: str | None, settings: ReadSettings, what: str, file: str) -> float:
    """Metres of the unit that a user gave, else of the one that a file names, else of millimetres.

    Raises
    ------
    ReadError
        If the file's unit, which stands under ``what``, is none.
    """
    if settings.unit is not None or not unit:
        return settings.metres("mm")
    if unit.lower() not in _UNITS:
        raise ReadError(f"expected {what} to be mm, cm, m, in or ft, found {unit[:40]!a}: pass unit=", file=file)
    return _UNITS[unit.lower()]


def pick(
    names: Sequence[str], positions: npt.NDArray[np.float32], skeleton: object, file: str
) -> tuple[npt.NDArray[np.float32], Skeleton]:
    """The markers that a skeleton names, in its order; all of them, as a star, without one.

    A joint of the skeleton is the marker of that name, or else the only one of that name after its subject
    (``LASI`` finds ``Anna:LASI``). Markers that the skeleton does not name are left out.

    Parameters
    ----------
    names
        (M,) what the markers of the file are called, each once (see ``distinct``).
    positions
        (T, M, 3) where they are.
    skeleton
        A Skeleton, the name of a built-in one, the path of a TOML file, or None.

    Returns
    -------
    positions : float32 (T, J, 3)
    skeleton : Skeleton
        The one given, or the star.

    Raises
    ------
    ReadError
        If the file has no marker, lacks one that the skeleton names, has two that could be meant, or, without a
        skeleton, has more than ``MAX_JOINTS``.
    SettingsError
        If the skeleton is none.
    """
    if not names:
        raise ReadError("expected at least one marker, found none", file=file)
    if skeleton is None:
        if len(names) > MAX_JOINTS:
            message = f"expected at most {MAX_JOINTS} markers, found {len(names)}; skeleton= chooses among them"
            raise ReadError(message, file=file)
        return positions, Skeleton(tuple(names), (-1,) + (0,) * (len(names) - 1))
    tree = Skeleton.resolve(cast("Skeleton | str | Path", skeleton))
    numbers = {name: [number] for number, name in enumerate(names)}
    full = set(names)
    for number, name in enumerate(names):
        short = name.rpartition(":")[2]
        if short not in full:
            numbers.setdefault(short, []).append(number)
    missing = [joint for joint in tree.joint_names if joint not in numbers]
    if missing:
        raise ReadError(
            f"expected the markers of the skeleton {tree.name or 'given'}, found none called {shown(missing)}, but "
            f"{shown(names)}",
            file=file,
        )
    for joint in tree.joint_names:
        if len(numbers[joint]) > 1:
            found = shown([names[number] for number in numbers[joint]])
            raise ReadError(f"expected one marker called {joint}, found {found}: name them in full", file=file)
    return positions[:, [numbers[joint][0] for joint in tree.joint_names]], tree


def shown(names: Sequence[str], most: int = 8) -> str:
    """The first names of a file, printable and each in one piece, and how many more there are."""
    return some([name if name.isprintable() else ascii(name) for name in names], most)
