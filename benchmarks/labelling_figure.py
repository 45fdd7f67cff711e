"""The figure of docs/labelling.md: accuracy against labels, at random and suggested, from rows of `labelling.py`.

    python benchmarks/labelling_figure.py FIGURE.png ROWS.jsonl...

Of each file a panel: the mean over seeds and one standard deviation to either side.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

WAYS = (
    ("probe", "#8A8A8A", "s", "a linear probe, labels at random"),
    ("random", "#0072B2", "o", "label, labels at random"),
    ("suggest", "#D55E00", "^", "label, labels that it suggests"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", type=Path, help="the picture to make")
    parser.add_argument(
        "rows", metavar="ROWS", nargs="+", type=Path, help="what labelling.py --json wrote, a data set each"
    )
    arguments = parser.parse_args()
    figure = Figure(figsize=(3.1 * len(arguments.rows), 3.4), dpi=150, facecolor="white", layout="constrained")
    panels = figure.subplots(1, len(arguments.rows), squeeze=False)[0]
    for ax, file in zip(panels, arguments.rows, strict=True):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        amounts = sorted({row["labels_per_class"] for row in rows})
        for way, colour, marker, name in WAYS:
            values = [
                [100 * row["accuracy"] for row in rows if row["way"] == way and row["labels_per_class"] == amount]
                for amount in amounts
            ]
            mean, spread = np.array([np.mean(each) for each in values]), np.array([np.std(each) for each in values])
            places = np.arange(len(amounts))
            ax.fill_between(places, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
            ax.plot(places, mean, color=colour, marker=marker, markersize=4.5, linewidth=1.6, label=name)
        ax.set_xticks(range(len(amounts)), [str(amount) for amount in amounts])
        ax.set_xlabel("labels a class, on average")
        ax.set_title(f"{rows[0]['dataset']}, {rows[0]['protocol']}", fontsize=10, loc="left")
        ax.grid(axis="y", color="#E4E4E4", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("accuracy on test recordings, %")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(arguments.figure)


if __name__ == "__main__":
    main()
