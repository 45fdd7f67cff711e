"""Tables: wide and long, by their header or by `columns`; every dialect, every error, nothing else accepted."""

from __future__ import annotations

import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionprint.errors import MotionprintError, ReadError, SettingsError
from motionprint.prepare import prepare
from motionprint.readers import ReadSettings, Source, motion_names, read, read_from
from motionprint.readers.table import has_columns, parse, recognises
from motionprint.readers.table_columns import columns_of
from motionprint.skeleton import Skeleton

WIDE = b"""frame,time,Hips_x,Hips_y,Hips_z,Head_x,Head_y,Head_z,Hand_x,Hand_y,Hand_z
0,0.00,0.1,0.9,0.0,0.1,1.6,0.0,0.4,1.0,0.25
1,0.02,0.2,0.9,0.0,0.2,1.6,0.0,0.5,1.0,0.25
2,0.04,0.3,0.9,0.0,,,,0.6,nan,0.25
"""
POSITIONS = np.array(
    [
        [[0.1, 0.9, 0.0], [0.1, 1.6, 0.0], [0.4, 1.0, 0.25]],
        [[0.2, 0.9, 0.0], [0.2, 1.6, 0.0], [0.5, 1.0, 0.25]],
        [[0.3, 0.9, 0.0], [np.nan] * 3, [0.6, np.nan, 0.25]],
    ],
    dtype=np.float32,
)
NAMES = ("Hips", "Head", "Hand")
LONG = b"""frame,time,joint,x,y,z
0,0.00,Hips,0.1,0.9,0.0
0,0.00,Head,0.1,1.6,0.0
0,0.00,Hand,0.4,1.0,0.25
1,0.02,Hips,0.2,0.9,0.0
1,0.02,Head,0.2,1.6,0.0
1,0.02,Hand,0.5,1.0,0.25
2,0.04,Hips,0.3,0.9,0.0
2,0.04,Hand,0.6,,0.25
"""


def read_bytes(tmp_path, data, file="a.csv", **given):
    (tmp_path / file).write_bytes(data)
    return read(tmp_path / file, **given)


def expect(message, data, columns=None, **given):
    with pytest.raises(ReadError) as caught:
        parse(data, "a.csv", columns_of(columns), **given)
    assert str(caught.value) == message


def same(data, columns=None):
    """Whether this is the motion of WIDE."""
    table = parse(data, "a.csv", columns_of(columns))
    np.testing.assert_array_equal(table.persons[0], POSITIONS)
    assert (tuple(table.names), len(table.persons), table.fps) == (NAMES, 1, 50.0)


# ---- what is read --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [WIDE, LONG])
def test_positions_rate_and_star(tmp_path, data):
    [sequence] = read_bytes(tmp_path, data)
    np.testing.assert_array_equal(sequence.positions, POSITIONS)
    assert sequence.skeleton == Skeleton(NAMES, (-1, 0, 0))
    assert (sequence.fps, sequence.name, sequence.person) == (50.0, "a", 0)


def test_unit_up_fps_and_skeleton(tmp_path):
    tree = Skeleton(("Hand", "Hips"), (1, -1))
    [sequence] = read_bytes(tmp_path, WIDE, unit="cm", up="z", fps=25, skeleton=tree)
    expected = (POSITIONS[:, [2, 0]].astype(np.float64) * 0.01)[..., [0, 2, 1]] * [1, 1, -1]
    np.testing.assert_allclose(sequence.positions, expected, rtol=1e-6)
    assert sequence.fps == 25 and sequence.skeleton is tree
    with pytest.raises(ReadError, match=r"a.csv: expected the markers of the skeleton .* none called hip_center"):
        read_bytes(tmp_path, WIDE, skeleton="kinect20")


