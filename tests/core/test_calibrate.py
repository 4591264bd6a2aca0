"""A judge held against people: the threshold, and everything that is wrong with it."""

from __future__ import annotations

import json
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.core.calibrate import (
    Calibration,
    curve_csv,
    fit,
    gather,
    metrics,
    thresholds,
)
from gitloop.records import parse_thresholds
from tests.calibrated import BUMPED, GROUNDED, PINS, RULES, calibrated, codes, evidence, policy
from tests.labelled import label, labels, scores, traces
from tests.stats.published import read_expected, read_rows

GOOD_SCORES = [0.2, 0.3, 0.4, 0.5] * 8 + [0.7, 0.8, 0.9, 0.6] * 8
GOOD_VERDICTS = [False] * 32 + [True] * 32


def test_a_perfect_judge_is_cut_where_it_separates() -> None:
    """The line lies between the fails and the passes, in the middle of its plateau."""
    found = calibrated(GOOD_SCORES, GOOD_VERDICTS)
    assert (found.threshold, found.plateau, found.objective_value) == (0.55, (0.55, 0.6), 1.0)
    assert (found.status, found.cross_fitted_value, found.optimism) == ("calibrated", 1.0, 0.0)


def test_a_score_on_the_line_passes_as_a_decimal() -> None:
    """0.6 on the grid is 0.6: scores of exactly 0.6 pass at `>=`, and the line is found there."""
    found = calibrated([0.59] * 30 + [0.6] * 30, [False] * 30 + [True] * 30)
    assert (found.threshold, found.objective_value) == (0.6, 1.0)


def test_an_exact_sweep_cuts_half_way() -> None:
    """Over observed scores the line lies in the middle between the nearest fail and pass."""
    judged, passed = [0.05] * 25 + [0.15] * 25, [False] * 25 + [True] * 25
    found = calibrated(judged, passed, grid="observed")
    assert (found.threshold, found.objective_value) == (0.1, 1.0)


def test_the_curve_is_whole() -> None:
    """Every point of the grid is there, with its confusion table and interval."""
    found = calibrated(GOOD_SCORES, GOOD_VERDICTS)
    assert [point.threshold for point in found.curve] == [
        0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9,
    ]  # fmt: skip
    assert found.curve[6].confusion == found.curve[5].confusion
    assert all(point.interval is not None for point in found.curve)


def test_a_missed_failure_can_cost_more() -> None:
    """With a cost of 10 for a pass that people fail, the line moves up."""
    judged = [0.4] * 20 + [0.6] * 10 + [0.6] * 20 + [0.8] * 20
    passed = [False] * 30 + [True] * 40
    cheap = calibrated(judged, passed, objective="cost", cost_ratio=0.1)
    dear = calibrated(judged, passed, objective="cost", cost_ratio=10.0)
    assert cheap.threshold is not None
    assert dear.threshold is not None
    assert cheap.threshold <= 0.6 < dear.threshold


@pytest.mark.parametrize(
    ("judged", "passed", "code"),
    [
        ([0.1, 0.9] * 5, [False, True] * 5, "too_few_labels"),
        ([0.1, 0.9] * 15, [True, True] * 15, "one_class"),
        ([0.5] * 30, [False, True] * 15, "constant_scores"),
    ],
)
def test_what_cannot_choose_a_line_gets_none(
    judged: list[float], passed: list[bool], code: str
) -> None:
    """Few labels, one class and constant scores give no threshold, and say why."""
    found = calibrated(judged, passed)
    assert (found.threshold, found.status) == (None, "uncalibrated")
    assert code in codes(found)
    assert found.reason


@pytest.mark.parametrize(
    ("judged", "passed", "code"),
    [
        ([0.0, 1.0] * 30, [False, True] * 30, "binary_judge"),
        ([0.2, 0.4, 0.6, 0.8] * 15, [False, True, True, False] * 15, "useless_judge"),
        ([0.35] * 3 + [0.5] * 3 + [0.6, 0.7] * 27, [False] * 4 + [True] * 56, "few_labels"),
        ([0.91] * 30 + [0.95] * 30, [False] * 30 + [True] * 30, "grid_edge"),
    ],
)
def test_what_makes_a_line_doubtful_is_told(
    judged: list[float], passed: list[bool], code: str
) -> None:
    """A threshold that must not be taken at face value comes with a finding."""
    found = calibrated(judged, passed)
    assert found.threshold is not None
    assert code in codes(found)


