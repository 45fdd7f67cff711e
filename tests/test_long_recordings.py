"""A recording far longer than any clip: prepared, and embedded in windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motionprint.evaluation import embed, read_prints
from motionprint.prepare import prepare
from motionprint.store import open_dataset
from motionprint.training import configure, load_run, save_run, train_on

FRAMES, RATE = 24_000, 120.0  # 200 s
TINY = {"encoder_units": 8, "decoder_units": 4, "discriminator_units": 2, "steps": 2, "batch_size": 4}
HEAD = """HIERARCHY
ROOT Hips
{
OFFSET 0 0 0
CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
%s}
MOTION
"""
LIMBS = {"LeftUpLeg": 10, "RightUpLeg": -10, "LeftArm": 15, "RightArm": -15, "Head": 0}
LIMB = "JOINT {}\n{{\nOFFSET {} {} 0\nCHANNELS 3 Zrotation Xrotation Yrotation\nEnd Site\n{{\nOFFSET 0 {} 0\n}}\n}}\n"


def recording() -> str:
    """Somebody who walks to and fro, limbs swinging, for minutes."""
    limbs = "".join(
        LIMB.format(name, aside, 0 if "Leg" in name else 50, 30 if name == "Head" else -60)
        for name, aside in LIMBS.items()
    )
    seconds = np.arange(FRAMES)[:, None] / RATE
    values = np.zeros((FRAMES, 6 + 3 * len(LIMBS)))
    values[:, 0:3] = np.hstack([100 * np.sin(seconds / 5), np.full_like(seconds, 90), 100 * np.cos(seconds / 5)])
    values[:, 7::3] = 30 * np.sin(4 * seconds + np.arange(values[:, 7::3].shape[1]))
    rows = "\n".join(" ".join(f"{value:.3f}" for value in row) for row in values)
    return f"{HEAD % limbs}Frames: {FRAMES}\nFrame Time: {1 / RATE:.7f}\n{rows}\n"


@pytest.mark.slow
def test_minutes_at_120_frames_a_second_give_a_print_for_every_window(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "long.bvh").write_text(recording())
    summary = prepare("folder", tmp_path / "files", tmp_path / "data", jobs=2)
    assert (summary.sequences, summary.frames, summary.seconds) == (1, FRAMES, pytest.approx(FRAMES / RATE, rel=1e-4))
    dataset = open_dataset(tmp_path / "data")
    config, recipe = configure(dataset.skeleton, changes=TINY)
    save_run(train_on(dataset, config, recipe, device="cpu"), tmp_path / "run")
    run = load_run(tmp_path / "run")
    done = embed(run, [tmp_path / "data"], tmp_path / "prints.parquet", window=4.0, stride=2.0)
    table, prints, _ = read_prints(tmp_path / "prints.parquet")
    assert done.prints == len(table) == 99
    np.testing.assert_allclose(table["start"], 2.0 * np.arange(99), atol=0.01)
    np.testing.assert_allclose(table["end"] - table["start"], 4.0, atol=0.01)
    assert np.isfinite(prints).all() and len(np.unique(prints, axis=0)) == 99
