"""Motion files in one format into motion files in another, and what info says of their skeletons."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionprint.cli import main
from motionprint.convert import Converted, convert
from motionprint.errors import DatasetError, ReadError, SettingsError, SkeletonMismatchError
from motionprint.readers import read
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.store import open_dataset, write_dataset
from motionprint.store.atomic import new_files

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; its exit status, standard output and standard error."""

    def command(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return stop.value.code, out, err

    return command


def two_persons(takes: Path, folder: Path) -> Path:
    """A BVH with two ROOTs."""
    text = (takes / "wave" / "anna_0.bvh").read_text()
    head, motion = text.split("MOTION\n")
    other = head.removeprefix("HIERARCHY\n").replace("ROOT Hips", "ROOT Hips2")
    rows = motion.splitlines()
    both = [*rows[:2], *(f"{row} {row}" for row in rows[2:])]
    path = folder / "two.bvh"
    path.write_text(f"{head}{other}MOTION\n" + "\n".join(both) + "\n")
    return path


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("extension", ["bvh", "c3d", "trc"])
def test_one_file_by_its_extension(takes: Path, tmp_path: Path, extension: str) -> None:
    source = takes / "wave" / "anna_0.bvh"
    target = tmp_path / "new" / f"anna.{extension}"
    assert convert(source, target) == Converted([target])
    [before], [after] = read(source), read(target)
    assert after.fps == before.fps
    order = [after.skeleton.joint_names.index(name) for name in before.skeleton.joint_names]
    np.testing.assert_allclose(after.positions[:, order], before.positions, atol=1e-4)
    assert files_of(tmp_path) == [f"new/anna.{extension}"]


def test_what_the_file_does_not_say_and_another_skeleton(takes: Path, tmp_path: Path) -> None:
    source = takes / "wave" / "anna_0.bvh"
    convert(source, tmp_path / "a.trc", unit="m", fps=15, map_to="kinect20", allow_missing=True)
    [before], [after] = read(source), read(tmp_path / "a.trc")
    assert after.fps == 15 and set(after.skeleton.joint_names) == set(SKELETONS["kinect20"].joint_names)
    mine = before.skeleton.joint_names.index("LeftUpLeg")
    theirs = after.skeleton.joint_names.index("hip_left")
    np.testing.assert_allclose(after.positions[:, theirs], 100 * before.positions[:, mine], rtol=1e-4)


def test_each_person_becomes_a_file(takes: Path, tmp_path: Path) -> None:
    source = two_persons(takes, tmp_path)
    found = convert(source, tmp_path / "out" / "walk.bvh").files
    assert found == [tmp_path / "out" / "walk_p0.bvh", tmp_path / "out" / "walk_p1.bvh"]
    for person, path in zip(read(source), found, strict=True):
        np.testing.assert_allclose(read(path)[0].positions, person.positions, atol=1e-4)
    assert files_of(tmp_path / "out") == ["walk_p0.bvh", "walk_p1.bvh"]


def test_a_folder_and_an_archive_keep_their_names(takes: Path, tmp_path: Path) -> None:
    archive = tmp_path / "takes.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(takes.rglob("*.bvh")):
            file.write(path, path.relative_to(takes))
    steps: list[tuple[int, int]] = []
    done = convert(
        archive, tmp_path / "c3d", format="c3d", report=lambda number, total, text: steps.append((number, total))
    )
    expected = [name.replace(".bvh", ".c3d") for name in files_of(takes)]
    assert (
        files_of(tmp_path / "c3d") == expected
        and [str(path.relative_to(tmp_path / "c3d")) for path in done.files] == expected
    )
    assert steps == [(number, 18) for number in range(1, 19)]
    convert(takes, tmp_path / "c3d", format="c3d", overwrite=True)
    assert files_of(tmp_path / "c3d") == expected


def test_files_that_differ_in_their_ending_only_keep_it(takes: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    convert(takes / "wave" / "anna_0.bvh", mixed / "a.c3d")
    convert(takes / "wave" / "anna_0.bvh", mixed / "a.bvh")
    convert(takes / "wave" / "anna_0.bvh", mixed / "b.bvh")
    convert(mixed, tmp_path / "out", format="trc")
    assert files_of(tmp_path / "out") == ["a.bvh.trc", "a.c3d.trc", "b.trc"]


def test_two_files_of_one_name_are_refused(takes: Path, tmp_path: Path) -> None:
    mixed = two_persons(takes, tmp_path).parent
    (tmp_path / "two_p0.bvh").write_text((takes / "wave" / "anna_0.bvh").read_text())
    with pytest.raises(DatasetError, match=r"two_p0\.bvh: expected a name of its own, found two_p0\.trc a second time"):
        convert(mixed, tmp_path / "out", format="trc")
    assert not (tmp_path / "out").exists()


def test_a_file_a_frame_is_one_recording_with_one_name(tmp_path: Path) -> None:
    for frame in range(2):
        people = [{"pose_keypoints_2d": [float(number % 7) for number in range(1, 76)]}]
        (tmp_path / f"clip_{frame:012}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": people}))
    assert convert(tmp_path, tmp_path / "out", format="npz").files == [tmp_path / "out" / "clip.npz"]


