"""Which column of a table is what: told by its header, or by the setting ``columns``."""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motionprint.errors import ReadError, SettingsError
from motionprint.readers.lines import MAX_JOINTS
from motionprint.readers.markers import shown
from motionprint.readers.settings import UNITS

__all__ = ["BY_HEADER", "MAX_COLUMNS", "Columns", "Long", "Wide", "columns_of", "long_by_header", "place", "triples"]

MAX_COLUMNS = 8 * MAX_JOINTS
"""Positions, rotations and a confidence of the largest body."""

_LONG = ("frame", "time", "joint", "x", "y", "z", "person")
_SAME_FOR_BOTH = ("fps", "unit", "up", "separator")
_SEPARATORS = (",", ";", "\t", "|", " ")
_NAME = 200  # characters that the name of a joint's column may have
_SHOWN = 12  # columns of a file that a message names

_BRACKETS = re.compile(r"(.+?)\s*[\[(]\s*([xyzw])\s*[\])]", re.IGNORECASE | re.DOTALL)
_SEPARATED = re.compile(r"(.+)[\s_.:|/-]([xyzw])", re.IGNORECASE | re.DOTALL)
_GLUED = re.compile(r"(.*[^XYZW\s])([XYZW])", re.DOTALL)

_TIME = re.compile(r"(?:time ?stamp|time|t)(?: (?:s|secs?|seconds?|ms|msecs?|milliseconds?))?|secs?|seconds?")
_MILLISECONDS = re.compile(r".* (?:ms|msecs?|milliseconds?)")
_FRAME = re.compile(r"frames?(?: ?(?:number|no|nr|num|index|id))?")
_JOINT = ("joint", "joint name", "marker", "marker name", "landmark", "keypoint", "bodypart", "body part", "name")
_PERSON = ("person", "person id", "body id", "actor", "track id")


@dataclass(frozen=True)
class Columns:
    """What the setting ``columns`` says: names of columns, and what the file does not say itself."""

    cells: Mapping[str, str] = field(default_factory=dict)
    """frame, time, joint, x, y, z, person -> the name of the column."""
    joints: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    """Wide tables: the joint -> the names of its columns x, y and z."""
    fps: float | None = None
    """Frames/s."""
    unit: str | None = None
    """m, cm, mm or inch."""
    up: str | None = None
    """x, y or z."""
    separator: str | None = None
    """What stands between cells."""

    def positions(self) -> set[str]:
        """The names of the columns that hold positions."""
        return {self.cells[axis] for axis in "xyz" if axis in self.cells}.union(*self.joints.values())


BY_HEADER = Columns()
"""Nothing said: the header tells."""


@dataclass(frozen=True)
class Wide:
    """One row a frame; numbers of columns, from 0."""

    joints: Mapping[str, tuple[int, int, int]]
    time: int | None
    frame: int | None
    seconds: float
    """Of the time column's unit."""


@dataclass(frozen=True)
class Long:
    """One row a frame and joint; numbers of columns, from 0."""

    joint: int
    xyz: tuple[int, int, int]
    time: int | None
    frame: int | None
    seconds: float
    person: int | None


# ---- the setting ---------------------------------------------------------------------------------------------------


