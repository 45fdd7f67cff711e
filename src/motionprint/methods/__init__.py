"""Methods by name, one file a paper."""

from motionprint.methods.inpainting import Inpainting
from motionprint.methods.method import Method

__all__ = ["METHODS", "Inpainting", "Method"]

METHODS: dict[str, type[Method]] = {
    "inpainting": Inpainting,
}
"""Every method by the name that the command line knows."""
