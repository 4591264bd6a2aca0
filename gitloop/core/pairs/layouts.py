"""Pairs in the layouts that trainers read.

A layout turns a pair into one row (KTO: two), plain or conversational. What a trainer does not know
stands in `metadata`, which all of them ignore.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from gitloop.digests import sha256
from gitloop.tables import PAIRS, REWARDS, TEXTS

Row = dict[str, Any]
Message = dict[str, str]

FORMS = ("plain", "conversational")

_TEXT, _NUMBER = pl.String(), pl.Float64()
_OF_PAIR = PAIRS.schema
METADATA = pl.Struct(
    {
        "pair_id": _TEXT,
        "source": _TEXT,
        "also_from": TEXTS,
        "verified_by": _TEXT,
        "cluster_id": _TEXT,
        "route": _TEXT,
        "user_cohort": _TEXT,
        "scores": _OF_PAIR["scores"],
        "margin": _NUMBER,
        "judge_confidence": _NUMBER,
        "annotators": TEXTS,
        "stratum": _TEXT,
        "stratum_agreement": _NUMBER,
        "split": _TEXT,
        "groups": TEXTS,
        "chosen_trace_id": _TEXT,
        "rejected_trace_id": _TEXT,
        "prompt_sha256": _TEXT,
        "chosen_sha256": _TEXT,
        "rejected_sha256": _TEXT,
    }
)
"""What `metadata` of a pair holds; in Parquet both splits have these types, empty or not."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a trainer wants its rows.

    Attributes:
        name: As in `gitloop pairs export --layout`.
        reads: Who reads it.
        forms: "plain", "conversational", or both.
        of: "pairs" or "rewards": which table its rows are made of.
        rows: Pairs (or rewards) and the form → rows.
    """

    name: str
    reads: str
    forms: tuple[str, ...]
    of: str
    rows: Callable[[Sequence[Mapping[str, Any]], str], list[Row]]


def metadata(pair: Mapping[str, Any]) -> Row:
    """What is known of a pair besides its texts.

    Args:
        pair: A row of `tables.PAIRS` with the keys of `fates.Fate` beside it: stratum, agreement,
            labelled_by.
    """
    return {
        "pair_id": pair["pair_id"],
        "source": pair["source"],
        "also_from": pair["also_from"],
        "verified_by": pair["verified_by"],
        "cluster_id": pair["cluster_id"],
        "route": pair["route"],
        "user_cohort": pair["user_cohort"],
        "scores": pair["scores"],
        "margin": pair["margin"],
        "judge_confidence": pair["confidence"],
        "annotators": sorted({*pair["annotators"], *pair["labelled_by"]}),
        "stratum": pair["stratum"],
        "stratum_agreement": pair["agreement"],
        "split": pair["split"],
        "groups": pair["groups"],
        "chosen_trace_id": pair["chosen_id"],
        "rejected_trace_id": pair["rejected_id"],
        "prompt_sha256": sha256(pair["prompt"]),
        "chosen_sha256": sha256(pair["chosen"]),
        "rejected_sha256": sha256(pair["rejected"]),
    }


def transcript(pair: Mapping[str, Any]) -> str:
    """The prompt as one text; turns before it stand above it, with who spoke."""
    if not pair.get("history"):
        return str(pair["prompt"])
    told = [f"{turn['role'].capitalize()}: {turn['content']}" for turn in pair["history"]]
    return "\n\n".join([*told, f"User: {pair['prompt']}"])


def messages(pair: Mapping[str, Any]) -> list[Message]:
    """The prompt as messages, the last one the user's."""
    turns = [dict(turn) for turn in pair.get("history") or ()]
    return [*turns, {"role": "user", "content": pair["prompt"]}]


def answer(text: str) -> Message:
    """An answer as a message."""
    return {"role": "assistant", "content": text}


def _dpo(pairs: Sequence[Mapping[str, Any]], form: str) -> list[Row]:
    rows = []
    for pair in pairs:
        if form == "plain":
            row: Row = {"prompt": transcript(pair)} | {
                side: pair[side] for side in ("chosen", "rejected")
            }
        else:
            row = {"prompt": messages(pair)} | {
                side: [answer(pair[side])] for side in ("chosen", "rejected")
            }
        rows.append(row | {"margin": pair["margin"], "metadata": metadata(pair)})
    return rows


def _reward(pairs: Sequence[Mapping[str, Any]], form: str) -> list[Row]:
    """Both whole conversations; the trainer subtracts `margin`, so one that is unknown is 0."""
    rows = []
    for pair in pairs:
        if form == "plain":
            row: Row = {
                side: f"{transcript(pair)}\n\n{pair[side]}" for side in ("chosen", "rejected")
            }
        else:
            row = {side: [*messages(pair), answer(pair[side])] for side in ("chosen", "rejected")}
        rows.append(row | {"margin": pair["margin"] or 0.0, "metadata": metadata(pair)})
    return rows


def _kto(pairs: Sequence[Mapping[str, Any]], form: str) -> list[Row]:
    """Each answer alone, desirable or not, each once."""
    rows: dict[tuple[str, str, bool], Row] = {}
    for pair in pairs:
        for side, label in (("chosen", True), ("rejected", False)):
            if form == "plain":
                row: Row = {"prompt": transcript(pair), "completion": pair[side]}
            else:
                row = {"prompt": messages(pair), "completion": [answer(pair[side])]}
            key = (transcript(pair), pair[side], label)
            rows.setdefault(key, row | {"label": label, "metadata": metadata(pair)})
    return list(rows.values())


