"""Acclaim ASF: the skeleton that an AMC moves.

Lengths divided by the unit ``length`` are inches. ``axis 0 0 20 XYZ`` turns a bone's own axes about the fixed x, then
y, then z. Bones may have any subset of the six degrees of freedom, in any order.

The format as Acclaim published it ("Acclaim Skeleton File definition, 1.10") and as M. Meredith and S. Maddock,
"Motion capture file formats explained", 2001, section 4, tell it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from motionprint.readers.lines import MAX_JOINTS, Lines, show, text_of
from motionprint.rotations import euler_to_matrix
from motionprint.skeleton import Skeleton

__all__ = ["Rig", "parse_asf"]

_CHANNELS = ("rx", "ry", "rz", "tx", "ty", "tz")
_INCH = 0.0254  # m


@dataclass(frozen=True)
class Rig:
    """What an ASF says: the skeleton, and how the numbers of an AMC move it."""

    skeleton: Skeleton
    ends: npt.NDArray[np.float64]
    """(J, 3) metres from each bone's start to its end, in the world's axes; zero for the root."""
    axes: npt.NDArray[np.float64]
    """(J, 3, 3) the rotation C of each bone's own axes."""
    channels: tuple[tuple[str, ...], ...]
    """(J,) the values an AMC gives for each joint, in its order: rx, ry, rz, tx, ty, tz."""
    origin: tuple[float, float, float]
    """Metres, added to the root's translation."""
    metres: float
    """Metres in one unit of length."""
    degrees: bool
    """Whether angles are in degrees, where the AMC does not say."""


@dataclass
class _Bone:
    line: int
    name: str = ""
    direction: list[float] | None = None
    length: float | None = None
    axis: npt.NDArray[np.float64] | None = None
    channels: tuple[str, ...] = ()
    said: set[bytes] = field(default_factory=set)


def parse_asf(data: bytes, file: str) -> Rig:
    """An ASF from its bytes.

    Raises
    ------
    ReadError
        Naming the line: a section is missing, a bone lacks its name, direction, length or axis, a number is none, the
        hierarchy names an unknown bone, a bone twice, or leaves one out.
    """
    lines = Lines(data, file)
    sections = _sections(lines)
    length, degrees = _units(lines, sections.get("units", []))
    for key in ("root", "bonedata", "hierarchy"):
        if not sections.get(key):
            raise lines.error(f"expected a section :{key}, found none", lines.data.count(b"\n"))
    root = _root(lines, sections["root"], degrees)
    bones = _bones(lines, sections["bonedata"], degrees)
    names = ["root", *(bone.name for bone in bones)]
    parents = _hierarchy(lines, sections["hierarchy"], names)
    metres = _INCH / length
    ends = np.array([[0.0] * 3, *(np.multiply(bone.direction or 0, bone.length or 0) for bone in bones)]) * metres
    x, y, z = root.direction or [0.0, 0.0, 0.0]
    return Rig(
        Skeleton.from_tree(names, parents),
        ends,
        np.array([bone.axis for bone in (root, *bones)]),
        (root.channels, *(bone.channels for bone in bones)),
        (x * metres, y * metres, z * metres),
        metres,
        degrees,
    )


_Row = tuple[int, list[bytes]]


def _sections(lines: Lines) -> dict[str, list[_Row]]:
    """The lines below each ``:keyword``, comments left out."""
    sections: dict[str, list[_Row]] = {}
    rows: list[_Row] | None = None
    for line, _, words in lines.after():
        if words[0].startswith(b"#"):
            continue
        if words[0].startswith(b":"):
            key = words[0][1:].decode("latin-1").lower()
            if key in sections:
                raise lines.error(f"expected one section :{key}, found another", line)
            rows = sections[key] = []
        elif rows is None:
            raise lines.error(f"expected a section like :version or :units, found {show(words[0])}", line)
        else:
            cut = next((at for at, word in enumerate(words) if word.startswith(b"#")), len(words))
            rows.append((line, words[:cut]))
    if not sections:
        raise lines.error("expected an ASF, found an empty file")
    return sections


def _units(lines: Lines, rows: list[_Row]) -> tuple[float, bool]:
    """The unit of length (in 1/inch), and whether angles are in degrees."""
    length, degrees = 1.0, True
    for line, words in rows:
        key = words[0].lower()
        if key == b"length":
            length = lines.numbers(words[1:], 1, line, "unit of length")[0]
            if not 1e-6 < length < 1e6:
                raise lines.error(f"expected a positive unit of length, found {length}", line)
        elif key == b"angle":
            unit = words[1].lower() if len(words) == 2 else b""
            if not unit.startswith((b"deg", b"rad")):
                raise lines.error(f"expected angle deg or angle rad, found {show(b' '.join(words))}", line)
            degrees = unit.startswith(b"deg")
    return length, degrees


def _axis_order(lines: Lines, word: bytes, line: int) -> str:
    order = word.decode("latin-1").upper()
    if sorted(order) != ["X", "Y", "Z"]:
        raise lines.error(f"expected an order of X, Y and Z, found {show(word)}", line)
    return order


