"""Tables (CSV, TSV) in which columns are joints, or rows are.

Wide: one row a frame, three columns a joint, ``NAME_x NAME_y NAME_z`` (also ``.x``, ``:x``, `` x``, ``[x]``,
``NameX``). Long: one row a frame and joint, with the columns frame or time, joint (or marker), x, y, z and, if there
are several, person. ``columns=`` says which column is what where the names are others. The frame rate comes from a
column of times in seconds, or from ``fps=``. Metres and y up unless ``unit=`` and ``up=`` say otherwise. Empty cells
and nan are missing.

There is no specification: the table in docs/formats.md ("Your own CSV") is what is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.kinematics import y_up
from motionprint.readers.cells import Cells, Row, even_rate, even_steps, head_of
from motionprint.readers.lines import MAX_JOINTS, require_size, sequence_of
from motionprint.readers.markers import pick
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.readers.table_columns import BY_HEADER, Columns, Long, Wide, columns_of, long_by_header, place, triples
from motionprint.sequence import SkeletonSequence

__all__ = ["EXTENSIONS", "TITLE", "Table", "has_columns", "parse", "read", "recognises"]

TITLE = "table (CSV, TSV)"
EXTENSIONS: tuple[str, ...] = (".csv", ".tsv", ".txt")

_LIMIT = 1e15  # of times and frame numbers: time may count from 1970
_FEWEST = 3  # joints of a table that is taken for motion by its header alone
_SENSOR = re.compile(r"(?:^|[^a-z])(?:acc|gyr|mag|quat|rot|vel|force|moment|torque|angle|euler)")
_SPARSE = 4  # a long table has a row for at least one in so many joints and frames
_SMALL = 50_000  # joint positions up to which that does not matter


@dataclass(frozen=True)
class Table:
    """What a table says."""

    names: list[str]
    """(J,) the joints, in the order of the file."""
    persons: list[npt.NDArray[np.float32]]
    """(T, J, 3) for each person, metres."""
    fps: float | None
    """Frames/s; None where there is no column of times."""


def recognises(data: bytes) -> bool:
    """Whether the first line is the header of a wide or a long table of positions, and the second one its numbers.

    A wide one has at least three joints, none named like a sensor's values (acceleration, rotation, force).
    """
    head = head_of(data, 2)
    if len(head) < 2 or len(head[0]) != len(head[1]):
        return False
    names = [name.strip() for name in head[0]]
    long = long_by_header(names)
    if long is not None:
        columns = [long[axis] for axis in "xyz"]
    else:
        joints, unfinished = triples(names)
        if unfinished or len(joints) < _FEWEST or any(map(_is_sensor, joints)):
            return False
        columns = [column for joint in joints.values() for column in joint]
    return all(re.fullmatch(r"[-+0-9.,eE]*|[-+]?nan|na", head[1][column].strip(), re.IGNORECASE) for column in columns)


def _is_sensor(name: str) -> bool:
    """Whether one of its words begins as the name of a sensor's value does."""
    return _SENSOR.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()) is not None


def has_columns(data: bytes, columns: str) -> bool:
    """Whether the first line has half or more of the columns that the setting ``columns`` names for positions.

    Half, so that a name that is misspelt is an error and not a file passed over.
    """
    given = columns_of(columns)
    head = head_of(data, 1, given.separator)
    wanted = given.positions()
    return bool(head) and 2 * len(wanted & {name.strip() for name in head[0]}) >= len(wanted)


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """One recording a person; a wide table holds one."""
    file = source.label(name)
    columns = columns_of(settings.columns)
    metres = replace(settings, unit=settings.unit or columns.unit).metres("m")
    fps = settings.fps or columns.fps
    table = parse(data, file, columns, metres=metres, fps=fps)
    rate = fps or table.fps
    if rate is None:
        raise ReadError("expected a column of times in seconds, found none: pass fps=", file=file)
    sequences = []
    for person, positions in enumerate(table.persons):
        picked, skeleton = pick(table.names, positions, settings.skeleton, file)
        turned = y_up(picked, settings.up or columns.up or "y")
        sequences.append(sequence_of(turned, rate, skeleton, name=name, person=person))
    return sequences


