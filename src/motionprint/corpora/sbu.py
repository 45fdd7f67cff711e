"""SBU Kinect Interaction: eight interactions of two, 21 pairs of seven subjects, one Kinect.

Yun, Honorio, Chattopadhyay, Berg, Samaras, "Two-person Interaction Detection Using Body-Pose Features and Multiple
Instance Learning", CVPR Workshops 2012.

Files are called ``sXXsYY/CLASS/NNN/skeleton_pos.txt``: person XX on the left, YY on the right. An interaction is both
of them, so a sequence is the pair (30 joints) unless told otherwise. The subject is the pair, in the order of the
folder's name. The files have no frame rate: 15 frames/s are taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from motionprint.corpora.corpus import Corpus, Fold, Options, Recording, one_fold
from motionprint.readers import read_from

if TYPE_CHECKING:
    import pandas as pd

    from motionprint.readers.source import Source

__all__ = ["ACTIONS", "CORPUS"]

ACTIONS = {
    1: "approaching",
    2: "departing",
    3: "kicking",
    4: "pushing",
    5: "shaking hands",
    6: "hugging",
    7: "exchanging object",
    8: "punching",
}
"""The number of a folder -> what is done in it."""

FPS = 15.0  # frames/s

FOLDS = (
    ("s01s02", "s03s04", "s05s02", "s06s04"),
    ("s02s03", "s02s07", "s03s05", "s05s03"),
    ("s01s03", "s01s07", "s07s01", "s07s03"),
    ("s02s01", "s02s06", "s03s02", "s03s06"),
    ("s04s02", "s04s03", "s04s06", "s06s02", "s06s03"),
)
"""The pairs that test in each of the five folds, as published with the data."""

_FILE = re.compile(
    r"(?:.*/)?(?P<pair>s\d+s\d+)/(?P<action>\d+)/(?P<repetition>\d+)/skeleton_pos\.txt",
    re.IGNORECASE,
)


def recordings(source: Source | None, options: Options) -> Iterator[Recording]:
    """The interactions, by pair, class and repetition."""
    assert source is not None
    for name in source.names():
        found = _FILE.fullmatch(name)
        if found is None or int(found["action"]) not in ACTIONS:
            continue
        pair = found["pair"].lower()
        yield Recording(
            name=f"{pair}_a{int(found['action']):02}_r{int(found['repetition']):03}",
            source=name,
            read=partial(read_from, source, name, options.reading(fps=FPS)),
            label=ACTIONS[int(found["action"])],
            subject=pair,
            extra={"repetition": int(found["repetition"])},
        )


def protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
    """`five-fold`: the pairs of one fold test, all others train; a fold with an empty side is not given."""
    folds: list[Fold] = []
    for pairs in FOLDS:
        test = index["subject"].isin(pairs).to_numpy(dtype=bool)
        folds += one_fold(index, ~test, test)
    return {"five-fold": folds if len(folds) == len(FOLDS) else []}


CORPUS = Corpus(
    name="sbu",
    title="SBU Kinect Interaction: 8 interactions of 21 pairs, one Kinect",
    obtain="https://www3.cs.stonybrook.edu/~kyun/research/kinect_interaction/ (research data: for research only)",
    layout="sXXsYY/CLASS/NNN/skeleton_pos.txt",
    recordings=recordings,
    protocols=protocols,
    persons="pair",
    alignment="heading",
    max_length=35,
)
