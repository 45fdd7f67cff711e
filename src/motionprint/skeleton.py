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
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from motionprint.errors import SettingsError, SkeletonMismatchError

__all__ = ["BODY_PARTS", "SKELETONS", "Skeleton", "only_parts"]

BODY_PARTS = ("left arm", "right arm", "left leg", "right leg", "trunk")
"""The order of ``Skeleton.body_parts``."""

_T = TypeVar("_T")
_ARM = "arm shoulder shldr clavicle collar humerus radius elbow forearm wrist hand finger thumb index middle ring pinky"
_LEG = "upleg upperleg lowerleg leg hipjoint hip thigh femur knee tibia shin calf foot ankle toe heel"
_TRUNK = (
    "spine|neck|head|chest|thorax|pelvis|hips|root|torso|sternum|sacrum|clav|abdomen|strn|[lr][fb]hd|"
    "[lr](asi|psi|bak)|^c7$|^t10$"
)
_MARKER = re.compile(
    r"(?P<side>[LR])(?:(?P<arm>SHO|UPA|ELB|FRA|FRM|WRA|WRB|WR|FIN)|(?P<leg>THI|KNE|TIB|SHN|ANK|HEE|TOE|MT[125]))",
    re.IGNORECASE,
)
"""The usual names of a plug-in gait marker set: enough for a first proposal."""
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

    def ancestors(self, joint: int) -> list[int]:
        """The numbers of a joint's parent, its parent, ..., and the root."""
        chain = []
        while (joint := self.parents[joint]) != -1:
            chain.append(joint)
        return chain

    def bones_between(self, joint: int, other: int) -> int:
        """How many bones the way from one joint to another has in the tree."""
        ways = [[each, *self.ancestors(each)] for each in (joint, other)]
        return len(set(ways[0]) ^ set(ways[1]))

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
    def from_toml(cls, path: str | Path, own: Skeleton | None = None) -> Skeleton:
        """Read a skeleton from a TOML file, or what one says otherwise of a recording's own skeleton.

        The file has ``joints`` (names) and ``parents`` (names, "" for the root), or neither: then they are those of
        ``own``. What cannot be derived from the names, or is derived wrongly, it says: a table ``body_parts`` with
        the keys left_arm, right_arm, left_leg, right_leg, trunk (some of them, where the others can be derived: a
        part that is given has the joints that are given, and a joint that is given leaves the part that it was in),
        ``left_right`` (pairs of names), ``hips`` and ``spine`` (two names each).

        Raises
        ------
        SettingsError
            If the file is not TOML, lacks a key, or names a joint that does not exist: the text names the key.
        """
        table = _toml(path)
        if own is not None and not _names_joints(table):
            derived = own
        else:
            for key in ("joints", "parents"):
                if not _is_list_of(table.get(key), str):
                    raise SettingsError(f"{path}: expected a list of joint names under `{key}`")
            names: list[str] = table["joints"]
            parents = [-1 if parent == "" else _number(names, parent, "parents", path) for parent in table["parents"]]
            derived = cls.from_tree(names, parents, name=str(table.get("name", Path(path).stem)))
        joints = derived.joint_names
        parts, pairs = derived.body_parts, derived.left_right
        if "body_parts" in table:
            parts = _parts(joints, parts, table["body_parts"], path)
        if "left_right" in table:
            if not _is_list_of(table["left_right"], list):
                raise SettingsError(f"{path}: expected a list of pairs of joint names under `left_right`")
            pairs = tuple(_two(joints, pair, "left_right", path) for pair in table["left_right"])
        hips = _two(joints, table["hips"], "hips", path) if "hips" in table else derived.hips
        spine = _two(joints, table["spine"], "spine", path) if "spine" in table else derived.spine
        return replace(derived, body_parts=parts, left_right=pairs, hips=hips, spine=spine)

    def to_toml(self, *, joints: bool = False) -> str:
        """What ``from_toml`` reads: body parts, pairs, hips and spine; with ``joints`` the joints and their tree too.

        Where the body parts are not known, each joint whose name tells its part stands there, the others in a comment.
        """
        lines = []
        if joints:
            lines = [f"joints = {_names(self.joint_names)}"]
            lines.append(f"parents = {_names(['' if at == -1 else self.joint_names[at] for at in self.parents])}")
        named = [_names([self.joint_names[joint] for joint in pair]) for pair in self.left_right]
        lines.append(f"left_right = [{', '.join(named)}]")
        for key, pair in (("hips", self.hips), ("spine", self.spine)):
            lines.append(
                f"# {key} = [two joint names]: not derived from the names"
                if pair is None
                else f"{key} = {_names([self.joint_names[joint] for joint in pair])}"
            )
        parts = self.body_parts or _named_parts(self.joint_names)
        lines += ["", "[body_parts]"]
        for part, of_part in zip(BODY_PARTS, parts, strict=True):
            lines.append(f"{part.replace(' ', '_')} = {_names([self.joint_names[joint] for joint in of_part])}")
        left = [name for joint, name in enumerate(self.joint_names) if all(joint not in part for part in parts)]
        if left:
            lines.append(f"# in no part yet: {', '.join(map(_quoted, left))}")
        return "\n".join(lines) + "\n"

    def require_body_parts(self) -> None:
        """Raise a SettingsError, which says how to name them, unless the five body parts are known."""
        if len(self.body_parts) != len(BODY_PARTS):
            raise SettingsError(
                "expected a skeleton with five body parts, found none derivable from its joint names "
                f"({some(self.joint_names)}): `motionprint info FILE --skeleton --toml > body.toml` writes a file to "
                'complete, as in hips = ["LASI", "RASI"] [body_parts] left_arm = ["LSHO", "LELB"] right_arm = '
                '["RSHO", "RELB"] left_leg = ["LKNE"] right_leg = ["RKNE"] trunk = ["C7", "LASI", "RASI"]; then '
                "prepare anew with --skeleton body.toml"
            )

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
            found.append(f"missing {some(missing)}")
        if unknown:
            found.append(f"not expected {some(unknown)}")
        if not found:
            moved = [
                a
                for a, b, p, q in zip(self.joint_names, other.joint_names, self.parents, other.parents, strict=True)
                if a != b or p != q
            ]
            found.append(f"other order or parents at {some(moved)}")
        raise SkeletonMismatchError(
            f"{where}: expected the skeleton of {len(self)} joints, found {len(other)} joints: {'; '.join(found)}"
        )


