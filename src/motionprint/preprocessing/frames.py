"""What a network reads in training, preprocessed once and kept on disk."""

from __future__ import annotations

import shutil
import tempfile
from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from motionprint.errors import DatasetError
from motionprint.store.mapped import MappedRows

__all__ = ["Frames"]


class Frames:
    """The sequences (T, D) of all recordings, one after another in a temporary file without a name.

    The file has no name from the start (on Windows: until it is closed), so that nothing is left of it however the
    process ends; its space is free again once nobody refers to this object. See docs/decisions/0008-frames-on-disk.md.
    """

    rows: MappedRows
    """(sum of T, D) in [-1, 1], NaN where a value is missing."""
    lengths: npt.NDArray[np.int64]
    """(P,) frames of each sequence."""
    starts: npt.NDArray[np.int64]
    """(P,) the row of each sequence's first frame."""
    recording: npt.NDArray[np.int64]
    """(P,) the number of the recording that each sequence is (a piece of)."""

    def __init__(
        self,
        recordings: Iterable[Iterable[npt.NDArray[np.float32]]],
        inputs: int,
        *,
        place: Path | None = None,
        expected_rows: int = 0,
    ) -> None:
        """Write the sequences of each recording: the recording itself, or its pieces.

        Parameters
        ----------
        recordings
            Taken one after another, never held together.
        inputs
            D: numbers a frame.
        place
            The folder whose disk is written to; none takes the system's folder for temporary files.
        expected_rows
            How many frames are to come, so that a disk without room for them is named before any is prepared.

        Raises
        ------
        DatasetError
            If the disk has no room, or cannot be written to.
        """
        lengths, recording = array("q"), array("q")
        try:
            place = Path(tempfile.gettempdir()) if place is None else place
            _require_room(place, 4 * inputs * expected_rows)
            with tempfile.TemporaryFile(dir=place) as file:
                for number, sequences in enumerate(recordings):
                    for sequence in sequences:
                        file.write(np.ascontiguousarray(sequence, np.float32).data)
                        lengths.append(len(sequence))
                        recording.append(number)
                file.flush()
                shape = (sum(lengths), inputs)
                # the map holds the file after its handle is closed; nothing cannot be mapped
                table = np.memmap(file, np.float32, "r", shape=shape) if lengths else np.zeros(shape, np.float32)
        except OSError as error:
            raise DatasetError(f"expected room for preprocessed frames in {place}, found: {error.strerror}") from error
        self.rows = MappedRows(table, scattered=True)
        self.lengths = np.array(lengths, np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.recording = np.array(recording, np.int64)

    def __len__(self) -> int:
        """P: the number of sequences."""
        return len(self.lengths)

    def sequence(self, number: int) -> npt.NDArray[np.float32]:
        """(T, D) a copy of one sequence, NaN where a value is missing."""
        start = int(self.starts[number])
        return self.rows.read(start, start + int(self.lengths[number]))

    def read(self, number: int) -> npt.NDArray[np.float32]:
        """(T, D) a copy of one sequence as encoders read it: zero where a value is missing."""
        return np.nan_to_num(self.sequence(number))


def _require_room(place: Path, needed: int) -> None:
    free = shutil.disk_usage(place).free
    if needed > free:
        raise DatasetError(
            f"expected {_size(needed)} of free disk for preprocessed frames in {place}, found {_size(free)}"
        )


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
