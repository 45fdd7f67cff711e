"""Recordings as `.npz` and as CSV read back bit for bit; what a format cannot hold is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from motionprint.errors import SettingsError
from motionprint.readers import read
from motionprint.readers.arrays import recognises as recognises_arrays
from motionprint.readers.table import parse as parse_table
from motionprint.readers.table import recognises as recognises_table
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.writers import WRITERS, csv, npz, write

NUMBERS = st.floats(width=32, min_value=-1e6, max_value=1e6) | st.just(float("nan"))
LETTERS = st.characters(categories=["L", "N", "P", "S", "Zs"])


@st.composite
def recordings(draw):
    positions = draw(
        arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=5).map(lambda s: (*s, 3)), elements=NUMBERS)
    )
    joints = positions.shape[1]
    texts = st.text(LETTERS, min_size=1, max_size=8).filter(lambda text: text == text.strip() and text.isprintable())
    names = draw(st.lists(texts, min_size=joints, max_size=joints, unique=True))
    parents = [-1, *(draw(st.integers(0, joint - 1)) for joint in range(1, joints))]
    return SkeletonSequence(
        positions,
        draw(st.floats(1, 1000)),
        Skeleton.from_tree(names, parents),
        name=draw(st.text(LETTERS, min_size=1, max_size=8)),
        person=draw(st.integers(0, 9)),
        label=draw(st.none() | st.text(LETTERS, max_size=8)),
        subject=draw(st.none() | st.text(LETTERS, max_size=8)),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("written")


@settings(max_examples=150, deadline=None)
@given(sequence=recordings())
def test_npz_keeps_everything_bit_for_bit(folder, sequence):
    write(sequence, folder / "a.npz", overwrite=True)
    [back] = read(folder / "a.npz")
    assert back.positions.tobytes() == sequence.positions.tobytes()
    assert back.skeleton == sequence.skeleton and back.fps == sequence.fps
    for key in ("name", "person", "label", "subject"):
        assert getattr(back, key) == getattr(sequence, key)
    assert npz.encode(sequence) == npz.encode(back)  # the same bytes: no clock in them
    assert recognises_arrays(npz.encode(sequence))
    with np.load(folder / "a.npz", allow_pickle=False) as plain:
        assert plain["positions"].tobytes() == sequence.positions.tobytes()


@settings(max_examples=150, deadline=None)
@given(sequence=recordings())
def test_csv_keeps_positions_bit_for_bit_and_names(folder, sequence):
    write(sequence, folder / "a.csv", overwrite=True)
    fps = sequence.fps if len(sequence) == 1 else None  # one time says no rate
    [back] = read(folder / "a.csv", fps=fps)
    np.testing.assert_array_equal(back.positions, sequence.positions)
    known = ~np.isnan(sequence.positions)
    assert back.positions[known].tobytes() == sequence.positions[known].tobytes()  # -0.0 is not 0.0
    assert back.skeleton.joint_names == sequence.skeleton.joint_names
    assert back.fps == pytest.approx(sequence.fps, rel=1e-8)
    [other] = read(folder / "a.csv", fps=fps, skeleton=sequence.skeleton)
    assert other.skeleton is sequence.skeleton


def walk():
    positions = np.random.default_rng(0).normal(size=(30, 20, 3)).astype(np.float32)
    positions[3, 4] = np.nan
    return SkeletonSequence(positions, 29.97, SKELETONS["kinect20"], name="walk")


def test_extremes_of_a_float32():
    tiny, largest = np.float32(1e-45), np.nextafter(np.float32(1e9), np.float32(0))
    values = np.array([tiny, -tiny, largest, np.float32(0.1), np.float32(1 / 3), -0.0], dtype=np.float32)
    sequence = SkeletonSequence(values.reshape(1, 2, 3), 30, Skeleton(("a", "b"), (-1, 0)))
    assert parse_table(csv.encode(sequence), "a.csv", fps=30).persons[0].tobytes() == values.tobytes()


def test_what_a_csv_looks_like():
    sequence = SkeletonSequence(
        np.array([[[0.5, 1, np.nan]], [[0.25, -2, 3]]], dtype=np.float32), 50, Skeleton(("L Hand",), (-1,))
    )
    assert csv.encode(sequence) == (b'frame,time,"L Hand_x","L Hand_y","L Hand_z"\n0,0.0,0.5,1,\n1,0.02,0.25,-2,3\n')
    assert recognises_table(csv.encode(walk()))


def test_a_folder_of_what_was_written_is_read(tmp_path):
    for extension in ("csv", "npz"):
        write(walk(), tmp_path / f"walk_{extension}.{extension}")
    one, two = read(tmp_path, skeleton="kinect20")
    assert one.positions.tobytes() == two.positions.tobytes() == walk().positions.tobytes()
    assert one.fps == two.fps == 29.97


@pytest.mark.parametrize("name", ["", " a", "a\n", "a\tb", "a" * 151])
def test_names_that_a_csv_cannot_hold(name):
    sequence = SkeletonSequence(np.zeros((1, 1, 3), np.float32), 30, Skeleton((name,), (-1,)))
    with pytest.raises(SettingsError) as caught:
        csv.encode(sequence)
    assert str(caught.value) == f"CSV: expected joint names of printable text without blanks around, found {name!a}"


@pytest.mark.parametrize("name", ["a\0", "\ud800"])
def test_names_that_an_npz_cannot_hold(name):
    sequence = SkeletonSequence(np.zeros((1, 1, 3), np.float32), 30, Skeleton((name,), (-1,)))
    with pytest.raises(SettingsError) as caught:
        npz.encode(sequence)
    assert str(caught.value) == f"NumPy arrays: expected names of text, found {name!a}"


def test_both_are_in_the_table():
    assert WRITERS["npz"] is npz and WRITERS["csv"] is csv
