"""Figures of a report, drawn without pyplot; the same results make the same files.

Colours are those of Okabe and Ito (2008), which people with colour vision deficiencies can tell apart; markers, line
styles or hatches say the same again, for print in grey.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError
from motionprint.experiments.report.reading import Cell
from motionprint.experiments.report.table import Measured, Table
from motionprint.pictures.charts import COLOURS, MARKERS, draw_confusion, draw_training
from motionprint.pictures.figure import GRID, METADATA, one_axes, plain, styled, titled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ENDINGS", "FEWEST", "ablation_bars", "confusion", "draw_map", "label_curve", "map_kinds", "training"]

ENDINGS = ("png", "svg", "pdf")
"""What figures may be written as."""

_STYLES = {"S:": "-", "S+P": "-", "U:": "--"}

MAPPED = 2000
"""Prints of a map at most: what is more is thinned evenly."""
FEWEST = 5
"""Prints of a map at least."""


@styled
def label_curve(table: Table, path: Path, endings: Sequence[str]) -> None:
    """Accuracy against labelled recordings a class, from a table of few labels, with a band of one standard deviation.

    Groups differ by line style: supervised ones are drawn through, unsupervised dashed, untrained dotted.
    """
    places = [place for place, column in enumerate(table.columns) if column.kind is Measured]
    figure, ax = one_axes(7.2, 4.2)
    for number, line in enumerate(table.lines):
        found = [(x, cell) for x, place in enumerate(places) if isinstance(cell := line.cells[place], Measured)]
        if not found:
            continue
        at = np.array([x for x, _ in found])
        mean = np.array([cell.mean for _, cell in found])
        sd = np.array([cell.sd or 0.0 for _, cell in found])
        color, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        style = next((each for start, each in _STYLES.items() if line.group.startswith(start)), ":")
        short = line.group.split(":")[0]
        name = f"{short}: {line.name}" if style != ":" else line.name
        ax.fill_between(at, mean - sd, mean + sd, color=color, alpha=0.1, linewidth=0)
        ax.plot(at, mean, color=color, marker=marker, markersize=5, linewidth=1.6, linestyle=style, label=name)
    heads = [table.columns[place].block for place in places]
    ax.set_xticks(range(len(places)), [head.removesuffix(" a class").removesuffix(" labels") for head in heads])
    ax.set_xlabel("labelled recordings a class")
    ax.set_ylabel("accuracy, %")
    ax.set_title(table.title.split("accuracy, %, ")[-1], fontsize=10, loc="left")
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=3.5)
    _save(figure, path, endings)


@styled
def ablation_bars(table: Table, path: Path, endings: Sequence[str]) -> None:
    """A panel a metric of an ablation table, a bar a setting, with one standard deviation to either side."""
    metrics = [
        (place, column)
        for place, column in enumerate(table.columns)
        if column.kind is Measured and not column.block.endswith("cm")
    ]
    names = [
        f"{line.group}: {line.name}" if len({each.group for each in table.lines}) > 1 else line.name
        for line in table.lines
    ]
    from matplotlib.figure import Figure

    height = 1.1 + 0.27 * len(names)
    figure = Figure(figsize=(3.0 + 2.1 * len(metrics), height), dpi=160, facecolor="white", layout="constrained")
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for number, (ax, (place, column)) in enumerate(zip(panels, metrics, strict=True)):
        found = [(y, cell) for y, line in enumerate(table.lines) if isinstance(cell := line.cells[place], Measured)]
        values, spread = [cell.mean for _, cell in found], [cell.sd or 0.0 for _, cell in found]
        ax.barh(
            [y for y, _ in found],
            values,
            xerr=[sd or float("nan") for sd in spread],  # no bar of nothing
            height=0.62,
            color="#E69F00" if column.block.startswith("error") else "#56B4E9",
            error_kw={"ecolor": "#222222", "elinewidth": 1.1, "capsize": 2.5},
        )
        low = min(value - 2 * sd for value, sd in zip(values, spread, strict=True))
        high = max(value + sd for value, sd in zip(values, spread, strict=True))
        ax.set_xlim(0, 1.05 * high if low > 0 else None)
        ax.locator_params(axis="x", nbins=4)
        better = "\n(lower is better)" if column.block.startswith("error") else ""
        ax.set_xlabel(column.block + better, fontsize=8)
        ax.tick_params(labelsize=8, length=0 if number else 3)
        ax.grid(axis="x", color=GRID, linewidth=0.8)
        plain(ax)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    figure.suptitle(table.title, fontsize=10, x=0.01, ha="left")
    _save(figure, path, endings)


# ---- figures of cells --------------------------------------------------------------------------------------------


@styled
def confusion(title: str, pairs: Sequence[tuple[str, str]], path: Path, endings: Sequence[str]) -> None:
    """The confusion matrix of test recordings: a line a class, shares of its recordings in per cent."""
    _save(draw_confusion(pairs, title), path, endings)


@styled
def training(title: str, cells: Sequence[Cell], path: Path, endings: Sequence[str]) -> None:
    """Objectives, gradient norms and what was measured on validation recordings, over the steps; a line a run."""
    _save(draw_training([cell.log.columns for cell in cells if cell.log is not None], title), path, endings)


# ---- maps --------------------------------------------------------------------------------------------------------


def map_kinds() -> list[str]:
    """The projections that can be computed here: t-SNE, and UMAP where umap-learn is installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ImportWarning
            )  # that its parametric kind, which needs TensorFlow, is not there
            importlib.import_module("umap")
    except ImportError:
        return ["t-SNE"]
    return ["t-SNE", "UMAP"]


