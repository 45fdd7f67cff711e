"""The page that is served: to this machine alone, to its own page alone, and labels into one file alone."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from motionprint.errors import DatasetError, SettingsError
from motionprint.sequence import SkeletonSequence
from motionprint.skeleton import SKELETONS
from motionprint.store import write_dataset
from motionprint.viewer import Labels, View, ViewServer, pack
from motionprint.viewer.server import BODY_BYTES

HEADER = "name,source,person,start,end,label"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.html").write_text("<title>stub é</title><!-- data --><!-- css --><!-- js -->", encoding="utf-8")
    for name in ("page.css", "page.js"):
        (folder / name).write_text("")
    return folder


@pytest.fixture(autouse=True)
def page(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of one line in place of the real one."""
    monkeypatch.setattr("motionprint.viewer.page.FOLDER", template)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of three recordings."""
    random = np.random.default_rng(0)
    made = [
        SkeletonSequence(
            random.normal(size=(10, 20, 3)), 10.0, SKELETONS["kinect20"], f"s{number}", source=f"{number}.txt"
        )
        for number in range(3)
    ]
    return write_dataset(tmp_path_factory.mktemp("served") / "data", made).folder


@pytest.fixture(scope="module")
def view(folder: Path) -> View:
    return pack(folder, map="pca")


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Ask = Callable[..., Answer]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labels.csv"


@pytest.fixture
def server(view: View, file: Path) -> Iterator[ViewServer]:
    """A server that runs while the test does."""
    with ViewServer() as server:
        server.show(view, Labels(file, view.items))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def asked(server: ViewServer, method: str, path: str, body: bytes = b"", **headers: str | None) -> Answer:
    """An answer; headers are those of the page unless told otherwise, and left out where None."""
    sent: dict[str, str | None] = {"Host": f"127.0.0.1:{server.server_port}"}
    if method == "POST":
        sent |= {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "X-Motionprint": "1",
            "Origin": f"http://127.0.0.1:{server.server_port}",
        }
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in sent.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    answer = Answer(response.status, dict(response.getheaders()), response.read())
    connection.close()
    return answer


def labelled(**labels: str | None) -> bytes:
    return json.dumps({"labels": {key.removeprefix("n"): label for key, label in labels.items()}}).encode()


def test_the_page_and_what_protects_it(server: ViewServer) -> None:
    answer = asked(server, "GET", "/")
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    text = answer.body.decode("utf-8")
    assert text.startswith("<title>stub é</title>") and '"served":true' in text
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert (answer.headers["X-Content-Type-Options"], answer.headers["X-Frame-Options"]) == ("nosniff", "DENY")
    assert answer.headers["Server"].strip() == "motionprint"
    assert not any(name.startswith("Access-Control") for name in answer.headers)


def test_it_listens_on_this_machine_alone(server: ViewServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_port}/"


def test_labels_go_to_the_file_and_come_back(server: ViewServer, file: Path) -> None:
    assert asked(server, "GET", "/labels").json == {"labels": {}}
    assert not file.exists()
    answer = asked(server, "POST", "/labels", labelled(n2="wave", n0=" jump \n".strip()))
    assert (answer.status, answer.json) == (200, {"saved": 2, "file": "labels.csv"})
    assert file.read_text().splitlines() == [HEADER, "s0,0.txt,0,0.000,1.000,jump", "s2,2.txt,0,0.000,1.000,wave"]
    assert asked(server, "GET", "/labels").json == {"labels": {"0": "jump", "2": "wave"}}
    answer = asked(
        server, "POST", "/labels", labelled(n2=None, n1="wave"), Content_Type="application/json; charset=utf-8"
    )
    assert answer.json["saved"] == 2
    assert asked(server, "GET", "/labels").json == {"labels": {"0": "jump", "1": "wave"}}


def test_labels_that_are_in_the_file_are_in_the_page(folder: Path, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("name,label\ns0,sit\n")
    view = pack(folder, labels=other, map="pca")
    assert view.meta["labels"] == {"names": ["sit"], "given": {"0": "sit"}}
    file.write_text(f"{HEADER}\ns1,1.txt,0,0.000,1.000,clap\nelsewhere,,0,0,1,sit\n")
    with ViewServer() as server:
        server.show(view, Labels(file, view.items))
        assert b'"labels":{"names":["clap","sit"],"given":{"1":"clap"}}' in server.page


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "[::1]"])
def test_other_names_of_this_machine(name: str, server: ViewServer) -> None:
    assert asked(server, "GET", "/labels", Host=f"{name}:{server.server_port}").status == 200


@pytest.mark.parametrize(
    "host", [None, "", "evil.example", "127.0.0.1", "evil.example:{}", "127.0.0.1:{}.evil.example"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_host_is_refused(method: str, host: str | None, server: ViewServer, file: Path) -> None:
    name = host if host is None else host.format(server.server_port)
    answer = asked(server, method, "/labels", labelled(n0="x") if method == "POST" else b"", Host=name)
    assert answer.status == 403 and "expected the host of http://127.0.0.1" in answer.json["error"]
    assert not file.exists()


@pytest.mark.parametrize("origin", ["https://127.0.0.1:{}", "http://evil.example", "null", "http://127.0.0.1:1", ""])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused(method: str, origin: str, server: ViewServer, file: Path) -> None:
    body = labelled(n0="x") if method == "POST" else b""
    answer = asked(server, method, "/labels", body, Origin=origin.format(server.server_port))
    assert answer.status == 403 and "expected a request of the page" in answer.json["error"]
    assert not file.exists()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X_Motionprint": None}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": None}, 415),
        ({"Content_Length": None}, 411),
        ({"Content_Length": "-1"}, 411),
        ({"Content_Length": "1e3"}, 411),
        ({"Content_Length": str(BODY_BYTES + 1)}, 413),
        ({"Content_Length": "9" * 5000}, 413),
        ({"Transfer_Encoding": "chunked"}, 411),
    ],
)
def test_requests_that_no_page_of_ours_sends(
    headers: dict[str, str | None], status: int, server: ViewServer, file: Path
) -> None:
    answer = asked(server, "POST", "/labels", labelled(n0="x"), **headers)
    assert answer.status == status and answer.headers["Connection"] == "close" and list(answer.json) == ["error"]
    assert not file.exists()
    assert asked(server, "GET", "/").status == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "expected JSON"),
        (b"\xff\xfe", "expected JSON"),
        (b"[" * 100_000, "expected JSON"),
        (b"[]", 'expected {"labels"'),
        (b'{"labels": [1]}', 'expected {"labels"'),
        (labelled(n3="x"), "expected numbers of sequences below 3, found '3'"),
        (labelled(**{"n-1": "x"}), "expected numbers of sequences below 3, found '-1'"),
        (labelled(n1000000000000="x"), "expected numbers of sequences below 3"),
        (b'{"labels": {"../s0": "x"}}', "expected numbers of sequences below 3, found '../s0'"),
        (b'{"labels": {"0": 1}}', "expected text or null as the label of 0"),
        (labelled(n0=" "), "expected a label of 1 to 200 printable characters, found ' '"),
        (labelled(n0="a\nb"), r"expected a label of 1 to 200 printable characters, found 'a\nb'"),
        (labelled(n0="x" * 201), "expected a label of 1 to 200 printable characters"),
        (b'{"labels": {"0": "\\ud800"}}', "expected a label of 1 to 200 printable characters"),
    ],
)
def test_bodies_that_are_no_labels(body: bytes, message: str, server: ViewServer, file: Path) -> None:
    answer = asked(server, "POST", "/labels", body)
    assert answer.status == 400 and message in answer.json["error"]
    assert not file.exists()


@pytest.mark.parametrize(
    "path", ["/x", "//x", "/labels/", "/../labels.csv", "/%2e%2e/labels.csv", "/labels?x", "/etc/passwd"]
)
def test_no_client_names_a_path(path: str, server: ViewServer, file: Path) -> None:
    file.write_text(f"{HEADER}\n")
    assert asked(server, "GET", path).status == 404
    assert asked(server, "POST", path, labelled(n0="x")).status == 404
    assert file.read_text() == f"{HEADER}\n"
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_other_methods(server: ViewServer) -> None:
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert asked(server, method, "/labels").status == 501


def test_a_file_that_was_damaged_meanwhile(server: ViewServer, file: Path) -> None:
    file.write_text("name,label,mine\ns0,x,y\n")
    answer = asked(server, "POST", "/labels", labelled(n0="x"))
    assert answer.status == 409 and "expected the columns" in answer.json["error"]
    assert file.read_text() == "name,label,mine\ns0,x,y\n"


def test_many_save_at_once(server: ViewServer) -> None:
    def save(number: int) -> None:
        for turn in range(5):
            assert asked(server, "POST", "/labels", labelled(**{f"n{number}": f"t{turn}"})).status == 200

    threads = [threading.Thread(target=save, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked(server, "GET", "/labels").json == {"labels": {"0": "t4", "1": "t4", "2": "t4"}}


def test_without_a_file_the_page_is_as_offline(view: View) -> None:
    with ViewServer() as server:
        server.show(view)
        assert b'"served":false' in server.page
        threading.Thread(target=server.handle_request).start()
        answer = asked(server, "POST", "/labels", labelled(n0="x"))
        assert answer.status == 409 and "--save FILE" in answer.json["error"]


def test_a_port_that_is_taken(view: View) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"port {port}: cannot be listened on: Address already in use"):
            ViewServer(port)
    with pytest.raises(SettingsError, match="port 70000: cannot be listened on"):
        ViewServer(70000)


def test_a_file_of_labels_that_is_none(view: View, file: Path) -> None:
    file.write_text("mine")
    with pytest.raises(DatasetError, match="expected the columns name,source,person,start,end,label"):
        Labels(file, view.items)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_ends_the_command(template: Path, folder: Path, file: Path) -> None:
    code = (
        "import pathlib, signal, sys\nimport motionprint.viewer.page as page\npage.FOLDER = pathlib.Path(sys.argv[1])\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # what a shell starts behind it ignores Ctrl-C
        "from motionprint.cli import main\nmain(sys.argv[2:])"
    )
    words = ["view", str(folder), "--map", "pca", "--serve", "--save", str(file), "--quiet"]
    with subprocess.Popen(
        [sys.executable, "-c", code, str(template), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        address, _, rest = line.partition(" ")
        if rest != "shows data: 3 sequences, PCA of coordinates; Ctrl-C ends it\n":
            process.kill()  # its end is what the reading waits for
            pytest.fail(line + process.stderr.read())
        port = int(address.rstrip("/").rsplit(":", 1)[1])
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"X-Motionprint": "1", "Content-Type": "application/json"}  # as a program sends them, without origin
        connection.request("POST", "/labels", labelled(n1="wave"), headers)
        assert json.loads(connection.getresponse().read())["saved"] == 1
        connection.close()
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err) == (0, "")
    assert out == f"{file}: 1 labelled sequence\n"
    assert file.read_text().splitlines() == [HEADER, "s1,1.txt,0,0.000,1.000,wave"]
