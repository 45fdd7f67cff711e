"""MVNX: what is read, what is passed over, every error."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import read, read_from
from motionprint.readers.mvnx import parse, recognises
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source

SEGMENTS = ("Pelvis", "Spine", "LeftUpperArm", "RightUpperArm", "LeftUpperLeg", "RightUpperLeg")
JOINTS = ((0, 1), (1, 2), (1, 3), (0, 4), (0, 5))


def values(frames, segments=6):
    return np.random.default_rng(0).normal(size=(frames, segments, 3)).round(6)


def subject(positions, *, segments=SEGMENTS, joints=JOINTS, rate=' frameRate="60"', indices=None):
    lines = [f'<subject label="a"{rate}>', "<segments>"]
    for number, segment in enumerate(segments, start=1):
        lines += [f'<segment label="{segment}" id="{number}"><points><point label="jA"><pos_b>1 2 3</pos_b></point>']
        lines += ["</points></segment>"]
    lines += ["</segments>", "<joints>"]
    for parent, child in joints:
        lines += [f'<joint label="j"><connector1>{segments[parent]}/jA</connector1>']
        lines += [f"<connector2>{segments[child]}/jA</connector2></joint>"]
    lines += ["</joints>", f'<frames segmentCount="{len(segments)}" sensorCount="5" jointCount="{len(joints)}">']
    still = " ".join(["9"] * 3 * len(segments))
    for pose in ("identity", "npose", "tpose", "tpose-isb"):
        lines += [f'<frame time="0" ms="0" type="{pose}"><position>{still}</position></frame>']
    for number, frame in enumerate(positions):
        index = number if indices is None else indices[number]
        lines += [f'<frame time="{17 * number}" index="{index}" type="normal">', "<orientation>1 0 0 0</orientation>"]
        lines += [f"<position>{' '.join(map(str, frame.ravel()))}</position>", "<velocity>1 2 3</velocity></frame>"]
    return "\n".join([*lines, "</frames>", "</subject>"])


def text(*subjects):
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<!-- <!DOCTYPE mvnx SYSTEM "x.dtd"> -->\n'
    attributes = 'xmlns="http://www.xsens.com/mvn/mvnx" version="4"'
    return (head + f"<mvnx {attributes}>\n" + "\n".join(subjects) + "\n</mvnx>\n").encode()


VALUES = values(3)
PLAIN = text(subject(VALUES))


def expect(message, data):
    with pytest.raises(ReadError) as caught:
        parse(data, "a.mvnx")
    assert str(caught.value) == message


def sequences(tmp_path, data, **options):
    (tmp_path / "a.mvnx").write_bytes(data)
    return read(tmp_path / "a.mvnx", **options)


def test_the_positions_of_the_motion_turned_so_that_y_is_up(tmp_path):
    [found] = sequences(tmp_path, PLAIN)
    turn = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # x stays, z becomes y, y becomes -z
    np.testing.assert_allclose(found.positions, VALUES @ turn.T, atol=1e-6)
    assert (found.fps, found.name, found.person) == (60.0, "a", 0)
    assert found.skeleton.joint_names == SEGMENTS
    assert found.skeleton.parents == (-1, 0, 1, 1, 0, 0)
    assert found.skeleton.body_parts == ((2,), (3,), (4,), (5,), (0, 1))


def test_what_a_user_says(tmp_path):
    [found] = sequences(tmp_path, PLAIN, fps=30, up="y")
    assert found.fps == 30
    np.testing.assert_allclose(found.positions, VALUES, atol=1e-6)
    for option in ({"skeleton": "x"}, {"unit": "cm"}, {"columns": "x=y"}):
        with pytest.raises(SettingsError, match=r"a.mvnx: \w+= is not for MVNX: it has a skeleton, in metres"):
            sequences(tmp_path, PLAIN, **option)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        lambda data: data.replace(b"UTF-8", b"windows-1252").replace(b'label="a"', b'label="\x80"'),
        lambda data: data.replace(b' xmlns="http://www.xsens.com/mvn/mvnx"', b""),
        lambda data: data.replace(b"<frames ", b"<fingers><segments/><frame type='x'/></fingers><frames "),
        lambda data: data.replace(b"<position>", b"<position>\n <!-- here --> "),
    ],
)
def test_what_changes_nothing(change):
    [found] = parse(change(PLAIN), "a.mvnx")
    np.testing.assert_allclose(found.positions("a.mvnx"), VALUES, atol=1e-6)


def test_several_subjects_are_several_persons(tmp_path):
    other = values(5) + 1
    found = sequences(tmp_path, text(subject(VALUES), subject(other, rate=' frameRate="240.5"')))
    assert [(sequence.person, len(sequence), sequence.fps) for sequence in found] == [(0, 3, 60), (1, 5, 240.5)]


def test_frames_that_are_left_out_are_missing(tmp_path):
    [found] = sequences(tmp_path, text(subject(VALUES, indices=(7, 8, 11))))
    assert np.isnan(found.positions).all(axis=(1, 2)).tolist() == [False, False, True, True, False]
    np.testing.assert_allclose(found.positions[4, :, 0], VALUES[2, :, 0], atol=1e-6)
    (tmp_path / "a.mvnx").write_bytes(text(subject(VALUES, indices=(0, 1, 900000000))))
    with pytest.raises(ReadError, match=r"expected frames for at least half of the numbers 0 to 900000000, found 3$"):
        read(tmp_path / "a.mvnx")


def test_props_that_hang_on_nothing_are_no_joints(tmp_path):
    full = values(2, 7)
    [found] = sequences(tmp_path, text(subject(full, segments=(*SEGMENTS, "Prop1"))))
    assert found.skeleton.joint_names == SEGMENTS
    np.testing.assert_allclose(found.positions[..., 0], full[:, :6, 0], atol=1e-6)
    [held] = sequences(tmp_path, text(subject(full, segments=(*SEGMENTS, "Prop1"), joints=(*JOINTS, (2, 6)))))
    assert held.skeleton.joint_names == (*SEGMENTS, "Prop1") and held.skeleton.parents[6] == 2


def test_recognised_by_content():
    assert recognises(PLAIN) and recognises(b"<mvnx>") and recognises(b'\xef\xbb\xbf <mvnx version="4">')
    comments = b"<?xml version='1.0'?>" + b"<!-- x --> " * 1000
    assert recognises(comments + b"<mvnx>") and not recognises(comments + b"<svg>") and not recognises(b"<!--")
    for other in (b"<?xml version='1.0'?><svg><mvnx/></svg>", b"<mvnxx>", b"mvnx", b"<!-- <mvnx> -->"):
        assert not recognises(other)


def _line(data, what):
    return data[: data.index(what)].count(b"\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        (b'"60"', b'"0"', b"<subject", "expected frameRate to be a positive number of frames/s, found '0'"),
        (b'"60"', b'"nan"', b"<subject", "expected frameRate to be a positive number of frames/s, found 'nan'"),
        (b'"Spine"', b'"Pelvis"', b'id="2"', "expected a segment with a label of its own, found 'Pelvis'"),
        (b'label="Spine"', b"", b'id="2"', "expected a segment with a label of its own, found ''"),
        (b">Spine/jA</c", b">Tail/jA</c", b"Tail", "expected a connector to name a segment, found 'Tail'"),
        (b"<connector1>", b"<connector3>", None, "expected XML, found: mismatched tag"),
        (b"<connector1>Pelvis/jA</connector1>", b"", b"</joint>", "expected two connectors of a joint, found 1"),
        (b"<connector2>LeftUpperArm/jA", b"<connector2>Spine/jA", None, "expected each segment to hang on one other, "
         "found Spine on Spine too"),
        (b"<connector2>LeftUpperArm/jA", b"<connector2>Pelvis/jA", None, "expected joints that make one tree, found "
         "that Spine hangs on itself"),
        (b"<connector2>RightUpperArm/jA", b"<connector2>LeftUpperArm/jA", None, "expected each segment to hang on one "
         "other, found LeftUpperArm on Spine too"),
        (b'Count="6"', b'Count="7"', b"<frames", "expected 7 segments, as segmentCount says, found 6"),
        (b'type="normal"', b'type="n0rmal"', b"n0rmal", "expected a frame of type normal, identity, npose, tpose, "
         "tpose-isb, found 'n0rmal'"),
        (b'index="1"', b'index="0"', None, "expected an index above that of the frame before, found '0'"),
        (b'index="1"', b'index="-1"', b'"-1"', "expected an index above that of the frame before, found '-1'"),
        (b"<position>0.1", b"<position>x 0.1", b"<position>x", "expected 18 numbers, 3 for each segment, found 19"),
        (b"<position>0.1", b"<position>nan", b"<position>nan", "expected a number among the positions, found "),
        (b"<position>0.1", b"<position>1e99", b"<position>1e99", "expected a number among the positions, found '1e99"),
        (b'<frames segment', b"<frames/><frames segment", b"<frames", "expected <frames> once in a subject, found it "
         "twice"),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_its_line(old, new, where, message):
    assert old in PLAIN
    data = PLAIN.replace(old, new, 1)
    with pytest.raises(ReadError) as caught:
        parse(data, "a.mvnx")
    told = str(caught.value)
    assert told.startswith("a.mvnx:") and "\n" not in told
    assert message in told
    if where is not None:
        assert told.startswith(f"a.mvnx:{_line(data, where)}: {message}")


def test_faults_of_the_whole():
    expect("a.mvnx:1: expected XML, found: no element found", b"<mvnx>")
    expect("a.mvnx:1: expected <mvnx>, found <html>", b"<html>")
    expect("a.mvnx: expected at least one <subject>, found none", b"<mvnx></mvnx>")
    expect('a.mvnx: expected at least one frame of type "normal", found none', text(subject(VALUES[:0])))
    expect("a.mvnx:1: expected <segment> in a <subject>, found it outside", b"<mvnx><segments><segment label='a'/>")
    expect("a.mvnx:1: expected at most 32 levels of elements, found more", b"<mvnx>" + b"<a>" * 40)
    lone = subject(VALUES, joints=JOINTS[:4])
    line = _line(text(lone), b"<frames")
    expect(
        f"a.mvnx:{line}: expected joints that make one tree, found 2 segments without a parent",
        text(lone),
    )
    ring = subject(values(1, 4), segments=("Pelvis", "A", "B", "C"), joints=((1, 2), (2, 3), (3, 1)))
    expect(
        f"a.mvnx:{_line(text(ring), b'<frames')}: expected joints that make one tree, found that B hangs on itself",
        text(ring),
    )
    bare = PLAIN.replace(b"<position>0.1", b"<centre>0.1", 1).replace(
        b"</position>\n<velocity", b"</centre>\n<velocity", 1
    )
    line = _line(bare, b"<centre>") + 1
    expect(
        f"a.mvnx:{line}: expected the <position> of a frame, found none: export it with segment positions",
        bare,
    )
    many = "".join(f'<segment label="{number}"/>' for number in range(1025))
    expect(
        "a.mvnx:1: expected at most 1024 segments, found more",
        f"<mvnx><subject><segments>{many}</segments></subject></mvnx>".encode(),
    )
    expect(
        "a.mvnx:1: expected a frame in the <frames> of a subject, found it elsewhere",
        b"<mvnx><subject><x><frames><frame type='normal'/></frames></x></subject></mvnx>",
    )


def test_a_rate_that_is_nowhere(tmp_path):
    data = text(subject(VALUES, rate=""))
    with pytest.raises(ReadError, match=r"a.mvnx: expected a frameRate of the subject, found none: fps= says it"):
        sequences(tmp_path, data)
    assert sequences(tmp_path, data, fps=100)[0].fps == 100


@pytest.mark.parametrize(
    "head",
    [
        b'<!DOCTYPE mvnx SYSTEM "http://www.xsens.com/mvn/mvnx/schema.dtd">',
        b'<!DOCTYPE mvnx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        b'<!DOCTYPE mvnx [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE mvnx [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]>',
    ],
)
def test_document_types_are_refused_before_anything_in_them_is_read(head):
    data = PLAIN.replace(b"<mvnx ", head + b"\n<mvnx ").replace(b"<velocity>", b"<velocity>&b;")
    expect("a.mvnx:3: expected no document type (DTD): it is refused, since it can make a small file huge", data)
    without = PLAIN.replace(b"<velocity>1", b"<velocity>&b;1", 1)
    expect(f"a.mvnx:{_line(without, b'&b;')}: expected XML, found: undefined entity", without)


def test_encodings_that_are_programs_are_refused():
    for encoding in ("unicode_escape", "rot13", "idna", "utf-7", "x"):
        expect(
            f"a.mvnx:1: expected an encoding of utf-8, utf-16, iso-8859-1, us-ascii, windows-1252, found {encoding!r}",
            PLAIN.replace(b"UTF-8", encoding.encode()),
        )


def test_cut_after_each_line_and_block():
    lines = PLAIN.splitlines(keepends=True)
    for end in range(len(lines)):
        with pytest.raises(ReadError, match=r"^a.mvnx:\d+: expected XML, found: (no element found|unclosed)"):
            parse(b"".join(lines[:end]) if end else b" ", "a.mvnx")
    for end in range(1, len(PLAIN) - 1, 37):
        with pytest.raises(ReadError, match=r"^a.mvnx:\d+: "):
            parse(PLAIN[:end], "a.mvnx")


def test_a_position_without_end_is_not_kept():
    data = PLAIN.replace(b"<position>0.1", b"<position>" + b"1 " * 5_000_000 + b"0.1", 1)
    tracemalloc.start()
    with pytest.raises(ReadError, match="expected a shorter <position>, found a text too long"):
        parse(data, "a.mvnx")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(data)


def test_memory_is_that_of_the_positions():
    sizes, peaks = [], []
    for frames in (100, 2_000, 6_000):  # the first fills caches
        data = text(subject(values(frames)))
        tracemalloc.start()
        [found] = parse(data, "a.mvnx")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        sizes.append(len(data))
        assert len(found.numbers) == frames
    assert peaks[2] - peaks[1] < sizes[2] - sizes[1]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_corruption_is_an_error_or_a_valid_recording(tmp_path_factory, data):
    damaged = bytearray(PLAIN)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        end = min(len(damaged), at + data.draw(st.integers(0, 60)))
        kind = data.draw(st.sampled_from(["flip", "cut", "repeat", "word", "end"]))
        if kind == "flip":
            damaged[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del damaged[at:end]
        elif kind == "repeat":
            damaged[at:at] = damaged[at:end]
        elif kind == "word":
            words = [b"nan", b"inf", b"-1e999", b"99999999999999999999", b"<frame>", b"</frame>", b"&x;", b"]]>", b"\0"]
            damaged[at:end] = data.draw(st.sampled_from(words))
        else:
            del damaged[at:]
        if not damaged:
            return
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "a.mvnx").write_bytes(bytes(damaged))
    began = time.monotonic()
    try:
        with Source.open(folder / "a.mvnx") as source:
            found = read_from(source, "a.mvnx", ReadSettings())
    except ReadError as error:
        assert "\n" not in str(error)
    else:
        for sequence in found:
            assert sequence.positions.shape[1:] == (len(sequence.skeleton), 3)
    assert time.monotonic() - began < 5
