"""BVH (Biovision hierarchy): a tree of joints with offsets and channels, then one line of numbers a frame.

Rotations are in degrees and multiply from left to right in the order of a joint's channels; any order, any number of
channels. A position channel replaces that component of the joint's OFFSET (so the root's OFFSET is not added to the
root's position). End sites are joints too, called ``<parent>_end``, also those that lie on their parent. A file with
several ROOTs holds several persons. BVH does not say its unit: centimetres unless ``unit=`` says otherwise;
nor which axis points up: y unless ``up=`` says otherwise.

The format as described by M. Meredith and S. Maddock, "Motion capture file formats explained", 2001, section 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.kinematics import forward_kinematics, y_up
from motionprint.readers.lines import (
    MAX_JOINTS,
    Lines,
    blocks,
    floats,
    require_size,
    sequence_of,
    show,
    text_of,
    tokens_per_line,
)
from motionprint.readers.settings import UNITS as LENGTHS
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.rotations import euler_to_matrix
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

__all__ = ["EXTENSIONS", "TITLE", "UNITS", "Joint", "Motion", "parse", "positions_of", "read", "recognises"]

TITLE = "BVH"
EXTENSIONS: tuple[str, ...] = (".bvh",)
UNITS = LENGTHS | {"cmu": 0.0254 / 0.45}
"""Metres; ``cmu`` is the unit of the CMU conversions, which keep the numbers of the ASF files (1/0.45 inch)."""

_CHANNEL = re.compile(r"([xyz])(position|rotation)", re.IGNORECASE)
_CHUNK = 4096  # frames at a time: bounds the memory that the matrices of a long recording take


@dataclass
class Joint:
    """One joint of the hierarchy, or one end site."""

    name: str
    parent: int
    """Its parent's number within the person, -1 for the root."""
    offset: tuple[float, float, float] | None = None
    """In the file's unit, relative to the parent."""
    channels: tuple[str, ...] = ()
    """``Xposition``, ``Zrotation``, ... in the file's order."""
    first: int = 0
    """The column of the first channel."""


@dataclass
class Motion:
    """A BVH file as it stands: one list of joints a person, and the numbers."""

    persons: list[list[Joint]]
    values: npt.NDArray[np.float64]
    """(T, channels) as written: degrees and the file's unit."""
    frame_time: float | None
    """Seconds; None where the file says 0."""
    columns: int = field(default=0)


