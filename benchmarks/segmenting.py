"""Where recordings that were strung together are cut again, and how well.

    python benchmarks/segmenting.py DATASET=RUN... [--chosen FILE] [--strings 8] [--json FILE]

A string is SIZE recordings of CLASSES classes, no class twice in a row, of one half of the protocol that the run was
trained under; those of less than 1 s or more than 20 s, with missing values, or (of the test half) equal to a training
recording take no part. So that a seam is not seen by a jump, each recording is turned about the vertical and moved
until its first frame has the root and the heading of the last frame before it, and what is left of the difference fades
out over 0.2 s. Strings depend on ``--seed`` alone.

Windows and penalties, of each kind of prints its own, are those of a grid with the highest mean F1 (+-0.5 s) over all
data sets' training strings; with ``--chosen`` they are those of an earlier call. Strings of the test halves are then
cut once, with the blend at the seams and without. Beside them: cuts at the minima of the joints' mean speed (smoothing
and prominence chosen likewise), and evenly spaced cuts, which are told how many there are.

Groups of segments are judged at the true cuts: the adjusted Rand index of groups and classes within a string; how alike
segments of a group have to be is chosen on the training strings, for each kind of prints.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.evaluation.prints import encode_frames
from motionprint.evaluation.probes import unit_vectors
from motionprint.evaluation.raw import RAW_FRAMES
from motionprint.evaluation.rows import provenance
from motionprint.exploring import SegmentSettings
from motionprint.exploring.segments import Alike, cut_windows
from motionprint.preprocessing.space import rotation_to_front
from motionprint.preprocessing.time import resample, windows
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.protocols import resolve
from motionprint.training import Run, load_run

Floats = npt.NDArray[np.float64]

SIZE, CLASSES = 8, 4
BLEND = 0.2
"""Seconds."""
KINDS = ("states", "untrained", "raw")
WINDOWS = (0.5, 1.0, 2.0)
STRIDE = 0.1
PENALTIES = tuple(float(2.0**power) for power in np.arange(-5, 1.5, 0.5))
ALIKE = tuple(float(each) for each in np.round(np.arange(0.5, 1.0, 0.05), 3))
SMOOTHING, PROMINENCE = (0.1, 0.2, 0.4), (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
TOLERANCES = (0.25, 0.5, 1.0)


@dataclass(frozen=True, eq=False)
class String:
    """Recordings strung together."""

    sequence: SkeletonSequence
    cuts: list[float]
    """Seconds."""
    labels: list[str]


def strung(recordings: Sequence[SkeletonSequence], blend: float) -> String:
    """Recordings one after another, without a jump of the root or the heading; seconds of blending at each seam."""
    fps, skeleton = recordings[0].fps, recordings[0].skeleton
    parts: list[Floats] = []
    cuts: list[float] = []
    for recording in recordings:
        positions = resample(recording.positions, recording.fps, fps)
        if parts:
            cuts.append(sum(map(len, parts)) / fps)
            positions = joined(parts[-1][-1], positions, skeleton, round(blend * fps))
        parts.append(positions)
    whole = np.concatenate(parts).astype(np.float32)
    sequence = SkeletonSequence(whole, fps, skeleton, "string")
    return String(sequence, cuts, [str(each.label) for each in recordings])


def joined(last: Floats, positions: Floats, skeleton: Any, frames: int) -> Floats:
    """Positions (T, J, 3) that go on from the frame ``last`` (J, 3)."""
    before, after = (rotation_to_front(each, skeleton, "heading") for each in (last, positions[0]))
    if before is not None and after is not None:
        positions = positions @ (before.T @ after).T
    positions = positions + (last[skeleton.root] - positions[0, skeleton.root])
    fade = np.clip(1 - np.arange(1, len(positions) + 1) / (frames + 1), 0, 1) if frames else np.zeros(len(positions))
    return np.asarray(positions + fade[:, None, None] * (last - positions[0]))


def strings(dataset: MotionDataset, rows: Sequence[int], count: int, seed: int, blend: float) -> list[String]:
    """Strings of recordings that may take part."""
    usable: dict[str, list[int]] = {}
    for row in rows:
        each = dataset[int(row)]
        if each.label is not None and 1 <= each.duration <= 20 and np.isfinite(each.positions).all():
            usable.setdefault(each.label, []).append(int(row))
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        classes = random.choice(sorted(usable), CLASSES, replace=False)
        labels = [str(random.choice(classes))]
        while len(labels) < SIZE:
            labels.append(str(random.choice([each for each in classes if each != labels[-1]])))
        found.append(strung([dataset[int(random.choice(usable[label]))] for label in labels], blend))
    return found


def matched(found: Sequence[float], true: Sequence[float], tolerance: float) -> int:
    """How many of the true cuts have a found one of their own within the tolerance, at most: both in rising order."""
    hits = at = 0
    for cut in sorted(true):  # the earliest found one that is near enough leaves the later ones most
        while at < len(found) and found[at] < cut - tolerance - 1e-9:
            at += 1
        if at < len(found) and found[at] <= cut + tolerance + 1e-9:
            hits, at = hits + 1, at + 1
    return hits


def scores(found: Sequence[Sequence[float]], given: Sequence[String], tolerance: float) -> dict[str, float]:
    """Precision, recall and F1 over all cuts of all strings."""
    hits = sum(matched(cuts, string.cuts, tolerance) for cuts, string in zip(found, given, strict=True))
    proposed, true = sum(map(len, found)), sum(len(string.cuts) for string in given)
    precision, recall = hits / max(proposed, 1), hits / true
    return {"precision": precision, "recall": recall, "f1": 2 * hits / (proposed + true)}


def vectors(run: Run, kind: str, sequence: SkeletonSequence, ranges: Sequence[tuple[int, int]]) -> Floats:
    """(n, R) the prints of windows, of length 1."""
    if kind == "raw":
        found = np.stack([run.recipe.apply(sequence, each, frames=RAW_FRAMES).ravel() for each in ranges])
    else:
        encoder = run.untrained() if kind == "untrained" else run
        pieces = (run.recipe.apply(sequence, each) for each in ranges)
        found = np.concatenate(list(encode_frames(encoder, pieces, "states")))
    return unit_vectors(found.astype(np.float64))


@dataclass(frozen=True, eq=False)
class Slid:
    """A string as the prints of its windows."""

    string: String
    vectors: Floats
    middles: Floats
    """(n,) of the windows, seconds."""


def slid(run: Run, kind: str, given: Sequence[String], window: float) -> list[Slid]:
    """All strings by windows of so many seconds."""
    found = []
    for string in given:
        ranges = windows(len(string.sequence), string.sequence.fps, window, STRIDE)
        middles = np.array([(start + end) / 2 for start, end in ranges]) / string.sequence.fps
        found.append(Slid(string, vectors(run, kind, string.sequence, ranges), middles))
    return found


def cuts(given: Slid, window: float, penalty: float) -> list[float]:
    """Seconds, as `find_segments` has them."""
    settings = SegmentSettings(window, STRIDE, penalty)
    return [float(given.middles[cut - 1] + given.middles[cut]) / 2 for cut in cut_windows(given.vectors, settings)]


def slow_moments(string: String, smoothing: float, prominence: float) -> list[float]:
    """Seconds where the joints' mean speed, beside the root, has a minimum."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    sequence = string.sequence
    body = sequence.positions - sequence.positions[:, [sequence.skeleton.root]]
    speed = np.linalg.norm(np.diff(body, axis=0), axis=2).mean(axis=1) * sequence.fps  # (T - 1,) m/s
    smooth = gaussian_filter1d(speed, smoothing * sequence.fps)
    lowest, _ = find_peaks(-smooth, prominence=prominence * np.median(smooth), distance=max(1, 0.75 * sequence.fps))
    return [float((each + 1) / sequence.fps) for each in lowest]


