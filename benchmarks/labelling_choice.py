"""What `motionprint label` was chosen by: ways to learn from a few labels, and ways to suggest the next ones.

    python benchmarks/labelling_choice.py DATASET RUN [--labels 1,2,5,8] [--seeds 3] [--json FILE]

Only training recordings of the run's protocol are read. To learn: as many labels of each class as asked for are drawn,
and what is learned from them is judged on the other training recordings. To suggest: two thirds of the training
recordings, drawn anew for each seed, are there to be labelled, as many as there are classes in each round, and what
`label` learns is judged on the last third.

Printed and written (JSON lines): the accuracy of each way, number of labels (a class; on average, where suggested) and
seed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from labelling import Pool, asked, gathered
from motionprint.evaluation import draw_labelled, encode
from motionprint.labelling import Prints, suggest
from motionprint.labelling.classifier import learn
from motionprint.store import open_dataset
from motionprint.store.protocols import resolve
from motionprint.training import load_run

Numbers = npt.NDArray[np.intp]
CLASSIFIER, SUGGEST = "motionprint.labelling.classifier", sys.modules["motionprint.labelling.suggest"]


# ---- ways to learn -----------------------------------------------------------------------------------------------


def _alone(prints: Prints, known: Numbers) -> Numbers:
    """Logistic regression on the labelled ones; the scaler has seen all."""
    told = known >= 0
    model = LogisticRegression(max_iter=10_000).fit(prints.scaled[told], known[told])
    return np.asarray(model.predict(prints.scaled))


def _self_training(prints: Prints, known: Numbers) -> Numbers:
    """Predictions of 0.9 and more taken for labels, five times."""
    model = SelfTrainingClassifier(LogisticRegression(max_iter=10_000), threshold=0.9, max_iter=5)
    return np.asarray(model.fit(prints.scaled, known).predict(prints.scaled))


def _spreading(prints: Prints, known: Numbers) -> Numbers:
    """Label spreading and nothing after it."""
    model = LabelSpreading(kernel=lambda *_: prints.graph, alpha=0.8, max_iter=1000)
    return np.asarray(model.fit(prints.unit, known).transduction_)


def _learned(weight: float) -> Callable[[Prints, Numbers], Numbers]:
    """As `label` does, with another weight of what was spread."""

    def learned(prints: Prints, known: Numbers) -> Numbers:
        with patch(f"{CLASSIFIER}.SPREAD_WEIGHT", weight):
            return np.asarray(learn(prints, known).scores(prints.scaled).argmax(axis=1))

    return learned


LEARN: dict[str, Callable[[Prints, Numbers], Numbers]] = {
    "labelled alone": _alone,
    "self-training": _self_training,
    "spreading alone": _spreading,
    "spread, 0.05": _learned(0.05),
    "spread, 0.2": _learned(0.2),
    "spread, 1": _learned(1.0),
}


# ---- ways to suggest ---------------------------------------------------------------------------------------------


def _farthest(unit: npt.NDArray[np.float64], labelled: Numbers, count: int) -> Numbers:
    """One after another the print that is farthest from all chosen ones; the first next to the mean."""
    chosen = list(labelled) or [int(((unit - unit.mean(axis=0)) ** 2).sum(axis=1).argmin())]
    distance = np.min([((unit - unit[each]) ** 2).sum(axis=1) for each in chosen], axis=0)
    while len(chosen) < len(labelled) + count:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, ((unit - unit[chosen[-1]]) ** 2).sum(axis=1))
    return np.array(chosen[len(labelled) :])


def suggested(pool: Pool, way: str, labelled: Numbers, count: int, seed: int) -> Numbers:
    """The next recordings to label."""
    known, _ = pool.known(labelled)
    if way == "random":
        return np.random.default_rng([seed, len(labelled)]).permutation(np.flatnonzero(known < 0))[:count]
    if way == "farthest":
        return _farthest(pool.prints.unit, labelled, count)
    if way == "cover":
        return suggest(pool.prints, known, None, count, seed)
    chances = pool.chances(labelled)
    if way == "doubt, the most" and chances is not None:
        likeliest = np.sort(chances, axis=1)
        return np.argsort(np.where(known < 0, likeliest[:, -1] - likeliest[:, -2], np.inf), kind="stable")[:count]
    covered = {"cover to 4, doubt": 4, "cover to 2, doubt": 2}.get(way, 0)
    with patch.object(SUGGEST, "COVERED", covered):
        return suggest(pool.prints, known, chances, count, seed)


SUGGESTED = (
    "random",
    "farthest",
    "cover",
    "doubt, the most",
    "doubt",
    "cover to 2, doubt",
    "cover to 4, doubt",
)


# ---- both --------------------------------------------------------------------------------------------------------


def measure(
    values: npt.NDArray[np.float32], truth: Numbers, names: Sequence[str], budgets: Sequence[int], seeds: int
) -> Iterator[dict[str, Any]]:
    """A row for each way, number of labels and seed."""
    prints, classes = Prints.of(values), int(truth.max()) + 1
    for seed in range(seeds):
        for number in budgets:
            known = np.full(len(truth), -1, dtype=np.intp)
            drawn = draw_labelled(names, [f"{each:04}" for each in truth], number, seed)
            known[drawn] = truth[drawn]
            rest = known < 0
            for way, found in LEARN.items():
                accuracy = float((found(prints, known) == truth)[rest].mean())
                yield {"what": "learn", "way": way, "labels_per_class": number, "seed": seed, "accuracy": accuracy}
        there, judge = train_test_split(np.arange(len(truth)), test_size=1 / 3, stratify=truth, random_state=seed)
        pool = Pool(values[there], truth[there], values[judge])
        for way in SUGGESTED:
            labelled = np.zeros(0, dtype=np.intp)
            for number in range(1, min(max(budgets), len(there) // classes) + 1):
                labelled = np.concatenate([labelled, suggested(pool, way, labelled, classes, seed)])
                if number in budgets:
                    known, seen = pool.known(labelled)
                    found = seen[learn(pool.prints, known).scores(pool.scaled_test).argmax(axis=1)]
                    accuracy = float((found == truth[judge]).mean())
                    yield {
                        "what": "suggest",
                        "way": way,
                        "labels_per_class": number,
                        "seed": seed,
                        "accuracy": accuracy,
                    }


def summary(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of tables: mean accuracy over seeds, in percent."""
    budgets = sorted({row["labels_per_class"] for row in rows})
    for what, ways in (("learn", tuple(LEARN)), ("suggest", SUGGESTED)):
        yield f"\n| {what} | " + " | ".join(map(str, budgets)) + " |\n|" + " --- |" * (len(budgets) + 1)
        for way in ways:
            chosen = [row for row in rows if row["what"] == what and row["way"] == way]
            cells = []
            for number in budgets:
                values = [row["accuracy"] for row in chosen if row["labels_per_class"] == number]
                cells.append(f"{100 * np.mean(values):.1f}" if values else "-")
            yield f"| {way} | " + " | ".join(cells) + " |"


def main() -> None:
    arguments = asked(__doc__, labels="1,2,5,8", seeds=3)
    dataset, run = open_dataset(arguments.dataset), load_run(arguments.run)
    train = dataset.subset(resolve(dataset, run.config["protocol"], run.config["fold"]).train)
    _, truth = np.unique(np.array(train.labels, dtype=np.str_), return_inverse=True)
    shared = {
        "run": arguments.run.name,
        "dataset": dataset.name,
        "protocol": run.config["protocol"],
        "steps": run.steps,
        "run_seed": run.config["seed"],
        "n_train": len(train),
    }
    budgets = [int(each) for each in arguments.labels.split(",")]
    found = measure(encode(run, train), truth, train.names, budgets, arguments.seeds)
    rows = gathered(found, shared, "benchmarks/labelling_choice.py", arguments.json)
    print(f"\n{dataset.name}, {run.config['protocol']}, training recordings", *summary(rows), sep="\n")


if __name__ == "__main__":
    main()
