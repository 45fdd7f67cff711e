"""`pretrain --profile`: what is recorded, what is said of it, and that nothing else changes."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import signal
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from motionprint.cli import main
from motionprint.errors import SettingsError
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import MotionDataset, open_dataset, write_dataset
from motionprint.training import load_run, pretrain
from motionprint.training.profile import REST, SUMMARY, TRACE, kinds, phase

TINY = {
    "encoder_units": 4,
    "decoder_units": 4,
    "discriminator_units": 2,
    "layers": 1,
    "batch_size": 4,
    "crops": 1,
    "shortest": 3,
    "longest": 4,
    "log_every": 2,
    "checkpoint_every": 8,
}
PHASES = {
    "wait for the batch",
    "objectives",
    "gradients of encoder",
    "gradients of decoder",
    "gradients of discriminator",
    "clip gradients",
    "optimiser step",
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> MotionDataset:
    folder = tmp_path_factory.mktemp("profile") / "data"
    random = np.random.default_rng(0)
    skeleton = SKELETONS["kinect20"]
    rest = random.normal(size=(len(skeleton), 3))
    paths = [rest + 0.05 * random.normal(size=(20 + n, len(skeleton), 3)).cumsum(0) for n in range(10)]
    write_dataset(
        folder, [SkeletonSequence(p.astype(np.float32), 15.0, skeleton, name=str(i)) for i, p in enumerate(paths)]
    )
    return open_dataset(folder)


def _recorded(folder: Path) -> Counter[str]:
    """How often each label stands in the trace."""
    with gzip.open(folder / TRACE, "rt", encoding="utf-8") as opened:
        events = json.load(opened)["traceEvents"]
    return Counter(event["name"] for event in events if event.get("cat") == "user_annotation")


def _table(summary: str, title: str) -> dict[str, tuple[float, float]]:
    """A table of the summary: milliseconds a step and share by name."""
    lines = summary.split(f"\n{title}")[1].split("\n\n")[0].splitlines()[1:]
    found = [re.fullmatch(r"(.{44}) +([\d.]+) +([\d.]+)%.*", line) for line in lines]
    return {each[1].strip(): (float(each[2]), float(each[3])) for each in found if each is not None}


@pytest.mark.parametrize("resumed", [False, True])
def test_profiling_changes_no_bit(dataset: MotionDataset, tmp_path: Path, resumed: bool) -> None:
    for name, profile in (("plain", False), ("profiled", True)):
        if resumed:
            pretrain(dataset, tmp_path / name, changes=TINY, steps=3)
        pretrain(dataset, tmp_path / name, changes=TINY, steps=14, profile=profile, resume=resumed)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("plain", "profiled"))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    logs = []
    for name in ("plain", "profiled"):
        with open(tmp_path / name / "log.csv", newline="", encoding="utf-8") as opened:
            logs.append([[value for key, value in row.items() if key != "seconds"] for row in csv.DictReader(opened)])
    assert logs[0] == logs[1]
    extra = {path.name for path in (tmp_path / "profiled").iterdir()} - {p.name for p in (tmp_path / "plain").iterdir()}
    assert extra == {TRACE, SUMMARY}


@pytest.mark.parametrize(
    ("steps", "first", "last"),
    [(1, 1, 1), (4, 1, 4), (8, 4, 8), (12, 8, 12), (20, 16, 20), (40, 16, 20)],
)
def test_a_few_steps_are_recorded_fewer_of_a_short_run(
    dataset: MotionDataset, tmp_path: Path, steps: int, first: int, last: int
) -> None:
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=steps, profile=True)
    count = last - first + 1
    labels = _recorded(tmp_path / "run")
    assert {name: labels[name] for name in PHASES} == dict.fromkeys(PHASES, count)
    summary = (tmp_path / "run" / SUMMARY).read_text(encoding="utf-8")
    assert summary.startswith(
        f"profile of steps {first} to {last} of {steps} (cpu, threads: {torch.get_num_threads()})\n"
    )


def test_the_summary_says_where_the_time_goes(dataset: MotionDataset, tmp_path: Path) -> None:
    pretrain(dataset, tmp_path / "run", changes={**TINY, "dropout": 0.5}, steps=12, profile=True)
    summary = (tmp_path / "run" / SUMMARY).read_text(encoding="utf-8")
    assert re.search(
        r"^[\d.]+ ms a step, [\d,]+ valid frames/s, over the 5 steps before; [\d.]+ ms while", summary, re.M
    )
    by_kind = _table(summary, "where the time goes")
    assert set(by_kind) == {
        "matrix products",
        "pointwise operations and sums",
        "memory copies",
        "dropout and random numbers",
        "optimiser",
        "waiting for data",
        REST,
    }
    assert list(by_kind)[-1] == REST
    assert all(milliseconds > 0 for milliseconds, _ in by_kind.values()), summary
    assert sum(share for _, share in by_kind.values()) == pytest.approx(100, abs=0.05 * len(by_kind))  # of one decimal
    phases = _table(summary, "phases")
    assert set(phases) == PHASES
    assert sum(share for _, share in phases.values()) <= 100
    assert by_kind["optimiser"] == phases["optimiser step"]
    operators = _table(summary, "operators, by their own time")
    assert len(operators) == 10 and all(name.startswith("aten::") for name in operators)
    assert len(summary.splitlines()) < 40 and max(map(len, summary.splitlines())) < 100


def test_frames_a_second_count_valid_frames(
    dataset: MotionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that counts a second a look, the rate is the number of frames of the timed steps."""
    from motionprint.batches import Crops
    from motionprint.training import profile as module

    drawn: dict[int, int] = {}
    original = Crops.batch

    def watch(self: Crops, step: int, device: torch.device, **share: Any) -> Any:
        batch = original(self, step, device, **share)
        drawn[step] = sum(batch.packing.lengths)
        return batch

    ticks = iter(range(1000))
    monkeypatch.setattr(Crops, "batch", watch)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=2, profile=True)
    summary = (tmp_path / "run" / SUMMARY).read_text(encoding="utf-8")
    seconds = 2.0  # the end of the first step and of the second, after the beginning
    assert f"{1e3 * seconds / 2:.1f} ms a step, {(drawn[0] + drawn[1]) / seconds:,.0f} valid frames/s" in summary


