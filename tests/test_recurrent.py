"""Our recurrent layers against PyTorch's own on packed sequences, in float64: values and every gradient."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from motionprint.batches import Packing
from motionprint.networks import RecurrentLayers
from motionprint.networks import recurrent as recurrent_module
from motionprint.networks.recurrent import Cell

INPUTS, HIDDEN = 3, 4
TOLERANCE = {"rtol": 0.0, "atol": 1e-12}
"""A few hundred float64 roundings of numbers near one; a wrong gate, sign or step is off by 1e-3 or more."""

lengths_strategy = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def _layers(
    layers: int = 2, *, bidirectional: bool = True, cell: Cell = "gru", dropout: float = 0.0
) -> RecurrentLayers:
    torch.manual_seed(7)
    made = RecurrentLayers(INPUTS, HIDDEN, layers, bidirectional=bidirectional, cell=cell, dropout=dropout)
    return made.double()


def _sequences(lengths: list[int], seed: int = 0) -> list[Tensor]:
    """Longest first."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(length, INPUTS, generator=generator, dtype=torch.float64)
        for length in sorted(lengths, reverse=True)
    ]


def _packed(sequences: list[Tensor]) -> tuple[Tensor, Packing]:
    return pack_sequence(sequences).data, Packing(tuple(len(sequence) for sequence in sequences))


def _last_states(h_n: Tensor, layers: int, directions: int) -> Tensor:
    """The last layer's states of ``h_n`` (layers x directions, N, H), directions side by side (N, directions H)."""
    return torch.cat(list(h_n.view(layers, directions, *h_n.shape[1:])[-1]), dim=1)


def _reference(cell: torch.nn.RNNBase, rows: Tensor, packing: Packing) -> tuple[Tensor, Tensor]:
    """Outputs and last states from ``nn.GRU`` or ``nn.LSTM``, the states by way of ``h_n``."""
    outputs, state = cell(PackedSequence(rows, packing.batch_sizes))
    h_n = state[0] if isinstance(state, tuple) else state
    return outputs.data, _last_states(h_n, cell.num_layers, 2 if cell.bidirectional else 1)


def _gradients(outputs: Tensor, states: Tensor, wanted: list[Tensor]) -> tuple[Tensor, ...]:
    """Of a loss that weighs every output and every state differently."""
    generator = torch.Generator().manual_seed(1)
    loss = (outputs * torch.randn(outputs.shape, generator=generator, dtype=torch.float64)).sum()
    loss = loss + (states.square() * torch.rand(states.shape, generator=generator, dtype=torch.float64)).sum()
    return torch.autograd.grad(loss, wanted)


