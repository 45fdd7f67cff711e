"""Batches that are ready when their step begins."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from motionprint.batches import Batch

__all__ = ["ahead"]


@contextlib.contextmanager
def ahead(prepare: Callable[[int], Batch], steps: range, workers: int) -> Iterator[Iterator[Batch]]:
    """The batches of some steps, in their order, each prepared while earlier ones are trained on.

    Parameters
    ----------
    prepare
        Gives the batch of a step, whatever was asked for before, and may be called by several threads at a time.
    workers
        Threads that prepare; as many batches as there are threads, and one more, are held ready. With none, each batch
        is prepared when it is asked for. The threads end with the block, and what goes wrong in one is raised where
        its batch is asked for.
    """
    if workers == 0:
        yield map(prepare, steps)
        return
    # PyTorch's number of threads is not set in these: a thread that has computed nothing yet, the one that trains
    # among them, would take it over
    threads = ThreadPoolExecutor(workers, "motionprint-batches")
    try:
        yield _in_order(lambda step: threads.submit(prepare, step), steps, workers + 1)
    finally:
        threads.shutdown(wait=True, cancel_futures=True)


def _in_order(submit: Callable[[int], Future[Batch]], steps: range, held: int) -> Iterator[Batch]:
    waiting: deque[Future[Batch]] = deque()
    for step in steps:
        waiting.append(submit(step))
        if len(waiting) > held:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
