"""Outputs that are either whole or not there: built beside their final name, renamed at the end.

Whatever ends the work early (an error, Ctrl-C, SIGTERM) removes what was built; an output that was to be replaced is
then still the old one. What a killed process leaves behind is cleared away by the next one that holds the name. Only
what can be gone on with is kept, under a name that says that it is unfinished.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import signal
import socket
import threading
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Literal

from motionprint.errors import DatasetError
from motionprint.store.dataset import FILES

__all__ = [
    "Kind",
    "flush",
    "held",
    "new_file",
    "new_files",
    "new_folder",
    "refused",
    "replaced",
    "unfinished_folder",
]

Kind = Literal["dataset", "run", "report", "index"]
"""What a folder is."""

_TITLES: dict[Kind, str] = {"dataset": "a data set", "run": "a run", "report": "a report", "index": "an index"}
_MARKS: dict[Kind, str] = {  # every folder of the kind has it
    "dataset": "prepare.json",
    "run": "config.json",
    "report": "report.json",
    "index": "index.json",
}
_NAMES: dict[Kind, tuple[str, ...]] = {
    "dataset": FILES,
    "run": ("config.json", "model.safetensors", "log.csv", "profile.json.gz", "profile.txt", "tensorboard"),
    "report": ("report.json", "index.md", "commands.txt"),
    "index": ("index.json",),
}
"""What motionprint writes into a folder of the kind: a folder that holds anything else is never replaced."""
_CHECKPOINT = re.compile(r"checkpoint-\d{8,}\.safetensors")
"""The names of a run's earlier checkpoints."""
_REPORTED = re.compile(r"table-[a-z0-9-]+\.(md|tex|csv)|figure-[a-z0-9-]+\.(png|svg|pdf)")
"""The names of a report's tables and figures."""
_GENERATION = re.compile(r"prints-\d{8,}\.usearch|table-\d{8,}\.parquet")
"""The names of an index's files, each of one generation."""


@contextlib.contextmanager
def held(out: str | Path, kind: Literal["run", "index"] = "run") -> Iterator[None]:
    """Hold the name of a run or an index folder, there or to be made, for this process alone.

    The system itself releases the name when the process ends, however it ends. What a killed process has left
    half-built beside the name is removed, and a folder that it was just replacing gets its name back.

    Raises
    ------
    DatasetError
        If another process holds the name (the text says which), or nothing can be written beside it.
    """
    target = Path(os.path.realpath(out))
    doing = {"run": "training into it", "index": "writing into it"}[kind]
    with _signals(), _parents(target), _locked(target, out, doing):
        _clear(target, kind)
        yield


@contextlib.contextmanager
def new_folder(
    out: str | Path,
    overwrite: bool = False,
    *,
    kind: Kind = "dataset",
    inputs: Iterable[str | Path] = (),
) -> Iterator[Path]:
    """A folder to fill, which gets the name ``out`` once the block ends without an error.

    Parameters
    ----------
    overwrite
        Whether a folder of that name may be replaced: an empty one, or one of the same kind in which nothing lies
        that motionprint did not write.
    kind
        What is built: a data set, a run, a report or an index.
    inputs
        Files and folders that are read meanwhile: ``out`` may lie in one of them, but not replace it.

    Raises
    ------
    DatasetError
        If ``out`` exists and may not be replaced (the text names what lies in it), or is or holds an input.
    """
    target = Path(os.path.realpath(out))
    for path in inputs:
        _refuse_input(target, out, path)
    _refuse_existing(target, out, overwrite)
    _refuse_foreign(target, out, kind)
    with _signals(), _parents(target):
        building = _beside(target, "building")
        try:
            building.mkdir()
        except OSError as error:
            raise DatasetError(refused(out, error)) from error
        try:
            yield building
            _refuse_existing(target, out, overwrite)
            _refuse_foreign(target, out, kind)
            _replace_folder(building, target)
            flush(target.parent)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise


@contextlib.contextmanager
def unfinished_folder(out: str | Path, overwrite: bool = False, *, inputs: Iterable[str | Path] = ()) -> Iterator[Path]:
    """A folder whose part ``dataset``, a data set to fill, gets the name ``out`` once the block ends without an error.

    It is called ``.NAME.unfinished`` and lies beside ``out``, which this process holds meanwhile. If the block fails or
    the process is killed, it stays with what lies in it, and is there again at the next time; an empty one is removed.

    Raises
    ------
    DatasetError
        As `new_folder`; or if another process holds the name.
    """
    target = Path(os.path.realpath(out))

    def check() -> None:
        _refuse_existing(target, out, overwrite)
        _refuse_foreign(target, out, "dataset")

    for path in inputs:
        _refuse_input(target, out, path)
    check()
    with _signals(), _parents(target), _locked(target, out, "preparing it"):
        _clear(target, "dataset")
        check()
        unfinished = target.with_name(f".{target.name}.unfinished")
        try:
            (unfinished / "dataset").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatasetError(refused(out, error)) from error
        try:
            yield unfinished
            check()
            _replace_folder(unfinished / "dataset", target)
            flush(target.parent)
            shutil.rmtree(unfinished, ignore_errors=True)
        except BaseException:
            for folder in (unfinished / "dataset", unfinished):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise


