"""The whole way on the embedded data set, offline: prepare, pre-train, compare, draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motionprint.errors import DatasetError
from motionprint.progress import Report
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import BODY_PARTS
from motionprint.store import MotionDataset

__all__ = ["COLUMNS", "STEPS", "DemoResult", "run_demo"]

STEPS = 700
"""Training steps: about two minutes of pre-training on two CPU cores."""

PROTOCOL = "cross-subject"
HIDDEN_PARTS = (0, 3)  # left arm and right leg
"""What is hidden in the picture."""

COLUMNS = ("linear probe", "nearest neighbour", "two labels a class")
"""What the table compares: accuracy on subjects who did not train, in per cent."""

_LINES = (
    ("states", {"method": "inpainting", "features": "states"}),
    ("F", {"method": "inpainting", "features": "F"}),
    ("untrained encoder", {"method": "random", "features": "states"}),
    ("raw coordinates", {"method": "raw"}),
)


@dataclass(frozen=True)
class DemoResult:
    """What a demo found, and where it lies."""

    title: str
    """What the table is of."""
    lines: list[tuple[str, ...]]
    """A line a kind of prints: its name, then a text for each of `COLUMNS`."""
    inpainting: str
    """The inpainting error in a sentence."""
    rows: list[dict[str, Any]]
    """All result rows."""
    picture: Path
    """Original, hidden and inpainted skeletons over time."""


def run_demo(
    out: str | Path,
    *,
    steps: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    report: Report | None = None,
    command: str | None = None,
) -> DemoResult:
    """Prepare the data set `synthetic`, pre-train LongT GAN on six of its ten subjects, judge it on the others.

    The folder ``out`` gets ``data`` (the data set), ``run``, ``rows.jsonl`` and ``inpainting.png``.

    Raises
    ------
    DatasetError
        If ``out`` holds any of these already and may not be overwritten.
    """
    from motionprint.evaluation.evaluate import evaluate
    from motionprint.evaluation.rows import write_rows
    from motionprint.prepare import prepare
    from motionprint.store import open_dataset
    from motionprint.store.protocols import resolve
    from motionprint.training import pretrain

    folder = Path(out)
    places = {name: folder / name for name in ("data", "run", "rows.jsonl", "inpainting.png")}
    taken = [str(place) for place in places.values() if place.exists()]
    if taken and not overwrite:
        raise DatasetError(f"{', '.join(taken)}: exists; --overwrite replaces it")
    prepare("synthetic", None, places["data"], overwrite=overwrite, report=report, command=command)
    dataset = open_dataset(places["data"])
    run = pretrain(
        dataset,
        places["run"],
        protocol=PROTOCOL,
        steps=STEPS if steps is None else steps,
        seed=seed,
        device="cpu",
        overwrite=overwrite,
        report=report,
        command=command,
    )
    rows = evaluate(run, dataset, features=("states", "F"), labels_per_class=(2, "all"), report=report, command=command)
    write_rows(rows, places["rows.jsonl"], overwrite=overwrite)
    split = resolve(dataset, PROTOCOL)
    test = dataset.subset(split.test)
    _draw(run, test, places["inpainting.png"], overwrite)
    train_subjects = len(set(dataset.subset(split.train).subjects))
    return DemoResult(
        title=(
            f"{dataset.name}, {len(set(dataset.labels))} actions: accuracy in per cent on {len(test)} recordings of "
            f"{len(set(test.subjects))} subjects; {run.steps} steps on {len(split.train)} recordings of "
            f"{train_subjects} others"
        ),
        lines=_table(rows),
        inpainting=_sentence(rows),
        rows=rows,
        picture=places["inpainting.png"],
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The lines of the table from the rows."""
    from motionprint.evaluation.rows import summarise

    table = summarise(rows)
    lines = []
    for name, keys in _LINES:
        cells = []
        for task, labels in (("linear", None), ("knn1", None), ("linear", 2)):
            chosen = table[(table["task"] == task) & (table["method"] == keys["method"])]
            chosen = chosen[
                chosen["labels_per_class"].isna() if labels is None else chosen["labels_per_class"] == labels
            ]
            if "features" in keys:
                chosen = chosen[chosen["features"] == keys["features"]]
            mean, deviation = 100 * chosen["mean"].item(), 100 * chosen["sd"].item()
            cells.append(f"{mean:.1f}" if labels is None else f"{mean:.1f} ± {deviation:.1f}")
        lines.append((name, *cells))
    return lines


def _sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """The inpainting error over hidden values, with and without the print, beside the plainest guess."""
    found = {
        row["condition"] or row["method"]: row["value"]
        for row in rows
        if row["task"] == "inpaint_hidden" and row["metric"] == "rmse_cm"
    }
    return (
        f"inpainting error over hidden values: {found['F']:.1f} cm (with the print zeroed {found['zeroed']:.1f} cm; "
        f"left as in the first frame {found['first_frame']:.1f} cm)"
    )


def _draw(run: Any, test: MotionDataset, out: Path, overwrite: bool) -> None:
    """Draw the test recording in which the joints that will be hidden move fastest."""
    from motionprint.evaluation.inpainting import inpainted
    from motionprint.pictures import inpainting_strip
    from motionprint.store.atomic import new_file

    joints = [joint for part in HIDDEN_PARTS for joint in run.skeleton.body_parts[part]]

    def moved(sequence: SkeletonSequence) -> float:
        frames = run.recipe.apply(sequence)
        path = frames.reshape(len(frames), len(run.skeleton), 3)[:, joints]  # (T, joints, 3)
        return float(np.linalg.norm(np.diff(path, axis=0), axis=2).mean())

    sequence = max(test, key=moved)
    original, hidden, found = inpainted(run, sequence, HIDDEN_PARTS)
    parts = " and ".join(BODY_PARTS[part] for part in HIDDEN_PARTS)
    title = f"{sequence.label}, subject {sequence.subject}, who did not train: {parts} hidden"
    fps = (len(original) - 1) * sequence.fps / (len(sequence) - 1)  # of what the network reads
    with new_file(out, overwrite=overwrite) as unfinished:
        inpainting_strip(original, hidden, found, run.skeleton, unfinished, fps=fps, title=title)
