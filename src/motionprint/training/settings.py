"""How long and how fast a method is trained."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any, Literal

from motionprint.errors import SettingsError

__all__ = [
    "FASTEST",
    "FREE",
    "PRECISIONS",
    "RECIPE_PRESETS",
    "SUPERVISED_PRESETS",
    "TRAINING_PRESETS",
    "Precision",
    "SupervisionSettings",
    "TrainingSettings",
]

Precision = Literal["auto", "float32", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("auto", "float32", "bf16")


@dataclass(frozen=True)
class TrainingSettings:
    """Batches, steps and the optimiser (Adam)."""

    steps: int = 1000
    """Training steps in all."""
    batch_size: int = 64
    """Sub-sequences a step."""
    learning_rate: float = 5e-4
    """Step size of Adam."""
    clip_norm: float = 5.0
    """Largest norm of a network's gradient."""
    crops: int = 25
    """Sub-sequences drawn from each recording in an epoch."""
    shortest: int = 7
    """Frames of the shortest sub-sequence; a recording with fewer is taken whole."""
    longest: int = 35
    """Frames of the longest sub-sequence."""
    checkpoint_every: int = 100
    """Steps between checkpoints."""
    keep_checkpoints: int = 3
    """Checkpoints kept: model.safetensors, the newest, and those before it under their steps."""
    log_every: int = 20
    """Steps that a line of log.csv averages over."""
    workers: int = 1
    """Threads that prepare batches ahead; 0 prepares each in its step. The results do not depend on it."""
    precision: Precision = "auto"
    """float32, bf16 (in matrix products only), or auto: bf16 where a short measurement finds it clearly faster."""
    explosion: float | None = 1000.0
    """Stop where an objective or a gradient is this many times that of the first step; none never does."""

    def __post_init__(self) -> None:
        counts = (
            "steps",
            "batch_size",
            "crops",
            "shortest",
            "longest",
            "checkpoint_every",
            "keep_checkpoints",
            "log_every",
            "workers",
        )
        for name in counts:
            try:
                object.__setattr__(self, name, operator.index(getattr(self, name)))
            except TypeError:
                raise SettingsError(f"expected {name} to be a whole number, found {getattr(self, name)!r}") from None
        for name in counts:
            least = 0 if name in ("steps", "workers") else 1
            if getattr(self, name) < least:
                raise SettingsError(f"expected {name} of at least {least}, found {getattr(self, name)}")
        if self.precision not in PRECISIONS:
            raise SettingsError(f"expected precision to be one of {', '.join(PRECISIONS)}, found {self.precision!r}")
        if self.longest < self.shortest:
            raise SettingsError(f"expected longest >= shortest, found {self.longest} < {self.shortest}")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"expected {name} above 0, found {getattr(self, name)}")
        if self.explosion is not None and not self.explosion > 1:
            raise SettingsError(f"expected explosion above 1, found {self.explosion}")


FREE = ("steps", "checkpoint_every", "keep_checkpoints", "log_every", "workers", "explosion")
"""Fields that change no weight of a step: they may differ when a run is taken up again."""

TRAINING_PRESETS: dict[str, TrainingSettings] = {
    "small": TrainingSettings(),
    "paper": TrainingSettings(steps=3000),
    "paper-wide": TrainingSettings(steps=3000),
    "repair": TrainingSettings(steps=4000, batch_size=32, learning_rate=1e-3, shortest=32, longest=64),
}
"""Training settings by preset."""

RECIPE_PRESETS: dict[str, dict[str, Any]] = {
    "repair": {"max_length": None, "window_over": 64, "window": 64, "root_path": True},
}
"""Fields of the recipe by preset, in place of the data set's own."""

FASTEST: dict[str, float] = {"repair": 60.0}
"""Frames/s by preset: the data set's own frame rate is kept, up to this."""


@dataclass(frozen=True)
class SupervisionSettings:
    """What training with labels adds to `TrainingSettings`."""

    validation: float = 0.2
    """Share of each class's labelled training recordings that is held out to end training by; 0 holds out none."""
    validate_every: int = 20
    """Steps between validations."""
    patience: int = 15
    """Validations without a better one after which training ends."""
    encoder_learning_rate: float | None = None
    """Step size of Adam for the network encoder; none takes learning_rate."""
    decay: float = 0.5
    """Share of the steps, the last ones, over which step sizes fall to zero on a line; 0 keeps them."""

    def __post_init__(self) -> None:
        if not 0 <= self.validation < 1:
            raise SettingsError(f"expected validation in [0, 1), found {self.validation}")
        if not 0 <= self.decay <= 1:
            raise SettingsError(f"expected decay in [0, 1], found {self.decay}")
        for name in ("validate_every", "patience"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        if self.encoder_learning_rate is not None and not self.encoder_learning_rate > 0:
            raise SettingsError(f"expected encoder_learning_rate above 0, found {self.encoder_learning_rate}")


SUPERVISED_PRESETS: dict[str, TrainingSettings] = {
    "small": TrainingSettings(steps=600, learning_rate=1e-3),
    "paper": TrainingSettings(steps=600, learning_rate=1e-3),
    "paper-wide": TrainingSettings(steps=600, learning_rate=1e-3),
}
"""Training settings of supervised methods by preset, where a method has none of its own (`Method.schedule`)."""
