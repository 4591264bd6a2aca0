"""The models of a triage, asked through the call store and paid from one purse per cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitloop.arguments import Argument, check
from gitloop.core.triage import Messages, Spent
from gitloop.errors import ApiError, CallTimeoutError, ConfigError
from gitloop.llm import SETTINGS, ChatRequest, settings
from gitloop.llm.client import ChatClient
from gitloop.llm.settings import require_key
from gitloop.params import Model
from gitloop.records import Answer
from gitloop.storage.calls import CallStore

_SAMPLING = {
    "temperature": Argument(
        "number", "0 is the least random; null leaves it out", default=0.0, low=0, is_nullable=True
    ),
    "seed": Argument("integer", "seed, where the server takes one", default=None),
    "max_tokens": Argument("integer", "most tokens of one answer", default=None, low=1),
    "extra": Argument("mapping", "whatever else the server takes", default={}),
}


class Asked:
    """One model in one part of a triage.

    Args:
        part: "agent", "reader" or "verifier".
        pin: The model.
        store: Where every call goes through.

    Raises:
        ConfigError: A parameter is unknown or out of range.
    """

    def __init__(self, part: str, pin: Model, store: CallStore) -> None:
        where = f"params.yaml: triage.{part}.parameters"
        known = check(pin.parameters, {**SETTINGS, **_SAMPLING}, where=where)
        self.part, self.model, self.has_price = part, pin.model, bool(known["price"])
        self._settings = settings(known, where=where)
        self._key_variable = known["api_key_env"]
        self._sampling = {
            **{name: known[name] for name in ("temperature", "seed", "max_tokens")},
            **known["extra"],
        }
        self._store = store
        self._client: ChatClient | None = None

    def ask(self, messages: Sequence[Messages], schema: Mapping[str, Any]) -> list[Answer]:
        """One answer per conversation, in order; its value holds text and tokens.

        Raises:
            ApiError: The server failed; what it answered is kept.
            CallTimeoutError: It was too slow.
            StaleError: Mode replay, and an answer was never recorded.
        """
        requests = [
            {
                "part": self.part,
                "model": self.model,
                "sampling": self._sampling,
                "messages": list(own),
                "schema": dict(schema),
            }
            for own in messages
        ]
        answers = self._store.ask("triage", requests, self._call)
        failed = [answer for answer in answers if answer.status not in ("ok", "refused")]
        if failed:
            late = all(answer.status == "timeout" for answer in failed)
            raise (CallTimeoutError if late else ApiError)(
                f"the {self.part} {self.model} failed: {failed[0].error}",
                hint="what was answered is kept: run the command again once the cause is gone",
            )
        return answers

    def _call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        require_key(self._settings, self._key_variable)
        if self._client is None:
            self._client = ChatClient(self._settings)
        asked = [
            ChatRequest(r["model"], tuple(r["messages"]), r["sampling"], r["schema"])
            for r in requests
        ]
        found: dict[int, Answer] = {}
        for place, said in self._client.stream(asked):
            value = {
                "text": said.text,
                "model": said.model,
                "n_input_tokens": said.n_input_tokens,
                "n_output_tokens": said.n_output_tokens,
            }
            found[place] = Answer(said.status, value, said.error, said.latency_s, said.cost_usd)
        return [found[place] for place in range(len(requests))]


class Purse:
    """What the models of one cluster may still spend; an answer from the store counts as well.

    Args:
        max_tokens: Tokens at most.
        max_usd: US dollars at most, or None.
    """

    def __init__(self, max_tokens: int, max_usd: float | None) -> None:
        self._max_tokens, self._max_usd = max_tokens, max_usd
        self._n_calls = self._n_input = self._n_output = 0
        self._usd = 0.0
        self._has_price = True

    def pay(self, answers: Sequence[Answer]) -> None:
        """Count what these answers cost."""
        for answer in answers:
            self._n_calls += 1
            self._n_input += int(answer.value.get("n_input_tokens") or 0)
            self._n_output += int(answer.value.get("n_output_tokens") or 0)
            self._usd += answer.cost_usd or 0.0
            self._has_price = self._has_price and answer.cost_usd is not None

    @property
    def share(self) -> float:
        """The share of the budget that is gone; 1 and more when it is spent."""
        of_tokens = (self._n_input + self._n_output) / self._max_tokens
        return max(of_tokens, self._usd / self._max_usd if self._max_usd else 0.0)

    def spent(self, n_turns: int) -> Spent:
        """What was spent."""
        has_price = self._has_price and self._n_calls > 0
        usd = round(self._usd, 9) if has_price else None
        return Spent(n_turns, self._n_calls, self._n_input, self._n_output, usd)


def require_price(models: Sequence[Asked], max_usd: float | None) -> None:
    """Refuse a budget in dollars for models whose price is not known.

    Raises:
        ConfigError: A model has no price.
    """
    unknown = sorted({model.part for model in models if not model.has_price})
    if max_usd is not None and unknown:
        raise ConfigError(
            f"triage.max_usd needs the price of the {' and the '.join(unknown)}",
            hint=f"add triage.{unknown[0]}.parameters.price: {{input: …, output: …}}",
        )
