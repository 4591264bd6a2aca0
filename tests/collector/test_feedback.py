"""POST /v1/feedback: what is acknowledged is on the disk, once, and nothing else is taken."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gitloop.collector import Collector, Settings
from gitloop.collector.feedback import read
from gitloop.collector.refusals import Refusal
from tests.collected import Answer, ask, lines, living, settings

TOKEN = "a-token-of-some-length"  # noqa: S105 -- made up
KEY = "a-browser-key-of-length"
UP = {"signal_type": "thumbs_up", "trace_id": "t1", "feedback_id": "a"}


def asked(plan: Settings, *requests: tuple[Any, ...]) -> list[Answer]:
    """The answers to requests that are sent one after the other."""

    async def scenario() -> list[Answer]:
        async with living(plan) as app:
            return [await ask(app, *request) for request in requests]

    return asyncio.run(scenario())


def post(value: Any, headers: dict[str, str] | None = None) -> tuple[Any, ...]:  # noqa: ANN401
    """A request with feedback."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return ("POST /v1/feedback", body, headers)


def test_an_event_is_in_the_spool_when_it_is_acknowledged(tmp_path: Path) -> None:
    """One event, a list of them, and a list under "events" are taken alike."""
    plan = settings(tmp_path)

    async def scenario() -> None:
        async with living(plan) as app:
            answer = await ask(app, *post(UP))
            assert answer.status == 200
            assert answer.value["feedback_ids"] == ["a"]
            (found,) = lines(plan.feedback_folder)
            assert found["feedback_id"] == "a"
            assert found["signal_class"] == "explicit"
            assert found["score_source"] == "human"
            await ask(app, *post([{**UP, "feedback_id": "b"}, {**UP, "feedback_id": "c"}]))
            await ask(app, *post({"events": [{**UP, "feedback_id": "d", "screen": "chat"}]}))

    asyncio.run(scenario())
    events = lines(plan.feedback_folder)
    assert [event["feedback_id"] for event in events] == ["a", "b", "c", "d"]
    assert events[3]["metadata"] == {"screen": "chat"}


def test_an_event_that_is_sent_again_is_written_once(tmp_path: Path) -> None:
    """The same id and content is a repetition; other content is kept as well, and flagged."""
    plan = settings(tmp_path)
    other = {**UP, "comment": "no"}
    later = {**UP, "created_at": "2026-05-19T14:33:00Z"}
    found = asked(plan, post(UP), post(later), post([UP, UP]), post(other), post(other))
    counts = [
        [answer.value[f"n_{name}"] for name in ("durable", "repeated", "conflict")]
        for answer in found
    ]
    assert counts == [[1, 0, 0], [0, 1, 0], [0, 2, 0], [0, 0, 1], [0, 1, 0]]
    assert [event.get("comment") for event in lines(plan.feedback_folder)] == [None, "no"]


def test_sound_events_are_taken_beside_faulty_ones(tmp_path: Path) -> None:
    """207 names each event that was refused, and its faults; 422 says that all were."""
    plan = settings(tmp_path)
    mixed, none = asked(
        plan,
        post([UP, {"signal_type": "applause"}, 7, {"signal_type": "rating", "value": "4"}]),
        post({"signal_type": "copy", "created_at": "yesterday"}),
    )
    assert (mixed.status, none.status) == (207, 422)
    assert [it["index"] for it in mixed.value["refused"]] == [1, 2, 3]
    assert "signal_type is 'applause'" in mixed.value["refused"][0]["faults"][0]
    assert "created_at is 'yesterday'" in none.value["refused"][0]["faults"][0]
    assert [event["feedback_id"] for event in lines(plan.feedback_folder)] == ["a"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "not valid JSON"),
        (b'{"signal_type":"copy"', 400, "not valid JSON"),
        (b"\xff\xfe{}", 400, "not valid JSON"),
        (b'{"signal_type":"rating","value":NaN}', 400, "not valid JSON"),
        (b'{"signal_type":"copy","comment":"\xc3("}', 400, "not valid JSON"),
        (b'{"signal_type":"copy","comment":"\\ud800"}', 400, "not valid JSON"),
        (b"[" * 100_000, 400, "not valid JSON"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400, "not valid JSON"),
        (b"[" + b"{}," * 1000 + b"{}]", 413, "1,001 events"),
        (b'"text"', 422, "a JSON str, not an object"),
        (b'{"signal_type":"rating","value":1e999}', 400, "number is infinity"),
        (b'{"signal_type":"rating","value":"-inf"}', 422, "value is '-inf'"),
        (b'{"signal_type":"copy","trace_id":["x"]}', 422, "trace_id is list, not text"),
        (b'{"signal_type":{"a":1}}', 422, "signal_type is"),
        (b'{"signal_type":"copy","created_at":-5}', 422, "created_at is -5"),
        (b'{"signal_type":"copy","score_source":[]}', 422, "score_source is"),
        (b'{"signal_type":"copy","metadata":[1]}', 422, "metadata is list"),
    ],
)
def test_what_is_no_event_is_refused(tmp_path: Path, body: bytes, status: int, words: str) -> None:
    """Torn, nested, mistyped, endless and impossible bodies: a 4xx that says why, and no line."""
    plan = settings(tmp_path)
    (answer,) = asked(plan, post(body))
    assert answer.status == status
    assert words in answer.body.decode()
    assert lines(plan.feedback_folder) == []


