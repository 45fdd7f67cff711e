"""A pass of a network whose weights are disturbed: weight noise (Graves 2011, "Practical variational inference")."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from motionprint.batches import Packing

__all__ = ["noisy"]


def noisy(network: nn.Module, deviation: float, frames: Tensor, packing: Packing) -> Tensor:
    """What a network gives for packed frames with noise on each weight; its gradients reach the weights themselves.

    The noise is normal with this standard deviation in training; there is none else. It is one draw for all sequences,
    so that several processes, which draw alike, disturb their weights alike.
    """
    if not (network.training and deviation):
        return cast(Tensor, network(frames, packing))
    weights = {name: weight + deviation * torch.randn_like(weight) for name, weight in network.named_parameters()}
    return cast(Tensor, torch.func.functional_call(network, weights, (frames, packing)))
