"""Several processes train exactly what one would: the same losses, the same weights, one folder; and fail as one."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from motionprint.batches import Batch, Crops, Packing
from motionprint.cli import main
from motionprint.errors import MotionprintError, SettingsError
from motionprint.methods import METHODS, Inpainting
from motionprint.methods.inpainting import InpaintingSettings
from motionprint.networks.recurrent import dropout
from motionprint.preprocessing.frames import Frames
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import MotionDataset, open_dataset, write_dataset
from motionprint.training import TrainingSettings, load_run, pretrain
from motionprint.training.distributed import ALONE, World, joined
from motionprint.training.loop import Trainer, gradients

CPU = torch.device("cpu")
KINECT = SKELETONS["kinect20"]
INPUTS = 60
EXACT = {"rtol": 1e-10, "atol": 1e-10}

TINY = {
    "encoder_units": 4,
    "decoder_units": 4,
    "discriminator_units": 2,
    "batch_size": 8,
    "crops": 2,
    "log_every": 2,
    "checkpoint_every": 3,
}
OPTIONS = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]

# ---- what the processes do: this file is also the program of each of them ---------------------------------------


def _trainer(world: World, cell: str = "gru", holes: bool = False) -> Trainer:
    """Ten sub-sequences an epoch, in batches of four, four and two: of the last, a third process gets none.

    With holes, joints are missing in three of five recordings, and hidden from the encoder; parts are hidden anew in
    each frame, the encoder is adversarial and the decoder sees the future.
    """
    rng = np.random.default_rng(0)
    sequences = [rng.uniform(-1, 1, (length, INPUTS)).astype(np.float32) for length in (9, 30, 14, 7, 22)]
    for sequence in sequences[::2] if holes else ():
        sequence[(rng.random((len(sequence), INPUTS // 3)) < 0.3).repeat(3, axis=1)] = np.nan
    torch.manual_seed(0)
    method = Inpainting(
        KINECT,
        INPUTS,
        InpaintingSettings(
            encoder_units=5,
            decoder_units=6,
            discriminator_units=3,
            dropout=0.2,
            cell=cell,  # type: ignore[arg-type]
            lambda_adv=0.7,
            encoder_hide_joints=0.5 * holes,
            encoder_hide_frames=0.3 * holes,
            redraw_parts=holes,
            hide_first_frame=holes,
            encoder_adversarial=holes,
            decoder_sees_future=holes,
        ),
    ).double()
    crops = Crops(
        Frames(([sequence] for sequence in sequences), method.decoder.rnn.cell.input_size),
        list(method.hidden_inputs),
        batch_size=4,
        crops=2,
        shortest=3,
        longest=12,
        hidden_parts=None,
        seed=3,
        encoder_hides=method.encoder_hides,
        hiding=method.hiding,
    )
    return Trainer(method, crops, TrainingSettings(steps=8, learning_rate=0.01, checkpoint_every=4), 3, world)


def train(out: str, cell: str, holes: bool) -> list[dict[str, float]]:
    """Train in float64, keep the weights of every process, and give what each step found."""
    found: list[dict[str, float]] = []
    with joined("cpu") as world:
        trainer = _trainer(world, cell, holes)
        if world.rank == 1:
            torch.nn.init.ones_(next(trainer.method.parameters()))  # the first process's weights count
        trainer.run(lambda step, values: found.append(dict(values)), lambda: 0)
        save_file(trainer.state(), f"{out}.{world.rank}")
    return found


def command(arguments: list[str], spoiled: str | None = None, at: int = 4) -> tuple[int, str, str]:
    """The command line: exit status, standard output and standard error; spoiled in process 1 at a step."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        if spoiled is not None and os.environ.get("RANK") == "1":
            SPOILED[spoiled](patch, at)
        try:
            main(arguments)
        except SystemExit as stop:
            return int(stop.code or 0), out.getvalue(), err.getvalue()
    raise AssertionError


