"""Exported encoders: what others compute with the file is what we compute."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch

import motionprint
from motionprint.batches import pack
from motionprint.cli import main
from motionprint.errors import DatasetError, SettingsError
from motionprint.evaluation import encode
from motionprint.export import export
from motionprint.methods import METHODS, Inpainting
from motionprint.preprocessing import Recipe
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.training import Run, configure, save_run, train_on
from motionprint.training.run import build_method

TINY = {"encoder_units": 5, "decoder_units": 4, "discriminator_units": 2, "steps": 2, "batch_size": 4, "crops": 1}
CASES: dict[str, dict[str, Any]] = {
    "small": {},  # the preset as it is
    "gru1": {**TINY, "layers": 1, "root_path": True},
    "gru3": {**TINY, "layers": 3, "print_tanh": False},
    "lstm1": {**TINY, "cell": "lstm", "layers": 1, "print_tanh": False},
    "lstm2": {**TINY, "cell": "lstm", "layers": 2},
}
FEATURES = {"states": ["states"], "F": ["F"], "both": ["states", "F"]}
TOLERANCE = 1e-5

Frames = npt.NDArray[np.float32]


def _untrained(method: str = "inpainting", **changes: Any) -> Run:
    """A run of random weights; those of a trained one are numbers as well."""
    config, recipe = configure(SKELETONS["kinect20"], method=method, changes=changes)
    recipe = replace(recipe, scale=1.0, root_scale=1.0)
    return Run(config, recipe, build_method(config, recipe).eval(), 0)


def _sequences(inputs: int, count: int = 100, seed: int = 0) -> list[Frames]:
    random = np.random.default_rng(seed)
    return [random.uniform(-1, 1, (n, inputs)).astype(np.float32) for n in random.integers(1, 61, count)]


def _padded(sequences: list[Frames], filling: float) -> tuple[Frames, npt.NDArray[np.int64]]:
    """One batch, longer than its longest sequence."""
    lengths = np.array([len(sequence) for sequence in sequences])
    batch = np.full((len(sequences), lengths.max() + 3, sequences[0].shape[1]), filling, np.float32)
    for row, sequence in zip(batch, sequences, strict=True):
        row[: len(sequence)] = sequence
    return batch, lengths


def _expected(run: Run, sequences: list[Frames]) -> dict[str, Frames]:
    """What the method itself says, one sequence at a time."""
    found: dict[str, list[Frames]] = {"states": [], "F": []}
    for sequence in sequences:
        batch, _ = pack([sequence])
        with torch.no_grad():
            for name, value in run.method.encode(batch.frames, batch.packing).items():
                found[name].append(value.numpy())
    return {name: np.concatenate(values) for name, values in found.items()}


def _session(file: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def _close(found: npt.ArrayLike, expected: Frames) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.fixture(scope="module")
def recordings() -> list[SkeletonSequence]:
    """Twelve walks of random joints, of 20 to 53 frames at 30 frames/s."""
    random = np.random.default_rng(0)
    skeleton = SKELETONS["kinect20"]
    rest = random.normal(size=(len(skeleton), 3))
    paths = [rest + 0.05 * random.normal(size=(20 + 3 * n, len(skeleton), 3)).cumsum(0) for n in range(12)]
    return [SkeletonSequence(path.astype(np.float32), 30.0, skeleton, name=str(n)) for n, path in enumerate(paths)]


@pytest.fixture(scope="module")
def trained(recordings: list[SkeletonSequence]) -> Run:
    config, recipe = configure(recordings[0].skeleton, changes=TINY)
    return train_on(recordings, config, recipe, device="cpu")


@pytest.fixture(scope="module")
def run_folder(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "run"
    save_run(trained, folder)
    return folder


# ---- ONNX --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("case", CASES)
def test_onnxruntime_computes_what_we_compute(case: str, features: str, tmp_path: Path) -> None:
    run = _untrained(**CASES[case])
    export(run, tmp_path / "encoder.onnx", features=features)
    session = _session(tmp_path / "encoder.onnx")
    assert [output.name for output in session.get_outputs()] == FEATURES[features]
    sequences = _sequences(run.recipe.inputs)
    expected = _expected(run, sequences)
    for number, sequence in enumerate(sequences):
        found = session.run(None, {"frames": sequence[None], "lengths": np.array([len(sequence)])})
        for name, value in zip(FEATURES[features], found, strict=True):
            _close(value[0], expected[name][number])
    for filling in (0.0, 1e30, np.inf, np.nan):
        frames, lengths = _padded(sequences, filling)
        found = session.run(None, {"frames": frames, "lengths": lengths})
        for name, value in zip(FEATURES[features], found, strict=True):
            _close(value, expected[name])
    order = np.random.default_rng(1).permutation(len(sequences))
    found = session.run(None, {"frames": frames[order], "lengths": lengths[order]})
    for name, value in zip(FEATURES[features], found, strict=True):
        _close(value, expected[name][order])
    first = [sequence[:1] for sequence in sequences]
    expected = _expected(run, first)
    found = session.run(None, {"frames": np.stack(first), "lengths": np.ones(len(first), np.int64)})  # T = 1
    for name, value in zip(FEATURES[features], found, strict=True):
        _close(value, expected[name])


@pytest.mark.parametrize("method", [name for name, kind in METHODS.items() if not kind.closed])
def test_the_encoder_of_every_method_is_exported(method: str, tmp_path: Path) -> None:
    run = _untrained(method, encoder_units=5)
    export(run, tmp_path / "encoder.onnx", features="both")
    sequences = _sequences(run.recipe.inputs, count=5)
    frames, lengths = _padded(sequences, np.nan)
    found = _session(tmp_path / "encoder.onnx").run(["F", "states"], {"frames": frames, "lengths": lengths})
    expected = _expected(run, sequences)
    _close(found[0], expected["F"])
    _close(found[1], expected["states"])


def test_an_onnx_file_is_old_enough_checked_and_always_the_same(trained: Run, tmp_path: Path) -> None:
    for name in "ab":
        export(trained, tmp_path / name, features="both")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    model = onnx.load(tmp_path / "a")
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.opset_import[0].version) == (7, 13)
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    inputs = trained.recipe.inputs
    assert shapes == {"frames": ["N", "T", inputs], "lengths": ["N"], "states": ["N", 10], "F": ["N", inputs]}


# ---- torch -------------------------------------------------------------------------------------------------------

ELSEWHERE = """
import sys
import warnings
from pathlib import Path

