"""Tables whose columns say what may stand in them: measured, published, or the gap between the two.

The three are types of their own. A column holds one of them, so that a published figure cannot get among measured ones
by mistake: such a table cannot be made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

from motionprint.errors import SettingsError
from motionprint.experiments.published import Published
from motionprint.experiments.report.reading import Row

__all__ = ["Block", "Column", "Gap", "Line", "Measured", "Table", "assemble", "measure"]


@dataclass(frozen=True)
class Measured:
    """Mean and standard deviation over the repetitions of one setting."""

    mean: float
    sd: float | None
    """Of the sample; None for one value."""
    n: int
    """Values: the folds, where there are several, each the mean of its own; else seeds and samplings together."""
    seeds: int
    folds: int
    samplings: int
    notes: tuple[str, ...] = ()
    """What is to be known of this cell alone."""


@dataclass(frozen=True)
class Gap:
    """Measured less published."""

    value: float


Entry = Measured | Published | Gap | None


@dataclass(frozen=True)
class Column:
    """A column and the one type of what stands in it."""

    block: str
    """What its block is of: a data set and protocol, a number of labels, a metric."""
    head: str
    """Its own name within the block."""
    kind: type[Measured] | type[Published] | type[Gap]
    digits: int = 1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A line: its group, its name and its cells."""

    group: str
    name: str
    cells: tuple[Entry, ...]


@dataclass(frozen=True)
class Table:
    """A table with its footnotes."""

    name: str
    """Names its files."""
    title: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    remarks: tuple[str, ...] = ()
    """Footnotes of the table as a whole."""

    def __post_init__(self) -> None:
        for line in self.lines:
            if len(line.cells) != len(self.columns):
                raise SettingsError(f"table {self.name}: expected {len(self.columns)} cells, found {len(line.cells)}")
            for column, cell in zip(self.columns, line.cells, strict=True):
                if cell is not None and type(cell) is not column.kind:
                    raise SettingsError(
                        f"table {self.name}, line {line.name}: the column {column.block} {column.head} holds "
                        f"{column.kind.__name__}, found {type(cell).__name__}"
                    )


@dataclass(frozen=True)
class Block:
    """What stands side by side: a measured column, and where anything is published, that and the gap."""

    title: str
    digits: int = 1
    notes: tuple[str, ...] = field(default=())


def measure(rows: Sequence[Row], factor: float, notes: tuple[str, ...] = ()) -> Measured:
    """The mean over rows, each a repetition of the same setting; over the means of folds, where there are several."""
    folds: dict[int | None, list[float]] = {}
    for row in rows:
        folds.setdefault(row["fold"], []).append(factor * float(row["value"]))
    values = [mean(each) for each in folds.values()] if len(folds) > 1 else next(iter(folds.values()))
    counts = {name: len({row[name] for row in rows}) for name in ("seed", "fold", "sampling")}
    return Measured(
        mean=mean(values),
        sd=stdev(values) if len(values) > 1 else None,
        n=len(values),
        seeds=counts["seed"],
        folds=counts["fold"],
        samplings=counts["sampling"],
        notes=notes,
    )


def assemble(
    name: str,
    title: str,
    blocks: Mapping[Any, Block],
    lines: Sequence[tuple[str, str, Mapping[Any, Measured], Mapping[Any, Published]]],
    remarks: Sequence[str] = (),
) -> Table:
    """Make a table of blocks of columns; a line is its group, its name, and what is measured and published by block."""
    columns: list[Column] = []
    with_published = {key for *_, published in lines for key in published}
    for key, block in blocks.items():
        columns.append(Column(block.title, "measured", Measured, block.digits, block.notes))
        if key in with_published:
            columns.append(Column(block.title, "published", Published, 2))
            columns.append(Column(block.title, "gap", Gap, block.digits))
    filled = []
    for group, line, measured, published in lines:
        cells: list[Entry] = []
        for key in blocks:
            cells.append(ours := measured.get(key))
            if key in with_published:
                cells.append(theirs := published.get(key))
                cells.append(Gap(ours.mean - theirs.value) if ours is not None and theirs is not None else None)
        filled.append(Line(group, line, tuple(cells)))
    return Table(name, title, tuple(columns), tuple(filled), tuple(remarks))


def number(value: float, digits: int, signed: bool = False) -> str:
    """A number with its digits; nothing is ever minus zero."""
    rounded = round(value, digits)
    text = f"{0.0 if rounded == 0 else rounded:{'+' if signed else ''}.{digits}f}"
    return text if math.isfinite(value) else ""
