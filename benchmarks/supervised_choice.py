"""Whether supervised methods gain by more steps, another step size or another end of training, judged by people.

    python benchmarks/supervised_choice.py DATASET [--methods hbrnn,deep_lstm] [--seeds 0 1] [--json FILE]
    python benchmarks/supervised_choice.py DATASET --test [--methods hbrnn,deep_lstm] [--seeds 0 1 2] [--json FILE]

The choice reads training recordings of the protocol alone: all of its training people but those of ``--judged`` train,
and what a method has learned is judged by those of ``--judged``. Chosen is the setting of the largest mean accuracy
over seeds; of equals the first in the order of `TRIED`. ``--test`` trains the chosen setting, and the method's own, on
all training people and judges each run once, by the test recordings.

A setting with ``validation`` 0 trains on all recordings that it is given, to its last step; of such a run the accuracy
of every hundredth step is kept, person by person: what ending training by people could have given.

A row is added to the file (JSON lines) after every run, and what the file has is not measured again; several processes
may add to one file.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from motionprint.evaluation.rows import provenance
from motionprint.evaluation.supervised import predict
from motionprint.experiments.published import ACCURACIES, MHAD, TITLES
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.protocols import resolve
from motionprint.training import Run, train
from motionprint.training.checkpoints import WEIGHTS, earlier_checkpoints, read_tensors

FIGURES = Path(__file__).resolve().parent / "figures" / "supervised-choice.jsonl"

Changes = dict[str, Any]
Row = Mapping[str, Any]


def _recurrent(steps: Sequence[int], rates: Sequence[float]) -> list[Changes]:
    """Steps, step sizes, and training ended by held-out recordings of the people who train (0.2) or by nothing (0)."""
    return [
        {"steps": count, "learning_rate": rate, "validation": share}
        for count, rate, share in product(steps, rates, (0.2, 0.0))
    ]


LAYERED = [*_recurrent((400, 1200), (3e-3, 1e-3)), *_recurrent((2400,), (3e-3,))]
"""Of networks of recurrent layers; 2,400 steps with their own step size only, for time's sake."""

TRIED: dict[str, list[Changes]] = {
    "hbrnn": LAYERED,
    "deep_lstm": LAYERED,
    "co_lstm": LAYERED,
    "st_lstm": _recurrent((800, 1600), (1e-2,)),
    "smij": [
        {"segments": segments, "max_length": longest, "joints": joints, "penalty": penalty, "references": 2000}
        for longest, segments, joints, penalty in product((35, None), (16, 30), (6, 10, 14), (0.01, 0.1))
    ],
}
"""The settings tried of each method, its own (for smij those of the preset ``paper``) among them."""

OWN: dict[str, Changes] = {
    **{name: settings[0] for name, settings in TRIED.items()},
    "smij": {"segments": 30, "max_length": 35, "joints": 6, "penalty": 0.01, "references": 2000},
}
"""What stands in the tables so far."""


def measure(
    train_on: MotionDataset, protocol: str, method: str, changes: Changes, seed: int, device: str
) -> dict[str, Any]:
    """Train by a protocol of a data set, which may be a part of one, and judge by its other recordings."""
    split = resolve(train_on, protocol)
    judged = train_on.subset(split.test)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        kept = {"checkpoint_every": 100, "keep_checkpoints": 1000, "precision": "float32"}
        run = train(
            train_on, folder, method=method, changes={**changes, **kept}, protocol=protocol, seed=seed, device=device
        )
        seconds = time.perf_counter() - began
        found: dict[str, Any] = {
            "changes": changes,
            "seed": seed,
            "steps": run.steps,
            "accuracy": (right := _by_person(run, judged))["all"],
            "by_person": right,
            "course": None,
        }
        if changes.get("validation") == 0:
            course = {}
            for file in (*(file for _, file in earlier_checkpoints(folder)), folder / WEIGHTS):
                tensors, step = read_tensors(file)
                course[step] = _by_person(_with_weights(run, tensors, step), judged)
            found["course"] = [[step, course[step]] for step in sorted(course)]
    return {
        "method": method,
        "preset": "small",
        "protocol": protocol,
        **found,
        "n_train": len(split.train),
        "held_out": len(run.config["held_out"]),
        "n_judged": len(judged),
        "precision": run.config["training"]["precision"],
        "seconds": round(seconds, 1),
    }


def _by_person(run: Run, judged: MotionDataset) -> dict[str, float]:
    """The share of recordings that are recognised: of all, and of each person."""
    right: npt.NDArray[np.bool_] = predict(run, judged) == np.array(judged.labels, dtype=np.str_)
    people = np.array(judged.subjects, dtype=np.str_)
    return {"all": float(right.mean()), **{str(who): float(right[people == who].mean()) for who in np.unique(people)}}


def _with_weights(run: Run, tensors: dict[str, torch.Tensor], step: int) -> Run:
    run.method.load_state_dict({name[6:]: weight for name, weight in tensors.items() if name.startswith("model.")})
    return replace(run, steps=step)