def evenly(string: String) -> list[float]:
    """As many cuts as there are, evenly spaced."""
    return list(np.linspace(0, string.sequence.duration, len(string.cuts) + 2)[1:-1])


def rand_index(given: Sequence[Slid], alike: float) -> float:
    """The mean adjusted Rand index of groups and classes, segments cut where they truly are."""
    from sklearn.metrics import adjusted_rand_score

    found = []
    for each in given:
        groups = Alike(alike)
        piece = np.searchsorted(each.string.cuts, each.middles, side="right")
        numbers = [groups.of(each.vectors[piece == number].mean(axis=0)) for number in np.unique(piece)]
        found.append(adjusted_rand_score([each.string.labels[number] for number in np.unique(piece)], numbers))
    return float(np.mean(found))


Corpora = Mapping[str, tuple[MotionDataset, Run]]
Chosen = dict[str, tuple[float, float, float]]


def choose(corpora: Corpora, given: Mapping[str, Sequence[String]]) -> tuple[Chosen, Iterator[dict[str, Any]]]:
    """For each kind the window, the penalty (for speed: smoothing and prominence) and alike; and what was tried."""
    tried: list[dict[str, Any]] = []
    chosen: Chosen = {}

    def best(
        kind: str, names: tuple[str, str], found: Mapping[tuple[float, float], list[float]]
    ) -> tuple[float, float]:
        for (one, other), values in found.items():
            each = dict(zip(corpora, values, strict=True))
            tried.append({"what": "chosen by", "kind": kind, names[0]: one, names[1]: other, "f1": each})
        return max(found, key=lambda each: float(np.mean(found[each])))

    for kind in KINDS:
        found: dict[tuple[float, float], list[float]] = {}
        alikes: dict[float, dict[float, list[float]]] = {}
        for window in WINDOWS:
            for name, (_, run) in corpora.items():
                series = slid(run, kind, given[name], window)
                for penalty in PENALTIES:
                    cut = [cuts(each, window, penalty) for each in series]
                    found.setdefault((window, penalty), []).append(scores(cut, given[name], 0.5)["f1"])
                for alike in ALIKE:
                    alikes.setdefault(window, {}).setdefault(alike, []).append(rand_index(series, alike))
        window, penalty = best(kind, ("window", "penalty"), found)
        alike = max(ALIKE, key=lambda each: float(np.mean(alikes[window][each])))
        chosen[kind] = (window, penalty, alike)
    slow = {
        (one, other): [
            scores([slow_moments(each, one, other) for each in given[name]], given[name], 0.5)["f1"] for name in corpora
        ]
        for one in SMOOTHING
        for other in PROMINENCE
    }
    chosen["speed"] = (*best("speed", ("smoothing", "prominence"), slow), 0.0)
    return chosen, iter(tried)


