"""Reports: what stands in which column, what is averaged, what footnotes say, and what is refused."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from motionprint.cli import main
from motionprint.errors import DatasetError, SettingsError
from motionprint.evaluation.rows import KEYS
from motionprint.experiments import published
from motionprint.experiments.report import (
    Block,
    Column,
    Gap,
    Line,
    Measured,
    Table,
    assemble,
    figures,
    make_tables,
    read_results,
    to_csv,
    to_latex,
    to_markdown,
    write_report,
)
from motionprint.experiments.report.chosen import group_cells
from motionprint.experiments.report.figures import draw_map, map_kinds
from motionprint.experiments.report.text import MEASURED, PUBLISHED, escape

RECIPE = {"alignment": "heading", "scale": 1.0, "fps": 15.0, "max_length": 35, "root_path": False}


def row(**values: Any) -> dict[str, Any]:
    """A result row: LongT GAN's F by a linear layer on HDM05, but for what is told."""
    plain: dict[str, Any] = {
        "dataset": "hdm05",
        "protocol": "kfold:2",
        "fold": 0,
        "sampling": 0,
        "labels_per_class": None,
        "method": "inpainting",
        "preset": "paper",
        "loss": "joint",
        "condition": "F",
        "features": "F",
        "task": "linear",
        "metric": "accuracy",
        "value": 0.9,
        "seed": 0,
        "steps": 3000,
        "n_train": 60,
        "n_test": 40,
        "duplicates": 0,
        "transductive": False,
        "recipe": RECIPE,
        "commit": "c" * 40,
        "versions": {"python": "3.12.1", "torch": "2.8.0"},
        "command": "motionprint experiment run",
        "seconds": 1.0,
        "device": "cpu",
        "changes": {},
        "fitted_on": {"dataset": "hdm05", "protocol": "kfold:2", "fold": 0},
        "model": "m",
    }
    assert set(plain) == set(KEYS)
    plain.update(
        {"fitted_on": {"dataset": values.get("dataset", "hdm05"), "protocol": values.get("protocol", "kfold:2")}}
    )
    return {**plain, **values}


def supervised(method: str = "softmax", **values: Any) -> dict[str, Any]:
    return row(method=method, task="supervised", features=None, loss=None, condition=None, **values)


def write_rows(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return file


def write_cell(
    results: Path, key: str, rows: list[dict[str, Any]], experiments: tuple[str, ...] = ("table1",), **settings: Any
) -> Path:
    folder = results / "cells" / key
    write_rows(folder / "rows.jsonl", rows)
    cell = {"key": key, "kind": "pretrain", "experiments": list(experiments), **settings}
    (folder / "cell.json").write_text(json.dumps(cell), encoding="utf-8")
    return folder


def the_table(results: Path, name: str) -> Table:
    found = {table.name: table for table in make_tables(read_results(results))}
    return found[name]


def cells_of(table: Table, line: str) -> Mapping[tuple[str, str], Any]:
    (found,) = [each for each in table.lines if each.name == line]
    return {(column.block, column.head): cell for column, cell in zip(table.columns, found.cells, strict=True)}


# ---- what is averaged --------------------------------------------------------------------------------------------


def test_mean_deviation_and_gap_are_known(tmp_path: Path) -> None:
    values = {(0, 0): 0.90, (0, 1): 0.92, (1, 0): 0.94, (1, 1): 0.96}
    rows = [row(seed=seed, fold=fold, value=value) for (seed, fold), value in values.items()]
    write_rows(tmp_path / "rows.jsonl", rows)
    cells = cells_of(the_table(tmp_path, "table-1"), "LongT GAN, F")
    ours = cells["HDM05, kfold:2", "measured"]
    assert ours == Measured(pytest.approx(93.0), pytest.approx(1.4142136), 2, 2, 2, 1)  # of folds: 92 and 94
    assert cells["HDM05, kfold:2", "published"].value == 93.47
    assert cells["HDM05, kfold:2", "gap"] == Gap(pytest.approx(-0.47))
    text = to_markdown(the_table(tmp_path, "table-1"))
    assert "| LongT GAN, F | 93.0 ± 1.4 (2) | 93.47 | -0.5 |" in text
    assert "2: 2 folds of 2 seeds, 1 sampling." in text


def test_without_folds_the_deviation_is_over_seeds(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [row(seed=seed, value=0.9 + 0.02 * seed) for seed in range(3)])
    ours = cells_of(the_table(tmp_path, "table-1"), "LongT GAN, F")["HDM05, kfold:2", "measured"]
    assert (ours.mean, ours.sd, ours.n) == (pytest.approx(92.0), pytest.approx(2.0), 3)


def test_rows_of_two_settings_are_never_averaged(tmp_path: Path) -> None:
    rows = [row(value=0.9), row(value=0.5, preset="small", seed=1), row(value=0.7, changes={"lambda_adv": 0.0}, seed=2)]
    write_rows(tmp_path / "rows.jsonl", rows)
    table = the_table(tmp_path, "table-1")
    names = [line.name for line in table.lines if any(isinstance(cell, Measured) for cell in line.cells)]
    assert names == [
        "LongT GAN, F (preset paper)",
        "LongT GAN, F (preset paper, lambda_adv = 0.0)",
        "LongT GAN, F (preset small)",
    ]
    assert {cell.n for line in table.lines for cell in line.cells if isinstance(cell, Measured)} == {1}


def test_data_sets_may_differ_in_alignment_without_splitting_a_line(tmp_path: Path) -> None:
    rows = [row(), row(dataset="nw_ucla", protocol="cross-view", recipe={**RECIPE, "alignment": "body"}, duplicates=94)]
    write_rows(tmp_path / "rows.jsonl", rows)
    table = the_table(tmp_path, "table-1")
    assert table.lines[0].name == "LongT GAN, F"
    text = to_markdown(table)
    assert "Recordings aligned: heading" in text and "Recordings aligned: body" in text
    assert "94 test recordings equal a training recording" in text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("scaling", "sequence", "a scale for each sequence"),
        ("quantile", 0.5, "scaled by the quantile 0.5"),
        ("fill_gaps", 0.2, "gaps up to 0.2 s filled"),
        ("window", 50, "windows of 50 frames"),
        ("window_over", 560, "cut into windows above 560 frames"),
    ],
)
def test_recipes_are_never_averaged_and_silent_rows_mean_the_default(
    tmp_path: Path, name: str, value: Any, words: str
) -> None:
    default = {"scaling": "set", "quantile": 0.999, "fill_gaps": 0.0, "window": 35, "window_over": 140}
    rows = [row(), row(seed=1, recipe={**RECIPE, **default}), row(seed=2, recipe={**RECIPE, **default, name: value})]
    write_rows(tmp_path / "rows.jsonl", rows)
    lines = [line for line in the_table(tmp_path, "table-1").lines if isinstance(line.cells[0], Measured)]
    counts = {line.name: cell.n for line in lines if isinstance(cell := line.cells[0], Measured)}
    assert counts[f"LongT GAN, F ({words})"] == 1
    assert sorted(counts.values()) == [1, 2]


