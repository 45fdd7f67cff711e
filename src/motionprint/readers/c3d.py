"""C3D: markers over time, with analog data beside them, in blocks of 512 bytes: a header, parameters, frames.

Intel, DEC and SGI/MIPS byte orders; whole numbers times a scale, or floats (a scale below 0). A point whose
fourth value (residual) is negative is missing: NaN. Analog data is passed over, and so are points that are no places in
space: those that POINT:ANGLES, FORCES, MOMENTS, POWERS and the other groups of POINT:TYPE_GROUPS name.

Millimetres unless POINT:UNITS or ``unit=`` says otherwise, z up unless POINT:Y_SCREEN (the axis that is vertical on the
screen) or ``up=`` does, the frame rate of POINT:RATE, else of the header, unless ``fps=`` is given. The markers are
chosen by ``skeleton=``: see `readers.markers`.

The format as described in "The C3D File Format, User Guide", Motion Lab Systems, 2008 (www.c3d.org). No parameter is
trusted beyond the bytes that are there: docs/decisions/0010-c3d.md says why this is not left to a library.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.kinematics import y_up
from motionprint.readers.lines import MAX_NUMBER, require_size, sequence_of, text_of
from motionprint.readers.markers import distinct, metres_of, pick
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence

__all__ = ["EXTENSIONS", "TITLE", "Trial", "parse", "positions_of", "read", "recognises"]

TITLE = "C3D"
EXTENSIONS: tuple[str, ...] = (".c3d",)

_BLOCK = 512
_INTEL, _DEC, _MIPS = 84, 85, 86
_OVERFLOW = 65535  # what 16 bits hold at most
_CHUNK = 1 << 15  # points at a time: bounds the memory that a long recording takes
_NEEDED = ("USED", "SCALE", "RATE", "UNITS", "LABELS", "Y_SCREEN")
_OUTPUTS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "REACTIONS", "SCALARS")
_DOWN = {"x": (-1, -1, 1), "y": (1, -1, -1), "z": (1, -1, -1)}
"""Half a turn that makes an axis that points down point up."""


@dataclass(frozen=True)
class Trial:
    """A C3D file as it stands."""

    names: list[str]
    """(M,) the markers, each name once."""
    columns: npt.NDArray[np.intp]
    """(M,) where they stand among the points of a frame."""
    frames: npt.NDArray[np.generic]
    """(T, points, 4) a view of the file: x, y, z, residual, in the file's own numbers."""
    processor: int
    """Whose numbers they are: 84 Intel, 85 DEC, 86 MIPS."""
    scale: float
    """The file's unit of length for each whole number; 1 for floats."""
    rate: float | None
    """Frames/s, where the file says one."""
    unit: str | None
    """What POINT:UNITS says."""
    up: str | None
    """``+`` or ``-`` and the axis that POINT:Y_SCREEN says."""


