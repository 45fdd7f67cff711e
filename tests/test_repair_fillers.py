"""Each filler on motion that it must fill exactly; what is recorded is never touched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from motionprint.errors import DatasetError, SkeletonMismatchError
from motionprint.repair.fillers import FILLERS, FITTED, Filler, Poses, beside, fit_nearest, fit_pca, line, spline
from motionprint.repair.gaps import missing
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS

KINECT = SKELETONS["kinect20"]
FRAMES = 40
TIMES = np.arange(FRAMES)[:, None, None] / 15.0
REST = np.random.default_rng(0).normal(0, 0.4, (20, 3))


def recording(positions: np.ndarray) -> SkeletonSequence:
    return SkeletonSequence(positions.astype(np.float32), 15.0, KINECT)


def rank_two(seed: int, frames: int = FRAMES) -> np.ndarray:
    """(T, 20, 3) a pose whose joints go up and down with two movements, in amounts that vary with the seed."""
    ways = np.random.default_rng(1).normal(0, 0.3, (2, 20))
    amounts = np.random.default_rng(seed).normal(size=(frames, 2))
    positions = np.repeat(REST[None], frames, axis=0)
    positions[..., 1] += amounts @ ways
    return positions


def wandering(seed: int) -> np.ndarray:
    """(T, 20, 3) a body that moves in all its joints, and about."""
    random = np.random.default_rng(seed)
    swings = random.normal(0, 0.1, (3, 20, 3))
    phases = random.uniform(0, 6, 3)
    moved = sum(
        swing * np.sin((1 + n) * TIMES + phase) for n, (swing, phase) in enumerate(zip(swings, phases, strict=True))
    )
    return np.asarray(REST + moved + TIMES * random.normal(0, 0.5, 3))


def turned(positions: np.ndarray, degrees: float, shift: tuple[float, float, float]) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return positions @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T + np.array(shift)


def without(positions: np.ndarray, start: int, end: int, joints: list[int] | slice) -> np.ndarray:
    gappy = positions.copy()
    gappy[start:end, joints] = np.nan
    return gappy


@pytest.fixture(scope="module")
def every() -> dict[str, Filler]:
    """All fillers, the fitted ones on recordings of a body that moves about."""
    train = [recording(wandering(seed)) for seed in range(3)]
    return {**FILLERS, **{name: fit(train) for name, fit in FITTED.items()}}


# ---- known answers -----------------------------------------------------------------------------------------------


def test_a_straight_line_is_filled_exactly_by_line():
    truth = REST + TIMES * np.array([1.0, 0.5, -2.0])
    found = line(without(truth, 10, 25, slice(None)), KINECT, 15.0)
    np.testing.assert_allclose(found, truth, atol=1e-12)


def test_a_cubic_is_filled_exactly_by_spline():
    truth = REST + (TIMES**3 - 2 * TIMES**2 + 4 * TIMES) * np.array([1.0, 0.5, -2.0])  # it goes up all the time
    gappy = without(without(truth, 10, 25, [3, 4]), 17, 30, [5])
    np.testing.assert_allclose(spline(gappy, KINECT, 15.0), truth, atol=1e-9)
    assert np.abs(line(gappy, KINECT, 15.0) - truth).max() > 0.1


def test_spline_does_not_swing_out_of_where_the_joint_was():
    """A joint that comes in fast, is lost for long and goes out fast the other way."""
    truth = np.repeat(REST[None], FRAMES, axis=0)
    truth[:5, 7, 0] += np.arange(5) * 0.2
    truth[5:, 7, 0] += 0.8
    truth[35:, 7, 0] -= np.arange(5) * 0.2
    found = spline(without(truth, 5, 35, [7]), KINECT, 15.0)[:, 7]
    assert (found >= truth[:, 7].min(axis=0)).all() and (found <= truth[:, 7].max(axis=0)).all()


def test_a_joint_that_keeps_its_offset_from_its_neighbour_is_filled_exactly_by_beside():
    """A forearm that is carried about; of the joints that are there, the wrist is the nearest to the hand."""
    truth = wandering(3)
    wrist, hand = KINECT.joint_names.index("wrist_left"), KINECT.joint_names.index("hand_left")
    truth[:, hand] = truth[:, wrist] + TIMES[:, 0] ** 3 * np.array([0.1, 0.2, 0]) + np.array([0, 0, 0.1])
    for gappy in (without(truth, 10, 30, [hand]), without(without(truth, 12, 25, [hand]), 30, 34, [wrist, 8])):
        rows = slice(None) if not np.isnan(gappy[31, 8]).any() else slice(0, 30)
        np.testing.assert_allclose(beside(gappy, KINECT, 15.0)[rows], truth[rows], atol=1e-9)
    assert np.abs(spline(without(truth, 10, 30, [hand]), KINECT, 15.0) - truth).max() > 0.02
    # the edge of the gap is where the offset is known: a wrist that is missing there is of no use, the elbow is next
    gappy = without(without(truth, 10, 30, [hand]), 30, 31, [wrist])
    elbow = KINECT.joint_names.index("elbow_left")
    truth[:, hand] = truth[:, elbow] + np.array([0, 0, 0.1])
    gappy[:, hand] = np.where(np.isnan(gappy[:, hand]), np.nan, truth[:, hand])
    np.testing.assert_allclose(beside(gappy, KINECT, 15.0)[:, hand], truth[:, hand], atol=1e-9)


def test_beside_nothing_is_spline():
    gappy = without(without(wandering(2), 10, 20, slice(None)), 30, FRAMES, slice(None))
    assert (beside(gappy, KINECT, 15.0) == spline(gappy, KINECT, 15.0)).all()


@pytest.mark.parametrize("name", ["line", "spline"])
def test_the_ends_are_held(name: str):
    truth = wandering(5)
    found = FILLERS[name](without(without(truth, 0, 6, [2]), 30, FRAMES, [2]), KINECT, 15.0)
    assert (found[:6, 2] == truth[6, 2]).all() and (found[30:, 2] == truth[29, 2]).all()


@pytest.mark.parametrize("name", ["line", "spline"])
def test_one_recorded_frame_is_held_everywhere(name: str):
    truth = wandering(5)
    gappy = without(without(truth, 0, 12, [2]), 13, FRAMES, [2])
    assert (FILLERS[name](gappy, KINECT, 15.0)[:, 2] == truth[12, 2]).all()


def test_a_motion_of_two_components_is_filled_exactly_by_pca():
    fill = fit_pca([recording(rank_two(1, 300))], kept=1 - 1e-9)
    truth = rank_two(2)
    for gappy in (
        without(truth, 10, 30, [4, 5, 6, 7]),
        without(truth, 0, FRAMES, [12, 13]),  # never recorded
        without(without(truth, 0, 8, [0, 3]), 20, FRAMES, [3, 9]),
        turned(without(truth, 10, 30, [4, 5, 6, 7]), 130, (5, 0, -3)),
    ):
        expected = truth if gappy[0, 1, 0] == truth[0, 1, 0] else turned(truth, 130, (5, 0, -3))
        np.testing.assert_allclose(fill(gappy, KINECT, 15.0), expected, atol=1e-5)  # float32 poses
    assert np.abs(line(without(truth, 10, 30, [4]), KINECT, 15.0) - truth).max() > 0.1


def test_a_copy_in_the_training_set_is_found_by_nearest():
    takes = [wandering(seed).astype(np.float32).astype(np.float64) for seed in range(3)]
    fill = fit_nearest([recording(take) for take in takes])
    truth = turned(takes[1], 70, (3, 0, 1))
    for gappy in (without(truth, 5, 35, [4, 5, 6, 7]), without(truth, 0, FRAMES, [0, 19])):
        # distances that are computed from squares are right to 1e-8 m, and so is the weight of all other poses
        np.testing.assert_allclose(fill(gappy, KINECT, 15.0), truth, atol=1e-6)
    assert np.abs(line(without(truth, 5, 35, [4, 5, 6, 7]), KINECT, 15.0) - truth).max() > 0.05


@pytest.mark.parametrize("name", FITTED)
def test_where_a_body_stands_and_faces_changes_nothing(every: dict[str, Filler], name: str):
    gappy = without(without(wandering(9), 5, 20, [0, 4, 5]), 12, 30, [8, 16, 17, 18])
    found = every[name](gappy, KINECT, 15.0)
    moved = every[name](turned(gappy, -50, (2, 1, 7)), KINECT, 15.0)
    np.testing.assert_allclose(moved, turned(found, -50, (2, 1, 7)), atol=1e-9)


@pytest.mark.parametrize("name", FITTED)
def test_frames_without_anything_lie_on_the_line(every: dict[str, Filler], name: str):
    gappy = without(wandering(9), 5, 20, slice(None))
    np.testing.assert_allclose(every[name](gappy, KINECT, 15.0), line(gappy, KINECT, 15.0), atol=1e-12)


@pytest.mark.parametrize("name", FITTED)
def test_a_guess_is_moved_so_that_it_meets_what_is_recorded(name: str):
    """Poses without movement guess no movement: what is left is the line between what the edges miss."""
    fill = FITTED[name]([recording(np.repeat(REST[None], 2, axis=0))])
    truth = np.repeat(REST.astype(np.float32)[None].astype(np.float64), FRAMES, axis=0)
    truth[:, 7, 1] += np.linspace(0, 1, FRAMES)
    np.testing.assert_allclose(fill(without(truth, 10, 30, [7]), KINECT, 15.0), truth, atol=1e-9)
    found = fill(without(truth, 30, FRAMES, [7]), KINECT, 15.0)
    np.testing.assert_allclose(found[30:, 7], np.repeat(truth[29:30, 7], 10, axis=0), atol=1e-9)


# ---- what always holds -------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=12)
@given(arrays(bool, (FRAMES, 20), elements=st.booleans(), fill=st.just(False)), st.integers(0, 3))
def test_what_is_recorded_stays_bit_for_bit_and_nothing_is_left_open(
    every: dict[str, Filler], gone: np.ndarray, seed: int
):
    truth = wandering(seed).astype(np.float32)
    gappy = truth.copy()
    gappy[gone] = np.nan
    gappy[gone & (np.arange(FRAMES)[:, None] % 2 == 0), 0] = (
        1.0  # one coordinate is there: the joint is missing all the same
    )
    before = gappy.copy()
    recorded = ~gone
    for name, fill in every.items():
        if not (recorded.any(axis=0).all() or (name in FITTED and recorded.any(axis=1).all())):
            continue
        found = fill(gappy, KINECT, 15.0)
        assert found.dtype == np.float64 and found.shape == gappy.shape
        assert np.isfinite(found).all()
        assert (found[recorded] == truth[recorded]).all()
        assert np.array_equal(gappy, before, equal_nan=True)  # the input is left as it was


@pytest.mark.parametrize("name", [*FILLERS, *FITTED])
def test_nothing_missing_changes_nothing(every: dict[str, Filler], name: str):
    truth = wandering(0).astype(np.float32)
    assert (every[name](truth, KINECT, 15.0) == truth).all()


@pytest.mark.parametrize("name", [*FILLERS, *FITTED])
def test_frames_of_one_joint_alone_are_filled(every: dict[str, Filler], name: str):
    gappy = without(wandering(0), 10, 20, [joint for joint in range(20) if joint != 3])
    assert np.isfinite(every[name](gappy, KINECT, 15.0)).all()


# ---- what cannot be done -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILLERS)
def test_a_joint_that_was_never_recorded_is_named(name: str):
    gappy = without(wandering(0), 0, FRAMES, [7])
    with pytest.raises(
        DatasetError, match=r"^hand_left: expected a frame in which it is recorded .*, found it missing"
    ):
        FILLERS[name](gappy, KINECT, 15.0)


@pytest.mark.parametrize("name", FITTED)
def test_with_other_recordings_it_is_guessed_unless_nothing_is_there(every: dict[str, Filler], name: str):
    gappy = without(wandering(0), 0, FRAMES, [7])
    found = every[name](gappy, KINECT, 15.0)
    assert np.abs(found - wandering(0)).max() < 0.2
    blind = every[name](without(gappy, 4, 9, slice(None)), KINECT, 15.0)[3:10, 7]  # held on a line between guesses
    np.testing.assert_allclose(blind, blind[:1] + np.arange(7)[:, None] / 6 * (blind[-1:] - blind[:1]), atol=1e-9)
    with pytest.raises(DatasetError, match=r"found it missing in all 40"):
        every[name](np.full((FRAMES, 20, 3), np.nan), KINECT, 15.0)


def test_another_skeleton_is_refused(every: dict[str, Filler]):
    with pytest.raises(SkeletonMismatchError, match=r"^recording: "):
        every["pca"](np.zeros((4, 25, 3)), SKELETONS["kinect25"], 30.0)
    with pytest.raises(SkeletonMismatchError):
        Poses.of([recording(wandering(0)), SkeletonSequence(np.zeros((4, 25, 3)), 30.0, SKELETONS["kinect25"])])


@pytest.mark.parametrize("name", FITTED)
def test_there_must_be_poses_to_fit_on(name: str):
    with pytest.raises(DatasetError, match=r"^expected training recordings to fit a filler on, found none$"):
        FITTED[name]([])
    with pytest.raises(
        DatasetError, match=r"^expected a frame of the training recordings with all joints, found none$"
    ):
        FITTED[name]([recording(without(wandering(0), 0, FRAMES, [2]))])


def test_poses_are_the_complete_frames_evenly_spaced():
    takes = [recording(without(wandering(seed), 0, 10, [1])) for seed in range(2)]
    assert len(Poses.of(takes).positions) == 60
    few = Poses.of(takes, most=20)  # every fourth frame
    assert (few.positions[:7] == takes[0].positions[12::4]).all() and 13 <= len(few.positions) <= 16
    assert not missing(few.positions).any()
    middle = few.reference.mean(axis=0)
    np.testing.assert_allclose(middle, 0, atol=1e-9)
