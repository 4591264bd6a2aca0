"""How far a judge can be trusted, and where its line is.

evidence = gather(labels, traces, rubric, rules)      what people said, and what is wrong with it
scores = …the judge's scores of evidence.items…
found = fit(evidence, scores, policy)                 the threshold, or the reason why there is none
"""

from __future__ import annotations

from gitloop.core.calibrate.abstention import Abstention
from gitloop.core.calibrate.card import JudgeCard, judge_card
from gitloop.core.calibrate.clauses import Clause, Dispute, dispute, split_clauses
from gitloop.core.calibrate.drift import Drift, Flip, drift
from gitloop.core.calibrate.estimates import ArmErrors, Estimate, Line, estimate_rates
from gitloop.core.calibrate.evidence import Evidence, LabelRules, gather
from gitloop.core.calibrate.findings import Finding
from gitloop.core.calibrate.fitting import FitPolicy, fit, scored_items
from gitloop.core.calibrate.history import HistoryPoint, Recorded, threshold_history
from gitloop.core.calibrate.leaks import Leak, golden_leaks, quoted_leaks, trained_leaks
from gitloop.core.calibrate.order import OrderBias, order_bias
from gitloop.core.calibrate.rendering import Pins, curve_csv, metrics, thresholds
from gitloop.core.calibrate.results import Calibration, CurvePoint
from gitloop.core.calibrate.rewriting import (
    Comparison,
    best_rewrite,
    compare,
    halves,
    question,
    rewrite_fault,
)

__all__ = [
    "Abstention",
    "ArmErrors",
    "Calibration",
    "Clause",
    "Comparison",
    "CurvePoint",
    "Dispute",
    "Drift",
    "Estimate",
    "Evidence",
    "Finding",
    "FitPolicy",
    "Flip",
    "HistoryPoint",
    "JudgeCard",
    "LabelRules",
    "Leak",
    "Line",
    "OrderBias",
    "Pins",
    "Recorded",
    "best_rewrite",
    "compare",
    "curve_csv",
    "dispute",
    "drift",
    "estimate_rates",
    "fit",
    "gather",
    "golden_leaks",
    "halves",
    "judge_card",
    "metrics",
    "order_bias",
    "question",
    "quoted_leaks",
    "rewrite_fault",
    "scored_items",
    "split_clauses",
    "threshold_history",
    "thresholds",
    "trained_leaks",
]
