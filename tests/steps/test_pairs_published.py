"""Preference pairs on public data, against figures that others published."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gitloop.core.pairs.agreement import Duo, measure, units_of_votes
from gitloop.core.pairs.judged import Comparison, from_verdicts, order_report
from gitloop.errors import DataError
from gitloop.params import PairAgreement
from gitloop.steps.pairs.agree import agree_pairs
from gitloop.steps.pairs.build import build_pairs
from gitloop.steps.pairs.export import ExportPlan, export_file, export_pairs
from gitloop.tables import VOTES
from tests.paired import put_traces, trace
from tests.repositories import Repository
from tests.stats.published import read_expected, read_rows

pytestmark = pytest.mark.slow
PARAMS = "pairs: {sources: [votes], keep_near_duplicates: true}\n"


def vote_rows(name: str, *kinds: str) -> list[dict[str, Any]]:
    """Votes of these kinds of annotators as rows of VOTES."""
    return [
        {
            "pair_id": row["pair_id"],
            "trace_id_a": f"{row['pair_id']}/a",
            "trace_id_b": f"{row['pair_id']}/b",
            "winner": row["winner"],
            "annotator": row["annotator"],
            "created_at": None,
        }
        for row in read_rows(f"{name}/votes.jsonl")
        if row["annotator_type"] in kinds and row["winner"] is not None
    ]


def repository(root: Path, name: str, *kinds: str) -> Repository:
    """The pairs of a data set as traces, and its votes as vote files."""
    made = Repository.create(root)
    traces = [
        trace(f"{row['pair_id']}/{side}", row.get(f"response_{side}"), row["prompt"],
              group_id=None, route=None)
        for row in read_rows(f"{name}/pairs.jsonl")
        for side in "ab"
    ]  # fmt: skip
    put_traces(made, traces)
    lines: dict[str, list[str]] = {}
    for row in vote_rows(name, *kinds):
        lines.setdefault(row["annotator"], []).append(json.dumps(row) + "\n")
    files = {f"labels/pairs/{who}.jsonl": "".join(said) for who, said in lines.items()}
    made.gen({"params.yaml": PARAMS, **files})
    return made


def test_pandalm(tmp_path: Path) -> None:
    """Kappas .852 .879 .862, majorities 105/422/472; 894 decided pairs are exported, no tie is."""
    made = repository(tmp_path / "pandalm", "pandalm", "human_expert")
    built = build_pairs(made.root)
    report = agree_pairs(made.root)
    votes = next(one for one in report.strata if one.kind == "source")
    kappas = [duo.kappa.value for duo in votes.duos]
    assert kappas == pytest.approx([0.852, 0.8789, 0.8617], abs=0.005)
    expected = read_expected()["pandalm"]
    assert votes.alpha.value == pytest.approx(expected["alpha_nominal"], abs=1e-3)
    assert (votes.n_ties, votes.n_majority, votes.n_labelled) == (105, 894, 999)
    assert built.dropped == {"votes": {"no majority": 105}, "build": {}}
    assert votes.band == "train"
    assert sum(export_pairs(made.root, ExportPlan()).splits.values()) == 894
    _, text = export_file(made.root, ExportPlan(form="plain"), split=None, output=None)
    rows = [json.loads(line) for line in text.splitlines()]
    winners = {"a": 0, "b": 0}
    for row in rows:
        winners[row["metadata"]["chosen_trace_id"][-1]] += 1
    assert winners == {"a": 422, "b": 472}
    assert {row["metadata"]["split"] for row in rows} == {"train", "holdout"}
    groups: dict[str, set[str]] = {}
    for row in rows:
        for group in row["metadata"]["groups"]:
            groups.setdefault(group, set()).add(row["metadata"]["split"])
    assert {len(splits) for splits in groups.values()} == {1}
    made.gen({"params.yaml": made.read("params.yaml").replace("true", "false")})
    strict = export_pairs(made.root, ExportPlan(name="strict"))
    assert strict.left_out == {
        "a near duplicate of another pair": 4,
        "another pair has the same words": 121,
    }
    assert sum(strict.splits.values()) == 894 - 125


def measured(rows: Iterable[dict[str, Any]]) -> Any:  # noqa: ANN401
    """The agreement on all of these votes."""
    votes = pl.DataFrame(list(rows), schema=VOTES.schema).unique(
        ["pair_id", "annotator"], keep="last", maintain_order=True
    )
    units, said = units_of_votes(votes, {})
    return measure(units, said, PairAgreement(), seed=0)[0]


def kind_of(name: str) -> str:
    """expert, author, or the model."""
    return f"human_{name.split('_', maxsplit=1)[0]}" if name[0] in "ea" else "gpt4"


def agreement(duos: Iterable[Duo], one: str, other: str) -> dict[str, float | int]:
    """Agreement between two kinds of voters: all votes, and those without a tie."""
    own = [duo for duo in duos if sorted(map(kind_of, duo.annotators)) == sorted((one, other))]
    n, n_decided = (sum(getattr(d, name) for d in own) for name in ("n_items", "n_decided"))
    agreed = sum(duo.n_agreed for duo in own) / n
    decided = sum(duo.n_decided_agreed for duo in own) / n_decided
    return {"S1": round(agreed, 4), "n1": n, "S2": round(decided, 4), "n2": n_decided}


def test_mtbench_alpha() -> None:
    """Krippendorff's alpha of the human votes equals the reference."""
    found = measured(vote_rows("mtbench", "human_expert", "human_author"))
    expected = read_expected()["per_dataset"]["mtbench"]
    assert found.alpha.value == pytest.approx(expected["alpha_nominal_human"], abs=5e-4)
    assert found.n_labelled == expected["multi_rated_pairs"]


