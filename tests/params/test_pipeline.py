"""params.yaml, rubrics, prompts and dataset.yaml: every fault at once, each with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop import scaffold
from gitloop.errors import ConfigError, ExitCode
from gitloop.params import (
    Params,
    parse_dataset,
    parse_params,
    parse_pipeline,
    parse_prompt,
    parse_rubric,
)
from gitloop.params.pipeline import Failures
from gitloop.records import Candidate

PROMPT = """---
name: support
version: "1"
values:
  tone: formal
space:
  tone:
    - formal
    - warm
---
Be {{ tone }}.
{{ instructions }}
{{ input }}
"""


def test_every_fault_is_told_with_its_line_and_the_nearest_key() -> None:
    """Three mistakes in one file are three lines of one error."""
    text = "seed: 1\ngate:\n  alfa: 0.1\n  alpha: no\nrubrics:\n  g:\n    versoin: '1'\n"
    with pytest.raises(ConfigError) as caught:
        parse_params(text)
    assert caught.value.message.splitlines() == [
        "params.yaml has 4 faults:",
        "  params.yaml:3: unknown key gate.alfa; did you mean alpha?",
        '  params.yaml:4: gate.alpha: Input should be a valid number, not "no"',
        "  params.yaml:6: rubrics.g.version is missing",
        "  params.yaml:7: unknown key rubrics.g.versoin; did you mean version?",
    ]
    assert caught.value.exit_code == ExitCode.CONFIG


def test_a_key_inside_a_mapping_of_models_has_a_nearest_key() -> None:
    """The judge of a rubric knows its own keys, although rubrics may have any name."""
    with pytest.raises(ConfigError, match="did you mean use"):
        parse_params("rubrics:\n  g:\n    version: '1'\n    judge: {us: local}\n")


@pytest.mark.parametrize(
    "text",
    [
        "seed: 1\nseed: 2\n",
        "a: [1\n",
        "seed: -1\n",
        "failures: {signals: {retry: 2.0}}\n",
        "golden: {sets: {../x: null}}\n",
        "calls: {mode: sometimes}\n",
        "calibrate: {grid: everything}\n",
        "- a list\n",
        "seed: true\n",
    ],
)
def test_what_cannot_be_right_is_refused(text: str) -> None:
    """Duplicate keys, broken YAML, values out of range and wrong types are configuration errors."""
    with pytest.raises(ConfigError, match=r"params\.yaml:?\d* ?"):
        parse_params(text)


def test_a_date_like_version_stays_text() -> None:
    """An unquoted version such as 2026-05-01 is the text that was written, never a date."""
    params = parse_params("rubrics:\n  g:\n    version: 2026-05-01\n")
    assert params.rubrics["g"].version == "2026-05-01"


def test_an_empty_file_is_all_defaults() -> None:
    """What nobody wrote has its default."""
    assert parse_params("") == Params()


def test_the_scaffold_says_the_defaults() -> None:
    """Every value in the file that init writes is the default, but for what is the user's own."""
    written = parse_params(scaffold.new_files("support", "none")["params.yaml"])
    own = {"rubrics", "target", "golden"}
    for name in set(Params.model_fields) - own:
        assert getattr(written, name) == getattr(Params(), name), name


@given(st.dictionaries(st.sampled_from(["retry", "edit"]), st.floats(0, 1)))
def test_weights_in_range_are_accepted(weights: dict[str, float]) -> None:
    """Any weight in [0, 1] is a weight."""
    assert Failures(signals=weights).signals == weights


def test_a_rubric_digest_changes_with_what_can_change_a_score() -> None:
    """The guidance counts, the floor does not."""
    base = 'name: g\nversion: "1"\nscorer: {local: {metric: grounded}}\n'
    one = parse_rubric(base, source="g.yaml")
    assert parse_rubric(base + "floor: 0.9\n", source="g.yaml").sha256 == one.sha256
    assert parse_rubric(base + "guidance: other\n", source="g.yaml").sha256 != one.sha256


def test_a_prompt_renders_data_as_data() -> None:
    """Braces in a user's text are never template, and values fill the prompt's own variables."""
    prompt = parse_prompt(PROMPT, source="p.md")
    assert (
        prompt.render({"input": "{{ tone }} {% raw %}"}) == "Be formal.\n\n{{ tone }} {% raw %}\n"
    )
    assert prompt.version_id == "support@1"


def test_a_candidate_changes_what_it_says_and_nothing_else() -> None:
    """Instructions and values of the candidate stand in the prompt; its file parses again."""
    prompt = parse_prompt(PROMPT, source="p.md")
    candidate = Candidate(("Quote the policy: exactly.",), (("tone", "warm"),))
    changed = prompt.changed(candidate, version="2")
    again = parse_prompt(changed.text(), source="p.md")
    assert again == changed
    assert again.render({"input": "hi"}) == "Be warm.\n- Quote the policy: exactly.\nhi\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no front matter", "front matter"),
        ("---\nname: p\nversion: '1'\n---\n{% if %}\n", ":5: not a valid template"),
        ("---\nname: p\nversion: '1'\nvalus: {}\n---\n", "did you mean values"),
    ],
)
def test_a_broken_prompt_names_its_line(text: str, said: str) -> None:
    """Missing front matter, a broken body and an unknown key are told apart."""
    with pytest.raises(ConfigError, match=said):
        parse_prompt(text, source="p.md")


def test_an_undefined_variable_is_an_error() -> None:
    """A prompt that uses what no row has does not run with a blank in its place."""
    prompt = parse_prompt("---\nname: p\nversion: '1'\n---\n{{ nobody }}\n", source="p.md")
    with pytest.raises(ConfigError, match="nobody"):
        prompt.render({"input": "x"})


def test_a_template_cannot_reach_python() -> None:
    """The body runs in a sandbox."""
    body = "---\nname: p\nversion: '1'\n---\n{{ input.__class__.__mro__ }}\n"
    with pytest.raises(ConfigError):
        parse_prompt(body, source="p.md").render({"input": "x"})


def test_a_dataset_name_is_safe_for_a_path() -> None:
    """A set cannot be called ../x."""
    with pytest.raises(ConfigError, match="name"):
        parse_dataset("name: ../x\n", source="dataset.yaml")


def test_dvc_yaml_is_checked_like_params_yaml() -> None:
    """A misspelt key of a stage has its line and its neighbour; the scaffold has no fault."""
    scaffold_text = scaffold.new_files("support", "none")["dvc.yaml"]
    stages = parse_pipeline(scaffold_text).stages
    assert "golden/support/parts" in stages["score"].dependencies()
    broken = scaffold_text.replace("    deps:", "    dep:", 1).replace(
        "stages:", "stagse:\n  {}\nstages:", 1
    )
    with pytest.raises(ConfigError) as caught:
        parse_pipeline(broken)
    assert "unknown key stages.join.dep; did you mean deps?" in caught.value.message
    assert "unknown key stagse; did you mean stages?" in caught.value.message
