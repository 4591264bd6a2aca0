"""Feedback that spans carry: OpenInference's annotations, gen_ai.evaluation, and eval.*.

OpenInference (spec/annotations.md): span, trace and session scope; inline on the target, or post
hoc on a carrier span whose link names the target; HUMAN, LLM or CODE. An existing score becomes an
event with its evaluator, label, rubric version and identifier in `metadata`, as it was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gitloop.digests import sha256
from gitloop.sources import cells
from gitloop.sources.aliases import Aliases
from gitloop.sources.otel import OtelSpan

_NUMBERED = re.compile(
    r"^(?:(trace|session)\.)?(?:annotations|evaluations)\.(\d{1,6})\.(?:annotation|evaluation)\.(\w+)$"
)
_EVALUATION = "gen_ai.evaluation."
_RESULT_EVENT = "gen_ai.evaluation.result"
_LEGACY = "eval."
_LEGACY_PARTS = ("reason", "latency_ms")
_THUMBS = {
    "thumbs_up": "thumbs_up", "thumbsup": "thumbs_up", "👍": "thumbs_up", "like": "thumbs_up",
    "thumbs_down": "thumbs_down", "thumbsdown": "thumbs_down", "👎": "thumbs_down",
    "dislike": "thumbs_down",
}  # fmt: skip
_SOURCES = {"HUMAN": "human", "LLM": "auto_grader", "CODE": "auto_grader"}


@dataclass(frozen=True, slots=True)
class Annotation:
    """One result about one target.

    Attributes:
        scope: "span", "trace" or "session".
        name: Criterion, such as "hallucination".
        score: Numeric result, on its own scale, or None.
        label: Categorical result, or None.
        explanation: Why, or None.
        kind: HUMAN, LLM, CODE, another word, or None.
        further: What else was said: identifier, rubric version, metadata.
    """

    scope: str
    name: str
    score: Any = None
    label: str | None = None
    explanation: str | None = None
    kind: str | None = None
    further: Mapping[str, Any] = field(default_factory=dict)


def event_rows(spans: Iterable[OtelSpan], aliases: Aliases) -> Iterator[tuple[int, dict[str, Any]]]:
    """The place and the row of FEEDBACK of every result that the spans carry.

    A result in both of OpenInference's forms, or on a span that came twice, counts once.
    """
    seen: set[str] = set()
    for span in spans:
        own = list(_annotations(span.attributes))
        told = [(span.ended_at or span.started_at, annotation) for annotation in own]
        for event in span.events:
            if event.name == _RESULT_EVENT:
                at = event.at or span.ended_at
                told += [(at, it) for it in _evaluation(event.attributes)]
        for at, annotation in told:
            for row in _rows(span, annotation, at, aliases):
                if row["feedback_id"] not in seen:
                    seen.add(row["feedback_id"])
                    yield span.place, row


def is_carrier(span: OtelSpan, aliases: Aliases) -> bool:
    """Whether the span is no part of an application's trace, but carries feedback about another."""
    has_links = any(trace_id != span.trace_id for trace_id, _ in span.links)
    is_about = aliases.kind(span.attributes) == "EVALUATOR" or has_links
    return is_about and next(_annotations(span.attributes), None) is not None


def event_row(
    annotation: Annotation, target: Mapping[str, str | None], at: datetime | None
) -> dict[str, Any]:
    """The annotation of a target as a row of FEEDBACK; its id follows from target and content.

    Args:
        annotation: What was said.
        target: trace_id, span_id and session_id, as far as they are meant.
        at: When; where the source does not say, a constant or the reader supplies it.
    """
    signal = _signal(annotation)
    metadata = {"rubric": annotation.name, "scope": annotation.scope, **annotation.further}
    if annotation.label is not None:
        metadata["label"] = annotation.label
    if annotation.kind is not None:
        metadata["annotator_kind"] = annotation.kind
    is_thumb = signal in ("thumbs_up", "thumbs_down")
    row: dict[str, Any] = {
        **target,
        "signal_type": signal,
        "value": None if is_thumb else annotation.score,
        "score_source": _source(annotation.kind),
        "comment": annotation.explanation,
        "created_at": at,
        "metadata": metadata,
    }
    identity = annotation.further.get("identifier")
    content = [identity] if identity else [annotation.score, annotation.label, annotation.kind]
    digest = sha256(
        cells.json_text(
            [annotation.scope, sorted(target.items(), key=str), annotation.name, content]
        )
    )
    return {"feedback_id": f"an_{digest[:32]}", **row}


