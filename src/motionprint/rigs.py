"""Different rigs onto one skeleton: recordings of several tools and cameras can then be learned from together.

Tools name joints differently, and give one name to different places of the body: ``LeftShoulder`` is the collar bone
of a rig that also has a ``LeftArm``, else the shoulder; an Acclaim bone lies at its end, so that ``lfemur`` is a knee.
A joint's name is therefore read as a *place*, in the light of the other names of its rig. A joint of the target then
lies, in this order,

1. where the recording has a joint of the same place, or where the place follows from others (``_DERIVED``);
2. if it stands between two such joints (a spine, a roll joint), evenly on the line along the recording's own joints
   between them, or at the share of it that is measured for built-in skeletons (``_ALONG``);
3. where the recording has a joint of the same name (fingers).

Positions are mixed, never scaled or turned: bone lengths stay those of the person.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from motionprint.errors import SkeletonMismatchError
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton, some

__all__ = ["PLACES", "map_to", "mapping"]

PLACES: dict[str, str] = {
    "pelvis": "hips pelvis hipcenter hipscenter centerhip midhip spinebase hip waist root",
    "neck": "shouldercenter spineshoulder centershoulder thorax neck neckbase neck1",
    "skull": "skull headbase",
    "head": "head headcenter",
    "crown": "headtop headtopend headend headnub headsite crown headtip",
    "nose": "nose",
    "jaw": "jaw",
    "eye": "eye",
    "ear": "ear",
    "clavicle": "clavicle collar clav collarbone shoulderblade",
    "shoulder": "upperarm uparm uarm arm shldr shldrbend humerus arm1 upperarm1",
    "elbow": "elbow forearm lowerarm lowarm farm forearmbend",
    "wrist": "wrist",
    "hand": "palm handcenter",
    "knuckle": "handmiddle1 middle1 middlefinger1 middleproximal fingermiddle1 knuckle handmiddleproximal "
    "handindex1 index1 index",
    "fingertip": "handtip fingertip handend wristend handsite wristsite handnub handmiddle4end handmiddle4 "
    "handmiddle3end handindex4end handindex4 handindex3end handindex1end middle4 middle3end",
    "thumb": "thumbtip thumbend thumb handthumb4 handthumb3end handthumb3 thumb3 handthumb2 handthumb1 thumb1",
    "hip": "upleg upperleg uleg thigh thighbend hipjoint",
    "knee": "knee lowerleg lowleg lleg shin calf shank",
    "ankle": "ankle",
    "foot": "toebase toe toes ball toe0 footindex forefoot",
    "toe": "toebaseend toeend toesend toetip bigtoe footend ankleend toesite footsite anklesite toenub toe0nub",
    "heel": "heel",
}
"""Place -> what joints there are called, in lower case without side, prefix and separators, the best one first."""

_ACCLAIM = {
    "root": "pelvis", "thorax": "neck", "upperneck": "skull", "head": "crown",
    "clavicle": "shoulder", "humerus": "elbow", "radius": "wrist", "wrist": "hand", "hand": "knuckle",
    "fingers": "fingertip", "thumb": "thumb",
    "hipjoint": "hip", "femur": "knee", "tibia": "ankle", "foot": "foot", "toes": "toe",
}  # fmt: skip
"""Where the bones of an ASF end. `lowerback`, `upperback` and `lowerneck` lie between."""

_CENTRAL = ("pelvis", "neck", "skull", "head", "crown", "nose", "jaw")
_PLACE = {name: place for place, names in PLACES.items() for name in names.split()}
_WORDS = set(_PLACE) | set(_ACCLAIM) | {"shoulder", "leg", "hand", "foot", "hip"}
_PREFIX = re.compile(
    r"^(mixamorig\d*|valvebiped[._]bip01|bip0*1?|cc_base|j_bip|def|org|skel|character\d*|b)(?=[ _.:-])", re.IGNORECASE
)
_NOISE = re.compile(r"(joint|jnt|bone|bind|jt)$")

Place = tuple[str, str]
"""("left", "hip"), ("", "neck"): side and place."""
_Weights = dict[int, float]
"""Joints of the recording and their shares, which sum to 1."""

_DERIVED: dict[str, tuple[tuple[tuple[str, float], ...], ...]] = {
    "pelvis": ((("left hip", 0.5), ("right hip", 0.5)),),
    "neck": ((("left shoulder", 0.5), ("right shoulder", 0.5)),),
    "skull": ((("left ear", 0.5), ("right ear", 0.5)), (("neck", 0.5), ("head", 0.5))),
    "head": (
        (("skull", 0.5), ("crown", 0.5)),
        (("left ear", 0.5), ("right ear", 0.5)),
        (("left eye", 0.5), ("right eye", 0.5)),
        (("nose", 1.0),),
        (("skull", 1.0),),
    ),
    "clavicle": ((("neck", 0.75), ("shoulder", 0.25)),),
    "hand": ((("knuckle", 1.0),), (("wrist", 0.5), ("fingertip", 0.5))),
    "knuckle": ((("hand", 0.5), ("fingertip", 0.5)), (("wrist", 0.5), ("fingertip", 0.5))),
    "foot": ((("toe", 1.0),),),
}
"""Where a place lies that a recording does not have, the best way first; a place of a limb is of the same side."""

_ALONG = {"kinect20": (0.17,), "cmu31": (0.33, 0.66), "mhad35": (0.15, 0.34, 0.53)}
"""The spines of built-in skeletons: shares of the way from pelvis to neck, measured on NW-UCLA, CMU and MHAD."""


def map_to(sequence: SkeletonSequence, target: Skeleton, *, allow_missing: bool = False) -> SkeletonSequence:
    """A recording with the joints of another skeleton.

    Parameters
    ----------
    target
        The skeleton to have.
    allow_missing
        Give NaN for joints that cannot be found (Kinect has no toes), in place of refusing.

    Returns
    -------
    mapped : SkeletonSequence
        Of the same frames, with ``target`` for its skeleton. A value that is missing is missing in whatever it is
        mixed into.

    Raises
    ------
    SkeletonMismatchError
        Naming the joints that cannot be found; if none can be found, ``allow_missing`` or not.
    """
    found = mapping(sequence, target)
    missing = [name for name, parts in found.items() if not parts]
    if missing and (not allow_missing or len(missing) == len(found)):
        raise SkeletonMismatchError(
            f"{sequence.name or sequence.source or 'sequence'}: expected joints that tell where "
            f"{some(missing, 12)} of {target.name or 'the skeleton'} lie, "
            f"found {some(sequence.skeleton.joint_names, 12)}"
            + ("; allow_missing (--allow-missing) makes them missing values" if len(missing) < len(found) else "")
        )
    numbers = {name: number for number, name in enumerate(sequence.skeleton.joint_names)}
    positions = np.full((len(sequence), len(target), 3), np.nan, dtype=np.float32)
    for joint, parts in enumerate(found.values()):
        if parts:
            mixed = sum(np.float64(share) * sequence.positions[:, numbers[name]] for name, share in parts.items())
            positions[:, joint] = mixed
    return replace(sequence, positions=positions, skeleton=target)


def mapping(sequence: SkeletonSequence, target: Skeleton) -> dict[str, dict[str, float]]:
    """Which joints of a recording each joint of ``target`` is made of, and their shares; none if it cannot be found.

    Shares along a spine follow from the recording's bone lengths (medians over its frames), all others from names.
    """
    names = sequence.skeleton.joint_names
    own, wanted = _Rig.of(sequence.skeleton), _Rig.of(target)
    if (same := _of_the_same_names(own, wanted)) is not None:
        return {name: {names[joint]: 1.0} for name, joint in zip(target.joint_names, same, strict=True)}
    lengths = _bone_lengths(sequence)
    found: dict[str, dict[str, float]] = {}
    for joint, name in enumerate(target.joint_names):
        weights = _find(own, wanted, joint, lengths)
        found[name] = {names[each]: share for each, share in weights.items() if share}
    return found


@dataclass(frozen=True)
class _Rig:
    """A skeleton whose names have been read."""

    skeleton: Skeleton
    words: tuple[tuple[str, str], ...]
    """(J,) side ("left", "right" or "") and name without it."""
    acclaim: bool
    """Whether joints are the ends of the bones that they are named after."""
    at: dict[Place, int]
    """The joint of each place."""

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, skeleton: Skeleton) -> _Rig:
        """Read the names of a skeleton."""
        words = tuple(_words(name) for name in skeleton.joint_names)
        acclaim = {"femur", "tibia", "humerus", "radius"} <= {word for _, word in words}
        candidates: dict[Place, tuple[int, int]] = {}  # rank, joint
        for joint, (side, word) in enumerate(words):
            place = _ACCLAIM.get(word) if acclaim else _place(side, word, words, _is_base(skeleton, joint))
            if place is None or (side == "") != (place in _CENTRAL):
                continue
            ranked = PLACES[place].split()
            rank = ranked.index(word) if word in ranked else len(ranked)
            if acclaim or word in ("head", "hand", "foot", "shoulder", "leg"):
                rank = -1  # told by the others
            known = candidates.get((side, place))
            if known is None or rank < known[0]:
                candidates[side, place] = (rank, joint)
        return cls(skeleton, words, acclaim, {place: joint for place, (_, joint) in candidates.items()})

    def place(self, joint: int) -> Place | None:
        """The place that a joint stands for, if any."""
        return next((place for place, each in self.at.items() if each == joint), None)


# ---- names -------------------------------------------------------------------------------------------------------


def _words(joint: str) -> tuple[str, str]:
    """A joint's side, and its name in lower case without side, prefix and separators."""
    text = _PREFIX.sub("", re.split(r"[:|]", joint)[-1].strip())
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text).lower()
    tokens = [token.lstrip("0") or "0" for token in re.split(r"[^a-z0-9]+", spaced) if token]
    for letter, side in (("left", "left"), ("right", "right"), ("l", "left"), ("r", "right")):
        if letter in tokens:
            tokens.remove(letter)
            return side, _plain("".join(tokens))
    word = "".join(tokens)
    for side in ("left", "right"):
        if word.startswith(side) or word.endswith(side):
            return side, _plain(word.removeprefix(side).removesuffix(side))
    if word[:1] in ("l", "r") and _plain(word[1:]) in _WORDS and _plain(word) not in _WORDS:
        return ("left" if word[0] == "l" else "right"), _plain(word[1:])
    return "", _plain(word.removeprefix("c") if word[:1] == "c" and word[1:] in _WORDS and word not in _WORDS else word)


