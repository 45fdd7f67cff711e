"""MotionEncoder: learning and applying prints as a scikit-learn transformer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from motionprint.errors import SettingsError
from motionprint.evaluation.prints import FEATURES, encode
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton
from motionprint.store import MotionDataset
from motionprint.training import Run, configure, load_run, save_run, train_on
from motionprint.training.pretrain import require_unsupervised
from motionprint.training.run import read_config, run_folder

__all__ = ["MotionEncoder"]


class MotionEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learn prints from recordings without labels; turn recordings into prints.

    Parameters
    ----------
    method
        ``inpainting`` (LongT GAN, Zheng et al. 2018).
    preset
        ``small``, ``paper``, ``paper-wide`` or ``repair``.
    steps
        Training steps; None takes the preset's.
    features
        ``states`` (default), ``F`` (the paper's print) or ``both``.
    fps
        Frames/s of plain arrays given as ``X``.
    skeleton
        Skeleton of plain arrays given as ``X``: a `Skeleton`, a built-in name, or the path of a TOML file.
    random_state
        The seed of weights, batches and hidden parts.
    device
        ``auto``, ``cpu``, ``cuda``.
    alignment
        ``heading`` (about the vertical, by the hips), ``body`` (all three axes; for cameras that tilt), ``none``, or
        None for what the data set declares (``heading`` for lists).

    Attributes
    ----------
    run_ : Run
        The trained networks and the fitted recipe.
    """

    def __init__(
        self,
        method: str = "inpainting",
        preset: str = "small",
        *,
        steps: int | None = None,
        features: str = "states",
        fps: float | None = None,
        skeleton: Skeleton | str | Path | None = None,
        random_state: int = 0,
        device: str = "auto",
        alignment: str | None = None,
    ) -> None:
        self.method = method
        self.preset = preset
        self.steps = steps
        self.features = features
        self.fps = fps
        self.skeleton = skeleton
        self.random_state = random_state
        self.device = device
        self.alignment = alignment

    def fit(self, X: Any, y: Any = None) -> MotionEncoder:
        """Pre-train on recordings; labels ``y`` are not looked at.

        Parameters
        ----------
        X
            A list of `SkeletonSequence`, a `MotionDataset`, or a list of arrays (T, J, 3) in metres, y up; NaN where a
            value is missing.

        Raises
        ------
        SettingsError
            If a setting is unknown, or arrays come without ``fps`` and ``skeleton``.
        DatasetError
            If a recording has no recorded joint, or no root, in any frame.
        SkeletonMismatchError
            If the recordings have different joints.
        """
        if self.features not in FEATURES:
            raise SettingsError(f"unknown features {self.features!r}: expected one of {', '.join(FEATURES)}")
        if not isinstance(self.random_state, int | np.integer) or self.random_state < 0:
            raise SettingsError(f"expected random_state to be an integer of at least 0, found {self.random_state!r}")
        sequences = self._sequences(X)
        defaults: dict[str, Any] = sequences.defaults if isinstance(sequences, MotionDataset) else {}
        changes: dict[str, Any] = {} if self.steps is None else {"steps": self.steps}
        if self.alignment is not None:
            changes["alignment"] = self.alignment
        require_unsupervised(self.method)
        config, recipe = configure(
            sequences[0].skeleton,
            method=self.method,
            preset=self.preset,
            changes=changes,
            defaults=defaults,
            seed=int(self.random_state),
            fps=sequences.fps if isinstance(sequences, MotionDataset) else sequences[0].fps,
        )
        self.run_: Run = train_on(sequences, config, recipe, device=self.device)
        return self

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """The prints (N, R) of recordings, at any frame rate."""
        check_is_fitted(self, "run_")
        return encode(self.run_, self._sequences(X), self.features)

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> npt.NDArray[np.float32]:
        """``fit``, then the prints (N, R) of the same recordings."""
        return self.fit(X, y).transform(X)

    def save(self, folder: str | Path) -> None:
        """Write a run folder, which ``motionprint embed`` and `load` read; an existing one is refused."""
        check_is_fitted(self, "run_")
        parameters = {
            name: value.to_dict() if isinstance(value, Skeleton) else str(value) if isinstance(value, Path) else value
            for name, value in self.get_params().items()
        } | {"steps": None if self.steps is None else int(self.steps), "random_state": int(self.random_state)}
        save_run(self.run_, folder, extra={"estimator": json.loads(json.dumps(parameters))})

    @classmethod
    def load(cls, folder: str | Path) -> MotionEncoder:
        """A fitted encoder from a run folder, whether `save` or ``motionprint pretrain`` wrote it."""
        config = read_config(run_folder(folder))
        parameters = dict(config.get("estimator", {}))
        run = load_run(folder, str(parameters.get("device", "auto")))
        if isinstance(parameters.get("skeleton"), dict):
            parameters["skeleton"] = Skeleton.from_dict(parameters["skeleton"])
        fallback = {
            "method": run.config["method"],
            "preset": run.config.get("preset", "small"),
            "steps": run.steps,
            "random_state": run.config["seed"],
        }
        encoder = cls(**{**fallback, **parameters})
        encoder.run_ = run
        return encoder

    def _sequences(self, X: Any) -> Sequence[SkeletonSequence] | MotionDataset:
        if isinstance(X, SkeletonSequence):
            raise SettingsError("expected a list of recordings, found one SkeletonSequence")
        if isinstance(X, str) or not hasattr(X, "__len__") or not hasattr(X, "__getitem__"):
            raise SettingsError(f"expected a list of recordings, found {type(X).__name__}")
        if not len(X):
            raise SettingsError("expected at least one recording, found none")
        if isinstance(X, MotionDataset):
            return X
        items = list(X)
        if all(isinstance(item, SkeletonSequence) for item in items):
            return items
        if self.fps is None or self.skeleton is None:
            raise SettingsError(
                "arrays need fps= and skeleton= of the encoder; a list of SkeletonSequence needs neither"
            )
        skeleton = Skeleton.resolve(self.skeleton)
        return [
            SkeletonSequence(_array(item, number), float(self.fps), skeleton, name=f"sequence {number}")
            for number, item in enumerate(items)
        ]


def _array(item: Any, number: int) -> npt.NDArray[np.float32]:
    if isinstance(item, SkeletonSequence):
        raise SettingsError(f"expected arrays or sequences, found both: recording {number} is a SkeletonSequence")
    try:
        return np.asarray(item, np.float32)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"expected recording {number} to be an array (T, J, 3) of numbers: {error}") from error
