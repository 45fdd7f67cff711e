"""An index of prints: what is found, what overlaps, what is added and removed, who reads meanwhile, what is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import motionprint as mp
from motionprint.cli import main
from motionprint.errors import CheckpointError, DatasetError, SettingsError, SkeletonMismatchError
from motionprint.evaluation import embed, encode, read_prints
from motionprint.readers import read_all
from motionprint.search import Hit, MotionIndex, build_index, cut, open_index, write_hits
from motionprint.search.index import _without_overlaps
from motionprint.skeleton import SKELETONS
from motionprint.store.atomic import held
from motionprint.training import Run, load_run, pretrain

SMALL = {"encoder_units": 8, "decoder_units": 8, "discriminator_units": 4}


@pytest.fixture(scope="module")
def runs(few: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs that differ in their seed."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        pretrain(few, folder / str(seed), steps=2, seed=seed, changes=SMALL)
    return folder / "0", folder / "1"


@pytest.fixture(scope="module")
def run(runs: tuple[Path, Path]) -> Run:
    return load_run(runs[0])


@pytest.fixture
def here(tmp_path: Path, make_takes: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of our own with recordings in `takes`."""
    make_takes(tmp_path / "takes")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def nearest(vector: np.ndarray, prints: np.ndarray) -> list[int]:
    """Numbers of prints by plain cosine, worked out in float64."""
    one, all_ = vector.astype(np.float64), prints.astype(np.float64)
    return np.argsort(-(all_ @ one) / np.linalg.norm(all_, axis=1), kind="stable").tolist()


# ---- what is found -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [False, True])
def test_hits_are_the_nearest_prints_by_plain_cosine(here: Path, run: Run, exact: bool) -> None:
    done = build_index(run, ["takes"], "index")
    embed(run, ["takes"], "prints.parquet")
    table, prints, _ = read_prints("prints.parquet")
    assert (done.prints, done.size, done.recordings, done.added) == (18, prints.shape[1], 18, 18)
    index = open_index("index")
    query = mp.read("takes/wave/bert_1.bvh")[0]
    vector = encode(run, [query])[0]
    np.testing.assert_array_equal(index.print_of(query), vector)  # the run in the index is the run
    hits = index.search(query, 5, exact=exact)
    assert [hit.name for hit in hits] == table["name"].iloc[nearest(vector, prints)[:5]].to_list()
    assert hits[0].name == "wave/bert_1" and hits[0].distance == pytest.approx(0, abs=1e-3)  # half precision
    cosines = prints @ vector / np.linalg.norm(prints, axis=1) / np.linalg.norm(vector)
    assert [hit.distance for hit in hits] == pytest.approx(np.sort(1 - cosines)[:5], abs=2e-3)
    assert (hits[0].source, hits[0].person, hits[0].start, hits[0].end) == ("takes/wave/bert_1.bvh", 0, 0.0, 1.5)
    assert len(index.search(query, 100, exact=exact)) == 18  # there are no more


def test_a_recording_of_the_index_finds_others_but_not_itself(here: Path, run: Run) -> None:
    build_index(run, ["takes"], "index")
    index = open_index("index")
    by_name = index.search("wave/bert_1", 17)
    by_file = index.search(mp.read("takes/wave/bert_1.bvh")[0], 18)
    assert by_name == [hit for hit in by_file if hit.name != "wave/bert_1"]
    assert "wave/bert_1" in index and "wave/nobody" not in index


def test_windows_say_where_and_hits_of_one_place_are_one(here: Path, run: Run) -> None:
    build_index(run, ["takes"], "index", window=0.5, stride=0.1)
    embed(run, ["takes"], "prints.parquet", window=0.5, stride=0.1)
    table, prints, _ = read_prints("prints.parquet")
    index = open_index("index")
    query = mp.read("takes/march/anna_0.bvh")[0]
    hits = index.search(query, 30, start=0.5, end=1.0)
    assert (hits[0].name, hits[0].start, hits[0].end) == ("march/anna_0", 0.5, 1.0)
    expected: list[tuple[str, float, float]] = []
    for number in nearest(encode(run, [cut(query, 0.5, 1.0)])[0], prints):
        name, start, end = table.loc[number, ["name", "start", "end"]]
        if all(name != one or end <= first or last <= start for one, first, last in expected):
            expected.append((name, start, end))
    assert [(hit.name, hit.start, hit.end) for hit in index.search(query, 30, start=0.5, end=1.0, exact=True)][
        :10
    ] == expected[:10]
    own = [hit for hit in index.search("march/anna_0", 60, start=0.5, end=1.0) if hit.name == "march/anna_0"]
    assert all(hit.end <= 0.5 or hit.start >= 1.0 for hit in own)
    assert len(index.search(query, 1000)) >= 18 * 2  # all recordings, each at least at two places


