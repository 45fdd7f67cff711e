"""How far fillers of gaps are from what was recorded, by the length of the gap and by what is missing.

    python benchmarks/repair.py DATASET --protocol NAME [--fold 0] [--judged SUBJECT,...] [--run RUN] [--seed 0]
                                [--fillers line,spline,beside,pca,nearest] [--every 1] [--json FILE]

In each test recording of the protocol one gap is made for each length (0.1 to 2 s) and each kind: one joint, one body
part, two or three body parts, the whole body. Its place is drawn from ``--seed``, the number of the recording, the kind
and the length alone: the same for every filler. A recording that is too short to have two recorded frames on both sides
of the gap is left out for that length. ``pca`` and ``nearest`` are fitted on the protocol's training recordings; with
``--run`` a run that was trained for repair fills them too, as `motionprint repair` does with ``--gaps`` beside, model
and auto (bones keep their lengths, which they do not with the plain fillers), and the protocol is that of the run.
Settings are chosen on people of the training recordings: ``--protocol subjects:A,B,C --judged D,E`` fits on A to C and
judges by D and E alone.

Printed and written (JSON lines), over all places of all recordings: the mean distance from the truth and the root of
the mean square (cm); by how much bones are longer or shorter than the recording's own (cm); the mean size of the third
difference over that of the truth (1: as smooth as the truth); how far the points beside an edge lie from where the
recorded frames lead, and how far the truth does (cm).
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.evaluation.rows import provenance
from motionprint.repair.fillers import FILLERS, FITTED, Filler
from motionprint.repair.gaps import HIDDEN, draw_gap
from motionprint.repair.measures import bone_drift, distances, jerk, jumps
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.protocols import Split, resolve

LENGTHS = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Seconds."""

SHOWN = 1.0
"""Seconds of the gaps of the second table."""

CALLED = {"joint": "a joint", "part": "a body part", "parts": "2 or 3 parts", "body": "the whole body"}


def judged(
    fill: Filler, recordings: Sequence[SkeletonSequence] | MotionDataset, hidden: str, seconds: float, seed: int
) -> dict[str, Any] | None:
    """The measures of one filler on one kind of gap; None where every recording is too short for it."""
    found: dict[str, list[npt.NDArray[np.float64]]] = {}
    used = 0
    for number in range(len(recordings)):
        recording = recordings[number]
        rng = np.random.default_rng([seed, number, HIDDEN.index(hidden), round(100 * seconds)])
        gone = draw_gap(recording.skeleton, len(recording), recording.fps, seconds, hidden, rng)
        if gone is None:
            continue
        used += 1
        truth = recording.positions.astype(np.float64)
        filled = fill(np.where(gone[..., None], np.nan, truth), recording.skeleton, recording.fps)
        for name, values in (
            ("distance", distances(truth, filled, gone)),
            ("bones", bone_drift(filled, gone, recording.skeleton)),
            ("jerk", jerk(filled, gone, recording.fps)),
            ("jerk_truth", jerk(truth, gone, recording.fps)),
            ("jump", jumps(filled, gone)),
            ("jump_truth", jumps(truth, gone)),
        ):
            found.setdefault(name, []).append(values)
    if not used:
        return None
    whole = {name: np.concatenate(values) for name, values in found.items()}
    return {
        "mean_cm": float(whole["distance"].mean()),
        "rmse_cm": float(np.sqrt((whole["distance"] ** 2).mean())),
        "bone_drift_cm": float(whole["bones"].mean()),
        "jerk": float(whole["jerk"].mean()),
        "jerk_truth": float(whole["jerk_truth"].mean()),
        "jump_cm": float(whole["jump"].mean()),
        "jump_truth_cm": float(whole["jump_truth"].mean()),
        "points": len(whole["distance"]),
        "recordings": used,
    }


def repairer(run: Any, gaps: str, example: SkeletonSequence) -> Filler:
    """A trained run as a filler, as `motionprint repair --gaps` uses it."""
    room = importlib.import_module("motionprint.repair")

    def filler(positions: Any, skeleton: Any, fps: float) -> Any:
        sequence = replace(example, positions=positions.astype(np.float32), skeleton=skeleton, fps=fps)
        return room.repair(run, sequence, gaps=gaps).sequence.positions.astype(np.float64)

    return filler


def fillers(
    names: Sequence[str], train: MotionDataset, run: Any, example: SkeletonSequence
) -> Iterator[tuple[str, Filler]]:
    """The fillers of these names, those that need training recordings fitted on them, then the run's."""
    for name in names:
        yield name, FILLERS[name] if name in FILLERS else FITTED[name](train)
    if run is not None:
        for gaps in ("beside", "model", "auto"):
            yield f"repair --gaps {gaps}", repairer(run, gaps, example)


