"""CSV files beside a map: labels and clusters that colour it, and the file that labels given by hand go to."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

from motionprint.errors import DatasetError
from motionprint.store.atomic import refused, replaced

__all__ = ["COLUMNS", "Items", "Labels", "checked_label", "read_columns"]

COLUMNS = ("name", "source", "person", "start", "end", "label")
"""The columns of a file of labels given by hand."""

LONGEST = 200
"""Characters of a label."""


@dataclass(frozen=True, eq=False)
class Items:
    """What tells the points of a map from each other: lists of N."""

    name: list[str]
    source: list[str | None]
    person: list[int]
    start: list[float]
    """Seconds, in the recording."""
    end: list[float]

    def __len__(self) -> int:
        return len(self.name)

    def find(self, row: Mapping[str, str]) -> list[int]:
        """The items a line of a CSV file speaks of: by name (else file); if several, by source, person and start."""
        found = self._by_name.get(row["name"], []) if "name" in row else self._by_source.get(row["file"], [])
        if len(found) > 1 and row.get("source"):
            found = [item for item in found if self.source[item] == row["source"]]
        if len(found) > 1 and row.get("person"):
            found = [item for item in found if str(self.person[item]) == row["person"]]
        if len(found) > 1 and row.get("start"):
            try:
                start = float(row["start"])
            except ValueError:
                return []
            found = [item for item in found if abs(self.start[item] - start) < 1.5e-3]
        return found

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for item, name in enumerate(self.name):
            found.setdefault(name, []).append(item)
        return found

    @cached_property
    def _by_source(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for item, source in enumerate(self.source):
            if source is not None:
                found.setdefault(source, []).append(item)
        return found


def read_columns(path: str | Path, items: Items, whose: str) -> dict[str, list[str | None]]:
    """The columns of a CSV file of labels or clusters, by name: for each item its value, None where it has none.

    The file has the column name (or file), and label or cluster, as ``motionprint label``, ``cluster`` and ``view``
    write them. ``whose`` names where the items come from, in messages.

    Raises
    ------
    DatasetError
        If it cannot be read, lacks a column, names what is no item, or gives an item two labels: the text names the
        line.
    """
    header, lines = _read(path)
    if not {"name", "file"} & set(header) or not {"label", "cluster"} & set(header):
        raise DatasetError(
            f"{path}: expected the columns name and label, or name and cluster; found {', '.join(header) or 'none'}"
        )
    columns: dict[str, list[str | None]] = {key: [None] * len(items) for key in header}
    seen: dict[int, int] = {}
    for number, row in lines:
        found = items.find(row)
        if not found:
            told = row.get("name", row.get("file", ""))
            raise DatasetError(f"{path}:{number}: expected a sequence of {whose}, found {told!r}")
        for item in found:
            for key in {"label", "cluster"} & set(header):
                if item in seen and columns[key][item] != (row[key] or None):
                    raise DatasetError(
                        f"{path}:{number}: {items.name[item]}: expected the {key} of line {seen[item]}, "
                        f"{columns[key][item]!r}; found {row[key]!r}"
                    )
            seen.setdefault(item, number)
            for key in header:
                columns[key][item] = row[key] or None
    return columns


def _read(path: str | Path) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """The header of a CSV file, and its other lines by number."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path}: expected a CSV file of UTF-8 text: {error.reason} at byte {error.start}"
        ) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise DatasetError(f"{path}:1: expected a CSV file: {error}") from error
    if len(set(header)) < len(header):
        raise DatasetError(f"{path}:1: expected different columns, found {', '.join(header)}")

    def lines() -> Iterator[tuple[int, dict[str, str]]]:
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise DatasetError(f"{path}:{reader.line_num}: expected a CSV file: {error}") from error
            if cells is None:
                return
            if not cells:
                continue  # an empty line
            if len(cells) != len(header):
                raise DatasetError(f"{path}:{reader.line_num}: expected {len(header)} values, found {len(cells)}")
            yield reader.line_num, dict(zip(header, cells, strict=True))

    return header, lines()


def checked_label(text: str) -> str:
    """A label as it is kept, without the blanks around it.

    Raises
    ------
    DatasetError
        If nothing is left, it is too long, or it has characters that cannot be printed.
    """
    label = text.strip()
    if not (0 < len(label) <= LONGEST and label.isprintable()):
        raise DatasetError(f"expected a label of 1 to {LONGEST} printable characters, found {text[:40]!a}")
    return label


class Labels:
    """The CSV file that labels given by hand go to: read anew before each change, replaced as a whole.

    Lines of sequences that are not on the map are kept as they are.

    Raises
    ------
    DatasetError
        If the file is there and is none of labels given by hand: it has other columns, which would be lost.
    """

    def __init__(self, file: str | Path, items: Items) -> None:
        self.file = Path(file)
        self.items = items
        self.lock = Lock()
        """Held while the file is read or written."""
        self.check(file)

    @staticmethod
    def check(file: str | Path) -> None:
        """Refuse what `Labels` would, before there are items."""
        folder = Path(file).absolute().parent
        if Path(file).is_dir() or not folder.is_dir():
            raise DatasetError(f"{file}: expected a CSV file in a folder that is there, to keep labels in")
        try:
            tempfile.TemporaryFile(dir=folder).close()  # as each change makes one beside it
        except OSError as error:
            raise DatasetError(refused(file, error)) from error
        _labels_in(Path(file))

    def given(self) -> dict[int, str]:
        """The label of each item that has one."""
        with self.lock:
            return self._given(_labels_in(self.file))

    def change(self, labels: Mapping[int, str | None]) -> int:
        """Give items labels, or take them away (None); how many items of the map are labelled then.

        Raises
        ------
        DatasetError
            If the file has been damaged meanwhile, or cannot be written.
        """
        with self.lock:
            kept = []
            for row in _labels_in(self.file):
                spoken_of = self.items.find(row)
                if not set(spoken_of) & set(labels):
                    kept.append(row)
                else:  # a line may speak of several windows
                    kept += [self._row(item, row["label"]) for item in spoken_of if item not in labels]
            kept += [self._row(item, label) for item, label in sorted(labels.items()) if label is not None]
            try:
                with (
                    replaced(self.file) as unfinished,
                    open(unfinished, "w", newline="", encoding="utf-8") as opened,
                ):
                    writer = csv.DictWriter(opened, COLUMNS)
                    writer.writeheader()
                    writer.writerows(kept)
            except OSError as error:
                raise DatasetError(refused(self.file, error)) from error
            return len(self._given(kept))

    def _given(self, rows: list[dict[str, str]]) -> dict[int, str]:
        return {item: row["label"] for row in rows for item in self.items.find(row) if row["label"]}

    def _row(self, item: int, label: str) -> dict[str, str]:
        items = self.items
        values = (items.name[item], items.source[item] or "", str(items.person[item]))
        seconds = (f"{items.start[item]:.3f}", f"{items.end[item]:.3f}")
        return dict(zip(COLUMNS, (*values, *seconds, label), strict=True))


def _labels_in(file: Path) -> list[dict[str, str]]:
    """The lines of a file of labels given by hand; none where there is no file."""
    if not file.exists():
        return []
    header, lines = _read(file)
    if header != list(COLUMNS):
        raise DatasetError(
            f"{file}: expected the columns {','.join(COLUMNS)}, to add labels to; found {','.join(header) or 'none'}"
        )
    return [row for _, row in lines]
