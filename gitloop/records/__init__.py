"""The frozen values that cross layers."""

from gitloop.records.cases import Answer, Case, Judgement
from gitloop.records.gate import CHECK_KINDS, OUTCOMES, Check, GateReport, RowTrail, RubricSummary
from gitloop.records.intervals import Interval
from gitloop.records.jsonable import as_json
from gitloop.records.lineage import GoldenRecord, Lineage, PartState
from gitloop.records.search import Ask, Candidate, Failure, Question, RowScore, Space
from gitloop.records.thresholds import (
    THRESHOLDS_SCHEMA,
    HoldoutCheck,
    Threshold,
    confidence,
    parse_thresholds,
)

__all__ = [
    "CHECK_KINDS",
    "OUTCOMES",
    "THRESHOLDS_SCHEMA",
    "Answer",
    "Ask",
    "Candidate",
    "Case",
    "Check",
    "Failure",
    "GateReport",
    "GoldenRecord",
    "HoldoutCheck",
    "Interval",
    "Judgement",
    "Lineage",
    "PartState",
    "Question",
    "RowScore",
    "RowTrail",
    "RubricSummary",
    "Space",
    "Threshold",
    "as_json",
    "confidence",
    "parse_thresholds",
]
