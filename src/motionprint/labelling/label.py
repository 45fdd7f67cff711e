"""Labels for a whole data set from a few that are given."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from motionprint.errors import DatasetError, SettingsError
from motionprint.evaluation import encode
from motionprint.evaluation.prints import require_known
from motionprint.labelling.classifier import (
    CrossValidated,
    Known,
    Prints,
    Scores,
    cross_validate,
    held_out_scores,
    learn,
    probabilities,
    temperature,
)
from motionprint.labelling.given import Given, check_labels, read_labels
from motionprint.labelling.suggest import suggest
from motionprint.progress import Report
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.atomic import new_file
from motionprint.training import Run

__all__ = ["Labelled", "Proposal", "label"]

COLUMNS = ("name", "source", "label", "confidence", "given", "second", "second_confidence", "suggested")
"""Of the table that is written; ``suggested`` only where suggestions were asked for."""


@dataclass(frozen=True)
class Proposal:
    """What is said of a sequence."""

    name: str
    source: str
    """The file that it was read from; empty where that is not known."""
    label: str | None
    """The given label or the likeliest one; None where that is too doubtful, or nothing could be learned."""
    confidence: float | None
    """The probability of the likeliest label, 1 where it is given; None where nothing could be learned."""
    given: bool
    """Whether the label was given."""
    second: str | None
    """The second likeliest label; None where the label is given."""
    second_confidence: float | None
    """Its probability."""
    suggested: int | None
    """Its place, from 1, among those that are suggested to be labelled next."""


@dataclass(frozen=True)
class Labelled:
    """What `label` has found."""

    proposals: tuple[Proposal, ...]
    """One a sequence, in the order of the data set."""
    classes: tuple[str, ...]
    """The labels that were given, sorted."""
    temperature: float | None
    """By what scores were divided; None where nothing could be learned."""
    cross_validated: CrossValidated | None
    """How many given labels were found when held out in turn; None where there are not enough."""
    passed_over: int
    """Labels of the table that were not taken, as they do not say ``true`` under ``given``."""

    @property
    def given(self) -> int:
        """Sequences whose label was given."""
        return sum(each.given for each in self.proposals)

    @property
    def predicted(self) -> int:
        """Sequences whose label is proposed."""
        return sum(not each.given and each.label is not None for each in self.proposals)

    @property
    def abstained(self) -> int:
        """Sequences that stay without a label."""
        return sum(each.label is None for each in self.proposals)

    @property
    def suggested(self) -> tuple[str, ...]:
        """The names of the sequences whose labels would help most, the most helpful first."""
        ranked = [each for each in self.proposals if each.suggested is not None]
        return tuple(each.name for each in sorted(ranked, key=lambda each: each.suggested or 0))


def label(
    run: Run,
    dataset: MotionDataset | str | Path,
    labels: Mapping[str, str] | str | Path | None = None,
    out: str | Path | None = None,
    *,
    suggestions: int = 0,
    min_confidence: float = 0.0,
    features: str = "states",
    seed: int = 0,
    overwrite: bool = False,
    report: Report | None = None,
) -> Labelled:
    """Propose a label for each sequence that has none, from the prints of a run and the labels that are given.

    ``labels`` are a CSV table (`read_labels`), or labels by the names of sequences; without them the labels that the
    data set itself has are the given ones. With ``suggestions`` that many sequences are named whose labels would help
    most; then there may be one class only, or no label at all: nothing is proposed, and the suggested ones cover the
    data set.
    ``out`` is a CSV table to write, with the columns of `Proposal`.

    Raises
    ------
    DatasetError
        If the labels do not fit the data set, all sequences have one, fewer than two classes are given and no
        suggestion is asked for, or ``out`` exists.
    SkeletonMismatchError
        If the sequences have other joints than the run.
    SettingsError
        If the features are unknown, ``suggestions`` are fewer than 0, or ``min_confidence`` is no probability.
    """
    require_known(features)
    if suggestions < 0:
        raise SettingsError(f"expected 0 suggestions or more, found {suggestions}")
    if not 0 <= min_confidence <= 1:
        raise SettingsError(f"expected a least confidence from 0 to 1, found {min_confidence:g}")
    with ExitStack() as stack:
        unfinished = None if out is None else stack.enter_context(new_file(out, overwrite=overwrite))
        dataset = dataset if isinstance(dataset, MotionDataset) else open_dataset(dataset)
        read = _given(labels, dataset)
        given = read.labels
        where = labels if isinstance(labels, (str, Path)) else dataset.folder
        classes = sorted(set(given.values()))
        if len(classes) < 2 and not suggestions:
            found = f"only {classes[0]!r}" if classes else "none"
            raise DatasetError(
                f"{where}: expected labels of two classes or more, found {found} "
                "(--suggest N names sequences to label first)"
            )
        if len(given) == len(dataset):
            raise DatasetError(f"{where}: expected sequences without a label, found one for each of {len(dataset)}")
        run.require_joints(dataset)
        known = np.array([classes.index(given[name]) if name in given else -1 for name in dataset.names], dtype=np.intp)
        prints = Prints.of(encode(run, dataset, features, report))
        result = _labelled(dataset, prints, known, tuple(classes), suggestions, min_confidence, seed, report)
        result = replace(result, passed_over=read.proposals)
        if unfinished is not None:
            _write(result, unfinished, suggestions > 0)
    return result


def _given(labels: Mapping[str, str] | str | Path | None, dataset: MotionDataset) -> Given:
    if labels is None:
        own = zip(dataset.names, dataset.labels, strict=True)
        return Given({name: each for name, each in own if each is not None}, 0)
    if isinstance(labels, (str, Path)):
        return read_labels(labels, dataset)
    check_labels(labels, dataset)
    return Given(dict(labels), 0)


def _labelled(
    dataset: MotionDataset,
    prints: Prints,
    known: Known,
    classes: tuple[str, ...],
    suggestions: int,
    min_confidence: float,
    seed: int,
    report: Report | None,
) -> Labelled:
    chances: Scores | None = None
    divisor, checked = None, None
    if len(classes) > 1:
        held_out, testable = held_out_scores(prints, known, seed, report)
        checked = cross_validate(held_out, known[testable], int((known >= 0).sum()) - len(testable))
        divisor = temperature(held_out, known[testable])
        chances = probabilities(learn(prints, known).scores(prints.scaled), divisor)
    chosen = suggest(prints, known, chances, suggestions, seed)
    places = {int(number): place for place, number in enumerate(chosen, start=1)}
    proposals = []
    for number, (name, source) in enumerate(zip(dataset.names, dataset.sources, strict=True)):
        told = known[number] >= 0
        best, second, likely, less = None, None, None, None
        if told:
            best, likely = classes[known[number]], 1.0
        elif chances is not None:
            first, next_ = np.argsort(-chances[number], kind="stable")[:2]
            likely, less, second = float(chances[number, first]), float(chances[number, next_]), classes[next_]
            best = classes[first] if likely >= min_confidence else None
        proposals.append(Proposal(name, source or "", best, likely, bool(told), second, less, places.get(number)))
    return Labelled(tuple(proposals), classes, divisor, checked, 0)


def _write(result: Labelled, file: Path, suggested: bool) -> None:
    columns = COLUMNS if suggested else COLUMNS[:-1]
    with file.open("w", encoding="utf-8", newline="") as opened:
        table = csv.writer(opened, lineterminator="\n")
        table.writerow(columns)
        for each in result.proposals:
            table.writerow([_cell(getattr(each, column)) for column in columns])


def _cell(value: str | float | bool | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4f}" if isinstance(value, float) else str(value)
