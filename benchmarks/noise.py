"""What the noise of a depth camera does to prints that were learned from optical motion capture.

    python benchmarks/noise.py DATASET RUN... [--json FILE]

DATASET is `mhad_dmocap`: 659 clips of Berkeley MHAD, each twice, from optical motion capture and from a depth camera
(column `sensor`; column `clip` says whose twin is whose). The runs were trained on its protocol `cross-subject`:
optical recordings of subjects 1 to 7. Of the clips of subjects 8 to 12 it measures, for the encoder's states of each
run, those of the same networks untrained, and raw coordinates:

    top1, mrr       by the cosine of prints standardised as the probes do (by the optical training prints): how often
                    the nearest optical print to a depth print is its twin's, and the mean of 1 / rank of the twin
    top1_plain      the same by the cosine of prints as they are
    cosine          of a depth print and its twin's, as they are; and of optical prints of different clips
    linear          accuracy of a probe fitted on optical prints of subjects 1 to 7, on optical and on depth prints
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motionprint.errors import DatasetError
from motionprint.evaluation import accuracy, encode, fit_probe, raw_prints
from motionprint.evaluation.probes import Scaler
from motionprint.evaluation.rows import provenance
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.protocols import resolve
from motionprint.training import Run, load_run
from ranks import called, likeness


def twins(dataset: MotionDataset) -> tuple[MotionDataset, MotionDataset, MotionDataset]:
    """Optical training recordings, optical test recordings, and their depth twins in the same order."""
    optical = resolve(dataset, "cross-subject")
    depth = dataset.subset(resolve(dataset, "optical-to-depth").test)
    test = dataset.subset(optical.test)
    places = {clip: number for number, clip in enumerate(depth.index["clip"])}
    clips = list(test.index["clip"])
    if set(places) != set(clips):
        raise DatasetError(f"{dataset.folder}: expected a depth twin for each optical test recording")
    return dataset.subset(optical.train), test, depth.subset(np.array([places[clip] for clip in clips]))


def measure(run: Run, dataset: MotionDataset) -> Iterator[dict[str, Any]]:
    """A row for each kind of prints."""
    train, optical, depth = twins(dataset)
    untrained = run.untrained()
    for name, prints in (
        ("states", lambda recordings: encode(run, recordings)),
        ("untrained", lambda recordings: encode(untrained, recordings)),
        ("raw", lambda recordings: raw_prints(run.recipe, recordings)),
    ):
        fitted, clean, noisy = prints(train), prints(optical), prints(depth)
        scaler = Scaler.fit(fitted)
        probe = fit_probe("linear", fitted, np.array(train.labels))
        yield {
            "prints": name,
            **likeness(noisy, clean, scaler),
            "linear_optical": accuracy(probe, clean, np.array(optical.labels)),
            "linear_depth": accuracy(probe, noisy, np.array(depth.labels)),
            "n_train": len(train),
            "n_test": len(optical),
        }


HEAD = (
    "| prints | top-1 plain, % | top-1, % | 1/rank | median rank | cosine | of others | optical, % | depth, % |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
)


def line(row: Mapping[str, Any]) -> str:
    """A row of a table."""
    return (
        f"| {called(row)} | {100 * row['top1_plain']:.1f} | {100 * row['top1']:.1f} | {row['mrr']:.3f} | "
        f"{row['median_rank']:g} | {row['cosine']:.3f} | {row['cosine_of_others']:.3f} | "
        f"{100 * row['linear_optical']:.1f} | {100 * row['linear_depth']:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="the data set folder mhad_dmocap")
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="run folders trained on optical recordings")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    arguments = parser.parse_args()
    dataset = open_dataset(arguments.dataset)
    made = provenance(" ".join(["python", "benchmarks/noise.py", *sys.argv[1:]]))
    rows = []
    for folder in arguments.runs:
        run = load_run(folder)
        shared = {
            "run": folder.name,
            "dataset": dataset.name,
            "protocol": run.config["protocol"],
            "steps": run.steps,
            "run_seed": run.config["seed"],
            "changes": run.changes,
            "model": run.model_hash,
        }
        print(f"\n{folder.name}: {dataset.name}, {run.config['protocol']}, {run.steps} steps, {run.changes}\n")
        print(*HEAD, sep="\n")
        for row in measure(run, dataset):
            rows.append({**shared, **row, **made})
            print(line(rows[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
