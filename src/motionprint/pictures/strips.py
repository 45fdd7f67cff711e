"""Pictures of motion and of results, for papers and reports: PNG, SVG or PDF, by the name's ending.

Figures are built without pyplot, so that no window system is asked for and nothing global changes. Colours are those
of Okabe and Ito (2008), which people with colour vision deficiencies can tell apart; line styles say the same again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError
from motionprint.preprocessing.space import rotation_to_front
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "inpainting_strip", "label_curve", "motion_strips"]

FORMATS = (".png", ".svg", ".pdf")
"""The endings that a picture's name may have."""

_BODY, _GHOST, _TRUTH, _FOUND = "#333333", "#C8C8C8", "#0072B2", "#D55E00"
_SERIES = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "os^Dv<>"
_TURN = 40.0  # degrees that the body is turned from facing the viewer
_TEXT = "#444444"

Floats = npt.NDArray[np.floating[Any]]


def inpainting_strip(
    original: Floats,
    hidden: npt.NDArray[np.bool_],
    inpainted: Floats,
    skeleton: Skeleton,
    path: str | Path,
    *,
    fps: float | None = None,
    title: str = "",
    columns: int = 8,
) -> None:
    """Draw a recording, what of it was hidden, and what a model made of it, as three rows of figures over time.

    The body is seen from its front, turned a little. In the third row the whole output of the model is drawn, what was
    hidden coloured, over the original in pale.

    Parameters
    ----------
    original, inpainted
        (T, J, 3) metres, y up. Each figure stands where the original's root is; where the root has been removed, the
        original's lowest joint stands on the floor.
    hidden
        (T, J).
    path
        Ends in .png, .svg or .pdf. An existing file is replaced.
    fps
        Frames/s, for labels in seconds; without it frames are numbered.
    title
        Stands above the figures.
    columns
        Moments to show, evenly spaced from the first frame to the last.

    Raises
    ------
    SettingsError
        If the shapes disagree, nothing is there to draw, or the ending is unknown.
    """
    _check_ending(path)
    shape = (len(original), len(skeleton), 3)
    if original.shape != shape or inpainted.shape != shape or hidden.shape != shape[:2]:
        raise SettingsError(
            f"picture: expected original and inpainted (T, {len(skeleton)}, 3) and hidden (T, {len(skeleton)}), "
            f"found {original.shape}, {inpainted.shape} and {hidden.shape}"
        )
    if len(original) == 0 or columns < 1:
        raise SettingsError(f"picture: expected frames and columns to draw, found {len(original)} and {columns}")
    if fps is not None and not fps > 0:
        raise SettingsError(f"picture: expected a positive frame rate, found {fps}")
    shown = np.unique(np.linspace(0, len(original) - 1, columns).round().astype(int))
    truth, found = _seen(original, inpainted, skeleton)
    truth, found, masks = truth[shown], found[shown], hidden[shown].astype(bool)
    spacing = 1.06 * float(np.nanmax(np.ptp(np.nan_to_num(truth[..., 0]), axis=1), initial=0.3))
    places = spacing * np.arange(len(shown))[:, None, None] * np.array([1.0, 0.0])
    truth, found = truth + places, found + places

    both = np.concatenate([truth, found]).reshape(-1, 2)
    both = both[np.isfinite(both).all(axis=1)]
    if len(both) == 0:
        raise SettingsError("picture: expected positions to draw, found only missing values")
    low, high = both.min(axis=0) - 0.06, both.max(axis=0) + 0.06
    figure, rows = _three_rows(low, high, title)
    parents = skeleton.parents
    for ax in rows:
        ax.plot([low[0], high[0]], [low[1] + 0.05] * 2, color="#E4E4E4", linewidth=0.8, zorder=0)
    for frame, mask in enumerate(masks):
        _bones(rows[0], truth[frame], parents, ~mask, _BODY)
        _bones(rows[0], truth[frame], parents, mask, _TRUTH)
        _bones(rows[1], truth[frame], parents, ~mask, _BODY)
        _bones(rows[1], truth[frame], parents, mask, _TRUTH, linewidth=0.8, linestyle=(0, (1, 2)), alpha=0.6)
        _bones(rows[2], truth[frame], parents, ~mask, _GHOST, linewidth=1.2)
        _bones(rows[2], truth[frame], parents, mask, _TRUTH, linewidth=1.2, alpha=0.55)
        _bones(rows[2], found[frame], parents, ~mask, _BODY)
        _bones(rows[2], found[frame], parents, mask, _FOUND)
        moment = f"frame {shown[frame]}" if fps is None else f"{shown[frame] / fps:.2f} s"
        middle = spacing * frame
        rows[2].text(middle, low[1] - 0.02, moment, ha="center", va="top", fontsize=8, color=_TEXT)
    rows[0].plot([low[0]] * 2, [low[1] + 0.05, low[1] + 0.55], color=_TEXT, linewidth=1.2, solid_capstyle="butt")
    rows[0].text(low[0] + 0.04, low[1] + 0.3, "0.5 m", fontsize=7, color=_TEXT, rotation=90, va="center")
    _legend(figure)
    _save(figure, path)


