"""The log of a run, also while it is being written."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from motionprint import DatasetError
from motionprint.training.checkpoints import State
from motionprint.training.log import Log, read_log

WHOLE = "step,epoch,seconds,a,loss\r\n20,0.5,1.25,0.5,\r\n40,1,2.5,nan,0.25\r\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log.csv"


def _columns(log: dict[str, list[float]]) -> dict[str, list[float | None]]:
    return {name: [None if math.isnan(value) else value for value in values] for name, values in log.items()}


def test_columns_come_by_name_with_nan_where_a_line_has_none(file: Path) -> None:
    file.write_bytes(WHOLE.encode())
    read = {"step": [20, 40], "epoch": [0.5, 1], "seconds": [1.25, 2.5], "a": [0.5, None], "loss": [None, 0.25]}
    assert _columns(read_log(file)) == read and list(read_log(file)) == list(read)


def test_a_log_reads_the_same_wherever_its_last_line_breaks_off(file: Path) -> None:
    """A half number is a number too: only the end of a line tells that it is whole."""
    file.write_bytes(WHOLE.encode())
    before = read_log(file)
    more = b"60,1.5,3.75,0.125,0.5\r\n"
    for length in range(len(more) - 1):
        file.write_bytes(WHOLE.encode() + more[:length])
        assert _columns(read_log(file)) == _columns(before), more[:length]
    file.write_bytes(WHOLE.encode() + more)
    assert read_log(file)["loss"][2:] == [0.5]


def test_bytes_that_a_power_cut_left_at_the_end_are_no_line(file: Path) -> None:
    file.write_bytes(WHOLE.encode() + 40 * b"\0" + b"\xff")
    assert read_log(file)["step"] == [20, 40]


def test_a_log_that_has_just_begun_has_no_line(file: Path) -> None:
    Log(file.parent, ["a"])
    assert read_log(file) == {"step": [], "epoch": [], "seconds": [], "a": [], "a_gradient": []}


def test_what_is_written_is_read_after_each_line(file: Path) -> None:
    log = Log(file.parent, ["a"], measured=["loss"])
    for step in (1, 2, 3):
        log.add({"a": step / 4, "a_gradient": 2.0} | ({"loss": 0.125} if step == 2 else {}))
        log.write(step, step / 2)
        read = _columns(read_log(file))
        assert read["step"] == [1, 2, 3][:step] and read["a"] == [0.25, 0.5, 0.75][:step]
        assert read["loss"] == [None, 0.125, None][:step] and read["epoch"] == [0.5, 1, 1.5][:step]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, r": cannot be read: No such file or directory"),
        ("", r": expected a first column step, and each column once, found ''"),
        ("step,a", r": expected a first column step, and each column once, found ''"),
        ("time,a\n1,2\n", r": expected a first column step, and each column once, found 'time, a'"),
        ("step,a,a\n1,2,3\n", r": expected a first column step, and each column once, found 'step, a, a'"),
        ("step,a\n1,2\n2\n3,4\n", r":3: expected 2 fields, found 1"),
        ("step,a\n1,2,3\n", r":2: expected 2 fields, found 3"),
        ("step,a\n1,2\n\n", r":3: expected 2 fields, found 1"),
        *(
            (f"step,a\n{step},1\n", rf":2: expected a whole number under step, found '{step}'")
            for step in ("", "x", "nan", "-1", "1.5")
        ),
        ("step,a\n1,x\n", r":2: expected a number under a, found 'x'"),
        ('step,a\n1,"2\n3,4\n', r""":2: expected a number under a, found '"2'"""),
        ("step,a\n1," + 500 * "x" + "\n", r":2: expected a number under a, found '" + 80 * "x" + "'"),
        ("step,a\n1,\udcff\n", r":2: expected a number under a, found '\ufffd'"),
    ],
)
def test_what_is_no_log_is_told_in_one_line(file: Path, text: str | None, told: str) -> None:
    if text is not None:
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DatasetError, match=rf"log\.csv{told}$"):
        read_log(file)


def test_a_log_is_gone_on_with_where_it_can_be_read_and_up_to_the_step(file: Path) -> None:
    header, *lines = "step,epoch,seconds,a,a_gradient\n1,0,0.5,1,1\n2,0,1,1,1\n3,0,1.5,1,1\n4,0,2,1,1\n".splitlines(
        True
    )
    spoiled = '1,0,0.5,1,"\n', "x,0,0.5,1,1\n", "1,0,,1,1\n", "1,0\n", "1,0,\0\0,1,1\n", "1,0,0.5,1,1\ufffd\n", "\n"
    file.write_text("".join([header, lines[0], *spoiled, *lines[1:], "3,0,1.5,1,1"]))
    Log(file.parent, ["a"], state=State({}, 3))
    assert file.read_bytes().decode() == "".join([header, *lines[:3]]).replace("\n", "\r\n")
    assert read_log(file)["step"] == [1, 2, 3]


def test_a_log_that_cannot_be_read_is_not_gone_on_with(file: Path) -> None:
    file.mkdir()
    with pytest.raises(DatasetError, match=r"log\.csv: cannot be read: ."):
        Log(file.parent, ["a"])
