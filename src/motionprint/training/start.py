"""Everything that stands before the first step: settings, the fitted recipe, prepared frames, networks."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from motionprint.batches import Crops
from motionprint.errors import CheckpointError, SettingsError
from motionprint.methods import CLASSIFIERS, METHODS, Classifier
from motionprint.preprocessing import Frames, Recipe, RecipeCounts
from motionprint.progress import Report
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton
from motionprint.store import MotionDataset
from motionprint.training.checkpoints import State
from motionprint.training.distributed import ALONE, World
from motionprint.training.loop import Trainer, measured_precision
from motionprint.training.run import (
    CONFIG,
    beginning,
    build_method,
    known_settings,
    known_supervision,
    resolve_device,
    versions,
)
from motionprint.training.settings import (
    FASTEST,
    FREE,
    RECIPE_PRESETS,
    Precision,
    SupervisionSettings,
    TrainingSettings,
)
from motionprint.training.validation import Validation

__all__ = ["Lessons", "configure", "refuse_other", "start", "take_up"]

Recordings = Sequence[SkeletonSequence] | MotionDataset

_FITTED = ("scale", "root_scale")
"""Fields of a recipe that are fitted to the frames."""


@dataclass(frozen=True, eq=False)
class Lessons:
    """What a supervised method is told."""

    recordings: MotionDataset
    """Those that gradients come from."""
    labels: npt.NDArray[np.int64]
    """(N,) the numbers of their classes."""
    held_out: MotionDataset
    """Those that training is ended by; may be empty."""
    held_labels: npt.NDArray[np.int64]
    """(M,) the numbers of their classes."""
    weights: Mapping[str, Tensor] | None
    """Weights of the network ``encoder`` to start from; None starts at random."""


def configure(
    skeleton: Skeleton,
    *,
    method: str = "inpainting",
    preset: str = "small",
    changes: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    fps: float | None = None,
) -> tuple[dict[str, Any], Recipe]:
    """A run's configuration, and its recipe before it is fitted.

    Parameters
    ----------
    skeleton
        The joints that the run will know.
    changes
        Values for any field of the method's settings, of `TrainingSettings` or of `Recipe`; of a supervised method, of
        `SupervisionSettings` too.
    defaults
        What the corpus declares for the recipe (``alignment``, ``max_length``).
    recipe
        A fitted recipe that the run is to use as it is; no field of it can be changed then.
    fps
        The frame rate of the recordings, for a preset that keeps it.

    Raises
    ------
    SettingsError
        If a method, a preset or a field is unknown (the text names those that are known), or a value cannot work.
    """
    settings, training = known_settings(method, preset)
    if seed < 0:
        raise SettingsError(f"expected a seed of at least 0, found {seed}")
    given = dict(changes or {})
    if {**METHODS, **CLASSIFIERS}[method].closed and given.get("steps"):
        raise SettingsError(f"method {method} is solved at once: expected no steps, found {given['steps']}")
    parts: dict[str, Any] = {"settings": settings, "training": training}
    if method in CLASSIFIERS:
        parts["supervision"] = known_supervision(method)
    if recipe is None:
        parts["recipe"] = Recipe(skeleton, **{**(defaults or {}), **_of_preset(preset, fps)})
    known: list[str] = []
    for part, values in parts.items():
        names = [field.name for field in fields(values) if field.name not in ("skeleton", *_FITTED)]
        known += names
        parts[part] = replace(values, **{name: given.pop(name) for name in names if name in given})
    if given:
        raise SettingsError(f"unknown setting {next(iter(given))!r}: expected one of {', '.join(known)}")
    chosen = recipe or parts["recipe"]
    if getattr(parts["settings"], "gaps", False):
        if chosen.scaling != "set":
            raise SettingsError(
                f"expected scaling 'set' with gaps, found {chosen.scaling!r}: what is missing has no extent to be "
                "scaled by"
            )
        if chosen.max_length is not None:
            raise SettingsError(
                f"expected max_length none with gaps, found {chosen.max_length}: gaps are filled at one frame rate "
                "(the preset repair)"
            )
    config = {"method": method, "preset": preset, "seed": seed}
    config |= {part: asdict(values) for part, values in parts.items() if part != "recipe"}
    return config, chosen


def _of_preset(preset: str, fps: float | None) -> dict[str, Any]:
    """Fields of the recipe that a preset has of its own, for recordings of a frame rate; None where they differ."""
    found = dict(RECIPE_PRESETS.get(preset, {}))
    if preset in FASTEST:
        found["fps"] = FASTEST[preset] / 2 if fps is None else fps / math.ceil(fps / FASTEST[preset])
    return found


def start(
    sequences: Recordings,
    config: dict[str, Any],
    recipe: Recipe,
    device: str,
    *,
    epochs: int | None = None,
    report: Report | None = None,
    beside: Path | None = None,
    world: World = ALONE,
    lessons: Lessons | None = None,
) -> tuple[dict[str, Any], Recipe, Trainer]:
    """Fit the recipe, prepare the frames, build networks and trainer.

    Parameters
    ----------
    sequences
        What the recipe is fitted to, unless it is already, and what is trained on unless there are ``lessons``.
    beside
        The run folder on whose disk the prepared frames lie; without one, they lie with temporary files.
    """
    if report is not None:
        report(0, None, f"reading {len(sequences)} recordings")
    recipe = recipe if recipe.scale > 0 else recipe.fit(sequences)
    counts = RecipeCounts()
    place = None if beside is None else next(parent for parent in beside.absolute().parents if parent.is_dir())
    taught: Recordings = sequences if lessons is None else lessons.recordings
    expected = sum(recipe.count_frames(length, fps) for length, fps in _lengths(taught))
    frames = Frames(_prepared(taught, recipe, counts), recipe.inputs, place=place, expected_rows=expected)
    labels = None if lessons is None else lessons.labels[frames.recording]
    method = build_method(config, recipe)
    if lessons is not None and lessons.weights is not None:
        method.networks["encoder"].load_state_dict(dict(lessons.weights))
    if method.closed:
        if world.size > 1:
            raise SettingsError(f"method {config['method']} is solved at once, by one process: found {world.size}")
        if report is not None:
            report(0, None, f"solving {config['method']} on {len(taught)} recordings")
        config["solved"] = dict(method.solve(frames, labels, int(config["seed"])))  # what is to be known of it, counted
    method = method.to(resolve_device(world.device(device)))
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
        labels=labels,
    )
    if training.precision == "auto":
        measured: Precision = "auto"
        if world.leads:
            measured = "float32" if method.closed else measured_precision(method, crops, int(config["seed"]), world)
        training = replace(training, precision=world.told(measured))
    if epochs is not None and not method.closed:
        training = replace(training, steps=epochs * crops.steps_per_epoch)
    supervision = SupervisionSettings(**config["supervision"]) if lessons is not None else None
    config |= {
        "training": asdict(training),
        "recipe": recipe.to_dict(),
        "skeleton": recipe.skeleton.to_dict(),
        "fitted": _hashes(sequences),
        "counts": asdict(counts),
        "versions": versions(),
        "device": str(method.weights.device),
        "processes": world.size,
    }
    trainer = Trainer(
        method,
        crops,
        training,
        int(config["seed"]),
        world,
        rates=_rates(supervision, method.networks),
        decay=0.0 if supervision is None else supervision.decay,
        validation=_validation(method, lessons, recipe, supervision, place),
    )
    return config, recipe, trainer


def _rates(supervision: SupervisionSettings | None, networks: Mapping[str, Any]) -> dict[str, float]:
    """Step sizes of the networks that have one of their own."""
    if supervision is None or supervision.encoder_learning_rate is None:
        return {}
    if "encoder" not in networks:
        raise SettingsError(f"encoder_learning_rate: expected a network encoder, found {', '.join(networks)}")
    return {"encoder": supervision.encoder_learning_rate}


def _validation(
    method: Any,
    lessons: Lessons | None,
    recipe: Recipe,
    supervision: SupervisionSettings | None,
    place: Path | None,
) -> Validation | None:
    """What ends training by recordings that are held out; None where none are."""
    if lessons is None or supervision is None or not len(lessons.held_out) or method.closed:
        return None
    assert isinstance(method, Classifier)
    frames = Frames(_prepared(lessons.held_out, recipe, RecipeCounts()), recipe.inputs, place=place)
    every, patience = supervision.validate_every, supervision.patience
    return Validation(method, frames, lessons.held_labels, every=every, patience=patience)


def take_up(trainer: Trainer, state: State, config: Mapping[str, Any], before: Mapping[str, Any], folder: Path) -> None:
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
    except (RuntimeError, KeyError) as error:
        said = beginning(error) if isinstance(error, RuntimeError) else f"it lacks {error}"
        raise CheckpointError(f"{folder}: its checkpoint of step {state.step} does not fit {CONFIG}: {said}") from error


def _lengths(sequences: Recordings) -> Iterator[tuple[int, float]]:
    """Frames and frames/s of each recording; none is read."""
    if isinstance(sequences, MotionDataset):
        return zip(sequences.lengths.tolist(), sequences.index["fps"].tolist(), strict=True)
    return ((len(sequence), sequence.fps) for sequence in sequences)


def _prepared(sequences: Recordings, recipe: Recipe, counts: RecipeCounts) -> Iterator[list[npt.NDArray[np.float32]]]:
    """What a network reads of each recording: one sequence, or its windows."""
    for sequence in sequences:
        yield [recipe.apply(sequence, piece, counts) for piece in recipe.pieces(sequence, counts)]


def _hashes(sequences: Recordings) -> list[str]:
    """sha256 of each recording's positions."""
    if isinstance(sequences, MotionDataset):
        return sequences.sha256
    return [hashlib.sha256(np.ascontiguousarray(s.positions).tobytes()).hexdigest() for s in sequences]


