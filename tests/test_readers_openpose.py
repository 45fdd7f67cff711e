"""OpenPose's JSON: one recording of many files, who is who, what is missing, every error."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionprint.errors import ReadError, SettingsError
from motionprint.prepare import prepare
from motionprint.readers import Source, motion_names, read, read_from
from motionprint.readers.openpose import FORGET, follow, parse, recognises, recording_name, series_of
from motionprint.skeleton import SKELETONS
from motionprint.store import open_dataset

BODY = np.random.default_rng(1).uniform(0, 100, size=(25, 2)).round(2)


def person(points, confidence=0.8, number=-1, **other):
    """One person: (J, 2) or (J, 3) points with one confidence."""
    points = np.asarray(points)
    flat = np.column_stack([points, np.full(len(points), confidence)]).ravel().tolist()
    key = "pose_keypoints_2d" if points.shape[1] == 2 else "pose_keypoints_3d"
    return {"person_id": [number], "pose_keypoints_2d": [], key: flat, "face_keypoints_2d": [], **other}


def frame(*people):
    return json.dumps({"version": 1.3, "people": list(people)}).encode()


def _moved(pixels):
    return BODY + np.array([pixels, 0])


def write(folder, frames, name="walk", digits=12):
    folder.mkdir(exist_ok=True, parents=True)
    for number, people in frames.items():
        (folder / f"{name}_{number:0{digits}d}_keypoints.json").write_bytes(frame(*people))
    return folder


def up(points):
    """Pixels as metres, y up."""
    return np.column_stack([points, np.zeros(len(points))]) * [0.001, -0.001, 1]


def test_the_files_of_a_folder_are_one_recording(tmp_path):
    folder = write(tmp_path / "a", {number: [person(BODY + number)] for number in range(12)})
    [found] = read(folder)
    assert found.positions.shape == (12, 25, 3)
    for number in range(12):
        np.testing.assert_allclose(found.positions[number], up(BODY + number), atol=1e-6)
    assert found.skeleton is SKELETONS["openpose25"]
    assert (found.fps, found.name, found.source) == (30.0, "walk", "walk_000000000000_keypoints.json")
    assert read(folder, fps=25, unit="cm")[0].fps == 25
    np.testing.assert_allclose(read(folder, unit="cm")[0].positions, 10 * found.positions, rtol=1e-6)


def test_any_of_the_files_stands_for_all_and_so_in_an_archive(tmp_path):
    folder = write(tmp_path / "a" / "b", {number: [person(BODY + number)] for number in range(4)})
    write(folder, {number: [person(BODY)] for number in range(3)}, name="walk_2")
    write(folder, {number: [person(BODY)] for number in range(5)}, name="wal")
    (folder / "package.json").write_text('{"people": 3}')
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as output:
        for each in folder.iterdir():
            output.write(each, f"b/{each.name}")
    expected = {"b/wal": 5, "b/walk_2": 3, "b/walk": 4}
    for source in (tmp_path / "a", tmp_path / "a.zip"):
        assert {sequence.name: len(sequence) for sequence in read(source)} == expected
    for number in (0, 2):
        [found] = read(folder / f"walk_{number:012d}_keypoints.json")
        assert (len(found), found.name) == (4, "walk")
    with Source.open(tmp_path / "a.zip") as source:
        assert len(list(motion_names(source))) == 3
        assert len(read_from(source, "b/walk_000000000002_keypoints.json")[0]) == 4


@pytest.mark.parametrize(
    ("name", "series", "called"),
    [
        ("a/walk_000000000012_keypoints.json", ("a/walk_", 12), "a/walk"),
        ("a/000000000012_keypoints.json", ("a/", 12), "a"),
        ("frame7_keypoints.json", ("frame", 7), "frame"),
        ("cam1_0007_KEYPOINTS.JSON", ("cam1_", 7), "cam1"),
        ("12_keypoints.json", ("", 12), None),
        ("walk_keypoints.json", None, None),
        ("walk_000000000012.json", None, None),
        (f"{'9' * 5000}_keypoints.json", (f"{'9' * 4982}", 10**18 - 1), "9" * 4982),
    ],
)
def test_what_names_tell(name, series, called):
    assert series_of(name) == series
    assert recording_name(name) == called


def test_a_file_of_its_own_is_one_frame(tmp_path):
    (tmp_path / "image.json").write_bytes(frame(person(BODY)))
    [found] = read(tmp_path / "image.json")
    assert (len(found), found.name) == (1, "image")


def test_numbers_without_padding_and_ones_that_begin_late(tmp_path):
    folder = write(tmp_path / "a", {number: [person(BODY + number)] for number in range(8, 13)}, digits=1)
    [found] = read(folder)
    np.testing.assert_allclose(found.positions[:, 0, 0], (BODY[0, 0] + np.arange(8, 13)) / 1000, atol=1e-6)


def test_numbers_that_are_left_out_are_missing_frames(tmp_path):
    folder = write(tmp_path / "a", {number: [person(BODY)] for number in (3, 4, 7)})
    [found] = read(folder)
    assert np.isnan(found.positions).all(axis=(1, 2)).tolist() == [False, False, True, True, False]


def test_numbers_in_steps_are_frames_one_after_another(tmp_path):
    folder = write(tmp_path / "a", {number: [person(BODY)] for number in (5, 10, 20, 25)})
    [found] = read(folder)
    assert np.isnan(found.positions).all(axis=(1, 2)).tolist() == [False, False, True, False, False]


def test_few_files_with_far_numbers_take_no_memory(tmp_path):
    folder = write(tmp_path / "a", {number: [person(BODY)] for number in (0, 1, 10**11)})
    with pytest.raises(ReadError, match=r"expected files for at least half of the numbers 0 to 100000000000, found 3$"):
        read(folder)


def test_two_files_of_one_frame(tmp_path):
    folder = write(tmp_path / "a", {3: [person(BODY)]}, digits=3)
    write(folder, {3: [person(BODY)]}, digits=5)
    with pytest.raises(
        ReadError, match=r"expected one file a frame, found walk_003_k\S+ and walk_00003_k\S+ for frame 3"
    ):
        read(folder)


def test_joints_that_were_not_found_are_missing(tmp_path):
    one = person(BODY)
    one["pose_keypoints_2d"][3 * 4 : 3 * 5] = [0, 0, 0]
    folder = write(tmp_path / "a", {0: [one], 1: [person(BODY)]})
    positions = read(folder)[0].positions
    assert np.isnan(positions[0, 4]).all() and np.isnan(positions).sum() == 3


def test_frames_without_anybody(tmp_path):
    nobody = person(BODY, confidence=0)
    folder = write(tmp_path / "a", {0: [], 1: [nobody], 2: [person(BODY)], 3: [], 4: [person(BODY)], 5: []})
    [found] = read(folder)
    assert np.isnan(found.positions).all(axis=(1, 2)).tolist() == [False, True, False]
    assert read(write(tmp_path / "b", {0: [], 1: []})) == []


def test_eighteen_joints(tmp_path):
    folder = write(tmp_path / "a", {0: [person(BODY[:18])], 1: [person(BODY[:18])]})
    assert read(folder)[0].skeleton is SKELETONS["openpose18"]
    write(folder, {2: [person(BODY)]})
    with pytest.raises(ReadError, match="expected 25 joints or 18 in all frames, found both"):
        read(folder)


def test_the_key_of_old_versions(tmp_path):
    old = {"pose_keypoints": person(BODY)["pose_keypoints_2d"]}
    assert recognises(frame(old))
    np.testing.assert_array_equal(parse(frame(old), "a.json")[0].flat[:, :2], BODY)


def test_in_space_where_a_recording_has_it(tmp_path):
    space = np.column_stack([BODY, np.arange(25)])
    both = person(space, pose_keypoints_2d=person(BODY)["pose_keypoints_2d"])
    folder = write(tmp_path / "a", {0: [both], 1: [person(BODY)], 2: [both]})
    [found] = read(folder, unit="m")
    np.testing.assert_allclose(found.positions[[0, 2]], [space * [1, -1, -1]] * 2, rtol=1e-6)
    assert np.isnan(found.positions[1]).all()


def test_an_image_has_no_depth_not_even_minus_zero(tmp_path):
    depth = read(write(tmp_path / "a", {0: [person(BODY)]}))[0].positions[..., 2]
    assert (depth == 0).all() and not np.signbit(depth).any()


def test_prepared_as_one_recording_a_person(tmp_path):
    folder = write(tmp_path / "a" / "wave", _paths([((0, 0), (5, 0)), ((300, 0), (-5, 1))]), name="duo")
    write(folder, {number: [person(BODY + number)] for number in range(5)}, name="solo")
    write(tmp_path / "a" / "jump", {number: [person(BODY + number)] for number in range(5)}, name="solo")
    (tmp_path / "a" / "notes.txt").write_text("notes")
    summary = prepare("folder", tmp_path / "a", tmp_path / "out")
    dataset = open_dataset(tmp_path / "out")
    assert list(dataset.names) == ["jump/solo", "wave/duo_p0", "wave/duo_p1", "wave/solo"]
    assert list(dataset.labels) == ["jump", "wave", "wave", "wave"]
    assert [len(sequence) for sequence in dataset] == [5, 20, 20, 5]
    assert summary.recordings == 3 and not summary.left_out
    recorded = json.loads((tmp_path / "out" / "prepare.json").read_text())
    assert recorded["other_files"]["names"] == ["notes.txt"]


# ---- who is who


def _paths(people, frames=20, shuffle=True, seed=0):
    random = np.random.default_rng(seed)
    files = {}
    for number in range(frames):
        each = [person(BODY + start + number * np.array(speed)) for start, speed in people]
        if shuffle:
            random.shuffle(each)
        files[number] = each
    return files


def test_people_keep_their_recordings_in_whatever_order_they_are_listed(tmp_path):
    people = [((0, 0), (5, 0)), ((300, 0), (-5, 1)), ((0, 400), (0, 3))]
    found = read(write(tmp_path / "a", _paths(people)))
    assert [sequence.person for sequence in found] == [0, 1, 2]
    starts = {tuple(sequence.positions[0, 0, :2].tolist()): sequence for sequence in found}
    for start, speed in people:
        first = up(BODY + start)[0, :2].astype(np.float32)
        sequence = starts[tuple(first.tolist())]
        steps = np.diff(sequence.positions, axis=0)
        np.testing.assert_allclose(
            steps, np.broadcast_to([speed[0] / 1000, -speed[1] / 1000, 0], steps.shape), atol=1e-5
        )


def test_all_together_move_least_not_each_alone():
    # Each alone, the first would take the place that only the second can reach.
    frames = [0, 1]
    one, two = BODY, _moved(40)
    tracks = follow(frames, [[(None, one), (None, two)], [(None, _moved(30)), (None, _moved(75))]])
    assert [len(track.points) for track in tracks] == [2, 2]
    np.testing.assert_array_equal(tracks[0].points[1], _moved(30))


def test_a_person_id_says_who_it_is(tmp_path):
    far = BODY + 5000
    files = {0: [person(BODY, number=7), person(far, number=3)], 1: [person(far, number=7), person(BODY, number=3)]}
    found = read(write(tmp_path / "a", files))
    np.testing.assert_allclose(found[0].positions, [up(BODY), up(far)], atol=1e-5)
    np.testing.assert_allclose(found[1].positions, [up(far), up(BODY)], atol=1e-5)


def test_who_jumps_or_was_away_for_long_is_someone_new():
    far = BODY + 5000
    assert len(follow([0, 1], [[(None, BODY)], [(None, far)]])) == 2
    for number in (None, 4):
        assert len(follow([0, FORGET + 1], [[(number, BODY)], [(number, BODY)]])) == 1
        assert len(follow([0, FORGET + 2], [[(number, BODY)], [(number, BODY)]])) == 2
    low, high = BODY.copy(), BODY.copy()
    low[12:], high[:12] = np.nan, np.nan
    assert len(follow([0, 1], [[(None, low)], [(None, high)]])) == 2  # no joint in common


def test_everybody_is_counted_once():
    random = np.random.default_rng(0)
    people = [[(None, BODY + random.normal(0, 300, 2)) for _ in range(random.integers(0, 6))] for _ in range(50)]
    tracks = follow(range(50), people)
    assert sum(len(track.points) for track in tracks) == sum(map(len, people))
    for track in tracks:
        assert track.frames == sorted(set(track.frames))


# ---- errors

KEY = "pose_keypoints_2d"
FLAT = f"a.json: person 0, {KEY}: "


def test_recognised_by_content():
    assert recognises(b'{"version":1.3,"people":[]}') and recognises(b'\xef\xbb\xbf{ "people" : [ ] }')
    assert recognises(frame(person(BODY)))
    for other in (b'{"people": [{"name": "Anna"}]}', b'{"people": 3}', b'{"version": 1}', b"[]", b'{"skeletons": []}'):
        assert not recognises(other)


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ([3], "a.json: person 0: expected an object with keypoints, found 3"),
        ([{"pose_keypoints_2d": 3}], FLAT + "expected 75 or 54 numbers, found 3"),
        ([{KEY: [1] * 74}], FLAT + "expected 75 or 54 numbers, found 74"),
        ([{"pose_keypoints_3d": [1] * 75}], "a.json: person 0, pose_keypoints_3d: expected "
         "100 or 72 numbers, found 75"),
        ([{KEY: [1] * 74 + ["1"]}], FLAT + "expected a finite number, found '1'"),
        ([{KEY: [1] * 74 + [True]}], FLAT + "expected a finite number, found True"),
        ([{KEY: [1] * 74 + [None]}], FLAT + "expected a finite number, found None"),
        ([{KEY: [1] * 74 + [float("nan")]}], FLAT + "expected a finite number, found nan"),
        ([{KEY: [1] * 74 + [10**400]}], FLAT + "expected a finite number, found 1000"),
        ([{KEY: [1] * 74 + [-0.5]}], FLAT + "expected confidences of 0 or more, found -0.5"),
        ([{"person_id": "x"}], "a.json: person 0: expected a whole number as person_id, found 'x'"),
        ([{"person_id": [True]}], "a.json: person 0: expected a whole number as person_id, found True"),
        ([{"person_id": [4]}, {"person_id": [4]}], "a.json: expected each person_id once in a frame, found one twice"),
        ([{}] * 101, "a.json: expected at most 100 people in a frame, found 101"),
    ],
)  # fmt: skip
def test_each_fault_is_told(people, message):
    with pytest.raises(ReadError) as caught:
        parse(frame(*people), "a.json")
    assert str(caught.value).startswith(message)


def test_what_is_no_json():
    for data, message in (
        (frame(person(BODY))[:200], "a.json:1: expected JSON, found: "),
        (b'{"people": ' + b"[" * 200_000, "a.json: expected JSON, found: "),
        (b'{"people": "\xff"}', "a.json: expected JSON, found: "),
        (b'{"people": 5}', 'a.json: expected a list of people under "people", found none'),
        (b"[1]", 'a.json: expected a list of people under "people", found none'),
    ):
        with pytest.raises(ReadError) as caught:
            parse(data, "a.json")
        assert str(caught.value).startswith(message)


def test_a_damaged_frame_is_named(tmp_path):
    folder = write(tmp_path / "a", {number: [person(BODY)] for number in range(3)})
    for number in range(3):
        file = folder / f"walk_{number:012d}_keypoints.json"
        whole = file.read_bytes()
        file.write_bytes(whole[:300])
        with pytest.raises(ReadError, match=rf"^{file}:1: expected JSON"):
            read(folder)
        file.write_bytes(whole)


@pytest.mark.parametrize("option", [{"skeleton": "x"}, {"up": "z"}, {"columns": "x=y"}])
def test_settings_of_other_formats_are_refused(tmp_path, option):
    folder = write(tmp_path / "a", {0: [person(BODY)]})
    with pytest.raises(SettingsError, match=r"(skeleton|up|columns)= is not for OpenPose JSON: it has 25 or 18 joints"):
        read(folder, **option)


PLAIN = frame(person(BODY), person(BODY[:18], number=2), person(np.column_stack([BODY, BODY[:, 0]])))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_corruption_is_an_error_or_valid_people(data):
    damaged = bytearray(PLAIN)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        end = min(len(damaged), at + data.draw(st.integers(0, 40)))
        kind = data.draw(st.sampled_from(["flip", "cut", "repeat", "word"]))
        if kind == "flip":
            damaged[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del damaged[at:end]
        elif kind == "repeat":
            damaged[at:at] = damaged[at:end]
        else:
            words = [b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"null", b"[[", b"}", b'"', b"true", b"-1", b"\0"]
            damaged[at:end] = data.draw(st.sampled_from(words))
        if not damaged:
            return
    recognises(bytes(damaged))
    try:
        people = parse(bytes(damaged), "a.json")
        counts = {len(each.flat) for each in people if each.flat is not None}
        if len(counts) == 1:
            follow([0, 1], [[(each.number, each.flat) for each in people if each.flat is not None]] * 2)
    except ReadError as error:
        assert "\n" not in str(error)
        return
    for each in people:
        for points in (each.flat, each.solid):
            assert points is None or (points.shape in ((25, 3), (18, 3)) and not np.isinf(points).any())
