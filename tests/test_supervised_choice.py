"""benchmarks/supervised_choice.py chooses by training people alone, and tests what it chose once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from motionprint.errors import DatasetError
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import write_dataset


@pytest.fixture(scope="module")
def choice(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_module("supervised_choice")


def written(folder: Path, test_is_recorded: bool = True) -> list[str]:
    """Four people, two classes told by a hand's height, three recordings each; p3 tests, maybe without any position."""
    random = np.random.default_rng(0)
    rest, made = random.normal(0, 0.3, (20, 3)), []
    for number in range(24):
        pose = rest + 0.8 * (number % 2) * (np.arange(20) == 7)[:, None]
        positions = (pose + random.normal(0, 0.01, (12, 20, 3))).astype(np.float32)
        if number >= 18 and not test_is_recorded:
            positions[:] = np.nan
        label, subject = "ab"[number % 2], f"p{number // 6}"
        made.append(
            SkeletonSequence(positions, 15.0, SKELETONS["kinect20"], f"c{number:02}", label=label, subject=subject)
        )
    names = [each.name for each in made]
    write_dataset(folder, made, protocols={"cross-subject": [{"train": names[:18], "test": names[18:]}]})
    return names


def run(
    choice: ModuleType, monkeypatch: pytest.MonkeyPatch, data: Path, out: Path, *more: str
) -> list[dict[str, object]]:
    """The rows of the file after a call, with settings of a few steps in place of those of hundreds."""
    tried = [
        {"steps": 3, "learning_rate": 1e-3, "validation": 0.4},
        {"steps": 110, "learning_rate": 1e-2, "validation": 0.0},
    ]
    monkeypatch.setattr(choice, "TRIED", {"mlp": tried})
    monkeypatch.setattr(choice, "OWN", {"mlp": tried[0]})
    given = ["supervised_choice.py", str(data), "--seeds", "0", "--json", str(out), "--judged", "p2", *more]
    monkeypatch.setattr(sys, "argv", given)
    choice.main()
    rows: list[dict[str, object]] = choice.read(out)
    return rows


def test_the_choice_reads_no_test_recording(
    choice: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the test recordings hold no position: whoever reads one fails, as the test does."""
    written(tmp_path / "data", test_is_recorded=False)
    rows = run(choice, monkeypatch, tmp_path / "data", tmp_path / "rows.jsonl")
    assert [(row["stage"], row["protocol"], row["n_train"], row["n_judged"]) for row in rows] == [
        ("choice", "subjects:p0,p1", 12, 6)
    ] * 2
    assert [row["held_out"] for row in rows] == [4, 0]
    with pytest.raises(DatasetError, match="c18: expected a joint recorded in at least one frame"):
        run(choice, monkeypatch, tmp_path / "data", tmp_path / "rows.jsonl", "--test")


def test_what_was_chosen_is_tested_beside_the_methods_own_setting_and_nothing_twice(
    choice: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path / "data")
    out = tmp_path / "rows.jsonl"
    rows = run(choice, monkeypatch, tmp_path / "data", out)
    longer = rows[1]
    assert longer["accuracy"] == 1 and longer["by_person"] == {"all": 1, "p2": 1}
    assert [step for step, _ in longer["course"]] == [100, 110]  # type: ignore[attr-defined]
    assert longer["course"][-1][1] == longer["by_person"]  # type: ignore[index]
    rows[0]["accuracy"] = 0.0
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    tested = run(choice, monkeypatch, tmp_path / "data", out, "--test")[2:]
    assert [(row["stage"], row["changes"], row["n_train"], row["n_judged"]) for row in tested] == [
        ("test", choice.TRIED["mlp"][number], 18, 6) for number in (0, 1)
    ]
    assert tested[1]["accuracy"] == 1
    before = out.read_bytes()
    capsys.readouterr()
    run(choice, monkeypatch, tmp_path / "data", out)
    run(choice, monkeypatch, tmp_path / "data", out, "--test")
    assert out.read_bytes() == before and capsys.readouterr().out == ""


def test_the_largest_mean_is_chosen_and_of_equals_the_first(choice: ModuleType) -> None:
    first, second, third = choice.TRIED["hbrnn"][:3]
    rows = [
        {"stage": stage, "method": method, "changes": changes, "seed": seed, "accuracy": accuracy}
        for stage, method, changes, seed, accuracy in (
            ("choice", "hbrnn", third, 0, 0.9),
            ("choice", "hbrnn", second, 0, 0.7),
            ("choice", "hbrnn", second, 1, 1.1),
            ("choice", "hbrnn", first, 0, 0.8),
            ("choice", "deep_lstm", first, 0, 1.0),
            ("test", "hbrnn", first, 0, 1.0),
        )
    ]
    assert choice.chosen(rows, "hbrnn") == second
    with pytest.raises(SystemExit, match="co_lstm: expected rows of the choice, found none; run without --test first"):
        choice.chosen(rows, "co_lstm")


def test_a_person_ends_training_for_the_other(choice: ModuleType) -> None:
    course = [
        (100, {"all": 0.6, "a": 0.9, "b": 0.3}),  # the best by a: b gets 0.3
        (200, {"all": 0.7, "a": 0.8, "b": 0.6}),  # the best by b, before its equal: a gets 0.8
        (300, {"all": 0.65, "a": 0.7, "b": 0.6}),
    ]
    assert choice.ended_by_people(course) == pytest.approx((0.3 + 0.8) / 2)


def test_people_who_do_not_train_are_refused(
    choice: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path / "data")
    for judged in ("p3", "p0,p1,p2"):
        with pytest.raises(SystemExit):
            run(choice, monkeypatch, tmp_path / "data", tmp_path / "rows.jsonl", "--judged", judged)
        assert f"--judged: expected some of p0, p1, p2, found {judged}" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(choice, monkeypatch, tmp_path / "data", tmp_path / "rows.jsonl", "--methods", "hmm")
    assert "--methods: expected some of mlp; found hmm" in capsys.readouterr().err
    (row,) = choice.read(choice.FIGURES)[:1]
    out = tmp_path / "others.jsonl"
    for changed in ({}, {"dataset": "toy", "protocol": "subjects:p0,p2"}):  # another data set, and other people
        out.write_text(json.dumps({**row, **changed}) + "\n", encoding="utf-8")
        before = out.read_bytes()
        with pytest.raises(SystemExit):
            run(choice, monkeypatch, tmp_path / "data", out)
        assert (
            f"--json: expected a file of this choice alone, found rows of another in {out}" in capsys.readouterr().err
        )
        assert out.read_bytes() == before


def test_rows_carry_their_provenance(choice: ModuleType) -> None:
    rows = choice.read(choice.FIGURES)
    assert {row["method"] for row in rows} <= set(choice.TRIED)
    for row in rows:
        assert row["changes"] in choice.TRIED[row["method"]]
        assert row["versions"]["torch"] and row["commit"] and not row["commit"].endswith("-dirty")
        assert row["command"].startswith("python benchmarks/supervised_choice.py data/mhad_dmocap ")
        assert "/" not in row["command"].replace("benchmarks/", "").replace("data/", "")
        assert ("--test" in row["command"]) == (row["stage"] == "test")
        people = "cross-subject" if row["stage"] == "test" else "subjects:s01,s02,s03,s04,s05"
        assert (row["dataset"], row["protocol"]) == ("mhad_dmocap", people)
