"""Filling gaps with a network: a run of the preset ``repair``, over windows of a recording of any length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.batches import pack
from motionprint.errors import DatasetError, SettingsError
from motionprint.methods import Inpainting
from motionprint.preprocessing import Recipe
from motionprint.preprocessing.gaps import first_complete, follow
from motionprint.preprocessing.space import rotation_to_front
from motionprint.preprocessing.time import at_times, resampled_times
from motionprint.progress import Report
from motionprint.repair.gaps import find_gaps, missing
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton
from motionprint.training import Run
from motionprint.training.run import SHIPPED_PREFIX

__all__ = ["fill", "require_repairer", "root_path"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

BATCH = 64
"""Windows that are worked on at once."""

OVERLAP = 4
"""Windows that each frame lies in: where its gap is cut by the edge of one, it lies well within another."""

CUT = 1e-3
"""How much a window counts where it cuts a gap, against one that sees both edges of it."""

SLOWEST = 1.0
"""Frames/s of the slowest recording that a network fills: brought to its frame rate, a slower one has no end."""

NEIGHBOURS = 3
"""Joints that a missing root is placed by, at most."""


def require_repairer(run: Run) -> Inpainting:
    """The method of a run that was trained to repair.

    Raises
    ------
    SettingsError
        If the run was trained for something else: the text says how to train one.
    """
    where = "the run" if run.folder is None else f"{SHIPPED_PREFIX}{run.folder.name}" if run.shipped else run.folder
    method = run.method
    if not isinstance(method, Inpainting) or not method.settings.gaps:
        found = f"{run.config['method']}, preset {run.config['preset']}"
        raise SettingsError(
            f"{where}: expected a run that was trained to repair (motionprint pretrain DATASET --preset repair), "
            f"found one of {found}, which has never seen a gap"
        )
    if run.recipe.scaling != "set":
        raise SettingsError(f"{where}: expected the recipe to scale by the set, found scaling {run.recipe.scaling!r}")
    return method


def fill(run: Run, sequence: SkeletonSequence, report: Report | None = None) -> Floats:
    """Positions (T, J, 3) in metres without NaN: what is missing, as a network tells it from all that is recorded.

    The network reads windows of the length that it was trained with, at the frame rate that it was trained with, each
    frame in several of them; what it says counts the more, the further a frame lies from the edges of a window, and
    next to nothing where a window cuts a gap that another one sees both edges of. It tells how far a joint leaves a
    bridge, which lies beside the nearest joint that is recorded, between the frames in which it is recorded itself; a
    recording of another frame rate gets the same, read between its frames. What lies at a missing value changes
    nothing.

    A root that is missing while other joints are recorded is placed by those near it; where nothing is recorded, the
    network tells its path too.

    Raises
    ------
    SettingsError
        If the run was not trained to repair.
    SkeletonMismatchError
        If the recording has other joints than the run.
    DatasetError
        If the root is recorded in no frame, or the recording has less than one frame/s.
    """
    method = require_repairer(run)
    recipe, skeleton = run.recipe, run.skeleton
    skeleton.require_same(sequence.skeleton, sequence.name or "sequence")
    if sequence.fps < SLOWEST:
        raise DatasetError(
            f"{sequence.name or 'sequence'}: expected at least {SLOWEST:g} frame/s for a network to fill gaps, "
            f"found {sequence.fps:g}"
        )
    gone = missing(sequence.positions)
    positions = np.where(gone[..., None], np.nan, sequence.positions.astype(np.float64))
    root = root_path(positions, skeleton, sequence.name)
    times = resampled_times(len(positions), sequence.fps, recipe.fps)
    grid = _Grid(recipe, at_times(positions, times), at_times(root, times))
    moved, path = grid.corrections(_windows(run, method, grid, report))
    body = _on_lines(positions - root[:, None])
    frames = np.arange(len(positions))
    filled = body + _between(frames, times, moved) + (root + _between(frames, times, path))[:, None]
    return np.asarray(np.where(gone[..., None], filled, positions))


def root_path(positions: Floats, skeleton: Skeleton, name: str = "") -> Floats:
    """(T, 3) the root in every frame: recorded, or placed by joints near it, or else on a line.

    A gap of the root is filled by up to three joints that are recorded throughout it and on its edges, those nearest to
    the root in the skeleton: where they are, and how the root lies to them on the edges, on a line in between.

    Raises
    ------
    DatasetError
        If it is recorded in no frame of (T, J, 3).
    """
    number = skeleton.root
    path = follow(positions[:, number])
    if path is None:
        raise DatasetError(
            f"{name or 'sequence'}: expected the root joint {skeleton.joint_names[number]} in at least one frame, "
            f"found it missing in all {len(positions)}"
        )
    gone = missing(positions)
    near = sorted((len(skeleton.ancestors(joint)), joint) for joint in range(len(skeleton)) if joint != number)
    for gap in find_gaps(gone[:, [number]]):
        rows = slice(max(0, gap.start - 1), min(len(positions), gap.end + 1))
        joints = [joint for _, joint in near if not gone[rows, joint].any()][:NEIGHBOURS]
        if joints:
            to_root = _on_lines(positions[rows, number, None] - positions[rows][:, joints])
            placed = (positions[rows][:, joints] + to_root).mean(axis=1)
            path[rows] = np.where(gone[rows, number, None], placed, path[rows])
    return path


def _on_lines(points: Floats) -> Floats:
    """(T, J, 3) with every gap on a line, at rest before and after; zero where a joint is never recorded."""
    lines = [follow(points[:, joint]) for joint in range(points.shape[1])]
    return np.stack([np.zeros((len(points), 3)) if each is None else each for each in lines], axis=1)


def _between(frames: npt.NDArray[Any], times: Floats, values: Floats) -> Floats:
    """(T, ...) values (S, ...) of some times, read on a line at the numbers of frames; after the last, at rest."""
    flat = values.reshape(len(values), -1)
    found = [np.interp(frames, times, column) for column in flat.T]
    return np.stack(found, axis=1).reshape(len(frames), *values.shape[1:])


class _Grid:
    """A recording at the frame rate of a run, and what a network makes of windows of it."""

    def __init__(self, recipe: Recipe, positions: Floats, root: Floats) -> None:
        self.recipe = recipe
        self.root = root
        """(S, 3) metres, complete."""
        self.body = positions - root[:, None]
        """(S, J, 3) metres around the root, NaN where missing."""
        self.lines = _on_lines(self.body)
        """The same, gaps on lines."""
        self.gone: Mask = missing(positions)
        self.blank: Mask = np.asarray(self.gone.all(axis=1))
        """(S,) frames in which nothing is recorded."""

    def windows(self) -> list[tuple[int, int]]:
        """The frame ranges in which something is missing and something recorded."""
        length, frames = self.recipe.window, len(self.body)
        last = max(0, frames - length)
        starts = sorted({*range(0, last, max(1, length // OVERLAP)), last})
        ranges = [(start, min(frames, start + length)) for start in starts]
        return [each for each in ranges if self.gone[slice(*each)].any() and not self.gone[slice(*each)].all()]

    def turn(self, start: int, end: int) -> Floats:
        """(3, 3) the rotation that turns a window to the front, as the recipe turns a sequence."""
        recipe = self.recipe
        at = start + first_complete(self.body[start:end], recipe.turned_by)
        found = rotation_to_front(self.lines[at], recipe.skeleton, recipe.alignment)
        return np.eye(3) if found is None else found

    def read(self, window: tuple[int, int]) -> npt.NDArray[np.float32]:
        """(T, D) what the network reads of a window, NaN where missing; not clipped: lines are drawn through it."""
        rows = slice(*window)
        turn = self.turn(*window)
        values = (self.body[rows] @ turn.T / self.recipe.scale).reshape(window[1] - window[0], -1)
        if self.recipe.root_path:
            path = (self.root[rows] - self.root[window[0]]) @ turn.T / self.recipe.root_scale
            path[self.blank[rows]] = np.nan
            values = np.concatenate([values, path], axis=1)
        return values.astype(np.float32)

    def corrections(self, found: Sequence[tuple[tuple[int, int], npt.NDArray[np.float32]]]) -> tuple[Floats, Floats]:
        """How far from lines what is missing lies: joints (S, J, 3) around the root, and the root (S, 3), in metres.

        ``found`` has windows and what a network wrote for them (T, D). In frames that no window tells of, since it
        would see nothing, the distance lies on a line between those on both sides. The root as a joint is at zero, in
        training too, and where it really is others tell: what the network writes for that joint moves nothing.
        """
        body, root = np.zeros_like(self.lines), np.zeros_like(self.root)
        weights, root_weights = np.zeros(body.shape[:2]), np.zeros(len(root))
        for (start, end), values in found:
            turn, rows = self.turn(start, end), slice(start, end)
            inner = np.minimum(np.arange(1, end - start + 1), np.arange(end - start, 0, -1)).astype(np.float64)
            weight = inner[:, None] * np.where(_within(~self.gone[rows]), 1, CUT)  # (T, J)
            metres = values[:, : 3 * body.shape[1]].astype(np.float64).reshape(*weight.shape, 3)
            body[rows] += weight[..., None] * (metres * self.recipe.scale @ turn - self.lines[rows])
            weights[rows] += weight
            if self.recipe.root_path:
                weight = inner * np.where(_within(~self.blank[rows, None])[:, 0], 1, CUT)
                path = values[:, -3:].astype(np.float64) * self.recipe.root_scale @ turn
                root[rows] += weight[:, None] * (path + self.root[start] - self.root[rows])
                root_weights[rows] += weight
        body = _on_lines(body / np.where(weights > 0, weights, np.nan)[..., None])
        root = _on_lines((root / np.where(root_weights > 0, root_weights, np.nan)[:, None])[:, None])[:, 0]
        body[:, self.recipe.skeleton.root] = 0
        return np.where(self.gone[..., None], body, 0), np.where(self.blank[:, None], root, 0)


def _within(known: Mask) -> Mask:
    """(T, J) whether a joint is known both before (or in) and after a frame."""
    before = np.logical_or.accumulate(known, axis=0)
    return np.asarray(before & np.logical_or.accumulate(known[::-1], axis=0)[::-1])


def _windows(
    run: Run, method: Inpainting, grid: _Grid, report: Report | None
) -> list[tuple[tuple[int, int], npt.NDArray[np.float32]]]:
    """Windows of a recording and what the network makes of each (T, D)."""
    import torch

    windows = grid.windows()
    found = []
    for first in range(0, len(windows), BATCH):
        chosen = windows[first : first + BATCH]
        batch, order = pack([grid.read(window) for window in chosen], device=run.device)
        with torch.no_grad():
            prints = method.encode(batch.seen, batch.packing)["F"]  # of what is recorded: nothing else is there
            rows = method.inpaint(batch, prints).cpu().numpy()  # (rows, D)
        _, sequence = batch.packing.of_row
        found += [(chosen[number], rows[sequence == place]) for place, number in enumerate(order.tolist())]
        if report is not None:
            report(len(found), len(windows), "windows")
    return found
