"""Metrics of structured outputs: json, json_schema, fields, tool_calls."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError
from rapidfuzz.distance import LCSseq

from gitloop.arguments import Argument
from gitloop.judges.metrics.metric import (
    Fields,
    Metric,
    Scorer,
    each,
    graded,
    quoted,
    unjudgeable,
    verdict,
)
from gitloop.records import Judgement

_FENCE = re.compile(r"^\s*```(?:json)?[ \t]*\n(.*?)\n\s*```\s*$", re.DOTALL | re.IGNORECASE)
_KINDS: dict[str, type | tuple[type, ...]] = {"any": object, "object": dict, "array": list}
_FENCED = Argument("flag", "whether a Markdown fence around the JSON is let pass", default=False)

Calls = list[tuple[str, dict[str, Any]]]
"""Name and arguments of each tool call, in order."""


def load(text: str, *, fenced: bool = False) -> Any:  # noqa: ANN401 -- JSON holds anything
    """The JSON value that a text is.

    Raises:
        ValueError: It is none, or uses NaN or Infinity, which JSON does not have.
    """
    inner = _FENCE.match(text) if fenced else None
    try:
        return json.loads(inner[1] if inner else text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _make_json(arguments: Mapping[str, Any]) -> Scorer:
    def score(fields: Fields) -> Judgement:
        try:
            value = load(fields["output"], fenced=arguments["fenced"])
        except ValueError as error:
            return verdict(passes=False, reason=f"not JSON: {error}")
        fits = isinstance(value, _KINDS[arguments["kind"]])
        return verdict(passes=fits, reason="" if fits else f"not an {arguments['kind']}")

    return each(score)


JSON = Metric(
    name="json",
    doc="the output is JSON",
    needs=("output",),
    returns="0 or 1",
    make=_make_json,
    arguments={
        "kind": Argument("text", "any, object or array", default="any", choices=tuple(_KINDS)),
        "fenced": _FENCED,
    },
)


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    """A validator that visits no address: a reference must point into the schema itself.

    Raises:
        ValueError: The schema is not valid, or refers to what it does not hold.
    """
    try:
        return Draft202012Validator(dict(schema), offline=True)
    except ValidationError as error:
        where = "/".join(str(part) for part in error.instance_path)
        raise ValueError(f"schema is not valid at /{where}: {error.message}") from error


def faults(checked_by: Draft202012Validator, value: Any) -> list[str]:  # noqa: ANN401 -- JSON
    """Where a value breaks the schema, in order of place; [] where it does not."""
    try:
        if checked_by.is_valid(value):
            return []
        found = [
            (list(map(str, fault.instance_path)), fault) for fault in checked_by.iter_errors(value)
        ]
    except UnicodeEncodeError:
        return ["/: it holds half of a surrogate pair, which no text has"]
    found.sort(key=lambda placed: placed[0])
    return [f"/{'/'.join(at)}: {fault.message[:120]}" for at, fault in found]


def _make_json_schema(arguments: Mapping[str, Any]) -> Scorer:
    checked_by = validator(arguments["schema"])

    def score(fields: Fields) -> Judgement:
        try:
            value = load(fields["output"], fenced=arguments["fenced"])
        except ValueError as error:
            return verdict(passes=False, reason=f"not JSON: {error}")
        told = faults(checked_by, value)
        return verdict(passes=not told, reason="; ".join(told[:5]))

    return each(score)


JSON_SCHEMA = Metric(
    name="json_schema",
    doc="the output is JSON that fits a schema (2020-12)",
    needs=("output",),
    returns="0 or 1",
    make=_make_json_schema,
    arguments={"schema": Argument("mapping", "the JSON schema"), "fenced": _FENCED},
)


def _make_fields(arguments: Mapping[str, Any]) -> Scorer:
    required = list(dict.fromkeys(arguments["required"]))

    def score(fields: Fields) -> Judgement:
        try:
            value = load(fields["output"], fenced=arguments["fenced"])
        except ValueError as error:
            return verdict(passes=False, reason=f"not JSON: {error}")
        absent = [path for path in required if not _has(value, path.split("."))]
        told = f"absent or empty: {quoted(absent)}" if absent else ""
        return graded(1 - len(absent) / len(required), told)

    return each(score)


def _has(value: Any, path: Sequence[str]) -> bool:  # noqa: ANN401 -- JSON holds anything
    """Whether the path leads to something that is not null, blank or empty."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return value not in (None, [], {}) and not (isinstance(value, str) and not value.strip())


FIELDS = Metric(
    name="fields",
    doc="the share of the required fields that the output's JSON object fills",
    needs=("output",),
    returns="0 to 1",
    make=_make_fields,
    arguments={
        "required": Argument("words", "fields, as a or a.b", low=1),
        "fenced": _FENCED,
    },
)


def tool_calls(text: str) -> Calls:
    """The tool calls in a JSON text: a list of {name, arguments}, or OpenAI's `tool_calls`.

    Raises:
        ValueError: It is neither.
    """
    value = load(text, fenced=True)
    if isinstance(value, dict):
        value = value.get("tool_calls", [value])
    if not isinstance(value, list):
        raise ValueError("it is no list of tool calls")  # noqa: TRY004 -- a value at fault, not a program
    return [_tool_call(call) for call in value]


