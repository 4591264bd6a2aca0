"""Traces, preferences and pairs for tests of `gitloop pairs`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl

from gitloop.core.pairs.building import Built, build
from gitloop.core.pairs.preferences import Place, Preference
from gitloop.tables import GOLDEN, LABELS, VOTES

AT = datetime(2026, 5, 4, tzinfo=UTC)


def trace(trace_id: str, output: str | None, question: str = "Q", **other: Any) -> dict[str, Any]:  # noqa: ANN401
    """A trace, as far as pairs look at it."""
    return {
        "trace_id": trace_id,
        "session_id": None,
        "group_id": "g",
        "created_at": AT,
        "input": question,
        "context": None,
        "output": output,
        "route": "refund",
        "user_cohort": "pro",
    } | other


def preference(
    prompt: str = "p",
    chosen: str = "x",
    rejected: str = "y",
    **other: Any,  # noqa: ANN401
) -> Preference:
    """A preference of cluster c in one group."""
    given: dict[str, Any] = {
        "source": "clusters",
        "groups": ("g",),
        "place": Place("refund", "pro", "c"),
    } | other
    return Preference(prompt=prompt, chosen=chosen, rejected=rejected, **given)


def built(*preferences: Preference, min_margin: float = 0.1, holdout_rate: float = 0.0) -> Built:
    """What `build` makes of them."""
    return build(preferences, min_margin=min_margin, holdout_rate=holdout_rate)


def pair_rows(n: int, **other: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Rows of PAIRS on n prompts that share no word."""
    found = [preference(f"prompt{i}", f"good{i}", f"bad{i}", **other) for i in range(n)]
    rows: list[dict[str, Any]] = built(*found).pairs.to_dicts()
    return rows


def votes(*cast: tuple[str, str]) -> pl.DataFrame:
    """Votes on the pair of traces a and b."""
    rows = [
        {"pair_id": "p", "trace_id_a": "a", "trace_id_b": "b", "winner": winner, "annotator": who}
        for who, winner in cast
    ]
    return pl.DataFrame(rows, schema=VOTES.schema)


def label(pair_id: str, side: str, who: str, **other: Any) -> dict[str, Any]:  # noqa: ANN401
    """A label of a pair."""
    return {
        "label_id": f"{pair_id}-{who}",
        "trace_id": f"trace-{pair_id}",
        "item_kind": "pair",
        "item_id": pair_id,
        "rubric": "preference",
        "label": side,
        "annotator": who,
        "role": "annotator",
        "guidance_version": "1",
        "created_at": AT,
    } | other


def labels(*rows: dict[str, Any]) -> pl.DataFrame:
    """Labels as a table."""
    return LABELS.order(LABELS.complete(pl.DataFrame(rows, schema_overrides=dict(LABELS.schema))))


def golden(**fields: Any) -> pl.DataFrame:  # noqa: ANN401
    """One golden row."""
    row = {
        "row_id": "r",
        "set": "support",
        "split": "train",
        "input": "nothing of interest",
        "labels": [],
        "annotators": [],
        "guidance_version": "1",
        "source_trace_id": "other",
        "source_feedback_ids": [],
        "group_id": "other",
        "promoted_in": "x",
    } | fields
    return GOLDEN.order(GOLDEN.complete(pl.DataFrame([row], schema_overrides=dict(GOLDEN.schema))))
