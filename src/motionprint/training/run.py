"""A run folder: what was trained, how, and on what; its weights; its log."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import motionprint
from motionprint.errors import CheckpointError, SettingsError, SkeletonMismatchError
from motionprint.methods import CLASSIFIERS, METHODS, Method
from motionprint.preprocessing import Recipe
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.store import MotionDataset
from motionprint.store.atomic import held, new_folder, replaced
from motionprint.store.protocols import Split
from motionprint.training.checkpoints import WEIGHTS, read_tensors, usable_instead, write_tensors, writing
from motionprint.training.settings import (
    FREE,
    SUPERVISED_PRESETS,
    TRAINING_PRESETS,
    SupervisionSettings,
    TrainingSettings,
)

__all__ = [
    "CONFIG",
    "LOG",
    "SHIPPED",
    "Run",
    "beginning",
    "build_method",
    "known_settings",
    "known_supervision",
    "load_run",
    "read_config",
    "resolve_device",
    "run_folder",
    "save_run",
    "versions",
    "write_config",
]

CONFIG = "config.json"
"""The file with everything but weights."""
LOG = "log.csv"
"""The file with objectives and gradient norms over the steps."""
SHIPPED = ("cmu-small",)
"""The models that come with motionprint: run folders below ``models/``, each with its card."""
SHIPPED_PREFIX = "motionprint:"
"""What stands before their names, in place of a path."""
_MODELS = Path(motionprint.__file__).parent / "models"


@dataclass(frozen=True, eq=False)
class Run:
    """A trained method with the recipe that it was trained with."""

    config: Mapping[str, Any]
    """What ``config.json`` holds."""
    recipe: Recipe
    """Fitted preprocessing."""
    method: Method
    """Networks with their weights, in evaluation mode."""
    steps: int
    """Training steps done; where validation has chosen, those after which the weights were best."""
    folder: Path | None = None
    """Where it was loaded from."""
    log: str = ""
    """The text of ``log.csv`` of a run that was trained in memory."""

    @property
    def skeleton(self) -> Skeleton:
        """The joints that it knows."""
        return self.recipe.skeleton

    @property
    def shipped(self) -> bool:
        """Whether it comes with motionprint: `embed` then takes recordings of any rig."""
        return self.folder is not None and self.folder.parent == _MODELS

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.method.weights.device

    @cached_property
    def model_hash(self) -> str:
        """sha256 over the names and values of all weights."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.method.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def changes(self) -> dict[str, Any]:
        """Settings of the method and of its training that are not the preset's and change what is learned."""
        settings, training = known_settings(str(self.config["method"]), str(self.config["preset"]))
        standard = {**asdict(settings), **asdict(training)}
        found = {**self.config["settings"], **self.config["training"]}
        if "supervision" in self.config:
            standard |= asdict(known_supervision(str(self.config["method"])))
            found |= self.config["supervision"]
        usual = {("precision", "float32")}  # what "auto" is where bf16 would not be faster
        # where step sizes fall until the last step, their number is a setting like others
        free = [name for name in FREE if name != "steps" or "supervision" not in self.config]
        return {
            name: value
            for name, value in found.items()
            if name not in free and standard.get(name) != value and (name, value) not in usual
        }

    def seen(self, dataset: MotionDataset, split: Split) -> npt.NDArray[np.bool_]:
        """Which test recordings it was fitted on, beyond those that equal a training recording of the protocol."""
        hashes = np.array(dataset.sha256)
        fitted = [*self.config["fitted"], *(self.config.get("pretrained") or {}).get("fitted", ())]
        test = hashes[split.test]
        return np.asarray(np.isin(test, fitted) & ~np.isin(test, hashes[split.train]))

    def require_joints(self, motion: MotionDataset | SkeletonSequence) -> None:
        """Raise a SkeletonMismatchError, which says what helps, unless motion has the joints that the run knows."""
        where = str(motion.folder) if isinstance(motion, MotionDataset) else motion.name or "sequence"
        try:
            self.skeleton.require_same(motion.skeleton, where)
        except SkeletonMismatchError as error:
            if self.skeleton.name not in SKELETONS:
                raise
            raise SkeletonMismatchError(
                f"{error}; prepare --map-to {self.skeleton.name} (map_to=) brings recordings onto the run's joints"
            ) from error

    def untrained(self) -> Run:
        """The same networks as they were before the first step: what training adds is measured against it."""
        method = build_method(self.config, self.recipe).to(self.device).eval()
        return replace(self, method=method, steps=0, folder=None)


def known_settings(method: str, preset: str) -> tuple[Any, TrainingSettings]:
    """The settings of a method, supervised or not, and of its training under a preset."""
    kinds: dict[str, type[Method]] = {**METHODS, **CLASSIFIERS}
    if method not in kinds:
        raise SettingsError(f"unknown method {method!r}: expected one of {', '.join(kinds)}")
    kind = kinds[method]
    if preset not in kind.presets:
        raise SettingsError(f"unknown preset {preset!r}: expected one of {', '.join(kind.presets)}")
    presets = SUPERVISED_PRESETS if method in CLASSIFIERS else TRAINING_PRESETS
    training = presets.get(preset, presets["small"])  # a method may have presets of its own
    return kind.presets[preset], replace(training, **{**kind.schedule, **({"steps": 0} if kind.closed else {})})


