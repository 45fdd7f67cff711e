"""ASF/AMC: every quirk, every error, and positions against an independent reference."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import amc as amc_reader
from motionprint.readers import read
from motionprint.readers.amc import parse_amc, positions_of
from motionprint.readers.asf import parse_asf

# trunk has all three angles, arm two in another order, hand none; the bones' own axes are turned
ASF = """# a comment
:version 1.10
:name VICON
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
   anything: at all, # even this
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name trunk
     direction 0 1 0
     length 10.0
     axis 0 0 20 XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     id 2
     name hand
     direction 0 -1 0
     length 2.5   # a comment at the end of a line
     axis 0 0 0 XYZ
  end
  begin
     id 3
     name arm
     direction 1 0 0
     length 5.0
     axis 10 20 30 ZXY
    dof rz rx
    limits (-1 1)
           (-1 1)
  end
:hierarchy
  begin
    root trunk
    trunk arm
    arm hand
  end
"""
AMC = """#!OML:ASF X:\\f\xfcr Bonn\\Tido.ASF
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 10 20 30
trunk 5 6 7
arm 8 9
2
root 1.5 2 3 11 20 30
trunk 5 6 7.5e-1
arm -8 9
3
root 2 2 3 12 20 30
trunk 5 6 7
arm 8 .5
"""
UNIT = 0.0254 / 0.45  # m


def rig(text=ASF):
    return parse_asf(text.encode("latin-1"), "body.asf")


def parse(text, skeleton=ASF):
    return parse_amc(text.encode("latin-1"), rig(skeleton), "walk.amc")


def expect(message, text, skeleton=ASF):
    """The whole message, and that both ways of reading refuse the file."""
    with pytest.raises(ReadError) as caught:
        parse(text, skeleton)
    assert str(caught.value) == message


def put(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode("latin-1"))


def fixed(order, angles):
    """The rotation about fixed axes, by SciPy (lower case there)."""
    return Rotation.from_euler(order.lower(), angles, degrees=True)


def by_hand(values):
    """Joint positions of the body above, as the format's definition has it: each bone turns by C M C^-1."""
    root, trunk, arm = values
    placed = {"root": np.array(root[:3]) * UNIT}
    turned = fixed("XYZ", root[3:])
    axes = fixed("XYZ", [0, 0, 20])
    turned = turned * axes * fixed("XYZ", trunk) * axes.inv()
    placed["trunk"] = placed["root"] + turned.apply([0, 10 * UNIT, 0])
    axes = fixed("ZXY", [10, 20, 30])
    turned = turned * axes * fixed("ZX", arm) * axes.inv()
    placed["arm"] = placed["trunk"] + turned.apply([5 * UNIT, 0, 0])
    placed["hand"] = placed["arm"] + turned.apply([0, -2.5 * UNIT, 0])
    return [placed[name] for name in ("root", "trunk", "hand", "arm")]


FRAMES = [
    ((1, 2, 3, 10, 20, 30), (5, 6, 7), (8, 9)),
    ((1.5, 2, 3, 11, 20, 30), (5, 6, 0.75), (-8, 9)),
    ((2, 2, 3, 12, 20, 30), (5, 6, 7), (8, 0.5)),
]


def test_positions_are_those_of_the_definition(tmp_path):
    put(tmp_path, {"body.asf": ASF, "walk.amc": AMC})
    [sequence] = read(tmp_path / "walk.amc")
    assert sequence.skeleton.joint_names == ("root", "trunk", "hand", "arm")  # the order of :bonedata
    assert sequence.skeleton.parents == (-1, 0, 3, 1)  # so a parent may come after its child
    assert (sequence.fps, sequence.name, sequence.source, sequence.person) == (120.0, "walk", "walk.amc", 0)
    np.testing.assert_allclose(sequence.positions, [by_hand(frame) for frame in FRAMES], atol=1e-6)


