"""Batches ahead: in order, from threads that end."""

from __future__ import annotations

import threading
import time
from functools import partial

import numpy as np
import pytest
import torch

from motionprint.batches import Batch, Crops, Packing
from motionprint.preprocessing import Frames
from motionprint.training.ahead import ahead


def _batch(step: int) -> Batch:
    return Batch(torch.full((1, 1), float(step)), torch.zeros(1, 1, dtype=torch.bool), Packing((1,)))


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("motionprint-batches")]


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("steps", [range(0), range(5, 6), range(2, 30)])
def test_batches_come_in_the_order_of_their_steps(workers: int, steps: range) -> None:
    def slow_at_first(step: int) -> Batch:
        time.sleep(0.002 * (step % 3 == 2))  # so that with several threads a later one is ready before
        return _batch(step)

    with ahead(slow_at_first, steps, workers) as batches:
        assert [int(batch.frames) for batch in batches] == list(steps)
    assert not _threads()


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_than_one_batch_a_thread_and_one_more_is_held(workers: int) -> None:
    asked: list[int] = []

    def note(step: int) -> Batch:
        asked.append(step)
        return _batch(step)

    with ahead(note, range(1000), workers) as batches:
        for used in range(1, 20):
            next(batches)
            assert len(asked) <= used + workers + 1
    assert len(asked) < 40


@pytest.mark.parametrize("workers", [1, 2])
def test_the_next_batch_is_prepared_while_a_step_is_under_way(workers: int) -> None:
    prepared = [threading.Event() for _ in range(4)]

    def note(step: int) -> Batch:
        prepared[step].set()
        return _batch(step)

    with ahead(note, range(4), workers) as batches:
        next(batches)
        assert prepared[1].wait(60)  # nobody has asked for it


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_an_error_is_raised_where_its_batch_is_asked_for_and_the_threads_end(workers: int) -> None:
    def spoiled(step: int) -> Batch:
        if step == 4:
            raise OSError("the disk is gone")
        return _batch(step)

    found = []
    with pytest.raises(OSError, match="the disk is gone"), ahead(spoiled, range(10), workers) as batches:
        for batch in batches:
            found.append(int(batch.frames))
    assert found == [0, 1, 2, 3]
    assert not _threads()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_threads_end_whatever_ends_the_training(error: type[BaseException]) -> None:
    with pytest.raises(error), ahead(_batch, range(10_000), 2) as batches:
        next(batches)
        assert _threads()
        raise error
    assert not _threads()


def test_the_thread_that_trains_keeps_its_random_state_and_its_threads() -> None:
    frames = Frames([[np.zeros((20, 10), np.float32)] for _ in range(30)], 10)
    parts = list(np.eye(5, dtype=bool).repeat(2, axis=1))
    crops = Crops(frames, parts, batch_size=4, crops=5, shortest=7, longest=15, hidden_parts=None, seed=0)
    before = (torch.get_rng_state(), np.random.get_state()[1].tobytes(), torch.get_num_threads())  # type: ignore[index, union-attr]
    with ahead(partial(crops.batch, device=torch.device("cpu")), range(40), 2) as batches:
        assert sum(batch.packing.count for batch in batches) == 40 * 4 - 2  # 150 an epoch: its last batch has two
    after = (torch.get_rng_state(), np.random.get_state()[1].tobytes(), torch.get_num_threads())  # type: ignore[index, union-attr]
    assert torch.equal(before[0], after[0]) and before[1:] == after[1:]
