"""What the page shows, of a data set, a run, an index or a CSV file: everything but the page itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import motionprint
from motionprint.errors import DatasetError, SettingsError
from motionprint.progress import Report
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset
from motionprint.viewer import maps
from motionprint.viewer.maps import MAPS, directions
from motionprint.viewer.motion import as_base64, bits, deflated, in_millimetres, played
from motionprint.viewer.page import build
from motionprint.viewer.sources import Kind, Source, column, kind_of, open_source
from motionprint.viewer.tables import Items, read_columns

__all__ = ["LIMIT", "MAPS", "View", "pack"]

LIMIT = 20_000
"""Sequences of a page at most, unless said otherwise."""
MOST_FRAMES = 64
"""Frames that are packed of a sequence at most."""
PAGE_BYTES = 60_000_000
"""Bytes of a page at most: of what is larger, fewer frames a sequence are packed."""
_OWN = {"name", "offset", "length", "sha256", "fps", "key", "origin", "start", "end"}
"""Columns of an index that are no colours."""


@dataclass(frozen=True, eq=False)
class View:
    """What a page shows."""

    meta: dict[str, Any]
    """All but motion (docs/viewer.md)."""
    frames: bytes
    """Motion: deflated."""
    items: Items
    """What tells its points from each other."""

    @property
    def summary(self) -> str:
        """What is shown, in a line."""
        shown, total, where = len(self.items), self.meta["total"], self.meta["map"]
        count = f"{total}" if shown == total else f"{shown} of {total}"
        plural = "" if total == 1 else "s"
        return f"{self.meta['title']}: {count} sequence{plural}, {where['kind']} of {where['of']}"

    @property
    def page(self) -> str:
        """The page, as one HTML file."""
        return build(self.meta, self.frames)


def pack(
    path: str | Path,
    *,
    data: str | Path | None = None,
    run: str | Path | None = None,
    labels: str | Path | None = None,
    map: maps.Kind = "auto",
    colour: str | None = None,
    limit: int = LIMIT,
    report: Report | None = None,
) -> View:
    """A map of what there is at a path, with the motion of each of its points.

    Parameters
    ----------
    path
        A data set, a run, an index, or a CSV file of labels or clusters.
    data
        The data set that a CSV file belongs to; of a run another one than it was trained on.
    run
        The run whose prints the map is of; without one it is of coordinates at 16 moments.
    labels
        A CSV file of labels or clusters to colour by.
    map
        auto (UMAP where umap-learn is installed, else t-SNE), umap, tsne or pca.
    colour
        What points are coloured by at first: label, subject, cluster, confidence, given, or a column of the data set.
    limit
        Sequences to show at most, evenly spread over what there is.

    Raises
    ------
    DatasetError
        If there is nothing to view at the path, a file is damaged, a run's data set is gone, a CSV file names what is
        not there, or so many sequences make no page.
    SettingsError
        If an option is missing or out of place, or the map or the colour is unknown.
    CheckpointError, SkeletonMismatchError
        If the run is damaged, or knows another skeleton than the data set has.
    """
    if map not in MAPS:
        raise SettingsError(f"unknown map {map!r}: expected one of {', '.join(MAPS)}")
    if limit < 1:
        raise SettingsError(f"expected a limit of 1 or more, found {limit}")
    kind = kind_of(path)
    if kind == "labels":
        if labels is not None:
            raise SettingsError(f"{path}: is a CSV file itself: expected no --labels, found {labels}")
        labels = path
    source = open_source(path, kind, data=data, run=run, limit=limit, report=report)
    given = {} if labels is None else _of_items(read_columns(labels, _everything(source), source.where), source)
    colours, rows = _colours(source, given, colour), directions(source.prints)
    colours = _in_order(colours, rows, source, colour)
    made_by, points = maps.project(rows, map, report)
    near = maps.neighbours(rows)
    trained = None
    if kind == "run" and source.run is not None and source.dataset is not None:
        from motionprint.viewer.trained import describe_run

        trained = describe_run(source.run, source.dataset, str(path), report)
    skeletons, motion, frames = _motion(source.motions, report)
    items = source.items
    meta = {
        "format": 1,
        "kind": kind,
        "title": _title(Path(path).name, kind, source),
        "total": source.total,
        "made_by": f"motionprint {motionprint.__version__}",
        "served": False,
        "skeletons": skeletons,
        "items": {
            "name": items.name,
            "source": items.source,
            "person": items.person,
            "start": items.start,
            "end": items.end,
            **motion["items"],
        },
        "missing": motion["missing"],
        "colours": colours,
        "map": {"kind": made_by, "of": source.of, "x": _rounded(points[:, 0]), "y": _rounded(points[:, 1])},
        "neighbours": {
            "k": near.ids.shape[1],
            "ids": as_base64(near.ids),
            "distances": as_base64(near.distances),
        },
        "run": trained,
        "labels": _labels(source, given),
    }
    return View(meta, frames, items)


def _title(name: str, kind: Kind, source: Source) -> str:
    """Of a run or a CSV file its name too, where that is not the data set's."""
    named = kind in ("run", "labels") and name != source.title
    return f"{name} on {source.title}" if named else source.title


def _rounded(values: Any) -> list[float]:
    return [round(value, 4) for value in values.tolist()]


# ---- colours and labels ------------------------------------------------------------------------------------------


def _everything(source: Source) -> Items:
    """All that a CSV file may speak of: those too that are not shown."""
    if source.dataset is None or len(source.dataset) == len(source.items):
        return source.items
    index = source.dataset.index
    zeros, ends = [0.0] * len(index), (index["length"] / index["fps"]).tolist()
    return Items(source.dataset.names, column(index, "source"), index["person"].tolist(), zeros, ends)


