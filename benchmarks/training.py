"""A whole training step beside two others in one run, as shares of what the machine's matrix products reach.

    python benchmarks/training.py [--sizes small 400 paper paper-wide] [--threads N] [--json FILE]
    python benchmarks/training.py --epoch 1024 --sizes paper --device cuda

The task: LongT GAN's joint loss, 64 sub-sequences of 7 to 35 frames with 93 inputs a step. The ways:

float32  motionprint's training loop: batches of similar lengths, prepared ahead and packed; each network's gradient
         from its own objective and from nothing else
bf16     the same with `--precision bf16`, where the processor or the GPU has instructions for it
plain    nn.GRU, batches padded to their longest sequence, three separate passes: for each network its objective is
         computed anew, without what it has no use for, and run backward
field    as plain, but as this field's public code steps: one frame at a time (nn.GRUCell, the fastest way), padded to
         the longest sequence there is

The ways take turns. Counted are valid frames, never padding, and the floating-point operations that the gradients of
the three objectives need on them (`work`), whatever a way computes beside; the rate of the matrix products is the best
of square ones of 2,048, in the same run, in the precision of the way. `--epoch` times one epoch of 25 sub-sequences of
each of 2,240 recordings with batches of the size given.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from motionprint.batches import Crops
from motionprint.methods import Inpainting
from motionprint.methods.inpainting import InpaintingSettings
from motionprint.networks import bf16_instructions
from motionprint.preprocessing import Frames
from motionprint.skeleton import SKELETONS
from motionprint.training import TrainingSettings
from motionprint.training.loop import Trainer

SKELETON = SKELETONS["cmu31"]
INPUTS = 3 * len(SKELETON)
BATCH, SHORTEST, LONGEST = 64, 7, 35
SIZES = {
    "small": Inpainting.presets["small"],
    "400": InpaintingSettings(encoder_units=400, decoder_units=400, discriminator_units=100),
    "paper": Inpainting.presets["paper"],
    "paper-wide": Inpainting.presets["paper-wide"],
}
WAYS = ["float32", "bf16", "plain", "field"]
ROUNDS = 3


# ---- what has to be computed -----------------------------------------------------------------------------------------


def work(settings: InpaintingSettings, frames: int, sequences: int) -> int:
    """Floating-point operations that the three gradients need on R valid frames of N sequences.

    Counted are the products of the recurrent layers and of Dec's output layer; a product's term is two operations.
    """
    s = settings
    encoder = _layers(INPUTS, s.encoder_units, s.layers, 2)
    decoder = _layers(INPUTS, s.decoder_units, s.layers, 1)
    discriminator = _layers(INPUTS, s.discriminator_units, s.layers, 2)
    steps, output = frames + sequences, 2 * frames * s.decoder_units * INPUTS  # Dec reads the print, then the frames

    def forward(layers: list[tuple[int, int]], rows: int, starts: int) -> int:
        return sum(rows * by_input + (rows - starts) * by_state for by_input, by_state in layers)

    enc = forward(encoder, frames, sequences)
    dec = forward(decoder, steps, sequences) + output
    dis = forward(discriminator, 3 * frames, 3 * sequences)
    of_enc, of_dec, of_dis = (layers[0][0] for layers in (encoder, decoder, discriminator))  # a row with its inputs
    return (
        3 * enc - frames * of_enc  # forward, weights, and the gradients of the states and of all but the inputs
        + 2 * dec  # of F and of z
        + dec - frames * of_dec  # for Enc: to the states and to F
        + 2 * (2 * dec - steps * of_dec)  # for Dec, of F and of z: weights, states
        + 3 * dis - 3 * frames * of_dis  # for Dis: forward, weights, states
        + 2 * dis // 3  # for Dec: through Dis to the inpainted frames
    )  # fmt: skip


def _layers(inputs: int, hidden: int, layers: int, directions: int) -> list[tuple[int, int]]:
    """By layer: operations of a row with its inputs and with its state."""
    widths = [inputs, *[directions * hidden] * (layers - 1)]
    return [(directions * 6 * hidden * width, directions * 6 * hidden * hidden) for width in widths]


# ---- motionprint -----------------------------------------------------------------------------------------------------


def crops(batch_size: int, recordings: int, seed: int = 0) -> Crops:
    random = np.random.default_rng(seed)
    lengths = random.integers(LONGEST, 3 * LONGEST, recordings)
    made = ([random.uniform(-1, 1, (length, INPUTS)).astype(np.float32)] for length in lengths)
    parts = list(Inpainting(SKELETON, INPUTS, InpaintingSettings()).hidden_inputs)
    drawn = {"batch_size": batch_size, "crops": 25, "shortest": SHORTEST, "longest": LONGEST}
    return Crops(Frames(made, INPUTS), parts, hidden_parts=None, seed=seed, **drawn)


class Ours:
    """The trainer, some steps at a time."""

    def __init__(self, settings: InpaintingSettings, drawn: Crops, device: torch.device, precision: Any) -> None:
        torch.manual_seed(0)
        self.method = Inpainting(SKELETON, INPUTS, settings).to(device)
        self.drawn, self.device, self.precision, self.step = drawn, device, precision, 0

    def train(self, steps: int) -> tuple[int, int]:
        """The valid frames and the sequences of these steps."""
        settings = TrainingSettings(
            steps=self.step + steps, batch_size=self.drawn.batch_size, precision=self.precision, explosion=None
        )
        trainer = Trainer(self.method, self.drawn, settings, 0)
        trainer.step = self.step
        trainer.run(lambda step, values: None, lambda: 0)
        done = [self.drawn.lengths(step) for step in range(self.step, self.step + steps)]
        self.step += steps
        return sum(int(each.sum()) for each in done), sum(map(len, done))


# ---- the others ------------------------------------------------------------------------------------------------------


class Recurrent(nn.Module):
    """Layers over padded batches (N, T, D): of nn.GRU at once, or of nn.GRUCell one frame at a time."""

    def __init__(self, inputs: int, hidden: int, s: InpaintingSettings, directions: int, stepwise: bool) -> None:
        super().__init__()
        self.stepwise, self.directions, self.drop = stepwise, directions, nn.Dropout(s.dropout)
        widths = [inputs, *[directions * hidden] * (s.layers - 1)]
        if stepwise:
            self.layers = nn.ModuleList(nn.GRUCell(width, hidden) for width in widths for _ in range(directions))
        else:
            self.gru = nn.GRU(inputs, hidden, s.layers, True, True, s.dropout, directions == 2)

    def forward(self, padded: Tensor) -> tuple[Tensor, Tensor]:
        """(N, T, n H) the outputs, and (N, n H) the last states of the last layer."""
        if not self.stepwise:
            outputs, states = self.gru(padded)
            return outputs, torch.cat(list(states[-self.directions :]), dim=1)
        last: list[Tensor] = []
        for first in range(0, len(self.layers), self.directions):
            frames = (self.drop(padded) if first else padded).unbind(1)
            found, last = [], []
            for backward in range(self.directions):
                state, outputs = None, []
                for frame in reversed(frames) if backward else frames:
                    state = self.layers[first + backward](frame, state)
                    outputs.append(state)
                found.append(torch.stack(outputs[::-1] if backward else outputs, dim=1))
                last.append(outputs[-1])
            padded = torch.cat(found, dim=2)
        return padded, torch.cat(last, dim=1)


class Reference:
    """LongT GAN as it is written without a thought for speed, but for computing what a pass has no use for.

    Frames of padding have no part in the element-wise loss; the recurrences run over them.
    """

    def __init__(self, settings: InpaintingSettings, device: torch.device, stepwise: bool) -> None:
        torch.manual_seed(0)
        self.s, self.device, self.longest = settings, device, LONGEST if stepwise else 0
        self.enc = Recurrent(INPUTS, settings.encoder_units, settings, 2, stepwise)
        self.to_print = nn.Linear(2 * settings.encoder_units, INPUTS)
        self.dec = Recurrent(INPUTS, settings.decoder_units, settings, 1, stepwise)
        self.to_frames = nn.Linear(settings.decoder_units, INPUTS)
        self.dis = Recurrent(INPUTS, settings.discriminator_units, settings, 2, stepwise)
        self.to_logit = nn.Linear(2 * settings.discriminator_units, 1)
        networks = ([self.enc, self.to_print], [self.dec, self.to_frames], [self.dis, self.to_logit])
        self.networks = [nn.ModuleList(modules).to(device).train() for modules in networks]
        self.optimisers = [torch.optim.Adam(network.parameters(), lr=5e-4) for network in self.networks]
        self.random = np.random.default_rng(0)

    def train(self, steps: int) -> tuple[int, int]:
        """The valid frames and the sequences of these steps."""
        frames = 0
        for _ in range(steps):
            lengths = torch.from_numpy(self.random.integers(SHORTEST, LONGEST, BATCH, endpoint=True))
            frames += int(lengths.sum())
            T = self.longest or int(lengths.max())
            valid = (torch.arange(T) < lengths[:, None])[..., None]  # (N, T, 1)
            x = (2 * torch.rand(BATCH, T, INPUTS) - 1) * valid
            hidden = (torch.rand(BATCH, 1, INPUTS) < 0.4) & (torch.arange(T) > 0)[None, :, None]
            weights = valid / (lengths[:, None, None] * BATCH)
            self._step(*(each.to(self.device) for each in (x, hidden, valid, weights)))
        return frames, steps * BATCH

    def _step(self, x: Tensor, hidden: Tensor, valid: Tensor, weights: Tensor) -> None:
        masked = x.masked_fill(hidden, 0)

        def inpaint(prints: Tensor) -> Tensor:
            outputs, _ = self.dec(torch.cat([prints[:, None], masked], dim=1))
            frames: Tensor = self.to_frames(outputs[:, 1:]) * valid
            return frames

        def encode() -> Tensor:
            return torch.tanh(self.to_print(self.enc(x)[1]))

        def elementwise(inpainted: Tensor) -> Tensor:
            return (weights * (x - inpainted).square()).sum()

        def adversarial(inpainted: Tensor, from_noise: Tensor) -> Tensor:
            real, fake, fake_z = self.to_logit(self.dis(torch.cat([x, inpainted, from_noise]))[1]).chunk(3)
            losses = functional.softplus(-real) + functional.softplus(fake)
            return -(losses + self.s.lambda_z * functional.softplus(fake_z)).mean()

        def noise() -> Tensor:
            return torch.randn(len(x), INPUTS, device=x.device)

        def of_encoder() -> Tensor:
            return elementwise(inpaint(encode()))

        def of_decoder() -> Tensor:
            with torch.no_grad():
                prints = encode()
            inpainted = inpaint(prints)
            return elementwise(inpainted) + self.s.lambda_adv * adversarial(inpainted, inpaint(noise()))

        def of_discriminator() -> Tensor:
            with torch.no_grad():
                inpainted, from_noise = inpaint(encode()), inpaint(noise())
            return -adversarial(inpainted, from_noise)

        objectives = (of_encoder, of_decoder, of_discriminator)
        for objective, network, optimiser in zip(objectives, self.networks, self.optimisers, strict=True):
            for each in self.networks:
                each.requires_grad_(each is network)
            optimiser.zero_grad()
            objective().backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()


# ---- measuring -------------------------------------------------------------------------------------------------------


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matrix_rate(device: torch.device, dtype: torch.dtype, size: int) -> float:
    """Operations a second of the best of some square products."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(8):
        wait(device)
        started = time.perf_counter()
        left @ right
        wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def ways(
    settings: InpaintingSettings, device: torch.device, low: bool, wanted: list[str]
) -> Iterator[tuple[str, Callable[[int], tuple[int, int]]]]:
    drawn = crops(BATCH, 400)
    if "float32" in wanted:
        yield "float32", Ours(settings, drawn, device, "float32").train
    if "bf16" in wanted and low:
        yield "bf16", Ours(settings, drawn, device, "bf16").train
    if "plain" in wanted:
        yield "plain", Reference(settings, device, stepwise=False).train
    if "field" in wanted:
        yield "field", Reference(settings, device, stepwise=True).train


