"""The page of results says what the rows say, and every row carries what made it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from motionprint.evaluation.rows import read_rows

REPOSITORY = Path(__file__).resolve().parents[1]
FILES = sorted((REPOSITORY / "results").glob("*.jsonl"))


def test_the_tables_of_the_page_are_those_of_the_rows() -> None:
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "benchmarks" / "results_tables.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_rows_carry_their_provenance(file: Path) -> None:
    rows = read_rows(file)
    assert rows
    for row in rows:
        assert row["command"].startswith("motionprint evaluate runs/")
        assert "/" not in row["command"].replace("runs/", "").replace("data/", "").replace("rows/", "")
        assert row["commit"] and not row["commit"].endswith("-dirty")
        assert row["versions"]["torch"]
        assert row["transductive"] is False


CELLS = sorted((REPOSITORY / "results" / "experiments").glob("*/cells/*/cell.json"))


def test_cells_of_experiments_carry_their_provenance() -> None:
    assert CELLS
    for cell in CELLS:
        rows = read_rows(cell.parent / "rows.jsonl")
        assert rows, cell
        for row in rows:
            assert row["command"].startswith("motionprint experiment "), cell
            assert "/" not in row["command"].replace("results/", ""), cell
            assert row["commit"] and not row["commit"].endswith("-dirty"), cell
            assert row["versions"]["torch"], cell
        facts = json.loads(cell.read_text(encoding="utf-8"))
        assert {row["transductive"] for row in rows} == {facts["transductive"]}, cell
        assert "/" not in facts["data"]
