"""The world of a search: the target on golden rows, judged; the teacher; and what it all costs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gitloop.core.optimize import Samples, Spent, World
from gitloop.errors import ApiError, DataError
from gitloop.evaluation import (
    judge_selected,
    open_judge,
    open_target,
    run_target,
    with_outputs,
)
from gitloop.params import Prompt
from gitloop.protocols import Progress
from gitloop.records import Ask, Candidate, Case, RowScore, Threshold, parse_thresholds
from gitloop.steps.optimize.searched import Searched, case_of
from gitloop.storage.calls import CallStore
from gitloop.storage.files import read_json
from gitloop.workspace import Workspace

_MOST_SILENT = 5
"""Questions in a row without an answer, after which a teacher is taken to be down."""


class Evaluator:
    """Answers asks: the target on golden rows, judged, against the calibrated line.

    Args:
        searched: What the search is about.
        store: Where every call goes through.
        progress: Is told how many rows are scored.

    Attributes:
        rubrics: The rubrics that the golden rows are labelled on.
        thresholds: Rubric → its calibrated threshold.
    """

    def __init__(self, searched: Searched, store: CallStore, progress: Progress) -> None:
        self._searched, self._store, self._progress = searched, store, progress
        self._rows = {row["row_id"]: row for row in searched.golden.to_dicts()}
        rows = self._rows.values()
        self.rubrics = sorted({label["rubric"] for row in rows for label in row["labels"]})
        self.thresholds = _thresholds(searched.workspace, self.rubrics)
        self._is_pure = {
            name: open_judge(searched.workspace, name).judge.is_pure for name in self.rubrics
        }
        self._is_target_pure = open_target(searched.workspace, searched.prompt).is_pure
        self._sampled: list[RowScore] = []
        self._n_rows = 0
        self._n_answers, self._n_silent, self._teacher_fault = 0, 0, ""
        self._began = time.monotonic()

    def world(self) -> World:
        """What the search may touch: never the holdout."""
        rows = {split: ids for split, ids in self._searched.rows.items() if split != "holdout"}
        fault = self._searched.check().fault
        return World(
            self.evaluate,
            rows,
            self.teach,
            fault,
            self.spent,
            self.calls_for,
            lambda: self._teacher_fault,
        )

    @property
    def repeats_judges(self) -> bool:
        """Whether any judge might say something else of the same answer."""
        return not all(self._is_pure.values())

    def prompt_of(self, candidate: Candidate) -> Prompt:
        """The prompt file that the candidate would be."""
        return self._searched.prompt.changed(candidate)

    def sample(self, k: int) -> Samples:
        """What the prompt as it is does on validation rows: k answers each, the first judged twice.

        Its first answers are the incumbent's trial, which is not run again. What cannot differ is
        not repeated: the answers of a deterministic target, the judgements of a pure judge.
        """
        ask = Ask(self._searched.incumbent)
        answered, scores = self._run(ask, k)
        pairs = zip(scores, answered, strict=True)
        self._sampled = [row for row, case in pairs if not case.replicate]
        passed = Counter(row.row_id for row in scores if row.score == 1.0)
        ids = [row.row_id for row in self._sampled if row.score is not None]
        again: list[int] = []
        if self.repeats_judges:
            firsts = [case for case in answered if not case.replicate and case.item_id in ids]
            judged = self._judged(firsts, ask)
            once = [row for row in self._sampled if row.row_id in ids]
            twice = zip(once, judged, strict=True)
            again = [(a.score == 1.0) + (b.score == 1.0) for a, b in twice if b.score is not None]
        return Samples(k, [passed[row_id] for row_id in ids], again)

    def mean_of_sampled(self) -> float | None:
        """The incumbent's mean score on the validation split, rows without a score as failures."""
        scores = [row.score for row in self._sampled if row.score is not None]
        return round(sum(scores) / len(self._sampled), 6) if scores else None

    def evaluate(self, ask: Ask) -> list[RowScore]:
        """One score per row of the ask, in the order of its ids."""
        ids = self._searched.rows[ask.split] if ask.row_ids is None else ask.row_ids
        is_known = ask.candidate.id == self._searched.incumbent.id
        if is_known and ids == tuple(row.row_id for row in self._sampled):
            return self._sampled
        return self._run(ask)[1]

    def _run(self, ask: Ask, k: int = 1) -> tuple[list[Case], list[RowScore]]:
        """The answers to the rows of the ask, k each, and their scores, one by one."""
        ids = self._searched.rows[ask.split] if ask.row_ids is None else ask.row_ids
        cases = [case_of(self._rows[row_id]) for row_id in ids]
        workspace = self._searched.workspace
        prompt = self.prompt_of(ask.candidate)
        answers = run_target(workspace, cases, self._store, k, prompt=prompt)
        answered = with_outputs(cases, answers)
        scores = self._judged(answered, ask)
        self._n_rows += len(answered)
        most = workspace.params.optimize.max_evaluations
        self._progress("optimizing", min(self._n_rows, most), most)
        return answered, [
            replace(row, tokens=answer.tokens, cost_usd=answer.cost_usd)
            for row, answer in zip(scores, answers, strict=True)
        ]

    def _judged(self, answered: Sequence[Case], ask: Ask) -> list[RowScore]:
        """One score per answer, in order."""
        selected: dict[str, list[Case]] = {}
        for case in answered:
            for label in self._rows[case.item_id]["labels"]:
                selected.setdefault(label["rubric"], []).append(case)
        found: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for score in judge_selected(self._searched.workspace, selected, self._store).to_dicts():
            found.setdefault((score["item_id"], score["replicate"]), []).append(score)
        return [self._scored(case, found[case.item_id, case.replicate], ask) for case in answered]

    def calls_for(self, row_ids: Sequence[str]) -> int:
        """Calls that scoring these rows takes, those that the store answers included."""
        labels = [label["rubric"] for row_id in row_ids for label in self._rows[row_id]["labels"]]
        judged = sum(not self._is_pure[rubric] for rubric in labels)
        return judged + (0 if self._is_target_pure else len(row_ids))

    def teach(self, text: str) -> str | None:
        """What the teacher says; None where it failed, which is a failed candidate and no score.

        Raises:
            ApiError: It has failed again and again: a look at the holdout would be wasted.
        """
        teacher = self._searched.teacher
        if teacher is None:
            return None
        request = teacher.request(Case(item_id="question", input=text))
        (answer,) = self._store.ask("teacher", [request], teacher.call)
        output = answer.value.get("output") if answer.status == "ok" else None
        if isinstance(output, str):
            self._n_answers, self._n_silent, self._teacher_fault = self._n_answers + 1, 0, ""
            return output
        self._n_silent += 1
        self._teacher_fault = answer.error or f"its answer is {type(output).__name__}, not text"
        if self._n_silent == _MOST_SILENT:
            raise ApiError(
                f"the teacher failed {_MOST_SILENT} times in a row;"
                f" the last: {self._teacher_fault}",
                hint="the holdout was not looked at; what was answered is kept: run this again"
                " once the cause is gone",
            )
        return None

    def refuse_silence(self, n_tried: int) -> None:
        """Refuse a search of which nothing came because the teacher never answered.

        Args:
            n_tried: Different candidates tried, the incumbent included.

        Raises:
            ApiError: The teacher was asked, failed each time, and nothing else proposed anything.
        """
        if self._teacher_fault and not self._n_answers and n_tried <= 1:
            raise ApiError(
                f"the teacher answered no question; the last time: {self._teacher_fault}",
                hint="what was scored is kept: run the command again once the cause is gone",
            )

    def spent(self) -> Spent:
        """What the calls have cost so far; an answer from the store counts at its price."""
        tally = self._store.tally
        seconds = time.monotonic() - self._began
        return Spent(tally.cost_usd, tally.tokens, seconds, tally.n_calls)

    def _scored(self, case: Case, scores: list[dict[str, Any]], ask: Ask) -> RowScore:
        bad = next((score for score in scores if score["status"] != "ok"), None)
        if bad is not None:
            return RowScore(case.item_id, bad["status"], None, str(bad["reason"] or ""))
        passed = [
            self.thresholds[score["rubric"]].passes(score["score"], case.route) for score in scores
        ]
        mean = round(sum(passed) / len(passed), 6)
        if ask.split != "train":  # what a teacher may see are the training rows alone
            return RowScore(case.item_id, "ok", mean)
        failed = [
            score["reason"] or f"it fails {score['rubric']}"
            for score, is_good in zip(scores, passed, strict=True)
            if not is_good
        ]
        return RowScore(case.item_id, "ok", mean, "; ".join(failed), case.output or "")


def _thresholds(workspace: Workspace, rubrics: list[str]) -> Mapping[str, Threshold]:
    found = parse_thresholds(read_json(workspace.root / "loop/calibrate/thresholds.json"))
    missing = [name for name in rubrics if name not in found or found[name].threshold is None]
    if missing:
        raise DataError(
            f"no calibrated threshold for {', '.join(missing)}", hint="run: gitloop calibrate"
        )
    return found
