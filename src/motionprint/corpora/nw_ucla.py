"""Northwestern-UCLA Multiview Action 3D: ten actions of ten subjects seen by three Kinect cameras, one JSON file each.

Wang, Nie, Xia, Wu, Zhu, "Cross-view Action Modeling, Learning and Recognition", CVPR 2014.

Files are called ``aAA_sSS_eEE_vVV.json`` (action, subject, repetition, view), the classes are numbered 1 to 6, 8, 9,
11, 12. The files hold no frame rate: 15 frames/s are taken (walkers then move 0.9 m/s).

All files of a02 and a03 in view 3 equal the view 2 file of the same take, number for number. `cross-view` is the
protocol of the literature, with those copies on both sides; `cross-view-dedup` takes them out of the training set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from motionprint.corpora.corpus import Corpus, Fold, Options, Recording, one_fold, without_copies
from motionprint.readers import read_from

if TYPE_CHECKING:
    import pandas as pd

    from motionprint.readers.source import Source

__all__ = ["ACTIONS", "CORPUS", "FPS"]

ACTIONS = {
    1: "pick up with one hand",
    2: "pick up with two hands",
    3: "drop trash",
    4: "walk around",
    5: "sit down",
    6: "stand up",
    8: "donning",
    9: "doffing",
    11: "throw",
    12: "carry",
}
"""The number in a file's name -> what is done."""

FPS = 15.0  # frames/s

TRAIN_SUBJECTS = tuple(f"s{number:02}" for number in range(1, 6))

_FILE = re.compile(
    r"a(?P<action>\d+)_s(?P<subject>\d+)_e(?P<repetition>\d+)_v(?P<view>\d+)\.json",
    re.IGNORECASE,
)


def recordings(source: Source | None, options: Options) -> Iterator[Recording]:
    """The sequences, by action, subject, repetition and view."""
    assert source is not None
    for name in source.names():
        found = _FILE.fullmatch(PurePosixPath(name).name)
        if found is None or int(found["action"]) not in ACTIONS:
            continue
        yield Recording(
            name=PurePosixPath(name).stem,
            source=name,
            read=partial(read_from, source, name, options.reading(fps=FPS)),
            label=ACTIONS[int(found["action"])],
            subject=f"s{int(found['subject']):02}",
            extra={"view": int(found["view"]), "repetition": int(found["repetition"])},
        )


def protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
    """Across views (as published; without the copies; for choosing settings) and across subjects.

    `cross-view-settings` trains on view 1 and tests on view 2: it never touches view 3, on which results are quoted.
    """
    view = index["view"].to_numpy()
    first, second, third = view == 1, view == 2, view == 3
    train = index["subject"].isin(TRAIN_SUBJECTS).to_numpy(dtype=bool)
    return {
        "cross-view": one_fold(index, first | second, third),
        "cross-view-dedup": one_fold(index, without_copies(index, first | second, third), third),
        "cross-view-settings": one_fold(index, without_copies(index, first, second), second),
        "cross-subject": one_fold(index, train, ~train),
    }


CORPUS = Corpus(
    name="nw_ucla",
    title="Northwestern-UCLA Multiview Action 3D: 10 actions of 10 subjects, 3 Kinect cameras, JSON",
    obtain="https://wangjiangb.github.io/my_data.html (research data: check its terms)",
    layout="all_sqe/aAA_sSS_eEE_vVV.json",
    recordings=recordings,
    protocols=protocols,
    alignment="body",
    window_over=560,  # the paper thins every clip to 35 frames
    max_length=35,
)
