"""The viewer's page, used in a browser as people use it: by mouse, by finger, and by keyboard alone.

One headless Chromium for all; where there is none, these tests are skipped.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from motionprint.viewer import build

_SPEC = importlib.util.spec_from_file_location("view_payload", Path(__file__).with_name("view_payload.py"))
assert _SPEC is not None and _SPEC.loader is not None
view_payload = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(view_payload)
payload = view_payload.payload

LAPTOP, PHONE = (1280, 800), (360, 740)

pytestmark = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="no browser is here: expected chromium and chromedriver on the path",
)


class Page:
    """The open page, and what tests do with it."""

    def __init__(self, driver: Chrome, folder: Path, downloads: Path) -> None:
        self.driver = driver
        self.folder = folder
        self.downloads = downloads

    def open(
        self,
        html: str | None = None,
        *,
        size: tuple[int, int] = LAPTOP,
        address: str | None = None,
        state: str = "ready",
        **media: str,
    ) -> Page:
        """Load a page of the standard payload, or another, in a window of a size; media: scheme, motion."""
        self.driver.get("about:blank")
        phone = size == PHONE
        self.command(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": phone},
        )
        self.command(
            "Emulation.setTouchEmulationEnabled", {"enabled": phone, **({"maxTouchPoints": 2} if phone else {})}
        )
        features = {
            "prefers-color-scheme": media.get("scheme", "light"),
            "prefers-reduced-motion": media.get("motion", ""),
        }
        asked = [{"name": name, "value": value} for name, value in features.items()]
        self.command("Emulation.setEmulatedMedia", {"features": asked})
        if address is None:
            file = self.folder / "page.html"
            file.write_text(html if html is not None else build(*payload()), encoding="utf-8")
            address = file.as_uri()
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(address)
        self.until(lambda: self.js("return document.documentElement.dataset.state") != "loading")
        assert self.js("return document.documentElement.dataset.state") == state, self.text("#error")
        return self

    def command(self, name: str, arguments: Mapping[str, Any]) -> None:
        self.driver.execute_cdp_cmd(name, dict(arguments))

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.js("return motionprint.state()")
        return found

    def until(self, condition: Callable[[], Any], seconds: float = 20) -> Any:
        return WebDriverWait(self.driver, seconds, 0.03).until(lambda _: condition())

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.find(selector).text

    def place(self, item: int) -> tuple[int, int]:
        x, y = self.js("return motionprint.place(arguments[0])", item)
        return round(x), round(y)

    def free_item(self) -> int:
        """A recording whose point no other covers."""
        far = self.js(
            "const n = arguments[0], at = [...Array(n).keys()].map(motionprint.place);"
            "const far = (i, j) => i === j ? 1e9 : Math.hypot(at[i][0] - at[j][0], at[i][1] - at[j][1]);"
            "return at.map((_, i) => Math.min(...at.map((_, j) => far(i, j))))",
            60,
        )
        return int(np.argmax(far))

    def mouse(self, *moves: tuple[int, int], press: bool = False, shift: bool = False) -> None:
        """Move the mouse from place to place in the window, with the button held down or not."""
        chain = ActionChains(self.driver, duration=20)
        pointer, keyboard = chain.w3c_actions.pointer_action, chain.w3c_actions.key_action
        if shift:
            chain.key_down(Keys.SHIFT)
        for number, (x, y) in enumerate(moves):
            pointer.move_to_location(x, y)
            keyboard.pause()  # both have a list of their own, and the same number of ticks
            if press and number == 0:
                pointer.pointer_down()
                keyboard.pause()
        if press:
            pointer.release()
            keyboard.pause()
        if shift:
            chain.key_up(Keys.SHIFT)
        chain.perform()

    def keys(self, *keys: str) -> None:
        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def picture(self, selector: str) -> str:
        """What a canvas shows, as text that differs when it does."""
        return str(self.js("return document.querySelector(arguments[0]).toDataURL()", selector))

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("pages")
    downloads = folder / "downloads"
    downloads.mkdir()
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(argument)  # tests may run as root, in a container
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield Page(driver, folder, downloads)
    finally:
        driver.quit()


@pytest.fixture
def page(browser: Page) -> Iterator[Page]:
    yield browser
    assert browser.complaints() == []


class Server(ThreadingHTTPServer):
    """What serves the page in served mode, in the little that the page sees of it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.html = build(*payload(served=True, labels={"names": ["walk"], "given": {}}))
        self.labels: dict[str, str] = {}
        self.asked: list[tuple[str, str | None, Any]] = []
        self.refusal = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Answers(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path == "/":
            self._answer(200, self.server.html.encode(), "text/html; charset=utf-8")
        elif self.path == "/labels":
            self._answer(200, json.dumps({"labels": self.server.labels}).encode())
        else:
            self._answer(404, b"{}")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["X-Motionprint"], body))
        if self.server.refusal:
            self._answer(400, json.dumps({"error": self.server.refusal}).encode())
            return
        for item, label in body["labels"].items():
            self.server.labels.pop(item, None) if label is None else self.server.labels.update({item: label})
        self._answer(200, json.dumps({"saved": len(self.server.labels), "file": "mine.csv"}).encode())

    def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: tests print no requests."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


