"""Groups, copies and cuts, against answers known by how the data were made, and by trying everything."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motionprint.cli import main
from motionprint.errors import DatasetError, SettingsError, SkeletonMismatchError
from motionprint.evaluation.probes import unit_vectors
from motionprint.exploring import (
    SegmentSettings,
    change_points,
    choose_count,
    find_groups,
    find_segments,
    write_groups,
    write_segments,
)
from motionprint.exploring.counting import knee, within
from motionprint.exploring.segments import Alike, open_recordings
from motionprint.readers import read_all
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import open_dataset, write_dataset
from motionprint.training import load_run, pretrain


@pytest.fixture(scope="module")
def run(few, tmp_path_factory):
    folder = tmp_path_factory.mktemp("explored") / "run"
    pretrain(few, folder, changes={"steps": 2})
    return load_run(folder)


@pytest.fixture
def recordings(takes):
    return list(read_all(takes))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ---- change points -------------------------------------------------------------------------------------------------


def _best_cuts(vectors: np.ndarray, penalty: float, least: int) -> list[int]:
    """The same by trying every beginning of every piece."""
    count = len(vectors)
    best, begun = [-penalty] + [np.inf] * count, [0] * (count + 1)
    for end in range(1, count + 1):
        for start in range(end - least + 1):
            piece = vectors[start:end]
            cost = best[start] + ((piece - piece.mean(axis=0)) ** 2).sum() + penalty
            if cost < best[end]:
                best[end], begun[end] = cost, start
    cuts, place = [], count
    while begun[place] > 0:
        place = begun[place]
        cuts.append(place)
    return cuts[::-1]


def test_cuts_are_the_best_of_all() -> None:
    random = np.random.default_rng(0)
    for _ in range(60):
        count, least = int(random.integers(1, 30)), int(random.integers(1, 5))
        vectors = random.normal(size=(count, 2)) + 3 * (random.integers(0, 2, (count, 1)).cumsum(axis=0) % 3)
        penalty = float(random.uniform(0.5, 20))
        assert change_points(vectors, penalty, least) == _best_cuts(vectors, penalty, least)


def test_steps_are_found_where_they_are_and_none_without_one() -> None:
    steps = np.repeat([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], [10, 5, 20], axis=0)
    assert change_points(steps, 0.5) == [10, 15]
    assert change_points(steps, 1000.0) == []
    assert change_points(np.ones((50, 3)), 0.01) == []
    assert change_points(steps[:1], 0.5) == []


def test_change_points_refuse_what_cannot_work() -> None:
    for penalty, least in ((0.0, 1), (-1.0, 1), (1.0, 0)):
        with pytest.raises(SettingsError, match="expected a penalty above 0 and pieces of at least 1"):
            change_points(np.ones((3, 2)), penalty, least)


# ---- how many groups -----------------------------------------------------------------------------------------------


def _heaps(count: int, each: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.repeat(20 * np.eye(count), each, axis=0) + random.normal(size=(count * each, count))


@pytest.mark.parametrize("count", [3, 7, 12])
def test_far_heaps_are_counted(count: int) -> None:
    assert choose_count(_heaps(count, 30)) == count


def test_the_number_is_chosen_by_a_sample_where_there_are_many() -> None:
    assert choose_count(_heaps(5, 500)) == 5


@pytest.mark.parametrize("prints", [np.ones((1, 3)), np.ones((3, 3)), np.ones((40, 3))])
def test_what_does_not_fall_apart_is_one_group(prints: np.ndarray) -> None:
    assert choose_count(prints) == 1


def test_what_is_left_within_groups_by_hand() -> None:
    # 0, 2 and 10: joining 0 and 2 costs 2 (both 1 from their mean), joining all leaves 56 in all (the mean is 4)
    np.testing.assert_allclose(within(np.array([[0.0], [2.0], [10.0]])), [56.0, 2.0, 0.0])


def test_the_knee_by_hand() -> None:
    assert knee(np.array([10.0, 6.0, 1.0, 0.5, 0.0])) == 3


# ---- groups --------------------------------------------------------------------------------------------------------


def test_groups_copies_and_their_table(run, recordings, tmp_path: Path) -> None:
    twice = replace(recordings[4], name="twice")
    moved = replace(recordings[7], name="moved", positions=recordings[7].positions + np.float32([1, 0, 2]))
    write_dataset(tmp_path / "data", [*recordings, twice, moved])
    dataset = open_dataset(tmp_path / "data")
    found = find_groups(run, dataset, count=3)
    names = dataset.names
    assert found.copy_of[names.index("twice")] == names.index(recordings[4].name)
    assert found.copy_of[names.index("moved")] == names.index(recordings[7].name)
    assert (found.copy_of >= 0).sum() == 2
    assert len(found.groups) == 3 and not found.chosen and found.algorithm == "ward"
    assert [each.size for each in found.groups] == sorted((each.size for each in found.groups), reverse=True)
    for each in found.groups:
        assert found.group[each.representative] == each.number
        assert found.distance[each.representative] == 0.0
        labels = [found.labels[n] for n in np.flatnonzero(found.group == each.number)]
        assert each.purity is None if not any(labels) else labels.count(each.label) / len(labels) == each.purity
    write_groups(found, tmp_path / "clusters.csv")
    rows = _rows(tmp_path / "clusters.csv")
    assert list(rows[0]) == ["name", "source", "label", "cluster", "distance", "representative", "near_duplicate_of"]
    assert [row["name"] for row in rows] == names
    assert [int(row["cluster"]) for row in rows] == found.group.tolist()
    assert sum(row["representative"] == "true" for row in rows) == 3
    assert rows[names.index("twice")]["near_duplicate_of"] == recordings[4].name
    with pytest.raises(DatasetError, match=r"clusters\.csv: exists"):
        write_groups(found, tmp_path / "clusters.csv")


def test_near_0_finds_equal_positions_only(run, recordings, tmp_path: Path) -> None:
    moved = replace(recordings[1], name="moved", positions=recordings[1].positions + np.float32([1, 0, 2]))
    write_dataset(tmp_path / "data", [*recordings[:6], replace(recordings[0], name="twice"), moved])
    found = find_groups(run, tmp_path / "data", near=0.0)
    assert found.copy_of.tolist() == [-1] * 6 + [0, -1]


def test_purity_counts_labelled_recordings_only(run, recordings, tmp_path: Path) -> None:
    labels = ["a", "a", "b", None]
    some = [replace(each, label=label) for each, label in zip(recordings, labels, strict=False)]
    write_dataset(tmp_path / "data", some)
    found = find_groups(run, tmp_path / "data", count=1)
    assert found.groups[0].label == "a" and found.groups[0].purity == found.purity == pytest.approx(2 / 3)
    write_dataset(tmp_path / "bare", [replace(each, label=None) for each in some])
    found = find_groups(run, tmp_path / "bare", count=2)
    assert found.purity is None and all(each.purity is None and each.label is None for each in found.groups)


def test_many_recordings_are_grouped_by_k_means(run, few, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motionprint.exploring.groups.WARD_LIMIT", 5)
    assert find_groups(run, few, count=2).algorithm == "kmeans"


def test_copies_are_the_same_in_blocks_of_any_size(run, takes, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset(tmp_path / "data", list(read_all(takes)))
    whole = find_groups(run, tmp_path / "data", near=1.0)
    assert (whole.copy_of >= 0).any()
    monkeypatch.setattr("motionprint.exploring.groups.ROWS", 4)
    np.testing.assert_array_equal(find_groups(run, tmp_path / "data", near=1.0).copy_of, whole.copy_of)


def test_what_cannot_be_grouped_is_refused(run, few, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"expected 1 to 6 groups \(its recordings\), found 7"):
        find_groups(run, few, count=7)
    with pytest.raises(SettingsError, match="expected near to be at least 0, found -1"):
        find_groups(run, few, near=-1)
    with pytest.raises(DatasetError, match="expected at least one recording, found none"):
        find_groups(run, open_dataset(few)[:0])
    skeleton = SKELETONS["kinect20"]
    other = SkeletonSequence(np.random.default_rng(0).normal(size=(9, 20, 3)), 15.0, skeleton, name="other")
    write_dataset(tmp_path / "other", [other])
    with pytest.raises(SkeletonMismatchError, match="other"):
        find_groups(run, tmp_path / "other")
    with pytest.raises(SkeletonMismatchError, match="other"):
        find_segments(run, [other])


# ---- segments ------------------------------------------------------------------------------------------------------


def _long(recordings: list[SkeletonSequence]) -> SkeletonSequence:
    """Three movements of 3 s, the last like the first: (270, J, 3) at 30 frames/s."""
    still, other = recordings[0].positions[:1], recordings[0].positions[:1].copy()
    other[:, 2:] += np.float32([0.0, -0.6, 0.5])  # another posture
    positions = np.concatenate([still.repeat(90, 0), other.repeat(90, 0), still.repeat(90, 0)])
    return replace(recordings[0], positions=positions, name="long", source="long.bvh")


def test_a_change_of_posture_is_cut_and_what_comes_again_is_known(run, recordings) -> None:
    found = find_segments(run, [_long(recordings)], SegmentSettings(penalty=0.2, alike=0.9))
    assert [each.group for each in found.segments] == [0, 1, 0]
    ends = [each.end for each in found.segments]
    assert ends[0] == pytest.approx(3, abs=0.5) and ends[1] == pytest.approx(6, abs=0.5) and ends[2] == 9
    assert found.segments[0].start == 0 and found.recordings == 1 and found.short == ()
    for before, after in zip(found.segments, found.segments[1:], strict=False):
        assert before.end == after.start
    assert sum(each.frames for each in found.segments) == 270


def test_a_recording_shorter_than_a_window_is_one_segment(run, recordings) -> None:
    short = replace(recordings[0], positions=recordings[0].positions[:20], name="short")
    found = find_segments(run, [short, _long(recordings)])
    assert found.short == ("short",)
    assert (found.segments[0].start, found.segments[0].frames) == (0.0, 20)


def test_each_segment_joins_the_most_alike_of_the_earlier_ones() -> None:
    groups = Alike(0.9)
    vectors = ([1.0, 0.0], [0.0, 2.0], [3.0, 0.1], [0.6, 0.8], [0.0, 1.0])
    assert [groups.of(np.array(each)) for each in vectors] == [0, 1, 0, 2, 1]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_groups_are_to_the_bit_those_of_all_earlier_segments_stacked_anew(share: float) -> None:
    """The limit is one of the cosines that are compared with it: one bit less in that one would be another group."""
    random = np.random.default_rng(3)
    vectors = random.normal(size=(150, 37)) + 3 * random.normal(size=(6, 37))[random.integers(6, size=150)]
    unit = [unit_vectors(each[None])[0] for each in vectors]
    likeness = [np.stack(unit[:count]) @ unit[count] for count in range(1, len(unit))]
    limit = float(np.quantile([each.max() for each in likeness], share, method="nearest"))
    expected = [0]
    for each in likeness:
        alike = each.max() >= limit
        expected.append(expected[int(np.argmax(each))] if alike else max(expected) + 1)
    assert any(limit in each for each in likeness) and 1 < len(set(expected)) < len(expected)
    groups = Alike(limit)
    assert [groups.of(each) for each in vectors] == expected


def test_the_table_of_segments_is_a_table_of_labels(run, takes, tmp_path: Path) -> None:
    file = takes / "wave" / "anna_0.bvh"
    found = find_segments(run, open_recordings(file), SegmentSettings(window=0.4, penalty=1e-4))
    assert len(found.segments) > 1
    write_segments(found, tmp_path / "segments.csv")
    rows = _rows(tmp_path / "segments.csv")
    assert list(rows[0]) == ["file", "start", "end", "label", "recording", "actor", "frames", "group"]
    text = (tmp_path / "segments.csv").read_text(encoding="utf-8")
    words = ["prepare", "folder", file.parent, "--labels", tmp_path / "segments.csv", "--out", tmp_path / "data", "-q"]
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    assert stop.value.code == 0, text
    prepared = open_dataset(tmp_path / "data")
    assert prepared.lengths[: len(rows)].tolist() == [int(row["frames"]) for row in rows]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"window": 0.0}, "expected a window of at least the stride"),
        ({"window": 0.05}, "expected a window of at least the stride"),
        ({"stride": 0.0}, "expected a window of at least the stride"),
        ({"penalty": 0.0}, "expected a penalty above 0"),
        ({"alike": 1.5}, "expected alike to be a cosine"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, float], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        SegmentSettings(**wrong)


def test_recordings_that_are_not_there_are_refused(run, few, takes) -> None:
    with pytest.raises(DatasetError, match="expected at least one recording, found none"):
        find_segments(run, [])
    with pytest.raises(DatasetError, match="expected a recording called 'nobody', found none"):
        open_recordings(few, name="nobody")
    with pytest.raises(DatasetError, match="expected a data set folder with --name, found none"):
        open_recordings(takes / "wave" / "anna_0.bvh", name="nobody")
    assert [each.name for each in open_recordings(few, name=open_dataset(few).names[2])] == [open_dataset(few).names[2]]


# ---- the commands --------------------------------------------------------------------------------------------------


def _told(arguments: list[object], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main([str(each) for each in arguments])
    captured = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, captured.out, captured.err


def test_cluster_says_what_it_found_and_draws_it(run, few, tmp_path: Path, capsys) -> None:
    out, picture = tmp_path / "clusters.csv", tmp_path / "clusters.png"
    words = ["cluster", run.folder, few, "-k", "2", "--out", out, "--picture", picture, "--quiet"]
    status, text, _ = _told(words, capsys)
    assert status == 0
    assert "6 recordings in 2 clusters (ward, as many as asked for)" in text and "near-duplicates: 0" in text
    assert picture.stat().st_size > 1000 and len(_rows(out)) == 6
    status, _, error = _told(words, capsys)
    assert status == 1 and "exists" in error and len(error.splitlines()) == 1
    assert _told([*words, "--overwrite"], capsys)[0] == 0


@pytest.mark.parametrize("wrong", ["0", "many", "-3", "1.5"])
def test_cluster_takes_auto_or_a_number(wrong: str, capsys) -> None:
    status, _, error = _told(["cluster", "run", "data", "-k", wrong, "--out", "x.csv"], capsys)
    assert status == 2 and "expected auto or a number from 1" in error


def test_cluster_fails_in_one_line(run, few, tmp_path: Path, capsys) -> None:
    for data, told in ((few, "expected 1 to 6 groups"), (tmp_path / "gone", "expected a data set folder")):
        status, _, error = _told(["cluster", run.folder, data, "-k", "9", "--out", tmp_path / "x", "-q"], capsys)
        assert status == 1 and told in error and len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_segment_says_what_it_found_and_draws_it(run, recordings, tmp_path: Path, capsys) -> None:
    write_dataset(tmp_path / "data", [_long(recordings), replace(recordings[0], positions=recordings[0].positions[:9])])
    out, picture = tmp_path / "segments.csv", tmp_path / "segments.png"
    words = ["segment", run.folder, tmp_path / "data", "--penalty", "0.2", "--alike", "0.9", "--quiet"]
    status, text, error = _told([*words, "--out", out, "--picture", picture], capsys)
    assert status == 0 and "4 segments of" in text and "shorter than a window of" in error
    assert len(_rows(out)) == 4 and picture.stat().st_size > 1000
    status, text, _ = _told([*words, "--name", "long"], capsys)
    assert status == 0 and "3 segments of 2 groups" in text


def test_segment_fails_in_one_line(run, tmp_path: Path, capsys) -> None:
    status, _, error = _told(["segment", run.folder, tmp_path / "gone.bvh"], capsys)
    assert status == 1 and "gone.bvh" in error and len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--out", "new.csv", "--picture", "new.gif"], "new.gif: expected a picture's name to end in one of .png"),
        (["--out", "new.csv", "--picture", "there.png"], "there.png: exists; --overwrite replaces it"),
        (["--out", "there.csv", "--picture", "new.png"], "there.csv: exists; --overwrite replaces it"),
        (
            ["--out", "new.png", "--picture", "./new.png"],
            "new.png: expected a picture apart from --out, found the same",
        ),
    ],
)
@pytest.mark.parametrize("command", ["cluster", "segment"])
def test_all_that_was_asked_for_is_written_or_nothing(
    command: str, words: list[str], told: str, run, few, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("there.csv", "there.png"):
        Path(name).touch()
    status, out, error = _told([command, run.folder, few, *words, "--quiet"], capsys)
    assert (status, out) == (1, "") and error.startswith(f"motionprint: {told}") and len(error.splitlines()) == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["there.csv", "there.png"]
    assert not Path("there.csv").stat().st_size and not Path("there.png").stat().st_size


@pytest.mark.parametrize("command", ["cluster", "segment"])
def test_joints_that_the_shipped_model_does_not_know_are_refused_with_a_remedy(command: str, few, tmp_path, capsys):
    words = [command, "motionprint:cmu-small", few, "--out", tmp_path / "out.csv", "--quiet"]
    status, _, error = _told(words, capsys)
    assert status == 1 and len(error.splitlines()) == 1
    assert "expected the skeleton of 14 joints" in error and "; prepare --map-to body14 (map_to=) brings" in error
    assert list(tmp_path.iterdir()) == []


def test_help_of_both_says_the_defaults_that_hold(capsys) -> None:
    settings = SegmentSettings()
    text = " ".join(_told(["segment", "--help"], capsys)[1].split())
    for value in (settings.window, settings.stride, settings.penalty, settings.alike):
        assert f"[default: {value:g}]" in text
    from motionprint.exploring.groups import NEAR

    assert f"[default: {NEAR:g}]" in " ".join(_told(["cluster", "--help"], capsys)[1].split())