def some(names: Sequence[str], most: int = 8) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _toml(path: str | Path) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, RecursionError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: expected a TOML skeleton: {error}") from error


def _names_joints(table: dict[str, Any]) -> bool:
    return "joints" in table or "parents" in table


def _number(joints: Sequence[str], joint: object, key: str, path: str | Path) -> int:
    if joint not in joints:
        raise SettingsError(f"{path}: `{key}` names {joint!r}, which is not one of `joints`")
    return joints.index(str(joint))


def _numbers(joints: Sequence[str], given: object, key: str, path: str | Path) -> tuple[int, ...]:
    if not _is_list_of(given, str):
        raise SettingsError(f"{path}: expected a list of joint names under `{key}`, found {given!r}")
    return tuple(_number(joints, joint, key, path) for joint in given)


def _two(joints: Sequence[str], given: object, key: str, path: str | Path) -> tuple[int, int]:
    found = _numbers(joints, given, key, path)
    if len(set(found)) != 2 or len(found) != 2:
        raise SettingsError(f"{path}: expected two different joint names under `{key}`, found {given!r}")
    return found[0], found[1]


def _parts(
    joints: Sequence[str], derived: tuple[tuple[int, ...], ...], given: object, path: str | Path
) -> tuple[tuple[int, ...], ...]:
    """The body parts as a TOML file gives them; the others as derived, less the joints that it gives."""
    keys = [part.replace(" ", "_") for part in BODY_PARTS]
    if not isinstance(given, dict) or not set(given) <= set(keys) or not (derived or set(given) == set(keys)):
        raise SettingsError(f"{path}: expected `body_parts` to have the keys {', '.join(keys)}")
    said = {key: _numbers(joints, given[key], f"body_parts.{key}", path) for key in given}
    taken = {joint for part in said.values() for joint in part}
    if sum(bool(part) for part in said.values()) < 2 and len(said) == len(keys):
        raise SettingsError(f"{path}: expected joints in at least two of the `body_parts`, found {len(taken)} in one")
    return tuple(
        said[key] if key in said else tuple(joint for joint in derived[part] if joint not in taken)
        for part, key in enumerate(keys)
    )


