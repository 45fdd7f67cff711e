"""ST-LSTM with trust gates: Liu, Shahroudy, Xu and Wang, "Spatio-Temporal LSTM with Trust Gates for 3D Human Action
Recognition", ECCV 2016, sections 3.1 to 3.4.

An LSTM whose steps form a grid of joints j (space) and frames t (time). A step reads its joint x_jt and what the steps
before it in space and in time know, each through a forget gate of its own; a trust gate says how much the input can be
relied upon, by how well the context predicts it. In each layer, M and M_p being affine, all products by elements:

    (i, f_S, f_T, o, u) = (sig, sig, sig, sig, tanh)(M [x_jt; h_{j-1,t}; h_{j,t-1}])
    p = tanh(M_p [h_{j-1,t}; h_{j,t-1}])      x' = tanh(M_x x_jt)
    trust = G(p - x')                         G(z) = exp(-lambda z^2)
    c = trust i u + (1 - trust) f_S c_{j-1,t} + (1 - trust) f_T c_{j,t-1}
    h = o tanh(c)

Joints are visited as the skeleton's tree is walked, down and back up, so that steps that follow each other are
neighbours in the body. Every step predicts the class; the loss is over all, the scores are averaged.

Not to be confused with the two-stream or part-aware LSTMs, where space is in the inputs, nor with ST-GCN, which
convolves. Left out is the joint chain between the last joint of a frame and the first one of the next. Differences
from the paper are numbered in docs/methods/st_lstm.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from motionprint.batches import Batch, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Classifier
from motionprint.networks import averaged
from motionprint.networks.grid import GridLstm, grid
from motionprint.networks.recurrent import dropout
from motionprint.skeleton import Skeleton

__all__ = ["StLstm", "StLstmSettings", "walk"]


@dataclass(frozen=True)
class StLstmSettings:
    """Sizes of the ST-LSTM, its gates and its joints' order."""

    units: int = 32
    """Units of a layer."""
    layers: int = 2
    """Layers, one upon another."""
    frames: int = 10
    """Parts that a longer sequence is cut into: one frame of each is read."""
    dropout: float = 0.1
    """Share of values dropped before the second and later layers and before the output, never on the recurrent path."""
    trust_gates: bool = True
    """Whether trust gates weigh inputs against the memory."""
    trust_lambda: float = 0.5
    """The trust gates' lambda: how fast trust falls with the error of the prediction."""
    tree: bool = True
    """Whether joints are visited by a walk over the body's tree; else once each, by their numbers."""

    def __post_init__(self) -> None:
        for name in ("units", "layers", "frames"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"expected dropout in [0, 1), found {self.dropout}")
        if not self.trust_lambda > 0:
            raise SettingsError(f"expected trust_lambda above 0, found {self.trust_lambda:g}")


