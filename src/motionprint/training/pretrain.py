"""Learning prints without labels: from a data set, or a list of sequences, to a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from motionprint.errors import SettingsError
from motionprint.methods import METHODS
from motionprint.preprocessing import Recipe
from motionprint.progress import Report
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.protocols import resolve
from motionprint.training.distributed import ALONE, World
from motionprint.training.folder import train_folder
from motionprint.training.log import Log
from motionprint.training.loop import interrupts
from motionprint.training.run import LOG, Run
from motionprint.training.start import configure, start
from motionprint.training.writing import batch_named, raise_for, write_while

__all__ = ["pretrain", "require_unsupervised", "train_on"]


def require_unsupervised(method: str) -> None:
    """Refuse what is no method that learns without labels."""
    if method not in METHODS:
        raise SettingsError(f"unknown method {method!r}: expected one of {', '.join(METHODS)}")


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
    config, recipe, trainer = start(sequences, {**unnamed, **config}, recipe, device)
    with TemporaryDirectory() as place, interrupts() as interrupted:
        log = Log(Path(place), list(trainer.method.networks))
        with batch_named(trainer, sequences):
            stopped = write_while(trainer, log, None, report, interrupted)
        text = (Path(place) / LOG).read_text(encoding="utf-8")
    raise_for(stopped)
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
    require_unsupervised(method)
    split = resolve(opened, protocol, fold)
    return train_folder(
        opened.subset(split.train),
        out,
        lambda wanted: configure(
            opened.skeleton,
            method=method,
            preset=preset,
            changes=wanted,
            defaults=opened.defaults,
            seed=seed,
            fps=opened.fps,
        ),
        changes=changes,
        facts={"dataset": opened.name, "protocol": protocol, "fold": split.fold},
        steps=steps,
        epochs=epochs,
        device=device,
        resume=resume,
        overwrite=overwrite,
        tensorboard=tensorboard,
        profile=profile,
        report=report,
        command=command,
        world=world,
    )
