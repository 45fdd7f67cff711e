"""LongT GAN: Zheng et al., "Unsupervised Representation Learning with Long-Term Dynamics for Skeleton Based Action
Recognition", AAAI 2018.

An encoder reads a whole sequence x and gives its print F. A decoder reads F, then the sequence with body parts
hidden, x~, and inpaints them; a discriminator tells real sequences from inpainted ones. Algorithm 1 and equations
1 and 2 of the paper:

    F = Enc(x)     x^ = Dec(x~, F)     x^_z = Dec(x~, z),  z ~ N(0, I)

    L_ele = || x - x^ ||^2
    L_adv = log Dis(x) + log(1 - Dis(x^)) + lambda_z log(1 - Dis(x^_z))

    Enc minimises L_ele
    Dec minimises L_ele + lambda_adv L_adv
    Dis maximises L_adv

Not to be confused with context encoders (Pathak et al. 2016), where the encoder sees the corrupted input: here it
sees all of x (unless ``encoder_hide_joints`` or ``encoder_hide_frames`` is set), and the print is what the decoder
cannot know from x~ alone. ``redraw_parts``, ``hide_first_frame``, ``encoder_adversarial`` and ``decoder_sees_future``
do what the paper argues against, so that its claims can be measured. Missing values are zero in all inputs and weigh
nothing. With ``gaps`` it learns to repair: what is hidden are gaps, from Enc too, and x^ is x where that is shown and,
where it is not, a bridge across each gap, which Dec bends. Differences from the paper and from the authors' published
code are numbered in docs/methods/inpainting.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from motionprint.batches import Batch, Hiding, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Method
from motionprint.networks import Cell, Decoder, Discriminator, Encoder, across_gaps
from motionprint.skeleton import Skeleton

__all__ = ["Inpainting", "InpaintingSettings"]

_TINY = 1e-3
"""A distance below which gaps are as good as filled: there it counts by its square."""

_FREE = 5
"""Frames from what is shown at which a decoder that repairs is given half of its say."""


@dataclass(frozen=True)
class InpaintingSettings:
    """Sizes and weights of LongT GAN."""

    encoder_units: int = 128
    """Units of one direction of one layer of the encoder."""
    decoder_units: int = 128
    """Units of one layer of the decoder."""
    discriminator_units: int = 32
    """Units of one direction of one layer of the discriminator."""
    layers: int = 2
    """Recurrent layers of each network."""
    cell: Cell = "gru"
    """gru or lstm."""
    dropout: float = 0.2
    """Share of values dropped between layers, never on the recurrent path."""
    print_tanh: bool = True
    """Whether a tanh follows the fully connected layer that gives F."""
    output: Literal["linear", "recurrent"] = "linear"
    """The decoder's output layer: linear, or a third recurrent layer of D units."""
    condition: Literal["F", "none"] = "F"
    """What the decoder is conditioned on: the print F, or zeros (a model "w/o F")."""
    adversary: Literal["log", "nonsaturating", "wasserstein", "none"] = "log"
    """The adversarial loss: the paper's log loss, its non-saturating form, a Wasserstein critic, or none."""
    lambda_adv: float = 0.1
    """Weight of the adversarial loss in the decoder's objective."""
    lambda_z: float = 0.1
    """Weight of frames inpainted from noise in the adversarial loss."""
    weight_bound: float = 0.01
    """A Wasserstein critic's weights are kept within plus or minus this (Arjovsky et al. 2017)."""
    hidden_parts: int | None = None
    """Body parts hidden in each sequence; none draws 1 to 4 with equal chance for each."""
    encoder_hide_joints: float = 0.0
    """Joints hidden from the encoder in each sequence: none up to this share of them, drawn with equal chance."""
    encoder_hide_frames: float = 0.0
    """Frames hidden from the encoder in each sequence: none up to this share of them, drawn with equal chance."""
    redraw_parts: bool = False
    """Whether hidden parts, and their number, are drawn anew in each frame; otherwise they are the same in all."""
    hide_first_frame: bool = False
    """Whether the hidden parts are hidden in the first frame too; otherwise it stays whole."""
    encoder_adversarial: bool = False
    """Whether the encoder minimises the adversarial loss too, as the decoder does."""
    decoder_sees_future: bool = False
    """Whether the decoder reads in both directions, with half of its units in each."""
    gaps: bool = False
    """Whether gaps are hidden, of joints and of frames, from encoder and decoder alike: what `repair` needs."""

    def __post_init__(self) -> None:
        for name in ("encoder_units", "decoder_units", "discriminator_units", "layers"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        for name, allowed in (
            ("cell", ("gru", "lstm")),
            ("output", ("linear", "recurrent")),
            ("condition", ("F", "none")),
            ("adversary", ("log", "nonsaturating", "wasserstein", "none")),
        ):
            if getattr(self, name) not in allowed:
                raise SettingsError(f"expected {name} to be one of {', '.join(allowed)}, found {getattr(self, name)!r}")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"expected dropout in [0, 1), found {self.dropout}")
        if self.hidden_parts is not None and not 1 <= self.hidden_parts <= 5:
            raise SettingsError(f"expected hidden_parts in 1..5, found {self.hidden_parts}")
        for name in ("encoder_hide_joints", "encoder_hide_frames"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingsError(f"expected {name} in [0, 1), found {getattr(self, name)}")
        if self.gaps:
            others = ("hidden_parts", "encoder_hide_joints", "encoder_hide_frames", "redraw_parts", "hide_first_frame")
            for name in others:
                if getattr(self, name):
                    raise SettingsError(f"expected no {name} with gaps, found {getattr(self, name)}")
        if self.decoder_sees_future and self.decoder_units % 2:
            raise SettingsError(f"expected an even decoder_units with decoder_sees_future, found {self.decoder_units}")

    @property
    def loss(self) -> str:
        """``joint`` (element-wise and adversarial) or ``elementwise``."""
        return "elementwise" if self.adversary == "none" else "joint"


class Inpainting(Method):
    """LongT GAN (Zheng et al. 2018): prints that help a decoder to inpaint hidden body parts."""

    Settings = InpaintingSettings
    presets: ClassVar[Mapping[str, InpaintingSettings]] = {
        "small": InpaintingSettings(),
        "paper": InpaintingSettings(encoder_units=400, decoder_units=800, discriminator_units=100),
        "paper-wide": InpaintingSettings(encoder_units=800, decoder_units=800, discriminator_units=100),
        "repair": InpaintingSettings(
            encoder_units=64, decoder_units=256, dropout=0.0, adversary="none", decoder_sees_future=True, gaps=True
        ),
    }

    def __init__(self, skeleton: Skeleton, inputs: int, settings: InpaintingSettings) -> None:
        super().__init__(skeleton, inputs, settings)
        skeleton.require_body_parts()
        self.settings = settings
        shape = {"layers": settings.layers, "cell": settings.cell, "dropout": settings.dropout}
        # R = D: the print is read as the data of the first time step
        self.encoder = Encoder(inputs, settings.encoder_units, inputs, tanh=settings.print_tanh, **shape)  # type: ignore[arg-type]
        decoder = {**shape, "output": settings.output, "sees_future": settings.decoder_sees_future}
        read = inputs + inputs // 3 if settings.gaps else inputs  # of gaps, it is told for each joint where they are
        self.decoder = Decoder(read, settings.decoder_units, outputs=inputs, **decoder)  # type: ignore[arg-type]
        self.discriminator: Discriminator | None = None
        if settings.adversary != "none":
            self.discriminator = Discriminator(inputs, settings.discriminator_units, **shape)  # type: ignore[arg-type]
        self._parts = np.zeros((5, inputs), bool)  # (P, D)
        for part, joints in enumerate(skeleton.body_parts):
            for joint in joints:
                self._parts[part, 3 * joint : 3 * joint + 3] = True
        self._between: Tensor
        self.register_buffer("_between", _ways(skeleton, inputs // 3), persistent=False)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        networks: dict[str, nn.Module] = {"encoder": self.encoder, "decoder": self.decoder}
        if self.discriminator is not None:
            networks["discriminator"] = self.discriminator
        return networks

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """Algorithm 1 for one batch: what each network minimises."""
        prints, _ = self.encoder(batch.seen, batch.packing)  # (N, R)
        inpainted = self.inpaint(batch, prints)  # x^, (rows, D)
        elementwise = self._elementwise(batch, inpainted)  # L_ele
        if self.discriminator is None:
            return {"encoder": elementwise, "decoder": elementwise}
        from_noise = self.inpaint(batch, batch.normal(prints.shape[1]))  # x^_z, (rows, D)
        # the three sequences of a triple lie side by side, so that one pass serves all
        known = [batch.only_known(frames) for frames in (batch.frames, inpainted, from_noise)]
        triples = torch.stack(known, dim=1).flatten(0, 1)  # (3 rows, D)
        real, fake, fake_z = self.discriminator(triples, batch.packing.repeated(3)).view(-1, 3).unbind(1)  # (N,) each
        decoder, discriminator = self._adversarial(batch.mean, real, fake, fake_z)
        joint = elementwise + self.settings.lambda_adv * decoder
        return {
            "encoder": joint if self.settings.encoder_adversarial else elementwise,
            "decoder": joint,
            "discriminator": discriminator,
        }

    def _elementwise(self, batch: Batch, inpainted: Tensor) -> Tensor:
        """L_ele: squares; of gaps the distances of joints, or gaps that nobody can tell would drown the short ones."""
        if not self.settings.gaps:
            return (batch.weights * (batch.frames - inpainted).square()).sum()
        square = (batch.only_known(batch.frames) - batch.only_known(inpainted)).square()
        distances = (square.view(len(square), -1, 3).sum(dim=2) + _TINY**2).sqrt() - _TINY  # (rows, D / 3)
        return (batch.frame_weights[:, None] * distances).sum()

    def _adversarial(
        self, mean: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, fake_z: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What the decoder and what the discriminator minimise, of the logits of x, x^ and x^_z."""
        weight = self.settings.lambda_z
        if self.settings.adversary == "wasserstein":
            critic = mean(real) - mean(fake) - weight * mean(fake_z)
            return critic, -critic
        # log Dis = -softplus(-logit), log(1 - Dis) = -softplus(logit)
        log_loss = -mean(functional.softplus(-real) + functional.softplus(fake) + weight * functional.softplus(fake_z))
        if self.settings.adversary == "nonsaturating":
            return mean(functional.softplus(-fake) + weight * functional.softplus(-fake_z)), -log_loss
        return log_loss, -log_loss

    def inpaint(self, batch: Batch, prints: Tensor) -> Tensor:
        """Dec(x~, prints): all frames (rows, D) from those with hidden values zero; without F, zeros replace it."""
        condition = prints if self.settings.condition == "F" else torch.zeros_like(prints)
        if self.settings.gaps:
            return self._bridge(batch, condition)
        masked = batch.only_known(batch.frames).masked_fill(batch.hidden, 0)  # x~
        inpainted: Tensor = self.decoder(condition, masked, batch.packing)
        return inpainted

    def _bridge(self, batch: Batch, condition: Tensor) -> Tensor:
        """All frames (rows, D) as they are where they are shown, and across gaps a bridge that the decoder bends.

        It lies beside the nearest joint that is shown throughout. What is missing in the recording and what is hidden
        are alike. Near what is shown the bridge is right, and off by the square of the distance further on: so grows
        what the decoder may move, and no gap ends in a jump.
        """
        missing = batch.hidden if batch.known is None else batch.hidden | ~batch.known
        missing = missing.view(len(missing), -1, 3).any(dim=2)  # (rows, D / 3)
        bridge, distance = across_gaps(batch.frames, missing, batch.packing, self._between)
        share = (1 - 1 / (1 + (distance / _FREE).square())).repeat_interleave(3, dim=1)  # (rows, D)
        first = torch.cat([condition, condition.new_zeros(len(condition), missing.shape[1])], dim=1)
        read = torch.cat([bridge, missing.to(bridge.dtype)], dim=1)
        bent: Tensor = self.decoder(first, read, batch.packing)
        return bridge + share * bent

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        prints, states = self.encoder(frames, packing)
        return {"F": prints, "states": states}

    @property
    def hidden_inputs(self) -> npt.NDArray[np.bool_]:
        return self._parts

    @property
    def hidden_parts(self) -> int | None:
        hidden: int | None = self.settings.hidden_parts
        return hidden

    @property
    def hiding(self) -> Hiding:
        settings = self.settings
        return Hiding(each_frame=settings.redraw_parts, first_frame=settings.hide_first_frame, gaps=settings.gaps)

    @property
    def encoder_hides(self) -> tuple[float, float]:
        return self.settings.encoder_hide_joints, self.settings.encoder_hide_frames

    @property
    def bounds(self) -> Mapping[str, float]:
        return {"discriminator": self.settings.weight_bound} if self.settings.adversary == "wasserstein" else {}


def _ways(skeleton: Skeleton, columns: int) -> Tensor:
    """(D / 3, D / 3) the bones between joints, of equals fewer for the first; infinite for what has no neighbours.

    That is the root, around which all others are given, and its path.
    """
    joints = len(skeleton)
    ways = np.full((columns, columns), np.inf, np.float32)
    for joint in range(joints):
        if joint != skeleton.root:
            bones = [skeleton.bones_between(joint, other) for other in range(joints)]
            ways[joint, :joints] = np.array(bones) + np.arange(joints) / joints
    return torch.from_numpy(ways)
