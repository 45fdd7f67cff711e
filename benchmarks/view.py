"""How large a page of the viewer is, and how long it takes to make.

    python benchmarks/view.py DATASET... [--run RUN] [--sequences 1482 10000] [--maps pca umap] [--seed 0] [--json FILE]

Of each data set, or of as many of its recordings as wanted: drawn again and again, the first 6 s of each at 30 frames/s
at most, each copy with its own noise of 5 mm and its own speed (0.8 to 1.25 of its own), written as a data set of its
own. Printed and written (JSON lines): the page's size, that of its motion, the frames that the longest sequence has in
it, the processor seconds that the whole takes, and those of it that the map with neighbours and that the motion take
(``--run``: of prints, else of coordinates).
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from motionprint.evaluation.rows import provenance
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset, open_dataset, write_dataset
from motionprint.viewer import maps, pack

NOISE = 0.005
"""Metres, the standard deviation."""
SECONDS = 6
"""Of a recording that are copied at most."""


def tiled(dataset: MotionDataset, count: int, seed: int) -> Iterator[SkeletonSequence]:
    """``count`` recordings: those of the data set, again and again."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        sequence = dataset[number % len(dataset)]
        step = max(1, round(sequence.fps / 30))
        positions = sequence.positions[: int(SECONDS * sequence.fps) : step]
        yield replace(
            sequence,
            positions=(positions + rng.normal(0, NOISE, positions.shape)).astype(np.float32),
            fps=sequence.fps / step * rng.uniform(0.8, 1.25),
            name=f"{number}_{sequence.name}",
        )


class Stages:
    """When each piece of work began."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}
        self.started = time.process_time()

    def __call__(self, done: int, total: int | None, text: str) -> None:
        self.began.setdefault(text.split(" of ")[0], time.process_time() - self.started)


def measure(folder: Path, run: Path | None, kind: Any) -> dict[str, Any]:
    """A row for one data set and one map."""
    stages = Stages()
    view = pack(folder, run=run, map=kind, report=stages)
    packed = time.process_time() - stages.started
    page = view.page.encode("utf-8")
    names = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}
    return {
        "sequences": len(view.items),
        "joints": len(view.meta["skeletons"][0]["joints"]),
        "map": view.meta["map"]["kind"],
        "of": "coordinates" if run is None else "prints",
        "page_mb": len(page) / 1e6,
        "motion_mb": len(view.frames) * 4 / 3 / 1e6,
        "frames": sum(view.meta["items"]["length"]),
        "most_frames": max(view.meta["items"]["length"]),
        "seconds": time.process_time() - stages.started,
        "map_and_neighbours_s": stages.began["packing"] - stages.began[names[kind]],
        "motion_s": packed - stages.began["packing"],
    }


HEAD = (
    "| data set | sequences | map | page, MB | frames of a sequence at most | seconds | map | motion |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
)


def line(row: dict[str, Any]) -> str:
    """A row of a table."""
    return (
        f"| {row['dataset']}{', tiled' if row['tiled'] else ''} | {row['sequences']:,} | {row['map']} of {row['of']} | "
        f"{row['page_mb']:.1f} | {row['most_frames']} | {row['seconds']:.0f} | {row['map_and_neighbours_s']:.0f} | "
        f"{row['motion_s']:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", metavar="DATASET", nargs="+", type=Path, help="data set folders")
    parser.add_argument("--run", type=Path, help="map the prints of this run")
    parser.add_argument("--sequences", type=int, nargs="*", default=[0], help="how many; 0: as there are [%(default)s]")
    parser.add_argument("--maps", nargs="+", default=["pca"], choices=maps.MAPS[1:], help="[%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="of noise and speed [%(default)s]")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    arguments = parser.parse_args()
    made = provenance(" ".join(["python", "benchmarks/view.py", *sys.argv[1:]]))
    importlib.import_module("sklearn.decomposition")  # is not to be timed
    rows = []
    print(*HEAD, sep="\n")
    for folder in arguments.datasets:
        dataset = open_dataset(folder)
        for count in arguments.sequences:
            with TemporaryDirectory() as place:
                if count:
                    made_of = write_dataset(Path(place) / "data", tiled(dataset, count, arguments.seed))
                else:
                    made_of = dataset
                for kind in arguments.maps:
                    row = {"dataset": dataset.name, "tiled": bool(count), "seed": arguments.seed}
                    rows.append({**row, **measure(made_of.folder, arguments.run, kind), **made})
                    print(line(rows[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
