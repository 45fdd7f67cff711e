"""The recordings of a data set in groups: what is alike, what stands for it, and what is there twice."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError, SettingsError
from motionprint.evaluation import cluster, encode
from motionprint.evaluation.clustering import WARD_LIMIT
from motionprint.evaluation.probes import require_finite, unit_vectors
from motionprint.exploring.counting import SAMPLE, choose_count
from motionprint.progress import Report
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.atomic import new_file
from motionprint.training import Run

__all__ = ["NEAR", "Group", "Groups", "find_copies", "find_groups", "write_groups"]

NEAR = 0.2
"""How near copies are, of the median distance of a recording to its nearest neighbour: the nearest pairs of different
recordings lie at 0.25 of it (docs/exploring.md)."""

ROWS = 256
"""Prints that are compared with all before them at a time: memory grows with N, not with N squared."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """What is alike."""

    number: int
    """From 0, the largest first."""
    size: int
    """Recordings in it."""
    representative: int
    """The number, in the data set, of the recording nearest to the middle."""
    label: str | None
    """The commonest label of those that have one."""
    purity: float | None
    """The share of them that have it."""


@dataclass(frozen=True, eq=False)
class Groups:
    """The recordings of a data set in groups."""

    names: tuple[str, ...]
    """(N,) what the recordings are called."""
    sources: tuple[str | None, ...]
    """(N,) the files that they were read from."""
    labels: tuple[str | None, ...]
    """(N,) their labels, where they have any."""
    group: npt.NDArray[np.intp]
    """(N,) the group of each."""
    distance: Floats
    """(N,) from its print to that of the group's representative, both of length 1: from 0 to 2."""
    copy_of: npt.NDArray[np.intp]
    """(N,) the number of an earlier recording that it is a copy of, or nearly; -1 where there is none."""
    groups: tuple[Group, ...]
    """Each of the groups."""
    algorithm: str
    """ward or kmeans."""
    chosen: bool
    """Whether their number was chosen here."""

    @property
    def purity(self) -> float | None:
        """The share of labelled recordings that have the commonest label of their group; None without labels."""
        labelled = sum(label is not None for label in self.labels)
        counts = (
            Counter(self.labels[each] for each in np.flatnonzero(self.group == group.number)) for group in self.groups
        )
        right = sum(max((n for label, n in count.items() if label is not None), default=0) for count in counts)
        return right / labelled if labelled else None


def find_groups(
    run: Run,
    dataset: MotionDataset | str | Path,
    *,
    count: int | None = None,
    near: float = NEAR,
    seed: int = 0,
    report: Report | None = None,
) -> Groups:
    """Group the recordings of a data set by their prints, and find those that are there twice.

    Prints are brought to length 1. Groups are Ward's; of more than `WARD_LIMIT` recordings k-means', since Ward's tree
    needs the distances of all pairs. Copies have the same positions to the bit, or prints nearer than ``near`` times
    the median distance of a recording to its nearest neighbour; that is of a sample where there are many.

    Parameters
    ----------
    count
        How many groups; None chooses (`choose_count`).
    near
        The share of that distance from which on recordings are no copies; 0 finds equal positions only.
    seed
        Of k-means, and of what is drawn where there are many recordings.

    Raises
    ------
    SkeletonMismatchError
        If the recordings have other joints than the run.
    DatasetError
        If there is no recording, or it cannot be read.
    SettingsError
        If there are fewer recordings than groups, or ``near`` is below 0.
    """
    opened = dataset if isinstance(dataset, MotionDataset) else open_dataset(dataset)
    if not near >= 0:
        raise SettingsError(f"expected near to be at least 0, found {near:g}")
    if not len(opened):
        raise DatasetError(f"{opened.folder}: expected at least one recording, found none")
    if count is not None and not 1 <= count <= len(opened):
        raise SettingsError(f"{opened.folder}: expected 1 to {len(opened)} groups (its recordings), found {count}")
    run.require_joints(opened)
    prints = encode(run, opened, report=report)
    require_finite(prints, "recordings'")
    vectors = unit_vectors(prints.astype(np.float64))  # (N, R)
    algorithm = "ward" if len(vectors) <= WARD_LIMIT else "kmeans"
    wanted = choose_count(vectors, seed) if count is None else count
    found = np.zeros(len(vectors), np.intp) if wanted == 1 else cluster(algorithm, vectors, wanted, seed)
    group = _largest_first(found)
    groups = tuple(_groups(vectors, group, opened.labels))
    nearest = np.array([each.representative for each in groups], np.intp)[group]
    return Groups(
        names=tuple(opened.names),
        sources=tuple(opened.sources),
        labels=tuple(opened.labels),
        group=group,
        distance=np.linalg.norm(vectors - vectors[nearest], axis=1),
        copy_of=find_copies(vectors, opened.sha256, near, seed, report),
        groups=groups,
        algorithm=algorithm,
        chosen=count is None,
    )


