"""benchmarks/training.py counts what is computed, and its ways run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from motionprint.methods import Inpainting
from motionprint.methods.inpainting import InpaintingSettings
from motionprint.training.loop import gradients

FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "training.py"


@pytest.fixture(scope="module")
def training() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_training", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_what_is_counted_is_what_the_products_compute(training: ModuleType) -> None:
    """Counted on top by PyTorch: the layers that give prints and logits, and Dis's inputs' gradient for real frames."""
    settings = InpaintingSettings(encoder_units=48, decoder_units=96, discriminator_units=16)
    method = Inpainting(training.SKELETON, training.INPUTS, settings)
    batch = training.crops(32, 10).batch(0, torch.device("cpu"))
    with FlopCounterMode(display=False) as counter:
        gradients(method.networks, method.objectives(batch))
    expected = training.work(settings, batch.packing.rows, batch.packing.count)
    assert expected < counter.get_total_flops() < 1.03 * expected


def test_every_way_trains_and_is_measured(training: ModuleType) -> None:
    settings = InpaintingSettings(encoder_units=8, decoder_units=8, discriminator_units=4)
    rows = training.measure(settings, torch.device("cpu"), True, training.WAYS, 0.01, square=64)
    assert [row["way"] for row in rows] == ["float32", "bf16", "plain", "field"]
    for row in rows:
        assert row["share"] > 0 and row["frames_per_second"] > 0 and row["times_plain"] > 0
    made = training.epoch(settings, torch.device("cpu"), 4096, "float32", recordings=200)
    assert made["frames"] > 7 * made["sequences"] > 7 * 900


def test_its_networks_are_those_of_the_method(training: ModuleType) -> None:
    """Both references hold as many weights in each network as the method."""
    settings = InpaintingSettings(encoder_units=8, decoder_units=12, discriminator_units=4)
    method = Inpainting(training.SKELETON, training.INPUTS, settings)
    expected = [sum(weight.numel() for weight in network.parameters()) for network in method.networks.values()]
    for stepwise in (False, True):
        reference = training.Reference(settings, torch.device("cpu"), stepwise)
        assert [sum(w.numel() for w in network.parameters()) for network in reference.networks] == expected
