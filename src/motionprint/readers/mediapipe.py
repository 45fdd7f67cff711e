"""MediaPipe Pose landmarks, 33 a frame, as people write them down: MediaPipe itself has no file format.

JSON: a list of frames, or an object with them under ``frames`` (and the rate under ``fps``, where it says one). A
frame is a list of 33 objects ``{"x": ..., "y": ..., "z": ..., "visibility": ...}``, or an object that has such a list
under one of the names in `WORLD` or `IMAGE`, as it is, or in another list (the Tasks interface: one pose), or under
``landmark`` (the protocol buffers as JSON). Nothing, ``null``, an empty list or object: nobody was found.

CSV: a row a frame, with columns ``x1,y1,z1,v1,...,v33`` (or from 0 to 32) or
``NOSE_x,NOSE_y,NOSE_z,NOSE_visibility,...``; or a row a landmark, with the columns ``frame,landmark,x,y,z``. Other
columns are not read, except ``frame``: numbers that are left out are missing frames. Empty cells are missing.

World landmarks, which are taken where there are both, are metres from the middle of the hips; image landmarks are
parts of the image's width (x, z) and height (y), taken as metres. Either way x points right, y down and z away: (x,
-y, -z). Visibility is not used: MediaPipe places landmarks that it does not see too. 30 frames/s unless something
says otherwise.

The landmarks as described at https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.readers.lines import MAX_NUMBER, Lines, floats, sequence_of, show, with_gaps
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS

__all__ = ["EXTENSIONS", "IMAGE", "TITLE", "WORLD", "parse", "read", "recognises"]

TITLE = "MediaPipe Pose"
EXTENSIONS: tuple[str, ...] = (".json", ".csv")
FPS = 30.0
WORLD = ("pose_world_landmarks", "poseWorldLandmarks", "world_landmarks", "worldLandmarks")
"""What world landmarks are called in a frame."""
IMAGE = ("pose_landmarks", "poseLandmarks", "landmarks")
"""What image landmarks are called."""

_SKELETON = SKELETONS["mediapipe33"]
_JOINTS = len(_SKELETON)
_ROWS = 4096  # at a time: bounds the memory that the words of a long table take
_BOM = b"\xef\xbb\xbf"
_EMPTY = (b"", b"nan", b"NaN", b"null", b"None")
_ANY = re.compile(rb'"(?:pose_?|pose_?world_?|world_?)?landmarks?"\s*:', re.IGNORECASE)
_POSE = re.compile(rb'"pose_?(?:world_?)?landmarks"\s*:', re.IGNORECASE)
_BARE = re.compile(rb'(?:\A|"frames"\s*:)\s*\[\s*(?:(?:null|\[\s*\])\s*,\s*)*\[\s*\{\s*"x"\s*:')

Numbers = npt.NDArray[np.float64]


def recognises(data: bytes) -> bool:
    """Whether this is JSON with landmarks of a pose (hands and faces have other numbers of them), or CSV with 33."""
    head = data[:256].removeprefix(_BOM).lstrip()[:1]
    if head not in (b"[", b"{"):
        return _columns(_header(data)) is not None
    if _POSE.search(data):
        return True
    if _BARE.search(data.removeprefix(_BOM)) is None and _ANY.search(data) is None:
        return False
    first = re.search(rb"\[\s*\{[^\[\]]*\]", data)
    return first is not None and len(re.findall(rb'"x"\s*:', first[0])) == _JOINTS


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """The one recording in the file."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: it has 33 landmarks, in metres", "skeleton", "unit", "up", "columns")
    landmarks, rate = parse(data, file)
    positions = (landmarks * np.array([1, -1, -1], dtype=np.float32)).astype(np.float32) + np.float32(0)
    return [sequence_of(positions, settings.fps or rate or FPS, _SKELETON, name=name)]


def parse(data: bytes, file: str) -> tuple[npt.NDArray[np.float32], float | None]:
    """The landmarks, (T, 33, 3) as written, and frames/s, where the file says them.

    Raises
    ------
    ReadError
        If it is neither JSON nor CSV of the kinds above, or a frame has other than 33 landmarks of three numbers, or
        those of several people.
    """
    if data.removeprefix(_BOM).lstrip()[:1] in (b"[", b"{"):
        return _parse_json(data, file)
    return _parse_csv(data, file), None


# ---- JSON ----------------------------------------------------------------------------------------------------------


