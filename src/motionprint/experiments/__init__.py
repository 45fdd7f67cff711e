"""The paper's tables and figures as grids of cells, each of which makes rows; `motionprint report` draws them."""

from motionprint.experiments.cells import Cell, cell_key
from motionprint.experiments.grids import EXPERIMENTS, plan
from motionprint.experiments.run import Outcome, experiment

__all__ = ["EXPERIMENTS", "Cell", "Outcome", "cell_key", "experiment", "plan"]