@contextlib.contextmanager
def new_file(out: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """A path to write a file to, which gets the name ``out`` once the block ends without an error.

    Raises
    ------
    DatasetError
        If ``out`` exists and may not be overwritten, is a folder, or is a file of a data set or a run, or nothing can
        be written there.
    """
    target = Path(os.path.abspath(out))
    if target.is_dir():
        raise DatasetError(f"{out}: expected a file to write, found a folder")
    _refuse_existing(target, out, overwrite)
    _refuse_part(target, out)
    with _signals(), _parents(target):
        building = _beside(target, "building")
        try:  # before the work, not after it
            building.touch()
            building.unlink()
        except OSError as error:
            raise DatasetError(refused(out, error)) from error
        try:
            yield building
            _refuse_existing(target, out, overwrite)
            _refuse_part(target, out)
            building.replace(target)
        except BaseException:
            building.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def new_files(folder: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """A folder to fill, whose files move into ``folder``, beside what is there, once the block ends without an error.

    Raises
    ------
    DatasetError
        If a file exists and may not be overwritten, is a folder, or is a file of a data set or a run: then none has
        been moved.
    """
    target = Path(os.path.abspath(folder))
    building = _beside(target / "files", "building")
    with _signals(), _parents(building):
        try:
            building.mkdir()
        except OSError as error:
            raise DatasetError(refused(folder, error)) from error
        try:
            yield building
            files = [file.relative_to(building) for file in sorted(building.rglob("*")) if file.is_file()]
            for file in files:
                if (target / file).is_dir():
                    raise DatasetError(f"{Path(folder) / file}: expected a file to write, found a folder")
                _refuse_existing(target / file, Path(folder) / file, overwrite)
                _refuse_part(target / file, Path(folder) / file)
            for file in files:
                (target / file).parent.mkdir(parents=True, exist_ok=True)
                (building / file).replace(target / file)
        except OSError as error:
            raise DatasetError(refused(folder, error)) from error
        finally:
            shutil.rmtree(building, ignore_errors=True)


@contextlib.contextmanager
def replaced(file: Path) -> Iterator[Path]:
    """A path to write the new content of a file of our own to; the file is replaced at once or not at all.

    The new content is on the disk before it gets the name, so that a power failure leaves one or the other.
    """
    writing = file.with_name(f".{file.name}.writing")
    try:
        yield writing
        flush(writing)
        writing.replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            writing.unlink()
        raise
    flush(file.parent)


_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "; make room"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "; make the folder writable"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "; was the folder moved or removed?"),
}


def refused(path: str | Path, error: OSError) -> str:
    """What the system refuses to write, why, and what helps, in one line."""
    return f"{path}: cannot be written: {error.strerror or error}{_REMEDIES.get(error.errno or 0, '')}"


