"""Recorded calls: what they were, what they cost, and how the answers of two times differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

_SHOWN = 120
"""Characters of an answer that a change shows."""


@dataclass(frozen=True, slots=True)
class CallTotals:
    """What some recorded calls come to.

    Attributes:
        n: Calls.
        kinds: "judge", "target", … → calls; empty where nobody recorded the kind.
        models: Model that answered → calls; python and local calls name none.
        n_input_tokens: Tokens read.
        n_output_tokens: Tokens written.
        cost_usd: US dollars, as far as prices were known.
    """

    n: int
    kinds: Mapping[str, int]
    models: Mapping[str, int]
    n_input_tokens: int
    n_output_tokens: int
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Change:
    """One request with two answers.

    Attributes:
        call_id: Its key.
        kind: What was called.
        of: Whose call it was: the judge's rubric, or the model, or "".
        before: What was decided, or the beginning of the answer.
        after: The same now.
        delta: Change of the score, where both answers hold one.
    """

    call_id: str
    kind: str
    of: str
    before: str
    after: str
    delta: float | None


@dataclass(frozen=True, slots=True)
class Drift:
    """How often the same request has another answer.

    Attributes:
        n: Requests with two answers.
        n_failed: Those whose second call failed; the first answer stays in force.
        n_reworded: Those whose words differ and whose decision does not.
        n_changed: Those that were decided differently.
        change_rate: `n_changed` over the requests that were answered twice, or None.
        mean_delta: Mean change of the scores, where both answers hold one, or None.
        changes: Those that were decided differently, by key.
    """

    n: int
    n_failed: int
    n_reworded: int
    n_changed: int
    change_rate: float | None
    mean_delta: float | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class CallsDiff:
    """What two tables of calls have in common.

    Attributes:
        n_before: Calls of the first.
        n_after: Calls of the second.
        n_gone: Calls that only the first has.
        n_new: Calls that only the second has.
        drift: Calls of both, as far as their answers differ.
    """

    n_before: int
    n_after: int
    n_gone: int
    n_new: int
    drift: Drift


Twice = tuple[str, str, str, str, str]
"""Key, kind, canonical request, response before and after, each JSON."""


def totals(responses: Iterable[str], kinds: Iterable[str] = ()) -> CallTotals:
    """What the calls with these responses (JSON) come to."""
    models: Counter[str] = Counter()
    n = n_input = n_output = 0
    cost = 0.0
    for response in responses:
        answer = json.loads(response)
        value = answer.get("value") or {}
        n += 1
        n_input += int(value.get("n_input_tokens") or 0)
        n_output += int(value.get("n_output_tokens") or 0)
        cost += float(answer.get("cost_usd") or 0.0)
        if value.get("model"):
            models[str(value["model"])] += 1
    return CallTotals(
        n=n,
        kinds=dict(sorted(Counter(kinds).items())),
        models=dict(sorted(models.items())),
        n_input_tokens=n_input,
        n_output_tokens=n_output,
        cost_usd=round(cost, 6),
    )


def drift(twice: Sequence[Twice]) -> Drift:
    """How the second answers differ from the first, in order of the keys."""
    n_failed = n_reworded = 0
    changes, deltas = [], []
    for key, kind, request, before, after in sorted(twice):
        first, second = json.loads(before), json.loads(after)
        if second.get("status") != "ok":
            n_failed += 1
            continue
        one, two = _decision(first), _decision(second)
        delta = two[1] - one[1] if one[1] is not None and two[1] is not None else None
        if delta is not None:
            deltas.append(delta)
        if one == two:
            n_reworded += first.get("value") != second.get("value")
            continue
        shown = None if delta is None else round(delta, 6)
        changes.append(Change(key, kind, _owner(request), one[0], two[0], shown))
    answered = len(twice) - n_failed
    return Drift(
        n=len(twice),
        n_failed=n_failed,
        n_reworded=n_reworded,
        n_changed=len(changes),
        change_rate=round(len(changes) / answered, 6) if answered else None,
        mean_delta=round(sum(sorted(deltas)) / len(deltas), 6) if deltas else None,
        changes=tuple(changes),
    )


def diff(before: pl.DataFrame, after: pl.DataFrame) -> CallsDiff:
    """What two tables of calls, both fitting `tables.CALLS`, have in common."""
    both = before.join(after, on="call_id", how="inner", suffix="_after")
    differ = both.filter(pl.col("response") != pl.col("response_after"))
    columns = ("call_id", "kind", "request", "response", "response_after")
    return CallsDiff(
        n_before=before.height,
        n_after=after.height,
        n_gone=before.height - both.height,
        n_new=after.height - both.height,
        drift=drift(list(differ.select(columns).iter_rows())),
    )


def _decision(answer: Mapping[str, Any]) -> tuple[str, float | None]:
    """What an answer decides, in words, and its score if it holds one."""
    value = answer.get("value") or {}
    if "score" in value:
        score = value["score"]
        return f"{score}", float(score) if isinstance(score, int | float) else None
    text = value.get("text", value.get("output", value))
    said = _object(text)
    if "verdict" in said:
        return str(said["verdict"]), None
    score = said.get("score")
    if isinstance(score, int | float) and not isinstance(score, bool):
        return f"{score:g}", float(score)
    words = " ".join((text if isinstance(text, str) else json.dumps(text, sort_keys=True)).split())
    return words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…", None


def _object(text: Any) -> Mapping[str, Any]:  # noqa: ANN401 -- JSON holds anything
    """The JSON object that a text is, or nothing."""
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {}


def _owner(request: str) -> str:
    """The rubric that a call was made for, or the model, or ""."""
    asked = json.loads(request)
    rubric = asked.get("rubric")
    if isinstance(rubric, dict) and rubric.get("name"):
        return str(rubric["name"])
    return str(asked.get("model") or asked.get("callable") or "")
