"""HDM05: five actors, cut into clips of one action each, optical motion capture at 120 frames/s (ASF/AMC).

Müller, Röder, Clausen, Eberhardt, Krüger, Weber, "Documentation Mocap Database HDM05", CG-2007-2,
Universität Bonn, 2007.

Files are called ``CLASS/HDM_ACTOR_CLASS_NNN_120.amc``, with the actors' ``HDM_ACTOR.asf`` at the top; one clip ends in
``.AMC``. The class is the folder's name, or, where a file lies alone, the one within the file's name.
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

__all__ = ["CORPUS"]

TRAIN_ACTORS = ("bd", "bk", "dg")
TEST_ACTORS = ("mm", "tr")

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
        yield Recording(
            name=PurePosixPath(file).stem,
            source=name,
            read=partial(read_from, source, name, options.reading(fps=float(found["fps"]))),
            label=folder or found["action"],
            subject=found["actor"].lower(),
            extra={"repetition": int(found["repetition"])},
        )


def protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
    """`cross-subject`: three actors train, the other two test."""
    train = index["subject"].isin(TRAIN_ACTORS).to_numpy(dtype=bool)
    test = index["subject"].isin(TEST_ACTORS).to_numpy(dtype=bool)
    return {"cross-subject": one_fold(index, train, test)}


CORPUS = Corpus(
    name="hdm05",
    title="HDM05: cut clips of 5 actors, optical, 120 frames/s, ASF/AMC",
    obtain="https://resources.mpi-inf.mpg.de/HDM05/ (CC BY-SA 3.0)",
    layout="CLASS/HDM_ACTOR_CLASS_NNN_120.amc, HDM_ACTOR.asf",
    recordings=recordings,
    protocols=protocols,
    alignment="heading",
    max_length=None,
)
