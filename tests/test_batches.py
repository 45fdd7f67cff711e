"""Packed frames, drawn sub-sequences and hidden body parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_sequence

from motionprint.batches import Batch, Crops, Hiding, Packing, _sent, hide_gaps, hide_parts, pack, together
from motionprint.preprocessing import Frames

CPU = torch.device("cpu")
PARTS = np.eye(5, dtype=bool).repeat(2, axis=1)
"""Five parts of two inputs each."""
D = PARTS.shape[1]

lengths_strategy = st.lists(st.integers(1, 8), min_size=1, max_size=6)


def _numbered(lengths: list[int], inputs: int = 1) -> list[npt.NDArray[np.float32]]:
    """Sequences whose values say where they come from: 1000 x sequence + frame."""
    return [
        np.repeat((1000.0 * i + np.arange(length, dtype=np.float32))[:, None], inputs, axis=1).astype(np.float32)
        for i, length in enumerate(lengths)
    ]


HIDINGS = [Hiding(), Hiding(each_frame=True), Hiding(first_frame=True), Hiding(each_frame=True, first_frame=True)]


def _frames(lengths: list[int]) -> Frames:
    """The same on disk; each is a recording of its own."""
    return Frames(([sequence] for sequence in _numbered(lengths, D)), D)


# ---- packing -------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(lengths=lengths_strategy)
def test_rows_lie_as_in_pytorchs_packed_sequences(lengths: list[int]) -> None:
    lengths = sorted(lengths, reverse=True)
    numbered = [torch.from_numpy(sequence[:, 0]) for sequence in _numbered(lengths)]
    expected = pack_sequence(numbered)
    packing = Packing(tuple(lengths))
    assert packing.count == len(lengths)
    assert packing.sizes == tuple(expected.batch_sizes.tolist())
    assert torch.equal(packing.batch_sizes, expected.batch_sizes)
    rows = expected.data
    assert torch.equal(1000 * packing.sequence + packing.time, rows.long())
    assert rows[packing.last].tolist() == [1000 * i + length - 1 for i, length in enumerate(lengths)]
    flipped = pack_sequence([sequence.flip(0) for sequence in numbered]).data
    assert torch.equal(rows[packing.reverse], flipped)


@settings(deadline=None, max_examples=30)
@given(lengths=lengths_strategy)
def test_longer_puts_one_row_for_each_sequence_before_all_others(lengths: list[int]) -> None:
    lengths = sorted(lengths, reverse=True)
    sequences = [torch.from_numpy(sequence[:, 0]) for sequence in _numbered(lengths)]
    first = [torch.tensor([-1.0 - i]) for i in range(len(lengths))]
    expected = pack_sequence([torch.cat(pair) for pair in zip(first, sequences, strict=True)]).data
    packing = Packing(tuple(lengths))
    assert packing.longer.lengths == tuple(length + 1 for length in lengths)
    assert torch.equal(torch.cat([torch.cat(first), pack_sequence(sequences).data]), expected)
    assert torch.equal(1000 * packing.longer.sequence + packing.longer.time - 1, torch.where(
        expected < 0, 1000 * (-expected - 1) - 1, expected).long())  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(lengths=lengths_strategy, times=st.integers(1, 3))
def test_repeated_puts_copies_side_by_side(lengths: list[int], times: int) -> None:
    lengths = sorted(lengths, reverse=True)
    sequences = [torch.from_numpy(sequence[:, 0]) for sequence in _numbered(lengths)]
    rows = pack_sequence(sequences).data
    copies = pack_sequence([sequence for sequence in sequences for _ in range(times)])
    assert torch.equal(rows.repeat_interleave(times), copies.data)
    packing = Packing(tuple(lengths)).repeated(times)
    assert packing.sizes == tuple(copies.batch_sizes.tolist())
    numbers = torch.repeat_interleave(torch.arange(len(lengths)), times)
    expected = [1000 * i + lengths[i] - 1 for i in numbers.tolist()]
    assert copies.data[packing.last].tolist() == expected


def test_pack_returns_the_order_longest_first_and_stable() -> None:
    sequences = _numbered([2, 4, 4, 1, 3])
    batch, order = pack(sequences)
    assert order.tolist() == [1, 2, 4, 0, 3]
    assert batch.packing.lengths == (4, 4, 3, 2, 1)
    expected = pack_sequence([torch.from_numpy(sequences[i]) for i in order]).data
    assert torch.equal(batch.frames, expected)
    assert batch.frames.dtype == torch.float32
    assert not batch.hidden.any()


def test_pack_hides_inputs_from_the_second_frame_on() -> None:
    sequences = _numbered([2, 3], inputs=2)
    hidden = np.array([[True, False], [False, True]])
    batch, order = pack(sequences, hidden)
    for place, number in enumerate(order):
        rows = batch.hidden[batch.packing.sequence == place].numpy()
        assert not rows[0].any()
        assert (rows[1:] == hidden[number]).all()


@settings(deadline=None, max_examples=30)
@given(lengths=lengths_strategy, times=st.integers(1, 3))
def test_a_packing_made_of_lengths_on_the_device_is_the_same(lengths: list[int], times: int) -> None:
    lengths = sorted(lengths, reverse=True)
    host = Packing(tuple(lengths))
    placed = Packing(tuple(lengths), CPU, torch.tensor(lengths))
    assert placed == host and hash(placed) == hash(host)
    for one, other in ((host, placed), (host.longer, placed.longer), (host.repeated(times), placed.repeated(times))):
        assert one == other and other.placed is not None
        assert other.placed.tolist() == list(one.lengths)
        for name in ("time", "sequence", "last", "reverse"):
            assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert torch.equal(host.before, placed.before)
    one, other = host.resized(_second_half), placed.resized(_second_half)
    assert one == other and other.placed is not None
    assert other.placed.tolist() == list(one.lengths)
    for name in ("time", "sequence", "reverse", "before"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert torch.equal(host.rows_of(one, _first_half), placed.rows_of(other, _first_half))


def _first_half(lengths: Any) -> Any:
    """Frames in the first half, one at least."""
    return (lengths // 2).clip(min=1)


def _second_half(lengths: Any) -> Any:
    """Frames after the first half: none of a sequence of one frame."""
    return lengths - _first_half(lengths)


@settings(deadline=None, max_examples=30)
@given(lengths=lengths_strategy, size=st.integers(1, 3))
def test_a_piece_of_every_sequence_is_packed_as_these_frames_alone(lengths: list[int], size: int) -> None:
    """Also where a piece is empty, and where the packing is a part of a larger one."""
    numbered = _numbered(lengths, 2)
    batch, order = pack(numbered, np.ones((len(lengths), 2), bool), labels=np.arange(len(lengths)))
    known = torch.from_numpy(np.random.default_rng(0).random(batch.frames.shape) < 0.5)
    batch = replace(batch, known=known, unseen=~known)
    found = batch.cut(_second_half, _first_half)
    assert found.labels is not None and found.labels.tolist() == order.tolist()
    halves = [numbered[i][max(len(numbered[i]) // 2, 1) :] for i in order]
    assert found.packing.lengths == tuple(map(len, halves))
    expected = [halves[i][t] for t in range(found.packing.lengths[0]) for i in range(len(halves)) if t < len(halves[i])]
    np.testing.assert_array_equal(found.frames.numpy(), np.reshape(expected, (-1, 2)))
    rows = [batch.frames.tolist().index(row) for row in found.frames.tolist()]  # every row is another
    for name in ("hidden", "known", "unseen"):
        assert torch.equal(getattr(found, name), getattr(batch, name)[rows]), name
    time, sequence = found.packing.time, found.packing.sequence
    keys = list(zip(time.tolist(), sequence.tolist(), strict=True))
    mirrored = [keys.index((found.packing.lengths[n] - 1 - t, n)) for t, n in keys]
    assert found.packing.reverse.tolist() == mirrored
    assert found.packing.before.tolist() == [keys.index((t - 1, n)) for t, n in keys if t]
    count = sum(1 for half in halves if len(half))
    torch.testing.assert_close(found.frame_weights.sum(), torch.tensor(count / len(lengths)))
    for rank in range(size):
        part = batch.packing.every(rank, size).resized(_second_half) if size > 1 else found.packing
        assert part.whole == found.packing
        assert part.lengths == found.packing.lengths[rank::size]
        own = [row for row, (_, n) in enumerate(keys) if n % size == rank]
        assert part.rows_in_whole.tolist() == own


def test_without_their_first_frames_sequences_of_one_frame_and_of_none_are_empty() -> None:
    batch, _ = pack(_numbered([3, 1, 2]))
    later = batch.later
    assert later.packing.lengths == (2, 1, 0)
    assert later.frames[:, 0].tolist() == [1, 2001, 2]
    again = later.later
    assert again.packing.lengths == (1, 0, 0)
    assert again.frames.tolist() == [[2]]
    assert later.packing.before.tolist() == [0]


@pytest.mark.parametrize("length", [lambda lengths: lengths - 3, lambda lengths: 5 - lengths])
def test_negative_lengths_and_those_out_of_order_are_refused(length: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match=r"^expected lengths of at least 0, longest first, found \[ ?1 "):
        Packing((4, 2)).resized(length)


@pytest.mark.parametrize(
    ("first", "found"), [(lambda lengths: lengths - 1, "3 1"), (lambda lengths: 1 - lengths, "-3 -1")]
)
def test_pieces_outside_of_their_sequences_are_refused(first: Callable[[Any], Any], found: str) -> None:
    packing = Packing((4, 2))
    with pytest.raises(ValueError, match=rf"^expected pieces within the sequences, found \[2 2\] from \[{found}\] on$"):
        packing.rows_of(packing.resized(lambda lengths: 0 * lengths + 2), first)


def test_arrays_that_travel_together_arrive_as_they_were() -> None:
    random = np.random.default_rng(0)
    arrays = [random.random((5, 3), np.float32), random.integers(0, 9, 7), random.random((3, 5)) < 0.5]
    for chosen in (arrays, arrays[::-1], [arrays[2], arrays[0][::2]]):
        found = together(chosen, CPU)
        assert len({tensor.untyped_storage().data_ptr() for tensor in found}) == 1  # one buffer, so one transfer
        for tensor, array in zip(found, chosen, strict=True):
            np.testing.assert_array_equal(tensor.numpy(), array)
            assert tensor.numpy().dtype == array.dtype


@pytest.mark.parametrize("hiding", HIDINGS)
def test_a_batch_that_was_sent_to_a_device_is_the_one_that_is_made_here(
    monkeypatch: pytest.MonkeyPatch, hiding: Hiding
) -> None:
    sent = []

    class Elsewhere:
        """A device of which only the kind is asked for."""

        type = "elsewhere"

    def send(values: Any, hidden: Any, packing: Packing, device: Any, unseen: Any, hiding: Hiding) -> Batch:
        sent.append(device)
        return _sent(values, hidden, packing, CPU, unseen, hiding)

    monkeypatch.setattr("motionprint.batches._sent", send)
    for step in (0, 4, 11):
        here = _crops(hiding=hiding).batch(step, CPU)
        there = _crops(hiding=hiding).batch(step, Elsewhere())  # type: ignore[arg-type]
        assert _same(here, there)
        assert torch.equal(here.frame_weights, there.frame_weights)
        assert there.packing.placed is not None and there.frames.untyped_storage().data_ptr() == (
            there.packing.placed.untyped_storage().data_ptr()
        )
    assert len(sent) == 3


def test_frame_weights_average_over_frames_then_over_sequences() -> None:
    batch, order = pack(_numbered([2, 5]))
    found = float((batch.frame_weights * batch.frames[:, 0]).sum())
    assert found == pytest.approx((np.mean([0, 1]) + np.mean(1000 + np.arange(5))) / 2)
    assert order.tolist() == [1, 0]


# ---- hidden parts --------------------------------------------------------------------------------------------------


def _parts_of(hidden: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(N, P) which parts are hidden; a part is hidden whole or not at all."""
    pairs = hidden.reshape(len(hidden), 5, 2)
    assert (pairs.all(axis=2) == pairs.any(axis=2)).all()
    return np.asarray(pairs.all(axis=2))


