"""OptiTrack Motive, exported as CSV: a line of facts, a block of header rows, then one row a frame.

The header rows say of each column its Type (Bone, Rigid Body, Marker, ...), Name, ID, whether it is a Position or a
Rotation, and its axis. Positions are read, in the file's "Length Units"; rotations and marker errors are not. Bones are
taken where there are any, else rigid bodies, else markers; with ``skeleton=`` those that it names of all three. Several
skeletons (``Anna:Hip``, ``Bert:Hip``) are several persons. An empty cell is missing. Motive's y axis points up unless
``up=`` says otherwise.

The format as described in OptiTrack's documentation, "Data Export: CSV" (format versions 1.2x).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionprint.kinematics import y_up
from motionprint.readers.cells import Cells, Row, even_rate, even_steps, head_of
from motionprint.readers.lines import require_size, sequence_of
from motionprint.readers.markers import distinct, pick
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

__all__ = ["EXTENSIONS", "TITLE", "Take", "parse", "read", "recognises"]

TITLE = "OptiTrack Motive CSV"
EXTENSIONS: tuple[str, ...] = (".csv",)
UNITS = {"millimeters": "mm", "centimeters": "cm", "meters": "m", "inches": "inch"}

_KINDS = ("bone", "rigid body", "marker")
"""What positions may belong to, the best first."""
_PARENTS = {
    "Ab": "Hip", "Chest": "Ab", "Neck": "Chest", "Head": "Neck",
    "LShoulder": "Chest", "LUArm": "LShoulder", "LFArm": "LUArm", "LHand": "LFArm",
    "RShoulder": "Chest", "RUArm": "RShoulder", "RFArm": "RUArm", "RHand": "RFArm",
    "LThigh": "Hip", "LShin": "LThigh", "LFoot": "LShin", "LToe": "LFoot",
    "RThigh": "Hip", "RShin": "RThigh", "RFoot": "RShin", "RToe": "RFoot",
}  # fmt: skip
"""Motive's own skeleton, which its exports name but do not connect."""


@dataclass(frozen=True)
class Take:
    """A take as it stands in the file."""

    kinds: list[str]
    """(P,) of each point: ``bone``, ``rigid body`` or ``marker``."""
    names: list[str]
    """(P,)"""
    positions: npt.NDArray[np.float32]
    """(T, P, 3) metres; Motive's axes."""
    fps: float


def recognises(data: bytes) -> bool:
    """Whether the first cell is ``Format Version`` and the second one a version."""
    head = head_of(data, 1, ",")
    return bool(head) and len(head[0]) > 2 and head[0][0] == "Format Version" and bool(re.match(r"\d", head[0][1]))


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """One recording for each skeleton of the take; markers and rigid bodies are one."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: it says what its columns are", "columns")
    take = parse(data, file, metres=None if settings.unit is None else settings.metres("m"), fps=settings.fps)
    sequences = []
    for person, (names, columns) in enumerate(_persons(take, settings.skeleton is not None)):
        positions, skeleton = pick(names, take.positions[:, columns], settings.skeleton, file)
        if settings.skeleton is None:
            skeleton = _connected(names) or skeleton
        turned = y_up(positions, settings.up or "y")
        sequences.append(sequence_of(turned, take.fps, skeleton, name=name, person=person))
    return sequences


def _persons(take: Take, everything: bool) -> list[tuple[list[str], list[int]]]:
    """(names, columns) of each person: bones by the skeleton before their colon, anything else together."""
    best = next(kind for kind in _KINDS if kind in take.kinds)
    chosen = [point for point, kind in enumerate(take.kinds) if everything or kind == best]
    if best != "bone":
        return [([take.names[point] for point in chosen], chosen)]
    bones = [take.names[point].rpartition(":") for point in chosen if take.kinds[point] == "bone"]
    persons = []
    for skeleton in dict.fromkeys(before for before, _, _ in bones):
        mine = [
            point for point in chosen if take.kinds[point] != "bone" or take.names[point].rpartition(":")[0] == skeleton
        ]
        names = [
            take.names[point].rpartition(":")[2] if take.kinds[point] == "bone" else take.names[point] for point in mine
        ]
        persons.append((distinct(names), mine))
    return persons


def _connected(names: Sequence[str]) -> Skeleton | None:
    """Motive's tree, if these are bones of its skeleton."""
    if "Hip" not in names or not all(name == "Hip" or _PARENTS.get(name) in names for name in names):
        return None
    return Skeleton.from_tree(names, [-1 if name == "Hip" else names.index(_PARENTS[name]) for name in names])


