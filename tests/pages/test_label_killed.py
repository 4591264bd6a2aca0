"""kill -9 while answers are kept and saved: what was acknowledged is on disk, whole."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gitloop.storage.drafts import read_drafts
from gitloop.storage.labels import append_labels, scan_labels
from tests.labelled import label, labelled_repository
from tests.pages.conftest import Serve


@pytest.mark.slow
def test_kill_during_autosave(serve: Serve, tmp_path: Path) -> None:
    """Of drafts and labels that are written as fast as can be, each acknowledged one is there."""
    repository = labelled_repository(tmp_path / "repository", 40)
    served = serve(repository.root, "--as", "amara", "--sample", "40", "--no-commit")
    parts = urlsplit(served.link)
    origin = f"http://{parts.netloc}"
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    headers = {"Origin": origin}

    def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        connection.request("POST", path, json.dumps(body), headers)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer

    headers["X-Gitloop-Key"] = post("/api/enter", {"token": parts.fragment})["key"]
    kept: dict[int, int] = {}
    saved: list[int] = []
    killer = threading.Timer(1.0, served.process.kill)
    killer.start()
    try:
        for turn in range(100_000):
            number = turn % 40
            values = {"label": "fail", "comment": f"turn {turn}"}
            post(f"/api/questions/{number}/keep", {"window": "w", "values": values, "base": None})
            kept[number] = turn
            if number == 39 and len(saved) < 39:
                body = {"window": "w", "values": values, "revision": ""}
                post(f"/api/questions/{len(saved)}/save", body)
                saved.append(turn)
                kept.pop(len(saved) - 1)
    except (http.client.HTTPException, OSError):
        pass  # killed
    finally:
        killer.join()
        connection.close()
    drafts = read_drafts(repository.root, "amara")
    comments = [draft["w"]["values"]["comment"] for draft in drafts.values() if "w" in draft]
    found = {int(comment.removeprefix("turn ")) for comment in comments}
    assert kept
    assert all(
        any(there >= turn and there % 40 == turn % 40 for there in found) for turn in kept.values()
    )
    scan = scan_labels(repository.root)
    assert scan.labels.height >= len(saved)
    append_labels(repository.root, "amara", [label("later", "pass")])
    assert scan_labels(repository.root).torn == ()