class StLstm(Classifier):
    """ST-LSTM with trust gates (Liu et al. 2016): a grid of steps over the joints and the frames."""

    Settings = StLstmSettings
    presets: ClassVar[Mapping[str, StLstmSettings]] = {
        "small": StLstmSettings(),
        "paper": StLstmSettings(units=128, frames=20, dropout=0.5),
    }
    schedule: ClassVar[Mapping[str, Any]] = {
        "steps": 800,
        "learning_rate": 1e-2,
    }  # found on training subjects only: docs/methods/st_lstm.md

    def __init__(self, skeleton: Skeleton, inputs: int, settings: StLstmSettings, classes: int) -> None:
        super().__init__(skeleton, inputs, settings, classes)
        self.settings = settings
        points = inputs // 3
        # the root's path is one point more than there are joints: it hangs on the root
        parents = [*skeleton.parents, *[skeleton.root] * (points - len(skeleton))]
        self.visits = walk(parents) if settings.tree else tuple(range(points))
        """(S,) the joint that is read at each step in space."""
        self.layers = nn.ModuleList(
            GridLstm(
                3 if layer == 0 else settings.units,
                settings.units,
                settings.trust_lambda if settings.trust_gates else None,
            )
            for layer in range(settings.layers)
        )
        self.output = nn.Linear(settings.units, classes)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {"layers": self.layers, "output": self.output}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """The cross-entropy of all steps, averaged over a sequence's, then over sequences; for both networks."""
        if batch.labels is None:
            raise ValueError("expected a batch with labels, found none")
        sampled, steps = self._steps(batch.seen, batch.packing)  # (rows, S, H)
        labels = batch.labels[sampled.sequence][:, None].expand(-1, len(self.visits))
        losses = functional.cross_entropy(self.output(steps).flatten(0, 1), labels.flatten(), reduction="none")
        loss = batch.mean(averaged(losses.view(labels.shape).mean(1, keepdim=True), sampled)[:, 0])
        return {"layers": loss, "output": loss}

    def scores(self, frames: Tensor, packing: Packing) -> Tensor:
        """Logarithms of the classes' probabilities, averaged over all steps."""
        sampled, steps = self._steps(frames, packing)
        probabilities = averaged(self.output(steps).softmax(2).mean(1), sampled)  # (N, C)
        return probabilities.clamp_min(torch.finfo(steps.dtype).tiny).log()

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        sampled, steps = self._steps(frames, packing)
        features = averaged(steps.mean(1), sampled)  # (N, H)
        return {"F": features, "states": features}

    def trust(self, frames: Tensor, packing: Packing) -> tuple[Tensor, Packing]:
        """The first layer's trust gates (rows, S, H) and the packing of the rows: those of the frames that are read."""
        sampled, rows = _sampled(packing, self.settings.frames, self.training)
        found: list[Tensor] = []
        self._through_layers(frames[rows], sampled, found)
        if not found:
            raise SettingsError("expected trust_gates, found none")
        return found[0], sampled

    def _steps(self, frames: Tensor, packing: Packing) -> tuple[Packing, Tensor]:
        """What the output layer reads (rows, S, H), and the packing of the rows: those of the frames that are read."""
        sampled, rows = _sampled(packing, self.settings.frames, self.training)
        return sampled, self._through_layers(frames[rows], sampled)

    def _through_layers(self, frames: Tensor, packing: Packing, trust: list[Tensor] | None = None) -> Tensor:
        S, H = len(self.visits), self.settings.units
        places_of = grid(S, packing.lengths, frames.device)
        joints = frames.view(len(frames), -1, 3)[:, list(self.visits)].flatten(0, 1)  # (rows S, 3)
        values = joints[places_of.into]  # (M, 3): every place of the grid
        for number, layer in enumerate(self.layers):
            if number and self._drops:
                values = values * self._kept(values, packing)[places_of.into]
            values, gates = cast(GridLstm, layer)(values, places_of)  # (M, H)
            if trust is not None and gates is not None:
                trust.append(gates[places_of.out_of].view(len(frames), S, H))
        steps = values[places_of.out_of]  # (rows S, H)
        if self._drops:
            steps = dropout(steps, self.settings.dropout, packing.repeated(S))
        return steps.view(len(frames), S, H)

    @property
    def _drops(self) -> bool:
        return bool(self.training and self.settings.dropout)

    def _kept(self, like: Tensor, packing: Packing) -> Tensor:
        """(rows S, H) what the values of each step are multiplied by: zero where they are dropped."""
        S = len(self.visits)
        return dropout(like.new_ones(packing.rows * S, like.shape[1]), self.settings.dropout, packing.repeated(S))


def walk(parents: list[int] | tuple[int, ...]) -> tuple[int, ...]:
    """The joints of a tree from its root, depth first, each again on the way back: 2 J - 1 of them."""
    children: list[list[int]] = [[] for _ in parents]
    for joint, parent in enumerate(parents):
        if parent != -1:
            children[parent].append(joint)
    joint, found = parents.index(-1), []
    while joint != -1:
        found.append(joint)
        joint = children[joint].pop(0) if children[joint] else parents[joint]
    return tuple(found)


def _sampled(packing: Packing, frames: int, draw: bool) -> tuple[Packing, Tensor]:
    """The packing of the frames that are read, at most so many a sequence, and their rows.

    A longer sequence is cut into so many parts of equal length; of each a frame is drawn, or the middle one is taken.
    Frames are drawn for the whole batch.
    """
    if packing.whole.lengths[0] <= frames:  # of the whole: all of its parts draw, or none does
        return packing, torch.arange(packing.rows, device=packing.device)
    sampled = packing.resized(lambda lengths: lengths.clip(max=frames))
    time, sequence = sampled.of_row
    lengths = np.array(packing.lengths, np.int64)[sequence]
    parts = np.minimum(lengths, frames)
    start, end = time * lengths // parts, (time + 1) * lengths // parts
    chosen = start + (end - start) // 2
    if draw:
        # on the host, where rows are counted
        drawn = sampled.draw_sequences(lambda count: torch.rand(count, frames, dtype=torch.float64)).numpy()
        chosen = start + np.minimum((drawn[sequence, time] * (end - start)).astype(np.int64), end - start - 1)
    return sampled, packing.at(chosen, sequence)