def columns_of(given: str | Path | None) -> Columns:
    """The setting ``columns``: a text of ``key=column`` or the path of a TOML file.

    Raises
    ------
    SettingsError
        If it is neither, has an unknown key, or does not say where the positions are.
    """
    if given is None:
        return BY_HEADER
    text = str(given)
    if "=" in text and not text.lower().endswith(".toml"):
        return _long_from({key.strip(): name.strip() for key, _, name in _pairs(text)}, f"columns {text!r}", {})
    try:
        table = tomllib.loads(Path(text).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, RecursionError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(
            f"columns {text!r}: expected frame=Frame,joint=Marker,x=X,y=Y,z=Z or a TOML file: {error}"
        ) from error
    common = _common(table, text)
    rest = {key: value for key, value in table.items() if key not in _SAME_FOR_BOTH}
    return _wide_from(rest, text, common) if "joints" in rest else _long_from(rest, text, common)


def _pairs(text: str) -> list[tuple[str, str, str]]:
    pairs = [each.partition("=") for each in text.split(",")]
    keys = [key.strip() for key, _, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise SettingsError(f"columns {text!r}: expected {key} once, found it twice")
    return pairs


def _long_from(table: Mapping[str, Any], where: str, common: Mapping[str, Any]) -> Columns:
    _require_known(table, _LONG, where)
    missing = [key for key in ("joint", "x", "y", "z") if key not in table]
    if missing or not {"frame", "time"} & set(table):
        missing += ["frame or time"] * (not {"frame", "time"} & set(table))
        raise SettingsError(
            f"{where}: expected a column for each of joint, x, y, z and frame or time, found none for "
            f"{', '.join(missing)}"
        )
    return Columns(cells=dict(table), **common)


def _wide_from(table: Mapping[str, Any], where: str, common: Mapping[str, Any]) -> Columns:
    rest = dict(table)
    joints = rest.pop("joints")
    _require_known(rest, ("frame", "time"), where)
    if not isinstance(joints, dict) or not joints:
        raise SettingsError(f"{where}: expected `joints` to be a table of joints, found {joints!r}")
    for joint, names in joints.items():
        if not (isinstance(names, list) and len(names) == 3 and all(isinstance(name, str) for name in names)):
            raise SettingsError(f"{where}: joints.{joint}: expected the names of 3 columns (x, y, z), found {names!r}")
    return Columns(cells=rest, joints={joint: tuple(names) for joint, names in joints.items()}, **common)


def _require_known(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key, name in table.items():
        if key not in known:
            raise SettingsError(f"{where}: unknown key {key!r}: expected some of {', '.join(known)}")
        if not isinstance(name, str) or not name:
            raise SettingsError(f"{where}: {key}: expected the name of a column, found {name!r}")


def _common(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The keys that both kinds of table have."""
    common = {key: table[key] for key in _SAME_FOR_BOTH if key in table}
    allowed = {"unit": tuple(UNITS), "up": ("x", "y", "z"), "separator": _SEPARATORS}
    for key, values in allowed.items():
        if key in common and common[key] not in values:
            raise SettingsError(
                f"{where}: {key}: expected one of {', '.join(map(repr, values))}, found {common[key]!r}"
            )
    if "fps" in common:
        fps = common["fps"]
        if isinstance(fps, bool) or not isinstance(fps, int | float) or not (math.isfinite(fps) and 0 < fps <= 1e6):
            raise SettingsError(f"{where}: fps: expected a positive number of frames/s, found {fps!r}")
    return common


# ---- the header ----------------------------------------------------------------------------------------------------


def place(columns: Columns, header: Sequence[str], file: str, line: int) -> Wide | Long:
    """Where the columns stand in a table with this header.

    Raises
    ------
    ReadError
        If a column that ``columns`` names is not there or there twice; if it names none, and the header is neither that
        of a wide table nor that of a long one.
    """
    names = [name.strip() for name in header]
    if len(names) > MAX_COLUMNS:
        raise ReadError(f"expected at most {MAX_COLUMNS} columns, found {len(names)}", file=file, line=line)
    if columns.joints:
        joints = {
            joint: (_find(x, names, file, line), _find(y, names, file, line), _find(z, names, file, line))
            for joint, (x, y, z) in columns.joints.items()
        }
        return _wide(joints, names, _given(columns, names, file, line))
    if columns.cells:
        found = _given(columns, names, file, line)
        return _long(found, names)
    by_name = long_by_header(names)
    if by_name is not None:
        return _long(by_name, names)
    for name, count in Counter(names).items():
        if count > 1 and _axis(name):
            raise ReadError(f"expected every column once, found {name!r} {count} times", file=file, line=line)
    joints, unfinished = triples(names)
    if unfinished:
        stem, axes = next(iter(unfinished.items()))
        lacking = " and ".join(axis for axis in "xyz" if axis not in axes)
        raise ReadError(f"expected columns x, y and z of {stem!r}, found no {lacking}", file=file, line=line)
    if not joints:
        raise ReadError(
            "expected columns NAME_x, NAME_y, NAME_z of each joint, or frame, joint, x, y, z, found "
            f"{shown([name[:40] for name in names], _SHOWN)}; columns= says which is what",
            file=file,
            line=line,
        )
    return _wide(joints, names, _time_and_frame(names))


def long_by_header(names: Sequence[str]) -> dict[str, int] | None:
    """The columns of a long table by what they are, if its header is that of one."""
    plain = [_plain(name) for name in names]
    found = _time_and_frame(names)
    for key, known in (("joint", _JOINT), ("person", _PERSON), ("x", ("x",)), ("y", ("y",)), ("z", ("z",))):
        for name in known:
            if name in plain:
                found[key] = plain.index(name)
                break
    whole = {"joint", "x", "y", "z"} <= set(found) and bool({"frame", "time"} & set(found))
    return found if whole and all(plain.count(axis) == 1 for axis in "xyz") else None


def triples(names: Sequence[str]) -> tuple[dict[str, tuple[int, int, int]], dict[str, list[str]]]:
    """The joints that have columns x, y and z, and those that have only some: joint -> the axes there are.

    What has a w too is a quaternion and no joint. Of names with nothing between joint and axis (``HeadX``) only whole
    triples count, since words end in X too.
    """
    found: dict[str, dict[str, int]] = {}
    glued: set[str] = set()
    for number, name in enumerate(names):
        split = _axis(name)
        if split is not None:
            stem, axis, is_glued = split
            if is_glued:
                glued.add(stem)
            found.setdefault(stem, {}).setdefault(axis, number)
    whole = {stem: axes for stem, axes in found.items() if {"x", "y", "z"} <= set(axes)}
    joints = {stem: (axes["x"], axes["y"], axes["z"]) for stem, axes in whole.items() if "w" not in axes}
    unfinished = {
        stem: list(axes)
        for stem, axes in found.items()
        if stem not in whole and stem not in glued and set(axes) != {"w"}
    }
    return joints, unfinished


def _axis(name: str) -> tuple[str, str, bool] | None:
    """The joint and the axis that the name of a column says, and whether nothing stands between them."""
    if len(name) > _NAME:
        return None
    match = _BRACKETS.fullmatch(name) or _SEPARATED.fullmatch(name)
    if match is not None:
        return match[1], match[2].lower(), False
    match = _GLUED.fullmatch(name)
    return None if match is None else (match[1], match[2].lower(), True)


def _plain(name: str) -> str:
    """Lower case, words of letters and digits."""
    return " ".join(re.findall(r"[^\W_]+", name.lower()))


def _time_and_frame(names: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, name in enumerate(names):
        plain = _plain(name)
        if _TIME.fullmatch(plain):
            found.setdefault("time", number)
        elif _FRAME.fullmatch(plain):
            found.setdefault("frame", number)
    return found


def _given(columns: Columns, names: Sequence[str], file: str, line: int) -> dict[str, int]:
    return {key: _find(name, names, file, line) for key, name in columns.cells.items()}


def _find(name: str, names: Sequence[str], file: str, line: int) -> int:
    if names.count(name) != 1:
        found = "it twice" if name in names else f"{shown([name[:40] for name in names], _SHOWN)}"
        raise ReadError(f"expected one column {name!r}, found {found}", file=file, line=line)
    return names.index(name)


def _wide(joints: Mapping[str, tuple[int, int, int]], names: Sequence[str], other: Mapping[str, int]) -> Wide:
    return Wide(joints, other.get("time"), other.get("frame"), _seconds(names, other))


def _long(found: Mapping[str, int], names: Sequence[str]) -> Long:
    xyz = (found["x"], found["y"], found["z"])
    return Long(found["joint"], xyz, found.get("time"), found.get("frame"), _seconds(names, found), found.get("person"))


def _seconds(names: Sequence[str], found: Mapping[str, int]) -> float:
    return 0.001 if "time" in found and _MILLISECONDS.fullmatch(_plain(names[found["time"]])) else 1.0