def test_transductive_rows_say_what_they_were_fitted_on_only_where_it_is_other_data(tmp_path: Path) -> None:
    own = {"dataset": "hdm05", "protocol": None, "fold": 0}
    rows = [
        row(transductive=True, fitted_on=own),
        row(transductive=True, fitted_on={**own, "dataset": "cmu"}, value=0.5),
    ]
    write_rows(tmp_path / "rows.jsonl", rows)
    lines = the_table(tmp_path, "table-1").lines
    names = [line.name for line in lines if isinstance(line.cells[0], Measured)]
    assert names == ["LongT GAN, F", "LongT GAN, F (fitted on cmu, everything)"]


def test_folds_of_other_sizes_may_differ_in_steps_and_one_seed_may_not(tmp_path: Path) -> None:
    folds = [row(fold=0, steps=100), row(fold=1, steps=110)]
    write_rows(tmp_path / "a" / "rows.jsonl", folds)
    assert the_table(tmp_path / "a", "table-1").lines[0].name == "LongT GAN, F"
    write_rows(tmp_path / "b" / "rows.jsonl", [*folds, row(fold=0, steps=300)])
    names = [line.name for line in the_table(tmp_path / "b", "table-1").lines]
    assert names[:3] == [f"LongT GAN, F ({steps} steps)" for steps in (100, 110, 300)]


def test_a_repeated_row_counts_once_and_another_value_is_told(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [row(value=0.8), row(value=0.8), row(value=0.6)])
    table = the_table(tmp_path, "table-1")
    ours = cells_of(table, "LongT GAN, F")["HDM05, kfold:2", "measured"]
    assert (ours.mean, ours.n) == (pytest.approx(80.0), 1)
    assert any(remark.startswith("1 rows repeat") for remark in table.remarks)


def test_an_untrained_encoder_is_one_whatever_was_to_be_trained(tmp_path: Path) -> None:
    random = {"method": "random", "features": "F", "loss": None, "condition": None, "steps": 0, "preset": "small"}
    rows = [row(**random, value=0.5, changes=changes) for changes in ({}, {"condition": "none"}, {"lambda_adv": 1.0})]
    write_rows(tmp_path / "a" / "rows.jsonl", rows)
    assert cells_of(the_table(tmp_path / "a", "table-1"), "untrained encoder, F")["HDM05, kfold:2", "measured"].n == 1
    rows.append(row(**random, value=0.4, changes={"encoder_units": 8}))
    write_rows(tmp_path / "b" / "rows.jsonl", rows)
    names = [line.name for line in the_table(tmp_path / "b", "table-1").lines]
    assert "untrained encoder, F (encoder_units = 8)" in names


# ---- published figures stay where they belong --------------------------------------------------------------------


def test_a_published_figure_cannot_stand_in_a_measured_column() -> None:
    theirs = published.ACCURACIES["U", "inpainting"]["hdm05"]
    ours = Measured(1.0, None, 1, 1, 1, 1)
    for kind, cell in ((Measured, theirs), (Measured, Gap(1.0)), (published.Published, ours), (Gap, theirs)):
        with pytest.raises(SettingsError, match=r"table t, line x: the column b h holds \w+, found \w+"):
            Table("t", "t", (Column("b", "h", kind),), (Line("", "x", (cell,)),))
    table = assemble("t", "t", {"b": Block("b")}, [("", "x", {}, {"b": theirs})])
    assert [column.kind for column in table.columns] == [Measured, published.Published, Gap]
    assert table.lines[0].cells == (None, theirs, None)


