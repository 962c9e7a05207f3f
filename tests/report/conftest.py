"""One small screening with hostile names, and a browser to look at its page."""

import base64
import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tamperscope import report
from tamperscope.records import (
    Box,
    Evidence,
    Figure,
    Finding,
    Panel,
    Region,
    Run,
    Screening,
    Unread,
)

HOSTILE = "a\n\"b\" <script>alert('x')</script> & \u56fe\u7248 \u202egnp.pdf"
NO_TEXT = "bytes \udcff\udc80.png"  # a file name that is no UTF-8, as the system hands it over
TURN = ((0.0, 1.0, 10.0), (-1.0, 0.0, 170.0), (0.0, 0.0, 1.0))  # 90 degrees counter-clockwise


class Example:
    """A screening with everything that ``write_report`` takes."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        first = texture(rng, 180, 240)
        second = texture(rng, 200, 220)
        part = np.zeros((180, 240), bool)
        part[40:150, 50:160] = True
        turned = warped(part.astype(np.uint8), second.shape[:2]).astype(bool)
        second[turned] = warped(first, second.shape[:2])[turned] * 0.8 + 20
        strip = texture(rng, 90, 300)
        strip[:, 150:] = strip[:, 150:] * 0.5 + 100
        line = np.zeros((90, 300), bool)
        line[:, 148:153] = True
        compound = np.full((240, 520, 3), 255, np.uint8)
        compound[20:200, 10:250] = first
        compound[20:220, 270:490] = second
        self.panels = {"f001p01": first, "f001p02": second, "f002p01": strip}
        self.figures = {"f001": compound, "f002": strip}
        flat = np.zeros((90, 300), bool)
        flat[20:60, 200:260] = True
        strip[flat] = 140
        self.masks = {("F1", 0): part, ("F1", 1): turned, ("F2", 0): line, ("F3", 0): flat}
        self.screening = Screening(
            figures=(
                Figure(
                    "f001", HOSTILE, 3, 520, 240,
                    (
                        Panel("f001p01", Box(10, 20, 250, 200), "microscopy", 0.98),
                        Panel("f001p02", Box(270, 20, 490, 220), "microscopy", 0.91, label="B"),
                    ),
                    origin="embedded", sha256="ab" * 32, place=(10.0, 20.5, 300.0, 200.0),
                ),
                Figure(
                    "f002", NO_TEXT, None, 300, 90,
                    (Panel("f002p01", Box(0, 0, 300, 90), "blot", 0.8),),
                    note="16 bit, stretched.",
                ),
            ),
            findings=(self._duplicate(), self._seam(), self._erased()),
            unread=(Unread("<img src=x onerror=alert(1)>", "it is encrypted & cannot be read"),),
            run=Run(
                "0.1.0", "0" * 40, {"screening": 1}, {"jobs": 2, "names": [HOSTILE]},
                ((HOSTILE, "cd" * 32), (NO_TEXT, "ef" * 32)), 12.5,
            ),
            notes=("Rendered at 300 dpi.",),
        )  # fmt: skip

    def _duplicate(self) -> Finding:
        return Finding(
            "F1", "duplicate", "keypoints", 0.97,
            (
                Region("f001", "f001p01", Box(60, 60, 170, 170), corners(60, 60, 170, 170)),
                Region("f001", "f001p02", Box(320, 30, 430, 141), corners(320, 30, 430, 141)),
            ),
            TURN,
            Evidence(
                inliers=120, correlation=0.91, correlation_tone=0.99, chance=0.0,
                chance_null="microscopy, 4,950 unrelated pairs",
                stability=(("JPEG quality 70", True), ("cropped", False)), control=(0, 37),
            ),
            f"A part of panel 1 ({HOSTILE}) appears again in panel B.", ("dense-field-zm",),
        )  # fmt: skip

    def _seam(self) -> Finding:
        return Finding(
            "F2", "seam", "seams", 0.5,
            (Region("f002", "f002p01", Box(148, 0, 153, 90), corners(148, 0, 153, 90)),),
            None,
            Evidence(chance=0.02, chance_null="blot, 160 panels", measures=(("step", 17.5),)),
            "The background changes abruptly along a vertical line.",
        )  # fmt: skip

    def _erased(self) -> Finding:
        return Finding(
            "F3", "erased", "erased", 0.4,
            (Region("f002", "f002p01", Box(200, 20, 260, 60), corners(200, 20, 260, 60)),),
            None,
            Evidence(chance=0.04, chance_null="blot, 160 panels", measures=(("noise", 0.0),)),
            "An area holds no noise.",
        )  # fmt: skip

    def write(self, out: Path) -> Path:
        return report.write_report(self.screening, self.figures.__getitem__, self.masks, out)


def texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Smooth noise in uint8 RGB: every place is like no other."""
    noise = cv2.GaussianBlur(rng.normal(size=(height, width, 3)), (0, 0), 3)
    return np.rint(128 + 100 * noise / np.abs(noise).max()).astype(np.uint8)


