"""`gitloop calibrate`: the stage, cards, estimates, history; and `gitloop judge drift`."""

from __future__ import annotations

from gitloop.steps.calibrate.cards import CARD_SCHEMA, judge_cards
from gitloop.steps.calibrate.drift import DriftPlan, DriftReport, drift
from gitloop.steps.calibrate.estimates import EstimateReport, estimate
from gitloop.steps.calibrate.history import ChangePoint, HistoryReport, history
from gitloop.steps.calibrate.stage import CalibratedRubric, CalibrateReport, calibrate

__all__ = [
    "CARD_SCHEMA",
    "CalibrateReport",
    "CalibratedRubric",
    "ChangePoint",
    "DriftPlan",
    "DriftReport",
    "EstimateReport",
    "HistoryReport",
    "calibrate",
    "drift",
    "estimate",
    "history",
    "judge_cards",
]
