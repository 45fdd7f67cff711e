"""A cell: one training, or one set of baselines, and the rows that it makes.

Cells are independent but for fine-tuning, which starts from the run of another. A cell is named by a hash of the data
(positions, labels, what trains and what tests), of its settings and of the code that computes, so that what is done is
not done again, and what has changed is. How much is asked of probes is no part of the name: who asks for more of them
has the probes measured again, and nothing trained but what has lost its run (results may be copied without runs).
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import motionprint
from motionprint.errors import CheckpointError, DatasetError
from motionprint.evaluation import encode, evaluate, write_rows
from motionprint.evaluation.rows import build_row
from motionprint.evaluation.supervised import predict
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.atomic import replaced
from motionprint.store.protocols import resolve
from motionprint.training import Run, load_run, pretrain, train
from motionprint.training.checkpoints import WEIGHTS, read_tensors
from motionprint.training.run import read_config

__all__ = [
    "CELL",
    "Cell",
    "cell_key",
    "code_version",
    "data_version",
    "describe",
    "done",
    "read_cell",
    "startable",
    "widened",
    "work",
]

CELL = "cell.json"
"""What a cell is; written last, so that a folder that has it has all its rows."""

_COMPUTES = (
    "skeleton.py",
    "rigs.py",
    "sequence.py",
    "batches.py",
    "store/labelled.py",
    "store/protocols.py",
    "preprocessing",
    "networks",
    "methods",
    "training",
    "evaluation",
)
"""What of the package decides about a number."""

Kind = Literal["pretrain", "baselines", "train"]


@dataclass(frozen=True)
class Cell:
    """What is trained, on what, and what is asked of it."""

    kind: Kind
    """pretrain (a method without labels, then probes), baselines (no training), or train (with labels)."""
    data: str
    """The data set's folder, below the folder of data sets."""
    protocol: str
    """What trains and what tests."""
    fold: int = 0
    method: str = "inpainting"
    """Of fine-tuning: softmax."""
    preset: str = "small"
    seed: int = 0
    changes: tuple[tuple[str, Any], ...] = ()
    """Settings that are not the preset's."""
    labels: tuple[int | None, ...] = (None,)
    """Labelled recordings of each class (None: all) that probes are given, one after another; training has one."""
    sampling: int = 0
    """Which draw of labelled recordings is trained with."""
    samplings: int = 10
    """How many draws of few labelled recordings probes are given."""
    init: Cell | None = None
    """The pre-training that fine-tuning starts from."""
    transductive: bool = False
    """Whether pre-training reads the test recordings too (the practice of the paper's authors)."""

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values."""
        return {**asdict(self), "changes": dict(self.changes), "init": self.init and self.init.to_dict()}

    def unprobed(self) -> Cell:
        """The same training, whatever is asked of its prints."""
        return replace(self, labels=(None,), samplings=1)


@cache
def code_version() -> str:
    """A hash of the source text that decides about a number."""
    package = Path(motionprint.__file__).parent
    digest = hashlib.sha256()
    for name in _COMPUTES:
        place = package / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(f"\n{file.relative_to(package).as_posix()}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


@cache
def data_version(folder: Path, protocol: str, fold: int) -> str:
    """A hash of the recordings, their labels, and what trains and tests."""
    dataset = open_dataset(folder)
    split = resolve(dataset, protocol, fold)
    facts = [dataset.sha256, dataset.names, dataset.labels, dataset.index["fps"].tolist(), dataset.defaults]
    facts += [dataset.skeleton.to_dict(), split.train.tolist(), split.test.tolist()]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def cell_key(cell: Cell, data: Path) -> str:
    """The name of a cell's folder: of the data, the settings and the code.

    The device, and the versions of what motionprint computes with, are not in it: rows say them.
    """
    trained = cell if cell.kind == "train" else cell.unprobed()
    facts = {
        "cell": {**trained.to_dict(), "init": None, "data": None},
        "init": None if cell.init is None else cell_key(cell.init, data),
        "data": data_version(data / cell.data, cell.protocol, cell.fold),
        "code": code_version(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]


def done(cell: Cell, folder: Path) -> bool:
    """Whether a cell's folder is whole, with all rows that are asked for.

    Raises
    ------
    DatasetError
        If what the folder says of itself cannot be read.
    """
    if not (folder / CELL).is_file():
        return False
    facts = read_cell(folder)
    return cell.kind == "train" or (set(cell.labels) <= {*facts["labels"]} and cell.samplings <= facts["samplings"])


def widened(cell: Cell, folder: Path) -> Cell:
    """The cell with what its folder's probes were asked before, so that asking for other rows loses none.

    Raises
    ------
    DatasetError
        If what the folder says of itself cannot be read.
    """
    if cell.kind == "train" or not (folder / CELL).is_file():
        return cell
    facts = read_cell(folder)
    labels = sorted({*cell.labels, *facts["labels"]}, key=lambda number: float("inf") if number is None else number)
    return replace(cell, labels=tuple(labels), samplings=max(cell.samplings, facts["samplings"]))


def startable(folder: Path) -> bool:
    """Whether a cell's folder has the run of a pre-training that is finished."""
    try:
        training = read_config(folder / "run")["training"]
        return bool(read_tensors(folder / "run" / WEIGHTS)[1] >= training["steps"])
    except CheckpointError:
        return False


