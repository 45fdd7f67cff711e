"""Encoder, decoder and discriminator: shapes, what each may see, and references built of PyTorch's own layers."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motionprint.batches import Batch, pack
from motionprint.networks import Cell, Decoder, Discriminator, Encoder

D, H, R = 6, 5, 4
LENGTHS = (3, 7, 5)
TOLERANCE = {"rtol": 0.0, "atol": 1e-12}

cells = pytest.mark.parametrize("cell", ["gru", "lstm"])
outputs = pytest.mark.parametrize("output", ["linear", "recurrent"])
Output = Literal["linear", "recurrent"]


def _batch(seed: int = 0) -> Batch:
    random = np.random.default_rng(seed)
    batch, _ = pack([random.uniform(-1, 1, (length, D)).astype(np.float32) for length in LENGTHS])
    return Batch(batch.frames.double(), batch.hidden, batch.packing)


def _prints(seed: int = 0) -> Tensor:
    return torch.randn(len(LENGTHS), D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _decoder(output: Output = "linear", cell: Cell = "gru") -> Decoder:
    torch.manual_seed(3)
    return Decoder(D, H, output=output, cell=cell).double()


def _rows(batch: Batch, sequence: int) -> Tensor:
    """Which rows are those of a sequence, in order of time."""
    return torch.nonzero(batch.packing.sequence == sequence).squeeze(1)


# ---- decoder -------------------------------------------------------------------------------------------------------


@outputs
@cells
def test_an_inpainted_frame_depends_on_its_past_and_its_print_and_never_on_the_future(
    output: Output, cell: Cell
) -> None:
    """By the derivative of each output frame with respect to each input frame of each sequence."""
    decoder, batch = _decoder(output, cell), _batch()
    prints = _prints().requires_grad_()
    frames = batch.frames.clone().requires_grad_()
    found = decoder(prints, frames, batch.packing)
    for row, (time, sequence) in enumerate(zip(batch.packing.time, batch.packing.sequence, strict=True)):
        by_frames, by_prints = torch.autograd.grad(found[row].sum(), [frames, prints], retain_graph=True)
        read = (batch.packing.sequence == sequence) & (batch.packing.time <= time)
        assert (by_frames.abs().sum(1) > 0).tolist() == read.tolist()
        assert (by_prints.abs().sum(1) > 0).tolist() == [n == int(sequence) for n in range(len(LENGTHS))]


@outputs
def test_changing_the_future_changes_no_earlier_frame(output: Output) -> None:
    decoder, batch, prints = _decoder(output), _batch(), _prints()
    future = batch.packing.time >= 3
    changed = torch.where(future[:, None], 100.0, batch.frames)
    before, after = decoder(prints, batch.frames, batch.packing), decoder(prints, changed, batch.packing)
    assert torch.equal(before[~future], after[~future])
    assert not torch.isclose(before[future], after[future]).all(dim=1).any()


@outputs
@cells
def test_the_print_is_read_as_the_data_of_the_first_time_step(output: Output, cell: Cell) -> None:
    """Against PyTorch's layers on one sequence at a time: [F, x~_1, ..., x~_T], and the first output left out."""
    decoder, batch, prints = _decoder(output, cell), _batch(), _prints()
    found = decoder(prints, batch.frames, batch.packing)
    for number in range(len(LENGTHS)):
        rows = _rows(batch, number)
        read = torch.cat([prints[number : number + 1], batch.frames[rows]])  # (1 + T, D)
        states, _ = decoder.rnn.cell(read)
        if output == "linear":
            assert isinstance(decoder.output, nn.Linear)
            expected = decoder.output(states)[1:]
        else:
            expected = decoder.output.cell(states)[0][1:]
        torch.testing.assert_close(found[rows], expected, **TOLERANCE)


def test_the_recurrent_output_is_a_third_layer_of_the_size_of_a_frame() -> None:
    decoder = _decoder("recurrent", "gru")
    found = decoder(_prints(), 50 * _batch().frames, _batch().packing)
    assert found.shape == (sum(LENGTHS), D)
    assert found.abs().max() < 1  # a GRU's state lies within (-1, 1)
    assert isinstance(decoder.output.cell, nn.GRU)
    assert (decoder.output.cell.input_size, decoder.output.cell.hidden_size) == (H, D)


