"""Formats that hold motion and are not read: what each is, and how to turn it into one that is.

Told by the first bytes or by the extension; a file is then refused with one line that says the way, which is better
than "unknown format".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["REFUSED", "Refused", "refused_by_content", "refused_by_name", "summary"]

_BLENDER = "in Blender {}, then File > Export > Motion Capture (.bvh)"


@dataclass(frozen=True)
class Refused:
    """One format."""

    title: str
    """What messages call it."""
    extensions: tuple[str, ...]
    """Lower case, with the dot; none that a format that is read has too."""
    advice: str
    """The way to a format that is read."""
    begins: bytes | None = None
    """A regular expression for the first bytes, where they tell."""

    def __str__(self) -> str:
        return f"{self.title} is not read: {self.advice}"


REFUSED: tuple[Refused, ...] = (
    Refused(
        "FBX as text",
        (),
        "Blender reads binary FBX only: write it as binary with MotionBuilder or Maya, or as BVH with MotionBuilder",
        rb"; ?FBX ",
    ),
    Refused("FBX", (".fbx",), _BLENDER.format("File > Import > FBX (.fbx)"), rb"Kaydara FBX Binary"),
    Refused(
        "glTF",
        (".gltf", ".glb"),
        _BLENDER.format("File > Import > glTF 2.0 (.glb/.gltf)"),
        rb'glTF[\1\2]\0\0\0|\s*\{\s*"asset"\s*:\s*\{[^{}]*"version"\s*:\s*"[12]\.',
    ),
    Refused(
        "USD",
        (".usd", ".usda", ".usdc", ".usdz"),
        _BLENDER.format("File > Import > Universal Scene Description"),
        rb"PXR-USDC|#usda ",
    ),
    Refused("A Blender file", (".blend",), "in Blender File > Export > Motion Capture (.bvh)", rb"BLENDER[-_\d]"),
    Refused(
        "A Maya scene",
        (".ma", ".mb"),
        f"export FBX from Maya, {_BLENDER.format('File > Import > FBX (.fbx)')}",
        rb"//Maya ASCII|FOR[48].{4,12}Maya",
    ),
    Refused(
        "MikuMikuDance motion",
        (".vmd",),
        _BLENDER.format("with the add-on MMD Tools, import model and motion"),
        rb"Vocaloid Motion Data",
    ),
    Refused("An Xsens MVN recording", (".mvn",), "in MVN Analyze File > Export > MVNX"),
    Refused("An OptiTrack take", (".tak",), "in Motive File > Export Tracking Data: BVH, C3D or CSV"),
    Refused("A Qualisys recording", (".qtm",), "in QTM File > Export: C3D or TSV"),
    Refused("Vicon camera data", (".x1d", ".x2d"), "reconstruct and label it in Vicon Nexus and export C3D"),
    Refused("Motion Analysis binary tracks (TRB)", (".trb",), "in Cortex export TRC or C3D"),
    Refused(
        "A Kinect Studio recording",
        (".xef",),
        "it holds depth images, no skeletons: play it in Kinect Studio to a program that writes down the bodies",
    ),
    Refused(
        "A ROS bag",
        (".bag",),
        "it holds messages: write the joints' topic as a table (rostopic echo -b FILE.bag -p /TOPIC > FILE.csv)",
        rb"#ROSBAG V",
    ),
    Refused(
        "A Python pickle",
        (".pkl", ".pickle"),
        "loading one runs whatever program is in it: where you trust it, save its arrays with numpy.savez",
    ),
)
"""In the order in which content is tried."""

NAMED = 3
"""How many files a summary names."""


def refused_by_content(data: bytes) -> Refused | None:
    """The format that the first bytes are of, if it is one that is not read."""
    head = data[:4096].removeprefix(b"\xef\xbb\xbf")
    return next((each for each in REFUSED if each.begins and re.match(each.begins, head, re.DOTALL)), None)


def refused_by_name(name: str) -> Refused | None:
    """The same by the extension."""
    return next((each for each in REFUSED if each.extensions and name.lower().endswith(each.extensions)), None)


def summary(names: Sequence[str]) -> str | None:
    """What to say where nothing but files of such formats may be there: a few of them, and the way for the first."""
    found = [(name, refused) for name in names if (refused := refused_by_name(name)) is not None]
    if not found:
        return None
    listed = ", ".join(name for name, _ in found[:NAMED]) + (f" and {len(found) - NAMED} more" * (len(found) > NAMED))
    return f"{listed}. {found[0][1]}"
