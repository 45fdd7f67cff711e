"""Motion as a film: an animated GIF, or MP4 where imageio-ffmpeg is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from motionprint.errors import SettingsError
from motionprint.pictures.bodies import TURN, Floats, are_markers
from motionprint.preprocessing.space import rotation_to_front
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

__all__ = ["FILMS", "LONGEST", "motion_film"]

FILMS = (".gif", ".mp4")
"""The endings that a film's name may have."""
LONGEST = {".gif": 60.0, ".mp4": 600.0}
"""Seconds of a film of each kind at most: a longer GIF is a file that nobody can load."""

_RATE = {".gif": 25.0, ".mp4": 30.0}  # frames/s at most: browsers slow a GIF down that wants more
_WIDE, _HIGH = 640, 400  # pixels at most
_NARROWEST = 200
_FINER = 3  # drawn so many times as large, and reduced: smooth edges
_DOWN = 14.0  # degrees that the viewer looks down, so that there is a floor to see
_TALL = 1.6  # metres of a usual body
_MARGIN, _THICK = 0.12, 0.035  # metres around what moves, and of a bone, of a body so tall
_LINES = 40  # of the floor in each direction at most
_WHITE, _FLOOR, _SHADOW, _BODY = (255, 255, 255), (207, 207, 207), (190, 190, 190), (51, 51, 51)
_SIDES = ((0, 114, 178), (213, 94, 0))  # left, right

Colour = tuple[int, int, int]


def motion_film(sequence: SkeletonSequence, path: str | Path) -> None:
    """Film a recording in real time: the body turned to the viewer as it begins, the camera fixed, a floor of squares.

    The left side is blue, the right one orange; the squares measure 0.5 m, or more where the recording needs a large
    floor. The camera sees all of where the body goes but for single wild values. A recording with more frames a second
    than a film of its kind has (GIF 25, MP4 30) is thinned.

    Parameters
    ----------
    path
        Ends in .gif, or in .mp4 (which needs the package imageio-ffmpeg). An existing file is replaced.

    Raises
    ------
    SettingsError
        If nothing is there to draw, the recording lasts longer than `LONGEST`, the ending is unknown, or
        imageio-ffmpeg is not installed.
    """
    ending = Path(path).suffix.lower()
    if ending not in FILMS:
        raise SettingsError(f"{path}: expected a film's name to end in one of {', '.join(FILMS)}")
    if sequence.duration > LONGEST[ending]:
        raise SettingsError(
            f"{sequence.name}: expected at most {LONGEST[ending]:g} s for a film in {ending[1:].upper()}, found "
            f"{sequence.duration:.1f} s: --from and --to (start=, end=) choose a part"
        )
    if ending == ".gif":
        hundredths = min(max(round(100 / _RATE[ending]), round(100 / sequence.fps)), 6000)  # a GIF counts time in them
        _write_gif(_frames(sequence, 100 / hundredths), path, 10 * hundredths)
    else:
        fps = sequence.fps / np.ceil(sequence.fps / _RATE[ending])
        _write_mp4(_frames(sequence, fps), path, fps)


