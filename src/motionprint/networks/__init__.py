"""Recurrent layers over packed frames, and the networks made of them."""

from motionprint.networks.decoder import Decoder
from motionprint.networks.discriminator import Discriminator
from motionprint.networks.encoder import Encoder
from motionprint.networks.recurrent import Cell, RecurrentLayers
from motionprint.networks.scan import bf16_instructions

__all__ = ["Cell", "Decoder", "Discriminator", "Encoder", "RecurrentLayers", "bf16_instructions"]
