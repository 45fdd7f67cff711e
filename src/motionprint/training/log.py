"""``log.csv``: what training measured, a line every some steps."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from motionprint.errors import DatasetError, SettingsError
from motionprint.store.atomic import flush, replaced
from motionprint.training.checkpoints import State, writing
from motionprint.training.run import LOG

__all__ = ["Log", "read_log"]


class Log:
    """``log.csv``: step, epoch, seconds, then the mean of every objective and gradient norm since the last line.

    Parameters
    ----------
    folder
        Where it is written at the moment.
    named
        The name that the folder has, or will have.
    state
        What the run continues from; None where it begins.
    measured
        What is measured after some steps only: a line has the last number since the line before, or none.
    """

    def __init__(
        self,
        folder: Path,
        networks: Sequence[str],
        named: Path | None = None,
        state: State | None = None,
        tensorboard: bool = False,
        measured: Sequence[str] = (),
    ) -> None:
        tensors, step, _ = state or State()
        self.folder = folder
        self.file = (named or folder) / LOG
        self.columns = [column for name in networks for column in (name, f"{name}_gradient")]
        pending = {name: value.item() for name, value in tensors.items() if name.startswith("log.")}
        self.sums = {column: float(pending.get(f"log.{column}", 0.0)) for column in self.columns}
        self.count = int(pending.get("log.count", 0))
        self.measured = tuple(measured)
        self.latest = {name: pending[f"log.{name}"] for name in measured if f"log.{name}" in pending}
        self.tensorboard, self.first = tensorboard, step
        self.writer: Any = None
        if tensorboard:
            try:
                import torch.utils.tensorboard  # noqa: F401
            except ImportError as error:
                raise SettingsError("--tensorboard needs the package tensorboard: pip install tensorboard") from error
        header = ["step", "epoch", "seconds", *self.columns, *self.measured]
        lines = list(_written_before(folder / LOG, header, step)) if (folder / LOG).exists() else []
        self.started = time.monotonic() - (float(lines[-1][2]) if lines else 0.0)
        with (
            writing(self.file),
            replaced(folder / LOG) as unfinished,
            open(unfinished, "w", newline="", encoding="utf-8") as opened,
        ):
            csv.writer(opened).writerows([header, *lines])

    def add(self, values: Mapping[str, float]) -> None:
        for column in self.columns:
            self.sums[column] += values[column]
        self.count += 1
        self.latest |= {name: values[name] for name in self.measured if name in values}

    def write(self, step: int, epoch: float) -> None:
        seconds = time.monotonic() - self.started
        means = {column: value / self.count for column, value in self.sums.items()}
        with writing(self.file):
            with open(self.folder / LOG, "a", newline="", encoding="utf-8") as opened:
                line = [step, f"{epoch:.4f}", f"{seconds:.2f}", *(f"{v:.6g}" for v in means.values())]
                line += [f"{self.latest[name]:.6g}" if name in self.latest else "" for name in self.measured]
                csv.writer(opened).writerow(line)
            if self.tensorboard:
                if self.writer is None:  # it appends by name: one is made where the folder has got another
                    from torch.utils.tensorboard import SummaryWriter

                    self.writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.first)
                    self.first = step
                for column, value in {**means, **self.latest}.items():
                    self.writer.add_scalar(column, value, step)
                self.writer.flush()
        self.sums, self.count, self.latest = dict.fromkeys(self.columns, 0.0), 0, {}

    def close(self) -> None:
        """End what is written for TensorBoard, until there is more."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def flush(self) -> None:
        """Wait until the lines that a checkpoint counts on are on the disk."""
        flush(self.folder / LOG)

    def state(self) -> dict[str, torch.Tensor]:
        """What has been added since the last line, as a checkpoint stores it."""
        values = {"count": float(self.count), **self.sums, **self.latest}
        return {f"log.{name}": torch.tensor(value, dtype=torch.float64) for name, value in values.items()}


def read_log(file: Path) -> dict[str, list[float]]:
    """The columns of a log by name, ``step`` the first; NaN where a line has none.

    The log of a run that is still being written may be read: a last line without an end is left out.

    Raises
    ------
    DatasetError
        If it cannot be read, or is no log; the text begins with the file.
    """
    lines = _whole_lines(file)
    header = lines[0] if lines else []
    if header[:1] != ["step"] or len(set(header)) != len(header):
        raise DatasetError(
            f"{file}: expected a first column step, and each column once, found {', '.join(header)[:80]!r}"
        )
    numbers = [_numbers(f"{file}:{number}", header, line) for number, line in enumerate(lines[1:], start=2)]
    return {name: [line[column] for line in numbers] for column, name in enumerate(header)}


def _whole_lines(file: Path) -> list[list[str]]:
    """The header of a log and its lines, but not a last one that is being written or was cut short."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read: {error.strerror or error}") from error
    # training quotes nothing: a damaged line with a quotation mark in it does not take those after it along
    return [line.split(",") for line in text.split("\n")[:-1]]


def _numbers(where: str, header: Sequence[str], line: Sequence[str]) -> list[float]:
    """The numbers of one line, its step the first; NaN where there is none."""
    if len(line) != len(header):
        raise DatasetError(f"{where}: expected {len(header)} fields, found {len(line)}")
    if not (line[0].isascii() and line[0].isdigit()):
        raise DatasetError(f"{where}: expected a whole number under {header[0]}, found {line[0][:80]!r}")
    numbers = []
    for name, value in zip(header, line, strict=True):
        try:
            numbers.append(float(value) if value else float("nan"))
        except ValueError:
            raise DatasetError(f"{where}: expected a number under {name}, found {value[:80]!r}") from None
    return numbers


def _written_before(file: Path, header: Sequence[str], step: int) -> Iterator[list[str]]:
    """The lines that a run goes on from, up to a step; what a kill or a full disk has damaged is none of them."""
    for number, line in enumerate(_whole_lines(file)[1:], start=2):
        try:
            at, _, seconds, *_ = _numbers(f"{file}:{number}", header, line)
        except DatasetError:
            continue
        if at <= step and math.isfinite(seconds):
            yield line
