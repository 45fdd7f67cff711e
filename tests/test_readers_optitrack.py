"""OptiTrack Motive's CSV: bones, rigid bodies and markers; several people; every error; any corruption."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import read
from motionprint.readers.optitrack import parse, recognises
from motionprint.skeleton import Skeleton

FACTS = (
    "Format Version,1.23,Take Name,walk,Take Notes,,Capture Frame Rate,120.000000,Export Frame Rate,60.000000,"
    "Total Exported Frames,3,Rotation Type,Quaternion,Length Units,Millimeters,Coordinate Space,Global"
)
CORE = [
    *("Hip", "Ab", "Chest", "Neck", "Head"),
    *(f"{side}{bone}" for side in "LR" for bone in ("Shoulder", "UArm", "FArm", "Hand")),
    *(f"{side}{bone}" for side in "LR" for bone in ("Thigh", "Shin", "Foot", "Toe")),
]


def take(*points, facts=FACTS, frames=3):
    """A file of points (type, name): bones and rigid bodies have rotations, rigid bodies a marker error."""
    rows = {"Type": [], "Name": [], "ID": [], "": [], "Frame": []}
    for kind, name in points:
        columns = [("Rotation", axis) for axis in "XYZW"] if kind in ("Bone", "Rigid Body") else []
        columns += [("Position", axis) for axis in "XYZ"]
        columns += [("Mean Marker Error", "")] if kind == "Rigid Body" else []
        for what, axis in columns:
            for key, cell in zip(rows, (kind, name, f'"{name}ID"', what, axis), strict=True):
                rows[key].append(cell)
    lines = [facts, ""]
    for key, cells in rows.items():
        lines.append(",".join([*(("Frame", "Time (Seconds)") if key == "Frame" else ("", key)), *cells]))
    for frame in range(frames):
        cells, point = [], -1
        for what, axis in zip(rows[""], rows["Frame"], strict=True):
            point += axis == "X" and what == "Position"
            cells.append(f"{value(frame, point, 'XYZ'.index(axis)):.6f}" if what == "Position" else "0.500000")
        lines.append(",".join([str(frame), f"{frame / 60:.6f}", *cells]))
    return ("\n".join(lines) + "\n").encode()


def value(frame, point, axis):
    """Millimetres."""
    return 1000 * frame + 100 * point + 10 * axis + 1


def metres(points, frames=3):
    return np.array([[[value(f, p, a) / 1000 for a in range(3)] for p in points] for f in range(frames)], np.float32)


def read_bytes(tmp_path, data, **given):
    (tmp_path / "take.csv").write_bytes(data)
    return read(tmp_path / "take.csv", **given)


def expect(message, data, **given):
    with pytest.raises(ReadError) as caught:
        parse(data, "a.csv", **given)
    assert str(caught.value) == message


MARKERS = take(("Marker", "Anna:LASI"), ("Marker", "Anna:RASI"), ("Marker", "stick"))
BONES = take(*(("Bone", f"Anna:{bone}") for bone in CORE), ("Marker", "Anna:LASI"))


def test_markers(tmp_path):
    [sequence] = read_bytes(tmp_path, MARKERS)
    np.testing.assert_allclose(sequence.positions, metres(range(3)), rtol=1e-6)
    assert sequence.skeleton == Skeleton(("Anna:LASI", "Anna:RASI", "stick"), (-1, 0, 0))
    assert sequence.fps == 60  # the export's, not the capture's
    assert recognises(MARKERS)


def test_bones_are_taken_without_their_rotations_and_form_a_tree(tmp_path):
    [sequence] = read_bytes(tmp_path, BONES)
    np.testing.assert_allclose(sequence.positions, metres(range(21)), rtol=1e-6)
    skeleton = sequence.skeleton
    assert list(skeleton.joint_names) == CORE
    parent = {name: CORE[skeleton.parents[at]] for at, name in enumerate(CORE) if at}
    assert parent["LHand"] == "LFArm" and parent["RToe"] == "RFoot" and parent["LThigh"] == "Hip"
    assert [len(part) for part in skeleton.body_parts] == [4, 4, 4, 4, 5]
    assert skeleton.hips == (CORE.index("LThigh"), CORE.index("RThigh"))


def test_bones_of_other_names_are_a_star(tmp_path):
    [sequence] = read_bytes(tmp_path, take(("Bone", "Anna:Hip"), ("Bone", "Anna:Tail")))
    assert sequence.skeleton == Skeleton(("Hip", "Tail"), (-1, 0))


def test_two_skeletons_are_two_persons(tmp_path):
    names = [f"{who}:{bone}" for who in ("Anna", "Bert") for bone in CORE]
    anna, bert = read_bytes(tmp_path, take(*(("Bone", name) for name in names), ("Rigid Body", "ball")))
    assert anna.skeleton == bert.skeleton
    assert (anna.person, bert.person) == (0, 1)
    np.testing.assert_allclose(bert.positions, metres(range(21, 42)), rtol=1e-6)


def test_rigid_bodies_where_there_are_no_bones(tmp_path):
    [sequence] = read_bytes(
        tmp_path, take(("Rigid Body", "head"), ("Rigid Body Marker", "head:1"), ("Rigid Body", "hand"))
    )
    assert sequence.skeleton.joint_names == ("head", "hand")
    np.testing.assert_allclose(sequence.positions, metres([0, 2]), rtol=1e-6)


def test_a_skeleton_chooses_among_all(tmp_path):
    tree = Skeleton(("Anna:LASI", "Hip"), (1, -1))
    [sequence] = read_bytes(tmp_path, BONES, skeleton=tree)
    np.testing.assert_allclose(sequence.positions, metres([21, 0]), rtol=1e-6)
    [sequence] = read_bytes(tmp_path, MARKERS, skeleton=Skeleton(("RASI",), (-1,)))
    np.testing.assert_allclose(sequence.positions, metres([1]), rtol=1e-6)


@pytest.mark.parametrize(
    ("unit", "scale"), [("Millimeters", 0.001), ("Centimeters", 0.01), ("Meters", 1.0), ("Inches", 0.0254)]
)
def test_the_unit_is_the_files_or_the_users(tmp_path, unit, scale):
    data = MARKERS.replace(b"Millimeters", unit.encode())
    expected = metres(range(3)).astype(np.float64) * 1000
    np.testing.assert_allclose(read_bytes(tmp_path, data)[0].positions, expected * scale, rtol=1e-6)
    np.testing.assert_allclose(read_bytes(tmp_path, data, unit="cm")[0].positions, expected * 0.01, rtol=1e-6)


def test_up_and_fps(tmp_path):
    [sequence] = read_bytes(tmp_path, MARKERS, up="z", fps=30)
    np.testing.assert_allclose(sequence.positions, metres(range(3))[..., [0, 2, 1]] * [1, 1, -1], rtol=1e-6)
    assert sequence.fps == 30
    with pytest.raises(
        SettingsError, match=r"take.csv: columns= is not for OptiTrack Motive CSV: it says what its col"
    ):
        read(tmp_path / "take.csv", columns="frame=Frame,joint=Name,x=X,y=Y,z=Z")


def test_missing_cells_and_dialects():
    whole = parse(MARKERS, "a.csv").positions
    gap = parse(MARKERS.replace(b"1001.000000,1011.000000,1021.000000", b",,"), "a.csv").positions
    assert np.isnan(gap[1, 0]).all() and np.isnan(gap).sum() == 3
    gap[1, 0] = whole[1, 0]
    np.testing.assert_array_equal(gap, whole)
    for same in (
        b"\xef\xbb\xbf" + MARKERS,
        MARKERS.replace(b"\n", b"\r\n"),
        MARKERS.replace(b",ID,", b",Parent,a,a,a,b,b,b,c,c,c\n,ID,"),
        MARKERS.replace(b"Export Frame Rate,60.000000,", b"").replace(b"120.0", b"60.0"),
        MARKERS.replace(b"Export Frame Rate,60.000000,Total", b"Total").replace(b"Capture Frame Rate,120.000000,", b""),
    ):
        take = parse(same, "a.csv")
        np.testing.assert_array_equal(take.positions, whole)
        assert take.fps == 60


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"Length Units,Millimeters", b"Length Units,Feet", "a.csv:1: expected Length Units to be one of millimeters, "
         "centimeters, meters, inches, found 'Feet'; unit= says it"),
        (b"Space,Global", b"Space,Local",
         "a.csv:1: expected Coordinate Space Global, found 'Local': export it in global coordinates"),
        (b"Exported Frames,3", b"Exported Frames,4",
         "a.csv:1: expected 4 frames, as Total Exported Frames says, found 3"),
        (b"Export Frame Rate,60", b"Export Frame Rate,-1",
         "a.csv:1: expected a positive frame rate, found '-1.000000'"),
        (b",Type,", b",Kind,", "a.csv:7: expected a header row Type above this one, found none"),
        (b",Name,", b",Nom,", "a.csv:7: expected a header row Name above this one, found none"),
        (b",,Position", b",Positions,Position", "a.csv:7: expected a header row Position above this one, found none"),
        (b"Frame,Time (Seconds)", b"Frame,When",
         "a.csv:7: expected the columns Frame and Time, found no Time"),
        (b"Frame,Time", b"Frames,Time",
         "a.csv:7: expected a header row that begins with an empty cell, found 'Frames'"),
        (b"X,Y,Z,X", b"X,Z,Y,X",
         "a.csv:7: expected X, Y, Z of the position of 'Anna:LASI', found ['X', 'Z', 'Y']"),
        (b",Name,Anna:LASI,", b",Name,Anna:RASI,",
         "a.csv:7: expected X, Y, Z of the position of 'Anna:RASI', found ['X', 'Y', 'Z']"),
        (b",Type,Marker", b",Type",
         "a.csv:7: expected as many types and names as columns, found rows of 10, 11, 11 and 11 cells"),
        (b"Position", b"Rotation", "a.csv:7: expected bones, rigid bodies or markers with positions, found none"),
        (b"1001.000000", b"1oo1", "a.csv:9: column Anna:LASI X: expected a number, found '1oo1'"),
        (b"1001.000000", b"1001.000000,", "a.csv:9: expected 11 cells, found 12"),
        (b"\n1,", b"\n2,", "a.csv:10: expected frame 4, found 2"),
        (b"Format Version", b"Version", "a.csv:1: expected Format Version, found another table"),
    ],
)  # fmt: skip
def test_each_fault_is_told(old, new, message):
    assert old in MARKERS
    expect(message, MARKERS.replace(old, new) if old == b"Position" else MARKERS.replace(old, new, 1))


def test_no_rows():
    lines = MARKERS.splitlines()
    expect("a.csv:7: expected rows of numbers below the header, found none", b"\n".join(lines[:7]))
    expect("a.csv: expected the header row `Frame,Time (Seconds)`, found the end of the file", b"\n".join(lines[:6]))


def test_only_its_own_files_are_recognised():
    assert not recognises(b"Format Version\n") and not recognises(b"version,1.23,a\n")
    assert not recognises(b"Format Version,one,two\n")


@pytest.mark.parametrize("data", [MARKERS, take(("Bone", "A:Hip"), ("Rigid Body", "ball"))])
def test_cut_after_each_line(data):
    lines = data.splitlines(keepends=True)
    for end in range(len(lines)):
        with pytest.raises(ReadError, match=r"^a.csv(:\d+)?: expected "):
            parse(b"".join(lines[:end]), "a.csv")


@settings(max_examples=300, deadline=None)
@given(draw=st.data())
def test_any_corruption_is_a_read_error_or_a_take(draw):
    data = take(("Bone", "A:Hip"), ("Bone", "B:Hip"), ("Rigid Body", "ball"), ("Marker", "x"))
    for _ in range(draw.draw(st.integers(1, 3))):
        start = draw.draw(st.integers(0, len(data)))
        end = draw.draw(st.integers(start, min(len(data), start + 60)))
        words = st.sampled_from([b"nan", b"inf", b"9" * 400, b'"', b",", b"\n", b"\0", b"\xff", b"Frame", b"Bone"])
        piece = draw.draw(words | st.binary(max_size=6) | st.just(data[start:end] * 2))
        data = data[:start] + piece + data[end:]
    recognises(data)
    try:
        found = parse(data, "a.csv")
    except ReadError as error:
        assert str(error).startswith("a.csv") and "\n" not in str(error)
    else:
        assert found.positions.shape == (len(found.positions), len(found.names), 3)
        assert len(set(found.names)) == len(found.names) and 0 < found.fps <= 1e6
        assert not np.isinf(found.positions).any()
