"""The corpora of depth cameras: names, ghosts, official protocols; on real recordings where they are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from motionprint.corpora import CORPORA, mhad_dmocap, msr_action3d, ntu_rgbd, ntu_rgbd_120, sbu, utd_mhad
from motionprint.corpora.corpus import Options, Recording
from motionprint.prepare import prepare
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import open_dataset

KINECT = SKELETONS["kinect25"]


def found(corpus: str, folder: Path, names: dict[str, str] | list[str]) -> list[Recording]:
    files = names if isinstance(names, dict) else dict.fromkeys(names, "")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with Source.open(folder) as source:
        return list(CORPORA[corpus].recordings(source, Options()))


def facts(recordings: list[Recording]) -> list[tuple[str, str | None, str | None, dict[str, Any]]]:
    return [(each.name, each.label, each.subject, dict(each.extra)) for each in recordings]


def table(**columns: list[Any]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    names = [f"n{number}" for number in range(count)]
    return pd.DataFrame({"name": names, "sha256": names, **columns})


# ---- names -------------------------------------------------------------------------------------------------------


def test_ntu_names(tmp_path: Path) -> None:
    names = ["x/S001C003P008R002A058.skeleton", "S018C001P041R001A061.skeleton", "S001C001P001R001A001.txt"]
    expected = ("S001C003P008R002A058", "handshaking", "P008", {"setup": 1, "camera": 3, "repetition": 2})
    assert facts(found("ntu_rgbd", tmp_path, names)) == [expected]
    more = ("S018C001P041R001A061", "put on headphone", "P041", {"setup": 18, "camera": 1, "repetition": 1})
    assert facts(found("ntu_rgbd_120", tmp_path, names)) == [more, expected]


def test_ntu_actions_are_those_of_the_official_list() -> None:
    assert list(ntu_rgbd.ACTIONS) == list(range(1, 61)) and list(ntu_rgbd_120.ACTIONS) == list(range(1, 121))
    assert len(set(ntu_rgbd_120.ACTIONS.values())) == 120
    some = {1: "drink water", 8: "sitting down", 20: "put on a hat/cap", 28: "make a phone call/answer phone"}
    some |= {35: "nod head/bow", 43: "falling", 49: "use a fan/feeling warm", 50: "punching/slapping other person"}
    some |= {60: "walking apart from each other", 66: "juggling table tennis balls", 80: "squat down"}
    some |= {99: "running on the spot", 106: "hit other person with something", 120: "finger-guessing game"}
    assert {number: ntu_rgbd_120.ACTIONS[number] for number in some} == some


def test_ntu_samples_on_an_official_list_are_left_out_by_name(tmp_path: Path) -> None:
    listed = "302 of the samples ... ignore these files:\r\n\r\nS001C002P005R002A008\r\nS001C002P006R001A008\r\n"
    files = {"NTU_RGBD_samples_with_missing_skeletons.txt": listed, "notes.txt": "S001C001P001R001A001"}
    files |= {f"S001C00{camera}P006R001A008.skeleton": "" for camera in (1, 2)}
    assert [(each.name, each.left_out) for each in found("ntu_rgbd", tmp_path, files)] == [
        ("S001C001P006R001A008", None),
        ("S001C002P006R001A008", "named in NTU_RGBD_samples_with_missing_skeletons.txt"),
    ]


def test_msr_names(tmp_path: Path) -> None:
    names = ["a01_s10_e03_skeleton3D.txt", "a01_s10_e03_skeleton.txt", "a21_s01_e01_skeleton3D.txt"]
    assert facts(found("msr_action3d", tmp_path, names)) == [("a01_s10_e03", "high arm wave", "s10", {"repetition": 3})]
    assert list(msr_action3d.ACTIONS) == list(range(1, 21))


def test_sbu_names(tmp_path: Path) -> None:
    names = ["clean/s01s02/08/001/skeleton_pos.txt", "s01s02/09/001/skeleton_pos.txt", "s01s02/08/001/rgb.txt"]
    assert facts(found("sbu", tmp_path, names)) == [("s01s02_a08_r001", "punching", "s01s02", {"repetition": 1})]


def test_utd_names(tmp_path: Path) -> None:
    names = ["Skeleton/a27_s8_t4_skeleton.mat", "Inertial/a27_s8_t4_inertial.mat", "a28_s1_t1_skeleton.mat"]
    assert facts(found("utd_mhad", tmp_path, names)) == [("a27_s8_t4", "squat", "s8", {"repetition": 4})]
    assert list(utd_mhad.ACTIONS) == list(range(1, 28)) and len(set(utd_mhad.ACTIONS.values())) == 27


def test_mhad_dmocap_names(tmp_path: Path) -> None:
    names = ["D-Mocap/S01_A11_R05.mat", "x/Mocap/S01_A11_R05.mat", "S01_A11_R05.mat", "Mocap/S01_A12_R05.mat"]
    shared = ("stand up", "s01", {"repetition": 5, "clip": "S01_A11_R05"})
    assert facts(found("mhad_dmocap", tmp_path, names)) == [
        (f"S01_A11_R05_{sensor}", *shared[:2], {**shared[2], "sensor": sensor}) for sensor in ("depth", "optical")
    ]


# ---- ghosts ------------------------------------------------------------------------------------------------------


def body(frames: int, *, wide: float = 0.0, width: float = 0.81, total: int = 40) -> SkeletonSequence:
    """A body of height 1 seen in the first ``frames``, a part of which spread over ``width`` in x."""
    positions = np.full((total, 25, 3), np.nan, np.float32)
    positions[:frames] = 0.1
    positions[:frames, 3, 1] = 1.1
    positions[: round(wide * frames), 7, 0] = 0.1 + width
    return SkeletonSequence(positions, 30, KINECT, person=0)


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([body(3)], {}),  # alone, it stays
        ([body(40), body(40)], {}),
        ([body(40), body(11)], {1: "no person: seen in 11 frames, expected more than 11"}),
        ([body(40), body(12)], {}),
        ([body(5), body(9)], {0: "no person: seen in 5 frames, expected more than 11"}),  # the longest stays
        ([body(20, wide=0.7), body(40)], {0: "no person: wider than high in 70 % of its frames"}),
        ([body(20, wide=0.65), body(40)], {}),
        ([body(20, wide=1, width=0.79), body(40)], {}),
        ([body(20, wide=1), body(40, wide=1)], {0: "no person: wider than high in 100 % of its frames"}),
        ([body(20, wide=1)], {}),
        ([body(5), body(40, wide=1)], {0: "no person: seen in 5 frames, expected more than 11"}),
        ([body(0), body(40)], {0: "no person: seen in 0 frames, expected more than 11"}),
        ([], {}),
    ],
)
def test_ghosts_of_ntu(bodies: list[SkeletonSequence], expected: dict[int, str]) -> None:
    assert ntu_rgbd.ghosts(bodies) == expected
    assert CORPORA["ntu_rgbd"].ghosts is CORPORA["ntu_rgbd_120"].ghosts is ntu_rgbd.ghosts


# ---- protocols ---------------------------------------------------------------------------------------------------


def test_ntu_protocols() -> None:
    index = table(subject=[f"P{number:03}" for number in range(1, 41)], camera=[1, 2, 3, 1] * 10)
    folds = ntu_rgbd.protocols(index)
    (subjects,), (views,) = folds["cross-subject"], folds["cross-view"]
    assert len(subjects["train"]) == len(subjects["test"]) == 20
    assert {"n0", "n37"} <= set(subjects["train"]) and {"n2", "n39"} <= set(subjects["test"])
    assert views["test"][:3] == ["n0", "n3", "n4"] and len(views["train"]) == 20


def test_ntu_120_protocols() -> None:
    index = table(subject=[f"P{number:03}" for number in range(1, 107)], setup=[n % 32 + 1 for n in range(106)])
    folds = ntu_rgbd_120.protocols(index)
    (subjects,), (setups,) = folds["cross-subject"], folds["cross-setup"]
    assert (len(subjects["train"]), len(subjects["test"])) == (53, 53)
    assert set(ntu_rgbd.TRAIN_SUBJECTS) < set(ntu_rgbd_120.TRAIN_SUBJECTS)
    assert setups["train"][:2] == ["n1", "n3"] and setups["test"][:2] == ["n0", "n2"]


def test_msr_protocols() -> None:
    labels = list(msr_action3d.ACTIONS.values())
    index = table(subject=["s01"] * 20 + ["s02"] * 20, label=labels * 2)
    folds = msr_action3d.protocols(index)
    assert folds["cross-subject"][0]["train"] == [f"n{number}" for number in range(20)]
    tested = {name: [int(each[1:]) - 19 for each in fold["test"]] for name, (fold,) in folds.items()}
    assert tested["cross-subject-as1"] == [2, 3, 5, 6, 10, 13, 18, 20]
    assert tested["cross-subject-as2"] == [1, 4, 7, 8, 9, 11, 12, 14]
    assert tested["cross-subject-as3"] == [6, 14, 15, 16, 17, 18, 19, 20]
    assert folds["cross-subject-557"] == folds["cross-subject"]  # none of these is a noisy one


def test_sbu_tests_each_pair_once() -> None:
    pairs = [pair for fold in sbu.FOLDS for pair in fold]
    assert len(pairs) == len(set(pairs)) == 21
    folds = sbu.protocols(table(subject=pairs))["five-fold"]
    assert [len(fold["test"]) for fold in folds] == [4, 4, 4, 4, 5]
    for fold in folds:
        assert sorted(fold["train"] + fold["test"]) == sorted(f"n{number}" for number in range(21))
    assert sbu.protocols(table(subject=pairs[:8]))["five-fold"] == []  # not the published folds


def test_utd_and_mhad_protocols() -> None:
    (fold,) = utd_mhad.protocols(table(subject=[f"s{number}" for number in range(1, 9)]))["cross-subject"]
    assert fold["train"] == ["n0", "n2", "n4", "n6"]
    index = table(subject=["s07", "s07", "s08", "s08"], sensor=["optical", "depth"] * 2)
    assert mhad_dmocap.protocols(index) == {
        "cross-subject": [{"train": ["n0"], "test": ["n2"]}],
        "cross-subject-depth": [{"train": ["n1"], "test": ["n3"]}],
        "optical-to-depth": [{"train": ["n0"], "test": ["n3"]}],
    }


# ---- real recordings ---------------------------------------------------------------------------------------------


def test_msr_action3d_as_it_is(shared_datasets: Path, tmp_path: Path) -> None:
    summary = prepare("msr_action3d", shared_datasets / "msr_action3d.zip", tmp_path / "data")
    assert (summary.recordings, summary.sequences, summary.classes, summary.subjects) == (567, 566, 20, 10)
    assert [(each.name, each.reason) for each in summary.left_out] == [
        ("a13_s09_e02", "nothing recorded: all values are missing")
    ]
    assert (summary.missing_sequences, summary.missing_values) == (19, 64_500)
    assert summary.protocols["cross-subject"] == [(291, 275)]
    assert summary.protocols["cross-subject-557"] == [(284, 273)]  # as the literature counts them
    dataset = open_dataset(tmp_path / "data")
    noisy = dataset[dataset.names.index("a13_s09_e03")]
    assert np.isnan(noisy.positions).all(axis=(1, 2)).sum() == 740
    listed = set()
    with Source.open(shared_datasets / "msr_action3d.zip") as source:
        listed = set(source.read_bytes("files_used_in_cvpr12_paper.txt").decode().split())
    assert len(listed) == 557 and not listed & set(msr_action3d.NOISY)
    assert listed | set(msr_action3d.NOISY) >= set(dataset.names)


def test_sbu_as_it_is(shared_datasets: Path, tmp_path: Path) -> None:
    summary = prepare("sbu", shared_datasets / "sbu_interaction.zip", tmp_path / "data")
    assert (summary.sequences, summary.classes, summary.subjects, summary.joints) == (282, 8, 21, 30)
    assert summary.frames == 6822 and not summary.left_out and not summary.missing_values
    assert summary.protocols == {"five-fold": [(227, 55), (230, 52), (226, 56), (228, 54), (217, 65)]}
    dataset = open_dataset(tmp_path / "data")
    apart = {}  # metres between the two torsos, at the beginning and at the end
    for sequence in dataset:
        gap = np.linalg.norm(sequence.positions[:, 2] - sequence.positions[:, 17], axis=-1)
        apart.setdefault(sequence.label, []).append((gap[0], gap[-1], gap.min()))
    median = {label: np.median(gaps, axis=0) for label, gaps in apart.items()}
    assert median["approaching"][0] > 1.2 and median["approaching"][1] < 0.8
    assert median["departing"][0] < 0.8 and median["departing"][1] > 1.2
    assert min(median, key=lambda label: median[label][2]) == "hugging"


def test_ntu_rgbd_as_it_is(shared_datasets: Path, tmp_path: Path) -> None:
    summary = prepare("ntu_rgbd", shared_datasets / "ntu_rgbd_samples.zip", tmp_path / "data")
    assert (summary.sequences, summary.classes, summary.joints, summary.frames) == (12, 9, 25, 1130)
    assert [(each.name, each.reason) for each in summary.left_out] == [
        ("S001C001P003R002A005_p1", "no person: wider than high in 100 % of its frames")
    ]
    dataset = open_dataset(tmp_path / "data")
    assert dataset.index.set_index("name")["persons"].to_dict()["S001C003P008R002A058"] == 2
    assert sum(dataset.index["persons"]) == 13
    each = prepare("ntu_rgbd", shared_datasets / "ntu_rgbd_samples.zip", tmp_path / "each", persons="each")
    assert each.sequences == 13 and "S001C003P008R002A058_p1" in open_dataset(tmp_path / "each").names
    with Source.open(shared_datasets / "ntu_rgbd_samples.zip") as source:
        missing = ntu_rgbd._missing(source)
    assert len(missing) == 535  # the list of NTU RGB+D 120 holds that of NTU RGB+D
    assert sum(int(name[-3:]) <= 60 for name in missing) == 302


def test_mhad_dmocap_as_it_is(shared_datasets: Path, tmp_path: Path) -> None:
    summary = prepare("mhad_dmocap", shared_datasets / "berkeley_mhad_16joints.zip", tmp_path / "data")
    assert (summary.sequences, summary.classes, summary.subjects, summary.joints) == (1318, 11, 12, 16)
    assert summary.frames == 147_390 + 147_249 and not summary.left_out
    assert set(summary.protocols) == {"cross-subject", "cross-subject-depth", "optical-to-depth"}
    assert set(map(tuple, summary.protocols.values())) == {((384, 275),)}
    dataset = open_dataset(tmp_path / "data")
    lengths = dataset.index.pivot(index="clip", columns="sensor", values="length")
    assert lengths.shape == (659, 2) and not lengths.isna().any(axis=None)
    recorded = json.loads((tmp_path / "data" / "prepare.json").read_text())
    assert recorded["other_files"]["files"] == 0
    for sensor in ("optical", "depth"):  # both stand upright, metres, y up
        numbers = np.flatnonzero(dataset.index["sensor"] == sensor)[::40]
        assert 1.1 < np.median([np.ptp(dataset[n].positions[..., 1], axis=1).mean() for n in numbers]) < 1.7