def _write_gif(frames: Iterator[Image], path: str | Path, milliseconds: int) -> None:
    from PIL import Image

    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in _palette() for value in colour])
    drawn = (frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    first = next(drawn)
    first.save(path, format="GIF", save_all=True, append_images=drawn, duration=milliseconds, loop=0, optimize=False)


def _palette() -> list[Colour]:
    """The colours and what they become at smooth edges: a fixed table, so that a GIF needs no other."""
    found = [_WHITE, _FLOOR, _SHADOW, _mixed(_WHITE, _FLOOR, 0.5), _mixed(_WHITE, _SHADOW, 0.5)]
    for colour in (_BODY, *_SIDES):
        for ground in (_WHITE, _FLOOR, _SHADOW):
            found += [_mixed(ground, colour, share / 6) for share in range(1, 7)]
    found += [_mixed(one, other, 0.5) for one, other in (_SIDES, (_BODY, _SIDES[0]), (_BODY, _SIDES[1]))]
    return list(dict.fromkeys(found))


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round((1 - share) * a + share * b) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _write_mp4(frames: Iterator[Image], path: str | Path, fps: float) -> None:
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise SettingsError(
            "picture: expected the package imageio-ffmpeg to write MP4 with, found none: "
            "pip install 'motionprint[video]', or write a .gif"
        ) from error
    first = next(frames)
    writer = imageio_ffmpeg.write_frames(
        str(path), first.size, fps=fps, quality=7, macro_block_size=2, ffmpeg_log_level="error"
    )
    writer.send(None)
    try:
        writer.send(first.tobytes())
        for frame in frames:
            writer.send(frame.tobytes())
    finally:
        writer.close()


# ---- drawing -----------------------------------------------------------------------------------------------------


class _Stage(NamedTuple):
    """What stays the same from frame to frame."""

    size: tuple[int, int]
    """Pixels to the right and down."""
    scale: float
    """Pixels a metre."""
    corner: Floats
    """(2,) metres to the right and up: the lower left corner."""
    floor: Floats
    """(n, 2, 3) the ends of the lines of the floor."""
    thick: int
    """Pixels of a bone in the finer picture."""


def _frames(sequence: SkeletonSequence, fps: float) -> Iterator[Image]:
    """The film's frames, ``fps`` a second."""
    standing = _standing(sequence.positions.astype(np.float64), sequence.skeleton)
    shown = np.round(np.arange(0, len(standing) / sequence.fps, 1 / fps) * sequence.fps).astype(int)
    standing = standing[np.minimum(shown, len(standing) - 1)]  # (frames, J, 3), the floor at 0
    known = standing.reshape(-1, 3)
    known = known[np.isfinite(known).all(axis=1)]
    if not len(known):
        raise SettingsError(f"{sequence.name}: picture: expected positions to draw, found only missing values")
    spans = np.ptp(np.nan_to_num(standing[np.isfinite(standing).any(axis=(1, 2)), :, 1]), axis=1)
    stage = _stage(known, max(float(np.median(spans)) / _TALL, 1e-6))
    floor = _canvas(stage)
    colours = _colours(sequence.skeleton)
    for joints in standing:
        yield _drawn(floor.copy(), joints, sequence.skeleton.parents, colours, stage).reduce(_FINER)


def _standing(positions: Floats, skeleton: Skeleton) -> Floats:
    """(T, J, 3) the body turned to the front as it begins, and the floor at 0."""
    turns = (rotation_to_front(frame, skeleton, "heading") for frame in positions)
    turn = next((each for each in turns if each is not None), np.eye(3))
    turned = np.where(np.isnan(positions).any(axis=2, keepdims=True), np.nan, positions) @ turn.T
    heights = turned[..., 1]
    lowest = np.where(np.isnan(heights), np.inf, heights).min(axis=1)  # (T,)
    lowest = lowest[np.isfinite(lowest)]
    if not len(lowest):
        return turned
    root = turned[:, skeleton.root]
    if np.nanmax(np.ptp(root, axis=0), initial=0.0) < 1e-6:  # removed: the feet tell where the floor is
        level = np.where(np.isnan(heights), np.inf, heights).min(axis=1)
        turned[..., 1] -= np.where(np.isfinite(level), level, 0.0)[:, None]
    else:
        turned[..., 1] -= np.quantile(lowest, 0.05)
    return turned


def _on_screen(points: Floats) -> Floats:
    """(..., 3) metres to (..., 3): to the right, up, and towards the viewer."""
    turn, down = np.radians(TURN), np.radians(_DOWN)
    about = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(down), -np.sin(down)], [0, np.sin(down), np.cos(down)]])
    seen: Floats = points @ (tilt @ about).T
    return seen


