"""What a person may write down: params.yaml, rubrics, prompts and golden sets, checked strictly."""

from gitloop.params.datasets import DatasetSpec, parse_dataset
from gitloop.params.forms import LabelForm
from gitloop.params.guidance import Section, sections, unbroken
from gitloop.params.openings import OPTIMIZE_FILE, are_numbers
from gitloop.params.pins import JudgePin, RubricPin, Target
from gitloop.params.pipeline import (
    CALL_MODES,
    AgreementFloor,
    Calibrate,
    Calls,
    Capture,
    Cluster,
    Embedder,
    Failures,
    Golden,
    Labels,
    Params,
    Score,
    golden_pins,
    parse_params,
)
from gitloop.params.policies import Assertion, Gate, Optimize
from gitloop.params.preferences import PairAgreement, PairJudge, Pairs, Policy, Readiness, Release
from gitloop.params.prompts import Prompt, parse_prompt, with_openings
from gitloop.params.rubrics import Rubric, parse_rubric
from gitloop.params.stages import Pipeline, parse_pipeline
from gitloop.params.triage import Model, Triage
from gitloop.params.versions import next_version

__all__ = [
    "CALL_MODES",
    "OPTIMIZE_FILE",
    "AgreementFloor",
    "Assertion",
    "Calibrate",
    "Calls",
    "Capture",
    "Cluster",
    "DatasetSpec",
    "Embedder",
    "Failures",
    "Gate",
    "Golden",
    "JudgePin",
    "LabelForm",
    "Labels",
    "Model",
    "Optimize",
    "PairAgreement",
    "PairJudge",
    "Pairs",
    "Params",
    "Pipeline",
    "Policy",
    "Prompt",
    "Readiness",
    "Release",
    "Rubric",
    "RubricPin",
    "Score",
    "Section",
    "Target",
    "Triage",
    "are_numbers",
    "golden_pins",
    "next_version",
    "parse_dataset",
    "parse_params",
    "parse_pipeline",
    "parse_prompt",
    "parse_rubric",
    "sections",
    "unbroken",
    "with_openings",
]