HEADERS = {
    "point": "Hips.x,Hips.y,Hips.z,Head.x,Head.y,Head.z,Hand.x,Hand.y,Hand.z",
    "colon": "Hips:x,Hips:y,Hips:z,Head:x,Head:y,Head:z,Hand:x,Hand:y,Hand:z",
    "blank": "Hips x,Hips y,Hips z,Head x,Head y,Head z,Hand x,Hand y,Hand z",
    "brackets": "Hips[x],Hips[y],Hips[z],Head [x],Head [y],Head [z],Hand(x),Hand(y),Hand(z)",
    "glued": "HipsX,HipsY,HipsZ,HeadX,HeadY,HeadZ,HandX,HandY,HandZ",
    "capitals": "Hips_X,Hips_Y,Hips_Z,Head_X,Head_Y,Head_Z,Hand_X,Hand_Y,Hand_Z",
    "quoted": '"Hips_x","Hips_y","Hips_z", "Head_x","Head_y","Head_z","Hand_x","Hand_y","Hand_z"',
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("clock", ["frame,time", "Frame#,Time (Seconds)", "Frame No.,t", "FRAME,timestamp [s]"])
def test_each_way_of_naming_columns(header, clock):
    lines = WIDE.decode().splitlines()
    data = "\n".join([f"{clock},{header}", *lines[1:]]).encode()
    same(data)
    assert recognises(data)


def test_dialects_change_nothing():
    rows = [line.split(",") for line in WIDE.decode().splitlines()]
    text = WIDE.decode()
    same(b"\xef\xbb\xbf" + WIDE)
    same(WIDE.replace(b"\n", b"\r\n"))
    same(WIDE.replace(b"\n", b"\r"))
    same(WIDE.replace(b"\n", b"\n\n") + b"\n\x1a")
    same(WIDE.rstrip())
    same(text.replace(",", "\t").encode())
    same(text.replace(",", ";").encode())
    same(text.replace(",", ";").replace(".", ",").encode())
    same(text.replace(",", "\t").replace(".", ",").encode())
    same("\n".join(",".join(f'"{cell}"' for cell in row) for row in rows).encode())
    same("\n".join(", ".join(row) for row in rows).encode())
    same(text.replace("nan", " NaN ").replace(",,", ",NA,").encode())
    same(text.replace("1.6", "+1.6e0").replace("0.25", ".25").encode())
    same("\n".join(",".join(["", *row, "0.9"]) for row in rows).replace(",0.9\nframe", "").encode())


def test_names_in_latin_1_and_utf_8():
    for encoding in ("utf-8", "latin-1"):
        data = WIDE.decode().replace("Hand", "Händ").encode(encoding)
        assert parse(data, "a.csv").names == ["Hips", "Head", "Händ"]


def test_other_columns_and_quaternions_are_passed_over():
    lines = WIDE.decode().splitlines()
    more = "label,Hips_q_w,Hips_q_x,Hips_q_y,Hips_q_z,index"
    same("\n".join([f"{lines[0]},{more}", *(f"{line},walk,1,0,0,0,?" for line in lines[1:])]).encode())


def test_milliseconds_rounded_times_and_times_since_1970():
    rows = "\n".join(f"{1_700_000_000 + 0.04 * n:.3f},{n},0,0" for n in range(20))
    assert parse(f"time,a_x,a_y,a_z\n{rows}".encode(), "a.csv").fps == 25
    rows = "\n".join(f"{round(n * 1000 / 30)},{n},0,0" for n in range(60))
    assert parse(f"time_ms,a_x,a_y,a_z\n{rows}".encode(), "a.csv").fps == 30
    for decimals in (3, 6):
        rows = "\n".join(f"{n / 29.97:.{decimals}f},{n},0,0" for n in range(300))
        assert parse(f"t,a_x,a_y,a_z\n{rows}".encode(), "a.csv").fps == pytest.approx(29.97, abs=3e-3)
        rows = "\n".join(f"{n / 30:.{decimals}f},{n},0,0" for n in range(10))
        assert parse(f"t,a_x,a_y,a_z\n{rows}".encode(), "a.csv").fps == 30
    rows = "\n".join(f"{n / 360:.3f},{n},0,0" for n in range(60))
    assert parse(f"t,a_x,a_y,a_z\n{rows}".encode(), "a.csv").fps == 360
    for exact in (62.5, 1000 / 9, 59.94):
        rows = "\n".join(f"{n / exact!r},{n},0,0" for n in range(4))
        assert parse(f"t,a_x,a_y,a_z\n{rows}".encode(), "a.csv").fps == pytest.approx(exact, rel=1e-8)


def test_a_file_in_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as output:
        output.writestr("takes/walk.csv", WIDE)
        output.writestr("takes/labels.csv", "file,label,subject\nwalk.csv,walk,anna\n")
    [sequence] = read(tmp_path / "a.zip")
    assert sequence.name == "takes/walk"


def test_the_examples_of_the_documentation(tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8").split("## Your own CSV")[1]
    example = page.split("```text\n")[1].split("```")[0]
    [sequence] = read_bytes(tmp_path, example.encode())
    assert (sequence.skeleton.joint_names, sequence.fps, len(sequence)) == (("LeftHand", "Head"), 50, 2)
    (tmp_path / "columns.toml").write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    data = b"Zeit;K1;K2;K3;LH1;LH2;LH3\n0,00;1;2;3;4;5;6\n0,02;1;2;3;4;5;6\n"
    [sequence] = read_bytes(tmp_path, data, columns=tmp_path / "columns.toml")
    np.testing.assert_allclose(sequence.positions[0], [[0.004, 0.006, -0.005], [0.001, 0.003, -0.002]], rtol=1e-6)
    assert 'columns="frame=Bild,joint=Punkt,x=rechts,y=hoch,z=vor"' in page


# ---- long tables ---------------------------------------------------------------------------------------------------


def test_rows_in_any_order_and_the_names_of_columns():
    head, *rows = LONG.decode().splitlines()
    mixed = "\n".join([head, rows[0], rows[1], *reversed(rows[2:])]).encode()
    same(mixed)
    for other in ("Frame,Time,Marker,X,Y,Z", "frame_number,t,landmark,x,y,z", "Frame No,timestamp,Name,x,y,z"):
        same("\n".join([other, *rows]).encode())
    same(LONG.replace(b",", b";").replace(b".", b","))


def test_several_persons_each_from_its_first_to_its_last_frame(tmp_path):
    rows = ["frame,person,joint,x,y,z"]
    rows += [f"{frame},anna,{joint},{frame},1,2" for frame in range(4) for joint in "ab"]
    rows += [f"{frame},bert,{joint},{frame},3,4" for frame in range(2, 5) for joint in "ab"]
    anna, bert = read_bytes(tmp_path, "\n".join(rows).encode(), fps=10)
    assert (anna.person, bert.person, len(anna), len(bert)) == (0, 1, 4, 3)
    np.testing.assert_array_equal(anna.positions[:, 1, 0], [0, 1, 2, 3])
    np.testing.assert_array_equal(bert.positions[:, 0], [[2, 3, 4], [3, 3, 4], [4, 3, 4]])


def test_a_frame_without_rows_is_missing_and_thinned_frames_are_frames():
    rows = [f"{frame},{joint},{frame},0,0" for frame in (0, 4, 12) for joint in "ab"]
    table = parse("\n".join(["frame,joint,x,y,z", *rows]).encode(), "a.csv")
    np.testing.assert_array_equal(table.persons[0][:, 0, 0], [0, 4, np.nan, 12])


def test_times_in_place_of_frames():
    data = LONG.replace(b"frame,", b"").replace(b"\n0,", b"\n").replace(b"\n1,", b"\n").replace(b"\n2,", b"\n")
    assert data.startswith(b"time,joint,x,y,z\n0.00,Hips")
    same(data)


def test_a_rate_by_times_counts_frames_that_are_left_out():
    rows = [f"{frame},{frame / 50},{joint},{frame},0,0" for frame in (0, 1, 2, 4, 5, 6) for joint in "ab"]
    assert parse("\n".join(["frame,time,joint,x,y,z", *rows]).encode(), "a.csv").fps == 50


# ---- columns= ------------------------------------------------------------------------------------------------------


def test_long_columns_by_a_text(tmp_path):
    data = LONG.replace(b"frame,time,joint,x,y,z", b"Bild,Zeit,Punkt,rechts,hoch,vor")
    text = "frame=Bild, time=Zeit, joint=Punkt, x=rechts, y=hoch, z=vor"
    same(data, text)
    [sequence] = read_bytes(tmp_path, data, columns=text)
    np.testing.assert_array_equal(sequence.positions, POSITIONS)
    assert not recognises(data)
    with pytest.raises(ReadError, match=r"a.csv:1: expected columns NAME_x, NAME_y, NAME_z of each joint, or"):
        read(tmp_path / "a.csv")


def test_wide_columns_by_a_toml(tmp_path):
    data = b"n;h1;h2;h3;k1;k2;k3\n" + b"".join(b"%d;1;2;3;4;5;%d,5\n" % (n, n) for n in range(3))
    (tmp_path / "columns.toml").write_text(
        'frame = "n"\nfps = 20\nunit = "cm"\nup = "z"\nseparator = ";"\n'
        '[joints]\nHead = ["k1", "k2", "k3"]\nHips = ["h1", "h2", "h3"]\n'
    )
    [sequence] = read_bytes(tmp_path, data, columns=str(tmp_path / "columns.toml"))
    assert (sequence.skeleton.joint_names, sequence.fps) == (("Head", "Hips"), 20)
    np.testing.assert_allclose(sequence.positions[2], [[0.04, 0.025, -0.05], [0.01, 0.03, -0.02]], rtol=1e-6)
    [other] = read(tmp_path / "a.csv", columns=str(tmp_path / "columns.toml"), fps=40, unit="m", up="y")
    np.testing.assert_allclose(other.positions[2], [[4, 5, 2.5], [1, 2, 3]], rtol=1e-6)
    assert other.fps == 40


def test_long_columns_by_a_toml(tmp_path):
    path = tmp_path / "columns.toml"
    path.write_text('frame = "F"\njoint = "J"\nx = "X"\ny = "Y"\nz = "Z"\nperson = "P"\nfps = 10\nseparator = "|"\n')
    data = b"F|J|P|X|Y|Z\n0|a|1|1|2|3\n0|a|2|4|5|6\n1|a|1|7|8|9\n"
    one, two = read_bytes(tmp_path, data, columns=path)
    np.testing.assert_array_equal(one.positions, [[[1, 2, 3]], [[7, 8, 9]]])
    np.testing.assert_array_equal(two.positions, [[[4, 5, 6]]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame=F,joint=J,x=X,y=Y", "columns 'frame=F,joint=J,x=X,y=Y': expected a column for each of joint, x, y, z "
         "and frame or time, found none for z"),
        ("joint=J,x=X,y=Y,z=Z", "columns 'joint=J,x=X,y=Y,z=Z': expected a column for each of joint, x, y, z and frame "
         "or time, found none for frame or time"),
        ("bone=J,x=X",
         "columns 'bone=J,x=X': unknown key 'bone': expected some of frame, time, joint, x, y, z, person"),
        ("x=X,x=Y", "columns 'x=X,x=Y': expected x once, found it twice"),
        ("frame=", "columns 'frame=': frame: expected the name of a column, found ''"),
    ],
)  # fmt: skip
def test_texts_that_say_too_little(text, message):
    with pytest.raises(SettingsError) as caught:
        columns_of(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("joints = 3", "expected `joints` to be a table of joints, found 3"),
        ("[joints]", "expected `joints` to be a table of joints, found {}"),
        ('[joints]\nHead = ["a", "b"]', "joints.Head: expected the names of 3 columns (x, y, z), found ['a', 'b']"),
        ('x = "a"\n[joints]\nHead = ["a", "b", "c"]', "unknown key 'x': expected some of frame, time"),
        ('fps = -1\n[joints]\nHead = ["a", "b", "c"]', "fps: expected a positive number of frames/s, found -1"),
        ('fps = true\n[joints]\nHead = ["a", "b", "c"]', "fps: expected a positive number of frames/s, found True"),
        ('unit = "km"\n[joints]\nHead = ["a", "b", "c"]',
         "unit: expected one of 'm', 'cm', 'mm', 'inch', found 'km'"),
        ('up = "w"\n[joints]\nHead = ["a", "b", "c"]', "up: expected one of 'x', 'y', 'z', found 'w'"),
        ('separator = "ab"\n[joints]\nHead = ["a", "b", "c"]',
         "separator: expected one of ',', ';', '\\t', '|', ' ', found 'ab'"),
        ('frame = 3\n[joints]\nHead = ["a", "b", "c"]', "frame: expected the name of a column, found 3"),
    ],
)  # fmt: skip
def test_tomls_that_say_something_else(tmp_path, content, message):
    path = tmp_path / "c.toml"
    path.write_text(content)
    with pytest.raises(SettingsError) as caught:
        columns_of(path)
    assert str(caught.value) == f"{path}: {message}"


