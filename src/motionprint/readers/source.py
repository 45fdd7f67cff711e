"""A folder, a single file or a ``.zip``, seen alike: names in, bytes out.

Archives are never unpacked, and never trusted: a member whose name leads out of the archive, a link, a member that
grows beyond what is allowed while it is decompressed are refused by name.
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import TracebackType
from uuid import uuid4

from motionprint.errors import DatasetError

__all__ = ["MAX_BYTES", "Source"]

MAX_BYTES = 2 * 1024**3
"""No single file may be larger: four hours of full-body motion at 120 frames/s are."""
_MAX_RATIO = 300  # motion written as text shrinks 3 to 20 times, a bomb about 1,000 times
_SMALL = 16 * 1024**2  # up to here the ratio does not matter
_CHUNK = 4 * 1024**2


class Source:
    """Where recordings come from; use it in a ``with`` statement.

    It can be sent to other processes, which open it once, by its absolute path; messages then still call it what it is
    called here.

    Raises
    ------
    DatasetError
        If there is nothing at ``path``, or a pipe or device, or it is no archive that can be read, or a member
        leads out of it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        """The folder, file or archive."""
        self._called = self.path  # in messages
        self._token = uuid4().hex  # what tells it from one that was opened at another time
        self._archive: zipfile.ZipFile | None = None
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._above: dict[str, Path] = {}
        self._listed: dict[Path, list[str]] = {}
        self._folders: dict[str, list[str]] | None = None
        if not self.path.exists():
            raise DatasetError(f"{path}: expected a folder, a file or a .zip archive, found nothing")
        if not (self.path.is_dir() or self.path.is_file()):
            raise DatasetError(f"{path}: expected a folder, a file or a .zip archive, found a pipe, socket or device")
        _require_text(str(self.path))
        self._folder = self.path if self.path.is_dir() else self.path.parent
        if self.path.is_dir():
            self._names: list[str] | None = None
        elif is_archive(self.path):
            self._open_archive()
        else:
            self._names = [self.path.name]

    @classmethod
    def open(cls, path: str | Path) -> Source:
        """The source at ``path``."""
        return cls(path)

    def __reduce__(self) -> tuple[Callable[..., Source], tuple[str, str, str]]:
        return _opened, (os.path.abspath(self.path), str(self._called), self._token)

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the archive, if it is one."""
        if self._archive is not None:
            self._archive.close()

    @property
    def is_single(self) -> bool:
        """Whether the source is one file rather than a folder or an archive."""
        return self._archive is None and not self.path.is_dir()

    def names(self) -> list[str]:
        """The files, sorted, with ``/`` between folders; hidden ones (``.x``, ``__MACOSX``) are left out.

        Pipes, sockets and devices are no files.

        Raises
        ------
        DatasetError
            If the name of a file is no text.
        """
        if self._names is None:
            names = sorted(_walk(self.path))
            for name in names:
                _require_text(str(self.path / name))
            self._names = names
        return list(self._names)

    def label(self, name: str | None = None) -> str:
        """What error messages call the source or a file in it: ``hdm05.zip:walk/a.amc``."""
        if name is None:
            return str(self._called)
        if self._archive is not None:
            return f"{self._called}:{name}"
        path = self._above.get(name, self._folder / name)
        if self._called == self.path or not path.is_relative_to(self._folder):
            return str(path)
        called = self._called.parent if self.is_single else self._called
        return str(called / path.relative_to(self._folder))

    def stamp(self, name: str) -> tuple[int, int] | None:
        """The size of a file in bytes, and what changes with its content: its time (ns), in an archive its checksum.

        None if there is no such file.
        """
        if self._archive is not None:
            member = self._members.get(name)
            return None if member is None else (member.file_size, member.CRC)
        try:
            status = (self._above.get(name) or self._folder / name).stat()
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns

    def read_bytes(self, name: str) -> bytes:
        """The content of a file.

        Raises
        ------
        DatasetError
            If there is no such file, or it is damaged, encrypted or too large.
        """
        if self._archive is not None:
            return self._read_member(name)
        path = self._above.get(name)
        if path is None:
            _require_inside(name, self.label())
            path = self._folder / name
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise DatasetError(f"{self.label(name)}: expected a file, found a folder, pipe, socket or device")
            if status.st_size > MAX_BYTES:
                raise DatasetError(f"{self.label(name)}: expected at most {MAX_BYTES} bytes, found {status.st_size}")
            return path.read_bytes()
        except OSError as error:
            raise DatasetError(
                f"{self.label(name)}: expected a file that can be read, found: {error.strerror or error}"
            ) from error

    def folders_above(self, name: str, levels: int = 2) -> Iterator[tuple[str, list[str]]]:
        """The folder that a file lies in, then the ones above it: what each is called, and the files in it.

        Goes up to the top of the source, and for folders and single files beyond it as long as it is no more than
        ``levels`` above the file. The names can be handed to ``read_bytes``.
        """
        if self._folders is None:
            self._folders = {}
            for each in self.names():
                self._folders.setdefault(_parent(each), []).append(each)
        folder, climbed = _parent(name), 0
        while True:
            if folder == "" and self.is_single:
                break
            yield self.label(folder or ("." if self._archive is None else "")), self._folders.get(folder, [])
            climbed += 1
            if folder == "":
                break
            folder = _parent(folder)
        if self._archive is not None:
            return
        above = self._folder if self.is_single else self._folder.resolve().parent
        for _ in range(climbed, levels + 1):
            yield str(above), self._outside(above)
            if above.resolve().parent == above.resolve():
                return
            above = above.resolve().parent

    def _outside(self, folder: Path) -> list[str]:
        """Names for the files of a folder on the disk that may lie above the source."""
        if folder not in self._listed:
            try:
                paths = sorted(path for path in folder.iterdir() if path.is_file() and _is_text(str(path)))
            except OSError:
                paths = []
            self._above.update((str(path), path) for path in paths)
            self._listed[folder] = [str(path) for path in paths]
        return self._listed[folder]

    def _open_archive(self) -> None:
        try:
            self._archive = zipfile.ZipFile(self.path)
        except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
            raise DatasetError(f"{self.path}: expected a .zip archive that can be read, found: {error}") from error
        try:
            for member in self._archive.infolist():
                name = member.filename.replace("\\", "/")
                _require_inside(name, self.label())
                if stat.S_ISLNK(member.external_attr >> 16):
                    raise DatasetError(f"{self.path}: expected files, found the link {name!r}")
                if member.is_dir() or name.endswith("/") or _hidden(name):
                    continue
                if name in self._members:
                    raise DatasetError(f"{self.path}: expected every file once, found {name!r} twice")
                self._members[name] = member
        except DatasetError:
            self._archive.close()
            raise
        self._names = sorted(self._members)

    def _read_member(self, name: str) -> bytes:
        assert self._archive is not None
        member, where = self._members.get(name), self.label(name)
        if member is None:
            raise DatasetError(f"{where}: expected a file in the archive, found none of that name")
        allowed = min(MAX_BYTES, max(_SMALL, member.compress_size * _MAX_RATIO))
        if member.flag_bits & 1:
            raise DatasetError(f"{where}: expected a plain file, found an encrypted one")
        chunks: list[bytes] = []
        size = 0
        try:
            with self._archive.open(member) as stream:
                while chunk := stream.read(_CHUNK):
                    size += len(chunk)
                    if size > allowed:
                        raise DatasetError(
                            f"{where}: expected at most {allowed} bytes for {member.compress_size} compressed ones, "
                            "found more: refused as a decompression bomb"
                        )
                    chunks.append(chunk)
        except (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
            raise DatasetError(f"{where}: expected an undamaged file, found: {error}") from error
        return b"".join(chunks)


@lru_cache(maxsize=2)
def _opened(path: str, called: str, token: str) -> Source:
    """A source that was sent here, opened once for all that comes with it."""
    if not os.path.exists(path):
        raise DatasetError(
            f"{called}: expected every process to read it at {path}, as where it was given, found nothing"
        )
    source = Source(path)
    source._called, source._token = Path(called), token
    return source


def is_archive(path: Path) -> bool:
    """Whether a file is a ``.zip``, by its first bytes or its name; an ``.npz`` is one recording."""
    if path.suffix.lower() == ".npz":
        return False
    if path.suffix.lower() == ".zip":
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def _require_inside(name: str, where: str) -> None:
    if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in name.split("/") or "\0" in name:
        raise DatasetError(f"{where}: expected files inside it, found {name!r}, which leads out of it")


def _is_text(name: str) -> bool:
    """Whether a name can be written down: on some systems names are bytes, which need not be text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _require_text(path: str) -> None:
    if not _is_text(path):
        raise DatasetError(f"{path!a}: expected a name in UTF-8, found other bytes; rename it")


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _parent(name: str) -> str:
    parent = str(PurePosixPath(name).parent)
    return "" if parent == "." else parent


def _walk(top: Path) -> Iterator[str]:
    seen = {top.resolve()}
    for folder, inner, files in os.walk(top, followlinks=True):
        here = Path(folder)
        inner[:] = [each for each in inner if not _hidden(each)]
        for each in list(inner):  # a link to a folder above would never end
            real = (here / each).resolve()
            if real in seen:
                inner.remove(each)
            seen.add(real)
        for each in files:
            if not _hidden(each) and _may_be_read(here / each):
                yield (here / each).relative_to(top).as_posix()


def _may_be_read(path: Path) -> bool:
    """Whether a path is no pipe, socket or device; a link that leads nowhere fails by name once it is read."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True
