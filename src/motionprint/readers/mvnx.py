"""MVNX (Xsens MVN, versions 2 to 4): XML with the segments of a body and, for each frame, where they are.

A joint here is a segment: its position is that of the segment's origin, the joint by which it hangs on its parent.
Names and their order come from ``<segments>``, the tree from the two connectors of each of ``<joints>``. Metres, z
up. The poses of the calibration (frames of type ``identity``, ``npose``, ``tpose``, ``tpose-isb``) are no motion and
are passed over. Fingers, sensors and angles are not read.

A document type (DTD) is refused, and with it every entity: an MVNX file needs none.

The format as described in the MVN User Manual, "MVNX", and in http://www.xsens.com/mvn/mvnx/schema.xsd.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.kinematics import y_up
from motionprint.readers.lines import MAX_JOINTS, floats, require_size, sequence_of, show, with_gaps
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

__all__ = ["EXTENSIONS", "TITLE", "Subject", "parse", "read", "recognises"]

TITLE = "MVNX"
EXTENSIONS: tuple[str, ...] = (".mvnx",)

_POSES = ("identity", "npose", "tpose", "tpose-isb")
_ENCODINGS = ("utf-8", "utf-16", "iso-8859-1", "us-ascii", "windows-1252")
_RATE = re.compile(r"\d{1,7}(\.\d*)?")
_DEPTH = 32  # MVNX has seven levels
_CHARACTERS = 100  # of one number or name at most


@dataclass
class Subject:
    """One person of an MVNX file, as it stands."""

    fps: float | None
    """Frames/s; None where the file does not say."""
    names: list[str] = field(default_factory=list)
    """The segments in the file's order."""
    links: list[tuple[str, str, int]] = field(default_factory=list)
    """(parent, child, line) of each joint."""
    skeleton: Skeleton | None = None
    """The segments that the joints hold together: all but props."""
    columns: list[int] = field(default_factory=list)
    """The numbers of the skeleton's segments among ``names``."""
    values: bytearray = field(default_factory=bytearray)
    """Frames x segments x 3 float32, as written: metres, z up."""
    numbers: array[int] = field(default_factory=lambda: array("q"))
    """The number of each frame."""

    def positions(self, file: str) -> npt.NDArray[np.float32]:
        """(T, J, 3) as written; NaN for frames whose number is left out."""
        found = np.frombuffer(self.values, dtype=np.float32).reshape(len(self.numbers), len(self.names), 3)
        return with_gaps(found[:, self.columns], self.numbers, file)


