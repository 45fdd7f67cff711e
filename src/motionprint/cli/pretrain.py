"""`motionprint pretrain`."""

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
    from motionprint.methods import METHODS

    return list(METHODS)


@click.command(
    "pretrain",
    cls=WithSettings,
    epilog="\b\nExample:\n  motionprint pretrain data/nw_ucla --out runs/nw_ucla --protocol cross-view --seed 1",
)
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The run folder to make.")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@click.option("--resume", is_flag=True, help="Continue the run in OUT from its last checkpoint.")
@click.option("--method", default="inpainting", show_default=True, callback=one_of(_methods), help="What is trained.")
@click.option(
    "--preset", default="small", show_default=True, help="Sizes and budget: small, paper, paper-wide; repair."
)
@click.option("--steps", type=click.IntRange(min=1), help="Batches to train on, in place of the preset's.")
@click.option("--epochs", type=click.IntRange(min=1), help="The same, in passes over the recordings.")
@click.option("--protocol", help="Train on this protocol's training recordings only. Without it: on everything.")
@click.option("--fold", type=click.IntRange(min=0), default=0, show_default=True, help="Which fold of the protocol.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of weights, batches and hiding."
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bf16"]),
    help="Of the matrix products of training; auto is bf16 where that is measured to be faster.  [default: auto]",
)
@click.option("--loss", type=click.Choice(["joint", "elementwise"]), help="With or without the adversary.")
@click.option("--condition", type=click.Choice(["F", "none"]), help="The decoder reads the print F, or zeros.")
@click.option("--alignment", type=click.Choice(["none", "heading", "body"]), help="In place of the data set's own.")
@click.option("--max-length", metavar="FRAMES|none", help="Frames at 15 frames/s, in place of the data set's own.")
@click.option(
    "--set", "changes", multiple=True, metavar="FIELD=VALUE", callback=settings, help="Any setting; see below."
)
@click.option("--tensorboard", is_flag=True, help="Write the log for TensorBoard too.")
@click.option("--profile", is_flag=True, help="Record some of the first steps, and say where their time goes.")
@quiet_option
@click.pass_obj
def command(
    command_line: str,
    /,
    dataset: Path,
    out: Path,
    method: str,
    precision: str | None,
    loss: str | None,
    condition: str | None,
    alignment: str | None,
    max_length: str | None,
    changes: dict[str, str],
    quiet: bool,
    **options: Any,
) -> None:
    """Train an encoder on DATASET without its labels; the run folder OUT is what embed and evaluate take.

    Training that is interrupted (Ctrl-C) leaves a run that can be used, and continued with --resume. Started by
    torchrun, all its processes train one run.
    """
    from motionprint.preprocessing import RecipeCounts
    from motionprint.training import joined, pretrain
    from motionprint.training.profile import SUMMARY

    if options["steps"] is not None and options["epochs"] is not None:
        raise click.UsageError("expected --steps or --epochs, found both")
    named = {"precision": precision, "condition": condition, "alignment": alignment, "max_length": max_length}
    if loss is not None and not (loss == "joint" and "adversary" in changes):
        named["adversary"] = "none" if loss == "elementwise" else "log"
    for name, value in named.items():
        if value is not None and changes.setdefault(name, value) != value:
            raise click.UsageError(f"expected one value for {name}, found {value} and --set {name}={changes[name]}")
    changes_typed = typed_changes(method, changes)
    try:
        with joined(options["device"]) as world, progress(quiet or not world.leads) as report:
            run = pretrain(
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
    fitted = f"{len(run.config['fitted'])} recordings"
    if options["protocol"] is None:
        fitted += " (all of the data set: no --protocol was given)"
    click.echo(f"{out}: {run.steps} steps on {fitted}")
    for line in run.config["resumed"][-1]["damaged"] if options["resume"] and "resumed" in run.config else ():
        click.echo(f"passed over: {line}", err=True)
    if options["profile"]:
        click.echo((out / SUMMARY).read_text(encoding="utf-8"), nl=False)
    if not quiet:
        say_counts(RecipeCounts(**run.config["counts"]), len(run.config["fitted"]))
