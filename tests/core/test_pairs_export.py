"""What is exported: clean pairs, in the layouts of trainers, their faults told."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import polars as pl
import pytest

from gitloop.core.pairs.cleaning import clean, clean_rewards
from gitloop.core.pairs.constitution import clauses
from gitloop.core.pairs.layouts import LAYOUTS, companion, frame
from gitloop.core.pairs.reports import length_report, source_reports
from gitloop.params import Rubric
from gitloop.tables import GOLDEN, REWARDS
from tests.paired import built, golden, pair_rows, preference

WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen"


def told(pair: dict[str, Any]) -> dict[str, Any]:
    """A pair as `select` hands it to a layout."""
    return pair | {"stratum": "source clusters", "agreement": 0.8, "labelled_by": ["amara"]}


PAIR = told(pair_rows(1)[0])
TALK = told(pair_rows(1, history=(("user", "Hi"), ("assistant", "Hello")))[0])
REWARD = {
    "trace_id": "t", "prompt_class": "c", "prompt": "Q", "completion": "A", "reward": 0.75,
    "scores": [], "passes": True, "route": None, "group_id": "g",
}  # fmt: skip


def cleaned(pairs: pl.DataFrame, rows: pl.DataFrame | None = None) -> dict[str, int]:
    """Reason → pairs that go."""
    found = clean(pairs, GOLDEN.empty() if rows is None else rows, near_duplicate=0.8)
    return dict(Counter(found.dropped.values()))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"source_trace_id": "t"}, "a golden row came from its trace"),
        ({"group_id": "g"}, "a golden row is of its group"),
        ({"input": "One two, THREE four five six seven eight nine ten eleven twelve"},
         "a golden row asks the same"),
        ({"input": "one two three four", "context": "zero"}, ""),
    ],
)  # fmt: skip
def test_what_golden_rows_hold_is_not_trained_on(fields: dict[str, Any], reason: str) -> None:
    """Same trace, same group, or the same question within the similarity: the pair goes."""
    pairs = built(preference(WORDS, rejected_id="t")).pairs
    assert cleaned(pairs, golden(**fields)) == ({reason: 1} if reason else {})


def test_golden_questions_in_the_history_count_too() -> None:
    """A turn before the prompt may be the golden one."""
    pairs = built(preference("and now?", history=(("user", WORDS), ("assistant", "x")))).pairs
    assert cleaned(pairs, golden(input=WORDS)) == {"a golden row asks the same": 1}


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ((WORDS, "good", "bad"), "another pair has the same words"),
        ((f"{WORDS}!", "Good", "bad"), "another pair has the same words"),
        ((f"zero {WORDS}", "good", "bad"), "a near duplicate of another pair"),
        ((WORDS, "quite another answer", "bad"), ""),
        ((WORDS, "good", "worse"), ""),
    ],
)
def test_only_a_repeat_of_all_three_texts_goes(texts: tuple[str, str, str], reason: str) -> None:
    """However long the prompt that they share, another answer to it makes another pair."""
    pairs = built(preference(WORDS, "good", "bad"), preference(*texts, comparison_id="2")).pairs
    assert cleaned(pairs) == ({reason: 1} if reason else {})
    kept = clean(pairs, GOLDEN.empty(), near_duplicate=0.8, keeps_near=True)
    assert kept.pairs.height == 2


def test_another_history_is_another_pair() -> None:
    """The same words after another conversation ask something else."""
    talk = (("user", "Which plan is it?"), ("assistant", "The small one."))
    pairs = built(preference("and now?"), preference("and now?", history=talk)).pairs
    assert cleaned(pairs) == {}


def test_the_holdouts_prompts_are_not_trained_on() -> None:
    """The holdout stays, the train pair with its prompt goes."""
    pairs = built(preference("p q r", "a b c"), preference("P, q r!", "d e f", "g h i")).pairs
    split = pl.Series("split", ["holdout", "train"])
    found = clean(pairs.with_columns(split), GOLDEN.empty(), near_duplicate=0.8, keeps_near=True)
    assert found.pairs["split"].to_list() == ["holdout"]
    assert list(found.dropped.values()) == ["the holdout asks the same"]


def test_rewards_are_cleaned_too() -> None:
    """A rewarded answer of a golden group is left out and counted; the others know their side."""
    rewards = pl.DataFrame([REWARD], schema=REWARDS.schema)
    kept, left_out = clean_rewards(rewards, GOLDEN.empty(), holdout_rate=0.0, near_duplicate=0.8)
    assert ([row["split"] for row in kept], left_out) == (["train"], {})
    kept, left_out = clean_rewards(
        rewards, golden(group_id="g"), holdout_rate=0.0, near_duplicate=0.8
    )
    assert (kept, left_out) == ([], {"t": "a golden row is of its group"})


@pytest.mark.parametrize(
    ("layout", "form", "expected"),
    [
        ("trl-dpo", "plain", {"prompt": "prompt0", "chosen": "good0", "rejected": "bad0"}),
        ("unsloth", "plain", {"prompt": "prompt0", "chosen": "good0", "rejected": "bad0"}),
        ("trl-dpo", "conversational",
         {"prompt": [{"role": "user", "content": "prompt0"}],
          "chosen": [{"role": "assistant", "content": "good0"}],
          "rejected": [{"role": "assistant", "content": "bad0"}]}),
        ("trl-reward", "plain",
         {"chosen": "prompt0\n\ngood0", "rejected": "prompt0\n\nbad0", "margin": 0.0}),
        ("trl-kto", "plain", {"prompt": "prompt0", "completion": "good0", "label": True}),
        ("axolotl", "conversational",
         {"messages": [{"role": "user", "content": "prompt0"}],
          "chosen": {"role": "assistant", "content": "good0"}}),
        ("llama-factory", "plain", {"instruction": "prompt0", "chosen": "good0"}),
        ("llama-factory", "conversational",
         {"conversations": [{"from": "human", "value": "prompt0"}],
          "rejected": {"from": "gpt", "value": "bad0"}}),
    ],
)  # fmt: skip
def test_layouts_are_the_trainers(layout: str, form: str, expected: dict[str, Any]) -> None:
    """Each trainer finds the keys that it reads, with the texts where it looks for them."""
    row = LAYOUTS[layout].rows([PAIR], form)[0]
    assert {key: row[key] for key in expected} == expected
    assert row["metadata"]["pair_id"] == PAIR["pair_id"]


def test_metadata_holds_what_is_known() -> None:
    """Scores, source, cluster, annotators, the stratum's agreement, confidence and digests."""
    found = LAYOUTS["trl-dpo"].rows([PAIR], "plain")[0]["metadata"]
    assert found["annotators"] == ["amara"]
    assert (found["stratum_agreement"], found["cluster_id"]) == (0.8, "c")
    assert {"scores", "judge_confidence", "margin", "chosen_sha256", "split"} <= set(found)


