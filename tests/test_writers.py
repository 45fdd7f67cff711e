"""Writers: what was written reads back; what a format cannot hold is refused; nothing is half-written."""

from __future__ import annotations

import ezc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionprint.errors import DatasetError, SettingsError
from motionprint.readers import READERS, ReadSettings, read
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.writers import WRITERS, write

MARKERS = ("c3d", "trc")
"""Formats of marker sets; tests/test_writers_tables.py and tests/test_writers_bvh.py have the others."""


class Files:
    """In place of a source: a reader of one file asks it for nothing but a name."""

    @staticmethod
    def label(name):
        return name


def star(names):
    return Skeleton(tuple(names), (-1,) + (0,) * (len(names) - 1))


def sequence(frames=4, names=("hips", "head", "left hand"), fps=120.0, seed=0):
    positions = np.random.default_rng(seed).normal(size=(frames, len(names), 3)).astype(np.float32)
    return SkeletonSequence(positions, fps, star(names), name="walk")


def read_back(name, written):
    [found] = READERS[name].read(Files, f"walk.{name}", WRITERS[name].encode(written), ReadSettings())
    return found


PRECISION = {"c3d": 2.0**-23, "trc": 0.0}
"""The relative error that a format's positions may have: none, or two roundings to a float32 of half a unit each."""


def require_equal(found, written):
    precision = PRECISION[found.source.rpartition(".")[2].lower()]
    np.testing.assert_allclose(found.positions, written.positions, rtol=precision, atol=1e-44 if precision else 0)
    assert found.skeleton.joint_names == written.skeleton.joint_names
    assert np.float32(found.fps) == np.float32(written.fps)


NAMES = st.text(st.characters(blacklist_categories=("C", "Z")), min_size=1, max_size=31).filter(
    lambda name: name.isprintable() and name == name.strip()
)
NUMBERS = st.floats(-1000, 1000, width=32) | st.just(float("nan")) | st.floats(-(2.0**-100), 2.0**-100, width=32)


