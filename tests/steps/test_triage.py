"""`gitloop triage` on a real repository, without a model and with one on the loopback."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from gitloop.core.triage import DIMENSIONS, SCORES
from gitloop.errors import ApiError, ConfigError, DataError
from gitloop.steps.cluster import cluster_failures, draw_map
from gitloop.steps.label import LabelPlan, Question, label
from gitloop.steps.triage import Rewrite, triage
from gitloop.storage import parquet, parts
from gitloop.storage.briefs import given_names
from gitloop.storage.dvc import Dvc
from gitloop.tables import TRACES
from tests.endpoints import Endpoint, Reply, endpoint, refused, said
from tests.failing import AT, complaints, write_failures
from tests.labelled import PARAMS, RUBRIC
from tests.repositories import Repository

POLICY = "Returns are taken within fourteen days only."
ROOT_CAUSE = "The answer promises sixty days"


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository with traces, failures and clusters, made once; tests copy what they change."""
    repository = Repository.create(tmp_path_factory.mktemp("triage") / "repository")
    joined = complaints(12)
    edited = pl.when(pl.col("trace_id") == "t0-00").then(
        pl.lit("You have fourteen days to return the kayak.")
    )
    write_failures(repository, joined.with_columns(edited_output=edited))
    rows = [
        {
            **{
                name: row[name] for name in ("trace_id", "group_id", "input", "output", *DIMENSIONS)
            },
            "context": "Terms apply. " * 300 + POLICY,
            "created_at": AT,
            "status": "ok",
        }
        for row in joined.to_dicts()
    ]
    rows += [
        {
            "trace_id": f"good-{n:02}",
            "group_id": f"good-{n:02}",
            "input": f"refund window for item {n}",
            "output": f"The receipt says fourteen days for item {n}.",
            "route": "refund",
            "user_cohort": "free",
            "prompt_version": "support@2",
            "created_at": AT,
            "status": "ok",
        }
        for n in range(20)
    ]
    path = "data/traces/2026-05-18-00000000.parquet"
    table = TRACES.complete(pl.DataFrame(rows, schema_overrides=dict(TRACES.schema)))
    parquet.write(repository.root / path, TRACES, table)
    parts.track(repository.root, Dvc(repository.root, repository.root / ".git"), path)
    cluster_failures(repository.root)
    return repository


@pytest.fixture
def fresh(clustered: Repository) -> Iterator[Repository]:
    """The clustered repository without briefs and without recorded calls."""
    params = clustered.read("params.yaml")
    yield clustered
    clustered.gen({"params.yaml": params})
    for folder in ("loop/cluster/briefs", ".gitloop/calls"):
        for file in (clustered.root / folder).glob("*"):
            file.unlink()


def refunds(repository: Repository) -> str:
    """The cluster of the refund complaints."""
    members = pl.read_parquet(repository.root / "loop/cluster/members.parquet")
    return str(members.filter(pl.col("trace_id") == "t0-03")["cluster_id"][0])


def brief_of(repository: Repository, cluster_id: str) -> dict[str, Any]:
    """A brief as any YAML library reads it."""
    text = repository.read(f"loop/cluster/briefs/{cluster_id}.yaml")
    value: dict[str, Any] = yaml.safe_load(text)
    return value


def quotes(value: object) -> Iterator[tuple[str, str, str]]:
    """Every citation below a value."""
    if isinstance(value, dict):
        if "quote" in value and "span_id" in value:
            yield value["trace_id"], value["span_id"], value["quote"]
        for item in value.values():
            yield from quotes(item)
    elif isinstance(value, list):
        for item in value:
            yield from quotes(item)


