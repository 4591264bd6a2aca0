"""The chat client against a loopback server that misbehaves in every way it can."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest

from gitloop.arguments import check
from gitloop.errors import ConfigError
from gitloop.llm import (
    SETTINGS,
    ChatRequest,
    Completion,
    Limits,
    Settings,
    run_budget,
    settings,
    spending,
)
from gitloop.llm.client import ChatClient
from gitloop.llm.limits import Gate, wait_s
from tests.endpoints import Reply, Respond, endpoint, refused, said

HELLO = ChatRequest("m", ({"role": "user", "content": "hello"},), {"temperature": 0.0})
PRICED: dict[str, Any] = {"input_usd": 2.0, "output_usd": 8.0}
SHAPED = ChatRequest("m", HELLO.messages, {"max_tokens": 5}, {"type": "object"})


def once(first: Reply, then: Reply | None = None) -> Respond:
    """Answer the first request with one reply, and all others with another."""
    later = then or said("fine")
    return lambda _, nth: first if nth == 0 else later


def complete(
    respond: Respond,
    request: ChatRequest = HELLO,
    **limits: Any,  # noqa: ANN401
) -> tuple[Completion, list[dict[str, Any]], list[float]]:
    """The completion, what the server was asked, and how long the client waited."""
    waits: list[float] = []
    with endpoint(respond) as server:
        client = ChatClient(Settings(server.url, **limits), sleep=waits.append)
        found = client.complete(request)
        client.close()
        return found, server.asked, waits


def test_a_good_answer_carries_what_the_server_says() -> None:
    """Text, model, fingerprint, tokens and price."""
    found, asked, _ = complete(lambda *_: said("hi"), input_usd=2.0, output_usd=8.0)
    assert (found.status, found.text, found.finish) == ("ok", "hi", "stop")
    assert (found.model, found.fingerprint) == ("served-model", "fp_1")
    assert (found.n_input_tokens, found.n_output_tokens, found.cost_usd) == (100, 10, 0.00028)
    assert asked == [{"model": "m", "messages": list(HELLO.messages), "temperature": 0.0}]


def test_the_key_is_a_bearer_token_and_local_servers_need_none() -> None:
    """The key goes into a header and nowhere else."""
    with endpoint(lambda *_: said("hi")) as server:
        for key in ("", "sk-secret"):
            client = ChatClient(Settings(server.url, api_key=key))
            client.complete(HELLO)
            client.close()
        assert [found.get("Authorization") for found in server.headers] == [
            None,
            "Bearer sk-secret",
        ]
        assert "sk-secret" not in str(server.asked)


@pytest.mark.parametrize(
    "bad",
    [
        refused(429, "slow down"),
        refused(500),
        refused(503),
        Reply(200, b"<html>busy</html>"),
        Reply(200, b'{"choices": [{"mess'),
        Reply(200, b"[]"),
        Reply(200, b'{"choices": []}'),
        Reply(200, b""),
        said(None),
        Reply(closes=True),
        Reply(200, b'{"choices": ', cut=True),
        Reply(502, b"<html>bad gateway</html>"),
    ],
)
def test_what_may_pass_is_asked_again(bad: Reply) -> None:
    """429, 5xx, HTML, half a JSON, nothing, and a closed connection are tried again."""
    found, asked, waits = complete(once(bad))
    assert (found.status, found.text) == ("ok", "fine")
    assert (len(asked), len(waits)) == (2, 1)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (refused(429, "slow down"), "HTTP 429: slow down"),
        (refused(500, "oops"), "HTTP 500: oops"),
        (Reply(200, b"<html>busy</html>"), "it answered '<html>busy</html>', no chat completion"),
        (said(None), "its message holds no text"),
        (Reply(closes=True), "Remote end closed connection without response"),
    ],
)
def test_what_does_not_pass_is_an_error_in_the_end(bad: Reply, words: str) -> None:
    """After the last attempt the reason is the server's own."""
    found, asked, _ = complete(lambda *_: bad, attempts=3)
    assert (found.status, found.error, len(asked)) == ("error", words, 3)


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_what_cannot_pass_is_asked_once(status: int) -> None:
    """A request that the server does not take is not repeated."""
    found, asked, waits = complete(lambda *_: refused(status, "no such model"))
    assert (found.status, found.error) == ("error", f"HTTP {status}: no such model")
    assert (len(asked), waits) == (1, [])


def test_a_wrong_key_ends_the_whole_run() -> None:
    """After a 401 nothing more is asked: every other call is the same error."""
    with endpoint(lambda *_: refused(401, "wrong key")) as server:
        client = ChatClient(Settings(server.url, concurrency=1))
        found = dict(client.stream([HELLO] * 20))
        assert {one.error for one in found.values()} == {"HTTP 401: wrong key"}
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (said(None, message={"refusal": "I can't."}), "I can't."),
        (said("", finish="content_filter"), "the server's content filter stopped it"),
        (refused(400, "blocked by content filter"), "HTTP 400: blocked by content filter"),
    ],
)
def test_a_refusal_is_a_status_of_its_own(reply: Reply, words: str) -> None:
    """The model's refusal and the server's filter are no errors and no answers."""
    found, asked, _ = complete(lambda *_: reply)
    assert (found.status, found.error, len(asked)) == ("refused", words, 1)