def earlier(file: Path) -> Chosen:
    """What an earlier call has chosen."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {row["kind"]: tuple(row["settings"]) for row in rows if row.get("settings")}


def judge(corpora: Corpora, chosen: Chosen, given: Mapping[str, Sequence[String]]) -> Iterator[dict[str, Any]]:
    """A row a data set, kind and tolerance."""
    for name, (_, run) in corpora.items():
        some = given[name]
        ways: dict[str, list[list[float]]] = {}
        groups: dict[str, float] = {}
        for kind in KINDS:
            window, penalty, alike = chosen[kind]
            series = slid(run, kind, some, window)
            ways[kind] = [cuts(each, window, penalty) for each in series]
            groups[kind] = rand_index(series, alike)
        ways["speed"] = [slow_moments(each, *chosen["speed"][:2]) for each in some]
        ways["even, told how many"] = [evenly(each) for each in some]
        for kind, found in ways.items():
            for tolerance in TOLERANCES:
                row = {"what": "cuts", "dataset": name, "kind": kind, "tolerance": tolerance}
                yield {**row, **scores(found, some, tolerance), "groups": groups.get(kind)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", metavar="DATASET=RUN", nargs="+", help="data set folders and runs of their protocols")
    parser.add_argument("--chosen", type=Path, help="what --json wrote of the call whose choice is taken")
    parser.add_argument("--strings", type=int, default=8, help="of each half of each data set [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, help="of the strings [%(default)s]")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    arguments = parser.parse_args()
    corpora, train, test = {}, {}, {}
    for pair in arguments.pairs:
        folder, _, run_folder = pair.partition("=")
        dataset, run = open_dataset(folder), load_run(run_folder)
        split = resolve(dataset, run.config["protocol"], run.config["fold"])
        hashes = np.array(dataset.sha256)
        fresh = split.test[~np.isin(hashes[split.test], hashes[split.train])]
        corpora[dataset.name] = (dataset, run)
        train[dataset.name] = strings(dataset, split.train, arguments.strings, arguments.seed, BLEND)
        for blend in (BLEND, 0.0):
            test.setdefault(blend, {})[dataset.name] = strings(
                dataset, fresh, arguments.strings, arguments.seed + 1, blend
            )
    made = provenance(" ".join(["python", "benchmarks/segmenting.py", *sys.argv[1:]]))
    chosen, tried = choose(corpora, train) if arguments.chosen is None else (earlier(arguments.chosen), iter(()))
    rows = [{**row, "half": "train", **made} for row in tried]
    print("chosen (window, penalty; smoothing, prominence; alike):", chosen, flush=True)
    for blend, given in test.items():
        print(f"\nblended over {blend:g} s\n\n| data set | cuts | +-, s | precision | recall | F1 | groups, ARI |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for row in judge(corpora, chosen, given):
            rows.append({**row, "half": "test", "blend": blend, "settings": chosen.get(row["kind"]), **made})
            ari = "-" if row["groups"] is None else f"{row['groups']:.2f}"
            numbers = f"{row['precision']:.2f} | {row['recall']:.2f} | {row['f1']:.2f} | {ari} |"
            print(f"| {row['dataset']} | {row['kind']} | {row['tolerance']:g} | {numbers}", flush=True)
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
