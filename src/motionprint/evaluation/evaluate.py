"""What a run's prints are worth on a data set: rows of probes, retrieval, clusters and inpainting errors.

The same rows for raw coordinates and for an untrained encoder stand beside the run's own. Test recordings choose
nothing and touch nothing that is fitted. Definitions: docs/evaluation.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError, SettingsError
from motionprint.evaluation.clustering import (
    ALGORITHMS,
    WARD_LIMIT,
    assignment_accuracy,
    cluster,
    normalised_mutual_information,
)
from motionprint.evaluation.inpainting import first_frame_errors, inpainting_errors
from motionprint.evaluation.prints import FEATURES, encode
from motionprint.evaluation.probes import PROBES, accuracy, draw_labelled, fit_probe
from motionprint.evaluation.raw import raw_prints
from motionprint.evaluation.retrieval import retrieval
from motionprint.evaluation.rows import build_row, provenance
from motionprint.evaluation.supervised import predict
from motionprint.evaluation.warping import require_warping, warped_frames, warping_distances
from motionprint.methods import Classifier, Inpainting
from motionprint.progress import Report
from motionprint.store import MotionDataset
from motionprint.store.protocols import Split, known_protocols, resolve
from motionprint.training import Run

__all__ = ["HIDING_SEED", "evaluate"]

HIDING_SEED = 0
"""Which body parts are hidden for the inpainting error: the same for every run, so that runs can be compared."""

Prints = npt.NDArray[np.float32]
Labels = int | Literal["all"]


def evaluate(
    run: Run,
    dataset: MotionDataset,
    *,
    protocol: str | None = None,
    fold: int | None = None,
    features: Sequence[str] = ("states",),
    labels_per_class: Sequence[Labels] = ("all",),
    samplings: int = 10,
    transductive: bool = False,
    baselines: bool = True,
    dtw: bool = False,
    report: Report | None = None,
    command: str | None = None,
) -> list[dict[str, Any]]:
    """Judge a run on the test recordings of a protocol.

    Parameters
    ----------
    protocol, fold
        Default: those that the run was fitted under.
    features
        ``states``, ``F``, ``both``: rows for each.
    labels_per_class
        How many training recordings of each class are labelled; ``all`` for all of them. Retrieval, clusters and
        inpainting errors, which fit no labels, are reported with ``all``.
    samplings
        How many times a few labels are drawn.
    transductive
        Whether test recordings that the run was fitted on are allowed; the rows then say so.
    baselines
        Whether raw coordinates and an untrained encoder are judged too.
    dtw
        Whether the nearest neighbour by dynamic time warping is judged too: slow, it compares every pair of recordings.

    Returns
    -------
    list of dict
        Result rows: see `motionprint.evaluation.rows`.

    Raises
    ------
    SettingsError
        If no protocol is given and the run was fitted on everything, an option is unknown, or the package that
        ``dtw`` needs is not installed.
    DatasetError
        If the protocol is unknown, the data set has no labels, fewer than two classes train, or test recordings
        are among those that the run was fitted on.
    SkeletonMismatchError
        If the data set has other joints than the run.
    """
    _check(features, labels_per_class, samplings)
    if dtw:
        require_warping()
    run.require_joints(dataset)
    labelled = np.array([label is not None for label in dataset.labels])
    if not labelled.any():
        raise DatasetError(
            f"{dataset.folder}: expected labels to evaluate with, found none on {len(dataset)} recordings"
        )
    split = _split(run, dataset, protocol, fold)
    transductive = _seen(run, dataset, split, transductive)
    where = f"{dataset.folder}: {split.protocol}, fold {split.fold}"
    halves = Halves(
        _half(dataset, split.train[labelled[split.train]], f"{where}: training"),
        _half(dataset, split.test[labelled[split.test]], f"{where}: test"),
    )
    if len(classes := np.unique(halves.train.labels)) < 2:
        raise DatasetError(
            f"{where}: expected at least two classes among the training recordings, found only {str(classes[0])!r}"
        )
    common = _common(run, dataset, split, transductive) | provenance(command)
    if isinstance(run.method, Classifier):
        return [build_row(common | _row_of_classes(run, halves, report))]
    draws = list(_draws(halves.train, tuple(dict.fromkeys(labels_per_class)), samplings))
    judged = list(_judged(run, features, baselines))
    conditions = _conditions(run, len(split.test), baselines) if "all" in labels_per_class else ()
    progress = Progress(report, (len(PROBES) + 3) * len(judged) + dtw + len(conditions))
    rows: list[dict[str, Any]] = []
    for kind in judged:
        rows += _rows_of_prints(kind, halves, common, draws, progress)
    if dtw:
        progress.begin("dynamic time warping")
        rows += _rows_of_warping(run, halves, common, draws)
    for condition in conditions:
        progress.begin(f"inpainting, {condition}")
        test = dataset.subset(split.test)
        rows += _rows_of_inpainting(run, test, condition, common | {"n_train": len(split.train)})
    progress.finish()
    return [build_row(row) for row in rows]


@dataclass(frozen=True)
class Half:
    """The labelled training, or test, recordings of a protocol."""

    recordings: MotionDataset
    names: list[str]
    labels: npt.NDArray[np.str_]
    """(N,)"""


@dataclass(frozen=True)
class Halves:
    """Both."""

    train: Half
    test: Half


@dataclass(frozen=True)
class Judged:
    """One kind of prints, and the keys that name it in a row."""

    encode: Callable[[MotionDataset], Prints]
    """Recordings to prints (N, R)."""
    keys: dict[str, Any]
    """method, preset, loss, condition, features, steps."""


@dataclass
class Progress:
    """Counts pieces of work."""

    report: Report | None
    total: int
    done: int = field(default=0, init=False)

    def begin(self, text: str) -> None:
        """Say what is worked on from now; what came before is done."""
        if self.report is not None:
            self.report(min(self.done, self.total - 1), self.total, text)
        self.done += 1

    def finish(self) -> None:
        """Say that all is done."""
        if self.report is not None:
            self.report(self.total, self.total, "evaluated")


def _check(features: Sequence[str], labels_per_class: Sequence[Labels], samplings: int) -> None:
    for name, values in (("features", features), ("labels_per_class", labels_per_class)):
        if isinstance(values, str) or not values:
            raise SettingsError(f"expected a list of {name}, found {values!r}")
    for kind in features:
        if kind not in FEATURES:
            raise SettingsError(f"unknown features {kind!r}: expected among {', '.join(FEATURES)}")
    for number in labels_per_class:
        if number != "all" and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
            raise SettingsError(f"expected labels_per_class of 1 or more, or 'all', found {number!r}")
    if samplings < 1:
        raise SettingsError(f"expected at least 1 sampling, found {samplings}")


def _split(run: Run, dataset: MotionDataset, protocol: str | None, fold: int | None) -> Split:
    own = run.config.get("protocol")
    if protocol is None and own is None:
        raise SettingsError(
            f"{run.folder or 'the run'}: was fitted on everything and has no protocol of its own: give one of "
            f"{', '.join(known_protocols(dataset))}"
        )
    if fold is None:
        fold = int(run.config["fold"]) if protocol in (None, own) else 0
    return resolve(dataset, own if protocol is None else protocol, fold)


def _seen(run: Run, dataset: MotionDataset, split: Split, allowed: bool) -> bool:
    """Whether the run was fitted on test recordings, beyond those that equal one of the protocol's own training set."""
    seen = run.seen(dataset, split)
    if seen.any() and not allowed:
        names = [dataset.names[number] for number in split.test[seen][:3]]
        raise DatasetError(
            f"{run.folder or 'the run'}: was fitted on {int(seen.sum())} of the {len(split.test)} test recordings of "
            f"{split.protocol}, fold {split.fold} ({', '.join(names)}{', ...' if seen.sum() > 3 else ''}): "
            f"pretrain with --protocol {split.protocol} --fold {split.fold}, or say --transductive"
        )
    return bool(seen.any())


