"""The inpainting error on decoders whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from motionprint.batches import Batch
from motionprint.errors import DatasetError, SettingsError
from motionprint.evaluation import inpainting_errors
from motionprint.evaluation.inpainting import first_frame_errors, inpainted
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.training import Run, configure, train_on

KINECT = SKELETONS["kinect20"]
TINY = {"encoder_units": 4, "decoder_units": 4, "discriminator_units": 2, "steps": 1, "batch_size": 4, "layers": 1}


def _recordings(count: int = 6, seed: int = 0) -> list[SkeletonSequence]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        steps = 0.05 * random.normal(size=(8 + 3 * number, len(KINECT), 3))
        positions = random.normal(0, 0.3, (len(KINECT), 3)) + np.cumsum(steps, axis=0)
        made.append(SkeletonSequence(positions.astype(np.float32), 15.0, KINECT, name=f"recording {number}"))
    return made


def _run(seed: int = 0, **changes: Any) -> Run:
    config, recipe = configure(KINECT, changes={**TINY, **changes}, seed=seed)
    return train_on(_recordings(), config, recipe, device="cpu")


@pytest.fixture(scope="module")
def trained() -> Run:
    return _run()


@pytest.fixture(scope="module")
def without() -> Run:
    """Trained without F."""
    return _run(condition="none")


class Fake:
    """A decoder that is told the truth, and what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, run: Run, answer: Any) -> None:
        self.batches: list[Batch] = []
        self.prints: list[Tensor] = []

        def inpaint(batch: Batch, prints: Tensor) -> Tensor:
            self.batches.append(batch)
            self.prints.append(prints)
            found: Tensor = answer(batch)
            return found

        monkeypatch.setattr(run.method, "inpaint", inpaint)


def _errors(found: dict[str, dict[str, float]]) -> tuple[float, float]:
    return found["inpaint_hidden"]["rmse_scaled"], found["inpaint_all"]["rmse_scaled"]


def test_the_truth_has_no_error(monkeypatch: pytest.MonkeyPatch, trained: Run) -> None:
    Fake(monkeypatch, trained, lambda batch: batch.frames)
    assert inpainting_errors(trained, _recordings()) == {
        "inpaint_hidden": {"rmse_scaled": 0, "rmse_cm": 0},
        "inpaint_all": {"rmse_scaled": 0, "rmse_cm": 0},
    }


def test_a_constant_is_its_own_error_in_scaled_units_and_in_centimetres(
    monkeypatch: pytest.MonkeyPatch, trained: Run
) -> None:
    Fake(monkeypatch, trained, lambda batch: batch.frames.double() + 0.25)
    found = inpainting_errors(trained, _recordings())
    for task in ("inpaint_hidden", "inpaint_all"):
        assert found[task]["rmse_scaled"] == pytest.approx(0.25, rel=1e-12)
        assert found[task]["rmse_cm"] == pytest.approx(100 * trained.recipe.scale * 0.25, rel=1e-12)
    assert 5 < found["inpaint_all"]["rmse_cm"] < 50  # metres, not millimetres


def test_every_model_is_judged_with_the_same_hidden_sets(monkeypatch: pytest.MonkeyPatch, trained: Run) -> None:
    """Also one that was trained with parts that change from frame to frame, the first frame's among them."""
    found = []
    for run in (trained, _run(redraw_parts=True, hide_first_frame=True)):
        fake = Fake(monkeypatch, run, lambda batch: batch.frames)
        inpainting_errors(run, _recordings())
        found.append(fake.batches)
    for one, other in zip(*found, strict=True):
        assert torch.equal(one.hidden, other.hidden)
        assert not other.hidden[: other.packing.count].any()