def test_tomls_that_are_none(tmp_path):
    with pytest.raises(SettingsError, match=r"^columns 'nowhere': expected frame=Frame,.* or a TOML file: "):
        columns_of("nowhere")
    (tmp_path / "c.toml").write_text("joints = [")
    with pytest.raises(SettingsError, match=r"c.toml': expected frame=Frame,.* or a TOML file: "):
        columns_of(tmp_path / "c.toml")


def test_unknown_columns_are_answered_with_those_there_are():
    expect(
        "a.csv:1: expected one column 'Marker', found frame, time, joint, x, y, z",
        LONG,
        "frame=frame,joint=Marker,x=x,y=y,z=z",
    )
    expect("a.csv:1: expected one column 'x', found it twice", b"f,j,x,x,z\n0,a,1,2,3", "frame=f,joint=j,x=x,y=x,z=z")


# ---- which files ---------------------------------------------------------------------------------------------------

OTHERS = {
    "labels": b"file,label,subject\na.bvh,walk,anna\n",
    "prices": b"date,open,close\n2020-01-01,1,2\n",
    "points": b"x,y,z\n1,2,3\n4,5,6\n",
    "box": b"id,box_x,box_y,w,h\n1,2,3,4,5\n",
    "sensor": b"time,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z,mag_x,mag_y,mag_z\n0,1,2,3,4,5,6,7,8,9\n",
    "wrists": b"t,LWristAcc_x,LWristAcc_y,LWristAcc_z,b_x,b_y,b_z,a_x,a_y,a_z\n0,1,2,3,4,5,6,7,8,9\n",
    "quaternions": b"a_x,a_y,a_z,a_w,b_x,b_y,b_z,b_w,c_x,c_y,c_z,c_w\n0,1,2,3,4,5,6,7,8,9,1,1\n",
    "planar": b"a_x,a_y,b_x,b_y,c_x,c_y\n0,1,2,3,4,5\n",
    "words": b"a_x,a_y,a_z,b_x,b_y,b_z,c_x,c_y,c_z\none,two,three,4,5,6,7,8,9\n",
    "header": b"a_x,a_y,a_z,b_x,b_y,b_z,c_x,c_y,c_z\n",
    "text": b"not a motion",
    "two": b"a_x,a_y,a_z,b_x,b_y,b_z\n0,1,2,3,4,5\n",
}


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
def test_other_tables_are_no_motion(tmp_path, data):
    assert not recognises(data)
    for extension in (".csv", ".tsv", ".txt"):
        (tmp_path / f"a{extension}").write_bytes(data)
    (tmp_path / "b.csv").write_bytes(WIDE)
    with Source.open(tmp_path) as source:
        assert list(motion_names(source)) == ["b.csv"]


