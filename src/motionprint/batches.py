"""Batches of packed frames: which rows belong to which sequence, what is drawn, and what is hidden."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from motionprint.preprocessing import Frames

_CPU = torch.device("cpu")

_POOL = 16
"""Batches whose sub-sequences are drawn together and sorted by length."""

_ORDER, _HIDING, _DRAWING, _ENCODER, _GAPS = 0, 1, 2, 3, 4
"""Streams of random numbers: which sequence, which parts are hidden, which of its frames, what the encoder misses, and
where gaps lie."""

__all__ = [
    "Batch",
    "Crops",
    "Hiding",
    "Packing",
    "Part",
    "hide_from_encoder",
    "hide_gaps",
    "hide_parts",
    "pack",
    "together",
]


def _beginning(lengths: Any) -> Any:
    """(N,) zeros: the first frames of sequences of so many frames (N,)."""
    return 0 * lengths


@dataclass(frozen=True)
class Part:
    """Which sequences of a whole packing are held here: the rest of a step's batch is another process's."""

    whole: Packing
    """The packing of all sequences of the step."""
    sequences: tuple[int, ...]
    """(N,) the numbers there of the sequences that are held here, ascending."""


@dataclass(frozen=True)
class Packing:
    """How N sequences of different lengths lie in one table of rows: time-major, the longest first.

    The rows of frame t are those of every sequence that has one; these are always the first sequences.
    """

    lengths: tuple[int, ...]
    """(N,) frames of each sequence, longest first; a sequence that was cut may have none."""
    device: torch.device = _CPU
    placed: Tensor | None = field(default=None, compare=False, repr=False)
    """(N,) the lengths on the device, where they are there already: all that is needed there then comes from them."""
    part: Part | None = None
    """What of a larger packing this is; None where it is whole."""

    @property
    def count(self) -> int:
        """N: the number of sequences."""
        return len(self.lengths)

    @cached_property
    def _lengths(self) -> npt.NDArray[np.int64]:
        return np.array(self.lengths, np.int64)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """(T,) how many sequences have a frame t."""
        without = np.searchsorted(self._lengths[::-1], np.arange(max(self.lengths, default=0)), side="right")
        return tuple((self.count - without).tolist())

    @cached_property
    def batch_sizes(self) -> Tensor:
        """``sizes`` as PyTorch's packed sequences want them."""
        return torch.tensor(self.sizes)

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        return np.cumsum((0, *self.sizes[:-1]), dtype=np.int64)

    @cached_property
    def _placed_starts(self) -> Tensor:
        assert self.placed is not None
        times = torch.arange(len(self.sizes), device=self.device)
        sizes = self.count - torch.searchsorted(self.placed.flip(0), times, right=True)
        return sizes.cumsum(0) - sizes

    @cached_property
    def of_row(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Frame number and sequence number (rows,) of each row."""
        time = np.repeat(np.arange(len(self.sizes)), np.array(self.sizes, np.int64))
        return time, np.arange(len(time)) - self._starts[time]

    @cached_property
    def time(self) -> Tensor:
        """(rows,) the frame number of each row."""
        if self.placed is None:
            return torch.from_numpy(self.of_row[0]).to(self.device)
        rows = torch.arange(sum(self.lengths), device=self.device)
        return torch.searchsorted(self._placed_starts, rows, right=True) - 1

    @cached_property
    def sequence(self) -> Tensor:
        """(rows,) the sequence number of each row."""
        if self.placed is None:
            return torch.from_numpy(self.of_row[1]).to(self.device)
        return torch.arange(len(self.time), device=self.device) - self._placed_starts[self.time]

    @cached_property
    def last(self) -> Tensor:
        """(N,) the row of each sequence's last frame; each must have one."""
        if self.placed is None:
            return torch.from_numpy(self._starts[self._lengths - 1] + np.arange(self.count)).to(self.device)
        return self._placed_starts[self.placed - 1] + torch.arange(self.count, device=self.device)

    @cached_property
    def reverse(self) -> Tensor:
        """(rows,) for each row, the row of the same sequence mirrored in time."""
        if self.placed is not None:
            return self._placed_starts[self.placed[self.sequence] - 1 - self.time] + self.sequence
        time, sequence = self.of_row
        return self.at(self._lengths[sequence] - 1 - time, sequence)

    @cached_property
    def before(self) -> Tensor:
        """(rows - N,) for each row after the first frame, the row of the same sequence one frame earlier."""
        return self.rows_of(self.resized(lambda lengths: (lengths - 1).clip(min=0)))

    def at(self, time: npt.NDArray[np.int64], sequence: npt.NDArray[np.int64]) -> Tensor:
        """The rows of frames, by their numbers and those of their sequences."""
        return torch.from_numpy(self._starts[time] + sequence).to(self.device)

    @cached_property
    def longer(self) -> Packing:
        """The packing of the same sequences with one frame more, which comes first: its rows are the first N."""
        return self.resized(lambda lengths: lengths + 1)

    def resized(self, length: Callable[[Any], Any]) -> Packing:
        """The packing of the same sequences with other lengths, which ``length`` makes of theirs (N,).

        ``length`` is called with an array, and with a tensor where the lengths are on a device. Some sequences may
        become empty: they have no row, and the new packing no ``last`` and no ``reverse``.

        Raises
        ------
        ValueError
            If a length is negative, or the longer of two sequences becomes the shorter one.
        """
        lengths = length(self._lengths)
        if (lengths[1:] > lengths[:-1]).any() or (lengths < 0).any():
            raise ValueError(f"expected lengths of at least 0, longest first, found {lengths}")
        placed = None if self.placed is None else length(self.placed)
        part = self.part and Part(self.part.whole.resized(length), self.part.sequences)
        return Packing(tuple(lengths.tolist()), self.device, placed, part)

    def rows_of(self, other: Packing, first: Callable[[Any], Any] = _beginning) -> Tensor:
        """The rows (other's rows,) that a packing of pieces of the same sequences has here.

        Parameters
        ----------
        other
            The packing of the pieces: see `resized`.
        first
            The number (N,) of each piece's first frame, made of the lengths (N,) here; by default 0. It is called with
            an array, and with a tensor where the lengths are on a device.

        Raises
        ------
        ValueError
            If a piece does not lie within its sequence.
        """
        begin = first(self._lengths)
        if (begin < 0).any() or (begin + other._lengths > self._lengths).any():
            raise ValueError(f"expected pieces within the sequences, found {other._lengths} from {begin} on")
        if self.placed is None:
            time, sequence = other.of_row
            return self.at(begin[sequence] + time, sequence)
        return self._placed_starts[first(self.placed)[other.sequence] + other.time] + other.sequence

    def repeated(self, times: int) -> Packing:
        """The packing of every sequence ``times`` times, a sequence's copies side by side."""
        placed = None if self.placed is None else self.placed.repeat_interleave(times)
        part = self.part and Part(
            self.part.whole.repeated(times),
            tuple(times * sequence + copy for sequence in self.part.sequences for copy in range(times)),
        )
        return Packing(tuple(np.repeat(self._lengths, times).tolist()), self.device, placed, part)

    def every(self, first: int, stride: int) -> Packing:
        """The sequences ``first``, ``first + stride``, ...: what a process takes of a step, longest first like all."""
        part = Part(self, tuple(range(first, self.count, stride)))
        return Packing(self.lengths[first::stride], self.device, part=part)

    @property
    def whole(self) -> Packing:
        """The packing of all sequences of the step: this one, unless it is a part."""
        return self if self.part is None else self.part.whole

    @property
    def rows(self) -> int:
        """Frames of all sequences together."""
        return sum(self.lengths)

    @cached_property
    def rows_in_whole(self) -> Tensor:
        """(rows,) for each row, its number among the rows of ``whole``."""
        time, sequence = self.of_row
        numbers = sequence if self.part is None else np.asarray(self.part.sequences, np.int64)[sequence]
        return torch.from_numpy(self.whole._starts[time] + numbers).to(self.device)

    def draw_sequences(self, draw: Callable[[int], Tensor]) -> Tensor:
        """What ``draw`` gives for so many sequences (N, ...); those of a part get what the whole would have drawn."""
        drawn = draw(self.whole.count)
        return drawn if self.part is None else drawn[list(self.part.sequences)]

    def draw_rows(self, draw: Callable[[int], Tensor]) -> Tensor:
        """What ``draw`` gives for so many rows (rows, ...); those of a part get what the whole would have drawn."""
        drawn = draw(self.whole.rows)
        return drawn if self.part is None else drawn[self.rows_in_whole]


@dataclass(frozen=True)
class Batch:
    """N packed sequences, and which of their values are hidden or missing.

    What stands at a missing value is read by nobody: a method takes `seen` and `only_known`, and weighs errors by
    `weights`.
    """

    frames: Tensor
    """(rows, D) values in [-1, 1]; any finite number where a value is missing."""
    hidden: Tensor
    """(rows, D) True where a value is hidden from the decoder."""
    packing: Packing
    """How the rows are packed."""
    known: Tensor | None = None
    """(rows, D) False where a value is missing; None where none is."""
    unseen: Tensor | None = None
    """(rows, D) True where a value is hidden from the encoder; None where it reads all."""
    labels: Tensor | None = None
    """(N,) the number of each sequence's class; None where nobody is told."""

    @property
    def seen(self) -> Tensor:
        """(rows, D) what an encoder reads: zero where a value is missing, or hidden from it."""
        frames = self.only_known(self.frames)
        return frames if self.unseen is None else frames.masked_fill(self.unseen, 0)

    def only_known(self, values: Tensor) -> Tensor:
        """Values (rows, D), zero where those of the frames are missing."""
        return values if self.known is None else values.masked_fill(~self.known, 0)

    @property
    def later(self) -> Batch:
        """All sequences without their first frames, of one frame none: what may be told from the frames before."""
        return self.cut(lambda lengths: (lengths - 1).clip(min=0), lambda lengths: lengths.clip(max=1))

    def cut(self, length: Callable[[Any], Any], first: Callable[[Any], Any] = _beginning) -> Batch:
        """A piece of every sequence: ``length`` and ``first`` make its frames and its first one of all lengths (N,).

        Pieces may be empty: all means stay those over all N sequences. See `Packing.resized` and `Packing.rows_of`.
        """
        packing = self.packing.resized(length)
        rows = self.packing.rows_of(packing, first)
        known, unseen = (None if each is None else each[rows] for each in (self.known, self.unseen))
        return Batch(self.frames[rows], self.hidden[rows], packing, known, unseen, self.labels)

    @cached_property
    def weights(self) -> Tensor:
        """(rows, 1) or (rows, D) `frame_weights` of each value: zero where it is missing."""
        weights = self.frame_weights[:, None]
        return weights if self.known is None else weights * self.known

    @cached_property
    def frame_weights(self) -> Tensor:
        """(rows,) weights of a sum over rows that is the mean over a sequence's frames, then over the sequences.

        Those of a part make its contribution to the mean over the whole.
        """
        lengths = self.packing.placed
        if lengths is None:
            lengths = torch.tensor(self.packing.lengths, device=self.frames.device)
        lengths = lengths.to(self.frames.dtype)
        return (1 / (lengths * self.packing.whole.count))[self.packing.sequence]

    def mean(self, values: Tensor) -> Tensor:
        """The mean of values (N,) over the sequences: of a part, what it contributes to the mean over the whole."""
        return values.sum() / self.packing.whole.count

    def normal(self, columns: int) -> Tensor:
        """(N, columns) standard normal values; those of a part are the ones that the whole would have drawn."""
        dtype, device = self.frames.dtype, self.frames.device
        return self.packing.draw_sequences(lambda count: torch.randn(count, columns, dtype=dtype, device=device))


def pack(
    sequences: Sequence[npt.NDArray[np.float32]],
    hidden: npt.NDArray[np.bool_] | None = None,
    device: torch.device | None = None,
    labels: npt.NDArray[np.int64] | None = None,
) -> tuple[Batch, npt.NDArray[np.intp]]:
    """A batch of sequences (T_i, D) of any lengths, and the order in which it holds them (longest first).

    NaN stands where a value is missing. ``labels`` (N,) are the numbers of their classes.
    ``hidden`` (N, D) says which inputs of each sequence are hidden from the second frame on; none by default.
    """
    order = np.argsort([-len(sequence) for sequence in sequences], kind="stable")
    lengths = np.array([len(sequences[i]) for i in order])
    packing = Packing(tuple(lengths.tolist()), device or _CPU)
    padded = np.zeros((lengths[0], len(order), sequences[0].shape[1]), np.float32)
    for place, i in enumerate(order):
        padded[: lengths[place], place] = sequences[i]
    real = np.arange(lengths[0])[:, None] < lengths[None, :]  # (T, N)
    values = padded[real]
    rows, known = _split(torch.from_numpy(values).to(packing.device), _incomplete(values))  # (rows, D)
    if hidden is None:
        mask = torch.zeros_like(rows, dtype=torch.bool)
    else:
        mask = torch.from_numpy(hidden[order]).to(packing.device)[packing.sequence] & (packing.time > 0)[:, None]
    classes = None if labels is None else torch.from_numpy(labels[order]).to(packing.device)
    return Batch(rows, mask, packing, known, labels=classes), order


def _incomplete(values: npt.NDArray[np.float32]) -> bool:
    """Whether any value is missing (NaN)."""
    return bool(values.size) and bool(np.isnan(values.min()))


def _split(values: Tensor, incomplete: bool) -> tuple[Tensor, Tensor | None]:
    """Values with zeros in place of NaN, and which are known; None where all are."""
    if not incomplete:
        return values, None
    known = ~torch.isnan(values)
    return values.masked_fill(~known, 0), known


class Hiding(NamedTuple):
    """In which frames of a sequence body parts are hidden from the decoder."""

    each_frame: bool = False
    """Whether parts are drawn anew in each frame; otherwise they are the same in all."""
    first_frame: bool = False
    """Whether the first frame is hidden too; otherwise it stays whole."""
    gaps: bool = False
    """Whether what is hidden are gaps (see `hide_gaps`), from encoder and decoder alike, in place of parts."""


_Table = TypeVar("_Table", npt.NDArray[Any], Tensor)


def _hidden_rows(drawn: _Table, sequence: _Table, time: _Table, hiding: Hiding) -> _Table:
    """(rows, D) what is hidden, of what was drawn: (N, D), or (rows, D) where that is done for each frame."""
    rows = drawn if hiding.each_frame else drawn[sequence]
    return rows if hiding.first_frame else rows & (time > 0)[:, None]


class _Drawn(NamedTuple):
    """N sub-sequences, longest first."""

    piece: npt.NDArray[np.int32]
    """(N,) the sequence that each is a part of."""
    start: npt.NDArray[np.int64]
    """(N,) the row of its first frame."""
    length: npt.NDArray[np.int64]
    """(N,) its frames."""


class Crops:
    """Sub-sequences drawn from training sequences, epoch by epoch, and the body parts that are hidden in each.

    In an epoch every sequence is drawn ``crops`` times: in each of so many rounds once, in a random order. The draws
    are made a pool of some batches at a time, so that what is held of an epoch is the order of one round and one pool.
    Everything drawn is a function of the seed and the number of the step alone, so that a run can be taken up
    anywhere, by any number of threads, and gives the same batches. Sources: Zheng et al. 2018, "Implementation
    details": 25 sub-sequences of 7 to 35 frames from each recording; a random number of parts hidden, the same in all
    frames from the second on (``hiding`` changes that).
    """

    def __init__(
        self,
        frames: Frames,
        parts: Sequence[npt.NDArray[np.bool_]],
        *,
        batch_size: int,
        crops: int,
        shortest: int,
        longest: int,
        hidden_parts: int | None,
        seed: int,
        encoder_hides: tuple[float, float] = (0.0, 0.0),
        hiding: Hiding = Hiding(),  # noqa: B008 - it cannot be changed
        labels: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.frames = frames
        self.labels = labels
        """(P,) the number of each sequence's class; None where a method is not to know."""
        self.parts = np.stack(list(parts)) if len(parts) else np.zeros((0, frames.rows.shape[1]), bool)  # (P, D)
        self.batch_size = batch_size
        self.crops = crops
        self.shortest = shortest
        self.longest = longest
        self.hidden_parts = hidden_parts
        self.encoder_hides = encoder_hides
        """The largest shares of joints and of frames that are hidden from the encoder."""
        self.hiding = hiding
        self.seed = seed
        self._lock = Lock()
        self._round: tuple[int, npt.NDArray[np.int32]] = (-1, np.zeros(0, np.int32))
        self._pools: dict[int, list[_Drawn]] = {}  # two: threads that work on consecutive steps may ask for both

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; the last one may be smaller."""
        return -(-len(self.frames) * self.crops // self.batch_size)

    def batch(self, step: int, device: torch.device, share: tuple[int, int] = (0, 1)) -> Batch:
        """The batch of a step, counted from 0 over all epochs; threads may ask for several at a time.

        With a ``share`` (rank, size), every size-th sequence of it from rank on. All that is drawn is drawn for the
        whole batch, so that the shares together are the whole; one of them may be empty.
        """
        drawn = self._drawn(step)
        packing = Packing(tuple(drawn.length.tolist()))
        if self.hiding.gaps:
            return self._batch_with_gaps(step, drawn, packing, device, share)
        rng = np.random.default_rng([self.seed, _HIDING, step])
        draws = packing.rows if self.hiding.each_frame else packing.count
        hidden = hide_parts(self.parts, draws, self.hidden_parts, rng)  # (N, D), or (rows, D)
        unseen = self._hidden_from_encoder(step, drawn.length)
        rank, size = share
        if size > 1:
            packing = packing.every(rank, size)
            hidden = hidden[packing.rows_in_whole.numpy() if self.hiding.each_frame else slice(rank, None, size)]
            unseen = unseen and (unseen[0][rank::size], unseen[1][rank::size])
            drawn = _Drawn(drawn.piece[rank::size], drawn.start[rank::size], drawn.length[rank::size])
        time, sequence = packing.of_row
        values = self.frames.rows.take(drawn.start[sequence] + time, runs=packing.count)  # (rows, D)
        rows = unseen and (unseen[0], unseen[1][sequence, time])
        labels = None if self.labels is None else torch.from_numpy(self.labels[drawn.piece]).to(device)
        if device.type != "cpu":
            return replace(_sent(values, hidden, packing, device, rows, self.hiding), labels=labels)
        mask = torch.from_numpy(_hidden_rows(hidden, sequence, time, self.hiding))
        frames, known = _split(torch.from_numpy(values), _incomplete(values))
        hides = rows and torch.from_numpy(rows[0][sequence] | rows[1][:, None])
        return Batch(frames, mask, packing, known, hides, labels)

    def _batch_with_gaps(
        self, step: int, drawn: _Drawn, packing: Packing, device: torch.device, share: tuple[int, int]
    ) -> Batch:
        """The batch of a step of which gaps are hidden, from the encoder as from the decoder."""
        hidden = hide_gaps(self.parts, drawn.length, np.random.default_rng([self.seed, _GAPS, step]))  # (rows, D)
        rank, size = share
        if size > 1:
            packing = packing.every(rank, size)
            hidden = hidden[packing.rows_in_whole.numpy()]
            drawn = _Drawn(drawn.piece[rank::size], drawn.start[rank::size], drawn.length[rank::size])
        time, sequence = packing.of_row
        values = self.frames.rows.take(drawn.start[sequence] + time, runs=packing.count)  # (rows, D)
        if device.type != "cpu":
            batch = _sent(values, hidden, packing, device, None, Hiding(each_frame=True, first_frame=True))
            return replace(batch, unseen=batch.hidden)
        mask = torch.from_numpy(hidden)
        frames, known = _split(torch.from_numpy(values), _incomplete(values))
        return Batch(frames, mask, packing, known, unseen=mask)

    def _hidden_from_encoder(
        self, step: int, lengths: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None:
        """Inputs (N, D) and frames (N, T) that a step hides from the encoder; None where it reads all."""
        if self.encoder_hides == (0.0, 0.0):
            return None
        rng = np.random.default_rng([self.seed, _ENCODER, step])
        return hide_from_encoder(lengths, self.frames.rows.shape[1], *self.encoder_hides, rng)

    def recordings(self, step: int) -> npt.NDArray[np.int32]:
        """(N,) the numbers of the sequences that a step's batch is drawn from, in its order.

        ``frames.recording`` says which recording each of these is (a piece of).
        """
        return self._drawn(step).piece

    def lengths(self, step: int) -> npt.NDArray[np.int64]:
        """(N,) the frames of the sub-sequences of a step's batch, longest first."""
        return self._drawn(step).length

    def _drawn(self, step: int) -> _Drawn:
        """What a step draws, longest first."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        pool, place = divmod(batch, _POOL)
        number = epoch * -(-self.steps_per_epoch // _POOL) + pool
        with self._lock:
            if number not in self._pools:
                self._pools[number] = self._draw(epoch, pool, number)
                if len(self._pools) > 2:
                    del self._pools[next(iter(self._pools))]
            return self._pools[number][place]

    def _draw(self, epoch: int, pool: int, number: int) -> list[_Drawn]:
        """A pool's batches: they hold similar lengths and come in random order."""
        draws = len(self.frames) * self.crops  # in an epoch: in each round one of every sequence
        first = pool * _POOL * self.batch_size
        piece = self._pieces(epoch, first, min(first + _POOL * self.batch_size, draws))
        whole = self.frames.lengths[piece]
        rng = np.random.default_rng([self.seed, _DRAWING, number])
        longest = np.minimum(whole, self.longest)
        length = rng.integers(np.minimum(self.shortest, longest), longest, endpoint=True)
        start = self.frames.starts[piece] + rng.integers(0, whole - length, endpoint=True)
        order = np.argsort(-length, kind="stable")  # within a pool only, so that batches stay mixed
        batches = range(0, len(order), self.batch_size)
        places = [order[batches[i] : batches[i] + self.batch_size] for i in rng.permutation(len(batches))]
        return [_Drawn(piece[chosen], start[chosen], length[chosen]) for chosen in places]

    def _pieces(self, epoch: int, first: int, end: int) -> npt.NDArray[np.int32]:
        """The sequences drawn at the places [first, end) of an epoch."""
        count = len(self.frames)
        found = []
        for turn in range(first // count, -(-end // count)):
            if self._round[0] != epoch * self.crops + turn:
                rng = np.random.default_rng([self.seed, _ORDER, epoch * self.crops + turn])
                self._round = (epoch * self.crops + turn, rng.permutation(np.arange(count, dtype=np.int32)))
            found.append(self._round[1][max(first - turn * count, 0) : end - turn * count])
        return np.concatenate(found)


def _sent(
    values: npt.NDArray[np.float32],
    hidden: npt.NDArray[np.bool_],
    packing: Packing,
    device: torch.device,
    unseen: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None = None,
    hiding: Hiding = Hiding(),  # noqa: B008 - it cannot be changed
) -> Batch:
    """A batch on a device that nothing but its frames, lengths and hidden inputs (N, D) travels to, at once.

    Where parts are drawn for each frame, the hidden inputs are (rows, D).
    ``unseen``, where there is any: the inputs (N, D) and the rows (rows,) that are hidden from the encoder.
    """
    host = [values, np.array(packing.lengths, np.int64), hidden, *(unseen or ())]
    placed, lengths, inputs, *others = together(host, device)
    packing = Packing(packing.lengths, device, lengths, packing.part)
    frames, known = _split(placed, _incomplete(values))
    mask = _hidden_rows(inputs, packing.sequence, packing.time, hiding)
    return Batch(frames, mask, packing, known, others[0][packing.sequence] | others[1][:, None] if others else None)


def together(arrays: Sequence[npt.NDArray[Any]], device: torch.device) -> list[Tensor]:
    """Arrays as tensors on a device that they reach in one transfer, which nobody waits for."""
    # each begins at a multiple of 16 bytes, and so at one of its items
    at = np.cumsum([0, *(-(-array.nbytes // 16) * 16 for array in arrays)])
    buffer = torch.empty(int(at[-1]), dtype=torch.uint8, pin_memory=device.type == "cuda")
    for array, start in zip(arrays, at[:-1], strict=True):
        buffer.numpy()[start : start + array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    placed = buffer.to(device, non_blocking=True)
    return [
        placed[start : start + array.nbytes].view(torch.from_numpy(array[:0]).dtype).view(array.shape)
        for array, start in zip(arrays, at[:-1], strict=True)
    ]


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


def hide_from_encoder(
    lengths: npt.NDArray[np.int64], inputs: int, joints: float, frames: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which inputs (N, D) and which frames (N, T) of sequences of so many frames are hidden from the encoder.

    Of each sequence none up to the share ``joints`` of its joints, in all of its frames, and none up to the share
    ``frames`` of its frames, with all of their joints: any number with equal chance. Three inputs make a joint; so does
    the root's path.
    """
    shape = len(lengths), inputs // 3
    chosen = _some(np.full(len(lengths), shape[1]), joints, rng.random(shape), rng)
    times = np.arange(lengths.max(initial=0))
    order = np.where(times < lengths[:, None], rng.random((len(lengths), len(times))), 2)  # what is none comes last
    return chosen.repeat(3, axis=1), _some(lengths, frames, order, rng)


_LONGEST_GAP = 0.75
"""The largest share of a sequence's frames that a gap takes, unless it takes all of some joints."""


def hide_gaps(
    parts: npt.NDArray[np.bool_], lengths: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Which values (rows, D) of packed sequences of so many frames (N,), longest first, lie in gaps.

    Each sequence has one to three gaps, and each gap one of these forms, with the chances of `_FORMS`: a joint, up to
    half of the joints, one to four of the five body parts, or all that there is (the root's path too), for a run of
    frames; or up to a quarter of the joints in all frames. Runs last from one frame to three quarters of the sequence,
    log-uniformly, and lie anywhere in it. ``parts`` (P, D) says which inputs belong to each part.
    """
    inputs = parts.shape[1]
    joints = np.flatnonzero(parts[:, ::3].any(axis=0))  # of which three inputs each are values
    hidden: npt.NDArray[np.bool_]
    hidden = np.zeros((int(lengths.max(initial=0)), len(lengths), inputs // 3), bool)  # (T, N, joints and path)
    of_part = parts[:, ::3]
    for number, length in enumerate(lengths.tolist()):
        for form in rng.choice(len(_FORMS), size=rng.integers(1, 4), p=_FORMS):
            frames = max(1, round(float((_LONGEST_GAP * length) ** rng.random())))
            start = int(rng.integers(0, length - frames, endpoint=True))
            if form == 0:
                chosen = rng.choice(joints, 1)
            elif form == 1:
                chosen = rng.permutation(joints)[: rng.integers(1, max(1, len(joints) // 2), endpoint=True)]
            elif form == 2:
                which = rng.permutation(len(parts))[: rng.integers(1, len(parts))]
                chosen = np.flatnonzero(of_part[which].any(axis=0))
            elif form == 3:
                chosen = np.arange(inputs // 3)
            else:
                chosen = rng.permutation(joints)[: rng.integers(1, max(1, len(joints) // 4), endpoint=True)]
                start, frames = 0, length
            hidden[start : start + frames, number, chosen] = True
    real = np.arange(len(hidden))[:, None] < lengths[None, :]  # (T, N)
    return np.asarray(hidden[real].repeat(3, axis=1))


_FORMS = (0.2, 0.25, 0.25, 0.2, 0.1)
"""The chances of a gap's forms: one joint, some joints, body parts, everything, joints that are never recorded."""


def _some(
    counts: npt.NDArray[np.int64], share: float, order: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """The first of (N, M) in an order: in each row none up to a share of its count."""
    number = rng.integers(0, np.floor(share * counts + 1e-6).astype(np.int64), endpoint=True)  # (N,)
    return np.asarray(order.argsort(axis=1).argsort(axis=1) < number[:, None])
