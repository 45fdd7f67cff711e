"""How good, how exact and how fast the search for motions is.

    python benchmarks/search.py choose DATASET RUN [--seed 0] [--json FILE]
    python benchmarks/search.py retrieval DATASET RUN [--json FILE]
    python benchmarks/search.py recall PRINTS [--seed 0] [--json FILE]
    python benchmarks/search.py large RUN PRINTS INDEX [--count 1000000] [--seed 0] [--json FILE]
    python benchmarks/search.py ask INDEX DATASET [--seconds 1] [--seed 0] [--json FILE]

``choose`` compares distances on the training recordings of the run's protocol alone: each recording is a query, the
recordings of all other subjects are the gallery, prints are compared by plain cosine, centred, and standardised by the
mean and standard deviation of all training prints. Queries are whole, or lack 30 % of their joints' positions, or 30 %
of their joints altogether, as ``missing.py`` hides them.

``retrieval`` is mean average precision and precision at 10 with the protocol's training recordings as the gallery and
its test recordings as queries: the encoder's states, those of the untrained encoder and raw coordinates, each by the
three distances, and dynamic time warping.

``recall`` is the share of the ten nearest prints, of a table that ``motionprint embed`` has made, that the approximate
search finds, for several graphs. 500 prints drawn at random are the queries and are taken out; what is nearest is
worked out one by one in float32.

``large`` makes an index folder of so many prints: those of the table, and, where they are fewer, copies of them, each
value moved by noise of a tenth of its spread. ``ask`` asks an index folder, newly opened, for parts of recordings:
recall, and how long one query takes, the search alone and the whole call with encoding.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from missing import spoiled
from motionprint.evaluation import encode, raw_prints, read_prints
from motionprint.evaluation.probes import Scaler, unit_vectors
from motionprint.evaluation.retrieval import ranked
from motionprint.evaluation.rows import provenance
from motionprint.evaluation.warping import warped_frames, warping_distances
from motionprint.readers import ReadSettings
from motionprint.search import Origin, Settings, cut, open_index
from motionprint.search.folder import Manifest, new_graph, open_snapshot, publish
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.protocols import resolve
from motionprint.training import Run, load_run
from motionprint.training.run import save_run, versions

Floats = npt.NDArray[np.floating[Any]]

SHARE = 0.3
"""Of a query's positions, or joints, that are hidden."""
QUERIES = 500
"""Prints that are asked for."""
JITTER = 0.1
"""Of a copy, in spreads of each value."""
WINDOW, STRIDE = 1.0, 1 / 30
"""Seconds, of the prints of the large index."""
GRAPHS = (("f16", 16, 128), ("f16", 8, 64), ("i8", 16, 128))
"""Numbers' type, neighbours, and candidates for them."""
EXPANSIONS = (32, 64, 128)
"""Candidates for a query."""


def compared(by: str, scaler: Scaler, prints: Floats) -> Floats:
    """Unit vectors (N, R) of prints (N, R) whose products are how like they are."""
    if by == "standardised":
        return unit_vectors(scaler.apply(prints))
    return unit_vectors(np.asarray(prints, np.float64) - (scaler.mean if by == "centred" else 0.0))


MEASURES = ("plain", "centred", "standardised")


def choose(run: Run, dataset: MotionDataset, seed: int) -> Iterator[dict[str, Any]]:
    """A row for each kind of queries and each distance, by training recordings alone."""
    train = dataset.subset(resolve(dataset, run.config["protocol"], run.config["fold"]).train)
    labels, subjects = np.array(train.labels, dtype=np.str_), np.array(train.subjects, dtype=np.str_)
    gallery = encode(run, train)
    scaler = Scaler.fit(gallery)
    for way in ("whole", "points", "joints"):
        queries = gallery
        if way != "whole":
            rngs = (np.random.default_rng([seed, number]) for number in range(len(train)))
            queries = encode(run, [spoiled(way, each, SHARE, rng) for each, rng in zip(train, rngs, strict=True)])
        for by in MEASURES:
            found = []
            for subject in np.unique(subjects):
                mine = subjects == subject
                like = compared(by, scaler, queries[mine]) @ compared(by, scaler, gallery[~mine]).T
                found.append(np.stack(ranked(like, labels[~mine], labels[mine])))
            precision, first = np.concatenate(found, axis=1).mean(axis=1).tolist()
            yield {"queries": way, "distance": by, "map": precision, "precision10": first, "n_train": len(train)}