def test_of_overlapping_hits_the_nearest_stays() -> None:
    def hit(name: str, start: float, end: float, person: int = 0) -> Hit:
        return Hit(name, "", person, start, end, None, None, 0.0, 0, "")

    given = [hit("a", 1, 3), hit("a", 2, 4), hit("a", 3, 5), hit("b", 2, 4), hit("a", 0, 1.5), hit("a", 1, 3, person=1)]
    kept = list(_without_overlaps(given, None))
    assert kept == [given[0], given[2], given[3], given[5]]  # those that only touch do not overlap
    assert list(_without_overlaps(given, hit("a", 0, 9))) == [given[3], given[5]]


def test_a_data_set_gives_labels_and_its_recordings_are_read_again(here: Path, run: Run, few: Path) -> None:
    dataset = mp.open_dataset(few)
    build_index(run, [few, "takes/wave/anna_0.bvh"], "index")
    index = open_index("index")
    hits = {hit.name: hit for hit in index.search(dataset[0], 10)}
    assert len(hits) == 7
    for sequence in dataset:
        hit = hits[sequence.name]
        assert (hit.label, hit.subject, hit.source) == (sequence.label, sequence.subject, str(few))
        np.testing.assert_array_equal(index.recording(hit).positions, sequence.positions)
        part = index.recording(replace(hit, start=0.5, end=1.0))
        np.testing.assert_array_equal(part.positions, sequence.positions[15:30])
    alone = hits["anna_0"]
    assert alone.source == "takes/wave/anna_0.bvh"
    np.testing.assert_array_equal(index.recording(alone).positions, mp.read("takes/wave/anna_0.bvh")[0].positions)


def test_archives_are_searched_and_read_again(here: Path, run: Run) -> None:
    shutil.make_archive("all", "zip", "takes")
    build_index(run, ["all.zip", "all.zip/wave/anna_0.bvh"], "index")
    index = open_index("index")
    hits = index.search(mp.read("takes/wave/anna_0.bvh")[0], 18)
    assert len(hits) == 18  # what was given twice is there once
    for hit in hits:
        np.testing.assert_array_equal(index.recording(hit).positions, mp.read(hit.source)[0].positions)


def test_what_is_like_a_motion_is_found_at_its_time(here: Path, run: Run) -> None:
    """A known answer: a stretch of one recording, moved to another place, is found where it was taken from."""
    build_index(run, ["takes"], "index", window=0.5, stride=1 / 30)
    index = open_index("index")
    for sequence in list(read_all("takes"))[::5]:
        moved = replace(cut(sequence, 0.4, 0.9), positions=cut(sequence, 0.4, 0.9).positions + np.float32([3, 0, -2]))
        hit = index.search(moved, 1)[0]
        assert hit.name == sequence.name and hit.start == pytest.approx(0.4, abs=0.07)


def test_queries_of_another_rig_go_the_way_of_the_recordings(here: Path, run: Run) -> None:
    build_index(run, ["takes/wave"], "index", map_rigs=True, allow_missing=True)
    index = open_index("index")
    motion = mp.read("takes/wave/anna_0.bvh")[0]
    order = [0, *range(len(motion.skeleton) - 1, 0, -1)]  # the same body, its joints in another order
    names, parents = motion.skeleton.joint_names, motion.skeleton.parents
    other = mp.Skeleton.from_tree(
        [names[joint] for joint in order],
        [-1 if parents[joint] < 0 else order.index(parents[joint]) for joint in order],
    )
    turned = replace(motion, positions=motion.positions[:, order], skeleton=other)
    np.testing.assert_allclose(index.print_of(turned), index.print_of(motion), atol=1e-6)
    assert [hit.name for hit in index.search(turned)] == [hit.name for hit in index.search(motion)]


