"""Deriving: what the traces show becomes tracked events, once."""

from __future__ import annotations

import json
from pathlib import Path

from gitloop.cli.main import invoke
from gitloop.steps.capture import derive, import_files
from gitloop.steps.join import join
from tests.repositories import Repository


def imported(repository: Repository, folder: Path, *questions: str) -> None:
    """Import one session of these questions, a minute apart, and a later one."""
    rows = [
        {
            "trace_id": f"t{n}",
            "session_id": "s1",
            "created_at": f"2026-05-19T14:{n:02}:00Z",
            "input": question,
            "output": "Soon.",
            "route": "order",
            "user_cohort": "pro",
            "prompt_version": "v1",
        }
        for n, question in enumerate(questions)
    ]
    path = folder / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    import_files(repository.root, [path])


def test_derived_events_join_like_any_other(repository: Repository, tmp_path: Path) -> None:
    """They carry the five context fields, land in both stores, and are not found twice."""
    imported(repository, tmp_path, "Where is it?", "where is it", "Let me talk to a human")
    report = derive(repository.root)
    again = derive(repository.root)
    assert report.n_found == {
        "regenerate": 1,
        "retry": 0,
        "edit": 0,
        "escalate": 1,
        "abandon": 0,
    }
    assert (report.n_traces, report.n_silent, report.feedback.n_new) == (3, 0, 2)
    assert report.stores[0].n_copied == 1
    assert (again.feedback.n_new, sum(again.n_found.values())) == (0, 0)
    assert join(repository.root).metrics["n_joined"] == 2


def test_traces_without_a_session_are_told(repository: Repository, tmp_path: Path) -> None:
    """Where nothing can be found the report says in how many traces, and ends well."""
    path = tmp_path / "t.jsonl"
    path.write_text('{"trace_id":"t","input":"?"}\n', encoding="utf-8")
    import_files(repository.root, [path])
    report = derive(repository.root)
    assert (report.n_traces, report.n_silent, report.feedback.parts) == (1, 1, ())
    assert invoke(["capture", "-C", str(repository.root), "derive"]) == 0
