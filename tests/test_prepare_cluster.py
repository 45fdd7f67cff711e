"""`prepare --scheduler`: the same bytes, whatever workers there are and wherever they work."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from motionprint.errors import DatasetError, SettingsError
from motionprint.fanout import ordered
from motionprint.prepare import prepare
from motionprint.readers.source import Source, _opened

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two workers, each a process of its own in a folder of its own, where no relative path holds."""
    place, here = tmp_path_factory.mktemp("elsewhere"), Path.cwd()
    os.chdir(place)
    try:
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as cluster:
            os.chdir(here)
            yield cluster
    finally:
        os.chdir(here)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=["folder", "zip"])
def source(request: pytest.FixtureRequest, make_takes: Callable[[Path], Path], tmp_path: Path) -> Path:
    """18 recordings, and one that cannot be read."""
    takes = make_takes(tmp_path / "takes")
    (takes / "wave" / "broken.bvh").write_text("HIERARCHY", encoding="utf-8")
    if request.param == "folder":
        return takes
    with zipfile.ZipFile(tmp_path / "takes.zip", "w") as archive:
        for file in sorted(takes.rglob("*.bvh")):
            archive.write(file, file.relative_to(takes))
    shutil.rmtree(takes)
    return tmp_path / "takes.zip"


def test_a_cluster_writes_the_same_bytes(
    source: Path, elsewhere: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a path that only holds where it is given: it is also what messages have."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("motionprint.prepare.reading.RECORDINGS", 3)
    calls: dict[str | None, list[Any]] = {}
    for scheduler in (None, elsewhere.scheduler_address):
        seen = calls.setdefault(scheduler, [])
        summary = prepare(
            *("folder", source.name, f"data-{scheduler is None}"),
            command="c",
            scheduler=scheduler,
            report=lambda *call, seen=seen: seen.append(call),
        )
        between = ":" if source.suffix == ".zip" else "/"
        assert [each.reason for each in summary.left_out] == [
            f"{source.name}{between}wave/broken.bvh:1: expected ROOT, found the end of the file"
        ]
        assert (summary.sequences, summary.classes) == (18, 3)
    assert contents(tmp_path / "data-True") == contents(tmp_path / "data-False")
    first, second = calls.values()
    assert first == second and len(first) == 19


def test_small_classes_lose_their_label_on_a_cluster_too(
    elsewhere: Any, make_takes: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class is small by what could be read: of six recordings five."""
    takes = make_takes(tmp_path / "takes")
    (takes / "wave" / "anna_0.bvh").write_text("HIERARCHY", encoding="utf-8")
    monkeypatch.setattr("motionprint.prepare.reading.RECORDINGS", 3)
    for scheduler in (None, elsewhere.scheduler_address):
        out = tmp_path / f"data-{scheduler is None}"
        summary = prepare("folder", takes, out, command="c", scheduler=scheduler, least_per_class=6)
        assert (summary.classes, summary.unlabelled, summary.small_classes) == (2, 5, {"wave": 5})
    assert contents(tmp_path / "data-True") == contents(tmp_path / "data-False")


def test_amc_files_find_their_skeleton_on_a_cluster(
    elsewhere: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asf = (
        ":units\n length 1\n angle deg\n:root\n order TX TY TZ RX RY RZ\n axis XYZ\n position 0 0 0\n"
        " orientation 0 0 0\n:bonedata\n begin\n id 1\n name head\n direction 0 1 0\n length 10\n axis 0 0 0 XYZ\n"
        " end\n:hierarchy\n begin\n root head\n end\n"
    )
    (tmp_path / "takes").mkdir()
    for number in range(5):
        rows = "".join(f"{frame}\nroot {frame} {number} 0 0 0 0\n" for frame in range(1, 5))
        (tmp_path / "takes" / f"{number}.amc").write_text(f":FULLY-SPECIFIED\n:DEGREES\n{rows}")
    (tmp_path / "rig").mkdir()
    (tmp_path / "rig" / "body.asf").write_text(asf)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("motionprint.prepare.reading.RECORDINGS", 2)
    for scheduler in (None, elsewhere.scheduler_address):
        out = f"data-{scheduler is None}"
        prepare("folder", "takes", out, skeleton="rig/body.asf", command="c", scheduler=scheduler)
    assert contents(tmp_path / "data-True") == contents(tmp_path / "data-False")


def test_what_fails_on_a_cluster(source: Path, elsewhere: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match=r"^nonsense: expected the address of a Dask scheduler"):
        quick = {**(ordered.__kwdefaults__ or {}), "timeout": 0.5}
        monkeypatch.setattr("motionprint.fanout.ordered.__kwdefaults__", quick)
        prepare("folder", source, tmp_path / "data", scheduler="nonsense")
    monkeypatch.undo()
    with pytest.raises(SettingsError, match="unknown unit 'furlong'"):
        prepare("folder", source, tmp_path / "data", unit="furlong", scheduler=elsewhere.scheduler_address)
    monkeypatch.setattr(Source, "__reduce__", lambda self: (_opened, ("/nowhere/at/all", str(self.path), "")))
    with pytest.raises(DatasetError, match=rf"{source.name}: expected every process to read it at /nowhere/at/all, as"):
        prepare("folder", source, tmp_path / "data", scheduler=elsewhere.scheduler_address)
    assert not (tmp_path / "data").exists()


def test_a_lost_cluster_keeps_what_was_read(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And without a cluster it goes on, with the same bytes."""
    prepare("folder", source, tmp_path / "whole", command="c")
    monkeypatch.setattr("motionprint.prepare.reading.RECORDINGS", 1)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:

        def report(done: int, total: int | None, text: str) -> None:
            if done == 5:
                cluster.close()

        with pytest.raises(DatasetError, match=r": the Dask scheduler was lost before the work was done") as error:
            prepare(
                *("folder", source, tmp_path / "data"),
                command="c",
                scheduler=cluster.scheduler_address,
                report=report,
            )
    assert "of 19 recordings are kept: --resume goes on with them" in error.value.__notes__[0]
    prepare("folder", source, tmp_path / "data", resume=True)
    assert contents(tmp_path / "data") == contents(tmp_path / "whole")


def test_recordings_of_every_corpus_can_be_sent() -> None:
    from motionprint.corpora.corpus import Options
    from motionprint.corpora.synthetic import CORPUS

    recordings = list(CORPUS.recordings(None, Options()))
    sent = pickle.loads(pickle.dumps(recordings[0].read))
    assert (sent()[0].positions == recordings[0].read()[0].positions).all()
