"""Search for a better prompt, and the one honest verdict on what was found.

The search sees train and validation rows; one finalist gets one look at the holdout, paired with
the incumbent row by row. "No improvement" is a normal result.
"""

from gitloop.core.optimize.faults import CandidateCheck
from gitloop.core.optimize.files import prompt_file
from gitloop.core.optimize.headroom import Headroom, Samples, headroom_of, spend
from gitloop.core.optimize.running import History, Limits, Spent, Trial, World, run_search
from gitloop.core.optimize.verdict import Acceptance, HoldoutVerdict, finalist, judge_holdout

__all__ = [
    "Acceptance",
    "CandidateCheck",
    "Headroom",
    "History",
    "HoldoutVerdict",
    "Limits",
    "Samples",
    "Spent",
    "Trial",
    "World",
    "finalist",
    "headroom_of",
    "judge_holdout",
    "prompt_file",
    "run_search",
    "spend",
]