def motion_strips(
    sequences: Sequence[SkeletonSequence],
    path: str | Path,
    *,
    texts: Sequence[str] | None = None,
    title: str = "",
    columns: int = 8,
) -> None:
    """Draw recordings as rows of figures over time, one row each: a query and what was found, or a group.

    Each body is seen from its front, turned a little, at the moments evenly spaced from its first frame to its last.
    Rows may be of different skeletons, and have a scale each: the tallest figure fills its row.

    Parameters
    ----------
    sequences
        One for each row; missing joints are left out.
    path
        Ends in .png, .svg or .pdf. An existing file is replaced.
    texts
        What stands beside each row; its name without.
    title
        Stands above the figures.
    columns
        Moments to show of each.

    Raises
    ------
    SettingsError
        If nothing is there to draw, texts and sequences differ in number, or the ending is unknown.
    """
    _check_ending(path)
    if not sequences or columns < 1 or any(len(sequence) == 0 for sequence in sequences):
        raise SettingsError(f"picture: expected sequences with frames and columns, found {len(sequences)}, {columns}")
    names = [sequence.name for sequence in sequences] if texts is None else list(texts)
    if len(names) != len(sequences):
        raise SettingsError(f"picture: expected a text a row, found {len(names)} for {len(sequences)}")
    from matplotlib.figure import Figure

    width, label, height, top = 10.0, 2.0, 1.15, 0.42 if title else 0.1  # inches
    total = top + height * len(sequences) + 0.05
    figure = Figure(figsize=(width, total), dpi=160, facecolor="white")
    for row, (sequence, name) in enumerate(zip(sequences, names, strict=True)):
        base = (total - top - height * (row + 1)) / total
        ax = figure.add_axes((label / width, base, 1 - (label + 0.1) / width, height / total))
        ax.set_axis_off()
        _strip(ax, sequence, columns, (width - label - 0.1) / height)
        figure.text(0.12 / width, base + height / total / 2, name, fontsize=8, color=_TEXT, va="center", wrap=True)
    if title:
        figure.text(0.12 / width, 1 - 0.13 / total, title, fontsize=11, color="black", va="top")
    _save(figure, path)


def _strip(ax: Axes, sequence: SkeletonSequence, columns: int, aspect: float) -> None:
    """One recording as figures side by side, in axes that are ``aspect`` times as wide as high."""
    seen, _ = _seen(sequence.positions, sequence.positions, sequence.skeleton)
    shown = np.unique(np.linspace(0, len(seen) - 1, columns).round().astype(int))
    figures = seen[shown]  # (columns, J, 2)
    there = figures[np.isfinite(figures).all(axis=2)]
    if not len(there):
        raise SettingsError(f"{sequence.name}: picture: expected positions to draw, found only missing values")
    low, high = there[:, 1].min(), there[:, 1].max()
    tall = 1.12 * max(float(high - low), 1e-3)
    spacing = aspect * tall / columns
    centres = np.array([np.nanmean(each[:, 0]) if np.isfinite(each[:, 0]).any() else 0.0 for each in figures])
    ax.set_xlim(-0.5 * spacing, (columns - 0.5) * spacing)
    ax.set_ylim(low - 0.06 * tall, low + 0.94 * tall)
    ax.plot([-0.5 * spacing, (columns - 0.5) * spacing], [low] * 2, color="#E4E4E4", linewidth=0.8, zorder=0)
    everything = np.ones(len(sequence.skeleton), bool)
    for column, (joints, centre) in enumerate(zip(figures, centres, strict=True)):
        joints = joints + np.array([column * spacing - centre, 0.0])
        _bones(ax, joints, sequence.skeleton.parents, everything, _BODY, linewidth=1.4)


