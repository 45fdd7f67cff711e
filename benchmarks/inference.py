"""What turning recordings into prints costs beside the encoder alone, in one run.

    python benchmarks/inference.py [DATASET] [--preset small] [--sequences 4096] [--threads N] [--json FILE]

Printed, for a run with random weights: valid frames a second of the bare encoder (packed batches in memory), of
`encode` over the data set and of `embed` to Parquet, the best of the rounds, which take turns; the time of one short
sequence through `encode`; and the peak memory of `embed` over once, 4 and 16 times the sequences, each in a process of
its own. Without DATASET, recordings are generated: joints that swing, 2 to 8 seconds at 30 frames/s, 31 joints. The
temporary folder then needs 3.9 GB (950 kB for each of --sequences): the data set, and another one 16 times its size.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from motionprint.evaluation import embed, encode, prints
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import MotionDataset, open_dataset, write_dataset
from motionprint.training import Run, configure, save_run
from motionprint.training.run import build_method

ROUNDS = 5
CALLS = 100
SHORT = 35
"""Frames of a short sequence, after resampling: what the paper's recordings have at most."""

PEAK = """
import sys, torch
from motionprint.evaluation import embed
from motionprint.training import load_run
torch.set_num_threads(int(sys.argv[4]))
embed(load_run(sys.argv[1]), [sys.argv[2]], sys.argv[3], overwrite=True)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM:")).split()[1])
"""


def _generated(count: int) -> Iterator[SkeletonSequence]:
    random, skeleton = np.random.default_rng(0), SKELETONS["cmu31"]
    for number in range(count):
        rest, rate, phase = random.normal(0, 1, (3, len(skeleton), 3))
        seconds = np.arange(int(random.integers(60, 241)))[:, None, None] / 30
        positions = (0.4 * rest + 0.1 * np.sin(4 * rate * seconds + phase)).astype(np.float32)
        yield SkeletonSequence(positions, 30.0, skeleton, name=f"r{number:07}", source=f"r{number:07}.bvh")


def _repeated(dataset: MotionDataset, count: int) -> Iterator[SkeletonSequence]:
    for number, each in enumerate(islice(cycle(dataset), count)):
        yield SkeletonSequence(each.positions, each.fps, each.skeleton, name=f"r{number:07}", source=each.source)


def _run(dataset: MotionDataset, preset: str) -> Run:
    """Random weights, which take as long as trained ones."""
    config, recipe = configure(dataset.skeleton, preset=preset, defaults=dataset.defaults)
    recipe = recipe.fit(dataset[:256])
    config |= {"recipe": recipe.to_dict(), "skeleton": recipe.skeleton.to_dict(), "fitted": []}
    return Run(config, recipe, build_method(config, recipe).eval(), 0)


def _batches(run: Run, dataset: MotionDataset) -> tuple[list[Any], int]:
    """The batches that `encode` makes of a data set, and their frames."""
    made: list[Any] = []
    plain = prints._encode_batch

    def keep(run: Run, frames: Any, features: str) -> Any:
        made.append(prints.pack(frames)[0])
        return np.zeros((len(frames), 1), np.float32)

    prints._encode_batch = keep
    try:
        encode(run, dataset)
    finally:
        prints._encode_batch = plain
    return made, sum(len(batch.frames) for batch in made)


def _rates(run: Run, dataset: MotionDataset, folder: Path) -> dict[str, float]:
    """Valid frames a second of each way."""
    batches, frames = _batches(run, dataset)

    def bare() -> None:
        with torch.inference_mode():
            for batch in batches:
                run.method.encode(batch.frames, batch.packing)

    ways: dict[str, Callable[[], Any]] = {
        "bare encoder": bare,
        "encode": lambda: encode(run, dataset),
        "embed": lambda: embed(run, [dataset.folder], folder / "prints.parquet", overwrite=True),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - started)
    return {name: frames / min(found) for name, found in times.items()}


def _latency(dataset: MotionDataset, preset: str) -> dict[str, float]:
    """Milliseconds of one short sequence, warm: the whole call, and the encoder within it."""
    run = _run(dataset, preset)
    positions = np.concatenate([each.positions for each in islice(cycle(dataset), SHORT)])[:SHORT]
    sequence = SkeletonSequence(positions, run.recipe.fps, dataset.skeleton)
    batch = prints.pack([run.recipe.apply(sequence)])[0]
    times: dict[str, list[float]] = {"encode": [], "bare encoder": []}
    for _ in range(CALLS + 10):
        started = time.perf_counter()
        encode(run, [sequence])
        between = time.perf_counter()
        with torch.inference_mode():
            run.method.encode(batch.frames, batch.packing)
        times["encode"].append(1e3 * (between - started))
        times["bare encoder"].append(1e3 * (time.perf_counter() - between))
    whole = times["encode"][10:]
    return {
        "median": median(whole),
        "p95": float(np.quantile(whole, 0.95)),
        "bare encoder": median(times["bare encoder"][10:]),
    }


def _peaks(run: Run, dataset: MotionDataset, count: int, folder: Path) -> dict[str, int]:
    """Peak resident memory in MB."""
    save_run(run, folder / "run")
    peaks = {}
    for times in (1, 4, 16):
        data = folder / f"data{times}"
        write_dataset(data, _repeated(dataset, times * count))
        call = [sys.executable, "-c", PEAK, folder / "run", data, folder / "peak.parquet", torch.get_num_threads()]
        done = subprocess.run([str(word) for word in call], capture_output=True, text=True, check=True)
        peaks[f"{times}x"] = int(done.stdout) // 1024
        shutil.rmtree(data)
    return peaks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", type=Path, help="a data set folder [generated]")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--sequences", type=int, default=4096, help="how many [%(default)s]")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    count = arguments.sequences
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        given = _repeated(open_dataset(arguments.dataset), count) if arguments.dataset else _generated(count)
        dataset = write_dataset(folder / "data", given)
        run = _run(dataset, arguments.preset)
        rates = _rates(run, dataset, folder)
        latency = {preset: _latency(dataset, preset) for preset in ("small", "paper")}
        peaks = _peaks(run, dataset, count, folder)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; {arguments.preset}, {count} sequences")
    print(f"\n{'':<14}{'frames/s':>10}{'of the bare encoder':>22}")
    for name, rate in rates.items():
        print(f"{name:<14}{rate:>10.0f}{rate / rates['bare encoder']:>22.1%}")
    print(f"\none sequence of {SHORT} frames, ms{'median':>10}{'p95':>8}{'of it the encoder':>20}")
    for preset, found in latency.items():
        print(f"{preset:<32}{found['median']:>10.2f}{found['p95']:>8.2f}{found['bare encoder']:>20.2f}")
    print("\npeak memory of embed, MB: " + ", ".join(f"{times} {peak}" for times, peak in peaks.items()))
    if arguments.json:
        figures = {
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "preset": arguments.preset,
            "sequences": count,
            "frames_per_second": rates,
            "one_sequence_ms": latency,
            "peak_mb": peaks,
        }
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
