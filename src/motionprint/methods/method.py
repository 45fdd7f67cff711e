"""What every method is: named networks, and what each of them minimises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.skeleton import Skeleton

__all__ = ["Method"]


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
    settings: Any
    """The settings of this one."""

    @abstractmethod
    def __init__(self, skeleton: Skeleton, inputs: int, settings: Any) -> None:
        super().__init__()

    @property
    @abstractmethod
    def networks(self) -> Mapping[str, nn.Module]:
        """The networks by name."""

    @abstractmethod
    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """For each network, the number that it minimises."""

    @abstractmethod
    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        """Features by name (``F``, ``states``), (N, R) each, of packed frames (rows, D), zero where missing."""

    @property
    def hidden_inputs(self) -> npt.NDArray[np.bool_]:
        """(P, D) which inputs belong to each part that may be hidden; none where a method hides nothing."""
        return np.zeros((0, 0), bool)

    @property
    def hidden_parts(self) -> int | None:
        """How many parts are hidden in a sequence; None draws the number anew for each."""
        return None

    @property
    def encoder_hides(self) -> tuple[float, float]:
        """The largest shares of joints and of frames that are hidden from the encoder; it reads all by default."""
        return 0.0, 0.0

    @property
    def bounds(self) -> Mapping[str, float]:
        """Networks whose weights the trainer keeps within plus or minus a bound after each step."""
        return {}
