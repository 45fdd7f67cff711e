"""From metres and seconds to what a network reads: frames in time, body in space, one scale."""

from motionprint.preprocessing.frames import Frames
from motionprint.preprocessing.recipe import Prepared, Recipe, RecipeCounts, recorded_ranges

__all__ = ["Frames", "Prepared", "Recipe", "RecipeCounts", "recorded_ranges"]