def known_supervision(method: str) -> SupervisionSettings:
    """What training with labels adds for a method: a closed one has nothing to end, and holds nothing out."""
    return SupervisionSettings(validation=0.0) if CLASSIFIERS[method].closed else SupervisionSettings()


def build_method(config: Mapping[str, Any], recipe: Recipe) -> Method:
    """The networks that a configuration describes, with the initial weights that its seed gives."""
    name = str(config["method"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(config["seed"]))
        if name in CLASSIFIERS:
            classifier = CLASSIFIERS[name]
            settings = classifier.Settings(**config["settings"])
            return classifier(recipe.skeleton, recipe.inputs, settings, len(config["classes"]))
        if name not in METHODS:
            raise SettingsError(f"unknown method {name!r}: expected one of {', '.join((*METHODS, *CLASSIFIERS))}")
        return METHODS[name](recipe.skeleton, recipe.inputs, METHODS[name].Settings(**config["settings"]))


def resolve_device(device: str) -> torch.device:
    """``auto`` is a GPU where there is one, else the CPU; anything else is PyTorch's name of a device."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:
        raise SettingsError(f"device {device!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return found


def run_folder(run: str | Path) -> Path:
    """Where a run lies: the folder itself, or that of a model that comes with motionprint (``motionprint:NAME``).

    Raises
    ------
    CheckpointError
        If no model of that name comes with motionprint.
    """
    prefix, colon, name = str(run).partition(":")
    if prefix + colon != SHIPPED_PREFIX:
        return Path(run)
    if name not in SHIPPED:
        known = ", ".join(SHIPPED_PREFIX + each for each in SHIPPED)
        raise CheckpointError(f"{run}: expected a model that comes with motionprint, one of {known}, found no such one")
    return _MODELS / name


def load_run(folder: str | Path, device: str = "cpu") -> Run:
    """Open a run folder, or a model that comes with motionprint (``motionprint:cmu-small``, `SHIPPED`).

    Raises
    ------
    CheckpointError
        If it is not a run folder, no such model is shipped, a file is damaged, or weights and configuration do not
        fit each other.
    """
    path = run_folder(folder)
    config = read_config(path)
    try:
        recipe = Recipe.from_dict(config["recipe"], Skeleton.from_dict(config["skeleton"]))
        method = build_method(config, recipe)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path / CONFIG}: expected a run's settings, found {error}") from error
    try:
        tensors, step = read_tensors(path / WEIGHTS)
    except CheckpointError as error:  # other weights than the newest are never taken silently
        raise CheckpointError(f"{error}{usable_instead(path)}") from error
    # training that validation ended has kept the best weights beside the last
    prefix = "best." if any(name.startswith("best.") for name in tensors) else "model."
    weights = {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    step = int(tensors["validation.step"]) if prefix == "best." and "validation.step" in tensors else step
    try:
        method.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path / WEIGHTS}: does not fit {CONFIG}: {beginning(error)}") from error
    return Run(config, recipe, method.to(resolve_device(device)).eval(), step, path)


def beginning(error: RuntimeError) -> str:
    """What PyTorch says first of weights that do not fit, in one line: it names every one of them."""
    return " ".join([line.strip() for line in str(error).splitlines() if line.strip()][:2])


def save_run(run: Run, folder: str | Path, *, extra: Mapping[str, Any] | None = None, overwrite: bool = False) -> None:
    """Write a run that was trained in memory into a folder of its own."""
    with held(folder), writing(Path(folder)), new_folder(folder, overwrite=overwrite, kind="run") as building:
        write_config({**run.config, **(extra or {})}, building / CONFIG)
        weights = {f"model.{name}": weight.cpu().contiguous() for name, weight in run.method.state_dict().items()}
        write_tensors(weights, run.steps, building / WEIGHTS)
        (building / LOG).write_text(run.log, encoding="utf-8")


def write_config(config: Mapping[str, Any], file: Path) -> None:
    """Write a configuration; the file is replaced at once or not at all."""
    with replaced(file) as unfinished, unfinished.open("w", encoding="utf-8") as opened:
        json.dump(config, opened, indent=1)  # piece by piece: it holds a hash for each recording
        opened.write("\n")


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a run folder."""
    file = folder / CONFIG
    if not file.is_file():
        raise CheckpointError(f"{folder}: expected a run folder with {CONFIG}, found none")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{file}: expected JSON: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{file}: expected the configuration of a run, found {type(config).__name__}")
    keys = ("method", "preset", "settings", "training", "recipe", "skeleton", "seed", "fitted")
    missing = [key for key in keys if key not in config]
    if missing:
        raise CheckpointError(f"{file}: expected the configuration of a run, missing {', '.join(missing)}")
    for key in ("training", "recipe"):
        if not isinstance(config[key], dict):
            raise CheckpointError(f"{file}: expected settings under {key}, found {type(config[key]).__name__}")
    if "steps" not in config["training"]:
        raise CheckpointError(f"{file}: expected steps under training, found none")
    if not isinstance(config["fitted"], list) or not all(isinstance(item, str) for item in config["fitted"]):
        raise CheckpointError(f"{file}: expected under fitted a list of hashes")
    return config


def versions() -> dict[str, str]:
    """The versions of Python, motionprint and what it computes with."""
    found = {"python": platform.python_version(), "motionprint": motionprint.__version__}
    for package in ("torch", "numpy", "scipy", "scikit-learn", "pandas"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