def _plain(word: str) -> str:
    return word if word in _WORDS else _NOISE.sub("", word) or word


def _place(side: str, word: str, words: Sequence[tuple[str, str]], base: bool) -> str | None:
    """What place a joint is, given its rig's other names; ``base`` for a head that has something above it."""

    def has(*places: str) -> bool:
        return any((side, name) in words for place in places for name in PLACES[place].split())

    if word == "head":
        return "skull" if base else "head"
    if side and word == "shoulder":
        return "clavicle" if has("shoulder") else "shoulder"
    if side and word == "hand":
        return "hand" if has("wrist") else "wrist"
    if side and word == "foot":
        return "foot" if has("ankle") else "ankle"
    if side and word == "leg":
        return "knee" if has("hip") or (side, "hip") in words else None
    if side and word == "hip":
        return None if any((side, name) in words for name in PLACES["hip"].split()) else "hip"
    if side and word == "hipjoint":
        return None if (side, "upleg") in words or (side, "thigh") in words else "hip"
    return _PLACE.get(word)


def _is_base(skeleton: Skeleton, joint: int) -> bool:
    """Whether a joint has a child that is the top of the head."""
    children = [child for child, parent in enumerate(skeleton.parents) if parent == joint]
    return any(_PLACE.get(_words(skeleton.joint_names[child])[1]) == "crown" for child in children)