def test_radians_give_the_same(tmp_path):
    radians = AMC.replace(":DEGREES", ":RADIANS")
    for line in AMC.splitlines():
        words = line.split()
        if words[0] in ("root", "trunk", "arm"):
            turned = [float(word) for word in words[1:]]
            first = 3 if words[0] == "root" else 0
            turned[first:] = np.deg2rad(turned[first:])
            radians = radians.replace(line, f"{words[0]} {' '.join(map(repr, map(float, turned)))}", 1)
    asf = ASF.replace("angle deg", "angle rad")
    for angles in ("0 0 20", "10 20 30"):
        in_radians = " ".join(repr(float(value)) for value in np.deg2rad([float(word) for word in angles.split()]))
        asf = asf.replace(f"axis {angles}", f"axis {in_radians}")
    expected = [by_hand(frame) for frame in FRAMES]
    for amc in (radians, radians.replace(":RADIANS\n", "")):  # where the AMC does not say, the ASF does
        body = rig(asf)
        values, degrees = parse_amc(amc.encode("latin-1"), body, "walk.amc")
        assert not degrees and not body.degrees
        np.testing.assert_allclose(positions_of(body, values), expected, atol=1e-6)
    assert parse(AMC, asf)[1]  # the AMC's own word counts


def test_the_word_of_the_amc_about_angles_counts_for_its_values_only(tmp_path):
    asf = ASF.replace("angle deg", "angle rad").replace("axis 0 0 20", f"axis 0 0 {np.deg2rad(20)}")
    asf = asf.replace("axis 10 20 30", "axis {} {} {}".format(*np.deg2rad([10, 20, 30])))
    put(tmp_path, {"body.asf": asf, "walk.amc": AMC})
    [sequence] = read(tmp_path / "walk.amc")
    np.testing.assert_allclose(sequence.positions, [by_hand(frame) for frame in FRAMES], atol=1e-6)


def _swap_lines(text):
    return text.replace("trunk 5 6 7\narm 8 9\n", "arm 8 9\ntrunk 5 6 7\n")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(lambda text: text.replace("\n", "\r"), id="CR"),
        pytest.param(lambda text: text.replace(":FULLY-SPECIFIED\n", ""), id="no FULLY-SPECIFIED"),
        pytest.param(lambda text: text.split(":DEGREES\n")[1], id="no header at all"),
        pytest.param(lambda text: text.replace("trunk", "  trunk\t"), id="blanks"),
        pytest.param(lambda text: text.replace("\n2\n", "\n\n# half\n2 \n\n"), id="comments and empty lines between"),
        pytest.param(lambda text: text.replace("arm -8 9", "arm -8 9 # why"), id="comment after values"),
        pytest.param(
            lambda text: text.replace("arm -8 9", "hand\narm -8 9"), id="a joint without freedom, without values"
        ),
        pytest.param(_swap_lines, id="another order of joints in one frame"),
        pytest.param(lambda text: text + "\n\n\x1a", id="empty lines and Ctrl-Z at the end"),
        pytest.param(lambda text: text.rstrip(), id="no newline at the end"),
        pytest.param(lambda text: text.replace("\n3\n", "\n33\n").replace("\n2\n", "\n17\n"), id="every 16th frame"),
        pytest.param(lambda text: text.replace("7.5e-1", "7.5e-001").replace("9\n2", "0.9E+1\n2"), id="exponents"),
        pytest.param(lambda text: "\xef\xbb\xbf" + text, id="byte order mark"),
    ],
)
def test_quirks_that_change_nothing(change):
    expected, _ = parse(AMC)
    np.testing.assert_array_equal(parse(change(AMC))[0], expected)
    assert amc_reader.recognises(change(AMC).encode("latin-1"))


def test_small_numbers_are_not_misread():
    values, _ = parse(AMC.replace("arm 8 9", "arm 1.5e-005 -3.14E-015"))
    np.testing.assert_array_equal(values[0, -2:], [1.5e-5, -3.14e-15])


def test_one_frame_is_a_recording():
    assert parse(AMC.split("2\nroot")[0])[0].shape == (1, 11)


