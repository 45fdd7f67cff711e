"""The embedded data set: procedural motion of a made-up body, a stand-in that needs no download.

Ten subjects perform nineteen actions three times each. A performance is written down as curves over time (where the
feet stand, where the hands are, how the trunk bends: ``synthetic.toml``), the limbs follow by two-bone inverse
kinematics, and the joint rotations go through the forward kinematics that the readers use. Nothing in it was recorded
or fitted to a recording. How hard it is was settled on raw coordinates alone (``docs/synthetic.md``).

Axes: y up, the body looks along +z, its left is +x. The *lead* side is the one that throws, kicks and steps first.
Bone lengths follow the segment proportions of Drillis and Contini (1966), as fractions of body height.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from motionprint.corpora.corpus import Corpus, Fold, Options, Recording, one_fold
from motionprint.errors import SettingsError
from motionprint.kinematics import forward_kinematics
from motionprint.rotations import euler_to_matrix
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS

if TYPE_CHECKING:
    import pandas as pd

    from motionprint.readers.source import Source

__all__ = ["CORPUS", "FPS", "LABELS", "REPETITIONS", "SUBJECTS", "generate"]

Array = npt.NDArray[np.float64]

FPS = 30.0  # frames/s
SUBJECTS = 10
REPETITIONS = 3
_TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("synthetic.toml").read_text(encoding="utf-8"))
LABELS = tuple(sorted((*_TABLE["actions"], *_TABLE["gaits"])))
"""The action classes."""
_PLACES: dict[str, list[float]] = _TABLE["places"]

_TRAIN_SUBJECTS = 6  # the first six train, the other four test
_FRAMES = (30, 240)  # 1 to 8 s
_SOLE = 0.01  # m that the ball of a foot is above the floor when it stands
_SKELETON = SKELETONS["cmu31"]
_JOINT = {name: joint for joint, name in enumerate(_SKELETON.joint_names)}


# ---- who performs it ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Person:
    """A subject: what stays the same in everything that they do."""

    name: str
    height: float  # m
    legs: float  # factors on the length of ...
    trunk: float
    arms: float
    shoulders: float
    hips: float
    tempo: float  # factor on speed
    size: float  # factor on amplitude
    left_handed: bool
    lean: float  # degrees forward, always
    stance: float  # m from foot to foot
    elbows: float  # how far the elbows stand out
    lag: float  # s that the hands follow late
    heaviness: float  # factor on how low the pelvis goes

    @property
    def leg(self) -> float:
        """Hip to ankle, m."""
        return 0.491 * self.height * self.legs

    @property
    def arm(self) -> float:
        """Shoulder to wrist, m."""
        return 0.332 * self.height * self.arms


def _person(seed: int, subject: int) -> _Person:
    rng = np.random.default_rng([seed, subject])
    # two left-handers among those that train and two among those that test
    left_handed = subject % 5 in (1, 3)
    return _Person(
        name=f"s{subject + 1:02d}",
        height=rng.uniform(1.52, 1.95),
        legs=rng.uniform(0.95, 1.05),
        trunk=rng.uniform(0.94, 1.06),
        arms=rng.uniform(0.93, 1.07),
        shoulders=rng.uniform(0.85, 1.15),
        hips=rng.uniform(0.85, 1.15),
        tempo=rng.uniform(0.7, 1.4),
        size=rng.uniform(0.65, 1.2),
        left_handed=left_handed,
        lean=rng.uniform(-3.0, 9.0),
        stance=rng.uniform(0.14, 0.3),
        elbows=rng.uniform(0.2, 1.0),
        lag=rng.uniform(-0.04, 0.1),
        heaviness=rng.uniform(0.7, 1.15),
    )


def _offsets(person: _Person) -> Array:
    """(J, 3) m: each joint from its parent, standing with the arms hanging."""
    offsets = np.zeros((len(_SKELETON), 3))
    trunk = {"lowerback": 0.075, "upperback": 0.085, "thorax": 0.09, "lowerneck": 0.04, "upperneck": 0.04, "head": 0.08}
    for joint, length in trunk.items():
        offsets[_JOINT[joint]] = (0.0, length * person.trunk, 0.0)
    for side, sign in (("l", 1.0), ("r", -1.0)):
        limb = {
            "hipjoint": (sign * 0.052 * person.hips, -0.02, 0.0),
            "femur": (0.0, -0.245 * person.legs, 0.0),
            "tibia": (0.0, -0.246 * person.legs, 0.0),
            "foot": (0.0, -0.033, 0.085),
            "toes": (0.0, 0.0, 0.045),
            "clavicle": (sign * 0.108 * person.shoulders, 0.015, -0.005),
            "humerus": (0.0, -0.186 * person.arms, 0.0),
            "radius": (0.0, -0.146 * person.arms, 0.0),
            "wrist": (0.0, -0.02, 0.0),
            "hand": (0.0, -0.03, 0.0),
            "fingers": (0.0, -0.045, 0.0),
            "thumb": (0.0, -0.03, 0.025),
        }
        for joint, offset in limb.items():
            offsets[_JOINT[side + joint]] = offset
    return offsets * person.height


# ---- what they mean to do: curves over time -----------------------------------------------------------------------


@dataclass
class _Plan:
    """A performance over T frames, before the joints are solved; the lead side comes first, the other second."""

    hands: Array  # (T, 2, 3) out, up, forward from the shoulder, arm lengths
    feet: Array  # (T, 2, 3) m, where the foot stands on the floor; y: how far it is lifted
    foot_turn: Array  # (T, 2) degrees about the vertical
    foot_pitch: Array  # (T, 2) degrees, toes down
    pelvis: Array  # (T, 3) m, y from standing height
    turn: Array  # (T,) degrees: where the body looks
    bend: Array  # (T,) degrees: trunk forward
    twist: Array  # (T,) degrees: lead shoulder forward
    look: Array  # (T,) degrees: head down
    lead: float  # -1: the right side leads, +1: the left


def _standing(frames: int, lead: float, person: _Person, rng: np.random.Generator) -> _Plan:
    """Somebody who stands about: their own posture, and the slow movements of everybody who tries to stand still."""
    drift = np.zeros((10, frames))
    for _ in range(3):
        rate, begin = rng.uniform(0.1, 0.5, (10, 1)), rng.uniform(0, 1, (10, 1))
        drift += rng.normal(0, 0.6, (10, 1)) * np.sin(2 * np.pi * (rate * np.arange(frames) / FPS + begin))
    hands = np.empty((frames, 2, 3))
    hands[:] = _PLACES["rest"]
    feet = np.zeros((frames, 2, 3))
    feet[:, :, 0] = np.array([lead, -lead]) * person.stance / 2
    feet[:, :, 2] = np.array([1, -1]) * rng.normal(0, 0.03)
    pelvis = 0.008 * drift[:3].T * (1, 0, 1)
    foot_turn = np.tile(np.array([lead, -lead]) * rng.uniform(2, 12, 2), (frames, 1))
    hands += 0.025 * drift[3:6].T[:, None] + rng.normal(0, 0.07, (2, 3))
    return _Plan(
        hands,
        feet,
        foot_turn,
        foot_pitch=np.zeros((frames, 2)),
        pelvis=pelvis,
        turn=4 * drift[6],
        bend=person.lean + 2 * drift[7],
        twist=rng.normal(0, 6) + 3 * drift[8],
        look=rng.normal(0, 6) + 3 * drift[9],
        lead=lead,
    )


def _keys(text: str) -> Array:
    """(K, 1 + n) the course u and the values of a curve of ``synthetic.toml``."""
    words = [key.split() for key in text.split("|")]
    return np.array(
        [[float(u), *_PLACES.get(values[0], [float(v) for v in values if v not in _PLACES])] for u, *values in words]
    )


@dataclass(frozen=True)
class _Timing:
    """When a performance of an action passes through which stretch of its course."""

    pieces: tuple[tuple[float, float, float, float, float], ...]
    """(from, to, start in seconds, end in seconds, size) for each stretch, repeats included."""
    skew: float
    """How much faster a stretch begins than it ends."""
    seconds: float
    """Duration with what comes before and after."""

    @classmethod
    def draw(cls, action: dict[str, Any], person: _Person, rng: np.random.Generator) -> _Timing:
        first, last = action.get("loop", (0.0, 1.0))
        least, most = action.get("repeats", (1, 1))
        stretches = [(0.0, first)] * (first > 0) + [(first, last)] * int(rng.integers(least, most + 1))
        stretches += [(last, 1.0)] * (last < 1)
        course = rng.uniform(*action["seconds"]) / person.tempo
        seconds = np.array([(b - a) * course * rng.uniform(0.85, 1.15) for a, b in stretches])
        before, after = rng.uniform(0.0, 1.8, 2)
        total = before + seconds.sum() + after
        fitting = np.clip(total, _FRAMES[0] / FPS, _FRAMES[1] / FPS)
        ends = (before + np.cumsum(seconds)) * fitting / total
        starts = np.concatenate([[before * fitting / total], ends[:-1]])
        sizes = rng.uniform(0.85, 1.15, len(stretches))
        pieces = tuple((*ab, *more) for ab, *more in zip(stretches, starts, ends, sizes, strict=True))
        return cls(pieces, rng.uniform(-0.6, 0.6), fitting)

    def curve(self, text: str, size: float, times: Array, arc: bool = False) -> Array:
        """(T, n) a curve of ``synthetic.toml`` as it is performed; from key to key straight, or in an arc about 0."""
        from scipy.interpolate import PchipInterpolator

        keys = _keys(text)
        base = keys[0, 1:] if np.allclose(keys[0, 1:], keys[-1, 1:]) else np.zeros(keys.shape[1] - 1)
        moments, values = [-10.0], [keys[0, 1:]]
        for begin, end, start, stop, piece_size in self.pieces:
            for u, *value in keys[(keys[:, 0] > begin - 1e-9) & (keys[:, 0] < end + 1e-9)]:
                part = (u - begin) / (end - begin)
                moment = start + (stop - start) * (part + self.skew * part * (1 - part))
                if moment > moments[-1] + 1e-6:
                    moments.append(moment)
                    values.append(base + (value - base) * (size * piece_size if 0 < u < 1 else 1.0))
        moments, values = [*moments, self.seconds + 10], [*values, keys[-1, 1:]]
        if not arc:
            return np.asarray(PchipInterpolator(moments, values)(times))
        radii = np.linalg.norm(values, axis=1)
        way = PchipInterpolator(moments, np.array(values) / radii[:, None])(times)
        way *= (PchipInterpolator(moments, radii)(times) / np.linalg.norm(way, axis=1))[:, None]
        return np.asarray(way)


def _moments(seconds: float, rng: np.random.Generator | None) -> Array:
    """(T,) seconds of the frames; what repeats may have been going on before the recording began, and after it."""
    first, last = (0.0, seconds) if rng is None else seconds * np.array([rng.uniform(0, 0.35), rng.uniform(0.65, 1)])
    frames = int(np.clip(round((last - first) * FPS), *_FRAMES))
    return min(first, seconds - frames / FPS) + np.arange(frames) / FPS


def _on_the_spot(action: dict[str, Any], person: _Person, rng: np.random.Generator) -> _Plan:
    """An action of ``synthetic.toml`` as this person performs it this time."""
    timing = _Timing.draw(action, person, rng)
    times = _moments(timing.seconds, rng if "repeats" in action else None)
    lead = 1.0 if person.left_handed != (rng.random() < 0.2) else -1.0
    plan = _standing(len(times), lead, person, rng)
    curves = {
        name: texts if isinstance(texts, str) else str(rng.choice(texts)) for name, texts in action["curves"].items()
    }
    size = person.size

    def scalar(name: str, factor: float) -> Array:
        return factor * timing.curve(curves[name], size, times)[:, 0] if name in curves else np.zeros(len(times))

    away = plan.hands - _PLACES["rest"]
    if "hands" not in curves and "other" not in curves:
        plan.hands[:, 1] = away[:, 1] + _PLACES[rng.choice(["rest", "hip", "folded"], p=[0.6, 0.2, 0.2])]
    gentle = 1 + 0.4 * (size - 1)  # where a hand must arrive, amplitude has less of a say
    for side, name in ((0, "hand"), (1, "other")):
        if found := curves.get(name, curves.get("hands")):
            hand = timing.curve(found, gentle, times - person.lag, arc=True)
            if "hands" in curves:  # two palms meet, they do not pass through each other
                hand[:, 0] = np.maximum(hand[:, 0], -0.28 * person.shoulders / person.arms)
            plan.hands[:, side] = hand + away[:, side]
    plan.bend += scalar("bend", 1.0)
    plan.twist += scalar("twist", 1.0)
    plan.look += scalar("look", 1.0)
    plan.pelvis[:, 1] += scalar("lift", person.leg) - scalar("low", person.leg * person.heaviness)
    plan.pelvis[:, 2] += scalar("shift", person.leg)
    plan.foot_pitch += scalar("toes", 1.0)[:, None]
    plan.foot_pitch[:, 0] += scalar("tip", 1.0)
    plan.feet[:, :, 0] += scalar("wide", person.leg)[:, None] * (lead, -lead)
    plan.feet[:, :, 1] += scalar("lift", person.leg)[:, None]
    if "foot" in curves:
        plan.feet[:, 0] += person.leg * timing.curve(curves["foot"], size, times) * (lead, 1, 1)
    return plan


def _walking(gait: dict[str, Any], person: _Person, rng: np.random.Generator) -> _Plan:
    """Steps along a straight or curved path: planted feet do not slide."""
    cadence = gait["cadence"] * person.tempo**0.7 * rng.uniform(0.9, 1.1)
    seconds = np.clip(rng.uniform(*gait["seconds"]), _FRAMES[0] / FPS, _FRAMES[1] / FPS)
    times = np.arange(round(seconds * FPS)) / FPS
    stops = bool(gait["turn"] or gait["sideways"]) or rng.random() < 0.3  # from standing to standing
    cycles = max(1.0, round(2 * seconds * cadence) / 2 - 1) if stops else seconds * cadence
    phase = -0.5 + (cycles + 1) * times / seconds if stops else rng.random() + cadence * times
    phases = phase[:, None] + (0.0, 0.5)  # (T, 2)
    part, swung = _step(phases, gait["duty"])
    part -= (0.0, 0.5)  # half a cycle apart in time, at the same place on average
    along = np.clip(part, 0, cycles) if stops else part - phase[0]
    middle = _smoothed(along.mean(axis=1), round(FPS / cadence / 2)) if stops else phase - phase[0]

    lead = 1.0 if rng.random() < 0.5 else -1.0
    plan = _standing(len(times), lead, person, rng)
    stride = person.leg * person.size**0.5 * np.array([lead * gait["sideways"], gait["forward"]])
    turn = lead * (gait["turn"] * rng.uniform(0.85, 1.15) or rng.normal(0, 12)) / cycles
    outwards = plan.feet[:, :, 0] + np.sign(plan.feet[:, :, 0]) * abs(stride[0]) / 4
    ground = _path(stride, turn, along)
    plan.feet[:, :, 0] = ground[..., 0] + outwards * np.cos(np.radians(turn * along))
    plan.feet[:, :, 2] = ground[..., 1] - outwards * np.sin(np.radians(turn * along))
    raised = 64 * (swung * (1 - swung)) ** 3  # 0 to 1
    if stops:
        raised *= np.clip(np.abs(np.gradient(along, axis=0)) * FPS / 0.3, 0, 1)
    plan.feet[:, :, 1] = gait["lift"] * person.leg * raised
    plan.foot_turn += turn * along
    plan.foot_pitch = _roll(phases, gait) * (1.0 if abs(gait["forward"]) > 0 else 0.0)
    plan.pelvis[:, (0, 2)] += _path(stride, turn, middle)
    swing = np.cos(2 * np.pi * phases) * person.size * gait["swing"]  # of the feet; the hands go the other way
    plan.pelvis[:, 1] -= person.leg * (gait["bounce"] * (1 + np.cos(4 * np.pi * phase)) + 0.015)
    plan.turn += turn * middle
    plan.bend += gait["lean"]
    plan.twist -= 14 * swing[:, 0] * np.sign(gait["forward"])
    bent = gait["elbows"]
    plan.hands[:, :, 1] += bent * 0.42 + 0.25 * swing**2
    plan.hands[:, :, 2] += bent * 0.2 - swing
    plan.hands[:, :, 0] -= bent * (0.1 - 0.2 * swing)
    return plan


def _step(phase: Array, duty: float) -> tuple[Array, Array]:
    """How far a foot has come, in cycles, and how far through its swing it is, 0 to 1."""
    cycle = np.floor(phase)
    swung = np.clip((phase - cycle - duty) / (1 - duty), 0, 1)
    return cycle + duty / 2 + swung**2 * (3 - 2 * swung), swung


def _roll(phase: Array, gait: dict[str, Any]) -> Array:
    """Degrees that the toes point down: the heel lands first and leaves first (and last, going backwards)."""
    duty = gait["duty"]
    part = (phase if gait["forward"] > 0 else duty - phase) % 1.0
    moments = np.array([0.0, 0.14, duty - 0.22, duty, duty + 0.12, 0.9, 1.0])
    pitch = np.interp(part, moments, [-12.0, 0.0, 0.0, 34.0, 40.0 if duty < 0.5 else 25.0, -10.0, -12.0])
    return np.stack([_smoothed(foot, 3) for foot in pitch.T], axis=1)


def _path(stride: Array, turn: float, along: Array) -> Array:
    """(..., 2) x and z after so many cycles, when each is a stride (x, z) and a turn in degrees."""
    angle = np.radians(turn) + 1e-9
    sine, versine = np.sin(angle * along) / angle, (1 - np.cos(angle * along)) / angle
    return np.stack([stride[0] * sine + stride[1] * versine, stride[1] * sine - stride[0] * versine], axis=-1)


def _smoothed(curve: Array, frames: int) -> Array:
    """A curve (T,) averaged twice over so many frames."""
    window = np.convolve(np.ones(frames) / frames, np.ones(frames) / frames)
    return np.convolve(np.pad(curve, (frames - 1, frames - 1), mode="edge"), window, mode="valid")


# ---- what the joints do ------------------------------------------------------------------------------------------


def _turned(about_y: npt.ArrayLike, about_x: npt.ArrayLike) -> Array:
    """(..., 3, 3) first a nod, then a turn about the vertical, in degrees."""
    return euler_to_matrix(np.stack(np.broadcast_arrays(about_y, about_x), axis=-1), "YX")


def _positions(plan: _Plan, person: _Person, heading: float, start: Array) -> npt.NDArray[np.float32]:
    """(T, J, 3) m: the plan solved for the joints, and put where and how it looks in the room."""
    offsets = _offsets(person)
    # hips and shoulders hang on the trunk alone: the limbs, not solved yet, may be anything
    world = np.tile(np.eye(3), (len(plan.turn), len(_SKELETON), 1, 1))
    twist = -plan.lead * plan.twist
    trunk = {"root": 0.0, "lowerback": 1 / 3, "upperback": 2 / 3, "thorax": 1.0}
    for joint, part in trunk.items():
        world[:, _JOINT[joint]] = _turned(plan.turn + twist * (0.25 + 0.75 * part), plan.bend * (0.4 + 0.6 * part))
    for joint in ("lowerneck", "upperneck", "head"):
        world[:, _JOINT[joint]] = _turned(plan.turn + 0.3 * twist, 0.6 * plan.bend + plan.look)
    sides = ("l", "r") if plan.lead > 0 else ("r", "l")
    still = np.zeros((len(world), 3))
    joints = forward_kinematics(_local(world), offsets, _SKELETON.parents, still).astype(np.float64)
    root = plan.pelvis.copy()
    root[:, 1] = _pelvis_height(plan, person, joints - joints[:, :1], sides, offsets)
    for foot, side in enumerate(sides):
        pole = _turned((plan.foot_turn[:, foot] + plan.turn) / 2, 0.0) @ (0.0, 0.0, 1.0)
        target = _ankle(plan, offsets, foot) - root - joints[:, _JOINT[f"{side}hipjoint"]]
        thigh, shank = _two_bones(target, offsets, (f"{side}femur", f"{side}tibia"), pole, 1.0)
        world[:, _JOINT[f"{side}hipjoint"]], world[:, _JOINT[f"{side}femur"]] = thigh, shank
        world[:, _JOINT[f"{side}tibia"]] = _turned(plan.foot_turn[:, foot], plan.foot_pitch[:, foot])
        flat = _turned(plan.foot_turn[:, foot], np.minimum(plan.foot_pitch[:, foot], 0.4 * plan.foot_pitch[:, foot]))
        world[:, _JOINT[f"{side}foot"]] = world[:, _JOINT[f"{side}toes"]] = flat
    shoulders = _turned(plan.turn + twist, 0.0)
    for hand, side in enumerate(sides):
        out = (plan.lead, -plan.lead)[hand]
        pole = (shoulders @ (_elbow(plan.hands[:, hand], person) * (out, 1, 1))[..., None])[..., 0]
        target = person.arm * (shoulders @ (plan.hands[:, hand] * (out, 1, 1))[..., None])[..., 0]
        upper, fore = _two_bones(target, offsets, (f"{side}humerus", f"{side}radius"), pole, -1.0)
        world[:, _JOINT[f"{side}clavicle"]], world[:, _JOINT[f"{side}humerus"]] = upper, fore
        for joint in ("radius", "wrist", "hand", "fingers", "thumb"):
            world[:, _JOINT[side + joint]] = fore
    room = _turned(heading, 0.0)
    return forward_kinematics(_local(room @ world), offsets, _SKELETON.parents, start + root @ room.T)


def _local(world: Array) -> Array:
    """(T, J, 3, 3) each rotation relative to the parent's, from rotations in the world."""
    parents = np.array(_SKELETON.parents)
    local = np.swapaxes(world[:, np.maximum(parents, 0)], -1, -2) @ world
    local[:, _SKELETON.root] = world[:, _SKELETON.root]
    return local


