"""`motionprint train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from motionprint.cli.choices import one_of, settings
from motionprint.cli.counts import say_counts
from motionprint.cli.progress import progress, quiet_option
from motionprint.cli.settings import WithSettings, typed_changes
from motionprint.errors import OtherProcessError


def _methods() -> list[str]:
    from motionprint.methods import CLASSIFIERS

    return list(CLASSIFIERS)


@click.command(
    "train",
    cls=WithSettings,
    epilog="\b\nExample:\n  motionprint train data/mhad --init runs/mhad --protocol cross-subject --labels-per-class 5 "
    "--out runs/mhad-5",
)
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The run folder to make.")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@click.option("--resume", is_flag=True, help="Continue the run in OUT from its last checkpoint.")
@click.option(
    "--method",
    default="softmax",
    show_default=True,
    callback=one_of(_methods),
    help="What is trained; softmax is an encoder like pretrain's with a softmax layer.",
)
@click.option("--init", type=click.Path(path_type=Path), help="A pre-trained run whose encoder softmax starts from.")
@click.option("--preset", help="Sizes and budget: small, paper.  [default: small, or that of --init]")
@click.option("--steps", type=click.IntRange(min=1), help="Batches to train on at most, in place of the preset's.")
@click.option("--epochs", type=click.IntRange(min=1), help="The same, in passes over the recordings.")
@click.option("--protocol", help="Train on this protocol's training recordings only. Without it: on everything.")
@click.option("--fold", type=click.IntRange(min=0), default=0, show_default=True, help="Which fold of the protocol.")
@click.option(
    "--labels-per-class", type=click.IntRange(min=1), help="Labelled recordings of each class. Without it: all."
)
@click.option(
    "--sampling", type=click.IntRange(min=0), default=0, show_default=True, help="Which draw of the labelled ones."
)
@click.option("--transductive", is_flag=True, help="Allow --init to be trained on test recordings; rows say so.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of weights, batches and what is held out."
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@click.option(
    "--set", "changes", multiple=True, metavar="FIELD=VALUE", callback=settings, help="Any setting; see below."
)
@click.option("--tensorboard", is_flag=True, help="Write the log for TensorBoard too.")
@quiet_option
@click.pass_obj
def command(
    command_line: str, /, dataset: Path, out: Path, method: str, changes: dict[str, str], quiet: bool, **options: Any
) -> None:
    """Train a supervised method on the labelled recordings of DATASET; evaluate says how many it recognises.

    A part of the training recordings is held out, and training ends when they are not recognised better any more.
    """
    from motionprint.preprocessing import RecipeCounts
    from motionprint.training import joined, train

    if options["steps"] is not None and options["epochs"] is not None:
        raise click.UsageError("expected --steps or --epochs, found both")
    changes_typed = typed_changes(method, changes)
    try:
        with joined(options["device"]) as world, progress(quiet or not world.leads) as report:
            run = train(
                dataset,
                out,
                method=method,
                changes=changes_typed,
                report=report,
                command=command_line,
                world=world,
                **options,
            )
    except OtherProcessError as error:  # which has said it
        raise click.exceptions.Exit(1) from error
    if not world.leads:
        return
    told = f"{run.config['labelled']} recordings of {len(run.config['classes'])} classes"
    ended = f", {len(run.config['held_out'])} of them held out" if run.config["held_out"] else ""
    click.echo(f"{out}: {run.steps} steps on {told}{ended}")
    for name, count in run.config.get("solved", {}).items():
        if count:
            click.echo(f"{name}: {count}", err=True)
    if not quiet:
        taught = run.config["labelled"] - len(run.config["held_out"])
        say_counts(RecipeCounts(**run.config["counts"]), taught)
