"""Merges of golden rows that need a person, or that a forge would get wrong."""

from gitloop.steps.merge.conflicts import ConflictReport, OpenConflict, conflicts, resolve
from gitloop.steps.merge.syncing import SyncReport, sync

__all__ = ["ConflictReport", "OpenConflict", "SyncReport", "conflicts", "resolve", "sync"]
