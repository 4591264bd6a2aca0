"""Spans of every encoding and convention become the same traces and events."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.errors import TableError
from gitloop.protocols import Source
from gitloop.sources.langfuse import LangfuseSource
from gitloop.sources.openinference import OpenInferenceSource
from gitloop.sources.otlp import OtlpSource
from gitloop.sources.phoenix import PhoenixSource
from gitloop.sources.protobuf import ProtobufError, trace_request
from gitloop.tables import FEEDBACK, TRACES

START = 1_779_201_180_000_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def any_value(value: Any) -> dict[str, Any]:  # noqa: ANN401 -- an attribute is anything
    """The value as an OTLP AnyValue."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    return {"stringValue": value}


def attributes(pairs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP key-value pairs."""
    return [{"key": name, "value": any_value(value)} for name, value in pairs.items()]


def span(n: int, parent: int | None = None, /, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """The nth span of a trace, in OTLP's JSON form; `has` are its attributes."""
    made = {
        "traceId": TRACE,
        "spanId": f"{n:016x}",
        "name": f"span {n}",
        "startTimeUnixNano": str(START + n * 1_000_000),
        "endTimeUnixNano": str(START + 2_000_000_000),
        "attributes": attributes(fields.pop("has", {})),
        **fields,
    }
    return made if parent is None else {**made, "parentSpanId": f"{parent:016x}"}


def request(*spans: dict[str, Any], **resource: Any) -> dict[str, Any]:  # noqa: ANN401
    """An OTLP request of the spans."""
    scopes = [{"scope": {"name": "app"}, "spans": list(spans)}]
    return {
        "resourceSpans": [{"resource": {"attributes": attributes(resource)}, "scopeSpans": scopes}]
    }


def written(folder: Path, *values: Any, name: str = "x.json") -> Path:  # noqa: ANN401
    """A file of the values, one a line."""
    path = folder / name
    path.write_text("\n".join(json.dumps(value) for value in values), encoding="utf-8")
    return path


def traces(source: Source, path: Path, **columns: str) -> list[dict[str, Any]]:
    """The traces in the file."""
    frames = list(source.traces(path, columns))
    assert all(TRACES.problems(frame) == [] for frame in frames)
    return pl.concat([TRACES.empty(), *frames]).to_dicts()


def events(source: Source, path: Path, **columns: str) -> list[dict[str, Any]]:
    """The events in the file."""
    frames = list(source.feedback(path, columns))
    assert all(FEEDBACK.problems(frame) == [] for frame in frames)
    return pl.concat([FEEDBACK.empty(), *frames]).to_dicts()


def trace_of(folder: Path, *spans: dict[str, Any], **columns: str) -> dict[str, Any]:
    """The one trace that the spans make."""
    (found,) = traces(OtlpSource(), written(folder, request(*spans)), **columns)
    return found


CONVENTIONS: dict[str, dict[str, Any]] = {
    "OpenInference": {
        "openinference.span.kind": "LLM",
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.0.message.content": "Be brief.",
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.content": "Where is my parcel?",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "On its way.",
        "llm.model_name": "m-1",
        "llm.token_count.prompt": 20,
        "llm.token_count.completion": 5,
        "session.id": "s1",
        "llm.prompt_template.version": "support@2",
        "metadata": json.dumps({"route": "order", "user_cohort": "pro"}),
    },
    "OTel gen_ai": {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": json.dumps(
            [{"role": "user", "parts": [{"type": "text", "content": "Where is my parcel?"}]}]
        ),
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": [{"type": "text", "content": "On its way."}]}]
        ),
        "gen_ai.response.model": "m-1",
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.conversation.id": "s1",
        "gen_ai.prompt.template.version": "support@2",
        "gitloop.route": "order",
        "gitloop.user_cohort": "pro",
    },
    "fi": {
        "fi.span.kind": "LLM",
        "fi.llm.input": "Where is my parcel?",
        "fi.llm.output": "On its way.",
        "gen_ai.request.model": "m-1",
        "llm.usage.prompt_tokens": "20",
        "llm.usage.completion_tokens": "5",
        "session.id": "s1",
        "gen_ai.prompt.version": "support@2",
        "gitloop.route": "order",
        "gitloop.user_cohort": "pro",
    },
    "OpenLLMetry": {
        "llm.request.type": "chat",
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0.content": "Where is my parcel?",
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": "On its way.",
        "gen_ai.response.model": "m-1",
        "gen_ai.usage.prompt_tokens": 20,
        "gen_ai.usage.completion_tokens": 5,
        "traceloop.association.properties.session_id": "s1",
        "traceloop.prompt.version": "support@2",
        "traceloop.association.properties.route": "order",
        "traceloop.association.properties.user_cohort": "pro",
    },
}


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_convention_gives_the_same_trace(tmp_path: Path, convention: str) -> None:
    """One alias table reads OpenInference, gen_ai, fi.* and OpenLLMetry alike."""
    found = trace_of(tmp_path, span(1, has=CONVENTIONS[convention]))
    wanted = {
        "trace_id": TRACE,
        "session_id": "s1",
        "group_id": "s1",
        "route": "order",
        "user_cohort": "pro",
        "prompt_version": "support@2",
        "input": "Where is my parcel?",
        "output": "On its way.",
        "model": "m-1",
        "status": "ok",
        "latency_s": 1.999,
        "n_input_tokens": 20,
        "n_output_tokens": 5,
        "source": "otlp",
    }
    assert {name: found[name] for name in wanted} == wanted
    assert found["spans"][0]["kind"] == "LLM"


