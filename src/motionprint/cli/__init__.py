"""The command line: one short function a command, the twin of a library call.

A command's file is imported when the command is asked for, and imports the library when it runs: ``motionprint
--help`` loads neither torch nor pandas.
"""

from __future__ import annotations

import importlib
import os
import shlex
import sys
import traceback
from collections.abc import Sequence

import click

import motionprint
from motionprint.errors import MotionprintError

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS = {
    "download": "Fetch what may be fetched of a data set, and say where the rest is.",
    "prepare": "Turn a corpus of recordings into a data set folder.",
    "convert": "Turn motion files into another format.",
    "info": "Say what a file, a data set or a run is.",
    "pretrain": "Train an encoder on a data set, without its labels.",
    "train": "Train a supervised method, or fine-tune a pre-trained encoder, on labelled recordings.",
    "embed": "Turn recordings into prints, one vector each.",
    "cluster": "Group the recordings of a data set, and find those that are there twice.",
    "segment": "Cut a long recording where the movement changes.",
    "index": "Make an index of recordings, to search by motion.",
    "search": "Find what is most like a motion in an index.",
    "repair": "Fill what a motion file lacks, by a model that was trained to.",
    "evaluate": "Measure prints on a protocol, beside raw coordinates and an untrained encoder.",
    "label": "Label the rest of a data set from a few labels, and say which to add.",
    "plot": "Draw motion, a run or results: stick figures, films, curves.",
    "view": "Show a map of recordings in the browser, where each point plays its motion.",
    "experiment": "Run a table or a figure of the paper on the data at hand.",
    "report": "Turn result rows into tables and figures, beside what was published.",
    "export": "Write the encoder of a run as a file that runs without motionprint.",
    "demo": "Pre-train, compare and draw on the built-in data set, offline, in minutes.",
}
"""The commands in the order of work; each has the file of its name."""


class _Commands(click.Group):
    """Commands that are imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"motionprint.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  motionprint prepare synthetic --out data && motionprint info data",
)
@click.version_option(motionprint.__version__, prog_name="motionprint")
@click.option("--debug", is_flag=True, help="Show where in the code a failure happened.")
def cli(debug: bool) -> None:
    """Motion recordings in, vectors ("prints") out, and their worth measured honestly.

    The way of the data: prepare, pretrain, embed, evaluate.
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    sys.exit(_run(list(sys.argv[1:] if args is None else args)))


def _run(args: list[str]) -> int:
    debug = "--debug" in args  # before or after the command
    args = [word for word in args if word != "--debug"]
    try:
        command_line = shlex.join(["motionprint", *args])
        with cli.make_context("motionprint", args, obj=command_line) as context:
            cli.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        if os.environ.get("RANK", "0") == "0":  # of torchrun's processes, which all read the same words, one says it
            error.show()
        return error.exit_code
    except click.ClickException as error:
        return _fail(error.format_message())
    except (KeyboardInterrupt, EOFError, click.Abort) as stop:
        return _fail("interrupted" + _notes(stop), 130)
    except SystemExit as stop:  # SIGTERM, once what was begun has been cleared away
        return _fail("terminated" + _notes(stop), stop.code if isinstance(stop.code, int) else 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader (`| head`) has seen enough: nothing left to flush
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _fail(_one_line(error) + _notes(error))
    return 0


def _notes(error: BaseException) -> str:
    """What there is to go on with after a failure."""
    return "".join(f"; {note}" for note in getattr(error, "__notes__", ()))


def _one_line(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, MotionprintError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = " -> ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
        return f"{where}: {error.strerror}" if where else error.strerror
    if isinstance(error, MemoryError):
        return f"out of memory: {error}" if str(error) else "out of memory"
    return f"unexpected {type(error).__name__}: {error} (motionprint --debug shows where)"


def _fail(message: str, status: int = 1) -> int:
    click.echo("motionprint: " + " ".join(message.split()), err=True)
    return status
