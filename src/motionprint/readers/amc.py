"""Acclaim ASF/AMC (CMU, HDM05): the ASF holds the skeleton (``asf.py``), the AMC the angles of each frame.

Joint positions are the ends of the ASF's bones, the root first, then the bones in the order of ``:bonedata``. With C
the rotation of a bone's ``axis`` and M that of its angles, a bone turns by C M C^-1 relative to its parent;
``dof rx ry rz`` means: about the fixed x, then y, then z. An AMC has one line a joint and frame, in any order.

The format as Acclaim published it ("Acclaim Skeleton File definition, 1.10"; "Acclaim Motion Capture data") and as
M. Meredith and S. Maddock, "Motion capture file formats explained", 2001, section 4, tell it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError, SettingsError
from motionprint.kinematics import forward_kinematics
from motionprint.readers.asf import Rig, parse_asf
from motionprint.readers.lines import Lines, blocks, floats, require_size, sequence_of, show, text_of, tokens_per_line
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.rotations import euler_to_matrix
from motionprint.sequence import SkeletonSequence

__all__ = ["EXTENSIONS", "TITLE", "find_asf", "parse_amc", "positions_of", "read", "recognises"]

TITLE = "ASF/AMC"
EXTENSIONS: tuple[str, ...] = (".amc",)
FPS = 120.0
"""CMU (most trials) and HDM05; AMC files do not say."""

_CHUNK = 4096  # frames at a time: bounds the memory that the matrices of a long recording take


def recognises(data: bytes) -> bool:
    """Whether this starts as an AMC does: comments, ``:KEYWORDS``, a frame's number, then a joint and its numbers."""
    head = data[:65536].removeprefix(b"\xef\xbb\xbf")
    said = (line for line in head.splitlines() if line.strip() and not line.lstrip().startswith(b"#"))
    plain = b"\n".join(islice(said, 64))
    if re.match(rb"\s*:(?:FULLY-SPECIFIED|DEGREES|RADIANS)\b", plain, re.IGNORECASE):
        return True
    return re.match(rb"(?:\s*:[^\n]*\n)*\s*\d+[ \t]*\n\s*[^\s\d:{\[]\S*[ \t]+[-+.\d]", plain) is not None


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """The one recording in an AMC, with the ASF that belongs to it or the one handed over."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: an ASF says its own unit and axes", "unit", "up", "columns")
    skeleton, fps = settings.skeleton, settings.fps
    if isinstance(skeleton, Rig):
        rig = skeleton
    elif isinstance(skeleton, str | Path):
        try:
            rig = _rig(Path(skeleton).read_bytes(), str(skeleton))
        except OSError as error:
            raise ReadError(f"expected an ASF, found: {error.strerror or error}", file=str(skeleton)) from error
    elif skeleton is None:
        found = find_asf(source, name)
        rig = _rig(source.read_bytes(found), source.label(found))
    else:
        raise SettingsError(f"{file}: expected skeleton= to be the path of an ASF, found {type(skeleton).__name__}")
    values, degrees = parse_amc(data, rig, file)
    positions = positions_of(replace(rig, degrees=degrees), values)
    return [sequence_of(positions, FPS if fps is None else fps, rig.skeleton, name=name)]


@lru_cache(maxsize=64)
def _rig(data: bytes, file: str) -> Rig:
    """One ASF serves all clips of its actor."""
    return parse_asf(data, file)


def find_asf(source: Source, name: str) -> str:
    """The name of the ASF that belongs to an AMC.

    Looked for in the AMC's folder, then in the ones above it, by the AMC's own name and its beginnings up to each
    ``_``, the longest first (``HDM_bd_walk_001_120`` -> ``HDM_bd``, ``02_01`` -> ``02``); in the AMC's own folder also
    the only ASF there, unless by its name it belongs to another actor.

    Raises
    ------
    ReadError
        If there is none, or several of which none fits; it says where was looked.
    """
    words = name.rsplit("/", 1)[-1].rsplit(".", 1)[0].split("_")
    stems = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
    looked: list[str] = []
    beside: list[str] = []
    for folder, files in source.folders_above(name):
        found = {each.rsplit("/", 1)[-1][:-4].lower(): each for each in files if each.lower().endswith(".asf")}
        for stem in stems:
            if stem.lower() in found:
                return found[stem.lower()]
        if not looked:
            beside = sorted(each.rsplit("/", 1)[-1] for each in found.values())
            if len(beside) == 1 and not _other_actor(beside[0], words):
                return next(iter(found.values()))
        looked.append(folder)
    seen = f"; beside it: {', '.join(beside[:5])}" if beside else ""
    raise ReadError(
        f"expected its skeleton, one of {', '.join(f'{stem}.asf' for stem in stems[::-1][:3])} or the only .asf beside "
        f"it, found none in {', '.join(looked)}{seen}; skeleton= hands one over",
        file=source.label(name),
    )


def _other_actor(asf: str, words: list[str]) -> bool:
    """Whether the only ASF is, by HDM05's or CMU's naming, that of somebody else."""
    hdm = words[0].lower() == "hdm" and asf.lower().startswith("hdm_")
    return hdm or (len(words) > 1 and words[0].isdigit() and asf[:-4].isdigit())


def positions_of(rig: Rig, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """(T, J, 3) joint positions in metres from (T, channels) values, the joints in the rig's order."""
    joints, parents = len(rig.skeleton), rig.skeleton.parents
    # Each joint's frame is that of its bone's own axes. Relative to its parent's, with C and C' their axes, it turns by
    # C'^-1 C M, which is the same as turning the bone by C M C^-1 in the world's axes, with one product less.
    relative = np.array(
        [rig.axes[joint] if joint == 0 else rig.axes[parents[joint]].T @ rig.axes[joint] for joint in range(joints)]
    )
    ends = np.einsum("jba,jb->ja", rig.axes, rig.ends)  # C^-1 end
    positions = np.empty((len(values), joints, 3), dtype=np.float32)
    for start in range(0, len(values), _CHUNK):
        chunk = values[start : start + _CHUNK]
        local = np.empty((joints, 3, 3, len(chunk))).transpose(3, 0, 1, 2)  # (T, J, 3, 3)
        shifts = np.empty((joints, 3, len(chunk))).transpose(2, 0, 1)  # from the parent's end to the bone's, (T, J, 3)
        column = 0
        for joint, channels in enumerate(rig.channels):
            turning = [column + at for at, channel in enumerate(channels) if channel[0] == "r"]
            order = "".join(channel[1] for channel in channels if channel[0] == "r")
            local[:, joint] = euler_to_matrix(
                chunk[:, turning[::-1]], order[::-1], degrees=rig.degrees, before=relative[joint]
            )
            shifts[:, joint] = sum(local[:, joint, :, axis] * ends[joint, axis] for axis in range(3))
            for at, channel in enumerate(channels):
                if channel[0] == "t":
                    towards = (np.eye(3) if joint == 0 else relative[joint])[:, "xyz".index(channel[1])]
                    shifts[:, joint] += chunk[:, column + at, None] * rig.metres * towards
            column += len(channels)
        roots = shifts[:, 0] + rig.origin
        positions[start : start + _CHUNK] = forward_kinematics(local, ends, parents, roots, joint_translations=shifts)
    return positions