def test_one_to_four_parts_are_hidden_with_equal_chance_and_none_is_preferred() -> None:
    """12,000 draws: a share of 1/4 has a standard error of 0.004, so that 0.02 is five of them."""
    chosen = _parts_of(hide_parts(PARTS, 12_000, None, np.random.default_rng(0)))
    numbers = Counter(chosen.sum(axis=1).tolist())
    assert set(numbers) == {1, 2, 3, 4}
    for count in numbers.values():
        assert count / 12_000 == pytest.approx(1 / 4, abs=0.02)
    assert chosen.mean(axis=0) == pytest.approx([1 / 2] * 5, abs=0.025)  # (1 + 2 + 3 + 4) / 4 of 5
    pairs = {frozenset(np.flatnonzero(row).tolist()) for row in chosen[chosen.sum(axis=1) == 2]}
    assert len(pairs) == 10  # every pair occurs


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_fixed_number_of_parts(number: int) -> None:
    chosen = _parts_of(hide_parts(PARTS, 500, number, np.random.default_rng(0)))
    assert set(chosen.sum(axis=1).tolist()) == {number}
    assert chosen.mean(axis=0) == pytest.approx([number / 5] * 5, abs=0.11)  # five standard errors


def test_inputs_of_no_part_are_never_hidden() -> None:
    parts = np.concatenate([PARTS, np.zeros((5, 3), bool)], axis=1)  # as the root's path
    assert not hide_parts(parts, 100, None, np.random.default_rng(0))[:, D:].any()


