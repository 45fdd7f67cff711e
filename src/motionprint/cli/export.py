"""`motionprint export`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("export", epilog="\b\nExample:\n  motionprint export runs/takes --out encoder.onnx --format onnx")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to make (.onnx, .pt2).")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@click.option(
    "--format",
    type=click.Choice(["onnx", "torch"]),
    default="onnx",
    show_default=True,
    help="ONNX, or a program of PyTorch's torch.export.",
)
@click.option(
    "--features",
    type=click.Choice(["states", "F", "both"]),
    default="states",
    show_default=True,
    help="The outputs: the encoder's last states, the paper's print F, or both.",
)
def command(run: Path, out: Path, overwrite: bool, format: str, features: str) -> None:
    """Write the encoder of RUN into one file that runs without motionprint.

    Batches of any number of sequences of any lengths go in; the recipe, the skeleton and how to prepare recordings
    travel along as metadata.
    """
    from motionprint.export import export
    from motionprint.training import load_run

    metadata = export(load_run(run), out, format=format, features=features, overwrite=overwrite)
    click.echo(f"{out}: {out.stat().st_size:,} bytes, {format}, model {metadata['model'][:12]}")