@pytest.mark.parametrize(
    "slow", [Reply(delay_s=5.0), Reply(body=said("hi").body, drip_s=0.05)], ids=["never", "drip"]
)
def test_a_deadline_holds_whatever_the_server_does(slow: Reply) -> None:
    """A server that says nothing, and one that says a byte now and then, are time-outs."""
    found, asked, _ = complete(lambda *_: slow, timeout_s=0.3, attempts=1)
    assert (found.status, found.error) == ("timeout", "no answer within 0.3 s")
    assert len(asked) == 1


def test_no_server_is_an_error() -> None:
    """A refused connection is told, and tried again before that."""
    waits: list[float] = []
    client = ChatClient(Settings("http://127.0.0.1:9/v1", attempts=3), sleep=waits.append)
    found = client.complete(HELLO)
    assert found.status == "error"
    assert "refused" in found.error.lower()
    assert len(waits) == 2


def test_retry_after_is_obeyed() -> None:
    """The wait is what the server asks for, in seconds or as a date."""
    _, _, waits = complete(once(refused(429, "slow", Retry_After="0.125")))
    assert waits == [0.125]
    at = datetime.now(UTC) + timedelta(seconds=30)
    assert 25 < wait_s(1, format_datetime(at, usegmt=True), 0) <= 30
    assert wait_s(1, "Thu, 01 Jan 1970 00:00:00 GMT", 0) == 0
    assert wait_s(1, "soon", 0) > 0


def test_waits_grow_and_are_spread() -> None:
    """Without a Retry-After each wait is about twice the one before, and differs by caller."""
    waits = [wait_s(attempt, "", 3) for attempt in range(1, 12)]
    assert all(a < b for a, b in pairwise(waits[:7]))
    assert max(waits) <= 30 * 1.25
    assert len({wait_s(1, "", salt) for salt in range(50)}) > 40


def test_the_total_wait_is_capped() -> None:
    """A server that asks for an hour gets no hour."""
    found, asked, waits = complete(
        lambda *_: refused(429, "slow", Retry_After="3600"), max_wait_s=0.5
    )
    assert (found.status, len(asked), waits) == ("error", 1, [])


def test_a_server_that_hangs_is_not_waited_for_again_and_again() -> None:
    """Time-outs count as waiting: a dead server costs a call two of them, not six."""
    found, asked, _ = complete(
        lambda *_: Reply(delay_s=1.0), timeout_s=0.2, attempts=6, max_wait_s=0.8
    )
    assert (found.status, found.error) == ("timeout", "no answer within 0.2 s")
    assert len(asked) in (1, 2)


def test_only_429_shrinks_the_number_of_calls_at_a_time() -> None:
    """The gate halves on 429, once per burst, and grows back on good answers."""
    gate = Gate(8)
    assert gate.limit == 8
    gate.slow_down(0.01)
    gate.slow_down(0.01)
    assert gate.limit == 4
    for _ in range(400):
        gate.enter()
        gate.leave(good=True)
    assert gate.limit == 8
    for _ in range(50):
        gate.enter()
        gate.leave(good=False)
    assert gate.limit == 8


def test_calls_run_side_by_side_and_never_more_than_allowed() -> None:
    """All answers come with their places; the server never sees more at once than concurrency."""

    def respond(payload: dict[str, Any], _: int) -> Reply:
        reply = said(payload["messages"][0]["content"])
        reply.delay_s = 0.02
        return reply

    requests = [ChatRequest("m", ({"role": "user", "content": str(i)},)) for i in range(40)]
    with endpoint(respond) as server:
        found = dict(ChatClient(Settings(server.url, concurrency=5)).stream(requests))
        assert {place: one.text for place, one in found.items()} == {i: str(i) for i in range(40)}
        assert 2 <= server.most_at_once <= 5


def test_what_is_under_way_at_an_interruption_is_given_out() -> None:
    """Ctrl-C starts no further call, and those that are made already are waited for."""
    with endpoint(lambda *_: Reply(body=said("fine").body, delay_s=0.2)) as server:
        client = ChatClient(Settings(server.url, concurrency=3))
        kept: dict[int, Completion] = {}
        threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt):
            kept.update(client.stream([HELLO] * 30))
        assert {one.status for one in kept.values()} == {"ok"}
        # But for the one that was being handed over, where the signal came in that very moment.
        assert len(kept) <= len(server.asked) <= len(kept) + 1
        assert len(server.asked) < 30


def test_a_burst_of_429_is_survived() -> None:
    """Every call is answered in the end, although the server refuses each third."""
    pattern: Callable[[dict[str, Any], int], Reply] = lambda _, nth: (  # noqa: E731
        refused(429, "slow", Retry_After="0.01") if nth % 3 == 0 else said("fine")
    )
    with endpoint(pattern) as server:
        found = dict(ChatClient(Settings(server.url, attempts=20)).stream([HELLO] * 30))
        assert [one.status for one in found.values()] == ["ok"] * 30


