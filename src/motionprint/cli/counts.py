"""What a recipe did to recordings, said where it matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from motionprint.evaluation import Embedded
    from motionprint.preprocessing import RecipeCounts
    from motionprint.search import Indexed
    from motionprint.training import Run

__all__ = ["say_counts", "say_mapped"]

MANY_CLIPPED = 0.05
"""The share of clipped values from which on something is probably wrong."""


def say_mapped(done: Embedded | Indexed, run: Run) -> None:
    """A line, on standard error, where recordings of other rigs were brought onto the run's skeleton."""
    if done.mapped:
        of = "" if done.mapped == done.recordings else f" of {done.recordings}"
        click.echo(
            f"{done.mapped}{of} recordings of other rigs were brought onto the {len(run.skeleton)} joints of "
            f"{run.skeleton.name or 'the run'} (motionprint info FILE --skeleton --map-to shows how)",
            err=True,
        )


def say_counts(counts: RecipeCounts, recordings: int) -> None:
    """A line for each thing that a user would want to know, on standard error."""
    lines = []
    if counts.windowed:
        lines.append(f"{counts.windowed} of {recordings} recordings were read in windows")
    if counts.thinned:
        lines.append(
            f"{counts.thinned} of {counts.sequences} sequences were thinned to fewer than every fourth frame "
            "(embed --window reads windows instead)"
        )
    if counts.unaligned:
        lines.append(f"{counts.unaligned} of {counts.sequences} sequences could not be turned to the front")
    if counts.incomplete:
        share = counts.missing / counts.values
        filled = f", {counts.filled} in short gaps were filled" if counts.filled else ""
        incomplete = f"{counts.incomplete} of {recordings} recordings have missing values"
        lines.append(f"{incomplete}: {share:.2%} of the numbers are read as hidden{filled}")
    if counts.blank:
        lines.append(f"{counts.blank} windows in which nothing was recorded were left out")
    if counts.rootless:
        lines.append(f"{counts.rootless} frames lack the root: it was taken to be where the frames beside them have it")
    if counts.clipped > MANY_CLIPPED * counts.values:
        share = counts.clipped / counts.values
        lines.append(f"{share:.0%} of the coordinates lie past the range that was fitted: is the unit right?")
    for line in lines:
        click.echo(f"note: {line}", err=True)
