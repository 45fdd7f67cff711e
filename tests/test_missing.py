"""Missing values: no step, print, loss or gradient depends on what stands there, and whole recordings see no change."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionprint.batches import Batch, Crops, hide_from_encoder, pack
from motionprint.cli import main
from motionprint.errors import CheckpointError, DatasetError, SettingsError
from motionprint.evaluation import embed, encode, raw_prints, read_prints
from motionprint.methods import Inpainting
from motionprint.methods.inpainting import InpaintingSettings
from motionprint.preprocessing import Frames, Recipe, RecipeCounts
from motionprint.preprocessing.gaps import fill_gaps, follow
from motionprint.preprocessing.space import rotation_to_front
from motionprint.preprocessing.time import resample, resample_to, subsample
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import write_dataset
from motionprint.training import Run, configure, load_run, pretrain, save_run, train_on
from motionprint.training.loop import gradients

KINECT = SKELETONS["kinect20"]
ROOT = KINECT.root
LEFT, RIGHT = KINECT.joint_names.index("hip_left"), KINECT.joint_names.index("hip_right")
UPPER, HAND = KINECT.joint_names.index("shoulder_center"), KINECT.joint_names.index("hand_left")
INPUTS = 60
CPU = torch.device("cpu")
TINY = {"encoder_units": 4, "decoder_units": 4, "discriminator_units": 2, "batch_size": 8, "crops": 2}
HIDING = {"encoder_hide_joints": 0.5, "encoder_hide_frames": 0.3}

Positions = npt.NDArray[np.float32]
Change = Callable[[Positions], None]


def _motion(frames: int = 30, seed: int = 0) -> Positions:
    """A body whose joints swing and whose root walks."""
    random = np.random.default_rng(seed)
    rest, phase = random.normal(0, 0.3, (len(KINECT), 3)), random.uniform(0, 6, (len(KINECT), 3))
    rest[ROOT], rest[LEFT], rest[RIGHT], rest[UPPER] = 0, (0.1, 0, 0.02), (-0.1, 0.01, 0), (0.02, 0.5, 0.06)
    time = np.arange(frames)[:, None, None] / 15
    walk = np.concatenate([0.5 * time, 1 + 0 * time, 0.2 * time**2], axis=2)
    return (rest + 0.05 * np.sin(3 * time + phase) + walk).astype(np.float32)


def _recording(positions: Positions | None = None, fps: float = 15.0, name: str = "walk") -> SkeletonSequence:
    return SkeletonSequence(_motion() if positions is None else positions, fps, KINECT, name=name)


def _recipe(**fields: Any) -> Recipe:
    return replace(Recipe(KINECT, **fields), scale=1.0, root_scale=2.0)


def _joints(frames: Positions) -> Positions:
    """(T, J, 3) of a network's input, its root's path left out."""
    return frames[:, :INPUTS].reshape(len(frames), -1, 3)


# ---- whole recordings see no change --------------------------------------------------------------------------------


@pytest.mark.parametrize("alignment", ["none", "heading", "body"])
@pytest.mark.parametrize("frames", [None, 16])
def test_a_whole_recording_goes_through_the_steps_of_before_bit_for_bit(alignment: Any, frames: int | None) -> None:
    """The steps as they were when missing values were refused, written down once more."""
    recipe = Recipe(KINECT, alignment, root_path=True, fill_gaps=0.5)
    recipe = recipe.fit([_recording(_motion(170, seed), 50.0) for seed in range(3)])
    recording = _recording(_motion(170, 3), 50.0)
    recorded = resample(recording.positions, 50.0, 15.0)
    positions = resample_to(recorded, frames) if frames else subsample(recorded, 35)
    root = positions[:, ROOT]
    rotation = rotation_to_front(positions[0], KINECT, alignment)
    assert rotation is not None
    body, path = (positions - root[:, None]) @ rotation.T, (root - root[:1]) @ rotation.T
    values = [(body / recipe.scale).reshape(len(body), -1), path / recipe.root_scale]
    expected = np.clip(np.concatenate(values, axis=1), -1, 1).astype(np.float32)
    counts = RecipeCounts()
    found = recipe.apply(recording, counts=counts, frames=frames)
    np.testing.assert_array_equal(found, expected)
    assert (counts.incomplete, counts.missing, counts.filled, counts.rootless, counts.blank) == (0, 0, 0, 0, 0)


def test_a_batch_without_missing_values_says_so_and_weighs_all_alike() -> None:
    sequences = [np.random.default_rng(n).uniform(-1, 1, (n + 3, INPUTS)).astype(np.float32) for n in range(4)]
    batch, _ = pack(sequences)
    assert batch.known is None and batch.unseen is None
    assert batch.seen is batch.frames and batch.only_known(batch.frames) is batch.frames
    told = replace(batch, known=torch.ones_like(batch.hidden), unseen=torch.zeros_like(batch.hidden))
    results = []
    for each in (batch, told):  # a mask that hides nothing gives the bits of none
        method = _method(torch.float32)
        torch.manual_seed(1)
        objectives = method.objectives(each)
        gradients(method.networks, objectives)
        results.append(({n: v.item() for n, v in objectives.items()}, [p.grad for p in method.parameters()]))
    assert results[0][0] == results[1][0]
    for one, other in zip(results[0][1], results[1][1], strict=True):
        assert one is not None and other is not None and torch.equal(one, other)


# ---- gaps ----------------------------------------------------------------------------------------------------------


def _line(gaps: dict[int, list[int]], frames: int = 12, joints: int = 2) -> Positions:
    """Joints that move along lines, 1 m a frame; ``gaps`` says in which frames each is missing."""
    positions = np.repeat((np.arange(frames, dtype=np.float32))[:, None, None], joints, axis=1)
    positions = np.repeat(positions, 3, axis=2) + np.arange(joints, dtype=np.float32)[None, :, None]
    for joint, missing in gaps.items():
        positions[missing, joint] = np.nan
    return positions


def test_gaps_up_to_the_longest_are_filled_on_a_line_and_no_others() -> None:
    whole = _line({})
    holed = _line({0: [0, 3, 4, 7, 8, 9], 1: [1, 11]})
    found = fill_gaps(holed, 2)
    assert np.isnan(found[[0, 7, 8, 9], 0]).all() and np.isnan(found[11, 1]).all()
    assert np.isnan(found).sum() == 15
    known = ~np.isnan(found)
    np.testing.assert_allclose(found[known], whole[known], atol=1e-6)
    assert np.isnan(fill_gaps(holed, 0)).sum() == np.isnan(holed).sum()
    assert np.isnan(fill_gaps(holed, 3)).sum() == 6  # what has nothing before or after it stays missing


@settings(deadline=None, max_examples=60)
@given(
    mask=st.lists(st.lists(st.booleans(), min_size=2, max_size=2), min_size=1, max_size=20), longest=st.integers(0, 8)
)
def test_filling_is_what_a_walk_along_the_frames_finds(mask: list[list[bool]], longest: int) -> None:
    known = np.array(mask)
    positions = np.random.default_rng(0).normal(size=(*known.shape, 3)).astype(np.float32)
    positions[~known] = np.nan
    found = fill_gaps(positions, longest)
    for joint in range(2):
        for frame in range(len(known)):
            before = max((t for t in range(frame + 1) if known[t, joint]), default=None)
            after = min((t for t in range(frame, len(known)) if known[t, joint]), default=None)
            if before is None or after is None or (after - before - 1 > longest and before != after):
                assert np.isnan(found[frame, joint]).all()
            else:
                share = 0 if before == after else (frame - before) / (after - before)
                expected = (1 - share) * positions[before, joint] + share * positions[after, joint]
                np.testing.assert_allclose(found[frame, joint], expected, atol=1e-6)


def test_the_recipe_fills_gaps_of_so_many_seconds_at_the_recordings_own_frame_rate() -> None:
    positions = _motion(61)
    positions[10:13, HAND] = np.nan  # 3 frames: 0.1 s at 30 frames/s, 0.2 s at 15
    for fps, fill, filled in ((30.0, 0.1, True), (15.0, 0.1, False), (15.0, 0.2, True), (30.0, 0.0, False)):
        counts = RecipeCounts()
        frames = _joints(_recipe(fill_gaps=fill, max_length=None).apply(_recording(positions, fps), counts=counts))
        read = len(range(10, 13)) if fps == 15 else 2  # at 30 frames/s every other frame is read: 10 and 12
        assert (counts.filled, counts.missing) == ((3 * read, 0) if filled else (0, 3 * read))
        assert np.isnan(frames).any() != filled
        if filled:
            exact = _joints(_recipe(max_length=None).apply(_recording(_motion(61), fps)))
            np.testing.assert_allclose(frames[:, HAND], exact[:, HAND], atol=0.02)


def test_a_gap_at_the_edge_of_a_window_is_filled_from_beyond_it() -> None:
    positions = _motion(60)
    positions[29:32, HAND] = np.nan
    recipe = _recipe(fill_gaps=0.2, alignment="none")
    assert not np.isnan(recipe.apply(_recording(positions), (0, 30))).any()
    found = np.concatenate([recipe.apply(_recording(positions), piece) for piece in ((0, 30), (30, 60))])
    whole = replace(recipe, max_length=None).apply(_recording(positions))
    np.testing.assert_array_equal(found, whole)


def test_follow_goes_on_lines_and_rests_at_the_ends() -> None:
    points = np.array([[np.nan] * 3, [1, 2, 3], [0, np.nan, 0], [3, 4, 5], [np.nan] * 3])
    np.testing.assert_allclose(follow(points), [[1, 2, 3], [1, 2, 3], [2, 3, 4], [3, 4, 5], [3, 4, 5]])
    assert follow(points[:1]) is None


# ---- space and scale -----------------------------------------------------------------------------------------------


def test_a_missing_joint_is_missing_and_changes_no_other() -> None:
    for alignment in ("none", "heading", "body"):
        positions = _motion()
        positions[4:9, HAND] = np.nan
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = _joints(_recipe(alignment=alignment).apply(_recording(positions)))
        expected = _joints(_recipe(alignment=alignment).apply(_recording()))
        assert np.isnan(found[4:9, HAND]).all() and np.isnan(found).sum() == 15
        np.testing.assert_array_equal(found[~np.isnan(found)], expected[~np.isnan(found)])


def test_a_joint_that_lacks_one_coordinate_is_missing_whatever_the_others_say() -> None:
    for alignment in ("none", "heading", "body"):
        found = []
        for other in (0.0, 3.0, np.nan):
            positions = _motion()
            positions[5, HAND] = (other, np.nan, -other)
            found.append(_recipe(alignment=alignment, fill_gaps=0).apply(_recording(positions)))
            assert np.isnan(_joints(found[-1])[5, HAND]).all()
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_array_equal(found[0], found[2])


def test_a_frame_without_a_root_is_centred_between_the_frames_beside_it() -> None:
    positions = _motion()
    positions[10:12, ROOT] = np.nan
    counts = RecipeCounts()
    recipe = _recipe(root_path=True)
    found, expected = recipe.apply(_recording(positions), counts=counts), recipe.apply(_recording())
    missing = np.isnan(found)
    assert counts.rootless == 2 and missing.sum() == counts.missing == 2 * 3 + 2 * 3  # the root, and its path
    assert missing[10:12, INPUTS:].all()
    others = [joint for joint in range(len(KINECT)) if joint != ROOT]
    # the root walks on a curve: between two frames it is some millimetres off the line
    np.testing.assert_allclose(_joints(found)[:, others], _joints(expected)[:, others], atol=0.02)
    positions[:2, ROOT] = np.nan  # at the end of a recording: where it was, or will be, first
    found = recipe.apply(_recording(positions))
    shift = _motion()[2, ROOT] - _motion()[:2, ROOT]
    rotation = rotation_to_front(_motion()[0].astype(float), KINECT, "heading")
    assert rotation is not None
    np.testing.assert_allclose(
        _joints(found)[:2, HAND], _joints(expected)[:2, HAND] - np.clip(shift @ rotation.T, -1, 1), atol=1e-5
    )


def test_a_window_without_a_root_takes_the_nearest_one_of_the_recording() -> None:
    positions = _motion(60)
    positions[30:, ROOT] = np.nan
    found = _joints(_recipe(alignment="none").apply(_recording(positions), (30, 60)))
    expected = np.clip(positions[30:, HAND] - positions[29, ROOT], -1, 1)
    np.testing.assert_allclose(found[:, HAND], expected, atol=1e-6)


def test_a_body_is_turned_by_the_first_frame_that_has_the_joints() -> None:
    for alignment, joint in (("heading", LEFT), ("body", UPPER)):
        positions = _motion()
        positions[:4, joint, 1] = np.nan
        counts = RecipeCounts()
        found = _joints(_recipe(alignment=alignment).apply(_recording(positions), counts=counts))
        assert counts.unaligned == 0
        later = _joints(_recipe(alignment=alignment).apply(_recording(_motion()), (4, 30)))
        np.testing.assert_allclose(found[4:], later, atol=1e-6)


def test_missing_values_take_no_part_in_the_scale() -> None:
    recordings = [_recording(_motion(30, seed)) for seed in range(3)]
    holed = _motion(30, 1)
    holed[5:20, HAND] = np.nan
    holed[::3, UPPER] = np.nan
    recipe = Recipe(KINECT, "none", quantile=0.9).fit([recordings[0], _recording(holed), recordings[2]])
    body = np.stack([recordings[0].positions, holed, recordings[2].positions])
    body = body.astype(np.float64) - body[:, :, ROOT : ROOT + 1]
    expected = np.nanquantile(np.abs(body).astype(np.float32), 0.9)
    assert recipe.scale == pytest.approx(float(expected), rel=1e-6)


def test_a_resampled_frame_is_known_where_its_neighbours_are() -> None:
    positions = _motion(31)
    positions[10, HAND] = np.nan
    found = _joints(_recipe(fps=20.0, max_length=None).apply(_recording(positions)))  # 0.75 frames apart
    times = np.arange(len(found)) * 0.75
    expected = np.abs(times - 10) < 1
    assert expected.sum() == 2  # at 9.75 and 10.5
    np.testing.assert_array_equal(np.isnan(found[:, HAND, 0]), expected)


def test_what_has_nothing_to_go_by_is_refused_by_name() -> None:
    nothing, rootless = np.full((30, 20, 3), np.nan, np.float32), _motion()
    rootless[:, ROOT, 2] = np.nan
    for positions, message in (
        (nothing, r"^walk: expected a joint recorded in at least one frame, found all values missing \(NaN\)$"),
        (rootless, r"^walk: expected the root joint hip_center in at least one frame, found it missing in all 30$"),
    ):
        recording = _recording(positions)
        with pytest.raises(DatasetError, match=message):
            Recipe(KINECT).fit([_recording(), recording])
        with pytest.raises(DatasetError, match=message):
            encode(_run(), [_recording(), recording])
    never = _motion()
    never[:, LEFT] = np.nan  # hips that are never seen: not turned, and counted, as ever
    counts = RecipeCounts()
    _recipe().apply(_recording(never), counts=counts)
    assert counts.unaligned == 1


def test_windows_in_which_nothing_was_recorded_are_left_out_and_counted() -> None:
    positions = _motion(280)
    positions[40:150] = np.nan
    recipe = _recipe(window_over=70)
    counts = RecipeCounts()
    pieces = recipe.pieces(_recording(positions), counts)
    assert pieces == [(0, 35), (35, 70), (140, 175), (175, 210), (210, 245), (245, 280)]
    assert (counts.blank, counts.incomplete, counts.windowed) == (2, 1, 1)
    for piece in pieces:
        assert not np.isnan(recipe.apply(_recording(positions), piece)).all()


# ---- losses and gradients ------------------------------------------------------------------------------------------


def _method(dtype: torch.dtype = torch.float64, **changes: Any) -> Inpainting:
    torch.manual_seed(0)
    sizes = {"encoder_units": 5, "decoder_units": 6, "discriminator_units": 3, "dropout": 0.0, "lambda_adv": 0.7}
    return Inpainting(KINECT, INPUTS, InpaintingSettings(**{**sizes, **changes})).to(dtype)  # type: ignore[arg-type]


def _incomplete(lengths: tuple[int, ...] = (9, 5, 7), share: float = 0.3, seed: int = 0) -> list[Positions]:
    random = np.random.default_rng(seed)
    made = []
    for length in lengths:
        values = random.uniform(-1, 1, (length, INPUTS)).astype(np.float32)
        values[(random.random((length, INPUTS // 3)) < share).repeat(3, axis=1)] = np.nan
        made.append(values)
    return made


def _double(batch: Batch) -> Batch:
    return replace(batch, frames=batch.frames.double())


def _results(method: Inpainting, batch: Batch) -> tuple[dict[str, float], list[torch.Tensor]]:
    torch.manual_seed(3)
    objectives = method.objectives(batch)
    gradients(method.networks, objectives)
    found = [parameter.grad.clone() for parameter in method.parameters() if parameter.grad is not None]
    return {name: value.item() for name, value in objectives.items()}, found


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 1), cell=st.sampled_from(["gru", "lstm"]))
@pytest.mark.parametrize("adversary", ["log", "nonsaturating", "wasserstein", "none"])
def test_no_loss_and_no_gradient_depends_on_what_stands_at_a_missing_value(
    adversary: str, seed: int, share: float, cell: str
) -> None:
    """Not by a bit, in any network."""
    random = np.random.default_rng(seed)
    hidden = np.asarray(_method().hidden_inputs[random.integers(0, 5, 3)])
    batch = _double(pack(_incomplete(share=share, seed=seed), hidden)[0])
    if share > 0.01:
        assert batch.known is not None
    found = []
    for _ in range(2):
        noise = torch.from_numpy(random.normal(0, 10, batch.frames.shape))
        known = torch.ones_like(batch.hidden) if batch.known is None else batch.known
        other = replace(batch, frames=torch.where(known, batch.frames, noise))
        found.append(_results(_method(adversary=adversary, cell=cell), other))
    assert found[0][0] == found[1][0] and all(np.isfinite(value) for value in found[0][0].values())
    assert len(found[0][1]) == len(found[1][1])
    for one, two in zip(found[0][1], found[1][1], strict=True):
        assert torch.equal(one, two) and torch.isfinite(one).all()


def test_the_element_wise_loss_is_the_sum_over_known_values() -> None:
    """Known answer: an output of zeros costs the mean over sequences and frames of the sum of known squares."""
    method = _method(adversary="none")
    for parameter in method.decoder.parameters():
        torch.nn.init.zeros_(parameter)
    sequences = _incomplete()
    objective = method.objectives(_double(pack(sequences)[0]))["encoder"]
    expected = np.mean([np.mean(np.nansum(s.astype(np.float64) ** 2, axis=1)) for s in sequences])
    assert objective.item() == pytest.approx(expected, rel=1e-9)


def test_the_gradients_are_those_of_the_equations_over_known_values() -> None:
    """Against plain ``nn.GRU``, a sequence at a time; Dis is shown nothing but what is known."""
    method = _method()
    batch, order = pack(_incomplete(), np.asarray(method.hidden_inputs[[0, 2, 4]]))
    torch.manual_seed(3)
    noise = torch.randn(3, INPUTS, dtype=torch.float64)
    _, found = _results(method, _double(batch))
    total, critic = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    assert method.discriminator is not None
    for place in range(len(order)):
        rows = batch.packing.sequence == place
        assert batch.known is not None
        known, hidden = batch.known[rows], batch.hidden[rows]
        x = torch.where(known, batch.frames[rows].double(), 0)
        _, state = method.encoder.rnn.cell(x[:, None])
        print_ = torch.tanh(method.encoder.output(torch.cat([state[-2, 0], state[-1, 0]])))

        def inpaint(condition: torch.Tensor, x: torch.Tensor = x, hidden: torch.Tensor = hidden) -> torch.Tensor:
            read = torch.cat([condition[None], torch.where(hidden, 0, x)])
            return method.decoder.output(method.decoder.rnn.cell(read[:, None])[0][1:, 0])

        def judge(frames: torch.Tensor, known: torch.Tensor = known) -> torch.Tensor:
            assert method.discriminator is not None
            _, state = method.discriminator.rnn.cell(torch.where(known, frames, 0)[:, None])
            return torch.sigmoid(method.discriminator.output(torch.cat([state[-2, 0], state[-1, 0]])))[0]

        fake, fake_z = inpaint(print_), inpaint(noise[place])
        total = total + ((x - fake).square() * known).sum(1).mean() / len(order)
        terms = torch.log(judge(x)) + torch.log(1 - judge(fake)) + 0.1 * torch.log(1 - judge(fake_z))
        critic = critic - terms / len(order)
    names = [name.split(".")[0] for name, _ in method.named_parameters()]
    weights = list(method.parameters())
    for network, objective in (("encoder", total), ("discriminator", critic), ("decoder", total - 0.7 * critic)):
        chosen = [number for number, name in enumerate(names) if name == network]
        expected = torch.autograd.grad(objective, [weights[n] for n in chosen], retain_graph=True)
        for number, reference in zip(chosen, expected, strict=True):
            torch.testing.assert_close(found[number], reference, rtol=1e-9, atol=1e-11)


def test_a_sub_sequence_of_nothing_weighs_nothing() -> None:
    blank = np.full((6, INPUTS), np.nan, np.float32)
    values, found = _results(_method(), _double(pack([blank])[0]))
    assert values["encoder"] == 0 and all(torch.isfinite(each).all() for each in found)


# ---- prints --------------------------------------------------------------------------------------------------------


def _run(**changes: Any) -> Run:
    config, recipe = configure(KINECT, changes={**TINY, "steps": 1, **changes})
    return train_on([_recording(_motion(30, seed)) for seed in range(4)], config, recipe, device="cpu")


@pytest.fixture(scope="module")
def run() -> Run:
    return _run()


def _holed(count: int = 6) -> list[SkeletonSequence]:
    """Recordings of which every other one misses a third of its joints here and there."""
    made = []
    for number in range(count):
        positions = _motion(20 + 3 * number, number)
        if number % 2:
            positions[np.random.default_rng(number).random(positions.shape[:2]) < 0.3] = np.nan
        made.append(_recording(positions, name=f"r{number}"))
    return made


def test_a_print_is_that_of_the_recording_with_zeros_for_what_is_missing(run: Run) -> None:
    recordings = _holed()
    by_hand = [np.nan_to_num(run.recipe.apply(recording)) for recording in recordings]
    expected = []
    for frames in by_hand:
        batch, _ = pack([frames])
        with torch.no_grad():
            expected.append(run.method.encode(batch.frames, batch.packing)["states"].numpy())
    np.testing.assert_allclose(encode(run, recordings), np.concatenate(expected), atol=1e-6)
    assert np.isfinite(raw_prints(run.recipe, recordings)).all()


def test_neither_order_nor_neighbours_change_the_print_of_an_incomplete_recording(run: Run) -> None:
    recordings = _holed()
    together = encode(run, recordings)
    order = [3, 0, 5, 1, 4, 2]
    np.testing.assert_allclose(encode(run, [recordings[n] for n in order]), together[order], atol=1e-6)
    for number, recording in enumerate(recordings):
        np.testing.assert_allclose(encode(run, [recording])[0], together[number], atol=1e-6)


@pytest.mark.parametrize("share", [(0, 2), (1, 2)])
def test_a_share_of_a_batch_is_its_part_of_the_whole(share: tuple[int, int]) -> None:
    frames = Frames(([each] for each in _incomplete((20, 9, 30, 12, 25))), INPUTS)
    crops = _crops(frames, (0.5, 0.3))
    for step in range(4):
        whole, part = crops.batch(step, CPU), crops.batch(step, CPU, share)
        assert whole.known is not None and part.known is not None
        assert whole.unseen is not None and part.unseen is not None
        rows = part.packing.rows_in_whole
        for name in ("frames", "hidden", "known", "unseen", "seen"):
            assert torch.equal(getattr(part, name), getattr(whole, name)[rows]), name
        assert torch.equal(part.weights, whole.weights[rows])


def test_embed_counts_recordings_with_missing_values(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings = _holed()
    blank = _motion(90)
    blank[30:60] = np.nan
    write_dataset(tmp_path / "data", [*recordings, _recording(blank, name="blank")])
    save_run(run, tmp_path / "run")
    done = embed(load_run(tmp_path / "run"), [tmp_path / "data"], tmp_path / "prints.parquet")
    assert (done.recordings, done.counts.incomplete, done.counts.blank) == (7, 4, 0)
    expected = [np.isnan(run.recipe.apply(recording)).sum() for recording in [*recordings, _recording(blank)]]
    assert done.counts.missing == sum(expected)
    np.testing.assert_allclose(read_prints(done.path)[1][:6], encode(run, recordings), atol=1e-6)
    done = embed(load_run(tmp_path / "run"), [tmp_path / "data"], tmp_path / "windows.parquet", window=1, stride=1)
    assert done.counts.incomplete == 4 and done.counts.blank == 2  # at 2 to 3 and 3 to 4 s
    with pytest.raises(SystemExit) as stop:
        main(["embed", str(tmp_path / "run"), str(tmp_path / "data"), "--out", str(tmp_path / "out.parquet")])
    assert stop.value.code in (0, None)
    assert "note: 4 of 7 recordings have missing values: " in capsys.readouterr().err


# ---- what the encoder does not see ---------------------------------------------------------------------------------


def _crops(frames: Frames, encoder_hides: tuple[float, float] = (0.0, 0.0), **changes: Any) -> Crops:
    parts = list(_method().hidden_inputs)
    drawing: dict[str, Any] = {
        "batch_size": 6,
        "crops": 4,
        "shortest": 7,
        "longest": 35,
        "hidden_parts": None,
        "seed": 5,
    }
    return Crops(frames, parts, encoder_hides=encoder_hides, **{**drawing, **changes})


def test_hiding_from_the_encoder_changes_nothing_else_that_is_drawn() -> None:
    frames = Frames(([_motion(60, n).reshape(60, -1)] for n in range(5)), INPUTS)
    plain, hiding = _crops(frames), _crops(frames, (0.5, 0.3))
    for step in (0, 3, 11):
        one, other = plain.batch(step, CPU), hiding.batch(step, CPU)
        assert one.unseen is None and other.unseen is not None and other.unseen.any()
        assert one.packing == other.packing
        assert torch.equal(one.frames, other.frames) and torch.equal(one.hidden, other.hidden)
        assert torch.equal(other.seen, one.frames.masked_fill(other.unseen, 0))
        again = _crops(frames, (0.5, 0.3)).batch(step, CPU)  # a function of seed and step alone
        assert again.unseen is not None and torch.equal(again.unseen, other.unseen)
        another = _crops(frames, (0.5, 0.3), seed=6).batch(step, CPU)
        assert another.unseen is not None and not (
            another.unseen.shape == other.unseen.shape and torch.equal(another.unseen, other.unseen)
        )


def test_any_number_of_joints_and_frames_up_to_the_share_is_hidden_with_equal_chance() -> None:
    """12,000 draws of 0 to 10 joints and 0 to 3 frames: shares of 1/11 and 1/4, within five standard errors."""
    lengths = np.sort(np.tile([10, 7], 6000))[::-1]
    joints, frames = hide_from_encoder(lengths, INPUTS, 0.5, 0.3, np.random.default_rng(0))
    triples = joints.reshape(12_000, 20, 3)
    assert (triples.all(axis=2) == triples.any(axis=2)).all()  # a joint is hidden whole or not at all
    number = triples.all(axis=2).sum(axis=1)
    assert np.bincount(number, minlength=11).tolist() == pytest.approx([12_000 / 11] * 11, abs=160)
    assert triples.all(axis=2).mean(axis=0) == pytest.approx([0.25] * 20, abs=0.02)
    assert not frames[lengths == 7][:, 7:].any()  # beyond the end there is nothing to hide
    longer, shorter = frames[lengths == 10].sum(axis=1), frames[lengths == 7].sum(axis=1)
    assert np.bincount(longer, minlength=4).tolist() == pytest.approx([1500] * 4, abs=170)
    assert np.bincount(shorter, minlength=3).tolist() == pytest.approx([2000] * 3, abs=190)
    assert frames[lengths == 10].mean(axis=0) == pytest.approx([0.15] * 10, abs=0.025)


def test_the_loss_is_on_the_true_values_and_the_decoder_is_shown_as_much_as_ever() -> None:
    batch = _double(pack([each for each in _incomplete(share=0)], np.asarray(_method().hidden_inputs[[0, 1, 2]]))[0])
    assert batch.known is None
    unseen = torch.zeros_like(batch.hidden)
    unseen[:, 3 * HAND : 3 * HAND + 3] = True
    hiding = replace(batch, unseen=unseen)
    method = _method(condition="none", adversary="none")  # without F the decoder cannot tell what the encoder saw
    assert method.objectives(hiding)["encoder"] == method.objectives(batch)["encoder"]
    method = _method(adversary="none")
    blind = replace(batch, frames=batch.frames.masked_fill(unseen, 0))
    prints = method.encode(blind.frames, batch.packing)["F"]
    expected = (batch.frame_weights[:, None] * (batch.frames - method.inpaint(batch, prints)).square()).sum()
    torch.testing.assert_close(method.objectives(hiding)["encoder"], expected, rtol=1e-12, atol=0)
    assert method.objectives(hiding)["encoder"] != method.objectives(batch)["encoder"]


@pytest.fixture(scope="module")
def incomplete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("missing") / "data"
    write_dataset(folder, _holed(9))
    return folder


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_run(folder).method.state_dict())


def _same(one: Path, other: Path) -> bool:
    first, second = _weights(one), _weights(other)
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("changes", [{}, HIDING], ids=["seen", "hidden"])
def test_a_run_on_incomplete_recordings_is_taken_up_bit_for_bit(
    incomplete: Path, tmp_path: Path, changes: dict[str, float]
) -> None:
    tiny = {**TINY, **changes, "checkpoint_every": 3}
    pretrain(incomplete, tmp_path / "whole", changes={**tiny, "workers": 2}, steps=8)
    pretrain(incomplete, tmp_path / "stopped", changes=tiny, steps=5)
    run = pretrain(incomplete, tmp_path / "stopped", changes={**tiny, "workers": 0}, steps=8, resume=True)
    assert run.steps == 8 and _same(tmp_path / "whole", tmp_path / "stopped")
    assert run.changes.keys() >= changes.keys()
    if changes:
        pretrain(incomplete, tmp_path / "plain", changes=TINY, steps=8)
        assert not _same(tmp_path / "whole", tmp_path / "plain")
        with pytest.raises(SettingsError, match="was trained with settings"):
            pretrain(incomplete, tmp_path / "stopped", changes={**TINY, "checkpoint_every": 3}, steps=9, resume=True)


def test_a_run_of_before_these_settings_is_loaded_and_taken_up(incomplete: Path, tmp_path: Path) -> None:
    import json

    tiny = {**TINY, "checkpoint_every": 3}
    pretrain(incomplete, tmp_path / "now", changes=tiny, steps=3)
    pretrain(incomplete, tmp_path / "whole", changes=tiny, steps=6)
    old = shutil.copytree(tmp_path / "now", tmp_path / "old")
    config = json.loads((old / "config.json").read_text())
    for part, names in (
        ("settings", ["encoder_hide_joints", "encoder_hide_frames"]),
        ("recipe", ["fill_gaps"]),
        ("counts", ["incomplete", "missing", "filled", "rootless", "blank"]),
    ):
        for name in names:
            del config[part][name]
    (old / "config.json").write_text(json.dumps(config))
    loaded = load_run(old)
    assert loaded.recipe.fill_gaps == 0 and loaded.changes.keys() == load_run(tmp_path / "now").changes.keys()
    with pytest.raises((SettingsError, CheckpointError), match="fill_gaps"):
        pretrain(incomplete, old, changes={**tiny, "fill_gaps": 0.2}, steps=6, resume=True)
    pretrain(incomplete, old, changes=tiny, steps=6, resume=True)
    assert _same(old, tmp_path / "whole")


def test_settings_on_the_command_line(incomplete: Path, tmp_path: Path) -> None:
    options = [
        word for name, value in {**TINY, **HIDING, "fill_gaps": 0.2}.items() for word in ("--set", f"{name}={value}")
    ]
    with pytest.raises(SystemExit) as stop:
        main(["pretrain", str(incomplete), "--out", str(tmp_path / "run"), "--steps", "1", "--quiet", *options])
    assert stop.value.code in (0, None)
    run = load_run(tmp_path / "run")
    assert (run.recipe.fill_gaps, run.method.encoder_hides) == (0.2, (0.5, 0.3))
    assert run.config["counts"]["filled"] > 0 and run.config["counts"]["incomplete"] == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder_hide_joints": 1.0}, r"expected encoder_hide_joints in \[0, 1\), found 1.0"),
        ({"encoder_hide_frames": -0.1}, r"expected encoder_hide_frames in \[0, 1\), found -0.1"),
        ({"encoder_hide_frames": float("nan")}, r"expected encoder_hide_frames in \[0, 1\), found nan"),
    ],
)
def test_impossible_shares_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        InpaintingSettings(**changes)
