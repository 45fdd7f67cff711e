"""Learning classes from labels: supervised methods, from a random start or from a pre-trained encoder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from motionprint.errors import DatasetError, SettingsError
from motionprint.methods import CLASSIFIERS, Classifier, Softmax
from motionprint.networks import Encoder
from motionprint.preprocessing import Recipe
from motionprint.progress import Report
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.labelled import draw_labelled, hold_out
from motionprint.store.protocols import resolve
from motionprint.training.distributed import ALONE, World
from motionprint.training.folder import train_folder
from motionprint.training.run import Run, known_supervision, load_run
from motionprint.training.start import Lessons, configure

__all__ = ["train"]


def train(
    dataset: MotionDataset | str | Path,
    out: str | Path,
    *,
    method: str | None = None,
    init: Run | str | Path | None = None,
    preset: str | None = None,
    changes: Mapping[str, Any] | None = None,
    protocol: str | None = None,
    fold: int = 0,
    labels_per_class: int | None = None,
    sampling: int = 0,
    transductive: bool = False,
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
    """Train a supervised method on the labelled training recordings of a protocol, into a run folder.

    The recipe is fitted to all training recordings of the protocol, labelled or not (with ``init``: it is that run's).
    A share of the labelled ones (`SupervisionSettings`) is held out; training ends when they are not recognised better
    any more, and the run has the weights of the best validation. Where a class is too small to spare one, none are held
    out and training goes on to its last step. Test recordings are never read. Exactness, resuming and failures are
    those of `motionprint.training.pretrain`.

    Parameters
    ----------
    method
        A name of `motionprint.methods.CLASSIFIERS`; by default ``softmax``, the paper's S.
    init
        A pre-trained run: its encoder starts the method ``softmax`` (the paper's S+P), with its recipe and sizes.
    preset
        By default ``small``, or that of ``init``.
    labels_per_class, sampling
        How many training recordings of each class are labelled (None: all), and which draw of them.
    transductive
        Whether ``init`` may have been fitted on test recordings of the protocol.

    Raises
    ------
    DatasetError
        If there are no labels, fewer than two classes, or ``init`` was fitted on test recordings.
    SettingsError
        If ``init`` has no encoder that the method could start from, or another preset or method is asked for.
    SkeletonMismatchError
        If ``init`` knows other joints than the data set has.
    """
    opened = dataset if isinstance(dataset, MotionDataset) else open_dataset(dataset)
    split = resolve(opened, protocol, fold)
    pretrained = None if init is None else init if isinstance(init, Run) else load_run(init)
    name, preset, recipe, given = _what(method, preset, pretrained)
    if pretrained is not None:
        pretrained.require_joints(opened)
        seen = pretrained.seen(opened, split)
        if seen.any() and not transductive:
            raise DatasetError(
                f"{pretrained.folder or 'the run'}: was fitted on {int(seen.sum())} of the {len(seen)} test "
                "recordings: pretrain with this protocol and fold, or say --transductive"
            )
        _refuse_changed(pretrained, given, changes or {})
    given |= changes or {}
    training = opened.subset(split.train)
    share = float(given.get("validation", known_supervision(name).validation))
    lessons, told = _lessons(training, labels_per_class, sampling, pretrained, share, seed)
    facts = {"dataset": opened.name, "protocol": protocol, "fold": split.fold, **told}
    return train_folder(
        training,
        out,
        lambda wanted: configure(
            opened.skeleton,
            method=name,
            preset=preset,
            changes=wanted,
            defaults=opened.defaults,
            seed=seed,
            recipe=recipe,
        ),
        changes=given,
        facts=facts,
        lessons=lessons,
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


def _what(
    method: str | None, preset: str | None, pretrained: Run | None
) -> tuple[str, str, Recipe | None, dict[str, Any]]:
    """Method, preset, recipe and settings: those of a pre-trained run, where there is one."""
    if pretrained is None:
        name = method or "softmax"
        if name not in CLASSIFIERS:
            raise SettingsError(f"unknown method {name!r}: expected one of {', '.join(CLASSIFIERS)}")
        return name, preset or "small", None, {}
    source = f"{pretrained.folder or 'the run'}: a run of {pretrained.config['method']}"
    if method not in (None, "softmax"):
        raise SettingsError(f"expected the method softmax, which starts from a pre-trained encoder, found {method}")
    if isinstance(pretrained.method, Classifier) or not isinstance(pretrained.method.networks.get("encoder"), Encoder):
        raise SettingsError(f"{source}: expected one pre-trained without labels that has an encoder to start from")
    if preset not in (None, pretrained.config["preset"]):
        raise SettingsError(f"{source}, preset {pretrained.config['preset']}: found the preset {preset}")
    names = [field.name for field in fields(Softmax.Settings)]
    settings = {name: value for name, value in pretrained.config["settings"].items() if name in names}
    return "softmax", str(pretrained.config["preset"]), pretrained.recipe, settings


def _refuse_changed(pretrained: Run, sizes: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Refuse changes of what a pre-trained run has settled."""
    source = str(pretrained.folder or "the run")
    for name, value in changes.items():
        if name in sizes and sizes[name] != value:
            raise SettingsError(f"{source}: its encoder has {name} {sizes[name]!r}, found {value!r}")
        if name in pretrained.recipe.to_dict():
            raise SettingsError(f"{source}: recordings are prepared by its recipe, found {name} = {value!r}")


def _lessons(
    training: MotionDataset,
    labels_per_class: int | None,
    sampling: int,
    pretrained: Run | None,
    share: float,
    seed: int,
) -> tuple[Lessons, dict[str, Any]]:
    """Which recordings teach and which end training, and what the configuration says of it."""
    labelled = np.flatnonzero([label is not None for label in training.labels])
    labels = np.array([training.labels[number] for number in labelled], dtype=np.str_)
    if len(classes := np.unique(labels)) < 2:
        found = f"only {str(classes[0])!r}" if len(classes) else "none"
        raise DatasetError(
            f"{training.folder}: expected at least two classes among the training recordings, found {found}"
        )
    names = [training.names[number] for number in labelled]
    if labels_per_class is not None:
        drawn = draw_labelled(names, labels, labels_per_class, sampling)
        labelled, labels, names = labelled[drawn], labels[drawn], [names[number] for number in drawn]
    held = hold_out(names, labels, share, seed)
    kept = np.setdiff1d(np.arange(len(labelled)), held)
    numbers = np.searchsorted(classes, labels).astype(np.int64)
    weights = None if pretrained is None else pretrained.method.networks["encoder"].state_dict()
    lessons = Lessons(
        training.subset(labelled[kept]), numbers[kept], training.subset(labelled[held]), numbers[held], weights
    )
    source = None
    if pretrained is not None:
        keys = ("method", "preset", "seed", "dataset", "protocol", "fold", "fitted")
        source = {key: pretrained.config.get(key) for key in keys}
        source |= {"model": pretrained.model_hash, "steps": pretrained.steps, "changes": pretrained.changes}
        for key in ("loss", "condition"):
            source[key] = getattr(pretrained.method.settings, key, None)
    return lessons, {
        "classes": [str(label) for label in classes],
        "labels_per_class": labels_per_class,
        "sampling": sampling,
        "labelled": len(labelled),
        "held_out": lessons.held_out.names if len(held) else [],
        "told": hashlib.sha256(json.dumps(sorted(zip(names, labels.tolist(), strict=True))).encode()).hexdigest(),
        "pretrained": source,
    }
