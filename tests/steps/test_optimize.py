"""`gitloop optimize` on real repositories: outcomes, the same bytes, nothing paid twice."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from gitloop.errors import ConfigError, DataError, StaleError
from gitloop.steps.optimize import OptimizeReport, optimize, propose
from gitloop.steps.prompt import render_prompt
from gitloop.storage import parquet
from gitloop.tables import CALLS, GOLDEN
from tests.evaluated import evaluated, golden_rows, promote
from tests.repositories import Repository

PARAMS = """\
seed: 3
rubrics:
  brief:
    version: "1"
target:
  callable: app:answer
  prompt: prompts/support.md
golden:
  sets: {support: null}
optimize:
  max_evaluations: 200
"""
APP = '''\
def answer(prompt, row):
    """Names the days when it is told to, unless it is told to be vague."""
    knows = "Name the days." in prompt or row["input"].endswith("7")
    open("calls.log", "a").write("x")
    return "30 days" if knows and "Be vague." not in prompt else "a while"
'''
PROMPT = """\
---
name: support
version: "1"
lines: {lines}
---
Answer {{{{ input }}}}.
{{{{ instructions }}}}
"""
USEFUL = '["Name the days.", "Be kind.", "Be vague."]'
USELESS = '["Be kind.", "Be quick."]'


def thresholds() -> str:
    """A thresholds.json that passes the rubric from 0.5."""
    entry = {
        "status": "calibrated",
        "threshold": 0.5,
        "comparison": ">=",
        "interval": None,
        "reason": "",
        "rubric_version": "1",
        "rubric_sha256": "0" * 64,
        "judge": "local/1",
        "judge_sha256": "0" * 64,
        "n": 100,
        "n_positive": 50,
        "confusion": {"tp": 45, "fp": 5, "fn": 5, "tn": 45},
        "cross_fitted_confusion": None,
        "warnings": [],
    }
    value = {"schema": "gitloop.thresholds/v1", "params": {}, "rubrics": {"brief": entry}}
    return json.dumps(value)


def rows(n: int) -> pl.DataFrame:
    """As many golden rows, a third of them in each split."""
    splits = ("train", "val", "holdout")
    parts = [
        golden_rows(
            [f"{split} {i}" for i in range(n // 3)],
            split=split,
            labels=[{"rubric": "brief", "expected": "fail"}],
        )
        for split in splits
    ]
    return GOLDEN.order(pl.concat(parts))


def searchable(
    repository: Repository, *, lines: str = USEFUL, n_rows: int = 60, params: str = PARAMS
) -> Repository:
    """The repository with a prompt that declares these lines, and that many golden rows."""
    files = {
        "params.yaml": params,
        "app.py": APP,
        "prompts/support.md": PROMPT.format(lines=lines),
        "loop/calibrate/thresholds.json": thresholds(),
    }
    evaluated(repository, files)
    promote(repository, rows(n_rows))
    return repository


def written(repository: Repository) -> dict[str, bytes]:
    """What lies in loop/optimize/, by path."""
    folder = repository.root / "loop/optimize"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def metrics(repository: Repository) -> dict[str, Any]:
    """metrics.json of the stage."""
    value: dict[str, Any] = json.loads(repository.read("loop/optimize/metrics.json"))
    return value


def facts(report: OptimizeReport) -> tuple[str, int, int]:
    """Outcome, candidates tried, rows scored."""
    return report.outcome, report.n_trials, report.n_evaluations


def test_a_prompt_that_helps_is_proposed_with_its_figures(repository: Repository) -> None:
    """The line that names the days wins on validation, and again on the unseen holdout."""
    report = optimize(searchable(repository).root)
    assert facts(report) == ("proposed", 8, 200)
    assert report.holdout is not None
    assert (report.holdout.n, report.holdout.broken) == (20, ())
    assert (report.incumbent_mean, report.best_mean) == (0.1, 1.0)
    assert report.holdout.gain == pytest.approx(0.9)
    found = repository.read(f"loop/optimize/candidates/{report.finalist}.md")
    assert "- Name the days." in found.split("---")[1]
    assert metrics(repository)["outcome"] == "proposed"
    assert "one look at the holdout" in repository.read("loop/optimize/report.md")


def test_each_trial_is_kept_row_by_row(repository: Repository) -> None:
    """Eight candidates on twenty rows are eight lines with twenty scores, and eight files."""
    optimize(searchable(repository).root)
    trials = [json.loads(line) for line in written(repository)["trials.jsonl"].splitlines()]
    assert [trial["number"] for trial in trials] == list(range(8))
    assert {len(trial["rows"]) for trial in trials} == {20}
    assert {trial["split"] for trial in trials} == {"val"}
    folder = repository.root / "loop/optimize/candidates"
    names = sorted(path.stem for path in folder.iterdir())
    assert names == sorted({trial["candidate"] for trial in trials})


def test_the_search_is_drawn_and_tabled(repository: Repository) -> None:
    """A point per candidate, a front of growing length and score, and a picture of it."""
    optimize(searchable(repository).root)
    names = ("history.csv", "history.svg", "pareto.csv", "pareto.svg")
    files = {name: written(repository)[name].decode() for name in names}
    points = files["history.csv"].splitlines()
    assert points[0] == "n_rows,mean,best,candidate,arm"
    assert [line.split(",")[0] for line in points[1:]] == [str(20 * n) for n in range(1, 9)]
    front = [float(line.split(",")[1]) for line in files["pareto.csv"].splitlines()[1:]]
    assert front == sorted(set(front))
    assert front[-1] == 1.0
    assert files["history.svg"].count("<circle") == 8
    assert files["pareto.svg"].count("<circle") == 8 + 1  # the ring is the prompt as it is
    assert files["pareto.svg"].count('class="best"') == len(front)
    assert "prefers-color-scheme:dark" in files["pareto.svg"]


OPENED = """\
prompts:
  support:
    space: {tone: [plain, loud]}
    lines: ["Name the days."]
