"""How many labels `motionprint label` needs, and how true its probabilities are.

    python benchmarks/labelling.py DATASET RUN [--labels 1,2,5,10] [--seeds 5] [--json FILE]

Of the training recordings of the run's protocol, which are all unlabelled at first, as many are given their label as
make 1, 2, 5, 10 a class on average, one a class in each round:

    probe     drawn at random; scaler and logistic regression fitted to the labelled ones alone, as `evaluate` does
    random    the same recordings; what `label` learns from them and from the unlabelled ones
    suggest   those that `label --suggest` names, round after round; the same learning

Printed and written (JSON lines), for each way, number of labels and seed: classes among the labels (an action that was
never labelled counts as wrong); accuracy on the protocol's test recordings, of which nothing is fitted or chosen, and
on the rest of the training recordings; of the test recordings the expected calibration error (10 equal bins), the
accuracy of the surer half, and accuracy and share of those of a confidence of 0.8 or more; the accuracy that
cross-validation on the given labels says, and its interval.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.evaluation import encode, fit_probe
from motionprint.evaluation.rows import provenance
from motionprint.labelling import Prints, suggest
from motionprint.labelling.classifier import cross_validate, held_out_scores, learn, probabilities, temperature
from motionprint.store import open_dataset
from motionprint.store.protocols import resolve
from motionprint.training import load_run

WAYS = ("probe", "random", "suggest")
SURE = 0.8
BINS = 10

Numbers = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]


def calibration_error(chances: Floats, truth: Numbers) -> float:
    """How far confidence (n, K) lies from accuracy, weighted by how many have it (Naeini et al. 2015)."""
    confidence, right = chances.max(axis=1), chances.argmax(axis=1) == truth
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(
        sum(abs(right[bins == each].sum() - confidence[bins == each].sum()) for each in np.unique(bins)) / len(truth)
    )


def judged(chances: Floats, truth: Numbers) -> dict[str, float | None]:
    """What probabilities (n, K) of test recordings are worth."""
    confidence, right = chances.max(axis=1), chances.argmax(axis=1) == truth
    surer = np.argsort(-confidence, kind="stable")[: len(truth) // 2]
    sure = confidence >= SURE
    return {
        "accuracy": float(right.mean()),
        "calibration_error": calibration_error(chances, truth),
        "accuracy_surer_half": float(right[surer].mean()),
        "accuracy_sure": float(right[sure].mean()) if sure.any() else None,
        "share_sure": float(sure.mean()),
    }


def scattered(chances: Floats, seen: Numbers, classes: int) -> Floats:
    """(n, K) from the columns of the classes that were seen; the others have no chance."""
    found = np.zeros((len(chances), classes))
    found[:, seen] = chances
    return found


class Pool:
    """The training recordings, and what is learned from the labels of some."""

    def __init__(self, prints: npt.NDArray[np.float32], truth: Numbers, test: npt.NDArray[np.float32]) -> None:
        self.values = prints
        self.prints = Prints.of(prints)
        self.truth = truth
        self.test = test
        self.scaled_test = self.prints.scaler.apply(test)

    def known(self, labelled: Numbers) -> tuple[Numbers, Numbers]:
        """(N,) class numbers among those that were seen, -1 where there is no label; and the classes seen."""
        seen = np.unique(self.truth[labelled])
        known = np.full(len(self.truth), -1, dtype=np.intp)
        known[labelled] = np.searchsorted(seen, self.truth[labelled])
        return known, seen

    def chances(self, labelled: Numbers) -> Floats | None:
        """(N, K seen) as `label` has them before it suggests."""
        known, seen = self.known(labelled)
        if len(seen) < 2:
            return None
        held_out, testable = held_out_scores(self.prints, known, 0)
        divisor = temperature(held_out, known[testable])
        return probabilities(learn(self.prints, known).scores(self.prints.scaled), divisor)

    def measure(self, labelled: Numbers, classes: int, test_truth: Numbers) -> dict[str, Any]:
        """What `label` says of test recordings, of the rest, and of itself."""
        known, seen = self.known(labelled)
        held_out, testable = held_out_scores(self.prints, known, 0)
        divisor = temperature(held_out, known[testable])
        checked = cross_validate(held_out, known[testable], len(labelled) - len(testable))
        learned = learn(self.prints, known)
        rest = np.flatnonzero(known < 0)
        found = seen[learned.scores(self.prints.scaled[rest]).argmax(axis=1)]
        chances = scattered(probabilities(learned.scores(self.scaled_test), divisor), seen, classes)
        return {
            **judged(chances, test_truth),
            "accuracy_rest": float((found == self.truth[rest]).mean()),
            "temperature": divisor,
            "cross_validated": None if checked is None else checked.accuracy,
            "low": None if checked is None else checked.low,
            "high": None if checked is None else checked.high,
        }

    def measure_probe(self, labelled: Numbers, classes: int, test_truth: Numbers) -> dict[str, Any]:
        """The same of a linear probe on the labelled recordings alone."""
        probe = fit_probe("linear", self.values[labelled], [f"{each:04}" for each in self.truth[labelled]])
        seen = np.unique(self.truth[labelled])
        chances = probe.model.predict_proba(probe.scaler.apply(self.test))  # type: ignore[union-attr]
        return judged(scattered(chances, seen, classes), test_truth)


def rounds(pool: Pool, way: str, classes: int, most: int, seed: int) -> Iterator[Numbers]:
    """The numbers of the labelled recordings, a round after the other."""
    size = len(pool.truth)
    order = np.random.default_rng(seed).permutation(size)
    labelled = np.zeros(0, dtype=np.intp)
    for number in range(1, most + 1):
        if way == "suggest":
            known, _ = pool.known(labelled)
            new = suggest(pool.prints, known, pool.chances(labelled), classes, seed)
            labelled = np.concatenate([labelled, new])
        else:
            labelled = order[: number * classes]
        yield labelled


def measure(pool: Pool, test_truth: Numbers, budgets: Sequence[int], seeds: int) -> Iterator[dict[str, Any]]:
    """A row for each way, number of labels and seed."""
    classes = int(pool.truth.max()) + 1
    for seed in range(seeds):
        for way in WAYS:
            judge = pool.measure_probe if way == "probe" else pool.measure
            for number, labelled in enumerate(rounds(pool, way, classes, max(budgets), seed), start=1):
                if number in budgets and len(labelled) == number * classes:
                    yield {
                        "way": way,
                        "labels_per_class": number,
                        "labels": len(labelled),
                        "seed": seed,
                        "classes_seen": len(np.unique(pool.truth[labelled])),
                        **judge(labelled, classes, test_truth),
                    }


HEAD = "| labels a class | way | classes | accuracy, % | sd | rest, % | said, % | calibration error | surer half, % |"


def summary(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of a table: means over seeds."""
    yield HEAD
    yield "|" + " --- |" * 9
    for number in sorted({row["labels_per_class"] for row in rows}):
        for way in WAYS:
            chosen = [row for row in rows if row["labels_per_class"] == number and row["way"] == way]
            if not chosen:
                continue
            seen = np.mean([row["classes_seen"] for row in chosen])
            spread = 100 * np.std([row["accuracy"] for row in chosen])
            error = np.mean([row["calibration_error"] for row in chosen])
            yield (
                f"| {number} | {way} | {seen:.1f} | {_mean(chosen, 'accuracy')} | {spread:.1f} | "
                f"{_mean(chosen, 'accuracy_rest')} | {_mean(chosen, 'cross_validated')} | {error:.3f} | "
                f"{_mean(chosen, 'accuracy_surer_half')} |"
            )


