"""Every table that gitloop reads or writes: names, types, keys and meaning.

Rows are sorted by the table's key before they are written: the same content is the same bytes.
`docs/tables.md` is generated from this module.
"""

from __future__ import annotations

import polars as pl

from gitloop import signals
from gitloop.schema import Column, Table

TIME = pl.Datetime("us", "UTC")
TEXTS = pl.List(pl.String)

SIGNAL_TYPES = signals.SIGNAL_TYPES
SCORE_SOURCES = signals.SCORE_SOURCES
SPLITS = ("train", "val", "holdout")
STATUSES = ("ok", "error", "timeout", "refused", "unparsed", "missing")


_SPAN = pl.Struct(
    {
        "span_id": pl.String,
        "parent_span_id": pl.String,
        "name": pl.String,
        "kind": pl.String,
        "started_at": TIME,
        "ended_at": TIME,
        "status": pl.String,
        "input": pl.String,
        "output": pl.String,
        "attributes": pl.String,
    }
)

TRACES = Table(
    "traces",
    1,
    ("trace_id",),
    (
        Column("trace_id", pl.String, "identifies the trace"),
        Column("session_id", pl.String, "the conversation it belongs to", nullable=True),
        Column(
            "group_id",
            pl.String,
            "unit of splitting: never on two sides of a split",
            nullable=True,
        ),
        Column("created_at", TIME, "start of the trace, UTC", nullable=True),
        Column("route", pl.String, "the part of the product, e.g. refund", nullable=True),
        Column("user_cohort", pl.String, "the kind of user, e.g. enterprise_admin", nullable=True),
        Column("prompt_version", pl.String, "name of the prompt that answered", nullable=True),
        Column("input", pl.String, "what the user asked"),
        Column("context", pl.String, "what the application retrieved or was given", nullable=True),
        Column("output", pl.String, "what the application answered", nullable=True),
        Column("model", pl.String, "the model that answered", nullable=True),
        Column("status", pl.String, "outcome of the trace", values=("ok", "error")),
        Column("latency_s", pl.Float64, "seconds, ≥ 0", nullable=True),
        Column("n_input_tokens", pl.Int64, "tokens, ≥ 0", nullable=True),
        Column("n_output_tokens", pl.Int64, "tokens, ≥ 0", nullable=True),
        Column("cost_usd", pl.Float64, "US dollars, ≥ 0", nullable=True),
        Column("spans", pl.List(_SPAN), "the spans, in start order", nullable=True),
        Column("attributes", pl.String, "attributes without a column, JSON object", nullable=True),
        Column("source", pl.String, "the format it came in", nullable=True),
    ),
)

FEEDBACK = Table(
    "feedback",
    1,
    ("feedback_id",),
    (
        Column("feedback_id", pl.String, "identifies the event"),
        Column("trace_id", pl.String, "the trace it speaks of", nullable=True),
        Column("span_id", pl.String, "the span, where one is meant", nullable=True),
        Column("session_id", pl.String, "the conversation", nullable=True),
        Column("prompt_version", pl.String, "name of the prompt that answered", nullable=True),
        Column("route", pl.String, "the part of the product", nullable=True),
        Column("user_cohort", pl.String, "the kind of user", nullable=True),
        Column("signal_type", pl.String, "what happened", values=tuple(SIGNAL_TYPES)),
        Column("signal_class", pl.String, "said or done", values=("explicit", "implicit")),
        Column("value", pl.Float64, "rating, score or outcome on its own scale", nullable=True),
        Column("score_source", pl.String, "who says so", nullable=True, values=SCORE_SOURCES),
        Column("comment", pl.String, "what the user wrote", nullable=True),
        Column("edited_output", pl.String, "what the user made of the answer", nullable=True),
        Column("created_at", TIME, "when it happened, UTC"),
        Column("metadata", pl.String, "everything else, JSON object", nullable=True),
    ),
)

JOINED = Table(
    "joined",
    1,
    ("feedback_id",),
    (
        *FEEDBACK.columns,
        Column("group_id", pl.String, "unit of splitting, of the trace"),
        Column("input", pl.String, "what the user asked"),
        Column("context", pl.String, "what the application was given", nullable=True),
        Column("output", pl.String, "what the application answered", nullable=True),
        Column("model", pl.String, "the model that answered", nullable=True),
        Column("trace_created_at", TIME, "start of the trace, UTC", nullable=True),
    ),
)

