"""`gitloop optimize` with a teacher, on a real repository: pinned, recorded, killed and resumed."""

from __future__ import annotations

import json
import shutil

import pytest

from gitloop.errors import ApiError, ConfigError
from gitloop.steps.optimize import optimize
from gitloop.storage import parquet
from gitloop.tables import CALLS
from tests.repositories import Repository
from tests.steps.test_optimize import PARAMS, PROMPT, searchable, written

TAUGHT = (
    PARAMS.replace("200", "160")
    + """\
  optimizer: OPTIMIZER
  teacher: {use: python, callable: "coach:teach", version: "1"}
"""
)
COACH = '''\
import os


def teach(prompt, row):
    """Proposes a line, and another one every time; dies at a given call."""
    asked = len(open("coach.log").read()) if os.path.exists("coach.log") else 0
    if os.path.exists("dies") and asked >= 2:
        raise RuntimeError("out of order")
    open("coach.log", "a").write("x")
    line = "Name the days." if asked == 3 else f"Be kind in way {asked}: {{{{ x }}}}."
    return f"Hypothesis: vague\\nReason: vague\\nCritique: vague\\n```\\n- {line}\\n```"
'''


def taught(repository: Repository, optimizer: str, coach: str = COACH) -> Repository:
    """A searchable repository with a teacher, whose prompt declares no line."""
    searchable(repository, lines="[]", params=TAUGHT.replace("OPTIMIZER", optimizer))
    repository.gen({"coach.py": coach}, commit="Hire a coach")
    return repository


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["metaprompt", "gepa"])
def test_a_teachers_line_is_found_and_its_calls_are_recorded(
    repository: Repository, optimizer: str
) -> None:
    """The fourth answer of the teacher is the one that helps; all its answers are in the table."""
    report = optimize(taught(repository, optimizer).root)
    assert report.n_teacher_calls >= 4
    assert report.best_mean == 1.0
    calls = parquet.read(repository.root / "loop/optimize/calls.parquet", CALLS)
    kinds = dict(calls["kind"].value_counts().iter_rows())
    assert kinds["teacher"] == report.n_teacher_calls
    questions = calls.filter(kind="teacher")["request"].str.join("\n").item()
    assert "train 1" in questions
    assert "holdout" not in questions
    assert "val 1" not in questions


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "n_told"), [("metaprompt", 3), ("gepa", 4), ("gepa", 6)])
def test_an_interrupted_search_comes_to_what_it_would_have_come_to(
    repository: Repository, optimizer: str, n_told: int
) -> None:
    """Interrupted in the middle and run again: the same bytes, and no row is run twice."""
    root = taught(repository, optimizer).root
    optimize(root)
    whole, n_calls = written(repository), len(repository.read("calls.log"))
    shutil.rmtree(root / ".gitloop/calls")
    for path in ("coach.log", "calls.log", "loop/optimize/ledger.jsonl"):
        (root / path).unlink(missing_ok=True)
    told: list[int] = []

    def interrupt(_what: str, done: int, _total: int, _usd: float = 0.0) -> None:
        told.append(done)
        if len(told) == n_told:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimize(root, progress=interrupt)
    optimize(root)
    assert written(repository) == whole
    assert len(repository.read("calls.log")) == n_calls


def test_a_teacher_that_stumbles_is_a_failed_attempt(repository: Repository) -> None:
    """Nothing is scored 0 for it, the reason is told in trials and report, the search goes on."""
    coach = COACH.replace(
        "    open(",
        '    if asked == 1 and not os.path.exists("fell"):\n'
        '        open("fell", "w")\n        raise RuntimeError("out of order")\n    open(',
        1,
    )
    report = optimize(taught(repository, "metaprompt", coach).root)
    trials = [json.loads(line) for line in written(repository)["trials.jsonl"].splitlines()]
    failed = [trial for trial in trials if trial["fault"]]
    assert [(trial["fault"], trial["mean"]) for trial in failed] == [
        ("the teacher failed: RuntimeError: out of order", None)
    ]
    assert report.n_failed == 1
    shown = repository.read("loop/optimize/report.md")
    assert "- 1 × the teacher failed: RuntimeError: out of order" in shown


