"""Fetching archives from a server on this machine that can cut the line, lie, or know no Range."""

from __future__ import annotations

import hashlib
import http.server
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pooch
import pytest

import motionprint.download as module
from motionprint.cli import main
from motionprint.corpora import CORPORA
from motionprint.corpora.corpus import Corpus, Download
from motionprint.download import download
from motionprint.errors import DatasetError
from motionprint.prepare import prepare

CONTENT = bytes(range(256)) * 8192 + b"the end"  # two chunks and a bit
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the server does, and what it was asked."""

    address: str = ""
    content: bytes = CONTENT
    tag: str | None = '"first"'
    ranges: bool = True
    length: bool = True
    """Whether it says how long an answer is; else it comes in chunks."""
    cut: int | None = None
    """After how many bytes of an answer the line is cut."""
    status: int = 200
    wrong_range: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.asked.append({key: self.headers[key] for key in ("Range", "If-Range") if key in self.headers})
            self.close_connection = True
            if state.status != 200:
                self.send_response(state.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            first, total = 0, len(state.content)
            asked = self.headers.get("Range", "")
            if asked and state.ranges and self.headers.get("If-Range") == state.tag:
                first = int(asked.removeprefix("bytes=").removesuffix("-"))
                if first >= total:
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{total}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                said = first + 1 if state.wrong_range else first
                self.send_header("Content-Range", f"bytes {said}-{total - 1}/{total}")
            else:
                self.send_response(200)
            if state.tag is not None:
                self.send_header("ETag", state.tag)
            body = state.content[first:]
            sent = body if state.cut is None else body[: state.cut]
            if state.length:
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(sent)
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(sent), 65536):
                piece = sent[start : start + 65536]
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            if state.cut is None:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.address = f"http://127.0.0.1:{listening.server_port}/a.zip"
        yield state
        listening.shutdown()
        thread.join()


@pytest.fixture
def offered(server: Server) -> Callable[..., Corpus]:
    """A corpus whose one file the server has."""

    def offer(sha256: str | None = None) -> Corpus:
        return replace(CORPORA["hdm05"], downloads=(Download(server.address, "a.zip", sha256),))

    return offer


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- whole -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [True, False])
def test_a_file_with_a_published_checksum(
    server: Server, offered: Callable[..., Corpus], tmp_path: Path, length: bool
) -> None:
    server.length = length
    (fetched,) = download(offered(SHA256), tmp_path / "new" / "folder")
    assert fetched.path == tmp_path / "new" / "folder" / "a.zip" and fetched.path.read_bytes() == CONTENT
    assert (fetched.size, fetched.sha256, fetched.checked, fetched.was_there) == (
        len(CONTENT),
        SHA256,
        "published",
        False,
    )
    assert names(fetched.path.parent) == ["a.zip"]
    (again,) = download(offered(SHA256), fetched.path.parent)
    assert again == replace(fetched, was_there=True)
    assert len(server.asked) == 1


def test_without_a_published_checksum_the_first_is_recorded_and_compared_with(
    server: Server, offered: Callable[..., Corpus], tmp_path: Path
) -> None:
    (first,) = download(offered(), tmp_path)
    assert (first.sha256, first.checked) == (SHA256, "first")
    assert (tmp_path / "a.zip.sha256").read_text() == f"{SHA256}  a.zip\n"  # as sha256sum writes it
    (second,) = download(offered(), tmp_path)
    assert (second.checked, second.was_there) == ("recorded", True)
    (tmp_path / "a.zip").write_bytes(CONTENT + b"!")
    with pytest.raises(
        DatasetError, match=rf"a\.zip: expected the recorded sha256 {SHA256}, found \w{{64}}; remove it"
    ):
        download(offered(), tmp_path)
    (tmp_path / "a.zip").unlink()
    server.content = CONTENT + b"?"  # and the server has another one now
    with pytest.raises(
        DatasetError, match=rf"recorded sha256 {SHA256}, found \w{{64}}; remove .*a\.zip\.sha256 to accept"
    ):
        download(offered(), tmp_path)
    assert names(tmp_path) == ["a.zip.sha256"]


def test_a_file_that_was_there_before_is_recorded_not_fetched(
    server: Server, offered: Callable[..., Corpus], tmp_path: Path
) -> None:
    (tmp_path / "a.zip").write_bytes(b"mine")
    (fetched,) = download(offered(), tmp_path)
    assert (fetched.checked, fetched.was_there, server.asked) == ("first", True, [])
    with pytest.raises(DatasetError, match=r"expected the published sha256"):
        download(offered(SHA256), tmp_path)


def test_progress_is_reported_in_megabytes(server: Server, offered: Callable[..., Corpus], tmp_path: Path) -> None:
    told: list[tuple[int, int | None, str]] = []
    download(offered(), tmp_path, report=lambda *now: told.append(now))
    assert told[0] == (1, 3, "a.zip, MB") and told[-1] == (3, 3, "a.zip, MB")
    (tmp_path / "a.zip").unlink()
    told.clear()
    server.length = False
    download(offered(), tmp_path, report=lambda *now: told.append(now))
    assert told[-1] == (2, None, "a.zip, MB")


# ---- cut ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [True, False])
def test_a_cut_download_goes_on_where_it_was_cut(
    server: Server, offered: Callable[..., Corpus], tmp_path: Path, length: bool
) -> None:
    server.length = length
    server.cut = 1_500_000
    with pytest.raises(DatasetError, match=r"a\.zip: the connection was cut after \d+.* bytes.*a\.zip\.part: run the"):
        download(offered(SHA256), tmp_path)
    assert names(tmp_path) == ["a.zip.part", "a.zip.part.tag"]
    have = (tmp_path / "a.zip.part").stat().st_size
    assert 0 < have <= 1_500_000 and (tmp_path / "a.zip.part").read_bytes() == CONTENT[:have]
    server.cut = None
    (fetched,) = download(offered(SHA256), tmp_path)
    assert fetched.path.read_bytes() == CONTENT
    assert server.asked == [{}, {"Range": f"bytes={have}-", "If-Range": '"first"'}]
    assert names(tmp_path) == ["a.zip"]


def test_a_server_without_ranges_begins_anew(server: Server, offered: Callable[..., Corpus], tmp_path: Path) -> None:
    server.ranges, server.cut = False, 1_500_000
    with pytest.raises(DatasetError, match="the connection was cut"):
        download(offered(SHA256), tmp_path)
    server.cut = None
    (fetched,) = download(offered(SHA256), tmp_path)
    assert fetched.path.read_bytes() == CONTENT and names(tmp_path) == ["a.zip"]


def test_a_file_that_has_changed_meanwhile_is_fetched_anew(
    server: Server, offered: Callable[..., Corpus], tmp_path: Path
) -> None:
    server.cut = 1_500_000
    with pytest.raises(DatasetError, match="the connection was cut"):
        download(offered(), tmp_path)
    server.cut, server.tag, server.content = None, '"second"', CONTENT[::-1]
    (fetched,) = download(offered(), tmp_path)
    assert fetched.path.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_what_no_tag_holds_together_is_not_put_together(
    server: Server, offered: Callable[..., Corpus], tmp_path: Path, tag: str | None
) -> None:
    server.cut, server.tag = 1_500_000, tag
    with pytest.raises(DatasetError, match="the connection was cut"):
        download(offered(), tmp_path)
    server.cut, server.content = None, CONTENT[::-1]
    (fetched,) = download(offered(), tmp_path)
    assert fetched.path.read_bytes() == CONTENT[::-1] and server.asked == [{}, {}]


def test_a_part_that_was_whole_already_is_not_fetched_again(
    server: Server, offered: Callable[..., Corpus], tmp_path: Path
) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    (tmp_path / "a.zip.part.tag").write_text('"first"')
    (fetched,) = download(offered(SHA256), tmp_path)
    assert fetched.path.read_bytes() == CONTENT and len(server.asked) == 1


def test_a_part_longer_than_the_file_is_thrown_away(
    server: Server, offered: Callable[..., Corpus], tmp_path: Path
) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT + b"more")
    (tmp_path / "a.zip.part.tag").write_text('"first"')
    (fetched,) = download(offered(SHA256), tmp_path)
    assert fetched.path.read_bytes() == CONTENT and len(server.asked) == 2


def test_other_bytes_than_those_asked_for_are_refused(
    server: Server, offered: Callable[..., Corpus], tmp_path: Path
) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT[:100])
    (tmp_path / "a.zip.part.tag").write_text('"first"')
    server.wrong_range = True
    with pytest.raises(DatasetError, match="expected the bytes that were asked for, found those from 101 on"):
        download(offered(SHA256), tmp_path)
    assert names(tmp_path) == []


# ---- wrong -------------------------------------------------------------------------------------------------------


def test_a_file_with_another_checksum_gets_no_name(
    server: Server, offered: Callable[..., Corpus], tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=rf"a\.zip: expected the published sha256 {'0' * 64}, found {SHA256}$"):
        download(offered("0" * 64), tmp_path)
    assert names(tmp_path) == []


def test_a_record_that_is_none_is_named(offered: Callable[..., Corpus], tmp_path: Path) -> None:
    (tmp_path / "a.zip.sha256").write_text("who knows")
    with pytest.raises(DatasetError, match=r"a\.zip\.sha256: expected 64 hexadecimal digits, found 'who knows'"):
        download(offered(), tmp_path)


def test_two_at_once_do_not_write_into_one_part(offered: Callable[..., Corpus], tmp_path: Path) -> None:
    from filelock import FileLock

    with FileLock(tmp_path / ".a.zip.lock"), pytest.raises(DatasetError, match="another process is fetching it"):
        download(offered(), tmp_path)


def test_a_folder_in_the_way_is_said(offered: Callable[..., Corpus], tmp_path: Path) -> None:
    (tmp_path / "a.zip").mkdir()
    with pytest.raises(DatasetError, match=r"a\.zip: expected a file, or nothing yet, found a folder"):
        download(offered(), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="file: expected a folder to write to"):
        download(offered(), tmp_path / "file")
    with pytest.raises(DatasetError, match="unknown corpus 'hmd05'"):
        download("hmd05", tmp_path)


def test_an_archive_that_leads_out_of_itself_is_not_unpacked_and_prepare_refuses_it(
    server: Server, offered: Callable[..., Corpus], tmp_path: Path
) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("../escaped/HDM_bd_clap1Reps_001_120.amc", "1\n")
    server.content = held.getvalue()
    (fetched,) = download(offered(), tmp_path / "archives")
    with pytest.raises(
        DatasetError, match=r"a\.zip: expected files inside it, found '\.\./escaped/.*', which leads out"
    ):
        prepare("hdm05", fetched.path, tmp_path / "data")
    assert names(tmp_path) == ["archives"] and names(tmp_path / "archives") == ["a.zip", "a.zip.sha256"]


# ---- the command -------------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


def test_the_command_says_what_it_has_fetched(
    server: Server,
    offered: Callable[..., Corpus],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CORPORA, "hdm05", offered())
    monkeypatch.setattr(pooch.get_logger().handlers[0], "emit", lambda record: pytest.fail(record.getMessage()))
    status, out, err = run(capsys, "download", "hdm05", "--to", tmp_path)
    assert status == 0 and "obtain: https://resources.mpi-inf.mpg.de/HDM05/ (CC BY-SA 3.0)" in out
    path = tmp_path / "a.zip"
    assert f"{path}: {len(CONTENT)} bytes, from {server.address}, sha256 {SHA256} (none is known" in out
    assert out.endswith(f"next: motionprint prepare hdm05 {path} --out DATASET\n")
    assert err.startswith("a.zip, MB: 1/3")
    status, out, err = run(capsys, "download", "hdm05", "--to", tmp_path, "--quiet")
    assert status == 0 and "was there" in out and "(as recorded before)" in out and err == ""


def test_the_command_says_in_one_line_what_the_server_refuses(
    server: Server,
    offered: Callable[..., Corpus],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CORPORA, "hdm05", offered())
    server.status = 404
    status, _, err = run(capsys, "download", "hdm05", "--to", tmp_path)
    assert (status, err) == (1, f"motionprint: {server.address}: expected the file, found: 404 Not Found\n")
    assert names(tmp_path) == []


def test_the_command_says_in_one_line_that_there_is_no_connection(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://127.0.0.1:9/a.zip"  # nobody listens
    monkeypatch.setitem(CORPORA, "hdm05", replace(CORPORA["hdm05"], downloads=(Download(url, "a.zip"),)))
    (tmp_path / "a.zip.part").write_bytes(b"kept")
    status, _, err = run(capsys, "download", "hdm05", "--to", tmp_path)
    assert (status, err) == (1, f"motionprint: {url}: expected the file, found no connection (ConnectionError)\n")
    assert names(tmp_path) == ["a.zip.part"]


def test_a_server_that_never_answers_is_left(
    offered: Callable[..., Corpus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(module, "_TIMEOUT", (1.0, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.zip"
        corpus = replace(CORPORA["hdm05"], downloads=(Download(url, "a.zip"),))
        with pytest.raises(DatasetError, match="expected the file, found no answer in time"):
            download(corpus, tmp_path)


@pytest.mark.parametrize("corpus", sorted(CORPORA))
def test_what_may_not_be_fetched_is_said(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if CORPORA[corpus].downloads:
        for file in CORPORA[corpus].downloads:
            assert file.url.startswith(("https://", "http://")) and "/" not in file.file
            assert file.sha256 is None or len(file.sha256) == 64
        return
    status, out, _ = run(capsys, "download", corpus, "--to", tmp_path / "none")
    assert status == 0 and f"obtain: {CORPORA[corpus].obtain}" in out and "nothing" in out
    assert not (tmp_path / "none").exists()