def test_a_folder_of_tables_whose_columns_are_said(tmp_path: Path) -> None:
    (tmp_path / "walk.csv").write_text("Bild,Punkt,rechts,hoch,vor\n0,a,1,2,3\n0,b,1,2,3\n1,a,1,2,3\n1,b,1,2,4\n")
    columns = "frame=Bild,joint=Punkt,x=rechts,y=hoch,z=vor"
    done = convert(tmp_path, tmp_path / "out", format="npz", columns=columns, fps=50)
    assert done.files == [tmp_path / "out" / "walk.npz"]


def test_a_damaged_file_of_an_archive_can_be_left_out(takes: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "takes.zip", "w") as file:
        file.write(takes / "wave" / "anna_0.bvh", "a.bvh")
        file.write(takes / "wave" / "anna_0.bvh", "b.bvh")
    data = bytearray((tmp_path / "takes.zip").read_bytes())
    data[data.rfind(b"MOTION")] ^= 1
    (tmp_path / "takes.zip").write_bytes(data)
    with pytest.raises(DatasetError, match=r"b\.bvh: expected an undamaged file"):
        convert(tmp_path / "takes.zip", tmp_path / "out", format="trc", strict=True)
    done = convert(tmp_path / "takes.zip", tmp_path / "out", format="trc")
    assert files_of(tmp_path / "out") == ["a.trc"] and [name for name, _ in done.left_out] == ["b.bvh"]


@pytest.fixture
def flawed(takes: Path, tmp_path: Path) -> Path:
    """A folder of a good file and a bad one."""
    folder = tmp_path / "flawed"
    folder.mkdir()
    text = (takes / "wave" / "anna_0.bvh").read_text()
    (folder / "a.bvh").write_text(text)
    (folder / "b.bvh").write_text(text.replace("MOTION", "MOTIONLESS"))
    return folder


def test_nothing_is_left_of_what_fails(flawed: Path, tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"b\.bvh:\d+: "):
        convert(flawed, tmp_path / "deep" / "out", format="trc", strict=True)
    assert not (tmp_path / "deep").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.trc").write_text("mine")
    with pytest.raises(ReadError):
        convert(flawed, tmp_path / "out", format="trc", overwrite=True, strict=True)
    assert files_of(tmp_path / "out") == ["a.trc"] and (tmp_path / "out" / "a.trc").read_text() == "mine"
    done = convert(flawed, tmp_path / "out", format="trc", overwrite=True)
    assert done.files == [tmp_path / "out" / "a.trc"] and (tmp_path / "out" / "a.trc").read_text() != "mine"
    [(name, reason)] = done.left_out
    assert name == "b.bvh" and "b.bvh:" in reason


