"""Damaged motion files: each must be refused with a ReadError or give a valid recording, and nothing else.

    python benchmarks/corrupted.py [--count 10000] [--datasets FOLDER] [--json benchmarks/figures/corrupted.json]

Takes a small file of each format (tests/samples), and with --datasets some real ones, and damages copies of them:
bytes changed, cut off, taken out, repeated, numbers replaced by nan, inf, huge ones and counts, bits of binary counts
set. Each copy is read in this process by ``motionprint.read``. Counted are those that are refused, those that are
read, and anything else: another exception, more than --seconds, or more memory than --memory times what the undamaged
file takes (and never below 64 MB). Exit status 1 if there is any of those, which are kept in the folder --keep.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import signal
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import motionprint
from motionprint.errors import DatasetError, ReadError
from motionprint.readers import READERS, Source, format_of, read
from motionprint.sequence import SkeletonSequence

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLES = REPOSITORY / "tests" / "samples"
DATASETS = REPOSITORY.parent / "shared" / "datasets"
REAL = {
    "formats.zip": (
        "c3d/sample02/pc_real.c3d",
        "c3d/sample02/DEC_INT.C3D",
        "c3d/sample02/sgi_int.c3d",
        "trc/Anto.trc",
        "csv/optitrack_1.23.csv",
        "bvh/walk01.bvh",
        "mvnx/xsens.bvh",
    ),
    "nw_ucla.zip": ("all_sqe/a01_s01_e00_v02.json",),
    "msr_action3d.zip": ("a02_s05_e03_skeleton3D.txt",),
    "sbu_interaction.zip": ("s02s01/01/002/skeleton_pos.txt",),
    "berkeley_mhad_16joints.zip": ("Mocap/S01_A10_R01.mat",),
    "ntu_rgbd_samples.zip": ("S001C001P001R001A005.skeleton",),
    "cmu_asfamc_30fps.zip": ("subjects/09/09_03.amc",),
}
LEAST = 64 * 1024**2
WORDS = (
    b"nan",
    b"inf",
    b"-inf",
    b"1e999",
    b"99999999999",
    b"-1",
    b"0",
    b"2147483647",
    b"1e-400",
    b"",
    b"x",
    b"\xff\xfe",
)


class TooLong(Exception):
    """Reading took more than was allowed."""


def damage(data: bytes, random: np.random.Generator) -> bytes:
    """A copy with one fault, or two or three."""
    for _ in range(int(random.choice([1, 1, 2, 3]))):
        data = FAULTS[int(random.integers(len(FAULTS)))](data, random)
    return data


def _range(data: bytes, random: np.random.Generator) -> tuple[int, int]:
    """Where a fault begins and ends: short ones more often than long ones."""
    start = int(random.integers(0, len(data) + 1))
    return start, min(len(data), start + int(len(data) ** random.random()))


def _change(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(random.integers(1, 9))):
        if changed:
            changed[int(random.integers(len(changed)))] = int(random.integers(256))
    return bytes(changed)


def _flip(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    if changed:
        changed[int(random.integers(len(changed)))] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _cut(data: bytes, random: np.random.Generator) -> bytes:
    return data[: int(random.integers(0, len(data) + 1))]


def _take_out(data: bytes, random: np.random.Generator) -> bytes:
    start, end = _range(data, random)
    return data[:start] + data[end:]


def _repeat(data: bytes, random: np.random.Generator) -> bytes:
    start, end = _range(data, random)
    return data[:end] + data[start:end] * int(random.integers(1, 4)) + data[end:]


def _word(data: bytes, random: np.random.Generator) -> bytes:
    """Another number, or no number, in place of one."""
    found = list(re.finditer(rb"[-+]?\d[\d.eE+-]*", data[: 1 << 20]))
    if not found:
        return _count(data, random)
    where = found[int(random.integers(len(found)))]
    return data[: where.start()] + WORDS[int(random.integers(len(WORDS)))] + data[where.end() :]


def _early_word(data: bytes, random: np.random.Generator) -> bytes:
    """The same in the first lines, where counts stand."""
    head = min(len(data), 400)
    return _word(data[:head], random) + data[head:]


def _count(data: bytes, random: np.random.Generator) -> bytes:
    """A binary count set to the largest ones there are."""
    size = int(random.choice([1, 2, 4, 8]))
    start = int(random.integers(0, max(1, min(len(data), 2048))))
    value = (b"\xff" * size, b"\xff" * (size - 1) + b"\x7f", b"\x00" * size)[int(random.integers(3))]
    return data[:start] + value + data[start + size :]


FAULTS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    _change, _flip, _cut, _take_out, _repeat, _word, _early_word, _count,
)  # fmt: skip


@dataclass
class Outcome:
    """What became of the damaged copies of one file."""

    file: str
    format: str
    refused: int = 0
    read: int = 0
    slowest: float = 0.0
    """Seconds."""
    peak: float = 0.0
    """The most memory, in times of what the undamaged file takes."""
    wrong: list[str] = field(default_factory=list)
    """What should not happen."""


def _stop(number: int, frame: object) -> None:
    raise TooLong


def _valid(sequences: Iterable[SkeletonSequence]) -> None:
    for sequence in sequences:
        if np.isinf(sequence.positions).any() or sequence.positions.dtype != np.float32 or not sequence.fps > 0:
            raise AssertionError(f"no valid recording: {sequence.name}")


def try_one(path: Path, seconds: float) -> tuple[str, float, int]:
    """`read` or `refused`, or else what went wrong; the seconds and the most bytes that it took."""
    tracemalloc.clear_traces()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    signal.setitimer(signal.ITIMER_REAL, seconds)
    started = time.perf_counter()
    try:
        _valid(read(path, **GIVEN.get(path.suffix.lower(), {})))
        outcome = "read"
    except (ReadError, DatasetError) as error:
        outcome = "refused" if "\n" not in str(error) and str(error) else f"refused with {str(error)!r}"
    except TooLong:
        outcome = f"took more than {seconds} s"
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return outcome, time.perf_counter() - started, tracemalloc.get_traced_memory()[1] - before


GIVEN: dict[str, dict[str, Any]] = {}
"""Settings by extension, for files that need any."""


def run(
    files: dict[str, dict[str, bytes]], count: int, seed: int, seconds: float, memory: float, keep: Path | None
) -> list[Outcome]:
    """Damage ``count`` copies in all; ``files`` has, by name, each file with what belongs to it (an ASF)."""
    signal.signal(signal.SIGALRM, _stop)
    tracemalloc.start()
    outcomes = []
    for number, (name, group) in enumerate(files.items()):
        random = np.random.default_rng([seed, number])
        share = count // len(files) + (number < count % len(files))
        with tempfile.TemporaryDirectory() as folder:
            for each, data in group.items():
                (Path(folder) / Path(each).name).write_bytes(data)
            path = Path(folder) / Path(name).name
            whole, _, usual = try_one(path, 60)
            outcome = Outcome(name, format_of(group[name], path.name, name))
            if whole not in ("read", "refused"):
                outcome.wrong.append(f"undamaged: {whole}")
            allowed = max(LEAST, memory * usual)
            for copy in range(share):
                damaged = damage(group[name], random)
                path.write_bytes(damaged)
                found, took, peak = try_one(path, seconds)
                outcome.slowest = max(outcome.slowest, took)
                outcome.peak = max(outcome.peak, peak / max(1, usual))
                if peak > allowed and peak > memory * usual * len(damaged) / max(1, len(group[name])):
                    found = f"took {peak / 1e6:.0f} MB, the undamaged file {usual / 1e6:.0f} MB"
                if found in ("read", "refused"):
                    setattr(outcome, found, getattr(outcome, found) + 1)
                    continue
                outcome.wrong.append(f"copy {copy}: {found}")
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{Path(name).stem}-{copy}{path.suffix}").write_bytes(damaged)
        outcomes.append(outcome)
    tracemalloc.stop()
    return outcomes


def samples() -> dict[str, dict[str, bytes]]:
    """The small files, each with what belongs to it."""
    found = {}
    for path in sorted(SAMPLES.iterdir()):
        if path.suffix != ".asf":
            beside = [path, *([path.with_suffix(".asf")] if path.suffix == ".amc" else [])]
            found[path.name] = {each.name: each.read_bytes() for each in beside}
    return found


def real(folder: Path) -> dict[str, dict[str, bytes]]:
    """Some real recordings, each with what belongs to it."""
    found = {}
    for archive, names in REAL.items():
        with Source.open(folder / archive) as source:
            for name in names:
                found[name] = {name: source.read_bytes(name)}
                if name.endswith(".amc"):
                    rig = f"{name.rsplit('_', 1)[0]}.asf"
                    found[name][rig] = source.read_bytes(rig)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="damaged copies in all [%(default)s]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=20, help="that reading one may take [%(default)s]")
    parser.add_argument("--memory", type=float, default=2, help="times that of the undamaged file [%(default)s]")
    parser.add_argument("--datasets", type=Path, help="damage some real recordings too: the folder of archives")
    parser.add_argument("--keep", type=Path, help="where to keep what went wrong")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    files = samples() | ({} if arguments.datasets is None else real(arguments.datasets))
    outcomes = run(files, arguments.count, arguments.seed, arguments.seconds, arguments.memory, arguments.keep)
    print(f"{'file':<36}{'format':<11}{'refused':>8}{'read':>7}{'wrong':>7}{'slowest, s':>12}{'memory':>9}")
    for each in outcomes:
        numbers = f"{each.refused:>8}{each.read:>7}{len(each.wrong):>7}{each.slowest:>12.2f}{each.peak:>8.1f}x"
        print(f"{each.file[-35:]:<36}{each.format:<11}{numbers}")
    wrong = Counter({each.file: len(each.wrong) for each in outcomes if each.wrong})
    for each in outcomes:
        for line in each.wrong[:5]:
            print(f"{each.file}: {line}", file=sys.stderr)
    print(
        f"{sum(each.refused + each.read + len(each.wrong) for each in outcomes)} damaged files, {wrong.total()} wrong"
    )
    if arguments.json:
        table = {
            "motionprint": motionprint.__version__, "python": platform.python_version(), "seed": arguments.seed,
            "rows": [vars(each) for each in outcomes],
        }  # fmt: skip
        arguments.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    missing = sorted(set(READERS) - {each.format for each in outcomes})
    if missing:
        print(f"no sample of {', '.join(missing)} in {SAMPLES}", file=sys.stderr)
    return 1 if wrong or missing else 0


if __name__ == "__main__":
    sys.exit(main())
