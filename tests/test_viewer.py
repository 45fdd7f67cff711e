"""The viewer's data: motion as it is packed, maps, CSV files, and what each kind of path gives."""

from __future__ import annotations

import base64
import errno
import importlib
import json
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from motionprint.cli import main
from motionprint.errors import CheckpointError, DatasetError, SettingsError, SkeletonMismatchError
from motionprint.readers import read_all
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.store import MotionDataset, write_dataset
from motionprint.training import pretrain
from motionprint.viewer import Labels, View, build, maps, pack
from motionprint.viewer.motion import deflated, in_millimetres, played
from motionprint.viewer.tables import Items, read_columns

REPOSITORY = Path(__file__).resolve().parents[1]
PACK = importlib.import_module("motionprint.viewer.pack")  # `motionprint.viewer.pack` is its function
SMALL = {"encoder_units": 8, "decoder_units": 8, "discriminator_units": 4, "batch_size": 8}


@pytest.fixture(autouse=True)
def page(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page of three lines in place of the real one."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.html").write_text("<style><!-- css --></style><!-- data --><script><!-- js --></script>")
    (folder / "page.css").write_text("/* <!-- js --> */")
    (folder / "page.js").write_text("// script")
    monkeypatch.setattr("motionprint.viewer.page.FOLDER", folder)
    return folder


@pytest.fixture(scope="module")
def data(takes: Path, tmp_path_factory: pytest.TempPathFactory) -> MotionDataset:
    """18 recordings of three actions and three people."""
    made = []
    for sequence in read_all(takes):
        action, file = str(sequence.source).split("/")
        made.append(replace(sequence, label=action, subject=file.split("_")[0], extra={"take": int(file[-5])}))
    return write_dataset(tmp_path_factory.mktemp("viewed") / "data", made)


@pytest.fixture(scope="module")
def run(data: MotionDataset) -> Path:
    """A run on the half of them, which lies beside them."""
    folder = data.folder.parent / "run"
    command = "motionprint pretrain data --out run"
    pretrain(data, folder, changes=SMALL, steps=2, protocol="kfold:2", device="cpu", command=command)
    return folder


def unpacked(view: View) -> list[np.ndarray[Any, Any]]:
    """The motions (T, J, 3) in millimetres, -32768 where missing, read as docs/viewer.md says."""
    raw = zlib.decompress(view.frames)
    assert len(raw) % 2 == 0
    half = len(raw) // 2
    unsigned = [low | high << 8 for low, high in zip(raw[:half], raw[half:], strict=True)]
    items, motions = view.meta["items"], []
    for number, (offset, length) in enumerate(zip(items["offset"], items["length"], strict=True)):
        joints = len(view.meta["skeletons"][items["skeleton"][number]]["joints"])
        steps = np.array(unsigned[offset : offset + length * joints * 3]).reshape(length, joints, 3)
        motion = (np.cumsum(steps, axis=0) + 32768) % 65536 - 32768
        mask = view.meta["missing"].get(str(number))
        if mask is not None:
            found = np.unpackbits(np.frombuffer(base64.b64decode(mask), np.uint8), bitorder="little")
            motion[found[: length * joints].reshape(length, joints).astype(bool)] = -32768
        motions.append(motion)
    assert sum(motion.size for motion in motions) == half
    return motions


# ---- motion ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "fps", "expected"),
    [(30, 30.0, (2, 15.0)), (20, 12.0, (1, 12.0)), (50, 100.0, (7, 100 / 7)), (1000, 15.0, (16, 15 / 16))],
)
def test_at_most_15_frames_a_second_and_64_in_all_are_played(
    frames: int, fps: float, expected: tuple[int, float]
) -> None:
    step, rate = played(frames, fps, 64)
    assert (step, rate) == pytest.approx(expected)
    assert len(range(0, frames, step)) <= 64


