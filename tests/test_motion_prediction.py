"""Motion prediction against a reference of one sequence at a time, and what the print alone must tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from motionprint.batches import Batch, pack
from motionprint.errors import SettingsError
from motionprint.methods.motion_prediction import MotionPrediction, MotionPredictionSettings
from motionprint.skeleton import SKELETONS
from motionprint.training.loop import gradients

KINECT = SKELETONS["kinect20"]
INPUTS = 60


def _method(seed: int = 0, **changes: object) -> MotionPrediction:
    torch.manual_seed(seed)
    sizes: dict[str, object] = {"encoder_units": 5, "decoder_units": 6, "dropout": 0.0, "horizon": 3}
    return MotionPrediction(KINECT, INPUTS, MotionPredictionSettings(**{**sizes, **changes})).double()  # type: ignore[arg-type]


def _sequences(lengths: tuple[int, ...], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, (length, INPUTS)).astype(np.float32) for length in lengths]


def _batch(sequences: list[np.ndarray]) -> Batch:
    batch, _ = pack(sequences)
    return Batch(batch.frames.double(), batch.hidden, batch.packing, batch.known)


def _reference(method: MotionPrediction, x: Tensor, known: Tensor) -> Tensor:
    """The error of one sequence x (T, D) by plain ``nn.GRU`` or ``nn.LSTM``, frame by frame."""
    h = min(method.settings.horizon, len(x) // 2)
    m = len(x) - h
    _, state = method.encoder.rnn.cell(torch.where(known, x, 0)[:m, None])
    state = state[0] if isinstance(state, tuple) else state
    f = torch.tanh(method.encoder.output(torch.cat([state[-2, 0], state[-1, 0]])))
    outputs, _ = method.decoder.rnn.cell(torch.cat([f[None], torch.zeros(h, len(f), dtype=f.dtype)])[:, None])
    error = torch.zeros((), dtype=x.dtype)
    for k in range(h):
        wrong = x[m + k] - x[m + k - 1] - method.decoder.output(outputs[1 + k, 0])
        error = error + wrong[known[m + k] & known[m + k - 1]].square().sum() / h
    return error


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("missing", [False, True])
def test_objective_and_gradients_are_those_of_one_sequence_at_a_time(cell: str, missing: bool) -> None:
    method = _method(cell=cell)
    sequences = _sequences((9, 2, 1, 7, 5))
    if missing:
        sequences[0][6:8, 4:9] = np.nan
        sequences[3][:3, 0] = np.nan
    objectives = method.objectives(_batch(sequences))
    gradients(method.networks, objectives)
    longer = [torch.from_numpy(x).double() for x in sequences if len(x) > 1]
    errors = [_reference(method, x.nan_to_num(), ~torch.isnan(x)) for x in longer]
    expected = torch.stack(errors).sum() / 5  # the sequence of one frame counts, with nothing to predict
    assert objectives["encoder"] is objectives["decoder"]
    torch.testing.assert_close(objectives["decoder"], expected, rtol=1e-10, atol=0)
    reference = torch.autograd.grad(expected, list(method.parameters()))
    for parameter, gradient in zip(method.parameters(), reference, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-9, atol=1e-12)


def test_at_most_half_of_the_frames_are_predicted_and_the_encoder_never_sees_them() -> None:
    method = _method(horizon=8)
    batch = _batch(_sequences((35, 20, 16, 7, 3, 2, 1)))
    motions = method.motions(batch)
    assert motions.packing.lengths == (8, 8, 8, 3, 1, 1, 0)
    observed = batch.packing.resized(method._observed)
    assert observed.lengths == (27, 12, 8, 4, 2, 1, 1)
    lengths = torch.tensor(observed.lengths)
    future = batch.packing.time >= lengths[batch.packing.sequence]
    changed = Batch(torch.where(future[:, None], 0.5, batch.frames), batch.hidden, batch.packing)
    assert torch.equal(method.predict(batch), method.predict(changed))
    assert not torch.equal(motions.frames, method.motions(changed).frames)


def test_motions_are_displacements_in_the_order_of_time() -> None:
    method = _method()
    frames = np.arange(6)[:, None] ** 2 * np.ones((1, INPUTS), np.float32)  # 0 1 4 9 16 25
    motions = method.motions(_batch([frames[:3].astype(np.float32), frames.astype(np.float32)]))
    assert motions.frames[:, 0].tolist() == [5, 3, 7, 9]  # the longer sequence's 5, 7, 9; the shorter one's 3
    assert motions.packing.lengths == (3, 1)


def test_what_stands_at_a_missing_value_changes_nothing() -> None:
    method = _method()
    sequences = _sequences((6, 4))
    sequences[0][2:5, 7] = np.nan
    batch = _batch(sequences)
    assert batch.known is not None
    other = Batch(batch.frames.masked_fill(~batch.known, 1e6), batch.hidden, batch.packing, batch.known)
    assert torch.equal(method.objectives(batch)["encoder"], method.objectives(other)["encoder"])


def test_sequences_of_one_frame_alone_cost_nothing() -> None:
    method = _method()
    objectives = method.objectives(_batch(_sequences((1, 1))))
    gradients(method.networks, objectives)
    assert objectives["encoder"].item() == 0
    assert all(p.grad is not None and not p.grad.any() for p in method.parameters())


def test_features_do_not_depend_on_the_other_sequences_of_a_batch() -> None:
    method = _method()
    sequences = _sequences((9, 2, 1, 7))
    batch, order = pack(sequences)
    found = method.encode(batch.frames.double(), batch.packing)
    for place, number in enumerate(order):
        alone = _batch([sequences[number]])
        for name, value in method.encode(alone.frames, alone.packing).items():
            torch.testing.assert_close(found[name][place], value[0], rtol=0, atol=1e-12)


def test_the_print_learns_the_motion_to_come() -> None:
    """A toy: the speed, one of four directions, shows in the frames that are read; no single frame tells it."""
    rng = np.random.default_rng(0)
    ways = rng.normal(0, 0.1, (4, INPUTS))
    starts = rng.uniform(-0.5, 0.5, (32, INPUTS))
    sequences = [
        (start + np.arange(8)[:, None] * ways[number % 4]).astype(np.float32) for number, start in enumerate(starts)
    ]
    torch.manual_seed(0)
    settings = MotionPredictionSettings(encoder_units=16, decoder_units=32, dropout=0.0, horizon=4)
    method = MotionPrediction(KINECT, INPUTS, settings)
    batch, _ = pack(sequences)
    optimiser = torch.optim.Adam(method.parameters(), lr=8e-3)
    for _ in range(250):
        gradients(method.networks, method.objectives(batch))
        optimiser.step()
    with torch.no_grad():
        motions = method.motions(batch)
        error = (method.predict(batch) - motions.frames).square().mean().sqrt()
    assert error < motions.frames.square().mean().sqrt() / 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder_units": 0}, "expected encoder_units of at least 1, found 0"),
        ({"horizon": 0}, "expected horizon of at least 1, found 0"),
        ({"cell": "rnn"}, "expected cell to be one of gru, lstm, found 'rnn'"),
        ({"dropout": 1.0}, r"expected dropout in \[0, 1\), found 1.0"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        MotionPredictionSettings(**changes)  # type: ignore[arg-type]