@pytest.mark.parametrize("data", [WIDE, LONG])
@pytest.mark.parametrize("extension", [".csv", ".tsv", ".txt"])
def test_motion_is_found_in_a_folder(tmp_path, data, extension):
    (tmp_path / f"a{extension}").write_bytes(data)
    assert recognises(data)
    assert [sequence.name for sequence in read(tmp_path)] == ["a"]


def test_a_table_that_columns_describe_is_found_in_a_folder(tmp_path):
    text = "frame=Bild,joint=Punkt,x=r,y=h,z=v"
    data = b"Bild;Punkt;r;h;v\n0;a;1,5;2;3\n1;a;1;2;3\n"
    (tmp_path / "a.csv").write_bytes(data)
    for name, other in OTHERS.items():
        (tmp_path / f"{name}.csv").write_bytes(other)
    assert has_columns(data, text) and not has_columns(OTHERS["labels"], text)
    [sequence] = read(tmp_path, columns=text, fps=10)
    np.testing.assert_array_equal(sequence.positions, [[[1.5, 2, 3]], [[1, 2, 3]]])
    (tmp_path / "b.csv").write_bytes(data.replace(b"Punkt", b"Marke"))  # nearly: an error, not passed over
    with pytest.raises(ReadError, match=r"b.csv:1: expected one column 'Punkt', found Bild, Marke, r, h, v"):
        read(tmp_path, columns=text, fps=10)


