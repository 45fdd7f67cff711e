"""What ends a training run early: one clear line, and nothing lost that was done before."""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import motionprint as mp
from motionprint import DatasetError, DivergenceError, MotionprintError
from motionprint.batches import Crops
from motionprint.cli import main
from motionprint.errors import CheckpointError, SettingsError
from motionprint.methods import Inpainting
from motionprint.preprocessing.frames import Frames
from motionprint.store.atomic import held
from motionprint.training import TrainingSettings, configure, load_run, pretrain, save_run, train_on
from motionprint.training.loop import Trainer

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

Act = Callable[[Path], object]


def _at(step: int, act: Callable[[], object]) -> Callable[[int, int | None, str], None]:
    """A report that does something after a step."""

    def report(done: int, total: int | None, text: str) -> None:
        if total is not None and done == step:
            act()

    return report


def _same_weights(a: Path, b: Path) -> bool:
    first, second = (load_file(folder / "model.safetensors") for folder in (a, b))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


RUN = ["checkpoint-00000002.safetensors", "config.json", "log.csv", "model.safetensors"]
"""What lies in a run folder after four steps."""


@pytest.fixture
def data(few: Path, tmp_path: Path) -> Path:
    """A data set folder of its own, to spoil."""
    return Path(shutil.copytree(few, tmp_path / "data"))


