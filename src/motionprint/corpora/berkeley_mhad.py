"""Berkeley MHAD: eleven actions of twelve subjects, optical motion capture as BVH (480 frames/s, or thinned).

Ofli, Chaudhry, Kurillo, Vidal, Bajcsy, "Berkeley MHAD: A Comprehensive Multimodal Human Action Database", WACV 2013;
the actions are called as in its section 3.

Files are called ``skl_sSS_aAA_rRR.bvh``; the T-poses (``skl_sSS_t-pose.bvh``) are no action and are not taken. The
frame rate is that of each file, so that thinned copies work too.
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
    1: "jumping in place",
    2: "jumping jacks",
    3: "bending",
    4: "punching",
    5: "waving two hands",
    6: "waving one hand",
    7: "clapping",
    8: "throwing",
    9: "sit down then stand up",
    10: "sit down",
    11: "stand up",
}
"""The number in a file's name -> what is done."""

TRAIN_SUBJECTS = tuple(f"s{number:02}" for number in range(1, 8))

_FILE = re.compile(
    r"skl_s(?P<subject>\d+)_a(?P<action>\d+)_r(?P<repetition>\d+)\.bvh",
    re.IGNORECASE,
)


def recordings(source: Source | None, options: Options) -> Iterator[Recording]:
    """The clips, by subject, action and repetition."""
    assert source is not None
    for name in source.names():
        found = _FILE.fullmatch(PurePosixPath(name).name)
        if found is None or int(found["action"]) not in ACTIONS:
            continue
        yield Recording(
            name=PurePosixPath(name).stem,
            source=name,
            read=partial(read_from, source, name, options.reading()),
            label=ACTIONS[int(found["action"])],
            subject=f"s{int(found['subject']):02}",
            extra={"repetition": int(found["repetition"])},
        )


def protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
    """`cross-subject`: subjects 1 to 7 train, 8 to 12 test."""
    train = index["subject"].isin(TRAIN_SUBJECTS).to_numpy(dtype=bool)
    return {"cross-subject": one_fold(index, train, ~train)}


CORPUS = Corpus(
    name="berkeley_mhad",
    title="Berkeley MHAD: 11 actions of 12 subjects, optical, BVH",
    obtain="https://tele-immersion.citris-uc.org/berkeley_mhad (research data: check its terms)",
    layout="skl_sSS_aAA_rRR.bvh",
    recordings=recordings,
    protocols=protocols,
    alignment="heading",
    window_over=560,  # the paper thins every clip to 35 frames
    max_length=35,
)
