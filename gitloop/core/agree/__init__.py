"""How far annotators agree, who disagrees with whom on what, and what may be promoted."""

from __future__ import annotations

from gitloop.core.agree.clauses import SectionAgreement
from gitloop.core.agree.measuring import Dispute, RubricAgreement, Rulebook, agree
from gitloop.core.agree.people import Difference, PairAgreement, PersonAgreement
from gitloop.core.agree.policy import Standing, hold_back, standings

__all__ = [
    "Difference",
    "Dispute",
    "PairAgreement",
    "PersonAgreement",
    "RubricAgreement",
    "Rulebook",
    "SectionAgreement",
    "Standing",
    "agree",
    "hold_back",
    "standings",
]