@pytest.mark.parametrize("scaling", ["sequence", "axes"])
def test_centimetres_are_those_of_each_recordings_own_scale(monkeypatch: pytest.MonkeyPatch, scaling: str) -> None:
    """A quarter of what is 1 in each recording, in centimetres; recordings of very different size."""
    run = _run(scaling=scaling)
    sizes = (0.2, 1.0, 5.0)
    sequences = [replace(s, positions=s.positions * size) for s, size in zip(_recordings(3), sizes, strict=True)]
    Fake(monkeypatch, run, lambda batch: batch.frames.double() + 0.25)
    found = inpainting_errors(run, sequences)
    prepared = [run.recipe.prepare(sequence) for sequence in sequences]
    squares = [(0.25 * piece.metres) ** 2 for piece in prepared]  # (3,) each
    frames = [len(piece.values) for piece in prepared]
    expected = 100 * np.average(np.mean(squares, axis=1), weights=frames) ** 0.5
    assert found["inpaint_all"]["rmse_scaled"] == pytest.approx(0.25, rel=1e-12)
    assert found["inpaint_all"]["rmse_cm"] == pytest.approx(expected, rel=1e-9)
    original, _, restored = inpainted(run, sequences[2], [0])
    body = sequences[2].positions - sequences[2].positions[:, [KINECT.root]]
    lengths = [np.linalg.norm(each[0], axis=1) for each in (original, body)]
    if scaling == "axes":  # a quantile clips the largest values
        np.testing.assert_allclose(*lengths, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        restored - original, np.broadcast_to(0.25 * prepared[2].metres, original.shape), rtol=1e-3
    )


def test_hidden_values_and_all_values_are_told_apart(monkeypatch: pytest.MonkeyPatch, trained: Run) -> None:
    fake = Fake(monkeypatch, trained, lambda batch: batch.frames.double() + 0.5 * batch.hidden)
    hidden, everything = _errors(inpainting_errors(trained, _recordings()))
    share = sum(int(batch.hidden.sum()) for batch in fake.batches) / sum(b.hidden.numel() for b in fake.batches)
    assert hidden == pytest.approx(0.5, rel=1e-12)
    assert everything == pytest.approx(0.5 * share**0.5, rel=1e-12)  # the root of a mean over all values
    Fake(monkeypatch, trained, lambda batch: batch.frames.double() + 0.5 * ~batch.hidden)
    hidden, everything = _errors(inpainting_errors(trained, _recordings()))
    assert hidden == 0
    assert everything == pytest.approx(0.5 * (1 - share) ** 0.5, rel=1e-12)


def test_values_count_alike_whichever_recording_they_are_in(monkeypatch: pytest.MonkeyPatch, trained: Run) -> None:
    """One root over all values, not a mean of recordings' roots: only the longest recording is wrong here."""

    def wrong_in_the_longest(batch: Batch) -> Tensor:
        return batch.frames.double() + (batch.packing.sequence == 0).double()[:, None]

    Fake(monkeypatch, trained, wrong_in_the_longest)
    _, everything = _errors(inpainting_errors(trained, _recordings()))
    lengths = [len(sequence) for sequence in _recordings()]
    assert everything == pytest.approx((max(lengths) / sum(lengths)) ** 0.5, rel=1e-12)


def test_every_recording_is_judged_with_four_sets_of_hidden_parts(
    monkeypatch: pytest.MonkeyPatch, trained: Run
) -> None:
    fake = Fake(monkeypatch, trained, lambda batch: batch.frames)
    inpainting_errors(trained, _recordings())
    frames = sum(len(batch.frames) for batch in fake.batches)
    assert frames == 4 * sum(len(sequence) for sequence in _recordings())
    parts = torch.from_numpy(trained.method.hidden_inputs)
    for batch in fake.batches:
        assert not batch.hidden[batch.packing.time == 0].any()
        for number in range(batch.packing.count):
            hidden = batch.hidden[batch.packing.sequence == number][1:]
            assert (hidden == hidden[0]).all()
            chosen = [bool(hidden[0][part].all()) for part in parts]
            assert 1 <= sum(chosen) <= 4
            assert torch.equal(hidden[0], parts[chosen].any(dim=0))


def _hidden(monkeypatch: pytest.MonkeyPatch, run: Run, seed: int = 0) -> list[Tensor]:
    fake = Fake(monkeypatch, run, lambda batch: batch.frames)
    inpainting_errors(run, _recordings(), seed=seed)
    return [batch.hidden for batch in fake.batches]