def _at_call(patch: pytest.MonkeyPatch, owner: Any, name: str, at: int, change: Callable[[Any, Any], Any]) -> None:
    """Change what the ``at``-th call of a method (from 0) returns."""
    original, calls = getattr(owner, name), 0

    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal calls
        found = original(self, *arguments, **named)
        calls += 1
        return change(self, found) if calls == at + 1 else found

    patch.setattr(owner, name, call)


def _not_a_number(patch: pytest.MonkeyPatch, at: int) -> None:
    _at_call(patch, Inpainting, "objectives", at, lambda _, found: {k: v * math.nan for k, v in found.items()})


def _drifting(patch: pytest.MonkeyPatch, at: int) -> None:
    def drift(optimiser: torch.optim.Adam, _: Any) -> None:
        with torch.no_grad():
            optimiser.param_groups[0]["params"][2].flatten()[0].nextafter_(torch.tensor(9.0))

    _at_call(patch, torch.optim.Adam, "step", at, drift)


def _signalled(patch: pytest.MonkeyPatch, at: int) -> None:
    # in the step itself: batches are drawn ahead
    _at_call(patch, Inpainting, "objectives", at, lambda _, found: (os.kill(os.getpid(), signal.SIGTERM), found)[1])


def _broken(patch: pytest.MonkeyPatch, at: int) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    _at_call(patch, Inpainting, "objectives", at, fail)


def _elsewhere(patch: pytest.MonkeyPatch, at: int) -> None:
    patch.setattr(World, "device", lambda self, name: "meta")


SPOILED = {"elsewhere": _elsewhere, "nan": _not_a_number, "drift": _drifting, "signal": _signalled, "broken": _broken}


def silent(meeting: str) -> str:
    """Process 1 says nothing after it has joined; what process 0 finds after a second."""
    rank = int(os.environ["RANK"])
    Path(f"{meeting}.{rank}").touch()
    while not Path(f"{meeting}.{1 - rank}").exists():  # so that the second is not spent on waiting for a start
        time.sleep(0.01)
    try:
        with joined("cpu", timeout=timedelta(seconds=1)) as world:
            if rank == 0:
                world.wait()
            while not Path(f"{meeting}.over").exists():
                time.sleep(0.01)
    except MotionprintError as error:
        Path(f"{meeting}.over").touch()
        return f"{type(error).__name__}: {error}"
    return "nothing"


def serve() -> None:
    """Do what is asked for, a line at a time."""
    for line in sys.stdin:
        asked = json.loads(line)
        os.environ.update(asked["environment"])
        answer = globals()[asked["do"]](*asked["arguments"])
        print(json.dumps(answer), file=sys.__stdout__, flush=True)


# ---- starting them -----------------------------------------------------------------------------------------------


def _environment(rank: int, size: int, port: int) -> dict[str, str]:
    """What torchrun tells a process."""
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return {name: str(value) for name, value in told.items()}


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
    return port


class Processes:
    """Three processes that wait for work; they join anew for each piece of it."""

    def __init__(self) -> None:
        self.children = [
            subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]

    def do(self, what: str, arguments: list[list[Any]]) -> list[Any]:
        """Answers of as many processes as there are lists of arguments."""
        port = _free_port()
        children = self.children[: len(arguments)]
        for rank, (child, words) in enumerate(zip(children, arguments, strict=True)):
            environment = _environment(rank, len(arguments), port)
            assert child.stdin is not None
            print(
                json.dumps({"do": what, "arguments": words, "environment": environment}), file=child.stdin, flush=True
            )
        return [json.loads(child.stdout.readline()) for child in children if child.stdout is not None]

    def stop(self) -> None:
        for child in self.children:
            child.kill()
            child.communicate()


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    started = Processes()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> MotionDataset:
    """Twenty short recordings of joints that wander."""
    rng = np.random.default_rng(0)
    sequences = []
    for number in range(20):
        steps = rng.normal(0, 0.02, (45, len(KINECT), 3))
        steps[0] = rng.uniform(0, 1, (len(KINECT), 3))
        positions = steps.cumsum(axis=0).astype(np.float32)
        sequences.append(SkeletonSequence(positions, 30.0, KINECT, name=f"take {number}"))
    folder = tmp_path_factory.mktemp("several") / "data"
    write_dataset(folder, sequences)
    return open_dataset(folder)