DEBUG_ONLY = Table(
    "debug_only",
    1,
    ("feedback_id",),
    (
        *FEEDBACK.columns,
        Column("reasons", TEXTS, "why the event could not be joined, sorted"),
    ),
)

_DIGEST = Column("content_sha256", pl.String, "digest of the row's content")

TRACE_CONFLICTS = Table(
    "trace_conflicts", 1, ("trace_id", "content_sha256"), (*TRACES.columns, _DIGEST)
)

FEEDBACK_CONFLICTS = Table(
    "feedback_conflicts", 1, ("feedback_id", "content_sha256"), (*FEEDBACK.columns, _DIGEST)
)

CONFLICTS = {"traces": TRACE_CONFLICTS, "feedback": FEEDBACK_CONFLICTS}
"""Table → the table of the rows that contradict one of its rows under the same key."""

CLUSTERS = Table(
    "clusters",
    1,
    ("cluster_id",),
    (
        Column("cluster_id", pl.String, "content-derived, stable under row order"),
        Column("name", pl.String, "keywords that tell it from the others"),
        Column("size", pl.Int64, "failures in it, ≥ 1"),
        Column("weight", pl.Float64, "sum of its failures' weights"),
        Column("medoid_trace_id", pl.String, "the most central failure"),
        Column("medoid_line", pl.String, "its text, shortened"),
        Column("representatives", TEXTS, "trace ids to label: central and diverse, in that order"),
        Column("cohesion", pl.Float64, "mean cosine of members to the centre, [-1, 1]"),
        Column("stability", pl.Float64, "share that comes back in half samples", nullable=True),
        Column("routes", TEXTS, "routes of its members, most frequent first"),
        Column("user_cohorts", TEXTS, "cohorts of its members, most frequent first"),
        Column("prompt_versions", TEXTS, "prompt versions, most frequent first"),
    ),
)

MEMBERS = Table(
    "members",
    1,
    ("trace_id",),
    (
        Column("trace_id", pl.String, "a failure"),
        Column("cluster_id", pl.String, "its cluster; null is the noise bucket", nullable=True),
        Column("probability", pl.Float64, "strength of membership, [0, 1]; 0 in the noise bucket"),
        Column("runner_up", pl.String, "the next best cluster", nullable=True),
        Column("margin", pl.Float64, "own cluster's cosine less the next best's", nullable=True),
        Column("is_soft", pl.Boolean, "joined by soft assignment, not by density", nullable=True),
        Column("weight", pl.Float64, "how much its signals weigh, > 0"),
        Column("text", pl.String, "the text that was clustered"),
        Column("feedback_ids", TEXTS, "the events that made it a failure, sorted"),
    ),
)

ITEM_KINDS = ("trace", "span", "session", "tool_call", "prototype_run", "golden_row", "pair")

LABELS = Table(
    "labels",
    1,
    ("label_id",),
    (
        Column("label_id", pl.String, "identifies the label"),
        Column("trace_id", pl.String, "the trace that was labelled, or that the item is part of"),
        Column("item_kind", pl.String, "what was looked at", values=ITEM_KINDS),
        Column(
            "item_id", pl.String, "which one; null for a trace, whose id says it", nullable=True
        ),
        Column("rubric", pl.String, "the rubric that was applied"),
        Column("label", pl.String, "the verdict as given, e.g. pass, fail, 4"),
        Column("score", pl.Float64, "the verdict in [0, 1], higher is better", nullable=True),
        Column("reference", pl.String, "what it should have said", nullable=True),
        Column("comment", pl.String, "why", nullable=True),
        Column("annotator", pl.String, "who, as in the file's name"),
        Column("role", pl.String, "what their word weighs", values=("annotator", "senior")),
        Column("guidance_version", pl.String, "the guidance they followed"),
        Column("sections", TEXTS, "sections of the guidance that decided it", nullable=True),
        Column("cluster_id", pl.String, "the cluster it was shown for", nullable=True),
        Column("rubric_version", pl.String, "the rubric's version then", nullable=True),
        Column("created_at", TIME, "when, UTC"),
    ),
)

