"""What is in an archive that nobody has labelled: groups of recordings, copies, and where a long recording changes."""

from motionprint.exploring.changes import change_points
from motionprint.exploring.counting import choose_count
from motionprint.exploring.groups import Group, Groups, find_groups, write_groups
from motionprint.exploring.segments import (
    Segment,
    Segmentation,
    SegmentSettings,
    find_segments,
    write_segments,
)

__all__ = [
    "Group",
    "Groups",
    "Segment",
    "SegmentSettings",
    "Segmentation",
    "change_points",
    "choose_count",
    "find_groups",
    "find_segments",
    "write_groups",
    "write_segments",
]
