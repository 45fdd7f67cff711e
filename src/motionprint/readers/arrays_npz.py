"""NumPy's files from their bytes: headers of numbers or text, as many bytes as they say, never a pickled object."""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.readers.lines import text_of
from motionprint.readers.source import MAX_BYTES

__all__ = ["LONGEST", "MAGIC", "NUMBERS", "TEXT", "Header", "Members", "header_of", "values_of"]

MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    rb"\{\s*'descr':\s*'([^']{1,20})',\s*'fortran_order':\s*(True|False),\s*'shape':\s*\(([0-9, ]{0,200})\),?\s*\}\s*"
)
NUMBERS = re.compile(rb"[<>=|]?(?:f[248]|[iu][1248])")
TEXT = re.compile(rb"[<>=|]?[US][1-9][0-9]{0,4}")
LONGEST = 4096  # bytes of a header: NumPy's own have 118
_MEMBERS = 1000  # arrays of a file; ours have 9
_MAX_RATIO = 300  # as archives have it: a bomb shrinks about 1,000 times
_SMALL = 16 * 1024**2
_PIECE = 4 * 1024**2
_FAILURES = (
    OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, struct.error, ValueError,
    OverflowError, KeyError,
)  # fmt: skip
"""What zipfile raises on damaged archives."""


@dataclass(frozen=True)
class Header:
    """The header of an array."""

    descr: bytes
    """NumPy's name of the type: ``<f4``."""
    fortran: bool
    shape: tuple[int, ...]
    start: int
    """Where the values begin."""

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * np.dtype(self.descr.decode()).itemsize

    def __str__(self) -> str:
        """For messages."""
        return f"{self.descr.decode('latin-1')} {self.shape}"


def header_of(data: bytes, file: str, key: str | None = None) -> Header:
    """The header that an array's bytes begin with: of numbers or text, nothing else."""
    where = "" if key is None else f"{key}: "
    if len(data) < 12 or not data.startswith(MAGIC) or data[6] not in (1, 2, 3):
        raise ReadError(f"{where}expected a NumPy array (.npy, version 1 to 3), found something else", file=file)
    start = 10 if data[6] == 1 else 12
    length = int.from_bytes(data[8:start], "little")
    match = _HEADER.fullmatch(data[start : start + length]) if length <= LONGEST else None
    if match is None or start + length > len(data):
        message = f"{where}expected a header of type, order and shape of numbers or text, found another"
        raise ReadError(message, file=file)
    descr, order, sizes = match.groups()
    if descr in (b"|O", b"O"):
        message = f"{where}expected numbers or text, found Python objects, which are never read: save plain arrays"
        raise ReadError(message, file=file)
    words = [word.strip() for word in sizes.split(b",")]
    words = words[:-1] if words[-1] == b"" else words
    if not all(re.fullmatch(rb"[0-9]{1,15}", word) for word in words):
        raise ReadError(f"{where}expected a shape, found ({sizes.decode()[:40]})", file=file)
    if not (NUMBERS.fullmatch(descr) or TEXT.fullmatch(descr)):
        message = f"{where}expected numbers or text, found the type {descr.decode('latin-1')!r}"
        raise ReadError(message, file=file)
    return Header(descr, order == b"True", tuple(int(word) for word in words), start + length)


def values_of(content: bytearray, head: Header) -> npt.NDArray[np.generic]:
    values = np.frombuffer(content, dtype=np.dtype(head.descr.decode()))
    return values.reshape(head.shape, order="F" if head.fortran else "C")


class Members:
    """The arrays of an ``.npz`` by key; use it in a ``with`` statement."""

    def __init__(self, data: bytes, file: str) -> None:
        self.file = file
        self._length = len(data)
        if data.count(b"PK\x01\x02") > _MEMBERS:
            raise self.error(None, f"expected at most {_MEMBERS} arrays, found more")
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
            members = self._archive.infolist()
        except _FAILURES as error:
            raise self.error(None, f"expected an undamaged .npz, found: {error}") from error
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in members:
            key = member.filename.removesuffix(".npy")
            if key in self._members:
                raise self.error(None, f"expected each key once, found {key[:40]!r} again")
            if member.filename.endswith(".npy"):
                self._members[key] = member

    def __enter__(self) -> Members:
        return self

    def __exit__(self, *error: object) -> None:
        self._archive.close()

    def __contains__(self, key: str) -> bool:
        return key in self._members

    def keys(self) -> set[str]:
        """All keys."""
        return set(self._members)

    def error(self, key: str | None, message: str) -> ReadError:
        """The error to raise for a key."""
        return ReadError(message if key is None else f"{key}: {message}", file=self.file)

    def head(self, key: str) -> Header:
        """The header of an array: its values are not read."""
        return header_of(bytes(self._read(key, None)), self.file, key)

    def array(self, key: str) -> npt.NDArray[np.generic]:
        """The numbers under a key."""
        head = self.head(key)
        if not NUMBERS.fullmatch(head.descr):
            raise self.error(key, f"expected numbers, found {head}")
        return values_of(self._content(key, head), head)

    def texts(self, key: str) -> list[str]:
        """The texts under a key, in a row."""
        head = self.head(key)
        if not TEXT.fullmatch(head.descr) or head.size > _SMALL or len(head.shape) > 1:
            raise self.error(key, f"expected texts, found {head}")
        content = self._content(key, head)
        kind, order = head.descr.lstrip(b"<>=|")[:1], ">" if head.descr.startswith(b">") else "<"
        if not content:
            return []
        if kind == b"S":
            return [text_of(word) for word in np.frombuffer(content, dtype=head.descr.decode()).tolist()]
        codes = np.frombuffer(content, dtype=f"{order}u4")
        if ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any():
            raise self.error(key, "expected texts, found numbers that are no characters")
        return [str(word) for word in np.frombuffer(content, dtype=f"{order}{head.descr.lstrip(b'<>=|').decode()}")]

    def _content(self, key: str, head: Header) -> bytearray:
        """The bytes of an array, as many as its header says."""
        member = self._members[key]
        found = member.file_size - head.start
        if found != head.size:
            raise self.error(key, f"expected {head.size} bytes for {head}, found {found}")
        return self._read(key, head.start + head.size)[head.start :]

    def _read(self, key: str, size: int | None) -> bytearray:
        """The first bytes of a member, or all of its ``size`` bytes, checked against its checksum."""
        member = self._members[key]
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self.error(key, "expected an array as NumPy writes it, found one encrypted or compressed otherwise")
        allowed = min(MAX_BYTES, max(_SMALL, min(member.compress_size, self._length) * _MAX_RATIO))
        if size is not None and size > allowed:
            message = f"expected at most {allowed} bytes for {member.compress_size} compressed ones, found {size}"
            raise self.error(key, f"{message}: refused as a decompression bomb")
        content = bytearray()
        try:
            with self._archive.open(member) as stream:
                if size is None:
                    return bytearray(stream.read(LONGEST + 12))
                while chunk := stream.read(_PIECE):
                    content += chunk
        except _FAILURES as error:
            raise self.error(key, f"expected an undamaged array, found: {error}") from error
        if len(content) != size:
            raise self.error(key, f"expected {size} bytes, found {len(content)}")
        return content
