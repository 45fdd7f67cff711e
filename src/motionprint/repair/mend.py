"""Recordings with gaps in, recordings without gaps out: what is missing, who fills it, and what stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError, ReadError, SettingsError, SkeletonMismatchError
from motionprint.progress import Report
from motionprint.readers import DEFAULT, ReadSettings, read_all
from motionprint.repair.bones import keep_bones
from motionprint.repair.fillers import FILLERS
from motionprint.repair.gaps import Gap, find_gaps, joint_numbers, missing
from motionprint.repair.model import fill, require_repairer
from motionprint.sequence import SkeletonSequence
from motionprint.store.atomic import new_file, refused
from motionprint.training import Run
from motionprint.writers import WRITERS, encode, writer_of

__all__ = ["SHORT", "WAYS", "Repaired", "repair", "repair_file"]

SHORT = 0.5
"""Seconds up to which `beside` fills a gap, which is then the better of the two: see docs/repair.md."""

WAYS = ("auto", "model", *FILLERS)
"""Who fills gaps: the network, an interpolation, or each what it is better at."""


@dataclass(frozen=True, eq=False)
class Repaired:
    """A recording without gaps, and what was done to it."""

    sequence: SkeletonSequence
    """The recording; where nothing was missing, its numbers are those that were given, bit for bit."""
    filled: npt.NDArray[np.bool_]
    """(T, J) True where a joint was filled."""
    gaps: dict[str, int]
    """How many gaps were filled by whom: ``model`` or one of `FILLERS`; a gap is one joint's run of frames."""


def repair(
    run: Run,
    sequence: SkeletonSequence,
    *,
    joints: Sequence[str] = (),
    zeros: bool = False,
    gaps: str = "auto",
    short: float = SHORT,
    report: Report | None = None,
) -> Repaired:
    """Fill what a recording lacks.

    A joint is missing from a frame if one of its coordinates is (NaN). Bones with a filled end keep the length that
    they were recorded with; whatever was recorded keeps its numbers.

    Parameters
    ----------
    run
        One that was trained with the preset ``repair`` on recordings of the same skeleton.
    joints
        Joints, or body parts (``left arm``), to take for missing in all frames.
    zeros
        Whether a joint at exactly (0, 0, 0) is missing too.
    gaps
        ``model``: the network fills all. ``line``, ``spline``, ``beside``: interpolation. ``auto``: between recorded
        frames ``beside`` fills what is missing for up to ``short`` seconds, and frames in which nothing is recorded, of
        which the network knows no more; the network fills the rest.

    Raises
    ------
    SettingsError
        If the run was not trained to repair, ``gaps`` is unknown, a joint is unknown (the text names those that are
        known), or ``short`` is below 0.
    SkeletonMismatchError
        If the recording has other joints than the run.
    DatasetError
        If the root is recorded in no frame, a joint is recorded in none and is to be interpolated, or the network is to
        fill a recording of less than one frame/s.
    """
    require_repairer(run)
    where = sequence.name or "sequence"
    run.skeleton.require_same(sequence.skeleton, where)
    if gaps not in WAYS:
        raise SettingsError(f"unknown gaps {gaps!r}: expected one of {', '.join(WAYS)}")
    if not short >= 0:
        raise SettingsError(f"expected short of at least 0 s, found {short:g}")
    gone = missing(sequence.positions, zeros=zeros, joints=joint_numbers(sequence.skeleton, joints))
    if not gone.any():
        return Repaired(sequence, gone, {})
    names = sequence.skeleton.joint_names
    never = np.flatnonzero(gone.all(axis=0))
    if sequence.skeleton.root in never:
        raise DatasetError(
            f"{where}: expected the root joint {names[sequence.skeleton.root]} in at least one frame, found it missing "
            f"in all {len(sequence)}"
        )
    if gaps in FILLERS and len(never):
        raise DatasetError(
            f"{where}: expected {names[never[0]]} in at least one frame for {gaps} to fill it from, found it missing "
            f"in all {len(sequence)}; the network fills it (gaps auto or model)"
        )
    positions = np.where(gone[..., None], np.nan, sequence.positions.astype(np.float64))
    found = find_gaps(gone)
    blank = np.asarray(gone.all(axis=1))

    def suits_interpolation(gap: Gap) -> bool:
        if gaps != "auto":
            return gaps in FILLERS
        return gap.inside and (gap.seconds(sequence.fps) <= short + 1e-9 or bool(blank[gap.start : gap.end].all()))

    easy = [gap for gap in found if suits_interpolation(gap)]
    counts = {}
    if easy:
        way = gaps if gaps in FILLERS else "beside"
        positions = _interpolated(positions, gone, easy, way, sequence)
        counts[way] = len(easy)
    if len(easy) < len(found):
        positions = fill(run, replace(sequence, positions=positions.astype(np.float32)), report)
        counts["model"] = len(found) - len(easy)
    positions = keep_bones(positions, gone, sequence.skeleton)
    mended = np.where(gone[..., None], positions.astype(np.float32), sequence.positions)
    return Repaired(replace(sequence, positions=mended), gone, counts)


