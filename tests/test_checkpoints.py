"""Checkpoints: whole or not there, the last few kept, a damaged one named, a killed run continued bit for bit."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import motionprint
from motionprint.cli import main
from motionprint.errors import CheckpointError
from motionprint.training import load_run, pretrain
from motionprint.training.checkpoints import earlier_checkpoints, read_tensors, write_tensors

TINY = {
    "encoder_units": 4,
    "decoder_units": 4,
    "discriminator_units": 2,
    "batch_size": 4,
    "crops": 2,
    "log_every": 3,
    "checkpoint_every": 2,
    "keep_checkpoints": 2,
}
"""The log's lines and the checkpoints fall on different steps."""
SETTINGS = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]


def _log(folder: Path) -> list[list[str]]:
    """The lines of a log without their seconds."""
    with open(folder / "log.csv", newline="", encoding="utf-8") as opened:
        return [line[:2] + line[3:] for line in csv.reader(opened)]


def _same(a: Path, b: Path) -> bool:
    """Whether two runs have the same bits: weights, moments, logs."""
    first, second = load_file(a / "model.safetensors"), load_file(b / "model.safetensors")
    return (
        first.keys() == second.keys()
        and all(torch.equal(first[name], second[name]) for name in first)
        and _log(a) == _log(b)
    )


def _flip(file: Path, place: int, bit: int = 0) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1 << bit
    file.write_bytes(content)


@pytest.fixture(scope="module")
def whole(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of eight steps that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    pretrain(few, folder, changes=TINY, steps=8, seed=1)
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(whole, tmp_path / "run"))


# ---- what is kept ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep", "steps"), [(1, []), (2, [6]), (3, [6, 4]), (9, [6, 4, 2])])
@pytest.mark.parametrize("links", [True, False])
def test_the_last_few_states_are_kept(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: int, steps: list[int], links: bool
) -> None:
    def refuse(*names: object) -> None:
        raise OSError(errno.EPERM, "this file system has no hard links")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    pretrain(few, tmp_path / "run", changes={**TINY, "keep_checkpoints": keep}, steps=8)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(
        ["config.json", "log.csv", "model.safetensors", *(f"checkpoint-0000000{step}.safetensors" for step in steps)]
    )
    for step, file in earlier_checkpoints(tmp_path / "run"):
        assert read_tensors(file)[1] == step
    assert load_run(tmp_path / "run").steps == 8
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_earlier_state_is_the_run_that_ended_there(few: Path, tmp_path: Path, run: Path) -> None:
    pretrain(few, tmp_path / "short", changes=TINY, steps=6, seed=1)
    earlier = load_file(run / "checkpoint-00000006.safetensors")
    short = load_file(tmp_path / "short" / "model.safetensors")
    assert all(torch.equal(earlier[name], value) for name, value in short.items() if not name.startswith("log."))


def test_a_run_with_checkpoints_can_be_overwritten(few: Path, run: Path) -> None:
    pretrain(few, run, changes=TINY, steps=2, overwrite=True)
    assert earlier_checkpoints(run) == []


def test_fewer_checkpoints_may_be_kept_when_a_run_is_continued(few: Path, run: Path) -> None:
    changes = {**TINY, "keep_checkpoints": 1, "checkpoint_every": 1, "log_every": 1, "explosion": None}
    assert pretrain(few, run, changes=changes, steps=9, seed=1, resume=True).changes.keys() == {
        "encoder_units",
        "decoder_units",
        "discriminator_units",
        "batch_size",
        "crops",
    }
    assert earlier_checkpoints(run) == []


def test_info_lists_the_checkpoints(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["info", str(run), "--json"])
    assert json.loads(capsys.readouterr().out)["checkpoints"] == [6, 8]


# ---- damage ------------------------------------------------------------------------------------------------------


def test_any_flipped_bit_is_noticed(whole: Path, tmp_path: Path) -> None:
    content = (whole / "model.safetensors").read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    rng = np.random.default_rng(0)
    places = [*rng.integers(0, header, 150), *rng.integers(header, len(content), 50), 0, len(content) - 1]
    places += range(content.index(b'"__metadata__"'), content.index(b'"__metadata__"') + 160)  # step and checksum
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "model.safetensors").write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged, "):
            read_tensors(tmp_path / "model.safetensors")


