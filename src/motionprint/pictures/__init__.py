"""Pictures of motion and of results, for papers and reports: PNG, SVG or PDF, by the name's ending; films too.

Figures are built without pyplot, so that no window system is asked for and nothing global changes. Colours are those
of Okabe and Ito (2008), which people with colour vision deficiencies can tell apart; line styles say the same again.
"""

from motionprint.pictures.charts import accuracy_bars, confusion, label_curve, training_curves
from motionprint.pictures.figure import FORMATS
from motionprint.pictures.film import FILMS, motion_film
from motionprint.pictures.plot import KINDS, plot
from motionprint.pictures.strips import inpainting_strip, motion_strips
from motionprint.pictures.trajectories import trajectories

__all__ = [
    "FILMS",
    "FORMATS",
    "KINDS",
    "accuracy_bars",
    "confusion",
    "inpainting_strip",
    "label_curve",
    "motion_film",
    "motion_strips",
    "plot",
    "training_curves",
    "trajectories",
]
