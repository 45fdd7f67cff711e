"""Which rows stand in one cell of a table: repetitions of one setting, and never two settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from motionprint.experiments.report.reading import Row

__all__ = ["BASELINES", "REPEATS", "Grid", "Variant", "group", "order", "settings_of", "words"]

BASELINES = ("raw", "random", "dtw", "first_frame")
"""Methods that nothing was trained for."""

REPEATS = ("seed", "fold", "sampling")
"""What tells the repetitions of one setting apart."""

_RECIPE: Mapping[str, Any] = {  # the scale is fitted: another one in every fold
    "alignment": None,
    "fps": None,
    "max_length": None,
    "root_path": None,
    "window_over": 140,
    "window": 35,
    "scaling": "set",
    "quantile": 0.999,
    "fill_gaps": 0.0,
}
"""What of a recipe tells rows apart, and what rows mean that do not say it."""

Variant = tuple[tuple[str, Any], ...]
"""The settings in which lines of one name differ, with their values."""


@dataclass
class Grid:
    """Rows by line and column."""

    cells: dict[tuple[Any, Variant], dict[Any, list[Row]]] = field(default_factory=dict)
    """By what a line is of and its variant, then by what a column is of: one row a repetition."""
    repeated: int = 0
    """Rows left out because the same repetition of the same setting was there already, with another value."""


def group(
    rows: Iterable[Row], line_of: Callable[[Row], Hashable | None], column_of: Callable[[Row], Hashable | None]
) -> Grid:
    """Put rows into lines and columns; a line is split where rows of one of its cells differ in a setting.

    Parameters
    ----------
    line_of, column_of
        What a row's line and column are of; None for a row that has no place.
    """
    placed: dict[Any, dict[Any, list[Row]]] = {}
    for row in rows:
        line, column = line_of(row), column_of(row)
        if line is not None and column is not None:
            placed.setdefault(line, {}).setdefault(column, []).append(row)
    grid = Grid()
    for line, columns in placed.items():
        names = _differing(columns.values())
        for column, found in columns.items():
            for row in found:
                settings = settings_of(row)
                variant = tuple((name, settings.get(name)) for name in names)
                grid.cells.setdefault((line, variant), {}).setdefault(column, []).append(row)
    for each in grid.cells.values():
        for column, found in each.items():
            each[column], repeated = _distinct(found)
            grid.repeated += repeated
    return grid


def settings_of(row: Row) -> dict[str, Any]:
    """What tells rows of one method apart beside `REPEATS`."""
    recipe, changes = row["recipe"] or {}, dict(row["changes"] or {})
    found: dict[str, Any] = {"preset": row["preset"], "transductive": bool(row["transductive"])}
    found.update({name: recipe.get(name, meant) for name, meant in _RECIPE.items()})
    fitted = row["fitted_on"] or {}
    same_data = fitted.get("dataset") == row["dataset"]
    # what is transductive was fitted on all of its data set, which it says itself
    if fitted and not (same_data and (row["transductive"] or fitted.get("protocol") == row["protocol"])):
        found["fitted on"] = f"{fitted.get('dataset')}, {fitted.get('protocol') or 'everything'}"
    if row["method"] not in BASELINES:
        found.update({"loss": row["loss"], "condition": row["condition"]})
        if row["task"] not in ("supervised", "finetune"):  # there, validation ends training, in each repetition anew
            found["steps"] = row["steps"]
        if changes.get("adversary") == "none":
            del changes["adversary"]  # which is what the element-wise loss is
        changes.pop("condition", None)
    if row["method"] != "raw":
        found.update({f"set {name}": _plain(value) for name, value in changes.items()})
    return found


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else json.dumps(value, sort_keys=True)


def _differing(columns: Iterable[Sequence[Row]]) -> list[str]:
    """The settings that differ within a column, in the order in which they are told."""
    names: dict[str, None] = {}
    columns = list(columns)
    untrained = all(row["method"] in BASELINES for rows in columns for row in rows)
    alike = untrained and all(_one_value_a_repetition(rows) for rows in columns)
    for rows in columns:
        settings = [settings_of(row) for row in rows]
        if alike:
            settings = [{k: v for k, v in each.items() if not k.startswith("set ")} for each in settings]
        known = dict.fromkeys(name for each in settings for name in each)
        for name in known:
            if name != "steps" and len({each.get(name) for each in settings}) > 1:
                names[name] = None
    if any(_steps_compete(rows, list(names)) for rows in columns):
        names["steps"] = None
    return sorted(names, key=lambda name: (name.startswith("set "), name))


def _one_value_a_repetition(rows: Sequence[Row]) -> bool:
    """Whether untrained encoders of a seed are the same one, whatever was to be trained: they have the same value."""
    values: dict[tuple[Any, ...], set[float]] = {}
    for row in rows:
        values.setdefault(tuple(row[name] for name in (*REPEATS, "preset")), set()).add(row["value"])
    return all(len(found) == 1 for found in values.values())


def _steps_compete(rows: Sequence[Row], names: Sequence[str]) -> bool:
    """Whether one repetition was trained for several numbers of steps; folds of different sizes may differ in it."""
    steps: dict[tuple[Any, ...], set[Any]] = {}
    for row in rows:
        settings = settings_of(row)
        identity = (*(settings.get(name) for name in names), *(row[name] for name in REPEATS))
        steps.setdefault(identity, set()).add(row["steps"])
    return any(len(found) > 1 for found in steps.values())


def _distinct(rows: Sequence[Row]) -> tuple[list[Row], int]:
    """One row a repetition, and how many others had another value."""
    kept: dict[tuple[Any, ...], Row] = {}
    others = 0
    for row in rows:
        first = kept.setdefault(tuple(row[name] for name in REPEATS), row)
        others += first["value"] != row["value"]
    return list(kept.values()), others


_WORDS: Mapping[tuple[str, Any], str] = {
    ("loss", "joint"): "joint loss",
    ("loss", "elementwise"): "element-wise loss",
    ("condition", "F"): "with F",
    ("condition", "none"): "without F",
    ("transductive", True): "transductive",
    ("transductive", False): "not transductive",
    ("root_path", True): "with the root's path",
    ("root_path", False): "without the root's path",
    ("scaling", "set"): "one scale for all",
    ("scaling", "sequence"): "a scale for each sequence",
    ("scaling", "axes"): "a scale for each axis of a sequence",
    ("fill_gaps", 0.0): "gaps not filled",
}
_NAMED = {
    "preset": "preset {}",
    "alignment": "aligned: {}",
    "fps": "{:g} frames/s",
    "max_length": "at most {} frames",
    "window_over": "cut into windows above {} frames",
    "window": "windows of {} frames",
    "quantile": "scaled by the quantile {:g}",
    "fill_gaps": "gaps up to {:g} s filled",
    "steps": "{:,} steps",
}


def words(variant: Variant) -> str:
    """A variant in words, for the name of a line."""
    parts = []
    for name, value in variant:
        if (name, value) in _WORDS:
            parts.append(_WORDS[name, value])
        elif name.startswith("set "):
            if value is not None:
                parts.append(f"{name.removeprefix('set ')} = {value}")
        elif value is not None:
            parts.append(_NAMED.get(name, name.replace("_", " ") + " {}").format(value))
    return ", ".join(parts)


def order(variant: Variant) -> tuple[Any, ...]:
    """What variants are sorted by: what is not set first, numbers by size."""
    return tuple(
        (0, 0.0, "")
        if value is None
        else (1, float(value), "")
        if isinstance(value, (int, float))
        else (2, 0.0, str(value))
        for _, value in variant
    )
