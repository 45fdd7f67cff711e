"""NTU RGB+D: sixty actions of forty subjects, three Kinect v2 cameras, one ``.skeleton`` file each.

Shahroudy, Liu, Ng, Wang, "NTU RGB+D: A Large Scale Dataset for 3D Human Activity Analysis", CVPR 2016. Actions are
called as in the authors' list (https://github.com/shahroudy/NTURGB-D), numbers and remarks in brackets left out.

Files are called ``SsssCcccPpppRrrrAaaa.skeleton`` (setup, camera, performer, replication, action). The authors list the
samples whose skeletons are missing or incomplete; where a source holds such a list
(``NTU_RGBD_samples_with_missing_skeletons.txt``), they are left out by name. Without one they are read, and left out if
nobody is in them.

The tracker also sees people in chairs and tables (*ghosts*). Where a file has several bodies, `ghosts` leaves out, by
the thresholds of the preparation that the field uses (CTR-GCN's `get_raw_denoised_data.py`):

1. a body that is seen in at most 11 frames;
2. then, as long as another is left, a body that in at least 69.754 % of its frames is spread over more than 0.8 times
   as much in x as in y.

At least one body always stays. That preparation then also thins and joins bodies; here nothing is altered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from motionprint.corpora.corpus import Corpus, Fold, Options, Recording, one_fold
from motionprint.readers import read_from

if TYPE_CHECKING:
    import pandas as pd

    from motionprint.readers.source import Source
    from motionprint.sequence import SkeletonSequence

__all__ = ["ACTIONS", "CORPUS", "ghosts", "recordings_of"]

ACTIONS = dict(
    enumerate(
        (
            *("drink water", "eat meal/snack", "brushing teeth", "brushing hair", "drop", "pickup", "throw"),
            *("sitting down", "standing up", "clapping", "reading", "writing", "tear up paper", "wear jacket"),
            *("take off jacket", "wear a shoe", "take off a shoe", "wear on glasses", "take off glasses"),
            *("put on a hat/cap", "take off a hat/cap", "cheer up", "hand waving", "kicking something"),
            *("reach into pocket", "hopping", "jump up", "make a phone call/answer phone"),
            *("playing with phone/tablet", "typing on a keyboard", "pointing to something with finger"),
            *("taking a selfie", "check time", "rub two hands together", "nod head/bow", "shake head", "wipe face"),
            *("salute", "put the palms together", "cross hands in front", "sneeze/cough", "staggering", "falling"),
            *("touch head", "touch chest", "touch back", "touch neck", "nausea or vomiting condition"),
            *("use a fan/feeling warm", "punching/slapping other person", "kicking other person"),
            *("pushing other person", "pat on back of other person", "point finger at the other person"),
            *("hugging other person", "giving something to other person", "touch other person's pocket"),
            *("handshaking", "walking towards each other", "walking apart from each other"),
        ),
        start=1,
    )
)
"""The number in a file's name -> what is done; those from 50 on are done by two."""

TRAIN_SUBJECTS = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
TRAIN_CAMERAS = (2, 3)

FEW_FRAMES = 11
"""A body that is seen in no more of them is a ghost."""
WIDE = 0.8
"""A frame in which x spans more than this part of what y spans is no person's."""
WIDE_FRAMES = 0.69754
"""A body of which at least this part of its frames is wide is a ghost."""

_FILE = re.compile(
    r"S(?P<setup>\d{3})C(?P<camera>\d{3})P(?P<subject>\d{3})R(?P<repetition>\d{3})A(?P<action>\d{3})\.skeleton",
    re.IGNORECASE,
)
_LIST = re.compile(r"NTU_RGBD(?:120)?_samples_with_missing_skeletons\.txt", re.IGNORECASE)
_SAMPLE = re.compile(rb"S\d{3}C\d{3}P\d{3}R\d{3}A\d{3}")


def recordings_of(source: Source, options: Options, actions: dict[int, str]) -> Iterator[Recording]:
    """The samples of these actions; those on an official list that lies in the source are to be left out."""
    missing = _missing(source)
    for name in source.names():
        found = _FILE.fullmatch(PurePosixPath(name).name)
        if found is None or int(found["action"]) not in actions:
            continue
        stem = PurePosixPath(name).stem
        yield Recording(
            name=stem,
            source=name,
            read=partial(read_from, source, name, options.reading()),
            label=actions[int(found["action"])],
            subject=f"P{found['subject']}",
            extra={key: int(found[key]) for key in ("setup", "camera", "repetition")},
            left_out=missing.get(stem.upper()),
        )


def _missing(source: Source) -> dict[str, str]:
    """The samples that a list in the source names, and why they are left out."""
    found: dict[str, str] = {}
    for name in source.names():
        file = PurePosixPath(name).name
        if _LIST.fullmatch(file):
            found |= {each.decode(): f"named in {file}" for each in _SAMPLE.findall(source.read_bytes(name))}
    return found


def recordings(source: Source | None, options: Options) -> Iterator[Recording]:
    """The samples of the first sixty actions, by name."""
    assert source is not None
    yield from recordings_of(source, options, ACTIONS)


def ghosts(bodies: Sequence[SkeletonSequence]) -> dict[int, str]:
    """Which of the bodies of a file are no persons, and why; never all of them."""
    frames = [int((~np.isnan(body.positions).all(axis=(1, 2))).sum()) for body in bodies]
    longest = int(np.argmax(frames)) if frames else 0
    found: dict[int, str] = {}
    if len(bodies) > 1:
        for number, count in enumerate(frames):
            if count <= FEW_FRAMES and number != longest:
                found[number] = f"no person: seen in {count} frames, expected more than {FEW_FRAMES}"
    for number, body in enumerate(bodies):
        if len(bodies) - len(found) < 2:
            break
        if number not in found and (wide := _wide(body)) >= WIDE_FRAMES:
            found[number] = f"no person: wider than high in {100 * wide:.0f} % of its frames"
    return found


def _wide(body: SkeletonSequence) -> float:
    """The part of the frames in which a body is seen that are spread too much in x."""
    seen = body.positions[~np.isnan(body.positions).all(axis=(1, 2))]
    if not len(seen):
        return 0.0
    spread = np.nanmax(seen, axis=1) - np.nanmin(seen, axis=1)  # (frames, 3) m
    return float((spread[:, 0] > WIDE * spread[:, 1]).mean())


def protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
    """The two official ones, across subjects and across cameras."""
    subjects = index["subject"].isin([f"P{number:03}" for number in TRAIN_SUBJECTS]).to_numpy(dtype=bool)
    cameras = index["camera"].isin(TRAIN_CAMERAS).to_numpy(dtype=bool)
    return {
        "cross-subject": one_fold(index, subjects, ~subjects),
        "cross-view": one_fold(index, cameras, ~cameras),
    }


CORPUS = Corpus(
    name="ntu_rgbd",
    title="NTU RGB+D: 60 actions of 40 subjects, 3 Kinect v2 cameras",
    obtain="https://rose1.ntu.edu.sg/dataset/actionRecognition/ (research data: registration, its own terms)",
    layout="SsssCcccPpppRrrrAaaa.skeleton",
    recordings=recordings,
    protocols=protocols,
    persons="first",
    ghosts=ghosts,
    alignment="body",
    max_length=35,
)
