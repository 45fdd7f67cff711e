"""Which cells each experiment is made of.

    table1    learning without labels: every method, a linear layer on its fixed prints (U), beside the baselines
    table2    learning with labels: supervised methods and S, then S+P from each pre-training that has an encoder
    table3    LongT GAN conditioned on F or on zeros, with element-wise or joint loss (Table 3 of the paper)
    figure3   S, S+P and baselines against the number of labelled recordings a class (Figure 3)
    ablations the claims of the paper's text, one change each

The paper's one table of accuracies stands in table1 (U) and table2 (S, S+P). Each is run on what the data at hand
allow; what is missing is said, with where it is to be had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from motionprint.corpora import CORPORA
from motionprint.errors import DatasetError, SettingsError
from motionprint.experiments.cells import Cell
from motionprint.methods import CLASSIFIERS, METHODS, Method
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.protocols import n_folds, resolve

__all__ = ["EXPERIMENTS", "FEW", "TARGETS", "Target", "plan"]


@dataclass(frozen=True)
class Target:
    """A data set under a protocol, as a column of a table."""

    name: str
    """What `--targets` knows it by."""
    corpus: str
    protocol: str
    ranks: bool = True
    """Whether it takes part in every experiment; else in table1 and table2 only, with fewer methods."""


TARGETS = (
    Target("mhad", "mhad_dmocap", "cross-subject"),
    Target("mhad-depth", "mhad_dmocap", "cross-subject-depth"),
    Target("nw_ucla", "nw_ucla", "cross-view"),
    Target("nw_ucla-dedup", "nw_ucla", "cross-view-dedup"),
    Target("msr", "msr_action3d", "cross-subject"),
    Target("hdm05", "hdm05", "cross-subject"),
    Target("sbu", "sbu", "five-fold", ranks=False),
    Target("hdm05-clips", "hdm05", "kfold:10", ranks=False),
    Target("hdm05-actors", "hdm05", "kfold-subjects:5", ranks=False),
    Target("cmu-trials", "cmu", "kfold:4", ranks=False),
    Target("cmu-subjects", "cmu", "kfold-subjects:4", ranks=False),
    Target("synthetic", "synthetic", "cross-subject"),
)
"""The columns of tables, in their order."""

FEW = (2, 5, 10, 20, None)
"""Labelled recordings a class along Figure 3."""

ON_FOLDS = ("inpainting", "autoencoder")
"""Methods without labels that are trained on the protocols with many folds."""

ON_PAIRS = ("softmax", "hbrnn", "deep_lstm", "co_lstm", "st_lstm")
"""Supervised methods on those."""

STARTS = ("inpainting", "autoencoder", "composite")
"""Pre-trainings that S+P starts from."""

CLAIMS: tuple[dict[str, Any], ...] = (
    {},
    {"adversary": "none"},
    {"encoder_adversarial": True},
    {"redraw_parts": True},
    {"hide_first_frame": True},
    {"decoder_sees_future": True},
    {"lambda_adv": 0.01},
    {"lambda_adv": 1.0},
    {"lambda_z": 0.0},
    {"lambda_z": 1.0},
    {"discriminator_units": 8},
    {"discriminator_units": 128},
    {"hidden_parts": 1},
    {"hidden_parts": 3},
    {"hidden_parts": 5},
    {"cell": "lstm"},
    {"adversary": "nonsaturating"},
    {"adversary": "wasserstein"},
)
"""What `ablations` changes, one at a time; the first is the paper's own."""

ABLATED = ("mhad-depth", "nw_ucla", "synthetic")
"""Where: on sets that rank methods."""

FIGURE = ("mhad", "mhad-depth", "nw_ucla", "msr", "synthetic")


@dataclass(frozen=True)
class Grid:
    """What a plan is made with."""

    preset: str
    samplings: int
    seeds: int
    methods: frozenset[str] | None
    """Only these; None for all."""

    def wants(self, method: str) -> bool:
        """Whether a method is asked for."""
        return self.methods is None or method in self.methods


Place = tuple[Target, str, int]
"""A target, its data set's folder, and a fold."""


