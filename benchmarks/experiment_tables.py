"""The tables of docs/results.md that are made from the cells in results/experiments (for `results_tables.py`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

from motionprint.evaluation.rows import read_rows
from motionprint.experiments.published import ACCURACIES, MHAD, SBU, TITLES, UCLA
from motionprint.experiments.report.reading import read_results

RESULTS = Path(__file__).resolve().parents[1] / "results"
CELLS = RESULTS / "experiments"

Row = Mapping[str, Any]

PLACES = {
    "MHAD": ("mhad_dmocap", "cross-subject"),
    "MHAD depth": ("mhad_dmocap", "cross-subject-depth"),
    "NW-UCLA": ("nw_ucla", "cross-view"),
    "NW-UCLA dedup": ("nw_ucla", "cross-view-dedup"),
    "MSR": ("msr_action3d", "cross-subject"),
    "HDM05": ("hdm05", "cross-subject"),
}
"""Columns: a data set and its protocol."""

FIGURE = ("MHAD", "MHAD depth", "NW-UCLA", "MSR")
"""The columns of Figure 3."""

AMOUNTS = (2, 5, 10, 20, None)
"""Labelled recordings a class along Figure 3."""

_AMOUNTS = [f"{amount} a class" if amount else "all" for amount in AMOUNTS]

FOLDS = {
    "HDM05, 10 folds of clips": ("hdm05", "kfold:10"),
    "HDM05, 5 folds of actors": ("hdm05", "kfold-subjects:5"),
    "CMU, 4 folds of trials": ("cmu", "kfold:4"),
    "CMU, 4 folds of subjects": ("cmu", "kfold-subjects:4"),
    "SBU, 5 folds of pairs": ("sbu", "five-fold"),
}

WITHOUT_LABELS = (
    "inpainting",
    "autoencoder",
    "composite",
    "next_frame",
    "motion_prediction",
    "gated_transforms",
    "slow_features",
)
WITH_LABELS = (
    "softmax",
    "hbrnn",
    "dbrnn",
    "deep_lstm",
    "co_lstm",
    "st_lstm",
    "attention_lstm",
    "mlp",
    "smij",
    "temporal_pyramid",
    "hmm",
)


def load() -> list[dict[str, Any]]:
    """All rows, each with what its cell says under ``cell``; none where there are no cells."""
    rows = []
    for results in sorted(CELLS.glob("*/cells")) if CELLS.is_dir() else ():
        for cell in read_results(results.parent).cells:
            facts = {**cell.settings, "experiments": list(cell.experiments or ())}
            rows += [{**row, "cell": facts} for row in cell.rows]
    return rows


def tables() -> dict[str, str]:
    """The text between each pair of marks; nothing where there are no cells."""
    rows = load()
    if not rows:
        return {}
    ablations = {"experiments ablations": _ablations(rows)} if _ablated(rows) else {}
    return {
        **ablations,
        "experiments without labels": _without_labels(rows),
        "experiments with labels": _with_labels(rows),
        "experiments table 3": _table3(rows),
        "experiments few labels": _few_labels(rows),
        "experiments gain": _gain(rows),
        "experiments longer": _longer(rows),
        "experiments folds": _folds(rows),
    }


def _picked(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def _text(rows: Sequence[Row], factor: float = 100, digits: int = 1) -> str:
    """Mean, standard deviation and number of values: one a fold (their repetitions averaged), or one a repetition."""
    if not rows:
        return "-"
    folds: dict[int, list[float]] = {}
    for row in {(row["fold"], row["seed"], row["sampling"]): row for row in rows}.values():
        folds.setdefault(row["fold"], []).append(row["value"])
    values = [mean(each) for each in folds.values()] if len(folds) > 1 else next(iter(folds.values()))
    text = f"{factor * mean(values):.{digits}f}"
    return f"{text} ± {factor * stdev(values):.{digits}f} ({len(values)})" if len(values) > 1 else text


def _lines(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    text = ["| " + " | ".join(heads) + " |", "| --- |" + " --- |" * (len(heads) - 1)]
    return "\n".join([*text, *("| " + " | ".join(line) + " |" for line in lines)])


def _is_plain(row: Row) -> bool:
    """Whether a row is of the preset as it is; bf16 where it is faster is no other method (docs/results.md)."""
    return all(name.split(".")[-1] == "precision" for name in row["changes"] or ())


def _of(rows: Sequence[Row], place: tuple[str, str]) -> list[Row]:
    return _picked(rows, dataset=place[0], protocol=place[1])


def _both(rows: Sequence[Row]) -> str:
    """Linear probe / nearest neighbour."""
    found = [_text(_picked(rows, task=task, metric="accuracy", labels_per_class=None)) for task in ("linear", "knn1")]
    return "-" if found == ["-", "-"] else " / ".join(found)


def _published(group: str, method: str, name: str) -> str:
    value = ACCURACIES.get((group, method), {}).get(name)
    return "" if value is None else f"{value.value:.2f}"


def _title(method: str) -> str:
    return TITLES.get(method, method)


def _without_labels(rows: Sequence[Row]) -> str:
    """Every method on every data set: linear / nearest, of F and of the states."""
    lines = []
    for method in WITHOUT_LABELS:
        for preset in ("paper", "small"):
            for features in ("F", "states"):
                chosen = [
                    row
                    for row in _picked(rows, method=method, preset=preset, features=features, transductive=False)
                    if row["cell"]["kind"] == "pretrain" and _is_plain(row)
                ]
                cells = [_both(_of(chosen, place)) for place in PLACES.values()]
                if set(cells) != {"-"} and not (
                    features == "states" and method in ("gated_transforms", "slow_features")
                ):
                    beside = [_published("U", method, name) if features == "F" else "" for name in (MHAD, UCLA)]
                    lines.append([f"{_title(method)}, {features}, `{preset}`", *cells, *beside])
    for features in ("F", "states"):
        chosen = [r for r in _picked(rows, method="inpainting", features=features, transductive=True) if _is_plain(r)]
        name = f"{_title('inpainting')}, {features}, `small`, transductive"
        lines.append([name, *(_both(_of(chosen, place)) for place in PLACES.values()), "", ""])
    for name, wanted in (
        ("untrained encoder, F, `small`", {"method": "random", "features": "F", "preset": "small"}),
        ("untrained encoder, states, `small`", {"method": "random", "features": "states", "preset": "small"}),
        ("raw coordinates", {"method": "raw"}),
        ("dynamic time warping (nearest only)", {"method": "dtw"}),
    ):
        chosen = _picked(rows, **wanted)
        lines.append([name, *(_both(_of(chosen, place)).removeprefix("- / ") for place in PLACES.values()), "", ""])
    return _lines(("linear / nearest, %", *PLACES, "published, MHAD", "published, NW-UCLA"), lines)


def _with_labels(rows: Sequence[Row]) -> str:
    """S and S+P: accuracy with all labels."""
    places = {**{name: PLACES[name] for name in ("MHAD", "MHAD depth", "NW-UCLA", "MSR")}, "SBU": ("sbu", "five-fold")}
    taught = [row for row in rows if row["labels_per_class"] is None and row["task"] in ("supervised", "finetune")]
    lines = []
    for preset in ("small", "paper"):
        for method in WITH_LABELS:
            chosen = _picked(taught, task="supervised", method=method, preset=preset)
            cells = [_text(_of(chosen, place)) for place in places.values()]
            if set(cells) != {"-"}:
                beside = [_published("S", method, name) for name in (MHAD, SBU)]
                lines.append([f"S: {_title(method)}, `{preset}`", *cells, *beside])
        for method in ("inpainting", "autoencoder", "composite"):
            chosen = [
                row
                for row in _picked(taught, task="finetune", method=method, preset=preset, transductive=False)
                if _is_plain(row)
            ]
            cells = [_text(_of(chosen, place)) for place in places.values()]
            if set(cells) != {"-"}:
                beside = [_published("S+P", method, name) for name in (MHAD, SBU)]
                lines.append([f"S+P: from {_title(method)}, `{preset}`", *cells, *beside])
    return _lines(("accuracy, %", *places, "published, MHAD", "published, SBU"), lines)


def _table3(rows: Sequence[Row]) -> str:
    """Conditioned on F or on zeros, element-wise or joint loss."""
    columns = (
        ("hidden, scaled", {"task": "inpaint_hidden", "metric": "rmse_scaled"}, 1, 4),
        ("hidden, cm", {"task": "inpaint_hidden", "metric": "rmse_cm"}, 1, 2),
        ("all, scaled", {"task": "inpaint_all", "metric": "rmse_scaled"}, 1, 4),
        ("Acc.(S): linear on F, %", {"task": "linear", "features": "F", "labels_per_class": None}, 100, 1),
        ("Acc.(U): Ward on F, %", {"task": "ward", "metric": "acc", "features": "F"}, 100, 1),
        ("linear on states, %", {"task": "linear", "features": "states", "labels_per_class": None}, 100, 1),
    )
    lines = []
    for name, place in PLACES.items():
        here = [row for row in _of(rows, place) if "table3" in row["cell"]["experiments"]]
        for preset in ("paper", "small"):
            for condition in ("F", "none"):
                for loss in ("joint", "elementwise"):
                    # a cell's own rows: the diagnostics (zeroed, shuffled) are of another condition
                    chosen = _picked(here, preset=preset, condition=condition, loss=loss, method="inpainting")
                    cells = [_text(_picked(chosen, **wanted), factor, digits) for _, wanted, factor, digits in columns]
                    if set(cells) != {"-"}:
                        words = "with F" if condition == "F" else "without F"
                        lines.append([f"{name}, `{preset}`, {words}, {loss} loss", *cells])
    return _lines(("", *(name for name, *_ in columns)), lines)


def _few_labels(rows: Sequence[Row]) -> str:
    """Figure 3 as numbers."""
    kinds: tuple[tuple[str, Callable[[Row], bool]], ...] = (
        ("S: random start", lambda r: r["task"] == "supervised" and r["method"] == "softmax"),
        ("S+P: from LongT GAN", lambda r: r["task"] == "finetune" and r["method"] == "inpainting" and _is_plain(r)),
        ("U: linear on F", lambda r: _probe(r, "inpainting", "F")),
        ("U: linear on states", lambda r: _probe(r, "inpainting", "states")),
        ("untrained encoder, states", lambda r: _probe(r, "random", "states")),
        ("raw coordinates", lambda r: _probe(r, "raw", None)),
        ("dynamic time warping, nearest", lambda r: r["task"] == "knn1" and r["method"] == "dtw"),
    )
    text = []
    for name in FIGURE:
        here = [r for r in _of(rows, PLACES[name]) if r["preset"] in ("small", None) and r["metric"] == "accuracy"]
        lines = []
        for kind, is_kind in kinds:
            chosen = [row for row in here if is_kind(row) and not row["transductive"]]
            cells = [_text(_picked(chosen, labels_per_class=amount)) for amount in AMOUNTS]
            if set(cells[:-1]) != {"-"}:
                lines.append([kind, *cells])
        text.append(f"{name}:\n\n{_lines(('accuracy, %, `small`', *_AMOUNTS), lines)}")
    return "\n\n".join(text)


def _gain(rows: Sequence[Row]) -> str:
    """S+P less S, draw by draw: the same labelled recordings, the same seed."""
    lines = []
    for preset in ("small", "paper"):
        taught = [row for row in _picked(rows, preset=preset, metric="accuracy", transductive=False) if _is_plain(row)]
        for name in FIGURE:
            here = _of(taught, PLACES[name])
            cells = []
            for amount in AMOUNTS:
                scratch, tuned = (
                    {(row["seed"], row["sampling"]): row["value"] for row in _picked(here, **wanted)}
                    for wanted in (
                        {"task": "supervised", "method": "softmax", "labels_per_class": amount},
                        {"task": "finetune", "method": "inpainting", "labels_per_class": amount},
                    )
                )
                both = sorted(scratch.keys() & tuned.keys())
                cells.append(_interval([100 * (tuned[each] - scratch[each]) for each in both]))
            if set(cells) != {"-"}:
                lines.append([f"{name}, `{preset}`", *cells])
    return _lines(("S+P less S, points", *_AMOUNTS), lines)


def _longer(rows: Sequence[Row]) -> str:
    """SBU's folds, trained as chosen on Berkeley MHAD's people who train, beside the methods' own settings."""
    lines = []
    for method in ("hbrnn", "deep_lstm", "co_lstm"):
        own = _picked(rows, dataset="sbu", task="supervised", method=method, preset="small")
        longer = [row for file in sorted(RESULTS.glob(f"sbu-{method}-longer-f*.jsonl")) for row in read_rows(file)]
        changes = {json.dumps(row["changes"], sort_keys=True) for row in longer}
        assert len(changes) == 1, changes
        steps = longer[0]["changes"]["steps"]
        each = ", ".join(f"{100 * row['value']:.1f}" for row in sorted(longer, key=lambda row: row["fold"]))
        beside = _published("S", method, SBU)
        lines.append([_title(method), _text(own), f"{steps:,}, the last", _text(longer), each, beside])
    return _lines(("", "own settings, %", "steps", "longer, %", "fold by fold", "published"), lines)


