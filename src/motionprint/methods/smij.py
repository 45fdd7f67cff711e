"""Sequence of the most informative joints: Ofli, Chaudhry, Kurillo, Vidal, Bajcsy, "Sequence of the Most Informative
Joints (SMIJ): A New Representation for Human Skeletal Action Recognition", Journal of Visual Communication and Image
Representation 25, 2014, the representation and its simpler form, HMIJ.

Joints whose angle varies most tell most of an action. A sequence is cut into N_s congruent segments; in each the joints
are ranked by the variance of their angle a_j, and the numbers of the first N are kept:

    v_sj = var(a_j in segment s)         SMIJ_s = the N joints of largest v_sj, the largest first

That is, for each place n among the first N, a word of N_s letters. Two sequences differ by the Levenshtein distances of
their words, each divided by its largest possible value:

    d(x, y) = 1/N sum_n Lev(x_n, y_n) / N_s

The paper classifies by the nearest neighbour in a normalised edit distance and by support vector machines, and keeps
histograms over the segments (HMIJ) as a simpler form. Here a linear support vector machine reads the distances from a
fixed number of training sequences (``distances``), or in which place each joint stands in which segment (``ranks``), or
how often in which place (``histogram``, the paper's HMIJ).

Not to be confused with histograms of joint positions (HOJ3D, method hmm), nor with attention over joints: nothing here
learns which joints matter. Left out are the other forms that the paper compares with (histograms of motion words,
linear dynamical systems). Differences are numbered in docs/methods/smij.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from motionprint.batches import Batch, Packing
from motionprint.errors import SettingsError
from motionprint.methods.method import Classifier
from motionprint.methods.svm import LinearSvm
from motionprint.preprocessing import Frames
from motionprint.skeleton import Skeleton

__all__ = ["Smij", "SmijSettings"]

_AT_ONCE = 64
"""Training sequences whose distances are found together."""

STILL = 1e-8
"""rad^2: a joint whose angle varies less is no informative one, however few move more."""


@dataclass(frozen=True)
class SmijSettings:
    """How a sequence is cut, how many joints are kept, and what the classifier reads of them."""

    segments: int = 16
    """N_s: segments that each sequence is cut into."""
    joints: int = 6
    """N: most informative joints kept in each segment; all where there are fewer."""
    reads: Literal["distances", "ranks", "histogram"] = "distances"
    """distances: from references; ranks: who stands in which place in which segment; histogram: how often."""
    references: int = 500
    """Training sequences that distances are measured from: drawn, where there are more; all, where there are fewer."""
    classifier: Literal["svm", "nearest"] = "svm"
    """svm, or nearest: the class of the nearest reference (distances only)."""
    penalty: float = 0.01
    """C of the support vector machine: what a training sequence within the margin costs."""

    def __post_init__(self) -> None:
        for name in ("segments", "joints", "references"):
            if getattr(self, name) < 1:
                raise SettingsError(f"expected {name} of at least 1, found {getattr(self, name)}")
        for name, allowed in (("reads", ("distances", "ranks", "histogram")), ("classifier", ("svm", "nearest"))):
            if getattr(self, name) not in allowed:
                raise SettingsError(f"expected {name} to be one of {', '.join(allowed)}, found {getattr(self, name)!r}")
        if self.classifier == "nearest" and self.reads != "distances":
            raise SettingsError(f"expected reads distances beside classifier nearest, found {self.reads}")
        if not self.penalty > 0:
            raise SettingsError(f"expected penalty above 0, found {self.penalty:g}")


class Smij(Classifier):
    """SMIJ (Ofli et al. 2014): which joints' angles vary most, segment by segment, and a linear classifier."""

    Settings = SmijSettings
    presets: ClassVar[Mapping[str, SmijSettings]] = {
        "small": SmijSettings(),
        "paper": SmijSettings(segments=30, references=2000),
        "histogram": SmijSettings(reads="histogram"),
    }
    closed = True

    references: Tensor
    """(M, N_s, N) most informative joints of the training sequences that distances are measured from."""
    reference_labels: Tensor
    """(M,) their classes, -1 where there are fewer sequences than references."""

    def __init__(self, skeleton: Skeleton, inputs: int, settings: SmijSettings, classes: int) -> None:
        super().__init__(skeleton, inputs, settings, classes)
        self.settings = settings
        self._root, self._count = skeleton.root, len(skeleton)
        self.angles = _angles(skeleton)
        """(A,) the joints (before, at, after) of each angle."""
        if not self.angles:
            raise SettingsError("smij needs a skeleton with two bones that meet at a joint, found none")
        self._places = places = min(settings.joints, len(self.angles))
        count = settings.references if settings.reads == "distances" else 0
        sizes = {
            "distances": count,
            "ranks": settings.segments * places * len(self.angles),
            "histogram": places * len(self.angles),
        }
        self.register_buffer("references", torch.full((count, settings.segments, places), -1))
        self.register_buffer("reference_labels", torch.full((count,), -1))
        self.classifier = LinearSvm(sizes[settings.reads], classes)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """None: what `solve` finds are no parameters."""
        return {}

    def objectives(self, batch: Batch) -> Mapping[str, Tensor]:
        """None: the classifier is fitted at once."""
        return {}

    def solve(self, frames: Frames, labels: npt.NDArray[np.int64] | None, seed: int) -> Mapping[str, int]:
        """Draw the references and fit the classifier; held are the features of each sequence, never its frames.

        Returns
        -------
        counts
            ``unconverged``: 1 where the support vector machine's fit ended before it converged, else 0.

        Raises
        ------
        ValueError
            If there are no labels.
        DatasetError
            If there are fewer than two classes among them.
        """
        if labels is None:
            raise ValueError("expected the classes of the training sequences, found none")
        chosen = torch.zeros(len(frames), self.settings.segments, self._places, dtype=torch.int64)
        for number in range(len(frames)):
            sequence = torch.from_numpy(frames.read(number))
            chosen[number] = self.most_informative(sequence, Packing((len(sequence),)))[0]
        if self.settings.reads == "distances":
            drawn = np.sort(np.random.default_rng(seed).permutation(len(frames))[: len(self.references)])
            self.references.fill_(-1)
            self.reference_labels.fill_(-1)
            self.references[: len(drawn)] = chosen[drawn].to(self.references)
            self.reference_labels[: len(drawn)] = torch.from_numpy(labels[drawn]).to(self.reference_labels)
        chosen = chosen.to(self.references.device)
        features = [self._features(each).float().cpu() for each in torch.split(chosen, _AT_ONCE)]
        penalty = self.settings.penalty
        return {"unconverged": self.classifier.fit(torch.cat(features).numpy(), labels, penalty, seed)}

    def scores(self, frames: Tensor, packing: Packing) -> Tensor:
        """(N, C) the support vector machine's, or minus the distance from the nearest reference of each class."""
        if self.settings.classifier == "svm":
            scores: Tensor = self.classifier(self.encode(frames, packing)["F"])
            return scores
        distances = self._features(self.most_informative(frames, packing)).to(frames)  # (N, M)
        of_class = self.reference_labels[:, None] == torch.arange(len(self.classifier.bias), device=frames.device)
        return -distances[:, :, None].masked_fill(~of_class, 2).amin(1)  # no distance is above 1

    def encode(self, frames: Tensor, packing: Packing) -> Mapping[str, Tensor]:
        features = self._features(self.most_informative(frames, packing)).to(frames)
        features = self.classifier.standardised(features)
        return {"F": features, "states": features}

    def most_informative(self, frames: Tensor, packing: Packing) -> Tensor:
        """(N, N_s, N) numbers of the angles that vary most in each segment, the largest variance first; -1 for none."""
        angles, known = self._angles_of(frames)  # (rows, A) rad
        longest = packing.lengths[0]
        both = angles.new_zeros(packing.count, longest, 2 * len(self.angles))
        both[packing.sequence, packing.time] = torch.cat([angles * known, known.to(angles)], 1)
        angles, weights = both.chunk(2, 2)  # (N, T, A) each
        inside = np.zeros((packing.count, self.settings.segments, longest))
        for number, length in enumerate(packing.lengths):
            for segment, (start, end) in enumerate(_segments(length, self.settings.segments)):
                inside[number, segment, start:end] = 1
        within = torch.from_numpy(inside).to(angles)  # (N, N_s, T)
        count = (within @ weights).clamp(min=1)
        mean = (within @ angles) / count  # (N, N_s, A)
        variance = ((within @ (weights * angles.square())) / count - mean.square()).clamp(min=0)
        found, order = variance.sort(dim=2, descending=True, stable=True)
        return order.masked_fill(found <= STILL, -1)[..., : self.settings.joints]

    def _features(self, chosen: Tensor) -> Tensor:
        """(N, R) what the classifier reads of the most informative joints (N, N_s, N)."""
        if self.settings.reads == "distances":
            found = chosen.new_zeros(len(chosen), len(self.references), dtype=torch.float64)
            used = self.reference_labels >= 0
            found[:, used] = edit_distances(chosen, self.references[used])
            return found
        numbers = torch.arange(len(self.angles), device=chosen.device)
        places = (chosen[..., None] == numbers).double()  # (N, N_s, N, A)
        return (places if self.settings.reads == "ranks" else places.mean(1)).flatten(1)

    def _angles_of(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Angles (rows, A), rad, in float64, and which of them are known.

        A joint at exactly (0, 0, 0) is a missing one, unless it is the root; one that lies on its neighbour has no
        angle. Centring, turning and scaling change no angle. Inputs after the joints' (the root's path) are not read.
        """
        joints = frames[:, : 3 * self._count].reshape(-1, self._count, 3).double()  # (rows, J, 3)
        there = (joints != 0).any(2)  # (rows, J)
        there[:, self._root] = True
        before, at, after = ([angle[place] for angle in self.angles] for place in range(3))
        one, other = joints[:, before] - joints[:, at], joints[:, after] - joints[:, at]  # (rows, A, 3)
        across, along = torch.linalg.cross(one, other).norm(dim=2), (one * other).sum(2)
        known = there[:, before] & there[:, at] & there[:, after]
        known &= (one != 0).any(2) & (other != 0).any(2)
        return torch.atan2(across, along), known


def edit_distances(words: Tensor, references: Tensor) -> Tensor:
    """(N, M) d of words (N, S, P) and references (M, S, P): the mean over P of Levenshtein distances, divided by S."""
    length = words.shape[1]
    above = torch.arange(length + 1, device=words.device).view(-1, 1, 1, 1)
    above = above.expand(-1, len(words), len(references), words.shape[2])  # (S + 1, N, M, P): a row of the table
    letters = references.transpose(0, 1)[:, None]  # (S, 1, M, P)
    for i in range(length):
        best = torch.minimum(above[1:] + 1, above[:-1] + (words[None, :, i, None] != letters))
        row = [torch.full_like(above[0], i + 1)]
        for j in range(length):
            row.append(torch.minimum(best[j], row[-1] + 1))
        above = torch.stack(row)
    return above[-1].double().mean(2) / length


def _angles(skeleton: Skeleton) -> list[tuple[int, int, int]]:
    """The angles of a skeleton: between a joint's bone to its parent and that to each child; at the root between
    neighbouring children."""
    found = []
    for joint, parent in enumerate(skeleton.parents):
        children = [child for child, of in enumerate(skeleton.parents) if of == joint]
        if parent == -1:
            found += [(one, joint, other) for one, other in pairwise(children)]
        else:
            found += [(parent, joint, child) for child in children]
    return found


def _segments(length: int, count: int) -> list[tuple[int, int]]:
    """Frame ranges [start, end) of equal parts; a part holds two frames at least where there are two, as a variance
    needs them, so that parts of a short sequence overlap."""
    found = []
    for number in range(count):
        start = max(0, min(number * length // count, length - 2))
        found.append((start, min(length, max((number + 1) * length // count, start + 2))))
    return found
