"""Labels in other tools' files: read, completed, and written again."""

from __future__ import annotations

from gitloop.core.labels.answers import Dialect, strangers
from gitloop.core.labels.argilla import argilla_records, drafts_from_argilla
from gitloop.core.labels.label_studio import (
    drafts_from_label_studio,
    label_studio_config,
    label_studio_tasks,
)
from gitloop.core.labels.native import (
    Defaults,
    Draft,
    completed,
    drafts_from_csv,
    drafts_from_jsonl,
    labels_to_csv,
)

__all__ = [
    "Defaults",
    "Dialect",
    "Draft",
    "argilla_records",
    "completed",
    "drafts_from_argilla",
    "drafts_from_csv",
    "drafts_from_jsonl",
    "drafts_from_label_studio",
    "label_studio_config",
    "label_studio_tasks",
    "labels_to_csv",
    "strangers",
]
