"""Published figures on public data: thresholds, agreement, correlation, pass^k."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from gitloop.stats.agreement import (
    cohen_kappa,
    gwet_ac,
    krippendorff_alpha,
    raw_agreement,
    tabulate,
)
from gitloop.stats.calibration import discrimination
from gitloop.stats.correlation import pearson
from gitloop.stats.distributions import BoolArray, FloatArray
from gitloop.stats.repeats import pass_hat_k
from gitloop.stats.thresholds import (
    Objective,
    SweepPolicy,
    confusion_at,
    confusion_rates,
    decimal_grid,
    sweep,
)
from tests.stats.published import read_expected, read_rows

JUDGES = ("claude3-haiku", "claude3-opus", "gemini-1.5-pro", "gpt-4o", "gpt-4o-9fs", "gpt3.5")


def by_item(rows: list[dict[str, Any]], key: str, field: str) -> dict[str, list[Any]]:
    """Return the values of `field` per item, in file order."""
    units: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        units[row[key]].append(row[field])
    return dict(units)


def wice(split: str) -> tuple[FloatArray, BoolArray]:
    """Return the t5-3b-anli scores of a split and whether people call the claim supported."""
    labels = {row["trace_id"]: row["score"] == 1.0 for row in read_rows("wice/labels.jsonl")}
    rows = [
        row
        for row in read_rows("wice/judge_scores.jsonl")
        if row["judge"] == "t5-3b-anli" and row["metadata"]["split"] == split
    ]
    scores = np.array([row["score"] for row in rows])
    return scores, np.array([labels[row["trace_id"]] for row in rows])


def test_wice_sweep_is_reproduced() -> None:
    """All 100 dev F1 values, the threshold .34 and the test figures of the authors are met."""
    published = next(
        row for row in read_rows("wice/published_evaluation.jsonl") if row["judge"] == "t5-3b-anli"
    )
    policy = SweepPolicy(decimal_grid("0", "0.99", 100), strict=True, tie="first")
    swept = sweep(*wice("dev"), policy)
    assert swept.values == pytest.approx(published["dev_f1_by_threshold"], abs=1e-12)
    assert swept.threshold == published["threshold"] == 0.34
    scores, labels = wice("test")
    rates = confusion_rates(confusion_at(scores, labels, 0.34, strict=True))
    assert rates.f1 == pytest.approx(published["test_f1"], abs=1e-12)
    assert rates.balanced_accuracy == pytest.approx(published["test_balanced_accuracy"], abs=1e-12)
    assert rates.accuracy is not None
    assert rates.accuracy.value == pytest.approx(published["test_accuracy"], abs=1e-12)
    auroc = discrimination(scores, labels).auroc
    assert auroc == pytest.approx(published["test_auroc"], abs=1e-12)


def calibration_case(name: str) -> tuple[FloatArray, BoolArray]:
    """Return judge scores and human verdicts of one case of `expected.json`'s calibration."""
    dataset, rest = name.split("_", 1)
    judge = rest.split("_vs_")[0]
    if dataset == "mtrag":
        labels = [row for row in read_rows("mtrag/labels.jsonl") if row["rubric"] == "faithfulness"]
        truth = {
            item: float(np.median(scores)) >= 3.5
            for item, scores in by_item(labels, "trace_id", "score").items()
        }
    elif dataset == "summhay":
        truth = {
            row["trace_id"]: row["label"] == "fully_covered"
            for row in read_rows("summhay/labels.jsonl")
        }
    else:
        judge = "Entailment"
        labels = [
            row
            for row in read_rows("xsum_halluc/labels.jsonl")
            if row["rubric"] == "faithfulness" and row["annotator_type"] == "human_crowd"
        ]
        spans = by_item(labels, "trace_id", "score")
        truth = {item: float(np.mean(scores)) > 0.5 for item, scores in spans.items()}
    folder = "xsum_halluc" if dataset == "xsum" else dataset
    rows = [row for row in read_rows(f"{folder}/judge_scores.jsonl") if row["judge"] == judge]
    scored = {row["trace_id"]: row["score"] for row in rows if row["score"] is not None}
    items = [item for item in scored if item in truth]
    return np.array([scored[i] for i in items]), np.array([truth[i] for i in items])


