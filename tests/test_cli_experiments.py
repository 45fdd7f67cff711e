"""The commands `train`, `experiment` and `report`: what they refuse, in one line, with nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from motionprint.cli import main
from motionprint.store import open_dataset, write_dataset
from motionprint.training import pretrain


class Result(NamedTuple):
    status: Any
    out: str
    err: str


Invoke = Callable[..., Result]

TINY = {"encoder_units": 4, "decoder_units": 4, "discriminator_units": 2, "batch_size": 4, "crops": 1}


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
def places(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all that the commands are given: good ones and others."""
    folder = tmp_path_factory.mktemp("places")
    sequences = [replace(each, label=str(each.name).split("/")[0]) for each in open_dataset(few)]
    names = [str(each.name) for each in sequences]
    protocols = {"cross-subject": [{"train": names[::2], "test": names[1::2]}]}
    write_dataset(folder / "all" / "labelled", sequences, prepare={"corpus": "folder"})
    write_dataset(folder / "toys" / "toy", sequences, protocols=protocols, prepare={"corpus": "synthetic"})
    pretrain(folder / "all" / "labelled", folder / "run", changes=TINY, steps=1)
    pretrain(folder / "all" / "labelled", folder / "wide", method="slow_features")
    (folder / "empty").mkdir()
    (folder / "file").write_text("x")
    for name, text in (("torn", "{"), ("other", "{}\n"), ("blank", "")):
        (folder / name).mkdir()
        (folder / name / "rows.jsonl").write_text(text)
        (folder / name / "config.json").write_text(text)
    return folder