def _half(dataset: MotionDataset, numbers: npt.NDArray[np.int64], which: str) -> Half:
    if not len(numbers):
        raise DatasetError(f"{which} recordings: expected labels, found none")
    recordings = dataset.subset(numbers)
    return Half(recordings, recordings.names, np.array(recordings.labels, dtype=np.str_))


def _common(run: Run, dataset: MotionDataset, split: Split, transductive: bool) -> dict[str, Any]:
    """What all rows of one evaluation share."""
    recipe, source = run.recipe, run.config.get("pretrained")
    return {
        "dataset": dataset.name,
        "protocol": split.protocol,
        "fold": split.fold,
        "sampling": 0,
        "labels_per_class": None,
        "seed": run.config["seed"],
        "duplicates": split.duplicates,
        "transductive": transductive,
        "recipe": {
            "alignment": recipe.alignment,
            "scaling": recipe.scaling,
            "scale": recipe.scale if recipe.scaling == "set" else None,
            "fps": recipe.fps,
            "max_length": recipe.max_length,
            "root_path": recipe.root_path,
            "window_over": recipe.window_over,
            "window": recipe.window,
            "quantile": recipe.quantile,
            "fill_gaps": recipe.fill_gaps,
        },
        "device": str(run.device),
        "fitted_on": {key: (source or run.config).get(key) for key in ("dataset", "protocol", "fold")},
    }