def test_lines_that_were_not_measured_have_nothing_in_measured_columns(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [row(value=0.123)])
    table = the_table(tmp_path, "table-1")
    assert cells_of(table, "HBRNN")["HDM05, kfold:2", "measured"] is None
    lines = list(csv.DictReader(to_csv(table).splitlines()))
    assert len(lines) == len([key for key, sets in published.ACCURACIES.items() if "hdm05" in sets])
    for line in lines:
        measured = line["line"] == "LongT GAN, F" and line["group"].startswith("U")
        assert all(bool(line[name]) == measured for name in MEASURED if name != "measured_sd")
        assert line["published"] and line["published_source"].startswith("Zheng et al. 2018")
    assert set(MEASURED).isdisjoint(PUBLISHED)
    printed = {each.value for sets in published.ACCURACIES.values() for each in sets.values()}
    assert {float(line["measured_mean"]) for line in lines if line["measured_mean"]}.isdisjoint(printed)


def test_states_and_other_losses_stand_beside_no_figure_of_the_paper(tmp_path: Path) -> None:
    rows = [row(features="states"), row(), row(loss="elementwise"), row(condition="none")]
    write_rows(tmp_path / "rows.jsonl", rows)
    table = the_table(tmp_path, "table-1")
    with_published = [
        line.name
        for line in table.lines
        if line.group.startswith("U") and isinstance(line.cells[1], published.Published)
    ]
    assert with_published == ["LongT GAN, F (with F, joint loss)", "Autoencoder, F"]


def test_figures_of_a_view_stand_beside_no_other_protocol(tmp_path: Path) -> None:
    rows = [row(dataset="nw_ucla", protocol=protocol) for protocol in ("cross-view", "cross-subject")]
    write_rows(tmp_path / "rows.jsonl", rows)
    heads = [(column.block, column.head) for column in the_table(tmp_path, "table-1").columns]
    assert heads == [
        ("NW-UCLA, cross-subject", "measured"),
        ("NW-UCLA, cross-view", "measured"),
        ("NW-UCLA, cross-view", "published"),
        ("NW-UCLA, cross-view", "gap"),
    ]


PAPER = """
U    inpainting    84.57 66.23 93.47 100.00
U    autoencoder   77.03 61.43 92.75 99.56
S    smij          -     -     -     95.40
S    mlp           -     -     95.59 -
S    dbrnn         -     -     96.70 99.64
S    hbrnn         83.13 75.02 96.92 100.00
S    deep_lstm     86.00 79.53 96.80 100.00
S    co_lstm   88.40 81.04 97.25 100.00
S    softmax       87.83 79.89 96.89 100.00
S+P  composite     88.89 78.63 97.05 100.00
S+P  inpainting    91.19 81.42 97.52 100.00
"""
"""The paper's table as it is printed: CMU subset, CMU, HDM05, Berkeley MHAD."""


def test_the_paper_s_table_is_whole() -> None:
    found = {
        (group, method, name, each.value)
        for (group, method), sets in published.ACCURACIES.items()
        for name, each in sets.items()
        if each.source is published.LONGT
    }
    printed = set()
    for group, method, *values in map(str.split, PAPER.strip().splitlines()):
        for name, value in zip(("cmu8", "cmu", "hdm05", "berkeley_mhad"), values, strict=True):
            if value != "-":
                printed.add((group, method, name, float(value)))
    assert found == printed


def test_every_published_figure_has_its_source_and_the_doubtful_are_marked(tmp_path: Path) -> None:
    everything = [
        *(each for sets in published.ACCURACIES.values() for each in sets.values()),
        *(each for metrics in published.ERRORS.values() for each in metrics.values()),
        *(each for amounts in published.FEW_LABELS.values() for each in amounts.values()),
    ]
    for each in everything:
        assert each.source.printed and each.where and (each.checked or each.doubt)
    assert len(everything) == 59
    write_rows(tmp_path / "rows.jsonl", [supervised("deep_lstm", dataset="sbu", protocol="five-fold", value=0.85)])
    text = to_markdown(the_table(tmp_path, "table-1"))
    assert (
        re.search(r"\| Deep LSTM \| 85\.0 \(1\)<sup>\d</sup> \| 86\.00† \| -1\.0 \|", text)
        and "Folds 0 of 5 only." in text
    )
    assert "| HBRNN | - | 80.40 | - |" in text
    assert "<sup>†</sup> Not certain: not found in a second source." in text


# ---- which rows belong to which table ----------------------------------------------------------------------------


