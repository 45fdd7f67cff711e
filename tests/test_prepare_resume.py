"""`prepare` that was ended at any moment, and goes on: the same bytes, and nothing is read twice."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from motionprint.errors import DatasetError, ReadError
from motionprint.prepare import prepare, reading
from motionprint.readers import read_from
from motionprint.store import open_dataset
from motionprint.store.atomic import unfinished_folder
from motionprint.store.journal import Journal

HEAD = """HIERARCHY
ROOT Hips
{
OFFSET 0 0 0
CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
JOINT Chest
{
OFFSET 0 10 0
CHANNELS 1 Zrotation
End Site
{
OFFSET 0 10 0
}
}
}
MOTION
"""
FILES = 24


def bvh(frames: int, start: float) -> str:
    rows = "".join(f"{start + frame} 0 0 0 {frame} 0 {2 * frame}\n" for frame in range(frames))
    return f"{HEAD}Frames: {frames}\nFrame Time: 0.0333333\n{rows}"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings with labels and a column of their own; the first and another cannot be read, one is too short."""
    folder = tmp_path_factory.mktemp("resume") / "files"
    folder.mkdir()
    table = "file,label,subject,take\n"
    for number in range(FILES):
        text = bvh(2 + number % 20 % 7, 0.5 * (number % 20))  # the last four have copies
        if number in (0, 9):
            text = text[:-4]
        (folder / f"{number:02}.bvh").write_text(bvh(1, 0) if number == 12 else text)
        table += f"{number:02}.bvh,{'walk' if number % 2 else 'täglich'},{'' if number % 5 else 'Ann'},{number}\n"
    (folder / "labels.csv").write_text(table, encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a data set that nothing has interrupted."""
    out = tmp_path_factory.mktemp("whole") / "data"
    summary = prepare("folder", source, out, command="begun")
    assert (summary.recordings, summary.sequences, len(summary.left_out)) == (FILES, FILES - 3, 3)
    assert summary.duplicates and json.loads((out / "prepare.json").read_bytes())["points_at_origin"]["points"]
    return contents(out)


def resumed(source: Path, out: Path, command: str = "other", **options: Any) -> list[str]:
    """Go on; the files that were read."""
    read: list[str] = []

    def spy(opened: Any, name: str, settings: Any) -> Any:
        read.append(name)
        return read_from(opened, name, settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("motionprint.corpora.folder.read_from", spy)
        prepare("folder", source, out, command=command, resume=True, **options)
    return read


# ---- kill -9 -------------------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
import motionprint.prepare as prepare, motionprint.store.atomic as atomic, motionprint.store.writer as writer
from motionprint.store.journal import Journal

source, out, where, count, overwrite = sys.argv[1:]
place, _, what = where.partition(":")
holder, name = {
    "append": (writer.DatasetWriter, "append"),
    "flush": (writer.DatasetWriter, "flush"),
    "journal": (Journal, "_write"),
    "index": (writer, "_write_index"),
    "json": (writer, "_write_json"),
    "replace": (atomic, "_replace_folder"),
    "rename": (atomic.Path, "rename"),
    "clear": (atomic.shutil, "rmtree"),
}[place]
original = getattr(holder, name)
left = int(count)

def wrapped(*arguments, **options):
    global left
    left -= 1
    die = left == 0
    if die and what == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    if die and what == "half":
        journal, entry = arguments
        journal._stream.write(b'{"source": "0')
        journal._stream.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*arguments, **options)
    if die:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(holder, name, wrapped)
prepare.prepare("folder", source, out, command="begun", overwrite=overwrite == "overwrite")
"""


def killed(source: Path, out: Path, where: str, count: int, overwrite: bool = False) -> None:
    arguments = [sys.executable, "-c", KILLED, str(source), str(out), where, str(count), "overwrite" * overwrite]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="processes are not killed by signals here")
