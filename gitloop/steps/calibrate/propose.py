"""Where rubrics and people disagree, and a rewrite on a branch where a model has a better one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from gitloop.core import calibrate as core
from gitloop.core.calibrate import Clause, Dispute, Evidence
from gitloop.errors import DataError, StaleError
from gitloop.evaluation import (
    BoundJudge,
    bind_judge,
    call_store,
    judge_bound,
    open_judge,
    settle_refresh,
)
from gitloop.optimizers.editing import fenced, lines_after
from gitloop.params import Rubric
from gitloop.plugins import load
from gitloop.protocols import Progress, Target, silent
from gitloop.records import Case, Threshold, parse_thresholds
from gitloop.steps.calibrate.inputs import FOLDER, cases, gather, read_traces, some_labels
from gitloop.steps.calibrate.rewrites import WORDS, ProposedRubric, Rewrite, candidate, on_branch
from gitloop.storage.calls import CallStore
from gitloop.storage.files import read_json
from gitloop.tables import SCORES
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ProposeReport:
    """What `gitloop calibrate --propose` found.

    Attributes:
        rubrics: By name.
        skipped: Rubric → why it was not looked at.
    """

    rubrics: tuple[ProposedRubric, ...]
    skipped: dict[str, str]


@dataclass(frozen=True, slots=True)
class Subject:
    """One rubric with everything that is known about it."""

    bound: BoundJudge
    evidence: Evidence
    items: pl.DataFrame
    line: Threshold


def propose(
    directory: Path,
    *,
    rubrics: tuple[str, ...] = (),
    n_rewrites: int = 1,
    progress: Progress = silent,
) -> ProposeReport:
    """Show where rubrics and people disagree, and put a better text on a branch of its own.

    The teacher of `optimize.teacher` writes the rewrites; without one there is only the report. It
    sees half of the labels; its text is judged on the other half, once. Neither sees the pinned
    holdout. The user's index, work tree and HEAD stay as they are.

    Args:
        directory: A directory in the repository.
        rubrics: Only these; () for all that params.yaml pins.
        n_rewrites: Texts to ask for, of which the best on the shown half is tried on the other.
        progress: Is told how far the judges are.

    Raises:
        DataError: Nothing is calibrated yet, or no rubric can be looked at.
        StaleError: A rubric asked for was calibrated with other pins.
        ApiError: More judge calls failed than `score.max_error_rate` allows.
    """
    workspace = Workspace(directory)
    scores = workspace.read(f"{FOLDER}/scores.parquet", SCORES)
    thresholds = parse_thresholds(read_json(workspace.root / f"{FOLDER}/thresholds.json"))
    labels = some_labels(workspace).labels
    comments = _comments(labels, workspace.params.labels.guidance_version)
    store = call_store(workspace, f"{FOLDER}/calls.parquet")
    found, skipped = [], {}
    for evidence in gather(workspace, labels, read_traces(workspace), rubrics):
        bound, line = open_judge(workspace, evidence.rubric), thresholds.get(evidence.rubric)
        why = _unusable(line, bound)
        if why and rubrics:
            raise StaleError(f"{evidence.rubric}: {why}", hint="run: dvc repro calibrate")
        if why or line is None:
            skipped[evidence.rubric] = why
            continue
        items = _items(evidence, scores, comments)
        subject = Subject(bound, evidence, items, line)
        found.append(_proposed(workspace, subject, store, n_rewrites, progress))
    settle_refresh(workspace, FOLDER, store)
    if not found:
        reasons = "\n".join(f"  {name}: {why}" for name, why in sorted(skipped.items()))
        raise DataError(f"no rubric can be looked at:\n{reasons}", hint="run: gitloop calibrate")
    return ProposeReport(tuple(found), skipped)


def _unusable(line: Threshold | None, bound: BoundJudge) -> str:
    if line is None or line.threshold is None:
        return "it has no calibrated threshold"
    if line.judge_sha256 != bound.sha256:
        return "it was calibrated with another rubric or judge: run gitloop calibrate"
    return ""


def _comments(labels: pl.DataFrame, guidance_version: str) -> pl.DataFrame:
    """(rubric, trace_id) → what people wrote beside their labels, in one text."""
    current = labels.filter(
        (pl.col("guidance_version") == guidance_version) & pl.col("comment").is_not_null()
    )
    return (
        current.sort("rubric", "trace_id", "annotator", "created_at")
        .group_by("rubric", "trace_id", maintain_order=True)
        .agg(comments=pl.col("comment").str.join(" / "))
    )


def _items(evidence: Evidence, scores: pl.DataFrame, comments: pl.DataFrame) -> pl.DataFrame:
    """The scored items with the judge's reason and people's comments, "" where there are none."""
    own = scores.filter((pl.col("rubric") == evidence.rubric) & (pl.col("status") == "ok"))
    reasons = own.sort("replicate").unique("item_id", keep="first")
    written = comments.filter(rubric=evidence.rubric).drop("rubric")
    return (
        core.scored_items(evidence, scores)
        .join(reasons.select(trace_id="item_id", reason="reason"), on="trace_id", how="left")
        .join(written, on="trace_id", how="left")
        .with_columns(pl.col("reason", "comments").fill_null(""))
        .sort("trace_id")
    )


def _disputed(subject: Subject, items: pl.DataFrame) -> tuple[Dispute, pl.DataFrame]:
    """Where judge and people differ among the items, and the items on which they do."""
    verdicts = [
        subject.line.passes(score, route) for score, route in items.select("score", "route").rows()
    ]
    said = pl.when(pl.col("comments") == "").then("reason").otherwise("comments").str.strip_chars()
    judged = items.with_columns(
        judge=pl.Series(verdicts, dtype=pl.Boolean), people=pl.col("verdict") == "pass", said=said
    )
    rubric, pin = subject.bound.rubric, subject.bound.pin
    read = rubric.scorer[pin.use].get(WORDS)
    clauses: list[Clause] = core.split_clauses(read, WORDS) if isinstance(read, str) else []
    clauses += core.split_clauses(rubric.guidance, "guidance")
    return core.dispute(judged, clauses), judged.filter(pl.col("judge") != pl.col("people"))


def _proposed(
    workspace: Workspace, subject: Subject, store: CallStore, n_rewrites: int, progress: Progress
) -> ProposedRubric:
    """The report on one rubric, and its rewrite where a teacher is there and has a better text."""
    rubric, pin = subject.bound.rubric, subject.bound.pin
    found, _ = _disputed(subject, subject.items.filter(~pl.col("is_held_out")))
    report = ProposedRubric(
        rubric.name, rubric.version, subject.bound.name, found, "report only", ""
    )
    teacher = workspace.params.optimize.teacher
    if not isinstance(rubric.scorer[pin.use].get(WORDS), str):
        why = f"{subject.bound.name} reads no words: nothing to rewrite"
    elif not found.n_differ:
        why = "judge and people agree on every row: nothing to mend"
    elif teacher is None:
        why = "no model is configured to write a rewrite: set optimize.teacher in params.yaml"
    else:
        shown, kept = core.halves(subject.items, workspace.params.seed)
        ask: Target = load("targets", teacher.use)(teacher, None, workspace.root)
        rewrites = _rewrites(subject, shown, (ask, store), n_rewrites)
        report = replace(report, outcome="no rewrite", rewrites=tuple(rewrites))
        return _tried(workspace, subject, report, (shown, kept), (store, progress))
    return replace(report, message=why)


def _tried(
    workspace: Workspace,
    subject: Subject,
    report: ProposedRubric,
    halves: tuple[pl.DataFrame, pl.DataFrame],
    means: tuple[CallStore, Progress],
) -> ProposedRubric:
    """The report with the best rewrite's look at the rows that were kept back."""
    shown, kept = halves
    rubric, kind = subject.bound.rubric, subject.bound.pin.use
    usable = [one for one in report.rewrites if not one.fault]
    if not usable:
        return replace(report, message="; ".join(sorted({one.fault for one in report.rewrites})))
    candidates = [candidate(rubric, kind, one.text) for one in usable]
    scored = [_scored(workspace, one, shown, means) for one in candidates]
    calibrate = workspace.params.calibrate
    place = core.best_rewrite(scored, calibrate)
    if place < 0:
        return replace(report, message="no rewrite tells the shown rows apart")
    new = _scored(workspace, candidates[place], kept, means)
    compared = core.compare((shown, scored[place]), (kept, new), calibrate)
    if isinstance(compared, str):
        return replace(report, message=compared)
    chosen = usable[place]
    report = replace(report, rewrites=(chosen,), comparison=compared, outcome="not better")
    if not compared.is_better:
        return replace(report, message="on labels that were kept back the rewrite does no better")
    return on_branch(workspace, subject.bound, report, chosen)


