"""Where the time of training goes: a few steps recorded with ``torch.profiler``.

The first steps are let pass (memory is taken, caches fill), the next are timed as they are, and only then some are
recorded: the profiler itself costs time at every operator, so that shares are read from the recorded steps and speed
from the others. A run too short for all three is recorded from its start. Nothing that is computed changes.
"""

from __future__ import annotations

import gzip
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch
from torch.profiler import ProfilerActivity, record_function

from motionprint.errors import SettingsError
from motionprint.store.atomic import replaced

if TYPE_CHECKING:
    from motionprint.training.loop import Trainer

__all__ = ["SUMMARY", "TRACE", "Profiler", "kinds", "phase"]

TRACE = "profile.json.gz"
"""The file of a run folder with everything that was recorded (chrome://tracing, Perfetto)."""
SUMMARY = "profile.txt"
"""The file of a run folder that sums it up on one screen."""

WARM_UP, TIMED, RECORDED = 10, 5, 5
"""Steps that pass, that are timed without the profiler, and that are recorded."""
TOP = 10
"""Operators in the summary."""

REST = "the rest (Python, launches, views)"


def phase(name: str) -> AbstractContextManager[Any]:
    """Label what a block computes; without a profiler the label costs nothing."""
    return record_function(name) if torch.autograd._profiler_enabled() else nullcontext()  # type: ignore[attr-defined]


class Profiler:
    """Records a few steps of a trainer; ``step`` is called after each, and writes once all are recorded.

    Raises
    ------
    SettingsError
        If the trainer has no step left.
    """

    def __init__(self, trainer: Trainer) -> None:
        left = trainer.settings.steps - trainer.step
        if left < 1:
            raise SettingsError(f"expected steps to profile, found none left of {trainer.settings.steps}")
        self.trainer = trainer
        recorded = min(RECORDED, left)
        timed = min(TIMED, left - recorded)
        self.begin = trainer.step + min(WARM_UP, left - recorded - timed)
        """Steps done when timing begins."""
        self.start = self.begin + timed
        """Steps done when recording begins."""
        self.end = self.start + recorded
        """Steps done when it ends."""
        activities = [ProfilerActivity.CPU]
        if trainer.device.type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        self._profile = torch.profiler.profile(activities=activities)
        self._running = False
        self._began = self._started = self._timed = 0.0

    def __enter__(self) -> Profiler:
        self._mark()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running:  # training was ended meanwhile
            self._profile.stop()

    def step(self, folder: Path) -> None:
        """Say that a step is done; after the last recorded one, `TRACE` and `SUMMARY` are written to the folder."""
        now = time.perf_counter()
        if self.trainer.step != self.end:
            self._mark()
            return
        self._profile.stop()
        self._running = False
        with TemporaryDirectory() as place, replaced(folder / TRACE) as unfinished:
            trace = Path(place) / "profile.json"
            self._profile.export_chrome_trace(str(trace))  # which compresses too, but line by line
            unfinished.write_bytes(gzip.compress(trace.read_bytes(), compresslevel=6))
        with replaced(folder / SUMMARY) as unfinished:
            unfinished.write_text(self._summary(now - self._started), encoding="utf-8")

    def _mark(self) -> None:
        """Begin what begins after this many steps."""
        if self.trainer.step == self.begin:
            self._began = time.perf_counter()
        if self.trainer.step == self.start:
            self._timed = time.perf_counter() - self._began
            # the profiler's own library tells standard error when it starts and stops, below this level
            before = os.environ.get("KINETO_LOG_LEVEL")
            os.environ.setdefault("KINETO_LOG_LEVEL", "6")
            self._profile.start()
            if before is None:
                del os.environ["KINETO_LOG_LEVEL"]
            self._running = True
            self._started = time.perf_counter()

    def _frames(self, first: int, last: int) -> int:
        """Valid frames of the batches of some steps: what a step draws depends on its number alone."""
        return sum(int(self.trainer.crops.lengths(step).sum()) for step in range(first, last))

    def _summary(self, seconds: float) -> str:
        """The recorded steps on one screen."""
        steps, total = self.end - self.start, self.trainer.settings.steps
        device = self.trainer.device
        place = f"{device}, threads: {torch.get_num_threads()}" if device.type == "cpu" else str(device)
        lines = [f"profile of steps {self.start + 1} to {self.end} of {total} ({place})"]
        timed = self.start - self.begin
        if timed:
            each, rate = self._timed / timed, self._frames(self.begin, self.start) / self._timed
            lines.append(
                f"{1e3 * each:.1f} ms a step, {rate:,.0f} valid frames/s, over the {timed} steps before; "
                f"{1e3 * seconds / steps:.1f} ms while recording"
            )
        else:
            rate = self._frames(self.start, self.end) / seconds
            lines.append(f"{1e3 * seconds / steps:.1f} ms a step, {rate:,.0f} valid frames/s, while recording")
        events: list[Any] = list(self._profile.events() or [])  # type: ignore[no-untyped-call]
        on_device = device.type == "cuda"
        whole = 1e6 * seconds  # microseconds, as in the events
        tables = (
            ("where the time goes", kinds(events, whole, on_device)),
            ("phases", _phases(events)),
        )
        for title, table in tables:
            lines += ["", f"{title:<44} {'ms a step':>10} {'share':>7}"]
            lines += [
                f"{name:<44} {value / steps / 1e3:>10.3f} {value / whole:>7.1%}"
                for name, value in sorted(table.items(), key=lambda item: (item[0] == REST, -item[1]))
            ]
        times, calls = _operators(events, on_device)
        lines += ["", f"{'operators, by their own time':<44} {'ms a step':>10} {'share':>7} {'calls a step':>13}"]
        lines += [
            f"{name[:44]:<44} {value / steps / 1e3:>10.3f} {value / whole:>7.1%} {calls[name] / steps:>13.1f}"
            for name, value in sorted(times.items(), key=lambda item: -item[1])[:TOP]
        ]
        return "\n".join(lines) + "\n"


