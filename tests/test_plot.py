"""`plot` and films: what is drawn of what, how long and how large it is, and what is refused."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageSequence

from motionprint.cli import main
from motionprint.corpora.synthetic import _perform
from motionprint.errors import MotionprintError, SettingsError
from motionprint.evaluation.rows import KEYS
from motionprint.pictures import (
    KINDS,
    accuracy_bars,
    confusion,
    motion_film,
    motion_strips,
    plot,
    training_curves,
    trajectories,
)
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.store import write_dataset
from motionprint.writers import write

BLUE, ORANGE = (0, 114, 178), (213, 94, 0)


@pytest.fixture(scope="module")
def wave() -> SkeletonSequence:
    return replace(_perform(0, "wave", 6, 1), name="wave", person=0)


@pytest.fixture(scope="module")
def walk() -> SkeletonSequence:
    return replace(_perform(0, "walk", 6, 1), name="walk", person=0)


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory, wave: SkeletonSequence, walk: SkeletonSequence) -> Path:
    """A folder of two motion files."""
    folder = tmp_path_factory.mktemp("takes")
    write(wave, folder / "wave.bvh")
    write(walk, folder / "walk.bvh")
    return folder


def _frames(path: Path) -> list[npt.NDArray[np.uint8]]:
    with Image.open(path) as film:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)]


def _seconds(path: Path) -> float:
    with Image.open(path) as film:
        return sum(frame.info["duration"] for frame in ImageSequence.Iterator(film)) / 1000


def _png_size(path: Path) -> tuple[int, int]:
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    return int(width), int(height)


def _where(frame: npt.NDArray[np.uint8], colour: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    """The middle of the pixels near a colour: down, right."""
    near = np.abs(frame.astype(int) - colour).sum(axis=2) < 60
    assert near.any()
    return np.argwhere(near).mean(axis=0)


# ---- films -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fps", "frames_a_second"), [(15.0, 100 / 7), (30.0, 25.0), (120.0, 25.0), (5.0, 5.0)])
def test_a_gif_lasts_as_long_as_the_recording(
    fps: float, frames_a_second: float, wave: SkeletonSequence, tmp_path: Path
) -> None:
    recording = replace(wave, positions=wave.positions[:40], fps=fps)
    motion_film(recording, tmp_path / "wave.gif")
    frames = _frames(tmp_path / "wave.gif")
    assert abs(_seconds(tmp_path / "wave.gif") - recording.duration) <= 1 / frames_a_second
    assert len(frames) == pytest.approx(recording.duration * frames_a_second, abs=1)
    with Image.open(tmp_path / "wave.gif") as film:
        assert film.info["loop"] == 0  # for ever


def test_a_film_is_of_a_sensible_size_and_the_same_each_time(walk: SkeletonSequence, tmp_path: Path) -> None:
    for name in ("one.gif", "two.gif"):
        motion_film(walk, tmp_path / name)
    assert (tmp_path / "one.gif").read_bytes() == (tmp_path / "two.gif").read_bytes()
    assert (tmp_path / "one.gif").stat().st_size < 1_000_000
    frames = _frames(tmp_path / "one.gif")
    height, width, _ = frames[0].shape
    assert 200 <= width <= 640 and 100 <= height <= 400 and width % 2 == height % 2 == 0
    assert {frame.shape for frame in frames} == {frames[0].shape}
    assert (frames[0][0, 0] == 255).all()  # white is white


def test_the_body_begins_facing_the_viewer_wherever_it_looked(walk: SkeletonSequence, tmp_path: Path) -> None:
    turn = np.array([[0.6, 0, 0.8], [0, 1, 0], [-0.8, 0, 0.6]], dtype=np.float32)
    turned = replace(walk, positions=walk.positions @ turn.T + np.float32(3.0))
    motion_film(walk, tmp_path / "here.gif")
    motion_film(turned, tmp_path / "there.gif")
    here, there = _frames(tmp_path / "here.gif"), _frames(tmp_path / "there.gif")
    assert len(here) == len(there)
    left, right = _where(here[0], BLUE), _where(here[0], ORANGE)
    assert left[1] > right[1]  # who faces the viewer has the left side on the right
    np.testing.assert_allclose(_where(there[0], BLUE), left, atol=3)  # floor lines may lie elsewhere, the body does not
    first, last = (np.argwhere(np.abs(frame.astype(int) - BLUE).sum(axis=2) < 60) for frame in (here[0], here[-1]))
    assert last.max(axis=0)[0] > first.max(axis=0)[0]  # walking forwards is walking towards the viewer: down


def test_a_file_in_a_wrong_unit_gives_the_same_film(walk: SkeletonSequence, tmp_path: Path) -> None:
    motion_film(walk, tmp_path / "m.gif")
    motion_film(replace(walk, positions=walk.positions * np.float32(1000)), tmp_path / "mm.gif")
    one, other = _frames(tmp_path / "m.gif"), _frames(tmp_path / "mm.gif")
    assert one[0].shape == other[0].shape
    np.testing.assert_allclose(_where(one[-1], ORANGE), _where(other[-1], ORANGE), atol=1)


def test_missing_joints_and_wild_values_are_survived(wave: SkeletonSequence, tmp_path: Path) -> None:
    positions = wave.positions[:30].copy()
    positions[:10, SKELETONS["cmu31"].body_parts[0]] = np.nan
    positions[12, 5] = 1000.0
    motion_film(replace(wave, positions=positions), tmp_path / "wave.gif")
    frames = _frames(tmp_path / "wave.gif")
    tall = [np.flatnonzero((np.abs(frame.astype(int) - BLUE).sum(axis=2) < 60).any(axis=1)) for frame in frames]
    assert max(np.ptp(rows) for rows in tall) > frames[0].shape[0] / 3  # the camera has not gone 1000 m away


def test_a_removed_root_still_stands_on_the_floor(tmp_path: Path) -> None:
    squat = replace(_perform(0, "squat", 0, 1), name="squat")
    removed = replace(squat, positions=squat.positions - squat.positions[:, :1])
    motion_film(removed, tmp_path / "squat.gif")
    lowest = []
    for frame in _frames(tmp_path / "squat.gif"):
        body = np.abs(frame.astype(int) - ORANGE).sum(axis=2) < 60
        lowest.append(np.flatnonzero(body.any(axis=1)).max())
    assert np.ptp(lowest) <= 8  # pixels, of a body of some 300


def test_markers_that_nothing_joins_are_points(tmp_path: Path) -> None:
    cloud = Skeleton.from_tree([f"m{number}" for number in range(9)], [-1, *[0] * 8])
    corners = np.array([[0, 0, 0], *[(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]], dtype=np.float32)
    markers = SkeletonSequence(np.repeat(corners[None], 3, axis=0), fps=30, skeleton=cloud, name="markers")
    motion_film(markers, tmp_path / "points.gif")
    [frame] = _frames(tmp_path / "points.gif")[:1]
    dark = (frame.astype(int).sum(axis=2) < 250).sum()
    assert 8 * 9 < dark < 8 * 80  # of eight points, one of them twice; lines between them would be thousands
    strip = tmp_path / "points.svg"
    motion_strips([markers], strip, columns=2)
    assert 'id="PathCollection_' in strip.read_text(encoding="utf-8")
    assert 'id="LineCollection_' not in strip.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        ({}, "a.png", r"^.*a\.png: expected a film's name to end in one of \.gif, \.mp4$"),
        ({"fps": 1.0}, "a.gif", r"^wave: expected at most 60 s for a film in GIF, found \d+\.\d s: --from and --to"),
        ({"fps": 0.1}, "a.mp4", r"^wave: expected at most 600 s for a film in MP4, found"),
        (
            {"positions": np.full((4, 31, 3), np.nan)},
            "a.gif",
            r"^wave: picture: expected positions to draw, found only",
        ),
    ],
)
def test_films_that_are_refused(
    change: dict[str, Any], name: str, message: str, wave: SkeletonSequence, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        motion_film(replace(wave, **change), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_mp4_can_be_read(wave: SkeletonSequence, tmp_path: Path) -> None:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    recording = replace(wave, positions=wave.positions[:60], fps=60.0)
    motion_film(recording, tmp_path / "wave.mp4")
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(tmp_path / "wave.mp4")]
    done = subprocess.run([*ffmpeg, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True)
    stream = re.search(r"Video: h264.*yuv420p.* (\d+)x(\d+).* 30 fps", done.stderr.decode())
    assert stream is not None
    width, height = int(stream[1]), int(stream[2])
    assert width <= 640 and height <= 400
    pictures = np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)
    assert len(pictures) == 30
    _where(pictures[0], ORANGE)


def test_without_imageio_ffmpeg_a_line_says_what_to_install(
    wave: SkeletonSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(SettingsError, match=r"^picture: expected the package imageio-ffmpeg .* or write a \.gif$"):
        motion_film(wave, tmp_path / "wave.mp4")
    assert not list(tmp_path.iterdir())


# ---- trajectories and charts -------------------------------------------------------------------------------------


def test_trajectories_are_of_hands_and_feet_by_the_rigs_own_names(walk: SkeletonSequence, tmp_path: Path) -> None:
    trajectories(walk, tmp_path / "walk.svg", title="a walk", start=2.0)
    text = (tmp_path / "walk.svg").read_text(encoding="utf-8")
    for label in (
        "root",
        "lradius",
        "rradius",
        "ltibia",
        "rtibia",
        "from above: root",
        "time, s",
        "a walk",
        "y (up), m",
    ):
        assert f"<!-- {label} -->" in text
    trajectories(walk, tmp_path / "one.svg", joints=["lhand"])
    text = (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert "<!-- lhand -->" in text and "<!-- rradius -->" not in text


def test_trajectories_of_what_has_no_hands(tmp_path: Path) -> None:
    chain = Skeleton.from_tree(["j0", "j1", "j2"], [-1, 0, 1])
    marker = SkeletonSequence(np.random.default_rng(0).normal(size=(9, 3, 3)), fps=30, skeleton=chain, name="chain")
    trajectories(marker, tmp_path / "chain.svg")
    assert "<!-- j2 -->" in (tmp_path / "chain.svg").read_text(encoding="utf-8")
    with pytest.raises(SettingsError, match=r"^chain: unknown joint 'hand': expected some of j0, j1, j2$"):
        trajectories(marker, tmp_path / "chain.png", joints=["hand"])
    lost = replace(marker, positions=np.full((9, 3, 3), np.nan))
    with pytest.raises(SettingsError, match=r"^chain: picture: expected positions to draw, found only missing values$"):
        trajectories(lost, tmp_path / "lost.png")


def test_too_many_joints_are_refused(walk: SkeletonSequence, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected at most 12 joints, found 31"):
        trajectories(walk, tmp_path / "walk.png", joints=walk.skeleton.joint_names)


def _row(**values: Any) -> dict[str, Any]:
    row = dict.fromkeys(KEYS) | {
        "dataset": "toy", "protocol": "cross-subject", "fold": 0, "sampling": 0, "method": "raw", "task": "linear",
        "metric": "accuracy", "value": 0.5, "seed": 0, "transductive": False,
    }  # fmt: skip
    return row | values


def test_bars_are_means_over_folds(tmp_path: Path) -> None:
    rows = [_row(value=0.4), _row(value=0.6), _row(value=0.9, task="knn1"), _row(value=0.1, labels_per_class=1)]
    rows += [_row(value=0.75, method="inpainting", features="states"), _row(value=0.3, metric="nmi", task="ward")]
    accuracy_bars(rows, tmp_path / "bars.svg")
    text = (tmp_path / "bars.svg").read_text(encoding="utf-8")
    for label in ("50.0", "90.0", "75.0", "raw coordinates", "inpainting, states", "knn1", "toy, cross-subject"):
        assert f"<!-- {label} -->" in text
    assert "10.0" not in text and "ward" not in text
    with pytest.raises(SettingsError, match="expected rows of metric accuracy and all labels, found none"):
        accuracy_bars([_row(metric="nmi")], tmp_path / "none.png")
    with pytest.raises(SettingsError, match="expected rows of one dataset, found other, toy"):
        accuracy_bars([_row(), _row(dataset="other")], tmp_path / "none.png")


def test_a_confusion_matrix_says_shares(tmp_path: Path) -> None:
    confusion([("run", "run")] * 3 + [("run", "walk"), ("walk", "walk")], tmp_path / "c.svg", title="toy")
    text = (tmp_path / "c.svg").read_text(encoding="utf-8")
    for label in ("75", "25", "100", "run (4)", "walk (1)", "toy: 80.0 % right"):
        assert f"<!-- {label} -->" in text
    with pytest.raises(SettingsError, match="expected recordings with label and prediction, found none"):
        confusion([], tmp_path / "c.png")


def test_training_curves_need_two_lines(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected a log of at least two lines, found 1"):
        training_curves({"step": [1.0], "encoder": [2.0]}, tmp_path / "c.png")


# ---- plot --------------------------------------------------------------------------------------------------------


def test_every_kind_is_of_something() -> None:
    from motionprint.pictures.plot import _OF

    assert {kind for kinds in _OF.values() for kind in kinds} == set(KINDS)


def test_a_file_becomes_a_strip_or_a_film_by_the_name(takes: Path, tmp_path: Path) -> None:
    assert plot(takes / "wave.bvh", tmp_path / "a.png") == "strip"
    assert plot(takes / "wave.bvh", tmp_path / "a.gif", start=0.5, end=1.5) == "film"
    assert _seconds(tmp_path / "a.gif") == pytest.approx(1.0, abs=0.04)
    assert plot(takes / "wave.bvh", tmp_path / "b.pdf", kind="trajectories") == "trajectories"
    assert (tmp_path / "b.pdf").read_bytes()[:5] == b"%PDF-"


def test_a_folder_is_a_row_a_recording(takes: Path, tmp_path: Path) -> None:
    plot(takes, tmp_path / "both.png")
    plot(takes, tmp_path / "one.png", names=["walk"])
    assert _png_size(tmp_path / "both.png")[1] > 1.8 * _png_size(tmp_path / "one.png")[1]
    with pytest.raises(
        SettingsError, match=r"expected at most 1 recording for a film, found more \(walk, wave\): --name"
    ):
        plot(takes, tmp_path / "both.gif")


def test_a_data_set_is_drawn_by_name(wave: SkeletonSequence, walk: SkeletonSequence, tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", [wave, walk])
    assert plot(tmp_path / "data", tmp_path / "walk.svg", names=["walk"]) == "strip"
    text = (tmp_path / "walk.svg").read_text(encoding="utf-8")
    assert "<!-- walk -->" in text and "<!-- wave -->" not in text
    with pytest.raises(MotionprintError, match=r"data: expected the recording 'dive', found wave, walk$"):
        plot(tmp_path / "data", tmp_path / "dive.png", names=["dive"])


def test_rows_become_a_label_curve_or_bars(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(_row()) + "\n", encoding="utf-8")
    assert plot(file, tmp_path / "bars.png") == "bars"
    file.write_text("".join(json.dumps(_row(labels_per_class=n)) + "\n" for n in (1, 2, None)), encoding="utf-8")
    assert plot(file, tmp_path / "labels.png") == "labels"
    assert plot(file, tmp_path / "again.png", kind="bars") == "bars"


def test_predictions_become_a_confusion_matrix(tmp_path: Path) -> None:
    file = tmp_path / "predictions.csv"
    file.write_text("name,label,predicted\na,run,run\nb,walk,run\n", encoding="utf-8")
    assert plot(file, tmp_path / "c.svg") == "confusion"
    assert "<!-- predictions: 50.0 % right -->" in (tmp_path / "c.svg").read_text(encoding="utf-8")


def test_a_run_becomes_its_curves_and_a_supervised_one_its_confusion_matrix(tmp_path: Path) -> None:
    from motionprint.training import train

    actions = [("wave", 0), ("walk", 1)]
    sequences = [
        replace(_perform(0, action, subject, take), name=f"{action}{subject}{take}", subject=str(subject), label=action)
        for action, _ in actions
        for subject in (0, 1)
        for take in (1, 2)
    ]
    split = {"train": [each.name for each in sequences if each.subject == "0"]}
    split["test"] = [each.name for each in sequences if each.subject == "1"]
    data = write_dataset(tmp_path / "data", sequences, protocols={"own": [split]})
    settings = {"encoder_units": 4, "layers": 1, "log_every": 1, "validation": 0.0}
    train(data, tmp_path / "run", protocol="own", steps=3, changes=settings, device="cpu")
    assert plot(tmp_path / "run", tmp_path / "curves.svg") == "curves"
    assert "<!-- gradient norm -->" in (tmp_path / "curves.svg").read_text(encoding="utf-8")
    with (tmp_path / "run" / "log.csv").open("a", encoding="utf-8") as log:
        log.write("4,1.0")  # as training leaves it for a moment
    assert plot(tmp_path / "run", tmp_path / "meanwhile.svg") == "curves"
    assert (tmp_path / "meanwhile.svg").read_bytes() == (tmp_path / "curves.svg").read_bytes()
    assert plot(tmp_path / "run", tmp_path / "c.svg", dataset=tmp_path / "data") == "confusion"
    text = (tmp_path / "c.svg").read_text(encoding="utf-8")
    assert re.search(r"<!-- softmax on data, own: (0|25|50|75|100)\.0 % right -->", text)
    assert "<!-- wave (2) -->" in text and "<!-- walk (2) -->" in text
    with pytest.raises(MotionprintError, match="expected --data"):
        plot(tmp_path / "run", tmp_path / "d.png", kind="confusion")
    train(data, tmp_path / "all", steps=1, changes=settings, device="cpu")
    with pytest.raises(MotionprintError, match="expected a run of a protocol, found one that was fitted on everything"):
        plot(tmp_path / "all", tmp_path / "d.png", dataset=tmp_path / "data")


@pytest.mark.parametrize(
    ("source", "out", "more", "message"),
    [
        ("wave.bvh", "a.bmp", {}, r"a\.bmp: expected a name that ends in one of \.png, \.svg, \.pdf, \.gif, \.mp4$"),
        ("wave.bvh", "a.png", {"kind": "film"}, r"a\.png: expected a name that ends in one of \.gif, \.mp4 for film$"),
        ("wave.bvh", "a.gif", {"kind": "strip"}, r"expected a name that ends in one of \.png, \.svg, \.pdf for strip$"),
        (
            "wave.bvh",
            "a.png",
            {"kind": "curves"},
            r"expected of motion one of strip, trajectories, film, found curves$",
        ),
        (
            "wave.bvh",
            "a.png",
            {"start": 2.0, "end": 1.0},
            r"^wave: expected --from before --to within .*found 2 s to 1 s$",
        ),
        ("wave.bvh", "a.png", {"start": 900.0}, r"found 900 s to the end$"),
        ("wave.bvh", "a.png", {"start": float("inf")}, r"found inf s to the end$"),
        ("wave.bvh", "a.png", {"end": float("nan")}, r"found the beginning to nan s$"),
        ("wave.bvh", "a.png", {"joints": ["Hips"]}, r"wave\.bvh: expected trajectories with --joints, found strip$"),
        ("rows.jsonl", "a.png", {"joints": ["Hips"]}, r"expected trajectories with --joints, found rows$"),
        ("wave.bvh", "a.png", {"dataset": "x"}, r"expected a run with --data, found motion$"),
        ("wave.bvh", "a.png", {"names": ["no"]}, r"expected the recording 'no', found wave$"),
        ("rows.jsonl", "a.png", {"start": 1.0}, r"expected motion with --name, --from and --to, found rows$"),
        ("rows.jsonl", "a.gif", {}, r"for rows$"),
        ("nothing.bvh", "a.png", {}, r"nothing\.bvh: expected a motion file, found nothing$"),
    ],
)
def test_what_plot_refuses(
    source: str, out: str, more: dict[str, Any], message: str, takes: Path, tmp_path: Path
) -> None:
    with pytest.raises(MotionprintError, match=message):
        plot(takes / source, tmp_path / out, **more)
    assert not list(tmp_path.iterdir())


def test_an_existing_picture_is_kept_unless_told(takes: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("mine")
    with pytest.raises(MotionprintError, match="--overwrite"):
        plot(takes / "wave.bvh", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_text() == "mine"
    plot(takes / "wave.bvh", tmp_path / "a.png", overwrite=True)
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_films_by_flag(takes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    take = str(takes / "wave.bvh")

    def status(*words: str) -> int:
        with pytest.raises(SystemExit) as stop:
            main(["plot", take, *words, "--to", "0.3", "--quiet"])
        return int(str(stop.value.code))

    assert status("--gif") == 0  # named after the recording, here
    assert status("--gif", "named.gif") == 0
    assert status("--out", "out.gif", "--gif") == 0
    assert {path.name for path in tmp_path.iterdir()} == {"wave.gif", "named.gif", "out.gif"}
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert status("--gif") == 1  # it is there


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "Missing option '--out'"),
        (["--gif", "--mp4"], "one at a time"),
        (["--gif", "a.gif", "--out", "b.gif"], "--out and --gif a.gif are two names"),
        (["--gif", "a.mp4"], "a.mp4: expected a name that ends in .gif, as --gif says"),
        (["--mp4", "--out", "b.png"], "b.png: expected a name that ends in .mp4, as --mp4 says"),
    ],
)
def test_films_by_flag_need_one_name(
    words: list[str], error: str, takes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["plot", str(takes / "wave.bvh"), *words])
    assert stop.value.code == 2 and error in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
