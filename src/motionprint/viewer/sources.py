"""What `motionprint view` is given: a data set, a run, an index or a CSV file, all seen alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError, SettingsError
from motionprint.progress import Report
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.dataset import FILES
from motionprint.viewer.tables import Items

if TYPE_CHECKING:
    import pandas as pd

    from motionprint.training import Run

__all__ = ["Kind", "Source", "column", "kind_of", "open_source", "spread"]

Kind = Literal["dataset", "run", "index", "labels"]

MOMENTS = 16
"""Moments of a recording that stand for it where there is no run, as in `motionprint.evaluation.raw_prints`."""


@dataclass(frozen=True, eq=False)
class Source:
    """What is shown on a map."""

    where: str
    """What messages call it."""
    title: str
    total: int
    """Items that there are, shown or not."""
    items: Items
    motions: Sequence[SkeletonSequence] | MotionDataset
    """(N,) the motion of each item, read when it is asked for."""
    table: pd.DataFrame
    """One row an item: label, subject and others."""
    prints: npt.NDArray[np.float32]
    """(N, R)."""
    of: str
    """What the prints are."""
    run: Run | None = None
    """The run that made them, where it is to be described."""
    dataset: MotionDataset | None = None
    """All of the data set, where it is one."""


def kind_of(path: str | Path) -> Kind:
    """What there is at a path.

    Raises
    ------
    DatasetError
        If it is nothing that can be viewed.
    """
    place = Path(path)
    if str(path).startswith("motionprint:"):  # a model that comes with it, or none: opening it says so
        return "run"
    if any((place / name).exists() for name in FILES):
        return "dataset"
    if (place / "index.json").exists():
        return "index"
    if (place / "config.json").exists():
        return "run"
    if place.is_file() and place.suffix.lower() == ".csv":
        return "labels"
    found = "nothing" if not place.exists() else "a folder that is none" if place.is_dir() else "another file"
    raise DatasetError(f"{path}: expected a data set, a run, an index, or a CSV file of labels; found {found}")


def open_source(
    path: str | Path,
    kind: Kind,
    *,
    data: str | Path | None,
    run: str | Path | None,
    limit: int,
    report: Report | None,
) -> Source:
    """What is shown of a path of this kind: at most ``limit`` items, evenly spread.

    Raises
    ------
    DatasetError
        If a data set or an index is damaged or empty, or a run's data set is not found.
    SettingsError
        If ``data`` or ``run`` is missing or out of place.
    CheckpointError
        If a run is damaged.
    SkeletonMismatchError
        If the data set has another skeleton than the run.
    """
    if kind == "labels" and data is None:
        raise SettingsError(f"{path}: expected the data set that it belongs to: say --data DATASET")
    if kind == "dataset" and data is not None:
        raise SettingsError(f"{path}: is a data set itself: expected no --data, found {data}")
    if kind == "run" and run is not None:
        raise SettingsError(f"{path}: is a run itself: expected no --run, found {run}")
    if kind == "index":
        for option, value in (("--data", data), ("--run", run)):
            if value is not None:
                raise SettingsError(f"{path}: is an index, which holds its prints: expected no {option}, found {value}")
        from motionprint.viewer.indexed import of_index

        return of_index(path, limit)
    folder = path if kind == "run" else run
    loaded = None
    if folder is not None:
        from motionprint.training import load_run

        loaded = load_run(folder)
    if kind == "run" and data is None:
        from motionprint.viewer.trained import find_dataset

        assert loaded is not None
        dataset = find_dataset(folder or path, loaded.config)
    else:
        dataset = open_dataset(path if kind == "dataset" else data or path)
    if not len(dataset):
        raise DatasetError(f"{dataset.folder}: expected at least one sequence, found none")
    if loaded is not None:
        loaded.require_joints(dataset)
    return _of_dataset(dataset, loaded, folder, limit, report)


def _of_dataset(
    dataset: MotionDataset, run: Run | None, folder: str | Path | None, limit: int, report: Report | None
) -> Source:
    shown = dataset if len(dataset) <= limit else dataset.subset(spread(len(dataset), limit))
    if run is None:
        prints, of = _coordinates(shown, report), "coordinates"
    else:
        from motionprint.evaluation import encode

        prints, of = encode(run, shown, report=report), f"prints of {folder} (states)"
    index = shown.index
    ends = (index["length"] / index["fps"]).round(3).tolist()
    items = Items(shown.names, column(index, "source"), index["person"].tolist(), [0.0] * len(shown), ends)
    return Source(str(dataset.folder), dataset.name, len(dataset), items, shown, index, prints, of, run, dataset)


def spread(count: int, limit: int) -> npt.NDArray[np.int64]:
    """Numbers below ``count``, ``limit`` of them."""
    return np.linspace(0, count - 1, limit).round().astype(np.int64)


def _coordinates(dataset: MotionDataset, report: Report | None) -> npt.NDArray[np.float32]:
    """Coordinates (N, 16 D) through the recipe that runs have by default, fitted on what is shown."""
    from motionprint.preprocessing import Recipe

    if report is not None:
        report(0, len(dataset), "reading")
    recipe = Recipe(dataset.skeleton, **dataset.defaults).fit(dataset)
    rows = np.empty((len(dataset), MOMENTS * recipe.inputs), np.float32)
    for number, sequence in enumerate(dataset):
        rows[number] = np.nan_to_num(recipe.apply(sequence, frames=MOMENTS).ravel())
        if report is not None:
            report(number + 1, len(dataset), "reading")
    return rows


def column(table: Any, name: str) -> list[str | None]:
    """A column of a table as text, None where there is nothing."""
    import pandas as pd

    values = table[name].tolist()
    return [None if pd.isna(v) else str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values]
