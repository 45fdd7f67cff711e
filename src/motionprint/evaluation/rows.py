"""Results as rows: one JSON object a line, every key always there, each with what made it.

Every key is explained in docs/evaluation.md.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import motionprint
from motionprint.errors import DatasetError, SettingsError
from motionprint.store.atomic import new_file
from motionprint.training.run import versions

if TYPE_CHECKING:
    import pandas

__all__ = ["KEYS", "build_row", "provenance", "read_rows", "source_commit", "summarise", "write_rows"]

KEYS = (
    "dataset",
    "protocol",
    "fold",
    "sampling",
    "labels_per_class",
    "method",
    "preset",
    "loss",
    "condition",
    "features",
    "task",
    "metric",
    "value",
    "seed",
    "steps",
    "n_train",
    "n_test",
    "duplicates",
    "transductive",
    "recipe",
    "commit",
    "versions",
    "command",
    "seconds",
    "device",
    "changes",
    "fitted_on",
    "model",
)
"""The keys of a row, in the order in which they are written."""

REPEATED = ("sampling", "seed", "value", "commit", "versions", "command", "seconds", "device", "model")
"""The keys that `summarise` does not tell rows apart by."""


def build_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """One row with its keys in the order of `KEYS`.

    Raises
    ------
    SettingsError
        If a key is missing or unknown, or the value is not a finite number.
    """
    missing = [key for key in KEYS if key not in values]
    unknown = [key for key in values if key not in KEYS]
    if missing or unknown:
        raise SettingsError(f"row: missing keys {missing}, unknown keys {unknown}")
    value = values["value"]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise SettingsError(f"row {values['task']} {values['metric']}: expected a finite value, found {value!r}")
    return {key: values[key] for key in KEYS}


def write_rows(rows: Iterable[Mapping[str, Any]], path: str | Path, overwrite: bool = False) -> None:
    """Write rows as JSON lines; the file appears under its name when it is complete.

    Raises
    ------
    DatasetError
        If the file exists and ``overwrite`` is false.
    SettingsError
        If a row is not what `build_row` builds.
    """
    with new_file(path, overwrite=overwrite) as unfinished:
        lines = [json.dumps(build_row(row), ensure_ascii=False, allow_nan=False) + "\n" for row in rows]
        Path(unfinished).write_text("".join(lines), encoding="utf-8")


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """Read the rows of a file.

    Raises
    ------
    DatasetError
        If the file cannot be read or a line is not a row; the text begins with file and line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: expected a file of result rows: {error}") from error
    rows = []
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], start=1):
        try:
            row = json.loads(line)
            rows.append(build_row(row if isinstance(row, dict) else {}))
        except (json.JSONDecodeError, SettingsError) as error:
            raise DatasetError(f"{path}:{number}: expected a result row: {error}") from error
    return rows


def summarise(rows: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
    """Mean, standard deviation and number of values over samplings and seeds.

    Returns
    -------
    pandas.DataFrame
        One line a setting, in the order in which settings first occur: the keys that tell settings apart, then
        ``mean``, ``sd`` (of the sample; NaN for one value) and ``n``. Dictionaries are written as JSON text.
    """
    import pandas as pd

    keys = [key for key in KEYS if key not in REPEATED]
    groups: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        setting = tuple(json.dumps(v, sort_keys=True) if isinstance(v := row[key], dict) else v for key in keys)
        groups.setdefault(setting, []).append(float(row["value"]))
    table = pd.DataFrame([dict(zip(keys, setting, strict=True)) for setting in groups], columns=keys, dtype=object)
    values = [pd.Series(group) for group in groups.values()]
    return table.assign(
        mean=[float(value.mean()) for value in values],
        sd=[float(value.std(ddof=1)) if len(value) > 1 else math.nan for value in values],
        n=[len(value) for value in values],
    )


def provenance(command: str | None) -> dict[str, Any]:
    """What made a row: ``commit``, ``versions`` and ``command``."""
    return {"commit": source_commit(), "versions": versions(), "command": command}


def source_commit(package: Path | None = None) -> str | None:
    """The git commit of motionprint's source tree, ``-dirty`` where ``src`` differs from it.

    None where motionprint does not run from a checkout of its own (an installed wheel, even one that lies inside
    somebody's repository), where the checkout has no commit yet, or where there is no git.
    """
    package = Path(motionprint.__file__).resolve().parent if package is None else package.resolve()

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(package), *arguments], capture_output=True, text=True, timeout=20, check=False
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    top = git("rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() / "src" / package.name != package:
        return None
    commit = git("rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        return None
    return commit + ("-dirty" if git("status", "--porcelain", "--", ".") else "")
