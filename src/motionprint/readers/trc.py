"""TRC (Track Row Column; Motion Analysis, OpenSim): markers over time as a table of cells between tabs.

Two lines of names and values say the rate (``DataRate``), ``NumFrames``, ``NumMarkers`` and ``Units``; one line names
the markers, each over three columns, the next one counts them (``X1 Y1 Z1 X2 ...``); then a line a frame: its number,
the time, x, y, z of each marker. A blank cell, or ``nan``, is a missing value. What stands in a line beyond the columns
of the markers is passed over: some programs append points there that they could not tell from frame to frame.

Millimetres unless ``Units`` or ``unit=`` says otherwise. The file does not say which axis points up: y, as OpenSim has
it, unless ``up=`` says otherwise. The markers are chosen by ``skeleton=``: see `readers.markers`.

The format as described in OpenSim's documentation, "Marker (.trc) Files".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.kinematics import y_up
from motionprint.readers.lines import MAX_NUMBER, Lines, blocks, require_size, sequence_of, show, text_of
from motionprint.readers.markers import distinct, metres_of, pick
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence

__all__ = ["EXTENSIONS", "TITLE", "Table", "parse", "read", "recognises"]

TITLE = "TRC"
EXTENSIONS: tuple[str, ...] = (".trc",)

_FRAMES = 1024  # at a time: bounds the memory that a long recording takes
_ODD = re.compile(rb"[^\t\n ] +[^\t\n ]")  # two words in a cell
_NEEDED = ("NumFrames", "NumMarkers")


@dataclass(frozen=True)
class Table:
    """A TRC file as it stands."""

    names: list[str]
    """(M,) the markers, each name once."""
    values: npt.NDArray[np.float64]
    """(T, M, 3) in the file's unit; NaN where a cell is blank."""
    rate: float | None
    """Frames/s; None where the file says none, or 0."""
    unit: str | None
    """What ``Units`` says."""


def recognises(data: bytes) -> bool:
    """Whether the first word is PathFileType."""
    return re.match(rb"(?:\xef\xbb\xbf)?\s*PathFileType\s", data, re.IGNORECASE) is not None


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """The one recording in the file."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: its columns are always the same", "columns")
    table = parse(data, file)
    metres = metres_of(table.unit, settings, "Units", file)
    fps = settings.fps or table.rate
    if fps is None:
        raise ReadError("expected a positive DataRate, found none: pass fps=", file=file)
    positions = y_up((table.values * metres).astype(np.float32), settings.up or "y")
    chosen, skeleton = pick(table.names, positions, settings.skeleton, file)
    return [sequence_of(chosen, fps, skeleton, name=name)]


def parse(data: bytes, file: str) -> Table:
    """A TRC file from its bytes.

    Raises
    ------
    ReadError
        Naming the line: the header lacks a line or a count, a cell is no number, a frame has not three cells a marker,
        there are more markers than the header says, or more or fewer frames.
    """
    lines, text = Lines(b"", file), _text(data)
    rows = _rows(text)
    number, _, cells = next(rows, (1, 0, [b"nothing"]))
    if cells[0].lower() != b"pathfiletype":
        raise lines.error(f"expected PathFileType, found {show(cells[0])}", number)
    keys_line, _, keys = next(rows, (number + 1, 0, []))
    value_line, _, values = next(rows, (keys_line + 1, 0, []))
    given = {text_of(key).lower(): text_of(value) for key, value in zip(keys, values, strict=False)}
    for key in _NEEDED:
        if key.lower() not in given:
            raise lines.error(f"expected a value for {key}, found none: is the file truncated?", value_line)
    frames, markers = (_count(lines, given[key.lower()], key, value_line) for key in _NEEDED)
    rate = lines.number(given["datarate"].encode(), value_line, "a DataRate") if given.get("datarate") else 0.0
    if not 0 <= rate <= 1e6:
        raise lines.error(f"expected a DataRate of up to a million frames/s, found {rate:g}", value_line)
    name_line, _, cells = next(rows, (value_line + 1, 0, []))
    names = _names(lines, cells, name_line)
    axes_line, _, cells = next(rows, (name_line + 1, 0, []))
    labelled = _labelled(lines, cells, axes_line)
    if len(names) > labelled:
        raise lines.error(f"expected {labelled} markers, as the next line counts, found {len(names)}", name_line)
    if labelled > markers:
        raise lines.error(f"expected {markers} markers, as NumMarkers says, found {labelled}", axes_line)
    names += [""] * (labelled - len(names))
    line, start, _ = next(rows, (axes_line + 1, len(text), []))
    width = 2 + 3 * labelled
    require_size(min(frames, text.count(b"\n")), labelled, file)
    found = _fast_table(text[start:], width)
    if found is None:
        found = _slow_table(lines, text, start, line, width)
    if len(found) != frames:
        raise lines.error(f"expected {frames} frames, as this line says, found {len(found)}", value_line)
    return Table(distinct(names), found[:, 2:].reshape(frames, labelled, 3), rate or None, given.get("units"))


def _text(data: bytes) -> bytes:
    """The file with ``\\n`` alone between its lines, the last of which keeps its blank cells."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.rstrip(b" \n\x1a") + b"\n"


