"""`gitloop calibrate`: the stage, the judge cards, the estimates and the history."""

from __future__ import annotations

from gitloop.steps.calibrate.cards import CARD_SCHEMA, judge_cards
from gitloop.steps.calibrate.estimates import EstimateReport, estimate
from gitloop.steps.calibrate.history import HistoryReport, history
from gitloop.steps.calibrate.stage import CalibratedRubric, CalibrateReport, calibrate

__all__ = [
    "CARD_SCHEMA",
    "CalibrateReport",
    "CalibratedRubric",
    "EstimateReport",
    "HistoryReport",
    "calibrate",
    "estimate",
    "history",
    "judge_cards",
]
