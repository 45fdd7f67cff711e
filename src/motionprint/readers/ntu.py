"""NTU RGB+D ``.skeleton``: what Kinect v2 wrote, 25 joints of each body in each frame.

::

    103                                  frames
    1                                    bodies in this frame
    72057594037931101 0 1 1 1 1 0 ...    a body: its ID, then nine values of the tracker
    25                                   joints
    0.218 0.172 3.785 277.4 ...          a joint: x y z in metres, y up; then places in the images, a turn, a state

Bodies come and go; the tracker's ID tells which is which. Each is one recording as long as the file, NaN in the frames
in which it was not seen; persons are counted in the order in which bodies first appear. All bodies are given, also
those that look like no person (chairs are tracked, too): see `corpora.ntu_rgbd` for the rule that leaves them out.
A file in which nobody was seen gives no recording. The camera takes 30 frames/s, which the files do not say. A joint at
(0, 0, 0) is missing. Only x, y and z are read of a joint; the rest may be anything (nan and inf stand there, too).

Shahroudy, Liu, Ng, Wang, "NTU RGB+D: A Large Scale Dataset for 3D Human Activity Analysis", CVPR 2016;
https://github.com/shahroudy/NTURGB-D
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.readers.kinect import zeros_missing
from motionprint.readers.lines import Lines, floats, require_size, sequence_of, show
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS

__all__ = ["EXTENSIONS", "TITLE", "parse", "read", "recognises"]

TITLE = "NTU RGB+D skeleton"
EXTENSIONS: tuple[str, ...] = (".skeleton",)
FPS = 30.0
_SKELETON = SKELETONS["kinect25"]
_BODY = 10
"""Words in the line of a body."""
_JOINT = 12
"""Words in the line of a joint."""
_SMALL = 16 * 1024**2
_MAX_GROWTH = 8
"""Bytes of positions a byte of the file; beyond that, and `_SMALL`, a file claims bodies that it does not show."""

_START = re.compile(rb"(?:\xef\xbb\xbf)?\d{1,9}\s+(?:0\s+)*[1-9]\d?\s+\d+(?:[ \t]+\S+){9}\s+25\s")

Word = tuple[int, list[bytes]]
"""The number of a line and its words."""


def recognises(data: bytes) -> bool:
    """Whether it begins with a number of frames and a body of 25 joints."""
    return _START.match(data[:4096]) is not None


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """One recording a body, in the order in which they first appear."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: it has 25 joints in metres, y up", "skeleton", "unit", "up", "columns")
    fps = settings.fps or FPS
    bodies = parse(data, file)
    return [sequence_of(body, fps, _SKELETON, name=name, person=number) for number, body in enumerate(bodies)]


def parse(data: bytes, file: str) -> list[npt.NDArray[np.float32]]:
    """The joint positions of each body, (T, 25, 3) in metres, y up; NaN where it was not seen.

    Raises
    ------
    ReadError
        If a line is not what its place demands, a body is there twice in a frame, or there are more or fewer frames
        than the first line says.
    """
    text = Lines(data, file)
    rows = _Rows(text)
    frames = rows.count("the number of frames")
    bodies: dict[int, list[tuple[int, npt.NDArray[np.float32]]]] = {}
    for frame in range(frames):
        for _ in range(rows.count(f"the number of bodies in frame {frame + 1} of {frames}")):
            line, identity = rows.body()
            seen = bodies.setdefault(identity, [])
            if seen and seen[-1][0] == frame:
                raise text.error(f"expected each body once in frame {frame + 1}, found {identity} again", line)
            seen.append((frame, rows.joints()))
    rows.end(frames)
    require_size(frames * len(bodies), len(_SKELETON), file)
    if frames * len(bodies) * len(_SKELETON) * 12 > max(_SMALL, _MAX_GROWTH * len(data)):
        raise ReadError(
            f"expected bodies that are seen, found {len(bodies)} in {frames} frames, most of which are empty", file=file
        )
    return [_whole(seen, frames) for seen in bodies.values()]


def _whole(seen: list[tuple[int, npt.NDArray[np.float32]]], frames: int) -> npt.NDArray[np.float32]:
    """A body over the whole recording, from the frames in which it was seen."""
    positions = np.full((frames, len(_SKELETON), 3), np.nan, dtype=np.float32)
    positions[[frame for frame, _ in seen]] = zeros_missing(np.stack([joints for _, joints in seen]))
    return positions


class _Rows:
    """The lines of a file, taken one after another for what they have to be."""

    def __init__(self, text: Lines) -> None:
        self.text = text
        self.lines: Iterator[tuple[int, int, list[bytes]]] = text.after()
        self.line = 0

    def words(self, what: str) -> Word:
        found = next(self.lines, None)
        if found is None:
            raise self.text.error(f"expected {what}, found the end of the file: is it truncated?", self.line + 1)
        self.line = found[0]
        return found[0], found[2]

    def count(self, what: str) -> int:
        """A line that is one whole number."""
        line, words = self.words(what)
        if len(words) != 1 or not words[0].isdigit() or len(words[0]) > 9:
            raise self.text.error(f"expected {what}, found {show(b' '.join(words[:12]))}", line)
        return int(words[0])

    def body(self) -> tuple[int, int]:
        """A body's line and its ID; the line after it says 25."""
        line, words = self.words("a body")
        if len(words) != _BODY or not words[0].isdigit() or len(words[0]) > 20:
            raise self.text.error(
                f"expected a body (its ID and {_BODY - 1} values), found {show(b' '.join(words[:_JOINT]))}", line
            )
        joints = self.count("the number of joints")
        if joints != len(_SKELETON):
            raise self.text.error(f"expected {len(_SKELETON)} joints, found {joints}", self.line)
        return line, int(words[0])

    def joints(self) -> npt.NDArray[np.float32]:
        """(25, 3) the positions in the next 25 lines."""
        found: list[bytes] = []
        places: list[Word] = []
        for name in _SKELETON.joint_names:
            line, words = self.words(f"the joint {name}")
            if len(words) != _JOINT:
                raise self.text.error(f"expected {_JOINT} values for the joint {name}, found {len(words)}", line)
            found += words[:3]
            places.append((line, words))
        values = floats(found)
        if values is None:
            for line, words in places:
                self.text.numbers(words[:3], 3, line, "metres x, y and z")
            raise self.text.error("expected metres x, y and z", places[0][0])
        return values.reshape(-1, 3).astype(np.float32)

    def end(self, frames: int) -> None:
        found = next(self.lines, None)
        if found is not None:
            raise self.text.error(
                f"expected the end of the file after {frames} frames, as the first line says, found more", found[0]
            )
