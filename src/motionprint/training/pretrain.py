"""From a data set, or a list of sequences, to a run."""

from __future__ import annotations

import csv
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from motionprint.batches import Crops
from motionprint.errors import CheckpointError, DatasetError, SettingsError
from motionprint.methods import METHODS
from motionprint.preprocessing import Recipe, RecipeCounts
from motionprint.progress import Report
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.atomic import new_folder, replaced
from motionprint.store.protocols import resolve
from motionprint.training.loop import Trainer, interrupts
from motionprint.training.run import (
    CONFIG,
    LOG,
    WEIGHTS,
    Run,
    build_method,
    load_run,
    read_config,
    read_tensors,
    resolve_device,
    versions,
    write_config,
    write_tensors,
)
from motionprint.training.settings import TRAINING_PRESETS, TrainingSettings

__all__ = ["configure", "known_settings", "pretrain", "train_on"]


def known_settings(method: str, preset: str) -> tuple[Any, TrainingSettings]:
    """The settings of a method and of its training under a preset."""
    if method not in METHODS:
        raise SettingsError(f"unknown method {method!r}: expected one of {', '.join(METHODS)}")
    presets = METHODS[method].presets
    if preset not in presets:
        raise SettingsError(f"unknown preset {preset!r}: expected one of {', '.join(presets)}")
    return presets[preset], TRAINING_PRESETS[preset]


