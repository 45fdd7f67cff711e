"""Which joints there are, how they hang together, and which body part each belongs to.

Body parts (two arms, two legs, trunk) are what the inpainting method hides; the hips and the spine are what
alignment turns a body by. For the built-in skeletons and for any other whose joints carry usual names
(``LeftForeArm``, ``lhumerus``, ``hip_right``, ``L_Knee``) they are derived from the names and the tree; where
that fails a TOML file says them.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from motionprint.errors import SettingsError, SkeletonMismatchError

__all__ = ["BODY_PARTS", "SKELETONS", "Skeleton"]

BODY_PARTS = ("left arm", "right arm", "left leg", "right leg", "trunk")
"""The order of ``Skeleton.body_parts``."""

_T = TypeVar("_T")
_ARM = "arm shoulder shldr clavicle collar humerus radius elbow forearm wrist hand finger thumb index middle ring pinky"
_LEG = "upleg upperleg lowerleg leg hipjoint hip thigh femur knee tibia shin calf foot ankle toe heel"
_LIMB = {word: part for part, words in enumerate((_ARM, _LEG)) for word in words.split()}


@dataclass(frozen=True)
class Skeleton:
    """Joints, their tree, and the parts of the body that they form.

    Raises
    ------
    SettingsError
        If names repeat, a parent does not exist, the tree has a cycle or not exactly one root, a joint stands in
        two body parts, or anything names a joint that does not exist or pairs one with itself.
    """

    joint_names: tuple[str, ...]
    """(J,) names, unique."""
    parents: tuple[int, ...]
    """(J,) the number of each joint's parent, -1 for the root."""
    body_parts: tuple[tuple[int, ...], ...] = ()
    """Five tuples of joint numbers: left arm, right arm, left leg, right leg, trunk; empty where unknown."""
    left_right: tuple[tuple[int, int], ...] = ()
    """Pairs (left, right) of joint numbers that mirror each other."""
    hips: tuple[int, int] | None = None
    """The left and the right hip joint: the axis that alignment turns by."""
    spine: tuple[int, int] | None = None
    """A low and a high joint of the trunk: which way is up for the body."""
    name: str = ""
    """``cmu31``, ``kinect20``, ...; empty for a skeleton read from a file."""

    def __post_init__(self) -> None:
        where = f"skeleton {self.name!r}" if self.name else "skeleton"
        count = len(self.joint_names)
        if len(self.parents) != count or count == 0:
            raise SettingsError(
                f"{where}: expected one parent a joint, found {count} names, {len(self.parents)} parents"
            )
        repeated = sorted({name for name in self.joint_names if self.joint_names.count(name) > 1})
        if repeated:
            raise SettingsError(f"{where}: expected unique joint names, found repeated {', '.join(repeated)}")
        if not all(isinstance(parent, Integral) for parent in self.parents):
            raise SettingsError(f"{where}: expected a number for each parent, found {self.parents}")
        if sum(parent == -1 for parent in self.parents) != 1:
            raise SettingsError(f"{where}: expected one root (parent -1), found {self.parents.count(-1)}")
        for joint in range(count):
            seen, ancestor = 0, joint
            while ancestor != -1:
                if not -1 <= self.parents[ancestor] < count or seen > count:
                    raise SettingsError(f"{where}: joint {self.joint_names[joint]} does not lead to the root")
                seen, ancestor = seen + 1, self.parents[ancestor]
        if self.body_parts:
            flat = [joint for part in self.body_parts for joint in part]
            if len(self.body_parts) != 5 or len(set(flat)) != len(flat) or not _are_joints(flat, count):
                raise SettingsError(f"{where}: expected five disjoint body parts of joint numbers below {count}")
        for key, pair in (("hips", self.hips), ("spine", self.spine), *(("left_right", p) for p in self.left_right)):
            if pair is not None and not (len(pair) == 2 and _are_joints(pair, count) and pair[0] != pair[1]):
                raise SettingsError(f"{where}: {key}: expected two different joint numbers below {count}, found {pair}")

    def __len__(self) -> int:
        """The number of joints J."""
        return len(self.joint_names)

    @property
    def root(self) -> int:
        """The number of the root joint."""
        return self.parents.index(-1)

    @classmethod
    def from_tree(cls, joint_names: Sequence[str], parents: Sequence[int], name: str = "") -> Skeleton:
        """A skeleton whose body parts, pairs, hips and spine are derived from its names and its tree."""
        plain = cls(tuple(joint_names), tuple(int(parent) for parent in parents), name=name)
        found = _limbs(plain)
        if found is None:
            return plain
        parts: list[list[int]] = [[], [], [], [], []]
        for joint, part in enumerate(found):
            parts[part].append(joint)
        hips = (_hip(plain, parts[2]), _hip(plain, parts[3]))
        return cls(
            plain.joint_names,
            plain.parents,
            body_parts=tuple(tuple(part) for part in parts),
            left_right=_pairs(plain.joint_names),
            hips=hips,
            spine=_spine(plain, parts),
            name=name,
        )

    @classmethod
    def from_toml(cls, path: str | Path) -> Skeleton:
        """Read a skeleton from a TOML file.

        The file has ``joints`` (names), ``parents`` (names, "" for the root) and, where they cannot be derived from
        the names, a table ``body_parts`` with the five keys left_arm, right_arm, left_leg, right_leg, trunk, and
        ``hips`` and ``spine`` (two names each).

        Raises
        ------
        SettingsError
            If the file is not TOML, lacks a key, or names a joint that does not exist: the text names the key.
        """
        try:
            table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, RecursionError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path}: expected a TOML skeleton: {error}") from error
        for key in ("joints", "parents"):
            if not _is_list_of(table.get(key), str):
                raise SettingsError(f"{path}: expected a list of joint names under `{key}`")
        joints: list[str] = table["joints"]

        def number(joint: object, key: str) -> int:
            if joint not in joints:
                raise SettingsError(f"{path}: `{key}` names {joint!r}, which is not one of `joints`")
            return joints.index(str(joint))

        def numbers(given: object, key: str) -> tuple[int, ...]:
            if not _is_list_of(given, str):
                raise SettingsError(f"{path}: expected a list of joint names under `{key}`, found {given!r}")
            return tuple(number(joint, key) for joint in given)

        def two(key: str) -> tuple[int, int]:
            found = numbers(table[key], key)
            if len(set(found)) != 2 or len(found) != 2:
                raise SettingsError(f"{path}: expected two different joint names under `{key}`, found {table[key]!r}")
            return found[0], found[1]

        parents = [-1 if parent == "" else number(parent, "parents") for parent in table["parents"]]
        name = str(table.get("name", Path(path).stem))
        derived = cls.from_tree(joints, parents, name=name)
        parts = derived.body_parts
        if "body_parts" in table:
            keys = [part.replace(" ", "_") for part in BODY_PARTS]
            given = table["body_parts"]
            if not isinstance(given, dict) or sorted(given) != sorted(keys):
                raise SettingsError(f"{path}: expected `body_parts` to have the keys {', '.join(keys)}")
            parts = tuple(numbers(given[key], f"body_parts.{key}") for key in keys)
        hips = two("hips") if "hips" in table else derived.hips
        spine = two("spine") if "spine" in table else derived.spine
        return cls(derived.joint_names, derived.parents, parts, derived.left_right, hips, spine, name)

    @classmethod
    def resolve(cls, skeleton: Skeleton | str | Path) -> Skeleton:
        """A skeleton from itself, from a built-in name, or from the path of a TOML file."""
        if isinstance(skeleton, Skeleton):
            return skeleton
        if str(skeleton) in SKELETONS:
            return SKELETONS[str(skeleton)]
        if str(skeleton).endswith(".toml"):
            return cls.from_toml(skeleton)
        raise SettingsError(
            f"unknown skeleton {str(skeleton)!r}: expected a .toml file or one of {', '.join(SKELETONS)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists, for ``skeleton.json`` and ``config.json``."""
        return {
            "name": self.name,
            "joint_names": list(self.joint_names),
            "parents": list(self.parents),
            "body_parts": [list(part) for part in self.body_parts],
            "left_right": [list(pair) for pair in self.left_right],
            "hips": None if self.hips is None else list(self.hips),
            "spine": None if self.spine is None else list(self.spine),
        }

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> Skeleton:
        """The inverse of ``to_dict``; a SettingsError names what is missing or malformed."""
        if not (isinstance(table, dict) and {"joint_names", "parents"} <= set(table)):
            raise SettingsError("skeleton: expected joint_names, parents and body_parts")
        if not _is_list_of(table["joint_names"], str):
            raise SettingsError(f"skeleton: joint_names: expected a list of names, found {table['joint_names']!r}")
        for key in ("body_parts", "left_right"):
            if not _is_list_of(table.get(key, []), list):
                raise SettingsError(f"skeleton: {key}: expected a list of lists, found {table[key]!r}")

        def numbers(key: str, given: object) -> tuple[int, ...]:
            if not _is_list_of(given, int):
                raise SettingsError(f"skeleton: {key}: expected a list of whole numbers, found {given!r}")
            return tuple(given)

        def pair(key: str, given: object) -> tuple[int, int]:
            found = numbers(key, given)
            if len(found) != 2:
                raise SettingsError(f"skeleton: {key}: expected two joint numbers, found {given!r}")
            return found[0], found[1]

        return cls(
            tuple(table["joint_names"]),
            numbers("parents", table["parents"]),
            tuple(numbers("body_parts", part) for part in table.get("body_parts", [])),
            tuple(pair("left_right", each) for each in table.get("left_right", [])),
            None if table.get("hips") is None else pair("hips", table["hips"]),
            None if table.get("spine") is None else pair("spine", table["spine"]),
            str(table.get("name", "")),
        )

    def to_json(self) -> str:
        """``to_dict`` as text."""
        return json.dumps(self.to_dict(), indent=1)

    def require_same(self, other: Skeleton, where: str) -> None:
        """Raise SkeletonMismatchError, naming the joints that differ, unless ``other`` has the same joints and tree."""
        if self.joint_names == other.joint_names and self.parents == other.parents:
            return
        missing = [name for name in self.joint_names if name not in other.joint_names]
        unknown = [name for name in other.joint_names if name not in self.joint_names]
        found = []
        if missing:
            found.append(f"missing {_some(missing)}")
        if unknown:
            found.append(f"not expected {_some(unknown)}")
        if not found:
            moved = [
                a
                for a, b, p, q in zip(self.joint_names, other.joint_names, self.parents, other.parents, strict=True)
                if a != b or p != q
            ]
            found.append(f"other order or parents at {_some(moved)}")
        raise SkeletonMismatchError(
            f"{where}: expected the skeleton of {len(self)} joints, found {len(other)} joints: {'; '.join(found)}"
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _is_list_of(given: object, kind: type[_T]) -> TypeGuard[list[_T]]:
    """Whether it is a list of nothing but this type; True and False are no numbers."""
    return isinstance(given, list) and all(isinstance(item, kind) and not isinstance(item, bool) for item in given)


def _are_joints(numbers: Sequence[object], count: int) -> bool:
    return all(isinstance(number, Integral) and 0 <= int(number) < count for number in numbers)


def _split(joint: str) -> tuple[int | None, int | None, str]:
    """A joint's side (0 left, 1 right), its limb (0 arm, 1 leg) and its name without the side."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", joint.split(":")[-1]).lower()
    for side, word in enumerate(("left", "right")):
        if word in spaced:
            rest = spaced.replace(word, "", 1)
            return side, _limb(rest), re.sub(r"[^a-z0-9]", "", rest)
    tokens = [token for token in re.split(r"[^a-z0-9]+", spaced) if token]
    for side, letter in enumerate("lr"):
        if letter in tokens:
            rest_tokens = list(tokens)
            rest_tokens.remove(letter)
            return side, _limb("_".join(rest_tokens)), "".join(rest_tokens)
        rest = "".join(tokens)[1:]
        if spaced.startswith(letter) and any(rest.startswith(word) for word in _LIMB):
            return side, _limb(rest), rest
    return None, _limb(spaced), "".join(tokens)


def _limb(text: str) -> int | None:
    found = [(text.find(word), -len(word), limb) for word, limb in _LIMB.items() if word in text]
    return min(found)[2] if found else None


def _limbs(skeleton: Skeleton) -> list[int] | None:
    """The body part (0 to 4) of every joint, or None where an arm or a leg has no joint."""
    part = [-1] * len(skeleton)
    # parents before children, whatever the order in the file
    order = sorted(range(len(skeleton)), key=lambda joint: len(_ancestors(skeleton, joint)))
    for joint in order:
        side, limb, _ = _split(skeleton.joint_names[joint])
        parent = skeleton.parents[joint]
        if side is not None and limb is not None:
            part[joint] = 2 * limb + side
        elif parent != -1 and part[parent] != 4:
            part[joint] = part[parent]  # a finger or an end site goes with its limb
        else:
            part[joint] = 4
    return part if {0, 1, 2, 3} <= set(part) else None


def _ancestors(skeleton: Skeleton, joint: int) -> list[int]:
    """A joint and all above it, up to the root."""
    chain = [joint]
    while skeleton.parents[chain[-1]] != -1:
        chain.append(skeleton.parents[chain[-1]])
    return chain


def _hip(skeleton: Skeleton, leg: Sequence[int]) -> int:
    """The first joint of a leg; where the file names an upper leg, that one (its own origin is the hip)."""
    for joint in leg:
        if re.search(r"up_?(per)?_?leg|thigh", skeleton.joint_names[joint], re.IGNORECASE):
            return joint
    return leg[0]


def _spine(skeleton: Skeleton, parts: Sequence[Sequence[int]]) -> tuple[int, int] | None:
    """The root, and the joint from which both arms branch (or the neck or head where that is the root)."""
    left = _ancestors(skeleton, parts[0][0])
    right = set(_ancestors(skeleton, parts[1][0]))
    branch = next(joint for joint in left if joint in right)
    if branch == skeleton.root:
        above = [j for j in parts[4] if re.search("neck|head|chest|thorax", skeleton.joint_names[j], re.IGNORECASE)]
        if not above:
            return None
        branch = above[0]
    return (skeleton.root, branch)


def _pairs(joint_names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    sides: dict[tuple[int, str], int] = {}
    for joint, name in enumerate(joint_names):
        side, _, rest = _split(name)
        if side is not None:
            sides[side, rest] = joint
    return tuple((joint, sides[1, rest]) for (side, rest), joint in sides.items() if side == 0 and (1, rest) in sides)


def _built_in(name: str, tree: str) -> Skeleton:
    """A skeleton from ``joint:parent joint:parent ...`` in joint order; a joint without a parent is the root."""
    joints = [item.split(":") for item in tree.split()]
    names = [item[0] for item in joints]
    return Skeleton.from_tree(names, [-1 if len(item) == 1 else names.index(item[1]) for item in joints], name=name)


SKELETONS: dict[str, Skeleton] = {
    skeleton.name: skeleton
    for skeleton in (
        _built_in(
            "cmu31",
            "root lhipjoint:root lfemur:lhipjoint ltibia:lfemur lfoot:ltibia ltoes:lfoot rhipjoint:root "
            "rfemur:rhipjoint rtibia:rfemur rfoot:rtibia rtoes:rfoot lowerback:root upperback:lowerback "
            "thorax:upperback lowerneck:thorax upperneck:lowerneck head:upperneck lclavicle:thorax "
            "lhumerus:lclavicle lradius:lhumerus lwrist:lradius lhand:lwrist lfingers:lhand lthumb:lwrist "
            "rclavicle:thorax rhumerus:rclavicle rradius:rhumerus rwrist:rradius rhand:rwrist rfingers:rhand "
            "rthumb:rwrist",
        ),
        _built_in(
            "mhad35",
            "Hips spine:Hips spine1:spine spine2:spine1 Neck:spine2 Head:Neck Head_end:Head RightShoulder:spine2 "
            "RightArm:RightShoulder RightArmRoll:RightArm RightForeArm:RightArmRoll RightForeArmRoll:RightForeArm "
            "RightHand:RightForeArmRoll RightHand_end:RightHand LeftShoulder:spine2 LeftArm:LeftShoulder "
            "LeftArmRoll:LeftArm LeftForeArm:LeftArmRoll LeftForeArmRoll:LeftForeArm LeftHand:LeftForeArmRoll "
            "LeftHand_end:LeftHand RightUpLeg:Hips RightUpLegRoll:RightUpLeg RightLeg:RightUpLegRoll "
            "RightLegRoll:RightLeg RightFoot:RightLegRoll RightToeBase:RightFoot RightToeBase_end:RightToeBase "
            "LeftUpLeg:Hips LeftUpLegRoll:LeftUpLeg LeftLeg:LeftUpLegRoll LeftLegRoll:LeftLeg LeftFoot:LeftLegRoll "
            "LeftToeBase:LeftFoot LeftToeBase_end:LeftToeBase",
        ),
        _built_in(
            "kinect20",
            "hip_center spine:hip_center shoulder_center:spine head:shoulder_center shoulder_left:shoulder_center "
            "elbow_left:shoulder_left wrist_left:elbow_left hand_left:wrist_left shoulder_right:shoulder_center "
            "elbow_right:shoulder_right wrist_right:elbow_right hand_right:wrist_right hip_left:hip_center "
            "knee_left:hip_left ankle_left:knee_left foot_left:ankle_left hip_right:hip_center knee_right:hip_right "
            "ankle_right:knee_right foot_right:ankle_right",
        ),
        _built_in(
            "kinect25",
            "spine_base spine_mid:spine_base neck:spine_shoulder head:neck shoulder_left:spine_shoulder "
            "elbow_left:shoulder_left wrist_left:elbow_left hand_left:wrist_left shoulder_right:spine_shoulder "
            "elbow_right:shoulder_right wrist_right:elbow_right hand_right:wrist_right hip_left:spine_base "
            "knee_left:hip_left ankle_left:knee_left foot_left:ankle_left hip_right:spine_base knee_right:hip_right "
            "ankle_right:knee_right foot_right:ankle_right spine_shoulder:spine_mid hand_tip_left:hand_left "
            "thumb_left:hand_left hand_tip_right:hand_right thumb_right:hand_right",
        ),
        _built_in(
            "sbu15",
            "head:neck neck:torso torso shoulder_left:neck elbow_left:shoulder_left hand_left:elbow_left "
            "shoulder_right:neck elbow_right:shoulder_right hand_right:elbow_right hip_left:torso knee_left:hip_left "
            "foot_left:knee_left hip_right:torso knee_right:hip_right foot_right:knee_right",
        ),
        _built_in(
            "mhad16",
            "Hips LeftUpLeg:Hips LeftLeg:LeftUpLeg LeftFoot:LeftLeg LeftToeBase:LeftFoot RightUpLeg:Hips "
            "RightLeg:RightUpLeg RightFoot:RightLeg RightToeBase:RightFoot Neck:Hips LeftArm:Neck LeftForeArm:LeftArm "
            "LeftHand:LeftForeArm RightArm:Neck RightForeArm:RightArm RightHand:RightForeArm",
        ),
    )
}
"""The built-in skeletons by name."""
