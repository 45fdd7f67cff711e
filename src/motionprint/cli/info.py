"""`motionprint info`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from motionprint.cli.reading import is_run, reading_options_but_skeleton
from motionprint.cli.tables import print_facts

LISTED = 20
"""Recordings that are listed one by one."""


@click.command("info", epilog="\b\nExample:\n  motionprint info data/hdm05")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--skeleton", is_flag=True, help="Show the joints as a tree: body parts, pairs, hips, spine. PATH may be a name."
)
@click.option("--toml", "as_toml", is_flag=True, help="With --skeleton: print it as a TOML file to edit and hand over.")
@click.option("--map-to", metavar="SKELETON", help="With --skeleton: show too what the joints of that one are made of.")
@reading_options_but_skeleton
def command(path: Path, as_json: bool, skeleton: bool, as_toml: bool, map_to: str | None, **reading: Any) -> None:
    """Say what PATH is: a motion file, a data set folder, a run folder, or an index folder.

    --fps, --unit, --up and --columns are of motion files.
    """
    if not skeleton and (as_toml or map_to is not None):
        raise click.UsageError("--toml and --map-to go with --skeleton")
    if as_toml and (as_json or map_to is not None):
        raise click.UsageError("--toml goes without --json and --map-to")
    from motionprint.readers import ReadSettings

    settings = ReadSettings(**reading)
    if skeleton:
        from motionprint.cli.skeletons import show_skeletons

        show_skeletons(path, settings, as_toml=as_toml, as_json=as_json, map_to=map_to)
        return
    if is_run(path):
        facts = _run_facts(path)
    elif (path / "index.json").is_file():
        facts = _index_facts(path)
    else:
        from motionprint.store.describe import describe

        facts = describe(path, settings)
    if facts["kind"] in ("dataset", "run", "index") and any(reading.values()):
        raise click.UsageError(f"--fps, --unit, --up and --columns are of motion files, found a {facts['kind']}")
    if as_json:
        click.echo(json.dumps(facts, default=str))
        return
    recordings = facts.pop("recordings", []) if facts["kind"] == "recordings" else []
    print_facts(facts)
    for recording in recordings[:LISTED]:
        click.echo(
            f"{recording['name']}: {recording['frames']} frames, {recording['fps']:g} frames/s, "
            f"{recording['seconds']:.1f} s, {recording['joints']} joints"
        )
    if len(recordings) > LISTED:
        click.echo(f"... and {len(recordings) - LISTED} more: --json lists all")


def _run_facts(path: Path) -> dict[str, Any]:
    """A run's configuration without what is long, and what its weights are."""
    from motionprint.training import load_run
    from motionprint.training.checkpoints import earlier_checkpoints

    run = load_run(path)
    folder = run.folder or path
    config = dict(run.config)
    del config["skeleton"]
    return {
        "kind": "run",
        "path": str(path),
        "method": config.pop("method"),
        "preset": config.pop("preset", None),
        "steps": run.steps,
        "checkpoints": [*sorted({step for step, _ in earlier_checkpoints(folder)} - {run.steps}), run.steps],
        "dataset": config.pop("dataset", None),
        "protocol": config.pop("protocol", None),
        "fold": config.pop("fold", None),
        "fitted": len(config.pop("fitted")),
        "joints": len(run.skeleton),
        "parameters": sum(parameter.numel() for parameter in run.method.parameters()),
        "model": run.model_hash,
        **config,
    }


def _index_facts(path: Path) -> dict[str, Any]:
    """What is in an index, and how its prints are made."""
    from dataclasses import asdict

    from motionprint.search import open_index

    index = open_index(path)
    return {
        "kind": "index",
        "path": str(path),
        "prints": len(index),
        "generation": index.generation,
        **asdict(index.settings),
        "sources": [origin.given for origin in index.origins],
        "run": index.trained,
        "model": index.model_hash,
    }