def parse(data: bytes, file: str, *, metres: float | None = None, fps: float | None = None) -> Take:
    """A take from its bytes; ``metres`` of the unit and ``fps`` replace what the file says.

    Raises
    ------
    ReadError
        Naming the line: the header is not whole, there are no positions, a cell is no number, frames are lost or fewer
        than the header says.
    """
    cells = Cells(data, file, ",")
    rows = cells.rows()
    line, first = next(rows, (1, []))
    facts = {key.strip().lower(): value.strip() for key, value in zip(first[::2], first[1::2], strict=False)}
    if "format version" not in facts:
        raise cells.error("expected Format Version, found another table", line)
    space = facts.get("coordinate space", "global")
    if space.lower() != "global":
        raise cells.error(
            f"expected Coordinate Space Global, found {space[:40]!r}: export it in global coordinates", line
        )
    scale = _metres(facts, cells, line) if metres is None else metres
    header, (line, titles) = _header(rows, cells)
    points = _points(header, titles, cells, line)
    columns = [column for _, _, xyz in points for column in xyz]
    lines: list[int] = []
    clocks, positions = [], []
    for batch in cells.batches(rows, len(titles), len(columns)):
        lines += [number for number, _ in batch]
        require_size(len(lines), len(points), file)
        clocks.append(cells.floats(batch, (0, 1), ("Frame", "Time")))
        names = [f"{name} {axis}" for _, name, _ in points for axis in "XYZ"]
        values = cells.floats(batch, columns, names) * scale
        positions.append(values.astype(np.float32).reshape(len(batch), len(points), 3))
    if not lines:
        raise cells.error("expected rows of numbers below the header, found none", line)
    clock = np.concatenate(clocks)
    even_steps(clock[:, 0], lines, file)
    _require_count(facts, len(lines), cells)
    rate = fps or _rate(facts, cells) or even_rate(clock[:, 1], lines, file)
    kinds = [kind for kind, _, _ in points]
    return Take(kinds, distinct([name for _, name, _ in points]), np.concatenate(positions), rate)


def _metres(facts: dict[str, str], cells: Cells, line: int) -> float:
    unit = facts.get("length units", "")
    if unit.lower() not in UNITS:
        message = f"expected Length Units to be one of {', '.join(UNITS)}, found {unit[:40]!r}; unit= says it"
        raise cells.error(message, line)
    return ReadSettings().metres(UNITS[unit.lower()])


def _rate(facts: dict[str, str], cells: Cells) -> float | None:
    """The frame rate of the export; None where the file says none."""
    said = facts.get("export frame rate") or facts.get("capture frame rate")
    if not said:
        return None
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]*)?", said) or not 0 < float(said) <= 1e6:
        raise cells.error(f"expected a positive frame rate, found {said[:40]!r}", 1)
    return float(said)


def _require_count(facts: dict[str, str], found: int, cells: Cells) -> None:
    said = facts.get("total exported frames")
    if said and said != str(found):
        raise cells.error(f"expected {said[:40]} frames, as Total Exported Frames says, found {found}", 1)


def _header(rows: Iterator[Row], cells: Cells) -> tuple[dict[str, list[str]], Row]:
    """The rows between the facts and ``Frame,Time`` by their names; the one that says Position has none."""
    header: dict[str, list[str]] = {}
    for line, row in rows:
        if row[0].strip().lower() == "frame":
            for key in ("type", "name", "position"):
                if key not in header:
                    raise cells.error(f"expected a header row {key.capitalize()} above this one, found none", line)
            return header, (line, row)
        if row[0].strip() or len(header) > 8:
            raise cells.error(f"expected a header row that begins with an empty cell, found {row[0][:40]!r}", line)
        key = row[1].strip().lower() if len(row) > 1 else ""
        header[key or "position"] = row
    raise cells.error("expected the header row `Frame,Time (Seconds)`, found the end of the file")


def _points(
    header: dict[str, list[str]], titles: list[str], cells: Cells, line: int
) -> list[tuple[str, str, tuple[int, int, int]]]:
    """(kind, name, columns of x, y, z) of everything that has a position."""
    types, names, values = header["type"], header["name"], header["position"]
    if len(titles) < 2 or not titles[1].strip().lower().startswith("time"):
        raise cells.error("expected the columns Frame and Time, found no Time", line)
    if not len(types) == len(names) == len(values) == len(titles):
        lengths = f"{len(types)}, {len(names)}, {len(values)} and {len(titles)}"
        raise cells.error(f"expected as many types and names as columns, found rows of {lengths} cells", line)
    points = []
    column = 2
    while column < len(titles):
        if values[column].strip().lower() != "position":
            column += 1
            continue
        axes = [title.strip().upper() for title in titles[column : column + 3]]
        same = all(each[column : column + 3] == [each[column]] * 3 for each in (types, names, values))
        if axes != ["X", "Y", "Z"] or not same:
            raise cells.error(f"expected X, Y, Z of the position of {names[column][:40]!r}, found {axes}", line)
        kind = types[column].strip().lower()
        points.append((kind if kind in _KINDS else "marker", names[column].strip(), (column, column + 1, column + 2)))
        column += 3
    if not points:
        raise cells.error("expected bones, rigid bodies or markers with positions, found none", line)
    return points