def _interval(values: Sequence[float]) -> str:
    """Mean, 95 % interval of the mean by Student's t, and number of values."""
    if len(values) < 2:
        return "-"
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / len(values) ** 0.5
    return f"{mean(values):+.1f} [{mean(values) - half:+.1f}, {mean(values) + half:+.1f}] ({len(values)})"


def _probe(row: Row, method: str, features: str | None) -> bool:
    kind = (row["task"], row["method"], row["features"]) == ("linear", method, features)
    return kind and _is_plain(row)


def _ablated(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if "ablations" in row["cell"]["experiments"] and row["method"] == "inpainting"]


def _ablations(rows: Sequence[Row]) -> str:
    """One change each, a table for each data set."""
    columns = (
        ("linear on states, %", {"task": "linear", "features": "states", "labels_per_class": None}, 100, 1),
        ("linear on F, %", {"task": "linear", "features": "F", "labels_per_class": None}, 100, 1),
        ("Ward on F, %", {"task": "ward", "metric": "acc", "features": "F"}, 100, 1),
        ("error, hidden, scaled", {"task": "inpaint_hidden", "metric": "rmse_scaled"}, 1, 4),
    )
    text = []
    for name, place in PLACES.items():
        here = [row for row in _of(_ablated(rows), place) if row["preset"] == "small"]
        here = [row for row in here if row["task"] != "inpaint_hidden" or row["condition"] in ("F", "none")]
        changes = {json.dumps(row["cell"]["changes"], sort_keys=True) for row in here}
        lines = []
        for change in sorted(changes, key=lambda each: (each != "{}", each)):
            chosen = [row for row in here if json.dumps(row["cell"]["changes"], sort_keys=True) == change]
            words = ", ".join(f"`{key}={value}`" for key, value in json.loads(change).items()) or "the paper's"
            cells = [_text(_picked(chosen, **wanted), factor, digits) for _, wanted, factor, digits in columns]
            if "hidden_parts" in change:
                cells[-1] = "-"  # was judged with other hidden sets than the rest
            lines.append([words, *cells])
        if len(lines) > 1:
            text.append(f"{name}:\n\n{_lines(('', *(head for head, *_ in columns)), lines)}")
    return "\n\n".join(text)


def _folds(rows: Sequence[Row]) -> str:
    """Clip-wise folds beside folds by person: linear / nearest."""
    kinds = (
        ("LongT GAN, F", {"method": "inpainting", "features": "F"}),
        ("LongT GAN, states", {"method": "inpainting", "features": "states"}),
        ("untrained encoder, states", {"method": "random", "features": "states"}),
        ("raw coordinates", {"method": "raw"}),
        ("dynamic time warping (nearest only)", {"method": "dtw"}),
    )
    lines = []
    for name, wanted in kinds:
        chosen = [row for row in _picked(rows, **wanted) if _is_plain(row)]
        lines.append([name, *(_both(_of(chosen, place)).removeprefix("- / ") for place in FOLDS.values())])
    return _lines(("linear / nearest, %, `small`", *FOLDS), lines)
