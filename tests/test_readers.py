"""``read`` itself: which format, which files, what it says of those it does not know; and the table of formats."""

from __future__ import annotations

import json
import types
import zipfile

import pytest

import motionprint
from motionprint.errors import DatasetError, ReadError
from motionprint.readers import AMBIGUOUS, READERS, Source, motion_names, read, read_all, read_from
from motionprint.store import write_dataset

ASF = """:units
  length 1.0
:root
   order TX TY TZ RX RY RZ
:bonedata
  begin
     name trunk
     direction 0 1 0
     length 20
     axis 0 0 0 XYZ
    dof rx
  end
:hierarchy
  begin
    root trunk
  end
"""
FILES = {
    "walk.amc": b":DEGREES\n1\nroot 0 0 0 0 0 0\ntrunk 5\n",
    "sub/run.bvh": b"HIERARCHY\nROOT Hips { OFFSET 0 0 0 CHANNELS 1 Xrotation }\nMOTION\nFrames: 1\nFrame Time: 1\n5",
    "sub/wave.json": json.dumps({"skeletons": [[[0, 0, 0]] * 20]}).encode(),
}
OTHERS = {
    "body.asf": ASF.encode(),
    "README.txt": b"not a motion",
    "sub/package.json": b'{"name": "not a motion"}',
}
KNOWN = "expected one of " + ", ".join(f"{each.TITLE} ({' '.join(each.EXTENSIONS)})" for each in READERS.values())


@pytest.fixture
def folder(tmp_path):
    for name, content in (FILES | OTHERS).items():
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(content)
    return tmp_path / "data"


@pytest.fixture
def archive(folder):
    with zipfile.ZipFile(folder.parent / "data.zip", "w") as output:
        for name in FILES | OTHERS:
            output.write(folder / name, name)
    return folder.parent / "data.zip"


@pytest.mark.parametrize("key", READERS)
def test_every_format_in_the_table_is_whole(key):
    reader = READERS[key]
    assert isinstance(reader, types.ModuleType)
    assert reader.__name__ == f"motionprint.readers.{key}"
    assert reader.TITLE and all(extension.startswith(".") and extension.islower() for extension in reader.EXTENSIONS)
    assert not reader.recognises(b"") and not reader.recognises(b"\x00\xff" * 50)


def test_extensions_of_several_formats_are_decided_by_content():
    extensions = [extension for reader in READERS.values() for extension in reader.EXTENSIONS]
    assert {extension for extension in extensions if extensions.count(extension) > 1} <= set(AMBIGUOUS)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_each_format_alone_and_in_an_archive(folder, archive, name):
    [alone] = read(folder / name)
    [inside] = read(archive / name)
    assert alone.positions.tobytes() == inside.positions.tobytes()
    assert alone.name == name.rsplit("/")[-1].rsplit(".")[0] and inside.name == name.rsplit(".")[0]
    assert inside.source == name
    assert motionprint.read(str(folder / name))[0].name == alone.name


def test_a_folder_and_an_archive_give_every_motion_in_them(folder, archive):
    expected = ["sub/run", "sub/wave", "walk"]
    assert [sequence.name for sequence in read(folder)] == expected
    assert [sequence.name for sequence in read(archive)] == expected
    assert next(read_all(archive)).name == "sub/run"
    with Source.open(archive) as source:
        assert list(motion_names(source)) == ["sub/run.bvh", "sub/wave.json", "walk.amc"]
        assert read_from(source, "sub/run.bvh")[0].source == "sub/run.bvh"


def test_a_data_set_in_a_folder_is_passed_over(folder):
    [sequence] = read(folder / "sub" / "run.bvh")
    write_dataset(folder / "data", [sequence])
    (folder / "alone").mkdir()
    (folder / "alone" / "positions.npy").write_bytes((folder / "data" / "positions.npy").read_bytes())
    with Source.open(folder) as source:
        assert list(motion_names(source)) == ["alone/positions.npy", "sub/run.bvh", "sub/wave.json", "walk.amc"]
    with Source.open(folder / "data") as source:
        assert list(motion_names(source)) == []


def test_one_damaged_file_of_a_folder_is_named(folder):
    (folder / "sub/run.bvh").write_bytes(b"HIERARCHY\nROOT")
    with pytest.raises(ReadError, match=rf"^{folder}/sub/run.bvh:2: expected a brace"):
        read(folder)


@pytest.mark.parametrize("name", FILES)
def test_content_counts_not_the_extension(folder, name):
    for other in (".bvh", ".amc", ".json", ".txt", ""):
        (folder / f"renamed{other}").write_bytes(FILES[name])
        [sequence] = read(folder / f"renamed{other}")
        assert sequence.positions.tobytes() == read(folder / name)[0].positions.tobytes()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken.bvh", "broken.bvh:1: expected HIERARCHY, found 'what'"),
        ("broken.amc", "broken.amc:1: expected the number of a frame, found 'what'"),
        ("broken.json", f"broken.json: unknown format; {KNOWN}"),
        ("broken.xyz", f"broken.xyz: unknown format; {KNOWN}"),
        ("broken", f"broken: unknown format; {KNOWN}"),
        ("broken.txt", f"broken.txt: unknown format; {KNOWN}"),  # an extension of several formats
    ],
)
def test_what_no_format_recognises_goes_by_its_extension_or_names_the_known_ones(folder, name, message):
    (folder / name).write_bytes(b"what is this\n")
    with pytest.raises(ReadError) as caught:
        read(folder / name)
    assert str(caught.value) == f"{folder}/{message}"


@pytest.mark.parametrize("name", ["empty.bvh", "empty.amc", "empty.json", "empty.txt"])
@pytest.mark.parametrize("content", [b"", b"  \r\n\n"])
def test_an_empty_file(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(ReadError) as caught:
        read(folder / name)
    assert str(caught.value) == f"{folder / name}: expected a motion file, found an empty file"


def test_a_skeleton_is_no_motion(folder):
    with pytest.raises(
        ReadError, match=r"body.asf: expected a motion, found a skeleton: read the .amc that belongs to it"
    ):
        read(folder / "body.asf")


def test_nothing_there(folder, archive, tmp_path):
    with pytest.raises(ReadError, match=r"nowhere.bvh: expected a motion file, found nothing"):
        read(folder / "nowhere.bvh")
    with pytest.raises(
        DatasetError, match=r"data.zip:nowhere.bvh: expected a file in the archive, found none of that name"
    ):
        read(archive / "nowhere.bvh")
    (tmp_path / "bare").mkdir()
    with pytest.raises(ReadError) as caught:
        read(tmp_path / "bare")
    assert str(caught.value) == f"{tmp_path / 'bare'}: expected motion files, found none; {KNOWN}"


def test_an_archive_with_a_path_that_escapes_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as output:
        output.writestr("../../walk.bvh", FILES["sub/run.bvh"])
    with pytest.raises(
        DatasetError, match=r"evil.zip: expected files inside it, found '../../walk.bvh', which leads out"
    ):
        read(tmp_path / "evil.zip")
