"""A repository whose next step is `gitloop promote`: traces, clusters, members and labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from gitloop.digests import row_id
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc
from gitloop.storage.parts import track
from gitloop.tables import CLUSTERS, MEMBERS, TRACES
from tests.repositories import Repository

PARAMS = """\
seed: 0
rubrics:
  grounded:
    version: "1"
golden:
  sets:
    support: null
"""
RUBRIC = """\
name: grounded
version: "1"
scorer:
  local:
    metric: contains
"""
STARTED_AT = datetime(2026, 5, 1, 8, tzinfo=UTC)

_TOPICS = (
    "refund for a broken kettle that arrived last Tuesday in the rain",
    "change the delivery address of an order that has not been shipped",
    "cancel the yearly plan before the trial month comes to its end",
    "download an invoice of last year for the tax office in Vienna",
    "reset the two factor login after the phone fell into the lake",
    "merge two accounts that were opened with different names by mistake",
    "explain the fee that shows up on the statement of this month",
    "export all messages of the team room as one single archive",
)


@dataclass(frozen=True, slots=True)
class Failure:
    """One labelled failure.

    Attributes:
        trace_id: Its trace.
        cluster_id: Its cluster.
        input: What the user asked.
        verdicts: Annotator → verdict; a name that starts with "senior" is one.
        trace: Columns of the trace that differ from the usual.
        feedback_ids: What made it a failure.
    """

    trace_id: str
    cluster_id: str
    input: str
    verdicts: Mapping[str, str]
    trace: Mapping[str, Any]
    feedback_ids: tuple[str, ...]

    @property
    def row_id(self) -> str:
        """The identity of the golden row that it becomes."""
        return row_id(
            input=str(self.trace.get("input", self.input)),
            context=self.trace.get("context"),
            route=self.trace.get("route", "billing"),
        )


def failure(
    number: int,
    cluster_id: str = "c1",
    verdicts: Mapping[str, str] | None = None,
    feedback_ids: Sequence[str] | None = None,
    **trace: Any,  # noqa: ANN401 -- any column of the trace
) -> Failure:
    """A failure that two people agree on; no two numbers ask alike."""
    topic = _TOPICS[number % len(_TOPICS)]
    return Failure(
        trace_id=f"t{number:04}",
        cluster_id=cluster_id,
        input=f"Question {number}: how do I {topic}, case {number} of {number * 7}?",
        verdicts={"amara": "fail", "bo": "fail"} if verdicts is None else verdicts,
        trace=trace,
        feedback_ids=(f"f{number:04}",) if feedback_ids is None else tuple(feedback_ids),
    )


def make_promotable(repository: Repository, failures: Sequence[Failure]) -> str:
    """Write and commit all that promote reads; return the commit."""
    write_inputs(repository, failures)
    repository.gen({"params.yaml": PARAMS, "rubrics/grounded.yaml": RUBRIC})
    return repository.commit("Label the failures", ".")


def write_inputs(repository: Repository, failures: Sequence[Failure]) -> None:
    """Write traces, clusters, members and labels of exactly these failures."""
    root = repository.root
    traces = TRACES.complete(pl.DataFrame([_trace(f) for f in failures], schema=_trace_schema()))
    part = "data/traces/2026-05-01-00000000.parquet"
    (root / part).unlink(missing_ok=True)
    parquet.write(root / part, TRACES, traces)
    track(root, Dvc(root, root / ".git"), part)
    parquet.write(root / "loop/cluster/clusters.parquet", CLUSTERS, _clusters(failures))
    parquet.write(root / "loop/cluster/members.parquet", MEMBERS, _members(failures))
    repository.gen({".gitignore": "/golden/*/data/\n/data/**/*.parquet\n/loop/\n.*.tmp\n"})
    repository.gen(_label_files(failures))


def _trace(found: Failure) -> dict[str, Any]:
    number = int(found.trace_id[1:])
    usual = {
        "trace_id": found.trace_id,
        "session_id": f"s{number:04}",
        "group_id": f"g{number:04}",
        "created_at": STARTED_AT + timedelta(minutes=number),
        "route": "billing",
        "user_cohort": "consumer",
        "prompt_version": "2",
        "input": found.input,
        "context": None,
        "output": f"I cannot help with that ({number}).",
        "status": "ok",
    }
    return usual | dict(found.trace)


def _trace_schema() -> dict[str, Any]:
    keys = _trace(failure(0))
    return {name: dtype for name, dtype in TRACES.schema.items() if name in keys}


def _clusters(failures: Sequence[Failure]) -> pl.DataFrame:
    names = sorted({found.cluster_id for found in failures})
    rows = []
    for name in names:
        members = [found.trace_id for found in failures if found.cluster_id == name]
        given = {"cluster_id": name, "name": f"{name} words", "size": len(members)}
        rows.append(
            {
                **_zero(CLUSTERS.schema),
                **given,
                "weight": float(len(members)),
                "medoid_trace_id": members[0],
                "medoid_line": "a line",
                "representatives": members,
            }
        )
    return pl.DataFrame(rows, schema=CLUSTERS.schema)


def _members(failures: Sequence[Failure]) -> pl.DataFrame:
    rows = [
        {
            **_zero(MEMBERS.schema),
            "trace_id": found.trace_id,
            "cluster_id": found.cluster_id,
            "probability": 1.0,
            "weight": 1.0,
            "text": found.input,
            "feedback_ids": list(found.feedback_ids),
        }
        for found in failures
    ]
    return pl.DataFrame(rows, schema=MEMBERS.schema)


def _zero(schema: pl.Schema) -> dict[str, Any]:
    """A harmless value for each column, whatever columns there are."""
    zeros: dict[Any, Any] = {pl.String: "", pl.Int64: 1, pl.Float64: 1.0, pl.Boolean: False}
    return {
        name: zeros.get(dtype, [] if dtype == pl.List else None) for name, dtype in schema.items()
    }


def _label_files(failures: Sequence[Failure]) -> dict[str, str]:
    files: dict[str, str] = {}
    for found in failures:
        for annotator, verdict in found.verdicts.items():
            line = {
                "label_id": f"{found.trace_id}-{annotator}",
                "trace_id": found.trace_id,
                "item_kind": "trace",
                "rubric": "grounded",
                "label": verdict,
                "reference": f"The right answer to {found.trace_id}.",
                "annotator": annotator,
                "role": "senior" if annotator.startswith("senior") else "annotator",
                "guidance_version": "1",
                "created_at": "2026-05-18T08:00:00Z",
            }
            path = f"labels/{annotator}.jsonl"
            files[path] = files.get(path, "") + json.dumps(line) + "\n"
    return files
