"""MotionEncoder: the scikit-learn face of pre-training and embedding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import motionprint
from motionprint.errors import CheckpointError, DatasetError, SettingsError, SkeletonMismatchError
from motionprint.estimator import MotionEncoder
from motionprint.evaluation import embed, encode, read_prints
from motionprint.methods import Inpainting
from motionprint.methods.inpainting import InpaintingSettings
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS, Skeleton
from motionprint.store import write_dataset
from motionprint.training import load_run, pretrain
from motionprint.training.settings import TRAINING_PRESETS, TrainingSettings

KINECT = SKELETONS["kinect20"]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The preset `small` as something that trains in no time."""
    sizes = InpaintingSettings(encoder_units=4, decoder_units=4, discriminator_units=2, layers=1)
    monkeypatch.setitem(Inpainting.presets, "small", sizes)  # type: ignore[arg-type]
    monkeypatch.setitem(TRAINING_PRESETS, "small", TrainingSettings(steps=3, batch_size=4))


def _arrays(count: int = 8, joints: int = 20) -> list[npt.NDArray[np.float32]]:
    """Two classes: even ones wave an arm, odd ones kick."""
    random = np.random.default_rng(0)
    rest = random.normal(0, 0.3, (joints, 3))
    made = []
    for number in range(count):
        frames = 20 + 3 * number
        positions = rest + 0.01 * random.normal(size=(frames, joints, 3))
        moving = [5, 6, 7] if number % 2 else [17, 18, 19]
        positions[:, moving] += 0.5 * np.sin(np.linspace(0, np.pi, frames))[:, None, None]
        made.append(positions.astype(np.float32))
    return made


def _sequences(fps: float = 30.0, **fields: Any) -> list[SkeletonSequence]:
    return [
        SkeletonSequence(positions, fps, KINECT, name=f"r{number}", **fields)
        for number, positions in enumerate(_arrays())
    ]


# ---- scikit-learn's conventions ------------------------------------------------------------------------------------


def test_it_is_the_packages_own() -> None:
    assert motionprint.MotionEncoder is MotionEncoder


def test_parameters_can_be_read_set_and_cloned() -> None:
    given = {
        "method": "inpainting",
        "preset": "paper",
        "steps": 7,
        "features": "F",
        "fps": 25.0,
        "skeleton": KINECT,
        "random_state": 3,
        "device": "cpu",
        "alignment": "body",
    }
    encoder = MotionEncoder(**given)
    assert encoder.get_params() == given
    copy = clone(encoder)
    assert copy is not encoder and copy.get_params() == given
    assert copy.set_params(steps=9, skeleton="cmu31") is copy
    assert (copy.steps, copy.skeleton, encoder.steps) == (9, "cmu31", 7)
    with pytest.raises(ValueError, match="Invalid parameter 'speed'"):
        encoder.set_params(speed=1)


def test_defaults_are_those_of_the_contract() -> None:
    defaults = {"method": "inpainting", "preset": "small", "steps": None, "features": "states", "fps": None}
    defaults |= {"skeleton": None, "random_state": 0, "device": "auto", "alignment": None}
    assert MotionEncoder().get_params() == defaults


def test_a_clone_is_not_fitted() -> None:
    encoder = MotionEncoder().fit(_sequences())
    assert not hasattr(clone(encoder), "run_")
    with pytest.raises(NotFittedError):
        clone(encoder).transform(_sequences())
    with pytest.raises(NotFittedError):
        MotionEncoder().save("nowhere")


def test_fit_returns_itself_and_transform_gives_a_row_a_recording() -> None:
    encoder = MotionEncoder(random_state=1)
    assert encoder.fit(_sequences()) is encoder
    found = encoder.transform(_sequences())
    assert found.dtype == np.float32 and found.shape == (8, 8)
    np.testing.assert_array_equal(found, encode(encoder.run_, _sequences()))
    np.testing.assert_array_equal(MotionEncoder(random_state=1).fit_transform(_sequences()), found)
    assert encoder.transform(_sequences()[:1]).shape == (1, 8)


def test_it_works_in_a_pipeline() -> None:
    labels = ["kick", "wave"] * 4
    pipeline = make_pipeline(MotionEncoder(steps=1), StandardScaler(), LogisticRegression())
    assert pipeline.fit(_sequences(), labels).score(_sequences(), labels) == 1
    pipeline.set_params(motionencoder__features="both")
    assert pipeline.fit(_sequences(), labels)[:-1].transform(_sequences()).shape == (8, 8 + 60)


@pytest.mark.parametrize(("features", "size"), [("states", 8), ("F", 60), ("both", 68)])
def test_features(features: str, size: int) -> None:
    assert MotionEncoder(features=features, steps=0).fit_transform(_sequences()).shape == (8, size)


# ---- what enters, and what does not --------------------------------------------------------------------------------


