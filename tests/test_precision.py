"""`--precision`: what auto chooses, that a run keeps it, and that rows and prints say and are what they should."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from motionprint.cli import main
from motionprint.errors import SettingsError
from motionprint.networks import scan
from motionprint.training import TrainingSettings, load_run, precision, pretrain
from motionprint.training.loop import Trainer

TINY = {"encoder_units": 4, "decoder_units": 4, "discriminator_units": 2, "batch_size": 4, "crops": 2}


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A processor with instructions for it, on which steps take as long as is said here."""
    seconds = {"float32": 1.0, "bf16": 0.5}
    clock = SimpleNamespace(now=0.0)
    original = precision.set_precision

    def set_precision(method: Any, name: Any) -> None:
        original(method, name)
        clock.now += seconds[name]

    monkeypatch.setattr("motionprint.training.loop.set_precision", set_precision)
    monkeypatch.setattr(precision, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    monkeypatch.setattr(precision, "bf16_instructions", lambda: True)
    monkeypatch.setattr(precision, "_UNITS", 4)
    return seconds


def _chosen(folder: Path) -> Any:
    return json.loads((folder / "config.json").read_text())["training"]["precision"]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.5, "bf16"), (0.85, "bf16"), (0.9, "float32"), (1.0, "float32"), (3.0, "float32")]
)
def test_auto_is_bf16_only_where_that_is_clearly_faster(
    few: Path, tmp_path: Path, times: dict[str, float], seconds: float, expected: str
) -> None:
    times["bf16"] = seconds
    run = pretrain(few, tmp_path / "run", changes=TINY, steps=2)
    assert _chosen(tmp_path / "run") == expected
    assert run.changes.get("precision") == ("bf16" if expected == "bf16" else None)


def test_small_layers_and_processors_without_instructions_train_in_float32(
    few: Path, tmp_path: Path, times: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_UNITS", 5)
    pretrain(few, tmp_path / "small", changes=TINY, steps=1)
    monkeypatch.setattr(precision, "_UNITS", 4)
    monkeypatch.setattr(precision, "bf16_instructions", lambda: False)
    pretrain(few, tmp_path / "without", changes=TINY, steps=1)
    assert _chosen(tmp_path / "small") == _chosen(tmp_path / "without") == "float32"


def test_the_measurement_changes_no_bit(few: Path, tmp_path: Path, times: dict[str, float]) -> None:
    times["bf16"] = 2.0
    pretrain(few, tmp_path / "measured", changes=TINY, steps=5)
    pretrain(few, tmp_path / "told", changes={**TINY, "precision": "float32"}, steps=5)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("measured", "told"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_that_is_continued_keeps_what_was_measured(few: Path, tmp_path: Path, times: dict[str, float]) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    pretrain(few, whole, changes=TINY, steps=6)
    pretrain(few, parts, changes=TINY, steps=3)
    times["bf16"] = 2.0  # it would choose otherwise now
    pretrain(few, parts, changes=TINY, steps=6, resume=True)
    assert _chosen(parts) == "bf16"
    assert load_run(parts).model_hash == load_run(whole).model_hash
    with pytest.raises(SettingsError, match=r"was trained with precision .bf16., found .float32."):
        pretrain(few, parts, changes={**TINY, "precision": "float32"}, steps=7, resume=True)


def test_bf16_differs_from_float32_in_training_only(few: Path, tmp_path: Path) -> None:
    runs = {
        name: pretrain(few, tmp_path / name, changes={**TINY, "precision": name}, steps=3)
        for name in ("float32", "bf16")
    }
    low, exact = (dict(runs[name].method.named_parameters()) for name in ("bf16", "float32"))
    assert all(weight.dtype == torch.float32 for weight in low.values())
    distances = [float((low[name] - exact[name]).detach().abs().max()) for name in low]
    assert 0 < max(distances) < 0.01
    assert all(layer.low is None for layer in precision._recurrent(load_run(tmp_path / "bf16").method))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_without_instructions_the_same_rounding_is_computed(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors of 8 bits have products of 16, which float32 holds exactly: only the order of the sum can differ."""
    layers = scan.GruScan if cell == "gru" else scan.LstmScan
    torch.manual_seed(0)
    gates, inputs, hidden = {"gru": 3, "lstm": 4}[cell], 6, 8
    weights = [
        (
            0.3 * torch.randn(gates * hidden, inputs),
            0.3 * torch.randn(gates * hidden, hidden),
            *torch.randn(2, gates * hidden),
        )
    ]
    packing = scan.Packing((9, 7, 7, 2))
    rows, total = torch.randn(packing.rows, inputs), torch.randn(1, packing.rows, hidden)
    found = []
    for instructions in (True, False):
        monkeypatch.setattr(scan, "bf16_instructions", lambda present=instructions: present)
        one = layers(rows, weights, packing, torch.bfloat16)
        owed = one.backward(total.clone(), weights)
        found.append([one.states, owed.float(), *one.weight_gradients(owed[0], 0)])
    for first, second in itertools.zip_longest(*found):
        assert float((first - second).norm() / second.norm()) < 2e-3


def test_the_command_takes_the_option(few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["pretrain", str(few), "--out", str(tmp_path / "run"), "--steps", "1", "--quiet"]
    words += [f"--set={name}={value}" for name, value in TINY.items()]
    with pytest.raises(SystemExit) as stop:
        main([*words, "--precision", "bf16"])
    assert stop.value.code == 0 and _chosen(tmp_path / "run") == "bf16"
    for more, expected in (
        (["--precision", "half"], "auto"),
        (["--precision", "bf16", "--set", "precision=float32"], "expected one value for precision"),
    ):
        with pytest.raises(SystemExit) as stop:
            main([*words, "--overwrite", *more])
        assert stop.value.code == 2 and expected in capsys.readouterr().err


def test_the_settings_of_a_trainer_reach_its_layers(few: Path, tmp_path: Path) -> None:
    run = pretrain(few, tmp_path / "run", changes=TINY, steps=1)
    for name, low in (("bf16", torch.bfloat16), ("float32", None)):
        Trainer(run.method, None, TrainingSettings(precision=name), 0)  # type: ignore[arg-type]
        assert {layers.low for layers in precision._recurrent(run.method)} == {low}