def _largest_first(found: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The same groups, numbered by size, and by their first member where that is equal."""
    _, first, old, sizes = np.unique(found, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    new = np.empty(len(order), np.intp)
    new[order] = np.arange(len(order))
    return new[old]


def _groups(vectors: Floats, group: npt.NDArray[np.intp], labels: list[str | None]) -> Iterator[Group]:
    for number in range(int(group.max()) + 1):
        members = np.flatnonzero(group == number)
        middle = vectors[members].mean(axis=0)
        representative = int(members[np.argmin(np.linalg.norm(vectors[members] - middle, axis=1))])
        known = Counter(labels[each] for each in members if labels[each] is not None)
        label, most = min(known.items(), key=lambda item: (-item[1], str(item[0]))) if known else (None, 0)
        yield Group(number, len(members), representative, label, most / known.total() if known else None)


def find_copies(
    vectors: Floats, hashes: list[str], near: float, seed: int, report: Report | None
) -> npt.NDArray[np.intp]:
    """(N,) the number of the earlier recording that each is a copy of, -1 where it is of none.

    ``vectors`` (N, R) have length 1; ``near`` is as in `find_groups`.
    """
    first: dict[str, int] = {}
    same = np.array([first.setdefault(value, number) for number, value in enumerate(hashes)], np.intp)
    everything = np.arange(len(vectors))
    copies = np.where(same < everything, same, -1)
    if near == 0:
        return copies
    limit = near * _usual_distance(vectors, same, seed)
    for rows in _blocks(everything):
        likeness = vectors[rows] @ vectors[: rows[-1] + 1].T  # cosines: |a - b|^2 = 2 - 2 a b
        likeness[everything[: rows[-1] + 1] >= rows[:, None]] = -np.inf  # only what came before
        best = np.argmax(likeness, axis=1)
        closest = np.linalg.norm(vectors[rows] - vectors[best], axis=1)
        is_near = (closest < limit) & (copies[rows] < 0) & (best < rows)
        copies[rows[is_near]] = best[is_near]
        if report is not None:
            report(int(rows[-1]) + 1, len(vectors), "looking for copies")
    return copies


def _usual_distance(vectors: Floats, same: npt.NDArray[np.intp], seed: int) -> float:
    """The median distance to the nearest recording of other content, of at most `SAMPLE` recordings."""
    drawn = np.arange(len(vectors))
    if len(drawn) > SAMPLE:
        drawn = np.sort(np.random.default_rng(seed).choice(drawn, SAMPLE, replace=False))
    found = []
    for rows in _blocks(drawn):
        likeness = vectors[rows] @ vectors.T
        likeness[same[rows][:, None] == same] = -np.inf
        best = np.argmax(likeness, axis=1)
        others = np.isfinite(likeness[np.arange(len(rows)), best])
        found.append(np.linalg.norm(vectors[rows] - vectors[best], axis=1)[others])
    distances = np.concatenate(found)
    return float(np.median(distances)) if len(distances) else 0.0


def _blocks(rows: npt.NDArray[np.intp]) -> Iterator[npt.NDArray[np.intp]]:
    return (rows[start : start + ROWS] for start in range(0, len(rows), ROWS))


def write_groups(groups: Groups, out: str | Path, *, overwrite: bool = False) -> None:
    """Write a CSV file with a row a recording.

    The columns: name, source, label, cluster, distance (to the cluster's representative), representative (true, false)
    and near_duplicate_of (a name, or nothing).

    Raises
    ------
    DatasetError
        If ``out`` exists and may not be overwritten.
    """
    representatives = {each.representative for each in groups.groups}
    with new_file(out, overwrite) as building, building.open("w", encoding="utf-8", newline="") as file:
        table: Any = csv.writer(file, lineterminator="\n")
        table.writerow(["name", "source", "label", "cluster", "distance", "representative", "near_duplicate_of"])
        for number, name in enumerate(groups.names):
            copied = int(groups.copy_of[number])
            table.writerow(
                [
                    name,
                    groups.sources[number] or "",
                    groups.labels[number] or "",
                    int(groups.group[number]),
                    f"{groups.distance[number]:.6f}",
                    "true" if number in representatives else "false",
                    "" if copied < 0 else groups.names[copied],
                ]
            )
