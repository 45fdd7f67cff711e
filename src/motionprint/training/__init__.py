"""The only training loop, its settings, and the folder that a run lives in."""

from motionprint.training.distributed import World, joined
from motionprint.training.pretrain import pretrain, train_on
from motionprint.training.run import Run, load_run, save_run
from motionprint.training.settings import TRAINING_PRESETS, SupervisionSettings, TrainingSettings
from motionprint.training.start import configure
from motionprint.training.train import train

__all__ = [
    "TRAINING_PRESETS",
    "Run",
    "SupervisionSettings",
    "TrainingSettings",
    "World",
    "configure",
    "joined",
    "load_run",
    "pretrain",
    "save_run",
    "train",
    "train_on",
]
