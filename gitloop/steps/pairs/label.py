"""Ask a person which of two answers is better, blind, and keep every answer at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitloop.core.label import annotator_name, label_id
from gitloop.core.pairs.labelling import ITEM_KIND, RUBRIC, PairItem, PairQueue, queue, sample
from gitloop.errors import ConfigError, ToolError
from gitloop.steps.pairs.standing import Standing, standing
from gitloop.storage.labels import append_labels, check_annotator
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PairQuestion:
    """What is put to a person.

    Attributes:
        item: Prompt and two answers.
        number: Which question of this session it is, from 1.
        n_questions: How many there are.
    """

    item: PairItem
    number: int
    n_questions: int


@dataclass(frozen=True, slots=True)
class Pick:
    """An answer.

    Attributes:
        choice: "first", "second" or "tie".
        comment: Why, or None.
    """

    choice: str
    comment: str | None = None


Ask = Callable[[PairQuestion], Pick | str]
"""Puts a question; returns the answer, "skip", or "quit"."""


@dataclass(frozen=True, slots=True)
class PairLabelPlan:
    """What the person wants to label.

    Attributes:
        annotator: Their name, or None for the Git user's.
        is_senior: Whether their word settles a pair.
        is_review: Whether they go through the review queue in place of the sample.
        n_sample: Pairs in the sample, or None for pairs.sample.
    """

    annotator: str | None = None
    is_senior: bool = False
    is_review: bool = False
    n_sample: int | None = None


@dataclass(frozen=True, slots=True)
class PairLabelReport:
    """How a session went.

    Attributes:
        annotator: Who labelled.
        role: "annotator" or "senior".
        path: Where the labels are, relative to the root.
        n_labelled: Questions answered, each on disk.
        n_skipped: Questions put off.
        n_left: Questions that are still open.
        n_done: Pairs that this person had labelled before.
        n_full: Pairs that enough others have labelled.
        n_sample: Pairs in the sample or the review queue.
    """

    annotator: str
    role: str
    path: str
    n_labelled: int
    n_skipped: int
    n_left: int
    n_done: int
    n_full: int
    n_sample: int


def label_pairs(directory: Path, ask: Ask, plan: PairLabelPlan) -> PairLabelReport:
    """Ask about every pair of the person's queue until they have enough.

    Each answer is on disk before the next question is put.

    Raises:
        ConfigError: Nobody is named.
        DataError: There are no pairs yet, or a label file is faulty.
    """
    workspace = Workspace(directory)
    annotator = plan.annotator or _git_user(workspace)
    check_annotator(annotator)
    asked = _queue(workspace, standing(workspace), plan, annotator)
    n_labelled = n_skipped = 0
    for number, item in enumerate(asked.items, start=1):
        answer = ask(PairQuestion(item, number, len(asked.items)))
        if isinstance(answer, Pick):
            row = _row(workspace, plan, annotator, item, answer)
            append_labels(workspace.root, annotator, [row])
            n_labelled += 1
        elif answer == "skip":
            n_skipped += 1
        else:
            break
    return PairLabelReport(
        annotator=annotator,
        role="senior" if plan.is_senior else "annotator",
        path=f"labels/{annotator}.jsonl",
        n_labelled=n_labelled,
        n_skipped=n_skipped,
        n_left=len(asked.items) - n_labelled,
        n_done=asked.n_done,
        n_full=asked.n_full,
        n_sample=asked.n_sample,
    )


def _queue(workspace: Workspace, where: Standing, plan: PairLabelPlan, annotator: str) -> PairQueue:
    params = workspace.params
    if plan.is_review:
        wanted = where.of_state("review")["pair_id"].to_list()
    else:
        wanted = sample(
            where.pairs,
            n=plan.n_sample or params.pairs.sample,
            least=params.pairs.agreement.min_items,
            seed=params.seed,
        )
    needed = len(where.labels) + 1 if plan.is_senior else params.pairs.n_annotators
    return queue(where.pairs, wanted, where.labels, who=annotator, needed=needed)


def _row(
    workspace: Workspace, plan: PairLabelPlan, annotator: str, item: PairItem, pick: Pick
) -> dict[str, Any]:
    """The label that an answer makes: a row of `tables.LABELS`."""
    guidance = workspace.params.labels.guidance_version
    return {
        "label_id": label_id(annotator, item.pair_id, RUBRIC, guidance),
        "trace_id": item.pair_id,
        "item_kind": ITEM_KIND,
        "rubric": RUBRIC,
        "label": item.side(pick.choice),
        "comment": pick.comment,
        "annotator": annotator,
        "role": "senior" if plan.is_senior else "annotator",
        "guidance_version": guidance,
        "created_at": workspace.now(),
    }


def _git_user(workspace: Workspace) -> str:
    """The Git user's name as the stem of a label file."""
    for key in ("user.name", "user.email"):
        try:
            name = annotator_name(workspace.git.text("config", "--get", key))
        except ToolError:  # git config exits 1 when the key is not set
            continue
        if name:
            return name
    raise ConfigError(
        "Git does not know who you are",
        hint="run: gitloop pairs label --as NAME, or git config user.name",
    )