@pytest.mark.parametrize(
    "name",
    [
        "mtrag_rl_f_vs_median_faithfulness_ge_3.5",
        "mtrag_rb_llm_vs_median_faithfulness_ge_3.5",
        "xsum_entailment_vs_majority_faithful",
        "summhay_gpt-4o_vs_fully_covered",
        "summhay_claude3-haiku_vs_fully_covered",
    ],
)
def test_calibration_curves_are_reproduced(name: str) -> None:
    """Curves of F1, accuracy and kappa, the first maximum and AUROC equal the reference's."""
    expected = read_expected()["per_dataset"]["calibration"][name]
    scores, labels = calibration_case(name)
    assert (labels.size, int(labels.sum())) == (expected["n"], expected["positives"])
    assert discrimination(scores, labels).auroc == pytest.approx(expected["auroc"], abs=1e-4)
    for strict, side in ((False, "ge"), (True, "gt")):
        reference = expected[side]
        grid = tuple(reference["grid"])
        assert grid == decimal_grid()
        for objective in ("f1", "accuracy", "kappa"):
            swept = sweep(scores, labels, SweepPolicy(grid, Objective(objective), strict))
            assert swept.values == pytest.approx(reference[objective], abs=1e-4)
        first = sweep(scores, labels, SweepPolicy(grid, Objective("f1"), strict, tie="first"))
        assert first.threshold == reference["best_f1_threshold_first_max"]
        assert first.value == pytest.approx(reference["best_f1"], abs=1e-4)


def test_mtrag_faithfulness_is_cut_at_seven_tenths() -> None:
    """RAGAS faithfulness on MTRAG is cut at .70 with F1 .8535 under either tie rule."""
    scores, labels = calibration_case("mtrag_rl_f_vs_median_faithfulness_ge_3.5")
    for tie in ("first", "middle"):
        swept = sweep(scores, labels, SweepPolicy(decimal_grid(), tie=tie))
        assert swept.threshold == 0.7
        assert swept.value == pytest.approx(0.8535, abs=5e-5)


@pytest.mark.parametrize(
    "rubric", ["naturalness", "appropriateness", "completeness", "faithfulness"]
)
def test_mtrag_agreement_is_reproduced(rubric: str) -> None:
    """Ordinal and binary alpha, pooled agreement and pooled AC1 on MTRAG equal the reference."""
    expected = read_expected()["per_dataset"]["mtrag"]
    rows = [row for row in read_rows("mtrag/labels.jsonl") if row["rubric"] == rubric]
    units = list(by_item(rows, "trace_id", "score").values())
    graded = tabulate(units)
    ordinal = krippendorff_alpha(graded, "ordinal", n_resamples=0).value
    assert ordinal == pytest.approx(expected[f"alpha_ordinal_{rubric}"], abs=1e-3)
    raw = expected["raw_pairwise_agreement"][rubric]
    assert raw_agreement(graded).value == pytest.approx(raw, abs=1e-4)
    binary = tabulate([[score >= 3 for score in unit] for unit in units])
    reference = expected[f"binary_ge3_{rubric}"]
    nominal = krippendorff_alpha(binary, n_resamples=0).value
    assert nominal == pytest.approx(reference["alpha"], abs=1e-3)
    assert raw_agreement(binary).value == pytest.approx(reference["agreement"], abs=1e-4)
    pooled = gwet_ac(binary, average="ratings").value
    assert pooled == pytest.approx(reference["gwet_ac1"], abs=1e-4)


