"""The paper's tables, and those beside them, from rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from motionprint.experiments.published import ACCURACIES, ERRORS, SETS, TITLES, Published, find_accuracy
from motionprint.experiments.report.facts import Facts, cell_notes, dataset_title, method_title
from motionprint.experiments.report.grouping import BASELINES, Grid, Variant, group, order, settings_of, words
from motionprint.experiments.report.reading import Results, Row
from motionprint.experiments.report.table import Block, Measured, Table, assemble, measure

__all__ = ["GROUPS", "ablations", "few_labels", "make_tables", "methods_by_sets", "slug"]

GROUPS = {
    "U": "U: encoder fixed, a linear layer on its prints",
    "S": "S: supervised",
    "S+P": "S+P: supervised, from a pre-trained start",
    "baseline": "Nothing trained but the classifier",
}
"""The groups of lines, in the paper's order."""

Place = tuple[str, str]
"""Data set and protocol."""


@dataclass(frozen=True, order=True)
class Series:
    """What a line of accuracies is of."""

    group: str
    method: str
    features: str | None
    task: str

    @property
    def name(self) -> str:
        """The line's name, without its variant."""
        name = method_title(self.method)
        if self.features is not None and self.method != "raw":
            name += f", {self.features}"
        return name if self.group != "baseline" or self.task == "linear" else f"{name}, {_NEIGHBOURS[self.task]}"


_NEIGHBOURS = {"knn1": "nearest neighbour", "knn5": "5 neighbours"}


def series(row: Row) -> Series | None:
    """The line of accuracies that a row belongs to, or None."""
    if row["metric"] != "accuracy":
        return None
    if row["method"] in BASELINES:
        if row["task"] != "linear" and (row["method"] != "dtw" or row["task"] not in _NEIGHBOURS):
            return None
        return Series("baseline", row["method"], row["features"], row["task"])
    name = {"supervised": "S", "finetune": "S+P", "linear": "U"}.get(row["task"])
    return None if name is None else Series(name, row["method"], row["features"] if name == "U" else None, row["task"])


def make_tables(results: Results) -> list[Table]:
    """Every table that the rows allow."""
    facts = Facts(results)
    tables = []
    for name, title in (("table1", "Table 1: accuracy, %"), ("table2", "Table 2: accuracy, %")):
        if name == "table1" or name in results.experiments:
            rows = results.rows(lambda each, name=name: each == name)  # type: ignore[misc]
            tables += methods_by_sets(f"table-{name.removeprefix('table')}", title, rows, facts)
    tables += inpainting(results.rows(lambda each: each == "table3"), facts)
    tables += few_labels(results.rows(lambda each: each == "figure3"), facts)
    tables += ablations(results.rows(lambda each: each.startswith("ablation")), facts)
    for name in results.experiments:
        if name not in _KNOWN and not name.startswith("ablation"):
            rows = results.rows(lambda each, name=name: each == name)  # type: ignore[misc]
            tables += methods_by_sets(f"table-of-{slug(name)}", f"{name}: accuracy, %", rows, facts)
    names = [table.name for table in tables]
    return [
        replace(table, name=f"{table.name}-{place}") if table.name in names[:place] else table
        for place, table in enumerate(tables)
    ]


_KNOWN = ("table1", "table2", "table3", "figure3")


def slug(text: str) -> str:
    """A text as a part of a file's name."""
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in text.lower())
    return "-".join(part for part in kept.split("-") if part) or "x"


def places(rows: Sequence[Row]) -> list[Place]:
    """Data sets and protocols, those of the paper first and in its order."""
    known = list(SETS)
    found = {(row["dataset"], row["protocol"]) for row in rows}
    return sorted(found, key=lambda place: (known.index(place[0]) if place[0] in SETS else len(known), *place))


def of_place(rows: Sequence[Row], place: Place) -> list[Row]:
    """The rows of a data set and protocol."""
    return [row for row in rows if (row["dataset"], row["protocol"]) == place]


# ---- methods by data sets: Tables 1 and 2 ------------------------------------------------------------------------


