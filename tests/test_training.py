"""Training: exact, restartable, and blind to what tests."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from motionprint.corpora.synthetic import generate
from motionprint.errors import CheckpointError, DatasetError, MotionprintError, SettingsError
from motionprint.methods import Inpainting
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset, open_dataset, write_dataset
from motionprint.training import load_run, pretrain, train_on
from motionprint.training.loop import Trainer
from motionprint.training.run import resolve_device
from motionprint.training.start import configure

TINY = {
    "encoder_units": 4,
    "decoder_units": 4,
    "discriminator_units": 2,
    "batch_size": 8,
    "crops": 2,
    "log_every": 2,
    "checkpoint_every": 3,
}


@pytest.fixture(scope="module")
def sequences() -> list[SkeletonSequence]:
    """Forty short recordings of four subjects."""
    chosen = [s for s in generate(seed=0) if s.subject in ("s01", "s02", "s03", "s04")]
    return [replace(s, positions=s.positions[:45]) for s in chosen[:: max(1, len(chosen) // 40)]][:40]


@pytest.fixture(scope="module")
def dataset(sequences: list[SkeletonSequence], tmp_path_factory: pytest.TempPathFactory) -> MotionDataset:
    return _store(sequences, tmp_path_factory.mktemp("training") / "data")


def _store(sequences: list[SkeletonSequence], folder: Path) -> MotionDataset:
    write_dataset(folder, sequences)
    return open_dataset(folder)


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def _log(folder: Path) -> list[dict[str, str]]:
    with open(folder / "log.csv", newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def _change(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def _same(a: Path, b: Path) -> bool:
    first, second = _weights(a), _weights(b)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_one_seed_gives_the_same_bits_and_another_seed_other_weights(dataset: MotionDataset, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(len(name) + seed)  # the caller's random state plays no part
        pretrain(dataset, tmp_path / name, changes=TINY, steps=5, seed=seed)
    assert _same(tmp_path / "a", tmp_path / "b")
    assert not _same(tmp_path / "a", tmp_path / "c")


def test_training_leaves_the_callers_random_state_alone(dataset: MotionDataset, tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=2)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("stop", [2, 3, 4, 7])
def test_a_killed_run_is_taken_up_bit_for_bit(dataset: MotionDataset, tmp_path: Path, stop: int) -> None:
    class Killed(BaseException):
        pass

    def kill(done: int, total: int | None, text: str) -> None:
        if total is not None and done == stop:
            raise Killed

    with pytest.raises(Killed):
        pretrain(dataset, tmp_path / "killed", changes=TINY, steps=8, report=kill, command="first")
    if stop < 3:  # nothing stands under the name of a run before its first checkpoint
        assert not (tmp_path / "killed").exists()
    else:
        assert load_run(tmp_path / "killed").steps == stop // 3 * 3
    run = pretrain(dataset, tmp_path / "killed", changes=TINY, steps=8, resume=True, command="second")
    pretrain(dataset, tmp_path / "whole", changes=TINY, steps=8)
    assert run.steps == 8
    assert run.config["command"] == ("second" if stop < 3 else "first")
    again = {"command": "second", "step": stop // 3 * 3, "damaged": []}
    assert run.config.get("resumed", []) == ([] if stop < 3 else [again])
    assert _same(tmp_path / "killed", tmp_path / "whole")
    logs = [
        [[value for key, value in row.items() if key != "seconds"] for row in _log(tmp_path / name)]
        for name in ("killed", "whole")
    ]
    assert logs[0] == logs[1] and [row[0] for row in logs[0]] == ["2", "4", "6", "8"]


@pytest.mark.parametrize("workers", [1, 3])
def test_results_do_not_depend_on_the_threads_that_prepare_batches(
    dataset: MotionDataset, tmp_path: Path, workers: int
) -> None:
    pretrain(dataset, tmp_path / "none", changes={**TINY, "workers": 0}, steps=25)  # two epochs and a half
    pretrain(dataset, tmp_path / "some", changes={**TINY, "workers": workers}, steps=11)
    pretrain(dataset, tmp_path / "some", changes={**TINY, "workers": 0}, steps=13, resume=True)  # may be another number
    pretrain(dataset, tmp_path / "some", changes={**TINY, "workers": workers}, steps=25, resume=True)
    assert _same(tmp_path / "none", tmp_path / "some")


@pytest.mark.parametrize("end", [RuntimeError, KeyboardInterrupt])
def test_no_thread_and_no_file_stays_when_training_fails(
    dataset: MotionDataset, tmp_path: Path, end: type[BaseException]
) -> None:
    def fail(done: int, total: int | None, text: str) -> None:
        if total is not None and done == 4:
            assert any(thread.name.startswith("motionprint-batches") for thread in threading.enumerate())
            raise end

    with pytest.raises(end):
        pretrain(dataset, tmp_path / "run", changes={**TINY, "workers": 2}, steps=8, report=fail)
    assert not any(thread.name.startswith("motionprint-batches") for thread in threading.enumerate())
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_training_reads_what_the_recipe_makes_of_the_recordings(
    sequences: list[SkeletonSequence], dataset: MotionDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Trainer] = []
    original = Trainer.run

    def keep(self: Trainer, *arguments: Any) -> int:
        made.append(self)
        return original(self, *arguments)

    monkeypatch.setattr(Trainer, "run", keep)
    changes = {**TINY, "steps": 1, "window_over": 20, "window": 10, "max_length": 8}
    for source in (sequences, dataset):
        run = train_on(source, *configure(dataset.skeleton, changes=changes))
        expected = [(i, run.recipe.apply(s, piece)) for i, s in enumerate(sequences) for piece in run.recipe.pieces(s)]
        frames = made[-1].crops.frames
        assert len(frames) == len(expected) > len(sequences)
        assert frames.recording.tolist() == [number for number, _ in expected]
        np.testing.assert_array_equal(frames.rows.read(0, len(frames.rows)), np.concatenate([f for _, f in expected]))


def test_a_disk_without_room_for_the_frames_is_named_with_the_size(
    dataset: MotionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", ["total", "used", "free"])
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(10**9, 10**9 - 1000, 1000))
    frames = sum(-(-length // 2) for length in dataset.lengths.tolist())  # 30 frames/s at 15
    needed = re.escape(f"{frames * 3 * len(dataset.skeleton) * 4 / 1e6:.1f} MB")
    with pytest.raises(
        DatasetError,
        match=rf"data: expected {needed} of free disk for preprocessed frames in {tmp_path}/new, found 0\.0 MB$",
    ):
        pretrain(dataset, tmp_path / "new" / "run", changes=TINY, steps=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("sent", "step"), [(signal.SIGINT, 2), (signal.SIGINT, 4), (signal.SIGTERM, 4)])
def test_a_signal_ends_training_after_a_whole_step_and_leaves_a_usable_run(
    dataset: MotionDataset, tmp_path: Path, sent: signal.Signals, step: int
) -> None:
    def interrupt(done: int, total: int | None, text: str) -> None:
        if total is not None and done == step:
            os.kill(os.getpid(), sent)

    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt if sent == signal.SIGINT else SystemExit):
        pretrain(dataset, tmp_path / "run", changes=TINY, steps=8, report=interrupt)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert load_run(tmp_path / "run").steps == step
    pretrain(dataset, tmp_path / "run", changes=TINY, resume=True)  # the steps, too, are those of the run
    pretrain(dataset, tmp_path / "whole", changes=TINY, steps=8)
    assert _same(tmp_path / "run", tmp_path / "whole")


def test_altering_test_recordings_changes_no_weight(
    sequences: list[SkeletonSequence], dataset: MotionDataset, tmp_path: Path
) -> None:
    altered = [
        replace(s, positions=s.positions + np.float32(7) * (s.subject in ("s03", "s04")) * s.positions**2)
        for s in sequences
    ]
    other = _store(altered, tmp_path / "altered")
    for name, data in (("a", dataset), ("b", other)):
        pretrain(data, tmp_path / name, changes=TINY, steps=5, protocol="subjects:s01,s02")
    assert _same(tmp_path / "a", tmp_path / "b")
    configs = [json.loads((tmp_path / name / "config.json").read_text()) for name in "ab"]
    assert configs[0]["fitted"] == configs[1]["fitted"]
    assert configs[0]["recipe"] == configs[1]["recipe"]
    everything = pretrain(dataset, tmp_path / "c", changes=TINY, steps=5)
    assert len(everything.config["fitted"]) == len(dataset) > len(configs[0]["fitted"])


def test_only_training_recordings_are_read(
    dataset: MotionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str | None] = []
    original = MotionDataset._sequence

    def watch(self: MotionDataset, number: int) -> SkeletonSequence:
        sequence = original(self, number)
        read.append(sequence.subject)
        return sequence

    monkeypatch.setattr(MotionDataset, "_sequence", watch)
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=1, protocol="subjects:s01,s02")
    assert set(read) == {"s01", "s02"}


def test_what_cannot_be_trained_on_is_refused_by_name(sequences: list[SkeletonSequence], tmp_path: Path) -> None:
    root = sequences[0].skeleton.root
    for name, where, message in (
        ("nothing", (slice(None), slice(None)), "expected a joint recorded in at least one frame, found all values"),
        ("no root", (slice(None), root), f"expected the root joint {sequences[0].skeleton.joint_names[root]} in at le"),
    ):
        holed = sequences[2].positions.copy()
        holed[where] = np.nan
        data = _store([*sequences[:2], replace(sequences[2], positions=holed), *sequences[3:]], tmp_path / name)
        with pytest.raises(DatasetError, match=f"{name}: {re.escape(sequences[2].name)}: {message}"):
            pretrain(data, tmp_path / "run", changes=TINY, steps=1)
        assert not (tmp_path / "run").exists()


def test_an_existing_run_is_kept(dataset: MotionDataset, tmp_path: Path) -> None:
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=1)
    before = _weights(tmp_path / "run")
    with pytest.raises(DatasetError, match="exists; --resume continues it, --overwrite replaces it"):
        pretrain(dataset, tmp_path / "run", changes=TINY, steps=2, seed=5)
    after = _weights(tmp_path / "run")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert pretrain(dataset, tmp_path / "run", changes=TINY, steps=2, seed=5, overwrite=True).config["seed"] == 5


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"seed": 1}, "was trained with seed 0, found 1"),
        ({"protocol": "subjects:s01"}, "was trained with protocol None, found 'subjects:s01'"),
        ({"changes": {**TINY, "learning_rate": 0.1}}, "was trained with learning_rate 0.0005, found 0.1"),
        ({"changes": {**TINY, "encoder_units": 5}}, "was trained with settings"),
        ({"changes": {**TINY, "alignment": "body"}}, "was trained with alignment 'heading', found 'body'"),
        ({"steps": 1}, "expected at least the 3 steps that are done, found 1"),
    ],
)
def test_resuming_with_other_settings_is_refused(
    dataset: MotionDataset, tmp_path: Path, other: dict[str, object], message: str
) -> None:
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=3)
    given: dict[str, object] = {"changes": TINY, "steps": 6, **other}
    with pytest.raises(SettingsError, match=message):
        pretrain(dataset, tmp_path / "run", resume=True, **given)  # type: ignore[arg-type]


def test_resuming_on_other_recordings_is_refused(
    sequences: list[SkeletonSequence], dataset: MotionDataset, tmp_path: Path
) -> None:
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=3)
    write_dataset(tmp_path / "other" / dataset.folder.name, sequences[:-1])
    with pytest.raises(CheckpointError, match="other recordings"):
        pretrain(tmp_path / "other" / dataset.folder.name, tmp_path / "run", changes=TINY, steps=6, resume=True)


def test_epochs_count_steps(dataset: MotionDataset, tmp_path: Path) -> None:
    run = pretrain(dataset, tmp_path / "run", changes=TINY, epochs=1)
    assert run.steps == -(-len(dataset) * 2 // 8)
    with pytest.raises(SettingsError, match="expected steps or epochs, found both"):
        pretrain(dataset, tmp_path / "both", changes=TINY, epochs=1, steps=1)


def test_the_log_holds_every_objective(dataset: MotionDataset, tmp_path: Path) -> None:
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=5)
    rows = _log(tmp_path / "run")
    assert [int(row["step"]) for row in rows] == [2, 4, 5]
    for name in ("encoder", "decoder", "discriminator"):
        assert all(np.isfinite(float(row[name])) and float(row[f"{name}_gradient"]) > 0 for row in rows)


def test_a_critics_weights_stay_in_bounds(dataset: MotionDataset, tmp_path: Path) -> None:
    run = pretrain(dataset, tmp_path / "run", changes={**TINY, "adversary": "wasserstein"}, steps=2)
    method = run.method
    assert isinstance(method, Inpainting) and method.discriminator is not None
    largest = max(float(p.detach().abs().max()) for p in method.discriminator.parameters())
    assert largest == pytest.approx(0.01)
    assert max(float(p.detach().abs().max()) for p in method.encoder.parameters()) > 0.02


def test_a_diverging_run_stops_with_step_and_remedy(
    dataset: MotionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Inpainting.objectives
    calls = 0

    def spoil(self: Inpainting, batch: object) -> object:
        nonlocal calls
        calls += 1
        found = dict(original(self, batch))  # type: ignore[arg-type]
        return {name: value * float("nan") for name, value in found.items()} if calls > 4 else found

    monkeypatch.setattr(Inpainting, "objectives", spoil)
    with pytest.raises(MotionprintError, match=r"step 4: expected finite objectives, found encoder = nan"):
        pretrain(dataset, tmp_path / "run", changes=TINY, steps=8)
    assert load_run(tmp_path / "run").steps == 3


def test_what_fails_before_the_first_checkpoint_leaves_nothing_and_what_was_there(
    dataset: MotionDataset, tmp_path: Path
) -> None:
    broken = {**TINY, "lambda_adv": float("nan")}
    with pytest.raises(MotionprintError, match="step 0: expected finite objectives"):
        pretrain(dataset, tmp_path / "run", changes=broken, steps=8)
    assert list(tmp_path.iterdir()) == []
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=1)
    before = _weights(tmp_path / "run")
    with pytest.raises(MotionprintError, match="step 0: expected finite objectives"):
        pretrain(dataset, tmp_path / "run", changes=broken, steps=8, overwrite=True)
    after = _weights(tmp_path / "run")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_never_replaces_the_data_set_that_it_reads(dataset: MotionDataset) -> None:
    with pytest.raises(DatasetError):
        pretrain(dataset, dataset.folder, changes=TINY, steps=1, overwrite=True)
    assert len(open_dataset(dataset.folder)) == len(dataset)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "model.safetensors").write_bytes(b"0123456789" * 9), "damaged"),
        (lambda f: os.truncate(f / "model.safetensors", 2000), "damaged"),
        (lambda f: (f / "model.safetensors").unlink(), "expected weights, found none"),
        (lambda f: (f / "config.json").write_text("{"), "expected JSON"),
        (lambda f: (f / "config.json").write_text("{}"), "missing method, preset, settings"),
        (lambda f: (f / "config.json").write_text("5"), "expected the configuration of a run, found int"),
        (lambda f: _change(f, fitted=3), "expected under fitted a list of hashes"),
        (lambda f: _change(f, seed="x"), "expected a run's settings"),
        (lambda f: _change(f, skeleton=[]), "expected a run's settings"),
        (lambda f: (f / "config.json").unlink(), "expected a run folder with config.json, found none"),
    ],
)
def test_a_damaged_run_is_named(
    dataset: MotionDataset, tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=1)
    damage(tmp_path / "run")
    with pytest.raises(CheckpointError, match=message):
        load_run(tmp_path / "run")


def test_weights_of_another_skeleton_are_refused(dataset: MotionDataset, tmp_path: Path) -> None:
    pretrain(dataset, tmp_path / "run", changes=TINY, steps=1)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["recipe"]["root_path"] = True  # three inputs more than the weights have
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"does not fit config\.json"):
        load_run(tmp_path / "run")


def test_untrained_is_the_run_before_its_first_step(dataset: MotionDataset, tmp_path: Path) -> None:
    run = pretrain(dataset, tmp_path / "run", changes=TINY, steps=4, seed=3)
    start = pretrain(dataset, tmp_path / "start", changes=TINY, steps=0, seed=3)
    assert run.untrained().model_hash == start.model_hash != run.model_hash


def test_unknown_settings_name_the_known_ones(dataset: MotionDataset) -> None:
    for given, message in (
        ({"changes": {"hiden": 1}}, "unknown setting 'hiden': expected one of .*encoder_units.*steps.*alignment"),
        ({"method": "gan"}, "unknown method 'gan': expected one of inpainting"),
        ({"preset": "big"}, "unknown preset 'big': expected one of small, paper, paper-wide"),
        ({"changes": {"alignment": "up"}}, "unknown alignment 'up': expected one of none, heading, body"),
        ({"changes": {"batch_size": 0}}, "expected batch_size of at least 1, found 0"),
        ({"changes": {"workers": -1}}, "expected workers of at least 0, found -1"),
    ):
        with pytest.raises(SettingsError, match=message):
            configure(dataset.skeleton, **given)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="device 'abc' cannot be used here"):
        resolve_device("abc")


THREADS = """
import sys, torch
from motionprint.training import pretrain
counts = []
pretrain(sys.argv[1], sys.argv[2], changes=eval(sys.argv[3]), steps=2,
         report=lambda done, total, text: counts.append(torch.get_num_threads()) if total else None)
print(*counts)
"""


def test_the_thread_that_trains_keeps_its_threads(dataset: MotionDataset, tmp_path: Path) -> None:
    """PyTorch's number of threads, set anywhere, is what a thread that has not computed yet begins with."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    changes = repr({**TINY, "workers": 2})
    found = [
        subprocess.run([sys.executable, "-c", *words], capture_output=True, text=True, check=True, env=environment)
        for words in (
            ["import torch; print(torch.get_num_threads())"],
            [THREADS, str(dataset.folder), str(tmp_path / "run"), changes],
        )
    ]
    assert {word for each in found for word in each.stdout.split()} == {found[0].stdout.strip()}