def test_an_extractive_brief_claims_nothing_that_it_cannot_quote(fresh: Repository) -> None:
    """Every quote stands in the span it cites, and what only a judge could say is left open."""
    report = triage(fresh.root)
    assert [line.state for line in report.briefs] == ["written"] * 3
    cluster_id = refunds(fresh)
    found = brief_of(fresh, cluster_id)
    rows = {
        row["trace_id"]: row
        for row in pl.read_parquet(
            fresh.root / "data/traces/2026-05-18-00000000.parquet"
        ).to_dicts()
    }
    said_by = {
        row["feedback_id"]: row
        for row in pl.read_parquet(fresh.root / "loop/join/joined.parquet").to_dicts()
    }
    cited = list(quotes(found))
    assert len(cited) >= 3
    for trace_id, span_id, quote in cited:
        kind, _, name = span_id.partition(":")
        place = {"feedback": "comment", "edit": "edited_output"}.get(kind)
        source = said_by[name][place] if place else rows[trace_id][span_id]
        assert quote in source
    assert (found["quick_fix"], found["long_term"]) == (None, None)
    assert found["scores"] == dict.fromkeys(SCORES)
    assert "no model read these traces" in found["made_by"]["note"]
    assert "fourteen days" in found["immediate_fix"]


def test_a_brief_says_where_it_happens_with_lift_and_interval(fresh: Repository) -> None:
    """The prompt version that only failing traces have is named with its lift and interval."""
    triage(fresh.root, [refunds(fresh)])
    (found,) = brief_of(fresh, refunds(fresh))["affected"]["prompt_version"]
    assert (found["value"], found["n"], found["n_of"]) == ("support@1", 12, 12)
    assert (found["n_else"], found["n_else_of"]) == (25, 45)
    assert 1.0 < found["low"] < found["lift"] < found["high"]


def test_a_brief_contrasts_with_traces_that_passed(fresh: Repository) -> None:
    """Words of the failing answers that passing ones lack are named, with the counts of both."""
    triage(fresh.root, [refunds(fresh)])
    contrast = brief_of(fresh, refunds(fresh))["contrast"]
    assert contrast
    assert all(term["n"] == 12 and term["n_else"] == 0 for term in contrast)


def test_an_edited_brief_is_left_alone(fresh: Repository) -> None:
    """What a person changed is theirs; a quote that they made up is counted; --overwrite wins."""
    cluster_id = refunds(fresh)
    triage(fresh.root, [cluster_id])
    path = f"loop/cluster/briefs/{cluster_id}.yaml"
    text = fresh.read(path)
    edited = text.replace(
        "quick_fix: null", "quick_fix: {trace_id: t0-00, span_id: output, quote: never}"
    )
    fresh.gen({path: edited})
    (line,) = triage(fresh.root, [cluster_id], Rewrite(unchanged=True)).briefs
    assert (line.state, line.n_unquoted, fresh.read(path)) == ("edited", 1, edited)
    (line,) = triage(fresh.root, [cluster_id], Rewrite(edited=True)).briefs
    assert (line.state, fresh.read(path)) == ("written", text)
    (line,) = triage(fresh.root, [cluster_id]).briefs
    assert line.state == "unchanged"


def test_a_brief_that_is_none_is_named(fresh: Repository) -> None:
    """A conflict marker in a brief is a data error with its file and line."""
    cluster_id = refunds(fresh)
    fresh.gen({f"loop/cluster/briefs/{cluster_id}.yaml": "schema: x\n<<<<<<< HEAD\n"})
    with pytest.raises(DataError, match=rf"{cluster_id}\.yaml:3"):
        triage(fresh.root, [cluster_id])


def test_an_unknown_cluster_is_refused(fresh: Repository) -> None:
    """A cluster that is not there names the nearest one."""
    with pytest.raises(ConfigError, match="no clusters are named c-zzzz"):
        triage(fresh.root, ["c-zzzz"])


# --- with a model -------------------------------------------------------------------------------


def claim(name: str, text: str, quote: str, **other: str) -> dict[str, str]:
    """A claim of the agent about the answer of trace t0-00."""
    base = {"field": name, "text": text, "trace_id": "t0-00", "span_id": "output", "value": ""}
    return {**base, "quote": quote, **other}