def test_without_parts_nothing_is_hidden() -> None:
    assert not hide_parts(np.zeros((0, D), bool), 4, None, np.random.default_rng(0)).any()
    crops = Crops(_frames([9]), [], batch_size=2, crops=3, shortest=7, longest=8, hidden_parts=None, seed=0)
    assert not crops.batch(0, CPU).hidden.any()


# ---- drawing -------------------------------------------------------------------------------------------------------

LENGTHS = [3, 7, 12, 20, 35, 36, 50, 90]


def _crops(seed: int = 0, lengths: list[int] | None = None, **changes: Any) -> Crops:
    drawing: dict[str, Any] = {
        "batch_size": 16,
        "crops": 10,
        "shortest": 7,
        "longest": 35,
        "hidden_parts": None,
        "seed": seed,
    }
    return Crops(_frames(lengths or LENGTHS), list(PARTS), **{**drawing, **changes})


def _same(one: Batch, other: Batch) -> bool:
    return (
        one.packing == other.packing and torch.equal(one.frames, other.frames) and torch.equal(one.hidden, other.hidden)
    )


def _drawn(batch: Batch) -> list[tuple[int, int, int]]:
    """Recording, first frame and length of each sub-sequence; the frames must be contiguous."""
    found = []
    for number, length in enumerate(batch.packing.lengths):
        rows = batch.frames[batch.packing.sequence == number]
        assert (rows == rows[:, :1]).all()
        values = rows[:, 0].long()
        assert torch.equal(values, values[0] + torch.arange(length))
        recording, start = divmod(int(values[0]), 1000)
        found.append((recording, start, length))
    return found


