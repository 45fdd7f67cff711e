"""What a supervised run makes of recordings: a class for each."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError, SettingsError
from motionprint.methods import Classifier
from motionprint.progress import Report
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset
from motionprint.training import Run
from motionprint.training.validation import scores_of

__all__ = ["predict", "read_predictions"]

POOL = 1024
"""Recordings read and scored at once."""


def predict(
    run: Run, recordings: Sequence[SkeletonSequence] | MotionDataset, report: Report | None = None
) -> npt.NDArray[np.str_]:
    """The class of each recording (N,); of one so long that the recipe cuts it, by the mean of its windows' scores.

    Raises
    ------
    SettingsError
        If the run was not trained with labels.
    DatasetError
        If there is no recording, or one has no recorded joint, or no root, in any frame.
    SkeletonMismatchError
        If a recording has other joints than the run.
    """
    if not isinstance(run.method, Classifier):
        raise SettingsError(f"expected a run trained with labels, found one of {run.config['method']}")
    if not len(recordings):
        raise DatasetError("expected at least one recording, found none")
    classes = np.array(run.config["classes"], dtype=np.str_)
    found = []
    for start in range(0, len(recordings), POOL):
        frames, owners = [], []
        for number in range(start, min(start + POOL, len(recordings))):
            for piece in run.recipe.pieces(recordings[number]):
                frames.append(run.recipe.apply(recordings[number], piece))
                owners.append(number - start)
        found.append(
            scores_of(run.method, frames.__getitem__, [len(each) for each in frames], owners).argmax(1).cpu().numpy()
        )
        if report is not None:
            report(min(start + POOL, len(recordings)), len(recordings), "recognising")
    named: npt.NDArray[np.str_] = classes[np.concatenate(found)]
    return named


def read_predictions(file: Path) -> list[tuple[str, str]]:
    """Label and predicted label of each recording, from a ``predictions.csv`` (name, label, predicted).

    Raises
    ------
    DatasetError
        If the file does not hold them; the text begins with the file.
    """
    header, lines = _read_table(file)
    for name in ("name", "label", "predicted"):
        if header.count(name) != 1:
            raise DatasetError(f"{file}: expected the columns name, label and predicted, found {', '.join(header)}")
    label, predicted = header.index("label"), header.index("predicted")
    return [(line[label], line[predicted]) for line in lines]


def _read_table(file: Path) -> tuple[list[str], list[list[str]]]:
    """Header and lines of a CSV file; every line has the header's fields."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DatasetError(f"{file}: expected a file, found none") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file}: cannot be read: {error}") from error
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise DatasetError(f"{file}: expected a CSV table: {error}") from error
    if not lines:
        raise DatasetError(f"{file}: expected a CSV table with a header, found an empty file")
    for number, line in enumerate(lines, start=1):
        if len(line) != len(lines[0]):
            raise DatasetError(f"{file}:{number}: expected {len(lines[0])} fields, found {len(line)}")
    return lines[0], lines[1:]
