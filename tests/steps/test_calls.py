"""Refresh with its drift, `gitloop calls`, dry runs, change points: on real repositories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gitloop.cli.main import invoke
from gitloop.core.calls import drift
from gitloop.errors import ApiError, ConfigError, DataError
from gitloop.records import Answer
from gitloop.steps import calls as steps
from gitloop.steps.calibrate import calibrate
from gitloop.steps.score import plan_score, score, score_history, score_traces
from gitloop.storage.calls import CallStore
from gitloop.storage.dvc import Dvc
from tests.endpoints import Reply, endpoint, said
from tests.evaluated import APP, PARAMS, evaluated, golden_rows, promote
from tests.judged import judged_repository
from tests.labelled import labelled_repository
from tests.repositories import Repository

LLM = """\
name: kind
version: "1"
scale: binary
scorer:
  openai: {instructions: Pass when kind.}
"""


@pytest.fixture
def scored(repository: Repository) -> Repository:
    """A golden set with two rows, scored and committed with its dvc.lock."""
    evaluated(repository)
    promote(repository, golden_rows(["refund", "exchange"]))
    return repository


def lock(repository: Repository) -> None:
    """Commit what loop/score holds, as DVC would."""
    dvc = Dvc(repository.root, repository.root / ".git")
    outs = ""
    for name in ("calls.parquet", "outputs.parquet", "scores.parquet"):
        digest = dvc.store(repository.root / "loop/score" / name).md5
        outs += f"    - path: loop/score/{name}\n      md5: {digest}\n"
    text = f"schema: '2.0'\nstages:\n  score:\n    cmd: gitloop score\n    outs:\n{outs}"
    metrics = repository.read("loop/score/metrics.json")
    repository.gen({"dvc.lock": text, "loop/score/metrics.json": metrics}, commit="Score")


def shards(repository: Repository) -> list[Path]:
    """The store's files."""
    return sorted((repository.root / ".gitloop/calls").glob("?.jsonl"))


def test_a_refresh_appends_and_tells_the_drift(scored: Repository) -> None:
    """What was known stays in the file; the report counts and names what is decided otherwise."""
    score(scored.root)
    before = {path: path.read_bytes() for path in shards(scored)}
    report = score(scored.root, calls="refresh")
    assert report.drift is not None
    assert (report.n_called, report.drift.n, report.drift.n_changed) == (4, 4, 0)
    assert all(path.read_bytes().startswith(content) for path, content in before.items())
    written = json.loads(scored.read("loop/score/drift.json"))
    assert (written["schema"], written["change_rate"]) == ("gitloop.drift/v1", 0.0)
    again = score(scored.root)
    assert (again.n_called, again.drift) == (0, None)


def answers(scores: dict[str, float]) -> Any:  # noqa: ANN401
    """A call that answers each request with its score."""
    return lambda asked: [Answer("ok", {"score": scores[one["q"]], "reason": ""}) for one in asked]


def test_a_refreshed_answer_is_in_force_and_the_old_one_is_kept(tmp_path: Path) -> None:
    """The highest take wins, whatever the order of the lines; failures change nothing."""
    asked = [{"q": "a"}, {"q": "b"}]
    CallStore(tmp_path, "record").ask("judge", asked, answers({"a": 0.0, "b": 1.0}))
    store = CallStore(tmp_path, "refresh")
    found = store.ask("judge", asked, answers({"a": 0.5, "b": 1.0}))
    assert [one.value["score"] for one in found] == [0.5, 1.0]
    store.finish()
    for path in tmp_path.glob("?.jsonl"):
        path.write_bytes(b"\n".join(reversed(path.read_bytes().split(b"\n"))))
    replay = CallStore(tmp_path, "replay").ask("judge", asked, answers({}))
    assert [one.value["score"] for one in replay] == [0.5, 1.0]
    failing = CallStore(tmp_path, "refresh")
    broken = failing.ask("judge", asked, lambda ask: [Answer("error", error="down") for _ in ask])
    assert [one.status for one in broken] == ["error", "error"]
    assert (
        drift(
            [(r.call_id, r.kind, r.request, r.before, r.after) for r in failing.refreshed()]
        ).n_failed
        == 2
    )
    replay = CallStore(tmp_path, "replay").ask("judge", asked, answers({}))
    assert [one.value["score"] for one in replay] == [0.5, 1.0]