def test_two_joints_are_read_where_the_file_is_named(tmp_path):
    [sequence] = read_bytes(tmp_path, OTHERS["two"], fps=10)
    assert sequence.skeleton.joint_names == ("a", "b")


def test_prepare_takes_a_folder_of_tables_and_its_labels(tmp_path):
    (tmp_path / "in").mkdir()
    names = ("a", "b")
    for name in names:
        (tmp_path / "in" / f"{name}.csv").write_bytes(
            WIDE.replace(b"frame", b"Bild").replace(b"Hips_x,Hips_y,Hips_z", b"h1,h2,h3")
        )
    (tmp_path / "in" / "labels.csv").write_bytes(b"file,label\na.csv,walk\nb.csv,run\n")
    joints = 'Hips = ["h1", "h2", "h3"]\nHead = ["Head_x", "Head_y", "Head_z"]\n'
    (tmp_path / "c.toml").write_text(f'time = "time"\n[joints]\n{joints}')
    summary = prepare("folder", tmp_path / "in", tmp_path / "out", columns=str(tmp_path / "c.toml"))
    assert summary.sequences == 2


# ---- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"0.5,1.0", b"O.5,1.0", "a.csv:3: column Hand_x: expected a number, found 'O.5'"),
        (b"0.5,1.0", b"1_0,1.0", "a.csv:3: column Hand_x: expected a number, found '1_0'"),
        (b"0.5,1.0", b"inf,1.0", "a.csv:3: column Hand_x: expected a number, found 'inf'"),
        (b"0.5,1.0", b"1e999,1.0", "a.csv:3: column Hand_x: expected a number, found '1e999'"),
        (b"0.5,1.0", b"1e10,1.0", "a.csv:3: column Hand_x: expected a number, found '1e10'"),
        (b"0.5,1.0", "\u0665,1.0".encode(), "a.csv:3: column Hand_x: expected a number, found '\u0665'"),
        (b"0.5,1.0", b'"0,5",1.0', "a.csv:3: column Hand_x: expected a number, found '0,5'"),
        (b"0.5,1.0", b'"0.5\n",1.0', None),
        (b"0.5,1.0", b"0.5", "a.csv:3: expected 11 cells, found 10"),
        (b"0.5,1.0", b"0.5,1.0,1", "a.csv:3: expected 11 cells, found 12"),
        (b"0.5,1.0", b'"0.5,1.0', "a.csv:4: expected separated cells, found: unexpected end of data"),
        (b"\n1,", b"\n3,", "a.csv:4: expected frame 6, found 2"),
        (b"\n2,", b"\n1,", "a.csv:4: expected frame 2, found 1"),
        (b"\n1,", b"\n,", "a.csv:3: expected a frame number, found none"),
        (b"0.02,", b",", "a.csv:3: expected a time, found none"),
        (b"0.04,", b"0.4,", "a.csv:3: expected a time about 0.2 s after the one before, found 0.02 s; fps= takes the "
         "frames as evenly spaced"),
        (b"Head_y,", b"Head_u,", "a.csv:1: expected columns x, y and z of 'Head', found no y"),
        (b"Head_y,", b"Head_x,", "a.csv:1: expected every column once, found 'Head_x' 2 times"),
    ],
)  # fmt: skip
def test_each_fault_of_a_wide_table(old, new, message):
    assert old in WIDE
    if message is None:
        same(WIDE.replace(old, new, 1))
    else:
        expect(message, WIDE.replace(old, new, 1))