QUOTE = "You have sixty days to return the kayak 0"
CLAIMS = [
    claim("name", "Wrong refund window", QUOTE),
    claim("root_cause", ROOT_CAUSE, QUOTE),
    claim("root_cause", "The tool timed out", "the order service answered 504 after 30 s"),
    claim("root_cause", "No such trace", QUOTE, trace_id="t9-99"),
    claim("severity", "Money is promised", QUOTE, value="critical"),
    claim("immediate_fix", "Quote the window of the receipt", QUOTE),
    claim("quick_fix", "Contradicted advice", QUOTE),
    claim("long_term", "too short", "sixty"),
    claim("factual_grounding", "It states a window that no source has", QUOTE, value="1"),
    claim("privacy_and_safety", "no such score", QUOTE, value="9"),
]
TURNS = [
    {"tool": "statistics"},
    {"tool": "read_trace", "trace_id": "t0-00"},
    {"tool": "delete_everything"},
    {"tool": "search", "text": "sixty days"},
    {"tool": "submit"},
]


@dataclass(slots=True)
class Agent:
    """A model that reads a little, submits claims good and bad, and doubts as it is told.

    Attributes:
        turns: What it does, in order; then it submits again and again.
        claims: What it claims.
        seen: Every tool's answer that it was shown.
    """

    turns: list[dict[str, Any]] = field(default_factory=lambda: list(TURNS))
    claims: list[dict[str, str]] = field(default_factory=lambda: list(CLAIMS))
    seen: list[str] = field(default_factory=list)

    def respond(self, payload: dict[str, Any], _: int) -> Reply:
        """The answer to one request."""
        first, last = payload["messages"][0]["content"], payload["messages"][-1]["content"]
        if "check claims" in first:
            verdict = "contradicted" if "Contradicted advice" in last else "supported"
            return said(json.dumps({"reason": "read", "verdict": verdict}))
        if "Copy out" in first:
            return said(json.dumps({"passages": [POLICY, "words that nobody said"]}))
        self.seen.append(last)
        if "Now the brief" in last:
            return said(json.dumps({"claims": self.claims}))
        n_turns = sum(m["role"] == "assistant" for m in payload["messages"])
        turn = self.turns[min(n_turns, len(self.turns) - 1)]
        whole = {"thought": "", "trace_id": "", "span_id": "", "text": "", "offset": 0, **turn}
        return said(json.dumps(whole))


@contextmanager
def served(repository: Repository, agent: Agent, **limits: object) -> Iterator[Endpoint]:
    """The agent behind an endpoint that params.yaml names."""
    with endpoint(agent.respond) as server:
        pin = {
            "model": "large-1",
            "parameters": {
                "base_url": server.url,
                "attempts": 1,
                "price": {"input": 3, "output": 15},
            },
        }
        own = {"agent": pin, **limits}
        repository.gen({"params.yaml": "seed: 0\n" + yaml.safe_dump({"triage": own})})
        yield server


def test_claims_without_their_quote_and_contradicted_ones_are_struck(fresh: Repository) -> None:
    """Of ten claims six are struck, each for its reason and counted; the rest is the brief."""
    with served(fresh, Agent()):
        (line,) = triage(fresh.root, [refunds(fresh)]).briefs
    found = brief_of(fresh, refunds(fresh))
    assert [cause["text"] for cause in found["root_cause"]] == [ROOT_CAUSE]
    assert (line.name, line.severity) == ("Wrong refund window", "critical")
    assert found["immediate_fix"] == "Quote the window of the receipt"
    assert (found["quick_fix"], found["long_term"]) == (None, None)
    assert found["scores"]["factual_grounding"]["score"] == 1
    assert found["scores"]["privacy_and_safety"] is None
    assert found["claims"] == {
        "n_made": 10,
        "n_struck": 5,
        "struck": {
            "a second pass contradicts it": 1,
            "cites a span that is not there": 1,
            "is not a claim in the form that was asked for": 1,
            "its quote does not stand in the span": 1,
            "its quote is too short to prove anything": 1,
        },
    }
    assert found["spent"]["n_turns"] == 6
    assert found["spent"]["n_calls"] == 6 + 6
    assert found["spent"]["cost_usd"] == pytest.approx(12 * (100 * 3 + 10 * 15) / 1e6)


