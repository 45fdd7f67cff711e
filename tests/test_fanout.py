"""Work handed out to a Dask cluster: in order, the same bytes, and one line for whatever fails."""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import motionprint
from motionprint import fanout
from motionprint.errors import CheckpointError, DatasetError, ReadError, SettingsError
from motionprint.evaluation import embed
from motionprint.fanout import ordered
from motionprint.readers import ReadSettings, read
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import open_dataset, write_dataset
from motionprint.training import Run, configure, load_run, save_run, train_on

distributed = pytest.importorskip("distributed")
embedding = importlib.import_module("motionprint.evaluation.embed")  # the package's own `embed` is the function

TINY = {"encoder_units": 8, "decoder_units": 4, "discriminator_units": 2, "steps": 2, "batch_size": 4}
KINECT = SKELETONS["kinect20"]


@pytest.fixture(scope="module")
def processes() -> Iterator[Any]:
    """Three workers of one thread, each a process of its own; the scheduler in another thread of this one."""
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        yield cluster


@pytest.fixture
def threads() -> Iterator[Any]:
    """One worker of two threads within this process."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        yield cluster


# ---- in order ------------------------------------------------------------------------------------------------------


def _later_is_faster(number: int) -> int:
    time.sleep(0.02 * (10 - number % 10))
    return number * number


def test_results_come_in_order_and_tasks_are_taken_as_they_are_needed(threads: Any) -> None:
    for scheduler, ahead in ((None, 1), (threads.scheduler_address, 2 * fanout.AHEAD)):
        taken: list[int] = []

        def tasks(taken: list[int] = taken) -> Iterator[int]:
            for number in range(20):
                taken.append(number)
                yield number

        results = ordered(_later_is_faster, tasks(), scheduler)
        for number in range(20):
            assert next(results) == number * number
            assert len(taken) <= number + ahead
        assert list(results) == []


def _who(_: int) -> str:
    time.sleep(0.01)
    return str(distributed.get_worker().address)


def test_workers_that_come_later_get_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "POLL", 0.05)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        taken: list[int] = []
        results = ordered(_who, (taken.append(number) or number for number in range(10**9)), cluster.scheduler_address)
        first = {next(results) for _ in range(5)}
        assert len(first) == 1 and len(taken) - 5 < fanout.AHEAD
        cluster.scale(4)
        known, ahead = set(first), 0
        for given in range(6, 3000):
            known.add(next(results))
            ahead = max(ahead, len(taken) - given)
            if len(known) == 4 and ahead == 4 * fanout.AHEAD - 1:
                break
        assert (len(known), ahead) == (4, 4 * fanout.AHEAD - 1)
        results.close()


def test_results_that_nobody_wants_any_more_are_given_up(threads: Any) -> None:
    results = ordered(_later_is_faster, range(10**9), threads.scheduler_address)
    assert next(results) == 0
    results.close()
    for _ in range(200):
        if not threads.scheduler.tasks:
            break
        time.sleep(0.05)
    assert not threads.scheduler.tasks and not [name for name in threads.scheduler.clients if name != "fire-and-forget"]


# ---- what fails ----------------------------------------------------------------------------------------------------


def _fails(task: Exception) -> None:
    raise task


@pytest.mark.parametrize(
    "error",
    [
        ReadError("expected 96 values, found 95", file="walk.bvh", line=41),
        DatasetError("r1: expected a complete recording"),
        TimeoutError("of the task"),
        KeyError("unforeseen"),
    ],
)
def test_a_failure_of_a_task_is_that_of_the_caller(threads: Any, error: Exception) -> None:
    for scheduler in (None, threads.scheduler_address):
        with pytest.raises(type(error)) as found:
            list(ordered(_fails, [error], scheduler))
        assert str(found.value) == str(error)


def test_without_dask_a_scheduler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SettingsError, match=r"^a scheduler needs Dask: expected the package distributed \(pip install"):
        list(ordered(abs, [1], "tcp://127.0.0.1:8786"))


def test_a_scheduler_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    broken = tmp_path / "scheduler.json"
    broken.write_text("[]", encoding="utf-8")
    for address in (f"tcp://127.0.0.1:{port}", "nonsense", "foo://x:1", str(tmp_path / "none.json"), str(broken)):
        with pytest.raises(DatasetError) as found:
            list(ordered(abs, [1], address, timeout=0.5))
        assert str(found.value) == (
            f"{address}: expected the address of a Dask scheduler (tcp://host:8786) or its scheduler file, "
            "found none that answers within 0.5 s"
        )


def test_a_scheduler_without_workers() -> None:
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster:
        address = cluster.scheduler_address
        with pytest.raises(DatasetError) as found:
            list(ordered(abs, [1], address, timeout=0.5))
    assert str(found.value) == f"{address}: expected workers of the Dask scheduler, found none for 0.5 s"


def test_workers_that_go_and_never_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "POLL", 0.1)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        results = ordered(_later_is_faster, range(10**9), cluster.scheduler_address, timeout=0.5)
        assert next(results) == 0
        cluster.scale(0)
        with pytest.raises(DatasetError, match=r": expected workers of the Dask scheduler, found none for 0.5 s$"):
            list(results)


def test_a_scheduler_that_is_lost() -> None:
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        results = ordered(_later_is_faster, range(10**9), cluster.scheduler_address, timeout=1)
        assert next(results) == 0
        cluster.close()
        with pytest.raises(DatasetError, match=r": the Dask scheduler was lost before the work was done$"):
            list(results)


SHORT_LIVED = """
import os, signal, time
from distributed import LocalCluster
with LocalCluster(
    n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", protocol="tcp://"
) as cluster:
    print(cluster.scheduler_address, flush=True)
    while not cluster.scheduler.tasks:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are not killed like this here")