def chosen(dataset: MotionDataset, split: Split, subjects: Sequence[str], every: int = 1) -> MotionDataset:
    """Every so manieth of the test recordings, or of those of them that these people move in."""
    test = dataset.subset(split.test)
    if subjects:
        test = test.subset(np.array([subject in subjects for subject in test.subjects]))
    return test.subset(np.arange(0, len(test), every))


def tables(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Markdown: errors by the length of the gap, then the other measures at one length."""
    names = list(dict.fromkeys(row["filler"] for row in rows))
    at = {(row["hidden"], row["filler"], row["gap_s"]): row for row in rows}
    lines = ["| missing | filler | " + " | ".join(f"{length:g} s" for length in LENGTHS) + " |"]
    lines += ["| --- " * (2 + len(LENGTHS)) + "|"]
    for hidden in HIDDEN:
        for name in names:
            cells = [at.get((hidden, name, length)) for length in LENGTHS]
            shown = " | ".join("-" if cell is None else f"{cell['mean_cm']:.2f}" for cell in cells)
            lines.append(f"| {CALLED[hidden]} | {name} | {shown} |")
    lines += ["", "| missing | filler | bones, cm | third difference / truth | edges, cm (truth) |"]
    lines += ["| --- " * 5 + "|"]
    for hidden in HIDDEN:
        for name in names:
            if (row := at.get((hidden, name, SHOWN))) is not None:
                lines.append(
                    f"| {CALLED[hidden]} | {name} | {row['bone_drift_cm']:.2f} | "
                    f"{row['jerk'] / row['jerk_truth']:.2f} | {row['jump_cm']:.2f} ({row['jump_truth_cm']:.2f}) |"
                )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="a data set folder")
    parser.add_argument("--protocol", help="whose test recordings are judged; that of --run by default")
    parser.add_argument("--fold", type=int, default=0, help="of the protocol [%(default)s]")
    parser.add_argument("--judged", default="", help="only test recordings of these subjects, by commas")
    parser.add_argument("--every", type=int, default=1, help="only every so manieth test recording [%(default)s]")
    parser.add_argument("--fillers", default=",".join([*FILLERS, *FITTED]), help="by commas [%(default)s]")
    parser.add_argument("--run", type=Path, help="a run that was trained for repair")
    parser.add_argument("--seed", type=int, default=0, help="of where the gaps are [%(default)s]")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    arguments = parser.parse_args()
    names = [name for name in arguments.fillers.split(",") if name]
    if unknown := [name for name in names if name not in {*FILLERS, *FITTED}]:
        parser.error(f"--fillers: expected some of {', '.join([*FILLERS, *FITTED])}; found {', '.join(unknown)}")
    if arguments.every < 1:
        parser.error(f"--every: expected at least 1, found {arguments.every}")
    run, protocol, fold = None, arguments.protocol, arguments.fold
    if arguments.run is not None:
        from motionprint.training import load_run

        run = load_run(arguments.run)
        protocol, fold = run.config["protocol"], run.config["fold"]
        if arguments.protocol not in (None, protocol):
            parser.error(f"--protocol: expected that of the run, {protocol}, found {arguments.protocol}")
    if protocol is None:
        parser.error("expected --protocol, or the --run of one")
    dataset = open_dataset(arguments.dataset)
    split = resolve(dataset, protocol, fold)
    train = dataset.subset(split.train)
    test = chosen(dataset, split, [each for each in arguments.judged.split(",") if each], arguments.every)
    if not len(test):
        parser.error(f"--judged: expected subjects among {', '.join(sorted(set(map(str, dataset.subjects))))}")
    shared = {
        "dataset": dataset.name,
        "joints": len(dataset.skeleton),
        "protocol": protocol,
        "fold": fold,
        "n_train": len(train),
        "n_test": len(test),
        "duplicates": split.duplicates,
        "seed": arguments.seed,
        "run": None if run is None else {"name": arguments.run.name, "steps": run.steps, "model": run.model_hash},
    }
    made = provenance(" ".join(["python", "benchmarks/repair.py", *sys.argv[1:]]))
    rows = []
    for name, fill in fillers(names, train, run, test[0]):
        for hidden in HIDDEN:
            for seconds in LENGTHS:
                found = judged(fill, test, hidden, seconds, arguments.seed)
                if found is not None:
                    rows.append({**shared, "filler": name, "hidden": hidden, "gap_s": seconds, **found, **made})
                    print(f"{name}, {CALLED[hidden]}, {seconds:g} s: {found['mean_cm']:.2f} cm", file=sys.stderr)
    print(f"\n{dataset.name}, {protocol}: {len(train)} train, {len(test)} test\n")
    print(*tables(rows), sep="\n")
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
