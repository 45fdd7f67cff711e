"""The tables of docs/results.md, made from the rows in results/.

python benchmarks/results_tables.py             write them into docs/results.md, between its marks
python benchmarks/results_tables.py --check     exit 1 where the page does not hold what the rows say
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from motionprint.evaluation.rows import read_rows

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "results.md"
ROWS = REPOSITORY / "results"

Row = Mapping[str, Any]

PRINTS = (
    ("states", {"method": "inpainting", "features": "states"}),
    ("F", {"method": "inpainting", "features": "F"}),
    ("untrained encoder, states", {"method": "random", "features": "states"}),
    ("untrained encoder, F", {"method": "random", "features": "F"}),
    ("raw coordinates", {"method": "raw", "features": None}),
)
ALL_LABELS = (
    ("linear", {"task": "linear", "metric": "accuracy", "labels_per_class": None}),
    ("nearest neighbour", {"task": "knn1", "metric": "accuracy", "labels_per_class": None}),
    ("5 neighbours", {"task": "knn5", "metric": "accuracy", "labels_per_class": None}),
    ("Ward ACC", {"task": "ward", "metric": "acc"}),
    ("Ward NMI", {"task": "ward", "metric": "nmi"}),
    ("k-means ACC", {"task": "kmeans", "metric": "acc"}),
    ("k-means NMI", {"task": "kmeans", "metric": "nmi"}),
)
FEW_LABELS = tuple(
    (
        f"{number} label{'s' if number > 1 else ''}, {name}",
        {"task": task, "metric": "accuracy", "labels_per_class": number},
    )
    for number in (1, 2, 5)
    for name, task in (("linear", "linear"), ("nearest", "knn1"))
)
ERRORS = (
    ("hidden, scaled", {"task": "inpaint_hidden", "metric": "rmse_scaled"}),
    ("hidden, cm", {"task": "inpaint_hidden", "metric": "rmse_cm"}),
    ("all, scaled", {"task": "inpaint_all", "metric": "rmse_scaled"}),
    ("all, cm", {"task": "inpaint_all", "metric": "rmse_cm"}),
)
MODELS = (
    ("trained with F, joint loss", {"loss": "joint", "condition": "F"}),
    ("trained with F, element-wise loss", {"loss": "elementwise", "condition": "F"}),
    ("trained without F, joint loss", {"loss": "joint", "condition": "none"}),
    ("trained without F, element-wise loss", {"loss": "elementwise", "condition": "none"}),
    ("diagnostic: F zeroed, joint loss", {"loss": "joint", "condition": "zeroed"}),
    ("diagnostic: F of another recording, joint loss", {"loss": "joint", "condition": "shuffled"}),
    ("no network: as in the first frame", {"method": "first_frame"}),
)


def tables(rows: Sequence[Row]) -> dict[str, str]:
    """The text between each pair of marks of the page."""
    found = {}
    for mark, dataset, protocol in (
        ("nw_ucla cross-view", "nw_ucla", "cross-view"),
        ("nw_ucla cross-view-dedup", "nw_ucla", "cross-view-dedup"),
        ("hdm05", "hdm05", "cross-subject"),
        ("berkeley_mhad", "berkeley_mhad", "cross-subject"),
    ):
        chosen = [row for row in rows if row["dataset"] == dataset and row["protocol"] == protocol]
        joint = [
            row for row in chosen if row["method"] != "inpainting" or (row["loss"], row["condition"]) == ("joint", "F")
        ]
        found[mark] = "\n\n".join(_accuracies(joint, columns) for columns in (ALL_LABELS, FEW_LABELS))
        if not mark.endswith("dedup") and mark != "hdm05":
            found[f"{mark} inpainting"] = _table(chosen, MODELS, ERRORS, lambda values, column: _error(values, column))
    return found


def _accuracies(rows: Sequence[Row], columns: Sequence[tuple[str, Row]]) -> str:
    return _table(rows, PRINTS, columns, lambda values, column: _spread(values, 100, 1))


def _error(values: Sequence[float], column: Row) -> str:
    return _spread(values, 1, 4 if column["metric"] == "rmse_scaled" else 2)


def _spread(values: Sequence[float], factor: float, digits: int) -> str:
    text = f"{factor * mean(values):.{digits}f}"
    if len(values) > 1 and max(values) > min(values):
        text += f" ± {factor * stdev(values):.{digits}f}"
    return text


def _table(rows: Sequence[Row], lines: Any, columns: Any, write: Any) -> str:
    text = ["| | " + " | ".join(name for name, _ in columns) + " |", "| --- |" + " --- |" * len(columns)]
    for name, line in lines:
        cells = []
        for _, column in columns:
            values = _distinct(
                row for row in rows if all(row[key] == value for key, value in {**line, **column}.items())
            )
            cells.append(write(values, column) if values else "-")
        text.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(text)


def _distinct(rows: Iterable[Row]) -> list[float]:
    """One value a seed and sampling: several runs of one seed judge the same untrained encoder and coordinates."""
    return list({(row["seed"], row["sampling"]): row["value"] for row in rows}.values())


def filled(page: str, found: Mapping[str, str]) -> str:
    """The page with the tables between their marks."""
    for mark, text in found.items():
        pattern = re.compile(rf"(<!-- table: {re.escape(mark)} -->\n).*?(<!-- end -->)", re.DOTALL)
        page, count = pattern.subn(lambda match, text=text: f"{match[1]}\n{text}\n\n{match[2]}", page)  # type: ignore[misc]
        if count != 1:
            raise SystemExit(f"{PAGE}: expected the marks of {mark!r} once, found {count}")
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    rows = [row for file in sorted(ROWS.glob("*.jsonl")) for row in read_rows(file)]
    page = PAGE.read_text(encoding="utf-8")
    new = filled(page, tables(rows))
    if check and new != page:
        sys.exit(f"{PAGE}: does not hold what the rows in {ROWS} say; run python benchmarks/results_tables.py")
    if not check:
        PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
