"""What the rows of a data set say about it, and where that differs from what the published figures were measured on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from motionprint.experiments.published import SETS, TITLES
from motionprint.experiments.report.reading import Results, Row

__all__ = ["Facts", "cell_notes", "dataset_title", "method_title"]

LABELLED = ("linear", "supervised", "finetune")
"""Tasks whose rows count the labelled recordings that train and test."""


class Facts:
    """Classes and joints of the data sets, as far as cells say them."""

    def __init__(self, results: Results) -> None:
        self.classes: dict[tuple[str, str], set[str]] = {}
        self.counted: dict[tuple[str, str], dict[str, int]] = {}
        for cell in results.cells:
            for place in {(row["dataset"], row["protocol"]) for row in cell.rows}:
                self.classes.setdefault(place, set()).update(label for label, _ in cell.predictions)
                for name in ("classes", "joints"):
                    if isinstance(value := cell.settings.get(name), int):
                        self.counted.setdefault(place, {})[name] = value

    def notes(self, rows: Iterable[Row]) -> tuple[str, ...]:
        """What is to be known of the rows of one data set and protocol, in sentences."""
        rows = list(rows)
        place = (rows[0]["dataset"], rows[0]["protocol"])
        known = self.counted.get(place, {})
        classes = known.get("classes") or len(self.classes.get(place, ())) or None
        data = _sizes(rows)
        if classes:
            data += f", {classes} classes" + ("" if "classes" in known else " in the tests")
        data += f", {known['joints']} joints" if "joints" in known else ""
        sentences = [f"{place[0]}, {place[1]}: {data}."]
        sentences += _beside_published(place, _sequences(rows), classes, known.get("joints"))
        sentences.append(_recipe(rows))
        duplicates = max((row["duplicates"] or 0 for row in rows), default=0)
        if duplicates:
            sentences.append(f"{duplicates} test recordings equal a training recording.")
        presets = sorted({row["preset"] for row in rows if row["preset"]})
        if presets and not any(preset.startswith("paper") for preset in presets):
            sentences.append(f"Preset {', '.join(presets)}: smaller networks and a smaller budget than the paper's.")
        return (" ".join(sentence for sentence in sentences if sentence),)


def _labelled(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["task"] in LABELLED and row["labels_per_class"] is None]


def _sequences(rows: Sequence[Row]) -> int | None:
    """Labelled recordings that train and test together, if all rows agree."""
    found = {(row["n_train"] or 0) + (row["n_test"] or 0) for row in _labelled(rows)}
    return found.pop() if len(found) == 1 else None


def _sizes(rows: Sequence[Row]) -> str:
    chosen = _labelled(rows) or list(rows)

    def span(name: str) -> str:
        found = sorted({row[name] or 0 for row in chosen})
        return f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"

    return f"{span('n_train')} recordings train, {span('n_test')} test"


def _beside_published(
    place: tuple[str, str], sequences: int | None, classes: int | None, joints: int | None
) -> list[str]:
    """How the data and the protocol differ from those of the published figures."""
    theirs = SETS.get(place[0])
    if theirs is None or (theirs.beside and place[1] not in theirs.beside):
        return []
    differences = []
    if sequences is not None and sequences != theirs.sequences:
        differences.append(f"{sequences:,} labelled recordings (published: {theirs.sequences:,})")
    if classes is not None and classes != theirs.classes:
        differences.append(f"{classes} classes (published: {theirs.classes})")
    if joints is not None and joints != theirs.joints:
        differences.append(f"{joints} joints (published: {theirs.joints})")
    if place[1] not in theirs.protocols:
        differences.append(f"protocol {place[1]} (published: {theirs.protocol})")
    if not differences:
        return []
    return [f"Unlike what the published figures are of: {'; '.join(differences)}."]


def _recipe(rows: Sequence[Row]) -> str:
    """How the recordings were brought to the networks; the paper says nothing of the alignment."""
    recipes = [row["recipe"] for row in rows if row["recipe"]]
    parts = []
    for name, words in (("alignment", "aligned: {}"), ("fps", "{:g} frames/s"), ("max_length", "at most {} frames")):
        values = {recipe.get(name) for recipe in recipes}
        if len(values) == 1 and (value := values.pop()) is not None:
            parts.append(words.format(value))
    return f"Recordings {', '.join(parts)} (the paper is silent on alignment)." if parts else ""


def cell_notes(rows: Sequence[Row], all_presets: bool = False) -> tuple[str, ...]:
    """What is to be known of the rows of one cell."""
    notes = []
    if any(row["transductive"] for row in rows):
        notes.append("Transductive: pre-trained on test recordings too, without their labels.")
    for protocol in sorted({row["protocol"] for row in rows}):
        kind, _, folds = protocol.partition(":")
        folds = "5" if protocol == "five-fold" else folds
        done = {row["fold"] for row in rows if row["protocol"] == protocol}
        if kind in ("five-fold", "kfold", "kfold-subjects") and folds.isdecimal() and len(done) < int(folds):
            notes.append(f"Folds {', '.join(map(str, sorted(done)))} of {folds} only.")
    presets = sorted({row["preset"] for row in rows if row["preset"]})
    if all_presets and any(not preset.startswith("paper") for preset in presets):
        notes.append(f"Preset {', '.join(presets)}, beside others of the paper's size.")
    return tuple(notes)


_OTHERS = {"msr_action3d": "MSR Action3D", "ntu_rgbd": "NTU RGB+D", "utd_mhad": "UTD-MHAD"}
"""Data sets without published figures here."""


def dataset_title(dataset: str) -> str:
    """What a data set is called in tables."""
    return SETS[dataset].title if dataset in SETS else _OTHERS.get(dataset, dataset)


def method_title(method: str) -> str:
    """What a method is called in tables."""
    return TITLES.get(method, method)