def _keys(run: Run) -> dict[str, Any]:
    """What names the run in a row."""
    settings = run.method.settings
    return {
        "method": run.config["method"],
        "preset": run.config["preset"],
        "loss": getattr(settings, "loss", None),
        "condition": getattr(settings, "condition", None),
        "features": None,
        "steps": run.steps,
        "changes": run.changes,
        "model": run.model_hash,
    }


def _judged(run: Run, features: Sequence[str], baselines: bool) -> Iterator[Judged]:
    """The run's own prints, those of the untrained encoder, and raw coordinates."""
    kinds = tuple(dict.fromkeys(features))
    for kind in kinds:
        yield Judged(partial(_encode, run, kind), _keys(run) | {"features": kind})
    if not baselines:
        return
    untrained = run.untrained()
    random = _keys(untrained) | {"method": "random", "loss": None, "condition": None}
    for kind in () if run.method.closed else kinds:  # the weights of a closed method are zero before it is solved
        yield Judged(partial(_encode, untrained, kind), random | {"features": kind})
    yield Judged(partial(raw_prints, run.recipe), dict.fromkeys(random) | {"method": "raw"})


def _encode(run: Run, features: str, recordings: MotionDataset) -> Prints:
    return encode(run, recordings, features)


def _row_of_classes(run: Run, halves: Halves, report: Report | None) -> dict[str, Any]:
    """How many test recordings a supervised run recognises."""
    started = time.perf_counter()
    found = predict(run, halves.test.recordings, report)
    source = run.config["pretrained"]
    row = _keys(run) | {
        "labels_per_class": run.config["labels_per_class"],
        "sampling": run.config["sampling"],
        "task": "supervised" if source is None else "finetune",
        "metric": "accuracy",
        "value": float(np.mean(found == halves.test.labels)),
        "n_train": run.config["labelled"],
        "n_test": len(found),
        "seconds": round(time.perf_counter() - started, 3),
    }
    if source is not None:  # named by what it was pre-trained with, whose settings differ where `changes` says so
        row |= {"method": source["method"], "loss": source["loss"], "condition": source["condition"]}
        row["features"] = run.method.settings.reads
        row["changes"] = {**row["changes"], **{f"pretrained.{name}": v for name, v in source["changes"].items()}}
    return row


class Draw(NamedTuple):
    """Which training recordings are labelled."""

    per_class: int | None
    """How many of each class; None for all."""
    sampling: int
    numbers: npt.NDArray[np.intp]
    """(n,) their places among the training recordings."""


def _draws(train: Half, labels_per_class: Sequence[Labels], samplings: int) -> Iterator[Draw]:
    for number in labels_per_class:
        if number == "all":
            yield Draw(None, 0, np.arange(len(train.names)))
        else:
            for sampling in range(samplings):
                yield Draw(number, sampling, draw_labelled(train.names, train.labels, number, sampling))