def _pretrain(dataset: MotionDataset, out: Path, steps: int, *more: str) -> list[str]:
    return [
        "pretrain",
        str(dataset.folder),
        "--out",
        str(out),
        "--steps",
        str(steps),
        "--device",
        "cpu",
        *OPTIONS,
        *more,
    ]


def _lines(answers: list[Any]) -> list[str]:
    """All that the processes have said on standard error."""
    return [line for _, _, err in answers for line in err.splitlines()]


def _close(a: Path, b: Path) -> None:
    """Two runs have the same weights and moments within the rounding of float32."""
    first, second = (load_file(folder / "model.safetensors") for folder in (a, b))
    assert first.keys() == second.keys()
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-4, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")


# ---- parts of a batch --------------------------------------------------------------------------------------------

some_lengths = st.lists(st.integers(1, 6), min_size=1, max_size=7).map(lambda found: tuple(sorted(found)[::-1]))


@settings(deadline=None, max_examples=40)
@given(lengths=some_lengths, size=st.integers(1, 9), times=st.integers(1, 3))
def test_a_part_knows_its_rows_in_the_whole(lengths: tuple[int, ...], size: int, times: int) -> None:
    """Whole and parts are made longer and repeated; a row of a part is the same frame of the same sequence there."""
    for change in (lambda p: p, lambda p: p.longer, lambda p: p.repeated(times), lambda p: p.longer.repeated(times)):
        whole = change(Packing(lengths))
        assert torch.equal(whole.rows_in_whole, torch.arange(whole.rows))
        seen = []
        for rank in range(size):
            part = change(Packing(lengths).every(rank, size))
            assert part.whole == whole
            assert part.lengths == tuple(sorted(part.lengths)[::-1])
            rows = part.rows_in_whole
            assert len(rows) == part.rows == sum(part.sizes)
            assert torch.equal(whole.time[rows], part.time)
            numbers = torch.tensor(part.part.sequences, dtype=torch.int64)
            assert torch.equal(whole.sequence[rows], numbers[part.sequence])
            assert torch.equal(part.rows_in_whole[part.last], whole.last[numbers])
            seen += rows.tolist()
        assert sorted(seen) == list(range(whole.rows))


def _batches(step: int, size: int) -> tuple[Batch, list[Batch]]:
    crops = _trainer(ALONE).crops
    return crops.batch(step, CPU), [crops.batch(step, CPU, (rank, size)) for rank in range(size)]


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_shares_of_a_batch_together_are_the_batch(size: int) -> None:
    for step in range(6):
        whole, parts = _batches(step, size)
        assert whole.packing.count in (2, 4)
        for name in ("frames", "hidden", "frame_weights"):
            for part in parts:
                assert torch.equal(getattr(part, name), getattr(whole, name)[part.packing.rows_in_whole])
        assert sum(part.packing.rows for part in parts) == whole.packing.rows
        loads = [part.packing.count for part in parts]
        assert max(loads) - min(loads) <= 1