def test_an_interrupted_refresh_goes_on_where_it_was(tmp_path: Path) -> None:
    """Nothing is asked twice; the drift covers the calls of both runs."""
    asked = [{"q": letter} for letter in "abcd"]
    CallStore(tmp_path, "record").ask("judge", asked, answers(dict.fromkeys("abcd", 0.0)))
    n_calls = [0]

    def dying(ask: Any) -> list[Answer]:  # noqa: ANN401
        n_calls[0] += 1
        if n_calls[0] == 3:
            raise KeyboardInterrupt
        return [Answer("ok", {"score": 1.0, "reason": ""}) for _ in ask]

    with pytest.raises(KeyboardInterrupt):
        CallStore(tmp_path, "refresh").ask("judge", asked, dying, batch=1)
    store = CallStore(tmp_path, "refresh")
    found = store.ask("judge", asked, answers(dict.fromkeys("abcd", 1.0)))
    assert (store.n_hits, store.n_misses) == (2, 2)
    assert [one.value["score"] for one in found] == [1.0] * 4
    assert len(store.refreshed()) == 4


def test_stats_gc_and_export(scored: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """What is recorded is counted; torn and superseded lines go; every call comes out as JSON."""
    root = scored.root
    score(root)
    score(root, calls="refresh")
    with shards(scored)[0].open("ab") as shard:
        shard.write(b'{"call_id":"torn')
    found = steps.stats(root)
    assert (found.store.totals.n, found.store.n_superseded, found.store.n_torn) == (4, 4, 1)
    assert found.tables["loop/score/calls.parquet"].kinds == {"judge": 2, "target": 2}
    dry = steps.gc(root, dry_run=True)
    assert (dry.n_kept, dry.n_torn, dry.n_superseded, dry.is_done) == (4, 1, 4, False)
    assert steps.gc(root).n_bytes > 0
    assert steps.stats(root).store.n_superseded == 0
    assert score(root, calls="replay").n_called == 0
    exported = [json.loads(line) for line in steps.export(root).text.splitlines()]
    assert [one["kind"] for one in exported].count("judge") == 2
    assert sorted(one["call_id"] for one in exported) == [one["call_id"] for one in exported]
    for command in (["stats"], ["gc", "--unused", "--dry-run"], ["diff"], ["export"]):
        code = invoke(["calls", *command, "-C", str(root)])
        assert code == (5 if command == ["diff"] else 0), capsys.readouterr().err
    assert max(len(line) for line in capsys.readouterr().out.splitlines()[:4]) <= 80


def test_gc_keeps_what_a_commit_used(scored: Repository) -> None:
    """An answer of another application version goes; one that a committed table holds stays."""
    root = scored.root
    score(root)
    lock(scored)
    scored.gen({"app.py": APP.replace("Dear customer", "Dear friend")})
    score(root)
    assert steps.gc(root, unused=True).n_unused == 0
    scored.gen({"app.py": APP.replace("Dear customer", "Dear all")})
    score(root)
    assert steps.gc(root, unused=True).n_unused == 4
    assert steps.stats(root).store.totals.n == 8


def test_diff_tells_what_two_commits_recorded(scored: Repository) -> None:
    """New calls, gone calls, and the same call with another answer."""
    root = scored.root
    score(root)
    lock(scored)
    same = steps.diff(root, "HEAD", None)
    assert (same.n_before, same.n_after, same.n_gone, same.n_new, same.drift.n) == (4, 4, 0, 0, 0)
    scored.gen({"app.py": APP.replace("Dear customer", "Dear friend")})
    score(root)
    moved = steps.diff(root, "HEAD", None)
    assert (moved.n_gone, moved.n_new) == (4, 4)
    with pytest.raises(DataError, match="has no loop/score/calls"):
        steps.diff(root, "HEAD~1", None)


def test_a_dry_run_counts_misses_and_their_cost(scored: Repository) -> None:
    """Before the target ran the judges' calls are unknown; afterwards they have a price."""

    def respond(*_: Any) -> Reply:  # noqa: ANN401
        return said('{"reason": "r", "verdict": "pass"}')

    def write(version: str, words: str) -> None:
        text = LLM.replace("kind", "polite").replace("Pass when", words)
        given = PARAMS.replace('{use: python, parameters: {callable: "app:polite"}}', pin)
        at = given.index("  polite:\n")
        given = given[:at] + given[at:].replace('version: "1"', f'version: "{version}"', 1)
        text = text.replace('version: "1"', f'version: "{version}"')
        scored.gen({"params.yaml": given, "rubrics/polite.yaml": text})

    with endpoint(respond) as server:
        price = "price: {input: 1, output: 2}"
        pin = f"{{use: openai, model: m, parameters: {{base_url: '{server.url}', {price}}}}}"
        write("2", "Pass when")
        plan = plan_score(scored.root)
        assert (plan.n_calls, plan.n_unknown, plan.cost_usd) == (2, 2, 0.0)
        assert plan.unknown_usd is not None
        assert 0.004 < plan.unknown_usd < 0.006
        assert server.asked == []
        report = score(scored.root)
        assert report.spent_usd == 0.00024
        write("3", "Pass if")
        plan = plan_score(scored.root)
        (judged,) = [one for one in plan.calls if one.what == "polite"]
        assert (plan.n_calls, plan.n_unknown, judged.n_output_tokens) == (2, 0, 2048)
        assert judged.cost_usd is not None
        assert 0.004 < judged.cost_usd < 0.006
        assert len(server.asked) == 2
    assert invoke(["score", "--dry-run", "-C", str(scored.root)]) == 0
    assert invoke(["score", "--dry-run", "--traces", "-C", str(scored.root)]) == 4


def test_scores_across_a_rubric_change_are_not_compared(
    scored: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """The history has a change point with what changed, and no difference across it."""
    score(scored.root)
    lock(scored)
    bumped = scored.read("rubrics/brief.yaml").replace('"1"', '"2"').replace("days", "Dear")
    params = PARAMS.replace('brief:\n    version: "1"', 'brief:\n    version: "2"')
    scored.gen({"rubrics/brief.yaml": bumped, "params.yaml": params}, commit="Bump")
    score(scored.root)
    lock(scored)
    points = score_history(scored.root).rubrics
    assert [point.change_point for point in points["brief"]] == ["", "rubric 1 → 2"]
    assert points["brief"][1].delta is None
    assert len(points["polite"]) == 1
    assert invoke(["score", "--history", "-C", str(scored.root)]) == 0
    assert "change point: rubric 1 → 2; not comparable" in capsys.readouterr().out
    with pytest.raises(DataError, match="no commit holds scores"):
        score_history(scored.root, limit=0)


PIPELINE = """\
stages:
  score:
    cmd: gitloop score
    deps: [golden/support/parts{more}]
"""


def test_a_judges_file_must_be_a_dependency(scored: Repository) -> None:
    """Otherwise DVC would take old scores for current ones; a folder above it is enough."""
    scored.gen({"dvc.yaml": PIPELINE.format(more="")})
    with pytest.raises(ConfigError, match=r"app\.py \(the judge of polite reads it\)"):
        score(scored.root)
    scored.gen({"dvc.yaml": PIPELINE.format(more=", app.py")})
    assert score(scored.root).n_outputs == 2


def test_traces_are_judged_as_they_are(tmp_path: Path) -> None:
    """Every recorded output gets its scores, without labels and without the target."""
    repository = labelled_repository(tmp_path / "repository", 6)
    report = score_traces(repository.root)
    assert (report.n_traces, report.n_silent, report.rubrics[0].n) == (6, 0, 6)
    assert (repository.root / report.path).is_file()
    assert invoke(["score", "--traces", "--rubric", "other", "-C", str(repository.root)]) == 4


def test_whatever_refreshes_tells_its_drift(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calibrate asks again too, and says beside its calls what is decided otherwise."""
    judges = [lambda shown: 0.2 if "Pedro" in shown else 0.8]
    with judged_repository(tmp_path / "repository", judges, 30) as repository:
        calibrate(repository.root)
        judges.append(lambda shown: 0.4 if "Pedro" in shown else 0.8)
        monkeypatch.setenv("GITLOOP_CALLS_MODE", "refresh")
        assert invoke(["calibrate", "-C", str(repository.root)]) == 0
        assert "30 answered twice: 15 decided differently" in capsys.readouterr().out
        told = json.loads(repository.read("loop/calibrate/drift.json"))
    assert (told["schema"], told["n"], told["n_changed"]) == ("gitloop.drift/v1", 30, 15)
    assert not list((repository.root / ".gitloop/calls").glob("refreshing-*"))


def test_a_budget_bounds_the_whole_run(tmp_path: Path) -> None:
    """Nothing is written, what was answered is kept, and the next run goes on from there."""
    judges = [lambda shown: 0.2 if "Pedro" in shown else 0.8]
    with judged_repository(tmp_path / "repository", judges, 30) as repository:
        params = repository.read("params.yaml") + "calls:\n  budget: {calls: 20}\n"
        repository.gen({"params.yaml": params})
        with pytest.raises(ApiError, match="the run's budget of 20 calls is spent"):
            calibrate(repository.root)
        assert not (repository.root / "loop/calibrate/scores.parquet").exists()
        calibrate(repository.root)
        assert (repository.root / "loop/calibrate/scores.parquet").exists()