def test_root_with_other_channels_orders_origin_and_orientation():
    asf = ASF.replace("order TX TY TZ RX RY RZ", "order RZ RX TY").replace("position 0 0 0", "position 1 2 3")
    asf = asf.replace("orientation 0 0 0", "orientation 10 20 30").replace("   axis XYZ", "   axis YZX")
    amc = "1\nroot 40 50 6\ntrunk 0 0 0\narm 0 0\n"
    body = rig(asf)
    positions = positions_of(body, parse(amc, asf)[0])[0]
    axes = fixed("YZX", [10, 20, 30])
    turned = axes * fixed("ZX", [40, 50]) * axes.inv()
    np.testing.assert_allclose(positions[0], np.array([1, 2 + 6, 3]) * UNIT, atol=1e-6)
    np.testing.assert_allclose(positions[1] - positions[0], turned.apply([0, 10 * UNIT, 0]), atol=1e-6)


def test_a_bone_that_shifts_does_so_along_its_own_axes():
    asf = ASF.replace("dof rz rx", "dof rz ty rx")
    amc = "1\nroot 0 0 0 0 0 90\ntrunk 0 0 0\narm 0 4 0\n"
    still = positions_of(rig(asf), parse(amc.replace("0 4 0", "0 0 0"), asf)[0])[0]
    shifted = positions_of(rig(asf), parse(amc, asf)[0])[0]
    way = (fixed("XYZ", [0, 0, 90]) * fixed("ZXY", [10, 20, 30])).apply([0, 4 * UNIT, 0])
    np.testing.assert_allclose(shifted - still, [[0, 0, 0], [0, 0, 0], way, way], atol=1e-6)


def test_a_unit_that_is_not_there_is_inches():
    asf = ASF.replace("  length 0.45\n", "", 1)
    np.testing.assert_allclose(np.linalg.norm(rig(asf).ends, axis=1), np.array([0, 10, 2.5, 5]) * 0.0254)
    without = ASF.replace(ASF[ASF.index(":units") : ASF.index(":documentation")], "")
    np.testing.assert_allclose(rig(without).ends, rig(asf).ends)
    assert rig(without).degrees


def test_long_recordings_are_the_same_in_pieces(monkeypatch):
    amc = "".join(f"{n}\nroot 1 2 3 {n} 20 30\ntrunk 5 6 {n}\narm {n} 9\n" for n in range(1, 16))
    values, _ = parse(amc)
    positions = positions_of(rig(), values)
    monkeypatch.setattr(amc_reader, "_CHUNK", 4)
    again, _ = parse(amc)
    np.testing.assert_array_equal(values, again)
    assert values.shape == (15, 11)
    np.testing.assert_allclose(positions_of(rig(), again), positions, atol=1e-7)
    expect("walk.amc:49: expected frame 13, found '14'", amc.replace("\n13\n", "\n14\n"))


# ------------------------------------------------------------------------------------------------- faults in the AMC


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("arm 8 .5\n", "", "14: expected 3 joints in frame 3, found 2 (no arm): is the file truncated?"),
        ("trunk 5 6 7.5e-1\n", "", "10: expected 3 joints in frame 2, found 2 (no trunk): is the file truncated?"),
        ("trunk 5 6 7.5e-1", "trunk 5 6", "10: expected 3 values for trunk, found 2"),
        ("trunk 5 6 7.5e-1", "trunk 5 6 7 8", "10: expected 3 values for trunk, found 4"),
        ("arm -8 9", "arm\n-8 9", "11: expected 2 values for arm, found 0"),
        ("arm -8 9", "arm -8 9\narm -8 9", "12: expected arm once in frame 2, found it again"),
        ("arm -8 9", "trunk 5 6 7", "11: expected trunk once in frame 2, found it again"),
        ("arm -8 9", "tail -8 9", "11: expected a joint of the skeleton, found 'tail'"),
        ("arm -8 9", "arm -8 9\nhand 1", "12: expected 0 values for hand, found 1"),
        ("7.5e-1", "nan", "10: expected a number among the values for trunk, found 'nan'"),
        ("7.5e-1", "-inf", "10: expected a number among the values for trunk, found '-inf'"),
        ("7.5e-1", "1.#QNAN", "10: expected a number among the values for trunk, found '1.#QNAN'"),
        ("7.5e-1", "-1.$IND", "10: expected a number among the values for trunk, found '-1.$IND'"),
        ("7.5e-1", "1e400", "10: expected a number among the values for trunk, found '1e400'"),
        ("7.5e-1", "1_0", "10: expected a number among the values for trunk, found '1_0'"),
        ("7.5e-1", "7,5", "10: expected a number among the values for trunk, found '7,5'"),
        ("7.5e-1", "0x1p3", "10: expected a number among the values for trunk, found '0x1p3'"),
        ("\n3\n", "\n2\n", "12: expected frame 3, found '2'"),
        ("\n3\n", "\n5\n", "12: expected frame 3, found '5'"),
        ("\n2\n", "\n0\n", "8: expected frame 2, found '0'"),
        ("\n3\n", "\n" + "3" * 5000 + "\n", f"12: expected frame 3, found '{'3' * 40}...'"),
        ("\n3\n", "\n", "12: expected root once in frame 2, found it again"),
        ("\n1\n", "\n", "4: expected the number of a frame, found 'root'"),
    ],
)  # fmt: skip
def test_each_fault_is_found_in_its_line(old, new, message):
    assert old in AMC
    expect(f"walk.amc:{message}", AMC.replace(old, new))


