"""Versions as people write them."""

from __future__ import annotations

import re


def next_version(version: str) -> str:
    """The version with its last number raised by one, or with ".1" where it has none."""
    found = re.search(r"(\d+)(?!.*\d)", version)
    if found is None:
        return f"{version}.1"
    return f"{version[: found.start()]}{int(found[1]) + 1}{version[found.end() :]}"
