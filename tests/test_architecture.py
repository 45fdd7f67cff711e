"""The rules of docs/architecture.md, held by reading the imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "motionprint"
DOCS = PACKAGE.parents[1] / "docs"

ROWS: dict[str, float] = {
    "errors": 1,
    "progress": 1,
    "skeleton": 1,
    "sequence": 1,
    "rotations": 1,
    "kinematics": 1,
    "rigs": 1,
    "persons": 2,
    "fanout": 2,
    "readers": 2,
    "writers": 2,
    "corpora": 3,
    "store": 4,
    "prepare": 4,
    "download": 4,
    "convert": 4,
    "preprocessing": 5,
    "batches": 6,
    "networks": 7,
    "methods": 8,
    "training": 9,
    "evaluation": 10,
    "search": 11,
    "labelling": 11,
    "exploring": 11,
    "repair": 11,
    "experiments": 12,
    "pictures": 12,
    "export": 12,
    "estimator": 13,
    "demo": 13,
    "viewer": 13,
    "cli": 14,  # the outermost: its commands are thin calls of everything else
}
"""The row of each room; a module imports only from smaller ones, and from its own room."""

WITHIN_A_ROW = {
    ("skeleton", "errors"),
    ("sequence", "errors"),
    ("sequence", "skeleton"),
    ("rotations", "errors"),
    ("kinematics", "errors"),
    ("rigs", "errors"),
    ("rigs", "sequence"),
    ("rigs", "skeleton"),
    ("kinematics", "rotations"),
    ("prepare", "store"),
    ("convert", "store"),
    ("experiments", "pictures"),
}
"""Rooms of one row of which the second is the first one's base."""

SHARED_IN_A_ROOM = {
    "readers": {"cells", "kinect", "lines", "markers", "settings", "source"},
    "writers": set(),
    "corpora": {"corpus", "tables"},
    "methods": {"method", "svm"},
}
"""Rooms of one file a format, corpus or method: the files that the others may import."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def _name(path: Path) -> tuple[str, ...]:
    """`readers/bvh.py` as ("readers", "bvh"), `readers/__init__.py` as ("readers",)."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def _imports(path: Path) -> set[tuple[str, ...]]:
    """What of motionprint a file imports, wherever in it: ("store", "atomic", ...)."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {tuple(name.split(".")[1:]) for name in names if name.split(".")[0] == "motionprint"}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: "/".join(path.relative_to(PACKAGE).parts))
def test_a_module_imports_only_from_smaller_rows(path: Path) -> None:
    importer = _name(path)
    if importer in {(), ("__main__",)}:
        return  # the package itself names its public faces, lazily
    assert importer[0] in ROWS, f"{path}: this room has no row in docs/architecture.md"
    for imported in _imports(path):
        if imported in {(), ("__version__",)}:
            continue
        if imported[0] == importer[0]:
            shared = SHARED_IN_A_ROOM.get(importer[0])
            if shared is not None and len(importer) > 1 and len(imported) > 1 and importer[1] != imported[1]:
                subject = importer[1] in shared or imported[1] in shared or imported[1].split("_")[0] in shared
                assert subject or _same_format(importer[1], imported[1]), f"{path} imports {'.'.join(imported)}"
            continue
        allowed = ROWS[imported[0]] < ROWS[importer[0]] or (importer[0], imported[0]) in WITHIN_A_ROW
        assert allowed, f"{path} (row {ROWS[importer[0]]}) imports {'.'.join(imported)} (row {ROWS[imported[0]]})"


def _same_format(importer: str, imported: str) -> bool:
    """Whether two files belong to one format or data set: `amc` takes its rig from `asf`."""
    return importer == imported.split("_")[0] or {importer, imported} in (
        {"amc", "asf"},
        {"ntu_rgbd", "ntu_rgbd_120"},
        {"berkeley_mhad", "mhad_dmocap"},
    )


def test_nothing_is_called_utils() -> None:
    names = {part for path in PACKAGE.rglob("*") for part in (path.stem,) if "__pycache__" not in path.parts}
    assert not names & {"utils", "util", "common", "helpers", "helper", "base", "misc"}


def _loaded(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after a statement."""
    code = f"{statement}\nimport sys\nprint(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_rows_1_to_5_never_load_torch() -> None:
    modules = [".".join(("motionprint", *_name(path))) for path in MODULES if ROWS.get((*_name(path), "")[0], 99) <= 5]
    assert "motionprint.preprocessing.recipe" in modules
    assert "torch" not in _loaded("import " + ", ".join(modules))


def test_importing_motionprint_loads_neither_torch_nor_pandas() -> None:
    heavy = {"torch", "pandas", "sklearn", "scipy", "matplotlib", "pyarrow"}
    assert not _loaded("import motionprint") & heavy
    assert not _loaded("import motionprint as mp; mp.read; mp.Skeleton; mp.ReadError") & heavy


def test_help_loads_nothing_heavy() -> None:
    heavy = {"torch", "pandas", "sklearn", "scipy", "matplotlib", "pyarrow", "numpy"}
    for arguments in (["--help"], ["pretrain", "--help"], ["evaluate", "--help"]):
        statement = f"from motionprint.cli import main\ntry:\n    main({arguments!r})\nexcept SystemExit: pass"
        assert not _loaded(statement) & heavy


def test_every_method_has_its_page() -> None:
    from motionprint.methods import CLASSIFIERS, METHODS

    table = (DOCS / "methods" / "index.md").read_text(encoding="utf-8")
    for method in (*METHODS, *CLASSIFIERS):
        assert (DOCS / "methods" / f"{method}.md").is_file(), f"docs/methods/{method}.md is missing"
        assert f"[`{method}`]({method}.md)" in table, f"docs/methods/index.md does not name {method}"


def test_every_format_and_corpus_is_documented() -> None:
    from motionprint.corpora import CORPORA
    from motionprint.readers import READERS

    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")).lower()
    for name in (*CORPORA, *READERS):
        assert f"`{name.lower()}`" in text or f"\n# {name.lower()}" in text, f"{name} is not in the documentation"


def test_every_command_is_documented() -> None:
    from motionprint.cli import COMMANDS

    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == list(COMMANDS), "docs/commands.md: a section each, in order"


def test_the_page_on_architecture_names_every_room() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    for path in PACKAGE.iterdir():
        if (path.suffix == ".py" and path.stem.startswith("__")) or path.name.startswith(("__", "py.typed")):
            continue
        assert f"`{path.name}{'/' if path.is_dir() else ''}`" in page, f"docs/architecture.md does not name {path.name}"
    rooms = re.findall(r"^\|[\d ]+\| (`.+?`) \|", page, re.MULTILINE)
    assert len(rooms) == len(set(rooms)), "docs/architecture.md: a row for each room"