def _epoch(crops: Crops, epoch: int) -> list[tuple[int, int, int]]:
    steps = crops.steps_per_epoch
    return [item for step in range(epoch * steps, (epoch + 1) * steps) for item in _drawn(crops.batch(step, CPU))]


def test_a_batch_is_a_function_of_seed_and_step_alone() -> None:
    crops = _crops()
    steps = range(3 * crops.steps_per_epoch)
    forward = [crops.batch(step, CPU) for step in steps]
    backward = [crops.batch(step, CPU) for step in reversed(steps)][::-1]
    torch.manual_seed(123)
    np.random.default_rng(4).random()
    fresh = [_crops().batch(step, CPU) for step in (0, 4, 13)]
    assert all(_same(a, b) for a, b in zip(forward, backward, strict=True))
    assert all(_same(forward[step], batch) for step, batch in zip((0, 4, 13), fresh, strict=True))


def test_another_seed_draws_other_sub_sequences_and_hides_other_parts() -> None:
    assert _epoch(_crops(0), 0) != _epoch(_crops(1), 0)
    one, other = _crops(0, [35], shortest=35).batch(0, CPU), _crops(1, [35], shortest=35).batch(0, CPU)
    assert torch.equal(one.frames, other.frames)  # the only sub-sequence that there is
    assert not torch.equal(one.hidden, other.hidden)