def test_times_given_as_something_else():
    rows = b"\n".join(b"%d,%d,0,0" % (n * 33, n) for n in range(9))
    message = "a.csv:2: expected times in seconds, found 0.030303 frames/s by them; fps= says another rate"
    expect(message, b"time,a_x,a_y,a_z\n" + rows)
    assert parse(b"time,a_x,a_y,a_z\n" + rows, "a.csv", fps=30).fps is None


def test_uneven_times_with_fps():
    parse(WIDE.replace(b"0.04,", b"0.4,"), "a.csv", fps=50)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"1,0.02,Head", b"1,0.02,Hips",
         "a.csv:6: expected one row a frame and joint, found another for that of line 5"),
        (b"1,0.02,Head", b"1,0.02,", "a.csv:6: expected the name of a joint, found none"),
        (b"1,0.02,Head", b",0.02,Head", "a.csv:6: expected the number or the time of a frame, found none"),
        (b"1,0.02,Head", b"1.5,0.02,Head", "a.csv:6: expected whole numbers of frames, found 1.5"),
        (b"2,0.04,Hips", b"2,0.04,Hips,1", "a.csv:8: expected 6 cells, found 7"),
        (b"0.2,1.6", b"0.2,l.6", "a.csv:6: column y: expected a number, found 'l.6'"),
        (b"2,0.04,Hips", b"9000000,0.04,Hips",
         "a.csv: expected rows for most of 9000001 frames of 3 joints, found 8 rows"),
    ],
)  # fmt: skip
def test_each_fault_of_a_long_table(old, new, message):
    assert old in LONG
    expect(message, LONG.replace(old, new, 1), fps=50)


