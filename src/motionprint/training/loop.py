"""The only training loop: each network receives the gradient of its own objective and of nothing else."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from motionprint.batches import Batch, Crops
from motionprint.errors import DivergenceError
from motionprint.methods import Method
from motionprint.training.ahead import ahead
from motionprint.training.distributed import ALONE, World
from motionprint.training.memory import keep_freed_memory
from motionprint.training.precision import choose, set_precision
from motionprint.training.profile import phase
from motionprint.training.settings import Precision, TrainingSettings
from motionprint.training.validation import Validation

__all__ = ["Trainer", "gradients", "interrupts", "measured_precision"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""The signals that end training after a whole step."""


def gradients(networks: Mapping[str, nn.Module], objectives: Mapping[str, Tensor]) -> None:
    """Put into every network's ``.grad`` the gradient of that network's objective, and of no other.

    A parameter that its objective does not depend on gets a gradient of zero.
    """
    shared: dict[int, list[str]] = {}  # networks with one and the same objective need one pass
    for name, objective in objectives.items():
        shared.setdefault(id(objective), []).append(name)
    for number, names in enumerate(shared.values(), start=1):
        parameters = [parameter for name in names for parameter in networks[name].parameters()]
        for parameter in parameters:
            parameter.grad = None
        objective = objectives[names[0]]
        with phase(f"gradients of {' and '.join(names)}"):
            objective.backward(inputs=parameters, retain_graph=number < len(shared))  # type: ignore[no-untyped-call]
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)


def measured_precision(method: Method, crops: Crops, seed: int, world: World = ALONE) -> Precision:
    """`bf16` where it makes the first step of a run clearly faster (see `choose`), else `float32`."""
    device = method.weights.device
    batch = crops.batch(0, device, share=world.share)

    def step(precision: Precision) -> None:
        set_precision(method, precision)
        torch.manual_seed(seed)
        gradients(method.networks, method.objectives(batch))

    training = method.training
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        precision = choose(method.train(), step)
    method.train(training).zero_grad(set_to_none=True)
    set_precision(method, precision)
    return precision


