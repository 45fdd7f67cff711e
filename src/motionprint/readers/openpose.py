"""OpenPose JSON (``--write_json``): one file a frame, ``NAME_000000000012_keypoints.json``, with the people in it.

The numbered files of a folder that share a NAME are one recording, whichever of them is given. Numbers that are left
out between others are missing frames; if the numbers go up by more than one (``--frame_step``), so do the frames. 25
joints (BODY_25, the skeleton ``openpose25``) or 18 (COCO, ``openpose18``); a joint of confidence 0 was not found and
is missing.

``pose_keypoints_2d`` are pixels of the image, y down: they become (x, -y, 0), and one pixel is a millimetre, since an
image has no metres. ``pose_keypoints_3d`` (with ``--3d``) are taken where a recording has them: the first camera's
axes, y down and z away, become (x, -y, -z); the unit is that of the calibration, for which millimetres are taken.

The files do not say who is who: see `follow`. They have no frame rate: 30 unless told otherwise.

The format as described in OpenPose's ``doc/02_output.md``.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from motionprint.errors import ReadError
from motionprint.readers.lines import MAX_NUMBER, require_few_gaps, require_size, sequence_of
from motionprint.readers.settings import ReadSettings
from motionprint.readers.source import Source
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS

__all__ = [
    "EXTENSIONS",
    "FORGET",
    "TITLE",
    "Person",
    "Track",
    "follow",
    "parse",
    "read",
    "recognises",
    "recording_name",
    "series_of",
]

TITLE = "OpenPose JSON"
EXTENSIONS: tuple[str, ...] = (".json",)
FPS = 30.0
FORGET = 30
"""Frames that somebody may be out of sight and still be the same recording."""
REACH = 0.5
"""How far a person may move between two sightings: the mean over the joints, as a part of the body's extent."""
MAX_PEOPLE = 100
"""In one frame."""