def test_hostile_names_are_data(tmp_path: Path) -> None:
    """Whatever a field is called, and whatever an id holds, it ends up in one line of the spool."""
    plan = settings(tmp_path)
    hostile = {
        "__proto__": {"x": 1}, "../../etc/passwd": "x", "\x00": "nul", "a\nb": "line\nbreak",
        "": "empty", "x" * 10_000: "long", "feedback_id ": "blank", "constructor": None,
    }  # fmt: skip
    event = {**UP, "feedback_id": "../../../x\n{}", **hostile}
    (answer,) = asked(plan, post(event))
    assert answer.status == 200
    (found,) = lines(plan.feedback_folder)
    assert found["metadata"] == hostile
    assert found["feedback_id"] == "../../../x\n{}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["feedback", "traces"]


def test_a_body_of_50_mb_is_refused_unread(tmp_path: Path) -> None:
    """An announced length is enough to refuse; a body in chunks is cut off at the limit."""
    plan = settings(tmp_path)
    n_sent = 0

    def chunks() -> Any:  # noqa: ANN401
        nonlocal n_sent
        for _ in range(50):
            n_sent += 1
            yield b" " * (1 << 20)

    announced, endless = asked(
        plan,
        ("POST /v1/feedback", b"", {"content-length": str(50 << 20)}),
        ("POST /v1/feedback", chunks()),
    )
    assert (announced.status, endless.status) == (413, 413)
    assert endless.headers["connection"] == "close"
    assert lines(plan.feedback_folder) == []


