"""C3D: every byte order and kind of number, what is missing, every quirk, every error, damage."""

from __future__ import annotations

import struct
import tracemalloc

import ezc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import ReadSettings, format_of, read
from motionprint.readers import c3d as reader
from motionprint.skeleton import Skeleton

INTEL, DEC, MIPS = 84, 85, 86
GROUPS = {"POINT": 1, "ANALOG": 2, "TRIAL": 3}


class Files:
    """In place of a source: the reader asks it for nothing but a name."""

    @staticmethod
    def label(name):
        return name


def load(data, **given):
    [sequence] = reader.read(Files, "a.c3d", data, ReadSettings(**given))
    return sequence


def dec(values):
    """IEEE floats as DEC's: four times as large, the high word first."""
    bits = (np.asarray(values, dtype="<f4") * np.float32(4)).view("<u4")
    return ((bits << 16) | (bits >> 16)).astype("<u4").tobytes()


def number(processor, code, *values):
    if code == "f" and processor == DEC:
        return dec(values)
    return struct.pack((">" if processor == MIPS else "<") + code * len(values), *values)


def parameter(processor, group, name, kind, dimensions, values, step=None):
    body = struct.pack("bB", kind, len(dimensions)) + bytes(dimensions) + values + b"\0"
    link = number(processor, "H", 2 + len(body) if step is None else step)
    return struct.pack("bb", len(name), GROUPS[group]) + name.encode() + link + body


def text(*texts, length=None, flat=False):
    length = max(map(len, texts), default=0) if length is None else length
    dimensions = (length,) if flat else (length, len(texts))
    return -1, dimensions, b"".join(each.encode().ljust(length) for each in texts)