def test_faults_of_frames_in_a_long_table():
    rows = b"frame,joint,x,y,z\n0,a,0,0,0\n4,a,0,0,0\n7,a,0,0,0\n"
    expect("a.csv:3: expected frame numbers 3 apart, found 4 after 0", rows)
    expect("a.csv:2: expected at least two times, found one: pass fps=", b"time,joint,x,y,z\n0,a,0,0,0\n")


def test_what_is_no_table_of_positions():
    expect(
        "a.csv:1: expected columns NAME_x, NAME_y, NAME_z of each joint, or frame, joint, x, y, z, found file, label, "
        "subject; columns= says which is what",
        OTHERS["labels"],
    )
    expect("a.csv: expected UTF-8 or Latin-1 text, found UTF-16: save it as UTF-8", WIDE.decode().encode("utf-16"))
    expect("a.csv: expected rows of numbers below the names of columns, found none", WIDE.splitlines()[0])
    expect("a.csv: expected rows of numbers below the names of columns, found none", LONG.splitlines()[0])
    expect("a.csv:1: expected at most 8192 columns, found 10001", b"a_x," * 10_000 + b"\n")
    many = ",".join(f"a{n}_{axis}" for n in range(1025) for axis in "xyz")
    with pytest.raises(ReadError, match=r"expected at most 1024 markers, found 1025"):
        read_from_bytes(f"{many}\n{','.join(['0'] * 3075)}\n".encode(), fps=1)
    expect("a.csv: expected lines of less than 1048576 characters, found more", b"a_x,a_y,a_z\n" + b"1" * 2_000_000)
    points = WIDE.replace(b",", b";").replace(b"0.1", b"0,1", 1)
    expect("a.csv:2: column Hips_x: expected a number, found '0,1'", points)
    commas = WIDE.replace(b",", b";").replace(b".", b",").replace(b"0,1", b"0.1", 1)
    expect("a.csv:2: column Hips_x: expected a number with a decimal comma, found '0.1'", commas)


def read_from_bytes(data, **given):
    class Held(Source):
        def __init__(self):
            self.path = "."

        def label(self, name=None):
            return "a.csv"

        def read_bytes(self, name):
            return data

    return read_from(Held(), "a.csv", ReadSettings(**given))


