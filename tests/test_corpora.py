"""What each corpus makes of names, and its protocols; on real recordings where they are there."""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motionprint.corpora import CORPORA, bandai_namco, berkeley_mhad, cmu, hdm05, nw_ucla
from motionprint.corpora.corpus import Options, Recording, one_fold, refuse_repeated, without_copies
from motionprint.corpora.folder import labels_from
from motionprint.errors import DatasetError, ReadError, SettingsError
from motionprint.prepare import prepare
from motionprint.readers.source import Source
from motionprint.skeleton import SKELETONS
from motionprint.store import open_dataset
from motionprint.store.protocols import resolve


def found(corpus: str, folder: Path, files: dict[str, str], **options: Any) -> list[Recording]:
    """The recordings of a corpus in a folder of files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with Source.open(folder) as source:
        return list(CORPORA[corpus].recordings(source, Options(**options)))


def facts(recordings: list[Recording]) -> list[tuple[str, str | None, str | None, dict[str, Any]]]:
    return [(each.name, each.label, each.subject, dict(each.extra)) for each in recordings]


BVH = "HIERARCHY"
"""Enough for a name: nothing that has it reads frames."""


# ---- names -------------------------------------------------------------------------------------------------------


def test_hdm05_names(tmp_path: Path) -> None:
    names = [
        "HDM_bd.asf",
        "squat1Reps/HDM_bd_squat1Reps_001_120.amc",
        "cuts/sneak2StepsLStart/HDM_tr_sneak2StepsLStart_006_120.AMC",
        "HDM_mm_clap1Reps_012_120.amc",
        "squat1Reps/notes.amc",
    ]
    assert facts(found("hdm05", tmp_path, dict.fromkeys(names, ""))) == [
        ("HDM_mm_clap1Reps_012_120", "clap1Reps", "mm", {"repetition": 12}),
        ("HDM_tr_sneak2StepsLStart_006_120", "sneak2StepsLStart", "tr", {"repetition": 6}),
        ("HDM_bd_squat1Reps_001_120", "squat1Reps", "bd", {"repetition": 1}),
    ]


def test_hdm05_in_one_folder_keeps_its_classes(tmp_path: Path) -> None:
    names = [
        "cuts/HDM_bd_squat1Reps_001_120.amc",
        "cuts/HDM_bd_clap1Reps_001_120.amc",
        "mine/HDM_bd_juggle_001_120.amc",
    ]
    recordings = found("hdm05", tmp_path, dict.fromkeys(names, ""))
    assert [each.label for each in recordings] == ["clap1Reps", "squat1Reps", "mine"]


def test_hdm05_merges_130_classes_into_65(tmp_path: Path) -> None:
    assert len(hdm05.CLASSES_65) == 130 and len(set(hdm05.CLASSES_65.values())) == 65
    assert sum(len(several.split()) for several in hdm05.MERGED.values()) == 130  # none twice
    names = [
        "hopLLeg2hops/HDM_bd_hopLLeg2hops_001_120.amc",
        "walkRightCircle6StepsLstart/HDM_bk_walkRightCircle6StepsLstart_001_120.amc",
        "throwStandingLowR/HDM_tr_throwStandingLowR_001_120.amc",
    ]
    recordings = found("hdm05", tmp_path, dict.fromkeys(names, ""), classes=65)
    assert [each.label for each in recordings] == ["lhop", "throwSD", "walk_right"]
    recordings = found("hdm05", tmp_path, {}, classes=130)
    assert [each.label for each in recordings] == [
        "hopLLeg2hops",
        "throwStandingLowR",
        "walkRightCircle6StepsLstart",
    ]
    with pytest.raises(DatasetError, match=r"juggle_001_120.amc: expected one of the 130 classes, found 'juggle'"):
        found("hdm05", tmp_path, {"juggle/HDM_bd_juggle_001_120.amc": ""}, classes=65)


def test_berkeley_mhad_names(tmp_path: Path) -> None:
    names = ["bvh/skl_s01_a11_r05.bvh", "bvh/skl_s12_a03_r01.bvh", "tpose/skl_s01_t-pose.bvh", "skl_s01_a12_r01.bvh"]
    assert facts(found("berkeley_mhad", tmp_path, dict.fromkeys(names, ""))) == [
        ("skl_s01_a11_r05", "stand up", "s01", {"repetition": 5}),
        ("skl_s12_a03_r01", "bending", "s12", {"repetition": 1}),
    ]
    assert list(berkeley_mhad.ACTIONS) == list(range(1, 12))


def test_nw_ucla_names(tmp_path: Path) -> None:
    names = ["all_sqe/a12_s10_e04_v03.json", "all_sqe/a07_s01_e00_v01.json", "all_sqe/readme.json"]
    assert facts(found("nw_ucla", tmp_path, dict.fromkeys(names, ""))) == [
        ("a12_s10_e04_v03", "carry", "s10", {"view": 3, "repetition": 4})
    ]
    assert list(nw_ucla.ACTIONS) == [1, 2, 3, 4, 5, 6, 8, 9, 11, 12]


def test_nw_ucla_frame_rate_is_15_unless_told_otherwise(tmp_path: Path) -> None:
    files = {"a01_s01_e00_v01.json": json.dumps({"skeletons": np.ones((3, 20, 3)).tolist()})}
    for options, fps in ((Options(), 15.0), (Options(fps=30.0), 30.0)):
        with Source.open(tmp_path) as source:
            found("nw_ucla", tmp_path, files)
            (recording,) = CORPORA["nw_ucla"].recordings(source, options)
            assert recording.read()[0].fps == fps


def test_a_recording_that_is_there_twice_is_named() -> None:
    twice = [Recording("a", path, list) for path in ("one/a.bvh", "two/a.bvh")]
    with pytest.raises(
        DatasetError, match=r"x\.zip: expected each recording once, found a as one/a.bvh and as two/a.bvh"
    ):
        refuse_repeated(twice, "x.zip")


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_every_corpus_says_what_it_is(name: str) -> None:
    corpus = CORPORA[name]
    assert corpus.name == name
    assert corpus.title and corpus.obtain and corpus.layout
    assert corpus.alignment in ("heading", "body", "none")
    assert corpus.alignment == ("body" if name in ("nw_ucla", "ntu_rgbd", "ntu_rgbd_120") else "heading")
    assert corpus.persons == {"sbu": "pair", "ntu_rgbd": "first", "ntu_rgbd_120": "first"}.get(name, "each")
    assert corpus.max_length == (None if name == "hdm05" else 35)


# ---- CMU ---------------------------------------------------------------------------------------------------------

INDEX = """trial,description,fps
02_01,walk,120
02_03,run/jog,120
2_4,"jump, balance",120
60_01,salsa dance,60
102_01,RunningStraight CleanedGRS,120
106_01,clean,120
106_02,,120
"""


def test_cmu_labels_and_rates_come_from_the_index(tmp_path: Path) -> None:
    trials = ["02/02_01", "02/02_04", "60/60_01", "102/102_01", "106/106_01", "106/106_02", "07/07_01"]
    files = {f"all_asfamc/subjects/{trial}.amc": "" for trial in trials}
    recordings = found("cmu", tmp_path, {"cmu_trials.csv": INDEX, "all_asfamc/subjects/02/02.asf": ""} | files)
    assert sorted(facts(recordings), key=itemgetter(0)) == [
        ("02_01", "walk", "02", {"description": "walk", "skipped": 0}),
        ("02_04", "jump", "02", {"description": "jump, balance", "skipped": 0}),
        ("07_01", None, "07", {"description": None, "skipped": 0}),  # not in the index
        ("102_01", "run", "102", {"description": "RunningStraight CleanedGRS", "skipped": 0}),
        ("106_01", None, "106", {"description": "clean", "skipped": 0}),
        ("106_02", None, "106", {"description": None, "skipped": 0}),
        ("60_01", "dance", "60", {"description": "salsa dance", "skipped": 0}),
    ]
    rates = {each.name: each.read.args[2].fps for each in recordings}  # type: ignore[attr-defined]
    assert (rates["02_01"], rates["60_01"], rates["07_01"]) == (120.0, 60.0, None)
    recordings = found("cmu", tmp_path, {}, fps=30.0)
    assert {each.read.args[2].fps for each in recordings} == {30.0}  # type: ignore[attr-defined]


def test_cmu8_holds_the_trials_of_its_classes_only(tmp_path: Path) -> None:
    files = {f"subjects/{trial[:2]}/{trial}.amc": "" for trial in ("02_01", "02_03", "02_04", "60_01")}
    recordings = found("cmu8", tmp_path, {"cmu_trials.csv": INDEX} | files)
    assert [(each.name, each.label) for each in recordings] == [("02_03", "run"), ("02_04", "jump")]
    assert found("cmu8", tmp_path, {}, labels="none") == []


def test_cmu_index_elsewhere_or_none(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(INDEX)
    files = {"02/02_01.bvh": BVH}
    with pytest.raises(DatasetError, match=r"files: expected the trial index cmu_trials.csv .* --labels none"):
        found("cmu", tmp_path / "files", files)
    (given,) = found("cmu", tmp_path / "files", {}, labels=str(tmp_path / "mine.csv"))
    (without,) = found("cmu", tmp_path / "files", {}, labels="none")
    assert (given.label, without.label) == ("walk", None)
    assert given.read.args[2].unit == "cmu" and given.read.args[2].fps is None  # type: ignore[attr-defined]
    with pytest.raises(DatasetError, match=r"labels 'x.csv': expected `none` or a CSV file .*, found no such file"):
        found("cmu", tmp_path / "files", {}, labels="x.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"cmu_trials.csv:1: expected the columns trial, description, fps; found none"),
        ("trial,fps\n", r"cmu_trials.csv:1: expected the columns trial, description, fps; found trial, fps"),
        ("trial,description,fps\n02_01,walk\n", r"cmu_trials.csv:2: expected 3 values, found 2"),
        ("trial,description,fps\nwalk,walk,120\n", r"cmu_trials.csv:2: expected a trial such as 02_01, found 'walk'"),
        ("trial,description,fps\n2_1,a,120\n02_01,b,120\n", r"cmu_trials.csv:3: expected each trial once, found 02_01"),
        ("trial,description,fps\n02_01,walk,\n", r"cmu_trials.csv:2: expected a positive number .*, found None"),
        ("trial,description,fps\n02_01,walk,nan\n", r"cmu_trials.csv:2: expected a positive number .*, found 'nan'"),
        ("trial,description,fps\n02_01,walk,-1\n", r"cmu_trials.csv:2: expected a positive number .*, found '-1'"),
    ],
)
def test_cmu_errors_of_an_index_name_the_row(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        found("cmu", tmp_path, {"cmu_trials.csv": text, "02/02_01.bvh": BVH})


def test_cmu_as_bvh_and_as_amc_in_one_source_is_refused(tmp_path: Path) -> None:
    files = {"cmu_trials.csv": INDEX, "bvh/02_01.bvh": BVH, "subjects/02/02_01.amc": ""}
    recordings = found("cmu", tmp_path, files)
    with pytest.raises(DatasetError, match=r"expected each recording once, found 02_01 as bvh/02_01.bvh and as subj"):
        refuse_repeated(recordings, "x.zip")


def test_cmu_rules_are_45_classes_among_which_the_eight() -> None:
    classes = {action for _, action in cmu.RULES if action is not None}
    assert len(classes) == 45 and set(cmu.EIGHT) < classes
    page = (Path(__file__).resolve().parents[1] / "docs" / "datasets.md").read_text(encoding="utf-8")
    section = page.split("## `cmu`")[1].split("\n## ")[0]
    documented = re.findall(r"\| ([a-z ]+) \| (\d+) ", section)
    assert sorted(action for action, _ in documented) == sorted(classes)


@pytest.mark.parametrize(
    ("description", "action"),
    [
        ("walk", "walk"),
        ("WalkStraight", "walk"),
        ("walk forward, turn around, walk back", "walk back"),
        ("walk backwards and turn", "walk back"),
        ("HurtStomachWalk", "walk with style"),
        ("ZombieWalk8", "walk and turn"),
        ("walk on uneven terrain", "walk on uneven terrain"),
        ("RunningTigherLeft CleanedGRS", "run"),
        ("run/jog, sudden stop", "run"),
        ("Run Jump Over", "pass obstacles"),
        ("Walk to Run", None),  # two actions
        ("basketball signals", "gesture"),
        ("FakeShotBreakLeft", "basketball"),
        ("Basketball Lay Up", "basketball"),
        ("cartwheel into backflip", "acrobatics"),
        ("stretch and cartwheel", "cartwheel"),
        ("dance - cartwheel-like start, pirouettes, jete", "ballet"),
        ("Cartwheels001", "cartwheel"),
        ("sit on high stool, stand up", "sit"),
        ("Lay down and get up", "get up"),
        ("playground - climb, sit, dangle legs, jump down", "climb"),
        ("putting on a jacket", "dress or groom"),
        ("Putt", "golf"),
        ("B sits; A pulls up B (2 subjects - subject A)", "interact"),
        ("walk; B catches keys thrown by A (2 subjects - subject B)", "throw and catch"),
        ("creep and pause, repeat", "sneak"),
        ("walk up to object, squat, pick up object, set down in another place.", "pick up"),
        ("vignettes - lift open window, smash against wall, hop, walk, run/jog, yawn, stretch", None),
        ("clean", None),  # says of the data that they were cleaned
        ("superhero", None),
        ("", None),
        (None, None),
    ],
)
def test_cmu_rules_by_example(description: str | None, action: str | None) -> None:
    assert cmu.action_of(description) == action


# ---- Bandai Namco ------------------------------------------------------------------------------------------------


def test_bandai_namco_names(tmp_path: Path) -> None:
    names = [
        "dataset/Bandai-Namco-Research-Motiondataset-1/data/dataset-1_walk-left_not-confident_001.bvh",
        "dataset/Bandai-Namco-Research-Motiondataset-1/data/dataset-1_walk-left_not-confident_001.json",
        "dataset/Bandai-Namco-Research-Motiondataset-2/data/data/dataset-2_raise-up-both-hands_active_102.bvh",
        "utils/blender/walk.bvh",
    ]
    first = {"dataset": 1, "action": "walk-left", "style": "not-confident", "repetition": 1}
    second = {"dataset": 2, "action": "raise-up-both-hands", "style": "active", "repetition": 102}
    recordings = found("bandai_namco", tmp_path, dict.fromkeys(names, ""))
    assert facts(recordings) == [
        ("dataset-1_walk-left_not-confident_001", "walk-left", None, first),
        ("dataset-2_raise-up-both-hands_active_102", "raise-up-both-hands", None, second),
    ]
    assert [each.label for each in found("bandai_namco", tmp_path, {}, labels="style")] == ["not-confident", "active"]
    assert [each.label for each in found("bandai_namco", tmp_path, {}, labels="action")] == [
        "walk-left",
        "raise-up-both-hands",
    ]


def on_the_floor(root: str = "joint_Root") -> str:
    """A motion in the form of the data set: six channels at each joint, a root on the floor under the hips."""
    six = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
    return (
        f"HIERARCHY\nROOT {root}\n{{\nOFFSET 0 0 0\n{six}\nJOINT Hips\n{{\nOFFSET 1 90 -400\n{six}\n"
        f"JOINT Spine\n{{\nOFFSET 0 15 0\n{six}\nEnd Site\n{{\nOFFSET 0 0 0\n}}\n}}\n}}\n}}\n"
        "MOTION\nFrames:\t2\nFrame Time:\t0.0333333\n"
        "0 0 0 0 0 0 1 94 -9 0 0 0 0 15 0 0 0 0 \n0 0 0 0 0 0 2 95 -8 0 0 0 0 15 0 0 0 0 \n"
    )


def test_bandai_namco_begins_at_the_hips(tmp_path: Path) -> None:
    (recording,) = found("bandai_namco", tmp_path, {"dataset-1_bow_old_001.bvh": on_the_floor()})
    (sequence,) = recording.read()
    assert sequence.skeleton.joint_names == ("Hips", "Spine", "Spine_end") and sequence.skeleton.parents == (-1, 0, 1)
    assert sequence.fps == 30.0
    np.testing.assert_allclose(sequence.positions[:, 0], [[0.01, 0.94, -0.09], [0.02, 0.95, -0.08]], atol=1e-6)
    np.testing.assert_allclose(sequence.positions[:, 1] - sequence.positions[:, 0], [[0, 0.15, 0]] * 2, atol=1e-6)
    (recording,) = found("bandai_namco", tmp_path, {"dataset-1_bow_old_001.bvh": on_the_floor("Root")})
    with pytest.raises(
        ReadError, match=r"dataset-1_bow_old_001.bvh: expected joint_Root to be the root, .* found Root"
    ):
        recording.read()
    assert "CC BY-NC 4.0" in bandai_namco.CORPUS.obtain


# ---- protocols ---------------------------------------------------------------------------------------------------


def table(**columns: list[Any]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    names = [f"n{number}" for number in range(count)]
    return pd.DataFrame({"name": names, "sha256": [f"h{name}" for name in names], **columns})


def test_hdm05_trains_on_three_actors() -> None:
    index = table(subject=["bd", "mm", "bk", "dg", "tr"])
    assert hdm05.protocols(index) == {"cross-subject": [{"train": ["n0", "n2", "n3"], "test": ["n1", "n4"]}]}


def test_berkeley_mhad_trains_on_seven_subjects() -> None:
    index = table(subject=[f"s{number:02}" for number in range(1, 13)])
    (fold,) = berkeley_mhad.protocols(index)["cross-subject"]
    assert fold == {"train": [f"n{n}" for n in range(7)], "test": [f"n{n}" for n in range(7, 12)]}


def test_nw_ucla_protocols_keep_apart_what_is_to_be_kept_apart() -> None:
    index = table(
        subject=["s01", "s01", "s01", "s06", "s06", "s06"],
        view=[1, 2, 3, 1, 2, 3],
        sha256=["a", "b", "b", "c", "c", "d"],  # n1 = n2 and n3 = n4
    )
    assert nw_ucla.protocols(index) == {
        "cross-view": [{"train": ["n0", "n1", "n3", "n4"], "test": ["n2", "n5"]}],
        "cross-view-dedup": [{"train": ["n0", "n3", "n4"], "test": ["n2", "n5"]}],
        "cross-view-settings": [{"train": ["n0"], "test": ["n1", "n4"]}],
        "cross-subject": [{"train": ["n0", "n1", "n2"], "test": ["n3", "n4", "n5"]}],
    }


def test_a_protocol_with_an_empty_side_is_none() -> None:
    index = table(subject=["bd", "bk"])
    train = np.array([True, True])
    assert one_fold(index, train, ~train) == one_fold(index, ~train, train) == []
    assert without_copies(index, train, ~train).tolist() == [True, True]


# ---- a user's own folder -----------------------------------------------------------------------------------------


def test_folder_takes_motion_files_only(tmp_path: Path) -> None:
    files = {
        "a.bvh": BVH,
        "b.AMC": "",
        "b.asf": "",
        "notes.txt": "",
        "settings.json": '{"name": 1}',
        "k.json": '{"skeletons": []}',
        ".hidden.bvh": BVH,
    }
    assert [each.name for each in found("folder", tmp_path, files)] == ["a", "b", "k"]


def test_folder_names_are_paths_and_keep_the_ending_where_they_must(tmp_path: Path) -> None:
    files = {"x/walk.bvh": BVH, "x/walk.amc": "", "y/walk.bvh": BVH}
    assert [each.name for each in found("folder", tmp_path, files)] == ["x/walk.amc", "x/walk.bvh", "y/walk"]


@pytest.mark.parametrize(
    ("names", "how", "labels"),
    [
        (["walk/a.bvh", "run/b.bvh"], "subfolders", ["run", "walk"]),
        (["d/walk/a.bvh", "d/run/b.bvh"], "subfolders", ["run", "walk"]),
        (["02/02_01.bvh", "05/05_01.bvh"], "none", [None, None]),  # numbers: CMU's subjects
        (["walk/a.bvh", "walk/b.bvh"], "none", [None, None]),  # one folder tells nothing apart
        (["a.bvh", "run/b.bvh"], "none", [None, None]),  # some lie in none
        (["a.bvh", "b.bvh"], "none", [None, None]),
    ],
)
def test_folder_labels_by_default(tmp_path: Path, names: list[str], how: str, labels: list[str | None]) -> None:
    recordings = found("folder", tmp_path, dict.fromkeys(names, BVH))
    assert [each.label for each in recordings] == labels
    with Source.open(tmp_path) as source:
        assert labels_from(source, Options()) == how


def test_folder_labels_on_request(tmp_path: Path) -> None:
    files = dict.fromkeys(["02/a.bvh", "b.bvh"], BVH)
    assert [each.label for each in found("folder", tmp_path, files, labels="subfolders")] == ["02", None]
    (tmp_path / "labels.csv").write_text("file,label\nb.bvh,walk\n")
    assert [each.label for each in found("folder", tmp_path, {}, labels="none")] == [None, None]
    assert [each.label for each in found("folder", tmp_path, {})] == [None, "walk"]


def test_folder_labels_of_a_table(tmp_path: Path) -> None:
    text = '\ufefffile;label;subject;camera\r\n.\\x\\a.bvh; "walk; slow";Ann;2\r\n\r\nb.bvh;;Bo;\r\n'
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8", newline="")
    recordings = found("folder", tmp_path, dict.fromkeys(["x/a.bvh", "b.bvh", "c.bvh"], BVH))
    assert facts(recordings) == [
        ("b", None, "Bo", {"camera": None}),
        ("c", None, None, {"camera": None}),
        ("x/a", "walk; slow", "Ann", {"camera": "2"}),
    ]


def test_folder_labels_of_a_table_elsewhere_or_in_the_archive(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("file,subject\na.bvh,Ann\n")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.bvh", BVH)
        archive.writestr("tables/t.csv", "label,file\nwalk,a.bvh\n")
    with Source.open(tmp_path / "x.zip") as source:
        (outside,) = CORPORA["folder"].recordings(source, Options(labels=str(table)))
        (inside,) = CORPORA["folder"].recordings(source, Options(labels="tables/t.csv"))
    assert (outside.label, outside.subject) == (None, "Ann")
    assert (inside.label, inside.subject) == ("walk", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"labels.csv:1: expected the columns file, label, subject; found none"),
        ("name,label\n", r"labels.csv:1: expected the columns file, label, subject; found name, label"),
        ("file\na.bvh\n", r"labels.csv:1: expected the columns file, label, subject; found file"),
        ("file,label,label\n", r"labels.csv:1: expected the columns file, label, subject"),
        ("file,label\na.bvh,x\nb.bvh\n", r"labels.csv:3: expected 2 values, found 1"),
        ('file,label\na.bvh,"x\n', r"labels.csv:2: expected a CSV table: unexpected end of data"),
        ("file,label\nz.bvh,x\n", r"labels.csv:2: expected a recording of .*, found 'z.bvh', which is none"),
        ("file,label\na.bvh,x\n\na.bvh,y\n", r"labels.csv:4: expected each file once, found a.bvh again"),
    ],
)
def test_folder_errors_of_a_table_name_the_row(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        found("folder", tmp_path, dict.fromkeys(["a.bvh", "b.bvh"], BVH))


def test_folder_says_where_labels_cannot_come_from(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"labels 'subfolder': expected `subfolders`, `none`, a pattern such as .*, or a CSV file"
    ):
        found("folder", tmp_path, {"a.bvh": BVH}, labels="subfolder")
    (tmp_path / "labels.csv").write_bytes(b"file,label\na.bvh,\xe4\n")
    with pytest.raises(DatasetError, match=r"labels.csv: expected UTF-8 text"):
        found("folder", tmp_path, {})


# ---- segments ----------------------------------------------------------------------------------------------------


def take(frames: int) -> str:
    """A motion at 10 frames/s that moves 1 m a frame along x."""
    head = "HIERARCHY\nROOT Hips\n{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\n"
    head += "JOINT Chest\n{\nOFFSET 0 10 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n}\n}\n"
    lines = [f"{100 * frame} 0 0 0 0 0" for frame in range(frames)]
    return head + f"MOTION\nFrames: {frames}\nFrame Time: 0.1\n" + "\n".join(lines) + "\n"


SEGMENTS = """file,start,end,label,subject,camera
long.bvh,0.3,0.8,wave,Ann,1
long.bvh,0.8,,walk,Ann,2
long.bvh,,0.25,stand,Bo,
long.bvh,1.125,1.3,bow,,1
whole.bvh,,,run,,
"""


def test_folder_cuts_a_recording_into_its_segments(tmp_path: Path) -> None:
    source = tmp_path / "files"
    source.mkdir()
    for name, frames in (("long", 20), ("other", 3), ("whole", 4)):
        (source / f"{name}.bvh").write_text(take(frames))
    (source / "labels.csv").write_text(SEGMENTS)
    summary = prepare("folder", source, tmp_path / "data")
    dataset = open_dataset(tmp_path / "data")
    first = {each.name: (round(float(each.positions[0, 0, 0])), len(each), each.label) for each in dataset}
    assert first == {
        "long[0.30-0.80]": (3, 5, "wave"),
        "long[0.80-]": (8, 12, "walk"),
        "long[0.00-0.25]": (0, 2, "stand"),
        "long[1.125-1.30]": (11, 2, "bow"),
        "other": (0, 3, None),
        "whole": (0, 4, "run"),
    }
    assert (summary.recordings, summary.sequences, summary.labels) == (6, 6, "labels.csv")
    index = dataset.index.set_index("name")
    assert index["source"].tolist() == ["long.bvh"] * 4 + ["other.bvh", "whole.bvh"]
    assert index.loc["long[0.30-0.80]", ["start", "end", "camera", "subject"]].tolist() == [0.3, 0.8, "1", "Ann"]
    assert index.loc[["long[0.80-]", "other"], "end"].isna().all() and index["start"].dtype == float
    prepare("folder", source, tmp_path / "same", jobs=2)
    for file in ("positions.npy", "index.parquet"):
        assert (tmp_path / "same" / file).read_bytes() == (tmp_path / "data" / file).read_bytes()


def test_folder_reads_a_file_once_for_all_its_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from motionprint.corpora import folder

    asked = []
    read = folder.read_from
    monkeypatch.setattr(
        folder, "read_from", lambda source, name, *more: [asked.append(name), read(source, name, *more)][1]
    )
    for name, frames in (("long", 20), ("whole", 4)):
        (tmp_path / f"{name}.bvh").write_text(take(frames))
    (tmp_path / "labels.csv").write_text(SEGMENTS)
    with Source.open(tmp_path) as source:
        recordings = list(CORPORA["folder"].recordings(source, Options()))
        lengths = [len(each.read()[0]) for each in recordings]
    assert lengths == [5, 12, 2, 2, 4] and asked == ["long.bvh", "whole.bvh"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.bvh,x,1,w\n", r"labels.csv:2: expected start in seconds, found 'x'"),
        ("a.bvh,-1,1,w\n", r"labels.csv:2: expected start in seconds, found '-1'"),
        ("a.bvh,0,nan,w\n", r"labels.csv:2: expected end in seconds, found 'nan'"),
        ("a.bvh,0,inf,w\n", r"labels.csv:2: expected end in seconds, found 'inf'"),
        ("a.bvh,2,1,w\n", r"labels.csv:2: expected start before end, found 2.00 and 1.00"),
        ("a.bvh,1,1,w\n", r"labels.csv:2: expected start before end, found 1.00 and 1.00"),
        ("a.bvh,,0,w\n", r"labels.csv:2: expected start before end, found 0.00 and 0.00"),
        ("a.bvh,0,1,w\na.bvh,,1.0,v\n", r"labels.csv:3: expected each segment once, found a.bvh\[0.00-1.00\] again"),
        ("a.bvh,,,w\na.bvh,0,1,v\n", r"labels.csv:3: expected each segment once, found a.bvh\[0.00-1.00\] again"),
        ("a.bvh,0,1,w\na.bvh,,,v\n", r"labels.csv:3: expected each file once, found a.bvh again"),
    ],
)
def test_folder_errors_of_segments_name_the_row(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "labels.csv").write_text("file,start,end,label\n" + rows)
    with pytest.raises(DatasetError, match=message):
        found("folder", tmp_path, {"a.bvh": BVH})


@pytest.mark.parametrize(
    ("start", "end", "is_in"),
    [
        ("0", "2", True),
        ("0", "2.04", True),
        ("1.9", "", True),
        ("0", "2.06", False),
        ("2", "", False),
        ("1", "1.01", False),
    ],
)
def test_folder_segments_lie_within_the_recording(tmp_path: Path, start: str, end: str, is_in: bool) -> None:
    files = {"a.bvh": take(20), "labels.csv": f"file,start,end,label\na.bvh,{start},{end},w\n"}
    (recording,) = found("folder", tmp_path, files)
    with Source.open(tmp_path) as source:
        (recording,) = CORPORA["folder"].recordings(source, Options())
        if is_in:
            assert 1 <= len(recording.read()[0]) <= 20
            return
        with pytest.raises(
            ReadError, match=r"labels.csv:2: expected a segment of at least a frame within the 2.00 s of .*a.bvh, found"
        ) as error:
            recording.read()
    assert error.value.line == 2


DAMAGE = st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=3)), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("corpus", "text"),
    [("folder", SEGMENTS.replace("long", "a").replace("whole", "b")), ("cmu", INDEX)],
)
@given(damage=DAMAGE, cut=st.none() | st.integers(0, 200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_tables_give_recordings_or_a_foreseen_error(
    tmp_path: Path, corpus: str, text: str, damage: list[tuple[int, bytes]], cut: int | None
) -> None:
    table = bytearray(text.encode())
    for place, content in damage:
        table[place : place + 1] = content
    for name in ("a.bvh", "b.bvh", "02_01.bvh"):
        (tmp_path / name).write_text(take(20))
    (tmp_path / "damaged.csv").write_bytes(table[:cut])
    with Source.open(tmp_path) as source:
        try:
            recordings = list(CORPORA[corpus].recordings(source, Options(labels=str(tmp_path / "damaged.csv"))))
        except DatasetError as error:
            assert "\n" not in str(error) and "damaged.csv" in str(error)
            return
        for each in recordings:
            try:
                assert 1 <= len(each.read()[0]) <= 20
            except ReadError as error:
                assert error.line is not None and error.file is not None and error.file.endswith("damaged.csv")


# ---- labels from names -------------------------------------------------------------------------------------------


def test_folder_labels_of_a_pattern(tmp_path: Path) -> None:
    files = dict.fromkeys(["x/walk_old_01.bvh", "run-fast_young_02.bvh"], BVH)
    recordings = found("folder", tmp_path, files, labels="{label}_{style}_{take}")
    assert facts(recordings) == [
        ("run-fast_young_02", "run-fast", None, {"style": "young", "take": "02"}),
        ("x/walk_old_01", "walk", None, {"style": "old", "take": "01"}),
    ]
    recordings = found("folder", tmp_path, {}, labels="{action}_{subject}_{take}")
    assert facts(recordings)[0] == ("run-fast_young_02", None, "young", {"action": "run-fast", "take": "02"})
    recordings = found("folder", tmp_path, {}, labels="{label}_{subject}_0{take}")
    assert [each.extra["take"] for each in recordings] == ["2", "1"]
    with Source.open(tmp_path) as source:
        assert labels_from(source, Options(labels="{label}_{take}")) == "{label}_{take}"


def test_folder_names_that_do_not_follow_the_pattern_are_named(tmp_path: Path) -> None:
    files = dict.fromkeys(["a_1.bvh", "b.bvh"], BVH)
    with pytest.raises(DatasetError, match=r"b\.bvh: expected a name like \{label\}_\{take\}, found 'b'"):
        found("folder", tmp_path, files, labels="{label}_{take}")
    with pytest.raises(DatasetError, match=r"a_1_2\.bvh: expected a name like"):  # of which part is which?
        found("folder", tmp_path / "more", {"a_1_2.bvh": BVH}, labels="{label}_{take}")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{label", "expected a pattern such as"),
        ("{}", "expected plain names in braces"),
        ("{label:3}", "expected plain names in braces"),
        ("{label!r}", "expected plain names in braces"),
        ("{label.x}", "expected plain names in braces"),
        ("{take}", "expected {label} or {subject} in it, and each field once"),
        ("{label}_{label}", "expected {label} or {subject} in it, and each field once"),
        ("{label}{take}", "expected something between {label} and the next field"),
    ],
)
def test_folder_patterns_that_say_nothing_are_refused(tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"labels '{pattern}': {message}")):
        found("folder", tmp_path, {"a.bvh": BVH}, labels=pattern)


# ---- real recordings ---------------------------------------------------------------------------------------------


def test_hdm05_as_it_is(shared_datasets: Path, tmp_path: Path) -> None:
    summary = prepare("hdm05", shared_datasets / "hdm05_11classes.zip", tmp_path / "data")
    dataset = open_dataset(tmp_path / "data")
    assert (summary.sequences, summary.classes, summary.subjects, summary.joints) == (288, 11, 5, 31)
    assert summary.frames == 71_286 and not summary.left_out and not summary.duplicates
    assert summary.protocols == {"cross-subject": [(189, 99)]}
    assert dataset.fps == 120.0
    assert dataset.skeleton.joint_names == SKELETONS["cmu31"].joint_names
    assert sorted(set(dataset.subjects), key=str) == ["bd", "bk", "dg", "mm", "tr"]
    assert all(label in name for label, name in zip(dataset.labels, dataset.names, strict=True) if label)
    head = dataset[0].positions[0, dataset.skeleton.joint_names.index("head"), 1]
    assert 1.3 < head < 2.0  # metres above the floor


def test_hdm05_in_65_classes_as_it_is(shared_datasets: Path) -> None:
    with Source.open(shared_datasets / "hdm05_11classes.zip") as source:
        recordings = list(CORPORA["hdm05"].recordings(source, Options(classes=65)))
    assert len(recordings) == 288 and {each.label for each in recordings} == {
        *("depositFR", "elbow_to_knee", "grabHR", "hop", "jogLC", "kickLF", "lie_down", "rotate_armsBB"),
        *("sneak", "squat", "throwB"),
    }


def test_berkeley_mhad_as_it_is(shared_datasets: Path, tmp_path: Path) -> None:
    summary = prepare("berkeley_mhad", shared_datasets / "berkeley_mhad_30fps.zip", tmp_path / "data")
    dataset = open_dataset(tmp_path / "data")
    assert (summary.sequences, summary.classes, summary.subjects, summary.joints) == (498, 9, 12, 35)
    assert summary.protocols == {"cross-subject": [(297, 201)]}
    assert dataset.fps == 30.0
    assert dataset.skeleton.joint_names == SKELETONS["mhad35"].joint_names
    assert not {"bending", "sit down then stand up"} & set(dataset.labels)
    recorded = json.loads((tmp_path / "data" / "prepare.json").read_text())
    assert recorded["other_files"]["files"] == 12 and "tpose" in recorded["other_files"]["names"][0]


def test_nw_ucla_as_it_is(shared_datasets: Path, tmp_path: Path) -> None:
    summary = prepare("nw_ucla", shared_datasets / "nw_ucla.zip", tmp_path / "data")
    dataset = open_dataset(tmp_path / "data")
    assert (summary.recordings, summary.sequences, summary.classes, summary.subjects) == (1484, 1482, 10, 10)
    assert (summary.joints, summary.frames, dataset.fps) == (20, 58_534 - 2, 15.0)
    assert [(each.name, each.reason) for each in summary.left_out] == [
        ("a02_s09_e04_v02", "1 frame, expected at least 2"),
        ("a02_s09_e04_v03", "1 frame, expected at least 2"),
    ]
    assert summary.protocols["cross-view"] == [(1019, 463)]
    assert summary.protocols["cross-view-dedup"] == [(925, 463)]
    # every copy is a take of a02 or a03 in views 2 and 3
    assert len(summary.duplicates) == 94
    assert summary.across == {
        "cross-view": [94],
        "cross-view-dedup": [0],
        "cross-view-settings": [0],
        "cross-subject": [0],
    }
    assert {(one[:3], one[-2:], two[-2:]) for one, two in summary.duplicates} == {
        ("a02", "02", "03"),
        ("a03", "02", "03"),
    }
    assert all(one[:-2] == two[:-2] for one, two in summary.duplicates)
    recorded = json.loads((tmp_path / "data" / "prepare.json").read_text())
    assert recorded["missing"] == {"values": 36, "sequences": 2}  # joints at (0, 0, 0)
    assert recorded["points_at_origin"]["points"] == 0
    splits = {protocol: resolve(dataset, protocol) for protocol in dataset.protocols}
    assert {protocol: split.duplicates for protocol, split in splits.items()} == {
        "cross-view": 94,
        "cross-view-dedup": 0,
        "cross-view-settings": 0,
        "cross-subject": 0,
    }
    views = dataset.index["view"].to_numpy()
    assert set(views[splits["cross-view"].test]) == set(views[splits["cross-view-dedup"].test]) == {3}
    assert set(views[splits["cross-view-settings"].train]) == {1}
    assert set(views[splits["cross-view-settings"].test]) == {2}
    for name, split in splits.items():
        assert len(set(np.array(dataset.labels)[split.test])) == 10, name


def test_an_unlabelled_folder_of_cmu_bvh(shared_datasets: Path, tmp_path: Path) -> None:
    summary = prepare("folder", shared_datasets / "cmu_bvh_120fps_subject_02.zip", tmp_path / "data", unit="cmu")
    dataset = open_dataset(tmp_path / "data")
    assert (summary.sequences, summary.classes, summary.subjects, summary.labels) == (10, 0, 0, "none")
    assert set(dataset.labels) == {None} and dataset.protocols == {}
    assert 1.2 < np.ptp(dataset[0].positions[0, :, 1]) < 2.0  # metres, a standing body


def cmu_trials(shared_datasets: Path) -> list[dict[str, str]]:
    import csv

    with (shared_datasets / "cmu_trials.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_cmu_classes_of_the_whole_index_are_as_documented(shared_datasets: Path) -> None:
    counts = Counter(cmu.action_of(trial["description"]) for trial in cmu_trials(shared_datasets))
    page = (Path(__file__).resolve().parents[1] / "docs" / "datasets.md").read_text(encoding="utf-8")
    section = page.split("## `cmu`")[1].split("\n## ")[0]
    documented = {action: int(count) for action, count in re.findall(r"\| ([a-z ]+) \| (\d+) ", section)}
    unlabelled = counts.pop(None)
    assert counts == documented
    assert f"{unlabelled} have no label" in section and counts.total() + unlabelled == 2435
    assert f"{sum(counts[action] for action in cmu.EIGHT)} trials" in section


def test_every_cmu_rule_decides_for_some_trial(shared_datasets: Path) -> None:
    texts = [cmu.normalised(trial["description"]) for trial in cmu_trials(shared_datasets)]
    used = {next((n for n, (rule, _) in enumerate(cmu.RULES) if re.search(rule, text)), None) for text in texts}
    assert used - {None} == set(range(len(cmu.RULES)))


@pytest.mark.parametrize(
    ("archive", "more", "facts"),
    [
        ("cmu_asfamc_120fps.zip", {}, (12, 8, 2, 31, 19_912, 120.0)),
        ("cmu_asfamc_30fps.zip", {"fps": 30.0}, (244, 27, 12, 31, 86_294, 30.0)),
        ("cmu_bvh_120fps_subject_02.zip", {}, (10, 7, 1, 38, 12_815, 120.0)),
        ("cmu_bvh_30fps.zip", {}, (170, 16, 17, 38, 41_118, 30.0)),
    ],
)
def test_cmu_as_it_is(
    shared_datasets: Path, tmp_path: Path, archive: str, more: dict[str, Any], facts: tuple[Any, ...]
) -> None:
    index = str(shared_datasets / "cmu_trials.csv")
    summary = prepare("cmu", shared_datasets / archive, tmp_path / "data", labels=index, **more)
    dataset = open_dataset(tmp_path / "data")
    counted = (summary.sequences, summary.classes, summary.subjects, summary.joints, summary.frames, dataset.fps)
    assert counted == facts and not summary.left_out and summary.labels == index
    assert dataset.labels[dataset.names.index("02_03")] == "run"
    assert 1.2 < np.ptp(dataset[dataset.names.index("02_01")].positions[0, :, 1]) < 2.0  # metres, a standing body


def test_cmu_is_the_same_data_set_from_bvh_and_from_amc(shared_datasets: Path) -> None:
    """One root path up to one scale and one offset; the T-pose that the conversion has put first is not taken."""
    paths: dict[str, list[Any]] = {}
    for archive in ("cmu_asfamc_120fps.zip", "cmu_bvh_120fps_subject_02.zip"):
        with Source.open(shared_datasets / archive) as source:
            for each in CORPORA["cmu"].recordings(source, Options(labels=str(shared_datasets / "cmu_trials.csv"))):
                if each.subject == "02":
                    (sequence,) = each.read()
                    paths.setdefault(each.name, []).append(sequence.positions[:, 0].astype(np.float64))
    assert len(paths) == 10
    scales, offsets = [], []
    for amc, bvh in paths.values():
        assert len(amc) == len(bvh)
        ours, theirs = amc - amc.mean(axis=0), bvh - bvh.mean(axis=0)
        scales.append((ours * theirs).sum() / (theirs**2).sum())
        np.testing.assert_allclose(ours, scales[-1] * theirs, atol=1e-4)  # m
        offsets.append(amc.mean(axis=0) - scales[-1] * bvh.mean(axis=0))
    assert scales == pytest.approx([1.0] * 10, abs=1e-4)
    assert np.ptp(offsets, axis=0).max() < 1e-3  # m: the same in all ten
