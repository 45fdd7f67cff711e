"""An archive of BVH files of four rigs whose labels nobody tells motionprint, and what its prints and labels are worth.

    python benchmarks/archive.py make ARCHIVES --out FOLDER
    python benchmarks/archive.py labels labels.csv truth.csv [--json FILE]
    python benchmarks/archive.py rigs RUN DATASET truth.csv [--json FILE]
    python benchmarks/archive.py gaps RUN ARCHIVES [--json FILE]

`make` wants, in ARCHIVES, berkeley_mhad_30fps.zip, cmu_bvh_30fps.zip, cmu_trials.csv, hdm05_11classes.zip and
nw_ucla.zip (docs/datasets.md says where the data are to be had), and writes into FOLDER `archive/` (studio_a: two
repetitions of all actions of Berkeley MHAD; studio_b: walking, running, dancing, climbing, dribbling of CMU;
studio_c: at most 14 clips a class of HDM05, from ASF/AMC; kinect: two takes of each action and subject of NW-UCLA's
first camera, from JSON at 15 frames/s), `truth.csv` (file, label, rig), in which the same movement has one label
whatever the rig, and `mine.csv`: five recordings of each label, drawn by `numpy.random.default_rng(0)`.

`labels` says how many of the labels that `motionprint label` has predicted are right. `rigs` says, of the prints of a
run and of raw coordinates, standardised: the share of recordings whose nearest neighbour (cosine) has their label, and
is of their rig; of those whose label several rigs have, the share whose nearest neighbour on another rig has it; and
the accuracy of logistic regression on the rest with five labels a class (mean and standard deviation of five draws).
`gaps` hides elbow and wrist of an arm for 0.5, 1 and 2 s in fourth repetitions of Berkeley MHAD, every fourth of them,
which the archive does not have (its people and actions it has), and says how far (cm, mean over the takes) what
`motionprint repair` fills lies from the truth: RUN is of the preset `repair`.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shlex
import sys
import tempfile
import zipfile
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from motionprint import Skeleton, read
from motionprint.convert import convert
from motionprint.evaluation import encode
from motionprint.evaluation.raw import raw_prints
from motionprint.evaluation.rows import provenance
from motionprint.repair import repair
from motionprint.rigs import map_to
from motionprint.store import open_dataset
from motionprint.training import load_run

MHAD = {
    "a01": "jump",
    "a02": "jumping jacks",
    "a04": "punch",
    "a05": "wave",
    "a06": "wave",
    "a07": "clap",
    "a08": "throw",
    "a10": "sit down",
    "a11": "stand up",
}
UCLA = {
    "a01": "pick up",
    "a02": "pick up",
    "a03": "drop trash",
    "a04": "walk",
    "a05": "sit down",
    "a06": "stand up",
    "a08": "donning",
    "a09": "doffing",
    "a11": "throw",
    "a12": "carry",
}
HDM05 = {
    "depositFloorR": "pick up",
    "elbowToKnee1RepsLelbowStart": "elbow to knee",
    "grabHighR": "reach high",
    "hopBothLegs1hops": "jump",
    "jogLeftCircle4StepsRstart": "run",
    "kickLFront1Reps": "kick",
    "lieDownFloor": "lie down",
    "rotateArmsBothBackward1Reps": "rotate arms",
    "sneak2StepsLStart": "sneak",
    "squat1Reps": "squat",
    "throwBasketball": "throw",
}
CMU = {"dribble": "dribble", "climb": "climb", "dance -": "dance"}
A_CLASS = 5
CLIPS = 14

Prints = npt.NDArray[np.float64]
Names = npt.NDArray[np.str_]


def cmu_label(description: str) -> str | None:
    """What a trial of CMU shows, if it is one of the five classes."""
    if "walk" in description and "," not in description:
        return "walk"
    if description in ("run", "run/jog"):
        return "run"
    return next((label for word, label in CMU.items() if word in description and "static" not in description), None)


def make(archives: Path, out: Path) -> None:
    """Write the archive, its labels, and those that are given."""
    rows: list[tuple[str, str, str]] = []

    def add(rig: str, name: str, label: str, content: bytes) -> None:
        path = out / "archive" / rig / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        rows.append((f"{rig}/{name}", label, rig))

    with zipfile.ZipFile(archives / "berkeley_mhad_30fps.zip") as mhad:
        for name in mhad.namelist():
            found = re.fullmatch(r"skl_s\d+_(a\d+)_r0[12]\.bvh", Path(name).name)
            if found:
                add("studio_a", Path(name).name, MHAD[found[1]], mhad.read(name))
    with (archives / "cmu_trials.csv").open(encoding="utf-8") as file:
        trials = {row["trial"]: row["description"] for row in csv.DictReader(file)}
    with zipfile.ZipFile(archives / "cmu_bvh_30fps.zip") as cmu:
        for name in cmu.namelist():
            label = cmu_label(trials.get(Path(name).stem, "")) if name.endswith(".bvh") else None
            if label is not None:
                add("studio_b", Path(name).name, label, cmu.read(name))
    with tempfile.TemporaryDirectory() as place:
        clips = Path(place, "clips")
        with zipfile.ZipFile(archives / "hdm05_11classes.zip") as hdm05:
            of_class = defaultdict(list)
            for name in sorted(hdm05.namelist()):
                if name.lower().endswith(".amc"):
                    of_class[name.split("/")[0]].append(name)
                elif name.lower().endswith(".asf"):
                    hdm05.extract(name, clips)
            for names in of_class.values():
                for name in names[:: max(1, len(names) // CLIPS)][:CLIPS]:
                    hdm05.extract(name, clips)
        convert(clips, Path(place, "studio_c"), format="bvh")
        for path in sorted(Path(place, "studio_c").rglob("*.bvh")):
            add("studio_c", path.name, HDM05[path.parent.name], path.read_bytes())
        with zipfile.ZipFile(archives / "nw_ucla.zip") as ucla:
            taken: Counter[str] = Counter()
            for name in sorted(ucla.namelist()):
                found = re.search(r"(a\d+_s\d+)_e\d+_v01\.json$", name)
                if found and taken[found[1]] < 2:
                    taken[found[1]] += 1
                    Path(place, "kinect_json").mkdir(exist_ok=True)
                    Path(place, "kinect_json", Path(name).name).write_bytes(ucla.read(name))
        convert(Path(place, "kinect_json"), Path(place, "kinect"), format="bvh", fps=15)
        for path in sorted(Path(place, "kinect").glob("*.bvh")):
            add("kinect", path.name, UCLA[path.name[:3]], path.read_bytes())
    truth = pd.DataFrame(sorted(rows), columns=["file", "label", "rig"])
    truth.to_csv(out / "truth.csv", index=False)
    draw = np.random.default_rng(0)
    few = [group.iloc[np.sort(draw.permutation(len(group))[:A_CLASS])] for _, group in truth.groupby("label")]
    pd.concat(few)[["file", "label"]].to_csv(out / "mine.csv", index=False)
    print(f"{out}: {len(truth)} recordings, {truth['label'].nunique()} classes")


def judge_labels(table: Path, truth: Path) -> list[dict[str, Any]]:
    """Rows: how many predicted labels are right, of all, of the surer ones, by rig."""
    labels = pd.read_csv(table).merge(pd.read_csv(truth), left_on="source", right_on="file", suffixes=("", "_true"))
    rest = labels[~labels["given"]]
    right = rest["label"] == rest["label_true"]
    which = {"all": rest["source"] == rest["source"]}
    which |= {f"confidence of {least} and more": rest["confidence"] >= least for least in (0.5, 0.8, 0.9)}
    several = labels.groupby("label_true")["rig"].nunique() > 1
    which["classes of several rigs"] = rest["label_true"].map(several)
    which |= {f"rig {rig}": rest["rig"] == rig for rig in sorted(rest["rig"].unique())}
    which |= {f"label {label}": rest["label_true"] == label for label in sorted(rest["label_true"].unique())}
    return [
        {
            "of": name,
            "given": int(labels["given"].sum()),
            "predicted": int(those.sum()),
            "right": int(right[those].sum()),
            "accuracy": float(right[those].mean()),
        }
        for name, those in which.items()
    ]


def judge_prints(prints: Prints, label: Names, rig: Names) -> dict[str, float]:
    """A row: whether neighbours share label and rig, and what five labels a class are worth."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler, normalize

    scaled = StandardScaler().fit_transform(prints)
    near = normalize(scaled) @ normalize(scaled).T
    np.fill_diagonal(near, -np.inf)
    nearest = near.argmax(axis=1)
    elsewhere = np.where(rig[:, None] == rig[None], -np.inf, near).argmax(axis=1)
    several = np.array([len(set(rig[label == each])) > 1 for each in label])
    found = []
    for seed in range(5):
        draw, given = np.random.default_rng(seed), np.zeros(len(label), dtype=bool)
        for each in np.unique(label):
            given[draw.permutation(np.flatnonzero(label == each))[:A_CLASS]] = True
        fitted = LogisticRegression(max_iter=3000).fit(scaled[given], label[given])
        found.append((fitted.predict(scaled[~given]) == label[~given]).mean())
    return {
        "nearest_same_label": float((label[nearest] == label).mean()),
        "nearest_same_rig": float((rig[nearest] == rig).mean()),
        "nearest_elsewhere_same_label": float((label[elsewhere] == label)[several].mean()),
        "five_labels": float(np.mean(found)),
        "five_labels_deviation": float(np.std(found)),
    }


