"""What a user may say about a file: the same for every reader; what a format has no use for it refuses."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from motionprint.errors import SettingsError
from motionprint.skeleton import only_parts

__all__ = ["UNITS", "ReadSettings"]

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254}
"""Metres of each unit of length."""


@dataclass(frozen=True)
class ReadSettings:
    """What to take in place of what a file says, or for what it does not say.

    Raises
    ------
    SettingsError
        If ``fps`` is no positive number, or ``up`` no axis.
    """

    skeleton: object = None
    """AMC: the path of the ASF. Markers and tables: a Skeleton, the name of a built-in one, or the path of a TOML.
    Every format: the path of a TOML without ``joints``, which says body parts of the file's own joints."""
    unit: str | None = None
    """The unit of length: m, cm, mm, inch; for BVH also cmu (1/0.45 inch)."""
    fps: float | None = None
    """Frames/s."""
    up: str | None = None
    """The axis that points up in the file: x, y or z."""
    columns: str | None = None
    """Tables: which column is what, as ``frame=Frame,joint=Marker,x=X,y=Y,z=Z``, or the path of a TOML."""

    def __post_init__(self) -> None:
        if self.fps is not None and not (math.isfinite(self.fps) and 0 < self.fps <= 1e6):
            raise SettingsError(f"expected fps= to be a positive number of frames/s, found {self.fps}")
        if self.up not in (None, "x", "y", "z"):
            raise SettingsError(f"expected up= to be x, y or z, found {self.up!r}")

    def refuse(self, file: str, because: str, *names: str) -> None:
        """Raise a SettingsError if one of these settings was given: a format has no use for them."""
        given = [f"{name}=" for name in names if getattr(self, name) is not None]
        if given:
            verb = "is" if len(given) == 1 else "are"
            raise SettingsError(f"{file}: {' and '.join(given)} {verb} not for {because}")

    def parts(self) -> str | None:
        """The path of the TOML that ``skeleton`` is, where it names no joints: body parts for each file's own."""
        given = self.skeleton
        toml = isinstance(given, str | Path) and str(given).lower().endswith(".toml")
        return str(given) if toml and only_parts(str(given)) else None

    def anywhere(self) -> ReadSettings:
        """The same with absolute paths: for a process that works elsewhere."""

        def absolute(given: Any) -> Any:
            return os.path.abspath(given) if isinstance(given, str | Path) and Path(given).exists() else given

        return replace(self, skeleton=absolute(self.skeleton), columns=absolute(self.columns))

    def metres(self, standard: str, units: dict[str, float] = UNITS) -> float:
        """Metres of the unit given, or of the format's own."""
        if self.unit is not None and self.unit not in units:
            raise SettingsError(f"unknown unit {self.unit!r}: expected one of {', '.join(units)}")
        return units[self.unit or standard]