def _listing(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


TRAIN = ["train", "{all}/labelled", "--out", "{out}"]
EXPERIMENT = ["experiment", "table2", "--data", "{toys}", "--out", "{out}"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "x"], "Missing option '--out'"),
        ([*TRAIN, "--method", "magic"], "'--method': found 'magic', expected one of softmax, hbrnn"),
        ([*TRAIN, "--method", "inpainting"], "found 'inpainting', expected one of softmax"),
        ([*TRAIN, "--labels-per-class", "0"], "'--labels-per-class': 0 is not in the range x>=1"),
        ([*TRAIN, "--labels-per-class", "all"], "'all' is not a valid integer"),
        ([*TRAIN, "--sampling", "-1"], "'--sampling': -1 is not in the range x>=0"),
        ([*TRAIN, "--steps", "1", "--epochs", "1"], "expected --steps or --epochs, found both"),
        ([*TRAIN, "--steps", "0"], "'--steps': 0 is not in the range x>=1"),
        ([*TRAIN, "--set", "lambda_adv=1"], "found 'lambda_adv', expected one of encoder_units, "),
        ([*TRAIN, "--set", "patience=long"], "patience: found 'long', expected a whole number"),
        ([*TRAIN, "--method", "hmm", "--set", "encoder_units=3"], "found 'encoder_units', expected one of"),
        (["experiment", "table9", "--data", "x", "--out", "y"], "found 'table9', expected one of table1, table2"),
        (["experiment", "table1", "--out", "y"], "Missing option '--data'"),
        ([*EXPERIMENT, "--samplings", "0"], "'--samplings': 0 is not in the range x>=1"),
        ([*EXPERIMENT, "--seeds", "0"], "'--seeds': 0 is not in the range x>=1"),
        ([*EXPERIMENT, "--jobs", "0"], "'--jobs': 0 is not in the range x>=1"),
        ([*EXPERIMENT, "--jobs", "2", "--scheduler", "x"], "--scheduler takes no --jobs: its workers train"),
        (["report"], "Missing argument 'RESULTS...'"),
        (["report", "{empty}", "--out", "{out}", "--figures", "gif"], "found 'gif', expected some of png, svg, pdf"),
        (["report", "{empty}", "--out", "{out}", "--figures", ""], "found '', expected some of png, svg, pdf"),
    ],
)
def test_wrong_usage_exits_with_2(
    invoke: Invoke, places: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = _refused(invoke, places, tmp_path, arguments)
    assert result.status == 2
    assert message in " ".join(result.err.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*TRAIN, "--preset", "huge"], "unknown preset 'huge': expected one of small, paper"),
        ([*TRAIN, "--init", "{empty}"], "{empty}: expected a run folder with config.json, found none"),
        ([*TRAIN, "--init", "{nowhere}"], "{nowhere}: expected a run folder with config.json, found none"),
        ([*TRAIN, "--init", "{file}"], "{file}: expected a run folder with config.json, found none"),
        ([*TRAIN, "--init", "{all}/labelled"], "{all}/labelled: expected a run folder with config.json, found none"),
        ([*TRAIN, "--init", "{other}"], "{other}/config.json: expected the configuration of a run, missing method"),
        ([*TRAIN, "--init", "{torn}"], "{torn}/config.json: "),
        ([*TRAIN, "--init", "{wide}"], "expected one pre-trained without labels that has an encoder to start from"),
        ([*TRAIN, "--init", "{run}", "--preset", "paper"], "preset small: found the preset paper"),
        ([*TRAIN, "--init", "{run}", "--method", "hbrnn"], "expected the method softmax, which starts from"),
        ([*TRAIN, "--init", "{run}", "--protocol", "kfold:2"], "was fitted on 3 of the 3 test recordings"),
        (["train", "{empty}", "--out", "{out}"], "{empty}: expected a data set folder with positions.npy"),
        (["train", "{nowhere}", "--out", "{out}"], "{nowhere}: expected a data set folder, found nothing"),
        (["train", "{file}", "--out", "{out}"], "{file}: expected a data set folder, found a file"),
        (["train", "{run}", "--out", "{out}"], "{run}: expected a data set folder with positions.npy"),
        (["train", "{all}/labelled", "--out", "{run}"], "{run}: exists; --resume continues it, --overwrite replaces"),
        (["train", "{all}/labelled", "--out", "{empty}"], "{empty}: exists; --resume continues it"),
        (["train", "{all}/labelled", "--out", "{file}"], "{file}: exists; --resume continues it"),
        (["train", "{all}/labelled", "--out", "{file}/out"], "{file}: cannot be made"),
        ([*TRAIN, "--protocol", "moon"], "unknown protocol 'moon': expected one of kfold:K"),
        ([*TRAIN, "--protocol", "kfold:2", "--fold", "7"], "kfold:2: expected a fold from 0 to 1, found 7"),
        ([*TRAIN, "--device", "abacus"], "device 'abacus' cannot be used here"),
        ([*TRAIN, "--set", "validation=2"], "validation"),
        ([*TRAIN, "--method", "hmm", "--steps", "3", "--init", "{run}"], "expected the method softmax"),
        (["experiment", "table2", "--data", "{empty}", "--out", "{out}"], "{empty}: expected a data set that table2"),
        (["experiment", "table2", "--data", "{nowhere}", "--out", "{out}"], "{nowhere}: expected a folder of data se"),
        (["experiment", "table2", "--data", "{file}", "--out", "{out}"], "{file}: expected a folder of data sets"),
        (["experiment", "table2", "--data", "{toys}/toy", "--out", "{out}"], "can be run on, found no data set"),
        (["experiment", "table2", "--data", "{all}", "--out", "{out}"], "table2 can be run on, found folder"),
        (["experiment", "table2", "--data", "{toys}", "--out", "{file}"], "{file}: expected a folder of results"),
        ([*EXPERIMENT, "--targets", "moon"], "unknown target 'moon': expected some of mhad"),
        ([*EXPERIMENT, "--targets", "msr"], "{toys}: expected a data set that table2 can be run on as chosen by"),
        ([*EXPERIMENT, "--targets", ","], "expected some target of mhad"),
        ([*EXPERIMENT, "--methods", "magic"], "unknown method 'magic': expected some of inpainting"),
        ([*EXPERIMENT, "--methods", ""], "expected some method of inpainting"),
        (
            [*EXPERIMENT, "--methods", "slow_features"],
            "table2: expected methods that it runs on synthetic with the preset small, found slow_features",
        ),
        ([*EXPERIMENT, "--preset", "huge"], "unknown preset 'huge': expected some of small, paper"),
        ([*EXPERIMENT, "--device", "abacus"], "device 'abacus' cannot be used here"),
        (["report", "{empty}", "--out", "{out}"], "{empty}: expected cells/KEY/rows.jsonl or *.jsonl files of result"),
        (["report", "{nowhere}", "--out", "{out}"], "{nowhere}: expected a folder of results or a file of rows"),
        (["report", "{file}", "--out", "{out}"], "{file}:1: expected a result row"),
        (["report", "{run}", "--out", "{out}"], "{run}: expected cells/KEY/rows.jsonl or *.jsonl files"),
        (["report", "{other}", "--out", "{out}"], "{other}/rows.jsonl:1: expected a result row: row: missing keys"),
        (["report", "{torn}", "--out", "{out}"], "{torn}/rows.jsonl:1: expected a result row"),
        (["report", "{blank}", "--out", "{out}"], "{blank}: expected cells/KEY/rows.jsonl"),
    ],
)
def test_bad_input_gives_one_line_and_leaves_nothing(
    invoke: Invoke, places: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = _refused(invoke, places, tmp_path, [*arguments, "--quiet"])
    assert result.status == 1
    assert result.err.startswith("motionprint: ") and result.err.count("\n") == 1
    assert message.format_map(_Places(places, tmp_path)) in result.err
    assert "unexpected" not in result.err


class _Places(dict[str, Path]):
    """What `{name}` in an argument stands for."""

    def __init__(self, places: Path, tmp_path: Path) -> None:
        super().__init__(out=tmp_path / "out")
        self.places = places

    def __missing__(self, name: str) -> Path:
        return self.places / name


def _refused(invoke: Invoke, places: Path, tmp_path: Path, arguments: list[str]) -> Result:
    """What the command says; it has made, and changed, nothing."""
    before = _listing(places)
    result = invoke(*(argument.format_map(_Places(places, tmp_path)) for argument in arguments))
    assert result.out == ""
    assert list(tmp_path.iterdir()) == []
    assert _listing(places) == before
    return result


def test_a_report_replaces_only_reports(invoke: Invoke, places: Path, tmp_path: Path) -> None:
    rows = Path(__file__).resolve().parents[1] / "results" / "mhad-s0.jsonl"
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").write_text("x")
    result = invoke("report", rows, "--out", tmp_path / "own", "--quiet")
    assert (result.status, result.err) == (1, f"motionprint: {tmp_path / 'own'}: exists; --overwrite replaces it\n")
    result = invoke("report", rows, "--out", tmp_path / "own", "--quiet", "--overwrite")
    assert result.status == 1
    assert "expected a report that motionprint wrote to replace, found 'thesis.txt' in it" in result.err
    assert [path.name for path in tmp_path.rglob("*")] == ["own", "thesis.txt"]


def test_a_run_that_was_trained_otherwise_is_not_continued(invoke: Invoke, places: Path, tmp_path: Path) -> None:
    arguments = ["train", places / "all" / "labelled", "--out", tmp_path / "run", "--steps", "1", "--quiet"]
    small = ["--set", "encoder_units=4", "--set", "batch_size=4", "--set", "crops=1"]
    assert invoke(*arguments, *small).status == 0
    before = _listing(tmp_path)
    result = invoke(*arguments, *small, "--resume", "--labels-per-class", "1")
    assert result.status == 1 and result.err.count("\n") == 1
    assert "was trained with labels_per_class None, found 1" in result.err
    assert _listing(tmp_path) == before
    assert json.loads(before["run/config.json"] or b"")["labelled"] == 6
