"""Golden rows × their rubrics: what is run, what is judged by what, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from gitloop.records import Answer, Case
from gitloop.tables import OUTPUTS, SCORES


@dataclass(frozen=True, slots=True)
class RubricScores:
    """What a rubric's scores come to.

    Attributes:
        rubric: Its name.
        n: Judgements asked for.
        n_errors: Those that gave no score, whatever the status.
        statuses: Status → number of judgements.
        mean: Mean score in [0, 1] over those that have one, or None.
    """

    rubric: str
    n: int
    n_errors: int
    statuses: Mapping[str, int]
    mean: float | None


def cases_of(golden: pl.DataFrame) -> list[Case]:
    """One case per golden row, in the rows' order."""
    return [
        Case(
            item_id=row["row_id"],
            input=row["input"],
            context=row["context"],
            reference=row["reference"],
            route=row["route"],
            user_cohort=row["user_cohort"],
        )
        for row in golden.iter_rows(named=True)
    ]


def rubrics_of(golden: pl.DataFrame) -> dict[str, list[str]]:
    """row_id → the rubrics that the row's labels speak of, sorted."""
    return {
        row_id: sorted(label["rubric"] for label in labels)
        for row_id, labels in golden.select("row_id", "labels").iter_rows()
    }


def unknown_rubrics(golden: pl.DataFrame, known: Collection[str]) -> dict[str, str]:
    """Rubric that no pin knows → the first row that is labelled with it."""
    found: dict[str, str] = {}
    for row_id, rubrics in sorted(rubrics_of(golden).items()):
        for rubric in rubrics:
            if rubric not in known:
                found.setdefault(rubric, row_id)
    return dict(sorted(found.items()))


def outputs_of(
    golden: pl.DataFrame, cases: Sequence[Case], answers: Sequence[Answer]
) -> pl.DataFrame:
    """`tables.OUTPUTS`, unsorted.

    Args:
        golden: The golden rows.
        cases: One case per answer, numbered as replicates.
        answers: What the target answered.
    """
    rows = {row["row_id"]: row for row in golden.iter_rows(named=True)}
    return pl.DataFrame(
        [
            {
                "item_id": case.item_id,
                "set": rows[case.item_id]["set"],
                "replicate": case.replicate,
                "status": answer.status,
                "output": case.output,
                "error": answer.error or None,
                "route": case.route,
                "user_cohort": case.user_cohort,
                "group_id": rows[case.item_id]["group_id"],
                "latency_s": answer.latency_s,
                "cost_usd": answer.cost_usd,
            }
            for case, answer in zip(cases, answers, strict=True)
        ],
        schema=OUTPUTS.schema,
    )


def selected(cases: Sequence[Case], rubrics: Mapping[str, Sequence[str]]) -> dict[str, list[Case]]:
    """Rubric → the cases that it judges, by rubric.

    Args:
        cases: Cases with or without an output.
        rubrics: item_id → rubrics.
    """
    found: dict[str, list[Case]] = {}
    for case in cases:
        for rubric in rubrics[case.item_id]:
            found.setdefault(rubric, []).append(case)
    return dict(sorted(found.items()))


def blamed(scores: pl.DataFrame, outputs: pl.DataFrame) -> pl.DataFrame:
    """The scores with the target's own status and error where the target gave no output."""
    failed = outputs.filter(pl.col("status") != "ok").select(
        "item_id",
        "replicate",
        pl.col("status").alias("target_status"),
        pl.format("the target gave no output: {}", pl.col("error").fill_null("")).alias("told"),
    )
    joined = scores.join(failed, on=["item_id", "replicate"], how="left")
    return joined.with_columns(
        status=pl.coalesce("target_status", "status"), reason=pl.coalesce("told", "reason")
    ).select(SCORES.schema.names())


def summarise(scores: pl.DataFrame) -> list[RubricScores]:
    """What each rubric's scores come to, by rubric; means are rounded to six places."""
    found = []
    for (rubric,), own in sorted(scores.group_by("rubric")):
        statuses = dict(sorted(own["status"].value_counts().iter_rows()))
        values = own.filter(pl.col("status") == "ok")["score"].sort()
        mean = values.mean()
        found.append(
            RubricScores(
                rubric=str(rubric),
                n=own.height,
                n_errors=own.height - statuses.get("ok", 0),
                statuses=statuses,
                mean=None if mean is None else round(float(mean), 6),  # type: ignore[arg-type]
            )
        )
    return found