def test_no_rate(tmp_path):
    with pytest.raises(ReadError) as caught:
        read_bytes(tmp_path, WIDE.replace(b"time", b"when"))
    assert str(caught.value) == (f"{tmp_path}/a.csv: expected a column of times in seconds, found none: pass fps=")


# ---- any corruption ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [WIDE, LONG])
def test_cut_after_each_byte(data):
    for end in range(len(data)):
        try:
            table = parse(data[:end], "a.csv", fps=50)
        except ReadError as error:
            assert str(error).startswith("a.csv"), error
            assert "\n" not in str(error)
        else:
            assert all(len(person) for person in table.persons)


WORDS = [b"nan", b"inf", b"-1e308", b"9" * 400, b"1e-400", b'"', b",", b";", b"\n", b"\r", b"\0", b"\xff", b"\t", b"_x"]


@pytest.mark.parametrize("data", [WIDE, LONG])
@settings(max_examples=300, deadline=None)
@given(draw=st.data())
def test_any_corruption_is_a_read_error_or_a_recording(data, draw):
    for _ in range(draw.draw(st.integers(1, 3))):
        start = draw.draw(st.integers(0, len(data)))
        end = draw.draw(st.integers(start, min(len(data), start + 30)))
        piece = draw.draw(st.sampled_from(WORDS) | st.binary(max_size=6) | st.just(data[start:end] * 2))
        data = data[:start] + piece + data[end:]
    recognises(data)
    try:
        sequences = read_from_bytes(data, fps=50)
    except ReadError as error:
        assert str(error).startswith("a.csv") and "\n" not in str(error)
    else:
        for sequence in sequences:
            assert not np.isinf(sequence.positions).any() and len(sequence)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_with_any_columns(data):
    for columns in (None, "frame=a,joint=b,x=c,y=d,z=e"):
        with suppress(MotionprintError):
            parse(data, "a.csv", columns_of(columns))
        if columns:
            has_columns(data, columns)


CELLS = st.sampled_from(
    [
        "",
        " 3",
        "1 2",
        "1",
        "-2.5",
        "1e3",
        "nan",
        "NA",
        "-nan",
        "+nan",
        "1_0",
        "inf",
        "0x1",
        "1e",
        "n",
        "a",
        "--1",
        "1,5",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(CELLS, min_size=3, max_size=12))
def test_the_fast_way_takes_what_the_slow_way_takes(cells):
    """A cell of another alphabet in the last row sends the whole table the slow way."""
    rows = [cells[at : at + 3] for at in range(0, len(cells) - len(cells) % 3, 3)]

    def positions(extra):
        text = "\n".join(["a_x;a_y;a_z", *(";".join(row) for row in [*rows, *extra])])
        try:
            return parse(text.encode(), "a.csv").persons[0][: len(rows)]
        except ReadError as error:
            return str(error)

    fast, slow = positions([["1", "1", "1"]]), positions([["1", "1", "\u00a01"]])
    if isinstance(fast, str):
        assert fast == slow
    else:
        np.testing.assert_array_equal(fast, slow)


def test_memory_is_bounded_by_the_table():
    """A long table with one row far away, and many persons of one row each, take no memory for what is between."""
    sparse = LONG + b"900000000,0.04,Hips,1,1,1\n"
    rows = b"".join(b"%d,%d,j%d,0,0,0\n" % (n * 50, n % 900, n % 900) for n in range(9000))
    people = b"frame,person,joint,x,y,z\n" + rows
    for data in (sparse, people):
        tracemalloc.start()
        with pytest.raises(ReadError, match="expected rows for most of"):
            parse(data, "a.csv", fps=50)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 40 * len(people)


def test_a_large_table_needs_little_more_than_its_numbers():
    rows = b"".join(b"%d,0.123456,1.123456,2.123456,0.123456,1.123456,2.123456\n" % n for n in range(60_000))
    data = b"frame,a_x,a_y,a_z,b_x,b_y,b_z\n" + rows
    tracemalloc.start()
    table = parse(data, "a.csv")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert table.persons[0].shape == (60_000, 2, 3)
    assert peak < 30e6  # a bounded number of cells as text, then the numbers