def work(cell: Cell, folder: Path, data: Path, start: Path | None, device: str, command: str | None) -> None:
    """Do what a cell asks, and write its folder; what was begun and ended early is taken up where it was.

    Parameters
    ----------
    folder
        The cell's own.
    data
        The folder of all data sets.
    start
        The folder of the cell that fine-tuning starts from.

    Raises
    ------
    DatasetError
        If what it starts from is not finished.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dataset = open_dataset(data / cell.data)
    if cell.kind == "train":
        if start is not None and not startable(start):
            raise DatasetError(f"{start}: expected a finished pre-training to start from, found none")
        rows = _trained(cell, folder, dataset, start, device, command)
    else:
        rows = _probed(cell, folder, dataset, device, command)
    write_rows([build_row(row) for row in rows], folder / "rows.jsonl", overwrite=True)


def describe(cell: Cell, folder: Path, key: str, experiments: list[str], data: Path) -> None:
    """Say what a cell is and which experiments ask for it: the mark that its rows are there."""
    dataset = open_dataset(data / cell.data)
    classes = len({label for label in dataset.labels if label is not None})
    facts = {"key": key, "experiments": experiments, "code": code_version(), **cell.to_dict()}
    facts |= {"classes": classes, "joints": len(dataset.skeleton)}
    with replaced(folder / CELL) as unfinished:
        unfinished.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def read_cell(folder: Path) -> dict[str, Any]:
    """What a cell's folder says that it is.

    Raises
    ------
    DatasetError
        If it cannot be read.
    """
    try:
        facts = json.loads((folder / CELL).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{folder / CELL}: expected the JSON text of a cell: {error}") from error
    if not isinstance(facts, dict) or not all(isinstance(facts.get(name), list) for name in ("experiments", "labels")):
        raise DatasetError(f"{folder / CELL}: expected the facts of a cell with its experiments and labels")
    if not isinstance(facts.get("samplings"), int):
        raise DatasetError(f"{folder / CELL}: expected a number of samplings, found {facts.get('samplings')!r}")
    return facts


def _probed(cell: Cell, folder: Path, dataset: MotionDataset, device: str, command: str | None) -> list[dict[str, Any]]:
    """Pre-train (of baselines: not a step), and measure prints."""
    baselines = cell.kind == "baselines"
    run = pretrain(
        dataset,
        folder / "run",
        method=cell.method,
        preset=cell.preset,
        changes={**dict(cell.changes), "keep_checkpoints": 1, **({"steps": 0} if baselines else {})},
        protocol=None if cell.transductive else cell.protocol,
        fold=0 if cell.transductive else cell.fold,
        seed=cell.seed,
        device=device,
        resume=True,
        command=command,
    )
    rows = evaluate(
        run,
        dataset,
        protocol=cell.protocol,
        fold=cell.fold,
        features=("states", "F"),
        labels_per_class=["all" if number is None else number for number in cell.labels],
        samplings=cell.samplings,
        transductive=cell.transductive,
        baselines=baselines,
        dtw=baselines,
        command=command,
    )
    if baselines:
        return [row for row in rows if row["method"] in ("raw", "random", "dtw", "first_frame")]
    _copy_log(run, folder)
    _write_prints(run, dataset, cell, folder)
    return rows


def _trained(
    cell: Cell, folder: Path, dataset: MotionDataset, start: Path | None, device: str, command: str | None
) -> list[dict[str, Any]]:
    """Train with labels, and count what is recognised."""
    init = None if start is None else load_run(start / "run", device)
    run = train(
        dataset,
        folder / "run",
        method=cell.method,
        init=init,
        preset=cell.preset,
        changes={**dict(cell.changes), "keep_checkpoints": 1},
        protocol=cell.protocol,
        fold=cell.fold,
        labels_per_class=cell.labels[0],
        sampling=cell.sampling,
        transductive=cell.init is not None and cell.init.transductive,
        seed=cell.seed,
        device=device,
        resume=True,
        command=command,
    )
    rows = evaluate(
        run,
        dataset,
        protocol=cell.protocol,
        fold=cell.fold,
        transductive=cell.init is not None and cell.init.transductive,
        command=command,
    )
    _copy_log(run, folder)
    test = _labelled_test(dataset, cell)
    lines = zip(test.names, test.labels, predict(run, test).tolist(), strict=True)
    with (
        replaced(folder / "predictions.csv") as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as opened,
    ):
        csv.writer(opened).writerows([("name", "label", "predicted"), *lines])
    return rows


def _labelled_test(dataset: MotionDataset, cell: Cell) -> MotionDataset:
    test = dataset.subset(resolve(dataset, cell.protocol, cell.fold).test)
    return test.subset([number for number, label in enumerate(test.labels) if label is not None])


def _copy_log(run: Run, folder: Path) -> None:
    """Put the log where it stays when the run's folder goes."""
    assert run.folder is not None
    with replaced(folder / "log.csv") as unfinished:
        unfinished.write_bytes((run.folder / "log.csv").read_bytes())


def _write_prints(run: Run, dataset: MotionDataset, cell: Cell, folder: Path) -> None:
    """The states of the test recordings, for maps."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    test = _labelled_test(dataset, cell)
    prints = encode(run, test, "states")
    column = pa.FixedSizeListArray.from_arrays(pa.array(prints.reshape(-1)), prints.shape[1])
    facts: Mapping[str, str] = {"model": run.model_hash, "features": "states"}
    columns = {"name": pa.array(test.names), "label": pa.array(test.labels), "print": column}
    table = pa.table(columns).replace_schema_metadata(dict(facts))
    with replaced(folder / "prints.parquet") as unfinished:
        pq.write_table(table, unfinished)
