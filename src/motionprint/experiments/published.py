"""Figures that others published, each with its source: for orientation beside measured ones, never in their place.

Accuracies are in per cent, as printed. A value that nobody could hold against a second source, or whose reading is not
certain, says so in ``doubt``; reports mark it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ACCURACIES",
    "ERRORS",
    "FEW_LABELS",
    "SETS",
    "TITLES",
    "Published",
    "PublishedSet",
    "Source",
    "find_accuracy",
]


@dataclass(frozen=True)
class Source:
    """Where a figure is printed."""

    authors: str
    """Authors and year, as a line of a table names them."""
    title: str
    """The title of the paper."""
    printed: str
    """Where it was published: journal or proceedings and pages, or the arXiv number."""

    def __str__(self) -> str:
        return f"{self.authors}: {self.title}. {self.printed}"


@dataclass(frozen=True)
class Published:
    """A number that somebody else has printed. A table of a report keeps it out of the columns of what was measured."""

    value: float
    """As printed: per cent for accuracies."""
    source: Source
    """Who printed it."""
    where: str
    """The table, figure or passage."""
    checked: str = ""
    """What it was held against."""
    doubt: str = ""
    """Why it is not certain; empty where it is."""


@dataclass(frozen=True)
class PublishedSet:
    """The data that published figures are of."""

    title: str
    """Its name in a table."""
    sequences: int
    classes: int
    joints: int
    protocol: str
    """In words."""
    protocols: tuple[str, ...]
    """The protocols of ours that are the same one."""
    beside: tuple[str, ...] = ()
    """The only protocols of ours beside which its figures may stand; empty for all."""


LONGT = Source(
    "Zheng et al. 2018",
    "Unsupervised Representation Learning with Long-Term Dynamics for Skeleton Based Action Recognition",
    "AAAI 2018, pp. 2644-2651",
)
SOFA = Source(
    "Do, Chen and Kim 2026",
    "One for All: Generalist Foundation Model for Cross-Sensor Skeleton Representation Learning",
    "arXiv:2609.07078",
)
ST_LSTM = Source(
    "Liu et al. 2016",
    "Spatio-Temporal LSTM with Trust Gates for 3D Human Action Recognition",
    "ECCV 2016, arXiv:1607.07043",
)
SAHBI = Source("Sahbi 2025", "Active Learning for GCN-based Action Recognition", "arXiv:2511.21625")

_READ = "a transcription of the paper; not compared with a print again"
_RUN_TOGETHER = (
    "its row runs together with the next one in the transcription read; the values were told apart by their own papers"
)


CMU8, CMU, HDM05, MHAD, UCLA, SBU = "cmu8", "cmu", "hdm05", "berkeley_mhad", "nw_ucla", "sbu"

SETS: dict[str, PublishedSet] = {
    CMU8: PublishedSet("CMU subset", 664, 8, 31, "3-fold", ("kfold:3",)),
    CMU: PublishedSet("CMU", 2235, 45, 31, "4-fold", ("kfold:4",)),
    HDM05: PublishedSet("HDM05", 2337, 65, 31, "10-fold", ("kfold:10",)),
    MHAD: PublishedSet("Berkeley MHAD", 659, 11, 35, "subjects 1-7 train, 8-12 test", ("cross-subject",)),
    "mhad_dmocap": PublishedSet(
        "Berkeley MHAD (16 joints)",
        659,
        11,
        35,
        "subjects 1-7 train, 8-12 test",
        ("cross-subject",),
        beside=("cross-subject",),  # the others are of a depth camera
    ),
    UCLA: PublishedSet(
        "NW-UCLA",
        1484,
        10,
        20,
        "views 1 and 2 train, view 3 tests, with the duplicates",
        ("cross-view",),
        beside=("cross-view",),
    ),
    SBU: PublishedSet("SBU Kinect", 282, 8, 30, "5-fold by pairs", ("five-fold", "cross-pair", "kfold-pairs")),
}
"""By the names of our corpora, in the order of the paper's columns and then of the literature's."""

_AS = {"mhad_dmocap": MHAD}
"""Data sets that are another form of one with published figures."""

TITLES: dict[str, str] = {
    "inpainting": "LongT GAN",
    "autoencoder": "Autoencoder",
    "composite": "Unsupervised LSTM",
    "next_frame": "next-frame prediction",
    "motion_prediction": "3D motion prediction",
    "gated_transforms": "gated transformations",
    "slow_features": "slow feature analysis",
    "softmax": "LongT GAN's encoder, random start",
    "smij": "SMIJ",
    "mlp": "MLP",
    "dbrnn": "DBRNN",
    "hbrnn": "HBRNN",
    "deep_lstm": "Deep LSTM",
    "co_lstm": "Co-deep LSTM",
    "st_lstm": "ST-LSTM with trust gates",
    "attention_lstm": "STA-LSTM",
    "temporal_pyramid": "temporal pyramid",
    "hmm": "HMM",
    "sebirenet": "SeBiReNet",
    "predict_cluster": "Predict & Cluster",
    "mcae_mp": "MCAE-MP",
    "gl_transformer": "GL-Transformer",
    "colorization": "Colorization",
    "masked_colorization": "Masked Colorization",
    "sofa": "SOfA",
    "raw": "raw coordinates",
    "random": "untrained encoder",
    "dtw": "dynamic time warping",
    "first_frame": "as in the first frame",
}
"""What a method is called in tables; one that is not here is called by its own name."""


def _of_longt(*values: tuple[str, float], doubt: str = "") -> dict[str, Published]:
    where = "table of accuracies (methods x data sets)"
    return {name: Published(value, LONGT, where, _READ, doubt) for name, value in values}


def _of_ucla(value: float) -> dict[str, Published]:
    where = "table of NW-UCLA (linear layer or nearest neighbour)"
    return {UCLA: Published(value, SOFA, where, "the table on the page of its code")}


ACCURACIES: dict[tuple[str, str], dict[str, Published]] = {
    ("U", "inpainting"): {
        **_of_longt((CMU8, 84.57), (CMU, 66.23), (HDM05, 93.47), (MHAD, 100.00)),
        **_of_ucla(74.3),
    },
    ("U", "autoencoder"): _of_longt((CMU8, 77.03), (CMU, 61.43), (HDM05, 92.75), (MHAD, 99.56)),
    ("U", "sebirenet"): _of_ucla(80.3),
    ("U", "predict_cluster"): _of_ucla(84.9),
    ("U", "mcae_mp"): _of_ucla(84.9),
    ("U", "gl_transformer"): _of_ucla(90.4),
    ("U", "colorization"): _of_ucla(91.1),
    ("U", "masked_colorization"): _of_ucla(92.0),
    ("U", "sofa"): _of_ucla(92.9),
    ("S", "smij"): _of_longt((MHAD, 95.40)),
    ("S", "mlp"): _of_longt((HDM05, 95.59)),
    ("S", "dbrnn"): _of_longt((HDM05, 96.70), (MHAD, 99.64), doubt=_RUN_TOGETHER),
    ("S", "hbrnn"): {
        **_of_longt((CMU8, 83.13), (CMU, 75.02), (HDM05, 96.92), (MHAD, 100.00), doubt=_RUN_TOGETHER),
        SBU: Published(80.4, SAHBI, "Table 1", "the text of that paper, which reports it of others"),
    },
    ("S", "deep_lstm"): {
        **_of_longt((CMU8, 86.00), (CMU, 79.53), (HDM05, 96.80), (MHAD, 100.00)),
        SBU: Published(86.0, ST_LSTM, "table of SBU", doubt="not found in a second source"),
    },
    ("S", "co_lstm"): {
        **_of_longt((CMU8, 88.40), (CMU, 81.04), (HDM05, 97.25), (MHAD, 100.00)),
        SBU: Published(90.4, SAHBI, "Table 1", "the texts of Sahbi 2025 and of Do, Chen and Kim 2026, both of others"),
    },
    ("S", "st_lstm"): {
        SBU: Published(93.3, SAHBI, "Table 1", "the texts of Sahbi 2025 and of Do, Chen and Kim 2026, both of others"),
    },
    ("S", "softmax"): _of_longt((CMU8, 87.83), (CMU, 79.89), (HDM05, 96.89), (MHAD, 100.00)),
    ("S+P", "composite"): _of_longt((CMU8, 88.89), (CMU, 78.63), (HDM05, 97.05), (MHAD, 100.00)),
    ("S+P", "inpainting"): _of_longt((CMU8, 91.19), (CMU, 81.42), (HDM05, 97.52), (MHAD, 100.00)),
}
"""Accuracy in per cent by group (U, S, S+P) and method, then by data set; of F where the method is unsupervised."""

_TEXT_3, _TEXT_FIGURE_3 = "text on Table 3", "text on Figure 3, 2 labelled examples a class"

ERRORS: dict[tuple[str, str], dict[str, Published]] = {
    ("F", "joint"): {
        "error": Published(0.16, LONGT, _TEXT_3, _READ),
        "accuracy": Published(66.23, LONGT, _TEXT_3, _READ),
        "clustering": Published(51.35, LONGT, _TEXT_3, _READ),
    },
    ("F", "elementwise"): {
        "error": Published(0.20, LONGT, _TEXT_3, _READ),
        "accuracy": Published(62.56, LONGT, _TEXT_3, _READ),
        "clustering": Published(45.27, LONGT, _TEXT_3, _READ),
    },
    ("none", "joint"): {"error": Published(0.23, LONGT, _TEXT_3, _READ)},
}
"""Table 3, of CMU: by condition and loss; the body of the table was not at hand, a transcription of the text was."""

FEW_LABELS: dict[tuple[str, str], dict[tuple[str, int], Published]] = {
    ("S", "softmax"): {
        (CMU, 2): Published(45.8, LONGT, _TEXT_FIGURE_3, _READ),
        (CMU8, 2): Published(55.89, LONGT, _TEXT_FIGURE_3, _READ),
    },
    ("S+P", "inpainting"): {
        (CMU, 2): Published(49.73, LONGT, _TEXT_FIGURE_3, _READ),
        (CMU8, 2): Published(60.51, LONGT, _TEXT_FIGURE_3, _READ),
    },
}
"""Figure 3: by group and method, then by data set and labelled examples a class."""


def _beside(dataset: str, protocol: str) -> str | None:
    """The data set whose published figures may stand beside rows of this one, or None."""
    if dataset not in SETS or (SETS[dataset].beside and protocol not in SETS[dataset].beside):
        return None
    return _AS.get(dataset, dataset)


def find_accuracy(group: str, method: str, dataset: str, protocol: str, labels: int | None = None) -> Published | None:
    """The published accuracy beside which a measured one may stand, with all labels or few, or None."""
    name = _beside(dataset, protocol)
    if name is None:
        return None
    if labels is None:
        return ACCURACIES.get((group, method), {}).get(name)
    return FEW_LABELS.get((group, method), {}).get((name, labels))