def flush(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    if not path.is_dir():
        _sync(path, os.O_RDWR)
    elif os.name != "nt":  # Windows opens no folders
        with contextlib.suppress(OSError):  # nor do some network file systems wait for them
            _sync(path, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    opened = os.open(path, flags)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


# ---- one writer at a time ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _locked(target: Path, out: str | Path, doing: str) -> Iterator[None]:
    """Hold a lock file beside the target, which says who holds it; it is gone afterwards."""
    from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

    file = target.with_name(f".{target.name}.lock")
    before = _holder(file)  # some versions of filelock empty the file that they try to lock
    lock: BaseFileLock = FileLock(file, timeout=0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of file systems that know no locks, where the file itself is one
            lock.acquire()
    except Timeout:
        who = _holder(file) or before
        raise DatasetError(
            f"{out}: another process{f' ({who})' if who else ''} is {doing}; "
            f"wait for its end, or choose another folder (should there be none, remove {file})"
        ) from None
    except OSError as error:
        raise DatasetError(refused(file, error)) from error
    if isinstance(lock, SoftFileLock):  # its content is what tells a dead holder
        try:
            yield
        finally:
            lock.release()
        return
    try:
        with contextlib.suppress(OSError):  # a full disk does not hinder the lock itself
            file.write_text(f"pid {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink()  # while it is held: whoever waits for it finds that it is gone, and makes its own
        lock.release()


def _holder(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _clear(target: Path, kind: Kind) -> None:
    """Remove what killed processes left beside a name that is held; put back a folder that one was just replacing."""
    left = re.compile(rf"\.{re.escape(target.stem)}\.(building|old)-[0-9a-f]{{8}}{re.escape(target.suffix)}")
    for folder in sorted(target.parent.iterdir()):
        match = left.fullmatch(folder.name)
        if match is None or not folder.is_dir() or not all(_ours(entry, kind) for entry in folder.iterdir()):
            continue  # of the other kind, perhaps one that is being made under this name
        if match[1] == "building" and kind == "dataset":
            continue  # `write_dataset` holds no name
        if match[1] == "old" and not target.exists():
            folder.rename(target)
        else:
            shutil.rmtree(folder, ignore_errors=True)


# ---- what is never replaced --------------------------------------------------------------------------------------


def _refuse_existing(target: Path, out: str | Path, overwrite: bool) -> None:
    if os.path.lexists(target) and not overwrite:
        raise DatasetError(f"{out}: exists; --overwrite replaces it")


def _refuse_input(target: Path, out: str | Path, path: str | Path) -> None:
    read = Path(os.path.realpath(path))
    if target == read:
        raise DatasetError(f"{out}: expected an output apart from what is read, found the same path")
    if target in read.parents:
        raise DatasetError(f"{out}: expected an output apart from what is read, found that it holds {path}")


def _refuse_foreign(target: Path, out: str | Path, kind: Kind) -> None:
    """Refuse to replace anything but a folder in which all is what motionprint writes for this kind."""
    if not target.exists():
        return
    if not target.is_dir():
        raise DatasetError(f"{out}: expected a folder to replace, found a file")
    expected = f"{out}: expected {_TITLES[kind]} that motionprint wrote to replace"
    try:
        entries = sorted(target.iterdir())
        foreign = [entry.name for entry in entries if not _ours(entry, kind)]
    except OSError as error:
        raise DatasetError(f"{expected}, found: {error.strerror}") from error
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise DatasetError(f"{expected}, found {foreign[0]!a}{more} in it, which is none of its files")
    if entries and not (target / _MARKS[kind]).exists():
        raise DatasetError(f"{expected}, found no {_MARKS[kind]} in it")


def _ours(entry: Path, kind: Kind) -> bool:
    """Whether an entry of a folder is one that motionprint writes into a folder of this kind."""
    if entry.name == "run" and kind == "index":
        return entry.is_dir() and all(_ours(each, "run") for each in entry.iterdir())
    if entry.name == ".adding" and kind == "index":  # of a process that was killed
        return entry.is_dir() and all(each.suffix == ".parquet" for each in entry.iterdir())
    if entry.name == "tensorboard" and kind == "run":
        return entry.is_dir() and all(each.name.startswith("events.out.tfevents.") for each in entry.iterdir())
    if not _is_named(entry.name, kind) or entry.is_dir():
        return False
    return entry.name != "config.json" or _is_run_config(entry)  # many other programs write a config.json


def _is_named(name: str, kind: Kind) -> bool:
    """Whether a folder of this kind has files of this name."""
    plain = _plain_name(name)
    more = {"run": _CHECKPOINT, "report": _REPORTED, "index": _GENERATION}.get(kind)
    return plain in _NAMES[kind] or (more is not None and more.fullmatch(plain) is not None)


def _plain_name(name: str) -> str:
    """The name of a file, also where a process that was killed has left it half-written as ``.NAME.writing``."""
    if name.startswith(".") and name.endswith(".writing"):
        return name[1 : -len(".writing")]
    return name


def _is_run_config(file: Path) -> bool:
    """Whether a config.json is that of a run; a damaged one counts as such."""
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return True
    return isinstance(table, dict) and "recipe" in table


def _refuse_part(target: Path, out: str | Path) -> None:
    """Refuse to overwrite a single file of a data set or a run."""
    for kind, mark in _MARKS.items():
        if target.exists() and _is_named(target.name, kind) and (target.parent / mark).exists():
            raise DatasetError(f"{out}: expected a file of its own to replace, found {target.name} of {_TITLES[kind]}")


# ---- building and placing ----------------------------------------------------------------------------------------


def _beside(target: Path, what: str) -> Path:
    """A hidden name that is not taken, with the suffix of the target, which some writers go by."""
    return target.with_name(f".{target.stem}.{what}-{secrets.token_hex(4)}{target.suffix}")


def _replace_folder(building: Path, target: Path) -> None:
    if not target.exists():
        building.rename(target)
        return
    old = _beside(target, "old")
    target.rename(old)
    try:
        building.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _parents(target: Path) -> Iterator[None]:
    """Make the folders above the target; remove those made, where they stay empty, if the block fails."""
    made = [folder for folder in target.parents if not folder.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"{target.parent}: cannot be made: {error.strerror}") from error
    try:
        yield
    except BaseException:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Let SIGTERM end the block as an exception, where nobody else has a use for it."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
