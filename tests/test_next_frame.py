"""Next-frame prediction against a reference of one sequence at a time, and what it can and cannot know."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from motionprint.batches import Batch, pack
from motionprint.errors import SettingsError
from motionprint.methods.next_frame import NextFrame, NextFrameSettings
from motionprint.skeleton import SKELETONS
from motionprint.training.loop import gradients

KINECT = SKELETONS["kinect20"]
INPUTS = 60


def _method(seed: int = 0, **changes: object) -> NextFrame:
    torch.manual_seed(seed)
    return NextFrame(KINECT, INPUTS, NextFrameSettings(**{"units": 5, "dropout": 0.0, **changes})).double()  # type: ignore[arg-type]


def _sequences(lengths: tuple[int, ...], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, (length, INPUTS)).astype(np.float32) for length in lengths]


def _batch(sequences: list[np.ndarray]) -> Batch:
    batch, _ = pack(sequences)
    return Batch(batch.frames.double(), batch.hidden, batch.packing, batch.known)


def _reference(method: NextFrame, x: Tensor, known: Tensor) -> Tensor:
    """The error of one sequence x (T, D) by plain ``nn.GRU`` or ``nn.LSTM``, with no packing."""
    outputs, _ = method.recurrent.cell(torch.where(known, x, 0)[:, None])
    expected = method.output(outputs[:-1, 0])
    return torch.where(known[1:], x[1:] - expected, 0).square().sum(1).mean()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("missing", [False, True])
def test_objective_and_gradients_are_those_of_one_sequence_at_a_time(cell: str, missing: bool) -> None:
    method = _method(cell=cell)
    sequences = _sequences((9, 2, 1, 7))
    if missing:
        sequences[0][3, 4:9] = np.nan
        sequences[3][:, 0] = np.nan
    objectives = method.objectives(_batch(sequences))
    gradients(method.networks, objectives)
    longer = [torch.from_numpy(x).double() for x in sequences if len(x) > 1]
    known = [~torch.isnan(x) for x in longer]
    errors = [_reference(method, x.nan_to_num(), k) for x, k in zip(longer, known, strict=True)]
    expected = torch.stack(errors).sum() / 4  # the sequence of one frame counts, with nothing to predict
    assert objectives["recurrent"] is objectives["output"]
    torch.testing.assert_close(objectives["output"], expected, rtol=1e-10, atol=0)
    reference = torch.autograd.grad(expected, list(method.parameters()))
    for parameter, gradient in zip(method.parameters(), reference, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-9, atol=1e-12)


def test_a_prediction_knows_the_past_and_nothing_else() -> None:
    method = _method()
    batch = _batch(_sequences((8,)))
    changed = Batch(batch.frames.clone(), batch.hidden, batch.packing)
    changed.frames[5] += 1
    before, after = method.predict(batch), method.predict(changed)
    assert torch.equal(before[:5], after[:5])  # those of frames 1 to 5
    assert not torch.equal(before[5], after[5])


def test_what_stands_at_a_missing_value_changes_nothing() -> None:
    method = _method()
    sequences = _sequences((6, 4))
    sequences[0][2:4, 7] = np.nan
    batch = _batch(sequences)
    assert batch.known is not None
    other = Batch(batch.frames.masked_fill(~batch.known, 1e6), batch.hidden, batch.packing, batch.known)
    assert torch.equal(method.objectives(batch)["output"], method.objectives(other)["output"])


def test_features_are_the_mean_and_the_last_output_of_each_sequence_alone() -> None:
    method = _method()
    sequences = _sequences((9, 2, 1, 7))
    batch, order = pack(sequences)
    found = method.encode(batch.frames.double(), batch.packing)
    for place, number in enumerate(order):
        outputs, _ = method.recurrent.cell(torch.from_numpy(sequences[number]).double()[:, None])
        torch.testing.assert_close(found["F"][place], outputs[:, 0].mean(0), rtol=0, atol=1e-12)
        torch.testing.assert_close(found["states"][place], outputs[-1, 0], rtol=0, atol=1e-12)


def test_sequences_of_one_frame_alone_cost_nothing() -> None:
    method = _method()
    objectives = method.objectives(_batch(_sequences((1, 1))))
    gradients(method.networks, objectives)
    assert objectives["output"].item() == 0
    assert all(p.grad is not None and not p.grad.any() for p in method.parameters())


def test_it_learns_which_way_a_motion_goes() -> None:
    """A toy that one frame cannot solve: poses go round a circle, one way or the other."""
    rng = np.random.default_rng(0)
    plane = rng.normal(0, 0.3, (2, INPUTS))
    angles = rng.uniform(0, 2 * np.pi, 16)[:, None] + np.outer(np.repeat([1, -1], 8), 0.6 * np.arange(8))  # (N, T)
    sequences = [(np.stack([np.cos(a), np.sin(a)], 1) @ plane).astype(np.float32) for a in angles]
    torch.manual_seed(0)
    method = NextFrame(KINECT, INPUTS, NextFrameSettings(units=32, dropout=0.0))
    batch, _ = pack(sequences)
    optimiser = torch.optim.Adam(method.parameters(), lr=8e-3)
    for _ in range(250):
        gradients(method.networks, method.objectives(batch))
        optimiser.step()
    with torch.no_grad():
        later = batch.packing.time[batch.packing.count :] > 1  # two frames tell the way
        error = (method.predict(batch) - batch.later.frames)[later].square().mean().sqrt()
    moved = (batch.later.frames - batch.frames[batch.packing.before]).square().mean().sqrt()
    assert error < moved / 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": 0}, "expected units of at least 1, found 0"),
        ({"layers": 0}, "expected layers of at least 1, found 0"),
        ({"cell": "rnn"}, "expected cell to be one of gru, lstm, found 'rnn'"),
        ({"dropout": 1.0}, r"expected dropout in \[0, 1\), found 1.0"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        NextFrameSettings(**changes)  # type: ignore[arg-type]