def test_what_a_part_draws_is_what_the_whole_draws() -> None:
    whole, parts = _batches(0, 3)

    def drawn(batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        torch.manual_seed(5)
        packing = batch.packing.longer.repeated(2)
        return batch.normal(4), dropout(torch.ones(packing.rows, 3), 0.5, packing), packing.draw_rows(torch.rand)

    noise, kept, by_row = drawn(whole)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert len(by_row.unique()) == len(by_row) == whole.packing.longer.repeated(2).rows
    for part in parts:
        own_noise, own_kept, own_by_row = drawn(part)
        assert torch.equal(own_noise, noise[list(part.packing.part.sequences)])
        assert torch.equal(own_kept, kept[part.packing.longer.repeated(2).rows_in_whole])
        assert torch.equal(own_by_row, by_row[part.packing.longer.repeated(2).rows_in_whole])


@pytest.mark.parametrize("name", sorted(name for name, kind in METHODS.items() if not kind.closed))
def test_objectives_and_gradients_of_the_shares_add_up(name: str) -> None:
    """What several processes rely on, of every method that is trained step by step."""
    kind = METHODS[name]
    torch.manual_seed(0)
    method = kind(KINECT, INPUTS, kind.presets["small"]).double().train()
    whole, parts = _batches(0, 3)

    def found(batch: Batch) -> list[torch.Tensor]:
        torch.manual_seed(1)
        objectives = method.objectives(replace(batch, frames=batch.frames.double()))
        gradients(method.networks, objectives)
        values = [objective.detach() for objective in objectives.values()]
        return values + [p.grad.clone() for p in method.parameters() if p.grad is not None]

    expected, added = found(whole), [found(part) for part in parts]
    for number, value in enumerate(expected):
        torch.testing.assert_close(sum(each[number] for each in added), value, **EXACT)


# ---- what a process is told --------------------------------------------------------------------------------------


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined() as world:
        assert world is ALONE
        assert world.device("cuda:1") == "cuda:1"
        assert world.told("a") == "a"
        world.wait()
        world.expect_same({"a": 1})
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"RANK": ""}, "environment: expected RANK as torchrun sets it beside WORLD_SIZE, found none"),
        ({"LOCAL_RANK": "x"}, "environment: expected LOCAL_RANK as torchrun .*, found x"),
        ({"MASTER_ADDR": ""}, "environment: expected MASTER_ADDR"),
        ({"RANK": "2"}, "environment: expected RANK below WORLD_SIZE, found 2 and 2"),
    ],
)
def test_an_environment_that_torchrun_does_not_make_is_refused(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], message: str
) -> None:
    for name, value in {**_environment(0, 2, 1), **changes}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message), joined():
        pass


def test_others_that_cannot_be_reached_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _environment(1, 2, _free_port()).items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(MotionprintError, match=r"process 1 of 2: the others cannot be reached at 127\.0\.0\.1:\d+: "),
        joined(timeout=timedelta(seconds=1)),
    ):
        pass


def test_each_process_takes_the_gpu_of_its_own_number(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(5, 8, local_rank=1)
    assert world.device("cpu") == world.device("auto") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert world.device("auto") == world.device("cuda") == "cuda:1"
    with pytest.raises(SettingsError, match="expected device auto, cuda or cpu for several processes, found 'cuda:1'"):
        world.device("cuda:1")
    with pytest.raises(SettingsError, match="expected a GPU for each process of a machine, found 2 for process 2"):
        World(6, 8, local_rank=2).device("auto")


@pytest.mark.parametrize("rank", [0, 1])
def test_wrong_usage_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rank: int
) -> None:
    monkeypatch.setenv("RANK", str(rank))
    with pytest.raises(SystemExit) as stop:
        main(["pretrain", "--nothing"])
    assert stop.value.code == 2
    assert ("Usage:" in capsys.readouterr().err) == (rank == 0)


# ---- the same as one process -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "cell", "holes"), [(2, "gru", False), (3, "gru", False), (2, "lstm", False), (2, "gru", True)]
)
def test_several_processes_find_the_losses_and_weights_of_one(
    processes: Processes, tmp_path: Path, size: int, cell: str, holes: bool
) -> None:
    expected: list[dict[str, float]] = []
    trainer = _trainer(ALONE, cell, holes)
    sizes = {trainer.crops.batch(step, CPU).packing.count for step in range(8)}
    assert sizes == {4, 2}  # three processes have too few in some steps
    trainer.run(lambda step, values: expected.append(dict(values)), lambda: 0)
    found = processes.do("train", [[str(tmp_path / "state"), cell, holes]] * size)
    assert len(expected) == 8
    assert expected[0]["encoder"] != pytest.approx(expected[-1]["encoder"], rel=1e-3)
    for values in found:
        for step, (one, several) in enumerate(zip(expected, values, strict=True)):
            assert several == pytest.approx(one, rel=1e-10, abs=1e-10), step
    for rank in range(size):
        state = load_file(tmp_path / f"state.{rank}")
        for name, tensor in trainer.state().items():
            torch.testing.assert_close(state[name], tensor, **EXACT)
            assert torch.equal(state[name], load_file(tmp_path / "state.0")[name])


