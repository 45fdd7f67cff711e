"""What `prepare` asks of a data set: which files are recordings, what they show, how it is split officially.

A corpus is a value, not a class to inherit from: two functions and a few facts. ``recordings`` only looks at names (and
at a table of labels); frames are read when ``Recording.read`` is called, in whichever process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motionprint.errors import DatasetError
from motionprint.readers.settings import ReadSettings
from motionprint.sequence import SkeletonSequence

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from motionprint.readers.source import Source

__all__ = ["Corpus", "Fold", "Options", "Recording", "one_fold", "refuse_repeated", "without_copies"]

Fold = dict[str, list[str]]
"""One fold of a protocol: ``{"train": names, "test": names}``."""


@dataclass(frozen=True)
class Options:
    """What a user may say about the files, the same for every corpus."""

    fps: float | None = None
    """Frames/s, in place of what the files or the corpus say."""
    unit: str | None = None
    """Length unit of the files (m, cm, mm, inch), in place of the format's own."""
    labels: str | None = None
    """Where labels come from (corpus `folder`): `subfolders`, `none`, or a CSV file with file, label, subject."""
    skeleton: str | None = None
    """An ASF file for AMC recordings that lie without one; a skeleton's name or TOML file for markers and tables."""
    up: str | None = None
    """The axis that points up in the files (x, y, z), in place of the format's own."""
    columns: str | None = None
    """Which column of a table is what, as ``frame=Frame,joint=Marker,x=X,y=Y,z=Z``, or the path of a TOML file."""
    persons: str | None = None
    """Of several persons in a recording: each, first (the main actor) or pair, in place of the corpus's own way."""

    def reading(self, *, fps: float | None = None) -> ReadSettings:
        """What readers are told; ``fps`` where the user says none."""
        return ReadSettings(self.skeleton, self.unit, self.fps or fps, self.up, self.columns)


@dataclass(frozen=True)
class Recording:
    """One file of a corpus: what its name tells, and how to read it."""

    name: str
    """Unique within the corpus."""
    source: str
    """The file, relative to its folder or archive."""
    read: Callable[[], list[SkeletonSequence]]
    """Read the frames: one sequence a person. Labels, subject and names are filled in by `prepare`."""
    label: str | None = None
    """The action class."""
    subject: str | None = None
    """Who moves."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """The corpus's own columns: the same keys in all of its recordings."""
    left_out: str | None = None
    """Why it is not to be in the data set, where that is known beforehand; it is then not read."""


def no_ghosts(bodies: Sequence[SkeletonSequence]) -> dict[int, str]:
    """Of a corpus in which whoever was recorded is a person."""
    return {}


def no_protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
    """The protocols of a corpus that has none."""
    return {}


@dataclass(frozen=True)
class Corpus:
    """A data set that `prepare` knows."""

    name: str
    """As on the command line."""
    title: str
    """One line for people."""
    obtain: str
    """Where it is to be had, and under which terms."""
    layout: str
    """What the files are called: said where a source holds none of them."""
    recordings: Callable[[Source | None, Options], Iterable[Recording]]
    """(source, options) -> the recordings, in the order in which they are stored. Cheap: no frame is read."""
    protocols: Callable[[pd.DataFrame], dict[str, list[Fold]]] = no_protocols
    """(index of the stored sequences) -> the official protocols; one that would have an empty side is not given."""
    alignment: str = "heading"
    """The alignment that suits it: `heading` (known floor), `body` (cameras that tilt) or `none`."""
    max_length: int | None = 35
    """Frames at 15 frames/s that a training sequence may have; None keeps every length."""
    window_over: int | None = None
    """Frames at 15 frames/s above which a recording is cut into windows, not thinned; None for the recipe's own."""
    persons: str = "each"
    """What a recording of several persons becomes: `each`, `first` or `pair` (see `motionprint.persons`)."""
    ghosts: Callable[[Sequence[SkeletonSequence]], dict[int, str]] = no_ghosts
    """The bodies of one recording -> the number (from 0) of each that is no person, and why it is left out."""
    needs_source: bool = True
    """False where the recordings are generated: `recordings` is then called with None."""


def refuse_repeated(recordings: Iterable[Recording], where: str) -> list[Recording]:
    """The recordings as a list; a DatasetError names two files that would have the same name."""
    found: dict[str, Recording] = {}
    for recording in recordings:
        if recording.name in found:
            raise DatasetError(
                f"{where}: expected each recording once, found {recording.name} as {found[recording.name].source} "
                f"and as {recording.source}"
            )
        found[recording.name] = recording
    return list(found.values())


def one_fold(index: pd.DataFrame, train: npt.NDArray[np.bool_], test: npt.NDArray[np.bool_]) -> list[Fold]:
    """One fold from two masks over the rows of ``index``; no fold where either is empty."""
    if not train.any() or not test.any():
        return []
    names = index["name"].to_numpy()
    return [{"train": names[train].tolist(), "test": names[test].tolist()}]


def without_copies(
    index: pd.DataFrame, train: npt.NDArray[np.bool_], test: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """``train`` less the sequences that equal one of ``test`` number for number (by sha256)."""
    copies = index["sha256"].isin(set(index["sha256"].to_numpy()[test])).to_numpy(dtype=bool)
    return train & ~copies
