"""UTD-MHAD: 27 actions of eight subjects, Kinect v1, MATLAB files.

Chen, Jafari, Kehtarnavaz, "UTD-MHAD: A Multimodal Dataset for Human Action Recognition Utilizing a Depth Camera and a
Wearable Inertial Sensor", ICIP 2015. Actions are called as on the data set's page, without the remarks in brackets but
where they tell two apart.

Files are called ``aA_sS_tT_skeleton.mat`` (action, subject, trial), 30 frames/s; files of the other sensors are
passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from motionprint.corpora.corpus import Corpus, Fold, Options, Recording, one_fold
from motionprint.readers import read_from

if TYPE_CHECKING:
    import pandas as pd

    from motionprint.readers.source import Source

__all__ = ["ACTIONS", "CORPUS"]

ACTIONS = dict(
    enumerate(
        (
            *("right arm swipe to the left", "right arm swipe to the right", "right hand wave", "two hand front clap"),
            *("right arm throw", "cross arms in the chest", "basketball shoot", "right hand draw x"),
            *("right hand draw circle (clockwise)", "right hand draw circle (counter clockwise)", "draw triangle"),
            *("bowling", "front boxing", "baseball swing from right", "tennis right hand forehand swing"),
            *("arm curl", "tennis serve", "two hand push", "right hand knock on door"),
            *("right hand catch an object", "right hand pick up and throw", "jogging in place", "walking in place"),
            *("sit to stand", "stand to sit", "forward lunge", "squat"),
        ),
        start=1,
    )
)
"""The number in a file's name -> what is done."""

TRAIN_SUBJECTS = tuple(f"s{number}" for number in range(1, 9, 2))

_FILE = re.compile(r"a(?P<action>\d+)_s(?P<subject>\d+)_t(?P<repetition>\d+)_skeleton\.mat", re.IGNORECASE)


def recordings(source: Source | None, options: Options) -> Iterator[Recording]:
    """The sequences, by name."""
    assert source is not None
    for name in source.names():
        found = _FILE.fullmatch(PurePosixPath(name).name)
        if found is None or int(found["action"]) not in ACTIONS:
            continue
        yield Recording(
            name=PurePosixPath(name).stem.lower().removesuffix("_skeleton"),
            source=name,
            read=partial(read_from, source, name, options.reading()),
            label=ACTIONS[int(found["action"])],
            subject=f"s{int(found['subject'])}",
            extra={"repetition": int(found["repetition"])},
        )


def protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
    """`cross-subject`: odd subjects train, even ones test."""
    train = index["subject"].isin(TRAIN_SUBJECTS).to_numpy(dtype=bool)
    return {"cross-subject": one_fold(index, train, ~train)}


CORPUS = Corpus(
    name="utd_mhad",
    title="UTD-MHAD: 27 actions of 8 subjects, Kinect v1, MATLAB",
    obtain="https://personal.utdallas.edu/~kehtar/UTD-MHAD.html (research data: check its terms)",
    layout="aA_sS_tT_skeleton.mat",
    recordings=recordings,
    protocols=protocols,
    alignment="heading",
    max_length=35,
)
