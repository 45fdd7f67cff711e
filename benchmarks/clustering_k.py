"""How many clusters each criterion says there are, beside the number of classes; and how near copies and others lie.

    python benchmarks/clustering_k.py DATASET=RUN... [--json FILE]
    python benchmarks/clustering_k.py --size 50000

Only the training half of each run's protocol is read: by this the criterion of `motionprint cluster -k auto` and the
default of ``--near`` were chosen. Prints have length 1, clusters are cut from one Ward tree, 2 to 50 of them.

    knee        where what is left within clusters lies farthest below the line between its ends (what -k auto takes)
    silhouette, Calinski-Harabasz, Davies-Bouldin    the best value of each
    eigengap    the largest gap of the eigenvalues of the normalised graph of Gaussian likeness, scaled by the seventh
                neighbour (Zelnik-Manor and Perona 2004)
    tree gap    the largest ratio of two joins that follow each other

``best`` is the number with the highest adjusted Rand index: it needs the labels, and nobody has it. The knee is given
for 30 and 100 clusters at most too: it depends on where the line ends.

Copies: recordings changed in ways that leave them the same movement. Their distance to the print of the original is
given in units of the median distance of a recording to its nearest neighbour of other content, as ``--near`` takes it.

With ``--size`` so many prints of 256 values are drawn around 15 centres and grouped as `motionprint cluster` would: the
seconds of CPU time, and the most memory that the process ever had.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.evaluation import cluster, encode
from motionprint.evaluation.clustering import WARD_LIMIT
from motionprint.evaluation.probes import unit_vectors
from motionprint.evaluation.rows import provenance
from motionprint.exploring.counting import choose_count, knee, within
from motionprint.exploring.groups import NEAR, find_copies
from motionprint.preprocessing.time import resample
from motionprint.sequence import SkeletonSequence
from motionprint.store import open_dataset
from motionprint.store.protocols import resolve
from motionprint.training import load_run

Floats = npt.NDArray[np.float64]

NUMBERS = np.arange(2, 51)
COPIES = 200
"""Recordings that are changed, of each data set."""


def criteria(prints: Floats, labels: npt.NDArray[Any]) -> tuple[dict[str, int], dict[str, float]]:
    """The number of clusters by each criterion, and the adjusted Rand index at some numbers."""
    from scipy.cluster.hierarchy import fcluster, ward
    from sklearn.metrics import (
        adjusted_rand_score,
        calinski_harabasz_score,
        davies_bouldin_score,
        pairwise_distances,
        silhouette_score,
    )

    tree, distances = ward(prints), pairwise_distances(prints)
    cut = [fcluster(tree, number, "maxclust") for number in NUMBERS]
    rand = [adjusted_rand_score(labels, each) for each in cut]
    joins = tree[::-1, 2]
    found = {
        "knee": knee(within(prints)[:50]),
        "knee, 30 at most": knee(within(prints)[:30]),
        "knee, 100 at most": knee(within(prints)[:100]),
        "silhouette": _best([silhouette_score(distances, each, metric="precomputed") for each in cut]),
        "Calinski-Harabasz": _best([calinski_harabasz_score(prints, each) for each in cut]),
        "Davies-Bouldin": _best([-davies_bouldin_score(prints, each) for each in cut]),
        "eigengap": _best(-np.diff(_eigenvalues(distances)[: len(NUMBERS) + 2])[1:]),
        "tree gap": _best(joins[NUMBERS - 2] / joins[NUMBERS - 1]),
        "best": _best(rand),
    }
    at = {"knee": found["knee"], "silhouette": found["silhouette"], "classes": len(set(labels)), "best": found["best"]}
    return found, {name: float(rand[max(number, 2) - 2]) for name, number in at.items()}


def _best(values: Any) -> int:
    return int(NUMBERS[int(np.argmax(values))])


def _eigenvalues(distances: Floats) -> Floats:
    """Falling, of the normalised graph of likeness."""
    near = np.sort(distances, axis=1)[:, 7]
    likeness = np.exp(-(distances**2) / (near[:, None] * near[None]))
    np.fill_diagonal(likeness, 0)
    root = np.sqrt(likeness.sum(axis=1))
    return np.asarray(np.linalg.eigvalsh(likeness / (root[:, None] * root[None]))[::-1])


def _moved(sequence: SkeletonSequence, random: np.random.Generator) -> SkeletonSequence:
    sine, cosine = np.sin(1.0), np.cos(1.0)
    turn = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    return replace(sequence, positions=(sequence.positions @ turn.T + 1).astype(np.float32))


def _noisy(metres: float) -> Callable[[SkeletonSequence, np.random.Generator], SkeletonSequence]:
    def noisy(sequence: SkeletonSequence, random: np.random.Generator) -> SkeletonSequence:
        noise = metres * random.normal(size=sequence.positions.shape)
        return replace(sequence, positions=(sequence.positions + noise).astype(np.float32))

    return noisy


def _at(share: float) -> Callable[[SkeletonSequence, np.random.Generator], SkeletonSequence]:
    def at(sequence: SkeletonSequence, random: np.random.Generator) -> SkeletonSequence:
        fps = share * sequence.fps
        positions = resample(sequence.positions, sequence.fps, fps).astype(np.float32)
        return replace(sequence, positions=positions, fps=fps)

    return at


WAYS: Mapping[str, Callable[[SkeletonSequence, np.random.Generator], SkeletonSequence]] = {
    "moved by 1 m and turned by 57 degrees": _moved,
    "rounded to millimetres": lambda each, random: replace(each, positions=each.positions.round(3)),
    "twice the frame rate": _at(2.0),
    "0.8 of the frame rate": _at(0.8),
    "noise of 2 mm": _noisy(0.002),
    "noise of 5 mm": _noisy(0.005),
    "without its first frame": lambda each, random: replace(each, positions=each.positions[1:]),
}


def sized(size: int) -> dict[str, Any]:
    """What grouping so many prints takes."""
    import resource
    import time

    random = np.random.default_rng(0)
    centres = random.normal(size=(15, 256))
    vectors = unit_vectors(centres[random.integers(0, 15, size)] + 1.2 * random.normal(size=(size, 256)))
    began = time.process_time()
    count = choose_count(vectors)
    chosen = time.process_time() - began
    cluster("ward" if size <= WARD_LIMIT else "kmeans", vectors, count)
    clustered = time.process_time() - began - chosen
    find_copies(vectors, [str(number) for number in range(size)], NEAR, 0, None)
    copies = time.process_time() - began - chosen - clustered
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kB, but bytes on a Mac
    seconds = {"choosing": round(chosen, 1), "clustering": round(clustered, 1), "copies": round(copies, 1)}
    return {"size": size, "clusters": count, "cpu_s": seconds, "peak_mb": round(peak)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", metavar="DATASET=RUN", nargs="*", help="data set folders and runs of their protocols")
    parser.add_argument("--size", type=int, help="group so many drawn prints, and say what it takes")
    parser.add_argument("--seed", type=int, default=0, help="of what is changed [%(default)s]")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    arguments = parser.parse_args()
    made = provenance(" ".join(["python", "benchmarks/clustering_k.py", *sys.argv[1:]]))
    rows: list[dict[str, Any]] = []
    if arguments.size:
        rows.append({**sized(arguments.size), **made})
        print(rows[-1])
    for pair in arguments.pairs:
        folder, _, run_folder = pair.partition("=")
        dataset, run = open_dataset(folder), load_run(run_folder)
        train = dataset.subset(resolve(dataset, run.config["protocol"], run.config["fold"]).train)
        prints = unit_vectors(encode(run, train).astype(np.float64))
        found, rand = criteria(prints, np.array(train.labels))
        shared = {"dataset": dataset.name, "n": len(train), "classes": len(set(train.labels)), "half": "train", **made}
        rows.append({**shared, "clusters": found, "rand": rand})
        print(f"\n{dataset.name}: {len(train)} recordings, {shared['classes']} classes")
        print(found, {name: round(value, 3) for name, value in rand.items()}, flush=True)
        hashes = np.array(train.sha256)
        distances = np.sqrt(np.clip(2 - 2 * prints @ prints.T, 0, None))
        distances[hashes[:, None] == hashes[None]] = np.inf
        nearest = distances.min(axis=1)
        usual = float(np.median(nearest))
        others = dict(zip(("least", "1 %", "5 %"), np.quantile(nearest, [0, 0.01, 0.05]) / usual, strict=True))
        rows.append({**shared, "usual": usual, "others": others})
        print(f"others, of {usual:.4f}: {', '.join(f'{name} {value:.3f}' for name, value in others.items())}")
        random = np.random.default_rng(arguments.seed)
        chosen = random.permutation(len(train))[:COPIES]
        for way, change in WAYS.items():
            copies = [change(train[int(number)], random) for number in chosen]
            moved = (
                np.linalg.norm(unit_vectors(encode(run, copies).astype(np.float64)) - prints[chosen], axis=1) / usual
            )
            row = {
                "median": float(np.median(moved)),
                "90 %": float(np.quantile(moved, 0.9)),
                "most": float(moved.max()),
            }
            rows.append({**shared, "way": way, **row, "found": float(np.mean(moved < 0.2))})
            told = ", ".join(f"{name} {value:.3f}" for name, value in row.items())
            print(f"{way}: {told}; below 0.2: {np.mean(moved < 0.2):.1%}", flush=True)
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
