"""BVH: a recording's positions as rotations of a rig that is built from them.

The rig's rest pose, in which all rotations are zero, is the first frame, in centimetres, y up. A joint's rotation
follows from where its children are:

- one child, or several on one line: the shortest arc from the rest pose relative to the parent, so without twist about
  the bone, which positions do not tell;
- several children that keep their distances: the rotation that fits them best (Wahba's problem, solved by a singular
  value decomposition);
- no child that keeps its distance: none.

Every joint has three rotation channels. Three position channels stand before them where rotations of the parent cannot
put the joint in its place: bones that change their length (Kinect), and siblings that move against each other (the
Acclaim joints, which lie at the ends of their bones). What is read back is therefore where it was, to a twentieth of a
millimetre. Joints are written depth first; a leaf called ``<parent>_end`` is an end site, as it was when it was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionprint.errors import SettingsError
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

__all__ = ["EXTENSIONS", "TITLE", "encode"]

TITLE = "BVH"
EXTENSIONS: tuple[str, ...] = (".bvh",)

_STILL = 2e-5  # m: a distance that changes no more is constant
_EXACT = 5e-5  # m: what a position may be off without a position channel
_CM = 100.0
_CHUNK = 4096  # frames at a time: bounds the memory that the matrices of a long recording take

Floats = npt.NDArray[np.float64]


def encode(sequence: SkeletonSequence) -> bytes:
    """The BVH file of a recording.

    Raises
    ------
    SettingsError
        If a value is missing (naming the frame, from 1, and the joint), or a joint's name cannot stand in a BVH.
    """
    _require_writable(sequence)
    rig = _Rig.of(sequence)
    # the joints with position channels; most are known, a few show only when the rest is in place
    placed = {child for joint, each in enumerate(rig.children) for child in set(each) - set(rig.carried[joint])}
    while True:
        tracks, misses = rig.solve(sequence.positions, placed)
        missed = [joint for joint in rig.order if misses[joint] > _EXACT]
        if not missed:
            break
        placed |= {joint for joint in missed if sequence.skeleton.parents[joint] not in missed}
    hierarchy, columns = _hierarchy(rig, placed)
    values = np.round(tracks[:, columns], 6) + 0.0  # no -0
    row = " ".join(["%.6f"] * values.shape[1])
    lines = [
        *hierarchy,
        "MOTION",
        f"Frames: {len(sequence)}",
        f"Frame Time: {1 / sequence.fps:.12g}",
        *(row % tuple(frame) for frame in values.tolist()),
    ]
    return ("\n".join(lines) + "\n").encode()


def _require_writable(sequence: SkeletonSequence) -> None:
    names, positions = sequence.skeleton.joint_names, sequence.positions
    missing = np.argwhere(np.isnan(positions).any(axis=2))
    if len(missing):
        frame, joint = missing[0]
        more = f", and {len(missing) - 1} more like it" if len(missing) > 1 else ""
        raise SettingsError(
            f"{TITLE}: expected complete positions, since it has no missing values, found none of {names[joint]} in "
            f"frame {frame + 1}{more}"
        )
    for name in names:
        if not name.isprintable() or set(name) & set("{}") or name != " ".join(name.split()) or not name:
            raise SettingsError(
                f"{TITLE}: expected joint names of printable text without braces and without blanks around, found "
                f"{name!a}"
            )


@dataclass(frozen=True)
class _Rig:
    """The rest pose, and which joints each joint carries rigidly."""

    skeleton: Skeleton
    order: tuple[int, ...]
    """The joints, depth first."""
    children: tuple[tuple[int, ...], ...]
    offsets: Floats
    """(J, 3) metres from the parent in the first frame, with the mean length of all frames."""
    carried: tuple[tuple[int, ...], ...]
    """For each joint the children that keep their distances to it and to each other."""

    @classmethod
    def of(cls, sequence: SkeletonSequence) -> _Rig:
        """The rig of a recording."""
        skeleton, positions = sequence.skeleton, sequence.positions
        children = tuple(
            tuple(child for child, parent in enumerate(skeleton.parents) if parent == joint)
            for joint in range(len(skeleton))
        )
        offsets = np.zeros((len(skeleton), 3))
        for joint, parent in enumerate(skeleton.parents):
            if parent != -1:
                bone = positions[:, joint].astype(np.float64) - positions[:, parent]
                first = float(np.linalg.norm(bone[0]))
                offsets[joint] = bone[0] * (np.linalg.norm(bone, axis=1).mean() / first if first > 1e-9 else 1.0)
        carried = tuple(_rigid(positions, joint, each) for joint, each in enumerate(children))
        return cls(skeleton, _depth_first(skeleton.root, children), children, offsets, carried)

    def solve(self, positions: npt.NDArray[np.float32], placed: set[int]) -> tuple[Floats, Floats]:
        """The channels (T, 6 J) of all joints, positions (cm) before rotations (degrees), and by how much each misses.

        Misses (J,) are metres, the largest over all frames.
        """
        frames, joints = positions.shape[:2]
        tracks = np.empty((frames, joints, 6))
        misses = np.zeros(joints)
        for start in range(0, frames, _CHUNK):
            chunk = positions[start : start + _CHUNK].astype(np.float64)
            np.maximum(misses, self._solve(chunk, placed, tracks[start : start + _CHUNK]), out=misses)
        tracks[..., :3] *= _CM
        for joint in range(joints):  # no jumps, which other programs would interpolate
            tracks[:, joint, 3:] = np.rad2deg(np.unwrap(tracks[:, joint, 3:], axis=0))
        return tracks.reshape(frames, 6 * joints), misses

    def _solve(self, wanted: Floats, placed: set[int], tracks: Floats) -> Floats:
        """One chunk: fills ``tracks`` (t, J, 6) in metres and radians; the misses (J,)."""
        reached = np.empty_like(wanted)  # where the rig puts the joints
        root = self.skeleton.root
        reached[:, root] = tracks[:, root, :3] = wanted[:, root]
        turns = {-1: np.broadcast_to(np.eye(3), (len(wanted), 3, 3))}
        for joint in self.order:
            parent = turns[self.skeleton.parents[joint]]
            carried = [child for child in self.carried[joint] if child not in placed]
            bones = np.einsum("tji,tkj->tki", parent, wanted[:, carried] - reached[:, joint, None])
            local = _fit(self.offsets[carried], bones)
            turn = turns[joint] = parent @ local
            tracks[:, joint, 3:] = _euler_zxy(local)
            for child in self.children[joint]:
                shift = np.broadcast_to(self.offsets[child], (len(wanted), 3))
                if child in placed:
                    shift = np.einsum("tji,tj->ti", turn, wanted[:, child] - reached[:, joint])
                tracks[:, child, :3] = shift
                reached[:, child] = reached[:, joint] + np.einsum("tij,tj->ti", turn, shift)
        misses: Floats = np.linalg.norm(reached - wanted, axis=2).max(axis=0)
        return misses


def _depth_first(root: int, children: Sequence[Sequence[int]]) -> tuple[int, ...]:
    order, waiting = [], [root]
    while waiting:
        joint = waiting.pop()
        order.append(joint)
        waiting.extend(reversed(children[joint]))
    return tuple(order)


def _rigid(positions: npt.NDArray[np.float32], joint: int, children: Sequence[int]) -> tuple[int, ...]:
    """The largest group found of children that keep their distances to the joint and to each other."""

    def still(one: int, other: int) -> bool:
        lengths = np.linalg.norm(positions[:, one].astype(np.float64) - positions[:, other], axis=1)
        return float(np.ptp(lengths)) <= 2 * _STILL

    steady = [child for child in children if still(joint, child)]
    best: list[int] = []
    for first in steady[:8]:
        group = [first]
        for child in steady:
            if child != first and all(still(child, each) for each in group):
                group.append(child)
        if len(group) > len(best):
            best = group
    return tuple(sorted(best))


# ---- rotations ---------------------------------------------------------------------------------------------------


def _fit(offsets: Floats, bones: Floats) -> Floats:
    """(T, 3, 3) the rotations that bring ``offsets`` (K, 3) as near to ``bones`` (T, K, 3) as they can."""
    frames = len(bones)
    lengths = np.linalg.norm(offsets, axis=1)
    if not len(offsets) or lengths.max() < 1e-9:
        return np.broadcast_to(np.eye(3), (frames, 3, 3))
    if len(offsets) == 1 or np.linalg.svd(offsets, compute_uv=False)[1] < _STILL:
        longest = int(lengths.argmax())
        return _shortest_arc(offsets[longest] / lengths[longest], bones[:, longest])
    u, _, vt = np.linalg.svd(np.einsum("tki,kj->tij", bones, offsets))
    u[:, :, 2] *= np.sign(np.linalg.det(u) * np.linalg.det(vt))[:, None]  # a rotation, no mirror image
    fitted: Floats = u @ vt
    return fitted


def _shortest_arc(start: Floats, ends: Floats) -> Floats:
    """(T, 3, 3) the smallest rotations that turn the unit vector ``start`` into the directions ``ends`` (T, 3)."""
    halfway = start + ends / np.maximum(np.linalg.norm(ends, axis=1, keepdims=True), 1e-12)
    opposite = np.linalg.norm(halfway, axis=1) < 1e-6
    if opposite.any():  # for half a turn any axis at right angles will do: the one of the frame before it, if it is one
        across = np.cross(start, np.eye(3)[np.abs(start).argmin()])
        before = np.maximum.accumulate(np.where(opposite, 0, np.arange(len(ends))))
        axes = halfway[before] - (halfway[before] @ start)[:, None] * start
        lost = np.linalg.norm(axes, axis=1, keepdims=True) < 1e-5
        halfway = np.where(opposite[:, None], np.where(lost, across, axes), halfway)
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
    # half a turn about the start, then half a turn about the direction halfway
    arcs: Floats = (2 * halfway[:, :, None] * halfway[:, None, :] - np.eye(3)) @ (
        2 * np.outer(start, start) - np.eye(3)
    )
    return arcs


def _euler_zxy(matrices: Floats) -> Floats:
    """(T, 3) the angles of Rz @ Rx @ Ry in radians; where x is a quarter turn, the one about y is zero."""
    cos_x = np.hypot(matrices[:, 0, 1], matrices[:, 1, 1])
    x = np.arctan2(matrices[:, 2, 1], cos_x)
    free = cos_x > 1e-8
    z = np.where(
        free, np.arctan2(-matrices[:, 0, 1], matrices[:, 1, 1]), np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    )
    y = np.where(free, np.arctan2(-matrices[:, 2, 0], matrices[:, 2, 2]), 0.0)
    return np.stack([z, x, y], axis=1)


# ---- text --------------------------------------------------------------------------------------------------------


def _hierarchy(rig: _Rig, placed: set[int]) -> tuple[list[str], list[int]]:
    """The lines of the tree, and which of the (6 J) channels are written, in order."""
    names, parents = rig.skeleton.joint_names, rig.skeleton.parents
    lines: list[str] = ["HIERARCHY"]
    columns: list[int] = []
    open_joints: list[int] = []
    end_sites: dict[int, int] = {}

    def close(until: int) -> None:
        while open_joints and open_joints[-1] != until:
            open_joints.pop()
            lines.append("\t" * len(open_joints) + "}")

    for joint in rig.order:
        close(parents[joint])
        pad = "\t" * len(open_joints)
        number = end_sites.get(parents[joint], 1)
        end_name = f"{names[parents[joint]]}_end{number if number > 1 else ''}"
        is_end = parents[joint] != -1 and not rig.children[joint] and joint not in placed and names[joint] == end_name
        kind = "ROOT" if parents[joint] == -1 else "JOINT"
        lines += [f"{pad}End Site" if is_end else f"{pad}{kind} {names[joint]}", f"{pad}{{"]
        lines.append(f"{pad}\tOFFSET " + " ".join(f"{value * _CM:.5f}" for value in rig.offsets[joint]))
        open_joints.append(joint)
        if is_end:
            end_sites[parents[joint]] = number + 1
            continue
        moves = parents[joint] == -1 or joint in placed
        shifts = "Xposition Yposition Zposition " if moves else ""
        lines.append(f"{pad}\tCHANNELS {6 if moves else 3} {shifts}Zrotation Xrotation Yrotation")
        columns += range(6 * joint + (0 if moves else 3), 6 * joint + 6)
    close(-1)
    return lines, columns