# ---- loading --------------------------------------------------------------------------------------------------------


def test_the_page_asks_nobody_for_anything(page: Page) -> None:
    page.open()
    page.js("motionprint.pin(0); motionprint.hover(1)")
    asked = []
    for entry in page.driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.append(urlsplit(message["params"]["request"]["url"]).scheme)
    assert set(asked) <= {"file", "data", "about"}
    assert asked.count("file") == 1
    assert page.text("#title") == "Four actions"
    assert page.text("#facts") == "60 recordings · PCA of coordinates · motionprint test"


def test_motion_is_read_as_it_was_packed(page: Page) -> None:
    """Differences, byte planes and missing joints come back as the millimetres that went in."""
    meta, frames = payload()
    page.open(build(meta, frames))
    for item in (0, 3, 5):
        wanted = view_payload.millimetres(view_payload.motion(item % 4, 20 + item, item))
        if item == 5:
            wanted[:10, 4] = -32768
        assert page.js("return Array.from(clipOf(arguments[0]).values)", item) == wanted.ravel().tolist()


def test_a_page_without_a_map_lists_its_recordings(page: Page) -> None:
    page.open(build(*payload(12, map=None)))
    assert len(page.all("#found button")) == 12
    page.all("#found button")[3].click()
    assert page.state()["pinned"] == [3]


# ---- showing and pinning --------------------------------------------------------------------------------------------


def test_hovering_a_point_plays_it(page: Page) -> None:
    page.open()
    item = page.free_item()
    assert not page.find("#now").is_displayed()
    page.mouse(page.place(item))
    page.until(lambda: page.state()["hovered"] == item)
    assert page.text("#now strong") == f"{view_payload.ACTIONS[item % 4]}_{item:03d}"
    first = page.picture("#now-figure")
    page.until(lambda: page.picture("#now-figure") != first)
    frame = page.state()["hoveredFrame"]
    page.until(lambda: page.state()["hoveredFrame"] != frame)
    page.mouse((5, 5))
    assert page.state()["hovered"] is None


def test_windows_and_persons_of_one_recording_are_told_apart(page: Page) -> None:
    meta, frames = payload(8)
    meta["items"]["name"][:4] = ["walk", "walk", "duet", "duet"]
    meta["items"]["start"][1], meta["items"]["end"][1] = 1.0, 2.5
    meta["items"]["person"][3] = 1
    meta["items"]["start"][4] = meta["items"]["end"][4] = None
    page.open(build(meta, frames))
    names = page.js("return [0, 1, 2, 3, 4, 5].map(nameOf)")
    assert names == [
        "walk, 0.0 to 1.3 s",
        "walk, 1.0 to 2.5 s",
        "duet, 0.0 to 1.5 s",
        "duet, person 1, 0.0 to 1.5 s",
        "wave_004",
        "march_005",
    ]


