"""The data set folder: what is written is what is read, and what does not agree is named."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from motionprint.errors import DatasetError, ReadError, SkeletonMismatchError
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.store import DatasetWriter, open_dataset, write_dataset
from motionprint.store.atomic import Kind, new_file, new_folder
from motionprint.store.dataset import COLUMNS, FILES, count_sequences, open_part, walk_dataset
from motionprint.store.describe import describe
from motionprint.store.writer import ROW_GROUP

CHAIN = Skeleton.from_tree(["a", "b", "c"], [-1, 0, 1])


def sequence(name: str, frames: int = 4, seed: int = 0, **more: Any) -> SkeletonSequence:
    positions = np.random.default_rng(seed).normal(size=(frames, 3, 3)).astype(np.float32)
    return SkeletonSequence(positions, fps=more.pop("fps", 30.0), skeleton=CHAIN, name=name, **more)


@pytest.fixture
def sequences() -> list[SkeletonSequence]:
    return [
        sequence("w0", 5, 0, label="walk", subject="s1", source="w0.bvh", extra={"view": 1}),
        sequence("r0", 3, 1, label="run", subject="s2", person=1, extra={"view": 2}),
        sequence("u0", 7, 2, extra={"view": 1}),
        sequence("w1", 5, 0, label="walk", subject="s2", extra={"view": 2}),
    ]


@pytest.fixture
def folder(tmp_path: Path, sequences: list[SkeletonSequence]) -> Path:
    write_dataset(tmp_path / "data", sequences, protocols={"own": [{"train": ["w0"], "test": ["r0", "w1"]}]})
    return tmp_path / "data"


# ---- what is written ---------------------------------------------------------------------------------------------


def test_every_sequence_comes_back_as_it_was(folder: Path, sequences: list[SkeletonSequence]) -> None:
    dataset = open_dataset(folder)
    assert len(dataset) == len(list(dataset)) == 4
    for written, found in zip(sequences, dataset, strict=True):
        np.testing.assert_array_equal(found.positions, written.positions)
        assert found.positions.flags.writeable and found.positions.dtype == np.float32
        for field in ("fps", "name", "person", "label", "subject", "source", "extra"):
            assert getattr(found, field) == getattr(written, field)
        assert found.skeleton == written.skeleton


def test_the_files_are_those_of_the_contract(folder: Path, sequences: list[SkeletonSequence]) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    positions = np.load(folder / "positions.npy")
    np.testing.assert_array_equal(positions, np.concatenate([each.positions for each in sequences]))
    index = pd.read_parquet(folder / "index.parquet")
    assert list(index.columns) == [*COLUMNS, "view"]
    assert index["offset"].tolist() == [0, 5, 8, 15]
    assert index["length"].tolist() == [5, 3, 7, 5]
    assert index["sha256"].tolist() == [hashlib.sha256(each.positions.tobytes()).hexdigest() for each in sequences]
    assert json.loads((folder / "skeleton.json").read_text())["joint_names"] == ["a", "b", "c"]
    assert json.loads((folder / "protocols.json").read_text()) == {"own": [{"train": ["w0"], "test": ["r0", "w1"]}]}
    assert json.loads((folder / "prepare.json").read_text())["duplicates"] == [["w0", "w1"]]


def test_columns_without_values_keep_their_type(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", [sequence("x")])
    assert dataset.labels == dataset.subjects == [None]
    assert (
        str(pd.read_parquet(tmp_path / "data" / "index.parquet", dtype_backend="pyarrow")["label"].dtype)
        == "string[pyarrow]"
    )


def _replace_column(folder: Path, column: str, values: pa.Array) -> None:
    table = pq.read_table(folder / "index.parquet")
    pq.write_table(table.set_column(table.schema.names.index(column), column, values), folder / "index.parquet")


def test_text_that_cannot_be_decoded_is_named(folder: Path) -> None:
    offsets, content = np.array([0, 1, 2, 3, 4], np.int32), b"ab\xffd"
    spoiled = pa.Array.from_buffers(pa.string(), 4, [None, pa.py_buffer(offsets), pa.py_buffer(content)])
    _replace_column(folder, "label", spoiled)
    with pytest.raises(DatasetError, match=r"index\.parquet: expected text under label: "):
        open_dataset(folder)


def test_text_of_few_values_may_be_stored_as_such(folder: Path) -> None:
    _replace_column(folder, "label", pa.array(["walk", "run", None, "walk"]).dictionary_encode())
    dataset = open_dataset(folder)
    assert dataset.labels == ["walk", "run", None, "walk"]
    assert [sequence.label for sequence in dataset] == dataset.labels


def test_values_of_own_columns_are_plain_ones_and_none_where_missing(tmp_path: Path) -> None:
    extras = [{"view": 1, "angle": 0.5, "room": "hall", "indoors": True}, {"view": 2}, {"room": "yard"}]
    written = [replace(sequence(f"x{i}"), extra=extra) for i, extra in enumerate(extras)]
    found = [each.extra for each in write_dataset(tmp_path / "data", written)]
    assert found[0] == {"view": 1, "angle": 0.5, "room": "hall", "indoors": True}
    assert found[1] == {"view": 2, "angle": None, "room": None, "indoors": None}
    assert found[2] == {"view": None, "angle": None, "room": "yard", "indoors": None}
    assert [type(value) for value in found[0].values()][1:] == [float, str, bool]


def test_a_view_of_everything_has_an_index_of_its_own(folder: Path) -> None:
    dataset = open_dataset(folder)
    part = dataset.subset(np.arange(4))
    part.index.loc[0, "name"] = "other"
    assert dataset.index["name"].tolist()[0] == "w0"


def test_lists_of_the_data_set(folder: Path) -> None:
    dataset = open_dataset(folder)
    assert dataset.names == ["w0", "r0", "u0", "w1"]
    assert dataset.labels == ["walk", "run", None, "walk"]
    assert dataset.subjects == ["s1", "s2", None, "s2"]
    assert dataset.sha256[0] == dataset.sha256[3] != dataset.sha256[1]
    assert dataset.lengths.tolist() == [5, 3, 7, 5]
    assert dataset.skeleton == CHAIN
    assert dataset.index["view"].tolist() == [1, 2, 1, 2]
    assert dataset.folder == folder and dataset.name == "data"


def test_fps_is_one_number_only_where_all_agree(tmp_path: Path, folder: Path) -> None:
    assert open_dataset(folder).fps == 30.0
    mixed = write_dataset(tmp_path / "mixed", [sequence("x", fps=30.0), sequence("y", fps=120.0)])
    assert mixed.fps is None
    assert [each.fps for each in mixed] == [30.0, 120.0]


def test_defaults_come_from_prepare_json(tmp_path: Path, folder: Path) -> None:
    assert open_dataset(folder).defaults == {"alignment": "heading", "max_length": 35}
    own = {"preprocessing": {"alignment": "body", "max_length": None}}
    assert write_dataset(tmp_path / "own", [sequence("x")], prepare=own).defaults == own["preprocessing"]


def test_missing_values_stay_missing(tmp_path: Path) -> None:
    positions = sequence("x").positions.copy()
    positions[1, 2] = np.nan
    dataset = write_dataset(tmp_path / "data", [SkeletonSequence(positions, 30, CHAIN, name="x")])
    np.testing.assert_array_equal(dataset[0].positions, positions)


# ---- numbers, slices, subsets ------------------------------------------------------------------------------------


def test_numbers_count_from_either_end(folder: Path) -> None:
    dataset = open_dataset(folder)
    assert dataset[-1].name == dataset[3].name == dataset[np.int64(3)].name == "w1"
    for outside in (4, -5):
        with pytest.raises(IndexError, match=f"sequence {outside} of 4"):
            dataset[outside]
    with pytest.raises(TypeError, match="expected a number or a slice of sequences, found 'w0'"):
        dataset["w0"]  # type: ignore[call-overload]


def test_slices_are_views(folder: Path) -> None:
    dataset = open_dataset(folder)
    assert dataset[1:3].names == ["r0", "u0"]
    assert dataset[::-1].names == ["w1", "u0", "r0", "w0"]
    assert dataset[-2:][-1].name == "w1"
    assert len(dataset[2:2]) == 0
    np.testing.assert_array_equal(dataset[1:][1].positions, dataset[2].positions)


def test_subsets_of_subsets_and_masks(folder: Path) -> None:
    dataset = open_dataset(folder)
    part = dataset.subset([3, 0, 1])
    assert part.names == ["w1", "w0", "r0"]
    assert part.subset(np.array([True, False, True])).names == ["w1", "r0"]
    assert part.subset([-1]).names == ["r0"]
    np.testing.assert_array_equal(part.subset([1])[0].positions, dataset[0].positions)
    assert part.subset([1, 2]).protocols == {"own": [{"train": ["w0"], "test": ["r0"]}]}
    with pytest.raises(IndexError, match="sequences 0 to 3 of 3"):
        part.subset([0, 3])
    with pytest.raises(DatasetError, match=r"expected a mask of 3 values, found \(2,\)"):
        part.subset(np.array([True, False]))


def test_a_data_set_sent_to_another_process_carries_no_frames(folder: Path) -> None:
    part = open_dataset(folder).subset([3, 1])
    sent = pickle.dumps(part)
    assert len(sent) < 500
    found = pickle.loads(sent)
    assert found.names == ["w1", "r0"]
    np.testing.assert_array_equal(found[0].positions, part[0].positions)


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_a_walk_meets_every_sequence_once_and_its_parts_can_be_sent(
    folder: Path, sequences: list[SkeletonSequence], size: int
) -> None:
    parts = list(walk_dataset(folder, size))
    assert [len(part) for part in parts[:-1]] == [size] * (len(parts) - 1)
    assert sum(map(len, parts)) == count_sequences(folder) == 4
    sent = [open_part(folder, *pickle.loads(pickle.dumps((part.index, part.written)))) for part in parts]
    for found in (parts, sent):
        for written, read in zip(sequences, (each for part in found for each in part), strict=True):
            np.testing.assert_array_equal(read.positions, written.positions)
            for field in ("fps", "name", "person", "label", "subject", "source", "extra"):
                assert getattr(read, field) == getattr(written, field)


def test_a_walk_refuses_what_opening_refuses(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="none: expected a data set folder, found nothing"):
        next(walk_dataset(tmp_path / "none"))
    _change_index(folder, "offset", 2, 9)
    walk = walk_dataset(folder, 2)
    assert next(walk).names == ["w0", "r0"]  # all is well up to here
    with pytest.raises(DatasetError, match=r"index.parquet: u0: expected offset 8, found 9$"):
        next(walk)
    _change_index(folder, "offset", 2, 8)
    np.save(folder / "positions.npy", np.zeros((21, 3, 3), np.float32))
    with pytest.raises(DatasetError, match=r"lengths sum to 20 frames, positions.npy holds 21$"):
        list(walk_dataset(folder))
    index = pd.read_parquet(folder / "index.parquet")
    np.save(folder / "positions.npy", np.zeros((19, 3, 3), np.float32))
    with pytest.raises(DatasetError, match=r"positions.npy: expected at least 20 frames, found 19$"):
        open_part(folder, index, None)
    index.drop(columns="source").to_parquet(folder / "index.parquet")
    with pytest.raises(DatasetError, match=r"index.parquet: expected the columns name, .*; missing source$"):
        list(walk_dataset(folder))
    (folder / "index.parquet").write_bytes(b"no table")
    for broken in (lambda: list(walk_dataset(folder)), lambda: count_sequences(folder)):
        with pytest.raises(DatasetError, match=r"index.parquet: expected a Parquet table: "):
            broken()


def test_an_index_is_written_in_groups_that_a_walk_holds_one_of(tmp_path: Path) -> None:
    frame = np.zeros((1, 3, 3), np.float32)
    count = 2 * ROW_GROUP + 5
    data = write_dataset(tmp_path / "data", (SkeletonSequence(frame, 30, CHAIN, name=f"n{n}") for n in range(count)))
    groups = pq.ParquetFile(data.folder / "index.parquet").metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [ROW_GROUP, ROW_GROUP, 5]
    assert [name for part in walk_dataset(data.folder) for name in part.names] == data.names


def test_a_walk_past_the_end_of_frames_that_were_cut_is_an_error_not_a_crash(folder: Path) -> None:
    first, second = walk_dataset(folder, 2)
    os.truncate(folder / "positions.npy", 200)
    for part in (first, second, second[1:]):
        with pytest.raises(
            DatasetError, match=r"positions\.npy: has changed since the data set was opened: .*found 200 "
        ):
            part[0]


def test_a_part_is_not_opened_on_the_frames_of_another_data_set(
    folder: Path, sequences: list[SkeletonSequence]
) -> None:
    """They may have the same shape, and be as many."""
    (part,) = walk_dataset(folder)
    size, time = part.written or (0, 0)
    write_dataset(folder, sequences[::-1], overwrite=True)
    os.utime(folder / "positions.npy", ns=(time + 1, time + 1))  # clocks may be coarse
    with pytest.raises(
        DatasetError, match=rf"positions\.npy: has changed .*expected {size} bytes .*found {size} bytes "
    ):
        open_part(folder, part.index, part.written)


def test_opening_and_writing_hold_one_sequence_at_a_time(tmp_path: Path) -> None:
    one = 20_000 * 3 * 3 * 4  # bytes

    def many() -> Iterator[SkeletonSequence]:
        for number in range(30):
            yield SkeletonSequence(np.full((20_000, 3, 3), number, np.float32), 30, CHAIN, name=f"n{number}")

    pd.DataFrame({"a": [None]}).to_parquet(tmp_path / "warm")  # imports are not to be counted
    tracemalloc.start()
    try:
        dataset = write_dataset(tmp_path / "data", many())
        _, writing = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        dataset = open_dataset(tmp_path / "data")
        _, opening = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "data" / "positions.npy").stat().st_size > 30 * one
    assert writing < 8 * one
    assert opening - before < one
    assert dataset[29].positions[0, 0, 0] == 29


# ---- what cannot be written --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], "expected at least one sequence for a data set, found none"),
        ([sequence("x"), sequence("x")], "expected a name for each sequence, found x more than once"),
        ([sequence("")], "expected a name for each sequence, found one without a name"),
        ([sequence("x", 0)], "x: expected at least one frame, found none"),
        ([sequence("x", extra={"fps": 1})], "x: expected other names for its own columns, found fps"),
        (
            [sequence("x", extra={"view": 1}), sequence("y", 4, 1, extra={"view": "left"})],
            "column view: expected values of one type",
        ),
    ],
)
def test_what_cannot_be_written_leaves_nothing(tmp_path: Path, given: list[SkeletonSequence], text: str) -> None:
    with pytest.raises(DatasetError, match=text):
        write_dataset(tmp_path / "deep" / "data", given)
    assert list(tmp_path.iterdir()) == []


def test_another_skeleton_is_refused_by_its_joints(tmp_path: Path) -> None:
    other = Skeleton.from_tree(["a", "b", "d"], [-1, 0, 1])
    wrong = SkeletonSequence(np.zeros((2, 3, 3), np.float32), 30, other, name="y", source="y.bvh")
    with pytest.raises(SkeletonMismatchError, match=r"y\.bvh beside x: .*missing c; not expected d"):
        write_dataset(tmp_path / "data", [sequence("x"), wrong])
    assert list(tmp_path.iterdir()) == []


# ---- what cannot be opened ---------------------------------------------------------------------------------------


def _change_index(folder: Path, column: str, row: int, value: Any) -> None:
    index = pd.read_parquet(folder / "index.parquet")
    index.loc[row, column] = value
    index.to_parquet(folder / "index.parquet")


def _change_json(file: Path, **change: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda f: (f / "index.parquet").unlink(), "missing index.parquet"),
        (lambda f: (f / "index.parquet").write_bytes(b"PAR1"), "index.parquet: expected a Parquet table"),
        (lambda f: (f / "skeleton.json").write_text("{"), "skeleton.json: expected JSON"),
        (lambda f: (f / "skeleton.json").write_text("{}"), "skeleton.json: skeleton: expected joint_names"),
        (lambda f: (f / "skeleton.json").write_text("[" * 100_000), "skeleton.json: expected JSON"),
        *(
            (
                lambda f, change=change: _change_json(f / "skeleton.json", **change),
                f"skeleton.json: skeleton: {next(iter(change))}: expected",
            )
            for change in (
                {"parents": [-1, 0, 0.5]},
                {"parents": [-1, 0, float("inf")]},
                {"parents": 5},
                {"joint_names": "abc"},
                {"joint_names": ["a", "b", 3]},
                {"hips": [1]},
                {"hips": {"left": 1}},
                {"hips": [1, 99]},
                {"hips": [1, 1]},
                {"spine": [-1, 2]},
                {"left_right": [[1, 7]]},
                {"left_right": [5]},
                {"body_parts": [1, 2]},
                {"body_parts": None},
            )
        ),
        (lambda f: (f / "protocols.json").write_text("[]"), "protocols.json: expected a JSON object, found list"),
        *(
            (
                lambda f, fold=fold: (f / "protocols.json").write_text(f'{{"p": [{fold}]}}'),
                "protocols.json: p, fold 0: expected a list of names under test",
            )
            for fold in (
                '{"train": ["w0"], "test": 4}',
                '{"train": ["w0"], "test": "r0"}',
                '{"train": ["w0"], "test": [4]}',
                '{"train": ["w0"], "test": [["r0"]]}',
            )
        ),
        *(
            (lambda f, fold=fold: (f / "protocols.json").write_text(f'{{"p": [{fold}]}}'), "p, fold 0: expected the n")
            for fold in ('["w0"]', '[["w0"]]', "3")
        ),
        (lambda f: _change_index(f, "person", 1, None), "expected whole numbers under person"),
        (lambda f: _change_index(f, "length", 1, None), "expected whole numbers under length"),
        (lambda f: _change_index(f, "name", 1, None), "expected text under name, found"),
        (
            lambda f: pd.read_parquet(f / "index.parquet").assign(label=[1, 2, 3, 4]).to_parquet(f / "index.parquet"),
            "expected text under label, found 1",
        ),
        (
            lambda f: np.savez(f / "x.npz", a=np.zeros(3)) or (f / "x.npz").replace(f / "positions.npy"),
            "positions.npy: expected an array of positions",
        ),
        (lambda f: (f / "protocols.json").write_text('{"p": []}'), "p: expected a list of folds"),
        (lambda f: (f / "protocols.json").write_text('{"p": [{"train": []}]}'), "p, fold 0: expected the names"),
        (
            lambda f: (f / "protocols.json").write_text('{"p": [{"train": ["zz"], "test": []}]}'),
            "p, fold 0: zz is not in index.parquet",
        ),
        (
            lambda f: (f / "protocols.json").write_text('{"p": [{"train": ["w0"], "test": ["w0"]}]}'),
            "p, fold 0: w0 both trains and tests",
        ),
        (lambda f: (f / "positions.npy").write_bytes(b""), "positions.npy: expected an array of positions: .*empty"),
        (
            lambda f: (f / "positions.npy").write_bytes(
                (f / "positions.npy").read_bytes().replace(b"False, 'shape': (20", b"False, 'shape': ((0")
            ),
            "positions.npy: expected an array of positions",
        ),
        (lambda f: os.truncate(f / "positions.npy", 200), "positions.npy: expected an array of positions"),
        (
            lambda f: np.save(f / "positions.npy", np.zeros((20, 3, 3))),
            r"expected float32 \(frames, 3, 3\) for the skeleton's 3 joints, found float64 \(20, 3, 3\)",
        ),
        (
            lambda f: np.save(f / "positions.npy", np.zeros((20, 4, 3), np.float32)),
            r"expected float32 \(frames, 3, 3\) .* found float32 \(20, 4, 3\)",
        ),
        (
            lambda f: np.save(f / "positions.npy", np.zeros((19, 3, 3), np.float32)),
            r"lengths sum to 20 frames, positions.npy holds 19",
        ),
        (lambda f: _change_index(f, "offset", 2, 9), "u0: expected offset 8, found 9"),
        (lambda f: _change_index(f, "length", 1, 0), "r0: expected a length of at least 1, found 0"),
        (lambda f: _change_index(f, "fps", 1, 0.0), "r0: expected a positive fps, found 0.0"),
        (lambda f: _change_index(f, "name", 1, "w0"), "expected unique names, found w0 more than once"),
        (
            lambda f: pd.read_parquet(f / "index.parquet").drop(columns="sha256").to_parquet(f / "index.parquet"),
            "missing sha256",
        ),
        (
            lambda f: (
                pd.read_parquet(f / "index.parquet").assign(fps=["a", "b", "c", "d"]).to_parquet(f / "index.parquet")
            ),
            "expected numbers under fps",
        ),
    ],
)
def test_files_that_do_not_agree_are_named(folder: Path, damage: Any, text: str) -> None:
    damage(folder)
    with pytest.raises(DatasetError, match=text) as error:
        open_dataset(folder)
    assert str(error.value).startswith(str(folder))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (5, "preprocessing: expected an object, found 5"),
        (None, "preprocessing: expected an object, found None"),
        ({"foo": 3}, "preprocessing: expected alignment, max_length, window_over; found 'foo'"),
        ({"alignment": ["body"]}, r"preprocessing: alignment: expected another value than \['body'\]"),
        ({"max_length": "35"}, "preprocessing: max_length: expected another value than '35'"),
        ({"window_over": True}, "preprocessing: window_over: expected another value than True"),
    ],
)
def test_preprocessing_that_is_none_is_said(folder: Path, given: Any, text: str) -> None:
    _change_json(folder / "prepare.json", preprocessing=given)
    dataset = open_dataset(folder)  # its recordings can be read all the same
    with pytest.raises(DatasetError, match=f"prepare.json: {text}"):
        _ = dataset.defaults
    with pytest.raises(DatasetError, match=f"prepare.json: {text}"):
        describe(folder)
    with pytest.raises(DatasetError, match=text):
        write_dataset(folder.with_name("new"), [sequence("x")], prepare={"preprocessing": given})
    assert not folder.with_name("new").exists()


@pytest.mark.parametrize("given", [5, "x", [5], [{"name": "x"}], [{"name": "x", "reason": 4}], {"x": "reason"}])
def test_a_list_of_what_was_left_out_that_is_none_is_said(folder: Path, given: Any) -> None:
    _change_json(folder / "prepare.json", left_out=given)
    with pytest.raises(DatasetError, match=r"prepare.json: left_out: expected a list of objects with name and reason"):
        describe(folder)


def test_what_is_no_data_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere: expected a data set folder, found nothing"):
        open_dataset(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match="file: expected a data set folder, found a file"):
        open_dataset(tmp_path / "file")


# ---- whole or not there ------------------------------------------------------------------------------------------


class Stop(BaseException):
    """Something that is no Exception, as KeyboardInterrupt is none."""


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit, Stop])
def test_a_failure_leaves_nothing(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), new_folder(tmp_path / "above" / "out") as building:
        (building / "half").write_text("x")
        raise failure
    with pytest.raises(failure), new_file(tmp_path / "above" / "out.json") as path:
        path.write_text("x")
        raise failure
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    out = tmp_path / "above" / f"{'long' * 60}.json"  # a name for itself, but not with what is added meanwhile
    with pytest.raises(DatasetError, match=r"json: cannot be written: File name too long$"), new_file(out):
        pytest.fail("the block is not to begin")
    assert list(tmp_path.iterdir()) == []


def test_outputs_appear_at_the_end(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a" / "out") as building, new_file(tmp_path / "out.json") as path:
        (building / "inside").write_text("x")
        path.write_text("y")
        assert path.suffix == ".json"
        assert not (tmp_path / "a" / "out").exists() and not (tmp_path / "out.json").exists()
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "a",
        "a/out",
        "a/out/inside",
        "out.json",
    ]


def test_what_exists_is_replaced_only_on_request_and_at_the_end(tmp_path: Path) -> None:
    folder, file = tmp_path / "out", tmp_path / "out.json"
    folder.mkdir()
    (folder / "prepare.json").write_text("old")
    file.write_text("old")
    for make, target in ((new_folder, folder), (new_file, file)):
        with pytest.raises(DatasetError, match=r"out(\.json)?: exists; --overwrite replaces it"), make(target):
            pytest.fail("the block is not to begin")
        with pytest.raises(RuntimeError), make(target, overwrite=True):
            raise RuntimeError
    assert (folder / "prepare.json").read_text() == file.read_text() == "old"
    with new_folder(folder, overwrite=True) as building, new_file(file, overwrite=True) as path:
        (building / "prepare.json").write_text("new")
        path.write_text("new")
        assert (folder / "prepare.json").read_text() == file.read_text() == "old"
    assert (folder / "prepare.json").read_text() == file.read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.json"]


def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="exists"), new_file(tmp_path / "out") as path:
        path.write_text("mine")
        (tmp_path / "out").write_text("theirs")
    assert (tmp_path / "out").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_overwriting_removes_no_folder_of_other_things(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years")
    with pytest.raises(
        DatasetError, match=r"home: expected a data set that motionprint wrote .* found 'thesis.tex' in"
    ):
        write_dataset(tmp_path / "home", [sequence("x")], overwrite=True)
    assert (tmp_path / "home" / "thesis.tex").read_text() == "years"
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match="file: expected a folder to replace, found a file"):
        write_dataset(tmp_path / "file", [sequence("x")], overwrite=True)
    with (
        pytest.raises(DatasetError, match="home: expected a file to write, found a folder"),
        new_file(tmp_path / "home"),
    ):
        pytest.fail("the block is not to begin")


RUN = {"config.json": '{"recipe": {}}', "model.safetensors": "", "log.csv": "", "tensorboard/events.out.tfevents.1": ""}
DATASET = dict.fromkeys(FILES, "{}")


def fill(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("dataset", {}),
        ("dataset", DATASET),
        ("dataset", {"prepare.json": "{"}),
        ("run", {}),
        ("run", RUN),
        ("run", {"config.json": "{", "log.csv": ""}),
        ("run", {**RUN, ".model.safetensors.writing": "half", ".config.json.writing": "{", ".log.csv.writing": ""}),
    ],
)
def test_overwriting_replaces_what_motionprint_wrote(tmp_path: Path, kind: Kind, files: dict[str, str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    fill(out, files)
    with new_folder(out, overwrite=True, kind=kind) as building:
        (building / "new").write_text("x")
    assert contents(tmp_path) == {"out/new": "x"}


@pytest.mark.parametrize(
    ("kind", "files", "text"),
    [
        ("dataset", {**DATASET, "notes.txt": ""}, "'notes.txt' in it, which is none of its files"),
        ("dataset", {**DATASET, "a/b.bvh": "", "b.bvh": ""}, "'a' and 1 more in it"),
        ("dataset", {**DATASET, ".git/HEAD": ""}, "'.git' in it"),
        ("dataset", {**DATASET, "run/config.json": ""}, "'run' in it"),
        ("dataset", {**DATASET, "config.json": ""}, "'config.json' in it"),
        ("dataset", {**DATASET, "tensorboard/events.out.tfevents.1": ""}, "'tensorboard' in it"),
        ("dataset", {"index.parquet": ""}, "no prepare.json in it"),
        ("dataset", RUN, "'config.json' and 3 more in it"),
        ("run", DATASET, "'index.parquet' and 4 more in it"),
        ("run", {**RUN, "prints.npz": ""}, "'prints.npz' in it"),
        ("run", {**RUN, "tensorboard/mine.txt": ""}, "'tensorboard' in it"),
        ("run", {**RUN, ".bashrc": ""}, "'.bashrc' in it"),
        ("run", {"log.csv": ""}, "no config.json in it"),
        ("run", {**RUN, "config.json": '{"model_type": "bert"}'}, "'config.json' in it"),
        ("run", {"config.json/x": ""}, "'config.json' in it"),
    ],
)
def test_overwriting_names_what_motionprint_did_not_write(
    tmp_path: Path, kind: Kind, files: dict[str, str], text: str
) -> None:
    fill(tmp_path / "out", files)
    with (
        pytest.raises(
            DatasetError, match=f"out: expected a (data set|run) that motionprint wrote to replace, .*{text}"
        ),
        new_folder(tmp_path / "out", overwrite=True, kind=kind),
    ):
        pytest.fail("the block is not to begin")
    assert contents(tmp_path / "out") == files


def test_what_was_put_into_a_folder_meanwhile_is_kept(tmp_path: Path) -> None:
    fill(tmp_path / "out", DATASET)
    with pytest.raises(DatasetError, match=r"'notes.txt' in it"), new_folder(tmp_path / "out", overwrite=True):
        (tmp_path / "out" / "notes.txt").write_text("x")
    assert contents(tmp_path / "out") == {**DATASET, "notes.txt": "x"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_behind_a_link_is_replaced_where_it_lies(tmp_path: Path) -> None:
    fill(tmp_path / "disk" / "data", DATASET)
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "data")
    with new_folder(tmp_path / "out", overwrite=True) as building:
        (building / "new").write_text("x")
    assert (tmp_path / "out").is_symlink()
    assert contents(tmp_path) == {"disk/data/new": "x"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "out"]


@pytest.mark.parametrize(
    ("out", "text"),
    [
        ("in", "found the same path"),
        (".", "found that it holds .*in$"),
        ("link", "found the same path"),
    ],
)
def test_an_output_never_replaces_what_is_read(tmp_path: Path, out: str, text: str) -> None:
    fill(tmp_path / "top" / "in", DATASET)
    (tmp_path / "top" / "link").symlink_to("in")
    before = contents(tmp_path)
    with (
        pytest.raises(DatasetError, match=f"expected an output apart from what is read, {text}"),
        new_folder(tmp_path / "top" / out, overwrite=True, inputs=[tmp_path / "top" / "in"]),
    ):
        pytest.fail("the block is not to begin")
    assert contents(tmp_path) == before
    for apart in ("inner", "in/data"):  # `prepare folder . --out data` is what people type
        with new_folder(tmp_path / "top" / apart, inputs=[tmp_path / "top" / "in"]) as building:
            (building / "new").write_text("x")


@pytest.mark.parametrize(
    ("files", "text"),
    [(DATASET, "of a data set"), ({name: RUN[name] for name in ("config.json", "model.safetensors")}, "of a run")],
)
def test_a_file_of_a_data_set_or_a_run_is_not_overwritten(tmp_path: Path, files: dict[str, str], text: str) -> None:
    fill(tmp_path / "in", files)
    for name in files:
        with (
            pytest.raises(DatasetError, match=f"{name}: expected a file of its own to replace, found {name} {text}"),
            new_file(tmp_path / "in" / name, overwrite=True),
        ):
            pytest.fail("the block is not to begin")
    assert contents(tmp_path / "in") == files
    fill(tmp_path / "elsewhere", {"index.parquet": "old", "log.csv": "old"})
    for name in ("index.parquet", "log.csv"):
        with new_file(tmp_path / "elsewhere" / name, overwrite=True) as path:
            path.write_text("new")
    assert contents(tmp_path / "elsewhere") == {"index.parquet": "new", "log.csv": "new"}


def test_folders_that_cannot_be_made_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match="file: cannot be made"), new_folder(tmp_path / "file" / "out"):
        pytest.fail("the block is not to begin")


def test_sigterm_leaves_nothing(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from motionprint.store.atomic import new_folder\n"
        "with new_folder(sys.argv[1]) as building:\n"
        "    (building / 'half').write_text('x')\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "above" / "out")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


# ---- describe ----------------------------------------------------------------------------------------------------


def test_a_data_set_is_described_by_its_figures(folder: Path) -> None:
    found = describe(folder)
    assert found["kind"] == "dataset"
    expected = {
        "sequences": 4,
        "classes": 2,
        "class_names": ["run", "walk"],
        "unlabelled": 1,
        "subjects": 2,
        "joints": 3,
        "frames": 20,
        "shortest": 3,
        "longest": 7,
        "fps": 30.0,
        "protocols": {"own": {"train": [1], "test": [2]}},
        "missing_values": 0,
        "left_out": {},
        "duplicates": 1,
    }
    assert {key: found[key] for key in expected} == expected
    assert found["hours"] == pytest.approx(20 / 30 / 3600)
    json.dumps(found)


def test_a_motion_file_is_described_by_its_figures(tmp_path: Path) -> None:
    skeleton = SKELETONS["kinect20"]
    positions = np.full((6, 20, 3), [0.0, 0.0, 2.0])  # a joint at (0, 0, 0) would be missing
    positions[:, skeleton.joint_names.index("head"), 1] = 1.7
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"file_name": "x", "skeletons": positions.tolist()}))
    found = describe(path)
    assert found["kind"] == "recording"
    expected = {"persons": 1, "frames": 6, "fps": 15.0, "seconds": 0.4, "joints": 20, "missing_values": 0}
    assert {key: found[key] for key in expected} == expected
    assert found["height"] == pytest.approx(1.7)
    assert found["body_parts"]["left arm"] == ["shoulder_left", "elbow_left", "wrist_left", "hand_left"]
    several = tmp_path / "several"
    several.mkdir()
    for name in ("a.json", "b.json"):
        (several / name).write_text(path.read_text())
    found = describe(several)
    assert (found["kind"], found["persons"], found["frames"]) == ("recordings", 2, 12)


def test_what_cannot_be_described_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="expected a motion file, found nothing"):
        describe(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DatasetError, match="expected a data set folder, a run folder or motion files, found none"):
        describe(tmp_path)


def test_a_writer_says_how_much_it_has_written(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path) as writer:
        digest = writer.append(sequence("x", 4))
        writer.append(sequence("y", 2))
        assert (len(writer), writer.frames) == (2, 6)
    assert digest == hashlib.sha256(sequence("x", 4).positions.tobytes()).hexdigest()
