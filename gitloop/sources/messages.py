"""The text in what a span calls its input and output: chat messages in any form, or plain text.

A structure that is not recognised stays as its JSON; nothing is made up.
"""

from __future__ import annotations

from typing import Any

import orjson

from gitloop.sources.cells import json_text

_PEOPLE = frozenset({"user", "human"})
_MACHINES = frozenset({"assistant", "ai", "model", "aimessage"})
_MAX_DEPTH = 8
_QUESTIONS = (
    "messages", "contents", "new_message", "prompt", "question", "query", "input", "inputs",
    "user_input",
)  # fmt: skip
_ANSWERS = (
    "choices", "candidates", "messages", "message", "output", "outputs", "answer", "response",
    "result", "generations",
)  # fmt: skip
_DOCUMENTS = ("document.content", "content", "page_content", "text")


def question(value: Any) -> str | None:  # noqa: ANN401 -- foreign data
    """What the user asked last, in a span's input; None where there is no input."""
    return _told(value, _PEOPLE, _QUESTIONS)


def answer(value: Any) -> str | None:  # noqa: ANN401 -- foreign data
    """What the application answered last, in a span's output; None where there is no output."""
    return _told(value, _MACHINES, _ANSWERS)


def documents(value: Any) -> str | None:  # noqa: ANN401 -- foreign data
    """The texts of retrieved documents, one after the other."""
    found = peeled(value)
    if not isinstance(found, list):
        return None if found is None else found if isinstance(found, str) else json_text(found)
    texts = []
    for document in found:
        inner = document.get("document", document) if isinstance(document, dict) else document
        text = inner
        if isinstance(inner, dict):
            text = next((inner[name] for name in _DOCUMENTS if inner.get(name)), inner)
        texts.append(text if isinstance(text, str) else json_text(text))
    return "\n\n".join(texts) or None


def peeled(value: Any) -> Any:  # noqa: ANN401 -- foreign data
    """The value without its layers of JSON text; text that is no JSON stays text."""
    for _ in range(3):
        if not isinstance(value, str) or value[:1] not in ('"', "{", "["):
            break
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            break
    return value


def _told(value: Any, roles: frozenset[str], keys: tuple[str, ...]) -> str | None:  # noqa: ANN401
    found = peeled(value)
    if found is None or isinstance(found, str):
        return found
    text = _find(found, roles, keys, 0)
    return json_text(found) if text is None else text


def _find(found: Any, roles: frozenset[str], keys: tuple[str, ...], depth: int) -> str | None:  # noqa: ANN401
    """The last text by one of the roles, or None where the structure is not recognised."""
    if isinstance(found, str):
        return found
    if isinstance(found, list) and depth <= _MAX_DEPTH:
        return _last(found, roles, keys, depth)
    if isinstance(found, dict) and depth <= _MAX_DEPTH:
        message = _message(found)
        if message is not None:
            role, content = message
            return content if not role or role in roles else None
        return _keyed(found, roles, keys, depth)
    return None


def _keyed(
    found: dict[str, Any], roles: frozenset[str], keys: tuple[str, ...], depth: int
) -> str | None:
    """The text under the first of the keys that holds one."""
    for name in keys:
        inner = peeled(found.get(name))
        if inner is not None and inner not in ("", [], {}):
            text = _find(inner, roles, keys, depth + 1)
            if text is not None:
                return text
    return None


def _last(found: list[Any], roles: frozenset[str], keys: tuple[str, ...], depth: int) -> str | None:
    """The last text in a list; who speaks as one of the roles comes before who does not say."""
    for item in reversed(found):
        message = _message(item) if isinstance(item, dict) else None
        if message is not None and message[0] in roles and message[1]:
            return message[1]
    for item in reversed(found):
        text = _find(item, roles, keys, depth + 1)
        if text:
            return text
    return None


def _message(found: dict[str, Any]) -> tuple[str, str] | None:
    """Role and text of a chat message, in any of the known forms; None for anything else."""
    for inner in ("message", "kwargs"):
        if isinstance(found.get(inner), dict) and "content" in found[inner]:
            kind = found[inner].get("role") or found[inner].get("type") or _class(found)
            return str(kind).lower(), _content(found[inner]["content"])
    flat = {name.removeprefix("message."): value for name, value in found.items()}
    role = str(flat.get("role") or flat.get("type") or "").lower()
    for name in ("content", "contents", "parts", "text"):
        if flat.get(name) is not None and (role or name in ("parts", "content")):
            return role, _content(flat[name])
    numbered = [value for name, value in sorted(flat.items()) if name.endswith("content.text")]
    return (role, "".join(map(str, numbered))) if numbered else None


def _class(found: dict[str, Any]) -> str:
    """The role in the class name that LangChain writes, e.g. [..., "HumanMessage"]."""
    path = found.get("id")
    name = str(path[-1]).lower() if isinstance(path, list) and path else ""
    return "user" if name.startswith("human") else "ai" if name.startswith("ai") else name


def _content(content: Any) -> str:  # noqa: ANN401 -- foreign data
    """The text of a message's content: text, or parts of which those with text count."""
    content = peeled(content) if isinstance(content, str) and content[:2] == "[{" else content
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return _content(content.get("parts") or content.get("text") or content.get("content") or "")
    if isinstance(content, list):
        return "".join(_content(part) for part in content if isinstance(part, str | dict))
    return ""
