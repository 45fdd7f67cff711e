"""What several test files share."""

from __future__ import annotations

import importlib.util
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

# Small problems: threads that wait for each other take longer than one, above all where two workers run tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_datasets() -> Path:
    """The folder of real recordings beside the repository; a test that wants it is skipped where it is absent."""
    folder = REPOSITORY.parent / "shared" / "datasets"
    if not folder.is_dir():
        pytest.skip(
            f"real recordings are not here: expected ../{folder.parent.name}/{folder.name} beside the repository"
        )
    return folder


def _benchmark(name: str) -> ModuleType:
    """A benchmark as a module, which finds its neighbours as it does when it is run."""
    folder = REPOSITORY / "benchmarks"
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def benchmark_module() -> Callable[[str], ModuleType]:
    """Loads a script of benchmarks/ by its name."""
    return _benchmark


_BODY = (
    ("Hips", None, (0, 90, 0)),
    ("Spine", "Hips", (0, 30, 0)),
    ("Head", "Spine", (0, 40, 0)),
    ("LeftArm", "Spine", (18, 25, 0)),
    ("LeftHand", "LeftArm", (0, -50, 0)),
    ("RightArm", "Spine", (-18, 25, 0)),
    ("RightHand", "RightArm", (0, -50, 0)),
    ("LeftUpLeg", "Hips", (10, 0, 0)),
    ("LeftFoot", "LeftUpLeg", (0, -85, 0)),
    ("RightUpLeg", "Hips", (-10, 0, 0)),
    ("RightFoot", "RightUpLeg", (0, -85, 0)),
)
"""A small body: joint, parent, offset in centimetres."""

ACTIONS = {"wave": ("LeftArm",), "squat": ("LeftUpLeg", "RightUpLeg"), "march": ("LeftUpLeg", "RightArm")}
"""Actions and the joints that swing in them."""

PEOPLE = ("anna", "bert", "cleo")


def bvh_text(action: str, seed: int, frames: int = 45) -> str:
    """A BVH file at 30 frames/s: ten joints and four end sites."""
    children: dict[str | None, list[str]] = {}
    offsets = {}
    for joint, parent, offset in _BODY:
        children.setdefault(parent, []).append(joint)
        offsets[joint] = offset
    order: list[str] = []

    def hierarchy(joint: str, depth: int) -> list[str]:
        order.append(joint)
        pad = "\t" * depth
        channels = "3 Zrotation Xrotation Yrotation"
        if depth == 0:
            channels = "6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
        lines = [f"{pad}{'JOINT' if depth else 'ROOT'} {joint}", f"{pad}{{"]
        lines += [f"{pad}\tOFFSET {' '.join(map(str, offsets[joint]))}", f"{pad}\tCHANNELS {channels}"]
        for child in children.get(joint, []):
            lines += hierarchy(child, depth + 1)
        if joint not in children:
            lines += [f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET 0 10 0", f"{pad}\t}}"]
        return [*lines, f"{pad}}}"]

    lines = ["HIERARCHY", *hierarchy("Hips", 0), "MOTION", f"Frames: {frames}", f"Frame Time: {1 / 30:.6f}"]
    random = np.random.default_rng(seed)
    speed, size, turn = random.uniform(0.8, 1.2), random.uniform(30, 50), random.uniform(0, 360)
    for frame in range(frames):
        values = [0.0, 90.0, 0.0]
        for joint in order:
            swing = size * math.sin(2 * math.pi * speed * frame / 30) if joint in ACTIONS[action] else 0.0
            values += [swing + random.normal(0, 0.5), random.normal(0, 0.5), turn if joint == "Hips" else 0.0]
        lines.append(" ".join(f"{value:.4f}" for value in values))
    return "\n".join(lines) + "\n"


def write_takes(folder: Path) -> Path:
    """A folder of 18 BVH files, `ACTION/PERSON_REPETITION.bvh`."""
    seed = 0
    for action in ACTIONS:
        (folder / action).mkdir(parents=True)
        for person in PEOPLE:
            for repetition in range(2):
                seed += 1
                (folder / action / f"{person}_{repetition}.bvh").write_text(bvh_text(action, seed), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def make_takes() -> Callable[[Path], Path]:
    """Writes a folder of 18 small BVH files of three actions and three people."""
    return write_takes


@pytest.fixture(scope="session")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 18 small BVH files of three actions and three people."""
    return write_takes(tmp_path_factory.mktemp("recordings") / "takes")


@pytest.fixture(scope="session")
def few(takes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set folder of six short recordings: training on it takes no time."""
    from motionprint.readers import read_all
    from motionprint.store import write_dataset

    folder = tmp_path_factory.mktemp("few") / "data"
    write_dataset(folder, list(read_all(takes))[::3])
    return folder