def plan(
    experiment: str,
    data: Path,
    *,
    preset: str = "small",
    samplings: int = 10,
    seeds: int = 1,
    targets: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
) -> tuple[list[Cell], list[dict[str, str]]]:
    """The cells of an experiment on the data sets of a folder, and what is missing.

    Parameters
    ----------
    data
        A folder of data set folders.
    samplings
        Draws of few labelled recordings, and seeds of training with all labels.
    seeds
        Seeds of pre-training.
    targets, methods
        Only these; all without.

    Raises
    ------
    SettingsError
        If the experiment, the preset, a target or a method is unknown, or none of the methods is of the experiment.
    DatasetError
        If nothing at hand serves the experiment.
    """
    if experiment not in EXPERIMENTS:
        raise SettingsError(f"unknown experiment {experiment!r}: expected one of {', '.join(EXPERIMENTS)}")
    kinds: list[type[Method]] = [*METHODS.values(), *CLASSIFIERS.values()]
    _require_known("preset", [preset], list(dict.fromkeys(name for kind in kinds for name in kind.presets)))
    _require_known("target", targets, [target.name for target in TARGETS])
    _require_known("method", methods, [*METHODS, *CLASSIFIERS])
    found = _found(data)
    cells: list[Cell] = []
    missing: list[dict[str, str]] = []
    served: list[str] = []
    grid = Grid(preset, samplings, seeds, None if methods is None else frozenset(methods))
    for target in TARGETS:
        if targets is not None and target.name not in targets:
            continue
        if target.corpus not in found:
            if target.corpus != "synthetic" or targets is not None:
                where = f"{CORPORA[target.corpus].obtain}; then motionprint prepare {target.corpus}"
                why = f"no data set of {target.corpus} in {data}"
                missing.append({"experiment": experiment, "what": target.name, "why": why, "where": where})
            continue
        served.append(target.name)
        dataset = found[target.corpus]
        try:
            folds = n_folds(dataset, target.protocol)
            resolve(dataset, target.protocol, folds - 1)
        except DatasetError as error:  # a data set of one's own making, or a part of one
            where = f"motionprint prepare {target.corpus} of the whole"
            missing.append({"experiment": experiment, "what": target.name, "why": str(error), "where": where})
            continue
        for fold in range(folds):
            cells += EXPERIMENTS[experiment](grid, (target, dataset.folder.name, fold))
    if not cells and served and methods is not None:
        raise SettingsError(
            f"{experiment}: expected methods that it runs on {', '.join(served)} with the preset {preset}, found "
            f"{', '.join(methods)}"
        )
    if not cells:
        at_hand = ", ".join(sorted(found)) or "no data set"
        chosen = "" if targets is None and methods is None else " as chosen by targets and methods"
        raise DatasetError(f"{data}: expected a data set that {experiment} can be run on{chosen}, found {at_hand}")
    return list(dict.fromkeys(cells)), missing + _never_at_hand(experiment)


def _require_known(what: str, names: Sequence[str] | None, known: Sequence[str]) -> None:
    if names is not None and not names:
        raise SettingsError(f"expected some {what} of {', '.join(known)}, found none")
    for name in names or ():
        if name not in known:
            raise SettingsError(f"unknown {what} {name!r}: expected some of {', '.join(known)}")


def _found(data: Path) -> dict[str, MotionDataset]:
    """The data sets of a folder by their corpus; of several of one corpus the first by name."""
    if not data.is_dir():
        raise DatasetError(f"{data}: expected a folder of data sets, found none")
    found: dict[str, MotionDataset] = {}
    for folder in sorted(data.iterdir()):
        if (folder / "prepare.json").is_file():
            dataset = open_dataset(folder)
            found.setdefault(dataset.name, dataset)
    return found


def _never_at_hand(experiment: str) -> list[dict[str, str]]:
    """What no data set that can be prepared stands for."""
    if experiment not in ("table1", "table2"):
        return []
    why = "the lists that sort CMU's trials into 45 and 8 classes are no longer public"
    where = "nowhere known; motionprint's own 45 classes by written rules: motionprint prepare cmu, cmu8"
    return [{"experiment": experiment, "what": "CMU, CMU subset", "why": why, "where": where}]


