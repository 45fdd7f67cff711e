"""A user's own files, in any format that can be read; labels are optional.

Where labels come from (`labels`):

- a CSV file with the columns `file` (relative to the source), `label` and `subject`, either of which may be missing or
  empty; further columns are kept as columns of the data set. Files that it does not name have neither;
- `subfolders`: a recording's label is the name of the folder that it lies in;
- `none`;
- by default the file ``labels.csv`` at the top of the source; without one `subfolders`, if all recordings lie in two
  or more folders whose names are words (bare numbers, such as CMU's ``02/02_01.amc``, say who moves, not what is
  done); else `none`. ``prepare.json`` says which it was.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from motionprint.corpora.corpus import Corpus, Options, Recording
from motionprint.errors import DatasetError
from motionprint.readers import READERS, motion_names, read_from

if TYPE_CHECKING:
    from motionprint.readers.source import Source

__all__ = ["CORPUS", "labels_from"]

TABLE = "labels.csv"


@dataclass(frozen=True)
class _Row:
    """What a table says of a file."""

    label: str | None = None
    subject: str | None = None
    extra: dict[str, str | None] = field(default_factory=dict)


def recordings(source: Source | None, options: Options) -> Iterator[Recording]:
    """All files with the ending of a motion format, by name; JSON that holds no skeletons is none."""
    assert source is not None
    files = _files(source)
    how = _how(source, files, options)
    table = _read_table(source, how, files) if how not in ("subfolders", "none") else {}
    blank = {column: None for row in table.values() for column in row.extra}
    stems = Counter(str(PurePosixPath(file).with_suffix("")) for file in files)
    for file in files:
        stem = str(PurePosixPath(file).with_suffix(""))
        row = table.get(file, _Row(extra=dict(blank)))
        label = PurePosixPath(file).parent.name or None if how == "subfolders" else row.label
        settings = options.reading()
        if file.lower().endswith(".bvh"):  # brings its own
            settings = replace(settings, skeleton=settings.parts(), columns=None)
        yield Recording(
            name=stem if stems[stem] == 1 else file,
            source=file,
            read=partial(read_from, source, file, settings),
            label=label,
            subject=row.subject,
            extra=row.extra,
        )


def labels_from(source: Source, options: Options) -> str:
    """`subfolders`, `none`, or the CSV file that labels are read from."""
    return _how(source, _files(source), options)


def _how(source: Source, files: list[str], options: Options) -> str:
    if options.labels is not None:
        return options.labels
    if TABLE in source.names():
        return TABLE
    folders = {PurePosixPath(file).parent.name for file in files}
    words = len(folders) > 1 and all(folder and not folder.isdigit() for folder in folders)
    return "subfolders" if words else "none"


def _files(source: Source) -> list[str]:
    if source.is_single:
        return source.names()
    return list(motion_names(source))


def _read_table(source: Source, table: str, files: list[str]) -> dict[str, _Row]:
    """The rows of a labels table by file; a DatasetError names the row that is wrong."""
    if Path(table).is_file() and table not in source.names():
        where, data = table, Path(table).read_bytes()
    elif table in source.names():
        where, data = source.label(table), source.read_bytes(table)
    else:
        raise DatasetError(f"labels {table!r}: expected `subfolders`, `none` or a CSV file, found no such file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{where}: expected UTF-8 text: {error}") from error
    head = text.partition("\n")[0]
    separator = ";" if head.count(";") > head.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        return _rows(reader, where, set(files), source.label())
    except csv.Error as error:
        raise DatasetError(f"{where}:{reader.line_num}: expected a CSV table: {error}") from error


def _rows(reader: Any, where: str, known: set[str], source: str) -> dict[str, _Row]:
    columns = [column.strip() for column in next(reader, [])]
    if "file" not in columns or not {"label", "subject"} & set(columns) or len(set(columns)) != len(columns):
        raise DatasetError(
            f"{where}:1: expected the columns file, label, subject; found {', '.join(columns) or 'none'}"
        )
    rows: dict[str, _Row] = {}
    for values in reader:
        if not any(value.strip() for value in values):
            continue
        at = f"{where}:{reader.line_num}"
        if len(values) != len(columns):
            raise DatasetError(f"{at}: expected {len(columns)} values, found {len(values)}")
        cells = {column: value.strip() or None for column, value in zip(columns, values, strict=True)}
        file = (cells.pop("file") or "").replace("\\", "/").removeprefix("./")
        if file not in known:
            raise DatasetError(f"{at}: expected a recording of {source}, found {file!r}, which is none")
        if file in rows:
            raise DatasetError(f"{at}: expected each file once, found {file} again")
        rows[file] = _Row(cells.pop("label", None), cells.pop("subject", None), cells)
    return rows


CORPUS = Corpus(
    name="folder",
    title="Your own files; labels optional",
    obtain="your own recordings",
    layout=f"files that end in {', '.join(sorted({end for reader in READERS.values() for end in reader.EXTENSIONS}))}",
    recordings=recordings,
    alignment="heading",
    max_length=35,
)
