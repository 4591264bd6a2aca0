"""How an endpoint is reached and how hard it is pressed: none of it decides an answer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gitloop.arguments import Argument, check
from gitloop.errors import ConfigError

DEFAULT_URL = "https://api.openai.com/v1"

_BUDGET = {
    "calls": Argument("integer", "most calls by this pin in a run", default=None, low=1),
    "tokens": Argument("integer", "most tokens by this pin in a run", default=None, low=1),
    "usd": Argument("number", "most US dollars by it; needs price", default=None, low=0),
}
_PRICE = {
    "input": Argument("number", "US dollars for a million tokens read", low=0),
    "output": Argument("number", "US dollars for a million tokens written", low=0),
}
SETTINGS = {
    "base_url": Argument(
        "text", "address up to /v1; by default $OPENAI_BASE_URL, or OpenAI's own", default=None
    ),
    "api_key_env": Argument(
        "text", "environment variable that holds the API key", default="OPENAI_API_KEY"
    ),
    "concurrency": Argument("integer", "most calls at a time", default=8, low=1, high=1024),
    "connect_timeout_s": Argument("number", "seconds to connect", default=10.0, low=0.001),
    "timeout_s": Argument("number", "seconds for one whole answer", default=120.0, low=0.001),
    "attempts": Argument("integer", "most attempts of one call", default=6, low=1, high=100),
    "max_wait_s": Argument(
        "number", "most seconds that one call waits, time-outs included", default=180.0, low=0
    ),
    "budget": Argument("mapping", "calls, tokens and usd of this pin in one run", default={}),
    "price": Argument("mapping", "input and output, US dollars a million tokens", default={}),
    "batch": Argument("flag", "whether calls go through the batch API", default=False),
    "batch_wait_s": Argument("number", "most seconds for a batch", default=90_000.0, low=0),
    "batch_poll_s": Argument("number", "seconds between two looks at it", default=30.0, low=0.01),
}
"""Parameters of a pin that reach an endpoint, by name."""


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens cost.

    Attributes:
        input_usd: US dollars for a million tokens read, or None.
        output_usd: US dollars for a million tokens written, or None.
    """

    input_usd: float | None = None
    output_usd: float | None = None

    def of(self, n_input: int, n_output: int) -> float | None:
        """US dollars for these tokens, or None where no price is known."""
        if self.input_usd is None or self.output_usd is None:
            return None
        return (n_input * self.input_usd + n_output * self.output_usd) / 1e6

    def estimate(
        self, messages: Sequence[Mapping[str, str]], max_tokens: int | None
    ) -> tuple[int, int, float | None]:
        """Tokens read, most tokens written, and most US dollars, before the request is made.

        No tokenizer is asked: four bytes of UTF-8 count as a token, and each message as four more.
        """
        n_bytes = sum(len(str(one.get("content", "")).encode()) for one in messages)
        n_input = n_bytes // 4 + 4 * len(messages)
        n_output = _ANSWER_TOKENS if max_tokens is None else max_tokens
        return n_input, n_output, self.of(n_input, n_output)


_ANSWER_TOKENS = 1024
"""Tokens that an answer without a limit is taken to have."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent.

    Attributes:
        calls: Most calls, or None.
        tokens: Most tokens, read and written, or None.
        usd: Most US dollars, or None.
    """

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How an endpoint is reached and how hard it is pressed.

    Attributes:
        base_url: Address up to and with /v1, without a slash at its end.
        api_key: Bearer token, or "" for none.
        concurrency: Most calls at a time, ≥ 1.
        connect_timeout_s: Seconds to connect.
        timeout_s: Seconds for one whole answer.
        attempts: Most attempts of one call, ≥ 1.
        max_wait_s: Most seconds that one call waits between its attempts and for those that time
            out, all together; an attempt that is begun ends by `timeout_s`.
        limits: What may be spent at it in one run.
        input_usd: US dollars for a million tokens read, or None.
        output_usd: US dollars for a million tokens written, or None.
        is_batch: Whether calls go through the batch API.
        batch_wait_s: Most seconds that one run waits for a batch.
        batch_poll_s: Seconds between two looks at a batch.
    """

    base_url: str
    api_key: str = ""
    concurrency: int = 8
    connect_timeout_s: float = 10.0
    timeout_s: float = 120.0
    attempts: int = 6
    max_wait_s: float = 180.0
    limits: Limits = Limits()
    input_usd: float | None = None
    output_usd: float | None = None
    is_batch: bool = False
    batch_wait_s: float = 90_000.0
    batch_poll_s: float = 30.0

    @property
    def price(self) -> Price:
        """What tokens cost."""
        return Price(self.input_usd, self.output_usd)


def settings(given: Mapping[str, Any], *, where: str) -> Settings:
    """The settings in a pin's checked parameters; the key itself is only ever in the environment.

    Raises:
        ConfigError: The address is none, or budget and price do not fit.
    """
    url = given["base_url"] or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{where}.base_url is {url!r}, not an http address")
    if parts.username or parts.password:
        raise ConfigError(
            f"{where}.base_url holds a password",
            hint=f"put it into the environment variable {given['api_key_env']}",
        )
    budget = check(given["budget"], _BUDGET, where=f"{where}.budget")
    price = check(given["price"], _PRICE, where=f"{where}.price") if given["price"] else {}
    if budget["usd"] is not None and not price:
        raise ConfigError(
            f"{where}.budget.usd needs {where}.price", hint="add price: {input: …, output: …}"
        )
    return Settings(
        base_url=url.rstrip("/"),
        api_key=os.environ.get(given["api_key_env"], ""),
        concurrency=given["concurrency"],
        connect_timeout_s=float(given["connect_timeout_s"]),
        timeout_s=float(given["timeout_s"]),
        attempts=given["attempts"],
        max_wait_s=float(given["max_wait_s"]),
        limits=Limits(budget["calls"], budget["tokens"], budget["usd"]),
        input_usd=price.get("input"),
        output_usd=price.get("output"),
        is_batch=given["batch"],
        batch_wait_s=float(given["batch_wait_s"]),
        batch_poll_s=float(given["batch_poll_s"]),
    )


def require_key(known: Settings, variable: str) -> None:
    """Refuse to call a cloud that wants a key when there is none; replay never comes here.

    Raises:
        ConfigError: The address is OpenAI's own, and the environment variable is not set.
    """
    if known.base_url == DEFAULT_URL and not known.api_key:
        raise ConfigError(
            f"the environment variable {variable} is not set",
            hint=f"export {variable}=…, name another base_url, or set calls.mode: replay",
        )
