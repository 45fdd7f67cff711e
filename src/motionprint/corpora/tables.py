"""CSV tables that a user hands over beside recordings: labels of files, the index of a corpus's trials."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from motionprint.errors import DatasetError

if TYPE_CHECKING:
    from motionprint.readers.source import Source

__all__ = ["Row", "Table", "read_table"]


@dataclass(frozen=True)
class Table:
    """The header of a table, and its rows."""

    where: str
    """What messages call the file."""
    columns: tuple[str, ...]
    rows: Iterator[Row]
    """In the order of the file; taking one may raise a DatasetError that names its line."""


@dataclass(frozen=True)
class Row:
    """A row with a value in it."""

    at: str
    """``file:line``, what messages about the row begin with."""
    line: int
    cells: dict[str, str | None]
    """Column -> text without blanks around it, None where there is none."""

    def seconds(self, column: str) -> float | None:
        """A time in a recording, None where there is none; DatasetError where the text is no number from 0 to 1e9."""
        text = self.cells.get(column)
        if text is None:
            return None
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds <= 1e9:
            raise DatasetError(f"{self.at}: expected {column} in seconds, found {text!r}")
        return seconds


def read_table(source: Source, table: str, expected: str) -> Table:
    """A CSV file on the disk, or else in the source: UTF-8, commas or semicolons, names of columns first.

    Parameters
    ----------
    expected
        What ``--labels`` may be for this corpus: said where there is no such file.

    Raises
    ------
    DatasetError
        If there is no such file, or it is no text; while rows are taken, if one is malformed.
    """
    if Path(table).is_file() and table not in source.names():
        try:
            where, data = table, Path(table).read_bytes()
        except OSError as error:
            raise DatasetError(f"{table}: expected a file that can be read, found: {error.strerror}") from error
    elif table in source.names():
        where, data = source.label(table), source.read_bytes(table)
    else:
        raise DatasetError(f"labels {table!r}: expected {expected}, found no such file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{where}: expected UTF-8 text: {error}") from error
    head = text.partition("\n")[0]
    separator = ";" if head.count(";") > head.count(",") else ","
    lines = _lines(text, separator, where)
    _, header = next(lines, (1, []))
    columns = tuple(column.strip() for column in header)
    return Table(where, columns, _rows(lines, where, columns))


def _lines(text: str, separator: str, where: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        for values in reader:
            yield reader.line_num, values
    except csv.Error as error:
        raise DatasetError(f"{where}:{reader.line_num}: expected a CSV table: {error}") from error


def _rows(lines: Iterator[tuple[int, list[str]]], where: str, columns: tuple[str, ...]) -> Iterator[Row]:
    for line, values in lines:
        if not any(value.strip() for value in values):
            continue
        at = f"{where}:{line}"
        if len(values) != len(columns):
            raise DatasetError(f"{at}: expected {len(columns)} values, found {len(values)}")
        yield Row(at, line, {column: value.strip() or None for column, value in zip(columns, values, strict=True)})
