"""Classes of too few recordings: their recordings stay, without a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["without_small_classes"]


def without_small_classes(index: pd.DataFrame, least: int | None) -> tuple[pd.DataFrame, dict[str, int]]:
    """The index in which the sequences of a class with fewer than ``least`` have no label; these classes, counted.

    The index is of what is in the data set: what was left out does not count. None keeps every label.
    """
    labels = index["label"]
    sizes = labels.value_counts()
    small = {} if least is None else {str(name): int(size) for name, size in sizes.items() if size < least}
    kept = index.assign(label=labels.where(~labels.isin(list(small)), None)) if small else index
    return kept, dict(sorted(small.items()))
