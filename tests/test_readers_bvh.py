"""BVH: every quirk, every error, and positions against an independent reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import bvh, read
from motionprint.readers.bvh import parse, positions_of

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 7 8 9
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Spine
  {
    OFFSET 0 10 0
    CHANNELS 3 Yrotation Xrotation Zrotation
    End Site
    {
      OFFSET 0 5 1e0
    }
  }
  JOINT LeftLeg
  {
    OFFSET 2 -8 0
    CHANNELS 1 Xrotation
    End Site
    {
      OFFSET 0 0 0
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.0333333
1 2 3 10 20 30 40 50 60 70
1.5 2 3 1.5e+001 20 30 40 50 60 -7.5E-5
2 2 3 20 20 .5 40 50 60 90
"""
VALUES = np.array(
    [
        [1, 2, 3, 10, 20, 30, 40, 50, 60, 70],
        [1.5, 2, 3, 15, 20, 30, 40, 50, 60, -7.5e-5],
        [2, 2, 3, 20, 20, 0.5, 40, 50, 60, 90],
    ]
)


def parse_text(text):
    return parse(text.encode("latin-1"), "walk.bvh")


def expect(message, text):
    with pytest.raises(ReadError) as caught:
        parse_text(text)
    assert str(caught.value) == message


def write(folder, text, name="walk.bvh"):
    (folder / name).write_bytes(text.encode("latin-1"))
    return folder / name


def by_hand(values):
    """Joint positions in the file's unit; upper case in SciPy is about the turned axes, as in BVH."""
    hips = Rotation.from_euler("ZXY", values[3:6], degrees=True)
    spine = hips * Rotation.from_euler("YXZ", values[6:9], degrees=True)
    root = values[:3]  # the OFFSET of the root is not added
    top = root + hips.apply([0, 10, 0])
    leg = root + hips.apply([2, -8, 0])
    return [root, top, top + spine.apply([0, 5, 1]), leg, leg]


def test_positions_are_those_of_the_definition(tmp_path):
    [sequence] = read(write(tmp_path, BVH))
    assert sequence.skeleton.joint_names == ("Hips", "Spine", "Spine_end", "LeftLeg", "LeftLeg_end")
    assert sequence.skeleton.parents == (-1, 0, 1, 0, 3)
    assert (sequence.fps, sequence.name, sequence.source, sequence.person) == (30.0, "walk", "walk.bvh", 0)
    np.testing.assert_allclose(sequence.positions, 0.01 * np.array([by_hand(row) for row in VALUES]), atol=1e-7)


@pytest.mark.parametrize(
    ("unit", "metres"), [("m", 1), ("cm", 0.01), ("mm", 0.001), ("inch", 0.0254), ("cmu", 0.0254 / 0.45)]
)
def test_units(tmp_path, unit, metres):
    [sequence] = read(write(tmp_path, BVH), unit=unit)
    np.testing.assert_allclose(sequence.positions[0], metres * np.array(by_hand(VALUES[0])), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(lambda text: text.replace("\n", "\r"), id="CR"),
        pytest.param(lambda text: text.replace("  ", "\t").replace("Frames: ", "Frames:\t"), id="tabs"),
        pytest.param(lambda text: text.replace("Frames: ", "Frames:").replace("Time: ", "Time :  "), id="colons"),
        pytest.param(lambda text: text.replace("Spine\n  {", "Spine {"), id="brace in the same line"),
        pytest.param(lambda text: text.replace("Spine\n  {", "Spine{"), id="brace at the name"),
        pytest.param(lambda text: text.replace("ROOT", "root").replace("MOTION", "Motion"), id="case"),
        pytest.param(lambda text: text.replace("Xrotation", "XROTATION").replace("Xp", "xP"), id="case of channels"),
        pytest.param(lambda text: text.replace("MOTION", "\n\nMOTION\n"), id="empty lines"),
        pytest.param(lambda text: text.replace("\n2 2 3", "\n\n \n2 2 3"), id="empty lines between frames"),
        pytest.param(lambda text: text + "\n\n\x1a", id="empty lines and Ctrl-Z at the end"),
        pytest.param(lambda text: text.rstrip(), id="no newline at the end"),
        pytest.param(lambda text: "\xef\xbb\xbf" + text, id="byte order mark"),
        pytest.param(lambda text: text.replace("End Site", "End Site top of it"), id="named end site"),
        pytest.param(lambda text: text.replace("    OFFSET 0 10 0\n    CHANNELS 3 Yrotation Xrotation Zrotation\n",
                                               "    CHANNELS 3 Yrotation Xrotation Zrotation\n    OFFSET 0 10 0\n"),
                     id="channels before offset"),
    ],
)  # fmt: skip
def test_quirks_that_change_nothing(change):
    motion = parse_text(change(BVH))
    np.testing.assert_array_equal(motion.values, VALUES)
    expected = [joint.name for joint in parse_text(BVH).persons[0]]
    assert [joint.name for joint in motion.persons[0]] == expected
    assert bvh.recognises(change(BVH).encode("latin-1"))