def test_each_recording_is_drawn_as_often_as_asked_in_every_epoch() -> None:
    crops = _crops()
    assert crops.steps_per_epoch == 5  # 8 x 10 in batches of 16
    for epoch in range(3):
        counts = Counter(recording for recording, _, _ in _epoch(crops, epoch))
        assert counts == dict.fromkeys(range(len(LENGTHS)), 10)


def test_the_last_batch_of_an_epoch_may_be_smaller() -> None:
    crops = _crops(batch_size=30)
    assert crops.steps_per_epoch == 3
    sizes = [crops.batch(step, CPU).packing.count for step in range(3)]
    assert sorted(sizes) == [20, 30, 30]


def test_epochs_differ() -> None:
    crops = _crops()
    assert sorted(_epoch(crops, 0)) != sorted(_epoch(crops, 1))
    whole = _crops(lengths=[35], shortest=35)  # one recording, always drawn whole: only what is hidden can differ
    one, other = whole.batch(0, CPU), whole.batch(whole.steps_per_epoch, CPU)
    assert torch.equal(one.frames, other.frames) and not torch.equal(one.hidden, other.hidden)


def test_sub_sequences_are_pieces_of_7_to_35_frames_or_the_whole_of_a_shorter_recording() -> None:
    crops = _crops(crops=200)
    found = _epoch(crops, 0)
    assert len(found) == 200 * len(LENGTHS)
    for recording, start, length in found:
        whole = LENGTHS[recording]
        assert min(7, whole) <= length <= min(35, whole)
        assert start + length <= whole
    lengths = Counter(length for recording, _, length in found if recording == 7)
    starts = {start for recording, start, length in found if recording == 6 and length <= 10}
    assert min(lengths) == 7 and max(lengths) == 35 and len(lengths) == 29  # all of them: 200 draws, 29 lengths
    assert min(starts) < 10 and max(starts) > 30
    assert {item for item in found if item[0] == 0} == {(0, 0, 3)}
    assert {(start, length) for recording, start, length in found if recording == 1} == {(0, 7)}


def test_the_first_and_the_last_frame_of_a_recording_can_be_drawn() -> None:
    found = _epoch(_crops(lengths=[9], crops=200), 0)
    assert {(start, length) for _, start, length in found} == {(0, 7), (1, 7), (2, 7), (0, 8), (1, 8), (0, 9)}


def test_batches_are_packed_longest_first_and_hold_similar_lengths() -> None:
    crops = _crops(lengths=[90] * 16, crops=16)
    spreads = []
    for step in range(crops.steps_per_epoch):
        lengths = crops.batch(step, CPU).packing.lengths
        assert list(lengths) == sorted(lengths, reverse=True)
        spreads.append(lengths[0] - lengths[-1])
    assert np.mean(spreads) < 7  # of 28, if drawn at random from 7..35
    lengths_in_order = [crops.batch(step, CPU).packing.lengths[0] for step in range(crops.steps_per_epoch)]
    assert lengths_in_order != sorted(lengths_in_order)
    assert lengths_in_order != sorted(lengths_in_order, reverse=True)


def test_the_first_frame_stays_whole_and_all_others_hide_the_same_parts() -> None:
    crops = _crops()
    for step in range(crops.steps_per_epoch):
        batch = crops.batch(step, CPU)
        for number in range(batch.packing.count):
            hidden = batch.hidden[batch.packing.sequence == number]
            assert not hidden[0].any()
            assert (hidden[1:] == hidden[1]).all()
            assert int(_parts_of(hidden[1:2].numpy()).sum()) in (1, 2, 3, 4)


def test_what_is_hidden_by_default_is_one_draw_a_sequence_from_the_second_frame_on() -> None:
    """Written out, so that a run can be taken up by any version."""
    for step in (0, 7):
        batch = _crops(seed=3).batch(step, CPU)
        drawn = hide_parts(PARTS, batch.packing.count, None, np.random.default_rng([3, 1, step]))
        expected = drawn[batch.packing.sequence.numpy()] & (batch.packing.time > 0).numpy()[:, None]
        np.testing.assert_array_equal(batch.hidden.numpy(), expected)


