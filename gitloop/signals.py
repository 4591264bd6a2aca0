"""The words for feedback: which signals there are, of which class, and who may send one.

Standard library only, because the recorder inside a host application reads it too.
"""

from __future__ import annotations

SIGNAL_TYPES = {
    "thumbs_up": "explicit",
    "thumbs_down": "explicit",
    "rating": "explicit",
    "comment": "explicit",
    "rubric_score": "explicit",
    "relabel": "explicit",
    "retry": "implicit",
    "regenerate": "implicit",
    "abandon": "implicit",
    "copy": "implicit",
    "edit": "implicit",
    "escalate": "implicit",
    "outcome": "implicit",
}
"""signal_type → signal_class."""

SCORE_SOURCES = ("human", "api", "auto_grader")

WITHOUT_DEFAULT_SOURCE = frozenset({"rubric_score", "outcome"})
"""Signals that a person, a system or a grader may send: only the sender knows which."""
