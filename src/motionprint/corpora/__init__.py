"""The data sets that `prepare` knows: one file each."""

from __future__ import annotations

from motionprint.corpora import berkeley_mhad, folder, hdm05, nw_ucla, synthetic
from motionprint.corpora.corpus import Corpus, Options, Recording

__all__ = ["CORPORA", "Corpus", "Options", "Recording"]

CORPORA: dict[str, Corpus] = {
    "hdm05": hdm05.CORPUS,
    "berkeley_mhad": berkeley_mhad.CORPUS,
    "nw_ucla": nw_ucla.CORPUS,
    "synthetic": synthetic.CORPUS,
    "folder": folder.CORPUS,
}
"""The corpora by name."""
