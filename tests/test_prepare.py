"""`prepare`: what is written, what is left out, and that a failure leaves nothing."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import motionprint
from motionprint.corpora.corpus import Corpus, Fold, Options, Recording, one_fold
from motionprint.errors import DatasetError, MotionprintError, ReadError, SettingsError
from motionprint.prepare import prepare
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton
from motionprint.store import open_dataset
from motionprint.store.describe import describe
from motionprint.store.protocols import resolve


def bvh(frames: int = 3, joints: tuple[str, ...] = ("Hips", "Chest"), start: float = 0.0, rate: float = 30.0) -> str:
    """A chain of joints 10 cm apart whose root moves 1 cm a frame."""
    text = "HIERARCHY\n"
    for number, joint in enumerate(joints):
        channels = "6 Xposition Yposition Zposition Zrotation Xrotation Yrotation" if number == 0 else "1 Zrotation"
        kind = "JOINT" if number else "ROOT"
        text += f"{kind} {joint}\n{{\nOFFSET 0 {10 if number else 0} 0\nCHANNELS {channels}\n"
    text += "End Site\n{\nOFFSET 0 10 0\n}\n" + "}\n" * len(joints)
    rows = [" ".join([str(start + frame), *["0"] * (4 + len(joints))]) for frame in range(frames)]
    return text + f"MOTION\nFrames: {frames}\nFrame Time: {1 / rate:.7f}\n" + "\n".join(rows) + "\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.bvh").write_text(bvh(3 + number, start=number))
    return folder


def left_behind(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.iterdir())


# ---- what is written ---------------------------------------------------------------------------------------------


def test_files_become_a_data_set(source: Path, tmp_path: Path) -> None:
    summary = prepare("folder", source, tmp_path / "data")
    dataset = open_dataset(tmp_path / "data")
    assert (summary.recordings, summary.sequences, summary.joints, summary.frames) == (5, 5, 3, 25)
    assert (summary.classes, summary.subjects, summary.labels) == (0, 0, "none")
    assert summary.seconds == pytest.approx(25 / 30)
    assert summary.folder == tmp_path / "data"
    assert dataset.names == ["0", "1", "2", "3", "4"]
    assert [each.source for each in dataset] == [f"{number}.bvh" for number in range(5)]
    np.testing.assert_allclose(dataset[2].positions[1], [[0.03, 0, 0], [0.03, 0.1, 0], [0.03, 0.2, 0]], atol=1e-6)
    assert left_behind(tmp_path) == ["data", "files"]


def test_prepare_json_explains_the_data_set(source: Path, tmp_path: Path) -> None:
    (source / "notes.txt").write_text("x")
    (source / "copy.bvh").write_text((source / "1.bvh").read_text())
    prepare("folder", source, tmp_path / "data", unit="m", command="motionprint prepare folder files --out data")
    recorded = json.loads((tmp_path / "data" / "prepare.json").read_text())
    expected = {
        "corpus": "folder",
        "command": "motionprint prepare folder files --out data",
        "source": str(source),
        "options": {"unit": "m", "labels": "none", "persons": "each", "allow_missing": False}
        | dict.fromkeys(("fps", "skeleton", "up", "columns", "classes", "least_per_class", "map_to")),
        "preprocessing": {"alignment": "heading", "max_length": 35},
        "recordings": 6,
        "sequences": 6,
        "left_out": [],
        "duplicates": [["1", "copy"]],
        "duplicates_across": {},
        "missing": {"values": 0, "sequences": 0},
        "points_at_origin": {"points": 1, "sequences": 1, "names": ["0"]},
        "unlabelled": 6,
        "small_classes": {},
        "other_files": {"files": 1, "kinds": {".txt": 1}, "names": ["notes.txt"]},
    }
    assert {key: recorded[key] for key in expected} == expected
    assert recorded["versions"]["motionprint"] == motionprint.__version__
    assert {"python", "numpy", "pandas", "pyarrow"} <= set(recorded["versions"])


def test_the_call_is_recorded_where_no_command_is_given(source: Path, tmp_path: Path) -> None:
    prepare("folder", source, tmp_path / "data")
    recorded = json.loads((tmp_path / "data" / "prepare.json").read_text())
    assert recorded["command"] == f"motionprint.prepare.prepare('folder', {str(source)!r}, {str(tmp_path / 'data')!r})"


def test_labels_unit_and_rate_are_taken(source: Path, tmp_path: Path) -> None:
    (source / "labels.csv").write_text("file,label,subject\n0.bvh,walk,Ann\n1.bvh,run,Bo\n")
    summary = prepare("folder", source, tmp_path / "data", unit="m", fps=60)
    dataset = open_dataset(tmp_path / "data")
    assert (summary.classes, summary.subjects, summary.labels) == (2, 2, "labels.csv")
    assert dataset.labels == ["walk", "run", None, None, None]
    assert dataset.subjects == ["Ann", "Bo", None, None, None]
    assert dataset.fps == 60.0
    assert dataset[0].positions[0, 1, 1] == 10.0


def test_a_single_file_is_a_source(source: Path, tmp_path: Path) -> None:
    summary = prepare("folder", source / "3.bvh", tmp_path / "data")
    assert summary.sequences == 1
    assert open_dataset(tmp_path / "data").names == ["3"]


def test_progress_counts_every_recording(source: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    prepare("folder", source, tmp_path / "data", report=lambda done, total, text: seen.append((done, total)))
    assert seen == [(number, 5) for number in range(1, 6)]


def test_the_result_does_not_depend_on_processes(source: Path, tmp_path: Path) -> None:
    (source / "broken.bvh").write_text("HIERARCHY")
    summaries = [prepare("folder", source, tmp_path / f"data{jobs}", jobs=jobs, command="c") for jobs in (1, 2)]
    assert summaries[0].left_out == summaries[1].left_out != []
    for path in (tmp_path / "data1").iterdir():
        assert path.read_bytes() == (tmp_path / "data2" / path.name).read_bytes(), path.name


def test_several_persons_of_a_file_get_names_of_their_own(source: Path, tmp_path: Path) -> None:
    one = bvh(2)
    second = one[one.index("ROOT") : one.index("MOTION")].replace("Hips", "Hips2").replace("Hips2", "Hips")
    head, tail = one.split("MOTION")
    rows = ["0 0 0 0 0 0 0 5 0 0 0 0 0 0", "1 0 0 0 0 0 0 6 0 0 0 0 0 0"]
    both = head + second + "MOTION" + tail.split("0.0333333\n")[0] + "0.0333333\n" + "\n".join(rows) + "\n"
    (source / "pair.bvh").write_text(both)
    prepare("folder", source, tmp_path / "data")
    dataset = open_dataset(tmp_path / "data")
    assert dataset.names[-2:] == ["pair_p0", "pair_p1"]
    assert [each.person for each in dataset][-2:] == [0, 1]
    assert dataset[-1].positions[0, 0, 0] == pytest.approx(0.05)
    assert dataset[-1].source == "pair.bvh"


# ---- what is left out --------------------------------------------------------------------------------------------

DOT = Skeleton.from_tree(["a"], [-1])


def _read(values: Any) -> list[SkeletonSequence]:
    if isinstance(values, BaseException):
        raise values
    return [
        SkeletonSequence(np.array(each, np.float32).reshape(-1, 1, 3), 30, DOT, person=n)
        for n, each in enumerate(values)
    ]


def toy(table: dict[str, Any]) -> Corpus:
    """A corpus of recordings that are written in the test."""

    def recordings(source: Source | None, options: Options) -> Iterator[Recording]:
        for name, values in table.items():
            yield Recording(name, f"{name}.toy", partial(_read, values), label=name[0])

    return Corpus("toy", "A toy", "here", "NAME.toy", recordings, needs_source=False)


NAN = float("nan")
GOOD = [[0.1] * 6]


def test_what_cannot_be_used_is_left_out_by_name(tmp_path: Path) -> None:
    table = {
        "good": GOOD,
        "one": [[0.1] * 3],
        "blank": [[NAN] * 6],
        "nobody": [],
        "gaps": [[0.1, 0.2, 0.3, NAN, NAN, NAN]],
        "pair": [[0.5] * 6, [0.5] * 3],
    }
    summary = prepare(toy(table), None, tmp_path / "data")
    reasons = [
        {"name": "one", "source": "one.toy", "reason": "1 frame, expected at least 2"},
        {"name": "blank", "source": "blank.toy", "reason": "nothing recorded: all values are missing"},
        {"name": "nobody", "source": "nobody.toy", "reason": "nobody in it"},
        {"name": "pair_p1", "source": "pair.toy", "reason": "1 frame, expected at least 2"},
    ]
    recorded = json.loads((tmp_path / "data" / "prepare.json").read_text())
    assert [vars(each) for each in summary.left_out] == recorded["left_out"] == reasons
    assert (summary.missing_values, summary.missing_sequences) == (3, 1)
    assert recorded["missing"] == {"values": 3, "sequences": 1}
    dataset = open_dataset(tmp_path / "data")
    assert dataset.names == ["good", "gaps", "pair_p0"]
    assert np.isnan(dataset[1].positions[1]).all() and not np.isnan(dataset[1].positions[0]).any()


def test_nothing_usable_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"toy: none of 2 recordings can be used; the first, one\.toy: 1 frame, exp"):
        prepare(toy({"one": [[0.1] * 3], "blank": [[NAN] * 6]}), None, tmp_path / "data")
    assert left_behind(tmp_path) == []


def test_a_file_that_cannot_be_read_is_left_out(source: Path, tmp_path: Path) -> None:
    whole = bvh(4)
    (source / "2.bvh").write_text(whole[: whole.rindex("0 0 0")])
    with pytest.raises(ReadError, match=r"2\.bvh") as error:
        motionprint.read(source / "2.bvh")
    summary = prepare("folder", source, tmp_path / "data")
    assert [(each.name, each.source, each.reason) for each in summary.left_out] == [("2", "2.bvh", str(error.value))]
    assert json.loads((tmp_path / "data" / "prepare.json").read_text())["left_out"] == [vars(summary.left_out[0])]
    assert open_dataset(tmp_path / "data").names == ["0", "1", "3", "4"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_strict_prepare_leaves_nothing_out(source: Path, tmp_path: Path, jobs: int) -> None:
    assert prepare("folder", source, tmp_path / "data", strict=True, jobs=jobs).sequences == 5
    (source / "2.bvh").write_text("HIERARCHY")
    (source / "3.bvh").write_text(bvh(1))
    message = (
        r"^\S*files: strict: expected to use all of 5 recordings, found 2 to be left out; "
        r"the first, 2\.bvh: \S*2\.bvh:1: expected .*, found .*\n"
        "5 of 5 recordings are kept: --resume goes on with them$"
    )
    with pytest.raises(DatasetError, match=message):
        prepare("folder", source, tmp_path / "strict", strict=True, jobs=jobs)
    assert not (tmp_path / "strict").exists()


def test_leaving_out_what_cannot_be_read_need_not_be_asked_for(source: Path, tmp_path: Path) -> None:
    (source / "2.bvh").write_text("HIERARCHY")
    for number, given in enumerate((True, False)):
        with pytest.warns(DeprecationWarning, match="^skip_unreadable is deprecated: .*; strict=True refuses them$"):
            summary = prepare("folder", source, tmp_path / f"data{number}", skip_unreadable=given)
        assert len(summary.left_out) == 1


def test_copies_are_counted_across_the_border_of_a_protocol(tmp_path: Path) -> None:
    """Two that train have copies that test, one of them twice; a pair within the training set is none."""
    values = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 3.0, "x": 1.0, "y": 2.0, "z": 2.0, "w": 4.0}
    corpus = toy({name: [[value] * 6] for name, value in values.items()})

    def protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
        names, train = index["name"], index["name"].isin(list("abcd")).to_numpy(dtype=bool)
        both = one_fold(index, train, ~train)
        return {
            "one": both,
            "two": [*both, {"train": ["a", "c"], "test": ["x", "d", "b"]}],
            "none": one_fold(index, (names == "a").to_numpy(dtype=bool), (names == "w").to_numpy(dtype=bool)),
        }

    summary = prepare(replace(corpus, protocols=protocols), None, tmp_path / "data")
    assert summary.across == {"one": [3], "two": [3, 2], "none": [0]}
    assert summary.duplicates == [["a", "x"], ["b", "y", "z"], ["c", "d"]]
    recorded = json.loads((tmp_path / "data" / "prepare.json").read_text())
    assert recorded["duplicates_across"] == summary.across and recorded["duplicates"] == summary.duplicates
    dataset = open_dataset(tmp_path / "data")
    for name, folds in summary.across.items():
        assert [resolve(dataset, name, fold).duplicates for fold in range(len(folds))] == folds


def test_a_wrong_setting_is_no_unreadable_file(source: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unknown unit 'furlong'"):
        prepare("folder", source, tmp_path / "data", unit="furlong")
    assert left_behind(tmp_path) == ["files"]


# ---- what cannot be prepared -------------------------------------------------------------------------------------


def test_mixed_skeletons_are_refused_by_their_joints(source: Path, tmp_path: Path) -> None:
    (source / "9.bvh").write_text(bvh(joints=("Hips", "Neck")))
    with pytest.raises(
        DatasetError, match=r"9\.bvh beside 0\.bvh: .*missing Chest, Chest_end; not expected Neck"
    ) as error:
        prepare("folder", source, tmp_path / "data")
    assert type(error.value) is DatasetError
    assert left_behind(tmp_path) == ["files"]


@pytest.mark.parametrize(
    ("corpus", "more", "error", "text"),
    [
        ("hmd05", {}, DatasetError, "unknown corpus 'hmd05': expected one of hdm05, berkeley_mhad, nw_ucla"),
        ("hdm05", {}, DatasetError, r"files: expected recordings of hdm05 \(CLASS/HDM_ACTOR_CLASS_NNN_120.amc"),
        ("nw_ucla", {"labels": "none"}, SettingsError, "labels: nw_ucla takes them from its own files, found 'none'"),
        ("hdm05", {"classes": 64}, SettingsError, "classes: expected 130 or 65, found 64"),
        ("folder", {"classes": 65}, SettingsError, "classes: expected none, since folder leaves no choice, found 65"),
        ("bandai_namco", {"labels": "mood"}, SettingsError, "labels 'mood': expected action or style"),
        ("folder", {"jobs": 0}, SettingsError, "jobs: expected at least 1, found 0"),
        ("folder", {"jobs": 2, "scheduler": "tcp://x:1"}, SettingsError, "jobs: expected none with a scheduler, whose"),
        ("folder", {"source": None}, DatasetError, "folder: expected a source"),
        ("folder", {"fps": -1.0}, SettingsError, "found -1"),
        ("synthetic", {}, SettingsError, "synthetic: is generated: expected no source"),
        (
            "synthetic",
            {"source": None, "fps": 60.0},
            SettingsError,
            "synthetic: is generated: expected no source, and nothing",
        ),
    ],
)
def test_what_is_asked_wrongly_is_said(
    source: Path, tmp_path: Path, corpus: str, more: dict[str, Any], error: type[MotionprintError], text: str
) -> None:
    with pytest.raises(error, match=text):
        prepare(corpus, out=tmp_path / "data", **{"source": source, **more})
    assert left_behind(tmp_path) == ["files"]


def test_a_source_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere"):
        prepare("folder", tmp_path / "nowhere", tmp_path / "data")
    assert left_behind(tmp_path) == []


def test_an_output_that_exists_is_kept(source: Path, tmp_path: Path) -> None:
    prepare("folder", source, tmp_path / "data")
    before = (tmp_path / "data" / "index.parquet").read_bytes()
    with pytest.raises(DatasetError, match="data: exists; --overwrite replaces it"):
        prepare("folder", source, tmp_path / "data")
    (source / "0.bvh").write_text("HIERARCHY")
    with pytest.raises(DatasetError, match="strict"):
        prepare("folder", source, tmp_path / "data", overwrite=True, strict=True)
    assert (tmp_path / "data" / "index.parquet").read_bytes() == before
    (source / "0.bvh").unlink()
    prepare("folder", source, tmp_path / "data", overwrite=True)
    assert open_dataset(tmp_path / "data").names == ["1", "2", "3", "4"]
    assert left_behind(tmp_path) == ["data", "files"]


def test_an_output_never_replaces_its_source(source: Path, tmp_path: Path) -> None:
    prepare("folder", source, tmp_path / "data")
    (tmp_path / "data" / "inside").mkdir()
    (tmp_path / "data" / "inside" / "x.bvh").write_text(bvh())
    for inside, text in (
        (tmp_path / "data", "the same path"),
        (tmp_path / "data" / "inside", "that it holds .*inside"),
    ):
        with pytest.raises(DatasetError, match=f"data: expected an output apart from what is read, found {text}"):
            prepare("folder", inside, tmp_path / "data", overwrite=True)
    assert (tmp_path / "data" / "inside" / "x.bvh").exists()
    prepare("folder", source, source / "data")  # below what is read is no harm
    assert len(open_dataset(source / "data")) == len(open_dataset(tmp_path / "data"))
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "labels.csv").write_text("file,label\n")
    for option in ({"labels": str(tmp_path / "labels" / "labels.csv")}, {"skeleton": tmp_path / "labels" / "x.asf"}):
        with pytest.raises(DatasetError, match="labels: expected an output apart from what is read, found that it hol"):
            prepare("folder", source, tmp_path / "labels", overwrite=True, **option)


def test_a_run_is_never_replaced_by_a_data_set(source: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text('{"recipe": {}}')
    with pytest.raises(
        DatasetError, match=r"run: expected a data set that motionprint wrote .* found 'config.json' in"
    ):
        prepare("folder", source, tmp_path / "run", overwrite=True)
    assert left_behind(tmp_path / "run") == ["config.json"]


@pytest.mark.skipif(os.name == "nt", reason="names are always text here")
def test_a_name_that_is_no_text_stops_it(source: Path, tmp_path: Path) -> None:
    try:
        open(os.fsencode(source) + b"/caf\xe9.bvh", "wb").close()
    except OSError:
        pytest.skip("the file system takes no such name")
    with pytest.raises(DatasetError, match=r"caf\\udce9.bvh': expected a name in UTF-8, found other bytes; rename it"):
        prepare("folder", source, tmp_path / "data")
    assert left_behind(tmp_path) == ["files"]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_prepare_keeps_what_it_has_read_apart(
    source: Path, tmp_path: Path, jobs: int, failure: type[BaseException]
) -> None:
    def report(done: int, total: int | None, text: str) -> None:
        if done == 3:
            raise failure

    with pytest.raises(failure) as error:
        prepare("folder", source, tmp_path / "above" / "data", jobs=jobs, report=report)
    assert error.value.__notes__ == ["3 of 5 recordings are kept: --resume goes on with them"]
    assert left_behind(tmp_path / "above") == [".data.unfinished"]
    prepare("folder", source, tmp_path / "above" / "data")  # begins anew
    assert left_behind(tmp_path / "above") == ["data"]


def test_a_prepare_that_is_interrupted_before_it_has_read_anything_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        prepare(toy({"a": RuntimeError()}), None, tmp_path / "above" / "data")
    assert left_behind(tmp_path) == []


def test_sigterm_to_all_processes_ends_them(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from motionprint.prepare import prepare\n"
        "if __name__ == '__main__':\n"
        "    report = lambda done, total, text: print(done, flush=True)\n"
        "    prepare('synthetic', None, sys.argv[1], jobs=2, report=report)\n"
    )
    (tmp_path / "script.py").write_text(script)
    arguments = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "above" / "data")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        os.killpg(process.pid, signal.SIGTERM)
        process.stdout.read()  # ends when the last process has ended
        assert process.wait(60) == 128 + signal.SIGTERM
    assert left_behind(tmp_path / "above") == [".data.unfinished"]


def test_an_archive_that_leads_out_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("../../evil.bvh", bvh())
    with pytest.raises(DatasetError, match="evil"):
        prepare("folder", tmp_path / "x.zip", tmp_path / "data")
    assert left_behind(tmp_path) == ["x.zip"]


def test_segments_of_a_file_are_read_by_one_process(tmp_path):
    from motionprint.corpora import Recording
    from motionprint.prepare.reading import RECORDINGS, tasks

    def recording(name, source):
        return Recording(name=name, source=source, read=list)

    (tmp_path / "a").write_bytes(b"x" * (5 << 20))
    (tmp_path / "b").write_bytes(b"x")
    with Source.open(tmp_path) as source:
        recordings = [recording(f"a{number}", "a") for number in range(2 * RECORDINGS)] + [recording("b", "b")]
        assert [len(pickle.loads(task)) for task in tasks(recordings, source)] == [2 * RECORDINGS, 1]


def test_labels_that_a_file_holds_itself_are_kept(tmp_path):
    positions = np.random.default_rng(0).normal(size=(4, 3, 3)).astype(np.float32)
    (tmp_path / "files").mkdir()
    for name, label in (("a", "walk"), ("b", "run")):
        np.savez(tmp_path / "files" / f"{name}.npz", positions=positions, fps=30.0, label=label, subject="anna")
    summary = prepare("folder", tmp_path / "files", tmp_path / "data")
    assert summary.unlabelled == 0
    dataset = open_dataset(tmp_path / "data")
    assert dataset.labels == ["walk", "run"] and dataset.subjects == ["anna", "anna"]
    assert json.loads((tmp_path / "data" / "prepare.json").read_text())["unlabelled"] == 0


def labelled_takes(folder: Path) -> Path:
    """Three recordings of walking, two of running of which one cannot be read, one of waving, one of nothing known."""
    folder.mkdir()
    classes = ["walk", "walk", "walk", "run", "run", "wave", ""]
    for number in range(7):
        (folder / f"{number}.bvh").write_text(bvh(3, start=number) if number != 4 else "HIERARCHY")
    rows = "".join(f"{number}.bvh,{label},{'ab'[number % 2]}\n" for number, label in enumerate(classes))
    (folder / "labels.csv").write_text("file,label,subject\n" + rows)
    return folder


def test_small_classes_lose_their_label_and_stay(tmp_path: Path) -> None:
    files = labelled_takes(tmp_path / "files")
    summary = prepare("folder", files, tmp_path / "data", least_per_class=2)
    whole = prepare("folder", files, tmp_path / "whole")
    dataset, before = open_dataset(tmp_path / "data"), open_dataset(tmp_path / "whole")
    assert before.labels == ["walk", "walk", "walk", "run", "wave", None]
    assert dataset.labels == ["walk", "walk", "walk", None, None, None]  # one that was left out does not count
    assert dataset.names == before.names and dataset.sha256 == before.sha256
    assert dataset.subjects == before.subjects
    assert (summary.classes, summary.unlabelled, summary.small_classes) == (1, 3, {"run": 1, "wave": 1})
    assert (whole.classes, whole.unlabelled, whole.small_classes) == (3, 1, {})
    recorded = json.loads((tmp_path / "data" / "prepare.json").read_text())
    assert (recorded["unlabelled"], recorded["small_classes"]) == (3, {"run": 1, "wave": 1})
    assert recorded["options"]["least_per_class"] == 2
    found = describe(tmp_path / "data")
    assert (found["class_names"], found["unlabelled"]) == (["walk"], 3)
    assert found["small_classes"] == {"run": 1, "wave": 1}


def test_a_class_of_just_enough_keeps_its_label_and_all_may_be_too_small(tmp_path: Path) -> None:
    files = labelled_takes(tmp_path / "files")
    assert prepare("folder", files, tmp_path / "three", least_per_class=3).classes == 1
    assert prepare("folder", files, tmp_path / "one", least_per_class=1).small_classes == {}
    summary = prepare("folder", files, tmp_path / "four", least_per_class=4)
    assert (summary.classes, summary.unlabelled) == (0, 6)
    assert open_dataset(tmp_path / "four").labels == [None] * 6
    with pytest.raises(SettingsError, match="least_per_class: expected at least 1, found 0"):
        prepare("folder", files, tmp_path / "none", least_per_class=0)
    assert not (tmp_path / "none").exists()


def test_protocols_are_made_from_the_labels_that_are_left(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
        labelled = index["label"].notna()
        seen.append(index["label"].fillna("none").tolist())
        return {"own": one_fold(index, labelled.to_numpy(), ~labelled.to_numpy())}

    corpus = replace(toy({"w1": GOOD, "w2": [[0.2] * 6], "r1": [[0.3] * 6]}), protocols=protocols)
    prepare(corpus, None, tmp_path / "data", least_per_class=2)
    assert seen == [["w", "w", "none"]]
    [fold] = open_dataset(tmp_path / "data").protocols["own"]
    assert (fold["train"], fold["test"]) == (["w1", "w2"], ["r1"])


@pytest.mark.parametrize("jobs", [1, 2])
def test_small_classes_are_the_same_however_it_is_read(tmp_path: Path, jobs: int) -> None:
    class Stopped(BaseException):
        pass

    def stop(done: int, total: int | None, text: str) -> None:
        if text == "reading" and done == 5:
            raise Stopped

    files = labelled_takes(tmp_path / "files")
    prepare("folder", files, tmp_path / "whole", least_per_class=2, command="c")
    with pytest.raises(Stopped):
        prepare("folder", files, tmp_path / "data", least_per_class=2, command="c", report=stop, jobs=jobs)
    with pytest.raises(DatasetError, match="expected the same least_per_class as then"):
        prepare("folder", files, tmp_path / "data", least_per_class=3, resume=True)
    prepare("folder", files, tmp_path / "data", least_per_class=2, resume=True, jobs=jobs)
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "data" / path.name).read_bytes(), path.name


def test_tables_that_are_no_motion_are_named(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "walk.csv").write_text(
        "time,a_x,a_y,a_z,b_x,b_y,b_z,c_x,c_y,c_z\n" + "".join(f"{n / 10},1,2,3,4,5,6,7,8,9\n" for n in range(3))
    )
    (tmp_path / "files" / "prices.csv").write_text("a,b,c\n1,2,3\n")
    (tmp_path / "files" / "notes.md").write_text("nothing")
    (tmp_path / "files" / "labels.csv").write_text("file,label\nwalk.csv,walk\n")
    summary = prepare("folder", tmp_path / "files", tmp_path / "data")
    assert summary.sequences == 1 and summary.passed_over == ["prices.csv"]
