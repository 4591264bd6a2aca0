"""What pairs are built from: tables, lines, scores, and the calls that ask for more of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from gitloop.core.pairs import (
    VERDICTS,
    Comparison,
    Line,
    Rerun,
    Written,
    cases,
    criterion,
    known_scores,
    principle_of,
)
from gitloop.errors import ConfigError
from gitloop.evaluation import (
    bind,
    call_store,
    judge_bound,
    judge_cases,
    run_target,
    with_outputs,
)
from gitloop.params import JudgePin, PairJudge, Rubric
from gitloop.protocols import Progress
from gitloop.records import Case, parse_thresholds
from gitloop.storage.calls import CallStore
from gitloop.storage.files import read_json
from gitloop.storage.labels import read_labels
from gitloop.storage.parts import read_parts
from gitloop.tables import JOINED, SCORES, TRACES
from gitloop.workspace import Workspace

CALLS_PATH = "loop/pairs/calls.parquet"
SCORES_PATH = "loop/calibrate/scores.parquet"
THRESHOLDS_PATH = "loop/calibrate/thresholds.json"


@dataclass
class World:
    """What a build reads, each once, and whom it asks.

    Attributes:
        workspace: The checkout.
        progress: Is told how far judges and target are.
    """

    workspace: Workspace
    progress: Progress

    @cached_property
    def traces(self) -> dict[str, dict[str, Any]]:
        """trace_id → row of `tables.TRACES`."""
        rows = read_parts(self.workspace.root, self.workspace.dvc, "data/traces", TRACES)
        return {row["trace_id"]: row for row in rows.drop("spans").to_dicts()}

    @cached_property
    def joined(self) -> pl.DataFrame:
        """The joined feedback."""
        return self.workspace.read("loop/join/joined.parquet", JOINED)

    @cached_property
    def store(self) -> CallStore:
        """Where every call goes through."""
        return call_store(self.workspace, CALLS_PATH)

    @cached_property
    def lines(self) -> dict[str, Line]:
        """Rubric → where it draws its line: as calibrated, else as its file says."""
        return lines_of(self.workspace)

    @cached_property
    def known(self) -> dict[str, dict[str, float]]:
        """trace_id → rubric → score that calibrate found; `judge` adds to it."""
        has_scores = (self.workspace.root / SCORES_PATH).is_file()
        return known_scores(self.workspace.read(SCORES_PATH, SCORES)) if has_scores else {}

    @cached_property
    def judging(self) -> list[str]:
        """Rubrics that can judge a trace: none that needs a reference."""
        names = sorted(self.workspace.params.rubrics)
        return [name for name in names if "reference" not in self.workspace.rubric(name).requires]

    def judge(self, trace_ids: Sequence[str]) -> None:
        """Add to `known` what the rubrics say of these traces, where it is not known yet."""
        for rubric in self.judging:
            wanting = [one for one in trace_ids if rubric not in self.known.get(one, {})]
            asked = [_case(self.traces[one], self.traces[one]["output"]) for one in sorted(wanting)]
            scores = judge_cases(self.workspace, [rubric], asked, self.store, self.progress)
            for trace_id, found in known_scores(scores).items():
                self.known.setdefault(trace_id, {}).update(found)

    def rerun(self, trace_ids: Sequence[str]) -> dict[str, Rerun]:
        """What the application says now to these traces' prompts, and what the rubrics say of it.

        An answer that failed, and a judgement that failed, verify nothing.
        """
        asked = [_case(self.traces[one], None) for one in sorted(trace_ids)]
        answers = run_target(self.workspace, asked, self.store, progress=self.progress)
        answered = [case for case in with_outputs(asked, answers) if case.output]
        scores = judge_cases(
            self.workspace, self.judging, answered, self.store, progress=self.progress
        )
        known = known_scores(scores)
        return {
            case.item_id: Rerun(str(case.output), known.get(case.item_id, {})) for case in answered
        }

    def written(self) -> dict[str, Written]:
        """trace_id → what a person wrote instead: a user's edit first, then a label's reference."""
        found: dict[str, Written] = {}
        labels = read_labels(self.workspace.root).filter(pl.col("reference").is_not_null())
        columns = ("trace_id", "reference", "annotator")
        for trace_id, text, who in (
            labels.sort("created_at", "label_id").select(columns).iter_rows()
        ):
            found[trace_id] = Written(text, (who,))
        edits = self.joined.filter(pl.col("edited_output").is_not_null())
        for trace_id, text in (
            edits.sort("created_at", "feedback_id").select("trace_id", "edited_output").iter_rows()
        ):
            found[trace_id] = Written(text, ("user",))
        return found

    def verdicts(
        self, asked: Sequence[Comparison], policy: PairJudge
    ) -> dict[str, dict[int, float]]:
        """comparison_id → replicate → what the judge of two answers says, of those that it told."""
        rubric, pin = preference_rubric(self.workspace, policy)
        bound = bind(self.workspace, rubric, pin, "pairs.judge")
        shown = cases(asked, policy.repeats)
        limit = self.workspace.params.score.max_error_rate
        scores = judge_bound(bound, shown, self.store, limit, self.progress)
        found: dict[str, dict[int, float]] = {one.comparison_id: {} for one in asked}
        for row in scores.filter(pl.col("status") == "ok").iter_rows(named=True):
            found[row["item_id"]][row["replicate"]] = row["score"]
        return found


def lines_of(workspace: Workspace) -> dict[str, Line]:
    """Rubric → where it draws its line: as calibrated, else as its file says."""
    path = workspace.root / THRESHOLDS_PATH
    calibrated = parse_thresholds(read_json(path)) if path.is_file() else {}
    found = {}
    for name in sorted(workspace.params.rubrics):
        rubric = workspace.rubric(name)
        known = calibrated.get(name)
        line, comparison = rubric.threshold, ">="
        if known is not None and known.threshold is not None:
            line, comparison = known.threshold, known.comparison
        found[name] = Line(line, comparison, rubric.noise_floor)
    return found


def preference_rubric(workspace: Workspace, policy: PairJudge) -> tuple[Rubric, JudgePin]:
    """The rubric by which two answers are compared, made of the rubrics that score one.

    Raises:
        ConfigError: A rubric is not pinned, or none says in words what it wants.
    """
    pins = workspace.params.rubrics
    names = policy.rubrics or tuple(sorted(pins))
    unknown = [name for name in names if name not in pins]
    if unknown:
        raise ConfigError(
            f"pairs.judge.rubrics names {', '.join(unknown)}, which params.yaml does not pin",
            hint=f"pinned: {', '.join(sorted(pins)) or 'none'}",
        )
    told = {name: principle_of(workspace.rubric(name)) for name in names}
    guidance = {name: text for name, text in told.items() if text}
    if not guidance:
        raise ConfigError(
            "no rubric says in words what a good answer is, so a judge cannot compare two",
            hint="add guidance to rubrics/<name>.yaml",
        )
    form = {"instructions": criterion(guidance), "verdicts": VERDICTS, "show": ["input", "output"]}
    scorer = form if policy.use == "openai" else {}
    rubric = Rubric(
        name="preference",
        version="1",
        scale="ordinal",
        requires=("input", "output"),
        guidance=criterion(guidance),
        scorer={policy.use: scorer},
    )
    pin = JudgePin(
        use=policy.use, version=policy.version, model=policy.model, parameters=policy.parameters
    )
    return rubric, pin


def _case(trace: Mapping[str, Any], output: str | None) -> Case:
    return Case(
        item_id=trace["trace_id"],
        input=trace["input"],
        context=trace["context"],
        output=output,
        route=trace["route"],
        user_cohort=trace["user_cohort"],
    )