# ---- what is left behind -----------------------------------------------------------------------------------------


def test_a_profiled_run_is_a_run_like_any_other(dataset: MotionDataset, tmp_path: Path) -> None:
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=2, profile=True)
    assert load_run(tmp_path / "run").steps == 2
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=1, overwrite=True)
    assert not {TRACE, SUMMARY} & {path.name for path in (tmp_path / "run").iterdir()}


def test_no_step_left_is_nothing_to_profile(dataset: MotionDataset, tmp_path: Path) -> None:
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=2)
    with pytest.raises(SettingsError, match="expected steps to profile, found none left of 2"):
        pretrain(dataset, tmp_path / "run", changes=TINY, resume=True, profile=True)


def test_training_that_ends_meanwhile_ends_the_profiler(dataset: MotionDataset, tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None, text: str) -> None:
        if total is not None and done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        pretrain(dataset, tmp_path / "run", changes=TINY, steps=4, profile=True, report=interrupt)
    assert not torch.autograd._profiler_enabled()  # type: ignore[attr-defined]
    assert not {TRACE, SUMMARY} & {path.name for path in (tmp_path / "run").iterdir()}
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=4, profile=True, resume=True)
    assert _recorded(tmp_path / "run")["objectives"] == 2


def test_the_environment_is_left_as_it_was(
    dataset: MotionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KINETO_LOG_LEVEL", raising=False)
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=1, profile=True)
    assert "KINETO_LOG_LEVEL" not in os.environ
    assert capfd.readouterr() == ("", "")


def test_a_label_is_nothing_without_a_profiler() -> None:
    assert isinstance(phase("objectives"), nullcontext)


def test_the_command_prints_the_summary(
    dataset: MotionDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = [f"--set={name}={value}" for name, value in TINY.items()]
    with pytest.raises(SystemExit) as stop:
        main(
            ["pretrain", str(dataset.folder), "--out", str(tmp_path / "run"), "--steps", "2", "-q", "--profile", *sizes]
        )
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert out.endswith((tmp_path / "run" / SUMMARY).read_text(encoding="utf-8"))


# ---- what an event counts for ------------------------------------------------------------------------------------


@dataclass
class Event:
    """As much of a recorded event as is read."""

    name: str
    self_cpu_time_total: float
    cpu_parent: Event | None = None
    self_device_time_total: float = 0.0
    device: str = "CPU"

    @property
    def device_type(self) -> Any:
        return SimpleNamespace(name=self.device)


def test_every_event_counts_once_for_what_it_computes() -> None:
    objectives = Event("objectives", 1)
    dropout = Event("aten::dropout", 2, objectives)
    drawn = Event("wait for the batch", 4)
    step = Event("optimiser step", 8)
    events = [
        objectives,
        dropout,
        Event("aten::mul", 16, dropout),  # of dropout
        Event("aten::bernoulli_", 32, dropout),
        Event("aten::mul_", 64, objectives, 100),
        Event("aten::mm", 128, objectives, 1000),
        Event("aten::mm", 256),
        Event("aten::copy_", 512, Event("aten::contiguous", 0, objectives)),
        Event("aten::copy_", 1024, drawn, 10),  # of waiting for data
        Event("aten::sqrt", 2048, Event("Optimizer.step#Adam.step", 0, step)),  # of the optimiser
        Event("aten::as_strided", 4096, objectives),  # of the rest
        drawn,
        step,
        Event("gemm_kernel", 1e6, None, 1e6, device="CUDA"),  # what its operator counts already
    ]
    assert kinds(events, 10_000) == {
        "matrix products": 128 + 256,
        "pointwise operations and sums": 64,
        "memory copies": 512,
        "dropout and random numbers": 2 + 16 + 32,
        "waiting for data": 4 + 1024,
        "optimiser": 8 + 2048,
        REST: 10_000 - (128 + 256 + 64 + 512 + 50 + 1028 + 2056),
    }
    on_device = kinds(events, 10_000, on_device=True)
    assert {name: value for name, value in on_device.items() if value} == {
        "matrix products": 1000,
        "pointwise operations and sums": 100,
        "waiting for data": 10,
        REST: 10_000 - 1110,
    }