def _rows(
    span: OtelSpan, annotation: Annotation, at: datetime | None, aliases: Aliases
) -> Iterator[dict[str, Any]]:
    """The annotation for the target it means: the linked span where there is one, else this one."""
    session_id = aliases.find("session_id", span.attributes)
    if annotation.scope == "session":
        yield event_row(annotation, {"trace_id": None, "session_id": session_id}, at)
        return
    trace_id, span_id = span.links[0] if span.links else (span.trace_id, span.span_id)
    target: dict[str, str | None] = {"trace_id": trace_id}
    if annotation.scope == "span":
        target["span_id"] = span_id
    row = event_row(annotation, target, at)
    if not span.links:
        row |= {
            name: aliases.find(name, span.attributes)
            for name in ("session_id", "route", "user_cohort", "prompt_version")
        }
    yield row


def _annotations(attributes: Mapping[str, Any]) -> Iterator[Annotation]:
    collected: dict[tuple[str, int], dict[str, Any]] = {}
    for name, value in attributes.items():
        if found := _NUMBERED.match(name):
            scope, number, part = found.groups()
            collected.setdefault((scope or "span", int(number)), {})[part] = value
    for (scope, _), parts in sorted(collected.items(), key=lambda item: item[0]):
        metadata = cells.mapping(parts.get("metadata")) or {}
        further = {**metadata}
        if "identifier" in parts:
            further["identifier"] = parts["identifier"]
        if parts.get("name"):
            yield Annotation(
                scope,
                str(parts["name"]),
                parts.get("score"),
                _text(parts.get("label")),
                _text(parts.get("explanation")),
                _text(parts.get("annotator_kind")),
                further,
            )
    yield from _evaluation(attributes)
    yield from _legacy(attributes)


def _evaluation(attributes: Mapping[str, Any]) -> Iterator[Annotation]:
    """OTel's gen_ai.evaluation.*, as attributes of a span or of its result event."""
    parts = {
        name.removeprefix(_EVALUATION): value
        for name, value in attributes.items()
        if name.startswith(_EVALUATION)
    }
    if not parts.get("name"):
        return
    used = {"name", "score.value", "score.label", "explanation"}
    yield Annotation(
        "span",
        str(parts["name"]),
        parts.get("score.value"),
        _text(parts.get("score.label")),
        _text(parts.get("explanation")),
        None,
        {name: value for name, value in parts.items() if name not in used},
    )


def _legacy(attributes: Mapping[str, Any]) -> Iterator[Annotation]:
    """The eval.<metric> of traceAI with eval.<metric>.reason, or eval.name with eval.score."""
    parts = {
        name.removeprefix(_LEGACY): value
        for name, value in attributes.items()
        if name.startswith(_LEGACY)
    }
    if parts.get("name"):
        label = _text(parts.get("label"))
        yield Annotation("span", str(parts["name"]), parts.get("score"), label)
        return
    for name in sorted(parts):
        metric, _, part = name.rpartition(".")
        if part in _LEGACY_PARTS and metric in parts:
            continue
        value = parts[name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        yield Annotation(
            "span",
            name,
            value if is_number else None,
            None if is_number else _text(value),
            _text(parts.get(f"{name}.reason")),
        )


def _signal(annotation: Annotation) -> str:
    for word in (annotation.label, annotation.name):
        thumb = _THUMBS.get(str(word).lower().replace("-", "_").replace(" ", "_"))
        if thumb and annotation.kind in (None, "HUMAN"):
            return thumb
    is_only_words = annotation.score is None and annotation.label is None
    return "comment" if is_only_words and annotation.explanation else "rubric_score"


def _source(kind: str | None) -> str | None:
    return None if kind is None else _SOURCES.get(kind.upper(), "api")


def _text(value: Any) -> str | None:  # noqa: ANN401 -- foreign data
    return None if value is None else cells.text(value)
