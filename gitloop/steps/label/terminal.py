"""Ask a person one question at a time, and keep every answer at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitloop.core import label as core
from gitloop.core.label import Given, Item, Queue, Session
from gitloop.params import LabelForm, Section, sections, unbroken
from gitloop.steps.label.committing import Committed, commit_labels
from gitloop.steps.label.session import LabelPlan, identity_of, open_queue, open_session
from gitloop.storage.labels import append_labels
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Question:
    """What is put to a person.

    Attributes:
        item: The case, its rubric and, for seniors, what annotators said.
        guidance: What annotators are told about the rubric, each paragraph on one line.
        guidance_version: Its version.
        form: How it is answered.
        number: Which question of this session it is, from 1.
        n_questions: How many there are.
        sections: The guidance in sections, of which a person may name those that decided.
    """

    item: Item
    guidance: str
    guidance_version: str
    form: LabelForm
    number: int
    n_questions: int
    sections: tuple[Section, ...] = ()


Ask = Callable[[Question], Given | str]
"""Puts a question; returns an answer that the form takes, "skip", or "quit"."""


@dataclass(frozen=True, slots=True)
class LabelReport:
    """How a session went.

    Attributes:
        annotator: Who labelled.
        role: "annotator" or "senior".
        path: Where the labels are, relative to the root.
        n_labelled: Questions answered, each on disk.
        n_skipped: Questions put off.
        n_left: Questions that are still open.
        n_done: Items that needed no question.
        gone: Ids of cases that should be shown and are no longer there.
        committed: What became of the labels in Git.
    """

    annotator: str
    role: str
    path: str
    n_labelled: int
    n_skipped: int
    n_left: int
    n_done: int
    gone: tuple[str, ...]
    committed: Committed


def label(directory: Path, ask: Ask, plan: LabelPlan) -> LabelReport:
    """Ask about everything in the person's queue until they have enough, then commit.

    Each answer is on disk before the next question is put.

    Args:
        directory: A directory in the repository.
        ask: Puts a question to the person.
        plan: Who labels what.

    Raises:
        ConfigError: Nobody is named, or a rubric is unknown.
        DataError: There is nothing to choose from yet, or a label file is faulty.
    """
    workspace = Workspace(directory)
    session = open_session(workspace, plan)
    queue = open_queue(workspace, session, plan)
    guidance = {name: workspace.rubric(name).guidance for name in session.rubrics}

    def put(item: Item, number: int) -> Given | str:
        form = core.form_of(session, item)
        told = guidance.get(item.rubric, "")
        version = session.guidance_version
        n = len(queue.items)
        return ask(Question(item, unbroken(told), version, form, number, n, sections(told)))

    return ask_queue(workspace, session, queue, put, plan)


def ask_queue(
    workspace: Workspace,
    session: Session,
    queue: Queue,
    put: Callable[[Item, int], Given | str],
    plan: LabelPlan,
) -> LabelReport:
    """Put any queue of questions, one by one; `gitloop pairs label` brings pairs.

    Ctrl-C ends the session as quitting does; what was half answered then is no label.

    Args:
        workspace: The checkout.
        session: Who labels.
        queue: What they are asked.
        put: Puts an item, the nth question from 1; returns a label, "skip", or "quit".
        plan: Who labels what, and whether it is committed.
    """
    n_labelled = n_skipped = 0
    for number, item in enumerate(queue.items, start=1):
        try:
            answer = put(item, number)
        except KeyboardInterrupt:
            break
        if isinstance(answer, Given):
            row = core.label_row(session, item, answer, at=workspace.now())
            append_labels(workspace.root, session.annotator, [row])
            n_labelled += 1
        elif answer == "skip":
            n_skipped += 1
        else:
            break
    committed = Committed()
    if plan.is_committed:
        identity = identity_of(workspace, plan, session.annotator)
        committed = commit_labels(workspace, session, identity)
    return LabelReport(
        annotator=session.annotator,
        role=session.role,
        path=f"labels/{session.annotator}.jsonl",
        n_labelled=n_labelled,
        n_skipped=n_skipped,
        n_left=len(queue.items) - n_labelled,
        n_done=queue.n_done,
        gone=queue.gone,
        committed=committed,
    )