def _of_items(columns: dict[str, list[str | None]], source: Source) -> dict[str, list[str | None]]:
    """The values of what is shown."""
    everything = _everything(source)
    if everything is source.items:
        return columns
    numbers = [everything.find({"name": name})[0] for name in source.items.name]
    return {key: [values[number] for number in numbers] for key, values in columns.items()}


def _colours(source: Source, given: dict[str, list[str | None]], colour: str | None) -> list[dict[str, Any]]:
    """What a map can be coloured by, from the CSV file and from the data set."""
    found: dict[str, dict[str, Any]] = {}
    if "label" in given:
        found["label"] = _categories("label", given["label"])
    if "confidence" in given:
        found["confidence"] = {"name": "confidence", "numbers": [_number(text) for text in given["confidence"]]}
    if "given" in given:
        words = {"true": "given", "false": "predicted"}
        found["given"] = _categories("given", [words.get((text or "").lower(), text) for text in given["given"]])
    if "cluster" in given:
        found["cluster"] = _categories("cluster", given["cluster"])
    if colour in given and colour not in found:
        found[colour] = _categories(colour, given[colour])
    for name in ("label", "subject", *([colour] if colour else [])):
        if name not in source.table.columns or name in _OWN:
            continue
        values = column(source.table, name)
        if name in given:
            if name == colour or values == given[name] or name not in found:
                continue
            found[f"{name} of the data set"] = _categories(f"{name} of the data set", values)
        else:
            found[name] = _categories(name, values)
    return [each for each in found.values() if each.get("values") or "numbers" in each]


def _in_order(colours: list[dict[str, Any]], rows: Any, source: Source, colour: str | None) -> list[dict[str, Any]]:
    """With clusters where a CSV file has none, and first what is asked for."""
    if not any(each["name"] == "cluster" for each in colours):
        classes = next((len(each["values"]) for each in colours if each["name"] == "label"), None)
        found = maps.clusters(rows, classes)
        if found is not None:
            colours = [*colours, _categories("cluster", [str(number + 1) for number in found.tolist()])]
    if colour is None:
        return colours
    if not any(each["name"] == colour for each in colours):
        known = [each["name"] for each in colours]
        known += [name for name in source.table.columns if name not in {*_OWN, *known}]
        raise SettingsError(f"unknown colour {colour!r}: expected one of {', '.join(known)}")
    return sorted(colours, key=lambda each: each["name"] != colour)


def _categories(name: str, values: Sequence[str | None]) -> dict[str, Any]:
    known = sorted({value for value in values if value}, key=_natural)
    codes = {value: code for code, value in enumerate(known)}
    return {"name": name, "values": known, "codes": [codes[value] if value else -1 for value in values]}


def _natural(text: str) -> list[tuple[int, int, str]]:
    """a2 before a10."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+|[0-9]", text)
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in parts]


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _labels(source: Source, given: dict[str, list[str | None]]) -> dict[str, Any]:
    """The labels that are known, and those of a CSV file that somebody gave."""
    values = given.get("label", [])
    said = given.get("given")
    if said is not None:
        by_hand = [(text or "").lower() == "true" for text in said]
    else:
        by_hand = ["cluster" not in given] * len(values)
    known = {*column(source.table, "label"), *values} if "label" in source.table.columns else {*values}
    return {
        "names": sorted((label for label in known if label), key=_natural),
        "given": {str(item): label for item, label in enumerate(values) if label and by_hand[item]},
    }


# ---- motion ------------------------------------------------------------------------------------------------------


def _motion(
    motions: Sequence[SkeletonSequence] | MotionDataset, report: Report | None
) -> tuple[list[dict[str, Any]], dict[str, Any], bytes]:
    """Skeletons, what the page needs to find each motion, and the motions, with as many frames as fit into a page."""
    most, room = MOST_FRAMES, (PAGE_BYTES - 250 * len(motions)) * 3 // 4  # base64 makes 4 of 3
    while True:
        skeletons, found, frames = _packed(motions, most, report)
        if len(frames) <= room:
            return skeletons, found, frames
        if most == 2:
            raise DatasetError(
                f"expected sequences that make a page of {PAGE_BYTES // 10**6} MB, found {len(motions)} that make "
                f"{len(frames) * 4 // 3 // 10**6} MB: show fewer with --limit"
            )
        most = max(2, int(0.95 * most * room / len(frames)))


def _packed(
    motions: Sequence[SkeletonSequence] | MotionDataset, most: int, report: Report | None
) -> tuple[list[dict[str, Any]], dict[str, Any], bytes]:
    skeletons: dict[Any, int] = {}
    items: dict[str, list[Any]] = {"skeleton": [], "fps": [], "offset": [], "length": []}
    values, missing, offset = [], {}, 0
    for number in range(len(motions)):
        sequence = motions[number]
        step, fps = played(len(sequence), sequence.fps, most)
        packed = in_millimetres(sequence.positions[::step], sequence.skeleton.root)
        values.append(packed.values)
        if packed.missing.any():
            missing[str(number)] = bits(packed.missing)
        tree = (sequence.skeleton.joint_names, sequence.skeleton.parents)
        items["skeleton"].append(skeletons.setdefault(tree, len(skeletons)))
        items["fps"].append(float(f"{fps:.6g}"))  # of an hour, far below 1
        items["offset"].append(offset)
        items["length"].append(len(packed.values))
        offset += packed.values.size
        if report is not None:
            report(number + 1, len(motions), "packing")
    trees = [{"joints": list(names), "parents": list(parents)} for names, parents in skeletons]
    return trees, {"items": items, "missing": missing}, deflated(values)