@pytest.mark.parametrize("keep", range(1, AMC.count("\n")))
def test_a_file_cut_after_any_line_is_refused_or_ends_with_a_whole_frame(keep):
    cut = "".join(AMC.splitlines(keepends=True)[:keep])
    if cut.endswith(("arm 8 9\n", "arm -8 9\n")):
        assert len(parse(cut)[0]) == cut.count("root")
    else:
        with pytest.raises(ReadError, match=rf"walk.amc:{keep}: expected .* found"):
            parse(cut)


def _outcome(way, *arguments):
    try:
        return way(*arguments).tolist()
    except ReadError as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(st.integers(30, len(AMC)), st.integers(0, 3), st.text("0123456789.-+eE \n\r#:narmtukoi_\x1c\x00", max_size=4))
def test_the_fast_way_accepts_nothing_that_the_slow_way_refuses(at, without, instead):
    text = (AMC[:at] + instead + AMC[at + without :]).encode("latin-1")
    lines = amc_reader.Lines(text, "walk.amc")
    try:
        _, start, line = amc_reader._amc_head(lines, rig())
        fast = amc_reader._fast_frames(lines, rig(), start, line)
    except ReadError:
        return  # the head and the first frame are read by the slow way at once
    if fast is not None:
        assert fast.tolist() == _outcome(amc_reader._slow_frames, lines, rig(), start, line)


def test_whole_files_are_read_the_fast_way():
    lines = amc_reader.Lines(AMC.encode("latin-1"), "walk.amc")
    _, start, line = amc_reader._amc_head(lines, rig())
    fast = amc_reader._fast_frames(lines, rig(), start, line)
    assert fast is not None
    np.testing.assert_array_equal(fast, amc_reader._slow_frames(lines, rig(), start, line))


def test_no_frame_at_all():
    expect("walk.amc:3: expected at least one frame, found none", AMC.split("1\n")[0])