@pytest.mark.parametrize("rubric", ["faithfulness", "factuality"])
def test_xsum_alpha_is_reproduced(rubric: str) -> None:
    """Alpha and pairwise agreement of the XSum annotations equal the reference."""
    expected = read_expected()["per_dataset"]["xsum_halluc"]
    rows = [
        row
        for row in read_rows("xsum_halluc/labels.jsonl")
        if row["rubric"] == rubric and row["score"] is not None
    ]
    table = tabulate(list(by_item(rows, "trace_id", "score").values()))
    alpha = krippendorff_alpha(table, n_resamples=0).value
    assert alpha == pytest.approx(expected[f"alpha_nominal_{rubric}"], abs=1e-3)
    agreed = expected[f"pairwise_agree_{rubric}"]
    assert raw_agreement(table).value == pytest.approx(agreed, abs=1e-3)


def test_dices_alpha_is_reproduced() -> None:
    """Alpha of 123 raters on 350 items equals the reference, with a narrow interval around it."""
    table = tabulate([row["labels"] for row in read_rows("dices/dices_350.jsonl")])
    got = krippendorff_alpha(table, n_resamples=200)
    assert got.value == pytest.approx(read_expected()["dices"]["alpha_nominal"], abs=1e-3)
    assert (got.n_items, got.n_raters) == (350, 123)
    assert got.interval is not None
    assert got.interval.high - got.interval.low < 0.06


def test_feedbackqa_alpha_is_reproduced() -> None:
    """Ordinal alpha of the four-point feedback equals the reference."""
    rows = read_rows("feedbackqa/feedback.jsonl")
    table = tabulate(list(by_item(rows, "trace_id", "score").values()))
    expected = read_expected()["per_dataset"]["feedbackqa"]["alpha_ordinal"]
    got = krippendorff_alpha(table, "ordinal", n_resamples=0)
    assert got.value == pytest.approx(expected, abs=1e-3)


def test_pandalm_agreement_is_reproduced() -> None:
    """The published kappas .85, .88, .86 of the annotators, their alpha, and a judge's kappa."""
    expected = read_expected()["pandalm"]
    votes = defaultdict(dict)  # type: ignore[var-annotated]
    for row in read_rows("pandalm/votes.jsonl"):
        votes[row["annotator"]][row["pair_id"]] = row["winner"]
    people = ["annotator1", "annotator2", "annotator3"]
    pair_ids = sorted(votes[people[0]])
    columns = {who: [votes[who].get(pair) for pair in pair_ids] for who in votes}
    for a, b in ((0, 1), (0, 2), (1, 2)):
        key = f"kappa_{people[a]}_{people[b]}"
        got = cohen_kappa(columns[people[a]], columns[people[b]])
        assert got.value == pytest.approx(expected[key], abs=1e-4)
    units = list(zip(*(columns[who] for who in people), strict=True))
    alpha = krippendorff_alpha(tabulate(units), n_resamples=0).value
    assert alpha == pytest.approx(expected["alpha_nominal"], abs=1e-3)
    majority = [max(sorted(set(unit)), key=unit.count) for unit in units]
    judge = cohen_kappa(columns["gpt-3.5-turbo"], majority)
    assert judge.value == pytest.approx(expected["gpt-3.5-turbo"]["kappa"], abs=1e-4)
    assert (judge.n_items, judge.n_skipped) == (974, 25)


def test_mtbench_alpha_is_reproduced() -> None:
    """Alpha of the human votes equals the reference, an annotator's second vote included."""
    expected = read_expected()["per_dataset"]["mtbench"]
    rows = [row for row in read_rows("mtbench/votes.jsonl") if "human" in row["annotator_type"]]
    got = krippendorff_alpha(
        tabulate(list(by_item(rows, "pair_id", "winner").values())), n_resamples=0
    )
    assert got.value == pytest.approx(expected["alpha_nominal_human"], abs=1e-3)
    assert got.n_items == expected["multi_rated_pairs"]


