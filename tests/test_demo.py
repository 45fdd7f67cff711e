"""The demo: its table is what its rows say, and its outputs are whole or not there."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pytest
from matplotlib import image

from motionprint.demo import COLUMNS, DemoResult, run_demo
from motionprint.errors import DatasetError
from motionprint.evaluation.rows import read_rows
from motionprint.store import open_dataset
from motionprint.training import load_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "out"


@pytest.fixture(scope="module")
def result(folder: Path) -> DemoResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("motionprint.corpora.synthetic.LABELS", ("clap", "jump", "wave"))  # less of it is enough here
        return run_demo(folder, steps=4, seed=3, command="motionprint demo --steps 4 --seed 3")


def test_it_makes_a_data_set_a_run_rows_and_a_picture(result: DemoResult, folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["data", "inpainting.png", "rows.jsonl", "run"]
    run = load_run(folder / "run")
    assert run.steps == 4
    assert run.config["seed"] == 3
    assert run.config["protocol"] == "cross-subject"
    assert read_rows(folder / "rows.jsonl") == result.rows
    assert {row["command"] for row in result.rows} == {"motionprint demo --steps 4 --seed 3"}


def test_nobody_who_tests_has_trained(result: DemoResult, folder: Path) -> None:
    dataset = open_dataset(folder / "data")
    names = np.array(dataset.names)
    sides = dataset.protocols["cross-subject"][0]
    train, test = (set(np.array(dataset.subjects)[np.isin(names, sides[side])]) for side in ("train", "test"))
    assert not train & test
    fitted = set(load_run(folder / "run").config["fitted"])
    hashes = np.array(dataset.sha256)
    assert fitted == set(hashes[np.isin(names, sides["train"])])
    assert not any(row["transductive"] for row in result.rows)


def test_the_table_is_what_the_rows_say(result: DemoResult) -> None:
    assert [line[0] for line in result.lines] == ["states", "F", "untrained encoder", "raw coordinates"]
    kinds = [("inpainting", "states"), ("inpainting", "F"), ("random", "states"), ("raw", None)]
    for line, (method, features) in zip(result.lines, kinds, strict=True):
        assert len(line) == 1 + len(COLUMNS)

        def values(task: str, labels: int | None, method: str = method, features: str | None = features) -> list[float]:
            keys = {"method": method, "features": features, "task": task, "labels_per_class": labels}
            return [100 * row["value"] for row in result.rows if all(row[key] == value for key, value in keys.items())]

        (linear,), (nearest,) = values("linear", None), values("knn1", None)
        few = values("linear", 2)
        assert line[1:] == (f"{linear:.1f}", f"{nearest:.1f}", f"{mean(few):.1f} ± {stdev(few):.1f}")
        assert len(few) == 10


def test_the_sentence_is_what_the_rows_say(result: DemoResult) -> None:
    for condition, text in (("F", "hidden values: {:.1f} cm"), ("zeroed", "print zeroed {:.1f} cm")):
        (value,) = [
            row["value"]
            for row in result.rows
            if (row["task"], row["metric"], row["condition"]) == ("inpaint_hidden", "rmse_cm", condition)
        ]
        assert text.format(value) in result.inpainting


def test_the_picture_shows_something(result: DemoResult) -> None:
    pixels = image.imread(result.picture)
    assert pixels.shape[0] > 200 and pixels.shape[1] > 400
    assert 0.001 < (pixels[..., :3].min(axis=2) < 0.9).mean() < 0.5


def test_an_earlier_demo_is_not_overwritten_unasked(result: DemoResult, folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(DatasetError, match=r"data, .*run, .*rows\.jsonl, .*inpainting\.png: exists; --overwrite"):
        run_demo(folder, steps=1)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
