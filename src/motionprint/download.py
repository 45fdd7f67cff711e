"""Fetching the data sets that may be fetched; where the others are to be had is said by their corpora.

A file is fetched with pooch into ``FILE.part`` first, and only a whole one whose checksum is right gets its name. What
a cut connection has left is continued by the next call, if the server can (HTTP Range) and the file there is still the
same (its ETag or date of change, kept in ``FILE.part.tag``, is sent along as If-Range).

Of few data sets a checksum is known. Without one, that of what was fetched is kept in ``FILE.sha256``, in the form that
``sha256sum --check`` reads, and later calls compare with it: it tells a file that has changed, not a wrong one.

Nothing is unpacked: `prepare` reads archives as they are, and refuses those whose members lead out of them.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from motionprint.corpora import CORPORA
from motionprint.corpora.corpus import Corpus, Download
from motionprint.errors import DatasetError
from motionprint.progress import Report

if TYPE_CHECKING:
    from requests import Response

__all__ = ["Fetched", "download"]

_CHUNK = 1024**2  # bytes
_TIMEOUT = (15.0, 60.0)  # seconds: to connect, between two pieces of an answer
_MB = 1_000_000

Checked = Literal["published", "recorded", "first"]
"""What a checksum was compared with: the data set's own, that of an earlier call, or nothing yet."""


@dataclass(frozen=True)
class Fetched:
    """A file that is now there."""

    path: Path
    url: str
    size: int
    """Bytes."""
    sha256: str
    checked: Checked
    was_there: bool
    """Whether it was there before and nothing was fetched."""


def download(corpus: str | Corpus, to: str | Path = ".", *, report: Report | None = None) -> list[Fetched]:
    """Fetch the files of a corpus that may be fetched; none where a corpus has no such files.

    Parameters
    ----------
    corpus
        One of `CORPORA`, by name.
    to
        The folder that the files are put into; it is made where it is missing.
    report
        Called with (done, total, text) now and then, in megabytes; total is None where the server does not say.

    Returns
    -------
    fetched : list of Fetched
        In the order of the corpus's `downloads`.

    Raises
    ------
    DatasetError
        If the corpus is not known, there is no connection, it is cut (what has come is kept), the server refuses, a
        checksum differs, or the folder cannot be written to.
    """
    if isinstance(corpus, str):
        if corpus not in CORPORA:
            raise DatasetError(f"unknown corpus {corpus!r}: expected one of {', '.join(CORPORA)}")
        corpus = CORPORA[corpus]
    folder = Path(to)
    if corpus.downloads:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatasetError(f"{folder}: expected a folder to write to, found: {error.strerror or error}") from error
    return [_fetch(each, folder, report) for each in corpus.downloads]


def _fetch(file: Download, folder: Path, report: Report | None) -> Fetched:
    path = folder / file.file
    with _alone(path):
        recorded = _recorded(path)
        expected, checked = file.sha256 or recorded, _checked(file, recorded)
        was_there = path.exists()
        if was_there and not path.is_file():
            raise DatasetError(f"{path}: expected a file, or nothing yet, found a folder or device")
        if was_there:
            found = _sha256(path, report)
            if expected is not None and found != expected:
                raise DatasetError(_differs(path, found, expected, checked) + "; remove it to fetch it again")
        else:
            found = _fetch_new(file, path, expected, checked, report)
        if checked == "first":
            _write(_record(path), f"{found}  {path.name}\n")
        return Fetched(path, file.url, path.stat().st_size, found, checked, was_there)


def _fetch_new(file: Download, path: Path, expected: str | None, checked: Checked, report: Report | None) -> str:
    """Fetch a file that is not there; its checksum."""
    import pooch
    from requests import HTTPError, RequestException, Timeout

    whole = _Whole(path, expected, checked, report)
    try:
        with _without_chatter():
            pooch.retrieve(file.url, None, path.name, path.parent, downloader=whole)
    except HTTPError as error:
        found = "an error" if error.response is None else f"{error.response.status_code} {error.response.reason}"
        raise DatasetError(f"{file.url}: expected the file, found: {found}") from error
    except RequestException as error:
        found = "no answer in time" if isinstance(error, Timeout) else f"no connection ({type(error).__name__})"
        raise DatasetError(f"{file.url}: expected the file, found {found}") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be written: {error.strerror or error}") from error
    return whole.sha256