@pytest.mark.slow
def test_a_teacher_that_dies_half_way_leaves_everything_to_go_on_from(
    repository: Repository,
) -> None:
    """An API error, no look at the holdout; once it is back the search is as if it had not died."""
    root = taught(repository, "metaprompt").root
    optimize(root)
    whole, n_calls = written(repository), len(repository.read("calls.log"))
    shutil.rmtree(root / ".gitloop/calls")
    for path in ("coach.log", "calls.log", "loop/optimize/ledger.jsonl"):
        (root / path).unlink(missing_ok=True)
    repository.gen({"dies": ""})
    with pytest.raises(ApiError, match="the teacher failed 5 times in a row"):
        optimize(root)
    assert not (root / "loop/optimize/ledger.jsonl").exists()
    (root / "dies").unlink()
    optimize(root)
    assert written(repository) == whole
    assert len(repository.read("calls.log")) == n_calls


def test_a_teacher_that_never_answers_is_no_verdict(repository: Repository) -> None:
    """Where it alone could propose anything, its failure is an error and no result."""
    taught(repository, "gepa", "def teach(prompt, row):\n    raise OSError('no key')\n")
    with pytest.raises(ApiError, match="failed 5 times in a row; the last: OSError: no key"):
        optimize(repository.root)
    assert not (repository.root / "loop/optimize/metrics.json").exists()


@pytest.mark.parametrize(
    ("head", "params", "said"),
    [
        ('frozen: ["Never lie."]\n', "", "freezes a part that it does not hold: 'Never lie.'"),
        ("", "prompt: prompts/support.md, ", "teacher takes no prompt file"),
    ],
)
def test_what_a_search_would_ignore_is_refused(
    repository: Repository, head: str, params: str, said: str
) -> None:
    """A frozen part that is nowhere, and a prompt file of the teacher, are errors."""
    taught(repository, "gepa")
    text = PROMPT.format(lines="[]").replace("version:", f"{head}version:")
    pinned = repository.read("params.yaml").replace("teacher: {", f"teacher: {{{params}")
    repository.gen({"prompts/support.md": text, "params.yaml": pinned})
    with pytest.raises(ConfigError, match=said):
        optimize(repository.root)


def test_a_frozen_instruction_is_kept_and_the_teacher_knows(repository: Repository) -> None:
    """Rewrites without it are failed attempts; gepa's question and ours both name it."""
    text = PROMPT.format(lines="[]").replace(
        "version:", 'instructions: ["Never lie."]\nfrozen: ["Never lie."]\nversion:'
    )
    for optimizer in ("gepa", "metaprompt"):
        taught(repository, optimizer)
        repository.gen({"prompts/support.md": text})
        report = optimize(repository.root)
        assert report.n_trials == 1
        assert report.n_failed > 0
        calls = parquet.read(repository.root / "loop/optimize/calls.parquet", CALLS)
        asked = calls.filter(kind="teacher")["request"].to_list()
        assert all("Keep this part word for word: Never lie." in one for one in asked)


def test_a_guided_optimizer_wants_a_teacher(repository: Repository) -> None:
    """Without one it is refused before anything is run, with the edit to make."""
    searchable(repository, params=PARAMS + "  optimizer: gepa\n")
    with pytest.raises(ConfigError, match="gepa needs a teacher") as refused:
        optimize(repository.root)
    assert "optimize.teacher" in refused.value.hint
    assert not (repository.root / "calls.log").exists()


def test_a_target_that_fails_ends_the_search_without_a_verdict(repository: Repository) -> None:
    """Errors are no scores: above score.max_error_rate there is no result at all."""
    searchable(repository)
    repository.gen({"app.py": "def answer(prompt, row):\n    raise OSError('down')\n"})
    with pytest.raises(ApiError, match="failed on"):
        optimize(repository.root)
