"""Experiments: cells that are done once, taken up after a kill, the same whoever works on them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from motionprint.corpora.synthetic import generate
from motionprint.errors import DatasetError, SettingsError
from motionprint.evaluation import read_rows
from motionprint.experiments import Cell, cell_key, experiment, grids, plan
from motionprint.experiments import cells as cells_module
from motionprint.store import write_dataset
from motionprint.training import settings as training_settings
from motionprint.training.settings import TrainingSettings

TARGETS = ["synthetic"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small synthetic data set, and something that is none."""
    folder = tmp_path_factory.mktemp("data")
    kinds = sorted({str(s.label) for s in generate(seed=0)})[:3]
    chosen = [s for s in generate(seed=0) if s.label in kinds]
    sequences = [replace(s, positions=s.positions[:40]) for s in chosen]
    train = [str(s.name) for s in sequences if s.subject in ("s01", "s02", "s03")]
    test = [str(s.name) for s in sequences if s.subject in ("s04", "s05")]
    kept = [s for s in sequences if s.name in {*train, *test}]
    write_dataset(
        folder / "toy",
        kept,
        protocols={"cross-subject": [{"train": train, "test": test}]},
        prepare={"corpus": "synthetic"},
    )
    (folder / "notes").mkdir()
    return folder


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells of a few steps."""
    tiny = TrainingSettings(steps=4, batch_size=8, crops=2, checkpoint_every=2, log_every=2, precision="float32")
    monkeypatch.setitem(training_settings.TRAINING_PRESETS, "small", tiny)
    monkeypatch.setitem(training_settings.SUPERVISED_PRESETS, "small", tiny)
    monkeypatch.setattr(grids, "FEW", (2, None))


def _rows(results: Path) -> dict[str, list[dict[str, object]]]:
    """What is in all cells, without what tells who made it."""
    found = {}
    for folder in sorted((results / "cells").iterdir()):
        if (folder / "cell.json").is_file():
            rows = read_rows(folder / "rows.jsonl")
            found[folder.name] = [{k: v for k, v in row.items() if k not in ("seconds", "command")} for row in rows]
    return found


def test_a_plan_says_what_is_missing_and_where_it_is_to_be_had(data: Path) -> None:
    cells, missing = plan("table1", data, samplings=2)
    assert {cell.data for cell in cells} == {"toy"}
    assert len(cells) == len(set(cells))
    assert [line["what"] for line in missing if line["what"].startswith("nw_ucla")] == ["nw_ucla", "nw_ucla-dedup"]
    assert all(line["where"] and line["why"] for line in missing)
    assert any("CMU" in line["what"] for line in missing)
    with pytest.raises(SettingsError, match="unknown experiment 'table9': expected one of table1"):
        plan("table9", data)
    with pytest.raises(SettingsError, match="unknown target 'x': expected some of mhad"):
        plan("table1", data, targets=["x"])
    with pytest.raises(SettingsError, match="unknown method 'x': expected some of inpainting"):
        plan("table1", data, methods=["x"])
    with pytest.raises(SettingsError, match="unknown preset 'papr': expected some of small, paper"):
        plan("table1", data, preset="papr")
    with pytest.raises(DatasetError, match="can be run on as chosen by targets and methods, found synthetic"):
        plan("table1", data, targets=["msr"])
    with pytest.raises(DatasetError, match="expected a folder of data sets, found none"):
        plan("table1", data / "nowhere")


def test_every_experiment_plans_the_paper_s_cells(data: Path) -> None:
    table2, _ = plan("table2", data, samplings=3, targets=TARGETS)
    fine_tuned = [cell for cell in table2 if cell.init is not None]
    assert {cell.init.method for cell in fine_tuned if cell.init} == set(grids.STARTS)
    assert len([cell for cell in fine_tuned if cell.init and cell.init.method == "inpainting"]) == 3
    assert {cell.init for cell in fine_tuned} <= {cell.unprobed() for cell in table2}
    table3, _ = plan("table3", data, targets=TARGETS)
    assert {cell.changes for cell in table3} == {
        (),
        (("adversary", "none"),),
        (("condition", "none"),),
        (("adversary", "none"), ("condition", "none")),
    }
    figure3, _ = plan("figure3", data, samplings=3, targets=TARGETS)
    assert len([cell for cell in figure3 if cell.kind == "train"]) == 2 * 2 * 3
    scratch = {(cell.labels, cell.sampling, cell.seed) for cell in figure3 if cell.kind == "train" and not cell.init}
    tuned = {(cell.labels, cell.sampling, cell.seed) for cell in figure3 if cell.init}
    assert scratch == tuned  # S and S+P see the same labels
    only, _ = plan("figure3", data, samplings=3, targets=TARGETS, methods=["softmax"])
    assert {(cell.kind, cell.init) for cell in only} == {("baselines", None), ("train", None)}
    ablations, _ = plan("ablations", data, targets=TARGETS)
    assert len(ablations) == len(grids.CLAIMS)


def test_a_key_is_of_data_settings_and_code(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell("pretrain", "toy", "cross-subject")
    key = cell_key(cell, data)
    assert cell_key(replace(cell), data) == key
    shutil.copytree(data / "toy", tmp_path / "renamed")
    assert cell_key(replace(cell, data="renamed"), tmp_path) == key  # where the data lie plays no part
    asked = replace(cell, labels=(1, None), samplings=5)  # what probes are asked names no training
    assert cell_key(asked, data) == key
    others = [replace(cell, seed=1), replace(cell, changes=(("lambda_z", 0.0),)), replace(cell, kind="baselines")]
    tuned = Cell("train", "toy", "cross-subject", method="softmax")
    assert cell_key(replace(tuned, init=asked), data) == cell_key(replace(tuned, init=cell), data)
    others += [
        tuned,
        replace(tuned, labels=(1,)),
        replace(tuned, init=cell),
        replace(tuned, init=replace(cell, seed=1)),
    ]
    assert len({key, *(cell_key(other, data) for other in others)}) == 1 + len(others)
    protocols = json.loads((tmp_path / "renamed" / "protocols.json").read_text())
    protocols["cross-subject"][0]["train"].pop()
    (tmp_path / "renamed" / "protocols.json").write_text(json.dumps(protocols))
    cells_module.data_version.cache_clear()
    assert cell_key(replace(cell, data="renamed"), tmp_path) != key
    monkeypatch.setattr(cells_module, "code_version", lambda: "other")
    assert cell_key(cell, data) != key


def test_cells_are_done_once_and_shared_by_experiments(data: Path, tmp_path: Path) -> None:
    options = {"targets": TARGETS, "methods": ["inpainting", "softmax"], "samplings": 2}
    first = experiment("table2", data, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not first.failed and first.found == 0
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("rows.jsonl")}
    again = experiment("table2", data, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert again.found == again.cells == first.cells
    other = experiment("figure3", data, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert other.found == 5  # the pre-training, and S and S+P with all labels
    assert {file: file.stat().st_mtime_ns for file in before} == before
    shared = [json.loads(file.read_text()) for file in (tmp_path / "out").rglob("cell.json")]
    assert sorted(len(facts["experiments"]) for facts in shared).count(2) == 5
    rows = [row for rows in _rows(tmp_path / "out").values() for row in rows]
    assert {row["task"] for row in rows} >= {"linear", "supervised", "finetune", "knn1"}
    assert {row["method"] for row in rows} >= {"inpainting", "softmax", "raw", "random", "dtw"}
    trained = [folder for folder in (tmp_path / "out" / "cells").iterdir() if (folder / "predictions.csv").is_file()]
    assert len(trained) == 8
    lines = (trained[0] / "predictions.csv").read_text().splitlines()
    assert lines[0] == "name,label,predicted" and len(lines) == 1 + read_rows(trained[0] / "rows.jsonl")[0]["n_test"]
    missing = json.loads((tmp_path / "out" / "missing.json").read_text())
    assert {line["experiment"] for line in missing} <= {"table2", "figure3"}


def test_who_asks_for_more_draws_has_probes_measured_and_nothing_trained_again(data: Path, tmp_path: Path) -> None:
    options = {"targets": TARGETS, "methods": ["inpainting"]}
    experiment("figure3", data, tmp_path / "whole", samplings=3, **options)  # type: ignore[arg-type]
    first = experiment("table3", data, tmp_path / "out", samplings=1, **options)  # type: ignore[arg-type]
    assert (first.cells, first.failed) == (4, [])
    experiment("figure3", data, tmp_path / "out", samplings=1, **options)  # type: ignore[arg-type]
    runs = [*(tmp_path / "out").rglob("run/model.safetensors")]
    before = {file: file.stat().st_mtime_ns for file in runs}
    more = experiment("figure3", data, tmp_path / "out", samplings=3, **options)  # type: ignore[arg-type]
    assert not more.failed and more.found == 2  # with 2 labels and with all: the first of three
    assert {file: file.stat().st_mtime_ns for file in runs} == before
    fewer = experiment("figure3", data, tmp_path / "out", samplings=2, **options)  # type: ignore[arg-type]
    assert fewer.found == fewer.cells
    found, wanted = _rows(tmp_path / "out"), _rows(tmp_path / "whole")
    assert wanted.items() <= found.items() and len(found) == len(wanted) + 3
    for name in wanted:
        facts = [json.loads((tmp_path / out / "cells" / name / "cell.json").read_text()) for out in ("out", "whole")]
        assert facts[0]["labels"] == facts[1]["labels"] and facts[0]["samplings"] == facts[1]["samplings"]


def test_a_cell_that_another_experiment_is_adding_to_is_named_and_the_others_go_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from motionprint.experiments import run
    from motionprint.store.atomic import held

    experiment("table3", data, tmp_path / "out", targets=TARGETS)
    monkeypatch.setattr(grids, "CLAIMS", ({}, {"lambda_z": 0.0}))
    monkeypatch.setattr(run, "ATTEMPTS", 2)
    folder = tmp_path / "out" / "cells" / cell_key(Cell("pretrain", "toy", "cross-subject"), data)
    with held(folder):
        outcome = experiment("ablations", data, tmp_path / "out", targets=TARGETS)
    assert (outcome.cells, outcome.found, len(outcome.failed)) == (2, 1, 1)
    assert "another process" in outcome.failed[0] and outcome.failed[0].startswith("toy cross-subject 0, inpainting (")
    again = experiment("ablations", data, tmp_path / "out", targets=TARGETS)
    assert (again.found, again.failed) == (2, [])
    assert json.loads((folder / "cell.json").read_text())["experiments"] == ["ablations", "table3"]


def test_results_without_their_runs_are_completed_where_a_start_is_needed(data: Path, tmp_path: Path) -> None:
    options = {"targets": TARGETS, "methods": ["inpainting"], "samplings": 1}
    experiment("table3", data, tmp_path / "out", targets=TARGETS)
    for folder in (tmp_path / "out" / "cells").iterdir():
        shutil.rmtree(folder / "run")
    assert experiment("table3", data, tmp_path / "out", targets=TARGETS).found == 4  # nobody starts from them
    outcome = experiment("table2", data, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert (outcome.cells, outcome.found, outcome.failed) == (2, 0, [])


def test_a_cell_that_fails_leaves_the_others_alone(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = cells_module.work

    def failing(cell: Cell, *rest: object) -> None:
        if cell.kind == "pretrain":
            raise DatasetError("walk.bvh: gone")
        found(cell, *rest)  # type: ignore[arg-type]

    from motionprint.experiments import run

    monkeypatch.setattr(run, "work", failing)
    options = {"targets": TARGETS, "methods": ["inpainting"]}
    outcome = experiment("table1", data, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert len(outcome.failed) == 2 and "walk.bvh: gone" in outcome.failed[0]
    monkeypatch.setattr(run, "work", found)
    again = experiment("table1", data, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not again.failed and again.found == 1


def test_fine_tuning_never_starts_from_a_pretraining_that_is_not_finished(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from motionprint.training import writing

    def diverging(trainer: object, *rest: object, found: object = writing.write_while) -> int:
        if trainer.step == 0 and len(trainer.method.networks) == 3:  # type: ignore[attr-defined]
            trainer.settings = replace(trainer.settings, steps=2)  # type: ignore[attr-defined]
            found(trainer, *rest)  # type: ignore[operator]
            raise DatasetError("the power went")
        return int(found(trainer, *rest))  # type: ignore[operator]

    options = {"targets": TARGETS, "methods": ["inpainting"], "samplings": 1}
    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_while", diverging)
        outcome = experiment("table2", data, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert len(outcome.failed) == 2
    assert "the power went" in outcome.failed[0] and "expected a finished pre-training" in outcome.failed[1]
    again = experiment("table2", data, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert (again.found, again.failed) == (0, [])


def test_whatever_fails_in_a_cell_is_said_and_the_others_go_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from motionprint.experiments import run

    def failing(*arguments: object) -> None:
        raise RuntimeError("CUDA\nout of memory")

    monkeypatch.setattr(run, "work", failing)
    outcome = experiment("table3", data, tmp_path / "out", targets=TARGETS)
    assert len(outcome.failed) == 4 and outcome.failed[0].endswith("RuntimeError: CUDA out of memory")


SCRIPT = """
import sys
from dataclasses import replace
from motionprint.experiments import experiment, grids
from motionprint.training import settings
from motionprint.training.settings import TrainingSettings