def test_the_root_speaks_for_the_trace(tmp_path: Path) -> None:
    """Input, output and status are the root's; context is what was retrieved."""
    retrieval = {
        "openinference.span.kind": "RETRIEVER",
        "retrieval.documents.0.document.content": "Parcels take two days.",
        "retrieval.documents.1.document.content": "Returns are free.",
    }
    found = trace_of(
        tmp_path,
        span(3, 1, has={"openinference.span.kind": "LLM", "output.value": "raw", "x": 1}),
        span(2, 1, has=retrieval),
        span(1, has={"input.value": "Where?", "output.value": "Soon."}, status={"code": 2}),
    )
    assert (found["input"], found["output"], found["status"]) == ("Where?", "Soon.", "error")
    assert found["context"] == "Parcels take two days.\n\nReturns are free."
    assert [it["name"] for it in found["spans"]] == ["span 1", "span 2", "span 3"]
    assert json.loads(found["spans"][2]["attributes"])["x"] == 1


def test_without_a_root_the_model_s_own_words_stand_in(tmp_path: Path) -> None:
    """A root that says nothing leaves the question to the first call and the answer to the last."""
    llm = {"openinference.span.kind": "LLM"}
    found = trace_of(
        tmp_path,
        span(1),
        span(2, 1, has={**llm, "input.value": "first?", "output.value": "first."}),
        span(3, 1, has={**llm, "input.value": "second?", "output.value": "last."}),
    )
    assert (found["input"], found["output"]) == ("first?", "last.")


def test_tokens_and_cost_count_once(tmp_path: Path) -> None:
    """A parent that repeats its children's figures adds nothing to them."""
    usage = {"gen_ai.usage.input_tokens": 10, "gen_ai.cost.total": 0.1}
    found = trace_of(
        tmp_path,
        span(1, has={"gen_ai.usage.input_tokens": 20, "gen_ai.cost.total": 0.2}),
        span(2, 1, has=usage),
        span(3, 1),
        span(4, 3, has=usage),
    )
    assert (found["n_input_tokens"], found["cost_usd"]) == (20, 0.2)


def test_a_configured_attribute_comes_before_the_known_ones(tmp_path: Path) -> None:
    """Route and cohort have no standard key: params.yaml may name one."""
    has = {"app.area": "billing", "gitloop.route": "order"}
    assert trace_of(tmp_path, span(1, has=has), route="app.area")["route"] == "billing"
    assert trace_of(tmp_path, span(1, has={}), route="=unknown")["route"] == "unknown"


