"""The local judge: a deterministic metric, with no model and no network.

A rubric says which one: `scorer: {local: {metric: contains, all: [refund]}}`. One metric,
`embedding`, may ask an embeddings endpoint: its calls go through the call store like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

from gitloop.arguments import check
from gitloop.documents import nearest
from gitloop.errors import ConfigError
from gitloop.judges.metrics import NAMES, metric
from gitloop.judges.metrics.metric import Fields, unjudgeable
from gitloop.llm import Price
from gitloop.params import JudgePin, Rubric
from gitloop.records import Answer, Case, Judgement


class LocalJudge:
    """Scores by a deterministic metric, with no model and no network."""

    id: ClassVar[str] = "local"
    version: ClassVar[str] = "1"
    returns: ClassVar[str] = "as its metric, below"
    is_pure: bool = True
    """Whether it calls nobody."""

    def __init__(self, rubric: Rubric, pin: JudgePin, root: Path) -> None:  # noqa: ARG002 -- the protocol's
        where = f"rubrics/{rubric.name}.yaml: scorer.local"
        pinned = f"params.yaml: rubrics.{rubric.name}.judge"
        form = dict(rubric.scorer[self.id])
        name = form.pop("metric", None)
        if name not in NAMES:
            like = nearest(str(name), list(NAMES))
            raise ConfigError(
                f"{where}.metric is missing"
                if name is None
                else f"{where}.metric: there is no metric {name}"
                + (f"; did you mean {like}?" if like else ""),
                hint="run: gitloop judge list",
            )
        self._metric = metric(name)
        self._arguments = check(form, self._metric.arguments, where=where)
        self.is_pure = not self._metric.is_remote(self._arguments)
        self._price = Price()
        if self.is_pure:
            check(pin.parameters, {}, where=f"{pinned}.parameters")
            made = self._arguments
        else:
            made = {**self._arguments, "pin": _reached(pin, pinned)}
            told = pin.parameters.get("price") or {}
            self._price = Price(told.get("input"), told.get("output"))
            decisive = {"model": pin.model, "extra": pin.parameters.get("extra", {})}
            self._arguments = {**self._arguments, **decisive}
        try:
            self._score = self._metric.make(made)
        except ValueError as error:
            raise ConfigError(
                f"{where}.{error}", hint=f"edit rubrics/{rubric.name}.yaml"
            ) from error

    def request(self, case: Case) -> dict[str, Any]:
        """The metric, its arguments and the texts that it looks at."""
        names = dict.fromkeys((*self._metric.needs, *self._metric.takes))
        row = {name: getattr(case, name) for name in names}
        return {"metric": self._metric.name, "arguments": self._arguments, "row": row}

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """One judgement per request; a row that the metric cannot take has the status missing."""
        rows = [request["row"] for request in requests]
        lacks = [self._lack(row) for row in rows]
        able = [_told(row) for row, lack in zip(rows, lacks, strict=True) if not lack]
        judged = iter(self._score(able))
        judgements = [unjudgeable(lack) if lack else next(judged) for lack in lacks]
        return [_answer(found) for found in judgements]

    def read(self, answer: Answer) -> Judgement:
        """The judgement in an answer."""
        return Judgement(**answer.value)

    def estimate(self, request: Mapping[str, Any]) -> tuple[int, int, float | None]:
        """Tokens read and written by a remote metric's request, and US dollars, if priced."""
        texts = [{"content": text} for text in request["row"].values() if text is not None]
        return self._price.estimate(texts, 0)

    def _lack(self, row: Mapping[str, str | None]) -> str:
        """Why the metric cannot take the row, or ""."""
        absent = [name for name in self._metric.needs if row[name] is None]
        if absent:
            return f"the row has no {' and no '.join(absent)}"
        if not self._metric.takes_empty and not str(row["output"]).strip():
            return "the output is empty"
        return ""


def _told(row: Mapping[str, str | None]) -> Fields:
    """The fields that the row has."""
    if None not in row.values():
        return cast("Fields", row)  # nearly every row: a dict less for each
    return {name: text for name, text in row.items() if text is not None}


def _reached(pin: JudgePin, where: str) -> dict[str, Any]:
    """The model and the way to it, as the pin of a remote metric has them.

    Raises:
        ConfigError: The pin names no model.
    """
    if pin.model is None:
        raise ConfigError(f"{where}.model is missing", hint="name the model, with its version")
    return {"model": pin.model, **pin.parameters}


def _answer(found: Judgement) -> Answer:
    """The judgement as an answer; one that a server did not give is none."""
    if found.status not in ("ok", "missing"):
        return Answer(found.status, error=found.reason)
    return Answer("ok", {"status": found.status, "score": found.score, "reason": found.reason})
