"""LongT GAN: every network receives exactly the gradient of its own objective (Algorithm 1), and the rest of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motionprint.batches import Batch, Hiding, pack
from motionprint.errors import SettingsError
from motionprint.methods.inpainting import Inpainting, InpaintingSettings
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.training.loop import gradients

KINECT = SKELETONS["kinect20"]
INPUTS = 60


def _method(seed: int = 0, **changes: object) -> Inpainting:
    torch.manual_seed(seed)
    sizes: dict[str, object] = {"encoder_units": 5, "decoder_units": 6, "discriminator_units": 3, "dropout": 0.0}
    return Inpainting(KINECT, INPUTS, InpaintingSettings(**{**sizes, **changes})).double()  # type: ignore[arg-type]


def _sequences(lengths: tuple[int, ...] = (9, 4, 7), seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, (length, INPUTS)).astype(np.float32) for length in lengths]


def _hidden(parts: list[list[int]]) -> np.ndarray:
    hidden = np.zeros((len(parts), INPUTS), bool)
    for row, chosen in enumerate(parts):
        for part in chosen:
            for joint in KINECT.body_parts[part]:
                hidden[row, 3 * joint : 3 * joint + 3] = True
    return hidden


def _double(batch: Batch) -> Batch:
    return Batch(batch.frames.double(), batch.hidden, batch.packing)


# ---- an independent reference: plain nn.GRU, one sequence at a time, losses and detached passes written out ---------


def _bidirectional(network: nn.Module, x: Tensor) -> Tensor:
    _, state = network.rnn.cell(x[:, None])  # x (T, D); state (2 layers x 2 directions, 1, H)
    return torch.cat([state[-2, 0], state[-1, 0]])


def _enc(method: Inpainting, x: Tensor) -> Tensor:
    return torch.tanh(method.encoder.output(_bidirectional(method.encoder, x)))


def _dis(method: Inpainting, x: Tensor) -> Tensor:
    assert method.discriminator is not None
    return torch.sigmoid(method.discriminator.output(_bidirectional(method.discriminator, x)))[0]


def _dec(method: Inpainting, masked: Tensor, first: Tensor) -> Tensor:
    """Of both directions, where the cell has them: nn.GRU is told by its weights."""
    outputs, _ = method.decoder.rnn.cell(torch.cat([first[None], masked])[:, None])
    return method.decoder.output(outputs[1:, 0])


def _reference(
    method: Inpainting, xs: list[Tensor], masked: list[Tensor], noise: list[Tensor]
) -> dict[str, list[Tensor]]:
    """The gradients of Algorithm 1, network by network, each from a graph of its own."""
    lambda_adv, lambda_z = method.settings.lambda_adv, method.settings.lambda_z
    count = len(xs)

    def l_ele(prints: list[Tensor]) -> Tensor:
        errors = [(x - _dec(method, m, f)).square().sum(1).mean() for x, m, f in zip(xs, masked, prints, strict=True)]
        return torch.stack(errors).mean()

    def l_adv(fakes: list[Tensor], fakes_z: list[Tensor]) -> Tensor:
        terms = [
            torch.log(_dis(method, x)) + torch.log(1 - _dis(method, y)) + lambda_z * torch.log(1 - _dis(method, z))
            for x, y, z in zip(xs, fakes, fakes_z, strict=True)
        ]
        return torch.stack(terms).sum() / count

    def grad(loss: Tensor, network: nn.Module) -> list[Tensor]:
        return list(torch.autograd.grad(loss, list(network.parameters())))

    prints = [_enc(method, x) for x in xs]
    loss = l_ele(prints)
    if method.settings.encoder_adversarial:  # through x^ alone: neither x nor x^_z depends on Enc
        fakes = [_dec(method, m, f) for m, f in zip(masked, prints, strict=True)]
        fakes_z = [_dec(method, m, z).detach() for m, z in zip(masked, noise, strict=True)]
        loss = loss + lambda_adv * l_adv(fakes, fakes_z)
    found = {"encoder": grad(loss, method.encoder)}
    fixed = [_enc(method, x).detach() for x in xs]
    fakes = [_dec(method, m, f) for m, f in zip(masked, fixed, strict=True)]
    fakes_z = [_dec(method, m, z) for m, z in zip(masked, noise, strict=True)]
    found["decoder"] = grad(l_ele(fixed) + lambda_adv * l_adv(fakes, fakes_z), method.decoder)
    assert method.discriminator is not None
    loss = -l_adv([fake.detach() for fake in fakes], [fake.detach() for fake in fakes_z])
    found["discriminator"] = grad(loss, method.discriminator)
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"encoder_adversarial": True},
        {"decoder_sees_future": True},
        {"decoder_sees_future": True, "encoder_adversarial": True},
    ],
    ids=lambda changes: " and ".join(changes) or "the paper",
)
def test_every_network_receives_exactly_the_gradient_of_its_own_objective(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    method = _method(lambda_adv=0.7, lambda_z=0.3, **changes)  # large weights, so that a wrong term would show
    sequences = _sequences()
    parts = [[0], [1, 3, 4], [2, 0]]
    batch, order = pack(sequences, _hidden(parts))
    noise = torch.randn(3, INPUTS, dtype=torch.float64)
    monkeypatch.setattr(Batch, "normal", lambda batch, columns: noise)
    gradients(method.networks, method.objectives(_double(batch)))

    xs = [torch.from_numpy(sequences[i]).double() for i in order]
    masked = []
    for x, hidden in zip(xs, _hidden([parts[i] for i in order]), strict=True):
        m = x.clone()
        m[1:, torch.from_numpy(hidden)] = 0  # the first frame stays whole
        masked.append(m)
    expected = _reference(method, xs, masked, list(noise))
    for name, network in method.networks.items():
        for (parameter, weight), reference in zip(network.named_parameters(), expected[name], strict=True):
            assert weight.grad is not None
            assert reference.abs().max() > 0, (name, parameter)
            torch.testing.assert_close(weight.grad, reference, rtol=1e-10, atol=1e-12, msg=f"{name}.{parameter}")


def test_encoder_ignores_the_adversarial_loss() -> None:
    batch = _double(pack(_sequences(), _hidden([[0], [1], [2]]))[0])
    found = []
    for weight in (0.0, 5.0):
        method = _method(lambda_adv=weight)
        torch.manual_seed(1)
        gradients(method.networks, method.objectives(batch))
        found.append([p.grad.clone() for p in method.encoder.parameters() if p.grad is not None])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_only_an_adversarial_encoder_hears_of_the_adversarial_loss() -> None:
    batch = _double(pack(_sequences(), _hidden([[0], [1], [2]]))[0])
    found = {}
    for weight in (0.0, 5.0):
        method = _method(lambda_adv=weight, encoder_adversarial=True)
        torch.manual_seed(1)
        objectives = method.objectives(batch)
        assert objectives["encoder"] is objectives["decoder"]  # one and the same, so that one pass serves both
        gradients(method.networks, objectives)
        found[weight] = [p.grad.clone() for p in method.encoder.parameters() if p.grad is not None]
    assert all(not torch.allclose(a, b) for a, b in zip(found[0.0], found[5.0], strict=True))
    plain = _method(adversary="none", encoder_adversarial=True)  # there is no such loss then
    gradients(plain.networks, plain.objectives(batch))
    for a, b in zip(found[0.0], plain.encoder.parameters(), strict=True):
        torch.testing.assert_close(a, b.grad, rtol=1e-12, atol=1e-14)


def test_only_a_decoder_that_sees_the_future_depends_on_it() -> None:
    sequences = _sequences((9, 6))
    later = [sequence.copy() for sequence in sequences]
    for sequence in later:
        sequence[-1] += 0.5
    for sees in (False, True):
        method = _method(decoder_sees_future=sees)
        batches = [_double(pack(each, _hidden([[0], [1]]))[0]) for each in (sequences, later)]
        prints = torch.zeros(2, INPUTS, dtype=torch.float64)
        one, other = (method.inpaint(batch, prints) for batch in batches)
        last = torch.zeros(len(one), dtype=torch.bool)
        last[batches[0].packing.last] = True
        changed = (one != other).any(dim=1)
        assert changed[last].all() and bool(changed[~last].all()) == sees and bool(changed[~last].any()) == sees
    # the print comes before the first frame, and reaches all frames
    moved = method.inpaint(batches[1], prints + 0.1)
    assert (moved != other).any(dim=1).all()


def test_settings_reach_what_a_batch_hides() -> None:
    assert _method().hiding == Hiding(each_frame=False, first_frame=False)
    assert _method(redraw_parts=True).hiding == Hiding(each_frame=True, first_frame=False)
    assert _method(hide_first_frame=True).hiding == Hiding(each_frame=False, first_frame=True)


def test_a_model_without_f_ignores_the_sequence_but_for_its_shown_values() -> None:
    method = _method(condition="none")
    batch = _double(pack(_sequences((6,)), _hidden([[0, 1]]))[0])
    changed = Batch(torch.where(batch.hidden, batch.frames + 1, batch.frames), batch.hidden, batch.packing)
    outputs = [method.inpaint(b, method.encode(b.frames, b.packing)["F"]) for b in (batch, changed)]
    torch.testing.assert_close(*outputs, rtol=0, atol=0)
    gradients(method.networks, method.objectives(batch))
    assert all(p.grad is not None and not p.grad.any() for p in method.encoder.parameters())
    with_f = _method()
    outputs = [with_f.inpaint(b, with_f.encode(b.frames, b.packing)["F"]) for b in (batch, changed)]
    assert not torch.equal(*outputs)


def test_the_objective_averages_over_frames_then_over_sequences() -> None:
    """Known answer: an output of zeros costs the mean over sequences of the mean over frames of the sum of squares."""
    method = _method(adversary="none")
    for parameter in method.decoder.parameters():
        nn.init.zeros_(parameter)
    sequences = _sequences((9, 2))
    objective = method.objectives(_double(pack(sequences)[0]))["encoder"]
    expected = np.mean([np.mean((s.astype(np.float64) ** 2).sum(1)) for s in sequences])
    assert objective.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("adversary", ["log", "nonsaturating", "wasserstein"])
def test_adversarial_losses_have_their_known_values(adversary: str) -> None:
    method = _method(adversary=adversary, lambda_z=0.5)
    real, fake, fake_z = (torch.tensor(v, dtype=torch.float64) for v in ([2.0, -1.0], [0.5, 1.0], [-2.0, 3.0]))
    decoder, discriminator = method._adversarial(torch.mean, real, fake, fake_z)
    dis = torch.sigmoid
    log_loss = (torch.log(dis(real)) + torch.log(1 - dis(fake)) + 0.5 * torch.log(1 - dis(fake_z))).mean()
    expected = {
        "log": (log_loss, -log_loss),
        "nonsaturating": (-(torch.log(dis(fake)) + 0.5 * torch.log(dis(fake_z))).mean(), -log_loss),
        "wasserstein": (
            real.mean() - fake.mean() - 0.5 * fake_z.mean(),
            -(real.mean() - fake.mean() - 0.5 * fake_z.mean()),
        ),
    }[adversary]
    torch.testing.assert_close(decoder, expected[0])
    torch.testing.assert_close(discriminator, expected[1])
    assert method.bounds == ({"discriminator": 0.01} if adversary == "wasserstein" else {})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cell": "lstm"},
        {"output": "recurrent"},
        {"adversary": "none"},
        {"decoder_sees_future": True},
        {"decoder_sees_future": True, "output": "recurrent", "cell": "lstm"},
    ],
)
def test_features_do_not_depend_on_the_other_sequences_of_a_batch(changes: dict[str, object]) -> None:
    method = _method(**changes)
    sequences = _sequences((9, 2, 7, 7))
    batch, order = pack(sequences)
    together = method.encode(batch.frames.double(), batch.packing)
    inpainted = method.inpaint(_double(batch), together["F"])
    for place, i in enumerate(order):
        alone, _ = pack([sequences[i]])
        single = method.encode(alone.frames.double(), alone.packing)
        for feature in ("F", "states"):
            torch.testing.assert_close(single[feature][0], together[feature][place], rtol=0, atol=1e-12)
        torch.testing.assert_close(
            method.inpaint(_double(alone), single["F"]), inpainted[batch.packing.sequence == place], rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("changes", [{}, {"cell": "lstm"}, {"adversary": "nonsaturating"}, {"print_tanh": False}])
def test_it_overfits_one_batch(changes: dict[str, object]) -> None:
    """A toy that must be solved: hidden parts that only the print can tell."""
    torch.manual_seed(0)
    settings = InpaintingSettings(encoder_units=16, decoder_units=32, discriminator_units=4, dropout=0.0, **changes)  # type: ignore[arg-type]
    method = Inpainting(KINECT, INPUTS, settings)
    rng = np.random.default_rng(0)
    poses = rng.uniform(-0.5, 0.5, (4, INPUTS))
    sequences = [np.repeat(pose[None], 8, 0).astype(np.float32) for pose in poses]
    for sequence in sequences:
        sequence[0] = 0  # the first frame, the only whole one, tells nothing
    batch, _ = pack(sequences, _hidden([[0, 1, 2, 3, 4]] * 4))
    optimiser = torch.optim.Adam(method.parameters(), lr=8e-3)
    for _ in range(250):
        gradients(method.networks, method.objectives(batch))
        optimiser.step()
    with torch.no_grad():
        found = method.inpaint(batch, method.encode(batch.frames, batch.packing)["F"])
        zeroed = method.inpaint(batch, torch.zeros(4, INPUTS))
    error = (found - batch.frames)[batch.hidden].square().mean().sqrt()
    assert error < 0.05  # standard deviation of what is hidden: 0.29
    assert (zeroed - batch.frames)[batch.hidden].square().mean().sqrt() > 2 * error


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder_units": 0}, "expected encoder_units of at least 1, found 0"),
        ({"cell": "rnn"}, "expected cell to be one of gru, lstm, found 'rnn'"),
        ({"adversary": "hinge"}, "expected adversary to be one of log, nonsaturating, wasserstein, none"),
        ({"dropout": 1.0}, r"expected dropout in \[0, 1\), found 1.0"),
        (
            {"decoder_sees_future": True, "decoder_units": 7},
            "expected an even decoder_units with decoder_sees_future, found 7",
        ),
        ({"hidden_parts": 6}, r"expected hidden_parts in 1\.\.5, found 6"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        InpaintingSettings(**changes)  # type: ignore[arg-type]


def test_a_skeleton_without_body_parts_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"five body parts, .* \[body_parts\] left_arm = \["):
        Inpainting(Skeleton(("a", "b"), (-1, 0)), 6, InpaintingSettings())


def test_preset_sizes_are_the_papers() -> None:
    paper = Inpainting.presets["paper"]
    assert (paper.encoder_units, paper.decoder_units, paper.discriminator_units) == (400, 800, 100)
    assert (paper.lambda_adv, paper.lambda_z, paper.dropout, paper.layers) == (0.1, 0.1, 0.2, 2)
    wide = Inpainting.presets["paper-wide"]
    assert (wide.encoder_units, wide.decoder_units) == (800, 800)
