"""Data of the viewer's page, made of numpy arrays alone as docs/viewer.md says.

Written on its own, not by the package: what the page reads is tested against the description of the format.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]

JOINTS = (
    "Hips",
    "Spine",
    "Head",
    "LeftArm",
    "LeftHand",
    "RightArm",
    "RightHand",
    "LeftLeg",
    "LeftFoot",
    "RightLeg",
    "RightFoot",
)
PARENTS = (-1, 0, 1, 1, 3, 1, 5, 0, 7, 0, 9)
REST = np.array(
    [
        (0.0, 0.95, 0.0),
        (0.0, 1.35, 0.0),
        (0.0, 1.65, 0.0),
        (0.2, 1.4, 0.0),
        (0.3, 0.9, 0.0),
        (-0.2, 1.4, 0.0),
        (-0.3, 0.9, 0.0),
        (0.1, 0.5, 0.0),
        (0.1, 0.0, 0.1),
        (-0.1, 0.5, 0.0),
        (-0.1, 0.0, 0.1),
    ]
)
"""(J, 3) metres."""
ACTIONS = ("wave", "march", "squat", "turn")
PEOPLE = ("anna", "bert", "cleo")


def motion(action: int, frames: int, seed: int) -> npt.NDArray[np.float64]:
    """(T, J, 3) metres of an action: one swinging limb each."""
    rng = np.random.default_rng(seed)
    swing = np.sin(2 * np.pi * (np.arange(frames) / 15 * rng.uniform(0.8, 1.2) + rng.uniform()))  # (T,)
    positions = np.tile(REST, (frames, 1, 1))
    name = ACTIONS[action]
    if name == "wave":
        positions[:, 4] = positions[:, 3] + np.stack([0.35 * swing, np.full(frames, 0.35), np.zeros(frames)], axis=1)
    elif name == "march":
        positions[:, 7, 2] += 0.3 * swing
        positions[:, 8, 2] += 0.45 * swing
        positions[:, 9, 2] -= 0.3 * swing
        positions[:, 10, 2] -= 0.45 * swing
        positions[:, :, 2] += np.linspace(0, 1.0, frames)[:, None]
    elif name == "squat":
        positions[:, :7, 1] -= 0.2 * (1 + swing)[:, None]
    else:
        angle = np.linspace(0, np.pi, frames)[:, None]
        x, z = positions[..., 0].copy(), positions[..., 2].copy()
        positions[..., 0], positions[..., 2] = (
            np.cos(angle) * x + np.sin(angle) * z,
            np.cos(angle) * z - np.sin(angle) * x,
        )
    return positions


def base64_of(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def bits(mask: Mask) -> str:
    return base64_of(np.packbits(mask.ravel(), bitorder="little").tobytes())


def millimetres(positions: Floats) -> npt.NDArray[np.int16]:
    """(T, J, 3) with -32768 for what is missing (NaN)."""
    found: npt.NDArray[np.int16] = np.where(np.isnan(positions), -32768, np.round(1000 * positions)).astype("<i2")
    return found


def frames_of(motions: Sequence[npt.NDArray[np.int16]]) -> bytes:
    """Differences to the frame before, low bytes before high bytes, deflated."""
    parts = []
    for values in motions:
        filled = values.copy()
        for frame in range(len(filled)):
            before = filled[frame - 1] if frame else np.zeros_like(filled[0])
            filled[frame] = np.where(filled[frame] == -32768, before, filled[frame])
        parts.append(np.diff(filled, axis=0, prepend=np.zeros_like(filled[:1])).ravel())
    both = np.concatenate(parts).astype("<i2").view(np.uint8).reshape(-1, 2)
    return zlib.compress(both[:, 0].tobytes() + both[:, 1].tobytes(), 6)


def payload(count: int = 60, *, seed: int = 0, neighbours: int = 5, **changes: Any) -> tuple[dict[str, Any], bytes]:
    """A page's meta and frames: recordings of four actions by three people, in four heaps on the map.

    Recording 5 lacks the left hand (joint 4) in its first ten frames.
    """
    rng = np.random.default_rng(seed)
    actions = [number % len(ACTIONS) for number in range(count)]
    lengths = [20 + number % 11 for number in range(count)]
    motions = [
        millimetres(motion(action, length, number))
        for number, (action, length) in enumerate(zip(actions, lengths, strict=True))
    ]
    missing = {}
    if count > 5:
        motions[5][:10, 4] = -32768
        missing["5"] = bits((motions[5] == -32768).all(axis=2))
    heaps = np.array([(0.25, 0.25), (0.75, 0.3), (0.3, 0.75), (0.75, 0.8)])
    points = np.clip(heaps[actions] + rng.normal(0, 0.07, (count, 2)), 0, 1)
    distances = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2)) if count <= 2000 else None
    k = min(neighbours, count - 1)
    if distances is None:
        nearest = (np.arange(count)[:, None] + 4 * np.arange(1, k + 1)) % count
        far = np.tile(np.arange(1, k + 1) / 10, (count, 1))
    else:
        np.fill_diagonal(distances, np.inf)
        nearest = np.argsort(distances, axis=1)[:, :k]
        far = np.take_along_axis(distances, nearest, axis=1)
    sizes = [each.size for each in motions]
    meta: dict[str, Any] = {
        "format": 1,
        "kind": "dataset",
        "title": "Four actions",
        "made_by": "motionprint test",
        "served": False,
        "skeletons": [{"joints": list(JOINTS), "parents": list(PARENTS)}],
        "items": {
            "name": [f"{ACTIONS[action]}_{number:03d}" for number, action in enumerate(actions)],
            "source": [f"{PEOPLE[number % 3]}/{number}.bvh" if number % 2 else None for number in range(count)],
            "person": [0] * count,
            "start": [0.0] * count,
            "end": [length / 15 for length in lengths],
            "skeleton": [0] * count,
            "fps": [15.0] * count,
            "offset": [0, *np.cumsum(sizes)[:-1].tolist()],
            "length": lengths,
        },
        "missing": missing,
        "colours": [
            {"name": "label", "values": list(ACTIONS), "codes": actions},
            {"name": "subject", "values": list(PEOPLE), "codes": [number % 3 for number in range(count)]},
            {
                "name": "confidence",
                "numbers": [round(number / count, 3) if number % 7 else None for number in range(count)],
            },
        ],
        "map": {"kind": "PCA", "of": "coordinates", "x": points[:, 0].tolist(), "y": points[:, 1].tolist()},
        "neighbours": {
            "k": k,
            "ids": base64_of(nearest.astype("<i4").tobytes()),
            "distances": base64_of(far.astype("<f4").tobytes()),
        },
        "run": None,
        "labels": {"names": ["march", "wave"], "given": {}},
        **changes,
    }
    return meta, frames_of(motions)


def run() -> dict[str, Any]:
    """What a run adds: losses of 50 steps, one of them never above zero, and two recordings with an arm hidden."""
    steps = list(range(1, 51))
    examples = []
    for number in range(2):
        whole = motion(number, 25, number)
        made = whole.copy()
        made[:, (5, 6), 0] -= 0.1  # ten centimetres off
        hidden = np.zeros(whole.shape[:2], bool)
        hidden[:, (5, 6)] = True
        examples.append(
            {
                "name": f"example {number}",
                "skeleton": 0,
                "fps": 15.0,
                "length": len(whole),
                "original": base64_of(millimetres(whole).tobytes()),
                "inpainted": base64_of(millimetres(made).tobytes()),
                "hidden": bits(hidden),
            }
        )
    return {
        "losses": {
            "step": steps,
            "encoder": [2.5 / step for step in steps],
            "decoder": [1.5 / step**0.5 for step in steps],
            "discriminator": [-1.0] * 50,
        },
        "facts": [["method", "inpainting"], ["steps", "50"]],
        "inpainted": examples,
    }