def test_parts_can_be_drawn_anew_in_each_frame() -> None:
    plain, redrawn = _crops(), _crops(hiding=Hiding(each_frame=True))
    for step in (0, 4, 11):
        batch, expected = redrawn.batch(step, CPU), plain.batch(step, CPU)
        assert batch.packing == expected.packing and torch.equal(batch.frames, expected.frames)
        drawn = hide_parts(PARTS, batch.packing.rows, None, np.random.default_rng([0, 1, step]))
        later = (batch.packing.time > 0).numpy()
        np.testing.assert_array_equal(batch.hidden.numpy()[later], drawn[later])
        assert not batch.hidden.numpy()[~later].any()
        numbers = _parts_of(batch.hidden.numpy()[later]).sum(axis=1)
        assert set(numbers.tolist()) == {1, 2, 3, 4}
        longest = batch.hidden[batch.packing.sequence == 0][1:]
        assert len(torch.unique(longest, dim=0)) > len(longest) // 2  # of 30 sets, with some drawn twice
    fixed = _crops(hiding=Hiding(each_frame=True), hidden_parts=3).batch(0, CPU)
    assert set(_parts_of(fixed.hidden[fixed.packing.time > 0].numpy()).sum(axis=1).tolist()) == {3}


def test_the_first_frame_can_be_hidden_like_the_others() -> None:
    for each_frame in (False, True):
        batch = _crops(hiding=Hiding(each_frame, first_frame=True)).batch(2, CPU)
        whole = _crops(hiding=Hiding(each_frame)).batch(2, CPU)
        later = batch.packing.time > 0
        assert torch.equal(batch.hidden[later], whole.hidden[later])
        assert set(_parts_of(batch.hidden[~later].numpy()).sum(axis=1).tolist()) == {1, 2, 3, 4}
        for number in range(batch.packing.count):
            hidden = batch.hidden[batch.packing.sequence == number]
            assert bool((hidden[1:] == hidden[0]).all()) != each_frame or len(hidden) < 4


@pytest.mark.parametrize("hiding", HIDINGS)
def test_shares_of_a_batch_hide_what_the_whole_hides(hiding: Hiding) -> None:
    crops = _crops(hiding=hiding)
    whole = crops.batch(3, CPU)
    for size in (2, 3):
        for rank in range(size):
            part = crops.batch(3, CPU, share=(rank, size))
            assert torch.equal(part.hidden, whole.hidden[part.packing.rows_in_whole])
            assert torch.equal(part.frames, whole.frames[part.packing.rows_in_whole])


def test_the_number_of_hidden_parts_can_be_fixed_in_drawing() -> None:
    batch = _crops(hidden_parts=3).batch(0, CPU)
    assert set(_parts_of(batch.hidden[batch.packing.time > 0].numpy()).sum(axis=1).tolist()) == {3}


def test_hidden_parts_do_not_depend_on_the_order_of_steps() -> None:
    crops = _crops()
    late = crops.batch(7, CPU)
    assert _same(_crops().batch(7, CPU), late)
    assert not torch.equal(crops.batch(6, CPU).hidden[16:32], late.hidden[16:32])


def test_a_step_names_the_sequences_that_it_draws_from() -> None:
    crops = _crops()
    for step in range(7):
        drawn = [recording for recording, _, _ in _drawn(crops.batch(step, CPU))]
        assert crops.recordings(step).tolist() == drawn


def test_every_round_of_an_epoch_draws_each_sequence_once_in_an_order_of_its_own() -> None:
    """As many sequences as a pool has room for: a pool is then a round."""
    crops = _crops(lengths=[9] * 64, batch_size=4, crops=3)
    rounds = [np.concatenate([crops.recordings(16 * pool + place) for place in range(16)]) for pool in range(6)]
    assert all(sorted(drawn.tolist()) == list(range(64)) for drawn in rounds)
    orders = [crops._pieces(*where, where[1] + 64).tolist() for where in ((0, 0), (0, 64), (1, 0))]
    assert len({tuple(order) for order in orders}) == 3
    assert list(range(64)) not in orders