def measure(
    settings: InpaintingSettings, device: torch.device, low: bool, wanted: list[str], seconds: float, square: int = 2048
) -> list[dict[str, Any]]:
    """A row for each way: rates over all rounds, which take turns with the matrix products."""
    made = dict(ways(settings, device, low, wanted))
    steps, spent, frames, operations = ({} for _ in range(4))
    for name, train in made.items():
        train(2)  # memory is taken, kernels are made
        wait(device)
        started = time.perf_counter()
        train(2)
        wait(device)
        steps[name] = max(2, round(seconds / ROUNDS / (time.perf_counter() - started) * 2))
        spent[name], frames[name], operations[name] = 0.0, 0, 0
    rates: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    for _ in range(ROUNDS):
        for name, train in made.items():
            kind = torch.bfloat16 if name == "bf16" else torch.float32
            rates[kind].append(matrix_rate(device, kind, square))
            started = time.perf_counter()
            valid, sequences = train(steps[name])
            wait(device)
            spent[name] += time.perf_counter() - started
            frames[name] += valid
            operations[name] += work(settings, valid, sequences)
    rows = []
    speed = {name: frames[name] / spent[name] for name in made}
    for name in made:
        rate = max(rates[torch.bfloat16 if name == "bf16" else torch.float32])
        each = operations[name] / spent[name]
        rows.append(
            {
                "way": name,
                "steps": ROUNDS * steps[name],
                "ms_per_step": 1e3 * spent[name] / (ROUNDS * steps[name]),
                "frames_per_second": speed[name],
                "gflops": each / 1e9,
                "matrix_gflops": rate / 1e9,
                "share": each / rate,
                "times_plain": speed[name] / speed["plain"] if "plain" in speed else None,
                "times_field": speed[name] / speed["field"] if "field" in speed else None,
            }
        )
    return rows


