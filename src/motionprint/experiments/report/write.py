"""The folder of a report: tables in three formats, figures, and a page that ties them together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import motionprint
from motionprint.errors import SettingsError
from motionprint.experiments.report import figures
from motionprint.experiments.report.reading import Cell, Results, read_results
from motionprint.experiments.report.table import Table
from motionprint.experiments.report.tables import make_tables, slug
from motionprint.experiments.report.text import plural, to_csv, to_latex, to_markdown
from motionprint.progress import Report as Progress
from motionprint.store.atomic import new_folder

__all__ = ["Report", "write_report"]

INDEX, MARK, COMMANDS = "index.md", "report.json", "commands.txt"


@dataclass(frozen=True)
class Report:
    """What a report holds."""

    folder: Path
    tables: tuple[str, ...]
    """The names of the tables."""
    figures: tuple[str, ...]
    """The names of the figures."""
    rows: int
    """The rows that it was made from."""
    missing: int
    """What the data at hand did not allow."""


def write_report(
    results: str | Path,
    out: str | Path,
    *,
    endings: Sequence[str] = ("png", "pdf"),
    overwrite: bool = False,
    report: Progress | None = None,
) -> Report:
    """Make a report of results: the folder ``out``, whole or not at all.

    Parameters
    ----------
    results
        A folder with ``cells``, a folder of ``*.jsonl`` files of rows, or one such file.
    endings
        What figures are written as: some of `figures.ENDINGS`, the first of which ``index.md`` shows.

    Raises
    ------
    DatasetError
        If the results do not hold what they should (the text begins with the file), or ``out`` exists and may not be
        replaced.
    SettingsError
        If an ending is unknown.
    """
    unknown = [ending for ending in endings if ending not in figures.ENDINGS]
    if unknown or not endings:
        raise SettingsError(
            f"figures: expected some of {', '.join(figures.ENDINGS)}, found {', '.join(unknown) or 'none'}"
        )
    with new_folder(out, overwrite, kind="report", inputs=(results,)) as folder:
        read = read_results(results)
        tables = make_tables(read)
        for table in tables:
            for ending, written in (("md", to_markdown), ("tex", to_latex), ("csv", to_csv)):
                (folder / f"{table.name}.{ending}").write_text(written(table), encoding="utf-8")
        drawn = _draw(folder, read, tables, endings, report)
        (folder / INDEX).write_text(_index(read, tables, drawn, endings[0]), encoding="utf-8")
        commands = dict.fromkeys(row["command"] for cell in read.cells for row in cell.rows if row["command"])
        (folder / COMMANDS).write_text("".join(f"{command}\n" for command in commands), encoding="utf-8")
        done = Report(
            folder=Path(out),
            tables=tuple(table.name for table in tables),
            figures=tuple(drawn),
            rows=sum(len(cell.rows) for cell in read.cells),
            missing=len(read.missing),
        )
        mark = {"motionprint": motionprint.__version__, "tables": done.tables, "figures": done.figures}
        (folder / MARK).write_text(json.dumps(mark, indent=1) + "\n", encoding="utf-8")
    return done


def _draw(
    folder: Path, results: Results, tables: Sequence[Table], endings: Sequence[str], report: Progress | None
) -> dict[str, str]:
    """Draw everything that the results allow; the figures' names and what is to be read below them."""
    drawn: dict[str, str] = {}
    cells = [cell for cell in results.cells if cell.kind != "rows"]
    with_predictions = figures.cell_groups(cell for cell in cells if cell.predictions and _all_labels(cell))
    with_logs = figures.cell_groups(cell for cell in cells if cell.log is not None and cell.log.columns["step"])
    with_prints = figures.cell_groups(cell for cell in cells if cell.prints is not None)
    kinds = figures.map_kinds() if with_prints else []
    charted = [table for table in tables if table.name.startswith(("table-few-labels-", "table-ablations-"))]
    total = len(charted) + len(with_predictions) + len(with_logs) + len(kinds) * len(with_prints)
    done = 0

    def path(prefix: str, title: str) -> Path:
        name = stem = f"figure-{prefix}-{slug(title)}"[:120].rstrip("-")
        number = 1
        while name in drawn:
            name = f"{stem}-{(number := number + 1)}"
        drawn[name] = title
        nonlocal done
        done += 1
        if report is not None:
            report(done, total, "drawing")
        return folder / name

    for table in charted:
        if table.name.startswith("table-few-labels-"):
            title = table.title.split("accuracy, %, ")[-1]
            place = path("few-labels", title)
            drawn[place.name] = f"{title}: accuracy against labelled recordings a class, one standard deviation"
            figures.label_curve(table, place, endings)
        else:
            title = table.title.removeprefix("Ablations: ")
            place = path("ablations", title)
            drawn[place.name] = f"{title}: ablations, one standard deviation"
            figures.ablation_bars(table, place, endings)
    for title, members in with_predictions:
        pairs = [pair for cell in members for pair in cell.predictions]
        place = path("confusion", title)
        drawn[place.name] = f"Confusion matrix: {title}"
        figures.confusion(title, pairs, place, endings)
    for title, members in with_logs:
        place = path("training", title)
        drawn[place.name] = f"Training: {title}"
        figures.training(title, members, place, endings)
    for title, members in with_prints:
        assert members[0].prints is not None
        for kind in kinds:
            place = path(f"map-{slug(kind)}", title)
            drawn[place.name] = f"{kind} of the prints of {members[0].key}: {title}"
            figures.draw_map(kind, title, members[0].prints, place, endings)
    return drawn


