"""From a data set, or a list of sequences, to a run."""

from __future__ import annotations

import csv
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from motionprint.batches import Crops
from motionprint.errors import (
    CheckpointError,
    DatasetError,
    DivergenceError,
    MotionprintError,
    OtherProcessError,
    SettingsError,
)
from motionprint.methods import METHODS
from motionprint.preprocessing import Frames, Recipe, RecipeCounts
from motionprint.progress import Report
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.atomic import flush, held, new_folder, replaced
from motionprint.store.protocols import resolve
from motionprint.training.checkpoints import Checkpoints, State, read_newest, writing
from motionprint.training.distributed import ALONE, World
from motionprint.training.loop import Trainer, interrupts, measured_precision
from motionprint.training.profile import TRACE, Profiler
from motionprint.training.run import (
    CONFIG,
    LOG,
    Run,
    beginning,
    build_method,
    load_run,
    read_config,
    resolve_device,
    versions,
    write_config,
)
from motionprint.training.settings import FREE, TRAINING_PRESETS, TrainingSettings

__all__ = ["configure", "known_settings", "pretrain", "train_on"]

_FITTED = ("scale", "root_scale")
"""Fields of a recipe that are fitted to the frames."""


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
        log = _Log(Path(place), list(trainer.method.networks))
        with _batch_named(trainer, sequences):
            stopped = _write_while(trainer, log, None, report, interrupted)
        text = (Path(place) / LOG).read_text(encoding="utf-8")
    _raise_for(stopped)
    return Run(config, recipe, trainer.method.eval(), trainer.step, log=text)


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
    profile: bool = False,
    report: Report | None = None,
    command: str | None = None,
    world: World = ALONE,
) -> Run:
    """Learn prints from a data set, without labels, into a run folder.

    Only the protocol's training recordings are read; without a protocol, all are. Ctrl-C (or SIGTERM) ends training
    after a whole step, keeps the run usable and raises KeyboardInterrupt (SystemExit); ``resume`` takes a run up where
    its last checkpoint left it and gives the weights of an uninterrupted one. ``profile`` records some of the first
    steps into the run folder (`motionprint.training.profile`).

    Parameters
    ----------
    world
        The processes that train together (see `joined`): each is called alike, and the first one writes the folder.

    Raises
    ------
    DatasetError
        If ``out`` exists (and neither ``resume`` nor ``overwrite`` is given) or another process trains into it, if
        a recording has no recorded joint, or no root, in any frame, if the protocol is unknown, or if the data set
        changes under the run.
    SettingsError
        If a setting is unknown or cannot work, differs from that of the run that is taken up, or no step is left to
        profile.
    CheckpointError
        If the run that is taken up has no whole checkpoint, or a file of the run cannot be written (a full disk).
    DivergenceError
        If an objective or a gradient is not finite or explodes: the text names step, recordings and remedy.

    Whatever fails, the last checkpoint is kept, and the text says so.
    """
    opened = dataset if isinstance(dataset, MotionDataset) else open_dataset(dataset)
    split = resolve(opened, protocol, fold)
    training = opened.subset(split.train)
    wanted = dict(changes or {})
    if steps is not None and epochs is not None:
        raise SettingsError("expected steps or epochs, found both")
    folder = Path(out)
    with held(folder) if world.leads else nullcontext():
        resuming = world.told(resume and folder.exists())
        if world.leads and folder.exists() and not (resuming or overwrite):
            raise DatasetError(f"{out}: exists; --resume continues it, --overwrite replaces it")
        before = world.told(read_config(folder) if resuming and world.leads else {})
        if steps is not None:
            wanted["steps"] = steps
        elif resuming and epochs is None:
            wanted.setdefault("steps", before["training"]["steps"])
        if resuming and wanted.get("precision", "auto") == "auto":  # what was measured when the run began
            wanted["precision"] = before["training"].setdefault("precision", "float32")
        config, recipe = configure(
            opened.skeleton, method=method, preset=preset, changes=wanted, defaults=opened.defaults, seed=seed
        )
        config |= {"dataset": opened.name, "protocol": protocol, "fold": split.fold, "epochs": epochs}
        config["command"] = command
        state = None
        if resuming:
            _refuse_other(before, config, recipe, training, folder)
            state = world.told(read_newest(folder) if world.leads else None)
            assert state is not None
            again = {"command": command, "step": state.step, "damaged": list(state.damaged)}
            config |= {"command": before.get("command"), "resumed": [*before.get("resumed", []), again]}
            if report is not None and state.damaged:
                report(1, 1, f"continuing from the checkpoint of step {state.step}: {'; '.join(state.damaged)}")
        try:
            config, recipe, trainer = _start(
                training,
                config,
                recipe,
                device,
                epochs=epochs,
                report=report,
                beside=folder.resolve() if world.leads else None,
                world=world,
            )
        except DatasetError as error:
            raise DatasetError(f"{opened.folder}: {error}") from error
        facts = {"recordings": "fitted", "settings": "settings", "training": "training", "recipe": "recipe"}
        world.expect_same({name: config[key] for name, key in {**facts, "seed": "seed"}.items()})
        training.check_unchanged()  # all frames have been read: from here on a change alters no weight
        if state is not None:
            _take_up(trainer, state, config, before, folder)
        profiler = Profiler(trainer) if profile and world.leads else None
        with interrupts(world) as interrupted, profiler or nullcontext():
            if world.leads:
                new = None if resuming else new_folder(folder, overwrite=overwrite, kind="run", inputs=[opened.folder])
                stopped = _train_into(
                    folder, new, config, trainer, training, state, tensorboard, report, interrupted, profiler
                )
            else:
                stopped = _train_along(trainer, interrupted)
            world.wait()  # for the last checkpoint: a launcher ends all that are left when one has ended
    _raise_for(stopped)
    if not world.leads:
        return Run(config, recipe, trainer.method.eval(), trainer.step)
    return load_run(folder, str(trainer.device))


