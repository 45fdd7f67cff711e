"""Names and short lists, checked while the command line is read, and answered with the known ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import click

__all__ = ["UNITS", "one_of", "one_or_all", "settings", "several"]

UNITS = ("m", "cm", "mm", "inch", "cmu")
"""Length units that files may be said to have; `cmu` is 1/0.45 inch (CMU's BVH conversions)."""


def one_of(known: Callable[[], Iterable[str]]) -> Callable[[click.Context, click.Parameter, str], str]:
    """A callback for one of a table's names; the table is loaded only when there is a name to look up."""

    def check(context: click.Context, parameter: click.Parameter, value: str) -> str:
        names = list(known())
        if value not in names:
            raise click.BadParameter(f"found {value!r}, expected one of {', '.join(names)}", context, parameter)
        return value

    return check


def several(known: Iterable[str]) -> Callable[[click.Context, click.Parameter, str], tuple[str, ...]]:
    """A callback for names separated by commas."""
    names = tuple(known)

    def check(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
        found = tuple(word.strip() for word in value.split(","))
        for word in found:
            if word not in names:
                raise click.BadParameter(f"found {word!r}, expected some of {', '.join(names)}", context, parameter)
        return tuple(dict.fromkeys(found))

    return check


def one_or_all(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int | Literal["all"], ...]:
    """A callback for positive whole numbers and the word `all`, separated by commas."""
    found: list[int | Literal["all"]] = []
    for word in (part.strip() for part in value.split(",")):
        if word == "all":
            found.append("all")
        elif word.isascii() and word.isdigit() and int(word) > 0:
            found.append(int(word))
        else:
            raise click.BadParameter(
                f"found {word!r}, expected positive whole numbers or `all`, separated by commas", context, parameter
            )
    return tuple(dict.fromkeys(found))


def settings(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """A callback for repeated `FIELD=VALUE`."""
    found = {}
    for value in values:
        field, equals, text = value.partition("=")
        if not (field.isidentifier() and equals and text):
            raise click.BadParameter(f"found {value!r}, expected FIELD=VALUE", context, parameter)
        found[field] = text
    return found
