"""Repair: what is filled, what is left alone, and that nothing under a gap is ever read."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import motionprint as mp
from motionprint.batches import Batch, pack
from motionprint.cli import main
from motionprint.errors import DatasetError, MotionprintError, SettingsError, SkeletonMismatchError
from motionprint.methods import Inpainting
from motionprint.methods.inpainting import _ways
from motionprint.networks import across_gaps
from motionprint.preprocessing.time import resample
from motionprint.repair import Repaired, repair, repair_file
from motionprint.repair.bones import keep_bones
from motionprint.repair.model import _Grid, fill, root_path
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.training import Run, configure, load_run, pretrain, train_on
from motionprint.writers import write

KINECT = SKELETONS["kinect20"]
TINY = {"encoder_units": 5, "decoder_units": 8, "steps": 2, "batch_size": 4}


def _walk(frames: int = 90, seed: int = 0, fps: float = 30.0) -> SkeletonSequence:
    """A body of rigid bones that walks a curve, turns, and swings its limbs."""
    rng = np.random.default_rng(seed)
    rest = rng.normal(0, 0.3, (len(KINECT), 3))
    rest[KINECT.hips[0]], rest[KINECT.hips[1]] = (0.1, 0, 0), (-0.1, 0, 0)  # type: ignore[index]
    time = np.arange(frames) / fps
    positions = np.zeros((frames, len(KINECT), 3))
    phase = rng.uniform(0, 2 * np.pi, len(KINECT))
    order = sorted(range(len(KINECT)), key=lambda joint: len(KINECT.ancestors(joint)))
    for joint in order:
        parent = KINECT.parents[joint]
        angle = 0.3 * time + (0.2 * np.sin(3 * time + phase[joint]) if joint not in KINECT.hips else 0)  # type: ignore[operator]
        x, y, z = rest[joint]
        bone = np.stack(
            [x * np.cos(angle) + z * np.sin(angle), np.full(frames, y), z * np.cos(angle) - x * np.sin(angle)], 1
        )
        root = np.stack([0.8 * time, 0.9 + 0.02 * np.sin(6 * time), 0.3 * np.sin(time)], 1)
        positions[:, joint] = root if parent == -1 else positions[:, parent] + bone
    return SkeletonSequence(positions.astype(np.float32), fps, KINECT, name=f"walk{seed}")


@pytest.fixture(scope="module")
def run() -> Run:
    """Two steps: its words are noise, which every promise must survive."""
    recordings = [_walk(seed=seed) for seed in range(4)]
    config, recipe = configure(KINECT, preset="repair", changes=TINY, fps=30.0)
    return train_on(recordings, config, recipe, device="cpu")


def _with_gaps(sequence: SkeletonSequence, *gaps: tuple[int, int, list[int]]) -> SkeletonSequence:
    positions = sequence.positions.copy()
    for start, end, joints in gaps:
        positions[start:end, joints] = np.nan
    return replace(sequence, positions=positions)


EVERY = list(range(len(KINECT)))
ARM = list(KINECT.body_parts[0])
CASES = {
    "an arm for a while": [(20, 50, ARM)],
    "an arm always": [(0, 90, ARM)],
    "everything for a while": [(30, 60, EVERY)],
    "everything at the start": [(0, 12, EVERY)],
    "everything at the end": [(80, 90, EVERY)],
    "the root": [(25, 60, [KINECT.root])],
    "the hips": [(0, 90, list(KINECT.hips or ()))],
    "single points": [(5, 6, [3]), (40, 41, [7]), (41, 42, [8])],
    "all but the root": [(10, 55, [joint for joint in EVERY if joint != KINECT.root])],
}


# ---- promises ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gaps", CASES.values(), ids=CASES)
@pytest.mark.parametrize("way", ["auto", "model"])
def test_what_was_recorded_stays_bit_for_bit_and_the_rest_is_filled(
    run: Run, gaps: list[tuple[int, int, list[int]]], way: str
) -> None:
    damaged = _with_gaps(_walk(seed=9), *gaps)
    done = repair(run, damaged, gaps=way)
    gone = np.isnan(damaged.positions).any(axis=2)
    assert (done.filled == gone).all()
    assert np.isfinite(done.sequence.positions).all()
    assert done.sequence.positions[~gone].tobytes() == damaged.positions[~gone].tobytes()
    assert (done.sequence.fps, done.sequence.name) == (damaged.fps, damaged.name)


@pytest.mark.parametrize("gaps", CASES.values(), ids=CASES)
def test_what_lies_under_a_gap_is_read_by_nobody(run: Run, gaps: list[tuple[int, int, list[int]]]) -> None:
    """Sentinels: a joint that lacks one coordinate is missing, whatever its other two are."""
    damaged = _with_gaps(_walk(seed=9), *gaps)
    gone = np.isnan(damaged.positions).any(axis=2)
    sentinel = damaged.positions.copy()
    sentinel[gone] = [1e3, np.nan, -1e3]
    one, other = (repair(run, each).sequence.positions for each in (damaged, replace(damaged, positions=sentinel)))
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("gaps", CASES.values(), ids=CASES)
def test_bones_keep_the_lengths_that_they_were_recorded_with(run: Run, gaps: list[tuple[int, int, list[int]]]) -> None:
    truth = _walk(seed=9)
    damaged = _with_gaps(truth, *gaps)
    done = repair(run, damaged).sequence.positions
    gone = np.isnan(damaged.positions).any(axis=2)
    for joint, parent in enumerate(KINECT.parents):
        if parent == -1 or (gone[:, joint] | gone[:, parent]).all():
            continue  # of a bone that was recorded in no frame nobody knows the length
        found = np.linalg.norm(done[:, joint] - done[:, parent], axis=1)
        expected = np.linalg.norm(truth.positions[:, joint] - truth.positions[:, parent], axis=1)
        np.testing.assert_allclose(found, expected, atol=5e-4)


def test_the_hidden_lie_on_the_line_where_the_network_says_nothing() -> None:
    """Known answer: a decoder of zeros leaves interpolation around the root, exact where all moves at one speed."""
    recordings = [_walk(seed=seed) for seed in range(3)]
    config, recipe = configure(KINECT, preset="repair", changes={**TINY, "steps": 0}, fps=30.0)
    run = train_on(recordings, config, recipe, device="cpu")
    for parameter in run.method.networks["decoder"].parameters():
        torch.nn.init.zeros_(parameter)
    steady = np.arange(100)[:, None, None] * np.float32([0.01, 0, 0.02]) + recordings[0].positions[:1]
    truth = replace(recordings[0], positions=steady.astype(np.float32))
    for gaps in CASES.values():
        damaged = _with_gaps(truth, *gaps)
        inside = np.isnan(damaged.positions).any(axis=2)
        inside &= ~inside.all(axis=0) & ~inside[[0, -1]].any(axis=0)
        found = fill(run, damaged)
        # windows that cut a gap count a thousandth
        np.testing.assert_allclose(found[inside], truth.positions[inside], atol=3e-3)


def test_a_short_gap_is_not_filled_beside_a_joint_that_was_never_recorded(run: Run) -> None:
    """Known answer: a body that is carried about stiffly; the wrist is no neighbour to its hand, the elbow is."""
    path = np.cumsum(np.random.default_rng(2).normal(0, 0.1, (60, 1, 3)), axis=0)
    truth = replace(_walk(60), positions=(path + _walk(60).positions[:1]).astype(np.float32))
    hand = KINECT.joint_names.index("hand_left")
    wrist = KINECT.parents[hand]
    damaged = _with_gaps(truth, (20, 28, [hand]), (0, 60, [wrist]))
    done = repair(run, damaged)
    assert done.gaps == {"beside": 1, "model": 1}
    np.testing.assert_allclose(done.sequence.positions[:, hand], truth.positions[:, hand], atol=1e-5)


@pytest.mark.parametrize("fps", [30.0, 50.0])
def test_no_network_moves_a_root_that_is_placed(run: Run, fps: float) -> None:
    """All else is given around the root, so that in training it never is anywhere else: others say where it is."""
    trunk = list(KINECT.body_parts[4])
    assert KINECT.root in trunk
    for gap in ((25, 60, [KINECT.root]), (25, 60, trunk), (0, 12, trunk), (30, 90, trunk)):
        damaged = _with_gaps(_walk(seed=9, fps=fps), gap).positions.astype(np.float64)
        found = fill(run, replace(_walk(fps=fps), positions=damaged.astype(np.float32)))
        np.testing.assert_allclose(found[:, KINECT.root], root_path(damaged, KINECT), rtol=0, atol=1e-12)


@pytest.mark.parametrize("gap", [(40, 260), (0, 150), (150, 300)])
def test_where_windows_see_nothing_a_body_goes_from_what_one_side_tells_to_the_other(
    run: Run, gap: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known answer: a network that knows where a stiff body is carried, and a hand that was never recorded.

    The body is lifted in the gap, where windows tell of it, and carried on at one speed where none does.
    """
    frames = np.arange(300)
    lift = 0.3 * np.interp(frames, [40, 70, 230, 260], [0, 1, 1, 0])
    path = np.stack([0.01 * frames, lift, 0.02 * frames], axis=1)[:, None]
    truth = replace(_walk(300), positions=(_walk(1).positions + path).astype(np.float32))
    hand, root = KINECT.joint_names.index("hand_left"), KINECT.root
    positions = truth.positions.astype(np.float64)
    knows = _Grid(run.recipe, positions, positions[:, root])
    told = np.zeros(300, bool)

    def windows(_run: Run, _method: object, grid: _Grid, _report: object) -> list[object]:
        found = []
        for window in grid.windows():
            told[slice(*window)] = True
            values, start = knows.read(window), window[0]
            path = positions[start:, root][: len(values)] - grid.root[start]  # a gap does not tell where it begins
            values[:, -3:] = path @ knows.turn(*window).T / run.recipe.root_scale
            found.append((window, values))
        return found

    monkeypatch.setattr("motionprint.repair.model._windows", windows)
    found = fill(run, _with_gaps(truth, (0, 300, [hand]), (*gap, EVERY)))
    assert told.any() and not told.all()
    right = np.ones(300, bool) if gap == (40, 260) else told  # before and after all that is told a body rests
    np.testing.assert_allclose(found[right], truth.positions[right], rtol=0, atol=1e-4)
    np.testing.assert_allclose(np.diff(found[~right], axis=0), 0, rtol=0, atol=1e-4)
    stiff = np.repeat(_walk(1).positions - _walk(1).positions[:, [root]], 300, axis=0)
    np.testing.assert_allclose(found - found[:, [root]], stiff, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("fps", "frames"), [(30.0, 400), (60.0, 300), (120.0, 500), (50.0, 260), (15.0, 90)])