# ------------------------------------------------------------------------------------------------- faults in the ASF


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("length 0.45", "length 0", "6: expected a positive unit of length, found 0.0"),
        ("angle deg", "angle grad", "7: expected angle deg or angle rad, found 'angle grad'"),
        ("axis XYZ", "axis XYY", "12: expected an order of X, Y and Z, found 'XYY'"),
        ("position 0 0 0", "position 0 0", "13: expected 3 coordinates, found 2"),
        ("position 0 0 0", "posture 0 0", "13: expected order, axis, position or orientation, found 'posture 0 0'"),
        ("direction 0 1 0", "direction 0 nan 0", "19: expected a number among the coordinates, found 'nan'"),
        ("     length 10.0\n", "", "25: expected length for the bone 'trunk', found none"),
        ("axis 0 0 20 XYZ", "axis 0 0 20", "21: expected an order of X, Y and Z, found 'nothing'"),
        ("dof rx ry rz", "dof rx ry rx", "22: expected each of rx, ry, rz, tx, ty, tz at most once, found 'rx'"),
        ("dof rx ry rz", "dof rx l", "22: expected each of rx, ry, rz, tx, ty, tz at most once, found 'l'"),
        ("name hand", "name trunk", "33: expected each bone once, found 'trunk' again"),
        ("name hand", "name root", "33: expected each bone once, found 'root' again"),
        ("  end\n  begin\n     id 2", "     id 2", "27: expected one name for the bone 'trunk', found another"),
        ("  begin\n     id 1", "     id 1", "16: expected begin, found 'id'"),
        ("  end\n  begin\n     id 3", "  begin\n     id 3", "33: expected end, found 'begin'"),
        ("  end\n:hierarchy", ":hierarchy", "42: expected end for the bone that begins in line 34, found none"),
        ("trunk arm", "trunk leg", "47: expected a bone of :bonedata, found 'leg'"),
        ("trunk arm", "trunk arm arm", "47: expected one parent for each bone, found another for 'arm'"),
        ("trunk arm", "trunk root", "47: expected one parent for each bone, found another for 'root'"),
        ("    arm hand\n", "", "48: expected every bone to lead to the root, found that 'hand' does not"),
        ("    root trunk\n", "    hand trunk\n", "49: expected every bone to lead to the root, found that 'trunk'"),
        (":hierarchy", ":bonedata", "44: expected one section :bonedata, found another"),
        (":version", "version", "2: expected a section like :version or :units, found 'version'"),
    ],
)  # fmt: skip
def test_each_fault_of_a_skeleton_is_found_in_its_line(old, new, message):
    assert old in ASF
    text = ASF.replace(old, new, 1)
    with pytest.raises(ReadError) as caught:
        rig(text)
    assert str(caught.value).startswith(f"body.asf:{message}")


def test_sections_that_are_missing_and_an_empty_file():
    for key in (":root", ":bonedata", ":hierarchy"):
        begin = ASF.index(key)
        end = ASF.find("\n:", begin) + 1 or len(ASF)
        with pytest.raises(ReadError, match=rf"body.asf:\d+: expected a section {key}, found none"):
            rig(ASF[:begin] + ASF[end:])
    with pytest.raises(ReadError, match=r"^body.asf: expected an ASF, found an empty file$"):
        rig("")


def test_a_hierarchy_in_a_circle_is_refused():
    with pytest.raises(ReadError, match=r"body.asf:49: expected every bone to lead to the root, found that 'trunk'"):
        rig(ASF.replace("    root trunk\n", "    hand trunk\n"))


def test_a_skeleton_of_thousands_of_bones_is_refused():
    bone = ASF[ASF.index("  begin\n     id 2") : ASF.index("  begin\n     id 3")]
    bones = "".join(bone.replace("name hand", f"name b{n}") for n in range(2000))
    with pytest.raises(ReadError, match=r"expected fewer than 1024 bones, found more"):
        rig(ASF.replace(":bonedata\n", ":bonedata\n" + bones))


# ------------------------------------------------------------------------------------------------ finding the skeleton

OTHER = ASF.replace("length 10.0", "length 20.0")  # so that positions tell which one was taken