def epoch(
    settings: InpaintingSettings, device: torch.device, batch_size: int, precision: str, recordings: int = 2240
) -> dict[str, Any]:
    """One epoch of 25 sub-sequences of each recording."""
    drawn = crops(batch_size, recordings)
    way = Ours(settings, drawn, device, precision)
    way.train(3)
    wait(device)
    started = time.perf_counter()
    frames, sequences = way.train(drawn.steps_per_epoch)
    wait(device)
    spent = time.perf_counter() - started
    return {
        "batch_size": batch_size,
        "precision": precision,
        "sequences": sequences,
        "frames": frames,
        "seconds": spent,
    }


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES), help="some of %(default)s")
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS, help="some of %(default)s")
    parser.add_argument("--seconds", type=float, default=20, help="that each way is trained at each size [%(default)s]")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--epoch", type=int, metavar="BATCH", help="time a whole epoch instead")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    low = torch.cuda.is_bf16_supported() if device.type == "cuda" else bf16_instructions()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    print(f"torch {torch.__version__}, {name}, {torch.get_num_threads()} threads")
    table: dict[str, Any] = {
        "torch": torch.__version__, "processor": name, "capability": torch.backends.cpu.get_cpu_capability(),
        "bf16_instructions": low, "threads": torch.get_num_threads(), "batch": BATCH, "inputs": INPUTS, "sizes": {},
    }  # fmt: skip
    if arguments.epoch is None:
        heads = ("size", "way", "ms a step", "frames/s", "GFLOP/s", "matrix", "share", "x plain", "x field")
        print(" ".join(f"{head:>10}" for head in heads))
    for size in arguments.sizes:
        if arguments.epoch is not None:
            kinds = ["float32", "bf16"] if low else ["float32"]
            rows = [epoch(SIZES[size], device, arguments.epoch, kind) for kind in kinds]
            print(*rows, sep="\n")
        else:
            rows = measure(SIZES[size], device, low, arguments.ways, arguments.seconds)
            for row in rows:
                times = [f"{row[key]:.2f}" if row[key] else "" for key in ("times_plain", "times_field")]
                figures = [f"{row['ms_per_step']:.1f}", f"{row['frames_per_second']:.0f}", f"{row['gflops']:.1f}"]
                figures += [f"{row['matrix_gflops']:.1f}", f"{row['share']:.1%}", *times]
                print(" ".join(f"{word:>10}" for word in (size, row["way"], *figures)), flush=True)
        table["sizes"][size] = rows
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
