"""Diagrams of results: few labels, accuracies beside each other, confusion matrices, training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motionprint.errors import SettingsError
from motionprint.pictures.figure import GRID, check_ending, one_axes, plain, save, styled, titled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "MARKERS",
    "accuracy_bars",
    "confusion",
    "draw_confusion",
    "draw_training",
    "label_curve",
    "training_curves",
]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C8C")
MARKERS = "os^Dv<>PX*"
NUMBERED = 20
"""Classes up to which a confusion matrix says its numbers."""

_SERIES = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "os^Dv<>"


@styled
def label_curve(rows: Iterable[Mapping[str, Any]], path: str | Path, *, task: str = "linear", title: str = "") -> None:
    """Draw accuracy against labelled recordings a class, a line for each method and kind of features.

    The band is one standard deviation over samplings, folds and seeds to either side of the mean; ``all`` labels stand
    at the right end.

    Parameters
    ----------
    rows
        Result rows of one data set and one protocol; those of other tasks are left out.
    path
        Ends in .png, .svg or .pdf. An existing file is replaced.

    Raises
    ------
    SettingsError
        If no row is an accuracy of the task, the rows are of several data sets or protocols, or the ending is unknown.
    """
    check_ending(path)
    chosen = [row for row in rows if row["task"] == task and row["metric"] == "accuracy"]
    if not chosen:
        raise SettingsError(f"picture: expected rows of task {task} and metric accuracy, found none")
    _require_one_protocol(chosen)
    from matplotlib.figure import Figure

    groups: dict[str, dict[float, list[float]]] = {}
    for row in chosen:
        labels = np.inf if row["labels_per_class"] is None else float(row["labels_per_class"])
        groups.setdefault(_series(row), {}).setdefault(labels, []).append(100 * float(row["value"]))
    amounts = sorted({amount for group in groups.values() for amount in group})
    figure = Figure(figsize=(5.2, 3.6), dpi=160, facecolor="white", layout="constrained")
    ax = figure.add_subplot()
    for number, (name, group) in enumerate(groups.items()):
        at = [amounts.index(amount) for amount in sorted(group)]
        mean = np.array([np.mean(group[amount]) for amount in sorted(group)])
        spread = np.array(
            [np.std(group[amount], ddof=1) if len(group[amount]) > 1 else 0.0 for amount in sorted(group)]
        )
        color, marker = _SERIES[number % len(_SERIES)], _MARKERS[number % len(_MARKERS)]
        ax.fill_between(at, mean - spread, mean + spread, color=color, alpha=0.15, linewidth=0)
        ax.plot(at, mean, color=color, marker=marker, markersize=4.5, linewidth=1.6, label=name)
    ax.set_xticks(range(len(amounts)), ["all" if np.isinf(amount) else f"{amount:g}" for amount in amounts])
    ax.set_xlabel("labelled recordings a class")
    ax.set_ylabel(f"accuracy ({task}), %")
    ax.grid(axis="y", color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
    ax.set_title(title or f"{chosen[0]['dataset']}, {chosen[0]['protocol']}", fontsize=10, loc="left")
    save(figure, path)


@styled
def accuracy_bars(rows: Iterable[Mapping[str, Any]], path: str | Path, *, title: str = "") -> None:
    """Draw accuracies as bars: a block of bars a task, a bar for each method and kind of features.

    All labels are used; the line is one standard deviation over folds and seeds to either side of the mean.

    Parameters
    ----------
    rows
        Result rows of one data set and one protocol; those of few labels, and of other metrics, are left out.
    path
        Ends in .png, .svg or .pdf. An existing file is replaced.

    Raises
    ------
    SettingsError
        If no row is an accuracy with all labels, the rows are of several data sets or protocols, or the ending is
        unknown.
    """
    check_ending(path)
    chosen = [row for row in rows if row["metric"] == "accuracy" and row["labels_per_class"] is None]
    if not chosen:
        raise SettingsError("picture: expected rows of metric accuracy and all labels, found none")
    _require_one_protocol(chosen)
    found: dict[tuple[str, str], list[float]] = {}
    for row in chosen:
        found.setdefault((str(row["task"]), _series(row)), []).append(100 * float(row["value"]))
    tasks, names = (list(dict.fromkeys(key[place] for key in found)) for place in (0, 1))
    figure, ax = one_axes(1.6 + max(3.0, 0.32 * len(found)), 3.6)
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        at = [place for place, task in enumerate(tasks) if (task, name) in found]
        values = [found[tasks[place], name] for place in at]
        spread = [float(np.std(each, ddof=1)) if len(each) > 1 else float("nan") for each in values]
        bars = ax.bar(
            [place + (number - (len(names) - 1) / 2) * width for place in at],
            [float(np.mean(each)) for each in values],
            width=0.92 * width,
            yerr=spread,
            color=COLOURS[number % len(COLOURS)],
            label=name,
            error_kw={"ecolor": "#222222", "elinewidth": 1.1, "capsize": 2.5},
        )
        ax.bar_label(bars, fmt="{:.1f}", fontsize=6.5, padding=2)
    ax.set_xticks(range(len(tasks)), tasks)
    ax.set_ylim(0, 100)
    ax.set_ylabel("accuracy, %")
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    ax.set_title(title or f"{chosen[0]['dataset']}, {chosen[0]['protocol']}", fontsize=10, loc="left")
    save(figure, path)


@styled
def confusion(pairs: Sequence[tuple[str, str]], path: str | Path, *, title: str = "") -> None:
    """Draw a confusion matrix: a line a class, shares of its recordings in per cent.

    Parameters
    ----------
    pairs
        Label and predicted label of each recording.
    path
        Ends in .png, .svg or .pdf. An existing file is replaced.

    Raises
    ------
    SettingsError
        If there is no pair, or the ending is unknown.
    """
    check_ending(path)
    if not pairs:
        raise SettingsError("picture: expected recordings with label and prediction, found none")
    save(draw_confusion(pairs, title), path)


@styled
def training_curves(log: Mapping[str, Sequence[float]], path: str | Path, *, title: str = "") -> None:
    """Draw objectives, gradient norms and what was measured on validation recordings, over the steps of a run.

    Parameters
    ----------
    log
        The columns of a ``log.csv`` by name, ``step`` among them; NaN where a line has none.
    path
        Ends in .png, .svg or .pdf. An existing file is replaced.

    Raises
    ------
    SettingsError
        If the log has fewer than two lines, or the ending is unknown.
    """
    check_ending(path)
    if len(log["step"]) < 2:
        raise SettingsError(f"picture: expected a log of at least two lines, found {len(log['step'])}")
    save(draw_training([log], title), path)


def draw_confusion(pairs: Sequence[tuple[str, str]], title: str) -> Figure:
    """The figure of `confusion`."""
    classes = sorted({label for pair in pairs for label in pair})
    places = {label: place for place, label in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)))
    for label, predicted in pairs:
        counts[places[label], places[predicted]] += 1
    totals = counts.sum(axis=1, keepdims=True)
    shares = 100 * counts / np.maximum(totals, 1)
    side = min(max(3.0, 0.36 * len(classes)), 14.0)
    figure, ax = one_axes(side + 2.2, side + 1.6)
    ax.grid(visible=False)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
    if len(classes) <= NUMBERED:
        for line, column in np.argwhere(counts > 0):
            color = "white" if shares[line, column] > 55 else "#222222"
            ax.text(column, line, f"{shares[line, column]:.0f}", ha="center", va="center", fontsize=6.5, color=color)
    size = 7 if len(classes) <= 30 else 4
    ax.set_xticks(range(len(classes)), classes, rotation=90, fontsize=size)
    ax.set_yticks(
        range(len(classes)),
        [f"{name} ({int(total)})" for name, total in zip(classes, totals[:, 0], strict=True)],
        fontsize=size,
    )
    ax.set_xlabel("predicted", fontsize=8)
    ax.set_ylabel("label (test recordings)", fontsize=8)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_color("#BBBBBB")
    bar = figure.colorbar(image, ax=ax, shrink=0.6, pad=0.02)
    bar.set_label("% of the class", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    right = 100 * np.trace(counts) / counts.sum()
    titled(figure, f"{title}: {right:.1f} % right")
    return figure


def draw_training(logs: Sequence[Mapping[str, Sequence[float]]], title: str) -> Figure:
    """The figure of `training_curves`, of one or several runs: columns of numbers by name, ``step`` among them."""
    names = list(dict.fromkeys(name for log in logs for name in log if name not in ("step", "epoch", "seconds")))
    gradients = [name for name in names if name.endswith("_gradient")]
    validation = [name for name in names if name.startswith("validation_")]
    objectives = [name for name in names if name not in gradients and name not in validation]
    panels = [
        ("objective", [*objectives, *(name for name in validation if name.endswith("_loss"))]),
        ("gradient norm", gradients),
        ("accuracy on validation recordings", [name for name in validation if name.endswith("accuracy")]),
    ]
    panels = [(label, chosen) for label, chosen in panels if any(_has(log, name) for log in logs for name in chosen)]
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter

    figure = Figure(figsize=(3.9 * max(1, len(panels)), 3.2), dpi=160, facecolor="white", layout="constrained")
    axes = figure.subplots(1, max(1, len(panels)), squeeze=False)[0]
    for ax, (label, chosen) in zip(axes, panels, strict=False):
        for name in chosen:
            network = name.removesuffix("_gradient")
            color = COLOURS[(objectives.index(network) if network in objectives else len(objectives)) % len(COLOURS)]
            style = ("-", "--", ":", "-.")[chosen.index(name) % 4]
            shown = name.removesuffix("_gradient").replace("_", " ")
            for number, log in enumerate(log for log in logs if _has(log, name)):
                steps, values = np.asarray(log["step"], float), np.asarray(log[name], float)
                known = np.isfinite(steps) & np.isfinite(values)
                ax.plot(
                    steps[known],
                    values[known],
                    color=color,
                    linestyle=style,
                    linewidth=1.2 if len(logs) == 1 else 0.9,
                    alpha=1.0 if len(logs) == 1 else 0.75,
                    label=shown if number == 0 else None,
                )
        ax.locator_params(axis="x", integer=True, nbins=6)
        ax.set_xlabel("step", fontsize=8)
        ax.set_ylabel(label, fontsize=8)
        ax.tick_params(labelsize=8)
        ax.grid(axis="y", color=GRID, linewidth=0.8)
        if label == "gradient norm" and any(
            np.nanmax(log[name]) > 0 for log in logs for name in chosen if _has(log, name)
        ):
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.0, 0.4)))
        plain(ax)
        ax.legend(frameon=False, fontsize=7)
    titled(figure, title)
    return figure


def _has(log: Any, name: str) -> bool:
    return name in log and bool(np.isfinite(np.asarray(log[name], float)).any())


def _require_one_protocol(rows: Sequence[Mapping[str, Any]]) -> None:
    for key in ("dataset", "protocol"):
        if len(found := sorted({str(row[key]) for row in rows})) > 1:
            raise SettingsError(f"picture: expected rows of one {key}, found {', '.join(found)}")


def _series(row: Mapping[str, Any]) -> str:
    """What a line of the label curve is called."""
    names = {"raw": "raw coordinates", "random": "untrained encoder"}
    name = names.get(row["method"], str(row["method"]))
    return name if row["method"] == "raw" or not row.get("features") else f"{name}, {row['features']}"