def judge_rigs(run_name: str, dataset: Path, truth: Path) -> list[dict[str, Any]]:
    """Rows: the prints of a run, and raw coordinates."""
    run, recordings = load_run(run_name, "cpu"), open_dataset(dataset)
    table = pd.read_csv(truth).set_index("file").loc[list(recordings.index["source"])]
    label, rig = table["label"].to_numpy(str), table["rig"].to_numpy(str)
    sequences = [recordings[number] for number in range(len(recordings))]
    kinds = {"prints": encode(run, sequences), "raw": raw_prints(run.recipe, sequences)}
    return [{"run": run_name, "of": kind, **judge_prints(each, label, rig)} for kind, each in kinds.items()]


def judge_gaps(run_name: str, archives: Path) -> list[dict[str, Any]]:
    """Rows: what is filled, by the network and without it."""
    run, body, draw = load_run(run_name, "cpu"), Skeleton.resolve("body14"), np.random.default_rng(0)
    away: dict[tuple[float, str], list[float]] = defaultdict(list)
    with zipfile.ZipFile(archives / "berkeley_mhad_30fps.zip") as mhad, tempfile.TemporaryDirectory() as place:
        for name in sorted(name for name in mhad.namelist() if name.endswith("_r04.bvh"))[::4]:
            take = map_to(read(mhad.extract(name, place))[0], body)
            for seconds in (0.5, 1.0, 2.0):
                frames = round(seconds * take.fps)
                if len(take) < frames + 20:
                    continue
                start, side = draw.integers(10, len(take) - frames - 10), draw.choice(["left", "right"])
                joints = [body.joint_names.index(f"{joint}_{side}") for joint in ("elbow", "wrist")]
                gap = slice(start, start + frames)
                positions = take.positions.copy()
                positions[gap, joints] = np.nan
                for gaps in ("auto", "spline", "line"):
                    filled = repair(run, replace(take, positions=positions), gaps=gaps).sequence.positions
                    apart = np.linalg.norm(filled - take.positions, axis=2)[gap, joints]
                    away[seconds, gaps].append(100 * float(apart.mean()))
    return [
        {"seconds": seconds, "gaps": gaps, "takes": len(found), "cm": float(np.mean(found))}
        for (seconds, gaps), found in away.items()
    ]


