"""What a data set folder or a motion file holds, as plain values: what `motionprint info` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from motionprint.errors import DatasetError
from motionprint.readers import DEFAULT, ReadSettings, Source, motion_names, read_all, refused
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import BODY_PARTS, Skeleton
from motionprint.store.dataset import FILES, MotionDataset, open_dataset

__all__ = ["describe", "describe_dataset", "describe_sequence"]


def describe(path: str | Path, settings: ReadSettings = DEFAULT) -> dict[str, Any]:
    """What there is at a path: a data set folder, or a file, folder or archive of recordings.

    ``kind`` says which: `dataset`, `recording` (a file of one person), `recordings` (several, by name). Values are
    numbers, strings, lists and dicts, ready for JSON. ``settings`` are of motion files.

    Raises
    ------
    DatasetError
        If a folder is no data set and holds no motion file, or a data set's files do not agree.
    ReadError
        If there is nothing at the path, or a file cannot be read as a recording.
    """
    found = Path(path)
    if any((found / file).exists() for file in FILES):
        return describe_dataset(open_dataset(found))
    if found.is_dir():
        with Source.open(found) as source:
            if next(motion_names(source, settings), None) is None:
                others = refused.summary(source.names()) or "none of them"
                raise DatasetError(f"{path}: expected a data set folder, a run folder or motion files, found {others}")
    each = [
        describe_sequence(sequence) for sequence in read_all(found, settings)
    ]  # one after another: frames are not kept
    if len(each) == 1:
        return {"kind": "recording", "path": str(path), "persons": 1, **each[0]}
    skeletons: dict[str, dict[str, Any]] = {}
    for facts in each:
        parts = facts.pop("body_parts")
        known = next((skeleton for skeleton in skeletons.values() if skeleton["body_parts"] == parts), None)
        if known is None:
            known = {"recordings": 0, "body_parts": parts}
            skeletons[f"{len(skeletons) + 1}: {facts['joints']} joints"] = known
        known["recordings"] += 1
    return {
        "kind": "recordings",
        "path": str(path),
        "persons": len(each),
        "frames": sum(facts["frames"] for facts in each),
        "hours": sum(facts["seconds"] for facts in each) / 3600,
        "fps": sorted({facts["fps"] for facts in each}),
        "missing_values": sum(facts["missing_values"] for facts in each),
        "skeletons": skeletons,
        "recordings": each,
    }


def describe_dataset(dataset: MotionDataset) -> dict[str, Any]:
    """The figures of a data set; only its missing values need a look at its frames if ``prepare.json`` lacks them."""
    index = dataset.index
    labels, subjects = index["label"], index["subject"]
    seconds = float((index["length"] / index["fps"]).sum())
    rates = sorted(set(index["fps"].astype(float)))
    repeated = index["sha256"].duplicated(keep=False)
    return {
        "kind": "dataset",
        "path": str(dataset.folder),
        "corpus": dataset.name,
        "sequences": len(dataset),
        "classes": int(labels.nunique()),
        "class_names": sorted(labels.dropna().unique().tolist()),
        "unlabelled": int(labels.isna().sum()),
        **({"small_classes": small} if (small := dataset.prepare.get("small_classes")) else {}),
        "subjects": int(subjects.nunique()),
        "subject_names": sorted(subjects.dropna().unique().tolist()),
        "joints": len(dataset.skeleton),
        "frames": int(index["length"].sum()),
        "shortest": int(index["length"].min()) if len(index) else 0,
        "longest": int(index["length"].max()) if len(index) else 0,
        "hours": seconds / 3600,
        "fps": rates[0] if len(rates) == 1 else rates,
        "protocols": {
            name: {side: [len(fold[side]) for fold in folds] for side in ("train", "test")}
            for name, folds in dataset.protocols.items()
        },
        "preprocessing": dataset.defaults,
        "missing_values": _missing(dataset),
        "left_out": dataset.left_out,
        "duplicates": int(repeated.sum() - index.loc[repeated, "sha256"].nunique()),
    }


def describe_sequence(sequence: SkeletonSequence) -> dict[str, Any]:
    """The figures of one recording."""
    return {
        "name": sequence.name,
        "source": sequence.source,
        "person": sequence.person,
        "frames": len(sequence),
        "fps": sequence.fps,
        "seconds": sequence.duration,
        "joints": len(sequence.skeleton),
        "height": _height(sequence),
        "missing_values": int(np.isnan(sequence.positions).sum()),
        "body_parts": _body_parts(sequence.skeleton),
    }


def _body_parts(skeleton: Skeleton) -> dict[str, list[str]]:
    """The joints of each body part by name; all of them under one heading where the parts are not known."""
    if not skeleton.body_parts:
        return {"not known": list(skeleton.joint_names)}
    return {
        part: [skeleton.joint_names[joint] for joint in joints]
        for part, joints in zip(BODY_PARTS, skeleton.body_parts, strict=True)
    }


def _height(sequence: SkeletonSequence) -> float | None:
    """Metres from the lowest to the highest joint, the median over frames: a standing body less its crown and soles."""
    heights = sequence.positions[:, :, 1]
    known = ~np.isnan(heights).all(axis=1)
    if not known.any():
        return None
    spans = np.nanmax(heights[known], axis=1) - np.nanmin(heights[known], axis=1)
    return float(np.median(spans))


def _missing(dataset: MotionDataset) -> int:
    recorded = dataset.prepare.get("missing")
    if isinstance(recorded, dict) and isinstance(recorded.get("values"), int):
        return int(recorded["values"])
    return sum(int(np.isnan(sequence.positions).sum()) for sequence in dataset)