def test_cells_say_which_tables_their_rows_are_of(tmp_path: Path) -> None:
    write_cell(tmp_path, "a", [row(value=0.9)], ("table1",))
    write_cell(tmp_path, "b", [supervised(value=0.8)], ("table2",), kind="train")
    write_cell(tmp_path, "c", [row(method="composite", task="finetune", features=None, value=0.7)], ("table1", "other"))
    tables = {table.name: table for table in make_tables(read_results(tmp_path))}
    measured = {
        name: [line.name for line in table.lines if isinstance(line.cells[0], Measured)]
        for name, table in tables.items()
    }
    assert measured == {
        "table-1": ["LongT GAN, F", "Unsupervised LSTM"],
        "table-2": ["LongT GAN's encoder, random start"],
        "table-of-other": ["Unsupervised LSTM"],
    }


def test_table_3_has_the_paper_beside_cmu(tmp_path: Path) -> None:
    cmu = {"dataset": "cmu", "protocol": "kfold:4"}
    rows = []
    for loss, error in (("joint", 0.15), ("elementwise", 0.25)):
        for condition in ("F", "none"):
            for task in ("inpaint_hidden", "inpaint_all"):
                rows.append(
                    row(
                        **cmu,
                        loss=loss,
                        condition=condition,
                        task=task,
                        metric="rmse_scaled",
                        features=None,
                        value=error,
                    )
                )
            rows.append(row(**cmu, loss=loss, condition=condition, value=0.6))
            rows.append(row(**cmu, loss=loss, condition=condition, task="ward", metric="acc", value=0.5))
    rows.append(row(**cmu, condition="zeroed", task="inpaint_all", metric="rmse_scaled", features=None, value=0.3))
    write_cell(tmp_path, "a", rows, ("table3",))
    table = the_table(tmp_path, "table-3-cmu-kfold-4")
    assert [(line.group, line.name) for line in table.lines] == [
        ("Trained so", "with F, joint loss"),
        ("Trained so", "with F, element-wise loss"),
        ("Trained so", "without F, joint loss"),
        ("Trained so", "without F, element-wise loss"),
        ("Diagnostics of models trained with F", "F zeroed, joint loss"),
    ]
    cells = cells_of(table, "with F, joint loss")
    assert cells["error, all, scaled", "published"].value == 0.16
    assert cells["error, all, scaled", "gap"] == Gap(pytest.approx(-0.01))
    assert cells["Acc.(S), linear on F, %", "gap"] == Gap(pytest.approx(60 - 66.23))
    assert cells["Acc.(U), Ward on F, %", "gap"] == Gap(pytest.approx(50 - 51.35))
    assert ("error, hidden, scaled", "published") not in cells
    assert any("Folds" not in remark and "kfold:4" in remark for remark in table.remarks)


def test_few_labels_have_figure_3_beside_them(tmp_path: Path) -> None:
    cmu = {"dataset": "cmu8", "protocol": "kfold:3"}
    rows = [
        make(**cmu, labels_per_class=labels, sampling=sampling, value=0.5 + 0.01 * sampling)
        for make in (supervised, row)
        for labels in (2, 5)
        for sampling in range(3)
    ]
    rows.append(row(**cmu, method="composite", value=0.9))  # all labels only: no line of this table
    write_rows(tmp_path / "rows.jsonl", rows)
    table = the_table(tmp_path, "table-few-labels-cmu8-kfold-3")
    assert [line.name for line in table.lines] == ["LongT GAN, F", "LongT GAN's encoder, random start"]
    cells = cells_of(table, "LongT GAN's encoder, random start")
    assert cells["2 a class", "measured"].samplings == 3
    assert cells["2 a class", "gap"] == Gap(pytest.approx(51 - 55.89))
    assert ("5 a class", "published") not in cells


def test_ablations_are_lines_named_by_what_differs(tmp_path: Path) -> None:
    rows = [
        row(seed=seed, changes=changes) for seed in (0, 1) for changes in ({}, {"lambda_z": 0.5}, {"lambda_z": 0.1})
    ]
    write_cell(tmp_path, "a", rows, ("ablations",))
    table = the_table(tmp_path, "table-ablations-hdm05-kfold-2")
    assert [line.name for line in table.lines] == ["as it is", "lambda_z = 0.1", "lambda_z = 0.5"]


# ---- footnotes ---------------------------------------------------------------------------------------------------


def test_footnotes_say_what_differs_from_the_paper(tmp_path: Path) -> None:
    rows = [
        row(preset="small", protocol="kfold:10", fold=3),
        row(preset="small", protocol="kfold:10", fold=4),
        row(preset="small", protocol="kfold:10", features="states", transductive=True),
    ]
    folder = write_cell(tmp_path, "a", rows, joints=24)
    (folder / "predictions.csv").write_text("name,label,predicted\na,walk,run\nb,run,run\n", encoding="utf-8")
    text = to_markdown(the_table(tmp_path, "table-1"))
    assert "hdm05, kfold:10: 60 recordings train, 40 test, 2 classes in the tests, 24 joints." in text
    assert "100 labelled recordings (published: 2,337); 2 classes (published: 65); 24 joints (published: 31)." in text
    assert "protocol kfold:10 (" not in text  # which is the paper's
    assert "Preset small: smaller networks" in text
    assert "Folds 3, 4 of 10 only." in text
    line = next(line for line in text.splitlines() if line.startswith("| LongT GAN, states"))
    number = re.search(r"\(1\)<sup>([\d,]+)</sup>", line)
    assert number is not None
    assert f"<sup>{number[1].split(',')[0]}</sup> Transductive: pre-trained on test recordings too" in text