def chosen(rows: Sequence[Row], method: str) -> Changes:
    """The setting of the largest mean accuracy over seeds among those that have been tried; of equals the first."""
    found = {}
    for number, changes in enumerate(TRIED[method]):
        like = [r["accuracy"] for r in rows if (r["stage"], r["method"], r["changes"]) == ("choice", method, changes)]
        if like:
            found[number] = mean(like)
    if not found:
        raise SystemExit(f"{method}: expected rows of the choice, found none; run without --test first")
    return TRIED[method][max(found, key=lambda number: (round(found[number], 9), -number))]


def read(file: Path) -> list[dict[str, Any]]:
    """The rows that a file has; none where there is no file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []


def wanted(rows: Sequence[Row], methods: Sequence[str], seeds: Sequence[int], test: bool) -> Iterator[tuple[Any, ...]]:
    """(method, changes, seed) of the runs that the rows lack; in the choice the shorter ones first."""
    stage = "test" if test else "choice"
    done = [(row["method"], row["changes"], row["seed"]) for row in rows if row["stage"] == stage]
    for method in methods:
        tried = TRIED[method]
        if test:
            tried = [OWN[method]] + [each for each in [chosen(rows, method)] if each != OWN[method]]
        for changes in tried:
            for seed in seeds[:1] if method == "smij" else seeds:  # solved at once, from all recordings: no seed
                if (method, changes, seed) not in done:
                    yield method, changes, seed


# ---- tables of docs/results.md -----------------------------------------------------------------------------------


def tables(rows: Sequence[Row]) -> dict[str, str]:
    """The text between each pair of marks."""
    methods = [method for method in TRIED if any(row["method"] == method for row in rows)]
    choice = [row for row in rows if row["stage"] == "choice"]
    stepped = [row for row in choice if "steps" in row["changes"]]
    found = {
        "supervised-choice": _choice(stepped, methods),
        "supervised-choice people": _by_people(stepped, methods),
        "supervised-choice smij": _smij([row for row in choice if row["method"] == "smij"]),
        "supervised-choice test": _test(rows, methods),
    }
    return {mark: "\n".join("| " + " | ".join(line) + " |" for line in lines) for mark, lines in found.items()}


def _called(method: str) -> str:
    return TITLES.get(method, method)


def _each(rows: Sequence[Row]) -> str:
    """The mean, and what it is the mean of."""
    values = [100 * row["accuracy"] for row in sorted(rows, key=lambda row: row["seed"])]
    text = f"{mean(values):.1f}" if values else "-"
    return text if len(values) < 2 else f"{text} ({', '.join(f'{value:.1f}' for value in values)})"


def _choice(rows: Sequence[Row], methods: Sequence[str]) -> Iterator[Sequence[str]]:
    """A line for each method, step size and end of training; a column for each number of steps."""
    steps = sorted({row["changes"]["steps"] for row in rows})
    yield ("", "learning rate", "ended by", *(f"{count:,} steps" for count in steps))
    yield ["---"] * (3 + len(steps))
    for method in methods:
        kinds = [(each["learning_rate"], each["validation"]) for each in TRIED[method] if "steps" in each]
        for rate, share in dict.fromkeys(kinds):
            cells = []
            for count in steps:
                changes = {"steps": count, "learning_rate": rate, "validation": share}
                cells.append(_each([row for row in rows if (row["method"], row["changes"]) == (method, changes)]))
            yield (_called(method), f"{rate:g}", "held-out recordings" if share else "the last step", *cells)


def ended_by_people(course: Sequence[tuple[int, Mapping[str, float]]]) -> float:
    """The accuracy on each person at the step that is best by the others (the first of equals), averaged."""
    people = [who for who in course[0][1] if who != "all"]
    found = []
    for judged in people:
        _, best = max(course, key=lambda at: (mean(at[1][who] for who in people if who != judged), -at[0]))
        found.append(best[judged])
    return mean(found)


def _by_people(rows: Sequence[Row], methods: Sequence[str]) -> Iterator[Sequence[str]]:
    """A line for each method: runs to the last step beside what ending them by one person gives on the other."""
    yield ("", "steps", "runs", "at the last step", "ended by the other person", "best step by both, peeking")
    yield ["---"] * 6
    for method in methods:
        like = [row for row in rows if row["method"] == method and row["course"]]
        for count in sorted({row["changes"]["steps"] for row in like}):
            courses = [row["course"] for row in like if row["changes"]["steps"] == count]
            last = mean(course[-1][1]["all"] for course in courses)
            best = mean(max(right["all"] for _, right in course) for course in courses)
            ended = mean(ended_by_people(course) for course in courses)
            values = (f"{100 * value:.1f}" for value in (last, ended, best))
            yield (_called(method), f"{count:,}", str(len(courses)), *values)


def _smij(rows: Sequence[Row]) -> Iterator[Sequence[str]]:
    """A line for each length, number of segments and number of joints; a column for each penalty."""
    penalties = sorted({row["changes"]["penalty"] for row in rows})
    yield ("frames", "segments", "joints", *(f"C = {penalty:g}" for penalty in penalties))
    yield ["---"] * (3 + len(penalties))
    kinds = dict.fromkeys((each["max_length"], each["segments"], each["joints"]) for each in TRIED["smij"])
    for longest, segments, joints in kinds:
        names = {"max_length": longest, "segments": segments, "joints": joints}
        cells = [
            _each([row for row in rows if {**row["changes"], **names, "penalty": penalty} == row["changes"]])
            for penalty in penalties
        ]
        yield ("all" if longest is None else f"at most {longest}", str(segments), str(joints), *cells)


def _test(rows: Sequence[Row], methods: Sequence[str]) -> Iterator[Sequence[str]]:
    """Of each method its own setting and the chosen one, on the test recordings."""
    yield ("", "setting", "", "accuracy, %", "seeds", "published")
    yield ["---"] * 6
    for method in methods:
        best, own = chosen(rows, method), OWN[method]
        for changes in (own, *([best] if best != own else [])):
            tested = [row for row in rows if row["stage"] == "test" and row["method"] == method]
            values = [100 * row["accuracy"] for row in tested if row["changes"] == changes]
            if not values:
                continue
            spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
            what = " and ".join(name for name, like in (("as so far", own), ("chosen", best)) if changes == like)
            published = ACCURACIES.get(("S", method), {}).get(MHAD)
            yield (
                _called(method),
                _written(changes),
                what,
                f"{mean(values):.1f}{spread}",
                ", ".join(f"{value:.1f}" for value in values),
                "" if published is None else f"{published.value:.2f}",
            )


def _written(changes: Row) -> str:
    """A setting in words."""
    if "steps" in changes:
        end = "held-out recordings" if changes["validation"] else "the last step"
        return f"{changes['steps']:,} steps of {changes['learning_rate']:g}, ended by {end}"
    longest = "all frames" if changes["max_length"] is None else f"at most {changes['max_length']} frames"
    return f"{longest}, {changes['segments']} segments, {changes['joints']} joints, C = {changes['penalty']:g}"


# ---- both --------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="a data set folder")
    parser.add_argument("--protocol", default="cross-subject", help="whose training people choose [%(default)s]")
    parser.add_argument("--judged", default="s06,s07", help="people who judge the choice, by commas [%(default)s]")
    parser.add_argument("--methods", default=",".join(TRIED), help="by commas [%(default)s]")
    parser.add_argument("--seeds", nargs="+", type=int, help="[0 1; with --test 0 1 2]")
    parser.add_argument("--steps", nargs="+", type=int, help="try only these numbers of steps [all]")
    parser.add_argument("--test", action="store_true", help="train what was chosen on all and judge by test recordings")
    parser.add_argument("--device", default="cpu", help="where networks train [%(default)s]")
    parser.add_argument("--json", type=Path, default=FIGURES, help="the file to add to and to go on with")
    arguments = parser.parse_args()
    methods = [name for name in arguments.methods.split(",") if name]
    if unknown := [name for name in methods if name not in TRIED]:
        parser.error(f"--methods: expected some of {', '.join(TRIED)}; found {', '.join(unknown)}")
    torch.set_num_threads(1)
    dataset = open_dataset(arguments.dataset)
    protocol = arguments.protocol
    source, judging = dataset, arguments.judged.split(",")
    if not arguments.test:
        source = dataset.subset(resolve(dataset, protocol).train)  # no test recording from here on
        people = sorted({str(who) for who in source.subjects})
        if not set(judging) < set(people):
            parser.error(f"--judged: expected some of {', '.join(people)}, found {arguments.judged}")
        protocol = f"subjects:{','.join(who for who in people if who not in judging)}"
    made = provenance(" ".join(["python", "benchmarks/supervised_choice.py", *sys.argv[1:]]))
    seeds = arguments.seeds or ([0, 1, 2] if arguments.test else [0, 1])
    earlier = read(arguments.json)
    stage = "test" if arguments.test else "choice"
    others = (
        row["dataset"] != dataset.name or (row["stage"] == stage and row["protocol"] != protocol) for row in earlier
    )
    if any(others):
        parser.error(f"--json: expected a file of this choice alone, found rows of another in {arguments.json}")
    for method, changes, seed in wanted(earlier, methods, seeds, arguments.test):
        if arguments.steps and changes.get("steps") not in arguments.steps:
            continue
        row = measure(source, protocol, method, changes, seed, arguments.device)
        line = {"stage": stage, "dataset": dataset.name, **row, **made}
        with arguments.json.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(f"{method} {changes} seed {seed}: {100 * row['accuracy']:.1f} % in {row['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
