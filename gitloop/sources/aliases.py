"""The one table of attribute names: what each convention calls what we call by one name.

OpenInference, OTel gen_ai (and what it was called before), fi.* / traceAI, OpenLLMetry (traceloop)
and Langfuse's own span attributes. Within a row the first name that a span carries wins, and
`gitloop.*` always comes first. A name that ends in "." is a family with numbered members, such as
`llm.input_messages.0.message.content`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitloop.sources import cells

FIELDS: Mapping[str, tuple[str, ...]] = {
    "kind": (
        "openinference.span.kind", "gen_ai.span.kind", "fi.span.kind", "traceloop.span.kind",
        "langfuse.observation.type", "gen_ai.operation.name", "llm.request.type",
    ),
    "input": (
        "gitloop.input", "input.value", "gen_ai.input.messages", "fi.llm.input",
        "traceloop.entity.input", "langfuse.observation.input", "langfuse.trace.input",
        "llm.input_messages.", "gen_ai.prompt.", "gen_ai.prompt", "llm.prompts.", "llm.prompts",
    ),
    "output": (
        "gitloop.output", "output.value", "gen_ai.output.messages", "fi.llm.output",
        "traceloop.entity.output", "langfuse.observation.output", "langfuse.trace.output",
        "llm.output_messages.", "gen_ai.completion.", "gen_ai.completion", "llm.completions.",
        "llm.completions",
    ),
    "context": (
        "gitloop.context", "retrieval.documents.", "gen_ai.retrieval.documents",
        "retrieval.documents",
    ),
    "model": (
        "gitloop.model", "gen_ai.response.model", "llm.model_name", "gen_ai.request.model",
        "fi.llm.model_name", "langfuse.observation.model.name", "embedding.model_name",
        "llm.invocation_parameters.model",
    ),
    "n_input_tokens": (
        "gen_ai.usage.input_tokens", "llm.token_count.prompt", "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens", "llm.usage.input_tokens",
    ),
    "n_output_tokens": (
        "gen_ai.usage.output_tokens", "llm.token_count.completion",
        "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens", "llm.usage.output_tokens",
    ),
    "cost_usd": (
        "gen_ai.cost.total", "llm.cost.total", "gen_ai.usage.cost", "operation.cost",
    ),
    "session_id": (
        "gitloop.session_id", "session.id", "gen_ai.conversation.id", "langfuse.session.id",
        "traceloop.association.properties.session_id", "metadata.session_id",
    ),
    "group_id": ("gitloop.group_id", "metadata.group_id"),
    "route": ("gitloop.route", "metadata.route", "traceloop.association.properties.route"),
    "user_cohort": (
        "gitloop.user_cohort", "metadata.user_cohort",
        "traceloop.association.properties.user_cohort",
    ),
    "prompt_version": (
        "gitloop.prompt_version", "gen_ai.prompt.template.version", "llm.prompt_template.version",
        "gen_ai.prompt.version", "traceloop.prompt.version", "langfuse.observation.prompt.version",
        "metadata.prompt_version",
    ),
}  # fmt: skip
"""Our field → the attributes that hold it, best first."""

KINDS: Mapping[str, str] = {
    "CHAT": "LLM", "TEXT_COMPLETION": "LLM", "COMPLETION": "LLM", "GENERATE_CONTENT": "LLM",
    "GENERATION": "LLM", "EMBEDDINGS": "EMBEDDING", "EXECUTE_TOOL": "TOOL",
    "INVOKE_AGENT": "AGENT", "CREATE_AGENT": "AGENT", "WORKFLOW": "CHAIN", "TASK": "CHAIN",
    "SPAN": "CHAIN", "RETRIEVAL": "RETRIEVER", "RERANK": "RERANKER",
}  # fmt: skip
"""What other conventions call a kind of span → OpenInference's name."""


_OBJECTS = ("metadata.", "llm.invocation_parameters.")
"""Attributes that hold a JSON object, whose members have names of their own here."""


class Aliases:
    """The alias table with the attributes that params.yaml configures in front.

    Args:
        columns: Our field → their attribute; constants (with a leading "=") are not looked at.
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        own = {name: theirs for name, theirs in columns.items() if not theirs.startswith("=")}
        self._fields = {
            name: (own[name], *known) if name in own else known for name, known in FIELDS.items()
        }

    def find(self, field: str, attributes: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """What the attributes say about our field, or None."""
        for name in self._fields[field]:
            if name.endswith("."):
                found: Any = numbered(attributes, name)
            else:
                found = attributes.get(name)
                if found is None and name.startswith(_OBJECTS):
                    owner, _, inner = name.rpartition(".")
                    found = (cells.mapping(attributes.get(owner)) or {}).get(inner)
            if found is not None and found not in ("", []):
                return found
        return None

    def kind(self, attributes: Mapping[str, Any]) -> str | None:
        """The kind of span, in OpenInference's words, or None."""
        found = self.find("kind", attributes)
        if found is None:
            return None
        name = str(found).upper()
        return KINDS.get(name, name)


def numbered(attributes: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    """The members of a numbered family, in order, each with the rest of its names as keys.

    Args:
        attributes: Flat attributes.
        prefix: With its last dot, e.g. "llm.input_messages.".
    """
    members: dict[int, dict[str, Any]] = {}
    for name, value in attributes.items():
        if name.startswith(prefix):
            number, _, rest = name[len(prefix) :].partition(".")
            if number.isdecimal() and len(number) <= 6:
                members.setdefault(int(number), {})[rest] = value
    return [members[number] for number in sorted(members)]
