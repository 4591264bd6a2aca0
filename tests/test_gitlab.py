"""The GitLab workflow: its report and comment scripts, run as written against a loopback API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from gitloop.cli.main import invoke
from gitloop.scaffold import text
from tests.gate_cases import golden
from tests.gated import Gated, gated

N = 20
JOBS: dict[str, Any] = yaml.safe_load(text("gitlab.yml"))
NOTES = "/api/v4/projects/5/merge_requests/7/notes"


@dataclass
class Forge:
    """A GitLab with one merge request.

    Attributes:
        url: Where its API is.
        notes: The comments, oldest first.
        asked: Each request's method and path.
    """

    url: str = ""
    notes: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def forge() -> Iterator[Forge]:
    """A GitLab on the loopback whose merge request has 150 comments of people already."""
    found = Forge(notes=[{"id": n, "body": f"I think {n}"} for n in range(150)])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """List one page of the comments."""
            asked = parse_qs(urlsplit(self.path).query)
            size, page = int(asked["per_page"][0]), int(asked["page"][0])
            self.answer(found.notes[size * (page - 1) : size * page])

        def do_POST(self) -> None:
            """Add a comment."""
            found.notes.append({"id": len(found.notes), "body": self.body()})
            self.answer({})

        def do_PUT(self) -> None:
            """Change a comment."""
            found.notes[int(self.path.rpartition("/")[2])]["body"] = self.body()
            self.answer({})

        def body(self) -> str:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            return parse_qs(sent)["body"][0]

        def answer(self, value: object) -> None:
            path = urlsplit(self.path).path
            is_known = self.headers["PRIVATE-TOKEN"] == "secret" and path.startswith(NOTES)
            found.asked.append(f"{self.command} {path}")
            self.send_response(200 if is_known else 401)
            self.end_headers()
            self.wfile.write(json.dumps(value, separators=(",", ":")).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/api/v4"
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def run(lines: list[str], place: Path, **env: str) -> str:
    """What the lines print, run in one shell, as a GitLab runner does; they must end well."""
    own = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", "\n".join(lines)],
        cwd=place,
        env={**os.environ, "PATH": own, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Gated:
    """A merge request: five rows came into the golden set, and the gate has looked at them."""
    made = gated(tmp_path / "repo")
    made.promote(golden(N))
    made.commit("Begin")
    rows = golden(N + 5)
    made.promote(rows[N:], "2026.05-bbbbbb")
    made.score(rows, [1.0] * (N + 5))
    assert invoke(["-C", str(made.root), "gate"]) == 0
    made.commit("Promote five")
    return made


@pytest.mark.slow
def test_two_comments_are_made_and_then_edited_in_place(place: Gated, forge: Forge) -> None:
    """The second run finds them behind 150 comments of people, and changes nobody's."""
    job = JOBS["gitloop-comments"]
    base = place.repository.git("rev-parse", "HEAD~1")
    run(JOBS["gitloop"]["after_script"], place.root, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
    (finding,) = json.loads((place.root / "gl-code-quality-report.json").read_text())
    assert finding["check_name"] == "gate/delta"
    env = {
        "GITLOOP_TOKEN": "secret",
        "NOTES": job["variables"]["NOTES"]
        .replace("$CI_API_V4_URL", forge.url)
        .replace("$CI_MERGE_REQUEST_PROJECT_ID", "5")
        .replace("$CI_MERGE_REQUEST_IID", "7"),
    }
    assert run(job["script"], place.root, **env).split("\n")[:2] == ["POST gate", "POST diff"]
    verdict, change = (note["body"] for note in forge.notes[150:])
    assert verdict == (place.root / "gl-gate.md").read_text()
    assert change.startswith("<!-- gitloop diff -->")
    assert "5" in change

    (place.root / "gl-gate.md").write_text("<!-- gitloop gate -->\n**é & 100 % = ?**\n")
    (place.root / "gl-diff.md").unlink()
    assert run(job["script"], place.root, **env) == "PUT gate\n"
    assert forge.notes[150]["body"] == "<!-- gitloop gate -->\n**é & 100 % = ?**\n"
    assert [note["body"] for note in forge.notes[:150]] == [f"I think {n}" for n in range(150)]
    assert forge.asked[-1] == f"PUT {NOTES}/150"


def test_jobs_need_no_token_of_a_fork() -> None:
    """Without the token, which a fork does not see, nothing comments; the gate is the same."""
    (rule,) = JOBS["gitloop-comments"]["rules"]
    assert rule["if"].startswith("$GITLOOP_TOKEN && ")
    assert "GITLOOP_TOKEN" not in json.dumps(JOBS["gitloop"])
    written = set(JOBS["gitloop"]["artifacts"]["paths"])
    assert {"gl-gate.md", "gl-diff.md"} <= written