# ---- formats -----------------------------------------------------------------------------------------------------


def test_latex_and_markdown_escape_what_is_special(tmp_path: Path) -> None:
    assert escape(r"50 % & a_b #1 {x} ~ ^ \ $ < ±") == (
        r"50 \% \& a\_b \#1 \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{} \$ \textless{} $\pm$"
    )
    write_rows(tmp_path / "rows.jsonl", [row(dataset="my_data & 50%|x", method="new_method", protocol="all")])
    table = the_table(tmp_path, "table-1")
    latex = to_latex(table)
    assert r"my\_data \& 50\%\textbar{}x, all" in latex and r"new\_method, F & 90.0 (1) \\" in latex
    assert latex.count(r"\begin{") == latex.count(r"\end{")
    assert r"| new\_method, F | 90.0 (1) |" in to_markdown(table)
    assert r"50%\|x" in to_markdown(table)


def test_latex_lines_have_as_many_cells_as_the_table_has_columns(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [row(), row(dataset="berkeley_mhad", protocol="cross-subject"), supervised()])
    latex = to_latex(the_table(tmp_path, "table-1"))
    lines = [line for line in latex.splitlines() if re.search(r"\d \\\\$|-- \\\\$|\(1\) \\\\$", line)]
    assert len(lines) > 8
    assert {line.replace(r"\&", "").count("&") for line in lines} == {6}
    assert "$-$" in latex


# ---- the whole folder --------------------------------------------------------------------------------------------


def make_results(results: Path) -> Path:
    """A small grid with everything that a cell may have."""
    drawn = np.random.default_rng(0)
    for seed in (0, 1):
        rows = [row(seed=seed, labels_per_class=labels, value=0.8 + 0.01 * seed) for labels in (2, None)]
        rows += [row(seed=seed, changes={"lambda_z": 1.0}, value=0.7)]
        folder = write_cell(
            results, f"probe-{seed}", rows, ("table1", "figure3", "ablations"), method="inpainting", seed=seed
        )
        rows = [supervised(seed=seed, labels_per_class=labels, value=0.75) for labels in (2, None)]
        trained = write_cell(results, f"s-{seed}", rows[1:], kind="train", method="softmax", data="hdm05", seed=seed)
        names = ["walk", "run_fast", "sit & $stand$ \\x"]
        pairs = [f"r{n},{names[n % 3]},{names[n % 3 if n % 4 else (n + 1) % 3]}\n" for n in range(24)]
        (trained / "predictions.csv").write_text("name,label,predicted\n" + "".join(pairs), encoding="utf-8")
        log = ["step,epoch,seconds,classifier,classifier_gradient,validation_loss,validation_accuracy"]
        for step in range(1, 21):
            tail = f",{1 / step:.3f},{1 - 1 / step:.3f}" if step % 10 == 0 else ",,"
            log.append(f"{step},{step / 10},{step},{(1 + seed) / step:.4f},{2 / step:.4f}{tail}")
        (trained / "log.csv").write_text("\n".join(log) + "\n", encoding="utf-8")
        labels = [names[n % 3] for n in range(24)]
        vectors = drawn.normal(size=(24, 6)) + 6 * np.eye(6)[[n % 3 for n in range(24)]]
        table = pa.table({"name": [f"r{n}" for n in range(24)], "label": labels, "print": list(vectors.astype("f4"))})
        pq.write_table(table, folder / "prints.parquet")
    missing = [{"experiment": "table1", "what": "CMU", "why": "not at hand", "where": "mocap.cs.cmu.edu"}]
    (results / "missing.json").write_text(json.dumps(missing), encoding="utf-8")
    return results


def test_a_report_holds_everything_and_is_the_same_each_time(tmp_path: Path) -> None:
    results = make_results(tmp_path / "results")
    seen: list[tuple[int, int]] = []
    done = write_report(
        results, tmp_path / "a", endings=("png", "svg"), report=lambda n, total, _: seen.append((n, total))
    )
    assert done.tables == ("table-1", "table-few-labels-hdm05-kfold-2", "table-ablations-hdm05-kfold-2")
    kinds = [name.split("-")[1] for name in done.figures]
    assert kinds[:4] == ["few", "ablations", "confusion", "training"] and set(kinds[4:]) == {"map"}
    assert seen == [(n, len(kinds)) for n in range(1, len(kinds) + 1)]
    names = {file.name for file in (tmp_path / "a").iterdir()}
    assert {f"{name}.{end}" for name in done.tables for end in ("md", "tex", "csv")} <= names
    assert {f"{name}.{end}" for name in done.figures for end in ("png", "svg")} <= names
    index = (tmp_path / "a" / "index.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([^)]+\.(?:png|tex|csv|txt))\)", index)) <= names
    assert "| table1 | CMU | not at hand | mocap.cs.cmu.edu |" in index
    assert f"| {'c' * 40} | 8 |" in index and "torch 2.8.0" in index
    assert ("umap-learn is not installed" in index) == (map_kinds() == ["t-SNE"])
    write_report(results, tmp_path / "b", endings=("png", "svg"))
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def write_predictions(cell: Path, pairs: list[tuple[str, str]]) -> None:
    lines = [f"r{number},{label},{predicted}\n" for number, (label, predicted) in enumerate(pairs)]
    (cell / "predictions.csv").write_text("name,label,predicted\n" + "".join(lines), encoding="utf-8")


