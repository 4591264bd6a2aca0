"""LLMBar's recorded votes in both orders give the published figures of all 65 runs."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from gitloop.judges.openai.pairwise import both_orders
from gitloop.records import Judgement

DATA = Path(__file__).parents[3] / "shared/data/llmbar"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
SCORES = {"a": 1.0, "b": 0.0, "tie": 0.5}


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a file."""
    with (DATA / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def percent(text: str) -> float:
    """The percentage at the end of "81 / 100 = 81.0%"."""
    return float(text.rsplit("=", maxsplit=1)[-1].strip().removesuffix("%"))


def test_votes_in_both_orders_give_the_published_accuracy_and_consistency() -> None:
    """Accuracy in each order, on average and in both, and how often the orders agree: 65 runs."""
    votes = rows("votes.jsonl")
    gold = {vote["pair_id"]: vote["winner"] for vote in votes if vote["annotator"] == "gold"}
    runs: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for vote in votes:
        if vote["annotator"] != "gold":
            order = vote["metadata"]["order"]
            runs[vote["annotator"]][vote["pair_id"]][order] = SCORES[vote["winner"]]
    published = rows("published_statistics.jsonl")
    assert len(published) == 65
    for run in published:
        pairs = runs[f"{run['evaluator']}/{run['mode']}"]
        right: dict[str, float] = defaultdict(float)
        for pair_id, both in pairs.items():
            # The text that people prefer is "the output", the other one "the reference".
            mine = {k: s if gold[pair_id] == "a" else 1 - s for k, s in both.items()}
            together = both_orders([Judgement("ok", mine["ab"]), Judgement("ok", mine["ba"])])
            # The authors count a tie, which only rating judges give, as a wrong answer.
            right["False"] += mine["ab"] == 1.0
            right["True"] += mine["ba"] == 1.0
            right["average"] += ((mine["ab"] == 1.0) + (mine["ba"] == 1.0)) / 2
            right["both"] += together.score == 1.0
            right["equal"] += mine["ab"] == mine["ba"]
        told = {
            name: percent(run["equal" if name == "equal" else f"correct_{name}"]) for name in right
        }
        assert {name: 100 * n / len(pairs) for name, n in right.items()} == pytest.approx(told)
