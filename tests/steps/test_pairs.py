"""`gitloop pairs` on a real repository."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gitloop.cli.main import invoke
from gitloop.errors import DataError
from gitloop.steps.pairs import build_pairs, export_pairs
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc
from gitloop.storage.parts import track
from gitloop.tables import PAIRS, TRACES
from tests.repositories import Repository

AT = datetime(2026, 5, 4, tzinfo=UTC)


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


@pytest.fixture
def voted(repository: Repository) -> Repository:
    """Twenty pairs of answers that two people voted on; one of them ends in a tie."""
    traces: list[dict[str, Any]] = [
        {
            "trace_id": f"p{n:02}-{side}",
            "group_id": f"g{n}",
            "created_at": AT,
            "input": f"Question {n}?",
            "output": f"Answer {side} to question {n}.",
            "status": "ok",
        }
        for n in range(20)
        for side in "ab"
    ]
    path = repository.root / "data/traces/all.parquet"
    parquet.write(path, TRACES, pl.DataFrame(traces, schema_overrides=dict(TRACES.schema)))
    track(
        repository.root, Dvc(repository.root, repository.root / ".git"), "data/traces/all.parquet"
    )
    winners = ["tie" if n == 0 else "ab"[n % 2] for n in range(20)]
    repository.gen(
        {
            "params.yaml": "pairs: {sources: [votes]}\n",
            **{
                f"labels/pairs/{who}.jsonl": "".join(
                    vote(f"p{n:02}", winner, who) for n, winner in enumerate(winners)
                )
                for who in ("amara", "bo")
            },
        }
    )
    return repository


def test_votes_become_pairs(voted: Repository) -> None:
    """Nineteen decided pairs, the tie is counted and left out, groups keep their side."""
    report = build_pairs(voted.root)
    assert (report.n_pairs, report.by_source) == (19, {"votes": 19})
    assert report.dropped == {"no majority": 1}
    pairs = parquet.read(voted.root / "loop/pairs/pairs.parquet", PAIRS)
    assert pairs["annotators"].to_list() == [["amara", "bo"]] * 19
    assert pairs.filter(pl.col("prompt") == "Question 2?")["chosen"].item() == (
        "Answer a to question 2."
    )


def test_the_export_is_what_trainers_read(voted: Repository, tmp_path: Path) -> None:
    """JSON lines of prompt, chosen, rejected, margin and metadata; Parquet has the same rows."""
    build_pairs(voted.root)
    n_pairs, text = export_pairs(voted.root, form="jsonl", split=None, output=None)
    lines = [json.loads(line) for line in text.splitlines()]
    assert n_pairs == len(lines) == 19
    assert set(lines[0]) == {"prompt", "chosen", "rejected", "margin", "metadata"}
    output = tmp_path / "pairs.parquet"
    export_pairs(voted.root, form="parquet", split="train", output=output)
    assert pl.read_parquet(output)["split"].unique().to_list() == ["train"]


def test_parquet_needs_a_file(voted: Repository) -> None:
    """Bytes are not for a terminal; the error says what to add."""
    build_pairs(voted.root)
    with pytest.raises(DataError, match="terminal"):
        export_pairs(voted.root, form="parquet", split=None, output=None)


def test_a_broken_vote_names_its_line(
    voted: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nonsense in a vote file is told with file and line; nothing is written."""
    broken = vote("p01", "left", "amara") + "{\n" + vote("p02", "a", "bo")
    voted.gen({"labels/pairs/amara.jsonl": broken})
    assert invoke(["-C", str(voted.root), "pairs", "build"]) == 5
    told = capsys.readouterr().err
    assert "labels/pairs/amara.jsonl:1: winner is 'left'" in told
    assert "labels/pairs/amara.jsonl:2: not JSON" in told
    assert "labels/pairs/amara.jsonl:3: annotator is 'bo'" in told
    assert not (voted.root / "loop/pairs").exists()
