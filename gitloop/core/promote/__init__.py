"""Labelled, agreed cases of failure clusters become rows of a golden set.

Nothing is dropped without being counted: each case of the chosen clusters ends up as a row or as a
`LeftOut` with its reason.
"""

from gitloop.core.promote.cases import Agreement, Cases, LeftOut, agreement, build_cases, choose
from gitloop.core.promote.description import Promotion, commit_message, pull_request
from gitloop.core.promote.duplicates import drop_duplicates
from gitloop.core.promote.privacy import (
    NAME_COLUMNS,
    TEXT_COLUMNS,
    Finding,
    Screened,
    find_secrets,
    mask,
    screen,
)
from gitloop.core.promote.splits import assign_splits

__all__ = [
    "NAME_COLUMNS",
    "TEXT_COLUMNS",
    "Agreement",
    "Cases",
    "Finding",
    "LeftOut",
    "Promotion",
    "Screened",
    "agreement",
    "assign_splits",
    "build_cases",
    "choose",
    "commit_message",
    "drop_duplicates",
    "find_secrets",
    "mask",
    "pull_request",
    "screen",
]