def _pretrained(grid: Grid, place: Place, method: str, seed: int = 0, **more: Any) -> Cell:
    target, data, fold = place
    # few labels are asked of what Figure 3 shows
    labels = FEW if target.name in FIGURE and method == "inpainting" and not more else (None,)
    return Cell(
        "pretrain",
        data,
        target.protocol,
        fold,
        method,
        grid.preset,
        seed,
        labels=labels,
        samplings=grid.samplings if labels != (None,) else 1,
        **more,
    )


def _baselines(grid: Grid, place: Place) -> Cell:
    return replace(_pretrained(grid, place, "inpainting"), kind="baselines")


def _taught(
    grid: Grid, place: Place, method: str, init: Cell | None = None, labels: Iterable[int | None] = (None,)
) -> Iterator[Cell]:
    """Training with labels: as many draws, or seeds, as samplings."""
    target, data, fold = place
    for number in labels:
        for sampling in range(grid.samplings if target.ranks else 1):
            yield Cell(
                "train",
                data,
                target.protocol,
                fold,
                method,
                grid.preset,
                seed=sampling,
                labels=(number,),
                sampling=0 if number is None else sampling,
                samplings=1,
                init=None if init is None else init.unprobed(),
            )


def _table1(grid: Grid, place: Place) -> Iterator[Cell]:
    yield _baselines(grid, place)
    for method in METHODS if place[0].ranks else ON_FOLDS:
        if grid.wants(method) and grid.preset in METHODS[method].presets:
            for seed in range(1 if METHODS[method].closed else grid.seeds):
                yield _pretrained(grid, place, method, seed)
    if place[0].ranks and grid.wants("inpainting"):
        yield _pretrained(grid, place, "inpainting", transductive=True)


def _table2(grid: Grid, place: Place) -> Iterator[Cell]:
    for method in CLASSIFIERS if place[0].ranks else ON_PAIRS:
        if grid.wants(method) and grid.preset in CLASSIFIERS[method].presets:
            once = replace(grid, samplings=1) if CLASSIFIERS[method].closed else grid
            yield from _taught(once, place, method)
    for method in STARTS if place[0].ranks else ON_FOLDS:
        if grid.wants(method) and grid.preset in METHODS[method].presets:
            start = _pretrained(grid, place, method)
            yield start
            yield from _taught(grid, place, "softmax", start)


def _table3(grid: Grid, place: Place) -> Iterator[Cell]:
    if not place[0].ranks or not grid.wants("inpainting"):
        return
    for condition in ("F", "none"):
        for adversary in ("log", "none"):
            changes = {"condition": condition} if condition != "F" else {}
            changes |= {"adversary": adversary} if adversary != "log" else {}
            yield from _changed(grid, place, changes)


def _figure3(grid: Grid, place: Place) -> Iterator[Cell]:
    if place[0].name not in FIGURE:
        return
    yield _baselines(grid, place)
    start = _pretrained(grid, place, "inpainting")
    if grid.wants("inpainting"):
        yield start
    for number in FEW:  # so that what was killed has both at the fewest labels
        if grid.wants("softmax"):
            yield from _taught(grid, place, "softmax", None, (number,))
        if grid.wants("inpainting"):
            yield from _taught(grid, place, "softmax", start, (number,))


def _ablations(grid: Grid, place: Place) -> Iterator[Cell]:
    if place[0].name not in ABLATED or not grid.wants("inpainting"):
        return
    for changes in CLAIMS:
        yield from _changed(grid, place, changes)


def _changed(grid: Grid, place: Place, changes: Mapping[str, Any]) -> Iterator[Cell]:
    """LongT GAN with some settings changed, or none."""
    more = {"changes": tuple(sorted(changes.items()))} if changes else {}
    for seed in range(grid.seeds):
        yield _pretrained(grid, place, "inpainting", seed, **more)


EXPERIMENTS: Mapping[str, Callable[[Grid, Place], Iterator[Cell]]] = {
    "table1": _table1,
    "table2": _table2,
    "table3": _table3,
    "figure3": _figure3,
    "ablations": _ablations,
}
"""The experiments by name."""