def test_clicks_pin_up_to_four_and_the_fifth_is_refused(page: Page) -> None:
    page.open()
    item = page.free_item()
    page.mouse(page.place(item), press=True)
    assert page.state()["pinned"] == [item]
    others = [each for each in range(10) if each != item][:3]
    for other in others:
        assert page.js("return motionprint.pin(arguments[0])", other)
    fifth = next(each for each in range(20, 30) if each != item)
    assert page.js("return motionprint.pin(arguments[0])", fifth) is False
    assert page.text("#say") == "4 recordings are pinned already: unpin one first."
    assert page.state()["pinned"] == [item, *others]
    assert len(page.all(".pin canvas[role=img]")) == 4
    page.mouse(page.place(item), press=True)  # once more lets it go
    assert page.state()["pinned"] == others
    page.find(".pin button:last-child").click()
    assert page.state()["pinned"] == others[1:]


def test_dragging_turns_all_figures_and_the_wheel_zooms(page: Page) -> None:
    page.open(motion="reduce")
    page.js("motionprint.pin(0); motionprint.pin(1)")
    page.until(lambda: page.js("return waiting === 0"))
    before, turn = [page.picture(f".pin:nth-child({n}) > canvas") for n in (1, 2)], page.state()["camera"]["turn"]
    box = page.find(".pin > canvas").rect
    x, y = round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)
    page.mouse((x, y), (x + 50, y), press=True)
    assert page.state()["camera"]["turn"] == pytest.approx(turn + 30)
    page.until(lambda: all(page.picture(f".pin:nth-child({n}) > canvas") != before[n - 1] for n in (1, 2)))
    zoom = page.state()["camera"]["zoom"]
    page.js("document.querySelector('.pin > canvas').dispatchEvent(new WheelEvent('wheel', {deltaY: -200}))")
    assert page.state()["camera"]["zoom"] > zoom


def test_one_time_line_moves_all_pinned_figures(page: Page) -> None:
    page.open(motion="reduce")
    page.js("[0, 4, 9].forEach(motionprint.pin)")
    page.until(lambda: page.find("#time").is_enabled())
    page.js("const t = document.querySelector('#time'); t.value = 0.8; t.dispatchEvent(new Event('input'))")
    state = page.state()
    assert state["time"] == pytest.approx(0.8, abs=0.01)
    assert state["pinnedFrames"] == pytest.approx([15 * state["time"]] * 3)
    page.js("const t = document.querySelector('#time'); t.value = t.max; t.dispatchEvent(new Event('input'))")
    assert page.state()["pinnedFrames"] == pytest.approx([19, 23, 28])  # each rests at its own last frame
    page.until(lambda: page.text("#time-text") == "1.9 / 1.9 s")


# ---- keyboard -------------------------------------------------------------------------------------------------------


