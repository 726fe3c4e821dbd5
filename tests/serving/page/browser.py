"""A real Chromium, driven over the DevTools protocol: real clicks, real keys, and all that its console says."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from websockets.sync.client import ClientConnection, connect

from tests.guard import guard

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required "
    "--mute-audio --disable-audio-output "
    "--remote-debugging-port=0 --force-color-profile=srgb --hide-scrollbars"
)
KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
PATIENCE = 20.0
"""Seconds to wait for something that should come."""


class Tab:
    """A page in the browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._count = socket, 0
        self._session: str | None = None
        self.complaints: list[str] = []
        """Errors and warnings of its console, exceptions and refusals of its policy among them."""
        self.requests: list[str] = []
        """The addresses that it has asked."""
        self.dialogs: list[str] = []
        """What it has asked its reader to confirm; the reader always does."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> Any:
        """Ask the browser for something."""
        number = self._send(method, parameters)
        while True:
            heard = json.loads(self._socket.recv(timeout=60))
            if heard.get("id") == number:
                assert "error" not in heard, f"{method}: {heard['error']}"
                return heard["result"]
            self._note(heard)

    def _send(self, method: str, parameters: Mapping[str, object]) -> int:
        self._count += 1
        message: dict[str, object] = {"id": self._count, "method": method, "params": parameters}
        if self._session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        return self._count

    def _note(self, heard: dict[str, Any]) -> None:
        said = heard.get("params", {})
        match heard.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(said["exceptionDetails"])[:2000])
            case "Runtime.consoleAPICalled" if said["type"] in ("error", "warning", "assert"):
                self.complaints.append(json.dumps(said["args"])[:2000])
            case "Log.entryAdded" if said["entry"]["level"] in ("error", "warning"):
                self.complaints.append(f"{said['entry']['text']} ({said['entry'].get('url', '')})")
            case "Network.requestWillBeSent":
                self.requests.append(said["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(said["url"])
            case "Page.javascriptDialogOpening":
                self.dialogs.append(said["message"] or said["type"])
                self._send("Page.handleJavaScriptDialog", {"accept": True})

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page says that it is ready."""
        self.call("Page.navigate", url=url)
        if not url.startswith("about:"):
            self.until("document.documentElement.dataset.ready !== undefined")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str, seconds: float = PATIENCE) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while True:
            value = self.evaluate(f"(() => {{ try {{ return Boolean({expression}) }} catch {{ return false }} }})()")
            if value:
                return
            assert time.monotonic() < end, f"never so: {expression}; {self.complaints}; {self.text('body')[-1500:]}"
            time.sleep(0.03)

    def text(self, selector: str) -> str:
        """What is to be read in an element."""
        return cast(str, self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def texts(self, selector: str) -> list[str]:
        """What is to be read in all elements that are to be seen, once what is new has been drawn: before that nothing
        is to be read in an element whose content is laid out only where it is on the screen."""
        seen = f"[...document.querySelectorAll({json.dumps(selector)})].filter((one) => one.checkVisibility())"
        frame = "(then) => requestAnimationFrame(() => requestAnimationFrame(then))"
        return cast(list[str], self.evaluate(f"new Promise({frame}).then(() => {seen}.map((one) => one.innerText))"))

    def click(self, selector: str, number: int = 0) -> None:
        """Click into the middle of what is to be seen of an element, once it does not move: a video moves what is below
        it when its size is known."""
        place = self.evaluate(
            f"(async () => {{ const all = [...document.querySelectorAll({json.dumps(selector)})];"
            f"const one = all.filter((one) => one.checkVisibility())[{number}]; let place, last;"
            "do { one.scrollIntoView({block: 'center', inline: 'nearest', behavior: 'instant'}); last = place;"
            "for (const _ of [1, 2, 3]) await new Promise(requestAnimationFrame);"
            "const box = one.getBoundingClientRect(); place = [box.x + box.width / 2, box.y + box.height / 2];"
            "} while (String(last) !== String(place)); return place })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1, buttons=1
            )

    def write(self, text: str) -> None:
        """Write where the focus is."""
        self.call("Input.insertText", text=text)

    def press(self, *keys: str, modifiers: int = 0) -> None:
        """Press keys, one after the other."""
        for key in keys:
            code = KEYS.get(key) or ord(key.upper())
            text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 and not modifiers else {}
            for kind in ("keyDown", "keyUp"):
                more = text if kind == "keyDown" else {}
                self.call(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key=key,
                    windowsVirtualKeyCode=code,
                    modifiers=modifiers,
                    **more,
                )

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files with a file picker."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def screen(self, width: int, height: int, *, dark: bool = False, factor: float = 1) -> None:
        """Have a screen of this size, and a reader who likes it light or dark, and without motion."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=factor,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.call("Emulation.setEmulatedMedia", features=[scheme, still])

    def screenshot(self, path: Path) -> None:
        """A picture of what is on the screen."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def save_to(self, folder: Path) -> None:
        """Save what is downloaded there."""
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))


@contextmanager
def browser(folder: Path, *flags: str) -> Iterator[Tab]:
    """A browser with one page; it is ended at the end."""
    assert BROWSER
    command = [BROWSER, *FLAGS.split(), f"--user-data-dir={folder}", *flags, "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    guard(process)
    try:
        # Pings would be sent by a thread, at any time while other tests run, with Python's global random numbers, which
        # Hypothesis finds changed then; and what nobody reads meanwhile would hold up their answers.
        with connect(_address(folder), max_size=None, proxy=None, ping_interval=None) as socket:
            yield Tab(socket)
            socket.send(json.dumps({"id": 0, "method": "Browser.close"}))
        process.wait(20)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _address(folder: Path) -> str:
    """Where the browser listens; it writes that into a file."""
    end = time.monotonic() + 60
    lines: Sequence[str] = ()
    while len(lines) < 2:
        assert time.monotonic() < end, "the browser did not start"
        time.sleep(0.05)
        file = folder / "DevToolsActivePort"
        lines = file.read_text(encoding="ascii").split("\n") if file.is_file() else ()
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
