"""The documentation is true: its tutorials run, its links lead somewhere, its pages are in the navigation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from motionprint import Skeleton
from motionprint.cli import main
from motionprint.corpora.synthetic import generate
from motionprint.rigs import map_to
from motionprint.writers import write

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))

BLOCK = re.compile(r"<!-- run -->\n```(bash|python)\n(.*?)```", re.DOTALL)
SETUP = re.compile(r"<!-- setup: (.*?) -->")


def _setup(words: list[str], folder: Path, make_takes: Callable[[Path], Path]) -> None:
    """What a tutorial's reader has already: recordings, and labels for some of them."""
    if "takes" in words:
        make_takes(folder / "takes")
    if "labels" in words:
        few = sorted(folder.glob("takes/*/anna_*.bvh"))
        lines = [f"{path.relative_to(folder / 'takes').as_posix()},{path.parent.name},anna" for path in few]
        (folder / "takes" / "labels.csv").write_text("\n".join(["file,label,subject", *lines]) + "\n", encoding="utf-8")
    if "archive" in words:
        _write_archive(folder / "archive", folder / "mine.csv")


def _write_archive(folder: Path, labels: Path) -> None:
    """BVH files of two rigs, four people in each and each action once; and the labels of two people of each rig."""
    lines = ["file,label"]
    kinect = Skeleton.resolve("kinect20")
    for sequence in generate():
        person = int(str(sequence.subject)[1:])
        if person > 8 or not sequence.name.endswith("_r1"):
            continue
        rig = "studio" if person <= 4 else "kinect"
        (folder / rig).mkdir(parents=True, exist_ok=True)
        write(map_to(sequence, kinect) if rig == "kinect" else sequence, folder / rig / f"{sequence.name}.bvh")
        if person % 4 < 2:
            lines.append(f"{rig}/{sequence.name}.bvh,{sequence.label}")
    labels.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _commands(block: str) -> Iterator[list[str]]:
    """The commands of a shell block, without their comments."""
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs_from_its_first_to_its_last_line(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_takes: Callable[[Path], Path]
) -> None:
    text = page.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("motionprint.corpora.synthetic.LABELS", ("clap", "jump", "wave"))  # less of it is enough here
    for words in SETUP.findall(text):
        _setup(words.split(), tmp_path, make_takes)
    blocks = BLOCK.findall(text)
    assert len(blocks) == text.count("<!-- run -->") > 0
    for language, block in blocks:
        short = re.sub(r"(steps[ =])300\b", r"\g<1>2", block)
        if language == "python":
            exec(compile(short, page.name, "exec"), {"__name__": "__main__"})
            continue
        for program, *arguments in _commands(short):
            assert program == "motionprint", block
            with pytest.raises(SystemExit) as stop:
                main([*arguments, *(["--quiet"] if arguments[0] not in ("info", "export") else [])])
            assert stop.value.code == 0, " ".join(arguments)


def test_what_looks_runnable_is_run() -> None:
    for page in TUTORIALS:
        text = page.read_text(encoding="utf-8")
        assert len(BLOCK.findall(text)) == len(re.findall(r"^```(?:bash|python)$", text, re.MULTILINE)), page.name


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("https://"):
            assert (REPOSITORY / target).is_file(), f"{page}: {target}"


def test_every_picture_is_there() -> None:
    for page in [*DOCS.rglob("*.md"), REPOSITORY / "README.md"]:
        for target in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page}: {target}"


def test_every_decision_is_numbered_once_and_says_what_would_change_it() -> None:
    pages = sorted((DOCS / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(page.name[:4])}. "), page.name
        for part in ("Context", "Choice", "What would change it"):
            assert f"\n## {part}\n" in text, f"{page.name}: {part}"


def test_nothing_says_where_it_was_written() -> None:
    """No path of somebody's machine, and no host that packages come from."""
    hosts = "|".join(("pypi" + r"\.org", "pythonhosted" + r"\.org", "anaconda" + r"\.org", "index" + "-url"))
    found = re.compile(rf"{hosts}|(?<![\w.])/(?:home|root|work|opt)/")
    kinds = {".py", ".md", ".toml", ".yml", ".yaml", ".txt", ".cff", ".json", ".jsonl", ".cfg", ""}
    folders = ("src", "tests", "docs", "benchmarks", "results", ".ci")
    files = [path for folder in folders for path in (REPOSITORY / folder).rglob("*")]
    files += [path for path in REPOSITORY.iterdir() if path.name != ".git"]
    for path in files:
        if path.is_file() and path.suffix in kinds and "__pycache__" not in path.parts and path != Path(__file__):
            match = found.search(path.read_text(encoding="utf-8"))
            assert match is None, f"{path.relative_to(REPOSITORY)}: {match.group() if match else ''}"
