"""`fi-evaluation.yaml` → gate policy: nothing is dropped without a word."""

from __future__ import annotations

import pytest

from gitloop.core.gate import METRICS as OURS
from gitloop.core.import_fi import METRICS, import_fi, slug
from gitloop.documents import dump, parse
from gitloop.errors import ConfigError
from gitloop.params import parse_params

EVALUATIONS = "evaluations:\n- {name: rag, templates: [groundedness, Context Adherence]}\n"


def policy(text: str, evaluations: str = EVALUATIONS) -> list[dict[str, object]]:
    """The assertions that a file comes to."""
    found = import_fi(parse(evaluations + text, source="fi-evaluation.yaml"))
    return [dict(entry) for entry in found.assertions]


def test_we_know_every_metric_of_theirs() -> None:
    """Their thirteen metrics are ours, by name."""
    assert set(METRICS) == set(OURS)


def test_a_condition_becomes_an_assertion() -> None:
    """A template's condition is an assertion on the rubric of that name."""
    text = "assertions:\n- {template: Context Adherence, conditions: ['avg_score > 0.8']}\n"
    assert policy(text) == [
        {"metric": "avg_score", "op": ">", "value": 0.8, "rubric": "context_adherence"}
    ]


def test_a_range_becomes_between() -> None:
    """`a <= metric <= b` takes both ends in, as there."""
    text = "assertions:\n- {template: groundedness, conditions: ['.2 <= p50_score <= 0.9']}\n"
    assert policy(text)[0] | {"rubric": None} == {
        "metric": "p50_score",
        "op": "between",
        "value": 0.2,
        "upper": 0.9,
        "rubric": None,
    }


def test_a_global_assertion_speaks_of_the_whole_run() -> None:
    """Global pass_rate is total_pass_rate, and on_fail: warn stays."""
    text = "assertions:\n- {global: true, on_fail: warn, conditions: ['pass_rate >= 0.8']}\n"
    assert policy(text) == [
        {"metric": "total_pass_rate", "op": ">=", "value": 0.8, "on_fail": "warn"}
    ]


def test_milliseconds_become_seconds_and_that_is_told() -> None:
    """Their runtimes are milliseconds."""
    text = "assertions:\n- {template: groundedness, conditions: ['runtime_p95 <= 1500']}\n"
    found = import_fi(parse(EVALUATIONS + text, source="f.yaml"))
    assert found.assertions[0]["value"] == 1.5
    assert any("milliseconds" in note for note in found.notes)


def test_thresholds_become_floors() -> None:
    """The default holds for every template that no override names."""
    text = "thresholds: {default_pass_rate: 0.7, overrides: {groundedness: 0.9}}\n"
    found = import_fi(parse(EVALUATIONS + text, source="f.yaml"))
    assert found.floors == {"context_adherence": 0.7, "groundedness": 0.9}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("api: {base_url: x}\n", "f.yaml:3: api"),
        ("output: {format: json}\n", "output has no meaning"),
        ("thresholds: {fail_fast: true}\n", "fail_fast"),
        ("assertions:\n- {template: groundedness, condition: 'pass_rate > 0'}\n", "ignores"),
        (
            "assertions:\n- {global: true, on_fail: skip, conditions: ['pass_rate > 0']}\n",
            "left out",
        ),
    ],
)
def test_what_does_not_carry_over_is_told(text: str, word: str) -> None:
    """Each thing that has no counterpart is a note with its line."""
    found = import_fi(parse(EVALUATIONS + text, source="f.yaml"))
    assert any(word in note for note in found.notes), found.notes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("assertions:\n- {template: groundednes, conditions: ['pass_rate > 0']}\n", "groundedness"),
        ("assertions:\n- {template: groundedness, conditions: ['pas_rate > 0']}\n", "pass_rate"),
        ("assertions:\n- {template: groundedness, conditions: ['pass_rate => 0']}\n", "condition"),
        ("assertions:\n- {template: groundedness}\n", "asserts nothing"),
        ("assertions:\n- {conditions: ['pass_rate > 0']}\n", "names a template"),
        ("assertions:\n- {global: true, conditions: ['pass_rate > 0'], on_fail: die}\n", "die"),
        ("thresholds: {overrides: {toxicity: 0.9}}\n", "toxicity"),
        ("thresholds: {default_pass_rate: 1.5}\n", "lies in"),
        ("asertions: []\n", "did you mean assertions"),
        ("assertions: [pass_rate]\n", "is a mapping"),
    ],
)
def test_what_can_only_be_a_slip_is_refused(text: str, words: str) -> None:
    """What fi passes in silence is an error with its line here."""
    with pytest.raises(ConfigError, match=words) as caught:
        import_fi(parse(EVALUATIONS + text, source="f.yaml"))
    assert "f.yaml:" in caught.value.message


def test_the_policy_is_one_that_params_yaml_takes() -> None:
    """What comes out is valid where it is meant to stand."""
    text = (
        "assertions:\n- {global: true, conditions: ['pass_rate >= 0.8', '1 <= total_count <= 9']}\n"
    )
    found = import_fi(parse(EVALUATIONS + text, source="f.yaml"))
    written = dump({"gate": {"assertions": [dict(entry) for entry in found.assertions]}})
    assert len(parse_params(written).gate.assertions) == 2


@pytest.mark.parametrize(
    ("template", "rubric"), [("PII", "pii"), ("no-go!", "no_go"), ("3d", "rubric_3d")]
)
def test_a_template_is_a_rubric_by_another_name(template: str, rubric: str) -> None:
    """Rubric names are lower case and start with a letter."""
    assert slug(template) == rubric
