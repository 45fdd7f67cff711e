"""Berkeley MHAD as 16 joints: each clip once optical and once as a depth camera saw it, MATLAB files.

Lannan, Zhou, Fan, "A Multiview Depth-based Motion Capture Benchmark Dataset for Human Motion Denoising and Enhancement
Research", CVPR Workshops 2022, from Berkeley MHAD (Ofli et al., WACV 2013).

Files are called ``Mocap/SXX_AXX_RXX.mat`` (optical) and ``D-Mocap/SXX_AXX_RXX.mat`` (its twin from depth images,
noisy). The depth twins are z up and lack the path of the root over the floor; they are turned y up here. A twin may
be a few frames shorter. All are in one data set; the columns `sensor` (optical, depth) and `clip` say what is
whose twin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from motionprint.corpora import berkeley_mhad
from motionprint.corpora.corpus import Corpus, Fold, Options, Recording, one_fold
from motionprint.readers import read_from

if TYPE_CHECKING:
    import pandas as pd

    from motionprint.readers.source import Source

__all__ = ["CORPUS"]

ACTIONS = berkeley_mhad.ACTIONS

_FILE = re.compile(
    r"(?:.*/)?(?P<folder>Mocap|D-Mocap)/(?P<clip>S(?P<subject>\d+)_A(?P<action>\d+)_R(?P<repetition>\d+))\.mat",
    re.IGNORECASE,
)


def recordings(source: Source | None, options: Options) -> Iterator[Recording]:
    """The clips, first those of the depth camera, each by subject, action and repetition."""
    assert source is not None
    for name in source.names():
        found = _FILE.fullmatch(name)
        if found is None or int(found["action"]) not in ACTIONS:
            continue
        depth = found["folder"].lower() == "d-mocap"
        settings = options.reading()
        sensor, clip = ("depth" if depth else "optical"), found["clip"].upper()
        yield Recording(
            name=f"{clip}_{sensor}",
            source=name,
            read=partial(read_from, source, name, replace(settings, up=settings.up or ("z" if depth else "y"))),
            label=ACTIONS[int(found["action"])],
            subject=f"s{int(found['subject']):02}",
            extra={"repetition": int(found["repetition"]), "sensor": sensor, "clip": clip},
        )


def protocols(index: pd.DataFrame) -> dict[str, list[Fold]]:
    """Subjects 1 to 7 train, 8 to 12 test: optical alone, depth alone, and from optical to depth."""
    train = index["subject"].isin(berkeley_mhad.TRAIN_SUBJECTS).to_numpy(dtype=bool)
    depth = (index["sensor"] == "depth").to_numpy(dtype=bool)
    return {
        "cross-subject": one_fold(index, train & ~depth, ~train & ~depth),
        "cross-subject-depth": one_fold(index, train & depth, ~train & depth),
        "optical-to-depth": one_fold(index, train & ~depth, ~train & depth),
    }


CORPUS = Corpus(
    name="mhad_dmocap",
    title="Berkeley MHAD, 16 joints: 659 clips, optical and from a depth camera, MATLAB",
    obtain="Lannan, Zhou, Fan (CVPR Workshops 2022) say where (research data: its terms and those of Berkeley MHAD)",
    layout="Mocap/SXX_AXX_RXX.mat, D-Mocap/SXX_AXX_RXX.mat",
    recordings=recordings,
    protocols=protocols,
    alignment="heading",
    window_over=560,  # as for the BVH form: the paper thins every clip to 35 frames
    max_length=35,
)
