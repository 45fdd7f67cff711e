"""Which cells are drawn: of each method and data set one setting, the paper's methods before others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from motionprint.experiments.published import SETS, TITLES
from motionprint.experiments.report.facts import dataset_title, method_title
from motionprint.experiments.report.grouping import Variant, order, words
from motionprint.experiments.report.reading import Cell
from motionprint.experiments.report.tables import slug

__all__ = ["Group", "group_cells"]


@dataclass(frozen=True)
class Group:
    """Cells that differ in seed, fold and sampling only, those of the first seed and fold first."""

    title: str
    """Data set, protocol, method, what it starts from, and the settings in which others of them differ."""
    name: str
    """Its part of a file's name."""
    cells: tuple[Cell, ...]
    others: int
    """Other settings of the same method on the same data."""


@dataclass(frozen=True, order=True)
class _Work:
    """What a figure is of. Sorted as figures are made: LongT GAN first, and of a method all data sets."""

    rank: tuple[int, ...]
    method: str
    start: str
    place: tuple[int, str, str]


@dataclass
class _Found:
    settings: dict[str, Any]
    cells: list[Cell] = field(default_factory=list)


def group_cells(cells: Iterable[Cell]) -> list[Group]:
    """Cells by data set, protocol, method and start, of each the setting that is nearest to the paper's."""
    works: dict[_Work, dict[tuple[Any, ...], _Found]] = {}
    for cell in cells:
        settings = _settings(cell)
        identity = tuple(sorted((name, repr(value)) for name, value in settings.items() if value is not None))
        works.setdefault(_work(cell), {}).setdefault(identity, _Found(settings)).cells.append(cell)
    groups = []
    for work, variants in sorted(works.items()):
        first = min(variants.values(), key=lambda found: _distance(found.settings))
        title = _title(work)
        detail = words(_differing(first.settings, [found.settings for found in variants.values()]))
        members = tuple(sorted(first.cells, key=_repetition))
        name = "-".join(
            slug(part) for part in (*work.place[1:], work.method, *(("from", work.start) if work.start else ()))
        )
        groups.append(Group(f"{title} ({detail})" if detail else title, name, members, len(variants) - 1))
    return groups


def _work(cell: Cell) -> _Work:
    start = cell.settings.get("init")
    row = next(iter(cell.rows), None)
    dataset = row["dataset"] if row else str(cell.settings.get("data", cell.key))
    protocol = row["protocol"] if row else str(cell.settings.get("protocol", ""))
    known = list(SETS)
    place = (known.index(dataset) if dataset in known else len(known), dataset, protocol)
    method = str(cell.settings.get("method", cell.key))
    begun = str(start.get("method", "")) if isinstance(start, Mapping) else ""
    return _Work(_rank(method, begun), method, begun, place)


def _rank(method: str, start: str) -> tuple[int, ...]:
    """LongT GAN, as it is trained, fine-tuned and from a random start; then others as tables have them."""
    paper = [("inpainting", ""), ("softmax", "inpainting"), ("softmax", "")]
    if (method, start) in paper:
        return (0, paper.index((method, start)))
    methods = list(TITLES)
    return (1, *(methods.index(name) if name in TITLES else len(methods) for name in (start or method, method)))


def _title(work: _Work) -> str:
    _, dataset, protocol = work.place
    name = method_title(work.method)
    if work.start:
        name = f"{name.removesuffix(', random start')}, from {method_title(work.start)}"
    return f"{dataset_title(dataset)}, {protocol}: {name}"


def _settings(cell: Cell) -> dict[str, Any]:
    """What tells groups of one method and data set apart."""
    own, start = cell.settings, cell.settings.get("init")
    start = start if isinstance(start, Mapping) else {}
    found: dict[str, Any] = {
        "preset": own.get("preset"),
        "transductive": bool(own.get("transductive") or start.get("transductive")),
        "data": own.get("data"),
    }
    if cell.kind == "train":
        found["labels"] = ", ".join(str(number) for number in own.get("labels") or () if number is not None) or None
    if start.get("preset") != own.get("preset"):
        found["start of preset"] = start.get("preset")
    if start.get("data") != own.get("data"):
        found["start of data"] = start.get("data")
    for name, value in (own.get("changes") or {}).items():
        found[f"set {name}"] = value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
    for name, value in (start.get("changes") or {}).items():
        found[f"start with {name} ="] = value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
    return found


def _distance(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    """How far a setting is from the paper's: fewest changes first, the paper's size before others."""
    changed = [name for name in settings if name.startswith(("set ", "start "))]
    paper = str(settings["preset"] or "").startswith("paper")
    variant = tuple(sorted((name, value) for name, value in settings.items()))
    return (
        settings.get("labels") is not None,
        settings["transductive"],
        len(changed),
        not paper,
        changed,
        order(variant),
    )


def _differing(chosen: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> Variant:
    names = sorted({name for settings in found for name in settings}, key=lambda name: (name.startswith("s"), name))
    return tuple(
        (name, chosen.get(name)) for name in names if len({repr(settings.get(name)) for settings in found}) > 1
    )


def _repetition(cell: Cell) -> tuple[int, ...]:
    found = (cell.settings.get(name) for name in ("seed", "fold", "sampling"))
    return tuple(value if isinstance(value, int) else 0 for value in found)
