"""NTU RGB+D's .skeleton: bodies that come and go, what is missing, every error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import ntu, read
from motionprint.readers.lines import Lines
from motionprint.readers.ntu import parse, recognises
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS

RANDOM = np.random.default_rng(0)
AT = "a.skeleton"


def joints(shift: float = 0.0):
    return (RANDOM.normal(size=(25, 3)) + shift).round(6)


def text(frames, *, end="\n", declared=None):
    """A file of frames of ``{body ID: (25, 3) joints}``."""
    lines = [str(len(frames) if declared is None else declared)]
    for frame in frames:
        lines.append(str(len(frame)))
        for body, positions in frame.items():
            lines += [f"{body} 0 1 1 1 1 0 0.02764709 0.05745083 2", "25"]
            lines += [f"{x} {y} {z} 277.419 191.8218 1036.233 519.1677 -0.2 0.05 0.97 -0.12 2" for x, y, z in positions]
    return (end.join(lines) + end).encode()


A, B = 72057594037931101, 72057594037931102
FRAMES = [{A: joints()}, {A: joints(), B: joints(1)}, {}, {B: joints(1)}, {A: joints(), B: joints(1)}]


def message(data):
    with pytest.raises(ReadError) as caught:
        parse(data, "a.skeleton")
    return str(caught.value)


def test_each_body_is_a_recording_as_long_as_the_file(tmp_path):
    (tmp_path / "S001C001P001R001A001.skeleton").write_bytes(text(FRAMES))
    first, second = read(tmp_path / "S001C001P001R001A001.skeleton")
    assert (first.person, second.person) == (0, 1)
    assert first.fps == second.fps == 30.0
    assert first.skeleton is second.skeleton is SKELETONS["kinect25"]
    for sequence, body in ((first, A), (second, B)):
        assert sequence.positions.shape == (5, 25, 3)
        for frame, bodies in enumerate(FRAMES):
            if body in bodies:
                np.testing.assert_array_equal(sequence.positions[frame], bodies[body].astype(np.float32))
            else:
                assert np.isnan(sequence.positions[frame]).all()


def test_persons_are_counted_by_their_first_frame_not_by_their_place_in_a_frame():
    first, second = parse(text([{B: joints()}, {A: joints(5), B: joints()}]), "a")
    assert not np.isnan(first).any()
    assert np.isnan(second[0]).all() and second[1].mean() > 4


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\r"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\n\n"),
        lambda data: data.replace(b" ", b"\t "),
        lambda data: data.rstrip(),
        lambda data: data + b"\n \x1a",
        lambda data: data.replace(b"1036.233", b"-nan").replace(b"519.1677", b"-1.#INF"),
    ],
)
def test_what_changes_nothing(change):
    for ours, theirs in zip(parse(change(text(FRAMES)), "a"), parse(text(FRAMES), "a"), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_joint_or_a_body_at_the_origin_is_missing():
    one, two = joints(), np.zeros((25, 3))
    one[7] = 0
    one[8] = (0, 0, 1)
    [body] = parse(text([{A: one}, {A: two}]), "a")
    assert np.isnan(body[0]).all(axis=1).tolist() == [number == 7 for number in range(25)]
    assert np.isnan(body[1]).all()


def test_a_file_in_which_nobody_was_seen_gives_no_recording(tmp_path):
    (tmp_path / "a.skeleton").write_bytes(text([{}, {}, {}]))
    assert read(tmp_path / "a.skeleton") == []


def test_recognised_by_content(tmp_path):
    assert (
        recognises(text(FRAMES)) and recognises(text(FRAMES, end="\r\n")) and recognises(text([{}, {}, {A: joints()}]))
    )
    for other in (b"3\n1\n2\n", b"1 2 3\n" * 40, b"HIERARCHY\n", text(FRAMES).replace(b"\n25\n", b"\n20\n")):
        assert not recognises(other)
    (tmp_path / "a.dat").write_bytes(text(FRAMES))
    assert len(read(tmp_path / "a.dat")) == 2


def test_the_frame_rate_can_be_told_and_nothing_else(tmp_path):
    (tmp_path / "a.skeleton").write_bytes(text(FRAMES))
    assert read(tmp_path / "a.skeleton", fps=15)[0].fps == 15
    with pytest.raises(SettingsError, match=r"unit= is not for NTU RGB\+D skeleton: it has 25 joints in metres, y up"):
        read(tmp_path / "a.skeleton", unit="mm")


def _lines(changes):
    lines = text(FRAMES).decode().splitlines()
    for number, line in changes.items():
        lines[number - 1] = line
    return "\n".join(line for line in lines if line is not None).encode()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({1: "103 frames"}, AT + ":1: expected the number of frames, found '103 frames'"),
        ({1: "-3"}, AT + ":1: expected the number of frames, found '-3'"),
        ({2: "x"}, AT + ":2: expected the number of bodies in frame 1 of 5, found 'x'"),
        ({3: "17 0 1"}, AT + ":3: expected a body (its ID and 9 values), found '17 0 1'"),
        ({3: "a 0 1 1 1 1 0 0 0 2"}, AT + ":3: expected a body (its ID and 9 values), found 'a 0 1 1 1 1 0 0 0 2'"),
        ({4: "20"}, AT + ":4: expected 25 joints, found 20"),
        ({5: "1 2 3"}, AT + ":5: expected 12 values for the joint spine_base, found 3"),
        ({6: "1 2 z 0 0 0 0 0 0 0 0 2"}, AT + ":6: expected a number among the metres x, y and z, found 'z'"),
        ({6: "1 nan 3 0 0 0 0 0 0 0 0 2"}, AT + ":6: expected a number among the metres x, y and z, found 'nan'"),
        ({6: "1 2 inf 0 0 0 0 0 0 0 0 2"}, AT + ":6: expected a number among the metres x, y and z, found 'inf'"),
        ({6: "1 2 1e30 0 0 0 0 0 0 0 0 2"}, AT + ":6: expected a number among the metres x, y and z, found '1e30'"),
        ({58: f"{A} 0 1 1 1 1 0 0 0 2"}, AT + f":58: expected each body once in frame 2, found {A} again"),
        ({1: "4"}, AT + ":114: expected the end of the file after 4 frames, as the first line says, found more"),
        (
            {1: "6"},
            AT + ":169: expected the number of bodies in frame 6 of 6, found the end of the file: is it truncated?",
        ),
        (
            {1: "999999999"},
            AT + ":169: expected the number of bodies in frame 6 of 999999999, found the end of the file: is it "
            "truncated?",
        ),
        ({1: "9999999999"}, AT + ":1: expected the number of frames, found '9999999999'"),
    ],
)  # fmt: skip
def test_each_fault_is_told(changes, expected):
    assert message(_lines(changes)) == expected


def test_cut_after_each_line():
    lines = text(FRAMES).splitlines(keepends=True)
    for count in range(1, len(lines)):
        assert "found the end of the file: is it truncated?" in message(b"".join(lines[:count]))


def test_bodies_that_are_hardly_ever_seen_take_no_memory():
    frames = [{}] * 100_000 + [{number: joints()} for number in range(1, 40)]
    assert (
        message(text(frames))
        == AT + ": expected bodies that are seen, found 39 in 100039 frames, most of which are empty"
    )


VALID = text(FRAMES[:3])


def test_a_whole_file_is_read_in_bulk():
    frames, bodies = ntu._in_bulk(Lines(text(FRAMES), "a").data)
    assert frames == len(FRAMES) and list(bodies) == [A, B]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_gives_an_error_or_a_recording_and_nothing_else(data):
    damaged = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, max(len(damaged) - 1, 0)))
        kind = data.draw(st.sampled_from(["cut", "byte", "drop", "repeat", "word"]))
        if kind == "cut":
            del damaged[place:]
        elif kind == "byte":
            damaged[place : place + 1] = bytes([data.draw(st.integers(0, 255))])
        elif kind == "drop":
            del damaged[place : place + data.draw(st.integers(1, 200))]
        elif kind == "repeat":
            damaged[place:place] = damaged[place : place + data.draw(st.integers(1, 2000))]
        else:
            damaged[place:place] = data.draw(
                st.sampled_from([b" nan ", b" inf ", b" 1e400 ", b"99999999", b"\n", b"\x00"])
            )
    try:
        bodies = parse(bytes(damaged), "a")
    except ReadError as error:
        assert str(error).startswith("a") and "\n" not in str(error)
        assert ntu._in_bulk(Lines(bytes(damaged), "a").data) is None or "bodies that are seen" in str(error)
    else:
        frames, slow = ntu._line_by_line(Lines(bytes(damaged), "a"))
        np.testing.assert_equal([ntu._whole(*seen, frames) for seen in slow.values()], bodies)
        for body in bodies:
            SkeletonSequence(body, 30, SKELETONS["kinect25"])
