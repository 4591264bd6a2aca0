"""Sorting out what arrives: new, repeated or in conflict, and nothing lost."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.core.capture import fingerprints, nothing_known, sort_out, without_known
from gitloop.tables import FEEDBACK, TRACE_CONFLICTS, TRACES

NOW = datetime(2026, 5, 19, tzinfo=UTC)


def traces(*pairs: tuple[str, str], source: str = "jsonl") -> pl.DataFrame:
    """Traces of these (id, output)."""
    rows = [
        {
            **dict.fromkeys(TRACES.schema.names()),
            "trace_id": name,
            "input": "?",
            "output": output,
            "status": "ok",
            "source": source,
        }
        for name, output in pairs
    ]
    return pl.DataFrame(rows, schema=TRACES.schema)


_PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=8)


@settings(deadline=None, max_examples=60)
@given(_PAIRS, _PAIRS)
def test_every_row_is_new_repeated_or_in_conflict(
    first: list[tuple[str, str]], second: list[tuple[str, str]]
) -> None:
    """The first content of a key stands, over both arrivals; the rest is counted or kept."""
    known = nothing_known(TRACES)
    standing: dict[str, str] = {}
    for pairs in (first, second):
        found = sort_out(traces(*pairs), known, TRACES)
        known = found.known
        wanted_new, wanted_conflicts, n_repeated = [], set(), 0
        for name, output in pairs:
            if name not in standing:
                standing[name] = output
                wanted_new.append((name, output))
            elif standing[name] == output:
                n_repeated += 1
            else:
                wanted_conflicts.add((name, output))
        n_seen_again = len(pairs) - len(wanted_new) - n_repeated - len(wanted_conflicts)
        assert list(found.new.select("trace_id", "output").iter_rows()) == wanted_new
        assert set(found.conflicts.select("trace_id", "output").iter_rows()) == wanted_conflicts
        assert found.n_repeated == n_repeated + n_seen_again
        assert TRACE_CONFLICTS.problems(found.conflicts) == []
    assert sorted(known["trace_id"]) == sorted(standing)


def test_the_form_of_a_trace_and_the_time_of_a_resent_event_are_no_content() -> None:
    """A trace read from another format, and an event sent again later, are repetitions."""
    known = fingerprints(traces(("a", "x")), TRACES)
    assert sort_out(traces(("a", "x"), source="csv"), known, TRACES).n_repeated == 1
    event = {
        **dict.fromkeys(FEEDBACK.schema.names()),
        "feedback_id": "f",
        "signal_type": "copy",
        "signal_class": "implicit",
        "created_at": NOW,
    }
    later = {**event, "created_at": datetime(2026, 5, 20, tzinfo=UTC)}
    rows = pl.DataFrame([event, later], schema=FEEDBACK.schema)
    found = sort_out(rows, nothing_known(FEEDBACK), FEEDBACK)
    assert (found.new.height, found.n_repeated) == (1, 1)
    assert found.new["created_at"].to_list() == [NOW]


def test_a_conflict_that_is_kept_already_is_not_kept_again() -> None:
    """Conflicts are told apart by the digest of their content."""
    known = fingerprints(traces(("a", "x")), TRACES)
    found = sort_out(traces(("a", "y"), ("a", "z")), known, TRACES).conflicts
    assert without_known(found, found.head(1))["output"].to_list() == ["z"]