@pytest.mark.parametrize("left", [0, 5, 9, 0.1, 0.5, -1])
def test_a_file_that_was_cut_short_is_noticed(run: Path, left: float) -> None:
    size = (run / "model.safetensors").stat().st_size
    os.truncate(run / "model.safetensors", int(left * size) if 0 < left < 1 else left if left >= 0 else size - 1)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged, "):
        read_tensors(run / "model.safetensors")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": lambda file: os.truncate(file, 2000),
    "empty": lambda file: os.truncate(file, 0),
    "flipped": lambda file: _flip(file, file.stat().st_size - 77),
    "other": lambda file: file.write_bytes(b"0123456789" * 300),
    "gone": lambda file: file.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_one_before_a_damaged_checkpoint_is_used(few: Path, whole: Path, run: Path, damage: str) -> None:
    DAMAGE[damage](run / "model.safetensors")
    lines: list[str] = []
    found = "expected weights, found none" if damage == "gone" else "damaged"
    with pytest.raises(CheckpointError, match=rf"{found}.*; checkpoint-00000006.safetensors \(step 6\) is whole: "):
        load_run(run)
    again = pretrain(
        few,
        run,
        changes=TINY,
        seed=1,
        resume=True,
        command="again",
        report=lambda done, total, text: lines.append(text),
    )
    assert "model.safetensors: " + found in lines[0] and lines[0].startswith("continuing from the checkpoint of step 6")
    [noted] = again.config["resumed"]
    assert (noted["command"], noted["step"]) == ("again", 6)
    assert len(noted["damaged"]) == 1 and f"model.safetensors: {found}" in noted["damaged"][0]
    assert _same(run, whole)
    assert [step for step, _ in earlier_checkpoints(run)] == [6]


def test_a_damaged_checkpoint_is_never_kept_as_an_earlier_one(few: Path, run: Path) -> None:
    _flip(run / "model.safetensors", -9)
    shutil.copy(run / "model.safetensors", run / "checkpoint-00000007.safetensors")
    pretrain(few, run, changes={**TINY, "checkpoint_every": 1, "keep_checkpoints": 9}, steps=9, seed=1, resume=True)
    assert [read_tensors(file)[1] for _, file in earlier_checkpoints(run)] == [8, 7, 6]
    assert load_run(run).steps == 9