def test_a_conversation_only_grows_at_its_end(fresh: Repository) -> None:
    """Each turn repeats the one before word for word, so that a server's prompt cache serves it."""
    with served(fresh, Agent()) as server:
        triage(fresh.root, [refunds(fresh)])
    turns = [p["messages"] for p in server.asked if "find out why" in p["messages"][0]["content"]]
    for before, after in pairwise(turns):
        assert after[: len(before)] == before
    assert "there is no tool 'delete_everything'" in turns[-1][7]["content"]


def test_the_budget_of_turns_and_tokens_is_kept(fresh: Repository) -> None:
    """An agent that never stops reading is asked for its brief; unpaid claims are struck."""
    restless = Agent(turns=[{"tool": "list_failures"}])
    with served(fresh, restless, max_turns=4) as server:
        triage(fresh.root, [refunds(fresh)])
    found = brief_of(fresh, refunds(fresh))
    assert (found["spent"]["n_turns"], found["made_by"]["stopped"]) == (4, "all turns were taken")
    assert len(server.asked) == 4 + 6
    with served(fresh, restless, max_turns=100, max_tokens=1000):
        triage(fresh.root, [refunds(fresh)], Rewrite(unchanged=True))
    found = brief_of(fresh, refunds(fresh))
    assert found["made_by"]["stopped"] == "the budget was spent"
    assert found["spent"]["n_input_tokens"] + found["spent"]["n_output_tokens"] <= 1100
    assert found["claims"]["struck"]["could not be checked"] > 0


def test_the_budget_of_dollars_is_kept(fresh: Repository) -> None:
    """Reading takes six tenths of it, the brief and its second pass the rest, and no more."""
    with served(fresh, Agent(turns=[{"tool": "list_failures"}]), max_turns=100, max_usd=0.0045):
        triage(fresh.root, [refunds(fresh)])
    found = brief_of(fresh, refunds(fresh))
    assert found["made_by"]["stopped"] == "the budget was spent"
    assert found["spent"]["cost_usd"] == pytest.approx(0.0045)
    assert (found["spent"]["n_turns"], found["spent"]["n_calls"]) == (7, 10)
    assert found["claims"]["struck"]["could not be checked"] == 3


def test_a_budget_of_dollars_needs_a_price(fresh: Repository) -> None:
    """Dollars cannot be counted where the price is not known: refused before any call."""
    fresh.gen({"params.yaml": "triage: {agent: {model: x}, max_usd: 1.0}\n"})
    with pytest.raises(ConfigError, match="needs the price of the agent and the verifier"):
        triage(fresh.root)


def test_long_spans_go_through_the_cheaper_model(fresh: Repository) -> None:
    """The reader's passages reach the agent when they stand in the span; made-up ones do not."""
    agent = Agent(
        turns=[
            {"tool": "read_span", "trace_id": "t0-00", "span_id": "context", "text": "days"},
            {"tool": "submit"},
        ]
    )
    with served(fresh, agent) as server:
        params = yaml.safe_load(fresh.read("params.yaml"))
        pin = {"model": "small-1", "parameters": {"base_url": server.url, "attempts": 1}}
        params["triage"] |= {"reader": pin, "long_span": 2000}
        fresh.gen({"params.yaml": yaml.safe_dump(params)})
        triage(fresh.root, [refunds(fresh)])
        models = [payload["model"] for payload in server.asked]
    assert models.count("small-1") == 1
    (shown,) = (one for one in agent.seen if "passages of it" in one)
    assert POLICY in shown
    assert "words that nobody said" not in shown