def build(
    points,
    processor=INTEL,
    floats=True,
    scale=0.5,
    labels=("Anna:a", "b", "c"),
    analog=0,
    first=1,
    last=None,
    rate=100.0,
    header_rate=50.0,
    words=(),
    tail=b"",
    **parameters,
):
    """A C3D file of (T, P, 4) points; ``POINT_UNITS=(-1, (2,), b"cm")`` sets or, as None, leaves out a parameter."""
    points = np.asarray(points, dtype=float)
    frames, count = points.shape[:2]
    last = first + frames - 1 if last is None else last
    scale = -scale if floats else scale
    found = {
        "POINT_USED": (2, (), number(processor, "H", count)),
        "POINT_SCALE": (4, (), number(processor, "f", scale)),
        "POINT_RATE": (4, (), number(processor, "f", rate)),
        "POINT_UNITS": text("mm", flat=True),
        "POINT_LABELS": text(*labels),
        "POINT_Y_SCREEN": text("+Y", flat=True),
        "ANALOG_USED": (2, (), number(processor, "H", analog)),
        **parameters,
    }
    section = bytes((1, 0x50, 0, processor))
    for name, at in GROUPS.items():
        section += struct.pack("bb", len(name), -at) + name.encode() + number(processor, "H", 3) + b"\0"
    for name, value in found.items():
        if value is not None:
            group, _, short = name.partition("_")
            section += parameter(processor, group, short, *value)
    section += tail or b"\0\0"
    blocks = -(-len(section) // 512)
    head = {2: count, 3: analog, 4: first, 5: last, 9: 2 + blocks, 10: 1, **dict(words)}
    header = bytearray(512)
    header[:2] = bytes((2, 0x50))
    for word, value in head.items():
        header[2 * word - 2 : 2 * word] = number(processor, "H", value)
    header[12:16] = number(processor, "f", scale)
    header[20:24] = number(processor, "f", header_rate)
    rows = np.concatenate([points.reshape(frames, -1), np.full((frames, analog), 77.0)], axis=1)
    if floats:
        data = dec(rows) if processor == DEC else rows.astype(">f4" if processor == MIPS else "<f4").tobytes()
    else:
        data = rows.round().astype(">i2" if processor == MIPS else "<i2").tobytes()
    data = data.ljust(-(-len(data) // 512) * 512, b"\0")
    return bytes(header) + section.ljust(blocks * 512, b"\0") + data


def points(frames=5, count=3, seed=0):
    """(T, P, 4) whole numbers, so that every kind of number holds them; residual 1."""
    found = np.random.default_rng(seed).integers(-2000, 2000, size=(frames, count, 4)).astype(float)
    found[..., 3] = 1
    return found


def expect(message, data, **given):
    with pytest.raises(ReadError) as caught:
        load(data, **given)
    assert str(caught.value) == message


@pytest.mark.parametrize("processor", [INTEL, DEC, MIPS])
@pytest.mark.parametrize("floats", [True, False])
@pytest.mark.parametrize("analog", [0, 6])
def test_every_byte_order_and_kind_of_number_gives_the_same(processor, floats, analog):
    wanted = points()
    wanted[2, 1] = (0, 0, 0, -1)
    sequence = load(build(wanted, processor, floats, analog=analog))
    expected = wanted[..., :3] * 0.001 * (1 if floats else 0.5)
    expected[2, 1] = np.nan
    np.testing.assert_array_equal(sequence.positions, expected.astype(np.float32))
    assert sequence.skeleton.joint_names == ("Anna:a", "b", "c")
    assert sequence.skeleton.parents == (-1, 0, 0)
    assert sequence.skeleton.body_parts == ()
    assert (sequence.fps, sequence.name, sequence.source) == (100.0, "a", "a.c3d")


@pytest.mark.parametrize("processor", [INTEL, DEC, MIPS])
def test_floats_that_are_no_whole_numbers(processor):
    wanted = np.random.default_rng(1).normal(size=(4, 3, 4)) * 10.0 ** np.random.default_rng(2).integers(
        -6, 4, (4, 3, 4)
    )
    wanted[..., 3] = 0
    found = load(build(wanted, processor), unit="m").positions
    np.testing.assert_array_equal(found, wanted[..., :3].astype(np.float32))


def test_a_negative_residual_is_a_missing_point_and_a_point_at_the_origin_is_none():
    wanted = points()
    wanted[0, 0] = (5, 6, 7, -1)
    wanted[1, 1] = (0, 0, 0, 0)
    wanted[2, 2] = (np.nan, 4, 4, 0)  # as some programs write what is missing
    wanted[3, 2] = (1, 2, 3, np.nan)
    found = load(build(wanted), unit="m").positions
    assert np.isnan(found[0, 0]).all()
    np.testing.assert_array_equal(found[1, 1], [0, 0, 0])
    np.testing.assert_array_equal(found[2, 2], [np.nan, 4, 4])
    assert np.isnan(found[3, 2]).all()
    assert np.isnan(found).sum() == 7


def test_a_residual_of_whole_numbers_with_a_camera_mask_is_seen_as_one_word():
    wanted = points()
    wanted[1, 0, 3] = 0x7F05  # seven cameras
    wanted[1, 1, 3] = -0x7F05
    assert np.isnan(load(build(wanted, floats=False)).positions).nonzero()[1].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("unit", "metres"),
    [("mm", 0.001), ("cm", 0.01), ("m", 1), ("in", 0.0254), ("Meters", 1), (" mm ", 0.001), ("", 0.001)],
)
def test_units(unit, metres):
    wanted = points()
    found = load(build(wanted, POINT_UNITS=text(unit, flat=True))).positions
    np.testing.assert_array_equal(found, (wanted[..., :3] * metres).astype(np.float32))
    forced = load(build(wanted, POINT_UNITS=text("ell", flat=True)), unit="cm").positions
    np.testing.assert_array_equal(forced, (wanted[..., :3] * 0.01).astype(np.float32))


def test_what_a_file_does_not_say():
    wanted = points()
    bare = build(wanted, POINT_UNITS=None, POINT_Y_SCREEN=None, POINT_RATE=None, POINT_LABELS=None, POINT_USED=None)
    sequence = load(bare)
    x, y, z = np.moveaxis(wanted[..., :3] * 0.001, -1, 0)
    np.testing.assert_array_equal(sequence.positions, np.stack([x, z, -y], axis=-1).astype(np.float32))  # z up
    assert sequence.fps == 50
    assert sequence.skeleton.joint_names == ("marker_1", "marker_2", "marker_3")


@pytest.mark.parametrize("screen", ["+X", "+Y", "+Z", "-X", "-Y", "-Z", "z"])
def test_the_axis_that_is_vertical_on_the_screen_points_up(screen):
    wanted = points()
    turned = load(build(wanted, POINT_Y_SCREEN=text(screen, flat=True)), unit="m").positions
    axis = "xyz".index(screen[-1].lower())
    np.testing.assert_array_equal(turned[..., 1], wanted[..., axis] * (-1 if screen[0] == "-" else 1))
    rotation, *_ = np.linalg.lstsq(wanted[..., :3].reshape(-1, 3), turned.reshape(-1, 3).astype(float), rcond=None)
    assert np.linalg.det(rotation) == pytest.approx(1)  # no mirror image
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
    given = load(build(wanted, POINT_Y_SCREEN=text(screen, flat=True)), unit="m", up="y").positions
    np.testing.assert_array_equal(given, wanted[..., :3])


def test_the_scale_of_the_header_goes_before_that_of_the_parameters():
    data = bytearray(build(points(), floats=False, POINT_SCALE=(4, (), number(INTEL, "f", 0.25))))
    np.testing.assert_array_equal(load(bytes(data), unit="m").positions, points()[..., :3] * 0.5)
    data[12:16] = bytes(4)
    np.testing.assert_array_equal(load(bytes(data), unit="m").positions, points()[..., :3] * 0.25)


def test_rates():
    assert load(build(points(), rate=59.94)).fps == 59.94
    assert load(build(points(), rate=0, header_rate=25)).fps == 25
    assert load(build(points(), rate=0, header_rate=float("nan")), fps=30).fps == 30
    assert load(build(points(), POINT_RATE=(2, (), number(INTEL, "H", 200)))).fps == 200
    expect("a.c3d: expected a positive POINT:RATE, found none: pass fps=", build(points(), rate=0, header_rate=-5))


def test_labels():
    some = points(2, 6)
    data = build(some, labels=("a", "a", "", "a_2"), POINT_LABELS2=text("late", flat=True))
    assert load(data).skeleton.joint_names == ("a", "a_3", "marker_3", "a_2", "late", "marker_6")
    assert load(build(some, labels=[f"m{n}" for n in range(40)])).skeleton.joint_names[-1] == "m5"  # more than points
    assert load(build(points(2, 1), POINT_LABELS=(-1, (), b"q"))).skeleton.joint_names == ("q",)
    assert load(build(points(2, 1), POINT_LABELS=(-1, (3,), "à ".encode()))).skeleton.joint_names == ("à",)
    assert load(build(points(2, 1), POINT_LABELS=(-1, (3,), b"\xe0\0q"))).skeleton.joint_names == ("à",)


def test_more_than_255_markers():
    names = [f"m{number}" for number in range(300)]
    data = build(points(2, 300), labels=names[:255], POINT_LABELS2=text(*names[255:]))
    assert load(data).skeleton.joint_names == tuple(names)


def test_outputs_of_a_model_are_no_markers():
    data = build(
        points(4, 5),
        labels=("a", "LKneeAngles", "b", "LKneePower", "Volume"),
        POINT_ANGLES=text("LKneeAngles", flat=True),
        POINT_POWERS=text("LKneePower"),
        POINT_VOLUMES=text("Volume"),
        POINT_TYPE_GROUPS=(-1, (7, 2, 1), b"VOLUMESVOLUME "),
    )
    sequence = load(data, unit="m")
    assert sequence.skeleton.joint_names == ("a", "b")
    np.testing.assert_array_equal(sequence.positions, points(4, 5)[:, [0, 2], :3])
    message = "a.c3d: expected at least one marker, found 3 outputs of a model (angles, forces, moments, powers)"
    expect(message, build(points(), POINT_FORCES=text("Anna:a", "b", "c")))


def test_a_skeleton_chooses_the_markers():
    wanted = points()
    for name in ("Anna:a", "a"):
        sequence = load(build(wanted), unit="m", skeleton=Skeleton(("b", name), (-1, 0)))
        np.testing.assert_array_equal(sequence.positions, wanted[:, [1, 0], :3])
        assert sequence.skeleton.joint_names == ("b", name)
    message = "a.c3d: expected the markers of the skeleton given, found none called LASI, RASI, but Anna:a, b, c"
    expect(message, build(wanted), skeleton=Skeleton(("LASI", "b", "RASI"), (-1, 0, 0)))
    with pytest.raises(SettingsError, match="columns= is not for C3D"):
        load(build(wanted), columns="x=X")


def words(processor, value):
    return 2, (2,), number(processor, "H", value & 0xFFFF, value >> 16)


@pytest.mark.parametrize("last", [65535, 70001 & 0xFFFF, 0])
@pytest.mark.parametrize("processor", [INTEL, MIPS])
def test_more_frames_than_16_bits_count(last, processor):
    long = points(70_001, 1)
    trial = {"TRIAL_ACTUAL_START_FIELD": words(processor, 1), "TRIAL_ACTUAL_END_FIELD": words(processor, 70_001)}
    data = build(long, processor, False, last=last, labels=("a",), **trial)
    np.testing.assert_allclose(load(data, unit="m").positions, long[..., :3] * 0.5)
    expect("a.c3d: expected 70001 frames, found 70000: is the file truncated?", _cut(data))


def _cut(data):
    """The same without its last frame and the padding after it."""
    start = (int.from_bytes(data[16:18], "big" if data[515] == MIPS else "little") - 1) * 512
    return data[: start + 70_000 * 8]


def test_long_frames():
    data = build(points(70_000, 1), floats=False, last=65535, POINT_LONG_FRAMES=(4, (), struct.pack("<f", 70_000)))
    assert len(load(data)) == 70_000
    data = build(points(70_000, 1), floats=False, last=65535, POINT_FRAMES=(4, (), struct.pack("<f", 70_000)))
    assert len(load(data)) == 70_000
    assert len(load(build(points(65_535, 1), floats=False))) == 65_535
    cropped = build(
        points(10), first=100, TRIAL_ACTUAL_START_FIELD=words(INTEL, 1), TRIAL_ACTUAL_END_FIELD=words(INTEL, 900)
    )
    assert len(load(cropped)) == 10  # where 16 bits are enough the header counts


def test_where_the_frames_begin():
    data = bytearray(build(points()))
    start = data[16]
    data[16:18] = b"\0\0"
    expect("a.c3d: expected the block where the frames begin, found 0", bytes(data))
    filled = build(points(), POINT_DATA_START=(2, (), number(INTEL, "H", start)), words={9: 0}.items())
    np.testing.assert_array_equal(load(filled).positions, load(build(points())).positions)


def test_a_last_parameter_that_leads_astray():
    stray = parameter(INTEL, "ANALOG", "LABELS", -1, (2,), b"ab", step=16129)
    np.testing.assert_array_equal(load(build(points(), tail=stray)).positions, load(build(points())).positions)
    where = "the parameter at byte 717 leads out of them, and POINT has no UNITS, Y_SCREEN"
    data = build(points(), tail=stray, POINT_UNITS=None, POINT_Y_SCREEN=None)
    at = data.index(b"\x06\x02LABELS")
    expect(f"a.c3d: expected the parameters to end before byte 1024, found that {where.replace('717', str(at))}", data)


def changed(offset, value, **given):
    data = bytearray(build(points(), **given))
    data[offset : offset + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (build(points())[:511], "expected a header of 512 bytes, found 511: is the file truncated?"),
        (changed(0, b"\1"), "expected a C3D header (a block number, then 0x50), found 01 50"),
        (changed(1, b"\1"), "expected a C3D header (a block number, then 0x50), found 02 01"),
        (changed(0, b"\xff"), "expected parameters in block 255, found the end of the file"),
        (changed(515, b"\1"), "expected the number of a processor, 84 (Intel), 85 (DEC) or 86 (MIPS), found 1"),
        (changed(2, b"\4"), "expected 4 points a frame, as the header says, found POINT:USED = 3"),
        (build(points(), POINT_USED=text("3")), "expected POINT:USED to be a number, found the type -1"),
        (build(points(), POINT_LABELS=(2, (), b"\1\0")), "expected POINT:LABELS to be text, found the type 2"),
        (build(points(), scale=0), "expected POINT:SCALE to be a number other than 0, found 0.0"),
        (
            build(points(), POINT_SCALE=(4, (), number(INTEL, "f", 0.5))),
            "expected one sign of the scale (floats have a negative one), found -0.5 in the header and",
        ),
        (build(points(), scale=float("nan")), "expected POINT:SCALE to be a number other than 0, found nan"),
        (
            build(points(), analog=6, ANALOG_USED=(2, (), b"\2\0")),
            "expected 6 analog values a frame, as the header says, found 1 for each of 2 channels (ANALOG:USED)",
        ),
        (
            build(points(), POINT_UNITS=text("ell", flat=True)),
            "expected POINT:UNITS to be mm, cm, m, in or ft, found 'ell': pass unit=",
        ),
        (
            build(points(), POINT_Y_SCREEN=text("up", flat=True)),
            "expected POINT:Y_SCREEN to be an axis such as +Z, found 'up': pass up=",
        ),
        (
            build(points(), POINT_LABELS=(-1, (200, 200), b"abc")),
            "expected 40000 values of POINT:LABELS, found the end of the parameters",
        ),
        (build(points(), last=40), "expected 40 frames, found 10: is the file truncated?"),
        (build(points(), last=1, first=9), "expected at least one frame, found frames 9 to 1"),
        (build(np.zeros((5, 0, 4)), analog=3, labels=()), "expected at least one marker, found none"),
        (build(points() + np.inf), "frame 1, marker 'Anna:a': expected a position, found inf"),
        (build(points() * 1e7, last=5), "frame 1, marker 'Anna:a': expected a position, found"),
    ],
)
def test_errors(data, message):
    with pytest.raises(ReadError) as caught:
        load(data)
    assert str(caught.value).startswith(f"a.c3d: {message}")


def test_a_position_beyond_all_sense_is_named_by_frame_and_marker():
    wanted = points(5000)
    wanted[4321, 2, 1] = 2e9
    expect("a.c3d: frame 4322, marker 'c': expected a position, found 2e+09", build(wanted))


def test_a_file_cut_anywhere_is_refused():
    data = build(points(), analog=2)
    frames = 5 * (12 + 2) * 4
    start = (data[16] - 1) * 512
    for cut in range(0, start + frames, 3):
        with pytest.raises(ReadError):
            load(data[:cut])
    assert len(load(data[: start + frames])) == 5  # what follows is padding


def test_recognised_by_content():
    for processor in (INTEL, DEC, MIPS):
        assert format_of(build(points(), processor), "x.dat", "x.dat") == "c3d"
    for other in (b"", b"\2\x50", build(points())[:515], b"HIERARCHY\n" * 100, bytes(2000), b"\2P" + bytes(2000)):
        assert not reader.recognises(other)


def test_counts_are_not_trusted_with_memory():
    huge = (2, (), number(INTEL, "H", 65535))
    data = build(points(), last=65534, words={2: 65535}.items(), POINT_USED=huge)
    long = (4, (), struct.pack("<f", 3e38))
    for damaged in (data, build(points(), last=65535, POINT_LONG_FRAMES=long)):
        tracemalloc.start()
        try:
            with pytest.raises(ReadError, match="frames, found"):
                load(damaged)
            assert tracemalloc.get_traced_memory()[1] < 40e6
        finally:
            tracemalloc.stop()


SEEDS = [
    build(points(12), processor, floats, analog=analog, POINT_LABELS2=text("d"), POINT_ANGLES=text("c"))
    for processor in (INTEL, DEC, MIPS)
    for floats in (True, False)
    for analog in (0, 2)
]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "repeat", "drop"]),
        st.one_of(st.integers(0, 23), st.integers(512, 1000), st.integers(0, 3000)),
        st.sampled_from([b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff", b"\0\0\x80\x7f", b"\0\0\xc0\xff", b"\1", b"P"])
        | st.binary(min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=5,
)


def damage(data, changes):
    for how, at, value in changes:
        at = min(at, len(data))
        if how == "set":
            data = data[:at] + value + data[at + len(value) :]
        elif how == "cut":
            data = data[:at]
        elif how == "repeat":
            data = data[:at] + data[at // 2 :]
        else:
            data = data[:at] + data[at + len(value) :]
    return data


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), CHANGES)
def test_damage_gives_a_recording_or_a_read_error(data, changes):
    data = damage(data, changes)
    try:
        sequence = load(data)
    except ReadError as error:
        assert str(error).startswith("a.c3d: ") and "\n" not in str(error)
        return
    assert not np.isinf(sequence.positions).any() and len(sequence) >= 1
    assert sequence.positions.nbytes <= 2 * len(data) + 1000


def ezc3d_file(path, wanted, names, rate=120.0):
    """What ezc3d writes of (T, P, 3) positions in millimetres."""
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [rate]
    file["parameters"]["POINT"]["LABELS"]["value"] = tuple(names)
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    values = np.ones((4, len(names), len(wanted)))
    values[:3] = wanted.transpose(2, 1, 0)
    file["data"]["points"] = values
    file.write(str(path))


def test_what_ezc3d_writes_reads_the_same(tmp_path):
    wanted = np.random.default_rng(0).normal(size=(30, 4, 3)) * 1000
    wanted[3, 2] = np.nan
    ezc3d_file(tmp_path / "a.c3d", wanted, ("a", "b", "c", "d"))
    [sequence] = read(tmp_path / "a.c3d", up="y", unit="m")
    np.testing.assert_array_equal(sequence.positions, wanted.astype(np.float32))
    assert sequence.skeleton.joint_names == ("a", "b", "c", "d")
    assert sequence.fps == 120


@pytest.mark.parametrize("floats", [True, False])
@pytest.mark.parametrize("processor", [INTEL, DEC])
def test_ezc3d_reads_the_same(tmp_path, processor, floats):
    (tmp_path / "a.c3d").write_bytes(build(points(), processor, floats))
    theirs = ezc3d.c3d(str(tmp_path / "a.c3d"))["data"]["points"][:3].transpose(2, 1, 0)
    ours = load((tmp_path / "a.c3d").read_bytes(), unit="m").positions
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
