"""Formats that are recognised and not read: told what they are and the way, alone and in a folder."""

from __future__ import annotations

import json
import zipfile

import pytest

from motionprint.corpora import CORPORA
from motionprint.errors import DatasetError, ReadError
from motionprint.prepare import prepare
from motionprint.readers import READERS, read
from motionprint.readers.refused import REFUSED, refused_by_content, refused_by_name
from motionprint.store.describe import describe

BVH_FROM_FBX = "in Blender File > Import > FBX (.fbx), then File > Export > Motion Capture (.bvh)"
CONTENTS = {
    "FBX": b"Kaydara FBX Binary  \x00\x1a\x00\xe8\x1c",
    "FBX as text": b"; FBX 7.3.0 project file\n; ---\n",
    "glTF": b"glTF\x02\x00\x00\x00\x10\x00\x00\x00",
    "USD": b"PXR-USDC\x00\x08",
    "A Blender file": b"BLENDER-v302",
    "A Maya scene": b"//Maya ASCII 2022 scene\n",
    "MikuMikuDance motion": b"Vocaloid Motion Data 0002\x00",
    "A ROS bag": b"#ROSBAG V2.0\nE\x00",
}
MORE = (
    ("glTF", b'{\n "asset": {"generator": "x", "version": "2.0"}, "scene": 0}'),
    ("USD", b"#usda 1.0\n(\n)"),
    ("A Maya scene", b"FOR4\x00\x00\x00\x10Maya"),
)


@pytest.mark.parametrize(("title", "content"), [*CONTENTS.items(), *MORE])
@pytest.mark.parametrize("name", ["take.xyz", "take.bvh", "take.json"])
def test_content_tells_whatever_the_name(tmp_path, title, content, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReadError) as caught:
        read(tmp_path / name)
    told = str(caught.value)
    assert told.startswith(f"{tmp_path / name}: expected motion that can be read; {title} is not read: ")
    assert "\n" not in told


@pytest.mark.parametrize("extension", [extension for each in REFUSED for extension in each.extensions])
def test_the_extension_tells_where_the_content_does_not(tmp_path, extension):
    file = tmp_path / f"take{extension.upper()}"
    file.write_bytes(b"\x80\x01 what is this")
    with pytest.raises(ReadError) as caught:
        read(file)
    refused = refused_by_name(file.name)
    assert refused is not None
    assert str(caught.value) == f"{file}: expected motion that can be read; {refused}"


def test_no_format_is_both_read_and_refused():
    extensions = [extension for each in REFUSED for extension in each.extensions]
    assert len(set(extensions)) == len(extensions)
    assert not set(extensions) & {extension for reader in READERS.values() for extension in reader.EXTENSIONS}
    for content in (*CONTENTS.values(), *(content for _, content in MORE)):
        assert not any(reader.recognises(content) for reader in READERS.values())
    for content in (b'{"asset": 3}', b'{"asset": {"version": "x"}}', b"HIERARCHY", b"; text", b"BLENDERS", b""):
        assert refused_by_content(content) is None


def test_a_folder_of_nothing_else_says_the_way(tmp_path):
    for number in range(5):
        (tmp_path / f"take{number}.fbx").write_bytes(CONTENTS["FBX"])
    (tmp_path / "notes.txt").write_text("notes")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as output:
        for each in tmp_path.glob("*.fbx"):
            output.write(each, each.name)
    found = f"take0.fbx, take1.fbx, take2.fbx and 2 more. FBX is not read: {BVH_FROM_FBX}"
    for source in (tmp_path, tmp_path / "all.zip"):
        with pytest.raises(ReadError) as caught:
            read(source)
        assert str(caught.value) == f"{source}: expected motion files, found {found}"
        if source is tmp_path:
            with pytest.raises(DatasetError) as told:
                describe(source)
            assert str(told.value).endswith(f"a run folder or motion files, found {found}")
        with pytest.raises(DatasetError) as told:
            prepare("folder", source, tmp_path / "out")
        layout = CORPORA["folder"].layout
        assert str(told.value) == f"{source}: expected recordings of folder ({layout}), found {found}"


def test_among_others_they_are_left_out_by_name(tmp_path, takes):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for file in sorted(takes.rglob("*.bvh"))[:2]:
        (folder / f"{file.parent.name}_{file.name}").write_bytes(file.read_bytes())
    (folder / "sub").mkdir()
    (folder / "sub" / "turn.fbx").write_bytes(CONTENTS["FBX"])
    summary = prepare("folder", folder, tmp_path / "out")
    assert summary.sequences == 2
    assert [(each.name, each.source, each.reason) for each in summary.left_out] == [
        ("sub/turn", "sub/turn.fbx", f"FBX is not read: {BVH_FROM_FBX}")
    ]
    recorded = json.loads((tmp_path / "out" / "prepare.json").read_text())
    assert recorded["left_out"] == [vars(each) for each in summary.left_out]


def test_usdz_is_an_archive_whose_content_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "take.usdz", "w") as output:
        output.writestr("take.usdc", CONTENTS["USD"])
    with pytest.raises(
        ReadError, match=r"take.usdz: expected motion files, found take.usdc. USD is not read: in Blender"
    ):
        read(tmp_path / "take.usdz")