def retrieval(run: Run, dataset: MotionDataset) -> Iterator[dict[str, Any]]:
    """A row for each kind of prints and each distance: training recordings found by test recordings."""
    split = resolve(dataset, run.config["protocol"], run.config["fold"])
    train, test = dataset.subset(split.train), dataset.subset(split.test)
    known, asked = np.array(train.labels, dtype=np.str_), np.array(test.labels, dtype=np.str_)
    sizes = {"n_train": len(train), "n_test": len(test), "duplicates": split.duplicates}

    def row(prints: str, by: str, similarity: Floats) -> dict[str, Any]:
        precision, first = ranked(similarity, known, asked)
        scores = {"map": float(precision.mean()), "precision10": float(first.mean())}
        return {"prints": prints, "distance": by, **scores, **sizes}

    untrained = run.untrained()
    kinds: Sequence[tuple[str, Callable[[MotionDataset], Floats]]] = (
        ("states", lambda recordings: encode(run, recordings)),
        ("untrained", lambda recordings: encode(untrained, recordings)),
        ("raw", lambda recordings: raw_prints(run.recipe, recordings)),
    )
    for name, prints in kinds:
        gallery, queries = prints(train), prints(test)
        scaler = Scaler.fit(gallery)
        for by in MEASURES:
            yield row(name, by, compared(by, scaler, queries) @ compared(by, scaler, gallery).T)
    frames = warped_frames(run.recipe, test), warped_frames(run.recipe, train)
    yield row("frames", "dtw", -np.concatenate(list(warping_distances(*frames))))


def recall(prints: Floats, seed: int) -> Iterator[dict[str, Any]]:
    """A row for each graph and each number of candidates."""
    from usearch.index import Index

    order = np.random.default_rng(seed).permutation(len(prints))
    queries, rest = prints[order[:QUERIES]], prints[order[QUERIES:]]
    nearest = _nearest(queries, rest)
    for kind, connectivity, expansion in GRAPHS:
        graph = Index(ndim=prints.shape[1], metric="cos", dtype=kind, connectivity=connectivity)
        graph.expansion_add = expansion
        started = time.process_time()
        graph.add(np.arange(len(rest)), rest, threads=1)
        building = time.process_time() - started
        exact = graph.search(queries, 10, exact=True, threads=1).keys
        for candidates in EXPANSIONS:
            graph.expansion_search = candidates
            started = time.process_time()
            found = graph.search(queries, 10, threads=1).keys
            yield {
                "dtype": kind,
                "connectivity": connectivity,
                "expansion_add": expansion,
                "expansion_search": candidates,
                "recall10": _share(found, nearest),
                "recall10_of_stored": _share(found, exact),
                "ms": 1e3 * (time.process_time() - started) / len(queries),
                "build_cpu_s": building,
                "bytes": graph.serialized_length,
                "prints": len(rest),
            }


def _nearest(queries: Floats, prints: Floats) -> npt.NDArray[np.intp]:
    """(Q, 10) the nearest by cosine, one by one."""
    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (queries, prints))
    cuts = range(0, len(one), 50)
    return np.concatenate([np.argpartition(-(one[at : at + 50] @ other.T), 10, axis=1)[:, :10] for at in cuts])


def _share(found: npt.NDArray[Any], nearest: npt.NDArray[Any]) -> float:
    return float(
        np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), nearest.tolist(), strict=True)])
    )


