"""float32, or bfloat16 in matrix products: what a run trains with, and how `auto` decides."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from motionprint.methods import Method
from motionprint.networks import RecurrentLayers, bf16_instructions
from motionprint.training.settings import Precision

__all__ = ["choose", "set_precision"]

_UNITS = 200
"""Layers all smaller than this train in float32: their products are no longer most of the work."""
_WORTH = 1.15
"""How many times as fast a step must be for bfloat16 to be chosen: more than a measurement errs."""
_ROUNDS = 3


def set_precision(method: Method, precision: Precision) -> None:
    """Make the recurrent layers of a method round the factors of their products, in training, or not."""
    for layers in _recurrent(method):
        layers.low = torch.bfloat16 if precision == "bf16" else None


def choose(method: Method, step: Callable[[Precision], object]) -> Precision:
    """`bf16` where a training step is clearly faster with it, else `float32`.

    Parameters
    ----------
    step
        Computes the gradients of one step with a precision. The weights and the random numbers of the run must be the
        same afterwards.
    """
    device = method.weights.device
    if not _supported(device) or max((layers.hidden for layers in _recurrent(method)), default=0) < _UNITS:
        return "float32"
    best: dict[Precision, float] = {"float32": float("inf"), "bf16": float("inf")}
    for number in range(1 + _ROUNDS):  # in turns, so that what else the machine does meets both
        for precision in best:
            started = time.perf_counter()
            try:
                step(precision)
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
            except RuntimeError:  # kernels of some GPUs know no bfloat16
                if precision == "bf16":
                    return "float32"
                raise
            if number:  # the first is warming up
                best[precision] = min(best[precision], time.perf_counter() - started)
    return "bf16" if best["float32"] > _WORTH * best["bf16"] else "float32"


def _recurrent(method: Method) -> list[RecurrentLayers]:
    return [module for module in method.modules() if isinstance(module, RecurrentLayers)]


def _supported(device: torch.device) -> bool:
    """Whether the processor has instructions for it; without them it is emulated, many times as slow."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bf16_instructions()