def test_a_server_that_dies_half_way_costs_only_what_it_had_not_answered(
    fresh: Repository,
) -> None:
    """The first cluster's brief is there, the error says so, and the answers are not paid twice."""
    agent, calls = Agent(), [0]

    def dying(payload: dict[str, Any], nth: int) -> Reply:
        calls[0] += 1
        return agent.respond(payload, nth) if calls[0] <= 15 else refused(500, "down")

    with served(fresh, agent):
        pass
    with endpoint(dying) as server:
        params = yaml.safe_load(fresh.read("params.yaml"))
        params["triage"]["agent"]["parameters"]["base_url"] = server.url
        fresh.gen({"params.yaml": yaml.safe_dump(params)})
        with pytest.raises(ApiError, match="large-1 failed"):
            triage(fresh.root)
        written = list((fresh.root / "loop/cluster/briefs").glob("*.yaml"))
        assert len(written) == 1
        calls[0] = -1000
        before = len(server.asked)
        triage(fresh.root)
        assert len(server.asked) - before < 3 * 12 - 15 + 1


def test_answers_that_cannot_be_read_end_in_an_extractive_brief(fresh: Repository) -> None:
    """A model that only chats makes no claim; the brief says why and quotes instead."""
    with endpoint(lambda *_: said("I would rather talk about the weather.")) as server:
        pin = {"model": "chatty", "parameters": {"base_url": server.url, "attempts": 1}}
        fresh.gen({"params.yaml": yaml.safe_dump({"triage": {"agent": pin}})})
        triage(fresh.root, [refunds(fresh)])
    found = brief_of(fresh, refunds(fresh))
    assert found["made_by"]["stopped"] == "its turns could not be read"
    assert found["root_cause"][0]["text"].startswith("Users say")
    assert found["claims"]["n_made"] == 0


def test_what_traces_say_reaches_the_agent_as_data(fresh: Repository) -> None:
    """Everything that a tool shows stands between marks with a digest."""
    agent = Agent()
    with served(fresh, agent):
        triage(fresh.root, [refunds(fresh)])
    assert all("<<data " in shown for shown in agent.seen[:-1])


def test_paths_of_briefs_are_plain(fresh: Repository, tmp_path: Path) -> None:
    """Briefs lie where promotion looks for them, and nowhere else."""
    triage(fresh.root)
    names = sorted(path.stem for path in (fresh.root / "loop/cluster/briefs").iterdir())
    clusters = pl.read_parquet(fresh.root / "loop/cluster/clusters.parquet")
    assert names == sorted(clusters["cluster_id"].to_list())
    assert not list(tmp_path.iterdir())


def test_a_name_from_a_brief_stands_wherever_the_cluster_does(fresh: Repository) -> None:
    """What a model or a person called a cluster is on the label page and on the map drawn anew."""
    triage(fresh.root)
    cluster_id = refunds(fresh)
    assert given_names(fresh.root, [cluster_id, "c-none"]) == {}
    path = f"loop/cluster/briefs/{cluster_id}.yaml"
    text = re.sub(r"^name: .*$", "name: Promises sixty days", fresh.read(path), flags=re.MULTILINE)
    fresh.gen({path: text})
    assert given_names(fresh.root, [cluster_id]) == {cluster_id: "Promises sixty days"}
    fresh.gen({"rubrics/grounded.yaml": RUBRIC, "params.yaml": PARAMS})
    asked: list[Question] = []

    def ask(question: Question) -> str:
        asked.append(question)
        return "skip"

    label(fresh.root, ask, LabelPlan("amara", is_committed=False))
    names = {question.item.case.cluster_name for question in asked}
    assert "Promises sixty days" in names
    before = {file.name: file.read_bytes() for file in (fresh.root / "loop/cluster").glob("*.*")}
    drawn = draw_map(fresh.root, fresh.root / "map.html")
    assert (drawn.n_clusters, drawn.n_named) == (3, 1)
    assert "Promises sixty days" in fresh.read("map.html")
    assert "Promises" not in fresh.read("loop/cluster/map.html")
    assert before == {
        file.name: file.read_bytes() for file in (fresh.root / "loop/cluster").glob("*.*")
    }
