"""How far inpainted values lie from the recorded ones, with the print, without it, and with somebody else's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from motionprint.batches import Batch, hide_parts, pack
from motionprint.errors import DatasetError, SettingsError
from motionprint.methods import Inpainting
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset
from motionprint.training import Run

__all__ = ["CONDITIONS", "first_frame_errors", "inpainted", "inpainting_errors"]

CONDITIONS = ("F", "none", "zeroed", "shuffled")
"""What the decoder reads as its print: F; zeros, in a model trained so; zeros or another recording's print as a
diagnostic of a model that was trained with F."""

BATCH = 128
DRAWS = 4
"""Sets of hidden parts that each recording is judged with."""

Errors = dict[str, dict[str, float]]


def inpainting_errors(
    run: Run, sequences: Sequence[SkeletonSequence] | MotionDataset, condition: str | None = None, seed: int = 0
) -> Errors:
    """Root mean square error of inpainted values, over hidden values and over all.

    Every recording is judged with four sets of hidden parts, drawn from ``seed`` alone: the same for every model.
    The first frame, which is never hidden here, counts in ``inpaint_all`` only; a missing value (NaN) counts nowhere.

    Parameters
    ----------
    condition
        F, none, zeroed or shuffled; by default what the run was trained with.

    Returns
    -------
    ``{"inpaint_hidden": {"rmse_scaled": ..., "rmse_cm": ...}, "inpaint_all": {...}}``: in the units that the network
    reads and in centimetres, each value by what 1 is in its own sequence (see ``scaling`` of the recipe).

    Raises
    ------
    SettingsError
        If the method does not inpaint, or the condition does not fit what the run was trained with.
    DatasetError
        If there is no recording, none with a second frame to hide, or only one whose print is to be shuffled; if a
        recording has no recorded joint, or no root, in any frame.
    """
    method = _inpainting(run)
    trained = method.settings.condition
    chosen = condition or trained
    if chosen not in CONDITIONS:
        raise SettingsError(f"unknown condition {chosen!r}: expected one of {', '.join(CONDITIONS)}")
    if (chosen == "none") != (trained == "none"):
        raise SettingsError(f"expected a condition that fits a run trained with {trained!r}, found {chosen!r}")
    sums = _Sums(3 * len(run.skeleton))
    with torch.no_grad():
        for batch, metres in _batches(run, sequences, seed):
            prints = method.encode(batch.seen, batch.packing)["F"]  # (N, R)
            if chosen == "zeroed":
                prints = torch.zeros_like(prints)
            elif chosen == "shuffled":
                if len(prints) == 1:
                    raise DatasetError("expected at least two recordings to shuffle prints among, found one")
                prints = prints.roll(1, dims=0)  # batches mix all recordings, so that a neighbour is a stranger
            sums.add(batch, method.inpaint(batch, prints), metres)
    return sums.errors()


def first_frame_errors(run: Run, sequences: Sequence[SkeletonSequence] | MotionDataset, seed: int = 0) -> Errors:
    """The same errors for the plainest guess: a hidden value stays what it was in the first frame (zero if missing)."""
    sums = _Sums(3 * len(run.skeleton))
    for batch, metres in _batches(run, sequences, seed):
        first = batch.frames[: batch.packing.count][batch.packing.sequence]  # (rows, D)
        sums.add(batch, torch.where(batch.hidden, first, batch.frames), metres)
    return sums.errors()


def inpainted(
    run: Run, sequence: SkeletonSequence, hidden_parts: Sequence[int]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """One recording as the network reads it, what is hidden, and what the network made of it.

    Parameters
    ----------
    hidden_parts
        Numbers of the body parts to hide from the second frame on (``motionprint.skeleton.BODY_PARTS``).

    Returns
    -------
    original
        (T, J, 3) metres, root at the origin, turned and resampled as the recipe says; NaN where missing.
    hidden
        (T, J).
    inpainted
        (T, J, 3) metres; the network's own output, for shown joints too.
    """
    method = _inpainting(run)
    frames, scale = run.recipe.prepare(sequence)
    mask = np.asarray(method.hidden_inputs[list(hidden_parts)].any(axis=0))  # (D,)
    batch, _ = pack([frames], mask[None], run.device)
    if method.hiding.gaps:
        batch = replace(batch, unseen=batch.hidden)
    with torch.no_grad():
        found = method.inpaint(batch, method.encode(batch.seen, batch.packing)["F"]).cpu().numpy()
    joints = len(run.skeleton)

    def metres(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return (values[:, : 3 * joints].reshape(len(values), joints, 3) * scale).astype(np.float32)

    values = batch.hidden.cpu().numpy()[:, : 3 * joints].reshape(len(frames), joints, 3)
    hidden = np.asarray(values.any(axis=2))  # (T, J)
    return metres(frames), hidden, metres(found)


def _inpainting(run: Run) -> Inpainting:
    if not isinstance(run.method, Inpainting):
        raise SettingsError(f"expected a run of the method inpainting, found {run.config['method']}")
    return run.method


def _batches(
    run: Run, sequences: Sequence[SkeletonSequence] | MotionDataset, seed: int
) -> Iterator[tuple[Batch, npt.NDArray[np.float64]]]:
    """Every recording four times with other parts hidden, in an order that mixes all recordings.

    With each batch the metres (N, 3) that are 1 in its sequences. What is hidden is the same for every model, whatever
    it was trained with: one set of parts in all frames of a sequence, from the second frame on.
    """
    prepared = [run.recipe.prepare(s, piece) for s in sequences for piece in run.recipe.pieces(s)]
    prepared = [piece for piece in prepared if len(piece.values) > 1]
    if not prepared:
        raise DatasetError("expected recordings of at least two frames to inpaint, found none")
    frames = [piece.values for piece in prepared]
    metres = np.stack([piece.metres for piece in prepared])  # (pieces, 3)
    rng = np.random.default_rng([seed, 2])
    method = _inpainting(run)
    for _ in range(DRAWS):
        hidden = hide_parts(method.hidden_inputs, len(frames), None, rng)  # (N, D)
        order = rng.permutation(len(frames))
        # batches of equal size: a batch of one would leave `shuffled` nothing to shuffle
        for chosen in np.array_split(order, -(-len(order) // BATCH)):
            batch, placed = pack([frames[i] for i in chosen], hidden[chosen], run.device)
            # a model that repairs never sees what it is to tell, and its encoder no more than its decoder
            yield (replace(batch, unseen=batch.hidden) if method.hiding.gaps else batch), metres[chosen[placed]]


class _Sums:
    """Squared errors, summed over hidden values and over all values of joints (the root's path has another scale)."""

    def __init__(self, values: int) -> None:
        self.values = values
        self.squares = dict.fromkeys(("inpaint_hidden", "inpaint_all"), (0.0, 0.0))  # scaled, in square metres
        self.counts = dict.fromkeys(self.squares, 0)

    def add(self, batch: Batch, found: torch.Tensor, metres: npt.NDArray[np.float64]) -> None:
        """Count a batch; ``metres`` (N, 3) are 1 in each of its sequences, by axis."""
        square = (batch.frames - found)[:, : self.values].square().double()  # (rows, 3 J)
        scale = torch.from_numpy(metres).to(square.device).square()  # (N, 3)
        physical = square * scale[batch.packing.sequence].repeat(1, self.values // 3)
        hidden = batch.hidden[:, : self.values]
        known = torch.ones_like(hidden) if batch.known is None else batch.known[:, : self.values]
        for task, mask in (("inpaint_hidden", hidden & known), ("inpaint_all", known)):
            scaled, real = self.squares[task]
            self.squares[task] = (scaled + float(square[mask].sum()), real + float(physical[mask].sum()))
            self.counts[task] += int(mask.sum())

    def errors(self) -> Errors:
        """The roots of the means."""
        errors = {}
        for task, totals in self.squares.items():
            if not self.counts[task]:
                raise DatasetError("expected recorded values to judge hidden ones by, found all of them missing")
            scaled, real = (float(np.sqrt(total / self.counts[task])) for total in totals)
            errors[task] = {"rmse_scaled": scaled, "rmse_cm": 100 * real}
        return errors
