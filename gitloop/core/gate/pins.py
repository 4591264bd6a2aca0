"""Do scores, thresholds and rubric files speak of the same thing? What does not is stale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from gitloop.core.gate.inputs import GateInputs, GateRubric, Lines
from gitloop.documents import nearest
from gitloop.errors import ConfigError, ExitCode
from gitloop.params import Assertion, Gate
from gitloop.records import Check

METRICS = (
    "pass_rate",
    "avg_score",
    "min_score",
    "max_score",
    "p50_score",
    "p90_score",
    "p95_score",
    "passed_count",
    "failed_count",
    "total_count",
    "runtime_avg",
    "runtime_p95",
    "total_pass_rate",
)
"""What an assertion may speak of (DESIGN.md §5)."""


def check_policy(policy: Gate, rubrics: Mapping[str, GateRubric]) -> None:
    """Refuse a policy that speaks of what does not exist.

    Raises:
        ConfigError: Every unknown metric or rubric with the nearest known one, every broken range.
    """
    faults = []
    for rubric, floor in policy.floors.items():
        if rubric not in rubrics:
            faults.append(f"gate.floors names the rubric {_unknown(rubric, rubrics)}")
        if not 0.0 <= floor <= 1.0:
            faults.append(f"gate.floors.{rubric} is {floor}; a pass rate lies in [0, 1]")
    for number, assertion in enumerate(policy.assertions):
        place = f"gate.assertions[{number}]"
        faults += [f"{place} {fault}" for fault in _assertion_faults(assertion, rubrics)]
    if faults:
        noun = "fault" if len(faults) == 1 else "faults"
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise ConfigError(
            f"the gate's policy has {len(faults)} {noun}:\n{lines}",
            hint="edit params.yaml: gate",
        )


def _assertion_faults(assertion: Assertion, rubrics: Mapping[str, GateRubric]) -> list[str]:
    """What is wrong with an assertion, each as the end of a sentence."""
    faults = []
    if assertion.metric not in METRICS:
        faults.append(f"names the metric {_unknown(assertion.metric, METRICS)}")
    if assertion.rubric is not None and assertion.rubric not in rubrics:
        faults.append(f"names the rubric {_unknown(assertion.rubric, rubrics)}")
    if assertion.metric == "total_pass_rate" and (assertion.rubric or assertion.route):
        faults.append("narrows total_pass_rate, which speaks of the whole run; use pass_rate")
    if assertion.op == "between" and assertion.upper is None:
        faults.append("needs upper, because its op is between")
    if assertion.upper is not None and assertion.op != "between":
        faults.append(f"has upper, which goes with between only, not with {assertion.op}")
    if assertion.upper is not None and assertion.upper < assertion.value:
        faults.append(f"has upper {assertion.upper:g} below value {assertion.value:g}")
    return faults


def _unknown(word: str, known: Iterable[str]) -> str:
    like = nearest(word, list(known))
    return f"{word}, which is not known" + (f"; did you mean {like}?" if like else "")


def thresholds(inputs: GateInputs) -> tuple[Lines, list[Check]]:
    """The lines of every rubric that has a valid one, and a check for each other.

    Only rubrics that golden rows are labelled for are looked at.
    """
    found: dict[str, tuple[float, str]] = {}
    faults = []
    for name in labelled(inputs.golden):
        rubric = inputs.rubrics.get(name)
        if rubric is None:
            faults.append(
                _stale(
                    name,
                    f"golden rows are labelled for {name}, which params.yaml does not pin:"
                    f" pin it under rubrics, or correct the labels",
                    outcome="error",
                )
            )
            continue
        why = _mismatch(rubric, inputs.policy)
        if why:
            faults.append(_stale(name, why))
        elif rubric.calibrated is not None and rubric.calibrated.threshold is not None:
            found[name] = (rubric.calibrated.threshold, rubric.calibrated.comparison)
        else:
            found[name] = (rubric.threshold, ">=")
    return Lines(found, _of_routes(inputs, found)), faults


def _of_routes(inputs: GateInputs, found: Iterable[str]) -> pl.DataFrame:
    """The rows on routes for which calibration found a threshold of their own."""
    own = [
        (name, route, threshold)
        for name in found
        if (calibrated := inputs.rubrics[name].calibrated) is not None
        for route, threshold in calibrated.routes.items()
    ]
    columns = {"rubric": pl.String, "route": pl.String, "threshold": pl.Float64}
    routes = pl.DataFrame(own, schema=columns, orient="row")
    rows = inputs.golden.select("row_id", "route").unique()
    return rows.join(routes, on="route").select("row_id", "rubric", "threshold")


def judge_checks(inputs: GateInputs, usable: Iterable[str]) -> list[Check]:
    """A warning for each judge that differs from people more than they from each other.

    What is looked at is the pinned human holdout, whose labels nothing learned from.
    """
    found = []
    for name in usable:
        calibrated = inputs.rubrics[name].calibrated
        held = calibrated.holdout if calibrated is not None else None
        if held is None or not held.is_alarming:
            continue
        among = held.human_disagreement or 0.0
        why = (
            f"the judge of {name} differs from people on {held.disagreement:.0%} of {held.n}"
            f" held-out labels, people from each other on {among:.0%}: run gitloop calibrate --card"
        )
        check = Check(
            "judge",
            name,
            None,
            "warn",
            int(ExitCode.WARNINGS),
            why,
            n=held.n,
            observed=held.disagreement,
            bound=among,
            effect=among - held.disagreement,
            interval=held.interval,
            method="wilson",
        )
        found.append(check)
    return found


def labelled(golden: pl.DataFrame) -> list[str]:
    """The rubrics that golden rows are labelled for, sorted."""
    labels = golden["labels"].explode(empty_as_null=False, keep_nulls=False)
    return sorted(labels.struct.field("rubric").unique().to_list())


def _mismatch(rubric: GateRubric, policy: Gate) -> str:
    """Why the rubric has no valid threshold, or ""."""
    name, calibrated = rubric.name, rubric.calibrated
    if calibrated is None or calibrated.threshold is None:
        if not policy.require_calibration:
            return ""
        why = f" ({calibrated.reason})" if calibrated and calibrated.reason else ""
        return (
            f"{name} has no calibrated threshold{why}: label more and run dvc repro calibrate,"
            " or set gate.require_calibration: false"
        )
    if calibrated.rubric_sha256 != rubric.sha256:
        return f"{name} changed after its threshold was calibrated: run dvc repro calibrate"
    if calibrated.judge != rubric.judge:
        return (
            f"{name} was calibrated with {calibrated.judge}, now {rubric.judge} judges:"
            " run dvc repro calibrate"
        )
    if calibrated.judge_sha256 != rubric.judge_sha256:
        what = f"the judge of {name} has other parameters than when it was calibrated"
        return f"{what}: run dvc repro calibrate"
    return ""


def stale_scores(inputs: GateInputs, rubrics: list[str]) -> list[Check]:
    """A check for each of the rubrics whose scores were not made by its present content and judge.

    Args:
        inputs: What the gate reads.
        rubrics: Rubrics to look at, all pinned.
    """
    made = (
        inputs.scores.filter(pl.col("rubric").is_in(rubrics))
        .select("rubric", "rubric_version", "rubric_sha256", "judge")
        .unique()
        .sort(pl.all())
    )
    found: dict[str, Check] = {}
    for name, version, sha256, judge in made.iter_rows():
        rubric = inputs.rubrics[name]
        if sha256 != rubric.sha256:
            same = version == rubric.version
            now = "the same version with other content" if same else f"version {rubric.version}"
            why = f"{name} was scored by version {version}, now it is {now}: run dvc repro"
        elif judge != rubric.judge:
            why = f"{name} was scored by {judge}, now it is {rubric.judge}: run dvc repro"
        else:
            continue
        found.setdefault(name, _stale(name, why))
    return list(found.values())


def _stale(rubric: str, why: str, *, outcome: str = "stale") -> Check:
    code = ExitCode.DATA
    return Check("data", rubric, None, outcome, int(code), why, method="pins")


def data_checks(inputs: GateInputs, cells: pl.DataFrame) -> list[Check]:
    """A check for each way in which there is nothing, or not enough, to judge."""
    if inputs.golden.is_empty():
        why = "the golden sets hold no row: promote failures before the gate can say anything"
        return [Check("data", None, None, "error", int(ExitCode.DATA), why, method="count")]
    found = []
    bare = inputs.golden.filter(pl.col("labels").list.len() == 0)
    if bare.height:
        why = f"{bare.height} golden rows have no label, first {bare['row_id'][0]}"
        found.append(
            Check("data", None, None, "error", int(ExitCode.DATA), why, bare.height, method="count")
        )
    absent = cells.filter((pl.col("n_ok") == 0) & (pl.col("n_errors") == 0))
    for (rubric,), rows in absent.group_by(["rubric"], maintain_order=True):
        total = cells.filter(pl.col("rubric") == rubric).height
        why = (
            f"{rows.height} of {total} golden rows have no score for {rubric},"
            f" first {rows['row_id'][0]}: run dvc repro"
        )
        found.append(_stale(str(rubric), why))
    return found