def _interpolated(
    positions: npt.NDArray[np.float64],
    gone: npt.NDArray[np.bool_],
    gaps: Sequence[Gap],
    way: str,
    sequence: SkeletonSequence,
) -> npt.NDArray[np.float64]:
    """Positions (T, J, 3) with some of their gaps filled by an interpolation; the others stay NaN."""
    chosen: npt.NDArray[np.bool_] = np.zeros(gone.shape, bool)
    for gap in gaps:
        chosen[gap.start : gap.end, gap.joint] = True
    never = np.asarray(gone.all(axis=0))  # an interpolation knows nothing of these, and is not asked
    given = positions.copy()
    given[0, never] = 0  # it wants a frame of each; of one alone, none is beside a gap
    return np.where(chosen[..., None], FILLERS[way](given, sequence.skeleton, sequence.fps), positions)


def repair_file(
    run: Run,
    source: str | Path,
    out: str | Path,
    *,
    joints: Sequence[str] = (),
    zeros: bool = False,
    gaps: str = "auto",
    short: float = SHORT,
    reading: ReadSettings = DEFAULT,
    overwrite: bool = False,
    report: Report | None = None,
) -> Repaired:
    """Repair a motion file, and write it in the format of the extension of ``out``.

    Where nothing is missing, the recording is written all the same. Parameters and errors are those of `repair`, and:

    Raises
    ------
    ReadError
        If the file cannot be read, or holds several recordings.
    SettingsError
        If ``out`` has the extension of no format that can be written, or the format cannot hold the recording.
    DatasetError
        If ``out`` exists, or cannot be written.
    """
    require_repairer(run)
    writer = writer_of(out)
    if writer is None:
        known = ", ".join(extension for each in WRITERS.values() for extension in each.EXTENSIONS)
        raise SettingsError(f"{out}: expected the extension of a format that can be written ({known}), found another")
    with new_file(out, overwrite=overwrite) as unfinished:
        sequences = list(islice(read_all(source, reading), 2))  # of a folder, no more than it takes to refuse it
        if len(sequences) != 1:
            found = "several: repair takes one person of one recording at a time" if sequences else "none"
            raise ReadError(f"expected one recording, found {found}", file=str(source))
        try:
            done = repair(run, sequences[0], joints=joints, zeros=zeros, gaps=gaps, short=short, report=report)
        except SkeletonMismatchError as error:
            if sorted(sequences[0].skeleton.joint_names) != sorted(run.skeleton.joint_names):
                raise
            raise SkeletonMismatchError(
                f"{error}; --skeleton (skeleton=) tells the bones between the points of a file"
            ) from error
        try:
            content = encode(done.sequence, writer)
        except SettingsError as error:
            raise SettingsError(f"{out}: {error}") from error
        try:
            unfinished.write_bytes(content)
        except OSError as error:
            raise DatasetError(refused(out, error)) from error
    return done