def test_any_length_and_any_frame_rate(run: Run, fps: float, frames: int) -> None:
    """Longer than the network's windows of 64 frames, and at other rates than its own 30 frames/s."""
    truth = _walk(frames, seed=9, fps=fps)
    gap = (frames // 3, frames // 3 + round(fps), ARM)
    done = repair(run, _with_gaps(truth, gap))
    gone = done.filled
    assert gone.sum() == round(fps) * len(ARM)
    assert np.isfinite(done.sequence.positions).all()
    assert done.sequence.positions[~gone].tobytes() == truth.positions[~gone].tobytes()


def test_a_window_is_read_as_training_reads_it(run: Run) -> None:
    sequence = _walk(64, seed=9)
    positions = sequence.positions.astype(np.float64)
    grid = _Grid(run.recipe, positions, positions[:, KINECT.root])
    np.testing.assert_allclose(np.clip(grid.read((0, 64)), -1, 1), run.recipe.apply(sequence), atol=1e-6)


@pytest.fixture(scope="module")
def mirrors() -> list[SkeletonSequence]:
    """Toys that can be solved: one arm does what the other does, so that a hidden one can be told."""
    found = []
    for number, height in enumerate(np.random.default_rng(0).uniform(-0.6, 0.6, 24)):
        sequence = _walk(24, seed=1, fps=10.0)
        positions = sequence.positions.copy()
        swing = height * np.sin(np.pi * np.arange(24) / 23) ** 2
        for side in (0, 1):
            positions[:, list(KINECT.body_parts[side]), 1] += swing[:, None].astype(np.float32)
        found.append(replace(sequence, positions=positions, name=f"mirror{number}"))
    return found


@pytest.fixture(scope="module")
def trained(mirrors: list[SkeletonSequence]) -> Run:
    changes = {"encoder_units": 8, "decoder_units": 64, "steps": 120, "batch_size": 24, "learning_rate": 1e-2}
    config, recipe = configure(KINECT, preset="repair", changes=changes, fps=10.0)
    return train_on(mirrors[:-4], config, recipe, device="cpu")


@pytest.mark.parametrize("fps", [10.0, 20.0, 16.0, 50.0, 5.0])
def test_a_network_that_has_learned_beats_the_line(trained: Run, mirrors: list[SkeletonSequence], fps: float) -> None:
    """At its own frame rate of 10 frames/s and at others."""
    truths = [replace(each, positions=resample(each.positions, 10, fps), fps=fps) for each in mirrors[-4:]]
    gap = slice(round(0.5 * fps), round(1.9 * fps))
    errors = {}
    for way in ("model", "line"):
        found = [repair(trained, _with_gaps(truth, (gap.start, gap.stop, ARM)), gaps=way).sequence for truth in truths]
        away = [one.positions - truth.positions for one, truth in zip(found, truths, strict=True)]
        errors[way] = np.sqrt(np.mean([np.square(each[gap, ARM]) for each in away]))
    assert errors["model"] < 0.7 * errors["line"]


def test_no_gap_ends_in_a_jump(trained: Run, mirrors: list[SkeletonSequence]) -> None:
    """At the edges of a gap a joint moves less than twice what it does at most where it was recorded."""
    truth = mirrors[-1]
    usual = np.linalg.norm(np.diff(truth.positions, axis=0), axis=2).max()
    for start, end, joints in ((5, 19, ARM), (8, 16, EVERY), (4, 20, [KINECT.root])):
        done = repair(trained, _with_gaps(truth, (start, end, joints)), gaps="model").sequence.positions
        steps = np.linalg.norm(np.diff(done[:, joints], axis=0), axis=2)  # (T - 1, joints)
        assert steps[[start - 1, end - 1]].max() < 2 * usual


# ---- parts ---------------------------------------------------------------------------------------------------------


def test_a_bridge_and_how_far_it_is_from_what_is_known() -> None:
    frames = np.array([[0.0], [9], [9], [3], [5], [9]], np.float32) * np.ones(3, np.float32)
    missing = np.array([0, 1, 1, 0, 0, 1], bool)
    batch, _ = pack([frames, frames[:3]])
    gone = np.stack([missing, np.array([1, 1, 1, 0, 0, 0], bool)])[batch.packing.sequence, batch.packing.time][:, None]
    bridge, distance = across_gaps(batch.frames, torch.from_numpy(gone), batch.packing)
    first = batch.packing.sequence == 0
    # a line with a bulge of 3 u (1 - u)^2 (1 - 2) from the right, where the speed is 2; then from rest one of 16 frames
    expected = [0, 1 - 2 / 9, 2 - 4 / 9, 3, 5, 5 + 2 * (15 / 16) ** 2]
    np.testing.assert_allclose(bridge[first][:, 0], expected, rtol=1e-6)
    assert distance[first][:, 0].tolist() == [0, 1, 1, 0, 0, 1]
    assert bridge[~first].tolist() == [[0.0] * 3] * 3  # known in no frame
    assert torch.isinf(distance[~first]).all()


def test_a_bridge_does_not_read_what_is_missing() -> None:
    rng = np.random.default_rng(0)
    batch, _ = pack([rng.normal(size=(length, 9)).astype(np.float32) for length in (9, 5, 7)])
    gone = torch.from_numpy(rng.random((batch.packing.rows, 3)) < 0.4)
    other = torch.where(gone.repeat_interleave(3, dim=1), torch.inf, batch.frames)
    for one, two in zip(
        across_gaps(batch.frames, gone, batch.packing), across_gaps(other, gone, batch.packing), strict=True
    ):
        assert torch.equal(one, two)


def test_a_missing_root_is_where_its_neighbours_say() -> None:
    """It jumps while it is missing: a line misses that, the joints beside it do not."""
    truth = _walk(60).positions.astype(np.float64)
    truth[20:40, :, 1] += 0.3 * np.sin(np.pi * np.arange(20) / 20)[:, None]
    damaged = truth.copy()
    damaged[15:45, KINECT.root] = np.nan
    found = root_path(damaged, KINECT)
    assert np.abs(found - truth[:, KINECT.root]).max() < 0.03
    known = np.r_[0:15, 45:60]
    assert (found[known] == truth[known, KINECT.root]).all()


def test_bones_between_recorded_joints_and_filled_ones() -> None:
    """Known answer: an elbow between a recorded shoulder and a recorded hand goes where both bones fit."""
    skeleton = Skeleton(("shoulder", "elbow", "hand"), (-1, 0, 1))
    positions = np.array([[[0, 0, 0], [0.3, 0, 0], [0.3, 0.4, 0]]] * 3, np.float64)
    filled = np.zeros((3, 3), bool)
    filled[1, 1] = True
    moved = positions.copy()
    moved[1, 1] = [0.2, 0.05, 0]
    found = keep_bones(moved, filled, skeleton)
    np.testing.assert_allclose(found, positions, atol=2e-3)
    assert (found[~filled] == positions[~filled]).all()
    # what is no bone keeps no length: here a hand that comes and goes
    loose = np.concatenate([positions, positions])
    loose[:, 2, 1] = [0.4, 0.9, 1.6, 0.5, 0.7, 1.1]
    assert (keep_bones(loose, np.array([[0, 0, 1]] * 2 + [[0, 0, 0]] * 4, bool), skeleton) == loose).all()


def test_a_bone_that_was_never_recorded_is_as_long_as_its_mirror_image() -> None:
    """Known answer: a left hand 0.3 m from its elbow, as the right one is; nothing else is a bone."""
    names = ("root", "left_elbow", "left_hand", "right_elbow", "right_hand", "tail")
    skeleton = Skeleton(names, (-1, 0, 1, 0, 3, 0), left_right=((1, 3), (2, 4)))
    positions = np.random.default_rng(0).normal(size=(6, 6, 3))
    positions[:, 4] = positions[:, 3] + [0.3, 0, 0]
    filled = np.zeros((6, 6), bool)
    filled[:, [2, 5]] = True
    found = keep_bones(positions, filled, skeleton)
    away, wanted = found[:, 2] - found[:, 1], positions[:, 2] - positions[:, 1]
    np.testing.assert_allclose(away, 0.3 * wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-9)
    kept = [0, 1, 3, 4, 5]  # the tail has no mirror image
    assert (found[:, kept] == positions[:, kept]).all()
    filled[:, 4] = True  # nobody knows either hand
    assert (keep_bones(positions, filled, skeleton) == positions).all()


def test_up_to_its_reach_a_bridge_is_a_cubic_hermite_spline() -> None:
    from scipy.interpolate import CubicHermiteSpline

    walk = np.cumsum(np.random.default_rng(0).normal(size=(40, 3)), axis=0).astype(np.float32)
    for length in (1, 5, 15):
        gone = np.zeros((40, 1), bool)
        gone[10 : 10 + length] = True
        batch, _ = pack([walk])
        bridge, _ = across_gaps(batch.frames, torch.from_numpy(gone), batch.packing)
        ends = [9, 10 + length]
        expected = CubicHermiteSpline(ends, walk[ends], [walk[9] - walk[8], walk[ends[1] + 1] - walk[ends[1]]])
        np.testing.assert_allclose(bridge[gone[:, 0]], expected(np.flatnonzero(gone)), atol=1e-5)
        assert torch.equal(bridge[~gone[:, 0]], batch.frames[~gone[:, 0]])


def test_a_bridge_is_drawn_beside_the_nearest_joint_that_is_known_throughout() -> None:
    """Against a plain reference: sequence by sequence, joint by joint, the offset bridged and the neighbour added."""
    rng = np.random.default_rng(3)
    skeleton = Skeleton(tuple("abcdef"), (-1, 0, 1, 2, 1, 4))
    count, frames = len(skeleton), (40, 31, 30, 12)
    between = _ways(skeleton, count + 1)  # and a path
    moves = [np.cumsum(rng.normal(size=(each, 3 * count + 3)), axis=0).astype(np.float32) for each in frames]
    masks = [np.zeros((each, count + 1), bool) for each in frames]
    masks[0][10:20, 3] = masks[0][12:15, 2] = masks[0][30:35, 5] = True
    masks[0][18:25, 0] = True  # the root, which nothing is beside
    masks[1][0:8, 3] = masks[1][28:, 3] = masks[1][:, 4] = masks[1][9:11, 2] = True  # edges, one never, one too near
    masks[2][5:9] = True  # everything
    masks[3] = rng.random(masks[3].shape) < 0.3
    batch, order = pack(moves)
    assert order.tolist() == [0, 1, 2, 3]
    time, sequence = batch.packing.time, batch.packing.sequence
    gone = torch.from_numpy(np.stack([masks[n][t] for t, n in zip(time.tolist(), sequence.tolist(), strict=True)]))
    bridge, distance = across_gaps(batch.frames, gone, batch.packing, between)
    own, plain_distance = across_gaps(batch.frames, gone, batch.packing)
    assert torch.equal(distance, plain_distance)
    chosen = []
    for number, (move, mask) in enumerate(zip(moves, masks, strict=True)):
        points = move.reshape(len(move), -1, 3)
        found = bridge[sequence == number].numpy().reshape(points.shape)
        around_root = own[sequence == number].numpy().reshape(points.shape)
        assert found[~mask].tobytes() == points[~mask].tobytes()
        for joint in np.flatnonzero(mask.any(axis=0)).tolist():
            needed = np.convolve(mask[:, joint], np.ones(5), "same") > 0
            others = [each for each in range(count) if 0 < joint < count and not mask[needed, each].any()]
            if not others or mask[:, joint].all():
                np.testing.assert_array_equal(found[:, joint], around_root[:, joint])
                continue
            near = min(others, key=lambda each: (skeleton.bones_between(joint, each), each))
            chosen.append((number, joint, near))
            offset, _ = pack([points[:, joint] - points[:, near]])
            bridged, _ = across_gaps(offset.frames, torch.from_numpy(mask[:, [joint]]), offset.packing)
            expected = bridged.numpy() + points[:, near]
            np.testing.assert_allclose(found[mask[:, joint], joint], expected[mask[:, joint]], rtol=0, atol=1e-5)
    # 3's parent 2 is missing with it: 1 is next; 2's parent and its child are as near, but the child is missing
    assert chosen[:4] == [(0, 2, 1), (0, 3, 1), (0, 5, 4), (1, 2, 1)] and (1, 3, 1) in chosen
    other = torch.where(gone.repeat_interleave(3, dim=1), torch.nan, batch.frames)
    assert torch.equal(across_gaps(other, gone, batch.packing, between)[0], bridge)


def test_beside_a_joint_at_rest_a_bridge_is_as_it_was() -> None:
    """Known answer: a neighbour that stands still adds nothing; one that carries the joint along gives it exactly."""
    skeleton = Skeleton(("root", "shoulder", "hand"), (-1, 0, 1))
    walk = np.cumsum(np.random.default_rng(0).normal(size=(30, 3)), axis=0).astype(np.float32)
    still = np.concatenate([np.zeros((30, 3)), np.ones((30, 3)), walk], axis=1).astype(np.float32)
    carried = np.concatenate([np.zeros((30, 3)), walk, walk + np.array([0.25, 0, 0])], axis=1).astype(np.float32)
    gone = np.zeros((30, 3), bool)
    gone[7:22, 2] = True
    for frames, expected in ((still, None), (carried, carried)):
        batch, _ = pack([frames])
        found, _ = across_gaps(batch.frames, torch.from_numpy(gone), batch.packing, _ways(skeleton, 3))
        if expected is None:
            expected = across_gaps(batch.frames, torch.from_numpy(gone), batch.packing)[0].numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5)