class Trainer:
    """A method, its optimiser and the number of steps done: everything that a checkpoint holds."""

    def __init__(
        self,
        method: Method,
        crops: Crops,
        settings: TrainingSettings,
        seed: int,
        world: World = ALONE,
        *,
        rates: Mapping[str, float] | None = None,
        decay: float = 0.0,
        validation: Validation | None = None,
    ) -> None:
        self.method = method
        self.crops = crops
        self.settings = settings
        self.seed = seed
        self.step = 0
        self.first: dict[str, float] = {}
        """Objectives and gradient norms of the first step: what an explosion is measured by."""
        self.world = world
        weight = method.weights
        self.device, self.dtype = weight.device, weight.dtype
        fused = self.device.type in ("cpu", "cuda")
        others = {id(parameter) for name in rates or () for parameter in method.networks[name].parameters()}
        groups: list[dict[str, Any]] = [{"params": [each for each in method.parameters() if id(each) not in others]}]
        for name, rate in (rates or {}).items():  # networks with a step size of their own
            groups.append({"params": list(method.networks[name].parameters()), "lr": rate})
        # a closed method has nothing to step
        self.optimiser = torch.optim.Adam(
            groups if any(group["params"] for group in groups) else [torch.zeros(0, requires_grad=True)],
            lr=settings.learning_rate,
            foreach=False,
            fused=fused,
        )
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.decay = decay
        """Share of the steps, the last ones, over which step sizes fall to zero."""
        self.validation = validation
        """What ends training before its last step; None where nothing does."""
        set_precision(method, settings.precision)

    @property
    def finished(self) -> bool:
        """Whether the last step is done, or validation says that it is enough."""
        return self.step >= self.settings.steps or (self.validation is not None and self.validation.enough)

    def run(self, after_step: Callable[[int, Mapping[str, float]], None], interrupted: Callable[[], int]) -> int:
        """Train up to ``settings.steps``; 0, or the number of the signal that ended it after a whole step.

        ``after_step`` is called with the number of steps done and, by network, its objective and the norm of its
        gradient (``NAME_gradient``); ``interrupted`` (see `interrupts`) is asked after that. With several processes,
        what it says is told to all with the next step, after which all end.
        """
        self.method.train()
        self.world.spread(list(self.method.parameters()))
        devices = [self.device] if self.device.type == "cuda" else []
        keep_freed_memory()
        prepare = partial(self.crops.batch, device=self.device, share=self.world.share)
        steps = range(self.step, self.settings.steps)
        with torch.random.fork_rng(devices=devices), ahead(prepare, steps, self.settings.workers) as batches:
            for _ in steps:
                if self.finished:
                    break
                with phase("wait for the batch"):
                    batch = next(batches)
                values, stopped = self._one_step(batch, interrupted())
                if self.validation is not None:
                    values |= self.validation.after(self.step, self.step == self.settings.steps, self.world)
                if stopped or self.finished or self.step % self.settings.checkpoint_every == 0:
                    self.world.expect_same_weights(dict(self.method.named_parameters()))
                after_step(self.step, values)
                if self.world.size == 1:
                    stopped = interrupted()
                if stopped:
                    return stopped
        return 0

    def _one_step(self, batch: Batch, asked: int) -> tuple[dict[str, float], int]:
        """What a step found, and the number of the signal that any process had received before it, or 0."""
        # what a step draws depends on the seed and the step alone: a run taken up again draws the same
        torch.manual_seed((self.seed * 1_000_003 + self.step) % 2**63)
        networks = self.method.networks
        if batch.packing.count:
            with phase("objectives"):
                objectives = self.method.objectives(replace(batch, frames=batch.frames.to(self.dtype)))
            gradients(networks, objectives)
        else:  # fewer sequences than processes
            objectives = {name: torch.zeros((), dtype=self.dtype, device=self.device) for name in networks}
            for parameter in self.method.parameters():
                parameter.grad = torch.zeros_like(parameter)
        totals, signals = self._summed(objectives, asked)
        measured = dict(zip(networks, totals, strict=True))
        with phase("clip gradients"):
            for name, network in networks.items():
                measured[f"{name}_gradient"] = nn.utils.clip_grad_norm_(network.parameters(), self.settings.clip_norm)
        # one transfer: a GPU is waited for once a step
        numbers = torch.cat([torch.stack(list(measured.values())), signals]).tolist()
        values = dict(zip(measured, numbers, strict=False))
        stopped = [number for number, count in zip(SIGNALS, numbers[len(measured) :], strict=False) if count]
        self._refuse_divergence(values)  # before the weights change
        falling = self.decay * self.settings.steps
        share = min(1.0, (self.settings.steps - self.step) / falling) if falling else 1.0
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        with phase("optimiser step"):
            self.optimiser.step()
        for name, bound in self.method.bounds.items():
            with torch.no_grad():
                for parameter in networks[name].parameters():
                    parameter.clamp_(-bound, bound)
        self.step += 1
        return values, stopped[0] if stopped else 0

    def _summed(self, objectives: Mapping[str, Tensor], asked: int) -> tuple[Tensor, Tensor]:
        """Make gradients and objectives those of the whole batch, and count who has been asked to stop, by signal.

        All goes in one exchange, so that all processes see the same and stop after the same step.
        """
        names = list(self.method.networks)  # the order of the objectives is the method's own affair
        totals = torch.stack([objectives[name].detach() for name in names])
        signals = totals.new_tensor([number == asked for number in SIGNALS] if self.world.size > 1 else [])
        gradients = [parameter.grad for parameter in self.method.parameters() if parameter.grad is not None]
        self.world.sum([*gradients, totals, signals])
        return totals, signals

    def _refuse_divergence(self, values: Mapping[str, float]) -> None:
        """Stop where a number is not finite, or ``explosion`` times what it was at the first step.

        An objective counts as at least 1 and a gradient as at least ``clip_norm``: adversarial objectives and their
        gradients begin near zero, and growth from there is none that harms.
        """
        for name, value in values.items():
            if not math.isfinite(value):
                raise DivergenceError(f"step {self.step}: expected finite objectives, found {name} = {value}")
        self.first = self.first or dict(values)
        if self.settings.explosion is None:
            return
        for name, value in values.items():
            least = self.settings.clip_norm if name.endswith("_gradient") else 1.0
            limit = self.settings.explosion * max(abs(self.first.get(name, 0.0)), least)
            if abs(value) > limit:
                raise DivergenceError(
                    f"step {self.step}: expected {name} of at most {limit:.4g} "
                    f"(explosion = {self.settings.explosion:g} times the first step's), found {value:.4g}"
                )

    def state(self) -> dict[str, Tensor]:
        """Weights, the optimiser's moments and the first step's numbers by name, as a checkpoint stores them."""
        tensors = {f"model.{name}": weight for name, weight in self.method.state_dict().items()}
        for name, parameter in self.method.named_parameters():
            for key, value in self.optimiser.state[parameter].items():
                tensors[f"optimizer.{name}.{key}"] = value
        for name, number in self.first.items():
            tensors[f"first.{name}"] = torch.tensor(number, dtype=torch.float64)
        if self.validation is not None:
            tensors |= self.validation.state()
        return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def load_state(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """The inverse of ``state``."""
        prefix = "model."
        weights = {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        self.method.load_state_dict(weights)
        for name, parameter in self.method.named_parameters():
            prefix = f"optimizer.{name}."
            moments = {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
            if moments:
                self.optimiser.state[parameter] = {key: value.to(parameter.device) for key, value in moments.items()}
        prefix = "first."
        self.first = {name[len(prefix) :]: value.item() for name, value in tensors.items() if name.startswith(prefix)}
        self.step = step
        if self.validation is not None:
            self.validation.load_state(tensors)


@contextlib.contextmanager
def interrupts(world: World = ALONE) -> Iterator[Callable[[], int]]:
    """Let the first Ctrl-C or SIGTERM wait for the end of a step; the second one interrupts at once.

    With several processes it does not: their launchers pass on what each has received already, and kill after a while.

    Gives a function that returns the number of the signal that was received, or 0.
    """
    asked = 0
    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked and world.size == 1:
            raise KeyboardInterrupt
        asked = asked or number

    previous = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield lambda: asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