def large(run: Run, table: pd.DataFrame, prints: Floats, folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Write the index folder; what that took."""
    import pyarrow as pa

    rng = np.random.default_rng(seed)
    graph, spread = new_graph(prints.shape[1]), prints.std(axis=0)
    building = processor = 0.0
    for start in range(0, count, len(prints)):
        part = prints[: count - start]
        if start:
            part = part + JITTER * spread * rng.standard_normal(part.shape, np.float32)
        began = time.perf_counter(), time.process_time()
        graph.add(np.arange(start, start + len(part)), part)
        building, processor = building + time.perf_counter() - began[0], processor + time.process_time() - began[1]
        print(f"{start + len(part)} prints after {building:.0f} s", file=sys.stderr, flush=True)
    copies = -(-count // len(table))
    rows = pd.concat([table.assign(person=copy) for copy in range(copies)])[:count]
    rows = rows.assign(key=np.arange(count), origin=np.int32(0))
    names = ["key", "origin", "name", "source", "person", "start", "end", "label", "subject"]
    made = pa.Table.from_pandas(rows[names], preserve_index=False).replace_schema_metadata(None)
    origin = Origin("prints", os.path.abspath("prints"), "files", ReadSettings())
    folder.mkdir(parents=True)
    save_run(run, folder / "run")
    settings = Settings(window=WINDOW, stride=STRIDE, map_rigs=True, allow_missing=True)
    manifest = Manifest(1, count, prints.shape[1], count, run.model_hash, None, settings, (origin,), {}, versions())
    started = time.perf_counter()
    publish(folder, manifest, made, graph)
    return {
        "prints": count,
        "real": min(count, len(prints)),
        "build_s": building,
        "build_cpu_s": processor,
        "threads": os.cpu_count(),
        "write_s": time.perf_counter() - started,
        "bytes": {file.suffix[1:]: file.stat().st_size for file in folder.iterdir() if file.is_file()},
        "resident": _resident(),
    }


def ask(folder: Path, dataset: MotionDataset, seconds: float, seed: int) -> dict[str, Any]:
    """How long queries take, and how many of the ten nearest prints they find."""
    started = time.perf_counter()
    index = open_index(folder)
    opening = time.perf_counter() - started
    rng = np.random.default_rng(seed)
    queries = []
    for number in rng.permutation(len(dataset))[:200]:
        sequence = dataset[int(number)]
        if sequence.duration > seconds:
            start = rng.uniform(0, sequence.duration - seconds)
            queries.append(cut(sequence, start, start + seconds))
    vectors = [index.print_of(query) for query in queries]
    graph = open_snapshot(folder).graph
    times: dict[str, list[float]] = {"graph": [], "hits": [], "whole": []}
    found = []
    wide = []  # as many candidates as `search` asks for where windows overlap
    for query, vector in zip(queries, vectors, strict=True):
        began = [time.perf_counter()]
        found.append(graph.search(vector, 10, threads=1).keys)
        began.append(time.perf_counter())
        index._nearest(vector, 10, False, None)
        began.append(time.perf_counter())
        index.search(query, 10)
        began.append(time.perf_counter())
        for each, spent in zip(times.values(), np.diff(began).tolist(), strict=True):
            each.append(spent)
        wide.append(graph.search(vector, round(11 * WINDOW / STRIDE), threads=1).keys[:10])
    resident = _resident()
    started = time.process_time()
    exact = [graph.search(each, 10, exact=True, threads=1).keys for each in vectors]
    return {
        "prints": len(index),
        "queries": len(queries),
        "open_s": opening,
        "recall10_of_stored": _share(np.array(found), np.array(exact)),
        "recall10_as_asked": _share(np.array(wide), np.array(exact)),
        **{f"{name}_ms_{q}": 1e3 * float(np.quantile(each, q / 100)) for name, each in times.items() for q in (50, 95)},
        "exact_cpu_ms": 1e3 * (time.process_time() - started) / len(queries),
        "resident": resident,
    }


def _resident() -> dict[str, int]:
    """Bytes of this process in memory: its own, and those of mapped files."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss")}
    return {"own": found["RssAnon"], "mapped": found["RssFile"]}


PLACES = {
    "choose": ("dataset", "run"),
    "retrieval": ("dataset", "run"),
    "recall": ("prints",),
    "large": ("run", "prints", "index"),
    "ask": ("index", "dataset"),
}
"""What each command is given."""


def rows_of(given: argparse.Namespace) -> Iterator[Mapping[str, Any]]:
    """The rows of one command."""
    if given.command in ("choose", "retrieval"):
        run, dataset = load_run(given.run), open_dataset(given.dataset)
        shared = {"dataset": dataset.name, "protocol": run.config["protocol"], "steps": run.steps}
        shared |= {"run_seed": run.config["seed"], "changes": run.changes, "model": run.model_hash}
        found = choose(run, dataset, given.seed) if given.command == "choose" else retrieval(run, dataset)
        yield from (shared | row for row in found)
    elif given.command == "recall":
        yield from recall(read_prints(given.prints)[1], given.seed)
    elif given.command == "large":
        table, prints, _ = read_prints(given.prints)
        yield large(load_run(given.run), table, prints, given.index, given.count, given.seed)
    else:
        yield ask(given.index, open_dataset(given.dataset), given.seconds, given.seed)


def line(row: Mapping[str, Any]) -> str:
    """A row in words."""
    left_out = ("dataset", "protocol", "steps", "run_seed", "changes", "model")
    said = {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in row.items()}
    return ", ".join(f"{name} {value}" for name, value in said.items() if name not in left_out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, places in PLACES.items():
        command = commands.add_parser(name)
        for place in places:
            command.add_argument(place, type=Path)
        command.add_argument("--seed", type=int, default=0, help="of all that is drawn [%(default)s]")
        command.add_argument("--json", type=Path, help="write the rows here too")
        if name == "large":
            command.add_argument("--count", type=int, default=1_000_000, help="prints [%(default)s]")
        if name == "ask":
            command.add_argument("--seconds", type=float, default=WINDOW, help="of a query [%(default)s]")
    arguments = parser.parse_args()
    made = provenance(" ".join(["python", "benchmarks/search.py", *sys.argv[1:]]))
    rows = []
    for row in rows_of(arguments):
        rows.append({"benchmark": arguments.command, **row, "seed": arguments.seed, **made})
        print(line(row), flush=True)
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
