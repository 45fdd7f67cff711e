"""Folders of results, read with care: cells of an experiment grid, or plain files of rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from motionprint.errors import DatasetError
from motionprint.evaluation.rows import read_rows
from motionprint.evaluation.supervised import read_predictions
from motionprint.experiments.cells import CELL
from motionprint.experiments.run import MISSING
from motionprint.training.log import read_log

__all__ = ["Cell", "Log", "Missing", "Results", "Row", "read_results"]

Row = Mapping[str, Any]
"""A result row, as docs/evaluation.md explains it."""


@dataclass(frozen=True)
class Log:
    """A training log: a column of numbers a name, NaN where a line has none."""

    columns: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Missing:
    """What the data at hand did not allow."""

    experiment: str
    what: str
    why: str
    where: str
    """Where it is to be had."""


@dataclass(frozen=True)
class Cell:
    """One piece of work of a grid, and what it left."""

    key: str
    kind: str
    """``pretrain``, ``baselines`` or ``train``; ``rows`` for a plain file of rows."""
    experiments: tuple[str, ...] | None
    """The tables and figures that it belongs to; None for all."""
    settings: Mapping[str, Any]
    """What ``cell.json`` holds."""
    rows: tuple[Row, ...]
    predictions: tuple[tuple[str, str], ...] = ()
    """Label and predicted label of each test recording."""
    log: Log | None = None
    prints: Path | None = None
    """The file of prints, not read yet."""
    written: int = 0
    """When ``cell.json`` was written, in nanoseconds since 1970."""


@dataclass(frozen=True)
class Results:
    """All that a report is made from."""

    cells: tuple[Cell, ...]
    """Those of the newest code first."""
    missing: tuple[Missing, ...] = ()
    unfinished: int = 0
    """Cells that were begun and have no ``cell.json`` yet."""
    older: Mapping[str, int] = field(default_factory=dict)
    """Cells that were left out because newer code did the same work, by the code that had made them."""

    @property
    def experiments(self) -> list[str]:
        """The experiments that cells name, sorted."""
        return sorted({name for cell in self.cells for name in cell.experiments or ()})

    def rows(self, wanted: Callable[[str], bool]) -> list[Row]:
        """The rows of the cells that belong to an experiment whose name is wanted."""
        return [
            row
            for cell in self.cells
            if cell.experiments is None or any(wanted(name) for name in cell.experiments)
            for row in cell.rows
        ]


def read_results(paths: str | Path | Sequence[str | Path]) -> Results:
    """Read one or several of: a folder with ``cells``, a folder of ``*.jsonl`` files of rows, one such file.

    A cell that several folders hold counts once. Of cells that differ in nothing but the code that made them, those of
    the newest code are kept (see `Results.older`).

    Raises
    ------
    DatasetError
        If nothing is there, or a file does not hold what it should; the text begins with the file.
    """
    given = (paths,) if isinstance(paths, (str, Path)) else paths
    if not given:
        raise DatasetError("expected a folder of results or a file of rows, found no name")
    parts = [_place(place) for place in {Path(path).resolve(): Path(path) for path in given}.values()]
    cells, older = _newest(_once(cell for part in parts for cell in part.cells))
    missing = dict.fromkeys(each for part in parts for each in part.missing)
    return Results(tuple(cells), tuple(missing), sum(part.unfinished for part in parts), older)


def _place(place: Path) -> Results:
    """What one folder or file holds."""
    unfinished = 0
    if place.is_file():
        return Results((_plain(place),))
    if not place.is_dir():
        raise DatasetError(f"{place}: expected a folder of results or a file of rows, found nothing")
    if (place / "cells").is_dir():
        entries = sorted(each for each in (place / "cells").iterdir() if not each.name.startswith("."))
        folders = [each for each in entries if each.is_dir()]
        cells = [_cell(folder) for folder in folders if (folder / CELL).exists()]
        unfinished = len(folders) - len(cells)
    else:
        cells = [_plain(file) for file in sorted(place.glob("*.jsonl")) if not file.name.startswith(".")]
    missing = _missing(place / MISSING)
    if not missing and not any(cell.rows for cell in cells):
        raise DatasetError(f"{place}: expected cells/KEY/rows.jsonl or *.jsonl files of result rows, found no row")
    return Results(tuple(cells), missing, unfinished)


def _once(cells: Iterable[Cell]) -> list[Cell]:
    """Cells of which each key is there once: of copies the one with most rows, and the experiments that all name."""
    found: list[Cell] = []
    at: dict[str, int] = {}
    for cell in cells:
        if cell.kind == "rows":  # its key is a file's name, which says nothing
            found.append(cell)
        elif cell.key in at:
            fewer, more = sorted((cell, found[at[cell.key]]), key=lambda each: len(each.rows))
            found[at[cell.key]] = _asked_by(more, fewer)
        else:
            at[cell.key] = len(found)
            found.append(cell)
    return found


_OF_NO_WORK = ("key", "code", "experiments", "classes", "joints")
"""What ``cell.json`` says beside what was done."""


def _newest(cells: Sequence[Cell]) -> tuple[list[Cell], dict[str, int]]:
    """Cells without those whose work newer code did again, the newest code's first; and how many of which code went.

    A code is as new as the newest ``cell.json`` that names it; of several as new, that of more cells counts as newer.
    """
    counts = Counter(map(_code, cells))
    written = {code: max(each.written for each in cells if _code(each) == code) for code in counts}
    ranked = sorted(counts, key=lambda code: (-written[code], -counts[code], code))
    ordered = sorted(cells, key=lambda cell: ranked.index(_code(cell)))
    kept: list[Cell] = []
    first: dict[str, int] = {}
    older: Counter[str] = Counter()
    for cell in ordered:
        done = {name: value for name, value in cell.settings.items() if name not in _OF_NO_WORK}
        if isinstance(done.get("init"), dict):  # what its prints were asked changes nothing that starts from it
            done["init"] = {k: v for k, v in done["init"].items() if k not in ("labels", "samplings")}
        at = first.setdefault(json.dumps(done, sort_keys=True), len(kept)) if _code(cell) else len(kept)
        if at < len(kept) and _code(kept[at]) != _code(cell):
            kept[at] = _asked_by(kept[at], cell)
            older[_code(cell)] += 1
        else:
            kept.append(cell)
    return kept, dict(older)


def _code(cell: Cell) -> str:
    return str(cell.settings.get("code", ""))


def _asked_by(cell: Cell, other: Cell) -> Cell:
    """A cell that belongs to another's experiments too."""
    return replace(cell, experiments=tuple(sorted({*(cell.experiments or ()), *(other.experiments or ())})))


