"""NumPy arrays: ``.npz`` with positions and what belongs to them, and ``.npy`` with positions alone.

The keys of an ``.npz``: ``positions`` (T, J, 3) or (T, 3 J), ``fps``; and where they are there ``joint_names`` (J,),
``parents`` (J,), ``unit``, ``person``, ``name``, ``label``, ``subject``. In place of ``positions`` one of
``POSITIONS`` is taken if it is (T, J, 3), in place of ``fps`` one of ``RATES``. Metres and y up unless ``unit=`` and
``up=`` say otherwise. An ``.npy`` is (T, J, 3) floats and needs ``fps=``. Pickled objects are never read: an array is
taken if its header is one of numbers or text and agrees with the bytes that are there.

AMASS files hold rotations of a body model, not positions: they are recognised and refused, with what to do.

The formats are NumPy's: "NEP 1 — A simple file format for NumPy arrays", versions 1 to 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError, SettingsError
from motionprint.kinematics import y_up
from motionprint.readers.arrays_npz import LONGEST, MAGIC, NUMBERS, TEXT, Header, Members, header_of, values_of
from motionprint.readers.lines import MAX_JOINTS, MAX_NUMBER, require_size, sequence_of
from motionprint.readers.markers import pick
from motionprint.readers.settings import UNITS, ReadSettings
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

__all__ = ["EXTENSIONS", "TITLE", "Arrays", "parse", "read", "recognises"]

TITLE = "NumPy arrays"
EXTENSIONS: tuple[str, ...] = (".npz", ".npy")

POSITIONS = ("keypoints", "keypoints3d", "keypoints_3d", "joints", "joints3d", "joints_3d", "joint_positions", "poses")
"""Other keys of positions, if they are (T, J, 3)."""
RATES = ("frame_rate", "framerate", "mocap_frame_rate", "mocap_framerate")
"""Other keys of the frame rate."""

_CHUNK = 100_000  # joint positions at a time
_AMASS = (
    "expected joint positions, found the body parameters of AMASS (poses, trans, betas): compute joints with the "
    "package smplx and its body model, and save them: numpy.savez(file, positions=joints, fps=rate, joint_names=names)"
)


@dataclass(frozen=True)
class Arrays:
    """What a file says."""

    positions: npt.NDArray[np.generic]
    """(T, J, 3) numbers, in the file's type, unit and axes."""
    fps: float | None = None
    joint_names: tuple[str, ...] | None = None
    parents: tuple[int, ...] | None = None
    unit: str | None = None
    person: int = 0
    name: str | None = None
    label: str | None = None
    subject: str | None = None


def recognises(data: bytes) -> bool:
    """Whether this is an ``.npz`` with positions (or one of AMASS), or an ``.npy`` of (T, J, 3) floats."""
    if data.startswith(MAGIC):
        try:
            return _is_positions(header_of(data[: LONGEST + 12], ""), "f")
        except ReadError:
            return False
    if not data.startswith(b"PK\x03\x04"):
        return False
    try:
        with Members(data, "") as members:
            return "positions" in members or _is_amass(members) or _other_positions(members) is not None
    except ReadError:
        return False


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """The one recording in the file."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: the keys say what they hold", "columns")
    arrays = parse(data, file)
    fps = settings.fps or arrays.fps
    if fps is None:
        raise ReadError("expected the frame rate (the key fps of an .npz), found none: pass fps=", file=file)
    metres = replace(settings, unit=settings.unit or arrays.unit).metres("m")
    positions = y_up(_in_metres(arrays.positions, metres, file), settings.up or "y")
    positions, skeleton = _skeleton(arrays, positions, settings.skeleton, file)
    sequence = sequence_of(positions, fps, skeleton, name=name, person=arrays.person)
    return [replace(sequence, name=arrays.name or sequence.name, label=arrays.label, subject=arrays.subject)]


def _in_metres(values: npt.NDArray[np.generic], metres: float, file: str) -> npt.NDArray[np.float32]:
    """(T, J, 3) float32 positions; in metres as they are, bit for bit."""
    frames, joints, _ = values.shape
    positions = values if values.dtype == np.float32 and metres == 1.0 else np.empty(values.shape, dtype=np.float32)
    step = max(1, _CHUNK // joints)
    for start in range(0, frames, step):
        chunk = values[start : start + step].astype(np.float64)
        far = ~(np.isnan(chunk) | (np.abs(chunk) <= MAX_NUMBER))
        if far.any():
            frame, joint, axis = (int(each) for each in np.argwhere(far)[0])
            found = f"found {chunk[frame, joint, axis]:g} in frame {start + frame}, joint {joint}"
            raise ReadError(f"expected positions up to {MAX_NUMBER:g} or nan, {found}", file=file)
        if positions is not values:
            positions[start : start + step] = chunk * metres
    return np.ascontiguousarray(positions, dtype=np.float32)


def _skeleton(
    arrays: Arrays, positions: npt.NDArray[np.float32], given: object, file: str
) -> tuple[npt.NDArray[np.float32], Skeleton]:
    """The skeleton given, else the file's, else a star."""
    count = positions.shape[1]
    names = arrays.joint_names
    if names is None:
        if given is not None:
            skeleton = Skeleton.resolve(given)  # type: ignore[arg-type]
            if len(skeleton) != count:
                raise ReadError(f"expected the {len(skeleton)} joints of the skeleton, found {count}", file=file)
            return positions, skeleton
        names = tuple(f"joint{number}" for number in range(count))
    if given is not None or arrays.parents is None:
        return pick(names, positions, given, file)
    try:
        return positions, Skeleton.from_tree(names, arrays.parents)
    except SettingsError as error:
        raise ReadError(f"expected joint_names and parents of a tree, found: {error}", file=file) from error