def _tool_call(call: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401 -- JSON holds anything
    inner = call.get("function", call) if isinstance(call, dict) else None
    if isinstance(inner, str):
        inner = {**call, "name": inner}
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise ValueError("a tool call has no name")  # noqa: TRY004 -- a value at fault, not a program
    arguments = inner.get("arguments", {})
    if isinstance(arguments, str):
        arguments = load(arguments) if arguments.strip() else {}
    if not isinstance(arguments, dict):
        raise ValueError(f"the arguments of {inner['name']} are no object")  # noqa: TRY004 -- a value at fault, not a program
    return inner["name"], arguments


def _by_names(said: Calls, wanted: Calls) -> float:
    own, other = Counter(name for name, _ in said), Counter(name for name, _ in wanted)
    shared = sum((own & other).values())
    return 2 * shared / (len(said) + len(wanted))


def _by_order(said: Calls, wanted: Calls) -> float:
    names = [name for name, _ in said], [name for name, _ in wanted]
    return LCSseq.similarity(*names) / max(len(said), len(wanted))


def _by_arguments(said: Calls, wanted: Calls) -> float:
    """The share of expected arguments that the nth call of the same name gives, to the value."""
    queues: dict[str, list[dict[str, Any]]] = {}
    for name, arguments in said:
        queues.setdefault(name, []).append(arguments)
    right = total = 0
    for name, expected in wanted:
        given = queues[name].pop(0) if queues.get(name) else None
        keys = expected.keys() | (given or {}).keys()
        total += len(keys) + 1
        if given is not None:
            right += 1 + sum(_same(given, expected, key) for key in keys)
    extra = sum(len(arguments) + 1 for left in queues.values() for arguments in left)
    return right / (total + extra)


def _same(given: Mapping[str, Any], expected: Mapping[str, Any], key: str) -> bool:
    return key in given and key in expected and _plain(given[key]) == _plain(expected[key])


def _plain(value: Any) -> str:  # noqa: ANN401 -- JSON holds anything
    """The value as text: 1 and 1.0 are equal, true and 1 are not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)


def _by_exact(said: Calls, wanted: Calls) -> float:
    return float(_by_arguments(said, wanted) == 1 and _by_order(said, wanted) == 1)


_BY: dict[str, Callable[[Calls, Calls], float]] = {
    "exact": _by_exact,
    "names": _by_names,
    "order": _by_order,
    "arguments": _by_arguments,
}


def _make_tool_calls(arguments: Mapping[str, Any]) -> Scorer:
    measure = _BY[arguments["by"]]

    def score(fields: Fields) -> Judgement:
        try:
            wanted = tool_calls(fields["reference"])
        except ValueError as error:
            return unjudgeable(f"the reference holds no tool calls: {error}")
        try:
            said = tool_calls(fields["output"]) if fields["output"].strip() else []
        except ValueError as error:
            return verdict(passes=False, reason=f"no tool calls: {error}")
        if not said or not wanted:
            same = not said and not wanted
            return verdict(passes=same, reason="" if same else _called(said, wanted))
        found = graded(measure(said, wanted))
        return found if found.score == 1 else graded(found.score or 0.0, _called(said, wanted))

    return each(score)


def _called(said: Calls, wanted: Calls) -> str:
    names = [" → ".join(name for name, _ in calls) or "nothing" for calls in (said, wanted)]
    return f"called {names[0]}; expected {names[1]}"


TOOL_CALLS = Metric(
    name="tool_calls",
    doc="the output's tool calls are the reference's",
    needs=("output", "reference"),
    returns="0 to 1",
    make=_make_tool_calls,
    arguments={
        "by": Argument(
            "text",
            "exact (names, order and arguments), names (F1), order (longest common subsequence"
            " of names) or arguments (share that is given to the value)",
            default="exact",
            choices=tuple(_BY),
        )
    },
)


def _make_tool_schema(arguments: Mapping[str, Any]) -> Scorer:
    known = {}
    for name, schema in arguments["tools"].items():
        if not isinstance(schema, dict):
            raise ValueError(f"tools.{name} is no JSON schema")  # noqa: TRY004 -- a value at fault, not a program
        try:
            known[name] = validator(schema)
        except ValueError as error:
            raise ValueError(f"tools.{name}: {error}") from error

    def score(fields: Fields) -> Judgement:
        try:
            said = tool_calls(fields["output"])
        except ValueError as error:
            return verdict(passes=False, reason=f"no tool calls: {error}")
        told = [f"there is no tool {name}" for name, _ in said if name not in known]
        for name, given in said:
            told += (
                [f"{name}{fault}" for fault in faults(known[name], given)] if name in known else []
            )
        return verdict(passes=not told, reason="; ".join(told[:5]))

    return each(score)


TOOL_SCHEMA = Metric(
    name="tool_schema",
    doc="the output calls only tools that exist, with arguments that fit their schemas",
    needs=("output",),
    returns="0 or 1",
    make=_make_tool_schema,
    arguments={"tools": Argument("mapping", "tool name → JSON schema of its arguments")},
)
