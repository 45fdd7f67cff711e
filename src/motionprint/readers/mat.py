"""MATLAB ``.mat`` (version 5, as MATLAB 6 to 7.2 and `scipy.io.savemat` write it) with joint positions in a variable.

Two variables are known:

==============  =============  ===========  ================================================================
``d_skel``      (20, 3, T)     metres       UTD-MHAD: Kinect v1, y up; put into the order of ``kinect20``
``positions``   (T, 16, 3)     millimetres  Berkeley MHAD as 16 joints (Lannan et al. 2022), ``mhad16``
==============  =============  ===========  ================================================================

Both have 30 frames/s. A joint of ``d_skel`` at (0, 0, 0) is missing, and so is NaN. y is up, unless ``up=`` says
otherwise: the depth twins of ``positions`` are z up.

A file is a header of 128 bytes and elements: a tag (type and bytes) and its content, packed by zlib or not. What a tag
claims is compared with what is there, and the sizes of the wanted variable with its bytes, before anything is unpacked;
what is not wanted is not unpacked. Only then, and only that one array, is handed to `scipy.io.loadmat`. MATLAB 7.3
files are HDF5 and are refused.

MathWorks, "MAT-File Format" (matfile_format.pdf); the data sets are described in `corpora.utd_mhad` and
`corpora.mhad_dmocap`.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.kinematics import y_up
from motionprint.readers.kinect import zeros_missing
from motionprint.readers.lines import MAX_NUMBER, require_size, sequence_of, show
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton

__all__ = ["EXTENSIONS", "TITLE", "parse", "read", "recognises"]

TITLE = "MATLAB positions"
EXTENSIONS: tuple[str, ...] = (".mat",)
FPS = 30.0

_KINECT, _MHAD = SKELETONS["kinect20"], SKELETONS["mhad16"]
_ORDER = [3, 2, 1, 0, *range(4, 20)]
"""For each joint of ``kinect20`` its row in ``d_skel``, which begins with head, shoulder centre, spine, hip centre."""
_WANTED = {"d_skel": (_KINECT, "m"), "positions": (_MHAD, "mm")}
"""The variables that are read: their joints and their unit."""

_HEADER = 128
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HEAD = 1024
"""Bytes of an element that hold its flags, sizes and name, with much room."""
_MATRIX, _COMPRESSED = 14, 15
_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
"""Bytes of a number by the type of its element."""
_CLASSES = {1: "a cell array", 2: "a struct", 3: "an object", 4: "text", 5: "a sparse matrix"}
_NUMERIC = range(6, 16)
_MAX_RATIO, _SMALL = 300, 16 * 1024**2  # as for archives: motion shrinks 3 to 20 times, a bomb about 1,000 times


def recognises(data: bytes) -> bool:
    """Whether it is a MATLAB file with one of the variables that are read."""
    if _is_hdf5(data):
        return any(name.encode() in data for name in _WANTED)
    if _order(data) is None:
        return False
    try:
        return any(variable.name in _WANTED for variable in _variables(data, ""))
    except ReadError:
        return False


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """The one recording in the file."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: the variable's name says which joints they are", "skeleton", "columns")
    positions, skeleton, unit = parse(data, file)
    metres = positions.astype(np.float64) * settings.metres(unit)
    turned = y_up(metres.astype(np.float32), settings.up or "y")
    return [sequence_of(turned, settings.fps or FPS, skeleton, name=name)]


def parse(data: bytes, file: str) -> tuple[npt.NDArray[np.float32], Skeleton, str]:
    """The joint positions (T, J, 3) as they stand in the file, their skeleton and their unit.

    Raises
    ------
    ReadError
        If it is no MATLAB file of version 5, is damaged, has none of the variables, or one of another shape or type.
    """
    if _is_hdf5(data):
        raise ReadError(
            "expected a MATLAB file of version 5, found 7.3 (HDF5): in MATLAB load it and save it with "
            "save('FILE.mat', '-struct', 'loaded', '-v7'), where loaded = load('FILE.mat')",
            file=file,
        )
    if _order(data) is None:
        raise ReadError("expected a MATLAB file of version 5, found another header", file=file)
    names = []
    for variable in _variables(data, file):
        if variable.name in _WANTED:
            skeleton, unit = _WANTED[variable.name]
            return _positions(variable, data, file), skeleton, unit
        names.append(variable.name)
    some = ", ".join(show(name.encode("latin-1")) for name in names[:8]) + (
        f" and {len(names) - 8} more" if len(names) > 8 else ""
    )
    raise ReadError(f"expected the variable {' or '.join(_WANTED)}, found {some or 'none'}", file=file)