def test_matrices_of_all_seeds_and_folds_are_one_and_say_what_they_start_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, tuple[str, int]] = {}
    monkeypatch.setattr(
        figures, "confusion", lambda title, pairs, path, _: drawn.update({path.name: (title, len(pairs))})
    )
    trained = {"kind": "train", "method": "softmax", "data": "hdm05", "labels": [None], "samplings": 1}
    start = {"kind": "pretrain", "method": "inpainting", "data": "hdm05", "preset": "paper", "labels": [2, None]}
    for preset in ("paper", "small"):
        for number, (seed, fold) in enumerate([(0, 0), (0, 1), (1, 0)]):
            for name, init in (("s", None), ("p", {**start, "changes": {}, "preset": preset})):
                row_of = supervised(seed=seed, fold=fold, preset=preset)
                settings = {**trained, "preset": preset, "seed": seed, "fold": fold, "changes": {}, "init": init}
                folder = write_cell(tmp_path / "in", f"{name}-{preset}-{number}", [row_of], **settings)
                write_predictions(folder, [("a", "a"), ("b", "a")])
    done = write_report(tmp_path / "in", tmp_path / "out")
    assert drawn == {
        "figure-confusion-hdm05-kfold-2-softmax-from-inpainting": (
            "HDM05, kfold:2: LongT GAN's encoder, from LongT GAN (preset paper)",
            6,
        ),
        "figure-confusion-hdm05-kfold-2-softmax": (
            "HDM05, kfold:2: LongT GAN's encoder, random start (preset paper)",
            6,
        ),
    }
    assert done.figures == tuple(drawn)
    index = (tmp_path / "out" / "index.md").read_text(encoding="utf-8")
    assert "one confusion matrix of all seeds, folds and samplings" in index
    assert "* Of 2 other settings of the same methods and data there are no confusion matrices." in index


def test_the_setting_that_is_drawn_is_the_one_nearest_to_the_paper_s(tmp_path: Path) -> None:
    plain = {"method": "inpainting", "data": "hdm05", "labels": [None], "transductive": False, "init": None}
    for number, (preset, changes, more) in enumerate(
        [
            ("small", {}, {"labels": [2, None]}),
            ("paper", {"lambda_z": 1.0}, {}),
            ("paper", {}, {"transductive": True}),
            ("paper", {}, {"seed": 1}),
            ("paper", {}, {"seed": 0, "labels": [2, 5, None], "samplings": 10}),
        ]
    ):
        write_cell(tmp_path, f"c{number}", [row()], preset=preset, changes=changes, **{**plain, **more})
    (found,) = group_cells(read_results(tmp_path).cells)
    assert [cell.key for cell in found.cells] == ["c4", "c3"]
    assert found.others == 3
    assert found.title == "HDM05, kfold:2: LongT GAN (preset paper, not transductive)"
    (alone,) = group_cells(found.cells)
    assert (alone.title, alone.name, alone.others) == ("HDM05, kfold:2: LongT GAN", "hdm05-kfold-2-inpainting", 0)


def test_so_many_figures_and_runs_are_drawn_and_the_rest_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(figures, "confusion", lambda *_: None)
    monkeypatch.setattr(figures, "training", lambda title, cells, path, _: drawn.append(len(cells)))
    methods = [*(f"new{number:02}" for number in range(30)), "softmax"]
    for method in methods:
        for seed in range(12 if method == "softmax" else 1):
            settings = {"kind": "train", "method": method, "seed": seed, "labels": [None]}
            folder = write_cell(tmp_path / "in", f"{method}-{seed}", [supervised(method, seed=seed)], **settings)
            write_predictions(folder, [("a", "a")])
            steps = "1,0.5\n" if method == "new00" else "1,0.5\n2,0.4\n"  # one step makes no curve
            (folder / "log.csv").write_text(f"step,classifier\n{steps}", encoding="utf-8")
    done = write_report(tmp_path / "in", tmp_path / "out")
    assert len(done.figures) == 44 and drawn == [10, *[1] * 21]
    assert done.figures[0] == "figure-confusion-hdm05-kfold-2-softmax"  # the paper's before others
    index = (tmp_path / "out" / "index.md").read_text(encoding="utf-8")
    assert "* Of 31 confusion matrices, the first 22 were drawn" in index
    assert "* Of 30 training curves, the first 22 were drawn" in index
    assert "random start, 10 of 12 runs" in index


def test_a_map_of_too_few_prints_is_left_out_and_told(tmp_path: Path) -> None:
    folder = write_cell(tmp_path / "in", "small-one", [row()], method="inpainting")
    pq.write_table(
        pa.table({"label": ["a"] * 4, "print": [np.arange(3, dtype=np.float32)] * 4}), folder / "prints.parquet"
    )
    assert write_report(tmp_path / "in", tmp_path / "out").figures == ()
    index = (tmp_path / "out" / "index.md").read_text(encoding="utf-8")
    assert "* No map of small-one: it has 4 prints, and a map takes 5." in index