# ---- what is learned -----------------------------------------------------------------------------------------------


def _method_batch(run: Run) -> tuple[object, Batch]:
    frames = [run.recipe.apply(_walk(40, seed=seed)) for seed in range(3)]
    batch, _ = pack(frames)
    hidden = torch.from_numpy(np.random.default_rng(0).random((batch.packing.rows, run.recipe.inputs // 3)) < 0.3)
    hidden = hidden.repeat_interleave(3, dim=1)
    return run.method, replace(batch, hidden=hidden, unseen=hidden)


def test_no_objective_depends_on_what_is_hidden_but_through_the_error(run: Run) -> None:
    """Enc and Dec give the same for other values under the gaps; shown values come out as they are."""
    method, batch = _method_batch(run)
    other = replace(batch, frames=torch.where(batch.hidden, 7.0, batch.frames))
    with torch.no_grad():
        prints = [method.encode(each.seen, each.packing)["F"] for each in (batch, other)]  # type: ignore[attr-defined]
        found = [method.inpaint(each, prints[0]) for each in (batch, other)]  # type: ignore[attr-defined]
    assert torch.equal(*prints)
    assert torch.equal(torch.where(batch.hidden, found[0], 0), torch.where(batch.hidden, found[1], 0))
    torch.testing.assert_close(found[0][~batch.hidden], batch.frames[~batch.hidden], rtol=0, atol=1e-6)


def test_what_a_recording_lacks_is_no_other_than_what_is_hidden(run: Run) -> None:
    """A network cannot tell a gap that training made from one that the recording has."""
    method, batch = _method_batch(run)
    lacking = replace(batch, hidden=torch.zeros_like(batch.hidden), unseen=None, known=~batch.hidden)
    with torch.no_grad():
        found = [
            method.inpaint(each, method.encode(each.seen, each.packing)["F"])  # type: ignore[attr-defined]
            for each in (batch, lacking)
        ]
    assert torch.equal(torch.where(batch.hidden, found[0], 0), torch.where(batch.hidden, found[1], 0))


def test_the_objective_is_the_mean_distance_of_what_is_hidden(run: Run) -> None:
    """Known answer: a decoder of zeros leaves the bridge, and shown values cost nothing."""
    method, batch = _method_batch(run)
    silent = Inpainting(KINECT, run.recipe.inputs, method.settings)  # type: ignore[attr-defined]
    for parameter in silent.decoder.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        found = silent.objectives(batch)
    assert found["encoder"] is found["decoder"] and set(found) == {"encoder", "decoder"}
    hidden = batch.hidden[:, ::3]
    bridge, _ = across_gaps(batch.frames, hidden, batch.packing, _ways(KINECT, hidden.shape[1]))
    away = (bridge - batch.frames).view(len(bridge), -1, 3).norm(dim=2)
    expected = np.mean([away[batch.packing.sequence == place].sum(dim=1).mean() for place in range(3)])
    assert found["decoder"].item() == pytest.approx(expected, abs=1e-3 * hidden.sum(dim=1).float().mean().item())
    away[hidden] = 0
    assert not away.any()


def test_the_preset_keeps_the_frame_rate_of_the_recordings(few: Path) -> None:
    for fps, expected in ((30.0, 30.0), (60.0, 60.0), (120.0, 60.0), (100.0, 50.0), (15.0, 15.0), (None, 30.0)):
        _, recipe = configure(KINECT, preset="repair", defaults={"max_length": 35}, fps=fps)
        assert (recipe.fps, recipe.max_length, recipe.root_path) == (expected, None, True)
    _, recipe = configure(KINECT, preset="repair", changes={"fps": 20.0}, fps=30.0)
    assert recipe.fps == 20
    _, recipe = configure(KINECT, defaults={"max_length": 35}, fps=30.0)  # other presets ask for no frame rate
    assert (recipe.fps, recipe.max_length, recipe.root_path) == (15, 35, False)


@pytest.mark.parametrize("name", ["hidden_parts", "encoder_hide_frames", "redraw_parts"])
def test_gaps_say_alone_what_is_hidden(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^expected no {name} with gaps, found "):
        configure(KINECT, preset="repair", changes={name: {"hidden_parts": 2, "redraw_parts": True}.get(name, 0.5)})


def test_repair_is_trained_with_one_scale_for_all() -> None:
    with pytest.raises(SettingsError, match="expected scaling 'set' with gaps, found 'sequence'"):
        configure(KINECT, preset="repair", changes={"scaling": "sequence"})
    run = train_on([_walk(), _walk(seed=1)], *configure(KINECT, preset="repair", changes=TINY), device="cpu")
    other = replace(run, recipe=replace(run.recipe, scaling="axes"))
    assert _refused(other, _walk(), SettingsError) == (
        "the run: expected the recipe to scale by the set, found scaling 'axes'"
    )


def test_repair_is_trained_at_one_frame_rate() -> None:
    with pytest.raises(SettingsError, match=r"^expected max_length none with gaps, found 35: gaps are filled"):
        configure(KINECT, changes={"gaps": True}, defaults={"max_length": 35})
    with pytest.raises(SettingsError, match=r"^expected max_length none with gaps, found 50: "):
        configure(KINECT, preset="repair", changes={"max_length": 50})


# ---- errors --------------------------------------------------------------------------------------------------------


def _refused(run: Run, sequence: SkeletonSequence, kind: type[MotionprintError], **options: object) -> str:
    with pytest.raises(kind) as caught:
        repair(run, sequence, **options)  # type: ignore[arg-type]
    return str(caught.value)


def test_every_refusal_says_what_was_found_and_expected(run: Run) -> None:
    whole = _walk(seed=9)
    config, recipe = configure(KINECT, changes={**TINY, "discriminator_units": 3})
    other = train_on([whole, _walk()], config, recipe, device="cpu")
    assert _refused(other, whole, SettingsError) == (
        "the run: expected a run that was trained to repair (motionprint pretrain DATASET --preset repair), "
        "found one of inpainting, preset small, which has never seen a gap"
    )
    shorter = Skeleton(KINECT.joint_names[:3], KINECT.parents[:3])
    cut = SkeletonSequence(whole.positions[:, :3], 30.0, shorter, name="cut")
    assert _refused(run, cut, SkeletonMismatchError).startswith(
        "cut: expected the skeleton of 20 joints, found 3 joints"
    )
    assert _refused(run, whole, SettingsError, joints=["tail"]).endswith("found 'tail'")
    assert "left arm, right arm" in _refused(run, whole, SettingsError, joints=["tail"])
    assert _refused(run, whole, SettingsError, gaps="magic") == (
        "unknown gaps 'magic': expected one of auto, model, line, spline, beside"
    )
    assert _refused(run, whole, SettingsError, short=-1.0) == "expected short of at least 0 s, found -1"
    for way in ("line", "spline", "beside"):
        assert _refused(run, whole, DatasetError, joints=["head"], gaps=way) == (
            f"walk9: expected head in at least one frame for {way} to fill it from, found it missing in all 90; the "
            "network fills it (gaps auto or model)"
        )
    slow = replace(whole, fps=1e-4)  # at the network's 30 frames/s it would have 27 million
    assert _refused(run, slow, DatasetError, joints=["head"]) == (
        "walk9: expected at least 1 frame/s for a network to fill gaps, found 0.0001"
    )
    assert repair(run, _with_gaps(slow, (20, 22, [7])), gaps="beside").gaps == {"beside": 1}
    root = KINECT.joint_names[KINECT.root]
    assert _refused(run, whole, DatasetError, joints=[root]) == (
        f"walk9: expected the root joint {root} in at least one frame, found it missing in all 90"
    )


def test_nothing_missing_is_nothing_done(run: Run) -> None:
    whole = _walk(seed=9)
    done = repair(run, whole)
    assert done.sequence is whole and not done.filled.any() and done.gaps == {}


def test_zeros_are_missing_on_request_only(run: Run) -> None:
    zeroed = _walk(seed=9)
    zeroed.positions[30:50, 7] = 0
    assert repair(run, zeroed).gaps == {}
    done = repair(run, zeroed, zeros=True)
    assert done.filled.sum() == 20 and done.filled[30:50, 7].all() and done.sequence.positions[30:50, 7].all()


def test_auto_interpolates_what_is_short_and_inside(run: Run) -> None:
    damaged = _with_gaps(_walk(seed=9), (20, 35, [7]), (40, 56, [7]), (0, 3, [9]), (60, 62, [11, 12]))
    done = repair(run, damaged)
    assert done.gaps == {"beside": 3, "model": 2}  # 15 frames are 0.5 s; a gap at the start has no other edge
    assert repair(run, damaged, short=0).gaps == {"model": 5}
    assert repair(run, damaged, gaps="line").gaps == {"line": 5}
    assert repair(run, damaged, gaps="model").gaps == {"model": 5}
    # where nothing is recorded the network knows no more than interpolation, unless a joint is missing for longer
    blank = _with_gaps(_walk(seed=9), (20, 50, EVERY), (50, 60, [7]))
    assert repair(run, blank).gaps == {"beside": 19, "model": 1}


# ---- files ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the recordings of `few`."""
    out = tmp_path_factory.mktemp("repair") / "run"
    pretrain(few, out, preset="repair", changes=TINY, device="cpu")
    return out


def _raise(error: OSError) -> None:
    raise error


WITHOUT_BONES = "; --skeleton (skeleton=) tells the bones between the points of a file"


def _said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main([str(each) for each in arguments])
    output = capsys.readouterr()
    return int(stop.value.code or 0), output.out, output.err


def test_a_file_comes_back_whole_in_the_format_of_its_name(
    folder: Path, takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = takes / "wave" / "anna_0.bvh"
    (truth,) = mp.read(source)
    arm = [truth.skeleton.joint_names.index(name) for name in ("LeftHand", "LeftHand_end")]
    for extension in ("bvh", "npz", "csv", "trc", "c3d"):
        out = tmp_path / f"mended.{extension}"
        code, text, _ = _said(capsys, "repair", folder, source, "--out", out, "--joints", "LeftHand, LeftHand_end")
        assert (code, text) == (0, f"{out}: filled 90 of 720 points, in 2 gaps: 2 by the model\n")
        (found,) = mp.read(out)
        assert np.isfinite(found.positions).all()
        order = [found.skeleton.joint_names.index(name) for name in truth.skeleton.joint_names]
        kept = [joint for joint in range(len(truth.skeleton)) if joint not in arm]
        exact = {"bvh": 5e-5, "c3d": 1e-6}.get(extension, 0)  # what the format can hold
        np.testing.assert_allclose(found.positions[:, order][:, kept], truth.positions[:, kept], rtol=0, atol=exact)


def test_gaps_of_a_c3d_are_filled_and_its_points_keep_their_numbers(folder: Path, takes: Path, tmp_path: Path) -> None:
    """A residual below 0 is a gap."""
    (truth,) = mp.read(takes / "squat" / "bert_1.bvh")
    damaged = truth.positions.copy()
    damaged[10:30, 4] = np.nan
    write(replace(truth, positions=damaged), tmp_path / "gaps.c3d")
    (read,) = mp.read(tmp_path / "gaps.c3d", skeleton=truth.skeleton)
    done = repair(load_run(folder), read)
    assert done.filled.sum() == 20 and done.filled[10:30, 4].all()
    assert done.sequence.positions[~done.filled].tobytes() == read.positions[~done.filled].tobytes()


def test_nothing_missing_is_said_and_the_file_written(
    folder: Path, takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "same.npz"
    code, text, _ = _said(capsys, "repair", folder, takes / "wave" / "anna_0.bvh", "--out", out)
    assert (code, text) == (0, f"{out}: nothing was missing; written as it was read\n")
    assert mp.read(out)[0].positions.tobytes() == mp.read(takes / "wave" / "anna_0.bvh")[0].positions.tobytes()


def test_failures_are_one_line_and_leave_nothing(
    folder: Path, takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = takes / "wave" / "anna_0.bvh"

    def failed(*arguments: object) -> str:
        code, text, error = _said(capsys, "repair", *arguments)
        assert (code, text) == (1, "") and error.count("\n") == 1
        return error.removeprefix("motionprint: ").rstrip()

    out = tmp_path / "out.bvh"
    assert failed(folder, tmp_path / "gone.bvh", "--out", out) == (
        f"{tmp_path / 'gone.bvh'}: expected a motion file, found nothing"
    )
    assert failed(folder, source, "--out", tmp_path / "out.amc") == (
        f"{tmp_path / 'out.amc'}: expected the extension of a format that can be written (.bvh, .c3d, .trc, .npz, "
        ".csv), found another"
    )
    assert (
        failed(folder, takes, "--out", out)
        == f"{takes}: expected one recording, found several: repair takes one person of one recording at a time"
    )
    assert failed(tmp_path / "norun", source, "--out", out).startswith(f"{tmp_path / 'norun'}: expected a run folder")
    assert failed("motionprint:cmu-small", source, "--out", out).startswith(
        "motionprint:cmu-small: expected a run that was trained to repair (motionprint pretrain DATASET --preset "
    )
    assert "expected some of left arm" in failed(folder, source, "--out", out, "--joints", "tail")
    assert failed(folder, source, "--out", out, "--joints", "").endswith("; found ''")
    write(mp.read(source)[0], tmp_path / "points.npz")
    write(mp.read(source)[0], tmp_path / "points.c3d")
    for file in ("points.npz", "points.c3d"):
        text = failed(folder, tmp_path / file, "--out", out, "--joints", "tail")
        assert text.endswith("found 'tail'" if file == "points.npz" else WITHOUT_BONES), text
        (tmp_path / file).unlink()
    assert not list(tmp_path.iterdir())
    out.write_text("mine", encoding="utf-8")
    assert failed(folder, source, "--out", out) == f"{out}: exists; --overwrite replaces it"
    assert out.read_text(encoding="utf-8") == "mine"
    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", lambda path, data: _raise(OSError(errno.ENOSPC, "No space left on device")))
        assert failed(folder, source, "--out", out, "--overwrite") == (
            f"{out}: cannot be written: No space left on device; make room"
        )
    assert out.read_text(encoding="utf-8") == "mine" and list(tmp_path.iterdir()) == [out]
    done = repair_file(load_run(folder), source, out, joints=["LeftHand"], overwrite=True)
    assert isinstance(done, Repaired) and out.read_text(encoding="utf-8").startswith("HIERARCHY")
