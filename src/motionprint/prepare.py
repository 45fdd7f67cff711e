"""Corpus + source -> data set folder."""

from __future__ import annotations

import multiprocessing
import os
import platform
import signal
from collections import Counter, deque
from collections.abc import Generator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

import motionprint
from motionprint.corpora import CORPORA
from motionprint.corpora.corpus import Corpus, Options, Recording, refuse_repeated
from motionprint.corpora.folder import labels_from
from motionprint.errors import DatasetError, MotionprintError, ReadError, SettingsError, SkeletonMismatchError
from motionprint.persons import HOW
from motionprint.persons import persons as as_sequences
from motionprint.progress import Report
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.store.atomic import new_folder
from motionprint.store.writer import DatasetWriter, Protocols, duplicates

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LeftOut", "Prepared", "prepare"]


_NAMED = 100
"""How many names of a kind ``prepare.json`` lists where only their number matters."""


@dataclass(frozen=True)
class LeftOut:
    """A recording that is not in the data set."""

    name: str
    source: str
    reason: str


@dataclass(frozen=True)
class Prepared:
    """What `prepare` has made."""

    folder: Path
    corpus: str
    recordings: int
    """Files that were taken for recordings."""
    sequences: int
    """Sequences in the data set."""
    classes: int
    subjects: int
    joints: int
    frames: int
    seconds: float
    """How long all sequences last together."""
    labels: str
    """Where labels came from: `corpus`, `subfolders`, `none` or a CSV file."""
    left_out: list[LeftOut] = field(default_factory=list)
    duplicates: list[list[str]] = field(default_factory=list)
    """Groups of sequences that are equal number for number."""
    missing_values: int = 0
    """NaN among the coordinates."""
    missing_sequences: int = 0
    """Sequences with NaN."""
    protocols: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Protocol -> for each fold how many sequences train and test."""


def prepare(
    corpus: str | Corpus,
    source: str | Path | None,
    out: str | Path,
    *,
    overwrite: bool = False,
    fps: float | None = None,
    unit: str | None = None,
    labels: str | None = None,
    skeleton: str | Path | None = None,
    up: str | None = None,
    columns: str | Path | None = None,
    persons: str | None = None,
    skip_unreadable: bool = False,
    jobs: int = 1,
    report: Report | None = None,
    command: str | None = None,
) -> Prepared:
    """Read the recordings of a corpus and write them as a data set folder.

    Sequences of one frame and sequences in which nothing was recorded are left out, by name. Whatever goes wrong,
    nothing is left behind, and what was to be overwritten is still there.

    Parameters
    ----------
    corpus
        One of `CORPORA`, by name.
    source
        A folder, a file or a ``.zip`` archive; None for a corpus that is generated.
    fps, unit
        Frames/s and length unit (m, cm, mm, inch) in place of what the files or the corpus say.
    labels
        For `folder`: `subfolders`, `none`, or a CSV file with file, label, subject.
    skeleton
        An ASF file for AMC recordings that lie without one; a skeleton's name or TOML file for markers and tables.
    up, columns
        The axis that points up; which column of a table is what (`ReadSettings`).
    persons
        What a recording of several persons becomes: `each`, `first` or `pair`, in place of the corpus's own way
        (`motionprint.persons`).
    skip_unreadable
        Leave out files that cannot be read, by name and reason, in place of stopping at the first.
    jobs
        Processes that read files; the result does not depend on it.
    report
        Called with (done, total, text) after each file.
    command
        What ``prepare.json`` records as the command.

    Raises
    ------
    DatasetError
        If the corpus is not known, the source holds none of its recordings, names or skeletons do not agree, or
        ``out`` exists or does not lie apart from the source.
    ReadError
        If a file cannot be read.
    """
    chosen = _corpus(corpus)
    options = Options(
        *(fps, unit, labels, None if skeleton is None else str(skeleton), up),
        *(None if columns is None else str(columns), persons),
    )
    _check(chosen, source, options, jobs)
    read = [] if labels in ("subfolders", "none") else [labels]
    inputs = [path for path in (source, skeleton, *read) if path is not None]
    with (
        new_folder(out, overwrite, inputs=inputs) as building,
        _open(source) as opened,
        DatasetWriter(building) as writer,
    ):
        recordings = _recordings(chosen, opened, options)
        kept = _Kept(writer, skip_unreadable, chosen, persons or chosen.persons)
        with closing(_results(chosen, source, options, recordings, jobs)) as results:
            for number, (recording, result) in enumerate(zip(recordings, results, strict=True), start=1):
                kept.take(recording, result)
                if report is not None:
                    report(number, len(recordings), "reading")
        if not len(writer):
            first = kept.left_out[0]
            raise DatasetError(
                f"{_label(chosen, opened)}: none of {len(recordings)} recordings can be used; the first, "
                f"{first.source}: {first.reason}"
            )
        index = writer.table()
        protocols = {name: folds for name, folds in chosen.protocols(index).items() if folds}
        how = labels_from(opened, options) if chosen.name == "folder" and opened is not None else "corpus"
        summary = _summary(Path(out), chosen, recordings, kept, index, protocols, how)
        call = f"motionprint.prepare.prepare({chosen.name!r}, {source and str(source)!r}, {str(out)!r})"
        writer.finish(protocols, _record(chosen, opened, options, recordings, summary, kept, command or call))
    return summary


def _check(corpus: Corpus, source: str | Path | None, options: Options, jobs: int) -> None:
    if source is None and corpus.needs_source:
        raise DatasetError(f"{corpus.name}: expected a source: a folder or archive with {corpus.layout}")
    if not corpus.needs_source and (source is not None or options != Options()):
        raise SettingsError(f"{corpus.name}: is generated: expected no source, fps, unit, labels or skeleton for it")
    if options.labels is not None and corpus.name != "folder":
        raise SettingsError(f"labels: only the corpus `folder` takes them from elsewhere, found {corpus.name}")
    if options.persons not in (None, *HOW):
        raise SettingsError(f"persons: expected one of {', '.join(HOW)}, found {options.persons!r}")
    if jobs < 1:
        raise SettingsError(f"jobs: expected at least 1, found {jobs}")


def _summary(
    out: Path,
    corpus: Corpus,
    recordings: list[Recording],
    kept: _Kept,
    index: pd.DataFrame,
    protocols: Protocols,
    labels: str,
) -> Prepared:
    assert kept.writer.skeleton is not None
    return Prepared(
        folder=out,
        corpus=corpus.name,
        recordings=len(recordings),
        sequences=len(index),
        classes=index["label"].nunique(),
        subjects=index["subject"].nunique(),
        joints=len(kept.writer.skeleton),
        frames=kept.writer.frames,
        seconds=float((index["length"] / index["fps"]).sum()),
        labels=labels,
        left_out=kept.left_out,
        duplicates=duplicates(index),
        missing_values=kept.missing_values,
        missing_sequences=kept.missing_sequences,
        protocols={
            name: [(len(fold["train"]), len(fold["test"])) for fold in folds] for name, folds in protocols.items()
        },
    )


def _corpus(corpus: str | Corpus) -> Corpus:
    if isinstance(corpus, Corpus):
        return corpus
    if corpus not in CORPORA:
        raise DatasetError(f"unknown corpus {corpus!r}: expected one of {', '.join(CORPORA)}")
    return CORPORA[corpus]


def _open(source: str | Path | None) -> Source | nullcontext[None]:
    return nullcontext() if source is None else Source.open(source)


def _label(corpus: Corpus, source: Source | None) -> str:
    return corpus.name if source is None else source.label()


def _recordings(corpus: Corpus, source: Source | None, options: Options) -> list[Recording]:
    where = _label(corpus, source)
    recordings = refuse_repeated(corpus.recordings(source, options), where)
    if not recordings:
        raise DatasetError(f"{where}: expected recordings of {corpus.name} ({corpus.layout}), found none")
    return recordings


# ---- reading -----------------------------------------------------------------------------------------------------


Result = list[SkeletonSequence] | MotionprintError


def _results(
    corpus: Corpus, source: str | Path | None, options: Options, recordings: list[Recording], jobs: int
) -> Generator[Result, None, None]:
    """What each recording gave, in their order."""
    if jobs == 1:
        return _read_all(recordings)
    return _read_in_processes(corpus, source, options, len(recordings), min(jobs, len(recordings)))


def _read(recording: Recording) -> Result:
    if recording.left_out is not None:
        return []
    try:
        return recording.read()
    except MotionprintError as error:
        return error


def _read_all(recordings: list[Recording]) -> Generator[Result, None, None]:
    for recording in recordings:
        yield _read(recording)


_worker: list[Recording] = []
"""In a worker process: the recordings, which it finds by itself (open archives cannot be sent)."""


def _start_worker(corpus: Corpus, source: str | Path | None, options: Options) -> None:
    # Signals reach all processes of a group; the first one ends the others. A worker that died halfway through
    # sending a result would leave it waiting for the rest for ever.
    first = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: None if os.getppid() == first else os._exit(128 + number))
    _worker.extend(corpus.recordings(None if source is None else Source.open(source), options))


def _read_number(number: int) -> Result:
    return _read(_worker[number])


def _read_in_processes(
    corpus: Corpus, source: str | Path | None, options: Options, count: int, jobs: int
) -> Generator[Result, None, None]:
    """The results in order, no more than a few ahead of what has been taken."""
    pool = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(corpus, source, options)
    )
    try:
        waiting: deque[Future[Result]] = deque()
        for number in range(count):
            waiting.append(pool.submit(_read_number, number))
            if len(waiting) > 4 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise DatasetError(
            f"{source}: a process that reads files ended before its work was done (out of memory, or a script without "
            "`if __name__ == '__main__':`); jobs=1 reads without other processes"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


class _Kept:
    """Writes what can be used, counts what is missing, and remembers what was left out and why."""

    def __init__(self, writer: DatasetWriter, skip_unreadable: bool, corpus: Corpus, persons: str) -> None:
        self.writer = writer
        self.skip_unreadable = skip_unreadable
        self.corpus = corpus
        self.persons = persons
        self.left_out: list[LeftOut] = []
        self.missing_values = 0
        self.missing_sequences = 0
        self.points_at_origin: Counter[str] = Counter()

    def take(self, recording: Recording, result: Result) -> None:
        if isinstance(result, MotionprintError):
            if not (self.skip_unreadable and isinstance(result, ReadError | DatasetError)):
                raise result
            self.left_out.append(LeftOut(recording.name, recording.source, " ".join(str(result).split())))
            return
        if not result:
            self.left_out.append(LeftOut(recording.name, recording.source, recording.left_out or "nobody in it"))
        ghosts = self.corpus.ghosts(result)
        for number, why in ghosts.items():
            self.left_out.append(LeftOut(f"{recording.name}_p{result[number].person}", recording.source, why))
        sequences = as_sequences([each for number, each in enumerate(result) if number not in ghosts], self.persons)
        for sequence in sequences:
            name = recording.name if len(sequences) == 1 else f"{recording.name}_p{sequence.person}"
            reason = _unusable(sequence)
            if reason is not None:
                self.left_out.append(LeftOut(name, recording.source, reason))
                continue
            self._write(
                replace(
                    sequence,
                    name=name,
                    label=recording.label,
                    subject=recording.subject,
                    source=recording.source,
                    extra={**sequence.extra, **recording.extra},
                )
            )

    def _write(self, sequence: SkeletonSequence) -> None:
        try:
            self.writer.append(sequence)
        except SkeletonMismatchError as error:
            raise DatasetError(f"{error}; a data set has one skeleton") from error
        missing = int(np.isnan(sequence.positions).sum())
        self.missing_values += missing
        self.missing_sequences += missing > 0
        at_origin = int((sequence.positions == 0).all(axis=2).sum())
        if at_origin:
            self.points_at_origin[sequence.name] = at_origin


def _unusable(sequence: SkeletonSequence) -> str | None:
    """Why a sequence cannot be used at all, or None."""
    if len(sequence) < 2:
        return f"{len(sequence)} frame{'s' * (len(sequence) != 1)}, expected at least 2"
    if np.isnan(sequence.positions).all():
        return "nothing recorded: all values are missing"
    return None


# ---- prepare.json ------------------------------------------------------------------------------------------------


def _preprocessing(corpus: Corpus) -> dict[str, Any]:
    """What a recipe for this corpus starts from."""
    declared = {"alignment": corpus.alignment, "max_length": corpus.max_length}
    return declared if corpus.window_over is None else declared | {"window_over": corpus.window_over}


def _record(
    corpus: Corpus,
    source: Source | None,
    options: Options,
    recordings: list[Recording],
    summary: Prepared,
    kept: _Kept,
    command: str | None,
) -> dict[str, Any]:
    at_origin = kept.points_at_origin
    return {
        "corpus": corpus.name,
        "title": corpus.title,
        "obtained_from": corpus.obtain,
        "command": command,
        "versions": _versions(),
        "source": None if source is None else source.label(),
        "options": vars(options) | {"labels": summary.labels, "persons": kept.persons},
        "preprocessing": _preprocessing(corpus),
        "recordings": summary.recordings,
        "sequences": summary.sequences,
        "left_out": [vars(each) for each in summary.left_out],
        "duplicates": summary.duplicates,
        "missing": {"values": summary.missing_values, "sequences": summary.missing_sequences},
        "points_at_origin": {
            "points": at_origin.total(),
            "sequences": len(at_origin),
            "names": list(at_origin)[:_NAMED],
        },
        "unlabelled": sum(recording.label is None for recording in recordings),
        "other_files": _other_files(source, recordings),
    }


def _other_files(source: Source | None, recordings: list[Recording]) -> dict[str, Any]:
    """What lay in the source and was not taken for a recording."""
    taken = {recording.source for recording in recordings}
    others = [] if source is None else [name for name in source.names() if name not in taken]
    kinds = Counter(PurePosixPath(name).suffix.lower() or "without suffix" for name in others)
    return {"files": len(others), "kinds": dict(sorted(kinds.items())), "names": others[:_NAMED]}


def _versions() -> dict[str, str]:
    packages = {name: metadata.version(name) for name in ("numpy", "pandas", "pyarrow")}
    return {"motionprint": motionprint.__version__, "python": platform.python_version(), **packages}
