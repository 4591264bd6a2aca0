"""What a model may answer, and the verdict in what it did answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gitloop.arguments import Argument
from gitloop.errors import ConfigError
from gitloop.judges.openai.guards import GUARDS
from gitloop.params import Rubric
from gitloop.records import Judgement

FORM = {
    "instructions": Argument(
        "text", "the criterion, in words for the model; a guard needs none", default=""
    ),
    "shape": Argument(
        "text",
        "pointwise, or pairwise: the output against the row's reference, in both orders",
        default="pointwise",
        choices=("pointwise", "pairwise"),
    ),
    "guard": Argument(
        "text", "preset of a guardrail model", default=None, choices=GUARDS, is_nullable=True
    ),
    "of": Argument(
        "text", "which text a guard judges", default="output", choices=("output", "input")
    ),
    "risk": Argument("text", "what Granite Guardian looks for", default="harm"),
    "policy": Argument(
        "text", "what ShieldGemma or Granite Guardian is told is not allowed", default=""
    ),
    "verdicts": Argument(
        "mapping",
        "verdict → score in [0, 1]; by default pass and fail, or a number if scale is continuous",
        default={},
    ),
    "show": Argument(
        "words",
        "fields of the row that the model sees",
        default=("input", "context", "reference", "output"),
    ),
}
"""What `scorer.openai` of a rubric may say."""

_FIELDS = ("input", "context", "reference", "output")
_LAST_LINE = re.compile(r"(?im)^\W*(verdict|score)\W*[:=]\W*([\w.+-][\w .+-]*?)\W*$")
_MOST_BRACES = 64


@dataclass(frozen=True, slots=True)
class Form:
    """How a rubric is put to a model.

    Attributes:
        name: The rubric's name.
        instructions: The criterion.
        verdicts: Verdict → score in [0, 1]; empty where the model gives a number.
        show: Fields of the row that it sees, in order.
    """

    name: str
    instructions: str
    verdicts: Mapping[str, float]
    show: tuple[str, ...]

    @property
    def key(self) -> str:
        """The key that holds the decision in an answer."""
        return "verdict" if self.verdicts else "score"

    @property
    def shape(self) -> str:
        """What an answer looks like, in words for the model."""
        if not self.verdicts:
            return '{"reason": "why, in one or two sentences", "score": a number from 0 to 1}'
        wanted = " or ".join(json.dumps(name, ensure_ascii=False) for name in self.verdicts)
        return f'{{"reason": "why, in one or two sentences", "verdict": {wanted}}}'


def form_of(rubric: Rubric, given: Mapping[str, Any], where: str) -> Form:
    """The form in a rubric's checked arguments.

    Raises:
        ConfigError: A verdict's score is none, an ordinal rubric names no verdicts, or a field is
            unknown.
    """
    faults = []
    if not given["instructions"].strip():
        faults.append(f"{where}.instructions is missing: the criterion, in words for the model")
    for name, score in given["verdicts"].items():
        is_number = isinstance(score, int | float) and not isinstance(score, bool)
        if not is_number or not 0 <= score <= 1:
            faults.append(f"{where}.verdicts.{name} is {score!r}, not a number in [0, 1]")
    if rubric.scale == "ordinal" and not given["verdicts"]:
        faults.append(f"{where}.verdicts is missing: an ordinal rubric names its grades")
    if len({_folded(name) for name in given["verdicts"]}) < len(given["verdicts"]):
        faults.append(f"{where}.verdicts holds two names that differ in case only")
    faults += [
        f"{where}.show holds {name}, not one of {', '.join(_FIELDS)}"
        for name in given["show"]
        if name not in _FIELDS
    ]
    if "output" not in given["show"]:
        faults.append(f"{where}.show leaves out the output")
    if faults:
        raise ConfigError("\n".join(faults), hint=f"edit rubrics/{rubric.name}.yaml")
    verdicts = {str(name): float(score) for name, score in given["verdicts"].items()}
    if not verdicts and rubric.scale == "binary":
        verdicts = {"pass": 1.0, "fail": 0.0}
    return Form(rubric.name, given["instructions"], verdicts, tuple(given["show"]))


def schema(form: Form) -> dict[str, Any]:
    """The JSON schema of an answer: the reason comes first, so that it is thought of first."""
    decision: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}
    if form.verdicts:
        decision = {"type": "string", "enum": list(form.verdicts)}
    return {
        "type": "object",
        "properties": {"reason": {"type": "string"}, form.key: decision},
        "required": ["reason", form.key],
        "additionalProperties": False,
    }


def verdict(form: Form, text: str) -> Judgement:
    """The judgement in an answer: its JSON, or the last verdict that it states.

    Raises:
        ValueError: It states none, or one that is no verdict of the form.
    """
    for found in _objects(text):
        if form.key in found:
            reason = found.get("reason")
            return _judgement(form, found[form.key], reason if isinstance(reason, str) else "")
    lines = [value for key, value in _LAST_LINE.findall(text) if key.lower() == form.key]
    if lines:
        return _judgement(form, lines[-1], "")
    shown = " ".join(text.split())[:80]
    raise ValueError(f"the judge's answer states no {form.key}: {shown!r}")


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text: the whole of it first, then from its end."""
    decoder = json.JSONDecoder()
    starts = [match.start() for match in re.finditer(r"\{", text)][-_MOST_BRACES:]
    for start in [*([0] if text.lstrip().startswith("{") else []), *reversed(starts)]:
        try:
            found, _ = decoder.raw_decode(text[start:].lstrip())
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def _judgement(form: Form, said: Any, reason: str) -> Judgement:  # noqa: ANN401 -- JSON holds anything
    if form.verdicts:
        known = {_folded(name): score for name, score in form.verdicts.items()}
        if not isinstance(said, str | int | float) or _folded(str(said)) not in known:
            wanted = ", ".join(form.verdicts)
            raise ValueError(f"the judge's verdict is {said!r}, not one of {wanted}")
        return Judgement("ok", known[_folded(str(said))], reason)
    try:
        score = float(said) if isinstance(said, str | int | float) else None
    except (ValueError, OverflowError):
        score = None
    if score is None or isinstance(said, bool) or not 0 <= score <= 1:
        raise ValueError(f"the judge's score is {said!r}, not a number in [0, 1]")
    return Judgement("ok", score, reason)


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
