"""What each check of the gate decides, and that the gate fails closed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from gitloop.core.gate import BaselineRun, decide
from gitloop.errors import DataError
from gitloop.params import Gate
from gitloop.records import Check, GateReport, HoldoutCheck, Interval
from tests.gate_cases import (
    calibrated,
    gate_inputs,
    golden,
    outputs,
    rubric,
    scores,
)


def only(report: GateReport, kind: str, slice_: str | None = None) -> Check:
    """The one check of that kind."""
    found = [c for c in report.checks if c.kind == kind and (slice_ is None or c.slice == slice_)]
    assert len(found) == 1, [c.kind for c in report.checks]
    return found[0]


def test_floor_fails_below_and_passes_at_the_floor() -> None:
    """A pass rate equal to the floor passes; one row less fails with exit code 2."""
    at = decide(gate_inputs([1.0] * 10 + [0.0] * 10))
    below = decide(gate_inputs([1.0] * 9 + [0.0] * 11))
    assert only(at, "floor").outcome == "pass"
    assert only(below, "floor").outcome == "fail"
    assert below.exit_code == 2


def test_floor_on_the_lower_bound_asks_for_more() -> None:
    """With floor_on: lower_bound, 12 of 20 against a floor of 0.5 fails, because 0.387 is below."""
    report = decide(gate_inputs([1.0] * 12 + [0.0] * 8, policy=Gate(floor_on="lower_bound")))
    check = only(report, "floor")
    assert check.outcome == "fail"
    assert check.interval is not None
    assert check.interval.low == pytest.approx(0.38658, abs=1e-5)  # R: prop.test(12, 20)


def test_too_few_rows_never_pass() -> None:
    """Nine good rows under min_rows 10 are inconclusive; nine bad ones still fail."""
    good, bad = decide(gate_inputs([1.0] * 9)), decide(gate_inputs([0.0] * 9))
    assert only(good, "floor").outcome == "inconclusive"
    assert good.verdict == "warn"
    assert good.exit_code_strict == 3
    assert only(bad, "floor").outcome == "fail"


def test_first_run_lets_the_floors_decide() -> None:
    """Without a baseline the delta is inconclusive, nothing is lost, and the exit code is 0."""
    report = decide(gate_inputs([1.0] * 40))
    assert only(report, "delta").outcome == "inconclusive"
    assert (report.verdict, report.exit_code, report.exit_code_strict) == ("warn", 0, 3)


def test_delta_is_exact_mcnemar() -> None:
    """Ten lost and one won row of sixty give p = 12/2048, as the binomial says."""
    report = decide(gate_inputs([0.0] * 10 + [1.0] * 50, [1.0] * 59 + [0.0]))
    check = only(report, "delta")
    assert check.outcome == "fail"
    assert check.p == pytest.approx(12 / 2048, abs=1e-12)
    assert (check.n, check.n_discordant) == (60, 11)
    assert check.effect == pytest.approx(-9 / 60)


def test_a_loss_within_the_noise_floor_does_not_block() -> None:
    """Eight rows of 400 lost are beyond chance, but two points are below a noise floor of three."""
    report = decide(gate_inputs([0.0] * 8 + [1.0] * 392, [1.0] * 400))
    check = only(report, "delta")
    assert check.p is not None
    assert check.p < 0.01
    assert check.outcome == "pass"
    assert "within the noise floor" in check.message


def test_hard_new_rows_never_look_like_a_regression() -> None:
    """Twenty promoted rows that all fail leave the delta as it is, and block nothing."""
    before = [1.0] * 60
    report = decide(gate_inputs([1.0] * 60 + [0.0] * 20, before))
    assert only(report, "delta").n == 60
    assert only(report, "delta").effect == 0.0
    assert report.exit_code == 0
    assert len(report.failing_new) == 20


def test_the_same_outputs_pass_whatever_the_size() -> None:
    """Byte-identical outputs with identical verdicts are no question of statistics."""
    report = decide(gate_inputs([1.0] * 12, [1.0] * 12, said=["old"] * 12))
    assert only(report, "delta").outcome == "pass"
    assert report.verdict == "pass"


def test_zero_variance_is_inconclusive_where_a_loss_is_not_ruled_out() -> None:
    """No discordant pair of 40 is inconclusive; of 200, the interval rules out three points."""
    few, many = (decide(gate_inputs([1.0] * n, [1.0] * n)) for n in (40, 200))
    assert only(few, "delta").outcome == "inconclusive"
    assert "not ruled out" in only(few, "delta").message
    assert only(many, "delta").outcome == "pass"


def test_a_check_that_could_not_have_failed_is_no_pass() -> None:
    """Four discordant pairs give at best p = 1/16: inconclusive at 50 rows; five can tell."""
    four = decide(gate_inputs([0.0] * 2 + [1.0] * 48, [1.0] * 48 + [0.0] * 2))
    five = decide(gate_inputs([0.0] * 2 + [1.0] * 48, [1.0] * 47 + [0.0] * 3))
    assert only(four, "delta").outcome == "inconclusive"
    assert only(five, "delta").outcome == "pass"


def test_too_few_pairs_are_inconclusive() -> None:
    """Nine pairs under min_rows 10 are not tested, however bad they look."""
    report = decide(gate_inputs([0.0] * 9 + [1.0] * 40, [1.0] * 9))
    assert only(report, "delta").outcome == "inconclusive"
    assert only(report, "delta").p is None


def test_replicates_are_collapsed_before_they_are_tested() -> None:
    """Five judgements of each of ten rows are ten pairs, not fifty."""
    inputs = gate_inputs([0.0] * 10, [1.0] * 10)
    drawn = pl.concat([inputs.scores.with_columns(replicate=pl.lit(i, pl.Int64)) for i in range(5)])
    check = only(decide(replace(inputs, scores=drawn)), "delta")
    assert check.n == 10
    assert check.p == pytest.approx(2.0**-10)


def test_rows_of_one_group_are_one_witness() -> None:
    """Ten lost rows of two conversations are two flips, and two flips prove nothing."""
    groups = ["g0"] * 5 + ["g1"] * 5 + [f"s{i}" for i in range(30)]
    inputs = gate_inputs([0.0] * 10 + [1.0] * 30, [1.0] * 40, group_id=groups)
    check = only(decide(inputs), "delta")
    assert check.n_groups == 32
    assert check.p == pytest.approx(0.25)
    assert check.outcome == "inconclusive"


def test_several_baseline_runs_are_averaged_within_the_row() -> None:
    """A row that passed in one of two runs counts half, and any of the runs could be this one."""
    inputs = gate_inputs([0.0] * 10 + [1.0] * 30, [1.0] * 40)
    older = BaselineRun(scores(inputs.golden, {"grounded": [0.0] * 10 + [1.0] * 30}))
    check = only(decide(replace(inputs, baseline=(older, *inputs.baseline))), "delta")
    assert check.effect == pytest.approx(-5 / 40)
    assert check.method == "run-permutation-exact+holm"
    assert check.p == pytest.approx((2 / 3) ** 10)


def test_the_newest_run_says_which_rows_must_pass() -> None:
    """A row that failed in an old run and passes in the newest one is lost when it fails now."""
    inputs = gate_inputs([0.0] * 3 + [1.0] * 30, [1.0] * 33)
    older = BaselineRun(scores(inputs.golden, {"grounded": [0.0] * 33}))
    report = decide(replace(inputs, baseline=(older, *inputs.baseline)))
    assert [row.row_id for row in report.lost] == ["r0000", "r0001", "r0002"]


@pytest.mark.parametrize(
    ("mode", "outcome", "code"), [("fail", "fail", 2), ("warn", "warn", 0), ("off", None, 0)]
)
def test_ratchet_names_lost_rows(mode: str, outcome: str | None, code: int) -> None:
    """One lost row fails, warns or is silent as the policy says, and is named with its trail."""
    policy = Gate.model_validate({"ratchet": mode})
    inputs = gate_inputs([0.0] + [1.0] * 199, [1.0] * 200, policy=policy)
    report = decide(inputs)
    found = [check.outcome for check in report.checks if check.kind == "ratchet"]
    assert found == ([outcome] if outcome else [])
    assert report.exit_code == code
    row = report.lost[0]
    assert (row.row_id, row.cluster_id, row.source_trace_id) == ("r0000", "c1", "t0000")
    assert (row.state, row.change) == ("must_pass", "lost")


def test_a_cohort_cannot_hide_behind_the_average() -> None:
    """A cohort that loses a third of its rows fails while the rubric's delta is a gain."""
    cohorts = ["trial"] * 40 + ["pro"] * 160
    now = [0.0] * 14 + [1.0] * 26 + [1.0] * 160
    before = [1.0] * 40 + [1.0] * 140 + [0.0] * 20
    report = decide(gate_inputs(now, before, user_cohort=cohorts))
    assert only(report, "delta").outcome != "fail"
    assert only(report, "cohort", "trial").outcome == "fail"
    assert report.exit_code == 2