class _Whole:
    """A downloader for pooch: goes on where the last call was cut, and hands over only what is whole and right."""

    def __init__(self, path: Path, expected: str | None, checked: Checked, report: Report | None) -> None:
        self._path, self._expected, self._checked, self._report = path, expected, checked, report
        self._part = path.with_name(path.name + ".part")
        self._tag = path.with_name(path.name + ".part.tag")
        self.sha256 = ""

    def __call__(self, url: str, output: str | Path, pooch: Any) -> None:
        response = self._ask(url)
        if response is not None:
            with response:
                self._receive(response, url)
        self.sha256 = _sha256(self._part, None)
        if self._expected is not None and self.sha256 != self._expected:
            self._forget()
            remedy = f"; remove {_record(self._path)} to accept what is there now"
            raise DatasetError(
                _differs(url, self.sha256, self._expected, self._checked)
                + (remedy if self._checked == "recorded" else "")
            )
        self._part.replace(output)
        self._forget()

    def _ask(self, url: str) -> Response | None:
        """The answer to a request for the rest of the file, or for all of it; None where all of it is there."""
        import requests

        have, tag = self._have()
        headers = {"Accept-Encoding": "identity"}  # bytes are counted: none of them compressed on the way
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": tag}
        response = requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT)
        if have and response.status_code == 416:  # no bytes from there on
            response.close()
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return None
            self._forget()
            return self._ask(url)
        response.raise_for_status()
        return response

    def _receive(self, response: Response, url: str) -> None:
        """Write what comes behind what is there, or in place of it."""
        from requests import RequestException

        done = _range_start(response)
        if done is None:
            self._forget()
            self._tag.write_text(_validator(response), encoding="utf-8")
            done = 0
        elif done != self._have()[0]:
            self._forget()
            raise DatasetError(f"{url}: expected the bytes that were asked for, found those from {done} on")
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if re.fullmatch("[0-9]{1,18}", length) else None
        why = ""
        with self._part.open("ab") as stream:
            try:
                for chunk in response.iter_content(_CHUNK):
                    stream.write(chunk)
                    done += len(chunk)
                    _tell(self._report, done, total, self._path.name)
            except RequestException as error:
                why = f" ({type(error).__name__})"
        if why or (total is not None and done < total):
            of = "" if total is None else f" of {total}"
            raise DatasetError(
                f"{url}: the connection was cut after {done}{of} bytes{why}; they are kept in {self._part}: run the "
                "command again to go on"
            )

    def _have(self) -> tuple[int, str]:
        """How many bytes are there, and what tells that the file at the server is the same; 0 where nothing does."""
        try:
            tag, size = self._tag.read_text(encoding="utf-8").strip(), self._part.stat().st_size
        except (OSError, UnicodeDecodeError):
            return 0, ""
        return (size, tag) if re.fullmatch(r"[\x20-\x7e]+", tag) else (0, "")

    def _forget(self) -> None:
        self._part.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)


def _range_start(response: Response) -> int | None:
    """Which byte of the file an answer begins with; None where it is the whole file."""
    if response.status_code != 206:
        return None
    found = re.match(r"bytes (\d{1,18})-", response.headers.get("Content-Range", ""))
    return -1 if found is None else int(found[1])


def _validator(response: Response) -> str:
    """What If-Range may hold: a strong ETag, or the date of change."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


# ---- checksums ---------------------------------------------------------------------------------------------------


def _record(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _recorded(path: Path) -> str | None:
    """The checksum that an earlier call has kept."""
    record = _record(path)
    try:
        text = record.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{record}: expected a checksum, found: {error}") from error
    found = re.match(r"([0-9a-f]{64})\b", text)
    if found is None:
        raise DatasetError(f"{record}: expected 64 hexadecimal digits, found {text[:64]!r}")
    return found[1]


def _checked(file: Download, recorded: str | None) -> Checked:
    return "published" if file.sha256 is not None else "first" if recorded is None else "recorded"


def _differs(what: Path | str, found: str, expected: str, checked: Checked) -> str:
    whose = "the published" if checked == "published" else "the recorded"
    return f"{what}: expected {whose} sha256 {expected}, found {found}"


def _sha256(path: Path, report: Report | None) -> str:
    digest, done, size = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            _tell(report, done, size, f"comparing {path.name}")
    return digest.hexdigest()


# ---- the rest ----------------------------------------------------------------------------------------------------


def _tell(report: Report | None, done: int, total: int | None, what: str) -> None:
    """Say how far it is, in megabytes, so that the last one is reached with the last byte."""
    if report is not None:
        whole = None if total is None else -(-total // _MB)
        report(-(-done // _MB) if done == total else done // _MB, whole, f"{what}, MB")


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep pooch from writing to standard error what is said here."""
    import pooch

    logger: logging.Logger = pooch.get_logger()  # which logging.getLogger does not know
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a file's name, so that two processes do not write into one ``.part``."""
    from filelock import FileLock, Timeout

    file = path.with_name(f".{path.name}.lock")
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise DatasetError(f"{path}: another process is fetching it") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        lock.release()


def _write(path: Path, text: str) -> None:
    """Write a small file at once or not at all."""
    writing = path.with_name(f".{path.name}.writing")
    try:
        writing.write_text(text, encoding="utf-8")
        os.replace(writing, path)
    except OSError as error:
        writing.unlink(missing_ok=True)
        raise DatasetError(f"{path}: cannot be written: {error.strerror or error}") from error
