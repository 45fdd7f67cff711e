"""What holds for every reader, by a small file of its format in tests/samples: each in the table needs one."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from motionprint.readers import READERS, Source, format_of, motion_names, read

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLES = REPOSITORY / "tests" / "samples"


def _corrupted():
    spec = importlib.util.spec_from_file_location("corrupted", REPOSITORY / "benchmarks" / "corrupted.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["corrupted"] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


corrupted = _corrupted()


def sample(key: str) -> Path:
    [path] = [path for path in SAMPLES.glob(f"{key}.*") if path.suffix != ".asf"]
    return path


@pytest.mark.parametrize("key", READERS)
def test_a_sample_is_of_its_format_whatever_it_is_called(key, tmp_path):
    data = sample(key).read_bytes()
    assert format_of(data, sample(key).name, "file") == key
    assert format_of(data, "unnamed", "file") == key
    others = [other for other, reader in READERS.items() if other != key and reader.recognises(data)]
    assert others == [] or list(READERS).index(key) < min(map(list(READERS).index, others))


@pytest.mark.parametrize("key", READERS)
def test_a_sample_is_the_same_alone_and_in_a_folder_and_in_an_archive(key, tmp_path):
    files = [path for path in SAMPLES.glob(f"{key}.*")]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in files:
            archive.write(path, f"sub/{path.name}")
            (tmp_path / "sub").mkdir(exist_ok=True)
            (tmp_path / "sub" / path.name).write_bytes(path.read_bytes())
    alone = read(sample(key))
    assert alone
    for sequence in alone:
        assert sequence.positions.dtype == np.float32 and not np.isinf(sequence.positions).any()
        assert len(sequence) and sequence.fps > 0 and sequence.source == sample(key).name
    with Source.open(tmp_path / "all.zip") as source:
        assert list(motion_names(source)) == [f"sub/{sample(key).name}"]
    for where in (tmp_path / "sub", tmp_path / "all.zip"):
        found = read(where)
        assert [each.positions.tobytes() for each in found] == [each.positions.tobytes() for each in alone]
        assert [each.person for each in found] == [each.person for each in alone]


@pytest.mark.parametrize("key", READERS)
def test_a_damaged_file_is_refused_or_read_and_nothing_else(key):
    files = {name: group for name, group in corrupted.samples().items() if name == sample(key).name}
    [outcome] = corrupted.run(files, 60, seed=1, seconds=30, memory=2, keep=None)
    assert outcome.wrong == []
    assert outcome.refused + outcome.read == 60 and outcome.refused > 0


def test_the_check_finds_what_should_not_happen(monkeypatch):
    def recognises(data):
        return True

    def reads(source, name, data, settings):
        if len(data) % 2:
            raise IndexError("list index out of range")
        bytes(200_000_000)
        return []

    monkeypatch.setattr(READERS["amc"], "recognises", recognises)
    monkeypatch.setattr(READERS["amc"], "read", reads)
    [outcome] = corrupted.run({"a.bvh": {"a.bvh": b"x" * 101}}, 40, seed=0, seconds=30, memory=2, keep=None)
    assert "undamaged: IndexError: list index out of range" in outcome.wrong
    assert any("IndexError" in line for line in outcome.wrong[1:])
    assert any(line.endswith("took 200 MB, the undamaged file 0 MB") for line in outcome.wrong)
