"""Prints: what may change them and what may not, and the table that they are written to."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from motionprint.errors import DatasetError, ReadError, SettingsError, SkeletonMismatchError
from motionprint.evaluation import Embedded, embed, encode, prints, read_prints
from motionprint.readers import read, read_all
from motionprint.rigs import map_to
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.store import write_dataset
from motionprint.training import Run, configure, load_run, save_run, train_on

embedding = importlib.import_module("motionprint.evaluation.embed")  # the package's own `embed` is the function

KINECT = SKELETONS["kinect20"]
TINY = {"encoder_units": 4, "decoder_units": 4, "discriminator_units": 2, "steps": 2, "batch_size": 4}
ROUNDING = 2e-6
"""States lie in (-1, 1); matrix products of other sizes round differently, by some units of 6e-8 a step."""

Positions = npt.NDArray[np.float32]


def _motion(seconds: float, fps: float, seed: int = 0) -> Positions:
    """A smooth motion, sampled as finely as asked: joints swing at up to 1 Hz by up to 0.2 m."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * fps + 0.5) + 1)[:, None, None] / fps
    rest, swing, phase = (random.normal(size=(len(KINECT), 3)) for _ in range(3))
    rate = random.uniform(1, 6, (len(KINECT), 1))
    return (0.4 * rest + 0.1 * swing * np.sin(rate * time + phase)).astype(np.float32)


def _recordings(count: int = 7) -> list[SkeletonSequence]:
    return [
        SkeletonSequence(
            _motion(1 + 0.3 * number, 30.0, number),
            30.0,
            KINECT,
            name=f"r{number}",
            label="walk" if number else None,
            subject=f"s{number}",
            source=f"walk/r{number}.json",
            person=number % 2,
        )
        for number in range(count)
    ]


def _train(sequences: list[SkeletonSequence], **changes: Any) -> Run:
    config, recipe = configure(sequences[0].skeleton, changes={**TINY, **changes})
    return train_on(sequences, config, recipe, device="cpu")


def _embed(run: Run, sources: list[Path], out: Path, **options: Any) -> pd.DataFrame:
    """The table that `embed` writes."""
    embed(run, sources, out, **options)
    return pd.read_parquet(out)


@pytest.fixture(scope="module")
def run() -> Run:
    return _train(_recordings())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prints") / "data"
    write_dataset(folder, _recordings())
    return folder


# ---- encode --------------------------------------------------------------------------------------------------------


