"""What alignment and scaling are worth: raw coordinates, the untrained and the trained encoder under all nine.

    python benchmarks/alignments.py DATASET [--protocols P ...] [--alignments A ...] [--scalings S ...]
                                            [--seeds 0 1 2] [--steps N] [--jobs 2] [--json FILE]

For each protocol, alignment (none, heading, body) and scaling (set, sequence, axes) of the recipe: the accuracy of a
linear probe and of the nearest neighbour, fitted on the protocol's training recordings and judged on its test
recordings, on raw coordinates, and for each seed on the states of an untrained encoder and of one trained by the method
inpainting (preset small). Everything else is the data set's default and the preset's.

The file is written after every cell and holds each one's provenance; what it has is not measured again, so that a run
that was cut short goes on. ``--seeds`` without a number measures raw coordinates alone. ``--jobs`` cells are measured
side by side, each on one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from motionprint.evaluation import accuracy, encode, fit_probe, raw_prints
from motionprint.evaluation.rows import provenance
from motionprint.preprocessing.recipe import SCALINGS
from motionprint.preprocessing.space import ALIGNMENTS
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.atomic import replaced
from motionprint.store.protocols import Split, resolve
from motionprint.training import configure, pretrain
from motionprint.training.settings import TRAINING_PRESETS

FIGURES = Path(__file__).resolve().parent / "figures" / "alignments.json"
PROTOCOLS = ("cross-view", "cross-view-dedup")

Prints = npt.NDArray[np.float32]


class Cell(NamedTuple):
    """What is measured at once."""

    protocol: str
    alignment: str
    scaling: str
    seed: int | None
    """None for raw coordinates, which know none."""


def measure(folder: Path, cell: Cell, steps: int, device: str) -> list[dict[str, Any]]:
    """The rows of a cell: one for raw coordinates, two for a seed."""
    torch.set_num_threads(1)
    dataset = open_dataset(folder)
    split = resolve(dataset, cell.protocol, 0)
    changes = {"alignment": cell.alignment, "scaling": cell.scaling}
    if cell.seed is None:
        started = time.perf_counter()
        train, test = dataset.subset(split.train), dataset.subset(split.test)
        _, recipe = configure(dataset.skeleton, changes=changes, defaults=dataset.defaults)
        recipe = recipe.fit(train)
        found = judged(raw_prints(recipe, train), raw_prints(recipe, test), dataset, split)
        return [{**cell._asdict(), "prints": "raw", "steps": None, **found, **took(started, "cpu")}]
    rows = []
    with tempfile.TemporaryDirectory() as place:
        started = time.perf_counter()
        run = pretrain(
            dataset,
            Path(place) / "run",
            changes=changes,
            protocol=cell.protocol,
            seed=cell.seed,
            steps=steps,
            device=device,
        )
        for name, each in (("untrained", run.untrained()), ("states", run)):
            prints = [encode(each, dataset.subset(half)) for half in (split.train, split.test)]
            found = judged(*prints, dataset, split)
            made = {"steps": each.steps, **found, **took(started, str(run.device))}
            rows.append({**cell._asdict(), "prints": name, **made})
    return rows


def judged(train: Prints, test: Prints, dataset: MotionDataset, split: Split) -> dict[str, Any]:
    """The accuracies of both probes."""
    labels = np.array(dataset.labels, dtype=np.str_)
    found = {
        task: accuracy(fit_probe(task, train, labels[split.train]), test, labels[split.test])
        for task in ("linear", "knn1")
    }
    return {**found, "n_train": len(train), "n_test": len(test)}


def took(started: float, device: str) -> dict[str, Any]:
    """How long and on what."""
    return {"seconds": round(time.perf_counter() - started, 1), "device": device}


def wanted(arguments: argparse.Namespace, rows: Sequence[dict[str, Any]]) -> Iterator[Cell]:
    """The cells that are asked for and not in the file; raw coordinates first."""
    done = {Cell(row["protocol"], row["alignment"], row["scaling"], row["seed"]) for row in rows}
    for seed in (None, *arguments.seeds):
        for each in product(arguments.protocols, arguments.alignments, arguments.scalings):
            if (cell := Cell(*each, seed)) not in done:
                yield cell


def written(rows: Sequence[dict[str, Any]], dataset: str, file: Path) -> None:
    """The file with all rows, in an order of their own."""
    places = {name: place for place, name in enumerate((*PROTOCOLS, *ALIGNMENTS, *SCALINGS))}

    def place(row: dict[str, Any]) -> tuple[int, ...]:
        seed = -1 if row["seed"] is None else row["seed"]
        return (*(places.get(row[key], len(places)) for key in ("protocol", "alignment", "scaling")), seed)

    with replaced(file) as unfinished:
        table = {"dataset": dataset, "rows": sorted(rows, key=place)}
        Path(unfinished).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="NW-UCLA as a data set folder")
    parser.add_argument("--protocols", nargs="+", default=PROTOCOLS, help="the data set's own [%(default)s]")
    parser.add_argument("--alignments", nargs="+", choices=ALIGNMENTS, default=ALIGNMENTS)
    parser.add_argument("--scalings", nargs="+", choices=SCALINGS, default=SCALINGS)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2], help="none: raw coordinates alone")
    parser.add_argument("--steps", type=int, default=TRAINING_PRESETS["small"].steps, help="of training [%(default)s]")
    parser.add_argument("--jobs", type=int, default=1, help="cells measured side by side [%(default)s]")
    parser.add_argument("--device", default="cpu", help="where encoders train [%(default)s]")
    parser.add_argument("--json", type=Path, default=FIGURES, help="the file to write and to go on with")
    arguments = parser.parse_args()
    dataset = open_dataset(arguments.dataset).name
    table = json.loads(arguments.json.read_text(encoding="utf-8")) if arguments.json.is_file() else {}
    rows: list[dict[str, Any]] = table.get("rows", [])
    if table.get("dataset", dataset) != dataset:
        parser.error(f"{arguments.json}: holds figures of {table['dataset']}, found {dataset}")
    others = {row["steps"] for row in rows if row["prints"] == "states"}
    if others and others != {arguments.steps}:
        parser.error(f"{arguments.json}: holds figures of {', '.join(map(str, others))} steps, found {arguments.steps}")
    made = provenance(" ".join(["python", "benchmarks/alignments.py", *sys.argv[1:]]))
    cells = list(wanted(arguments, rows))
    print(f"{len(cells)} cells to measure, {len(rows)} rows in {arguments.json}", flush=True)
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        waiting = {
            pool.submit(measure, arguments.dataset, cell, arguments.steps, arguments.device): cell for cell in cells
        }
        for number, each in enumerate(as_completed(waiting), start=1):
            found = each.result()
            rows += [{**row, **made} for row in found]
            written(rows, dataset, arguments.json)
            texts = [f"{row['prints']} {row['linear']:.3f} ({row['knn1']:.3f})" for row in found]
            cell = waiting[each]
            print(f"{number}/{len(cells)} {' '.join(map(str, cell))}: {', '.join(texts)}", flush=True)


if __name__ == "__main__":
    main()
