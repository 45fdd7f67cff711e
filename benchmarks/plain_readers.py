"""Readers as they are usually written: one line at a time, one matrix a joint and frame; no code of the library."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["library_bvh", "library_c3d", "plain_amc", "plain_ntu"]


class _Bone:
    def __init__(self) -> None:
        self.name = ""
        self.end = np.zeros(3)
        self.axis = np.eye(3)
        self.dof: list[str] = []
        self.children: list[_Bone] = []


def _matrix(x: float, y: float, z: float) -> npt.NDArray[np.float64]:
    """Rz @ Ry @ Rx, from degrees."""
    a, b, c = math.radians(x), math.radians(y), math.radians(z)
    ca, sa, cb, sb, cc, sc = math.cos(a), math.sin(a), math.cos(b), math.sin(b), math.cos(c), math.sin(c)
    return np.array(
        [
            [cb * cc, sa * sb * cc - ca * sc, ca * sb * cc + sa * sc],
            [cb * sc, sa * sb * sc + ca * cc, ca * sb * sc - sa * cc],
            [-sb, sa * cb, ca * cb],
        ]
    )


def _plain_asf(text: str) -> dict[str, _Bone]:
    root = _Bone()
    bones = {"root": root}
    section, bone, direction, unit = "", root, np.zeros(3), 1.0
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith(":"):
            section = words[0]
        elif section == ":units" and words[0] == "length":
            unit = float(words[1])
        elif section == ":bonedata":
            if words[0] == "begin":
                bone = _Bone()
            elif words[0] == "name":
                bones[words[1]] = bone
            elif words[0] == "direction":
                direction = np.array([float(word) for word in words[1:4]])
            elif words[0] == "length":
                bone.end = direction * float(words[1]) / unit * 0.0254
            elif words[0] == "axis":
                bone.axis = _matrix(float(words[1]), float(words[2]), float(words[3]))
            elif words[0] == "dof":
                bone.dof = words[1:]
        elif section == ":hierarchy" and words[0] not in ("begin", "end"):
            bones[words[0]].children = [bones[child] for child in words[1:]]
    root.end = np.full(3, 0.0254 / unit)  # a unit of the root's translation
    return bones


def _plain_amc(text: str) -> list[dict[str, list[float]]]:
    frames: list[dict[str, list[float]]] = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        if words[0].isdigit():
            frames.append({})
        else:
            frames[-1][words[0]] = [float(word) for word in words[1:]]
    return frames


def _place(
    bone: _Bone,
    name: str,
    start: npt.NDArray[np.float64],
    turned: npt.NDArray[np.float64],
    frame: dict[str, list[float]],
    names: dict[int, str],
    placed: dict[str, npt.NDArray[np.float64]],
) -> None:
    if name == "root":
        values = frame["root"]
        turned = _matrix(*values[3:6])
        end = np.array(values[:3]) * bone.end
    else:
        angles = dict(zip(bone.dof, frame.get(name, ()), strict=True))
        motion = _matrix(angles.get("rx", 0.0), angles.get("ry", 0.0), angles.get("rz", 0.0))
        turned = turned @ bone.axis @ motion @ bone.axis.T
        end = start + turned @ bone.end
    placed[name] = end
    for child in bone.children:
        _place(child, names[id(child)], end, turned, frame, names, placed)


def plain_amc(asf: bytes, amc: bytes) -> npt.NDArray[np.float64]:
    """(T, J, 3) metres: ASF/AMC, one matrix a joint and frame."""
    bones = _plain_asf(asf.decode("latin-1"))
    names = {id(bone): name for name, bone in bones.items()}
    positions = []
    for frame in _plain_amc(amc.decode("latin-1")):
        placed: dict[str, npt.NDArray[np.float64]] = {}
        _place(bones["root"], "root", np.zeros(3), np.eye(3), frame, names, placed)
        positions.append([placed[name] for name in bones])
    return np.array(positions)


def plain_ntu(text: str, whole: bool) -> npt.NDArray[np.float64]:
    """(T, 25, 3) metres: the first body that an NTU `.skeleton` tracks, NaN where it is not seen.

    ``whole`` reads all twelve values of a joint, as the field's public scripts do; else the first three.
    """
    lines = iter(text.splitlines())
    frames: list[dict[str, list[list[float]]]] = []
    for _ in range(int(next(lines))):
        bodies: dict[str, list[list[float]]] = {}
        for _ in range(int(next(lines))):
            body = next(lines).split()[0]
            read = []
            for _ in range(int(next(lines))):
                words = next(lines).split()
                read.append([float(word) for word in (words if whole else words[:3])][:3])
            bodies[body] = read
        frames.append(bodies)
    first = next(body for bodies in frames for body in bodies)
    missing = [[math.nan] * 3] * 25
    return np.array([bodies.get(first, missing) for bodies in frames])


def library_bvh(text: str, metres: float) -> npt.NDArray[np.float64]:
    """(T, J, 3) metres, without end sites: a BVH as the package bvh reads it, one matrix a joint and frame.

    For files whose joints have the channels Zrotation Yrotation Xrotation.
    """
    import bvh

    tree = bvh.Bvh(text)
    names = tree.get_joints_names()
    parents = [tree.joint_parent_index(name) for name in names]
    offsets = [np.array(tree.joint_offset(name)) for name in names]
    root = tree.frames_joint_channels(names[0], ["Xposition", "Yposition", "Zposition"])
    angles = [tree.frames_joint_channels(name, ["Xrotation", "Yrotation", "Zrotation"]) for name in names]
    positions = []
    for frame in range(tree.nframes):
        turned: list[npt.NDArray[np.float64]] = []
        placed: list[npt.NDArray[np.float64]] = []
        for joint, parent in enumerate(parents):
            local = _matrix(*angles[joint][frame])
            turned.append(local if parent < 0 else turned[parent] @ local)
            start = np.array(root[frame]) if parent < 0 else placed[parent] + turned[parent] @ offsets[joint]
            placed.append(start)
        positions.append(placed)
    return np.array(positions) * metres


def library_c3d(path: str) -> npt.NDArray[np.float64]:
    """(T, M, 3) in the file's unit and axes: a C3D by the package c3d, NaN where a residual is negative."""
    import c3d

    frames = []
    with open(path, "rb") as file:
        for _, points, _ in c3d.Reader(file).read_frames():
            frames.append(np.where(points[:, 3:4] < 0, np.nan, points[:, :3]))
    return np.array(frames)
