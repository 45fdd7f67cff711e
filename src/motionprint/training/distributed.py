"""Several processes that train one model, as torchrun starts them; alone, nothing here costs anything.

Every process holds all weights and computes its share of every batch. What a network minimises is a sum over the
sequences of the batch, so that the sum of the processes' gradients is the gradient of one process with the whole
batch, and the same step follows everywhere. The first process alone writes.

One failure is told once. The process that fails first leaves a note with the launcher; the others, whose next
exchange breaks, find it and end in silence (`OtherProcessError`).
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed.rendezvous import rendezvous

from motionprint.errors import MotionprintError, OtherProcessError, SettingsError

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

__all__ = ["ALONE", "TIMEOUT", "World", "joined"]

TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others before it gives up. One that ends is noticed at once; this is for one that
hangs, or whose machine has left the network."""

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """The processes that train together, seen from one of them."""

    rank: int = 0
    """The number of this process."""
    size: int = 1
    """How many there are."""
    local_rank: int = 0
    """The number of this process among those of its machine."""

    def __str__(self) -> str:
        return f"process {self.rank} of {self.size}"

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and says how far the work is."""
        return self.rank == 0

    @property
    def share(self) -> tuple[int, int]:
        """What `Crops.batch` wants to know."""
        return self.rank, self.size

    def device(self, name: str) -> str:
        """The device of this process where the user asks for ``name``: on GPUs, each takes that of its own number.

        Raises
        ------
        SettingsError
            If a certain GPU is asked for, or a machine has fewer GPUs than processes.
        """
        if self.size == 1 or name == "cpu":
            return name
        if name not in ("auto", "cuda"):
            raise SettingsError(f"expected device auto, cuda or cpu for several processes, found {name!r}")
        if name == "auto" and not torch.cuda.is_available():
            return "cpu"
        if self.local_rank >= torch.cuda.device_count():
            raise SettingsError(
                f"expected a GPU for each process of a machine, found {torch.cuda.device_count()} "
                f"for process {self.local_rank} of this one (counted from 0)"
            )
        return f"cuda:{self.local_rank}"

    # ---- what is exchanged: all processes call these, in the same order --------------------------------------------

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Put into every tensor its sum over the processes, to the bit the same in all; one exchange serves all."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _exchange():
            distributed.all_reduce(flat)
        _fill(tensors, flat)

    def spread(self, tensors: Sequence[Tensor]) -> None:
        """Put the first process's values into every process's tensors."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        with _exchange():
            distributed.broadcast(flat, src=0)
        _fill(tensors, flat)

    def told(self, value: T) -> T:
        """The first process's value; what the others give does not matter."""
        if self.size == 1:
            return value
        values = [value if self.leads else None]
        with _exchange():
            distributed.broadcast_object_list(values, src=0)
        found: T = values[0]  # type: ignore[assignment]
        return found

    def expect_same(self, facts: Mapping[str, object]) -> None:
        """Refuse to go on where a fact, as JSON, is not the same in all processes.

        Raises
        ------
        MotionprintError
            In all processes; the text names the fact and a process.
        """
        if self.size == 1:
            return
        digests = {name: hashlib.sha256(json.dumps(fact).encode()).hexdigest() for name, fact in facts.items()}
        found: list[dict[str, str]] = [{}] * self.size
        with _exchange():
            distributed.all_gather_object(found, digests)
        for rank, theirs in enumerate(found):
            for name in digests:
                if theirs[name] != found[0][name]:
                    raise MotionprintError(
                        f"expected the same {name} in all processes, found another in process {rank}"
                    )

    def expect_same_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Refuse to go on where weights differ by a bit, which means that the processes have gone apart.

        Raises
        ------
        MotionprintError
            In all processes; the text names a weight and a process.
        """
        if self.size == 1:
            return
        sums = torch.stack([_checksum(weight) for weight in weights.values()])
        found = [torch.empty_like(sums) for _ in range(self.size)]
        with _exchange():
            distributed.all_gather(found, sums)
        for rank, theirs in enumerate(found):
            for name, same in zip(weights, (theirs == found[0]).tolist(), strict=True):
                if not same:
                    raise MotionprintError(
                        f"expected the same weights in all processes, found another {name} in process {rank}; "
                        "other processors, or numbers of threads, round differently (docs: Several processes)"
                    )

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            with _exchange():
                distributed.barrier()


ALONE = World()
"""One process."""


@contextmanager
def joined(device: str = "auto", *, timeout: timedelta = TIMEOUT) -> Iterator[World]:
    """The processes that torchrun has started, this one among them; `ALONE` without torchrun.

    After a failure SIGTERM, which a launcher sends to all others then, is ignored: this process is ending already.

    Parameters
    ----------
    device
        Where networks will be: the processes exchange through NCCL on GPUs and through gloo on CPUs.
    timeout
        How long to wait for a process that says nothing.

    Raises
    ------
    SettingsError
        If the environment is not what torchrun makes, or not every process can have its device.
    OtherProcessError
        If another process has failed, in place of whatever that led to here.
    MotionprintError
        If the others cannot be reached.
    """
    world = _from_environment()
    if world.size == 1:
        yield world
        return
    try:
        store, _, _ = next(rendezvous("env://", timeout=timeout))
    except (RuntimeError, ValueError) as error:
        where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise MotionprintError(f"{world}: the others cannot be reached at {where}: {_said(error)}") from error
    before = _on_sigterm(_stop)
    failed = True
    try:
        _start_exchange(world, device, store, timeout)
        yield world
        failed = False
    except BaseException as error:
        # a launcher ends all others when one has failed: this one is ending already, and may have a line to say
        _on_sigterm(signal.SIG_IGN)
        if isinstance(error, OtherProcessError):
            raise
        told = _told_before(world, store, error)
        if told is not None:
            raise OtherProcessError(told) from error
        if isinstance(error, OSError):
            where = "" if error.filename is None else f"{error.filename}: "
            raise MotionprintError(f"{world}: {where}{error.strerror or error}") from error
        if len(error.args) == 1 and isinstance(error.args[0], str):
            error.args = (f"{world}: {error}",)
        raise
    finally:
        # after a failure NCCL would wait here for what never comes: the end of the process ends the exchange
        if distributed.is_initialized() and not (failed and distributed.get_backend() == "nccl"):
            distributed.destroy_process_group()
    _on_sigterm(before)


def _on_sigterm(handler: Any) -> Any:
    """Change what SIGTERM does; what it did before."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGTERM, handler if handler is not None else signal.SIG_DFL)


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _from_environment() -> World:
    """What torchrun tells a process through its environment."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return ALONE
    numbers = {}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        value = os.environ.get(name, "")
        if not value or (name != "MASTER_ADDR" and not value.isdecimal()):
            raise SettingsError(
                f"environment: expected {name} as torchrun sets it beside WORLD_SIZE, found {value or 'none'}"
            )
        if value.isdecimal():
            numbers[name] = int(value)
    if not numbers["RANK"] < numbers["WORLD_SIZE"]:
        raise SettingsError(
            f"environment: expected RANK below WORLD_SIZE, found {numbers['RANK']} and {numbers['WORLD_SIZE']}"
        )
    return World(numbers["RANK"], numbers["WORLD_SIZE"], numbers["LOCAL_RANK"])


def _start_exchange(world: World, device: str, store: Store, timeout: timedelta) -> None:
    """Agree on a kind of device, and open the exchange that suits it."""
    kind = "none"
    try:
        place = torch.device(world.device(device))
        kind = place.type
    finally:  # told also where there is none, so that nobody waits for it
        store.set(f"motionprint/device/{world.rank}", kind)
    with _exchange():
        kinds = [store.get(f"motionprint/device/{rank}").decode() for rank in range(world.size)]
        if "none" in kinds:
            raise OtherProcessError(store.get("motionprint/failed").decode())
    for rank, other in enumerate(kinds):
        if other != kinds[0]:
            raise SettingsError(
                f"expected one kind of device for all processes, found {kinds[0]} in process 0 and {other} in "
                f"process {rank}; --device names one"
            )
    if kind == "cuda":
        torch.cuda.set_device(place)
    with _exchange():
        distributed.init_process_group(
            "nccl" if kind == "cuda" else "gloo",
            store=store,
            rank=world.rank,
            world_size=world.size,
            timeout=timeout,
            device_id=place if kind == "cuda" else None,
        )
        # one that failed before the others are through would leave PyTorch's names of groups apart in them
        store.set(f"motionprint/ready/{world.rank}", "")
        for rank in range(world.size):
            store.get(f"motionprint/ready/{rank}")


def _told_before(world: World, store: Store, error: BaseException) -> str | None:
    """Leave a note of a failure; what another process's note says, where that process was first."""
    note = f"{world}: {str(error) or type(error).__name__}"
    try:
        found = store.compare_set("motionprint/failed", "", note).decode()
    except RuntimeError:  # the notes are gone with the process that kept them
        return None
    return found if found != note else None


@contextmanager
def _exchange() -> Iterator[None]:
    """What PyTorch raises when a process has ended, or has not answered in time."""
    try:
        yield
    except RuntimeError as error:
        raise MotionprintError(f"another process has ended or cannot be reached ({_said(error)})") from error


def _said(error: BaseException) -> str:
    """What PyTorch says first, without the place in its source and its advice."""
    line = str(error).strip().partition("\n")[0].partition(". ")[0]
    return line.partition("] ")[2] if line.startswith(("[/", "[..")) else line


def _fill(tensors: Sequence[Tensor], flat: Tensor) -> None:
    """Put the values of one long vector into tensors, in their order."""
    start = 0
    for tensor in tensors:
        end = start + tensor.numel()
        tensor.detach().copy_(flat[start:end].view_as(tensor))
        start = end


def _checksum(weight: Tensor) -> Tensor:
    """A sum over a weight's bits that does not depend on the order in which it is made."""
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[weight.element_size()]
    return weight.detach().contiguous().view(bits).sum(dtype=torch.int64)
