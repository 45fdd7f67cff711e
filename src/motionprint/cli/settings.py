"""`--set FIELD=VALUE`: the fields of the settings' dataclasses, their explanations, and values of their types.

The explanations are read from the source text, so that help needs no import of the library.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click

import motionprint

__all__ = ["Field", "WithSettings", "documented_fields", "typed_changes"]

_FITTED = ("skeleton", "scale", "root_scale")
"""Fields of a recipe that no one sets."""


@dataclass(frozen=True)
class Field:
    """A field of a settings dataclass, as its source has it."""

    owner: str
    name: str
    default: str
    explanation: str


class WithSettings(click.Command):
    """A command whose help explains the fields that `--set` takes."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        owners: dict[str, list[tuple[str, str]]] = {}
        for field in documented_fields(supervised=self.name == "train"):
            line = (field.name, f"{field.explanation} [{field.default}]")
            owners.setdefault(field.owner, []).append(line)
        for owner, lines in owners.items():
            with formatter.section(f"Fields for --set, {owner}"):
                formatter.write_dl(lines)
        super().format_epilog(ctx, formatter)


def documented_fields(supervised: bool = False) -> Iterator[Field]:
    """The fields that `--set` takes: those of every (supervised) method, of training and of the recipe."""
    package = Path(motionprint.__file__).parent
    for file in sorted((package / "methods").glob("*.py")):
        if ("(Classifier):" in file.read_text(encoding="utf-8")) == supervised:
            yield from _fields(file, "Settings")
    yield from _fields(package / "training" / "settings.py", "TrainingSettings")
    if supervised:
        yield from _fields(package / "training" / "settings.py", "SupervisionSettings")
    yield from _fields(package / "preprocessing" / "recipe.py", "Recipe")


def _fields(file: Path, suffix: str) -> Iterator[Field]:
    """The fields with a default, and the string under each, of the dataclasses of a file whose names end so."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if not (isinstance(node, ast.ClassDef) and node.name.endswith(suffix)):
            continue
        for field, below in zip(node.body, node.body[1:], strict=False):
            if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.value):
                continue
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and field.target.id not in _FITTED:
                default = ast.unparse(field.value).strip("'")
                default = default.lower() if default in ("True", "False", "None") else default
                yield Field(node.name, field.target.id, default, " ".join(str(below.value.value).split()))


def typed_changes(method: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Values of the fields' types from their texts; a UsageError names the field, or those that are known."""
    from motionprint.methods import CLASSIFIERS, METHODS
    from motionprint.preprocessing import Recipe
    from motionprint.training import SupervisionSettings, TrainingSettings

    types: dict[str, Any] = {}
    owners: list[Any] = [{**METHODS, **CLASSIFIERS}[method].Settings, TrainingSettings, Recipe]
    for owner in (*owners, SupervisionSettings) if method in CLASSIFIERS else owners:
        types |= {name: kind for name, kind in get_type_hints(owner).items() if name not in _FITTED}
    found = {}
    for name, text in texts.items():
        if name not in types:
            raise click.BadParameter(f"found {name!r}, expected one of {', '.join(types)}", param_hint="--set")
        try:
            found[name] = _typed(types[name], text)
        except ValueError as error:
            raise click.BadParameter(f"{name}: {error}", param_hint="--set") from None
    return found


def _typed(kind: Any, text: str) -> Any:
    """The value of a type that a text stands for."""
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError(f"found {text!r}, expected one of {', '.join(get_args(kind))}")
        return text
    if get_origin(kind) in (Union, UnionType):
        if text.lower() == "none" and NoneType in get_args(kind):
            return None
        return _typed(next(member for member in get_args(kind) if member is not NoneType), text)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"found {text!r}, expected true or false")
        return text.lower() == "true"
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            expected = "a whole number" if kind is int else "a number"
            raise ValueError(f"found {text!r}, expected {expected}") from None
    return text