def _all_labels(cell: Cell) -> bool:
    """Whether a cell's predictions are of a classifier that had all labels: any of its rows is."""
    return not cell.rows or any(row["labels_per_class"] is None for row in cell.rows)


def _index(results: Results, tables: Sequence[Table], drawn: dict[str, str], ending: str) -> str:
    rows = [row for cell in results.cells for row in cell.rows]
    seeds = len({row["seed"] for row in rows})
    unit = "cell" if (results.path / "cells").is_dir() else "file"
    counts = ", ".join(
        (
            f"{plural(len(rows), 'result row')} of {plural(len(results.cells), unit)}",
            plural(len({row["dataset"] for row in rows}), "data set"),
            plural(seeds, "seed"),
        )
    )
    text = [
        "# Report",
        "",
        f"{counts}. Columns called *measured* hold what these rows say and nothing else; what others printed stands in "
        "columns called *published*.",
        "",
    ]
    for table in tables:
        files = ", ".join(f"[{kind}]({table.name}.{end})" for kind, end in (("LaTeX", "tex"), ("CSV", "csv")))
        text += [to_markdown(table).rstrip(), "", f"As {files}.", ""]
    if drawn:
        text += ["## Figures", ""]
        for name, title in drawn.items():
            plain = title.replace("[", "(").replace("]", ")")
            text += [f"![{plain}]({name}.{ending})", "", plain, ""]
    if any(cell.prints is not None for cell in results.cells) and "UMAP" not in figures.map_kinds():
        text += ["Maps by UMAP were left out: umap-learn is not installed.", ""]
    text += ["## What was missing", ""]
    if results.unfinished:
        text += [f"{results.unfinished} cells are unfinished: the same `motionprint experiment` goes on with them.", ""]
    if results.missing:
        text += ["| experiment | what | why | where it is to be had |", "| --- | --- | --- | --- |"]
        for each in results.missing:
            cells = (each.experiment, each.what, each.why, each.where)
            text.append("| " + " | ".join(_cell(value) for value in cells) + " |")
    else:
        text.append("Nothing, as far as the results say." if results.experiments else "The results do not say.")
    return "\n".join([*text, "", *_provenance(results)]) + "\n"


def _provenance(results: Results) -> list[str]:
    """Commits, versions, devices and the first commands of the rows."""
    rows = [row for cell in results.cells for row in cell.rows]
    text = ["## What made the rows", "", "| commit | rows |", "| --- | ---: |"]
    commits = Counter(row["commit"] or "not told (an installed package)" for row in rows)
    text += [f"| {_cell(commit)} | {count:,} |" for commit, count in sorted(commits.items())]
    versions = Counter(
        ", ".join(f"{name} {version}" for name, version in (row["versions"] or {}).items()) for row in rows
    )
    text += ["", "| versions | rows |", "| --- | ---: |"]
    text += [f"| {_cell(each)} | {count:,} |" for each, count in sorted(versions.items())]
    devices = Counter(str(row["device"]) for row in rows)
    text += ["", "| device | rows |", "| --- | ---: |"]
    text += [f"| {_cell(each)} | {count:,} |" for each, count in sorted(devices.items())]
    text += ["", f"The commands are in [{COMMANDS}]({COMMANDS})."]
    return text


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