def test_a_print_depends_neither_on_the_batch_nor_on_its_order(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    recordings = _recordings()
    found = encode(run, recordings)
    assert found.dtype == np.float32 and found.shape == (7, 8)
    alone = np.concatenate([encode(run, [recording]) for recording in recordings])
    np.testing.assert_allclose(found, alone, atol=ROUNDING)
    order = [4, 0, 6, 2, 1, 5, 3]
    np.testing.assert_allclose(encode(run, [recordings[i] for i in order]), found[order], atol=ROUNDING)
    monkeypatch.setattr(prints, "BATCH", 2)
    np.testing.assert_allclose(encode(run, recordings), found, atol=ROUNDING)
    assert np.abs(found[:, None] - found[None]).max(axis=2)[~np.eye(7, dtype=bool)].min() > 1e-3  # all differ


def test_features_are_states_f_or_both_side_by_side(run: Run) -> None:
    states, print_f, both = (encode(run, _recordings(), features) for features in ("states", "F", "both"))
    assert (states.shape, print_f.shape) == ((7, 8), (7, 60))  # 2 directions of 4 units; R = D
    np.testing.assert_array_equal(both, np.concatenate([states, print_f], axis=1))
    weight, bias = (run.method.encoder.output.get_parameter(name).detach().numpy() for name in ("weight", "bias"))
    np.testing.assert_allclose(print_f, np.tanh(states @ weight.T + bias), atol=ROUNDING)


def test_a_print_is_that_of_the_motion_and_not_of_its_frame_rate(run: Run) -> None:
    """30, 60 and 120 frames/s hold the very frames of 15 frames/s, so that nothing at all may change."""
    expected = encode(run, [SkeletonSequence(_motion(2, 15), 15.0, KINECT)])
    for fps in (30.0, 60.0, 120.0):
        np.testing.assert_array_equal(encode(run, [SkeletonSequence(_motion(2, fps), fps, KINECT)]), expected)


def test_a_print_hardly_changes_where_frames_must_be_interpolated(run: Run) -> None:
    """Linear interpolation errs by at most h^2 / 8 max |x''|; what it moves the input by bounds the print's change."""
    fps = 50.0
    coarse, fine = (SkeletonSequence(_motion(2, rate), rate, KINECT) for rate in (15.0, fps))
    random = np.random.default_rng(0)
    _, swing, _ = (random.normal(size=(len(KINECT), 3)) for _ in range(3))
    acceleration = float(np.abs(0.1 * swing).max()) * 6**2  # amplitude x rate^2
    bound = acceleration / (8 * fps**2) / run.recipe.scale
    plain = replace(run.recipe, alignment="none")
    difference = float(np.abs(plain.apply(coarse) - plain.apply(fine)).max())
    assert 1e-5 < difference < 2 * bound  # a joint's and the root's error add up
    one, other = encode(run, [coarse]), encode(run, [fine])
    assert np.abs(one - other).max() < 10 * difference  # the encoder does not blow it up
    assert np.abs(one - other).max() < 0.02 < np.abs(one - encode(run, [_recordings()[3]])).max()


def test_labels_names_and_subjects_do_not_enter_a_print(run: Run) -> None:
    bare = [SkeletonSequence(recording.positions, recording.fps, KINECT) for recording in _recordings()]
    np.testing.assert_array_equal(encode(run, bare), encode(run, _recordings()))


def test_encoding_leaves_the_run_as_it_is(run: Run) -> None:
    before = run.model_hash
    first = encode(run, _recordings())
    np.testing.assert_array_equal(encode(run, _recordings()), first)  # dropout is off
    assert Run(run.config, run.recipe, run.method, run.steps).model_hash == before


@pytest.mark.parametrize(("count", "threads"), [(1, 1), (2, 2)])
def test_a_single_sequence_is_computed_by_one_thread(
    run: Run, monkeypatch: pytest.MonkeyPatch, count: int, threads: int
) -> None:
    seen: list[int] = []
    plain = run.method.encode

    def watch(*given: Any) -> Any:
        seen.append(torch.get_num_threads())
        return plain(*given)

    monkeypatch.setattr(run.method, "encode", watch)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        encode(run, _recordings()[:count])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [threads]


def test_a_very_long_recording_gets_the_mean_of_its_windows(run: Run) -> None:
    long = SkeletonSequence(_motion(40, 15.0), 15.0, KINECT, name="long")
    pieces = run.recipe.pieces(long)
    assert len(pieces) == 18
    parts = [replace(long, positions=long.positions[start:end]) for start, end in pieces]
    short = _recordings(2)
    found = encode(run, [short[0], long, short[1]])
    np.testing.assert_allclose(found[1], encode(run, parts).mean(axis=0), atol=ROUNDING)
    np.testing.assert_allclose(found[[0, 2]], encode(run, short), atol=ROUNDING)


def test_encode_refuses_what_it_cannot_encode(run: Run) -> None:
    with pytest.raises(DatasetError, match=r"^expected at least one recording, found none$"):
        encode(run, [])
    with pytest.raises(SettingsError, match=r"^unknown features 'G': expected one of states, F, both$"):
        encode(run, _recordings(), "G")
    broken = _recordings(2)
    broken[1].positions[:] = np.nan
    message = r"^r1: expected a joint recorded in at least one frame, found all values missing \(NaN\)$"
    with pytest.raises(DatasetError, match=message):
        encode(run, broken)
    other = SkeletonSequence(np.zeros((9, 31, 3), np.float32), 15.0, SKELETONS["cmu31"], name="actor")
    with pytest.raises(SkeletonMismatchError, match=r"^actor: expected the skeleton of 20 joints, found 31 joints: "):
        encode(run, [*_recordings(2), other])


# ---- embed ---------------------------------------------------------------------------------------------------------


def test_a_data_set_becomes_a_table_of_prints(run: Run, dataset: Path, tmp_path: Path) -> None:
    table = _embed(run, [dataset], tmp_path / "prints.parquet", features="both")
    assert table.columns.tolist() == ["name", "source", "person", "start", "end", "label", "subject", "print"]
    recordings = _recordings()
    assert table["name"].tolist() == [recording.name for recording in recordings]
    assert table["source"].tolist() == [recording.source for recording in recordings]
    assert table["person"].tolist() == [recording.person for recording in recordings]
    assert table["subject"].tolist() == [recording.subject for recording in recordings]
    assert table["label"].isna().tolist() == [True] + 6 * [False] and set(table["label"][1:]) == {"walk"}
    assert table["start"].tolist() == [0.0] * 7
    assert table["end"].tolist() == [pytest.approx(len(recording) / 30) for recording in recordings]
    expected = encode(run, recordings, "both")
    np.testing.assert_array_equal(np.stack(table["print"].to_list()), expected)


def test_the_file_is_as_the_contract_says(run: Run, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "prints.parquet"
    embed(run, [dataset], out, features="F")
    schema = pq.read_schema(out)
    assert schema.field("print").type == pa.list_(pa.float32(), 60)
    kinds = {"name": pa.string(), "source": pa.string(), "person": pa.int64(), "start": pa.float64()}
    kinds |= {"end": pa.float64(), "label": pa.string(), "subject": pa.string()}
    assert {field.name: field.type for field in schema if field.name != "print"} == kinds
    assert schema.metadata[b"features"] == b"F"
    assert schema.metadata[b"model"] == run.model_hash.encode()
    assert len(run.model_hash) == 64
    assert [path.name for path in tmp_path.iterdir()] == ["prints.parquet"]


def test_read_prints_gives_back_what_embed_wrote(run: Run, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "prints.parquet"
    table = _embed(run, [dataset], out)
    rows, found, metadata = read_prints(out)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, encode(run, _recordings()))
    assert rows.equals(table.drop(columns="print"))
    assert metadata == {"model": run.model_hash, "features": "states"}


def test_the_model_hash_tells_weights_apart_and_survives_saving(run: Run, tmp_path: Path) -> None:
    save_run(run, tmp_path / "run")
    again = load_run(tmp_path / "run")
    assert again.model_hash == run.model_hash
    np.testing.assert_array_equal(encode(again, _recordings()), encode(run, _recordings()))
    assert run.untrained().model_hash != run.model_hash
    assert _train(_recordings(), steps=3).model_hash != run.model_hash


def test_batches_of_embed_do_not_show(run: Run, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = _embed(run, [dataset], tmp_path / "a.parquet")
    monkeypatch.setattr(prints, "BATCH", 3)
    found = _embed(run, [dataset], tmp_path / "b.parquet")
    assert found.drop(columns="print").equals(expected.drop(columns="print"))
    np.testing.assert_allclose(np.stack(found["print"].to_list()), np.stack(expected["print"].to_list()), atol=ROUNDING)


def test_what_was_written_is_summed_up(run: Run, dataset: Path, tmp_path: Path) -> None:
    long = SkeletonSequence(_motion(40, 15.0), 15.0, KINECT, name="long")
    wild = SkeletonSequence(100 * _motion(12, 480.0), 480.0, KINECT, name="wild")
    write_dataset(tmp_path / "more", [long, wild])
    out = tmp_path / "prints.parquet"
    done = embed(run, [dataset, tmp_path / "more"], out, features="F")
    assert (done.path, done.prints, done.size, done.recordings) == (out, 7 + 18 + 6, 60, 9)
    assert (done.counts.windowed, done.counts.thinned, done.counts.sequences) == (2, 0, 31)
    assert 0 < done.counts.clipped < done.counts.values
    thinned = embed(run, [tmp_path / "more"], out, window=11.0, overwrite=True)
    assert (thinned.prints, thinned.counts.windowed, thinned.counts.thinned) == (4 + 2, 0, 6)
    assert isinstance(done, Embedded)


@pytest.mark.parametrize(("recordings", "frames"), [(1, 1 << 18), (3, 1 << 18), (512, 80), (512, 1), (4, 200)])
def test_ranges_of_recordings_do_not_show(
    run: Run, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recordings: int, frames: int
) -> None:
    """Recordings have 31 to 85 frames; rows and their order are the same wherever the data set is cut."""
    expected = _embed(run, [dataset], tmp_path / "a.parquet", window=1.0)
    monkeypatch.setattr(embedding, "RECORDINGS", recordings)
    monkeypatch.setattr(embedding, "FRAMES", frames)
    monkeypatch.setattr(embedding, "ROW_GROUP", 5)
    found = _embed(run, [dataset], tmp_path / "b.parquet", window=1.0)
    assert found.drop(columns="print").equals(expected.drop(columns="print"))
    np.testing.assert_allclose(np.stack(found["print"].to_list()), np.stack(expected["print"].to_list()), atol=ROUNDING)
    file = pq.ParquetFile(tmp_path / "b.parquet")
    groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert len(expected) > 10 and groups[:-1] == [5] * (len(expected) // 5) and sum(groups) == len(expected)


def test_ranges_are_bounded_by_recordings_and_by_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "RECORDINGS", 3)
    monkeypatch.setattr(embedding, "FRAMES", 100)
    lengths = np.array([10, 10, 10, 10, 60, 60, 300, 100, 1, 50, 50])
    assert list(embedding._cut(lengths)) == [(0, 3), (3, 5), (5, 6), (6, 7), (7, 8), (8, 10), (10, 11)]
    assert list(embedding._cut(np.array([], np.int64))) == []


def test_batches_hold_similar_lengths_and_no_more_frames_than_allowed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[int]] = []

    def spy(run: Run, frames: Sequence[Positions], features: str) -> Positions:
        batches.append([len(each) for each in frames])
        return np.array([[each[0, 0]] for each in frames], np.float32)

    monkeypatch.setattr(prints, "_encode_batch", spy)
    for name, value in (("BATCH", 4), ("ROWS", 40), ("POOL", 10), ("POOL_ROWS", 200)):
        monkeypatch.setattr(prints, name, value)
    lengths = [5, 9, 3, 100, 7, 8, 20, 2, 6, 1, 4, 4, 150, 60, 5]
    frames = [np.full((length, 1), number, np.float32) for number, length in enumerate(lengths)]
    found = list(prints.encode_frames(run, frames, "states"))
    assert np.concatenate(found).ravel().tolist() == list(range(len(lengths)))  # as they came
    assert [len(pool) for pool in found] == [10, 4, 1]  # full by number, full by frames, the rest
    assert batches == [[100], [20, 9], [8, 7, 6, 5], [3, 2, 1], [150], [60], [4, 4], [5]]


def test_progress_is_reported(run: Run, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "RECORDINGS", 3)
    calls: list[tuple[int, int | None, str]] = []
    embed(run, [dataset], tmp_path / "prints.parquet", report=lambda *call: calls.append(call))
    assert calls == [(3, 7, f"{dataset}: r2"), (6, 7, f"{dataset}: r5"), (7, 7, f"{dataset}: r6")]


# ---- windows -------------------------------------------------------------------------------------------------------


def _one(folder: Path, seconds: float, fps: float) -> SkeletonSequence:
    """A data set of one recording of so many seconds."""
    frames = round(seconds * fps)
    sequence = SkeletonSequence(_motion(seconds, fps)[:frames], fps, KINECT, name="one")
    write_dataset(folder, [sequence])
    return sequence


@pytest.mark.parametrize(
    ("window", "stride", "starts", "ends"),
    [
        (2.0, 1.0, [0, 1, 2, 3], [2, 3, 4, 5]),
        (2.0, None, [0, 2, 3], [2, 4, 5]),  # a window on; the last one ends with the recording
        (2.0, 2.0, [0, 2, 3], [2, 4, 5]),
        (5.0, 1.0, [0], [5]),
        (9.0, 1.0, [0], [5]),
    ],
)
def test_windows_have_their_own_prints_and_times_in_seconds(
    run: Run, tmp_path: Path, window: float, stride: float | None, starts: list[float], ends: list[float]
) -> None:
    sequence = _one(tmp_path / "data", 5, 20)
    table = _embed(run, [tmp_path / "data"], tmp_path / "prints.parquet", window=window, stride=stride)
    assert table["start"].tolist() == starts
    assert table["end"].tolist() == ends
    assert set(table["name"]) == {"one"}
    parts = [
        replace(sequence, positions=sequence.positions[int(20 * start) : int(20 * end)])
        for start, end in zip(starts, ends, strict=True)
    ]
    np.testing.assert_allclose(np.stack(table["print"].to_list()), encode(run, parts), atol=ROUNDING)


def test_a_long_recording_is_windowed_though_nobody_asked(run: Run, tmp_path: Path) -> None:
    sequence = _one(tmp_path / "data", 40, 15)
    table = _embed(run, [tmp_path / "data"], tmp_path / "prints.parquet")
    pieces = run.recipe.pieces(sequence)
    assert len(table) == len(pieces) == 18
    assert table["start"].iloc[0] == 0 and table["end"].iloc[-1] == 40
    assert table["start"].tolist()[1:] == table["end"].tolist()[:-1]
    assert (table["end"] - table["start"]).max() < 2.4  # 35 frames at 15 frames/s are 2.33 s


@pytest.mark.parametrize(
    ("window", "stride", "message"),
    [
        (None, 1.0, "expected --window with --stride, found --stride alone"),
        (0.0, None, "expected a window and a stride above 0 s, found 0 and 0"),
        (2.0, 0.0, "expected a window and a stride above 0 s, found 2 and 0"),
        (2.0, -1.0, "expected a window and a stride above 0 s, found 2 and -1"),
    ],
)
def test_windows_that_cannot_be(
    run: Run, dataset: Path, tmp_path: Path, window: float | None, stride: float | None, message: str
) -> None:
    with pytest.raises(SettingsError, match=f"^{message}$"):
        embed(run, [dataset], tmp_path / "prints.parquet", window=window, stride=stride)
    assert list(tmp_path.iterdir()) == []


# ---- motion files --------------------------------------------------------------------------------------------------


def _joint(name: str, offset: str, inner: str = "") -> str:
    end = "" if inner else "End Site\n{\nOFFSET 0 -20 0\n}\n"
    return f"JOINT {name}\n{{\nOFFSET {offset}\nCHANNELS 3 Zrotation Xrotation Yrotation\n{inner}{end}}}\n"


def _bvh(seed: int, frames: int = 25) -> str:
    arms = _joint("LeftArm", "15 10 0") + _joint("RightArm", "-15 10 0")
    joints = _joint("Spine", "0 30 0", arms) + _joint("LeftUpLeg", "10 -5 0") + _joint("RightUpLeg", "-10 -5 0")
    root = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
    random = np.random.default_rng(seed)
    rows = 10 * random.normal(size=6 + 3 * 5) + np.cumsum(5 * random.normal(size=(frames, 6 + 3 * 5)), axis=0)
    motion = "\n".join(" ".join(f"{value:.4f}" for value in row) for row in rows)
    head = f"HIERARCHY\nROOT Hips\n{{\nOFFSET 0 0 0\n{root}\n{joints}}}\n"
    return f"{head}MOTION\nFrames: {frames}\nFrame Time: 0.0333333\n{motion}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: three recordings without a label anywhere."""
    made = tmp_path_factory.mktemp("files") / "mine"
    (made / "sub").mkdir(parents=True)
    for number, name in enumerate(("a.bvh", "b.bvh", "sub/c.bvh")):
        (made / name).write_text(_bvh(number), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def of_files(folder: Path) -> Run:
    return _train(read(folder))


def test_files_folders_and_archives_of_files_give_the_same_prints(of_files: Run, folder: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "mine"), "zip", folder))
    table = _embed(of_files, [folder, archive, folder / "b.bvh"], tmp_path / "prints.parquet")
    assert table["name"].str.endswith(("a", "b", "c")).all()
    assert [Path(source).name for source in table["source"]] == [*("a.bvh", "b.bvh", "c.bvh") * 2, "b.bvh"]
    assert table["label"].isna().all() and table["subject"].isna().all()
    assert table["end"].iloc[0] == pytest.approx(25 / 30, rel=1e-4)
    found = np.stack(table["print"].to_list())
    np.testing.assert_allclose(found[[3, 4, 5, 6]], found[[0, 1, 2, 1]], atol=ROUNDING)
    np.testing.assert_allclose(found[:3], encode(of_files, read(folder)), atol=ROUNDING)


def test_a_file_with_other_joints_is_refused_by_name(of_files: Run, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "tail.bvh"
    path.write_text((folder / "a.bvh").read_text(encoding="utf-8").replace("LeftArm", "Tail"), encoding="utf-8")
    out = tmp_path / "prints.parquet"
    with pytest.raises(
        SkeletonMismatchError, match=r"^tail: .*missing LeftArm, LeftArm_end; not expected Tail, Tail_end"
    ):
        embed(of_files, [folder, path], out)
    assert not out.exists()


# ---- nothing half-written ------------------------------------------------------------------------------------------


def test_recordings_of_other_rigs_are_brought_onto_the_runs_skeleton(
    run: Run, takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SkeletonMismatchError, match="expected the skeleton of 20 joints, found 16 joints"):
        embed(run, [takes], tmp_path / "other.parquet")
    with pytest.raises(
        SkeletonMismatchError, match=r"march/anna_0: expected joints that tell where elbow_left, .* lie"
    ):
        embed(run, [takes], tmp_path / "mapped.parquet", map_rigs=True)
    with pytest.raises(SettingsError, match="expected --map-rigs with --allow-missing, found --allow-missing alone"):
        embed(run, [takes], tmp_path / "mapped.parquet", allow_missing=True)
    done = embed(run, [takes], tmp_path / "mapped.parquet", map_rigs=True, allow_missing=True)
    assert done.prints == 18 and done.counts.incomplete == 18
    mapped = [map_to(each, run.skeleton, allow_missing=True) for each in read_all(takes)]
    write_dataset(tmp_path / "data", mapped)
    embed(run, [tmp_path / "data"], tmp_path / "data.parquet")
    found, expected = (read_prints(tmp_path / f"{name}.parquet")[1] for name in ("mapped", "data"))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_existing_output_is_kept_unless_it_may_be_overwritten(run: Run, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "prints.parquet"
    out.write_text("mine")
    with pytest.raises(DatasetError, match="exists; --overwrite replaces it"):
        embed(run, [dataset], out)
    assert out.read_text() == "mine"
    embed(run, [dataset], out, overwrite=True)
    assert len(read_prints(out)[1]) == 7
    assert list(tmp_path.iterdir()) == [out]


def test_a_failure_leaves_nothing_behind(run: Run, dataset: Path, tmp_path: Path) -> None:
    broken = _recordings(3)
    broken[2].positions[:] = np.nan
    write_dataset(tmp_path / "broken", broken)
    renamed = Skeleton(tuple(f"x{name}" for name in KINECT.joint_names), KINECT.parents)
    write_dataset(tmp_path / "other", [replace(_recordings(1)[0], skeleton=renamed)])
    out = tmp_path / "deep" / "prints.parquet"

    def interrupt(done: int, total: int | None, text: str) -> None:
        raise KeyboardInterrupt("stopped")

    cases: list[tuple[list[Path], dict[str, Any], type[BaseException], str]] = [
        ([dataset, tmp_path / "broken"], {}, DatasetError, r"^r2: expected a joint recorded in at least one "),
        ([tmp_path / "other"], {}, SkeletonMismatchError, r"^r0: expected the skeleton of 20 joints"),
        ([dataset, tmp_path / "nowhere"], {}, ReadError, r"nowhere: expected a motion file, found nothing"),
        ([dataset], {"features": "G"}, SettingsError, r"^unknown features 'G': expected one of states, F, both$"),
        ([dataset], {"report": interrupt}, KeyboardInterrupt, "^stopped$"),
        ([], {}, DatasetError, "^no source given: expected at least one recording, found none"),
    ]
    for sources, options, error, message in cases:
        with pytest.raises(error, match=message):
            embed(run, sources, out, **options)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "other"]


def test_what_is_no_file_of_prints_is_refused(tmp_path: Path) -> None:
    text, table = tmp_path / "text.parquet", tmp_path / "table.parquet"
    text.write_text("not Parquet")
    pq.write_table(pa.table({"name": ["a"]}), table)
    for path in (text, table, tmp_path / "nowhere.parquet"):
        with pytest.raises(DatasetError, match=rf"{path.name}: expected a Parquet file of prints: \S"):
            read_prints(path)