def test_a_judge_that_always_passes_is_no_better_than_the_base_rate() -> None:
    """At 90 % passes, a judge with random scores is called useless and told from the base rate."""
    generator = np.random.default_rng(3)
    judged = generator.uniform(0.3, 0.9, 200).round(3).tolist()
    found = calibrated(judged, [n % 10 > 0 for n in range(200)], objective="accuracy")
    assert {"useless_judge", "base_rate"} <= codes(found)


def test_the_best_line_beyond_the_grid_is_named() -> None:
    """A judge that separates at .93 is not called half right because the grid ends at .9."""
    found = calibrated([0.91] * 30 + [0.95] * 30, [False] * 30 + [True] * 30)
    (told,) = [finding.message for finding in found.findings if finding.code == "grid_edge"]
    assert "0.93 gives balanced_accuracy 1.000 in place of 0.500" in told


def test_half_the_scores_missing_leaves_no_line() -> None:
    """A judge that is silent on half of the items is not calibrated on the others."""
    names = [f"t{n:02}" for n in range(60)]
    said = evidence({name: "pass" if n % 2 else "fail" for n, name in enumerate(names)})
    judged = {name: (0.2 + 0.6 * (n % 2) if n < 30 else None) for n, name in enumerate(names)}
    found = fit(said, scores(judged), policy())
    assert (found.threshold, codes(found), found.n_unscored) == (None, {"no_scores"}, 30)
    assert "30 of 60 labelled items (missing 30)" in found.reason


def test_some_scores_missing_is_told() -> None:
    """Labelled items without a score are counted, never silently left out."""
    names = [f"t{n:02}" for n in range(60)]
    said = evidence({name: "pass" if n % 2 else "fail" for n, name in enumerate(names)})
    judged = {name: (0.2 + 0.6 * (n % 2) if n < 58 else None) for n, name in enumerate(names)}
    found = fit(said, scores(judged), policy())
    assert (found.n, found.n_unscored, "missing_scores" in codes(found)) == (58, 2, True)


def test_nobody_labelled_the_rubric() -> None:
    """A rubric without labels has no threshold and says so."""
    said = gather(labels([]), traces([]), GROUNDED, RULES)
    found = fit(said, scores({}), policy())
    assert (found.threshold, found.reason) == (None, "nobody has labelled it")


def test_labels_under_other_guidance_are_left_out() -> None:
    """Guidance that changed between labels is a finding; the older labels do not count."""
    rows = [label("t1", "pass", guidance_version="0"), label("t2", "pass"), label("t3", "fail")]
    said = gather(labels(rows), traces(["t1", "t2", "t3"]), GROUNDED, RULES)
    assert said.items["trace_id"].to_list() == ["t2", "t3"]
    (told,) = [f.message for f in said.findings if f.code == "some_other_guidance"]
    assert told == "1 of 3 labels follow guidance 0, not 1, and were left out"


def test_only_other_guidance_leaves_nothing() -> None:
    """When every label follows an older guidance there is no verdict to calibrate on."""
    rows = [label("t1", "pass", guidance_version="0")]
    said = gather(labels(rows), traces(["t1"]), GROUNDED, RULES)
    assert [finding.code for finding in said.findings] == ["other_guidance"]


def test_a_rubric_bumped_after_labelling_is_told() -> None:
    """Labels given under another version of the rubric are used, and that is said."""
    rows = [label("t1", "pass", rubric_version="1"), label("t2", "pass", rubric_version="2")]
    said = gather(labels(rows), traces(["t1", "t2"]), BUMPED, RULES)
    (told,) = [f.message for f in said.findings if f.code == "other_rubric_version"]
    assert told == "1 of 2 labels were given under grounded 1; the judge follows version 2"


def test_labels_for_traces_that_are_gone_are_counted() -> None:
    """A label whose trace is not there any more is a finding."""
    rows = [label("t1", "pass"), label("t2", "fail")]
    some = gather(labels(rows), traces(["t1"]), GROUNDED, RULES)
    none = gather(labels(rows), traces(["t9"]), GROUNDED, RULES)
    assert "some_traces_gone" in {finding.code for finding in some.findings}
    assert "no_traces" in {finding.code for finding in none.findings}


