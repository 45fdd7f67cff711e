"""A map of recordings in the browser, where each point plays its motion: one file, or served to label by hand."""

from motionprint.viewer.pack import MAPS, View, pack
from motionprint.viewer.page import build
from motionprint.viewer.server import ViewServer
from motionprint.viewer.tables import Labels

__all__ = ["MAPS", "Labels", "View", "ViewServer", "build", "pack"]