def test_nothing_unknown_is_dropped(tmp_path: Path) -> None:
    """Attributes, events, links, scope and resource that nobody knows are kept."""
    path = written(
        tmp_path,
        request(
            span(
                1,
                has={"my.key": [1, "two", True], "pi": 3.5},
                events=[
                    {"name": "e", "timeUnixNano": str(START), "attributes": attributes({"k": 1})}
                ],
                links=[{"traceId": "a" * 32, "spanId": "b" * 16}],
                status={"code": 2, "message": "boom"},
            ),
            service="shop",
        ),
    )
    (found,) = traces(OtlpSource(), path)
    kept = json.loads(found["spans"][0]["attributes"])
    assert kept["my.key"] == [1, "two", True]
    assert kept["pi"] == 3.5
    assert kept["events"] == [{"at": "2026-05-19T14:33:00.000000Z", "k": 1, "name": "e"}]
    assert kept["links"] == [{"span_id": "b" * 16, "trace_id": "a" * 32}]
    assert (kept["status_message"], kept["otel.scope.name"]) == ("boom", "app")
    assert json.loads(found["attributes"])["resource.service"] == "shop"


def test_spans_of_one_trace_may_lie_anywhere_in_the_file(tmp_path: Path) -> None:
    """Requests that share a trace make one; a span that an exporter sent twice counts once."""
    one, two = span(1), span(2, 1)
    path = written(tmp_path, request(one), request(two), request(two))
    (found,) = traces(OtlpSource(), path)
    assert len(found["spans"]) == 2


def test_messages_in_events_are_read(tmp_path: Path) -> None:
    """Where gen_ai puts messages in a span event, they are the span's."""
    details = attributes({"gen_ai.input.messages": '[{"role":"user","content":"Hi"}]'})
    event = {"name": "gen_ai.client.inference.operation.details", "attributes": details}
    assert trace_of(tmp_path, span(1, events=[event]))["input"] == "Hi"


SCORED = {
    "annotations.0.annotation.name": "hallucination",
    "annotations.0.annotation.score": 0.9,
    "annotations.0.annotation.label": "hallucinated",
    "annotations.0.annotation.explanation": "not in the documents",
    "annotations.0.annotation.annotator_kind": "LLM",
    "annotations.0.annotation.identifier": "judge-v2",
    "annotations.0.annotation.metadata": '{"rubric_version":"2"}',
}


def test_an_inline_annotation_is_an_event_on_its_span(tmp_path: Path) -> None:
    """Score, label, evaluator, identifier and rubric version of an existing score are kept."""
    path = written(tmp_path, request(span(1, has={**SCORED, "gitloop.route": "order"})))
    (found,) = events(OtlpSource(), path)
    assert (found["trace_id"], found["span_id"]) == (TRACE, f"{1:016x}")
    assert (found["signal_type"], found["value"]) == ("rubric_score", 0.9)
    assert (found["score_source"], found["route"]) == ("auto_grader", "order")
    assert found["comment"] == "not in the documents"
    assert json.loads(found["metadata"]) == {
        "annotator_kind": "LLM",
        "identifier": "judge-v2",
        "label": "hallucinated",
        "rubric": "hallucination",
        "rubric_version": "2",
        "scope": "span",
    }
    assert events(OtlpSource(), path)[0]["feedback_id"] == found["feedback_id"]


def test_both_forms_of_one_result_count_once(tmp_path: Path) -> None:
    """OpenInference calls them annotations or evaluations; the same result in both is one event."""
    other = {
        name.replace("annotations.", "evaluations.").replace(".annotation.", ".evaluation."): value
        for name, value in SCORED.items()
    }
    path = written(tmp_path, request(span(1, has={**SCORED, **other})))
    assert len(events(OtlpSource(), path)) == 1


