"""Put cases before a person: in the terminal, or (`gitloop.steps.label.page`) in the browser."""

from __future__ import annotations

from gitloop.steps.label.session import KINDS, LabelPlan, open_session
from gitloop.steps.label.terminal import LabelReport, Question, label

__all__ = ["KINDS", "LabelPlan", "LabelReport", "Question", "label", "open_session"]
