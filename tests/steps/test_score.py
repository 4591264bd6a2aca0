"""`gitloop score` on real repositories: outputs, scores, calls and metrics, and every refusal."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from gitloop.documents import dump
from gitloop.errors import (
    ApiError,
    CallTimeoutError,
    ConfigError,
    DataError,
    StaleError,
)
from gitloop.steps.score import score
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc
from gitloop.tables import CALLS, OUTPUTS, SCORES
from tests.evaluated import APP, PARAMS, evaluated, golden_rows, promote
from tests.repositories import Repository

NAMES = ("outputs.parquet", "scores.parquet", "calls.parquet", "metrics.json")


@pytest.fixture
def scored(repository: Repository) -> Repository:
    """A repository whose golden set has three rows."""
    evaluated(repository)
    promote(repository, golden_rows(["refund", "exchange", "repair"]))
    return repository


def written(repository: Repository) -> dict[str, bytes]:
    """What lies in loop/score/."""
    return {name: (repository.root / "loop/score" / name).read_bytes() for name in NAMES}


def test_every_row_gets_an_output_and_its_rubrics_scores(scored: Repository) -> None:
    """Three rows with two rubrics are three outputs and six scores, and the report says so."""
    report = score(scored.root)
    outputs = parquet.read(scored.root / "loop/score/outputs.parquet", OUTPUTS)
    scores = parquet.read(scored.root / "loop/score/scores.parquet", SCORES)
    assert outputs["output"].sort().to_list() == [
        "Dear customer, exchange takes 30 days.",
        "Dear customer, refund takes 30 days.",
        "Dear customer, repair takes 30 days.",
    ]
    assert scores.group_by("rubric").agg(pl.col("score").sum()).sort("rubric").rows() == [
        ("brief", 3.0),
        ("polite", 3.0),
    ]
    assert scores["judge"].unique().sort().to_list() == ["local/1", "python/1"]
    assert (report.n_outputs, report.n_called, report.n_recorded) == (3, 6, 0)
    assert [(own.rubric, own.n, own.n_errors, own.mean) for own in report.rubrics] == [
        ("brief", 3, 0, 1.0),
        ("polite", 3, 0, 1.0),
    ]


def test_metrics_name_what_was_read_and_pinned(scored: Repository) -> None:
    """metrics.json holds the dataset digest, the pins of rubric and judge, and the libraries."""
    score(scored.root)
    metrics = json.loads(scored.read("loop/score/metrics.json"))
    assert metrics["schema"] == "gitloop.score/v1"
    assert metrics["sets"]["support"]["n_rows"] == 3
    assert metrics["sets"]["support"]["version"] == "2026.05-6695cb"
    assert len(metrics["sets"]["support"]["dataset_sha256"]) == 64
    assert metrics["rubrics"]["polite"]["judge"] == "python/1"
    assert metrics["target"]["prompt"] == "support@1"
    assert set(metrics["libraries"]) == {"gitloop", "numpy", "polars"}


def test_the_same_commit_gives_the_same_bytes(scored: Repository, tmp_path: Path) -> None:
    """A second run, from the call store, and a run in a fresh clone write the same bytes."""
    first = score(scored.root)
    before = written(scored)
    second = score(scored.root)
    assert (first.n_called, second.n_called, second.n_recorded) == (6, 0, 6)
    assert written(scored) == before
    fresh = Repository(tmp_path / "elsewhere" / "clone")
    scored.git("clone", "--quiet", str(scored.root), str(fresh.root))
    (fresh.root / ".dvc/config.local").write_text(
        f"[cache]\n    dir = {scored.root / '.dvc/cache'}\n"
    )
    score(fresh.root)
    assert written(fresh) == before


def test_a_commit_replays_from_the_calls_it_recorded(scored: Repository) -> None:
    """Without the local store, replay answers from the table that HEAD's dvc.lock names."""
    score(scored.root)
    before = written(scored)
    pointer = Dvc(scored.root, scored.root / ".git").store(scored.root / "loop/score/calls.parquet")
    out = {"path": "loop/score/calls.parquet", "hash": "md5", "md5": pointer.md5}
    lock = {"schema": "2.0", "stages": {"score": {"cmd": "gitloop score", "outs": [out]}}}
    scored.gen({"dvc.lock": dump(lock)}, commit="Score")
    for path in (scored.root / ".gitloop/calls").iterdir():
        path.unlink()
    (scored.root / "loop/score/calls.parquet").unlink()
    scored.gen({"params.yaml": PARAMS + "calls: {mode: replay}\n"})
    report = score(scored.root)
    assert (report.n_called, report.n_recorded) == (0, 6)
    assert written(scored) == before


def test_replay_of_what_was_never_recorded_is_stale(scored: Repository) -> None:
    """Replay names how many calls are missing, writes nothing and ends in exit code 5."""
    scored.gen({"params.yaml": PARAMS + "calls: {mode: replay}\n"})
    with pytest.raises(StaleError, match="3 of 3 target calls were never recorded"):
        score(scored.root)
    assert not (scored.root / "loop").exists()


