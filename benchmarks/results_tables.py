"""The tables of docs/results.md, performance.md and formats.md, made from results/ and from what benchmarks wrote.

python benchmarks/results_tables.py             write them into the pages, between their marks
python benchmarks/results_tables.py --check     exit 1 where a page does not hold what the files say
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import experiment_tables
import supervised_choice
from motionprint.evaluation.rows import read_rows

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "docs" / "results.md"
PERFORMANCE = REPOSITORY / "docs" / "performance.md"
FORMATS = REPOSITORY / "docs" / "formats.md"
ON_FORMATS = ("corrupted", "readers")
ON_RESULTS = ("alignments", "best-epoch")
ROWS = REPOSITORY / "results"
FIGURES = REPOSITORY / "benchmarks" / "figures"

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
    """The text between each pair of marks of docs/results.md."""
    found = {}
    short = [row for row in rows if row["short"]]
    for mark, preset, dataset, protocol in (
        ("nw_ucla cross-view", "small", "nw_ucla", "cross-view"),
        ("nw_ucla cross-view-dedup", "small", "nw_ucla", "cross-view-dedup"),
        ("hdm05", "small", "hdm05", "cross-subject"),
        ("berkeley_mhad", "small", "berkeley_mhad", "cross-subject"),
        ("nw_ucla paper", "paper", "nw_ucla", "cross-view"),
        ("berkeley_mhad paper", "paper", "berkeley_mhad", "cross-subject"),
    ):
        chosen = [
            row
            for row in rows
            if (row["dataset"], row["protocol"]) == (dataset, protocol)
            and row["preset"] in (preset, None)
            and not row["short"]
        ]
        if not any(row["preset"] == preset for row in chosen):
            continue
        joint = [
            row for row in chosen if row["method"] != "inpainting" or (row["loss"], row["condition"]) == ("joint", "F")
        ]
        wide = (ALL_LABELS, FEW_LABELS) if preset == "small" else (ALL_LABELS,)
        found[mark] = "\n\n".join(_accuracies(joint, columns) for columns in wide)
        if not mark.endswith("dedup") and mark != "hdm05":
            models = MODELS if preset == "small" else [line for line in MODELS if "trained without" not in line[0]]
            models = [line for line in models if preset == "small" or "element-wise" not in line[0]]
            found[f"{mark} inpainting"] = _table(chosen, models, ERRORS, lambda values, column: _error(values, column))
    if short:
        found["precision"] = _precision(short)
    return found


def _precision(rows: Sequence[Row]) -> str:
    """float32 beside bf16, seed by seed."""
    text = ["| | seeds | float32 | bf16 | bf16 - float32, by seed |", "| --- | --- | --- | --- | --- |"]
    measures = [(name, row) for name, row in ALL_LABELS[:2]] + [(name, row) for name, row in ERRORS[:1]]
    for dataset, title in (("nw_ucla", "NW-UCLA, cross-view"), ("berkeley_mhad", "Berkeley MHAD, cross-subject")):
        for name, wanted in measures:
            features = "states" if wanted["task"] != "inpaint_hidden" else None
            values: dict[str, dict[int, float]] = {"float32": {}, "bf16": {}}
            like = {"dataset": dataset, "method": "inpainting", "features": features, "condition": "F", **wanted}
            for row in rows:
                if all(row[key] == value for key, value in like.items()):
                    values[row["changes"].get("precision", "float32")][row["seed"]] = row["value"]
            both = sorted(set(values["float32"]) & set(values["bf16"]))
            if not both:
                continue
            error = wanted["task"] == "inpaint_hidden"
            factor, digits = (1, 4) if error else (100, 1)
            cells = [_spread([values[kind][seed] for seed in both], factor, digits) for kind in ("float32", "bf16")]
            gaps = [factor * (values["bf16"][seed] - values["float32"][seed]) for seed in both]
            cells.append(_spread(gaps, 1, digits))
            text.append(f"| {title}, {'hidden error' if error else name} | {len(both)} | " + " | ".join(cells) + " |")
    return "\n".join(text)


def figures(page: Path) -> dict[str, str]:
    """The text between each pair of marks of a page that comes from a benchmark's file."""
    found = {}
    for file in sorted(FIGURES.glob("*.json")):
        on = FORMATS if file.stem in ON_FORMATS else RESULTS if file.stem in ON_RESULTS else PERFORMANCE
        if on != page:
            continue
        table = json.loads(file.read_text(encoding="utf-8"))
        found[file.stem] = _FIGURES[file.stem](table)
    return found


