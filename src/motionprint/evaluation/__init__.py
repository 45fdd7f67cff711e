"""What prints are worth: linear probe, neighbours, retrieval, clusters, inpainting error, as rows of results."""

from motionprint.evaluation.clustering import assignment_accuracy, cluster, normalised_mutual_information
from motionprint.evaluation.embed import Embedded, embed
from motionprint.evaluation.evaluate import evaluate
from motionprint.evaluation.inpainting import inpainting_errors
from motionprint.evaluation.prints import FEATURES, encode, read_prints
from motionprint.evaluation.probes import PROBES, accuracy, draw_labelled, fit_probe
from motionprint.evaluation.raw import raw_prints
from motionprint.evaluation.retrieval import retrieval
from motionprint.evaluation.rows import KEYS, read_rows, summarise, write_rows

__all__ = [
    "FEATURES",
    "KEYS",
    "PROBES",
    "Embedded",
    "accuracy",
    "assignment_accuracy",
    "cluster",
    "draw_labelled",
    "embed",
    "encode",
    "evaluate",
    "fit_probe",
    "inpainting_errors",
    "normalised_mutual_information",
    "raw_prints",
    "read_prints",
    "read_rows",
    "retrieval",
    "summarise",
    "write_rows",
]
