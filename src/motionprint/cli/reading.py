"""The options that say of motion files what they do not say themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from motionprint.cli.choices import UNITS

__all__ = ["reading_options"]

Command = TypeVar("Command", bound=Callable[..., Any])


def reading_options(command: Command) -> Command:
    """Adds ``--fps``, ``--unit``, ``--up``, ``--skeleton`` and ``--columns``: the fields of `ReadSettings`."""
    options = (
        click.option(
            "--fps", type=click.FloatRange(min=0, min_open=True), help="Frames/s, where the files do not say or err."
        ),
        click.option("--unit", type=click.Choice(UNITS), help="Length unit, where the files do not say."),
        click.option("--up", type=click.Choice(["x", "y", "z"]), help="The axis that points up, likewise."),
        click.option(
            "--skeleton",
            type=click.Path(path_type=Path),
            help="The ASF of AMC files that lie without one; for markers and tables a skeleton's name or TOML file.",
        ),
        click.option(
            "--columns",
            metavar="WHICH",
            help="What a table's columns are: frame=Frame,joint=Marker,x=X,y=Y,z=Z, or a TOML file.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