def _supervised() -> dict[str, str]:
    return supervised_choice.tables(supervised_choice.read(supervised_choice.FIGURES))


def _lines(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in (heads, ["---"] * len(heads), *rows))


def _training(table: Row) -> str:
    def times(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    rows = [
        (
            size,
            row["way"],
            f"{row['ms_per_step']:,.0f}",
            f"{row['frames_per_second']:,.0f}",
            f"{row['gflops']:.1f}",
            f"{row['matrix_gflops']:.1f}",
            f"{row['share']:.0%}",
            times(row["times_plain"]),
            times(row["times_field"]),
        )
        for size, ways in table["sizes"].items()
        for row in ways
    ]
    heads = ("size", "way", "ms a step", "valid frames/s", "GFLOP/s", "matrix products", "share", "x plain", "x field")
    return _lines(heads, rows)


def _epoch(table: Row) -> str:
    rows = [
        (
            size,
            row["precision"],
            *(f"{row[key]:,}" for key in ("batch_size", "sequences", "frames")),
            f"{row['seconds']:.1f}",
        )
        for size, each in table["sizes"].items()
        for row in each
    ]
    return _lines(("size", "precision", "batch", "sub-sequences", "valid frames", "seconds an epoch"), rows)


def _recurrent(table: Row) -> str:
    rows = [
        (
            row["cell"],
            str(row["units"]),
            str(row["directions"]),
            f"{row['scan_ms']:.1f}",
            f"{row['packed_ms'] / row['scan_ms']:.2f}",
            f"{row['padded_ms'] / row['scan_ms']:.2f}",
        )
        for row in table["rows"]
    ]
    return _lines(("cell", "units", "directions", "scan, ms", "x PyTorch packed", "x PyTorch padded"), rows)


def _inference(table: Row) -> str:
    rates, ms = table["frames_per_second"], table["one_sequence_ms"]
    bare = rates["bare encoder"]
    speed = _lines(
        ("", "valid frames/s", "of the bare encoder"),
        [(name, f"{rate:,.0f}", f"{rate / bare:.0%}") for name, rate in rates.items()],
    )
    single = _lines(
        ("one sequence of 35 frames", "median, ms", "95 % below, ms"),
        [(preset, f"{row['median']:.2f}", f"{row['p95']:.2f}") for preset, row in ms.items()],
    )
    peaks = _lines(("sequences", "peak memory of `embed`, MB"), [(t, str(mb)) for t, mb in table["peak_mb"].items()])
    return "\n\n".join((speed, single, peaks))


def _prepare(table: Row) -> str:
    rows = [
        (
            f"{row['files']:,} file{'s' * (row['files'] > 1)}",
            f"{row['frames']:,}",
            f"{row['source_mb']:,.0f}",
            str(row["jobs"]),
            f"{row['seconds']:,.0f}",
            f"{row['cpu_seconds']:,.0f}",
            f"{row['files'] / row['cpu_seconds']:,.0f}" if row["files"] > 1 else "",
            f"{row['frames'] / row['cpu_seconds']:,.0f}",
            f"{row['peak_writer_mb']:,.0f}",
            f"{row['peak_together_mb']:,.0f}",
        )
        for row in table["rows"]
    ]
    heads = ("source", "frames", "MB", "jobs", "s", "processor s", "files a processor s", "frames a processor s")
    return _lines((*heads, "peak MB, writer", "peak MB, all"), rows)


def _scaling(table: Row) -> str:
    first = table["rows"][0]
    rows = [
        (
            f"{row['recordings']:,}",
            f"{row['frames']:,}",
            f"{row['peak_mb']:.0f}",
            f"{row['peak_mb'] / first['peak_mb'] - 1:+.1%}",
            f"{row['prepare_s']:.1f}",
            f"{row['prepare_s'] / row['recordings'] * 1000:.2f}",
            f"{row['step_ms']:.0f}",
        )
        for row in table["rows"]
    ]
    heads = (
        "recordings",
        "frames",
        "peak MB",
        "beside the first",
        "s to the first step",
        "ms a recording",
        "ms a step",
    )
    return _lines(heads, rows)


def _corrupted(table: Row) -> str:
    rows = [
        (
            f"`{row['file']}`",
            row["format"],
            f"{row['refused']:,}",
            f"{row['read']:,}",
            str(len(row["wrong"])),
            f"{row['slowest']:.2f}",
        )
        for row in table["rows"]
    ]
    sums = [f"{sum(row[key] for row in table['rows']):,}" for key in ("refused", "read")]
    rows.append(
        (
            "all",
            "",
            *sums,
            str(sum(len(row["wrong"]) for row in table["rows"])),
            f"{max(row['slowest'] for row in table['rows']):.2f}",
        )
    )
    return _lines(("file", "format", "refused", "read", "wrong", "slowest, s"), rows)


def _readers(table: Row) -> str:
    rows = [
        (
            row["format"],
            f"`{row['file'].rsplit('/', 1)[-1]}`, {row['frames']:,} frames, {row['joints']} joints",
            row["way"],
            f"{row['frames_per_second']:,.0f}",
            "" if row["way"] == "motionprint" else f"{row['times']:.1f}",
        )
        for row in table["rows"]
    ]
    return _lines(("format", "recording", "way", "frames/s", "motionprint is faster by"), rows)


def _alignments(table: Row) -> str:
    """For each protocol: a line an alignment and scaling, the mean over seeds of each kind of prints and probe."""
    kinds = (("raw", "raw coordinates"), ("untrained", "untrained encoder"), ("states", "trained, states"))
    probes = (("linear", "linear"), ("knn1", "nearest"))
    heads = ("alignment", "scaling", *(f"{kind}, {probe}" for _, kind in kinds for _, probe in probes))
    text = []
    for protocol in dict.fromkeys(row["protocol"] for row in table["rows"]):
        lines = []
        chosen = [row for row in table["rows"] if row["protocol"] == protocol]
        for recipe in dict.fromkeys((row["alignment"], row["scaling"]) for row in chosen):
            cells = []
            for kind, _ in kinds:
                like = [r for r in chosen if (r["alignment"], r["scaling"], r["prints"]) == (*recipe, kind)]
                cells += [_spread([r[probe] for r in like], 100, 1) if like else "-" for probe, _ in probes]
            lines.append((*recipe, *cells))
        text.append(f"`{protocol}`:\n\n{_lines(heads, lines)}")
    return "\n\n".join(text)


def _best_epoch(table: Row) -> str:
    """A line a run: the last checkpoint beside the one that did best on the test recordings."""
    rows = [
        (
            f"{row['dataset']}, {row['protocol']}",
            str(row["seed"]),
            f"{100 * row['last']:.1f}",
            f"{100 * row['best']:.1f}",
            f"{100 * (row['best'] - row['last']):.1f}",
        )
        for row in table["rows"]
    ]
    return _lines(("", "seed", "last", "best on the tests", "gain by peeking"), rows)


_FIGURES = {
    "alignments": _alignments,
    "best-epoch": _best_epoch,
    "corrupted": _corrupted,
    "readers": _readers,
    "training": _training,
    "training-h200": _training,
    "epoch-h200": _epoch,
    "recurrent": _recurrent,
    "inference": _inference,
    "inference-paper": _inference,
    "scaling": _scaling,
    "prepare": _prepare,
    "prepare-many": _prepare,
}


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


def filled(page: Path, found: Mapping[str, str]) -> str:
    """A page with the tables between its marks."""
    text = page.read_text(encoding="utf-8")
    for mark, table in found.items():
        pattern = re.compile(rf"(<!-- table: {re.escape(mark)} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = pattern.subn(lambda match, table=table: f"{match[1]}\n{table}\n\n{match[2]}", text)  # type: ignore[misc]
        if count != 1:
            raise SystemExit(f"{page}: expected the marks of {mark!r} once, found {count}")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    rows = [
        {**row, "short": "-300-" in file.stem}  # the runs that compare precisions stand in no other table
        for file in sorted(ROWS.glob("*.jsonl"))
        for row in read_rows(file)
    ]
    for page, found in (
        (RESULTS, {**tables(rows), **figures(RESULTS), **_supervised(), **experiment_tables.tables()}),
        (PERFORMANCE, figures(PERFORMANCE)),
        (FORMATS, figures(FORMATS)),
    ):
        new = filled(page, found)
        if not check:
            page.write_text(new, encoding="utf-8")
        elif new != page.read_text(encoding="utf-8"):
            sys.exit(f"{page}: does not hold what the files say; run python benchmarks/results_tables.py")


if __name__ == "__main__":
    main()
