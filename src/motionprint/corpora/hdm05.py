"""HDM05: five actors, cut into clips of one action each, optical motion capture at 120 frames/s (ASF/AMC).

Müller, Röder, Clausen, Eberhardt, Krüger, Weber, "Documentation Mocap Database HDM05", CG-2007-2,
Universität Bonn, 2007.

Files are called ``CLASS/HDM_ACTOR_CLASS_NNN_120.amc``, with the actors' ``HDM_ACTOR.asf`` at the top; one clip ends in
``.AMC``. The class is the folder's name, or, where a file lies alone or with others in a folder that is no class of
the 130, the one within the file's name.

There are 130 classes, many of which differ in the number of repetitions, the first foot or the side one starts from.
`classes=65` merges these, as Cho and Chen, "Classifying and Visualizing Motion Capture Sequences Using Deep Neural
Networks", 2014, did; the table here was worked out from the names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from motionprint.corpora.corpus import Corpus, Download, Fold, Options, Recording, one_fold
from motionprint.errors import DatasetError
from motionprint.readers import read_from

if TYPE_CHECKING:
    import pandas as pd

    from motionprint.readers.source import Source

__all__ = ["CLASSES_65", "CORPUS"]

TRAIN_ACTORS = ("bd", "bk", "dg")
TEST_ACTORS = ("mm", "tr")

MERGED = {
    "cartwheel": "cartwheelLHandStart1Reps cartwheelLHandStart2Reps cartwheelRHandStart1Reps",
    "clap": "clap1Reps clap5Reps",
    "clapAH": "clapAboveHead1Reps clapAboveHead5Reps",
    "depositFR": "depositFloorR",
    "depositHR": "depositHighR",
    "depositLR": "depositLowR",
    "depositMR": "depositMiddleR",
    "elbow_to_knee": (
        "elbowToKnee1RepsLelbowStart elbowToKnee1RepsRelbowStart elbowToKnee3RepsLelbowStart "
        "elbowToKnee3RepsRelbowStart"
    ),
    "grabFR": "grabFloorR",
    "grabHR": "grabHighR",
    "grabLR": "grabLowR",
    "grabMR": "grabMiddleR",
    "hit": "hitRHandHead",
    "hop": "hopBothLegs1hops hopBothLegs2hops hopBothLegs3hops",
    "lhop": "hopLLeg1hops hopLLeg2hops hopLLeg3hops",
    "rhop": "hopRLeg1hops hopRLeg2hops hopRLeg3hops",
    "jogLC": "jogLeftCircle4StepsRstart jogLeftCircle6StepsRstart",
    "jogOP": (
        "jogOnPlaceStartAir2StepsLStart jogOnPlaceStartAir2StepsRStart jogOnPlaceStartAir4StepsLStart "
        "jogOnPlaceStartFloor2StepsRStart jogOnPlaceStartFloor4StepsRStart"
    ),
    "jogRC": (
        "jogRightCircle4StepsLstart jogRightCircle4StepsRstart jogRightCircle6StepsLstart jogRightCircle6StepsRstart"
    ),
    "jumpD": "jumpDown",
    "jumpJ": "jumpingJack1Reps jumpingJack3Reps",
    "kickLF": "kickLFront1Reps kickLFront2Reps",
    "kickLS": "kickLSide1Reps kickLSide2Reps",
    "kickRF": "kickRFront1Reps kickRFront2Reps",
    "kickRS": "kickRSide1Reps kickRSide2Reps",
    "lie_down": "lieDownFloor",
    "punchLF": "punchLFront1Reps punchLFront2Reps",
    "punchLS": "punchLSide1Reps punchLSide2Reps",
    "punchRF": "punchRFront1Reps punchRFront2Reps",
    "punchRS": "punchRSide1Reps punchRSide2Reps",
    "rotate_armsBB": "rotateArmsBothBackward1Reps rotateArmsBothBackward3Reps",
    "rotate_armsBF": "rotateArmsBothForward1Reps rotateArmsBothForward3Reps",
    "rotate_armsLB": "rotateArmsLBackward1Reps rotateArmsLBackward3Reps",
    "rotate_armsLF": "rotateArmsLForward1Reps rotateArmsLForward3Reps",
    "rotate_armsRB": "rotateArmsRBackward1Reps rotateArmsRBackward3Reps",
    "rotate_armsRF": "rotateArmsRForward1Reps rotateArmsRForward3Reps",
    "run": (
        "runOnPlaceStartAir2StepsLStart runOnPlaceStartAir2StepsRStart runOnPlaceStartAir4StepsLStart "
        "runOnPlaceStartFloor2StepsRStart runOnPlaceStartFloor4StepsRStart"
    ),
    "shuffle": "shuffle2StepsLStart shuffle2StepsRStart shuffle4StepsLStart shuffle4StepsRStart",
    "sit_downC": "sitDownChair",
    "sit_downF": "sitDownFloor",
    "sit_downK": "sitDownKneelTieShoes",
    "sit_downT": "sitDownTable",
    "ski": "skier1RepsLstart skier3RepsLstart",
    "sneak": "sneak2StepsLStart sneak2StepsRStart sneak4StepsLStart sneak4StepsRStart",
    "squat": "squat1Reps squat3Reps",
    "climbD": "staircaseDown3Rstart",
    "climbU": "staircaseUp3Rstart",
    "stand_upK2S": "standUpKneelToStand",
    "stand_upLF": "standUpLieFloor",
    "stand_upSC": "standUpSitChair",
    "stand_upSF": "standUpSitFloor",
    "stand_upST": "standUpSitTable",
    "throwB": "throwBasketball",
    "throwFR": "throwFarR",
    "throwST": "throwSittingHighR throwSittingLowR",
    "throwSD": "throwStandingHighR throwStandingLowR",
    "turnL": "turnLeft",
    "turnR": "turnRight",
    "walk_forward": "walk2StepsLstart walk2StepsRstart walk4StepsLstart walk4StepsRstart",
    "walk_backward": "walkBackwards2StepsRstart walkBackwards4StepsRstart",
    "walk_left": "walkLeft2Steps walkLeft3Steps",
    "walk_leftLC": (
        "walkLeftCircle4StepsLstart walkLeftCircle4StepsRstart walkLeftCircle6StepsLstart walkLeftCircle6StepsRstart"
    ),
    "walk_inplace": "walkOnPlace2StepsLStart walkOnPlace2StepsRStart walkOnPlace4StepsLStart walkOnPlace4StepsRStart",
    "walk_right": (
        "walkRightCircle4StepsLstart walkRightCircle4StepsRstart walkRightCircle6StepsLstart "
        "walkRightCircle6StepsRstart"
    ),
    "walk_rightRC": "walkRightCrossFront2Steps walkRightCrossFront3Steps",
}
"""Class of the 65 -> the classes of the 130 that it holds, apart by how often, from which side and with which foot."""

CLASSES_65 = {single: merged for merged, several in MERGED.items() for single in several.split()}
"""Class of the 130 -> class of the 65."""

_FILE = re.compile(
    r"HDM_(?P<actor>[a-z]{2})_(?P<action>[a-z0-9]+)_(?P<repetition>\d+)_(?P<fps>\d+)\.amc",
    re.IGNORECASE,
)


def recordings(source: Source | None, options: Options) -> Iterator[Recording]:
    """The clips, by class, actor and repetition."""
    assert source is not None
    for name in source.names():
        folder, file = PurePosixPath(name).parent.name, PurePosixPath(name).name
        found = _FILE.fullmatch(file)
        if found is None:
            continue
        label = _label(folder, found["action"])
        if options.classes == 65:
            if label not in CLASSES_65:
                raise DatasetError(f"{source.label(name)}: expected one of the 130 classes, found {label!r}")
            label = CLASSES_65[label]
        yield Recording(
            name=PurePosixPath(file).stem,
            source=name,
            read=partial(read_from, source, name, options.reading(fps=float(found["fps"]))),
            label=label,
            subject=found["actor"].lower(),
            extra={"repetition": int(found["repetition"])},
        )


def _label(folder: str, action: str) -> str:
    """The folder's name, unless only the name within the file's is one of the 130."""
    return folder if folder in CLASSES_65 or (folder and action not in CLASSES_65) else action


def protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
    """`cross-subject`: three actors train, the other two test."""
    train = index["subject"].isin(TRAIN_ACTORS).to_numpy(dtype=bool)
    test = index["subject"].isin(TEST_ACTORS).to_numpy(dtype=bool)
    return {"cross-subject": one_fold(index, train, test)}


CORPUS = Corpus(
    name="hdm05",
    title="HDM05: cut clips of 5 actors, optical, 120 frames/s, ASF/AMC",
    obtain="https://resources.mpi-inf.mpg.de/HDM05/ (CC BY-SA 3.0)",
    downloads=(Download("https://resources.mpi-inf.mpg.de/HDM05/cuts/HDM05_cut_amc.zip", "HDM05_cut_amc.zip"),),
    layout="CLASS/HDM_ACTOR_CLASS_NNN_120.amc, HDM_ACTOR.asf",
    recordings=recordings,
    protocols=protocols,
    classes=(130, 65),
    alignment="heading",
    max_length=None,
)
