"""What a person is asked next.

An annotator is asked about each case under every rubric in use, and sees nothing that anybody else
has said. A senior is asked about what annotators disagree on, and sees every label of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from gitloop.core.label.items import Case, Item, Key, Opinion, Queue, Session
from gitloop.stats.consensus import PASS_FROM, verdict_of


@dataclass(frozen=True, slots=True)
class Dispute:
    """A question on which annotators give no verdict together.

    Attributes:
        key: Which case.
        trace_id: The trace that it is, or belongs to.
        rubric: The rubric.
        opinions: What annotators said, by name.
        is_settled: Whether a senior has spoken.
    """

    key: Key
    trace_id: str
    rubric: str
    opinions: tuple[Opinion, ...]
    is_settled: bool


def annotator_queue(
    session: Session, cases: Iterable[Case], labels: pl.DataFrame, gone: Iterable[str] = ()
) -> Queue:
    """What the annotator has not labelled yet, in the order of the cases, then of the rubrics.

    Args:
        session: Who labels; their own labels under the current guidance are done.
        cases: What they are to be shown.
        labels: Fits `tables.LABELS`; nobody else's are looked at.
        gone: Ids of cases that should be shown and are no longer there.
    """
    own = labels.filter(
        (pl.col("annotator") == session.annotator)
        & (pl.col("guidance_version") == session.guidance_version)
    )
    answered = {(key_of(row), row["rubric"]) for row in own.iter_rows(named=True)}
    items = [Item(case, rubric) for case in cases for rubric in rubrics_of(session, case)]
    is_done = [(item.case.key, item.rubric) in answered for item in items]
    return Queue(
        items=tuple(item for item, done in zip(items, is_done, strict=True) if not done),
        n_done=sum(is_done),
        gone=tuple(sorted(set(gone))),
        done=tuple(item for item, done in zip(items, is_done, strict=True) if done),
    )


def unsure_queue(
    session: Session,
    cases: Iterable[Case],
    labels: pl.DataFrame,
    unsure: Sequence[tuple[str, str]],
) -> Queue:
    """What a judge left to people: just these cases, each under just these rubrics, in order.

    Args:
        session: Who labels.
        cases: What is known of the cases.
        labels: Fits `tables.LABELS`.
        unsure: (item id, rubric).
    """
    place = {pair: number for number, pair in enumerate(unsure)}
    found = annotator_queue(session, cases, labels)

    def in_order(items: Iterable[Item]) -> tuple[Item, ...]:
        wanted = [item for item in items if (item.case.item_id, item.rubric) in place]
        return tuple(sorted(wanted, key=lambda item: place[item.case.item_id, item.rubric]))

    done = in_order(found.done)
    return Queue(in_order(found.items), len(done), (), done)


def disputes(session: Session, labels: pl.DataFrame) -> list[Dispute]:
    """What annotators disagree on, by rubric, sorted; settled ones too.

    Verdicts are compared, not what was said: under a rubric with ratings, 3 and 4 may both pass.
    What is no verdict is compared as it was said; answers in words are not compared at all.

    Args:
        session: Whose rules apply; only labels under the current guidance are looked at.
        labels: Fits `tables.LABELS`.
    """
    current = labels.filter(
        (pl.col("guidance_version") == session.guidance_version)
        & (pl.col("rubric").is_in(list(session.rubrics)) | (pl.col("item_kind") == "pair"))
    ).sort("trace_id", "rubric", "annotator")
    said: dict[tuple[Key, str], list[dict[str, Any]]] = {}
    for row in current.iter_rows(named=True):
        said.setdefault((key_of(row), row["rubric"]), []).append(row)
    found = []
    for (key, rubric), rows in said.items():
        if session.form(rubric).type == "text":
            continue
        annotators = [row for row in rows if row["role"] == "annotator"]
        if _is_agreed(annotators, session.pass_from.get(rubric, PASS_FROM), session.min_agreement):
            continue
        is_settled = any(row["role"] == "senior" for row in rows)
        opinions = tuple(_opinion(row) for row in annotators)
        found.append(Dispute(key, rows[0]["trace_id"], rubric, opinions, is_settled))
    return found


def senior_queue(found: Sequence[Dispute], cases: Iterable[Case]) -> Queue:
    """The disputes that no senior has settled, with every label of each.

    Args:
        found: As `disputes` returns them.
        cases: What there is of their cases.
    """
    known = {case.key: case for case in cases}
    there = [dispute for dispute in found if dispute.key in known]
    questions = [
        (dispute.is_settled, Item(known[dispute.key], dispute.rubric, dispute.opinions))
        for dispute in there
    ]
    return Queue(
        items=tuple(item for is_settled, item in questions if not is_settled),
        n_done=sum(dispute.is_settled for dispute in found),
        gone=tuple(sorted({d.key[1] for d in found if d.key not in known and not d.is_settled})),
        done=tuple(item for is_settled, item in questions if is_settled),
    )


def key_of(row: Mapping[str, Any]) -> Key:
    """What the label speaks of; `row` is one of `tables.LABELS`."""
    return row["item_kind"], row["item_id"] or row["trace_id"]


def rubrics_of(session: Session, case: Case) -> tuple[str, ...]:
    """The rubrics under which a case is asked; a pair has one question, its preference."""
    return (PREFERENCE_RUBRIC,) if case.kind == "pair" else tuple(session.rubrics)


PREFERENCE_RUBRIC = "preference"
"""What stands as the rubric in a label of a pair."""


def _is_agreed(rows: Sequence[Mapping[str, Any]], pass_from: float, least: float) -> bool:
    verdicts = [verdict_of(row["label"], row["score"], pass_from) or row["label"] for row in rows]
    return not rows or max(Counter(verdicts).values()) / len(rows) >= least


def _opinion(row: Mapping[str, Any]) -> Opinion:
    return Opinion(
        annotator=row["annotator"],
        label=row["label"],
        comment=row["comment"],
        reference=row["reference"],
        sections=tuple(row["sections"] or ()),
    )
