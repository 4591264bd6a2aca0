"""Failures about a few topics, for tests of clustering and triage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from gitloop.storage import parquet
from gitloop.tables import JOINED
from tests.repositories import Repository

AT = datetime(2026, 5, 4, tzinfo=UTC)
TOPICS = (
    ("refund window for the {0}", "You have sixty days to return the {0}, no questions asked."),
    ("where is parcel {0}", "Good news, parcel {0} was delivered and put into your letterbox."),
    ("please delete my account {0}", "I am sorry, I cannot help with a request like {0}."),
    ("invoice total wrong for {0}", "The invoice adds the tax on {0} twice, this is by design."),
)
THINGS = ("kayak", "tent", "helmet", "rope", "stove", "lamp", "boots", "jacket", "map", "axe")
ROUTES = ("refund", "tracking", "account", "billing")


def complaints(
    n_per_topic: int, *, topics: Sequence[int] = (0, 1, 2), signal: str = "thumbs_down"
) -> pl.DataFrame:
    """`n_per_topic` complaints per topic, and one that nothing resembles; fits `tables.JOINED`."""
    rows: list[dict[str, Any]] = []
    for topic in topics:
        question, answer = TOPICS[topic]
        for n in range(n_per_topic):
            thing = f"{THINGS[n % len(THINGS)]} {n}"
            rows.append(
                failure(f"t{topic}-{n:02}", question.format(thing), answer.format(thing), signal)
                | {"route": ROUTES[topic], "comment": f"wrong about the {thing}"}
            )
    if 0 in topics or 1 in topics:
        rows.append(failure("lonely", "Quel temps fait-il ?", "zxq vvv 998877 qqq", signal))
    return JOINED.order(JOINED.complete(pl.DataFrame(rows, schema_overrides=dict(JOINED.schema))))


def failure(
    trace_id: str, question: str, answer: str, signal: str = "thumbs_down"
) -> dict[str, Any]:
    """One joined event that makes its trace a failure."""
    return {
        "feedback_id": f"f-{trace_id}",
        "trace_id": trace_id,
        "signal_type": signal,
        "signal_class": "explicit",
        "created_at": AT + timedelta(seconds=len(question)),
        "group_id": trace_id,
        "input": question,
        "output": answer,
        "route": "refund",
        "user_cohort": "pro",
        "prompt_version": "support@1",
        "comment": None,
    }


def write_failures(repository: Repository, joined: pl.DataFrame) -> None:
    """Put joined events where `gitloop cluster` reads them."""
    parquet.write(repository.root / "loop/join/joined.parquet", JOINED, joined)