def test_motion_comes_back_in_millimetres(tmp_path: Path) -> None:
    """Frames that are missing at the beginning, in between and for ever; a jump that 16 bits wrap around at."""
    random = np.random.default_rng(0)
    skeleton = SKELETONS["kinect20"]
    made = []
    for number in range(3):
        positions = random.normal(0, 0.5, (40, 20, 3)).astype(np.float32) + np.float32(3)
        positions[::4, 5] += 80 if number == 1 else 0  # beyond 32 m: clipped; and 64 m away from the next frame
        positions[1::4, 5] -= 80 if number == 1 else 0
        if number == 2:
            positions[:4, skeleton.root] = np.nan
            positions[10:20, 7, 1] = np.nan
            positions[:, 9] = np.nan
        made.append(SkeletonSequence(positions, 15.0, skeleton, f"s{number}"))
    view = pack(write_dataset(tmp_path / "data", made).folder, map="pca")
    for sequence, motion in zip(made, unpacked(view), strict=True):
        known = ~np.isnan(sequence.positions).any(axis=2)
        first = sequence.positions[known[:, skeleton.root].argmax(), skeleton.root].astype(np.float64)
        expected = np.rint(1000 * (sequence.positions.astype(np.float64) - first * [1, 0, 1])).clip(-32000, 32000)
        assert (motion[known] == expected[known]).all()
        assert (motion[~known] == -32768).all()
    assert list(view.meta["missing"]) == ["2"]
    assert view.meta["items"]["fps"] == [15.0] * 3


def test_a_body_that_stands_still_takes_next_to_nothing() -> None:
    still = in_millimetres(np.ones((64, 31, 3)), 0).values
    assert len(deflated([still] * 100)) < 5000


# ---- maps --------------------------------------------------------------------------------------------------------


