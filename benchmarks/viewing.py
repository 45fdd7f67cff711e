"""How fluid a page of the viewer is: frames drawn a second while it is used, in headless Chromium.

    motionprint view DATASET --out PAGE.html
    python benchmarks/viewing.py PAGE.html [--seconds 5] [--size 1280x800] [--json FILE]

Measured, each for so many seconds, from one drawn frame to the next: panning the map (every point is drawn anew in
each frame), four pinned figures that play, and both at once. Headless Chromium draws without a graphics card and at
60 frames/s at most; the time within `drawMap` is what the page itself computes. Printed and written (JSON lines): the
mean rate, the median and the 95th percentile of the milliseconds between frames, the mean milliseconds of `drawMap`,
and the seconds until the page was ready.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from motionprint.evaluation.rows import provenance

WAYS = {"panning": (True, False), "four figures": (False, True), "both": (True, True)}
"""What is done: whether the map is panned, and whether figures are pinned and play."""

USE = """
const [seconds, pans, plays, done] = arguments;
[...state.pinned].forEach(unpin);
if (plays) for (let item = 0; item < Math.min(4, count); item++) pin(item);
setPlaying(plays);
const gaps = [], work = [], draws = drawMap;
drawMap = () => { const start = performance.now(); draws(); work.push(performance.now() - start); };
let first = null, last = null;
function frame(now) {
  if (last !== null) gaps.push(now - last);
  if (first === null) first = now;
  last = now;
  if (now - first > 1000 * seconds) {
    drawMap = draws;
    done({ gaps, work });
    return;
  }
  if (pans) panMap(6 * Math.cos((now - first) / 300), 6 * Math.sin((now - first) / 300));
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);
"""
"""What the page is made to do; its functions are those of page.js."""


def open_page(page: Path, width: int, height: int) -> tuple[Chrome, float]:
    """A browser that has the page open, and the seconds until it was ready."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_script_timeout(600)
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    start = time.perf_counter()
    driver.get(page.resolve().as_uri())
    while driver.execute_script("return document.documentElement.dataset.state") == "loading":
        time.sleep(0.02)
    return driver, time.perf_counter() - start


def measure(driver: Chrome, way: str, seconds: float) -> dict[str, Any]:
    """A row: how often the screen was drawn while the page was used in a way."""
    found = driver.execute_async_script(USE, seconds, *WAYS[way])
    gaps, work = np.array(found["gaps"]), np.array(found["work"])
    return {
        "way": way,
        "frames_per_second": 1000 / gaps.mean(),
        "median_ms": float(np.median(gaps)),
        "p95_ms": float(np.percentile(gaps, 95)),
        "draw_map_ms": float(work.mean()) if WAYS[way][0] else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="a page of `motionprint view`")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement [%(default)s]")
    parser.add_argument("--size", default="1280x800", help="of the window [%(default)s]")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    made = provenance(" ".join(["python", "benchmarks/viewing.py", *sys.argv[1:]]))
    driver, ready = open_page(arguments.page, width, height)
    try:
        count = driver.execute_script("return count")
        load = os.getloadavg()[0]
        browser = f"Chromium {driver.capabilities['browserVersion']}"
        print(f"{count} recordings, ready after {ready:.1f} s, {browser}, load {load:.1f}\n")
        print(
            "| use | frames/s | median, ms | 95 %, ms | drawing the map, ms |",
            "| --- | --- | --- | --- | --- |",
            sep="\n",
        )
        rows = []
        for way in WAYS:
            row = measure(driver, way, arguments.seconds)
            rows.append(
                {
                    "recordings": count,
                    "size": arguments.size,
                    "ready": ready,
                    "browser": browser,
                    "load": load,
                    **row,
                    **made,
                }
            )
            drawing = "" if row["draw_map_ms"] is None else f"{row['draw_map_ms']:.1f}"
            rate, median, p95 = row["frames_per_second"], row["median_ms"], row["p95_ms"]
            print(f"| {way} | {rate:.1f} | {median:.1f} | {p95:.1f} | {drawing} |", flush=True)
    finally:
        driver.quit()
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
