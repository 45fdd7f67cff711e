"""`motionprint info --skeleton`: the joints as a tree, and what was derived from their names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from motionprint.cli.reading import is_run

if TYPE_CHECKING:
    from motionprint.readers import ReadSettings
    from motionprint.sequence import SkeletonSequence
    from motionprint.skeleton import Skeleton

__all__ = ["show_skeletons"]

_COLOURS = ("green", "red", "cyan", "magenta", "yellow")
"""Of the body parts, in the order of ``BODY_PARTS``."""


def show_skeletons(path: Path, settings: ReadSettings, *, as_toml: bool, as_json: bool, map_to: str | None) -> None:
    """Print the skeleton of a built-in name, a TOML, a run, a data set, or of each rig among motion files."""
    from motionprint.errors import SettingsError
    from motionprint.skeleton import Skeleton

    target = None if map_to is None else Skeleton.resolve(map_to)
    found = _skeletons(path, settings)
    if as_toml:
        if len(found) > 1:
            raise SettingsError(f"{path}: expected recordings of one skeleton, found {len(found)}: name one file")
        [(skeleton, example)] = found.items()
        own = "of the joints that a file has itself: correct them and hand this over, --skeleton FILE.toml"
        click.echo(f"# Body parts {own}\n" if example is not None else "", nl=False)
        click.echo(skeleton.to_toml(joints=example is None), nl=False)
        return
    if as_json:
        click.echo(json.dumps([skeleton.to_dict() for skeleton in found]))
        return
    for number, (skeleton, example) in enumerate(found.items()):
        if number:
            click.echo()
        _print_tree(skeleton, skeleton.name or (example.source if example else None) or str(path))
        if not skeleton.body_parts:
            click.echo(
                f"body parts: not known from these names; `motionprint info {path} --skeleton --toml > body.toml` "
                "writes a file to complete, and --skeleton body.toml hands it over"
            )
        if target is not None:
            _print_mapping(example, target, path)


def _skeletons(path: Path, settings: ReadSettings) -> dict[Skeleton, SkeletonSequence | None]:
    """The skeletons at a path, each with a recording of it where there is one."""
    from motionprint.skeleton import SKELETONS, Skeleton
    from motionprint.store.dataset import FILES, open_dataset

    if not path.exists() and (str(path) in SKELETONS or path.suffix == ".toml"):
        return {Skeleton.resolve(str(path)): None}
    if path.suffix == ".toml":
        return {Skeleton.from_toml(path): None}
    if is_run(path):
        from motionprint.training import load_run

        return {load_run(path).skeleton: None}
    if any((path / file).exists() for file in FILES):
        dataset = open_dataset(path)
        return {dataset.skeleton: dataset[0] if len(dataset) else None}
    from motionprint.readers import read_all

    found: dict[Skeleton, SkeletonSequence | None] = {}
    for sequence in read_all(path, settings):
        found.setdefault(sequence.skeleton, sequence)
    return found


def _print_tree(skeleton: Skeleton, title: str) -> None:
    """The joints with their body part, and what else they are, in the colour of the part."""
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    from motionprint.skeleton import BODY_PARTS

    part_of = {joint: part for part, joints in enumerate(skeleton.body_parts) for joint in joints}
    pairs = dict(skeleton.left_right) | {right: left for left, right in skeleton.left_right}
    roles: dict[int, list[str]] = {}
    for named, pair in (("left hip", "right hip"), skeleton.hips), (("low spine", "high spine"), skeleton.spine):
        for role, joint in zip(named, pair or (), strict=False):
            roles.setdefault(joint, []).append(role)
    width = max(len(name) + 4 * len(skeleton.ancestors(joint)) for joint, name in enumerate(skeleton.joint_names))
    branches: dict[int, Tree] = {}
    for joint in _parents_first(skeleton):
        name, part = skeleton.joint_names[joint], part_of.get(joint)
        facts = [BODY_PARTS[part] if part is not None else "no part" if part_of else ""]
        facts += [f"pair {skeleton.joint_names[pairs[joint]]}"] if joint in pairs else []
        facts += [role.upper() for role in roles.get(joint, [])]
        label = Text(name, style="bold" if joint in roles else "")
        label.append(" " * (width - len(name) - 4 * len(skeleton.ancestors(joint)) + 2))
        label.append(", ".join(fact for fact in facts if fact), style=_COLOURS[part] if part is not None else "dim")
        parent = skeleton.parents[joint]
        branches[joint] = Tree(label) if parent == -1 else branches[parent].add(label)
    console = Console(highlight=False, soft_wrap=True)
    counts = [f"{part} {len(joints)}" for part, joints in zip(BODY_PARTS, skeleton.body_parts, strict=False)]
    click.echo(f"{title}: {len(skeleton)} joints; {', '.join(counts) or 'no body parts'}; {len(pairs) // 2} pairs")
    console.print(branches[skeleton.root], soft_wrap=True)
    for what, pair in (("hips", skeleton.hips), ("spine", skeleton.spine)):
        names = "not known" if pair is None else f"{skeleton.joint_names[pair[0]]}, {skeleton.joint_names[pair[1]]}"
        click.echo(f"{what}: {names}")


def _print_mapping(example: SkeletonSequence | None, target: Skeleton, path: Path) -> None:
    from motionprint.cli.tables import print_table
    from motionprint.errors import SettingsError
    from motionprint.rigs import mapping

    if example is None:
        raise SettingsError(f"{path}: --map-to: expected recordings, found a skeleton alone")

    def made_of(parts: Mapping[str, float]) -> str:
        if not parts:
            return "cannot be found"
        return " + ".join(name if share == 1 else f"{share:.0%} {name}" for name, share in parts.items())

    rows = [(joint, made_of(parts)) for joint, parts in mapping(example, target).items()]
    print_table(f"\non {target.name or 'the skeleton'} (--map-to)", ["joint", "made of"], rows, left=2)


def _parents_first(skeleton: Skeleton) -> list[int]:
    from motionprint.kinematics import parents_first

    return parents_first(skeleton.parents)