def test_the_form_of_answers_is_learned_once() -> None:
    """A server without json_schema is asked for json_object, then for text, once and for all."""

    def respond(payload: dict[str, Any], _: int) -> Reply:
        form = payload.get("response_format", {}).get("type")
        if form == "json_schema":
            return refused(400, "response_format json_schema is not supported")
        if form == "json_object":
            return refused(400, "Unknown response_format")
        return said("{}")

    with endpoint(respond) as server:
        client = ChatClient(Settings(server.url))
        assert client.complete(SHAPED).status == "ok"
        assert client.complete(SHAPED).status == "ok"
        client.close()
        forms = [asked.get("response_format", {}).get("type") for asked in server.asked]
        assert forms == ["json_schema", "json_object", "json_object", None, None]
        assert "schema" in server.asked[1]["response_format"]
        assert "schema" not in server.asked[2]["response_format"]


def test_max_tokens_is_renamed_where_the_server_wants_it() -> None:
    """A server that wants max_completion_tokens gets it from then on."""

    def respond(payload: dict[str, Any], _: int) -> Reply:
        if "max_tokens" in payload:
            return refused(400, "Use 'max_completion_tokens' instead of 'max_tokens'.")
        return said("{}")

    found, asked, _ = complete(respond, SHAPED)
    assert found.status == "ok"
    assert asked[1]["max_completion_tokens"] == 5


@pytest.mark.parametrize(
    ("limits", "n_asked", "words"),
    [
        (Limits(calls=3), 3, "the budget of 3 calls is spent"),
        (Limits(tokens=250), 3, "the budget of 250 tokens is spent"),
        (Limits(usd=0.0005), 2, "the budget of 0.0005 US dollars is spent"),
    ],
)
def test_a_budget_stops_cleanly(limits: Limits, n_asked: int, words: str) -> None:
    """What was answered stays; the rest is an error that names the budget."""
    with endpoint(lambda *_: said("hi")) as server:
        client = ChatClient(Settings(server.url, concurrency=1, limits=limits, **PRICED))
        found = [one for _, one in sorted(client.stream([HELLO] * 6))]
        assert [one.status for one in found] == ["ok"] * n_asked + ["error"] * (6 - n_asked)
        assert found[-1].error == words
        assert len(server.asked) == n_asked


@pytest.mark.parametrize(
    ("limits", "n_asked"), [(Limits(calls=3), 3), (Limits(tokens=250), 3), (Limits(usd=0.0005), 2)]
)
def test_the_budget_of_a_run_is_shared_by_all_that_is_called(limits: Limits, n_asked: int) -> None:
    """Two clients together make no more calls than the run allows; the next run begins anew."""
    with endpoint(lambda *_: said("hi")) as server:
        for _ in range(2):
            server.asked.clear()
            found = []
            with spending(run_budget(limits)):
                for _ in range(2):
                    client = ChatClient(Settings(server.url, concurrency=1, **PRICED))
                    found += [one for _, one in client.stream([HELLO] * 2)]
            assert [one.status for one in found] == ["ok"] * n_asked + ["error"] * (4 - n_asked)
            assert found[-1].error.startswith("the run's budget of ")
            assert len(server.asked) == n_asked
        assert [one.status for _, one in ChatClient(Settings(server.url)).stream([HELLO])] == ["ok"]


def test_a_run_with_a_budget_of_dollars_calls_nothing_without_a_price() -> None:
    """What has no price could never be counted."""
    with spending(run_budget(Limits(usd=1.0))), pytest.raises(ConfigError, match="no price"):
        list(ChatClient(Settings("http://127.0.0.1:1")).stream([HELLO]))


def given(**said_: Any) -> dict[str, Any]:  # noqa: ANN401
    """Checked parameters."""
    return check(said_, SETTINGS, where="x")


def test_settings_come_from_the_pin_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is only ever in the environment; the address may be in either."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1/")
    monkeypatch.setenv("MY_KEY", "sk-1")
    found = settings(given(api_key_env="MY_KEY"), where="x")
    assert (found.base_url, found.api_key) == ("http://127.0.0.1:1/v1", "sk-1")
    assert settings(given(base_url="http://h/v1"), where="x").base_url == "http://h/v1"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"base_url": "ftp://x"}, "x.base_url is 'ftp://x', not an http address"),
        ({"base_url": "http://u:p@h/v1"}, "x.base_url holds a password"),
        ({"budget": {"usd": 1}}, "x.budget.usd needs x.price"),
        ({"budget": {"call": 1}}, "unknown argument x.budget.call; did you mean calls?"),
        ({"price": {"input": 1}}, "x.price.output is missing"),
    ],
)
def test_settings_that_make_no_sense_are_refused(parameters: dict[str, Any], words: str) -> None:
    """Each fault is told in words, before any call."""
    with pytest.raises(ConfigError) as caught:
        settings(given(**parameters), where="x")
    assert words in caught.value.message
