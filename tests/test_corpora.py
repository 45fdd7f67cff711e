"""What each corpus makes of names, and its protocols; on real recordings where they are there."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from motionprint.corpora import CORPORA, berkeley_mhad, hdm05, nw_ucla
from motionprint.corpora.corpus import Options, Recording, one_fold, refuse_repeated, without_copies
from motionprint.corpora.folder import labels_from
from motionprint.errors import DatasetError
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

BVH = "HIERARCHY"
"""Enough for a name: nothing here reads frames."""


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
    with pytest.raises(DatasetError, match="labels 'subfolder': expected `subfolders`, `none` or a CSV file"):
        found("folder", tmp_path, {"a.bvh": BVH}, labels="subfolder")
    (tmp_path / "labels.csv").write_bytes(b"file,label\na.bvh,\xe4\n")
    with pytest.raises(DatasetError, match=r"labels.csv: expected UTF-8 text"):
        found("folder", tmp_path, {})


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
