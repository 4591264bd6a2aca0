"""Derive a commit's gate result once more, from what it recorded, and compare the bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gitloop.core.verify import Finding
from gitloop.storage.trees import CommitTree
from gitloop.workspace import Workspace

GATE = "loop/gate/gate.json"
_VERBS = ("score", "gate")
_NOWHERE = "http://127.0.0.1:9"  # the discard port: whoever calls out all the same gets no answer


def replay_gate(workspace: Workspace, commit: str) -> list[Finding]:
    """What differs when score and gate run again at the commit, with every call replayed.

    They run in a worktree of their own, which goes away again, as new processes of this very
    gitloop. A call that was never recorded is a finding: replay asks nobody. So is a commit without
    a result.
    """
    tree = CommitTree(workspace.git, commit)
    if not tree.has(GATE):
        return [Finding(GATE, "is not there: no result to derive again", commit[:12])]
    recorded = tree.read([GATE])[0]
    with _worktree(workspace, commit) as place:
        for verb in _VERBS:
            done = subprocess.run(
                [sys.executable, "-m", "gitloop", verb, "--quiet"],
                cwd=place,
                env=_environment(),
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            if done.returncode:
                words = [line for line in done.stderr.splitlines() if line.strip()]
                told = words[0].removeprefix("gitloop: ") if words else "no message"
                return [Finding(GATE, f"gitloop {verb} cannot be run again: {told}", commit[:12])]
        derived = (place / GATE).read_bytes()
    if derived == recorded:
        return []
    where = _first_difference(_parsed(recorded), _parsed(derived))
    return [Finding(GATE, f"run again, the gate says something else at {where}", commit[:12])]


@contextmanager
def _worktree(workspace: Workspace, commit: str) -> Iterator[Path]:
    """A checkout of the commit that shares the cache and asks nobody."""
    scratch = workspace.dvc.scratch
    scratch.mkdir(parents=True, exist_ok=True)
    git = workspace.git
    with tempfile.TemporaryDirectory(dir=scratch, prefix="proof-") as folder:
        place = Path(folder) / "tree"
        # Hooks are for people's checkouts.
        quiet = ("-c", f"core.hooksPath={os.devnull}")
        git.run(*quiet, "worktree", "add", "--quiet", "--detach", str(place), commit)
        try:
            config = place / ".dvc" / "config.local"
            config.parent.mkdir(exist_ok=True)
            cache = workspace.dvc.cache_dirs()[0].absolute()
            config.write_text(f"[cache]\n    dir = {cache}\n", encoding="utf-8")
            yield place
        finally:
            git.run("worktree", "remove", "--force", str(place))


def _environment() -> dict[str, str]:
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    blocked = dict.fromkeys((*proxies, *map(str.upper, proxies)), _NOWHERE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, **blocked, "NO_PROXY": "", "no_proxy": "", "GITLOOP_CALLS_MODE": "replay"}


def _parsed(content: bytes) -> Any:  # noqa: ANN401 -- JSON holds anything
    try:
        return json.loads(content)
    except ValueError:
        return None


def _first_difference(one: Any, other: Any, place: str = "") -> str:  # noqa: ANN401 -- JSON
    """The path of the first value that differs."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            if one.get(key) != other.get(key):
                return _first_difference(one.get(key), other.get(key), f"{place}.{key}")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            if a != b:
                return _first_difference(a, b, f"{place}[{number}]")
    return place.lstrip(".") or "its form"
