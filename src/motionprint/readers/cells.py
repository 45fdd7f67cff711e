"""What the readers of tables share: rows of separated cells that know their line, and numbers read in bulk.

A table is UTF-8, else Latin-1, with or without a byte order mark; cells may be quoted. The separator is the one that
cuts the first line into the most cells. Numbers have decimal points, or, where commas do not separate cells, decimal
commas: the first one decides for the whole file. A cell that is empty or says nan or NA is missing.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.readers.lines import MAX_NUMBER

__all__ = ["SEPARATORS", "Cells", "Row", "even_rate", "even_steps", "head_of"]

SEPARATORS = ("\t", ";", ",")
"""What is looked for between cells, in this order."""

Row = tuple[int, list[str]]
"""The number of a line (where a quoted cell has several: of the last) and its cells."""

_HEAD = 256 * 1024  # bytes that tell what a table is
_LINE = 1024 * 1024  # characters that a line may have: bounds the memory that its cells take
_CHUNK = 100_000  # cells at a time: bounds the memory that cells take as text
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MISSING = re.compile(r"(?:[+-]?nan|na)?", re.IGNORECASE)


class Cells:
    """The rows of a table; empty lines are passed over.

    Raises
    ------
    ReadError
        If it is UTF-16; while rows are taken, if a quoted cell does not end.
    """

    def __init__(self, data: bytes, file: str, separator: str | None = None) -> None:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise ReadError("expected UTF-8 or Latin-1 text, found UTF-16: save it as UTF-8", file=file)
        self.file = file
        self._data = data.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n\x1a")
        self._encoding = "utf-8" if _is_utf8(self._data) else "latin-1"
        self._decimal: str | None = None
        self.separator = separator or self._likely()

    def error(self, message: str, line: int | None = None) -> ReadError:
        """The error to raise for a line (from 1)."""
        return ReadError(message, file=self.file, line=line)

    def rows(self) -> Iterator[Row]:
        """Each line that is not empty, as cells."""
        text = io.TextIOWrapper(io.BytesIO(self._data), self._encoding, newline="")
        spaces = self.separator != "\t"  # a blank after a separator is none of the cell
        reader = csv.reader(self._lines(text), delimiter=self.separator, skipinitialspace=spaces, strict=True)
        try:
            for row in reader:
                if len(row) > 1 or (row and row[0].strip()):
                    yield reader.line_num, row
        except csv.Error as error:
            raise self.error(f"expected separated cells, found: {error}", reader.line_num) from error

    def _lines(self, text: io.TextIOWrapper) -> Iterator[str]:
        for line in iter(partial(text.readline, _LINE), ""):
            if len(line) == _LINE:
                raise self.error(f"expected lines of less than {_LINE} characters, found more")
            yield line

    def batches(self, rows: Iterable[Row], width: int, columns: int) -> Iterator[list[Row]]:
        """Rows of ``width`` cells each, so many at a time that ``columns`` cells of each are a bounded number."""
        taken = iter(rows)
        while batch := list(islice(taken, max(1, _CHUNK // max(1, columns)))):
            for line, row in batch:
                if len(row) != width:
                    raise self.error(f"expected {width} cells, found {len(row)}", line)
            yield batch

    def floats(
        self, batch: Sequence[Row], columns: Sequence[int], names: Sequence[str], limit: float = MAX_NUMBER
    ) -> npt.NDArray[np.float64]:
        """(n, C) the numbers in some columns of a batch, NaN where missing; C names are for messages.

        Raises
        ------
        ReadError
            Naming the line and the column of what is no number, or none of sensible size.
        """
        cells = [row[column] for _, row in batch for column in columns]
        self._settle(cells)
        values = _bulk(cells, self._decimal, limit)
        if values is None:
            places = ((line, name) for line, _ in batch for name in names)
            each = (self._number(cell, *place, limit) for cell, place in zip(cells, places, strict=True))
            values = np.fromiter(each, dtype=np.float64, count=len(cells))
        return values.reshape(len(batch), len(columns))

    def _settle(self, cells: list[str]) -> None:
        """Decide between decimal points and commas once there is one of them."""
        if self._decimal is None:
            joined = "".join(cells)
            if "," in joined and self.separator != ",":
                self._decimal = ","
            elif "." in joined:
                self._decimal = "."

    def _number(self, cell: str, line: int, name: str, limit: float) -> float:
        word = cell.strip()
        if _MISSING.fullmatch(word):
            return float("nan")
        if self._decimal == ",":
            word = word.replace(".", "?").replace(",", ".")
        if not _NUMBER.fullmatch(word) or abs(value := float(word)) > limit:
            comma = " with a decimal comma" if self._decimal == "," and "?" in word else ""
            raise self.error(f"column {name}: expected a number{comma}, found {_shown(cell)}", line)
        return value

    def _likely(self) -> str:
        """The separator that cuts the first line into the most cells."""
        end = re.search(rb"[\r\n]", self._data[:_HEAD])
        first = self._data[: end.start() if end else _HEAD].decode(self._encoding, errors="replace")
        bare = re.sub(r'"[^"]*"', "", first)
        return max(SEPARATORS, key=bare.count)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _shown(cell: str) -> str:
    return repr(cell[:40] + "..." if len(cell) > 40 else cell)


def _bulk(cells: list[str], decimal: str | None, limit: float) -> npt.NDArray[np.float64] | None:
    """All cells as numbers, or None if one of them needs a closer look."""
    joined = "\n".join(cells)
    allowed = b"0123456789+-eEnNaA \n" + (decimal or ".").encode()
    if not joined.isascii() or joined.encode().translate(None, allowed):
        return None
    if decimal == ",":
        joined = joined.replace(",", ".")
    words = joined.split("\n")
    if len(words) != len(cells):  # a quoted cell of several lines
        return None
    if "" in words:
        words = [word or "nan" for word in words]
    try:
        values = np.fromiter(map(float, words), dtype=np.float64, count=len(words))
    except ValueError:
        return None
    return values if bool((np.isnan(values) | (np.abs(values) <= limit)).all()) else None


def head_of(data: bytes, rows: int, separator: str | None = None) -> list[list[str]]:
    """The cells of the first lines of what may be a table; nothing where it can be none."""
    head = data[:_HEAD]
    if b"\0" in head:
        return []
    try:
        return [row for _, row in islice(Cells(head, "", separator).rows(), rows)]
    except ReadError:
        return []


def even_rate(
    times: npt.NDArray[np.float64],
    lines: Sequence[int],
    file: str,
    frames: npt.NDArray[np.float64] | npt.NDArray[np.int64] | None = None,
) -> float:
    """Frames/s of (T,) times in seconds; ``frames`` (T,) numbers them where some may be left out.

    Times may be rounded: where they are not even, but agree with a whole rate to their last decimal, it is that one.

    Raises
    ------
    ReadError
        If there is one time only, or one is missing, or a step is less than half or more than one and a half times the
        median step (frames were lost), or the rate is none of a recording.
    """
    if len(times) < 2:
        raise ReadError("expected at least two times, found one: pass fps=", file=file, line=lines[0])
    if np.isnan(times).any():
        raise ReadError("expected a time, found none", file=file, line=lines[int(np.isnan(times).argmax())])
    numbers = np.arange(len(times)) if frames is None else frames
    steps = np.diff(times) / np.diff(numbers)
    middle = float(np.median(steps))
    odd = (steps <= 0) | (steps < 0.5 * middle) | (steps > 1.5 * middle)
    if odd.any():
        at = int(odd.argmax())
        raise ReadError(
            f"expected a time about {middle:.6g} s after the one before, found {steps[at]:.6g} s; fps= takes the "
            "frames as evenly spaced",
            file=file,
            line=lines[at + 1],
        )
    rate = float(f"{(numbers[-1] - numbers[0]) / (times[-1] - times[0]):.9g}")
    if not 1 <= rate <= 1e6:
        message = f"expected times in seconds, found {rate:.6g} frames/s by them; fps= says another rate"
        raise ReadError(message, file=file, line=lines[0])
    return _whole(rate, times, (numbers - numbers[0]).astype(np.float64))


def _whole(rate: float, times: npt.NDArray[np.float64], numbers: npt.NDArray[np.float64]) -> float:
    """The whole rate nearby, if rounded times are those of it; the rate, where times are exact."""
    whole, elapsed = float(round(rate)), times - times[0]
    exact = float(1e-9 * (1 + elapsed[-1]) + 2 * np.spacing(np.abs(times).max()))
    decimals = (10.0**-count for count in range(2, 8) if np.abs(elapsed - np.round(elapsed, count)).max() < exact)
    for tolerance in (exact, 1.01 * next(decimals, 0.0)):
        for each in (whole, rate):
            if np.abs(elapsed - numbers / each).max() <= tolerance:
                return each
    return rate


def even_steps(frames: npt.NDArray[np.float64], lines: Sequence[int], file: str) -> None:
    """Refuse (T,) numbers of frames that do not grow by one and the same step."""
    if np.isnan(frames).any():
        raise ReadError("expected a frame number, found none", file=file, line=lines[int(np.isnan(frames).argmax())])
    steps = np.diff(frames)
    usual = float(np.sort(steps)[len(steps) // 2]) if len(steps) else 1.0
    step = usual if usual > 0 else 1.0
    if (steps != step).any():
        at = int((steps != step).argmax())
        message = f"expected frame {frames[at] + step:.17g}, found {frames[at + 1]:.17g}"
        raise ReadError(message, file=file, line=lines[at + 1])