def test_a_change_of_the_application_is_run_again(scored: Repository) -> None:
    """The calls of the old code answer nothing once a module of the application changes."""
    score(scored.root)
    scored.gen({"app.py": APP.replace('f"Dear', 'f"Hey')})
    report = score(scored.root)
    assert report.n_called == 6
    assert {own.rubric: own.mean for own in report.rubrics} == {"brief": 1.0, "polite": 0.0}


def test_a_changed_prompt_calls_again(scored: Repository) -> None:
    """The key of a call holds the rendered prompt; judgements of unchanged outputs are kept."""
    score(scored.root)
    prompt = scored.read("prompts/support.md")
    scored.gen({"prompts/support.md": prompt.replace("Answer", "Reply to")})
    report = score(scored.root)
    assert (report.n_called, report.n_recorded) == (3, 3)


def test_replicates_are_outputs_of_their_own(scored: Repository) -> None:
    """With score.replicates: 2 each row has two outputs, and each output its own scores."""
    scored.gen({"params.yaml": PARAMS + "score: {replicates: 2}\n"})
    score(scored.root)
    outputs = parquet.read(scored.root / "loop/score/outputs.parquet", OUTPUTS)
    scores = parquet.read(scored.root / "loop/score/scores.parquet", SCORES)
    assert outputs["replicate"].to_list() == [0, 1] * 3
    assert scores.height == 12
    calls = parquet.read(scored.root / "loop/score/calls.parquet", CALLS)
    assert calls.height == 12


def test_a_failed_output_is_an_error_on_every_rubric(scored: Repository) -> None:
    """Within score.max_error_rate a failure is a row with a status; it is never a score of 0."""
    broken = APP.replace("return f", "assert row['input'] != 'repair'; return f")
    scored.gen({"app.py": broken, "params.yaml": PARAMS + "score: {max_error_rate: 0.5}\n"})
    report = score(scored.root)
    outputs = parquet.read(scored.root / "loop/score/outputs.parquet", OUTPUTS)
    scores = parquet.read(scored.root / "loop/score/scores.parquet", SCORES)
    failed = outputs.filter(pl.col("status") == "error")
    assert failed["output"].to_list() == [None]
    assert failed["error"].to_list() == ["AssertionError:"]
    bad = scores.filter(pl.col("item_id") == failed["item_id"][0])
    assert bad.select("rubric", "status", "score").rows() == [
        ("brief", "error", None),
        ("polite", "error", None),
    ]
    assert bad["reason"].to_list() == ["the target gave no output: AssertionError:"] * 2
    assert [(own.n, own.n_errors, own.mean) for own in report.rubrics] == [(3, 1, 1.0)] * 2
    assert report.sets[0].n_output_errors == 1


def test_too_many_failures_give_no_verdict(scored: Repository) -> None:
    """Above score.max_error_rate nothing is written, and the exit code is that of the API."""
    scored.gen({"app.py": APP.replace("return f", "raise OSError('down'); return f")})
    with pytest.raises(ApiError, match=r"failed on 3 of 3 calls.*the first: OSError: down"):
        score(scored.root)
    assert not (scored.root / "loop").exists()


def test_time_outs_have_their_own_exit_code(scored: Repository) -> None:
    """When most failures are time-outs, the error is CallTimeoutError."""
    scored.gen(
        {
            "app.py": "import time\n" + APP.replace("return f", "time.sleep(60); return f"),
            "params.yaml": PARAMS.replace("target:", "target:\n  timeout_s: 0.05"),
        }
    )
    with pytest.raises(CallTimeoutError, match=r"no answer within 0\.05 s"):
        score(scored.root)


def test_what_was_answered_before_a_failure_is_kept(scored: Repository) -> None:
    """An interrupted run resumes: the answers it got are in the call store, whatever failed."""
    broken = APP.replace("return f", "assert row['input'] != 'repair'; return f")
    scored.gen({"app.py": broken})
    with pytest.raises(ApiError):
        score(scored.root)
    scored.gen({"params.yaml": PARAMS + "score: {max_error_rate: 0.5}\n"})
    report = score(scored.root)
    assert report.n_recorded == 2


def test_progress_is_told_for_target_and_judges(scored: Repository) -> None:
    """Each kind of call reports how many of how many are done."""
    told: list[tuple[str, int, int]] = []
    score(scored.root, lambda what, done, total, _usd=0.0: told.append((what, done, total)))
    assert {what for what, _, _ in told} == {
        "running the target",
        "judging brief",
        "judging polite",
    }
    assert ("judging polite", 3, 3) in told


