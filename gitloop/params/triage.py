"""How clusters are triaged: which models read, which doubt, and what they may spend."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gitloop.params.strict import Strict


class Model(Strict):
    """A model behind an OpenAI-compatible endpoint.

    Attributes:
        model: Its name, with its version.
        parameters: base_url, api_key_env, price, temperature, seed, max_tokens and the like.
    """

    model: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class Triage(Strict):
    """How a cluster gets its brief.

    Attributes:
        agent: The model that reads and writes; null makes extractive briefs.
        reader: A cheaper model that cuts long spans down; null lets the agent read them whole.
        verifier: The model that doubts each claim; null is the agent's.
        max_turns: Turns of the agent, per cluster.
        max_tokens: Tokens of all models, per cluster.
        max_usd: US dollars of all models, per cluster; needs `price` in their parameters.
        long_span: Characters from which a span goes through the reader.
    """

    agent: Model | None = None
    reader: Model | None = None
    verifier: Model | None = None
    max_turns: int = Field(default=12, ge=1, le=100)
    max_tokens: int = Field(default=120_000, ge=1000)
    max_usd: float | None = Field(default=None, gt=0)
    long_span: int = Field(default=3000, ge=200)
