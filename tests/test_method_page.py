"""The pages of the methods quote lines of code: each must stand in the file that its page names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


PAGES = sorted((REPOSITORY / "docs" / "methods").glob("*.md"))


def _quotations(page: Path) -> list[tuple[str, str]]:
    found, file = [], ""
    for line in page.read_text(encoding="utf-8").splitlines():
        heading = re.fullmatch(r"In `(src/.*\.py)`:", line)
        if heading:
            file = heading[1]
        elif line.startswith("## "):
            file = ""
        elif file and (row := re.fullmatch(r"\|.*\| `(.+)` \|", line)):
            found.append((file, row[1].replace("\\|", "|")))
    return found


def test_the_page_quotes_every_room_of_the_method() -> None:
    quotations = _quotations(REPOSITORY / "docs" / "methods" / "inpainting.md")
    assert len(quotations) >= 25
    assert len({file for file, _ in quotations}) == 6


@pytest.mark.parametrize(("file", "code"), [each for page in PAGES for each in _quotations(page)])
def test_a_quoted_line_stands_in_the_code(file: str, code: str) -> None:
    lines = [line.strip() for line in (REPOSITORY / file).read_text(encoding="utf-8").splitlines()]
    assert code in lines
