"""Docs that cannot lie."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_reference_pages_follow_from_the_code() -> None:
    """Tables, parameters, exit codes and commands are documented as they are."""
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), "run: python docs/generate.py"


def test_every_decision_is_listed() -> None:
    """Each ADR stands in the index, and the index names no other."""
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in folder.glob("0*.md"))
    assert [page for page in pages if f"({page})" not in index] == []
    assert index.count("](0") == len(pages)
