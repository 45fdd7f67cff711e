"""MATLAB files: the two variables, against scipy; sizes that lie; every error."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import motion_names, read
from motionprint.readers.mat import parse, recognises
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS

RANDOM = np.random.default_rng(0)
D_SKEL = RANDOM.normal(size=(20, 3, 5)) + 2
POSITIONS = (RANDOM.normal(size=(4, 16, 3)) * 1000).round(3)
# The order of UTD-MHAD, as its authors give it.
NAMES = """
    head shoulder_center spine hip_center shoulder_left elbow_left wrist_left hand_left shoulder_right elbow_right
    wrist_right hand_right hip_left knee_left ankle_left foot_left hip_right knee_right ankle_right foot_right
"""
UTD = NAMES.split()


def mat(compressed=True, **variables):
    buffer = io.BytesIO()
    savemat(buffer, variables, do_compression=compressed)
    return buffer.getvalue()


def message(data):
    with pytest.raises(ReadError) as caught:
        parse(data, "a.mat")
    return str(caught.value)


def element(kind, content, order="<"):
    return struct.pack(f"{order}II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def by_hand(values, name=b"d_skel", *, order="<", sizes=None, flags=6, kind=9, dtype="f8"):
    """A file written without scipy."""
    matrix = element(6, struct.pack(f"{order}II", flags, 0), order)
    shape = values.shape if sizes is None else sizes
    matrix += element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
    matrix += element(1, name, order)
    matrix += element(kind, values.astype(f"{order}{dtype}").tobytes("F"), order)
    head = b"MATLAB 5.0 MAT-file".ljust(124) + {"<": b"\x00\x01IM", ">": b"\x01\x00MI"}[order]
    return head + element(14, matrix, order)


def packed(plain):
    """The same with its element compressed."""
    return plain[:128] + element(15, zlib.compress(plain[128:]))


@pytest.mark.parametrize("compressed", [True, False])
def test_d_skel_comes_in_the_order_of_kinect20(tmp_path, compressed):
    (tmp_path / "a1_s1_t1_skeleton.mat").write_bytes(mat(compressed, other=[1, 2], d_skel=D_SKEL))
    [sequence] = read(tmp_path / "a1_s1_t1_skeleton.mat")
    assert sequence.skeleton is SKELETONS["kinect20"] and sequence.fps == 30.0
    for row, joint in enumerate(UTD):
        ours = sequence.positions[:, sequence.skeleton.joint_names.index(joint)]
        np.testing.assert_array_equal(ours, D_SKEL[row].T.astype(np.float32))


@pytest.mark.parametrize("compressed", [True, False])
def test_positions_are_millimetres(tmp_path, compressed):
    (tmp_path / "S01_A01_R01.mat").write_bytes(mat(compressed, positions=POSITIONS.astype(np.float32)))
    [sequence] = read(tmp_path / "S01_A01_R01.mat")
    assert sequence.skeleton is SKELETONS["mhad16"] and sequence.fps == 30.0
    np.testing.assert_allclose(sequence.positions, POSITIONS / 1000, atol=1e-6)
    [metres] = read(tmp_path / "S01_A01_R01.mat", unit="m", fps=480)
    np.testing.assert_allclose(metres.positions, POSITIONS, rtol=1e-6)
    assert metres.fps == 480
    [turned] = read(tmp_path / "S01_A01_R01.mat", up="z")
    expected = np.stack([POSITIONS[..., 0], POSITIONS[..., 2], -POSITIONS[..., 1]], axis=-1) / 1000
    np.testing.assert_allclose(turned.positions, expected, atol=1e-6)


def test_every_type_of_number_and_both_orders_of_bytes():
    whole = np.arange(1, 121).reshape(20, 3, 2)
    expected, _, _ = parse(by_hand(whole), "a")
    for kind, dtype in ((1, "i1"), (2, "u1"), (3, "i2"), (4, "u2"), (5, "i4"), (6, "u4"), (7, "f4"), (12, "i8")):
        np.testing.assert_array_equal(parse(by_hand(whole, kind=kind, dtype=dtype), "a")[0], expected)
    np.testing.assert_array_equal(parse(by_hand(whole, order=">"), "a")[0], expected)
    np.testing.assert_array_equal(parse(packed(by_hand(whole)), "a")[0], expected)
    np.testing.assert_array_equal(parse(mat(d_skel=whole), "a")[0], expected)


def test_one_frame_has_lost_its_last_size():
    assert parse(mat(d_skel=D_SKEL[..., 0]), "a")[0].shape == (1, 20, 3)
    assert parse(mat(positions=POSITIONS[:1]), "a")[0].shape == (1, 16, 3)


def test_what_is_missing():
    values = D_SKEL.copy()
    values[0, :, 1] = 0  # the head
    values[5, 0, 2] = np.nan
    found, _, _ = parse(mat(d_skel=values), "a")
    assert np.argwhere(np.isnan(found)).tolist() == [[1, 3, 0], [1, 3, 1], [1, 3, 2], [2, 5, 0]]
    optical = POSITIONS.copy()
    optical[2, 0] = 0  # an optical system's origin is a place like any other
    assert not np.isnan(parse(mat(positions=optical), "a")[0]).any()


def test_a_folder_gives_the_files_that_are_motion(tmp_path):
    (tmp_path / "a.mat").write_bytes(mat(d_skel=D_SKEL))
    (tmp_path / "inertial.mat").write_bytes(mat(d_iner=np.ones((50, 6))))
    (tmp_path / "other.mat").write_bytes(b"not a MATLAB file")
    with Source.open(tmp_path) as source:
        assert list(motion_names(source)) == ["a.mat"]


HDF5 = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + b"\0" * 384 + b"\x89HDF\r\n\x1a\n"


def test_version_7_3_is_refused_with_the_way_to_convert_it(tmp_path):
    assert message(HDF5) == (
        "a.mat: expected a MATLAB file of version 5, found 7.3 (HDF5): in MATLAB load it and save it with "
        "save('FILE.mat', '-struct', 'loaded', '-v7'), where loaded = load('FILE.mat')"
    )
    assert message(HDF5[512:]) == message(HDF5)
    assert not recognises(HDF5) and recognises(HDF5 + b"...d_skel...")
    (tmp_path / "a.mat").write_bytes(HDF5)
    with pytest.raises(ReadError, match=r"found 7\.3 \(HDF5\)"):
        read(tmp_path / "a.mat")


SMALL = by_hand(D_SKEL)


def _put(data, at, form, *values):
    changed = bytearray(data)
    struct.pack_into(form, changed, at, *values)
    return bytes(changed)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"what is this", "expected a MATLAB file of version 5, found another header"),
        (SMALL[:128], "expected the variable d_skel or positions, found none"),
        (mat(d_iner=[1], x=[2]), "expected the variable d_skel or positions, found 'd_iner', 'x'"),
        (mat(d_skel=D_SKEL[:19]), "d_skel: expected the shape (20, 3, T), found (19, 3, 5)"),
        (mat(d_skel=D_SKEL[..., :0]), "d_skel: expected the shape (20, 3, T), found (20, 3, 0)"),
        (mat(positions=D_SKEL), "positions: expected the shape (T, 16, 3), found (20, 3, 5)"),
        (mat(positions=POSITIONS[0]), "positions: expected the shape (T, 16, 3), found (16, 3)"),
        (mat(d_skel="text"), "d_skel: expected real numbers, found text"),
        (mat(d_skel=np.array([D_SKEL, 1], dtype=object)), "d_skel: expected real numbers, found a cell array"),
        (mat(d_skel={"a": 1}), "d_skel: expected real numbers, found a struct"),
        (mat(d_skel=D_SKEL * 1j), "d_skel: expected real numbers, found complex numbers"),
        (by_hand(D_SKEL, flags=17), "d_skel: expected real numbers, found class 17"),
        (by_hand(D_SKEL, sizes=(20, 3, -5)), "expected an array's sizes, found (20, 3, -5)"),
        (
            by_hand(D_SKEL, sizes=(20, 3, 6)),
            "d_skel: expected 360 numbers, as its sizes say, found 2400 bytes of type 9",
        ),
        (
            by_hand(D_SKEL, sizes=(20, 3, 2_000_000)),
            "d_skel: expected 120000000 numbers, as its sizes say, found 2400 bytes of type 9",
        ),
        (
            by_hand(D_SKEL, sizes=(20, 3, 2**31 - 1)),
            "expected at most 200000000 joint positions, found 2147483647 frames of 20 joints",
        ),
        (SMALL[:-1], "expected an element of 2464 bytes, found 2463: is it truncated?"),
        (SMALL[:132], "expected an element, found the end of the file: is it truncated?"),
        (_put(SMALL, 128, "<I", 9), "expected an array at byte 128, found an element of type 9"),
        (_put(SMALL, 132, "<I", 2**31), "expected an element of 2147483648 bytes, found 2464: is it truncated?"),
        (_put(SMALL, 132, "<I", 2456), "d_skel: expected 2464 bytes, found that its tag says 2456"),
        (_put(SMALL, 136, "<I", 5), "expected an array's flags, found an element of type 5 and 8 bytes"),
        (_put(SMALL, 152, "<I", 6), "expected an array's sizes, found an element of type 6 and 12 bytes"),
        (_put(SMALL, 176, "<I", 9), "expected an array's name, found an element of type 9"),
        (_put(SMALL, 176, "<I", 0x90001), "expected at most 4 bytes in a short element, found 9"),
        (
            SMALL[:128] + element(15, b"no zlib stream"),
            "an array: expected undamaged compressed bytes, found: Error -3 while decompressing data: incorrect header "
            "check",
        ),
        (
            SMALL[:128] + element(15, zlib.compress(b"\x09" + SMALL[129:])),
            "expected an array, found a compressed element of type 9",
        ),
    ],
)  # fmt: skip
def test_each_fault_is_told(data, expected):
    assert message(data) == f"a.mat: {expected}"


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_numbers_that_are_no_place(value):
    wrong = D_SKEL.copy()
    wrong[3, 1, 2] = value
    assert message(mat(d_skel=wrong)).startswith(
        "a.mat: d_skel: frame 3, joint hip_center: expected finite numbers or NaN, found ["
    )


def test_a_damaged_compressed_array_is_refused_by_its_checksum():
    whole = packed(SMALL)
    for place in range(140, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        with pytest.raises(ReadError):
            parse(bytes(damaged), "a.mat")


def test_sizes_that_lie_and_bombs_take_no_memory():
    frames = 3_000_000
    huge = by_hand(D_SKEL, sizes=(20, 3, frames))
    claims = _put(huge, 128 + 8 + 16 + 24 + 16 + 4, "<I", frames * 60 * 8)  # the numbers' own tag
    assert claims != huge
    claims = _put(claims, 132, "<I", 64 + frames * 60 * 8)
    zeros = zlib.compressobj(9)
    bomb = zeros.compress(claims[128:200]) + zeros.compress(bytes(40_000_000)) + zeros.flush()
    tracemalloc.start()
    try:
        assert message(claims[:128] + element(15, bomb)).startswith(
            "a.mat: d_skel: expected less than 1440000072 bytes from"
        )
        assert "is it truncated?" in message(claims)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_settings_that_it_has_no_use_for(tmp_path):
    (tmp_path / "a.mat").write_bytes(SMALL)
    with pytest.raises(
        SettingsError, match=r"skeleton= is not for MATLAB positions: the variable's name says which joints"
    ):
        read(tmp_path / "a.mat", skeleton="cmu31")


def test_cut_at_each_byte():
    whole = mat(d_skel=D_SKEL[..., :1])
    for count in range(129, len(whole)):
        assert "expected" in message(whole[:count])


SEEDS = [SMALL, packed(SMALL), mat(positions=POSITIONS), mat(False, other=[1, 2], positions=POSITIONS)]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_damage_gives_an_error_or_a_recording_and_nothing_else(data):
    damaged = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(124, 320) | st.integers(0, len(damaged) - 1))
        word = data.draw(
            st.sampled_from(
                [b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\x0e\0\0\0", b"\0\0\xf8\x7f", b""]
            )
            | st.binary(min_size=1, max_size=4)
        )
        damaged[place : place + data.draw(st.sampled_from([0, 1, 4, 4, 100]))] = word
    try:
        recognises(bytes(damaged))
        positions, skeleton, _ = parse(bytes(damaged), "a")
    except ReadError as error:
        assert str(error).startswith("a: ") and "\n" not in str(error)
    else:
        SkeletonSequence(positions, 30, skeleton)
