"""What a person is shown next, and the label that their answer makes.

An annotator sees the representatives of the open clusters under every rubric in use, and nothing
that anybody else has said. A senior sees what annotators disagree on, with every verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from gitloop.digests import sha256_of

VERDICTS = ("pass", "fail")


@dataclass(frozen=True, slots=True)
class Session:
    """Who labels, and by which rules.

    Attributes:
        annotator: As in `labels/<annotator>.jsonl`.
        role: "annotator" or "senior".
        guidance_version: The guidance that is followed now.
        rubrics: The rubrics to apply → their versions, in the order in which they are asked.
        min_agreement: Share of annotators behind a verdict from which no senior is needed.
    """

    annotator: str
    role: str
    guidance_version: str
    rubrics: Mapping[str, str]
    min_agreement: float


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody said before; only seniors are shown it.

    Attributes:
        annotator: Who.
        label: Their verdict as given.
        comment: Why, or None.
        reference: What it should have said, or None.
    """

    annotator: str
    label: str
    comment: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Item:
    """One question: does this output pass under this rubric?

    Attributes:
        trace_id: The trace.
        rubric: The rubric to apply.
        cluster_id: The cluster it stands for, or None.
        cluster_name: What that cluster is called, or None.
        input: What the user asked.
        context: What the application was given, or None.
        output: What it answered, or None.
        route: The part of the product, or None.
        user_cohort: The kind of user, or None.
        opinions: What annotators said, for seniors; () for annotators.
    """

    trace_id: str
    rubric: str
    cluster_id: str | None
    cluster_name: str | None
    input: str
    context: str | None
    output: str | None
    route: str | None
    user_cohort: str | None
    opinions: tuple[Opinion, ...] = ()


@dataclass(frozen=True, slots=True)
class Queue:
    """What is left to ask.

    Attributes:
        items: In the order in which they are asked.
        n_done: Items that need no question any more.
        gone: Trace ids that should be shown and are not among the traces, sorted.
    """

    items: tuple[Item, ...]
    n_done: int
    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """An answer.

    Attributes:
        label: "pass" or "fail".
        comment: Why, or None.
        reference: What it should have said, or None.
    """

    label: str
    comment: str | None = None
    reference: str | None = None


def annotator_queue(
    session: Session, clusters: pl.DataFrame, traces: pl.DataFrame, labels: pl.DataFrame
) -> Queue:
    """What the annotator has not labelled yet: the heaviest cluster first, then rank, then rubric.

    Args:
        session: Who labels; their own labels under the current guidance are done.
        clusters: Fits `tables.CLUSTERS`; may be empty.
        traces: Fits `tables.TRACES`.
        labels: Fits `tables.LABELS`; nobody else's are looked at.
    """
    ordered = clusters.sort("weight", "cluster_id", descending=[True, False])
    shown: dict[str, tuple[str | None, str | None]] = {}
    for row in ordered.iter_rows(named=True):
        for trace_id in row["representatives"]:
            shown.setdefault(trace_id, (row["cluster_id"], row["name"]))
    return _queue(session, shown, traces, labels)


def sample_queue(
    session: Session, traces: pl.DataFrame, labels: pl.DataFrame, *, n: int, seed: int
) -> Queue:
    """A random sample of all traces that have an output, for calibration and for unbiased rates.

    Clusters hold failures only, and a judge that is calibrated on failures alone never learns what
    a pass looks like. The sample grows without changing: the first 20 are among the first 50.

    Args:
        session: Who labels.
        traces: Fits `tables.TRACES`.
        labels: Fits `tables.LABELS`.
        n: Traces in the sample.
        seed: From params.
    """
    drawn = sampled(traces, n=n, seed=seed)
    return _queue(session, dict.fromkeys(drawn, (None, None)), traces, labels)


def sampled(traces: pl.DataFrame, *, n: int, seed: int) -> list[str]:
    """The trace ids of a random sample of the traces that have an output; it grows in place."""
    answered = traces.filter(pl.col("output").is_not_null())["trace_id"].to_list()
    return sorted(answered, key=lambda one: sha256_of({"seed": seed, "trace": one}))[:n]


def unsure_queue(
    session: Session,
    traces: pl.DataFrame,
    labels: pl.DataFrame,
    unsure: Sequence[tuple[str, str]],
) -> Queue:
    """What a judge left to people: just these traces, each under just these rubrics, in order.

    Args:
        session: Who labels.
        traces: Fits `tables.TRACES`.
        labels: Fits `tables.LABELS`.
        unsure: (trace_id, rubric).
    """
    done, known = _labelled(session, labels), _by_id(traces)
    left = [pair for pair in unsure if pair not in done]
    items = [_item(known[trace_id], rubric, (None, None)) for trace_id, rubric in left]
    return Queue(tuple(items), len(unsure) - len(left), ())


