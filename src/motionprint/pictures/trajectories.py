"""Where joints are over time, and the way of the body seen from above."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motionprint.errors import SettingsError
from motionprint.pictures.charts import COLOURS
from motionprint.pictures.figure import GRID, TEXT, check_ending, plain, save, styled, titled
from motionprint.rigs import mapping
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, some

__all__ = ["trajectories"]

_STYLES = ("-", "--", ":", "-.")
_ENDS = ("wrist_left", "wrist_right", "ankle_left", "ankle_right")
_POINTS = 4000  # of a line at most: more cannot be seen, and make a file large
_MOST = 12  # joints in a picture: more cannot be told apart


@styled
def trajectories(
    sequence: SkeletonSequence, path: str | Path, *, joints: Sequence[str] = (), title: str = "", start: float = 0.0
) -> None:
    """Draw x, y (up) and z of joints over time, in metres, and the root's path from above.

    Parameters
    ----------
    joints
        Which, by name; without them the root, the wrists and the ankles, or the first joints where the names tell of
        none. A missing value is a gap in its line.
    path
        Ends in .png, .svg or .pdf. An existing file is replaced.
    start
        Seconds at the first frame, where the sequence is a part of a recording.

    Raises
    ------
    SettingsError
        If a joint is unknown, there are too many, nothing is there to draw, or the ending is unknown.
    """
    check_ending(path)
    names = sequence.skeleton.joint_names
    chosen = list(dict.fromkeys(joints)) or _usual(sequence)
    for name in chosen:
        if name not in names:
            raise SettingsError(f"{sequence.name}: unknown joint {name!r}: expected some of {some(names, 40)}")
    if len(chosen) > _MOST:
        raise SettingsError(f"picture: expected at most {_MOST} joints, found {len(chosen)}")
    numbers = [names.index(name) for name in chosen]
    root = sequence.positions[:, sequence.skeleton.root]
    if not np.isfinite(sequence.positions[:, numbers]).any():
        raise SettingsError(f"{sequence.name}: picture: expected positions to draw, found only missing values")
    every = 1 + len(sequence) // _POINTS
    seconds = start + np.arange(0, len(sequence), every) / sequence.fps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 5.2), dpi=160, facecolor="white", layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(2.0, 1.0), squeeze=False)[0]
    panels = left.subplots(3, 1, sharex=True)
    for axis, (ax, label) in enumerate(zip(panels, ("x, m", "y (up), m", "z, m"), strict=True)):
        for place, (name, joint) in enumerate(zip(chosen, numbers, strict=True)):
            style, colour = _STYLES[place % len(_STYLES)], COLOURS[place % len(COLOURS)]
            values = sequence.positions[::every, joint, axis]
            ax.plot(seconds, values, color=colour, linestyle=style, linewidth=1.3, label=name)
        ax.set_ylabel(label, fontsize=8)
        ax.tick_params(labelsize=8)
        ax.grid(color=GRID, linewidth=0.8)
        plain(ax)
    panels[2].set_xlabel("time, s", fontsize=8)
    left.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=6, frameon=False, fontsize=8)
    above = right.subplots()
    known = root[np.isfinite(root).all(axis=1)][::every]
    if len(known):
        above.plot(known[:, 0], known[:, 2], color=COLOURS[0], linewidth=1.3)
        above.plot(*known[0, [0, 2]], "o", color=COLOURS[2], label="start")
        above.plot(*known[-1, [0, 2]], "s", color=COLOURS[1], label="end")
        above.legend(frameon=False, fontsize=8)
    # a body that stays where it is gets a floor too, not a path of millimetres
    middle = known[:, [0, 2]].mean(axis=0) if len(known) else np.zeros(2)
    reach = max(0.5, 1.1 * float(np.abs(known[:, [0, 2]] - middle).max(initial=0.0)))
    above.set_xlim(middle[0] - reach, middle[0] + reach)
    above.set_ylim(middle[1] + reach, middle[1] - reach)  # x to the right and y up: z points to the viewer
    above.set_aspect("equal")
    above.set_title(f"from above: {names[sequence.skeleton.root]}", fontsize=9, color=TEXT)
    above.set_xlabel("x, m", fontsize=8)
    above.set_ylabel("z, m", fontsize=8)
    above.tick_params(labelsize=8)
    above.grid(color=GRID, linewidth=0.8)
    plain(above)
    if title:
        titled(figure, title)
    save(figure, path)


def _usual(sequence: SkeletonSequence) -> list[str]:
    """The root, the wrists and the ankles, by the recording's own names."""
    names = sequence.skeleton.joint_names
    found = mapping(sequence, SKELETONS["body14"])
    ends = [max(parts, key=lambda name: parts[name]) for end in _ENDS if (parts := found[end])]
    return list(dict.fromkeys([names[sequence.skeleton.root], *(ends or names[:4])]))