def test_trace_and_session_scope_name_no_span(tmp_path: Path) -> None:
    """A trace's annotation names the trace, a session's the session alone."""
    has = {
        "session.id": "s1",
        "trace.annotations.0.annotation.name": "quality",
        "trace.annotations.0.annotation.score": 0.5,
        "trace.annotations.0.annotation.annotator_kind": "CODE",
        "session.evaluations.0.evaluation.name": "mood",
        "session.evaluations.0.evaluation.label": "good",
        "session.evaluations.0.evaluation.annotator_kind": "HUMAN",
    }
    path = written(tmp_path, request(span(1, has=has)))
    found = {json.loads(it["metadata"])["scope"]: it for it in events(OtlpSource(), path)}
    assert (found["trace"]["trace_id"], found["trace"]["span_id"]) == (TRACE, None)
    assert (found["session"]["trace_id"], found["session"]["session_id"]) == (None, "s1")
    assert found["session"]["score_source"] == "human"


def test_a_post_hoc_annotation_belongs_to_the_linked_span(tmp_path: Path) -> None:
    """The carrier's own trace is none of the application's; its link names the target."""
    carrier = {
        **span(7, has={**SCORED, "openinference.span.kind": "EVALUATOR"}),
        "traceId": "f" * 32,
        "links": [{"traceId": TRACE, "spanId": f"{1:016x}"}],
    }
    path = written(tmp_path, request(span(1), carrier))
    (found,) = events(OtlpSource(), path)
    assert (found["trace_id"], found["span_id"]) == (TRACE, f"{1:016x}")
    assert [it["trace_id"] for it in traces(OtlpSource(), path)] == [TRACE]
    alone = written(tmp_path, request(carrier), name="alone.json")
    assert traces(OtlpSource(), alone) == []
    assert len(events(OtlpSource(), alone)) == 1


@pytest.mark.parametrize(
    ("has", "wanted"),
    [
        (
            {"gen_ai.evaluation.name": "tone", "gen_ai.evaluation.score.value": 1},
            ("rubric_score", 1.0, None),
        ),
        ({"eval.name": "tone", "eval.score": 0.5}, ("rubric_score", 0.5, None)),
        ({"eval.tone": 0.25, "eval.tone.reason": "rude"}, ("rubric_score", 0.25, "rude")),
        (
            {
                "annotations.0.annotation.name": "user feedback",
                "annotations.0.annotation.label": "thumbs-up",
                "annotations.0.annotation.score": 1,
                "annotations.0.annotation.annotator_kind": "HUMAN",
            },
            ("thumbs_up", None, None),
        ),
        (
            {
                "annotations.0.annotation.name": "note",
                "annotations.0.annotation.explanation": "wrong city",
                "annotations.0.annotation.annotator_kind": "HUMAN",
            },
            ("comment", None, "wrong city"),
        ),
    ],
)
def test_other_ways_to_write_a_score(
    tmp_path: Path, has: dict[str, Any], wanted: tuple[str, float | None, str | None]
) -> None:
    """gen_ai.evaluation, eval.* and human thumbs and notes become events of their kind."""
    (found,) = events(OtlpSource(), written(tmp_path, request(span(1, has=has))))
    assert (found["signal_type"], found["value"], found["comment"]) == wanted