def test_what_is_held_of_an_epoch_does_not_grow_with_its_draws() -> None:
    crops = _crops(lengths=[9] * 300, batch_size=4, crops=200)
    for step in (0, 9_000, 15, 16, 17, 14_999, 15_000):
        crops.batch(step, CPU)
    assert len(crops._pools) <= 2
    assert sum(len(batch.piece) for pool in crops._pools.values() for batch in pool) <= 2 * 16 * 4
    assert len(crops._round[1]) == 300


def test_threads_that_ask_at_once_get_what_one_gets() -> None:
    alone = [_crops().batch(step, CPU) for step in range(40)]
    crops = _crops()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda step: crops.batch(step, CPU), range(40)))
    assert all(_same(one, other) for one, other in zip(alone, found, strict=True))


# ---- gaps ----------------------------------------------------------------------------------------------------------


def _with_path(lengths: list[int]) -> Frames:
    """Numbered sequences of D inputs in five parts and three more for the root's path."""
    return Frames(([sequence] for sequence in _numbered(lengths, 33)), 33)


BODY = np.concatenate([np.eye(5, dtype=bool).repeat(6, axis=1), np.zeros((5, 3), bool)], axis=1)
"""Five parts of two joints each, and a path that is in none."""


def _gappy(share: tuple[int, int] = (0, 1), seed: int = 1, step: int = 0) -> Batch:
    frames = _with_path([40, 30, 64, 12, 50, 64, 33, 7])
    settings = {"batch_size": 6, "crops": 2, "shortest": 5, "longest": 48, "hidden_parts": None}
    crops = Crops(frames, list(BODY), seed=seed, hiding=Hiding(gaps=True), **settings)  # type: ignore[arg-type]
    return crops.batch(step, CPU, share)


def test_gaps_are_hidden_from_encoder_and_decoder_alike() -> None:
    batch = _gappy()
    assert batch.unseen is not None and torch.equal(batch.unseen, batch.hidden)
    assert batch.hidden.any() and not batch.hidden.all()
    joints = batch.hidden.view(-1, 11, 3)
    assert torch.equal(joints.any(dim=2), joints.all(dim=2))  # a joint is hidden whole
    assert not batch.seen[batch.hidden].any()


def test_gaps_depend_on_seed_and_step_alone_and_shares_hide_what_the_whole_hides() -> None:
    whole = _gappy(step=3)
    assert torch.equal(whole.hidden, _gappy(step=3).hidden)
    assert not torch.equal(_gappy(step=3, seed=2).hidden, whole.hidden)
    for rank in range(2):
        part = _gappy((rank, 2), step=3)
        rows = part.packing.rows_in_whole
        assert torch.equal(part.hidden, whole.hidden[rows]) and torch.equal(part.frames, whole.frames[rows])
        assert part.unseen is not None and torch.equal(part.unseen, part.hidden)


def test_gaps_have_every_form() -> None:
    """Runs of frames and whole sequences, single joints, whole parts, everything; the path only with everything."""
    rng = np.random.default_rng(0)
    lengths = np.full(400, 40)
    hidden = hide_gaps(BODY, lengths, rng).reshape(40, 400, 11, 3)[..., 0]  # of one length, rows are (T, N)
    joints, path = hidden[..., :10], hidden[..., 10]
    assert joints[path].all() and path.any()
    assert path.sum(axis=0).max() < 40  # something is always shown
    assert not joints.all(axis=(0, 2)).any()
    never = joints.all(axis=0).sum(axis=1)  # (N,)
    assert 0 < (never > 0).mean() < 0.5
    once = joints[:, joints.any(axis=0).sum(axis=1) == 1]
    assert once.shape[1] > 10  # gaps of one joint alone
    share = joints.mean()
    assert 0.05 < share < 0.5
    short = np.bincount(path.sum(axis=0)[path.any(axis=0)], minlength=41)
    assert short[1:6].sum() > short[20:31].sum() > 0  # log-uniform: short ones are more frequent


def test_gaps_reach_a_device_as_they_are() -> None:
    """What is sent at once is what is made here, the rows that are hidden included."""
    expected = _gappy()
    host = expected.hidden.numpy()
    sent = _sent(expected.frames.numpy(), host, expected.packing, CPU, None, Hiding(each_frame=True, first_frame=True))
    assert torch.equal(sent.hidden, expected.hidden) and torch.equal(sent.frames, expected.frames)