def test_all_models_are_asked_the_same(monkeypatch: pytest.MonkeyPatch, trained: Run, without: Run) -> None:
    expected = _hidden(monkeypatch, trained)
    torch.manual_seed(99)
    for other in (trained, without, _run(seed=5, encoder_units=3, adversary="none")):
        found = _hidden(monkeypatch, other)
        assert all(torch.equal(one, two) for one, two in zip(expected, found, strict=True))
    again = _hidden(monkeypatch, trained, seed=1)
    assert not all(torch.equal(one, two) for one, two in zip(expected, again, strict=True))


def test_conditions_give_the_decoder_f_zeros_or_anothers_print(monkeypatch: pytest.MonkeyPatch, trained: Run) -> None:
    fakes = {}
    for condition in (None, "F", "zeroed", "shuffled"):
        fakes[condition] = Fake(monkeypatch, trained, lambda batch: batch.frames)
        inpainting_errors(trained, _recordings(), condition)
    with torch.no_grad():
        for number, batch in enumerate(fakes["F"].batches):
            own = trained.method.encode(batch.frames, batch.packing)["F"]
            assert torch.equal(fakes["F"].prints[number], own)
            assert torch.equal(fakes[None].prints[number], own)  # what it was trained with
            assert torch.equal(fakes["zeroed"].prints[number], torch.zeros_like(own))
            shuffled = fakes["shuffled"].prints[number]
            assert sorted(shuffled.tolist()) == sorted(own.tolist())
            assert not (shuffled == own).all(dim=1).any()


@pytest.mark.parametrize("count", [2, 129])
def test_no_recording_is_left_with_its_own_print_by_shuffling(
    monkeypatch: pytest.MonkeyPatch, trained: Run, count: int
) -> None:
    fake = Fake(monkeypatch, trained, lambda batch: batch.frames)
    recordings = [replace(_recordings(1, seed)[0], name=str(seed)) for seed in range(count)]
    inpainting_errors(trained, recordings, "shuffled")
    assert sum(len(prints) for prints in fake.prints) == 4 * count
    with torch.no_grad():
        for batch, prints in zip(fake.batches, fake.prints, strict=True):
            own = trained.method.encode(batch.frames, batch.packing)["F"]
            assert not (prints == own).all(dim=1).any()


def test_one_recording_has_nobody_elses_print(trained: Run) -> None:
    message = "^expected at least two recordings to shuffle prints among, found one$"
    with pytest.raises(DatasetError, match=message):
        inpainting_errors(trained, _recordings(1), "shuffled")


def test_a_model_trained_with_f_misses_it(trained: Run) -> None:
    """The real decoder: its output depends on the condition."""
    values = {c: _errors(inpainting_errors(trained, _recordings(), c))[0] for c in ("F", "zeroed", "shuffled")}
    assert len(set(values.values())) == 3
    assert all(0 < value < 2 for value in values.values())


