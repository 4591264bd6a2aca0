"""Outputs through the judges that params.yaml pins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import polars as pl

from gitloop.digests import sha256_of
from gitloop.errors import ConfigError
from gitloop.evaluation.calling import ask, refuse_errors, storable
from gitloop.evaluation.versions import refuse_silent_changes
from gitloop.judges import binding
from gitloop.params import JudgePin, Rubric
from gitloop.protocols import Judge, Panel, Progress, silent
from gitloop.records import Answer, Case, Judgement
from gitloop.storage.calls import CallStore
from gitloop.tables import SCORES
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class BoundJudge:
    """A rubric, and the judge that params.yaml pins for it.

    Attributes:
        rubric: The rubric.
        pin: The pin.
        judge: The judge, ready to judge this rubric.
    """

    rubric: Rubric
    pin: JudgePin
    judge: Judge

    @property
    def name(self) -> str:
        """How the judge is named in scores, e.g. "local/1" or "openai/1:gpt-4o#2"."""
        return judge_name(self.pin)

    @property
    def sha256(self) -> str:
        """Digest of everything that decides its scores: the rubric's content and the pin."""
        return judge_sha256(self.rubric, self.pin)


def judge_sha256(rubric: Rubric, pin: JudgePin) -> str:
    """Digest of everything that decides a judge's scores: the rubric's content and the pin."""
    pinned = pin.model_dump(exclude={"span"} if pin.span == 1 else set())
    return sha256_of({"rubric": rubric.sha256, "pin": pinned})


def judge_name(pin: JudgePin) -> str:
    """The pinned judge's kind, version, model and span after the first: "openai/1:gpt-4o#2"."""
    model = f":{pin.model}" if pin.model else ""
    return f"{pin.use}/{pin.version}{model}" + (f"#{pin.span}" if pin.span > 1 else "")


def open_judge(workspace: Workspace, rubric: str) -> BoundJudge:
    """The judge of a rubric, as params.yaml pins it.

    Raises:
        ConfigError: The rubric is not pinned or not there, its judge has another version than the
            pin, or the rubric says nothing to that kind of judge.
    """
    pins = workspace.params.rubrics
    if rubric not in pins:
        known = ", ".join(sorted(pins)) or "none"
        raise ConfigError(
            f"params.yaml pins no rubric {rubric}",
            hint=f"add rubrics.{rubric} to params.yaml; pinned: {known}",
        )
    return bind_judge(workspace, workspace.rubric(rubric))


def bind_judge(workspace: Workspace, rubric: Rubric) -> BoundJudge:
    """The judge that params.yaml pins for a rubric of this name, bound to this very text of it.

    Raises:
        ConfigError: As `open_judge`, but for what the rubric's file says.
    """
    pin = workspace.params.rubrics[rubric.name].judge
    return bind(workspace, rubric, pin, f"rubrics.{rubric.name}.judge")


def bind(workspace: Workspace, rubric: Rubric, pin: JudgePin, key: str) -> BoundJudge:
    """A judge with the rubric that it is to judge.

    Args:
        workspace: The checkout.
        rubric: The rubric.
        pin: The judge's pin.
        key: Where params.yaml holds it.

    Raises:
        ConfigError: The judge has another version than the pin, or the rubric says nothing to it.
    """
    return BoundJudge(rubric, pin, binding.bind(rubric, pin, workspace.root, key=key))


def open_judges(workspace: Workspace, rubrics: Sequence[str] | None = None) -> list[BoundJudge]:
    """The judges of these rubrics, or of all that params.yaml pins, sorted by rubric.

    Raises:
        ConfigError: As `open_judge`, every rubric's fault at once; or a rubric's version has had
            another content before, so that scores of both would mix.
    """
    opened, faults = [], []
    for rubric in sorted(set(workspace.params.rubrics if rubrics is None else rubrics)):
        try:
            opened.append(open_judge(workspace, rubric))
        except ConfigError as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults.pop()  # an error in a list of its own frame would keep git's processes alive
    if faults:
        raise ConfigError(
            "\n".join(fault.message for fault in faults), hint="run: gitloop rubric lint"
        )
    refuse_silent_changes(workspace, [bound.rubric for bound in opened])
    return opened


def judge_cases(
    workspace: Workspace,
    rubrics: Sequence[str],
    cases: Sequence[Case],
    store: CallStore,
    progress: Progress = silent,
) -> pl.DataFrame:
    """The scores of every case on every rubric, fitting `tables.SCORES`, sorted by its key.

    Raises:
        ConfigError: A rubric or its judge is misconfigured.
        StaleError: Mode replay, and a judgement was never recorded.
        ApiError: More calls failed than `score.max_error_rate` allows.
        CallTimeoutError: The same, and most of them were too slow.
    """
    return judge_selected(workspace, dict.fromkeys(rubrics, cases), store, progress)


def judge_selected(
    workspace: Workspace,
    selected: Mapping[str, Sequence[Case]],
    store: CallStore,
    progress: Progress = silent,
) -> pl.DataFrame:
    """The scores of each rubric's own cases; otherwise as `judge_cases`.

    Args:
        workspace: The checkout.
        selected: Rubric → the cases to judge by it.
        store: Where the calls go through.
        progress: Is told how far each rubric is.
    """
    judges = open_judges(workspace, list(selected))
    limit = workspace.params.score.max_error_rate
    frames = [
        judge_bound(bound, selected[bound.rubric.name], store, limit, progress) for bound in judges
    ]
    return SCORES.order(pl.concat(frames)) if frames else SCORES.empty()


