"""The page served to this machine alone, with a file that labels given by hand go to.

The server listens on the loopback address only. Other pages that the browser has open are kept out: by the host that
a request must name (a name that leads here by DNS is refused), by its origin, and by a header that no form can send.
Clients name no path: there are three routes, and one file, chosen when the server is started.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from motionprint.errors import DatasetError, MotionprintError, SettingsError
from motionprint.viewer.pack import View
from motionprint.viewer.page import build
from motionprint.viewer.tables import Labels, checked_label

__all__ = ["ADDRESS", "BODY_BYTES", "ViewServer"]

ADDRESS = "127.0.0.1"
BODY_BYTES = 4 << 20
"""Bytes of a request's body at most."""
SECONDS = 30.0
"""How long a client may keep a connection waiting."""

_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",  # which a page cannot say of itself; it says the rest
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class ViewServer(ThreadingHTTPServer):
    """Serves one page on the loopback address: `show` it, `serve_forever` until `shutdown`, then `server_close`.

    Parameters
    ----------
    port
        The port to listen on; 0 for any that is free.

    Raises
    ------
    SettingsError
        If the port cannot be listened on.
    """

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # there it would take over a port that somebody listens on

    def __init__(self, port: int = 0) -> None:
        self.labels: Labels | None = None
        self.items = 0
        self.page = b""
        try:
            super().__init__((ADDRESS, port), _Handler)
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise SettingsError(f"port {port}: cannot be listened on: {why}; choose another --port, or none") from error
        self.hosts = {f"{name}:{self.server_port}" for name in (ADDRESS, "localhost", "[::1]")}
        if self.server_port == 80:
            self.hosts |= {ADDRESS, "localhost", "[::1]"}

    def show(self, view: View, labels: Labels | None = None) -> None:
        """What is served: a page, and the file that its labels go to; without one it offers them as a download.

        Raises
        ------
        DatasetError
            If the file of labels is damaged.
        """
        self.page = build(_served(view, labels), view.frames).encode("utf-8")
        self.labels, self.items = labels, len(view.items)

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://{ADDRESS}:{self.server_port}/"

    def server_bind(self) -> None:
        """Without the look at the name of this machine that the standard library takes, which may be slow."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, int(self.server_address[1])

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:
        """Say nothing of a client that has gone."""


def _served(view: View, labels: Labels | None) -> dict[str, Any]:
    """The page's data, with the labels that the file has already: no others are given, those of other files colour."""
    if labels is None:
        return view.meta
    given = {str(item): label for item, label in labels.given().items()}
    names = sorted({*view.meta["labels"]["names"], *given.values()})
    return {**view.meta, "served": True, "labels": {"names": names, "given": given}}


class _Refused(Exception):
    """A request that is answered by a status and a line."""

    def __init__(self, status: HTTPStatus, line: str) -> None:
        super().__init__(line)
        self.status = status


class _Answer(NamedTuple):
    kind: str
    body: bytes
    status: HTTPStatus = HTTPStatus.OK


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: ViewServer
    server_version = "motionprint"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = SECONDS

    def do_GET(self) -> None:
        """The page, and the labels of the file."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Labels to keep."""
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the command line is not the place for every request."""

    def _answer(self, work: Any) -> None:
        try:
            self._check_sender()
            answer = work()
        except _Refused as refusal:
            self.close_connection = True  # a body may be left unread
            answer = _json({"error": str(refusal)}, refusal.status)
        except MotionprintError as error:
            self.close_connection = True
            answer = _json({"error": str(error)}, HTTPStatus.CONFLICT)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def _check_sender(self) -> None:
        """Refuse what another page, or a name that leads here by DNS, asks for."""
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].lower() not in self.server.hosts:
            raise _Refused(HTTPStatus.FORBIDDEN, f"expected the host of {self.server.address}")
        for origin in self.headers.get_all("Origin") or []:
            if origin.lower() != f"http://{hosts[0].lower()}":
                raise _Refused(HTTPStatus.FORBIDDEN, f"expected a request of the page at {self.server.address}")

    def _get(self) -> _Answer:
        if self.path == "/":
            return _Answer("text/html; charset=utf-8", self.server.page)
        if self.path == "/labels":
            given = {} if self.server.labels is None else self.server.labels.given()
            return _json({"labels": {str(item): label for item, label in given.items()}})
        raise _Refused(HTTPStatus.NOT_FOUND, "expected / or /labels")

    def _post(self) -> _Answer:
        if self.path != "/labels":
            raise _Refused(HTTPStatus.NOT_FOUND, "expected /labels")
        if self.server.labels is None:
            raise _Refused(HTTPStatus.CONFLICT, "expected a file to keep labels in: start with --save FILE")
        if self.headers.get("X-Motionprint") != "1":
            raise _Refused(HTTPStatus.FORBIDDEN, "expected the header X-Motionprint: 1")
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected application/json")
        labels = _labels(self._body(), self.server.items)
        saved = self.server.labels.change(labels)
        return _json({"saved": saved, "file": self.server.labels.file.name})

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "expected a body with its Content-Length")
        if len(length) > 12 or int(length) > BODY_BYTES:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {BODY_BYTES} bytes")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise _Refused(HTTPStatus.BAD_REQUEST, f"expected {length} bytes, found {len(body)}")
        return body


def _json(table: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> _Answer:
    return _Answer("application/json", json.dumps(table).encode("ascii"), status)


def _labels(body: bytes, items: int) -> dict[int, str | None]:
    """The labels in a request, by the numbers of items."""
    try:
        table = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, "expected JSON") from error
    given = table.get("labels") if isinstance(table, dict) else None
    if not isinstance(given, dict):
        raise _Refused(HTTPStatus.BAD_REQUEST, 'expected {"labels": {"NUMBER": "label" or null, ...}}')
    labels: dict[int, str | None] = {}
    for key, label in given.items():
        if not (key.isascii() and key.isdigit() and len(key) < 10 and int(key) < items):
            raise _Refused(HTTPStatus.BAD_REQUEST, f"expected numbers of sequences below {items}, found {key[:40]!a}")
        if not (label is None or isinstance(label, str)):
            raise _Refused(HTTPStatus.BAD_REQUEST, f"expected text or null as the label of {key}")
        try:
            labels[int(key)] = None if label is None else checked_label(label)
        except DatasetError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
    return labels