def test_a_model_trained_without_f_is_read_without(without: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert inpainting_errors(without, _recordings()) == inpainting_errors(without, _recordings(), "none")
    read: list[Tensor] = []
    decoder = without.method.decoder

    def forward(prints: Tensor, masked: Tensor, packing: Any) -> Tensor:
        read.append(prints)
        return masked

    monkeypatch.setattr(decoder, "forward", forward)
    inpainting_errors(without, _recordings())
    assert read and not any(prints.any() for prints in read)


@pytest.mark.parametrize("condition", ["F", "zeroed", "shuffled"])
def test_a_model_trained_without_f_takes_no_other_condition(without: Run, condition: str) -> None:
    message = f"^expected a condition that fits a run trained with 'none', found '{condition}'$"
    with pytest.raises(SettingsError, match=message):
        inpainting_errors(without, _recordings(), condition)


def test_conditions_that_cannot_be(trained: Run) -> None:
    with pytest.raises(SettingsError, match=r"^expected a condition that fits a run trained with 'F', found 'none'$"):
        inpainting_errors(trained, _recordings(), "none")
    with pytest.raises(SettingsError, match=r"^unknown condition 'mean': expected one of F, none, zeroed, shuffled$"):
        inpainting_errors(trained, _recordings(), "mean")


def test_a_method_that_does_not_inpaint_is_refused(trained: Run) -> None:
    other = replace(trained, method=torch.nn.Linear(1, 1), config={"method": "autoencoder"})  # type: ignore[arg-type]
    message = "^expected a run of the method inpainting, found autoencoder$"
    for errors in (inpainting_errors, first_frame_errors):
        with pytest.raises(SettingsError, match=message):
            errors(other, _recordings())


def test_there_must_be_frames_to_inpaint(trained: Run) -> None:
    one_frame = replace(_recordings(1)[0], positions=_recordings(1)[0].positions[:1])
    for recordings in ([], [one_frame]):
        for errors in (inpainting_errors, first_frame_errors):
            with pytest.raises(DatasetError, match=r"^expected recordings of at least two frames to inpaint, found"):
                errors(trained, recordings)
    alone = inpainting_errors(trained, [*_recordings(3), one_frame])
    assert np.isfinite(_errors(alone)).all()


def test_missing_values_count_nowhere(monkeypatch: pytest.MonkeyPatch, trained: Run) -> None:
    """Known answer: a decoder that is right where something was recorded and far off elsewhere has no error."""
    recordings = _recordings(3)
    recordings[1].positions[3:, 4] = np.nan
    recordings[2].positions[:, 7:9] = np.nan
    seen: list[Batch] = []

    def right_where_known(batch: Batch) -> Tensor:
        seen.append(batch)
        assert batch.known is not None
        return torch.where(batch.known, batch.frames, torch.full_like(batch.frames, 50.0))

    Fake(monkeypatch, trained, right_where_known)
    assert _errors(inpainting_errors(trained, recordings)) == (0, 0)
    missing = sum(int((~batch.known).sum()) for batch in seen if batch.known is not None)
    assert missing == 4 * 3 * (len(recordings[1]) - 3 + 2 * len(recordings[2]))  # four sets of hidden parts
    Fake(monkeypatch, trained, lambda batch: batch.frames + 0.5)
    assert _errors(inpainting_errors(trained, recordings)) == pytest.approx((0.5, 0.5))
    assert np.isfinite(_errors(first_frame_errors(trained, recordings))).all()


def test_something_recorded_must_be_hidden(trained: Run) -> None:
    recordings = _recordings(2)
    for recording in recordings:
        recording.positions[1:, [n for n in range(len(KINECT)) if n != KINECT.root]] = np.nan
        recording.positions[1:, KINECT.root] = np.nan
    with pytest.raises(
        DatasetError, match=r"^expected recorded values to judge hidden ones by, found all of them miss"
    ):
        inpainting_errors(trained, recordings)
    recordings[0].positions[:] = np.nan
    with pytest.raises(DatasetError, match=r"^recording 0: expected a joint recorded in at least one frame, found all"):
        inpainting_errors(trained, recordings)


def test_a_repaired_recording_says_what_was_missing(trained: Run) -> None:
    recording = _recordings(1)[0]
    recording.positions[2:5, 6] = np.nan
    original, hidden, found = inpainted(trained, recording, [0])
    assert np.isnan(original).sum() == 9 and np.isnan(original[2:5, 6]).all()
    assert np.isfinite(found).all() and hidden.shape == found.shape[:2]


def test_the_roots_path_is_no_joint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its unit is another one: an error of it in centimetres would be none."""
    run = _run(root_path=True)
    wrong = torch.zeros(63)
    wrong[60:] = 1
    Fake(monkeypatch, run, lambda batch: batch.frames + wrong)
    assert _errors(inpainting_errors(run, _recordings())) == (0, 0)


# ---- the plainest guess --------------------------------------------------------------------------------------------


def test_a_still_recording_is_guessed_from_its_first_frame(trained: Run) -> None:
    still = [replace(s, positions=s.positions[:1].repeat(9, axis=0)) for s in _recordings()]
    assert _errors(first_frame_errors(trained, still)) == (0, 0)


def test_the_first_frame_as_a_guess_is_off_by_the_motion_since(monkeypatch: pytest.MonkeyPatch, trained: Run) -> None:
    """All joints but the root step by 0.1 m along each axis at the second frame and stay."""
    jump = []
    for sequence in _recordings():
        positions = sequence.positions[:1].repeat(9, axis=0)
        positions[1:, 1:] += 0.1
        jump.append(replace(sequence, positions=positions))
    run = replace(trained, recipe=replace(trained.recipe, alignment="none", scale=10.0))
    fake = Fake(monkeypatch, run, lambda batch: batch.frames)
    inpainting_errors(run, jump)
    hidden = sum(int(batch.hidden.sum()) for batch in fake.batches)
    moved = sum(int(batch.hidden[:, 3:].sum()) for batch in fake.batches)  # the root is the first joint
    values = sum(batch.hidden.numel() for batch in fake.batches)
    found = first_frame_errors(run, jump)
    assert 0 < moved < hidden
    assert found["inpaint_hidden"]["rmse_cm"] == pytest.approx(10 * (moved / hidden) ** 0.5, rel=1e-4)
    assert found["inpaint_all"]["rmse_cm"] == pytest.approx(10 * (moved / values) ** 0.5, rel=1e-4)
    assert found["inpaint_all"]["rmse_scaled"] == pytest.approx(0.01 * (moved / values) ** 0.5, rel=1e-4)


# ---- one recording, to be drawn ------------------------------------------------------------------------------------


def test_inpainted_gives_metres_what_is_hidden_and_the_networks_own_output(
    monkeypatch: pytest.MonkeyPatch, trained: Run
) -> None:
    sequence = _recordings()[2]
    Fake(monkeypatch, trained, lambda batch: batch.frames + 1)
    original, hidden, found = inpainted(trained, sequence, [1, 3])
    assert original.shape == found.shape == (14, 20, 3) and hidden.shape == (14, 20)
    expected = trained.recipe.apply(sequence).reshape(14, 20, 3) * trained.recipe.scale
    np.testing.assert_allclose(original, expected, atol=1e-6)
    np.testing.assert_allclose(found, expected + trained.recipe.scale, atol=1e-6)
    assert not hidden[0].any()
    parts = {*KINECT.body_parts[1], *KINECT.body_parts[3]}
    assert all({joint for joint in range(20) if row[joint]} == parts for row in hidden[1:])


def test_the_network_never_sees_what_is_hidden(trained: Run) -> None:
    """Other hidden values give the same inpainted ones, if the print is kept out of it."""
    sequence = _recordings()[3]
    changed = replace(sequence, positions=sequence.positions.copy())
    changed.positions[1:, list(KINECT.body_parts[0])] += 0.03
    blind = replace(trained, method=_run(condition="none").method)
    _, _, one = inpainted(blind, sequence, [0])
    _, _, other = inpainted(blind, changed, [0])
    np.testing.assert_array_equal(one, other)
    _, _, seen = inpainted(blind, changed, [1])
    assert np.abs(seen - one).max() > 1e-6


def test_a_model_that_repairs_is_judged_with_prints_of_what_is_shown_alone() -> None:
    """Enc never reads what Dec is to tell: other values under what is hidden give the same inpainted values."""
    sequences = _recordings()
    changes = {"encoder_units": 4, "decoder_units": 6, "steps": 1}
    config, recipe = configure(KINECT, preset="repair", changes=changes, fps=15.0)
    run = train_on(sequences, config, recipe, device="cpu")
    arm = list(KINECT.body_parts[1])
    moved = sequences[0].positions.copy()
    moved[1:, arm] += 0.05
    found = [inpainted(run, each, [1]) for each in (sequences[0], replace(sequences[0], positions=moved))]
    (_, hidden, one), (_, _, other) = found
    assert hidden[1:, arm].all() and not hidden[0].any()
    np.testing.assert_array_equal(one[hidden], other[hidden])
