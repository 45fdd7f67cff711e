"""The folder of a report: tables in three formats, figures, and a page that ties them together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import motionprint
from motionprint.errors import SettingsError
from motionprint.experiments.report import figures
from motionprint.experiments.report.chosen import Group, group_cells
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
    results: str | Path | Sequence[str | Path],
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
        One or several of: a folder with ``cells``, a folder of ``*.jsonl`` files of rows, one such file.
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
    inputs = (results,) if isinstance(results, (str, Path)) else tuple(results)
    with new_folder(out, overwrite, kind="report", inputs=inputs) as folder:
        read = read_results(inputs)
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
            figures=tuple(drawn.figures),
            rows=sum(len(cell.rows) for cell in read.cells),
            missing=len(read.missing),
        )
        mark = {"motionprint": motionprint.__version__, "tables": done.tables, "figures": done.figures}
        (folder / MARK).write_text(json.dumps(mark, indent=1) + "\n", encoding="utf-8")
    return done


EACH = 22
"""Figures of a kind at most (confusion matrices, training curves, maps): with those of tables, fewer than 80."""
RUNS = 10
"""Runs of a figure of training curves at most: those of the first seeds."""


@dataclass
class _Drawn:
    """The figures of a report."""

    figures: dict[str, str] = field(default_factory=dict)
    """What is to be read below each, by its name."""
    remarks: list[str] = field(default_factory=list)
    """What was not drawn, and why."""


def _draw(
    folder: Path, results: Results, tables: Sequence[Table], endings: Sequence[str], report: Progress | None
) -> _Drawn:
    """Draw the tables that may be drawn, and of cells so much that it can be looked through."""
    drawn = _Drawn()
    cells = [cell for cell in results.cells if cell.kind != "rows" and _all_labels(cell)]
    with_predictions = _some("confusion matrices", [cell for cell in cells if cell.predictions], EACH, drawn)
    logged = [cell for cell in cells if cell.log is not None and len(cell.log.columns["step"]) > 1]
    with_logs = _some("training curves", logged, EACH, drawn)
    printed = _mappable([cell for cell in cells if cell.prints is not None], drawn)
    kinds = figures.map_kinds() if printed else []
    with_prints = _some("maps", printed, EACH // max(len(kinds), 1), drawn)
    charted = [table for table in tables if table.name.startswith(("table-few-labels-", "table-ablations-"))]
    total = len(charted) + len(with_predictions) + len(with_logs) + len(kinds) * len(with_prints)

    def path(name: str, caption: str) -> Path:
        drawn.figures[f"figure-{name}"] = caption
        if report is not None:
            report(len(drawn.figures), total, "drawing")
        return folder / f"figure-{name}"

    for table in charted:
        name = table.name.removeprefix("table-")
        if name.startswith("few-labels-"):
            title = table.title.split("accuracy, %, ")[-1]
            place = path(name, f"{title}: accuracy against labelled recordings a class, one standard deviation")
            figures.label_curve(table, place, endings)
        else:
            title = table.title.removeprefix("Ablations: ")
            figures.ablation_bars(table, path(name, f"{title}: ablations, one standard deviation"), endings)
    for each in with_predictions:
        pairs = [pair for cell in each.cells for pair in cell.predictions]
        place = path(f"confusion-{each.name}", f"Confusion matrix: {each.title}, {plural(len(each.cells), 'run')}")
        figures.confusion(each.title, pairs, place, endings)
    for each in with_logs:
        shown = each.cells[:RUNS]
        of = f"{len(shown)} of {len(each.cells)} runs" if len(shown) < len(each.cells) else plural(len(shown), "run")
        place = path(f"training-{each.name}", f"Training: {each.title}, {of}")
        figures.training(f"{each.title}, {of}", shown, place, endings)
    for each in with_prints:
        first = each.cells[0]
        assert first.prints is not None
        for kind in kinds:
            place = path(f"map-{slug(kind)}-{each.name}", f"{kind} of the prints of {first.key}: {each.title}")
            figures.draw_map(kind, each.title, first.prints, place, endings)
    return drawn


def _some(what: str, cells: Sequence[Cell], most: int, drawn: _Drawn) -> list[Group]:
    """The groups of cells that are drawn; what is left out is noted."""
    groups = group_cells(cells)
    others = sum(group.others for group in groups)
    if others:
        drawn.remarks.append(f"Of {plural(others, 'other setting')} of the same methods and data there are no {what}.")
    if len(groups) > most:
        drawn.remarks.append(
            f"Of {len(groups)} {what}, the first {most} were drawn: the paper's methods before others."
        )
    return groups[:most]


def _mappable(cells: Sequence[Cell], drawn: _Drawn) -> list[Cell]:
    """The cells of so many prints that they can be mapped; the others are noted."""
    from motionprint.evaluation.prints import read_prints

    found = []
    for cell in cells:
        assert cell.prints is not None
        if (count := len(read_prints(cell.prints)[1])) < figures.FEWEST:
            drawn.remarks.append(
                f"No map of {cell.key}: it has {plural(count, 'print')}, and a map takes {figures.FEWEST}."
            )
        else:
            found.append(cell)
    return found


def _all_labels(cell: Cell) -> bool:
    """Whether a cell's predictions are of a classifier that had all labels: any of its rows is."""
    return not cell.rows or any(row["labels_per_class"] is None for row in cell.rows)


_WHAT_IS_DRAWN = (
    "Of each method, data set and protocol: one confusion matrix of all seeds, folds and samplings with all labels; "
    f"one figure of training curves, a line a run, of the first {RUNS} runs by seed; one map, of the first seed. Of "
    "a method's settings, the one nearest to the paper's is drawn."
)


def _index(results: Results, tables: Sequence[Table], drawn: _Drawn, ending: str) -> str:
    rows = [row for cell in results.cells for row in cell.rows]
    seeds = len({row["seed"] for row in rows})
    files = sum(cell.kind == "rows" for cell in results.cells)
    sources = ((len(results.cells) - files, "cell"), (files, "file"))
    of = " and ".join(plural(count, unit) for count, unit in sources if count) or "no cell"
    counts = ", ".join(
        (
            f"{plural(len(rows), 'result row')} of {of}",
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
    if results.older:
        codes = ", ".join(f"{count} of code {code}" for code, count in sorted(results.older.items()))
        text += [
            f"Left out: {plural(sum(results.older.values()), 'cell')} ({codes}), because newer code did the same work "
            "again; the newest code is that of the newest `cell.json`.",
            "",
        ]
    for table in tables:
        links = ", ".join(f"[{kind}]({table.name}.{end})" for kind, end in (("LaTeX", "tex"), ("CSV", "csv")))
        text += [to_markdown(table).rstrip(), "", f"As {links}.", ""]
    if drawn.figures:
        text += ["## Figures", "", _WHAT_IS_DRAWN, ""]
        for name, title in drawn.figures.items():
            plain = title.replace("[", "(").replace("]", ")")
            text += [f"![{plain}]({name}.{ending})", "", plain, ""]
    if drawn.remarks:
        text += ["## What was not drawn", "", *(f"* {remark}" for remark in dict.fromkeys(drawn.remarks)), ""]
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