@pytest.mark.parametrize("judge", JUDGES)
def test_summhay_judges_are_reproduced(judge: str) -> None:
    """Pearson and three-class kappa of each SummHay judge equal the reference."""
    expected = read_expected()["per_dataset"]["summhay"]
    people = {row["trace_id"]: row["score"] for row in read_rows("summhay/labels.jsonl")}
    rows = [row for row in read_rows("summhay/judge_scores.jsonl") if row["judge"] == judge]
    scores = [row["score"] for row in rows]
    labels = [people[row["trace_id"]] for row in rows]
    correlation = pearson(scores, labels)
    assert correlation.value == pytest.approx(expected[f"pearson_{judge}"], abs=1e-4)
    kappa = cohen_kappa(scores, labels).value
    assert kappa == pytest.approx(expected[f"kappa3_{judge}"], abs=1e-4)


def test_taubench_pass_hat_k_is_reproduced() -> None:
    """The leaderboard's pass^1 to pass^4 of gpt-4o on the airline tasks are reproduced."""
    outcomes: dict[int, list[float]] = defaultdict(list)
    for row in read_rows("taubench/labels.jsonl"):
        outcomes[row["metadata"]["task"]].append(row["score"])
    successes = [int(sum(scores)) for scores in outcomes.values()]
    trials = [len(scores) for scores in outcomes.values()]
    expected = read_expected()["taubench"]
    for k in (1, 2, 3, 4):
        got = pass_hat_k(successes, trials, k)
        assert got.value == pytest.approx(expected[f"pass^{k}"], abs=5e-5)


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.parametrize("group", ["gpt4", "human_expert"])
def test_mtbench_agreement_is_reproduced(turn: int, group: str) -> None:
    """GPT-4 with experts and experts with each other: S1 over all votes, S2 without ties."""
    units: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in read_rows("mtbench/votes.jsonl"):
        if row["metadata"]["turn"] == turn:
            kind = "gpt4" if row["annotator_type"] == "llm" else row["annotator_type"]
            units[row["pair_id"]][kind].append(row["winner"])
    pairs = []
    for votes in units.values():
        experts = votes["human_expert"]
        if group == "gpt4":
            pairs += [(judge, expert) for judge in votes["gpt4"] for expert in experts]
        else:
            pairs += list(combinations(experts, 2))
    decided = [pair for pair in pairs if "tie" not in pair]
    names = {"gpt4": f"turn{turn}_gpt4~human_expert"}
    expected = read_expected()["per_dataset"]["mtbench"][
        names.get(group, f"turn{turn}_human_expert~human_expert")
    ]
    for kept, key, count in ((pairs, "S1", "n1"), (decided, "S2", "n2")):
        got = raw_agreement(tabulate(kept))
        assert got.n_items == expected[count]
        assert got.value == pytest.approx(expected[key], abs=1e-4)


def test_pandalm_judge_accuracy_counts_unparsed_answers() -> None:
    """gpt-3.5-turbo's accuracy .7107 and macro F1 .5755 count its 25 unparsed answers as ties."""
    expected = read_expected()["pandalm"]["gpt-3.5-turbo"]
    votes = by_item(read_rows("pandalm/votes.jsonl"), "annotator", "winner")
    people = list(zip(*(votes[f"annotator{n}"] for n in (1, 2, 3)), strict=True))
    majority = [max(sorted(set(unit)), key=unit.count) for unit in people]
    parsed = votes["gpt-3.5-turbo"]
    assert sum(verdict is None for verdict in parsed) == 25
    judged = [verdict or "tie" for verdict in parsed]
    scores = []
    for label in ("a", "b", "tie"):
        own = [float(verdict == label) for verdict in judged]
        truth = [verdict == label for verdict in majority]
        scores.append(confusion_rates(confusion_at(own, truth, 0.5)).f1 or 0.0)
    accuracy = raw_agreement(tabulate(list(zip(judged, majority, strict=True))))
    assert accuracy.n_items == 999
    assert accuracy.value == pytest.approx(expected["unparsed_as_tie"]["acc"], abs=5e-5)
    assert np.mean(scores) == pytest.approx(expected["unparsed_as_tie"]["f1_macro"], abs=5e-5)
