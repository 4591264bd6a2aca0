"""Preference pairs: from what people, rubrics and judges say to what a trainer reads.

    sources → build → (people label) → agreement → fates → clean → layouts
              pairs                     strata      train, review, dropped

Each source is a function from tables to preferences; `build` puts them together, counts what it
leaves out and why, and assigns the holdout by group.
"""

from gitloop.core.pairs.building import Built, build
from gitloop.core.pairs.clusters import Remedies, Rerun, Written, failures_of, from_clusters
from gitloop.core.pairs.constitution import clauses, principle_of
from gitloop.core.pairs.judged import (
    VERDICTS,
    Comparison,
    OrderReport,
    cases,
    comparisons,
    criterion,
    from_verdicts,
    order_report,
)
from gitloop.core.pairs.preferences import Found, Place, Preference, split_of
from gitloop.core.pairs.scored import (
    Line,
    from_scores,
    known_scores,
    rewards,
    worth_judging,
)
from gitloop.core.pairs.signals import from_sessions, from_thumbs, from_votes, outcomes_of

__all__ = [
    "VERDICTS",
    "Built",
    "Comparison",
    "Found",
    "Line",
    "OrderReport",
    "Place",
    "Preference",
    "Remedies",
    "Rerun",
    "Written",
    "build",
    "cases",
    "clauses",
    "comparisons",
    "criterion",
    "failures_of",
    "from_clusters",
    "from_scores",
    "from_sessions",
    "from_thumbs",
    "from_verdicts",
    "from_votes",
    "known_scores",
    "order_report",
    "outcomes_of",
    "principle_of",
    "rewards",
    "split_of",
    "worth_judging",
]
