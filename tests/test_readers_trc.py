"""TRC: what is read, what is missing, every quirk, every error, damage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import ReadSettings, format_of
from motionprint.readers import trc as reader
from motionprint.skeleton import Skeleton

PLACES = np.random.default_rng(0).normal(scale=1000, size=(4, 3, 3)).round(5)
PLACES[1, 1] = np.nan
PLACES[2, 2] = np.nan
NAMES = ("R.Heel", "Top Head", "LASI")


class Files:
    """In place of a source: the reader asks it for nothing but a name."""

    @staticmethod
    def label(name):
        return name


def load(data, **given):
    [sequence] = reader.read(Files, "a.trc", data, ReadSettings(**given))
    return sequence


def lines(places=PLACES, names=NAMES, rate="100.00", unit="mm", first=1):
    frames, markers = places.shape[:2]
    rows = [
        "PathFileType\t4\t(X/Y/Z)\ta.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t100.00\t      {frames}\t{markers}\t{unit}\t100.00\t1\t{frames}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"X{n}\tY{n}\tZ{n}" for n in range(1, markers + 1)),
        "",
    ]
    for frame, values in enumerate(places.reshape(frames, -1)):
        cells = ["" if np.isnan(value) else f"{value:.5f}" for value in values]
        rows.append("\t".join([str(first + frame), f"{frame / 100:.3f}", *cells]))
    return rows


def build(rows=None, **given):
    return ("\n".join(lines(**given) if rows is None else rows) + "\n").encode()


def expect(message, data, **given):
    with pytest.raises(ReadError) as caught:
        load(data, **given)
    assert str(caught.value) == message


def test_positions_are_read_as_they_are():
    sequence = load(build())
    np.testing.assert_array_equal(sequence.positions, (PLACES * 0.001).astype(np.float32))
    assert np.isnan(sequence.positions).sum() == 6
    assert sequence.skeleton.joint_names == NAMES
    assert sequence.skeleton.parents == (-1, 0, 0)
    assert (sequence.fps, sequence.name, sequence.source) == (100.0, "a", "a.trc")


def test_settings():
    np.testing.assert_array_equal(load(build(), unit="m").positions, PLACES.astype(np.float32))
    np.testing.assert_array_equal(load(build(unit="m")).positions, PLACES.astype(np.float32))
    np.testing.assert_array_equal(load(build(unit="m"), unit="mm").positions, load(build()).positions)
    x, y, z = np.moveaxis(load(build()).positions, -1, 0)
    np.testing.assert_array_equal(load(build(), up="z").positions, np.stack([x, z, -y], axis=-1))
    assert load(build(), fps=50).fps == 50
    assert load(build(rate="0"), fps=50).fps == 50
    chosen = load(build(), skeleton=Skeleton(("LASI", "R.Heel"), (-1, 0)))
    np.testing.assert_array_equal(chosen.positions, load(build()).positions[:, [2, 0]])
    message = "a.trc: expected the markers of the skeleton given, found none called LHEE, but R.Heel, Top Head, LASI"
    expect(message, build(), skeleton=Skeleton(("LASI", "LHEE"), (-1, 0)))
    with pytest.raises(SettingsError, match="columns= is not for TRC"):
        load(build(), columns="x=X")


def _every_row(change):
    rows = lines()
    return build(rows[:6] + [change(row) for row in rows[6:]])


@pytest.mark.parametrize(
    "data",
    [
        build().replace(b"\n", b"\r\n"),
        build().replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + build() + b"\n \n\x1a",
        build([row for row in lines() if row]),  # no blank line after the header
        build([*lines()[:6], "", "", *lines()[6:]]),
        build(lines()[:6] + [row + "\n" for row in lines()[6:]]),
        build([row + "\t\t" for row in lines()]),
        _every_row(lambda row: row + "\t"),
        _every_row(lambda row: row.replace("\t", " \t  ")),
        _every_row(lambda row: row.replace("\t\t", "\tnan\t").replace("\t\t", "\tNaN\t")),
        build(lines()[:7] + [row + "\t12.5\t-3\t" for row in lines()[7:]]),  # points without a name
        build([row.replace("PathFileType", "pathfiletype").replace("X1", "x1") for row in lines()]),
        build([row.replace("\t3\t", "\t5\t") for row in lines()]),  # NumMarkers counts the points without a name
        build(first=118),
    ],
)
def test_quirks_change_nothing(data):
    np.testing.assert_array_equal(load(data).positions, load(build()).positions)
    assert load(data).skeleton.joint_names == NAMES


def test_markers_without_a_name_and_repeated_ones():
    assert load(build(names=("a", "", "a"))).skeleton.joint_names == ("a", "marker_2", "a_2")
    assert load(build(names=("a",))).skeleton.joint_names == ("a", "marker_2", "marker_3")


def test_a_long_file_is_read_in_pieces():
    places = np.random.default_rng(1).normal(size=(2500, 3, 3)).round(5)
    data = build(places=places)
    np.testing.assert_array_equal(load(data, unit="m").positions, places.astype(np.float32))
    body = data[data.index(b"\n\n") + 2 :]
    assert reader._fast_table(body, 11) is not None


def replaced(number, old, new):
    rows = lines()
    assert old in rows[number - 1]
    rows[number - 1] = rows[number - 1].replace(old, new, 1)
    return build(rows)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (replaced(1, "PathFileType", "Path"), "1: expected PathFileType, found 'Path'"),
        (build(lines()[:2]), "3: expected a value for NumFrames, found none: is the file truncated?"),
        (
            replaced(2, "NumMarkers", "Markers"),
            "3: expected a value for NumMarkers, found none: is the file truncated?",
        ),
        (replaced(3, "4", "four"), "3: expected NumFrames to be a positive number, found 'four'"),
        (replaced(3, "\t3\t", "\t0\t"), "3: expected NumMarkers to be a positive number, found '0'"),
        (replaced(3, "\t3\t", "\t2\t"), "5: expected 2 markers, as NumMarkers says, found 3"),
        (replaced(3, "4", "5"), "3: expected 5 frames, as this line says, found 4"),
        (replaced(3, "4", "3"), "3: expected 3 frames, as this line says, found 4"),
        (replaced(3, "100.00", "fast"), "3: expected a DataRate, found 'fast'"),
        (replaced(3, "100.00", "-1"), "3: expected a DataRate of up to a million frames/s, found -1"),
        (build(rate="0"), " expected a positive DataRate, found none: pass fps="),
        (build(unit="ell"), " expected Units to be mm, cm, m, in or ft, found 'ell': pass unit="),
        (build(lines()[:3]), "4: expected Frame#, Time and the markers, found 'nothing'"),
        (replaced(4, "Frame#", "Bild"), "4: expected Frame#, Time and the markers, found 'Bild'"),
        (replaced(4, "Heel\t", "Heel\tx"), "4: expected the markers three columns apart, found 'x' between them"),
        (replaced(4, "LASI\t\t", "LASI\t\t\tRASI"), "4: expected 3 markers, as the next line counts, found 4"),
        (build(lines()[:4]), "5: expected X1, Y1, Z1, X2, ..., found 0 of them"),
        (replaced(5, "\tZ3", ""), "5: expected X1, Y1, Z1, X2, ..., found 8 of them"),
        (replaced(5, "Y2", "X2"), "5: expected Y2, found 'X2'"),
        (build(lines()[:6]), "3: expected 4 frames, as this line says, found 0"),
        (
            build([*lines()[:-1], lines()[-1].rsplit("\t", 1)[0]]),
            "10: expected 11 cells (frame, time and 3 a marker), found 10",
        ),
        (replaced(8, "2\t", "\t"), "8: expected a frame number, found ''"),
        (replaced(8, "0.010", "later"), "8: expected a time, found 'later'"),
        (replaced(9, "-", "1 2"), "9: expected a number or a blank cell, found"),
        (replaced(9, "-", "inf"), "9: expected a number or a blank cell, found"),
        (replaced(9, "-", "1e12"), "9: expected a number or a blank cell, found"),
        (replaced(9, "-", "_1"), "9: expected a number or a blank cell, found"),
    ],
)
def test_errors(data, message):
    with pytest.raises(ReadError) as caught:
        load(data)
    assert str(caught.value).startswith(f"a.trc:{message}")


def test_a_file_cut_after_any_line_or_cell_is_refused():
    data = build()
    for cut in range(len(data) - 1):
        if data[cut : cut + 1] in (b"\t", b"\n") and data[cut:].strip():
            with pytest.raises(ReadError):
                load(data[:cut])


def test_recognised_by_content():
    assert format_of(build(), "x.txt", "x.txt") == "trc"
    assert format_of(b"\n" + build(), "x.txt", "x.txt") == "trc"
    assert not reader.recognises(b"Path\tFile") and not reader.recognises(b"")


WORDS = [
    b"\t",
    b"\n",
    b" ",
    b"nan",
    b"inf",
    b"-",
    b"1e999",
    b"9" * 20,
    b"0",
    b"\r",
    b"\xff",
    b"x",
    b"\t\t\t",
    b"1_0",
    b"+.5",
]
CHANGES = st.lists(
    st.tuples(st.sampled_from(["set", "insert", "cut", "repeat", "drop"]), st.integers(0, 800), st.sampled_from(WORDS)),
    min_size=1,
    max_size=4,
)


def damage(data, changes):
    for how, at, value in changes:
        at = min(at, len(data))
        if how == "set":
            data = data[:at] + value + data[at + len(value) :]
        elif how == "insert":
            data = data[:at] + value + data[at:]
        elif how == "cut":
            data = data[:at]
        elif how == "repeat":
            data = data[:at] + data[at // 2 :]
        else:
            data = data[:at] + data[at + len(value) :]
    return data


@settings(max_examples=300, deadline=None)
@given(CHANGES)
def test_damage_gives_a_recording_or_a_read_error(changes):
    try:
        sequence = load(damage(build(), changes))
    except ReadError as error:
        assert str(error).startswith("a.trc:") and "\n" not in str(error)
        return
    assert not np.isinf(sequence.positions).any() and len(sequence) >= 1


@settings(max_examples=300, deadline=None)
@given(CHANGES)
def test_the_fast_way_agrees_with_the_slow_one(changes):
    """It reads the same, or leaves the file to the slow one."""
    body = reader._text(damage("\n".join(lines()[6:]).encode(), changes))
    fast = reader._fast_table(body, 11)
    if fast is not None:
        slow = reader._slow_table(reader.Lines(b"", "a.trc"), body, 0, 1, 11)
        np.testing.assert_array_equal(fast, slow)