def parse(
    data: bytes, file: str, columns: Columns = BY_HEADER, *, metres: float = 1.0, fps: float | None = None
) -> Table:
    """The joints and positions of a table.

    Parameters
    ----------
    data, file
        Its bytes, and what messages call it.
    columns
        Which column is what.
    metres
        Of the unit of the positions.
    fps
        Where given, times need not be even, and none are given back.

    Raises
    ------
    ReadError
        Naming line and column: a cell that should be a number is none, a row is too short or too long, frames or times
        are not even, a joint stands twice in a frame.
    """
    cells = Cells(data, file, columns.separator)
    rows = cells.rows()
    line, header = next(rows, (1, []))
    if not header:
        raise cells.error("expected the names of columns, found nothing", line)
    found = place(columns, header, file, line)
    if isinstance(found, Wide):
        return _wide(cells, rows, header, found, metres, fps)
    return _long(cells, rows, header, found, metres, fps)


# ---- one row a frame -----------------------------------------------------------------------------------------------


def _wide(cells: Cells, rows: Iterator[Row], header: list[str], wide: Wide, metres: float, fps: float | None) -> Table:
    columns = [column for joint in wide.joints.values() for column in joint]
    names = [header[column] for column in columns]
    clocks = [column for column in (wide.frame, wide.time) if column is not None]
    lines: list[int] = []
    positions, counted = [], []
    for batch in cells.batches(rows, len(header), len(columns)):
        lines += [line for line, _ in batch]
        require_size(len(lines), len(wide.joints), cells.file)
        counted.append(cells.floats(batch, clocks, [header[column] for column in clocks], _LIMIT))
        values = cells.floats(batch, columns, names) * metres
        positions.append(values.astype(np.float32).reshape(len(batch), len(wide.joints), 3))
    if not lines:
        raise cells.error("expected rows of numbers below the names of columns, found none")
    clock = np.concatenate(counted)  # (T, columns of frames and times)
    rate = None
    if wide.frame is not None:
        even_steps(clock[:, 0], lines, cells.file)
    if wide.time is not None and fps is None:
        rate = even_rate(clock[:, -1] * wide.seconds, lines, cells.file)
    return Table(list(wide.joints), [np.concatenate(positions)], rate)


# ---- one row a frame and joint -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rows:
    """What n rows of a long table hold."""

    lines: npt.NDArray[np.int64]
    frames: npt.NDArray[np.float64] | None
    times: npt.NDArray[np.float64] | None
    """Seconds."""
    joints: npt.NDArray[np.int64]
    """Numbers of the joints in the order in which they appear."""
    persons: npt.NDArray[np.int64]
    positions: npt.NDArray[np.float32]
    """(n, 3) metres."""


def _long(cells: Cells, rows: Iterator[Row], header: list[str], long: Long, metres: float, fps: float | None) -> Table:
    names: dict[str, int] = {}
    people: dict[str, int] = {}
    table = _take(cells, rows, header, long, metres, names, people)
    frames, rate = _frames_of(table, cells.file, fps)
    everyone = [np.flatnonzero(table.persons == person) for person in range(len(people))]
    spans = [(int(frames[mine].min()), int(frames[mine].max()) + 1) for mine in everyone]
    total = sum(end - first for first, end in spans)
    if total * len(names) > max(_SPARSE * len(frames), _SMALL):
        message = f"expected rows for most of {total} frames of {len(names)} joints, found {len(frames)} rows"
        raise cells.error(message)
    require_size(total, len(names), cells.file)
    persons = []
    for mine, (first, end) in zip(everyone, spans, strict=True):
        places = (frames[mine] - first) * len(names) + table.joints[mine]
        _refuse_repeated(places, table.lines[mine], cells)
        positions = np.full(((end - first) * len(names), 3), np.nan, dtype=np.float32)
        positions[places] = table.positions[mine]
        persons.append(positions.reshape(-1, len(names), 3))
    return Table(list(names), persons, rate)