def recognises(data: bytes) -> bool:
    """Whether the header leads to a parameter section of a known processor."""
    start = (data[0] - 1) * _BLOCK if len(data) > _BLOCK else 0
    return 0 < start < len(data) - 4 and data[1] == 0x50 and data[start + 3] in (_INTEL, _DEC, _MIPS)


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """The one recording in the file."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: it is no table", "columns")
    trial = parse(data, file)
    metres = metres_of(trial.unit, settings, "POINT:UNITS", file)
    fps = settings.fps or trial.rate
    if fps is None:
        raise ReadError("expected a positive POINT:RATE, found none: pass fps=", file=file)
    up = f"+{settings.up}" if settings.up is not None else trial.up or "+z"
    positions, skeleton = pick(trial.names, positions_of(trial, metres, up, file), settings.skeleton, file)
    return [sequence_of(positions, fps, skeleton, name=name)]


def positions_of(trial: Trial, metres: float, up: str, file: str) -> npt.NDArray[np.float32]:
    """(T, M, 3) the markers in metres, y up; NaN where one is missing.

    Raises
    ------
    ReadError
        Naming the frame (from 1) and the marker: a position is infinite or beyond all sense.
    """
    count, markers = len(trial.frames), len(trial.names)
    require_size(count, markers, file)
    positions = np.empty((count, markers, 3), dtype=np.float32)
    signs = np.array(_DOWN[up[1]] if up[0] == "-" else (1, 1, 1)) * metres
    step = max(1, _CHUNK // trial.frames.shape[1])
    for start in range(0, count, step):
        points = trial.frames[start : start + step][:, trial.columns]  # (t, M, 4)
        values = _plain(points, trial.processor) * np.array([trial.scale] * 3 + [1.0])
        missing = ~(values[..., 3] >= 0)
        places = values[..., :3]
        places[missing] = np.nan
        if (wrong := np.abs(places) > MAX_NUMBER).any():
            frame, marker, axis = np.argwhere(wrong)[0].tolist()
            found = places[frame, marker, axis]
            where = f"frame {start + frame + 1}, marker {trial.names[marker]!a}"
            raise ReadError(f"{where}: expected a position, found {found:g}", file=file)
        positions[start : start + step] = y_up((places * signs).astype(np.float32), up[1])
    return positions


def _plain(values: npt.NDArray[np.generic], processor: int) -> npt.NDArray[np.float64]:
    """The file's numbers as float64; DEC's floats stand in it as pairs of 16-bit words, the high one first."""
    if processor == _DEC and values.dtype.kind == "u":
        words = values.astype(np.uint32)
        turned = (words << 16) | (words >> 16)
        with np.errstate(invalid="ignore"):
            return turned.view(np.float32).astype(np.float64) / 4  # its exponent is 2 larger
    with np.errstate(invalid="ignore"):  # of signalling NaNs in a damaged file
        return values.astype(np.float64)


def parse(data: bytes, file: str) -> Trial:
    """A C3D file from its bytes; the numbers of its frames are not looked at yet.

    Raises
    ------
    ReadError
        If the header, a parameter that matters or the number of frames does not fit what is there.
    """
    head = _Head(data, file)
    points, analog, first, last = (head.word(number) for number in (2, 3, 4, 5))
    scale = _scale(head)
    used = head.number("POINT", "USED", points)
    if used != points:
        raise head.error(f"expected {points} points a frame, as the header says, found POINT:USED = {used:g}")
    channels, samples = head.number("ANALOG", "USED", None), head.word(10)
    if channels is not None and samples and channels * samples != analog:
        raise head.error(
            f"expected {analog} analog values a frame, as the header says, found {samples} for each of "
            f"{channels:g} channels (ANALOG:USED)"
        )
    labels = head.labels(points)
    outputs = head.outputs()
    columns = [number for number, label in enumerate(labels) if not label or label not in outputs]
    if not columns:
        found = "none" if not points else f"{points} outputs of a model (angles, forces, moments, powers)"
        raise head.error(f"expected at least one marker, found {found}")
    names = distinct(labels)
    return Trial(
        [names[number] for number in columns],
        np.array(columns),
        _frames(head, points, analog, _count(head, first, last), scale < 0),
        head.processor,
        1.0 if scale < 0 else scale,
        head.rate(),
        next((text for text in head.texts("POINT", "UNITS") if text), None),
        _up(head),
    )


def _scale(head: _Head) -> float:
    """The header's scale, else POINT:SCALE: where they differ bodies have their size by the header's."""
    scales = [scale for scale in (head.float_at(12), head.number("POINT", "SCALE", 0.0)) if scale is not None]
    usable = [scale for scale in scales if math.isfinite(scale) and scale != 0]
    if not usable:
        raise head.error(f"expected POINT:SCALE to be a number other than 0, found {scales[-1]}")
    if (min(usable) < 0) != (max(usable) < 0):
        found = f"{usable[0]:g} in the header and POINT:SCALE = {usable[1]:g}"
        raise head.error(f"expected one sign of the scale (floats have a negative one), found {found}")
    return usable[0]


def _count(head: _Head, first: int, last: int) -> int:
    """The number of frames; where 16 bits are too few, TRIAL or POINT:LONG_FRAMES says it."""
    count = last - first + 1
    begin, end = (head.wide("TRIAL", f"ACTUAL_{which}_FIELD") for which in ("START", "END"))
    if begin is not None and end is not None and end > _OVERFLOW and last in (_OVERFLOW, end & 0xFFFF, 0):
        count = end - begin + 1
    elif last in (_OVERFLOW, 0):
        long = head.number("POINT", "LONG_FRAMES", head.number("POINT", "FRAMES", count))
        count = int(long) if long is not None and math.isfinite(long) else count
    if count < 1:
        raise head.error(f"expected at least one frame, found frames {first} to {last}")
    return count


def _frames(head: _Head, points: int, analog: int, count: int, floats: bool) -> npt.NDArray[np.generic]:
    """(T, points, 4) a view of the points of all frames."""
    if floats:
        dtype = np.dtype({_INTEL: "<f4", _DEC: "<u4", _MIPS: ">f4"}[head.processor])
    else:
        dtype = np.dtype(">i2" if head.processor == _MIPS else "<i2")
    width = 4 * points + analog
    there = (len(head.data) - head.data_start) // (width * dtype.itemsize)
    if there < count:
        raise head.error(f"expected {count} frames, found {max(there, 0)}: is the file truncated?")
    values = np.frombuffer(head.data, dtype=dtype, count=count * width, offset=head.data_start)
    return values.reshape(count, width)[:, : 4 * points].reshape(count, points, 4)


def _up(head: _Head) -> str | None:
    """``+z`` where POINT:Y_SCREEN says ``+Z`` or ``Z``."""
    text = next((text for text in head.texts("POINT", "Y_SCREEN") if text), None)
    if text is None:
        return None
    match = re.fullmatch(r"([+-]?) ?([XYZxyz])", text)
    if match is None:
        raise head.error(f"expected POINT:Y_SCREEN to be an axis such as +Z, found {text!a}: pass up=")
    return (match[1] or "+") + match[2].lower()


@dataclass(frozen=True)
class _Parameter:
    """Where a parameter's values lie."""

    kind: int
    """-1 characters, 1 bytes, 2 whole numbers of 16 bits, 4 floats."""
    dimensions: tuple[int, ...]
    start: int
    """The byte of the file where the values begin."""


