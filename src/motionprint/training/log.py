"""``log.csv``: what training measured, a line every some steps."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from motionprint.errors import DatasetError, SettingsError
from motionprint.store.atomic import flush, replaced
from motionprint.training.checkpoints import State, writing
from motionprint.training.run import LOG

__all__ = ["Log", "read_csv", "read_log"]


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
        lines = [line for line in _whole_lines(folder / LOG, len(header)) if int(line[0]) <= step]
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


def _whole_lines(file: Path, columns: int) -> Iterator[list[str]]:
    """The lines of a log below its header; one that was cut short by a kill or a full disk is none of them."""
    if not file.is_file():
        return
    text = file.read_text(encoding="utf-8", errors="replace")
    for line in csv.reader(text[: text.rfind("\n") + 1].splitlines()):
        if len(line) == columns and line[0].isdecimal() and line[2].replace(".", "", 1).isdecimal():
            yield line


def read_log(file: Path) -> dict[str, list[float]]:
    """The columns of a log by name, ``step`` the first; NaN where a line has none.

    Raises
    ------
    DatasetError
        If it is no log; the text begins with the file.
    """
    header, lines = read_csv(file)
    if header[:1] != ["step"] or len(set(header)) != len(header):
        raise DatasetError(f"{file}: expected a first column step, and each column once, found {', '.join(header)}")
    columns: dict[str, list[float]] = {name: [] for name in header}
    for number, line in enumerate(lines, start=2):
        for name, value in zip(header, line, strict=True):
            try:
                columns[name].append(float(value) if value else float("nan"))
            except ValueError:
                raise DatasetError(f"{file}:{number}: expected a number under {name}, found {value!r}") from None
    return columns


def read_csv(file: Path) -> tuple[list[str], list[list[str]]]:
    """Header and lines of a CSV file that training or evaluation wrote; every line has the header's fields."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DatasetError(f"{file}: expected a file, found none") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file}: cannot be read: {error}") from error
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise DatasetError(f"{file}: expected a CSV table: {error}") from error
    if not lines:
        raise DatasetError(f"{file}: expected a CSV table with a header, found an empty file")
    for number, line in enumerate(lines, start=1):
        if len(line) != len(lines[0]):
            raise DatasetError(f"{file}:{number}: expected {len(lines[0])} fields, found {len(line)}")
    return lines[0], lines[1:]