@pytest.mark.parametrize(
    ("source", "target", "options", "error", "message"),
    [
        ("takes", "out.bvh", {}, SettingsError, "expected one file to write .*out.bvh, found 18; with format= "),
        ("takes", "out", {"format": "fbx"}, SettingsError, "unknown format 'fbx' to write: expected one of .*bvh"),
        ("takes/wave/anna_0.bvh", "out.fbx", {}, SettingsError, "expected a file to write that ends in one of .*.bvh"),
        ("takes/nobody.bvh", "out.bvh", {}, ReadError, "expected a motion file, found nothing"),
        ("takes/wave/anna_0.bvh", "there.bvh", {}, DatasetError, "there.bvh: exists; --overwrite replaces it"),
        ("takes/wave/anna_0.bvh", "dir.bvh", {"overwrite": True}, DatasetError, "a file to write, found a folder"),
        ("takes/wave/anna_0.bvh", "there.bvh/x.bvh", {}, DatasetError, "expected a folder to write into, found a file"),
        ("takes", "there.bvh", {"format": "bvh"}, DatasetError, "expected a folder to write into, found a file"),
        (
            "takes/wave/anna_0.bvh", "out.bvh", {"map_to": "kinect20"}, SkeletonMismatchError,
            "expected joints that tell where elbow_left",
        ),
        (
            "takes/wave/anna_0.bvh", "out.bvh", {"map_to": "kinect20", "allow_missing": True}, SettingsError,
            r"anna_0.bvh: BVH: expected complete positions, since it has no missing values, found none of elbow_left",
        ),
        ("takes/wave/anna_0.bvh", "out.bvh", {"map_to": "cmu"}, SettingsError, "unknown skeleton 'cmu'"),
        ("takes/wave/anna_0.bvh", "x.bvh", {"allow_missing": True}, SettingsError, "expected map_to with it"),
        ("takes/wave/anna_0.bvh", "out.bvh", {"fps": -1}, SettingsError, "expected fps= to be a positive number"),
        ("flawed/b.bvh", "out", {"format": "bvh"}, DatasetError, "none of 1 files can .*, b.bvh: "),
        ("flawed/b.bvh", "out.bvh", {}, ReadError, "b.bvh:.*: expected"),
        ("flawed/a.bvh", "flawed/a.bvh", {"overwrite": True}, DatasetError, "expected another file to write than"),
        ("flawed", "flawed", {"format": "bvh", "overwrite": True}, DatasetError, "expected another file to write than"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_and_nothing_written(
    takes: Path,
    flawed: Path,
    tmp_path: Path,
    source: str,
    target: str,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    (tmp_path / "there.bvh").write_text("mine")
    (tmp_path / "dir.bvh").mkdir()
    before = files_of(tmp_path)
    path = takes.parent / source if source.startswith("takes") else tmp_path / source
    with pytest.raises(error, match=message) as found:
        convert(path, tmp_path / target, **options)
    assert "\n" not in str(found.value)
    assert files_of(tmp_path) == before and (tmp_path / "there.bvh").read_text() == "mine"


def test_a_file_of_a_data_set_is_not_replaced(takes: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", read(takes / "wave" / "anna_0.bvh"))
    with (
        pytest.raises(DatasetError, match=r"expected a file of its own to replace, found positions\.npy of a data set"),
        new_files(tmp_path / "data", overwrite=True) as building,
    ):
        (building / "a.txt").write_text("a")
        (building / "positions.npy").write_text("b")
    assert not (tmp_path / "data" / "a.txt").exists() and len(open_dataset(tmp_path / "data")) == 1


def test_the_command(run: Run, takes: Path, tmp_path: Path) -> None:
    status, out, _ = run("convert", takes, tmp_path / "out", "--format", "trc", "--quiet")
    assert status == 0 and out == f"{tmp_path / 'out' / 'march' / 'anna_0.trc'} and 17 more\n"
    status, _, err = run("convert", takes, tmp_path / "out", "--format", "trc", "--quiet")
    assert (
        status == 1
        and err == f"motionprint: {tmp_path / 'out' / 'march' / 'anna_0.trc'}: exists; --overwrite replaces it\n"
    )
    status, out, err = run("convert", takes / "wave" / "anna_0.bvh", tmp_path / "a.c3d", "--unit", "m", "--quiet")
    assert (status, out, err) == (0, f"{tmp_path / 'a.c3d'}\n", "")


# ---- info --skeleton ---------------------------------------------------------------------------------------------


def test_info_shows_a_built_in_skeleton(run: Run) -> None:
    status, out, _ = run("info", "kinect20", "--skeleton")
    assert status == 0
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[0] == "kinect20: 20 joints; left arm 4, right arm 4, left leg 4, right leg 4, trunk 4; 8 pairs"
    assert lines[1] == "hip_center                          trunk, LOW SPINE"
    assert lines[-6].endswith("hip_right                       right leg, pair hip_left, RIGHT HIP")
    assert lines[-2:] == ["hips: hip_left, hip_right", "spine: hip_center, shoulder_center"]
    assert [name for name in SKELETONS["kinect20"].joint_names if not any(name in line for line in lines)] == []


def test_info_shows_the_skeletons_of_files_of_a_data_set_and_of_a_toml(run: Run, takes: Path, tmp_path: Path) -> None:
    _, out, _ = run("info", takes, "--skeleton")  # all files have the same one
    assert out.count("hips: LeftUpLeg, RightUpLeg\n") == 1
    write_dataset(tmp_path / "data", read(takes / "wave" / "anna_0.bvh"))
    _, of_data, _ = run("info", tmp_path / "data", "--skeleton")
    assert of_data.splitlines()[1:] == out.splitlines()[1:]
    _, toml, _ = run("info", "kinect20", "--skeleton", "--toml")
    (tmp_path / "mine.toml").write_text(toml)
    assert Skeleton.from_toml(tmp_path / "mine.toml") == Skeleton.from_dict(
        SKELETONS["kinect20"].to_dict() | {"name": "mine"}
    )
    _, out, _ = run("info", tmp_path / "mine.toml", "--skeleton", "--json")
    assert json.loads(out)[0]["joint_names"] == list(SKELETONS["kinect20"].joint_names)


def test_a_toml_from_info_corrects_the_parts_of_a_file(run: Run, takes: Path, tmp_path: Path) -> None:
    """From a file whose names tell nothing to a data set whose body parts are known."""
    folder = tmp_path / "odd"
    folder.mkdir()
    text = (takes / "wave" / "anna_0.bvh").read_text()
    for number, name in enumerate(("LeftArm", "LeftHand", "RightArm", "RightHand", "LeftUpLeg", "LeftFoot")):
        text = text.replace(name, f"bone{number}")
    (folder / "a.bvh").write_text(text)
    _, out, _ = run("info", folder, "--skeleton")
    assert "body parts: not known from these names; `motionprint info" in out
    _, toml, _ = run("info", folder, "--skeleton", "--toml")
    assert "joints =" not in toml and '# in no part yet: "bone0", "bone1"' in toml
    for key, joints in (("left_arm", [0, 1]), ("right_arm", [2, 3]), ("left_leg", [4, 5])):
        toml = toml.replace(f"{key} = []", f"{key} = {[f'bone{joint}' for joint in joints]}")
    body = tmp_path / "body.toml"
    body.write_text('hips = ["bone4", "RightUpLeg"]\n' + toml)
    status, _, err = run("prepare", "folder", folder, "--out", tmp_path / "data", "--skeleton", body, "--quiet")
    assert status == 0, err
    skeleton = open_dataset(tmp_path / "data").skeleton
    parts = [[skeleton.joint_names[joint] for joint in part] for part in skeleton.body_parts]
    assert parts[:3] == [["bone0", "bone1"], ["bone2", "bone3"], ["bone4", "bone5"]]
    assert skeleton.hips is not None and skeleton.joint_names[skeleton.hips[0]] == "bone4"
    [sequence] = read(folder / "a.bvh", skeleton=body)
    assert sequence.skeleton == skeleton


def test_info_shows_what_joints_would_be_made_of(run: Run, takes: Path) -> None:
    status, out, _ = run("info", takes / "wave" / "anna_0.bvh", "--skeleton", "--map-to", "kinect20")
    rows = {
        line.split()[0]: line.split(maxsplit=1)[1] for line in out.partition("(--map-to)")[2].splitlines()[3:] if line
    }
    assert status == 0 and rows["wrist_left"].strip() == "LeftHand" and rows["elbow_left"].strip() == "cannot be found"
    assert rows["hand_left"].strip() == "50% LeftHand + 50% LeftHand_end"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["takes", "--toml"], 2, "--toml and --map-to go with --skeleton"),
        (["kinect20", "--skeleton", "--toml", "--json"], 2, "--toml goes without --json and --map-to"),
        (["nobody", "--skeleton", "--map-to", "cmu"], 1, "unknown skeleton 'cmu'"),
        (["kinect20", "--skeleton", "--map-to", "cmu31"], 1, "--map-to: expected recordings, found a skeleton alone"),
        (["nobody", "--skeleton"], 1, "nobody: expected a motion file, found nothing"),
        (["nobody.toml", "--skeleton"], 1, "nobody.toml: expected a TOML skeleton"),
    ],
)  # fmt: skip
def test_info_says_what_it_cannot_show(run: Run, arguments: list[str], status: int, message: str) -> None:
    found, _, err = run("info", *arguments)
    assert found == status and message in err


def test_info_takes_what_a_file_does_not_say(run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "walk.npy", np.ones((4, 2, 3)))
    status, _, err = run("info", tmp_path / "walk.npy")
    assert status == 1 and "expected the frame rate" in err
    status, out, _ = run("info", tmp_path / "walk.npy", "--fps", "20", "--json")
    assert status == 0 and json.loads(out)["fps"] == 20
    (tmp_path / "walk.csv").write_text("Bild,Punkt,rechts,hoch,vor\n0,LSHO,1,2,3\n0,RSHO,1,2,3\n")
    told = ("--columns", "frame=Bild,joint=Punkt,x=rechts,y=hoch,z=vor", "--fps", "20")
    status, out, _ = run("info", tmp_path / "walk.csv", "--skeleton", "--toml", *told)
    assert status == 0 and 'left_arm = ["LSHO"]' in out
    write_dataset(tmp_path / "data", read(tmp_path / "walk.npy", fps=20))
    status, _, err = run("info", tmp_path / "data", "--fps", "20")
    assert status == 2 and "are of motion files, found a dataset" in err


def test_info_gives_one_toml_for_one_skeleton(run: Run, takes: Path, tmp_path: Path) -> None:
    text = (takes / "wave" / "anna_0.bvh").read_text()
    (tmp_path / "a.bvh").write_text(text)
    (tmp_path / "b.bvh").write_text(text.replace("LeftHand", "LeftWrist"))
    status, _, err = run("info", tmp_path, "--skeleton", "--toml")
    assert status == 1 and "expected recordings of one skeleton, found 2: name one file" in err
