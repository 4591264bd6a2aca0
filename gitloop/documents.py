"""YAML documents that remember where each key stands, so that an error can name the line.

Read by libyaml, whose import and speed every command feels, with the scalars of YAML 1.2 as DVC
reads them: `1e-3` is a number and `on` is a word. Dates stay text, because a version such as
2026-05-01 must never turn into one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gitloop.errors import ConfigError

Path = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_NULL, _BOOL, _INT, _FLOAT, _MERGE = (
    _TAG + name for name in ("null", "bool", "int", "float", "merge")
)


class _Reader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Composes nodes; its scalars are those of YAML 1.2, and no others."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- PyYAML's own attribute


_DIGITS, _EXPONENT = "[0-9][0-9_]*", "[eE][-+]?[0-9]+"
_FLOATS = (
    rf"[-+]?{_DIGITS}\.[0-9_]*({_EXPONENT})?",
    rf"[-+]?{_DIGITS}{_EXPONENT}",
    rf"[-+]?\.{_DIGITS}({_EXPONENT})?",
    r"[-+]?\.(inf|Inf|INF)",
    r"\.(nan|NaN|NAN)",
)
for _tag, _pattern, _first in (
    (_NULL, "~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_BOOL, "true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_INT, rf"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|{_DIGITS})", list("-+0123456789")),
    (_FLOAT, "|".join(_FLOATS), list("-+.0123456789")),
    (_MERGE, "<<", ["<"]),
):
    _Reader.add_implicit_resolver(_tag, re.compile(rf"({_pattern})\Z"), _first)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed YAML file.

    Attributes:
        source: The file, relative to the repository.
        value: Plain dicts, lists, str, int, float, bool and None.
    """

    source: str
    value: Any
    _tree: Node | None = field(repr=False)

    def line(self, path: Path) -> int:
        """The 1-based line of the key or item at `path`, or of its nearest parent that has one."""
        node, line = self._tree, 1
        for key in path:
            if isinstance(node, MappingNode):
                found = next((pair for pair in node.value if pair[0].value == key), None)
                if found is None:
                    return line
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
                node = node.value[key]
                line = node.start_mark.line + 1
            else:
                return line
        return line


class _YamlError(Exception):
    """What is wrong with a document, and on which line, from 0."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.problem, self.line = problem, line


def parse(text: str, *, source: str) -> Document:
    """The document in `text`.

    Raises:
        ConfigError: The text is not YAML, or a key stands in it twice; the line is named.
    """
    try:
        tree = _compose(text)
        return Document(source=source, value=_value(tree, ()) if tree else None, _tree=tree)
    except _YamlError as error:
        line = error.line + 1
        raise ConfigError(
            f"{source}:{line}: not valid YAML: {error.problem}",
            hint=f"edit {source}, line {line}",
        ) from error


def _compose(text: str) -> Node | None:
    try:
        tree: Node | None = yaml.compose(text, Loader=_Reader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _YamlError(
            error.problem or "it cannot be parsed", mark.line if mark else 0
        ) from error
    except yaml.YAMLError as error:
        raise _YamlError(" ".join(str(error).split()), 0) from error
    return tree


def _value(node: Node, parents: tuple[Node, ...]) -> Any:  # noqa: ANN401 -- YAML holds anything
    """The node as plain Python values, with no trace of its formatting.

    Args:
        node: The node.
        parents: The nodes that it stands in.
    """
    if isinstance(node, ScalarNode):
        return _scalar_value(node)
    if any(node is parent for parent in parents):
        raise _YamlError("an alias stands inside its own anchor", node.start_mark.line)
    inside = (*parents, node)
    if isinstance(node, SequenceNode):
        return [_value(item, inside) for item in node.value]
    found: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag == _MERGE:
            merged = {**_merged(value_node, inside), **merged}
            continue
        key = _key(_value(key_node, inside))
        if key in found:
            raise _YamlError(f'found duplicate key "{key}"', key_node.start_mark.line)
        found[key] = _value(value_node, inside)
    return {**merged, **found}


def _merged(node: Node, parents: tuple[Node, ...]) -> dict[str, Any]:
    """What `<<: *anchor`, or a list of such, brings into a mapping; the first of a list wins."""
    value = _value(node, parents)
    given = value if isinstance(value, list) else [value]
    if not all(isinstance(one, dict) for one in given):
        raise _YamlError("<< takes a mapping, or a list of mappings", node.start_mark.line)
    return {key: item for one in reversed(given) for key, item in one.items()}


def _scalar_value(node: ScalarNode) -> Any:  # noqa: ANN401 -- YAML holds anything
    """The scalar as None, bool, int, float or str, by its tag; an unknown tag is text."""
    text = str(node.value)
    plain = text.replace("_", "").lower()
    try:
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return {"true": True, "false": False}[plain]
        if node.tag == _INT:
            is_based = plain.lstrip("+-")[:2] in {"0b", "0o", "0x"}
            return int(plain, 0 if is_based else 10)
        if node.tag == _FLOAT:
            return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
    except (ValueError, KeyError) as error:
        kind = node.tag.removeprefix(_TAG)
        raise _YamlError(f"{text!r} is no {kind}", node.start_mark.line) from error
    return text


def _key(key: object) -> str:
    return key if isinstance(key, str) else str(key)


def nearest(word: str, known: list[str]) -> str:
    """The known word most like `word`, or "" when none is near."""
    found = get_close_matches(word, known, n=1, cutoff=0.6)
    return found[0] if found else ""


_PLAIN_SCALAR = re.compile(r"^[A-Za-z_./][A-Za-z0-9_./ -]*$")
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_WORDS_OF_YAML = frozenset({"true", "false", "null", "yes", "no", "on", "off", "~"})


def dump(value: Any, *, indent: int = 0) -> str:  # noqa: ANN401 -- YAML holds anything
    """The value as block YAML: the same value is the same text, whatever library reads it.

    Args:
        value: Dicts (order kept), lists, str, int, float, bool and None.
        indent: Columns to shift the block by.
    """
    pad = " " * indent
    if isinstance(value, dict) and value:
        return "".join(pad + _entry(f"{scalar(key)}:", item, indent) for key, item in value.items())
    if isinstance(value, list) and value:
        return "".join(pad + _entry("-", item, indent) for item in value)
    return f"{pad}{scalar(value)}\n"


def _entry(head: str, item: Any, indent: int) -> str:  # noqa: ANN401 -- YAML holds anything
    if isinstance(item, dict) and item and head == "-":
        body = dump(item, indent=indent + 2)
        return f"- {body[indent + 2 :]}"
    if isinstance(item, dict | list) and item:
        return f"{head}\n{dump(item, indent=indent + 2)}"
    return f"{head} {scalar(item)}\n"


def scalar(value: Any) -> str:  # noqa: ANN401 -- YAML holds anything
    """One YAML scalar (or an empty collection) on one line, quoted only where it must be."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    text = str(value)
    safe = _PLAIN_SCALAR.match(text) and text.strip() == text
    if safe and text.lower() not in _WORDS_OF_YAML:
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = escaped.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    unprintable = _UNPRINTABLE.sub(lambda m: f"\\u{ord(m[0]):04x}", escaped)
    return f'"{unprintable}"'


