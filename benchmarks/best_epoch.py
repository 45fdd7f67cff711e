"""How much an accuracy gains when the checkpoint is picked on the test recordings: what nobody should do.

    python benchmarks/best_epoch.py DATASET --protocol P [--seeds 0 1 2] [--every 100] [--json FILE]

For each seed a run of the method inpainting (preset small) keeps a checkpoint every so many steps; the linear probe on
the states of each is judged on the test recordings. The last one is what motionprint reports; the best one is what a
paper reports that picks it. The file is written after every seed, and what it has is not measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motionprint.evaluation import accuracy, encode, fit_probe
from motionprint.evaluation.rows import provenance
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.atomic import replaced
from motionprint.store.protocols import resolve
from motionprint.training import Run, pretrain
from motionprint.training.checkpoints import WEIGHTS, earlier_checkpoints, read_tensors

FIGURES = Path(__file__).resolve().parent / "figures" / "best-epoch.json"


def measure(dataset: MotionDataset, protocol: str, seed: int, every: int, device: str) -> dict[str, Any]:
    """The accuracy of every checkpoint of a run."""
    split = resolve(dataset, protocol, 0)
    labels = np.array(dataset.labels, dtype=np.str_)
    train, test = dataset.subset(split.train), dataset.subset(split.test)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        changes = {"checkpoint_every": every, "keep_checkpoints": 1000}
        run = pretrain(dataset, folder, changes=changes, protocol=protocol, seed=seed, device=device)
        found = {}
        for file in (*(file for _, file in earlier_checkpoints(folder)), folder / WEIGHTS):
            tensors, step = read_tensors(file)
            each = _with_weights(run, tensors, step)
            probe = fit_probe("linear", encode(each, train), labels[split.train])
            found[step] = accuracy(probe, encode(each, test), labels[split.test])
    steps = sorted(found)
    return {
        "protocol": protocol,
        "seed": seed,
        "steps": steps,
        "accuracies": [found[step] for step in steps],
        "last": found[steps[-1]],
        "best": max(found.values()),
        "n_test": len(test),
    }


def _with_weights(run: Run, tensors: dict[str, torch.Tensor], step: int) -> Run:
    run.method.load_state_dict({name[6:]: weight for name, weight in tensors.items() if name.startswith("model.")})
    return replace(run, steps=step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="a data set folder")
    parser.add_argument("--protocol", required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--every", type=int, default=100, help="steps between checkpoints [%(default)s]")
    parser.add_argument("--device", default="cpu", help="where encoders train [%(default)s]")
    parser.add_argument("--json", type=Path, default=FIGURES, help="the file to write and to go on with")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dataset = open_dataset(arguments.dataset)
    rows = json.loads(arguments.json.read_text(encoding="utf-8"))["rows"] if arguments.json.is_file() else []
    made = provenance(" ".join(["python", "benchmarks/best_epoch.py", *sys.argv[1:]]))
    for seed in arguments.seeds:
        if any(
            (row["dataset"], row["protocol"], row["seed"]) == (dataset.name, arguments.protocol, seed) for row in rows
        ):
            continue
        row = measure(dataset, arguments.protocol, seed, arguments.every, arguments.device)
        rows.append({"dataset": dataset.name, **row, **made})
        print(f"{dataset.name}, {arguments.protocol}, seed {seed}: last {row['last']:.3f}, best {row['best']:.3f}")
        with replaced(arguments.json) as unfinished:
            unfinished.write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