def test_the_command_says_what_is_damaged(
    few: Path, whole: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _flip(run / "model.safetensors", -9)
    with pytest.raises(SystemExit) as stop:
        main(["pretrain", str(few), "--out", str(run), "--resume", "--seed", "1", "--quiet", *SETTINGS])
    assert stop.value.code == 0
    assert "model.safetensors: damaged, its content does not have the checksum" in capsys.readouterr().err
    assert _same(run, whole)


def test_where_all_checkpoints_are_damaged_each_is_named(few: Path, run: Path) -> None:
    for file in run.glob("*.safetensors"):
        os.truncate(file, 100)
    with pytest.raises(
        CheckpointError, match=r"run: expected a checkpoint that is whole, found none: .*model.*; .*checkpoint-00000006"
    ):
        pretrain(few, run, changes=TINY, steps=9, seed=1, resume=True)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged[^;]*$"):  # there is nothing to advise
        load_run(run)


def test_an_earlier_checkpoint_can_be_used_under_the_name_of_the_model(run: Path) -> None:
    (run / "checkpoint-00000006.safetensors").replace(run / "model.safetensors")
    assert load_run(run).steps == 6


def test_a_checkpoint_of_another_run_is_refused(few: Path, run: Path, tmp_path: Path) -> None:
    pretrain(few, tmp_path / "other", changes={**TINY, "encoder_units": 5}, steps=2)
    shutil.copy(tmp_path / "other" / "model.safetensors", run)
    with pytest.raises(CheckpointError, match=r"run: its checkpoint of step 2 does not fit config\.json"):
        pretrain(few, run, changes=TINY, steps=9, seed=1, resume=True)


def test_a_file_of_motionprint_0_1_is_read_and_continued(few: Path, whole: Path, run: Path) -> None:
    """One file, no checksum, nothing of the log in it, and settings without the fields that came later."""
    tensors, step = read_tensors(run / "checkpoint-00000006.safetensors")
    for file in run.glob("*.safetensors"):
        file.unlink()
    old = {name: tensor for name, tensor in tensors.items() if name.startswith(("model.", "optimizer."))}
    save_file(old, run / "model.safetensors", metadata={"step": str(step), "motionprint": "0.1.0"})
    config = json.loads((run / "config.json").read_text())
    for field in ("keep_checkpoints", "explosion"):
        del config["training"][field]
    config["resumed"] = ["motionprint pretrain --resume"]
    (run / "config.json").write_text(json.dumps(config))
    assert load_run(run).steps == 6
    again = pretrain(few, run, changes=TINY, steps=8, seed=1, resume=True)
    assert again.model_hash == load_run(whole).model_hash
    assert again.config["resumed"] == ["motionprint pretrain --resume", {"command": None, "step": 6, "damaged": []}]


def test_the_checksum_stands_in_the_file(run: Path, tmp_path: Path) -> None:
    with safe_open(run / "model.safetensors", framework="pt") as opened:
        assert set(opened.metadata()) == {"step", "motionprint", "sha256"}
        assert opened.metadata()["motionprint"] == motionprint.__version__
    values = {"empty": torch.zeros(0), "number": torch.tensor(3.5), "flags": torch.tensor([True, False])}
    write_tensors(values, 4, tmp_path / "some.safetensors")
    found, step = read_tensors(tmp_path / "some.safetensors")
    assert step == 4 and all(torch.equal(found[name], value) for name, value in values.items())


def test_a_log_whose_last_line_was_cut_short_is_continued(few: Path, whole: Path, run: Path) -> None:
    _flip(run / "model.safetensors", -9)  # continue from step 6
    text = (run / "log.csv").read_text()
    (run / "log.csv").write_text(text[: text.index("\n6,") + 3 + len("6,1.5")])
    pretrain(few, run, changes=TINY, seed=1, resume=True)
    assert [line[0] for line in _log(run)] == ["step", "3", "8"] and _log(run)[-1] == _log(whole)[-1]


# ---- kill -9 -----------------------------------------------------------------------------------------------------

KILLS = """
import builtins, io, os, random, shutil, signal, sys, time, traceback
from pathlib import Path
import pandas, pyarrow.parquet, torch  # all before a fork, which copies no thread
from motionprint.training import load_run, pretrain

torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # the first one imports for seconds

mode, data, here, changes = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), eval(sys.argv[4])
run = here / "run"

def fork(work):
    pid = os.fork()
    if not pid:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return pid

def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def train(report=None):
    pretrain(data, run, changes=changes, steps=6, seed=1, resume=True, report=report)

def end_at(number):
    # die at the n-th thing that is done to a file; of what is written then, one half is
    def counted(original):
        def call(*given, **named):
            nonlocal number
            number -= 1
            if not number:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*given, **named)
        return call

    def opening(original):
        def call(file, mode="r", *given, **named):
            opened = original(file, mode, *given, **named)
            if not str(file).startswith(str(here)) or not set(mode) & set("wa"):
                return opened
            return Halved(opened)
        return call

    class Halved:
        def __init__(self, opened):
            self.opened = opened
            self.writes = 0
        def __enter__(self):
            self.opened.__enter__()
            return self
        def __exit__(self, *error):
            return self.opened.__exit__(*error)
        def __getattr__(self, name):
            return getattr(self.opened, name)
        def write(self, content):
            nonlocal number
            self.writes += 1
            if self.writes & (self.writes - 1) == 0:  # JSON comes in hundreds of pieces: the 1st, 2nd, 4th, ... count
                number -= 1
                if not number:
                    self.die(content)
            return self.opened.write(content)
        def die(self, content):
            self.opened.write(content[: len(content) // 2])
            self.opened.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("fsync", "replace", "rename", "link", "unlink", "mkdir", "rmdir"):
        setattr(os, name, counted(getattr(os, name)))
    builtins.open = opening(builtins.open)
    io.open = opening(io.open)

def check(text):
    def go_on():
        assert not run.exists() or load_run(run).steps in (2, 4, 6)
        train()
    assert ended(fork(go_on)) == 0, text
    left = [path.name for path in here.iterdir()]
    assert left == ["run"], (text, left)
    assert not [path for path in run.iterdir() if path.name.startswith(".")], text
    run.rename(here.parent / f"{text}")

if mode == "points":
    for number in range(1, 1000):
        def work():
            end_at(number)
            train()
        code = ended(fork(work))
        if code == 0:
            print(number - 1)
            break
        assert code == -signal.SIGKILL, (number, code)
        check(f"point-{number}")
else:
    rng = random.Random(0)
    for number in range(6):
        for time_killed in range(rng.randint(1, 3)):  # a run may be killed more than once
            reads, writes = os.pipe()
            def work():
                train(lambda done, total, text: os.write(writes, b"." if total else b""))
            pid = fork(work)
            os.close(writes)
            for step in range(rng.randint(0, 5)):
                os.read(reads, 1)
            time.sleep(rng.random() * 0.02)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(reads)
        check(f"moment-{number}")
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("mode", ["points", "moments"])
def test_kill_9_at_any_moment_loses_nothing(few: Path, tmp_path: Path, mode: str) -> None:
    """At every point of the writing, and at random steps: the run is usable, and continues with the same bits."""
    whole = tmp_path / "whole"
    pretrain(few, whole, changes=TINY, steps=6, seed=1)
    (tmp_path / "here").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", KILLS, mode, str(few), str(tmp_path / "here"), repr(TINY)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    runs = sorted(tmp_path.glob(f"{mode[:-1]}-*"))
    assert len(runs) == (int(done.stdout) if mode == "points" else 6) > 5
    for run in runs:
        assert _same(run, whole), run.name


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_the_command_is_killed_and_continued(few: Path, tmp_path: Path, whole: Path) -> None:
    words = ["pretrain", str(few), "--out", str(tmp_path / "run"), "--seed", "1", "--quiet", *SETTINGS]
    begun = subprocess.Popen([sys.executable, "-m", "motionprint", *words, "--steps", "100000"])
    while begun.poll() is None and not (tmp_path / "run" / "model.safetensors").exists():
        time.sleep(0.01)
    begun.kill()
    assert begun.wait() == -signal.SIGKILL
    done = load_run(tmp_path / "run").steps
    for words_of_end in (["--steps", str(done + 3)], ["--overwrite", "--steps", str(done + 3)]):
        with pytest.raises(SystemExit) as stop:
            out = str(tmp_path / "run") if "--overwrite" not in words_of_end else str(tmp_path / "other")
            main([*words[:3], out, *words[4:], "--resume", *words_of_end])
        assert stop.value.code == 0
    assert _same(tmp_path / "run", tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "run"]


# ---- one seed, one run -------------------------------------------------------------------------------------------

TWICE = """
import sys
from pathlib import Path
import torch
from motionprint.training import pretrain

data, here, tiny = Path(sys.argv[1]), Path(sys.argv[2]), eval(sys.argv[3])
for threads in (1, 2):
    torch.set_num_threads(threads)
    for name, changes in (("gru", {}), ("lstm", {"cell": "lstm"}), ("wasserstein", {"adversary": "wasserstein"})):
        pretrain(data, here / f"{name}-{threads}", changes={**tiny, **changes}, steps=3, seed=3)
"""


@pytest.mark.slow
def test_two_processes_with_one_seed_give_the_same_bits(few: Path, tmp_path: Path) -> None:
    for name in "ab":
        subprocess.run(
            [sys.executable, "-c", TWICE, str(few), str(tmp_path / name), repr({**TINY, "batch_size": 16})],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": str(ord(name))},
        )
    runs = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(runs) == 6
    for run in runs:
        assert _same(tmp_path / "a" / run, tmp_path / "b" / run), run
