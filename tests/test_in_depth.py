"""In-depth dropout: the recurrence knows none of it, and what the next layer reads has a mask for each quantity."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from motionprint.batches import Packing
from motionprint.networks import InDepthLstm
from motionprint.networks import in_depth as module

PACKING = Packing((6, 4, 4, 1))
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def _layer() -> tuple[InDepthLstm, Tensor]:
    torch.manual_seed(0)
    layer = InDepthLstm(3, 4, 0.4).double()
    return layer, torch.randn(PACKING.rows, 3, dtype=torch.float64, requires_grad=True)


def _by_hand(layer: InDepthLstm, rows: Tensor, masks: list[Tensor]) -> Tensor:
    """The equations of the module, one unit of time of one sequence at a time; 10 masks: i, f, o, c, h, twice."""
    cell = layer.layer.cell
    expected = torch.zeros(PACKING.rows, 8, dtype=torch.float64)
    for way, suffix in enumerate(("", "_reverse")):
        w_ih, w_hh, b_ih, b_hh = (
            getattr(cell, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        m_i, m_f, m_o, m_c, m_h = masks[5 * way : 5 * way + 5]
        for sequence in range(PACKING.count):
            places = (PACKING.sequence == sequence).nonzero()[:, 0].tolist()
            h = c = torch.zeros(4, dtype=torch.float64)
            # the masks lie in the order in which the direction reads
            for at, row in zip(places, places[::-1] if way else places, strict=True):
                i, f, g, o = (w_ih @ rows[row] + b_ih + w_hh @ h + b_hh).chunk(4)
                i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
                dropped = m_c[at] * (m_f[at] * f * c + m_i[at] * i * g)
                output = m_h[at] * (m_o[at] * o) * torch.tanh(dropped)
                columns = torch.arange(4) + 4 * way
                expected = expected.index_put((torch.tensor(row), columns), output)
                c = f * c + i * g
                h = o * torch.tanh(c)
    return expected


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_outputs_and_gradients_are_those_of_the_equations(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, rows = _layer()
    masks = [(torch.rand(PACKING.rows, 4, dtype=torch.float64) >= share) / (1 - share) for _ in range(10)]
    drawn = iter(masks)
    monkeypatch.setattr(module, "dropout", lambda values, share, packing: values * next(drawn))
    found = layer.train().outputs(rows, PACKING)
    expected = _by_hand(layer, rows, masks)
    torch.testing.assert_close(found, expected, **EXACT)
    wanted = torch.randn_like(found)
    leaves = [rows, *layer.parameters()]
    pairs = zip(*(torch.autograd.grad((each * wanted).sum(), leaves) for each in (found, expected)), strict=True)
    for gradient, reference in pairs:
        torch.testing.assert_close(gradient, reference, **EXACT)
    if share == 0:  # and those of the plain LSTM
        torch.testing.assert_close(found, layer.eval().outputs(rows, PACKING), **EXACT)


def test_what_is_dropped_is_dropped_in_training_only_and_a_fifth_of_it_remains() -> None:
    layer, rows = _layer()
    assert torch.equal(layer.eval().outputs(rows, PACKING), layer.outputs(rows, PACKING))
    torch.manual_seed(1)
    packing = Packing((50,) * 20)
    outputs = layer.train().outputs(torch.randn(packing.rows, 3, dtype=torch.float64), packing)
    # an output is zero where it, the output gate or the cell was dropped, or (rarely not) both ways into the cell
    kept = 0.6**3 * (1 - 0.4**2)
    first = packing.sequence.numel() - packing.count  # the first frame has no cell before it
    expected = kept * (first / packing.rows) + 0.6**4 * (packing.count / packing.rows)
    assert (outputs != 0).double().mean().item() == pytest.approx(expected, abs=0.01)
