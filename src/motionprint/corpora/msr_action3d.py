"""MSR Action3D: twenty gestures for a game console by ten subjects, one depth camera.

Li, Zhang, Liu, "Action Recognition Based on a Bag of 3D Points", CVPR Workshops 2010.

Files are called ``aAA_sSS_eEE_skeleton3D.txt`` (action, subject, repetition), in metres. They have no frame rate:
15 frames/s are taken. `cross-subject` is the usual protocol over all twenty classes; `cross-subject-as1` to `-as3` are
the same over the three subsets of eight classes of the paper; `cross-subject-557` leaves out the ten sequences that
Wang, Liu, Wu and Yuan (CVPR 2012) and many after them leave out as too noisy.
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

ACTIONS = {
    1: "high arm wave",
    2: "horizontal arm wave",
    3: "hammer",
    4: "hand catch",
    5: "forward punch",
    6: "high throw",
    7: "draw x",
    8: "draw tick",
    9: "draw circle",
    10: "hand clap",
    11: "two hand wave",
    12: "side-boxing",
    13: "bend",
    14: "forward kick",
    15: "side kick",
    16: "jogging",
    17: "tennis swing",
    18: "tennis serve",
    19: "golf swing",
    20: "pick up & throw",
}
"""The number in a file's name -> what is done."""

FPS = 15.0  # frames/s

SUBSETS = {
    "as1": (2, 3, 5, 6, 10, 13, 18, 20),
    "as2": (1, 4, 7, 8, 9, 11, 12, 14),
    "as3": (6, 14, 15, 16, 17, 18, 19, 20),
}
"""The paper's three subsets of the actions."""

NOISY = (
    *("a02_s03_e02", "a04_s03_e01", "a07_s04_e01", "a13_s09_e01", "a13_s09_e02", "a13_s09_e03", "a14_s03_e01"),
    *("a20_s07_e01", "a20_s07_e03", "a20_s10_e03"),
)
"""What the list of 557 (``files_used_in_cvpr12_paper.txt``) does not name."""

TRAIN_SUBJECTS = tuple(f"s{number:02}" for number in range(1, 11, 2))

_FILE = re.compile(
    r"(?P<name>a(?P<action>\d+)_s(?P<subject>\d+)_e(?P<repetition>\d+))_skeleton3D\.txt",
    re.IGNORECASE,
)


def recordings(source: Source | None, options: Options) -> Iterator[Recording]:
    """The sequences, by action, subject and repetition."""
    assert source is not None
    for name in source.names():
        found = _FILE.fullmatch(PurePosixPath(name).name)
        if found is None or int(found["action"]) not in ACTIONS:
            continue
        yield Recording(
            name=found["name"],
            source=name,
            read=partial(read_from, source, name, options.reading(fps=FPS)),
            label=ACTIONS[int(found["action"])],
            subject=f"s{int(found['subject']):02}",
            extra={"repetition": int(found["repetition"])},
        )


def protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
    """Odd subjects train, even ones test: all classes, the subsets of the paper, without the noisy ten."""
    train = index["subject"].isin(TRAIN_SUBJECTS).to_numpy(dtype=bool)
    clean = ~index["name"].str.lower().isin(NOISY).to_numpy(dtype=bool)
    found = {"cross-subject": one_fold(index, train, ~train)}
    for subset, actions in SUBSETS.items():
        of_it = index["label"].isin([ACTIONS[number] for number in actions]).to_numpy(dtype=bool)
        found[f"cross-subject-{subset}"] = one_fold(index, train & of_it, ~train & of_it)
    return found | {"cross-subject-557": one_fold(index, train & clean, ~train & clean)}


CORPUS = Corpus(
    name="msr_action3d",
    title="MSR Action3D: 20 gestures of 10 subjects, one depth camera",
    obtain="https://sites.google.com/view/wanqingli/data-sets/msr-action3d (research data: check its terms)",
    layout="aAA_sSS_eEE_skeleton3D.txt",
    recordings=recordings,
    protocols=protocols,
    alignment="heading",
    max_length=35,
)
