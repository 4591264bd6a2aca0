"""What a refresh found: the drift report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gitloop.core.calls import Drift, drift
from gitloop.storage.calls import CallStore

SCHEMA = "gitloop.drift/v1"


def drift_of(store: CallStore) -> Drift | None:
    """How the answers of a refresh differ from the known ones; None in every other mode."""
    if not store.is_refresh:
        return None
    return drift([(r.call_id, r.kind, r.request, r.before, r.after) for r in store.refreshed()])


def drift_json(found: Drift) -> Mapping[str, Any]:
    """The drift report as loop/score/drift.json holds it."""
    return {"schema": SCHEMA, **asdict(found)}
