"""Methods by name, one file a paper."""

from motionprint.methods.attention_lstm import AttentionLstm
from motionprint.methods.autoencoder import Autoencoder
from motionprint.methods.co_lstm import CoLSTM
from motionprint.methods.composite import Composite
from motionprint.methods.dbrnn import DBRNN
from motionprint.methods.deep_lstm import DeepLSTM
from motionprint.methods.gated_transforms import GatedTransforms
from motionprint.methods.hbrnn import HBRNN
from motionprint.methods.hmm import Hmm
from motionprint.methods.inpainting import Inpainting
from motionprint.methods.method import Classifier, Method, cross_entropy
from motionprint.methods.mlp import Mlp
from motionprint.methods.motion_prediction import MotionPrediction
from motionprint.methods.next_frame import NextFrame
from motionprint.methods.slow_features import SlowFeatures
from motionprint.methods.smij import Smij
from motionprint.methods.softmax import Softmax
from motionprint.methods.st_lstm import StLstm
from motionprint.methods.temporal_pyramid import TemporalPyramid

__all__ = [
    "CLASSIFIERS",
    "DBRNN",
    "HBRNN",
    "METHODS",
    "AttentionLstm",
    "Autoencoder",
    "Classifier",
    "CoLSTM",
    "Composite",
    "DeepLSTM",
    "GatedTransforms",
    "Hmm",
    "Inpainting",
    "Method",
    "Mlp",
    "MotionPrediction",
    "NextFrame",
    "SlowFeatures",
    "Smij",
    "Softmax",
    "StLstm",
    "TemporalPyramid",
    "cross_entropy",
]

METHODS: dict[str, type[Method]] = {
    "inpainting": Inpainting,
    "autoencoder": Autoencoder,
    "composite": Composite,
    "next_frame": NextFrame,
    "motion_prediction": MotionPrediction,
    "gated_transforms": GatedTransforms,
    "slow_features": SlowFeatures,
}
"""Every method that learns without labels, by the name that the command line knows."""

CLASSIFIERS: dict[str, type[Classifier]] = {
    "softmax": Softmax,
    "hbrnn": HBRNN,
    "dbrnn": DBRNN,
    "deep_lstm": DeepLSTM,
    "co_lstm": CoLSTM,
    "st_lstm": StLstm,
    "attention_lstm": AttentionLstm,
    "mlp": Mlp,
    "smij": Smij,
    "temporal_pyramid": TemporalPyramid,
    "hmm": Hmm,
}
"""Every supervised method, by the name that the command line knows."""