def parse_amc(data: bytes, rig: Rig, file: str) -> tuple[npt.NDArray[np.float64], bool]:
    """The values of an AMC, (T, channels) in the order of the rig's joints, and whether angles are in degrees.

    Raises
    ------
    ReadError
        Naming the line: a joint is unknown, missing, repeated, or has not as many values as degrees of freedom; a value
        is no number (nan and inf are none); frame numbers do not go up evenly; there is no frame.
    """
    lines = Lines(data, file)
    degrees, start, line = _amc_head(lines, rig)
    require_size(lines.data.count(b"\n") // max(1, sum(map(bool, rig.channels))), len(rig.skeleton), file)
    values = _fast_frames(lines, rig, start, line)
    return (_slow_frames(lines, rig, start, line) if values is None else values), degrees


def _amc_head(lines: Lines, rig: Rig) -> tuple[bool, int, int]:
    """Degrees or not, and the byte and the line at which the first frame begins."""
    degrees = rig.degrees
    for line, start, words in lines.after():
        if words[0].startswith(b"#"):
            continue
        if words[0].startswith(b":"):
            key = words[0].upper()
            degrees = key == b":DEGREES" if key in (b":DEGREES", b":RADIANS") else degrees
        elif words[0].isdigit() and len(words) == 1:
            return degrees, start, line
        else:
            raise lines.error(f"expected the number of a frame, found {show(words[0])}", line)
    raise lines.error("expected at least one frame, found none", lines.data.count(b"\n"))


def _frames(lines: Lines, rig: Rig, start: int, line: int) -> Iterator[dict[str, list[float]]]:
    """The values of each frame by joint, checked word by word."""
    expected = {name: len(channels) for name, channels in zip(rig.skeleton.joint_names, rig.channels, strict=True)}
    needed = sum(count > 0 for count in expected.values())
    frame: dict[str, list[float]] | None = None
    number, last = 0, line
    step: int | None = None
    for current, _, words in lines.after(start, line):
        if words[0].startswith(b"#"):
            continue
        if len(words) == 1 and words[0].isdigit():
            if frame is not None:
                _require_full(lines, expected, needed, frame, number, last)
                yield frame
            found = int(words[0]) if len(words[0]) <= 9 else -1
            if frame is not None and (found <= number or step not in (None, found - number)):
                wanted = number + (step or 1)
                raise lines.error(f"expected frame {wanted}, found {show(words[0])}", current)
            if found < 0:
                raise lines.error(f"expected a frame number of at most 9 digits, found {show(words[0])}", current)
            step = found - number if frame is not None else None
            number, frame = found, {}
        else:
            assert frame is not None  # the head ends at a frame number
            cut = next((at for at, word in enumerate(words) if word.startswith(b"#")), len(words))
            name = text_of(words[0])
            if name not in expected:
                raise lines.error(f"expected a joint of the skeleton, found {name[:40]!r}", current)
            if name in frame:
                raise lines.error(f"expected {name} once in frame {number}, found it again", current)
            values = lines.numbers(words[1:cut], expected[name], current, f"values for {name}")
            if values:
                frame[name] = values
        last = current
    assert frame is not None
    _require_full(lines, expected, needed, frame, number, last)
    yield frame


def _require_full(
    lines: Lines, expected: dict[str, int], needed: int, frame: dict[str, list[float]], number: int, line: int
) -> None:
    if len(frame) < needed:
        missing = next(name for name, count in expected.items() if count and name not in frame)
        raise lines.error(
            f"expected {needed} joints in frame {number}, found {len(frame)} (no {missing}): is the file truncated?",
            line,
        )


def _slow_frames(lines: Lines, rig: Rig, start: int, line: int) -> npt.NDArray[np.float64]:
    """All frames, word by word: finds every fault and its line."""
    moving = [name for name, channels in zip(rig.skeleton.joint_names, rig.channels, strict=True) if channels]
    rows = [[value for name in moving for value in frame[name]] for frame in _frames(lines, rig, start, line)]
    return np.array(rows, dtype=np.float64)


def _fast_frames(lines: Lines, rig: Rig, start: int, line: int) -> npt.NDArray[np.float64] | None:
    """All frames at once if each has the lines of the first; None leaves it to ``_slow_frames``."""
    first = next(_frames(lines, rig, start, line))
    body = lines.data[start:]
    if b"#" in body:
        return None
    counts = np.array([1, *(1 + len(values) for values in first.values())])  # words a line
    at = np.cumsum(counts)[:-1]  # the columns that hold a joint's name
    names = np.array([name.encode() for name in first], dtype=object)
    columns = {name: range(begin + 1, begin + 1 + len(first[name])) for name, begin in zip(first, at, strict=True)}
    order = [column for name in rig.skeleton.joint_names for column in columns.get(name, ())]
    numbers: list[bytes] = []
    tables = []
    for block in blocks(body, len(counts) * _CHUNK):
        found = tokens_per_line(block)
        if len(found) % len(counts) or not bool((found.reshape(-1, len(counts)) == counts).all()):
            return None
        words = block.split()
        if len(words) != found.sum():
            return None
        table = np.array(words, dtype=object).reshape(-1, counts.sum())  # (frames, words of a frame)
        values = floats(table[:, order].ravel().tolist())
        if values is None or not bool((table[:, at] == names).all()):
            return None
        numbers.extend(table[:, 0].tolist())
        tables.append(values.reshape(-1, len(order)))
    if not b"".join(numbers).isdigit() or max(map(len, numbers)) > 9:
        return None
    steps = np.diff([int(number) for number in numbers])
    if len(steps) and (steps[0] <= 0 or bool((steps != steps[0]).any())):
        return None
    return np.concatenate(tables)
