"""The ordered steps from a recording to a network's input, fitted once and kept with the model."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError, SettingsError
from motionprint.preprocessing.gaps import fill_gaps, first_complete, follow, recorded_joints
from motionprint.preprocessing.quantile import Quantile
from motionprint.preprocessing.space import ALIGNMENTS, Alignment, rotation_to_front
from motionprint.preprocessing.time import read, resample, resample_to, resampled_reading
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

if TYPE_CHECKING:
    from motionprint.store import MotionDataset

__all__ = ["SCALINGS", "Prepared", "Recipe", "RecipeCounts", "Scaling", "recorded_ranges"]

Scaling = Literal["set", "sequence", "axes"]
SCALINGS: tuple[Scaling, ...] = get_args(Scaling)

_NO_EXTENT = 1e-5
"""The share of the set's scale below which a sequence's own extent is rounding: it is not blown up to 1."""


@dataclass
class RecipeCounts:
    """What a recipe changed or could not do, counted, so that nothing is repaired silently."""

    values: int = 0
    """Numbers that went through."""
    clipped: int = 0
    """Numbers past the fitted range, set to its edge."""
    unaligned: int = 0
    """Sequences that could not be turned: hips or spine never recorded, coinciding, or one above the other."""
    sequences: int = 0
    """Sequences that went through."""
    windowed: int = 0
    """Recordings so long that they were cut into windows."""
    thinned: int = 0
    """Sequences of which fewer than every fourth resampled frame was read."""
    incomplete: int = 0
    """Recordings with missing values."""
    missing: int = 0
    """Numbers that went through as missing."""
    filled: int = 0
    """Numbers that were missing and were filled, in gaps short enough for it."""
    rootless: int = 0
    """Frames without a root: it was taken to be where the frames beside them have it."""
    blank: int = 0
    """Windows of long recordings in which nothing was recorded: they were left out."""

    def add(self, other: RecipeCounts) -> None:
        """Count what another one has counted."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(frozen=True)