SCORES = Table(
    "scores",
    1,
    ("item_id", "rubric", "replicate"),
    (
        Column("item_id", pl.String, "row_id of a golden row, or trace_id of a trace"),
        Column("rubric", pl.String, "rubric name"),
        Column("rubric_version", pl.String, "rubric version"),
        Column("rubric_sha256", pl.String, "digest of the rubric's content"),
        Column("judge", pl.String, "judge kind and version, e.g. local/1"),
        Column("replicate", pl.Int64, "nth judgement of the same output, from 0"),
        Column("status", pl.String, "an error is not a score", values=STATUSES),
        Column(
            "score",
            pl.Float64,
            "[0, 1], higher is better; null unless status is ok",
            nullable=True,
        ),
        Column("reason", pl.String, "why, in a line", nullable=True),
        Column("latency_s", pl.Float64, "seconds the judge took when it was called", nullable=True),
        Column("cost_usd", pl.Float64, "US dollars", nullable=True),
    ),
)

OUTPUTS = Table(
    "outputs",
    1,
    ("item_id", "replicate"),
    (
        Column("item_id", pl.String, "row_id of a golden row"),
        Column("set", pl.String, "golden set"),
        Column("replicate", pl.Int64, "nth output for the same row, from 0"),
        Column("status", pl.String, "an error is not an output", values=STATUSES),
        Column("output", pl.String, "what the target answered", nullable=True),
        Column("error", pl.String, "what went wrong, in a line", nullable=True),
        Column("route", pl.String, "route of the row", nullable=True),
        Column("user_cohort", pl.String, "cohort of the row", nullable=True),
        Column("group_id", pl.String, "unit of clustering in the statistics"),
        Column(
            "latency_s", pl.Float64, "seconds the target took when it was called", nullable=True
        ),
        Column("cost_usd", pl.Float64, "US dollars", nullable=True),
    ),
)

CALLS = Table(
    "calls",
    1,
    ("call_id",),
    (
        Column("call_id", pl.String, "SHA-256 of the canonical request"),
        Column(
            "kind",
            pl.String,
            "what was called",
            values=("judge", "target", "teacher", "embedder", "triage"),
        ),
        Column("request", pl.String, "the canonical request, JSON object"),
        Column("response", pl.String, "the whole answer, JSON object"),
    ),
)

LABELS_OF_ROW = pl.List(pl.Struct({"rubric": pl.String, "expected": pl.String}))

GOLDEN = Table(
    "golden",
    1,
    ("row_id",),
    (
        Column("row_id", pl.String, "SHA-256 prefix of input, context and route; survives edits"),
        Column("set", pl.String, "the golden set"),
        Column("split", pl.String, "fixed for life, by group", values=SPLITS),
        Column("input", pl.String, "what the user asked"),
        Column("context", pl.String, "what the application was given", nullable=True),
        Column("reference", pl.String, "what it should have said", nullable=True),
        Column("bad_output", pl.String, "what it said when it failed", nullable=True),
        Column("labels", LABELS_OF_ROW, "rubric → verdict on bad_output, sorted by rubric"),
        Column("route", pl.String, "the part of the product", nullable=True),
        Column("user_cohort", pl.String, "the kind of user", nullable=True),
        Column("prompt_version", pl.String, "the prompt that failed", nullable=True),
        Column("annotators", TEXTS, "who labelled it, sorted"),
        Column("guidance_version", pl.String, "the guidance they followed"),
        Column("source_trace_id", pl.String, "the trace it came from"),
        Column("source_feedback_ids", TEXTS, "the events that started it, sorted"),
        Column("cluster_id", pl.String, "the cluster it was promoted from", nullable=True),
        Column("group_id", pl.String, "unit of splitting"),
        Column("created_at", TIME, "start of the source trace, UTC", nullable=True),
        Column("promoted_in", pl.String, "id of the promotion's record and part"),
    ),
)

