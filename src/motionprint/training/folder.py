"""A run in a folder of its own: begun, or taken up where its last checkpoint left it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from motionprint.errors import DatasetError, SettingsError
from motionprint.preprocessing import Recipe
from motionprint.progress import Report
from motionprint.store import MotionDataset
from motionprint.store.atomic import held, new_folder
from motionprint.training.checkpoints import read_newest
from motionprint.training.distributed import ALONE, World
from motionprint.training.loop import interrupts
from motionprint.training.profile import Profiler
from motionprint.training.run import Run, load_run, read_config
from motionprint.training.start import Lessons, refuse_other, start, take_up
from motionprint.training.writing import raise_for, train_along, train_into

__all__ = ["train_folder"]


def train_folder(
    training: MotionDataset,
    out: str | Path,
    configured: Callable[[Mapping[str, Any]], tuple[dict[str, Any], Recipe]],
    *,
    changes: Mapping[str, Any] | None,
    facts: Mapping[str, Any],
    lessons: Lessons | None = None,
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
    """Train into a run folder; `motionprint.training.pretrain` says what can go wrong.

    Parameters
    ----------
    training
        The recordings that the recipe is fitted to, and that are trained on unless there are ``lessons``.
    configured
        Configuration and recipe for changed settings.
    facts
        What else the configuration says, from the start on.
    """
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
        config, recipe = configured(wanted)
        config |= {**facts, "epochs": epochs, "command": command}
        state = None
        if resuming:
            refuse_other(before, config, recipe, training, folder)
            state = world.told(read_newest(folder) if world.leads else None)
            assert state is not None
            again = {"command": command, "step": state.step, "damaged": list(state.damaged)}
            config |= {"command": before.get("command"), "resumed": [*before.get("resumed", []), again]}
            if report is not None and state.damaged:
                report(1, 1, f"continuing from the checkpoint of step {state.step}: {'; '.join(state.damaged)}")
        try:
            config, recipe, trainer = start(
                training,
                config,
                recipe,
                device,
                epochs=epochs,
                report=report,
                beside=folder.resolve() if world.leads else None,
                world=world,
                lessons=lessons,
            )
        except DatasetError as error:
            raise DatasetError(f"{training.folder}: {error}") from error
        same = {"recordings": "fitted", "settings": "settings", "training": "training", "recipe": "recipe"}
        world.expect_same({name: config[key] for name, key in {**same, "seed": "seed"}.items()})
        training.check_unchanged()  # all frames have been read: from here on a change alters no weight
        if state is not None:
            take_up(trainer, state, config, before, folder)
        profiler = Profiler(trainer) if profile and world.leads else None
        taught = training if lessons is None else lessons.recordings
        with interrupts(world) as interrupted, profiler or nullcontext():
            if world.leads:
                new = (
                    None if resuming else new_folder(folder, overwrite=overwrite, kind="run", inputs=[training.folder])
                )
                stopped = train_into(
                    folder, new, config, trainer, taught, state, tensorboard, report, interrupted, profiler
                )
            else:
                stopped = train_along(trainer, interrupted)
            world.wait()  # for the last checkpoint: a launcher ends all that are left when one has ended
    raise_for(stopped)
    if not world.leads:
        return Run(config, recipe, trainer.method.eval(), trainer.step)
    return load_run(folder, str(trainer.device))
