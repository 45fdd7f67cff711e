"""The page: one file, with its style, its script and its data within."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from motionprint.viewer.motion import as_base64

__all__ = ["build"]

FOLDER = Path(__file__).parent / "page"
"""Where page.html, page.css and page.js lie."""

_MARK = re.compile("<!-- (css|js|data|css-hash|js-hash) -->")


def build(meta: dict[str, Any], frames: bytes) -> str:
    """The whole HTML page, of what it shows (docs/viewer.md) and the deflated frames."""
    css, js = _text("page.css"), _text("page.js")
    pieces = {
        "css": css,
        "js": js,
        "css-hash": _hash(css),
        "js-hash": _hash(js),
        "data": (
            f'<script type="application/json" id="meta">{_json(meta)}</script>\n'
            f'<script type="text/plain" id="frames">{as_base64(frames)}</script>'
        ),
    }
    return _MARK.sub(lambda mark: pieces[mark[1]], _text("page.html"))  # in one pass: no mark is sought in the pieces


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What the page's policy names its style and its script by: no others run, whatever a name or a label holds."""
    return f"'sha256-{as_base64(hashlib.sha256(text.encode('utf-8')).digest())}'"


def _json(meta: dict[str, Any]) -> str:
    """JSON that no HTML parser finds a tag in."""
    return json.dumps(meta, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