def test_grades_pass_where_the_rubric_says() -> None:
    """Of ratings 1 to 4, a rubric that passes from 0.8 lets a 4 pass and a 3 fail."""
    strict = GROUNDED.model_copy(update={"pass_from": 0.8})
    rows = [
        label("t1", "4", score=1.0),
        label("t1", "3", "bo", score=0.667),
        label("t2", "4", score=1.0),
    ]
    lenient_said = gather(labels(rows), traces(["t1", "t2"]), GROUNDED, RULES)
    strict_said = gather(labels(rows), traces(["t1", "t2"]), strict, RULES)
    assert lenient_said.items["verdict"].to_list() == ["pass", "pass"]
    assert strict_said.items["trace_id"].to_list() == ["t2"]
    assert (lenient_said.agreement.value, strict_said.agreement.value) == (1.0, 0.0)


def test_one_opinion_is_told() -> None:
    """A threshold that follows a single annotator says so."""
    rows = [label("t1", "pass"), label("t2", "fail")]
    said = gather(labels(rows), traces(["t1", "t2"]), GROUNDED, RULES)
    assert {finding.code for finding in said.findings} == {"single_annotator"}


def test_disputes_are_told_and_unsettled_ones_left_out() -> None:
    """Where two differ there is no verdict until a senior speaks; either way it is said."""
    rows = [
        label("t1", "pass"),
        label("t1", "fail", "bo"),
        label("t2", "pass"),
        label("t2", "fail", "bo"),
    ]
    rows += [
        label("t2", "fail", "chen", role="senior"),
        label("t3", "pass"),
        label("t3", "pass", "bo"),
    ]
    said = gather(labels(rows), traces(["t1", "t2", "t3"]), GROUNDED, RULES)
    verdicts = dict(said.items.select("trace_id", "verdict").iter_rows())
    assert verdicts == {"t2": "fail", "t3": "pass"}
    assert {finding.code for finding in said.findings} == {"undecided", "disputed_labels"}


def test_the_label_digest_follows_what_labels_say() -> None:
    """A changed verdict changes the digest; order and comments do not."""
    one, two = label("t1", "pass"), label("t2", "fail")
    known = traces(["t1", "t2"])

    def digest(*rows: dict[str, Any]) -> str:
        return gather(labels(rows), known, GROUNDED, RULES).label_sha256

    assert digest(one, two) == digest(two | {"comment": "why"}, one)
    assert digest(one, two) != digest(one, label("t2", "pass"))


def test_groups_are_drawn_and_held_out_whole() -> None:
    """Ten copies of six conversations are six independent units, not sixty."""
    names = [f"t{n:02}" for n in range(60)]
    said = evidence(
        {name: "pass" if n % 6 >= 3 else "fail" for n, name in enumerate(names)},
        group_id=[f"g{n % 6}" for n in range(60)],
    )
    levels = [0.3, 0.5, 0.7, 0.4, 0.6, 0.8]
    judged = {name: levels[n % 6] for n, name in enumerate(names)}
    found = fit(said, scores(judged), policy())
    alone = calibrated(list(judged.values()), [n % 6 >= 3 for n in range(60)])
    assert (found.n, found.n_groups) == (60, 6)
    assert found.objective_interval is not None
    assert alone.objective_interval is not None
    grouped_width = found.objective_interval.high - found.objective_interval.low
    assert grouped_width > alone.objective_interval.high - alone.objective_interval.low


ROWS = st.lists(
    st.tuples(st.integers(0, 100).map(lambda n: n / 100), st.booleans()), min_size=20, max_size=80
)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 5))
def test_the_order_of_rows_shows_nowhere(rows: list[tuple[float, bool]], seed: int) -> None:
    """Whatever the rows, the result is the same in any order, and each confusion adds up."""
    judged, passed = [score for score, _ in rows], [verdict for _, verdict in rows]
    found = calibrated(judged, passed, objective="f1", bootstraps=100)
    order = np.random.default_rng(seed).permutation(len(rows))
    names = [f"t{n:05}" for n in range(len(rows))]
    verdicts = {names[n]: "pass" if passed[n] else "fail" for n in order}
    shuffled = {names[n]: judged[n] for n in order}
    again = fit(evidence(verdicts), scores(shuffled), policy(objective="f1", bootstraps=100))
    assert again == found
    assert (found.threshold is None) == (found.status == "uncalibrated")
    for point in found.curve:
        counts = point.confusion
        assert (counts.tp + counts.fn, counts.fp + counts.tn) == (
            sum(passed),
            len(passed) - sum(passed),
        )