def test_names_may_have_blanks_colons_and_accents():
    motion = parse_text(BVH.replace("JOINT Spine", "JOINT mixamorig:H\xfcfte oben"))
    assert motion.persons[0][1].name == "mixamorig:H\xfcfte oben"


def test_position_channels_of_any_joint_replace_its_offset():
    text = BVH.replace("CHANNELS 1 Xrotation", "CHANNELS 2 Yposition Xposition")
    text = text.replace("1 2 3 10 20 30 40 50 60 70", "1 2 3 0 0 0 40 50 60 -9 4")
    text = "".join(line + " 0" * (line[:3] in ("1.5", "2 2")) + "\n" for line in text.splitlines())
    [joints] = (motion := parse_text(text)).persons
    positions = positions_of(joints, motion.values, 1.0)
    np.testing.assert_allclose(positions[0, 3], [1 + 4, 2 - 9, 3 + 0], atol=1e-6)  # z stays that of the OFFSET


def test_a_root_without_position_stands_at_its_offset():
    text = BVH.replace("CHANNELS 6 Xposition Yposition Zposition", "CHANNELS 3")
    text = text.replace("\n1 2 3 ", "\n").replace("\n1.5 2 3 ", "\n").replace("\n2 2 3 ", "\n")
    [joints] = (motion := parse_text(text)).persons
    np.testing.assert_allclose(positions_of(joints, motion.values, 1.0)[:, 0], [[7, 8, 9]] * 3)


def test_rotations_before_positions_and_an_axis_that_returns():
    text = BVH.replace(
        "Xposition Yposition Zposition Zrotation Xrotation Yrotation",
        "Zrotation Xrotation Zrotation Zposition Yposition Xposition",
    )
    [joints] = (motion := parse_text(text)).persons
    positions = positions_of(joints, motion.values, 1.0)
    turned = Rotation.from_euler("ZXZ", [1, 2, 3], degrees=True)
    np.testing.assert_allclose(positions[0, 0], [30, 20, 10])
    np.testing.assert_allclose(positions[0, 1] - positions[0, 0], turned.apply([0, 10, 0]), atol=1e-5)


def test_two_roots_are_two_persons(tmp_path):
    body = BVH[BVH.index("ROOT") : BVH.index("MOTION")]
    text = BVH.replace("MOTION", body.replace("Hips", "Pelvis") + "MOTION")
    text = "".join(f"{line} {line}\n" if line[:1] in "12" else line + "\n" for line in text.splitlines())
    first, second = read(write(tmp_path, text))
    assert (first.person, second.person) == (0, 1)
    assert (first.skeleton.joint_names[0], second.skeleton.joint_names[0]) == ("Hips", "Pelvis")
    np.testing.assert_array_equal(first.positions, second.positions)


def test_several_end_sites_of_one_joint():
    site = "    End Site\n    {\n      OFFSET 0 5 1e0\n    }\n"
    motion = parse_text(BVH.replace(site, site * 3).replace("JOINT LeftLeg", "JOINT Leg"))
    names = [joint.name for joint in motion.persons[0]]
    assert names == ["Hips", "Spine", "Spine_end", "Spine_end2", "Spine_end3", "Leg", "Leg_end"]


@pytest.mark.parametrize(
    ("seconds", "fps"),
    [("0.0083333", 120), (".0083333", 120), ("0.016667", 60), ("0.033333", 30), ("0.0416667", 24), ("0.04", 25),
     ("0.0333667", 1 / 0.0333667), ("0.0104167", 96)],
)  # fmt: skip
def test_frame_times_that_were_rounded(tmp_path, seconds, fps):
    path = write(tmp_path, BVH.replace("0.0333333", seconds))
    assert read(path)[0].fps == pytest.approx(fps, rel=1e-12)
    assert read(path, fps=50)[0].fps == 50


