"""The parameters of an optimizer, checked with every fault at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitloop.arguments import Argument, check

WHERE = "params.yaml: optimize.parameters"


def checked(given: Mapping[str, Any], known: Mapping[str, Argument]) -> dict[str, Any]:
    """The parameters with their defaults.

    Raises:
        ConfigError: An unknown parameter, or a value out of range.
    """
    return check(given, known, where=WHERE)


def count(doc: str, default: int, low: int = 1) -> Argument:
    """A parameter that is a number of things."""
    return Argument("integer", doc, default=default, low=low)