def _seen(original: Floats, inpainted: Floats, skeleton: Skeleton) -> tuple[Floats, Floats]:
    """(T, J, 2) each: to the right and up, in metres, from where the viewer stands."""
    truth, found = original.astype(np.float64), inpainted.astype(np.float64)
    root = truth[:, skeleton.root].copy()
    if np.nanmax(np.ptp(root, axis=0), initial=0.0) < 1e-6:
        root[:, 1] = np.nanmin(np.where(np.isnan(truth[..., 1]), np.inf, truth[..., 1]), axis=1)
    else:
        root[:, 1] = 0.0
    turn = np.radians(_TURN)
    view = np.array([[np.cos(turn), 0.0, np.sin(turn)], [0.0, 1.0, 0.0]])  # (2, 3)
    front = rotation_to_front(truth[0], skeleton, "heading")
    if front is not None:
        view = view @ front
    return (truth - root[:, None]) @ view.T, (found - root[:, None]) @ view.T


def _three_rows(low: Floats, high: Floats, title: str) -> tuple[Figure, list[Axes]]:
    """A figure of fixed width whose rows keep metres equal in both directions."""
    from matplotlib.figure import Figure

    width, label, bottom, top = 10.0, 0.95, 0.62, 0.42 if title else 0.1  # inches
    height = (width - label - 0.1) * (high[1] - low[1]) / (high[0] - low[0])
    total = bottom + top + 3 * height
    figure = Figure(figsize=(width, total), dpi=160, facecolor="white")
    rows = []
    for row, name in enumerate(("original", "hidden", "inpainted")):
        left, base = label / width, (bottom + (2 - row) * height) / total
        ax = figure.add_axes((left, base, 1 - left - 0.1 / width, height / total))
        ax.set_xlim(low[0], high[0])
        ax.set_ylim(low[1], high[1])
        ax.set_axis_off()
        figure.text(0.12 / width, base + height / total / 2, name, fontsize=10, color=_TEXT, va="center")
        rows.append(ax)
    if title:
        figure.text(0.12 / width, 1 - 0.13 / total, title, fontsize=11, color="black", va="top")
    return figure, rows


def _bones(
    ax: Axes, joints: Floats, parents: tuple[int, ...], drawn: npt.NDArray[np.bool_], color: str, **style: Any
) -> None:
    """The bones whose lower joints are ``drawn``; one to a missing joint is left out."""
    from matplotlib.collections import LineCollection

    ends = [(joint, parent) for joint, parent in enumerate(parents) if parent != -1 and drawn[joint]]
    lines = [joints[list(pair)] for pair in ends if np.isfinite(joints[list(pair)]).all()]
    style = {"linewidth": 2.0, "capstyle": "round", "joinstyle": "round", **style}
    ax.add_collection(LineCollection(lines, colors=color, **style), autolim=False)


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=_BODY, linewidth=2.0, label="shown"),
        Line2D([], [], color=_TRUTH, linewidth=2.0, label="hidden part, as recorded"),
        Line2D([], [], color=_FOUND, linewidth=2.0, label="hidden part, inpainted"),
        Line2D([], [], color=_GHOST, linewidth=1.2, label="original, behind"),
    ]
    figure.legend(handles=lines, loc="lower center", ncols=4, frameon=False, fontsize=8, labelcolor=_TEXT)


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
    _check_ending(path)
    chosen = [row for row in rows if row["task"] == task and row["metric"] == "accuracy"]
    if not chosen:
        raise SettingsError(f"picture: expected rows of task {task} and metric accuracy, found none")
    for key in ("dataset", "protocol"):
        if len(found := sorted({str(row[key]) for row in chosen})) > 1:
            raise SettingsError(f"picture: expected rows of one {key}, found {', '.join(found)}")
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
    ax.grid(axis="y", color="#E4E4E4", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
    ax.set_title(title or f"{chosen[0]['dataset']}, {chosen[0]['protocol']}", fontsize=10, loc="left")
    _save(figure, path)


def _series(row: Mapping[str, Any]) -> str:
    """What a line of the label curve is called."""
    names = {"raw": "raw coordinates", "random": "untrained encoder"}
    name = names.get(row["method"], str(row["method"]))
    return name if row["method"] == "raw" or not row.get("features") else f"{name}, {row['features']}"


def _check_ending(path: str | Path) -> None:
    if Path(path).suffix.lower() not in FORMATS:
        raise SettingsError(f"{path}: expected a picture's name to end in one of {', '.join(FORMATS)}")


def _save(figure: Figure, path: str | Path) -> None:
    """Write the figure; without the date, so that the same picture is the same file."""
    ending = Path(path).suffix.lower()
    metadata: dict[str, Any] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[ending]
    figure.savefig(path, format=ending[1:], metadata=metadata)
