"""Training as the data grow: peak memory (flat) and time (linear).

    python benchmarks/scaling.py [FOLDER] [--sequences N] [--times 1,4,16,20] [--steps N] [--preset P] [--json FILE]
                                 [--plot PNG]

Writes data sets of N, 4 N, ... recordings of procedural motion (1 to 4 s at 30 frames/s, 20 joints) into FOLDER (a
temporary folder by default), trains on each in a process of its own, and prints for each: the largest resident memory
of that process (VmHWM, which counts the pages of mapped files; of opening the data set alone, and at the end), seconds
from opening to the first step and of that what a recording takes, milliseconds a step. Linux only.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import open_dataset, write_dataset

KINECT = SKELETONS["kinect20"]


def recordings(count: int) -> Iterator[SkeletonSequence]:
    """Bodies that sway and walk: no two are alike."""
    random = np.random.default_rng(0)
    rest = random.normal(0, 0.3, (len(KINECT), 3))
    rest[KINECT.root] = 0
    left, right = KINECT.hips or (0, 0)
    rest[left], rest[right] = (0.1, -0.05, 0), (-0.1, -0.05, 0)
    for number in range(count):
        seconds = np.arange(random.integers(30, 120))[:, None, None] / 30
        sway = 0.1 * np.sin(random.uniform(1, 6, (len(KINECT), 3)) * seconds + random.uniform(0, 6, (len(KINECT), 3)))
        positions = rest * random.uniform(0.8, 1.2) + sway + random.normal(0, 0.5, 3) * seconds
        label, subject = f"action {number % 60:02d}", f"subject {number % 106:03d}"
        yield SkeletonSequence(
            positions.astype(np.float32),
            30.0,
            KINECT,
            name=f"{subject}/{label}/take {number:07d}",
            label=label,
            subject=subject,
            source=f"archive/{subject}/{label}/take {number:07d}.bvh",
        )


def peak() -> float:
    """MB: the largest resident memory of this process so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("expected VmHWM in /proc/self/status, found none")


def train(folder: Path, out: Path, steps: int, changes: dict[str, Any], preset: str) -> dict[str, float]:
    """Train in this process; what it took."""
    from motionprint.training import pretrain

    loaded = peak()
    started = time.perf_counter()
    dataset = open_dataset(folder)
    opened, opening = peak(), time.perf_counter() - started
    moments = []

    def report(done: int, total: int | None, text: str) -> None:
        if total is not None:
            moments.append(time.perf_counter())

    pretrain(dataset, out, preset=preset, steps=steps, changes=changes, report=report, overwrite=True)
    preparing = moments[0] - started - opening
    return {
        "recordings": len(dataset),
        "frames": int(dataset.lengths.sum()),
        "peak_mb": round(peak(), 1),
        "peak_loaded_mb": round(loaded, 1),
        "peak_opened_mb": round(opened, 1),
        "open_s": round(opening, 2),
        "prepare_s": round(preparing, 2),
        "step_ms": round(1e3 * (moments[-1] - moments[0]) / max(1, steps - 1), 2),
    }


def measure(folder: Path, count: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Write one data set, and train on it in a process that knows nothing of the writing."""
    data, run = folder / f"data-{count}", folder / f"run-{count}"
    if not data.exists():
        write_dataset(data, recordings(count))
    command = [sys.executable, __file__, str(data), "--run", str(run), "--steps", str(arguments.steps)]
    command += ["--preset", arguments.preset, "--workers", str(arguments.workers)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def draw(rows: list[dict[str, Any]], file: Path) -> None:
    """Memory and time against the data, with what flat and linear would be."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    memory, seconds = figure.subplots(1, 2)
    counts = [row["recordings"] for row in rows]
    memory.plot(counts, [row["peak_mb"] for row in rows], "o-", label="training")
    memory.axhspan(0.9 * rows[0]["peak_mb"], 1.1 * rows[0]["peak_mb"], alpha=0.15, label="within 10 % of the smallest")
    memory.set(ylim=(0, None), ylabel="peak resident memory (MB)")
    seconds.plot(counts, [row["prepare_s"] for row in rows], "o-", label="reading, fitting, preprocessing")
    linear = [rows[-1]["prepare_s"] * count / counts[-1] for count in counts]
    seconds.plot(counts, linear, "--", color="grey", label="linear")
    seconds.set(ylim=(0, None), ylabel="seconds")
    for axes in (memory, seconds):
        axes.set(xlim=(0, None), xlabel="recordings")
        axes.legend(loc="lower right" if axes is memory else "upper left")
    figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="where the data sets are written, and kept")
    parser.add_argument("--sequences", type=int, default=3000, help="recordings of the smallest data set")
    parser.add_argument("--times", default="1,4,16,20", help="sizes of the others, in times of that")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--plot", type=Path, help="a PNG file for the picture")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run is not None:
        changes = {"workers": arguments.workers}
        print(json.dumps(train(arguments.folder, arguments.run, arguments.steps, changes, arguments.preset)))
        return
    with TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        rows = []
        for times in (int(word) for word in arguments.times.split(",")):
            rows.append({"times": times, **measure(folder, times * arguments.sequences, arguments)})
            if len(rows) == 1:
                print(" ".join(f"{key:>14}" for key in rows[0]))
            print(" ".join(f"{value:>14}" for value in rows[-1].values()), flush=True)
    if arguments.json is not None:
        import torch

        versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
        settings = {"steps": arguments.steps, "preset": arguments.preset, "workers": arguments.workers}
        table = {"command": sys.argv[1:], "versions": versions, "threads": torch.get_num_threads(), **settings}
        arguments.json.write_text(json.dumps({**table, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    if arguments.plot is not None:
        draw(rows, arguments.plot)


if __name__ == "__main__":
    main()