"""


def test_optimize_yaml_is_another_home_of_the_space(repository: Repository) -> None:
    """What it opens is searched and proposed; a value that nobody chose is its first; it stays."""
    bare = PROMPT.replace("lines: {lines}\n", "").format() + "{{ tone }}\n"
    searchable(repository)
    files = {"prompts/support.md": bare, "prompts/optimize.yaml": OPENED}
    repository.gen(files, commit="Open it elsewhere")
    report = optimize(repository.root)
    assert (report.outcome, report.space_size) == ("proposed", 4)
    assert "plain" in render_prompt(repository.root, None, "hello").text
    proposal = propose(repository.root)
    text = repository.git("show", f"{proposal.branch}:prompts/support.md")
    assert "Name the days." in text
    assert "lines:" not in text
    assert repository.read("prompts/optimize.yaml") == OPENED


def test_what_two_homes_open_is_refused(repository: Repository) -> None:
    """A key in both, and a prompt that is not there, are errors that name the place."""
    searchable(repository)
    repository.gen({"prompts/optimize.yaml": OPENED})
    with pytest.raises(ConfigError, match=r"support\.lines stands in the front matter"):
        optimize(repository.root)
    repository.gen({"prompts/optimize.yaml": "prompts: {suport: {demos: 2}}\n"})
    with pytest.raises(ConfigError, match="there is no prompt suport") as refused:
        optimize(repository.root)
    assert refused.value.hint == "did you mean support?"


def test_nothing_better_is_a_normal_result(repository: Repository) -> None:
    """Where no line helps, the incumbent stays and the holdout is never looked at."""
    report = optimize(searchable(repository, lines=USELESS).root)
    assert facts(report) == ("no improvement", 4, 80)
    assert (report.finalist, report.holdout) == (None, None)


def test_too_few_rows_are_said_and_not_searched(repository: Repository) -> None:
    """Under optimize.min_rows the target is never called."""
    report = optimize(searchable(repository, n_rows=12).root)
    assert facts(report) == ("too few rows", 0, 0)
    assert "12 golden rows" in report.message
    assert not (repository.root / "calls.log").exists()
    assert {"calls.parquet", "metrics.json", "report.md", "trials.jsonl"} <= set(
        written(repository)
    )


def test_a_prompt_that_declares_nothing_has_nothing_to_search(repository: Repository) -> None:
    """Without a space and without lines there is one candidate, and that is the incumbent."""
    report = optimize(searchable(repository, lines="[]").root)
    assert facts(report) == ("nothing to search", 0, 0)


def test_the_same_commit_gives_the_same_bytes_and_pays_once(repository: Repository) -> None:
    """A second run writes what the first wrote, and calls the application not once more."""
    searchable(repository)
    optimize(repository.root)
    first, n_calls = written(repository), len(repository.read("calls.log"))
    optimize(repository.root)
    assert written(repository) == first
    assert len(repository.read("calls.log")) == n_calls


def test_a_replay_needs_no_call_and_a_missing_one_is_stale(repository: Repository) -> None:
    """Mode replay repeats the search from the store; without the store it refuses."""
    searchable(repository)
    optimize(repository.root)
    first = written(repository)
    repository.gen({"params.yaml": PARAMS + "calls: {mode: replay}\n"})
    optimize(repository.root)
    assert written(repository) == first
    for shard in (repository.root / ".gitloop/calls").iterdir():
        shard.unlink()
    with pytest.raises(StaleError, match="never recorded"):
        optimize(repository.root)


def test_every_call_stands_in_the_table_of_calls(repository: Repository) -> None:
    """Validation of eight candidates and the holdout of two: 200 calls of the target."""
    optimize(searchable(repository).root)
    calls = parquet.read(repository.root / "loop/optimize/calls.parquet", CALLS)
    assert dict(calls["kind"].value_counts().iter_rows()) == {"target": 200}


def test_a_larger_budget_extends_the_search(repository: Repository) -> None:
    """The trials of a short search are the first trials of a longer one."""
    short = PARAMS.replace("200", "100")
    optimize(searchable(repository, params=short).root)
    before = written(repository)["trials.jsonl"]
    repository.gen({"params.yaml": PARAMS})
    optimize(repository.root)
    assert written(repository)["trials.jsonl"].startswith(before)
    assert before.count(b"\n") == 3


@pytest.mark.parametrize(
    ("params", "error", "said"),
    [
        (PARAMS.replace("200", "5"), ConfigError, "budget"),
        (PARAMS.replace("  prompt: prompts/support.md\n", ""), ConfigError, "no prompt file"),
        (PARAMS.replace("support: null", ""), DataError, "no golden set"),
        (PARAMS + "  optimizer: rnadom\n", ConfigError, "did you mean random"),
        (PARAMS + "  parameters: {depth: 1}\n", ConfigError, "depth"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    repository: Repository, params: str, error: type[Exception], said: str
) -> None:
    """A budget below one look, no prompt, no golden set and a misspelt optimizer are errors."""
    searchable(repository)
    repository.gen({"params.yaml": params})
    with pytest.raises(error, match=said):
        optimize(repository.root)


def test_a_rubric_without_a_threshold_is_refused(repository: Repository) -> None:
    """What passes must be calibrated before anything is searched."""
    empty = json.dumps({"schema": "gitloop.thresholds/v1", "params": {}, "rubrics": {}})
    searchable(repository)
    repository.gen({"loop/calibrate/thresholds.json": empty})
    with pytest.raises(DataError, match="no calibrated threshold for brief"):
        optimize(repository.root)


def test_the_holdout_and_validation_texts_reach_no_optimizer(repository: Repository) -> None:
    """Reasons and outputs are told of training rows alone."""
    optimize(searchable(repository).root)
    assert b"holdout" not in written(repository)["trials.jsonl"]
