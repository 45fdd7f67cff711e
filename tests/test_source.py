"""Folders, files and archives seen alike, and archives that cannot be trusted."""

from __future__ import annotations

import os
import pickle
import re
import stat
import zipfile
from pathlib import Path

import pytest

from motionprint.errors import DatasetError
from motionprint.readers import read
from motionprint.readers import source as source_module
from motionprint.readers.source import Source

FILES = {"b.txt": b"top", "a/x.bvh": b"inner", "a/deep/y.amc": b"deeper"}


@pytest.fixture(params=["folder", "archive"])
def tree(request, tmp_path):
    """The same files as a folder and as an archive, with hidden ones that do not count."""
    files = FILES | {".hidden": b"", "__MACOSX/._b.txt": b"", "a/.DS_Store": b""}
    top = tmp_path / "data"
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    if request.param == "folder":
        return top
    return archive(tmp_path / "data.zip", files)


def archive(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as output:
        output.writestr("empty folder/", b"")
        for name, content in files.items():
            output.writestr(name, content)
    return path


def test_folder_and_archive_are_seen_alike(tree):
    with Source.open(tree) as source:
        assert source.names() == sorted(FILES)
        assert {name: source.read_bytes(name) for name in source.names()} == FILES
        assert not source.is_single
        assert source.label() == str(tree)
        joint = ":" if tree.suffix else "/"
        assert source.label("a/x.bvh") == f"{tree}{joint}a/x.bvh"


def test_a_single_file(tmp_path):
    (tmp_path / "one.bvh").write_bytes(b"1")
    (tmp_path / "two.bvh").write_bytes(b"2")
    with Source.open(tmp_path / "one.bvh") as source:
        assert source.names() == ["one.bvh"]
        assert source.read_bytes("one.bvh") == b"1"
        assert source.is_single


def test_an_archive_by_another_name_is_recognised_by_its_content(tmp_path):
    path = archive(tmp_path / "download", FILES)
    with Source.open(path) as source:
        assert source.names() == sorted(FILES)


def test_folders_above_a_file_up_to_the_top(tree):
    with Source.open(tree) as source:
        above = [[name.rsplit("/")[-1] for name in files] for _, files in source.folders_above("a/deep/y.amc")]
    assert above == [["y.amc"], ["x.bvh"], ["b.txt"]]


def test_folders_above_a_single_file_can_be_read(tmp_path):
    inner = tmp_path / "a" / "b" / "c"
    inner.mkdir(parents=True)
    (inner / "x.amc").write_bytes(b"")
    (tmp_path / "a" / "far.asf").write_bytes(b"far")
    (tmp_path / "too far.asf").write_bytes(b"")
    with Source.open(inner / "x.amc") as source:
        found = [name for _, files in source.folders_above("x.amc") for name in files]
        assert [name.rsplit("/")[-1] for name in found] == ["x.amc", "far.asf"]
        assert source.read_bytes(found[1]) == b"far"
        assert source.label(found[1]) == str(tmp_path / "a" / "far.asf")


def test_links_to_a_folder_above_do_not_go_on_for_ever(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.bvh").write_bytes(b"")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    with Source.open(tmp_path) as source:
        assert source.names() == ["a/x.bvh"]


def test_a_link_that_leads_nowhere_is_named_once_it_is_read(tmp_path):
    (tmp_path / "x.bvh").symlink_to(tmp_path / "gone")
    with Source.open(tmp_path) as source:
        assert source.names() == ["x.bvh"]
        with pytest.raises(DatasetError, match=r"x.bvh: expected a file that can be read"):
            source.read_bytes("x.bvh")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are not known here")
def test_pipes_and_devices_are_no_files(tmp_path):
    (tmp_path / "x.bvh").write_bytes(b"x")
    for name in ("pipe.bvh", "pipe.zip"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "zero.bvh").symlink_to("/dev/zero")
    with Source.open(tmp_path) as source:
        assert source.names() == ["x.bvh"]
        with pytest.raises(DatasetError, match=r"pipe.bvh: expected a file, found a folder, pipe, socket or device"):
            source.read_bytes("pipe.bvh")
    for name in ("pipe.bvh", "pipe.zip", "zero.bvh"):
        for opening in (Source.open, read):
            with pytest.raises(
                DatasetError, match=rf"{name}: expected a folder, a file .* found a pipe, socket or dev"
            ):
                opening(tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="names are always text here")
def test_names_that_are_no_text_are_refused(tmp_path):
    inner = tmp_path / "takes"
    inner.mkdir()
    (inner / "x.bvh").write_bytes(b"")
    odd = os.fsencode(inner) + b"/caf\xe9.bvh"
    try:
        open(odd, "wb").close()
    except OSError:
        pytest.skip("the file system takes no such name")
    expected = r"takes/caf\\udce9.bvh': expected a name in UTF-8, found other bytes; rename it"
    with Source.open(inner) as source, pytest.raises(DatasetError, match=expected) as error:
        source.names()
    str(error.value).encode("ascii")
    with pytest.raises(DatasetError, match=expected):
        Source.open(os.fsdecode(odd))
    with Source.open(inner / "x.bvh") as source:  # one that merely lies beside does not matter
        assert next(iter(source.folders_above("x.bvh"))) == (str(inner), [str(inner / "x.bvh")])


@pytest.mark.parametrize("name", ["../x.bvh", "a/../../x.bvh", "/etc/passwd", "C:/x.bvh", "a\\..\\..\\x.bvh"])
def test_a_path_that_escapes_is_refused_by_name(tmp_path, name):
    path = archive(tmp_path / "evil.zip", {"fine.bvh": b"", name: b"out"})
    shown = name.replace("\\", "/")
    with pytest.raises(DatasetError) as caught:
        Source.open(path)
    assert str(caught.value) == f"{path}: expected files inside it, found {shown!r}, which leads out of it"


def test_a_name_that_escapes_from_a_folder_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_bytes(b"")
    with Source.open(tmp_path / "in") as source, pytest.raises(DatasetError, match=r"'../secret', which leads out"):
        source.read_bytes("../secret")


def test_a_link_in_an_archive_is_refused(tmp_path):
    path = tmp_path / "link.zip"
    member = zipfile.ZipInfo("walk.bvh")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as output:
        output.writestr(member, "/etc/passwd")
    with pytest.raises(DatasetError, match=r"link.zip: expected files, found the link 'walk.bvh'"):
        Source.open(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as output:
        output.writestr("a.bvh", "1")
        output.writestr("a.bvh", "2")
    with pytest.raises(DatasetError, match=r"expected every file once, found 'a.bvh' twice"):
        Source.open(tmp_path / "twice.zip")


def test_a_bomb_is_refused_while_it_is_decompressed(tmp_path):
    path = archive(tmp_path / "bomb.zip", {"bomb.bvh": bytes(64 * 1024**2)})
    with (
        Source.open(path) as source,
        pytest.raises(DatasetError, match=r"bomb.bvh: expected at most .* decompression bomb"),
    ):
        source.read_bytes("bomb.bvh")


def test_too_large_a_file_is_refused_from_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(source_module, "MAX_BYTES", 10)
    (tmp_path / "large.bvh").write_bytes(bytes(11))
    with (
        Source.open(tmp_path) as source,
        pytest.raises(DatasetError, match=r"large.bvh: expected at most 10 bytes, found 11"),
    ):
        source.read_bytes("large.bvh")
    path = archive(tmp_path / "x.zip", {"large.bvh": bytes(11)})
    with Source.open(path) as source, pytest.raises(DatasetError, match=r"large.bvh: expected at most 10 bytes"):
        source.read_bytes("large.bvh")


def test_damage_is_told_by_name(tmp_path):
    path = archive(tmp_path / "damaged.zip", {"a.bvh": bytes(range(256)) * 40})
    data = bytearray(path.read_bytes())
    at = data.index(b"a.bvh") + 40
    data[at : at + 20] = bytes(20)
    path.write_bytes(data)
    with (
        Source.open(path) as source,
        pytest.raises(DatasetError, match=r"damaged.zip:a.bvh: expected an undamaged file"),
    ):
        source.read_bytes("a.bvh")
    path.write_bytes(data[:100])
    with pytest.raises(DatasetError, match=r"damaged.zip: expected a .zip archive that can be read, found: "):
        Source.open(path)


def test_an_encrypted_file_is_refused(tmp_path):
    path = archive(tmp_path / "locked.zip", {"a.bvh": b"x"})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.rindex(signature)
        data[at + offset] |= 1
    path.write_bytes(data)
    with (
        Source.open(path) as source,
        pytest.raises(DatasetError, match=r"a.bvh: expected a plain file, found an encrypted"),
    ):
        source.read_bytes("a.bvh")


def test_what_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere: expected a folder, a file or a .zip archive, found nothing"):
        Source.open(tmp_path / "nowhere")
    with (
        Source.open(tmp_path) as source,
        pytest.raises(DatasetError, match=r"gone.bvh: expected a file that can be read"),
    ):
        source.read_bytes("gone.bvh")
    path = archive(tmp_path / "x.zip", FILES)
    with Source.open(path) as source, pytest.raises(DatasetError, match=r"x.zip:gone: expected a file in the archive"):
        source.read_bytes("gone")


# ---- sent to another process -------------------------------------------------------------------------------------


def test_a_source_that_is_sent_is_called_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is opened by its absolute path, once, and again after it has been opened anew."""
    (tmp_path / "takes" / "walk").mkdir(parents=True)
    (tmp_path / "takes" / "walk" / "a.txt").write_text("x")
    with zipfile.ZipFile(tmp_path / "takes.zip", "w") as archive:
        archive.writestr("walk/a.txt", "x")
    (tmp_path / "elsewhere").mkdir()
    for path, name in (("takes", "walk/a.txt"), ("takes.zip", "walk/a.txt"), ("takes/walk/a.txt", "a.txt")):
        monkeypatch.chdir(tmp_path)
        source = Source.open(path)
        labels = [source.label(), source.label(name), source.label("none.txt")]
        sent = pickle.dumps(source)
        again = pickle.dumps(Source.open(path))
        monkeypatch.chdir(tmp_path / "elsewhere")
        received = pickle.loads(sent)
        assert received.read_bytes(name) == b"x"
        assert [received.label(), received.label(name), received.label("none.txt")] == labels
        with pytest.raises(DatasetError, match=rf"^{re.escape(labels[2])}: expected a file "):
            received.read_bytes("none.txt")
        found = received.names()
        monkeypatch.chdir(tmp_path)
        assert found == source.names()
        assert pickle.loads(sent) is received and pickle.loads(pickle.dumps(received)) is received
        assert pickle.loads(again) is not received
        source.close()
    for path in (tmp_path / "takes", tmp_path / "takes.zip"):
        path.rename(path.with_name(f"moved-{path.name}"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    gone = pickle.dumps(Source.open(tmp_path / "moved-takes"))
    (tmp_path / "moved-takes").rename(tmp_path / "takes")
    with pytest.raises(
        DatasetError, match=r"moved-takes: expected every process to read it at /.*moved-takes, as where"
    ):
        pickle.loads(gone)


def test_a_stamp_tells_a_file_that_has_changed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    os.utime(tmp_path / "a.txt", ns=(5, 5))
    assert Source.open(tmp_path).stamp("a.txt") == (1, 5)
    assert Source.open(tmp_path).stamp("b.txt") is None
    for text, crc in (("x", 0x8CDC1683), ("y", 0xFBDB2615)):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("a.txt", text)
        with Source.open(tmp_path / "a.zip") as source:
            assert source.stamp("a.txt") == (1, crc) and source.stamp("b.txt") is None