@pytest.mark.parametrize("skeleton", ["kinect20", KINECT, "toml"])
def test_arrays_with_fps_and_skeleton_are_as_good_as_sequences(skeleton: Any, tmp_path: Path) -> None:
    if skeleton == "toml":
        names = list(KINECT.joint_names)
        parents = [names[parent] if parent >= 0 else "" for parent in KINECT.parents]
        skeleton = tmp_path / "mine.toml"
        skeleton.write_text(f"joints = {names}\nparents = {parents}\n".replace("'", '"'), encoding="utf-8")
    expected = MotionEncoder().fit_transform(_sequences(30.0))
    encoder = MotionEncoder(fps=30, skeleton=skeleton)
    np.testing.assert_array_equal(encoder.fit_transform(_arrays()), expected)
    np.testing.assert_array_equal(encoder.transform(_sequences()), expected)
    same_length = np.stack([positions[:20] for positions in _arrays()])  # one array (N, T, J, 3)
    np.testing.assert_array_equal(encoder.transform(same_length), encoder.transform(list(same_length)))


def test_the_frame_rate_of_arrays_matters() -> None:
    encoder = MotionEncoder(fps=30, skeleton="kinect20").fit(_arrays())
    before = encoder.transform(_arrays())
    assert np.abs(encoder.set_params(fps=60).transform(_arrays()) - before).max() > 1e-4


def test_labels_do_not_matter() -> None:
    expected = MotionEncoder().fit_transform(_sequences())
    np.testing.assert_array_equal(MotionEncoder().fit_transform(_sequences(), ["a", "b"] * 4), expected)
    np.testing.assert_array_equal(MotionEncoder().fit_transform(_sequences(label="x", subject="y")), expected)


def test_the_random_state_decides_the_weights_and_nothing_else_does() -> None:
    torch.manual_seed(5)
    one = MotionEncoder(random_state=3).fit(_sequences()).run_.model_hash
    torch.manual_seed(6)
    expected = torch.rand(3)
    torch.manual_seed(6)
    other = MotionEncoder(random_state=np.int64(3)).fit(_sequences()).run_.model_hash
    assert torch.equal(torch.rand(3), expected)  # the caller's own random numbers go on as if nothing had been
    assert one == other
    assert MotionEncoder(random_state=4).fit(_sequences()).run_.model_hash != one


def test_fitting_again_starts_afresh() -> None:
    encoder = MotionEncoder()
    first = encoder.fit(_sequences()).run_.model_hash
    encoder.fit(_sequences()[:4])
    assert encoder.run_.model_hash != first
    assert encoder.fit(_sequences()).run_.model_hash == first


def test_steps_and_alignment_reach_the_run() -> None:
    run = MotionEncoder(steps=2, alignment="body").fit(_sequences()).run_
    assert (run.steps, run.config["training"]["steps"], run.recipe.alignment) == (2, 2, "body")
    assert MotionEncoder().fit(_sequences()).run_.recipe.alignment == "heading"
    assert MotionEncoder().fit(_sequences()).run_.steps == 3  # the preset's


def test_a_data_set_brings_its_own_preprocessing(tmp_path: Path) -> None:
    prepare = {"preprocessing": {"alignment": "body", "max_length": None}}
    dataset = write_dataset(tmp_path / "data", _sequences(), prepare=prepare)
    encoder = MotionEncoder().fit(dataset)
    assert (encoder.run_.recipe.alignment, encoder.run_.recipe.max_length) == ("body", None)
    np.testing.assert_array_equal(encoder.transform(dataset), encoder.transform(_sequences()))
    assert MotionEncoder(alignment="none").fit(dataset).run_.recipe.alignment == "none"


# ---- saving --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skeleton", ["kinect20", KINECT, None])
def test_a_saved_encoder_gives_the_same_prints(tmp_path: Path, skeleton: Any) -> None:
    encoder = MotionEncoder(steps=2, features="both", fps=30.0, skeleton=skeleton, random_state=2, device="cpu")
    expected = encoder.fit_transform(_sequences())
    encoder.save(tmp_path / "run")
    again = MotionEncoder.load(tmp_path / "run")
    assert again.get_params() == encoder.get_params()
    np.testing.assert_array_equal(again.transform(_sequences()), expected)
    if skeleton is not None:
        np.testing.assert_array_equal(again.transform(_arrays()), expected)
    np.testing.assert_array_equal(clone(again).fit_transform(_sequences()), expected)


def test_a_saved_encoder_is_a_run_for_embed(tmp_path: Path) -> None:
    encoder = MotionEncoder().fit(_sequences())
    encoder.save(str(tmp_path / "run"))
    dataset = write_dataset(tmp_path / "data", _sequences())
    embed(load_run(tmp_path / "run"), [dataset.folder], tmp_path / "prints.parquet")
    np.testing.assert_array_equal(read_prints(tmp_path / "prints.parquet")[1], encoder.transform(_sequences()))


