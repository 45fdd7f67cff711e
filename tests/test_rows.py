"""Rows: every key, in order, whole files, and what made them."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path

import pytest

import motionprint
from motionprint.errors import DatasetError, SettingsError
from motionprint.evaluation.rows import (
    KEYS,
    build_row,
    provenance,
    read_rows,
    source_commit,
    summarise,
    write_rows,
)

CONTRACT = (
    "dataset protocol fold sampling labels_per_class method preset loss condition features task metric value seed "
    "steps n_train n_test duplicates transductive recipe commit versions command seconds device changes fitted_on model"
)


def row(**changes: object) -> dict[str, object]:
    """A row of the linear probe, with changes."""
    values: dict[str, object] = {
        "dataset": "synthetic",
        "protocol": "cross-subject",
        "fold": 0,
        "sampling": 0,
        "labels_per_class": None,
        "method": "inpainting",
        "preset": "small",
        "loss": "joint",
        "condition": "F",
        "features": "states",
        "task": "linear",
        "metric": "accuracy",
        "value": 0.5,
        "seed": 0,
        "steps": 100,
        "n_train": 60,
        "n_test": 40,
        "duplicates": 0,
        "transductive": False,
        "recipe": {"alignment": "heading", "scale": "dataset", "fps": 15.0, "max_length": 35},
        "commit": None,
        "versions": {"python": "3.12"},
        "command": "motionprint evaluate",
        "seconds": 1.5,
        "device": "cpu",
        "changes": {},
        "fitted_on": {"dataset": "mhad", "protocol": "cross-subject", "fold": 0},
        "model": "ab12",
    }
    return values | changes


def test_a_row_has_every_key_of_the_contract_in_its_order():
    assert list(build_row(dict(reversed(row().items())))) == CONTRACT.split() == list(KEYS)


def test_a_row_with_other_keys_is_refused():
    with pytest.raises(SettingsError, match=r"row: missing keys \['seed'\], unknown keys \['colour'\]"):
        build_row({key: value for key, value in row(colour=1).items() if key != "seed"})


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "0.5", True])
def test_a_value_that_is_no_finite_number_is_refused(value):
    with pytest.raises(SettingsError, match=r"row linear accuracy: expected a finite value, found"):
        build_row(row(value=value))


def test_rows_come_back_as_they_were_written(tmp_path: Path):
    rows = [row(), row(command="evaluate Müller\u2028x", value=1, transductive=True)]
    write_rows(rows, tmp_path / "rows.jsonl")
    assert read_rows(tmp_path / "rows.jsonl") == rows
    lines = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").split("\n")
    assert [list(json.loads(line)) for line in lines[:2]] == [list(KEYS)] * 2
    assert lines[2:] == [""]


def test_no_rows_make_an_empty_file(tmp_path: Path):
    write_rows([], tmp_path / "rows.jsonl")
    assert read_rows(tmp_path / "rows.jsonl") == []


def test_existing_rows_stay_unless_they_may_be_replaced(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    write_rows([row()], path)
    with pytest.raises(DatasetError, match=r"rows\.jsonl: exists; --overwrite replaces it"):
        write_rows([row(), row()], path)
    assert len(read_rows(path)) == 1
    write_rows([row(), row()], path, overwrite=True)
    assert len(read_rows(path)) == 2


def test_a_bad_row_leaves_nothing_behind(tmp_path: Path):
    with pytest.raises(SettingsError):
        write_rows([row(), row(value=math.nan)], tmp_path / "rows.jsonl")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", ["{", "[1]", '{"dataset": "synthetic"}'])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row()) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"rows\.jsonl:2: expected a result row"):
        read_rows(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"nothing\.jsonl: expected a file of result rows"):
        read_rows(tmp_path / "nothing.jsonl")


def test_a_summary_is_over_samplings_and_seeds_and_nothing_else():
    rows = [
        row(value=0.5, seed=0, seconds=1.0, commit="a", device="cpu"),
        row(value=0.7, seed=1, seconds=2.0, commit="b", device="cuda"),
        row(value=0.9, seed=0, sampling=1),
        row(value=0.2, features="F"),
        row(value=0.1, labels_per_class=2),
        row(value=0.3, recipe={"alignment": "body"}),
        row(value=0.4, changes={"dropout": 0.0}),
    ]
    table = summarise(rows)
    assert table["n"].tolist() == [3, 1, 1, 1, 1]
    assert table["mean"].tolist() == pytest.approx([0.7, 0.2, 0.1, 0.3, 0.4])
    assert table["sd"][0] == pytest.approx(0.2)
    assert table["sd"][1:].isna().all()
    assert table["features"].tolist() == ["states", "F", "states", "states", "states"]
    assert table["labels_per_class"].tolist() == [None, None, 2, None, None]
    assert not {"seed", "sampling", "seconds", "commit"} & set(table.columns)


def test_a_summary_of_nothing_is_an_empty_table():
    table = summarise([])
    assert len(table) == 0
    assert {"dataset", "mean", "sd", "n"} <= set(table.columns)


def test_provenance_names_versions_and_command():
    made = provenance("motionprint evaluate run data --out rows.jsonl")
    assert list(made) == ["commit", "versions", "command"]
    assert made["command"] == "motionprint evaluate run data --out rows.jsonl"
    assert made["versions"]["motionprint"] == motionprint.__version__
    assert {"python", "torch", "numpy", "scikit-learn"} <= set(made["versions"])
    assert set(KEYS) >= set(made)


def checkout(folder: Path, package: str) -> Path:
    """A git repository with one committed package."""
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text("")
    (folder / "README.md").write_text("")
    for command in ("init", "add .", "-c user.name=a -c user.email=a@b -c commit.gpgsign=false commit -m first"):
        subprocess.run(["git", "-C", str(folder), *command.split()], check=True, capture_output=True)
    return folder / package


def test_a_checkout_tells_its_commit_and_whether_the_source_was_modified(tmp_path: Path):
    package = checkout(tmp_path, "src/motionprint")
    commit = source_commit(package)
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "README.md").write_text("results")
    assert source_commit(package) == commit  # not the source
    (package / "new.py").write_text("")
    assert source_commit(package) == commit + "-dirty"


def test_an_installed_package_inside_another_repository_has_no_commit(tmp_path: Path):
    assert source_commit(checkout(tmp_path, ".venv/lib/site-packages/motionprint")) is None


def test_without_a_repository_or_a_commit_there_is_none(tmp_path: Path):
    package = tmp_path / "src" / "motionprint"
    package.mkdir(parents=True)
    assert source_commit(package) is None
    subprocess.run(["git", "init", str(tmp_path)], check=True, capture_output=True)
    assert source_commit(package) is None