warnings.simplefilter("error")
import numpy as np
import torch

folder = Path(sys.argv[1])
for case in sys.argv[2:]:
    module = torch.export.load(folder / f"{case}.pt2").module()
    given = np.load(folder / f"{case}.npz")
    frames, lengths = torch.from_numpy(given["frames"]), torch.from_numpy(given["lengths"])
    with torch.no_grad():
        batch = module(frames, lengths)
        single = [module(frames[n : n + 1, :t], lengths[n : n + 1]) for n, t in enumerate(lengths.tolist())]
        turned = module(frames.flip(0), lengths.flip(0))
        first = module(frames[:, :1], torch.ones_like(lengths))  # T = 1
    for name in batch:
        alone = torch.cat([each[name] for each in single])
        ways = {"batch": batch[name], "alone": alone, "turned": turned[name].flip(0), "first": first[name]}
        np.savez(folder / f"{case}-{name}.npz", **ways)
assert "motionprint" not in sys.modules
"""


@pytest.mark.slow
def test_plain_torch_computes_what_we_compute(tmp_path: Path) -> None:
    """Without motionprint, in a process of its own, without a warning."""
    features = {"small": "both", "gru3": "F", "lstm1": "states"}
    expected, firsts = {}, {}
    for case in features:
        run = _untrained(**CASES[case])
        export(run, tmp_path / f"{case}.pt2", format="torch", features=features[case])
        sequences = _sequences(run.recipe.inputs)
        expected[case] = _expected(run, sequences)
        firsts[case] = _expected(run, [sequence[:1] for sequence in sequences])
        frames, lengths = _padded(sequences, np.nan)
        np.savez(tmp_path / f"{case}.npz", frames=frames, lengths=lengths)
    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path), *features]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for case in features:
        assert sorted(path.name for path in tmp_path.glob(f"{case}-*.npz")) == sorted(
            f"{case}-{name}.npz" for name in FEATURES[features[case]]
        )
        for name in FEATURES[features[case]]:
            found = np.load(tmp_path / f"{case}-{name}.npz")
            for way in ("batch", "alone", "turned"):
                _close(found[way], expected[case][name])
            _close(found["first"], firsts[case][name])


def test_a_torch_archive_says_nothing_of_the_machine_that_made_it(trained: Run, tmp_path: Path) -> None:
    export(trained, tmp_path / "encoder.pt2", format="torch")
    with zipfile.ZipFile(tmp_path / "encoder.pt2") as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert str(Path(motionprint.__file__).parent).encode() not in content, name
            assert str(Path(torch.__file__).parent).encode() not in content, name


# ---- metadata ----------------------------------------------------------------------------------------------------


def _read_onnx(file: Path) -> Mapping[str, str]:
    return {each.key: each.value for each in onnx.load(file).metadata_props}


def _read_torch(file: Path) -> Mapping[str, str]:
    extra = {"metadata.json": ""}
    torch.export.load(file, extra_files=extra)
    found: Mapping[str, str] = json.loads(extra["metadata.json"])
    return found


def test_the_metadata_is_all_that_is_needed(trained: Run, recordings: list[SkeletonSequence], tmp_path: Path) -> None:
    """The recipe that is rebuilt from a file, and its encoder, give the prints that the run gives."""
    said = export(trained, tmp_path / "encoder.onnx", features="both")
    assert export(trained, tmp_path / "encoder.pt2", format="torch", features="both") == said
    assert _read_onnx(tmp_path / "encoder.onnx") == _read_torch(tmp_path / "encoder.pt2") == said
    assert said["model"] == trained.model_hash
    assert (said["method"], said["preset"], said["features"], said["steps"]) == ("inpainting", "small", "both", "2")
    assert (said["fps"], said["unit"], said["axes"]) == ("15", "m", "y up")
    assert (list(json.loads(said["inputs"])), list(json.loads(said["outputs"]))) == (
        ["frames", "lengths"],
        ["states", "F"],
    )
    skeleton = Skeleton.from_dict(json.loads(said["skeleton"]))
    recipe = Recipe.from_dict(json.loads(said["recipe"]), skeleton)
    assert recipe == trained.recipe
    frames, lengths = _padded([recipe.apply(recording) for recording in recordings], np.nan)
    found = _session(tmp_path / "encoder.onnx").run(None, {"frames": frames, "lengths": lengths})
    module = torch.export.load(tmp_path / "encoder.pt2").module()
    with torch.no_grad():
        by_torch = module(torch.from_numpy(frames), torch.from_numpy(lengths))
    for name, value in zip(("states", "F"), found, strict=True):
        _close(value, encode(trained, recordings, name))
        _close(by_torch[name], encode(trained, recordings, name))


@pytest.mark.parametrize("case", ["gru1", "lstm2"])
def test_missing_values_are_read_as_zero(case: str, tmp_path: Path) -> None:
    """NaN, or 0, whatever lies behind the end of a sequence."""
    run = _untrained(**CASES[case])
    random = np.random.default_rng(0)
    sequences = _sequences(run.recipe.inputs, 20)
    for sequence in sequences:
        sequence[random.random(sequence.shape) < 0.3] = np.nan
    expected = _expected(run, [np.nan_to_num(sequence) for sequence in sequences])
    export(run, tmp_path / "encoder.onnx", features="both")
    export(run, tmp_path / "encoder.pt2", format="torch", features="both")
    module = torch.export.load(tmp_path / "encoder.pt2").module()
    for filling in (0.0, np.nan):
        frames, lengths = _padded(sequences, filling)
        states, prints = _session(tmp_path / "encoder.onnx").run(None, {"frames": frames, "lengths": lengths})
        with torch.no_grad():
            by_torch = module(torch.from_numpy(frames), torch.from_numpy(lengths))
        for found in ({"states": states, "F": prints}, by_torch):
            for name in ("states", "F"):
                _close(found[name], expected[name])


# ---- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"format": "tflite"}, "unknown format 'tflite': expected one of onnx, torch"),
        ({"features": "all"}, "unknown features 'all': expected one of states, F, both"),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(
    trained: Run, tmp_path: Path, given: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        export(trained, tmp_path / "encoder", **given)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("missing", "format", "message"),
    [
        ("onnx", "onnx", "format onnx needs the package onnx: pip install onnx"),
        ("torch._higher_order_ops", "torch", "format torch needs a PyTorch that exports scan"),
    ],
)
def test_what_is_missing_is_named(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, format: str, message: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SettingsError, match=message):
        export(trained, tmp_path / "encoder", format=format)
    assert list(tmp_path.iterdir()) == []


def test_a_method_whose_prints_are_more_than_its_encoders_is_refused(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Inpainting.encode
    monkeypatch.setattr(
        Inpainting, "encode", lambda *given: {name: 2 * value for name, value in original(*given).items()}
    )
    with pytest.raises(SettingsError, match="method 'inpainting' cannot be exported"):
        export(trained, tmp_path / "encoder.onnx")


def test_an_existing_file_is_kept(trained: Run, run_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "encoder.onnx"
    file.write_text("mine")
    with pytest.raises(DatasetError, match=r"encoder\.onnx: exists; --overwrite replaces it"):
        export(trained, file)
    assert file.read_text() == "mine"
    export(trained, file, overwrite=True)
    assert onnx.load(file).producer_name == "motionprint"
    with pytest.raises(DatasetError, match=r"found config\.json of a run"):
        export(trained, run_folder / "config.json", overwrite=True)


# ---- the command -------------------------------------------------------------------------------------------------


def _command(*arguments: object) -> int | str | None:
    with pytest.raises(SystemExit) as stop:
        main(["export", *map(str, arguments)])
    return stop.value.code


def test_the_command_writes_the_same_file(
    run_folder: Path, trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _command(run_folder, "--out", tmp_path / "a.onnx", "--format", "onnx", "--features", "F") == 0
    size = (tmp_path / "a.onnx").stat().st_size
    said = f"{tmp_path / 'a.onnx'}: {size:,} bytes, onnx, model {trained.model_hash[:12]}\n"
    assert capsys.readouterr() == (said, "")
    export(trained, tmp_path / "b.onnx", features="F")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_the_command_fails_in_one_line(run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "there").write_text("mine")
    for arguments, status, message in (
        ((tmp_path, "--out", tmp_path / "x"), 1, "expected a run folder with config.json, found none"),
        ((run_folder, "--out", tmp_path / "there"), 1, "there: exists; --overwrite replaces it"),
        ((run_folder, "--out", tmp_path), 1, "expected a file to write, found a folder"),
        ((run_folder, "--out", tmp_path / "x", "--format", "coreml"), 2, "'coreml' is not one of 'onnx', 'torch'"),
        ((run_folder,), 2, "Missing option '--out'"),
    ):
        assert _command(*arguments) == status
        err = capsys.readouterr().err
        assert message in " ".join(err.split())
        assert status == 2 or err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
