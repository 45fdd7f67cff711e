"""benchmarks/repair.py judges all fillers by the same gaps, fits on training recordings, and its page says the same."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from motionprint.repair.fillers import line
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.store import write_dataset

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def repair(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_module("repair")


def swinging(frames: int, seed: int) -> SkeletonSequence:
    """A body whose joints go round on small circles, each in its own time."""
    random = np.random.default_rng(seed)
    rest = np.random.default_rng(0).normal(0, 0.4, (20, 3))
    angles = np.arange(frames)[:, None] / 15.0 * 3 + random.uniform(0, 6, 20)
    circles = 0.2 * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=2)
    subject, name = f"s{seed % 4}", f"c{seed}"
    return SkeletonSequence((rest + circles).astype(np.float32), 15.0, SKELETONS["kinect20"], name, subject=subject)


def test_the_truth_has_no_error_and_a_shift_has_its_own(repair: ModuleType) -> None:
    recordings = [swinging(60, seed) for seed in range(6)]
    seen = []

    def knows(positions: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
        recording = recordings[len(seen)]
        gone = np.isnan(positions).any(axis=2)
        seen.append(gone)
        return np.where(gone[..., None], recording.positions + np.array([0.03, 0, 0.04]), positions)

    found = repair.judged(knows, recordings, "part", 0.5, seed=0)
    assert found["mean_cm"] == pytest.approx(5) and found["rmse_cm"] == pytest.approx(5)
    assert found["recordings"] == 6 and found["points"] == sum(gone.sum() for gone in seen)
    again, seen = seen, []
    repair.judged(knows, recordings, "part", 0.5, seed=0)
    assert all((one == other).all() for one, other in zip(again, seen, strict=True))
    seen = []
    repair.judged(knows, recordings, "part", 0.5, seed=1)
    assert not all((one == other).all() for one, other in zip(again, seen, strict=True))


def test_recordings_too_short_for_a_gap_are_left_out(repair: ModuleType) -> None:
    recordings = [swinging(18, 0), swinging(19, 1)]  # 1 s is 15 frames, two on both sides
    assert repair.judged(line, recordings, "body", 1.0, seed=0)["recordings"] == 1
    assert repair.judged(line, recordings, "body", 2.0, seed=0) is None


def test_rows_and_tables_of_a_data_set(
    repair: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_dataset(tmp_path / "data", [swinging(30, seed) for seed in range(8)])
    monkeypatch.chdir(tmp_path)
    common = ["repair.py", "data", "--protocol", "subjects:s0,s1", "--judged", "s3"]
    monkeypatch.setattr(sys, "argv", [*common, "--json", "rows.jsonl"])
    repair.main()
    rows = [json.loads(text) for text in (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 5 * 4 * 4  # no recording has 2 s and two frames on both sides
    assert {(row["n_train"], row["n_test"], row["recordings"]) for row in rows} == {(4, 2, 2)}
    assert rows[0]["command"] == f"python benchmarks/{' '.join([*common, '--json', 'rows.jsonl'])}"
    assert len({row["points"] for row in rows if (row["hidden"], row["gap_s"]) == ("parts", 0.5)}) == 1
    printed = capsys.readouterr().out
    for text in repair.tables(rows):
        assert text in printed
    monkeypatch.setattr(sys, "argv", [*common[:4], "--every", "3", "--fillers", "line", "--json", "few.jsonl"])
    repair.main()
    few = [json.loads(text) for text in (tmp_path / "few.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {(row["n_train"], row["n_test"]) for row in few} == {(4, 2)}  # of four, the first and the last
    printed = capsys.readouterr().out
    assert all(text in printed for text in repair.tables(few))
    for bad, message in (
        ([*common[1:4], "--every", "0"], "--every: expected at least 1, found 0"),
        (["data"], "expected --protocol, or the --run of one"),
        ([*common[1:4], "--judged", "s9"], "--judged: expected subjects among s0, s1, s2, s3"),
        ([*common[1:4], "--fillers", "line,magic"], "expected some of line, spline, beside, pca, nearest; found magic"),
    ):
        monkeypatch.setattr(sys, "argv", ["repair.py", *bad])
        with pytest.raises(SystemExit):
            repair.main()
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("file", ["repair-mhad_dmocap", "repair-cmu", "repair-nw_ucla"])
def test_the_page_on_repair_says_what_was_measured(repair: ModuleType, file: str) -> None:
    page = (FOLDER.parent / "docs" / "repair.md").read_text(encoding="utf-8")
    text = (FOLDER / "figures" / f"{file}.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(each) for each in text.splitlines()]
    assert "\n".join(repair.tables(rows)) in page
    for row in rows:
        assert row["commit"] and not row["commit"].endswith("-dirty")
        assert row["command"].startswith("python benchmarks/repair.py data/") and row["command"] in page
