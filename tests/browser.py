"""A real, headless Chromium, driven over WebDriver; where there is none, tests say so and skip."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
DRIVERS = ("chromedriver", "chromium.chromedriver")
FLAGS = (
    "--headless=new",
    "--window-size=1280,900",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
PATIENCE_S = 30.0
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Control": "\ue009", "Tab": "\ue004"}


class Window:
    """One browser with a profile of its own.

    Args:
        base: Address of its WebDriver session.
    """

    def __init__(self, base: str) -> None:
        self._base = base

    def open(self, link: str) -> None:
        """Go to the link."""
        _ask(f"{self._base}/url", {"url": link})

    def run(self, script: str, *args: object) -> Any:  # noqa: ANN401 -- JavaScript returns anything
        """What the script returns."""
        return _ask(f"{self._base}/execute/sync", {"script": script, "args": list(args)})

    def run_async(self, script: str) -> Any:  # noqa: ANN401 -- JavaScript returns anything
        """What the script hands to its last argument, a callback."""
        return _ask(f"{self._base}/execute/async", {"script": script, "args": []})

    def text(self, selector: str) -> str:
        """The visible text of the first element that fits, or ""."""
        found = self.run(
            "const e = document.querySelector(arguments[0]);"
            "return e && e.checkVisibility() ? e.innerText : ''",
            selector,
        )
        return str(found)

    def click(self, selector: str) -> None:
        """Click the first element that fits, as a person would."""
        found = _ask(f"{self._base}/element", {"using": "css selector", "value": selector})
        _ask(f"{self._base}/element/{found[_ELEMENT]}/click", {})

    def keys(self, *keys: str) -> None:
        """Press the keys one after the other; "Control+Enter" holds the first."""
        actions = []
        for key in keys:
            names = [KEYS.get(name, name) for name in (key.split("+") if len(key) > 1 else [key])]
            actions += [{"type": "keyDown", "value": name} for name in names]
            actions += [{"type": "keyUp", "value": name} for name in reversed(names)]
        body = {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}
        _ask(f"{self._base}/actions", body)

    def type(self, text: str) -> None:
        """Type the text, one key per character."""
        self.keys(*text)

    def wait(self, true: Callable[[], object], what: str) -> None:
        """Wait until it is true; fails with `what` when it never is."""
        until = time.monotonic() + PATIENCE_S
        while not true():
            if time.monotonic() > until:
                shown = self.text("body")
                raise AssertionError(f"{what} did not come true; the page shows:\n{shown}")
            time.sleep(0.05)

    def wait_text(self, selector: str, words: str) -> None:
        """Wait until the element shows the words."""
        self.wait(lambda: words in self.text(selector), f"{words!r} in {selector}")

    def devtools(self, command: str, **params: Any) -> None:  # noqa: ANN401 -- as the protocol says
        """A command of the Chrome DevTools protocol."""
        _ask(f"{self._base}/goog/cdp/execute", {"cmd": command, "params": params})

    def resize(self, width: int, height: int) -> None:
        """Show the page at this size, as a telephone of that width would."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.devtools("Emulation.setDeviceMetricsOverride", **size)

    def shade(self, scheme: str) -> None:
        """Prefer "light" or "dark"."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.devtools("Emulation.setEmulatedMedia", features=[feature])

    def screenshot(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        path.write_bytes(base64.b64decode(_ask(f"{self._base}/screenshot")))

    def close(self) -> None:
        """Close the browser, without asking the page."""
        _ask(self._base, method="DELETE")


class Driver:
    """A running chromedriver.

    Args:
        url: Its address.
        browser: The browser's program.
        home: Where browsers keep their own files.
    """

    def __init__(self, url: str, browser: str, home: Path) -> None:
        self._url = url
        self._browser = browser
        self._home = home
        self._windows: list[Window] = []
        self._number = count()

    def window(self) -> Window:
        """A new browser, with no cookie and no memory of any other."""
        profile = f"--user-data-dir={self._home / f'profile-{next(self._number)}'}"
        options = {"binary": self._browser, "args": [*FLAGS, profile]}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        session = _ask(f"{self._url}/session", wanted)["sessionId"]
        self._windows.append(Window(f"{self._url}/session/{session}"))
        return self._windows[-1]

    def close(self) -> None:
        """Close every browser that is still open."""
        while self._windows:
            with suppress(urllib.error.URLError, AssertionError):  # closed before
                self._windows.pop().close()


@contextmanager
def chromium(home: Path) -> Iterator[Driver]:
    """A driver of this machine's Chromium; skips the test where there is none."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    program = next((path for name in DRIVERS if (path := shutil.which(name))), None)
    if browser is None or program is None:
        pytest.skip("no Chromium and chromedriver on this machine: the page was not driven")
    folders = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "TMPDIR")
    env = {**os.environ, **dict.fromkeys(folders, str(home))}
    with subprocess.Popen(
        [program, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = next(
                line.rsplit(" ", 1)[-1].strip(". \n")
                for line in process.stdout
                if "started successfully on port" in line
            )
            driver = Driver(f"http://127.0.0.1:{port}", browser, home)
            try:
                yield driver
            finally:
                driver.close()
        finally:
            process.terminate()


def _ask(url: str, body: object | None = None, method: str | None = None) -> Any:  # noqa: ANN401
    """The value that the driver answers with."""
    data = None if body is None else json.dumps(body).encode()
    how = method or ("GET" if data is None else "POST")
    request = urllib.request.Request(url, data, method=how)  # noqa: S310 -- the loopback
    request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from error