def test_a_frame_time_of_zero_needs_a_rate(tmp_path):
    path = write(tmp_path, BVH.replace("0.0333333", "0"))
    with pytest.raises(ReadError, match=r"walk.bvh: expected a positive Frame Time, found 0: pass fps="):
        read(path)
    assert read(path, fps=30)[0].fps == 30


def test_one_frame_is_a_recording(tmp_path):
    text = BVH[: BVH.index("1.5 2 3")].replace("Frames: 3", "Frames: 1")
    assert len(read(write(tmp_path, text))[0]) == 1


def test_long_recordings_are_the_same_in_pieces(monkeypatch):
    rows = "".join(" ".join(map(str, VALUES[0] + n)) + "\n" for n in range(23))
    text = BVH[: BVH.index("1 2 3 10")].replace("Frames: 3", "Frames: 23") + rows
    motion = parse_text(text)
    positions = positions_of(motion.persons[0], motion.values, 1.0)
    monkeypatch.setattr(bvh, "_CHUNK", 5)
    np.testing.assert_array_equal(parse_text(text).values, motion.values)
    np.testing.assert_allclose(positions_of(motion.persons[0], motion.values, 1.0), positions, atol=1e-5)


# ------------------------------------------------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY\n", "", "1: expected HIERARCHY, found 'ROOT'"),
        ("ROOT Hips", "JOINT Hips", "2: expected ROOT, found 'JOINT'"),
        ("Hips\n{\n", "Hips\n", "2: expected a brace { after the joint's name, found none"),
        ("OFFSET 7 8 9", "OFFSET 7 8", "5: expected 3 numbers after OFFSET, found 'CHANNELS'"),
        ("OFFSET 7 8 9", "OFFSET 7 8 inf", "4: expected 3 numbers after OFFSET, found 'inf'"),
        ("  OFFSET 7 8 9\n", "", "23: expected an OFFSET for Hips before its closing brace, found none"),
        ("OFFSET 7 8 9", "OFFSET 7 8 9 OFFSET 1 2 3", "4: expected one OFFSET for Hips, found another"),
        ("CHANNELS 1 X", "CHANNELS 1 W", "18: expected a channel like Xposition or Zrotation, found 'Wrotation'"),
        ("CHANNELS 1 X", "CHANNELS 2 X", "19: expected a channel like Xposition or Zrotation, found 'End'"),
        ("CHANNELS 1", "CHANNELS 999999999", "18: expected the number of channels (0 to 9), found '999999999'"),
        ("CHANNELS 1", "CHANNELS -1", "18: expected the number of channels (0 to 9), found '-1'"),
        ("Yposition", "Xposition", "5: expected each position channel once, found Xposition twice"),
        ("CHANNELS 1 X", "CHANNELS 1 Yrotation CHANNELS 1 X", "18: expected one CHANNELS for LeftLeg, found another"),
        ("JOINT LeftLeg", "JOINT Spine", "15: expected a name that no other joint has, found 'Spine'"),
        ("JOINT LeftLeg", "JOINT", "15: expected a name that no other joint has, found ''"),
        ("JOINT LeftLeg", "BONE LeftLeg", "15: expected OFFSET, CHANNELS, JOINT, End Site or }, found 'BONE'"),
        ("}\nMOTION", "MOTION", "24: expected OFFSET, CHANNELS, JOINT, End Site or }, found 'MOTION'"),
        ("}\nMOTION", "}\n}\nMOTION", "25: expected ROOT or MOTION, found '}'"),
        ("Frames: 3", "Frames: -3", "26: expected a positive number of frames, found '-3'"),
        ("Frames: 3", "Frames: 0", "26: expected a positive number of frames, found '0'"),
        ("Frames: 3", "Frames: 3.5", "26: expected a positive number of frames, found '3.5'"),
        ("Frames: 3", "Frames: " + "9" * 5000, f"26: expected a positive number of frames, found '{'9' * 40}...'"),
        ("Frames: 3", "Frames: 99999999999999", "26: expected 99999999999999 frames, as this line says, found 3"),
        ("Frames: 3", "Frames: 2", "26: expected 2 frames, as this line says, found 3"),
        ("Frames: 3", "Frames 3", "26: expected `Frames: N`, found 'Frames 3'"),
        ("Frame Time: 0.0333333\n", "", "27: expected `Frame Time: seconds`, found '1 2 3 10 20 30 40 50 60 70'"),
        ("0.0333333", "-0.1", "27: expected a Frame Time of at least a microsecond, found -0.1"),
        ("0.0333333", "nan", "27: expected seconds, found 'NAN'"),
        ("50 60 -7.5E-5", "50 60", "29: expected 10 values, found 9"),
        ("50 60 -7.5E-5", "50 60 7 8", "29: expected 10 values, found 11"),
        ("50 60 -7.5E-5", "50 60\n-7.5E-5", "29: expected 10 values, found 9"),
        ("-7.5E-5", "nan", "29: expected a number among the values, found 'nan'"),
        ("-7.5E-5", "-Infinity", "29: expected a number among the values, found '-Infinity'"),
        ("-7.5E-5", "1e999", "29: expected a number among the values, found '1e999'"),
        ("-7.5E-5", "1_0", "29: expected a number among the values, found '1_0'"),
        ("-7.5E-5", "1,5", "29: expected a number among the values, found '1,5'"),
    ],
)  # fmt: skip
def test_each_fault_is_found_in_its_line(old, new, message):
    assert old in BVH
    expect(f"walk.bvh:{message}", BVH.replace(old, new, 1))


