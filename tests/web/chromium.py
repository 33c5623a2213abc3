"""A headless Chromium, driven over a pipe by the DevTools protocol: no port is opened and no package needed."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
PATIENCE = 120.0  # seconds the browser may say nothing while something is waited for
NAMED = {"Enter": (13, "\r"), "Tab": (9, ""), "ArrowDown": (40, "")}


def find_chromium() -> str | None:
    """Find the program."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """One window; `events` is what it told and nobody has waited for."""

    def __init__(self, program: str, profile: Path) -> None:
        reads, self._out = os.pipe()
        self._in, writes = os.pipe()
        high = [fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (reads, writes)]
        # The browser reads descriptor 3 and writes descriptor 4.
        place = f'exec "$0" "$@" 3<&{high[0]} 4>&{high[1]}'
        self._process = subprocess.Popen(
            ["bash", "-c", place, program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=high,
        )
        for one in (reads, writes, *high):
            os.close(one)
        self._held = b""
        self._number = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait(30)
        os.close(self._in)
        os.close(self._out)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            assert select.select([self._in], [], [], PATIENCE)[0], f"the browser said nothing for {PATIENCE:g} s"
            some = os.read(self._in, 1 << 16)
            assert some, "the browser has gone"
            self._held += some
        message, _, self._held = self._held.partition(b"\0")
        read: dict[str, Any] = json.loads(message)
        return read

    def call(self, method: str, **values: object) -> dict[str, Any]:
        """Ask for something and wait for the answer."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": values}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (read := self._read()).get("id") != self._number:
            self.events.append(read)
        assert "error" not in read, f"{method}: {read['error']}"
        result: dict[str, Any] = read["result"]
        return result

    def wait(self, method: str) -> None:
        """Wait for something to happen that has not been waited for."""
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._read())
        self.events = [event for event in self.events if event.get("method") != method]

    def show(self, width: int, height: int, scheme: str) -> None:
        """Set the size of the window and the colour scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, url: str) -> None:
        """Open a page and wait until it is there."""
        self.events = [event for event in self.events if event.get("method") != "Page.loadEventFired"]
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def value(self, script: str) -> Any:
        """Give what an expression says in the page."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return done["result"].get("value")

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key: a character, or one of `NAMED`."""
        code, text = NAMED.get(key, (0, key))
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
                modifiers=8 if shift else 0,
                text=text if kind == "keyDown" else "",
            )

    def write(self, text: str) -> None:
        """Type a text where the focus is."""
        self.call("Input.insertText", text=text)

    def shot(self, path: Path) -> None:
        """Keep what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def complaints(self) -> list[str]:
        """Give what the browser logged as errors: refused styles and scripts, exceptions."""
        logged = [event["params"] for event in self.events if event.get("method") == "Log.entryAdded"]
        thrown = [event for event in self.events if event.get("method") == "Runtime.exceptionThrown"]
        return [one["entry"]["text"] for one in logged if one["entry"]["level"] == "error"] + [
            str(one) for one in thrown
        ]
