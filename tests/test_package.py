"""The package as its users get it: names, version, and the wheel in an empty environment."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import motionprint

REPOSITORY = Path(__file__).resolve().parents[1]


def test_every_public_name_is_there() -> None:
    for name in motionprint.__all__:
        assert getattr(motionprint, name) is not None
    assert set(motionprint.__all__) <= set(dir(motionprint))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'frobnicate'"):
        motionprint.frobnicate  # noqa: B018


def test_the_version_is_said_once() -> None:
    assert importlib.metadata.version("motionprint") == motionprint.__version__
    assert f"version: {motionprint.__version__}\n" in (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## [{motionprint.__version__}]" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_requirement_is_pinned_for_testing() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    text = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in text.splitlines() if "==" in line}
    for requirement in wanted:
        name = requirement.split(">")[0].split("[")[0].lower()
        assert name in pinned, f"constraints.txt does not pin {name}"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"motionprint", f"motionprint-{motionprint.__version__}.dist-info"}
    packed = {name for name in names if name.startswith("motionprint/")}
    sources = REPOSITORY / "src"
    files = {path.relative_to(sources) for path in (sources / "motionprint").rglob("*") if path.is_file()}
    assert packed == {path.as_posix() for path in files if "__pycache__" not in path.parts}
    assert "motionprint/py.typed" in packed
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_the_wheel_runs_the_demo_from_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    binaries = environment / ("Scripts" if sys.platform == "win32" else "bin")
    python = binaries / "python"
    constraints = REPOSITORY / "constraints.txt"
    install = [python, "-m", "pip", "install", "--quiet", "-c", constraints, wheel]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    run = [binaries / "motionprint", "demo", "--steps", "5", "--out", "demo", "--quiet"]
    done = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "raw coordinates" in done.stdout
    assert [path.name for path in folder.iterdir()] == ["demo"]
    picture = folder / "demo" / "inpainting.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