def test_an_evaluation_event_is_an_event(tmp_path: Path) -> None:
    """OTel's gen_ai.evaluation.result has its own time."""
    result = {
        "name": "gen_ai.evaluation.result",
        "timeUnixNano": str(START),
        "attributes": attributes(
            {"gen_ai.evaluation.name": "tone", "gen_ai.evaluation.score.value": 0.5}
        ),
    }
    (found,) = events(OtlpSource(), written(tmp_path, request(span(1, events=[result]))))
    assert f"{found['created_at']:%H:%M:%S}" == "14:33:00"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"resourceMetrics": []}, "no OTLP request of spans"),
        ([5], "a JSON int, not an object"),
        (request({**span(1), "traceId": ""}), "a span without traceId"),
        (request({**span(1), "spanId": "0" * 16}), "a span without spanId"),
        (request({**span(1), "startTimeUnixNano": "-5"}), "'-5', not a number of nanoseconds"),
        (request({**span(1), "startTimeUnixNano": -5}), "-5, a time before 1970"),
        (request({**span(1), "endTimeUnixNano": 10**30}), "a time after 2100"),
        (request(), "the file has no rows"),
    ],
)
def test_what_is_no_otlp_is_refused(tmp_path: Path, value: Any, words: str) -> None:  # noqa: ANN401
    """Another signal, missing ids, impossible times and emptiness are told."""
    with pytest.raises(TableError) as raised:
        traces(OtlpSource(), written(tmp_path, value))
    assert words in raised.value.problems[0]