# ---- what an array is ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Variable:
    """An element of the file: what its first bytes say it is."""

    name: str
    kind: int
    """Its class: 6 and above are numbers."""
    complex: bool
    sizes: tuple[int, ...]
    start: int
    """Where in the file its content begins, after the tag."""
    end: int
    packed: bool
    """Whether that content is compressed."""
    length: int
    """Bytes that the array claims, without its tag."""
    numbers: int
    """Where in them the tag of its numbers begins."""
    head: bytes
    """The first bytes of the array, with its tag."""


def _positions(variable: _Variable, data: bytes, file: str) -> npt.NDArray[np.float32]:
    name = variable.name
    if variable.kind not in _NUMERIC or variable.complex:
        found = "complex numbers" if variable.complex else _CLASSES.get(variable.kind, f"class {variable.kind}")
        raise ReadError(f"{name}: expected real numbers, found {found}", file=file)
    joints = len(_WANTED[name][0])
    sizes, shape = variable.sizes, "(T, 16, 3)"
    if name == "d_skel":
        sizes = (*sizes, 1) if len(sizes) == 2 else sizes  # MATLAB drops a last size of one
        shape, fits, frames = "(20, 3, T)", sizes[:2] == (joints, 3), sizes[-1]
    else:
        fits, frames = sizes[1:] == (joints, 3), sizes[0]
    if len(sizes) != 3 or not fits or frames < 1:
        raise ReadError(f"{name}: expected the shape {shape}, found {variable.sizes}", file=file)
    require_size(frames, joints, file)
    values = _load(variable, data, file).reshape(sizes)
    if name == "d_skel":
        values = values.transpose(2, 0, 1)[:, _ORDER]
    wrong = ~(np.isnan(values) | (np.abs(values) <= MAX_NUMBER))
    if wrong.any():
        frame, joint, _ = (int(number) for number in np.argwhere(wrong)[0])
        where = f"{name}: frame {frame + 1}, joint {_WANTED[name][0].joint_names[joint]}"
        raise ReadError(f"{where}: expected finite numbers or NaN, found {values[frame, joint].tolist()}", file=file)
    return zeros_missing(values) if name == "d_skel" else np.ascontiguousarray(values, dtype=np.float32)


def _load(variable: _Variable, data: bytes, file: str) -> npt.NDArray[np.float64]:
    """The numbers of an array, which scipy decodes once every size in it has been checked."""
    name, order = variable.name, _order(data) or "<"
    kind, size, start, _ = _tag(variable.head, variable.numbers, order, file, inside=False)
    count = math.prod(variable.sizes)
    if kind not in _BYTES or size != count * _BYTES[kind]:
        raise ReadError(
            f"{name}: expected {count} numbers, as its sizes say, found {size} bytes of type {kind}", file=file
        )
    if variable.length != (start + size + 7) // 8 * 8 - 8:
        raise ReadError(
            f"{name}: expected {start + size - 8} bytes, found that its tag says {variable.length}", file=file
        )
    whole = 8 + variable.length
    if variable.packed:
        packed = variable.end - variable.start
        if whole > max(_SMALL, _MAX_RATIO * packed):
            raise ReadError(f"{name}: expected less than {whole} bytes from {packed} compressed ones", file=file)
        element = _unpacked(data[variable.start : variable.end], whole + 1, name, file, to_its_end=True)
    else:
        element = data[variable.start - 8 : variable.start + variable.length]
    if len(element) != whole:
        raise ReadError(f"{name}: expected {whole} bytes, found {len(element)}: is the file truncated?", file=file)
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", MatReadWarning)
            loaded = loadmat(io.BytesIO(data[:_HEADER] + element))[name]
        with np.errstate(invalid="ignore"):  # a signalling NaN
            numbers = np.array(loaded, dtype=np.float64)
    except Exception as error:  # whatever scipy makes of damaged bytes
        raise ReadError(
            f"{name}: expected an array that scipy can read, found: {show(str(error).encode())}", file=file
        ) from error
    numbers[np.isnan(numbers)] = np.nan
    return numbers


