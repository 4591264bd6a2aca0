"""Ask people which of two answers is better: on the page of every label, or in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core import label as core
from gitloop.core.label import Case, Given, Item, Passage, Queue, Rules, Session
from gitloop.core.pairs.labelling import ITEM_KIND, by_side, sample, wanted_of
from gitloop.errors import DataError
from gitloop.steps.label.session import LabelPlan, annotator_of, pair_rules
from gitloop.steps.label.terminal import LabelReport, ask_queue
from gitloop.steps.pairs.standing import Standing, first_side, standing
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PairQuestion:
    """What is put to a person.

    Attributes:
        item: Prompt and two answers.
        first: The answer that they see first.
        second: The other.
        first_side: The side of the first, "a" or "b".
        number: Which question of this session it is, from 1.
        n_questions: How many there are.
        rules: By which criteria answers are compared.
    """

    item: Item
    first: str
    second: str
    first_side: str
    number: int
    n_questions: int
    rules: Rules

    def label(self, pick: str) -> str:
        """The label that "first", "second" or "tie" means."""
        if pick == "tie":
            return "tie"
        other = "b" if self.first_side == "a" else "a"
        return self.first_side if pick == "first" else other


Ask = Callable[[PairQuestion], Given | str]
"""Puts a question; returns the answer (first, second, tie), "skip", or "quit"."""


@dataclass(frozen=True, slots=True)
class PairLabelPlan:
    """What the person wants to label.

    Attributes:
        annotator: Their name, or "Name <address>", or None for the Git user's.
        is_senior: Whether their word settles a pair.
        is_review: Whether they go through the review queue in place of the sample.
        n_sample: Pairs in the sample, or None for pairs.sample.
        is_committed: Whether the labels are committed when the session ends.
    """

    annotator: str | None = None
    is_senior: bool = False
    is_review: bool = False
    n_sample: int | None = None
    is_committed: bool = True

    def as_label_plan(self) -> LabelPlan:
        """The same as the page and Git want it."""
        return LabelPlan(self.annotator, self.is_senior, is_committed=self.is_committed)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session about pairs.

    Attributes:
        workspace: The checkout.
        session: Who labels.
        queue: What they are asked.
        n_full: Pairs that enough others have labelled and that are not asked.
    """

    workspace: Workspace
    session: Session
    queue: Queue
    n_full: int


def open_pairs(directory: Path, plan: PairLabelPlan) -> Opened:
    """Who labels which pairs: blind, in an order of their own.

    Raises:
        ConfigError: Nobody is named.
        DataError: There are no pairs yet, or a label file is faulty.
    """
    workspace = Workspace(directory)
    params = workspace.params
    session = Session(
        annotator=annotator_of(workspace, plan.annotator),
        role="senior" if plan.is_senior else "annotator",
        guidance_version=params.labels.guidance_version,
        rubrics={},
        min_agreement=params.labels.min_agreement,
    )
    where = standing(workspace)
    if where.pairs.is_empty():
        raise DataError("there are no pairs to compare", hint="run: gitloop pairs build")
    needed = where.labels.height + 1 if plan.is_senior else params.pairs.n_annotators
    wanted = wanted_of(
        _ids(workspace, where, plan), where.labels, who=session.annotator, needed=needed
    )
    rows = {row["pair_id"]: row for row in where.pairs.iter_rows(named=True)}
    cases = [case_of(rows[pair_id]) for pair_id in wanted.pair_ids]
    queue = core.annotator_queue(session, cases, where.labels)
    return Opened(workspace, session, queue, wanted.n_full)


def label_pairs(directory: Path, ask: Ask, plan: PairLabelPlan) -> LabelReport:
    """Ask about every pair of the person's queue until they have enough, then commit.

    Each answer is on disk before the next question is put.
    """
    opened = open_pairs(directory, plan)
    rules = pair_rules(opened.workspace)

    def put(item: Item, number: int) -> Given | str:
        question = _question(opened, rules, item, number)
        answer = ask(question)
        if isinstance(answer, Given):
            return Given(question.label(answer.label), answer.comment)
        return answer

    report = ask_queue(opened.workspace, opened.session, opened.queue, put, plan.as_label_plan())
    return replace(report, n_done=report.n_done + opened.n_full)


def case_of(pair: dict[str, Any]) -> Case:
    """A pair as the page shows it: nothing in it tells which answer is chosen."""
    texts = by_side(pair["chosen"], pair["rejected"])
    turns = [Passage(turn["role"], turn["content"]) for turn in pair["history"]]
    return Case(
        kind=ITEM_KIND,
        item_id=pair["pair_id"],
        trace_id=pair["rejected_id"] or pair["pair_id"],
        passages=(*turns, Passage("user", pair["prompt"])),
        output=texts["a"],
        rival=texts["b"],
        route=pair["route"],
    )


def _ids(workspace: Workspace, where: Standing, plan: PairLabelPlan) -> list[str]:
    params = workspace.params
    if plan.is_review:
        waiting = [fate.pair_id for fate in where.fates if fate.state == "review"]
        return where.pairs.filter(pl.col("pair_id").is_in(waiting))["pair_id"].to_list()
    return sample(
        where.pairs,
        n=plan.n_sample or params.pairs.sample,
        least=params.pairs.agreement.min_items,
        seed=params.seed,
    )


def _question(opened: Opened, rules: Rules, item: Item, number: int) -> PairQuestion:
    case = item.case
    texts = {"a": case.output or "", "b": case.rival or ""}
    seed = opened.workspace.params.seed
    side = first_side(seed, case.item_id, opened.session.annotator)
    other = "b" if side == "a" else "a"
    n_questions = len(opened.queue.items)
    return PairQuestion(item, texts[side], texts[other], side, number, n_questions, rules)