def test_a_run_of_pretrain_can_be_loaded(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", _sequences())
    run = pretrain(dataset, tmp_path / "run", seed=4, steps=2, device="cpu")
    encoder = MotionEncoder.load(tmp_path / "run")
    assert (encoder.method, encoder.preset, encoder.steps, encoder.random_state) == ("inpainting", "small", 2, 4)
    np.testing.assert_array_equal(encoder.transform(_sequences()), encode(run, _sequences()))
    np.testing.assert_array_equal(clone(encoder).fit_transform(_sequences()), encoder.transform(_sequences()))


def test_an_existing_folder_is_kept(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    with pytest.raises(DatasetError, match="exists; --overwrite replaces it"):
        MotionEncoder().fit(_sequences()).save(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]
    with pytest.raises(CheckpointError, match=r"run: expected a run folder with config\.json, found none$"):
        MotionEncoder.load(tmp_path / "run")


# ---- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"fps": 30.0}, {"skeleton": "kinect20"}])
def test_arrays_need_a_frame_rate_and_a_skeleton(given: dict[str, Any]) -> None:
    message = r"^arrays need fps= and skeleton= of the encoder; a list of SkeletonSequence needs neither$"
    with pytest.raises(SettingsError, match=message):
        MotionEncoder(**given).fit(_arrays())
    fitted = MotionEncoder(**given).fit(_sequences())
    with pytest.raises(SettingsError, match=message):
        fitted.transform(_arrays())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"features": "G"}, "unknown features 'G': expected one of states, F, both"),
        ({"method": "magic"}, "unknown method 'magic': expected one of inpainting, .*, slow_features"),
        ({"method": "softmax"}, "unknown method 'softmax': expected one of inpainting, .*, slow_features"),
        ({"preset": "huge"}, "unknown preset 'huge': expected one of small, paper, paper-wide, repair"),
        ({"alignment": "north"}, "unknown alignment 'north': expected one of none, heading, body"),
        ({"steps": -1}, "expected steps of at least 0, found -1"),
        ({"random_state": None}, "expected random_state to be an integer of at least 0, found None"),
        ({"random_state": -1}, "expected random_state to be an integer of at least 0, found -1"),
        ({"device": "abacus"}, "device 'abacus' cannot be used here: .+"),
    ],
)
def test_settings_that_cannot_work(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{message}$"):
        MotionEncoder(**given).fit(_sequences())


def test_an_unknown_skeleton_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"^unknown skeleton 'dog': expected a \.toml file or one of cmu31, mhad35"):
        MotionEncoder(fps=30, skeleton="dog").fit(_arrays())


def test_recordings_are_a_list_that_is_not_empty(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", _sequences())
    fitted = MotionEncoder().fit(_sequences())
    for empty in ([], np.zeros((0, 5, 20, 3)), dataset[:0]):
        for use in (MotionEncoder().fit, fitted.transform):
            with pytest.raises(SettingsError, match=r"^expected at least one recording, found none$"):
                use(empty)
    with pytest.raises(SettingsError, match=r"^expected a list of recordings, found one SkeletonSequence$"):
        MotionEncoder().fit(_sequences()[0])


def test_recordings_of_different_skeletons_are_refused() -> None:
    names = tuple("tail" if name == "head" else name for name in KINECT.joint_names)
    other = replace(_sequences()[0], skeleton=Skeleton(names, KINECT.parents), name="cat")
    fitted = MotionEncoder().fit(_sequences())
    for use in (MotionEncoder().fit, fitted.transform):
        with pytest.raises(SkeletonMismatchError, match=r"^cat: .*missing head; not expected tail"):
            use([*_sequences(), other])


def test_arrays_of_another_shape_are_refused_by_number() -> None:
    arrays = [*_arrays(2), _arrays(1, joints=25)[0]]
    message = r"^sequence 2: expected positions of shape \(frames, 20, 3\), found \(20, 25, 3\)$"
    with pytest.raises(motionprint.MotionprintError, match=message):
        MotionEncoder(fps=30, skeleton="kinect20").fit(arrays)


def test_missing_values_are_accepted_and_a_recording_of_nothing_else_is_refused_by_name() -> None:
    arrays = _arrays()
    arrays[3][2, 1] = np.nan
    arrays[4][:5, 6] = np.nan
    encoder = MotionEncoder(steps=1, fps=30, skeleton="kinect20").fit(arrays)
    found = encoder.transform(arrays)
    assert np.isfinite(found).all()
    assert (encoder.run_.config["counts"]["incomplete"], encoder.run_.config["counts"]["sequences"]) == (2, len(arrays))
    whole = encoder.transform(_arrays())
    assert np.abs(found - whole).max(axis=1)[[3, 4]].min() > 1e-4  # what is missing shows
    np.testing.assert_allclose(found[[0, 1, 2]], whole[[0, 1, 2]], atol=1e-6)
    arrays[1][:] = np.nan
    for use in (MotionEncoder(steps=1, fps=30, skeleton="kinect20").fit, encoder.transform):
        with pytest.raises(
            DatasetError, match=r"^sequence 1: expected a joint recorded in at least one frame, found all"
        ):
            use(arrays)
    with pytest.raises(DatasetError, match=r"^sequence 0: expected at least one frame, found none$"):
        encoder.transform([np.zeros((0, 20, 3))])
