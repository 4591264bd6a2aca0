"""Cases through targets, outputs through judges: what is opened, asked, counted and refused."""

from __future__ import annotations

from typing import Any

import pytest

from gitloop.errors import ApiError, ConfigError, DataError
from gitloop.evaluation import (
    call_store,
    judge_cases,
    judge_selected,
    missing_field,
    open_judge,
    open_judges,
    run_target,
    with_outputs,
)
from gitloop.params import Rubric
from gitloop.records import Case
from gitloop.storage.dvc import Dvc
from gitloop.tables import SCORES
from gitloop.workspace import Workspace
from tests.evaluated import APP, PARAMS, PROMPT, case, evaluated
from tests.repositories import Repository


@pytest.fixture
def workspace(repository: Repository) -> Workspace:
    """A repository with an application and two rubrics."""
    return Workspace(evaluated(repository).root)


def changed(repository: Repository, files: dict[str, str]) -> Workspace:
    """The same with other files."""
    return Workspace(evaluated(repository, files).root)


def test_cases_become_scores(workspace: Workspace) -> None:
    """Every case on every rubric is a row of the scores table, sorted, with both pins."""
    store = call_store(workspace, "loop/x/calls.parquet")
    cases = [case("b", output="Dear, 3 days"), case("a", output="Hello")]
    scores = judge_cases(workspace, ["polite", "brief"], cases, store)
    assert SCORES.problems(scores) == []
    assert scores.select("item_id", "rubric", "judge", "status", "score", "reason").rows() == [
        ("a", "brief", "local/1", "ok", 0.0, "lacks “days”"),
        ("a", "polite", "python/1", "ok", 0.0, "it does not"),
        ("b", "brief", "local/1", "ok", 1.0, None),
        ("b", "polite", "python/1", "ok", 1.0, "it does"),
    ]
    assert store.n_misses == 2, "a pure judge's calls are not recorded"


def test_no_rubric_is_no_score(workspace: Workspace) -> None:
    """Nothing selected is an empty table, not an error."""
    store = call_store(workspace, "loop/x/calls.parquet")
    assert judge_selected(workspace, {}, store).equals(SCORES.empty())
    assert judge_cases(workspace, ["brief"], [], store).equals(SCORES.empty())


def test_a_case_that_lacks_a_field_is_missing_and_never_asked(repository: Repository) -> None:
    """A rubric's requirement that a row does not meet is a status, and costs no call."""
    rubric = 'name: polite\nversion: "1"\nrequires: [output, context]\nscorer: {python: {}}\n'
    workspace = changed(repository, {"rubrics/polite.yaml": rubric})
    store = call_store(workspace, "loop/x/calls.parquet")
    cases = [case("a"), case("b", context="c"), case("c", context="c", output=None)]
    scores = judge_cases(workspace, ["polite"], cases, store)
    assert scores.select("status", "reason").rows() == [
        ("missing", "the row has no context"),
        ("ok", "it does not"),
        ("missing", "the row has no output"),
    ]
    assert store.n_misses == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"output": None}, "output"),
        ({"output": "", "context": None}, "context"),
        ({"output": "", "context": ""}, ""),
    ],
)
def test_missing_field(fields: dict[str, Any], expected: str) -> None:
    """None is missing and an empty text is not; the output is always required."""
    rubric = Rubric(name="x", version="1", requires=("context",), scorer={"local": {}})
    assert missing_field(rubric, Case("a", "q", **fields)) == expected


def test_replicates_are_numbered_case_by_case(workspace: Workspace) -> None:
    """Two cases with two replicates are four answers, and cases with outputs in that order."""
    store = call_store(workspace, "loop/x/calls.parquet")
    cases = [case("a", output=None, context="30 days"), case("b", output=None)]
    answers = run_target(workspace, cases, store, replicates=2)
    assert [(c.item_id, c.replicate, c.output) for c in with_outputs(cases, answers)] == [
        ("a", 0, "Dear customer, 30 days."),
        ("a", 1, "Dear customer, 30 days."),
        ("b", 0, "Dear customer, nothing."),
        ("b", 1, "Dear customer, nothing."),
    ]


def test_another_prompt_can_be_tried(repository: Repository) -> None:
    """run_target takes a candidate's prompt in place of the pinned one."""
    app = APP.replace('return f"Dear customer, {row', 'return prompt\n    return f"{row')
    workspace = changed(repository, {"app.py": app})
    pinned = workspace.prompt()
    assert pinned is not None
    candidate = pinned.model_copy(update={"body": "Try {{ input }}"})
    store = call_store(workspace, "loop/x/calls.parquet")
    answers = run_target(workspace, [case("a", output=None)], store, prompt=candidate)
    assert answers[0].value == {"output": "Try question a"}


