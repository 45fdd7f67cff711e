"""The command line: what it says, where it says it, and with which exit status."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from motionprint.cli import COMMANDS, main
from motionprint.cli.progress import _Lines
from motionprint.cli.settings import documented_fields, typed_changes

REPOSITORY = Path(__file__).resolve().parents[1]


class Result(NamedTuple):
    status: Any
    out: str
    err: str


Invoke = Callable[..., Result]


@pytest.fixture
def invoke(capsys: pytest.CaptureFixture[str]) -> Invoke:
    """Run the command line in this process."""

    def run(*arguments: object) -> Result:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(stop.value.code, captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def folders(takes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data` and a run on it, `run`, made through the command line."""
    folder = tmp_path_factory.mktemp("folders")
    for arguments in (
        ["prepare", "folder", str(takes), "--labels", "subfolders", "--out", str(folder / "data"), "--quiet"],
        [
            "pretrain",
            str(folder / "data"),
            "--out",
            str(folder / "run"),
            "--protocol",
            "kfold:2",
            "--steps",
            "3",
            "--quiet",
        ],
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
    return folder


# ---- help --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [*COMMANDS, None])
def test_help_ends_with_an_example(invoke: Invoke, command: str | None) -> None:
    result = invoke(*([command] if command else []), "--help")
    assert result.status == 0
    heading, example = result.out.rstrip("\n").split("\n")[-2:]
    assert heading.strip() == "Example:"
    assert example.strip().startswith(f"motionprint {command or ''}".strip())


def test_help_lists_the_commands_in_the_order_of_work(invoke: Invoke) -> None:
    out = invoke("--help").out
    places = [out.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(invoke: Invoke, command: str) -> None:
    page = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {command}\n")[1].split("\n## ")[0]
    options = set(
        re.findall(r"(--[a-z][a-z0-9-]*)", invoke(command, "--help").out.split("Options:")[1].split("Fields for")[0])
    )
    assert options - {"--help"} - set(re.findall(r"`(--[a-z][a-z0-9-]*)`", section)) - {"--set", "--window"} == set()


def test_help_explains_every_setting(invoke: Invoke) -> None:
    from dataclasses import fields

    from motionprint.methods import CLASSIFIERS, METHODS
    from motionprint.preprocessing import Recipe
    from motionprint.training import SupervisionSettings, TrainingSettings

    for supervised, table in ((False, METHODS), (True, CLASSIFIERS)):
        explained = {(field.owner, field.name) for field in documented_fields(supervised)}
        owners = [*(method.Settings for method in table.values()), TrainingSettings, Recipe]
        for owner in (*owners, SupervisionSettings) if supervised else owners:
            names = {field.name for field in fields(owner)} - {"skeleton", "scale", "root_scale"}
            assert {(owner.__name__, name) for name in names} <= explained
    assert "lambda_adv" in invoke("pretrain", "--help").out
    found = invoke("train", "--help").out
    assert "patience" in found and "lambda_adv" not in found


def test_the_units_are_those_of_the_reader() -> None:
    from motionprint.cli.choices import UNITS
    from motionprint.readers import bvh

    assert set(UNITS) == set(bvh.UNITS)


def test_the_version(invoke: Invoke) -> None:
    import motionprint

    assert invoke("--version").out == f"motionprint, version {motionprint.__version__}\n"


def test_python_m_motionprint_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "motionprint", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: motionprint [OPTIONS]")


# ---- exit status and messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["info"], "Missing argument 'PATH'"),
        (["info", "a", "b"], "unexpected extra argument"),
        (["prepare", "synthetic"], "Missing option '--out'"),
        (["prepare", "imagenet", "x", "--out", "y"], "found 'imagenet', expected one of hdm05, berkeley_mhad"),
        (["prepare", "hdm05", "--out", "y"], "hdm05 needs a SOURCE"),
        (["prepare", "synthetic", "x", "--out", "y"], "synthetic is generated and takes no SOURCE, found x"),
        (["prepare", "folder", "x", "--out", "y", "--fps", "0"], "'--fps'"),
        (["prepare", "folder", "x", "--out", "y", "--jobs", "0"], "'--jobs'"),
        (["prepare", "folder", "x", "--out", "y", "--least-per-class", "0"], "'--least-per-class'"),
        (["pretrain", "x", "--out", "y", "--method", "magic"], "found 'magic', expected one of inpainting"),
        (["pretrain", "x", "--out", "y", "--steps", "1", "--epochs", "1"], "expected --steps or --epochs, found both"),
        (["pretrain", "x", "--out", "y", "--set", "cell"], "found 'cell', expected FIELD=VALUE"),
        (["pretrain", "x", "--out", "y", "--set", "colour=red"], "found 'colour', expected one of encoder_units,"),
        (["pretrain", "x", "--out", "y", "--set", "layers=two"], "layers: found 'two', expected a whole number"),
        (["pretrain", "x", "--out", "y", "--set", "cell=rnn"], "cell: found 'rnn', expected one of gru, lstm"),
        (["pretrain", "x", "--out", "y", "--max-length", "long"], "max_length: found 'long', expected a whole number"),
        (
            ["pretrain", "x", "--out", "y", "--alignment", "body", "--set", "alignment=none"],
            "expected one value for alignment, found body and --set alignment=none",
        ),
        (["embed", "run", "--out", "y"], "Missing argument 'SOURCE...'"),
        (["embed", "run", "x", "--out", "y", "--stride", "1"], "--stride needs --window"),
        (["embed", "run", "x", "--out", "y", "--features", "all"], "'all' is not one of 'states', 'F', 'both'"),
        (["evaluate", "r", "d", "--out", "y", "--features", "states,G"], "found 'G', expected some of states, F, both"),
        (
            ["evaluate", "r", "d", "--out", "y", "--labels-per-class", "1,0"],
            "found '0', expected positive whole numbers",
        ),
    ],
)
def test_wrong_usage_exits_with_2(invoke: Invoke, arguments: list[str], message: str) -> None:
    result = invoke(*arguments)
    assert result.status == 2
    assert message in " ".join(result.err.split())
    assert result.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "{missing}"],
        ["prepare", "folder", "{missing}", "--out", "{out}"],
        ["pretrain", "{missing}", "--out", "{out}"],
        ["embed", "{missing}", "{missing}", "--out", "{out}"],
        ["evaluate", "{missing}", "{missing}", "--out", "{out}"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_failure_is_one_line_and_leaves_nothing(invoke: Invoke, tmp_path: Path, arguments: list[str]) -> None:
    places = {"missing": tmp_path / "missing", "out": tmp_path / "out"}
    result = invoke(
        *(argument.format(**places) for argument in arguments), *(["--quiet"] if len(arguments) > 2 else [])
    )
    assert result.status == 1
    assert result.err.startswith("motionprint: ")
    assert result.err.count("\n") == 1
    assert str(tmp_path / "missing") in result.err
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_where(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("--debug", "info", tmp_path / "missing")
    assert result.status == 1
    assert result.err.startswith("Traceback (most recent call last):")
    assert result.err.splitlines()[-1].startswith("motionprint: ")


@pytest.mark.parametrize(
    ("failure", "status", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x.npy"), 1, "motionprint: x.npy: No space left on device\n"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), 1, "motionprint: a: Permission denied\n"),
        (OSError(errno.EIO, "Input/output error"), 1, "motionprint: Input/output error\n"),
        (MemoryError(), 1, "motionprint: out of memory\n"),
        (KeyboardInterrupt(), 130, "motionprint: interrupted\n"),
        (
            TypeError("bad\noperand"),
            1,
            "motionprint: unexpected TypeError: bad operand (motionprint --debug shows where)\n",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_nobody_foresaw_is_one_line_too(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, failure: BaseException, status: int, message: str
) -> None:
    def fail(path: Path, settings: object) -> None:
        raise failure

    monkeypatch.setattr("motionprint.store.describe.describe", fail)
    assert invoke("info", "x") == (status, "", message)


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    pipe = subprocess.Popen(
        [sys.executable, "-c", "from motionprint.cli import main; main(['pretrain', '--help'])"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert pipe.stdout is not None and pipe.stderr is not None
    pipe.stdout.close()
    assert pipe.stderr.read() == ""
    pipe.stderr.close()
    pipe.wait()


# ---- the way of the data -----------------------------------------------------------------------------------------


def test_prepare_says_what_it_made(invoke: Invoke, takes: Path, tmp_path: Path) -> None:
    (tmp_path / "takes").mkdir()
    for number, path in enumerate(sorted(takes.glob("wave/*.bvh"))):
        (tmp_path / "takes" / f"{number}.bvh").write_bytes(path.read_bytes())
    (tmp_path / "takes" / "copy.bvh").write_bytes((tmp_path / "takes" / "0.bvh").read_bytes())
    out = tmp_path / "data"
    result = invoke("prepare", "folder", tmp_path / "takes", "--out", out)
    assert result.status == 0, result.err
    # ten joints and the root, five end sites
    first = f"{out}: 7 sequences, 0 classes, 0 subjects, 16 joints, 315 frames, 0.2 minutes"
    assert result.out.splitlines() == [first, "duplicates: 1 group of equal recordings (named in prepare.json)"]
    assert result.err.splitlines()[-1].startswith("reading: 7/7")
    command = json.loads((out / "prepare.json").read_text())["command"]
    assert command == f"motionprint prepare folder {tmp_path / 'takes'} --out {out}"


def test_prepare_names_the_files_that_it_cannot_read_and_leaves_them_out(
    invoke: Invoke, takes: Path, tmp_path: Path
) -> None:
    (tmp_path / "takes").mkdir()
    good = next(iter(takes.rglob("*.bvh"))).read_text()
    (tmp_path / "takes" / "good.bvh").write_text(good)
    (tmp_path / "takes" / "bad.bvh").write_text(good.replace("MOTION", "MOTIONLESS"))
    arguments = ["prepare", "folder", tmp_path / "takes", "--out", tmp_path / "data", "--quiet"]
    result = invoke(*arguments, "--strict")
    assert result.status == 1
    assert re.fullmatch(
        r"motionprint: \S*takes: strict: expected to use all of 2 recordings, found 1 to be left out; the first, "
        r"bad\.bvh: \S*bad\.bvh:\d+: .*; 2 of 2 recordings are kept: --resume goes on with them\n",
        result.err,
    )
    assert not (tmp_path / "data").exists()
    result = invoke(*arguments, "--resume")
    assert (result.status, result.err) == (0, "")
    assert " 1 sequences" in result.out
    assert "left out, wholly or in part: 1 of 2 recordings\nleft out: bad: " in result.out
    result = invoke(*arguments, "--overwrite", "--skip-unreadable")
    assert result.err == "note: --skip-unreadable is deprecated: prepare always does so; --strict is the contrary\n"
    for number in range(22):
        (tmp_path / "takes" / f"bad{number:02}.bvh").write_text("HIERARCHY")
    lines = invoke(*arguments, "--overwrite").out.splitlines()
    assert lines[1] == "left out, wholly or in part: 23 of 24 recordings"
    assert len(lines) == 23 and lines[-1] == "left out: ... and 3 more, all in prepare.json"
    assert "--skip-unreadable" not in invoke("prepare", "--help").out


def test_prepare_names_the_classes_that_are_too_small(
    invoke: Invoke, make_takes: Callable[[Path], Path], tmp_path: Path
) -> None:
    files = make_takes(tmp_path / "takes")
    next(iter(files.glob("wave/*"))).unlink()
    arguments = ["prepare", "folder", files, "--out", tmp_path / "data", "--quiet"]
    result = invoke(*arguments, "--least-per-class", "6")
    assert result.status == 0
    assert result.out.splitlines()[1:] == [
        "unlabelled: 5 of 17 sequences, 5 of them since their class has too few: wave (5)"
    ]
    assert "\nsmall_classes\n  wave  5\n" in invoke("info", tmp_path / "data").out
    assert "unlabelled" not in invoke(*arguments, "--overwrite").out
    assert "small_classes" not in invoke("info", tmp_path / "data").out


def test_info_on_a_data_set(invoke: Invoke, folders: Path) -> None:
    out = invoke("info", folders / "data").out
    for name, value in (("sequences", "18"), ("classes", "3"), ("class_names", "march, squat, wave"), ("joints", "16")):
        assert re.search(rf"^{name} +{value}$", out, re.MULTILINE), name
    assert json.loads(invoke("info", folders / "data", "--json").out)["sequences"] == 18


def test_info_on_a_file(invoke: Invoke, takes: Path) -> None:
    out = invoke("info", takes / "wave" / "anna_0.bvh").out
    assert re.search(r"^ *frames +45$", out, re.MULTILINE)
    assert re.search(r"^ *joints +16$", out, re.MULTILINE)


def test_info_on_a_folder_of_files_is_a_summary(invoke: Invoke, takes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motionprint.cli.info.LISTED", 5)
    lines = invoke("info", takes).out.splitlines()
    assert "persons         18" in lines
    assert "  1: 16 joints" in lines
    assert sum(line.endswith("45 frames, 30 frames/s, 1.5 s, 16 joints") for line in lines) == 5
    assert lines[-1] == "... and 13 more: --json lists all"
    assert len(json.loads(invoke("info", takes, "--json").out)["recordings"]) == 18


def test_sigterm_is_said_in_one_line(invoke: Invoke, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def terminated(path: object, settings: object) -> None:
        raise SystemExit(143)

    monkeypatch.setattr("motionprint.store.describe.describe", terminated)
    result = invoke("info", folders / "data")
    assert (result.status, result.out, result.err) == (143, "", "motionprint: terminated\n")


def test_info_on_a_run(invoke: Invoke, folders: Path) -> None:
    facts = json.loads(invoke("info", folders / "run", "--json").out)
    assert facts["kind"] == "run"
    assert facts["method"] == "inpainting"
    assert facts["steps"] == 3
    assert facts["protocol"] == "kfold:2"
    assert facts["fitted"] == 9


def test_pretrain_passes_every_setting_on(invoke: Invoke, folders: Path, tmp_path: Path) -> None:
    result = invoke(
        *(
            "pretrain",
            folders / "data",
            "--out",
            tmp_path / "run",
            "--steps",
            "2",
            "--seed",
            "7",
            "--loss",
            "elementwise",
        ),
        *("--condition", "none", "--alignment", "none", "--max-length", "none", "--device", "cpu", "--quiet"),
        *("--set", "encoder_units=8", "--set", "decoder_units=9", "--set", "cell=lstm", "--set", "learning_rate=1e-3"),
        *("--set", "hidden_parts=3", "--set", "print_tanh=false"),
    )
    assert result.status == 0, result.err
    assert (
        result.out == f"{tmp_path / 'run'}: 2 steps on 18 recordings (all of the data set: no --protocol was given)\n"
    )
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    expected = {"encoder_units": 8, "decoder_units": 9, "cell": "lstm", "hidden_parts": 3, "print_tanh": False}
    expected |= {"adversary": "none", "condition": "none"}
    assert {name: config["settings"][name] for name in expected} == expected
    assert config["training"]["learning_rate"] == 1e-3
    assert config["training"]["steps"] == 2
    assert config["recipe"]["alignment"] == "none"
    assert config["recipe"]["max_length"] is None
    assert config["seed"] == 7
    assert config["command"].startswith("motionprint pretrain ")


def test_typed_changes() -> None:
    texts = {
        "hidden_parts": "none",
        "condition": "none",
        "dropout": "0",
        "steps": "5",
        "root_path": "True",
        "fps": "30",
    }
    typed = {"hidden_parts": None, "condition": "none", "dropout": 0.0, "steps": 5, "root_path": True, "fps": 30.0}
    assert typed_changes("inpainting", texts) == typed


def test_embed_writes_prints(invoke: Invoke, folders: Path, takes: Path, tmp_path: Path) -> None:
    result = invoke("embed", folders / "run", takes, "--out", tmp_path / "prints.parquet", "--features", "both")
    assert result.status == 0, result.err
    size = 2 * 128 + 3 * 16  # both directions of the states, and F
    assert result.out == f"{tmp_path / 'prints.parquet'}: 18 prints of {size} values, of 18 recordings\n"
    table = pd.read_parquet(tmp_path / "prints.parquet")
    assert list(table.columns) == ["name", "source", "person", "start", "end", "label", "subject", "print"]
    result = invoke(
        *("embed", folders / "run", takes / "wave", "--out", tmp_path / "windows.parquet", "--quiet"),
        *("--window", "0.5", "--stride", "0.2"),
    )
    assert result.err == ""
    windows = pd.read_parquet(tmp_path / "windows.parquet")
    assert (windows["end"] - windows["start"]).round(6).eq(0.5).all()
    assert windows["start"].iloc[:3].tolist() == pytest.approx([0.0, 0.2, 0.4])


def test_embed_works_on_a_cluster(invoke: Invoke, folders: Path, takes: Path, tmp_path: Path) -> None:
    """The library's tests say more; here, that the option gets there, and one line if there is no cluster."""
    distributed = pytest.importorskip("distributed")
    call = ("embed", folders / "run", takes, folders / "data", "--quiet", "--overwrite", "--out")
    assert invoke(*call, tmp_path / "here.parquet").status == 0
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        result = invoke(*call, tmp_path / "there.parquet", "--scheduler", cluster.scheduler_address)
    assert (result.status, result.err) == (0, "")
    assert (tmp_path / "there.parquet").read_bytes() == (tmp_path / "here.parquet").read_bytes()
    result = invoke(*call, tmp_path / "none.parquet", "--scheduler", "nowhere")
    assert result.status == 1 and result.err.startswith(
        "motionprint: nowhere: expected the address of a Dask scheduler"
    )
    assert result.err.count("\n") == 1 and not (tmp_path / "none.parquet").exists()


def test_evaluate_prints_a_summary_and_writes_every_row(invoke: Invoke, folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    result = invoke(
        *("evaluate", folders / "run", folders / "data", "--out", out, "--features", "states,F"),
        *("--labels-per-class", "1,all", "--samplings", "2"),
    )
    assert result.status == 0, result.err
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["method"] for row in rows} == {"inpainting", "random", "raw", "first_frame"}
    assert {row["features"] for row in rows if row["method"] == "inpainting"} >= {"states", "F"}
    assert {row["command"] for row in rows} == {
        f"motionprint evaluate {folders / 'run'} {folders / 'data'} --out {out} --features states,F "
        "--labels-per-class 1,all --samplings 2"
    }
    few = [row for row in rows if row["labels_per_class"] == 1 and row["method"] == "raw" and row["task"] == "linear"]
    assert len(few) == 2
    mean = sum(row["value"] for row in few) / 2
    lines = [line.split() for line in result.out.splitlines()]
    assert any(line[:3] == ["raw", "1", "linear"] and line[4] == f"{mean:.3f}" and line[-1] == "2" for line in lines)
    assert "kfold:2, fold 0: 9 test recordings" in result.out


def test_evaluate_refuses_what_the_run_was_fitted_on(invoke: Invoke, folders: Path, tmp_path: Path) -> None:
    arguments = [
        "evaluate",
        folders / "run",
        folders / "data",
        "--out",
        tmp_path / "rows.jsonl",
        "--fold",
        "1",
        "--quiet",
    ]
    result = invoke(*arguments)
    assert result.status == 1
    assert "--transductive" in result.err
    assert list(tmp_path.iterdir()) == []
    result = invoke(*arguments, "--transductive")
    assert result.status == 0
    assert "trained on test recordings (transductive)" in result.out


def test_nothing_is_overwritten_unasked(invoke: Invoke, folders: Path, takes: Path, tmp_path: Path) -> None:
    data, run = folders / "data", folders / "run"
    prints, rows = tmp_path / "prints.parquet", tmp_path / "rows.jsonl"
    prints.write_text("mine")
    rows.write_text("mine")
    before = {path: path.read_bytes() for path in (*data.iterdir(), *run.iterdir()) if path.is_file()}
    for arguments in (
        ["prepare", "folder", takes, "--out", data],
        ["pretrain", data, "--out", run, "--steps", "1"],
        ["embed", run, takes, "--out", prints],
        ["evaluate", run, data, "--out", rows],
    ):
        result = invoke(*arguments, "--quiet")
        assert result.status == 1
        assert re.fullmatch(r"motionprint: \S+: exists; .*--overwrite replaces it\n", result.err)
    assert prints.read_text() == rows.read_text() == "mine"
    assert {path: path.read_bytes() for path in (*data.iterdir(), *run.iterdir()) if path.is_file()} == before
    assert invoke("embed", run, takes, "--out", prints, "--quiet", "--overwrite").status == 0
    assert len(pd.read_parquet(prints)) == 18


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_leaves_a_run_that_can_be_used_and_continued(
    invoke: Invoke, folders: Path, takes: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    arguments = ["pretrain", str(folders / "data"), "--out", str(run), "--steps", "100000", "--set", "log_every=1"]
    arguments += ["--set", "checkpoint_every=2"]
    process = subprocess.Popen([sys.executable, "-m", "motionprint", *arguments], stderr=subprocess.PIPE, text=True)
    log = run / "log.csv"
    until = time.monotonic() + 120
    while not (log.is_file() and len(log.read_text().splitlines()) > 3):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "motionprint: interrupted"
    assert "Traceback" not in err
    done = json.loads(invoke("info", run, "--json").out)["steps"]
    assert done >= 3
    assert invoke("embed", run, takes, "--out", tmp_path / "prints.parquet", "--quiet").status == 0
    arguments[arguments.index("100000")] = str(done + 2)
    result = invoke(*arguments, "--resume", "--quiet")
    assert result.status == 0, result.err
    assert result.out.startswith(f"{run}: {done + 2} steps on 18 recordings")


# ---- progress ----------------------------------------------------------------------------------------------------


def test_lines_come_at_the_beginning_every_ten_seconds_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr("motionprint.cli.progress.time.monotonic", lambda: now)
    report = _Lines()
    for second in range(31):
        now = 100.0 + second
        report(2 * second, 60, "reading")
    now = 131.0
    report(0, None, "looking")
    now = 131.5
    report(1, None, "looking")
    assert capsys.readouterr().err.splitlines() == [
        "reading: 0/60",
        "reading: 20/60, 2/s, 0:20 left",
        "reading: 40/60, 2/s, 0:10 left",
        "reading: 60/60, 2/s",
        "looking: 0",
    ]


def test_a_terminal_gets_a_bar(folders: Path, takes: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "motionprint", "prepare", "folder", str(takes), "--out", str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 4096):
            shown += chunk
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert b"reading" in shown and b"18/18" in shown and "━".encode() in shown
    assert b"18 sequences" in out
