"""NumPy's files: keys and what they may be, no objects, no memory before the bytes are there, any corruption."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import Source, motion_names, read
from motionprint.readers.arrays import parse, recognises
from motionprint.skeleton import SKELETONS, Skeleton

POSITIONS = np.random.default_rng(0).normal(size=(4, 3, 3)).astype(np.float32)
POSITIONS[1, 2] = np.nan
NAMES, PARENTS = ["Hips", "Head", "Hand"], [-1, 0, 0]


def npz(compressed=False, **arrays):
    output = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(output, **arrays)
    return output.getvalue()


def npy(values, version=None):
    output = io.BytesIO()
    np.lib.format.write_array(output, np.asarray(values), version=version)
    return output.getvalue()


def declared(shape, content=b"", descr="<f4"):
    """An .npy that says of itself what it likes."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def zipped(compression=zipfile.ZIP_DEFLATED, **members):
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", compression) as archive:
        for key, content in members.items():
            archive.writestr(f"{key}.npy", content)
    return output.getvalue()


WHOLE = npz(positions=POSITIONS, fps=50.0, joint_names=NAMES, parents=PARENTS)


def read_bytes(tmp_path, data, file="a.npz", **given):
    (tmp_path / file).write_bytes(data)
    return read(tmp_path / file, **given)


def expect(message, data):
    with pytest.raises(ReadError) as caught:
        parse(data, "a.npz")
    assert str(caught.value) == message


# ---- what is read --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [False, True])
def test_positions_bit_for_bit_with_names_and_parents(tmp_path, compressed):
    data = npz(compressed, positions=POSITIONS, fps=50.0, joint_names=NAMES, parents=PARENTS)
    [sequence] = read_bytes(tmp_path, data)
    assert sequence.positions.tobytes() == POSITIONS.tobytes()
    assert sequence.positions.flags.writeable
    assert sequence.skeleton == Skeleton(tuple(NAMES), tuple(PARENTS))
    assert (sequence.fps, sequence.name, sequence.person, sequence.label) == (50.0, "a", 0, None)


def test_facts_in_the_file_and_settings_that_replace_them(tmp_path):
    facts = {"unit": "cm", "person": 2, "name": "walk", "label": "walking", "subject": "anna"}
    [sequence] = read_bytes(tmp_path, npz(positions=POSITIONS * 100, fps=50, joint_names=NAMES, **facts))
    np.testing.assert_allclose(sequence.positions, POSITIONS, rtol=1e-6)
    assert sequence.skeleton.parents == (-1, 0, 0)
    found = (sequence.person, sequence.name, sequence.label, sequence.subject)
    assert found == (2, "walk", "walking", "anna")
    tree = Skeleton(("Hand", "Hips"), (1, -1))
    [other] = read(tmp_path / "a.npz", unit="m", up="z", fps=25, skeleton=tree)
    expected = (POSITIONS[:, [2, 0]] * 100)[..., [0, 2, 1]] * [1, 1, -1]
    np.testing.assert_allclose(other.positions, expected, rtol=1e-6)
    assert other.fps == 25 and other.skeleton is tree


@pytest.mark.parametrize(
    "values",
    [
        POSITIONS.astype(">f4"), POSITIONS.astype(np.float64), POSITIONS.astype("f8"), np.asfortranarray(POSITIONS),
        POSITIONS.reshape(4, 9), np.asfortranarray(POSITIONS.reshape(4, 9)),
    ],
)  # fmt: skip
def test_types_orders_and_flat_rows(values):
    assert parse(npz(positions=values, fps=1), "a.npz").positions.astype(np.float32).tobytes() == POSITIONS.tobytes()


def test_whole_numbers_and_half_floats(tmp_path):
    whole = (np.nan_to_num(POSITIONS) * 1000).astype(np.int16)
    [sequence] = read_bytes(tmp_path, npz(positions=whole, fps=1, unit="mm"))
    np.testing.assert_allclose(sequence.positions, whole / 1000, rtol=1e-6)
    half = POSITIONS.astype(np.float16)
    np.testing.assert_array_equal(read_bytes(tmp_path, npz(positions=half, fps=1))[0].positions, half)


@pytest.mark.parametrize("key", ["keypoints", "joints", "joints_3d", "poses"])
@pytest.mark.parametrize("rate", ["framerate", "mocap_frame_rate"])
def test_other_keys(tmp_path, key, rate):
    data = npz(**{key: POSITIONS, rate: np.array([30])})
    assert recognises(data)
    [sequence] = read_bytes(tmp_path, data)
    assert sequence.positions.tobytes() == POSITIONS.tobytes() and sequence.fps == 30


