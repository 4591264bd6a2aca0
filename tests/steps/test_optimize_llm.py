"""`gitloop optimize` against a model that is called, counted, killed and pressed at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitloop.errors import ConfigError
from gitloop.steps.optimize import OptimizeReport, optimize
from tests.endpoints import Endpoint, Reply, endpoint, said
from tests.repositories import Repository
from tests.steps.test_optimize import PROMPT, searchable, written

TARGET = """\
target:
  use: openai
  prompt: prompts/support.md
  deterministic: false
  parameters:
    model: m
    base_url: "URL"
    api_key_env: NO_KEY
    concurrency: 8
    price: {input: 1.0, output: 2.0}
"""
PARAMS = """\
seed: 3
rubrics:
  brief:
    version: "1"
golden:
  sets: {support: null}
optimize:
  max_evaluations: 260
"""
WARM = """\
parameter_ranges:
  temperature: {low: 0, high: 1, step: 0.5}
"""


def answering(payload: dict[str, object], _nth: int) -> Reply:
    """Names the days when it is told to, or when it is neither cold nor hot; one row in three."""
    text = str(payload["messages"])
    knows = "Name the days." in text or payload.get("temperature") == 0.5
    return said("30 days" if knows or "7." in text else "a while")


@pytest.fixture
def model() -> Iterator[Endpoint]:
    """A model on the loopback."""
    with endpoint(answering) as running:
        yield running


def repository_of(root: Path, model: Endpoint, extra: str = "", head: str = "") -> Repository:
    """A searchable repository whose target is the model."""
    repository = Repository.create(root)
    params = PARAMS + extra + TARGET.replace("URL", model.url)
    searchable(repository, params=params)
    prompt = PROMPT.format(lines='["Name the days."]').replace("version:", f"{head}version:")
    repository.gen({"prompts/support.md": prompt}, commit="Open it")
    return repository


def run(root: Path, model: Endpoint, extra: str = "", head: str = "") -> OptimizeReport:
    """A whole search."""
    return optimize(repository_of(root, model, extra, head).root)


def test_tokens_and_prices_are_told_per_row_and_in_all(tmp_path: Path, model: Endpoint) -> None:
    """110 tokens and $0.00012 an answer, beside each row, in the metrics and in the report."""
    report = run(tmp_path / "a", model)
    assert (report.tokens, report.n_calls) == (110 * len(model.asked), len(model.asked))
    assert report.cost_usd == pytest.approx(0.00012 * len(model.asked))
    lines = (tmp_path / "a/loop/optimize/trials.jsonl").read_text().splitlines()
    rows = [row for line in lines for row in json.loads(line)["rows"]]
    assert {(row["tokens"], row["cost_usd"]) for row in rows} == {(110, 0.00012)}
    assert f"{report.tokens:,} tokens" in (tmp_path / "a/loop/optimize/report.md").read_text()
    assert report.holdout is not None
    assert (report.holdout.cost_ratio, report.holdout.cost_unit) == (1.0, "usd")


def test_the_headroom_check_draws_several_answers_first(tmp_path: Path, model: Endpoint) -> None:
    """Three answers a row of a target that is pinned as not deterministic; they count as rows."""
    report = run(tmp_path / "a", model)
    assert report.headroom is not None
    assert (report.headroom.k, report.headroom.best_of_k) == (3, report.incumbent_mean)
    first = [json.dumps(asked, sort_keys=True) for asked in model.asked[:60]]
    assert sorted(first.count(one) for one in set(first)) == [3] * 20
    assert report.n_evaluations == 60 + 20 + 40 == len(model.asked)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("max_calls: 130", "max_calls"), ("max_tokens: 7000", "max_tokens")],
)
def test_calls_and_tokens_have_limits(
    tmp_path: Path, model: Endpoint, limit: str, reason: str
) -> None:
    """The look at the holdout is set aside; no limit on calls is ever exceeded."""
    report = run(tmp_path / "a", model, f"  {limit}\n", WARM)
    assert report.finish_reason == reason
    assert len(model.asked) <= 130


def test_what_the_headroom_check_spends_ends_a_search_and_breaks_nothing(
    tmp_path: Path, model: Endpoint
) -> None:
    """Tokens that are gone by then leave the incumbent; calls that cannot do are refused before."""
    report = run(tmp_path / "a", model, "  max_tokens: 50\n", WARM)
    assert (report.outcome, report.finish_reason) == ("no improvement", "max_tokens")
    asked = len(model.asked)
    with pytest.raises(ConfigError, match="30 calls do not cover one look"):
        run(tmp_path / "b", model, "  max_calls: 30\n", WARM)
    assert len(model.asked) == asked


def test_model_parameters_are_searched_and_proposed(tmp_path: Path, model: Endpoint) -> None:
    """Half warm is as good as the line, and shorter: the candidate sets it, and says so."""
    report = run(tmp_path / "a", model, head=WARM)
    assert report.space_size == 6
    path = tmp_path / f"a/loop/optimize/candidates/{report.finalist}.md"
    assert "temperature: 0.5" in path.read_text()
    assert report.outcome == "proposed"


@pytest.mark.slow
def test_pressing_at_once_changes_no_byte(tmp_path: Path, model: Endpoint) -> None:
    """One call at a time or eight: trials, plots, metrics and the table of calls are the same."""
    found = []
    for name, concurrency in (("one", "concurrency: 1"), ("eight", "concurrency: 8")):
        repository = repository_of(tmp_path / name, model)
        params = repository.read("params.yaml").replace("concurrency: 8", concurrency)
        repository.gen({"params.yaml": params})
        optimize(repository.root)
        files = written(repository)
        # When an answer came is kept in the calls, so that a replay gives it again.
        files.pop("calls.parquet")
        found.append(files)
    assert found[0] == found[1]
    assert model.most_at_once > 1


@pytest.mark.slow
def test_killed_again_and_again_it_comes_to_the_same(tmp_path: Path) -> None:
    """SIGKILL at any moment: the same bytes, and at most what was in flight is paid twice."""
    with endpoint(answering) as quick:
        whole = repository_of(tmp_path / "whole", quick, head=WARM)
        optimize(whole.root)
        wanted, n_calls = written(whole), len(quick.asked)
    kills = 0
    with endpoint(_slowly) as slow:
        killed = repository_of(tmp_path / "killed", slow, head=WARM)
        for _ in range(2):
            kills += _killed(killed.root, slow, more=45)
        optimize(killed.root)
        n_paid = len(slow.asked)
    assert kills == 2
    got = written(killed)
    for files in (wanted, got):
        files.pop("calls.parquet")
    assert got == wanted
    assert n_paid <= n_calls + (8 + 2) * kills  # eight in flight, and what nobody had fetched yet


def _slowly(payload: dict[str, object], nth: int) -> Reply:
    reply = answering(payload, nth)
    return Reply(reply.status, reply.body, reply.headers, delay_s=0.02)


def _killed(root: Path, model: Endpoint, more: int) -> bool:
    """Start the command, and kill it once the model was asked so many times more."""
    enough = len(model.asked) + more
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "gitloop", "optimize"]
    running = subprocess.Popen(
        command, cwd=root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while running.poll() is None and len(model.asked) < enough:
        time.sleep(0.002)
    is_killed = running.poll() is None
    running.send_signal(signal.SIGKILL)
    running.wait()
    return is_killed
