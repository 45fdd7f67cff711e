"""Recurrent layers over packed frames, and the networks made of them."""

from motionprint.networks.decoder import Decoder
from motionprint.networks.deep_lstm import DeepLstm
from motionprint.networks.discriminator import Discriminator
from motionprint.networks.encoder import Encoder
from motionprint.networks.gaps import across_gaps
from motionprint.networks.in_depth import InDepthLstm
from motionprint.networks.over_time import averaged, summed
from motionprint.networks.recurrent import Cell, RecurrentLayers
from motionprint.networks.scan import bf16_instructions
from motionprint.networks.tanh import TanhLayers
from motionprint.networks.weight_noise import noisy

__all__ = [
    "Cell",
    "Decoder",
    "DeepLstm",
    "Discriminator",
    "Encoder",
    "InDepthLstm",
    "RecurrentLayers",
    "TanhLayers",
    "across_gaps",
    "averaged",
    "bf16_instructions",
    "noisy",
    "summed",
]
