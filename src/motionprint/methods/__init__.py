"""Methods by name, one file a paper."""

from motionprint.methods.hmm import Hmm
from motionprint.methods.inpainting import Inpainting
from motionprint.methods.method import Classifier, Method, cross_entropy
from motionprint.methods.slow_features import SlowFeatures
from motionprint.methods.smij import Smij
from motionprint.methods.softmax import Softmax
from motionprint.methods.temporal_pyramid import TemporalPyramid

__all__ = [
    "CLASSIFIERS",
    "METHODS",
    "Classifier",
    "Hmm",
    "Inpainting",
    "Method",
    "SlowFeatures",
    "Smij",
    "Softmax",
    "TemporalPyramid",
    "cross_entropy",
]

METHODS: dict[str, type[Method]] = {
    "inpainting": Inpainting,
    "slow_features": SlowFeatures,
}
"""Every method that learns without labels, by the name that the command line knows."""

CLASSIFIERS: dict[str, type[Classifier]] = {
    "hmm": Hmm,
    "smij": Smij,
    "softmax": Softmax,
    "temporal_pyramid": TemporalPyramid,
}
"""Every supervised method, by the name that the command line knows."""