# ---- what was recorded -------------------------------------------------------------------------------------------

PHASES = ("wait for the batch", "objectives", "gradients of ", "clip gradients", "optimiser step")
"""What the labels of the trainer begin with."""

_KINDS = {
    "matrix products": "mm addmm bmm baddbmm addbmm mv addmv dot matmul linear",
    "recurrent kernels": "_cudnn_rnn _cudnn_rnn_backward mkldnn_rnn_layer mkldnn_rnn_layer_backward",
    "dropout and random numbers": "dropout native_dropout native_dropout_backward bernoulli normal uniform rand randn "
    "rand_like randn_like random",
    "pointwise operations and sums": "abs add addcdiv addcmul clamp clamp_min clamp_max div eq exp gt isfinite lerp "
    "log lt masked_fill mean mul neg pow reciprocal rsub sigmoid sigmoid_backward softplus softplus_backward sqrt "
    "square sub sum tanh tanh_backward where linalg_vector_norm norm threshold_backward ne",
    "memory copies": "cat clone contiguous copy _to_copy to fill gather index index_add index_put "
    "_index_put_impl index_select index_select_backward select_backward slice_backward stack zero zeros zeros_like "
    "new_zeros scatter scatter_add embedding_dense_backward",
}
_KIND = {f"aten::{name}": kind for kind, names in _KINDS.items() for name in names.split()}
_RANDOM = "dropout and random numbers"
_BY_PHASE = {"wait for the batch": "waiting for data", "optimiser step": "optimiser"}


def kinds(events: Iterable[Any], whole: float, on_device: bool = False) -> Mapping[str, float]:
    """Microseconds by what was computed; they sum up to ``whole``.

    An operator counts for its own time (on the device, where there is one). All in the phases of drawing and of the
    optimiser counts for these, and what dropout calls for dropout.
    """
    found: dict[str, float] = defaultdict(float)
    for event in events:
        if not _is_host(event):
            continue
        value = event.self_device_time_total if on_device else event.self_cpu_time_total
        kind = _kind(event)
        if kind is not None:
            found[kind] += value
    found[REST] = max(0.0, whole - sum(found.values()))
    return found


def _kind(event: Any) -> str | None:
    """What an event counts for; None is the rest."""
    kind = _KIND.get(_plain(event.name))
    above = event
    while above is not None:
        if above.name in _BY_PHASE:
            return _BY_PHASE[above.name]
        if _KIND.get(_plain(above.name)) == _RANDOM:
            kind = _RANDOM
        above = above.cpu_parent
    return kind


def _plain(name: str) -> str:
    """``aten::mul_`` as ``aten::mul``."""
    return name.removesuffix("_")


def _is_host(event: Any) -> bool:
    """Whether it is an operator or a label, not a kernel, which its operator counts already."""
    return bool(event.device_type.name == "CPU")


def _phases(events: Iterable[Any]) -> Mapping[str, float]:
    """Microseconds on the host between beginning and end of every label of the trainer."""
    found: dict[str, float] = defaultdict(float)
    for event in events:
        if _is_host(event) and event.name.startswith(PHASES):
            found[event.name] += event.cpu_time_total
    return found


def _operators(events: Iterable[Any], on_device: bool) -> tuple[Mapping[str, float], Mapping[str, int]]:
    """Microseconds of their own, and calls, by operator."""
    times: dict[str, float] = defaultdict(float)
    calls: Counter[str] = Counter()
    for event in events:
        if _is_host(event) and event.name.startswith("aten::"):
            times[event.name] += event.self_device_time_total if on_device else event.self_cpu_time_total
            calls[event.name] += 1
    return times, calls
