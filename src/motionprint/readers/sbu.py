"""SBU Kinect Interaction, ``skeleton_pos.txt``: a row a frame, two persons of 15 joints each.

``frame,x1,y1,z1,...,x30,y30,z30``: first the person who stands on the left, then the other; joints as in the built-in
skeleton ``sbu15``. The data set scales positions to [0, 1] (x, y) and [0, 7.8125] (z) and says how to undo it, in
millimetres::

    X = 1280 - 2560 x       Y = 960 - 1920 y       Z = 1280 z

which are metres in space here, y up (bones then keep their lengths to a hundredth, where rays through an image would
change them by several). A joint of three zeros is missing. The files have no frame rate: 15.

Yun, Honorio, Chattopadhyay, Berg, Samaras, "Two-person Interaction Detection Using Body-Pose Features and Multiple
Instance Learning", CVPR Workshops 2012.
"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.readers.kinect import zeros_missing
from motionprint.readers.lines import Lines, require_size, sequence_of
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS

__all__ = ["EXTENSIONS", "TITLE", "parse", "read", "recognises"]

TITLE = "SBU Kinect Interaction skeleton"
EXTENSIONS: tuple[str, ...] = (".txt",)
FPS = 15.0
_SKELETON = SKELETONS["sbu15"]
_PERSONS = 2
_VALUES = 1 + _PERSONS * len(_SKELETON) * 3
_SCALE, _SHIFT = np.array([-2.56, -1.92, 1.28]), np.array([1.28, 0.96, 0.0])  # m
_FAR = 10.0
"""What x, y and z stay below: normalised numbers, not pixels."""

_FIRST = re.compile(rb"(?:\xef\xbb\xbf)?\s*\d{1,9}\s*,[-+.0-9eE,\s]+\Z")


def recognises(data: bytes) -> bool:
    """Whether its first line is the number of a frame and 90 others."""
    line = data[:8192].lstrip().partition(b"\n")[0].rstrip(b" \t\r,")
    return line.count(b",") == _VALUES - 1 and _FIRST.match(line) is not None


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """The two persons: the one on the left, the one on the right."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: it has 15 joints in its own unit, y up", "skeleton", "unit", "up", "columns")
    fps = settings.fps or FPS
    persons = parse(data, file)
    return [sequence_of(person, fps, _SKELETON, name=name, person=number) for number, person in enumerate(persons)]


def parse(data: bytes, file: str) -> list[npt.NDArray[np.float32]]:
    """The joint positions of the two persons, each (T, 15, 3) in metres, y up.

    Raises
    ------
    ReadError
        If a row is not a frame's number and 90 normalised coordinates, or frames are not numbered evenly.
    """
    text = Lines(data, file)
    numbers: list[tuple[int, int]] = []
    rows: list[npt.NDArray[np.float64]] = []
    for line, start, _ in text.after():
        words = text.data[start : text.data.find(b"\n", start)].rstrip(b" \t,").split(b",")
        values = text.numbers(
            [word.strip() for word in words], _VALUES, line, f"values (a frame, {_VALUES - 1} coordinates)"
        )
        if values[0] != int(values[0]) or values[0] < 0:
            raise text.error(f"expected the number of a frame, found {values[0]:g}", line)
        if max(map(abs, values[1:])) > _FAR:
            raise text.error(f"expected normalised coordinates, found {max(values[1:], key=abs):g}", line)
        numbers.append((line, int(values[0])))
        rows.append(np.array(values[1:]))
    if not rows:
        raise ReadError("expected at least one frame, found none", file=file)
    step = numbers[1][1] - numbers[0][1] if len(numbers) > 1 else 1
    for (_, before), (line, number) in pairwise(numbers):
        if step < 1 or number - before != step:
            raise text.error(f"expected frame {before + max(step, 1)}, found {number}", line)
    require_size(len(rows), _PERSONS * len(_SKELETON), file)
    written = zeros_missing(np.stack(rows).reshape(len(rows), _PERSONS, len(_SKELETON), 3))
    positions = (written * _SCALE + _SHIFT).astype(np.float32)
    return [np.ascontiguousarray(positions[:, person]) for person in range(_PERSONS)]
