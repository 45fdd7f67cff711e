"""Training memory as the data grow, measured from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCALING = Path(__file__).resolve().parents[1] / "benchmarks" / "scaling.py"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads /proc")
def test_peak_memory_of_training_is_the_same_for_twenty_times_the_data(tmp_path: Path) -> None:
    """The larger data set's positions are 71 MB, its preprocessed frames 36 MB, the smaller peak is near 560 MB.

    The longest batches, which make the peak, come once in 16 steps.
    """
    out, plot = tmp_path / "scaling.json", tmp_path / "scaling.png"
    arguments = [str(tmp_path), "--sequences", "200", "--times", "1,20", "--steps", "17"]
    subprocess.run([sys.executable, str(SCALING), *arguments, "--json", str(out), "--plot", str(plot)], check=True)
    small, large = json.loads(out.read_text())["rows"]
    assert large["recordings"] == 20 * small["recordings"] == 4000
    assert large["peak_mb"] < 1.1 * small["peak_mb"]
    assert plot.read_bytes().startswith(b"\x89PNG")
