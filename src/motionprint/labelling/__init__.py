"""A few labels in, labels for the rest out: proposals that know how sure they are, and what to label next."""

from motionprint.labelling.classifier import CrossValidated, Prints
from motionprint.labelling.given import read_labels
from motionprint.labelling.label import Labelled, Proposal, label
from motionprint.labelling.suggest import suggest

__all__ = ["CrossValidated", "Labelled", "Prints", "Proposal", "label", "read_labels", "suggest"]
