"""Figures of a report, drawn without pyplot; the same results make the same files.

Colours are those of Okabe and Ito (2008), which people with colour vision deficiencies can tell apart; markers, line
styles or hatches say the same again, for print in grey.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError
from motionprint.experiments.report.reading import Cell
from motionprint.experiments.report.table import Measured, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ENDINGS", "FEWEST", "ablation_bars", "confusion", "draw_map", "label_curve", "map_kinds", "training"]

ENDINGS = ("png", "svg", "pdf")
"""What figures may be written as."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C8C")
MARKERS = "os^Dv<>PX*"
_TEXT, _GRID = "#444444", "#E4E4E4"
_STYLES = {"S:": "-", "S+P": "-", "U:": "--"}

MAPPED = 2000
"""Prints of a map at most: what is more is thinned evenly."""
FEWEST = 5
"""Prints of a map at least."""
NUMBERED = 20
"""Classes up to which a confusion matrix says its numbers."""


Arguments = ParamSpec("Arguments")


def _styled(draw: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Draw with matplotlib's own settings, not the user's, and with every sign of a label as it is, ``$`` too."""

    @functools.wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        import matplotlib

        with matplotlib.rc_context(), warnings.catch_warnings():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update({"svg.hashsalt": "motionprint", "text.parse_math": False})
            warnings.filterwarnings("ignore", message="Glyph .* missing from")  # of labels in other scripts
            draw(*args, **kwargs)

    return drawn


@_styled
def label_curve(table: Table, path: Path, endings: Sequence[str]) -> None:
    """Accuracy against labelled recordings a class, from a table of few labels, with a band of one standard deviation.

    Groups differ by line style: supervised ones are drawn through, unsupervised dashed, untrained dotted.
    """
    places = [place for place, column in enumerate(table.columns) if column.kind is Measured]
    figure, ax = _axes(7.2, 4.2)
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


@_styled
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
        ax.grid(axis="x", color=_GRID, linewidth=0.8)
        _plain(ax)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    figure.suptitle(table.title, fontsize=10, x=0.01, ha="left")
    _save(figure, path, endings)


# ---- figures of cells --------------------------------------------------------------------------------------------


@_styled
def confusion(title: str, pairs: Sequence[tuple[str, str]], path: Path, endings: Sequence[str]) -> None:
    """The confusion matrix of test recordings: a line a class, shares of its recordings in per cent."""
    classes = sorted({label for pair in pairs for label in pair})
    places = {label: place for place, label in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)))
    for label, predicted in pairs:
        counts[places[label], places[predicted]] += 1
    totals = counts.sum(axis=1, keepdims=True)
    shares = 100 * counts / np.maximum(totals, 1)
    side = min(max(3.0, 0.36 * len(classes)), 14.0)
    figure, ax = _axes(side + 2.2, side + 1.6)
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
    _titled(figure, f"{title}: {right:.1f} % right")
    _save(figure, path, endings)


@_styled
def training(title: str, cells: Sequence[Cell], path: Path, endings: Sequence[str]) -> None:
    """Objectives, gradient norms and what was measured on validation recordings, over the steps; a line a run."""
    logs = [cell.log.columns for cell in cells if cell.log is not None]
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
        ax.grid(axis="y", color=_GRID, linewidth=0.8)
        if label == "gradient norm" and any(
            np.nanmax(log[name]) > 0 for log in logs for name in chosen if _has(log, name)
        ):
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.0, 0.4)))
        _plain(ax)
        ax.legend(frameon=False, fontsize=7)
    _titled(figure, title)
    _save(figure, path, endings)


def _has(log: Any, name: str) -> bool:
    return name in log and bool(np.isfinite(np.asarray(log[name], float)).any())


# ---- maps --------------------------------------------------------------------------------------------------------


def map_kinds() -> list[str]:
    """The projections that can be computed here: t-SNE, and UMAP where umap-learn is installed."""
    try:
        importlib.import_module("umap")
    except ImportError:
        return ["t-SNE"]
    return ["t-SNE", "UMAP"]


@_styled
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
    figure, ax = _axes(5.0 + 1.7 * columns, 4.8)
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
    _titled(figure, f"{title}: {kind} of {len(chosen)} prints")
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


# ---- what all figures share --------------------------------------------------------------------------------------


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=160, facecolor="white", layout="constrained")
    ax = figure.add_subplot()
    ax.grid(axis="y", color=_GRID, linewidth=0.8)
    _plain(ax)
    return figure, ax


def _plain(ax: Axes) -> None:
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _titled(figure: Figure, title: str) -> None:
    import textwrap

    width = int(13 * figure.get_size_inches()[0])
    figure.suptitle("\n".join(textwrap.wrap(title, width)), fontsize=9, x=0.01, ha="left", color=_TEXT)


def _save(figure: Figure, path: Path, endings: Sequence[str]) -> None:
    """Write a figure under its name with each ending; without dates, so that the same figure is the same file."""
    metadata: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    for ending in endings:
        figure.savefig(path.with_name(f"{path.name}.{ending}"), format=ending, metadata=metadata[ending])
