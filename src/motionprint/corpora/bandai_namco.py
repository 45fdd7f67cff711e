"""Bandai-Namco-Research-Motiondataset 1 and 2: everyday actions in many styles, three actors, BVH at 30 frames/s.

Kobayashi, Liao, Inoue, Yojima, Takahashi, "Motion Capture Dataset for Practical Use of AI-based Motion Editing and
Stylization", 2023, arXiv:2306.08861.

Files are called ``dataset-1_walk_active_001.bvh``: data set, action, style, repetition. Actions and styles may be
words joined by ``-``; who moves is not said. The label is the action, or with `labels="style"` the style; both are
columns. The files' first joint, ``joint_Root``, stays on the floor while people move; it is left out, so that the hips
are the root.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from motionprint.corpora.corpus import Corpus, Download, Options, Recording
from motionprint.errors import ReadError, SettingsError
from motionprint.readers import read_from
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import Skeleton

if TYPE_CHECKING:
    from motionprint.readers.settings import ReadSettings
    from motionprint.readers.source import Source

__all__ = ["CORPUS"]

FLOOR = "joint_Root"

_REPOSITORY = "https://github.com/BandaiNamcoResearchInc/Bandai-Namco-Research-Motiondataset"
_FILE = re.compile(
    r"dataset-(?P<dataset>\d+)_(?P<action>[a-z-]+)_(?P<style>[a-z-]+)_(?P<repetition>\d+)\.bvh",
    re.IGNORECASE,
)


def recordings(source: Source | None, options: Options) -> Iterator[Recording]:
    """The recordings, by data set, action, style and repetition."""
    assert source is not None
    which = options.labels or "action"
    if which not in ("action", "style"):
        raise SettingsError(f"labels {which!r}: expected action or style")
    for name in source.names():
        found = _FILE.fullmatch(PurePosixPath(name).name)
        if found is None:
            continue
        yield Recording(
            name=PurePosixPath(name).stem,
            source=name,
            read=partial(_read, source, name, options.reading()),
            label=found[which].lower(),
            extra={
                "dataset": int(found["dataset"]),
                "action": found["action"].lower(),
                "style": found["style"].lower(),
                "repetition": int(found["repetition"]),
            },
        )


def _read(source: Source, name: str, settings: ReadSettings) -> list[SkeletonSequence]:
    """The recording without the joint on the floor."""
    return [_from_the_hips(sequence, source.label(name)) for sequence in read_from(source, name, settings)]


def _from_the_hips(sequence: SkeletonSequence, file: str) -> SkeletonSequence:
    names, parents = sequence.skeleton.joint_names, sequence.skeleton.parents
    if names[0] != FLOOR or parents.count(0) != 1:
        raise ReadError(f"expected {FLOOR} to be the root, with one joint below it, found {names[0]}", file=file)
    skeleton = Skeleton.from_tree(names[1:], [parent - 1 for parent in parents[1:]])
    return replace(sequence, positions=sequence.positions[:, 1:], skeleton=skeleton)


CORPUS = Corpus(
    name="bandai_namco",
    title="Bandai-Namco-Research-Motiondataset 1 and 2: actions in many styles, BVH",
    obtain=f"{_REPOSITORY} (CC BY-NC 4.0: no commercial use; earlier versions were CC BY-NC-ND 4.0)",
    downloads=(
        Download(f"{_REPOSITORY}/archive/refs/heads/master.zip", "Bandai-Namco-Research-Motiondataset-master.zip"),
    ),
    layout="dataset-1_ACTION_STYLE_NNN.bvh",
    recordings=recordings,
    labels="action or style",
    alignment="heading",
    max_length=35,
)
