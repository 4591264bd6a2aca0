"""The judges: which there are, and how those that learn are taught."""

from gitloop.steps.judge.examples import ExamplesReport, collect_examples
from gitloop.steps.judge.listing import (
    ArgumentLine,
    JudgeLine,
    JudgeReport,
    MetricLine,
    list_judges,
)
from gitloop.steps.judge.training import TrainReport, train_judge

__all__ = [
    "ArgumentLine",
    "ExamplesReport",
    "JudgeLine",
    "JudgeReport",
    "MetricLine",
    "TrainReport",
    "collect_examples",
    "list_judges",
    "train_judge",
]
