"""The only training loop: each network receives the gradient of its own objective and of nothing else."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from types import FrameType

import torch
from torch import Tensor, nn

from motionprint.batches import Crops
from motionprint.errors import MotionprintError
from motionprint.methods import Method
from motionprint.training.profile import phase
from motionprint.training.settings import TrainingSettings

__all__ = ["Trainer", "gradients", "interrupts"]


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


class Trainer:
    """A method, its optimiser and the number of steps done: everything that a checkpoint holds."""

    def __init__(self, method: Method, crops: Crops, settings: TrainingSettings, seed: int) -> None:
        self.method = method
        self.crops = crops
        self.settings = settings
        self.seed = seed
        self.step = 0
        self.device = next(method.parameters()).device
        self.optimiser = torch.optim.Adam(method.parameters(), lr=settings.learning_rate, foreach=False)

    def run(self, after_step: Callable[[int, Mapping[str, float]], None], interrupted: Callable[[], int]) -> int:
        """Train up to ``settings.steps``; 0, or the number of the signal that ended it after a whole step.

        ``after_step`` is called with the number of steps done and, by network, its objective and the norm of its
        gradient (``NAME_gradient``); ``interrupted`` (see `interrupts`) is asked after that.
        """
        self.method.train()
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            while self.step < self.settings.steps:
                values = self._one_step()
                after_step(self.step, values)
                if interrupted():
                    return interrupted()
        return 0

    def _one_step(self) -> dict[str, float]:
        # what a step draws depends on the seed and the step alone: a run taken up again draws the same
        torch.manual_seed((self.seed * 1_000_003 + self.step) % 2**63)
        with phase("draw batch"):
            batch = self.crops.batch(self.step, self.device)
        networks = self.method.networks
        with phase("objectives"):
            objectives = self.method.objectives(batch)
        gradients(networks, objectives)
        values = {name: objective.item() for name, objective in objectives.items()}
        for name, network in networks.items():
            with phase("clip gradients"):
                norm = nn.utils.clip_grad_norm_(network.parameters(), self.settings.clip_norm)
                values[f"{name}_gradient"] = float(norm)
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            raise MotionprintError(
                f"step {self.step}: expected finite objectives, found {wrong[0]} = {values[wrong[0]]}; "
                "try a smaller learning_rate"
            )
        with phase("optimiser step"):
            self.optimiser.step()
        for name, bound in self.method.bounds.items():
            with torch.no_grad():
                for parameter in networks[name].parameters():
                    parameter.clamp_(-bound, bound)
        self.step += 1
        return values

    def state(self) -> dict[str, Tensor]:
        """Weights and the optimiser's moments by name, as a checkpoint stores them."""
        tensors = {f"model.{name}": weight for name, weight in self.method.state_dict().items()}
        for name, parameter in self.method.named_parameters():
            for key, value in self.optimiser.state[parameter].items():
                tensors[f"optimizer.{name}.{key}"] = value
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
                self.optimiser.state[parameter] = {
                    key: value if key == "step" else value.to(parameter.device) for key, value in moments.items()
                }
        self.step = step


@contextlib.contextmanager
def interrupts() -> Iterator[Callable[[], int]]:
    """Let the first Ctrl-C or SIGTERM wait for the end of a step; the second one interrupts at once.

    Gives a function that returns the number of the signal that was received, or 0.
    """
    asked = 0
    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = number

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
