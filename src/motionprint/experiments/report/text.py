"""Tables as Markdown, LaTeX (booktabs) and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import groupby

from motionprint.experiments.published import Published
from motionprint.experiments.report.table import Column, Entry, Gap, Line, Measured, Table, number

__all__ = ["MEASURED", "PUBLISHED", "escape", "plural", "to_csv", "to_latex", "to_markdown"]

MEASURED = ("measured_mean", "measured_sd", "n", "seeds", "folds", "samplings")
"""The columns of a CSV table that hold what was measured."""
PUBLISHED = ("published", "published_source", "published_where", "published_checked", "published_doubt")
"""The columns of a CSV table that hold what others printed."""

_DOUBTFUL = "\N{DAGGER}"
_REPETITIONS = (
    "Measured: mean ± standard deviation (number of values). With folds, over the folds, of which each has the mean of "
    "its seeds and samplings of the labels; else over those."
)


def to_markdown(table: Table) -> str:
    """A table with its title as a heading and its footnotes below."""
    numbers = _numbers(table)
    heads = [
        _in_markdown(f"{column.block}: {column.head}") + _raised(column.notes, numbers) for column in table.columns
    ]
    text = [
        f"## {_in_markdown(table.title)}",
        "",
        "| | " + " | ".join(heads) + " |",
        "| --- |" + " ---: |" * len(heads),
    ]
    for name, lines in groupby(table.lines, key=lambda line: line.group):
        if name:
            text.append(f"| **{_in_markdown(name)}** |" + " |" * len(heads))
        for line in lines:
            cells = []
            for column, cell in zip(table.columns, line.cells, strict=True):
                notes = cell.notes if isinstance(cell, Measured) else ()
                cells.append((_written(column, cell) or "-") + _raised(notes, numbers))
            text.append(f"| {_in_markdown(line.name)} | " + " | ".join(cells) + " |")
    text.append("")
    text += [f"{mark}{_in_markdown(note)}  " for mark, note in _footnotes(table, numbers, "<sup>{}</sup> ", _DOUBTFUL)]
    return "\n".join(text).rstrip() + "\n"


def to_latex(table: Table) -> str:
    """A table for LaTeX with the package booktabs."""
    numbers = _numbers(table)
    spec = "l" + "r" * len(table.columns)
    blocks = [(title, list(columns)) for title, columns in groupby(table.columns, key=lambda column: column.block)]
    heads, rules, at = [], [], 2
    for title, columns in blocks:
        notes = "".join(_superscript(column.notes, numbers) for column in columns)
        heads.append(rf"\multicolumn{{{len(columns)}}}{{c}}{{{escape(title)}{notes}}}")
        rules.append(rf"\cmidrule(lr){{{at}-{at + len(columns) - 1}}}")
        at += len(columns)
    text = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(table.title)}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{spec}}}",
        r"\toprule",
        " & " + " & ".join(heads) + r" \\",
        " ".join(rules),
        " & " + " & ".join(escape(column.head) for column in table.columns) + r" \\",
    ]
    for name, lines in groupby(table.lines, key=lambda line: line.group):
        text.append(r"\midrule")
        if name:
            text.append(rf"\multicolumn{{{len(spec)}}}{{l}}{{\textit{{{escape(name)}}}}} \\")
        for line in lines:
            text.append(escape(line.name) + " & " + " & ".join(_latex_cells(table, line, numbers)) + r" \\")
    text += [r"\bottomrule", r"\end{tabular}", "", r"\par\smallskip\footnotesize\raggedright"]
    text += [
        f"{mark}{escape(note)}\\par" for mark, note in _footnotes(table, numbers, "\\textsuperscript{{{}}} ", r"\dag")
    ]
    return "\n".join([*text, r"\end{table}"]) + "\n"


def _latex_cells(table: Table, line: Line, numbers: dict[str, int]) -> list[str]:
    cells = []
    for column, cell in zip(table.columns, line.cells, strict=True):
        text = escape(_written(column, cell) or "\N{EN DASH}")
        if isinstance(cell, Gap):
            text = text.replace("-", "$-$", 1)
        cells.append(text + (_superscript(cell.notes, numbers) if isinstance(cell, Measured) else ""))
    return cells


def to_csv(table: Table) -> str:
    """A line for each line and block of a table, numbers in full; what is published has columns of its own."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "group", "line", "block", *MEASURED, *PUBLISHED, "measured_less_published", "notes"])
    for line in table.lines:
        pairs = zip(table.columns, line.cells, strict=True)
        for block, cells in groupby(pairs, key=lambda pair: pair[0].block):
            ours, theirs, gap, notes = [""] * len(MEASURED), [""] * len(PUBLISHED), "", list[str]()
            for column, cell in cells:
                notes += column.notes
                match cell:
                    case Measured():
                        sd = "" if cell.sd is None else repr(cell.sd)
                        counts = (cell.n, cell.seeds, cell.folds, cell.samplings)
                        ours = [repr(cell.mean), sd, *map(str, counts)]
                        notes += cell.notes
                    case Published():
                        theirs = [repr(cell.value), str(cell.source), cell.where, cell.checked, cell.doubt]
                    case Gap():
                        gap = repr(cell.value)
            if any(ours) or any(theirs):
                writer.writerow([table.name, line.group, line.name, block, *ours, *theirs, gap, " | ".join(notes)])
    return out.getvalue()