class _Head:
    """The header and the parameters of a file."""

    def __init__(self, data: bytes, file: str) -> None:
        self.data, self.file = data, file
        if len(data) < _BLOCK:
            raise self.error(f"expected a header of {_BLOCK} bytes, found {len(data)}: is the file truncated?")
        start = (data[0] - 1) * _BLOCK
        if data[1] != 0x50 or start < _BLOCK:
            raise self.error(f"expected a C3D header (a block number, then 0x50), found {data[:2].hex(' ')}")
        if start + 4 > len(data):
            raise self.error(f"expected parameters in block {data[0]}, found the end of the file")
        self.processor = data[start + 3]
        if self.processor not in (_INTEL, _DEC, _MIPS):
            expected = "84 (Intel), 85 (DEC) or 86 (MIPS)"
            raise self.error(f"expected the number of a processor, {expected}, found {self.processor}")
        self.order = ">" if self.processor == _MIPS else "<"
        self.parameters: dict[tuple[str, str], _Parameter] = {}
        self.data_start = (self.word(9) - 1) * _BLOCK
        self._walk(start + 4, self.data_start if self.data_start > start else len(data))
        if self.data_start < 0:
            self.data_start = int(self.number("POINT", "DATA_START", 0) or 0) * _BLOCK - _BLOCK
        if self.data_start <= 0:
            raise self.error("expected the block where the frames begin, found 0")

    def error(self, message: str) -> ReadError:
        """The error to raise for this file."""
        return ReadError(message, file=self.file)

    def word(self, number: int) -> int:
        """A word of the header (from 1), without a sign."""
        return self._word_at(2 * number - 2)

    def float_at(self, offset: int) -> float:
        """A float anywhere in the file, by its byte."""
        code = "<u4" if self.processor == _DEC else f"{self.order}f4"
        return float(_plain(np.frombuffer(self.data, code, 1, offset), self.processor)[0])

    def _word_at(self, offset: int) -> int:
        return int.from_bytes(self.data[offset : offset + 2], "big" if self.order == ">" else "little")

    def _walk(self, at: int, end: int) -> None:
        """Find all parameters between two bytes of the file, each of which says where the next one begins.

        Where one leads out of them, as the last one of some files does, what matters must stand before it.
        """
        groups: dict[int, str] = {}
        found: dict[tuple[int, str], _Parameter] = {}
        end, broken = min(end, len(self.data)), False
        while at + 2 <= end and (length := _signed(self.data[at])) != 0:
            number = _signed(self.data[at + 1])
            link = at + 2 + abs(length)
            if link + 2 > end:
                raise self.error(f"expected the parameters to end before byte {end}, found one that does not")
            name = text_of(self.data[at + 2 : link]).strip(" \0").upper()
            step = self._word_at(link)
            if number < 0:
                groups.setdefault(-number, name)
            elif link + 4 <= end:
                first = link + 4 + self.data[link + 3]
                dimensions = tuple(self.data[link + 4 : first])
                found.setdefault((number, name), _Parameter(_signed(self.data[link + 2]), dimensions, first))
            if step == 0:
                break
            broken = step == 1 or link + step > end
            if broken:
                break
            at = link + step
        self.end = end
        for (number, name), parameter in found.items():
            if number in groups:
                self.parameters.setdefault((groups[number], name), parameter)
        lost = [name for name in _NEEDED if ("POINT", name) not in self.parameters]
        if broken and lost:
            where = f"the parameter at byte {at} leads out of them, and POINT has no {', '.join(lost)}"
            raise self.error(f"expected the parameters to end before byte {end}, found that {where}")

    def _values(self, group: str, name: str, kinds: tuple[int, ...]) -> tuple[_Parameter, int] | None:
        """A parameter of one of these kinds and how many values it has, all of which are there."""
        parameter = self.parameters.get((group, name))
        if parameter is None:
            return None
        if parameter.kind not in kinds:
            wanted = "text" if kinds == (-1,) else "a number"
            raise self.error(f"expected {group}:{name} to be {wanted}, found the type {parameter.kind}")
        count = math.prod(parameter.dimensions)
        if parameter.start + count * abs(parameter.kind) > self.end:
            raise self.error(f"expected {count} values of {group}:{name}, found the end of the parameters")
        return parameter, count

    def number(self, group: str, name: str, otherwise: float | None) -> float | None:
        """The first value of a parameter, whole numbers without a sign; ``otherwise`` where there is none."""
        found = self._values(group, name, (1, 2, 4))
        if found is None or found[1] == 0:
            return otherwise
        start = found[0].start
        if found[0].kind == 4:
            return self.float_at(start)
        return float(self.data[start] if found[0].kind == 1 else self._word_at(start))

    def wide(self, group: str, name: str) -> int | None:
        """A whole number in two words, the low one first."""
        found = self._values(group, name, (1, 2, 4))
        if found is None or found[0].kind != 2 or found[1] < 2:
            return None
        return self._word_at(found[0].start) + (self._word_at(found[0].start + 2) << 16)

    def texts(self, group: str, name: str) -> list[str]:
        """The texts of a parameter without the blanks around them; none where there is no such parameter."""
        found = self._values(group, name, (-1,))
        if found is None:
            return []
        parameter, count = found
        length = parameter.dimensions[0] if parameter.dimensions else 1
        whole = self.data[parameter.start : parameter.start + count]
        return [_text(whole[at : at + length]) for at in range(0, count, length)] if length else []

    def series(self, group: str, name: str) -> list[str]:
        """The texts of NAME, NAME2, NAME3, ..."""
        found, number = self.texts(group, name), 2
        while (group, f"{name}{number}") in self.parameters:
            found += self.texts(group, f"{name}{number}")
            number += 1
        return found

    def labels(self, points: int) -> list[str]:
        """What the points are called; "" where a point has no label."""
        found = self.series("POINT", "LABELS")[:points]
        return found + [""] * (points - len(found))

    def outputs(self) -> set[str]:
        """The labels of points that are no places in space."""
        groups = {*_OUTPUTS, *self.texts("POINT", "TYPE_GROUPS")[::2]}
        return {label for group in groups for label in self.series("POINT", group.upper())}

    def rate(self) -> float | None:
        """Frames/s of POINT:RATE, else of the header, as the shortest decimal number that is this float (59.94)."""
        for rate in (self.number("POINT", "RATE", None), self.float_at(20)):
            if rate is not None and 0 < rate <= 1e6:
                return float(str(np.float32(rate)))
        return None


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _text(word: bytes) -> str:
    return text_of(word.partition(b"\0")[0].strip(b" \t\r\n"))