def test_the_linear_output_has_no_bounds() -> None:
    decoder = _decoder()
    with torch.no_grad():
        decoder.output.bias.fill_(7.0)
    assert decoder(_prints(), _batch().frames, _batch().packing).min() > 1


# ---- encoder -------------------------------------------------------------------------------------------------------


def _states(cell: nn.RNNBase, frames: Tensor) -> Tensor:
    """Last states of both directions of the last layer, for one sequence (T, D)."""
    _, state = cell(frames)
    h_n = state[0] if isinstance(state, tuple) else state  # (layers x 2, H)
    return torch.cat([h_n[-2], h_n[-1]])


@cells
@pytest.mark.parametrize("tanh", [True, False])
def test_the_print_is_one_linear_layer_on_the_last_states_of_both_directions(cell: Cell, tanh: bool) -> None:
    torch.manual_seed(0)
    encoder = Encoder(D, H, R, cell=cell, tanh=tanh).double()
    batch = _batch()
    prints, states = encoder(batch.frames, batch.packing)
    assert (prints.shape, states.shape) == ((3, R), (3, 2 * H))
    for number in range(3):
        expected = _states(encoder.rnn.cell, batch.frames[_rows(batch, number)])
        torch.testing.assert_close(states[number], expected, **TOLERANCE)
        linear = encoder.output(expected)
        torch.testing.assert_close(prints[number], torch.tanh(linear) if tanh else linear, **TOLERANCE)


def test_the_print_depends_on_every_frame_of_its_own_sequence_only() -> None:
    torch.manual_seed(0)
    encoder, batch = Encoder(D, H, R).double(), _batch()
    frames = batch.frames.clone().requires_grad_()
    prints, _ = encoder(frames, batch.packing)
    for number in range(3):
        (gradient,) = torch.autograd.grad(prints[number].sum(), frames, retain_graph=True)
        assert (gradient.abs().sum(1) > 0).tolist() == (batch.packing.sequence == number).tolist()


# ---- discriminator -------------------------------------------------------------------------------------------------


@cells
def test_the_discriminator_gives_one_logit_a_sequence(cell: Cell) -> None:
    torch.manual_seed(0)
    discriminator, batch = Discriminator(D, 3, cell=cell).double(), _batch()
    logits = discriminator(batch.frames, batch.packing)
    assert logits.shape == (3,)
    for number in range(3):
        states = _states(discriminator.rnn.cell, batch.frames[_rows(batch, number)])
        torch.testing.assert_close(logits[number], discriminator.output(states)[0], **TOLERANCE)


def test_logits_are_not_squashed() -> None:
    discriminator, batch = Discriminator(D, 3).double(), _batch()
    with torch.no_grad():
        discriminator.output.bias.fill_(40.0)
    assert discriminator(batch.frames, batch.packing).min() > 30


@cells
def test_every_network_is_made_of_the_cell_asked_for(cell: Cell) -> None:
    kind = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
    decoder = Decoder(D, H, cell=cell, output="recurrent")
    for network in (Encoder(D, H, R, cell=cell), decoder, Discriminator(D, H, cell=cell)):
        assert isinstance(network.rnn.cell, kind)
    assert isinstance(decoder.output.cell, kind)


# ---- layers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_number_of_layers_and_dropout_reach_every_network(layers: int) -> None:
    networks = [
        Encoder(D, H, R, layers=layers, dropout=0.3),
        Decoder(D, H, layers=layers, dropout=0.3),
        Discriminator(D, H, layers=layers, dropout=0.3),
    ]
    for network, bidirectional in zip(networks, (True, False, True), strict=True):
        cell = network.rnn.cell
        assert (cell.num_layers, cell.bidirectional) == (layers, bidirectional)
        assert cell.dropout == (0.3 if layers > 1 else 0.0)  # only between layers