def test_a_route_of_one_cohort_can_be_checked_apart() -> None:
    """A loss in one cell of route and cohort fails, though route and cohort alone would not."""
    cells = [(f"r{n % 4}", f"c{n // 4 % 4}") for n in range(640)]
    lost = [n for n, cell in enumerate(cells) if cell == ("r1", "c2")][:12]
    inputs = gate_inputs(
        [0.0 if n in lost else 1.0 for n in range(640)],
        [1.0] * 640,
        route=[route for route, _ in cells],
        user_cohort=[cohort for _, cohort in cells],
    )
    policy = inputs.policy.model_copy(update={"slices": ("route*user_cohort",)})
    report = decide(replace(inputs, policy=policy))
    failed = [check.slice for check in report.checks if check.outcome == "fail"]
    assert failed == ["r1 × c2"]
    assert {check.kind for check in report.checks} >= {"cell"}


def test_a_loss_that_does_not_outlast_correction_is_no_pass() -> None:
    """Six of sixty rows lost show by themselves, not among eight cohorts: neither fail nor pass."""
    cohorts = [f"c{n % 8}" for n in range(480)]
    lost = {8 * n for n in range(6)}
    now = [0.0 if n in lost else 1.0 for n in range(480)]
    check = only(decide(gate_inputs(now, [1.0] * 480, user_cohort=cohorts)), "cohort", "c0")
    assert check.p == pytest.approx(1 / 64)
    assert check.outcome == "inconclusive"
    assert "by itself, but not among so many checks" in check.message


