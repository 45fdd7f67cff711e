"""MediaPipe landmarks as people write them down: JSON and CSV of several shapes, every error."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import read
from motionprint.readers.mediapipe import IMAGE, WORLD, parse, recognises
from motionprint.skeleton import SKELETONS

NAMES = SKELETONS["mediapipe33"].joint_names
VALUES = np.random.default_rng(0).normal(size=(4, 33, 3)).round(5)


def marks(points, **other):
    return [dict(zip("xyz", point, strict=True)) | {"visibility": 0.9, **other} for point in points.tolist()]


FRAMES = [marks(points) for points in VALUES]
LAST = "a.json: frame 1, right_foot_index: "


def _parsed(data):
    assert recognises(data)
    return parse(data, "a.json")


@pytest.mark.parametrize(
    "table",
    [
        FRAMES,
        {"frames": FRAMES, "fps": None},
        *([{key: frame} for frame in FRAMES] for key in (*WORLD, *IMAGE)),
        *([{key: [frame], "timestamp": 5} for frame in FRAMES] for key in (*WORLD, *IMAGE)),
        [{"pose_landmarks": {"landmark": frame}} for frame in FRAMES],
        [{"poseLandmarks": [[]], "poseWorldLandmarks": [frame]} for frame in FRAMES],
        [{"pose_landmarks": marks(points + 5), "pose_world_landmarks": marks(points)} for points in VALUES],
        {"frames": [{"landmarks": frame, "frame": 3} for frame in FRAMES]},
    ],
)
def test_every_shape_of_json_gives_the_same(table):
    landmarks, rate = _parsed(json.dumps(table).encode())
    np.testing.assert_array_equal(landmarks, VALUES.astype(np.float32))
    assert rate is None
    spaced = b"\xef\xbb\xbf \n" + json.dumps(table, indent=1).encode()
    np.testing.assert_array_equal(_parsed(spaced)[0], landmarks)


def test_y_is_turned_up_and_z_towards_the_camera(tmp_path):
    (tmp_path / "take.json").write_text(json.dumps({"fps": 25, "frames": FRAMES}))
    [found] = read(tmp_path / "take.json")
    np.testing.assert_array_equal(found.positions, (VALUES * [1, -1, -1]).astype(np.float32))
    assert (found.fps, found.name, found.person) == (25.0, "take", 0)
    assert found.skeleton is SKELETONS["mediapipe33"]
    assert read(tmp_path / "take.json", fps=50)[0].fps == 50
    (tmp_path / "take.json").write_text(json.dumps(FRAMES))
    assert read(tmp_path / "take.json")[0].fps == 30
    for option in ({"skeleton": "x"}, {"unit": "cm"}, {"up": "z"}, {"columns": "x=y"}):
        with pytest.raises(SettingsError, match=r"\w+= is not for MediaPipe Pose: it has 33 landmarks, in metres"):
            read(tmp_path / "take.json", **option)


@pytest.mark.parametrize("nobody", [None, [], {}, [[]], {"pose_landmarks": None}, {"pose_landmarks": []}])
def test_frames_in_which_nobody_was_found(nobody):
    rest = [{"pose_landmarks": frame} for frame in FRAMES[1:]]
    landmarks, _ = _parsed(json.dumps([nobody, *rest]).encode())
    assert np.isnan(landmarks[0]).all()
    np.testing.assert_array_equal(landmarks[1:], VALUES[1:].astype(np.float32))
    alone, _ = parse(json.dumps([nobody, nobody]).encode(), "a.json")
    assert alone.shape == (2, 33, 3) and np.isnan(alone).all()


def test_a_single_frame_and_null_among_numbers():
    landmarks, _ = _parsed(json.dumps({"pose_landmarks": marks(VALUES[0], x=None)}).encode())
    assert landmarks.shape == (1, 33, 3) and np.isnan(landmarks[..., 0]).all() and np.isnan(landmarks).sum() == 33


def test_recognised_by_content():
    hand, face = [marks(VALUES[0][:21])], [{"landmarks": marks(np.tile(VALUES[0], (15, 1))[:468])}]
    for other in (hand, face, [{"landmarks": marks(VALUES[0][:21])}], {"x": 3}, [], [None], [[1, 2]], [[{"x": 1}]]):
        assert not recognises(json.dumps(other).encode())
    assert not recognises(b"file,label,subject\na,b,c\n")
    assert not recognises(b"frame,x,y,z\n")
    assert not recognises(",".join(f"x{n},y{n},z{n}" for n in range(1, 469)).encode())
    assert not recognises(",".join(f"x{n},y{n},z{n}" for n in range(1, 22)).encode())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([FRAMES[0][:32]], "a.json: frame 1: expected 33 landmarks, found 32"),
        ([FRAMES[0], 5], "a.json: frame 2: expected a list of landmarks, found 5"),
        ([{"landmarks": FRAMES[:2]}], "a.json: frame 1: expected the landmarks of one person, found those of 2"),
        ([{"pose_landmarks": FRAMES[0]}, {"time": 3}], "a.json: frame 2: expected landmarks, found only 'time'"),
        ([marks(VALUES[0], y="1")], "a.json: frame 1, nose: expected a finite number as y, found '1'"),
        ([marks(VALUES[0], z=True)], "a.json: frame 1, nose: expected a finite number as z, found True"),
        ([marks(VALUES[0], z=float("inf"))], "a.json: frame 1, nose: expected a finite number as z, found inf"),
        ([marks(VALUES[0], z=10**400)], "a.json: frame 1, nose: expected a finite number as z, found 1000"),
        ([[*FRAMES[0][:32], {"x": 1, "y": 2}]], LAST + "expected a finite number as z, found 'nothing'"),
        ([[*FRAMES[0][:32], None]], LAST + "expected a finite number as x, found None"),
        ({"frames": []}, "a.json: expected a list of at least one frame, found none"),
        ({"frames": {}}, "a.json: expected a list of at least one frame, found none"),
        ({"frames": FRAMES, "fps": 0}, "a.json: expected fps to be a positive number of frames/s, found 0"),
        ({"frames": FRAMES, "fps": "30"}, "a.json: expected fps to be a positive number of frames/s, found '30'"),
    ],
)  # fmt: skip
def test_each_fault_in_json_is_told(table, message):
    with pytest.raises(ReadError) as caught:
        parse(json.dumps(table).encode(), "a.json")
    assert str(caught.value).startswith(message)


def test_what_is_no_json():
    for data in (json.dumps(FRAMES).encode()[:500], b'{"pose_landmarks": ' + b"[" * 200_000, b'{"a": "\xff"}'):
        with pytest.raises(ReadError, match=r"^a.json(:1)?: expected JSON, found: "):
            parse(data, "a.json")


# ---- CSV


def rows(*, columns, frame=None, extra=True):
    head = ["class"] * extra + ["frame"] * (frame is not None) + columns
    lines = [head]
    for number, points in enumerate(VALUES):
        cells = [str(value) for point in points.tolist() for value in (*point, 0.9)]
        lines.append(["wave"] * extra + ([str(frame[number])] if frame is not None else []) + cells)
    return lines


def table(lines, separator=","):
    return "\n".join(separator.join(line) for line in lines).encode() + b"\n"


NUMBERED = [f"{axis}{number}" for number in range(1, 34) for axis in "xyzv"]
NAMED = [f"{name.upper()}_{axis}" for name in NAMES for axis in ("x", "y", "z", "visibility")]
LONG = [["frame", "landmark", "x", "y", "z", "visibility"]] + [
    [str(number), str(joint), *map(str, point), "0.9"]
    for number, points in enumerate(VALUES.tolist())
    for joint, point in enumerate(points)
]


@pytest.mark.parametrize(
    "data",
    [
        table(rows(columns=NUMBERED)),
        table(rows(columns=NUMBERED, extra=False)),
        table(rows(columns=NUMBERED), ";"),
        table(rows(columns=NUMBERED), "\t").replace(b"\n", b"\r\n"),
        table(rows(columns=[f'"{name}"' for name in NUMBERED])),
        table(rows(columns=[f"{axis}{number}" for number in range(33) for axis in "xyzv"])),
        table(rows(columns=NAMED)),
        table(rows(columns=[name.lower() for name in NAMED], frame=range(7, 11))),
        table(LONG),
        table([LONG[0], *([line[0], NAMES[int(line[1])].upper(), *line[2:]] for line in LONG[1:])]),
        table([LONG[0], *sorted(LONG[1:], key=lambda line: (int(line[0]), -int(line[1])))]),
        b"\xef\xbb\xbf" + table(LONG).replace(b"\n", b"\n\n"),
    ],
)
def test_every_shape_of_csv_gives_the_same(data):
    landmarks, rate = _parsed(data)
    np.testing.assert_array_equal(landmarks, VALUES.astype(np.float32))
    assert rate is None


def test_missing_cells_rows_and_frames(tmp_path):
    lines = rows(columns=NUMBERED, frame=(2, 3, 6, 7))
    lines[1][2:6] = ["", "NaN", "null", ""]
    (tmp_path / "a.csv").write_bytes(table(lines))
    [found] = read(tmp_path / "a.csv")
    assert np.isnan(found.positions).all(axis=(1, 2)).tolist() == [False, False, True, True, False, False]
    assert np.isnan(found.positions[0, 0]).all() and np.isnan(found.positions[[0, 1, 4, 5]]).sum() == 3
    landmarks, _ = parse(table([line for line in LONG if line[:2] != ["1", "5"]]), "a.csv")
    assert np.isnan(landmarks[1, 5]).all() and np.isnan(landmarks).sum() == 3


def _wide(change):
    lines = rows(columns=NUMBERED, frame=range(4))
    change(lines)
    return table(lines)


def _long(change):
    lines = [list(line) for line in LONG]
    change(lines)
    return table(lines)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_wide(lambda s: s[2].pop()), "a.csv:3: expected 134 cells, found 133"),
        (_wide(lambda s: s[2].__setitem__(5, "x")), None),
        (_wide(lambda s: s[2].__setitem__(4, "inf")), "a.csv:3: expected a number, found 'inf'"),
        (_wide(lambda s: s[2].__setitem__(4, "1e99")), "a.csv:3: expected a number, found '1e99'"),
        (_wide(lambda s: s[2].__setitem__(1, "0")), "a.csv:3: expected a frame after 0, found 0"),
        (_wide(lambda s: s[2].__setitem__(1, "x")), "a.csv:3: expected the number of a frame, found 'x'"),
        (_wide(lambda s: s.__delitem__(slice(1, None))), "a.csv: expected at least one row, found none"),
        (_wide(lambda s: s[4].__setitem__(1, "900000000")), "a.csv: expected frames for at least half of the numbers"),
        (_wide(lambda s: s[0].__setitem__(2, "q")), "a.csv:1: expected the columns x1, y1, z1 to z33, or nose_x,"),
        (_long(lambda s: s[2].__setitem__(1, "33")), "a.csv:3: expected a landmark, 0 to 32 or its name, found '33'"),
        (_long(lambda s: s[2].__setitem__(1, "tail")), "a.csv:3: expected a landmark, 0 to 32 or its name, found 't"),
        (_long(lambda s: s[2].__setitem__(1, "0")), "a.csv:3: expected each landmark once a frame, found '0' again"),
        (_long(lambda s: s[40].__setitem__(0, "0")), "a.csv:41: expected frame 1 or one after it, found 0"),
        (_long(lambda s: s[3].__setitem__(0, "5")), "a.csv:5: expected frame 5 or one after it, found 0"),
        (_long(lambda s: s.__delitem__(slice(1, None))), "a.csv: expected at least one row, found none"),
    ],
)  # fmt: skip
def test_each_fault_in_csv_is_told(data, message):
    if message is None:
        np.testing.assert_array_equal(parse(data, "a.csv")[0], VALUES.astype(np.float32))  # visibility is not read
        return
    with pytest.raises(ReadError) as caught:
        parse(data, "a.csv")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("data", [_wide(lambda s: None), _long(lambda s: None)])
def test_cut_after_each_line(data):
    lines = data.splitlines(keepends=True)
    for end in range(2, len(lines)):
        landmarks, _ = parse(b"".join(lines[:end]), "a.csv")
        assert landmarks.shape[0] in range(1, 5)


def test_many_rows_are_read_in_blocks():
    lines = rows(columns=NUMBERED)
    landmarks, _ = parse(table([lines[0], *(lines[1:] * 2000)]), "a.csv")
    np.testing.assert_array_equal(landmarks, np.tile(VALUES.astype(np.float32), (2000, 1, 1)))


PLAIN = {
    "json": json.dumps({"fps": 25, "frames": [None, {"pose_landmarks": FRAMES[0]}, {"pose_landmarks": [FRAMES[1]]}]}),
    "wide": table(rows(columns=NUMBERED, frame=range(4))).decode(),
    "long": table(LONG[:80]).decode(),
}


@pytest.mark.parametrize("kind", PLAIN)
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_corruption_is_an_error_or_valid_landmarks(kind, data):
    damaged = bytearray(PLAIN[kind].encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        end = min(len(damaged), at + data.draw(st.integers(0, 40)))
        change = data.draw(st.sampled_from(["flip", "cut", "repeat", "word"]))
        if change == "flip":
            damaged[at] = data.draw(st.integers(0, 255))
        elif change == "cut":
            del damaged[at:end]
        elif change == "repeat":
            damaged[at:at] = damaged[at:end]
        else:
            words = [b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"null", b"[[", b"}", b'"', b",", b"\n", b"\0", b"-1"]
            damaged[at:end] = data.draw(st.sampled_from(words))
        if not damaged:
            return
    recognises(bytes(damaged))
    try:
        landmarks, rate = parse(bytes(damaged), "a")
    except ReadError as error:
        assert "\n" not in str(error)
    else:
        assert landmarks.shape[1:] == (33, 3) and not np.isinf(landmarks).any()
        assert rate is None or 0 < rate <= 1e6