def test_names_as_bytes_and_joints_without_names(tmp_path):
    data = npz(positions=POSITIONS, fps=1, joint_names=np.array([name.encode() for name in NAMES]))
    assert parse(data, "a.npz").joint_names == tuple(NAMES)
    [sequence] = read_bytes(tmp_path, npz(positions=POSITIONS, fps=1))
    assert sequence.skeleton == Skeleton(("joint0", "joint1", "joint2"), (-1, 0, 0))
    many = np.zeros((2, 20, 3), dtype=np.float32)
    [sequence] = read_bytes(tmp_path, npz(positions=many, fps=1), skeleton="kinect20")
    assert sequence.skeleton is SKELETONS["kinect20"]
    with pytest.raises(ReadError, match=r"a.npz: expected the 20 joints of the skeleton, found 3"):
        read_bytes(tmp_path, npz(positions=POSITIONS, fps=1), skeleton="kinect20")


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy(tmp_path, version):
    data = npy(POSITIONS, version)
    assert recognises(data)
    [sequence] = read_bytes(tmp_path, data, "a.npy", fps=25)
    assert sequence.positions.tobytes() == POSITIONS.tobytes() and sequence.fps == 25
    with pytest.raises(ReadError) as caught:
        read(tmp_path / "a.npy")
    assert str(caught.value) == (
        f"{tmp_path}/a.npy: expected the frame rate (the key fps of an .npz), found none: pass fps="
    )
    with pytest.raises(SettingsError, match=r"a.npy: columns= is not for NumPy arrays"):
        read(tmp_path / "a.npy", fps=1, columns="frame=f,joint=j,x=x,y=y,z=z")


def test_in_a_folder_and_in_an_archive(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "walk.npz").write_bytes(WHOLE)
    (folder / "labels.npy").write_bytes(npy(np.arange(4)))
    (folder / "image.npy").write_bytes(npy(np.zeros((4, 4, 3), dtype=np.uint8)))
    (folder / "weights.npz").write_bytes(npz(weights=np.zeros((4, 4)), poses=np.zeros((4, 72))))
    with Source.open(folder) as source:
        assert list(motion_names(source)) == ["walk.npz"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(folder / "walk.npz", "in/walk.npz")
    [sequence] = read(tmp_path / "a.zip")
    assert sequence.name == "in/walk" and sequence.positions.tobytes() == POSITIONS.tobytes()


def test_amass_is_refused_with_what_to_do(tmp_path):
    poses = np.zeros((10, 156))
    data = npz(poses=poses, trans=np.zeros((10, 3)), betas=np.zeros(16), mocap_framerate=120.0, gender="male")
    assert recognises(data)
    with pytest.raises(ReadError) as caught:
        read_bytes(tmp_path, data)
    assert str(caught.value) == (
        f"{tmp_path}/a.npz: expected joint positions, found the body parameters of AMASS (poses, trans, betas): "
        "compute joints with the package smplx and its body model, and save them: numpy.savez(file, positions=joints, "
        "fps=rate, joint_names=names)"
    )
    parse(npz(positions=POSITIONS, poses=poses, trans=np.zeros((10, 3)), betas=np.zeros(16)), "a.npz")


# ---- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": POSITIONS}, "expected positions (T, J, 3) under the key positions, found a"),
        ({"poses": POSITIONS, "gender": "male"},
         "expected positions (T, J, 3) under the key positions, found gender, poses"),
        ({"joints": POSITIONS, "keypoints": POSITIONS},
         "expected positions (T, J, 3) under the key positions, found joints, keypoints"),
        ({"positions": POSITIONS[0, 0]}, "positions: expected numbers of shape (T, J, 3) or (T, 3 J), found <f4 (3,)"),
        ({"positions": POSITIONS[..., :2]},
         "positions: expected numbers of shape (T, J, 3) or (T, 3 J), found <f4 (4, 3, 2)"),
        ({"positions": np.zeros((4, 8))},
         "positions: expected numbers of shape (T, J, 3) or (T, 3 J), found <f8 (4, 8)"),
        ({"positions": np.zeros((4, 3, 3), dtype=complex)},
         "positions: expected numbers or text, found the type '<c16'"),
        ({"positions": np.full((4, 3, 3), "1")},
         "positions: expected numbers of shape (T, J, 3) or (T, 3 J), found <U1 (4, 3, 3)"),
        ({"positions": np.array([[[None] * 3] * 3])},
         "positions: expected numbers or text, found Python objects, which are never read: save plain arrays"),
        ({"positions": POSITIONS[:0]}, "expected at least one frame of 1 to 1024 joints, found 0 of 3"),
        ({"positions": np.zeros((2, 3 * 1025))}, "expected at least one frame of 1 to 1024 joints, found 2 of 1025"),
        ({"joint_names": NAMES[:2]}, "joint_names: expected 3 names, found 2"),
        ({"joint_names": ["a", "b", "a"]}, "joint_names: expected each name once, found 'a' again"),
        ({"joint_names": [1, 2, 3]}, "joint_names: expected texts, found <i8 (3,)"),
        ({"joint_names": np.array(NAMES, dtype=object)},
         "joint_names: expected numbers or text, found Python objects, which are never read: save plain arrays"),
        ({"joint_names": NAMES, "parents": [0, 1]}, "parents: expected 3 whole numbers, found int64 (2,)"),
        ({"joint_names": NAMES, "parents": [0.0, 1, 2]}, "parents: expected 3 whole numbers, found float64 (3,)"),
        ({"joint_names": NAMES, "parents": PARENTS, "fps": 0},
         "fps: expected one positive number of frames/s, found 0.0"),
        ({"fps": np.nan}, "fps: expected one positive number of frames/s, found nan"),
        ({"fps": [1, 2]}, "fps: expected one positive number of frames/s, found 2 numbers"),
        ({"fps": "30"}, "fps: expected numbers, found <U2 ()"),
        ({"unit": "km"}, "unit: expected one of m, cm, mm, inch, found 'km'"),
        ({"person": -1}, "person: expected one whole number from 0, found int64 ()"),
        ({"label": ["a", "b"]}, "label: expected one text, found <U1 (2,)"),
        ({"label": 0.5}, "label: expected one text, found <f8 ()"),
    ],
)  # fmt: skip
def test_each_fault_of_a_key(arrays, message):
    usual = {} if {"a", "poses", "joints"} & set(arrays) else {"positions": POSITIONS}
    expect(f"a.npz: {message}", npz(**usual | arrays))


