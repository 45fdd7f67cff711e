"""What the readers of marker sets share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionprint.errors import ReadError, SettingsError
from motionprint.readers.markers import distinct, metres_of, pick
from motionprint.readers.settings import ReadSettings
from motionprint.skeleton import Skeleton

PLACES = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
NAMES = ["Anna:LASI", "Anna:RASI", "Bert:RASI", "C7"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "", "a", "a"], ["a", "marker_2", "a_2", "a_3"]),
        (["a", "a", "a_2"], ["a", "a_3", "a_2"]),
        (["marker_2", ""], ["marker_2", "marker_2_2"]),
        ([], []),
    ],
)
def test_distinct(names, expected):
    assert distinct(names) == expected


@given(st.lists(st.sampled_from(["", "a", "a_2", "a_3", "a_2_2", "marker_1", "marker_2", "marker_2_2"])))
def test_distinct_names_are_distinct_and_the_first_of_each_stays(names):
    found = distinct(names)
    assert len(set(found)) == len(names) and all(found)
    for place, name in enumerate(names):
        if name and name not in names[:place]:
            assert found[place] == name


def test_many_equal_names_take_no_time():
    assert len(set(distinct(["a"] * 60_000))) == 60_000


def test_without_a_skeleton_all_markers_are_a_star_that_says_nothing_of_a_body():
    positions, skeleton = pick(["LeftArm", "RightArm", "LeftLeg", "RightLeg"], PLACES, None, "a.c3d")
    assert positions is PLACES
    assert (skeleton.parents, skeleton.body_parts, skeleton.hips) == ((-1, 0, 0, 0), (), None)


def test_a_skeleton_chooses_and_orders(tmp_path):
    (tmp_path / "set.toml").write_text('joints = ["C7", "LASI"]\nparents = ["", "C7"]\n', encoding="utf-8")
    for chosen in (tmp_path / "set.toml", str(tmp_path / "set.toml"), Skeleton(("C7", "LASI"), (-1, 0))):
        positions, skeleton = pick(NAMES, PLACES, chosen, "a.c3d")
        np.testing.assert_array_equal(positions, PLACES[:, [3, 0]])
        assert skeleton.joint_names == ("C7", "LASI")


def test_a_whole_name_goes_before_one_after_a_subject():
    positions, _ = pick(["Anna:C7", "C7"], PLACES[:, :2], Skeleton(("C7",), (-1,)), "a.c3d")
    np.testing.assert_array_equal(positions, PLACES[:, [1]])


@pytest.mark.parametrize(
    ("names", "skeleton", "message"),
    [
        (
            NAMES,
            Skeleton(("RASI",), (-1,)),
            "expected one marker called RASI, found Anna:RASI, Bert:RASI: name them in full",
        ),
        (
            ["a\n", *"bcdefghi"],
            Skeleton(("x",), (-1,), name="p"),
            "expected the markers of the skeleton p, found none called x, but 'a\\n', b, c, d, e, f, g, h and 1 more",
        ),
        ([], None, "expected at least one marker, found none"),
        (
            [str(n) for n in range(1025)],
            None,
            "expected at most 1024 markers, found 1025; skeleton= chooses among them",
        ),
    ],
)
def test_errors(names, skeleton, message):
    with pytest.raises(ReadError) as caught:
        pick(names, np.zeros((1, len(names), 3), np.float32), skeleton, "a.c3d")
    assert str(caught.value) == f"a.c3d: {message}"


def test_a_skeleton_that_is_none():
    with pytest.raises(SettingsError, match="unknown skeleton 'nobody'"):
        pick(NAMES, PLACES, "nobody", "a.c3d")


def test_units():
    assert metres_of(None, ReadSettings(), "Units", "a.trc") == 0.001
    assert metres_of("Metres", ReadSettings(), "Units", "a.trc") == 1
    assert metres_of("ell", ReadSettings(unit="inch"), "Units", "a.trc") == 0.0254
    with pytest.raises(SettingsError, match="unknown unit 'ell'"):
        metres_of("mm", ReadSettings(unit="ell"), "Units", "a.trc")


def test_the_example_of_the_documentation_is_a_body(tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
    file = tmp_path / "plug-in-gait.toml"
    file.write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    body = Skeleton.from_toml(file)
    names = [f"Anna:{name}" for name in sorted(body.joint_names)] + ["Anna:LTHI"]
    positions, skeleton = pick(names, np.zeros((1, len(names), 3), np.float32), file, "a.c3d")
    assert positions.shape == (1, 17, 3)
    assert sorted(joint for part in skeleton.body_parts for joint in part) == list(range(17))
    assert skeleton.hips is not None and skeleton.spine is not None
