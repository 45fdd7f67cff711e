"""Training with labels: exact, restartable, ended by training recordings, and blind to what tests."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from motionprint.corpora.synthetic import generate
from motionprint.errors import DatasetError, SettingsError, SkeletonMismatchError
from motionprint.evaluation import evaluate
from motionprint.evaluation.supervised import predict
from motionprint.methods import CLASSIFIERS
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset, open_dataset, write_dataset
from motionprint.store.labelled import draw_labelled, hold_out
from motionprint.training import load_run, pretrain, train
from motionprint.training.loop import Trainer

PROTOCOL = "subjects:s01,s02,s03"
TINY = {"encoder_units": 6, "batch_size": 8, "log_every": 2, "checkpoint_every": 3, "validate_every": 2}
PRETRAIN = {"encoder_units": 6, "decoder_units": 6, "discriminator_units": 2, "batch_size": 8, "crops": 2}


@pytest.fixture(scope="module")
def sequences() -> list[SkeletonSequence]:
    """Recordings of three classes by five people, short ones."""
    kinds = sorted({str(s.label) for s in generate(seed=0)})[:3]
    people = ("s01", "s02", "s03", "s04", "s05")
    chosen = [s for s in generate(seed=0) if s.subject in people and s.label in kinds]
    return [replace(s, positions=s.positions[:60]) for s in chosen]


@pytest.fixture(scope="module")
def dataset(sequences: list[SkeletonSequence], tmp_path_factory: pytest.TempPathFactory) -> MotionDataset:
    return _store(sequences, tmp_path_factory.mktemp("train") / "data")


@pytest.fixture(scope="module")
def pretrained(dataset: MotionDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train") / "pretrained"
    pretrain(dataset, folder, protocol=PROTOCOL, changes=PRETRAIN, steps=6)
    return folder


def _store(sequences: list[SkeletonSequence], folder: Path) -> MotionDataset:
    write_dataset(folder, sequences)
    return open_dataset(folder)


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def _same(a: Path, b: Path) -> bool:
    first, second = _tensors(a), _tensors(b)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def _log(folder: Path) -> list[dict[str, str]]:
    with open(folder / "log.csv", newline="", encoding="utf-8") as opened:
        return [{k: v for k, v in line.items() if k != "seconds"} for line in csv.DictReader(opened)]


def test_one_seed_gives_the_same_bits_and_another_seed_others(dataset: MotionDataset, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(dataset, tmp_path / name, protocol=PROTOCOL, changes=TINY, steps=5, seed=seed)
    assert _same(tmp_path / "a", tmp_path / "b")
    assert not _same(tmp_path / "a", tmp_path / "c")


@pytest.mark.parametrize("stop", [3, 4, 7])
def test_a_killed_run_is_taken_up_bit_for_bit(dataset: MotionDataset, tmp_path: Path, stop: int) -> None:
    class Killed(BaseException):
        pass

    def kill(done: int, total: int | None, text: str) -> None:
        if total is not None and done == stop:
            raise Killed

    with pytest.raises(Killed):
        train(dataset, tmp_path / "killed", protocol=PROTOCOL, changes=TINY, steps=9, report=kill)
    train(dataset, tmp_path / "killed", protocol=PROTOCOL, changes=TINY, steps=9, resume=True)
    train(dataset, tmp_path / "whole", protocol=PROTOCOL, changes=TINY, steps=9)
    assert _same(tmp_path / "killed", tmp_path / "whole")
    assert _log(tmp_path / "killed") == _log(tmp_path / "whole")


def test_training_ends_when_held_out_recordings_say_so_and_keeps_the_best(
    dataset: MotionDataset, tmp_path: Path
) -> None:
    changes = {**TINY, "patience": 2, "learning_rate": 1.0}  # so large that it can only become worse
    run = train(dataset, tmp_path / "run", protocol=PROTOCOL, changes=changes, steps=200)
    tensors = _tensors(tmp_path / "run")
    losses = [float(line["validation_loss"]) for line in _log(tmp_path / "run")]
    best = int(np.argmin(losses))
    assert len(losses) == best + 3 < 100  # two more validations than the best
    assert run.steps == 2 * (best + 1) == int(tensors["validation.step"])
    for name, weight in run.method.state_dict().items():
        assert torch.equal(weight, tensors[f"best.{name}"])
    again = train(dataset, tmp_path / "run", protocol=PROTOCOL, changes=changes, steps=200, resume=True)
    assert again.model_hash == run.model_hash  # what has ended stays ended
    assert len(_log(tmp_path / "run")) == len(losses)


def test_held_out_recordings_are_training_recordings_and_no_gradient_comes_from_them(
    dataset: MotionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: set[int] = set()
    found = Trainer._one_step

    def watched(self: Trainer, batch: object, asked: int) -> object:
        read.update(self.crops.frames.recording[self.crops.recordings(self.step)].tolist())
        assert len(self.crops.frames) == len(run_kept)
        return found(self, batch, asked)  # type: ignore[arg-type]

    train_names = {n for n, s in zip(dataset.names, dataset.subjects, strict=True) if s in ("s01", "s02", "s03")}
    held = train(dataset, tmp_path / "first", protocol=PROTOCOL, changes=TINY, steps=2).config["held_out"]
    run_kept = train_names - set(held)
    assert held and set(held) < train_names
    labels = dict(zip(dataset.names, dataset.labels, strict=True))
    counts = [sum(labels[name] == label for name in held) for label in sorted({labels[name] for name in held})]
    totals = [sum(labels[name] == label for name in train_names) for label in sorted(set(labels.values()))]
    assert counts == [total // 5 for total in totals]
    monkeypatch.setattr(Trainer, "_one_step", watched)
    train(dataset, tmp_path / "run", protocol=PROTOCOL, changes=TINY, steps=20)
    assert read == set(range(len(run_kept)))


def test_few_labels_hold_out_nothing_and_train_to_the_end(dataset: MotionDataset, tmp_path: Path) -> None:
    run = train(dataset, tmp_path / "run", protocol=PROTOCOL, changes=TINY, steps=6, labels_per_class=2, sampling=3)
    assert run.config["held_out"] == [] and run.config["labelled"] == 6
    assert run.steps == 6
    assert not any(name.startswith("best.") for name in _tensors(tmp_path / "run"))
    rows = evaluate(run, dataset)
    assert [(row["task"], row["labels_per_class"], row["sampling"], row["n_train"]) for row in rows] == [
        ("supervised", 2, 3, 6)
    ]
    assert rows[0]["method"] == "softmax" and rows[0]["metric"] == "accuracy"


def test_what_is_held_out_depends_on_names_and_labels_alone() -> None:
    names = [f"r{number}" for number in range(30)]
    labels = ["a"] * 10 + ["b"] * 20
    held = hold_out(names, labels, 0.2, 0)
    assert np.bincount((held >= 10).astype(int)).tolist() == [2, 4]
    order = np.random.default_rng(1).permutation(30)
    again = hold_out([names[i] for i in order], [labels[i] for i in order], 0.2, 0)
    assert {names[i] for i in held} == {names[order[i]] for i in again}
    assert not np.array_equal(held, hold_out(names, labels, 0.2, 1))
    assert not len(hold_out(names, ["a"] * 4 + ["b"] * 26, 0.2, 0))  # a class that can spare none
    assert not len(hold_out(names, labels, 0.0, 0))
    assert set(draw_labelled(names, labels, 2, 0)) <= set(draw_labelled(names, labels, 5, 0))


def test_fine_tuning_starts_from_the_encoder_with_its_recipe(
    dataset: MotionDataset, pretrained: Path, tmp_path: Path
) -> None:
    source = load_run(pretrained)
    begun = train(dataset, tmp_path / "begun", init=pretrained, protocol=PROTOCOL, changes={**TINY}, steps=1)
    assert begun.recipe == source.recipe
    before = {**source.method.networks["encoder"].state_dict()}
    after = begun.method.networks["encoder"].state_dict()
    for name, weight in before.items():  # one step of Adam moves no weight by more than its step size
        assert float((weight - after[name]).abs().max()) <= 1.01e-3
    rows = evaluate(begun, dataset)
    assert (rows[0]["method"], rows[0]["task"], rows[0]["loss"]) == ("inpainting", "finetune", "joint")
    scratch = train(dataset, tmp_path / "scratch", protocol=PROTOCOL, changes=TINY, steps=1)
    assert begun.config["held_out"] == scratch.config["held_out"]
    assert {**begun.config["training"]} == {**scratch.config["training"]}  # the same budget for S and S+P


def test_the_encoder_has_a_learning_rate_of_its_own(dataset: MotionDataset, pretrained: Path, tmp_path: Path) -> None:
    changes = {**TINY, "encoder_learning_rate": 1e-6, "learning_rate": 1e-2}
    run = train(dataset, tmp_path / "run", init=pretrained, protocol=PROTOCOL, changes=changes, steps=3)
    before = load_run(pretrained).method.networks["encoder"].state_dict()
    tensors = {name[len("model.encoder.") :]: w for name, w in _tensors(tmp_path / "run").items() if "encoder" in name}
    assert max(float((before[name] - tensors[name]).abs().max()) for name in before) <= 3.1e-6
    assert run.config["supervision"]["encoder_learning_rate"] == 1e-6
    with pytest.raises(SettingsError, match="expected encoder_learning_rate above 0, found 0"):
        train(dataset, tmp_path / "bad", changes={"encoder_learning_rate": 0.0})


def test_a_run_that_has_seen_test_recordings_is_refused_or_named(dataset: MotionDataset, tmp_path: Path) -> None:
    pretrain(dataset, tmp_path / "all", changes=PRETRAIN, steps=1)
    with pytest.raises(DatasetError, match=r"was fitted on \d+ of the \d+ test recordings"):
        train(dataset, tmp_path / "run", init=tmp_path / "all", protocol=PROTOCOL, changes=TINY, steps=1)
    train(dataset, tmp_path / "run", init=tmp_path / "all", protocol=PROTOCOL, changes=TINY, steps=1, transductive=True)
    with pytest.raises(DatasetError, match="say --transductive"):
        evaluate(load_run(tmp_path / "run"), dataset)
    assert evaluate(load_run(tmp_path / "run"), dataset, transductive=True)[0]["transductive"] is True


def test_what_cannot_start_a_classifier_is_refused(
    dataset: MotionDataset, sequences: list[SkeletonSequence], pretrained: Path, tmp_path: Path
) -> None:
    train(dataset, tmp_path / "taught", protocol=PROTOCOL, changes=TINY, steps=1)
    with pytest.raises(SettingsError, match="expected one pre-trained without labels"):
        train(dataset, tmp_path / "run", init=tmp_path / "taught")
    with pytest.raises(SettingsError, match="preset small: found the preset paper"):
        train(dataset, tmp_path / "run", init=pretrained, preset="paper")
    with pytest.raises(SettingsError, match="unknown method 'inpainting': expected one of softmax"):
        train(dataset, tmp_path / "run", method="inpainting")
    with pytest.raises(SettingsError, match="pretrained: its encoder has encoder_units 6, found 64"):
        train(dataset, tmp_path / "run", init=pretrained, changes={"encoder_units": 64})
    with pytest.raises(SettingsError, match="recordings are prepared by its recipe, found alignment = 'none'"):
        train(dataset, tmp_path / "run", init=pretrained, changes={"alignment": "none"})
    with pytest.raises(SettingsError, match="unknown setting 'lambda_adv'"):
        train(dataset, tmp_path / "run", changes={"lambda_adv": 1.0})
    unlabelled = _store([replace(s, label=None) for s in sequences[:4]], tmp_path / "unlabelled")
    with pytest.raises(DatasetError, match="expected at least two classes among the training recordings, found none"):
        train(unlabelled, tmp_path / "run")
    other = [s for s in generate(seed=0)][:2]
    skeleton = replace(other[0].skeleton, joint_names=tuple(f"x{n}" for n in other[0].skeleton.joint_names))
    renamed = [replace(s, skeleton=skeleton, label=str(n)) for n, s in enumerate(other)]
    with pytest.raises(SkeletonMismatchError):
        train(_store(renamed, tmp_path / "renamed"), tmp_path / "run", init=pretrained)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("start", ["random", "pretrained"])
def test_test_recordings_change_nothing_but_their_own_scores(
    dataset: MotionDataset, sequences: list[SkeletonSequence], tmp_path: Path, start: str
) -> None:
    """Sentinels: test recordings of absurd values and labels give the same weights, bit for bit."""
    absurd = []
    for number, sequence in enumerate(sequences):
        if sequence.subject in ("s04", "s05"):
            rng = np.random.default_rng(number)
            wild = rng.normal(0, 1e3, sequence.positions.shape).astype(np.float32)
            sequence = replace(sequence, positions=wild, label="sentinel")
        absurd.append(sequence)
    wild = _store(absurd, tmp_path / "data")
    weights = []
    for name, data in (("plain", dataset), ("wild", wild)):
        init = None
        if start == "pretrained":
            init = pretrain(data, tmp_path / f"{name}-p", protocol=PROTOCOL, changes=PRETRAIN, steps=3)
        run = train(data, tmp_path / name, init=init, protocol=PROTOCOL, changes=TINY, steps=8)
        weights.append(run.model_hash)
        assert "sentinel" not in run.config["classes"]
    assert weights[0] == weights[1]
    assert evaluate(load_run(tmp_path / "wild"), wild)[0]["value"] == 0  # a class that nobody was told


def test_it_solves_what_it_should_and_shuffled_labels_give_chance(
    sequences: list[SkeletonSequence], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    labels = [str(s.label) for s in sequences]
    shuffled = [replace(s, label=label) for s, label in zip(sequences, rng.permutation(labels), strict=True)]
    found = {}
    changes = {"encoder_units": 24, "learning_rate": 3e-3, "validate_every": 10, "patience": 8}
    for name, chosen in (("true", sequences), ("shuffled", [replace(s, label=str(s.label)) for s in shuffled])):
        data = _store(chosen, tmp_path / f"{name}-data")
        run = train(data, tmp_path / name, protocol=PROTOCOL, changes=changes, steps=150)
        found[name] = evaluate(run, data)[0]
    assert found["true"]["value"] > 0.9
    n = found["shuffled"]["n_test"]
    assert abs(found["shuffled"]["value"] - 1 / 3) < 4 * np.sqrt(2 / 9 / n)


def test_a_run_is_taken_up_with_its_own_budget_labels_and_start(
    dataset: MotionDataset, sequences: list[SkeletonSequence], pretrained: Path, tmp_path: Path
) -> None:
    options = {"protocol": PROTOCOL, "changes": TINY}
    train(dataset, tmp_path / "run", steps=4, **options)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="was trained with steps 4, found 8"):  # step sizes would have fallen later
        train(dataset, tmp_path / "run", steps=8, resume=True, **options)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="was started from another pre-trained encoder"):
        train(dataset, tmp_path / "run", steps=4, init=pretrained, resume=True, **options)  # type: ignore[arg-type]
    turned = {"bow": "clap", "clap": "bow"}
    relabelled = [replace(s, label=turned.get(str(s.label), s.label)) for s in sequences]
    other = _store(relabelled, tmp_path / "other" / "data")
    with pytest.raises(SettingsError, match="was trained with told"):
        train(other, tmp_path / "run", steps=4, resume=True, **options)  # type: ignore[arg-type]


def test_long_recordings_are_recognised_by_the_mean_of_their_windows(dataset: MotionDataset, tmp_path: Path) -> None:
    changes = {**TINY, "window_over": 20, "window": 10, "max_length": 10}
    run = train(dataset, tmp_path / "run", protocol=PROTOCOL, changes=changes, steps=4)
    test = dataset.subset([number for number, s in enumerate(dataset.subjects) if s in ("s04", "s05")])
    from motionprint.batches import pack

    for number, name in enumerate(predict(run, test)[:5]):
        pieces = [run.recipe.apply(test[number], piece) for piece in run.recipe.pieces(test[number])]
        assert len(pieces) > 1
        total = torch.zeros(3)
        for piece in pieces:
            batch, _ = pack([piece])
            with torch.no_grad():
                total += run.method.eval().scores(batch.seen, batch.packing)[0]  # type: ignore[operator]
        assert run.config["classes"][int(total.argmax())] == name


def test_a_configuration_tells_what_was_told(dataset: MotionDataset, pretrained: Path, tmp_path: Path) -> None:
    train(dataset, tmp_path / "run", init=pretrained, protocol=PROTOCOL, changes=TINY, steps=1, labels_per_class=1)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["labels_per_class"] == 1 and config["labelled"] == 3 and len(config["classes"]) == 3
    assert config["pretrained"]["method"] == "inpainting"
    assert config["pretrained"]["model"] == load_run(pretrained).model_hash
    with pytest.raises(SettingsError, match="was trained with labels_per_class 1, found 2"):
        train(
            dataset,
            tmp_path / "run",
            init=pretrained,
            protocol=PROTOCOL,
            changes=TINY,
            steps=1,
            labels_per_class=2,
            resume=True,
        )


@pytest.mark.parametrize("method", sorted(name for name, kind in CLASSIFIERS.items() if kind.closed))
def test_closed_methods_are_solved_without_a_step(dataset: MotionDataset, tmp_path: Path, method: str) -> None:
    run = train(dataset, tmp_path / "run", method=method, protocol=PROTOCOL)
    assert run.steps == 0 and run.config["training"]["steps"] == 0
    assert run.config["held_out"] == []  # there is nothing to end
    with pytest.raises(SettingsError, match=f"method {method} is solved at once: expected no steps, found 3"):
        train(dataset, tmp_path / "stepped", method=method, protocol=PROTOCOL, steps=3)
    rows = evaluate(run, dataset)
    assert rows[0]["value"] > 1 / 3 and rows[0]["method"] == method and rows[0]["task"] == "supervised"
    again = train(dataset, tmp_path / "again", method=method, protocol=PROTOCOL)
    assert again.model_hash == run.model_hash
    assert train(dataset, tmp_path / "run", method=method, protocol=PROTOCOL, resume=True).model_hash == run.model_hash


def test_slow_features_are_pretrained_without_a_step(dataset: MotionDataset, tmp_path: Path) -> None:
    run = pretrain(dataset, tmp_path / "run", method="slow_features", protocol=PROTOCOL)
    rows = evaluate(run, dataset)
    value = next(row["value"] for row in rows if row["method"] == "slow_features" and row["task"] == "linear")
    assert run.steps == 0 and value > 0.6
    assert load_run(tmp_path / "run").model_hash == run.model_hash


@pytest.mark.parametrize("method", sorted(name for name, kind in CLASSIFIERS.items() if not kind.closed))
def test_every_supervised_method_is_trained_and_taken_up(dataset: MotionDataset, tmp_path: Path, method: str) -> None:
    class Killed(BaseException):
        pass

    def kill(done: int, total: int | None, text: str) -> None:
        if total is not None and done == 3:
            raise Killed

    changes = {"batch_size": 8, "checkpoint_every": 2, "validate_every": 1}
    options = {"method": method, "protocol": PROTOCOL, "changes": changes, "steps": 4}
    with pytest.raises(Killed):
        train(dataset, tmp_path / "killed", report=kill, **options)  # type: ignore[arg-type]
    train(dataset, tmp_path / "killed", resume=True, **options)  # type: ignore[arg-type]
    train(dataset, tmp_path / "whole", **options)  # type: ignore[arg-type]
    assert _same(tmp_path / "killed", tmp_path / "whole")
    assert evaluate(load_run(tmp_path / "whole"), dataset)[0]["method"] == method
