"""The world of a search: the target on golden rows, judged; the teacher; and what it all costs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from gitloop.core.optimize import Spent, World
from gitloop.errors import DataError
from gitloop.evaluation import judge_selected, run_target, with_outputs
from gitloop.params import Prompt
from gitloop.protocols import Progress
from gitloop.records import Answer, Ask, Candidate, Case, RowScore, Threshold, parse_thresholds
from gitloop.steps.optimize.searched import Searched, case_of
from gitloop.storage.calls import CallStore
from gitloop.storage.files import read_json
from gitloop.workspace import Workspace


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
        self._n_rows, self._cost_usd, self._tokens = 0, 0.0, 0
        self._began = time.monotonic()

    def world(self) -> World:
        """What the search may touch: never the holdout."""
        rows = {split: ids for split, ids in self._searched.rows.items() if split != "holdout"}
        return World(self.evaluate, rows, self.teach, self._searched.check().fault, self.spent)

    def prompt_of(self, candidate: Candidate) -> Prompt:
        """The prompt file that the candidate would be."""
        return self._searched.prompt.changed(candidate)

    def evaluate(self, ask: Ask) -> list[RowScore]:
        """One score per row of the ask, in the order of its ids."""
        ids = self._searched.rows[ask.split] if ask.row_ids is None else ask.row_ids
        rows = [self._rows[row_id] for row_id in ids]
        cases = [case_of(row) for row in rows]
        workspace = self._searched.workspace
        prompt = self.prompt_of(ask.candidate)
        answers = run_target(workspace, cases, self._store, prompt=prompt)
        self._pay(answers)
        answered = {case.item_id: case for case in with_outputs(cases, answers)}
        selected: dict[str, list[Case]] = {}
        for row in rows:
            for label in row["labels"]:
                selected.setdefault(label["rubric"], []).append(answered[row["row_id"]])
        scores = judge_selected(workspace, selected, self._store).to_dicts()
        self._cost_usd += sum(score["cost_usd"] or 0.0 for score in scores)
        by_row: dict[str, list[dict[str, Any]]] = {}
        for score in scores:
            by_row.setdefault(score["item_id"], []).append(score)
        self._n_rows += len(rows)
        most = workspace.params.optimize.max_evaluations
        self._progress("optimizing", min(self._n_rows, most), most)
        return [self._scored(answered[row_id], by_row[row_id], ask) for row_id in ids]

    def teach(self, text: str) -> str | None:
        """What the teacher says; None where it failed, which is a failed candidate and no score."""
        teacher = self._searched.teacher
        if teacher is None:
            return None
        request = teacher.request(Case(item_id="question", input=text))
        (answer,) = self._store.ask("teacher", [request], teacher.call)
        self._pay([answer])
        output = answer.value.get("output") if answer.status == "ok" else None
        return output if isinstance(output, str) else None

    def spent(self) -> Spent:
        """What the calls have cost so far; an answer from the store counts at its price."""
        return Spent(self._cost_usd, self._tokens, time.monotonic() - self._began)

    def _pay(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            self._cost_usd += answer.cost_usd or 0.0
            usage = answer.value.get("usage")
            tokens = usage.get("total_tokens") if isinstance(usage, Mapping) else None
            self._tokens += tokens if isinstance(tokens, int) else 0

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
