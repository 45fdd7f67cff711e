"""Work handed out piece by piece: here, to processes of this machine, or to the workers of a Dask cluster.

The results come in the order of the tasks and do not depend on who worked on them. A cluster shares the file system
with whoever asks: tasks name files by absolute paths, workers open them by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar

from motionprint.errors import DatasetError, SettingsError

__all__ = ["ordered"]

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 2
"""Tasks in flight for each process, or thread of a cluster: one is worked on, one waits or has its result fetched."""

POLL = 1.0
"""Seconds between looks at which workers there are."""


def ordered(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    scheduler: str | None = None,
    *,
    jobs: int = 1,
    packages: Sequence[str] = (),
    timeout: float = 30.0,
    ahead: int = 0,
) -> Generator[Result, None, None]:
    """The results of ``function`` for the tasks, in their order; tasks are taken no more than a few ahead of results.

    Parameters
    ----------
    function
        For processes or a cluster: one that can be pickled, from a module of motionprint.
    scheduler
        The address of a Dask scheduler (``tcp://host:8786``) or the path of its scheduler file; None works here.
    jobs
        Processes to start, where there is no scheduler; 1 works in this one.
    packages
        What must have the same version on the workers as here, besides motionprint and NumPy, for the same results.
    timeout
        Seconds to wait for a scheduler, or for any worker.
    ahead
        Tasks that may be in flight in all, where that is more than two for each process or thread: for tasks of very
        different lengths, so that nobody waits for the longest.

    Raises
    ------
    SettingsError
        If Dask is not installed, or a worker has no motionprint or another version of it or of one of ``packages``.
    DatasetError
        If the scheduler cannot be reached or is lost, there is no worker, one does not say its versions, or workers or
        processes die over a task.
    """
    if scheduler is None:
        yield from map(function, tasks) if jobs == 1 else _in_processes(function, tasks, jobs, ahead)
        return
    distributed = _distributed()
    with _quiet(distributed):
        yield from _ordered(
            distributed, function, tasks, scheduler, ("motionprint", "numpy", *packages), timeout, ahead
        )


# ---- processes of this machine -----------------------------------------------------------------------------------


def _in_processes(
    function: Callable[[Task], Result], tasks: Iterable[Task], jobs: int, ahead: int
) -> Generator[Result, None, None]:
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_start_process)
    waiting: deque[Future[Result]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(function, task))
            while len(waiting) >= max(ahead, AHEAD * jobs):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise DatasetError(
            f"one of the {jobs} processes ended before its work was done (out of memory, or a script without "
            "`if __name__ == '__main__':`); jobs=1 works without other processes"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_process() -> None:
    # Signals reach all processes of a group; the first one ends the others. A process that died halfway through
    # sending a result would leave it waiting for the rest for ever.
    first = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: None if os.getppid() == first else os._exit(128 + number))
    threading.Thread(target=_end_with_the_first, daemon=True).start()


def _end_with_the_first() -> None:
    """A process that is killed cannot end those that it has started, and they would wait for its tasks for ever."""
    first = multiprocessing.parent_process()
    if first is not None:
        wait([first.sentinel])
        os._exit(1)


# ---- a cluster -----------------------------------------------------------------------------------------------------


def _ordered(
    distributed: Any,
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    scheduler: str,
    packages: Sequence[str],
    timeout: float,
    ahead: int,
) -> Generator[Result, None, None]:
    client = _connect(distributed, scheduler, timeout)
    waiting: deque[Any] = deque()
    versions = _versions(packages)
    try:
        threads, looked = _wait_for_threads(client, scheduler, timeout), time.monotonic()
        _check_workers(client, scheduler, versions, timeout)
        for task in tasks:
            waiting.append(client.submit(_checked, function, task, versions, pure=False))
            if time.monotonic() - looked > POLL:  # the tasks of a batch system start one by one
                threads, looked = _threads(client) or threads, time.monotonic()
            while len(waiting) >= max(ahead, AHEAD * threads):
                yield _result(client, waiting.popleft(), scheduler, timeout)
        while waiting:
            yield _result(client, waiting.popleft(), scheduler, timeout)
    finally:
        for future in waiting:
            future.release()  # the scheduler forgets what nobody waits for
        client.close(timeout=timeout)


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise SettingsError(
            f"a scheduler needs Dask: expected the package distributed (pip install 'motionprint[cluster]'): {error}"
        ) from error


@contextlib.contextmanager
def _quiet(distributed: Any) -> Iterator[None]:
    """Whatever fails is raised here, in one line: Dask's client logs it too, in many lines and from another thread.

    It also warns of every version that differs somewhere; those that matter are looked at here.
    """
    loggers = [logging.getLogger(f"distributed.{part}") for part in ("client", "core", "comm")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", distributed.versions.VersionMismatchWarning)
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _connect(distributed: Any, scheduler: str, timeout: float) -> Any:
    async def greet() -> None:
        security = distributed.Security().get_connection_args("client")
        comm = await distributed.comm.connect(address, timeout=timeout, **security)
        await comm.close()

    runner = distributed.utils.LoopRunner()
    runner.start()
    try:
        address = scheduler
        if "://" not in scheduler and Path(scheduler).is_file():  # as `dask scheduler --scheduler-file` writes it
            address = json.loads(Path(scheduler).read_text(encoding="utf-8"))["address"]
        runner.run_sync(greet)  # a Client that finds no scheduler says more than one line, and says it late
        return distributed.Client(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError, KeyError, TypeError) as error:  # TimeoutError is an OSError
        raise DatasetError(
            f"{scheduler}: expected the address of a Dask scheduler (tcp://host:8786) or its scheduler file, "
            f"found none that answers within {timeout:g} s"
        ) from error
    finally:
        runner.stop()


def _wait_for_threads(client: Any, scheduler: str, timeout: float) -> int:
    """How many threads all workers have together, once there is one."""
    try:
        client.wait_for_workers(1, timeout=timeout)
    except OSError as error:
        raise _no_worker(scheduler, timeout) from error
    return max(1, _threads(client))


def _threads(client: Any) -> int:
    """How many threads all workers have together; 0 where there is no worker, or the scheduler does not answer."""
    with contextlib.suppress(OSError):  # a scheduler that is lost gives up its futures soon, which says so
        return sum(map(int, client.nthreads().values()))
    return 0


def _check_workers(client: Any, scheduler: str, expected: dict[str, str], timeout: float) -> None:
    """Refuse workers that could not do the work: a worker that cannot read a task ends without a word."""

    def look(packages: list[str]) -> dict[str, str | None]:  # sent by value: a worker need not have this module
        from importlib import import_module

        found: dict[str, str | None] = {}
        for package in packages:
            try:
                found[package] = str(import_module(package).__version__)
            except ImportError:
                found[package] = None
        return found

    async def ask(worker: str) -> Any:  # one by one, for the name of one that hangs
        answers = client.run(look, list(expected), workers=[worker], on_error="return")
        return (await asyncio.wait_for(answers, timeout))[worker]

    async def ask_all() -> dict[str, Any]:
        workers = list(await client.nthreads())
        return dict(zip(workers, await asyncio.gather(*map(ask, workers), return_exceptions=True), strict=True))

    for worker, versions in client.sync(ask_all).items():
        if isinstance(versions, BaseException):  # of a worker that is lost, or an import that fails in its own way
            said = f"{type(versions).__name__}: {versions}"
            found = "no answer" if isinstance(versions, TimeoutError) else " ".join(said.split())
            raise DatasetError(
                f"{scheduler}: expected every worker to say its versions within {timeout:g} s, "
                f"found {found} on {worker}"
            ) from versions
        for package, version in versions.items():
            if version != expected[package]:
                raise SettingsError(
                    f"{scheduler}: expected {package} {expected[package]} on every worker, as here, "
                    f"found {version or 'none'} on {worker}"
                )


def _no_worker(scheduler: str, timeout: float) -> DatasetError:
    return DatasetError(f"{scheduler}: expected workers of the Dask scheduler, found none for {timeout:g} s")


def _result(client: Any, future: Any, scheduler: str, timeout: float) -> Any:
    seen = time.monotonic()  # when there was a worker
    while True:
        try:
            return future.result(timeout=timeout if future.status == "finished" else POLL)
        except Exception as error:
            if not isinstance(error, TimeoutError) or future.status not in ("pending", "finished"):
                raise _explained(error, future.status, scheduler) from error
        if _threads(client):
            seen = time.monotonic()
        if time.monotonic() - seen > timeout:
            raise _no_worker(scheduler, timeout)


def _explained(error: Exception, status: str, scheduler: str) -> Exception:
    """What a task that has no result says to a user."""
    if status != "error":
        return DatasetError(f"{scheduler}: the Dask scheduler was lost before the work was done")
    if type(error).__name__ == "KilledWorker":
        return DatasetError(
            f"{scheduler}: workers ended over their work, time and again (out of memory?); their logs say more"
        )
    if isinstance(error, ModuleNotFoundError) or "deserialization of the task graph" in str(error):
        return SettingsError(
            f"{scheduler}: expected motionprint {_versions(['motionprint'])['motionprint']} and all that it needs with "
            f"the Dask scheduler and every worker, found: {' '.join(str(error).split())}"
        )
    return error


def _versions(packages: Sequence[str]) -> dict[str, str]:
    return {package: str(importlib.import_module(package).__version__) for package in packages}


def _checked(function: Callable[[Task], Result], task: Task, expected: dict[str, str]) -> Result:
    """On a worker, which may have come after the others were looked at: the result, or why it might be another one."""
    for package, found in _versions(tuple(expected)).items():
        if found != expected[package]:
            raise SettingsError(f"expected {package} {expected[package]} on every worker, found {found} on one")
    return function(task)