def test_a_bomb_is_never_unpacked(tmp_path: Path) -> None:
    """Gzip data of 64 MB is refused while it takes no more memory than a body may."""
    plan = settings(tmp_path, max_body_bytes=1 << 20)
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(packer.compress(bytes(1 << 24)) for _ in range(4)), packer.flush()])
    gzipped = {"content-encoding": "gzip"}
    tracemalloc.start()
    found = asked(
        plan,
        ("POST /v1/feedback", bomb, gzipped),
        ("POST /v1/feedback", gzip.compress(json.dumps(UP).encode()), gzipped),
        ("POST /v1/feedback", gzip.compress(b"{}")[:-6], gzipped),
        ("POST /v1/feedback", b"no gzip", gzipped),
        ("POST /v1/feedback", gzip.compress(b"") * 1000, gzipped),
        ("POST /v1/feedback", b"{}", {"content-encoding": "br"}),
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [answer.status for answer in found] == [413, 200, 400, 400, 400, 415]
    assert peak < 8 << 20


def test_only_who_has_the_token_may_send(tmp_path: Path) -> None:
    """The token opens all, a page's key opens feedback alone, and health is open to everybody."""
    plan = settings(tmp_path, token=TOKEN, browser_key=KEY)
    bearer = {"authorization": f"Bearer {TOKEN}"}
    body = json.dumps(UP).encode()
    requests = [
        ("POST /v1/feedback", body),
        ("POST /v1/feedback", body, {"authorization": "Bearer wrong"}),
        ("POST /v1/feedback", body, {"authorization": f"Basic {TOKEN}"}),
        ("POST /v1/feedback?key=wrong", body),
        (f"POST /v1/feedback?key={TOKEN}", body),
        (f"POST /v1/traces?key={KEY}", b"{}", {"content-type": "application/json"}),
        (f"GET /metrics?key={KEY}",),
        ("GET /metrics",),
        ("POST /v1/feedback", body, bearer),
        (f"POST /v1/feedback?key={KEY}", body),
        ("GET /metrics", b"", bearer),
        ("GET /healthz",),
        ("GET /gitloop.js",),
    ]
    found = asked(plan, *requests)
    assert [answer.status for answer in found] == [401] * 8 + [200] * 5
    assert found[0].headers["www-authenticate"] == "Bearer"
    assert TOKEN not in repr(plan)
    assert KEY not in repr(plan)


def test_pages_of_other_origins_are_refused(tmp_path: Path) -> None:
    """A listed origin may read the answer; another may not even send, with preflight or without."""
    plan = settings(tmp_path, origins=("https://app.example.com",))
    listed, other = {"origin": "https://app.example.com"}, {"origin": "https://evil.example.com"}
    found = asked(
        plan,
        ("OPTIONS /v1/feedback", b"", listed),
        ("OPTIONS /v1/feedback", b"", other),
        post(UP, listed),
        post(UP, other),
        post(UP, {"origin": "null"}),
    )
    assert [answer.status for answer in found] == [204, 403, 200, 403, 403]
    assert found[0].headers["access-control-allow-origin"] == "https://app.example.com"
    assert found[2].headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in found[3].headers


def test_what_is_not_there_has_its_own_status(tmp_path: Path) -> None:
    """Another path is 404, another method 405."""
    found = asked(settings(tmp_path), ("GET /",), ("GET /v1/feedback",), ("POST /healthz",))
    assert [answer.status for answer in found] == [404, 405, 405]


def test_who_sends_too_much_is_told_to_come_back(tmp_path: Path) -> None:
    """Beyond its rate an address gets 429 and the seconds after which it may go on."""
    plan = settings(tmp_path, rate=2.0)
    found = asked(plan, post([UP] * 7), post(UP))
    assert [answer.status for answer in found] == [200, 429]
    assert 1 <= int(found[1].headers["retry-after"]) <= 4


def test_when_too_much_waits_senders_are_told_to_come_back(tmp_path: Path) -> None:
    """Bodies under way spend a budget; above it the answer is 429, and then there is room again."""
    plan = settings(tmp_path, max_body_bytes=1000, max_waiting_bytes=1500)

    async def scenario() -> list[int]:
        async with living(plan) as app:
            never: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
            half = {"type": "http.request", "body": b" " * 900, "more_body": True}
            never.put_nowait(half)
            scope: dict[str, Any] = {
                "type": "http", "method": "POST", "path": "/v1/feedback", "query_string": b"",
                "headers": [], "client": None,
            }  # fmt: skip
            slow = asyncio.create_task(app(scope, never.get, _drop))
            await asyncio.sleep(0.01)
            busy = await ask(app, *post(b" " * 900))
            never.put_nowait({"type": "http.disconnect"})
            await slow
            free = await ask(app, *post(UP))
            assert app.metrics.held_bytes == 0
            assert busy.headers["retry-after"] == "1"
            return [busy.status, free.status]

    assert asyncio.run(scenario()) == [429, 200]


async def _drop(_message: Any) -> None:  # noqa: ANN401
    """Hear nothing."""


def test_a_body_that_never_ends_is_given_up(tmp_path: Path) -> None:
    """Who sends too slowly gets 408; who leaves gets no answer, and neither leaves a line."""
    plan = settings(tmp_path, body_s=0.05)

    async def scenario() -> list[int]:
        async with living(plan) as app:
            left = await ask(app, "POST /v1/feedback", b"{", leaves=True)
            never: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
            told: list[Any] = []

            async def send(message: Any) -> None:  # noqa: ANN401
                told.append(message)

            scope = {
                "type": "http", "method": "POST", "path": "/v1/feedback", "query_string": b"",
                "headers": [], "client": ("192.0.2.9", 1),
            }  # fmt: skip
            await app(scope, never.get, send)
            assert app.metrics.held_bytes == 0
            return [left.status, told[0]["status"]]

    assert asyncio.run(scenario()) == [0, 408]


def test_a_disk_that_takes_nothing_is_503(tmp_path: Path) -> None:
    """Nothing is acknowledged, health says so, and what comes when there is room is taken."""
    full = settings(tmp_path, min_free_bytes=1 << 60)
    refused, health, metrics = asked(full, post(UP), ("GET /healthz",), ("GET /metrics",))
    assert (refused.status, health.status) == (503, 503)
    assert "nearly full" in refused.value["error"]
    assert refused.headers["retry-after"] == "5"
    assert b"gitloop_collector_sync_failures_total 1" in metrics.body
    assert asked(settings(tmp_path), post(UP))[0].value["n_durable"] == 1


def test_a_spool_that_fails_for_a_while_is_not_believed_to_know(tmp_path: Path) -> None:
    """An event whose sync failed is taken as new when it is sent again."""
    plan = settings(tmp_path)

    async def scenario() -> list[int]:
        async with living(plan) as app:
            plan.feedback_folder.rmdir()
            plan.feedback_folder.write_text("a file in the way")
            first = await ask(app, *post(UP))
            plan.feedback_folder.unlink()
            plan.feedback_folder.mkdir()
            second = await ask(app, *post(UP))
            assert second.value["n_durable"] == 1
            return [first.status, second.status]

    assert asyncio.run(scenario()) == [503, 200]


def test_many_at_once_share_the_disk_and_lose_nothing(tmp_path: Path) -> None:
    """Two hundred senders at once: all acknowledged, all there, in fewer syncs than events."""
    plan = settings(tmp_path)

    async def scenario() -> Collector:
        async with living(plan) as app:
            events = [{**UP, "feedback_id": f"{n}"} for n in range(200)]
            found = await asyncio.gather(*(ask(app, *post(event)) for event in events))
            assert {answer.status for answer in found} == {200}
            return app

    app = asyncio.run(scenario())
    assert sorted(int(event["feedback_id"]) for event in lines(plan.feedback_folder)) == list(
        range(200)
    )
    n_syncs = app.metrics.render().split("sync_seconds_count ")[1].split()[0]
    assert int(n_syncs) < 200


def test_metrics_are_what_prometheus_reads(tmp_path: Path) -> None:
    """Each family has its help and type; every sample has a fixed set of labels."""
    *_, metrics = asked(
        settings(tmp_path), post([UP, {}]), ("GET /secret/path?x=1",), ("GET /metrics",)
    )
    text = metrics.body.decode()
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'gitloop_collector_events_total{outcome="durable"} 1' in text
    assert 'gitloop_collector_events_total{outcome="refused"} 1' in text
    assert 'gitloop_collector_requests_total{path="other",status="404"} 1' in text
    assert "secret" not in text
    assert text.count("# TYPE") == text.count("# HELP")
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(line.startswith("gitloop_collector_") for line in samples)
    assert all(float(line.rsplit(" ", 1)[1]) >= 0 for line in samples)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=200)
@given(
    st.binary(max_size=200)
    | _JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(
        st.sampled_from([*UP, "value", "created_at", "metadata", "comment", "x"]), _JSON
    ).map(lambda event: json.dumps(event).encode())
)
def test_any_body_is_lines_or_a_refusal(body: bytes) -> None:
    """Whatever comes is read as whole lines of strict JSON, or refused; nothing else happens."""
    try:
        reading = read(body, 100)
    except Refusal:
        return
    assert len(reading.feedback_ids) == len(reading.entries)
    for entry, feedback_id in zip(reading.entries, reading.feedback_ids, strict=True):
        assert entry.line.count(b"\n") == 1
        event = json.loads(entry.line, parse_constant=lambda _name: pytest.fail("not strict"))
        assert event["feedback_id"] == feedback_id
