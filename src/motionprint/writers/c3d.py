"""C3D: Intel floats in millimetres (which many programs take for granted), y up (POINT:Y_SCREEN).

A joint of which nothing is known has the residual -1. Positions and the frame rate read back to the precision of a
float32. What a C3D cannot hold: the tree of the joints, names of more than 127 bytes, names with blanks around them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

import numpy as np

from motionprint.errors import SettingsError
from motionprint.sequence import SkeletonSequence

__all__ = ["EXTENSIONS", "TITLE", "encode"]

TITLE = "C3D"
EXTENSIONS: tuple[str, ...] = (".c3d",)

_BLOCK = 512
_INTEL = 84
_LONGEST = 127  # bytes a label: 255 of them in one parameter are still less than 32,768
_LABELS = 255  # what a dimension, which is one byte, counts at most
_WORD = 65535
_POINT, _ANALOG, _TRIAL = 1, 2, 3


def encode(sequence: SkeletonSequence) -> bytes:
    """The content of a C3D file.

    Raises
    ------
    SettingsError
        If a joint's name cannot stand in a C3D, or all of them together.
    """
    frames, joints = sequence.positions.shape[:2]
    labels = [_label(name) for name in sequence.skeleton.joint_names]
    rate = float(np.float32(sequence.fps))
    points = np.zeros((frames, joints, 4), dtype="<f4")
    points[..., :3] = sequence.positions.astype(np.float64) * 1000
    largest = float(np.nan_to_num(np.abs(points)).max(initial=0.0))
    scale = -max(largest, 1000.0) / 32000  # below 0: floats; its size serves whoever turns them into whole numbers
    parameters = _parameters(frames, labels, rate, scale, 0)
    blocks = -(-len(parameters) // _BLOCK)
    if blocks > 255:
        raise SettingsError(f"{TITLE}: expected joint names of some 130,000 bytes in all, found more")
    start = 2 + blocks
    parameters = _parameters(frames, labels, rate, scale, start)
    header = struct.pack(
        "<BB5HfHHf", 2, 0x50, joints, 0, 1, min(frames, _WORD), 0, scale, start, 0, rate
    )  # words 1 to 12; the rest is events, of which there are none
    unknown = np.isnan(sequence.positions).all(axis=-1)
    points[unknown] = (0, 0, 0, -1)
    return b"".join(
        (header.ljust(_BLOCK, b"\0"), parameters.ljust(blocks * _BLOCK, b"\0"), _whole_blocks(points.tobytes()))
    )


def _whole_blocks(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // _BLOCK) * _BLOCK, b"\0")


def _label(name: str) -> bytes:
    label = name.encode()
    if not 0 < len(label) <= _LONGEST or name != name.strip() or not name.isprintable():
        expected = f"expected joint names of 1 to {_LONGEST} bytes of printable text without blanks around"
        raise SettingsError(f"{TITLE}: {expected}, found {name[:150]!a}")
    return label


def _parameters(frames: int, labels: Sequence[bytes], rate: float, scale: float, start: int) -> bytes:
    """The parameter section: groups, their parameters, and a zero that ends them."""
    words = _words(1), _words(frames)
    parts = [
        _group(_POINT, b"POINT"),
        _group(_ANALOG, b"ANALOG"),
        _group(_TRIAL, b"TRIAL"),
        _number(_POINT, b"USED", len(labels)),
        _number(_POINT, b"FRAMES", min(frames, _WORD)),
        _number(_POINT, b"DATA_START", start),
        _float(_POINT, b"SCALE", scale),
        _float(_POINT, b"RATE", rate),
        _text(_POINT, b"UNITS", [b"mm"]),
        _text(_POINT, b"X_SCREEN", [b"+X"]),
        _text(_POINT, b"Y_SCREEN", [b"+Y"]),
        _number(_ANALOG, b"USED", 0),
        _parameter(_TRIAL, b"ACTUAL_START_FIELD", 2, (2,), words[0]),
        _parameter(_TRIAL, b"ACTUAL_END_FIELD", 2, (2,), words[1]),
    ]
    if frames > _WORD:
        parts.append(_float(_POINT, b"LONG_FRAMES", frames))
    for number in range(math.ceil(len(labels) / _LABELS)):
        some = labels[number * _LABELS : (number + 1) * _LABELS]
        parts.append(_text(_POINT, b"LABELS" + (str(number + 1).encode() if number else b""), some))
    head = bytes((1, 0x50, min(-(-sum(map(len, parts)) // _BLOCK), 255), _INTEL))
    return head + b"".join(parts) + b"\0\0"


def _words(number: int) -> bytes:
    """A number as two words, the low one first."""
    return struct.pack("<I", number)


def _group(number: int, name: bytes) -> bytes:
    return struct.pack("<bb", len(name), -number) + name + struct.pack("<HB", 3, 0)


def _parameter(group: int, name: bytes, kind: int, dimensions: Sequence[int], values: bytes) -> bytes:
    body = struct.pack("<bB", kind, len(dimensions)) + bytes(dimensions) + values + b"\0"
    return struct.pack("<bb", len(name), group) + name + struct.pack("<H", 2 + len(body)) + body


def _number(group: int, name: bytes, value: int) -> bytes:
    return _parameter(group, name, 2, (), struct.pack("<H", value))


def _float(group: int, name: bytes, value: float) -> bytes:
    return _parameter(group, name, 4, (), struct.pack("<f", value))


def _text(group: int, name: bytes, texts: Sequence[bytes]) -> bytes:
    length = max(map(len, texts))
    dimensions = (length,) if len(texts) == 1 and name != b"LABELS" else (length, len(texts))
    return _parameter(group, name, -1, dimensions, b"".join(text.ljust(length) for text in texts))
