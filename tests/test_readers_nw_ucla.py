"""NW-UCLA's JSON: what is read, what is missing, every error."""

from __future__ import annotations

import json

import numpy as np
import pytest

from motionprint.errors import ReadError, SettingsError
from motionprint.readers import read
from motionprint.readers.nw_ucla import parse, recognises
from motionprint.skeleton import SKELETONS

HEAD = ", joint head: expected 3 finite numbers (metres), found "


def frames(count=3):
    return np.random.default_rng(0).normal(size=(count, 20, 3)).round(4).tolist()


def text(skeletons, **other):
    return json.dumps({"file_name": "a01_s01_e01_v01", "skeletons": skeletons, "label": 1, **other}).encode()


def expect(message, data):
    with pytest.raises(ReadError) as caught:
        parse(data, "a.json")
    assert str(caught.value) == message


def test_positions_are_read_as_they_are(tmp_path):
    (tmp_path / "a01_s01_e01_v01.json").write_bytes(text(frames()))
    [sequence] = read(tmp_path / "a01_s01_e01_v01.json")
    np.testing.assert_array_equal(sequence.positions, np.array(frames(), dtype=np.float32))
    assert sequence.skeleton is SKELETONS["kinect20"]
    assert (sequence.fps, sequence.name, sequence.person) == (15.0, "a01_s01_e01_v01", 0)
    assert read(tmp_path / "a01_s01_e01_v01.json", fps=30)[0].fps == 30


def test_one_frame_is_a_recording():
    assert parse(text(frames(1)), "a.json").shape == (1, 20, 3)


def test_joints_at_the_origin_are_missing_and_only_they():
    skeletons = frames()
    skeletons[1][4] = [0, 0.0, -0.0]
    skeletons[2][4] = [0, 0, 1e-3]
    positions = parse(text(skeletons), "a.json")
    assert np.argwhere(np.isnan(positions)).tolist() == [[1, 4, 0], [1, 4, 1], [1, 4, 2]]


@pytest.mark.parametrize("missing", [float("nan"), None])
def test_missing_values_become_nan_and_only_they(missing):
    skeletons = frames()
    skeletons[1][4] = [missing] * 3
    positions = parse(text(skeletons), "a.json")
    assert np.isnan(positions[1, 4]).all()
    assert np.isnan(positions).sum() == 3


def _changed(change):
    skeletons = frames()
    change(skeletons)
    return text(skeletons)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s[1].pop(), "a.json: frame 2: expected 20 joints, found 19"),
        (lambda s: s.__setitem__(1, 7), "a.json: frame 2: expected 20 joints, found 7"),
        (lambda s: s.__setitem__(1, None), "a.json: frame 2: expected 20 joints, found None"),
        (lambda s: s[2][3].append(1), "a.json: frame 3" + HEAD + "[-1.0298, -1.043, 0.2684, 1]"),
        (lambda s: s[2].__setitem__(3, None), "a.json: frame 3" + HEAD + "None"),
        (lambda s: s[2].__setitem__(3, [1, 2, "3"]), "a.json: frame 3" + HEAD + "[1, 2, '3']"),
        (lambda s: s[2].__setitem__(3, [1, 2, True]), "a.json: frame 3" + HEAD + "[1, 2, True]"),
        (lambda s: s[2].__setitem__(3, [1, 2, [3]]), "a.json: frame 3" + HEAD + "[1, 2, [3]]"),
        (lambda s: s[1].__setitem__(3, [1, 2, float("inf")]), "a.json: frame 2" + HEAD + "[1, 2, inf"),
        (lambda s: s[1].__setitem__(3, [1, float("nan"), -1e300]), "a.json: frame 2" + HEAD + "[1, nan, -1e+300"),
        (lambda s: s[1].__setitem__(3, [1, 2, 10**400]), "a.json: frame 2" + HEAD + "[1, 2, 1000"),
        (lambda s: s.clear(), 'a.json: expected a list of at least one frame under "skeletons", found none'),
    ],
)  # fmt: skip
def test_each_fault_is_told(change, message):
    with pytest.raises(ReadError) as caught:
        parse(_changed(change), "a.json")
    assert str(caught.value).startswith(message)


def test_what_is_no_json():
    expect("a.json:1: expected JSON, found: Expecting ',' delimiter", text(frames())[:500])
    expect("a.json:3: expected JSON, found: Expecting value", b'{\n"skeletons":\n}')
    expect('a.json: expected a list of at least one frame under "skeletons", found none', b"[1]")
    with pytest.raises(ReadError, match=r"^a.json: expected JSON, found: "):
        parse(b'{"skeletons": ' + b"[" * 200_000, "a.json")
    with pytest.raises(ReadError, match=r"^a.json: expected JSON, found: "):
        parse(b'{"skeletons": "\xff"}', "a.json")


def test_recognised_by_content_not_by_extension(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + text(frames()))
    assert len(read(tmp_path / "a.txt")[0]) == 3
    assert not recognises(b'{"name": "package"}')


@pytest.mark.parametrize("option", [{"skeleton": "x.asf"}, {"unit": "cm"}])
def test_settings_of_other_formats_are_refused(tmp_path, option):
    (tmp_path / "a.json").write_bytes(text(frames()))
    with pytest.raises(SettingsError, match=r"a.json: (skeleton|unit)= is not for NW-UCLA JSON"):
        read(tmp_path / "a.json", **option)