def _rewrites(
    subject: Subject, shown: pl.DataFrame, means: tuple[Target, CallStore], n: int
) -> list[Rewrite]:
    """What the teacher writes, and what is wrong with it."""
    teacher, store = means
    rubric, pin = subject.bound.rubric, subject.bound.pin
    read = str(rubric.scorer[pin.use][WORDS])
    found, differ = _disputed(subject, shown)
    if differ.is_empty():
        return [Rewrite("", "", "judge and people agree on every row that may be shown")]
    told = differ.with_columns(
        pl.when(pl.col(name)).then(pl.lit("pass")).otherwise(pl.lit("fail")).alias(name)
        for name in ("judge", "people")
    )
    text = core.question(read, rubric.guidance, found, told)
    request = teacher.request(Case(item_id="question", input=text))
    made = []
    for answer in store.ask("teacher", [request] * n, teacher.call):
        reply = answer.value.get("output") if answer.status == "ok" else None
        said = reply if isinstance(reply, str) else None
        written = fenced(said)
        fault = f"the model failed: {answer.error}" if said is None else ""
        fault = fault or core.rewrite_fault(written, read, subject.items)
        hypothesis = next(iter(lines_after(said, "Hypothesis")), "")
        made.append(Rewrite(written or "", hypothesis, fault))
    return made


def _scored(
    workspace: Workspace,
    rubric: Rubric,
    items: pl.DataFrame,
    means: tuple[CallStore, Progress],
) -> pl.DataFrame:
    """The items with the scores of a text; those that it cannot score are left out."""
    store, progress = means
    limit = workspace.params.score.max_error_rate
    scores = judge_bound(bind_judge(workspace, rubric), cases(items), store, limit, progress)
    new = scores.filter(pl.col("status") == "ok").select(trace_id="item_id", score="score")
    return items.drop("score").join(new, on="trace_id", how="inner").sort("trace_id")
