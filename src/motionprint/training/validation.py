"""When training with labels has gone on long enough: judged on recordings that no gradient comes from."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from motionprint.batches import pack
from motionprint.methods import Classifier
from motionprint.preprocessing import Frames as Prepared
from motionprint.training.distributed import World

__all__ = ["COLUMNS", "Validation", "scores_of"]

COLUMNS = ("validation_loss", "validation_accuracy")
"""What it measures, as log.csv names it."""

BATCH = 128
"""Sequences scored at once."""

Frames = npt.NDArray[np.float32]


def scores_of(
    method: Classifier, read: Callable[[int], Frames], lengths: Sequence[int], owners: Sequence[int]
) -> Tensor:
    """(N, C) scores of recordings, each the mean over its sequences (T, D).

    Parameters
    ----------
    read
        A sequence by its number.
    lengths
        Frames of each sequence.
    owners
        Which recording, from 0, each sequence is (a piece of).
    """
    weight = method.weights
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    found: list[tuple[list[int], Tensor]] = []
    training = method.training
    method.eval()
    with torch.no_grad():
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            batch, places = pack([read(number) for number in chosen], device=weight.device)
            seen = batch.seen if method.closed else batch.seen.to(weight.dtype)
            scores = method.scores(seen, batch.packing)  # (n, C)
            found.append(([owners[chosen[place]] for place in places], scores))
    method.train(training)
    numbers = torch.tensor([owner for each, _ in found for owner in each], device=weight.device)
    together = torch.cat([scores for _, scores in found])
    total = together.new_zeros(int(numbers.max()) + 1, together.shape[1]).index_add(0, numbers, together)
    return total / torch.bincount(numbers)[:, None]


class Validation:
    """Scores recordings held out of training every some steps, keeps the best weights, and says when it is enough.

    The best weights are those with the smallest cross-entropy; of equals the earlier.
    """

    def __init__(
        self,
        method: Classifier,
        frames: Prepared,
        labels: npt.NDArray[np.int64],
        *,
        every: int,
        patience: int,
    ) -> None:
        self.method = method
        self.frames = frames
        self.labels = torch.from_numpy(labels)
        """(N,) the number of each recording's class."""
        self.every, self.patience = every, patience
        self.best: dict[str, Tensor] = {}
        """The best weights so far, by name."""
        self.loss, self.step, self.since = math.inf, 0, 0
        """The best weights' cross-entropy, their step, and the validations since."""

    @property
    def enough(self) -> bool:
        """Whether the last ``patience`` validations were no better than the best."""
        return self.since >= self.patience

    def after(self, step: int, last: bool, world: World) -> dict[str, float]:
        """Measure after the last step and every some steps: cross-entropy and accuracy, by `COLUMNS`.

        Of several processes the first one measures and tells the others, so that all end after the same step.
        """
        if step % self.every and not last:
            return {}
        loss, accuracy = world.told(self._measured() if world.leads else (0.0, 0.0))
        self.since += 1
        if loss < self.loss:
            self.best = copy.deepcopy(self.method.state_dict())
            self.loss, self.step, self.since = loss, step, 0
        return dict(zip(COLUMNS, (loss, accuracy), strict=True))

    def _measured(self) -> tuple[float, float]:
        lengths, owners = self.frames.lengths.tolist(), self.frames.recording.tolist()
        scores = scores_of(self.method, self.frames.sequence, lengths, owners).cpu()
        right = (scores.argmax(1) == self.labels).double().mean()
        return float(functional.cross_entropy(scores, self.labels)), float(right)

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint holds of it."""
        numbers = {"loss": self.loss, "step": float(self.step), "since": float(self.since)}
        found = {f"validation.{name}": torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}
        return {**found, **{f"best.{name}": weight for name, weight in self.best.items()}}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of ``state``."""
        prefix, device = "best.", self.method.weights.device
        self.best = {name[len(prefix) :]: w.to(device) for name, w in tensors.items() if name.startswith(prefix)}
        self.loss = float(tensors["validation.loss"])
        self.step, self.since = int(tensors["validation.step"]), int(tensors["validation.since"])
