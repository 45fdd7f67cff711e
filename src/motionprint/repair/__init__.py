"""Gaps in recordings, and what fills them: a network that was trained to, or an interpolation."""

from motionprint.repair.fillers import FILLERS
from motionprint.repair.mend import SHORT, WAYS, Repaired, repair, repair_file

__all__ = ["FILLERS", "SHORT", "WAYS", "Repaired", "repair", "repair_file"]
