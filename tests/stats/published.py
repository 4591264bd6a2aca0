"""The shared public data, for tests that reproduce published figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def read_rows(name: str) -> list[dict[str, Any]]:
    """Return a JSONL table of the shared data; skips the test when the data is not there."""
    _need(name)
    with (SHARED / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def read_expected() -> dict[str, Any]:
    """Return `expected.json`; skips the test when the data is not there."""
    _need("expected.json")
    loaded: dict[str, Any] = json.loads((SHARED / "expected.json").read_text(encoding="utf-8"))
    return loaded


def _need(name: str) -> None:
    """Skip, and say so, when a file of the shared data is absent."""
    if not (SHARED / name).exists():
        pytest.skip(f"the shared public data is not at {SHARED / name}")
