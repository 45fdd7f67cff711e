"""Progress on standard error: a bar on a terminal, elsewhere a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from motionprint.progress import Report

__all__ = ["progress", "quiet_option"]


SECONDS_BETWEEN_LINES = 10.0

quiet_option = click.option("--quiet", "-q", is_flag=True, help="Show no progress.")


@contextmanager
def progress(quiet: bool) -> Iterator[Report | None]:
    """The ``report`` to hand to a library call: a bar, plain lines, or None where ``quiet``."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield _Lines()


class _Lines:
    """A line when a piece of work begins, every ten seconds, and when it is done."""

    def __init__(self) -> None:
        self.began = self.printed = 0.0
        self.first = self.last = 0
        self.total: int | None = -1

    def __call__(self, done: int, total: int | None, text: str) -> None:
        now = time.monotonic()
        if total != self.total or done < self.last:  # another piece of work
            self.began, self.printed, self.first, self.total = now, 0.0, done, total
        repeated = done == self.last and self.printed > 0 and done == total
        self.last = done
        if repeated or (done != total and self.printed and now - self.printed < SECONDS_BETWEEN_LINES):
            return
        self.printed = now
        seconds = now - self.began
        rate = (done - self.first) / seconds if seconds > 0 else 0.0
        count = f"{done}" if total is None else f"{done}/{total}"
        speed = f", {rate:.3g}/s" if rate > 0 else ""
        remaining = f", {_clock((total - done) / rate)} left" if total is not None and rate > 0 and done < total else ""
        click.echo(f"{text}: {count}{speed}{remaining}", err=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


@contextmanager
def _bar() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Task as RichTask
    from rich.text import Text

    class Rate(ProgressColumn):
        """How many a second."""

        def render(self, task: RichTask) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.3g}/s")

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=None)
        last, expected = 0, None

        def report(done: int, total: int | None, text: str) -> None:
            nonlocal last, expected
            if total != expected or done < last:
                bars.reset(task, total=total)
            last, expected = done, total
            bars.update(task, completed=done, total=total, description=text)

        yield report