def methods_by_sets(name: str, title: str, rows: Sequence[Row], facts: Facts) -> list[Table]:
    """Accuracies with all labels, a line a method and a block of columns a data set and protocol."""
    rows = [row for row in rows if series(row) is not None and row["labels_per_class"] is None]
    if not rows:
        return []
    blocks = {
        place: Block(f"{dataset_title(place[0])}, {place[1]}", 1, facts.notes(of_place(rows, place)))
        for place in places(rows)
    }
    grid = group(rows, series, lambda row: (row["dataset"], row["protocol"]))

    def published(each: Series) -> dict[Place, Published]:
        found = {place: _published(each, place) for place in blocks}
        return {place: value for place, value in found.items() if value is not None}

    mixed = {preset.startswith("paper") for row in rows if (preset := row["preset"])} == {True, False}
    lines = list(_lines(grid, published, lambda found: cell_notes(found, mixed)))
    have = {
        (each.group, each.method)
        for (each, _), cells in grid.cells.items()
        if (each.group != "U" or each.features == "F") and all(map(_as_published, cells.values()))
    }
    for key in ACCURACIES:
        theirs = Series(*key, "F" if key in _OF_F else None, "")
        if key not in have and (values := published(theirs)):
            lines.append((theirs, (), {}, values))
    lines.sort(key=lambda line: _place_of(line[0], line[1]))
    texts = [(GROUPS[s.group], _named(s.name, variant), ours, theirs) for s, variant, ours, theirs in lines]
    return [assemble(name, title, blocks, texts, [*_transductive(rows), *_remarks(grid)])]


_OF_F = (("U", "inpainting"), ("U", "autoencoder"))
"""Published figures that are of F."""


def _transductive(rows: Sequence[Row]) -> list[str]:
    """What sets our pre-training apart from that of the published code."""
    if all(row["method"] in BASELINES or row["task"] == "supervised" for row in rows):
        return []
    return [
        "Pre-training read training recordings only, unless a note says transductive. The code that the authors of "
        "LongT GAN published pre-trained on all recordings, those of the tests included."
    ]


def _published(each: Series, place: Place, labels: int | None = None) -> Published | None:
    if (each.group, each.method) in _OF_F and each.features != "F":
        return None
    return find_accuracy(each.group, each.method, *place, labels)


def _lines(
    grid: Grid, published: Callable[[Any], Mapping[Any, Published]], notes: Callable[[Sequence[Row]], tuple[str, ...]]
) -> Iterator[tuple[Any, Variant, dict[Any, Measured], Mapping[Any, Published]]]:
    """The lines of accuracies; of several variants, a published figure stands beside those that were measured."""
    told: set[tuple[Any, Any]] = set()
    measured = {
        (line, at) for (line, _), cells in grid.cells.items() for at, rows in cells.items() if _as_published(rows)
    }
    for (line, variant), cells in sorted(grid.cells.items(), key=lambda item: _place_of(item[0][0], item[0][1])):
        ours = {at: measure(rows, 100, notes(rows)) for at, rows in cells.items()}
        theirs = {}
        if all(map(_as_published, cells.values())):
            for at, value in published(line).items():
                if at in ours or ((line, at) not in measured and (line, at) not in told):
                    theirs[at] = value
                    told.add((line, at))
        yield line, variant, ours, theirs


def _as_published(rows: Sequence[Row]) -> bool:
    """Whether rows are of the model that the paper's accuracies are of: trained with F and the joint loss."""
    return all(
        row["method"] != "inpainting" or (row["loss"] or "joint", row["condition"] or "F") == ("joint", "F")
        for row in rows
    )


def _place_of(each: Series, variant: Variant) -> tuple[Any, ...]:
    """Where a line stands: by group, the paper's methods first and in their order, F before states."""
    methods = list(TITLES)
    place = methods.index(each.method) if each.method in TITLES else len(methods)
    features = ["F", "states", "both"]
    rank = features.index(each.features) if each.features in features else -1
    return list(GROUPS).index(each.group), place, each.method, rank, each.task, order(variant)


def _named(name: str, variant: Variant) -> str:
    detail = words(variant)
    return f"{name} ({detail})" if detail else name


