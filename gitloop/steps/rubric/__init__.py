"""The rubrics: which there are, what each says, what is wrong with it, and ready ones."""

from gitloop.steps.rubric.comparing import RubricDiff, diff_rubric
from gitloop.steps.rubric.looking import (
    LintReport,
    RubricDetail,
    RubricLine,
    lint_rubrics,
    list_rubrics,
    show_rubric,
)
from gitloop.steps.rubric.shelf import AddReport, ShelfLine, add_rubric, list_shelf

__all__ = [
    "AddReport",
    "LintReport",
    "RubricDetail",
    "RubricDiff",
    "RubricLine",
    "ShelfLine",
    "add_rubric",
    "diff_rubric",
    "lint_rubrics",
    "list_rubrics",
    "list_shelf",
    "show_rubric",
]