TOLD = ("classes", "labels_per_class", "sampling", "told", "supervision")
"""What else a supervised run is made with, by its key in the configuration."""


def refuse_other(
    before: Mapping[str, Any], config: Mapping[str, Any], recipe: Recipe, training: MotionDataset, folder: Path
) -> None:
    """Refuse to take up a run with other settings or other recordings."""
    # of a field that came with a later version the default is what there was before it
    if isinstance(before["settings"], dict) and config["method"] in (kinds := {**METHODS, **CLASSIFIERS}):
        before = {**before, "settings": {**_defaults(kinds[config["method"]].Settings), **before["settings"]}}
    before = {**before, "recipe": {**_defaults(Recipe), **before["recipe"]}}
    for key in ("method", "preset", "settings", "dataset", "protocol", "fold", "seed", *TOLD):
        if before.get(key) != config.get(key):
            raise SettingsError(f"{folder}: was trained with {key} {before.get(key)!r}, found {config.get(key)!r}")
    if (before.get("pretrained") or {}).get("model") != (config.get("pretrained") or {}).get("model"):
        raise SettingsError(f"{folder}: was started from another pre-trained encoder than what is given now")
    # where step sizes fall until the last step, another last step is another training
    free = FREE if not config.get("supervision", {}).get("decay") else [name for name in FREE if name != "steps"]
    for part, found in (("training", config["training"]), ("recipe", recipe.to_dict())):
        for name, value in found.items():
            if name not in (*free, *_FITTED) and before[part].get(name) != value:
                raise SettingsError(f"{folder}: was trained with {name} {before[part].get(name)!r}, found {value!r}")
    if before["fitted"] != training.sha256:
        raise CheckpointError(f"{folder}: was fitted on other recordings than those of {training.folder}")


def _defaults(settings: type[Any]) -> dict[str, Any]:
    """The fields of a dataclass that have a default, with it."""
    return {field.name: field.default for field in fields(settings) if field.default is not MISSING}