def test_the_file_is_read_as_it_was_written() -> None:
    """What calibrate writes into thresholds.json is what the gate reads out of it."""
    found = calibrated(GOOD_SCORES, GOOD_VERDICTS)
    content = json.loads(json.dumps(thresholds([found], {"grounded": PINS}, {"seed": 0})))
    read = parse_thresholds(content)["grounded"]
    assert (read.threshold, read.comparison, read.status) == (0.55, ">=", "calibrated")
    assert (read.judge, read.rubric_sha256) == (PINS.judge, PINS.rubric_sha256)
    assert (read.sensitivity, read.specificity) == ((32, 32), (32, 32))


def test_a_rubric_without_a_line_is_in_the_file() -> None:
    """An uncalibrated rubric stands in thresholds.json with null and the reason."""
    found = calibrated([0.5] * 30, [False, True] * 15)
    entry = thresholds([found], {"grounded": PINS}, {})["rubrics"]["grounded"]
    assert (entry["threshold"], entry["status"]) == (None, "uncalibrated")
    assert "tells them apart" in entry["reason"]
    assert metrics([found])["grounded"]["threshold"] is None
    assert curve_csv([found]) == "rubric,threshold,value,low,high,tp,fp,fn,tn\n"


def recorded(dataset: str, judge: str, verdicts: dict[str, bool], **changes: Any) -> Calibration:  # noqa: ANN401
    """A real judge's recorded scores against real people's verdicts."""
    rows = [row for row in read_rows(f"{dataset}/judge_scores.jsonl") if row["judge"] == judge]
    judged = {row["trace_id"]: row["score"] for row in rows if row["trace_id"] in verdicts}
    said = evidence({trace: "pass" if verdict else "fail" for trace, verdict in verdicts.items()})
    return fit(said, scores(judged), policy(**changes))


@pytest.mark.parametrize("comparison", [">=", ">"])
def test_mtrag_on_the_13_step_grid(comparison: str) -> None:
    """RAGAS faithfulness against MTRAG's raters: threshold .70, F1 .8535, the whole curve."""
    ratings: dict[str, list[float]] = {}
    for row in read_rows("mtrag/labels.jsonl"):
        if row["rubric"] == "faithfulness":
            ratings.setdefault(row["trace_id"], []).append(row["score"])
    verdicts = {trace: median(given) >= 3.5 for trace, given in ratings.items()}
    found = recorded("mtrag", "rl_f", verdicts, objective="f1", comparison=comparison)
    known = read_expected()["per_dataset"]["calibration"][
        "mtrag_rl_f_vs_median_faithfulness_ge_3.5"
    ]
    expected = known["ge" if comparison == ">=" else "gt"]
    assert (found.n, found.n_positive) == (known["n"], known["positives"])
    assert found.threshold == expected["best_f1_threshold_first_max"]
    assert found.objective_value == pytest.approx(expected["best_f1"], abs=5e-5)
    assert [point.value for point in found.curve] == pytest.approx(expected["f1"], abs=5e-5)
    assert found.discrimination.auroc == pytest.approx(known["auroc"], abs=5e-5)


def test_wice_on_its_authors_grid() -> None:
    """T5-3B-ANLI on WiCE's development rows, strict comparison: .34, and all 100 F1 values."""
    published = next(
        row for row in read_rows("wice/published_evaluation.jsonl") if row["judge"] == "t5-3b-anli"
    )
    verdicts = {
        row["trace_id"]: row["label"] == "supported"
        for row in read_rows("wice/labels.jsonl")
        if row["metadata"]["split"] == "dev"
    }
    found = recorded(
        "wice", "t5-3b-anli", verdicts, objective="f1", comparison=">", grid="0:0.99:100"
    )
    assert found.threshold == published["threshold"]
    curve = [point.value for point in found.curve]
    assert curve == pytest.approx(published["dev_f1_by_threshold"], abs=1e-12)


def test_two_scores_are_what_a_binary_rubric_wants() -> None:
    """A judge with two scores is a warning for a graded rubric, a note for a binary one."""
    binary = GROUNDED.model_copy(update={"scale": "binary"})
    rows = [label(f"t{n:02}", "pass" if n % 2 else "fail", who) for n in range(60) for who in "ab"]
    known = traces([f"t{n:02}" for n in range(60)])
    judged = scores({f"t{n:02}": float(n % 2) for n in range(60)})
    graded = fit(gather(labels(rows), known, GROUNDED, RULES), judged, policy())
    settled = fit(gather(labels(rows), known, binary, RULES), judged, policy())
    assert (graded.status, codes(graded)) == ("warned", {"binary_judge"})
    assert (settled.status, codes(settled)) == ("calibrated", {"two_scores"})