# ---- several folders, older code ---------------------------------------------------------------------------------


def test_of_equal_cells_those_of_the_newest_code_count(tmp_path: Path) -> None:
    made = [("zz-old", "old", 0, 0.5, 100), ("aa-old", "old", 1, 0.6, 300), ("bb-old", "old", 2, 0.7, 100)]
    made += [("yy-new", "new", 0, 0.8, 200), ("aa-new", "new", 1, 0.9, 400)]
    for key, code, seed, value, time in made:
        asked = ("table1", "figure3") if code == "old" else ("table1",)
        more = {"classes": 65} if code == "new" else {}
        folder = write_cell(tmp_path / "in", key, [row(seed=seed, value=value)], asked, code=code, seed=seed, **more)
        os.utime(folder / "cell.json", (time, time))
    found = read_results(tmp_path / "in")
    assert [cell.key for cell in found.cells] == ["aa-new", "yy-new", "bb-old"]
    assert found.older == {"old": 2}
    assert found.cells[0].experiments == ("figure3", "table1")
    write_report(tmp_path / "in", tmp_path / "out")
    index = (tmp_path / "out" / "index.md").read_text(encoding="utf-8")
    assert "Left out: 2 cells (2 of code old), because newer code did the same work again" in index
    for folder in (tmp_path / "in" / "cells").iterdir():
        os.utime(folder / "cell.json", (100, 100))
    assert read_results(tmp_path / "in").older == {"new": 2}  # as new, and fewer cells


def test_several_folders_make_one_report_and_a_cell_of_both_counts_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cell(tmp_path / "a", "same", [row()], ("table1",), seed=0)
    write_cell(tmp_path / "b", "same", [row()], ("ablations",), seed=0)
    write_cell(tmp_path / "b", "other", [row(seed=1)], seed=1)
    missing = [{"experiment": "table1", "what": "CMU", "why": "not at hand", "where": "its site"}]
    for folder in ("a", "b"):
        (tmp_path / folder / "missing.json").write_text(json.dumps(missing), encoding="utf-8")
    write_rows(tmp_path / "c" / "rows.jsonl", [row(seed=2)])
    write_rows(tmp_path / "d" / "rows.jsonl", [row(seed=3)])
    found = read_results([tmp_path / name for name in ("a", "b", "c", "d", "c")])
    assert [(cell.key, len(cell.rows)) for cell in found.cells] == [("same", 1), ("other", 1), ("rows", 1), ("rows", 1)]
    assert found.cells[0].experiments == ("ablations", "table1")
    assert len(found.missing) == 1
    places = [str(tmp_path / name) for name in ("a", "b", "c", "d")]
    with pytest.raises(SystemExit) as stop:
        main(["report", *places, "--out", str(tmp_path / "out"), "--quiet"])
    assert stop.value.code == 0 and "of 4 rows; missing: 1" in capsys.readouterr().out
    index = (tmp_path / "out" / "index.md").read_text(encoding="utf-8")
    assert "4 result rows of 2 cells and 2 files, 1 data set, 4 seeds." in index
    with pytest.raises(SystemExit) as stop:
        main(["report", "--out", str(tmp_path / "new"), "--quiet"])
    assert stop.value.code == 2
    with pytest.raises(DatasetError, match="found no name"):
        read_results([])


def test_of_copies_of_a_cell_the_one_that_was_asked_more_counts(tmp_path: Path) -> None:
    few, many = [row()], [row(), row(labels_per_class=2), row(labels_per_class=2, sampling=1)]
    write_cell(tmp_path / "a", "same", few, ("table1",), seed=0)
    write_cell(tmp_path / "b", "same", many, ("figure3",), seed=0)
    for order in (("a", "b"), ("b", "a")):
        (cell,) = read_results([tmp_path / name for name in order]).cells
        assert len(cell.rows) == 3 and cell.experiments == ("figure3", "table1")


def test_umap_is_drawn_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class First:
        """The first two numbers of a print, in UMAP's place."""

        def __init__(self, **settings: Any) -> None:
            assert settings["random_state"] == 0 and settings["n_neighbors"] == 11

        def fit_transform(self, vectors: Any) -> Any:
            return vectors[:, :2]

    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=First))  # type: ignore[arg-type]
    assert map_kinds() == ["t-SNE", "UMAP"]
    vectors = [np.arange(3, dtype=np.float32) * n for n in range(12)]
    prints = tmp_path / "prints.parquet"
    pq.write_table(pa.table({"label": ["a", None] * 6, "print": vectors}), prints)
    draw_map("UMAP", "t", prints, tmp_path / "map", ["svg"])
    assert (tmp_path / "map.svg").stat().st_size > 1000
    pq.write_table(pa.table({"label": ["a"] * 3, "print": vectors[:3]}), prints)
    with pytest.raises(DatasetError, match="expected at least 5 prints"):
        draw_map("UMAP", "t", prints, tmp_path / "map", ["svg"])


