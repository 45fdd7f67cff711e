"""benchmarks/training.py counts what is computed, and its ways run; what missing.py, noise.py and alignments.py
measure is right."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from motionprint.methods import Inpainting
from motionprint.methods.inpainting import InpaintingSettings
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import write_dataset
from motionprint.training import pretrain
from motionprint.training.loop import gradients

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def training(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_module("training")


def test_what_is_counted_is_what_the_products_compute(training: ModuleType) -> None:
    """Counted on top by PyTorch: the layers that give prints and logits, and Dis's inputs' gradient for real frames."""
    settings = InpaintingSettings(encoder_units=48, decoder_units=96, discriminator_units=16)
    method = Inpainting(training.SKELETON, training.INPUTS, settings)
    batch = training.crops(32, 10).batch(0, torch.device("cpu"))
    with FlopCounterMode(display=False) as counter:
        gradients(method.networks, method.objectives(batch))
    expected = training.work(settings, batch.packing.rows, batch.packing.count)
    assert expected < counter.get_total_flops() < 1.03 * expected


def test_every_way_trains_and_is_measured(training: ModuleType) -> None:
    settings = InpaintingSettings(encoder_units=8, decoder_units=8, discriminator_units=4)
    rows = training.measure(settings, torch.device("cpu"), True, training.WAYS, 0.01, square=64)
    assert [row["way"] for row in rows] == ["float32", "bf16", "plain", "field"]
    for row in rows:
        assert row["share"] > 0 and row["frames_per_second"] > 0 and row["times_plain"] > 0
    made = training.epoch(settings, torch.device("cpu"), 4096, "float32", recordings=200)
    assert made["frames"] > 7 * made["sequences"] > 7 * 900


def test_its_networks_are_those_of_the_method(training: ModuleType) -> None:
    """Both references hold as many weights in each network as the method."""
    settings = InpaintingSettings(encoder_units=8, decoder_units=12, discriminator_units=4)
    method = Inpainting(training.SKELETON, training.INPUTS, settings)
    expected = [sum(weight.numel() for weight in network.parameters()) for network in method.networks.values()]
    for stepwise in (False, True):
        reference = training.Reference(settings, torch.device("cpu"), stepwise)
        assert [sum(w.numel() for w in network.parameters()) for network in reference.networks] == expected


# ---- missing.py, noise.py ----------------------------------------------------------------------------------------


def test_a_share_of_a_recording_is_missing_as_it_is_said(benchmark_module: Callable[[str], ModuleType]) -> None:
    missing = benchmark_module("missing")
    skeleton = SKELETONS["kinect20"]
    positions = np.random.default_rng(0).normal(size=(400, 20, 3)).astype(np.float32)
    whole = SkeletonSequence(positions, 30.0, skeleton)
    lost = {}
    for way in missing.WAYS:
        spoiled = missing.spoiled(way, whole, 0.3, np.random.default_rng(1)).positions
        lost[way] = np.isnan(spoiled).all(axis=2)
        assert (np.isnan(spoiled).any(axis=2) == lost[way]).all()
        assert (spoiled[~lost[way]] == positions[~lost[way]]).all()
    assert not np.isnan(positions).any()
    for way in ("joints", "joints, turned"):
        assert lost[way].all(axis=0).sum() == lost[way].any(axis=0).sum() == 6
        assert not lost[way][:, skeleton.root].any()
    assert skeleton.hips is not None and skeleton.spine is not None
    turned_by = [*skeleton.hips, *skeleton.spine]
    draws = [missing.spoiled("joints, turned", whole, 0.3, np.random.default_rng(n)).positions for n in range(40)]
    assert not any(np.isnan(each[:, turned_by]).any() for each in draws)
    assert lost["points"].mean() == pytest.approx(0.3, abs=0.02)  # four standard errors of 8,000 points
    assert (lost["points, filled"] == lost["points"]).all()
    assert lost["frames"].all(axis=1).sum() == lost["frames"].any(axis=1).sum() == 120


def test_the_rank_of_ones_own_print_has_its_known_answer(benchmark_module: Callable[[str], ModuleType]) -> None:
    ranks = benchmark_module("ranks")
    gallery = np.array([[1.0, 0], [0, 1], [1, 1], [2, 2]])
    queries = np.array([[3.0, 0.1], [1, 0.2], [1, 1], [-1, -1]])
    # 1 of 4; the other end; tied with a print of the same direction, which counts as before it; behind all, tied again
    assert ranks.own_ranks(queries, gallery).tolist() == [1, 4, 2, 4]
    assert ranks.own_ranks(gallery[:2], gallery[:2]).tolist() == [1, 1]


def test_both_measure_a_run(benchmark_module: Callable[[str], ModuleType], tmp_path: Path) -> None:
    """The untouched twin of a recording is nearest to it; so it is where nothing is missing."""
    missing, noise = benchmark_module("missing"), benchmark_module("noise")
    random = np.random.default_rng(0)
    made = []
    for number in range(24):
        rest = random.normal(0, 0.3, (20, 3)) + (number % 2)
        positions = (rest + np.cumsum(random.normal(0, 0.01, (30, 20, 3)), axis=0)).astype(np.float32)
        for sensor in ("optical", "depth"):
            extra = {"sensor": sensor, "clip": f"c{number}"}
            name, subject = f"c{number}_{sensor}", f"s{number % 4}"
            label = "ab"[number % 2]
            made.append(
                SkeletonSequence(
                    positions, 30.0, SKELETONS["kinect20"], name, label=label, subject=subject, extra=extra
                )
            )
    names = {sensor: [each.name for each in made if each.extra["sensor"] == sensor] for sensor in ("optical", "depth")}
    protocols = {
        "cross-subject": [{"train": names["optical"][:12], "test": names["optical"][12:]}],
        "optical-to-depth": [{"train": names["optical"][:12], "test": names["depth"][:11:-1]}],
    }
    dataset = write_dataset(tmp_path / "data", made, protocols=protocols)
    changes = {"encoder_units": 8, "decoder_units": 8, "discriminator_units": 4, "batch_size": 8}
    run = pretrain(dataset, tmp_path / "run", changes=changes, steps=2, protocol="cross-subject")
    for row in noise.measure(run, dataset):
        assert (row["top1"], row["mrr"], row["n_test"]) == (1, 1, 12) and row["cosine"] == pytest.approx(1)
        assert row["linear_depth"] == row["linear_optical"]
    rows = list(missing.measure(run, dataset, 0.3, 0))
    assert len(rows) == 15 and {row["prints"] for row in rows} == {"states", "untrained", "raw"}
    assert all(row["cosine"] < 1 for row in rows)
    for row in missing.measure(run, dataset, 0.0, 0):
        assert (row["top1"], row["median_rank"]) == (1, 1) and row["cosine"] == pytest.approx(1)
        assert row["linear"] == row["linear_whole"]


@pytest.mark.parametrize(
    ("script", "file"), [("missing", "missing-mhad"), ("missing", "missing-nw_ucla"), ("noise", "noise")]
)
def test_the_page_on_missing_values_says_what_was_measured(
    benchmark_module: Callable[[str], ModuleType], script: str, file: str
) -> None:
    module = benchmark_module(script)
    page = (FOLDER.parent / "docs" / "missing.md").read_text(encoding="utf-8").splitlines()
    rows = [
        json.loads(line) for line in (FOLDER / "figures" / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert len(rows) == 2 * 3 * (len(module.WAYS) if script == "missing" else 1)
    for row in rows:
        assert module.line(row) in page
        assert row["versions"]["torch"] and row["commit"] and not row["commit"].endswith("-dirty")
        assert row["command"].startswith(f"python benchmarks/{script}.py data/")


# ---- alignments.py -----------------------------------------------------------------------------------------------


def test_cells_that_the_file_has_are_not_measured_again(
    benchmark_module: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    """Two protocols, alignments, scalings and kinds of prints on a tiny data set; cut short, then gone on with."""
    alignments, tables = benchmark_module("alignments"), benchmark_module("results_tables")
    random = np.random.default_rng(0)
    made, rest = [], random.normal(0, 0.3, (20, 3))
    for number in range(24):
        pose = rest + 0.5 * (number % 2) * (np.arange(20) == 7)[:, None]  # one hand is elsewhere
        positions = (pose + random.normal(0, 0.01, (12, 20, 3))).astype(np.float32)
        made.append(SkeletonSequence(positions, 15.0, SKELETONS["kinect20"], f"c{number}", label="ab"[number % 2]))
    names = [each.name for each in made]
    halves = {"train": names[:12], "test": names[12:]}
    dataset = write_dataset(tmp_path / "data", made, protocols={name: [halves] for name in alignments.PROTOCOLS})
    arguments = Namespace(protocols=["cross-view"], alignments=["none", "body"], scalings=["set", "axes"], seeds=[3])
    cells = list(alignments.wanted(arguments, []))
    assert [(cell.alignment, cell.scaling, cell.seed) for cell in cells] == [
        (alignment, scaling, seed)
        for seed in (None, 3)
        for alignment in ("none", "body")
        for scaling in ("set", "axes")
    ]
    raw = [row for cell in cells[:4] for row in alignments.measure(dataset.folder, cell, 1, "cpu")]
    assert {row["linear"] for row in raw} == {1.0} and {row["prints"] for row in raw} == {"raw"}
    trained = alignments.measure(dataset.folder, cells[7], 1, "cpu")
    assert [(row["prints"], row["steps"]) for row in trained] == [("untrained", 0), ("states", 1)]
    assert list(alignments.wanted(arguments, [*trained, *raw])) == cells[4:7]
    alignments.written([*trained, *raw], "nw_ucla", tmp_path / "figures.json")
    table = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert [row["prints"] for row in table["rows"]] == ["raw"] * 4 + ["untrained", "states"]
    lines = tables._alignments(table).splitlines()
    assert lines[0] == "`cross-view`:" and len(lines) == 2 + 2 + 4
    assert lines[4].startswith("| none | set | 100.0 | 100.0 | - | - | - | - |")
    assert lines[-1].startswith("| body | axes | 100.0 | ") and "-" not in lines[-1]


@pytest.fixture(scope="module")
def segmenting(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_module("segmenting")


def test_found_cuts_are_matched_to_true_ones_at_most_once(segmenting: ModuleType) -> None:
    assert segmenting.matched([1.0, 1.2, 5.0], [1.1, 4.0], 0.5) == 1
    assert segmenting.matched([0.6, 1.4], [1.0, 1.8], 0.5) == 2  # the earlier one leaves the later one to the next
    assert segmenting.matched([], [1.0], 0.5) == 0
    string = segmenting.String(None, [1.0, 2.0, 3.0], [])
    found = segmenting.scores([[1.1, 9.0]], [string], 0.5)
    assert found == {"precision": pytest.approx(1 / 2), "recall": pytest.approx(1 / 3), "f1": pytest.approx(2 / 5)}


def test_a_seam_shows_neither_a_jump_nor_a_turn(segmenting: ModuleType) -> None:
    random = np.random.default_rng(0)
    skeleton = SKELETONS["kinect20"]
    first = random.normal(size=(20, 3))
    turn = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    same = SkeletonSequence((first @ turn.T + 5)[None].repeat(30, 0), 30.0, skeleton, label="b")
    whole = SkeletonSequence(first[None].repeat(30, 0), 30.0, skeleton, label="a")
    string = segmenting.strung([whole, same], 0.0)
    assert string.cuts == [1.0] and string.labels == ["a", "b"]
    np.testing.assert_allclose(string.sequence.positions, first[None].repeat(60, 0), atol=1e-5)

    other = SkeletonSequence(random.normal(size=(30, 20, 3)).astype(np.float32), 30.0, skeleton, label="b")
    positions = segmenting.strung([whole, other], 0.2).sequence.positions
    steps = np.abs(positions[30] - positions[29]), np.abs(other.positions[0] - positions[29])
    assert steps[0].max() < steps[1].max()
    root = skeleton.root
    np.testing.assert_allclose(positions[30, root], positions[29, root], atol=1e-5)


def test_segments_cut_where_they_truly_are_get_the_groups_of_their_classes(segmenting: ModuleType) -> None:
    vectors = np.repeat(np.eye(3)[[0, 1, 0, 2]], 10, axis=0)
    string = segmenting.String(None, [1.0, 2.0, 3.0], ["a", "b", "a", "c"])
    given = segmenting.Slid(string, vectors, np.arange(40) / 10 + 0.05)
    assert segmenting.rand_index([given], 0.9) == 1.0


def test_criteria_count_far_heaps(benchmark_module: Callable[[str], ModuleType]) -> None:
    script = benchmark_module("clustering_k")
    random = np.random.default_rng(0)
    prints = np.repeat(20 * np.eye(6), 20, axis=0) + random.normal(size=(120, 6))
    labels = np.repeat(list("abcdef"), 20)
    found, rand = script.criteria(prints, labels)
    names = ("knee", "silhouette", "Calinski-Harabasz", "Davies-Bouldin", "eigengap", "tree gap", "best")
    assert [found[name] for name in names] == [6] * 7
    assert rand["knee"] == rand["classes"] == 1.0


def test_search_compares_by_three_distances_and_counts_what_is_found(
    benchmark_module: Callable[[str], ModuleType],
) -> None:
    search = benchmark_module("search")
    prints = np.array([[3.0, 5.0], [1.0, 5.0]])
    scaler = search.Scaler.fit(prints)
    assert search.compared("plain", scaler, prints[:1]) == pytest.approx(prints[:1] / 34**0.5)
    assert search.compared("centred", scaler, np.array([[5.0, 5.0 + 4.0]])) == pytest.approx(np.array([[0.6, 0.8]]))
    assert search.compared("standardised", scaler, np.array([[3.0, 5.0]])) == pytest.approx(np.array([[1.0, 0.0]]))
    assert search._share(np.array([[1, 2], [3, 4]]), np.array([[2, 1], [3, 9]])) == 0.75
    random = np.random.default_rng(0).normal(size=(60, 4))
    found = np.sort(search._nearest(random[:7], random), axis=1)
    unit = random / np.linalg.norm(random, axis=1, keepdims=True)
    assert (found == np.sort(np.argsort(-(unit[:7] @ unit.T), axis=1)[:, :10], axis=1)).all()
