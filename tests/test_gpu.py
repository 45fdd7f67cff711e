"""On a GPU: the same layers, losses and prints as on the CPU, runs that go on, bf16, and one process under torchrun.

Skipped where there is none: nothing that the project promises elsewhere depends on it.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from motionprint.batches import Packing
from motionprint.evaluation import embed, read_prints
from motionprint.networks import RecurrentLayers
from motionprint.store import open_dataset, write_dataset
from motionprint.training import load_run, pretrain

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here (PyTorch finds no CUDA device)")

SMALL: dict[str, Any] = {
    "encoder_units": 16,
    "decoder_units": 16,
    "discriminator_units": 8,
    "batch_size": 4,
    "crops": 2,
    "dropout": 0.0,
    "precision": "float32",
    "log_every": 1,
}


@pytest.fixture
def exact() -> Iterator[None]:
    """No TensorFloat-32: products keep all bits of float32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def _log(run: Path) -> np.ndarray[Any, Any]:
    with (run / "log.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    return np.array([[float(row[key]) for key in ("encoder", "decoder", "discriminator")] for row in rows])


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_layers_and_all_their_gradients_equal_those_of_the_cpu(cell: Any) -> None:
    torch.manual_seed(0)
    lengths = [9, 7, 7, 3, 1]
    packed = nn.utils.rnn.pack_sequence([torch.randn(length, 6, dtype=torch.float64) for length in lengths])
    layers = RecurrentLayers(6, 5, 2, bidirectional=True, cell=cell).double()
    found = {}
    for device in ("cpu", "cuda"):
        layers.to(device).zero_grad()
        frames = packed.data.to(device).detach().requires_grad_()
        outputs, states = layers(frames, Packing(tuple(lengths), torch.device(device)))
        (outputs.square().sum() + states.sin().sum()).backward()
        gradients = [parameter.grad for parameter in layers.parameters()]
        found[device] = [each.detach().cpu() for each in (outputs, states, frames.grad, *gradients) if each is not None]
    assert len(found["cpu"]) == len(found["cuda"]) == 3 + 16
    for here, there in zip(found["cpu"], found["cuda"], strict=True):
        torch.testing.assert_close(here, there, rtol=1e-10, atol=1e-12)


def test_training_follows_the_cpu(few: Path, tmp_path: Path, exact: None) -> None:
    for device in ("cpu", "cuda"):
        pretrain(few, tmp_path / device, changes=SMALL, steps=20, device=device)
    np.testing.assert_allclose(_log(tmp_path / "cuda"), _log(tmp_path / "cpu"), rtol=2e-3)


def test_missing_values_and_the_encoders_hiding_are_those_of_the_cpu(few: Path, tmp_path: Path, exact: None) -> None:
    holes = []
    for number, sequence in enumerate(open_dataset(few)):
        positions = np.array(sequence.positions)
        positions[np.random.default_rng(number).random(positions.shape[:2]) < 0.2] = np.nan
        holes.append(replace(sequence, positions=positions))
    write_dataset(tmp_path / "holes", holes)
    changes = {**SMALL, "encoder_hide_joints": 0.5, "encoder_hide_frames": 0.3}
    found = []
    for device in ("cpu", "cuda"):
        pretrain(tmp_path / "holes", tmp_path / device, changes=changes, steps=10, device=device)
        embed(load_run(tmp_path / device, device), [tmp_path / "holes"], tmp_path / f"{device}.parquet")
        found.append(read_prints(tmp_path / f"{device}.parquet")[1])
    np.testing.assert_allclose(_log(tmp_path / "cuda"), _log(tmp_path / "cpu"), rtol=2e-3)
    np.testing.assert_allclose(found[1], found[0], atol=1e-3)


def test_a_run_is_repeated_and_taken_up_again(few: Path, tmp_path: Path, exact: None) -> None:
    changes = {**SMALL, "dropout": 0.5}
    for name in ("whole", "again"):
        pretrain(few, tmp_path / name, changes=changes, steps=12, device="cuda")
    pretrain(few, tmp_path / "parts", changes=changes, steps=5, device="cuda")
    pretrain(few, tmp_path / "parts", changes=changes, steps=12, device="cuda", resume=True)
    whole, again, parts = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "again", "parts"))
    for name, weights in whole.items():  # cuDNN does not promise the last bit
        torch.testing.assert_close(again[name], weights, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(parts[name], weights, rtol=1e-4, atol=1e-5)


def test_bf16_trains_like_float32_and_keeps_float32_weights(few: Path, tmp_path: Path) -> None:
    for precision in ("float32", "bf16"):
        pretrain(few, tmp_path / precision, changes={**SMALL, "precision": precision}, steps=30, device="cuda")
    plain, low = _log(tmp_path / "float32"), _log(tmp_path / "bf16")
    np.testing.assert_allclose(low[-1], plain[-1], rtol=0.05)
    assert (low != plain).any()
    kept = load_file(tmp_path / "bf16" / "model.safetensors")
    assert torch.bfloat16 not in {weights.dtype for weights in kept.values()}


def test_auto_measures(few: Path, tmp_path: Path) -> None:
    wide = {**SMALL, "precision": "auto", "encoder_units": 256, "decoder_units": 256}
    pretrain(few, tmp_path / "run", changes=wide, steps=2)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["training"]["precision"] in ("float32", "bf16")


def test_prints_are_those_of_the_cpu(few: Path, tmp_path: Path, exact: None) -> None:
    pretrain(few, tmp_path / "run", changes=SMALL, steps=10, device="cuda")
    found = []
    for device in ("cpu", "cuda"):
        embed(load_run(tmp_path / "run", device), [few], tmp_path / f"{device}.parquet", features="both")
        found.append(read_prints(tmp_path / f"{device}.parquet")[1])
    assert found[0].shape[0] == len(open_dataset(few))
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)


def test_one_process_under_torchrun_is_the_run_without_it(few: Path, tmp_path: Path) -> None:
    settings = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
    arguments = ["pretrain", str(few), "--steps", "6", "--device", "cuda", *settings, "--quiet"]
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", "1", "-m", "motionprint"]
    for name, start in (("alone", ["-m", "motionprint"]), ("nccl", launch)):
        command = [sys.executable, *start, *arguments, "--out", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    alone, nccl = (load_file(tmp_path / name / "model.safetensors") for name in ("alone", "nccl"))
    for name, weights in alone.items():
        torch.testing.assert_close(nccl[name], weights, rtol=1e-4, atol=1e-5)
