"""A run folder while it is being trained: its log, its checkpoints, and what is said when training fails."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from motionprint.errors import DivergenceError, MotionprintError, OtherProcessError
from motionprint.progress import Report
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset
from motionprint.training.checkpoints import Checkpoints, State, writing
from motionprint.training.log import Log
from motionprint.training.loop import Trainer
from motionprint.training.profile import TRACE, Profiler
from motionprint.training.run import CONFIG, write_config
from motionprint.training.validation import COLUMNS

__all__ = ["batch_named", "raise_for", "train_along", "train_into", "write_while"]


def train_into(
    folder: Path,
    new: AbstractContextManager[Path] | None,
    config: Mapping[str, Any],
    trainer: Trainer,
    training: MotionDataset,
    state: State | None,
    tensorboard: bool,
    report: Report | None,
    interrupted: Callable[[], int],
    profiler: Profiler | None,
) -> int:
    """Train, and write a run folder meanwhile; the number of the signal that ended it, or 0.

    A new one is under a temporary name until there is a checkpoint: what fails before leaves nothing behind.
    """
    with ExitStack() as building:
        place = folder if new is None else building.enter_context(new)
        checkpoints = Checkpoints(place, trainer.settings.keep_checkpoints, state)
        try:
            with writing(folder / CONFIG):
                write_config(config, place / CONFIG)
            log = Log(place, list(trainer.method.networks), folder, state, tensorboard, measured_by(trainer))

            def checkpoint() -> None:
                with writing(folder):
                    if log.folder != folder:
                        log.close()  # before the folder gets its name
                    log.flush()
                    checkpoints.write({**trainer.state(), **log.state()}, trainer.step)
                    building.close()
                checkpoints.moved(folder)
                log.folder = folder
                training.check_unchanged()

            with batch_named(trainer, training), closing(log):
                return write_while(trainer, log, checkpoint, report, interrupted, profiler)
        except MotionprintError as error:  # whatever it is, it ends with what there is to continue from
            raise type(error)(f"{error}; {checkpoints.said()}") from error


def measured_by(trainer: Trainer) -> Sequence[str]:
    """The columns of a log that validation fills."""
    return () if trainer.validation is None else COLUMNS


def train_along(trainer: Trainer, interrupted: Callable[[], int]) -> int:
    """Train in a process that writes nothing; the number of the signal that ended it, or 0."""
    try:
        return trainer.run(lambda step, values: None, interrupted)
    except DivergenceError as error:  # the first process finds the same after this step, and has more to say
        raise OtherProcessError(str(error)) from error


def raise_for(signal_number: int) -> None:
    """End as the signal that stopped training asks for."""
    if signal_number == signal.SIGINT:
        raise KeyboardInterrupt
    if signal_number:
        raise SystemExit(128 + signal_number)


def write_while(
    trainer: Trainer,
    log: Log,
    checkpoint: Callable[[], None] | None,
    report: Report | None,
    interrupted: Callable[[], int],
    profiler: Profiler | None = None,
) -> int:
    """Train, and keep log and checkpoints; the number of the signal that ended it, or 0."""
    settings = trainer.settings
    first = trainer.step

    def after_step(step: int, values: Mapping[str, float]) -> None:
        log.add(values)
        if step % settings.log_every == 0 or trainer.finished:
            log.write(step, step / trainer.crops.steps_per_epoch)
        if checkpoint is not None and (step % settings.checkpoint_every == 0 or trainer.finished):
            checkpoint()
        if report is not None:
            report(step - first, settings.steps - first, _line(values))
        if profiler is not None:
            with writing(log.file.parent / TRACE):
                profiler.step(log.folder)

    stopped = trainer.run(after_step, interrupted)
    if checkpoint is not None:
        checkpoint()  # which writes nothing where the last step's is there
    return stopped


def _name(sequences: Sequence[SkeletonSequence] | MotionDataset, number: int) -> str:
    name = sequences.index["name"].iloc[number] if isinstance(sequences, MotionDataset) else sequences[number].name
    return str(name or f"recording {number}")


@contextmanager
def batch_named(trainer: Trainer, sequences: Sequence[SkeletonSequence] | MotionDataset) -> Iterator[None]:
    """Let training that diverges name the recordings of the batch, and what helps."""
    try:
        yield
    except DivergenceError as error:
        numbers = trainer.crops.frames.recording[trainer.crops.recordings(trainer.step)]
        names = [_name(sequences, int(number)) for number in np.unique(numbers)]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise DivergenceError(
            f"{error}; its batch is of {', '.join(names[:3])}{more}: "
            "look at these recordings, or start again with a smaller learning_rate"
        ) from error


def _line(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items() if not name.endswith("_gradient"))
