"""How fast an AMC becomes positions, beside a plain parser: one line at a time, one matrix a joint and frame.

    python benchmarks/readers.py [RECORDING.amc]

Without an argument CMU 01_01 (2,751 frames) of ``../shared/datasets/cmu_asfamc_120fps.zip``. Both begin at the bytes of
the two files and end at the positions of all joints. Prints the best of several runs of each, taken in turns, their
ratio, and the largest distance between the two results, which must be under 1e-5 m. Set OMP_NUM_THREADS=1 for figures
that another machine can be held against.
"""

from __future__ import annotations

import argparse
import math
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from motionprint.readers import Source
from motionprint.readers.amc import find_asf, parse_amc, positions_of
from motionprint.readers.asf import parse_asf

CMU_01_01 = Path(__file__).resolve().parents[2] / "shared/datasets/cmu_asfamc_120fps.zip"
RUNS = 5
AGREE = 1e-5  # m


def ours(asf: bytes, amc: bytes) -> npt.NDArray[np.floating]:
    """What ``motionprint.read`` does once it has the bytes."""
    rig = parse_asf(asf, "rig.asf")
    values, _ = parse_amc(amc, rig, "motion.amc")
    return positions_of(rig, values)


# ------------------------------------------------------------------ the plain way, sharing no code with the library


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


def plain(asf: bytes, amc: bytes) -> npt.NDArray[np.floating]:
    """A line-by-line parser with one matrix a joint and frame."""
    bones = _plain_asf(asf.decode("latin-1"))
    names = {id(bone): name for name, bone in bones.items()}
    positions = []
    for frame in _plain_amc(amc.decode("latin-1")):
        placed: dict[str, npt.NDArray[np.float64]] = {}
        _place(bones["root"], "root", np.zeros(3), np.eye(3), frame, names, placed)
        positions.append([placed[name] for name in bones])
    return np.array(positions)


# ------------------------------------------------------------------------------------------------------------------


def _seconds(way: Callable[[bytes, bytes], object], asf: bytes, amc: bytes) -> float:
    begin = time.perf_counter()
    way(asf, amc)
    return time.perf_counter() - begin


def main() -> int:
    """Measure, print, and say with the exit status whether the two agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", nargs="?", type=Path, help="an .amc whose .asf is found by its name")
    path = parser.parse_args().recording
    if path is None and not CMU_01_01.is_file():
        parser.error(f"{CMU_01_01} is not here: name an .amc")
    with Source.open(path or CMU_01_01) as source:
        name = path.name if path else "subjects/01/01_01.amc"
        amc, asf = source.read_bytes(name), source.read_bytes(find_asf(source, name))
    fast, slow = ours(asf, amc), plain(asf, amc)
    apart = float(np.abs(fast - slow).max())
    times = [(_seconds(ours, asf, amc), _seconds(plain, asf, amc)) for _ in range(RUNS)]
    ours_best, plain_best = (min(column) for column in zip(*times, strict=True))
    print(f"{name}: {len(fast)} frames, {fast.shape[1]} joints, {len(amc) / 1e6:.1f} MB")
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}, best of {RUNS} runs")
    print(f"plain       {plain_best:8.3f} s  {len(fast) / plain_best:10.0f} frames/s")
    print(f"motionprint {ours_best:8.3f} s  {len(fast) / ours_best:10.0f} frames/s")
    print(f"ratio       {plain_best / ours_best:8.1f}")
    print(f"largest difference {apart:.1e} m (at most {AGREE:.0e} m)")
    return 0 if apart <= AGREE else 1


if __name__ == "__main__":
    sys.exit(main())