def _mean(rows: Sequence[Mapping[str, Any]], key: str) -> str:
    values = [row[key] for row in rows if row.get(key) is not None]
    return f"{100 * np.mean(values):.1f}" if values else "-"


def asked(description: str | None, labels: str, seeds: int) -> argparse.Namespace:
    """What the command line says; ``labels`` and ``seeds`` where it does not."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="a data set folder")
    parser.add_argument("run", type=Path, help="a run folder, trained under a protocol of it")
    parser.add_argument("--labels", default=labels, help="labels a class [%(default)s]")
    parser.add_argument("--seeds", type=int, default=seeds, help="how often labels are drawn [%(default)s]")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    return parser.parse_args()


def gathered(
    found: Iterable[Mapping[str, Any]], shared: Mapping[str, Any], script: str, file: Path | None
) -> list[dict[str, Any]]:
    """The rows, each with what all share and what made it, a dot for each meanwhile; written to a file as well."""
    made = provenance(" ".join(["python", script, *sys.argv[1:]]))
    rows = []
    for row in found:
        rows.append({**shared, **row, **made})
        print(".", end="", file=sys.stderr, flush=True)
    if file:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return rows


def main() -> None:
    arguments = asked(__doc__, labels="1,2,5,10", seeds=5)
    dataset, run = open_dataset(arguments.dataset), load_run(arguments.run)
    split = resolve(dataset, run.config["protocol"], run.config["fold"])
    train, test = dataset.subset(split.train), dataset.subset(split.test)
    classes = sorted({str(each) for each in train.labels})
    truth, test_truth = (
        np.array([classes.index(str(each)) if each in classes else -1 for each in part.labels], dtype=np.intp)
        for part in (train, test)
    )
    pool = Pool(encode(run, train), truth, encode(run, test))
    shared = {
        "run": arguments.run.name,
        "dataset": dataset.name,
        "protocol": run.config["protocol"],
        "steps": run.steps,
        "run_seed": run.config["seed"],
        "model": run.model_hash,
        "n_train": len(train),
        "n_test": len(test),
    }
    found = measure(pool, test_truth, [int(each) for each in arguments.labels.split(",")], arguments.seeds)
    rows = gathered(found, shared, "benchmarks/labelling.py", arguments.json)
    print(f"\n{dataset.name}, {run.config['protocol']}, {run.steps} steps\n", *summary(rows), sep="\n")


if __name__ == "__main__":
    main()