# ---- where -------------------------------------------------------------------------------------------------------


def _of_the_same_names(own: _Rig, wanted: _Rig) -> list[int] | None:
    """The recording's joints for a target whose joints all are among them, by name or but for a prefix."""
    mine, theirs = own.skeleton.joint_names, wanted.skeleton.joint_names
    if set(theirs) <= set(mine):
        found = [mine.index(name) for name in theirs]
    elif set(wanted.words) <= set(own.words) and len(set(own.words)) == len(mine):
        found = [own.words.index(words) for words in wanted.words]
    else:
        return None
    alike = all(own.place(joint) == wanted.place(other) for other, joint in enumerate(found))
    return found if alike or mine == theirs else None


def _find(own: _Rig, wanted: _Rig, joint: int, lengths: npt.NDArray[np.float64]) -> _Weights:
    """The shares of the recording's joints in one joint of the target; none if it cannot be found."""
    place = wanted.place(joint)
    if place is not None:
        return _at(own, place)
    if (stretch := _between(wanted, joint)) is not None:
        return _along(own, wanted, joint, *stretch, lengths)
    side, word = wanted.words[joint]
    if own.acclaim == wanted.acclaim and own.words.count((side, word)) == 1:
        return {own.words.index((side, word)): 1.0}
    return {}


def _at(own: _Rig, place: Place, asked: frozenset[Place] = frozenset()) -> _Weights:
    """The joint of a place, or the mixture of joints that its place follows from."""
    if place in own.at:
        return {own.at[place]: 1.0}
    side, name = place
    for way in _DERIVED.get(name, ()):
        parts: list[tuple[_Weights, float]] = []
        for what, share in way:
            of, _, word = what.rpartition(" ")
            other = (of or ("" if word in _CENTRAL else side), word)
            parts.append(({} if other in asked else _at(own, other, asked | {place}), share))
        if all(weights for weights, _ in parts):
            return _mix(parts)
    return {}


