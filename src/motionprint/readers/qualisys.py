"""Qualisys Track Manager, exported as TSV: rows ``KEY<tab>value``, then one row of marker positions a frame.

``NO_OF_FRAMES``, ``NO_OF_MARKERS``, ``FREQUENCY`` and ``MARKER_NAMES`` are taken from the header; a row that names the
columns (``Frame  Time  NAME X ...``), and the columns of frames and times, may be there or not. Millimetres, z up,
unless ``unit=`` and ``up=`` say otherwise. A marker that was not seen is empty or at 0 0 0.

The format as described in the Qualisys Track Manager manual, "TSV file formats: Motion data (.tsv)".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from motionprint.kinematics import y_up
from motionprint.readers.cells import Cells, Row, even_steps
from motionprint.readers.lines import require_size, sequence_of
from motionprint.readers.markers import distinct, pick
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence

__all__ = ["EXTENSIONS", "TITLE", "Markers", "parse", "read", "recognises"]

TITLE = "Qualisys TSV"
EXTENSIONS: tuple[str, ...] = (".tsv",)

_MOST_ROWS = 10_000  # of the header, events among them


@dataclass(frozen=True)
class Markers:
    """A file as it stands."""

    names: list[str]
    """(M,)"""
    positions: npt.NDArray[np.float32]
    """(T, M, 3) metres, the file's axes; NaN where a marker was not seen."""
    fps: float


def recognises(data: bytes) -> bool:
    """Whether the first word is NO_OF_FRAMES, with a number after a tab."""
    return re.match(rb"(?:\xef\xbb\xbf)?NO_OF_FRAMES\t\s*\d", data) is not None


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """The one recording in the file."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: it says what its columns are", "columns")
    markers = parse(data, file, metres=settings.metres("mm"), fps=settings.fps)
    positions, skeleton = pick(markers.names, markers.positions, settings.skeleton, file)
    return [sequence_of(y_up(positions, settings.up or "z"), markers.fps, skeleton, name=name)]


def parse(data: bytes, file: str, *, metres: float = 0.001, fps: float | None = None) -> Markers:
    """The markers from the bytes of a file; ``metres`` of its unit, ``fps`` in place of its FREQUENCY.

    Raises
    ------
    ReadError
        Naming the line: the header lacks something or disagrees with the rows, a cell is no number, frames are lost.
    """
    cells = Cells(data, file, "\t")
    rows = cells.rows()
    header, first = _header(rows, cells)
    names = _names(header, cells)
    leading, body = _leading(first, rows, len(names), cells)
    width = len(leading) + 3 * len(names)
    columns = range(len(leading), width)
    titles = [f"{name} {axis}" for name in names for axis in "XYZ"]
    lines: list[int] = []
    clocks, positions = [], []
    for batch in cells.batches(_without_last_tab(body, width), width, width):
        lines += [line for line, _ in batch]
        require_size(len(lines), len(names), file)
        clocks.append(cells.floats(batch, range(len(leading)), leading))
        values = cells.floats(batch, columns, titles).reshape(len(batch), len(names), 3)
        values[(values == 0).all(axis=2)] = np.nan
        positions.append((values * metres).astype(np.float32))
    count, line = _whole(header, "NO_OF_FRAMES", cells)
    if len(lines) != count or not lines:
        raise cells.error(f"expected {count} frames, as NO_OF_FRAMES says, found {len(lines)}", line)
    if "Frame" in leading:
        even_steps(np.concatenate(clocks)[:, leading.index("Frame")], lines, file)
    return Markers(distinct(names), np.concatenate(positions), fps or _frequency(header, cells))


def _header(rows: Iterator[Row], cells: Cells) -> tuple[dict[str, Row], Row]:
    """The rows that begin with a word in capitals, by it, and the first row that does not."""
    header: dict[str, Row] = {}
    line = 1
    for line, row in rows:
        key = row[0].strip()
        if not re.fullmatch(r"[A-Z][A-Z_]+", key) or len(header) > _MOST_ROWS:
            return header, (line, row)
        if key != "EVENT":
            if key in header:
                raise cells.error(f"expected {key} once, found it again", line)
            header[key] = line, row
    raise cells.error("expected rows of numbers below the header, found none", line)


def _cell(header: dict[str, Row], key: str, cells: Cells) -> tuple[str, int]:
    if key not in header:
        raise cells.error(f"expected {key} in the header, found none")
    line, row = header[key]
    return (row[1].strip() if len(row) > 1 else ""), line


def _whole(header: dict[str, Row], key: str, cells: Cells) -> tuple[int, int]:
    """A whole number of the header, and its line."""
    word, line = _cell(header, key, cells)
    if not re.fullmatch(r"[0-9]{1,12}", word):
        raise cells.error(f"expected a whole number after {key}, found {word[:40]!r}", line)
    return int(word), line


def _frequency(header: dict[str, Row], cells: Cells) -> float:
    word, line = _cell(header, "FREQUENCY", cells)
    if not re.fullmatch(r"[0-9]{1,7}(?:[.,][0-9]*)?", word) or not 0 < float(word.replace(",", ".")) <= 1e6:
        raise cells.error(f"expected a positive FREQUENCY, found {word[:40]!r}", line)
    return float(word.replace(",", "."))


def _names(header: dict[str, Row], cells: Cells) -> list[str]:
    included, line = _cell(header, "DATA_INCLUDED", cells) if "DATA_INCLUDED" in header else ("3D", 0)
    if included != "3D":
        raise cells.error(f"expected the positions of markers (DATA_INCLUDED 3D), found {included[:40]!r}", line)
    _cell(header, "MARKER_NAMES", cells)
    line, row = header["MARKER_NAMES"]
    names = [name.strip() for name in row[1:]]
    while names and not names[-1]:
        names.pop()
    count, _ = _whole(header, "NO_OF_MARKERS", cells)
    if len(names) != count or not names:
        raise cells.error(f"expected {count} names, as NO_OF_MARKERS says, found {len(names)}", line)
    return names


def _leading(first: Row, rows: Iterator[Row], markers: int, cells: Cells) -> tuple[list[str], Iterator[Row]]:
    """The columns before the markers (``Frame``, ``Time``, both or none), and the rows of numbers."""
    line, row = first
    titles = [title.strip().capitalize() for title in row[:2]]
    if titles[0] in ("Frame", "Time"):
        leading = titles if titles == ["Frame", "Time"] else titles[:1]
        return leading, rows
    if row[0].strip().upper().endswith(" X"):  # names of the columns, of markers only
        return [], rows
    cells_found = len(row) - (row[-1].strip() == "" and len(row) in (3 * markers + 1, 3 * markers + 3))
    more = cells_found - 3 * markers
    if more not in (0, 2):
        raise cells.error(
            f"expected {3 * markers} cells, or with frame and time {3 * markers + 2}, found {len(row)}", line
        )
    return (["Frame", "Time"] if more else []), chain([first], rows)


def _without_last_tab(rows: Iterator[Row], width: int) -> Iterator[Row]:
    """Rows less the empty cell after a tab at their end."""
    for line, row in rows:
        yield line, (row[:-1] if len(row) == width + 1 and not row[-1].strip() else row)
