"""Frames in time, body in space, one scale: known answers, and what must not change them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from motionprint.errors import DatasetError, SettingsError, SkeletonMismatchError
from motionprint.preprocessing import Recipe, RecipeCounts
from motionprint.preprocessing.quantile import Quantile
from motionprint.preprocessing.space import rotation_to_front
from motionprint.preprocessing.time import resample, resample_to, subsample, windows
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton

KINECT = SKELETONS["kinect20"]
LEFT_HIP, RIGHT_HIP = KINECT.joint_names.index("hip_left"), KINECT.joint_names.index("hip_right")
UPPER = KINECT.joint_names.index("shoulder_center")
Positions = npt.NDArray[np.float64]


def _body(frames: int = 20, seed: int = 0) -> Positions:
    """A rough standing body, facing somewhere, whose joints wander smoothly by a few centimetres."""
    random = np.random.default_rng(seed)
    rest = random.normal(0, 0.3, (len(KINECT), 3))
    rest[KINECT.root] = 0
    rest[LEFT_HIP], rest[RIGHT_HIP], rest[UPPER] = (0.1, -0.05, 0.02), (-0.12, -0.04, -0.03), (0.02, 0.5, 0.06)
    time = np.linspace(0, 2, frames)[:, None, None]
    phase = random.uniform(0, 6, (len(KINECT), 3))
    path = np.stack([0.3 * time[:, 0, 0], np.ones(frames), 0.1 * time[:, 0, 0] ** 2], axis=1)
    return rest + 0.05 * np.sin(2 * time + phase) + path[:, None]


def _sequence(positions: Positions | None = None, fps: float = 15.0, **fields: Any) -> SkeletonSequence:
    fields.setdefault("name", "walk")
    chosen = _body() if positions is None else positions
    return SkeletonSequence(chosen.astype(np.float32), fps, KINECT, **fields)


def _fitted(**fields: Any) -> Recipe:
    return replace(Recipe(KINECT, **fields), scale=1.0, root_scale=2.0)


def _turn(angles: tuple[float, float, float], order: str = "YXZ") -> Positions:
    matrix: Positions = Rotation.from_euler(order, angles, degrees=True).as_matrix()
    return matrix


# ---- frames in time ------------------------------------------------------------------------------------------------

NUMBERED = np.arange(10.0)[:, None, None] ** 2 * np.ones((1, 2, 3))
"""Ten frames whose values are 0, 1, 4, 9, ..., 81."""


def _values(positions: Positions) -> list[float]:
    assert (positions == positions[:, :1, :1]).all()
    return [float(value) for value in positions[:, 0, 0]]


def test_the_same_frame_rate_changes_nothing() -> None:
    assert np.array_equal(resample(NUMBERED, 29.97, 29.97), NUMBERED)


@pytest.mark.parametrize("multiple", [2, 3, 4, 8])
def test_whole_multiples_of_the_frame_rate_pick_frames(multiple: int) -> None:
    assert np.array_equal(resample(NUMBERED, 15.0 * multiple, 15.0), NUMBERED[::multiple])


def test_other_frame_rates_interpolate_between_frames() -> None:
    assert _values(resample(NUMBERED, 15, 10)) == [0, 2.5, 9, 20.5, 36, 56.5, 81]
    assert _values(resample(NUMBERED[:3], 15, 30)) == [0, 0.5, 1, 2.5, 4]


def test_no_frame_after_the_last_one_is_invented() -> None:
    assert _values(resample(NUMBERED, 20, 15)) == pytest.approx([0, 2, 7, 16, 86 / 3, 134 / 3, 64], abs=1)
    assert len(resample(NUMBERED, 20, 15)) == 7  # frames 0, 4/3, ..., 8; the next one would lie at 28/3 > 9
    assert len(resample(NUMBERED[:1], 20, 15)) == 1
    assert len(resample(NUMBERED[:2], 30, 15)) == 1


@given(frames=st.integers(1, 60), fps=st.floats(5, 240), target=st.floats(5, 60))
@settings(deadline=None, max_examples=60)
def test_a_straight_line_stays_one_at_any_frame_rate(frames: int, fps: float, target: float) -> None:
    line = (3.0 + 2.0 * np.arange(frames) / fps)[:, None, None] * np.ones((1, 2, 3))
    found = _values(resample(line, fps, target))
    assert found == pytest.approx(list(3.0 + 2.0 * np.arange(len(found)) / target), abs=1e-6)
    duration = (frames - 1) / fps
    assert (len(found) - 1) / target <= duration + 1e-6 < len(found) / target + 1e-5


def test_a_missing_neighbour_does_not_spoil_a_frame_that_is_picked() -> None:
    gap = NUMBERED.copy()
    gap[1] = np.nan
    assert np.array_equal(resample(gap, 30, 15), NUMBERED[::2])
    assert np.isnan(resample(gap, 15, 30)[1:4]).all()


def test_resample_to_takes_equally_spaced_times_from_first_to_last() -> None:
    assert _values(resample_to(NUMBERED[:5], 3)) == [0, 4, 16]
    assert _values(resample_to(NUMBERED[:2], 5)) == [0, 0.25, 0.5, 0.75, 1]
    assert _values(resample_to(NUMBERED[3:4], 3)) == [9, 9, 9]


def test_subsample_takes_the_smallest_step_that_is_enough() -> None:
    assert np.array_equal(subsample(NUMBERED, None), NUMBERED)
    assert np.array_equal(subsample(NUMBERED, 10), NUMBERED)
    assert np.array_equal(subsample(NUMBERED, 9), NUMBERED[::2])
    assert np.array_equal(subsample(NUMBERED, 4), NUMBERED[::3])
    assert np.array_equal(subsample(NUMBERED, 3), NUMBERED[::4])


@given(frames=st.integers(1, 600), longest=st.integers(1, 50))
@settings(deadline=None, max_examples=60)
def test_subsample_leaves_at_most_the_longest(frames: int, longest: int) -> None:
    found = subsample(np.arange(frames, dtype=float)[:, None, None], longest)[:, 0, 0]
    assert found[0] == 0 and len(found) <= longest
    assert len(set(np.diff(found))) <= 1
    step = found[1] if len(found) > 1 else frames
    assert step == 1 or frames / (step - 1) > longest  # one step less would leave too many


def test_windows_end_at_the_last_frame() -> None:
    assert windows(100, 10, window=3, stride=3) == [(0, 30), (30, 60), (60, 90), (70, 100)]
    assert windows(90, 10, window=3, stride=3) == [(0, 30), (30, 60), (60, 90)]
    assert windows(50, 10, window=3, stride=1) == [(0, 30), (10, 40), (20, 50)]
    assert windows(29, 10, window=3, stride=1) == [(0, 29)]
    assert windows(30, 10, window=3, stride=1) == [(0, 30)]
    assert windows(5, 10, window=0.01, stride=0.01) == [(0, 2), (1, 3), (2, 4), (3, 5)]  # two frames at least


@pytest.mark.parametrize(
    ("window", "stride", "found"),
    [(0, 1, "0 and 1"), (1, -2, "1 and -2"), (float("nan"), 1, "nan and 1"), (float("inf"), 1, "inf and 1")],
)
def test_windows_of_no_length_are_refused(window: float, stride: float, found: str) -> None:
    with pytest.raises(SettingsError, match=f"^expected a window and a stride above 0 s, found {found}$"):
        windows(100, 10, window, stride)


# ---- body in space -------------------------------------------------------------------------------------------------

angles = st.tuples(st.floats(-180, 180), st.floats(-85, 85), st.floats(-180, 180))
shifts = st.tuples(*[st.floats(-5, 5)] * 3)


@given(angle=st.floats(-180, 180), shift=shifts)
@settings(deadline=None, max_examples=30)
def test_heading_alignment_forgets_heading_and_place(angle: float, shift: tuple[float, float, float]) -> None:
    recipe = _fitted(alignment="heading", quantile=1.0)
    moved = _body() @ _turn((angle, 0, 0)).T + np.array(shift)
    # float32 metres up to 7 from the origin: rounding of 5e-7 each
    np.testing.assert_allclose(recipe.apply(_sequence(moved)), recipe.apply(_sequence()), atol=5e-6)


@given(turn=angles, shift=shifts)
@settings(deadline=None, max_examples=30)
def test_body_alignment_forgets_every_rotation(
    turn: tuple[float, float, float], shift: tuple[float, float, float]
) -> None:
    recipe = _fitted(alignment="body", root_path=True)
    moved = _body() @ _turn(turn).T + np.array(shift)
    np.testing.assert_allclose(recipe.apply(_sequence(moved)), recipe.apply(_sequence()), atol=1e-5)


def test_heading_alignment_keeps_a_tilt_and_none_keeps_everything() -> None:
    tilted = _sequence(_body() @ _turn((0, 30, 0)).T)
    assert np.abs(_fitted().apply(tilted) - _fitted().apply(_sequence())).max() > 0.05
    turned = _sequence(_body() @ _turn((30, 0, 0)).T)
    unaligned = _fitted(alignment="none")
    assert np.abs(unaligned.apply(turned) - unaligned.apply(_sequence())).max() > 0.05


def test_the_hips_end_along_the_x_axis_and_the_body_stands_upright() -> None:
    for angle in (0, 40, 170):
        first = (_body() @ _turn((angle, 0, 0)).T)[0]
        rotation = rotation_to_front(first, KINECT, "heading")
        assert rotation is not None
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)  # never a mirror image
        across = rotation @ (first[LEFT_HIP] - first[RIGHT_HIP])
        assert across[0] > 0.1 and across[2] == pytest.approx(0, abs=1e-12)
        np.testing.assert_allclose(rotation @ [0, 1, 0], [0, 1, 0], atol=1e-12)


def test_body_alignment_stands_the_spine_along_the_y_axis() -> None:
    first = (_body() @ _turn((20, 50, 70)).T)[0]
    rotation = rotation_to_front(first, KINECT, "body")
    assert rotation is not None and KINECT.spine is not None
    low, high = KINECT.spine
    spine = rotation @ (first[high] - first[low])
    np.testing.assert_allclose(spine[[0, 2]], 0, atol=1e-12)
    assert spine[1] > 0.4 and np.linalg.det(rotation) == pytest.approx(1)
    across = rotation @ (first[LEFT_HIP] - first[RIGHT_HIP])
    assert across[0] > 0.1 and across[2] == pytest.approx(0, abs=1e-12)


def test_a_sequence_is_turned_by_its_first_frame_alone() -> None:
    """A body that turns on the spot keeps turning."""
    still = np.repeat(_body(1), 4, axis=0)
    turning = np.stack([frame @ _turn((90 * k, 0, 0)).T for k, frame in enumerate(still)])
    found = _fitted(quantile=1.0).apply(_sequence(turning)).reshape(4, -1, 3)
    np.testing.assert_allclose(found[1], found[0] @ _turn((90, 0, 0)).T, atol=1e-6)


def _degenerate(kind: str) -> Positions:
    positions = _body()
    if kind == "coincide":
        positions[0, LEFT_HIP] = positions[0, RIGHT_HIP]
    elif kind == "one above the other":
        positions[0, LEFT_HIP] = positions[0, RIGHT_HIP] + [0.001, 0.3, 0.001]
    elif kind == "missing":
        positions[:, LEFT_HIP] = np.nan
    elif kind == "no spine":
        positions[0, UPPER] = positions[0, KINECT.root]
    elif kind == "spine missing":
        positions[:, UPPER] = np.nan
    return positions


@pytest.mark.parametrize(
    ("kind", "alignment", "turned"),
    [
        ("coincide", "heading", False),
        ("one above the other", "heading", False),
        ("missing", "heading", False),
        ("no spine", "heading", True),
        ("coincide", "body", False),
        ("missing", "body", False),
        ("no spine", "body", False),
        ("spine missing", "body", False),
        ("coincide", "none", True),
        ("missing", "none", True),
    ],
)
def test_a_body_that_cannot_be_turned_is_not_and_is_counted(kind: str, alignment: Any, turned: bool) -> None:
    counts = RecipeCounts()
    recipe = _fitted(alignment=alignment)
    positions = _degenerate(kind)
    found = recipe.apply(_sequence(positions), counts=counts)
    recipe.apply(_sequence(), counts=counts)
    assert (counts.unaligned, counts.sequences) == (0 if turned else 1, 2)
    if not turned:
        around_root = (positions - positions[:, KINECT.root : KINECT.root + 1]).reshape(20, -1)
        np.testing.assert_allclose(found, np.clip(around_root, -1, 1), atol=1e-6)


def test_a_skeleton_without_hips_or_spine_is_not_turned() -> None:
    plain = Skeleton(KINECT.joint_names, KINECT.parents)
    assert rotation_to_front(_body()[0], plain, "heading") is None
    assert rotation_to_front(_body()[0], replace(plain, hips=KINECT.hips), "body") is None
    assert rotation_to_front(_body()[0], replace(plain, hips=KINECT.hips), "heading") is not None


def test_the_root_is_removed_in_every_frame() -> None:
    found = _fitted(alignment="none").apply(_sequence()).reshape(20, -1, 3)
    expected = (_body() - _body()[:, KINECT.root : KINECT.root + 1]).astype(np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (found[:, KINECT.root] == 0).all()


def test_the_roots_path_is_three_more_inputs_on_request() -> None:
    recipe, without = _fitted(alignment="heading", root_path=True), _fitted(alignment="heading")
    assert (recipe.inputs, without.inputs) == (63, 60)
    turned = _body() @ _turn((70, 0, 0)).T + [1, 2, 3]
    found = recipe.apply(_sequence(turned))
    assert found.shape == (20, 63)
    np.testing.assert_array_equal(found[:, :60], without.apply(_sequence(turned)))
    assert (found[0, 60:] == 0).all()
    rotation = rotation_to_front(_body()[0], KINECT, "heading")
    root = _body()[:, KINECT.root]
    assert rotation is not None
    np.testing.assert_allclose(found[:, 60:], (root - root[0]) @ rotation.T / 2.0, atol=5e-6)  # root_scale 2


# ---- one scale -----------------------------------------------------------------------------------------------------


def test_the_scale_is_a_quantile_of_the_distances_from_the_root() -> None:
    recipe = Recipe(KINECT, alignment="none", quantile=0.9).fit([_sequence()])
    expected = np.quantile(np.abs(_body() - _body()[:, KINECT.root : KINECT.root + 1]), 0.9)
    assert recipe.scale == pytest.approx(expected, rel=1e-5)
    everything = Recipe(KINECT, alignment="none", quantile=1.0).fit([_sequence()])
    assert np.abs(everything.apply(_sequence())).max() == pytest.approx(1)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["normal", "rounded", "wide", "equal"]),
    size=st.integers(1, 3000),
    parts=st.integers(1, 7),
    share=st.sampled_from([0.999, 1.0, 0.5, 0.9, 1e-9]) | st.floats(1e-6, 1),
)
def test_the_quantile_of_values_that_are_not_held_has_the_bits_of_numpys(
    seed: int, kind: str, size: int, parts: int, share: float
) -> None:
    random = np.random.default_rng(seed)
    drawn = {
        "normal": lambda: np.abs(random.normal(0, 0.3, size)),
        "rounded": lambda: np.abs(random.normal(0, 1, size)).round(1),
        "wide": lambda: np.exp(random.normal(0, 20, size)),
        "equal": lambda: np.full(size, 0.7),
    }
    values = drawn[kind]().astype(np.float32)
    quantile = Quantile(share)
    chunks = np.array_split(values, parts)
    largest = [quantile.count(chunk) for chunk in chunks]
    least = quantile.narrow()
    for chunk, most in zip(chunks, largest, strict=True):
        assert most == chunk.max(initial=0)
        if most >= least:  # the others need not be shown again
            quantile.refine(chunk)
    assert quantile.value == float(np.quantile(values, share))


@pytest.mark.parametrize("share", [0.999, 0.5, 1.0])
def test_fitting_is_exact_and_holds_no_recording(share: float) -> None:
    sequences = [_sequence(_body(frames, seed) * (1 + seed)) for seed, frames in enumerate((20, 700, 1, 40, 33))]
    recipe = Recipe(KINECT, quantile=share)
    turned = [recipe._in_metres(sequence, piece)[:2] for sequence in sequences for piece in recipe.pieces(sequence)]
    bodies, paths = (np.concatenate([np.abs(part[i]).ravel() for part in turned]).astype(np.float32) for i in (0, 1))
    asked: list[int] = []

    class Watched(list[SkeletonSequence]):
        def __getitem__(self, number: Any) -> Any:
            asked.append(number)
            return super().__getitem__(number)

    fitted = recipe.fit(Watched(sequences))
    assert fitted.scale == float(np.quantile(bodies, share))
    assert fitted.root_scale == float(np.quantile(paths, share))
    assert asked[:5] == [0, 1, 2, 3, 4]
    assert 4 in asked[5:] and asked[5:] == sorted(set(asked[5:]))  # the largest body again, and nobody a third time
    if share == 1.0:
        assert 2 not in asked[5:]  # one frame of a small body


@given(
    length=st.integers(1, 3000),
    fps=st.sampled_from([0.2, 5.0, 12.5, 15.0, 25.0, 29.97, 30.0, 59.94, 120.0]),
    max_length=st.sampled_from([None, 2, 35]),
)
@settings(deadline=None, max_examples=100)
def test_how_many_frames_a_recording_gives_is_known_before_it_is_read(
    length: int, fps: float, max_length: int | None
) -> None:
    recipe = Recipe(Skeleton(("root",), (-1,)), max_length=max_length, scale=1.0)
    sequence = _long(length, fps)
    found = sum(len(recipe.apply(sequence, piece)) for piece in recipe.pieces(sequence))
    assert recipe.count_frames(length, fps) == found


def test_one_wild_value_does_not_shrink_all_others() -> None:
    clean = [_sequence(_body(35, seed)) for seed in range(10)]
    wild = _body(35, 0)
    wild[5, 3] += [4.4, 0, 0]  # 1 of 21,000 values
    spoiled = Recipe(KINECT, alignment="none").fit([_sequence(wild), *clean[1:]])
    expected = Recipe(KINECT, alignment="none").fit(clean)
    assert spoiled.scale == pytest.approx(expected.scale, rel=0.01)
    counts = RecipeCounts()
    found = spoiled.apply(_sequence(wild), counts=counts)
    assert found[5, 9] == found.max() == 1 and found.min() >= -1
    assert counts.clipped >= 1


def test_clipped_values_are_counted() -> None:
    counts = RecipeCounts()
    recipe = replace(_fitted(alignment="none"), scale=0.25)
    for _ in range(2):
        recipe.apply(_sequence(), counts=counts)
    metres = _body() - _body()[:, KINECT.root : KINECT.root + 1]
    expected = int((np.abs(metres) > 0.25).sum())
    assert expected > 100
    assert (counts.clipped, counts.values, counts.sequences) == (2 * expected, 2 * metres.size, 2)


def test_there_is_one_scale_for_all_so_that_size_stays_a_cue() -> None:
    small, large = _sequence(0.5 * _body()), _sequence(_body())
    recipe = Recipe(KINECT, alignment="heading", quantile=1.0).fit([small, large])
    np.testing.assert_allclose(2 * recipe.apply(small), recipe.apply(large), atol=1e-6)


def test_the_scale_is_that_of_fitting_and_of_no_later_recording() -> None:
    recipe = Recipe(KINECT, alignment="none", quantile=1.0).fit([_sequence()])
    before = recipe.apply(_sequence())
    recipe.apply(_sequence(3 * _body()))
    np.testing.assert_array_equal(recipe.apply(_sequence()), before)


def test_the_scale_of_the_roots_path_is_fitted_too_and_one_for_those_who_stay() -> None:
    walking = Recipe(KINECT, root_path=True, quantile=1.0).fit([_sequence()])
    assert np.abs(walking.apply(_sequence())[:, 60:]).max() == pytest.approx(1)
    still = np.repeat(_body(1), 5, axis=0)
    assert Recipe(KINECT, root_path=True).fit([_sequence(still)]).root_scale == 1


def test_a_sequence_is_scaled_by_its_own_quantile() -> None:
    recipe = Recipe(KINECT, "none", scaling="sequence", quantile=0.9).fit([_sequence()])
    positions = _body(seed=3)
    body = positions.astype(np.float32).astype(np.float64)
    body -= body[:, [KINECT.root]]
    size = np.quantile(np.abs(body), 0.9)
    found = recipe.prepare(_sequence(positions))
    np.testing.assert_allclose(found.metres, [size] * 3, rtol=1e-12)
    np.testing.assert_allclose(found.values, np.clip(body / size, -1, 1).reshape(20, 60), atol=1e-6)
    np.testing.assert_allclose(recipe.apply(_sequence(7 * positions)), found.values, atol=1e-5)  # size is no cue
    assert (
        Recipe(KINECT, "none", scaling="sequence").fit([_sequence()]).scale
        == Recipe(KINECT, "none").fit([_sequence()]).scale
    )


def test_each_axis_is_stretched_to_1_after_turning() -> None:
    recipe = Recipe(KINECT, "body", scaling="axes").fit([_sequence()])
    in_metres = replace(recipe, scaling="set", scale=100.0)  # nothing is clipped
    found = recipe.prepare(_sequence(_body(seed=3)))
    turned = 100 * in_metres.apply(_sequence(_body(seed=3))).reshape(20, 20, 3)
    np.testing.assert_allclose(found.metres, np.abs(turned).max(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_array_equal(np.abs(found.values.reshape(-1, 3)).max(axis=0), [1, 1, 1])
    np.testing.assert_allclose(found.values.reshape(20, 20, 3) * found.metres, turned, atol=1e-5)
    stretched = _sequence(_body(seed=3) * [1, 5, 0.2])
    plain = replace(recipe, alignment="none")
    np.testing.assert_allclose(plain.apply(stretched), plain.apply(_sequence(_body(seed=3))), atol=1e-5)


@pytest.mark.parametrize("scaling", ["sequence", "axes"])
def test_what_has_no_extent_is_not_blown_up(scaling: Any) -> None:
    recipe = Recipe(KINECT, "none", scaling=scaling).fit([_sequence()])
    at_the_root = recipe.prepare(_sequence(np.ones((5, 20, 3))))
    assert not at_the_root.values.any()
    assert at_the_root.metres.tolist() == [recipe.scale] * 3
    flat = _body(seed=3)
    flat[:, :, 2] = 1e-7 * np.random.default_rng(0).normal(size=flat.shape[:2])
    assert np.abs(recipe.apply(_sequence(flat))[:, 2::3]).max() < 1e-4  # z is rounding


@pytest.mark.parametrize("scaling", ["sequence", "axes"])
def test_missing_values_take_no_part_in_a_sequences_own_scale(scaling: Any) -> None:
    recipe = Recipe(KINECT, "none", scaling=scaling, quantile=1.0).fit([_sequence()])
    holed, wild = _body(), _body()
    wild[:, 7] += 9
    holed[:, 7] = np.nan
    holed[3:5, 9, 1] = np.nan  # a joint that lacks one coordinate is missing
    found = recipe.prepare(_sequence(holed))
    kept = [joint for joint in range(20) if joint != 7]
    body = holed.astype(np.float32).astype(np.float64)
    body[3:5, 9] = np.nan
    body -= body[:, [KINECT.root]]
    largest = np.nanmax(np.abs(body), axis=(0, 1))
    np.testing.assert_allclose(found.metres, largest if scaling == "axes" else [largest.max()] * 3, rtol=1e-6)
    values = found.values.reshape(20, 20, 3)
    assert np.isnan(values[:, 7]).all() and np.isnan(values[3:5, 9]).all()
    assert np.isnan(values).sum() == 20 * 3 + 6
    assert (recipe.prepare(_sequence(wild)).metres > found.metres).any()
    assert np.nanmax(np.abs(values[:, kept])) == 1


@pytest.mark.parametrize("scaling", ["sequence", "axes"])
def test_a_window_is_scaled_by_itself_and_the_roots_path_by_the_set(scaling: Any) -> None:
    recipe = Recipe(KINECT, "none", scaling=scaling, root_path=True, quantile=1.0).fit([_sequence()])
    positions = np.concatenate([_body(), 3 * _body()])
    window = recipe.prepare(_sequence(positions), (20, 40))
    alone = recipe.prepare(_sequence(positions[20:]))
    np.testing.assert_array_equal(window.values, alone.values)
    np.testing.assert_array_equal(window.metres, alone.metres)
    path = replace(recipe, scaling="set").apply(_sequence(positions), (20, 40))[:, 60:]
    np.testing.assert_array_equal(window.values[:, 60:], path)


def test_any_frame_rate_gives_the_same_frames() -> None:
    """60 and 30 frames/s hold every frame of 15 frames/s: picked, not interpolated."""
    fine = _body(61)
    recipe = _fitted()
    expected = recipe.apply(_sequence(fine[::4], 15))
    np.testing.assert_array_equal(recipe.apply(_sequence(fine, 60)), expected)
    np.testing.assert_array_equal(recipe.apply(_sequence(fine[::2], 30)), expected)
    assert expected.shape == (16, 60) and expected.dtype == np.float32


def test_a_sequence_is_sub_sampled_after_resampling() -> None:
    positions = _body(141)
    recipe = _fitted(max_length=35)
    np.testing.assert_array_equal(
        recipe.apply(_sequence(positions, 30)), _fitted(max_length=None).apply(_sequence(positions[::6], 15))
    )  # 71 frames at 15 frames/s: every third one
    assert len(_fitted(max_length=None).apply(_sequence(positions, 30))) == 71


def test_frames_brings_a_recording_to_so_many_moments() -> None:
    found = _fitted(max_length=4).apply(_sequence(), frames=16)
    assert found.shape == (16, 60)
    whole = _fitted(max_length=None).apply(_sequence())
    np.testing.assert_array_equal(found[[0, -1]], whole[[0, -1]])


# ---- refusals ------------------------------------------------------------------------------------------------------


def test_there_must_be_something_to_fit_on() -> None:
    with pytest.raises(DatasetError, match=r"^expected at least one training recording, found none$"):
        Recipe(KINECT).fit([])
    with pytest.raises(DatasetError, match=r"^expected joints away from the root, found every joint at the root"):
        Recipe(KINECT).fit([_sequence(np.ones((5, 20, 3)))])


def test_another_skeleton_is_refused_naming_its_joints() -> None:
    names = tuple("tail" if name == "head" else name for name in KINECT.joint_names)
    other = SkeletonSequence(_body().astype(np.float32), 15.0, Skeleton(names, KINECT.parents), name="cat")
    with pytest.raises(SkeletonMismatchError, match=r"^cat: .*missing head; not expected tail"):
        _fitted().apply(other)
    with pytest.raises(SkeletonMismatchError, match=r"^cat: "):
        Recipe(KINECT).fit([_sequence(), other])


def test_a_recipe_must_be_fitted_first() -> None:
    with pytest.raises(SettingsError, match=r"^this recipe has not been fitted: call fit first$"):
        Recipe(KINECT).apply(_sequence())


def test_a_recording_without_frames_is_refused_by_name() -> None:
    empty = _sequence(np.zeros((0, 20, 3)), name="nothing")
    for use in (lambda: _fitted().apply(empty), lambda: Recipe(KINECT).fit([empty])):
        with pytest.raises(DatasetError, match=r"^nothing: expected at least one frame, found none$"):
            use()


def test_one_frame_is_enough() -> None:
    recipe = Recipe(KINECT).fit([_sequence(_body(1))])
    assert recipe.apply(_sequence(_body(1), 120)).shape == (1, 60)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"alignment": "north"}, "unknown alignment 'north': expected one of none, heading, body"),
        ({"scaling": "person"}, "unknown scaling 'person': expected one of set, sequence, axes"),
        ({"fps": 0}, "expected fps above 0, found 0"),
        ({"fps": float("nan")}, "expected fps above 0, found nan"),
        ({"max_length": 1}, "expected max_length of at least 2 frames, found 1"),
        ({"window": 1}, "expected window_over >= window >= 2 frames, found 140 and 1"),
        ({"window_over": 20}, "expected window_over >= window >= 2 frames, found 20 and 35"),
        ({"quantile": 0.0}, r"expected a quantile in \(0, 1\], found 0"),
        ({"quantile": 1.5}, r"expected a quantile in \(0, 1\], found 1.5"),
        ({"fill_gaps": -0.1}, "expected fill_gaps of at least 0 s, found -0.1"),
        ({"fill_gaps": float("nan")}, "expected fill_gaps of at least 0 s, found nan"),
        ({"fill_gaps": float("inf")}, "expected fill_gaps of at least 0 s, found inf"),
    ],
)
def test_settings_that_cannot_work(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{message}$"):
        Recipe(KINECT, **fields)


# ---- kept with the model -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skeleton", list(SKELETONS.values()), ids=lambda skeleton: skeleton.name)
def test_a_recipe_survives_json(skeleton: Skeleton) -> None:
    recipe = Recipe(skeleton, "body", 20.0, max_length=None, window_over=90, window=30, root_path=True, scale=0.1 + 0.2)
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())), recipe.skeleton)
    assert again == recipe


def test_a_recipe_of_before_there_was_a_scaling_is_scaled_by_the_set() -> None:
    table = Recipe(KINECT).fit([_sequence()]).to_dict()
    del table["scaling"]
    assert Recipe.from_dict(table, KINECT).scaling == "set"


def test_a_fitted_recipe_applies_alike_after_json() -> None:
    recipe = Recipe(KINECT, root_path=True).fit([_sequence()])
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())), recipe.skeleton)
    np.testing.assert_array_equal(again.apply(_sequence()), recipe.apply(_sequence()))


# ---- long recordings -----------------------------------------------------------------------------------------------


def _long(frames: int, fps: float) -> SkeletonSequence:
    return SkeletonSequence(np.zeros((frames, 1, 3), np.float32), fps, Skeleton(("root",), (-1,)))


def test_a_recording_up_to_the_limit_is_one_piece() -> None:
    recipe = Recipe(Skeleton(("root",), (-1,)))
    assert recipe.pieces(_long(140, 15)) == [(0, 140)]
    assert recipe.pieces(_long(280, 30)) == [(0, 280)]  # 140 frames at 15 frames/s
    assert len(recipe.pieces(_long(561, 15))) > 1
    assert len(recipe.pieces(_long(1121, 30))) > 1


@given(frames=st.integers(2, 30_000), fps=st.sampled_from([0.2, 1.0, 5.0, 12.5, 15.0, 25.0, 29.97, 30.0, 59.94, 120.0]))
@pytest.mark.parametrize("window_over", [140, 560])
@example(frames=118, fps=12.5)
@example(frames=48, fps=5.0)
@settings(deadline=None, max_examples=200)
def test_windows_of_a_long_recording_cover_it_once_and_are_never_sub_sampled(
    window_over: int, frames: int, fps: float
) -> None:
    recipe = Recipe(Skeleton(("root",), (-1,)), window_over=window_over)
    pieces = recipe.pieces(_long(frames, fps))
    assert pieces[0][0] == 0 and pieces[-1][1] == frames
    assert all(before[1] == after[0] for before, after in pairwise(pieces))
    assert min(end - start for start, end in pieces) >= 2
    if len(pieces) > 1:
        seconds = [(end - start) / fps for start, end in pieces]
        assert max(seconds) - min(seconds) <= 1.001 / fps  # equal but for one frame
        if fps >= 5:
            resampled = [len(resample(np.zeros((end - start, 1, 3)), fps, 15)) for start, end in pieces]
            assert max(resampled) <= 35  # the training length: more would be every other frame only
            if window_over == 560 or fps >= 15:
                assert min(resampled) >= 28
            # slower than 15 frames/s a window ends at its last recorded frame, up to 1/fps before the next one begins
            assert min(seconds) * 15 >= 27


def test_fitting_and_applying_take_the_windows_of_a_long_recording() -> None:
    """One body in its first window, twice its size in the rest: the scale is that of all windows."""
    positions = _body(700)
    positions[350:] *= 2
    sequence = _sequence(positions)
    recipe = Recipe(KINECT, quantile=1.0, window_over=70).fit([sequence])
    pieces = recipe.pieces(sequence)
    assert len(pieces) == 20
    found = [recipe.apply(sequence, piece) for piece in pieces]
    assert [len(frames) for frames in found] == [35] * 20
    assert max(np.abs(frames).max() for frames in found) == pytest.approx(1)
    for piece, frames in zip(pieces, found, strict=True):
        alone = recipe.apply(_sequence(positions[piece[0] : piece[1]]))  # turned by its own first frame
        np.testing.assert_array_equal(frames, alone)