# ---- adding and removing -----------------------------------------------------------------------------------------


def contents(folder: str | Path) -> list[tuple[str, str, float, float]]:
    """All that an index finds, in the order of names."""
    index = open_index(folder)
    hits = index.search(mp.read("takes/wave/anna_0.bvh")[0], 1000)
    return sorted((hit.name, hit.source, hit.start, round(hit.distance, 6)) for hit in hits)


def test_what_is_added_is_as_if_it_had_been_there(here: Path, run: Run) -> None:
    build_index(run, ["takes/wave", "takes/march"], "whole")
    build_index(run, ["takes/wave"], "index")
    index = open_index("index")
    done = index.add(["takes/march"], run=run)
    assert (done.added, done.removed, done.prints, len(index), index.generation) == (6, 0, 12, 12, 2)
    assert contents("index") == contents("whole")


def test_what_is_added_again_is_replaced(here: Path, run: Run) -> None:
    build_index(run, ["takes"], "index")
    shutil.copyfile("takes/squat/cleo_0.bvh", "takes/wave/anna_1.bvh")  # another motion under the name
    done = open_index("index").add([here / "takes" / "wave"])
    assert (done.recordings, done.added, done.removed, done.prints) == (6, 6, 6, 18)
    hits = open_index("index").search("anna_1", 1)
    assert hits[0].name == "squat/cleo_0" and hits[0].distance == pytest.approx(0, abs=1e-3)


def test_what_is_removed_is_no_longer_found(here: Path, run: Run) -> None:
    build_index(run, ["takes/wave", "takes/march", "takes/squat"], "index")
    index = open_index("index")
    done = index.remove(["takes/wave/anna_0.bvh", "bert_0"])  # by its source, and three by their name
    assert (done.removed, done.prints, len(index)) == (4, 14, 14)
    expected = {f"takes/{a}/{who}_{n}.bvh" for a in ("wave", "march", "squat") for who in ("anna", "bert", "cleo")
                for n in (0, 1)} - {"takes/wave/anna_0.bvh", *(f"takes/{a}/bert_0.bvh" for a in ("wave", "march", "squat"))}  # fmt: skip # noqa: E501
    for exact in (False, True):
        hits = index.search(mp.read("takes/wave/anna_0.bvh")[0], 100, exact=exact)
        assert {hit.source for hit in hits} == expected
    with pytest.raises(DatasetError, match=r"^index: expected names or sources of recordings in the index, found 'no'"):
        index.remove(["no", "cleo_0"])
    assert len(open_index("index")) == 14  # nothing of it was done
    index.remove([Path(source).stem for source in expected])
    with pytest.raises(DatasetError, match=r"^index: expected prints in the index, found none$"):
        open_index("index").search(mp.read("takes/wave/anna_0.bvh")[0])
    assert open_index("index").add(["takes/wave"]).prints == 6
    assert len(open_index("index").search(mp.read("takes/wave/anna_0.bvh")[0])) == 6


def test_only_one_generation_lies_in_the_folder(here: Path, run: Run) -> None:
    build_index(run, ["takes/wave"], "index")
    open_index("index").add(["takes/march"])
    names = sorted(path.name for path in Path("index").iterdir())
    assert names == ["index.json", "prints-00000002.usearch", "run", "table-00000002.parquet"]
    assert sorted(path.name for path in here.iterdir()) == ["index", "takes"]  # and no lock beside it