def main() -> None:
    """Make the archive, or judge what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest="task", required=True)
    task = tasks.add_parser("make")
    task.add_argument("archives", type=Path)
    task.add_argument("--out", type=Path, required=True)
    task = tasks.add_parser("labels")
    task.add_argument("table", type=Path)
    task.add_argument("truth", type=Path)
    task.add_argument("--json", type=Path)
    task = tasks.add_parser("rigs")
    task.add_argument("run")
    task.add_argument("dataset", type=Path)
    task.add_argument("truth", type=Path)
    task.add_argument("--json", type=Path)
    task = tasks.add_parser("gaps")
    task.add_argument("run")
    task.add_argument("archives", type=Path)
    task.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if asked.task == "make":
        make(asked.archives, asked.out)
        return
    if asked.task == "labels":
        rows = judge_labels(asked.table, asked.truth)
    elif asked.task == "gaps":
        rows = judge_gaps(asked.run, asked.archives)
    else:
        rows = judge_rigs(asked.run, asked.dataset, asked.truth)
    about = provenance(shlex.join(["python", "benchmarks/archive.py", *sys.argv[1:]]))
    for row in rows:
        print(
            "  ".join(f"{name} {value:.3f}" if isinstance(value, float) else str(value) for name, value in row.items())
        )
    if asked.json:
        asked.json.write_text("".join(json.dumps({**row, **about}) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