def _ankle(plan: _Plan, offsets: Array, foot: int) -> Array:
    """(T, 3) where an ankle must be: the foot turns about its ball when the heel rises, else about the ankle."""
    ball = offsets[_JOINT["lfoot"]]
    pitch = np.maximum(plan.foot_pitch[:, foot], 0.0)
    above = _turned(plan.foot_turn[:, foot], 0.0) @ (0.0, 0.0, ball[2])
    ankle = plan.feet[:, foot] + above - _turned(plan.foot_turn[:, foot], pitch) @ ball
    ankle[:, 1] += _SOLE
    return np.asarray(ankle)


def _elbow(hand: Array, person: _Person) -> Array:
    """(T, 3) out, up, forward: where an elbow points when the hand (T, 3) is there.

    Behind a hanging arm, outwards beside a raised one, down below one that reaches forward. It lies along the arm,
    where an elbow would flip over, only for hands far outwards behind the back and far across the chest.
    """
    arm = hand / np.linalg.norm(hand, axis=-1, keepdims=True)
    hanging, reaching = np.maximum(-arm[:, 1], 0) ** 2, np.maximum(arm[:, 2], 0) ** 2
    outwards = (0.6 + 0.4 * person.elbows) * (1 - 0.55 * hanging)
    return np.stack([outwards, -0.35 - 1.5 * reaching, np.full(len(arm), -0.55)], axis=-1)