def _parse_json(data: bytes, file: str) -> tuple[npt.NDArray[np.float32], float | None]:
    try:
        table = json.loads(data.removeprefix(_BOM))
    except json.JSONDecodeError as error:
        raise ReadError(f"expected JSON, found: {error.msg}", file=file, line=error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise ReadError(f"expected JSON, found: {error}", file=file) from error
    rate, frames = None, table
    if isinstance(table, dict):
        rate = table.get("fps")
        frames = table.get("frames", [table])  # a single frame
        if rate is not None and not (type(rate) in (int, float) and 0 < rate <= 1e6):
            raise ReadError(f"expected fps to be a positive number of frames/s, found {repr(rate)[:40]}", file=file)
    if not isinstance(frames, list) or not frames:
        raise ReadError("expected a list of at least one frame, found none", file=file)
    keys = {key for frame in frames if isinstance(frame, dict) for key in (*WORLD, *IMAGE) if frame.get(key)}
    chosen = next((key for key in (*WORLD, *IMAGE) if key in keys), None)
    landmarks = np.full((len(frames), _JOINTS, 3), np.nan, dtype=np.float32)
    for number, frame in enumerate(frames, start=1):
        where = f"frame {number}"
        if isinstance(frame, dict):
            if frame and not any(key in frame for key in (*WORLD, *IMAGE)):
                raise ReadError(f"{where}: expected landmarks, found only {_some(frame)}", file=file)
            frame = frame.get(chosen) if chosen is not None else None
        found = _one_pose(frame, where, file)
        if found:
            landmarks[number - 1] = _landmarks(found, where, file)
    return landmarks, None if rate is None else float(rate)


def _some(frame: dict[str, Any]) -> str:
    return ", ".join(repr(key[:40]) for key in islice(frame, 5))


def _one_pose(frame: Any, where: str, file: str) -> list[Any]:
    """The list of landmarks in whatever is wrapped around it; empty where nobody was found."""
    if isinstance(frame, dict) and "landmark" in frame:
        frame = frame["landmark"]
    if isinstance(frame, list) and frame and all(isinstance(each, list) for each in frame):
        if len(frame) > 1:
            raise ReadError(f"{where}: expected the landmarks of one person, found those of {len(frame)}", file=file)
        frame = frame[0]
    if frame is None or frame == {}:
        return []
    if not isinstance(frame, list):
        raise ReadError(f"{where}: expected a list of landmarks, found {repr(frame)[:40]}", file=file)
    return frame


def _landmarks(found: list[Any], where: str, file: str) -> Numbers:
    """(33, 3) of a list of ``{"x": ..., "y": ..., "z": ...}``; null and NaN become NaN."""
    if len(found) != _JOINTS:
        raise ReadError(f"{where}: expected {_JOINTS} landmarks, found {len(found)}", file=file)
    values: list[float | None] = []
    for landmark, name in zip(found, _SKELETON.joint_names, strict=True):
        for axis in "xyz":
            value = landmark.get(axis, "nothing") if isinstance(landmark, dict) else landmark
            plain = type(value) in (int, float) and (value != value or abs(value) <= MAX_NUMBER)
            if not (plain or value is None) or not isinstance(landmark, dict):
                raise ReadError(
                    f"{where}, {name}: expected a finite number as {axis}, found {repr(value)[:40]}", file=file
                )
            values.append(value)
    return np.array(values, dtype=np.float64).reshape(_JOINTS, 3)


# ---- CSV -----------------------------------------------------------------------------------------------------------


def _header(data: bytes) -> tuple[list[str], bytes]:
    """The columns that the first line names, in lower case, and what separates them."""
    line = re.split(rb"[\r\n]", data[:65536].removeprefix(_BOM).lstrip(), maxsplit=1)[0]
    separator = max((b",", b";", b"\t"), key=line.count)
    return [word.strip(b' "').decode("latin-1").lower() for word in line.split(separator)], separator


def _columns(header: tuple[list[str], bytes]) -> list[int] | None:
    """The numbers of the columns: frame or -1, then x, y, z of each landmark, or landmark, x, y, z; or None."""
    names = {name: number for number, name in reversed(list(enumerate(header[0])))}
    frame = names.get("frame", -1)
    wide = [
        [f"{axis}{joint + first}" for joint in range(_JOINTS) for axis in "xyz"]
        for first in (1, 0)
        if f"x{_JOINTS + first}" not in names  # 468 of a face, 33 + 468 of everything
    ]
    named = [f"{joint}_{axis}" for joint in _SKELETON.joint_names for axis in "xyz"]
    for columns in (*wide, named):
        if all(column in names for column in columns):
            return [frame, *(names[column] for column in columns)]
    long = ("landmark", "x", "y", "z")
    if frame >= 0 and all(column in names for column in long):
        return [frame, *(names[column] for column in long)]
    return None


def _parse_csv(data: bytes, file: str) -> npt.NDArray[np.float32]:
    header = _header(data)
    columns = _columns(header)
    if columns is None:
        raise ReadError(
            "expected the columns x1, y1, z1 to z33, or nose_x, nose_y, ..., or frame, landmark, x, y, z; "
            f"found {', '.join(header[0][:8])[:200]}",
            file=file,
            line=1,
        )
    lines = Lines(data, file)
    rows = _rows(lines, len(header[0]), header[1])
    if len(columns) > 5:
        return _wide(lines, rows, columns, file)
    return _long(lines, rows, columns, file)


def _rows(lines: Lines, width: int, separator: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """(line, cells) of each row below the header."""
    start, number, below = 0, 0, False
    while start < len(lines.data):
        end = lines.data.find(b"\n", start)
        line, start, number = lines.data[start:end], end + 1, number + 1
        if not line.strip():
            continue
        if below:
            if line.count(separator) != width - 1:
                raise lines.error(f"expected {width} cells, found {line.count(separator) + 1}", number)
            yield number, line.split(separator)
        below = True


def _wide(
    lines: Lines, rows: Iterator[tuple[int, list[bytes]]], columns: list[int], file: str
) -> npt.NDArray[np.float32]:
    pick = itemgetter(*columns[1:])
    numbers: list[int] = []
    found: list[npt.NDArray[np.float32]] = []
    while some := list(islice(rows, _ROWS)):
        for number, (line, cells) in enumerate(some, start=len(numbers)):
            numbers.append(number if columns[0] < 0 else _frame_number(lines, cells[columns[0]], line))
            if columns[0] >= 0 and len(numbers) > 1 and numbers[-1] <= numbers[-2]:
                raise lines.error(f"expected a frame after {numbers[-2]}, found {numbers[-1]}", line)
        values = _values(lines, [pick(cells) for _, cells in some], [line for line, _ in some])
        found.append(values.reshape(len(some), _JOINTS, 3).astype(np.float32))
    if not found:
        raise ReadError("expected at least one row, found none", file=file)
    return with_gaps(np.concatenate(found), numbers, file)


def _long(
    lines: Lines, rows: Iterator[tuple[int, list[bytes]]], columns: list[int], file: str
) -> npt.NDArray[np.float32]:
    """Rows of one landmark; the frames one after another, the landmarks of each in any order, some of them left out."""
    names = {name: number for number, name in enumerate(_SKELETON.joint_names)}
    numbers: list[int] = []
    found: list[npt.NDArray[np.float32]] = []
    seen: set[int] = set()
    while some := list(islice(rows, _ROWS)):
        values = _values(lines, [itemgetter(*columns[2:])(cells) for _, cells in some], [line for line, _ in some])
        for (line, cells), value in zip(some, values, strict=True):
            frame = _frame_number(lines, cells[columns[0]], line)
            if not numbers or frame != numbers[-1]:
                if numbers and frame < numbers[-1]:
                    raise lines.error(f"expected frame {numbers[-1]} or one after it, found {frame}", line)
                numbers.append(frame)
                found.append(np.full((_JOINTS, 3), np.nan, dtype=np.float32))
                seen = set()
            word = cells[columns[1]].strip(b' "')
            joint = int(word) if re.fullmatch(rb"\d{1,9}", word) else names.get(word.decode("latin-1").lower(), -1)
            if not 0 <= joint < _JOINTS:
                raise lines.error(f"expected a landmark, 0 to {_JOINTS - 1} or its name, found {show(word)}", line)
            if joint in seen:
                raise lines.error(f"expected each landmark once a frame, found {show(word)} again", line)
            seen.add(joint)
            found[-1][joint] = value
    if not found:
        raise ReadError("expected at least one row, found none", file=file)
    return with_gaps(np.stack(found), numbers, file)


def _frame_number(lines: Lines, word: bytes, line: int) -> int:
    if not (match := re.fullmatch(rb"\s*(\d{1,9})(?:\.0*)?\s*", word)):
        raise lines.error(f"expected the number of a frame, found {show(word)}", line)
    return int(match[1])


def _values(lines: Lines, rows: Sequence[Sequence[bytes]], numbers: Sequence[int]) -> Numbers:
    """(rows, cells) as numbers; NaN for empty cells."""
    fast = floats([word for row in rows for word in row])
    if fast is not None:
        return fast.reshape(len(rows), -1)
    slow = [
        [float("nan") if (cell := word.strip()) in _EMPTY else lines.number(cell, number) for word in row]
        for row, number in zip(rows, numbers, strict=True)
    ]
    return np.array(slow, dtype=np.float64)