@st.composite
def sequences(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    frames = draw(st.integers(1, 4))
    values = draw(st.lists(NUMBERS, min_size=frames * len(names) * 3, max_size=frames * len(names) * 3))
    fps = draw(st.floats(2.0**-7, 1e6, width=32))
    return SkeletonSequence(np.array(values, np.float32).reshape(frames, len(names), 3), fps, star(names), name="walk")


@pytest.mark.parametrize("name", MARKERS)
@settings(max_examples=150, deadline=None)
@given(written=sequences())
def test_what_was_written_reads_back(name, written):
    require_equal(read_back(name, written), written)


@pytest.mark.parametrize("name", MARKERS)
def test_many_joints(name):
    written = sequence(3, [f"joint number {number:03d} {'é' * 54}" for number in range(300)])
    require_equal(read_back(name, written), written)
    require_equal(
        read_back(name, sequence(2, [f"m{number}" for number in range(255)])),
        sequence(2, [f"m{n}" for n in range(255)]),
    )


def test_more_frames_than_a_c3d_header_counts():
    written = sequence(70_000, ("a",))
    require_equal(read_back("c3d", written), written)
    written = sequence(65_535, ("a",))
    require_equal(read_back("c3d", written), written)


def test_a_rate_that_is_no_float32():
    assert read_back("c3d", sequence(fps=59.94)).fps == 59.94
    assert read_back("trc", sequence(fps=1 / 3)).fps == 1 / 3


def test_ezc3d_reads_what_was_written(tmp_path):
    written = sequence(40, [f"m{number}" for number in range(300)], fps=59.94)
    written.positions[3, 7] = np.nan
    write(written, tmp_path / "walk.c3d")
    file = ezc3d.c3d(str(tmp_path / "walk.c3d"))
    millimetres = (written.positions.astype(np.float64) * 1000).astype(np.float32)
    np.testing.assert_array_equal(file["data"]["points"][:3].transpose(2, 1, 0), millimetres)
    residuals = file["data"]["meta_points"]["residuals"][0].T
    assert np.argwhere(residuals < 0).tolist() == [[3, 7]]
    point = file["parameters"]["POINT"]
    assert (*point["LABELS"]["value"], *point["LABELS2"]["value"]) == written.skeleton.joint_names
    assert point["UNITS"]["value"] == ["mm"]
    assert point["RATE"]["value"][0] == pytest.approx(59.94)
    assert len(file["data"]["points"][0, 0]) == point["FRAMES"]["value"][0] == 40


@pytest.mark.parametrize("name", MARKERS)
def test_a_skeleton_gives_the_tree_back(tmp_path, name):
    body = SKELETONS["kinect20"]
    positions = np.random.default_rng(0).normal(size=(5, 20, 3)).astype(np.float32)
    file = tmp_path / f"walk.{name}"
    write([SkeletonSequence(positions, 30.0, body, name="walk")], file)
    [found] = read(file, skeleton="kinect20")
    assert found.skeleton is body
    np.testing.assert_allclose(found.positions, positions, rtol=PRECISION[name])


@pytest.mark.parametrize("name", MARKERS)
@pytest.mark.parametrize("joint", ["a ", " a", "a\tb", "a\nb", "\0"])
def test_names_that_would_not_read_back_are_refused(tmp_path, name, joint):
    with pytest.raises(SettingsError, match=r"walk\.\w+: \w+: expected joint names of .* without blanks around, found"):
        write(sequence(names=("b", joint)), tmp_path / f"walk.{name}")
    assert list(tmp_path.iterdir()) == []


def test_what_a_c3d_cannot_hold():
    with pytest.raises(SettingsError, match="expected joint names of 1 to 127 bytes"):
        WRITERS["c3d"].encode(sequence(names=("a" * 128,)))
    with pytest.raises(SettingsError, match="expected joint names of some 130,000 bytes in all, found more"):
        WRITERS["c3d"].encode(sequence(1, [f"{number:0127d}" for number in range(1100)]))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("written", "message"),
    [
        (lambda: sequence(fps=1e50), "expected a frame rate from 1e-06 to 1e+06 frames/s, found 1e+50"),
        (lambda: sequence(0), "expected at least one frame, found none"),
        (
            lambda: SkeletonSequence(np.full((3, 1, 3), 2e6, np.float32), 30, star("a")),
            "expected positions below 1,000,000 m, found 2e+06 m in frame 1",
        ),
        (lambda: [sequence(), sequence()], "expected one recording a file, found 2: write each to its own"),
        (lambda: [], "expected one recording a file, found 0: write each to its own"),
    ],
)
def test_recordings_that_are_refused(tmp_path, name, written, message):
    with pytest.raises(SettingsError) as caught:
        write(written(), tmp_path / f"walk.{name}")
    assert str(caught.value) == f"{tmp_path / f'walk.{name}'}: {message}"
    assert list(tmp_path.iterdir()) == []


def test_the_format_is_that_of_the_extension(tmp_path):
    write(sequence(), tmp_path / "WALK.C3D")
    assert (tmp_path / "WALK.C3D").read_bytes()[1] == 0x50
    with pytest.raises(SettingsError, match=r"walk\.xyz: unknown format to write; expected one of .*C3D \(\.c3d\)"):
        write(sequence(), tmp_path / "walk.xyz")


def test_nothing_is_replaced_unasked(tmp_path):
    file = tmp_path / "walk.trc"
    write(sequence(), file)
    before = file.read_bytes()
    with pytest.raises(DatasetError, match=r"walk\.trc: exists; overwrite=True replaces it"):
        write(sequence(seed=1), file)
    assert file.read_bytes() == before
    write(sequence(seed=1), file, overwrite=True)
    require_equal(read(file)[0], sequence(seed=1))
    assert [entry.name for entry in tmp_path.iterdir()] == ["walk.trc"]
    (tmp_path / "folder.trc").mkdir()
    with pytest.raises(DatasetError, match="expected a file to write, found a folder"):
        write(sequence(), tmp_path / "folder.trc", overwrite=True)


def test_what_the_system_refuses_leaves_nothing(tmp_path, monkeypatch):
    with pytest.raises(DatasetError, match=r"nowhere/walk\.trc: cannot be written: No such file or directory"):
        write(sequence(), tmp_path / "nowhere" / "walk.trc")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("motionprint.writers.os.fsync", full)
    with pytest.raises(DatasetError, match=r"walk\.trc: cannot be written: No space left on device"):
        write(sequence(), tmp_path / "walk.trc")
    assert list(tmp_path.iterdir()) == []


def test_every_writer_is_documented():
    from pathlib import Path

    page = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
    for name, writer in WRITERS.items():
        assert f"`{name}`" in page.split("## Writing")[1], name
        assert writer.TITLE and all(end == end.lower() and end.startswith(".") for end in writer.EXTENSIONS)
