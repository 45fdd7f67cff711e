"""The readers of marker sets on real recordings: byte orders against each other, ezc3d, every sample file."""

from __future__ import annotations

import itertools

import ezc3d
import numpy as np
import pytest

from motionprint.errors import ReadError
from motionprint.readers import Source, read
from motionprint.readers.c3d import parse, positions_of

SAMPLE_01 = [f"c3d/sample01/Eb015{kind}.c3d" for kind in ("pr", "sr", "vr", "pi", "si", "vi")]
SAMPLE_02 = [
    f"c3d/sample02/{name}" for name in
    ("pc_real.c3d", "sgi_real.c3d", "Dec_real.c3d", "pc_int.c3d", "sgi_int.c3d", "DEC_INT.C3D")
]  # fmt: skip

OUTCOMES = {
    **dict.fromkeys(SAMPLE_01, (450, 26, 50.0)),
    **dict.fromkeys(SAMPLE_02, (89, 36, 50.0)),
    "c3d/sample06/MACsample.c3d": (180, 33, 60.0),
    "c3d/sample13/Dance.c3d": (499, 40, 65.053345),
    "c3d/sample13/golfswing.c3d": (514, 29, 107.52688),
    "c3d/sample18/bad_parameter_section.c3d": (332, 45, 120.0),
    "c3d/sample20/phasespace_sample.c3d": (701, 40, 30.0),
    "c3d/others/MyCube.c3d": (1, 14, 50.0),
    "c3d/others/badParameterOffset.c3d": (111, 41, 250.0),
    "c3d/others/parameterOverflow.c3d": (101, 106, 100.0),
    "c3d/others/Analysis.c3d": "marker, found 24 outputs of a model (angles, forces, moments, powers)",
    "c3d/others/Empty.c3d": "expected a motion file, found an empty file",
    "trc/Anto.trc": (128, 34, 100.0),
    "trc/Gait.trc": (487, 33, 100.0),
    "trc/Empty.trc": "expected a motion file, found an empty file",
    "trc/Truncated.trc": "expected a value for NumFrames, found none: is the file truncated?",
}


@pytest.fixture(scope="module")
def formats(shared_datasets):
    return shared_datasets / "formats.zip"


def test_every_sample_file_is_named(formats):
    with Source.open(formats) as source:
        assert {name for name in source.names() if name.startswith(("c3d/", "trc/"))} == set(OUTCOMES)


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome(formats, name):
    expected = OUTCOMES[name]
    if isinstance(expected, str):
        with pytest.raises(ReadError, match=r"formats\.zip:") as caught:
            read(formats / name)
        assert str(caught.value).endswith(expected)
        return
    [sequence] = read(formats / name)
    assert (*sequence.positions.shape, sequence.fps) == (*expected[:2], 3, expected[2])


@pytest.mark.parametrize(("names", "step"), [(SAMPLE_01, 0.0834e-3), (SAMPLE_02, 0.2812e-3)])
def test_byte_orders_and_kinds_of_numbers_agree(formats, names, step):
    floats, whole = ([read(formats / name)[0].positions for name in some] for some in (names[:3], names[3:]))
    for first, other in itertools.pairwise(floats):
        np.testing.assert_allclose(other, first, rtol=2e-7, atol=1e-9)  # m
    for first, other in itertools.pairwise(whole):  # whoever made them rounded some coordinates otherwise
        assert np.nanmax(np.abs(other - first)) < 1.01 * step
        assert np.nanmean(np.abs(other - first) > 1e-6) < 0.01
    np.testing.assert_array_equal(np.isnan(floats[0]), np.isnan(whole[0]))
    assert np.nanmax(np.abs(floats[0] - whole[0])) < 1.01 * step  # a unit of POINT:SCALE
    assert len({read(formats / name)[0].skeleton.joint_names for name in names}) == 1


# ezc3d refuses SGI files and the types of some parameters; on one of the samples it ends the process
@pytest.mark.parametrize(
    "name",
    [
        name
        for name in OUTCOMES
        if name.endswith((".c3d", ".C3D"))
        and isinstance(OUTCOMES[name], tuple)
        and not any(each in name for each in ("sgi", "015s", "MAC", "Dance", "golf", "bad", "phasespace"))
    ],
)
def test_ezc3d_reads_the_same(formats, tmp_path, name):
    with Source.open(formats) as source:
        data = source.read_bytes(name)
    (tmp_path / "a.c3d").write_bytes(data)
    trial = parse(data, name)
    theirs = ezc3d.c3d(str(tmp_path / "a.c3d"))["data"]["points"][:3].transpose(2, 1, 0)[:, trial.columns]
    ours = positions_of(trial, 1.0, "+y", name)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_the_shoulders_of_sample_06_are_as_high_as_shoulders(formats):
    [sequence] = read(formats / "c3d/sample06/MACsample.c3d")  # by POINT:SCALE they would be at 0.57 m
    shoulders = [sequence.skeleton.joint_names.index(name) for name in ("RSHO", "LSHO")]
    assert 1.3 < np.nanmedian(sequence.positions[:, shoulders, 1]) < 1.6


def test_a_walker_of_sample_01_stands_upright(formats):
    [sequence] = read(formats / SAMPLE_01[0])
    heights = np.nanmedian(sequence.positions[..., 1], axis=0)
    feet = [
        joint for joint, name in enumerate(sequence.skeleton.joint_names) if name in ("RFT1", "RFT2", "LFT1", "LFT2")
    ]
    assert feet and (heights[feet] < 0.25).all()  # m
    assert 0 < np.nanmin(sequence.positions[..., 1]) < 0.1


def test_the_first_frame_behind_a_cut_parameter_is_whole(formats):
    [sequence] = read(formats / "c3d/sample18/bad_parameter_section.c3d")
    steps = np.linalg.norm(np.diff(sequence.positions[:10], axis=0), axis=-1)
    assert np.nanmax(steps[0]) < 2 * np.nanmax(steps[1:])
    assert np.nanmax(steps) < 0.1  # m in 1/120 s


@pytest.mark.parametrize("name", ["trc/Anto.trc", "trc/Gait.trc"])
def test_trc_of_motion_analysis_is_z_up(formats, name):
    [sequence] = read(formats / name, up="z")
    heights = sequence.positions[..., 1]
    assert 1.0 < np.nanmax(heights) < 2  # somebody sits in a wheelchair, somebody walks
    assert -0.1 < np.nanmin(heights) < 0.6
