"""The join of feedback with traces, and what there is to measure about it."""

from gitloop.core.join.joining import CONTEXT, REASONS, REQUIRED, Joined, join
from gitloop.core.join.measuring import SCHEMA, measure
from gitloop.core.join.plots import rates_csv
from gitloop.core.join.precision import precisions

__all__ = [
    "CONTEXT",
    "REASONS",
    "REQUIRED",
    "SCHEMA",
    "Joined",
    "join",
    "measure",
    "precisions",
    "rates_csv",
]
