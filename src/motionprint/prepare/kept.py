"""What is written of the recordings, entry by entry of a journal, so that a later prepare can go on with it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from motionprint.corpora.corpus import Corpus, Recording
from motionprint.errors import DatasetError, MotionprintError, SkeletonMismatchError
from motionprint.persons import persons as as_sequences
from motionprint.prepare.reading import Result
from motionprint.progress import Report
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton
from motionprint.store.journal import Entry, Journal
from motionprint.store.writer import DatasetWriter

__all__ = ["Kept", "LeftOut", "keeping", "plain"]


@dataclass(frozen=True)
class LeftOut:
    """A recording that is not in the data set."""

    name: str
    source: str
    reason: str


@contextmanager
def keeping(
    unfinished: Path,
    out: str | Path,
    work: dict[str, Any],
    call: str,
    resume: bool,
    total: int,
    report: Report | None,
    corpus: Corpus,
    persons: str,
) -> Iterator[Kept]:
    """What is written of the recordings, with what an earlier prepare has left; for a later one if this one fails."""
    useless = False
    try:
        with (
            Journal(unfinished / "journal.jsonl", work, call, what=str(out), resume=resume) as journal,
            DatasetWriter(unfinished / "dataset", resume=resume) as writer,
        ):
            kept = Kept(writer, journal, corpus, persons)
            try:
                kept.restore(report)
                yield kept
            except BaseException as error:
                useless = kept.useless or not journal.done
                if not useless:
                    error.add_note(f"{journal.done} of {total} recordings are kept: --resume goes on with them")
                raise
    finally:
        if useless:
            shutil.rmtree(unfinished / "dataset", ignore_errors=True)
            (unfinished / "journal.jsonl").unlink(missing_ok=True)


class Kept:
    """Writes what can be used, counts what is missing, and remembers what was left out and why.

    Each recording makes an entry of the journal, and all but the frames comes from these entries: it is the same
    whether they were made now or by an earlier prepare.
    """

    def __init__(self, writer: DatasetWriter, journal: Journal, corpus: Corpus, persons: str) -> None:
        self.writer = writer
        self.journal = journal
        self.corpus = corpus
        self.persons = persons
        self.useless = False
        """Whether a later prepare could not go on either."""
        self.left_out: list[LeftOut] = []
        self.missing_values = 0
        self.missing_sequences = 0
        self.points_at_origin: Counter[str] = Counter()

    def restore(self, report: Report | None) -> None:
        """Take over what an earlier prepare has done, as far as it is whole."""
        skeleton, first = None, ""
        for entry in self.journal.entries():
            if "skeleton" in entry:
                skeleton, first = Skeleton.from_dict(entry["skeleton"]), entry["source"]
            if entry["rows"] and (skeleton is None or not self.writer.restore(skeleton, first, entry["rows"])):
                break
            self._count(entry)
            if report is not None:
                report(self.journal.done + 1, None, "checking what was read before")

    def take(self, recording: Recording, result: Result) -> None:
        """Write what a recording gave."""
        entry: Entry = {"source": recording.source, "rows": [], "left_out": [], "missing": [], "at_origin": {}}
        began = not len(self.writer)
        if isinstance(result, MotionprintError):
            entry["left_out"].append((recording.name, " ".join(str(result).split())))
        elif not result:
            entry["left_out"].append((recording.name, recording.left_out or "nobody in it"))
        else:
            for sequence in self._persons(recording, result, entry):
                self._write(sequence, entry)
        if began and entry["rows"]:
            assert self.writer.skeleton is not None
            entry["skeleton"] = self.writer.skeleton.to_dict()
        self.writer.flush()
        self.journal.add(entry)
        self._count(entry)

    def _persons(
        self, recording: Recording, result: list[SkeletonSequence], entry: Entry
    ) -> Iterator[SkeletonSequence]:
        """The sequences of a recording that can be used, as they are called in the data set."""
        ghosts = self.corpus.ghosts(result)
        for number, why in ghosts.items():
            entry["left_out"].append((f"{recording.name}_p{result[number].person}", why))
        try:
            sequences = as_sequences([each for number, each in enumerate(result) if number not in ghosts], self.persons)
        except (DatasetError, SkeletonMismatchError) as error:
            entry["left_out"].append((recording.name, " ".join(str(error).split())))
            return
        for sequence in sequences:
            name = recording.name if len(sequences) == 1 else f"{recording.name}_p{sequence.person}"
            reason = _unusable(sequence)
            if reason is not None:
                entry["left_out"].append((name, reason))
                continue
            yield replace(
                sequence,
                name=name,
                label=sequence.label if recording.label is None else recording.label,
                subject=sequence.subject if recording.subject is None else recording.subject,
                source=recording.source,
                extra=plain({**sequence.extra, **recording.extra}),
            )

    def _write(self, sequence: SkeletonSequence, entry: Entry) -> None:
        try:
            self.writer.append(sequence)
        except SkeletonMismatchError as error:
            self.useless = True
            raise DatasetError(
                f"{error}; a data set has one skeleton: --map-to (map_to=) brings others onto it"
            ) from error
        entry["rows"].append(self.writer.last_row)
        missing = int(np.isnan(sequence.positions).sum())
        if missing:
            entry["missing"].append(missing)
        at_origin = int((sequence.positions == 0).all(axis=2).sum())
        if at_origin:
            entry["at_origin"][sequence.name] = at_origin

    def _count(self, entry: Entry) -> None:
        self.left_out += [LeftOut(name, entry["source"], reason) for name, reason in entry["left_out"]]
        self.missing_values += sum(entry["missing"])
        self.missing_sequences += len(entry["missing"])
        self.points_at_origin.update(entry["at_origin"])

    def require_some(self, where: str, strict: bool) -> None:
        """Refuse a data set of nothing, and, where ``strict``, one without all that was found."""
        if not len(self.writer):
            self.useless = True
            first = self.left_out[0]
            raise DatasetError(
                f"{where}: none of {self.journal.done} recordings can be used; the first, {first.source}: "
                f"{first.reason}"
            )
        if strict and self.left_out:
            first = self.left_out[0]
            raise DatasetError(
                f"{where}: strict: expected to use all of {self.journal.done} recordings, found "
                f"{len(self.left_out)} to be left out; the first, {first.source}: {first.reason}"
            )


def plain(extra: Mapping[str, Any]) -> dict[str, Any]:
    """A corpus's own columns as plain Python values: the same whether they went through JSON or not."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(extra), default=lambda value: value.item()))  # of NumPy's
    return plain


def _unusable(sequence: SkeletonSequence) -> str | None:
    """Why a sequence cannot be used at all, or None."""
    if len(sequence) < 2:
        return f"{len(sequence)} frame{'s' * (len(sequence) != 1)}, expected at least 2"
    if np.isnan(sequence.positions).all():
        return "nothing recorded: all values are missing"
    return None