def test_history_stands_before_the_prompt() -> None:
    """As messages in a conversational layout, as a transcript in a plain one."""
    messages = LAYOUTS["trl-dpo"].rows([TALK], "conversational")[0]["prompt"]
    assert [one["role"] for one in messages] == ["user", "assistant", "user"]
    plain = LAYOUTS["trl-dpo"].rows([TALK], "plain")[0]["prompt"]
    assert plain == "User: Hi\n\nAssistant: Hello\n\nUser: prompt0"


def test_kto_takes_each_answer_once() -> None:
    """An answer that is chosen over two others is one desirable row."""
    two = [told(row) for row in built(preference(), preference(rejected="z")).pairs.to_dicts()]
    assert [row["label"] for row in LAYOUTS["trl-kto"].rows(two, "plain")].count(True) == 1


def test_rewards_are_per_prompt_or_per_answer() -> None:
    """GRPO gets one row per prompt with the recorded rewards, PPO one row per answer."""
    other = REWARD | {"trace_id": "u", "completion": "B", "reward": 0.25}
    (row,) = LAYOUTS["trl-grpo"].rows([REWARD, other], "plain")
    assert (row["prompt"], row["recorded_answers"], row["recorded_rewards"]) == (
        "Q",
        ["A", "B"],
        [0.75, 0.25],
    )
    assert [r["reward"] for r in LAYOUTS["rewards"].rows([REWARD, other], "plain")] == [0.75, 0.25]


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_parquet_has_one_schema(layout: str) -> None:
    """Train and holdout have the same types, whatever happens to be null or empty in one."""
    full = PAIR | {"margin": 0.5, "confidence": 1.0, "also_from": ["votes"], "scores": [
        {"rubric": "g", "chosen": 1.0, "rejected": 0.0}]}  # fmt: skip
    made = LAYOUTS[layout]
    rows = ([PAIR], [full]) if made.of == "pairs" else ([REWARD], [REWARD | {"route": "r"}])
    for form in made.forms:
        one, other = (frame(made.rows(some, form), made.of).schema for some in rows)
        assert one == other


def test_llama_factory_gets_its_dataset_info() -> None:
    """The file that registers the data says ranking and names the columns."""
    files = {"train": "data/t.jsonl", "holdout": "data/h.jsonl"}
    beside = companion("llama-factory", "conversational", files)
    assert beside is not None
    info = json.loads(beside[1])["gitloop_train"]
    assert (beside[0], info["ranking"], info["formatting"]) == (
        "dataset_info.json", True, "sharegpt",
    )  # fmt: skip
    axolotl = companion("axolotl", "conversational", files)
    assert axolotl is not None
    assert "type: chat_template.default" in axolotl[1]
    assert "ds_type: json" in axolotl[1]
    packed = companion("axolotl", "conversational", {"train": "data/t.parquet"})
    assert packed is not None
    assert "ds_type: parquet" in packed[1]
    assert companion("trl-dpo", "plain", files) is None


def test_length_bias_is_told() -> None:
    """A chosen answer that is always the longer one is named as a bias, with its interval."""
    found = length_report(
        built(*(preference(f"p{n}", "long answer", f"s{n}") for n in range(20))).pairs
    )
    assert (found.longer_rate, found.is_biased) == (1.0, True)
    assert found.log_ratio is not None
    assert found.log_ratio > 0
    assert length_report(built().pairs).longer_rate is None
    (one,) = source_reports(built(preference(margin=0.4)).pairs)
    assert (one.source, one.n, one.mean_margin) == ("clusters", 1, 0.4)


def test_a_rubric_is_a_clause_of_the_constitution() -> None:
    """Word for word, with version and digest; a rubric without words makes no clause."""
    spoken = Rubric(name="kind", version="2", guidance="Be  kind.\n", scorer={"local": {}})
    silent = Rubric(name="mute", version="1", scorer={"local": {}})
    (clause,) = clauses([spoken, silent])
    assert (clause["principle"], clause["version"], clause["sha256"]) == (
        "Be kind.", "2", spoken.sha256,
    )  # fmt: skip
    assert clause["critique_request"].endswith("Be kind.")
