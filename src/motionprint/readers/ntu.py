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
from motionprint.readers.lines import MAX_NUMBER, Lines, floats, require_size, sequence_of, show
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

Bodies = dict[int, tuple[list[int], npt.NDArray[np.float32]]]
"""By ID, in the order in which they first appear: the n frames in which a body is seen, and its (n, 25, 3) metres."""

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
    frames, bodies = _in_bulk(text.data) or _line_by_line(text)
    require_size(frames * len(bodies), len(_SKELETON), file)
    if frames * len(bodies) * len(_SKELETON) * 12 > max(_SMALL, _MAX_GROWTH * len(data)):
        raise ReadError(
            f"expected bodies that are seen, found {len(bodies)} in {frames} frames, most of which are empty", file=file
        )
    return [_whole(*seen, frames) for seen in bodies.values()]


def _line_by_line(text: Lines) -> tuple[int, Bodies]:
    """The frames, and each body: what `parse` gives before it is put together, or the ReadError."""
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
    return frames, {
        identity: ([frame for frame, _ in seen], np.stack([joints for _, joints in seen]))
        for identity, seen in bodies.items()
    }


def _in_bulk(data: bytes) -> tuple[int, Bodies] | None:
    """The same for a file without any irregularity, else None: the lines of joints are read as one table."""
    blank = np.frombuffer(data, np.uint8) <= 32
    if bool((blank[1:] & blank[:-1]).any()) or any(odd in data for odd in (b"\t", b"\x0b", b"\x0c")):
        return None
    lines = data.split(b"\n")[:-1]
    seen: list[tuple[int, int]] = []  # the frame and the body of each 25 rows
    rows: list[bytes] = []
    try:
        frames, at = _digits(lines[0]), 1
        for frame in range(frames):
            count, at = _digits(lines[at]), at + 1
            first = len(seen)
            for _ in range(count):
                words = lines[at].split(b" ")
                if len(words) != _BODY or lines[at + 1] != b"25":
                    return None
                seen.append((frame, _digits(words[0], 20)))
                rows += lines[at + 2 : at + 27]
                at += 27
            if count > 1 and len(set(seen[first:])) != count:
                return None
    except (IndexError, ValueError):
        return None
    if at != len(lines) or len(rows) != 25 * len(seen):
        return None
    positions = _table(rows) if rows else np.empty((0, 25, 3), np.float32)
    if positions is None:
        return None
    places: dict[int, list[int]] = {}
    for place, (_, identity) in enumerate(seen):
        places.setdefault(identity, []).append(place)
    return frames, {
        identity: ([seen[place][0] for place in chosen], positions[chosen] if len(places) > 1 else positions)
        for identity, chosen in places.items()
    }


def _digits(word: bytes, most: int = 9) -> int:
    if not word.isdigit() or len(word) > most:
        raise ValueError(word)
    return int(word)


def _table(rows: list[bytes]) -> npt.NDArray[np.float32] | None:
    """(bodies, 25, 3) the first three of twelve values a row; None if a row has others or one of the three is none."""
    import pyarrow as pa
    from pyarrow import csv

    names = [str(column) for column in range(_JOINT)]
    content = b"\n".join(rows) + b"\n"
    try:
        table = csv.read_csv(
            pa.BufferReader(content),
            read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=len(content) + 1),
            parse_options=csv.ParseOptions(delimiter=" ", quote_char=False, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                include_columns=names[:3],
                column_types=dict.fromkeys(names[:3], pa.float64()),
                check_utf8=False,
                null_values=[],
            ),
        )
    except (pa.ArrowException, OverflowError):
        return None
    values = np.stack([table[name].to_numpy() for name in names[:3]], axis=-1)
    if len(values) != len(rows) or not bool((np.abs(values) <= MAX_NUMBER).all()):
        return None
    return values.reshape(-1, 25, 3).astype(np.float32)


def _whole(seen: list[int], positions: npt.NDArray[np.float32], frames: int) -> npt.NDArray[np.float32]:
    """A body over the whole recording, from the frames in which it was seen."""
    known = zeros_missing(positions)
    if len(seen) == frames:
        return known
    whole = np.full((frames, len(_SKELETON), 3), np.nan, dtype=np.float32)
    whole[seen] = known
    return whole


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
