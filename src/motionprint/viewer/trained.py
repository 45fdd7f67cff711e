"""What a run adds to a map: what it was trained on, its losses, and what it inpaints."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError
from motionprint.progress import Report
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import BODY_PARTS
from motionprint.store import MotionDataset, open_dataset
from motionprint.viewer.motion import as_base64, bits, in_millimetres, with_missing

if TYPE_CHECKING:
    from motionprint.training import Run

__all__ = ["describe_run", "find_dataset"]

INPAINTED = 8
"""Recordings whose inpainting is shown."""
LINES = 2000
"""Lines of a log that are shown at most."""


def find_dataset(folder: str | Path, config: Mapping[str, Any]) -> MotionDataset:
    """The data set that a run was trained on, found by the command in its configuration.

    The paths in the command are looked up from the working folder, and from the folders above the run. What is found
    is the data set if it holds the recordings that the run was fitted on.

    Raises
    ------
    DatasetError
        If there is none: the text says what to do.
    """
    fitted = set(config["fitted"])
    looked = []
    for word in _words(config.get("command")):
        for base in (Path(), *list(Path(folder).absolute().parents)[:3]):
            place = base / word
            if not os.path.isfile(place / "index.parquet"):  # false as well of what no file can be called
                continue
            dataset = open_dataset(place)
            if fitted <= set(dataset.sha256):
                return dataset
            looked.append(str(place))
    name = config.get("dataset") or "its data set"
    why = f"{looked[0]} holds other recordings" if looked else "it is no longer where it was"
    raise DatasetError(f"{folder}: expected to find {name}, which it was trained on, but {why}: say --data DATASET")


def _words(command: Any) -> list[str]:
    """The words of a command that may name the data set."""
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        return []
    return [word for word in words if not word.startswith("-") and "\0" not in word]


def describe_run(run: Run, dataset: MotionDataset, name: str, report: Report | None = None) -> dict[str, Any]:
    """Losses, facts and inpainted recordings of a run from a folder, as the page reads them (docs/viewer.md)."""
    assert run.folder is not None
    config = run.config
    facts = {
        "run": name,
        "method": config["method"],
        "preset": config["preset"],
        "steps": run.steps,
        "trained on": config.get("dataset"),
        "protocol": config.get("protocol") or "none: fitted on everything",
        "fold": config.get("fold") if config.get("protocol") else None,
        "recordings fitted on": len(config["fitted"]),
        "seed": config["seed"],
        "model": run.model_hash[:12],
    }
    return {
        "losses": read_losses(run.folder),
        "facts": [[name, str(value)] for name, value in facts.items() if value is not None],
        "inpainted": _inpainted(run, dataset, report),
    }


def read_losses(folder: Path) -> dict[str, list[float | None]]:
    """The columns of a run's log by name, without gradient norms; None where a line has no finite number."""
    from motionprint.training.log import read_log
    from motionprint.training.run import LOG

    log = read_log(folder / LOG)
    every = -(-len(log["step"]) // LINES) or 1
    return {
        name: [value if math.isfinite(value) else None for value in values[::every]]
        for name, values in log.items()
        if name not in ("epoch", "seconds") and not name.endswith("_gradient")
    }


def _inpainted(run: Run, dataset: MotionDataset, report: Report | None) -> list[dict[str, Any]]:
    """Some recordings with parts hidden, that the run was not fitted on if there are any; none of other methods."""
    from motionprint.methods import Inpainting

    if not isinstance(run.method, Inpainting):
        return []
    held_out = np.flatnonzero(~np.isin(np.array(dataset.sha256), run.config["fitted"]))
    numbers = held_out if len(held_out) else np.arange(len(dataset))
    chosen = numbers[np.unique(np.linspace(0, len(numbers) - 1, INPAINTED).round().astype(int))]
    shown = []
    for number, index in enumerate(chosen):
        if report is not None:
            report(number, len(chosen), "inpainting")
        shown.append(_shown(run, dataset[int(index)], number, bool(len(held_out))))
    return shown


def _shown(run: Run, sequence: SkeletonSequence, number: int, held_out: bool) -> dict[str, Any]:
    """One recording, what of it is hidden, and what was made of it."""
    from motionprint.evaluation.inpainting import inpainted

    parts = _parts(len(run.method.hidden_inputs), number)
    original, hidden, found = inpainted(run, sequence, parts)
    known = original[..., 1][~np.isnan(original[..., 1])]
    floor = np.array([0.0, known.min() if known.size else 0.0, 0.0], np.float32)  # the root is at the origin
    told = ", ".join(text for text in (sequence.name, sequence.label) if text)
    names = BODY_PARTS if len(run.method.hidden_inputs) == len(BODY_PARTS) else None
    seconds = (len(sequence) - 1) / sequence.fps
    which = " and ".join(names[part] if names else f"part {part + 1}" for part in parts)
    return {
        "name": f"{told}: {which} hidden{'' if held_out else ' (trained on)'}",
        "skeleton": 0,
        "fps": round((len(original) - 1) / seconds, 3) if seconds > 0 and len(original) > 1 else run.recipe.fps,
        "length": len(original),
        "original": _motion(original - floor),
        "inpainted": _motion(found - floor),
        "hidden": bits(hidden),
    }


def _parts(count: int, number: int) -> tuple[int, ...]:
    """What is hidden of the recording ``number``: each part by itself, then pairs."""
    return (number,) if number < count else (number % count, (number + 1) % count)


def _motion(positions: npt.NDArray[np.float32]) -> str:
    return as_base64(with_missing(in_millimetres(positions, None)))
