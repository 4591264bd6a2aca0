"""The openai target: the application is a prompt and a model behind an OpenAI-compatible endpoint.

    target:
      use: openai
      prompt: prompts/support.md
      parameters: {model: gpt-4o-2024-08-06, base_url: "http://127.0.0.1:8000/v1"}

The rendered prompt is the user's message; without a prompt file, the row's input is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from gitloop.arguments import Argument, check
from gitloop.llm import SETTINGS, ChatRequest, Chats, Completion, open_chats, settings
from gitloop.params import Prompt
from gitloop.params import Target as TargetPin
from gitloop.records import Answer, Case
from gitloop.targets.prompts import parameters, rendered

_SAMPLING = {
    "model": Argument("text", "the model's name, with its version"),
    "system": Argument("text", "the system's message", default=None),
    "temperature": Argument(
        "number", "0 is the least random; null leaves it out", default=0.0, low=0, is_nullable=True
    ),
    "top_p": Argument("number", "nucleus sampling", default=None, low=0, high=1),
    "seed": Argument("integer", "seed, where the server takes one", default=None),
    "max_tokens": Argument("integer", "most tokens of an output", default=None, low=1),
    "extra": Argument("mapping", "whatever else the server takes", default={}),
}


class OpenaiTarget:
    """Puts a prompt to a model behind an OpenAI-compatible endpoint."""

    id: ClassVar[str] = "openai"
    version: ClassVar[str] = "1"
    is_pure: ClassVar[bool] = False

    def __init__(self, pin: TargetPin, prompt: Prompt | None, root: Path) -> None:
        where = "params.yaml: target.parameters"
        given = parameters({"timeout_s": pin.timeout_s, **pin.parameters}, prompt)
        known = check(given, {**SETTINGS, **_SAMPLING}, where=where)
        self._prompt = prompt
        reached = settings(known, where=where)
        self._chats = Chats(lambda: open_chats(reached, known["api_key_env"], root))
        self._price = reached.price
        self._system = known["system"]
        sampling = {name: known[name] for name in ("temperature", "top_p", "seed", "max_tokens")}
        self._pinned = {
            "target": f"{self.id}/{self.version}",
            "version": pin.version,
            "model": known["model"],
            "sampling": {**sampling, **known["extra"]},
        }

    def request(self, case: Case) -> dict[str, Any]:
        """Model, sampling and messages."""
        text = rendered(self._prompt, case)
        messages = [{"role": "user", "content": case.input if text is None else text}]
        if self._system is not None:
            messages.insert(0, {"role": "system", "content": self._system})
        return {**self._pinned, "messages": messages}

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """One answer per request, in order."""
        return [answer for _, answer in sorted(self.stream(requests), key=lambda pair: pair[0])]

    def stream(self, requests: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Answer]]:
        """Each answer with its place, as they come."""
        asked = [ChatRequest(r["model"], tuple(r["messages"]), r["sampling"]) for r in requests]
        for place, completion in self._chats.stream(asked):
            yield place, _answer(completion)

    def estimate(self, request: Mapping[str, Any]) -> tuple[int, int, float | None]:
        """Tokens read and at most written by a request, and at most US dollars, if priced."""
        return self._price.estimate(request["messages"], request["sampling"].get("max_tokens"))


def _answer(completion: Completion) -> Answer:
    value = {
        "output": completion.text,
        "model": completion.model,
        "fingerprint": completion.fingerprint,
        "finish": completion.finish,
        "n_input_tokens": completion.n_input_tokens,
        "n_output_tokens": completion.n_output_tokens,
    }
    kept = value if completion.status == "ok" else {}
    return Answer(
        completion.status, kept, completion.error, completion.latency_s, completion.cost_usd
    )
