"""Preparing many small files, and one that lasts an hour: files a second, and the memory that it takes.

    python benchmarks/prepare.py [FOLDER] [--files N] [--jobs 1,2] [--hour-frames N] [--json FILE]

Writes N BVH files of a few frames as one ``.zip`` into FOLDER (a temporary folder by default), prepares them with each
number of jobs in a process of its own (``motionprint prepare``), and compares the data set folders byte for byte. Then
the same with one BVH of an hour at 120 frames/s (``--hour-frames 0`` leaves it out). Prints for each: seconds, those
of processors, files and frames a second, the largest resident memory of the process that writes (VmHWM), and of it and
all of its processes together (the sum of their resident memory, looked at every 50 ms; pages that they share count for
each). Linux only.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import shlex
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

LIMBS = (("LeftArm", "Spine0"), ("RightArm", "Spine0"), ("LeftLeg", "Hips"), ("RightLeg", "Hips"))
SECONDS = 0.05


def body(limb: int, trunk: int) -> list[tuple[str, str | None]]:
    """The joints of a body and their parents: the hips, a trunk and four limbs of so many joints."""
    joints: list[tuple[str, str | None]] = [("Hips", None)]
    for name, root, count in (("Spine", "Hips", trunk), *((*each, limb) for each in LIMBS)):
        joints += [(f"{name}{number}", f"{name}{number - 1}" if number else root) for number in range(count)]
    return joints


SMALL = body(limb=2, trunk=1)
"""10 joints, which with 4 end sites are 14 points."""
FULL = body(limb=5, trunk=5)
"""26 joints, which with 5 end sites are 31 points."""


def hierarchy(joints: list[tuple[str, str | None]]) -> tuple[str, int]:
    """The head of a BVH file, and the values of a frame."""
    children: dict[str | None, list[str]] = {}
    for joint, parent in joints:
        children.setdefault(parent, []).append(joint)

    def part(joint: str) -> str:
        kind, channels = ("JOINT", "3 Zrotation Xrotation Yrotation")
        if joint == "Hips":
            kind, channels = ("ROOT", "6 Xposition Yposition Zposition Zrotation Xrotation Yrotation")
        inner = "".join(map(part, children.get(joint, []))) or "End Site\n{\nOFFSET 0 5 0\n}\n"
        return f"{kind} {joint}\n{{\nOFFSET 1 12 0\nCHANNELS {channels}\n{inner}}}\n"

    return "HIERARCHY\n" + part("Hips"), 3 + 3 * len(joints)


def bvh(joints: list[tuple[str, str | None]], frames: int, rate: int, seed: int) -> bytes:
    """A body that sways."""
    head, values = hierarchy(joints)
    random = np.random.default_rng(seed)
    sizes, rates, starts = random.uniform(0.1, 2, (3, values)) * np.array([[15], [1], [3]])
    rows = sizes * np.sin(rates * np.arange(frames)[:, None] / rate + starts)
    pattern = " ".join(["%.6f"] * values) + "\n"
    body = "".join(pattern % tuple(row) for row in rows)
    return f"{head}MOTION\nFrames: {frames}\nFrame Time: {1 / rate:.7f}\n{body}".encode()


def write_archive(file: Path, count: int) -> int:
    """N files of 4 to 12 frames in folders of 1,000; how many frames there are in all."""
    frames = 0
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(count):
            length = 4 + number % 9
            archive.writestr(f"{number // 1000:03}/take_{number:07}.bvh", bvh(SMALL, length, 30, number))
            frames += length
    return frames


# ---- memory ------------------------------------------------------------------------------------------------------


def _status(pid: int, key: str) -> float:
    """MB that ``/proc/PID/status`` says under a key; 0 for a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{key}:")), 0.0)


def _below(pid: int) -> list[int]:
    """A process and all that it has started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(each for child in children for each in _below(int(child)))]


def _cpu_seconds() -> float:
    """What processes that have ended took, and those that they waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(command: list[str]) -> dict[str, float]:
    """What a command took."""
    began, cpu = time.perf_counter(), _cpu_seconds()
    together = alone = 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            together = max(together, sum(_status(pid, "VmRSS") for pid in _below(process.pid)))
            alone = max(alone, _status(process.pid, "VmHWM"))
            time.sleep(SECONDS)
    if process.returncode:
        raise SystemExit(f"{shlex.join(command)}: exit status {process.returncode}")
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_seconds": round(_cpu_seconds() - cpu, 2),
        "peak_writer_mb": round(alone, 1),
        "peak_together_mb": round(together, 1),
    }


# ------------------------------------------------------------------------------------------------------------------


def digest(folder: Path) -> str:
    """One hash over the files of a data set folder, but for the command in prepare.json."""
    found = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        found.update(file.name.encode())
        if file.name == "prepare.json":
            table = json.loads(file.read_bytes())
            del table["command"]
            found.update(json.dumps(table).encode())
        else:
            with file.open("rb") as stream:
                found.update(hashlib.file_digest(stream, "sha256").digest())
    return found.hexdigest()


def measure(what: str, source: Path, files: int, frames: int, jobs: list[int]) -> list[dict[str, Any]]:
    """Prepare a source with each number of jobs; refuse results that differ."""
    rows: list[dict[str, Any]] = []
    digests = set()
    for count in jobs:
        out = source.with_name(f"data-{count}")
        command = [sys.executable, "-m", "motionprint", "prepare", "folder", str(source), "--out", str(out), "--quiet"]
        took = run([*command, "--overwrite", "--jobs", str(count)])
        digests.add(digest(out))
        if len(digests) > 1:
            raise SystemExit(f"{what}: {count} jobs wrote other bytes than {jobs[0]}")
        rows.append(
            {
                "what": what,
                "jobs": count,
                "files": files,
                "frames": frames,
                "source_mb": round(source.stat().st_size / 1e6, 1),
                "files_per_second": round(files / took["seconds"], 2),
                "frames_per_second": round(frames / took["seconds"]),
                **took,
            }
        )
        print(" ".join(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="where the files and data sets are written, and kept")
    parser.add_argument("--files", type=int, default=50_000, help="small files")
    parser.add_argument("--jobs", default="1,2", help="numbers of processes that read")
    parser.add_argument("--hour-frames", type=int, default=432_000, help="frames of the long recording; 0: none")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    arguments = parser.parse_args()
    jobs = [int(word) for word in arguments.jobs.split(",")]
    rows = []
    with TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if arguments.files:
            archive = folder / "small.zip"
            frames = write_archive(archive, arguments.files)
            rows += measure("small files", archive, arguments.files, frames, jobs)
        if arguments.hour_frames:
            (folder / "hour.bvh").write_bytes(bvh(FULL, arguments.hour_frames, 120, 0))
            rows += measure("one long file", folder / "hour.bvh", 1, arguments.hour_frames, jobs[:1])
    if arguments.json is not None:
        packages = {name: importlib.metadata.version(name) for name in ("numpy", "pandas", "pyarrow")}
        table = {
            "command": shlex.join(["python", *sys.argv]),
            "versions": {"python": platform.python_version(), **packages},
            "cores": len(os.sched_getaffinity(0)),
            "rows": rows,
        }
        arguments.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