def senior_queue(session: Session, traces: pl.DataFrame, labels: pl.DataFrame) -> Queue:
    """What annotators disagree on and no senior has settled, with every verdict on it.

    Args:
        session: Who settles; only labels under the current guidance are looked at.
        traces: Fits `tables.TRACES`.
        labels: Fits `tables.LABELS`.
    """
    rules = (pl.col("guidance_version") == session.guidance_version) & pl.col("rubric").is_in(
        list(session.rubrics)
    )
    settled, disputes, n_done, gone = set[tuple[str, str]](), [], 0, set[str]()
    current = labels.filter(rules).sort("trace_id", "rubric", "annotator")
    for row in current.filter(pl.col("role") == "senior").iter_rows(named=True):
        settled.add((row["trace_id"], row["rubric"]))
    known = _by_id(traces)
    annotators = current.filter(pl.col("role") == "annotator")
    for (trace_id, rubric), rows in annotators.group_by("trace_id", "rubric", maintain_order=True):
        counts = Counter(rows["label"].to_list())
        if max(counts.values()) / rows.height >= session.min_agreement:
            continue
        if (trace_id, rubric) in settled:
            n_done += 1
        elif trace_id not in known:
            gone.add(str(trace_id))
        else:
            disputes.append(_item(known[str(trace_id)], str(rubric), (None, None), _opinions(rows)))
    return Queue(tuple(disputes), n_done, tuple(sorted(gone)))


def label_row(session: Session, item: Item, given: Given, *, at: datetime) -> dict[str, Any]:
    """The label that an answer makes: a row of `tables.LABELS`.

    Its id depends on who, what, the rubric and the guidance alone: the same answer given twice is
    the same label.
    """
    return {
        "label_id": label_id(
            session.annotator, item.trace_id, item.rubric, session.guidance_version
        ),
        "trace_id": item.trace_id,
        "item_kind": "trace",
        "rubric": item.rubric,
        "label": given.label,
        "score": None,
        "reference": given.reference,
        "comment": given.comment,
        "annotator": session.annotator,
        "role": session.role,
        "guidance_version": session.guidance_version,
        "cluster_id": item.cluster_id,
        "rubric_version": session.rubrics[item.rubric],
        "created_at": at,
    }


def label_id(annotator: str, trace_id: str, rubric: str, guidance_version: str) -> str:
    """The identity of a label: 16 hex digits of who, what, by which rubric and guidance."""
    return sha256_of(
        {"annotator": annotator, "guidance": guidance_version, "rubric": rubric, "trace": trace_id}
    )[:16]


def annotator_name(identity: str) -> str:
    """A person's name as the stem of a label file: lower case, words joined by dashes, or ""."""
    kept = (
        char if char.isascii() and (char.isalnum() or char in "._@+") else " "
        for char in identity.lower()
    )
    return "-".join("".join(kept).split()).strip(".@+_")[:64]


def _queue(
    session: Session,
    shown: Mapping[str, tuple[str | None, str | None]],
    traces: pl.DataFrame,
    labels: pl.DataFrame,
) -> Queue:
    done = _labelled(session, labels)
    known = _by_id(traces.filter(pl.col("trace_id").is_in(list(shown))))
    pairs = list(_pairs(shown, session.rubrics))
    open_pairs = [pair for pair in pairs if pair not in done]
    items = [
        _item(known[trace_id], rubric, shown[trace_id])
        for trace_id, rubric in open_pairs
        if trace_id in known
    ]
    gone = {trace_id for trace_id, _ in open_pairs if trace_id not in known}
    return Queue(tuple(items), len(pairs) - len(open_pairs), tuple(sorted(gone)))


def _pairs(trace_ids: Iterable[str], rubrics: Iterable[str]) -> Iterator[tuple[str, str]]:
    wanted = tuple(rubrics)
    return ((trace_id, rubric) for trace_id in trace_ids for rubric in wanted)


def _labelled(session: Session, labels: pl.DataFrame) -> set[tuple[str, str]]:
    """The (trace, rubric) pairs that the person labelled under the current guidance."""
    own = labels.filter(
        (pl.col("annotator") == session.annotator)
        & (pl.col("guidance_version") == session.guidance_version)
    )
    return set(own.select("trace_id", "rubric").iter_rows())


def _by_id(traces: pl.DataFrame) -> dict[str, dict[str, Any]]:
    columns = ("trace_id", "input", "context", "output", "route", "user_cohort")
    return {row["trace_id"]: row for row in traces.select(columns).iter_rows(named=True)}


def _item(
    trace: Mapping[str, Any],
    rubric: str,
    cluster: tuple[str | None, str | None],
    opinions: tuple[Opinion, ...] = (),
) -> Item:
    return Item(
        rubric=rubric, cluster_id=cluster[0], cluster_name=cluster[1], opinions=opinions, **trace
    )


def _opinions(rows: pl.DataFrame) -> tuple[Opinion, ...]:
    said = rows.select("annotator", "label", "comment", "reference").sort("annotator")
    return tuple(Opinion(**row) for row in said.iter_rows(named=True))
