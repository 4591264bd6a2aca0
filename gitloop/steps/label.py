"""Ask a person about traces, one at a time, and keep every answer at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core import label as core
from gitloop.core.label import Given, Item, Queue, Session
from gitloop.errors import ConfigError, DataError, ToolError
from gitloop.evaluation import abstained
from gitloop.storage.labels import append_labels, check_annotator, read_labels
from gitloop.storage.parts import read_parts
from gitloop.tables import CLUSTERS, TRACES
from gitloop.workspace import Workspace

CLUSTERS_PATH = "loop/cluster/clusters.parquet"


@dataclass(frozen=True, slots=True)
class Question:
    """What is put to a person.

    Attributes:
        item: The case, its rubric and, for seniors, what annotators said.
        guidance: What annotators are told about the rubric.
        number: Which question of this session it is, from 1.
        n_questions: How many there are.
    """

    item: Item
    guidance: str
    number: int
    n_questions: int


Ask = Callable[[Question], Given | str]
"""Puts a question; returns the answer, "skip", or "quit"."""


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """What the person wants to label.

    Attributes:
        annotator: Their name, or None for the Git user's.
        is_senior: Whether they settle what annotators disagree on.
        rubrics: Rubrics to ask about; () for all that params.yaml pins.
        n_sample: Traces of a random sample to label in place of clusters, or None.
        n_judged: Traces of a random sample to judge, to label those on which a judge abstains.
    """

    annotator: str | None = None
    is_senior: bool = False
    rubrics: tuple[str, ...] = ()
    n_sample: int | None = None
    n_judged: int | None = None


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
        gone: Trace ids that should be shown and are not among the traces.
    """

    annotator: str
    role: str
    path: str
    n_labelled: int
    n_skipped: int
    n_left: int
    n_done: int
    gone: tuple[str, ...]


def label(directory: Path, ask: Ask, plan: LabelPlan) -> LabelReport:
    """Ask about everything in the person's queue until they have enough.

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
    queue = _queue(workspace, session, plan)
    guidance = {name: workspace.rubric(name).guidance for name in session.rubrics}
    n_labelled = n_skipped = 0
    for number, item in enumerate(queue.items, start=1):
        answer = ask(Question(item, guidance[item.rubric], number, len(queue.items)))
        if isinstance(answer, Given):
            row = core.label_row(session, item, answer, at=workspace.now())
            append_labels(workspace.root, session.annotator, [row])
            n_labelled += 1
        elif answer == "skip":
            n_skipped += 1
        else:
            break
    return LabelReport(
        annotator=session.annotator,
        role=session.role,
        path=f"labels/{session.annotator}.jsonl",
        n_labelled=n_labelled,
        n_skipped=n_skipped,
        n_left=len(queue.items) - n_labelled,
        n_done=queue.n_done,
        gone=queue.gone,
    )


def open_session(workspace: Workspace, plan: LabelPlan) -> Session:
    """Who labels and by which rules.

    Raises:
        ConfigError: Nobody is named, or a rubric is not pinned.
    """
    pins = workspace.params.rubrics
    unknown = sorted(set(plan.rubrics) - set(pins))
    if unknown or not pins:
        raise ConfigError(
            f"params.yaml pins no rubric {', '.join(unknown)}"
            if unknown
            else "no rubric is pinned",
            hint=f"pinned: {', '.join(sorted(pins)) or 'none; edit params.yaml: rubrics'}",
        )
    annotator = plan.annotator or _git_user(workspace)
    check_annotator(annotator)
    return Session(
        annotator=annotator,
        role="senior" if plan.is_senior else "annotator",
        guidance_version=workspace.params.labels.guidance_version,
        rubrics={name: pins[name].version for name in plan.rubrics or sorted(pins)},
        min_agreement=workspace.params.labels.min_agreement,
    )


def _git_user(workspace: Workspace) -> str:
    """The Git user's name as the stem of a label file."""
    for key in ("user.name", "user.email"):
        try:
            name = core.annotator_name(workspace.git.text("config", "--get", key))
        except ToolError:  # git config exits 1 when the key is not set
            continue
        if name:
            return name
    raise ConfigError(
        "Git does not know who you are",
        hint="run: gitloop label --as NAME, or git config user.name",
    )


def _queue(workspace: Workspace, session: Session, plan: LabelPlan) -> Queue:
    labels = read_labels(workspace.root)
    traces = read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)
    if session.role == "senior":
        return core.senior_queue(session, traces, labels)
    seed = workspace.params.seed
    if plan.n_judged is not None:
        ids = core.sampled(traces, n=plan.n_judged, seed=seed)
        unsure = abstained(
            workspace, traces.filter(pl.col("trace_id").is_in(ids)), list(session.rubrics)
        )
        pairs = [(one.trace_id, one.rubric) for one in unsure]
        return core.unsure_queue(session, traces, labels, pairs)
    if plan.n_sample is not None:
        return core.sample_queue(session, traces, labels, n=plan.n_sample, seed=seed)
    return core.annotator_queue(session, _clusters(workspace), traces, labels)


def _clusters(workspace: Workspace) -> pl.DataFrame:
    if not (workspace.root / CLUSTERS_PATH).is_file():
        raise DataError(
            "failures have not been clustered yet, so there is nothing to choose cases from",
            hint="run: dvc repro cluster, or: gitloop label --sample 50",
        )
    return workspace.read(CLUSTERS_PATH, CLUSTERS)