def _remarks(grid: Grid) -> list[str]:
    if not grid.repeated:
        return []
    return [f"{grid.repeated} rows repeat a seed, fold and sampling of a setting with another value: the first counts."]


# ---- Table 3 -----------------------------------------------------------------------------------------------------

_LOSSES = {"joint": "joint loss", "elementwise": "element-wise loss"}
_CONDITIONS = {"F": "with F", "none": "without F", "zeroed": "F zeroed", "shuffled": "F of another recording"}
_METRICS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "error hidden": ("error, hidden, scaled", 3, {"task": "inpaint_hidden", "metric": "rmse_scaled"}),
    "error": ("error, all, scaled", 3, {"task": "inpaint_all", "metric": "rmse_scaled"}),
    "cm hidden": ("error, hidden, cm", 2, {"task": "inpaint_hidden", "metric": "rmse_cm"}),
    "cm": ("error, all, cm", 2, {"task": "inpaint_all", "metric": "rmse_cm"}),
    "accuracy": ("Acc.(S), linear on F, %", 1, {"task": "linear", "metric": "accuracy", "features": "F"}),
    "clustering": ("Acc.(U), Ward on F, %", 1, {"task": "ward", "metric": "acc", "features": "F"}),
}


def inpainting(rows: Sequence[Row], facts: Facts) -> list[Table]:
    """Table 3: with and without F, joint and element-wise loss; a table a data set and protocol."""
    rows = [row for row in rows if row["labels_per_class"] is None and row["method"] in ("inpainting", "first_frame")]
    tables = []
    for place in places([row for row in rows if row["task"].startswith("inpaint_")]):
        here = of_place(rows, place)
        grid = group(here, _condition, _metric)
        name = f"{dataset_title(place[0])}, {place[1]}"
        lines = []
        for (line, variant), cells in sorted(grid.cells.items(), key=lambda item: (item[0][0], order(item[0][1]))):
            rank, condition, loss = line
            ours = {
                at: measure(found, 100 if _METRICS[at][1] == 1 else 1, cell_notes(found)) for at, found in cells.items()
            }
            theirs = ERRORS.get((condition, loss), {}) if place[0] == "cmu" else {}
            title = "as in the first frame" if rank[0] == 2 else f"{_CONDITIONS[condition]}, {_LOSSES.get(loss, loss)}"
            detail = tuple(pair for pair in variant if pair[0] not in ("loss", "condition"))
            lines.append((_PARTS[rank[0]], _named(title, detail), ours, theirs))
        blocks = {key: Block(title, digits) for key, (title, digits, _) in _METRICS.items()}
        used = {key for *_, ours, theirs in lines for key in (*ours, *theirs)}
        remarks = [*facts.notes(here), *_remarks(grid)]
        if place[0] == "cmu":
            remarks.append(
                "The paper does not say over which values and in which units its error is: it stands beside that over "
                "all values, scaled."
            )
        blocks = {key: block for key, block in blocks.items() if key in used}
        table = f"table-3-{slug(place[0])}-{slug(place[1])}"
        tables.append(assemble(table, f"Table 3: inpainting, {name}", blocks, lines, remarks))
    return tables


_PARTS = ("Trained so", "Diagnostics of models trained with F", "No network")


def _condition(row: Row) -> tuple[tuple[int, int, int], str, str] | None:
    """What a line of Table 3 is of, sorted as it stands there."""
    if row["method"] == "first_frame":
        return (2, 0, 0), "", ""
    condition, loss = str(row["condition"]), str(row["loss"])
    if condition not in _CONDITIONS:
        return None
    part = 0 if condition in ("F", "none") else 1
    return (part, list(_CONDITIONS).index(condition), int(loss != "joint")), condition, loss


def _metric(row: Row) -> str | None:
    for key, (_, _, wanted) in _METRICS.items():
        if all(row[name] == value for name, value in wanted.items()):
            return key
    return None


# ---- few labels: Figure 3 ----------------------------------------------------------------------------------------