def _quoted(name: str) -> str:
    # a basic string of TOML has the escapes of JSON, and no bare DEL
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")


def _names(names: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, names))}]"


def _named_parts(joint_names: Sequence[str]) -> list[list[int]]:
    """The joints of each body part as far as their names alone tell it."""
    parts: list[list[int]] = [[], [], [], [], []]
    for joint, name in enumerate(joint_names):
        side, limb, _ = _split(name)
        marker = _MARKER.fullmatch(name.rpartition(":")[2])
        if side is not None and limb is not None:
            parts[2 * limb + side].append(joint)
        elif re.search(_TRUNK, name, re.IGNORECASE):
            parts[4].append(joint)
        elif marker is not None:
            parts[2 * (marker["leg"] is not None) + "LR".index(marker["side"].upper())].append(joint)
    return parts


def only_parts(path: str | Path) -> bool:
    """Whether a TOML file names no joints of its own, only what is otherwise in the skeletons of the recordings."""
    return not _names_joints(_toml(path))


def _is_list_of(given: object, kind: type[_T]) -> TypeGuard[list[_T]]:
    """Whether it is a list of nothing but this type; True and False are no numbers."""
    return isinstance(given, list) and all(isinstance(item, kind) and not isinstance(item, bool) for item in given)


def _are_joints(numbers: Sequence[object], count: int) -> bool:
    return all(isinstance(number, Integral) and 0 <= int(number) < count for number in numbers)