def warped(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return cv2.warpPerspective(pixels, np.array(TURN), shape[::-1], flags=cv2.INTER_NEAREST)


def corners(x0: float, y0: float, x1: float, y1: float) -> tuple[tuple[float, float], ...]:
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


@pytest.fixture
def example() -> Example:
    return Example()


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a report; not to be changed."""
    out: Path = tmp_path_factory.mktemp("report")
    Example().write(out)
    return out


ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """Headless Chromium behind chromedriver, spoken to in plain WebDriver; ``close`` ends both."""

    def __init__(self, width: int = 1280, height: int = 900) -> None:
        self.process = subprocess.Popen(
            [found("chromedriver"), "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{self._port()}"
        size = f"--window-size={width},{height}"
        calm = "--force-prefers-reduced-motion"  # no smooth scrolling under the pointer
        arguments = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--hide-scrollbars", calm, size,
        ]  # fmt: skip
        options = {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments, "binary": found("chromium")},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        try:
            made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": options}})
        except OSError:
            self._end()
            raise
        self.session = f"/session/{made['sessionId']}"

    def _port(self) -> int:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            port = re.search(r"started successfully on port (\d+)", line)
            if port:
                return int(port[1])
        raise RuntimeError("chromedriver ended before it listened")

    def call(self, method: str, path: str, body: object = None) -> Any:
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, page: Path) -> None:
        self.call("POST", f"{self.session}/url", {"url": page.resolve().as_uri()})

    def run(self, script: str, *arguments: object) -> Any:
        body = {"script": script, "args": list(arguments)}
        return self.call("POST", f"{self.session}/execute/sync", body)

    def run_async(self, script: str) -> Any:
        """Run a script that calls its last argument when it is done."""
        body = {"script": script, "args": []}
        return self.call("POST", f"{self.session}/execute/async", body)

    def press(self, key: str) -> None:
        actions = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        body = {"actions": [{"type": "key", "id": "keys", "actions": actions}]}
        self.call("POST", f"{self.session}/actions", body)

    def click(self, selector: str) -> None:
        self.call("POST", f"{self._find(selector)}/click")

    def text(self, selector: str) -> str:
        """What a reader sees of an element."""
        shown: str = self.call("GET", f"{self._find(selector)}/text")
        return shown

    def _find(self, selector: str) -> str:
        body = {"using": "css selector", "value": selector}
        found = self.call("POST", f"{self.session}/element", body)
        return f"{self.session}/element/{found[ELEMENT]}"

    def develop(self, command: str, **parameters: object) -> Any:
        """Give a command of the Chrome DevTools Protocol."""
        body = {"cmd": command, "params": parameters}
        return self.call("POST", f"{self.session}/goog/cdp/execute", body)

    def print(self) -> bytes:
        """The page as PDF."""
        return base64.b64decode(self.call("POST", f"{self.session}/print"))

    def log(self, kind: str) -> list[dict[str, Any]]:
        """Messages since the last call: ``browser`` is the console, ``performance`` the network."""
        messages: list[dict[str, Any]] = self.call("POST", f"{self.session}/se/log", {"type": kind})
        return messages

    def close(self) -> None:
        try:
            self.call("DELETE", self.session)
        finally:
            self._end()

    def _end(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()


def found(program: str) -> str:
    """Path of a program that must be there; see :func:`missing`."""
    path = shutil.which(program)
    assert path is not None, f"{program} is not installed"
    return path


def missing() -> str:
    """Say what is missing to run a browser; nothing where it is all there."""
    absent = [one for one in ("chromium", "chromedriver") if shutil.which(one) is None]
    if not absent:
        return ""
    return f"{' and '.join(absent)} not installed (Debian: chromium, chromium-driver)"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium; tests that need it are skipped where there is none, and say so."""
    if missing():
        pytest.skip(missing())
    started = Browser()
    yield started
    started.close()