@pytest.mark.slow
def test_torchrun_makes_the_run_of_one_process_and_each_takes_up_the_others(
    processes: Processes, dataset: MotionDataset, tmp_path: Path
) -> None:
    launched = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
            *("-m", "motionprint", *_pretrain(dataset, tmp_path / "two", 4)),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={name: value for name, value in os.environ.items() if name not in _environment(0, 1, 0)},
    )
    assert launched.returncode == 0, launched.stderr
    assert (
        launched.stdout
        == f"{tmp_path / 'two'}: 4 steps on 20 recordings (all of the data set: no --protocol was given)\n"
    )
    pretrain(dataset, tmp_path / "one", changes=TINY, steps=4, device="cpu")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == names
    _close(tmp_path / "one", tmp_path / "two")
    logs = [(tmp_path / name / "log.csv").read_text().splitlines() for name in ("one", "two")]
    assert logs[0][0] == logs[1][0]
    for one, two in zip(*logs, strict=True):
        if one != logs[0][0]:
            one_values, two_values = ([float(v) for v in line.split(",")] for line in (one, two))
            assert two_values[:2] + two_values[3:] == pytest.approx(one_values[:2] + one_values[3:], rel=1e-4)
    one, two = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("one", "two"))
    assert (one.pop("processes"), two.pop("processes")) == (1, 2)
    assert two.pop("command").startswith("motionprint pretrain ")
    one.pop("command")
    assert one == two

    shutil.copytree(tmp_path / "one", tmp_path / "one-two")
    pretrain(dataset, tmp_path / "two", changes=TINY, steps=7, device="cpu", resume=True)
    answers = processes.do("command", [[_pretrain(dataset, tmp_path / "one-two", 7, "--resume")]] * 2)
    assert [status for status, _, _ in answers] == [0, 0], answers
    assert answers[1][1:] == ["", ""]
    pretrain(dataset, tmp_path / "whole", changes=TINY, steps=7, device="cpu")
    for name in ("two", "one-two"):
        assert load_run(tmp_path / name).steps == 7
        _close(tmp_path / name, tmp_path / "whole")


def test_a_signal_to_one_process_stops_all_after_the_same_step(
    processes: Processes, dataset: MotionDataset, tmp_path: Path
) -> None:
    answers = processes.do("command", [[_pretrain(dataset, tmp_path / "run", 8, "--quiet"), "signal", 4]] * 2)
    assert sorted(status for status, _, _ in answers) == [1, 143]
    assert _lines(answers) == ["motionprint: terminated"]
    assert load_run(tmp_path / "run").steps == 6  # received within the fifth step, told with the sixth
    pretrain(dataset, tmp_path / "run", changes=TINY, device="cpu", resume=True)
    pretrain(dataset, tmp_path / "whole", changes=TINY, steps=8, device="cpu")
    _close(tmp_path / "run", tmp_path / "whole")


# ---- failing as one ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoiled", "message", "steps"),
    [
        (
            "nan",
            r"process 0 of 2: step 4: expected finite objectives, found encoder = nan; its batch is of .*: look at "
            r"these recordings, .*; the checkpoint of step 3 is kept",
            3,
        ),
        (
            "drift",
            r"process [01] of 2: expected the same weights in all processes, found another "
            r"encoder\.rnn\.cell\.bias_ih_l0 in process 1; other processors, or numbers of threads, round differently",
            3,
        ),
        ("broken", r"process 1 of 2: somewhere: No space left on device", 3),
    ],
)
def test_what_fails_in_one_process_ends_all_with_one_line(
    processes: Processes, dataset: MotionDataset, tmp_path: Path, spoiled: str, message: str, steps: int
) -> None:
    answers = processes.do("command", [[_pretrain(dataset, tmp_path / "run", 8, "--quiet"), spoiled, 4]] * 2)
    assert [status for status, _, _ in answers] == [1, 1]
    lines = _lines(answers)
    assert len(lines) == 1
    assert re.fullmatch(rf"motionprint: {message}.*", lines[0]), lines
    assert load_run(tmp_path / "run").steps == steps


