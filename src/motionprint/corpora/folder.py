"""A user's own files, in any format that can be read; labels are optional.

Where labels come from (`labels`):

- a CSV file with the columns `file` (relative to the source), `label` and `subject`, either of which may be missing or
  empty; further columns are kept as columns of the data set. Files that it does not name have neither. With `start` or
  `end` (seconds) a row is a segment of its file, which may then have several rows;
- a pattern such as ``{label}_{subject}_{take}``, which the name of each file without its ending has to follow; fields
  other than label and subject are kept as columns. A field holds none of the characters that stand around it in the
  pattern;
- `subfolders`: a recording's label is the name of the folder that it lies in;
- `none`;
- by default the file ``labels.csv`` at the top of the source; without one `subfolders`, if all recordings lie in two
  or more folders whose names are words (bare numbers, such as CMU's ``02/02_01.amc``, say who moves, not what is
  done); else `none`. ``prepare.json`` says which it was.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath
from string import Formatter
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from motionprint.corpora.corpus import Corpus, Options, Recording
from motionprint.corpora.tables import Row, Table, read_table
from motionprint.errors import DatasetError, ReadError, SettingsError
from motionprint.readers import READERS, motion_names, read_from, recording_name
from motionprint.sequence import SkeletonSequence

if TYPE_CHECKING:
    from motionprint.readers.settings import ReadSettings
    from motionprint.readers.source import Source

__all__ = ["CORPUS", "labels_from"]

TABLE = "labels.csv"
_LABELS = "`subfolders`, `none`, a pattern such as {label}_{subject}_{take}, or a CSV file"


@dataclass(frozen=True)
class _Segment:
    """A part of a recording."""

    start: float | None  # seconds; None is where the recording begins
    end: float | None  # seconds; None is where it ends
    table: str
    line: int

    @property
    def suffix(self) -> str:
        """What it adds to the name of the recording."""
        return f"[{_seconds(self.start or 0.0)}-{'' if self.end is None else _seconds(self.end)}]"

    def of(self, sequence: SkeletonSequence, file: str) -> SkeletonSequence:
        """The frames from `start` to before `end`; a ReadError where the recording is not that long."""
        first = 0 if self.start is None else round(self.start * sequence.fps)
        last = len(sequence) if self.end is None else round(self.end * sequence.fps)
        if not first < last <= len(sequence):
            raise ReadError(
                f"expected a segment of at least a frame within the {sequence.duration:.2f} s of {file}, found "
                f"{self.suffix[1:-1]} s",
                file=self.table,
                line=self.line,
            )
        return replace(sequence, positions=sequence.positions[first:last])


@dataclass(frozen=True)
class _Said:
    """What is said of a recording, or of a segment."""

    label: str | None = None
    subject: str | None = None
    extra: dict[str, str | float | None] = field(default_factory=dict)
    segment: _Segment | None = None


class _LastFile:
    """Reads files, and keeps the last one: the segments of a file follow each other."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._last: tuple[str, ReadSettings, list[SkeletonSequence]] | None = None

    def read(self, file: str, settings: ReadSettings, segment: _Segment) -> list[SkeletonSequence]:
        """The segment, of each person in the file."""
        if self._last is None or self._last[:2] != (file, settings):
            self._last = None  # first make room
            self._last = (file, settings, read_from(self._source, file, settings))
        return [segment.of(sequence, self._source.label(file)) for sequence in self._last[2]]


def recordings(source: Source | None, options: Options) -> Iterator[Recording]:
    """All files with the ending of a motion format, by name; JSON that holds no skeletons is none."""
    assert source is not None
    files = _files(source, options)
    said = _said(source, files, options)
    stems = Counter(recording_name(file) for file in files)
    last = _LastFile(source)
    for file in files:
        stem = recording_name(file)
        name = stem if stems[stem] == 1 else file
        settings = options.reading()
        if file.lower().endswith(".bvh"):  # brings its own
            settings = replace(settings, skeleton=settings.parts(), columns=None)
        for each in said[file]:
            read = partial(read_from, source, file, settings)
            if each.segment is not None:
                read = partial(last.read, file, settings, each.segment)
            yield Recording(
                name=name if each.segment is None else name + each.segment.suffix,
                source=file,
                read=read,
                label=each.label,
                subject=each.subject,
                extra=each.extra,
            )


def labels_from(source: Source, options: Options) -> str:
    """`subfolders`, `none`, a pattern, or the CSV file that labels are read from."""
    return _how(source, _files(source, options), options)


def _how(source: Source, files: list[str], options: Options) -> str:
    if options.labels is not None:
        return options.labels
    if TABLE in source.names():
        return TABLE
    folders = {PurePosixPath(file).parent.name for file in files}
    words = len(folders) > 1 and all(folder and not folder.isdigit() for folder in folders)
    return "subfolders" if words else "none"


_found: WeakKeyDictionary[Source, tuple[Options, list[str]]] = WeakKeyDictionary()
"""The motion files of the sources that are open: finding them looks into every file whose ending says little."""


def _files(source: Source, options: Options) -> list[str]:
    if source.is_single:
        return source.names()
    if source not in _found or _found[source][0] != options:
        _found[source] = (options, list(motion_names(source, options.reading())))
    return _found[source][1]


