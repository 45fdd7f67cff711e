"""Qualisys' TSV: with and without frames and names of columns; what was not seen; every error; any corruption."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import read
from motionprint.readers.qualisys import parse, recognises
from motionprint.skeleton import Skeleton

HEAD = (
    "NO_OF_FRAMES\t3\nNO_OF_CAMERAS\t8\nNO_OF_MARKERS\t2\nFREQUENCY\t100\nNO_OF_ANALOG\t0\nANALOG_FREQUENCY\t0\n"
    "DESCRIPTION\t--\nTIME_STAMP\t2020-01-01, 12:00:00.000\t1234.5\nDATA_INCLUDED\t3D\nEVENT\tstep\t1\t0.01\n"
    "EVENT\tstep\t2\t0.02\nMARKER_NAMES\tLASI\tRASI\n"
)
ROWS = "1.0\t2.0\t3.0\t4.0\t5.0\t6.0\n0.000\t0.000\t0.000\t4.5\t5.0\t6.0\n1.5\t2.0\t3.0\t\t\t\n"
PLAIN = (HEAD + ROWS).encode()
SEEN = np.array([[[1, 2, 3], [4, 5, 6]], [[np.nan] * 3, [4.5, 5, 6]], [[1.5, 2, 3], [np.nan] * 3]], dtype=np.float64)


def with_clock(titles="Frame\tTime\tLASI X\tLASI Y\tLASI Z\tRASI X\tRASI Y\tRASI Z\n"):
    rows = "".join(f"{n + 1}\t{n / 100:.5f}\t{row}" for n, row in enumerate(ROWS.splitlines(keepends=True)))
    return (HEAD + titles + rows).encode()


def expect(message, data):
    with pytest.raises(ReadError) as caught:
        parse(data, "a.tsv")
    assert str(caught.value) == message


def test_millimetres_z_up(tmp_path):
    (tmp_path / "a.tsv").write_bytes(PLAIN)
    [sequence] = read(tmp_path / "a.tsv")
    np.testing.assert_allclose(sequence.positions, SEEN[..., [0, 2, 1]] * [0.001, 0.001, -0.001], rtol=1e-6)
    assert sequence.skeleton == Skeleton(("LASI", "RASI"), (-1, 0))
    assert (sequence.fps, sequence.name) == (100, "a")
    [other] = read(tmp_path / "a.tsv", unit="m", up="y", fps=50, skeleton=Skeleton(("RASI",), (-1,)))
    np.testing.assert_allclose(other.positions, SEEN[:, 1:], rtol=1e-6)
    assert other.fps == 50
    with pytest.raises(SettingsError, match=r"a.tsv: columns= is not for Qualisys TSV"):
        read(tmp_path / "a.tsv", columns="frame=Frame,joint=Name,x=X,y=Y,z=Z")


@pytest.mark.parametrize(
    "data",
    [
        with_clock(),
        with_clock(titles=""),
        (HEAD + "LASI X\tLASI Y\tLASI Z\tRASI X\tRASI Y\tRASI Z\n" + ROWS).encode(),
        (HEAD + ROWS.replace("\n", "\t\n")).encode(),
        PLAIN.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.replace(b"RASI", b"RASI\t"),
        PLAIN.replace(b"DATA_INCLUDED\t3D\n", b"").replace(b"FREQUENCY\t100\n", b"FREQUENCY\t100,00\n", 1),
        PLAIN.replace(b"MARKER_NAMES\tLASI\tRASI\n", b"MARKER_NAMES\tLASI\tRASI\nTRAJECTORY_TYPES\tMeasured\tMixed\n"),
        (HEAD + ROWS.replace(".", ",")).encode(),
        (HEAD + ROWS.replace("4.5", " 4.5")).encode(),
    ],
)  # fmt: skip
def test_ways_to_export_change_nothing(data):
    markers = parse(data, "a.tsv")
    np.testing.assert_allclose(markers.positions, SEEN * 0.001, rtol=1e-6)
    assert (markers.names, markers.fps) == (["LASI", "RASI"], 100)
    assert recognises(data)


def test_frames_without_times():
    rows = "".join(f"{n + 7}\t{row}" for n, row in enumerate(ROWS.splitlines(keepends=True)))
    data = (HEAD + "Frame\tLASI X\tLASI Y\tLASI Z\tRASI X\tRASI Y\tRASI Z\n" + rows).encode()
    np.testing.assert_allclose(parse(data, "a.tsv").positions, SEEN * 0.001, rtol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"FRAMES\t3", b"FRAMES\t4", "a.tsv:1: expected 4 frames, as NO_OF_FRAMES says, found 3"),
        (b"FRAMES\t3", b"FRAMES\tx", "a.tsv:1: expected a whole number after NO_OF_FRAMES, found 'x'"),
        (b"MARKERS\t2", b"MARKERS\t3", "a.tsv:12: expected 3 names, as NO_OF_MARKERS says, found 2"),
        (b"MARKERS\t2", b"MARKERS\t99999999999",
         "a.tsv:12: expected 99999999999 names, as NO_OF_MARKERS says, found 2"),
        (b"NO_OF_MARKERS\t2\n", b"", "a.tsv: expected NO_OF_MARKERS in the header, found none"),
        (b"FREQUENCY\t100", b"FREQUENCY\t0", "a.tsv:4: expected a positive FREQUENCY, found '0'"),
        (b"FREQUENCY\t100\n", b"", "a.tsv: expected FREQUENCY in the header, found none"),
        (b"INCLUDED\t3D", b"INCLUDED\t6D",
         "a.tsv:9: expected the positions of markers (DATA_INCLUDED 3D), found '6D'"),
        (b"MARKER_NAMES\tLASI\tRASI\n", b"", "a.tsv: expected MARKER_NAMES in the header, found none"),
        (b"NO_OF_CAMERAS\t8", b"NO_OF_FRAMES\t3", "a.tsv:2: expected NO_OF_FRAMES once, found it again"),
        (b"4.5\t5.0", b"4.5", "a.tsv:14: expected 6 cells, found 5"),
        (b"1.0\t2.0\t3.0", b"1.0\t2.0", "a.tsv:13: expected 6 cells, or with frame and time 8, found 5"),
        (b"4.5\t", b"4.s\t", "a.tsv:14: column RASI X: expected a number, found '4.s'"),
    ],
)  # fmt: skip
def test_each_fault_is_told(old, new, message):
    assert old in PLAIN
    expect(message, PLAIN.replace(old, new, 1))


def test_lost_frames():
    expect("a.tsv:16: expected frame 5, found 3", with_clock().replace(b"\n2\t0.01000", b"\n3\t0.01000"))


def test_only_its_own_files_are_recognised():
    assert not recognises(b"NO_OF_FRAMES\tmany") and not recognises(b"frames\t3\n")


def test_cut_after_each_line():
    lines = PLAIN.splitlines(keepends=True)
    for end in range(len(lines)):
        with pytest.raises(ReadError, match=r"^a.tsv(:\d+)?: expected "):
            parse(b"".join(lines[:end]), "a.tsv")


@pytest.mark.parametrize("whole", [PLAIN, with_clock()])
@settings(max_examples=200, deadline=None)
@given(draw=st.data())
def test_any_corruption_is_a_read_error_or_markers(whole, draw):
    data = whole
    for _ in range(draw.draw(st.integers(1, 3))):
        start = draw.draw(st.integers(0, len(data)))
        end = draw.draw(st.integers(start, min(len(data), start + 40)))
        words = st.sampled_from([b"nan", b"inf", b"9" * 400, b'"', b"\t", b"\n", b"\0", b"\xff", b"EVENT", b"Frame"])
        piece = draw.draw(words | st.binary(max_size=6) | st.just(data[start:end] * 2))
        data = data[:start] + piece + data[end:]
    recognises(data)
    try:
        found = parse(data, "a.tsv")
    except ReadError as error:
        assert str(error).startswith("a.tsv") and "\n" not in str(error)
    else:
        assert found.positions.shape == (len(found.positions), len(found.names), 3) and len(found.positions)
        assert not np.isinf(found.positions).any() and 0 < found.fps <= 1e6
