"""The judge on labels that nothing learned from: has it drifted away from people?"""

from __future__ import annotations

from gitloop.core.calibrate.findings import Finding, count
from gitloop.records import HoldoutCheck
from gitloop.stats.agreement import Agreement
from gitloop.stats.distributions import BoolArray, FloatArray
from gitloop.stats.intervals import wilson_interval
from gitloop.stats.thresholds import passes


def check_holdout(
    scores: FloatArray, labels: BoolArray, line: tuple[float, str], people: Agreement
) -> HoldoutCheck | None:
    """The judge's verdicts on the holdout against people's; None without a held-out item.

    It alarms when the whole interval of the judge's disagreement lies above the annotators' own.

    Args:
        scores: Shape (n,).
        labels: True where people pass, shape (n,).
        line: (threshold, ">=" or ">").
        people: The annotators' raw agreement.
    """
    n = labels.size
    if not n:
        return None
    verdicts = passes(scores, line[0], strict=line[1] == ">")
    n_disagree = int((verdicts != labels).sum())
    interval = wilson_interval(n_disagree, n)
    baseline = None if people.value is None else 1.0 - people.value
    return HoldoutCheck(
        n=n,
        n_disagree=n_disagree,
        disagreement=n_disagree / n,
        interval=interval,
        human_disagreement=baseline,
        is_alarming=baseline is not None and interval.low > baseline,
    )


def alarm(check: HoldoutCheck | None, rate: float) -> list[Finding]:
    """The finding of an alarming holdout, or of one that can raise no alarm.

    Args:
        check: Judge against people there, or None without a held-out item.
        rate: Share of groups to hold out, [0, 1); at 0 there is nothing to find.
    """
    if not rate:
        return []
    if check is None:
        message = f"no labelled and scored item is held out at calibrate.holdout_rate {rate:g}"
        return [Finding("empty_holdout", f"{message}: the judge is checked against nobody")]
    if check.human_disagreement is None:
        message = f"nobody labelled an item twice: what the judge does on {check.n} held-out"
        return [Finding("holdout_without_baseline", f"{message} items can raise no alarm")]
    if not check.is_alarming:
        return []
    message = (
        f"on {count(check.n, 'held-out item')} the judge differs from people"
        f" {check.disagreement:.0%} of the time, people from each other"
        f" {check.human_disagreement:.0%}"
    )
    return [Finding("holdout_alarm", message)]