def _rows(text: bytes, start: int = 0, line: int = 1) -> Iterator[tuple[int, int, list[bytes]]]:
    """(number, start, cells) of each line in which there is anything, from the one that begins at byte ``start``."""
    while start < len(text):
        end = text.find(b"\n", start)
        row = text[start:end]
        if row.strip():
            yield line, start, [cell.strip() for cell in row.split(b"\t")]
        start, line = end + 1, line + 1


def _count(lines: Lines, word: str, what: str, line: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", word) or int(word) == 0:
        raise lines.error(f"expected {what} to be a positive number, found {word[:40]!a}", line)
    return int(word)


def _names(lines: Lines, cells: list[bytes], line: int) -> list[str]:
    """The names of the markers, up to the last that has one, three columns apart from the third column on."""
    if not cells or not cells[0].lower().startswith(b"frame"):
        raise lines.error(f"expected Frame#, Time and the markers, found {show((cells or [b'nothing'])[0])}", line)
    between = [cell for place, cell in enumerate(cells[2:]) if place % 3 and cell]
    if between:
        raise lines.error(f"expected the markers three columns apart, found {show(between[0])} between them", line)
    names = [text_of(name) for name in cells[2::3]]
    while names and not names[-1]:
        names.pop()
    return names


def _labelled(lines: Lines, cells: list[bytes], line: int) -> int:
    """How many markers the line ``X1 Y1 Z1 X2 ...`` counts."""
    found = [cell for cell in cells if cell]
    if not found or len(found) % 3:
        raise lines.error(f"expected X1, Y1, Z1, X2, ..., found {len(found)} of them", line)
    for place, cell in enumerate(found):
        if cell[:1].upper() != b"XYZ"[place % 3 : place % 3 + 1] or len(cell) > 10:
            raise lines.error(f"expected {'XYZ'[place % 3]}{place // 3 + 1}, found {show(cell)}", line)
    return len(found) // 3


def _fast_table(body: bytes, width: int) -> npt.NDArray[np.float64] | None:
    """All frames at once, or None if there is anything unusual."""
    tables = []
    for block in blocks(body, _FRAMES):
        characters = np.frombuffer(block, dtype=np.uint8)
        ends = np.flatnonzero(characters == 10)
        tabs = np.diff(np.searchsorted(np.flatnonzero(characters == 9), ends), prepend=0)
        cells = int(tabs[0]) + 1
        if cells < width or bool((tabs != tabs[0]).any()):
            return None
        if block.translate(None, b"0123456789+-.eE\t\n "):
            return None
        if b" " in block:
            if _ODD.search(block):
                return None
            block = block.replace(b" ", b"")
        # a blank cell stands between two separators; the second round finds every other one of a row of them
        filled = block.replace(b"\t\t", b"\tnan\t").replace(b"\t\t", b"\tnan\t").replace(b"\t\n", b"\tnan\n")
        words = filled.split()
        if len(words) != cells * len(ends):
            return None
        try:
            values = np.fromiter(map(float, words), dtype=np.float64, count=len(words)).reshape(-1, cells)
        except ValueError:
            return None
        if bool(np.isnan(values[:, :2]).any() or (np.abs(values) > MAX_NUMBER).any()):
            return None
        tables.append(values[:, :width])
    return np.concatenate(tables) if tables else None


def _slow_table(lines: Lines, text: bytes, start: int, line: int, width: int) -> npt.NDArray[np.float64]:
    """The frames line by line: the same as ``_fast_table``, or the line that is wrong."""
    table = []
    for number, _, cells in _rows(text, start, line):
        if len(cells) < width:
            raise lines.error(f"expected {width} cells (frame, time and 3 a marker), found {len(cells)}", number)
        row = np.full(len(cells), np.nan)
        for place, cell in enumerate(cells):
            if place < 2:
                row[place] = lines.number(cell, number, ("a frame number", "a time")[place])
            elif cell and cell.lower() != b"nan":
                row[place] = lines.number(cell, number, "a number or a blank cell")
        table.append(row[:width])
    return np.array(table).reshape(-1, width)
