"""The labels that are given: a CSV table, brought onto the names of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from motionprint.corpora.tables import Row, read_table
from motionprint.errors import DatasetError
from motionprint.readers.source import Source
from motionprint.store import MotionDataset

__all__ = ["Given", "check_labels", "read_labels"]

_TIME = 0.005
"""Seconds by which a segment's times may differ from the data set's: tables are often written with two decimals."""


@dataclass(frozen=True)
class Given:
    """The labels of a table."""

    labels: dict[str, str]
    """Label by the name of a sequence."""
    proposals: int
    """Rows with a label that nobody gave: those that do not say ``true`` under ``given``."""


def read_labels(path: str | Path, dataset: MotionDataset) -> Given:
    """The labels of a CSV table by the names of a data set's sequences; rows without a label give none.

    A row names a sequence under ``name``, or under ``file`` all sequences of a source: those of the segment from
    ``start`` to ``end`` (seconds) where the data set was cut into segments. With a column ``given`` only rows count
    that say ``true`` there: what a table that `label` wrote says of itself. Further columns are not read. A file
    without any text gives no label.

    Raises
    ------
    DatasetError
        If there is no such file, a column is missing, a row names nothing of the data set or nothing at all, or two
        rows give a sequence different labels.
    """
    if not Path(path).exists():
        raise DatasetError(f"{path}: expected a CSV file of labels, found no such file")
    with Source.open(path) as source:
        if not source.is_single:
            raise DatasetError(f"{path}: expected a CSV file of labels, found a folder or an archive")
        table = read_table(source, source.names()[0], "a CSV file of labels")
    columns = [column for column in table.columns if column]
    if not columns:
        return Given({}, 0)
    if not {"name", "file"} & set(columns) or "label" not in columns or len(set(columns)) != len(columns):
        raise DatasetError(f"{path}:1: expected the columns name (or file) and label; found {', '.join(columns)}")
    found: dict[str, tuple[str, str]] = {}  # name -> label, and the row that said so
    proposals = 0
    meant = _Meant(dataset)
    for row in table.rows:
        names = list(meant(row))
        label = row.cells["label"]
        if label is None:
            continue
        if "given" in columns and (row.cells["given"] or "").lower() != "true":
            proposals += 1
            continue
        for name in names:
            before, at = found.setdefault(name, (label, row.at))
            if before != label:
                raise DatasetError(f"{row.at}: expected one label for {name}, found {label!r} and in {at} {before!r}")
    return Given({name: label for name, (label, _) in found.items()}, proposals)


class _Meant:
    """Which sequences a row is about."""

    def __init__(self, dataset: MotionDataset) -> None:
        self.dataset = dataset
        self.names = dataset.names
        self.known = frozenset(self.names)
        self.by_source: dict[str, list[int]] = {}
        for number, source in enumerate(dataset.sources):
            if source is not None:
                self.by_source.setdefault(source, []).append(number)

    def __call__(self, row: Row) -> Iterator[str]:
        name, file = row.cells.get("name"), row.cells.get("file")
        if name is not None:
            if name not in self.known:
                raise DatasetError(f"{row.at}: expected a name of {self.dataset.folder}, found {name!r}")
            yield name
            return
        if file is None:
            raise DatasetError(f"{row.at}: expected the name of a sequence, found none")
        numbers = self.by_source.get(file.replace("\\", "/").removeprefix("./"), [])
        if not numbers:
            raise DatasetError(f"{row.at}: expected a file of {self.dataset.folder}, found {file!r}")
        times = {column: row.seconds(column) for column in ("start", "end") if column in self.dataset.index}
        chosen = [number for number in numbers if all(self._fits(number, *time) for time in times.items())]
        if not chosen:
            raise DatasetError(
                f"{row.at}: expected a segment of {self.dataset.folder}, found {file} from {row.cells.get('start')} to "
                f"{row.cells.get('end')} s"
            )
        yield from (self.names[number] for number in chosen)

    def _fits(self, number: int, column: str, time: float | None) -> bool:
        """Whether a segment of the data set begins or ends at a time; a row without one is about all of them."""
        there = self.dataset.index[column].iloc[number]
        return time is None or (there == there and there is not None and abs(float(there) - time) <= _TIME)


def check_labels(labels: Mapping[str, str], dataset: MotionDataset) -> None:
    """Refuse labels by name, as a program gives them, that name what the data set does not have."""
    unknown = sorted(set(labels) - set(dataset.names))
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise DatasetError(f"labels: expected names of {dataset.folder}, found {unknown[0]!r}{more}")
