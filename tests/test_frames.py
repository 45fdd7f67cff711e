"""Preprocessed frames on disk: the same numbers, gone with whoever wrote them, and no memory that grows with them."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
import weakref
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionprint.errors import DatasetError
from motionprint.preprocessing import Frames
from motionprint.store.mapped import MappedRows

Sequences = list[list[npt.NDArray[np.float32]]]
LINUX = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads /proc")


def _recordings(lengths: list[list[int]], inputs: int = 4) -> Sequences:
    random = np.random.default_rng(0)
    return [[random.random((length, inputs), dtype=np.float32) for length in pieces] for pieces in lengths]


def test_what_is_written_is_read_at_any_place(tmp_path: Path) -> None:
    recordings = _recordings([[3], [5, 2, 4], [1]])
    frames = Frames(recordings, 4, place=tmp_path)
    sequences = [sequence for pieces in recordings for sequence in pieces]
    assert len(frames) == 5
    assert frames.lengths.tolist() == [3, 5, 2, 4, 1]
    assert frames.starts.tolist() == [0, 3, 8, 10, 14]
    assert frames.recording.tolist() == [0, 1, 1, 1, 2]
    assert frames.rows.shape == (15, 4) and len(frames.rows) == 15
    for start, sequence in zip(frames.starts.tolist(), sequences, strict=True):
        np.testing.assert_array_equal(frames.rows.read(start, start + len(sequence)), sequence)
    numbers = np.random.default_rng(1).integers(0, 15, 40)
    np.testing.assert_array_equal(frames.rows.take(numbers, runs=40), np.concatenate(sequences)[numbers])


def test_a_sequence_is_read_with_zeros_or_nan_where_a_value_is_missing(tmp_path: Path) -> None:
    recordings = _recordings([[3], [4, 2]])
    recordings[1][0][1, 2] = np.nan
    frames = Frames(recordings, 4, place=tmp_path)
    for number, sequence in enumerate([*recordings[0], *recordings[1]]):
        np.testing.assert_array_equal(frames.sequence(number), sequence)
        np.testing.assert_array_equal(frames.read(number), np.where(np.isnan(sequence), 0, sequence))
        assert frames.read(number).dtype == np.float32


def test_recordings_are_taken_one_after_another() -> None:
    given: list[weakref.ref[npt.NDArray[np.float32]]] = []

    def stream() -> Iterator[list[npt.NDArray[np.float32]]]:
        for length in range(1, 20):
            sequence = np.full((length, 2), length, np.float32)
            given.append(weakref.ref(sequence))
            yield [sequence]
            del sequence
            assert sum(each() is not None for each in given) <= 1

    assert Frames(stream(), 2).lengths.tolist() == list(range(1, 20))


def test_nothing_to_write_is_no_failure(tmp_path: Path) -> None:
    frames = Frames([], 4, place=tmp_path)
    assert len(frames) == 0 and frames.rows.shape == (0, 4)


def test_values_that_are_not_contiguous_or_of_another_type_are_written_as_they_read(tmp_path: Path) -> None:
    table = np.arange(24.0).reshape(6, 4)
    frames = Frames([[table[::2, ::-1]]], 4, place=tmp_path)  # type: ignore[list-item]
    np.testing.assert_array_equal(frames.rows.read(0, 3), table[::2, ::-1])


def test_a_disk_without_room_is_named_before_anything_is_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_may_be_prepared() -> Iterator[list[npt.NDArray[np.float32]]]:
        raise AssertionError
        yield []

    usage = namedtuple("usage", ["total", "used", "free"])
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(10**12, 10**12 - 3_000_000, 3_000_000))
    with pytest.raises(
        DatasetError,
        match=rf"^expected 4\.8 GB of free disk for preprocessed frames in {tmp_path}, found 3\.0 MB$",
    ):
        Frames(nothing_may_be_prepared(), 60, place=tmp_path, expected_rows=20_000_000)
    assert len(Frames(_recordings([[3]]), 4, place=tmp_path, expected_rows=3)) == 1


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=rf"^expected room for preprocessed frames in {tmp_path / 'none'}, found: No such file"
    ):
        Frames(_recordings([[3]]), 4, place=tmp_path / "none")


def test_a_disk_that_fills_up_meanwhile_is_named(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk."""
    resource = pytest.importorskip("resource")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limit[1]))
    try:
        with pytest.raises(DatasetError, match=rf"^expected room for preprocessed frames in {tmp_path}, found: File"):
            Frames(_recordings([[1000]] * 100), 4, place=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(tmp_path.iterdir()) == []


@LINUX
def test_the_file_has_no_name_and_its_space_is_free_once_nobody_needs_it(tmp_path: Path) -> None:
    frames = Frames(_recordings([[1000]] * 10), 4, place=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    del frames
    gc.collect()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def test_an_error_in_a_recording_passes_and_leaves_nothing(tmp_path: Path) -> None:
    def spoiled() -> Iterator[list[npt.NDArray[np.float32]]]:
        yield [np.zeros((3, 4), np.float32)]
        raise DatasetError("walk: expected at least one frame, found none")

    with pytest.raises(DatasetError, match=r"^walk: expected at least one frame"):
        Frames(spoiled(), 4, place=tmp_path)
    assert list(tmp_path.iterdir()) == []


MEASURE = """
import sys
from pathlib import Path
import numpy as np
from motionprint.preprocessing import Frames

def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])

count = int(sys.argv[1])
frames = Frames(([np.full((30, 64), i, np.float32)] for i in range(count)), 64, place=Path(sys.argv[2]))
before = peak()
random = np.random.default_rng(0)
for _ in range(200):
    starts = random.integers(0, 30 * count - 20, 64)
    frames.rows.take((starts + np.arange(20)[:, None]).ravel(), runs=64)
for i in range(count):
    frames.rows.read(30 * i, 30 * i + 30)
print(before, peak())
"""


@LINUX
def test_reading_a_file_does_not_make_it_memory(tmp_path: Path) -> None:
    """77 MB are written and all of them read, through a map and at random places; 8 MB may stay, and a batch."""
    arguments = [sys.executable, "-c", MEASURE, "10000", str(tmp_path)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    before, after = (int(word) for word in done.stdout.split())
    assert after - before < 20_000  # KB


def test_an_array_in_memory_serves_where_nothing_is_mapped() -> None:
    table = np.arange(12, dtype=np.float32).reshape(6, 2)
    rows = MappedRows(table)
    np.testing.assert_array_equal(rows.take(np.array([5, 0]), runs=2), table[[5, 0]])
    copy = rows.read(1, 3)
    copy[:] = -1
    assert (table >= 0).all()
