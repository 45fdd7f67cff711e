"""MSR Action3D, ``aAA_sSS_eEE_skeleton3D.txt``: rows ``x y z confidence``, 20 rows a frame, nothing else.

Metres, y up, z away from the camera, whose left is x > 0 (a person who faces it has the right hand there). The joints
come in an order of their own and are put into that of the built-in skeleton ``kinect20``. A joint at (0, 0, 0) is
missing: 20 files hold frames of nothing but zeros. Confidences are not kept. The files have no frame rate: 15.

The data set's other files, ``*_skeleton.txt``, count pixels, not metres, and are refused.

Li, Zhang, Liu, "Action Recognition Based on a Bag of 3D Points", CVPR Workshops 2010.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.readers.kinect import zeros_missing
from motionprint.readers.lines import Lines, blocks, floats, require_size, sequence_of, tokens_per_line
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS

__all__ = ["EXTENSIONS", "TITLE", "parse", "read", "recognises"]

TITLE = "MSR Action3D skeleton"
EXTENSIONS: tuple[str, ...] = (".txt",)
FPS = 15.0
_SKELETON = SKELETONS["kinect20"]
_ORDER = [6, 3, 2, 19, 0, 7, 9, 11, 1, 8, 10, 12, 4, 13, 15, 17, 5, 14, 16, 18]
"""For each joint of ``kinect20`` its row in the file, from 0."""
_FAR = 20.0  # m: a depth camera sees a quarter of it; pixels are larger
_BLOCK = 20 * 5000  # lines that are converted at once


def recognises(data: bytes) -> bool:
    """Whether its first twenty lines are metres in front of a camera and a confidence from 0 to 1."""
    head = data[:8192].removeprefix(b"\xef\xbb\xbf").splitlines()[:20]
    rows = [line.split() for line in head]
    if len(rows) < 20 or any(len(row) != 4 for row in rows):
        return False
    values = floats([word for row in rows for word in row])
    if values is None:
        return False
    depth, confidence = values.reshape(-1, 4)[:, 2:].T
    sensible = (np.abs(values) < _FAR).all() and (depth >= 0).all() and ((confidence >= 0) & (confidence <= 1)).all()
    return bool(sensible)


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """The one recording in the file."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: it has 20 joints in metres, y up", "skeleton", "unit", "up", "columns")
    return [sequence_of(parse(data, file), settings.fps or FPS, _SKELETON, name=name)]


def parse(data: bytes, file: str) -> npt.NDArray[np.float32]:
    """The joint positions, (T, 20, 3) in metres, y up, in the order of ``kinect20``.

    Raises
    ------
    ReadError
        If a row is not four numbers of sensible size, or the rows are no whole frames.
    """
    text = Lines(data, file)
    rows = _in_bulk(text.data)
    if rows is None:
        rows = _line_by_line(text)
    frames, rest = divmod(len(rows), len(_SKELETON))
    if rest or not frames:
        raise ReadError(
            f"expected {len(_SKELETON)} rows a frame, found {len(rows)} rows: is the file truncated?", file=file
        )
    require_size(frames, len(_SKELETON), file)
    return zeros_missing(rows[:, :3].reshape(frames, len(_SKELETON), 3)[:, _ORDER])


def _in_bulk(body: bytes) -> npt.NDArray[np.float64] | None:
    """(rows, 4), or None if anything is unusual."""
    found = []
    for block in blocks(body, _BLOCK):
        if (tokens_per_line(block) != 4).any():
            return None
        values = floats(block.split())
        if values is None:
            return None
        found.append(values.reshape(-1, 4))
    rows = np.concatenate(found)
    return rows if bool((np.abs(rows[:, :3]) < _FAR).all()) else None


def _line_by_line(text: Lines) -> npt.NDArray[np.float64]:
    """(rows, 4); empty lines are passed over."""
    rows = []
    for line, _, words in text.after():
        row = text.numbers(words, 4, line, "values (x y z confidence)")
        if max(map(abs, row[:3])) >= _FAR:
            raise text.error(
                f"expected metres below {_FAR:g}, found {max(row[:3], key=abs):g}: are these pixels?", line
            )
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(-1, 4)