def recognises(data: bytes) -> bool:
    """Whether the first word is HIERARCHY."""
    return re.match(rb"(?:\xef\xbb\xbf)?\s*HIERARCHY\s", data, re.IGNORECASE) is not None


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """One recording for each ROOT of the file."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: it has its own skeleton", "skeleton", "columns")
    metres, fps = settings.metres("cm", UNITS), settings.fps
    motion = parse(data, file)
    if fps is None and motion.frame_time is None:
        raise ReadError("expected a positive Frame Time, found 0: pass fps=", file=file)
    rate = _rate(motion.frame_time) if fps is None else fps
    sequences = []
    for person, joints in enumerate(motion.persons):
        require_size(len(motion.values), len(joints), file)
        positions = y_up(positions_of(joints, motion.values, metres), settings.up or "y")
        tree = Skeleton.from_tree([joint.name for joint in joints], [joint.parent for joint in joints])
        sequences.append(sequence_of(positions, rate, tree, name=name, person=person))
    return sequences


def _rate(frame_time: float | None) -> float:
    """Frames/s; a rate within a ten-thousandth of a whole number was one, before Frame Time was rounded."""
    assert frame_time is not None
    rate = 1.0 / frame_time
    return float(round(rate)) if abs(rate - round(rate)) < 1e-4 * rate else rate


def positions_of(joints: list[Joint], values: npt.NDArray[np.float64], metres: float) -> npt.NDArray[np.float32]:
    """(T, J, 3) joint positions in metres of one person."""
    offsets = np.array([joint.offset for joint in joints]) * metres
    parents = [joint.parent for joint in joints]
    shifting = any(_positions(joint) for joint in joints if joint.parent != -1)
    positions = np.empty((len(values), len(joints), 3), dtype=np.float32)
    for start in range(0, len(values), _CHUNK):
        chunk = values[start : start + _CHUNK]
        local = np.empty((len(chunk), len(joints), 3, 3))
        shifts = np.empty((len(chunk), len(joints) if shifting else 1, 3))
        for number, joint in enumerate(joints):
            columns = [joint.first + at for at, channel in enumerate(joint.channels) if channel.endswith("rotation")]
            order = "".join(channel[0] for channel in joint.channels if channel.endswith("rotation"))
            local[:, number] = euler_to_matrix(chunk[:, columns], order)
            if shifting or joint.parent == -1:
                shifts[:, number] = offsets[number]
                for axis, column in _positions(joint):
                    shifts[:, number, axis] = chunk[:, column] * metres
        roots = shifts[:, 0]
        positions[start : start + _CHUNK] = forward_kinematics(
            local, offsets, parents, roots, joint_translations=shifts if shifting else None
        )
    return positions


def _positions(joint: Joint) -> list[tuple[int, int]]:
    """(axis, column) of the position channels."""
    return [
        ("XYZ".index(channel[0]), joint.first + at)
        for at, channel in enumerate(joint.channels)
        if channel.endswith("position")
    ]


def parse(data: bytes, file: str) -> Motion:
    """A BVH file from its bytes.

    Raises
    ------
    ReadError
        Naming the line: the hierarchy is not one, a number is not one (nan and inf are none), a frame has not one
        value a channel, the frames are not as many as ``Frames:`` says.
    """
    lines = Lines(data, file)
    persons, columns, motion = _hierarchy(lines)
    count, count_line, frame_time, start, line = _motion_head(lines, motion)
    values = _fast_table(lines.data[start:], columns)
    if values is None:
        rows = [lines.numbers(words, columns, number, "values") for number, _, words in lines.after(start, line)]
        values = np.array(rows, dtype=np.float64).reshape(len(rows), columns)
    if len(values) != count:
        raise lines.error(f"expected {count} frames, as this line says, found {len(values)}", count_line)
    return Motion(persons, values, frame_time, columns)


def _fast_table(body: bytes, columns: int) -> npt.NDArray[np.float64] | None:
    """All frames at once, or None if there is anything unusual."""
    tables = []
    for block in blocks(body, _CHUNK):
        words = block.split()
        counts = tokens_per_line(block)
        if not bool((counts == columns).all()) or len(words) != counts.sum():
            return None
        values = floats(words)
        if values is None:
            return None
        tables.append(values.reshape(-1, columns))
    return np.concatenate(tables) if tables and columns else None


def _words(lines: Lines) -> Iterator[tuple[int, int, bytes]]:
    """(line, start of the line, word) of the whole file."""
    for line, start, words in lines.after():
        for word in words:
            yield line, start, word


class _Hierarchy:
    """What has been read of the hierarchy so far."""

    def __init__(self) -> None:
        self.persons: list[list[Joint]] = []
        self.open: list[int] = []  # the joints whose braces are open, in place of recursion
        self.columns = 0


def _hierarchy(lines: Lines) -> tuple[list[list[Joint]], int, int]:
    """The persons, the number of channels, and where the line MOTION begins."""
    tree = _Hierarchy()
    words = _words(lines)
    line, _, word = next(words, (1, 0, b"nothing"))
    if word.upper() != b"HIERARCHY":
        raise lines.error(f"expected HIERARCHY, found {show(word)}", line)
    for line, start, word in words:
        key = word.upper()
        if key == b"MOTION" and not tree.open and tree.persons:
            return tree.persons, tree.columns, start
        if (key == b"ROOT" and not tree.open) or (key in (b"JOINT", b"END") and tree.open):
            _begin_joint(lines, words, tree, key, line)
        elif key == b"OFFSET" and tree.open:
            joint = tree.persons[-1][tree.open[-1]]
            if joint.offset is not None:
                raise lines.error(f"expected one OFFSET for {joint.name}, found another", line)
            joint.offset = _three(lines, words, line)
        elif key == b"CHANNELS" and tree.open:
            _read_channels(lines, words, tree, line)
        elif key == b"}" and tree.open:
            joint = tree.persons[-1][tree.open.pop()]
            if joint.offset is None:
                raise lines.error(f"expected an OFFSET for {joint.name} before its closing brace, found none", line)
        else:
            raise lines.error(f"expected {_expected(tree)}, found {show(word)}", line)
    raise lines.error(f"expected {_expected(tree)}, found the end of the file", lines.data.count(b"\n"))


def _expected(tree: _Hierarchy) -> str:
    if tree.open:
        return "OFFSET, CHANNELS, JOINT, End Site or }"
    return "ROOT or MOTION" if tree.persons else "ROOT"


def _begin_joint(
    lines: Lines, words: Iterator[tuple[int, int, bytes]], tree: _Hierarchy, key: bytes, line: int
) -> None:
    named: list[bytes] = []
    brace = False
    for found_line, _, word in words:
        if word == b"{" or (word.endswith(b"{") and found_line == line):
            named.extend([word[:-1]] if word != b"{" else [])
            brace = True
            break
        if found_line != line:
            break
        named.append(word)
    if not brace:
        raise lines.error("expected a brace { after the joint's name, found none", line)
    if key == b"ROOT":
        tree.persons.append([])
    joints = tree.persons[-1]
    parent = tree.open[-1] if tree.open else -1
    taken = {joint.name for joint in joints}
    if key == b"END":
        stem = joints[parent].name + "_end"
        name = next(each for each in (stem, *(f"{stem}{n}" for n in range(2, MAX_JOINTS + 2))) if each not in taken)
    else:
        name = " ".join(text_of(word) for word in named)
        if not name or name in taken:
            raise lines.error(f"expected a name that no other joint has, found {name!r}", line)
    if len(joints) >= MAX_JOINTS or len(tree.persons) > MAX_JOINTS:
        raise lines.error(f"expected at most {MAX_JOINTS} joints, found more", line)
    tree.open.append(len(joints))
    joints.append(Joint(name, parent, first=tree.columns))


def _three(lines: Lines, words: Iterator[tuple[int, int, bytes]], line: int) -> tuple[float, float, float]:
    values = []
    for _ in range(3):
        found_line, _, word = next(words, (line, 0, b"nothing"))
        values.append(lines.number(word, found_line, "3 numbers after OFFSET"))
    return values[0], values[1], values[2]


def _read_channels(lines: Lines, words: Iterator[tuple[int, int, bytes]], tree: _Hierarchy, line: int) -> None:
    joint = tree.persons[-1][tree.open[-1]]
    _, _, word = next(words, (line, 0, b"nothing"))
    if not re.fullmatch(rb"[0-9]", word):
        raise lines.error(f"expected the number of channels (0 to 9), found {show(word)}", line)
    if joint.channels:
        raise lines.error(f"expected one CHANNELS for {joint.name}, found another", line)
    channels = []
    for _ in range(int(word)):
        found_line, _, word = next(words, (line, 0, b"nothing"))
        match = _CHANNEL.fullmatch(word.decode("latin-1"))
        if match is None:
            raise lines.error(f"expected a channel like Xposition or Zrotation, found {show(word)}", found_line)
        channel = match[1].upper() + match[2].lower()
        if channel.endswith("position") and channel in channels:
            raise lines.error(f"expected each position channel once, found {channel} twice", found_line)
        channels.append(channel)
    joint.channels, joint.first = tuple(channels), tree.columns
    tree.columns += len(channels)


def _motion_head(lines: Lines, motion: int) -> tuple[int, int, float | None, int, int]:
    """The frame count, its line, the frame time, and where and on which line the frames begin."""
    first = lines.data.count(b"\n", 0, motion) + 1
    rows = lines.after(motion, first)
    next(rows)  # MOTION
    nothing = (first, len(lines.data), [b"nothing"])
    count_line, _, words = next(rows, nothing)
    match = re.fullmatch(rb"FRAMES ?: ?(\S+)", b" ".join(words).upper())
    if match is None:
        raise lines.error(f"expected `Frames: N`, found {show(b' '.join(words))}", count_line)
    if not re.fullmatch(rb"[0-9]{1,18}", match[1]) or int(match[1]) == 0:
        raise lines.error(f"expected a positive number of frames, found {show(match[1])}", count_line)
    count = int(match[1])
    line, start, words = next(rows, nothing)
    match = re.fullmatch(rb"FRAME TIME ?: ?(\S+)", b" ".join(words).upper())
    if match is None:
        raise lines.error(f"expected `Frame Time: seconds`, found {show(b' '.join(words))}", line)
    frame_time = lines.number(match[1], line, "seconds")
    if frame_time != 0 and frame_time < 1e-6:
        raise lines.error(f"expected a Frame Time of at least a microsecond, found {frame_time}", line)
    return count, count_line, frame_time or None, lines.data.find(b"\n", start) + 1, line + 1
