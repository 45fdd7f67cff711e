"""How far a print moves when part of its recording is missing.

    python benchmarks/missing.py DATASET RUN... [--share 0.3] [--seed 0] [--json FILE]

The test recordings of each run's protocol are spoiled in five ways, by draws that depend on ``--seed`` and the number
of the recording alone, the same for every run (a share of 0.3):

    joints          30 % of the joints but the root are missing in all frames
    joints, turned  the same, but never a joint that the recipe turns the body by
    points          every joint of every frame is missing with a chance of 30 %
    points, filled  the same, and the recipe fills gaps of up to FILL seconds
    frames          30 % of the frames are missing whole

Printed and written (JSON lines), for the encoder's states of each run, those of the same networks untrained, and raw
coordinates: the mean cosine of a spoiled print and its whole self, and of two whole prints of different recordings, as
they are; how often the whole self is the nearest of all whole test prints, by the cosine of the prints as they are
(top1_plain) and standardised as the probes do, by the whole training prints (top1), and then the mean of 1 / rank (mrr)
and the median rank; and the accuracy of a linear probe fitted on whole training prints, for whole and for spoiled test
prints.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.evaluation import accuracy, encode, fit_probe, raw_prints
from motionprint.evaluation.probes import Scaler
from motionprint.evaluation.rows import provenance
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.protocols import resolve
from motionprint.training import Run, load_run
from ranks import called, likeness

FILL = 0.5
"""Seconds."""

Floats = npt.NDArray[np.float32]


def spoiled(way: str, sequence: SkeletonSequence, share: float, rng: np.random.Generator) -> SkeletonSequence:
    """A recording of which a share is missing."""
    skeleton = sequence.skeleton
    frames, joints = sequence.positions.shape[:2]
    positions = sequence.positions.copy()
    if way.startswith("points"):
        positions[rng.random((frames, joints)) < share] = np.nan
    elif way == "frames":
        positions[rng.permutation(frames)[: round(share * frames)]] = np.nan
    else:
        candidates = _may_go(skeleton, keep_front=way == "joints, turned")
        count = min(round(share * joints), len(candidates))
        positions[:, rng.permutation(candidates)[:count]] = np.nan
    return replace(sequence, positions=positions)


def _may_go(skeleton: Skeleton, keep_front: bool) -> list[int]:
    kept = {skeleton.root}
    if keep_front:
        kept |= {*(skeleton.hips or ()), *(skeleton.spine or ())}
    return [joint for joint in range(len(skeleton)) if joint not in kept]


WAYS = ("joints", "joints, turned", "points", "points, filled", "frames")


def judged(run: Run) -> Iterator[tuple[str, Callable[[Run, Sequence[SkeletonSequence] | MotionDataset], Floats]]]:
    """What makes prints, by name; each takes the run for its recipe."""
    yield "states", lambda given, sequences: encode(given, sequences)
    untrained = run.untrained()
    yield "untrained", lambda given, sequences: encode(replace(untrained, recipe=given.recipe), sequences)
    yield "raw", lambda given, sequences: raw_prints(given.recipe, sequences)


def measure(run: Run, dataset: MotionDataset, share: float, seed: int) -> Iterator[dict[str, Any]]:
    """A row for each kind of prints and each way of spoiling."""
    split = resolve(dataset, run.config["protocol"], run.config["fold"])
    train, test = dataset.subset(split.train), dataset.subset(split.test)
    recordings = list(test)
    copies = {
        way: [
            # `points, filled` is spoiled as `points` is
            spoiled(way, each, share, np.random.default_rng([seed, number, WAYS.index(way.split(", f")[0])]))
            for number, each in enumerate(recordings)
        ]
        for way in WAYS
    }
    for name, prints in judged(run):
        fitted, whole = prints(run, train), prints(run, recordings)
        scaler = Scaler.fit(fitted)
        probe = fit_probe("linear", fitted, np.array(train.labels))
        for way in WAYS:
            recipe = replace(run.recipe, fill_gaps=FILL) if way == "points, filled" else run.recipe
            found = prints(replace(run, recipe=recipe), copies[way])
            yield {
                "prints": name,
                "way": way,
                "share": share,
                **likeness(found, whole, scaler),
                "linear_whole": accuracy(probe, whole, np.array(test.labels)),
                "linear": accuracy(probe, found, np.array(test.labels)),
                "n_train": len(train),
                "n_test": len(test),
            }


HEAD = (
    "| prints | missing | cosine | of others | top-1 plain, % | top-1, % | 1/rank | rank | linear, % (whole) |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
)


def line(row: Mapping[str, Any]) -> str:
    """A row of a table."""
    return (
        f"| {called(row)} | {row['way']} | {row['cosine']:.3f} | {row['cosine_of_others']:.3f} | "
        f"{100 * row['top1_plain']:.1f} | {100 * row['top1']:.1f} | {row['mrr']:.3f} | {row['median_rank']:g} | "
        f"{100 * row['linear']:.1f} ({100 * row['linear_whole']:.1f}) |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="a data set folder")
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="run folders, trained under its protocol")
    parser.add_argument("--share", type=float, default=0.3, help="how much is missing [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="of what is missing [%(default)s]")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    arguments = parser.parse_args()
    dataset = open_dataset(arguments.dataset)
    made = provenance(" ".join(["python", "benchmarks/missing.py", *sys.argv[1:]]))
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
            "seed": arguments.seed,
        }
        print(f"\n{folder.name}: {dataset.name}, {run.config['protocol']}, {run.steps} steps, {run.changes}\n")
        print(*HEAD, sep="\n")
        for row in measure(run, dataset, arguments.share, arguments.seed):
            rows.append({**shared, **row, **made})
            print(line(rows[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