@styled
def draw_map(kind: str, title: str, prints: Path, path: Path, endings: Sequence[str]) -> None:
    """Prints of test recordings in the plane, by t-SNE or UMAP of standardised prints; a colour and marker a label.

    Raises
    ------
    DatasetError
        If the file holds no prints, or fewer than five.
    """
    from motionprint.evaluation.prints import read_prints

    table, vectors, _ = read_prints(prints)
    if "label" not in table.columns:
        raise DatasetError(f"{prints}: expected a column label, found {', '.join(table.columns)}")
    if len(vectors) < FEWEST or not np.isfinite(vectors).all():
        raise DatasetError(
            f"{prints}: expected at least {FEWEST} prints of finite numbers, found {len(vectors)} prints"
        )
    chosen = np.unique(np.linspace(0, len(vectors) - 1, min(MAPPED, len(vectors))).astype(int))
    labels = ["" if value is None or value != value else str(value) for value in table["label"].iloc[chosen]]
    points = _projected(kind, vectors[chosen].astype(np.float64))
    classes = sorted(set(labels))
    columns = 1 + (len(classes) - 1) // 22
    figure, ax = one_axes(5.0 + 1.7 * columns, 4.8)
    for number, name in enumerate(classes):
        mine = points[[label == name for label in labels]]
        ax.scatter(
            mine[:, 0],
            mine[:, 1],
            s=16,
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[(number + number // len(COLOURS)) % len(MARKERS)],
            linewidths=0,
            alpha=0.8,
            label=name or "no label",
        )
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color("#CCCCCC")
        spine.set_visible(True)
    ax.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), ncols=columns, handletextpad=0.2)
    titled(figure, f"{title}: {kind} of {len(chosen)} prints")
    _save(figure, path, endings)


def _projected(kind: str, vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(N, R) prints to (N, 2); on one thread, whose sums have always the same order."""
    import threadpoolctl
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(vectors)
    with threadpoolctl.threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of UMAP, that a fixed seed means one thread
        if kind == "t-SNE":
            perplexity = min(30.0, (len(vectors) - 1) / 3)
            found = TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1).fit_transform(scaled)
        else:
            umap = importlib.import_module("umap")
            found = umap.UMAP(n_neighbors=min(15, len(vectors) - 1), random_state=0, n_jobs=1).fit_transform(scaled)
    return np.asarray(found, dtype=np.float64)


def _save(figure: Figure, path: Path, endings: Sequence[str]) -> None:
    """Write a figure under its name with each ending."""
    for ending in endings:
        figure.savefig(path.with_name(f"{path.name}.{ending}"), format=ending, metadata=METADATA[ending])