# ---- what the file is ------------------------------------------------------------------------------------------------


def _is_hdf5(data: bytes) -> bool:
    return data.startswith(_HDF5) or data[512:520] == _HDF5 or data.startswith(b"MATLAB 7.3 MAT-file")


def _order(data: bytes) -> str | None:
    """The order of bytes (as struct writes it) of a MATLAB 5 file; None if it is none."""
    return {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}.get(data[124:_HEADER])


def _tag(data: bytes, at: int, order: str, file: str, *, inside: bool = True) -> tuple[int, int, int, int]:
    """A tag: type, bytes, where its content begins, and where the next tag does.

    ``inside``: its content must lie within ``data``.
    """
    if at + 8 > len(data):
        raise ReadError("expected an element, found the end of the file: is it truncated?", file=file)
    kind, size = struct.unpack_from(f"{order}II", data, at)
    start, after = at + 8, at + 8 + (size + 7) // 8 * 8
    if kind >> 16:  # up to four bytes, which stand in the tag
        kind, size, start, after = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        if size > 4:
            raise ReadError(f"expected at most 4 bytes in a short element, found {size}", file=file)
    if inside and start + size > len(data):
        raise ReadError(f"expected an element of {size} bytes, found {len(data) - start}: is it truncated?", file=file)
    return kind, size, start, after


def _variables(data: bytes, file: str) -> Iterator[_Variable]:
    """What the file holds, from the first bytes of each element; nothing is unpacked beyond them."""
    order = _order(data) or "<"
    at = _HEADER
    while at < len(data):
        kind, size, start, _ = _tag(data, at, order, file)
        if kind not in (_MATRIX, _COMPRESSED) or size == 0:
            raise ReadError(f"expected an array at byte {at}, found an element of type {kind}", file=file)
        end = start + size
        head = data[at : min(end, at + _HEAD)]
        if kind == _COMPRESSED:
            head = _unpacked(data[start:end], _HEAD, "an array", file)
        yield _variable(head, order, file, start, end, kind == _COMPRESSED)
        at = end


def _variable(head: bytes, order: str, file: str, start: int, end: int, packed: bool) -> _Variable:
    """An array from its first bytes: tag, flags, sizes, name."""
    kind, length, at, _ = _tag(head, 0, order, file, inside=False)
    if kind != _MATRIX:
        raise ReadError(f"expected an array, found a compressed element of type {kind}", file=file)
    kind, size, first, at = _tag(head, at, order, file)
    if kind != 6 or size != 8:
        raise ReadError(f"expected an array's flags, found an element of type {kind} and {size} bytes", file=file)
    (flags,) = struct.unpack_from(f"{order}I", head, first)
    kind, size, first, at = _tag(head, at, order, file)
    if kind != 5 or size % 4 or not 8 <= size <= 128:
        raise ReadError(f"expected an array's sizes, found an element of type {kind} and {size} bytes", file=file)
    sizes = struct.unpack_from(f"{order}{size // 4}i", head, first)
    if min(sizes) < 0:
        raise ReadError(f"expected an array's sizes, found {sizes}", file=file)
    kind, size, first, at = _tag(head, at, order, file)
    if kind not in (1, 2):
        raise ReadError(f"expected an array's name, found an element of type {kind}", file=file)
    name = head[first : first + size].decode("latin-1")
    return _Variable(name, flags & 0xFF, bool(flags & 0x800), sizes, start, end, packed, length, at, head)


def _unpacked(packed: bytes, most: int, name: str, file: str, *, to_its_end: bool = False) -> bytes:
    """The first ``most`` bytes of a zlib stream; ``to_its_end``: it has fewer, and its checksum is right."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(packed, most)
    except zlib.error as error:
        raise ReadError(f"{name}: expected undamaged compressed bytes, found: {error}", file=file) from error
    if to_its_end and not stream.eof:
        raise ReadError(f"{name}: expected compressed bytes that end after {most - 1}, found others", file=file)
    return found
