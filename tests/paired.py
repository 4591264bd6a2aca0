"""Traces, preferences and pairs for tests of `gitloop pairs`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gitloop.core.pairs.building import Built, build
from gitloop.core.pairs.preferences import Place, Preference
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc
from gitloop.storage.parts import track
from gitloop.tables import GOLDEN, LABELS, TRACES, VOTES
from tests.repositories import Repository

ROOT = Path(__file__).parents[1]
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


def rewarded(n: int) -> list[dict[str, Any]]:
    """Rows of REWARDS on n / 2 prompts, two answers each."""
    return [
        {
            "trace_id": f"t{i}",
            "prompt_class": f"c{i // 2}",
            "prompt": f"question {i // 2}",
            "completion": f"answer {i}",
            "reward": (i % 4) / 4,
            "scores": [],
            "passes": True,
            "route": None,
            "group_id": f"g{i}",
        }
        for i in range(n)
    ]


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


VOTED = """\
pairs:
  sources: [votes]
  holdout_rate: 0.3
  agreement: {min_items: 5}
"""
WORDS = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november"
N_PAIRS = 20


def vote(pair: str, winner: str, who: str) -> str:
    """A line of labels/pairs/<who>.jsonl."""
    value = {
        "pair_id": pair,
        "trace_id_a": f"{pair}-a",
        "trace_id_b": f"{pair}-b",
        "winner": winner,
        "annotator": who,
        "created_at": "2026-05-04T12:00:00Z",
    }
    return json.dumps(value) + "\n"


def put_traces(repository: Repository, traces: list[dict[str, Any]]) -> None:
    """Track these traces."""
    path = repository.root / "data/traces/all.parquet"
    rows = [{**row, "status": "ok"} for row in traces]
    parquet.write(path, TRACES, pl.DataFrame(rows, schema_overrides=dict(TRACES.schema)))
    dvc = Dvc(repository.root, repository.root / ".git")
    track(repository.root, dvc, "data/traces/all.parquet")


def voted_repository(root: Path, *, has_texts: bool = True, extra: str = "") -> Repository:
    """Twenty pairs of answers that two people voted on; one of them ends in a tie.

    Args:
        root: Where it is made.
        has_texts: Whether the answers' texts are known.
        extra: What stands at the end of every answer b.
    """
    made = Repository.create(root)
    words = WORDS.split()
    traces = [
        trace(
            f"p{n:02}-{side}",
            f"{words[n % 14]} {side}{n}{extra * (side == 'b')}" if has_texts else None,
            f"Question {words[(n * 5) % 14]} {n}?",
            group_id=f"g{n}",
        )
        for n in range(N_PAIRS)
        for side in "ab"
    ]
    put_traces(made, traces)
    winners = ["tie" if n == 0 else "ab"[n % 2] for n in range(N_PAIRS)]
    files = {
        f"labels/pairs/{who}.jsonl": "".join(
            vote(f"p{n:02}", winner, who) for n, winner in enumerate(winners)
        )
        for who in ("amara", "bo")
    }
    made.gen({"params.yaml": VOTED, **files})
    return made


def trainers_python(*modules: str) -> str:
    """A Python that has these modules: GITLOOP_TRAINERS, .venv-trainers, or this one."""
    named = [os.environ.get("GITLOOP_TRAINERS"), str(ROOT / ".venv-trainers/bin/python")]
    code = (
        f"from importlib.util import find_spec as f; raise SystemExit(not all(map(f, {modules})))"
    )
    for candidate in (*named, sys.executable):
        if candidate and Path(candidate).exists():
            done = subprocess.run([candidate, "-c", code], check=False, cwd="/")
            if done.returncode == 0:
                return candidate
    pytest.skip(f"no Python with {', '.join(modules)}: see CONTRIBUTING.md, Trainers")
