"""The HTML report in a real browser, offline; where there is none, the test says so."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.reports.test_gate_reports import NASTY, document, render

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


@pytest.fixture(scope="module")
def browser() -> str:
    """A browser of this machine."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine: the report was not opened in a browser")
    return found


def elsewhere(home: Path) -> dict[str, str]:
    """The environment of a browser that keeps its own files under `home`."""
    folders = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
    return {**os.environ, **dict.fromkeys(folders, str(home))}


@pytest.mark.slow
def test_the_report_opens_offline_and_runs_nothing(browser: str, tmp_path: Path) -> None:
    """The page is laid out, text of users stays text, and the console has nothing to say."""
    page = tmp_path / "report.html"
    page.write_text(render("html", document(name=NASTY)), encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    done = subprocess.run(
        [browser, *FLAGS, profile, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=elsewhere(tmp_path),
    )
    assert "checks failed" in done.stdout
    assert done.stdout.count("<svg") >= 3
    assert "<script" not in done.stdout
    assert "CONSOLE" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
def test_the_report_can_be_looked_at(browser: str, tmp_path: Path, width: int) -> None:
    """A screenshot in a narrow and in a wide window is made, and is no blank sheet."""
    page, shot = tmp_path / "report.html", tmp_path / "shot.png"
    page.write_text(render("html", document()), encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    size = f"--window-size={width},900"
    subprocess.run(
        [browser, *FLAGS, profile, size, f"--screenshot={shot}", page.as_uri()],
        capture_output=True,
        timeout=120,
        check=True,
        env=elsewhere(tmp_path),
    )
    assert shot.read_bytes().startswith(b"\x89PNG")
    assert shot.stat().st_size > 10_000
