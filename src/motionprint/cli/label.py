"""`motionprint label`."""

from __future__ import annotations

from pathlib import Path

import click

from motionprint.cli.progress import progress, quiet_option


@click.command(
    "label",
    epilog="\b\nExample:\n  motionprint label runs/takes data/takes --labels some.csv --out labels.csv --suggest 10",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--labels", type=click.Path(path_type=Path), help="A CSV table: name (or file), label. Without it: DATASET's."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The table of labels to make (.csv).")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@click.option(
    "--suggest",
    "suggestions",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Name so many sequences whose labels would help most.",
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Leave a label empty whose probability is below.",
)
@click.option(
    "--features",
    type=click.Choice(["states", "F", "both"]),
    default="states",
    show_default=True,
    help="The encoder's last states, the paper's print F, or both side by side.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of cross-validation and k-means."
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@quiet_option
def command(
    run: Path,
    dataset: Path,
    labels: Path | None,
    out: Path,
    overwrite: bool,
    suggestions: int,
    min_confidence: float,
    features: str,
    seed: int,
    device: str,
    quiet: bool,
) -> None:
    """Label the sequences of DATASET from the few that have a label, by their prints from RUN.

    OUT has name, source, label, confidence, whether the label was given, the second likeliest label and its
    probability, and with --suggest which sequences to label next. With --suggest there need not be a label yet.
    """
    from motionprint.labelling import label
    from motionprint.training import load_run

    with progress(quiet) as report:
        found = label(
            load_run(run, device),
            dataset,
            labels,
            out,
            suggestions=suggestions,
            min_confidence=min_confidence,
            features=features,
            seed=seed,
            overwrite=overwrite,
            report=report,
        )
    told = f"{found.given} labels given of {len(found.classes)} classes"
    click.echo(f"{out}: {told}, {found.predicted} predicted, {found.abstained} left without")
    if found.passed_over:
        click.echo(f"{labels}: {found.passed_over} labels not taken: they do not say true under given", err=True)
    if checked := found.cross_validated:
        click.echo(
            f"cross-validation: {checked.correct} of {checked.tested} given labels found, "
            f"{100 * checked.accuracy:.1f} % ({100 * checked.low:.1f} to {100 * checked.high:.1f} %)"
        )
    elif found.classes:
        click.echo("cross-validation: not enough labels")
    if found.suggested:
        click.echo("label next:")
        for name in found.suggested:
            click.echo(f"  {name}")
