"""How fast motion files become positions, beside what Python users have today, in one run.

    pip install bvh c3d
    python benchmarks/readers.py [--datasets FOLDER] [--json benchmarks/figures/readers.json]

For each format one real recording: ASF/AMC and NTU beside a plain parser (one line at a time, one matrix a joint and
frame; `plain_readers.py`), BVH beside the package bvh with such matrices, C3D beside the packages c3d (Python) and
ezc3d (C++). All begin at a path and end at the positions of all joints; they take turns, the best of several runs
counts, and the largest distance between the results must be under 1e-4 m. A package that is not installed is left out,
and said so. OMP_NUM_THREADS=1 for figures that another machine can be held against.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import motionprint
from motionprint.kinematics import y_up
from motionprint.readers import Source
from plain_readers import library_bvh, library_c3d, plain_amc, plain_ntu

DATASETS = Path(__file__).resolve().parents[2] / "shared/datasets"
RUNS = 5
LONG = 20  # seconds after which a case is not repeated any more
AGREE = 1e-4  # m
Way = Callable[[Path], npt.NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class Case:
    """A recording, and the ways of others to read it."""

    format: str
    archive: str
    files: tuple[str, ...]
    """In the archive; the first is what is read."""
    others: dict[str, Way]
    settings: dict[str, Any] = field(default_factory=dict)


def _amc(path: Path) -> npt.NDArray[np.floating[Any]]:
    return plain_amc((path.parent / f"{path.stem.split('_')[0]}.asf").read_bytes(), path.read_bytes())


def _ezc3d(path: Path) -> npt.NDArray[np.floating[Any]]:
    import ezc3d

    return ezc3d.c3d(str(path))["data"]["points"][:3].transpose(2, 1, 0)  # type: ignore[no-any-return]


def _metres(way: Callable[[str], npt.NDArray[np.floating[Any]]]) -> Way:
    """C3D of this benchmark: millimetres, z up."""
    return lambda path: y_up((way(str(path)) * 0.001).astype(np.float32), "z")


CASES = (
    Case(
        "ASF/AMC",
        "cmu_asfamc_120fps.zip",
        ("subjects/01/01_01.amc", "subjects/01/01.asf"),
        {"plain": _amc},
    ),
    Case(
        "BVH",
        "cmu_bvh_30fps.zip",
        ("02/02_01.bvh",),
        {"bvh": lambda path: library_bvh(path.read_text(), 0.01)},
    ),
    Case(
        "C3D",
        "formats.zip",
        ("c3d/sample01/Eb015pr.c3d",),
        {"c3d": _metres(library_c3d), "ezc3d": _metres(lambda path: _ezc3d(Path(path)))},
        {"unit": "mm", "up": "z"},
    ),
    Case(
        "NTU",
        "ntu_rgbd_samples.zip",
        ("S001C001P001R001A002.skeleton",),
        {
            "plain, all values": lambda path: plain_ntu(path.read_text(), True),
            "plain, positions": lambda path: plain_ntu(path.read_text(), False),
        },
    ),
)


def measure(case: Case, path: Path) -> list[dict[str, Any]]:
    """A row for each way; SystemExit where two disagree."""

    joints = motionprint.read(path, **case.settings)[0].skeleton.joint_names

    def ours(path: Path) -> npt.NDArray[np.floating[Any]]:
        return motionprint.read(path, **case.settings)[0].positions

    present = {
        name: way for name, way in case.others.items() if name.startswith("plain") or importlib.util.find_spec(name)
    }
    for name in sorted(set(case.others) - set(present)):
        print(f"{case.format}: {name} is not installed: left out", file=sys.stderr)
    ways: dict[str, Way] = {"motionprint": ours, **present}
    found = {name: way(path) for name, way in ways.items()}  # the first time also warms up
    mine = found["motionprint"]
    for name, positions in found.items():
        if name == "bvh":
            mine = mine[:, [not joint.endswith("_end") for joint in joints]]
        apart = np.nanmax(np.abs(mine - positions)) if positions.shape == mine.shape else np.inf
        if not apart <= AGREE:
            raise SystemExit(
                f"{path.name}: {name} and motionprint differ by {apart} m ({positions.shape}, {mine.shape})"
            )
    best = dict.fromkeys(ways, float("inf"))
    began = time.perf_counter()
    for number in range(RUNS):
        if number and time.perf_counter() - began > LONG:
            break
        for name, way in ways.items():
            started = time.perf_counter()
            way(path)
            best[name] = min(best[name], time.perf_counter() - started)
    return [
        {
            "format": case.format,
            "file": case.files[0],
            "frames": len(mine),
            "joints": len(joints),
            "way": name,
            "seconds": seconds,
            "frames_per_second": len(mine) / seconds,
            "times": seconds / best["motionprint"],
        }
        for name, seconds in best.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=Path, default=DATASETS, help="the folder of archives [%(default)s]")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    if not arguments.datasets.is_dir():
        parser.error(f"{arguments.datasets} is not here: name the folder of archives with --datasets")
    rows = []
    print(f"{'format':<10}{'way':<20}{'frames/s':>12}{'motionprint is':>18}")
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            with Source.open(arguments.datasets / case.archive) as source:
                for name in case.files:
                    (Path(folder) / Path(name).name).write_bytes(source.read_bytes(name))
            for row in measure(case, Path(folder) / Path(case.files[0]).name):
                rows.append(row)
                times = "" if row["way"] == "motionprint" else f"{row['times']:.1f} x as fast"
                print(f"{row['format']:<10}{row['way']:<20}{row['frames_per_second']:>12,.0f}{times:>18}")
    if arguments.json:
        table = {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "machine": platform.machine(),
            "rows": rows,
        }
        arguments.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
