"""A picture of whatever there is: motion, a run, results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from motionprint.errors import DatasetError, SettingsError
from motionprint.pictures.charts import accuracy_bars, confusion, label_curve, training_curves
from motionprint.pictures.figure import FORMATS
from motionprint.pictures.film import FILMS, motion_film
from motionprint.pictures.strips import motion_strips
from motionprint.pictures.trajectories import trajectories
from motionprint.progress import Report
from motionprint.readers import DEFAULT, ReadSettings, read_all
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import some
from motionprint.store.atomic import new_file
from motionprint.store.dataset import FILES, open_dataset

__all__ = ["KINDS", "MOST", "plot"]

KINDS = {
    "strip": "stick figures side by side, over time (motion)",
    "trajectories": "joints over time, and the way of the body from above (motion)",
    "film": "a GIF or MP4 in real time (motion)",
    "curves": "objectives and gradient norms over the steps (a run)",
    "confusion": "which class is taken for which (a supervised run, or its predictions.csv)",
    "labels": "accuracy against labelled recordings a class (rows)",
    "bars": "accuracies side by side (rows)",
}
"""What can be drawn, and of what."""

MOST = 20
"""Recordings in a strip at most."""

_OF = {
    "motion": ("strip", "trajectories", "film"),
    "a run": ("curves", "confusion"),
    "predictions": ("confusion",),
    "rows": ("labels", "bars"),
}


def plot(
    source: str | Path,
    out: str | Path,
    *,
    kind: str | None = None,
    names: Sequence[str] = (),
    joints: Sequence[str] = (),
    start: float | None = None,
    end: float | None = None,
    moments: int = 8,
    dataset: str | Path | None = None,
    task: str = "linear",
    title: str = "",
    reading: ReadSettings = DEFAULT,
    overwrite: bool = False,
    report: Report | None = None,
) -> str:
    """Draw what there is at a path into a file, and say which of `KINDS` it has become.

    Parameters
    ----------
    source
        A motion file, a folder or an archive of them, or a data set folder; a run folder; a ``predictions.csv``; or a
        file of result rows (``.jsonl``).
    out
        Ends in .png, .svg or .pdf; in .gif or .mp4 for a film.
    kind
        By default a film where ``out`` is one; else the strip of motion, the curves of a run (with ``dataset`` its
        confusion matrix), the label curve of rows of several numbers of labels, the bars of others.
    names
        Which recordings of a source of several; all by default, `MOST` at most. A film and trajectories are of one.
    joints
        Of trajectories: which, by name.
    start, end
        Seconds of the motion to draw.
    moments
        Figures of a strip.
    dataset
        A data set folder, for the confusion matrix of a supervised run: the test recordings of the run's protocol.
    task
        Of a label curve: linear, knn1, ...

    Raises
    ------
    MotionprintError
        If the source cannot be read, holds nothing that the kind can be drawn of, or ``out`` exists.
    """
    what = _what(Path(source))
    kind = _kind(what, kind, source, Path(out), dataset is not None, names, start is not None or end is not None)
    if joints and kind != "trajectories":
        raise SettingsError(f"{source}: expected trajectories with --joints, found {kind or what}")
    if what == "rows":
        return _plot_rows(source, out, kind, task, title, overwrite)
    if what == "motion":
        chosen = [_part(each, start, end) for each in _recordings(Path(source), names, reading, kind)]
        with new_file(out, overwrite=overwrite) as unfinished:
            if kind == "film":
                motion_film(chosen[0], unfinished)
            elif kind == "trajectories":
                trajectories(chosen[0], unfinished, joints=joints, title=title or chosen[0].name, start=start or 0.0)
            else:
                motion_strips(chosen, unfinished, title=title, columns=moments)
        return str(kind)
    if kind == "curves":
        from motionprint.training.log import read_log
        from motionprint.training.run import LOG, run_folder

        folder = run_folder(source)
        log = read_log(folder / LOG)
        with new_file(out, overwrite=overwrite) as unfinished:
            training_curves(log, unfinished, title=title or folder.name)
        return "curves"
    pairs, said = _predictions(Path(source), dataset, report)
    with new_file(out, overwrite=overwrite) as unfinished:
        confusion(pairs, unfinished, title=title or said)
    return "confusion"


def _what(source: Path) -> str:
    """What a path holds."""
    if source.suffix == ".jsonl":
        return "rows"
    if source.suffix == ".csv" and source.is_file():
        with source.open("rb") as opened:
            if opened.readline(64).decode("utf-8", "replace").strip() == "name,label,predicted":
                return "predictions"
    return "a run" if str(source).startswith("motionprint:") or (source / "config.json").is_file() else "motion"


def _plot_rows(source: str | Path, out: str | Path, kind: str | None, task: str, title: str, overwrite: bool) -> str:
    from motionprint.evaluation.rows import read_rows

    rows = read_rows(source)
    if kind is None:
        kind = "labels" if len({row["labels_per_class"] for row in rows}) > 1 else "bars"
    with new_file(out, overwrite=overwrite) as unfinished:
        if kind == "labels":
            label_curve(rows, unfinished, task=task, title=title)
        else:
            accuracy_bars(rows, unfinished, title=title)
    return kind


def _kind(
    what: str, kind: str | None, source: str | Path, out: Path, dataset: bool, names: Sequence[str], part: bool
) -> str | None:
    """The kind to draw; None where rows have to be looked at first. What does not go together is refused."""
    ending = out.suffix.lower()
    if ending not in (*FORMATS, *FILMS):
        raise SettingsError(f"{out}: expected a name that ends in one of {', '.join((*FORMATS, *FILMS))}")
    if what != "motion" and (names or part):
        raise SettingsError(f"{source}: expected motion with --name, --from and --to, found {what}")
    if what != "a run" and dataset:
        raise SettingsError(f"{source}: expected a run with --data, found {what}")
    known = _OF[what]
    if kind is None:
        kind = "film" if ending in FILMS and what == "motion" else None
    if kind is None and what != "rows":
        kind = "confusion" if dataset else known[0]
    if kind is not None and kind not in known:
        raise SettingsError(f"{source}: expected of {what} one of {', '.join(known)}, found {kind}")
    if (ending in FILMS) != (kind == "film"):
        wanted = ", ".join(FILMS if kind == "film" else FORMATS)
        raise SettingsError(f"{out}: expected a name that ends in one of {wanted} for {kind or what}")
    return kind


def _recordings(source: Path, names: Sequence[str], reading: ReadSettings, kind: str | None) -> list[SkeletonSequence]:
    """The recordings to draw: those that are named, or all; one where no more can be drawn."""
    most = MOST if kind == "strip" else 1
    found: list[SkeletonSequence] = []
    others: list[str] = []
    for sequence in _read(source, names, reading):
        if names and sequence.name not in names:
            others.append(sequence.name)
            continue
        found.append(sequence)
        if len(found) > most:
            listed = some([each.name for each in found] + others, 8)
            raise SettingsError(
                f"{source}: expected at most {most} recording{'s' if most > 1 else ''} for a {kind}, found more "
                f"({listed}): --name (names=) chooses"
            )
    known = {sequence.name for sequence in found}
    if missing := [name for name in names if name not in known]:
        raise DatasetError(f"{source}: expected the recording {missing[0]!r}, found {some(others, 8) or 'no other'}")
    return found


def _read(source: Path, names: Sequence[str], reading: ReadSettings) -> Iterator[SkeletonSequence]:
    if not any((source / file).exists() for file in FILES):
        yield from read_all(source, reading)
        return
    dataset = open_dataset(source)
    known = dataset.names
    for name in names:
        if name not in known:
            raise DatasetError(f"{source}: expected the recording {name!r}, found {some(known, 8)}")
    wanted = set(names)
    for number, name in enumerate(known):
        if not names or name in wanted:
            yield dataset[number]


def _part(sequence: SkeletonSequence, start: float | None, end: float | None) -> SkeletonSequence:
    """The frames from ``start`` to before ``end``, in seconds."""
    whole = len(sequence) / sequence.fps
    begin, stop = start or 0.0, whole if end is None else min(end, whole)
    first, last = (round(begin * sequence.fps), round(stop * sequence.fps)) if 0 <= begin < stop else (0, 0)  # no NaN
    if first >= last:
        raise SettingsError(
            f"{sequence.name}: expected --from before --to within its {sequence.duration:.2f} s, found "
            f"{'the beginning' if start is None else f'{start:g} s'} to {'the end' if end is None else f'{end:g} s'}"
        )
    return replace(sequence, positions=sequence.positions[first:last])


def _predictions(source: Path, dataset: str | Path | None, report: Report | None) -> tuple[list[tuple[str, str]], str]:
    """Label and prediction of test recordings, and whose they are."""
    from motionprint.evaluation.supervised import predict, read_predictions

    if source.is_file():
        return read_predictions(source), source.stem
    from motionprint.store.protocols import resolve
    from motionprint.training import load_run

    if dataset is None:
        raise SettingsError(f"{source}: expected --data (dataset=) with confusion: whose test recordings, found none")
    run, data = load_run(source), open_dataset(dataset)
    split = resolve(data, run.config.get("protocol"), run.config.get("fold") or 0)
    if split.protocol is None:
        raise DatasetError(f"{source}: expected a run of a protocol, found one that was fitted on everything")
    if seen := int(run.seen(data, split).sum()):
        raise DatasetError(f"{source}: was fitted on {seen} of the {len(split.test)} test recordings of {dataset}")
    test = data.subset(split.test)
    test = test.subset([number for number, label in enumerate(test.labels) if label is not None])
    found = predict(run, test, report)
    title = f"{run.config['method']} on {data.name}, {split.protocol}"
    return [(str(label), str(guess)) for label, guess in zip(test.labels, found, strict=True)], title
