"""What of a long piece of work is done: a file that outlives the process that writes it.

One JSON object a line: first what the work is, then an entry for each part that is done, in their order. Lines are
handed to the system as they are written, so that they are there even if the process is killed. What was being written
at that moment is no whole line, and counts as not done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from motionprint.errors import DatasetError

__all__ = ["Entry", "Journal"]

Entry = dict[str, Any]
"""A part that is done."""


class Journal:
    """The journal of a piece of work; use it in a ``with`` statement.

    Parameters
    ----------
    file
        Where it lies.
    work
        What the work is: whatever its result depends on.
    note
        What else the first line keeps: ``note`` is then that of the journal that is gone on with.
    what
        What messages call it.
    resume
        Whether to go on with the journal that is there: take what `entries` gives, then `add`. Without it, or where
        there is none, it begins anew.

    Raises
    ------
    DatasetError
        If the journal that is there is of other work: the text names what differs.
    """

    def __init__(self, file: Path, work: Entry, note: str, *, what: str, resume: bool) -> None:
        self.note = note
        self.done = 0
        """Parts that are done."""
        work = json.loads(json.dumps(work))
        earlier = _first_line(file) if resume else None
        self._stream = file.open("w+b" if earlier is None else "r+b")
        if earlier is None:
            self._write({"work": work, "note": note})
        else:
            self._stream.readline()
            differs = sorted(key for key in {*work, *earlier["work"]} if work.get(key) != earlier["work"].get(key))
            if differs:
                self._stream.close()
                raise DatasetError(
                    f"{what}: what was begun with `{earlier['note']}` cannot be gone on with: expected the same "
                    f"{', '.join(differs)} as then; without --resume it begins anew"
                )
            self.note = earlier["note"]
        self._end = self._stream.tell()
        self._cut = earlier is not None  # whether there may be entries past the end, which cannot be used

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def entries(self) -> Iterator[Entry]:
        """What an earlier process has done; an entry counts as done here once the one after it is asked for."""
        while (entry := _entry(self._stream.readline())) is not None:
            end = self._stream.tell()
            yield entry
            self._end, self.done = end, self.done + 1

    def add(self, entry: Entry) -> None:
        """Write that one more part is done."""
        if self._cut:
            self._stream.seek(self._end)
            self._stream.truncate()
            self._cut = False
        self._write(entry)
        self._end, self.done = self._stream.tell(), self.done + 1

    def _write(self, entry: Entry) -> None:
        self._stream.write(json.dumps(entry).encode() + b"\n")
        self._stream.flush()


def _first_line(file: Path) -> Entry | None:
    try:
        with file.open("rb") as stream:
            return _entry(stream.readline())
    except FileNotFoundError:
        return None


def _entry(line: bytes) -> Entry | None:
    """What a line holds; None where it is not whole."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:  # bytes of a file whose end had not reached the disk when the power went
        return None
    return entry if isinstance(entry, dict) else None