def _take(
    cells: Cells,
    rows: Iterator[Row],
    header: list[str],
    long: Long,
    metres: float,
    names: dict[str, int],
    people: dict[str, int],
) -> _Rows:
    """All rows; joints and persons are numbered as they appear."""
    clocks = [column for column in (long.frame, long.time) if column is not None]
    each: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float32]]] = []
    for batch in cells.batches(rows, len(header), len(header)):
        joints = [names.setdefault(row[long.joint].strip(), len(names)) for _, row in batch]
        who = [""] * len(batch) if long.person is None else [row[long.person].strip() for _, row in batch]
        persons = [people.setdefault(each, len(people)) for each in who]
        if "" in names:
            line = next(line for line, row in batch if not row[long.joint].strip())
            raise cells.error("expected the name of a joint, found none", line)
        if len(names) > MAX_JOINTS or len(people) > MAX_JOINTS:
            raise cells.error(f"expected at most {MAX_JOINTS} joints and persons, found more", batch[-1][0])
        keys = np.array([[line for line, _ in batch], joints, persons], dtype=np.int64)
        clock = cells.floats(batch, clocks, [header[column] for column in clocks], _LIMIT)
        if np.isnan(clock).any():
            at = int(np.isnan(clock).any(axis=1).argmax())
            raise cells.error("expected the number or the time of a frame, found none", batch[at][0])
        xyz = cells.floats(batch, long.xyz, [header[column] for column in long.xyz])
        each.append((keys, clock, (xyz * metres).astype(np.float32)))
    if not each:
        raise cells.error("expected rows of numbers below the names of columns, found none")
    keys = np.concatenate([keys for keys, _, _ in each], axis=1)
    clock = np.concatenate([clock for _, clock, _ in each])
    return _Rows(
        lines=keys[0],
        frames=None if long.frame is None else clock[:, 0],
        times=None if long.time is None else clock[:, -1] * long.seconds,
        joints=keys[1],
        persons=keys[2],
        positions=np.concatenate([xyz for _, _, xyz in each]),
    )


def _frames_of(table: _Rows, file: str, fps: float | None) -> tuple[npt.NDArray[np.int64], float | None]:
    """(n,) the frame of each row from 0, and frames/s by the times."""
    if table.frames is None:
        assert table.times is not None
        times, first, frames = np.unique(table.times, return_index=True, return_inverse=True)
        return frames, even_rate(times, table.lines[first].tolist(), file) if fps is None else None
    broken = table.frames != np.round(table.frames)
    if broken.any():
        at = int(broken.argmax())
        message = f"expected whole numbers of frames, found {table.frames[at]:.17g}"
        raise ReadError(message, file=file, line=int(table.lines[at]))
    numbers, first = np.unique(table.frames, return_index=True)
    step = float(np.diff(numbers).min()) if len(numbers) > 1 else 1.0
    off = (numbers - numbers[0]) % step != 0
    if off.any():
        at = int(off.argmax())
        message = f"expected frame numbers {step:.17g} apart, found {numbers[at]:.17g} after {numbers[at - 1]:.17g}"
        raise ReadError(message, file=file, line=int(table.lines[first[at]]))
    rate = None
    if table.times is not None and fps is None:
        rate = even_rate(table.times[first], table.lines[first].tolist(), file, (numbers - numbers[0]) / step)
    return ((table.frames - numbers[0]) / step).astype(np.int64), rate


def _refuse_repeated(places: npt.NDArray[np.int64], lines: npt.NDArray[np.int64], cells: Cells) -> None:
    """Refuse two rows of one joint in one frame."""
    order = np.argsort(places, kind="stable")
    again = np.flatnonzero(np.diff(places[order]) == 0)
    if len(again):
        at = again[lines[order[again + 1]].argmin()]
        earlier, later = int(lines[order[at]]), int(lines[order[at + 1]])
        raise cells.error(f"expected one row a frame and joint, found another for that of line {earlier}", later)