def _mix(parts: Sequence[tuple[_Weights, float]]) -> _Weights:
    mixed: _Weights = {}
    for weights, share in parts:
        for joint, weight in weights.items():
            mixed[joint] = mixed.get(joint, 0.0) + share * weight
    return mixed


def _between(wanted: _Rig, joint: int) -> tuple[list[int], Place, Place] | None:
    """The nearest places above and below a joint that has none, and the joints from one to the other.

    Below it must be of the joint's own side; where a trunk branches into hips or shoulders, or begins with a torso, it
    is their middle.
    """
    above = next((each for each in wanted.skeleton.ancestors(joint) if wanted.place(each) is not None), None)
    side = wanted.words[joint][0]
    below = [
        each for place, each in wanted.at.items() if place[0] == side and joint in wanted.skeleton.ancestors(each)
    ]  # fmt: skip
    if above is None:  # a torso at the root, below which come neck and hips
        neck = wanted.at.get(("", "neck"))
        if neck is None or joint not in wanted.skeleton.ancestors(neck):
            return None
        return wanted.skeleton.ancestors(neck)[::-1], ("", "pelvis"), ("", "neck")
    (start,) = (place for place, each in wanted.at.items() if each == above)
    if below:
        nearest = min(below, key=lambda each: len(wanted.skeleton.ancestors(each)))
        chain = wanted.skeleton.ancestors(nearest)
        (end,) = (place for place, each in wanted.at.items() if each == nearest)
        return chain[: chain.index(above)][::-1], start, end
    for limb, middle in (("hip", "pelvis"), ("shoulder", "neck")):
        ends = [wanted.at.get((side, limb)) for side in ("left", "right")]
        if not side and all(each is not None and joint in wanted.skeleton.ancestors(each) for each in ends):
            chain = [joint, *wanted.skeleton.ancestors(joint)]
            return chain[: chain.index(above)][::-1], start, ("", middle)
    return None


def _along(
    own: _Rig, wanted: _Rig, joint: int, inner: list[int], start: Place, end: Place, lengths: npt.NDArray[np.float64]
) -> _Weights:
    """Where a joint lies of those ``inner`` ones that lead from one place to another, along the recording's own."""
    first, last = _at(own, start), _at(own, end)
    if not first or not last:
        return {}
    path = _path(own, own.at.get(start), own.at.get(end))
    trunk = (start, end) == (("", "pelvis"), ("", "neck"))
    shares = _ALONG.get(wanted.skeleton.name) if trunk else None
    if (
        shares is None
        and own.acclaim == wanted.acclaim
        and [wanted.words[each] for each in inner] == [own.words[each] for each in path]
    ):
        return {path[inner.index(joint)]: 1.0}
    share = shares[inner.index(joint)] if shares else (inner.index(joint) + 1) / (len(inner) + 1)
    stops = [first, *({each: 1.0} for each in path), last]
    steps = [float(lengths[each]) for each in (*path, own.at[end])] if path else [1.0]
    if not sum(steps) > 0:
        return _mix([(first, 1 - share), (last, share)])
    reached = np.concatenate([[0.0], np.cumsum(steps)]) / sum(steps)
    stretch = min(int(np.searchsorted(reached, share, side="right")), len(steps)) - 1
    within = (share - reached[stretch]) / (reached[stretch + 1] - reached[stretch])
    return _mix([(stops[stretch], 1 - float(within)), (stops[stretch + 1], float(within))])


def _path(own: _Rig, start: int | None, end: int | None) -> list[int]:
    """The joints between one and another below it; none where the tree does not lead from one to the other."""
    if start is None or end is None or start not in (chain := own.skeleton.ancestors(end)):
        return []
    return chain[: chain.index(start)][::-1]


def _bone_lengths(sequence: SkeletonSequence) -> npt.NDArray[np.float64]:
    """(J,) metres from each joint to its parent, medians over frames; 0 for the root and where nothing was recorded."""
    lengths = np.zeros(len(sequence.skeleton))
    for joint, parent in enumerate(sequence.skeleton.parents):
        if parent != -1:
            bone = np.linalg.norm(sequence.positions[:, joint] - sequence.positions[:, parent], axis=-1)
            known = bone[~np.isnan(bone)]
            lengths[joint] = np.median(known) if len(known) else 0.0
    return lengths