def varint(value: int) -> bytes:
    """The value as a protobuf varint."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: bytes | str | float) -> bytes:
    """A protobuf field: bytes and text as such, int as fixed64, float as double."""
    if isinstance(value, int):
        return varint(number << 3 | 1) + value.to_bytes(8, "little")
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def protobuf_request(*attributes_: tuple[str, bytes]) -> bytes:
    """A request of one span with these attributes, each an encoded AnyValue."""
    pairs = b"".join(field(9, field(1, key) + field(2, value)) for key, value in attributes_)
    made = (
        field(1, bytes.fromhex(TRACE)) + field(2, (1).to_bytes(8, "big")) + field(5, "span 1")
        + field(7, START + 1_000_000) + field(8, START + 2_000_000_000) + pairs
    )  # fmt: skip
    return field(1, field(2, field(1, field(1, "app")) + field(2, made)))


def test_protobuf_and_json_give_the_same_trace(tmp_path: Path) -> None:
    """Each kind of attribute value reads alike in both encodings."""
    binary = tmp_path / "x.pb"
    binary.write_bytes(
        protobuf_request(
            ("input.value", field(1, "Hi")),
            ("flag", varint(2 << 3) + varint(1)),
            ("whole", varint(3 << 3) + varint((1 << 64) - 7)),
            ("real", field(4, 0.5)),
            ("many", field(5, field(1, field(1, "a")))),
        )
    )
    has = {"input.value": "Hi", "flag": True, "whole": -7, "real": 0.5, "many": ["a"]}
    plain = written(tmp_path, request(span(1, has=has)))
    assert traces(OtlpSource(), binary) == traces(OtlpSource(), plain)
    assert OtlpSource().accepts(binary, binary.read_bytes())
    assert OtlpSource().accepts(plain, plain.read_bytes())


@pytest.mark.parametrize(
    "data",
    [b"\x0a\x05abc", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x0b", b"\x02\x00"],
)
def test_broken_protobuf_is_refused(tmp_path: Path, data: bytes) -> None:
    """Cut off or overlong bytes, unknown wire types and field 0 are told, never a crash."""
    with pytest.raises(ProtobufError):
        trace_request(data)
    path = tmp_path / "x.pb"
    path.write_bytes(b"\n" + data)
    with pytest.raises(TableError):
        traces(OtlpSource(), path)


def test_a_nested_bomb_of_protobuf_is_refused() -> None:
    """Values within values without end stop at a fixed depth."""
    value = field(1, "x")
    for _ in range(200):
        value = field(5, field(1, value))
    with pytest.raises(ProtobufError, match="nested deeper"):
        trace_request(protobuf_request(("bomb", value)))


@settings(deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=40).map(lambda junk: protobuf_request() + junk))
def test_any_bytes_are_a_request_or_an_error(data: bytes) -> None:
    """The decoder ends in a dict or in its own error, whatever it reads."""
    with suppress(ProtobufError):
        assert isinstance(trace_request(data), dict)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["resourceSpans", "resource", "attributes", "scopeSpans", "scope", "spans", "traceId",
             "spanId", "context", "trace_id", "span_id", "events", "links", "status", "trace",
             "id", "observations", "scores", "metadata", "data", "span_kind", "annotation_name"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.lists(_JSON, min_size=1, max_size=3))
def test_any_json_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any]
) -> None:
    """No JSON, however odd, gets more out of a source than rows that fit, or a list of faults."""
    folder = tmp_path_factory.mktemp("odd")
    for source in (OtlpSource(), OpenInferenceSource(), LangfuseSource(), PhoenixSource()):
        for name in ("x.jsonl", "x.json"):
            path = written(folder, *values, name=name)
            source.accepts(path, path.read_bytes())
            with suppress(TableError):
                traces(source, path)
            with suppress(TableError):
                events(source, path)


SDK_SPAN: dict[str, Any] = {
    "name": "answer",
    "context": {"trace_id": f"0x{TRACE}", "span_id": "0x00000000000000a1", "trace_state": "[]"},
    "parent_id": None,
    "start_time": "2026-05-19T14:33:00Z",
    "end_time": "2026-05-19T14:33:01Z",
    "status": {"status_code": "ERROR", "description": "boom"},
    "attributes": {"openinference.span.kind": "CHAIN", "input.value": "Hi", **SCORED},
    "events": [],
    "links": [],
    "resource": {"attributes": {"service.name": "shop"}},
}


def test_an_sdk_s_json_lines_are_spans(tmp_path: Path) -> None:
    """Ids lose their 0x, status and time are read, annotations are events."""
    path = written(tmp_path, SDK_SPAN, name="x.jsonl")
    (found,) = traces(OpenInferenceSource(), path)
    assert (found["trace_id"], found["status"], found["latency_s"]) == (TRACE, "error", 1.0)
    assert found["spans"][0]["span_id"] == "00000000000000a1"
    assert len(events(OpenInferenceSource(), path)) == 1
    assert OpenInferenceSource().accepts(path, path.read_bytes())


PHOENIX_SPAN: dict[str, Any] = {
    "id": "U3Bhbjox",
    "name": "answer",
    "context": {"trace_id": TRACE, "span_id": "00000000000000a1"},
    "span_kind": "LLM",
    "parent_id": None,
    "start_time": "2026-05-19T14:33:00+00:00",
    "end_time": "2026-05-19T14:33:01+00:00",
    "status_code": "OK",
    "status_message": "",
    "attributes": {"input.value": "Hi", "llm": {"model_name": "m-1"}},
    "events": [],
}
PHOENIX_ANNOTATION = {
    "id": "QTox",
    "span_id": "00000000000000a1",
    "name": "correctness",
    "annotator_kind": "HUMAN",
    "result": {"score": 1.0, "label": "correct", "explanation": None},
    "metadata": {"rubric_version": "3"},
    "identifier": "ada",
    "created_at": "2026-05-20T09:00:00+00:00",
}


def test_phoenix_exports_are_spans(tmp_path: Path) -> None:
    """A REST page and a data frame of the same span give the same trace."""
    page = written(tmp_path, {"data": [PHOENIX_SPAN], "next_cursor": None})
    frame = tmp_path / "spans.parquet"
    flat = {name: value for name, value in PHOENIX_SPAN.items() if not isinstance(value, dict)}
    pl.DataFrame(
        [
            {
                **{name: value for name, value in flat.items() if name not in ("events", "id")},
                "context.trace_id": TRACE,
                "context.span_id": "00000000000000a1",
                "attributes.input.value": "Hi",
                "attributes.llm.model_name": "m-1",
            }
        ]
    ).write_parquet(frame)
    found = [traces(PhoenixSource(), path)[0] for path in (page, frame)]
    assert found[0] == found[1]
    assert (found[0]["input"], found[0]["model"], found[0]["spans"][0]["kind"]) == (
        "Hi",
        "m-1",
        "LLM",
    )
    assert all(PhoenixSource().accepts(path, path.read_bytes()) for path in (page, frame))


def test_phoenix_annotations_are_events(tmp_path: Path) -> None:
    """REST items, rows of a data frame and the interchange columns are events on their span."""
    page = written(tmp_path, {"data": [PHOENIX_ANNOTATION]})
    (rest,) = events(PhoenixSource(), page)
    assert (rest["span_id"], rest["trace_id"], rest["value"]) == ("00000000000000a1", None, 1.0)
    assert json.loads(rest["metadata"])["rubric_version"] == "3"
    assert rest["score_source"] == "human"
    row = {
        "span_id": "00000000000000a1",
        "annotation_name": "correctness",
        "annotator_kind": "HUMAN",
        "result.score": 1.0,
        "result.label": "correct",
        "identifier": "ada",
        "created_at": "2026-05-20T09:00:00+00:00",
    }
    framed = written(tmp_path, row, name="frame.jsonl")
    assert events(PhoenixSource(), framed)[0]["feedback_id"] == rest["feedback_id"]
    columns = {
        "context.span_id": "00000000000000a1",
        "annotation.tone.score": "0.5",
        "annotation.like.thumbs": "false",
        "annotation.notes": "hm",
    }
    csv = tmp_path / "x.csv"
    csv.write_text(f"{','.join(columns)}\n{','.join(columns.values())}\n", encoding="utf-8")
    told = events(PhoenixSource(), csv, created_at="=2026-05-20")
    assert [(it["signal_type"], it["value"], it["comment"]) for it in told] == [
        ("thumbs_down", None, None),
        ("comment", None, "hm"),
        ("rubric_score", 0.5, None),
    ]
    assert all(PhoenixSource().accepts(path, path.read_bytes()) for path in (page, framed, csv))
    assert traces(PhoenixSource(), page) == []


def test_a_langfuse_trace_keeps_its_scores(tmp_path: Path) -> None:
    """Texts lose their layers of JSON, usage is summed, scores keep evaluator and config."""
    observation = {
        "id": "o1",
        "type": "GENERATION",
        "name": "chat",
        "startTime": "2026-05-19T14:33:00Z",
        "endTime": "2026-05-19T14:33:02Z",
        "parentObservationId": None,
        "projectId": "p",
        "model": "m-1",
        "promptName": "support",
        "promptVersion": 2,
        "usageDetails": {"input": 20, "output": 5},
        "costDetails": {"total": 0.001},
        "level": "ERROR",
    }
    score = {
        "id": "sc1",
        "name": "hallucination",
        "value": 0.2,
        "source": "EVAL",
        "configId": "c1",
        "comment": "fine",
        "timestamp": "2026-05-19T15:00:00Z",
        "traceId": "t1",
    }
    trace = {
        "id": "t1",
        "projectId": "p",
        "timestamp": "2026-05-19T14:33:00Z",
        "sessionId": "s1",
        "input": '"{\\"messages\\":[{\\"role\\":\\"user\\",\\"content\\":\\"Hi\\"}]}"',
        "output": '"Hello"',
        "metadata": '{"attributes":{"gitloop.route":"order"}}',
        "tags": ["a"],
        "scores": [score],
        "observations": [observation],
    }
    for name, value in (
        ("one.json", {"trace": trace, "observations": [observation]}),
        ("page.json", {"data": [trace]}),
        ("many.jsonl", trace),
    ):
        path = written(tmp_path, value, name=name)
        assert LangfuseSource().accepts(path, path.read_bytes())
        (found,) = traces(LangfuseSource(), path)
        assert (found["input"], found["output"], found["route"]) == ("Hi", "Hello", "order")
        assert (found["prompt_version"], found["n_input_tokens"]) == ("support@2", 20)
        assert (found["status"], found["latency_s"], found["cost_usd"]) == ("error", 2.0, 0.001)
        (told,) = events(LangfuseSource(), path)
        assert (told["trace_id"], told["session_id"], told["value"]) == ("t1", "s1", 0.2)
        assert told["score_source"] == "auto_grader"
        assert json.loads(told["metadata"])["configId"] == "c1"