@given(
    lengths=lengths_strategy,
    layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    cell=st.sampled_from(["gru", "lstm"]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_values_and_all_gradients_are_those_of_nn_gru_and_nn_lstm(
    lengths: list[int], layers: int, bidirectional: bool, cell: Cell, seed: int
) -> None:
    ours = _layers(layers, bidirectional=bidirectional, cell=cell)
    reference = copy.deepcopy(ours.cell)
    rows, packing = _packed(_sequences(lengths, seed))
    x, y = rows.clone().requires_grad_(), rows.clone().requires_grad_()
    found, expected = ours(x, packing), _reference(reference, y, packing)
    torch.testing.assert_close(found, expected, **TOLERANCE)
    wanted = [name for name, _ in reference.named_parameters()]
    gradients = _gradients(*found, [x, *(ours.cell.get_parameter(name) for name in wanted)])
    others = _gradients(*expected, [y, *(reference.get_parameter(name) for name in wanted)])
    for name, gradient, other in zip(["inputs", *wanted], gradients, others, strict=True):
        torch.testing.assert_close(gradient, other, **TOLERANCE, msg=lambda text, name=name: f"{name}: {text}")
    assert gradients[0].abs().max() > 1e-4  # a comparison of zeros would prove nothing


@given(lengths=lengths_strategy, bidirectional=st.booleans(), cell=st.sampled_from(["gru", "lstm"]))
@settings(max_examples=20, deadline=None)
def test_last_states_and_what_they_owe_are_those_of_all_outputs(
    lengths: list[int], bidirectional: bool, cell: Cell
) -> None:
    ours = _layers(2, bidirectional=bidirectional, cell=cell)
    rows, packing = _packed(_sequences(lengths))
    x, y = rows.clone().requires_grad_(), rows.clone().requires_grad_()
    states, (_, expected) = ours.last_states(x, packing), ours(y, packing)
    torch.testing.assert_close(states, expected, **TOLERANCE)
    found = torch.autograd.grad(states.sin().sum(), [x, *ours.parameters()])
    others = torch.autograd.grad(expected.sin().sum(), [y, *ours.parameters()])
    torch.testing.assert_close(found, others, **TOLERANCE)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_inference_gives_the_bits_of_training(cell: Cell, bidirectional: bool) -> None:
    ours = _layers(2, bidirectional=bidirectional, cell=cell)
    rows, packing = _packed(_sequences([1, 7, 4, 7, 2]))
    trained = ours(rows, packing)
    with torch.inference_mode():
        assert all(torch.equal(found, other) for found, other in zip(ours(rows, packing), trained, strict=True))
        assert torch.equal(ours.last_states(rows, packing), trained[1])


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_rows_may_come_in_blocks_of_which_each_has_its_gradient(cell: Cell) -> None:
    ours = _layers(2, bidirectional=False, cell=cell)
    rows, packing = _packed(_sequences([5, 3, 3]))
    whole = rows.clone().requires_grad_()
    (expected,) = torch.autograd.grad(ours.outputs([whole], packing).sin().sum(), whole)
    first, second, third = (block.clone().requires_grad_() for block in rows.split([3, 4, 4]))
    outputs = ours.outputs([first, second.detach(), third], packing)
    found = torch.autograd.grad(outputs.sin().sum(), [first, third])
    torch.testing.assert_close(found, (expected[:3], expected[7:]), **TOLERANCE)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_each_sequence_alone_gives_the_same_outputs_and_states(cell: Cell, bidirectional: bool) -> None:
    ours = _layers(2, bidirectional=bidirectional, cell=cell)
    sequences = _sequences([1, 7, 4, 7, 2])
    rows, packing = _packed(sequences)
    outputs, states = ours(rows, packing)
    for number, sequence in enumerate(sequences):
        alone, state = ours(sequence, Packing((len(sequence),)))
        torch.testing.assert_close(outputs[packing.sequence == number], alone, **TOLERANCE)
        torch.testing.assert_close(states[number], state[0], **TOLERANCE)


def test_the_order_of_equally_long_sequences_changes_nothing() -> None:
    ours = _layers()
    sequences = _sequences([5, 5, 5])
    _, states = ours(*_packed(sequences))
    _, turned = ours(*_packed([sequences[i] for i in (2, 0, 1)]))
    torch.testing.assert_close(turned, states[[2, 0, 1]], **TOLERANCE)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_weights_have_the_names_and_the_layout_of_pytorchs_cells(cell: Cell) -> None:
    ours = _layers(3, cell=cell)
    kind = torch.nn.GRU if cell == "gru" else torch.nn.LSTM
    expected = kind(INPUTS, HIDDEN, 3, bidirectional=True).state_dict()
    found = ours.state_dict()
    assert {name: tuple(weight.shape) for name, weight in found.items()} == {
        f"cell.{name}": tuple(weight.shape) for name, weight in expected.items()
    }


def test_float32_stays_float32() -> None:
    ours = _layers().float()
    rows, packing = _packed(_sequences([4, 2]))
    outputs, states = ours(rows.float(), packing)
    assert outputs.dtype == states.dtype == torch.float32


# ---- dropout -------------------------------------------------------------------------------------------------------


def test_dropout_changes_nothing_in_one_layer() -> None:
    plain, dropping = _layers(1), _layers(1, dropout=0.9).train()
    rows, packing = _packed(_sequences([6, 3]))
    torch.testing.assert_close(dropping(rows, packing), plain(rows, packing), rtol=0, atol=0)


def test_dropout_is_drawn_in_training_and_not_in_evaluation() -> None:
    ours, plain = _layers(2, dropout=0.5), _layers(2)
    rows, packing = _packed(_sequences([6, 3]))
    ours.train()
    assert not torch.equal(ours(rows, packing)[0], ours(rows, packing)[0])
    ours.eval()
    torch.testing.assert_close(ours(rows, packing), plain(rows, packing), rtol=0, atol=0)


def test_dropout_works_between_layers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is dropped: the first layer's outputs, once for all frames; never inputs, states or last outputs."""
    seen: list[Tensor] = []

    def zero(outputs: Tensor, share: float, packing: Packing) -> Tensor:
        assert share == 0.5
        seen.append(outputs.detach().clone())
        return torch.zeros_like(outputs)

    monkeypatch.setattr(recurrent_module, "dropout", zero)
    ours = _layers(2, dropout=0.5).train()
    rows, packing = _packed(_sequences([6, 3]))
    outputs, _ = ours(rows, packing)
    first = torch.nn.GRU(INPUTS, HIDDEN, bidirectional=True).double()
    second = torch.nn.GRU(2 * HIDDEN, HIDDEN, bidirectional=True).double()
    weights = ours.cell.state_dict()
    first.load_state_dict({name: weights[name] for name in first.state_dict()})
    second.load_state_dict({name: weights[name.replace("_l0", "_l1")] for name in second.state_dict()})
    expected, _ = _reference(first, rows, packing)
    assert len(seen) == 1
    torch.testing.assert_close(seen[0], expected, **TOLERANCE)
    blind, _ = _reference(second, torch.zeros_like(expected), packing)  # whole, though its inputs are gone
    torch.testing.assert_close(outputs, blind, **TOLERANCE)


def test_a_share_of_the_values_is_dropped_and_the_others_make_up_for_it() -> None:
    """100,000 draws: the share of 0.2 has a standard error of 0.0013."""
    values = torch.ones(1000, 100, dtype=torch.float64, requires_grad=True)
    found = recurrent_module.dropout(values, 0.2, Packing((1000,)))
    kept = found > 0
    assert float(kept.double().mean()) == pytest.approx(0.8, abs=0.006)
    assert found[kept].unique().tolist() == pytest.approx([1.25], rel=1e-4)
    assert float(kept.double().mean(0).std()) < 0.03 and float(kept.double().mean(1).std()) < 0.08  # no stripes
    (gradient,) = torch.autograd.grad(found.sum(), values)
    assert torch.equal(gradient, found.detach())


# ---- low precision -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_bf16_products_are_close_and_all_else_stays_float32(cell: Cell, bidirectional: bool) -> None:
    """bfloat16 has 8 bits: factors and products are rounded by up to 1/256, sums and states are not."""
    torch.manual_seed(0)
    ours = RecurrentLayers(9, 24, 2, bidirectional=bidirectional, cell=cell).train()
    packing = Packing(tuple(sorted((1, 3, 9, 17, 17, 20, 30), reverse=True)))
    rows = torch.randn(sum(packing.lengths), 9, requires_grad=True)
    wanted = [rows, *ours.parameters()]
    exact, _ = ours(rows, packing)
    weights = torch.randn_like(exact)
    expected = torch.autograd.grad((exact * weights).sum(), wanted)
    ours.low = torch.bfloat16
    outputs, _ = ours(rows, packing)
    assert outputs.dtype == torch.float32
    assert 0 < float((outputs - exact).detach().abs().max()) < 0.02
    for found, other in zip(torch.autograd.grad((outputs * weights).sum(), wanted), expected, strict=True):
        assert found.dtype == torch.float32
        assert float((found - other).norm() / other.norm()) < 0.02
    ours.eval()  # prints are made in float32
    assert torch.equal(ours(rows, packing)[0], exact)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_kernels_of_other_devices_compute_the_same_in_either_precision(cell: Cell, bidirectional: bool) -> None:
    torch.manual_seed(0)
    ours = RecurrentLayers(9, 24, 2, bidirectional=bidirectional, cell=cell).train()
    packing = Packing((30, 20, 17, 17, 3, 1))
    rows = torch.randn(packing.rows, 9)
    exact, _ = ours(rows, packing)
    assert float((ours._kernels(rows, packing) - exact).detach().abs().max()) < 1e-5
    ours.low = torch.bfloat16
    low = ours._kernels(rows, packing)
    assert low.dtype == torch.float32 and 0 < float((low - exact).detach().abs().max()) < 0.05
    low.sum().backward()
    assert all(weight.grad is not None and weight.grad.dtype == torch.float32 for weight in ours.parameters())
    assert float((ours.eval()._kernels(rows, packing) - exact).detach().abs().max()) < 1e-5


# ---- the graph -----------------------------------------------------------------------------------------------------


@pytest.fixture
def weight_gradients(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry each time that the gradients of recurrent weights are computed."""
    calls: list[int] = []
    original = recurrent_module._Weights.backward

    def counted(ctx: Any, *gradients: Any) -> Any:
        calls.append(1)
        return original(ctx, *gradients)

    monkeypatch.setattr(recurrent_module._Weights, "backward", staticmethod(counted))
    return calls


def test_gradients_of_other_parameters_never_compute_those_of_the_recurrent_weights(
    weight_gradients: list[int],
) -> None:
    """Enc's objective runs backward through Dec: its weights' gradients, which nobody wants, must cost nothing."""
    below, above = torch.nn.Linear(INPUTS, INPUTS).double(), _layers(2)
    rows, packing = _packed(_sequences([5, 3]))
    outputs, _ = above(below(rows), packing)
    loss = outputs.square().sum()
    loss.backward(inputs=list(below.parameters()), retain_graph=True)
    assert weight_gradients == []
    assert all(parameter.grad is None for parameter in above.parameters())
    assert below.weight.grad is not None and below.weight.grad.abs().max() > 1e-4
    loss.backward(inputs=list(above.parameters()))
    assert len(weight_gradients) == 2  # once a layer, both directions together


def test_frozen_weights_let_the_gradient_of_the_inputs_through(weight_gradients: list[int]) -> None:
    ours = _layers(2)
    reference = copy.deepcopy(ours.cell)
    ours.requires_grad_(False)
    rows, packing = _packed(_sequences([5, 3]))
    x, y = rows.clone().requires_grad_(), rows.clone().requires_grad_()
    (gradient,) = _gradients(*ours(x, packing), [x])
    (expected,) = _gradients(*_reference(reference, y, packing), [y])
    torch.testing.assert_close(gradient, expected, **TOLERANCE)
    assert weight_gradients == []


def test_two_backward_passes_through_one_graph_give_the_gradients_of_two_graphs() -> None:
    ours = _layers(2)
    rows, packing = _packed(_sequences([6, 4, 1]))
    parameters = list(ours.parameters())

    def losses() -> tuple[Tensor, Tensor]:
        outputs, states = ours(rows, packing)
        return outputs.square().sum(), states.sin().sum()

    shared = losses()
    first = torch.autograd.grad(shared[0], parameters, retain_graph=True)
    second = torch.autograd.grad(shared[1], parameters, retain_graph=True, materialize_grads=True)
    again = torch.autograd.grad(shared[0], parameters)
    for found, expected in (
        (first, torch.autograd.grad(losses()[0], parameters)),
        (second, torch.autograd.grad(losses()[1], parameters, materialize_grads=True)),
        (again, first),
    ):
        for gradient, other in zip(found, expected, strict=True):
            torch.testing.assert_close(gradient, other, **TOLERANCE)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_gradient_that_comes_in_is_left_as_it_is(cell: Cell, bidirectional: bool) -> None:
    """It belongs to whoever is above, who may send it elsewhere too."""
    ours = _layers(1, bidirectional=bidirectional, cell=cell)
    rows, packing = _packed(_sequences([6, 3]))
    outputs = ours.outputs([rows.requires_grad_()], packing)
    incoming = torch.randn_like(outputs)
    before = incoming.clone()
    torch.autograd.grad(outputs, rows, grad_outputs=incoming)
    assert torch.equal(incoming, before)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_gradients_agree_with_finite_differences(cell: Cell, bidirectional: bool) -> None:
    ours = RecurrentLayers(2, 2, 2, bidirectional=bidirectional, cell=cell).double()
    packing = Packing((3, 2))
    names = [name for name, _ in ours.named_parameters()]
    weights = [weight.detach().clone().requires_grad_() for weight in ours.parameters()]
    rows = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)

    def forward(frames: Tensor, *values: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = torch.func.functional_call(
            ours, dict(zip(names, values, strict=True)), (frames, packing)
        )
        return found

    assert torch.autograd.gradcheck(forward, (rows, *weights))