def _blobs(count: int, values: int = 8) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Rows around three directions, and which of them."""
    random = np.random.default_rng(1)
    which = np.arange(count) % 3
    return maps.directions(np.eye(values)[which] + random.normal(0, 0.05, (count, values))), which


def test_rows_are_brought_to_length_one() -> None:
    rows = maps.directions(np.array([[3.0, 4.0], [0, 0]], np.float32))
    assert rows.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


@pytest.mark.parametrize("kind", ["pca", "tsne", pytest.param("umap", marks=pytest.mark.slow)])
def test_maps_keep_groups_apart_and_are_drawn_alike_each_time(kind: maps.Kind) -> None:
    rows, which = _blobs(45)
    name, points = maps.project(rows, kind)
    assert name == {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}[kind]
    assert points.min() >= 0 and points.max() <= 1 and np.ptp(points, axis=0).max() == pytest.approx(1)
    centres = np.stack([points[which == group].mean(axis=0) for group in range(3)])
    nearest = np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == which).all()
    assert (maps.project(rows, kind)[1] == points).all()


def test_both_axes_of_a_map_have_one_scale() -> None:
    rows = np.zeros((20, 3), np.float32)
    rows[:, 0], rows[:, 1] = np.arange(20), 0.1 * np.arange(20) % 0.3
    _, points = maps.project(rows, "pca")
    extent = np.ptp(points, axis=0) * np.ptp(rows[:, 0])
    assert extent[1] < 0.05 * extent[0]


def test_maps_of_few_equal_or_single_rows() -> None:
    assert maps.project(np.ones((1, 5), np.float32), "auto")[1].tolist() == [[0.5, 0.5]]
    name, points = maps.project(np.ones((4, 5), np.float32), "auto")
    assert name == "PCA" and (points == 0.5).all()


def test_without_umap_a_map_is_t_sne(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "_has_umap", lambda: False)
    rows, _ = _blobs(12)
    assert maps.project(rows, "auto")[0] == "t-SNE"
    with pytest.raises(SettingsError, match=r"--map umap needs the package umap-learn: pip install motionprint\[maps]"):
        maps.project(rows, "umap")
    with pytest.raises(SettingsError, match=r"--map tsne: expected at least 10 sequences, found 9: take pca"):
        maps.project(rows[:9], "tsne")


@pytest.mark.parametrize("approximate", [False, True])
def test_neighbours_are_the_nearest_by_the_cosine(approximate: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if approximate:
        monkeypatch.setattr(maps, "APPROXIMATE_ABOVE", 10)
    rows = maps.directions(np.random.default_rng(0).normal(size=(60, 6)))
    rows[7] = rows[30]
    found = maps.neighbours(rows, 5)
    apart = 1 - rows.astype(np.float64) @ rows.T.astype(np.float64)
    np.fill_diagonal(apart, np.inf)
    expected = np.sort(apart, axis=1)[:, :5]
    assert found.distances == pytest.approx(expected, abs=1e-6)
    assert np.take_along_axis(apart, found.ids, axis=1) == pytest.approx(expected, abs=1e-6)
    assert (found.ids[7, 0], found.ids[30, 0], found.distances[7, 0]) == (30, 7, 0)
    assert found.ids.dtype == np.int32 and found.distances.dtype == np.float32


def test_more_equal_rows_than_neighbours_never_name_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "APPROXIMATE_ABOVE", 10)
    ids = maps.neighbours(np.ones((40, 4), np.float32) / 2, 3).ids
    assert ids.shape == (40, 3) and not (ids == np.arange(40)[:, None]).any()


def test_a_single_row_has_no_neighbours_and_no_cluster() -> None:
    assert maps.neighbours(np.ones((1, 3), np.float32)).ids.shape == (1, 0)
    assert maps.clusters(np.ones((3, 3), np.float32), 2) is None


def test_clusters_find_the_groups() -> None:
    rows, which = _blobs(30)
    found = maps.clusters(rows, 3)
    assert found is not None and len({*zip(found.tolist(), which.tolist(), strict=True)}) == 3


# ---- CSV files ---------------------------------------------------------------------------------------------------

WINDOWS = Items(["a", "a", "b"], ["x.bvh", "x.bvh", None], [0, 0, 0], [0.0, 1.0, 0.0], [1.0, 2.0, 3.0])


def test_columns_by_name_by_file_and_by_start(tmp_path: Path) -> None:
    file = tmp_path / "some.csv"
    file.write_text("name,label,confidence\nb,run,0.5\na,,\n", encoding="utf-8-sig")
    assert read_columns(file, WINDOWS, "data") == {
        "name": ["a", "a", "b"],
        "label": [None, None, "run"],
        "confidence": [None, None, "0.5"],
    }
    file.write_text("file,label\nx.bvh,walk\n")
    assert read_columns(file, WINDOWS, "data")["label"] == ["walk", "walk", None]
    file.write_text('name,person,start,cluster\n"a",0,1.000,3\n\n')
    assert read_columns(file, WINDOWS, "data")["cluster"] == [None, "3", None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the columns name and label, or name and cluster; found none"),
        ("name,class\na,b\n", "expected the columns name and label, or name and cluster; found name, class"),
        ("name,label,label\n", ":1: expected different columns, found name, label, label"),
        ("name,label\nb,x\nc,x\n", ":3: expected a sequence of data, found 'c'"),
        ("name,start,label\na,soon,x\n", ":2: expected a sequence of data, found 'a'"),
        ("name,label\nb,x,y\n", ":2: expected 2 values, found 3"),
        ("name,label\nb,x\nb,y\n", ":3: b: expected the label of line 2, 'x'; found 'y'"),
        ('name,label\n"b,x\n', ": expected a CSV file: unexpected end of data"),
        ("name,label\nb,\xff\n".encode("latin-1"), "expected a CSV file of UTF-8 text: invalid start byte at byte 13"),
    ],
)
def test_what_is_wrong_with_a_csv_file(text: str | bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "some.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DatasetError) as error:
        read_columns(file, WINDOWS, "data")
    assert message in str(error.value) and str(error.value).startswith(str(file)) and "\n" not in str(error.value)


def test_a_csv_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.csv: cannot be read: No such file or directory"):
        read_columns(tmp_path / "none.csv", WINDOWS, "data")


def test_labels_are_merged_into_their_file(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(
        "name,source,person,start,end,label\nother,,0,0,1,sit\na,,,,,walk\nb,,0,0.000,3.000,run\n", encoding="utf-8"
    )
    labels = Labels(file, WINDOWS)
    assert labels.given() == {0: "walk", 1: "walk", 2: "run"}
    assert labels.change({1: "jump, high", 2: None}) == 2
    assert labels.given() == {0: "walk", 1: "jump, high"}
    assert file.read_text(encoding="utf-8").splitlines() == [
        "name,source,person,start,end,label",
        "other,,0,0,1,sit",  # not on the map
        "a,x.bvh,0,0.000,1.000,walk",  # one line spoke of both windows
        'a,x.bvh,0,1.000,2.000,"jump, high"',
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]


def test_recordings_of_one_name_from_two_files_keep_labels_of_their_own(tmp_path: Path) -> None:
    items = Items(["walk", "walk"], ["anna/walk.bvh", "ben/walk.bvh"], [0, 0], [0.0, 0.0], [2.0, 2.0])
    labels = Labels(tmp_path / "labels.csv", items)
    assert labels.change({0: "slow"}) == 1
    assert labels.change({1: "fast"}) == 2
    assert labels.given() == {0: "slow", 1: "fast"}


def test_a_folder_that_takes_no_labels_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**where: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(DatasetError, match=r"labels\.csv: cannot be written: Read-only file system"):
        Labels.check(tmp_path / "labels.csv")


def test_a_file_of_other_columns_is_no_place_for_labels(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("name,label,confidence\nb,run,0.9\n")
    message = r"expected the columns name,source,person,start,end,label, to add labels to; found name,label,confidence"
    with pytest.raises(DatasetError, match=message):
        Labels(file, WINDOWS)
    for place in (tmp_path, tmp_path / "no" / "labels.csv"):
        with pytest.raises(DatasetError, match="expected a CSV file in a folder that is there"):
            Labels(place, WINDOWS)


# ---- a data set --------------------------------------------------------------------------------------------------


def test_a_data_set_as_the_page_sees_it(data: MotionDataset) -> None:
    view = pack(data.folder, map="pca")
    meta = view.meta
    items = meta["items"]
    assert (meta["format"], meta["kind"], meta["served"], meta["run"]) == (1, "dataset", False, None)
    assert (meta["title"], meta["total"]) == (data.name, 18)
    assert items["name"] == data.names and items["person"] == [0] * 18 and items["start"] == [0.0] * 18
    assert items["end"] == [round(length / 30, 3) for length in data.lengths]
    assert items["source"] == data.index["source"].tolist()
    assert meta["skeletons"] == [{"joints": list(data.skeleton.joint_names), "parents": list(data.skeleton.parents)}]
    assert [each["name"] for each in meta["colours"]] == ["label", "subject", "cluster"]
    label = meta["colours"][0]
    assert label["values"] == ["march", "squat", "wave"]
    assert [label["values"][code] for code in label["codes"]] == data.labels
    assert len(meta["colours"][2]["values"]) == 3  # as many clusters as classes
    assert meta["map"]["kind"] == "PCA" and meta["map"]["of"] == "coordinates"
    assert meta["labels"] == {"names": ["march", "squat", "wave"], "given": {}}
    ids = np.frombuffer(base64.b64decode(meta["neighbours"]["ids"]), "<i4").reshape(18, meta["neighbours"]["k"])
    assert meta["neighbours"]["k"] == 12 and (ids != np.arange(18)[:, None]).all()
    for sequence, motion in zip(data, unpacked(view), strict=True):
        root = sequence.positions[0, data.skeleton.root] * [1, 0, 1]
        assert np.abs(motion - 1000 * (sequence.positions[::2] - root)).max() <= 0.5 + 1e-3
    assert json.loads(json.dumps(meta, allow_nan=False)) == meta


def test_the_same_data_make_the_same_page(data: MotionDataset) -> None:
    assert pack(data.folder, map="pca").page == pack(data.folder, map="pca").page


def test_a_limit_is_spread_over_the_data_set(data: MotionDataset) -> None:
    view = pack(data.folder, map="pca", limit=5)
    meta = view.meta
    assert (meta["title"], meta["total"]) == (data.name, 18)
    assert view.summary == f"{data.name}: 5 of 18 sequences, PCA of coordinates"
    assert meta["items"]["name"] == [data.names[number] for number in (0, 4, 8, 13, 17)]


def test_a_column_of_the_data_set_colours_the_map(data: MotionDataset) -> None:
    colours = pack(data.folder, map="pca", colour="take").meta["colours"]
    assert [each["name"] for each in colours] == ["take", "label", "subject", "cluster"]
    assert colours[0]["values"] == ["0", "1"]
    with pytest.raises(SettingsError, match=r"unknown colour 'age': expected one of label, subject, cluster, .*take"):
        pack(data.folder, map="pca", colour="age")


def test_classes_are_in_the_order_that_people_count() -> None:
    assert PACK._categories("cluster", ["10", "2", None, "1", "b2", "b10"]) == {
        "name": "cluster",
        "values": ["1", "2", "10", "b2", "b10"],
        "codes": [2, 1, -1, 0, 3, 4],
    }


def test_what_is_too_large_for_a_page_gets_fewer_frames(data: MotionDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pack(data.folder, map="pca")
    size = len(whole.frames) * 4 // 3 + 250 * 18
    monkeypatch.setattr(PACK, "PAGE_BYTES", size // 2)
    half = pack(data.folder, map="pca")
    assert len(half.frames) < len(whole.frames) / 2
    assert 2 <= max(half.meta["items"]["length"]) < max(whole.meta["items"]["length"])
    for name in ("fps", "length"):  # it still lasts as long
        assert half.meta["items"][name][0] < whole.meta["items"][name][0]
    monkeypatch.setattr(PACK, "PAGE_BYTES", 5000)
    with pytest.raises(DatasetError, match=r"expected sequences that make a page of .* found 18 .* --limit"):
        pack(data.folder, map="pca")


def test_a_data_set_is_shown_without_pytorch(data: MotionDataset) -> None:
    code = (
        "import sys\nfrom motionprint.viewer import pack\n"
        f"pack({str(data.folder)!r}, map='pca')\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- CSV files beside a data set ----------------------------------------------------------------------------------


def test_labels_and_confidence_colour_a_map(data: MotionDataset, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    lines = [f"{name},{'dance' if n else 'wave'},{n / 20},{n < 2}" for n, name in enumerate(data.names[:10])]
    file.write_text("\n".join(["name,label,confidence,given", *lines]))
    view = pack(file, data=data.folder, map="pca")
    meta = view.meta
    assert (meta["kind"], meta["title"]) == ("labels", f"labels.csv on {data.name}")
    names = [each["name"] for each in meta["colours"]]
    assert names == ["label", "confidence", "given", "label of the data set", "subject", "cluster"]
    assert meta["colours"][0]["codes"] == [1, *[0] * 9, *[-1] * 8]
    assert meta["colours"][1]["numbers"] == [n / 20 for n in range(10)] + [None] * 8
    assert meta["colours"][2]["values"] == ["given", "predicted"]
    assert meta["labels"] == {"names": ["dance", "march", "squat", "wave"], "given": {"0": "wave", "1": "dance"}}
    other = pack(file, data=data.folder, map="pca", colour="name").meta["colours"][0]
    assert (other["name"], other["values"]) == ("name", sorted(data.names[:10]))
    beside = pack(data.folder, labels=file, map="pca", limit=2).meta
    assert beside["colours"][0]["codes"] == [0, -1] and beside["kind"] == "dataset"


def test_clusters_of_a_file_take_the_place_of_our_own(data: MotionDataset, tmp_path: Path) -> None:
    file = tmp_path / "clusters.csv"
    table = pd.DataFrame({"name": data.names, "label": data.labels, "cluster": [n % 12 for n in range(18)]})
    table.to_csv(file, index=False)
    meta = pack(file, data=data.folder, map="pca", colour="cluster").meta
    assert [each["name"] for each in meta["colours"]] == ["cluster", "label", "subject"]
    assert meta["colours"][0]["values"] == [str(n) for n in range(12)]
    assert meta["labels"]["given"] == {}


def test_options_out_of_place(data: MotionDataset, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("name,label\n")
    for arguments, message in (
        ({"path": file}, r"labels\.csv: expected the data set that it belongs to: say --data DATASET"),
        ({"path": file, "data": data.folder, "labels": file}, r"is a CSV file itself: expected no --labels"),
        ({"path": data.folder, "data": data.folder}, r"is a data set itself: expected no --data"),
        ({"path": run, "run": run}, r"is a run itself: expected no --run"),
        ({"path": data.folder, "map": "som"}, r"unknown map 'som': expected one of auto, umap, tsne, pca"),
        ({"path": data.folder, "limit": 0}, r"expected a limit of 1 or more, found 0"),
    ):
        with pytest.raises(SettingsError, match=message):
            pack(**arguments)  # type: ignore[arg-type]


# ---- a run -------------------------------------------------------------------------------------------------------


def test_a_run_shows_its_losses_and_what_it_inpaints(data: MotionDataset, run: Path) -> None:
    meta = pack(run, map="pca").meta
    assert (meta["kind"], meta["map"]["of"]) == ("run", f"prints of {run} (states)")
    assert set(meta["run"]["losses"]) == {"step", "encoder", "decoder", "discriminator"}
    assert meta["run"]["losses"]["step"] == [2.0]
    facts = dict(meta["run"]["facts"])
    assert (facts["method"], facts["steps"], facts["protocol"]) == ("inpainting", "2", "kfold:2")
    shown = meta["run"]["inpainted"]
    assert len(shown) == 8 and "left arm hidden" in shown[0]["name"] and "left leg and right leg" in shown[7]["name"]
    fitted = json.loads((run / "config.json").read_text())["fitted"]
    held_out = {name for name, sha in zip(data.names, data.sha256, strict=True) if sha not in fitted}
    assert {each["name"].split(", ")[0] for each in shown} <= held_out
    first = shown[0]
    joints = len(data.skeleton)
    original, made = (
        np.frombuffer(base64.b64decode(first[key]), "<i2").reshape(first["length"], joints, 3)
        for key in ("original", "inpainted")
    )
    hidden = np.unpackbits(np.frombuffer(base64.b64decode(first["hidden"]), np.uint8), bitorder="little")
    mask = hidden[: first["length"] * joints].reshape(first["length"], joints).astype(bool)
    assert not mask[0].any() and mask[1:].any(axis=0).nonzero()[0].tolist() == list(data.skeleton.body_parts[0])
    assert original[..., 1].min() == 0 and made.shape == original.shape
    assert first["fps"] == pytest.approx(15.0, abs=0.5)


def test_prints_of_a_run_make_the_map_of_a_data_set(data: MotionDataset, run: Path) -> None:
    meta = pack(data.folder, run=run, map="pca").meta
    assert meta["map"]["of"] == f"prints of {run} (states)" and meta["run"] is None and meta["kind"] == "dataset"


def test_a_method_that_does_not_inpaint_shows_losses(data: MotionDataset, tmp_path: Path) -> None:
    changes = {"encoder_units": 8, "decoder_units": 8, "batch_size": 8}
    pretrain(data, tmp_path / "run", method="autoencoder", changes=changes, steps=2, device="cpu")
    meta = pack(tmp_path / "run", data=data.folder, map="pca").meta
    assert meta["run"]["inpainted"] == [] and set(meta["run"]["losses"]) > {"step"}
    assert dict(meta["run"]["facts"])["protocol"] == "none: fitted on everything"


def test_a_run_whose_data_set_is_gone_or_another(data: MotionDataset, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    message = (
        r"run: expected to find \S+, which it was trained on, but it is no longer where it was: say --data DATASET"
    )
    with pytest.raises(DatasetError, match=message):
        pack(tmp_path / "run", map="pca")
    write_dataset(tmp_path / "data", list(data)[:4])
    with pytest.raises(DatasetError, match=r"but .*data holds other recordings: say --data DATASET"):
        pack(tmp_path / "run", map="pca")
    meta = pack(tmp_path / "run", data=tmp_path / "data", map="pca").meta
    assert meta["items"]["name"] == data.names[:4]


def test_a_data_set_of_another_skeleton_than_the_run(run: Path, tmp_path: Path) -> None:
    positions = np.random.default_rng(0).normal(size=(9, 20, 3)).astype(np.float32)
    other = write_dataset(tmp_path / "data", [SkeletonSequence(positions, 15.0, SKELETONS["kinect20"], "a")])
    with pytest.raises(SkeletonMismatchError, match=r"data: expected the skeleton of 16 joints, found 20 joints"):
        pack(other.folder, run=run)


def test_a_command_of_words_that_no_file_can_be_called(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    (tmp_path / "run" / "config.json").write_text(json.dumps({**config, "command": "motionprint " + 5000 * "x"}))
    with pytest.raises(DatasetError, match=r"it is no longer where it was: say --data DATASET"):
        pack(tmp_path / "run", map="pca")


def test_a_model_that_comes_with_motionprint_is_viewed_by_name(data: MotionDataset, tmp_path: Path) -> None:
    from motionprint.rigs import map_to

    body = write_dataset(tmp_path / "body14", [map_to(each, SKELETONS["body14"], allow_missing=True) for each in data])
    meta = pack("motionprint:cmu-small", data=body.folder, map="pca").meta
    assert (meta["kind"], meta["title"]) == ("run", "motionprint:cmu-small on body14")
    assert ["run", "motionprint:cmu-small"] in meta["run"]["facts"] and len(meta["run"]["losses"]["step"]) == 100
    with pytest.raises(SkeletonMismatchError, match=r"prepare --map-to body14 \(map_to=\) brings recordings onto"):
        pack(data.folder, run="motionprint:cmu-small")
    with pytest.raises(DatasetError, match=r"which it was trained on, .*: say --data DATASET"):
        pack("motionprint:cmu-small")
    with pytest.raises(CheckpointError, match=r"motionprint:none: expected a model that comes with motionprint"):
        pack("motionprint:none")


@pytest.mark.parametrize("log", [None, "", "time,loss\n1,2\n", "step,a\n1,x\n"])
def test_a_log_that_is_none(log: str | None, data: MotionDataset, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "log.csv").unlink()
    if log is not None:
        (tmp_path / "run" / "log.csv").write_text(log)
    with pytest.raises(
        DatasetError, match=r"log\.csv:(2:)? (cannot be read: No such file|expected a (first column step|num))"
    ):
        pack(tmp_path / "run", data=data.folder, map="pca")


def test_lines_of_a_log_that_were_cut_are_left_out(tmp_path: Path) -> None:
    from motionprint.viewer.trained import read_losses

    (tmp_path / "log.csv").write_text("step,epoch,seconds,a,a_gradient,v\n1,0,0,0.5,9,\n2,0,0,nan,9,0.25\n3,0,0,0.1")
    assert read_losses(tmp_path) == {"step": [1.0, 2.0], "a": [0.5, None], "v": [None, 0.25]}


def test_a_long_log_is_shown_in_two_thousand_lines_at_most(tmp_path: Path) -> None:
    from motionprint.viewer.trained import read_losses

    for count, every in ((2000, 1), (2001, 2), (6000, 3)):
        (tmp_path / "log.csv").write_text("step,a\n" + "".join(f"{step},0.5\n" for step in range(count)))
        assert read_losses(tmp_path)["step"] == list(range(0, count, every))


# ---- an index ----------------------------------------------------------------------------------------------------


def test_an_index_shows_windows_of_recordings(run: Path, takes: Path, data: MotionDataset, tmp_path: Path) -> None:
    search = pytest.importorskip("motionprint.search", reason="this version has no search")
    from motionprint.training import load_run

    shutil.copytree(takes, tmp_path / "takes")
    sources = [tmp_path / "takes", data.folder]
    search.build_index(load_run(run), sources, tmp_path / "index", window=0.5, stride=0.5)
    view = pack(tmp_path / "index", map="pca")
    items = view.meta["items"]
    assert view.meta["kind"] == "index" and len(view.items) == 2 * 18 * 3
    assert view.meta["map"]["of"] == "prints of run (states)"
    assert [each["name"] for each in view.meta["colours"]] == ["label", "subject", "cluster"]
    assert items["start"][:3] == [0.0, 0.5, 1.0] and items["end"][:3] == [0.5, 1.0, 1.5]
    motions = unpacked(view)
    for number in (1, 18 * 3 + 1):  # of a file, and of the data set
        whole = next(each for each in data if each.name == items["name"][number])
        part = whole.positions[15:30:2]
        root = part[0, data.skeleton.root] * [1, 0, 1]
        assert np.abs(motions[number] - 1000 * (part - root)).max() <= 0.5 + 1e-3
    assert len(pack(tmp_path / "index", map="pca", limit=7).items) == 7
    with pytest.raises(SettingsError, match=r"is an index, which holds its prints: expected no --run"):
        pack(tmp_path / "index", run=run)
    shutil.rmtree(tmp_path / "takes")
    with pytest.raises(DatasetError, match=r"index: a recording in it cannot be read again: .*found no such file"):
        pack(tmp_path / "index", map="pca")


# ---- what is nothing to view -------------------------------------------------------------------------------------


def test_paths_that_are_nothing_to_view(tmp_path: Path) -> None:
    (tmp_path / "walk.bvh").write_text("HIERARCHY")
    for path, found in (("none", "nothing"), (".", "a folder that is none"), ("walk.bvh", "another file")):
        message = f"expected a data set, a run, an index, or a CSV file of labels; found {found}"
        with pytest.raises(DatasetError, match=message):
            pack(tmp_path / path)


@pytest.mark.parametrize("name", ["positions.npy", "index.parquet", "skeleton.json", "protocols.json", "prepare.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_data_set_of_which_a_file_is_damaged(name: str, damage: str, data: MotionDataset, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data.folder, folder)
    if damage == "gone":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes((folder / name).read_bytes()[:-3])
    with pytest.raises(DatasetError) as error:
        pack(folder)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_an_empty_data_set(data: MotionDataset, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data.folder, folder)
    np.save(folder / "positions.npy", np.zeros((0, len(data.skeleton), 3), np.float32))
    data.index.iloc[:0].to_parquet(folder / "index.parquet")
    (folder / "protocols.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"data: expected at least one sequence, found none"):
        pack(folder)


def test_a_single_sequence_without_names_of_parts(tmp_path: Path) -> None:
    skeleton = Skeleton(("a", "b"), (-1, 0))
    positions = np.array([[[0, 1, 0], [0, 2, 0]]] * 3, np.float32)
    folder = write_dataset(tmp_path / "data", [SkeletonSequence(positions, 15.0, skeleton, "only")]).folder
    view = pack(folder)
    assert view.meta["map"]["x"] == [0.5] and view.meta["neighbours"] == {"k": 0, "ids": "", "distances": ""}
    assert view.meta["colours"] == []
    assert unpacked(view)[0].tolist() == [[[0, 1000, 0], [0, 2000, 0]]] * 3


# ---- the page ----------------------------------------------------------------------------------------------------


class _Tags(HTMLParser):
    """The tags of a page, and what is in its elements with an id."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=False)
        self.tags: list[str] = []
        self.texts: dict[str, str] = {}
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._inside = dict(attrs).get("id") or tag

    def handle_data(self, data: str) -> None:
        self.texts[self._inside] = self.texts.get(self._inside, "") + data


