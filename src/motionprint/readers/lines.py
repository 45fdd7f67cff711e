"""What the readers of text formats share: lines that know their file and number, and numbers read in bulk.

Bulk reading answers None at anything unusual; the reader then walks the lines one by one, which either reads the
same or says in which line the fault is. So the fast way never accepts what the slow way would refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

__all__ = [
    "MAX_JOINTS",
    "MAX_NUMBER",
    "MAX_POSITIONS",
    "Lines",
    "blocks",
    "floats",
    "require_few_gaps",
    "require_size",
    "sequence_of",
    "show",
    "text_of",
    "tokens_per_line",
    "with_gaps",
]

MAX_JOINTS = 1024
"""A body has fewer; what has more is no body."""
MAX_NUMBER = 1e9
"""No angle, length or position is larger in any unit."""
MAX_POSITIONS = 200_000_000
"""Frames x joints of one recording: 50 hours of 31 joints at 30 frames/s."""

_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


class Lines:
    """The lines of a text file, which know where they are.

    ``\\r\\n`` and ``\\r`` end a line as ``\\n`` does; a byte order mark and a final Ctrl-Z are ignored.
    """

    def __init__(self, data: bytes, file: str) -> None:
        self.file = file
        data = data.removeprefix(b"\xef\xbb\xbf")
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self.data = data.rstrip(b" \t\n\r\x0b\x0c\x1a") + b"\n"

    def error(self, message: str, line: int | None = None) -> ReadError:
        """The error to raise for a line (from 1)."""
        return ReadError(message, file=self.file, line=line)

    def after(self, start: int = 0, line: int = 1) -> Iterator[tuple[int, int, list[bytes]]]:
        """(number, start, words) of each line that has words, from the one that begins at byte ``start``."""
        while start < len(self.data):
            end = self.data.find(b"\n", start)
            words = self.data[start:end].split()
            if words:
                yield line, start, words
            start, line = end + 1, line + 1

    def number(self, word: bytes, line: int, what: str = "a number") -> float:
        """The number that a word is; nan, inf and anything else is a ReadError."""
        if not _NUMBER.fullmatch(word) or abs(value := float(word)) > MAX_NUMBER:
            raise self.error(f"expected {what}, found {show(word)}", line)
        return value

    def numbers(self, words: Sequence[bytes], count: int, line: int, what: str) -> list[float]:
        """Exactly ``count`` numbers."""
        if len(words) != count:
            raise self.error(f"expected {count} {what}, found {len(words)}", line)
        return [self.number(word, line, f"a number among the {what}") for word in words]


def show(word: bytes) -> str:
    """A word from a file, short and printable, for a message."""
    text = word[:40].decode("latin-1")
    return repr(text + "..." if len(word) > 40 else text)


def text_of(word: bytes) -> str:
    """A name from a file: UTF-8, or else Latin-1."""
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError:
        return word.decode("latin-1")


def tokens_per_line(body: bytes) -> npt.NDArray[np.int64]:
    """How many words each line of ``body``, which ends in a newline, has."""
    characters = np.frombuffer(body, dtype=np.uint8)
    blank = characters <= 32
    starts = np.flatnonzero(~blank[1:] & blank[:-1]) + 1
    if not blank[0]:
        starts = np.concatenate(([0], starts))
    return np.diff(np.searchsorted(starts, np.flatnonzero(characters == 10)), prepend=0)


def blocks(body: bytes, count: int) -> Iterator[bytes]:
    """``body``, which ends in a newline, in pieces of ``count`` lines: bounds the memory that a long file takes."""
    ends = np.flatnonzero(np.frombuffer(body, dtype=np.uint8) == 10)[count - 1 :: count] + 1
    start = 0
    for end in (*ends.tolist(), len(body)):
        if end > start:
            yield body[start:end]
        start = end


def floats(words: list[bytes]) -> npt.NDArray[np.float64] | None:
    """All words as numbers, or None if one of them is not a finite one of sensible size."""
    if b"".join(words).translate(None, b"0123456789+-.eE"):
        return None
    try:
        values = np.fromiter(map(float, words), dtype=np.float64, count=len(words))
    except ValueError:
        return None
    return values if bool((np.abs(values) <= MAX_NUMBER).all()) else None


def sequence_of(
    positions: npt.NDArray[np.float32], fps: float, skeleton: Skeleton, *, name: str, person: int = 0
) -> SkeletonSequence:
    """The recording, named after its file."""
    folder, slash, file = name.rpartition("/")
    stem = file.rsplit(".", 1)[0] if "." in file else file
    return SkeletonSequence(positions, fps, skeleton, name=folder + slash + stem, person=person, source=name)


def require_size(frames: int, joints: int, file: str) -> None:
    """Refuse what would need far more memory than its file."""
    if frames * joints > MAX_POSITIONS:
        raise ReadError(
            f"expected at most {MAX_POSITIONS} joint positions, found {frames} frames of {joints} joints", file=file
        )


def with_gaps(
    positions: npt.NDArray[np.float32], numbers: Sequence[int], file: str, what: str = "frames"
) -> npt.NDArray[np.float32]:
    """(F, J, 3) positions of frames with increasing numbers as (T, J, 3): NaN for the numbers that are left out.

    Raises
    ------
    ReadError
        If more frames are missing than are there: memory would grow with the numbers, not with the file.
    """
    require_few_gaps(numbers, file, what)
    span = numbers[-1] - numbers[0] + 1
    require_size(span, positions.shape[1], file)
    if span == len(numbers):
        return positions
    spread = np.full((span, *positions.shape[1:]), np.nan, dtype=np.float32)
    spread[np.asarray(numbers) - numbers[0]] = positions
    return spread


def require_few_gaps(numbers: Sequence[int], file: str, what: str) -> None:
    """Refuse frames with increasing numbers of which more are missing than are there."""
    span = numbers[-1] - numbers[0] + 1
    if span > 2 * len(numbers):
        raise ReadError(
            f"expected {what} for at least half of the numbers {numbers[0]} to {numbers[-1]}, found {len(numbers)}",
            file=file,
        )