@pytest.fixture(scope="module")
def whole(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of eight steps that nothing ended early."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    pretrain(few, folder, changes=TINY, steps=8)
    return folder


@pytest.fixture
def begun(few: Path, tmp_path: Path) -> Path:
    """A run of four steps, to be continued."""
    (tmp_path / "runs").mkdir()
    pretrain(few, tmp_path / "runs" / "run", changes=TINY, steps=4)
    return tmp_path / "runs" / "run"


# ---- numbers that are not finite, or explode ---------------------------------------------------------------------


def _spoil(monkeypatch: pytest.MonkeyPatch, call: int, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Change all objectives of a step, counted from 0."""
    original = Inpainting.objectives
    calls = 0

    def objectives(self: Inpainting, batch: Any) -> dict[str, torch.Tensor]:
        nonlocal calls
        calls += 1
        found = dict(original(self, batch))
        return {name: change(value) for name, value in found.items()} if calls == call + 1 else found

    monkeypatch.setattr(Inpainting, "objectives", objectives)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda value: value * float("nan"), "finite objectives, found encoder = nan"),
        (lambda value: value + float("inf"), "finite objectives, found encoder = inf"),
        (lambda value: value - value.detach() + 1e30 * (value - value.detach()), "found encoder_gradient = inf"),
        (lambda value: value * 1e7, r"encoder of at most \S+ \(explosion = 1000 times the first step's\), found \S+e"),
        (lambda value: 1e8 * (value - value.detach()), r"encoder_gradient of at most \S+ \(explosion = 1000 times"),
    ],
)
def test_divergence_names_step_recordings_and_remedy(
    few: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[torch.Tensor], torch.Tensor],
    found: str,
) -> None:
    if "= inf" in found and "gradient" in found:
        monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *given: torch.tensor(float("inf")))
        with pytest.raises(DivergenceError, match=r"step 0: .*found encoder_gradient = inf"):
            pretrain(few, tmp_path / "run", changes=TINY, steps=8)
        assert _names(tmp_path) == []
        return
    _spoil(monkeypatch, 5, change)
    with pytest.raises(DivergenceError) as stop:
        pretrain(few, tmp_path / "run", changes=TINY, steps=8)
    text = str(stop.value)
    assert re.match(f"step 5: expected .*{found}", text)
    names = re.search(r"; its batch is of (.*?): look at these recordings, or start again with a smaller", text)
    assert names is not None and set(re.split(", | and ", names[1])) <= {*mp.open_dataset(few).names, "1 more"}
    assert text.endswith("learning_rate; the checkpoint of step 4 is kept") and "\n" not in text
    assert _names(tmp_path / "run") == RUN and load_run(tmp_path / "run").steps == 4
    monkeypatch.undo()
    pretrain(few, tmp_path / "run", changes=TINY, steps=4, resume=True)  # and it is a run like any other


def test_the_recordings_of_a_batch_are_those_that_it_holds_frames_of() -> None:
    sequences = [np.full((12, 2), number, np.float32) for number in range(40)]
    crops = Crops(
        Frames(([sequence] for sequence in sequences), 2),
        [],
        batch_size=8,
        crops=3,
        shortest=3,
        longest=9,
        hidden_parts=None,
        seed=2,
    )
    for step in (0, 7, crops.steps_per_epoch + 3):
        frames = crops.batch(step, torch.device("cpu")).frames
        assert set(crops.recordings(step).tolist()) == {int(value) for value in frames[:, 0]}


def test_a_diverging_step_changes_no_weight(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sequences = list(mp.open_dataset(few))
    config, recipe = configure(sequences[0].skeleton, changes=TINY)
    before: dict[str, torch.Tensor] = {}
    after: dict[str, torch.Tensor] = {}
    original = Trainer._one_step

    def watch(self: Trainer, *given: Any) -> tuple[dict[str, float], int]:
        before.update({name: value.clone() for name, value in self.state().items()})
        try:
            return original(self, *given)
        except DivergenceError:
            after.update(self.state())
            raise

    monkeypatch.setattr(Trainer, "_one_step", watch)
    _spoil(monkeypatch, 3, lambda value: value * float("nan"))
    with pytest.raises(DivergenceError, match=r"step 3: .* its batch is of .*smaller learning_rate$"):
        train_on(sequences, config, recipe)
    assert before.keys() == after.keys() and any(name.startswith("optimizer.") for name in before)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_far_too_large_learning_rate_ends_as_an_explosion(few: Path, tmp_path: Path) -> None:
    wild = {**TINY, "learning_rate": 1e3}
    with pytest.raises(DivergenceError, match=r"step \d+: expected .* smaller learning_rate"):
        pretrain(few, tmp_path / "run", changes=wild, steps=50)


@pytest.mark.parametrize("changes", [{"adversary": "wasserstein", "weight_bound": 1.0}, {"condition": "none"}, {}])
def test_training_that_is_well_raises_no_alarm(few: Path, tmp_path: Path, changes: dict[str, object]) -> None:
    """A critic's objective begins near zero and crosses it; an encoder that nobody reads has no gradient at all."""
    assert pretrain(few, tmp_path / "run", changes={**TINY, **changes, "explosion": 20}, steps=40).steps == 40


def test_explosion_none_goes_on_and_a_continued_run_keeps_its_measure(
    few: Path, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blow(value: torch.Tensor) -> torch.Tensor:
        return value + 1e6

    _spoil(monkeypatch, 1, blow)
    with pytest.raises(DivergenceError) as continued:
        pretrain(few, begun, changes=TINY, steps=8, resume=True)
    monkeypatch.undo()
    _spoil(monkeypatch, 5, blow)
    with pytest.raises(DivergenceError) as uninterrupted:
        pretrain(few, begun.parent / "other", changes=TINY, steps=8)
    assert str(continued.value) == str(uninterrupted.value)
    monkeypatch.undo()
    _spoil(monkeypatch, 1, blow)
    assert pretrain(few, begun, changes={**TINY, "explosion": None}, steps=8, resume=True).steps == 8


def test_an_explosion_of_less_than_once_is_refused() -> None:
    for value in (1.0, float("nan"), -3.0):
        with pytest.raises(SettingsError, match="expected explosion above 1, found"):
            TrainingSettings(explosion=value)
    with pytest.raises(SettingsError, match="expected keep_checkpoints of at least 1, found 0"):
        TrainingSettings(keep_checkpoints=0)


# ---- a disk that takes no more -----------------------------------------------------------------------------------


def _refuse(monkeypatch: pytest.MonkeyPatch, below: Path, number: int, code: int) -> Callable[[], bool]:
    """Let the n-th thing that is written below a folder fail; of what a file gets then, one half arrives."""
    left = number
    error = OSError(code, os.strerror(code))

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if not left:
                raise error
            return original(*given, **named)

        return call

    def opening(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
            opened = original(file, mode, *given, **named)
            return _Half(opened) if str(file).startswith(str(below)) and set(mode) & set("wa") else opened

        return call

    class _Half:
        def __init__(self, opened: Any) -> None:
            self.opened, self.writes = opened, 0

        def __enter__(self) -> _Half:
            return self

        def __exit__(self, *error: object) -> None:
            self.opened.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.opened, name)

        def write(self, content: Any) -> Any:
            nonlocal left
            self.writes += 1
            if self.writes & (self.writes - 1) == 0:  # JSON comes in hundreds of pieces: the 1st, 2nd, 4th, ... count
                left -= 1
                if not left:
                    self.opened.write(content[: len(content) // 2])
                    raise error
            return self.opened.write(content)

    for name in ("fsync", "replace", "rename", "link", "mkdir"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    monkeypatch.setattr(builtins, "open", opening(builtins.open))
    monkeypatch.setattr(io, "open", opening(io.open))
    return lambda: left <= 0


@pytest.mark.slow
def test_a_full_disk_at_any_writing_is_one_line_and_loses_nothing(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    pretrain(few, whole, changes=TINY, steps=6)
    failed = 0
    for number in range(1, 200):
        here = tmp_path / f"{number}"
        here.mkdir()
        with monkeypatch.context() as patched:
            reached = _refuse(patched, here, number, errno.ENOSPC)
            try:
                pretrain(few, here / "run", changes=TINY, steps=6)
            except MotionprintError as stop:
                text = str(stop)
                failed += 1
            else:
                text = ""  # something that can be done without: a folder's fsync, a second name
            if not reached():
                break
        if text:
            frames = rf"{re.escape(str(few))}: expected room for preprocessed frames in .*, found: No space left[^;]*$"
            file = rf"{re.escape(str(here / 'run'))}[^ ]*: cannot be written: No space left.*; make room"
            assert re.match(f"{frames}|{file}", text), text
            assert "building" not in text and "\n" not in text
        if (here / "run").exists():
            steps = load_run(here / "run").steps
            assert steps in (2, 4, 6)
            assert not text or text.endswith(f"; make room; the checkpoint of step {steps} is kept"), text
            assert not [name for name in _names(here / "run") if name.startswith(".")]
        assert _names(here) in ([], ["run"])
        pretrain(few, here / "run", changes=TINY, steps=6, resume=True)
        assert _same_weights(here / "run", whole), text
    assert failed > 20 and not reached()


LIMITED = """
import resource, sys
from pathlib import Path
from motionprint.cli import main
model = Path(sys.argv[1]) / "model.safetensors"
resource.setrlimit(resource.RLIMIT_FSIZE, (model.stat().st_size // 2, resource.RLIM_INFINITY))
main(sys.argv[2:])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system limits no file's size")
def test_a_file_that_may_not_grow_ends_the_command_with_one_line(few: Path, begun: Path, whole: Path) -> None:
    settings = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    words = ["pretrain", str(few), "--out", str(begun), "--steps", "8", "--resume", "--quiet", *settings]
    done = subprocess.run([sys.executable, "-c", LIMITED, str(begun), *words], capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(
        r"motionprint: \S*run: cannot be written: File too large; make room; the checkpoint of step 4 is kept\n",
        done.stderr,
    )
    assert _names(begun) == RUN
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 0
    assert _same_weights(begun, whole)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("file", [".model.safetensors.writing", ".config.json.writing", ".log.csv.writing"])
def test_a_device_that_is_full(few: Path, begun: Path, whole: Path, file: str) -> None:
    (begun / file).symlink_to("/dev/full")
    with pytest.raises(CheckpointError, match=r"cannot be written: No space left on device; make room; .* step 4 is"):
        pretrain(few, begun, changes=TINY, steps=8, resume=True)
    assert _names(begun) == RUN
    pretrain(few, begun, changes=TINY, steps=8, resume=True)
    assert _same_weights(begun, whole)


# ---- a folder that cannot be written to --------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_read_only_folder_is_named(
    few: Path, begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    original = io.open

    def refuse(file: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
        if str(file).startswith(str(begun)) and set(mode) & set("wa"):
            raise OSError(code, os.strerror(code), str(file))
        return original(file, mode, *given, **named)

    text = (
        rf"config\.json: cannot be written: {os.strerror(code)}; make the folder writable; the checkpoint of step 4 is"
    )
    with monkeypatch.context() as patched, pytest.raises(CheckpointError, match=text):
        patched.setattr(io, "open", refuse)
        pretrain(few, begun, changes=TINY, steps=8, resume=True)
    assert _names(begun) == RUN and load_run(begun).steps == 4
    text = rf"\.new\.lock: cannot be written: {os.strerror(code)}; make the folder writable$"
    with monkeypatch.context() as patched, pytest.raises(DatasetError, match=text):
        patched.setattr(os, "open", lambda *given, **named: _raise(OSError(code, os.strerror(code))))
        pretrain(few, tmp_path / "new", changes=TINY, steps=8)
    assert not (tmp_path / "new").exists()


def _raise(error: OSError) -> None:
    raise error


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_folder_without_permission_to_write(few: Path, begun: Path) -> None:
    begun.chmod(0o555)
    try:
        with pytest.raises(CheckpointError, match=r"run.*: cannot be written: Permission denied; make the folder"):
            pretrain(few, begun, changes=TINY, steps=8, resume=True)
        begun.chmod(0o755)
        begun.parent.chmod(0o555)
        with pytest.raises(DatasetError, match=r"runs.\.new\.lock: cannot be written: Permission denied; make"):
            pretrain(few, begun.parent / "new", changes=TINY, steps=8)
    finally:
        begun.parent.chmod(0o755)
        begun.chmod(0o755)
    assert load_run(begun).steps == 4


def test_a_run_folder_that_vanishes(few: Path, tmp_path: Path, whole: Path) -> None:
    run, moved = tmp_path / "run", tmp_path / "moved"
    with pytest.raises(
        CheckpointError, match=r"run.*: cannot be written: .*; was the folder moved or removed\?; there"
    ):
        pretrain(few, run, changes=TINY, steps=8, report=_at(4, lambda: run.rename(moved)))
    assert not run.exists() and load_run(moved).steps == 4
    pretrain(few, moved, changes=TINY, steps=8, resume=True)
    assert _same_weights(moved, whole)


def test_saving_a_run_to_a_full_disk(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Path) -> None:
    run = load_run(whole)
    failed = 0
    for number in range(1, 13):
        with monkeypatch.context() as patched:
            _refuse(patched, tmp_path, number, errno.ENOSPC)
            try:
                save_run(run, tmp_path / "saved")
            except MotionprintError as stop:
                failed += 1
                assert re.match(r"\S*saved: cannot be written: No space left .*; make room$", str(stop))
                assert _names(tmp_path) == []
            else:
                assert load_run(tmp_path / "saved").model_hash == run.model_hash
                shutil.rmtree(tmp_path / "saved")
    assert failed > 5


# ---- a data set that changes -------------------------------------------------------------------------------------


def _rewrite(folder: Path) -> None:
    """Other frames of the same shape, in the same file."""
    positions = np.lib.format.open_memmap(folder / "positions.npy", mode="r+")
    positions[:] = positions * 1.5
    positions.flush()
    found = (folder / "positions.npy").stat()
    os.utime(folder / "positions.npy", ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000))


CHANGES: dict[str, tuple[Act, str]] = {
    "rewritten": (_rewrite, r"positions\.npy: has changed since the data set was opened: expected \d+ bytes"),
    "cut short": (
        lambda folder: os.truncate(folder / "positions.npy", 500),
        r"positions\.npy: has changed .* 500 bytes",
    ),
    "removed": (lambda folder: (folder / "positions.npy").unlink(), r"positions\.npy: is gone since the data set was"),
    "index": (lambda folder: (folder / "index.parquet").write_bytes(b"x"), r"index\.parquet: has changed .* 1 bytes"),
    "moved": (lambda folder: folder.rename(folder.with_name("elsewhere")), r"positions\.npy: is gone since"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("step", "kept"), [(1, 2), (3, 4), (7, 8)])
def test_a_data_set_that_changes_under_a_run(
    few: Path, data: Path, tmp_path: Path, whole: Path, change: str, step: int, kept: int
) -> None:
    """What was read before is not harmed: the checkpoint that is due is written, and says so."""
    act, text = CHANGES[change]
    with pytest.raises(DatasetError, match=rf"{text}.*; the checkpoint of step {kept} is kept$"):
        pretrain(data, tmp_path / "run", changes=TINY, steps=8, report=_at(step, lambda: act(data)))
    assert load_run(tmp_path / "run").steps == kept
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(few, data)
    pretrain(data, tmp_path / "run", changes=TINY, steps=8, resume=True)
    assert _same_weights(tmp_path / "run", whole)


@pytest.mark.parametrize("change", ["rewritten", "cut short", "removed"])
def test_a_data_set_that_changes_while_it_is_read(data: Path, tmp_path: Path, change: str) -> None:
    act, text = CHANGES[change]

    def report(done: int, total: int | None, said: str) -> None:
        if total is None:
            act(data)

    with pytest.raises(DatasetError, match=text):
        pretrain(data, tmp_path / "run", changes=TINY, steps=8, report=report)
    assert _names(tmp_path) == (["data"])


def test_reading_past_the_end_of_frames_that_were_cut_is_an_error_not_a_crash(data: Path) -> None:
    dataset = mp.open_dataset(data)
    os.truncate(data / "positions.npy", 200)
    with pytest.raises(DatasetError, match=r"positions\.npy: has changed since the data set was opened"):
        dataset[len(dataset) - 1]
    with pytest.raises(DatasetError, match=r"positions\.npy"):
        dataset[1:3][0]


def test_a_run_is_not_continued_on_other_frames_under_the_same_index(data: Path, tmp_path: Path) -> None:
    pretrain(data, tmp_path / "run", changes=TINY, steps=4)
    _rewrite(data)
    with pytest.raises(CheckpointError, match="run: was fitted on other frames than those that the data set has now"):
        pretrain(data, tmp_path / "run", changes=TINY, steps=8, resume=True)
    assert load_run(tmp_path / "run").steps == 4


# ---- two runs, one folder ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["resume", "overwrite", "new"])
@pytest.mark.parametrize("step", [1, 3])
def test_a_second_run_into_a_folder_in_use_is_refused_and_the_first_goes_on(
    few: Path, tmp_path: Path, whole: Path, how: str, step: int
) -> None:
    refused: list[str] = []

    def second() -> None:
        with pytest.raises(DatasetError) as stop:
            pretrain(few, tmp_path / "run", changes=TINY, steps=8, **{how: True} if how != "new" else {})
        refused.append(str(stop.value))

    pretrain(few, tmp_path / "run", changes=TINY, steps=8, report=_at(step, second))
    [text] = refused
    assert re.match(rf"\S*run: another process \(pid {os.getpid()} on \S+\) is training into it; wait", text)
    assert _same_weights(tmp_path / "run", whole)
    assert _names(tmp_path) == ["run"]


HOLDS = """
import os, signal, sys
from motionprint.store.atomic import held
with held(sys.argv[1]):
    os.write(1, b"held")
    signal.pause()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a signal is waited for")
def test_what_a_killed_process_held_is_free(few: Path, begun: Path, whole: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(begun)], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.read(4) == b"held"
    with pytest.raises(DatasetError, match=rf"another process \(pid {process.pid} on "):
        pretrain(few, begun, changes=TINY, steps=8, resume=True)
    with pytest.raises(DatasetError, match=rf"another process \(pid {process.pid} on "):
        save_run(load_run(begun), begun, overwrite=True)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert _names(begun.parent) == [".run.lock", "run"]
    pretrain(few, begun, changes=TINY, steps=8, resume=True)
    assert _same_weights(begun, whole)
    assert _names(begun.parent) == ["run"]


HELD = """
import os, sys
from motionprint.store.atomic import held
exec(sys.argv[2])
holding = held(sys.argv[1])
holding.__enter__()
os._exit(9)
"""
WITHOUT_LOCKS = """
import errno, fcntl, os
def refuse(*given):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
fcntl.flock = refuse
"""


@pytest.mark.skipif(sys.platform == "win32", reason="its file systems know locks")
def test_on_a_file_system_without_locks_a_killed_process_holds_nobody_up(
    begun: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    import fcntl

    def refuse(*given: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    assert subprocess.run([sys.executable, "-c", HELD, str(begun), WITHOUT_LOCKS], check=False).returncode == 9
    assert ".run.lock" in _names(begun.parent)
    monkeypatch.setattr(fcntl, "flock", refuse)
    with held(begun), pytest.raises(DatasetError, match=r"is training into it; .*remove \S*\.run\.lock\)"), held(begun):
        pytest.fail("the block is not to begin")
    assert _names(begun.parent) == ["run"]
    assert not recwarn.list


@pytest.mark.slow
def test_of_two_commands_that_make_one_folder_one_makes_it(few: Path, tmp_path: Path) -> None:
    settings = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    words = [sys.executable, "-m", "motionprint", "pretrain", str(few), "--out", str(tmp_path / "run"), "--quiet"]
    pair = [
        subprocess.Popen(
            [*words, "--steps", "60", *settings], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in pair]
    codes = [process.returncode for process in pair]
    assert sorted(codes) == [0, 1]
    line = said[codes.index(1)]
    assert re.fullmatch(
        r"motionprint: \S*run: (another process .* is training into it; .*|exists; --resume .*)\n", line
    )
    assert load_run(tmp_path / "run").steps == 60 and _names(tmp_path) == ["run"]


def test_what_killed_runs_left_beside_a_folder_is_cleared(few: Path, begun: Path) -> None:
    here = begun.parent
    shutil.copytree(begun, here / ".run.building-0123abcd")
    (here / ".run.building-0123abce").mkdir()
    shutil.copytree(begun, here / ".run.old-0123abcd")
    others = [".run.building-0123abcf", ".run.building-note", ".other.building-0123abcd", ".run.building-0123abcd.v2"]
    for name in others:
        (here / name).mkdir()
        (here / name / "positions.npy").write_text("a data set is being prepared here")
    pretrain(few, begun, changes=TINY, steps=6, resume=True)
    assert _names(here) == sorted([*others, "run"])


def test_a_run_that_was_just_being_replaced_gets_its_name_back(few: Path, begun: Path) -> None:
    here = begun.parent
    begun.rename(here / ".run.old-0123abcd")
    shutil.copytree(here / ".run.old-0123abcd", here / ".run.building-0123abcd")
    with pytest.raises(DatasetError, match="run: exists; --resume continues it"):
        pretrain(few, begun, changes=TINY, steps=6)
    assert _names(here) == ["run"] and load_run(begun).steps == 4


def test_holding_a_name_leaves_nothing(tmp_path: Path) -> None:
    with held(tmp_path / "a" / "b" / "run"):
        assert _names(tmp_path / "a" / "b") == [".run.lock"]
    assert _names(tmp_path / "a" / "b") == []
    with pytest.raises(DatasetError, match="another process"), held(tmp_path / "run"), held(tmp_path / "." / "run"):
        pytest.fail("the block is not to begin")
    with pytest.raises(KeyError), held(tmp_path / "c" / "run"):
        raise KeyError
    assert _names(tmp_path) == ["a"]


# ---- damaged settings and logs, and what else is written -----------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.update(training=[]), "expected settings under training, found list"),
        (lambda table: table.update(recipe=3), "expected settings under recipe, found int"),
        (lambda table: table["training"].pop("steps"), "expected steps under training, found none"),
    ],
)
def test_a_damaged_configuration_is_named(
    few: Path, begun: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    table = json.loads((begun / "config.json").read_text())
    change(table)
    (begun / "config.json").write_text(json.dumps(table))
    with pytest.raises(CheckpointError, match=rf"config\.json: {message}$"):
        pretrain(few, begun, changes=TINY, resume=True)


def test_lines_of_a_log_that_are_none_are_left_out(few: Path, begun: Path, whole: Path) -> None:
    lines = (begun / "log.csv").read_text().splitlines()
    cells = lines[1].split(",")
    (begun / "log.csv").write_text("\n".join([lines[0], ",".join([*cells[:2], "", *cells[3:]])]) + "\n")
    pretrain(few, begun, changes=TINY, steps=8, resume=True)
    assert _same_weights(begun, whole)


def test_a_run_that_falls_back_to_its_last_step_is_whole_again(few: Path, begun: Path) -> None:
    """The state before the damaged one has all the steps that are asked for: nothing is trained, all is written."""
    os.truncate(begun / "model.safetensors", 1000)
    pretrain(few, begun, changes=TINY, steps=2, resume=True)
    assert load_run(begun).steps == 2


def test_a_profile_that_cannot_be_written_names_it_and_what_is_kept(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object, folder: Path) -> None:
        if self.trainer.step == 4:  # type: ignore[attr-defined]
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "profile.json.gz"))

    monkeypatch.setattr("motionprint.training.profile.Profiler.step", refuse)
    with pytest.raises(
        CheckpointError, match=r"run/profile.*: cannot be written: No space left .*; the checkpoint of step 4 is kept"
    ):
        pretrain(few, tmp_path / "run", changes=TINY, steps=8, profile=True)
    assert load_run(tmp_path / "run").steps == 4


def test_what_is_written_for_tensorboard_follows_the_folder(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer appends to a file by name, and a new run's folder has another name until its first checkpoint."""
    opened: list[Path] = []

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int) -> None:
            self.file = Path(folder) / f"events.out.tfevents.{len(opened)}"
            self.file.parent.mkdir(exist_ok=True)
            self.file.touch()
            opened.append(self.file)

        def add_scalar(self, name: str, value: float, step: int) -> None:
            with open(self.file, "r+") as file:
                file.seek(0, os.SEEK_END)
                file.write(f"{step} {name}\n")

        def flush(self) -> None:
            assert self.file.exists()

        close = flush

    module = type(sys)("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    changes = {**TINY, "log_every": 1, "checkpoint_every": 2}
    pretrain(few, tmp_path / "run", changes=changes, steps=6, tensorboard=True)
    files = sorted((tmp_path / "run" / "tensorboard").iterdir())
    assert len(files) == len(opened) == 2
    steps = [{int(line.split()[0]) for line in file.read_text().splitlines()} for file in files]
    assert steps == [{1, 2}, {3, 4, 5, 6}]
    assert load_run(tmp_path / "run").steps == 6
