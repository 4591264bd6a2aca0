"""The recorded annotators: two who err now and then, and a senior who settles their disputes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gitloop.scenario.sayings import OVERLOOKED, OVERSTRICT, SOUND, WHY
from gitloop.scenario.truth import RUBRICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gitloop.scenario.generate import Scenario

GUIDANCE_VERSION = "2026-05"

_MANNER = re.compile(
    r"^(?:About [^:]*:|I have checked \S+ for you\.|This is what I see for [^:]*:) "
    r"| (?:Let me know if anything is unclear|I hope this helps)\.$"
)


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who labels.

    Attributes:
        name: As in `labels/<name>.jsonl`.
        role: "annotator" or "senior".
        error_rate: Share of verdicts they get wrong, in [0, 1].
        starts_at: When they begin, UTC.
    """

    name: str
    role: str
    error_rate: float
    starts_at: datetime


AMARA = Person("amara", "annotator", 0.06, datetime(2026, 5, 18, 8, tzinfo=UTC))
BO = Person("bo", "annotator", 0.09, datetime(2026, 5, 18, 13, tzinfo=UTC))
CHEN = Person("chen", "senior", 0.0, datetime(2026, 5, 20, 9, tzinfo=UTC))
PEOPLE = {person.name: person for person in (AMARA, BO, CHEN)}


def label(
    scenario: Scenario,
    trace_ids: Iterable[str],
    *,
    annotator: str,
    rubrics: Iterable[str] = tuple(RUBRICS),
    clusters: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """A person's labels: rows of LABELS, one per trace and rubric, in the order of label_id.

    Whether they err on an item depends on who and which item it is, not on the order.

    Args:
        scenario: The world that the traces come from.
        trace_ids: What they were shown; repeated ids count once.
        annotator: "amara", "bo" or "chen".
        rubrics: The rubrics they apply.
        clusters: trace_id → the cluster it was shown for.

    Raises:
        KeyError: Nobody of that name, or no such trace.
    """
    person = PEOPLE[annotator]
    wanted = list(rubrics)
    rows = [
        _row(scenario, person, trace_id, rubric) | {"cluster_id": (clusters or {}).get(trace_id)}
        for trace_id in dict.fromkeys(trace_ids)
        for rubric in wanted
    ]
    return sorted(rows, key=lambda row: str(row["label_id"]))


def disputed(*labels: list[dict[str, Any]]) -> list[str]:
    """The trace ids on which the given labels differ under some rubric, sorted."""
    verdicts: dict[tuple[str, str], set[str]] = {}
    for rows in labels:
        for row in rows:
            verdicts.setdefault((row["trace_id"], row["rubric"]), set()).add(row["label"])
    return sorted({trace_id for (trace_id, _), given in verdicts.items() if len(given) > 1})


def _row(scenario: Scenario, person: Person, trace_id: str, rubric: str) -> dict[str, Any]:
    true = scenario.truth[trace_id]
    right = true.verdict(rubric)
    draw = _draw(person.name, trace_id, rubric)
    errs = draw < person.error_rate
    given = {"pass": "fail", "fail": "pass"}[right] if errs else right
    said: tuple[str, ...] = SOUND
    if errs:
        said = OVERLOOKED if given == "pass" else OVERSTRICT
    elif given == "fail":
        said = (WHY[true.shape or true.accident or ""],)
    comment = said[int(draw * 10**6) % len(said)]
    minutes = int(_draw(person.name, trace_id, "time") * 30 * 60)
    return {
        "label_id": f"{person.name}-{trace_id[:16]}-{rubric}",
        "trace_id": trace_id,
        "item_kind": "trace",
        "rubric": rubric,
        "label": given,
        "score": 1.0 if given == "pass" else 0.0,
        "reference": _facts(scenario.references[trace_id]),
        "comment": comment or None,
        "annotator": person.name,
        "role": person.role,
        "guidance_version": GUIDANCE_VERSION,
        "created_at": person.starts_at + timedelta(minutes=minutes),
    }


def _facts(answer: str) -> str:
    """The answer without its manner: annotators write down what it should have said, not how."""
    return _MANNER.sub("", answer)


def _draw(*parts: str) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    digest = hashlib.sha256("/".join(parts).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