def _grpo(rewards: Sequence[Mapping[str, Any]], form: str) -> list[Row]:
    """One row per prompt; recorded answers and rewards are columns for a reward function.

    TRL hands columns to the function by name, and has a `completions` and a `prompts` of its own.
    """
    rows: dict[str, Row] = {}
    for one in rewards:
        prompt = transcript(one) if form == "plain" else messages(one)
        row = rows.setdefault(
            one["prompt"],
            {
                "prompt": prompt,
                "recorded_answers": [],
                "recorded_rewards": [],
                "metadata": {"prompt_class": one["prompt_class"], "route": one["route"]},
            },
        )
        row["recorded_answers"].append(one["completion"])
        row["recorded_rewards"].append(one["reward"])
    return list(rows.values())


def _rewarded(rewards: Sequence[Mapping[str, Any]], form: str) -> list[Row]:
    """One row per answer, with its reward: for PPO and other methods on recorded answers."""
    rows = []
    for one in rewards:
        if form == "plain":
            row: Row = {"prompt": transcript(one), "completion": one["completion"]}
        else:
            row = {"prompt": messages(one), "completion": [answer(one["completion"])]}
        told = {name: one[name] for name in ("trace_id", "scores", "passes", "route")}
        rows.append(row | {"reward": one["reward"], "metadata": told})
    return rows


def _axolotl(pairs: Sequence[Mapping[str, Any]], form: str) -> list[Row]:  # noqa: ARG001
    return [
        {
            "messages": messages(pair),
            "chosen": answer(pair["chosen"]),
            "rejected": answer(pair["rejected"]),
            "metadata": metadata(pair),
        }
        for pair in pairs
    ]


def _llama_factory(pairs: Sequence[Mapping[str, Any]], form: str) -> list[Row]:
    if form == "plain":
        return [
            {
                "instruction": transcript(pair),
                "input": "",
                "chosen": pair["chosen"],
                "rejected": pair["rejected"],
                "metadata": metadata(pair),
            }
            for pair in pairs
        ]
    names = {"user": "human", "assistant": "gpt"}
    return [
        {
            "conversations": [
                {"from": names.get(turn["role"], turn["role"]), "value": turn["content"]}
                for turn in messages(pair)
            ],
            "chosen": {"from": "gpt", "value": pair["chosen"]},
            "rejected": {"from": "gpt", "value": pair["rejected"]},
            "metadata": metadata(pair),
        }
        for pair in pairs
    ]


_BOTH = FORMS
LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("trl-dpo", "TRL's DPOTrainer", _BOTH, "pairs", _dpo),
        Layout("trl-reward", "TRL's RewardTrainer", _BOTH, "pairs", _reward),
        Layout("trl-kto", "TRL's KTOTrainer", _BOTH, "pairs", _kto),
        Layout("trl-grpo", "TRL's GRPOTrainer", _BOTH, "rewards", _grpo),
        Layout("rewards", "PPO and offline RL", _BOTH, "rewards", _rewarded),
        Layout("axolotl", "axolotl, chat_template", ("conversational",), "pairs", _axolotl),
        Layout("llama-factory", "LLaMA-Factory", _BOTH, "pairs", _llama_factory),
        Layout("unsloth", "Unsloth, through TRL's DPOTrainer", _BOTH, "pairs", _dpo),
    )
}
"""Name → layout."""


def frame(rows: Sequence[Row], of: str) -> pl.DataFrame:
    """The rows as a table whose types do not depend on which values are there.

    Args:
        rows: As a layout gives them.
        of: "pairs" or "rewards".
    """
    types: dict[str, Any] = {"metadata": METADATA, "margin": _NUMBER}
    if of == "rewards":
        scores = REWARDS.schema["scores"]
        told = {"trace_id": _TEXT, "scores": scores, "passes": pl.Boolean(), "route": _TEXT}
        prompt = {"prompt_class": _TEXT, "route": _TEXT}
        is_answer = bool(rows) and "trace_id" in rows[0]["metadata"]
        types = {"metadata": pl.Struct(told if is_answer else prompt)}
    found = {name: types[name] for name in types if rows and name in rows[0]}
    return pl.DataFrame(list(rows), schema_overrides=found, infer_schema_length=None)


def companion(layout: str, form: str, files: Mapping[str, str]) -> tuple[str, str] | None:
    """(file name, text) of what a trainer wants beside the data, or None.

    Args:
        layout: A name in `LAYOUTS`.
        form: "plain" or "conversational".
        files: Split → file name.
    """
    if layout == "axolotl":
        file = files["train"]
        kind = "parquet" if file.endswith(".parquet") else "json"
        return "axolotl.yaml", _AXOLOTL.format(file=file, kind=kind)
    if layout == "llama-factory":
        return "dataset_info.json", _dataset_info(form, files)
    return None


_AXOLOTL = """\
# To paste into an axolotl configuration.
rl: dpo
datasets:
  - path: {file}
    ds_type: {kind}
    split: train
    type: chat_template.default
    field_messages: messages
    field_chosen: chosen
    field_rejected: rejected
    message_property_mappings:
      role: role
      content: content
"""


def _dataset_info(form: str, files: Mapping[str, str]) -> str:
    """LLaMA-Factory's dataset_info.json."""
    columns = {"chosen": "chosen", "rejected": "rejected"}
    columns |= (
        {"prompt": "instruction", "query": "input"}
        if form == "plain"
        else {"messages": "conversations"}
    )
    formatting = "alpaca" if form == "plain" else "sharegpt"
    value = {
        f"gitloop_{split}": {
            "file_name": file,
            "ranking": True,
            "formatting": formatting,
            "columns": columns,
        }
        for split, file in files.items()
    }
    return json.dumps(value, indent=2, sort_keys=True) + "\n"
