"""Methods by name, one file a paper."""

from motionprint.methods.attention_lstm import AttentionLstm
from motionprint.methods.inpainting import Inpainting
from motionprint.methods.method import Classifier, Method, cross_entropy
from motionprint.methods.mlp import Mlp
from motionprint.methods.softmax import Softmax
from motionprint.methods.st_lstm import StLstm

__all__ = [
    "CLASSIFIERS",
    "METHODS",
    "AttentionLstm",
    "Classifier",
    "Inpainting",
    "Method",
    "Mlp",
    "Softmax",
    "StLstm",
    "cross_entropy",
]

METHODS: dict[str, type[Method]] = {
    "inpainting": Inpainting,
}
"""Every method that learns without labels, by the name that the command line knows."""

CLASSIFIERS: dict[str, type[Classifier]] = {
    "attention_lstm": AttentionLstm,
    "mlp": Mlp,
    "softmax": Softmax,
    "st_lstm": StLstm,
}
"""Every supervised method, by the name that the command line knows."""