@pytest.mark.parametrize("keep", range(1, BVH.count("\n")))
def test_a_file_cut_after_any_line_is_refused(keep):
    with pytest.raises(ReadError, match=r"walk.bvh:\d+: expected .* found"):
        parse_text("".join(BVH.splitlines(keepends=True)[:keep]))


def test_deep_nesting_neither_crashes_nor_passes():
    deep = "HIERARCHY\nROOT r\n{\nOFFSET 0 0 0\n" + "".join(f"JOINT j{n}\n{{\nOFFSET 0 1 0\n" for n in range(100_000))
    expect("walk.bvh:3074: expected at most 1024 joints, found more", deep)


def test_a_thousand_joints_deep_is_read(tmp_path):
    deep = "".join(f"JOINT j{n}\n{{\nOFFSET 0 1 0\nCHANNELS 0\n" for n in range(1000)) + "}\n" * 1000
    text = (
        f"HIERARCHY\nROOT r\n{{\nOFFSET 0 0 0\nCHANNELS 1 Zrotation\n{deep}}}\nMOTION\nFrames: 1\nFrame Time: 1\n90\n"
    )
    positions = read(write(tmp_path, text), unit="m")[0].positions
    np.testing.assert_allclose(positions[0, -1], [-1000, 0, 0], atol=1e-3)


def test_many_persons_are_refused():
    root = "ROOT r\n{\nOFFSET 0 0 0\n}\n"
    with pytest.raises(ReadError, match=r"expected at most 1024 joints, found more"):
        parse_text("HIERARCHY\n" + root * 2000 + "MOTION\n")


def test_a_small_file_that_would_become_huge_is_refused(tmp_path, monkeypatch):
    from motionprint.readers import lines

    monkeypatch.setattr(lines, "MAX_POSITIONS", 14)
    with pytest.raises(ReadError, match=r"walk.bvh: expected at most 14 joint positions, found 3 frames of 5 joints"):
        read(write(tmp_path, BVH))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(BVH.index("\n1 2 3"), len(BVH)),
    st.integers(0, 3),
    st.text("0123456789.-+eE \n\rxnaif_\x1c\x00", max_size=4),
)
def test_the_fast_way_accepts_nothing_that_the_slow_way_refuses(at, without, instead):
    text = (BVH[:at] + instead + BVH[at + without :]).encode("latin-1")
    found = _outcome(text)
    patched = pytest.MonkeyPatch()
    with patched.context() as patch:
        patch.setattr(bvh, "_fast_table", lambda body, columns: None)
        assert found == _outcome(text)


def test_whole_files_are_read_the_fast_way():
    body = BVH[BVH.index("1 2 3 10") :].encode()
    np.testing.assert_array_equal(bvh._fast_table(body, 10), VALUES)


def _outcome(text):
    try:
        return parse(text, "walk.bvh").values.tolist()
    except ReadError as error:
        return str(error)


def test_settings_that_are_none_or_of_other_formats(tmp_path):
    path = write(tmp_path, BVH)
    with pytest.raises(SettingsError, match=r"walk.bvh: skeleton= is not for BVH: it has its own skeleton"):
        read(path, skeleton="x.asf")
    with pytest.raises(SettingsError, match=r"unknown unit 'furlong': expected one of m, cm, mm, inch, cmu"):
        read(path, unit="furlong")
