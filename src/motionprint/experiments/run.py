"""Running the cells of an experiment: here, in several processes, or on a cluster; what is done is not done again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from motionprint.errors import DatasetError, MotionprintError, SettingsError
from motionprint.experiments.cells import CELL, Cell, cell_key, describe, done, read_cell, startable, widened, work
from motionprint.experiments.grids import plan
from motionprint.fanout import ordered
from motionprint.progress import Report
from motionprint.store.atomic import held, replaced
from motionprint.training.run import resolve_device

__all__ = ["Outcome", "experiment"]

MISSING = "missing.json"
"""What the data at hand did not allow, and where it is to be had."""

ATTEMPTS = 50
"""To get hold of a file that another experiment writes, a tenth of a second apart."""


@dataclass
class Outcome:
    """What became of an experiment."""

    cells: int = 0
    """Cells that it is made of."""
    found: int = 0
    """Cells that had been done before."""
    failed: list[str] = field(default_factory=list)
    """What went wrong, a line for each cell that could not be done."""
    missing: list[dict[str, str]] = field(default_factory=list)
    """What the data at hand did not allow: what, why, where it is to be had."""


@dataclass(frozen=True)
class _Task:
    """A cell for a process, wherever it runs."""

    cell: Cell
    key: str
    start: str | None
    """The key of the cell that fine-tuning starts from."""
    name: str
    """The experiment's."""
    data: str
    cells: str
    device: str
    command: str | None
    threads: int | None
    again: bool = False
    """Whether it is to be done although its rows are there: its run is not."""


def experiment(
    name: str,
    data: str | Path,
    out: str | Path,
    *,
    preset: str = "small",
    samplings: int = 10,
    seeds: int = 1,
    targets: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    device: str = "auto",
    report: Report | None = None,
    command: str | None = None,
) -> Outcome:
    """Run what the data sets at hand allow of an experiment; `motionprint.experiments.report` makes tables of it.

    Cells that ``out`` has already, of the same data, settings and code, are not run again. A cell that fails leaves the
    others alone. A kill loses no more than the steps since a cell's last checkpoint.

    Parameters
    ----------
    data
        A folder of data set folders.
    out
        The folder of results, there or to be made: ``cells/KEY/`` with rows, logs, predictions, prints and runs.
    jobs, scheduler
        Processes of this machine, or the address (or scheduler file) of a Dask cluster that shares the file system.

    Raises
    ------
    SettingsError
        If a name is unknown, the device cannot be used here, or there are ``jobs`` beside a ``scheduler``.
    DatasetError
        If nothing at hand serves the experiment, or ``out`` is a file.
    """
    place, results = Path(data).resolve(), Path(out).resolve()
    cells, missing = plan(
        name, place, preset=preset, samplings=samplings, seeds=seeds, targets=targets, methods=methods
    )
    if scheduler is not None and jobs > 1:
        raise SettingsError(f"jobs: expected none with a scheduler, whose workers train, found {jobs}")
    if scheduler is None:
        resolve_device(device)  # once, before anything is made; workers elsewhere may have others
    if results.exists() and not results.is_dir():
        raise DatasetError(f"{out}: expected a folder of results, there or to be made, found a file")
    (results / "cells").mkdir(parents=True, exist_ok=True)
    _note_missing(results / MISSING, name, missing)
    threads = max(1, (os.cpu_count() or 1) // jobs) if scheduler is None and jobs > 1 else None
    outcome = Outcome(len(cells), missing=missing)
    waiting: list[_Task] = []
    keys = {cell: cell_key(cell, place) for cell in cells}
    finished = {cell for cell, key in keys.items() if done(cell, results / "cells" / key)}
    starts = {cell.init for cell in cells if cell.init is not None and cell not in finished}
    # results may have been copied without their runs: what is still to be started from one needs it
    needed = {cell for cell in finished if cell.unprobed() in starts}
    again = {cell for cell in needed if not startable(results / "cells" / keys[cell])}
    finished -= again
    for cell, key in keys.items():
        if cell in finished:
            outcome.found += 1
            try:
                _ask_too(cell, results / "cells" / key, key, name, place)
            except DatasetError as error:  # another experiment is adding to it
                outcome.failed.append(f"{_words(cell)}: {error}")
        else:
            start = None if cell.init is None else cell_key(cell.init, place)
            task = _Task(cell, key, start, name, str(place), str(results / "cells"), device, command, threads)
            waiting.append(replace(task, again=cell in again))
    first = {task.cell.init for task in waiting} - {None}
    stages: list[list[_Task]] = [[], []]
    for task in waiting:
        stages[0 if task.cell.unprobed() in first else 1].append(task)
    count = outcome.found
    if report is not None:
        report(count, len(cells), f"{name}: {count} cells were done before")
    for stage in stages:
        for text, failure in ordered(_do, stage, scheduler, jobs=jobs, packages=("torch",), ahead=len(stage)):
            count += 1
            if failure:
                outcome.failed.append(f"{text}: {failure}")
            if report is not None:
                report(count, len(cells), text)
    return outcome


def _do(task: _Task) -> tuple[str, str | None]:
    """Work on a cell; what it was, and what went wrong."""
    cells, data = Path(task.cells), Path(task.data)
    folder = cells / task.key
    cell, text = task.cell, _words(task.cell)
    before = torch.get_num_threads()
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    try:
        if cell_key(cell, data) != task.key:
            raise DatasetError("the data or the code has changed since the experiment began: run it again")
        with held(folder), threadpool_limits(task.threads):  # scikit-learn's products would take all processors
            whole = widened(cell, folder)
            known = read_cell(folder)["experiments"] if (folder / CELL).is_file() else []
            if task.again or not done(cell, folder):
                work(whole, folder, data, None if task.start is None else cells / task.start, task.device, task.command)
            describe(whole, folder, task.key, sorted({*known, task.name}), data)
    except MotionprintError as error:
        return text, str(error)
    except Exception as error:  # whatever it is, the other cells go on
        return text, f"{type(error).__name__}: {' '.join(str(error).split())}"
    finally:
        torch.set_num_threads(before)
    return text, None


def _words(cell: Cell) -> str:
    """A cell as messages name it."""
    start = "" if cell.init is None else f" from {cell.init.method}"
    return f"{cell.data} {cell.protocol} {cell.fold}, {cell.method}{start} ({cell.kind}, seed {cell.seed})"


def _ask_too(cell: Cell, folder: Path, key: str, name: str, data: Path) -> None:
    """Note that another experiment asks for a cell."""
    if name not in read_cell(folder)["experiments"]:
        with _alone(folder):
            described = sorted({*read_cell(folder)["experiments"], name})
            describe(widened(cell, folder), folder, key, described, data)


def _note_missing(file: Path, name: str, missing: list[dict[str, str]]) -> None:
    """Keep what is missing beside the results, of each experiment what was said last."""
    with _alone(file.with_suffix("")):
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = []
        kept = [line for line in before if isinstance(line, dict) and line.get("experiment") != name]
        with replaced(file) as unfinished:
            unfinished.write_text(json.dumps([*kept, *missing], indent=1) + "\n", encoding="utf-8")


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Hold a name that another experiment may hold for a moment."""
    for attempt in range(ATTEMPTS):
        with ExitStack() as stack:
            try:
                stack.enter_context(held(place))
            except DatasetError:
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(0.1)
                continue
            yield
            return