@pytest.mark.parametrize(
    ("files", "error", "words"),
    [
        (
            {"params.yaml": PARAMS.replace("{support: null}", "{suport: null}")},
            ConfigError,
            "golden/suport/dataset.yaml does not exist; did you mean support?",
        ),
        (
            {"params.yaml": PARAMS.replace("{support: null}", "{}")},
            ConfigError,
            "names no golden set",
        ),
        (
            {"params.yaml": PARAMS.replace("null}", '"2026.04-000000"}')},
            StaleError,
            "is at version 2026.05-6695cb, but params.yaml pins 2026.04-000000, which no record",
        ),
        (
            {"params.yaml": PARAMS.replace("polite:", "kind:")},
            ConfigError,
            r"golden row \w{16} is labelled polite, but params.yaml does not pin polite",
        ),
        (
            {"params.yaml": PARAMS.replace("use: python", 'use: python, version: "7"')},
            ConfigError,
            "pins version 7 of the judge python, but 1 is installed",
        ),
        (
            {"params.yaml": PARAMS.replace("use: python", "use: recorded")},
            ConfigError,
            "rubrics/polite.yaml has no scorer for the judge recorded",
        ),
        (
            {"prompts/support.md": "---\nname: support\nversion: '1'\n---\n{{ reference }}\n"},
            ConfigError,
            "prompt support@1 cannot be rendered: 'reference' is undefined",
        ),
        (
            {"params.yaml": PARAMS.replace("app:answer", "app:anser")},
            ConfigError,
            "the module app has no anser; did you mean answer?",
        ),
        (
            {"params.yaml": PARAMS.replace("app:answer", "ap:answer")},
            ConfigError,
            "there is no module ap in this repository",
        ),
        (
            {"dvc.yaml": "stages:\n  score:\n    cmd: gitloop score\n    deps: [app.py]\n"},
            ConfigError,
            "the stage score does not depend on golden/support/parts",
        ),
    ],
)
def test_bad_configuration_is_named_and_nothing_is_written(
    scored: Repository, files: dict[str, str], error: type[Exception], words: str
) -> None:
    """Each fault of configuration is told before a call is made, and nothing is written."""
    scored.gen(files)
    with pytest.raises(error, match=words):
        score(scored.root)
    assert not (scored.root / "loop").exists()
    assert not (scored.root / ".gitloop").exists()


def test_a_declared_dependency_is_accepted(scored: Repository) -> None:
    """A stage that depends on the set's pointers is sound."""
    deps = "deps: [app.py, golden/support/parts]"
    scored.gen({"dvc.yaml": f"stages:\n  score:\n    cmd: gitloop score\n    {deps}\n"})
    assert score(scored.root).n_outputs == 3


def test_an_empty_set_is_an_error_of_data(repository: Repository) -> None:
    """A set without rows cannot be scored, and the next command is promote."""
    evaluated(repository)
    with pytest.raises(DataError, match="golden set support has no rows") as caught:
        score(repository.root)
    assert caught.value.hint == "run: gitloop promote"


def test_a_row_in_two_sets_is_an_error(scored: Repository) -> None:
    """The same row in two sets would be one output with two verdicts: the sets are named."""
    promote(scored, golden_rows(["refund"], set="extra"), name="extra")
    scored.gen({"params.yaml": PARAMS.replace("null}", "null, extra: null}")})
    with pytest.raises(DataError, match="stands in two golden sets, extra and support"):
        score(scored.root)


@pytest.mark.parametrize("in_a_panel", [False, True])
def test_an_example_that_was_promoted_to_val_is_refused(
    repository: Repository, *, in_a_panel: bool
) -> None:
    """A model is shown no row that something is measured on, however late it became one."""
    evaluated(repository)
    promote(repository, golden_rows(["refund", "exchange"], split="val"))
    lines = [
        {"item_id": item, "expected": "pass", "input": asked, "output": "yes"}
        for item, asked in (("trace-refund", "refund"), ("trace-other", "other"))
    ]
    examples = "".join(f"{json.dumps(line)}\n" for line in lines)
    sha256 = hashlib.sha256(examples.encode()).hexdigest()
    told = f"{{file: rubrics/examples/polite.jsonl, sha256: {sha256}}}"
    reach = "base_url: 'http://127.0.0.1:1/v1'"
    pin = f"{{use: openai, model: m, parameters: {{{reach}, examples: {told}}}}}"
    if in_a_panel:
        other = "{use: python, parameters: {callable: 'app:polite'}}"
        pin = f"{{use: panel, parameters: {{members: [{other}, {pin}]}}}}"
    rubric = 'name: polite\nversion: "2"\nscorer:\n  python: {}\n  openai: {instructions: Pass.}\n'
    params = PARAMS.replace(
        'polite:\n    version: "1"\n    judge: {use: python, parameters: {callable: "app:polite"}}',
        f'polite:\n    version: "2"\n    judge: {pin}',
    )
    files = {"rubrics/examples/polite.jsonl": examples, "rubrics/polite.yaml": rubric}
    repository.gen({"params.yaml": params, **files})
    with pytest.raises(DataError) as caught:
        score(repository.root)
    expected = (
        "rubrics/examples/polite.jsonl holds trace-refund, which is a val row of golden/support"
    )
    assert caught.value.message == expected
    assert not (repository.root / "loop").exists()