def test_an_addition_that_fails_changes_nothing(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    build_index(run, ["takes/wave"], "index")
    before = {path.name: path.read_bytes() for path in Path("index").iterdir() if path.is_file()}
    Path("broken.bvh").write_text("HIERARCHY\n", encoding="utf-8")
    index = open_index("index")
    with pytest.raises(mp.ReadError):
        index.add(["takes/march", "broken.bvh"])

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pyarrow.parquet.write_table", full)
        with pytest.raises(DatasetError, match=r"^index: cannot be written: No space left on device; make room$"):
            index.add(["takes/march"])

    def told_nothing(*_: object) -> None:
        raise RuntimeError("Failed to serialize into stream")

    with monkeypatch.context() as patch:  # what usearch makes of a full disk
        patch.setattr("usearch.index.Index.save", told_nothing)
        with pytest.raises(DatasetError, match=r"^index: cannot be written: Failed to serialize .*; is there room\?$"):
            index.add(["takes/march"])
    assert {path.name: path.read_bytes() for path in Path("index").iterdir() if path.is_file()} == before


ADDING = """
import sys
from motionprint.search import open_index
for source in sys.argv[2:]:
    open_index(sys.argv[1]).add([source])
"""


def test_readers_and_a_writer_in_another_process_do_not_disturb_each_other(here: Path, run: Run) -> None:
    build_index(run, ["takes/wave"], "index")
    old = open_index("index")
    query = mp.read("takes/wave/anna_0.bvh")[0]
    before = old.search(query, 100)
    sources = [f"takes/march/{who}_{n}.bvh" for who in ("anna", "bert", "cleo") for n in (0, 1)]
    seen = set()
    with subprocess.Popen([sys.executable, "-c", ADDING, "index", *sources]) as writer:
        while writer.poll() is None:
            seen.add(len(open_index("index").search(query, 100)))
            assert old.search(query, 100) == before  # the old generation, whose files are gone
    assert writer.returncode == 0
    assert seen <= set(range(6, 13))  # every look found a whole generation
    assert len(open_index("index").search(query, 100)) == 12
    assert old.search(query, 100) == before


def test_what_a_killed_writer_leaves_is_no_hindrance(here: Path, run: Run) -> None:
    build_index(run, ["takes/wave"], "index")
    Path("index/.adding").mkdir()
    Path("index/.adding/prints.parquet").write_bytes(b"half")
    Path("index/prints-00000002.usearch").write_bytes(b"half")
    assert open_index("index").add(["takes/march"]).prints == 12
    names = sorted(path.name for path in Path("index").iterdir())
    assert names == ["index.json", "prints-00000002.usearch", "run", "table-00000002.parquet"]
    Path("index/.adding").mkdir()
    Path("index/.adding/prints.parquet").write_bytes(b"half")
    assert build_index(run, ["takes/wave"], "index", overwrite=True).prints == 6


def test_two_writers_take_turns(here: Path, run: Run) -> None:
    build_index(run, ["takes/wave"], "index")
    with held("index", "index"), pytest.raises(DatasetError, match=r"^index: another process .* is writing into it; "):
        open_index("index").add(["takes/march"])


# ---- what is refused ---------------------------------------------------------------------------------------------


def test_a_query_is_cut_by_seconds() -> None:
    motion = mp.SkeletonSequence(np.zeros((30, 20, 3), np.float32), 15.0, SKELETONS["kinect20"], name="walk")
    motion.positions[:, 0, 0] = np.arange(30)
    assert cut(motion, 0.4, 1.2).positions[:, 0, 0].tolist() == list(range(6, 18))
    assert len(cut(motion)) == 30 and len(cut(motion, 1.8)) == 3 and len(cut(motion, None, 2.0)) == 30
    for start, end, message in (
        (2.0, None, "walk: expected --from within the recording's 2 s, found 2 s"),
        (-1.0, None, "walk: expected --from within the recording's 2 s, found -1 s"),
        (float("nan"), None, "walk: expected --from within the recording's 2 s, found nan s"),
        (1.0, 1.0, r"walk: expected --to after --from \(1 s\) and within the recording's 2 s, found 1 s"),
        (1.0, 2.5, r"walk: expected --to after --from \(1 s\) and within the recording's 2 s, found 2.5 s"),
        (1.0, 1.05, "walk: expected a query of at least 2 frames, found 1"),
    ):
        with pytest.raises(SettingsError, match=f"^{message}$"):
            cut(motion, start, end)


def test_another_model_is_refused(here: Path, run: Run, runs: tuple[Path, Path]) -> None:
    build_index(run, ["takes/wave"], "index")
    with pytest.raises(
        CheckpointError, match=r"^index: expected the run that made its prints, model .*, found .*1, mod"
    ):
        open_index("index").add(["takes/march"], run=load_run(runs[1]))
    shutil.rmtree("index/run")
    shutil.copytree(runs[1], "index/run")
    with pytest.raises(CheckpointError, match=r"^index: expected the run that made its prints, model"):
        open_index("index").search(mp.read("takes/wave/anna_0.bvh")[0])


def test_another_skeleton_is_refused(here: Path, run: Run) -> None:
    build_index(run, ["takes/wave"], "index")
    motion = mp.SkeletonSequence(np.zeros((30, 20, 3), np.float32), 15.0, SKELETONS["kinect20"], name="walk")
    with pytest.raises(SkeletonMismatchError, match=r"^walk: "):
        open_index("index").search(motion)


def test_names_that_lead_nowhere_are_refused(here: Path, run: Run) -> None:
    build_index(run, ["takes/wave", "takes/march"], "index")
    index = open_index("index")
    with pytest.raises(DatasetError, match=r"^index: expected the name of a recording in the index, found 'walk'$"):
        index.search("walk")
    with pytest.raises(DatasetError, match=r"^index: expected one recording called 'anna_0', found 2: .*march"):
        index.search("anna_0")
    index.remove(["takes/march/anna_0.bvh"])
    with pytest.raises(DatasetError, match=r"^anna_0: expected a person among 0 in the index, found 3$"):
        index.search("anna_0", person=3)
    with pytest.raises(SettingsError, match=r"^expected at least 1 hit to look for, found 0$"):
        index.search("anna_0", 0)
    Path("takes/wave/anna_0.bvh").unlink()
    with pytest.raises(
        DatasetError, match=r"wave/anna_0.bvh: expected the recording anna_0 that was indexed, found no"
    ):
        index.search("anna_0")
    shutil.copyfile("takes/wave/bert_0.bvh", "takes/wave/anna_0.bvh")
    assert len(index.find("anna_0")) == 45


def test_a_recording_that_got_shorter_is_not_taken_for_the_old_one(here: Path, run: Run) -> None:
    build_index(run, ["takes/wave"], "index")
    index = open_index("index")
    hit = index.search(mp.read("takes/wave/anna_0.bvh")[0], 1)[0]
    with pytest.raises(DatasetError, match=r"anna_0.bvh: expected anna_0 to 9 s, as it was indexed, found another con"):
        index.recording(replace(hit, start=8.0, end=9.0))


def test_a_folder_that_is_no_index_is_refused(here: Path) -> None:
    with pytest.raises(DatasetError, match=r"^takes: expected an index folder with index.json, found none$"):
        open_index("takes")
    with pytest.raises(DatasetError, match=r"^nowhere: expected an index folder with index.json, found nothing$"):
        open_index("nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: "{", r"index/index.json: expected the manifest of an index: "),
        (lambda table: json.dumps([]), r"index/index.json: expected the manifest of an index: not the manifest"),
        (lambda table: json.dumps({**table, "format": 9}), r"index.json: .*: format 9, this version reads 1$"),
        (
            lambda table: json.dumps({**table, "files": {}}),
            r"index.json: expected the manifest of an index: files of g",
        ),
        (lambda table: json.dumps({**table, "files": {"../x": [1, ""]}}), r"index.json: expected the manifest of an i"),
        (
            lambda table: json.dumps({**table, "settings": {"window": "1"}}),
            r"index.json: expected the manifest of an index: a window and a stride above 0 s, found '1'$",
        ),
        (lambda table: json.dumps({**table, "prints": 5}), r"table-00000001.parquet: expected 5 rows with ascending k"),
        (
            lambda table: json.dumps({**table, "size": 5}),
            r"usearch: expected the prints of an index: 6 of 5 values, found 6 of ",
        ),
        (
            lambda table: json.dumps({**table, "origins": []}),
            r"parquet: expected one of 0 origins in each row, found o",
        ),
        (lambda table: json.dumps({k: v for k, v in table.items() if k != "model"}), r"index.json: .*: 'model'$"),
    ],
)
def test_a_damaged_manifest_is_refused(
    here: Path, run: Run, change: Callable[[dict[str, object]], str], message: str
) -> None:
    build_index(run, ["takes/wave"], "index")
    file = Path("index/index.json")
    file.write_text(change(json.loads(file.read_text(encoding="utf-8"))), encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        open_index("index")


@pytest.mark.parametrize("content", [b"", b"prints" * 100])
def test_what_is_no_graph_is_refused_though_its_checksum_is_right(here: Path, run: Run, content: bytes) -> None:
    build_index(run, ["takes/wave"], "index")
    manifest = json.loads(Path("index/index.json").read_text(encoding="utf-8"))
    name = "prints-00000001.usearch"
    Path("index", name).write_bytes(content)
    manifest["files"][name] = [len(content), hashlib.sha256(content).hexdigest()]
    Path("index/index.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(DatasetError, match=rf"^index/{name}: expected the prints of an index: "):
        open_index("index")


@pytest.mark.parametrize("name", ["prints-00000001.usearch", "table-00000001.parquet"])
def test_damaged_files_are_refused(here: Path, run: Run, name: str) -> None:
    build_index(run, ["takes/wave"], "index")
    file = Path("index") / name
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    with pytest.raises(DatasetError, match=rf"^index/{name}: damaged, expected \d+ bytes, found \d+$"):
        open_index("index")
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DatasetError, match=rf"^index/{name}: damaged, its content does not have the checksum"):
        open_index("index")
    file.unlink()
    with pytest.raises(DatasetError, match=rf"^index/{name}: expected a file of the index, found none$"):
        open_index("index")


def test_settings_that_do_not_go_together_are_refused_before_any_work(here: Path, run: Run) -> None:
    for message, settings in (
        ("expected --window with --stride, found --stride alone", {"stride": 1.0}),
        ("expected --map-rigs with --allow-missing, found --allow-missing alone", {"allow_missing": True}),
        ("unknown features 'none': expected one of states, F, both", {"features": "none"}),
    ):
        with pytest.raises(SettingsError, match=message):
            build_index(run, ["takes"], "index", **settings)  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match=r"^no source given: expected at least one recording, found none$"):
        build_index(run, [], "index")
    assert not Path("index").exists()


def test_only_an_index_is_replaced(here: Path, run: Run) -> None:
    build_index(run, ["takes/wave"], "index")
    with pytest.raises(DatasetError, match=r"^index: exists; --overwrite replaces it$"):
        build_index(run, ["takes/march"], "index")
    build_index(run, ["takes/march"], "index", overwrite=True)
    assert {source for _, source, *_ in contents("index")} == {str(path) for path in Path("takes/march").iterdir()}
    Path("index/notes.txt").touch()
    with pytest.raises(
        DatasetError, match=r"^index: expected an index that motionprint wrote to replace, found 'notes"
    ):
        build_index(run, ["takes/march"], "index", overwrite=True)
    with pytest.raises(
        DatasetError, match=r"^takes: expected an index that motionprint wrote to replace, found 'march'"
    ):
        build_index(run, ["few"], "takes", overwrite=True)


# ---- tables and commands -----------------------------------------------------------------------------------------


def test_hits_are_written_in_three_formats(tmp_path: Path) -> None:
    hits = [
        Hit("a", "x/a.bvh", 0, 0.5, 1.5, "walk", None, 0.25, 0, "a.bvh"),
        Hit("b", "y", 1, 0, 2, None, "s1", 1, 1, ""),
    ]
    write_hits(hits, tmp_path / "hits.csv")
    write_hits(hits, tmp_path / "hits.parquet")
    write_hits(hits, tmp_path / "hits.jsonl")
    tables = (
        pd.read_csv(tmp_path / "hits.csv"),
        pd.read_parquet(tmp_path / "hits.parquet"),
        pd.read_json(tmp_path / "hits.jsonl", lines=True),
    )
    for table in tables:
        assert table.columns.to_list() == ["name", "source", "person", "start", "end", "label", "subject", "distance"]
        assert table["distance"].to_list() == [0.25, 1.0] and table["source"].to_list() == ["x/a.bvh", "y"]
        assert table["label"].isna().to_list() == [False, True]
    with pytest.raises(SettingsError, match=r"hits.txt: expected a name that ends in one of .csv, .parquet, .jsonl$"):
        write_hits(hits, tmp_path / "hits.txt")
    with pytest.raises(DatasetError, match="exists; --overwrite replaces it"):
        write_hits(hits, tmp_path / "hits.csv")


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as stop:
        main([str(each) for each in arguments])
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def test_the_commands_are_twins_of_the_library(
    here: Path, run: Run, runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, "index", runs[0], "takes/wave", "--out", "ix", "--window", 0.5, "--stride", 0.25)
    assert code == 0 and out.startswith("ix: 30 prints of ") and out.endswith(", of 6 recordings, added\n")
    code, out, _ = said(capsys, "index", runs[0], "takes/march", "--out", "ix", "--add", "--quiet")
    assert code == 0 and out.endswith(" added; 60 in all\n")
    code, out, _ = said(capsys, "info", "ix", "--json")
    facts = json.loads(out)
    assert (code, facts["kind"], facts["prints"], facts["window"]) == (0, "index", 60, 0.5)
    assert facts["sources"] == ["takes/wave", "takes/march"] and facts["model"] == run.model_hash
    code, out, _ = said(capsys, "index", "--out", "ix", "--remove", "cleo_1", "--remove", "bert_1")
    assert (code, out) == (0, "ix: 20 prints removed, 40 are left\n")
    query = ("search", "ix", "takes/wave/anna_0.bvh", "--from", 0.5, "--to", 1.0, "-k", 3)
    code, out, err = said(capsys, *query, "--out", "hits.csv", "--picture", "hits.png")
    hits = open_index("ix").search(mp.read("takes/wave/anna_0.bvh")[0], 3, start=0.5, end=1.0)
    assert code == 0 and out.startswith("ix: 3 hits for takes/wave/anna_0.bvh among 40 prints\n") and not err
    assert [line.split()[:3] for line in out.splitlines()[3:]] == [
        [str(n), hit.name, hit.source] for n, hit in enumerate(hits, start=1)
    ]
    table = pd.read_csv("hits.csv")
    assert table["name"].to_list() == [hit.name for hit in hits]
    assert Path("hits.png").read_bytes().startswith(b"\x89PNG")
    code, out, err = said(capsys, "search", "ix", "anna_1")
    assert code == 1 and "expected one recording called 'anna_1', found 2" in err
    shutil.copyfile("takes/wave/anna_0.bvh", "query.bvh")
    shutil.rmtree("takes")
    code, out, err = said(capsys, "search", "ix", "query.bvh", "-k", 4, "--picture", "h.png")
    assert code == 0 and err.startswith("note: the query lasts 1.5 s, the index has windows of 0.5 s: --from and --to")
    assert err.count("note: not drawn: ") == 4


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["search", "takes", "takes/wave/anna_0.bvh"],
            1,
            "takes: expected an index folder with index.json, found none",
        ),
        (["search", "ix", "walk"], 1, "walk: expected a motion file, or the name of a recording in ix, found neither"),
        (
            ["search", "ix", "takes"],
            1,
            "takes: expected a motion file, or the name of a recording in ix, found a folder",
        ),
        (["search", "ix", "takes/wave/anna_0.bvh", "--person", "2"], 1, "expected a person among 0, found 2"),
        (
            ["search", "ix", "takes/wave/anna_0.bvh", "--from", "9"],
            1,
            "expected --from within the recording's 1.5 s, fo",
        ),
        (
            ["search", "ix", "wave/anna_0", "--fps", "30"],
            1,
            "fps= is not for a recording of the index: it is read as it",
        ),
        (["index", "takes", "takes", "--out", "iy"], 1, "takes: expected a run folder with config.json, found none"),
        (["index", "RUN", "--out", "iy"], 2, "expected RUN and at least one SOURCE"),
        (["index", "RUN", "takes", "--out", "iy", "--remove", "a"], 2, "--remove goes with --out alone"),
        (
            ["index", "RUN", "takes", "--out", "ix", "--add", "--window", "1"],
            2,
            "are those that the index was made with",
        ),
        (
            ["index", "RUN", "takes", "--out", "ix", "--add", "--overwrite"],
            2,
            "--add and --overwrite exclude each other",
        ),
        (["index", "RUN", "takes", "--out", "iy", "--stride", "1"], 2, "--stride needs --window"),
        (["index", "RUN", "takes", "--out", "iy", "--allow-missing"], 2, "--allow-missing goes with --map-rigs"),
    ],
)
def test_commands_say_what_is_wrong_in_one_line(
    here: Path,
    run: Run,
    runs: tuple[Path, Path],
    arguments: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    build_index(run, ["takes"], "ix")
    status, _, err = said(capsys, *(runs[0] if each == "RUN" else each for each in arguments))
    assert status == code and message in err
    assert code == 2 or err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "hits.csv", "--picture", "hits.gif"], "hits.gif: expected a picture's name to end in one of .png"),
        (["--out", "hits.csv", "--picture", "there.png"], "there.png: exists; --overwrite replaces it"),
        (["--out", "there.csv", "--picture", "hits.png"], "there.csv: exists; --overwrite replaces it"),
        (["--out", "hits.png", "--picture", "./hits.png"], "hits.png: expected a picture apart from --out, found the"),
        (["--out", "hits.txt", "--picture", "hits.png"], "hits.txt: expected a name that ends in one of .csv"),
    ],
)
def test_a_search_writes_all_that_was_asked_for_or_nothing(
    here: Path, run: Run, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    build_index(run, ["takes/wave"], "ix")
    for name in ("there.png", "there.csv"):
        Path(name).touch()
    before = sorted(path.name for path in here.iterdir())
    status, out, err = said(capsys, "search", "ix", "anna_0", *words)
    assert (status, out, err.count("\n")) == (1, "", 1) and err.startswith(f"motionprint: {message}")
    assert sorted(path.name for path in here.iterdir()) == before
    assert not Path("there.png").stat().st_size and not Path("there.csv").stat().st_size


def test_with_the_shipped_model_other_rigs_are_brought_and_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("index", "motionprint:cmu-small", "takes/wave", "--allow-missing", "--out", "ix")
    status, _, err = said(capsys, *words)
    assert status == 0 and "6 recordings of other rigs were brought onto the 14 joints of body14" in err
    status, _, err = said(capsys, *words, "--overwrite", "--quiet")
    assert (status, err) == (0, "")
    settings = open_index("ix").settings
    assert settings.map_rigs and settings.allow_missing


def test_prints_and_rows_are_given_as_they_were_added(here: Path, run: Run, few: Path) -> None:
    build_index(run, ["takes/wave", few], "index", window=0.5, stride=0.5)
    embed(run, ["takes/wave", few], "prints.parquet", window=0.5, stride=0.5)
    table, prints, _ = read_prints("prints.parquet")
    index = open_index("index")
    np.testing.assert_allclose(index.prints(), prints, atol=5e-4, rtol=0)  # 16 bits a value
    rows = index.rows()
    same = ["name", "person", "start", "end", "label", "subject"]
    pd.testing.assert_frame_equal(rows[same], table[same], check_dtype=False)
    some = np.array([3, 0, 7])
    np.testing.assert_array_equal(index.prints(some), index.prints()[some])
    assert index.rows(some)["name"].to_list() == rows["name"].iloc[some].to_list()
    index.remove(sorted(set(rows["name"])))
    assert len(index.rows()) == 0
    with pytest.raises(DatasetError, match=r"^index: expected prints in the index, found none$"):
        index.prints()


def test_an_index_object_says_what_it_is(here: Path, run: Run) -> None:
    build_index(run, ["takes/wave"], "index", window=1.0)
    index = open_index("index")
    assert isinstance(index, MotionIndex) and repr(index) == "MotionIndex('index': 12 prints, generation 1)"
    assert (index.settings.window, index.settings.stride, index.model_hash) == (1.0, 1.0, run.model_hash)
    assert index.trained == str(run.folder) and [origin.kind for origin in index.origins] == ["files"]