def test_everything_can_be_done_by_keyboard_alone(page: Page) -> None:
    page.open(motion="reduce")

    def tab_to(name: str) -> None:
        for _ in range(60):
            if page.js("return document.activeElement.id") == name:
                return
            page.keys(Keys.TAB)
        raise AssertionError(f"Tab never reaches {name}")

    tab_to("map")
    outline = page.js("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keys(Keys.ARROW_RIGHT)
    first = page.state()["hovered"]
    assert first is not None
    page.keys(Keys.ARROW_RIGHT)
    second = page.state()["hovered"]
    assert page.place(second)[0] > page.place(first)[0]
    assert page.text("#now strong") in page.js("return document.querySelector('#heard').textContent")
    page.keys(Keys.ARROW_LEFT, Keys.ENTER)
    pinned = page.state()["pinned"]
    assert len(pinned) == 1
    page.keys(Keys.SPACE)
    assert page.state()["playing"]
    page.keys(Keys.SPACE)
    assert not page.state()["playing"]
    page.keys("s", Keys.ARROW_DOWN, "s")
    assert len(page.state()["selected"]) == 2
    scale = page.state()["map"]["scale"]
    page.keys("+")
    assert page.state()["map"]["scale"] > scale
    page.keys("0")
    assert page.state()["map"]["scale"] == 1
    tab_to("filter")
    page.keys("wave anna", Keys.ENTER, Keys.ENTER)
    assert len(page.state()["pinned"]) == 2
    tab_to("label-text")
    page.keys("waving", Keys.ENTER)
    assert sorted(page.state()["labels"].values()) == ["waving", "waving"]
    tab_to("time")
    page.keys(Keys.HOME, Keys.ARROW_RIGHT)
    assert page.state()["time"] > 0
    page.js("document.activeElement.blur()")
    page.keys(Keys.ESCAPE, Keys.ESCAPE)
    state = page.state()
    assert state["hovered"] is None
    assert state["selected"] == []


# ---- legend, finding, neighbours ------------------------------------------------------------------------------------


def test_the_legend_dims_the_other_classes(page: Page) -> None:
    page.open()
    assert [chip.text.split() for chip in page.all("#legend button")] == [[name, "15"] for name in view_payload.ACTIONS]
    page.all("#legend button")[1].click()
    state = page.state()
    assert state["lit"] == 15
    assert page.all("#legend button")[1].get_attribute("aria-pressed") == "true"
    page.mouse(page.place(0))  # a dimmed point is not picked
    assert page.state()["hovered"] is None or page.state()["hovered"] % 4 == 1
    page.all("#legend button")[2].click()
    assert page.state()["lit"] == 30
    Select(page.find("#colour")).select_by_visible_text("subject")
    assert page.state()["lit"] == 60
    assert [chip.text.split()[0] for chip in page.all("#legend button")] == list(view_payload.PEOPLE)


def test_points_stand_on_the_map_in_the_colour_of_their_class(page: Page) -> None:
    page.open(motion="reduce")
    item = page.free_item()
    pixel = (
        "const [x, y] = motionprint.place(arguments[0]), shown = document.getElementById('map');"
        "const box = shown.getBoundingClientRect(), copy = new OffscreenCanvas(1, 1).getContext('2d');"
        "copy.drawImage(shown, box.left - Math.round(x), box.top - Math.round(y));"
        "return [...copy.getImageData(0, 0, 1, 1).data]"
    )
    hue = page.js("return HUES[arguments[0]]", item % 4)
    wanted = [int(hue[at : at + 2], 16) for at in (1, 3, 5)]
    for zoom in (1, 3, 1 / 9):
        page.js("zoomMap(arguments[0], ...place(arguments[1]))", zoom, item)
        page.until(lambda: page.js("return waiting === 0"))
        assert page.js(pixel, item) == [*wanted, 255]
    page.js("fitMap()")
    page.all("#legend button")[(item + 1) % 4].click()
    page.until(lambda: page.js("return waiting === 0"))
    assert page.js(pixel, item)[:3] not in (wanted, [0, 0, 0])  # dimmed, but there


def test_numbers_are_coloured_by_a_ramp(page: Page) -> None:
    page.open()
    Select(page.find("#colour")).select_by_visible_text("confidence")
    assert page.text("#legend").split() == ["0.017", "0.983"]
    assert not page.all("#legend button")
    assert page.js("return [signOf(0).hue, signOf(1).hue, signOf(59).hue]") == ["none", "#440154", "#fde725"]


def test_the_first_sixty_four_classes_differ_in_more_than_colour(page: Page) -> None:
    page.open()
    looks = page.js("return [...Array(64).keys()].map(shapeOf)")
    assert len({look["shape"] for look in looks[:8]}) == 8
    assert len({(look["shape"], look["hue"]) for look in looks}) == 64


def test_thousands_of_classes_are_drawn_and_the_legend_stays_short(page: Page) -> None:
    meta, frames = payload()
    meta["colours"] = [{"name": "file", "values": [f"f{n}" for n in range(5000)], "codes": [64 * n for n in range(60)]}]
    page.open(build(meta, frames))
    item = page.free_item()
    x, y = page.place(item)
    red = "const c = document.getElementById('map'), b = c.getBoundingClientRect();"
    red += "return [...c.getContext('2d').getImageData(arguments[0] - b.left, arguments[1] - b.top, 1, 1).data]"
    assert page.until(lambda: page.js(red, x, y)[:3] == [0xD5, 0x5E, 0x00])  # each is drawn as class 0 is
    assert len(page.all("#legend button")) == 100
    assert page.text("#legend > .count") == "4,900 others: look for them by name"


def test_no_script_runs_but_the_page_s_own(page: Page) -> None:
    page.open()
    page.js("const s = document.createElement('script'); s.textContent = 'window.foreign = 1'; document.body.append(s)")
    page.js("document.body.insertAdjacentHTML('beforeend', '<img src=data:x onerror=\"window.foreign = 2\">')")
    page.until(lambda: page.js("return [...document.images].every((image) => image.complete)"))
    assert page.js("return window.foreign ?? null") is None
    assert any("Content Security Policy" in entry["message"] for entry in page.driver.get_log("browser"))


def test_some_of_more_recordings_say_so(page: Page) -> None:
    page.open(build(*payload(total=1482)))
    assert page.text("#facts").startswith("60 of 1,482 recordings · ")


def test_text_finds_recordings_by_name_label_and_subject(page: Page) -> None:
    page.open()
    page.find("#filter").send_keys("MARCH bert")
    wanted = [item for item in range(60) if item % 4 == 1 and item % 3 == 1]
    assert page.text("#found-count") == f"{len(wanted)} recordings found."
    assert page.state()["lit"] == len(wanted)
    assert [button.text.split()[0] for button in page.all("#found button")] == [f"march_{item:03d}" for item in wanted]
    page.find("#select-found").click()
    assert page.state()["selected"] == wanted
    page.find("#filter").send_keys(" nobody")
    assert page.text("#found-count") == "Nothing found: look for part of a name, a label or a subject."


def test_neighbours_of_a_pinned_recording_are_listed_with_distances(page: Page) -> None:
    meta, frames = payload()
    page.open(build(meta, frames))
    page.js("motionprint.pin(7); motionprint.pin(8)")
    page.find(".pin button").click()  # of the first
    assert page.state()["about"] == 7
    ids = np.frombuffer(base64.b64decode(meta["neighbours"]["ids"]), "<i4").reshape(60, 5)
    far = np.frombuffer(base64.b64decode(meta["neighbours"]["distances"]), "<f4").reshape(60, 5)
    rows = page.all("#neighbours button")
    assert [row.text.split()[0] for row in rows] == [meta["items"]["name"][item] for item in ids[7]]
    assert [float(row.find_element(By.CSS_SELECTOR, ".far").text) for row in rows] == pytest.approx(
        far[7].tolist(), rel=5e-3
    )
    rows[2].click()
    assert page.state()["pinned"] == [7, 8, ids[7, 2]]
    assert page.state()["about"] == 7  # the list stays under the pointer


# ---- selecting and labelling ----------------------------------------------------------------------------------------


def _loop(page: Page, items: list[int]) -> list[tuple[int, int]]:
    """A rectangle around points, as places in the window."""
    places = np.array([page.place(item) for item in items])
    (left, top), (right, bottom) = places.min(axis=0) - 8, places.max(axis=0) + 8
    return [(int(x), int(y)) for x, y in ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))]


