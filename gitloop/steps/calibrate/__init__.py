"""`gitloop calibrate`: the stage and everything around it; and `gitloop judge drift`."""

from __future__ import annotations

from gitloop.steps.calibrate.cards import CARD_SCHEMA, judge_cards
from gitloop.steps.calibrate.drift import DriftPlan, DriftReport, drift
from gitloop.steps.calibrate.estimates import EstimateReport, estimate
from gitloop.steps.calibrate.history import ChangePoint, HistoryReport, history
from gitloop.steps.calibrate.holdout import HoldoutReport, holdout
from gitloop.steps.calibrate.order import OrderReport, order
from gitloop.steps.calibrate.propose import ProposeReport, propose
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
    "HoldoutReport",
    "OrderReport",
    "ProposeReport",
    "calibrate",
    "drift",
    "estimate",
    "history",
    "holdout",
    "judge_cards",
    "order",
    "propose",
]