VOTES = Table(
    "votes",
    1,
    ("pair_id", "annotator"),
    (
        Column("pair_id", pl.String, "identifies the pair"),
        Column("trace_id_a", pl.String, "the one answer"),
        Column("trace_id_b", pl.String, "the other answer to the same prompt"),
        Column("winner", pl.String, "which is better", values=("a", "b", "tie")),
        Column("annotator", pl.String, "who says so"),
        Column("created_at", TIME, "when, UTC", nullable=True),
    ),
)

PAIR_SOURCES = ("clusters", "votes", "thumbs", "scores", "judge", "sessions")
"""Where preferences come from, the most trusted first."""

PAIR_SPLITS = ("train", "holdout")

TURNS = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
_SCORES_OF_PAIR = pl.List(
    pl.Struct({"rubric": pl.String, "chosen": pl.Float64, "rejected": pl.Float64})
)
_SCORES_OF_ANSWER = pl.List(pl.Struct({"rubric": pl.String, "score": pl.Float64}))

PAIRS = Table(
    "pairs",
    2,
    ("pair_id",),
    (
        Column("pair_id", pl.String, "digest of history, prompt, chosen and rejected"),
        Column("source", pl.String, "how the preference is known", values=PAIR_SOURCES),
        Column("also_from", TEXTS, "other sources of the same preference, sorted"),
        Column("prompt_class", pl.String, "digest of the prompt without case, blanks, punctuation"),
        Column("history", TURNS, "turns before the prompt, oldest first"),
        Column("prompt", pl.String, "what was asked, with its context"),
        Column("chosen", pl.String, "the preferred answer"),
        Column("rejected", pl.String, "the other answer"),
        Column("margin", pl.Float64, "how much better, [0, 1]", nullable=True),
        Column("confidence", pl.Float64, "share of a judge's verdicts, [0.5, 1]", nullable=True),
        Column("scores", _SCORES_OF_PAIR, "what rubrics gave both answers, by rubric"),
        Column(
            "verified_by",
            pl.String,
            "how the chosen answer was verified, of clusters",
            nullable=True,
            values=("edit", "trace", "rerun"),
        ),
        Column("review", pl.String, "why a person looks before it trains", nullable=True),
        Column("route", pl.String, "the part of the product", nullable=True),
        Column("user_cohort", pl.String, "the kind of user", nullable=True),
        Column("cluster_id", pl.String, "the failure cluster", nullable=True),
        Column("chosen_id", pl.String, "the trace of chosen; null if none holds it", nullable=True),
        Column("rejected_id", pl.String, "the trace of rejected", nullable=True),
        Column("annotators", TEXTS, "who preferred it, sorted"),
        Column("groups", TEXTS, "units of splitting of both answers, sorted; all on one side"),
        Column("split", pl.String, "10 % holdout by group, for life", values=PAIR_SPLITS),
    ),
)

REWARDS = Table(
    "rewards",
    1,
    ("trace_id",),
    (
        Column("trace_id", pl.String, "the answer's trace"),
        Column("prompt_class", pl.String, "as in pairs"),
        Column("prompt", pl.String, "what was asked, with its context"),
        Column("completion", pl.String, "what was answered"),
        Column("reward", pl.Float64, "weighted mean of the scores, [0, 1]"),
        Column("scores", _SCORES_OF_ANSWER, "what each rubric gave, by rubric"),
        Column("passes", pl.Boolean, "whether it passes every rubric"),
        Column("route", pl.String, "the part of the product", nullable=True),
        Column("group_id", pl.String, "unit of splitting"),
    ),
)

PREFERENCES = Table(
    "preferences",
    1,
    ("pair_id",),
    (
        Column("pair_id", pl.String, "a pair of the holdout"),
        Column("chosen", pl.Float64, "what the model gives chosen: log-likelihood or reward"),
        Column("rejected", pl.Float64, "what it gives rejected, on the same scale"),
    ),
)

ALL = (
    TRACES, FEEDBACK, TRACE_CONFLICTS, FEEDBACK_CONFLICTS, JOINED, DEBUG_ONLY, CLUSTERS, MEMBERS,
    LABELS, SCORES, OUTPUTS, CALLS, GOLDEN, VOTES, PAIRS, REWARDS,
    PREFERENCES,
)  # fmt: skip
