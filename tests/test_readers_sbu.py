"""SBU's skeleton_pos.txt: two persons, the conversion to metres, every error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import read
from motionprint.readers.sbu import parse, recognises
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS


def values(frames=3):
    return np.random.default_rng(0).uniform(0.1, 1, size=(frames, 2, 15, 3)).round(5)


def text(positions, first=55, step=1, end="\r\n"):
    rows = [
        ",".join([str(first + step * number), *(f"{value:g}" for value in frame.ravel())])
        for number, frame in enumerate(positions)
    ]
    return (end.join(rows) + end).encode()


def message(data):
    with pytest.raises(ReadError) as caught:
        parse(data, "a.txt")
    return str(caught.value)


def test_two_persons_in_metres(tmp_path):
    (tmp_path / "skeleton_pos.txt").write_bytes(text(values()))
    persons = read(tmp_path / "skeleton_pos.txt")
    assert [each.person for each in persons] == [0, 1]
    for number, sequence in enumerate(persons):
        assert sequence.skeleton is SKELETONS["sbu15"] and sequence.fps == 15.0
        x, y, z = np.moveaxis(values()[:, number], -1, 0)
        # as the data set's README has it, in millimetres
        original = np.stack([1280 - x * 2560, 960 - y * 1920, z * 10000 / 7.8125], axis=-1)
        np.testing.assert_allclose(sequence.positions, original / 1000, atol=1e-6)


def test_three_zeros_are_missing():
    written = values()
    written[1, 0, 4] = 0
    written[2, 1] = 0
    first, second = parse(text(written), "a")
    assert np.isnan(first).all(axis=2).sum() == 1 and np.isnan(first[1, 4]).all()
    assert np.isnan(second).all(axis=(1, 2)).tolist() == [False, False, True]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\r\n", b"\n"),
        lambda data: data.replace(b"\r\n", b",\r\n"),
        lambda data: data.replace(b",", b" , "),
        lambda data: b"\xef\xbb\xbf" + data.rstrip(),
        lambda data: data.replace(b"\r\n", b"\r\n\r\n"),
    ],
)
def test_what_changes_nothing(change):
    changed = change(text(values()))
    assert recognises(changed)
    np.testing.assert_array_equal(parse(changed, "a"), parse(text(values()), "a"))


def test_thinned_files_are_numbered_evenly():
    assert len(parse(text(values(), step=3), "a")[0]) == 3
    lines = text(values(4)).splitlines(keepends=True)
    assert message(b"".join([lines[0], lines[1], lines[3]])) == "a.txt:3: expected frame 57, found 58"
    assert message(b"".join([lines[1], lines[0]])) == "a.txt:2: expected frame 57, found 55"
    assert message(lines[0] * 2) == "a.txt:2: expected frame 56, found 55"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda row: row[:-1], "a.txt:2: expected 91 values (a frame, 90 coordinates), found 90"),
        (lambda row: [*row, "1"], "a.txt:2: expected 91 values (a frame, 90 coordinates), found 92"),
        (
            lambda row: [*row[:-1], "inf"],
            "a.txt:2: expected a number among the values (a frame, 90 coordinates), found 'inf'",
        ),
        (
            lambda row: [*row[:-1], ""],
            "a.txt:2: expected 91 values (a frame, 90 coordinates), found 90",  # a comma at the end is nothing
        ),
        (
            lambda row: [*row[:4], "", *row[5:]],
            "a.txt:2: expected a number among the values (a frame, 90 coordinates), found ''",
        ),
        (lambda row: [*row[:-1], "320.5"], "a.txt:2: expected normalised coordinates, found 320.5"),
        (lambda row: ["1.5", *row[1:]], "a.txt:2: expected the number of a frame, found 1.5"),
    ],
)
def test_each_fault_is_told(change, expected):
    first, second, *rest = text(values()).decode().splitlines()
    assert message("\n".join([first, ",".join(change(second.split(","))), *rest]).encode()) == expected


def test_nothing_in_it():
    assert message(b"\n\n") == "a.txt: expected at least one frame, found none"


def test_not_recognised():
    for other in (
        b"",
        b"1,2,3\n",
        b"a," * 91 + b"\n",
        b"file,x\n" + text(values()),
        text(values()).replace(b",", b";"),
    ):
        assert not recognises(other)


def test_settings_of_other_formats_are_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(text(values()))
    with pytest.raises(SettingsError, match=r"unit= is not for SBU Kinect Interaction skeleton"):
        read(tmp_path / "a.txt", unit="mm")


def test_cut_at_each_byte():
    whole = text(values(2))
    for count in range(len(whole)):
        try:
            persons = parse(whole[:count], "a")
        except ReadError as error:
            assert str(error).startswith("a:") or "found none" in str(error)
        else:  # at the end of a row, or within its last number
            assert whole[:count].count(b",") % 90 == 0 and len(persons[0]) == whole[:count].count(b",") // 90


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_gives_an_error_or_a_recording_and_nothing_else(data):
    damaged = bytearray(text(values(2)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, max(len(damaged) - 1, 0)))
        word = data.draw(st.sampled_from([b"", b"nan", b"inf", b"1e400", b"9", b"\n", b"\x00", b",", b"-", b"\xff"]))
        damaged[place : place + data.draw(st.sampled_from([0, 1, 40, 10_000]))] = word
    try:
        persons = parse(bytes(damaged), "a")
    except ReadError as error:
        assert str(error).startswith("a") and "\n" not in str(error)
    else:
        for person in persons:
            SkeletonSequence(person, 15, SKELETONS["sbu15"])