def _train_along(trainer: Trainer, interrupted: Callable[[], int]) -> int:
    """Train in a process that writes nothing; the number of the signal that ended it, or 0."""
    try:
        return trainer.run(lambda step, values: None, interrupted)
    except DivergenceError as error:  # the first process finds the same after this step, and has more to say
        raise OtherProcessError(str(error)) from error


def _take_up(
    trainer: Trainer, state: State, config: Mapping[str, Any], before: Mapping[str, Any], folder: Path
) -> None:
    """Put the trainer where a checkpoint left it."""
    for name in _FITTED:  # the index says that the recordings are the same; the frames may lie
        expected, found = before["recipe"].get(name), config["recipe"][name]
        if expected != found:
            raise CheckpointError(
                f"{folder}: was fitted on other frames than those that the data set has now: "
                f"expected the {name} {expected}, found {found}"
            )
    if state.step > trainer.settings.steps:
        raise SettingsError(
            f"{folder}: expected at least the {state.step} steps that are done, found {trainer.settings.steps}"
        )
    try:
        trainer.load_state(state.tensors, state.step)
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder}: its checkpoint of step {state.step} does not fit {CONFIG}: {beginning(error)}"
        ) from error


def _train_into(
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
            log = _Log(place, list(trainer.method.networks), folder, state, tensorboard)

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

            with _batch_named(trainer, training), closing(log):
                return _write_while(trainer, log, checkpoint, report, interrupted, profiler)
        except MotionprintError as error:  # whatever it is, it ends with what there is to continue from
            raise type(error)(f"{error}; {checkpoints.said()}") from error


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
    beside: Path | None = None,
    world: World = ALONE,
) -> tuple[dict[str, Any], Recipe, Trainer]:
    """Fit the recipe, prepare the frames, build networks and trainer.

    ``beside`` is the run folder on whose disk the prepared frames lie; without one, they lie with temporary files.
    """
    if report is not None:
        report(0, None, f"reading {len(sequences)} recordings")
    recipe = recipe.fit(sequences)
    counts = RecipeCounts()
    place = None if beside is None else next(parent for parent in beside.absolute().parents if parent.is_dir())
    expected = sum(recipe.count_frames(length, fps) for length, fps in _lengths(sequences))
    frames = Frames(_prepared(sequences, recipe, counts), recipe.inputs, place=place, expected_rows=expected)
    placed = resolve_device(world.device(device))
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
        encoder_hides=method.encoder_hides,
        hiding=method.hiding,
    )
    if training.precision == "auto":
        measured = measured_precision(method, crops, int(config["seed"]), world) if world.leads else training.precision
        training = replace(training, precision=world.told(measured))
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
        "processes": world.size,
    }
    return config, recipe, Trainer(method, crops, training, int(config["seed"]), world)


def _lengths(sequences: Sequence[SkeletonSequence] | MotionDataset) -> Iterator[tuple[int, float]]:
    """Frames and frames/s of each recording; none is read."""
    if isinstance(sequences, MotionDataset):
        return zip(sequences.lengths.tolist(), sequences.index["fps"].tolist(), strict=True)
    return ((len(sequence), sequence.fps) for sequence in sequences)


