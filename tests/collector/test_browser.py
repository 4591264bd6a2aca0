"""gitloop.js in a real browser, sending to a real collector; where there is none, it says so."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gitloop.steps.capture import seal
from gitloop.storage import spool
from tests.collected import lines
from tests.repositories import Repository

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
HOMES = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
TOKEN, KEY = "a-token-of-some-length", "a-browser-key-of-length"

PAGE = """<!doctype html><meta charset="utf-8"><title>Chat</title>
<script src="{collector}/gitloop.js" data-key="{key}" data-route="refund" data-user-cohort="pro"
        data-prompt-version="support@2" data-session-id="s1"></script>
<article data-gitloop-trace="t1">
  <p id="answer">You can return it within 30 days.</p>
  <button data-gitloop="thumbs_down"><b id="inner">no</b></button>
  <button id="again" data-gitloop="regenerate">again</button>
  <button id="star" data-gitloop="rating" data-gitloop-value="4">****</button>
  <textarea id="edited" data-gitloop-edit>You can return it.</textarea>
  <form data-gitloop="comment"><input name="comment" value="Wrong policy. \U0001f4a9"></form>
</article>
<script>
  const by = (id) => document.getElementById(id);
  by("inner").click();
  by("again").click();
  by("star").click();
  document.getSelection().selectAllChildren(by("answer"));
  by("answer").dispatchEvent(new ClipboardEvent("copy", {{ bubbles: true }}));
  by("edited").dispatchEvent(new FocusEvent("focusin", {{ bubbles: true }}));
  by("edited").value = "You can return it within 14 days.";
  by("edited").dispatchEvent(new FocusEvent("focusout", {{ bubbles: true }}));
  by("edited").dispatchEvent(new FocusEvent("focusout", {{ bubbles: true }}));
  document.forms[0].requestSubmit();
  gitloop.thumbsUp("t2");
  gitloop.retry("t3", {{ screen: "chat" }});
  gitloop.escalate("t3", {{ route: "billing" }});
  gitloop.edit("t4", "x".repeat(100000));
  gitloop.watch("t5");
  gitloop.watch("t6");
  gitloop.done("t6");
  setTimeout(() => {{
    localStorage.setItem("gitloop.outbox", JSON.stringify(
      [{{ signal_type: "thumbs_up", trace_id: "kept", feedback_id: "kept" }}]));
    location.href = "next.html";
  }}, 1500);
</script>
"""
NEXT = """<!doctype html><title>Next</title>
<script src="{collector}/gitloop.js" data-key="{key}"></script>
<script>setTimeout(() => {{
  gitloop.thumbsUp("end", {{ comment: String(localStorage.getItem("gitloop.outbox")) }});
}}, 1000);</script>"""


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_args: Any) -> None:  # noqa: ANN401
        """Say nothing."""


@contextmanager
def pages(folder: Path) -> Iterator[str]:
    """The origin of a server of the folder's files."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def collector(root: Path, origin: str) -> Iterator[str]:
    """The address of a collector that takes what pages of the origin send."""
    command = [sys.executable, "-m", "gitloop", "capture", "serve", "--port", "0"]
    environment = {**os.environ, "GITLOOP_TOKEN": TOKEN, "GITLOOP_BROWSER_KEY": KEY}
    with subprocess.Popen(
        [*command, "--origin", origin], cwd=root, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@contextmanager
def browsing(browser: str, url: str, home: Path) -> Iterator[Path]:
    """A browser on the page, with all that it started; gives the file of what it logs."""
    log = home / "browser.log"
    command = [browser, *FLAGS, f"--user-data-dir={home / 'profile'}", url]
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, **dict.fromkeys(HOMES, str(home))},
            start_new_session=True,
        ) as process,
    ):
        try:
            yield log
        finally:
            os.killpg(process.pid, signal.SIGTERM)


@pytest.mark.slow
def test_what_users_do_in_a_page_arrives(repository: Repository, tmp_path: Path) -> None:
    """Thumbs, rating, comment, copy, edit, retry, regenerate, escalate, and leaving: each once."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine: gitloop.js was not run in a browser")
    site = tmp_path / "site"
    site.mkdir()
    with pages(site) as origin, collector(repository.root, origin) as address:
        (site / "page.html").write_text(PAGE.format(collector=address, key=KEY), encoding="utf-8")
        (site / "next.html").write_text(NEXT.format(collector=address, key=KEY), encoding="utf-8")
        folder = repository.root / spool.FOLDERS["feedback"]
        with browsing(browser, f"{origin}/page.html", tmp_path) as log:
            until = time.monotonic() + 90
            while "end" not in {event["trace_id"] for event in lines(folder)}:
                assert time.monotonic() < until, log.read_text(encoding="utf-8")
                time.sleep(0.2)
        assert "CONSOLE" not in log.read_text(encoding="utf-8")
    events = lines(folder)
    assert Counter((event["signal_type"], event["trace_id"]) for event in events) == {
        ("thumbs_down", "t1"): 1, ("regenerate", "t1"): 1, ("rating", "t1"): 1, ("copy", "t1"): 1,
        ("edit", "t1"): 1, ("comment", "t1"): 1, ("thumbs_up", "t2"): 1, ("retry", "t3"): 1,
        ("escalate", "t3"): 1, ("edit", "t4"): 1, ("abandon", "t5"): 1, ("thumbs_up", "kept"): 1,
        ("thumbs_up", "end"): 1,
    }  # fmt: skip
    by = {(event["signal_type"], event["trace_id"]): event for event in events}
    context = ("route", "user_cohort", "prompt_version", "session_id")
    assert [by["thumbs_down", "t1"][name] for name in context] == [
        "refund",
        "pro",
        "support@2",
        "s1",
    ]
    assert by["rating", "t1"]["value"] == 4
    assert by["comment", "t1"]["comment"] == "Wrong policy. \U0001f4a9"
    assert by["edit", "t1"]["edited_output"] == "You can return it within 14 days."
    assert by["copy", "t1"]["metadata"]["n_characters"] == 33
    assert by["retry", "t3"]["metadata"] == {"screen": "chat"}
    assert by["escalate", "t3"]["route"] == "billing"
    assert len(by["edit", "t4"]["edited_output"]) == 100_000
    report = seal(repository.root)
    assert (report.n_new, report.n_aside) == (13, 0)
    assert by["thumbs_up", "end"]["comment"] == "null"
