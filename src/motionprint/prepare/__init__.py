"""Corpus + source -> data set folder."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import warnings
from collections import Counter
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import motionprint
from motionprint.corpora import CORPORA
from motionprint.corpora.corpus import Corpus, Options, Recording, mapped, refuse_repeated
from motionprint.corpora.folder import labels_from
from motionprint.errors import DatasetError, SettingsError
from motionprint.persons import HOW
from motionprint.prepare.classes import without_small_classes
from motionprint.prepare.kept import Kept, LeftOut, keeping, plain
from motionprint.prepare.reading import results
from motionprint.progress import Report
from motionprint.readers import AMBIGUOUS, series_of
from motionprint.readers.refused import refused_by_name
from motionprint.readers.refused import summary as summary_of_refused
from motionprint.readers.source import Source
from motionprint.store.atomic import unfinished_folder
from motionprint.store.writer import Protocols, across, duplicates

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LeftOut", "Prepared", "prepare"]


_NAMED = 100
"""How many names of a kind ``prepare.json`` lists where only their number matters."""


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
    unlabelled: int = 0
    """Sequences without a label."""
    small_classes: dict[str, int] = field(default_factory=dict)
    """Class -> how many sequences, of the classes with fewer than `least_per_class`: these have lost their label."""
    passed_over: list[str] = field(default_factory=list)
    """Files of the corpus `folder` whose endings motion shares with other things, and whose content is none."""
    across: dict[str, list[int]] = field(default_factory=dict)
    """Protocol -> for each fold how many sequences that test equal one that trains, number for number."""


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
    classes: int | None = None,
    least_per_class: int | None = None,
    persons: str | None = None,
    map_to: str | Path | None = None,
    allow_missing: bool = False,
    strict: bool = False,
    resume: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
    skip_unreadable: bool | None = None,
    report: Report | None = None,
    command: str | None = None,
) -> Prepared:
    """Read the recordings of a corpus and write them as a data set folder.

    Files that cannot be read, sequences of one frame and sequences in which nothing was recorded are left out, by name
    and reason. Whatever goes wrong, nothing is left under the name ``out``, and what was to be overwritten is still
    there; recordings that were read are kept beside it for ``resume``.

    Parameters
    ----------
    corpus
        One of `CORPORA`, by name.
    source
        A folder, a file or a ``.zip`` archive; None for a corpus that is generated.
    fps, unit
        Frames/s and length unit (m, cm, mm, inch) in place of what the files or the corpus say.
    labels
        Where labels come from: what it may be is each corpus's `labels`; None for the corpus's own way.
    skeleton
        An ASF file for AMC recordings that lie without one; a skeleton's name or TOML file for markers and tables.
    up, columns
        The axis that points up; which column of a table is what (`ReadSettings`).
    classes
        How many classes, for a corpus that leaves the choice (`hdm05`: 130 or 65).
    least_per_class
        Sequences of a class that has fewer in the data set lose their label: they stay, and pre-training may read
        them, but nothing is evaluated on them. None keeps every label.
    persons
        What a recording of several persons becomes: `each`, `first` or `pair`, in place of the corpus's own way
        (`motionprint.persons`).
    map_to
        A skeleton's name or TOML file: recordings of different rigs are brought onto it (`motionprint.rigs.map_to`).
    allow_missing
        With ``map_to``: joints that a rig does not have are missing values, in place of stopping there.
    strict
        Whether it is an error if anything is left out.
    resume
        Whether to go on with what an earlier call, which failed or was killed, has left beside ``out``: what was read
        is not read again, and the result is the same to the byte. Where there is nothing, it begins anew.
    jobs
        Processes that read files; the result does not depend on it.
    scheduler
        The address or the scheduler file of a Dask cluster whose workers read the source by the same path; the result
        is the same.
    skip_unreadable
        Deprecated: files that cannot be read are left out anyway.
    report
        Called with (done, total, text) after each file.
    command
        What ``prepare.json`` records as the command.

    Raises
    ------
    DatasetError
        If the corpus is not known, the source holds none of its recordings or none that can be used, names or skeletons
        do not agree, ``out`` exists or does not lie apart from the source, the cluster fails, or ``strict`` is not met.
    SettingsError
        If a setting is none, or none for these files.
    """
    if skip_unreadable is not None:
        warnings.warn(
            "skip_unreadable is deprecated: files that cannot be read are left out anyway; strict=True refuses them",
            DeprecationWarning,
            stacklevel=2,
        )
    chosen = _corpus(corpus)
    options = Options(
        fps=fps,
        unit=unit,
        labels=labels,
        skeleton=None if skeleton is None else str(skeleton),
        up=up,
        columns=None if columns is None else str(columns),
        classes=classes,
        persons=persons,
        map_to=None if map_to is None else str(map_to),
        allow_missing=allow_missing,
    )
    _check(chosen, source, options, least_per_class, jobs, scheduler)
    read = [labels] if labels is not None and os.path.isfile(labels) else []
    inputs = [path for path in (source, skeleton, *read) if path is not None]
    call = command or f"motionprint.prepare.prepare({chosen.name!r}, {source and str(source)!r}, {str(out)!r})"
    with unfinished_folder(out, overwrite, inputs=inputs) as unfinished, _open(source) as opened:
        recordings = _recordings(chosen, opened, options if scheduler is None else _anywhere(options))
        work = _work(chosen, opened, options, recordings) | {"least_per_class": least_per_class}
        with keeping(
            unfinished, out, work, call, resume, len(recordings), report, chosen, persons or chosen.persons
        ) as kept:
            done = kept.journal.done
            with closing(results(recordings[done:], opened, scheduler, jobs)) as found:
                for number, result in enumerate(found, start=done + 1):
                    kept.take(recordings[number - 1], result)
                    if report is not None:
                        report(number, len(recordings), "reading")
            kept.left_out += _refused(opened, recordings)
            kept.require_some(_label(chosen, opened), strict)
            index, small = without_small_classes(kept.writer.table(), least_per_class)
            protocols = {name: folds for name, folds in chosen.protocols(index).items() if folds}
            own = labels_from(opened, options) if chosen.name == "folder" and opened is not None else "corpus"
            how = labels or own
            others = _others(opened, recordings)
            unknown = [name for name in others if name.lower().endswith(AMBIGUOUS) and name not in (how, "labels.csv")]
            over = unknown if chosen.name == "folder" else []
            summary = _summary(Path(out), chosen, recordings, kept, index, small, protocols, how, over)
            said = vars(options) | {"least_per_class": least_per_class}
            record = _record(chosen, opened, said, others, summary, kept, kept.journal.note)
            kept.writer.finish(protocols, record, index)
    return summary


def _check(
    corpus: Corpus,
    source: str | Path | None,
    options: Options,
    least_per_class: int | None,
    jobs: int,
    scheduler: str | None,
) -> None:
    if source is None and corpus.needs_source:
        raise DatasetError(f"{corpus.name}: expected a source: a folder or archive with {corpus.layout}")
    told = replace(options, map_to=None, allow_missing=False)
    if not corpus.needs_source and (source is not None or told != Options()):
        raise SettingsError(f"{corpus.name}: is generated: expected no source, and nothing said of files, for it")
    if options.labels is not None and corpus.labels is None:
        raise SettingsError(f"labels: {corpus.name} takes them from its own files, found {options.labels!r}")
    if options.classes is not None and options.classes not in corpus.classes:
        known = " or ".join(map(str, corpus.classes)) or f"none, since {corpus.name} leaves no choice"
        raise SettingsError(f"classes: expected {known}, found {options.classes}")
    if least_per_class is not None and least_per_class < 1:
        raise SettingsError(f"least_per_class: expected at least 1, found {least_per_class}")
    if options.persons not in (None, *HOW):
        raise SettingsError(f"persons: expected one of {', '.join(HOW)}, found {options.persons!r}")
    if options.allow_missing and options.map_to is None:
        raise SettingsError("allow_missing: expected map_to with it, found none")
    if jobs < 1:
        raise SettingsError(f"jobs: expected at least 1, found {jobs}")
    if jobs > 1 and scheduler is not None:
        raise SettingsError(f"jobs: expected none with a scheduler, whose workers read, found {jobs}")


def _summary(
    out: Path,
    corpus: Corpus,
    recordings: list[Recording],
    kept: Kept,
    index: pd.DataFrame,
    small_classes: dict[str, int],
    protocols: Protocols,
    labels: str,
    passed_over: list[str],
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
        unlabelled=int(index["label"].isna().sum()),
        small_classes=small_classes,
        passed_over=passed_over,
        across=across(index, protocols),
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
    recordings = refuse_repeated(mapped(corpus.recordings(source, options), options), where)
    if not recordings:
        others = None if source is None else summary_of_refused(source.names())
        found = "none" if others is None else others
        raise DatasetError(f"{where}: expected recordings of {corpus.name} ({corpus.layout}), found {found}")
    return recordings


def _anywhere(options: Options) -> Options:
    """The same for processes that work elsewhere."""
    reading = options.reading().anywhere()
    skeleton = None if reading.skeleton is None else str(reading.skeleton)
    onto = options.map_to
    if onto is not None and os.path.isfile(onto):
        onto = os.path.abspath(onto)
    return replace(options, skeleton=skeleton, columns=reading.columns, map_to=onto)


def _work(corpus: Corpus, source: Source | None, options: Options, recordings: list[Recording]) -> dict[str, Any]:
    """What the result depends on, by what messages call it: what may not change when a prepare is gone on with."""
    files = hashlib.sha256()
    for name in [] if source is None else source.names():
        files.update(f"{name}\0{source and source.stamp(name)}\0".encode())
    for path in (options.skeleton, options.columns, options.labels, options.map_to):
        if path is not None and os.path.isfile(path):
            files.update(f"{path}\0{os.stat(path).st_size}\0{os.stat(path).st_mtime_ns}\0".encode())
    for recording in recordings:
        said = [recording.name, recording.source, recording.label, recording.subject, plain(recording.extra)]
        files.update(json.dumps(said).encode())
    return {
        **{f"version of {name}": version for name, version in _versions().items()},
        "corpus": corpus.name,
        "source": None if source is None else os.path.abspath(source.path),
        **vars(options),
        "files and labels": files.hexdigest(),
    }


# ---- prepare.json ------------------------------------------------------------------------------------------------


def _preprocessing(corpus: Corpus) -> dict[str, Any]:
    """What a recipe for this corpus starts from."""
    declared = {"alignment": corpus.alignment, "max_length": corpus.max_length}
    return declared if corpus.window_over is None else declared | {"window_over": corpus.window_over}


def _record(
    corpus: Corpus,
    source: Source | None,
    options: dict[str, Any],
    others: list[str],
    summary: Prepared,
    kept: Kept,
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
        "options": options | {"labels": summary.labels, "persons": kept.persons},
        "preprocessing": _preprocessing(corpus),
        "recordings": summary.recordings,
        "sequences": summary.sequences,
        "left_out": [vars(each) for each in summary.left_out],
        "duplicates": summary.duplicates,
        "duplicates_across": summary.across,
        "missing": {"values": summary.missing_values, "sequences": summary.missing_sequences},
        "points_at_origin": {
            "points": at_origin.total(),
            "sequences": len(at_origin),
            "names": list(at_origin)[:_NAMED],
        },
        "unlabelled": summary.unlabelled,
        "small_classes": summary.small_classes,
        "other_files": _other_files(others),
    }


def _others(source: Source | None, recordings: list[Recording]) -> list[str]:
    """What lay in the source and was not taken for a recording."""
    taken = {recording.source for recording in recordings}
    series = {series_of(name) for name in taken}  # the other frames of a recording are taken with the first
    return [
        name
        for name in ([] if source is None else source.names())
        if name not in taken and (series_of(name) is None or series_of(name) not in series)
    ]


def _other_files(others: list[str]) -> dict[str, Any]:
    kinds = Counter(PurePosixPath(name).suffix.lower() or "without suffix" for name in others)
    return {"files": len(others), "kinds": dict(sorted(kinds.items())), "names": others[:_NAMED]}


def _refused(source: Source | None, recordings: list[Recording]) -> list[LeftOut]:
    """Motion in formats that are not read, by name and with what to do about it."""
    taken = {recording.source for recording in recordings}
    others = [] if source is None else [name for name in source.names() if name not in taken]
    return [
        LeftOut(str(PurePosixPath(name).with_suffix("")), name, str(refused))
        for name in others
        if (refused := refused_by_name(name)) is not None
    ]


def _versions() -> dict[str, str]:
    packages = {name: metadata.version(name) for name in ("numpy", "pandas", "pyarrow")}
    return {"motionprint": motionprint.__version__, "python": platform.python_version(), **packages}
