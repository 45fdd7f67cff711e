"""Motion recordings in, vectors out.

    import motionprint as mp

    sequences = mp.read("walk.bvh")
    prints = mp.MotionEncoder(steps=200).fit_transform(sequences)

Everything named here is loaded when it is first used: ``import motionprint`` loads neither torch nor pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motionprint.errors import (
        CheckpointError,
        DatasetError,
        DivergenceError,
        MotionprintError,
        ReadError,
        SettingsError,
        SkeletonMismatchError,
    )
    from motionprint.estimator import MotionEncoder
    from motionprint.readers import read
    from motionprint.sequence import SkeletonSequence
    from motionprint.skeleton import Skeleton
    from motionprint.store import MotionDataset, open_dataset

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "DatasetError",
    "DivergenceError",
    "MotionDataset",
    "MotionEncoder",
    "MotionprintError",
    "ReadError",
    "SettingsError",
    "Skeleton",
    "SkeletonMismatchError",
    "SkeletonSequence",
    "__version__",
    "open_dataset",
    "read",
]

_HOMES = {
    "CheckpointError": "errors",
    "DatasetError": "errors",
    "DivergenceError": "errors",
    "MotionDataset": "store",
    "MotionEncoder": "estimator",
    "MotionprintError": "errors",
    "ReadError": "errors",
    "SettingsError": "errors",
    "Skeleton": "skeleton",
    "SkeletonMismatchError": "errors",
    "SkeletonSequence": "sequence",
    "open_dataset": "store",
    "read": "readers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'motionprint' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"motionprint.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
