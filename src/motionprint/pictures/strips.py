"""Stick figures side by side, over time."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError
from motionprint.pictures.bodies import Floats, draw_bones, seen
from motionprint.pictures.figure import GRID, TEXT, check_ending, save, styled
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["inpainting_strip", "motion_strips"]

_BODY, _GHOST, _TRUTH, _FOUND = "#333333", "#C8C8C8", "#0072B2", "#D55E00"
_LETTERS = 27
"""Letters of a row's text on one line: what fits beside the figures."""


@styled
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
    check_ending(path)
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
    truth, found = seen(original, inpainted, skeleton)
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
        ax.plot([low[0], high[0]], [low[1] + 0.05] * 2, color=GRID, linewidth=0.8, zorder=0)
    for frame, mask in enumerate(masks):
        draw_bones(rows[0], truth[frame], parents, ~mask, _BODY)
        draw_bones(rows[0], truth[frame], parents, mask, _TRUTH)
        draw_bones(rows[1], truth[frame], parents, ~mask, _BODY)
        draw_bones(rows[1], truth[frame], parents, mask, _TRUTH, linewidth=0.8, linestyle=(0, (1, 2)), alpha=0.6)
        draw_bones(rows[2], truth[frame], parents, ~mask, _GHOST, linewidth=1.2)
        draw_bones(rows[2], truth[frame], parents, mask, _TRUTH, linewidth=1.2, alpha=0.55)
        draw_bones(rows[2], found[frame], parents, ~mask, _BODY)
        draw_bones(rows[2], found[frame], parents, mask, _FOUND)
        moment = f"frame {shown[frame]}" if fps is None else f"{shown[frame] / fps:.2f} s"
        middle = spacing * frame
        rows[2].text(middle, low[1] - 0.02, moment, ha="center", va="top", fontsize=8, color=TEXT)
    rows[0].plot([low[0]] * 2, [low[1] + 0.05, low[1] + 0.55], color=TEXT, linewidth=1.2, solid_capstyle="butt")
    rows[0].text(low[0] + 0.04, low[1] + 0.3, "0.5 m", fontsize=7, color=TEXT, rotation=90, va="center")
    _legend(figure)
    save(figure, path)


@styled
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
    check_ending(path)
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
        lines = "\n".join(textwrap.fill(line, _LETTERS) for line in name.splitlines())
        figure.text(0.12 / width, base + height / total / 2, lines, fontsize=8, color=TEXT, va="center")
    if title:
        figure.text(0.12 / width, 1 - 0.13 / total, title, fontsize=11, color="black", va="top")
    save(figure, path)


def _strip(ax: Axes, sequence: SkeletonSequence, columns: int, aspect: float) -> None:
    """One recording as figures side by side, in axes that are ``aspect`` times as wide as high."""
    joints_seen, _ = seen(sequence.positions, sequence.positions, sequence.skeleton)
    shown = np.unique(np.linspace(0, len(joints_seen) - 1, columns).round().astype(int))
    figures = joints_seen[shown]  # (columns, J, 2)
    there = figures[np.isfinite(figures).all(axis=2)]
    if not len(there):
        raise SettingsError(f"{sequence.name}: picture: expected positions to draw, found only missing values")
    low, high = there[:, 1].min(), there[:, 1].max()
    tall = 1.12 * max(float(high - low), 1e-3)
    spacing = aspect * tall / columns
    centres = np.array([np.nanmean(each[:, 0]) if np.isfinite(each[:, 0]).any() else 0.0 for each in figures])
    ax.set_xlim(-0.5 * spacing, (columns - 0.5) * spacing)
    ax.set_ylim(low - 0.06 * tall, low + 0.94 * tall)
    ax.plot([-0.5 * spacing, (columns - 0.5) * spacing], [low] * 2, color=GRID, linewidth=0.8, zorder=0)
    everything = np.ones(len(sequence.skeleton), bool)
    for column, (joints, centre) in enumerate(zip(figures, centres, strict=True)):
        joints = joints + np.array([column * spacing - centre, 0.0])
        draw_bones(ax, joints, sequence.skeleton.parents, everything, _BODY, linewidth=1.4)


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
        figure.text(0.12 / width, base + height / total / 2, name, fontsize=10, color=TEXT, va="center")
        rows.append(ax)
    if title:
        figure.text(0.12 / width, 1 - 0.13 / total, title, fontsize=11, color="black", va="top")
    return figure, rows


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=_BODY, linewidth=2.0, label="shown"),
        Line2D([], [], color=_TRUTH, linewidth=2.0, label="hidden part, as recorded"),
        Line2D([], [], color=_FOUND, linewidth=2.0, label="hidden part, inpainted"),
        Line2D([], [], color=_GHOST, linewidth=1.2, label="original, behind"),
    ]
    figure.legend(handles=lines, loc="lower center", ncols=4, frameon=False, fontsize=8, labelcolor=TEXT)
