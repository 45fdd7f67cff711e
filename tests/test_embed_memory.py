"""Memory that embedding takes does not depend on the number of sequences."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import write_dataset
from motionprint.training import configure, save_run, train_on

KINECT = SKELETONS["kinect20"]
TINY = {"encoder_units": 4, "decoder_units": 4, "discriminator_units": 2, "steps": 1, "batch_size": 4}
ONCE = 600
"""Sequences, which are several ranges and row groups of the sizes below."""

SCRIPT = """
import importlib, sys
module = importlib.import_module("motionprint.evaluation.embed")
module.RECORDINGS, module.ROW_GROUP = 64, 128
from motionprint.training import load_run
run, data, out = sys.argv[1:]
done = module.embed(load_run(run), [data], out)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(done.prints, peak.split()[1])
"""


def _sequences(count: int) -> Iterator[SkeletonSequence]:
    random = np.random.default_rng(0)
    motion = np.cumsum(random.normal(0, 0.02, (400, len(KINECT), 3)), axis=0).astype(np.float32)
    motion += random.normal(0, 0.4, (len(KINECT), 3)).astype(np.float32)
    for number in range(count):
        start, frames = random.integers(0, 200), random.integers(40, 120)
        positions = motion[start : start + frames] + np.float32(number / 2**20)  # none is equal to another
        name = f"sequence_{number:07}"
        yield SkeletonSequence(positions, 30.0, KINECT, name=name, source=f"takes/{name}.json")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is read from /proc")
def test_twenty_times_the_sequences_take_no_more_memory(tmp_path: Path) -> None:
    """The frames of the larger data set are 230 MB, and would show if they were held, or stayed mapped."""
    first = list(_sequences(20))
    config, recipe = configure(KINECT, changes=TINY)
    save_run(train_on(first, config, recipe, device="cpu"), tmp_path / "run")
    peaks = []
    for times in (1, 20):
        data = write_dataset(tmp_path / f"data{times}", _sequences(times * ONCE)).folder
        call = [sys.executable, "-c", SCRIPT, str(tmp_path / "run"), str(data), str(tmp_path / f"{times}.parquet")]
        done = subprocess.run(call, capture_output=True, text=True, check=True)
        prints, peak = map(int, done.stdout.split())
        assert prints == times * ONCE
        peaks.append(peak)
    assert (tmp_path / "data20" / "positions.npy").stat().st_size > 0.5 * 1024 * peaks[0]
    assert peaks[1] < 1.1 * peaks[0], f"{peaks[0]} kB once, {peaks[1]} kB for 20 times as many"