def rewritten(text: str, path: Path, value: str | float) -> str:
    """The YAML text with one scalar replaced or added; every other byte stays as it is.

    A key that is missing is added to the innermost mapping of `path` that is there.

    Args:
        text: A YAML document whose `path` leads through mappings.
        path: Keys from the top.
        value: The new scalar; text of several lines becomes a literal block.

    Raises:
        ConfigError: Something on the way is no mapping.
    """
    # The pure-Python reader: its marks count characters, as slices of the text do.
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    is_flow = False
    for depth, key in enumerate(path):
        if not isinstance(node, MappingNode):
            raise ConfigError(f"{'.'.join(map(str, path[:depth]))} is no mapping in this file")
        pair = next((pair for pair in node.value if pair[0].value == str(key)), None)
        if pair is None:
            return _added(text, node, path[depth:], value)
        is_flow = is_flow or bool(node.flow_style)
        found, node = pair
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    written = _written(value, found.start_mark.column, is_flow=is_flow)
    line_break = "\n" if text[start:end].endswith("\n") else ""
    return f"{text[:start]}{written}{line_break}{text[end:]}"


def _added(text: str, node: MappingNode, path: Path, value: str | float) -> str:
    """The text with `path: value` as the first entry of a mapping."""
    *parents, last = map(str, path)
    # A mapping's own mark may stand before its anchor; the first key's never does.
    mark: Any = node.value[0][0].start_mark if node.value else None
    if node.flow_style:
        entry = "".join(f"{scalar(key)}: {{" for key in parents) + f"{scalar(last)}: "
        entry += scalar(value) + "}" * len(parents) + (", " if mark else "")
        at = int(mark.index) if mark else int(node.end_mark.index) - 1
        return text[:at] + entry + text[at:]
    at, column = int(mark.index), int(mark.column)
    nested: Any = value
    for key in reversed((*parents, last)):
        nested = {key: nested}
    return text[:at] + dump(nested, indent=column)[column:] + " " * column + text[at:]


def _written(value: str | float, column: int, *, is_flow: bool) -> str:
    """A scalar beside a key at `column`; a literal block where it has several lines."""
    if isinstance(value, int | float):
        return scalar(value)
    if is_flow or "\n" not in value.strip("\n") or _UNPRINTABLE.search(value):
        return scalar(value.strip("\n"))
    pad = " " * (column + 2)
    lines = [f"{pad}{line}" if line.strip() else "" for line in value.strip("\n").split("\n")]
    mark = "|2" if lines[0].startswith(f"{pad} ") else "|"  # YAML guesses from the first line
    return "\n".join([mark, *lines])