def few_labels(rows: Sequence[Row], facts: Facts) -> list[Table]:
    """Accuracy by labelled recordings a class; a table a data set and protocol that has any with few labels."""
    few = {_identity(row) for row in rows if row["labels_per_class"] is not None}
    rows = [row for row in rows if series(row) is not None and _identity(row) in few]
    tables = []
    for place in places([row for row in rows if row["labels_per_class"] is not None]):
        here = of_place(rows, place)
        amounts = sorted({row["labels_per_class"] or 0 for row in here}, key=lambda amount: (amount == 0, amount))
        blocks = {amount: Block("all labels" if amount == 0 else f"{amount} a class", 1) for amount in amounts}
        grid = group(here, series, lambda row: row["labels_per_class"] or 0)

        def published(each: Series, place: Place = place, amounts: Sequence[int] = amounts) -> dict[int, Published]:
            found = {amount: _published(each, place, amount) for amount in amounts if amount}
            return {amount: value for amount, value in found.items() if value is not None}

        lines = sorted(_lines(grid, published, cell_notes), key=lambda line: _place_of(line[0], line[1]))
        texts = [(GROUPS[s.group], _named(s.name, variant), ours, theirs) for s, variant, ours, theirs in lines]
        title = f"Few labels (Figure 3): accuracy, %, {dataset_title(place[0])}, {place[1]}"
        name = f"table-few-labels-{slug(place[0])}-{slug(place[1])}"
        tables.append(assemble(name, title, blocks, texts, [*facts.notes(here), *_remarks(grid)]))
    return tables


def _identity(row: Row) -> tuple[Any, ...]:
    """A line and all its settings."""
    settings = settings_of(row)
    return row["dataset"], row["protocol"], series(row), tuple(sorted(settings.items(), key=lambda item: item[0]))


# ---- ablations ---------------------------------------------------------------------------------------------------

_ABLATED: dict[str, tuple[str, int, dict[str, Any]]] = {
    "F": ("linear on F, %", 1, {"task": "linear", "metric": "accuracy", "features": "F"}),
    "states": ("linear on states, %", 1, {"task": "linear", "metric": "accuracy", "features": "states"}),
    "supervised": ("supervised, %", 1, {"task": "supervised", "metric": "accuracy"}),
    "finetune": ("S+P, %", 1, {"task": "finetune", "metric": "accuracy"}),
    "clustering": ("Ward ACC on F, %", 1, {"task": "ward", "metric": "acc", "features": "F"}),
    "error": ("error, hidden, scaled", 3, {"task": "inpaint_hidden", "metric": "rmse_scaled"}),
    "cm": ("error, hidden, cm", 2, {"task": "inpaint_hidden", "metric": "rmse_cm"}),
}


def _ablated(row: Row) -> str | None:
    if row["task"].startswith("inpaint_") and row["condition"] not in ("F", "none"):
        return None  # diagnostics
    for key, (_, _, wanted) in _ABLATED.items():
        if all(row[name] == value for name, value in wanted.items()):
            return key
    return None


def ablations(rows: Sequence[Row], facts: Facts) -> list[Table]:
    """A line a setting, a table a data set and protocol, where there is more than one setting of a method."""
    rows = [row for row in rows if row["method"] not in BASELINES and row["labels_per_class"] is None]
    tables = []
    for place in places(rows):
        here = of_place(rows, place)
        grid = group(here, lambda row: row["method"], _ablated)
        methods = [method for method, _ in grid.cells]
        lines = []
        for (method, variant), cells in sorted(
            grid.cells.items(), key=lambda item: (method_title(item[0][0]), order(item[0][1]))
        ):
            if methods.count(method) > 1:
                ours = {
                    at: measure(found, 100 if _ABLATED[at][1] == 1 else 1, cell_notes(found))
                    for at, found in cells.items()
                }
                lines.append((method_title(method), words(variant) or "as it is", ours, dict[str, Published]()))
        used = {key for *_, ours, _ in lines for key in ours}
        if not used:
            continue
        blocks = {key: Block(title, digits) for key, (title, digits, _) in _ABLATED.items() if key in used}
        title = f"Ablations: {dataset_title(place[0])}, {place[1]}"
        name = f"table-ablations-{slug(place[0])}-{slug(place[1])}"
        tables.append(assemble(name, title, blocks, lines, [*facts.notes(here), *_remarks(grid)]))
    return tables
