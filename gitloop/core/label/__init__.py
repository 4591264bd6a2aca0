"""What a person is shown next, and the label that their answer makes."""

from __future__ import annotations

from gitloop.core.label.answers import (
    PREFERENCE,
    annotator_name,
    form_of,
    label_id,
    label_row,
)
from gitloop.core.label.cases import (
    Shown,
    golden_cases,
    representatives,
    run_cases,
    sample,
    session_cases,
    span_cases,
    trace_cases,
)
from gitloop.core.label.items import (
    Case,
    Given,
    Item,
    Key,
    Opinion,
    Passage,
    Queue,
    Session,
)
from gitloop.core.label.queues import (
    PREFERENCE_RUBRIC,
    Dispute,
    annotator_queue,
    disputes,
    key_of,
    senior_queue,
    unsure_queue,
)
from gitloop.core.label.views import Rules, given, overview, revision, turned, view

__all__ = [
    "PREFERENCE",
    "PREFERENCE_RUBRIC",
    "Case",
    "Dispute",
    "Given",
    "Item",
    "Key",
    "Opinion",
    "Passage",
    "Queue",
    "Rules",
    "Session",
    "Shown",
    "annotator_name",
    "annotator_queue",
    "disputes",
    "form_of",
    "given",
    "golden_cases",
    "key_of",
    "label_id",
    "label_row",
    "overview",
    "representatives",
    "revision",
    "run_cases",
    "sample",
    "senior_queue",
    "session_cases",
    "span_cases",
    "trace_cases",
    "turned",
    "unsure_queue",
    "view",
]
