"""Look at golden sets, correct them, and bring sets in and out."""

from gitloop.steps.golden.changes import ChangeReport, ChangeRequest, compact, edit, retire
from gitloop.steps.golden.migration import MigrateReport, migrate
from gitloop.steps.golden.pins import PinReport, pin
from gitloop.steps.golden.reading import SetReport, export, list_sets, show, show_row
from gitloop.steps.golden.tags import TagReport, tag

__all__ = [
    "ChangeReport",
    "ChangeRequest",
    "MigrateReport",
    "PinReport",
    "SetReport",
    "TagReport",
    "compact",
    "edit",
    "export",
    "list_sets",
    "migrate",
    "pin",
    "retire",
    "show",
    "show_row",
    "tag",
]