def judge_bound(
    bound: BoundJudge,
    cases: Sequence[Case],
    store: CallStore,
    max_error_rate: float,
    progress: Progress = silent,
) -> pl.DataFrame:
    """The scores of the cases by one judge, in their order; otherwise as `judge_cases`.

    Args:
        bound: The judge and the rubric.
        cases: What it is shown.
        store: Where the calls go through.
        max_error_rate: Share of failed calls above which there are no scores, [0, 1].
        progress: Is told how far it is.
    """
    judged = _judged(bound, cases, store, progress)
    told = [(judgement.status, judgement.reason) for judgement, _ in judged]
    refuse_errors(f"judge of {bound.rubric.name}", told, max_error_rate)
    rows = [
        score_row(bound, case, judgement, answer)
        for case, (judgement, answer) in zip(cases, judged, strict=True)
    ]
    return pl.DataFrame(rows, schema=SCORES.schema)


def score_row(
    bound: BoundJudge, case: Case, judgement: Judgement, answer: Answer | None = None
) -> dict[str, Any]:
    """One row of `tables.SCORES`."""
    return {
        "item_id": case.item_id,
        "rubric": bound.rubric.name,
        "rubric_version": bound.rubric.version,
        "rubric_sha256": bound.rubric.sha256,
        "judge": bound.name,
        "replicate": case.replicate,
        "status": judgement.status,
        "score": judgement.score,
        "reason": judgement.reason or None,
        "latency_s": answer.latency_s if answer else None,
        "cost_usd": answer.cost_usd if answer else None,
    }


def _judged(
    bound: BoundJudge, cases: Sequence[Case], store: CallStore, progress: Progress
) -> list[tuple[Judgement, Answer | None]]:
    """A judgement per case; one that lacks what the rubric requires is never put to the judge."""
    lacks = [missing_field(bound.rubric, case) for case in cases]
    able = [case for case, field in zip(cases, lacks, strict=True) if not field]
    what = f"judging {bound.rubric.name}"
    said = iter(_said(bound.judge, able, store, progress, (what, bound.pin.span)))
    return [
        (Judgement("missing", None, f"the row has no {field}"), None) if field else next(said)
        for field in lacks
    ]


def _said(
    judge: Judge,
    cases: Sequence[Case],
    store: CallStore,
    progress: Progress,
    asked: tuple[str, int],
) -> list[tuple[Judgement, Answer]]:
    """What the judge says of each case; a judge with members says what they come to.

    Args:
        judge: The judge.
        cases: What it is shown.
        store: Where the calls go through.
        progress: Is told how far it is.
        asked: What is being done, in words, and the span of the judge's pin.
    """
    what, span = asked
    members: Sequence[Judge] = getattr(judge, "members", ())
    if not members:
        requests = [spanned(judge.request(case), span) for case in cases]
        answers = ask("judge", judge, requests, store, progress, what)
        return [(_read(judge, answer), answer) for answer in answers]
    voices = [
        _said(member, cases, store, progress, (f"{what}, {nth} of {len(members)}", span))
        for nth, member in enumerate(members, start=1)
    ]
    together = cast("Panel", judge)
    return [
        (
            _checked(together.combine([judgement for judgement, _ in voice])),
            _sum([answer for _, answer in voice]),
        )
        for voice in zip(*voices, strict=True)
    ]


def spanned(request: dict[str, Any], span: int) -> dict[str, Any]:
    """The request as a later span of the judge asks it anew."""
    return request | {"span": span} if span > 1 else request


def _sum(answers: Sequence[Answer]) -> Answer:
    """What several calls cost together, and the seconds of all of them."""
    latencies = [one.latency_s for one in answers if one.latency_s is not None]
    costs = [one.cost_usd for one in answers if one.cost_usd is not None]
    return Answer(
        "ok",
        latency_s=round(sum(latencies), 6) if latencies else None,
        cost_usd=round(sum(costs), 9) if costs else None,
    )


def missing_field(rubric: Rubric, case: Case) -> str:
    """The first field that the rubric requires and the case lacks, or ""; output always counts."""
    needed = ("output", *rubric.requires)
    return next((name for name in needed if getattr(case, name) is None), "")


def _read(judge: Judge, answer: Answer) -> Judgement:
    """The judgement in an answer; whatever is no score in [0, 1] is an error."""
    judgement = judge.read(answer) if answer.status == "ok" else None
    if judgement is None:
        return Judgement(answer.status, None, _line(answer.error))
    return _checked(judgement)


def _checked(judgement: Judgement) -> Judgement:
    """The judgement; whatever is no score in [0, 1] is an error."""
    reason = _line(judgement.reason)
    if judgement.status != "ok":
        return Judgement(judgement.status, None, reason)
    score = judgement.score
    if score is None or not 0.0 <= score <= 1.0:  # NaN compares false
        return Judgement("error", None, f"the judge's score is {score}, which is not in [0, 1]")
    return Judgement("ok", float(score), reason)


def _line(text: str) -> str:
    """The text on one line of at most 500 characters."""
    line = " ".join(storable(text).split())
    return line if len(line) <= 500 else f"{line[:499]}…"