@pytest.mark.parametrize(
    ("where", "count", "done"),
    [
        ("journal:before", 1, 0),  # before anything
        ("journal:half", 1, 0),
        ("journal:after", 1, 0),
        ("append:before", 1, 1),  # the first file cannot be read
        ("append:after", 4, 4),  # frames that no line of the journal names, perhaps not even written
        ("flush:after", 7, 6),
        ("journal:half", 15, 13),
        ("journal:after", 20, 19),
        ("index:before", 1, FILES),
        ("index:after", 1, FILES),
        ("json:after", 1, FILES),
        ("json:after", 2, FILES),
        ("replace:before", 1, FILES),
    ],
)
def test_killed_at_a_moment(
    source: Path, whole: dict[str, bytes], tmp_path: Path, where: str, count: int, done: int
) -> None:
    out = tmp_path / "data"
    killed(source, out, where, count)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".data.lock", ".data.unfinished"]
    begun = (where, count) not in (("journal:before", 1), ("journal:half", 1))  # else it is all the second one's
    read = resumed(source, out, "other" if begun else "begun")
    assert read == [f"{number:02}.bvh" for number in range(done, FILES)]
    assert contents(out) == whole
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.skipif(os.name == "nt", reason="processes are not killed by signals here")
@pytest.mark.parametrize(
    ("where", "count", "left"),
    [
        ("rename:after", 1, [".data.lock", ".data.old", ".data.unfinished"]),  # the old one has no name any more
        ("rename:after", 2, [".data.lock", ".data.old", ".data.unfinished", "data"]),
        ("clear:after", 1, [".data.lock", ".data.unfinished", "data"]),
    ],
)
def test_killed_while_an_older_data_set_is_replaced(
    source: Path, whole: dict[str, bytes], tmp_path: Path, where: str, count: int, left: list[str]
) -> None:
    out = tmp_path / "data"
    prepare("folder", source / "05.bvh", out)
    old = contents(out)
    killed(source, out, where, count, overwrite=True)
    assert sorted(path.name.partition("-")[0] for path in tmp_path.iterdir()) == left
    with pytest.raises(DatasetError, match="data: exists; --overwrite replaces it"):
        prepare("folder", source, out, resume=True)
    if count == 1 and where == "rename:after":
        assert contents(out) == old  # the first that holds the name gives it back
    read = resumed(source, out, overwrite=True)
    assert len(read) == (0 if "data" not in left else FILES - 1)  # that the first cannot be read is known
    assert contents(out)["positions.npy"] == whole["positions.npy"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


CHATTY = """
import sys, time
from motionprint.prepare import prepare
if __name__ == "__main__":

    def report(done, total, text):
        print(text, done, flush=True)
        time.sleep(0.05)

    prepare("folder", *sys.argv[1:3], command="begun", resume=True, jobs=int(sys.argv[3]), report=report)
"""


@pytest.mark.skipif(os.name == "nt", reason="processes are not killed by signals here")
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_again_and_again(source: Path, whole: dict[str, bytes], tmp_path: Path, jobs: int) -> None:
    """By another process, whenever it happens to be; the processes that it has started end too."""
    (tmp_path / "script.py").write_text(CHATTY)
    out, moments = tmp_path / "out" / "data", random.Random(jobs)
    arguments = [sys.executable, str(tmp_path / "script.py"), str(source), str(out), str(jobs)]
    kills, reached = 0, 0
    while not out.exists():
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            wanted, before = moments.randint(1, 4), reached
            for line in process.stdout:  # which ends when the last process has ended
                text, _, number = line.rpartition(" ")
                if text == "reading":
                    assert int(number) > before  # not again
                    reached, wanted = int(number), wanted - 1
                if not wanted and kills < 5:
                    process.send_signal(signal.SIGKILL)
                    kills += 1
    assert kills == 5 and reached == FILES
    assert contents(out) == whole


# ---- failures ------------------------------------------------------------------------------------------------------


def interrupted(source: Path, out: Path, after: int, **options: Any) -> None:
    def report(done: int, total: int | None, text: str) -> None:
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare("folder", source, out, command="begun", report=report, **options)


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_interrupted_and_gone_on_with_by_other_processes(
    source: Path, whole: dict[str, bytes], tmp_path: Path, before: int, after: int
) -> None:
    interrupted(source, tmp_path / "data", 11, jobs=before)
    seen: list[tuple[int, str]] = []
    report = lambda done, total, text: seen.append((done, text))  # noqa: E731
    prepare("folder", source, tmp_path / "data", resume=True, jobs=after, report=report)
    checked = [(number, "checking what was read before") for number in range(1, 12)]
    assert seen == checked + [(number, "reading") for number in range(12, FILES + 1)]
    assert contents(tmp_path / "data") == whole


def test_frames_that_were_damaged_are_read_again(source: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    """As after a power failure: the journal names what has not reached the disk."""
    interrupted(source, tmp_path / "data", 11)
    unfinished = tmp_path / ".data.unfinished"
    for damage, first in (("byte", 7), ("cut", 6), ("gone", 1), ("zeros", 3)):
        shutil.copytree(unfinished, tmp_path / damage / ".data.unfinished")
        file = tmp_path / damage / ".data.unfinished" / "dataset" / "positions.npy"
        journal = tmp_path / damage / ".data.unfinished" / "journal.jsonl"
        rows = [row for line in journal.read_bytes().splitlines()[1:] for row in json.loads(line)["rows"]]
        if damage == "byte":  # in the frames of 07.bvh
            with file.open("r+b") as stream:
                stream.seek(128 + 36 * rows[6]["offset"] + 40)
                stream.write(b"\xff")
        elif damage == "cut":
            os.truncate(file, 128 + 36 * rows[6]["offset"] - 1)
        elif damage == "gone":
            file.unlink()
        else:
            lines = journal.read_bytes().splitlines(keepends=True)
            journal.write_bytes(b"".join(lines[:4]) + b"\0" * 4096)
        read = resumed(source, tmp_path / damage / "data")
        assert read == [f"{number:02}.bvh" for number in range(first, FILES)], damage
        assert contents(tmp_path / damage / "data") == whole, damage


def test_where_nothing_was_begun_it_begins(source: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    prepare("folder", source, tmp_path / "data", command="begun", resume=True)
    assert contents(tmp_path / "data") == whole


def test_without_resume_it_begins_anew(source: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    interrupted(source, tmp_path / "data", 20)
    prepare("folder", source, tmp_path / "data", command="begun")
    assert contents(tmp_path / "data") == whole


def test_what_a_strict_prepare_has_read_is_kept(source: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="strict: expected to use all of 24 recordings, found 3 to be") as error:
        prepare("folder", source, tmp_path / "data", strict=True)
    assert error.value.__notes__ == ["24 of 24 recordings are kept: --resume goes on with them"]
    assert resumed(source, tmp_path / "data") == []
    assert len(open_dataset(tmp_path / "data")) == FILES - 3


def test_what_would_fail_again_is_not_kept(source: Path, tmp_path: Path) -> None:
    files = shutil.copytree(source, tmp_path / "files")
    (files / "23.bvh").write_text(bvh(3, 0).replace("Chest", "Neck"))
    with pytest.raises(DatasetError, match=r"23\.bvh beside 01\.bvh: ") as error:
        prepare("folder", files, tmp_path / "data")
    assert not hasattr(error.value, "__notes__")
    assert [path.name for path in tmp_path.iterdir()] == ["files"]


# ---- other work ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ("unit", "unit"),
        ("labels", "files and labels, labels"),
        ("version", "version of motionprint"),
        ("time", "files and labels"),
        ("more", "files and labels"),
        ("elsewhere", "files and labels, source"),
    ],
)
def test_other_work_is_not_gone_on_with(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, differs: str
) -> None:
    files = shutil.copytree(source, tmp_path / "files")
    interrupted(files, tmp_path / "data", 11)
    options: dict[str, Any] = {"unit": {"unit": "m"}, "labels": {"labels": "none"}}.get(change, {})
    if change == "version":
        monkeypatch.setattr("motionprint.__version__", "9.9.9")
    elif change == "time":
        os.utime(files / "20.bvh", ns=(0, 0))
    elif change == "more":
        (files / "note.txt").write_text("x")
    elif change == "elsewhere":
        files = shutil.copytree(source, tmp_path / "elsewhere", copy_function=shutil.copy)
    message = (
        rf"data: what was begun with `begun` cannot be gone on with: expected the same {differs} as then; "
        "without --resume it begins anew$"
    )
    for _ in range(2):  # it is still there afterwards
        with pytest.raises(DatasetError, match=message):
            prepare("folder", files, tmp_path / "data", resume=True, **options)


def test_one_at_a_time(source: Path, tmp_path: Path) -> None:
    with (
        unfinished_folder(tmp_path / "data") as unfinished,
        pytest.raises(DatasetError, match=r"data: another process \(pid \d+ on \S+\) is preparing it; wait"),
    ):
        (unfinished / "dataset" / "prepare.json").write_text("{}")
        prepare("folder", source, tmp_path / "data")


def test_a_process_that_ends_is_said_and_what_was_read_is_kept(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "RECORDINGS", 4)

    def report(done: int, total: int | None, text: str) -> None:
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
        if done == 1:
            if not children.exists():
                pytest.skip("this system does not say which processes were started")
            for child in children.read_text().split():
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGKILL)

    with pytest.raises(
        DatasetError, match=r"^one of the 2 processes ended before its work was done \(out of m"
    ) as error:
        prepare("folder", source, tmp_path / "data", jobs=2, report=report)
    assert "recordings are kept: --resume goes on with them" in error.value.__notes__[0]
    assert len(open_dataset(prepare("folder", source, tmp_path / "data", resume=True).folder)) == FILES - 3


def test_a_journal_counts_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    with Journal(file, {"a": (1, 2)}, "first", what="it", resume=True) as journal:
        journal.add({"n": 1})
        journal.add({"n": 2})
    with file.open("ab") as stream:
        stream.write(b'{"n": 3')
    with Journal(file, {"a": [1, 2]}, "second", what="it", resume=True) as journal:
        assert journal.note == "first"
        entries = journal.entries()
        assert next(entries) == {"n": 1}
        assert journal.done == 0
        assert next(entries) == {"n": 2}
        assert journal.done == 1
        entries.close()  # the second is of no use
        journal.add({"n": 4})
    with Journal(file, {"a": [1, 2]}, "third", what="it", resume=True) as journal:
        assert list(journal.entries()) == [{"n": 1}, {"n": 4}]
        assert journal.done == 2
    with pytest.raises(
        DatasetError, match=r"^it: what was begun with `first` cannot be gone on with: expected the same a, b as"
    ):
        Journal(file, {"b": 1}, "", what="it", resume=True)
    with Journal(file, {"b": 1}, "anew", what="it", resume=False) as journal:
        assert list(journal.entries()) == []


def test_an_unreadable_file_is_a_read_error(source: Path) -> None:
    """What the tests above take for unreadable is so for `read` too."""
    import motionprint

    for name in ("00.bvh", "09.bvh"):
        with pytest.raises(ReadError):
            motionprint.read(source / name)
