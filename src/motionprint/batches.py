"""Batches of packed frames: which rows belong to which sequence, what is drawn, and what is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_CPU = torch.device("cpu")

__all__ = ["Batch", "Crops", "Packing", "hide_parts", "pack"]


@dataclass(frozen=True)
class Packing:
    """How N sequences of different lengths lie in one table of rows: time-major, the longest first.

    The rows of frame t are those of every sequence that has one; these are always the first sequences.
    """

    lengths: tuple[int, ...]
    """(N,) frames of each sequence, longest first."""
    device: torch.device = _CPU

    @property
    def count(self) -> int:
        """N: the number of sequences."""
        return len(self.lengths)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """(T,) how many sequences have a frame t."""
        lengths = np.asarray(self.lengths)
        return tuple(int(size) for size in (lengths[None, :] > np.arange(lengths[0])[:, None]).sum(1))

    @cached_property
    def batch_sizes(self) -> Tensor:
        """``sizes`` as PyTorch's packed sequences want them."""
        return torch.tensor(self.sizes)

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self.sizes)])[:-1]

    @cached_property
    def of_row(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Frame number and sequence number (rows,) of each row."""
        sizes = np.asarray(self.sizes)
        time = np.repeat(np.arange(len(sizes)), sizes)
        return time, np.arange(len(time)) - self._starts[time]

    @cached_property
    def time(self) -> Tensor:
        """(rows,) the frame number of each row."""
        return torch.from_numpy(self.of_row[0]).to(self.device)

    @cached_property
    def sequence(self) -> Tensor:
        """(rows,) the sequence number of each row."""
        return torch.from_numpy(self.of_row[1]).to(self.device)

    @cached_property
    def last(self) -> Tensor:
        """(N,) the row of each sequence's last frame."""
        lengths = np.asarray(self.lengths)
        return torch.from_numpy(self._starts[lengths - 1] + np.arange(len(lengths))).to(self.device)

    @cached_property
    def reverse(self) -> Tensor:
        """(rows,) for each row, the row of the same sequence mirrored in time."""
        time, sequence = self.of_row
        mirrored = np.asarray(self.lengths)[sequence] - 1 - time
        return torch.from_numpy(self._starts[mirrored] + sequence).to(self.device)

    @cached_property
    def longer(self) -> Packing:
        """The packing of the same sequences with one frame more, which comes first: its rows are the first N."""
        return Packing(tuple(length + 1 for length in self.lengths), self.device)

    def repeated(self, times: int) -> Packing:
        """The packing of every sequence ``times`` times, a sequence's copies side by side."""
        return Packing(tuple(length for length in self.lengths for _ in range(times)), self.device)


@dataclass(frozen=True)
class Batch:
    """N packed sequences, and which of their values are hidden."""

    frames: Tensor
    """(rows, D) values in [-1, 1]."""
    hidden: Tensor
    """(rows, D) True where a value is hidden from the decoder."""
    packing: Packing
    """How the rows are packed."""

    @cached_property
    def frame_weights(self) -> Tensor:
        """(rows,) weights that make a sum over rows the mean over a sequence's frames, then over the sequences."""
        lengths = torch.tensor(self.packing.lengths, dtype=self.frames.dtype, device=self.frames.device)
        return (1 / (lengths * self.packing.count))[self.packing.sequence]


def pack(
    sequences: Sequence[npt.NDArray[np.float32]],
    hidden: npt.NDArray[np.bool_] | None = None,
    device: torch.device | None = None,
) -> tuple[Batch, npt.NDArray[np.intp]]:
    """A batch of sequences (T_i, D) of any lengths, and the order in which it holds them (longest first).

    ``hidden`` (N, D) says which inputs of each sequence are hidden from the second frame on; none by default.
    """
    order = np.argsort([-len(sequence) for sequence in sequences], kind="stable")
    lengths = np.array([len(sequences[i]) for i in order])
    packing = Packing(tuple(lengths.tolist()), device or _CPU)
    padded = np.zeros((lengths[0], len(order), sequences[0].shape[1]), np.float32)
    for place, i in enumerate(order):
        padded[: lengths[place], place] = sequences[i]
    real = np.arange(lengths[0])[:, None] < lengths[None, :]  # (T, N)
    rows = torch.from_numpy(padded[real]).to(packing.device)  # (rows, D)
    if hidden is None:
        mask = torch.zeros_like(rows, dtype=torch.bool)
    else:
        mask = torch.from_numpy(hidden[order]).to(packing.device)[packing.sequence] & (packing.time > 0)[:, None]
    return Batch(rows, mask, packing), order


class Crops:
    """Sub-sequences drawn from training recordings, epoch by epoch, and the body parts that are hidden in each.

    Everything drawn is a function of the seed and the number of the step alone, so that a run can be taken up
    anywhere and gives the same batches. Sources: Zheng et al. 2018, "Implementation details": 25 sub-sequences of 7 to
    35 frames from each recording; a random number of parts hidden, the same in all frames from the second on.
    """

    def __init__(
        self,
        sequences: Sequence[npt.NDArray[np.float32]],
        parts: Sequence[npt.NDArray[np.bool_]],
        *,
        batch_size: int,
        crops: int,
        shortest: int,
        longest: int,
        hidden_parts: int | None,
        seed: int,
    ) -> None:
        self.lengths = np.array([len(sequence) for sequence in sequences])
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)])[:-1]
        self.frames = np.concatenate(list(sequences))  # (sum of T, D)
        self.parts = np.stack(list(parts)) if len(parts) else np.zeros((0, self.frames.shape[1]), bool)  # (P, D)
        self.batch_size = batch_size
        self.crops = crops
        self.shortest = shortest
        self.longest = longest
        self.hidden_parts = hidden_parts
        self.seed = seed
        self._epoch: tuple[int, list[npt.NDArray[np.int64]]] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; the last one may be smaller."""
        return -(-len(self.lengths) * self.crops // self.batch_size)

    def batch(self, step: int, device: torch.device) -> Batch:
        """The batch of a step, counted from 0 over all epochs."""
        drawn = self._drawn(step)
        packing = Packing(tuple(drawn[:, 1].tolist()), device)
        time, sequence = packing.of_row
        frames = torch.from_numpy(self.frames[drawn[sequence, 0] + time]).to(device)
        rng = np.random.default_rng([self.seed, 1, step])
        hidden = hide_parts(self.parts, len(drawn), self.hidden_parts, rng)  # (N, D)
        mask = torch.from_numpy(hidden[sequence] & (time > 0)[:, None]).to(device)
        return Batch(frames, mask, packing)

    def recordings(self, step: int) -> list[int]:
        """The numbers of the sequences that the batch of a step is drawn from, each once."""
        number = np.searchsorted(self.starts, self._drawn(step)[:, 0], side="right") - 1
        return [int(each) for each in np.unique(number)]

    def _drawn(self, step: int) -> npt.NDArray[np.int64]:
        """The sub-sequences (N, 2) of a step's batch: first row, length; longest first."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, self._plan(epoch))
        return self._epoch[1][place]

    def _plan(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        """An epoch's sub-sequences, (N, 2) a batch; batches hold similar lengths and come in random order."""
        rng = np.random.default_rng([self.seed, 0, epoch])
        recording = np.repeat(rng.permutation(len(self.lengths)), self.crops)
        rng.shuffle(recording)
        longest = np.minimum(self.lengths[recording], self.longest)
        length = rng.integers(np.minimum(self.shortest, longest), longest, endpoint=True)
        start = self.starts[recording] + rng.integers(0, self.lengths[recording] - length, endpoint=True)
        drawn = np.stack([start, length], axis=1)
        batches = []
        pool = 16 * self.batch_size  # lengths are sorted within a pool only, so that batches stay mixed
        for first in range(0, len(drawn), pool):
            chunk = drawn[first : first + pool]
            chunk = chunk[np.argsort(-chunk[:, 1], kind="stable")]
            batches += [chunk[i : i + self.batch_size] for i in range(0, len(chunk), self.batch_size)]
        return [batches[i] for i in rng.permutation(len(batches))]


def hide_parts(
    parts: npt.NDArray[np.bool_], count: int, hidden_parts: int | None, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Which inputs (count, D) are hidden: ``hidden_parts`` of the P parts, or 1 to P - 1 with equal chance.

    ``parts`` (P, D) says which inputs belong to each part.
    """
    total = len(parts)
    if not total:  # a method that hides nothing
        return np.zeros((count, parts.shape[1]), bool)
    number = np.full(count, hidden_parts) if hidden_parts is not None else rng.integers(1, total, count)
    rank = np.argsort(rng.random((count, total)), axis=1).argsort(axis=1)  # (count, P)
    chosen = (rank < number[:, None]).astype(np.uint8)
    return (chosen @ parts.astype(np.uint8)).astype(bool)