def _prepared(
    sequences: Sequence[SkeletonSequence] | MotionDataset, recipe: Recipe, counts: RecipeCounts
) -> Iterator[list[npt.NDArray[np.float32]]]:
    """What a network reads of each recording: one sequence, or its windows."""
    for sequence in sequences:
        yield [recipe.apply(sequence, piece, counts) for piece in recipe.pieces(sequence, counts)]


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
    # of a field that came with a later version the default is what there was before it
    if isinstance(before["settings"], dict):
        before = {**before, "settings": {**_defaults(METHODS[config["method"]].Settings), **before["settings"]}}
    before = {**before, "recipe": {**_defaults(Recipe), **before["recipe"]}}
    for key in ("method", "preset", "settings", "dataset", "protocol", "fold", "seed"):
        if before.get(key) != config.get(key):
            raise SettingsError(f"{folder}: was trained with {key} {before.get(key)!r}, found {config.get(key)!r}")
    for part, found in (("training", config["training"]), ("recipe", recipe.to_dict())):
        for name, value in found.items():
            if name not in (*FREE, *_FITTED) and before[part].get(name) != value:
                raise SettingsError(f"{folder}: was trained with {name} {before[part].get(name)!r}, found {value!r}")
    if before["fitted"] != training.sha256:
        raise CheckpointError(f"{folder}: was fitted on other recordings than those of {training.folder}")


def _defaults(settings: type[Any]) -> dict[str, Any]:
    """The fields of a dataclass that have a default, with it."""
    return {field.name: field.default for field in fields(settings) if field.default is not MISSING}


def _line(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items() if not name.endswith("_gradient"))


def _write_while(
    trainer: Trainer,
    log: _Log,
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
        if step % settings.log_every == 0 or step == settings.steps:
            log.write(step, step / trainer.crops.steps_per_epoch)
        if checkpoint is not None and (step % settings.checkpoint_every == 0 or step == settings.steps):
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
def _batch_named(trainer: Trainer, sequences: Sequence[SkeletonSequence] | MotionDataset) -> Iterator[None]:
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


class _Log:
    """``log.csv``: step, epoch, seconds, then the mean of every objective and gradient norm since the last line.

    Parameters
    ----------
    folder
        Where it is written at the moment.
    named
        The name that the folder has, or will have.
    state
        What the run continues from; None where it begins.
    """

    def __init__(
        self,
        folder: Path,
        networks: Sequence[str],
        named: Path | None = None,
        state: State | None = None,
        tensorboard: bool = False,
    ) -> None:
        tensors, step, _ = state or State()
        self.folder = folder
        self.file = (named or folder) / LOG
        self.columns = [column for name in networks for column in (name, f"{name}_gradient")]
        pending = {name: value.item() for name, value in tensors.items() if name.startswith("log.")}
        self.sums = {column: float(pending.get(f"log.{column}", 0.0)) for column in self.columns}
        self.count = int(pending.get("log.count", 0))
        self.tensorboard, self.first = tensorboard, step
        self.writer: Any = None
        if tensorboard:
            try:
                import torch.utils.tensorboard  # noqa: F401
            except ImportError as error:
                raise SettingsError("--tensorboard needs the package tensorboard: pip install tensorboard") from error
        header = ["step", "epoch", "seconds", *self.columns]
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

    def write(self, step: int, epoch: float) -> None:
        seconds = time.monotonic() - self.started
        means = {column: value / self.count for column, value in self.sums.items()}
        with writing(self.file):
            with open(self.folder / LOG, "a", newline="", encoding="utf-8") as opened:
                line = [step, f"{epoch:.4f}", f"{seconds:.2f}", *(f"{v:.6g}" for v in means.values())]
                csv.writer(opened).writerow(line)
            if self.tensorboard:
                if self.writer is None:  # it appends by name: one is made where the folder has got another
                    from torch.utils.tensorboard import SummaryWriter

                    self.writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.first)
                    self.first = step
                for column, value in means.items():
                    self.writer.add_scalar(column, value, step)
                self.writer.flush()
        self.sums, self.count = dict.fromkeys(self.columns, 0.0), 0

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
        values = {"log.count": float(self.count), **{f"log.{name}": value for name, value in self.sums.items()}}
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}


def _whole_lines(file: Path, columns: int) -> Iterator[list[str]]:
    """The lines of a log below its header; one that was cut short by a kill or a full disk is none of them."""
    if not file.is_file():
        return
    text = file.read_text(encoding="utf-8", errors="replace")
    for line in csv.reader(text[: text.rfind("\n") + 1].splitlines()):
        if len(line) == columns and line[0].isdecimal() and line[2].replace(".", "", 1).isdecimal():
            yield line
