"""Search for a better prompt, and the one honest verdict on what was found.

The search sees train and validation rows; one finalist gets one look at the holdout, paired with
the incumbent row by row. "No improvement" is a normal result.
"""

from gitloop.core.optimize.faults import CandidateCheck
from gitloop.core.optimize.files import pin_threshold, prompt_file
from gitloop.core.optimize.headroom import Headroom, Samples, headroom_of
from gitloop.core.optimize.running import History, Limits, Spent, Trial, World, run_search
from gitloop.core.optimize.thresholds import LineChoice, ScoredLabel, choose_line, judge_line
from gitloop.core.optimize.verdict import Acceptance, HoldoutVerdict, finalist, judge_holdout

__all__ = [
    "Acceptance",
    "CandidateCheck",
    "Headroom",
    "History",
    "HoldoutVerdict",
    "Limits",
    "LineChoice",
    "Samples",
    "ScoredLabel",
    "Spent",
    "Trial",
    "World",
    "choose_line",
    "finalist",
    "headroom_of",
    "judge_holdout",
    "judge_line",
    "pin_threshold",
    "prompt_file",
    "run_search",
]
