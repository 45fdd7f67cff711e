"""Data set folders: written one sequence after another, opened without reading the frames."""

from __future__ import annotations

from motionprint.store.dataset import MotionDataset, open_dataset
from motionprint.store.writer import DatasetWriter, write_dataset

__all__ = ["DatasetWriter", "MotionDataset", "open_dataset", "write_dataset"]
