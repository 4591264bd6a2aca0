"""Is preference tuning the right lever now? What stands in its way, in the order to mend it.

The framework is that of the field: prompts and retrieval are cheaper and reversible, so they come
first; tuning wants volume, stable and calibrated rubrics, annotators who agree, and dense pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitloop.core.pairs.agreement import StratumAgreement
from gitloop.params import Readiness

VERDICTS = ("yes", "not yet", "use prompt optimisation first")
STATES = ("ok", "open", "first")
"""Of a finding: nothing to do; stands in the way; prompts come first."""

_MONTH = 30.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a repository.

    Attributes:
        n_conversations: Sessions, or traces without one, in the newest thirty days of traces.
        days: Days that these span, at least 1; 0 without any trace.
        n_pairs: Pairs.
        n_train: Pairs that may train.
        n_prompts: Prompts that these pairs are of.
        per_route: Route → pairs of it that may train; "no route" for those without one.
        rubric_days: Rubric → days for which its content has not changed; None where Git knows none.
        calibration: Rubric → "" where its threshold is calibrated and current, else what is wrong.
        strata: The agreement on each stratum.
        search: Outcome of the last prompt search, or "" where none has run.
        judge_model: The model that compares answers, or None.
        target_model: The model to be tuned, or None where it is not known.
    """

    n_conversations: int
    days: float
    n_pairs: int
    n_train: int
    n_prompts: int
    per_route: Mapping[str, int]
    rubric_days: Mapping[str, int | None]
    calibration: Mapping[str, str]
    strata: Sequence[StratumAgreement]
    search: str
    judge_model: str | None
    target_model: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: In a word or two.
        state: One of `STATES`.
        fact: What was found, in a sentence.
        next: The command or edit that changes it, or "".
    """

    name: str
    state: str
    fact: str
    next: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Whether to tune.

    Attributes:
        verdict: One of `VERDICTS`.
        reasons: Why not "yes"; () otherwise.
        findings: Everything that was looked at.
    """

    verdict: str
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]


def diagnose(facts: Facts, policy: Readiness) -> Diagnosis:
    """Whether preference tuning is the right lever now, and why not."""
    findings = (
        _prompts(facts),
        _volume(facts, policy),
        _stability(facts, policy),
        _calibration(facts),
        _agreement(facts),
        _amount(facts, policy),
        _density(facts, policy),
        _ceiling(facts),
    )
    first = [one for one in findings if one.state == "first"]
    waiting = [one for one in findings if one.state == "open"]
    if first:
        verdict, reasons = VERDICTS[2], first
    elif waiting:
        verdict, reasons = VERDICTS[1], waiting
    else:
        verdict, reasons = VERDICTS[0], []
    return Diagnosis(verdict, tuple(one.fact for one in reasons), findings)


def _prompts(facts: Facts) -> Finding:
    """Prompt edits are cheaper and can be taken back: they come first, until they gain nothing."""
    name = "prompt search"
    if facts.search == "no improvement":
        return Finding(name, "ok", "the last prompt search found no better prompt")
    if facts.search == "proposed":
        fact = "the last prompt search found a better prompt: take it first"
        return Finding(name, "first", fact, "gitloop optimize")
    if facts.search == "no headroom":
        fact = "the prompt passes nearly every golden row: there is little left to tune"
        return Finding(name, "open", fact, "gitloop promote, with failures that prompts do not fix")
    told = f" ({facts.search})" if facts.search else ""
    fact = f"prompt optimisation has not been tried{told}"
    return Finding(name, "first", fact, "dvc repro optimize")


def _volume(facts: Facts, policy: Readiness) -> Finding:
    name = "volume"
    if not facts.n_conversations:
        fact = "there is no production traffic yet"
        return Finding(name, "first", fact, "gitloop capture import")
    monthly = round(facts.n_conversations * _MONTH / max(facts.days, 1.0))
    fact = f"{monthly:,} conversations a month; {policy.min_conversations:,} are wanted"
    return Finding(name, "ok" if monthly >= policy.min_conversations else "open", fact)


def _stability(facts: Facts, policy: Readiness) -> Finding:
    name = "stable rubrics"
    if not facts.rubric_days:
        return Finding(name, "open", "no rubric is pinned", "edit params.yaml: rubrics")
    young = {
        rubric: days or 0
        for rubric, days in sorted(facts.rubric_days.items())
        if (days or 0) < policy.stable_days
    }
    if not young:
        least = min(days or 0 for days in facts.rubric_days.values())
        return Finding(name, "ok", f"no rubric has changed for {least} days")
    told = ", ".join(f"{rubric} {days} days ago" for rubric, days in young.items())
    fact = f"rubrics changed within {policy.stable_days} days: {told}"
    return Finding(name, "open", fact, "leave the rubrics as they are for a while")


def _calibration(facts: Facts) -> Finding:
    name = "calibration"
    wrong = [f"{rubric} {what}" for rubric, what in sorted(facts.calibration.items()) if what]
    if wrong:
        fact = f"a noisy rubric is a noisy reward: {', '.join(wrong)}"
        return Finding(name, "open", fact, "gitloop label --sample 100, then dvc repro calibrate")
    if not facts.calibration:
        return Finding(name, "open", "no rubric is calibrated", "dvc repro calibrate")
    return Finding(name, "ok", f"{len(facts.calibration)} rubrics are calibrated")


def _agreement(facts: Facts) -> Finding:
    name = "agreement"
    sources = [one for one in facts.strata if one.kind == "source" and one.n_pairs]
    if not sources:
        return Finding(name, "open", "there is no pair to agree on", "gitloop pairs build")
    below = [f"{one.name}: {one.band}, {one.reason}" for one in sources if one.band != "train"]
    if below:
        fact = "; ".join(below)
        return Finding(name, "open", fact, "gitloop pairs label, then gitloop pairs agree")
    return Finding(name, "ok", f"annotators agree on {', '.join(one.name for one in sources)}")


def _amount(facts: Facts, policy: Readiness) -> Finding:
    fact = (
        f"{facts.n_train:,} of {facts.n_pairs:,} pairs may train; {policy.min_pairs:,} are wanted"
    )
    if not facts.n_pairs:
        return Finding("pairs", "first", "there is no preference pair", "gitloop pairs build")
    return Finding("pairs", "ok" if facts.n_train >= policy.min_pairs else "open", fact)


def _density(facts: Facts, policy: Readiness) -> Finding:
    prompts = (
        f"; {facts.n_prompts} prompts, {facts.n_train / max(1, facts.n_prompts):.1f} pairs each"
    )
    thin = {route: n for route, n in facts.per_route.items() if n < policy.min_per_class}
    if not facts.per_route:
        return Finding("density", "open", "no route has a pair that may train")
    if thin:
        told = ", ".join(f"{route} {n}" for route, n in sorted(thin.items()))
        fact = f"routes with fewer than {policy.min_per_class} pairs: {told}{prompts}"
        return Finding("density", "open", fact)
    least = min(facts.per_route.values())
    return Finding("density", "ok", f"every route has {least} pairs or more{prompts}")


def _ceiling(facts: Facts) -> Finding:
    name = "judge"
    if facts.judge_model is None:
        return Finding(name, "ok", "no judge compares answers")
    if facts.judge_model == facts.target_model:
        fact = f"the judge is the model to be tuned, {facts.judge_model}: it caps the quality"
        return Finding(name, "open", fact, "edit params.yaml: pairs.judge.model")
    return Finding(name, "ok", f"{facts.judge_model} compares answers")