def test_only_rows_with_the_same_pins_compare() -> None:
    """A baseline of another rubric version is stale with the reason, and blocks nothing alone."""
    inputs = gate_inputs([1.0] * 40)
    old = scores(inputs.golden, {"grounded": [1.0] * 40}, rubric_version="0", rubric_sha256="ff")
    report = decide(replace(inputs, baseline=(BaselineRun(old),)))
    check = only(report, "delta")
    assert check.outcome == "stale"
    assert "version 0" in check.message
    assert report.exit_code == 0


def test_a_recalibrated_threshold_holds_for_both_sides() -> None:
    """Old scores are held against the new threshold, so a recalibration is no regression."""
    inputs = gate_inputs([0.6] * 200, [0.6] * 200)
    strict = rubric(floor=None, calibrated=calibrated(threshold=0.7))
    report = decide(replace(inputs, rubrics={"grounded": strict}))
    check = only(report, "delta")
    assert (check.observed, check.baseline) == (0.0, 0.0)


def test_rows_whose_reference_changed_do_not_compare() -> None:
    """A corrected row is new to the delta: its old score was made against another reference."""
    inputs = gate_inputs([0.0] * 20 + [1.0] * 40, [1.0] * 60)
    run = replace(inputs.baseline[0], changed_rows=frozenset(f"r{i:04d}" for i in range(20)))
    report = decide(replace(inputs, baseline=(run,)))
    assert only(report, "delta").n == 40
    assert len(report.lost) == 0