def _pelvis_height(plan: _Plan, person: _Person, trunk: Array, sides: tuple[str, str], offsets: Array) -> Array:
    """(T,) m: as high as planned, but never so high that a leg would not reach its foot."""
    hips = np.stack([trunk[:, _JOINT[f"{side}hipjoint"]] for side in sides], axis=1)  # (T, 2, 3) from the root
    ankles = np.stack([_ankle(plan, offsets, foot) for foot in (0, 1)], axis=1)
    apart = ankles - hips - plan.pelvis[:, None]
    reach = (0.995 * person.leg) ** 2 - (apart[..., (0, 2)] ** 2).sum(axis=-1)
    # a foot in the air may trail behind: it holds the pelvis down only where it stands
    most = ankles[..., 1] + plan.feet[..., 1] - hips[..., 1] + np.sqrt(np.maximum(reach, (0.3 * person.leg) ** 2))
    standing = 0.985 * person.leg - offsets[_JOINT["lhipjoint"], 1] - offsets[_JOINT["lfoot"], 1] + _SOLE
    heights = np.concatenate([most, (standing + plan.pelvis[:, 1])[:, None]], axis=1)
    least = heights.min(axis=1)
    softness = 0.01  # m, so that the joints' speed does not jump
    lowered: Array = least - softness * np.log(np.exp(-(heights - least[:, None]) / softness).sum(axis=1))
    return lowered