def recognises(data: bytes) -> bool:
    """Whether this is XML whose first element is ``mvnx``, after comments at most."""
    head = data[:16384].removeprefix(b"\xef\xbb\xbf").lstrip()
    # step by step: one pattern for all comments would try every way to split them
    while (end := b"?>" if head.startswith(b"<?") else b"-->" if head.startswith(b"<!--") else None) is not None:
        head = head.partition(end)[2].lstrip()
    return re.match(rb"<mvnx[\s>]", head) is not None


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """One recording a subject."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: it has a skeleton, in metres", "skeleton", "unit", "columns")
    sequences = []
    for person, subject in enumerate(parse(data, file)):
        rate = settings.fps or subject.fps
        if rate is None:
            raise ReadError("expected a frameRate of the subject, found none: fps= says it", file=file)
        assert subject.skeleton is not None
        positions = y_up(subject.positions(file), settings.up or "z")
        sequences.append(sequence_of(positions, rate, subject.skeleton, name=name, person=person))
    return sequences


def parse(data: bytes, file: str) -> list[Subject]:
    """The subjects in a file.

    Raises
    ------
    ReadError
        If it is not XML, has a document type, lacks segments, joints or frames, or a frame does not hold three numbers
        for each segment.
    """
    scanner = _Scanner(file)
    try:
        scanner.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ReadError(
            f"expected XML, found: {expat.ErrorString(error.code)}", file=file, line=error.lineno
        ) from error
    if not scanner.subjects:
        raise ReadError("expected at least one <subject>, found none", file=file)
    for subject in scanner.subjects:
        if not subject.numbers:
            raise ReadError('expected at least one frame of type "normal", found none', file=file)
    return scanner.subjects


class _Scanner:
    """Takes what is wanted from the elements as they pass; nothing else is kept."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.subjects: list[Subject] = []
        self.path: list[str] = []
        self.motion = False
        """Whether the frame is one of the motion, and its position not yet found."""
        self.connectors: list[str] = []
        self.text: list[str] = []
        self.room = 0
        """How many more characters the text that is taken may have."""
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.XmlDeclHandler = self._declaration

    def error(self, message: str, line: int | None = None) -> ReadError:
        return ReadError(message, file=self.file, line=line or self.parser.CurrentLineNumber)

    def _doctype(self, *_: object) -> None:
        raise self.error("expected no document type (DTD): it is refused, since it can make a small file huge")

    def _declaration(self, _version: str, encoding: str | None, _alone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise self.error(f"expected an encoding of {', '.join(_ENCODINGS)}, found {encoding[:40]!r}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        above = self.path[-1] if self.path else ""
        if not above and name != "mvnx":
            raise self.error(f"expected <mvnx>, found <{name[:40]}>")
        if len(self.path) >= _DEPTH:
            raise self.error(f"expected at most {_DEPTH} levels of elements, found more")
        self.path.append(name)
        begin = _BEGIN.get((above, name))
        if begin is not None:
            if above != "mvnx" and (not self.subjects or "subject" not in self.path):
                raise self.error(f"expected <{name}> in a <subject>, found it outside")
            begin(self, attributes)

    def _end(self, name: str) -> None:
        self.path.pop()
        finish = _FINISH.get((self.path[-1] if self.path else "", name))
        if finish is not None:
            finish(self)

    def _take_text(self, room: int) -> None:
        self.text, self.room = [], room
        self.parser.CharacterDataHandler = self._characters

    def _characters(self, text: str) -> None:
        self.room -= len(text)
        if self.room < 0:
            raise self.error(f"expected a shorter <{self.path[-1]}>, found a text too long for what it holds")
        self.text.append(text)

    def _taken(self) -> str:
        self.parser.CharacterDataHandler = None
        return "".join(self.text)

    # ---- elements, in the order of a file

    def _subject(self, attributes: dict[str, str]) -> None:
        given = attributes.get("frameRate")
        if given is not None and (not _RATE.fullmatch(given) or not 0 < float(given) <= 1e6):
            raise self.error(f"expected frameRate to be a positive number of frames/s, found {given[:40]!r}")
        self.subjects.append(Subject(None if given is None else float(given)))

    def _segment(self, attributes: dict[str, str]) -> None:
        name, names = attributes.get("label", ""), self.subjects[-1].names
        if not name or name in names or len(name) > _CHARACTERS:
            raise self.error(f"expected a segment with a label of its own, found {name[:40]!r}")
        if self.subjects[-1].skeleton is not None:
            raise self.error(f"expected all segments before the frames, found {name[:40]!r} after them")
        if len(names) == MAX_JOINTS:
            raise self.error(f"expected at most {MAX_JOINTS} segments, found more")
        names.append(name)

    def _joint(self, _: dict[str, str]) -> None:
        self.connectors = []

    def _connector(self, _: dict[str, str]) -> None:
        self._take_text(4 * _CHARACTERS)

    def _connector_end(self) -> None:
        self.connectors.append(self._taken().strip().partition("/")[0])

    def _joint_end(self) -> None:
        subject = self.subjects[-1]
        if len(self.connectors) != 2:
            raise self.error(f"expected two connectors of a joint, found {len(self.connectors)}")
        parent, child = self.connectors
        for name in (parent, child):
            if name not in subject.names:
                raise self.error(f"expected a connector to name a segment, found {name[:40]!r}")
        if child == parent or any(child == other for _, other, _ in subject.links):
            raise self.error(f"expected each segment to hang on one other, found {child} on {parent} too")
        subject.links.append((parent, child, self.parser.CurrentLineNumber))

    def _frames(self, attributes: dict[str, str]) -> None:
        subject = self.subjects[-1]
        if subject.skeleton is not None:
            raise self.error("expected <frames> once in a subject, found it twice")
        count = attributes.get("segmentCount", str(len(subject.names)))
        if count != str(len(subject.names)):
            raise self.error(f"expected {count[:40]} segments, as segmentCount says, found {len(subject.names)}")
        linked = {name for parent, child, _ in subject.links for name in (parent, child)}
        kept = [name for name in subject.names if name in linked or not name.startswith("Prop")]
        above = {child: parent for parent, child, _ in subject.links}
        roots = [name for name in kept if name not in above]
        if len(roots) != 1:
            raise self.error(f"expected joints that make one tree, found {len(roots)} segments without a parent")
        numbers = {name: number for number, name in enumerate(kept)}
        if loose := _without_root(above, roots[0]):
            raise self.error(f"expected joints that make one tree, found that {loose} hangs on itself")
        parents = [numbers[above[name]] if name in above else -1 for name in kept]
        subject.skeleton = Skeleton.from_tree(kept, parents)
        subject.columns = [subject.names.index(name) for name in kept]

    def _frame(self, attributes: dict[str, str]) -> None:
        kind, numbers = attributes.get("type", ""), self.subjects[-1].numbers
        if self.subjects[-1].skeleton is None:
            raise self.error("expected a frame in the <frames> of a subject, found it elsewhere")
        if kind in _POSES:
            return
        if kind != "normal":
            raise self.error(f"expected a frame of type normal, {', '.join(_POSES)}, found {kind[:40]!r}")
        number = attributes.get("index", str(numbers[-1] + 1 if numbers else 0))
        if not re.fullmatch(r"\d{1,9}", number) or (numbers and int(number) <= numbers[-1]):
            raise self.error(f"expected an index above that of the frame before, found {number[:40]!r}")
        numbers.append(int(number))
        self.motion = True

    def _position(self, _: dict[str, str]) -> None:
        if self.motion:
            self._take_text(3 * len(self.subjects[-1].names) * _CHARACTERS)

    def _position_end(self) -> None:
        if not self.motion:
            return
        self.motion = False
        subject = self.subjects[-1]
        words = self._taken().encode().split()
        expected = 3 * len(subject.names)
        if len(words) != expected:
            raise self.error(f"expected {expected} numbers, 3 for each segment, found {len(words)}")
        values = floats(words)
        if values is None:
            wrong = next(word for word in words if floats([word]) is None)
            raise self.error(f"expected a number among the positions, found {show(wrong)}")
        require_size(len(subject.numbers), len(subject.names), self.file)
        subject.values += values.astype(np.float32).tobytes()

    def _frame_end(self) -> None:
        if self.motion:
            raise self.error("expected the <position> of a frame, found none: export it with segment positions")


_BEGIN: dict[tuple[str, str], Callable[[_Scanner, dict[str, str]], None]] = {
    ("mvnx", "subject"): _Scanner._subject,
    ("segments", "segment"): _Scanner._segment,
    ("joints", "joint"): _Scanner._joint,
    ("joint", "connector1"): _Scanner._connector,
    ("joint", "connector2"): _Scanner._connector,
    ("subject", "frames"): _Scanner._frames,
    ("frames", "frame"): _Scanner._frame,
    ("frame", "position"): _Scanner._position,
}
"""(element, element in it) -> what its beginning does."""

_FINISH: dict[tuple[str, str], Callable[[_Scanner], None]] = {
    ("joint", "connector1"): _Scanner._connector_end,
    ("joint", "connector2"): _Scanner._connector_end,
    ("joints", "joint"): _Scanner._joint_end,
    ("frame", "position"): _Scanner._position_end,
    ("frames", "frame"): _Scanner._frame_end,
}
"""The same for its end."""


def _without_root(above: dict[str, str], root: str) -> str | None:
    """A segment from which no way up leads to the root, or None."""
    for name in above:
        here = name
        for _ in range(len(above)):
            if here == root:
                break
            here = above[here]
        if here != root:
            return name
    return None