@pytest.mark.parametrize("turn", [1, 2])
def test_mtbench_agreement(turn: int) -> None:
    """Agreement of GPT-4 and experts with each other is the published one, ties in and out."""
    rows = vote_rows("mtbench", "human_expert", "human_author", "llm")
    found = measured(row for row in rows if row["pair_id"].endswith(f"/t{turn}"))
    expected = read_expected()["per_dataset"]["mtbench"]
    for one, other in (("gpt4", "human_expert"), ("human_expert", "human_expert")):
        figures = agreement(found.duos, one, other)
        reference = expected[f"turn{turn}_{one}~{other}"]
        assert figures["S1"] == pytest.approx(reference["S1"], abs=0.005)
        assert figures["S2"] == pytest.approx(reference["S2"], abs=0.005)
        assert abs(figures["n1"] - reference["n1"]) <= 2


def test_mtbench_is_refused(tmp_path: Path) -> None:
    """There are votes and no texts: the export says so and writes nothing."""
    made = repository(tmp_path / "mtbench", "mtbench", "human_expert", "human_author")
    assert build_pairs(made.root).n_pairs == 0
    with pytest.raises(DataError, match="a text is missing"):
        export_pairs(made.root, ExportPlan())
    assert not (made.root / "preferences").exists()


def test_llmbar_order_flips_are_inconsistent() -> None:
    """For all 65 judge runs, as many verdicts hold in both orders as the authors count."""
    pairs = {row["pair_id"]: row for row in read_rows("llmbar/pairs.jsonl")}
    runs: dict[str, dict[str, dict[int, float]]] = {}
    for row in read_rows("llmbar/votes.jsonl"):
        if row["annotator_type"] == "llm":
            order = row["metadata"]["order"]
            score = 0.5 if row["winner"] == "tie" else float(row["winner"] == order[0])
            said = runs.setdefault(row["annotator"], {}).setdefault(row["pair_id"], {})
            said[("ab", "ba").index(order)] = score
    published = {
        f"{row['evaluator']}/{row['mode']}": row
        for row in read_rows("llmbar/published_statistics.jsonl")
    }
    assert len(published) == 65
    asked = [
        Comparison(
            pair_id,
            trace(f"{pair_id}/a", row["response_a"], row["prompt"]),
            trace(f"{pair_id}/b", row["response_b"], row["prompt"]),
        )
        for pair_id, row in sorted(pairs.items())
    ]
    for name, row in published.items():
        n_equal = int(row["equal"].split("/")[0])
        found = order_report(runs[name])
        assert (found.n, found.n_consistent) == (100, n_equal), name
        kept = from_verdicts(asked, runs[name])
        flipped = kept.dropped.get("the judge's verdict turns with the order", 0)
        assert flipped == 100 - n_equal, name
        ties = kept.dropped.get("the judge sees no difference", 0)
        assert len(kept.preferences) == n_equal - ties