def test_an_output_that_no_table_can_hold_is_made_visible(repository: Repository) -> None:
    """Half a surrogate pair becomes a question mark, the same when it is replayed."""
    app = APP.replace('return f"Dear', 'return "\\ud83d"\n    return f"Dear')
    workspace = changed(repository, {"app.py": app})
    for _ in range(2):
        store = call_store(workspace, "loop/x/calls.parquet")
        answers = run_target(workspace, [case("a", output=None)], store)
        assert answers[0].value == {"output": "?"}
    assert store.n_hits == 1


def test_a_judge_that_fails_too_often_gives_no_verdict(repository: Repository) -> None:
    """Above score.max_error_rate there are no scores at all; the judge is named."""
    app = APP.replace("return (1.0", "return (1.7")
    workspace = changed(repository, {"app.py": app})
    cases = [case(str(n), output="Dear" if n else "no") for n in range(4)]
    store = call_store(workspace, "loop/x/calls.parquet")
    with pytest.raises(ApiError, match="the judge of polite failed on 3 of 4 calls"):
        judge_cases(workspace, ["polite"], cases, store)


def test_few_failures_are_rows_with_a_status(repository: Repository) -> None:
    """At or below the limit each failure is a row without a score."""
    files = {
        "app.py": APP.replace("return (1.0", "return (1.7"),
        "params.yaml": PARAMS + "score: {max_error_rate: 0.25}\n",
    }
    workspace = changed(repository, files)
    cases = [case(str(n), output="no" if n else "Dear") for n in range(4)]
    store = call_store(workspace, "loop/x/calls.parquet")
    scores = judge_cases(workspace, ["polite"], cases, store)
    assert scores["status"].to_list() == ["error", "ok", "ok", "ok"]
    assert scores["score"].to_list() == [None, 0.0, 0.0, 0.0]


def test_every_rubrics_fault_is_told_at_once(repository: Repository) -> None:
    """Two broken rubrics are one error with both."""
    files = {
        "rubrics/brief.yaml": 'name: brief\nversion: "2"\nscorer: {local: {metric: equals}}\n',
        "rubrics/polite.yaml": 'name: polite\nversion: "1"\nscorer: {local: {metric: equals}}\n',
    }
    with pytest.raises(ConfigError) as caught:
        open_judges(changed(repository, files))
    assert caught.value.message.splitlines() == [
        "rubrics/brief.yaml is version 2, but params.yaml pins 1",
        "rubrics/polite.yaml has no scorer for the judge python",
    ]


def test_an_unpinned_rubric_cannot_be_opened(workspace: Workspace) -> None:
    """The pinned ones are named."""
    with pytest.raises(ConfigError, match=r"params\.yaml pins no rubric tone") as caught:
        open_judge(workspace, "tone")
    assert caught.value.hint == "add rubrics.tone to params.yaml; pinned: brief, polite"


def test_a_judges_digest_holds_rubric_and_pin(repository: Repository) -> None:
    """The digest changes with the pin's parameters and with the rubric's form."""
    before = open_judge(Workspace(evaluated(repository).root), "polite").sha256
    pinned = PARAMS.replace('"app:polite"', '"app:polite", timeout_s: 5')
    after = open_judge(changed(repository, {"params.yaml": pinned}), "polite").sha256
    assert before != after


def test_a_damaged_recorded_table_is_refused(repository: Repository) -> None:
    """A cached object whose bytes are not the ones that dvc.lock names is an error of data."""
    workspace = changed(repository, {})
    path = repository.root / "calls.parquet"
    path.write_bytes(b"whole")
    pointer = Dvc(repository.root, repository.root / ".git").store(path)
    outs = f"outs: [{{path: loop/x/calls.parquet, hash: md5, md5: {pointer.md5}}}]"
    lock = f"schema: '2.0'\nstages:\n  x:\n    cmd: x\n    {outs}\n"
    repository.gen({"dvc.lock": lock}, commit="Lock")
    found = Dvc(repository.root, repository.root / ".git").object_path(pointer.md5)
    assert found is not None
    found.chmod(0o644)
    found.write_bytes(b"torn")
    with pytest.raises(DataError, match=r"cached copy of loop/x/calls.parquet is damaged"):
        call_store(workspace, "loop/x/calls.parquet")


def test_prompts_never_run_what_users_write(repository: Repository) -> None:
    """Template syntax in a row is text, and a template cannot reach into Python."""
    app = APP.replace('return f"Dear', 'return prompt\n    return f"Dear')
    workspace = changed(repository, {"app.py": app})
    store = call_store(workspace, "loop/x/calls.parquet")
    asked = case("a", input="{{ 7 * 7 }}{% raw %}", context="{{ context }}", output=None)
    answers = run_target(workspace, [asked], store)
    assert answers[0].value == {"output": "Answer {{ 7 * 7 }}{% raw %} from {{ context }}.\n"}
    hostile = PROMPT.replace("{{ input }}", "{{ input.__class__.__mro__ }}")
    with pytest.raises(ConfigError, match="cannot be rendered"):
        run_target(changed(repository, {"prompts/support.md": hostile}), [case(output=None)], store)
