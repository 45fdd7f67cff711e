"""Batches that are ready when their step begins."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import torch

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
    # a thread beside the one that trains must not start threads of its own for the same processors
    threads = ThreadPoolExecutor(workers, "motionprint-batches", initializer=partial(torch.set_num_threads, 1))
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
