"""Northwestern-UCLA Multiview Action 3D, as JSON: ``{"file_name": ..., "skeletons": [[[x, y, z], ...], ...], ...}``.

Twenty Kinect v1 joints a frame in metres, y up, in the order of the built-in skeleton ``kinect20``. The files have no
frame rate: 15 unless told otherwise. NaN and null mark missing values; a joint at (0, 0, 0), where the camera is, is
missing too.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.readers.kinect import zeros_missing
from motionprint.readers.lines import MAX_NUMBER, sequence_of
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS

__all__ = ["EXTENSIONS", "TITLE", "parse", "read", "recognises"]

TITLE = "NW-UCLA JSON"
EXTENSIONS: tuple[str, ...] = (".json",)
FPS = 15.0
_SKELETON = SKELETONS["kinect20"]


def recognises(data: bytes) -> bool:
    """Whether this is a JSON object that speaks of skeletons."""
    return re.match(rb'(?:\xef\xbb\xbf)?\s*\{\s*"', data) is not None and b'"skeletons"' in data


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """The one recording in the file."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: it has 20 joints in metres", "skeleton", "unit", "up", "columns")
    return [sequence_of(parse(data, file), settings.fps or FPS, _SKELETON, name=name)]


def parse(data: bytes, file: str) -> npt.NDArray[np.float32]:
    """The joint positions, (T, 20, 3) in metres.

    Raises
    ------
    ReadError
        If it is not JSON, or ``skeletons`` is not frames of 20 joints of 3 numbers, or a number is infinite.
    """
    try:
        table = json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except json.JSONDecodeError as error:
        raise ReadError(f"expected JSON, found: {error.msg}", file=file, line=error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise ReadError(f"expected JSON, found: {error}", file=file) from error
    frames = table.get("skeletons") if isinstance(table, dict) else None
    if not isinstance(frames, list) or not frames:
        raise ReadError('expected a list of at least one frame under "skeletons", found none', file=file)
    try:
        values = np.array(frames, dtype=np.float64)  # null becomes NaN
        plain = {type(value) for frame in frames for point in frame for value in point} <= {int, float, type(None)}
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise _first_fault(frames, file) from None
    fits = values.shape == (len(frames), len(_SKELETON), 3)
    if not (plain and fits and bool((np.isnan(values) | (np.abs(values) <= MAX_NUMBER)).all())):
        raise _first_fault(frames, file)
    return zeros_missing(values)


def _first_fault(frames: list[Any], file: str) -> ReadError:
    """The error for the first frame that is not twenty joints, or the first joint that is not three metres."""
    for number, frame in enumerate(frames, start=1):
        if not isinstance(frame, list) or len(frame) != len(_SKELETON):
            found = f"{len(frame)}" if isinstance(frame, list) else repr(frame)[:40]
            return ReadError(f"frame {number}: expected {len(_SKELETON)} joints, found {found}", file=file)
        for joint, point in enumerate(frame):
            if not (isinstance(point, list) and len(point) == 3 and all(map(_is_metres, point))):
                where = f"frame {number}, joint {_SKELETON.joint_names[joint]}"
                return ReadError(f"{where}: expected 3 finite numbers (metres), found {repr(point)[:60]}", file=file)
    return ReadError(f"expected frames of {len(_SKELETON)} joints of 3 numbers", file=file)


def _is_metres(value: object) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value != value or abs(value) <= MAX_NUMBER
    return value is None