def parse(data: bytes, file: str) -> Arrays:
    """The arrays of an ``.npz`` or ``.npy`` from its bytes.

    Raises
    ------
    ReadError
        If it is damaged, holds no positions or those of AMASS, or a key holds something other than it should.
    """
    if data.startswith(MAGIC):
        head = header_of(data[: LONGEST + 12], file)
        if not _is_positions(head, "fiu"):
            raise ReadError(f"expected numbers of shape (T, J, 3), found {head}", file=file)
        if len(data) - head.start != head.size:
            message = f"expected {head.size} bytes for {head}, found {len(data) - head.start}"
            raise ReadError(message, file=file)
        return Arrays(_checked(values_of(bytearray(data[head.start :]), head), file))
    with Members(data, file) as members:
        if "positions" not in members and _is_amass(members):
            raise ReadError(_AMASS, file=file)
        positions = _checked(_positions(members), file)
        names = _names(members, positions.shape[1])
        parents = members.array("parents") if "parents" in members else None
        if parents is not None and (parents.shape != (positions.shape[1],) or parents.dtype.kind not in "iu"):
            found = f"{parents.dtype} {parents.shape}"
            raise members.error("parents", f"expected {positions.shape[1]} whole numbers, found {found}")
        unit = _one_text(members, "unit")
        if unit is not None and unit not in UNITS:
            raise members.error("unit", f"expected one of {', '.join(UNITS)}, found {unit[:40]!r}")
        return Arrays(
            positions,
            _fps(members),
            names,
            None if parents is None else tuple(int(parent) for parent in parents.tolist()),
            unit,
            _person(members),
            *(_one_text(members, key) for key in ("name", "label", "subject")),
        )


def _is_positions(head: Header, kinds: str) -> bool:
    """Whether an array is (T, J, 3) numbers of these kinds (f, i, u)."""
    kind = head.descr.lstrip(b"<>=|")[:1].decode()
    plain = NUMBERS.fullmatch(head.descr) is not None and kind in kinds
    return plain and len(head.shape) == 3 and head.shape[2] == 3 and head.shape[1] <= MAX_JOINTS


# ---- what the keys hold --------------------------------------------------------------------------------------------


def _is_amass(members: Members) -> bool:
    return {"poses", "trans"} <= members.keys() and bool({"betas", "gender", *RATES} & members.keys())


def _other_positions(members: Members) -> str | None:
    """The one key in place of ``positions`` that holds (T, J, 3) numbers."""
    body_model = bool({"betas", "trans", "gender", "root_orient"} & members.keys())
    found = [
        key
        for key in POSITIONS
        if key in members and not (key == "poses" and body_model) and _is_positions(members.head(key), "f")
    ]
    return found[0] if len(found) == 1 else None


def _positions(members: Members) -> npt.NDArray[np.generic]:
    if "positions" not in members:
        other = _other_positions(members)
        if other is None:
            keys = ", ".join(sorted(members.keys())[:12]) or "no arrays"
            raise members.error(None, f"expected positions (T, J, 3) under the key positions, found {keys}")
        return members.array(other)
    head = members.head("positions")
    flat = len(head.shape) == 2 and head.shape[1] % 3 == 0 and head.shape[1] > 0 and NUMBERS.fullmatch(head.descr)
    if not flat and not _is_positions(head, "fiu"):
        raise members.error("positions", f"expected numbers of shape (T, J, 3) or (T, 3 J), found {head}")
    values = members.array("positions")
    return values.reshape(head.shape[0], head.shape[1] // 3 if flat else head.shape[1], 3)


def _checked(positions: npt.NDArray[np.generic], file: str) -> npt.NDArray[np.generic]:
    """The positions, if there is a frame and no more joints than a body has."""
    frames, joints, _ = positions.shape
    if frames == 0 or not 0 < joints <= MAX_JOINTS:
        message = f"expected at least one frame of 1 to {MAX_JOINTS} joints, found {frames} of {joints}"
        raise ReadError(message, file=file)
    require_size(frames, joints, file)
    return positions


def _names(members: Members, joints: int) -> tuple[str, ...] | None:
    if "joint_names" not in members:
        return None
    names = members.texts("joint_names")
    if len(names) != joints:
        raise members.error("joint_names", f"expected {joints} names, found {len(names)}")
    if len(set(names)) != joints:
        repeated = next(name for name in names if names.count(name) > 1)
        raise members.error("joint_names", f"expected each name once, found {repeated[:40]!r} again")
    return tuple(names)


def _fps(members: Members) -> float | None:
    key = next((key for key in ("fps", *RATES) if key in members), None)
    if key is None:
        return None
    values = members.array(key)
    value = float(values.reshape(-1)[0]) if values.size == 1 else math.nan
    if not 0 < value <= 1e6:
        found = value if values.size == 1 else f"{values.size} numbers"
        raise members.error(key, f"expected one positive number of frames/s, found {found}")
    return value


def _person(members: Members) -> int:
    if "person" not in members:
        return 0
    values = members.array("person")
    if values.size != 1 or values.dtype.kind not in "iu" or not 0 <= int(values.reshape(-1)[0]) <= 1e6:
        raise members.error("person", f"expected one whole number from 0, found {values.dtype} {values.shape}")
    return int(values.reshape(-1)[0])


def _one_text(members: Members, key: str) -> str | None:
    """A text, or a whole number as text."""
    if key not in members:
        return None
    head = members.head(key)
    if TEXT.fullmatch(head.descr):
        texts = members.texts(key)
    else:
        values = members.array(key)
        texts = [str(each) for each in values.reshape(-1).tolist()] if values.dtype.kind in "iu" else []
    if len(texts) != 1:
        raise members.error(key, f"expected one text, found {head}")
    return texts[0]