def _written(column: Column, cell: Entry) -> str:
    match cell:
        case Measured():
            spread = "" if cell.sd is None else f" ± {number(cell.sd, column.digits)}"
            return f"{number(cell.mean, column.digits)}{spread} ({cell.n})"
        case Published():
            return number(cell.value, column.digits) + (_DOUBTFUL if cell.doubt else "")
        case Gap():
            return number(cell.value, column.digits, signed=True)
    return ""


# ---- footnotes ---------------------------------------------------------------------------------------------------


def _numbers(table: Table) -> dict[str, int]:
    """A number for each footnote, in the order of the marks."""
    notes = [note for column in table.columns for note in column.notes]
    notes += [note for line in table.lines for cell in line.cells if isinstance(cell, Measured) for note in cell.notes]
    return {note: number for number, note in enumerate(dict.fromkeys(notes), start=1)}


def _footnotes(table: Table, numbers: dict[str, int], mark: str, doubtful: str) -> Iterable[tuple[str, str]]:
    cells = [cell for line in table.lines for cell in line.cells]
    if any(isinstance(cell, Measured) for cell in cells):
        yield "", f"{_REPETITIONS} {_counts(cells)}".rstrip()
    for note, place in numbers.items():
        yield mark.format(place), note
    published = [cell for cell in cells if isinstance(cell, Published)]
    if published:
        sources = "; ".join(dict.fromkeys(f"{cell.source} ({cell.where})" for cell in published))
        yield "", f"Published, and not measured here: {sources}. Gap: measured less published."
    for doubt in dict.fromkeys(cell.doubt for cell in published if cell.doubt):
        yield mark.format(doubtful), f"Not certain: {doubt}."
    for remark in table.remarks:
        yield "", remark


def _counts(cells: Sequence[Entry]) -> str:
    """What the numbers of values are made of."""
    found = sorted({(c.n, c.seeds, c.folds, c.samplings) for c in cells if isinstance(c, Measured)})
    parts = [
        f"{n}: {f'{folds} folds of ' if folds > 1 else ''}{plural(seeds, 'seed')}, {plural(samplings, 'sampling')}"
        for n, seeds, folds, samplings in found
    ]
    return "; ".join(parts) + "."


def plural(count: int, word: str) -> str:
    """A number of things."""
    return f"{count:,} {word}{'s' * (count != 1)}"


def _raised(notes: Sequence[str], numbers: dict[str, int]) -> str:
    return f"<sup>{','.join(str(numbers[note]) for note in notes)}</sup>" if notes else ""


def _superscript(notes: Sequence[str], numbers: dict[str, int]) -> str:
    return rf"\textsuperscript{{{','.join(str(numbers[note]) for note in notes)}}}" if notes else ""


# ---- what is special ---------------------------------------------------------------------------------------------


def _in_markdown(text: str) -> str:
    """Text in which nothing is markup."""
    return "".join("\\" + sign if sign in "\\`*_[]<>|#" else sign for sign in " ".join(text.split()))


_LATEX = {
    **{sign: "\\" + sign for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{EN DASH}": "--",
    "\N{DAGGER}": r"\textsuperscript{\dag}",
}


def escape(text: str) -> str:
    """Text for LaTeX, in which nothing is a command."""
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))