def _two_bones(target: Array, offsets: Array, bones: tuple[str, str], pole: Array, sign: float) -> tuple[Array, Array]:
    """Rotations in the world of the two bones of a limb whose end is to be at ``target`` (T, 3) from its start.

    The joint between them bends towards ``pole``; an end out of reach is approached as far as it goes. Both bones
    point down (-y) at rest, where the limb bends towards ``sign`` times z.
    """
    upper, lower = (float(np.linalg.norm(offsets[_JOINT[bone]])) for bone in bones)
    far = np.linalg.norm(target, axis=-1, keepdims=True)
    axis = target / far
    distance = np.clip(far, abs(upper - lower) + 0.25 * lower, 0.998 * (upper + lower))
    bend = pole - (pole * axis).sum(axis=-1, keepdims=True) * axis
    bend /= np.linalg.norm(bend, axis=-1, keepdims=True)
    cosine = (upper**2 + distance**2 - lower**2) / (2 * upper * distance)
    first = cosine * axis + np.sqrt(1 - cosine**2) * bend
    second = (distance * axis - upper * first) / lower
    across = sign * np.cross(bend, axis)
    turned = [np.stack([across, -bone, np.cross(across, -bone)], axis=-1) for bone in (first, second)]
    return turned[0], turned[1]


