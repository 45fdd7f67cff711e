"""The ordered steps from a recording to a network's input, fitted once and kept with the model."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError, SettingsError
from motionprint.preprocessing.quantile import Quantile
from motionprint.preprocessing.space import ALIGNMENTS, Alignment, rotation_to_front
from motionprint.preprocessing.time import read, resample, resample_to, resampled_reading
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

if TYPE_CHECKING:
    from motionprint.store import MotionDataset

__all__ = ["Recipe", "RecipeCounts"]


@dataclass
class RecipeCounts:
    """What a recipe changed or could not do, counted, so that nothing is repaired silently."""

    values: int = 0
    """Numbers that went through."""
    clipped: int = 0
    """Numbers past the fitted range, set to its edge."""
    unaligned: int = 0
    """Sequences that could not be turned: hips or spine missing, coinciding, or one above the other."""
    sequences: int = 0
    """Sequences that went through."""
    windowed: int = 0
    """Recordings so long that they were cut into windows."""
    thinned: int = 0
    """Sequences of which fewer than every fourth resampled frame was read."""

    def add(self, other: RecipeCounts) -> None:
        """Count what another one has counted."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(frozen=True)
class Recipe:
    """Resample, cut, remove the root, turn by the first frame, scale, clip: in this order.

    The same steps with the same numbers run in training, embedding and evaluation, whatever the frame rate of the
    recording. Sources: Zheng et al. 2018, "Implementation details" (15 frames/s, at most 35 frames, values in
    [-1, 1]); what the paper leaves open is listed in docs/methods/inpainting.md.
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
    """The share of absolute training coordinates that lie within [-1, 1]."""
    scale: float = 0.0
    """Metres that become 1; 0 until fitted."""
    root_scale: float = 0.0
    """Metres of the root's path that become 1; 0 until fitted."""

    def __post_init__(self) -> None:
        if self.alignment not in ALIGNMENTS:
            raise SettingsError(f"unknown alignment {self.alignment!r}: expected one of {', '.join(ALIGNMENTS)}")
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

    @property
    def inputs(self) -> int:
        """D: numbers a frame."""
        return 3 * len(self.skeleton) + (3 if self.root_path else 0)

    def fit(self, sequences: Iterable[SkeletonSequence] | MotionDataset) -> Recipe:
        """This recipe with its scale fitted to training recordings: one for all, robust against single wild values.

        Recordings of a data set or a list are read one after another, those with the largest values twice; none is
        held. What can be walked through only once is held.

        Raises
        ------
        DatasetError
            If there is nothing to fit on, or values are missing (their number is named).
        """
        quantiles = (Quantile(self.quantile), Quantile(self.quantile))  # of the body, and of the root's path
        largest = array("f")  # of both in each recording
        missing = 0
        incomplete: list[str] = []
        recordings = cast(
            "Sequence[SkeletonSequence]", sequences if hasattr(sequences, "__getitem__") else list(sequences)
        )
        for number in range(len(recordings)):
            sequence = recordings[number]
            holes = int(np.isnan(sequence.positions).sum())
            if holes:
                missing += holes
                incomplete.append(sequence.name or f"recording {number}")
            for quantile, values in zip(quantiles, self._distances(sequence), strict=True):
                largest.append(quantile.count(values))
        if missing:
            more = ", ..." if len(incomplete) > 3 else ""
            raise DatasetError(
                f"expected complete recordings, found {missing} missing values (NaN) in {len(incomplete)} recordings "
                f"({', '.join(incomplete[:3])}{more})"
            )
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
        body = np.concatenate([body.ravel() for body, _, _ in turned])
        path = np.concatenate([path.ravel() for _, path, _ in turned])
        return np.abs(body).astype(np.float32), np.abs(path).astype(np.float32)

    def pieces(self, sequence: SkeletonSequence) -> list[tuple[int, int]]:
        """The frame ranges [start, end) read as sequences of their own: one, or windows of a long recording."""
        return self._cut(len(sequence), sequence.fps)

    def count_frames(self, length: int, fps: float) -> int:
        """How many frames ``apply`` makes of all pieces of a recording of ``length`` frames at ``fps``."""
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
        """One recording, or the frame range ``piece`` of it, as a network's input (T, D) in [-1, 1].

        ``frames`` resamples to that many frames instead of sub-sampling (for raw coordinates).

        Raises
        ------
        SkeletonMismatchError
            If the recording has other joints, naming those that differ.
        DatasetError
            If it has no frame.
        SettingsError
            If the recipe has not been fitted.
        """
        if not self.scale > 0:
            raise SettingsError("this recipe has not been fitted: call fit first")
        body, path, aligned = self._in_metres(sequence, piece or (0, len(sequence)), frames)
        values = (body / self.scale).reshape(len(body), -1)  # (T, 3 J)
        if self.root_path:
            values = np.concatenate([values, path / self.root_scale], axis=1)  # (T, D)
        if counts is not None:
            counts.sequences += 1
            counts.unaligned += not aligned
            counts.values += values.size
            counts.clipped += int(np.count_nonzero(np.abs(values) > 1))
            start, end = piece or (0, len(sequence))
            counts.thinned += (end - start) * self.fps / sequence.fps > 4 * len(body) + 4
        np.maximum(values, -1, out=values)
        np.minimum(values, 1, out=values)
        return values.astype(np.float32)

    def _in_metres(
        self, sequence: SkeletonSequence, piece: tuple[int, int], frames: int | None = None
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], bool]:
        """(T, J, 3) around the root and turned, the root's path (T, 3) turned alike, whether turning was possible."""
        name = sequence.name or "sequence"
        self.skeleton.require_same(sequence.skeleton, name)
        if piece[0] >= piece[1]:
            raise DatasetError(f"{name}: expected at least one frame, found none")
        recorded = sequence.positions[piece[0] : piece[1]]
        if frames:
            positions = resample_to(resample(recorded, sequence.fps, self.fps), frames)
        else:  # only the frames that are read in the end are interpolated at all
            positions = read(recorded, resampled_reading(len(recorded), sequence.fps, self.fps, self.max_length))
        root = positions[:, self.skeleton.root]
        body = positions - root[:, None]
        path = root - root[:1]
        rotation = rotation_to_front(positions[0], self.skeleton, self.alignment)
        if rotation is None:
            return body, path, False
        return body @ rotation.T, path @ rotation.T, True

    def to_dict(self) -> dict[str, Any]:
        """All fields but the skeleton as plain values."""
        return {name: value for name, value in asdict(self).items() if name != "skeleton"}

    @classmethod
    def from_dict(cls, table: dict[str, Any], skeleton: Skeleton) -> Recipe:
        """The inverse of ``to_dict``."""
        return cls(skeleton, **table)


def _resampled(length: int, fps: float, target_fps: float) -> int:
    """Frames that `resample` makes of ``length`` frames."""
    return int((length - 1) * target_fps / fps + 1e-6) + 1