@pytest.mark.parametrize(
    ("figures", "code"),
    [
        ([None] * 2 + [1.0] * 38, 6),
        (["timeout"] * 2 + [1.0] * 38, 7),
        (["missing"] * 2 + [1.0] * 38, 5),
        ([None] + ["timeout"] * 2 + [1.0] * 37, 7),
    ],
)
def test_too_many_errors_are_no_verdict(figures: list[float | str | None], code: int) -> None:
    """Above max_error_rate there is no verdict, even where what is left would fail or pass."""
    report = decide(gate_inputs(figures))
    assert (report.verdict, report.exit_code) == ("none", code)


def test_errors_within_the_budget_are_told() -> None:
    """One failed call of a hundred warns, and is in no rate."""
    report = decide(gate_inputs([None] + [1.0] * 99))
    assert only(report, "errors").outcome == "warn"
    assert only(report, "floor").n == 99
    assert report.rubrics[0].n_errors == 1


def test_no_verdict_outranks_a_bad_one() -> None:
    """A failed floor beside too many errors exits 6 and not 2."""
    assert decide(gate_inputs([None] * 10 + [0.0] * 30)).exit_code == 6


def test_a_failed_output_counts_as_an_error() -> None:
    """A row whose target failed and was never judged is an error, and no missing score."""
    rows = golden(20)
    inputs = gate_inputs([1.0] * 20)
    report = decide(
        replace(
            inputs,
            outputs=outputs(rows, [None] * 5 + ["answer"] * 15),
            scores=inputs.scores.filter(pl.col("item_id") >= "r0005"),
        )
    )
    assert report.exit_code == 6
    assert only(report, "errors").observed == pytest.approx(0.25)


def test_an_empty_set_is_no_verdict() -> None:
    """Without a golden row the gate exits 5."""
    report = decide(gate_inputs([]))
    assert (report.verdict, report.exit_code) == ("none", 5)


def test_rows_without_scores_are_stale() -> None:
    """Golden rows that the run does not know exit 5 and name the command."""
    inputs = gate_inputs([1.0] * 40)
    report = decide(replace(inputs, scores=inputs.scores.head(30)))
    assert only(report, "data").outcome == "stale"
    assert "10 of 40" in only(report, "data").message
    assert report.exit_code == 5


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"sha256": "cd" * 32}, "calibrated"),
        ({"judge": "local/2"}, "calibrated with"),
        ({"judge_sha256": "cd" * 32}, "other parameters"),
        ({"calibrated": None}, "no calibrated threshold"),
        ({"calibrated": calibrated(threshold=None, reason="12 labels")}, "12 labels"),
    ],
)
def test_pins_that_differ_are_stale(changes: dict[str, Any], word: str) -> None:
    """A rubric or judge that moved since calibration is stale, with the reason, and exits 5."""
    inputs = gate_inputs([1.0] * 40)
    report = decide(replace(inputs, rubrics={"grounded": rubric(**changes)}))
    assert any(c.outcome == "stale" and word in c.message for c in report.checks)
    assert report.exit_code == 5


def test_scores_of_another_rubric_version_are_stale() -> None:
    """Scores that an older rubric made exit 5 and say which version made them."""
    inputs = gate_inputs([1.0] * 40)
    old = scores(inputs.golden, {"grounded": [1.0] * 40}, rubric_version="0", rubric_sha256="ff")
    report = decide(replace(inputs, scores=old))
    assert "scored by version 0" in only(report, "data").message
    assert report.exit_code == 5


def test_an_uncalibrated_rubric_may_be_allowed() -> None:
    """With require_calibration: false the rubric file's own threshold decides."""
    inputs = gate_inputs([0.6] * 40, policy=Gate(require_calibration=False))
    report = decide(replace(inputs, rubrics={"grounded": rubric(calibrated=None)}))
    assert report.rubrics[0].pass_rate == 1.0


def test_a_label_for_an_unpinned_rubric_is_an_error() -> None:
    """A golden row that wants a rubric which params.yaml does not pin exits 5."""
    inputs = gate_inputs([1.0] * 40)
    report = decide(replace(inputs, golden=golden(40, ("grounded", "tone"))))
    assert report.exit_code == 5
    assert any("tone" in check.message for check in report.checks)


