"""What a person may write down: params.yaml, rubrics, prompts and golden sets, checked strictly."""

from gitloop.params.datasets import DatasetSpec, parse_dataset
from gitloop.params.pipeline import (
    Calibrate,
    Calls,
    Cluster,
    Embedder,
    Failures,
    Gate,
    Golden,
    JudgePin,
    Labels,
    Optimize,
    Pairs,
    Params,
    RubricPin,
    Score,
    Target,
    parse_params,
)
from gitloop.params.prompts import Prompt, parse_prompt
from gitloop.params.rubrics import Rubric, parse_rubric

__all__ = [
    "Calibrate",
    "Calls",
    "Cluster",
    "DatasetSpec",
    "Embedder",
    "Failures",
    "Gate",
    "Golden",
    "JudgePin",
    "Labels",
    "Optimize",
    "Pairs",
    "Params",
    "Prompt",
    "Rubric",
    "RubricPin",
    "Score",
    "Target",
    "parse_dataset",
    "parse_params",
    "parse_prompt",
    "parse_rubric",
]
