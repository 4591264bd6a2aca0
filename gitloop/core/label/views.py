"""What the page is sent: the questions, and one case with all that its annotator may see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from gitloop.core.label.answers import form_of
from gitloop.core.label.items import Given, Item, Session
from gitloop.digests import sha256_of
from gitloop.params import Section

PLACES = ("first", "second")
"""What the two texts of a pair are called: which of them is "a" differs from person to person."""

TYPED = ("label", "comment", "reference")


@dataclass(frozen=True, slots=True)
class Rules:
    """What annotators are told about a rubric.

    Attributes:
        name: The rubric.
        version: Its version, or None.
        description: One line.
        sections: Its guidance.
    """

    name: str
    version: str | None
    description: str
    sections: tuple[Section, ...]


def overview(session: Session, questions: Sequence[Item], rules: Sequence[Rules]) -> dict[str, Any]:
    """Who labels what by which rules, and every question in a line; nothing anybody said."""
    return {
        "annotator": session.annotator,
        "role": session.role,
        "guidance_version": session.guidance_version,
        "rules": {rule.name: asdict(rule) for rule in rules},
        "questions": [
            {
                "kind": item.case.kind,
                "id": item.case.item_id,
                "rubric": item.rubric,
                "cluster": item.case.cluster_name,
                "line": _line(item),
            }
            for item in questions
        ],
    }


def view(
    session: Session,
    item: Item,
    *,
    seed: int,
    own: Mapping[str, Any] | None,
    draft: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """One question as its annotator sees it.

    Args:
        session: Who labels.
        item: The question.
        seed: Of the order of a pair's texts.
        own: Their label in force, a row of `tables.LABELS`, or None.
        draft: What they typed and did not save, or None.
    """
    case = item.case
    form = form_of(session, item)
    is_turned = turned(session, item, seed)
    shown = {}
    if case.kind == "pair":
        shown = {label: place for place, label in _places(is_turned=is_turned).items()}
    texts = [case.output] if case.kind != "pair" else [case.output, case.rival]
    choices = list(form.choices)
    if case.kind == "pair":
        choices = [*PLACES, "tie"]
    return {
        "kind": case.kind,
        "id": case.item_id,
        "title": case.title,
        "rubric": item.rubric,
        "route": case.route,
        "user_cohort": case.user_cohort,
        "cluster": case.cluster_name,
        "passages": [asdict(passage) for passage in case.passages],
        "texts": texts[::-1] if is_turned else texts,
        "form": form.model_dump(exclude={"scores"}) | {"choices": choices},
        "own": None if own is None else _said(own, shown),
        "draft": None if draft is None else dict(draft),
        "revision": revision(own),
        "opinions": [
            asdict(opinion) | {"label": shown.get(opinion.label, opinion.label)}
            for opinion in item.opinions
        ],
    }


def given(session: Session, item: Item, values: Mapping[str, Any], *, seed: int) -> Given:
    """The answer that the page sent.

    Raises:
        ValueError: It is no answer; the text says why.
    """
    texts = {name: values.get(name) or "" for name in TYPED}
    cited = values.get("sections") or []
    wrong = [name for name, text in texts.items() if not isinstance(text, str)]
    if wrong or not isinstance(cited, list) or not all(isinstance(name, str) for name in cited):
        raise ValueError(f"{', '.join(wrong) or 'sections'} cannot be read")
    if not texts["label"].strip():
        raise ValueError("nothing is chosen yet")
    label = texts["label"]
    if item.case.kind == "pair":
        label = _places(is_turned=turned(session, item, seed)).get(label, label)
    return Given(
        label=label,
        comment=texts["comment"].strip() or None,
        reference=texts["reference"] if texts["reference"].strip() else None,
        sections=tuple(cited),
    )


def turned(session: Session, item: Item, seed: int) -> bool:
    """Whether this person is shown a pair's second text first: a coin per person and pair."""
    if item.case.kind != "pair":
        return False
    coin = {"annotator": session.annotator, "pair": item.case.item_id, "seed": seed}
    return int(sha256_of(coin)[:8], 16) % 2 == 1


def revision(own: Mapping[str, Any] | None) -> str:
    """What tells one label in force from the next: "" before there is one."""
    if own is None:
        return ""
    content = {name: value for name, value in own.items() if name != "created_at"}
    return sha256_of(content | {"at": _time(own["created_at"])})[:16]


def _said(own: Mapping[str, Any], shown: Mapping[str, str]) -> dict[str, Any]:
    return {
        "label": shown.get(own["label"], own["label"]),
        "comment": own["comment"],
        "reference": own["reference"],
        "sections": own["sections"] or [],
        "created_at": _time(own["created_at"]),
    }


def _places(*, is_turned: bool) -> dict[str, str]:
    """What is shown → what it stands for."""
    return dict(zip(PLACES, ("b", "a") if is_turned else ("a", "b"), strict=True))


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _line(item: Item) -> str:
    """The question in a line, for the list."""
    texts = [passage.text for passage in item.case.passages if passage.name == "user"]
    text = " ".join((item.case.title or next(iter(texts), "") or item.case.output or "").split())
    return text if len(text) <= 90 else f"{text[:89]}…"
