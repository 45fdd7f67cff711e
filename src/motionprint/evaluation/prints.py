"""Prints: a fixed-length vector for each recording, or for each window of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from motionprint.batches import pack
from motionprint.errors import DatasetError, SettingsError
from motionprint.preprocessing import Recipe, RecipeCounts
from motionprint.preprocessing.time import windows
from motionprint.progress import Report
from motionprint.sequence import SkeletonSequence
from motionprint.store import MotionDataset, open_dataset
from motionprint.store.atomic import new_file
from motionprint.training import Run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEATURES", "complete_frames", "embed", "encode", "read_prints"]

FEATURES = ("states", "F", "both")
"""Kinds of features: the encoder's last states, the paper's print F, or both side by side."""

BATCH = 256


def encode(
    run: Run,
    sequences: Sequence[SkeletonSequence] | MotionDataset,
    features: str = "states",
    report: Report | None = None,
) -> npt.NDArray[np.float32]:
    """One print a recording, (N, R) float32; a recording so long that the recipe cuts it gets its windows' mean.

    Raises
    ------
    SkeletonMismatchError
        If a recording has other joints than the run was trained on.
    DatasetError
        If a recording has missing values (NaN), or there is none.
    SettingsError
        If the features are unknown.
    """
    _require_known(features)
    owners: list[int] = []
    prints: list[npt.NDArray[np.float32]] = []
    waiting: list[npt.NDArray[np.float32]] = []
    for number, sequence in enumerate(sequences):
        for piece in run.recipe.pieces(sequence):
            waiting.append(complete_frames(run.recipe, sequence, piece))
            owners.append(number)
        if len(waiting) >= BATCH:
            prints.append(_encode_frames(run, waiting, features))
            waiting = []
            if report is not None:
                report(number + 1, len(sequences), "encoding")
    if waiting:
        prints.append(_encode_frames(run, waiting, features))
    if not prints:
        raise DatasetError("expected at least one recording, found none")
    by_piece = np.concatenate(prints)  # (pieces, R)
    if len(by_piece) == len(sequences):
        return by_piece
    total = np.zeros((len(sequences), by_piece.shape[1]), np.float64)
    np.add.at(total, owners, by_piece)
    return (total / np.bincount(owners)[:, None]).astype(np.float32)


def complete_frames(
    recipe: Recipe, sequence: SkeletonSequence, piece: tuple[int, int], counts: RecipeCounts | None = None
) -> npt.NDArray[np.float32]:
    """What the network reads of a recording; missing values (NaN) are refused with their number."""
    missing = int(np.isnan(sequence.positions[piece[0] : piece[1]]).sum())
    if missing:
        name = sequence.name or sequence.source or "sequence"
        raise DatasetError(f"{name}: expected a complete recording, found {missing} missing values (NaN)")
    return recipe.apply(sequence, piece, counts)


def _require_known(features: str) -> None:
    if features not in FEATURES:
        raise SettingsError(f"unknown features {features!r}: expected one of {', '.join(FEATURES)}")


def _encode_frames(run: Run, frames: Sequence[npt.NDArray[np.float32]], features: str) -> npt.NDArray[np.float32]:
    batch, order = pack(frames, device=run.device)
    with torch.no_grad():
        found = run.method.encode(batch.frames, batch.packing)
    chosen = torch.cat([found["states"], found["F"]], dim=1) if features == "both" else found[features]
    prints = np.empty(chosen.shape, np.float32)
    prints[order] = chosen.cpu().numpy()
    return prints  # (N, R)


def embed(
    run: Run,
    sources: Sequence[str | Path],
    out: str | Path,
    *,
    features: str = "states",
    window: float | None = None,
    stride: float | None = None,
    skeleton: str | Path | None = None,
    unit: str | None = None,
    fps: float | None = None,
    overwrite: bool = False,
    report: Report | None = None,
) -> pd.DataFrame:
    """Prints of data set folders, motion files, folders and archives of motion files, as a Parquet table.

    Without ``window`` a recording gives one print; one that is so long that the recipe would not read it whole gives
    one print a window of the training length instead. With it (seconds), every recording gives a print for each window,
    one every ``stride`` seconds (by default, a window). ``skeleton``, ``unit`` and ``fps`` say of motion files what
    they do not say themselves, as for `motionprint.read`: the same as when the run's data set was prepared.

    Returns
    -------
    The table: name, source, person, start, end (seconds), label, subject, print (R values). ``attrs["recordings"]``
    is how many recordings were read, ``attrs["counts"]`` what the recipe did to them (`RecipeCounts`).

    Raises
    ------
    SkeletonMismatchError
        If a recording has other joints than the run, naming those that differ.
    DatasetError
        If a recording has missing values, no recording is found, or ``out`` exists.
    SettingsError
        If ``stride`` is given without ``window``, either is not above 0, or the features are unknown.
    """
    _require_known(features)
    if stride is not None and window is None:
        raise SettingsError("expected --window with --stride, found --stride alone")
    rows: list[dict[str, Any]] = []
    prints: list[npt.NDArray[np.float32]] = []
    waiting: list[npt.NDArray[np.float32]] = []
    counts, recordings = RecipeCounts(), 0
    with new_file(out, overwrite=overwrite) as unfinished:
        for source in sources:
            for number, (total, sequence) in enumerate(_sequences(source, skeleton, unit, fps)):
                if window is None:
                    pieces = run.recipe.pieces(sequence)
                else:
                    pieces = windows(len(sequence), sequence.fps, window, window if stride is None else stride)
                recordings += 1
                if window is None and len(pieces) > 1:
                    counts.windowed.append(sequence.name)
                for start, end in pieces:
                    waiting.append(complete_frames(run.recipe, sequence, (start, end), counts))
                    rows.append(
                        {
                            "name": sequence.name,
                            "source": _place(source, sequence, len(sources)),
                            "person": sequence.person,
                            "start": start / sequence.fps,
                            "end": end / sequence.fps,
                            "label": sequence.label,
                            "subject": sequence.subject,
                        }
                    )
                    if len(waiting) == BATCH:
                        prints.append(_encode_frames(run, waiting, features))
                        waiting = []
                if report is not None:
                    report(number + 1, total, f"{source}: {sequence.name}")
        if waiting:
            prints.append(_encode_frames(run, waiting, features))
        if not prints:
            raise DatasetError(
                f"{', '.join(map(str, sources)) or 'no source given'}: expected at least one recording, found none"
            )
        table = _table(rows, np.concatenate(prints), {"model": run.model_hash, "features": features})
        import pyarrow.parquet as pq

        pq.write_table(table, unfinished)
    frame: pd.DataFrame = table.to_pandas()
    frame.attrs = {"recordings": recordings, "counts": counts}
    return frame


def _place(source: str | Path, sequence: SkeletonSequence, sources: int) -> str:
    """Where a recording comes from: its file, below the source that was given where there are several."""
    if sequence.source is None or (sources > 1 and Path(source).name == sequence.source):
        return str(source)
    return sequence.source if sources == 1 else f"{source}/{sequence.source}"


def _sequences(source: str | Path, skeleton: str | Path | None, unit: str | None, fps: float | None) -> Any:
    """(number of recordings or None, sequence) for a data set folder, or whatever `read` reads."""
    path = Path(source)
    if (path / "index.parquet").is_file():
        if not (skeleton is None and unit is None and fps is None):
            raise SettingsError(f"{source}: a data set folder has its skeleton, unit and fps; give none for it")
        dataset = open_dataset(path)
        for sequence in dataset:
            yield len(dataset), sequence
        return
    from motionprint.readers import read_all

    for sequence in read_all(path, skeleton=skeleton, unit=unit, fps=fps):
        yield None, sequence


def _table(rows: Sequence[dict[str, Any]], prints: npt.NDArray[np.float32], metadata: dict[str, str]) -> Any:
    import pyarrow as pa

    size = prints.shape[1]
    schema = pa.schema(
        [
            ("name", pa.string()),
            ("source", pa.string()),
            ("person", pa.int64()),
            ("start", pa.float64()),
            ("end", pa.float64()),
            ("label", pa.string()),
            ("subject", pa.string()),
            ("print", pa.list_(pa.float32(), size)),
        ],
        metadata=metadata,
    )
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in list(schema)[:-1]]
    columns.append(pa.FixedSizeListArray.from_arrays(pa.array(prints.ravel()), size))
    return pa.Table.from_arrays(columns, schema=schema)


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