@pytest.mark.parametrize(
    ("parents", "found"),
    [
        ([0, 1, 2], "expected one root"),
        ([-1, 2, 1], "joint Head does not lead to the root"),
        ([-1, 7, 0], "joint Head"),
    ],
)
def test_parents_that_are_no_tree(tmp_path, parents, found):
    with pytest.raises(ReadError, match=rf"a.npz: expected joint_names and parents of a tree, found: .*{found}"):
        read_bytes(tmp_path, npz(positions=POSITIONS, fps=1, joint_names=NAMES, parents=parents))


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 1e10, 1e300])
def test_positions_that_are_no_place(tmp_path, bad):
    far = POSITIONS.astype(np.float64)
    far[2, 1, 0] = bad
    with pytest.raises(ReadError) as caught:
        read_bytes(tmp_path, npz(positions=far, fps=1))
    message = f"expected positions up to 1e+09 or nan, found {bad:g} in frame 2, joint 1"
    assert str(caught.value) == f"{tmp_path}/a.npz: {message}"


def test_what_is_no_array(tmp_path):
    expect("a.npz: expected an undamaged .npz, found: File is not a zip file", b"PK\x03\x04 what")
    expect(
        "a.npz: positions: expected a NumPy array (.npy, version 1 to 3), found something else", zipped(positions=b"x")
    )
    other = "expected a header of type, order and shape of numbers or text, found another"
    expect(f"a.npz: positions: {other}", zipped(positions=declared((1, 1, 3), descr="<f4', 'x': '")))
    expect(f"a.npz: {other}", b"\x93NUMPY\x01\x00\xff\xff" + b"{" * 70_000)
    expect(f"a.npz: {other}", b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b"(" * 70_000)
    expect("a.npz: expected a shape, found (1 2)", declared("(1 2)"))
    with pytest.warns(UserWarning, match="Duplicate name"):
        output = io.BytesIO(WHOLE)
        with zipfile.ZipFile(output, "a") as archive:
            archive.writestr("fps.npy", npy(3))
    expect("a.npz: expected each key once, found 'fps' again", output.getvalue())
    lzma = zipped(zipfile.ZIP_LZMA, positions=npy(POSITIONS))
    expect("a.npz: positions: expected an array as NumPy writes it, found one encrypted or compressed otherwise", lzma)
    many = zipped(**{f"a{n}": b"" for n in range(1001)})
    expect("a.npz: expected at most 1000 arrays, found more", many)


def test_texts_that_are_none():
    content = np.array([0x110000, 65, 66], dtype="<u4").tobytes()
    data = zipped(positions=npy(POSITIONS), joint_names=declared("(3,)", content, "<U1"))
    expect("a.npz: joint_names: expected texts, found numbers that are no characters", data)