def _height(path, **options):
    [sequence] = read(path, **options)
    return round(float(np.linalg.norm(sequence.positions[0, 1] - sequence.positions[0, 0])) / UNIT)


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"body.asf": ASF}, "walk.amc"),  # the only one beside it
        ({"walk.asf": ASF, "body.asf": OTHER}, "walk.amc"),  # its own name
        ({"WALK.ASF": ASF, "body.asf": OTHER}, "walk.AMC"),
        ({"HDM_bd.asf": ASF, "HDM_mm.asf": OTHER}, "HDM_bd_walk_001_120.amc"),
        ({"HDM_bd.asf": ASF, "HDM_mm.asf": OTHER}, "walk/HDM_bd_walk_001_120.AMC"),  # the cut clips' layout
        ({"HDM_bd.asf": ASF, "HDM_mm.asf": OTHER}, "cut/walk/HDM_bd_walk_001_120.amc"),
        ({"subjects/02/02.asf": ASF}, "subjects/02/02_01.amc"),  # CMU's layout
        ({"02.asf": ASF, "03.asf": OTHER}, "02/02_01.amc"),
        ({"02.asf": OTHER, "02/02.asf": ASF}, "02/02_01.amc"),  # the nearest
        ({"02.asf": OTHER, "02_01.asf": ASF}, "02_01.amc"),  # the longest
        ({"walk.asf": OTHER, "a/body.asf": ASF}, "a/walk_1.amc"),  # the only one beside it, before others above
        ({"02.asf": ASF, "02/03.asf": OTHER}, "02/02_01.amc"),  # but not that of another subject
    ],
)
def test_an_amc_finds_its_skeleton(tmp_path, files, name):
    top = tmp_path / "data"
    put(top, files | {name: AMC})
    assert _height(top / name) == 10
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for each in (*files, name):
            archive.write(top / each, f"deep/er/{each}")
    assert _height(tmp_path / "data.zip" / "deep" / "er" / name) == 10


def test_a_skeleton_handed_over_counts(tmp_path):
    put(tmp_path, {"a/body.asf": OTHER, "a/walk.amc": AMC, "b/mine.asf": ASF})
    assert _height(tmp_path / "a/walk.amc") == 20
    assert _height(tmp_path / "a/walk.amc", skeleton=tmp_path / "b/mine.asf") == 10
    assert _height(tmp_path / "a/walk.amc", skeleton=str(tmp_path / "b/mine.asf")) == 10
    assert _height(tmp_path / "a/walk.amc", skeleton=rig()) == 10
    with pytest.raises(SettingsError, match=r"walk.amc: expected skeleton= to be the path of an ASF, found int"):
        read(tmp_path / "a/walk.amc", skeleton=3)
    with pytest.raises(ReadError, match=r"none.asf: expected an ASF, found: No such file"):
        read(tmp_path / "a/walk.amc", skeleton=tmp_path / "none.asf")


def test_without_its_skeleton_the_message_says_where_it_was_looked_for(tmp_path):
    name = "HDM_bd_walk_001_120.amc"
    put(tmp_path, {f"top/cut/walk/{name}": AMC})
    with pytest.raises(ReadError) as caught:
        read(tmp_path / "top/cut/walk" / name)
    assert str(caught.value) == (
        f"{tmp_path}/top/cut/walk/{name}: expected its skeleton, one of HDM.asf, HDM_bd.asf, HDM_bd_walk.asf or the "
        f"only .asf beside it, found none in {tmp_path}/top/cut/walk, {tmp_path}/top/cut, {tmp_path}/top; "
        "skeleton= hands one over"
    )


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("HDM_bd_walk_001_120.amc", ["HDM_mm.asf"]),  # the only one beside it is another actor's
        ("02_01.amc", ["03.asf"]),
        ("walk.amc", ["a.asf", "b.asf"]),  # which?
    ],
)
def test_a_skeleton_of_somebody_else_is_not_taken(tmp_path, name, others):
    put(tmp_path, {name: AMC} | dict.fromkeys(others, ASF))
    beside = ", ".join(others)
    with pytest.raises(ReadError, match=rf"found none in {tmp_path}.*; beside it: {beside}; skeleton= hands one over"):
        read(tmp_path / name)


def test_settings_of_other_formats_are_refused(tmp_path):
    put(tmp_path, {"body.asf": ASF, "walk.amc": AMC})
    with pytest.raises(SettingsError, match=r"walk.amc: unit= is not for ASF/AMC: an ASF says its own unit and axes"):
        read(tmp_path / "walk.amc", unit="cm")
    assert read(tmp_path / "walk.amc", fps=60)[0].fps == 60
    for fps in (0, -1, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match=r"expected fps= to be a positive number of frames/s"):
            read(tmp_path / "walk.amc", fps=fps)
