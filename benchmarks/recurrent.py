"""The recurrent scan beside nn.GRU and nn.LSTM: forward and backward of two layers over 64 sequences of 7 to 35 frames.

    python benchmarks/recurrent.py [--threads N] [--json FILE]

Printed: milliseconds (median of the rounds, taken in turns), and how many times as fast as PyTorch's kernels on packed
and on padded sequences the scan is.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median

import torch
from torch.nn.utils.rnn import PackedSequence

from motionprint.batches import Packing
from motionprint.networks import RecurrentLayers

ROUNDS = 9
SIZES = tuple(
    (cell, *size) for cell in ("gru", "lstm") for size in ((128, True), (128, False), (400, True), (800, False))
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = []
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    heads = ("cell", "units", "directions", "scan ms", "packed ms", "padded ms", "x packed", "x padded")
    print(" ".join(f"{head:>10}" for head in heads))
    for cell, hidden, bidirectional in SIZES:
        torch.manual_seed(0)
        lengths = tuple(sorted(torch.randint(7, 36, (64,)).tolist(), reverse=True))
        packing = Packing(lengths)
        frames = torch.randn(sum(lengths), 93)
        padded = torch.randn(max(lengths), len(lengths), 93)
        layers = RecurrentLayers(93, hidden, 2, bidirectional=bidirectional, cell=cell)
        ways = {
            "scan": lambda: layers(frames, packing)[0],  # noqa: B023
            "packed": lambda: layers.cell(PackedSequence(frames, packing.batch_sizes))[0].data,  # noqa: B023
            "padded": lambda: layers.cell(padded)[0],  # noqa: B023
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                layers.zero_grad(set_to_none=True)
                started = time.perf_counter()
                way().sum().backward()
                times[name].append(time.perf_counter() - started)
        scan, packed, other = (1e3 * median(times[name]) for name in ("scan", "packed", "padded"))
        directions = 2 if bidirectional else 1
        print(f"{cell:>10} {hidden:>10} {directions:>10} {scan:>10.1f} {packed:>10.1f} {other:>10.1f}", end=" ")
        print(f"{packed / scan:>10.2f} {other / scan:>10.2f}", flush=True)
        rows.append(
            {
                "cell": cell,
                "units": hidden,
                "directions": directions,
                "scan_ms": scan,
                "packed_ms": packed,
                "padded_ms": other,
            }
        )
    if arguments.json:
        table = {"torch": torch.__version__, "threads": torch.get_num_threads(), "rows": rows}
        arguments.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
