"""How the model that comes with motionprint is made.

    python benchmarks/shipped_model.py CMU_AMC CMU_BVH --out RUN [--steps 2000] [--seed 0]

CMU_AMC and CMU_BVH are archives or folders of CMU trials at 30 frames/s, as ASF/AMC and as BVH; of trials that are in
both the AMC is taken. They and the built-in data set `synthetic` are brought onto the skeleton body14 and learned from
together, without labels: preset small, each recording scaled by its own extent (whose files say no unit, or a wrong
one, gets the same prints). RUN has what `load_run` needs and no more: src/motionprint/models/cmu-small is such a
folder, with its card beside the weights. The card has its figures on recordings that it has not seen, with commands.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from motionprint.prepare import prepare
from motionprint.store import open_dataset, write_dataset
from motionprint.training import pretrain, save_run
from motionprint.training.run import LOG

SKELETON = "body14"


def main() -> None:
    """Prepare, merge, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("amc", type=Path)
    parser.add_argument("bvh", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    command = shlex.join(["python", *sys.argv])
    with TemporaryDirectory() as place:
        work = Path(place)
        prepare("cmu", given.amc, work / "amc", fps=30, labels="none", map_to=SKELETON)
        prepare("cmu", given.bvh, work / "bvh", labels="none", map_to=SKELETON)
        prepare("synthetic", None, work / "synthetic", map_to=SKELETON)
        amc, bvh, synthetic = (open_dataset(work / name) for name in ("amc", "bvh", "synthetic"))
        known = set(amc.names)
        others = [number for number, name in enumerate(bvh.names) if name not in known]
        merged = write_dataset(
            work / "cmu+synthetic",
            chain(amc, bvh.subset(others), synthetic),
            prepare={"preprocessing": amc.defaults},
        )
        print(f"{len(amc)} trials as AMC, {len(others)} more as BVH, {len(synthetic)} of synthetic", flush=True)
        run = pretrain(
            merged,
            work / "run",
            preset="small",
            changes={"scaling": "sequence"},
            steps=given.steps,
            seed=given.seed,
            device="cpu",
            command=command,
            report=lambda done, total, text: print(done, total, text, flush=True) if done % 20 == 0 else None,
        )
        save_run(replace(run, log=(work / "run" / LOG).read_text(encoding="utf-8")), given.out)


if __name__ == "__main__":
    main()
