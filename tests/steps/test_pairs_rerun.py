"""Path B on a real repository: the application answers failed prompts again, and is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core.label import Case
from gitloop.core.label.answers import label_id
from gitloop.steps.pairs.build import build_pairs
from gitloop.storage import parquet
from gitloop.storage.labels import append_labels
from gitloop.tables import CALLS, JOINED, MEMBERS, PAIRS
from tests.paired import AT, put_traces, trace
from tests.repositories import Repository

APP = '''\
def answer(prompt, row):
    """The application after the fix: it forgot one question, and never learned another."""
    if "late" in row["input"]:
        return "no idea"
    return "no idea" if "odd" in row["input"] else f"It takes 30 days, {row['input']}."
'''
PARAMS = """\
rubrics: {days: {version: "1"}}
target: {callable: "app:answer"}
pairs: {sources: [clusters], rerun: true, holdout_rate: 0.0}
"""
RUBRIC = 'name: days\nversion: "1"\nscorer: {local: {metric: contains, all: [days]}}\n'
FAILED = {"plain": "no idea", "odd one": "hm", "late one": "no idea", "edited": "no"}


def failed(root: Path) -> Repository:
    """Four failures of a cluster; a person wrote what one of them should have said."""
    made = Repository.create(root)
    put_traces(made, [trace(name, said, name, group_id=name) for name, said in FAILED.items()])
    rows: list[dict[str, Any]] = [
        {"trace_id": name, "cluster_id": "c-1", "probability": 1.0, "weight": 1.0, "text": "",
         "feedback_ids": []}
        for name in FAILED
    ]  # fmt: skip
    members = pl.DataFrame(rows, schema_overrides=dict(MEMBERS.schema))
    parquet.write(made.root / "loop/cluster/members.parquet", MEMBERS, members)
    parquet.write(made.root / "loop/join/joined.parquet", JOINED, JOINED.empty())
    made.gen({"params.yaml": PARAMS, "app.py": APP, "rubrics/days.yaml": RUBRIC})
    case = Case("trace", "edited", "edited")
    label = {
        "label_id": label_id("amara", case, "days", "1"),
        "trace_id": "edited",
        "item_kind": "trace",
        "rubric": "days",
        "label": "fail",
        "reference": "Thirty.",
        "annotator": "amara",
        "role": "annotator",
        "guidance_version": "1",
        "created_at": AT,
    }
    append_labels(made.root, "amara", [label])
    return made


def test_only_a_fix_that_passes_is_chosen(tmp_path: Path) -> None:
    """A rerun that passes and a person's text are chosen; the rest is counted, calls are kept."""
    made = failed(tmp_path)
    report = build_pairs(made.root)
    assert report.verified_by == {"edit": 1, "rerun": 1}
    assert report.dropped["clusters"] == {"the application's answer now does not pass": 2}
    pairs = parquet.read(made.root / "loop/pairs/pairs.parquet", PAIRS)
    rerun = pairs.filter(pl.col("verified_by") == "rerun").to_dicts()[0]
    assert (rerun["chosen"], rerun["rejected"]) == ("It takes 30 days, plain.", "no idea")
    assert (rerun["margin"], rerun["cluster_id"]) == (1.0, "c-1")
    assert rerun["scores"] == [{"rubric": "days", "chosen": 1.0, "rejected": 0.0}]
    calls = parquet.read(made.root / "loop/pairs/calls.parquet", CALLS)
    assert calls["kind"].to_list() == ["target"] * 3


def test_without_rerun_nobody_is_called(tmp_path: Path) -> None:
    """The default asks the application nothing: an edit alone is left."""
    made = failed(tmp_path)
    made.gen({"params.yaml": PARAMS.replace("rerun: true, ", "")})
    report = build_pairs(made.root)
    assert report.verified_by == {"edit": 1}
    assert parquet.read(made.root / "loop/pairs/calls.parquet", CALLS).is_empty()