# ---- the data set ------------------------------------------------------------------------------------------------


def _perform(seed: int, label: str, subject: int, repetition: int) -> SkeletonSequence:
    """One performance: a function of its arguments alone."""
    person = _person(seed, subject)
    rng = np.random.default_rng([seed, subject, LABELS.index(label), repetition])
    heading, start = rng.uniform(0, 360), rng.uniform(-1.5, 1.5, 3) * (1, 0, 1)
    if label in _TABLE["gaits"]:
        plan = _walking(_TABLE["gaits"][label], person, rng)
    else:
        plan = _on_the_spot(_TABLE["actions"][label], person, rng)
    return SkeletonSequence(
        _positions(plan, person, heading, start),
        FPS,
        _SKELETON,
        name=_name(label, subject, repetition),
        label=label,
        subject=person.name,
        extra={"repetition": repetition},
    )


def _name(label: str, subject: int, repetition: int) -> str:
    return f"{label}_s{subject + 1:02d}_r{repetition}"


def _all() -> Iterator[tuple[str, int, int]]:
    for subject in range(SUBJECTS):
        for label in LABELS:
            for repetition in range(1, REPETITIONS + 1):
                yield label, subject, repetition


def generate(seed: int = 0) -> list[SkeletonSequence]:
    """The whole data set: 570 sequences of 31 joints (``cmu31``) at 30 frames/s, in metres, y up, floor at 0.

    The same seed gives the same numbers; another seed gives other subjects and other performances.

    Raises
    ------
    SettingsError
        If the seed is negative.
    """
    if seed < 0:
        raise SettingsError(f"synthetic: expected a seed of 0 or more, found {seed}")
    return [_perform(seed, *which) for which in _all()]


def _read(label: str, subject: int, repetition: int) -> list[SkeletonSequence]:
    return [_perform(0, label, subject, repetition)]


def _recordings(source: Source | None, options: Options) -> Iterator[Recording]:
    for label, subject, repetition in _all():
        name = _name(label, subject, repetition)
        read = partial(_read, label, subject, repetition)
        yield Recording(name, name, read, label, f"s{subject + 1:02d}", {"repetition": repetition})


def _protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
    train = index["subject"].isin([f"s{subject + 1:02d}" for subject in range(_TRAIN_SUBJECTS)]).to_numpy(dtype=bool)
    folds = one_fold(index, train, ~train)
    return {"cross-subject": folds} if folds else {}


CORPUS = Corpus(
    name="synthetic",
    title="Embedded stand-in: 19 procedural actions, 10 made-up subjects, 570 sequences",
    obtain="Generated by motionprint itself; needs no download and contains no recorded motion.",
    layout="no files: the recordings are generated",
    recordings=_recordings,
    protocols=_protocols,
    alignment="heading",
    max_length=35,
    needs_source=False,
)