def test_lasso_label_and_save_to_the_server(page: Page, server: Server) -> None:
    page.open(address=server.address)
    waving = list(range(0, 60, 4))
    places = np.array([page.place(item) for item in range(60)])
    corners = np.array(_loop(page, waving))
    inside = ((places >= corners.min(axis=0)) & (places <= corners.max(axis=0))).all(axis=1)
    page.mouse(*_loop(page, waving), press=True, shift=True)
    assert page.state()["selected"] == np.flatnonzero(inside).tolist()
    page.js("motionprint.select([0, 4, 8])")
    page.find("#label-text").send_keys("walk")
    page.find("#label-give").click()
    assert page.state()["labels"] == {"0": "walk", "4": "walk", "8": "walk"}
    assert page.text("#unsaved") == "3 changes not saved"
    page.find("#save").click()
    page.until(lambda: page.text("#say") == "3 labels saved in mine.csv.")
    assert server.asked == [("/labels", "1", {"labels": {"0": "walk", "4": "walk", "8": "walk"}})]
    page.js("motionprint.select([4])")
    page.find("#label-remove").click()
    page.js("return motionprint.save()")
    page.until(lambda: page.text("#say") == "2 labels saved in mine.csv.")
    assert server.asked[-1][2] == {"labels": {"4": None}}
    page.open(address=server.address)  # loaded again, they are there
    assert page.state()["labels"] == {"0": "walk", "8": "walk"}
    assert page.state()["unsaved"] == 0