def test_what_fails_before_training_is_said_once(processes: Processes, dataset: MotionDataset, tmp_path: Path) -> None:
    other = tmp_path / "other" / dataset.folder.name
    write_dataset(other, [dataset[i] for i in range(len(dataset) - 1)])
    run, nowhere = tmp_path / "run", tmp_path / "nowhere"
    usual = _pretrain(dataset, run, 8, "--quiet")
    for theirs, message in (
        ([[*usual, "--device", "cuda:1"]], "process 1 of 2: expected device auto, cuda or cpu for several processes"),
        ([["pretrain", str(nowhere), *usual[2:]]], f"process 1 of 2: {nowhere}: expected a data set folder"),
        (
            [["pretrain", str(other), *usual[2:]]],
            "process [01] of 2: expected the same recordings in all processes, found another in process 1",
        ),
        (
            [usual, "elsewhere"],
            "process [01] of 2: expected one kind of device for all processes, found cpu in process 0 and meta in "
            "process 1; --device names one",
        ),
    ):
        answers = processes.do("command", [[usual], theirs])
        assert [status for status, _, _ in answers] == [1, 1], answers
        (line,) = _lines(answers)
        assert re.match(f"motionprint: {message}", line), line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other"]
    run.mkdir()
    answers = processes.do("command", [[usual]] * 2)
    assert _lines(answers) == [
        f"motionprint: process 0 of 2: {run}: exists; --resume continues it, --overwrite replaces it"
    ]


def test_a_process_that_says_nothing_is_waited_for_no_longer_than_was_said(
    processes: Processes, tmp_path: Path
) -> None:
    waited, _ = processes.do("silent", [[str(tmp_path / "meeting")]] * 2)
    assert waited.startswith("MotionprintError: process 0 of 2: another process has ended or cannot be reached (")
    assert waited.endswith(")")


@pytest.mark.slow
def test_a_killed_process_ends_the_others_with_one_line(dataset: MotionDataset, tmp_path: Path) -> None:
    """Under torchrun, whose own report follows ours; the process that is killed is the one that writes."""
    run = tmp_path / "run"
    errors = tmp_path / "errors"
    with open(errors, "w") as opened:
        launched = subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
                *(__file__, *_pretrain(dataset, run, 100_000, "--quiet")),
            ],
            stderr=opened,
            env={
                **{name: value for name, value in os.environ.items() if name not in _environment(0, 1, 0)},
                "MOTIONPRINT_TEST_PIDS": str(tmp_path / "pid"),
            },
        )
        try:
            while not run.exists():  # its first checkpoint is there
                assert launched.poll() is None, errors.read_text()
                time.sleep(0.05)
            pids = [int((tmp_path / f"pid.{each}").read_text()) for each in (0, 1)]
            os.kill(pids[0], signal.SIGKILL)
            assert launched.wait(timeout=300) == 1
        finally:
            launched.terminate()  # which ends its processes too
            launched.wait()
    lines = [line for line in errors.read_text().splitlines() if line.startswith("motionprint: ")]
    assert len(lines) == 1
    assert lines[0].startswith("motionprint: process 1 of 2: another process has ended or cannot be reached (")
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert load_run(run).steps % 3 == 0


if __name__ == "__main__":
    if len(sys.argv) == 1:
        serve()
    else:  # the command, which says its number
        Path(f"{os.environ['MOTIONPRINT_TEST_PIDS']}.{os.environ['RANK']}").write_text(str(os.getpid()))
        main()