def _dof(lines: Lines, words: list[bytes], line: int) -> tuple[str, ...]:
    channels = tuple(word.decode("latin-1").lower() for word in words)
    for channel in channels:
        if channel not in _CHANNELS or channels.count(channel) > 1:
            raise lines.error(f"expected each of {', '.join(_CHANNELS)} at most once, found {channel!r}", line)
    return channels


def _root(lines: Lines, rows: list[_Row], degrees: bool) -> _Bone:
    """The root, as a bone whose direction is its position."""
    root, order, turned = _Bone(rows[0][0], "root"), "XYZ", [0.0, 0.0, 0.0]
    root.channels = ("tx", "ty", "tz", "rx", "ry", "rz")
    for line, words in rows:
        key = words[0].lower()
        if key == b"order":
            root.channels = _dof(lines, words[1:], line)
        elif key == b"axis" and len(words) == 2:
            order = _axis_order(lines, words[1], line)
        elif key == b"position":
            root.direction = lines.numbers(words[1:], 3, line, "coordinates")
        elif key == b"orientation":
            turned = lines.numbers(words[1:], 3, line, "angles")
        else:
            raise lines.error(f"expected order, axis, position or orientation, found {show(b' '.join(words))}", line)
    root.axis = _fixed_axes(turned, order, degrees)
    return root


def _fixed_axes(angles: list[float], order: str, degrees: bool) -> npt.NDArray[np.float64]:
    """The rotation C: about the fixed axes one after another, the three angles in the order of the letters."""
    return euler_to_matrix(angles[::-1], order[::-1], degrees=degrees)


def _bones(lines: Lines, rows: list[_Row], degrees: bool) -> list[_Bone]:
    bones: list[_Bone] = []
    bone: _Bone | None = None
    names = {"root"}
    for line, words in rows:
        key = words[0].lower()
        if key == b"begin" and bone is None:
            bone = _Bone(line)
        elif bone is None or key == b"begin":
            raise lines.error(f"expected {'begin' if bone is None else 'end'}, found {show(words[0])}", line)
        elif key == b"end":
            _require_whole(lines, bone, names, line)
            names.add(bone.name)
            bones.append(bone)
            bone = None
            if len(bones) >= MAX_JOINTS:
                raise lines.error(f"expected fewer than {MAX_JOINTS} bones, found more", line)
        elif key in bone.said:
            raise lines.error(f"expected one {text_of(key)} for the bone {bone.name!r}, found another", line)
        elif key == b"name" and len(words) == 2:
            bone.name = text_of(words[1])
        elif key == b"direction":
            bone.direction = lines.numbers(words[1:], 3, line, "coordinates")
        elif key == b"length":
            bone.length = lines.numbers(words[1:], 1, line, "length")[0]
        elif key == b"axis":
            order = _axis_order(lines, words[4] if len(words) == 5 else b"nothing", line)
            bone.axis = _fixed_axes(lines.numbers(words[1:4], 3, line, "angles"), order, degrees)
        elif key == b"dof":
            bone.channels = _dof(lines, words[1:], line)
        if bone is not None and key in (b"name", b"direction", b"length", b"axis", b"dof"):
            bone.said.add(key)
    if bone is not None:
        raise lines.error(f"expected end for the bone that begins in line {bone.line}, found none", rows[-1][0])
    return bones


def _require_whole(lines: Lines, bone: _Bone, names: set[str], line: int) -> None:
    has = {
        "name": bone.name != "",
        "direction": bone.direction is not None,
        "length": bone.length is not None,
        "axis": bone.axis is not None,
    }
    lacking = [key for key, there in has.items() if not there]
    if lacking:
        raise lines.error(f"expected {', '.join(lacking)} for the bone {bone.name!r}, found none", line)
    if bone.name in names:
        raise lines.error(f"expected each bone once, found {bone.name!r} again", line)


def _hierarchy(lines: Lines, rows: list[_Row], names: list[str]) -> list[int]:
    """The parent of each joint."""
    numbers = {name: number for number, name in enumerate(names)}
    parents = [-1] * len(names)
    for line, words in rows:
        if words[0].lower() in (b"begin", b"end") and len(words) == 1:
            continue
        line_names = [text_of(word) for word in words]
        for name in line_names:
            if name not in numbers:
                raise lines.error(f"expected a bone of :bonedata, found {name!r}", line)
        for name in line_names[1:]:
            if name == "root" or parents[numbers[name]] != -1:
                raise lines.error(f"expected one parent for each bone, found another for {name!r}", line)
            parents[numbers[name]] = numbers[line_names[0]]
    last = rows[-1][0]
    for number, name in enumerate(names):
        ancestor, steps = number, 0
        while parents[ancestor] != -1 and steps <= len(names):
            ancestor, steps = parents[ancestor], steps + 1
        if ancestor != 0:
            raise lines.error(f"expected every bone to lead to the root, found that {name!r} does not", last)
    return parents
