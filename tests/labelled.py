"""Labels, traces and a repository of both, with everything that a test does not care about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.storage import parquet, parts
from gitloop.storage.dvc import Dvc
from gitloop.storage.labels import append_labels
from gitloop.tables import LABELS, SCORES, TRACES
from tests.repositories import Repository

START = datetime(2026, 5, 18, 8, tzinfo=UTC)


def label(trace_id: str, verdict: str, annotator: str = "amara", **other: Any) -> dict[str, Any]:  # noqa: ANN401
    """A label of the rubric "grounded" under guidance "1"."""
    rubric = other.get("rubric", "grounded")
    return {
        "label_id": f"{annotator}-{trace_id}-{rubric}",
        "trace_id": trace_id,
        "item_kind": "trace",
        "item_id": None,
        "rubric": rubric,
        "label": verdict,
        "score": {"pass": 1.0, "fail": 0.0}.get(verdict),
        "reference": None,
        "comment": None,
        "annotator": annotator,
        "role": "annotator",
        "guidance_version": "1",
        "sections": None,
        "cluster_id": None,
        "rubric_version": None,
        "created_at": START,
    } | other


def labels(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """The rows as a labels table."""
    return LABELS.order(pl.DataFrame(list(rows), schema=LABELS.schema))


def traces(trace_ids: Sequence[str], **other: Any) -> pl.DataFrame:  # noqa: ANN401
    """One trace per id; a column may be given as a list with one value per trace."""
    rows = [
        {
            "trace_id": trace_id,
            "created_at": START + timedelta(minutes=n),
            "input": f"question {trace_id}",
            "output": f"answer {trace_id}",
            "route": "refund",
            "user_cohort": "trial",
            "status": "ok",
        }
        | {name: value[n] if isinstance(value, list) else value for name, value in other.items()}
        for n, trace_id in enumerate(trace_ids)
    ]
    return TRACES.order(pl.DataFrame(rows, schema=TRACES.schema))


def scores(given: Mapping[str, float | None], rubric: str = "grounded") -> pl.DataFrame:
    """One score per trace; None is a judgement that failed."""
    rows = [
        {
            "item_id": trace_id,
            "rubric": rubric,
            "rubric_version": "1",
            "rubric_sha256": "0" * 64,
            "judge": "recorded/1",
            "replicate": 0,
            "status": "missing" if score is None else "ok",
            "score": score,
        }
        for trace_id, score in given.items()
    ]
    return SCORES.order(pl.DataFrame(rows, schema=SCORES.schema))


PARAMS = """\
seed: 7
labels:
  guidance_version: "1"
rubrics:
  grounded:
    version: "1"
    judge: {use: local, version: "1"}
"""

RUBRIC = """\
name: grounded
version: "1"
description: The answer says nothing that the context does not.
guidance: Fail whatever the context does not say.
requires: [output, context]
scorer:
  local: {metric: grounded}
"""

CONTEXT = "Refunds are paid within thirty days to the card that was charged."


def labelled_repository(root: Path, n: int = 60, rubric: str = RUBRIC) -> Repository:
    """A repository with traces, of which every second answer is invented, and no labels yet.

    Args:
        root: Where to make it.
        n: Traces, named t000, t001, …
        rubric: The text of the rubric "grounded".
    """
    repository = Repository.create(root)
    repository.gen({"params.yaml": PARAMS, "rubrics/grounded.yaml": rubric}, commit="Set up")
    invented = "Call our office in Lisbon on Sundays and ask for Pedro."
    outputs = [CONTEXT if n % 2 else invented for n in range(n)]
    rows = traces([f"t{n:03}" for n in range(n)], context=CONTEXT, output=outputs)
    path = "data/traces/2026-05-18-00000000.parquet"
    parquet.write(repository.root / path, TRACES, rows)
    parts.track(repository.root, Dvc(repository.root, repository.root / ".git"), path)
    return repository


def label_all(
    repository: Repository, n: int = 60, *, annotators: Sequence[str] = ("amara", "bo")
) -> None:
    """Have people say of each trace what is true: the invented ones fail."""
    for name in annotators:
        rows = [label(f"t{n:03}", "pass" if n % 2 else "fail", name) for n in range(n)]
        append_labels(repository.root, name, rows)