def _plain(file: Path) -> Cell:
    return Cell(key=file.stem, kind="rows", experiments=None, settings={}, rows=_rows(file))


def _cell(folder: Path) -> Cell:
    file = folder / CELL
    settings = _json(file)
    if not isinstance(settings, dict):
        raise DatasetError(f"{file}: expected a JSON object, found {type(settings).__name__}")
    for name in ("key", "kind"):
        if not isinstance(settings.get(name), str):
            raise DatasetError(f"{file}: expected a text under {name!r}, found {settings.get(name)!r}")
    experiments = settings.get("experiments")
    if not isinstance(experiments, list) or not all(isinstance(name, str) for name in experiments):
        raise DatasetError(f"{file}: expected a list of names under 'experiments', found {experiments!r}")
    predictions, log, prints = (folder / name for name in ("predictions.csv", "log.csv", "prints.parquet"))
    return Cell(
        key=settings["key"],
        kind=settings["kind"],
        experiments=tuple(experiments),
        settings=settings,
        rows=_rows(folder / "rows.jsonl"),
        predictions=tuple(read_predictions(predictions)) if predictions.exists() else (),
        log=Log(read_log(log)) if log.exists() else None,
        prints=prints if prints.exists() else None,
        written=file.stat().st_mtime_ns,
    )


_TEXTS = ("dataset", "protocol", "method", "task", "metric")
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_TEXTS, (str,)),
    **dict.fromkeys(("preset", "loss", "condition", "features", "commit", "command", "model"), (str, type(None))),
    **dict.fromkeys(("labels_per_class", "seed", "fold", "sampling", "n_train", "n_test"), (int, type(None))),
    **dict.fromkeys(("recipe", "changes", "versions", "fitted_on"), (dict, type(None))),
    "steps": (int, type(None)),
    "duplicates": (int, type(None)),
    "transductive": (bool, type(None)),
}
"""What the keys hold that tables and figures are made from."""


def _rows(file: Path) -> tuple[Row, ...]:
    rows = read_rows(file)
    for number, row in enumerate(rows, start=1):
        for name, types in _TYPES.items():
            if not isinstance(row[name], types) or (isinstance(row[name], bool) and bool not in types):
                words = " or ".join("null" if kind is type(None) else kind.__name__ for kind in types)
                raise DatasetError(f"{file}:{number}: expected {words} under {name!r}, found {row[name]!r}")
    return tuple(rows)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DatasetError(f"{file}: expected a file, found none") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file}: cannot be read: {error}") from error


def _json(file: Path) -> Any:
    try:
        return json.loads(_text(file))
    except (json.JSONDecodeError, RecursionError) as error:
        raise DatasetError(f"{file}: expected JSON: {error}") from error


def _missing(file: Path) -> tuple[Missing, ...]:
    if not file.exists():
        return ()
    entries = _json(file)
    names = ("experiment", "what", "why", "where")
    if not isinstance(entries, list):
        raise DatasetError(f"{file}: expected a JSON list, found {type(entries).__name__}")
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in names):
            raise DatasetError(f"{file}: entry {number}: expected texts under {', '.join(names)}, found {entry!r}")
    return tuple(Missing(*(entry[name] for name in names)) for entry in entries)
