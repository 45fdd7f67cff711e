"""Motions found by their prints: an index folder of prints, and the recordings that are most like a query."""

from motionprint.search.changes import Indexed
from motionprint.search.folder import Origin, Settings
from motionprint.search.index import Hit, MotionIndex, build_index, cut, open_index, write_hits
from motionprint.search.recordings import Recordings

__all__ = [
    "Hit",
    "Indexed",
    "MotionIndex",
    "Origin",
    "Recordings",
    "Settings",
    "build_index",
    "cut",
    "open_index",
    "write_hits",
]
