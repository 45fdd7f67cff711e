"""The options that say of motion files what they do not say themselves, and how prints are made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from motionprint.cli.choices import UNITS

__all__ = ["is_run", "print_options", "reading_options", "reading_options_but_skeleton"]

Command = TypeVar("Command", bound=Callable[..., Any])


_OPTIONS = {
    "fps": click.option(
        "--fps", type=click.FloatRange(min=0, min_open=True), help="Frames/s, where the files do not say or err."
    ),
    "unit": click.option("--unit", type=click.Choice(UNITS), help="Length unit, where the files do not say."),
    "up": click.option("--up", type=click.Choice(["x", "y", "z"]), help="The axis that points up, likewise."),
    "skeleton": click.option(
        "--skeleton",
        type=click.Path(path_type=Path),
        help="The ASF of AMC files that lie without one; for markers and tables a skeleton's name or TOML file; for "
        "any format a TOML file of body parts.",
    ),
    "columns": click.option(
        "--columns",
        metavar="WHICH",
        help="What a table's columns are: frame=Frame,joint=Marker,x=X,y=Y,z=Z, or a TOML file.",
    ),
}
"""The fields of `ReadSettings`."""


def is_run(path: Path) -> bool:
    """Whether a path is that of a run folder, or the name of a model that comes with motionprint."""
    return str(path).startswith("motionprint:") or (path / "config.json").is_file()


def reading_options(command: Command) -> Command:
    """Adds ``--fps``, ``--unit``, ``--up``, ``--skeleton`` and ``--columns``."""
    for option in reversed(_OPTIONS.values()):
        command = option(command)
    return command


def reading_options_but_skeleton(command: Command) -> Command:
    """The same without ``--skeleton``, for a command to which that word means something else."""
    for name, option in reversed(_OPTIONS.items()):
        command = command if name == "skeleton" else option(command)
    return command


_OF_PRINTS = (
    click.option(
        "--window", type=click.FloatRange(min=0, min_open=True), help="Seconds of a window: one print for each."
    ),
    click.option(
        "--stride", type=click.FloatRange(min=0, min_open=True), help="Seconds from window to window [WINDOW]."
    ),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ..."),
    reading_options,
    click.option(
        "--map-rigs",
        is_flag=True,
        help="Bring recordings of other rigs onto the run's skeleton; motionprint:cmu-small does so unasked.",
    ),
    click.option(
        "--allow-missing", is_flag=True, help="With it: joints that a rig does not have become missing values."
    ),
)


def print_options(command: Command) -> Command:
    """Adds ``--window``, ``--stride``, ``--device``, those of reading, ``--map-rigs`` and ``--allow-missing``."""
    for option in reversed(_OF_PRINTS):
        command = option(command)
    return command
