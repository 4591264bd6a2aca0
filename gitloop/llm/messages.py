"""What is asked of a chat endpoint, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat completion to ask for.

    Attributes:
        model: The model's name.
        messages: Messages in order, each with role and content.
        sampling: temperature, seed, max_tokens and whatever else the server takes.
        schema: JSON schema that the answer is to fit, or None for free text.
    """

    model: str
    messages: tuple[Mapping[str, str], ...]
    sampling: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What came of a request.

    Attributes:
        status: "ok", "error", "timeout" or "refused".
        text: What the model said, when status is "ok".
        error: What went wrong, in a line.
        finish: Why the model stopped, e.g. "stop" or "length".
        model: The model that answered, as the server names it.
        fingerprint: The server's fingerprint, or "".
        n_input_tokens: Tokens read, 0 where the server does not say.
        n_output_tokens: Tokens written.
        latency_s: Seconds of the last attempt, or None where nobody measured.
        cost_usd: US dollars, or None where no price is known.
    """

    status: str
    text: str = ""
    error: str = ""
    finish: str = ""
    model: str = ""
    fingerprint: str = ""
    n_input_tokens: int = 0
    n_output_tokens: int = 0
    latency_s: float | None = None
    cost_usd: float | None = None


def payload(
    request: ChatRequest, form: str, renames: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The body of a request.

    Args:
        request: What is asked.
        form: How a schema is asked for, if there is one: "json_schema", "json_object_schema" (an
            object with its schema beside it, as llama.cpp's Python server has it), "json_object" or
            "text".
        renames: Parameter → how this server calls it.
    """
    names = renames or {}
    sampling = {
        names.get(name, name): value
        for name, value in request.sampling.items()
        if value is not None
    }
    body = {"model": request.model, "messages": list(request.messages), **sampling}
    if request.schema is None or form == "text":
        return body
    if form == "json_object_schema":
        return {**body, "response_format": {"type": "json_object", "schema": request.schema}}
    if form == "json_object":
        return {**body, "response_format": {"type": "json_object"}}
    schema = {"name": "answer", "strict": True, "schema": request.schema}
    return {**body, "response_format": {"type": "json_schema", "json_schema": schema}}


def read_completion(body: bytes, latency_s: float | None = None) -> tuple[Completion, bool]:
    """The completion in a 200's body, without a price, and whether asking again may help."""
    try:
        value = json.loads(body)
        choice = value["choices"][0]
        message = choice["message"]
        usage = value.get("usage") or {}
        n_input = int(usage.get("prompt_tokens") or 0)
        n_output = int(usage.get("completion_tokens") or 0)
        refusal = message.get("refusal")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        shown = " ".join(body[:80].decode(errors="replace").split())
        return Completion("error", error=f"it answered {shown!r}, no chat completion"), True
    finish = str(choice.get("finish_reason") or "")
    text = message.get("content")
    status, error = "ok", ""
    if refusal or finish == "content_filter":
        status, error = "refused", str(refusal or "the server's content filter stopped it")
    elif not isinstance(text, str):
        status, error = "error", "its message holds no text"
    found = Completion(
        status=status,
        text=text if status == "ok" and isinstance(text, str) else "",
        error=error,
        finish=finish,
        model=str(value.get("model") or ""),
        fingerprint=str(value.get("system_fingerprint") or ""),
        n_input_tokens=n_input,
        n_output_tokens=n_output,
        latency_s=latency_s,
    )
    return found, status == "error"


def words_of(body: bytes) -> str:
    """The server's own words in an error body, on one line."""
    text = body[:2000].decode(errors="replace")
    try:
        value = json.loads(body)
        error = value.get("error", value) if isinstance(value, dict) else value
        found = error.get("message") or error.get("detail") if isinstance(error, dict) else error
        text = str(found or text)
    except ValueError:
        pass
    return " ".join(text.split())[:300]