def _said(source: Source, files: list[str], options: Options) -> dict[str, list[_Said]]:
    """What is said of each file: once, or once for each segment."""
    how = _how(source, files, options)
    if how == "none":
        return {file: [_Said()] for file in files}
    if how == "subfolders":
        return {file: [_Said(PurePosixPath(file).parent.name or None)] for file in files}
    if "{" in how:
        pattern = _pattern(how)
        return {file: [_by_name(pattern, how, source, file)] for file in files}
    table = read_table(source, how, _LABELS)
    rows = _rows(table, set(files), source.label())
    extra: dict[str, str | float | None] = dict.fromkeys(_own_columns(table))
    return {file: rows.get(file, [_Said(extra=extra)]) for file in files}


# ---- labels from names -------------------------------------------------------------------------------------------


def _pattern(text: str) -> re.Pattern[str]:
    """``{label}_{take}`` as a regular expression; a SettingsError says what is wrong with it."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise SettingsError(f"labels {text!r}: expected a pattern such as {{label}}_{{take}}: {error}") from error
    fields = [name for _, name, _, _ in parts if name is not None]
    plain = all(not form and not conversion for _, _, form, conversion in parts)
    if not plain or not all(name.isidentifier() and name.isascii() for name in fields):
        raise SettingsError(f"labels {text!r}: expected plain names in braces, such as {{label}}_{{take}}")
    if len(set(fields)) != len(fields) or not {"label", "subject"} & set(fields):
        raise SettingsError(f"labels {text!r}: expected {{label}} or {{subject}} in it, and each field once")
    expression = ""
    for number, (before, name, _, _) in enumerate(parts):
        expression += re.escape(before)
        if name is not None:
            after = parts[number + 1][0] if number + 1 < len(parts) else ""
            if number + 1 < len(parts) and not after:
                raise SettingsError(f"labels {text!r}: expected something between {{{name}}} and the next field")
            around = re.escape(before[-1:] + after[:1])
            expression += f"(?P<{name}>[^{around}]+)" if around else f"(?P<{name}>.+)"
    return re.compile(expression)


def _by_name(pattern: re.Pattern[str], text: str, source: Source, file: str) -> _Said:
    found = pattern.fullmatch(PurePosixPath(file).stem)
    if found is None:
        raise DatasetError(f"{source.label(file)}: expected a name like {text}, found {PurePosixPath(file).stem!r}")
    cells: dict[str, str | float | None] = dict(found.groupdict())
    label, subject = (found.groupdict().get(name) for name in ("label", "subject"))
    return _Said(label, subject, {name: cell for name, cell in cells.items() if name not in ("label", "subject")})


# ---- labels from a table -----------------------------------------------------------------------------------------


def _own_columns(table: Table) -> list[str]:
    return [column for column in table.columns if column not in ("file", "label", "subject")]


def _rows(table: Table, known: set[str], source: str) -> dict[str, list[_Said]]:
    """The rows of a labels table by file; a DatasetError names the row that is wrong."""
    columns = table.columns
    if "file" not in columns or not {"label", "subject"} & set(columns) or len(set(columns)) != len(columns):
        raise DatasetError(
            f"{table.where}:1: expected the columns file, label, subject; found {', '.join(columns) or 'none'}"
        )
    rows: dict[str, list[_Said]] = {}
    for row in table.rows:
        file = (row.cells["file"] or "").replace("\\", "/").removeprefix("./")
        if file not in known:
            raise DatasetError(f"{row.at}: expected a recording of {source}, found {file!r}, which is none")
        segment = _segment(row, table.where)
        extra: dict[str, str | float | None] = {column: row.cells[column] for column in _own_columns(table)}
        for column in {"start", "end"} & set(extra):
            extra[column] = None if segment is None else getattr(segment, column)
        before = rows.setdefault(file, [])
        if any(each.segment is None or segment is None or each.segment.suffix == segment.suffix for each in before):
            what = "each segment" if segment is not None else "each file"
            raise DatasetError(f"{row.at}: expected {what} once, found {file}{segment.suffix if segment else ''} again")
        before.append(_Said(row.cells.get("label"), row.cells.get("subject"), extra, segment))
    return rows


def _segment(row: Row, table: str) -> _Segment | None:
    """The segment that a row is about, None where it is about the whole recording."""
    start, end = (row.seconds(column) for column in ("start", "end"))
    if start is None and end is None:
        return None
    if end is not None and end <= (start or 0.0):
        raise DatasetError(f"{row.at}: expected start before end, found {_seconds(start or 0.0)} and {_seconds(end)}")
    return _Segment(start, end, table, row.line)


def _seconds(time: float) -> str:
    """Two decimals, or as many as there are."""
    return f"{time:.2f}" if round(time, 2) == time else repr(time)


CORPUS = Corpus(
    name="folder",
    title="Your own files; labels optional",
    obtain="your own recordings",
    layout=f"files that end in {', '.join(sorted({end for reader in READERS.values() for end in reader.EXTENSIONS}))}",
    recordings=recordings,
    labels=_LABELS,
    alignment="heading",
    max_length=35,
)
