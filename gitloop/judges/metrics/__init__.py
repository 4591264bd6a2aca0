"""Every local metric, by the name that a rubric uses; only the one asked for is imported."""

from functools import cache
from importlib import import_module

from gitloop.judges.metrics.metric import Metric

ROOMS = {
    "text": ("equals", "contains", "regex"),
    "form": ("length", "one_line", "is_email", "links", "numeric", "citations"),
    "similarity": ("similarity",),
    "overlap": ("bleu", "rouge", "chrf"),
    "embedding": ("embedding",),
    "grounding": ("grounded",),
    "retrieval": (
        "context_recall",
        "context_precision",
        "context_utilisation",
        "context_relevance",
        "ndcg",
        "mrr",
        "precision_at_k",
        "recall_at_k",
    ),
    "structure": ("json", "json_schema", "fields", "tool_calls", "tool_schema"),
    "refusal": ("refusal",),
    "scanners": (
        "jailbreak",
        "code_injection",
        "secrets",
        "malicious_url",
        "invisible_characters",
        "scripts",
    ),
    "content": ("language", "topic", "personal_data"),
}
"""Module → the metrics in it, each the constant of its name in capitals."""

_ROOM = {name: room for room, names in ROOMS.items() for name in names}

NAMES = tuple(_ROOM)
"""The names of all metrics, related ones together."""


@cache
def metric(name: str) -> Metric:
    """The metric of this name, one of `NAMES`."""
    found = getattr(import_module(f"{__name__}.{_ROOM[name]}"), name.upper())
    if not isinstance(found, Metric) or found.name != name:
        raise TypeError(f"{_ROOM[name]}.{name.upper()} is not the metric {name}")
    return found


__all__ = ["NAMES", "Metric", "metric"]
