"""Outputs × rubrics: the stage, what it would call, and how its scores moved."""

from gitloop.steps.score.history import HistoryReport, score_history
from gitloop.steps.score.planning import PlanReport, plan_score
from gitloop.steps.score.stage import ScoredSet, ScoreReport, score
from gitloop.steps.score.traces import TracesReport, score_traces

__all__ = [
    "HistoryReport",
    "PlanReport",
    "ScoreReport",
    "ScoredSet",
    "TracesReport",
    "plan_score",
    "score",
    "score_history",
    "score_traces",
]
