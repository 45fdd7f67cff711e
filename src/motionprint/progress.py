"""How long work says how far it is: the library never prints, it calls whoever asked to know."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Report"]

Report = Callable[[int, int | None, str], None]
"""Called with what is done, with how much there is in all (or None), and with a line of text."""