def _split(joint: str) -> tuple[int | None, int | None, str]:
    """A joint's side (0 left, 1 right), its limb (0 arm, 1 leg) and its name without the side."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=^[LR])(?=[A-Z][a-z])", "_", joint.split(":")[-1]).lower()
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
    order = sorted(range(len(skeleton)), key=lambda joint: len(skeleton.ancestors(joint)))
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


def _hip(skeleton: Skeleton, leg: Sequence[int]) -> int:
    """The first joint of a leg; where the file names an upper leg, that one (its own origin is the hip)."""
    for joint in leg:
        if re.search(r"up_?(per)?_?leg|thigh", skeleton.joint_names[joint], re.IGNORECASE):
            return joint
    return leg[0]


def _spine(skeleton: Skeleton, parts: Sequence[Sequence[int]]) -> tuple[int, int] | None:
    """The root, and the joint from which both arms branch (or the neck or head where that is the root)."""
    left = [parts[0][0], *skeleton.ancestors(parts[0][0])]
    right = {parts[1][0], *skeleton.ancestors(parts[1][0])}
    branch = next(joint for joint in left if joint in right)
    if branch == skeleton.root:
        high = re.compile("neck|head|chest|thorax", re.IGNORECASE)
        above = [joint for joint in parts[4] if joint != branch and high.search(skeleton.joint_names[joint])]
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
        _built_in(  # OpenPose BODY_25
            "openpose25",
            "Nose:Neck Neck:MidHip RShoulder:Neck RElbow:RShoulder RWrist:RElbow LShoulder:Neck LElbow:LShoulder "
            "LWrist:LElbow MidHip RHip:MidHip RKnee:RHip RAnkle:RKnee LHip:MidHip LKnee:LHip LAnkle:LKnee REye:Nose "
            "LEye:Nose REar:REye LEar:LEye LBigToe:LAnkle LSmallToe:LBigToe LHeel:LAnkle RBigToe:RAnkle "
            "RSmallToe:RBigToe RHeel:RAnkle",
        ),
        _built_in(  # OpenPose COCO: no joint between the hips
            "openpose18",
            "Nose:Neck Neck RShoulder:Neck RElbow:RShoulder RWrist:RElbow LShoulder:Neck LElbow:LShoulder "
            "LWrist:LElbow RHip:Neck RKnee:RHip RAnkle:RKnee LHip:Neck LKnee:LHip LAnkle:LKnee REye:Nose LEye:Nose "
            "REar:REye LEar:LEye",
        ),
        _built_in(  # COCO keypoints: the nose is the only joint of the trunk that is on neither side
            "coco17",
            "nose left_eye:nose right_eye:nose left_ear:left_eye right_ear:right_eye left_shoulder:nose "
            "right_shoulder:nose left_elbow:left_shoulder right_elbow:right_shoulder left_wrist:left_elbow "
            "right_wrist:right_elbow left_hip:left_shoulder right_hip:right_shoulder left_knee:left_hip "
            "right_knee:right_hip left_ankle:left_knee right_ankle:right_knee",
        ),
        _built_in(  # MediaPipe Pose (BlazePose)
            "mediapipe33",
            "nose left_eye_inner:nose left_eye:left_eye_inner left_eye_outer:left_eye right_eye_inner:nose "
            "right_eye:right_eye_inner right_eye_outer:right_eye left_ear:left_eye_outer right_ear:right_eye_outer "
            "mouth_left:nose mouth_right:nose left_shoulder:nose right_shoulder:nose left_elbow:left_shoulder "
            "right_elbow:right_shoulder left_wrist:left_elbow right_wrist:right_elbow left_pinky:left_wrist "
            "right_pinky:right_wrist left_index:left_wrist right_index:right_wrist left_thumb:left_wrist "
            "right_thumb:right_wrist left_hip:left_shoulder right_hip:right_shoulder left_knee:left_hip "
            "right_knee:right_hip left_ankle:left_knee right_ankle:right_knee left_heel:left_ankle "
            "right_heel:right_ankle left_foot_index:left_ankle right_foot_index:right_ankle",
        ),
        _built_in(  # Xsens MVN: each joint is the origin of a segment
            "xsens23",
            "Pelvis L5:Pelvis L3:L5 T12:L3 T8:T12 Neck:T8 Head:Neck RightShoulder:T8 RightUpperArm:RightShoulder "
            "RightForeArm:RightUpperArm RightHand:RightForeArm LeftShoulder:T8 LeftUpperArm:LeftShoulder "
            "LeftForeArm:LeftUpperArm LeftHand:LeftForeArm RightUpperLeg:Pelvis RightLowerLeg:RightUpperLeg "
            "RightFoot:RightLowerLeg RightToe:RightFoot LeftUpperLeg:Pelvis LeftLowerLeg:LeftUpperLeg "
            "LeftFoot:LeftLowerLeg LeftToe:LeftFoot",
        ),
        _built_in(  # Human3.6M, the 17 joints of pose estimation; a foot is the ankle
            "h36m17",
            "Hip RHip:Hip RKnee:RHip RFoot:RKnee LHip:Hip LKnee:LHip LFoot:LKnee Spine:Hip Thorax:Spine Neck:Thorax "
            "Head:Neck LShoulder:Thorax LElbow:LShoulder LWrist:LElbow RShoulder:Thorax RElbow:RShoulder RWrist:RElbow",
        ),
        _built_in(  # SMPL (Loper et al., 2015)
            "smpl24",
            "pelvis left_hip:pelvis right_hip:pelvis spine1:pelvis left_knee:left_hip right_knee:right_hip "
            "spine2:spine1 left_ankle:left_knee right_ankle:right_knee spine3:spine2 left_foot:left_ankle "
            "right_foot:right_ankle neck:spine3 left_collar:spine3 right_collar:spine3 head:neck "
            "left_shoulder:left_collar right_shoulder:right_collar left_elbow:left_shoulder "
            "right_elbow:right_shoulder left_wrist:left_elbow right_wrist:right_elbow "
            "left_hand:left_wrist right_hand:right_wrist",
        ),
        _built_in(  # what nearly every rig has, so that a recording of any can be brought onto it: `rigs.map_to`
            "body14",
            "pelvis neck:pelvis shoulder_left:neck elbow_left:shoulder_left wrist_left:elbow_left shoulder_right:neck "
            "elbow_right:shoulder_right wrist_right:elbow_right hip_left:pelvis knee_left:hip_left "
            "ankle_left:knee_left hip_right:pelvis knee_right:hip_right ankle_right:knee_right",
        ),
    )
}
"""The built-in skeletons by name."""
