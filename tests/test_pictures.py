"""Pictures: what is written, what is drawn where, and what is refused."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from motionprint.corpora.synthetic import _perform
from motionprint.errors import SettingsError
from motionprint.pictures import inpainting_strip, label_curve, motion_strips
from motionprint.pictures.bodies import seen as _seen
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton

CMU31 = SKELETONS["cmu31"]
LEFT_ARM = list(CMU31.body_parts[0])

Parts = tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.float32]]


def _cut(parts: Parts, frames: int) -> Parts:
    original, hidden, inpainted = parts
    return original[:frames].copy(), hidden[:frames].copy(), inpainted[:frames].copy()


@pytest.fixture(scope="module")
def wave() -> Parts:
    """A wave, its left arm hidden from the second frame on, and a left arm that is 10 cm too high."""
    original = _perform(0, "wave", 6, 1).positions
    hidden = np.zeros(original.shape[:2], dtype=np.bool_)
    hidden[1:, LEFT_ARM] = True
    inpainted = original.copy()
    inpainted[hidden] += (0, 0.1, 0)
    return original, hidden, inpainted


def _png_size(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return int(width), int(height)


def _strokes(path: Path, color: str) -> int:
    """The number of lines of an SVG that have a colour."""
    return len(re.findall(rf"stroke: {color}", path.read_text(encoding="utf-8"), re.IGNORECASE))


def test_a_strip_is_a_png_of_three_rows(wave: Parts, tmp_path: Path) -> None:
    path = tmp_path / "strip.png"
    inpainting_strip(*wave, CMU31, path, fps=30.0, title="wave")
    width, height = _png_size(path)
    assert width == 1600
    assert 600 < height < 1600
    assert path.stat().st_size > 20_000


def test_what_was_hidden_is_coloured_and_nothing_else(wave: Parts, tmp_path: Path) -> None:
    original, hidden, inpainted = wave
    path = tmp_path / "strip.svg"
    inpainting_strip(original, hidden, inpainted, CMU31, path, columns=5)
    figures = 4  # of five: the first frame is whole
    legend = 1
    assert _strokes(path, "#D55E00") == figures * len(LEFT_ARM) + legend
    assert _strokes(path, "#0072B2") == 3 * figures * len(LEFT_ARM) + legend  # recorded, dotted, behind
    inpainting_strip(original, np.zeros_like(hidden), inpainted, CMU31, path, columns=5)
    assert _strokes(path, "#D55E00") == legend


def test_moments_are_labelled(wave: Parts, tmp_path: Path) -> None:
    path = tmp_path / "strip.svg"
    inpainting_strip(*_cut(wave, 31), CMU31, path, fps=30.0, columns=3, title="a wave")
    text = path.read_text(encoding="utf-8")
    for label in ("0.00 s", "0.50 s", "1.00 s", "a wave", "original", "hidden", "inpainted", "0.5 m"):
        assert f"<!-- {label} -->" in text
    inpainting_strip(*_cut(wave, 31), CMU31, path, columns=3)
    assert "<!-- frame 15 -->" in path.read_text(encoding="utf-8")


def test_fewer_frames_than_columns_and_missing_values_are_drawn(wave: Parts, tmp_path: Path) -> None:
    original, hidden, inpainted = _cut(wave, 3)
    original[1, CMU31.joint_names.index("head")] = np.nan
    inpainting_strip(original, hidden, inpainted, CMU31, tmp_path / "few.png")
    assert _png_size(tmp_path / "few.png")[0] == 1600
    inpainting_strip(*_cut(wave, 1), CMU31, tmp_path / "one.png")
    assert _png_size(tmp_path / "one.png")[0] == 1600


def test_where_the_root_was_removed_the_figure_stands_on_the_floor() -> None:
    squat = _perform(0, "squat", 0, 1).positions
    removed = squat - squat[:, :1]
    truth, found = _seen(removed, removed + np.float32(0.5), CMU31)
    np.testing.assert_allclose(truth[..., 1].min(axis=1), 0, atol=1e-6)  # in every frame, however deep the squat
    np.testing.assert_allclose(found[..., 1] - truth[..., 1], 0.5, atol=1e-6)
    kept, _ = _seen(squat, squat, CMU31)
    np.testing.assert_allclose(kept[..., 1], squat[..., 1], atol=1e-6)
    np.testing.assert_allclose(kept[:, 0, 0], 0, atol=1e-6)  # centred on the root


def test_a_body_is_seen_from_its_front_whichever_way_it_looks() -> None:
    squat = _perform(0, "squat", 0, 1).positions
    turn = np.array([[0.6, 0, 0.8], [0, 1, 0], [-0.8, 0, 0.6]])
    here, there = _seen(squat, squat, CMU31)[0], _seen(squat @ turn.T, squat @ turn.T, CMU31)[0]
    np.testing.assert_allclose(here, there, atol=1e-6)
    left, right = CMU31.hips or (0, 0)
    assert (here[0, left, 0] - here[0, right, 0]) > 0.05  # who faces the viewer has the left side on the right


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"original": np.zeros((4, 20, 3))}, r"found \(4, 20, 3\)"),
        ({"inpainted": np.zeros((5, 31, 3))}, r"found \(4, 31, 3\), \(5, 31, 3\) and \(4, 31\)$"),
        ({"hidden": np.zeros((4, 31, 3), dtype=bool)}, r"hidden \(T, 31\), found"),
        ({"columns": 0}, r"^picture: expected frames and columns to draw, found 4 and 0$"),
        ({"fps": 0.0}, r"^picture: expected a positive frame rate, found 0\.0$"),
        ({"path": "strip.bmp"}, r"^strip\.bmp: expected a picture's name to end in one of \.png, \.svg, \.pdf$"),
        ({"original": np.full((4, 31, 3), np.nan), "inpainted": np.full((4, 31, 3), np.nan)}, r"only missing values$"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change: dict[str, Any], message: str, wave: Parts, tmp_path: Path) -> None:
    arguments = dict(zip(("original", "hidden", "inpainted"), (part[:4] for part in wave), strict=True))
    with pytest.raises(SettingsError, match=message):
        inpainting_strip(**{**arguments, "skeleton": CMU31, "path": tmp_path / "strip.png", **change})
    assert not list(tmp_path.iterdir())


def test_no_global_state_is_touched(wave: Parts, tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    inpainting_strip(*wave, CMU31, tmp_path / "strip.png")
    assert dict(matplotlib.rcParams) == before


def _row(method: str, labels: int | None, value: float, **more: Any) -> dict[str, Any]:
    features = None if method == "raw" else "states"
    return {"task": "linear", "metric": "accuracy", "dataset": "toy", "protocol": "cross-subject", "method": method,
            "features": features, "labels_per_class": labels, "value": value, **more}  # fmt: skip


def test_a_label_curve_has_a_line_for_each_method(tmp_path: Path) -> None:
    rows = [_row("raw", 2, 0.5), _row("raw", 2, 0.6), _row("raw", None, 0.8), _row("random", None, 0.7)]
    rows.append(_row("raw", None, 0.1, task="ward", metric="nmi"))
    path = tmp_path / "curve.svg"
    label_curve(rows, path)
    text = path.read_text(encoding="utf-8")
    for label in (
        "raw coordinates",
        "untrained encoder, states",
        "labelled recordings a class",
        "toy, cross-subject",
        "all",
    ):
        assert f"<!-- {label} -->" in text
    label_curve(rows, tmp_path / "curve.png")
    assert _png_size(tmp_path / "curve.png") == (832, 576)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], r"^picture: expected rows of task linear and metric accuracy, found none$"),
        (
            [_row("raw", 1, 0.5), _row("raw", 1, 0.5, dataset="b")],
            r"^picture: expected rows of one dataset, found b, toy$",
        ),
        (
            [_row("raw", 1, 0.5), _row("raw", 1, 0.5, protocol="b")],
            r"^picture: expected rows of one protocol, found b, ",
        ),
    ],
)
def test_rows_that_make_no_curve_are_refused(rows: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message):
        label_curve(rows, tmp_path / "curve.png")
    with pytest.raises(SettingsError, match=r"curve\.gif: expected a picture's name"):
        label_curve(rows, tmp_path / "curve.gif")


def test_rows_of_recordings_of_two_skeletons(tmp_path: Path) -> None:
    one = SkeletonSequence(np.random.default_rng(0).normal(size=(9, 3, 3)), fps=30, skeleton=_chain(3), name="one")
    positions = np.random.default_rng(1).normal(size=(1, 4, 3))
    positions[0, 2] = np.nan
    two = SkeletonSequence(positions, fps=30, skeleton=_chain(4), name="two")
    motion_strips([one, two], tmp_path / "rows.svg", title="found", texts=["query", "first hit"])
    text = (tmp_path / "rows.svg").read_text(encoding="utf-8")
    assert text.count('id="LineCollection_') == 8 + 1
    motion_strips([one], tmp_path / "again.png")
    first = (tmp_path / "again.png").read_bytes()
    motion_strips([one], tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == first


def test_rows_need_recordings_and_texts(tmp_path: Path) -> None:
    one = SkeletonSequence(np.zeros((2, 3, 3)), fps=30, skeleton=_chain(3), name="one")
    for sequences, texts in (([], None), ([one], ["a", "b"])):
        with pytest.raises(SettingsError, match="expected"):
            motion_strips(sequences, tmp_path / "rows.png", texts=texts)
    lost = SkeletonSequence(np.full((2, 3, 3), np.nan), fps=30, skeleton=_chain(3), name="lost")
    with pytest.raises(SettingsError, match="lost: picture: expected positions to draw"):
        motion_strips([lost], tmp_path / "rows.png")


def _chain(joints: int) -> Skeleton:
    return Skeleton.from_tree([f"j{number}" for number in range(joints)], [-1, *range(joints - 1)])
