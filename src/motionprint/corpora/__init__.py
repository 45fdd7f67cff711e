"""The data sets that `prepare` knows: one file each."""

from __future__ import annotations

from motionprint.corpora import (
    berkeley_mhad,
    folder,
    hdm05,
    mhad_dmocap,
    msr_action3d,
    ntu_rgbd,
    ntu_rgbd_120,
    nw_ucla,
    sbu,
    synthetic,
    utd_mhad,
)
from motionprint.corpora.corpus import Corpus, Options, Recording

__all__ = ["CORPORA", "Corpus", "Options", "Recording"]

CORPORA: dict[str, Corpus] = {
    "hdm05": hdm05.CORPUS,
    "berkeley_mhad": berkeley_mhad.CORPUS,
    "nw_ucla": nw_ucla.CORPUS,
    "ntu_rgbd": ntu_rgbd.CORPUS,
    "ntu_rgbd_120": ntu_rgbd_120.CORPUS,
    "msr_action3d": msr_action3d.CORPUS,
    "sbu": sbu.CORPUS,
    "utd_mhad": utd_mhad.CORPUS,
    "mhad_dmocap": mhad_dmocap.CORPUS,
    "synthetic": synthetic.CORPUS,
    "folder": folder.CORPUS,
}
"""The corpora by name."""