def test_shapes_that_are_not_there():
    expect("a.npz: expected 36 bytes for <f4 (1, 3, 3), found 0", declared("(1, 3, 3)"))
    expect("a.npz: expected 36 bytes for <f4 (1, 3, 3), found 37", declared("(1, 3, 3)", b"1" * 37))
    data = zipped(positions=declared("(1, 3, 3)", b"1" * 35))
    expect("a.npz: positions: expected 36 bytes for <f4 (1, 3, 3), found 35", data)


def test_nothing_is_allocated_for_what_a_header_says():
    """Terabytes declared, in an .npy, in an .npz, and in an .npz whose directory lies too."""
    huge = declared("(99999999999, 1000, 3)", b"1" * 100)
    lying = bytearray(zipped(zipfile.ZIP_STORED, positions=declared("(100000000, 10, 3)", b"1" * 100)))
    entry = lying.index(b"PK\x01\x02")
    size = (100_000_000 * 10 * 3 * 4 + 128) & 0xFFFFFFFF
    for place in (entry + 20, entry + 24):
        lying[place : place + 4] = size.to_bytes(4, "little")
    for data in (huge, zipped(positions=huge), bytes(lying)):
        tracemalloc.start()
        with pytest.raises(ReadError):
            parse(data, "a.npz")
        recognises(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1e6


def test_a_bomb_is_refused_before_it_grows():
    zeros = declared("(10000000, 2, 3)", bytes(240_000_000))
    data = zipped(positions=zeros)
    del zeros
    assert len(data) < 1e6
    tracemalloc.start()
    with pytest.raises(ReadError, match=r"^a.npz: positions: expected at most \d+ bytes .* refused as a decompression"):
        parse(data, "a.npz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6


def test_a_large_file_needs_twice_its_size_at_most():
    positions = np.random.default_rng(0).normal(size=(50_000, 20, 3)).astype(np.float32)
    data = npz(positions=positions, fps=1)
    tracemalloc.start()
    parse(data, "a.npz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * positions.nbytes + 10e6


# ---- any corruption ------------------------------------------------------------------------------------------------


CORRUPTED = [
    WHOLE,
    npz(True, positions=POSITIONS, fps=50.0, joint_names=NAMES, parents=PARENTS, unit="cm", person=1, label="walk"),
    npy(POSITIONS),
]


@pytest.mark.parametrize("data", CORRUPTED)
def test_cut_after_each_byte(data):
    for end in range(len(data)):
        with pytest.raises(ReadError):
            parse(data[:end], "a.npz")
        recognises(data[:end])


@pytest.mark.parametrize("whole", CORRUPTED)
@settings(max_examples=300, deadline=None)
@given(draw=st.data())
def test_any_corruption_is_a_read_error_or_a_recording(tmp_path_factory, whole, draw):
    data = whole
    for _ in range(draw.draw(st.integers(1, 3))):
        start = draw.draw(st.integers(0, len(data)))
        end = draw.draw(st.integers(start, min(len(data), start + 40)))
        words = st.sampled_from([b"\xff" * 4, b"\0" * 4, b"PK\x01\x02", b"PK\x03\x04", b"\x93NUMPY", b"|O", b"999999"])
        piece = draw.draw(words | st.binary(max_size=6) | st.just(data[start:end] * 2))
        data = data[:start] + piece + data[end:]
    recognises(data)
    try:
        found = parse(data, "a.npz")
    except ReadError as error:
        assert str(error).startswith("a.npz: ") and "\n" not in str(error)
    else:
        assert found.positions.ndim == 3 and found.positions.shape[2] == 3


@settings(max_examples=200, deadline=None)
@given(draw=st.data())
def test_any_corruption_of_a_member(draw, tmp_path_factory):
    """Inside the archive, where no checksum tells."""
    members = {"positions": npy(POSITIONS), "fps": npy(50.0), "joint_names": npy(NAMES), "parents": npy(PARENTS)}
    key = draw.draw(st.sampled_from(sorted(members)))
    content = members[key]
    start = draw.draw(st.integers(0, len(content)))
    end = draw.draw(st.integers(start, min(len(content), start + 10)))
    members[key] = content[:start] + draw.draw(st.binary(max_size=10)) + content[end:]
    path = tmp_path_factory.getbasetemp() / "member.npz"
    path.write_bytes(zipped(**members))
    try:
        [sequence] = read(path)
    except ReadError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    else:
        assert not np.isinf(sequence.positions).any() and sequence.fps > 0