def test_a_refusal_of_the_server_is_shown_and_loses_nothing(browser: Page, server: Server) -> None:
    server.refusal = "the disk is full"
    browser.open(address=server.address)
    browser.js("motionprint.select([1]); motionprint.label('walk'); motionprint.save()")
    browser.until(lambda: "the disk is full" in browser.text("#say"))
    assert browser.state()["unsaved"] == 1
    assert [each for each in browser.complaints() if "400" not in each] == []


def test_labels_are_downloaded_without_a_server(page: Page) -> None:
    meta, frames = payload()
    meta["items"]["name"][2] = 'a "quoted", name'
    page.open(build(meta, frames))
    assert not page.find("#save").is_displayed()
    page.js("motionprint.select([2, 1]); motionprint.label('walk')")
    page.find("#download").click()
    file = page.downloads / "labels.csv"
    page.until(file.exists)
    rows = file.read_text(encoding="utf-8").splitlines()
    assert rows == [
        "name,source,person,start,end,label",
        "march_001,bert/1.bvh,0,0.000,1.400,walk",
        '"a ""quoted"", name",,0,0.000,1.467,walk',
    ]
    assert page.state()["unsaved"] == 0


def test_own_labels_are_a_colour(page: Page) -> None:
    page.open(build(*payload(labels={"names": ["walk"], "given": {"3": "walk"}})))
    page.js("motionprint.select([5, 6]); motionprint.label('jump')")
    Select(page.find("#colour")).select_by_visible_text("your labels")
    assert [chip.text.split() for chip in page.all("#legend button")] == [["jump", "2"], ["walk", "1"], ["none", "57"]]


# ---- a run ----------------------------------------------------------------------------------------------------------


def test_a_run_shows_losses_and_hidden_parts_in_colour(page: Page) -> None:
    page.open(build(*payload(run=view_payload.run())), motion="reduce")
    page.find("#to-run").click()
    page.until(lambda: len(page.all("#losses path")) == 3)
    summary = page.find("#losses svg").get_attribute("aria-label")
    assert summary == "Losses over steps 1 to 50, logarithmic: encoder from 2.5 to 0.05; decoder from 1.5 to 0.212"
    assert "50 values not above zero left out" in page.text("#losses-key")
    assert page.text("#run-facts").split() == ["method", "inpainting", "steps", "50"]
    assert page.text("#inpainted-off") == "Hidden joints are 10.0 cm from where they were recorded, on average."
    page.until(lambda: page.js("return waiting === 0"))
    count = (
        "const [id, r, g, b] = arguments, shown = document.getElementById(id);"
        "const copy = new OffscreenCanvas(shown.width, shown.height).getContext('2d', {willReadFrequently: true});"
        "copy.drawImage(shown, 0, 0);"
        "const d = copy.getImageData(0, 0, shown.width, shown.height).data;"
        "let n = 0;"
        "for (let i = 0; i < d.length; i += 4)"
        " if (d[i + 3] > 200 && d[i] === r && d[i + 1] === g && d[i + 2] === b) n++;"
        "return n"
    )
    truth, made = (0, 0x72, 0xB2), (0xD5, 0x5E, 0)
    assert page.js(count, "original", *truth) > 20
    assert page.js(count, "original", *made) == 0
    assert page.js(count, "inpainted", *made) > 20
    assert page.js(count, "inpainted", *truth) == 0
    page.find("#example-next").click()
    assert page.state()["example"] == 1
    before = page.picture("#original")
    page.find("#play").click()
    page.until(lambda: page.picture("#original") != before)


# ---- phone, colours, motion -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 360])
def test_on_a_phone_nothing_overflows_and_fingers_find_the_controls(page: Page, width: int) -> None:
    page.open(build(*payload(run=view_payload.run())), size=PHONE)
    page.command(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    )
    page.js("[0, 1, 2, 3].forEach(motionprint.pin); motionprint.hover(4)")
    for view in ("to-run", "to-map"):
        page.find(f"#{view}").click()
        assert page.js("return document.documentElement.scrollWidth") == width
        small = page.js(
            "return [...document.querySelectorAll('button, select, input')].filter(e => e.checkVisibility())"
            ".map(e => [e.id || e.textContent, e.getBoundingClientRect()])"
            ".filter(([, b]) => b.height < 40 || b.width < 40)"
            ".map(([n, b]) => `${n} ${b.width}x${b.height}`)"
        )
        assert small == []