def _stage(known: Floats, body: float) -> _Stage:
    """Camera and floor for all points (N, 3) of a film; ``body`` is 1 for one of the usual size."""
    low, high = (np.quantile(known, share, axis=0) for share in (0.001, 0.999))  # without what flies away
    inside = known[((known >= low) & (known <= high)).all(axis=1)]
    inside = known if not len(inside) else inside
    feet = inside * [1.0, 0.0, 1.0]
    seen = _on_screen(np.concatenate([inside, feet]))[:, :2]
    corner, top = seen.min(axis=0) - _MARGIN * body, seen.max(axis=0) + _MARGIN * body
    wide, high_up = top - corner
    scale = min(_WIDE / wide, _HIGH / high_up)
    width = int(min(max(wide * scale, _NARROWEST), _WIDE)) // 2 * 2
    corner[0] -= (width / scale - wide) / 2
    height = int(high_up * scale) // 2 * 2
    square = 0.5 * 10.0 ** round(np.log10(body))  # files in a wrong unit are drawn like others
    first, last = feet[:, [0, 2]].min(axis=0) - 0.3 * body, feet[:, [0, 2]].max(axis=0) + 0.3 * body
    while (last - first).max() / square > _LINES:
        square *= 2
    first, last = np.floor(first / square) * square, np.ceil(last / square) * square
    lines = [((x, 0, first[1]), (x, 0, last[1])) for x in np.arange(first[0], last[0] + square / 2, square)]
    lines += [((first[0], 0, z), (last[0], 0, z)) for z in np.arange(first[1], last[1] + square / 2, square)]
    thick = _FINER * min(max(round(_THICK * body * scale), 2), 7)
    return _Stage((width, height), scale, corner, np.array(lines, dtype=np.float64), thick)


def _pixels(points: Floats, stage: _Stage) -> Floats:
    """(..., 3) metres to (..., 2) pixels of the finer picture, from its upper left corner."""
    seen = (_on_screen(points)[..., :2] - stage.corner) * stage.scale
    seen[..., 1] = stage.size[1] - seen[..., 1]
    return _FINER * seen


def _canvas(stage: _Stage) -> Image:
    """The floor, seen from where the camera stands."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (_FINER * stage.size[0], _FINER * stage.size[1]), _WHITE)
    pencil = ImageDraw.Draw(picture)
    for ends in _pixels(stage.floor, stage):
        pencil.line([tuple(end) for end in ends], fill=_FLOOR, width=_FINER)
    return picture


def _drawn(picture: Image, joints: Floats, parents: tuple[int, ...], colours: list[Colour], stage: _Stage) -> Image:
    """The body's shadow, and its bones (of markers, points), the farthest first."""
    from PIL import ImageDraw

    pencil = ImageDraw.Draw(picture)
    there = np.isfinite(joints.sum(axis=1))
    if are_markers(parents):
        bones = [(joint, joint) for joint in range(len(parents)) if there[joint]]
    else:
        ends = [(joint, parent) for joint, parent in enumerate(parents) if parent != -1]
        bones = [(joint, parent) for joint, parent in ends if there[joint] and there[parent]]
    shadow, body = _pixels(joints * [1.0, 0.0, 1.0], stage), _pixels(joints, stage)
    depth = _on_screen(joints)[:, 2]
    for bone in bones:
        _stroke(pencil, shadow[list(bone)], _SHADOW, stage.thick)
    for bone in sorted(bones, key=lambda bone: float(depth[list(bone)].mean())):
        _stroke(pencil, body[list(bone)], colours[bone[0]], stage.thick)
    return picture


def _stroke(pencil: ImageDraw, ends: Floats, colour: Colour, thick: int) -> None:
    """A line with round ends."""
    half = thick / 2
    pencil.line([tuple(end) for end in ends], fill=colour, width=thick)
    for right, down in ends:
        pencil.ellipse((right - half, down - half, right + half, down + half), fill=colour)


def _colours(skeleton: Skeleton) -> list[Colour]:
    """The colour of each bone, by its lower joint: the left side, the right side, or the trunk."""
    found = [_BODY] * len(skeleton)
    for part, joints in enumerate(skeleton.body_parts[:4]):
        for joint in joints:
            found[joint] = _SIDES[part % 2]
    return found
