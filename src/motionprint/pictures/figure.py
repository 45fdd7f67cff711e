"""What all pictures share: matplotlib's own settings, axes without ornament, and how a figure becomes a file."""

from __future__ import annotations

import functools
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from motionprint.errors import SettingsError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "GRID", "METADATA", "TEXT", "check_ending", "one_axes", "plain", "save", "styled", "titled"]

FORMATS = (".png", ".svg", ".pdf")
"""The endings that a picture's name may have."""

TEXT, GRID = "#444444", "#E4E4E4"

METADATA: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""What is written into a file of each kind beside the picture: no date, so that the same picture is the same file."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def styled(draw: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Draw with matplotlib's own settings, not the user's, and with every sign of a label as it is, ``$`` too."""

    @functools.wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        import matplotlib

        with matplotlib.rc_context(), warnings.catch_warnings():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update({"svg.hashsalt": "motionprint", "text.parse_math": False})
            warnings.filterwarnings("ignore", message="Glyph .* missing from")  # of labels in other scripts
            return draw(*args, **kwargs)

    return drawn


def check_ending(path: str | Path) -> None:
    """Refuse a name that no picture can be written under."""
    if Path(path).suffix.lower() not in FORMATS:
        raise SettingsError(f"{path}: expected a picture's name to end in one of {', '.join(FORMATS)}")


def save(figure: Figure, path: str | Path) -> None:
    """Write the figure; what kind of file it is says its ending."""
    kind = Path(path).suffix.lower()[1:]
    figure.savefig(path, format=kind, metadata=METADATA[kind])


def one_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure (inches) of one diagram."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=160, facecolor="white", layout="constrained")
    ax = figure.add_subplot()
    ax.grid(axis="y", color=GRID, linewidth=0.8)
    plain(ax)
    return figure, ax


def plain(ax: Axes) -> None:
    """Leave out the frame's upper and right side; the grid lies below what is drawn."""
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def titled(figure: Figure, title: str) -> None:
    """A title over the whole width, in as many lines as it needs."""
    width = int(13 * figure.get_size_inches()[0])
    figure.suptitle("\n".join(textwrap.wrap(title, width)), fontsize=9, x=0.01, ha="left", color=TEXT)
