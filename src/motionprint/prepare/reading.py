"""Reading the recordings of a corpus: here, in processes of this machine, or on a cluster."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing

from motionprint.corpora.corpus import Recording
from motionprint.errors import MotionprintError, SettingsError
from motionprint.fanout import ordered
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence

__all__ = ["BYTES", "RECORDINGS", "Read", "Result", "results", "tasks"]

RECORDINGS = 16
"""Recordings that make a task for another process at most."""
BYTES = 4 << 20
"""Bytes of their files, but for a single one that is larger."""

Read = Callable[[], list[SkeletonSequence]]
Result = list[SkeletonSequence] | MotionprintError


def results(
    recordings: Sequence[Recording], source: Source | None, scheduler: str | None, jobs: int
) -> Generator[Result, None, None]:
    """What each recording gave, in their order; it does not depend on who reads."""
    if not recordings:
        return
    if scheduler is None and jobs == 1:
        yield from (_read(_how(recording)) for recording in recordings)
        return
    work = tasks(recordings, source)
    with closing(ordered(_read_there, work, scheduler, jobs=min(jobs, len(recordings)), packages=("scipy",))) as found:
        for each in found:
            yield from each


def tasks(recordings: Sequence[Recording], source: Source | None) -> Iterator[bytes]:
    """How to read a few recordings, for another process. As bytes, which nobody opens on the way."""
    task: list[Read] = []
    total, last = 0, None
    for recording in recordings:
        if task and recording.source == last:  # a segment of the same file: whoever reads it has the rest of it
            task.append(_how(recording))
            continue
        last = recording.source
        stamp = None if source is None else source.stamp(recording.source)
        size = 0 if stamp is None else stamp[0]
        if task and (len(task) == RECORDINGS or total + size > BYTES):
            yield pickle.dumps(task)
            task, total = [], 0
        task.append(_how(recording))
        total += size
    yield pickle.dumps(task)


def _how(recording: Recording) -> Read:
    """How to read it; what is left out beforehand is not read."""
    return recording.read if recording.left_out is None else _nobody


def _nobody() -> list[SkeletonSequence]:
    return []


def _read(read: Read) -> Result:
    """The sequences of a recording, or why it cannot be read; a setting that it has no use for is the user's error."""
    try:
        return read()
    except SettingsError:
        raise
    except MotionprintError as error:
        return error


def _read_there(task: bytes) -> list[Result]:
    reads: list[Read] = pickle.loads(task)
    return [_read(read) for read in reads]