def test_the_command_line_says_in_one_line_that_a_scheduler_was_killed(run: Run, dataset: Path, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SHORT_LIVED], stdout=subprocess.PIPE, text=True) as scheduler:
        assert scheduler.stdout is not None
        address = scheduler.stdout.readline().strip()
        command = [
            sys.executable,
            "-m",
            "motionprint",
            "embed",
            run.folder,
            dataset,
            "--out",
            tmp_path / "prints.parquet",
        ]
        try:
            done = subprocess.run(
                [*map(str, command), "--scheduler", address, "--quiet"], capture_output=True, text=True, check=False
            )
        finally:
            scheduler.kill()
    said = f"motionprint: {address}: the Dask scheduler was lost before the work was done\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)
    assert list(tmp_path.iterdir()) == []


def test_dask_warns_of_no_versions_meanwhile_and_logs_as_before_afterwards(
    threads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = distributed.versions.get_versions

    def other() -> dict[str, Any]:
        found: dict[str, Any] = told()
        found["packages"]["msgpack"] = "0.0"
        return found

    monkeypatch.setattr(distributed.versions, "get_versions", other)  # of the client: the worker has said its own
    with pytest.warns(distributed.versions.VersionMismatchWarning, match="msgpack"):
        distributed.Client(threads.scheduler_address, set_as_default=False).close()
    logger = logging.getLogger("distributed.client")
    before = warnings.filters[:], logger.level
    results = ordered(abs, [-1, -2], threads.scheduler_address)
    assert next(results) == 1 and logger.level == logging.CRITICAL
    assert list(results) == [2]
    assert (warnings.filters[:], logger.level) == before


def test_workers_that_die_over_a_task_are_not_tried_for_ever() -> None:
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        cluster.scheduler.allowed_failures = 0
        with pytest.raises(DatasetError, match=r": workers ended over their work, time and again \(out of memory\?\)"):
            list(ordered(os._exit, [3], cluster.scheduler_address))


def test_workers_with_another_version_are_refused(processes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = torch.__version__
    monkeypatch.setattr(torch, "__version__", "1.0")  # here; the workers are other processes
    message = rf": expected torch 1\.0 on every worker, as here, found {re.escape(found)} on tcp://\S+$"
    with pytest.raises(SettingsError, match=message):
        list(ordered(abs, [1], processes.scheduler_address, packages=("torch",)))
    with pytest.raises(SettingsError, match=rf"^expected torch {re.escape(found)} on every worker, found 1\.0 on one$"):
        fanout._checked(abs, 1, {"torch": found})  # on a worker that came later


def test_workers_without_motionprint_are_refused_and_live_on(processes: Any) -> None:
    def hide() -> None:
        import sys

        sys.modules["hidden"], sys.modules["motionprint"] = sys.modules["motionprint"], None  # type: ignore[assignment]

    def show() -> None:
        import sys

        sys.modules["motionprint"] = sys.modules.pop("hidden")

    address = processes.scheduler_address
    assert list(ordered(abs, [-1], address)) == [1]
    with distributed.Client(processes, set_as_default=False) as client:
        client.run(hide)
        with pytest.raises(
            SettingsError, match=r": expected motionprint \S+ on every worker, as here, found none on tcp"
        ):
            list(ordered(abs, [1], address))
        client.run(show)
    assert list(ordered(abs, [-1], address)) == [1]


def test_workers_that_do_not_say_their_versions() -> None:
    def spoil(what: str) -> None:
        import os
        import sys
        import time

        class Module:
            __spec__ = None

            @property
            def __version__(self) -> str:
                if what == "hangs":
                    time.sleep(2)
                    return "1.0"
                if what == "fails":
                    raise OSError("libcudart.so.12: cannot open\nshared object file")
                os._exit(3)

        sys.modules["spoilt"] = Module()  # type: ignore[assignment]

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        for what, timeout, found in (
            ("fails", 30, "OSError: libcudart.so.12: cannot open shared object file"),
            ("hangs", 0.5, "no answer"),
            ("ends", 30, r"\w+: .*"),
        ):
            client.run(spoil, what)
            message = (
                rf"^tcp://head: expected every worker to say its versions within {timeout} s, found {found} on tcp:"
            )
            with pytest.raises(DatasetError, match=message) as error:
                fanout._check_workers(client, "tcp://head", {"spoilt": "1.0"}, timeout)
            assert "\n" not in str(error.value)


def test_a_scheduler_without_motionprint_is_told_apart() -> None:
    """Dask's own words for it, which are several lines."""
    error = RuntimeError("Error during deserialization of the task graph. This frequently\noccurs if")
    found = fanout._explained(error, "error", "tcp://host:8786")
    assert isinstance(found, SettingsError)
    assert str(found).startswith(
        f"tcp://host:8786: expected motionprint {motionprint.__version__} and all that it needs "
    )
    assert "\n" not in str(found)


# ---- embed ---------------------------------------------------------------------------------------------------------


def _recordings(count: int = 40) -> list[SkeletonSequence]:
    """Joints that swing, 2 to 160 frames; one so long that it is cut into windows."""
    random = np.random.default_rng(0)
    made = []
    for number in range(count):
        frames = 700 if number == 17 else int(random.integers(2, 161))
        rest, rate = random.normal(size=(2, len(KINECT), 3))
        positions = (0.4 * rest + 0.1 * np.sin(rate * np.arange(frames)[:, None, None] / 5)).astype(np.float32)
        label = "walk" if number % 2 else None
        made.append(SkeletonSequence(positions, 30.0, KINECT, name=f"r{number}", label=label, source=f"r{number}.json"))
    return made


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("fanout") / "data", _recordings()).folder


def _saved(sequences: list[SkeletonSequence], folder: Path) -> Path:
    config, recipe = configure(sequences[0].skeleton, changes=TINY)
    save_run(train_on(sequences, config, recipe, device="cpu"), folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load_run(_saved(_recordings(5), tmp_path_factory.mktemp("fanout") / "run"))


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty recordings make many ranges: they are cut where the command is given, and workers take them as they are."""
    monkeypatch.setattr(embedding, "RECORDINGS", 7)
    monkeypatch.setattr(embedding, "FILES", 2)


def test_a_cluster_writes_the_same_bytes(
    run: Run, dataset: Path, takes: Path, processes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data set and a folder of motion files, on 3, 2 and 1 workers, by paths that only hold where they are given."""
    bvh = load_run(_saved(read(takes / "wave"), tmp_path / "bvh"))
    address = processes.scheduler_address
    monkeypatch.chdir(dataset.parent)
    for which, source, options in (
        (run, Path(dataset.name), {"features": "both"}),
        (run, dataset, {"window": 1.0, "stride": 0.7}),
        (bvh, takes, {"reading": ReadSettings(unit="cm")}),
    ):
        calls: dict[str | None, list[Any]] = {None: [], address: []}
        for scheduler, seen in calls.items():
            out = tmp_path / f"{scheduler is None}.parquet"
            done = embed(
                *(which, [source], out),
                **options,
                scheduler=scheduler,
                overwrite=True,
                report=lambda *call, seen=seen: seen.append(call),
            )
            assert done.prints == pq.read_metadata(out).num_rows >= 18
        assert _sha256(tmp_path / "True.parquet") == _sha256(tmp_path / "False.parquet")
        assert calls[None] == calls[address] and len(calls[None]) > 5
    local = tmp_path / "local.parquet"
    embed(run, [dataset], local)
    workers = list(processes.workers.values())
    client = distributed.Client(processes, set_as_default=False)
    for fewer in (2, 1):
        client.retire_workers([worker.worker_address for worker in workers[fewer:]], close_workers=True, remove=True)
        out = tmp_path / f"{fewer}.parquet"
        embed(run, [dataset], out, scheduler=address)
        assert _sha256(out) == _sha256(local)
    client.close()


def test_threads_of_a_worker_take_turns_and_leave_the_number_of_threads_as_it_was(
    run: Run, dataset: Path, threads: Any, tmp_path: Path
) -> None:
    embed(run, [dataset], tmp_path / "local.parquet")
    before = torch.get_num_threads()
    embed(run, [dataset], tmp_path / "threads.parquet", scheduler=threads.scheduler_address)
    assert torch.get_num_threads() == before
    assert _sha256(tmp_path / "threads.parquet") == _sha256(tmp_path / "local.parquet")


def test_a_run_and_sources_that_workers_cannot_use(run: Run, dataset: Path, threads: Any, tmp_path: Path) -> None:
    address, out = threads.scheduler_address, tmp_path / "prints.parquet"
    with pytest.raises(
        SettingsError, match=r"^expected a run that was loaded from a folder with a scheduler, found one "
    ):
        embed(replace(run, folder=None), [dataset], out, scheduler=address)
    broken = _recordings(9)
    broken[8].positions[:] = np.nan
    write_dataset(tmp_path / "broken", broken)
    with pytest.raises(DatasetError, match=r"^r8: expected a joint recorded in at least one frame, found all values m"):
        embed(run, [dataset, tmp_path / "broken"], out, scheduler=address)
    assert not out.exists()


def test_workers_refuse_other_weights_and_paths_that_lead_nowhere(run: Run, dataset: Path, tmp_path: Path) -> None:
    how = embedding._How("states", None, None, ReadSettings(), 1)
    job, part = embedding._job(run, how), embedding._Range(0, "data", str(dataset), 40, open_dataset(dataset)[:3].index)
    assert embedding._work_there(job, part).recordings == 3
    with pytest.raises(CheckpointError, match=rf": expected the weights 0{{12}} of .*, found {run.model_hash[:12]}$"):
        embedding._work_there(replace(job, model_hash=64 * "0"), part)
    with pytest.raises(
        DatasetError, match=r"none: expected every worker to read it at the same place as where .* given"
    ):
        embedding._work_there(job, replace(part, path=str(tmp_path / "none")))


def test_a_worker_reads_a_data_set_that_was_replaced_anew(run: Run, tmp_path: Path) -> None:
    """A worker outlives commands; what it has opened may be another data set by the next one."""
    how = embedding._How("states", None, None, ReadSettings(), 1)
    names, parts = [], []
    for recordings in (_recordings(2), _recordings(4)[2:]):
        write_dataset(tmp_path / "data", recordings, overwrite=True)
        parts += list(embedding._ranges([tmp_path / "data"], how, {}))
        names.append(embedding._work_there(embedding._job(run, how), parts[-1]).rows["name"].to_pylist())
    assert names == [["r0", "r1"], ["r2", "r3"]]
    with pytest.raises(
        DatasetError, match=r"positions\.npy: has changed since the data set was opened: expected \d+ b"
    ):
        embedding._work_there(embedding._job(run, how), parts[0])


def test_a_worker_lists_files_once_for_every_command(
    run: Run, make_takes: Callable[[Path], Path], tmp_path: Path
) -> None:
    takes = make_takes(tmp_path / "takes")
    how = embedding._How("states", None, None, ReadSettings(), 1)
    job, part = embedding._job(run, how), embedding._Range(0, "takes", str(takes), files=("wave/anna_0.bvh",))
    source = embedding._source(job, part)
    assert len(source.names()) == 18
    (takes / "wave" / "body.asf").write_text("found for AMC files that lie beside it", encoding="utf-8")
    assert embedding._source(job, part) is source
    assert "wave/body.asf" in embedding._source(embedding._job(run, how), part).names()


@pytest.mark.parametrize("cluster", [False, True])
@pytest.mark.parametrize("change", ["cut", "replaced"])
def test_a_data_set_that_changes_while_it_is_embedded(
    run: Run, threads: Any, tmp_path: Path, cluster: bool, change: str
) -> None:
    """Here, one that was replaced can still be read; workers would read another under the index of the first."""
    data = write_dataset(tmp_path / "data", _recordings()).folder
    seen: list[str] = []

    def act(done: int, total: int | None, text: str) -> None:
        if not seen and change == "cut":
            with embedding._alone:  # not between a worker's look at the size and its copying, which nothing can help
                os.truncate(data / "positions.npy", 5000)
        elif not seen:
            write_dataset(data, _recordings()[::-1], overwrite=True)
        seen.append(text)

    def go(out: Path) -> None:
        embed(run, [data], out, scheduler=threads.scheduler_address if cluster else None, report=act)

    if change == "replaced" and not cluster:
        go(tmp_path / "prints.parquet")
        assert pq.read_table(tmp_path / "prints.parquet")["name"].unique().to_pylist() == [f"r{n}" for n in range(40)]
    else:
        with pytest.raises(DatasetError, match=r"positions\.npy: (has changed since|expected an array of positions)"):
            go(tmp_path / "prints.parquet")
        assert not (tmp_path / "prints.parquet").exists() and len(seen) < 6