def test_a_report_of_missing_things_alone(tmp_path: Path) -> None:
    missing = [{"experiment": "table1", "what": "NTU", "why": "licence", "where": "its site"}]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "missing.json").write_text(json.dumps(missing), encoding="utf-8")
    done = write_report(tmp_path / "results", tmp_path / "out")
    assert (done.tables, done.figures, done.missing) == ((), (), 1)


# ---- what is refused ---------------------------------------------------------------------------------------------


def spoil(name: str, text: str) -> Callable[[Path], None]:
    return lambda cell: (cell / name).write_text(text, encoding="utf-8") and None


@pytest.mark.parametrize(
    ("spoiled", "message"),
    [
        (lambda cell: (cell / "cell.json").unlink(), "found no row"),
        (spoil("cell.json", "{"), r"cell\.json: expected JSON"),
        (spoil("cell.json", "[]"), r"cell\.json: expected a JSON object, found list"),
        (spoil("cell.json", '{"key": 3}'), r"cell\.json: expected a text under 'key', found 3"),
        (
            spoil("cell.json", '{"key": "a", "kind": "train"}'),
            r"cell\.json: expected a list of names under 'experiments'",
        ),
        (lambda cell: (cell / "rows.jsonl").unlink(), r"rows\.jsonl: expected a file of result rows"),
        (spoil("rows.jsonl", "{}\n"), r"rows\.jsonl:1: expected a result row"),
        (
            spoil("rows.jsonl", json.dumps(row(dataset=None)) + "\n"),
            r"rows\.jsonl:1: expected str under 'dataset', found None",
        ),
        (
            spoil("rows.jsonl", json.dumps(row()) + "\n" + json.dumps(row(recipe=3)) + "\n"),
            r"rows\.jsonl:2: expected dict or null under 'recipe', found 3",
        ),
        (spoil("predictions.csv", ""), r"predictions\.csv: expected a CSV table with a header, found an empty file"),
        (
            spoil("predictions.csv", "name,label\na,b\n"),
            r"predictions\.csv: expected the columns name, label and predicted",
        ),
        (spoil("predictions.csv", "name,label,predicted\na,b\n"), r"predictions\.csv:2: expected 3 fields, found 2"),
        (spoil("log.csv", "epoch\n1\n"), r"log\.csv: expected a first column step"),
        (spoil("log.csv", "step,encoder\n1,x\n"), r"log\.csv:2: expected a number under encoder, found 'x'"),
        (spoil("prints.parquet", "x"), r"prints\.parquet: expected a Parquet file of prints"),
    ],
)
def test_what_is_broken_is_named_in_one_line(
    tmp_path: Path, spoiled: Callable[[Path], None], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoiled(write_cell(tmp_path / "results", "a", [row()]))
    with pytest.raises(SystemExit) as stop:
        main(["report", str(tmp_path / "results"), "--out", str(tmp_path / "out"), "--quiet"])
    error = capsys.readouterr().err
    assert stop.value.code == 1
    assert re.search(message, error), error
    assert error.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["results"]


def test_a_cell_that_is_not_finished_is_counted(tmp_path: Path) -> None:
    write_cell(tmp_path / "results", "a", [row()])
    (write_cell(tmp_path / "results", "b", [row()]) / "cell.json").unlink()
    found = read_results(tmp_path / "results")
    assert (len(found.cells), found.unfinished) == (1, 1)


@pytest.mark.parametrize("text", ["{", "{}", "[3]", '[{"experiment": "a"}]'])
def test_a_broken_list_of_missing_things_is_named(tmp_path: Path, text: str) -> None:
    write_rows(tmp_path / "rows.jsonl", [row()])
    (tmp_path / "missing.json").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"missing\.json: "):
        read_results(tmp_path)


def test_nothing_to_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected a folder of results or a file of rows, found nothing"):
        read_results(tmp_path / "absent")
    with pytest.raises(DatasetError, match=r"expected cells/KEY/rows\.jsonl or \*\.jsonl files of result rows"):
        read_results(tmp_path)
    (tmp_path / "cells").mkdir()
    with pytest.raises(DatasetError, match="found no row"):
        read_results(tmp_path)


def test_the_command_says_what_it_wrote_and_replaces_reports_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [row()])

    def run(*more: str) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["report", str(rows), "--out", str(tmp_path / "out"), "--quiet", *more])
        return (stop.value.code, *capsys.readouterr())

    status, out, _ = run()
    assert status == 0
    assert re.search(r"index\.md: 1 table and 0 figures of 1 row\n$", out)
    status, _, error = run()
    assert status == 1 and "exists; --overwrite replaces it" in error
    assert run("--overwrite")[0] == 0
    (tmp_path / "out" / "mine.txt").write_text("x", encoding="utf-8")
    status, _, error = run("--overwrite")
    assert status == 1 and "mine.txt" in error
    assert run("--figures", "gif")[0] == 2
    assert (tmp_path / "out" / "mine.txt").exists()
    with pytest.raises(SettingsError, match="expected some of png, svg, pdf, found gif"):
        write_report(rows, tmp_path / "new", endings=("gif",))