def configure(
    skeleton: Skeleton,
    *,
    method: str = "inpainting",
    preset: str = "small",
    changes: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> tuple[dict[str, Any], Recipe]:
    """A run's configuration, and its recipe before it is fitted.

    Parameters
    ----------
    skeleton
        The joints that the run will know.
    changes
        Values for any field of the method's settings, of `TrainingSettings` or of `Recipe`.
    defaults
        What the corpus declares for the recipe (``alignment``, ``max_length``).

    Raises
    ------
    SettingsError
        If a method, a preset or a field is unknown (the text names those that are known), or a value cannot work.
    """
    settings, training = known_settings(method, preset)
    if seed < 0:
        raise SettingsError(f"expected a seed of at least 0, found {seed}")
    given = dict(changes or {})
    parts: list[Any] = []
    known: list[str] = []
    recipe = Recipe(skeleton, **(defaults or {}))
    part: Any
    for part in (settings, training, recipe):
        names = [field.name for field in fields(part) if field.name not in ("skeleton", "scale", "root_scale")]
        known += names
        parts.append(replace(part, **{name: given.pop(name) for name in names if name in given}))
    if given:
        raise SettingsError(f"unknown setting {next(iter(given))!r}: expected one of {', '.join(known)}")
    config = {
        "method": method,
        "preset": preset,
        "settings": asdict(parts[0]),
        "training": asdict(parts[1]),
        "seed": seed,
    }
    return config, parts[2]


def train_on(
    sequences: Sequence[SkeletonSequence] | MotionDataset,
    config: Mapping[str, Any],
    recipe: Recipe,
    *,
    device: str = "auto",
    report: Report | None = None,
) -> Run:
    """Fit the recipe and train; the run is in memory, and `save_run` writes it."""
    unnamed = {"dataset": None, "protocol": None, "fold": 0, "command": None}
    config, recipe, trainer = _start(sequences, {**unnamed, **config}, recipe, device)
    with TemporaryDirectory() as place, interrupts() as interrupted:
        stopped = _write_while(trainer, Path(place), False, report, interrupted, None)
        log = (Path(place) / LOG).read_text(encoding="utf-8")
    _raise_for(stopped)
    return Run(config, recipe, trainer.method.eval(), trainer.step, log=log)


def pretrain(
    dataset: MotionDataset | str | Path,
    out: str | Path,
    *,
    method: str = "inpainting",
    preset: str = "small",
    changes: Mapping[str, Any] | None = None,
    protocol: str | None = None,
    fold: int = 0,
    seed: int = 0,
    steps: int | None = None,
    epochs: int | None = None,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    tensorboard: bool = False,
    report: Report | None = None,
    command: str | None = None,
) -> Run:
    """Learn prints from a data set, without labels, into a run folder.

    Only the protocol's training recordings are read; without a protocol, all are. Ctrl-C (or SIGTERM) ends training
    after a whole step, keeps the run usable and raises KeyboardInterrupt (SystemExit); ``resume`` takes a run up where
    its last checkpoint left it and gives the weights of an uninterrupted one.

    Raises
    ------
    DatasetError
        If ``out`` exists (and neither ``resume`` nor ``overwrite`` is given), if values are missing (NaN), or if the
        protocol is unknown.
    SettingsError
        If a setting is unknown or cannot work, or differs from that of the run that is taken up.
    """
    opened = dataset if isinstance(dataset, MotionDataset) else open_dataset(dataset)
    split = resolve(opened, protocol, fold)
    training = opened.subset(split.train)
    wanted = dict(changes or {})
    if steps is not None and epochs is not None:
        raise SettingsError("expected steps or epochs, found both")
    folder = Path(out)
    resuming = resume and folder.exists()
    if folder.exists() and not (resuming or overwrite):
        raise DatasetError(f"{out}: exists; --resume continues it, --overwrite replaces it")
    before = read_config(folder) if resuming else {}
    if steps is not None:
        wanted["steps"] = steps
    elif resuming and epochs is None:
        wanted.setdefault("steps", before["training"]["steps"])
    config, recipe = configure(
        opened.skeleton, method=method, preset=preset, changes=wanted, defaults=opened.defaults, seed=seed
    )
    config |= {"dataset": opened.name, "protocol": protocol, "fold": split.fold, "epochs": epochs}
    config["command"] = command
    if resuming:
        _refuse_other(before, config, recipe, training, folder)
        config |= {"command": before.get("command"), "resumed": [*before.get("resumed", []), command]}
    try:
        config, recipe, trainer = _start(training, config, recipe, device, epochs=epochs, report=report)
    except DatasetError as error:
        raise DatasetError(f"{opened.folder}: {error}") from error
    if resuming:
        tensors, done = read_tensors(folder / WEIGHTS)
        trainer.load_state(tensors, done)
        if trainer.step > trainer.settings.steps:
            raise SettingsError(
                f"{folder}: expected at least the {trainer.step} steps that are done, found {trainer.settings.steps}"
            )
    with interrupts() as interrupted, ExitStack() as stack:
        place, placed = folder, None
        if not resuming:  # under a temporary name until there is a checkpoint: what fails before leaves nothing behind
            place = stack.enter_context(new_folder(folder, overwrite=overwrite, kind="run", inputs=[opened.folder]))
            placed = partial(_placed, stack, folder)
        write_config(config, place / CONFIG)
        stopped = _write_while(trainer, place, tensorboard, report, interrupted, placed)
    _raise_for(stopped)
    return load_run(folder, str(trainer.device))


def _placed(stack: ExitStack, folder: Path) -> Path:
    """Give the run folder its name; it is written to under that name from now on."""
    stack.close()
    return folder


def _raise_for(signal_number: int) -> None:
    """End as the signal that stopped training asks for."""
    if signal_number == signal.SIGINT:
        raise KeyboardInterrupt
    if signal_number:
        raise SystemExit(128 + signal_number)


def _start(
    sequences: Sequence[SkeletonSequence] | MotionDataset,
    config: dict[str, Any],
    recipe: Recipe,
    device: str,
    *,
    epochs: int | None = None,
    report: Report | None = None,
) -> tuple[dict[str, Any], Recipe, Trainer]:
    """Fit the recipe, prepare the frames, build networks and trainer."""
    if report is not None:
        report(0, None, f"reading {len(sequences)} recordings")
    recipe = recipe.fit(sequences)
    counts = RecipeCounts()
    frames = []
    for sequence in sequences:
        pieces = recipe.pieces(sequence)
        counts.windowed += len(pieces) > 1
        frames += [recipe.apply(sequence, piece, counts) for piece in pieces]
    placed = resolve_device(device)
    method = build_method(config, recipe).to(placed)
    training = TrainingSettings(**config["training"])
    crops = Crops(
        frames,
        list(method.hidden_inputs),
        batch_size=training.batch_size,
        crops=training.crops,
        shortest=training.shortest,
        longest=training.longest,
        hidden_parts=method.hidden_parts,
        seed=int(config["seed"]),
    )
    if epochs is not None:
        training = replace(training, steps=epochs * crops.steps_per_epoch)
    config |= {
        "training": asdict(training),
        "recipe": recipe.to_dict(),
        "skeleton": recipe.skeleton.to_dict(),
        "fitted": _hashes(sequences),
        "counts": asdict(counts),
        "versions": versions(),
        "device": str(placed),
    }
    return config, recipe, Trainer(method, crops, training, int(config["seed"]))


def _hashes(sequences: Sequence[SkeletonSequence] | MotionDataset) -> list[str]:
    """sha256 of each recording's positions."""
    if isinstance(sequences, MotionDataset):
        return sequences.sha256
    import hashlib

    return [hashlib.sha256(np.ascontiguousarray(s.positions).tobytes()).hexdigest() for s in sequences]


def _refuse_other(
    before: Mapping[str, Any], config: Mapping[str, Any], recipe: Recipe, training: MotionDataset, folder: Path
) -> None:
    """Refuse to take up a run with other settings or other recordings."""
    for key in ("method", "preset", "settings", "dataset", "protocol", "fold", "seed"):
        if before.get(key) != config.get(key):
            raise SettingsError(f"{folder}: was trained with {key} {before.get(key)!r}, found {config.get(key)!r}")
    free = ("steps", "checkpoint_every", "log_every", "scale", "root_scale")  # may differ, or are not yet fitted
    for part, found in (("training", config["training"]), ("recipe", recipe.to_dict())):
        for name, value in found.items():
            if name not in free and before[part].get(name) != value:
                raise SettingsError(f"{folder}: was trained with {name} {before[part].get(name)!r}, found {value!r}")
    if before["fitted"] != training.sha256:
        raise CheckpointError(f"{folder}: was fitted on other recordings than those of {training.folder}")


def _line(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items() if not name.endswith("_gradient"))


def _write_while(
    trainer: Trainer,
    folder: Path,
    tensorboard: bool,
    report: Report | None,
    interrupted: Callable[[], int],
    first_checkpoint: Callable[[], Path] | None,
) -> int:
    """Train, and keep log and checkpoints; the number of the signal that ended it, or 0.

    ``first_checkpoint`` is called once there is one, and says where the folder is from then on.
    """
    settings = trainer.settings
    log = _Log(folder, trainer.step, list(trainer.method.networks), tensorboard)
    first = trainer.step

    def checkpoint() -> None:
        nonlocal first_checkpoint
        write_tensors(trainer.state(), trainer.step, log.folder / WEIGHTS)
        if first_checkpoint is not None:
            log.folder = first_checkpoint()
            first_checkpoint = None

    def after_step(step: int, values: Mapping[str, float]) -> None:
        log.add(values)
        if step % settings.log_every == 0 or step == settings.steps:
            log.write(step, step / trainer.crops.steps_per_epoch)
        if step % settings.checkpoint_every == 0 or step == settings.steps:
            checkpoint()
        if report is not None:
            report(step - first, settings.steps - first, _line(values))

    stopped = trainer.run(after_step, interrupted)
    if stopped or settings.steps == 0:
        checkpoint()
    return stopped


class _Log:
    """``log.csv``: step, epoch, seconds, then the mean of every objective and gradient norm since the last line."""

    def __init__(self, folder: Path, step: int, networks: Sequence[str], tensorboard: bool) -> None:
        self.folder = folder
        file = folder / LOG
        self.columns = [column for name in networks for column in (name, f"{name}_gradient")]
        self.sums = dict.fromkeys(self.columns, 0.0)
        self.count = 0
        self.writer: Any = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise SettingsError("--tensorboard needs the package tensorboard: pip install tensorboard") from error
            self.writer = SummaryWriter(folder / "tensorboard", purge_step=step)
        lines = [["step", "epoch", "seconds", *self.columns]]
        if step and file.is_file():  # lines after the checkpoint will be written again
            with open(file, newline="", encoding="utf-8") as opened:
                lines += [line for line in list(csv.reader(opened))[1:] if line and int(line[0]) <= step]
        before = float(lines[-1][2]) if len(lines) > 1 else 0.0
        self.started = time.monotonic() - before
        with replaced(file) as unfinished, open(unfinished, "w", newline="", encoding="utf-8") as opened:
            csv.writer(opened).writerows(lines)

    def add(self, values: Mapping[str, float]) -> None:
        for column in self.columns:
            self.sums[column] += values[column]
        self.count += 1

    def write(self, step: int, epoch: float) -> None:
        seconds = time.monotonic() - self.started
        means = {column: value / self.count for column, value in self.sums.items()}
        with open(self.folder / LOG, "a", newline="", encoding="utf-8") as opened:
            csv.writer(opened).writerow([step, f"{epoch:.4f}", f"{seconds:.2f}", *(f"{v:.6g}" for v in means.values())])
        if self.writer is not None:
            for column, value in means.items():
                self.writer.add_scalar(column, value, step)
            self.writer.flush()
        self.sums, self.count = dict.fromkeys(self.columns, 0.0), 0
