"""What benchmarks/archive.py counts is right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def archive(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_module("archive")


def test_labels_that_were_given_do_not_count(archive: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text(
        "file,label,rig\na/1.bvh,walk,a\na/2.bvh,walk,a\nb/1.bvh,walk,b\nb/2.bvh,run,b\nb/3.bvh,run,b\n"
    )
    (tmp_path / "labels.csv").write_text(
        "name,source,label,confidence,given\na/1,a/1.bvh,walk,1,true\na/2,a/2.bvh,walk,0.95,false\n"
        "b/1,b/1.bvh,run,0.6,false\nb/2,b/2.bvh,run,1,true\nb/3,b/3.bvh,run,0.85,false\n"
    )
    rows = {row["of"]: row for row in archive.judge_labels(tmp_path / "labels.csv", tmp_path / "truth.csv")}
    assert rows["all"] == {"of": "all", "given": 2, "predicted": 3, "right": 2, "accuracy": 2 / 3}
    assert [rows[f"confidence of {least} and more"]["predicted"] for least in (0.5, 0.8, 0.9)] == [3, 2, 1]
    assert rows["classes of several rigs"]["predicted"] == 2  # walk
    assert (rows["rig a"]["accuracy"], rows["rig b"]["accuracy"]) == (1, 0.5)
    assert (rows["label walk"]["accuracy"], rows["label run"]["accuracy"]) == (0.5, 1)


@pytest.mark.parametrize("apart", [True, False])
def test_rigs_that_lie_apart_are_told_from_rigs_that_do_not(archive: ModuleType, apart: bool) -> None:
    """Two labels, two rigs, ten of each: prints of the label alone, or of the rig before all."""
    label = np.repeat(["run", "walk"], 20)
    rig = np.tile(np.repeat(["a", "b"], 10), 2)
    noise = np.random.default_rng(0).normal(size=(40, 2)) * 0.01
    prints = np.stack([label == "run", (rig == "a") & apart], axis=1) + noise
    row = archive.judge_prints(prints, label, rig)
    assert row["nearest_same_label"] == row["nearest_elsewhere_same_label"] == row["five_labels"] == 1
    assert (row["nearest_same_rig"] == 1) == apart


@pytest.mark.parametrize(
    ("description", "label"),
    [
        ("slow walk", "walk"),
        ("walk, turn", None),
        ("run/jog", "run"),
        ("run, leap", None),
        ("basketball - forward dribble", "dribble"),
        ("playground - climb", "climb"),
        ("static dance pose", None),
    ],
)
def test_trials_get_the_label_of_their_description(archive: ModuleType, description: str, label: str | None) -> None:
    assert archive.cmu_label(description) == label
