"""Training states on disk: written whole or not at all, checked when they are read, the last few kept."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

import motionprint
from motionprint.errors import CheckpointError
from motionprint.store.atomic import refused, replaced

__all__ = [
    "WEIGHTS",
    "Checkpoints",
    "State",
    "earlier_checkpoints",
    "read_newest",
    "read_tensors",
    "usable_instead",
    "write_tensors",
    "writing",
]

WEIGHTS = "model.safetensors"
"""The file with the newest state: weights, the optimiser's moments, and what the log has not written yet."""
_EARLIER = re.compile(r"checkpoint-(\d{8,})\.safetensors")


class State(NamedTuple):
    """What a run continues from."""

    tensors: Mapping[str, Tensor] = {}
    """Weights, the optimiser's moments and so on by name; none where a run begins."""
    step: int = 0
    """The training steps done."""
    damaged: Sequence[str] = ()
    """What is wrong with the newer states that were passed over, a line each."""


class Checkpoints:
    """The states that a run keeps: the newest as ``model.safetensors``, those before it under their steps.

    At every moment ``model.safetensors`` is whole, and no byte is written twice: before a new state takes the name,
    the one that has it gets its second name, ``checkpoint-STEP.safetensors``.
    """

    def __init__(self, folder: Path, keep: int, state: State | None = None) -> None:
        self.folder = folder
        """Where the run is written at the moment."""
        self.keep = keep
        """States kept in all."""
        self.newest: Path | None = None
        """The file of the newest state that is whole."""
        self.step = 0
        """The step of that one."""
        if state is not None:
            self.step = state.step
            self.newest = folder / (_earlier(state.step) if state.damaged else WEIGHTS)

    def write(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Keep a state; the oldest goes when the new one is in its place."""
        file = self.folder / WEIGHTS
        if self.newest == file and self.step == step:
            return
        content = _packed(tensors, step)
        with replaced(file) as unfinished:
            unfinished.write_bytes(content)
            if self.newest == file and self.keep > 1:
                _name_too(file, self.folder / _earlier(self.step))
        self.newest, self.step = file, step
        found = earlier_checkpoints(self.folder)
        kept = [file for at, file in found if at < step][: self.keep - 1]
        for _, file in found:  # one of a later step is damaged, or the run would have continued from it
            if file not in kept:
                file.unlink()

    def moved(self, folder: Path) -> None:
        """Go on in the folder that what was written so far has been moved to."""
        self.folder = folder
        self.newest = None if self.newest is None else folder / self.newest.name

    def said(self) -> str:
        """What there is to continue from."""
        if self.newest is None or not self.newest.is_file():
            return "there is no checkpoint to continue from"
        return f"the checkpoint of step {self.step} is kept"


def _earlier(step: int) -> str:
    return f"checkpoint-{step:08}.safetensors"


def _name_too(file: Path, name: Path) -> None:
    """Give a file a second name; a copy, where the file system knows no second names."""
    name.unlink(missing_ok=True)  # the same state, or a damaged one
    try:
        os.link(file, name)
    except OSError:
        with replaced(name) as unfinished:
            shutil.copyfile(file, unfinished)


def earlier_checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """The steps and files of the states before the newest one, latest first."""
    found = [(_EARLIER.fullmatch(file.name), file) for file in folder.glob("checkpoint-*.safetensors")]
    return sorted(((int(match[1]), file) for match, file in found if match), reverse=True)


def write_tensors(tensors: Mapping[str, Tensor], step: int, file: Path) -> None:
    """Write tensors, the step that they stand for and a checksum; the file is replaced at once or not at all."""
    content = _packed(tensors, step)
    with replaced(file) as unfinished:
        unfinished.write_bytes(content)


def _packed(tensors: Mapping[str, Tensor], step: int) -> bytes:
    metadata = {"step": str(step), "motionprint": motionprint.__version__}
    metadata["sha256"] = _checksum(tensors, metadata)
    content: bytes = save(dict(tensors), metadata=metadata)
    return content


def read_tensors(file: Path) -> tuple[dict[str, Tensor], int]:
    """The tensors of a file, and the step that they stand for.

    Raises
    ------
    CheckpointError
        If there is no such file, or it is not what was written: cut short, altered, or something else.
    """
    if not file.is_file():
        raise CheckpointError(f"{file}: expected weights, found none")
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = dict(opened.metadata() or {})
            tensors = {name: opened.get_tensor(name).clone() for name in opened.keys()}  # noqa: SIM118
        step = int(metadata["step"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CheckpointError(f"{file}: damaged, expected weights in safetensors: {error}") from error
    stated = metadata.pop("sha256", None)
    old = stated is None and set(metadata) == {"step", "motionprint"}  # motionprint 0.1 wrote no checksum
    if not old and stated != _checksum(tensors, metadata):
        raise CheckpointError(f"{file}: damaged, its content does not have the checksum that it was written with")
    return tensors, step


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """sha256 over the metadata, and over name, type, shape and bytes of every tensor."""
    digest = hashlib.sha256(json.dumps(sorted(metadata.items())).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_newest(folder: Path) -> State:
    """The newest whole state of a run folder.

    Raises
    ------
    CheckpointError
        If none is whole: the text names them all.
    """
    damaged: list[str] = []
    for file in (folder / WEIGHTS, *(file for _, file in earlier_checkpoints(folder))):
        try:
            tensors, step = read_tensors(file)
        except CheckpointError as error:
            damaged.append(str(error))
        else:
            return State(tensors, step, damaged)
    raise CheckpointError(f"{folder}: expected a checkpoint that is whole, found none: {'; '.join(damaged)}")


def usable_instead(folder: Path) -> str:
    """What to do about a damaged ``model.safetensors``, as the end of a line; nothing where nothing can be done."""
    for step, file in earlier_checkpoints(folder):
        with contextlib.suppress(CheckpointError):
            read_tensors(file)
            return (
                f"; {file.name} (step {step}) is whole: pretrain --resume continues from it, "
                f"and renamed to {WEIGHTS} it is used as it is"
            )
    return ""


@contextlib.contextmanager
def writing(file: Path) -> Iterator[None]:
    """Say in one line which file of a run the system refuses to write, why, and what helps."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(refused(file, error)) from error
