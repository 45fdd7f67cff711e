"""What every method is: named networks, and what each of them minimises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn
from torch.nn import functional

from motionprint.batches import Batch, Hiding, Packing
from motionprint.preprocessing import Frames
from motionprint.skeleton import Skeleton

__all__ = ["Classifier", "Method", "cross_entropy"]


class Method(nn.Module, ABC):
    """A way of learning prints: it says what is minimised, the trainer says how.

    A subclass is final. Its networks are disjoint and together hold all its parameters. It holds no optimiser, no
    order of updates, no frozen weights and no ``detach``: the trainer gives each network the gradient of its own
    objective and of nothing else.
    """

    Settings: ClassVar[type[Any]]
    """A frozen dataclass: the method's settings."""
    presets: ClassVar[Mapping[str, Any]]
    """Settings by name: small, paper, ..."""
    schedule: ClassVar[Mapping[str, Any]] = {}
    """Fields of `TrainingSettings` that it wants other than all methods have them: steps, learning_rate, ..."""
    settings: Any
    """The settings of this one."""
    closed: ClassVar[bool] = False
    """Whether `solve` finds the weights at once: training then has no steps, and there are no objectives."""

    @abstractmethod
    def __init__(self, skeleton: Skeleton, inputs: int, settings: Any) -> None:
        super().__init__()

    @property
    @abstractmethod
    def networks(self) -> Mapping[str, nn.Module]:
        """The networks by name."""

    @abstractmethod
    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """For each network, the number that it minimises; none of a closed method."""

    @abstractmethod
    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        """Features by name (``F``, ``states``), (N, R) each, of packed frames (rows, D), zero where missing."""

    def solve(self, frames: Frames, labels: npt.NDArray[np.int64] | None, seed: int) -> Mapping[str, int]:
        """Set the weights of a closed method from all training sequences, and their classes (P,) where it is told.

        Returns
        -------
        counts
            What the reader of its figures should know of the solution, by name; none by default.
            ``unconverged``: how many fits ended before they converged.
        """
        raise NotImplementedError(f"{type(self).__name__} is trained step by step")

    @property
    def weights(self) -> Tensor:
        """One of its weights: their device and type are those of all that have a gradient."""
        return next(chain(self.parameters(), self.buffers()))

    @property
    def hidden_inputs(self) -> npt.NDArray[np.bool_]:
        """(P, D) which inputs belong to each part that may be hidden; none where a method hides nothing."""
        return np.zeros((0, 0), bool)

    @property
    def hidden_parts(self) -> int | None:
        """How many parts are hidden in a sequence; None draws the number anew for each."""
        return None

    @property
    def hiding(self) -> Hiding:
        """In which frames parts are hidden: by default the same from the second frame on."""
        return Hiding()

    @property
    def encoder_hides(self) -> tuple[float, float]:
        """The largest shares of joints and of frames that are hidden from the encoder; it reads all by default."""
        return 0.0, 0.0

    @property
    def bounds(self) -> Mapping[str, float]:
        """Networks whose weights the trainer keeps within plus or minus a bound after each step."""
        return {}


class Classifier(Method, ABC):
    """A supervised method: it is told the classes of the training sequences, and gives scores for each.

    Its features are what its last layer reads, under both names (``F`` and ``states``).
    """

    @abstractmethod
    def __init__(self, skeleton: Skeleton, inputs: int, settings: Any, classes: int) -> None:
        super().__init__(skeleton, inputs, settings)

    @abstractmethod
    def scores(self, frames: Tensor, packing: Packing) -> Tensor:
        """(N, C) scores of each class, the larger the likelier, of packed frames (rows, D), zero where missing.

        Logits, where the method has a softmax.
        """


def cross_entropy(batch: Batch, logits: Tensor) -> Tensor:
    """The mean over the batch's sequences of the softmax's cross-entropy, of logits (N, C)."""
    if batch.labels is None:
        raise ValueError("expected a batch with labels, found none")
    return batch.mean(functional.cross_entropy(logits, batch.labels, reduction="none"))
