"""A classifier for prints of which only a few are labelled, and how sure it may be.

Three steps, each scikit-learn's:

    spread      the labels spread along the graph of nearest neighbours among all prints, labelled or not
                (label spreading, Zhou et al. 2004, "Learning with Local and Global Consistency")
    learn       multinomial logistic regression on the given labels, and on the spread ones with less weight
    calibrate   its scores divided by a temperature (Guo et al. 2017, "On Calibration of Modern Neural Networks"),
                fitted to labels that were held out in turn

Prints are standardised by the mean and deviation of all of them. How it was chosen: docs/decisions/0013-labelling.md.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from motionprint.evaluation.probes import Scaler, require_finite, unit_vectors
from motionprint.progress import Report

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

__all__ = [
    "CrossValidated",
    "Learned",
    "Prints",
    "cross_validate",
    "held_out_scores",
    "learn",
    "probabilities",
    "temperature",
]

NEIGHBOURS = 5
"""Of a print in the graph, itself among them."""
ALPHA = 0.8
"""How much of a print's label comes from its neighbours."""
SPREAD_WEIGHT = 0.05
"""What a spread label weighs, where a given one weighs 1, times the square of its share of all labels that reach it."""
REGULARISATION = 1.0
"""C of the logistic regression."""
TOLERANCE = 1e-4
"""Of the gradient, where L-BFGS ends."""
MAX_ITERATIONS = 10_000
FOLDS = 5
"""Of cross-validation."""
ENOUGH = 10
"""Labels that must have been held out in turn before an accuracy is said."""
USUAL_TEMPERATURE = 3.0
"""The temperature without a label to fit it to."""
USUAL_WEIGHT = 1.0
"""What speaks for the usual temperature beside the labels: the weight of the squared distance from it in octaves."""

Known = npt.NDArray[np.intp]
"""(N,) the class number of each print, -1 where it has no label."""
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prints:
    """All prints of a data set, labelled or not, as the classifier reads them."""

    scaler: Scaler
    """Fitted to all of them."""
    scaled: npt.NDArray[np.float64]
    """(N, R) standardised."""
    unit: npt.NDArray[np.float64]
    """(N, R) the same, of length 1."""
    graph: Any
    """(N, N) sparse: 1 where a print is among the nearest neighbours of another one."""

    @classmethod
    def of(cls, prints: npt.NDArray[np.floating[Any]]) -> Prints:
        """Prints (N, R); DatasetError where one is not finite."""
        from sklearn.neighbors import NearestNeighbors

        require_finite(prints, "the data set's")
        scaler = Scaler.fit(prints)
        scaled = scaler.apply(prints)
        unit = unit_vectors(scaled)
        nearest = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(unit))).fit(unit)
        return cls(scaler, scaled, unit, nearest.kneighbors_graph(unit, mode="connectivity"))

    def __len__(self) -> int:
        return len(self.unit)


@dataclass(frozen=True)
class CrossValidated:
    """How many labels were found when each was held out in turn."""

    tested: int
    """Given labels: held out in turn, but for a class's only one."""
    correct: int
    """How many were found. A class's only label counts as not found, as if it had not been given: that is what there is
    to know of classes without any label yet."""
    accuracy: float
    low: float
    high: float
    """Wilson's interval of 95 % around the accuracy."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What was learned from the labels of some prints."""

    model: LogisticRegression

    def scores(self, scaled: npt.NDArray[np.float64]) -> Scores:
        """(n, K) the score of each class for standardised prints (n, R)."""
        scores = np.asarray(self.model.decision_function(scaled), dtype=np.float64)
        return scores if scores.ndim == 2 else np.column_stack([np.zeros(len(scores)), scores])


def learn(prints: Prints, known: Known) -> Learned:
    """Learn the classes 0 to K - 1, K of 2 at least, each of which some print is known to be of."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.semi_supervised import LabelSpreading

    spreading = LabelSpreading(kernel=lambda *_: prints.graph, alpha=ALPHA, max_iter=1000)
    spread = spreading.fit(prints.unit, known).label_distributions_  # (N, K), zero where no label reaches
    taught = np.where(known >= 0, known, spread.argmax(axis=1))
    weights = np.where(known >= 0, 1.0, SPREAD_WEIGHT * spread.max(axis=1) ** 2)
    reached = weights > 0
    model = LogisticRegression(C=REGULARISATION, tol=TOLERANCE, max_iter=MAX_ITERATIONS)
    return Learned(model.fit(prints.scaled[reached], taught[reached], sample_weight=weights[reached]))


def held_out_scores(prints: Prints, known: Known, seed: int, report: Report | None = None) -> tuple[Scores, Known]:
    """(n, K) the scores of labelled prints by classifiers that were not told their labels, and which prints these are.

    A class's only label is never held out: without it the class would not be known.
    """
    from sklearn.model_selection import StratifiedKFold

    labelled = np.flatnonzero(known >= 0)
    counts = np.bincount(known[labelled])
    testable = labelled[counts[known[labelled]] > 1]
    if not len(testable):
        return np.zeros((0, len(counts))), testable
    folds = StratifiedKFold(min(FOLDS, int(counts.max())), shuffle=True, random_state=seed)
    found = np.zeros((len(known), len(counts)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        parts = [held for _, held in folds.split(np.zeros(len(testable)), known[testable])]
    for done, held in enumerate((testable[part] for part in parts), start=1):
        told = known.copy()
        told[held] = -1
        found[held] = learn(prints, told).scores(prints.scaled[held])
        if report is not None:
            report(done, len(parts), "learning")
    return found[testable], testable


def cross_validate(scores: Scores, truth: Known, single: int = 0) -> CrossValidated | None:
    """How many of held out labels (n,) have the largest score; None where there are too few to say.

    ``single`` labels more are the only ones of their classes, and could not be held out.
    """
    from scipy.stats import binomtest

    if len(truth) < ENOUGH:
        return None
    correct = int((scores.argmax(axis=1) == truth).sum())
    tested = len(truth) + single
    interval = binomtest(correct, tested).proportion_ci(0.95, method="wilson")
    return CrossValidated(tested, correct, correct / tested, float(interval.low), float(interval.high))


def temperature(scores: Scores, truth: Known) -> float:
    """By what scores (n, K) are divided so that held out labels (n,) are as probable as can be.

    Minimised is the sum of the labels' negative log probabilities, and of the squared distance to the usual temperature
    in octaves, which decides where there are few labels or none.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    usual = float(np.log2(USUAL_TEMPERATURE))

    def cost(octaves: float) -> float:
        chances = log_softmax(scores / 2.0**octaves, axis=1)
        return float(USUAL_WEIGHT * (octaves - usual) ** 2 - chances[np.arange(len(truth)), truth].sum())

    return float(2.0 ** minimize_scalar(cost, bounds=(-6, 6), method="bounded").x)


def probabilities(scores: Scores, divisor: float) -> Scores:
    """(N, K) scores as probabilities that sum to 1."""
    from scipy.special import softmax

    return np.asarray(softmax(scores / divisor, axis=1), dtype=np.float64)