class Recipe:
    """Fill gaps, resample, cut, remove the root, turn by the first frame, scale, clip: in this order.

    The same steps with the same numbers run in training, embedding and evaluation, whatever the frame rate of the
    recording. Missing values (NaN) stay missing, but for gaps that `fill_gaps` allows to fill; they take no part in any
    step. A joint that lacks one coordinate is missing. A frame without a root is centred where the recorded frames
    beside it have the root, and a sequence is turned by the first frame that has the joints it takes. A window of a
    long recording is a sequence of its own: turned by its own first frame and, where `scaling` is not of the set,
    scaled by its own extent, so that its input does not depend on what else was recorded. Sources:
    Zheng et al. 2018, "Implementation details" (15 frames/s, at most 35 frames, values in [-1, 1]); what the paper
    leaves open is listed in docs/methods/inpainting.md.
    """

    skeleton: Skeleton
    """The joints that the model knows; another skeleton is refused."""
    alignment: Alignment = "heading"
    """none, heading (about the vertical, by the hips) or body (all three axes, by hips and spine)."""
    fps: float = 15.0
    """Frames/s that every recording is resampled to."""
    max_length: int | None = 35
    """Frames that a recording is sub-sampled to at most, after resampling; none keeps its length."""
    window_over: int = 140
    """Frames (after resampling) above which a recording is cut into windows instead of being sub-sampled."""
    window: int = 35
    """Frames (after resampling) of one such window."""
    root_path: bool = False
    """Whether the root's path, from its first position, is three more inputs."""
    quantile: float = 0.999
    """The share of absolute coordinates that lie within [-1, 1]: of all training ones, or of each sequence's own."""
    scaling: Scaling = "set"
    """set (one scale for all), sequence (each by its own quantile) or axes (each by its largest x, y and z)."""
    fill_gaps: float = 0.0
    """Seconds up to which a joint's missing frames are filled, on a line between the recorded ones; 0 fills none."""
    scale: float = 0.0
    """Metres that become 1 (with another `scaling`, only where a sequence has no extent); 0 until fitted."""
    root_scale: float = 0.0
    """Metres of the root's path that become 1, whatever the `scaling`; 0 until fitted."""

    def __post_init__(self) -> None:
        if self.alignment not in ALIGNMENTS:
            raise SettingsError(f"unknown alignment {self.alignment!r}: expected one of {', '.join(ALIGNMENTS)}")
        if self.scaling not in SCALINGS:
            raise SettingsError(f"unknown scaling {self.scaling!r}: expected one of {', '.join(SCALINGS)}")
        if not self.fps > 0:
            raise SettingsError(f"expected fps above 0, found {self.fps:g}")
        if self.max_length is not None and self.max_length < 2:
            raise SettingsError(f"expected max_length of at least 2 frames, found {self.max_length}")
        if self.window < 2 or self.window_over < self.window:
            raise SettingsError(
                f"expected window_over >= window >= 2 frames, found {self.window_over} and {self.window}"
            )
        if not 0 < self.quantile <= 1:
            raise SettingsError(f"expected a quantile in (0, 1], found {self.quantile:g}")
        if not 0 <= self.fill_gaps < np.inf:
            raise SettingsError(f"expected fill_gaps of at least 0 s, found {self.fill_gaps:g}")

    @property
    def inputs(self) -> int:
        """D: numbers a frame."""
        return 3 * len(self.skeleton) + (3 if self.root_path else 0)

    def fit(self, sequences: Iterable[SkeletonSequence] | MotionDataset) -> Recipe:
        """This recipe with its scale fitted to training recordings: one for all, robust against single wild values.

        Recordings of a data set or a list are read one after another, those with the largest values twice; none is
        held. What can be walked through only once is held.

        Missing values take no part in it.

        Raises
        ------
        DatasetError
            If there is nothing to fit on, or a recording has no recorded joint, or no root, in any frame.
        """
        quantiles = (Quantile(self.quantile), Quantile(self.quantile))  # of the body, and of the root's path
        largest = array("f")  # of both in each recording
        recordings = cast(
            "Sequence[SkeletonSequence]", sequences if hasattr(sequences, "__getitem__") else list(sequences)
        )
        for number in range(len(recordings)):
            for quantile, values in zip(quantiles, self._distances(recordings[number]), strict=True):
                largest.append(quantile.count(values))
        if not largest:
            raise DatasetError("expected at least one training recording, found none")
        least = [quantile.narrow() for quantile in quantiles]
        again = (np.frombuffer(largest, np.float32).reshape(-1, 2) >= least).any(axis=1)
        for number in np.flatnonzero(again).tolist():
            for quantile, values in zip(quantiles, self._distances(recordings[number]), strict=True):
                quantile.refine(values)
        scale, root_scale = (quantile.value for quantile in quantiles)
        if not scale > 0:
            raise DatasetError("expected joints away from the root, found every joint at the root in every frame")
        return replace(self, scale=scale, root_scale=root_scale if root_scale > 0 else 1.0)

    def _distances(self, sequence: SkeletonSequence) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """All absolute coordinates of a recording's pieces, and those of the root's path."""
        turned = [self._in_metres(sequence, piece) for piece in self.pieces(sequence)]
        body = np.concatenate([each.body.ravel() for each in turned])
        path = np.concatenate([each.path.ravel() for each in turned])
        found = np.abs(body).astype(np.float32), np.abs(path).astype(np.float32)
        return found if not np.isnan(found[0].max()) else (found[0][~np.isnan(found[0])], found[1][~np.isnan(found[1])])

    def pieces(self, sequence: SkeletonSequence, counts: RecipeCounts | None = None) -> list[tuple[int, int]]:
        """The frame ranges [start, end) read as sequences of their own: one, or windows of a long recording.

        Raises
        ------
        DatasetError
            If all values are missing.
        """
        ranges = self._cut(len(sequence), sequence.fps)
        if counts is not None:
            counts.windowed += len(ranges) > 1
        return recorded_ranges(sequence, ranges, counts)

    def count_frames(self, length: int, fps: float) -> int:
        """How many frames ``apply`` makes of all pieces of a recording of ``length`` frames at ``fps``, at most."""
        counts = [_resampled(end - start, fps, self.fps) for start, end in self._cut(length, fps)]
        if self.max_length is None:
            return sum(counts)
        return sum(-(-count // -(-count // self.max_length)) for count in counts)

    def _cut(self, length: int, fps: float) -> list[tuple[int, int]]:
        resampled = _resampled(length, fps, self.fps)
        if resampled <= self.window_over:
            return [(0, length)]
        count = min(-(-resampled // self.window), max(1, length // 2))  # no piece without a second frame
        edges = np.linspace(0, length, count + 1).round().astype(int)
        return [(int(start), int(end)) for start, end in pairwise(edges)]

    def apply(
        self,
        sequence: SkeletonSequence,
        piece: tuple[int, int] | None = None,
        counts: RecipeCounts | None = None,
        frames: int | None = None,
    ) -> npt.NDArray[np.float32]:
        """One recording, or the frame range ``piece`` of it, as a network's input (T, D) in [-1, 1], NaN where missing.

        ``frames`` resamples to that many frames instead of sub-sampling (for raw coordinates).

        Raises
        ------
        SkeletonMismatchError
            If the recording has other joints, naming those that differ.
        DatasetError
            If it has no frame, or the root is missing in all frames.
        SettingsError
            If the recipe has not been fitted.
        """
        return self.prepare(sequence, piece, counts, frames).values

    def prepare(
        self,
        sequence: SkeletonSequence,
        piece: tuple[int, int] | None = None,
        counts: RecipeCounts | None = None,
        frames: int | None = None,
    ) -> Prepared:
        """What `apply` gives, with the metres that became 1; the same parameters and errors."""
        if not self.scale > 0:
            raise SettingsError("this recipe has not been fitted: call fit first")
        start, end = piece or (0, len(sequence))
        body, path, aligned, filled, rootless = self._in_metres(sequence, (start, end), frames)
        metres = self._metres(body)
        values = (body / metres).reshape(len(body), -1)  # (T, 3 J)
        if self.root_path:
            values = np.concatenate([values, path / self.root_scale], axis=1)  # (T, D)
        if counts is not None:
            counts.sequences += 1
            counts.unaligned += not aligned
            counts.values += values.size
            counts.clipped += int(np.count_nonzero(np.abs(values) > 1))
            counts.missing += int(np.isnan(values).sum())
            counts.filled += filled
            counts.rootless += rootless
            counts.thinned += (end - start) * self.fps / sequence.fps > 4 * len(body) + 4
        np.maximum(values, -1, out=values)
        np.minimum(values, 1, out=values)
        return Prepared(values.astype(np.float32), metres)

    def _metres(self, body: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(3,) the metres by x, y and z that become 1 in a sequence (T, J, 3), NaN where missing."""
        if self.scaling == "set":
            return np.full(3, self.scale)
        sizes = np.abs(body).reshape(-1, 3)
        sizes = sizes[~np.isnan(sizes).any(axis=1)]  # (recorded joints, 3)
        if self.scaling == "axes":
            extent = sizes.max(axis=0, initial=0.0)
        else:
            extent = np.full(3, np.quantile(sizes, self.quantile) if len(sizes) else 0.0)
        return np.where(extent > _NO_EXTENT * self.scale, extent, self.scale)

    def _in_metres(self, sequence: SkeletonSequence, piece: tuple[int, int], frames: int | None = None) -> _InMetres:
        name = sequence.name or "sequence"
        self.skeleton.require_same(sequence.skeleton, name)
        if piece[0] >= piece[1]:
            raise DatasetError(f"{name}: expected at least one frame, found none")
        recorded = sequence.positions[piece[0] : piece[1]]

        def in_time(points: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
            if frames:
                return resample_to(resample(points, sequence.fps, self.fps), frames)
            # only the frames that are read in the end are interpolated at all
            return read(points, resampled_reading(len(points), sequence.fps, self.fps, self.max_length))

        positions = in_time(recorded)
        root, front = positions[:, self.skeleton.root], positions[0]
        filled = rootless = 0
        if incomplete := bool(np.isnan(positions.min())):
            missing = np.count_nonzero(~recorded_joints(positions))
            recorded = self._filled(sequence, piece)
            positions = in_time(recorded)
            filled = 3 * int(missing - np.count_nonzero(~recorded_joints(positions)))
            rootless = int(np.isnan(positions[:, self.skeleton.root, 0]).sum())
            root = in_time(self._root(sequence, piece, recorded))
            front = recorded[first_complete(recorded, self.turned_by)].astype(np.float64)
        body = positions - root[:, None]
        path = root - root[:1]
        if incomplete:
            path[np.isnan(positions[:, self.skeleton.root, 0])] = np.nan
        rotation = rotation_to_front(front, self.skeleton, self.alignment)
        if rotation is None:
            return _InMetres(body, path, False, filled, rootless)
        return _InMetres(body @ rotation.T, path @ rotation.T, True, filled, rootless)

    @property
    def turned_by(self) -> tuple[int, ...]:
        """The joints that say which way a body faces."""
        hips, spine = self.skeleton.hips or (), self.skeleton.spine or ()
        return {"none": (), "heading": (*hips,), "body": (*hips, *spine)}[self.alignment]

    def _filled(self, sequence: SkeletonSequence, piece: tuple[int, int]) -> npt.NDArray[np.floating[Any]]:
        """The recorded frames of a piece, short gaps filled: those at its edges from the frames beyond them."""
        longest = int(self.fill_gaps * sequence.fps + 1e-6)
        first = max(0, piece[0] - longest - 1)
        near = fill_gaps(sequence.positions[first : piece[1] + longest + 1], longest)
        return near[piece[0] - first : piece[1] - first]

    def _root(
        self, sequence: SkeletonSequence, piece: tuple[int, int], recorded: npt.NDArray[np.floating[Any]]
    ) -> npt.NDArray[np.float64]:
        """(T, 3) the root in every recorded frame of a piece."""
        number = self.skeleton.root
        found = follow(recorded[:, number])
        if found is None:  # the nearest that there is
            everywhere = follow(sequence.positions[:, number])
            if everywhere is None:
                raise DatasetError(
                    f"{sequence.name or 'sequence'}: expected the root joint {self.skeleton.joint_names[number]} in at "
                    f"least one frame, found it missing in all {len(sequence)}"
                )
            found = everywhere[piece[0] : piece[1]]
        return found

    def to_dict(self) -> dict[str, Any]:
        """All fields but the skeleton as plain values."""
        return {name: value for name, value in asdict(self).items() if name != "skeleton"}

    @classmethod
    def from_dict(cls, table: dict[str, Any], skeleton: Skeleton) -> Recipe:
        """The inverse of ``to_dict``."""
        return cls(skeleton, **table)


class Prepared(NamedTuple):
    """A sequence as a network reads it, and what that is in metres."""

    values: npt.NDArray[np.float32]
    """(T, D) in [-1, 1], NaN where missing."""
    metres: npt.NDArray[np.float64]
    """(3,) the metres by x, y and z, after turning, that became 1 in the joints' values."""


class _InMetres(NamedTuple):
    """A sequence around its root and turned, in metres."""

    body: npt.NDArray[np.float64]
    """(T, J, 3), NaN where missing."""
    path: npt.NDArray[np.float64]
    """(T, 3) the root from its first position, NaN where missing."""
    aligned: bool
    """Whether turning was possible."""
    filled: int
    """Numbers that gaps were filled with."""
    rootless: int
    """Frames without a recorded root."""


def recorded_ranges(
    sequence: SkeletonSequence, ranges: list[tuple[int, int]], counts: RecipeCounts | None = None
) -> list[tuple[int, int]]:
    """Those of some frame ranges of a recording in which anything was recorded.

    Raises
    ------
    DatasetError
        If it is none of them.
    """
    positions = sequence.positions
    if not positions.size or not np.isnan(positions.min()):  # one pass, where counting takes three
        return ranges
    known = np.asarray(recorded_joints(positions).any(axis=1))  # (T,)
    found = [(start, end) for start, end in ranges if known[start:end].any()]
    if not found:
        raise DatasetError(
            f"{sequence.name or sequence.source or 'sequence'}: expected a joint recorded in at least one frame, "
            "found all values missing (NaN)"
        )
    if counts is not None:
        counts.incomplete += 1
        counts.blank += len(ranges) - len(found)
    return found


def _resampled(length: int, fps: float, target_fps: float) -> int:
    """Frames that `resample` makes of ``length`` frames."""
    return int((length - 1) * target_fps / fps + 1e-6) + 1
