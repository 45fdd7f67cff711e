"""MSR Action3D's rows: the order of joints, what is missing, every error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import read
from motionprint.readers.msr import parse, recognises
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS

# The order of the data set, from 1, as its authors give it.
NAMES = """
    shoulder_left shoulder_right shoulder_center spine hip_left hip_right hip_center elbow_left elbow_right wrist_left
    wrist_right hand_left hand_right knee_left knee_right ankle_left ankle_right foot_left foot_right head
"""
MSR = NAMES.split()


def rows(frames=3):
    random = np.random.default_rng(0)
    values = random.normal(size=(frames * 20, 4)).round(6)
    values[:, 2] = abs(values[:, 2]) + 2
    values[:, 3] = random.uniform(size=len(values)).round(6)
    return values


def text(values, end="\n"):
    return (end.join(" ".join(f"{value:f}" for value in row) for row in values) + end).encode()


def message(data):
    with pytest.raises(ReadError) as caught:
        parse(data, "a.txt")
    return str(caught.value)


def test_joints_come_in_the_order_of_kinect20(tmp_path):
    (tmp_path / "a01_s01_e01_skeleton3D.txt").write_bytes(text(rows()))
    [sequence] = read(tmp_path / "a01_s01_e01_skeleton3D.txt")
    assert sequence.skeleton is SKELETONS["kinect20"] and sequence.fps == 15.0
    assert sequence.positions.shape == (3, 20, 3)
    for row, joint in enumerate(MSR):
        ours = sequence.positions[:, sequence.skeleton.joint_names.index(joint)]
        np.testing.assert_array_equal(ours, rows()[row::20, :3].astype(np.float32))
    assert read(tmp_path / "a01_s01_e01_skeleton3D.txt", fps=30)[0].fps == 30


def test_zeros_are_missing():
    values = rows()
    values[20:40] = 0
    values[45, :3] = 0
    values[46, :2] = 0
    positions = parse(text(values), "a")
    assert np.isnan(positions[1]).all() and not np.isnan(positions[0]).any()
    assert np.isnan(positions[2]).any(axis=1).nonzero()[0].tolist() == [SKELETONS["kinect20"].joint_names.index(MSR[5])]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\n\n"),
        lambda data: data.replace(b" ", b"\t"),
        lambda data: b"\xef\xbb\xbf" + data.rstrip(),
        lambda data: b"  " + data + b"\n\x1a",
    ],
)
def test_what_changes_nothing(change):
    assert recognises(text(rows()))
    np.testing.assert_array_equal(parse(change(text(rows())), "a"), parse(text(rows()), "a"))


@pytest.mark.parametrize(
    "other",
    [
        b"1 2 3\n" * 40,
        b"1 2 3 4\n" * 40,  # no confidence
        b"1 2 -3 0.5\n" * 40,  # behind the camera
        b"150 120 3 0.5\n" * 40,  # pixels
        b"1 2 3 0.5\n" * 19,
        b"x y z c\n" + b"1 2 3 0.5\n" * 40,
        b"1,2,3,0.5\n" * 40,
    ],
)
def test_other_texts_are_not_taken_for_it(other):
    assert not recognises(other)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda lines: lines.pop(), "a.txt: expected 20 rows a frame, found 59 rows: is the file truncated?"),
        (lambda lines: lines.__setitem__(4, "1 2 3"), "a.txt:5: expected 4 values (x y z confidence), found 3"),
        (
            lambda lines: lines.__setitem__(4, "1 2 3 nan"),
            "a.txt:5: expected a number among the values (x y z confidence), found 'nan'",
        ),
        (
            lambda lines: lines.__setitem__(4, "1 2 1e99 1"),
            "a.txt:5: expected a number among the values (x y z confidence), found '1e99'",
        ),
        (
            lambda lines: lines.__setitem__(4, "1 -135.5 3 1"),
            "a.txt:5: expected metres below 20, found -135.5: are these pixels?",
        ),
        (lambda lines: lines.clear(), "a.txt: expected 20 rows a frame, found 0 rows: is the file truncated?"),
    ],
)
def test_each_fault_is_told(change, expected):
    lines = text(rows()).decode().splitlines()
    change(lines)
    assert message("\n".join(lines).encode()) == expected


def test_cut_after_each_line():
    lines = text(rows()).splitlines(keepends=True)
    for count in range(1, len(lines)):
        if count % 20:
            assert f"found {count} rows" in message(b"".join(lines[:count]))
        else:
            assert len(parse(b"".join(lines[:count]), "a")) == count // 20


def test_settings_of_other_formats_are_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(text(rows()))
    with pytest.raises(SettingsError, match=r"up= is not for MSR Action3D skeleton: it has 20 joints in metres, y up"):
        read(tmp_path / "a.txt", up="z")


def _slowly(data):
    """Row by row, without the reader's ways."""
    values = np.array([[float(word) for word in line.split()] for line in data.split(b"\n") if line.split()])
    return values.reshape(-1, 20, 4)[..., :3]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_gives_an_error_or_a_recording_and_nothing_else(data):
    damaged = bytearray(text(rows(2)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, max(len(damaged) - 1, 0)))
        word = data.draw(
            st.sampled_from([b"", b" nan ", b" inf ", b"1e400", b"9", b"\n", b"\x00", b"-", b"\xff", b"\x1c"])
        )
        damaged[place : place + data.draw(st.sampled_from([0, 1, 40, 10_000]))] = word
    try:
        positions = parse(bytes(damaged), "a")
    except ReadError as error:
        assert str(error).startswith("a") and "\n" not in str(error)
    else:
        SkeletonSequence(positions, 15, SKELETONS["kinect20"])
        if b"\x00" not in damaged and b"\x1c" not in damaged:
            whole = _slowly(bytes(damaged)).astype(np.float32)
            np.testing.assert_array_equal(np.nan_to_num(positions)[:, 0], whole[:, MSR.index("hip_center")])