_SKELETONS = {25: SKELETONS["openpose25"], 18: SKELETONS["openpose18"]}
_FILE = re.compile(r"(.*?)(\d{1,18})_keypoints\.json", re.IGNORECASE | re.DOTALL)
_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{(?:\s*"version"\s*:\s*[\d.]+\s*,)?\s*"people"\s*:\s*\[')

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """One person in one frame."""

    number: int | None
    """The file's ``person_id``; None where it does not know."""
    flat: Points | None
    """(J, 3) x, y (pixels, as written) and 0; NaN for joints that were not found; None for a person without any."""
    solid: Points | None
    """(J, 3) x, y, z as written, likewise."""

    def points(self, solid: bool) -> Points | None:
        """Those in space, or those in the image."""
        return self.solid if solid else self.flat


@dataclass
class Track:
    """One person over the frames."""

    number: int | None
    frames: list[int] = field(default_factory=list)
    """The frames in which the person was found, increasing."""
    points: list[Points] = field(default_factory=list)
    """(J, 3) in each of them."""


def series_of(name: str) -> tuple[str, int] | None:
    """What the files of one recording have in common, and the number of the frame; None if no frame by its name."""
    found = _FILE.fullmatch(name)
    return None if found is None else (found[1], int(found[2]))


def recognises(data: bytes) -> bool:
    """Whether this is a JSON object with people, nobody or at once their keypoints."""
    head = _HEAD.match(data)
    return head is not None and (b'"pose_keypoints' in data or data[head.end() :].lstrip()[:1] == b"]")


def read(source: Source, name: str, data: bytes, settings: ReadSettings) -> list[SkeletonSequence]:
    """One recording a person, from the first frame in which the person was found to the last."""
    file = source.label(name)
    settings.refuse(file, f"{TITLE}: it has 25 or 18 joints", "skeleton", "up", "columns")
    metres = settings.metres("mm")
    numbers, frames = [], []
    for number, each in _siblings(source, name):
        numbers.append(number)
        frames.append(parse(source.read_bytes(each), source.label(each)) if each != name else parse(data, file))
    require_few_gaps(numbers, file, "files")
    is_solid = any(person.solid is not None for people in frames for person in people)
    found = [
        [(person.number, points) for person in people if (points := person.points(is_solid)) is not None]
        for people in frames
    ]
    counts = {len(points) for people in found for _, points in people}
    if len(counts) > 1:
        raise ReadError("expected 25 joints or 18 in all frames, found both", file=file)
    tracks = follow(numbers, found)
    require_size(sum(track.frames[-1] - track.frames[0] + 1 for track in tracks), max(counts, default=0), file)
    called = recording_name(name)
    sequences = []
    for person, track in enumerate(tracks):
        positions = _positions(track, metres)
        skeleton = _SKELETONS[positions.shape[1]]
        sequence = sequence_of(positions, settings.fps or FPS, skeleton, name=name, person=person)
        sequences.append(sequence if called is None else replace(sequence, name=called))
    return sequences


def recording_name(name: str) -> str | None:
    """What a recording is called of which this is one frame: NAME, or the folder where the files are only numbered."""
    series = series_of(name)
    return None if series is None else series[0].rstrip("/_-. ") or None


def _siblings(source: Source, name: str) -> Iterator[tuple[int, str]]:
    """(frame, name) of the files of a recording in their order; frames are counted in the steps of their numbers."""
    series = series_of(name.rpartition("/")[2])
    if series is None:
        yield 0, name
        return
    _, files = next(source.folders_above(name), ("", []))
    folder = files[0][: files[0].rfind("/") + 1] if files else ""
    found: dict[int, str] = {}
    for each in files[bisect_left(files, folder + series[0]) :]:
        if not each.startswith(folder + series[0]):
            break
        other = series_of(each[len(folder) :])
        if other is None or other[0] != series[0]:
            continue
        if other[1] in found:
            raise ReadError(
                f"expected one file a frame, found {each[len(folder) :]} and "
                f"{found[other[1]][len(folder) :]} for frame {other[1]}",
                file=source.label(name),
            )
        found[other[1]] = each
    if series[1] not in found:  # a folder that cannot be listed
        found = {series[1]: name}
    first = min(found)
    step = math.gcd(*(number - first for number in found)) or 1
    for number in sorted(found):
        yield (number - first) // step, found[number]


def _positions(track: Track, metres: float) -> npt.NDArray[np.float32]:
    """(T, J, 3) metres, y up, from a person's first frame to the last; NaN between sightings."""
    first, last = track.frames[0], track.frames[-1]
    positions = np.full((last - first + 1, *track.points[0].shape), np.nan, dtype=np.float32)
    turned = np.stack(track.points) * (metres * np.array([1.0, -1.0, -1.0]))
    positions[np.array(track.frames) - first] = turned + 0.0  # no -0 where an image has no depth
    return positions


# ---- one file ------------------------------------------------------------------------------------------------------


def parse(data: bytes, file: str) -> list[Person]:
    """The people in one frame, in the file's order.

    Raises
    ------
    ReadError
        If it is not JSON, holds no list of people, or somebody's keypoints are not 25 or 18 times x, y (, z) and a
        confidence.
    """
    try:
        table = json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except json.JSONDecodeError as error:
        raise ReadError(f"expected JSON, found: {error.msg}", file=file, line=error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise ReadError(f"expected JSON, found: {error}", file=file) from error
    people = table.get("people") if isinstance(table, dict) else None
    if not isinstance(people, list):
        raise ReadError('expected a list of people under "people", found none', file=file)
    if len(people) > MAX_PEOPLE:
        raise ReadError(f"expected at most {MAX_PEOPLE} people in a frame, found {len(people)}", file=file)
    persons = [_person(person, f"person {place}", file) for place, person in enumerate(people)]
    named = [person.number for person in persons if person.number is not None]
    if len(set(named)) != len(named):
        raise ReadError("expected each person_id once in a frame, found one twice", file=file)
    return persons


def _person(person: Any, where: str, file: str) -> Person:
    if not isinstance(person, dict):
        raise ReadError(f"{where}: expected an object with keypoints, found {repr(person)[:40]}", file=file)
    key = "pose_keypoints_2d" if "pose_keypoints_2d" in person else "pose_keypoints"  # before version 1.2
    flat = _points(person.get(key, []), 3, f"{where}, {key}", file)
    solid = _points(person.get("pose_keypoints_3d", []), 4, f"{where}, pose_keypoints_3d", file)
    number = person.get("person_id", -1)
    if isinstance(number, list) and len(number) == 1:
        number = number[0]
    if not isinstance(number, int) or isinstance(number, bool):
        raise ReadError(f"{where}: expected a whole number as person_id, found {repr(number)[:40]}", file=file)
    return Person(number if number >= 0 else None, flat, solid)


def _points(values: Any, width: int, where: str, file: str) -> Points | None:
    """(J, 3) of numbers in groups of ``width``, the last of them a confidence; None where no joint was found."""
    counts = [width * joints for joints in _SKELETONS]
    if not isinstance(values, list) or (values and len(values) not in counts):
        found = f"{len(values)}" if isinstance(values, list) else repr(values)[:40]
        expected = " or ".join(map(str, counts))
        raise ReadError(f"{where}: expected {expected} numbers, found {found}", file=file)
    if not set(map(type, values)) <= {int, float} or not all(abs(value) <= MAX_NUMBER for value in values):
        wrong = next(v for v in values if type(v) not in (int, float) or not abs(v) <= MAX_NUMBER)
        raise ReadError(f"{where}: expected a finite number, found {repr(wrong)[:40]}", file=file)
    points = np.array(values, dtype=np.float64).reshape(-1, width)
    if (points[:, -1] < 0).any():
        raise ReadError(f"{where}: expected confidences of 0 or more, found {points[:, -1].min():g}", file=file)
    seen = points[:, -1] > 0
    if not seen.any():
        return None
    joints = np.zeros((len(points), 3))
    joints[:, : width - 1] = points[:, :-1]
    joints[~seen] = np.nan
    return joints


# ---- who is who ----------------------------------------------------------------------------------------------------


def follow(frames: Sequence[int], people: Sequence[Sequence[tuple[int | None, Points]]]) -> list[Track]:
    """People over the frames, in the order in which they come into sight.

    OpenPose lists the people of a frame in any order. Somebody with a ``person_id`` is the one who had it before. The
    others are the ones who were nearest: the mean distance of the joints found in both sightings, over the body's
    extent, is made smallest for all together (the Hungarian method), and whoever would have moved more than `REACH` is
    someone new. So is whoever was out of sight for more than `FORGET` frames.

    Parameters
    ----------
    frames
        (F,) increasing.
    people
        For each frame (person_id or None, (J, 3) points) of the people in it.
    """
    tracks: list[Track] = []
    near: list[Track] = []
    for frame, found in zip(frames, people, strict=True):
        near = [track for track in near if frame - track.frames[-1] <= FORGET + 1]
        by_number = {track.number: track for track in near if track.number is not None}
        unnamed = [track for track in near if track.number is None]
        matched = _nearest(unnamed, [points for number, points in found if number is None])
        for number, points in found:
            track = next(matched) if number is None else by_number.get(number)
            if track is None:
                track = Track(number)
                tracks.append(track)
                near.append(track)
            track.frames.append(frame)
            track.points.append(points)
    return tracks


def _nearest(tracks: Sequence[Track], people: Sequence[Points]) -> Iterator[Track | None]:
    """For each of the people the one of the tracks that continues with them, or None."""
    chosen: dict[int, Track] = {}
    if tracks and people:
        from scipy.optimize import linear_sum_assignment

        before = np.stack([track.points[-1] for track in tracks])  # (A, J, 3)
        far = 1e3 * REACH
        costs = np.stack([_moves(before, points) for points in people])  # (B, A)
        costs = np.where(costs <= REACH, costs, far)
        for person, track in zip(*linear_sum_assignment(costs), strict=True):
            if costs[person, track] < far:
                chosen[int(person)] = tracks[track]
    return (chosen.get(person) for person in range(len(people)))


def _moves(before: Points, points: Points) -> Points:
    """(A,) how far each of (A, J, 3) would have moved to be where ``points`` is; inf where no joint is in both."""
    distances = np.sqrt(((before - points) ** 2).sum(axis=-1))  # (A, J)
    common = ~np.isnan(distances)
    count = common.sum(axis=1)
    mean = np.where(common, distances, 0.0).sum(axis=1) / np.maximum(count, 1)
    size = np.maximum(_extent(before), _extent(points))
    return np.where(count > 0, mean / np.maximum(size, 1e-9), np.inf)


def _extent(points: Points) -> Points:
    """The diagonal of the box around (..., J, 3) points, those that were not found aside."""
    missing = np.isnan(points)
    high = np.where(missing, -np.inf, points).max(axis=-2)
    low = np.where(missing, np.inf, points).min(axis=-2)
    return np.asarray(np.sqrt(((high - low) ** 2).sum(axis=-1)))