def _rows_of_prints(
    kind: Judged, halves: Halves, common: dict[str, Any], draws: Sequence[Draw], progress: Progress
) -> Iterator[dict[str, Any]]:
    """Rows of the probes, of retrieval and of the clusters of one kind of prints."""
    name = f"{kind.keys['method']} {kind.keys['features'] or 'coordinates'}"
    progress.begin(f"{name}: encoding {len(halves.train.names) + len(halves.test.names)} recordings")
    started = time.perf_counter()
    # one after the other: what is in the test half cannot touch a training print, not even by rounding
    train, test = kind.encode(halves.train.recordings), kind.encode(halves.test.recordings)
    encoding = time.perf_counter() - started
    shared = common | kind.keys | {"n_train": len(train), "n_test": len(test)}
    for task in PROBES:
        progress.begin(f"{name}: {task}")
        for draw in draws:
            started = time.perf_counter()
            probe = fit_probe(task, train[draw.numbers], halves.train.labels[draw.numbers])
            value = accuracy(probe, test, halves.test.labels)
            seconds = encoding + time.perf_counter() - started
            yield shared | _accuracy(task, draw, value, seconds)
    without_labels: list[dict[str, Any]] = []
    progress.begin(f"{name}: retrieval")
    if any(draw.per_class is None for draw in draws):
        started = time.perf_counter()
        found = retrieval(train, halves.train.labels, test, halves.test.labels)
        seconds = time.perf_counter() - started
        without_labels += [{"task": "retrieval", "metric": m, "value": v, "seconds": seconds} for m, v in found.items()]
    progress.begin(f"{name}: clusters")
    if any(draw.per_class is None for draw in draws):
        without_labels += _rows_of_clusters(test, halves.test.labels, int(common["seed"]))
    for row in without_labels:
        yield shared | row | {"seconds": round(encoding + row["seconds"], 3)}


def _accuracy(task: str, draw: Draw, value: float, seconds: float) -> dict[str, Any]:
    """What a row says of one probe with some labels."""
    return {
        "labels_per_class": draw.per_class,
        "sampling": draw.sampling,
        "task": task,
        "metric": "accuracy",
        "value": value,
        "n_train": len(draw.numbers),
        "seconds": round(seconds, 3),
    }


def _rows_of_warping(
    run: Run, halves: Halves, common: dict[str, Any], draws: Sequence[Draw]
) -> Iterator[dict[str, Any]]:
    """The nearest neighbour by dynamic time warping; where two are as near, the first training recording."""
    started = time.perf_counter()
    train, test = (warped_frames(run.recipe, half.recordings) for half in (halves.train, halves.test))
    distances = np.concatenate(list(warping_distances(test, train)))  # (test, train): all draws choose from them
    comparing = time.perf_counter() - started
    shared = common | dict.fromkeys(_keys(run)) | {"method": "dtw", "n_test": len(test)}
    for draw in draws:
        nearest = draw.numbers[distances[:, draw.numbers].argmin(axis=1)]
        value = float(np.mean(halves.train.labels[nearest] == halves.test.labels))
        yield shared | _accuracy("knn1", draw, value, comparing)


def _rows_of_clusters(prints: Prints, labels: npt.NDArray[np.str_], seed: int) -> Iterator[dict[str, Any]]:
    """Clusters of the test prints, as many as classes; none where there is one class."""
    classes = len(np.unique(labels))
    for algorithm in ALGORITHMS if classes > 1 else ():
        if algorithm == "ward" and len(prints) > WARD_LIMIT:
            continue
        started = time.perf_counter()
        clusters = cluster(algorithm, prints, classes, seed)
        seconds = time.perf_counter() - started
        for metric, score in (("acc", assignment_accuracy), ("nmi", normalised_mutual_information)):
            yield {"task": algorithm, "metric": metric, "value": score(clusters, labels), "seconds": seconds}


HELD = "first_frame"
"""Beside the conditions of `inpainting_errors`: no network, every hidden value as it was in the first frame."""


def _conditions(run: Run, recordings: int, baselines: bool) -> tuple[str, ...]:
    """What the decoder is given for the inpainting error; nothing where a method does not inpaint."""
    if not isinstance(run.method, Inpainting):
        return ()
    trained: str = run.method.settings.condition
    held = (HELD,) if baselines else ()
    if trained != "F":
        return (trained, *held)
    return ("F", "zeroed", *(["shuffled"] if recordings > 1 else []), *held)  # one recording has nobody else's print


def _rows_of_inpainting(
    run: Run, test: MotionDataset, condition: str, common: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Inpainting errors over the test recordings, labelled or not."""
    started = time.perf_counter()
    if condition == HELD:
        errors = first_frame_errors(run, test, HIDING_SEED)
        keys = dict.fromkeys(_keys(run)) | {"method": HELD}
    else:
        errors = inpainting_errors(run, test, condition, HIDING_SEED)
        keys = _keys(run) | {"condition": condition}
    shared = common | keys | {"n_test": len(test)}
    seconds = round(time.perf_counter() - started, 3)
    for task, metrics in errors.items():
        for metric, value in metrics.items():
            yield shared | {"task": task, "metric": metric, "value": value, "seconds": seconds}
