"""Prints: a fixed-length vector for each recording."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from motionprint.batches import pack
from motionprint.errors import DatasetError, SettingsError
from motionprint.progress import Report
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset
from motionprint.training import Run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEATURES", "encode", "encode_frames", "read_prints", "require_known"]

FEATURES = ("states", "F", "both")
"""Kinds of features: the encoder's last states, the paper's print F, or both side by side."""

BATCH = 128
"""Sequences of a batch at most."""
ROWS = 1 << 14
"""Frames of a batch at most, but for a single sequence that is longer."""
POOL = 8 * BATCH
"""Sequences of a pool at most: what is read ahead and sorted by length, so that batches hold similar lengths."""
POOL_ROWS = 8 * ROWS
"""Frames from which on a pool is full."""

Frames = npt.NDArray[np.float32]


def encode(
    run: Run,
    sequences: Sequence[SkeletonSequence] | MotionDataset,
    features: str = "states",
    report: Report | None = None,
) -> npt.NDArray[np.float32]:
    """One print a recording, (N, R) float32; a recording so long that the recipe cuts it gets its windows' mean.

    Missing values (NaN) reach the encoder as zero, the value of what is hidden.

    Raises
    ------
    SkeletonMismatchError
        If a recording has other joints than the run was trained on.
    DatasetError
        If there is no recording, or one has no recorded joint, or no root, in any frame.
    SettingsError
        If the features are unknown.
    """
    require_known(features)
    owners: list[int] = []

    def pieces() -> Iterator[Frames]:
        for number, sequence in enumerate(sequences):
            for piece in run.recipe.pieces(sequence):
                owners.append(number)
                yield run.recipe.apply(sequence, piece)

    prints: list[npt.NDArray[np.float32]] = []
    for found in encode_frames(run, pieces(), features):
        prints.append(found)
        if report is not None:
            report(owners[-1] + 1, len(sequences), "encoding")
    if not prints:
        raise DatasetError("expected at least one recording, found none")
    by_piece = np.concatenate(prints)  # (pieces, R)
    if len(by_piece) == len(sequences):
        return by_piece
    total = np.zeros((len(sequences), by_piece.shape[1]), np.float64)
    np.add.at(total, owners, by_piece)
    return (total / np.bincount(owners)[:, None]).astype(np.float32)


def encode_frames(run: Run, sequences: Iterable[Frames], features: str) -> Iterator[npt.NDArray[np.float32]]:
    """The prints (n, R) of preprocessed sequences (T, D), pool by pool, in the order in which they come."""
    pool: list[Frames] = []
    rows = 0
    for frames in sequences:
        pool.append(frames)
        rows += len(frames)
        if len(pool) >= POOL or rows >= POOL_ROWS:
            yield _encode_pool(run, pool, features)
            pool, rows = [], 0
    if pool:
        yield _encode_pool(run, pool, features)


def _encode_pool(run: Run, pool: Sequence[Frames], features: str) -> npt.NDArray[np.float32]:
    lengths = np.array([len(frames) for frames in pool])
    longest_first = np.argsort(-lengths, kind="stable")
    parts, start = [], 0
    while start < len(pool):
        fitting = max(1, ROWS // int(lengths[longest_first[start]]))  # the longest bounds the others
        chosen = longest_first[start : start + min(BATCH, fitting)]
        parts.append(_encode_batch(run, [pool[number] for number in chosen], features))
        start += len(chosen)
    prints = np.empty((len(pool), parts[0].shape[1]), np.float32)
    prints[longest_first] = np.concatenate(parts)
    return prints  # (n, R)


def _encode_batch(run: Run, frames: Sequence[Frames], features: str) -> npt.NDArray[np.float32]:
    batch, order = pack(frames, device=run.device)
    with torch.inference_mode(), _few_threads(run, len(frames)):
        found = run.method.encode(batch.seen, batch.packing)
        chosen = torch.cat([found["states"], found["F"]], dim=1) if features == "both" else found[features]
        prints = np.empty(chosen.shape, np.float32)
        prints[order] = chosen.cpu().numpy()
    return prints  # (N, R)


@contextlib.contextmanager
def _few_threads(run: Run, sequences: int) -> Iterator[None]:
    """Compute a single sequence with one thread: threads that wait for each other at each frame take twice as long."""
    threads = torch.get_num_threads()
    if sequences > 1 or threads == 1 or run.device.type != "cpu":
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def require_known(features: str) -> None:
    """Refuse a kind of features that is none."""
    if features not in FEATURES:
        raise SettingsError(f"unknown features {features!r}: expected one of {', '.join(FEATURES)}")


def read_prints(path: str | Path) -> tuple[pd.DataFrame, npt.NDArray[np.float32], dict[str, str]]:
    """A prints file: its table without the prints, the prints (N, R), and its metadata (``model``, ``features``)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        prints = np.stack(table.column("print").to_numpy()).astype(np.float32)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise DatasetError(f"{path}: expected a Parquet file of prints: {' '.join(str(error).split())}") from error
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    return table.drop_columns(["print"]).to_pandas(), prints, metadata
