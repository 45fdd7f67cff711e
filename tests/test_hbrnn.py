"""HBRNN-L: the paper's equations one sequence at a time with PyTorch's own layers, and which input goes where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from motionprint.batches import pack
from motionprint.errors import SettingsError
from motionprint.methods.hbrnn import HBRNN, HBRNNSettings
from motionprint.persons import stacked
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.training.loop import gradients

KINECT = SKELETONS["kinect20"]
SETTINGS = HBRNNSettings(part_units=3, limb_units=4, half_units=5, body_units=6, weight_noise=0.0)


def _reference(method: HBRNN, x: Tensor) -> Tensor:
    """A (C,) of one sequence x (T, 63): cells of the body parts, limbs, halves and the body called one by one."""
    net = method.hierarchy

    def read(cell: torch.nn.Module, *inputs: Tensor) -> Tensor:
        return cell(torch.cat(inputs, dim=1)[:, None])[0][:, 0]

    joints = x[:, :60].view(-1, 20, 3)
    inputs = [joints[:, list(part)].flatten(1) for part in KINECT.body_parts]
    inputs[4] = torch.cat([inputs[4], x[:, 60:]], dim=1)  # the root's path goes with the trunk
    left_arm, right_arm, left_leg, right_leg, trunk = map(read, net.parts.cells, inputs)
    limbs = [
        read(cell, limb, trunk)
        for cell, limb in zip(net.limbs.cells, (left_arm, right_arm, left_leg, right_leg), strict=True)
    ]
    upper, lower = read(net.halves.cells[0], *limbs[:2]), read(net.halves.cells[1], *limbs[2:])
    body = read(net.body.cell, upper, lower)
    return torch.stack([method.classifier(h) for h in body]).sum(0)


def test_scores_and_gradients_are_those_of_the_equations() -> None:
    torch.manual_seed(0)
    method = HBRNN(KINECT, 63, SETTINGS, 4).double()
    rng = np.random.default_rng(0)
    sequences = [rng.uniform(-1, 1, (length, 63)).astype(np.float32) for length in (9, 1, 7)]
    labels = np.array([2, 0, 3])
    batch, order = pack(sequences, labels=labels)
    batch = replace(batch, frames=batch.frames.double())
    scores = method.scores(batch.seen, batch.packing)
    sums = torch.stack([_reference(method, torch.from_numpy(sequences[i]).double()) for i in order])
    torch.testing.assert_close(scores, sums, rtol=1e-11, atol=1e-12)
    gradients(method.networks, method.objectives(batch))
    # eq.: p_k = exp(A_k) / sum_i exp(A_i), loss = -ln p_class
    chosen = torch.softmax(sums, dim=1)[torch.arange(3), torch.from_numpy(labels[order])]
    expected = torch.autograd.grad(-chosen.log().mean(), list(method.parameters()))
    for (name, weight), reference in zip(method.named_parameters(), expected, strict=True):
        assert reference.abs().max() > 0, name
        torch.testing.assert_close(weight.grad, reference, rtol=1e-9, atol=1e-12, msg=name)


def test_a_part_of_two_persons_holds_both() -> None:
    skeleton = stacked(SKELETONS["sbu15"])
    method = HBRNN(skeleton, 90, SETTINGS, 4)
    elbow = 3 * skeleton.joint_names.index("a.elbow_left")
    places = method.hierarchy.places[0]  # the left arm
    assert {elbow, elbow + 45} <= set(places)
    assert sorted(place for part in method.hierarchy.places for place in part) == list(range(90))


def test_skeletons_without_body_parts_or_with_an_empty_one_are_refused() -> None:
    with pytest.raises(SettingsError, match="five body parts"):
        HBRNN(Skeleton(("a", "b"), (-1, 0)), 6, SETTINGS, 4)
    bare = replace(KINECT, body_parts=(*KINECT.body_parts[:4], ()))
    with pytest.raises(SettingsError, match="expected a joint in each body part, found none in trunk"):
        HBRNN(bare, 60, SETTINGS, 4)


def test_weight_noise_disturbs_training_only() -> None:
    torch.manual_seed(0)
    method = HBRNN(KINECT, 60, replace(SETTINGS, weight_noise=0.1), 4)
    batch, _ = pack([np.full((5, 60), 0.5, np.float32)])
    first, second = (method.train().scores(batch.frames, batch.packing) for _ in range(2))
    assert not torch.equal(first, second)
    first, second = (method.eval().scores(batch.frames, batch.packing) for _ in range(2))
    assert torch.equal(first, second)