tiny = TrainingSettings(steps=60, batch_size=8, crops=2, checkpoint_every=2, log_every=2, precision="float32")
settings.TRAINING_PRESETS["small"] = settings.SUPERVISED_PRESETS["small"] = tiny
grids.FEW = (2, None)
experiment("figure3", sys.argv[1], sys.argv[2], targets=["synthetic"], samplings=1)
print("done")
"""


def test_an_experiment_that_is_killed_goes_on_to_the_same_rows(data: Path, tmp_path: Path) -> None:
    def started(out: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SCRIPT, str(data), str(tmp_path / out)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    whole = started("whole")
    assert whole.communicate(timeout=240)[0] == "done\n"
    for count in (1, 2):  # when so many cells are done, in the middle of the next one
        process = started("killed")
        deadline = time.monotonic() + 120
        while len(list((tmp_path / "killed").rglob("cell.json"))) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    last = started("killed")
    assert last.communicate(timeout=240)[0] == "done\n"
    assert _rows(tmp_path / "killed") == _rows(tmp_path / "whole")


@pytest.mark.skipif(os.name == "nt", reason="a cluster of processes on one machine")
def test_a_cluster_gives_the_same_rows(data: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    options = {"targets": TARGETS, "methods": ["softmax"], "samplings": 1}
    experiment("table2", data, tmp_path / "here", **options)  # type: ignore[arg-type]
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        outcome = experiment("table2", data, tmp_path / "there", scheduler=address, **options)  # type: ignore[arg-type]
    assert not outcome.failed
    assert _rows(tmp_path / "there") == _rows(tmp_path / "here")
