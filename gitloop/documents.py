"""YAML documents that remember where each key stands, so that an error can name the line.

Parsed with ruamel.yaml in its YAML 1.2 form, as DVC does: `1e-3` is a number and `on` is a word.
Dates stay text, because a version such as 2026-05-01 must never turn into one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import Node

from gitloop.errors import ConfigError

Path = tuple[str | int, ...]


class _PlainConstructor(RoundTripConstructor):
    """Keeps positions and leaves timestamps as the text that was written."""


def _as_text(constructor: RoundTripConstructor, node: Node) -> str:
    return str(constructor.construct_scalar(node))


_PlainConstructor.add_constructor("tag:yaml.org,2002:timestamp", _as_text)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed YAML file.

    Attributes:
        source: The file, relative to the repository.
        value: Plain dicts, lists, str, int, float, bool and None.
    """

    source: str
    value: Any
    _tree: Any = field(repr=False)

    def line(self, path: Path) -> int:
        """The 1-based line of the key or item at `path`, or of its nearest parent that has one."""
        node, line = self._tree, 1
        for key in path:
            try:
                if isinstance(node, CommentedMap):
                    line = node.lc.key(key)[0] + 1
                elif isinstance(node, CommentedSeq) and isinstance(key, int):
                    line = node.lc.item(key)[0] + 1
                else:
                    return line
                node = node[key]
            except (KeyError, IndexError, TypeError):
                return line
        return line


def parse(text: str, *, source: str) -> Document:
    """The document in `text`.

    Raises:
        ConfigError: The text is not YAML, or a key stands in it twice; the line is named.
    """
    yaml = YAML(typ="rt", pure=True)
    yaml.Constructor = _PlainConstructor
    try:
        tree = yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = (error.problem or "it cannot be parsed").split(" with value ")[0]
        raise ConfigError(
            f"{source}:{line}: not valid YAML: {problem}", hint=f"edit {source}, line {line}"
        ) from error
    return Document(source=source, value=plain(tree), _tree=tree)


def plain(node: Any) -> Any:  # noqa: ANN401 -- YAML holds anything
    """The node as plain Python values, with no trace of its formatting."""
    if isinstance(node, CommentedMap | dict):
        return {_key(key): plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq | list):
        return [plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _key(key: object) -> str:
    return key if isinstance(key, str) else str(key)


def nearest(word: str, known: list[str]) -> str:
    """The known word most like `word`, or "" when none is near."""
    found = get_close_matches(word, known, n=1, cutoff=0.6)
    return found[0] if found else ""


_PLAIN_SCALAR = re.compile(r"^[A-Za-z_./][A-Za-z0-9_./ -]*$")
_WORDS_OF_YAML = frozenset({"true", "false", "null", "yes", "no", "on", "off", "~"})


def dump(value: Any, *, indent: int = 0) -> str:  # noqa: ANN401 -- YAML holds anything
    """The value as block YAML: the same value is the same text, whatever ruamel's version.

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
    unprintable = re.sub(
        r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]", lambda m: f"\\u{ord(m[0]):04x}", escaped
    )
    return f'"{unprintable}"'
