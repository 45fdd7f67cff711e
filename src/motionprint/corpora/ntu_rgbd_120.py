"""NTU RGB+D 120: NTU RGB+D and sixty more actions, 106 subjects, 32 setups.

Liu, Shahroudy, Perez, Wang, Duan, Kot, "NTU RGB+D 120: A Large-Scale Benchmark for 3D Human Activity Understanding",
TPAMI 2019. Files, lists of broken samples, ghosts and persons are as in `corpora.ntu_rgbd`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from motionprint.corpora import ntu_rgbd
from motionprint.corpora.corpus import Corpus, Fold, Options, Recording, one_fold

if TYPE_CHECKING:
    import pandas as pd

    from motionprint.readers.source import Source

__all__ = ["ACTIONS", "CORPUS"]

ACTIONS = ntu_rgbd.ACTIONS | dict(
    enumerate(
        (
            *("put on headphone", "take off headphone", "shoot at the basket", "bounce ball", "tennis bat swing"),
            *("juggling table tennis balls", "hush", "flick hair", "thumb up", "thumb down", "make ok sign"),
            *("make victory sign", "staple book", "counting money", "cutting nails", "cutting paper"),
            *("snapping fingers", "open bottle", "sniff", "squat down", "toss a coin", "fold paper", "ball up paper"),
            *("play magic cube", "apply cream on face", "apply cream on hand back", "put on bag", "take off bag"),
            *("put something into a bag", "take something out of a bag", "open a box", "move heavy objects"),
            *("shake fist", "throw up cap/hat", "hands up", "cross arms", "arm circles", "arm swings"),
            *("running on the spot", "butt kicks", "cross toe touch", "side kick", "yawn", "stretch oneself"),
            *("blow nose", "hit other person with something", "wield knife towards other person"),
            *("knock over other person", "grab other person's stuff", "shoot at other person with a gun"),
            *("step on foot", "high-five", "cheers and drink", "carry something with other person"),
            *("take a photo of other person", "follow other person", "whisper in other person's ear"),
            *("exchange things with other person", "support somebody with hand", "finger-guessing game"),
        ),
        start=61,
    )
)
"""The number in a file's name -> what is done; those from 50 to 60 and from 106 on are done by two."""

TRAIN_SUBJECTS = (
    *(1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38, 45, 46, 47, 49, 50, 52, 53, 54, 55, 56),
    *(57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103),
)


def recordings(source: Source | None, options: Options) -> Iterator[Recording]:
    """The samples of all actions, by name."""
    assert source is not None
    yield from ntu_rgbd.recordings_of(source, options, ACTIONS)


def protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
    """The two official ones: across subjects, and across setups, of which the even ones train."""
    subjects = index["subject"].isin([f"P{number:03}" for number in TRAIN_SUBJECTS]).to_numpy(dtype=bool)
    setups = (index["setup"] % 2 == 0).to_numpy(dtype=bool)
    return {
        "cross-subject": one_fold(index, subjects, ~subjects),
        "cross-setup": one_fold(index, setups, ~setups),
    }


CORPUS = Corpus(
    name="ntu_rgbd_120",
    title="NTU RGB+D 120: 120 actions of 106 subjects, 3 Kinect v2 cameras, 32 setups",
    obtain="https://rose1.ntu.edu.sg/dataset/actionRecognition/ (research data: registration, its own terms)",
    layout="SsssCcccPpppRrrrAaaa.skeleton",
    recordings=recordings,
    protocols=protocols,
    persons="first",
    ghosts=ntu_rgbd.ghosts,
    alignment="body",
    max_length=35,
)
