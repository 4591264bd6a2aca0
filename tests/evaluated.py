"""A real repository with an application, rubrics and a golden set, for what runs and judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from gitloop.digests import row_id
from gitloop.records import Case
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc
from gitloop.storage.golden import digest, digests_of
from gitloop.storage.lineage import Change, PartState, render_record
from gitloop.tables import GOLDEN
from tests.repositories import Repository

AT = datetime(2026, 5, 20, tzinfo=UTC)
PARAMS = """\
seed: 0
rubrics:
  brief:
    version: "1"
  polite:
    version: "1"
    judge: {use: python, parameters: {callable: "app:polite"}}
target:
  callable: app:answer
  prompt: prompts/support.md
golden:
  sets: {support: null}
"""
APP = '''\
def answer(prompt, row):
    """What the application says."""
    return f"Dear customer, {row['context'] or 'nothing'}."


def polite(row, output):
    """Whether it says dear."""
    return (1.0, "it does") if "Dear" in output else (0.0, "it does not")
'''
BRIEF = """\
name: brief
version: "1"
scorer:
  local: {metric: contains, all: [days]}
"""
POLITE = """\
name: polite
version: "1"
scorer:
  python: {}
"""
PROMPT = """\
---
name: support
version: "1"
---
Answer {{ input }} from {{ context }}.
"""
FILES = {
    "params.yaml": PARAMS,
    "app.py": APP,
    "rubrics/brief.yaml": BRIEF,
    "rubrics/polite.yaml": POLITE,
    "prompts/support.md": PROMPT,
    "golden/support/dataset.yaml": "name: support\n",
}


def evaluated(repository: Repository, files: Mapping[str, str] | None = None) -> Repository:
    """The repository with an application, two rubrics, a prompt and an empty golden set."""
    repository.gen({**FILES, **(files or {})}, commit="Set up")
    return repository


def golden_rows(inputs: Sequence[str], **other: Any) -> pl.DataFrame:  # noqa: ANN401
    """One golden row per input, labelled fail on "brief" and "polite"."""
    rows = []
    for text in inputs:
        row = {
            "set": "support",
            "split": "train",
            "input": text,
            "context": f"{text} takes 30 days",
            "labels": [{"rubric": name, "expected": "fail"} for name in ("brief", "polite")],
            "annotators": ["amara", "bo"],
            "guidance_version": "1",
            "source_trace_id": f"trace-{text}",
            "source_feedback_ids": [f"feedback-{text}"],
            "group_id": text,
            "promoted_in": "2026.05-aaaaaa",
        } | other
        key = row_id(input=row["input"], context=row["context"], route=row.get("route"))
        rows.append({"row_id": key, **row})
    return GOLDEN.order(GOLDEN.complete(pl.DataFrame(rows, schema_overrides=GOLDEN.schema)))


def promote(
    repository: Repository, rows: pl.DataFrame, name: str = "support", part: str = "2026.05-aaaaaa"
) -> None:
    """Commit the rows as a part of a golden set, with its pointer and record."""
    data = repository.root / f"golden/{name}/data/{part}.parquet"
    parquet.write(data, GOLDEN, rows)
    stored = Dvc(repository.root, repository.root / ".git").store(data)
    digests = digests_of(rows)
    change = Change(
        kind="promote",
        set_name=name,
        heads=(),
        base_sha256=None,
        row_digests=digests,
        parts=[PartState(part, stored.md5, digest(rows), rows.height)],
        at=AT,
        added=list(digests),
    )
    repository.gen(
        {
            f"golden/{name}/dataset.yaml": f"name: {name}\n",
            f"golden/{name}/parts/{part}.parquet.dvc": stored.render() + "wdir: ../data\n",
            f"golden/{name}/log/{change.id}.yaml": render_record(change),
        },
        commit=f"Promote into {name}",
    )


def case(item_id: str = "a", **fields: Any) -> Case:  # noqa: ANN401
    """A case with an output, and whatever a test cares about."""
    given = {"input": f"question {item_id}", "output": f"answer {item_id}"} | fields
    return Case(item_id=item_id, **given)
