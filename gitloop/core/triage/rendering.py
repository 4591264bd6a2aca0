"""A brief as the values of its file: what is said, and the words that each sentence rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from gitloop.core.triage.records import SCORES, Claim, Evidence, Findings, Lift, Quote

SCHEMA = "gitloop.brief/v1"
EXTRACTIVE = "extractive/1"
UNREAD = "no model read these traces: what only a reader could judge is null, the scores above all"
_MOST_CAUSES = 3


def brief(evidence: Evidence, findings: Findings | None, inputs_sha256: str) -> dict[str, Any]:
    """The brief of a cluster.

    Without findings it is extractive: every sentence of it is a count, or stands in a trace or in
    a user's words. With findings, what stands of the agent's claims comes first.

    Args:
        evidence: What the data say.
        findings: What models made of it, checked; None without a model.
        inputs_sha256: Digest of what the brief was made from.
    """
    kept = findings.kept if findings else ()
    by_field: dict[str, list[Claim]] = {}
    for claim in kept:
        by_field.setdefault(claim.field, []).append(claim)
    first = {name: claims[0] for name, claims in by_field.items()}
    severity = first.get("severity")
    fix = first.get("immediate_fix")
    causes = [_cited(claim) for claim in by_field.get("root_cause", [])]
    return {
        "schema": SCHEMA,
        "cluster_id": evidence.cluster_id,
        "name": first["name"].text if "name" in first else evidence.name,
        "made_by": _makers(findings),
        "n_failures": evidence.n_failures,
        "weight_share": evidence.weight_share,
        "severity": {"level": severity.value if severity else evidence.severity}
        | (_cited(severity) if severity else {"text": _share(evidence)}),
        "root_cause": causes or _extracted_causes(evidence),
        "immediate_fix": fix.text if fix else _extracted_fix(evidence),
        "immediate_fix_rests_on": _source(fix) if fix else _correction(evidence),
        "quick_fix": _cited(first["quick_fix"]) if "quick_fix" in first else None,
        "long_term": _cited(first["long_term"]) if "long_term" in first else None,
        "scores": {name: _score(first.get(name)) for name in SCORES},
        "affected": {
            name: [asdict(one) for one in found] for name, found in evidence.affected.items()
        },
        "comments": [asdict(quote) for quote in evidence.comments],
        "corrections": [asdict(quote) for quote in evidence.corrections],
        "contrast": [{**asdict(one.lift), "quote": asdict(one.quote)} for one in evidence.contrast],
        "claims": _counts(findings),
        "spent": asdict(findings.spent) if findings else None,
        "inputs_sha256": inputs_sha256,
    }


def _makers(findings: Findings | None) -> dict[str, str]:
    if findings is None:
        return {"method": EXTRACTIVE, "note": UNREAD}
    stopped = {"stopped": findings.stopped} if findings.stopped else {}
    return {"method": "agent/1", **findings.models, **stopped}


def _cited(claim: Claim) -> dict[str, str]:
    return {"text": claim.text, **_source(claim)}


def _source(claim: Claim) -> dict[str, str]:
    return {"trace_id": claim.trace_id, "span_id": claim.span_id, "quote": claim.quote}


def _score(claim: Claim | None) -> dict[str, Any] | None:
    return None if claim is None else {"score": int(claim.value), **_cited(claim)}


def _share(evidence: Evidence) -> str:
    return (
        f"{evidence.n_failures} failures with {evidence.weight_share:.1%} of the weight of all"
        f" failures, on {evidence.n_traces} traces in all"
    )


def _extracted_causes(evidence: Evidence) -> list[dict[str, str]]:
    """What users say, and what these traces hold and passing ones do not."""
    said = [_quoted("Users say", quote) for quote in evidence.comments[:_MOST_CAUSES]]
    contrast = [
        {
            "text": f'"{one.lift.value}" stands in {_of(one.lift)} traces that passed',
            "trace_id": one.quote.trace_id,
            "span_id": one.quote.span_id,
            "quote": one.quote.text,
        }
        for one in evidence.contrast[:_MOST_CAUSES]
    ]
    return said + contrast


def _of(lift: Lift) -> str:
    return f"{lift.n} of {lift.n_of} of these traces, and in {lift.n_else} of {lift.n_else_of}"


def _quoted(head: str, quote: Quote) -> dict[str, str]:
    return {
        "text": f'{head}: "{quote.text}"',
        "trace_id": quote.trace_id,
        "span_id": quote.span_id,
        "quote": quote.text,
    }


def _extracted_fix(evidence: Evidence) -> str | None:
    found = evidence.corrections
    return f'A user corrected it to: "{found[0].text}"' if found else None


def _correction(evidence: Evidence) -> dict[str, str] | None:
    if not evidence.corrections:
        return None
    found = evidence.corrections[0]
    return {"trace_id": found.trace_id, "span_id": found.span_id, "quote": found.text}


def _counts(findings: Findings | None) -> dict[str, Any]:
    """How many claims were made, and why some were struck."""
    if findings is None:
        return {"n_made": 0, "n_struck": 0, "struck": {}}
    reasons = Counter(struck.reason for struck in findings.struck)
    return {
        "n_made": len(findings.kept) + len(findings.struck),
        "n_struck": len(findings.struck),
        "struck": dict(sorted(reasons.items())),
    }


def unverified(value: Mapping[str, Any], holds: Callable[[str, str, str], bool]) -> list[str]:
    """The quotes of a brief that do not stand in the span they cite, each with its place.

    Args:
        value: A brief, as its file holds it.
        holds: (trace_id, span_id, quote) → whether it does.
    """
    return [
        f"{found['trace_id']} [{found['span_id']}] {found['quote']!r}"
        for found in _citations(value)
        if not holds(found["trace_id"], found["span_id"], found["quote"])
    ]


def _citations(value: object) -> Iterable[dict[str, str]]:
    """Every mapping below a value that cites a span."""
    if isinstance(value, Mapping):
        if isinstance(value.get("quote"), str) and "span_id" in value and "trace_id" in value:
            yield {name: str(value[name]) for name in ("trace_id", "span_id", "quote")}
        for item in value.values():
            yield from _citations(item)
    elif isinstance(value, list):
        for item in value:
            yield from _citations(item)