def test_no_name_leaves_its_place_in_the_page() -> None:
    meta = {"names": ["</script><script>alert(1)</script>", "<!-- js -->", "<!--<script>", "\u2028é\\u003c&lt;"]}
    found = _Tags(build(meta, b"\x00\xff"))
    assert found.tags == ["style", "script", "script", "script"]
    assert json.loads(found.texts["meta"]) == meta
    assert base64.b64decode(found.texts["frames"]) == b"\x00\xff"
    assert found.texts["script"] == "// script" and found.texts["style"] == "/* <!-- js --> */"


def test_the_page_on_the_viewer_says_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    benchmark = importlib.import_module("view")
    page = (REPOSITORY / "docs" / "viewer.md").read_text(encoding="utf-8").splitlines()
    text = (REPOSITORY / "benchmarks" / "figures" / "view.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    assert max(row["sequences"] for row in rows) == 10_000
    for row in rows:
        assert benchmark.line(row) in page
        assert row["page_mb"] * 1e6 <= PACK.PAGE_BYTES
        assert row["commit"] and not row["commit"].endswith("-dirty")


def test_tiled_recordings_are_as_many_as_wanted_and_differ(
    data: MotionDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    benchmark = importlib.import_module("view")
    made = list(benchmark.tiled(data, 20, 0))
    assert len({each.name for each in made}) == 20
    assert 0 < np.abs(made[18].positions - made[0].positions).max() < 0.1
    assert (made[18].label, len(made[18])) == (data[0].label, len(data[0]))


# ---- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def invoke(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[Any, str, str]]:
    def call(*arguments: object) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["view", *map(str, arguments), "--quiet"])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return call


def test_a_page_is_written_and_not_overwritten_unasked(
    invoke: Callable[..., tuple[Any, str, str]], data: MotionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    status, out, _ = invoke(data.folder, "--map", "pca")
    assert status == 0 and opened == []
    assert re.fullmatch(r"view\.html: \S+: 18 sequences, PCA of coordinates, \d\.\d MB\n", out)
    assert json.loads(_Tags((tmp_path / "view.html").read_text(encoding="utf-8")).texts["meta"])["format"] == 1
    status, _, err = invoke(data.folder, "--map", "pca")
    assert (status, err) == (1, "motionprint: view.html: exists; --overwrite replaces it\n")
    assert invoke(data.folder, "--map", "pca", "--overwrite", "--open")[0] == 0
    assert opened == [(tmp_path / "view.html").as_uri()]


def test_nothing_is_left_of_a_page_that_failed(
    invoke: Callable[..., tuple[Any, str, str]], data: MotionDataset, tmp_path: Path
) -> None:
    status, _, err = invoke(data.folder, "--colour", "age", "--map", "pca", "--out", tmp_path / "page.html")
    assert status == 1 and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_for_a_page(
    invoke: Callable[..., tuple[Any, str, str]], data: MotionDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EFBIG, "File too large")

    page = pack(data.folder, map="pca")
    monkeypatch.setattr("motionprint.viewer.pack", lambda *_, **__: page)
    monkeypatch.setattr(Path, "write_text", refuse)
    status, _, err = invoke(data.folder, "--out", tmp_path / "page.html")
    assert (status, err.splitlines()[-1]) == (
        1,
        f"motionprint: {tmp_path / 'page.html'}: cannot be written: File too large; make room",
    )
    assert list(tmp_path.iterdir()) == []


def test_usage(invoke: Callable[..., tuple[Any, str, str]], tmp_path: Path) -> None:
    for arguments in (["--port", "1"], ["--save", "x.csv"], ["--serve", "--out", "x.html"], ["--serve", "--overwrite"]):
        assert invoke(tmp_path, *arguments)[0] == 2


def test_the_largest_page_is_as_large_as_the_documentation_says() -> None:
    page = (REPOSITORY / "docs" / "viewer.md").read_text(encoding="utf-8")
    for said in (f"{PACK.MOST_FRAMES} frames", f"{PACK.PAGE_BYTES // 10**6} MB", f"{PACK.LIMIT:,} sequences"):
        assert said in page