def test_a_finger_shows_first_and_pins_then(page: Page) -> None:
    page.open(size=PHONE)
    item = page.free_item()
    x, y = page.place(item)

    def tap() -> None:
        page.command("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        page.command("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    tap()
    page.until(lambda: page.state()["hovered"] == item)
    assert page.state()["pinned"] == []
    assert page.find("#now-pin").is_enabled()
    tap()
    page.until(lambda: page.state()["pinned"] == [item])


def test_two_fingers_zoom_the_map(page: Page) -> None:
    page.open(size=PHONE)
    box = page.find("#map").rect
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for kind, reach in (("touchStart", 30), ("touchMove", 45), ("touchMove", 60)):
        points = [{"x": x - reach, "y": y, "id": 0}, {"x": x + reach, "y": y, "id": 1}]
        page.command("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.command("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.until(lambda: page.state()["map"]["scale"] == pytest.approx(2, rel=0.05))


def _luminance(colour: str) -> float:
    channels = [int(each) / 255 for each in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(page: Page, scheme: str) -> None:
    """Contrasts of at least 4.5, as WCAG 2.2 asks of text (1.4.3)."""
    page.open(scheme=scheme)
    grounds = {}
    for selector, ground in (("body", "body"), (".quiet", ".card"), ("#facts", "body"), ("#play", "#play")):
        ink, behind = page.js(
            "const style = (selector) => getComputedStyle(document.querySelector(selector));"
            "return [style(arguments[0]).color, style(arguments[1]).backgroundColor]",
            selector,
            ground,
        )
        grounds[ground] = _luminance(behind)
        light, dim = sorted([_luminance(ink), _luminance(behind)], reverse=True)
        assert (light + 0.05) / (dim + 0.05) >= 4.5, selector
    assert (grounds["body"] < 0.1) == (scheme == "dark")


def test_nothing_plays_by_itself_where_motion_is_to_be_reduced(page: Page) -> None:
    page.open(motion="reduce")
    page.js("motionprint.hover(0)")
    assert not page.state()["playing"]
    page.until(lambda: page.js("return waiting === 0"))  # nothing more is to be drawn
    assert page.state()["time"] == 0
    page.find("#play").click()
    page.until(lambda: page.state()["time"] > 0)


# ---- damaged and hostile data ---------------------------------------------------------------------------------------


def _without_meta(html: str) -> str:
    start = html.index('<script type="application/json"')
    return html[:start] + html[html.index("</script>", start) + len("</script>") :]


def _changed(change: Callable[[dict[str, Any]], object]) -> str:
    meta, frames = payload(run=view_payload.run())
    change(meta)
    return str(build(meta, frames))


BROKEN = {
    "expected the data of the page, found none": lambda: _without_meta(build(*payload())),
    "meta: expected JSON": lambda: build(*payload()).replace('{"format"', '{"format', 1),
    "meta: expected format 1, found 2": lambda: _changed(lambda meta: meta.update(format=2)),
    "skeleton 0: expected a parent a joint": lambda: _changed(lambda meta: meta["skeletons"][0]["parents"].pop()),
    "skeleton 0: expected parents that are joints, found 99": lambda: _changed(
        lambda meta: meta["skeletons"][0]["parents"].__setitem__(3, 99)
    ),
    "items: expected 60 values of start, found 59": lambda: _changed(lambda meta: meta["items"]["start"].pop()),
    "item 2: expected a skeleton of the page, found 7": lambda: _changed(
        lambda meta: meta["items"]["skeleton"].__setitem__(2, 7)
    ),
    "item 2: expected a positive frame rate, found 0": lambda: _changed(
        lambda meta: meta["items"]["fps"].__setitem__(2, 0)
    ),
    "item 2: expected frames, found 0": lambda: _changed(lambda meta: meta["items"]["length"].__setitem__(2, 0)),
    "item 2: expected an offset, found -3": lambda: _changed(lambda meta: meta["items"]["offset"].__setitem__(2, -3)),
    "item 59: expected its motion to end at value": lambda: _changed(
        lambda meta: meta["items"]["length"].__setitem__(59, 10**6)
    ),
    "colour label: expected 60 codes or numbers": lambda: _changed(lambda meta: meta["colours"][0]["codes"].pop()),
    "colour label: expected codes of its values, found 4": lambda: _changed(
        lambda meta: meta["colours"][0]["codes"].__setitem__(0, 4)
    ),
    "map: expected 60 finite values of y": lambda: _changed(lambda meta: meta["map"]["y"].__setitem__(5, None)),
    "frames: expected base64": lambda: build(*payload()).replace('id="frames">', 'id="frames">!', 1),
    "frames: expected deflated motion, found damaged bytes": lambda: build(payload()[0], payload()[1][:-40]),
    "neighbours: expected 6 of each of 60 recordings": lambda: _changed(lambda meta: meta["neighbours"].update(k=6)),
    "neighbours: expected numbers of recordings": lambda: _changed(
        lambda meta: meta["neighbours"].update(ids=view_payload.base64_of(np.full(300, 60, "<i4").tobytes()))
    ),
    "item 5: expected 275 bits of what is missing, found 8": lambda: _changed(
        lambda meta: meta["missing"].update({"5": view_payload.base64_of(b"x")})
    ),
    "inpainted 0: expected 1650 bytes of original, found 1": lambda: _changed(
        lambda meta: meta["run"]["inpainted"][0].update(original=view_payload.base64_of(b"x"))
    ),
    "inpainted 1: expected 275 bits of what was hidden, found 8": lambda: _changed(
        lambda meta: meta["run"]["inpainted"][1].update(hidden=view_payload.base64_of(b"x"))
    ),
    "items: expected a recording or a run, found neither": lambda: build(
        {**payload(1)[0], "items": {key: [] for key in payload(1)[0]["items"]}, "colours": [], "map": None},
        payload(1)[1],
    ),
}
"""What is wrong with a page, and what makes such a page."""


@pytest.mark.parametrize("expected", BROKEN)
def test_a_broken_page_says_so_in_one_line(page: Page, expected: str) -> None:
    page.open(BROKEN[expected](), state="error")
    line = page.text("#error")
    assert line.startswith("This page's data is broken. ")
    assert expected in line
    assert "\n" not in line
    assert not page.find("footer").is_displayed()
    assert not page.find("#map-view").is_displayed()


def test_texts_of_the_data_are_shown_as_text_and_never_run(page: Page) -> None:
    evil = '</script><script>window.ran = 1</script><img src=x onerror="window.ran = 2"><!--'
    meta, frames = payload(12, run=view_payload.run())
    meta["title"] = meta["map"]["of"] = meta["made_by"] = evil
    meta["items"]["name"] = [f"{evil}{item}" for item in range(12)]
    meta["items"]["source"] = [evil] * 12
    meta["skeletons"][0]["joints"][0] = evil
    meta["colours"][0].update(name=evil, values=[f"{evil}{value}" for value in range(4)])
    meta["run"]["facts"] = [[evil, evil]]
    meta["run"]["losses"][evil] = [1.0] * 50
    meta["run"]["inpainted"][0]["name"] = evil
    meta["labels"] = {"names": [evil], "given": {"1": evil}}
    page.open(build(meta, frames))
    page.js(
        "motionprint.hover(1); motionprint.pin(1); motionprint.pin(2);"
        "motionprint.select([3]); motionprint.label(arguments[0])",
        evil,
    )
    page.find("#filter").send_keys("script")
    assert page.text("#title") == evil
    assert page.text("#now strong") == f"{evil}1"
    assert page.find("#found button").text.startswith(f"{evil}0")
    page.find("#to-run").click()
    page.until(lambda: evil in page.text("#losses-key"))
    assert page.text("#run-facts dt") == evil
    assert page.js("return window.ran") is None
    assert not page.all("img")
    assert len(page.all("script")) == 2  # the meta, and the page's own