def test_a_floor_without_rows_is_an_error() -> None:
    """A floor that no golden row can be held against exits 5."""
    inputs = gate_inputs([1.0] * 40)
    report = decide(replace(inputs, rubrics={**inputs.rubrics, "tone": rubric("tone")}))
    assert report.exit_code == 5


def test_a_row_in_two_sets_is_refused() -> None:
    """The same row in two golden sets would count twice."""
    inputs = gate_inputs([1.0] * 40)
    twice = pl.concat([inputs.golden, inputs.golden.head(1).with_columns(set=pl.lit("other"))])
    with pytest.raises(DataError, match="other, support"):
        decide(replace(inputs, golden=twice))


def test_scores_are_compared_as_decimals() -> None:
    """0.1 + 0.2 passes a threshold of 0.3, as a person would expect."""
    inputs = gate_inputs([0.3, 0.1 + 0.2, 0.29] * 10)
    exact = rubric(floor=None, calibrated=calibrated(threshold=0.3))
    report = decide(replace(inputs, rubrics={"grounded": exact}))
    assert report.rubrics[0].n_passed == 20


def test_a_strict_comparison_fails_at_the_threshold() -> None:
    """With comparison ">" a score equal to the threshold fails."""
    inputs = gate_inputs([0.5, 0.6] * 10)
    strict = rubric(floor=None, calibrated=calibrated(comparison=">"))
    report = decide(replace(inputs, rubrics={"grounded": strict}))
    assert report.rubrics[0].n_passed == 10


def test_non_inferiority_wants_the_loss_ruled_out() -> None:
    """With a margin of five points, ten clean pairs are inconclusive and two hundred pass."""
    few, many = (
        decide(gate_inputs([1.0] * n, [1.0] * n, policy=Gate(margin=0.05))) for n in (10, 200)
    )
    assert only(few, "delta").outcome == "inconclusive"
    assert only(many, "delta").outcome == "pass"


def test_scores_can_be_compared_in_place_of_verdicts() -> None:
    """With delta_on: score a drop that crosses no threshold is seen."""
    now, before = [0.8] * 40, [0.9] * 40
    by_verdict = decide(gate_inputs(now, before))
    by_score = decide(gate_inputs(now, before, policy=Gate(delta_on="score")))
    assert only(by_verdict, "delta").effect == 0.0
    assert only(by_score, "delta").outcome == "fail"
    assert only(by_score, "delta").effect == pytest.approx(-0.1)


def test_a_route_is_held_against_its_own_line() -> None:
    """Where calibration found a line for a route, its rows pass by that, on both sides."""
    inputs = gate_inputs([0.6] * 40, [0.6] * 40)
    routes = ["refund", "status"] * 20
    own = rubric(floor=None, calibrated=calibrated(routes={"status": 0.7}))
    rows = golden(40, route=routes)
    report = decide(replace(inputs, golden=rows, rubrics={"grounded": own}))
    check = only(report, "delta")
    assert (check.observed, check.baseline) == (0.5, 0.5)


@pytest.mark.parametrize(("alarming", "outcomes"), [(True, ["warn"]), (False, [])])
def test_a_judge_that_leaves_people_behind_is_a_warning(
    alarming: bool, outcomes: list[str]
) -> None:
    """An alarm on the pinned holdout warns, and blocks under --strict alone."""
    held = HoldoutCheck(50, 20, 0.4, Interval(0.28, 0.54, 0.95, "wilson"), 0.1, alarming)
    inputs = gate_inputs([1.0] * 40, [1.0] * 40)
    judged = rubric(calibrated=calibrated(holdout=held))
    report = decide(replace(inputs, rubrics={"grounded": judged}))
    found = [check for check in report.checks if check.kind == "judge"]
    assert [check.outcome for check in found] == outcomes
    assert report.exit_code == 0
    assert {check.exit_code for check in found} == ({3} if alarming else set())
